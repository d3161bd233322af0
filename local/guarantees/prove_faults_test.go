package guarantees_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/shared/fault"
)

// faultAt makes the call that is about to be carried out go wrong.
func faultAt(said string, rule func(n int) fault.Rule) func(*telling, int, seen) string {
	return func(r *telling, n int, c seen) string {
		f := rule(n)
		f.Service, f.Operation = c.service, c.operation
		if f.Mode != fault.Refuse && strings.HasPrefix(c.operation, "Modify") {
			r.comesLate()
		}
		if f.Mode == fault.Drop && c.service == "idp" {
			return ""
		}
		if f.Mode == fault.Delay {
			r.asksLate(c)
		}
		r.fault(f)
		return said
	}
}

// ofSteps are the states whose failure leads back.
var ofSteps = append(slices.Sorted(maps.Values(caught)), "TestCanaries")

const lateUntilGivenUp = "changes come late until the step is given up"

var aStepFails = &kind{name: "a function that fails", weight: 8, any: true, states: ofSteps,
	do: func(r *telling, _ int, _ seen) string {
		r.mu.Lock()
		state := r.state
		r.mu.Unlock()
		r.failing(state)
		return "the function of " + state + " fails for good"
	}}

// faults are what happens to calls.
var faults = []*kind{
	{name: "an error before the effect", weight: 12, atCall: true,
		do: faultAt("the call fails before its effect", func(int) fault.Rule {
			return fault.Rule{Mode: fault.Refuse, Times: 1}
		})},
	{name: "a lost reply", weight: 12, atCall: true,
		do: faultAt("the reply is lost", func(int) fault.Rule { return fault.Rule{Mode: fault.Lose, Times: 1} })},
	{name: "lost replies in a row", weight: 6, atCall: true, ends: []string{"Refused", "NotStarted"},
		do: faultAt("this reply and the next two are lost", func(int) fault.Rule {
			return fault.Rule{Mode: fault.Lose, Times: 3}
		})},
	{name: "a late call", weight: 12, atCall: true,
		do: faultAt("the call comes late", func(n int) fault.Rule {
			return fault.Rule{Mode: fault.Delay, Times: 1, Latency: min(lateBy, time.Duration(1+n%90)*time.Second)}
		})},
	{name: "the reply to a new secret is lost", weight: 14, atCall: true, asking: true,
		states: []string{"CreateSecret", "CreateReplacement"}, do: faultAt("the reply is lost", func(int) fault.Rule {
			return fault.Rule{Mode: fault.Lose, Times: 1}
		})},
	{name: lateUntilGivenUp, weight: 12, ends: []string{"RolledBack"},
		states: []string{"SetSecret", "ReassertSecret"}, do: func(r *telling, _ int, _ seen) string {
			r.changesComeLate(again)
			return "changes of rules come as late as they can until the step is given up"
		}},
	{name: "a connection that is dropped", weight: 6, atCall: true,
		do: faultAt("its connection is dropped, and it is carried out", func(int) fault.Rule {
			return fault.Rule{Mode: fault.Drop, Times: 1}
		})},
	{name: "a refusal for good", weight: 4, atCall: true, any: true,
		do: faultAt("the call is refused for lack of a right", func(int) fault.Rule {
			return fault.Rule{Mode: fault.Refuse, Times: 1, Status: 403, Code: "AccessDeniedException"}
		})},
	aStepFails,
	{name: "throttling", weight: 6, atCall: true, do: throttle},
	{name: "an outage of the provider", weight: 4, atCall: true,
		do: func(r *telling, n int, _ seen) string {
			return r.down(time.Duration(5+n%40) * time.Second)
		}},
	{name: "a long outage of the provider", weight: 3, ends: []string{"RolledBack", "Refused", "Unavailable"},
		do: func(r *telling, n int, _ seen) string { return r.down(time.Duration(2+n%240) * time.Minute) }},
	{name: "right secrets are refused", weight: 6,
		do: func(r *telling, n int, _ seen) string {
			d := time.Duration(1+n%40) * time.Second
			r.Stack.IdP.Store().RefuseUntil(r.clock.Now().Add(d), "")
			return fmt.Sprintf("the token endpoint refuses right secrets for %s", d)
		}},
	{name: "right secrets are refused for long", weight: 3, ends: []string{"RolledBack", "Refused", "Unavailable"},
		do: func(r *telling, n int, _ seen) string {
			d := time.Duration(2+n%120) * time.Minute
			r.Stack.IdP.Store().RefuseUntil(r.clock.Now().Add(d), "")
			r.mend(func() { r.pass(d) })
			return fmt.Sprintf("the token endpoint refuses right secrets for %s", d)
		}},
	{name: "one right secret is refused", weight: 4, ends: []string{"RolledBack", "Refused"},
		do: func(r *telling, n int, _ seen) string {
			d := time.Duration(1+n%40) * time.Second
			r.Stack.IdP.Store().RefuseUntil(r.clock.Now().Add(d), r.current())
			return fmt.Sprintf("the token endpoint refuses the secret that is AWSCURRENT for %s", d)
		}},
}

