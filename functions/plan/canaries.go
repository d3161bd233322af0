package plan

import (
	"context"
	"maps"
	"slices"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rotation"
)

// chooseCanaries marks the targets that get a new secret first. In an emergency, or a repair, no time is spent on that.
func (p *planning) chooseCanaries(context.Context) error {
	if p.decided.Action != rotation.Rotate || p.request.Emergency || p.request.Repair {
		return nil
	}
	marked, n := slices.Clone(p.out.Targets), 0
	for i, t := range marked {
		if slices.Contains(p.Config.Canaries, t.LoadBalancerARN) || p.found.Canaries[t.Key()] {
			marked[i].Canary = true
			n++
		}
	}
	why := p.Config.UntestedCanaries()
	switch {
	case n == 0 && len(p.Config.Canaries) == 0:
		return nil
	case n == 0:
		why = "no target is on one of canaries"
	case n == len(marked):
		why = "every target is a canary, so none would be spared"
	case p.Capable.ReplacesInPlace():
		why = "a new secret ends the one that the other targets have until they get it"
	}
	if why != "" {
		p.out.Warnings = append(p.out.Warnings, "there are no canaries in this rotation, every target gets the new "+
			"secret in one round: "+why)
		return nil
	}
	p.out.Targets = marked
	p.out.Warnings = append(p.out.Warnings, warnOfTwoRegistrations(p.Config, marked)...)
	return nil
}

// warnOfTwoRegistrations warns of load balancers of a pair on which some rules use the next registration while the
// others do not yet. Of one host, they share a session, and what the other registration began ends.
func warnOfTwoRegistrations(c config.Client, marked []rotation.Target) (warnings []string) {
	if !c.IsPair() {
		return nil
	}
	both := map[string][2]bool{}
	for _, t := range marked {
		has := both[t.LoadBalancerARN]
		both[t.LoadBalancerARN] = [2]bool{has[0] || t.Canary, has[1] || !t.Canary}
	}
	for _, arn := range slices.Sorted(maps.Keys(both)) {
		if both[arn] == [2]bool{true, true} {
			warnings = append(warnings, "only some rules of "+arn+" are canaries: until the others follow, "+
				"spreadSeconds and a test later, its rules use both registrations of the pair, and people who go "+
				"from one to another on the same host are sent to the identity provider again; make the whole load "+
				"balancer a canary, or give the rules sessionCookieName of their own")
		}
	}
	return warnings
}

// leaveOthers leaves, to a rollback of a secret that not every target was given, only those that were: every other one
// has the secret that stays.
func (p *planning) leaveOthers(ctx context.Context) error {
	goes, stays := p.undone()
	if goes == "" {
		return nil
	}
	has, err := p.Given(ctx, goes, stays, p.in.Targets)
	if err != nil || has == nil {
		return err
	}
	given := []rotation.Target{}
	for _, t := range p.out.Targets {
		if has(t.Key()) {
			t.Canary = true
			given = append(given, t)
		}
	}
	p.out.Spared = len(p.out.Targets) - len(given)
	p.out.Targets = given
	return nil
}
