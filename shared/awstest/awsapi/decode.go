package awsapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

var unknownField = regexp.MustCompile(`unknown field "([^"]*)"`)

func decodeStrict(c *Call, body []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, err := d.Token(); !errors.Is(err, io.EOF) {
			return Errorf("SerializationException", "the request has text after its JSON value")
		}
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok { // from a parameter that decodes itself
		return e
	}
	if m := unknownField.FindStringSubmatch(err.Error()); m != nil {
		return NotImplementedParameter(c, m[1])
	}
	return Errorf("SerializationException", "the request is not valid: %v", err)
}

// Params reads the parameters of a Query request and remembers which were read, so that one that nobody reads can be
// refused instead of ignored.
type Params struct {
	call *Call
	read map[string]bool
}

// Params returns a reader of the call's parameters. Call Done before acting.
func (c *Call) Params() *Params { return &Params{call: c, read: map[string]bool{}} }

// String is the value of a parameter, e.g. "Actions.member.1.Type"; "" if absent.
func (p *Params) String(name string) string {
	p.read[name] = true
	return p.call.Form.Get(name)
}

// Has reports whether a parameter was sent.
func (p *Params) Has(name string) bool {
	p.read[name] = true
	return p.call.Form.Has(name)
}

// Bool is a boolean parameter; nil if absent.
func (p *Params) Bool(name string) *bool {
	if !p.Has(name) {
		return nil
	}
	b := strings.EqualFold(p.String(name), "true")
	return &b
}

// Int is an integer parameter; nil if absent or not a number.
func (p *Params) Int(name string) *int64 {
	n, err := strconv.ParseInt(p.String(name), 10, 64)
	if err != nil {
		return nil
	}
	return &n
}

// List is the values of prefix.member.1, prefix.member.2, …
func (p *Params) List(prefix string) []string {
	var out []string
	for _, m := range p.Members(prefix) {
		out = append(out, p.String(m))
	}
	return out
}

// Members is the member prefixes ("Actions.member.1", …) present below prefix, in numeric order.
func (p *Params) Members(prefix string) []string {
	seen := map[int]bool{}
	for k := range p.call.Form {
		rest, ok := strings.CutPrefix(k, prefix+".member.")
		if !ok {
			continue
		}
		n, _, _ := strings.Cut(rest, ".")
		if i, err := strconv.Atoi(n); err == nil {
			seen[i] = true
		}
	}
	nums := make([]int, 0, len(seen))
	for i := range seen {
		nums = append(nums, i)
	}
	sort.Ints(nums)
	out := make([]string, 0, len(nums))
	for _, i := range nums {
		out = append(out, prefix+".member."+strconv.Itoa(i))
	}
	return out
}

// Done refuses the request if it has a parameter that nobody read. Empty lists, which the SDKs send as "Name=", pass.
func (p *Params) Done() error {
	var left []string
	for k, v := range p.call.Form {
		if !p.read[k] && !(len(v) == 1 && v[0] == "") {
			left = append(left, k)
		}
	}
	if len(left) == 0 {
		return nil
	}
	sort.Strings(left)
	return NotImplementedParameter(p.call, strings.Join(left, ", "))
}
