package smoketest

import (
	"context"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
)

// testMetrics counts the load balancers' authentication errors. Anybody can raise that metric without an account (a
// callback without a Host header is enough), so more errors than usual undo a rotation only on load balancers on which
// logins have stopped, too, and through which no login test passed at every node; and never in an emergency.
func (t *tester) testMetrics(ctx context.Context) ([]rotation.Evidence, error) {
	made, switched := t.findTimes()
	allowed := t.Config.SmokeTests.AuthErrors()
	if t.Config.SmokeTests.MaxAuthErrors == nil && t.interruptsLogins() {
		allowed = math.MaxInt // they are counted for the log only
	}
	balancers := t.listBalancers()
	if len(balancers) == 0 { // all are found by tags, and no targets were passed
		return []rotation.Evidence{{Check: rotation.CheckMetrics, Subject: "ELBAuthError", OK: true,
			Detail: "not tested: no load balancer is listed"}}, nil
	}
	e, err := t.AuthErrors(ctx, balancers, made, allowed)
	if err != nil || e.OK {
		return []rotation.Evidence{e}, err
	}
	why := "logins go on: a login test passed through every node of each load balancer"
	switch suspects := t.findUntested(ctx, balancers); {
	case t.in.Emergency:
		why = "they do not hold up an emergency, or a rotation without a grace period"
	case len(suspects) > 0:
		stopped, err := t.LoginsStopped(ctx, suspects, made, switched)
		if err != nil {
			return nil, err
		}
		if counted, err := t.countErrors(ctx, stopped, made, allowed); err != nil || !counted.OK {
			return []rotation.Evidence{counted}, err
		}
		why = fmt.Sprintf("logins go on, as far as can be told: of the load balancers through whose every node no "+
			"login test is seen to pass (%s), none has had its logins stop and more errors than usual besides; other "+
			"clients of a load balancer count in both metrics", listNames(suspects))
	}
	e.OK, e.Detail = true, e.Detail+"; "+why
	t.notice = "more authentication errors than usual (ELBAuthError " + e.Detail +
		"). Anybody can raise this metric; if users complain, look at the load balancers' access logs (error_reason)."
	return []rotation.Evidence{e}, nil
}

// findTimes returns when the new secret was made, from when on targets may have had it, and when all of them had it.
func (t *tester) findTimes() (made, switched time.Time) {
	switched = t.Now().Add(-time.Duration(t.Config.GracePeriod()) * time.Second)
	if p := t.journal.Promotion; p != nil && !p.At.IsZero() {
		switched = p.LeftAt(t.SpreadTime())
	}
	made = switched
	if e := t.journal.Secrets[t.in.To.VersionID]; !e.At.IsZero() && e.At.Before(made) {
		made = e.At // targets have had it since soon after: what they count then is no baseline
	}
	return made, switched
}

// countErrors returns the evidence of errors on load balancers whose logins have stopped; OK if there are no such load
// balancers.
func (t *tester) countErrors(ctx context.Context, stopped []string, since time.Time, allowed int) (rotation.Evidence,
	error) {
	if len(stopped) == 0 {
		return rotation.Evidence{OK: true}, nil
	}
	e, err := t.AuthErrors(ctx, stopped, since, allowed)
	e.Detail += "; and no login has succeeded since the switch on " + listNames(stopped) +
		", where logins were usual before"
	return e, err
}

// listBalancers returns the listed load balancers and those of the targets.
func (t *tester) listBalancers() []string {
	out := slices.Clone(t.Config.LoadBalancers)
	for _, x := range t.in.Targets {
		if !slices.Contains(out, x.LoadBalancerARN) {
			out = append(out, x.LoadBalancerARN)
		}
	}
	return out
}

// interruptsLogins reports whether the rotation itself makes load balancers count errors: codes and refresh tokens
// belong to one registration of a pair, and a secret that is overwritten in place is missing for a while.
func (t *tester) interruptsLogins() bool {
	return t.Config.IsPair() || t.Capable.ReplacesInPlace()
}

// note remembers through which nodes a login test passed.
func (t *tester) note(evidence []rotation.Evidence) {
	for _, e := range evidence {
		if host, _, err := net.SplitHostPort(e.Node); e.Check == rotation.CheckLogin && e.OK && err == nil {
			t.passed[host] = true
		}
	}
}

// nameTimeout limits the search for a load balancer's addresses: without them the test is less certain, but the
// rotation goes on.
const nameTimeout = 10 * time.Second

// findUntested returns the load balancers whose DNS name has an address through which no login test of this call
// passed. A URL does not say which load balancer it reaches; the addresses behind it do.
func (t *tester) findUntested(ctx context.Context, balancers []string) []string {
	if len(t.passed) == 0 || t.Balancers == nil {
		return balancers
	}
	ctx, cancel := t.Within(ctx, nameTimeout)
	defer cancel()
	dns, err := t.Balancers.DNSNames(ctx, balancers)
	if err != nil {
		t.Log.WarnContext(ctx, "load balancers of the login tests not known", telemetry.Err(err))
		return balancers
	}
	var out []string
	for _, arn := range balancers {
		addresses, err := t.Prober.Addresses(ctx, dns[arn])
		if err != nil {
			t.Log.WarnContext(ctx, "addresses of a load balancer not known", "load_balancer", arn, telemetry.Err(err))
		}
		if err != nil || slices.ContainsFunc(addresses, func(a string) bool { return !t.passed[a] }) {
			out = append(out, arn)
		}
	}
	return out
}

// describeUnguarded says, after a rehearsal, where anybody can hold up a rotation; "" if nowhere, or if there is no
// login test, which Plan has warned of.
func (t *tester) describeUnguarded(ctx context.Context) string {
	if len(t.passed) == 0 {
		return ""
	}
	open := t.findUntested(ctx, t.listBalancers())
	if len(open) == 0 {
		return ""
	}
	return fmt.Sprintf("; no login test is seen to pass through every node of %s, so anybody who makes it count "+
		"authentication errors while no user logs in there can have a rotation rolled back: add a login test whose "+
		"URL resolves to it", listNames(open))
}

// tellUntested tells of canaries through which no login test of this call is seen to have passed: they do not count as
// tested. That undoes nothing, since the addresses of a test may be those of something before the load balancer.
func (t *tester) tellUntested(ctx context.Context) {
	var on []string
	for _, x := range t.in.Targets {
		if x.Canary && !slices.Contains(on, x.LoadBalancerARN) {
			on = append(on, x.LoadBalancerARN)
		}
	}
	if open := t.findUntested(ctx, on); len(open) > 0 {
		t.notice = fmt.Sprintf("No login test is seen to pass through every node of %s, so the canaries there do not "+
			"count as tested: add a login test whose URL resolves to it, with canary: true.", listNames(open))
	}
}

// listNames lists load balancers by the names that people know.
func listNames(arns []string) string {
	var out []string
	for _, arn := range arns {
		out = append(out, alb.Name(arn))
	}
	return strings.Join(out, ", ")
}
