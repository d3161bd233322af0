package guarantees_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	local "alboidc.internal/local/lambda"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/idp/lambda/lambdatest"
	"alboidc.internal/shared/secret"
)

// functionWays are what else than the imitation's default a function can say of its provider (type lambda), each as a
// client is rotated then.
func functionWays() []way {
	slots := lambda.Capabilities{Model: idp.CurrentPrevious, TakesValue: true, ShowsValues: true, TellsEnd: true}
	single := lambda.Capabilities{Model: idp.SingleSlot, TakesValue: true}
	ways := []way{
		{name: "values of its making", can: lambda.Capabilities{Model: idp.NamedSet, KeepsToken: true}},
		{name: "no tokens", can: lambda.Capabilities{Model: idp.NamedSet, MaxSecrets: 3, TakesValue: true,
			ActivationSeconds: 30}},
		{name: "two slots", can: slots},
		{name: "hidden slots", can: lambda.Capabilities{Model: idp.CurrentPrevious, TakesValue: true}},
		{name: "as a pair", can: single, configure: paired},
		{name: "in place", can: single, configure: interruptible, interrupts: true},
	}
	for i := range ways {
		if ways[i].name, ways[i].vendor = "lambda, "+ways[i].name, "lambda"; ways[i].configure == nil {
			ways[i].configure = quick
		}
	}
	return ways
}

// functionSays configures a client of a function with these capabilities, unless they are zero.
func functionSays(can lambda.Capabilities) func(*config.Client) {
	return func(c *config.Client) {
		if can.Model == "" {
			return
		}
		settings, err := json.Marshal(lambdatest.Of(can).Settings("", "", ""))
		if err != nil {
			panic(err) // it is made of what can be marshalled
		}
		c.IdentityProvider.Settings = settings
	}
}

// become gives the function these capabilities, unless they are zero, and the client a second registration, which a
// pair has.
func (w *world) become(can lambda.Capabilities) {
	w.t.Helper()
	if can.Model == "" {
		return
	}
	w.Stack.IdP.Vendor().(*lambdatest.Lambda).Become(can)
	first, err := w.Stack.IdP.Store().Client(w.ClientID)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, _, err := w.Stack.IdP.RegisterClient(clients.Client{ID: "orders-web-second",
		RedirectURIs: first.RedirectURIs}, "that-of-the-second-which-nobody-knows-012345"); err != nil {
		w.t.Fatal(err)
	}
}

// tamper lets f change what the function answers to an operation, after it has carried that out.
func (w *world) tamper(f func(operation string, answer []byte) ([]byte, *local.FunctionError)) {
	vendor := w.Stack.IdP.Vendor().(*lambdatest.Lambda)
	w.Stack.Lambda.RegisterInProcess(lambdatest.FunctionName, lambdatest.Timeout,
		func(_ context.Context, payload []byte) ([]byte, *local.FunctionError) {
			var r lambda.Request
			_ = json.Unmarshal(payload, &r) // a request of the adapter's
			return f(r.Operation, vendor.Function(payload))
		}, lambdatest.Alias)
}

// honest ends a tamper.
func (w *world) honest() {
	w.tamper(func(_ string, answer []byte) ([]byte, *local.FunctionError) { return answer, nil })
}

// makes is the operation by which a way's function makes a secret.
func (y way) makes() string { return lambda.NewChange(y.can, secret.Value{}).Operation }

