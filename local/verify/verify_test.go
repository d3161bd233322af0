package verify_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/verify"
)

// find is the finding whose question begins so.
func find(t *testing.T, r verify.Report, question string) verify.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f verify.Finding) bool { return strings.HasPrefix(f.Question, question) })
	if i < 0 {
		t.Fatalf("nothing is found about %q in\n%s", question, r.Markdown())
	}
	return r.Findings[i]
}

func TestEveryMeasurementReportsWhatThereIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, plant{})
	report, err := w.do(t.Context(), w.run())
	if err != nil {
		t.Fatalf("%v\n%s", err, report.Markdown())
	}
	for question, want := range map[string]string{
		"how a load balancer authenticates": "client_secret_basic (measured)",
		"time until every node serves": "at most 3.0 s in 2 changes; spreadSeconds " +
			"should be at least 6 (as assumed)",
		"how far reads of Secrets Manager lag: a new":      "at most 0.0 s in 20 tries (as assumed)",
		"how far reads of Secrets Manager lag: AWSCURRENT": "at most 0.0 s in 20 tries (as assumed)",
		"how far Describe calls":                           "at most 0.0 s in 20 tries (as assumed)",
		"how far reads of a parameter":                     "at most 0.0 s in 20 tries (as assumed)",
		"how far DescribeExecution":                        "at most 0.0 s in 20 tries (as assumed)",
		"what a user sees":                                 "status 561 (as assumed)",
		"how long ELBAuthError":                            "0 s (as assumed)",
		"the error of InspectLockOwner": "Sfn.ExecutionDoesNotExistException, " +
			"CAUGHT_ERROR, goes on at LockOwnerStatus (as assumed)",
		"the error of StopFormerOwner": "Sfn.ExecutionDoesNotExistException, " +
			"CAUGHT_ERROR, goes on at AwaitFormerOwner (as assumed)",
		"the error of LoadClient": "Ssm.ParameterNotFoundException, " +
			"CAUGHT_ERROR, goes on at NotStarted (as assumed)",
		"the error of ReloadClient": "Ssm.ParameterNotFoundException, " +
			"CAUGHT_ERROR, goes on at Reconfigured (as assumed)",
		"the error of AcquireLock": "DynamoDB.ConditionalCheckFailedException, " +
			"CAUGHT_ERROR, goes on at ReadLockOwner (as assumed)",
		"the error of Notify": "SNS.NotFoundException, CAUGHT_ERROR, goes " +
			"on at PublishEvent (as assumed)",
		"the error of PublishEvent": "CAUGHT_ERROR, goes on at Outcome " +
			"(as assumed)",
		"the error of AwaitSpread": "States.QueryEvaluationError, FAILED " +
			"(as assumed)",
		"the error of Heal": "Sfn.ExecutionAlreadyExistsException, " +
			"CAUGHT_ERROR, goes on at Healed (as assumed)",
		"what a redrive does": "ended 60 s after the redrive (measured)",
		"whether States.ALL": "it does not: " +
			"States.DataLimitExceeded (measured)",
		"which status changes": "ABORTED, FAILED, RUNNING, SUCCEEDED " +
			"within 0 s (as assumed)",
		"the shape of these events": "missing or otherwise: none (as assumed)",
		"what EventBridge puts":     `"" within quotation marks (as assumed)`,
		"whether ExecutionsAborted": "it does, after 0 s (as assumed)",
		"whether CloudTrail shows ClientSecret in ModifyRule that fails": "masked (as assumed)",
		"whether CloudTrail shows ClientSecret in ModifyListener":        "masked (as assumed)",
		"whether CloudTrail shows ClientSecret in CreateRule":            "masked (as assumed)",
	} {
		if f := find(t, report, question); !strings.HasSuffix(f.Found+" ("+string(f.Verdict)+")", want) {
			t.Errorf("%s: %s (%s), want %s", f.Question, f.Found, f.Verdict, want)
		}
	}
	if name := "verify-live-20261129-060000"; !slices.Equal(w.deleted, []string{name}) {
		t.Errorf("removed are %q, want %s", w.deleted, name)
	}
	dir := t.TempDir()
	if err := report.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"report.md", "report.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !strings.Contains(string(b), "spreadSeconds should be at least 6") {
			t.Errorf("%s: %v\n%s", name, err, b)
		}
	}
}

