package invocation

import (
	"context"
	"errors"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/versions"
)

// rereads are the pauses between reads before AWSCURRENT counts as a third version: reads of labels may lag behind
// writes.
var rereads = []time.Duration{time.Second, 2 * time.Second}

// ResolveCurrent returns which of a rotation's two versions AWSCURRENT stands for, and the version current that has the
// label: that one, or another that stores its secret again. It fails with Superseded if AWSCURRENT holds a third
// secret: somebody else changed it, and what this execution would write next could be a secret that is gone.
func (s *Invocation) ResolveCurrent(ctx context.Context, from, to string) (stands, current string, err error) {
	labels, err := s.Labels(ctx)
	for try := 0; ; try++ {
		if err != nil {
			return "", "", err
		}
		if stands, err = s.standsFor(ctx, labels.Current, from, to); err != nil || stands != "" {
			s.stays = labels.Current
			s.stands = stands
			return stands, labels.Current, err
		}
		if try == len(rereads) {
			return "", "", failure.New(failure.Superseded,
				"AWSCURRENT is version %s, neither %s nor %s of this rotation: somebody else changed the secret. "+
					"This execution touches nothing more; the next one proves that version, puts it on every "+
					"target and removes what this one made", labels.Current, from, to)
		}
		if err := s.Sleep(ctx, rereads[try]); err != nil {
			return "", "", failure.Wrap(failure.Unavailable, err, "waiting to read the labels again")
		}
		labels, err = s.readLabels(ctx)
	}
}

// ResolveByText is ResolveCurrent for a call that needs the secret of to: once that is AWSCURRENT, the answer that has
// the secret tells so, and the labels are read only if something else has to know them.
func (s *Invocation) ResolveByText(ctx context.Context, from, to string) (stands, current string, err error) {
	if to != "" {
		is, err := s.Store.IsCurrent(ctx, to)
		if err != nil {
			return "", "", err
		}
		if is {
			s.stays, s.looked = to, s.Now()
			return to, to, nil
		}
	}
	return s.ResolveCurrent(ctx, from, to)
}

// standsFor returns which of the two versions holds the secret of current; "" if neither does.
func (s *Invocation) standsFor(ctx context.Context, current, from, to string) (string, error) {
	switch current {
	case "":
		return "", failure.New(failure.Precondition,
			"the secret has no AWSCURRENT version: store the client secret that the load balancers use now in it")
	case from, to:
		return current, nil
	}
	for _, version := range []string{to, from} {
		if version == "" {
			continue
		}
		same, _, err := s.Same(ctx, version, current)
		if errors.Is(err, versions.ErrNotFound) { // current cannot be seen yet
			continue
		}
		if err != nil || same {
			return version, err
		}
	}
	return "", nil
}
