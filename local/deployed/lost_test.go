package deployed_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/local/asl"
)

// failed is the event of an execution that failed.
func failed(machine, kind, cause string) string {
	// strings only
	text, _ := json.Marshal(map[string]any{"id": "6c3a9c1e-0000-4000-8000-000000000002", "time": "2026-11-23T03:00:00Z",
		"detail": map[string]any{
			"executionArn":    "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x",
			"stateMachineArn": machine,
			"status":          "FAILED", "input": `{"client": "orders-web"}`, "error": kind, "cause": cause}})
	return string(text)
}

// Of a lost lock people hear where nobody has it: then nobody puts right what the execution left.
func TestAnExecutionThatFailedIsToldInWords(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	const x = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x"
	for name, c := range map[string]struct{ owner, kind, cause, subject, users, command string }{
		"a lost lock that nobody has": {"", "LockLost", `{"errorMessage":"another has it"}`,
			"needs attention: it lost its lock, which nobody has", "not known", "start-execution"},
		"a lost lock that another has": {x + "2", "LockLost", "", "", "", ""},
		"a refusal that was proven": {x, "SecretRefused", `{"errorMessage":"refuses \"it\""}`,
			"needs attention: ended as SecretRefused", "logins may be failing", "redrive-execution"},
		"nothing was started": {"", "NotStarted", "no parameter", "not started: nothing was changed",
			"not affected", "start-execution"},
		"another client's configuration": {x, "Reconfigured", "issuer", "needs attention: ended half way",
			"not affected as far as is known", "start-execution"},
		"an input that is wrong": {"", "InvalidInput", "client: is missing",
			"needs attention: ended as InvalidInput", "not affected", "start-execution"},
		"a right that is missing": {x, "AccessDenied", `{"errorMessage":"no"}`,
			"needs attention: ended as AccessDenied", "not known", "redrive-execution"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tpl)
			if c.owner != "" {
				w.lock(t, c.owner)
			}
			if r := w.run(t, w.deployNotifier(t), failed(w.MachineARN, c.kind, c.cause)); r.Status != asl.Succeeded {
				t.Fatalf("it ended as %+v", r)
			}
			list := w.notices(t)
			if c.subject == "" {
				if len(list) > 0 {
					t.Errorf("told is %+v", list)
				}
				return
			}
			if len(list) != 1 || !strings.HasPrefix(list[0].Subject, "[orders-web] "+c.subject) ||
				!strings.HasPrefix(list[0].Users, c.users) ||
				!strings.Contains(list[0].Command, c.command) || !strings.Contains(list[0].What, c.kind) {
				t.Fatalf("told is %+v", list)
			}
			t.Log(w.Stack.SNS.Messages(w.TopicARN)[0].Message)
		})
	}
}
