package plan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// A repair goes forward only, so it must be certain that there is nothing to go back to.
func TestOnlyADeadSecretIsRepaired(t *testing.T) {
	t.Parallel()
	const repair, healing = `{"client":"orders-web","repair":true}`,
		`{"client":"orders-web","repair":true,"reason":"healing: an execution was stopped or timed out"}`
	for name, c := range map[string]struct {
		request string
		// refused is what the token endpoint refuses besides wrong secrets: AWSCURRENT, or "nothing", not even those.
		refused string
		// promoted: a repair has made AWSCURRENT what it is.
		promoted, repairs bool
		fails             failure.Kind
	}{
		"alive":                          {request: repair, fails: failure.NotNeeded},
		"dead":                           {request: repair, refused: "AWSCURRENT", repairs: true},
		"unsure":                         {request: repair, refused: "nothing", fails: failure.Unavailable},
		"unsure, healed":                 {request: healing, refused: "nothing", fails: failure.Unavailable},
		"alive, healed":                  {request: healing},
		"no repair is asked for":         {request: plain},
		"a repair is to be gone on with": {request: repair, promoted: true, repairs: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			secondSecret(w, v)
			if c.promoted {
				promoteByRepair(w)
			}
			w.Tokens.Judge(func(s secret.Value, accepted bool) (int, string) {
				current := s.Equal(secret.New(value)) == c.promoted
				if c.refused != "nothing" && !accepted || c.refused == "AWSCURRENT" && current {
					return 401, "invalid_client"
				}
				return 400, "invalid_grant"
			})
			p, err := makePlan(w, c.request)
			switch {
			case c.fails != "":
				fakes.Failed(t, err, c.fails, "AWSCURRENT (version "+older)
			case err != nil || (p.Action == rotation.Repair) != c.repairs:
				t.Errorf("a secret that lives is taken for dead, or a dead one for living: the plan is to %s (%v)",
					p.Action, err)
			}
		})
	}
}

// promoteByRepair makes newer AWSCURRENT, as a repair does.
func promoteByRepair(w *fakes.World) {
	promote(w, w.Now)
	j := w.Journal.Get()
	j.Promotion.Repair = true
	w.Journal.Set(j)
}

// lasting is the context of a call that ends at a time of the world's clock.
type lasting struct {
	context.Context
	end time.Time
}

func (l lasting) Deadline() (time.Time, bool) { return l.end, true }

// A refusal that no other secret helps to prove takes a minute and a half. A search that waits for throttled reads
// leaves that, or it would end as Throttled no more, and be tried a few times only.
func TestTheSearchOfARepairLeavesTimeForTheProof(t *testing.T) {
	t.Parallel()
	const lasts, repair = 150 * time.Second, `{"client":"orders-web","repair":true}`
	for throttled, want := range map[int]failure.Kind{20: "", 60: failure.Throttled, 200: failure.Throttled} {
		w, _ := newWorld(t)
		w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 401, "invalid_client" })
		for range throttled {
			w.Fail("DescribeRules", failure.New(failure.Throttled, "not now"))
		}
		began := w.Now
		p, err := plan.Handler{Deps: w.Deps()}.Handle(lasting{t.Context(), w.Now.Add(lasts)}, rotation.PlanInput{
			Common: w.Common(), Action: rotation.PlanDecide, Request: json.RawMessage(repair)})
		if took := w.Now.Sub(began); (err != nil) != (want != "") || err != nil && !failure.Is(err, want) ||
			err == nil && p.Action != rotation.Repair || took > lasts || err != nil && took > lasts-100*time.Second {
			t.Errorf("after %d throttled reads and %s the plan is to %q (%v)", throttled, took, p.Action, err)
		}
	}
}

// A repair takes what lives in whatever form it is stored, and says so if that is not the configured one.
func TestARepairTellsOfASecretInAnotherForm(t *testing.T) {
	t.Parallel()
	const object = `{"clientSecret":"` + value + `"}`
	for name, c := range map[string]struct {
		older, newer, key string
		state             journal.State // of newer; "" is live
		promoted          bool          // a repair has made newer AWSCURRENT
		tells             string
	}{
		"a text, and a key":        {`{"clientSecret":%q}`, value, "clientSecret", "", false, "leave out secret.jsonKey"},
		"an object, and no key":    {"%s", object, "", "", false, "the new AWSCURRENT (version version-new) holds"},
		"one that was kept":        {`{"clientSecret":%q}`, value, "clientSecret", journal.Kept, false, "leave out"},
		"a text, gone on with":     {`{"clientSecret":%q}`, value, "clientSecret", "", true, "leave out secret.jsonKey"},
		"the configured form":      {`{"clientSecret":%q}`, object, "clientSecret", "", false, ""},
		"that one, gone on with":   {"%s", value, "", "", true, ""},
		"a dead one in other form": {"%s", object, "clientSecret", "", true, ""},
		"a new one":                {older: "%s"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			dead := secret.New(w.Secrets.Value(older))
			w.Secrets.Add(older, fmt.Sprintf(c.older, w.Secrets.Value(older)))
			if c.newer != "" {
				secondSecret(w, v, "AWSPENDING")
				w.Secrets.Add(newer, c.newer)
			}
			if c.state != "" {
				j := w.Journal.Get()
				j.Secrets[newer] = journal.Entry{State: c.state, IdPSecretID: j.Secrets[newer].IdPSecretID, At: w.Now}
				w.Journal.Set(j)
			}
			w.Client.Secret.JSONKey = c.key
			if c.promoted {
				promoteByRepair(w)
			}
			w.Tokens.Judge(func(s secret.Value, accepted bool) (int, string) {
				if !accepted || s.Equal(dead) {
					return 401, "invalid_client"
				}
				return 400, "invalid_grant"
			})
			p, err := makePlan(w, `{"client":"orders-web","repair":true}`)
			if err != nil || p.Action != rotation.Repair {
				t.Fatalf("the plan is to %s (%v)", p.Action, err)
			}
			if told := p.Notice != ""; told != (c.tells != "") || !strings.Contains(p.Notice, c.tells) {
				t.Errorf("it tells %q", p.Notice)
			}
		})
	}
}

