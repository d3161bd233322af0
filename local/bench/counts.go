package bench

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/statemachine"
)

// way is a provider, and how its client is rotated.
type way struct {
	name, vendor string
	configure    func(*config.Client)
}

// quick leaves one redirect test and no login test.
func quick(c *config.Client) {
	c.SmokeTests.Redirect, c.SmokeTests.Login = c.SmokeTests.Redirect[:1], nil
}

// ways are all kinds of provider whose secrets this system makes, and Hydra's pair.
func ways() []way {
	var out []way
	for _, kind := range slices.Sorted(maps.Keys(imitations.All)) {
		if len(imitations.All[kind].Changes) > 0 {
			out = append(out, way{kind, kind, quick})
		}
	}
	return append(out, way{"hydra as a pair", "hydra", func(c *config.Client) {
		quick(c)
		c.IdentityProvider.ClientPair = imitations.All["hydra"].PairID
	}})
}

// leaks are how long a leaked secret lives after the start of an emergency, over the spread, without the time that the
// smoke tests take themselves.
func leaks(ctx context.Context) ([]Row, error) {
	var rows []Row
	for _, y := range ways() {
		configure := func(c *config.Client) {
			y.configure(c)
			c.SmokeTests.Credential = config.CredentialTest{} // each provider's own pace
		}
		r, tested, err := leak(ctx, y.vendor, configure, func(*world) {})
		if err != nil {
			return nil, fmt.Errorf("a leak at %s: %w", y.name, err)
		}
		rows = append(rows, Row{"leak to dead ÷ spread", y.name, r, "", goal(1.3), true})
		if tested > 0 {
			rows = append(rows,
				Row{"leak to dead ÷ spread", y.name + ": the smoke tests' own time", tested, "", nil, true})
		}
	}
	settle := float64(statemachine.Settle(statemachine.Functions())) / float64(spread)
	taken := 1.3 + settle // the wait of a take-over
	for _, c := range []struct {
		name   string
		before func(*world)
		most   float64
	}{
		{"okta, taken over in a grace period: the older secret",
			func(w *world) { w.interruptAt = "GracePeriod" }, taken},
		{"okta, after a rotation was stopped in its grace period: the older secret",
			func(w *world) { w.stopAt = "GracePeriod" }, taken},
		// which is rolled back first: one more such wait, and a spread
		{"okta, after a rotation was stopped in AwaitSpread",
			func(w *world) { w.stopAt = "AwaitSpread" }, taken + settle + 1},
	} {
		r, _, err := leak(ctx, "okta", quick, c.before)
		if err != nil {
			return nil, fmt.Errorf("a leak at %s: %w", c.name, err)
		}
		rows = append(rows, Row{"leak to dead ÷ spread", c.name, r, "", goal(c.most), true})
	}
	return rows, nil
}

// leak starts an emergency, after what before arranges, and returns how long the secret lives that was in use before
// anything, over the spread: without the smoke tests, and they.
func leak(ctx context.Context, vendor string, configure func(*config.Client), before func(*world)) (ratio,
	tested float64, err error) {
	w, err := newWorld(ctx, vendor, configure)
	if err != nil {
		return 0, 0, err
	}
	defer w.close()
	before(w)
	leaked, err := w.current()
	if err != nil {
		return 0, 0, err
	}
	dead := w.death(leaked)
	execution, began, err := w.startEmergency(ctx)
	if err != nil {
		return 0, 0, err
	}
	events, err := w.finish(ctx, execution)
	if err != nil {
		return 0, 0, err
	}
	died := dead()
	if died.IsZero() {
		return 0, 0, fmt.Errorf("the leaked secret still lives after %s", w.clock.Now().Sub(began))
	}
	t := scenario.TimesOf(events, died)
	return float64(died.Sub(began)-t.Tests) / float64(spread), float64(t.Tests) / float64(spread), nil
}

