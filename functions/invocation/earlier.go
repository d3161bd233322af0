package invocation

import (
	"context"
	"maps"
	"reflect"
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

// inHand returns the versions that this rotation, or one that did not end, works with: the two of an open promotion,
// and those that the journal holds as intended or live.
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

// MustBeInHand refuses a version that is neither AWSCURRENT, nor AWSPENDING, nor part of a rotation under way: its
// secret may have been dead for years. A version that stores the secret in use again counts as the one in use.
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

// earlier returns the other configurations under which the secrets in hand were made. Targets may still have those
// secrets, so what these configurations say about targets counts, too; one that is gone is left out.
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

// inHandTexts returns the configuration texts, other than this call's, under which the secrets in hand were made. It
// leaves out AWSCURRENT's if no promotion is open, or else that of the promotion's old version.
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

// addNewest adds the newest configuration, if it is another than this call's: what came into it since this rotation
// began may have the secret that a rollback is about to remove. One that is gone, or another client's, is left out.
func (s *Invocation) addNewest(ctx context.Context, list []config.Client) ([]config.Client, error) {
	c, err := s.Clients.Same(ctx, s.Common.Client, s.Config.Identity())
	switch {
	case failure.Is(err, failure.Reconfigured):
		return list, nil
	case err != nil:
		return nil, err
	case reflect.DeepEqual(c, s.Config):
		return list, nil
	}
	return append(list, c), nil
}

// scope returns where to search for targets, and what an action must have to be one, by this configuration and the
// earlier ones, and in a rollback by the newest.
func (s *Invocation) scope(ctx context.Context) (alb.Where, alb.Registration, error) {
	where, want := placesOf(s.Config), alb.Of(s.Config, s.Capable.UniqueIDs)
	others, err := s.earlier(ctx)
	if err == nil && s.Restores {
		others, err = s.addNewest(ctx, others)
	}
	s.reach(append([]config.Client{s.Config}, others...)...)
	for _, c := range others {
		where.Earlier = append(where.Earlier, placesOf(c))
		want = want.And(alb.Of(c, s.Capable.UniqueIDs))
	}
	return where, want, err
}

func placesOf(c config.Client) alb.Where {
	where := alb.Where{LoadBalancers: c.LoadBalancers}
	if search := c.LoadBalancerSearch; search != nil {
		where.Tags, where.Regions, where.Account = search.Tags, search.Regions, c.Roles[search.Role].Account()
	}
	return where
}

// Registration returns what an action must have to be a target of the client.
func (s *Invocation) Registration(ctx context.Context) (alb.Registration, error) {
	_, want, err := s.scope(ctx)
	return want, err
}
