package plan_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/rotation"
)

const canaryTag = "alb-oidc-rotator:canary"

// withLogin has a login test and a rule besides the default action: two targets.
func withLogin(w *fakes.World) {
	w.Client.SmokeTests.Login = []config.LoginTest{{URL: "https://orders.example.com/", UserSecretARN: fakes.UserARN,
		ExpectText: "welcome"}}
	w.ALB.AddRules(1)
}

func TestWhichTargetsAreCanaries(t *testing.T) {
	t.Parallel()
	emergency := `{"client":"orders-web","emergency":true}`
	for name, c := range map[string]struct {
		request string
		prepare func(*fakes.World)
		// canaries of two targets, and why there are none though something asks for them.
		canaries int
		warns    string
	}{
		"none": {plain, withLogin, 0, ""},
		"a listener with the tag": {plain, func(w *fakes.World) {
			withLogin(w)
			w.ALB.TagOn(fakes.Listener, canaryTag,
				"true")
		}, 1, ""},
		"another value": {plain, func(w *fakes.World) {
			withLogin(w)
			w.ALB.TagOn(fakes.Listener, canaryTag,
				"false")
		}, 0, ""},
		"an emergency": {emergency, func(w *fakes.World) {
			withLogin(w)
			w.ALB.TagOn(fakes.Listener, canaryTag, "true")
		}, 0, ""},
		"all of them": {plain, func(w *fakes.World) { withLogin(w); w.ALB.Tag(canaryTag, "true") }, 0,
			"every target is a canary"},
		"a repair, healed, of what lives": {`{"client":"orders-web","repair":true,"reason":"healing: it was stopped"}`,
			func(w *fakes.World) { withLogin(w); w.ALB.TagOn(fakes.Listener, canaryTag, "true") }, 0, ""},
		"in place": {plain, func(w *fakes.World) { withLogin(w); w.ALB.TagOn(fakes.Listener, canaryTag, "true") }, 0,
			"a new secret ends the one"},
		"a load balancer": {plain, func(w *fakes.World) {
			withLogin(w)
			w.Client.Canaries = []string{fakes.LoadBalancer}
			w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders"},
				Regions: []string{"eu-central-1"}}
			w.ALB.Tag("login", "orders")
		}, 0, "every target is a canary"},
		"one rule of a pair's load balancer": {plain, func(w *fakes.World) {
			withLogin(w)
			w.Client.IdentityProvider.ClientPair, w.Client.SmokeTests.Login[0].Canary = second, true
			w.ALB.TagOn(fakes.Listener, canaryTag, "true")
		}, 1, "its rules use both registrations of the pair"},
		"no login test": {plain, func(w *fakes.World) {
			w.ALB.AddRules(1)
			w.ALB.TagOn(fakes.Listener, canaryTag, "true")
		}, 0, "tested by a login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			if name == "in place" || strings.Contains(name, "a pair") {
				w, _ = slotWorld(t, memory.SlotOptions{Single: true})
				w.Client.IdentityProvider.AllowInterruption = name == "in place"
			}
			c.prepare(w)
			p, err := makePlan(w, c.request)
			if err != nil || len(p.Targets) != 2 {
				t.Fatalf("%d targets (%v)", len(p.Targets), err)
			}
			warnings := strings.Join(p.Warnings, " ")
			if n := rotation.CountCanaries(p.Targets); n != c.canaries || !strings.Contains(warnings, c.warns) ||
				c.warns == "" && strings.Contains(warnings, "no canaries in this rotation") {
				t.Errorf("%d are canaries, want %d; warnings %s", n, c.canaries, warnings)
			}
			if first := strings.Contains(strings.Join(p.Steps, " "),
				"canaries first, 1 of 2"); first != (c.canaries > 0) {
				t.Errorf("the steps are %q", p.Steps)
			}
		})
	}
}