// refusing lets the token endpoint refuse a secret.
func refusing(w *fakes.World, dead string, also ...string) {
	w.Tokens.Judge(func(s secret.Value, accepted bool) (int, string) {
		if s.Equal(secret.New(dead)) || !accepted && !slices.ContainsFunc(also, func(x string) bool {
			return s.Equal(secret.New(x))
		}) {
			return 401, "invalid_client"
		}
		return 400, "invalid_grant"
	})
}

const repairs = `{"client":"orders-web","repair":true}`

// Followers of a pair read both: what was stored before the client id had a place in it must not become AWSCURRENT.
func TestARepairPassesOverWhatHasAnothersClientID(t *testing.T) {
	t.Parallel()
	for id, takes := range map[string]string{second: newer, fakes.ClientID: made} {
		w, v := slotWorld(t, memory.SlotOptions{Single: true})
		if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(value)); err != nil {
			t.Fatal(err)
		}
		w.Client.IdentityProvider.ClientPair = second
		w.Client.Secret.JSONKey, w.Client.Secret.ClientIDKey = "clientSecret", "clientId"
		w.Secrets.Add(older, `{"clientId":"anything","clientSecret":"`+memory.Initial+`"}`)
		w.Secrets.Add(newer, fmt.Sprintf(`{"clientId":%q,"clientSecret":%q}`, id, value), "AWSPENDING")
		w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
			older: {State: journal.Live, IdPSecretID: older, ClientID: fakes.ClientID, At: w.Now},
			newer: {State: journal.Live, IdPSecretID: newer, ClientID: second, At: w.Now}}})
		refusing(w, memory.Initial)
		p, err := makePlan(w, repairs)
		if err != nil || p.To.VersionID != takes || p.Notice != "" {
			t.Errorf("beside the secret is %s, and the repair takes %q (%v, %q)", id, p.To.VersionID, err, p.Notice)
		}
	}
	w := fakes.New(t, desk{memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)}, memory.Initial)
	w.Client.Secret.JSONKey, w.Client.Secret.ClientIDKey = "clientSecret", "clientId"
	w.Secrets.Add(older, `{"clientId":"anything","clientSecret":"`+memory.Initial+`"}`)
	w.Secrets.Add(newer, fmt.Sprintf(`{"clientId":"another","clientSecret":%q}`, value), "AWSPENDING")
	refusing(w, memory.Initial, value)
	_, err := makePlan(w, repairs)
	fakes.Failed(t, err, failure.Precondition, "the secret in AWSPENDING (version version-new) belongs to client id")
}

func TestThePlanOfARepairSaysWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{})
	w.Client.Secret.JSONKey = "clientSecret"
	w.Secrets.Add(older, `{"clientSecret":"`+memory.Initial+`"}`)
	v.Shift(fakes.ClientID)
	at := w.Now.Add(-time.Hour)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: older, At: at},
		newer: {State: journal.Intended, Before: []string{older}, At: at, Asked: at}}})
	refusing(w, memory.Initial)
	p, err := makePlan(w, repairs)
	if err != nil || p.To.VersionID != newer || p.Notice != "" ||
		p.Steps[0] != "take what the identity provider was asked for as version "+newer {
		t.Errorf("the plan is %+v (%v)", p, err)
	}
}

func TestARepairByHandSaysWhatToStore(t *testing.T) {
	t.Parallel()
	w := fakes.New(t, desk{memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)}, memory.Initial)
	refusing(w, memory.Initial)
	_, err := makePlan(w, repairs)
	fakes.Failed(t, err, failure.Precondition, "no new secret is stored: make one at the identity provider")
	if err != nil && strings.Contains(err.Error(), made) {
		t.Errorf("it speaks of a version that nobody makes: %v", err)
	}
}
