package guarantees_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
)

const repair = `{"client": "orders-web", "repair": true}`

// revoke ends AWSCURRENT at the identity provider by another hand. From then on it must not be written anywhere.
func (w *world) revoke() {
	w.t.Helper()
	store, value := w.Stack.IdP.Store(), w.current()
	w.revoked(value)
	for _, clientID := range w.Config.ClientIDs() {
		id, ok := store.Match(clientID, value, w.clock.Now())
		if !ok {
			continue
		}
		if all := store.Secrets(clientID); w.endsWhole() && all[len(all)-1].ID == id {
			w.revoked(w.acceptedAs(clientID)...)
		}
		w.end(clientID, id)
	}
}

// endsWhole: with the current secret the identity provider ends the client, and its other secrets.
func (w *world) endsWhole() bool { return w.Stack.Vendor == "keycloak" && !w.Config.IsPair() }

// acceptedAs are the stored secrets that the identity provider accepts of a client id.
func (w *world) acceptedAs(clientID string) (values []string) {
	_, stored, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, value := range secretsIn(stored) {
		if w.Stack.IdP.Store().Accepts(clientID, value, w.clock.Now()) && !slices.Contains(values, value) {
			values = append(values, value)
		}
	}
	return values
}

// setStatus switches a secret on or off at the identity provider.
func (w *world) setStatus(id string, status clients.Status) {
	if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
		_, err := e.SetStatus(id, status)
		return err
	}); err != nil {
		w.t.Error(err)
	}
}

// revoked tells the watch that values are about to end by another hand. A rotation after a repair that was stopped may
// put it back where it lives again: Keycloak brings an expired secret back as the previous one.
func (w *world) revoked(values ...string) {
	w.mu.Lock()
	w.dead, w.mended, w.left = values, false, false
	w.mu.Unlock()
	w.Stack.Faults.Observe(func(service, operation, text string) {
		if service != "elasticloadbalancing" || !strings.HasPrefix(operation, "Modify") ||
			slices.ContainsFunc(w.followed, func(arn string) bool {
				return strings.Contains(text, url.QueryEscape(arn)) || strings.Contains(text, arn)
			}) {
			return
		}
		for _, value := range values {
			if _, lives := w.Stack.IdP.Store().Match(w.ClientID, value, w.clock.Now()); !lives &&
				strings.Contains(text, value) {
				w.t.Errorf("a target gets a dead secret")
			}
		}
	})
	w.when("VerifyOldSecret", func(string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.mended = true
	})
}

