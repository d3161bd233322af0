package plan

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/versions"
)

// mustBeDead fails, if a repair is asked for, unless AWSCURRENT is proven to be refused, or a repair is to be gone on
// with. What the notifier starts to heal a repair may find AWSCURRENT accepted again: then it is no repair.
func (p *planning) mustBeDead(ctx context.Context) error {
	labels, err := p.Labels(ctx)
	if err != nil || !p.request.Repair || labels.Current == "" {
		return err
	}
	p.tellOwner(labels.Current)
	p.MustStay(labels.Current)
	verdict, err := p.Verdict(ctx, labels.Current)
	if err != nil {
		return err
	}
	switch {
	case verdict.Outcome == probe.Rejected:
		p.dead, p.CurrentEnded = verdict.Reason+p.Oddities(ctx, labels.Current), true
		return nil
	case verdict.Outcome == probe.Inconclusive:
		return failure.New(failure.Unavailable,
			"whether AWSCURRENT (version %s) is dead cannot be told: %s; nothing is "+
				"repaired on a guess", labels.Current, verdict.Reason)
	case p.journal.Promotion.RepairedTo(labels.Current), p.request.Heals():
		return nil
	}
	return failure.New(failure.NotNeeded, "the identity provider accepts AWSCURRENT (version %s), so there is nothing "+
		"to repair: if logins fail, load balancers have another secret, and a rotation puts a new one on all of them",
		labels.Current)
}

// tellOwner tells which registration of a pair has AWSCURRENT, if the journal does not know: the one that the targets
// use. The token endpoint, which is asked otherwise, refuses it for both.
func (p *planning) tellOwner(current string) {
	ids := slices.Compact(slices.Sorted(maps.Values(p.found.ClientIDs)))
	if _, known := p.journal.Secrets[current]; p.Config.IsPair() && !known && len(ids) == 1 {
		p.Belongs(rotation.Ref{VersionID: current, ClientID: ids[0]})
	}
}

// pairRefusals refuses targets that use the idle registration of a pair: its secret is about to be overwritten. A
// repair may find there what a rotation has put on them, if it is that which takes the place of AWSCURRENT. If not, it
// was refused a moment ago, but no other secret shows that the provider is well, so it may live.
func (p *planning) pairRefusals() []string {
	var out []string
	for _, t := range p.found.Targets {
		id := p.found.ClientIDs[t.Key()]
		switch {
		case !p.Config.IsPair() || id == p.decided.From.ClientID || p.dead != "" && id == p.decided.To.ClientID:
		case p.dead != "":
			out = append(out, fmt.Sprintf("%s logs in with client id %s, whose secret is about to be overwritten "+
				"although it may be that of %s only which is dead: start again when the identity provider "+
				"is well, or, if it refuses both for good, store a secret that it accepts as AWSCURRENT", t.Name, id,
				p.decided.From.ClientID))
		default:
			out = append(out, fmt.Sprintf("%s logs in with client id %s, but the secret in use belongs to %s, and "+
				"that of %s is about to be overwritten: put %s and the secret stored as AWSCURRENT on it", t.Name, id,
				p.decided.From.ClientID, id, p.decided.From.ClientID))
		}
	}
	return out
}

// tellForm tells people if a repair takes a version that is not stored as configured: logins come first, but whatever
// else reads the secret does not find it there.
func (p *planning) tellForm(ctx context.Context) error {
	version := p.decided.To.VersionID
	if p.decided.Promoted {
		version = p.decided.From.VersionID
	}
	if _, known := p.journal.Secrets[version]; !known { // it is made, or was stored, as the configuration says
		return nil
	}
	err := p.MustFit(ctx, version, "the new AWSCURRENT")
	switch {
	case errors.Is(err, versions.ErrNotFound): // it was asked for, and is stored when it comes
		return nil
	case !failure.Is(err, failure.Precondition):
		return err
	}
	p.out.Notice = fmt.Sprintf("Once the secret that this repair takes is AWSCURRENT, nothing else that reads it "+
		"finds it where the configuration says, and the next rotation is refused: %v.", err)
	p.out.Warnings = append(p.out.Warnings, p.out.Notice)
	return nil
}

// repairSteps says in words what a repair does.
func (p *planning) repairSteps() []string {
	d := p.decided
	if d.Promoted {
		return []string{fmt.Sprintf("put AWSCURRENT on %d targets, and remove the dead secret of version %s",
			len(p.out.Targets), d.To.VersionID)}
	}
	create, _ := describeSteps(p.Invocation, p.journal, d)
	switch e := p.journal.Secrets[d.To.VersionID]; e.State {
	case "":
	case journal.Intended:
		create = fmt.Sprintf("take what the identity provider was asked for as version %s", d.To.VersionID)
	default:
		create = fmt.Sprintf("take version %s, which the identity provider accepts", d.To.VersionID)
	}
	return []string{create,
		"go on only if the identity provider accepts that and refuses AWSCURRENT, several times in " +
			"turn; otherwise remove it again",
		fmt.Sprintf("make it AWSCURRENT and put it on %d targets, twice; from here on there is no way back",
			len(p.out.Targets)),
		fmt.Sprintf("wait %d s for every load balancer node, and remove the dead secret if it is ours and still there",
			p.out.SpreadSeconds)}
}
