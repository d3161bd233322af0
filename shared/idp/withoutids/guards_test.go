package withoutids_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
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

// desk is a vendor and what a rotation knows of it.
type desk struct {
	*memory.Slots
	known withoutids.Known
	asked time.Time
}

const inUse = "version-in-use"

// atDesk is a vendor at rest: the secret of client a is that of version-in-use.
func atDesk(o memory.SlotOptions, clientIDs ...string) *desk {
	return &desk{Slots: memory.NewSlots(o, clientIDs...), asked: time.Unix(1772359200, 0),
		known: withoutids.Known{Current: withoutids.Version{ID: inUse, ClientID: "a",
			Value: secret.New(memory.Initial)}}}
}

func (d *desk) env() withoutids.Env {
	return withoutids.Env{Known: &d.known, Accepts: func(_ context.Context, clientID string, v secret.Value) (bool,
		error) {
		if v.IsZero() {
			return false, failure.New(failure.Internal, "the token endpoint is asked about no secret")
		}
		return d.AcceptsFrom(clientID, v), nil
	}}
}

func (d *desk) shifting() idp.Provider { return shifting(d.Slots, d.env()) }

// live are the names of the versions that client id has, in order; "?" is an unknown value.
func (d *desk) live(clientID string) string {
	var out []string
	for _, v := range d.Live(clientID) {
		name := "?"
		for _, k := range append([]withoutids.Version{d.known.Current}, d.known.Others...) {
			if v.Equal(k.Value) {
				name = k.ID
			}
		}
		out = append(out, name)
	}
	return strings.Join(out, " ")
}

// store makes a version known.
func (d *desk) store(v withoutids.Version) { d.known.Others = append(d.known.Others, v) }

// has fails unless the vendor has these versions, the current one first.
func (d *desk) has(t *testing.T, want string) {
	t.Helper()
	if got := d.live("a"); got != want {
		t.Errorf("the vendor has %q, want %q", got, want)
	}
}

func refused(t *testing.T, err error, says string) {
	t.Helper()
	if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v (%s), want %s with %q", err, failure.KindOf(err), failure.Precondition, says)
	}
}

func TestNothingIsShiftedUnlessTheSecretInUseIsTheCurrentOneAlone(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	d.Shift("a") // a person at the console; the one in use is now the previous
	_, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	refused(t, err, "is not the one stored as AWSCURRENT")
	d.has(t, "? "+inUse)

	d = atDesk(memory.SlotOptions{}, "a")
	// and its previous is still kept
	d.known.Current = withoutids.Version{ID: inUse, ClientID: "a", Value: d.Shift("a")}
	_, err = d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	refused(t, err, "still keeps a previous secret")
	d.has(t, inUse+" ?")
}

func TestASecretInUseThatWasNotKeptIsPutBackAtOnce(t *testing.T) {
	t.Parallel()
	for _, hidden := range []bool{false, true} {
		d := atDesk(memory.SlotOptions{ForgetsPrevious: true, Hidden: hidden}, "a")
		_, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
		refused(t, err, "did not keep the one in use")
		d.has(t, inUse)
	}
}

// A shift ended the secret in use. To whoever takes a failure for a no, it never happened, and nobody puts it back.
func TestASecretInUseThatCannotBePutBackNowIsNotForgotten(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options memory.SlotOptions
		fault   idptest.Fault
		kind    failure.Kind
	}{
		"throttled":                 {memory.SlotOptions{}, idptest.Throttle, failure.Unavailable},
		"unavailable":               {memory.SlotOptions{}, idptest.Break, failure.Unavailable},
		"throttled, and hidden":     {memory.SlotOptions{Hidden: true}, idptest.Throttle, failure.Unavailable},
		"refused for good":          {memory.SlotOptions{}, idptest.Forbid, failure.IdPRejected},
		"the vendor takes no value": {memory.SlotOptions{TakesNoValue: true}, idptest.None, failure.Precondition},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.options.ForgetsPrevious = true
			d := atDesk(c.options, "a")
			d.Break(idptest.Remove, c.fault)
			_, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
			if !failure.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), "that could not be put back") {
				t.Errorf("got %v (%s), want %s", err, failure.KindOf(err), c.kind)
			}
		})
	}
}

// A shift ended the secret in use, and the function died before it could put it back.
func TestASecretInUseThatAnEarlierTryEndedIsPutBack(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{ForgetsPrevious: true}, "a")
	d.Shift("a")
	_, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	refused(t, err, "is not the one stored as AWSCURRENT") // it may be a person's
	d.has(t, "?")
	_, err = d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new", Asked: true})
	refused(t, err, "did not keep the one in use")
	d.has(t, inUse)
}