// end is how a secret ends: by itself, where the provider has that; otherwise somebody removes it, or puts another in
// the only place for one.
func (w *world) end(clientID, id string) {
	err := w.Stack.IdP.Store().Update(clientID, func(e *clients.Edit) error {
		if slices.Contains([]string{"keycloak", "entra"}, w.Stack.Vendor) && !w.Config.IsPair() {
			_, err := e.Expire(id, w.clock.Now())
			return err
		}
		if err := e.Remove(id); err != nil || w.Stack.Vendor == "okta" || len(e.All()) > 0 {
			return err
		}
		_, err := e.Add(clients.Secret{ID: strangers}, "a-secret-of-somebody-else-0123456789abcdefghij")
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// strangers is the id of a secret that somebody else has made.
const strangers = "made-by-somebody-else"

// repairIfNeeded runs a repair, which has to succeed unless AWSCURRENT is accepted.
func (w *world) repairIfNeeded() {
	w.t.Helper()
	r, execution := w.rotate(repair)
	if r.Status != asl.Succeeded && !strings.Contains(text(r.Cause), "NotNeeded") {
		w.t.Fatalf("the next repair ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
}

// mustRepair runs a repair that has to succeed, and says so.
func (w *world) mustRepair() (execution string) {
	w.t.Helper()
	r, execution := w.rotate(repair)
	if r.Status != asl.Succeeded || !strings.Contains(string(r.Output), `"outcome":"repaired"`) {
		w.t.Fatalf("ended as %s %s: %s\n%v", text(r.Error), r.Output, text(r.Cause), w.path(execution))
	}
	if w.lastOutcome() != "repaired" {
		w.t.Errorf("the journal says that it ended as %s", w.lastOutcome())
	}
	return execution
}

// people returns whether a message says all of these.
func (w *world) people(say ...string) bool {
	return slices.ContainsFunc(w.mails(), func(m string) bool {
		return !slices.ContainsFunc(say, func(s string) bool { return !strings.Contains(m, s) })
	})
}

func TestADeadSecretIsReplaced(t *testing.T) {
	t.Parallel()
	own := []string{"keycloak", "entra", "okta", "hydra"} // no stranger's secret comes into the place of the dead one
	for _, y := range append(ways(), okta) {
		for _, rotated := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, rotated before: %t", y.name, rotated), func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(*world) {})
				if rotated {
					w.mustRotate()
				}
				w.revoke()
				if r, _ := w.rotate(plain); text(r.Error) != "Refused" {
					t.Errorf("a rotation ended as %s", text(r.Error))
				}
				if command := `--input '{"client": "orders-web", "repair": true}'`; rotated && !w.people(command) {
					t.Errorf("people read %q", w.mails())
				}
				w.mustRepair()
				if !w.people("repaired: a secret that is accepted is in use",
					"Since when logins failed", "Every load balancer node has had the new secret since ") {
					t.Errorf("people read %q", w.mails())
				}
				if !slices.Contains(own, y.vendor) && !w.Config.IsPair() && !y.interrupts || !rotated {
					w.tidy()
				}
				w.atRest()
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

func TestADeadSecretThatIsStoredAgainIsReplaced(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"auth0", "keycloak"} { // a pair, and where what has ended may live again
		for _, rotated := range []bool{true, false} {
			for _, state := range []string{"Plan", "CreateReplacement", "VerifyReplacement", "PromoteReplacement"} {
				t.Run(fmt.Sprintf("%s, rotated before: %t, %s", vendor, rotated, state), func(t *testing.T) {
					t.Parallel()
					w := newWorldOf(t, vendor, usual(), quick)
					if rotated {
						w.mustRotate()
					}
					w.revoke()
					if state == "Plan" {
						w.looks(state, 1, w.storeAgain) // while it proves that AWSCURRENT is dead
					} else {
						w.before(state, w.storeAgain)
					}
					w.mustRepair()
					w.tidy()
					w.mustRotate()
					w.atRest()
				})
			}
		}
	}
}

// tidy removes what nobody but a person may remove: secrets of strangers, and a dead one that no rotation ever knew.
func (w *world) tidy() {
	for _, clientID := range w.Config.ClientIDs() {
		now := w.clock.Now()
		id, _ := w.Stack.IdP.Store().Match(clientID, w.current(), now)
		for _, s := range w.Stack.IdP.Store().Secrets(clientID) {
			if s.ID == strangers && id != "" || !s.Live(now) {
				if err := w.Stack.IdP.Store().Update(clientID,
					func(e *clients.Edit) error { return e.Remove(s.ID) }); err != nil {
					w.t.Error(err)
				}
			}
		}
	}
}

func TestARepairGoesItsWay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.revoke()
	var plan struct {
		Action, Tests string
		Steps         []string
	}
	r, _ := w.rotate(`{"client": "orders-web", "repair": true, "dryRun": true}`)
	if err := json.Unmarshal(r.Output, &plan); err != nil || plan.Action != "repair" || len(plan.Steps) != 4 ||
		plan.Tests != "not run: the secret in use is dead" {
		t.Errorf("the plan is %+v (%v)", plan, err)
	}
	golden(t, "repaired", w.path(w.mustRepair()))
	if !w.people("logins are fine: ") {
		t.Errorf("people read %q", w.mails())
	}
	w.atRest()
}

// What is not dead is not repaired, and nothing that users see is touched for it.
func TestARepairOfWhatLivesChangesNothing(t *testing.T) {
	t.Parallel()
	inOrder := func(w *world) { w.mustRotate(); w.atRest() }
	for _, y := range append(ways(), okta) {
		if y.interrupts {
			continue // a new secret would be the end of the one in use
		}
		for name, c := range map[string]struct {
			end, says string
			live      func(w *world)
		}{
			"it is accepted": {"Refused", "there is nothing to repair", func(*world) {}},
			"the provider refuses every secret": {"RolledBack", "VerifyReplacement failed with ",
				func(w *world) { w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(90*time.Minute), "") }},
			"the provider refuses it for a while": {"RolledBack", "VerifyReplacement failed with StillAccepted",
				func(w *world) {
					w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(time.Hour), w.current())
					w.before("VerifyReplacement", func() { w.clock.Advance(time.Hour) })
				}},
		} {
			t.Run(y.name+", "+name, func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(*world) {})
				w.mustRotate()
				start, count := w.changes()
				current := w.current()
				c.live(w)
				w.tolerant = true // nobody can log in while the provider is ill
				start()
				r, execution := w.rotate(repair)
				w.pass(2 * time.Hour)
				w.tolerant = false
				if text(r.Error) != c.end && text(r.Error) != "Unavailable" ||
					text(r.Error) == c.end && !strings.Contains(text(r.Cause), c.says) {
					t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				if count() > 0 || w.current() != current {
					t.Errorf("%d targets were written, AWSCURRENT moved: %t", count(), w.current() != current)
				}
				w.atRest()
				inOrder(w)
			})
		}
	}
}

// A provider that is ill shows neither what lives nor what is dead: what targets have already must not be lost then.
func TestARepairSparesWhatARotationHasPutOnTargets(t *testing.T) {
	t.Parallel()
	for _, y := range append(ways(), okta) {
		if y.interrupts {
			continue
		}
		for _, ill := range []time.Duration{3 * time.Minute, time.Hour} {
			t.Run(fmt.Sprintf("%s, ill for %s", y.name, ill), func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(*world) {})
				w.mustRotate()
				w.when("AwaitSpread", func(execution string) { w.stop(execution) })
				w.rotate(plain)
				w.before("Plan", func() { w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(ill), "") })
				start, count := w.changes()
				current := w.current()
				start()
				if r, _ := w.rotate(repair); r.Status != asl.Failed || count() > 0 || w.current() != current {
					t.Errorf("ended as %s after %d writes: %s", r.Status, count(), text(r.Cause))
				}
				w.pass(2 * time.Hour)
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

// That the newest secret has ended does not show that the one before, which targets use, has ended, too: only at
// Keycloak.
func TestARepairSparesThePreviousOfOneThatHasEnded(t *testing.T) {
	t.Parallel()
	for _, y := range functionWays() {
		if !y.can.ShowsValues {
			continue
		}
		w := y.world(t, func(*world) {})
		w.when("VerifyNewSecret", w.stop)
		w.rotate(plain)
		current := w.current()
		if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
			all := e.All()
			_, err := e.Expire(all[len(all)-1].ID, w.clock.Now())
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.before("Plan", func() { w.Stack.IdP.Store().RefuseUntil(w.clock.Now().Add(3*time.Minute), "") })
		if r, _ := w.rotate(repair); r.Status != asl.Failed || w.current() != current {
			t.Errorf("ended as %s: %s", r.Status, text(r.Cause))
		}
		w.pass(2 * time.Hour)
		w.mustRotate()
		w.atRest()
	}
}

// Somebody makes another secret at Keycloak while a repair is stopped. That brings back the one that targets use, as
// the previous one, which a further secret would end.
func TestARedrivenRepairSparesWhatLivesAgain(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "keycloak", usual(), quick)
	w.mustRotate()
	w.revoke()
	w.when("CreateReplacement", w.stop)
	_, execution := w.rotate(repair)
	if _, err := w.Stack.IdP.Vendor().(*keycloaktest.Keycloak).Regenerate(w.ClientID); err != nil {
		t.Fatal(err)
	}
	inUse := w.current()
	if r := w.redrive(execution); text(r.Error) != "RolledBack" ||
		!w.Stack.IdP.Store().Accepts(w.ClientID, inUse, w.clock.Now()) {
		t.Errorf("ended as %s %s: %s", r.Status, text(r.Error), text(r.Cause))
	}
}

// A repair is stopped while the new secret is made, which comes late. Where there are two places and secrets have no
// ids, the next repair has no room for another beside the stranger's that ended AWSCURRENT: it takes what was made.
func TestWhatAStoppedRepairHadAskedForIsTaken(t *testing.T) {
	t.Parallel()
	for _, y := range append(functionWays(), way{name: "pingone", vendor: "pingone", configure: quick}) {
		if y.vendor == "lambda" && !y.can.ShowsValues {
			continue
		}
		t.Run(y.name, func(t *testing.T) {
			t.Parallel()
			w := y.world(t, func(*world) {})
			w.mustRotate()
			w.revoke()
			create := "pingone.updateSecret"
			if y.vendor == "lambda" {
				create = "lambda." + y.makes()
			}
			w.stopRepairThatAsks(create)
			all := w.Stack.IdP.Store().Secrets(w.ClientID)
			w.mustRepair()
			if id, _ := w.Stack.IdP.Store().Match(w.ClientID, w.current(), w.clock.Now()); id != all[len(all)-1].ID {
				t.Error("AWSCURRENT is not what the first repair had asked for")
			}
			w.tidy()
			w.atRest()
			w.mustRotate()
			w.atRest()
		})
	}
}

// stopRepairThatAsks stops a repair while it has asked the identity provider for a secret, which comes later.
func (w *world) stopRepairThatAsks(create string) {
	w.t.Helper()
	w.fault(fault.Rule{Service: "idp", Operation: create, Mode: fault.Delay, Latency: lateBy, Times: 1})
	w.when("CreateReplacement", func(execution string) {
		_ = w.clock.Sleep(context.Background(), 5*time.Second)
		w.stop(execution)
	})
	if r, _ := w.rotate(repair); r.Status != asl.Aborted {
		w.t.Fatalf("ended as %s: %s", r.Status, text(r.Cause))
	}
	w.pass(time.Hour)
}

// The next repair stores what was asked for in the member that the configuration names by then.
func TestWhatWasAskedForIsReadAsItIsStored(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "pingone", usual(), quick)
	w.store(fmt.Sprintf(`{"former": %q, %q: %q}`, w.current(), member, w.current()))
	w.reconfigure(func(c *config.Client) { c.Secret.JSONKey = "former" })
	w.revoke()
	w.stopRepairThatAsks("pingone.updateSecret")
	w.reconfigure(asObject)
	w.mustRepair()
	w.tidy()
	w.mustRotate()
	w.atRest()
}

// A client with followers only: nothing that was AWSCURRENT goes when a repair gives up.
func TestARepairThatGivesUpSparesWhatFollowersHave(t *testing.T) {
	t.Parallel()
	w := newWorldOf(t, "entra", usual(), following, func(c *config.Client) { c.LoadBalancers = nil })
	w.when("GracePeriod", func(execution string) { w.stop(execution) })
	w.rotate(plain)
	w.pass(2 * followersDelay)
	before := w.value(w.labels()["AWSPREVIOUS"])
	w.revoke()
	w.failing("VerifyReplacement")
	if r, _ := w.rotate(repair); text(r.Error) != "RolledBack" ||
		!w.Stack.IdP.Store().Accepts(w.ClientID, before, w.clock.Now()) {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.Stack.Faults.Clear()
	w.mustRepair()
	if w.current() != before {
		t.Error("another secret was made")
	}
}

func TestASecretOfOursThatLivesTakesThePlaceOfADeadOne(t *testing.T) {
	t.Parallel()
	interrupted := func(state string, revoke func(w *world)) func(*world) {
		return func(w *world) {
			w.when(state, func(execution string) { w.stop(execution) })
			w.rotate(plain)
			revoke(w)
		}
	}
	off := func(w *world) {
		w.revoked(w.current())
		id, _ := w.Stack.IdP.Store().Match(w.ClientID, w.current(), w.clock.Now())
		w.setStatus(id, clients.Inactive)
	}
	for name, c := range map[string]struct {
		prepare func(w *world)
		takes   string // the label that it has before
	}{
		"AWSPENDING, not on targets yet":    {interrupted("SetSecret", (*world).revoke), "AWSPENDING"},
		"AWSPENDING, on every target":       {interrupted("AwaitSpread", (*world).revoke), "AWSPENDING"},
		"AWSPREVIOUS":                       {interrupted("GracePeriod", (*world).revoke), "AWSPREVIOUS"},
		"AWSPREVIOUS, and there is no room": {interrupted("GracePeriod", off), "AWSPREVIOUS"},
		"a stranger's beside a dead one": {func(w *world) {
			w.mustRotate()
			off(w)
			w.addSecret("a-secret-of-somebody-else-0123456789abcdefghij")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			c.prepare(w)
			want := w.value(w.labels()[cmp.Or(c.takes, "AWSCURRENT")])
			w.mustRepair()
			if got := w.current() == want; got != (c.takes != "") {
				t.Errorf("%s is AWSCURRENT now: %t", c.takes, got)
			}
			if c.takes == "" {
				w.removeAllBut(w.current())
			}
			w.atRest()
			w.mustRotate()
			w.atRest()
		})
	}
}

// Where the form changed in a grace period, a repair brings the earlier one back: logins come first. People are told.
func TestARepairBringsAnEarlierFormBackAndTellsSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	was := w.current()
	w.when("GracePeriod", func(execution string) { w.stop(execution) })
	w.rotate(plain)
	w.reconfigure(asObject)
	w.store(w.object(w.current()))
	w.revoke()
	w.mustRepair()
	if w.stored() != was {
		t.Error("the repair did not take the secret that lives, as it was stored")
	}
	if !w.people("the next rotation is refused", "store a JSON object with that member") {
		t.Errorf("nobody is told of the form:\n%s", strings.Join(w.mails(), "\n\n"))
	}
	w.store(w.object(was))
	w.mustRotate()
	w.atRest()
}

// What was stored before the client id had a place in it must not become AWSCURRENT: followers of a pair read both.
func TestARepairPassesOverWhatLacksItsClientID(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"VerifyNewSecret", "AwaitSpread"} {
		w := newWorldOf(t, "auth0", usual(), quick)
		w.when(state, func(execution string) { w.stop(execution) })
		w.rotate(plain)
		pending := w.value(w.labels()["AWSPENDING"])
		w.readByFollowers()
		w.revoke()
		if state == "VerifyNewSecret" {
			w.mustRepair()
		} else { // targets have it: it must not be overwritten either
			r, execution := w.rotate(repair)
			if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "store a secret that it accepts") {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.store(strings.ReplaceAll(w.object(pending), w.ClientID, w.Config.IdentityProvider.ClientPair))
		}
		if took := w.current() == pending; took != (state == "AwaitSpread") {
			t.Errorf("%s: what lacks its client id is AWSCURRENT: %t", state, took)
		}
		w.tidy()
		w.mustRotate()
		w.atRest()
	}
}

// Keycloak refuses the rotated secret with the current one, whatever its own end. So nothing is accepted that a
// rollback could go back to, and a repair has room for a new one: what it pushes out is refused.
func TestASecretThatEndsAtKeycloakEndsThePreviousOneToo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stopAt, endAt string
		fails         bool // TestSecret
		left          int  // for the next rotation: Keycloak's current secret lives again beside the new one
	}{
		"the new one, stopped in the grace period":  {stopAt: "GracePeriod"},
		"the new one, stopped before its promotion": {stopAt: "AwaitSpread", left: 1},
		"the new one, in the grace period":          {endAt: "GracePeriod"},
		"the new one, in a rollback":                {endAt: "Quiesce", fails: true},
		"the new one, when it is off every target":  {endAt: "RemoveNewSecret", fails: true, left: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, "keycloak", usual(), quick)
			w.mustRotate()
			if c.fails {
				w.failing("TestSecret")
			}
			if c.stopAt != "" {
				w.when(c.stopAt, w.stop)
				w.rotate(plain)
				w.endClient()
			} else {
				w.when(c.endAt, func(string) { w.endClient() })
				if r, execution := w.rotate(plain); r.Status != asl.Failed {
					t.Errorf("ended as %s: %v", r.Status, w.path(execution))
				}
			}
			w.Stack.Faults.Clear()
			start, count := w.changes()
			start()
			if r, execution := w.rotate(plain); r.Status != asl.Failed || count() > 0 {
				t.Errorf("a rotation ended as %s after %d writes: %v", r.Status, count(), w.path(execution))
			}
			w.mustRepair()
			if now := w.acceptedAs(w.ClientID); len(now) != 1+c.left || !slices.Contains(now, w.current()) {
				t.Errorf("after a repair %d stored secrets are accepted", len(now))
			}
			if c.left == 0 {
				w.atRest()
			}
			w.mustRotate()
			w.atRest()
		})
	}
}

