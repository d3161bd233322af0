package traffic_test

import (
	"fmt"
	"log/slog"
	"os"
	"sync"
	"testing"
	"time"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/statemachine"
)

func TestMain(m *testing.M) {
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	os.Exit(m.Run())
}

// rig is a site, people who use it, and what they noticed.
type rig struct {
	*scenario.Deployment
	traffic *traffic.Traffic

	mu      sync.Mutex
	noticed map[string]int // by what failed, and "late login" and the like
	changed chan struct{}  // gets a value after each failure that was noticed
}

func start(t *testing.T) *rig {
	t.Helper()
	return startAt(t, "okta", traffic.Options{})
}

// startAt chooses the identity provider, and what is special about the people.
func startAt(t *testing.T, vendor string, o traffic.Options) *rig {
	t.Helper()
	s, err := stack.Start(t.Context(), stack.Options{Vendor: vendor, Spread: []time.Duration{0, 0},
		AccessTokenLifetime: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	functions := map[string]string{}
	for _, f := range statemachine.Functions() {
		functions[f.Name] = "arn:aws:lambda:eu-central-1:111122223333:function:" + f.Name
	}
	d, err := scenario.Deploy(t.Context(), s, scenario.Options{Functions: functions, Settle: time.Minute,
		Spread: time.Minute, Grace: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{Deployment: d, noticed: map[string]int{}, changed: make(chan struct{}, 1)}
	o.Site, o.Roots, o.Users, o.Failed = d.Site, s.Authority.Pool(), d.Users, r.failed
	o.Logins, o.Pause, o.Sessions, o.Visit = 2, time.Millisecond, 2, 20*time.Millisecond
	r.traffic = traffic.Start(t.Context(), o)
	t.Cleanup(r.traffic.Stop)
	return r
}

func (r *rig) failed(f traffic.Failure) {
	what := f.What
	if f.Late {
		what = "late " + what
	}
	r.mu.Lock()
	r.noticed[what]++
	r.mu.Unlock()
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

func (r *rig) count(what string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.noticed[what]
}

// until waits for the people to get somewhere.
func until(t *testing.T, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatal("the people did not get there")
		}
	}
}

func TestPeopleLogInAndStayLoggedIn(t *testing.T) {
	t.Parallel()
	r := start(t)
	until(t, func() bool { return r.traffic.Logins.Load() >= 20 && r.traffic.Visits.Load() >= 20 })
	r.traffic.Stop()
	if l, v := r.traffic.FailedLogins.Load(), r.traffic.FailedVisits.Load(); l+v != 0 {
		t.Errorf("%d logins and %d visits failed", l, v)
	}
	after := r.traffic.Logins.Load() + r.traffic.Visits.Load()
	r.traffic.Stop() // once more does nothing
	if got := r.traffic.Logins.Load() + r.traffic.Visits.Load(); got != after {
		t.Errorf("%d logins and visits after the end", got-after)
	}
}

// TestPeopleNoticeASecretThatIsRefused keeps the demo honest: what a rotation must never cause, the traffic counts.
func TestPeopleNoticeASecretThatIsRefused(t *testing.T) {
	t.Parallel()
	r := start(t)
	until(t, func() bool { return r.traffic.Visits.Load() >= 4 }) // both have a session
	err := r.Stack.IdP.Store().Update(r.ClientID, func(e *clients.Edit) error { return e.Remove(r.FirstSecretID) })
	if err != nil {
		t.Fatal(err)
	}
	for r.count("login") == 0 || r.count("session") == 0 {
		select {
		case <-r.changed:
		case <-t.Context().Done():
			t.Fatal("nobody noticed")
		}
	}
	r.traffic.Stop()
	if l, v := r.traffic.FailedLogins.Load(), r.traffic.FailedVisits.Load(); int(l) != r.count("login") ||
		int(v) != r.count("session") {
		t.Errorf("counted %d and %d, noticed %v", l, v, r.noticed)
	}
}

// TestAnAnswerThatDoesNotComeIsToldApartFromARefusal: what is lost on the way says nothing of the secret.
func TestAnAnswerThatDoesNotComeIsToldApartFromARefusal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault fault.Rule
		want  string
	}{
		"the token endpoint's to the load balancer": {fault.Rule{Operation: "token", Mode: fault.Lose}, "late login"},
		"who the user is":                 {fault.Rule{Operation: "userinfo", Mode: fault.Lose}, "late login"},
		"the login form's to the browser": {fault.Rule{Operation: "login", Mode: fault.Lose}, "late login"},
		"a refusal of the token endpoint": {fault.Rule{Operation: "token", Mode: fault.Refuse, Status: 401,
			Code: "invalid_client"}, "login"},
		"a refusal of who the user is": {fault.Rule{Operation: "userinfo", Mode: fault.Refuse, Status: 401,
			Code: "invalid_token"}, "login"},
		"a refusal of the user": {fault.Rule{Operation: "login", Mode: fault.Refuse, Status: 403,
			Code: "access_denied"}, "login"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t)
			until(t, func() bool { return r.traffic.Logins.Load() >= 4 })
			c.fault.Service = "idp"
			if _, err := r.Stack.Faults.Add(c.fault); err != nil {
				t.Fatal(err)
			}
			until(t, func() bool { return r.count(c.want) >= 3 })
			r.traffic.Stop()
			other := map[string]string{"login": "late login", "late login": "login"}[c.want]
			if n := r.count(other); n > 0 {
				t.Errorf("%d are taken for a %s: %v", n, other, r.noticed)
			}
		})
	}
}

// TestALoginThatIsOpenWhileItsTargetMovesIsCounted keeps the demo honest about pairs.
func TestALoginThatIsOpenWhileItsTargetMovesIsCounted(t *testing.T) {
	t.Parallel()
	r := startAt(t, "auth0", traffic.Options{Moves: true, Slow: 4, Typing: 100 * time.Millisecond})
	ids, value := r.Config.ClientIDs(), "a-secret-of-both-registrations"
	for i, id := range ids {
		if err := r.Stack.IdP.Store().Update(id, func(e *clients.Edit) error {
			_, err := e.Add(clients.Secret{ID: fmt.Sprintf("both-%d", i)}, value)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	api := elb.NewFromConfig(r.Stack.AWS(scenario.Home))
	listeners, err := api.DescribeListeners(t.Context(),
		&elb.DescribeListenersInput{LoadBalancerArn: &r.Site.LoadBalancers[0]})
	if err != nil {
		t.Fatal(err)
	}
	l := listeners.Listeners[0]
	moves := 0
	until(t, func() bool {
		l.DefaultActions[0].AuthenticateOidcConfig.ClientId,
			l.DefaultActions[0].AuthenticateOidcConfig.ClientSecret = &ids[moves/20%2], &value
		if _, err := api.ModifyListener(t.Context(), &elb.ModifyListenerInput{ListenerArn: l.ListenerArn,
			DefaultActions: l.DefaultActions}); err != nil {
			t.Fatal(err)
		}
		moves++
		n, _ := r.traffic.FailedOpen()
		return n > 1
	})
	r.traffic.Stop()
	if _, window := r.traffic.FailedOpen(); window <= 0 {
		t.Errorf("the window is %s", window)
	}
}