// changesComeLate delays the next changes of rules for as long as that is possible.
func (r *telling) changesComeLate(times int) {
	r.comesLate()
	r.fault(fault.Rule{Service: "elasticloadbalancing", Operation: "ModifyRule", Mode: fault.Delay, Latency: lateBy,
		Times: times})
}

// fault lets calls go wrong. Two delays of one call would add up to more than the waits take into account, so a further
// one takes the place of the earlier.
func (r *telling) fault(f fault.Rule) {
	id, err := r.Stack.Faults.Add(f)
	if err != nil {
		r.rec.Fatal(err)
	}
	if f.Mode != fault.Delay {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	of := f.Service + ":" + f.Operation
	r.Stack.Faults.Remove(r.delays[of])
	r.delays[of] = id
}

// comesLate notes that a change of a rule comes late, or again. It may put back the weights from before, and what other
// hands write to rules could come late in its place.
func (r *telling) comesLate() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late, r.weights = true, -1
}

// asksLate notes that a request comes late, if it changes something at the identity provider.
func (r *telling) asksLate(c seen) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c.asks() {
		r.askedUntil = r.clock.Now().Add(lateBy)
	}
}

func (r *telling) isLate() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.late
}

// throttled are the services' own words for too many requests.
var throttled = map[string]fault.Rule{"lambda": {Status: 429, Code: "TooManyRequestsException"}, "idp": {Status: 429},
	"elasticloadbalancing": {Status: 400, Code: "Throttling"}, "cognito-idp": {Status: 400,
		Code: "TooManyRequestsException"}}

func throttle(r *telling, n int, c seen) string {
	f, known := throttled[c.service]
	if !known {
		f = fault.Rule{Status: 400, Code: "ThrottlingException"}
	}
	f.Service, f.Operation, f.Mode = c.service, c.operation, fault.Refuse
	d := time.Duration(1+n%20) * time.Second
	r.faultFor(f, d)
	return fmt.Sprintf("the operation is throttled for %s", d)
}

// down lets the identity provider answer nothing but errors.
func (r *telling) down(d time.Duration) string {
	service := "idp"
	if r.life.way.vendor == "cognito" {
		r.faultFor(fault.Rule{Service: "cognito-idp", Operation: "*", Mode: fault.Refuse, Status: 500,
			Code: "InternalErrorException"}, d)
	}
	r.faultFor(fault.Rule{Service: service, Operation: "*", Mode: fault.Refuse, Status: 503}, d)
	return fmt.Sprintf("the identity provider is down for %s", d)
}

// faultFor keeps a fault in force for a while.
func (r *telling) faultFor(f fault.Rule, d time.Duration) {
	id, err := r.Stack.Faults.Add(f)
	if err != nil {
		r.rec.Fatal(err)
	}
	r.after(d, func(bool) { r.Stack.Faults.Remove(id) })
}

const removedAndRedriven = "a stop, the new secret is removed, and a redrive"