// A rollback leaves alone what never had the secret, but only while it is certain what the others have.
func TestARollbackLeavesAloneWhatNeverHadTheSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		prepare func(*fakes.World)
		targets int
	}{
		"on a canary":     {func(*fakes.World) {}, 1},
		"on no target":    {func(w *fakes.World) { note(w, older) }, 0},
		"no note":         {func(w *fakes.World) { note(w, "") }, 2},
		"for another one": {func(w *fakes.World) { note(w, "version-before", listenerTarget) }, 2},
		"once AWSCURRENT": {func(w *fakes.World) {
			j := w.Journal.Get()
			j.Use(newer)
			w.Journal.Set(j)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			withLogin(w)
			secondSecret(w, v, "AWSPENDING")
			note(w, older, listenerTarget)
			c.prepare(w)
			p, err := makePlan(w, plain)
			if err != nil || p.Action != rotation.Rollback || len(p.Targets) != c.targets {
				t.Errorf("the next execution's plan is to %s, on %+v (%v)", p.Action, p.Targets, err)
			}
			p, err = searchBack(w, p.Targets)
			if err != nil || len(p.Targets) != c.targets || p.Spared != 2-c.targets {
				t.Errorf("the rollback is on %+v, and spares %d (%v)", p.Targets, p.Spared, err)
			}
			if c.targets < 2 && rotation.CountCanaries(p.Targets) != c.targets {
				t.Errorf("people hear that other targets were given it, too: %+v", p.Targets)
			}
		})
	}
	for name, c := range map[string]struct {
		prepare  func(*fakes.World, *memory.Vendor)
		canaries bool
		targets  int
	}{
		"while the secret that goes is AWSCURRENT": {func(w *fakes.World, v *memory.Vendor) {
			secondSecret(w, v, "AWSCURRENT") // by a person, before it was tested
			note(w, older, listenerTarget)
		}, true, 2},
		"never made":                   {func(*fakes.World, *memory.Vendor) {}, true, 0},
		"never made, without canaries": {func(*fakes.World, *memory.Vendor) {}, false, 2},
		"stored by a person, and was AWSCURRENT": {func(w *fakes.World, v *memory.Vendor) {
			secondSecret(w, v, "AWSPREVIOUS")
			forget(w)
		}, true, 2},
		"made, and the journal has lost it": {func(w *fakes.World, v *memory.Vendor) {
			secondSecret(w, v, "AWSPENDING")
			forget(w)
		}, true, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			withLogin(w)
			c.prepare(w, v)
			known := []rotation.Target{{Region: "eu-central-1", LoadBalancerARN: w.Client.LoadBalancers[0],
				ListenerARN: fakes.Listener, Canary: c.canaries}}
			if p, err := searchBack(w, known); err != nil || len(p.Targets) != c.targets {
				t.Errorf("the rollback is on %+v (%v)", p.Targets, err)
			}
		})
	}
}

// forget takes the newer secret out of the journal.
func forget(w *fakes.World) {
	j := w.Journal.Get()
	delete(j.Secrets, newer)
	w.Journal.Set(j)
}

// searchBack makes a rollback's search.
func searchBack(w *fakes.World, known []rotation.Target) (rotation.Plan, error) {
	return fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, rotation.PlanInput{Common: w.Common(),
		Action: rotation.PlanDiscover, Undo: true, Targets: known, From: rotation.Ref{VersionID: older},
		To: rotation.Ref{VersionID: newer}, Request: json.RawMessage(plain)})
}

const listenerTarget = fakes.Listener + " "

// note says in the journal which targets have the newer secret; any, if from is "".
func note(w *fakes.World, from string, canaries ...string) {
	j := w.Journal.Get()
	e := j.Secrets[newer]
	e.Unused, e.Canaries = true, nil
	j.Secrets[newer] = e
	if from != "" {
		j.Keep(newer, from)
	}
	if len(canaries) > 0 {
		j.Give(newer, canaries...)
	}
	w.Journal.Set(j)
}
