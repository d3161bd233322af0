package clients_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp/idptest/clients"
)

const id = "orders-web"

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func store(t *testing.T) (*clients.Store, *clock.Virtual) {
	t.Helper()
	c := clock.NewVirtual(noon())
	s := clients.New(c)
	if _, err := s.Register(clients.Client{ID: id}); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func update(t *testing.T, s *clients.Store, f func(*clients.Edit) error) {
	t.Helper()
	if err := s.Update(id, f); err != nil {
		t.Fatal(err)
	}
}

func add(secret clients.Secret, value string) func(*clients.Edit) error {
	return func(e *clients.Edit) error { _, err := e.Add(secret, value); return err }
}

func TestSecretIsAcceptedOnlyWhileItIsLive(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret clients.Secret
		delay  time.Duration
		after  time.Duration
		client string
		value  string
		want   bool
	}{
		"active":         {client: id, value: "v", want: true},
		"inactive":       {secret: clients.Secret{Status: clients.Inactive}, client: id, value: "v"},
		"another value":  {client: id, value: "w"},
		"an empty value": {client: id, value: ""},
		"another client": {client: "other", value: "v"},
		"not yet active": {delay: 10 * time.Second, after: 9 * time.Second, client: id, value: "v"},
		"active after the delay": {delay: 10 * time.Second, after: 10 * time.Second, client: id, value: "v",
			want: true},
		"just before it expires": {secret: clients.Secret{ExpiresAt: noon().Add(time.Hour)},
			after: time.Hour - 1, client: id, value: "v", want: true},
		"at the instant when it expires": {secret: clients.Secret{ExpiresAt: noon().Add(time.Hour)}, after: time.Hour,
			client: id, value: "v"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, clk := store(t)
			s.SetActivationDelay(c.delay)
			c.secret.ID = "s1"
			update(t, s, add(c.secret, "v"))
			clk.Advance(c.after)
			if got := s.Accepts(c.client, c.value, clk.Now()); got != c.want {
				t.Fatalf("accepted: %t", got)
			}
		})
	}
}

// Only what is new is accepted late: a value that is set once more was known everywhere before.
// The end of the newest counts for all where they end together, as at Keycloak, and the end of another for itself.
func TestSecretsMayEndTogether(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	s.EndTogether()
	update(t, s, add(clients.Secret{ID: "a", ExpiresAt: noon().Add(time.Hour)}, "old"))
	update(t, s, add(clients.Secret{ID: "b", ExpiresAt: noon().Add(2 * time.Hour)}, "new"))
	accepts := func(after time.Duration) [2]bool {
		return [2]bool{s.Accepts(id, "old", noon().Add(after)), s.Accepts(id, "new", noon().Add(after))}
	}
	if a, b := accepts(0), accepts(time.Hour); a != [2]bool{true, true} || b != [2]bool{false, true} {
		t.Errorf("accepted are %v, and then %v", a, b)
	}
	update(t, s, func(e *clients.Edit) error { _, err := e.Expire("b", noon()); return err })
	if a := accepts(0); a != [2]bool{} {
		t.Errorf("after the end of the newest, accepted are %v", a)
	}
}

func TestAValueThatIsSetOnceMoreStaysAccepted(t *testing.T) {
	t.Parallel()
	s, clk := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "v"))
	s.SetActivationDelay(10 * time.Second)
	again := func(from, to string) {
		update(t, s, func(e *clients.Edit) error {
			if err := e.Remove(from); err != nil {
				return err
			}
			_, err := e.Add(clients.Secret{ID: to}, "v")
			return err
		})
	}
	again("s1", "s2")
	if !s.Accepts(id, "v", clk.Now()) {
		t.Error("it is refused although it was accepted")
	}
	update(t, s, func(e *clients.Edit) error { return e.Remove("s2") })
	update(t, s, add(clients.Secret{ID: "s3"}, "v"))
	again("s3", "s4")
	if s.Accepts(id, "v", clk.Now()) {
		t.Error("it is accepted although it was gone, and not known again yet")
	}
}

func TestMatchNamesTheSecretThatWasUsed(t *testing.T) {
	t.Parallel()
	s, clk := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "v1"))
	update(t, s, add(clients.Secret{ID: "s2"}, "v2"))
	if got, ok := s.Match(id, "v2", clk.Now()); !ok || got != "s2" {
		t.Fatalf("matched %q, %t", got, ok)
	}
}

