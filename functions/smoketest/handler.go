// Package smoketest tests what users depend on: that the identity provider accepts a secret, and that logins through
// the load balancers work. It changes nothing.
package smoketest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
)

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle runs the checks in order and returns their evidence. The first check that fails ends it with SmokeTestFailed,
// or, for a new secret that the identity provider does not accept yet, NotYetActive.
func (h Handler) Handle(ctx context.Context, in rotation.SmokeInput) (rotation.SmokeOutput, error) {
	out, err := h.test(ctx, in)
	if h.Deps.InVPC && failure.Is(err, failure.Unavailable) {
		err = failure.New(failure.Unavailable, "%s (the smoke tests of all clients run in the VPC of "+
			"stack.smokeTestVpc, whose subnets need a NAT gateway, or endpoints for AWS's APIs and a way to the "+
			"identity providers: see docs/deploying.md, Smoke tests in a VPC)", err)
	}
	return out, err
}

func (h Handler) test(ctx context.Context, in rotation.SmokeInput) (rotation.SmokeOutput, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.SmokeOutput{}, err
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.SmokeOutput{}, err
	}
	if err := checkCurrent(ctx, s, in); err != nil {
		return rotation.SmokeOutput{}, err
	}
	if in.Canaries { // a node that does not serve the new secret yet would show that the old one works
		if why := s.Config.UntestedCanaries(); why != "" {
			return rotation.SmokeOutput{}, failure.New(failure.Precondition, "%s", why)
		}
		if err := s.WaitForSpread(ctx); err != nil {
			return rotation.SmokeOutput{}, err
		}
	}
	t := &tester{Invocation: s, journal: j, in: in, passed: map[string]bool{}}
	if t.followed, err = followed(ctx, s, in); err != nil {
		return rotation.SmokeOutput{}, err
	}
	out := rotation.SmokeOutput{Evidence: []rotation.Evidence{}}
	for _, c := range in.Checks {
		evidence, err := t.run(ctx, c)
		out.Evidence = append(out.Evidence, evidence...)
		t.note(evidence)
		t.log(ctx, evidence)
		if err != nil {
			return out, err
		}
		for _, e := range evidence {
			if !e.OK && !t.endsRehearsal(e) {
				return out, failure.New(failure.SmokeTestFailed, "%s", describe(e))
			}
		}
	}
	if in.Rehearse {
		out.Summary = t.summarize(out.Evidence) + t.describeUnguarded(ctx)
	}
	if in.Canaries {
		t.tellUntested(ctx)
	}
	out.Notice = t.notice
	return out, nil
}

// checkCurrent fails if AWSCURRENT is a third version: logins would depend on something other than what is tested.
// Before anything has changed, that does not matter.
func checkCurrent(ctx context.Context, s *invocation.Invocation, in rotation.SmokeInput) error {
	if in.Rehearse {
		return nil
	}
	stands, current, err := s.ResolveByText(ctx, in.From.VersionID, in.To.VersionID)
	if err == nil && in.MustBeCurrent && stands != in.To.VersionID {
		return failure.New(failure.Precondition,
			"AWSCURRENT is on version %s, not on %s, which would be put on every target again: somebody moved it back",
			current, in.To.VersionID)
	}
	return err
}

// followed reports whether followers have the secret that is tested: before that a test of theirs shows nothing, and
// may meet one that is just about to take it.
func followed(ctx context.Context, s *invocation.Invocation, in rotation.SmokeInput) (bool, error) {
	if in.Rehearse || s.Config.Followers == nil {
		return true, nil
	}
	delay, err := s.FollowersDelay(ctx, false)
	if err != nil {
		return false, err
	}
	at, err := s.FollowedAt(ctx, delay)
	return !at.IsZero() && !s.Now().Before(at), err
}

// describe says how a check failed.
func describe(e rotation.Evidence) string {
	return fmt.Sprintf("%s test of %s%s failed: %s", e.Check, e.Subject, describeNode(e.Node), e.Detail)
}

