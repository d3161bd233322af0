package withoutids_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/secret"
)

// models are the providers of this package, each with a second version: of a pair in the second registration.
var models = map[string]struct {
	options   memory.SlotOptions
	clientIDs []string
	make      func(*memory.Slots, withoutids.Env) idp.Provider
}{
	"current and previous": {memory.SlotOptions{}, []string{"a"}, shifting},
	"the same, hidden":     {memory.SlotOptions{Hidden: true}, []string{"a"}, shifting},
	"a pair":               {memory.SlotOptions{Single: true}, []string{"a", "b"}, pair},
	"in place":             {memory.SlotOptions{Single: true}, []string{"a"}, inPlace},
	"current and previous, reviewed": {memory.SlotOptions{}, []string{"a"},
		func(v *memory.Slots, b withoutids.Env) idp.Provider {
			return withoutids.CurrentPrevious(reviewedKeeper{v.Registration("a").(idp.PreviousDropper)}, b)
		}},
	"a pair, reviewed": {memory.SlotOptions{Single: true}, []string{"a", "b"},
		func(v *memory.Slots, b withoutids.Env) idp.Provider {
			return withoutids.Pair("a", reviewed{v.Registration("a").(idp.Setter)}, "b",
				reviewed{v.Registration("b").(idp.Setter)}, b)
		}},
	"in place, reviewed": {memory.SlotOptions{Single: true}, []string{"a"},
		func(v *memory.Slots, b withoutids.Env) idp.Provider {
			return withoutids.InPlace(reviewed{v.Registration("a").(idp.Setter)}, b)
		}},
	"by hand": {memory.SlotOptions{}, []string{"a"}, func(v *memory.Slots, b withoutids.Env) idp.Provider {
		return withoutids.ByHand(v.Registration("a"), b)
	}},
}

// reviewed and reviewedKeeper tell all that a registration may be asked for, by a request each.
type reviewed struct{ idp.Setter }

func (r reviewed) Review(ctx context.Context) (idp.Review, error) { return idp.Review{}, r.Check(ctx) }
func (r reviewed) ReviewSet(ctx context.Context) (idp.Review, error) {
	return idp.Review{}, r.Check(ctx)
}
func (r reviewed) Traits(ctx context.Context) (map[string]string, error) { return nil, r.Check(ctx) }

type reviewedKeeper struct{ idp.PreviousDropper }

func (r reviewedKeeper) Review(ctx context.Context) (idp.Review, error) {
	return idp.Review{}, r.Check(ctx)
}
func (r reviewedKeeper) ReviewShift(ctx context.Context) (idp.Review, error) {
	return idp.Review{}, r.Check(ctx)
}

// calls are what a rotation asks of a provider.
var calls = map[string]func(context.Context, idp.Provider) error{
	"Check": func(ctx context.Context, p idp.Provider) error { return p.Check(ctx) },
	"List":  func(ctx context.Context, p idp.Provider) error { _, err := p.List(ctx); return err },
	"Create": func(ctx context.Context, p idp.Provider) error {
		r := idp.CreateRequest{Tag: "version-next"}
		if p.Capabilities().AcceptsValue {
			r.Value = secret.New("value-of-version-next-0123456789abcdef")
		}
		_, err := p.Create(ctx, r)
		return err
	},
	"FindLost": func(ctx context.Context, p idp.Provider) error {
		_, err := p.(idp.Finder).FindLost(ctx, "version-other", time.Unix(1, 0))
		return err
	},
	"Remove": func(ctx context.Context, p idp.Provider) error { return p.Remove(ctx, "version-other") },
	"Disable": func(ctx context.Context, p idp.Provider) error {
		if d, ok := p.(idp.Disabler); ok {
			return d.Disable(ctx, "version-other")
		}
		return nil
	},
	"Enable": func(ctx context.Context, p idp.Provider) error {
		if d, ok := p.(idp.Disabler); ok {
			return d.Enable(ctx, "version-other")
		}
		return nil
	},
	"Review": func(ctx context.Context, p idp.Provider) error {
		if r, ok := p.(idp.Reviewer); ok {
			_, err := r.Review(ctx)
			return err
		}
		return nil
	},
	"Remove the one in use's successor": func(ctx context.Context, p idp.Provider) error {
		return p.Remove(ctx, "version-new")
	},
	"LastUsed": func(ctx context.Context, p idp.Provider) error {
		if u, ok := p.(idp.UseReporter); ok {
			_, err := u.LastUsed(ctx, "version-other")
			return err
		}
		return nil
	},
}

