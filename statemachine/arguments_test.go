package statemachine_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// purposes are what is lost where an argument of a function is another, or missing.
var purposes = map[string]string{
	"call":   "the function does not know whose client it works for, or whether its execution has the lock",
	"state":  "logs, and people, do not learn which step it was",
	"action": "the function does something else than the step is for",
	"checks": "what is not tested there is found out by users, after the old secret is gone",
	"wait":   "a new secret that is not active yet fails the rotation, or one in use that is refused is waited for",
	"rehearse": "tests of the secret in use count as tests of a new one: a login that a rotation would mend " +
		"stops the rotation",
	"mustBeCurrent": "an AWSCURRENT that somebody moved back is overwritten on every target",
	"emergency":     "anybody who makes load balancers count errors holds up the end of a leaked secret",
	"targets": "targets that are known are neither searched for again nor changed, nor looked at " +
		"in the metric",
	"from": "the function takes the wrong secret for the old one",
	"to":   "the function takes the wrong secret for the new one",
	"canaries": "a rollback leaves out a target that has the secret which goes, or touches one that does not, or " +
		"canaries count as tested that were not",
	"round":              "what another round has set is not set again, though other hands were there",
	"proven":             "a secret is written long after it was last accepted",
	"undo":               "a step of a rollback works as one forward, and refuses what a rollback must pass over",
	"repair":             "a repair waits for, or goes back to, a dead secret",
	"unused":             "a repair that is given up waits for a dead secret to be accepted",
	"retire":             "the secret that is in use is taken away",
	"keep":               "the secret that stays is not proven before the other goes",
	"searched":           "targets that came since the search lose their logins",
	"import":             "a secret that the journal does not know is not taken over, or one that it knows is",
	"gracePeriodSeconds": "the old secret goes earlier, or later, than was asked for",
	"started":            "the same execution name used again finds the version that it made the first time",
	"request":            "an emergency, or a shorter grace period, is not heeded",
}

// asks is what a state asks of its function besides call and state, by argument, without {% %}.
type asks map[string]string

// both ways: forward from $from to $to, back from $to to $from.
func forward(a asks) asks { return a.with("from", "$from", "to", "$to") }
func back(a asks) asks    { return a.with("from", "$to", "to", "$from") }

