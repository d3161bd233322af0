package guarantees_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

// changing parts of a message, which a golden file does not hold.
var masks = []struct{ pattern, mask string }{
	{`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`, "UUID"},
	{`20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "TIME"},
	{`(localhost|127\.\d+\.\d+\.\d+):\d+`, "HOST"},
	{`ocs[A-Za-z0-9]{17}\b`, "ID"},
}

// mail is a message as a person sees it.
func mail(subject, body string) string {
	text := "Subject: " + subject + "\n\n" + body + "\n"
	for _, m := range masks {
		text = regexp.MustCompile(m.pattern).ReplaceAllString(text, m.mask)
	}
	return text
}

// mails are all messages that people got.
func (w *world) mails() []string {
	var out []string
	for _, m := range w.Stack.SNS.Messages(w.TopicARN) {
		out = append(out, mail(m.Subject, m.Message))
		if len(m.Subject) > 100 || strings.ContainsFunc(m.Subject, func(r rune) bool { return r < ' ' || r > '~' }) {
			w.t.Errorf("SNS does not take the subject %q", m.Subject)
		}
		if m.Attributes["client"] != "orders-web" || m.Attributes["outcome"] == "" {
			w.t.Errorf("%s: the attributes are %v", m.Subject, m.Attributes)
		}
		if !strings.HasPrefix(m.Message, "Users: ") || !strings.Contains(m.Message, "\n\nWhat to do: ") {
			w.t.Errorf("%s does not begin with the users, or says nothing of what to do:\n%s", m.Subject, m.Message)
		}
	}
	return out
}

// loginsBreak: the synthetic user gets another password, so that logins fail for a reason of their own.
func (w *world) loginsBreak(string) {
	w.Stack.IdP.AddUser(idp.User{Name: w.Tester.Name, Password: "another", Email: w.Tester.Email})
}

// Every message is read here as a person reads it: testdata/messages has them all.
func TestAFailureIsToldToPeopleInWords(t *testing.T) {
	t.Parallel()
	with, without := func(*config.Client) {}, quick
	for name, c := range map[string]struct {
		configure func(*config.Client)
		prepare   func(*world)
		input     string
	}{
		"rotated":                         {with, func(*world) {}, plain},
		"rotated-without-login-tests":     {without, func(*world) {}, plain},
		"rolled-back":                     {with, func(w *world) { w.failing("TestSecret") }, plain},
		"rolled-back-without-login-tests": {without, func(w *world) { w.failing("CreateSecret") }, plain},
		"rolled-back-and-tests-unavailable": {with, func(w *world) {
			w.failing("DisableOldSecret")
			w.failing("TestAfterRollback")
		}, plain},
		"rolled-back-and-logins-fail": {with, func(w *world) {
			w.failing("SetTargetSecret")
			w.when("Quiesce", w.loginsBreak)
		}, plain},
		"rolled-back-after-a-leak": {without, func(w *world) { w.failing("VerifyNewSecret") },
			`{"client": "orders-web", "emergency": true, "reason": "leak:\n\nINC-1"}`}, // one line, whatever it holds
		"rolled-back-without-a-grace-period": {without, func(w *world) { w.failing("VerifyNewSecret") },
			`{"client": "orders-web", "gracePeriodSeconds": 0}`},
		"refused-by-plan": {without, func(w *world) {
			add(t, w, "somebody-elses-secret-0123456789abcdef")
		}, plain},
		"refused-by-a-test": {func(c *config.Client) { c.SmokeTests.Login[0].ExpectText = "a text that nobody sees" },
			func(*world) {}, `{"client": "orders-web", "reason": "monthly"}`},
		"would-be-refused": {without, func(w *world) { w.addElement() }, measure},
		"leftover":         {without, func(w *world) { w.when("VerifyNewSecret", w.stop); w.rotate(plain) }, plain},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.configure)
			w.t = t
			c.prepare(w)
			w.rotate(c.input)
			goldenFile(t, filepath.Join("testdata",
				"messages", name), strings.Join(w.mails(), strings.Repeat("-", 80)+"\n"))
		})
	}
}

// goldenFile compares a text with a file.
func goldenFile(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("run with -update if it is meant to change:\n%s\nwant:\n%s", got, want)
	}
}

// What machines hear is one object, with the texts as fields.
func TestMachinesHearOfARollbackFromItsBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.failing("TestSecret")
	w.mustRollBack()
	var heard []string
	for _, e := range w.Stack.EventBridge.Events() {
		if e.Source != "alb-oidc-rotator" {
			continue
		}
		var d struct {
			Client, Outcome, Subject, Users, What, Todo, Command, ExecutionURL, Runbook, FailedState, Error,
			Cause string
		}
		if err := json.Unmarshal(e.Detail, &d); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, e.DetailType+" "+d.Outcome)
		if d.Client != "orders-web" || d.FailedState != "TestSecret" || d.Users == "" || d.Todo == "" ||
			!strings.HasPrefix(d.What, "TestSecret failed with ") ||
			!strings.HasPrefix(d.Subject, "[orders-web] rol") || !strings.HasPrefix(d.ExecutionURL,
			"https://eu-central-1.console") || !strings.Contains(d.Runbook, "#rolledback") {
			t.Errorf("%s: %s", e.DetailType, e.Detail)
		}
	}
	if got := strings.Join(heard, ", "); got != "Client Secret Rotation Rolling Back rollingBack, Client Secret "+
		"Rotation Rolled Back rolledBack" {
		t.Errorf("machines heard %s", got)
	}
}

// entered tells when an execution entered a state first.
func (w *world) entered(states ...string) func(state string) time.Time {
	var mu sync.Mutex
	at := map[string]time.Time{}
	for _, s := range states {
		w.when(s, func(string) { mu.Lock(); at[s] = w.clock.Now(); mu.Unlock() })
	}
	return func(state string) time.Time { mu.Lock(); defer mu.Unlock(); return at[state] }
}

func TestTellingOfARollbackDoesNotHoldItUp(t *testing.T) {
	t.Parallel()
	for name, rule := range map[string]fault.Rule{
		"no answer":      {Mode: fault.Delay, Latency: time.Minute},
		"refused":        {Mode: fault.Refuse, Status: 403, Code: "AccessDenied"},
		"throttled":      {Mode: fault.Refuse, Status: 429, Code: "ThrottlingException"},
		"a lost reply":   {Mode: fault.Lose},
		"out of service": {Mode: fault.Refuse, Status: 503, Code: "ServiceUnavailable"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.t = t
			rule.Operation = "*"
			for _, service := range []string{"sns", "events"} {
				rule.Service = service
				w.fault(rule)
			}
			w.failing("TestSecret")
			at := w.entered("BeginRollback", "Quiesce")
			w.mustRollBack()
			if took := at("Quiesce").Sub(at("BeginRollback")); took > 15*time.Second {
				t.Errorf("the rollback was held up for %s", took)
			}
			w.Stack.Faults.Clear()
			w.atRest()
		})
	}
}