// A question to the token endpoint, or a request to the registration, that failed is no answer, and Throttled means
// that nothing has happened.
func TestAQuestionThatFailsIsTold(t *testing.T) {
	t.Parallel()
	for model, m := range models {
		for name, call := range calls {
			t.Run(model+", "+name, func(t *testing.T) {
				t.Parallel()
				other := m.clientIDs[len(m.clientIDs)-1]
				for n, all := 0, 0; n <= all; n++ { // the first time nothing fails
					d := atDesk(m.options, m.clientIDs...)
					d.store(withoutids.Version{ID: "version-other", ClientID: other,
						Value: secret.New("a-value-that-nobody-has")})
					if name == "Remove the one in use's successor" {
						d.store(withoutids.Version{ID: "version-new", ClientID: other, Value: d.Shift(other)})
					}
					env, accepts, before := d.env(), d.env().Accepts, d.live("a")+d.live(other)
					asked := 0
					env.Accepts = func(ctx context.Context, clientID string, v secret.Value) (bool, error) {
						if asked++; asked == n {
							return false, failure.New(failure.Throttled, "not now")
						}
						return accepts(ctx, clientID, v)
					}
					d.OnRequest(func() idptest.Fault {
						if asked++; asked == n {
							return idptest.Throttle
						}
						return idptest.None
					})
					err := call(t.Context(), m.make(d.Slots, env))
					nothing := d.live("a")+d.live(other) == before
					told := failure.Is(err, failure.Unavailable) || failure.Is(err, failure.Throttled) && nothing
					if n == 0 {
						all = asked
						continue
					}
					if !told {
						t.Errorf("question %d failed and is taken for an answer: got %v (%s), nothing happened: %t",
							n, err,
							failure.KindOf(err), nothing)
					}
				}
			})
		}
	}
}

// byHandAsks are the calls for which a person's secrets must be known.
var byHandAsks = map[string]bool{"List": true, "FindLost": true}

func TestNothingIsConcludedWithoutTheVersions(t *testing.T) {
	t.Parallel()
	for model, m := range models {
		d := atDesk(m.options, m.clientIDs...)
		env := d.env()
		for _, env.Known = range []*withoutids.Known{nil, {}} {
			for _, name := range []string{"List", "FindLost", "Create", "Remove", "Enable", "LastUsed"} {
				p := m.make(d.Slots, env)
				if _, ok := p.(idp.Disabler); name == "Enable" && !ok {
					continue
				}
				if _, ok := p.(idp.UseReporter); name == "LastUsed" && !ok || model == "by hand" && !byHandAsks[name] ||
					name == "Create" && strings.HasPrefix(model, "in place") { // which overwrites whatever there is
					continue
				}
				if err := calls[name](t.Context(), p); err == nil || d.live("a") != inUse {
					t.Errorf("%s, %s: got %v, so every secret is held for a stranger's", model, name, err)
				}
			}
		}
	}
}

func TestWhoseValueIsMissingIsNotMade(t *testing.T) {
	t.Parallel()
	for model, m := range models {
		d := atDesk(m.options, m.clientIDs...)
		p, r := m.make(d.Slots, d.env()), idp.CreateRequest{Tag: "version-next"}
		if !p.Capabilities().AcceptsValue {
			r.Value = secret.New("a-value-that-the-vendor-would-not-take")
		}
		if _, err := p.Create(t.Context(), r); !failure.Is(err, failure.Internal) || d.live("a") != inUse {
			t.Errorf("%s: got %v, and the vendor has %s", model, err, d.live("a"))
		}
	}
}

// In place, what is not in the slot can be put back as long as its value is stored.
func TestInPlaceThereMayBeNothingToGoBackTo(t *testing.T) {
	t.Parallel()
	const old = "version-other"
	value, none := secret.New("value-of-version-other"), secret.Value{}
	for name, c := range map[string]struct {
		stored        bool
		value, inSlot secret.Value
		call          string
		says          string // of a Precondition
		has           string
	}{
		"enable":                               {true, value, none, "Enable", "", old},
		"enable one whose value is gone":       {true, none, none, "Enable", "could be put back", inUse},
		"enable one that nobody knows":         {false, value, none, "Enable", "could be put back", inUse},
		"disable":                              {true, value, none, "Disable", "", inUse},
		"disable one whose value is gone":      {true, none, none, "Disable", "could be put back", inUse},
		"disable one that somebody put back":   {true, value, value, "Disable", "somebody put it back", old},
		"remove one that may be in the slot":   {true, value, value, "Remove", "", inUse},
		"remove one that is not, all the same": {true, value, secret.New("a-stranger's"), "Remove", "", inUse},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := atDesk(memory.SlotOptions{Single: true}, "a")
			if c.stored {
				d.store(withoutids.Version{ID: old, ClientID: "a", Value: c.value})
			}
			if !c.inSlot.IsZero() {
				if err := d.Registration("a").(idp.Setter).Set(t.Context(), c.inSlot); err != nil {
					t.Fatal(err)
				}
			}
			if err := calls[c.call](t.Context(), inPlace(d.Slots, d.env())); c.says != "" {
				refused(t, err, c.says)
			} else if err != nil {
				t.Error(err)
			}
			d.has(t, c.has)
		})
	}
}

