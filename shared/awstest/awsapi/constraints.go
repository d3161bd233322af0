package awsapi

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Constraints are the limits of a service's API model that a request breaks. AWS names all of them at once, before it
// looks at anything else.
type Constraints []string

// Break adds a constraint that a value breaks; a value that is not shown is "".
func (c *Constraints) Break(value, name, rule string) {
	if value != "" {
		value += " "
	}
	*c = append(*c, fmt.Sprintf("Value %sat '%s' failed to satisfy constraint: %s", value, name, rule))
}

// Required is a text that must be there, with at most so many characters.
func (c *Constraints) Required(name, value string, longest int) {
	if value == "" {
		c.Break("null", name, "Member must not be null")
		return
	}
	c.Length(name, &value, longest)
}

// Length is a text that may be left out, or has 1 to so many characters.
func (c *Constraints) Length(name string, value *string, longest int) {
	if value != nil && *value == "" {
		c.Break("''", name, "Member must have length greater than or equal to 1")
	}
	c.AtMost(name, value, longest)
}

// AtMost is a text that may be left out or empty.
func (c *Constraints) AtMost(name string, value *string, longest int) {
	if value != nil && utf8.RuneCountInString(*value) > longest {
		c.Break("'"+*value+"'", name, fmt.Sprintf("Member must have length less than or equal to %d", longest))
	}
}

// Range is a number from low to high.
func (c *Constraints) Range(name string, value, low, high int) {
	switch {
	case value < low:
		c.Break(fmt.Sprintf("'%d'", value), name,
			fmt.Sprintf("Member must have value greater than or equal to %d", low))
	case value > high:
		c.Break(fmt.Sprintf("'%d'", value), name, fmt.Sprintf("Member must have value less than or equal to %d", high))
	}
}

// Err is the answer to a request that breaks any, else nil.
func (c Constraints) Err() error {
	if e := c.Refusal(); e != nil {
		return e
	}
	return nil
}

// Refusal is Err for a service whose errors have a shape of their own.
func (c Constraints) Refusal() *Error {
	if len(c) == 0 {
		return nil
	}
	plural := "s"
	if len(c) == 1 {
		plural = ""
	}
	return Errorf("ValidationException", "%d validation error%s detected: %s", len(c), plural, strings.Join(c, "; "))
}
