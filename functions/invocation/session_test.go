package invocation_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

func newWorld(t *testing.T, o memory.Options) (*fakes.World, *memory.Vendor) {
	t.Helper()
	v := memory.New(o)
	_, current := v.Current()
	return fakes.New(t, v, current.Reveal()), v
}

func open(t *testing.T, w *fakes.World) *invocation.Invocation {
	t.Helper()
	s, err := w.Deps().Open(t.Context(), w.Common())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestAConfigurationOfAnotherClientIsRefused(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	w.Client.Name = "billing"
	_, err := w.Deps().Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.InvalidInput, `the configuration of client "orders-web" is for client "billing"`)
}

// A function that was deployed before there were further stacks does not try to reach a client of one as itself.
func TestAClientOfAFurtherStackNeedsItsRoles(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	w.Client.Place = 2
	_, err := w.Deps().Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.Precondition, "client orders-web is deployed in the further stack 2")
	var asked []string
	d := w.Deps()
	d.At = func(place int, session string) (invocation.Deps, error) {
		asked = append(asked, fmt.Sprint(place, " ", session))
		return w.Deps(), nil
	}
	if _, err := d.Open(t.Context(), w.Common()); err != nil || len(asked) != 1 ||
		!strings.HasPrefix(asked[0], "2 orders-web.") {
		t.Errorf("asked for %v (%v)", asked, err)
	}
}

// An execution that began before the reference was invented has none in the journal, and brings its configuration
// along.
func TestAnEarlierExecutionWorksByTheNewestConfiguration(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	c := w.Common()
	brought := func(change func(*config.Client)) {
		t.Helper()
		c2 := w.Client
		change(&c2)
		doc, err := json.Marshal(c2)
		if err != nil {
			t.Fatal(err)
		}
		c.Config = doc
	}
	for name, execution := range map[string]string{"it wrote none": "", "another left one": fakes.Other} {
		w.Journal.SetConfig(config.Reference{Execution: execution, Text: config.Text{Version: 9,
			SHA256: "of another text"}})
		brought(func(c *config.Client) { c.IdentityProvider.TokenEndpoint = "https://elsewhere.example/token" })
		s, err := w.Deps().Open(t.Context(), c)
		if err != nil || s.Config.IdentityProvider.TokenEndpoint != w.Tokens.URL("/token") {
			t.Errorf("%s: secrets are sent to %s (%v)", name, s.Config.IdentityProvider.TokenEndpoint, err)
		}
		brought(func(c *config.Client) { c.ClientID = "0oa1before" })
		_, err = w.Deps().Open(t.Context(), c)
		fakes.Failed(t, err, failure.Reconfigured, "changed in clientId while this rotation ran")
	}
	c.Config = json.RawMessage(`{"name":"orders-web"}`)
	_, err := w.Deps().Open(t.Context(), c)
	fakes.Failed(t, err, failure.InvalidInput, "the client configuration is not valid")
}

func TestAWrongConfigurationIsRefusedByItsField(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	c := w.Common()
	w.Params.PutText(`{"name":"orders-web","gracePeriod":1}`)
	w.Journal.SetConfig(w.Params.Reference(fakes.Execution))
	_, err := w.Deps().Open(t.Context(), c)
	fakes.Failed(t, err, failure.InvalidInput, "gracePeriod: is not known")
}

func TestAFunctionThatNeedsNoProviderGetsNone(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	d := w.Deps()
	d.Registrations = nil
	s, err := d.Open(t.Context(), w.Common())
	if err != nil || s.Provider != nil {
		t.Errorf("the provider is %v (%v)", s.Provider, err)
	}
}

func TestTheProviderIsTheOneThatTheConfigurationNames(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	d := w.Deps()
	d.Registrations = invocation.Registrations(idp.Deps{HTTP: http.DefaultClient, Secret: d.ReadSecret, Now: d.Now,
		Sleep: d.Sleep,
		AWS:   func(string) aws.Config { return aws.Config{} }, WebIdentity: d.ReadSecret})
	_, err := d.Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.InvalidInput, `"memory" is not known`)
	w.Client.IdentityProvider.Type = "okta"
	_, err = d.Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.InvalidInput, "identityProvider.settings")
}

