package invocation_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/secret"
)

// rotating is a client with an old and a new secret, of which the new one is current.
func rotating(t *testing.T) (*fakes.World, *invocation.Invocation) {
	t.Helper()
	w, v := newWorld(t, memory.Options{})
	v.Add(secret.New(value))
	w.Secrets.Add(newer, value, "AWSCURRENT")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		fakes.Old: {State: journal.Live, IdPSecretID: "mem-1", At: w.Now}, newer: {State: journal.Live,
			IdPSecretID: "mem-2", At: w.Now}}})
	s := open(t, w)
	if _, err := s.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.Tokens.Asked()
	return w, s
}

// answers makes the token endpoint answer the questions about right secrets by number, from 1, and all others as usual.
func answers(w *fakes.World, refuses func(n int, v secret.Value) bool) {
	n := 0
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		if accepted {
			if n++; !refuses(n, v) {
				return 400, "invalid_grant"
			}
		}
		return 401, "invalid_client"
	})
}

func TestARefusalIsProvenByAnotherSecretThatIsAccepted(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuses func(n int, v secret.Value) bool
		kind    failure.Kind // "" is accepted
		says    string
	}{
		"accepted": {func(int, secret.Value) bool { return false }, "", ""},
		"refused while the other is not": {func(_ int, v secret.Value) bool { return v.Equal(secret.New(value)) },
			failure.SecretRefused, "HTTP 401 invalid_client, 3 times, while it accepts version version-old"},
		"everything is refused": {func(int, secret.Value) bool { return true }, failure.Unavailable,
			"no other secret is accepted"},
		"only one answer is wrong": {func(n int, _ secret.Value) bool { return n == 1 }, "", ""},
		"it falls ill meanwhile": {func(n int, v secret.Value) bool {
			return v.Equal(secret.New(value)) || n > 4
		}, failure.Unavailable, "no other secret is accepted"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := rotating(t)
			answers(w, c.refuses)
			err := s.MustAccept(t.Context(), newer, "the secret that stays")
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				fakes.Failed(t, err, c.kind, c.says)
			}
		})
	}
}

// One odd answer must not have a repair make a secret, which may end one that lives, nor use one that is dead.
func TestAReplacementIsAskedForSeveralTimes(t *testing.T) {
	t.Parallel()
	is := func(value string, v secret.Value) bool { return v.Equal(secret.New(value)) }
	for name, c := range map[string]struct {
		judge func(n int, v secret.Value) (status int, code string)
		found string
		kind  failure.Kind
	}{
		"the first is accepted": {func(int, secret.Value) (int, string) { return 400, "invalid_grant" }, newer, ""},
		"the second is accepted": {func(_ int, v secret.Value) (int, string) {
			if is(value, v) {
				return 401, "invalid_client"
			}
			return 400, "invalid_grant"
		}, fakes.Old, ""},
		"none is": {func(int, secret.Value) (int, string) { return 401, "invalid_client" }, "", ""},
		"one odd refusal": {func(n int, _ secret.Value) (int, string) {
			if n == 1 {
				return 401, "invalid_client"
			}
			return 400, "invalid_grant"
		}, newer, ""},
		"one odd acceptance": {func(n int, _ secret.Value) (int, string) {
			if n == 1 {
				return 400, "invalid_grant"
			}
			return 401, "invalid_client"
		}, "", ""},
		"an answer of a firewall": {func(_ int, v secret.Value) (int, string) {
			if is(value, v) {
				return 403, "x"
			}
			return 401, "invalid_client"
		}, "", failure.Unavailable},
		"and the other is accepted": {func(_ int, v secret.Value) (int, string) {
			if is(value, v) {
				return 403, "x"
			}
			return 400, "invalid_grant"
		}, fakes.Old, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := rotating(t)
			n := 0
			w.Tokens.Judge(func(v secret.Value, _ bool) (int, string) { n++; return c.judge(n, v) })
			found, err := s.FindReplacement(t.Context(), []string{newer, fakes.Old})
			if c.kind != "" {
				fakes.Failed(t, err, c.kind, "nothing is repaired on a guess")
			} else if err != nil || found != c.found {
				t.Errorf("found %q (%v)", found, err)
			}
		})
	}
}

// An admin API that is down, too, shows that the provider is.
func TestAProviderThatIsDownProvesNothing(t *testing.T) {
	t.Parallel()
	w, s := rotating(t)
	answers(w, func(_ int, v secret.Value) bool { return v.Equal(secret.New(value)) })
	w.Fail("Check", failure.New(failure.Unavailable, "HTTP 500"))
	fakes.Failed(t, s.MustAccept(t.Context(), newer, "the secret that stays"), failure.Unavailable, "HTTP 500")
	w.Fail("Check", failure.New(failure.Precondition, "the client is disabled")) // and that was read
	fakes.Failed(t, s.MustAccept(t.Context(), newer, "the secret that stays"), failure.SecretRefused,
		"does not accept the secret that stays")
}

