package createsecret_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
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

// Plan has decided that the secret of a version whose text is gone is the one in use.
func TestTheEntryOfAVersionThatIsGoneGoesOver(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t, takesOurs)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{"version-gone": {State: journal.Live,
		IdPSecretID: first, JSONKey: aws.String("k"), At: w.Now}}})
	out, err := create(w)
	if err != nil {
		t.Fatal(err)
	}
	s := w.Journal.Get().Secrets
	if e := s[older]; len(s) != 2 || e.IdPSecretID != first || e.Imported || e.JSONKey == nil || *e.JSONKey != "" {
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
