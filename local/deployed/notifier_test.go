package deployed_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/fault"
)

// told is what a notification and an event of ours say.
type told struct{ Client, Outcome, Execution, Error, Cause string }

// settle lets everything happen that was set off.
func (w *world) settle(t *testing.T) {
	t.Helper()
	w.pass(t, time.Hour)
}

// pass lets time go by.
func (w *world) pass(t *testing.T, d time.Duration) {
	t.Helper()
	done := make(chan error, 1)
	w.Stack.Clock.Go(func() { done <- w.Stack.Clock.Sleep(t.Context(), d) })
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// events are our own events of a type.
func (w *world) events(t *testing.T, detailType string) []told {
	t.Helper()
	var list []told
	for _, e := range w.Stack.EventBridge.Events() {
		if e.Source != "alb-oidc-rotator" || e.DetailType != detailType {
			continue
		}
		var d told
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			t.Fatal(err)
		}
		list = append(list, d)
	}
	return list
}

// refuse lets every call of a function from a state fail for good.
func (w *world) refuse(t *testing.T, state string) {
	t.Helper()
	w.Stack.Faults.Clear()
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke", Match: fmt.Sprintf(`"state":%q`,
		state),
		Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"}); err != nil {
		t.Fatal(err)
	}
}

// outcomes of our own events, by detail type.
var outcomes = map[string]string{"Client Secret Rotation Rolled Back": "rolledBack",
	"Client Secret Rotation Needs Attention": "needsAttention",
	"Client Secret Repaired":                 "repaired",
	"Client Secret Rotated":                  "rotated", "Client Secret Rotation Superseded": "superseded",
	"Client Secret Rotation Rolling Back": "rollingBack",
	"Client Secret Rotation Refused":      "refused", "Client Secret Rotation Interrupted": "interrupted",
	"Client Secret Target Changed By Others":  "changedByOthers",
	"Client Secret Rotation Would Be Refused": "wouldBeRefused",
	"Client Secret Ends Soon":                 "endsSoon"}

// elsewhere are those that other tests see.
var elsewhere = []string{"repaired", "superseded", "refused", "interrupted", "changedByOthers", "wouldBeRefused",
	"endsSoon"}

func TestEveryEndThatMattersIsAnEventOfOurOwn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	w.deployRule(t, "notifier", w.deployNotifier(t))

	w.refuse(t, "VerifyNewSecret")
	if r := w.scheduled(t, scenario.Client); r.Status != asl.Failed || *r.Error != "RolledBack" {
		t.Fatalf("ended as %+v", r)
	}
	w.refuse(t, "FinishSecret")
	if r := w.scheduled(t, scenario.Client); r.Status != asl.Failed || *r.Error == "RolledBack" {
		t.Fatalf("ended as %+v", r)
	}
	w.Stack.Faults.Clear()
	if r := w.scheduled(t, scenario.Client); r.Status != asl.Succeeded {
		t.Fatalf("ended as %+v", r)
	}
	w.settle(t)

	for detailType, outcome := range outcomes {
		if slices.Contains(elsewhere, outcome) {
			continue
		}
		list := w.events(t, detailType)
		if len(list) != 1 || list[0].Client != scenario.Client || list[0].Outcome != outcome ||
			!strings.HasPrefix(list[0].Execution, "arn:aws:states:") {
			t.Errorf("%s: %+v", detailType, list)
		}
	}
	if list := w.events(t, "Client Secret Rotation Needs Attention"); len(list) == 1 &&
		(list[0].Error == "" || list[0].Cause == "") {
		t.Errorf("why it needs attention is not told: %+v", list)
	}
	// People hear the same in words: what a client's own addresses get is found by the attribute client.
	var heard []string
	for _, m := range w.Stack.SNS.Messages(w.TopicARN) {
		if m.Attributes["client"] != scenario.Client || !strings.HasPrefix(m.Subject, "[orders-web] ") ||
			!strings.HasPrefix(m.Message, "Users: ") {
			t.Errorf("%s %v: %s", m.Subject, m.Attributes, m.Message)
		}
		heard = append(heard, m.Attributes["outcome"])
	}
	if got := strings.Join(heard, " "); got != "rollingBack rolledBack needsAttention rotated" &&
		got != "rollingBack rolledBack rotated needsAttention" {
		t.Errorf("people heard %s", got)
	}
}

func TestTheRunbookNamesEveryEventOfOurOwn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	for detailType, outcome := range outcomes {
		if !strings.Contains(string(text), "| `"+outcome+"` | "+detailType+" |") {
			t.Errorf("the runbook does not have %s", detailType)
		}
	}
	_, pattern, _ := strings.Cut(string(text), "```json\n")
	pattern, _, _ = strings.Cut(pattern, "```")
	var example struct {
		DetailType []string `json:"detail-type"`
	}
	if err := json.Unmarshal([]byte(pattern), &example); err != nil || len(example.DetailType) == 0 {
		t.Fatalf("the example of a pattern is %s: %v", pattern, err)
	}
	for _, detailType := range example.DetailType {
		if outcomes[detailType] == "" {
			t.Errorf("the example waits for %s, which is no event of ours", detailType)
		}
	}
}
