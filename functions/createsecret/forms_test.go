package createsecret_test

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

func TestTheFormOfAVersionIsWrittenDown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key string
		old *string // what is noted of the one in use
	}{
		"a text":                          {"", nil},
		"a member":                        {"clientSecret", nil},
		"the one in use is noted already": {"clientSecret", aws.String("secret")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, takesOurs)
			w.Client.Secret.JSONKey = c.key
			if c.key != "" {
				w.Secrets.Add(older, `{"secret":"x","clientSecret":"`+w.Secrets.Value(older)+`"}`)
			}
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: first, JSONKey: c.old, At: w.Now}}})
			if _, err := call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: first},
				To: rotation.Ref{VersionID: newer}}); err != nil {
				t.Fatal(err)
			}
			want := c.key
			if c.old != nil {
				want = *c.old
			}
			s := w.Journal.Get().Secrets
			if s[newer].JSONKey == nil || *s[newer].JSONKey != c.key || s[older].JSONKey == nil ||
				*s[older].JSONKey != want {
				t.Errorf("the journal says %+v", s)
			}
		})
	}
}

// The client id beside the secret is that of the registration which gets the secret; without a pair that is the only
// one.
func TestANewVersionHasItsClientID(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	for name, c := range map[string]struct{ pair, inUse, want string }{
		"the second is idle": {second, fakes.ClientID, second}, "the first is idle": {second, second, fakes.ClientID},
		"one registration": {"", fakes.ClientID, fakes.ClientID},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := memory.NewSlots(memory.SlotOptions{Single: c.pair != ""}, fakes.ClientID, second)
			w := fakes.New(t, v, memory.Initial)
			if r, ok := v.Registration(c.inUse).(idp.Setter); ok {
				if err := r.Set(t.Context(), secret.New(memory.Initial)); err != nil {
					t.Fatal(err)
				}
			}
			w.Client.IdentityProvider.ClientPair = c.pair
			w.Client.Secret.JSONKey, w.Client.Secret.ClientIDKey = "clientSecret", "clientId"
			w.Secrets.Add(older, `{"clientId":"stale","clientSecret":"`+memory.Initial+`","more":"x"}`)
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: older, ClientID: c.inUse, At: w.Now}}})
			out, err := call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, ClientID: c.inUse},
				To: rotation.Ref{VersionID: newer}})
			if err != nil {
				t.Fatal(err)
			}
			if got := w.Secrets.Value(newer); !strings.HasPrefix(got, `{"clientId":"`+c.want+`","clientSecret":"`) ||
				!strings.HasSuffix(got, `","more":"x"}`) || c.pair != "" && out.To.ClientID != c.want {
				t.Errorf("made for %s, stored is %s", out.To.ClientID, got)
			}
		})
	}
}

// Plan has decided that the secret of a version whose text is gone is the one in use.
func TestTheEntryOfAVersionThatIsGoneGoesOver(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		"version-gone":    {State: journal.Live, IdPSecretID: first, JSONKey: aws.String("k"), At: w.Now},
		"version-removed": {State: journal.Removed, IdPSecretID: first, At: w.Now.Add(-time.Hour)}}})
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	s := w.Journal.Get().Secrets
	if e := s[older]; len(s) != 3 || s["version-removed"].State != journal.Removed ||
		e.IdPSecretID != first || e.Imported || e.JSONKey == nil || *e.JSONKey != "" {
		t.Errorf("the journal says %+v", s)
	}
	madeOne(t, w, v, out)
}

// Some providers are told to put AWSCURRENT back if a request has ended it. That must be the very secret that load
// balancers use.
func TestNothingIsMadeWhileTheOldSecretIsStoredPadded(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]func(value string) string{
		"a line break": func(value string) string { return value + "\n" },
		"quotes":       func(value string) string { return `"` + value + `"` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t, takesOurs)
			w.Secrets.Add("version-again", text(w.Secrets.Value(older)), "AWSCURRENT")
			_, err := create(w)
			fakes.Failed(t, err, failure.Precondition, "store it again without")
			if n := len(v.IDs()); n != 1 {
				t.Errorf("the provider has %d secrets", n)
			}
		})
	}
}

// What an earlier execution had asked for is stored as the present configuration says.
func TestTheFormOfWhatWasAskedForIsThePresentOne(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{})
	w.Client.Secret.JSONKey = "secret"
	w.Secrets.Add(older, `{"clientSecret":"`+memory.Initial+`","secret":"`+memory.Initial+`"}`)
	former, at := "clientSecret", w.Now.Add(-time.Hour)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: older, JSONKey: &former, At: at},
		newer: {State: journal.Intended, JSONKey: &former, Before: []string{older}, At: at, Asked: at}}})
	made := v.Shift(fakes.ClientID)
	_, err := call(w, rotation.CreateInput{From: rotation.Ref{VersionID: older, IdPSecretID: older},
		To: rotation.Ref{VersionID: newer}, Repair: true})
	e := w.Journal.Get().Secrets[newer]
	if err != nil || !strings.Contains(w.Secrets.Value(newer), `"secret":"`+made.Reveal()+`"`) {
		t.Fatalf("stored is %s (%v)", w.Secrets.Value(newer), err)
	}
	if e.State != journal.Live || e.JSONKey == nil || *e.JSONKey != "secret" || e.Config == nil {
		t.Errorf("another member is taken for the secret: the journal says %+v", e)
	}
}
