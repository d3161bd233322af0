package guarantees_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/pingone/pingonetest"
	"alboidc.internal/shared/rotation"
)

const measure = `{"client":"orders-web","measure":true}`

// measured is the output of an execution that measured.
func (w *world) measured(execution string) rotation.Measured {
	w.t.Helper()
	r := w.wait(execution)
	var m rotation.Measured
	if r.Status != asl.Succeeded || json.Unmarshal(r.Output, &m) != nil || m.Client == "" {
		w.t.Fatalf("ended as %s: %s %s", r.Status, r.Output, text(r.Cause))
	}
	return m
}

func TestAMeasurementChangesNothingAndTellsHowTheClientIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.pass(40 * 24 * time.Hour)
	var mu sync.Mutex
	var changed []string
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if slices.Contains(changing, service+":"+operation) {
			changed = append(changed, service+":"+operation)
		}
	})
	execution := w.start(measure)
	if m := w.measured(execution); m.SecretAgeSeconds < 40*86400 || !m.SecretAccepted || m.LockHeldSeconds != 0 {
		t.Errorf("a secret that was stored 40 days ago: %+v", m)
	}
	golden(t, "measured", w.path(execution))
	if len(changed) > 0 || w.journal()["lastOutcome"] != nil {
		t.Errorf("changed %v, journal %v", changed, w.journal())
	}
	w.mustRotate()
	if m := w.measured(w.start(measure)); m.SecretAgeSeconds > int(grace/time.Second)+3600 || !m.SecretAccepted {
		t.Errorf("after a rotation: %+v", m)
	}
	if r, _ := w.rotate(`{"client": "orders-web", "dryRun": true}`); r.Status != asl.Succeeded {
		t.Errorf("the dry run ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if got := w.lastOutcome(); got != "rotated" {
		t.Errorf("after a measurement and a dry run the last outcome of a rotation is %q", got)
	}
	w.atRest()
}

func TestAMeasurementTellsWhenTheProviderEndsTheSecret(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		vendor  string
		prepare func(*world)
		after   time.Duration // since the rotation
		low     time.Duration // the end is in low to low and a day; 0 is not at all
	}{
		"okta gives secrets no end": {"okta", func(*world) {}, 0, 0},
		// of 180 days; the grace period was 7
		"entra gives them one": {"entra", func(*world) {}, 60 * day, 112 * day},
		"pingone gives a previous one 30 days": {"pingone",
			func(w *world) { w.Stack.IdP.Vendor().(*pingonetest.PingOne).RefuseValues(); untestable(w) }, 25 * day,
			4 * day},
		"keycloak gives them one by a policy":        {"keycloak", func(*world) {}, 10 * day, 162 * day}, // of 180
		"and the current one none, after a rotation": {"pingone", func(*world) {}, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, c.vendor, usual(), quick, neverBeforeEnd)
			c.prepare(w)
			_, execution := w.rotate(plain)
			w.pass(c.after)
			m := w.measured(w.start(measure))
			if c.low == 0 {
				if m.SecretEnds != "" || strings.Contains(w.logs.String(), "SecretEndsIn") {
					t.Errorf("it ends at %s", m.SecretEnds)
				}
				return
			}
			ends, err := time.Parse(time.RFC3339, m.SecretEnds)
			if left := ends.Sub(w.clock.Now()); err != nil || left < c.low || left > c.low+day {
				t.Errorf("it ends at %q, in %s, want %s\n%v", m.SecretEnds, left, c.low, w.path(execution))
			}
			if !strings.Contains(w.logs.String(), `"SecretEndsIn":`) {
				t.Error("there is no metric of it")
			}
		})
	}
}

func neverBeforeEnd(c *config.Client) { c.RotateBeforeEndDays = aws.Int(0) }

// startedOf is the ARN of an execution that a measurement has started.
func (w *world) startedOf(name string) string {
	w.t.Helper()
	if name == "" {
		w.t.Fatal("no rotation is started")
	}
	return w.execution(name)
}

