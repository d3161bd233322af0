package deployed_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"alboidc.internal/local/scenario"
)

// transformer is one of docs/alerting.md.
type transformer struct {
	InputTransformer struct {
		InputPathsMap map[string]string
		InputTemplate string
	}
}

var variable = regexp.MustCompile(`<([a-z]+)>`)

// apply does what EventBridge does with a variable that stands for a whole value: it becomes that value as JSON.
func (x transformer) apply(t *testing.T, event map[string]any) map[string]any {
	t.Helper()
	text := variable.ReplaceAllStringFunc(x.InputTransformer.InputTemplate, func(name string) string {
		path, known := x.InputTransformer.InputPathsMap[strings.Trim(name, "<>")]
		if !known {
			t.Errorf("%s has no path", name)
		}
		var v any = event
		for _, field := range strings.Split(strings.TrimPrefix(path, "$."), ".") {
			m, _ := v.(map[string]any)
			if v = m[field]; v == nil {
				t.Errorf("the event has no %s", path)
			}
		}
		b, _ := json.Marshal(v)
		return string(b)
	})
	var out map[string]any
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// transformers of the documentation, and how often each service's required fields are found.
func transformers(t *testing.T) []transformer {
	t.Helper()
	text, err := os.ReadFile("../../docs/alerting.md")
	if err != nil {
		t.Fatal(err)
	}
	var list []transformer
	for _, block := range regexp.MustCompile("(?s)```json\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		if !strings.Contains(block[1], "InputTransformer") {
			continue
		}
		var x transformer
		if err := json.Unmarshal([]byte(block[1]), &x); err != nil {
			t.Fatal(err)
		}
		// A variable inside quotes would not be quoted, and a text with quotes in it would break the JSON.
		if regexp.MustCompile(`"[^"{}\[\]:,]*<[a-z]+>|<[a-z]+>[^"{}\[\]:,]*"`).MatchString(
			x.InputTransformer.InputTemplate) {
			t.Errorf("a variable is inside quotes: %s", x.InputTransformer.InputTemplate)
		}
		list = append(list, x)
	}
	return list
}

// required are the fields that the services want, by the field that tells which service it is.
var required = map[string][]string{
	// Amazon Q, "Custom notifications"
	"version": {"version", "source", "content.title", "content.description"},
	// PagerDuty, Events API v2
	"event_action": {"dedup_key", "event_action"},
	// the same, trigger
	"payload": {"payload.summary", "payload.source", "payload.severity", "payload.custom_details.users"},
	// Opsgenie, alert API
	"message": {"message", "alias", "description", "priority", "details.todo", "details.runbook"},
}

func TestTheTransformersOfTheDocumentationFitTheServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	w.deployRule(t, "notifier", w.deployNotifier(t))
	for _, state := range []string{"TestSecret", "FinishSecret"} {
		w.refuse(t, state)
		w.scheduled(t, scenario.Client)
	}
	w.Stack.Faults.Clear()
	w.scheduled(t, scenario.Client)
	w.settle(t)
	list, events := transformers(t), 0
	for _, e := range w.Stack.EventBridge.Events() {
		if e.Source != "alb-oidc-rotator" {
			continue
		}
		events++
		var detail map[string]any
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		event := map[string]any{"id": "1f3c", "account": "111122223333", "time": "2026-11-28T23:00:00Z",
			"detail": detail}
		for _, x := range list {
			out := x.apply(t, event)
			for kind, fields := range required {
				if out[kind] == nil {
					continue
				}
				for _, field := range fields {
					var v any = out
					for _, name := range strings.Split(field, ".") {
						m, _ := v.(map[string]any)
						v = m[name]
					}
					if v == nil || v == "" {
						t.Errorf("%s: %s is missing in %v", e.DetailType, field, out)
					}
				}
			}
			if message, ok := out["message"].(string); ok && len(message) > 130 {
				t.Errorf("Opsgenie cuts %q", message)
			}
		}
	}
	if len(list) != 4 || events < 4 {
		t.Errorf("%d transformers, %d events", len(list), events)
	}
}