// A repair's secret pushes out the previous one: that is told, also by the try that finds what an earlier one made.
func TestWhatARepairsSecretPushesOutIsTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		adopts, currentIsPrevious bool
		want                      []string
	}{{false, false, []string{"version-before"}}, {true, false, []string{"version-before"}}, {false, true, nil}} {
		d := atDesk(memory.SlotOptions{}, "a")
		before := withoutids.Version{ID: "version-before", ClientID: "a", Value: d.known.Current.Value}
		made, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-dead"})
		if err != nil {
			t.Fatal(err)
		}
		dead := withoutids.Version{ID: "version-dead", ClientID: "a", Value: made.Value}
		d.known = withoutids.Known{Current: dead, Others: []withoutids.Version{before}, Ended: true}
		if c.currentIsPrevious {
			d.known.Current, d.known.Others = before, []withoutids.Version{dead}
		}
		if c.adopts {
			d.Shift("a")
		}
		made, err = d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new", Adopt: c.adopts})
		if err != nil || !slices.Equal(made.Ended, c.want) {
			t.Errorf("gone are %v, want %v (%v)", made.Ended, c.want, err)
		}
		d.has(t, "? version-dead")
	}
}

// A restore was cut off before it dropped the previous secret.
func TestOneSecretInBothSlotsIsOneSecret(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	d.Double("a")
	list, err := d.shifting().List(t.Context())
	if err != nil || len(list) != 1 || list[0].ID != inUse {
		t.Errorf("the list is %+v (%v)", list, err)
	}
	made, err := d.shifting().Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	if err != nil {
		t.Fatal(err)
	}
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: made.Value})
	d.has(t, "version-new "+inUse)
}

func TestASecretThatCannotBeRemovedIsKeptAndTakenUpAgain(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{TakesNoValue: true}, "a")
	p := d.shifting()
	made, err := p.Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	if err != nil {
		t.Fatal(err)
	}
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: made.Value, After: true})
	err = p.Remove(t.Context(), "version-new")
	if !errors.Is(err, idp.ErrKept) {
		t.Fatalf("got %v, want ErrKept", err)
	}
	d.has(t, "version-new "+inUse)
	d.known.Others[0].Kept = true
	again, err := p.Create(t.Context(), idp.CreateRequest{Tag: "version-next"})
	if err != nil || !again.Value.Equal(made.Value) || again.ID != "version-next" {
		t.Errorf("the kept secret is not taken up: %v", err)
	}
	d.has(t, "version-new "+inUse)
}

func TestASecretWhoseReplyWasLostIsTakenUpWhereItCannotBeRemoved(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{TakesNoValue: true}, "a")
	lost := d.Shift("a")
	d.store(withoutids.Version{ID: "version-new", ClientID: "a"})
	p := d.shifting()
	if id, err := p.(idp.Finder).FindLost(t.Context(), "version-new", d.asked); err != nil || id != "version-new" {
		t.Fatalf("found %q (%v)", id, err)
	}
	if id, err := p.(idp.Finder).FindLost(t.Context(), "version-new", time.Time{}); err != nil || id != "" {
		t.Errorf("found %q, which was never asked for (%v)", id, err)
	}
	if err := p.Remove(t.Context(), "version-new"); !errors.Is(err, idp.ErrKept) {
		t.Fatalf("got %v, want ErrKept", err)
	}
	_, err := p.Create(t.Context(), idp.CreateRequest{Tag: "version-new"})
	refused(t, err, "is not the one stored as AWSCURRENT")
	made, err := p.Create(t.Context(), idp.CreateRequest{Tag: "version-new", Adopt: true})
	if err != nil || !made.Value.Equal(lost) {
		t.Errorf("it is not taken up: %v", err)
	}
	d.has(t, "? "+inUse)
}

func TestTheSecretInUseIsNeverRemoved(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]memory.SlotOptions{"shown": {}, "hidden": {Hidden: true}} {
		d := atDesk(o, "a")
		err := d.shifting().Remove(t.Context(), inUse)
		refused(t, err, "is AWSCURRENT")
		d.has(t, inUse)
		if err := d.shifting().Remove(t.Context(), "version-of-somebody"); err != nil {
			t.Errorf("%s: an unknown version: %v", name, err)
		}
		d.has(t, inUse)
	}
	d := atDesk(memory.SlotOptions{Single: true}, "a")
	refused(t, inPlace(d.Slots, d.env()).Remove(t.Context(), inUse), "is AWSCURRENT")
}

