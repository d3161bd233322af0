package plan

import (
	"context"
	"slices"

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
	return nil
}

// leaveOthers leaves, to a rollback of a secret that only canaries were given, only those: every other target has the
// secret that stays.
func (p *planning) leaveOthers(ctx context.Context) error {
	goes, stays := p.undone()
	if goes == "" {
		return nil
	}
	has := p.journal.Has(goes, stays)
	if has == nil {
		return nil
	}
	if labels, err := p.Labels(ctx); err != nil || labels.Current != stays {
		return err // with another AWSCURRENT all have to be set
	}
	given := []rotation.Target{}
	for _, t := range p.out.Targets {
		if has(t.Key()) {
			t.Canary = true
			given = append(given, t)
		}
	}
	p.out.Targets = given
	return nil
}