func TestARefusalOfTheOnlySecretTakesAMinuteAndTheAdminAPI(t *testing.T) {
	t.Parallel()
	alone := func(t *testing.T) (*fakes.World, *invocation.Invocation) {
		w, _ := newWorld(t, memory.Options{})
		s := open(t, w)
		s.Patient = true
		return w, s
	}
	w, s := alone(t)
	answers(w, func(int, secret.Value) bool { return true })
	began := w.Now
	err := s.MustAccept(t.Context(), fakes.Old, "the current secret")
	fakes.Failed(t, err, failure.SecretRefused,
		"HTTP 401 invalid_client, 5 times, while the admin API reads the client")
	if took := w.Now.Sub(began); took < time.Minute {
		t.Errorf("it took %s", took)
	}
	w, s = alone(t)
	began = w.Now
	w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
		if accepted && w.Now.Sub(began) > 40*time.Second { // an outage of 40 s
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	fakes.Failed(t, s.MustAccept(t.Context(), fakes.Old, "the current secret"), failure.Unavailable,
		"first refused, then accepted")
	w, s = alone(t)
	answers(w, func(int, secret.Value) bool { return true })
	w.Fail("Check", failure.New(failure.Unavailable, "HTTP 500"))
	fakes.Failed(t, s.MustAccept(t.Context(), fakes.Old, "the current secret"), failure.Unavailable, "HTTP 500")
}

func TestASecretThatIsGoneMustBeRefusedBetweenAcceptances(t *testing.T) {
	t.Parallel()
	old := func(w *fakes.World) secret.Value { return secret.New(w.Secrets.Value(fakes.Old)) }
	for name, c := range map[string]struct {
		refuses func(w *fakes.World) func(n int, v secret.Value) bool
		kind    failure.Kind // "" is refused
		says    string
	}{
		"refused": {func(w *fakes.World) func(int, secret.Value) bool {
			return func(_ int, v secret.Value) bool { return v.Equal(old(w)) }
		}, "", ""},
		"still accepted": {func(*fakes.World) func(int, secret.Value) bool {
			return func(int, secret.Value) bool {
				return false
			}
		},
			failure.StillAccepted, "still accepts the secret of version version-old, which was removed"},
		"refused once": {func(w *fakes.World) func(int, secret.Value) bool {
			return func(n int, _ secret.Value) bool { return n == 2 }
		},
			failure.StillAccepted, "still accepts"},
		"everything is refused": {func(*fakes.World) func(int, secret.Value) bool {
			return func(int, secret.Value) bool {
				return true
			}
		},
			failure.Unavailable, "the secret that stays: HTTP 401 invalid_client"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := rotating(t)
			answers(w, c.refuses(w))
			err := s.MustRefuse(t.Context(), fakes.Old, newer, "was removed", nil)
			if c.kind == "" && err != nil {
				t.Error(err)
			}
			if c.kind != "" {
				fakes.Failed(t, err, c.kind, c.says)
			}
		})
	}
}

// A call whose time was over has counted what it has seen. The next one asks less, but at least twice in a row, between
// two acceptances, before anything counts.
func TestAProofOfARefusalGoesOn(t *testing.T) {
	t.Parallel()
	for before, want := range map[int]struct{ asked, seen int }{0: {6, 3}, 1: {4, 3}, 2: {4, 4}, 3: {0, 3}} {
		w, s := rotating(t)
		old, asked := secret.New(w.Secrets.Value(fakes.Old)), 0
		answers(w, func(n int, v secret.Value) bool { asked = n; return v.Equal(old) })
		key := w.Client.ClientID + " " + w.Client.IdentityProvider.TokenEndpoint
		seen := map[string]int{key: before}
		if err := s.MustRefuse(t.Context(), fakes.Old, newer, "was removed", seen); err != nil || asked != want.asked ||
			seen[key] != want.seen {
			t.Errorf("after %d it asks %d times, and has seen %d: %v", before, asked, seen[key], err)
		}
	}
	w, s := rotating(t)
	old, seen := secret.New(w.Secrets.Value(fakes.Old)), map[string]int{}
	answers(w, func(n int, v secret.Value) bool { return v.Equal(old) || n > 3 }) // it falls ill
	fakes.Failed(t, s.MustRefuse(t.Context(), fakes.Old, newer, "was removed", seen), failure.Unavailable,
		"the secret that stays")
	for _, n := range seen {
		if n > 0 {
			t.Errorf("%d refusals count without an acceptance after them", n)
		}
	}
}

// What another hand has stored as AWSPENDING, or a rotation left as AWSPREVIOUS, can be the control as well.
func TestAnySecretWithALabelCanBeTheControl(t *testing.T) {
	t.Parallel()
	for _, label := range []string{"AWSPENDING", "AWSPREVIOUS"} {
		w, v := newWorld(t, memory.Options{})
		v.Add(secret.New(value))
		w.Secrets.Add(newer, value, label)
		answers(w, func(_ int, v secret.Value) bool { return !v.Equal(secret.New(value)) })
		err := open(t, w).MustAccept(t.Context(), fakes.Old, "the current secret")
		fakes.Failed(t, err, failure.SecretRefused, "while it accepts version version-new")
		if strings.Count(err.Error(), "version-new") != 1 {
			t.Errorf("it says %v", err)
		}
	}
}

// What somebody once stored by mistake may have AWSPREVIOUS for long.
func TestAVersionWithoutAClientSecretIsNoControl(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"nothing tells which member it is": `{"a": "x", "b": "y"}`,
		"no text": `{"secret": 1}`, "empty": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, s := rotating(t)
			w.Secrets.Add("version-odd", text, "AWSPREVIOUS")
			answers(w, func(n int, v secret.Value) bool { return n == 1 && v.Equal(secret.New(value)) })
			if err := s.MustAccept(t.Context(), newer, "the new secret"); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whoever replaces the secret of a pair by hand stores a version that the journal does not know.
func TestASecretMadeByHandIsTheControlInAPair(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	w := fakes.New(t, memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second), memory.Initial)
	w.Client.IdentityProvider.ClientPair = second
	w.Secrets.Add(newer, value, "AWSPENDING")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		newer: {State: journal.Intended, ClientID: second, At: w.Now, Asked: w.Now}}})
	fakes.Failed(t, open(t, w).MustAccept(t.Context(), newer, "the new secret"), failure.SecretRefused,
		"while it accepts version "+fakes.Old)
}