// A person made a secret at the console in the middle of a rotation: neither slot is what the rotation left.
func TestNothingIsRemovedWhereSomebodyElseHasBeen(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	old := d.known.Current
	d.known.Current = withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a")} // promoted
	d.store(old)
	d.Shift("a") // the new one is now the previous, the old one gone
	if err := d.shifting().Remove(t.Context(), inUse); err != nil {
		t.Errorf("the old one is gone already: %v", err)
	}
	d.has(t, "? version-new")

	d = atDesk(memory.SlotOptions{}, "a")
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a"), After: true}) // not promoted
	// ends the one in use
	d.Shift("a")
	d.store(withoutids.Version{ID: "version-lost", ClientID: "a"})
	refused(t, d.shifting().Remove(t.Context(), "version-lost"), "does not have the secret stored as AWSCURRENT")
	d.has(t, "? version-new")

	d = atDesk(memory.SlotOptions{}, "a")
	d.Shift("a") // or the provider itself, in the place of the one that was to be removed
	d.store(withoutids.Version{ID: "version-gone", ClientID: "a", Value: secret.New("gone"), After: true})
	refused(t, d.shifting().Remove(t.Context(), "version-gone"), "is only its previous one, which ends by itself")
	d.has(t, "? "+inUse)
}

func TestHiddenSecretsAreEndedByWhatStays(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{Hidden: true}, "a")
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a"), After: true})
	d.Shift("a") // a try whose reply was lost
	if err := d.shifting().Remove(t.Context(), "version-new"); err != nil {
		t.Fatal(err)
	}
	d.has(t, inUse)

	old := d.known.Current
	d = atDesk(memory.SlotOptions{Hidden: true}, "a")
	d.known.Current = withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a")}
	d.store(old)
	d.Shift("a") // a person, or a late request: the one in use is now among the earlier ones
	if err := d.shifting().Remove(t.Context(), inUse); err != nil {
		t.Fatal(err)
	}
	d.has(t, "version-new")
}

func TestTheLastUseOfThePreviousSecretIsTold(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	old := d.known.Current
	d.known.Current = withoutids.Version{ID: "version-new", ClientID: "a", Value: d.Shift("a")}
	d.store(old)
	d.Use(d.asked)
	u := d.shifting().(idp.UseReporter)
	if at, err := u.LastUsed(t.Context(), inUse); err != nil || !at.Equal(d.asked) {
		t.Errorf("the old secret was used at %s (%v)", at, err)
	}
	if at, err := u.LastUsed(t.Context(), "version-new"); err != nil || !at.IsZero() {
		t.Errorf("the new secret was used at %s (%v), which nobody knows", at, err)
	}
}

func TestOfAPairOnlyTheIdleRegistrationIsOverwritten(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{Single: true}, "a", "b")
	p := pair(d.Slots, d.env())
	value := secret.New("value-of-version-new-0123456789abcdef")
	made, err := p.Create(t.Context(), idp.CreateRequest{Value: value, Tag: "version-new"})
	if err != nil || made.ClientID != "b" || !d.AcceptsFrom("b", value) {
		t.Fatalf("made %+v (%v)", made, err)
	}
	d.has(t, inUse)
	// a copy of the one in use
	d.store(withoutids.Version{ID: "version-mine", ClientID: "a", Value: secret.New(memory.Initial)})
	d.store(withoutids.Version{ID: "version-gone", ClientID: "b", Value: secret.New("a-value-that-b-does-not-have")})
	d.store(withoutids.Version{ID: "version-new", ClientID: "b", Value: value})
	for _, id := range []string{"version-mine", "version-gone", inUse, "version-of-somebody"} {
		if err := p.Remove(t.Context(), id); err != nil || !d.AcceptsFrom("a", secret.New(memory.Initial)) ||
			!d.AcceptsFrom("b", value) {
			t.Errorf("removing %s changed something (%v)", id, err)
		}
	}
	if err := p.Remove(t.Context(), "version-new"); err != nil || d.AcceptsFrom("b", value) || len(d.Live("b")) != 1 {
		t.Errorf("the new secret is still there (%v)", err)
	}
	d.known.Current.ClientID = "c"
	_, err = p.List(t.Context())
	refused(t, err, `client id "c", which is neither clientId nor identityProvider.clientPair`)
}

// alike is a Setter with settings.
type alike struct {
	idp.Setter
	review idp.Review
	traits map[string]string
	err    error
}

func (a alike) Review(context.Context) (idp.Review, error)        { return a.review, a.err }
func (a alike) Traits(context.Context) (map[string]string, error) { return a.traits, a.err }