// summarize says how the tests went with the secret in use: they passed, or ended with a login that does not count.
func (t *tester) summarize(evidence []rotation.Evidence) string {
	if i := slices.IndexFunc(evidence, t.endsRehearsal); i >= 0 {
		return "a login fails as with a wrong client secret, which a rotation mends by putting a new one on every " +
			"target: " + describe(evidence[i])
	}
	return fmt.Sprintf("all %d redirect and login tests pass with the secret in use", len(evidence))
}

func describeNode(node string) string {
	if node == "" {
		return ""
	}
	return " at " + node
}

// tester is one call's work.
type tester struct {
	*invocation.Invocation
	journal *journal.Journal
	in      rotation.SmokeInput
	// followed: tests of followers are run, too.
	followed bool
	// passed are the addresses of load balancer nodes through which a login test of this call passed.
	passed map[string]bool
	// notice is what people must know though no check failed.
	notice string
}

func (t *tester) run(ctx context.Context, c rotation.Check) ([]rotation.Evidence, error) {
	switch c {
	case rotation.CheckCredential:
		return t.testCredential(ctx)
	case rotation.CheckRefused:
		return t.testRefusal(ctx)
	case rotation.CheckEnded:
		return t.testEnd(ctx)
	case rotation.CheckRedirect:
		return t.testRedirects(ctx)
	case rotation.CheckLogin:
		return t.testLogins(ctx)
	case rotation.CheckMetrics:
		return t.testMetrics(ctx)
	default:
		return nil, failure.New(failure.InvalidInput, "checks: %q is not a check", c)
	}
}

// client returns what the load balancers are expected to have: of a pair, the registration of To.
func (t *tester) client(ctx context.Context) (probe.Client, error) {
	clientID, err := t.ClientID(ctx, t.in.To)
	c := probe.Client{Issuer: t.Config.Issuer, ClientID: clientID, Aliases: t.Config.Aliases,
		AuthorizationEndpoint: t.Config.IdentityProvider.AuthorizationEndpoint}
	for _, id := range t.Config.ClientIDs() {
		if t.Config.Followers != nil && id != clientID {
			c.Follows = id
		}
	}
	return c, err
}

func (t *tester) testRedirects(ctx context.Context) ([]rotation.Evidence, error) {
	client, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	var out []rotation.Evidence
	tests := t.Config.SmokeTests.Redirect
	if t.in.Canaries {
		tests, _ = t.Config.CanaryTests()
	}
	for _, test := range tests {
		if test.Follower && !t.followed {
			continue
		}
		evidence, err := t.Prober.Redirect(ctx, test, client)
		out = append(out, evidence...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (t *tester) testLogins(ctx context.Context) ([]rotation.Evidence, error) {
	client, err := t.client(ctx)
	if err != nil {
		return nil, err
	}
	var out []rotation.Evidence
	tests := t.Config.SmokeTests.Login
	if t.in.Canaries {
		_, tests = t.Config.CanaryTests()
	}
	for _, test := range tests {
		if test.Follower && !t.followed {
			continue
		}
		stored, err := t.ReadSecret(ctx, test.UserSecretARN)
		if err != nil {
			return out, err
		}
		user, err := probe.ParseUser(stored)
		if err != nil {
			return out, err
		}
		evidence, err := t.Prober.Login(ctx, test, client, user, t.endsRehearsal)
		out = append(out, evidence...)
		if err != nil || slices.ContainsFunc(evidence, t.endsRehearsal) {
			return out, err
		}
	}
	return out, nil
}

// endsRehearsal reports whether a login ends a rehearsal's tests. One that fails at the callback tells all; each more
// is an error that the metrics test after the grace period may take for the new secret's.
func (t *tester) endsRehearsal(e rotation.Evidence) bool { return t.in.Rehearse && e.AtCallback }

// log writes the evidence down and counts login latencies.
func (t *tester) log(ctx context.Context, evidence []rotation.Evidence) {
	for _, e := range evidence {
		t.Log.InfoContext(ctx, "smoke test", "check", string(e.Check), "subject", e.Subject, "node", e.Node, "ok", e.OK,
			"detail", e.Detail, "latency_ms", e.LatencyMS)
		if e.Check == rotation.CheckLogin && e.OK {
			t.NoteUnwritten(ctx, t.Metrics.LoginTook(t.Common.Client, time.Duration(e.LatencyMS)*time.Millisecond))
		}
	}
}
