package asl_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
)

// runOf is a Map state M in distributed mode around states.
func runOf(fields, startAt, states string) string {
	return `"M":{"Type":"Map",` + fields + `"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED",` +
		`"ExecutionType":"STANDARD"},"StartAt":"` + startAt + `","States":{` + states + `}},"End":true}`
}

func TestADistributedMapRunsExecutions(t *testing.T) {
	t.Parallel()
	items := make([]string, 100)
	for i := range items {
		items[i] = fmt.Sprint(i)
	}
	w := newWorld(t, noTasks)
	w.wantSuccess(w.run(machine("M", runOf(`"ItemSelector":{"n":"{% $states.context.Map.Item.Value %}"},`, "A",
		`"A":{"Type":"Wait","Seconds":10,"Next":"B"},"B":{"Type":"Pass","Output":"{% $substringAfter(`+
			`$states.context.Execution.Id, ':m/M:') %}","End":true}`)), `[`+strings.Join(items, ",")+`]`),
		`["e-`+strings.Join(items, `","e-`)+`"]`)
	if w.elapsed() != 10*time.Second {
		t.Errorf("took %s: a limit of inline Maps counts", w.elapsed())
	}
	// their events are in their own histories
	w.wantTrail(0, "ExecutionStarted", "MapStateEntered M", "MapStateStarted", "MapRunStarted", "MapRunSucceeded",
		"MapStateSucceeded", "MapStateExited M", "ExecutionSucceeded")
	if n := w.execution.Transitions(); n != 201 {
		t.Errorf("%d transitions would be charged", n)
	}
}

func TestADistributedMapSeesNoVariablesOfOthers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, noTasks)
	w.wantFailure(w.run(machine("A", `"A":{"Type":"Pass","Assign":{"x":1},"Output":[1],"Next":"M"},`+runOf("", "B",
		`"B":{"Type":"Pass","Output":"{% $x %}","End":true}`)), `{}`), "States.ExceedToleratedFailureThreshold")
	// and so may have one of the same name
	w.wantSuccess(w.run(machine("A", `"A":{"Type":"Pass","Assign":{"x":1},"Output":[1],"Next":"M"},`+runOf("", "B",
		`"B":{"Type":"Pass","Assign":{"x":2},"Next":"C"},"C":{"Type":"Pass","Output":"{% $x %}","End":true}`)), `{}`),
		`[2]`)
}

func TestARedriveGoesOnWithTheChildrenThatDidNotSucceed(t *testing.T) {
	t.Parallel()
	failing := true
	var asked []string
	w := newWorld(t, func(_ *world, task asl.Task, _ int) (string, *asl.TaskError) {
		asked = append(asked, string(task.Arguments))
		if failing && string(task.Arguments) == "2" {
			return "", &asl.TaskError{Error: "Down"}
		}
		return string(task.Arguments), nil
	})
	w.wantFailure(w.run(machine("M", runOf(`"MaxConcurrency":1,`, "A", `"A":{"Type":"Pass","Next":"B"},"B":{`+invoke+
		`,"End":true}`)), `[1,2,3]`), "States.ExceedToleratedFailureThreshold")
	failing = false
	w.wantSuccess(w.redrive(), `[1,2,3]`)
	if want := []string{"1", "2", "2", "3"}; !slices.Equal(asked, want) {
		t.Errorf("asked %v, want %v", asked, want)
	}
}
