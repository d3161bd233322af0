package statemachine_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/statemachine"
)

// values fills the placeholders with values of the right form.
func values(t *testing.T) map[string]string {
	t.Helper()
	v := statemachine.Values{Partition: "aws", FunctionARNs: map[string]string{}, JournalTable: "journal",
		ParameterPrefix: "/alb-oidc-rotator/clients/", Clients: []statemachine.Chosen{
			{Name: "orders-web", Provider: "okta", Tenant: "example.okta.com"},
			{Name: "shop-web", Provider: "okta", Tenant: "example.okta.com"}, {Name: "hr", Provider: "entra",
				Tenant: "a b\""}},
		Rotations:            "arn:aws:states:eu-central-1:111122223333:execution:rotation:",
		FleetToStart:         "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation-fleet:live",
		NotificationTopicARN: "arn:aws:sns:eu-central-1:111122223333:rotations", EventBusName: "default",
		RotationAlias: "live", MachineToStart: "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation:live",
		ExecutionURL: statemachine.ExecutionURL("eu-central-1"), Runbook: statemachine.DefaultRunbook,
		Settle: statemachine.Settle(statemachine.Functions())}
	for _, f := range statemachine.Functions() {
		v.FunctionARNs[f.Name] = "arn:aws:lambda:eu-central-1:111122223333:function:" + f.Name + ":live"
	}
	return v.Substitutions()
}