func TestRefusedUpdateLeavesEverythingAsItWas(t *testing.T) {
	t.Parallel()
	s, clk := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "v1"))
	s.OnChange(func(clients.Change) { t.Error("a hook was called for a change that did not happen") })
	refused := errors.New("refused")
	err := s.Update(id, func(e *clients.Edit) error {
		if _, err := e.Add(clients.Secret{ID: "s2"}, "v2"); err != nil {
			t.Error(err)
		}
		if _, err := e.SetStatus("s1", clients.Inactive); err != nil {
			t.Error(err)
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Fatal(err)
	}
	if list := s.Secrets(id); len(list) != 1 || !s.Accepts(id, "v1", clk.Now()) || s.Accepts(id, "v2", clk.Now()) {
		t.Fatalf("%d secrets", len(list))
	}
}

func TestSecretIDIsNeverUsedTwice(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "v1"))
	update(t, s, func(e *clients.Edit) error { return e.Remove("s1") })
	if err := s.Update(id, add(clients.Secret{ID: "s1"}, "v2")); !errors.Is(err, clients.ErrExists) {
		t.Fatal(err)
	}
}

func TestEditReportsWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for name, f := range map[string]func(*clients.Edit) error{
		"get":    func(e *clients.Edit) error { _, err := e.Get("s9"); return err },
		"value":  func(e *clients.Edit) error { _, err := e.Value("s9"); return err },
		"status": func(e *clients.Edit) error { _, err := e.SetStatus("s9", clients.Active); return err },
		"expire": func(e *clients.Edit) error { _, err := e.Expire("s9", noon()); return err },
		"remove": func(e *clients.Edit) error { return e.Remove("s9") },
	} {
		if err := s.Update(id, f); !errors.Is(err, clients.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Update("stranger", func(*clients.Edit) error { return nil }); !errors.Is(err, clients.ErrNotFound) {
		t.Errorf("unknown client: %v", err)
	}
}

func TestExpireEndsASecretAndValueShowsIt(t *testing.T) {
	t.Parallel()
	s, clk := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "v1"))
	update(t, s, func(e *clients.Edit) error {
		if v, err := e.Value("s1"); err != nil || v != "v1" {
			t.Errorf("value: %v", err)
		}
		_, err := e.Expire("s1", noon().Add(time.Minute))
		return err
	})
	clk.Advance(time.Minute)
	if s.Accepts(id, "v1", clk.Now()) {
		t.Fatal("an expired secret is accepted")
	}
}

func TestHooksSeeTheStoreBeforeAndAfterAChange(t *testing.T) {
	t.Parallel()
	s, clk := store(t)
	var seen []string
	note := func(when string) func(clients.Change) {
		return func(c clients.Change) {
			seen = append(seen, fmt.Sprintf("%s %d→%d %t", when, len(c.Before), len(c.After), s.Accepts(id,
				"v1", clk.Now())))
		}
	}
	s.BeforeChange(note("before"))
	s.OnChange(note("after"))
	update(t, s, add(clients.Secret{ID: "s1"}, "v1"))
	// changes nothing
	update(t, s, func(e *clients.Edit) error { _, err := e.SetStatus("s1", clients.Active); return err })
	if got := strings.Join(seen, ", "); got != "before 0→1 false, after 0→1 true" {
		t.Fatal(got)
	}
}

func TestUpdatesRunOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			err := s.Update(id, func(e *clients.Edit) error {
				if len(e.All()) >= 2 {
					return errors.New("full")
				}
				_, err := e.Add(clients.Secret{ID: fmt.Sprint("s", i)}, fmt.Sprint("v", i))
				return err
			})
			_ = err // most find it full
		})
	}
	wg.Wait()
	if got := len(s.Secrets(id)); got != 2 {
		t.Fatalf("%d secrets got past the limit of 2", got)
	}
}

func TestRegisterRefusesAnIDTwiceAndAnUnknownMethod(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	for name, c := range map[string]clients.Client{
		"the same client_id": {ID: id, AppID: "other"}, "the same vendor's id": {ID: "other", AppID: id},
		"no id": {}, "a method nobody has": {ID: "third", AuthMethod: "client_secret_jwt"},
	} {
		if _, err := s.Register(c); err == nil {
			t.Errorf("%s was registered", name)
		}
	}
	c, err := s.ByAppID(id)
	if err != nil || c.AuthMethod != clients.Basic || len(c.GrantTypes) != 2 {
		t.Fatalf("defaults: %+v, %v", c, err)
	}
}

func TestPrintedSecretsDoNotHoldTheirValue(t *testing.T) {
	t.Parallel()
	s, _ := store(t)
	update(t, s, add(clients.Secret{ID: "s1"}, "the-clear-value"))
	var change clients.Change
	s.OnChange(func(c clients.Change) { change = c })
	update(t, s, add(clients.Secret{ID: "s2"}, "the-clear-value-2"))
	if out := fmt.Sprintf("%+v %#v", s.Secrets(id), change); strings.Contains(out, "the-clear-value") {
		t.Fatal("a value was printed")
	}
}
