package guarantees_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/fault"
)

// A token endpoint may take seconds for each answer, and a call asks several times: it must come to its end in its
// time, or go on in the next. The probe waits ten seconds for an answer.
func TestASlowTokenEndpointEndsNoRotation(t *testing.T) {
	t.Parallel()
	const each = 9 * time.Second
	for _, y := range append(ways(), okta) {
		for _, c := range []struct {
			input, fails, ends string
		}{
			{input: plain}, {input: emergency}, {input: plain, fails: "TestBeforeFinish", ends: "RolledBack"},
			{input: repair},
		} {
			y := y
			y.dead = c.input == repair
			t.Run(fmt.Sprintf("%s, %s a request, %s, ends as %q", y.name, each, c.input, c.ends), func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(w *world) {
					if c.fails != "" {
						w.failing(c.fails)
					}
				})
				w.fault(fault.Rule{Service: "idp", Operation: "token", Mode: fault.Delay, Latency: each})
				if r, execution := w.rotate(c.input); text(r.Error) != c.ends {
					t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
				}
				w.Stack.Faults.Clear()
				if w.pass(2 * time.Hour); y.dead {
					w.tidy()
				}
				w.atRest()
			})
		}
	}
}

// Where only the token endpoint tells which secrets there are, a removal whose answer is lost is made once more.
func TestALostRemovalAtASlowTokenEndpointIsRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ vendor, removal, fails, state, ends string }{
		{"hydra", "hydra.patchClient", "", "FinishSecret", ""},
		{"hydra", "hydra.patchClient", "TestBeforeFinish", "RemoveNewSecret", "RolledBack"},
		{"auth0", "auth0.updateClient", "", "FinishSecret", ""}, // a pair
		{"auth0", "auth0.updateClient", "TestBeforeFinish", "RemoveNewSecret", "RolledBack"},
	} {
		for name, lost := range map[string]fault.Rule{
			"after its effect":                            {Mode: fault.Lose},
			"before its effect":                           {Mode: fault.Refuse, Status: 503, Code: "down"},
			"three times, after the function was cut off": {Mode: fault.Delay, Latency: lateBy, Times: 3},
		} {
			t.Run(fmt.Sprintf("%s at %s, %s", c.state, c.vendor, name), func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, c.vendor, usual(), quick)
				if c.fails != "" {
					w.failing(c.fails)
				}
				w.fault(fault.Rule{Service: "idp", Operation: "token", Mode: fault.Delay, Latency: 9 * time.Second})
				lost.Service, lost.Operation, lost.Times = "idp", c.removal, max(1, lost.Times)
				w.when(c.state, func(string) { w.fault(lost) })
				if r, execution := w.rotate(plain); text(r.Error) != c.ends {
					t.Errorf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
				}
				w.Stack.Faults.Clear()
				w.pass(2 * time.Hour)
				w.atRest()
			})
		}
	}
}
