package guarantees_test

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/rotation"
)

// when runs f, once and in the background, as soon as an execution enters a state. The clock does not move until f is
// done.
func (w *world) when(state string, f func(execution string)) {
	var once sync.Once
	hook := func(execution string, e stepfunctions.Event) {
		if e.StateEntered != nil && e.StateEntered.Name == state {
			once.Do(func() { w.clock.Go(func() { f(execution) }) })
		}
	}
	w.mu.Lock()
	w.hooks = append(w.hooks, hook)
	w.mu.Unlock()
}

func (w *world) stop(execution string) {
	if _, err := w.sfn().StopExecution(context.Background(),
		&sfn.StopExecutionInput{ExecutionArn: &execution}); err != nil {
		w.t.Error(err)
	}
}

func TestASecondExecutionIsRefusedWhileOneRuns(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	var second string
	done := make(chan struct{})
	w.when("GracePeriod", func(string) { second = w.start(plain); close(done) })
	first := w.start(plain)
	<-done
	if r := w.wait(second); text(r.Error) != "LockHeld" || !strings.Contains(text(r.Cause), first) {
		t.Errorf("the second ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if r := w.wait(first); r.Status != asl.Succeeded {
		t.Errorf("the first ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestAnEmergencyInAGracePeriodEndsBothSecrets(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", w.stop)
	if r, _ := w.rotate(plain); r.Status != asl.Aborted {
		t.Fatalf("the first ended as %s", r.Status)
	}
	leaked := w.Stack.IdP.Store().Secrets(w.ClientID)
	began := w.clock.Now()
	r, execution := w.rotate(`{"client": "orders-web", "gracePeriodSeconds": 0, "reason": "leak"}`)
	if r.Status != asl.Succeeded {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	if took := w.clock.Now().Sub(began); took > time.Hour {
		t.Errorf("it took %s", took)
	}
	for _, old := range leaked {
		for _, s := range w.Stack.IdP.Store().Secrets(w.ClientID) {
			if s.ID == old.ID {
				t.Errorf("secret %s is still there", s.ID)
			}
		}
	}
	golden(t, "emergency-during-a-grace-period", w.path(execution))
	w.atRest()
}

func TestAFormerOwnerThatIsRedrivenChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("AwaitSpread", w.stop)
	_, first := w.rotate(plain)
	redriven := make(chan struct{})
	w.when("AwaitFormerOwner", func(string) {
		defer close(redriven)
		if _, err := w.sfn().RedriveExecution(context.Background(),
			&sfn.RedriveExecutionInput{ExecutionArn: &first}); err != nil {
			t.Error(err)
		}
	})
	second := w.start(plain)
	<-redriven
	if r := w.wait(second); r.Status != asl.Succeeded {
		t.Errorf("the new owner ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if r := w.wait(first); text(r.Error) != "LockLost" {
		t.Errorf("the former owner ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestARedriveGoesOnWhereFinishSecretFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.fault(fault.Rule{Service: "idp", Operation: "okta.deleteSecret", Mode: fault.Refuse, Status: 403,
		Code: "E0000006"})
	r, execution := w.rotate(plain)
	if text(r.Error) != "IdPRejected" {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if path := w.path(execution); path[len(path)-1] != "FinishSecret" {
		t.Fatalf("failed at %s", path[len(path)-1])
	}
	w.Stack.Faults.Clear()
	if r := w.redrive(execution); r.Status != asl.Succeeded {
		t.Errorf("the redrive ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestADryRunChangesNothingAndTellsThePlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	var mu sync.Mutex
	var changed []string
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		for _, c := range changing {
			if c == service+":"+operation && operation != "UpdateItem" {
				changed = append(changed, c)
			}
		}
	})
	r, execution := w.rotate(`{"client": "orders-web", "dryRun": true}`)
	if r.Status != asl.Succeeded || len(changed) > 0 {
		t.Fatalf("ended as %s %s, changed %v", r.Status, text(r.Cause), changed)
	}
	var plan rotation.Plan
	if err := json.Unmarshal(r.Output, &plan); err != nil {
		t.Fatal(err)
	}
	if plan.Action != rotation.Rotate || len(plan.Targets) != 5 || len(plan.Steps) == 0 || !plan.Import ||
		plan.From.IdPSecretID != w.FirstSecretID {
		t.Errorf("plan %+v", plan)
	}
	golden(t, "dry-run", w.path(execution))
	if got := w.lastOutcome(); got != "" {
		t.Errorf("no rotation has ended, but the last outcome is %q", got)
	}
	w.atRest()
}

func TestARefusedPlanReleasesTheLockAndNamesTheRemedy(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	add(t, w, "somebody-elses-secret-0123456789abcdef") // both of Okta's two slots are taken
	r, execution := w.rotate(plain)
	if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "no room for a new one") {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	golden(t, "refused", w.path(execution))
	if w.journal()["owner"] != nil {
		t.Error("the lock is still held")
	}
	if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 {
		t.Errorf("the identity provider holds %d secrets, a stranger's was touched", n)
	}
}

func TestASmokeTestThatFailsByItselfStopsTheRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *config.Client) { c.SmokeTests.Login[0].ExpectText = "a text that nobody sees" })
	before, labels := w.Stack.IdP.Store().Secrets(w.ClientID), w.labels()
	for _, c := range []struct{ input, lastOutcome string }{
		{`{"client": "orders-web", "dryRun": true}`, ""}, {plain, "refused"},
		{`{"client": "orders-web", "dryRun": true}`, "refused"}} {
		r, execution := w.rotate(c.input)
		if got := w.lastOutcome(); got != c.lastOutcome {
			t.Errorf("after %s the last outcome of a rotation is %q, not %q", c.input, got, c.lastOutcome)
		}
		if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
			"TestBeforeChange failed with SmokeTestFailed: ") || !strings.Contains(text(r.Cause),
			"does not contain the expected text") {
			t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
		}
		golden(t, "refused-by-its-own-tests", w.path(execution))
	}
	if after := w.Stack.IdP.Store().Secrets(w.ClientID); !reflect.DeepEqual(after, before) ||
		!reflect.DeepEqual(w.labels(), labels) {
		t.Errorf("the secrets are %+v, before they were %+v; the labels %v, before %v", after, before, w.labels(),
			labels)
	}
	w.atRest()
}