// endClient ends Keycloak's current secret, and with it every other.
func (w *world) endClient() {
	w.t.Helper()
	w.revoked(w.acceptedAs(w.ClientID)...)
	all := w.Stack.IdP.Store().Secrets(w.ClientID)
	w.end(w.ClientID, all[len(all)-1].ID)
	if now := w.acceptedAs(w.ClientID); len(now) > 0 {
		w.t.Errorf("%d stored secrets are accepted", len(now))
	}
}

// Whoever has switched off both may have meant the other only, and can switch AWSCURRENT on again.
func TestARepairDoesNotMakeRoomWithAWSCURRENT(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.mustRotate()
	w.stopAtEntry("VerifyNewSecret", 1)
	w.rotate(plain)
	current, _ := w.Stack.IdP.Store().Match(w.ClientID, w.current(), w.clock.Now())
	w.tolerant = true
	for _, s := range w.Stack.IdP.Store().Secrets(w.ClientID) {
		w.setStatus(s.ID, clients.Inactive)
	}
	w.failing("VerifyReplacement")
	if r, _ := w.rotate(repair); text(r.Error) != "RolledBack" {
		t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.Stack.Faults.Clear()
	w.setStatus(current, clients.Active)
	w.pass(time.Hour)
	w.tolerant = false
	w.mustRotate()
	w.atRest()
}

// A rotation is in its grace period most of the time: the repair takes the lock from it.
func TestARepairTakesOverFromARotation(t *testing.T) {
	t.Parallel()
	for _, dead := range []bool{true, false} {
		w := newWorld(t, quick)
		var second string
		done := make(chan struct{})
		w.when("GracePeriod", func(string) {
			if dead {
				w.revoke()
			}
			second = w.start(repair)
			close(done)
		})
		first := w.start(plain)
		<-done
		r := w.wait(second)
		if got := w.wait(first); got.Status != asl.Aborted || text(got.Error) != "TakenOver" {
			t.Errorf("the rotation ended as %s %s", got.Status, text(got.Error))
		}
		if dead != (r.Status == asl.Succeeded) {
			t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
		}
		if !dead && !w.people("start a rotation, which finishes what the execution that had the lock was doing") {
			t.Errorf("people read %q", w.mails())
		}
		if !dead {
			w.mustRotate()
		}
		w.atRest()
	}
}

// What a repair made before it was stopped cannot be rolled back, as AWSCURRENT is dead: the next repair takes it.
func TestWhoFindsARepairHalfDoneAsksForOne(t *testing.T) {
	t.Parallel()
	for _, y := range append(ways(), okta) {
		for _, input := range []string{plain, emergency} {
			t.Run(y.name+", "+input, func(t *testing.T) {
				t.Parallel()
				w := y.world(t, func(*world) {})
				w.mustRotate()
				w.revoke()
				w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"PromoteReplacement"`,
					Mode: fault.Refuse, Status: 429, Code: "TooManyRequestsException"})
				var r asl.Result
				if input == plain {
					w.when("PromoteReplacement", w.stop)
					w.rotate(repair)
					r, _ = w.rotate(plain)
				} else {
					second := w.interrupt("PromoteReplacement")
					w.start(repair)
					r = w.wait(second())
				}
				// what was dead lives again
				healed := r.Status == asl.Succeeded && (y.vendor == "keycloak" || y.interrupts)
				if !healed && text(r.Error) != "Refused" || w.journal()["owner"] != nil {
					t.Errorf("ended as %s, the lock is left to %v: %s", text(r.Error), w.journal()["owner"],
						text(r.Cause))
				}
				if command := `--input '{"client": "orders-web", "repair": true}'`; !healed &&
					!w.people("refused", command) {
					t.Errorf("people read %q", w.mails())
				}
				w.Stack.Faults.Clear()
				w.repairIfNeeded()
				w.tidy()
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

func TestAFailureOfARepairGoesForward(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"CreateReplacement", "VerifyReplacement"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.mustRotate()
			w.revoke()
			start, count := w.changes()
			start()
			w.failing(state)
			r, execution := w.rotate(repair)
			// Okta does not let go of an app's only active secret: the next repair takes that
			stays := state == "VerifyReplacement"
			if text(r.Error) != "RolledBack" || count() > 0 ||
				(len(w.Stack.IdP.Store().Secrets(w.ClientID)) > 0) != stays ||
				!w.people("not repaired: no load balancer was touched", `"repair": true}'`) {
				t.Errorf("ended as %s after %d writes: %s\n%v\n%q", text(r.Error), count(), text(r.Cause),
					w.path(execution), w.mails())
			}
			golden(t, "not-repaired-from-"+state, w.path(execution))
			w.Stack.Faults.Clear()
			w.mustRepair()
			w.atRest()
		})
	}
	for _, state := range []string{"PromoteReplacement", "RestoreLabels", "RediscoverToRestore",
		"ReassertTargetOldSecret", "RemoveNewSecret", "VerifyOldSecret"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.mustRotate()
			w.revoke()
			w.failing(state)
			r, execution := w.rotate(repair)
			if text(r.Error) == "RolledBack" || r.Status != asl.Failed {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.Stack.Faults.Clear()
			if state == "PromoteReplacement" { // nothing is promoted
				w.mustRepair()
			} else if r, execution := w.rotate(plain); r.Status != asl.Succeeded {
				t.Errorf("the next ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.atRest()
		})
	}
}

// A person may have stored a good secret meanwhile.
func TestASecretThatIsStoredDuringARepairStays(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"CreateReplacement", "VerifyReplacement", "PromoteReplacement", "RestoreTargets",
		"RemoveNewSecret"} {
		w := newWorld(t, quick)
		w.revoke()
		w.before(state, w.rotateByHand)
		if r, execution := w.rotate(repair); text(r.Error) != "Superseded" {
			t.Errorf("%s: ended as %s: %s\n%v", state, text(r.Error), text(r.Cause), w.path(execution))
		}
		w.mustRotate()
		w.atRest()
	}
}

func TestWhateverHappensToAnyCallOfARepairItConverges(t *testing.T) {
	t.Parallel()
	y := okta
	y.input, y.dead = repair, true
	explore(t, y, changesOf(t, y, "CheckInput", func(*world) {}), func(*world) {}, 20)
}

func TestWhateverHappensToACallOfARepairElsewhereItConverges(t *testing.T) {
	t.Parallel()
	for _, y := range ways() {
		if slices.Contains([]string{"cognito", "lambda", "pingone"}, y.vendor) {
			continue // a stranger's secret would be left, which is somebody's
		}
		y.input, y.dead = repair, true
		calls := providerCalls(changesOf(t, y, "CheckInput", (*world).mustRotate))
		t.Run(y.name, func(t *testing.T) { explore(t, y, calls, (*world).mustRotate, 1) })
	}
}
