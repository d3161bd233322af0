package plan

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// tellSecrets reports the client's secrets at the identity provider, and those that a rollback could not remove.
func tellSecrets(out *rotation.Plan, s *invocation.Invocation, j *journal.Journal, listed []idp.Secret) {
	out.Provider = rotation.ProviderReport{Type: s.Config.IdentityProvider.Type, Model: string(s.Capable.Model),
		MaxSecrets: s.Capable.MaxSecrets, Secrets: []string{}}
	for _, x := range listed {
		until := ""
		if !x.Until.IsZero() {
			until = ", until " + rotation.Timestamp(x.Until)
		}
		out.Provider.Secrets = append(out.Provider.Secrets, fmt.Sprintf("%s (%s%s)", x.ID, x.Status, until))
		switch e, version := entryOf(j, x.ID); {
		case e.State != journal.Kept:
		case s.Capable.ReusesKept():
			out.Warnings = append(out.Warnings, fmt.Sprintf("the identity provider's current secret is that of "+
				"version %s: a rollback could not remove it, and the secret in use is only the previous one there. "+
				"Remove neither there, that would end the secret in use; a rotation takes the unused one into use",
				version))
		default:
			out.Warnings = append(out.Warnings, fmt.Sprintf("the identity provider still accepts the secret of "+
				"version %s, which nothing uses: remove it there", version))
		}
	}
}

// soon is how long before the secret in use ends people are warned.
const soon = 30 * 24 * time.Hour

// warnOfEnd warns of a secret in use that ends by itself.
func warnOfEnd(listed []idp.Secret, d rotation.Decision, now time.Time) []string {
	for _, x := range listed {
		if d.Action == rotation.Rotate && x.ID == d.From.IdPSecretID && !x.Until.IsZero() &&
			x.Until.Before(now.Add(soon)) {
			return []string{fmt.Sprintf("the identity provider ends the secret in use by itself at %s: all logins "+
				"fail then, unless a rotation is through before", rotation.Timestamp(x.Until))}
		}
	}
	return nil
}

// findKept returns the version of a secret that the provider could not remove; "" if there is none.
func findKept(j *journal.Journal) string {
	for v, e := range j.Secrets {
		if e.State == journal.Kept {
			return v
		}
	}
	return ""
}

// perTarget is a generous time for setting the secret on one target: two reads, a write and a check.
const perTarget = 5

// warnOfOpenLogins warns of what users see when a pair switches registrations. A load balancer node trades the user's
// code with the registration that it has by then, but the identity provider accepts the code only from the registration
// that it was made for.
func warnOfOpenLogins(c config.Client, targets int) []string {
	if !c.IsPair() {
		return nil
	}
	return []string{fmt.Sprintf("logins that are open while the load balancers switch to the other registration of "+
		"the pair fail: these users see HTTP 401 at the callback and have to open the application again, for up to "+
		"%d s (%d targets, and spreadSeconds), and once more if the rotation is rolled back: rotate at a quiet hour "+
		"(a schedule of cron, not rate)", c.Spread()+
		perTarget*targets, targets)}
}

// warnOfHoldUps warns that strangers can hold up the client's rotations: only a login test tells errors that they cause
// from those of a wrong secret.
func warnOfHoldUps(c config.Client) []string {
	if len(c.SmokeTests.Login) > 0 {
		return nil
	}
	return []string{"no login test is configured, so no test logs in with the new secret through a load balancer, " +
		"and anybody who makes the load balancers count authentication errors (ELBAuthError) while no user logs in " +
		"can have a rotation rolled back: add smokeTests.login"}
}

// warnOfFollowers warns of what nothing would show: that a follower did not follow.
func warnOfFollowers(c config.Client) []string {
	tested := slices.ContainsFunc(c.SmokeTests.Redirect, func(t config.RedirectTest) bool { return t.Follower }) ||
		slices.ContainsFunc(c.SmokeTests.Login, func(t config.LoginTest) bool { return t.Follower })
	if c.Followers == nil || tested {
		return nil
	}
	return []string{"no smoke test goes through a follower: one that is later than followers.maxDelaySeconds is seen " +
		"only when its logins fail: set follower: true in a login test of each"}
}

// formatProvider writes the report about the identity provider into one line, for the text of a refusal.
func formatProvider(r rotation.ProviderReport) string {
	holds := strings.Join(r.Secrets, ", ")
	if holds == "" {
		holds = "no secret that it shows"
	}
	return fmt.Sprintf("%s, %s, holds %s", r.Type, r.Model, holds)
}

// addRefusals adds the refusals of the targets to a failure at the identity provider, so that people can put both right
// at once.
func addRefusals(err error, refusals []string) error {
	kind := failure.KindOf(err)
	if len(refusals) == 0 || kind != failure.Precondition && kind != failure.SecretRefused &&
		kind != failure.IdPRejected && kind != failure.InvalidInput {
		return err
	}
	return failure.Wrap(kind, err, "%s; besides", strings.Join(refusals, "; "))
}

// entryOf returns the journal's entry, and its version, for an id of the identity provider.
func entryOf(j *journal.Journal, id string) (journal.Entry, string) {
	for v, e := range j.Secrets {
		if e.IdPSecretID == id {
			return e, v
		}
	}
	return journal.Entry{}, ""
}