// CreateSecret does not look whether what it made is still there: a list may lag. VerifyNewSecret finds out.
func TestANewSecretThatSomebodyRemovesBeforeItIsUsedIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, func(c *config.Client) { c.SmokeTests.Credential.IntervalSeconds = aws.Int(60) })
	w.when("VerifyNewSecret", func(string) {
		store := w.Stack.IdP.Store()
		for _, s := range store.Secrets(w.ClientID) {
			if s.ID == w.FirstSecretID {
				continue
			}
			if err := store.Update(w.ClientID, func(e *clients.Edit) error { return e.Remove(s.ID) }); err != nil {
				t.Error(err)
			}
		}
	})
	if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" || !strings.Contains(text(r.Cause),
		"VerifyNewSecret failed with ") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestWhatWasLeftIsPutRightBeforeTheRehearsal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", w.stop)
	w.rotate(plain)
	w.failing("TestBeforeChange")
	r, _ := w.rotate(`{"client": "orders-web", "dryRun": true}`)
	var plan struct{ Action, Tests string }
	if err := json.Unmarshal(r.Output, &plan); err != nil || plan.Action != "finish" || !strings.HasPrefix(plan.Tests,
		"not run: ") {
		t.Errorf("the dry run ended as %s %s: action %s, tests %q (%v)", r.Status, text(r.Cause), plan.Action,
			plan.Tests, err)
	}
	if r, _ := w.rotate(`{"client": "orders-web", "gracePeriodSeconds": 0}`); text(r.Error) != "Refused" ||
		!strings.Contains(text(r.Cause), "TestBeforeChange failed") {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	if s := w.Stack.IdP.Store().Secrets(w.ClientID); len(s) != 1 || s[0].ID == w.FirstSecretID {
		t.Errorf("the identity provider holds %+v", s)
	}
	w.atRest()
	w.Stack.Faults.Clear()
	w.when("TestBeforeChange", w.stop)
	w.rotate(plain)
	w.mustRotate()
	w.atRest()
}