func TestAMeasurementRotatesOnceBeforeTheProviderEndsTheSecret(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	type vendorCase struct {
		prepare     func(*world)
		early, late time.Duration // since the rotation, which took 7 days
		followed    time.Duration // later with followers: it took an hour
	}
	for vendor, c := range map[string]vendorCase{
		"entra":    {func(*world) {}, 140 * day, 15 * day, 14 * day}, // of 180 days
		"keycloak": {func(*world) {}, 140 * day, 25 * day, 7 * day},  // of 180 days
		"pingone": {func(w *world) { w.Stack.IdP.Vendor().(*pingonetest.PingOne).RefuseValues(); untestable(w) },
			10 * day, 7 * day, 0}, // of 30 days, since a rollback
	} {
		rotate := func(t *testing.T, configure func(*config.Client), follow func(*world) *followers) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), configure)
			fs := follow(w)
			c.prepare(w)
			w.rotate(plain)
			w.Stack.Faults.Clear()
			w.pass(c.early)
			if m := w.measured(w.start(measure)); m.SecretEnds == "" || m.Start != "" {
				t.Fatalf("early it measures %+v", m)
			}
			if w.pass(c.late); fs != nil { // the rotation took less, and the next one will
				w.pass(c.followed)
			}
			told := len(w.mails())
			execution := w.start(measure)
			m := w.measured(execution)
			started := w.startedOf(m.Start)
			if vendor == "entra" && fs == nil {
				golden(t, "before-the-end", w.path(execution))
			}
			w.pass(time.Minute) // it has the lock
			if m := w.measured(w.start(measure)); m.Start != "" && m.Start != nameOf(started) {
				t.Errorf("a second measurement starts %+v", m)
			}
			began := w.clock.Now()
			if r := w.wait(started); r.Status != asl.Succeeded {
				t.Fatalf("it ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(started))
			}
			if m := w.measured(w.start(measure)); m.Start+m.NotRotated != "" {
				t.Errorf("after it: %+v", m)
			}
			mails := w.mails()[told:]
			if len(mails) != 2 || !strings.Contains(mails[0], "ends the secret in use soon: a rotation is started") ||
				!strings.Contains(mails[1], "Reason of the execution: before the end: the identity provider ends") {
				t.Errorf("people are told %q", mails)
			}
			if took := w.clock.Now().Sub(began); fs != nil &&
				(took < followersDelay || took > followersDelay+time.Hour) {
				t.Errorf("with followers it took %s", took)
			}
			w.atRest()
		}
		t.Run(vendor, func(t *testing.T) { rotate(t, quick, func(*world) *followers { return nil }) })
		t.Run(vendor+" with followers and a shorter grace period", func(t *testing.T) {
			rotate(t, func(c *config.Client) { following(c); c.GracePeriodSeconds = aws.Int(60) },
				func(w *world) *followers { return w.follow(w.owned()...) })
		})
	}
}

func TestARotationBeforeTheEndThatFailedIsTold(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	w := newWorldOf(t, "entra", usual(), quick)
	w.mustRotate()
	w.pass(w.clock.Now().Truncate(day).Add(day + 10*time.Hour).Sub(w.clock.Now())) // no midnight while it tries
	w.pass(155 * day)

	// Somebody else has the lock just then, and rolls back.
	untestable(w)
	name := rotation.BeforeEndName("orders-web", w.labels()["AWSCURRENT"]) + w.clock.Now().UTC().Format("-20060102")
	var other string
	w.when("VerifyNewSecret", func(string) { other = w.startAs(name) })
	if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" {
		t.Fatalf("the other one ended as %s", text(r.Error))
	}
	if r := w.wait(other); text(r.Error) != "LockHeld" {
		t.Fatalf("the first one ended as %s", text(r.Error))
	}
	told := len(w.mails())
	execution := w.start(measure)
	if m := w.measured(execution); m.Start != name || m.NotRotated != "" {
		t.Errorf("on that day it measures %+v", m)
	}
	golden(t, "before-the-end-again", w.path(execution))
	if n := len(w.mails()); n != told {
		t.Errorf("%d messages of a rotation that had been started", n-told)
	}

	// The next day's is rolled back, and no other is started.
	w.pass(day)
	m := w.measured(w.start(measure))
	if r := w.wait(w.startedOf(m.Start)); text(r.Error) != "RolledBack" || m.Start == name {
		t.Fatalf("%s ended as %s", m.Start, text(r.Error))
	}
	w.Stack.Faults.Clear()
	for range 2 {
		w.pass(day)
		execution = w.start(measure)
		if again := w.measured(execution); again.Start != "" ||
			!strings.Contains(again.NotRotated, "ended as rolledBack: "+w.startedOf(m.Start)) {
			t.Errorf("after it was rolled back: %+v", again)
		}
		if mails := w.mails(); !strings.Contains(mails[len(mails)-1], "mend what kept it from rotating") {
			t.Errorf("people are told %q", mails[len(mails)-1])
		}
	}
	golden(t, "before-the-end-failed", w.path(execution))
	w.mustRotate()
	w.atRest()
}

// startAs starts a rotation by a name and does not wait.
func (w *world) startAs(name string) string {
	out, err := w.sfn().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &w.MachineARN,
		Name: &name, Input: aws.String(plain)})
	if err != nil {
		w.t.Error(err)
		return ""
	}
	return *out.ExecutionArn
}

func TestAMeasurementThatMayStartNothingTellsSo(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick)
	w.mustRotate()
	w.pass(160 * 24 * time.Hour)
	w.fault(fault.Rule{Service: "states", Operation: "StartExecution", Match: "before the end", Mode: fault.Refuse,
		Status: 400, Code: "AccessDeniedException", Times: 100})
	m := w.measured(w.start(measure))
	if mails := w.mails(); !strings.Contains(m.NotRotated, "no rotation could be started for that: Sfn.") ||
		!strings.Contains(mails[len(mails)-1], m.NotRotated) {
		t.Errorf("measured %+v, told %q", m, mails)
	}
	w.addElement()
	if m := w.measured(w.start(measure)); m.Start != "" || !strings.Contains(m.RotationRefused,
		"and the identity provider ends the secret in use by itself at ") {
		t.Errorf("a rotation that would be refused: %+v", m)
	}
}

