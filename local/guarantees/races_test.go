package guarantees_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/hydra/hydratest"
)

// storeAgain stores AWSCURRENT's value as another version, as one does who changes another member of a JSON object.
func (w *world) storeAgain() {
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err == nil {
		_, err = secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).PutSecretValue(context.Background(),
			&secretsmanager.PutSecretValueInput{
				SecretId: &w.SecretARN, SecretString: aws.String(values[labels["AWSCURRENT"]])})
	}
	if err != nil {
		w.t.Error(err)
	}
}

func TestASecretThatIsStoredAgainAtRestStays(t *testing.T) {
	t.Parallel()
	for _, vendor := range append([]string{"okta", "entra", "cognito"}, withoutIDs...) {
		for _, times := range []int{1, 2} {
			t.Run(vendor, func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, vendor, usual(), quick)
				w.mustRotate()
				for range times {
					w.storeAgain()
				}
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

func TestASecretThatIsStoredAgainInAnyStateStays(t *testing.T) {
	t.Parallel()
	for _, vendor := range append([]string{"okta", "entra"}, withoutIDs...) {
		for _, state := range []string{"CreateSecret", "SetSecret", "PromoteSecret", "GracePeriod", "DisableOldSecret",
			"FinishSecret", "ReleaseLock"} {
			if state != "CreateSecret" && !slices.Contains([]string{"okta", "entra", "pingone"}, vendor) {
				continue
			}
			t.Run(vendor+"/"+state, func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, vendor, usual(), quick)
				w.mustRotate()
				w.when(state, func(string) { w.storeAgain() })
				w.mustRotate()
				if state != "ReleaseLock" { // too late for the journal
					w.atRest()
				}
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

// A rotation is stopped, and a person goes on by hand: they store the new secret as AWSCURRENT, as another version.
func TestANewSecretThatAPersonMakesAWSCURRENTStays(t *testing.T) {
	t.Parallel()
	for _, vendor := range append([]string{"okta", "entra"}, withoutIDs...) {
		for _, state := range []string{"CreateSecret", "VerifyNewSecret", "AwaitSpread"} {
			if state == "CreateSecret" && vendor != "okta" {
				continue
			}
			t.Run(vendor+"/"+state, func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, vendor, usual(), quick)
				w.when(state, func(execution string) {
					if state == "CreateSecret" { // stored, and about to be made
						w.fault(fault.Rule{Service: "idp", Operation: "okta.createSecret", Mode: fault.Delay,
							Latency: lateBy, Times: 1})
						_ = w.clock.Sleep(context.Background(), 5*time.Second)
					}
					w.stop(execution)
				})
				w.rotate(plain)
				w.pass(time.Hour)
				w.store(w.value(w.labels()["AWSPENDING"]))
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

// The execution that goes on with it fails, and takes it back.
func TestANewSecretThatAPersonMakesAWSCURRENTGoes(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "auth0", "pingone"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			w.when("VerifyNewSecret", func(execution string) { w.stop(execution) })
			w.rotate(plain)
			w.store(w.value(w.labels()["AWSPENDING"]))
			w.pass(time.Hour)
			w.failing("TestBeforeFinish")
			if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" {
				t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			w.atRest()
			w.Stack.Faults.Clear()
			w.mustRotate()
			w.atRest()
		})
	}
}

// The same in the middle of a rotation, whose rollback waits for followers of that version.
func TestANewSecretThatFollowersReadTooEarlyGoes(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "auth0"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newFollowedWorld(t, vendor)
			fs := w.follow(w.owned()...)
			w.when("VerifyNewSecret", func(string) { w.store(w.value(w.labels()["AWSPENDING"])) })
			w.failing("SetTargetSecret")
			if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" {
				t.Fatalf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
			}
			fs.pass(followersDelay)
			w.atRest()
		})
	}
}

// The same, and the stopped execution is redriven: what AWSCURRENT holds is its own.
func TestANewSecretThatAPersonMakesAWSCURRENTIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, vendor := range append([]string{"okta", "entra", "cognito"}, withoutIDs...) {
		for _, state := range []string{"CreateSecret", "VerifyNewSecret", "AwaitSpread"} {
			t.Run(vendor+"/"+state, func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, vendor, usual(), quick)
				w.when(state, w.stop) // the function goes on
				_, execution := w.rotate(plain)
				w.pass(time.Hour)
				w.store(w.value(w.labels()["AWSPENDING"]))
				if r := w.redrive(execution); r.Status != asl.Succeeded {
					t.Errorf("it ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

// A request to make a secret that got no answer from a gateway, and is carried out later than the next try.
func TestACreateThatComesLateAtHydraEndsNothingInUse(t *testing.T) {
	t.Parallel()
	for _, after := range []time.Duration{40 * time.Second, 55 * time.Second, 70 * time.Second} {
		w := newWorldOf(t, "hydra", usual(), quick)
		w.fault(call{"idp",
			"hydra.rotateSecret", 0}.rule(1, fault.Rule{Mode: fault.Refuse, Status: http.StatusGatewayTimeout}))
		w.when("CreateSecret", func(string) {
			w.clock.Go(func() {
				_ = w.clock.Sleep(context.Background(), after)
				w.rotateAtHydra()
			})
		})
		w.mustRotate()
		w.atRest()
	}
}

// rotateAtHydra makes a new secret there, as a person, or a late request, does.
func (w *world) rotateAtHydra() {
	c := w.Stack.Authority.Client(5 * time.Second)
	resp, err := c.Post(w.Stack.IdP.URL()+"/admin/clients/orders-web/secrets/rotate", "", nil)
	if err != nil {
		w.t.Error(err)
		return
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		w.t.Errorf("rotating at Hydra: HTTP %d", resp.StatusCode)
	}
}

func TestARotationByHandAtHydraEndsNothingInUse(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"VerifyNewSecret", "GracePeriod", "AwaitReassertSpread", "FinishSecret"} {
		w := newWorldOf(t, "hydra", usual(), quick)
		w.when(state, func(string) { w.rotateAtHydra() })
		w.mustRotate()
		w.atRest()
	}
}

// Two rotations at one instant are both answered with success, and the secret of one is dead: what is made is proven
// before anything uses it.
func TestASecretThatLostARaceAtHydraIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "hydra", usual(), quick)
	w.Stack.IdP.Vendor().(*hydratest.Hydra).Outrun(1)
	r, execution := w.rotate(plain)
	if text(r.Error) != "RolledBack" || slices.Contains(w.path(execution), "SetSecret") {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.atRest()
	w.mustRotate()
	w.atRest()
}

// The reply to a create is lost, and the removal of what it made comes late.
func TestARemovalOfALostSecretThatComesLateEndsNothingInUse(t *testing.T) {
	t.Parallel()
	for _, lost := range []struct{ vendor, create, remove string }{
		{"pingone", "pingone.updateSecret", "pingone.setSecret"},
		{"keycloak", "keycloak.regenerateSecret", "keycloak.updateClient"},
		{"keycloak", "keycloak.regenerateSecret", "keycloak.deleteRotated"},
		{"hydra", "hydra.rotateSecret", "hydra.patchClient"},
	} {
		t.Run(lost.remove, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, lost.vendor, usual(), quick)
			w.fault(call{"idp", lost.create, 0}.rule(1, fault.Rule{Mode: fault.Lose}))
			n := 0
			if lost.remove == "keycloak.updateClient" {
				n = 1 // the first one only looks
			}
			w.fault(call{"idp", lost.remove, n}.rule(1, fault.Rule{Mode: fault.Delay, Latency: lateBy}))
			w.rotate(plain)
			w.Stack.Faults.Clear()
			w.converge()
			w.pass(time.Hour)
			w.atRest()
		})
	}
}

func TestTheSameSecretStoredByHandAgainIsRefused(t *testing.T) {
	t.Parallel()
	w := byHand(t)
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.StorePending(context.Background(), values[labels["AWSCURRENT"]]); err != nil {
		t.Fatal(err)
	}
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "is the one in use") ||
		len(w.notices()) != 0 {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.check("at the end")
	if len(w.violations) > 0 {
		t.Error(w.violations)
	}
}

func TestAnInterruptionThatIsRolledBackIsToldToo(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "auth0", usual(), interruptible)
	w.tolerate("CreateSecret", "Notify")
	untestable(w)
	if r, execution := w.rotate(plain); text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	told := w.notices()
	if len(told) != 1 || !strings.Contains(told[0], "This was not without downtime (allowInterruption): from ") ||
		!strings.Contains(told[0], "had the old secret again") {
		t.Errorf("people are told %q", told)
	}
	w.atRest()
}

// Entra ID: its list may lag behind, and its token servers learn of a secret one by one.
func TestEntrasQuirksAreSurvived(t *testing.T) {
	t.Parallel()
	lostReply := fault.Rule{Service: "idp", Operation: "entra.addPassword", Mode: fault.Lose, Times: 1}
	for name, quirk := range map[string]func(*world, *entratest.Entra){
		"token servers that learn one by one": func(_ *world, e *entratest.Entra) {
			e.SetReplicas(0, 20*time.Second, 45*time.Second)
		},
		"an app that requires assignment": func(w *world, e *entratest.Entra) {
			e.RequireAssignment(w.ClientID)
		},
		"a list that lags": func(_ *world, e *entratest.Entra) {
			e.SetListDelay(30 * time.Second)
		},
		"a list that lags, and a lost reply": func(w *world, e *entratest.Entra) {
			e.SetListDelay(30 * time.Second)
			w.fault(lostReply)
		},
		"a list that lags for long, and a lost reply": func(w *world, e *entratest.Entra) {
			e.SetListDelay(120 * time.Second)
			w.fault(lostReply)
		},
		"a list that lags, and a function that was lost": func(w *world, e *entratest.Entra) {
			e.SetListDelay(150 * time.Second)
			w.fault(lostSave())
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, "entra", usual(), quick)
			w.pass(time.Hour) // the first secret is known everywhere
			quirk(w, w.Stack.IdP.Vendor().(*entratest.Entra))
			if r, execution := w.rotate(plain); r.Status != asl.Succeeded {
				t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.pass(time.Hour)
			w.atRest()
		})
	}
}

