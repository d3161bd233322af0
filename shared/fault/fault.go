// Package fault makes the local stack misbehave on request: latency, throttling, errors before an effect, and replies
// that get lost after it. Every API of the stack asks the same Injector.
package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Mode says what goes wrong.
type Mode string

const (
	// Refuse answers with an error before the request has had any effect.
	Refuse Mode = "refuse"
	// Lose carries the request out and then drops the connection without an answer.
	Lose Mode = "lose"
	// Delay waits for Rule.Latency, then goes on as usual.
	Delay Mode = "delay"
	// Drop drops the connection at once and carries the request out all the same: what it calls may come late.
	Drop Mode = "drop"
)

// Canary is in every body that answers a request under a fault: none of it may get into an error or a log.
const Canary = "canary-in-a-response-body"

// Text is the message of a refusal.
const Text = "refused by a fault of the local stack (" + Canary + ")"

// Rule is one fault. It applies to requests of Service whose operation is Operation and whose text contains Match.
type Rule struct {
	// Service is "idp" for the identity provider, else the AWS signing name (secretsmanager, elasticloadbalancing,
	// states, lambda, …).
	Service string `json:"service"`
	// Operation is the API operation, e.g. ModifyRule; "*" is every one. The identity provider's are
	// token, authorize, login, and <vendor>.<operation>, e.g. okta.createSecret.
	Operation string `json:"operation"`
	// Match, if not empty, must occur in the request's text (path and body), e.g. an ARN.
	Match string `json:"match,omitempty"`
	// Skip lets that many matching requests through first.
	Skip int `json:"skip,omitempty"`
	// Times is how many requests it then hits; 0 is every one.
	Times int `json:"times,omitempty"`

	Mode Mode `json:"mode"`
	// Status and Code are the answer of Refuse: an HTTP status and the service's own error code.
	// 0 and "" are 500 and InternalFailure.
	Status  int           `json:"status,omitempty"`
	Code    string        `json:"code,omitempty"`
	Latency time.Duration `json:"latencyNanos,omitempty"`
}

// Outcome is what the injector decided for one request. The zero value is: nothing goes wrong.
type Outcome struct {
	Delay  time.Duration
	Refuse bool
	Status int
	Code   string
	Lose   bool
	Drop   bool
}

// Injector holds the faults in force. The zero value has none; a nil *Injector is valid and has none.
type Injector struct {
	mu      sync.Mutex
	nextID  int
	rules   []*active
	known   map[string][]string // operations, by service
	observe []func(service, operation, text string)
	limit   func(service, operation string) Outcome
}

type active struct {
	Rule
	id   int
	seen int
}

// Know tells which operations a service has: a rule for another one could never hit anything, and is refused.
func (i *Injector) Know(service string, operations ...string) {
	if i == nil {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.known == nil {
		i.known = map[string][]string{}
	}
	i.known[service] = append(i.known[service], operations...)
}

// Add puts a fault in force and returns its number, for Remove. A rule that could never do what it says is refused.
func (i *Injector) Add(r Rule) (int, error) {
	if err := r.check(); err != nil {
		return 0, err
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if known := slices.Sorted(slices.Values(i.known[r.Service])); len(known) > 0 && r.Operation != "*" &&
		!slices.Contains(known, r.Operation) {
		return 0, fmt.Errorf("fault: operation %q of %s is not one of %s", r.Operation, r.Service,
			strings.Join(slices.Compact(known), ", "))
	}
	i.nextID++
	i.rules = append(i.rules, &active{Rule: r, id: i.nextID})
	return i.nextID, nil
}

func (r Rule) check() error {
	switch {
	case r.Service == "" || r.Operation == "":
		return errors.New("fault: service and operation must be given (operation \"*\" is every one)")
	case r.Skip < 0 || r.Times < 0:
		return errors.New("fault: skip and times must not be negative")
	case !slices.Contains([]Mode{Refuse, Lose, Delay, Drop}, r.Mode):
		return fmt.Errorf("fault: mode %q is not one of refuse, lose, delay, drop", r.Mode)
	case r.Mode == Drop && r.Service == "idp":
		return errors.New("fault: mode drop is for the services of AWS, not for the identity provider")
	case r.Mode == Delay && r.Latency <= 0:
		return errors.New("fault: mode delay needs latencyNanos > 0")
	case r.Mode != Delay && r.Latency != 0:
		return fmt.Errorf("fault: latencyNanos is for mode delay, not %s", r.Mode)
	case r.Mode != Refuse && (r.Status != 0 || r.Code != ""):
		return fmt.Errorf("fault: status and code are for mode refuse, not %s", r.Mode)
	case r.Status != 0 && (r.Status < 400 || r.Status > 599):
		return fmt.Errorf("fault: status %d is not an HTTP error (400 to 599)", r.Status)
	}
	return nil
}

// Remove ends a fault; it reports whether there was one of that number.
func (i *Injector) Remove(id int) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	for n, r := range i.rules {
		if r.id == id {
			i.rules = append(i.rules[:n], i.rules[n+1:]...)
			return true
		}
	}
	return false
}

// Clear ends every fault.
func (i *Injector) Clear() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.rules = nil
}

// Observe registers f to be called with every request before it is carried out; tests count the calls of a rotation
// with it. A rule that f adds applies to that request already.
func (i *Injector) Observe(f func(service, operation, text string)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.observe = append(i.observe, f)
}

// Limit makes f refuse requests that no rule is about, as a service does that gets too many: the zero Outcome lets one
// through. f must not use the Injector.
func (i *Injector) Limit(f func(service, operation string) Outcome) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.limit = f
}

// Decide says what is to go wrong with one request. Every API calls it once per request, before any effect.
func (i *Injector) Decide(service, operation, text string) Outcome {
	var out Outcome
	if i == nil {
		return out
	}
	i.mu.Lock()
	watchers := i.observe
	i.mu.Unlock()
	for _, f := range watchers {
		f(service, operation, text)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, r := range i.rules {
		if r.Service != service || (r.Operation != "*" && r.Operation != operation) ||
			!strings.Contains(text, r.Match) {
			continue
		}
		r.seen++
		if r.seen <= r.Skip || (r.Times > 0 && r.seen > r.Skip+r.Times) {
			continue
		}
		switch r.Mode {
		case Delay:
			out.Delay += r.Latency
		case Lose:
			out.Lose = true
		case Drop:
			out.Drop = true
		case Refuse:
			out.Refuse, out.Status, out.Code = true, r.Status, r.Code
			if out.Status == 0 {
				out.Status = 500
			}
			if out.Code == "" {
				out.Code = "InternalFailure"
			}
		}
	}
	if i.limit != nil && out == (Outcome{Delay: out.Delay}) {
		delay := out.Delay
		out = i.limit(service, operation)
		out.Delay += delay
	}
	return out
}

// List returns the faults in force as JSON, for people.
func (i *Injector) List() json.RawMessage {
	i.mu.Lock()
	defer i.mu.Unlock()
	type row struct {
		ID   int `json:"id"`
		Seen int `json:"seen"`
		Rule
	}
	rows := make([]row, 0, len(i.rules))
	for _, r := range i.rules {
		rows = append(rows, row{ID: r.id, Seen: r.seen, Rule: r.Rule})
	}
	b, _ := json.Marshal(rows)
	return b
}
