package invocation_test

import (
	"testing"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/secret"
)

// The form of a version may be another than the configured one: it was stored before the configuration changed, or by
// somebody else. What everybody may know is never taken for the secret.
func TestAVersionIsReadInTheFormInWhichItWasStored(t *testing.T) {
	t.Parallel()
	const s = fakes.Mark + "-s"
	key := "b"
	for name, c := range map[string]struct {
		configured, text string
		noted            *string
		other            *string // noted of another version
		refused          bool
	}{
		"the text":                        {text: s},
		"the configured member":           {configured: "a", text: `{"a": "` + s + `", "b": "x"}`},
		"the noted member comes first":    {configured: "a", text: `{"a": "x", "b": "` + s + `"}`, noted: &key},
		"a noted member that is gone":     {configured: "a", text: `{"a": "` + s + `"}`, noted: &key},
		"the member of another version":   {text: `{"a": "x", "b": "` + s + `"}`, other: &key},
		"the only member":                 {text: `{"any": "` + s + `"}`},
		"beside the client id":            {text: `{"id": "` + fakes.ClientID + `", "any": "` + s + `"}`},
		"beside the issuer":               {text: `{"at": "` + fakes.Issuer + `", "any": "` + s + `"}`},
		"beside the client's name":        {text: `{"for": "` + fakes.ClientName + `", "any": "` + s + `"}`},
		"the one that is named a secret":  {text: `{"user": "x", "ClientSecret": "` + s + `"}`},
		"two that are named a secret":     {text: `{"secret": "x", "clientSecret": "y"}`, refused: true},
		"two members":                     {text: `{"a": "x", "b": "y"}`, refused: true},
		"only what everybody may know":    {text: `{"secret": "` + fakes.ClientID + `"}`, refused: true},
		"a configured member that is not": {configured: "a", text: `{"b": "x", "c": "y"}`, refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t, memory.Options{})
			w.Client.Secret.JSONKey = c.configured
			w.Secrets.Add(newer, c.text)
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
				newer:           {State: journal.Live, JSONKey: c.noted},
				"version-other": {State: journal.Live, JSONKey: c.other}}})
			v, err := open(t, w).Value(t.Context(), newer)
			if c.refused {
				fakes.Failed(t, err, failure.Precondition, "")
			} else if err != nil || !v.Equal(secret.New(s)) {
				t.Errorf("another text than the secret would be written to targets (%v)", err)
			}
		})
	}
}
