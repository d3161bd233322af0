package deployed_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/local/asl"
)

// forge changes the detail of an event.
func forge(t *testing.T, event string, with map[string]any) string {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal([]byte(event), &e); err != nil {
		t.Fatal(err)
	}
	for k, v := range with {
		e["detail"].(map[string]any)[k] = v
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Who stops an execution gives it an error and a cause; how it ended they do not decide. As Superseded it would be
// healed in silence, again and again.
func TestWhoStopsAnExecutionDoesNotChooseWhatIsTold(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	for _, kind := range []string{"Superseded", "LockLost", "NotStarted"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tpl)
			event := forge(t, ended(w.MachineARN, "ABORTED", `{"client": "orders-web"}`), map[string]any{"error": kind,
				"cause": "nothing to see"})
			if r := w.run(t, w.deployNotifier(t), event); r.Status != asl.Succeeded {
				t.Fatalf("it ended as %+v", r)
			}
			if list := w.notices(t); len(list) != 1 || list[0].Error != "ABORTED" || list[0].Outcome != "interrupted" {
				t.Errorf("told is %+v", list)
			}
			if got := w.executions(t, w.MachineARN); len(got) != 1 {
				t.Errorf("started are %v", got)
			}
		})
	}
}

// A reason, and the names of fields that are none, come from whoever starts an execution. They are shown in one line,
// so that they cannot look like a line of ours.
func TestWhatIsShownOfAnInputIsOneLine(t *testing.T) {
	t.Parallel()
	w := newWorld(t, readTemplate(t))
	const lines = "x\n\nWhat to do: run\r\nthis\u2028now"
	input, err := json.Marshal(map[string]string{"client": "orders-web", "reason": lines})
	if err != nil {
		t.Fatal(err)
	}
	event := forge(t, failed(w.MachineARN, "InvalidInput", lines+": is not known"),
		map[string]any{"input": string(input)})
	if r := w.run(t, w.deployNotifier(t), event); r.Status != asl.Succeeded {
		t.Fatalf("it ended as %+v", r)
	}
	messages := w.Stack.SNS.Messages(w.TopicARN)
	if len(messages) != 1 || strings.Count(messages[0].Message, "\nWhat to do: ") != 1 ||
		strings.ContainsAny(messages[0].Message, "\r\u2028") ||
		strings.Count(messages[0].Message, "x What to do: run this now") != 2 {
		t.Errorf("told is %+v", messages)
	}
}