func rendered(t *testing.T) string {
	t.Helper()
	s, err := statemachine.Render(statemachine.Definition, values(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTheDefinitionPassesThePublicValidators(t *testing.T) {
	t.Parallel()
	if got := problems(t, rendered(t)); len(got) > 0 {
		t.Errorf("%d problems:\n%s", len(got), strings.Join(got, "\n"))
	}
}

func TestTheOtherDefinitionsPassThemToo(t *testing.T) {
	t.Parallel()
	for _, definition := range []string{statemachine.Notifier, statemachine.Fleet} {
		checkOther(t, definition)
	}
}

func checkOther(t *testing.T, definition string) {
	t.Helper()
	s, err := statemachine.Render(definition, statemachine.Used(definition, values(t)))
	if err != nil {
		t.Fatal(err)
	}
	if got := problems(t, s); len(got) > 0 {
		t.Errorf("%d problems:\n%s", len(got), strings.Join(got, "\n"))
	}
	var m machine
	if err := json.Unmarshal([]byte(s), &m); err != nil {
		t.Fatal(err)
	}
	reached := map[string]bool{}
	assigned(m, m.StartAt, nil, func(name string, _ map[string]bool) { reached[name] = true })
	if len(reached) != len(m.States) {
		t.Errorf("only %v can be reached", reached)
	}
	m.tasks(func(name string, s state, _ bool) {
		if s.TimeoutSeconds == 0 || len(s.Retry) == 0 {
			t.Errorf("%s has no timeout or no retries", name)
		}
	})
}

// What is told otherwise must be an end of the rotation's state machine, or the error of an execution that lost its
// lock.
func TestOnlyEndsThatAreToldOtherwiseNeedNoAttention(t *testing.T) {
	t.Parallel()
	for _, name := range statemachine.ToldOtherwise() {
		if name != string(failure.LockLost) && parse(t).States[name].Type != "Fail" {
			t.Errorf("%s is no end of the state machine", name)
		}
	}
}

func TestValidatorsFindWhatIsWrong(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]string{
		"an expression that does not compile": strings.Replace(rendered(t), "{% $targets %}", "{% $targets[ %}", 1),
		"a Next that does not exist":          strings.Replace(rendered(t), `"Next": "Plan"`, `"Next": "Plam"`, 1),
		"a field that does not exist": strings.Replace(rendered(t), `"TimeoutSeconds": 30`,
			`"TimeoutSecond": 30`, 1),
	} {
		if len(problems(t, broken)) == 0 {
			t.Errorf("%s was not found", name)
		}
	}
}

// problems runs validate.mjs, whose packages `make` installs with npm ci.
func problems(t *testing.T, definition string) []string {
	t.Helper()
	if _, err := os.Stat("node_modules/asl-validator"); err != nil {
		t.Fatal("the validators are not installed: run `make deps` (npm ci in statemachine/)")
	}
	cmd := exec.Command("node", "validate.mjs")
	cmd.Stdin = strings.NewReader(definition)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("validate.mjs: %v\n%s", err, stderr.String())
	}
	var result struct{ Problems []string }
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	return result.Problems
}

// state is the part of a state that the checks below look at.
type state struct {
	Type           string
	Resource       string
	Next, Default  string
	TimeoutSeconds float64
	Arguments      any
	Items          any
	MaxConcurrency any
	Assign         map[string]any
	Output         any
	Seconds        any
	Timestamp      any
	Error, Cause   any
	Condition      any
	Choices        []struct {
		Condition any
		Assign    map[string]any
		Output    any
		Next      string
	}
	Retry         []retry
	Catch         []catch
	ItemProcessor *machine
}

type retry struct {
	ErrorEquals                                   []string
	IntervalSeconds, BackoffRate, MaxDelaySeconds float64
	MaxAttempts                                   int
	JitterStrategy                                string
}

type catch struct {
	ErrorEquals []string
	Assign      map[string]any
	Output      any
	Next        string
}

type machine struct {
	StartAt string
	States  map[string]state
}

func parse(t *testing.T) machine {
	t.Helper()
	return decode(t, rendered(t))
}

func decode(t *testing.T, definition string) machine {
	t.Helper()
	var m machine
	if err := json.Unmarshal([]byte(definition), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// all are the state machines, by name.
func all(t *testing.T) map[string]machine {
	t.Helper()
	out := map[string]machine{"rotation": parse(t)}
	for name, definition := range map[string]string{"notifier": statemachine.Notifier, "fleet": statemachine.Fleet} {
		s, err := statemachine.Render(definition, statemachine.Used(definition, values(t)))
		if err != nil {
			t.Fatal(err)
		}
		out[name] = decode(t, s)
	}
	return out
}

// all calls f for every state, those inside a Map too.
func (m machine) all(f func(name string, s state)) {
	for name, s := range m.States {
		f(name, s)
		if s.ItemProcessor != nil {
			s.ItemProcessor.all(f)
		}
	}
}

// tasks calls f for every Task, the ones inside a Map too. caught: it or its Map has a Catch of more than Superseded.
func (m machine) tasks(f func(name string, s state, caught bool)) {
	for name, s := range m.States {
		switch s.Type {
		case "Task":
			f(name, s, catchesMore(s))
		case "Map":
			for inner, is := range s.ItemProcessor.States {
				if is.Type == "Task" {
					f(inner, is, catchesMore(s) || catchesMore(is))
				}
			}
		}
	}
}

// catchesMore reports whether a state catches anything but Superseded, and Outdated, which leads back to an earlier
// state.
func catchesMore(s state) bool {
	return slices.ContainsFunc(s.Catch, func(c catch) bool {
		return !slices.Equal(c.ErrorEquals, superseded) && !slices.Equal(c.ErrorEquals, outdated)
	})
}

var outdated = []string{string(failure.Outdated)}

// Searches age: what takes a secret away is told when the targets were searched for, and goes back to that where it was
// long ago.
func TestASecretGoesOnlyAfterARecentSearch(t *testing.T) {
	t.Parallel()
	m := parse(t)
	back := map[string]string{"DisableOldSecret": "ReloadClient", "FinishSecret": "ReloadClient",
		"RemoveNewSecret": "RediscoverToRestore"}
	for name, next := range back {
		s := m.States[name]
		args, _ := s.Arguments.(map[string]any)
		if got := args["Payload"].(map[string]any)["searched"]; got != "{% $searched %}" {
			t.Errorf("%s is told %v of the search: targets that came since lose their logins", name, got)
		}
		if !slices.ContainsFunc(s.Catch, func(c catch) bool {
			return slices.Equal(c.ErrorEquals, outdated) && c.Next == next
		}) {
			t.Errorf("%s does not go back to %s: it would take away what new targets have", name, next)
		}
	}
	for _, name := range []string{"RediscoverTargets", "RediscoverToRestore"} {
		if m.States[name].Assign["searched"] != "{% $now() %}" {
			t.Errorf("%s does not say when it searched: an old search passes for a new one", name)
		}
	}
}

var superseded = []string{string(failure.Superseded)}

// uncaught are the Tasks that must not have a Catch, but of Superseded: after them nothing can be undone, or they are
// the undoing.
var uncaught = []string{"EnableOldSecret", "RestoreLabels", "RediscoverToRestore", "ReassertTargetOldSecret",
	"RemoveNewSecret", "VerifyOldSecret", "FinishSecret", "PromoteReplacement", "RemoveReplacement"}

// In another partition (GovCloud, China) such a resource would fail: "The resource belongs to a different partition
// from the running execution."
func TestNoResourceNamesAPartition(t *testing.T) {
	t.Parallel()
	for name, definition := range map[string]string{"rotation": statemachine.Definition,
		"notifier": statemachine.Notifier, "fleet": statemachine.Fleet} {
		if strings.Contains(definition, "arn:aws") || !strings.Contains(definition, "arn:${Partition}:states:::") {
			t.Errorf("%s.asl.json names a partition, or uses none", name)
		}
	}
}

func TestEveryTaskHasATimeoutAndARetry(t *testing.T) {
	t.Parallel()
	for _, m := range all(t) {
		m.tasks(func(name string, s state, _ bool) {
			if s.TimeoutSeconds <= 0 {
				t.Errorf("%s has no TimeoutSeconds: a lost reply holds up the execution for a year", name)
			}
			if len(s.Retry) == 0 {
				t.Errorf("%s has no Retry: one disturbance ends the execution", name)
			}
		})
	}
}

func TestEveryTaskThatCanBeUndoneHasACatchAndNoOther(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, _ state, caught bool) {
		if want := !slices.Contains(uncaught, name); caught != want {
			t.Errorf("%s: has a Catch: %v, want %v: else a failure leaves things half way, or cannot be redriven",
				name, caught, want)
		}
	})
}

// A state from which nobody says how it ended would end as a refusal, which wakes nobody.
func TestWhoeverReleasesTheLockHasSaidHowItEnded(t *testing.T) {
	t.Parallel()
	said := map[string]bool{"Refuse": true, "AfterFinish": true, "Decide": true, "DryRun": true, // themselves
		// AfterRollback and Supersede, which alone lead there
		"RemoveReplacement": true, "TestAfterRollback": true, "AwaitOwnCalls": true}
	m := parse(t)
	for name, s := range m.States {
		next := []string{s.Next, s.Default}
		for _, c := range s.Choices {
			next = append(next, c.Next)
		}
		for _, c := range s.Catch {
			next = append(next, c.Next)
		}
		if slices.Contains(next, "ReleaseLock") && !said[name] {
			t.Errorf("%s releases the lock, and nobody has said how it ended", name)
		}
		for reached, from := range map[string]string{"TestAfterRollback": "AfterRollback",
			"AwaitOwnCalls": "Supersede"} {
			if slices.Contains(next, reached) && name != from {
				t.Errorf("%s leads to %s", name, reached)
			}
		}
	}
}

// An execution is refused, until it is said to be something else; nothing is planned after that.
func TestTheOutcomeIsSaidAtTheEnd(t *testing.T) {
	t.Parallel()
	m := parse(t)
	outcomes := map[string]any{}
	said := func(name string, assign map[string]any, next string) {
		if assign["outcome"] == nil || name == "LoadClient" {
			return
		}
		outcomes[name] = assign["outcome"]
		assigned(m, next, nil, func(reached string, _ map[string]bool) {
			if reached == "Plan" {
				t.Errorf("%s says how it ended, and goes on to Plan", name)
			}
		})
	}
	for name, s := range m.States {
		for _, c := range s.Choices {
			said(name, c.Assign, c.Next)
		}
		for _, c := range s.Catch {
			said(name, c.Assign, c.Next)
		}
		said(name, s.Assign, s.Next+s.Default)
	}
	want := map[string]any{"AfterFinish": "rotated", "AfterRollback": "rolledBack", "Supersede": "superseded",
		"Decide": "planned", "DryRun": "planned", "LockOwnerStatus": "needsAttention",
		"ChooseWarning": "wouldBeRefused", "TellEnd": "endsSoon", "RemoveReplacement": "rolledBack"}
	if !maps.Equal(outcomes, want) {
		t.Errorf("said by %v", outcomes)
	}
}

// Every failure leaves the name of its state, by which the rest tells it from what an earlier rotation left.
func TestEveryFailureIsNoted(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for name, s := range m.States {
		for _, c := range s.Catch {
			var want any
			if slices.Contains([]string{"NotStarted", "Refuse", "RollBack", "Reconfigured", "Supersede"}, c.Next) {
				want = "{% $states.context.State.Name %}"
			}
			if c.Assign["step"] != want {
				t.Errorf("%s: %v leads to %s and notes %v: nobody learns where, or a rollback is taken for another",
					name, c.ErrorEquals, c.Next, c.Assign["step"])
			}
		}
	}
	for _, name := range []string{"Refuse", "RollBack", "Supersede"} {
		words, _ := m.States[name].Assign["failure"].(map[string]any)
		if words["error"] != "{% $states.input.Error %}" || words["cause"] != "{% $states.input.Cause & '' %}" {
			t.Errorf("%s notes %v", name, words)
		}
	}
	again := m.States["AfterRollback"]
	if n := len(again.Choices) - 1; again.Choices[n].Condition != "{% $step = '' %}" ||
		again.Choices[n].Next != "Plan" {
		t.Error("a rollback after a failure is followed by another plan, or that of what was left is not")
	}
}

// A redrive leaves a Pass without executing it, so that only words may be lost there. Whether it runs what a Wait
// assigns is not documented.
func TestNothingRestsOnAPassOrAWait(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for name, s := range m.States {
		if s.Type == "Wait" && len(s.Assign) > 0 {
			t.Errorf("%s assigns %v", name, s.Assign)
		}
		if s.Type == "Pass" {
			for v := range s.Assign {
				if v != "failure" {
					t.Errorf("%s assigns %s", name, v)
				}
			}
			s.Assign = nil
			m.States[name] = s
		}
	}
	for _, p := range unassigned(m, nil) {
		t.Error(p)
	}
}

// Whoever reads the labels can find that AWSCURRENT is a third version. Whatever state that is in, it must lead to the
// end at which no target is touched, and not into a rollback.
func TestAThirdVersionEndsEveryStateUntouched(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for name, s := range m.States {
		if name == "Measure" || name == "Plan" || name == "TestBeforeChange" || s.Type != "Map" &&
			!strings.HasSuffix(s.Resource, ":lambda:invoke") {
			continue // of these only Maps and functions read labels, and the named ones plan from what they find
		}
		if len(s.Catch) == 0 || !slices.Equal(s.Catch[0].ErrorEquals, superseded) ||
			s.Catch[0].Next != "Supersede" {
			t.Errorf("%s does not end as superseded", name)
		}
		if s.ItemProcessor == nil {
			continue
		}
		for inner, is := range s.ItemProcessor.States {
			if catchesMore(is) && (!slices.Equal(is.Catch[0].ErrorEquals, superseded) ||
				s.ItemProcessor.States[is.Catch[0].Next].Type != "Fail") {
				t.Errorf("%s in %s hides that the execution is superseded", inner, name)
			}
		}
	}
	// Both ways on lead to the Wait: a Choice is evaluated again by a redrive.
	if s := m.States["Supersede"]; s.Type != "Choice" || s.Assign["outcome"] != "superseded" ||
		s.Default != "AwaitOwnCalls" || len(s.Choices) != 1 || s.Choices[0].Next != "AwaitOwnCalls" ||
		m.States["AwaitOwnCalls"].Next != "ReleaseLock" {
		t.Error("the lock is not released, or nobody heals")
	}
}

// A configuration that became another client's must lead neither forward nor into a rollback, which would look for the
// secrets where they are not. Where there is no Catch it is not tried again: a redrive resumes there.
func TestAnotherClientsConfigurationEndsEveryStateUntouched(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for name, s := range m.States {
		retries := s.Retry
		switch {
		case s.Type == "Task" && !strings.HasSuffix(s.Resource, ":lambda:invoke"), s.Type != "Task" && s.Type != "Map",
			// the next state finds it, too
			name == "Measure", name == "Plan", name == "TestBeforeChange", name == "RestoreTargets",
			name == "TestAfterRollback": // all is done, only the lock has to be released
			continue
		case s.Type == "Map":
			for _, inner := range s.ItemProcessor.States {
				retries = append(retries, inner.Retry...)
			}
		}
		caught := slices.ContainsFunc(s.Catch, func(c catch) bool {
			return slices.Contains(c.ErrorEquals, "Reconfigured") && c.Next == "Reconfigured"
		})
		untried := slices.ContainsFunc(retries, func(r retry) bool {
			return slices.Contains(r.ErrorEquals, "Reconfigured") && r.MaxAttempts == 0
		})
		if caught == untried {
			t.Errorf("%s: it ends untouched: %v, it fails at once: %v", name, caught, untried)
		}
	}
	if m.States["Reconfigured"].Type != "Fail" {
		t.Error("the execution goes on")
	}
}

// catchesEverything returns a state's Catch entries, which must leave no error out; those of Superseded and
// Reconfigured lead elsewhere.
func catchesEverything(t *testing.T, name string) []catch {
	t.Helper()
	c := slices.DeleteFunc(parse(t).States[name].Catch, func(c catch) bool {
		return slices.Equal(c.ErrorEquals, superseded) || slices.Equal(c.ErrorEquals, outdated) ||
			slices.Contains(c.ErrorEquals, "Reconfigured")
	})
	if len(c) != 2 || !slices.Equal(c[0].ErrorEquals, []string{"States.DataLimitExceeded"}) ||
		!slices.Equal(c[1].ErrorEquals, []string{"States.ALL"}) {
		t.Errorf("%s must catch States.DataLimitExceeded (which States.ALL leaves out) and States.ALL", name)
	}
	return c
}

// A Map's result is those of all its tasks, and the whole result of one lambda:invoke is more than a kilobyte: 256 KiB,
// the limit, are full with some 230.
func TestNoMapCollectsWholeResults(t *testing.T) {
	t.Parallel()
	for name, s := range parse(t).States {
		if s.Type != "Map" {
			continue
		}
		if s.Output == nil {
			t.Errorf("%s has no Output", name)
		}
		for inner, is := range s.ItemProcessor.States {
			if is.Type == "Succeed" && is.Output == nil { // its input is the text of an error
				t.Errorf("%s has no Output", inner)
			}
			if is.Type == "Task" && is.Output != "{% $substring($states.result.Payload.notice & '', 0, 4000) %}" {
				t.Errorf("%s: the output is %v", inner, is.Output)
			}
		}
	}
}

func TestTaskTimeoutsAreLongerThanTheFunctionsOwn(t *testing.T) {
	t.Parallel()
	timeouts := map[string]time.Duration{}
	for _, f := range statemachine.Functions() {
		timeouts["arn:aws:lambda:eu-central-1:111122223333:function:"+f.Name+":live"] = f.Timeout
	}
	seen := map[string]bool{}
	check := func(name string, s state, _ bool) {
		if !strings.HasSuffix(s.Resource, ":lambda:invoke") {
			return
		}
		arn, _ := s.Arguments.(map[string]any)["FunctionName"].(string)
		own, known := timeouts[arn]
		if !known {
			t.Errorf("%s calls %s, which is not in Functions()", name, arn)
		}
		seen[arn] = true
		if got := time.Duration(s.TimeoutSeconds) * time.Second; got != own+15*time.Second {
			t.Errorf("%s: TimeoutSeconds is %s, want the function's %s and 15 s", name, got, own)
		}
	}
	for _, m := range all(t) {
		m.tasks(check)
	}
	if len(seen) != len(timeouts) {
		t.Errorf("%d of %d functions are called", len(seen), len(timeouts))
	}
}

// Proofs age: who writes a secret is told when it was last proven, and who proves it says so.
func TestWhoWritesASecretIsToldWhenItWasProven(t *testing.T) {
	t.Parallel()
	m, writers := parse(t), 0
	m.tasks(func(name string, s state, _ bool) {
		args, _ := s.Arguments.(map[string]any)
		function, _ := args["FunctionName"].(string)
		if !strings.Contains(function, ":updatealb:") && !strings.Contains(function, ":promotesecret:") {
			return
		}
		writers++
		if got := args["Payload"].(map[string]any)["proven"]; got != "{% $proven %}" {
			t.Errorf("%s is told %v of the proof: a secret is written long after it was last accepted", name, got)
		}
	})
	if writers != 7 {
		t.Errorf("%d tasks write a secret", writers)
	}
	var proves []string
	m.all(func(name string, s state) {
		if s.Assign["proven"] == "{% $now() %}" {
			proves = append(proves, name)
		}
	})
	slices.Sort(proves)
	// before the first round forward, before the rest of it, before the second, before a rollback's, and before a
	// repair
	if want := []string{"EnableOldSecret", "TestCanaries", "VerifyBeforeReassert", "VerifyNewSecret",
		"VerifyReplacement"}; !slices.Equal(proves, want) {
		t.Errorf("%q prove a secret, want %q: one that nobody proved is written", proves, want)
	}
}

// allowed are the resources that cannot carry a secret value, in either direction.
var allowed = []string{
	"arn:aws:states:::lambda:invoke", "arn:aws:states:::aws-sdk:ssm:getParameter",
	"arn:aws:states:::aws-sdk:sfn:describeExecution", "arn:aws:states:::aws-sdk:sfn:stopExecution",
	"arn:aws:states:::aws-sdk:sfn:startExecution",
	"arn:aws:states:::dynamodb:updateItem", "arn:aws:states:::dynamodb:getItem", "arn:aws:states:::sns:publish",
	"arn:aws:states:::events:putEvents",
}

func TestNoTaskOrExpressionCanCarryASecret(t *testing.T) {
	t.Parallel()
	for _, m := range all(t) {
		m.tasks(func(name string, s state, _ bool) {
			if !slices.Contains(allowed, s.Resource) {
				t.Errorf("%s: %s is not on the list of resources that cannot carry a secret", name, s.Resource)
			}
		})
	}
	if m := regexp.MustCompile(
		`(?i)SecretString|SecretBinary|ClientSecret"|secretText|WithDecryption|"Value":`).FindString(
		statemachine.Definition + statemachine.Notifier + statemachine.Fleet); m != "" {
		t.Errorf("a definition names %s", m)
	}
}

func TestNoStateIsUnreachable(t *testing.T) {
	t.Parallel()
	for _, m := range all(t) {
		reached := map[string]bool{}
		mark := func(name string, _ map[string]bool) { reached[name] = true }
		assigned(m, m.StartAt, nil, mark)
		m.all(func(_ string, s state) {
			if s.ItemProcessor != nil {
				assigned(*s.ItemProcessor, s.ItemProcessor.StartAt, nil, mark)
			}
		})
		m.all(func(name string, _ state) {
			if !reached[name] {
				t.Errorf("%s cannot be reached", name)
			}
		})
	}
}

// A message is composed by the state before; without it the subject would be missing, and people would not hear at all.
func TestWhoeverTellsHasWordsForIt(t *testing.T) {
	t.Parallel()
	composes := map[string][]string{"Notify": {"Released", "ChooseWarning", "TellEnd", "Describe", "Sum",
		"DescribeFleet"},
		"TellRollback": {"BeginRollback"}, "TellStop": {"NextWave"}}
	for machine, m := range all(t) {
		told := 0
		for name, s := range m.States {
			said := map[string]map[string]any{s.Next: s.Assign, s.Default: s.Assign}
			for _, c := range s.Catch {
				said[c.Next] = s.Assign
			}
			for _, c := range s.Choices {
				if said[c.Next] = s.Assign; c.Assign["told"] != nil {
					said[c.Next] = c.Assign
				}
			}
			for n, assign := range said {
				if composes[n] == nil {
					continue
				}
				told++
				words, _ := assign["told"].(map[string]any)
				for _, field := range []string{"subject", "users", "what", "todo", "command", "notice", "entry"} {
					if !slices.Contains(composes[n], name) || words[field] == nil {
						t.Errorf("%s: %s leads to %s without %s", machine, name, n, field)
					}
				}
			}
		}
		if told == 0 {
			t.Errorf("%s tells nobody", machine)
		}
	}
}

// One form of message: who has read one finds everything in the next.
func TestAllMessagesHaveOneForm(t *testing.T) {
	t.Parallel()
	forms := map[any]bool{}
	for _, m := range all(t) {
		m.tasks(func(_ string, s state, _ bool) {
			if a, _ := s.Arguments.(map[string]any); strings.HasSuffix(s.Resource, ":sns:publish") {
				forms[a["Message"]] = true
			}
		})
	}
	if len(forms) != 1 {
		t.Errorf("there are %d forms: %v", len(forms), forms)
	}
}

// Every rollback begins with telling people, by steps that are short and that nothing can stop, and goes on to Quiesce.
func TestTellingOfARollbackLeadsOnToIt(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for name, next := range map[string]string{"TellRollback": "PublishRollback", "PublishRollback": "Quiesce"} {
		s := m.States[name]
		if s.Next != next || s.TimeoutSeconds > 5 {
			t.Errorf("%s goes to %s and may take %g s", name, s.Next, s.TimeoutSeconds)
		}
		for _, c := range catchesEverything(t, name) {
			if c.Next != next {
				t.Errorf("%s: %v leads to %s", name, c.ErrorEquals, c.Next)
			}
		}
	}
	for name, s := range m.States {
		if s.Next == "Quiesce" && name != "PublishRollback" || s.Default == "Quiesce" {
			t.Errorf("%s begins a rollback in silence", name)
		}
	}
}

func TestRenderNamesEveryMissingValue(t *testing.T) {
	t.Parallel()
	v := values(t)
	delete(v, "JournalTable")
	v["EventBusName"] = ""
	_, err := statemachine.Render(statemachine.Definition, v)
	if err == nil || !strings.HasSuffix(err.Error(), "EventBusName, JournalTable") {
		t.Errorf("got %v", err)
	}
}
