package asl_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
)

// answers is a task that gives back its arguments.
func answers(_ *world, task asl.Task, _ int) (string, *asl.TaskError) {
	return string(task.Arguments), nil
}

// Inner scopes read outer variables and keep their own to themselves (developer guide, "Passing data between states
// with variables").
func TestVariablesStayInTheirScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ states, want string }{
		"a branch reads outer variables, and no other branch's": {`
			"A":{"Type":"Pass","Assign":{"outer":1},"Next":"P"},
			"P":{"Type":"Parallel","Next":"E","Branches":[
				{"StartAt":"B1","States":{"B1":{"Type":"Pass","Assign":{"mine":"{% $outer + 1 %}"},"Next":"B2"},
					"B2":{"Type":"Pass","Output":"{% [$outer, $mine] %}","End":true}}},
				{"StartAt":"C1","States":{"C1":{"Type":"Wait","Seconds":5,"Next":"C2"},
					"C2":{"Type":"Pass","Output":"{% $exists($mine) %}","End":true}}}]},
			"E":{"Type":"Pass","Output":["{% $states.input %}","{% $exists($mine) %}"],"End":true}`,
			`[[[1,2],false],false]`},
		"a branch sees the value at the start of its Parallel": {`
			"A":{"Type":"Pass","Assign":{"v":1},"Next":"P"},
			"P":{"Type":"Parallel","Assign":{"v":"{% $v + $states.result[0] %}"},"Next":"E","Branches":[
				{"StartAt":"B","States":{"B":{"Type":"Pass","Output":"{% $v * 10 %}","End":true}}}]},
			"E":{"Type":"Pass","Output":"{% $v %}","End":true}`, `11`},
		"every iteration has variables of its own": {`
			"A":{"Type":"Map","Items":[1,2,3],"MaxConcurrency":1,"End":true,"ItemProcessor":{"StartAt":"I","States":{
				"I":{"Type":"Pass","Assign":{"mine":"{% $exists($mine) ? 'left over' : $states.input %}"},"Next":"J"},
				"J":{"Type":"Pass","Output":"{% $mine %}","End":true}}}}`, `[1,2,3]`},
		"a selector sees the Map's input and the item, a state inside only what was selected": {`
			"A":{"Type":"Map","Items":["x","y"],"ItemSelector":{"n":"{% $states.context.Map.Item.Index %}",
				"v":"{% $states.context.Map.Item.Value %}","of":"{% $states.input.name %}"},"End":true,
				"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","End":true}}}}`,
			`[{"n":0,"v":"x","of":"in"},{"n":1,"v":"y","of":"in"}]`},
		"a catcher's variables come in place of the state's": {`
			"A":{"Type":"Parallel","Assign":{"way":"through"},"Next":"E","Branches":[{"StartAt":"F","States":{
				"F":{"Type":"Fail","Error":"Boom","Cause":"why"}}}],"Catch":[{"ErrorEquals":["Boom"],"Next":"E",
				"Assign":{"way":"{% $states.errorOutput.Error & ' ' & $states.errorOutput.Cause %}"},
				"Output":"{% $exists($way) ? 'too early' : $states.input.name %}"}]},
			"E":{"Type":"Pass","Output":"{% [$way, $states.input] %}","End":true}`, `["Boom why","in"]`},
		"the first catcher that matches decides, and a wildcard is no name": {`
			"A":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"States.Timeout"}}}],
				"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"N"},{"ErrorEquals":["States.ALL"],"Next":"E"}]},
			"N":{"Type":"Pass","Output":"TaskFailed","End":true},"E":{"Type":"Pass","Output":"ALL","End":true}`,
			`"ALL"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, noTasks)
			w.wantSuccess(w.run(machine("A", c.states), `{"name":"in"}`), c.want)
		})
	}
}

func TestNumbersAndTimesOfAStateMayBeExpressions(t *testing.T) {
	t.Parallel()
	wait := func(field string) string { return machine("W", `"W":{"Type":"Wait",`+field+`,"End":true}`) }
	for field, want := range map[string]time.Duration{
		`"Seconds":"{% $states.input.n * 2 %}"`:                            14 * time.Second,
		`"Seconds":0`:                                                      0,
		`"Timestamp":"{% $states.input.at %}"`:                             time.Hour,
		`"Timestamp":"2026-03-01T12:30:00.999+01:00"`:                      90 * time.Minute,
		`"Timestamp":"{% $fromMillis($toMillis($states.input.at) + 5) %}"`: time.Hour,
	} {
		w := newWorld(t, noTasks)
		if r := w.run(wait(field),
			`{"n":7,"at":"2026-03-01T11:00:00Z"}`); r.Status != asl.Succeeded || w.elapsed() != want {
			t.Errorf("%s: %s %s after %s, want %s", field, r.Status, text(r.Error, r.Cause), w.elapsed(), want)
		}
	}
	for _, field := range []string{`"Seconds":"{% -1 %}"`, `"Seconds":"{% 1.5 %}"`, `"Seconds":"{% '7' %}"`,
		`"Seconds":"{% 100000000 %}"`, `"Seconds":"{% $nothing %}"`, `"Timestamp":"{% 'tomorrow' %}"`,
		`"Timestamp":"{% '2026-03-01t10:00:00Z' %}"`, `"Timestamp":"{% '2026-03-01T10:00:00' %}"`,
		`"Timestamp":"{% 7 %}"`} {
		w := newWorld(t, noTasks)
		w.wantFailure(w.run(wait(field), `{}`), "States.QueryEvaluationError")
	}
	w := newWorld(t, answers)
	w.run(machine("T", `"T":{`+invoke+`,"TimeoutSeconds":"{% $states.input %}","End":true}`), `9`)
	if d := w.event("TaskScheduled").TaskScheduled; d.TimeoutInSeconds == nil || *d.TimeoutInSeconds != 9 {
		t.Errorf("scheduled %+v", d)
	}
}

// 256 KiB are bytes of UTF-8 (developer guide, "Service quotas"): a letter with an accent has two.
func TestPayloadsAreLimitedByBytes(t *testing.T) {
	t.Parallel()
	fits, over := `"{% $pad('', 131071, 'é') %}"`, `"{% $pad('', 131072, 'é') %}"`
	for name, states := range map[string]string{
		"an output":        `"A":{"Type":"Pass","Output":%,"End":true}`,
		"arguments":        `"A":{` + invoke + `,"Arguments":%,"Output":1,"End":true}`,
		"a variable":       `"A":{"Type":"Pass","Assign":{"v":%},"End":true}`,
		"a selected item":  `"A":{"Type":"Map","Items":[1],"ItemSelector":%,"Output":1,"End":true,"ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Output":1,"End":true}}}}`,
		"a branch's input": `"A":{"Type":"Parallel","Arguments":%,"Output":1,"End":true,"Branches":[{"StartAt":"I","States":{"I":{"Type":"Pass","Output":1,"End":true}}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, answers)
			if r := w.run(machine("A", strings.Replace(states, "%", fits, 1)), `{}`); r.Status != asl.Succeeded {
				t.Errorf("256 KiB ended %s %s", r.Status, text(r.Error, r.Cause))
			}
			w = newWorld(t, answers)
			w.wantFailure(w.run(machine("A", strings.Replace(states, "%", over, 1)), `{}`), "States.DataLimitExceeded")
		})
	}
	w := newWorld(t, noTasks)
	half := `{"StartAt":"B%","States":{"B%":{"Type":"Pass","Output":"{% $pad('', 131073) %}","End":true}}}`
	w.wantFailure(w.run(machine("A", `"A":{"Type":"Parallel","Output":1,"End":true,"Branches":[`+
		strings.Replace(half, "B%", "B1", 2)+`,`+strings.Replace(half, "B%", "B2", 2)+`]}`), `{}`),
		"States.DataLimitExceeded") // what the branches give together
}
