package guarantees_test

import (
	"crypto/tls"
	"net/netip"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
)

// count makes a load balancer (0 is shop-alb, 1 is partners-alb) count something.
func (w *world) count(balancer int, metric string, n float64) {
	_, dimension, _ := strings.Cut(w.Site.LoadBalancers[balancer], ":loadbalancer/")
	region := []string{scenario.Home, scenario.Away}[balancer]
	w.Stack.CloudWatch.Add(region, "AWS/ApplicationELB", metric, map[string]string{"LoadBalancer": dimension}, n)
}

// shopOnly leaves a login test of shop-alb only.
func shopOnly(c *config.Client) {
	c.SmokeTests.Redirect, c.SmokeTests.Login = c.SmokeTests.Redirect[:1], c.SmokeTests.Login[:1]
}

func TestAuthenticationErrorsUndoARotationOnlyWhereLoginsStop(t *testing.T) {
	t.Parallel()
	const logins = 50
	for name, c := range map[string]struct {
		configure      func(*config.Client)
		before, during float64 // errors
		after          float64 // logins after the switch
		balancer       int
		status         asl.Status
		notice         string
	}{
		"one stray error in the grace period":                {quick, 0, 1, 0, 0, asl.Succeeded, ""},
		"as many as in the week before":                      {quick, 40, 40, 0, 0, asl.Succeeded, ""},
		"many where there were none, and logins stop":        {quick, 0, 40, 0, 0, asl.Failed, ""},
		"many more than in the week before, and logins stop": {quick, 40, 120, 0, 0, asl.Failed, ""},
		"many where there were none, and logins go on": {quick, 0, 40, logins, 0, asl.Succeeded,
			"none has had its logins stop"},
		"many where login tests pass, and nobody else logs in": {func(*config.Client) {}, 0, 40, 0, 0,
			asl.Succeeded, "passed through every node"},
		"many where the login test passes, no other load balancer": {shopOnly, 0, 40, 0, 0, asl.Succeeded,
			"none has had its logins stop"},
		"many where no login test passes, and nobody else logs in": {shopOnly, 0, 40, 0, 1, asl.Failed, ""},
		"many where no login test passes, and logins there work on": {shopOnly, 0, 40, logins, 1, asl.Succeeded,
			"(partners-alb)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.configure)
			if c.balancer == 1 && !w.apart() {
				t.Skip("this machine has only one loopback address")
			}
			w.count(c.balancer, "ELBAuthError", c.before)
			w.count(c.balancer, "ELBAuthSuccess", logins)
			w.pass(24 * time.Hour)
			w.when("GracePeriod", func(string) {
				w.count(c.balancer, "ELBAuthError", c.during)
				if w.clock.Sleep(t.Context(), time.Hour) == nil {
					w.count(c.balancer, "ELBAuthSuccess", c.after)
				}
			})
			r, execution := w.rotate(plain)
			if r.Status != c.status {
				t.Errorf("ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
			}
			if c.status == asl.Failed && !strings.Contains(text(r.Cause),
				"no login has succeeded since the switch on ") {
				t.Errorf("cause: %s", text(r.Cause))
			}
			if out := string(r.Output); c.status == asl.Succeeded && (!strings.Contains(out, c.notice) ||
				c.notice == "" && strings.Contains(out, "errors")) {
				t.Errorf("the notice is %s, not %q", out, c.notice)
			}
			w.atRest()
		})
	}
}

// apart reports whether the nodes have addresses of their own.
func (w *world) apart() bool {
	a, err := netip.ParseAddrPort(w.Site.Pages[0].Nodes[0])
	return err == nil && a.Addr() != netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

// junk sends a node a callback without a Host header, for which it needs no account.
func (w *world) junk(node string) {
	conn, err := tls.Dial("tcp", node, &tls.Config{RootCAs: w.Stack.Authority.Pool(), ServerName: "shop.localhost"})
	if err != nil {
		w.t.Error(err)
		return
	}
	defer func() { _ = conn.Close() }()
	_, err = conn.Write([]byte("GET /oauth2/idpresponse?code=1&state=1 HTTP/1.0\r\n\r\n"))
	if err != nil {
		w.t.Error(err)
	}
	if _, err = conn.Read(make([]byte, 1)); err != nil {
		w.t.Error(err)
	}
}

func TestAnonymousRequestsUndoNoRotation(t *testing.T) {
	t.Parallel()
	for name, input := range map[string]string{"a rotation": plain,
		"one without a grace period": `{"client": "orders-web", "gracePeriodSeconds": 0}`,
		"an emergency":               `{"client": "orders-web", "emergency": true}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.when("AwaitReassertSpread", func(string) {
				for range 5 {
					for _, node := range w.Site.Pages[0].Nodes {
						w.junk(node)
					}
				}
			})
			if r, execution := w.rotate(input); r.Status != asl.Succeeded || !strings.Contains(string(r.Output),
				"more authentication errors than usual") {
				t.Errorf("ended as %s %s: %s %s\n%v", r.Status, text(r.Error), text(r.Cause), r.Output,
					w.path(execution))
			}
			w.atRest()
		})
	}
}

// What strangers cause in a grace period holds up no removal of a secret that may have leaked, login test or not.
func TestErrorsHoldUpNoEmergencyThatFinishesAnEarlierRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.count(0, "ELBAuthSuccess", 50)
	w.pass(24 * time.Hour)
	emergency := make(chan string, 1)
	w.when("GracePeriod", func(string) {
		if w.clock.Sleep(t.Context(), 25*time.Hour) == nil {
			w.count(0, "ELBAuthError", 40) // and nobody logs in meanwhile
			emergency <- w.start(`{"client": "orders-web", "emergency": true}`)
		}
	})
	first := w.start(plain)
	second := <-emergency
	if r := w.wait(first); r.Status == asl.Succeeded {
		t.Errorf("the first ended as %s", r.Status)
	}
	if r := w.wait(second); r.Status != asl.Succeeded || !strings.Contains(string(r.Output),
		"they do not hold up an emergency") {
		t.Errorf("ended as %s %s: %s %s\n%v", r.Status, text(r.Error), text(r.Cause), r.Output, w.path(second))
	}
	w.atRest()
}