// fill copies the decision into the plan, with the steps in words for the reader of a dry run.
func (p *planning) fill(ctx context.Context) error {
	out, d := &p.out, p.decided
	out.Action, out.Why, out.From, out.To, out.Import = d.Action, d.Why, d.From, d.To, d.Import
	out.Promoted = d.Promoted
	out.GracePeriodSeconds = int(d.Grace / time.Second)
	out.GraceUntil = rotation.Timestamp(d.GraceUntil)
	out.Warnings = append(out.Warnings, d.Warnings...)
	if g := p.request.GracePeriodSeconds; g != nil && *g > p.Config.GracePeriod() {
		out.Warnings = append(out.Warnings, fmt.Sprintf("gracePeriodSeconds only shortens the grace period: the "+
			"configured %d s are used, not %d", p.Config.GracePeriod(), *g))
	}
	if g := p.request.Shorten(); g != nil && *g < p.delay && d.Action != rotation.Rollback {
		out.Notice = fmt.Sprintf("Followers need up to %s (followers.maxDelaySeconds) after AWSCURRENT has moved: the "+
			"old secret, also one that has leaked, stays valid that long.", p.delay)
		out.Warnings = append(out.Warnings, out.Notice)
	}
	step := func(format string, args ...any) { out.Steps = append(out.Steps, fmt.Sprintf(format, args...)) }
	switch d.Action {
	case rotation.Repair:
		out.Steps = p.repairSteps()
		return p.tellForm(ctx)
	case rotation.Rotate:
		create, remove := describeSteps(p.Invocation, p.journal, d)
		step("%s", create)
		wait := fmt.Sprintf("wait %d s for every load balancer node", out.SpreadSeconds)
		if n := rotation.CountCanaries(out.Targets); n > 0 {
			step("put it on the canaries first, %d of %d targets, %s, and log in through them; if that fails, only "+
				"they get the old secret back", n, len(out.Targets), wait)
		}
		if d.Grace == 0 {
			step("put it on %d targets, make it AWSCURRENT, and put it on every target once more", len(out.Targets))
			step("%s, run the smoke tests, and look for targets that have come", wait)
		} else {
			step("put it on %d targets and %s", len(out.Targets), wait)
			step("make it AWSCURRENT, run the smoke tests, wait %d s with both secrets valid%s", out.GracePeriodSeconds,
				describeFollowers(p.delay, len(p.found.Follows)))
			step("put it on every target that there is then, %s, run the smoke tests", wait)
		}
		step("%s", remove)
	case rotation.Finish:
		step("keep both secrets until %s%s", out.GraceUntil, describeFollowers(p.delay, len(p.found.Follows)))
		step("put the current secret on %d targets again, run the smoke tests, remove the old secret %s; then plan "+
			"again", len(out.Targets), d.From.IdPSecretID)
	case rotation.Rollback:
		step("put the current secret on %d targets again, remove what version %s made at the identity provider; then "+
			"plan again%s", len(out.Targets), d.To.VersionID, describeFollowers(p.delay, len(p.found.Follows)))
	}
	return nil
}

// describeFollowers says how long followers need; "" if there are none.
func describeFollowers(delay time.Duration, rules int) string {
	switch {
	case delay == 0:
		return ""
	case rules == 0:
		return fmt.Sprintf(" (followers need up to %s to read AWSCURRENT and use it)", delay)
	}
	return fmt.Sprintf(" (followers need up to %s to read AWSCURRENT and use it; rules left to controllers: %d)",
		delay, rules)
}

// describeSteps says in words how the new secret is made and the old one removed.
func describeSteps(s *invocation.Invocation, j *journal.Journal, d rotation.Decision) (create, remove string) {
	kind, version, old := s.Config.IdentityProvider.Type, d.To.VersionID, d.From.IdPSecretID
	switch c := s.Capable; {
	case c.ReusesKept():
		remove = fmt.Sprintf("end the previous secret at %s, that of version %s", kind, old)
		if unused := findKept(j); unused != "" {
			return fmt.Sprintf("take the unused current secret of %s, which was made as version %s, into use as "+
				"version %s", kind, unused, version), remove
		}
		return fmt.Sprintf("have %s make a new current secret and keep the one in use as its previous, stored as "+
			"version %s", kind, version), remove
	case s.Config.IsPair():
		idle := s.Config.ClientIDs()[0]
		if idle == d.From.ClientID {
			idle = s.Config.ClientIDs()[1]
		}
		return fmt.Sprintf("give the idle registration %s at %s a new client secret, stored as version %s; targets "+
				"switch client id and secret together, and logins that are open at that moment fail", idle, kind,
				version),
			fmt.Sprintf("overwrite the secret of registration %s with one that nobody knows", d.From.ClientID)
	case c.ReplacesInPlace():
		return fmt.Sprintf("overwrite the only secret at %s, stored as version %s: logins fail from then on until "+
				"every load balancer node has it (allowInterruption)", kind, version),
			"nothing is left to remove"
	case c.MadeByHand():
		return fmt.Sprintf("use the secret that a person has stored as version %s", version),
			fmt.Sprintf("tell people that the secret of version %s can be removed at the identity provider", old)
	default:
		return fmt.Sprintf("make a new client secret at %s, stored as version %s", kind,
			version), fmt.Sprintf("remove the old secret %s", old)
	}
}
