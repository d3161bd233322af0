package retiresecret_test

import (
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const again = "version-again"

// object is a JSON object with a client secret, and what such objects have besides.
func object(value string) string {
	return fmt.Sprintf(`{"clientId":%q,"clientSecret":%q,"environment":%q}`, fakes.ClientID, value, "production")
}

// noted writes down, or forgets, in which form a version was stored.
func noted(w *fakes.World, version string, key *string) {
	edit(w, func(j *journal.Journal) {
		e := j.Secrets[version]
		e.JSONKey = key
		j.Secrets[version] = e
	})
}

// The new secret, stored as an object, is stored again in another form. A stranger's secret is active beside it.
func TestTheSecretInUseStaysInWhateverForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ stored, key string }{
		"as a text":                       {value, ""},
		"as a text with a line break":     {value + "\n", ""},
		"as a text in quotes":             {`"` + value + `"`, ""},
		"in another member":               {fmt.Sprintf(`{"secret":%q,"environment":"production"}`, value), "secret"},
		"as a text without configuring":   {value, "clientSecret"},
		"in a member without configuring": {fmt.Sprintf(`{"secret":%q}`, value), "clientSecret"},
	} {
		for form, key := range map[string]*string{"noted": aws.String("clientSecret"), "not noted": nil} {
			for _, action := range []rotation.RetireAction{rotation.RetireDisable, rotation.RetireDelete} {
				t.Run(fmt.Sprintf("%s, %s, %s", name, form, action), func(t *testing.T) {
					t.Parallel()
					w, v := promoted(t, switchable)
					v.Add(secret.New(foreign))
					w.Secrets.Add(newer, object(value))
					noted(w, newer, key)
					w.Secrets.Add(again, c.stored, "AWSCURRENT")
					w.Client.Secret.JSONKey = c.key
					got, err := call(w, action, newer, again)
					// refused, or the version is a former one of the secret that stays
					if err == nil && got != "absent" {
						t.Errorf("the answer is %q", got)
					}
					has(t, v, oldID, newID, "mem-3")
					if !v.Accepts(secret.New(value)) {
						t.Error("the secret in use is switched off")
					}
				})
			}
		}
	}
}

// Two objects have more in common than the client secret.
func TestWhatObjectsHaveInCommonIsNoSecret(t *testing.T) {
	t.Parallel()
	for form, key := range map[string]*string{"noted": aws.String("clientSecret"), "not noted": nil} {
		t.Run(form, func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, switchable)
			w.Client.Secret.JSONKey = "clientSecret"
			_, old := v.Current()
			w.Secrets.Add(older, object(old.Reveal()))
			w.Secrets.Add(newer, object(value))
			noted(w, older, key)
			noted(w, newer, key)
			got, err := retire(w, rotation.RetireDelete)
			answers(t, got, err, "deleted")
			has(t, v, newID)
		})
	}
}

func TestTheOldSecretIsReadInItsFormForARollback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored func(string) string
		noted  *string
		now    string
	}{
		"an object, noted": {object, aws.String("clientSecret"), ""},
		"an object, not noted": {func(v string) string {
			return fmt.Sprintf(`{"clientId":%q,"clientSecret":%q}`,
				fakes.ClientID, v)
		}, nil, ""},
		"with other members":       {object, nil, ""},
		"a text, noted":            {func(v string) string { return v }, aws.String(""), "clientSecret"},
		"a text, not noted":        {func(v string) string { return v }, nil, "clientSecret"},
		"another member, noted":    {object, aws.String("clientSecret"), "environment"},
		"a wrong note of a text":   {func(v string) string { return v }, aws.String("clientSecret"), ""},
		"a wrong note of a member": {object, aws.String(""), "clientSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, switchable)
			_, old := v.Current()
			w.Secrets.Add(older, c.stored(old.Reveal()))
			noted(w, older, c.noted)
			noted(w, newer, aws.String(""))
			w.Client.Secret.JSONKey = c.now
			got, err := retire(w, rotation.RetireEnable)
			answers(t, got, err, "enabled")
		})
	}
}

func TestAnObjectInWhichNothingTellsTheSecretIsNotUsed(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	_, old := v.Current()
	w.Secrets.Add(older, fmt.Sprintf(`{"clientId":%q,"first":%q,"second":"another"}`, fakes.ClientID, old.Reveal()))
	_, err := retire(w, rotation.RetireEnable)
	fakes.Failed(t, err, failure.Precondition, "name it in secret.jsonKey")
}

// Secrets Manager has dropped the version that goes, and the journal does not know AWSCURRENT.
func TestWhoseTextIsGoneIsTakenAwayOnlyIfAPersonSaysWhichIsInUse(t *testing.T) {
	t.Parallel()
	const refused = "whether they are the same secret cannot be told; nothing is retired. Name the one whose value " +
		"is stored as AWSCURRENT in identityProvider.currentSecretId"
	for name, c := range map[string]struct {
		hint    string
		refused bool
	}{
		"nobody says":                  {"", true},
		"it is that one":               {oldID, true},
		"one that is not listed":       {"mem-9", true},
		"another one, which is listed": {newID, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := promoted(t, memory.Options{MaxSecrets: 3})
			edit(w, func(j *journal.Journal) { delete(j.Secrets, newer) })
			w.Secrets.Change(smtest.Drop(older))
			w.Client.IdentityProvider.CurrentSecretID = c.hint
			got, err := retire(w, rotation.RetireDelete)
			if c.refused {
				fakes.Failed(t, err, failure.Precondition, refused)
				has(t, v, oldID, newID)
				return
			}
			answers(t, got, err, "deleted")
			has(t, v, newID)
		})
	}
}

// Whatever the texts say: the only active secret is the one that is accepted.
func TestTheOnlyActiveSecretIsNotTakenAway(t *testing.T) {
	t.Parallel()
	w, v := promoted(t, switchable)
	w.Secrets.Add(again, fakes.Mark+"-another-text", "AWSCURRENT")
	if err := v.Provider().Remove(t.Context(), oldID); err != nil {
		t.Fatal(err)
	}
	w.Tokens.Judge(func(v secret.Value, _ bool) (int, string) { // one that decodes what it is sent, as nobody knows
		if v.Equal(secret.New(fakes.Mark + "-another-text")) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	_, err := call(w, rotation.RetireDelete, newer, again)
	fakes.Failed(t, err, failure.Precondition, "lists no active secret but that of version version-new")
	has(t, v, newID)
}

// The id of a new secret was never written down, and a person has made that secret AWSCURRENT, in another form.
func TestASecretThatWasNeverWrittenDownStaysIfItIsInUse(t *testing.T) {
	t.Parallel()
	w, v := pending(t, memory.Options{MaxSecrets: 3})
	w.Secrets.Add(newer, object(value), "AWSPENDING")
	edit(w, func(j *journal.Journal) {
		j.Secrets[newer] = journal.Entry{State: journal.Intended, JSONKey: aws.String("clientSecret"),
			Before: []string{oldID}, Asked: w.Now, At: w.Now}
	})
	w.Secrets.Add(again, value, "AWSCURRENT")
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	got, err := call(w, rotation.RetireDelete, newer, again)
	answers(t, got, err, "absent")
	has(t, v, oldID, newID)
}
