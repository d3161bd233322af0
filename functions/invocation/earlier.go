package invocation

import (
	"context"
	"maps"
	"slices"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/versions"
)

// Text is the text of the configuration by which this call works; nil if the journal does not say.
func (s *Invocation) Text() *config.Text {
	if s.journal == nil || s.journal.Config == nil {
		return nil
	}
	return &s.journal.Config.Text
}

// inHand are the versions whose secrets this rotation, or one that did not end, has in hand: the two of an open
// promotion, and those that the journal holds as intended or live.
func (s *Invocation) inHand() []string {
	list := slices.DeleteFunc(slices.Sorted(maps.Keys(s.journal.Secrets)), func(v string) bool {
		state := s.journal.Secrets[v].State
		return state != journal.Intended && state != journal.Live
	})
	if p := s.journal.Promotion; p != nil {
		list = append(list, p.From, p.To)
	}
	return list
}

// MustBeInHand refuses a version that nothing tells to be the secret in use, the next one, or one of a rotation under
// way: its secret may be dead for years. A version that holds the secret in use again is that one.
func (s *Invocation) MustBeInHand(ctx context.Context, version string) error {
	labels, err := s.Labels(ctx)
	if err != nil {
		return err
	}
	if version != "" && slices.Contains(append(s.inHand(), labels.Current, labels.Pending), version) {
		return nil
	}
	return failure.New(failure.Precondition,
		"version %q is neither AWSCURRENT nor AWSPENDING, and no rotation has it in hand: nothing is done with it. "+
			"Start a new execution: it finds out what there is to do", version)
}

// earlier are the configurations under which secrets were made that may be on targets and are not in use for good: what
// they say of targets counts, too. One that is gone cannot be asked.
func (s *Invocation) earlier(ctx context.Context) ([]config.Client, error) {
	texts := s.inHandTexts(versions.Labels{})
	if len(texts) == 0 {
		return nil, nil
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return nil, err
	}
	var list []config.Client
	for _, t := range s.inHandTexts(labels) {
		c, found, err := s.Clients.Text(ctx, s.Common.Client, t)
		switch {
		case failure.Is(err, failure.InvalidInput): // a function that is older than the configuration
		case err != nil:
			return nil, err
		case found && len(c.Identity().Differences(s.Config.Identity())) == 0:
			list = append(list, c)
		}
	}
	return list, nil
}

// inHandTexts are the texts, other than this call's, under which those secrets were made. AWSCURRENT is in use for good
// if no promotion is open.
func (s *Invocation) inHandTexts(labels versions.Labels) []config.Text {
	var list []config.Text
	for _, version := range s.inHand() {
		t, p := s.entry(version).Config, s.journal.Promotion
		switch {
		case t == nil || slices.Contains(list, *t):
		case s.Text() != nil && s.Text().SHA256 == t.SHA256:
		case p == nil && version == labels.Current, p != nil && version == p.From:
		default:
			list = append(list, *t)
		}
	}
	return list
}

// scope is where targets are searched for, and what an action must have to be one: as the configuration says, and as
// the earlier ones do.
func (s *Invocation) scope(ctx context.Context) (alb.Where, alb.Registration, error) {
	where, want := placesOf(s.Config), alb.Of(s.Config, s.Capable.UniqueIDs)
	earlier, err := s.earlier(ctx)
	for _, c := range earlier {
		where.Earlier = append(where.Earlier, placesOf(c))
		want = want.And(alb.Of(c, s.Capable.UniqueIDs))
	}
	return where, want, err
}

func placesOf(c config.Client) alb.Where {
	where := alb.Where{LoadBalancers: c.LoadBalancers}
	if search := c.LoadBalancerSearch; search != nil {
		where.Tags, where.Regions = search.Tags, search.Regions
	}
	return where
}

// Registration is what a target of the client must have.
func (s *Invocation) Registration(ctx context.Context) (alb.Registration, error) {
	_, want, err := s.scope(ctx)
	return want, err
}