// Else a target with a dead secret could not be mended by a rotation.
func TestAWrongSecretOnATargetDoesNotStopItsMending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tolerant = true // until the rotation has set the target
	if err := w.changeDefault(func(c *elbtypes.AuthenticateOidcActionConfig) {
		c.ClientSecret = aws.String("a-secret-that-somebody-mistyped")
	}); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Hour)
	w.tolerate("Plan", "PromoteSecret")
	r, _ := w.rotate(`{"client": "orders-web", "dryRun": true}`)
	var plan struct{ Tests string }
	if err := json.Unmarshal(r.Output, &plan); err != nil || r.Status != asl.Succeeded || !strings.Contains(plan.Tests,
		"fails as with a wrong client secret") || w.tolerated == 0 {
		t.Errorf("the dry run ended as %s %s and tells %q (%v); %d violations", r.Status, text(r.Cause), plan.Tests,
			err, w.tolerated)
	}
	w.mustRotate()
	w.atRest()
}

// add makes a secret at the identity provider that this system knows nothing of, and returns its id.
func add(t testing.TB, w *world, value string) string {
	t.Helper()
	id := "ocsstranger000000001"
	if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: id}, value)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return id
}

func TestWrongInputIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	for input, want := range map[string]string{
		`{"clientt": "orders-web"}`: "InvalidInput client: is missing",
		// a version of the parameter
		`{"client": "orders-web:1"}`: "InvalidInput client: is missing or not the name of a client",
		// or a label of one
		`{"client": "orders-web:live"}`: "InvalidInput client: is missing or not the name of a client",
		`{"client": "../other/orders-web"}`: "InvalidInput client: is missing or " +
			"not the name of a client",
		`{"client": "orders-web\n"}`: "InvalidInput client: is missing or " +
			"not the name of a client",
		`{"client": 1}`: "InvalidInput client: is missing or " +
			"not the name of a client",
		`{"client": ["orders-web"]}`: "InvalidInput client: is missing or " +
			"not the name of a client",
		`["orders-web"]`: "InvalidInput client: is missing or " +
			"not the name of a client",
		`{"client": "nobody"}`: "NotStarted LoadClient failed with " +
			"Ssm.ParameterNotFoundException",
		`{"client": "orders-web", "grace": 1}`: "InvalidInput grace: is not known",
		`{"client": "orders-web", "gracePeriodSeconds": "1"}`: "InvalidInput gracePeriodSeconds: must " +
			"be a whole number",
		`{"client": "orders-web", "fleet": "all"}`: "InvalidInput fleet: must be the ARN of a fleet's execution",
		`{"client": "orders-web", "measure": "yes"}`: "InvalidInput measure: must be true or " +
			"false",
		`{"client": "orders-web", "measure": true, "gracePeriodSeconds": 0}`: "InvalidInput measure: cannot be given " +
			"with dryRun or gracePeriodSeconds",
		`7`:                           "InvalidInput client: is missing",
		`{"client": 7}`:               "InvalidInput client: is missing or not the name",
		`{"client": "../orders-web"}`: "InvalidInput client: is missing or not the name of a client",
		`{"client": ""}`:              "InvalidInput client: is missing or not the name of a client",
		`{"client": "orders-web", "x": 1, "y": 2}`:                               "InvalidInput x, y: is not known",
		`{"client": "orders-web", "reason": ["leak"]}`:                           "InvalidInput reason: must be a text",
		`{"client": "orders-web", "reason": "` + strings.Repeat("é", 257) + `"}`: "InvalidInput reason: must be a text",
		`{"client": "orders-web", "repair": true, "reason": "healing: x"}`:       "InvalidInput reason: must not begin",
		`{"client": "orders-web", "reason": "before the end: x"}`:                "InvalidInput reason: must not begin",
		`{"client": "orders-web", "dryRun": "true"}`: "InvalidInput dryRun: must be true " +
			"or false",
		`{"client": "orders-web", "dryRun": null}`: "InvalidInput dryRun: must be true " +
			"or false",
		`{"client": "orders-web", "emergency": 1}`: "InvalidInput emergency: must be " +
			"true or false",
		`{"client": "orders-web", "gracePeriodSeconds": -1}`: "InvalidInput gracePeriodSeconds: " +
			"must be a whole number",
		`{"client": "orders-web", "gracePeriodSeconds": 1.5}`: "InvalidInput gracePeriodSeconds: " +
			"must be a whole number",
		`{"client": "orders-web", "gracePeriodSeconds": 1e300}`: "InvalidInput gracePeriodSeconds: " +
			"must be a whole number",
		`{"client": "orders-web", "emergency": true, "dryRun": true}`: "InvalidInput emergency: cannot be " +
			"given with dryRun",
		`{"client": "orders-web", "emergency": true, "measure": true}`: "InvalidInput emergency: cannot be " +
			"given with dryRun",
		`{"client": "orders-web", "emergency": true, "gracePeriodSeconds": 0}`: "InvalidInput emergency: cannot be " +
			"given with dryRun",
	} {
		r, execution := w.rotate(input)
		if path := w.path(execution); strings.HasPrefix(want, "InvalidInput") && len(path) != 2 {
			t.Errorf("%s: before it is refused it enters %v", input, path)
		}
		if got := text(r.Error) + " " + text(r.Cause); !strings.HasPrefix(got, strings.Fields(want)[0]) ||
			!strings.Contains(got, strings.SplitN(want, " ", 2)[1]) {
			t.Errorf("%s: %s", input, got)
		}
		if names := ". There are these clients: orders-web"; strings.HasSuffix(text(r.Cause), names) !=
			strings.Contains(input, "nobody") {
			t.Errorf("%s: %s", input, text(r.Cause))
		}
	}
	if r, _ := w.rotate(`{"client": "orders-web", "reason": "` + strings.Repeat("é", 256) +
		`", "dryRun": false, "measure": false, "emergency": false, "gracePeriodSeconds": 31536000}`); r.Status != asl.Succeeded {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest()
}

