package plan_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	"alboidc.internal/shared/failure"
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
		promoted          bool // a repair has made newer AWSCURRENT
		tells             string
	}{
		"a text, and a key":        {`{"clientSecret":%q}`, value, "clientSecret", false, "leave out secret.jsonKey"},
		"an object, and no key":    {"%s", object, "", false, "the new AWSCURRENT (version version-new) holds"},
		"a text, gone on with":     {`{"clientSecret":%q}`, value, "clientSecret", true, "leave out secret.jsonKey"},
		"the configured form":      {`{"clientSecret":%q}`, object, "clientSecret", false, ""},
		"that one, gone on with":   {"%s", value, "", true, ""},
		"a dead one in other form": {"%s", object, "clientSecret", true, ""},
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