func TestAMeasurementReportsWhatIsPlanted(t *testing.T) {
	t.Parallel()
	const nodes, lags, names = "how soon the nodes follow", "how far reads lag", "error names of single states"
	for name, c := range map[string]struct {
		steps           []string
		plant           plant
		question, found string
		verdict         verify.Verdict
	}{
		"slow nodes": {[]string{"logins", nodes}, plant{spread: []time.Duration{time.Second, 40 * time.Second}},
			"time until every node serves",
			"at most 39.0 s in 2 changes; spreadSeconds should be at least 78", verify.Differs},
		"a client secret in the body": {[]string{"logins"}, plant{posts: true}, "how a load balancer authenticates",
			"client_secret_post",
			verify.Measured},
		"Secrets Manager lags": {[]string{lags}, plant{lagSecrets: 5 * time.Second},
			"how far reads of Secrets Manager lag: a new",
			"at most 5.0 s in 20 tries", verify.Differs},
		"Elastic Load Balancing lags": {[]string{lags}, plant{lagELB: 9 * time.Second}, "how far Describe calls",
			"at most 9.0 s in 20 tries", verify.Differs},
		"Systems Manager lags": {[]string{lags}, plant{lagParameter: 2 * time.Second}, "how far reads of a parameter",
			"at most 2.0 s in 20 tries", verify.Differs},
		"metrics come late": {[]string{"a wrong client secret"}, plant{lagMetric: 7 * time.Minute},
			"how long ELBAuthError", "420 s", verify.Differs},
		"another error name": {[]string{names}, plant{renames: map[string]string{
			"Sfn.ExecutionDoesNotExistException": "Sfn.ExecutionGoneException"}}, "the error of InspectLockOwner",
			"Sfn.ExecutionGoneException, CAUGHT_ERROR, goes on at NotStarted", verify.Differs},
		"another service name": {[]string{names}, plant{renames: map[string]string{
			"Ssm.ParameterNotFoundException": "SSM.ParameterNotFoundException"}}, "the error of LoadClient",
			"SSM.ParameterNotFoundException, CAUGHT_ERROR, goes on at NotStarted; no retrier names errors of SSM",
			verify.Differs},
		"an alias in the events": {[]string{"executions and their events"}, plant{aliasInEvents: true},
			"the shape of these events", "ABORTED detail.stateMachineArn " +
				"arn:aws:states:eu-central-1:111122223333:stateMachine:verify-live-20261129-060000:live",
			verify.Differs},
		"a trail in clear": {[]string{"what CloudTrail is to record", nodes, "what CloudTrail shows"},
			plant{clear: true}, "whether CloudTrail shows ClientSecret in ModifyListener", "IN CLEAR",
			verify.Differs},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.plant)
			m := w.run()
			m.Take(c.steps...)
			report, err := w.do(t.Context(), m)
			if f := find(t, report, c.question); !strings.Contains(f.Found, c.found) || f.Verdict != c.verdict {
				t.Errorf("%s: %s (%s), want %s (%s); %v", f.Question, f.Found, f.Verdict, c.found, c.verdict, err)
			}
		})
	}
}