func TestWhatPutsTheOldSecretBackIsHealedBeforeTheOldSecretGoes(t *testing.T) {
	t.Parallel()
	for where, put := range map[string]func(*world, func(*elbtypes.AuthenticateOidcActionConfig)) error{
		"a target": func(w *world, old func(*elbtypes.AuthenticateOidcActionConfig)) error {
			return w.changeDefault(old)
		},
		"a rule that comes": func(w *world, old func(*elbtypes.AuthenticateOidcActionConfig)) error {
			w.deployRule(old)
			return nil
		},
	} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			old := w.Stack.ELB.EffectiveSecrets(w.clock.Now())[0].Secret
			w.when("GracePeriod", func(string) { // as CloudFormation or Terraform would, with what they remember
				if err := put(w, func(o *elbtypes.AuthenticateOidcActionConfig) { o.ClientSecret = &old }); err != nil {
					t.Error(err)
				}
			})
			w.mustRotate()
			w.atRest()
		})
	}
}

func TestATargetThatChangedHandsStopsTheRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", func(string) {
		if err := w.changeDefault(func(o *elbtypes.AuthenticateOidcActionConfig) {
			o.TokenEndpoint, o.UseExistingClientSecret = aws.String("https://elsewhere.example/token"), aws.Bool(true)
		}); err != nil {
			t.Error(err)
		}
	})
	r, execution := w.rotate(plain)
	if path := strings.Join(w.path(execution), " "); text(r.Error) != "TargetDrift" || !strings.Contains(path,
		"RediscoverTargets RollBack BeginRollback") || !strings.HasSuffix(path, "RediscoverToRestore") {
		// it may use the secret that would be removed: a person has to look
		t.Errorf("ended as %s, path %s", text(r.Error), path)
	}
	w.check("at the end")
	if len(w.violations) > 0 {
		t.Error(w.violations)
	}
	if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 {
		t.Errorf("the identity provider holds %d secrets; both have to stay", n)
	}
}