// startEmergency starts one, into a rotation that runs, after one that was stopped, or by itself.
func (w *world) startEmergency(ctx context.Context) (execution string, began time.Time, err error) {
	at := cmp.Or(w.interruptAt, w.stopAt)
	if at == "" {
		execution, err = w.start(ctx, emergency)
		return execution, w.clock.Now(), err
	}
	reached := make(chan error, 1)
	w.when(at, func(former string) {
		if w.stopAt != "" {
			reached <- w.stop(ctx, former)
			return
		}
		began = w.clock.Now()
		execution, err = w.start(ctx, emergency)
		reached <- err
	})
	former, err := w.start(ctx, plain)
	if err != nil {
		return "", began, err
	}
	if err := <-reached; err != nil || w.stopAt == "" {
		return execution, began, err
	}
	if _, err := w.Stack.StepFunctions.Wait(ctx, former); err != nil {
		return "", began, err
	}
	began = w.clock.Now()
	execution, err = w.start(ctx, emergency)
	return execution, began, err
}

// death returns when the identity provider was first seen to refuse a value, from now on.
func (w *world) death(value string) func() time.Time {
	var mu sync.Mutex
	var died time.Time
	store := w.Stack.IdP.Store()
	store.OnChange(func(idp.Change) {
		mu.Lock()
		defer mu.Unlock()
		if now := w.clock.Now(); died.IsZero() && !store.Accepts(w.ClientID, value, now) {
			died = now
		}
	})
	return func() time.Time { mu.Lock(); defer mu.Unlock(); return died }
}

// browsing are requests of the smoke tests' browser and of the load balancers, not of the functions.
var browsing = []string{"idp authorize", "idp login", "idp userinfo", "idp keys", "idp discovery"}

// callsOfProviders counts the requests of a second rotation with five targets, without those that run it.
func callsOfProviders(ctx context.Context) ([]Row, error) {
	goals := map[string]*float64{"keycloak": goal(160)} // docs/adr/0059
	var rows []Row
	for _, kind := range slices.Sorted(maps.Keys(imitations.All)) {
		counted, err := callsOf(ctx, kind)
		if err != nil {
			return nil, fmt.Errorf("a rotation at %s: %w", kind, err)
		}
		services, all := map[string]int{}, 0
		for name, n := range counted.By() {
			service, _, _ := strings.Cut(name, " ")
			if service == "lambda" || service == "states" || slices.Contains(browsing, name) {
				continue
			}
			if service == "idp" && name == "idp token" {
				service = "token endpoint"
			}
			services[service] += n
			all += n
		}
		again := 0
		for _, n := range counted.Again() {
			again += n
		}
		rows = append(rows, Row{"API calls per rotation", kind, float64(all), "", goals[kind], true},
			Row{"API calls per rotation", kind + ": read again within one function call", float64(again), "", goal(5),
				true})
		for _, service := range slices.Sorted(maps.Keys(services)) {
			rows = append(rows,
				Row{"API calls per rotation", kind + ": " + service, float64(services[service]), "", nil, true})
		}
	}
	return rows, nil
}

// callsOf counts the requests of a second rotation, an hour after the first: right after one, a call may have to wait
// until what that has removed is settled.
func callsOf(ctx context.Context, kind string) (*scenario.Calls, error) {
	w, err := newWorld(ctx, kind, quick)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if _, err := w.rotate(ctx, plain); err != nil {
		return nil, err
	}
	w.clock.Advance(time.Hour)
	c := scenario.NewCalls()
	w.Stack.Faults.Observe(c.Note)
	_, err = w.rotate(ctx, plain)
	return c, err
}

// transitions are the states that an execution entered; each costs.
func transitions(events []asl.Event) int {
	n := 0
	for _, e := range events {
		if e.StateEntered != nil {
			n++
		}
	}
	return n
}

// largest is the largest text that the history holds of one state or task, in bytes.
func largest(events []asl.Event) int {
	n := 0
	for _, e := range events {
		if d := e.StateEntered; d != nil {
			n = max(n, len(d.Input))
		}
		if d := e.StateExited; d != nil {
			variables := 0
			for name, text := range d.AssignedVariables {
				variables += len(name) + len(text)
			}
			n = max(n, len(d.Output), variables)
		}
		if d := e.TaskScheduled; d != nil {
			n = max(n, len(d.Parameters))
		}
		if d := e.TaskSucceeded; d != nil {
			n = max(n, len(d.Output))
		}
	}
	return n
}
