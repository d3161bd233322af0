package invocation_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/secret"
)

const (
	newer   = "version-new"
	value   = fakes.Mark + "-value-of-version-new"
	foreign = fakes.Mark + "-made-by-a-person"
)

// startWithLostReply makes a client of whom the journal knows that a second secret was intended while only the first
// existed.
func startWithLostReply(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	w, v := newWorld(t, o)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		"version-earlier": {State: journal.Removed, IdPSecretID: "mem-9"},
		newer:             {State: journal.Intended, Before: v.IDs(), At: w.Now}}})
	return w, v
}

func find(t *testing.T, w *fakes.World, v *memory.Vendor) (string, error) {
	t.Helper()
	s := open(t, w)
	j, err := s.Own(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	listed, err := v.Provider().List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.FindLost(t.Context(), j, newer, listed)
}

// found fails unless id is what was found, "" for nothing.
func found(t *testing.T, got string, err error, id string) {
	t.Helper()
	if err != nil || got != id {
		t.Errorf("found %q (%v), want %q", got, err, id)
	}
}

func TestTheOnlyNewSecretIsOursIfItsValueIsAccepted(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	id := v.Add(secret.New(value))
	got, err := find(t, w, v)
	found(t, got, err, id)
}

func TestANewSecretWhoseValueIsNotOursIsLeftAlone(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	v.Add(secret.New(foreign))
	got, err := find(t, w, v)
	found(t, got, err, "")
}

func TestWithoutANewSecretNothingIsProbed(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	got, err := find(t, w, v)
	found(t, got, err, "")
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

func TestASecretThatAnotherVersionOwnsIsNoCandidate(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	id := v.Add(secret.New(value)) // accepted, but the journal holds it for another version
	j := w.Journal.Get()
	j.Secrets["version-other"] = journal.Entry{State: journal.Live, IdPSecretID: id}
	w.Journal.Set(j)
	got, err := find(t, w, v)
	found(t, got, err, "")
}

func TestWithoutAStoredValueTheProviderWasNeverAsked(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	v.Add(secret.New(foreign))
	got, err := find(t, w, v)
	found(t, got, err, "")
}

func TestOfTwoNewSecretsNoneIsTakenIfOurValueIsAccepted(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	ours, theirs := v.Add(secret.New(value)), v.Add(secret.New(foreign))
	_, err := find(t, w, v)
	fakes.Failed(t, err, failure.Precondition, ours+" (active), "+theirs+" (active)")
}

func TestAShownValueProvesASecretWithoutAProbe(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{ShowsValues: true})
	w.Secrets.Add(newer, value, "AWSPENDING")
	v.Add(secret.New(foreign))
	ours := v.Add(secret.New(value))
	got, err := find(t, w, v)
	found(t, got, err, ours)
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

// What is shown may be masked: that it differs says nothing.
func TestAShownValueThatDiffersIsNoProof(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	id := v.Add(secret.New(value))
	s, j := open(t, w), w.Journal.Get()
	got, err := s.FindLost(t.Context(), &j, newer, []idp.Secret{{ID: id, Value: secret.New("****")}})
	found(t, got, err, id)
}

func TestAnInconclusiveProofIsNoProof(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	w.Secrets.Add(newer, value, "AWSPENDING")
	v.Add(secret.New(value))
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
	_, err := find(t, w, v)
	fakes.Failed(t, err, failure.Unavailable, "cannot be told")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 429, "" })
	_, err = find(t, w, v)
	fakes.Failed(t, err, failure.Throttled, "429")
}

func TestAValueThatCannotBeReadIsNotAnAbsentOne(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{})
	v.Add(secret.New(foreign))
	w.Fail("GetSecretValue", failure.New(failure.AccessDenied, "not allowed"))
	_, err := find(t, w, v)
	fakes.Failed(t, err, failure.AccessDenied, "not allowed")
}

func TestATagProvesASecretWithoutAProbe(t *testing.T) {
	t.Parallel()
	w, v := startWithLostReply(t, memory.Options{MakesValues: true, KeepsTag: true})
	v.Add(secret.New(foreign))
	got, err := find(t, w, v)
	found(t, got, err, "")
	createTagged(t, v, "version-of-somebody")
	got, err = find(t, w, v)
	found(t, got, err, "")
	id := createTagged(t, v, newer)
	got, err = find(t, w, v)
	found(t, got, err, id)
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

func createTagged(t *testing.T, v *memory.Vendor, tag string) string {
	t.Helper()
	made, err := v.Provider().Create(t.Context(), idp.CreateRequest{Tag: tag})
	if err != nil {
		t.Fatal(err)
	}
	return made.ID
}