// Keycloak ends every secret that a policy covers, after 180 days here, also one that was never rotated.
func TestThePlanTellsThatKeycloakEndsTheSecretSoon(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick, neverBeforeEnd)
	for _, when := range []string{"before the first rotation", "after it"} {
		for _, c := range []struct {
			days int
			soon bool
		}{{100, false}, {60, true}} { // one after the other
			w.pass(time.Duration(c.days) * 24 * time.Hour)
			r, execution := w.rotate(`{"client":"orders-web","dryRun":true}`)
			if strings.Contains(string(r.Output),
				"the identity provider ends the secret in use by itself at ") != c.soon || r.Status != asl.Succeeded {
				t.Errorf("%s, %d days later, the plan warns is not %v: %s\n%v", when, c.days, c.soon, r.Output,
					w.path(execution))
			}
			if m := w.measured(w.start(measure)); m.SecretEnds == "" {
				t.Errorf("%s it is not measured when the secret ends", when)
			}
		}
		w.mustRotate()
	}
}

func TestAMeasurementDuringARotationDoesNotDisturbIt(t *testing.T) {
	t.Parallel()
	states := []string{"VerifyNewSecret", "SetSecret", "PromoteSecret", "TestSecret", "GracePeriod", "FinishSecret"}
	w := newWorld(t, quick)
	var mu sync.Mutex
	var during []string
	for _, state := range states {
		w.when(state, func(string) {
			mu.Lock()
			defer mu.Unlock()
			during = append(during, w.start(measure))
		})
	}
	w.mustRotate()
	w.atRest()
	if len(during) != len(states) {
		t.Fatalf("%d measurements in %v", len(during), states)
	}
	for _, execution := range during {
		if m := w.measured(execution); !m.SecretAccepted {
			t.Errorf("measured %+v", m)
		}
	}
}

// A rotation that was left behind keeps the lock: the longer it does, the more it needs somebody.
func TestAMeasurementTellsHowLongALockIsLeftBehind(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", w.stop)
	if r, _ := w.rotate(plain); r.Status != asl.Aborted {
		t.Fatalf("ended as %s", r.Status)
	}
	w.pass(30 * time.Hour)
	if m := w.measured(w.start(measure)); m.LockHeldSeconds < 30*3600 {
		t.Errorf("measured %+v", m)
	}
	w.mustRotate()
	w.atRest()
}

func TestAMeasurementThatFailsIsNoFailedRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.fault(fault.Rule{Service: "secretsmanager", Operation: "DescribeSecret", Mode: fault.Refuse, Status: 400,
		Code: "AccessDeniedException"})
	execution := w.start(measure)
	r := w.wait(execution)
	if r.Status != asl.Succeeded || !strings.Contains(string(r.Output), "notMeasured") ||
		!strings.Contains(string(r.Output), "labels") {
		t.Errorf("ended as %s: %s", r.Status, r.Output)
	}
	golden(t, "not-measured", w.path(execution))
	if n := len(w.Stack.SNS.Messages(w.TopicARN)); n != 0 {
		t.Errorf("%d notifications", n)
	}
}

// Who reads only messages must hear of it before a rotation is due. It is a measurement all the same, also if telling
// fails.
func TestAMeasurementTellsPeopleOfARefusalAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.measured(w.start(measure))
	if n := len(w.Stack.SNS.Messages(w.TopicARN)); n != 0 {
		t.Fatalf("%d notifications of a client that can be rotated", n)
	}
	w.addElement()
	execution := w.start(measure)
	if m := w.measured(execution); !m.SecretAccepted || !strings.Contains(m.RotationRefused,
		"acceptElements: [ShinyConfig]") {
		t.Errorf("measured %+v", m)
	}
	golden(t, "would-be-refused", w.path(execution))
	var heard []string
	for _, e := range w.Stack.EventBridge.Events() {
		if e.Source == "alb-oidc-rotator" {
			heard = append(heard, e.DetailType)
		}
	}
	if mails := w.mails(); len(mails) != 1 || strings.Join(heard, ", ") != "Client Secret Rotation Would Be Refused" {
		t.Fatalf("people heard %q, machines %q", mails, heard)
	}
	_, input, _ := strings.Cut(w.Stack.SNS.Messages(w.TopicARN)[0].Message, "--input '")
	input, _, _ = strings.Cut(input, "'\n")
	if r, _ := w.rotate(input); text(r.Error) != "Refused" || !strings.Contains(input, `"dryRun": true`) {
		t.Errorf("the command of the message, %s, ended as %s: %s", input, r.Status, text(r.Error))
	}
	w.fault(fault.Rule{Service: "sns", Operation: "Publish", Mode: fault.Refuse, Status: 403,
		Code: "AuthorizationError", Times: 100})
	w.measured(w.start(measure))
}