func TestAProviderThatCannotBeMadeIsTold(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	d := w.Deps()
	d.Registrations = func(config.Client) ([]idp.Registration, error) {
		return nil, failure.New(failure.InvalidInput, "not with these settings")
	}
	_, err := d.Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.InvalidInput, "not with these settings")
}

func TestASecretOfAnotherRegionIsReadThere(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	w.Secrets.AddOther(fakes.UserARN, fakes.Mark)
	v, err := w.Deps().ReadSecret(t.Context(), fakes.UserARN)
	if err != nil || !v.Equal(secret.New(fakes.Mark)) {
		t.Errorf("the secret was not read: %v", err)
	}
}

func TestOnlyTheOwnerOfTheLockGetsTheJournal(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	if j, err := open(t, w).Own(t.Context()); err != nil || j.Client != fakes.ClientName {
		t.Errorf("the journal is %+v (%v)", j, err)
	}
	w.Journal.SetOwner(fakes.Other)
	_, err := w.Deps().Open(t.Context(), w.Common())
	fakes.Failed(t, err, failure.LockLost, fakes.Other)
}

func TestASecretIsAcceptedOnlyOnADifferentialProof(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	accept := func() error {
		return open(t, w).MustAccept(t.Context(), fakes.Old, "the current secret")
	}
	if err := accept(); err != nil {
		t.Error(err)
	}
	if all, wrong := w.Tokens.Asked(); all != 2 || wrong != 1 {
		t.Errorf("%d secrets were tried, %d of them wrong", all, wrong)
	}
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
	fakes.Failed(t, accept(), failure.Unavailable, "cannot be told")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 401, "invalid_client" })
	fakes.Failed(t, accept(), failure.Unavailable,
		"no other secret is accepted, which would show that the provider answers rightly")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 429, "" })
	fakes.Failed(t, accept(), failure.Throttled, "429")
}

func TestASecretThatIsNotStoredIsNotProbed(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t, memory.Options{})
	err := open(t, w).MustAccept(t.Context(), "version-x", "the current secret")
	fakes.Failed(t, err, failure.Precondition, "no such version")
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were tried", all)
	}
}

func TestTheRegistrationOfAVersionIsFound(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	v := memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID, second)
	w := fakes.New(t, v, memory.Initial)
	w.Client.IdentityProvider.AllowInterruption = true
	if id, err := open(t, w).ClientID(t.Context(), rotation.Ref{VersionID: "any", ClientID: second}); err != nil ||
		id != fakes.ClientID {
		t.Errorf("the only registration is %q (%v)", id, err)
	}
	w.Client.IdentityProvider.AllowInterruption, w.Client.IdentityProvider.ClientPair = false, second
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{"written": {State: journal.Live,
		ClientID: second}}})
	s := open(t, w)
	if _, err := s.Own(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(fakes.Mark+"-second")); err != nil {
		t.Fatal(err)
	}
	w.Secrets.Add("version-second", fakes.Mark+"-second")
	w.Secrets.Add("version-x", fakes.Mark+"-x\n")
	for version, want := range map[string]string{"written": second, fakes.Old: fakes.ClientID,
		"version-second": second} {
		if id, err := s.ClientID(t.Context(), rotation.Ref{VersionID: version}); err != nil || id != want {
			t.Errorf("%s belongs to %q (%v), want %q", version, id, err, want)
		}
	}
	if id, err := s.ClientID(t.Context(), rotation.Ref{VersionID: "made", ClientID: second}); err != nil ||
		id != second {
		t.Errorf("a version that is told belongs to %q (%v)", id, err)
	}
	_, err := s.ClientID(t.Context(), rotation.Ref{VersionID: "version-x"})
	fakes.Failed(t, err, failure.Unavailable,
		"which registration of the pair version version-x belongs to cannot be told")
	s.Patient = true
	_, err = s.ClientID(t.Context(), rotation.Ref{VersionID: "version-x"})
	fakes.Failed(t, err, failure.Precondition, "for neither registration of the pair")
	fakes.Failed(t, err, failure.Precondition, "as AWSCURRENT; the stored value ends with a line break")
}
