package scenario

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Calls counts the requests of rotations. No two functions may run at once, so that it is clear whose a request is.
type Calls struct {
	mu    sync.Mutex
	by    map[string]int
	again map[string]int
	state string
	seen  map[string]bool // reads of the present call, since the last write of their service
}

// NewCalls returns what counts requests by Note.
func NewCalls() *Calls {
	return &Calls{by: map[string]int{}, again: map[string]int{}, seen: map[string]bool{}}
}

// Note takes one request. What asks the token endpoint is no read: a secret is tried several times on purpose. Of a
// target, what is read right before and after its write is none either: other hands are found by it.
func (c *Calls) Note(service, operation, text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.by[service+" "+operation]++
	_, state, ours := strings.Cut(text, `"state":"`)
	switch {
	case operation == "Invoke" && ours:
		c.state, _, _ = strings.Cut(state, `"`)
		c.seen = map[string]bool{}
	case operation == "Invoke", operation == "token": // Invoke is that of a provider's function
	case strings.Contains(text, "RuleArns.member"), strings.Contains(text, "ListenerArns.member"):
	case !reads(operation):
		maps.DeleteFunc(c.seen, func(k string, _ bool) bool { return strings.HasPrefix(k, service+" ") })
	default:
		k := service + " " + text
		if c.seen[k] {
			c.again[c.state+" "+operation]++
		}
		c.seen[k] = true
	}
}

func reads(operation string) bool {
	_, own, vendors := strings.Cut(operation, ".")
	if !vendors {
		own = operation
	}
	return slices.ContainsFunc([]string{"describe", "get", "list", "read", "find"},
		func(verb string) bool { return strings.HasPrefix(strings.ToLower(own), verb) })
}

// By returns the numbers of requests by service and operation.
func (c *Calls) By() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.by)
}

// Again returns, by the state that called the function and the operation, how many reads were the same as one that the
// same call had made before, with nothing changed at that service in between.
func (c *Calls) Again() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.again)
}