func TestTheRegistrationsOfAPairMustBeAlike(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{Single: true}, "a", "b")
	setter := d.Registration("a").(idp.Setter)
	first := alike{setter, idp.Review{AuthMethod: "client_secret_post", Warnings: []string{"one"}},
		map[string]string{"callbacks": "x", "grants": "code"}, nil}
	look := func(b alike) (idp.Review, error) {
		return withoutids.Pair("a", first, "b", b, d.env()).(idp.Reviewer).Review(t.Context())
	}
	same := first
	same.review.Warnings = []string{"two"}
	if r, err := look(same); err != nil || len(r.Refusals) != 0 || r.AuthMethod != "client_secret_post" ||
		!slices.Equal(r.Warnings, []string{"one", "two"}) {
		t.Errorf("two that are alike: %+v (%v)", r, err)
	}
	other := alike{setter, idp.Review{Refusals: []string{"off"}}, map[string]string{"callbacks": "y",
		"idle": "3600"}, nil}
	r, err := look(other)
	got := strings.Join(r.Refusals, "\n")
	if err != nil || len(r.Refusals) != 5 {
		t.Fatalf("two that differ: %d refusals (%v)\n%s", len(r.Refusals), err, got)
	}
	for _, want := range []string{"off", "authenticate by client_secret_post and nothing",
		"differ in callbacks (x and y)", "differ in grants (code and nothing)", "differ in idle (nothing and 3600)"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not among the refusals:\n%s", want, got)
		}
	}
	if _, err := look(alike{Setter: setter, err: fmt.Errorf("no answer")}); err == nil {
		t.Error("a registration that cannot be read is taken for one that fits")
	}
}

// reviewedShifter has something to tell of shifts.
type reviewedShifter struct {
	idp.PreviousKeeper
	all, shift idp.Review
}

func (r reviewedShifter) Review(context.Context) (idp.Review, error)      { return r.all, nil }
func (r reviewedShifter) ReviewShift(context.Context) (idp.Review, error) { return r.shift, nil }

func TestWhatConcernsShiftsIsToldWhereSecretsAreShifted(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	x := reviewedShifter{d.Registration("a").(idp.PreviousKeeper), idp.Review{AuthMethod: "client_secret_post",
		Warnings: []string{"one"}},
		idp.Review{MaxGrace: time.Hour, Warnings: []string{"two"}, Refusals: []string{"off"}}}
	r, err := withoutids.CurrentPrevious(x, d.env()).(idp.Reviewer).Review(t.Context())
	if err != nil || r.AuthMethod != "client_secret_post" || r.MaxGrace != time.Hour ||
		!slices.Equal(r.Warnings, []string{"one", "two"}) || !slices.Equal(r.Refusals, []string{"off"}) {
		t.Errorf("the review is %+v (%v)", r, err)
	}
}

func TestByHandNothingIsAskedOfTheProvider(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	p := withoutids.ByHand(d.Registration("a"), d.env())
	made := d.Shift("a") // the person
	d.store(withoutids.Version{ID: "version-new", ClientID: "a", Value: made})
	d.store(withoutids.Version{ID: "version-typo", ClientID: "a", Value: secret.New("mistyped")})
	list, err := p.List(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != inUse || list[1].ID != "version-new" {
		t.Errorf("the list is %+v (%v)", list, err)
	}
	c, err := p.Create(t.Context(), idp.CreateRequest{Value: made, Tag: "version-new"})
	if err != nil || c.ID != "version-new" || !c.Value.Equal(made) {
		t.Errorf("made is %s (%v)", c.ID, err)
	}
	for id, want := range map[string]string{"version-new": "version-new", "version-typo": "version-typo",
		"version-x": ""} {
		if got, err := p.(idp.Finder).FindLost(t.Context(), id, d.asked); err != nil || got != want {
			t.Errorf("found %q for %s (%v)", got, id, err)
		}
	}
	if err := p.Remove(t.Context(), inUse); !errors.Is(err, idp.ErrKept) {
		t.Errorf("removing: %v, want ErrKept", err)
	}
	d.has(t, "version-new "+inUse)
}

// Without an admin API nothing tells a secret that is wrong from a provider that is ill.
func TestByHandARefusalIsSaidToRestOnItselfAlone(t *testing.T) {
	t.Parallel()
	d := atDesk(memory.SlotOptions{}, "a")
	d.known.Current.Value = secret.New("refused")
	_, err := withoutids.ByHand(d.Registration("a"), d.env()).List(t.Context())
	if !failure.Is(err, failure.SecretRefused) || !strings.Contains(err.Error(), "nothing but refusals shows it") {
		t.Errorf("got %v (%s)", err, failure.KindOf(err))
	}
}
