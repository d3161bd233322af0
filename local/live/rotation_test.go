package live_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/localca"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// The waits of a whole rotation, which in production are minutes and days.
const (
	settle = 3 * time.Second
	spread = 2 * time.Second
	grace  = 5 * time.Second
	limit  = 15 * time.Minute // on a machine that does other things besides
)

// rotation is one whole rotation.
type rotation struct {
	name string
	// pair is a second registration that takes turns; inPlace accepts failing logins.
	pair    string
	inPlace bool
	// input is that of the execution.
	input string
	// at is called when the execution enters a state.
	state string
	at    func(w *site)
	// want is the error with which the execution ends; "" is success.
	want string
}

// site is a deployment that rotates at a provider, and its watcher.
type site struct {
	*scenario.Deployment
	target *target
	vendor *vendor

	// late: something got no answer in time, which tells of the machine or of an outage, not of a secret.
	late atomic.Bool

	mu     sync.Mutex
	faults []string
}

func (w *site) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.faults) < 5 {
		w.faults = append(w.faults, fmt.Sprintf(format, args...))
	}
}

// deploy sets up load balancers and the rotation for a client of the target.
func (x *target) deploy(t *testing.T, p *scenario.Provider, r rotation, a *localca.Authority) *site {
	t.Helper()
	w := &site{target: x}
	var entered sync.Once
	s, err := stack.Start(t.Context(), stack.Options{Authority: a, Apart: true,
		Spread: []time.Duration{200 * time.Millisecond, 900 * time.Millisecond},
		OnAuth: func(e dataplane.Event) { w.hear(r, e) },
		OnEvent: func(_ string, e stepfunctions.Event) {
			if r.at != nil && e.StateEntered != nil && e.StateEntered.Name == r.state {
				entered.Do(func() { r.at(w) })
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	functions, err := inprocess.Register(s, x.log(t))
	if err != nil {
		t.Fatal(err)
	}
	w.Deployment, err = scenario.Deploy(t.Context(), s, scenario.Options{Functions: functions, Provider: p,
		Settle: settle, Spread: spread, Grace: grace, Configure: func(c *config.Client) {
			c.SmokeTests.Redirect = c.SmokeTests.Redirect[:1]
			c.IdentityProvider.ClientPair, c.IdentityProvider.AllowInterruption = r.pair, r.inPlace
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.vendor = x.vendor(t, p.ClientID)
	return w
}

// hear judges the refreshes of sessions, and whether anything came too late. Of a pair, a refresh token belongs to one
// registration.
func (w *site) hear(r rotation, e dataplane.Event) {
	switch reason := dataplane.Reason(e.Reason); {
	case e.OK || r.inPlace || r.pair != "" && reason == dataplane.InvalidGrant:
	case reason.Late():
		w.late.Store(true)
	case e.Kind == dataplane.Refresh:
		w.fault("a refresh failed: %s", reason)
	}
}

// log is where the functions write.
func (x *target) log(t *testing.T) io.Writer {
	t.Helper()
	if *results == "" {
		return io.Discard
	}
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + ".log"
	f, err := os.Create(filepath.Join(*results, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// watch compares, until the context ends, what the nodes and AWSCURRENT have with what the provider accepts. Each
// answer counts only if it is the same twice: a machine may be slow.
func (w *site) watch(ctx context.Context) {
	for ctx.Err() == nil {
		labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
		if err != nil {
			w.fault("reading the secret: %v", err)
			return
		}
		used := map[[2]string]string{}
		for _, u := range w.Stack.ELB.EffectiveSecrets(time.Now()) {
			used[[2]string{u.ClientID, u.Secret}] = "G1: a node uses a secret that the provider refuses"
		}
		for use, what := range used {
			if w.refused(ctx, use[0], secret.New(use[1])) {
				w.fault("%s", what)
			}
		}
		current := secret.New(values[labels["AWSCURRENT"]])
		accepted := false
		for _, id := range w.Config.ClientIDs() {
			accepted = accepted || !w.refused(ctx, id, current)
		}
		if !accepted {
			w.fault("G2: AWSCURRENT is a secret that the provider refuses")
		}
		_ = w.Stack.Clock.Sleep(ctx, time.Second)
	}
}

// refused reports whether the provider refuses a secret, twice: an answer that comes in a change tells nothing.
func (w *site) refused(ctx context.Context, clientID string, value secret.Value) bool {
	for range 2 {
		if outcome, err := w.vendor.ask(ctx, clientID, value); err != nil || outcome != probe.Rejected {
			return false
		}
	}
	return true
}

// rotate runs a whole rotation of the client of p while people log in, and checks what it leaves.
func (x *target) rotate(t *testing.T, p *scenario.Provider, r rotation, a *localca.Authority) {
	t.Helper()
	w := x.deploy(t, p, r, a)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := w.Stack.Clock.Sleep(ctx, w.Stack.ELB.Spread()); err != nil { // until the nodes know their listeners
		t.Fatal(err)
	}
	people := w.people(t, r)
	watched := make(chan struct{})
	watching, stop := context.WithCancel(ctx)
	go func() {
		defer close(watched)
		if !r.inPlace {
			w.watch(watching)
		}
	}()
	out, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &w.MachineARN, Input: aws.String(r.input)})
	if err != nil {
		t.Fatal(err)
	}
	result, err := w.Stack.StepFunctions.Wait(ctx, *out.ExecutionArn)
	if people != nil {
		people.Stop()
	}
	stop()
	<-watched
	if err != nil {
		t.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range w.faults {
		t.Error(f)
	}
	if got := aws.ToString(result.Error); got != r.want || r.want == "" && result.Status != asl.Succeeded {
		if w.late.Load() {
			t.Skipf("answers came too late, so that it ended as %s %s tells nothing: try again on a machine "+
				"that is idle",
				result.Status, got)
		}
		t.Errorf("the execution ended as %s %s: %s", result.Status, got, aws.ToString(result.Cause))
	}
	w.atRest(t, p, r)
}

// people log in, and stay logged in, as long as the provider's form is one that a browser without a screen can fill in.
func (w *site) people(t *testing.T, r rotation) *traffic.Traffic {
	t.Helper()
	if len(w.Users) == 0 {
		return nil
	}
	people := traffic.Start(context.WithoutCancel(t.Context()), traffic.Options{Site: w.Site,
		Roots: w.Stack.Authority.Pool(), Users: w.Users, Logins: 2, Pause: time.Second, Sessions: 3, Visit: time.Second,
		Moves: r.pair != "", Failed: func(f traffic.Failure) {
			switch {
			case f.Late:
				w.late.Store(true)
			case f.What != "session" && !r.inPlace: // why a session ended, its refresh has told
				w.fault("%s: %v", f.What, f.Err)
			}
		}})
	t.Cleanup(func() {
		people.Stop()
		t.Logf("%d logins, %d pages in sessions, %d logins that were open when a pair switched", people.Logins.Load(),
			people.Visits.Load(), func() int { n, _ := people.FailedOpen(); return n }())
		if people.Logins.Load() == 0 {
			t.Error("nobody has logged in")
		}
	})
	return people
}

// atRest checks that AWSCURRENT is on every node, is accepted, and is the client's only secret.
func (w *site) atRest(t *testing.T, p *scenario.Provider, r rotation) {
	t.Helper()
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		t.Fatal(err)
	}
	current := secret.New(values[labels["AWSCURRENT"]])
	if same := current.Equal(p.Secret); same != (r.want != "") {
		t.Errorf("that AWSCURRENT is the secret from before is %t", same)
	}
	if labels["AWSPENDING"] != "" {
		t.Error("AWSPENDING is left")
	}
	if w.Stack.Clock.Sleep(t.Context(), w.Stack.ELB.Spread()) != nil {
		return
	}
	for _, u := range w.Stack.ELB.EffectiveSecrets(time.Now()) {
		if !secret.New(u.Secret).Equal(current) {
			t.Errorf("node %d of %s does not use AWSCURRENT", u.Node, u.RuleARN)
		}
		if !w.vendor.accepts(u.ClientID, current) {
			t.Error("the provider refuses AWSCURRENT")
		}
	}
	for version, value := range values {
		for _, id := range w.Config.ClientIDs() {
			if v := secret.New(value); !v.Equal(current) && w.vendor.accepts(id, v) {
				t.Errorf("the provider still accepts version %s of %s, which is not AWSCURRENT", version, id)
			}
		}
	}
}
