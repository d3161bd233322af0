package guarantees_test

import (
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
)

// outage is how long a server answered every right secret like a wrong one.
const outage = 40 * time.Second

// falls makes the token endpoint refuse right secrets from the moment that a state is entered: one version's, or all.
func (w *world) falls(state string, d time.Duration, version func() string) {
	w.when(state, func(string) {
		value := ""
		if version != nil {
			value = w.value(version())
		}
		w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(d), value)
	})
}

// value of a version.
func (w *world) value(version string) string {
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil || values[version] == "" {
		w.t.Errorf("version %q has no value (%v)", version, err)
	}
	return values[version]
}

func (w *world) ends(t *testing.T, want string) {
	t.Helper()
	r, execution := w.rotate(plain)
	if got := text(r.Error); got != want || want == "" && r.Status != asl.Succeeded {
		t.Fatalf("ended as %q, want %q: %s\n%v", got, want, text(r.Cause), w.path(execution))
	}
}

// A server that has lost its database for 40 s refuses everything (seen at Ory Hydra).
func TestAnOutageOfTheTokenEndpointUndoesNothing(t *testing.T) {
	t.Parallel()
	for vendor, states := range map[string][]string{
		"okta": {"Plan", "VerifyNewSecret", "TestSecret", "TestBeforeFinish", "DisableOldSecret",
			"TestAfterDisable", "FinishSecret"},
		"hydra":     {"Plan", "CreateSecret", "VerifyNewSecret", "TestSecret", "FinishSecret"},
		"keycloak":  {"TestSecret", "FinishSecret"},
		"auth0":     {"Plan", "CreateSecret", "TestSecret", "FinishSecret"},
		"authentik": {"Plan", "CreateSecret", "TestSecret", "FinishSecret"},
	} {
		for _, state := range states {
			t.Run(vendor+" "+state, func(t *testing.T) {
				t.Parallel()
				w := newWorldOf(t, vendor, usual(), quick)
				w.falls(state, outage, nil)
				w.ends(t, "")
				w.atRest()
			})
		}
	}
}

// In place, there is no other secret that could show that the server is ill.
func TestAnOutageUndoesNoRotationInPlace(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"TestSecret", "TestAfterDisable", "FinishSecret"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, "auth0", usual(), interruptible)
			w.tolerate("CreateSecret", "TestSecret")
			w.falls(state, outage, nil)
			w.ends(t, "")
			w.atRest()
		})
	}
}

// The old secret must be gone at the end although the token endpoint says so before it is.
func TestAFalseRefusalOfTheOldSecretEndsNoRotation(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "hydra", "keycloak", "pingone", "auth0", "authentik"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			w.falls("FinishSecret", outage, func() string { return w.labels()["AWSPREVIOUS"] })
			w.ends(t, "")
			w.atRest()
		})
	}
}

// The same in a rollback, where the new one goes.
func TestAFalseRefusalOfTheNewSecretLeavesNone(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "hydra", "keycloak", "auth0", "authentik"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			untestable(w)
			made := ""
			w.when("TestSecret", func(string) { made = w.labels()["AWSCURRENT"] })
			w.falls("RemoveNewSecret", outage, func() string { return made })
			w.ends(t, "RolledBack")
			w.atRest()
		})
	}
}

// What is refused while another secret is accepted is refused.
func TestANewSecretThatIsRefusedAloneRollsBackSoon(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	var began time.Time
	w.when("TestSecret", func(string) { began = w.clock.Now() })
	w.falls("TestSecret", time.Hour, func() string { return w.labels()["AWSCURRENT"] })
	var took time.Duration
	w.when("Quiesce", func(string) { took = w.clock.Now().Sub(began) })
	w.ends(t, "RolledBack")
	if took > 40*time.Second {
		t.Errorf("it took %s", took)
	}
	w.pass(time.Hour)
	w.atRest()
}

// By another hand, the registration that is idle now has a secret of its own.
func TestAStrangersSecretInTheIdleRegistrationSurvives(t *testing.T) {
	t.Parallel()
	const strangers = "secret-of-a-stranger-0123456789abcdef"
	set := func(w *world, clientID string) {
		err := w.Stack.IdP.Store().Update(clientID, func(e *clients.Edit) error {
			for _, s := range e.All() {
				if err := e.Remove(s.ID); err != nil {
					return err
				}
			}
			_, err := e.Add(clients.Secret{ID: "by-another-hand"}, strangers)
			return err
		})
		if err != nil {
			w.t.Error(err)
		}
	}
	for name, c := range map[string]struct {
		state   string
		idle    int
		ends    string
		prepare func(*world)
	}{
		"in the grace period": {"GracePeriod", 0, "", func(*world) {}},
		"in a rollback":       {"RemoveNewSecret", 1, "RolledBack", untestable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, "auth0", usual(), quick)
			c.prepare(w)
			idle := w.Config.ClientIDs()[c.idle]
			w.when(c.state, func(string) { set(w, idle) })
			w.ends(t, c.ends)
			w.atRest()
			if !w.Stack.IdP.Store().Accepts(idle, strangers, w.clock.Now()) {
				t.Error("the stranger's secret is gone")
			}
		})
	}
}

// Somebody makes a new secret in Keycloak's admin console: ours is the previous one then, and the old one gone.
func TestARotationByAnotherHandAtKeycloakSurvives(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick)
	var theirs string
	w.when("GracePeriod", func(string) {
		var err error
		if theirs, err = w.Stack.IdP.Vendor().(*keycloaktest.Keycloak).Regenerate(w.ClientID); err != nil {
			t.Error(err)
		}
	})
	w.ends(t, "")
	w.check("at the end")
	for what, value := range map[string]string{"theirs": theirs, "the one in use": w.value(w.labels()["AWSCURRENT"])} {
		if !w.Stack.IdP.Store().Accepts(w.ClientID, value, w.clock.Now()) {
			t.Errorf("%s is gone", what)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.violations {
		t.Error(v)
	}
}
