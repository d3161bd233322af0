package lambda

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// named is a client whose secrets have ids.
type named struct{ function }

// switched is one whose secrets can be switched off.
type switched struct{ named }

// mustNotEnd is about the until of a secret where capabilities say that none ends.
const mustNotEnd = "be left out, or capabilities.tellsEnd be true, so that people are warned in time"

// single is a client with one secret, slots one with a current and a previous secret, and shown one that shows them.
type (
	single struct{ function }
	slots  struct{ single }
	shown  struct{ slots }
)

var (
	_ idp.Provider        = (*named)(nil)
	_ idp.Reviewer        = (*named)(nil)
	_ idp.Disabler        = (*switched)(nil)
	_ idp.Setter          = (*single)(nil)
	_ idp.Reviewer        = (*single)(nil)
	_ idp.SetReviewer     = (*single)(nil)
	_ idp.TraitsReporter  = (*single)(nil)
	_ idp.PreviousKeeper  = (*slots)(nil)
	_ idp.PreviousDropper = (*shown)(nil)
)

// longestGrace is the most that is believed of a registration's graceSeconds, 100 years: more is no limit.
const longestGrace = 100 * 365 * 24 * 3600

// Review implements idp.Reviewer.
func (f *function) Review(ctx context.Context) (idp.Review, error) {
	a, err := f.checked.Get(ctx, f.list)
	r := a.Registration
	out := idp.Review{MaxGrace: time.Duration(min(r.GraceSeconds, longestGrace)) * time.Second}
	if r.AuthMethod == "client_secret_basic" || r.AuthMethod == "client_secret_post" {
		out.AuthMethod = r.AuthMethod
	} else if r.AuthMethod != "" {
		out.Refusals = []string{"the registration authenticates neither by client_secret_basic nor by " +
			"client_secret_post, which is all that load balancers can do: change that at the identity provider"}
	}
	return out, err
}

// List implements idp.Provider.
func (n *named) List(ctx context.Context) ([]idp.Secret, error) {
	a, err := n.checked.Share(ctx, n.list)
	if err != nil {
		return nil, err
	}
	out := make([]idp.Secret, 0, len(a.Secrets))
	for i, s := range a.Secrets {
		if field, must := n.checkListed(s, a.Secrets[:i]); must != "" {
			return nil, notUnderstood(opList, fmt.Sprintf("secrets[%d].%s", i, field), must)
		}
		x := idp.Secret{ID: s.ID, Status: idp.Status(s.Status), Created: s.Created.Time, Until: s.Until.Time}
		if n.capable.KeepsToken {
			x.Tag = s.Token
		}
		if s.Value != "" {
			x.Value = secret.New(s.Value)
		}
		out = append(out, x)
	}
	return out, nil
}

// checkListed reports which field of a listed secret is wrong, and what it must be; "" is none.
func (n *named) checkListed(s listed, before []listed) (field, must string) {
	twice := func(same func(listed) bool) bool { return slices.ContainsFunc(before, same) }
	status := idp.Status(s.Status)
	switch {
	case checkID(s.ID) != "":
		return "id", checkID(s.ID)
	case twice(func(x listed) bool { return x.ID == s.ID }):
		return "id", "be another than that of a secret before it"
	case status != idp.Active && status != idp.Disabled:
		return "status", "be active or disabled"
	case !n.capable.TellsEnd && !s.Until.IsZero():
		return "until", mustNotEnd
	}
	return "", ""
}

// Create implements idp.Provider.
func (n *named) Create(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if n.capable.TakesValue == r.Value.IsZero() {
		return idp.Created{}, failure.New(failure.Internal,
			"a secret must come with its value exactly if the function "+
				"takes one")
	}
	value := r.Value.Reveal()
	a, err := n.do(ctx, Request{Operation: opCreate, Token: r.Tag, Value: value})
	switch {
	case err != nil:
		return idp.Created{}, err
	case a.Secret == nil:
		return idp.Created{}, notUnderstood(opCreate, "secret", "be an object with the id of the new secret")
	case checkID(a.Secret.ID) != "":
		return idp.Created{}, notUnderstood(opCreate, "secret.id", checkID(a.Secret.ID))
	}
	// if it is not the one that was asked for, the proof at the token endpoint decides
	if v := a.Secret.Value; v != "" || value == "" {
		if must := checkValue(v); must != "" {
			return idp.Created{}, notUnderstood(opCreate, "secret.value", must)
		}
		value = v
	}
	if strings.Contains(a.Secret.ID, value) {
		return idp.Created{}, notUnderstood(opCreate, "secret.id", "not hold the value: ids are stored and logged")
	}
	return idp.Created{ID: a.Secret.ID, Value: secret.New(value)}, nil
}

// Remove implements idp.Provider.
func (n *named) Remove(ctx context.Context, id string) error {
	_, err := n.do(ctx, Request{Operation: opRemove, SecretID: id})
	if !errors.Is(err, errNotFound) {
		return err
	}
	// the secret is not there, or the client is not: only the list tells
	list, again := n.List(ctx)
	if again != nil {
		return again
	}
	for _, s := range list {
		if s.ID == id {
			return err
		}
	}
	return nil
}