func TestInPlaceWhatWasAskedForMayBeInTheSlot(t *testing.T) {
	t.Parallel()
	asked := time.Unix(1, 0)
	for name, c := range map[string]struct {
		stored, inSlot bool
		asked          time.Time
		want           string
	}{
		"asked for":                        {true, false, asked, "version-other"},
		"asked for, and in the slot":       {true, true, asked, "version-other"},
		"never asked for, but there":       {true, true, time.Time{}, "version-other"},
		"never asked for":                  {true, false, time.Time{}, ""},
		"asked for, and its value is gone": {false, false, asked, ""},
	} {
		d := atDesk(memory.SlotOptions{Single: true}, "a")
		v := withoutids.Version{ID: "version-other", ClientID: "a"}
		if c.stored {
			v.Value = secret.New("value-of-version-other")
		}
		d.store(v)
		if c.inSlot {
			if err := d.Registration("a").(idp.Setter).Set(t.Context(), v.Value); err != nil {
				t.Fatal(err)
			}
		}
		got, err := inPlace(d.Slots, d.env()).(idp.Finder).FindLost(t.Context(), v.ID, c.asked)
		if err != nil || got != c.want {
			t.Errorf("%s: found %q (%v), want %q", name, got, err, c.want)
		}
	}
}

// keepsBoth hides that a registration can end its previous secret.
type keepsBoth struct{ idp.PreviousKeeper }

func TestThePreviousSecretIsEndedOnlyBesideTheOneInUse(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	old := d.known.Current
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a")})
	for name, c := range map[string]struct {
		current withoutids.Version
		keeper  idp.PreviousKeeper
		kind    failure.Kind
		says    string
	}{
		"a person made a new one": {withoutids.Version{ID: "version-by-hand", Value: secret.New("by hand")},
			d.Registration("a").(idp.PreviousKeeper), failure.Precondition, "somebody made a new one there"},
		"the vendor cannot end it": {d.known.Others[0], keepsBoth{d.Registration("a").(idp.PreviousKeeper)},
			failure.Internal, "cannot end the previous one"},
	} {
		known := withoutids.Known{Current: c.current, Others: []withoutids.Version{old}}
		err := withoutids.CurrentPrevious(c.keeper, withoutids.Env{Known: &known}).Remove(t.Context(), inUse)
		if !failure.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: got %v (%s), want %s", name, err, failure.KindOf(err), c.kind)
		}
		d.has(t, "version-new "+inUse)
	}
	// and what is the previous one is found, whatever else there is
	d.known.Current, d.known.Others = d.known.Others[0], []withoutids.Version{old}
	if id, err := d.shifting().(idp.Finder).FindLost(t.Context(), inUse, time.Time{}); err != nil || id != inUse {
		t.Errorf("found %q (%v)", id, err)
	}
}

// The token endpoint knows neither secret after a shift: it is ill, and shows nothing about the one in use.
func TestAShiftAfterWhichNothingIsAcceptedCannotBeTold(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{Hidden: true}, "a")
	env := d.env()
	env.Asks = func(context.Context, string, secret.Value) (bool, error) { return false, nil }
	_, err := shifting(d.Slots, env).Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	if !failure.Is(err, failure.Unavailable) || !strings.Contains(fmt.Sprint(err), "accepts neither") {
		t.Errorf("got %v (%s)", err, failure.KindOf(err))
	}
	d.has(t, "? "+inUse)
}

func TestARestoreEndsWithTheSecretThatWasSetAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fails int // which request
		value string
		kind  failure.Kind
		has   string
	}{
		"ended":                            {0, "", "", "?"},
		"the slots cannot be read":         {1, "", failure.Throttled, "? " + inUse},
		"the previous one cannot be ended": {2, "", failure.Throttled, "? " + inUse},
		"another is the current one":       {0, "another", failure.Unavailable, "? " + inUse},
	} {
		d := atDesk(memory.SlotOptions{}, "a")
		set := d.Shift("a")
		if c.value != "" {
			set = secret.New(c.value)
		}
		asked := 0
		d.OnRequest(func() idptest.Fault {
			if asked++; asked == c.fails {
				return idptest.Throttle
			}
			return idptest.None
		})
		err := withoutids.EndPrevious(t.Context(), d.Registration("a").(idp.PreviousDropper), set)
		if c.kind == "" && err != nil || c.kind != "" && !failure.Is(err, c.kind) {
			t.Errorf("%s: got %v: a secret that leaked goes on, or the one in use goes", name, err)
		}
		d.has(t, c.has)
	}
	d := atDesk(memory.SlotOptions{}, "a")
	err := withoutids.EndPrevious(t.Context(), d.Registration("a").(idp.PreviousDropper), d.known.Current.Value)
	if err != nil {
		t.Errorf("where there is no previous one: %v", err)
	}
}