// The function itself is away for a while, throttled or killed, or what it answered is lost: the same rotation survives
// that. If it stays away, the rotation goes back, or stops, and the next one goes on.
func TestAnOutageOfTheFunctionLosesNothing(t *testing.T) {
	t.Parallel()
	function := fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"contract":1`}
	with := func(change func(*fault.Rule)) fault.Rule {
		r := function
		change(&r)
		return r
	}
	for name, c := range map[string]struct {
		from    string // "" is the beginning
		rule    fault.Rule
		one     bool // request: the one that makes the secret
		forGood bool
	}{
		"a lost reply of what makes the secret": {rule: with(func(r *fault.Rule) { r.Mode, r.Times = fault.Lose, 1 }),
			one: true},
		"throttled at what makes the secret": {rule: with(func(r *fault.Rule) {
			r.Mode, r.Times, r.Status, r.Code = fault.Refuse, 2, 429, "TooManyRequestsException"
		}), one: true},
		"cut off while it makes the secret": {rule: with(func(r *fault.Rule) {
			r.Mode, r.Times, r.Latency = fault.Delay, 1, lateBy
		}), one: true},
		"an outage in the grace period": {from: "AwaitReassertSpread", rule: with(func(r *fault.Rule) {
			r.Mode, r.Times, r.Status, r.Code = fault.Refuse, 6, 503, "ServiceException"
		})},
		"gone before the secret is made": {from: "CreateSecret",
			rule:    with(func(r *fault.Rule) { r.Mode = fault.Drop }),
			forGood: true},
		"gone after the switch": {from: "TestSecret", rule: with(func(r *fault.Rule) {
			r.Mode, r.Status, r.Code = fault.Refuse, 404, "ResourceNotFoundException"
		}), forGood: true},
	} {
		for _, y := range functionWays() {
			t.Run(name+"/"+y.name, func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(*world) {})
				if c.one {
					c.rule.Match = `"operation":"` + y.makes() + `"`
				}
				if c.from == "" {
					w.fault(c.rule)
				} else {
					w.before(c.from, func() { w.fault(c.rule) })
				}
				r, execution := w.rotate(plain)
				if (r.Status == asl.Succeeded) == c.forGood {
					t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				if list := w.Stack.Faults.List(); strings.Contains(string(list), `"seen":0`) {
					t.Errorf("nothing went wrong: %s", list)
				}
				w.Stack.Faults.Clear()
				w.converge()
				w.pass(2 * time.Hour)
				w.atRest()
			})
		}
	}
}

// A function that answers what breaks the contract, for as long as it does: nothing is lost, people read which field is
// wrong, and no value shows.
func TestAFunctionThatBreaksTheContractLosesNothing(t *testing.T) {
	t.Parallel()
	const shown = "Q1wE3rT5shownX7yZ9" // what must not show
	answer := func(text string) func([]byte) ([]byte, *local.FunctionError) {
		return func([]byte) ([]byte, *local.FunctionError) { return []byte(`{"contract": 1, ` + text + `}`), nil }
	}
	threw := func(kind string) func([]byte) ([]byte, *local.FunctionError) {
		return func([]byte) ([]byte, *local.FunctionError) {
			return nil, &local.FunctionError{Type: kind, Message: "KeyError: " + shown}
		}
	}
	padded := func(is []byte) ([]byte, *local.FunctionError) { // the line break of what was read
		var a map[string]any
		_ = json.Unmarshal(is, &a)
		if s, ok := a["secret"].(map[string]any); ok && s["value"] != nil {
			s["value"] = fmt.Sprint(s["value"]) + "\n"
		}
		out, _ := json.Marshal(a)
		return out, nil
	}
	ways := map[string]way{}
	for _, y := range functionWays() {
		ways[strings.TrimPrefix(y.name, "lambda, ")] = y
	}
	for name, c := range map[string]struct {
		way, operation string
		answers        func([]byte) ([]byte, *local.FunctionError)
		ends, says     string
	}{
		"a line break": {"values of its making", "create", padded, "RolledBack",
			"secret.value must be the secret as"},
		"a line break, in slots": {"two slots", "create", padded, "RolledBack", "secret.value must be the secret as"},
		"a line break, hidden": {"hidden slots", "create", padded, "RolledBack",
			"secret.value must be the secret as"},
		"nothing": {"hidden slots", "create", answer(`"secret": null`), "RolledBack",
			"secret must be an"},
		"another type": {"two slots", "create", answer(`"secret": ["` + shown + `"]`), "RolledBack",
			"secret must be an object"},
		// the list tells that the value that was sent is there
		"another type, of a value that it took": {"no tokens", "create", answer(`"secret": ["` + shown + `"]`), "", ""},
		"a huge value": {"values of its making", "create",
			answer(`"secret": {"id": "a", "value": "` + strings.Repeat(shown, 50000) + `"}`), "RolledBack",
			"secret.value must be no longer than 65536 bytes"},
		"an exception":  {"as a pair", "set", threw("KeyError"), "RolledBack", "an error of its code"},
		"out of memory": {"two slots", "create", threw("Runtime.OutOfMemory"), "RolledBack", "not enough memory"},
		"no list":       {"no tokens", "list", answer(`"secrets": null`), "Refused", "secrets must be a list"},
		"twice the same": {"values of its making",
			"list", answer(`"secrets": [{"id": "` + shown + `", "status": "active"},
			{"id": "` + shown + `", "status": "active"}]`), "Refused", "secrets[1].id must be another than"},
		"an absurd time": {"two slots", "list", answer(`"secrets": [{"id": "current", "value": "` + shown +
			`", "until": "12026-01-01T00:00:00Z"}]`), "Refused", "secrets.until must be a time"},
		"a negative limit": {"as a pair", "list", answer(`"secrets": [], "registration": {"graceSeconds": -9}`),
			"Refused", "registration.graceSeconds must be 0 or more"},
		"other capabilities": {"hidden slots", "capabilities", answer(`"capabilities": {"model": "single-slot",
			"takesValue": true, "keepsToken": true}`), "Refused", "capabilities.keepsToken must be left out for single-slot"},
		"done, and nothing else": {"no tokens", "remove", answer(`"removed": 1`), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := ways[c.way].world(t, func(*world) {})
			w.tamper(func(operation string, is []byte) ([]byte, *local.FunctionError) {
				if operation == c.operation {
					return c.answers(is)
				}
				return is, nil
			})
			r, execution := w.rotate(plain)
			if text(r.Error) != c.ends || !strings.Contains(text(r.Cause), c.says) {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			for what, trace := range w.traces([]string{execution}) {
				if strings.Contains(trace, shown) {
					t.Errorf("what the function answered shows in the %s", what)
				}
			}
			if c.says != "" && !w.people(c.says) {
				t.Errorf("people read %q", w.mails())
			}
			w.honest()
			w.converge()
			w.atRest()
		})
	}
}