func TestARollbackDoesNotGoBackToASecretThatSomebodyRemoved(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", func(string) {
		if err := w.Stack.IdP.Store().Update(w.ClientID,
			func(e *clients.Edit) error { return e.Remove(w.FirstSecretID) }); err != nil {
			t.Error(err)
		}
	})
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestBeforeFinish"`, Mode: fault.Refuse,
		Status: 403, Code: "AccessDeniedException"})
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if text(r.Error) != "SecretRefused" || path[len(path)-1] != "EnableOldSecret" {
		t.Errorf("ended at %s as %s: %s", path[len(path)-1], text(r.Error), text(r.Cause))
	}
	w.check("at the end") // no target went back to the removed secret
	w.Stack.Faults.Clear()
	w.converge()
}

func TestANotificationThatFailsDoesNotFailTheRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.fault(fault.Rule{Service: "sns", Operation: "Publish", Mode: fault.Refuse})
	w.fault(fault.Rule{Service: "events", Operation: "PutEvents", Mode: fault.Refuse})
	w.mustRotate()
	w.Stack.Faults.Clear()
	w.atRest()
}

func TestPeopleAndMachinesHearOfTheOutcome(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.mustRotate()
	messages := w.Stack.SNS.Messages(w.TopicARN)
	if len(messages) != 1 || messages[0].Subject != "[orders-web] rotated: the new secret is in use" {
		t.Errorf("messages %+v", messages)
	}
	found := false
	for _, e := range w.Stack.EventBridge.Events() {
		found = found || e.Source == "alb-oidc-rotator" && e.DetailType == "Client Secret Rotated"
	}
	if !found {
		t.Errorf("no event among %d", len(w.Stack.EventBridge.Events()))
	}
}

func TestASlowIdentityProviderIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.Stack.IdP.Store().SetActivationDelay(90 * time.Second) // a new secret is refused at first, as at Entra ID
	w.mustRotate()
	w.atRest()
}

// Many clients rotate at once: whoever throttles is waited for in each step, longer than it asks.
func TestWhoThrottlesIsWaitedFor(t *testing.T) {
	t.Parallel()
	const lasts = 200 * time.Second
	for service, c := range map[string]struct {
		status int
		code   string
		states string
	}{
		"idp": {429, "E0000047", "Plan CreateSecret VerifyNewSecret TestSecret VerifyBeforeReassert TestBeforeFinish " +
			"DisableOldSecret TestAfterDisable FinishSecret"},
		"elasticloadbalancing": {400, "Throttling", "SetSecret RediscoverTargets ReassertSecret"},
		"secretsmanager":       {400, "ThrottlingException", "PromoteSecret"},
	} {
		for _, state := range strings.Fields(c.states) {
			t.Run(state, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, quick)
				began, until := w.clock.Now(), time.Time{}
				w.hook(state, func() {
					until = w.clock.Now().Add(lasts)
					w.fault(fault.Rule{Service: service, Operation: "*", Mode: fault.Refuse, Status: c.status,
						Code: c.code})
				})
				w.clock.OnMove(func(now time.Time) {
					if !until.IsZero() && now.After(until) {
						w.Stack.Faults.Clear()
					}
				})
				w.mustRotate()
				if took := w.clock.Now().Sub(began); took < lasts {
					t.Errorf("it took %s: nobody was throttled", took)
				}
				w.atRest()
			})
		}
	}
}

func TestReadsThatLagBehindWritesAreWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.Stack.SecretsManager.SetReadLag(2 * time.Second)
	w.mustRotate()
	w.Stack.SecretsManager.SetReadLag(0)
	w.atRest()
}

func TestALockOfAnExecutionThatTimedOutIsTakenOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("TestSecret", w.stop)
	_, first := w.rotate(plain)
	_, second := w.rotate(plain)
	path := strings.Join(w.path(second), " ")
	if !strings.Contains(path, "InspectLockOwner LockOwnerStatus TakeOverLock AwaitFormerOwner Plan") {
		t.Errorf("path %s after %s", path, first)
	}
	out, err := w.sfn().DescribeExecution(context.Background(), &sfn.DescribeExecutionInput{ExecutionArn: &second})
	if err != nil || out.Status != types.ExecutionStatusSucceeded {
		t.Errorf("%v %v", out, err)
	}
	w.atRest()
}