// A person makes a secret, stores it as AWSCURRENT and starts an execution at once, which finishes with that secret: no
// rotation has tried it, so it is tried as a new one is before targets get it.
func TestASecretOfAPersonIsKnownEverywhereBeforeTargetsGetIt(t *testing.T) {
	t.Parallel()
	const last = 45 * time.Second // until the last token server knows it
	w := newWorldOf(t, "entra", usual(), quick, func(c *config.Client) {
		c.SmokeTests.Credential = config.CredentialTest{}
	})
	w.mustRotate()
	w.pass(time.Hour)
	w.Stack.IdP.Vendor().(*entratest.Entra).SetReplicas(0, 0, 0, 0, last)
	w.addSecret(byHandValue)
	w.store(byHandValue)
	made := w.clock.Now()
	var mu sync.Mutex
	var written time.Time
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if service == "elasticloadbalancing" && strings.HasPrefix(operation, "Modify") && written.IsZero() {
			written = w.clock.Now()
		}
	})
	w.mustEnd(w.start(emergency))
	mu.Lock()
	after := written.Sub(made)
	mu.Unlock()
	if after < last {
		t.Errorf("a target got it after %s, when a token server still refused it", after)
	}
	w.atRest()
}

// lostSave loses the answer of the Lambda function that has made the secret.
func lostSave() fault.Rule {
	return fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"CreateSecret"`, Mode: fault.Lose,
		Times: 1}
}