// Disable implements idp.Disabler.
func (s *switched) Disable(ctx context.Context, id string) error {
	_, err := s.do(ctx, Request{Operation: opDisable, SecretID: id})
	return err
}

// Enable implements idp.Disabler.
func (s *switched) Enable(ctx context.Context, id string) error {
	_, err := s.do(ctx, Request{Operation: opEnable, SecretID: id})
	return err
}

// Set implements idp.Setter.
func (s *single) Set(ctx context.Context, v secret.Value) error {
	_, err := s.do(ctx, Request{Operation: opSet, Value: v.Reveal()})
	return err
}

// ReviewSet implements idp.SetReviewer.
func (s *single) ReviewSet(ctx context.Context) (idp.Review, error) {
	a, err := s.checked.Get(ctx, s.list)
	if err != nil || len(a.Registration.Traits) > 0 {
		return idp.Review{}, err
	}
	return idp.Review{Warnings: []string{"the function tells no traits of the registration: if it is one of a pair, " +
		"nobody compares the two, so see to it that they are alike"}}, nil
}

// Traits implements idp.TraitsReporter. What they hold is not known here, so they are compared and not shown.
func (s *single) Traits(ctx context.Context) (map[string]string, error) {
	a, err := s.checked.Get(ctx, s.list)
	return withoutids.Traits(a.Registration.Traits, nil, nil), err
}

// Slots implements idp.PreviousKeeper.
func (s *slots) Slots(ctx context.Context) (idp.Slots, error) {
	a, err := s.checked.Share(ctx, s.list)
	if err != nil || !s.capable.ShowsValues {
		return idp.Slots{}, err
	}
	out := idp.Slots{Readable: true}
	for i, x := range a.Secrets {
		if field, must := s.checkSlot(x, a.Secrets[:i]); must != "" {
			return idp.Slots{}, notUnderstood(opList, fmt.Sprintf("secrets[%d].%s", i, field), must)
		}
		switch {
		case x.ID == slotCurrent:
			out.Current, out.CurrentUntil = secret.New(x.Value), x.Until.Time
		case x.Until.IsZero() || x.Until.After(s.now()): // an expired one may be shown
			out.Previous, out.PreviousUntil = secret.New(x.Value), x.Until.Time
			out.PreviousUsed = x.LastUsed.Time
		}
	}
	if out.Current.IsZero() {
		return idp.Slots{}, notUnderstood(opList, "secrets", "hold the one with id current")
	}
	return out, nil
}

// checkSlot reports which field of a listed slot is wrong, and what it must be; "" is none.
func (s *slots) checkSlot(x listed, before []listed) (field, must string) {
	switch {
	case x.ID != slotCurrent && x.ID != slotPrevious:
		return "id", "be current or previous"
	case slices.ContainsFunc(before, func(y listed) bool { return x.ID == y.ID }):
		return "id", "be another than that of a secret before it"
	case checkValue(x.Value) != "":
		return "value", checkValue(x.Value)
	case !s.capable.TellsEnd && !x.Until.IsZero():
		return "until", mustNotEnd
	}
	return "", ""
}

// Shift implements idp.PreviousKeeper.
func (s *slots) Shift(ctx context.Context) (secret.Value, error) {
	a, err := s.do(ctx, Request{Operation: opCreate, Token: rand.Text()})
	switch {
	case err != nil:
		return secret.Value{}, err
	case a.Secret == nil:
		return secret.Value{}, notUnderstood(opCreate, "secret", "be an object with the value of the new secret")
	case checkValue(a.Secret.Value) != "":
		return secret.Value{}, notUnderstood(opCreate, "secret.value", checkValue(a.Secret.Value))
	}
	return secret.New(a.Secret.Value), nil
}

// Restore implements idp.PreviousKeeper.
func (s *slots) Restore(ctx context.Context, v secret.Value) error {
	if !s.capable.TakesValue {
		return failure.Wrap(failure.Precondition, idp.ErrKept, "the identity provider behind the function takes no "+
			"values from outside")
	}
	return s.Set(ctx, v)
}

// Restore implements idp.PreviousKeeper.
func (s *shown) Restore(ctx context.Context, v secret.Value) error {
	if err := s.slots.Restore(ctx, v); err != nil {
		return err
	}
	return withoutids.EndPrevious(ctx, s, v)
}

// DropPrevious implements idp.PreviousDropper.
func (s *shown) DropPrevious(ctx context.Context) error {
	_, err := s.do(ctx, Request{Operation: opRemove, SecretID: slotPrevious})
	if !errors.Is(err, errNotFound) {
		return err
	}
	now, again := s.Slots(ctx)
	if again != nil {
		return fmt.Errorf("whether there is a previous secret cannot be told: %w", again)
	}
	if now.Previous.IsZero() {
		return nil
	}
	return err
}

// NewChange is the request by which a function with these capabilities makes a secret, without a token.
func NewChange(can Capabilities, v secret.Value) Request {
	q := Request{Operation: opCreate}
	if can.of().KeepsOne() {
		q.Operation = opSet
	}
	if can.TakesValue && !can.of().ReusesKept() {
		q.Value = v.Reveal()
	}
	return q
}