// executions are stops, redrives and further executions.
var executions = []*kind{
	{name: "a stop", weight: 12, ends: []string{"ABORTED"},
		do: func(r *telling, _ int, _ seen) string { return r.stopMain(0) }},
	{name: "a stop and a redrive", weight: 14,
		do: func(r *telling, n int, _ seen) string {
			after := []time.Duration{time.Second, 10 * time.Minute, 3 * time.Hour, 3 * 24 * time.Hour}
			return r.stopMain(after[n%len(after)])
		}},
	{name: removedAndRedriven, weight: 30, any: true, fits: named,
		states: []string{"SetSecret"}, do: func(r *telling, _ int, c seen) string {
			// no target is set any more
			r.fault(fault.Rule{Service: c.service, Operation: c.operation, Mode: fault.Refuse, Times: 1})
			said := r.stopMain(3 * 24 * time.Hour)
			r.mu.Lock()
			defer r.mu.Unlock()
			r.meanwhile = func() {
				id, live := r.Stack.IdP.Store().Match(r.ClientID, r.pending(), r.clock.Now())
				if live && !r.served(r.pending()) { // followers have what was AWSCURRENT
					r.removeSecret(id)
					r.tell("somebody removes the new secret, which no target has, at the identity provider")
				}
			}
			return said
		}},
	{name: "a stop while a change is under way", weight: 12, ends: []string{"ABORTED"}, most: []string{"SetSecret"},
		states: []string{"SetSecret", "ReassertSecret", "RestoreTargets"}, do: func(r *telling, n int, _ seen) string {
			r.changesComeLate(1)
			return "a change of a rule comes as late as it can, and the execution is stopped after " + r.stopSoon(n)
		}},
	{name: "a stop while a secret is made", weight: 8, ends: []string{"ABORTED"}, atCall: true, asking: true,
		states: []string{"CreateSecret", "CreateReplacement"}, do: func(r *telling, n int, c seen) string {
			r.fault(fault.Rule{Service: c.service, Operation: c.operation, Mode: fault.Delay, Latency: lateBy,
				Times: 1})
			r.asksLate(c)
			return "the secret is made as late as can be, and the execution is stopped after " + r.stopSoon(n)
		}},
	{name: "an emergency meanwhile", weight: 8, ends: []string{"ABORTED", "LockLost", "LockHeld"},
		do: func(r *telling, _ int, _ seen) string { return r.startOther(emergency) }},
	{name: "another rotation meanwhile", weight: 16, states: []string{"Plan", "CreateSecret", "SetSecret",
		"AwaitSpread",
		"TestSecret", "GracePeriod", "ReassertSecret", "TestBeforeFinish", "DisableOldSecret"},
		do: func(r *telling, _ int, _ seen) string { return r.startOther(plain) }},
	{name: "an earlier execution is redriven", weight: 24, later: true, do: redriveEarlier},
	{name: "a measurement meanwhile", weight: 1,
		do: func(r *telling, _ int, _ seen) string { return r.startOther(measure) }},
}

// stopSoon stops the execution some seconds later, and returns how many.
func (r *telling) stopSoon(n int) string {
	in := time.Duration(2+n%20) * time.Second
	r.after(in, func(ended bool) {
		r.other.Add(1)
		defer r.other.Add(-1)
		if !ended {
			r.stopMain(0)
		}
	})
	return in.String()
}

func (r *telling) stopMain(redriveIn time.Duration) string {
	execution := r.execution(r.main)
	out, err := r.sfn().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &execution})
	if err != nil || out.Status != "RUNNING" {
		return ""
	}
	r.stop(execution)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.redriveIn = redriveIn
	if redriveIn > 0 {
		return fmt.Sprintf("the execution is stopped, to be redriven after %s", redriveIn)
	}
	return "the execution is stopped"
}

// redriveEarlier brings an execution back to life that has lost its lock, or is about to.
func redriveEarlier(r *telling, n int, _ seen) string {
	r.mu.Lock()
	earlier := slices.DeleteFunc(slices.Clone(r.executions), func(x string) bool {
		return strings.HasSuffix(x, ":"+r.main)
	})
	alone := r.alone
	r.mu.Unlock()
	if len(earlier) == 0 || alone {
		return ""
	}
	x := earlier[len(earlier)-1-n%len(earlier)]
	if _, err := r.sfn().RedriveExecution(context.Background(),
		&sfn.RedriveExecutionInput{ExecutionArn: &x}); err != nil {
		return "" // it runs, or has succeeded
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.redriven = append(r.redriven, x)
	return nameOf(x) + " is redriven"
}

func (r *telling) startOther(input string) string {
	if input == emergency && !r.accepts(r.current()) && len(r.world.dead) > 0 {
		return "" // people repair that first
	}
	r.mu.Lock()
	if r.alone || r.main == "" {
		r.mu.Unlock()
		return ""
	}
	r.names++
	name := fmt.Sprintf("life-%d-%d", r.life.seed, r.names)
	r.mu.Unlock()
	execution := r.startNamedAs(name, input)
	r.mu.Lock()
	defer r.mu.Unlock()
	if input != measure {
		r.others = append(r.others, execution)
	}
	return name + " starts with " + input
}
