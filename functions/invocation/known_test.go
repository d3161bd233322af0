package invocation_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/secret"
)

// Where secrets have no ids, what is not known to be there is held for a stranger's, or for gone.
func TestWhatTheProviderGoesByMustBeKnown(t *testing.T) {
	t.Parallel()
	const second = "client-second"
	unsure := func(w *fakes.World) {
		w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_request" })
	}
	notNow := func(w *fakes.World) { w.Fail("GetSecretValue", failure.New(failure.Throttled, "not now")) }
	for name, c := range map[string]struct {
		change func(*fakes.World)
		kind   failure.Kind // "" is known
		says   string
	}{
		"as usual":                      {func(*fakes.World) {}, "", ""},
		"the token endpoint is unsure":  {unsure, failure.Unavailable, "cannot be told"},
		"AWSCURRENT cannot be read now": {notNow, failure.Throttled, "not now"},
		"there is no AWSCURRENT": {func(w *fakes.World) { w.Secrets.SetLabel("AWSCURRENT", "") }, failure.Precondition,
			"no AWSCURRENT"},
		"AWSCURRENT holds no client secret": {func(w *fakes.World) {
			w.Secrets.Add(fakes.Old, `{"a": "x", "b": "y"}`)
		}, failure.Precondition, "name it in secret.jsonKey"},
		"the text of another version is gone": {func(w *fakes.World) { w.Secrets.Change(smtest.Drop(newer)) }, "", ""},
		"another version cannot be read now": {func(w *fakes.World) {
			w.Before("GetSecretValue", func() {})
			w.FailLater("GetSecretValue", failure.New(failure.Throttled, "not now"))
		}, failure.Throttled, "not now"},
	} {
		for model, o := range map[string]memory.SlotOptions{"a pair": {Single: true}, "in place": {Single: true},
			"hidden": {Hidden: true}} {
			t.Run(name+", "+model, func(t *testing.T) {
				t.Parallel()
				w := fakes.New(t, memory.NewSlots(o, fakes.ClientID, second), memory.Initial)
				w.Client.IdentityProvider.AllowInterruption = model == "in place"
				if model == "a pair" {
					w.Client.IdentityProvider.ClientPair = second
				}
				w.Secrets.Add(newer, value)
				w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
					fakes.Old: {State: journal.Live, IdPSecretID: fakes.Old, ClientID: fakes.ClientID, At: w.Now},
					newer:     {State: journal.Live, IdPSecretID: newer, ClientID: second, At: w.Now}}})
				s := open(t, w)
				c.change(w)
				err := s.TellProvider(t.Context())
				if err == nil {
					_, err = s.Provider.List(t.Context())
				}
				if c.kind == "" && err != nil {
					t.Error(err)
				}
				if c.kind != "" {
					fakes.Failed(t, err, c.kind, c.says)
				}
			})
		}
	}
}

// boasts is a registration that can do less than it says.
type boasts struct {
	idp.Registration
	model idp.Model
}

func (b boasts) Capabilities() idp.Capabilities { return idp.Capabilities{Model: b.model} }

func TestAProviderThatCanDoLessThanItSaysIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		model  idp.Model
		change func(*config.IdentityProvider)
	}{
		"secrets with ids":     {idp.NamedSet, func(*config.IdentityProvider) {}},
		"current and previous": {idp.CurrentPrevious, func(*config.IdentityProvider) {}},
		"in place":             {idp.SingleSlot, func(p *config.IdentityProvider) { p.AllowInterruption = true }},
		"a pair":               {idp.SingleSlot, func(p *config.IdentityProvider) { p.ClientPair = "client-second" }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := fakes.New(t, memory.NewSlots(memory.SlotOptions{}, fakes.ClientID), memory.Initial)
			c.change(&w.Client.IdentityProvider)
			d := w.Deps()
			d.Registrations = func(config.Client) ([]idp.Registration, error) {
				return []idp.Registration{boasts{nil, c.model}, boasts{nil, c.model}}, nil
			}
			_, err := d.Open(t.Context(), w.Common())
			fakes.Failed(t, err, failure.Internal, "the memory provider cannot")
		})
	}
}