func TestWhateverHappensTheStackIsRemoved(t *testing.T) {
	t.Parallel()
	broken := errors.New("the quota of VPCs is reached")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	at := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	const own = "verify-live-20261129-060000"
	for name, c := range map[string]struct {
		ctx      context.Context
		plant    plant
		prepare  func(*world, *verify.Run)
		removed  []string
		says     string
		findings bool
	}{
		"the stack cannot be made": {plant: plant{failCreate: broken}, removed: []string{own}, says: broken.Error()},
		"Ctrl-C": {ctx: ctx, plant: plant{onCreate: cancel}, removed: []string{own},
			says: "context canceled"},
		"a call fails": {prepare: func(w *world, m *verify.Run) {
			w.SecretsManager.SetReadLag(time.Hour)
			m.Take("how far reads lag")
		},
			removed: []string{own}, says: "how far reads lag: how far reads of Secrets Manager lag: a new version by " +
				"its id: not shown after 1m0s",
			findings: true},
		"the stack cannot be removed": {plant: plant{failCreate: broken,
			failDelete: errors.New("a VPC has a dependency")},
			removed: []string{own, own, own}, says: "not removed: the stack " + own +
				" (a VPC has a dependency). Remove it: aws " +
				"cloudformation delete-stack --region eu-central-1 --stack-name " + own},
		"the stack can be removed at the second try": {plant: plant{failCreate: broken, failDeletes: 1,
			failDelete: errors.New("a VPC has a dependency")}, removed: []string{own, own}, says: broken.Error()},
		"the stack comes after its removal": {plant: plant{failCreate: broken, late: true},
			removed: []string{own, own}, says: broken.Error()},
		"a former run died": {plant: plant{failCreate: broken, former: []verify.Stack{{Name: "verify-live-1",
			Made: at.Add(-5 * time.Hour)}}}, removed: []string{"verify-live-1", own}, says: broken.Error()},
		"another run may go on": {plant: plant{former: []verify.Stack{{Name: "verify-live-1",
			Made: at.Add(-time.Hour)}}},
			says: "verify-live-1 is 1h0m0s old: wait for its run to end, or if that has died: aws cloudformation " +
				"delete-stack"},
		"a step panics": {prepare: func(_ *world, m *verify.Run) { m.Nodes = nil }, removed: []string{own},
			says: "nil pointer"},
		"the answer is no": {plant: plant{former: []verify.Stack{{Name: "verify-live-1",
			Made: at.Add(-5 * time.Hour)}}},
			prepare: func(_ *world, m *verify.Run) {
				m.Yes, m.Confirm = false, func(string) bool { return false }
			}, says: "nothing was made"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.plant)
			m := w.run()
			if c.prepare != nil {
				c.prepare(w, m)
			}
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			report, err := w.do(c.ctx, m)
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %q", err, c.says)
			}
			if !slices.Equal(w.deleted, c.removed) {
				t.Errorf("removed are %q, want %q", w.deleted, c.removed)
			}
			if c.findings {
				find(t, report, "how far Describe calls")
			}
		})
	}
}

func TestSettingsAreCheckedBeforeAnythingIsMade(t *testing.T) {
	t.Parallel()
	if _, err := verify.ReadSettings(func(name string) string {
		return map[string]string{"REGION": home, "VERIFY_SUBNETS": "subnet-1, subnet-2", "VERIFY_VPC": "vpc-1",
			"VERIFY_FROM": "192.0.2.0/24", "VERIFY_RUNS": "3"}[name]
	}); err != nil {
		t.Error(err)
	}
	for name, value := range map[string]string{"REGION": "", "REGION ": "Frankfurt", "VERIFY_FROM": "192.0.2.1",
		"VERIFY_RUNS": "0", "VERIFY_SUBNETS": "subnet-1", "VERIFY_CERTIFICATE": "local.pem"} {
		_, err := verify.ReadSettings(func(asked string) string {
			if asked == strings.TrimSpace(name) {
				return value
			}
			return map[string]string{"REGION": home}[asked]
		})
		want := strings.Replace(strings.TrimSpace(name), "VERIFY_SUBNETS", "VERIFY_VPC", 1)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s=%s: %v", name, value, err)
		}
	}
}

// What the tests make on the local stack is what the template makes.
func TestTheTemplateHasWhatIsMeasured(t *testing.T) {
	t.Parallel()
	template := verify.Template()
	if len(template) > 51200 { // CreateStack takes no more without a bucket
		t.Errorf("it has %d bytes", len(template))
	}
	for _, text := range []string{"@@", "\t"} {
		if strings.Contains(template, text) {
			t.Errorf("it has %q", text)
		}
	}
	for _, text := range []string{"SessionCookieName: VerifyRule", "InputTemplate: '{\"status\": \"<status>\", " +
		"\"missing\": \"<missing>\"}'", "missing: $.detail.thereIsNoSuchField", "Values: [/rule]"} {
		if !strings.Contains(template, text) {
			t.Errorf("it has no %s", text)
		}
	}
}