func (a asks) with(pairs ...string) asks {
	out := maps.Clone(a)
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

// calls are what every state that calls a function asks of it.
var calls = map[string]struct {
	function string
	asks     asks
}{
	"Measure": {"plan", asks{"action": "measure"}},
	"Plan": {"plan", asks{"action": "decide", "started": "$states.context.Execution.StartTime",
		"request": "$request"}},
	"TestBeforeChange": {"smoketest", asks{"checks": "redirect login", "rehearse": "true", "targets": "$targets",
		"from": "$from", "to": "$from"}},
	"CreateSecret":    {"createsecret", forward(asks{"import": "$plan.import", "canaries": "$canaries"})},
	"VerifyNewSecret": {"smoketest", forward(asks{"checks": "credential", "wait": "true"})},
	"SetTargetSecret": {"updatealb", forward(asks{"round": entered, "targets": "$states.input",
		"proven": "$proven"})},
	"TestCanaries": {"smoketest", forward(asks{"checks": "credential redirect login", "canaries": "true",
		"targets": "$targets"})},
	"CreateReplacement": {"createsecret", forward(asks{"import": "$plan.import", "repair": "true"})},
	"VerifyReplacement": {"smoketest", forward(asks{"checks": "credential ended", "wait": "true",
		"targets": "$targets"})},
	"PromoteReplacement": {"promotesecret", forward(asks{"proven": "$proven", "repair": "true",
		"gracePeriodSeconds": "0"})},
	"RemoveReplacement": {"retiresecret", asks{"action": "delete", "retire": "$to", "keep": "$from",
		"unused": "true"}},
	"PromoteSecret": {"promotesecret", forward(asks{"proven": "$proven",
		"gracePeriodSeconds": "$gracePeriodSeconds"})},
	"TestSecret":           {"smoketest", forward(asks{"checks": "credential redirect login"})},
	"RediscoverTargets":    {"plan", forward(asks{"action": "discover", "targets": "$targets"})},
	"VerifyBeforeReassert": {"smoketest", forward(asks{"checks": "credential", "mustBeCurrent": "true"})},
	"ReassertTargetSecret": {"updatealb", forward(asks{"round": entered, "targets": "$states.input",
		"proven": "$proven"})},
	"TestBeforeFinish": {"smoketest", forward(asks{"checks": "credential redirect login metrics",
		"targets": "$targets", "emergency": "$emergency or $request.gracePeriodSeconds = 0"})},
	"DisableOldSecret": {"retiresecret", asks{"action": "disable", "retire": "$from", "keep": "$to",
		"searched": "$searched"}},
	"TestAfterDisable": {"smoketest", forward(asks{"checks": "credential refused redirect login"})},
	"FinishSecret": {"retiresecret", asks{"action": "delete", "retire": "$from", "keep": "$to",
		"searched": "$searched"}},
	"EnableOldSecret": {"retiresecret", asks{"action": "enable", "retire": "$from", "keep": "$to"}},
	"RestoreTargetSecret": {"updatealb", back(asks{"round": entered, "targets": "$states.input", "proven": "$proven",
		"undo": "true"})},
	"RestoreLabels": {"promotesecret", forward(asks{"proven": "$proven", "undo": "true",
		"gracePeriodSeconds": "0"})},
	"RediscoverToRestore": {"plan", forward(asks{"action": "discover", "undo": "true", "targets": "$targets"})},
	"ReassertTargetOldSecret": {"updatealb", back(asks{"round": entered, "targets": "$states.input",
		"proven": "$proven",
		"undo":   "true"})},
	"RemoveNewSecret": {"retiresecret", asks{"action": "delete", "retire": "$to", "keep": "$from",
		"searched": "$searched"}},
	"VerifyOldSecret":   {"smoketest", back(asks{"checks": "credential"})},
	"TestAfterRollback": {"smoketest", back(asks{"checks": "login"})},
}

// entered tells a round of targets from every other, also where a state is entered twice.
const entered = "$states.context.State.EnteredTime"

func TestEveryFunctionIsToldWhatItsStepIsFor(t *testing.T) {
	t.Parallel()
	seen := 0
	parse(t).tasks(func(name string, s state, _ bool) {
		if !strings.HasSuffix(s.Resource, ":lambda:invoke") {
			return
		}
		seen++
		arguments, _ := s.Arguments.(map[string]any)
		payload, _ := arguments["Payload"].(map[string]any)
		function, _ := arguments["FunctionName"].(string)
		if !strings.HasSuffix(function, ":"+calls[name].function+":live") {
			t.Errorf("%s calls %s, must call %s: its step is not done", name, function, calls[name].function)
		}
		want := calls[name].asks.with("call", "$call", "state", "$states.context.State.Name")
		for _, argument := range keys(want, payload) {
			if got := shown(payload[argument]); got != want[argument] {
				t.Errorf("%s: %s is %q, must be %q: else %s", name, argument, got, want[argument], purposes[argument])
			}
		}
	})
	if seen != len(calls) {
		t.Errorf("%d states call functions, %d are known: a step is missing", seen, len(calls))
	}
}

// keys are those of two maps, sorted.
func keys[A, B any](a map[string]A, b map[string]B) []string {
	all := slices.Concat(slices.Collect(maps.Keys(a)), slices.Collect(maps.Keys(b)))
	slices.Sort(all)
	return slices.Compact(all)
}

// shown is a value of the definition in short: an expression without {% %}, a list of words, a map by its keys.
func shown(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return strings.TrimSuffix(strings.TrimPrefix(v, "{% "), " %}")
	case []any:
		words := make([]string, len(v))
		for i, x := range v {
			words[i] = shown(x)
		}
		return strings.Join(words, " ")
	case map[string]any:
		var members []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			members = append(members, k+": "+shown(v[k]))
		}
		return "{" + strings.Join(members, ", ") + "}"
	default:
		return fmt.Sprint(v)
	}
}
