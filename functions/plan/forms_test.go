package plan_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const again = "version-again"

// The next version is stored as configured: what reads the secret besides would not find it.
func TestARotationIsRefusedWhereTheFormIsNotTheConfiguredOne(t *testing.T) {
	t.Parallel()
	object := `{"clientSecret":%q,"other":"not-the-secret"}`
	for name, c := range map[string]struct {
		stored, key string
		noted       *string
		says        string
	}{
		"an object, and no key": {object, "", aws.String("clientSecret"),
			"secret.jsonKey: AWSCURRENT (version version-old) holds a JSON object"},
		"an object, no key, and no note": {`{"clientSecret":%q}`, "", nil,
			"secret.jsonKey: AWSCURRENT (version version-old) holds a JSON object"},
		"a text, and a key":          {"%s", "clientSecret", aws.String(""), "or leave out secret.jsonKey"},
		"a text, a key, and no note": {"%s", "clientSecret", nil, "or leave out secret.jsonKey"},
		"an object, and the name of no member": {object, "secret", aws.String("clientSecret"),
			"name the one with the client secret in secret.jsonKey"},
		"an object, and the name of another one": {object, "other", aws.String("clientSecret"),
			"put secret.jsonKey back"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			w.Secrets.Add(older, fmt.Sprintf(c.stored, w.Secrets.Value(older)))
			w.Client.Secret.JSONKey = c.key
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: "mem-1", JSONKey: c.noted, At: w.Now}}})
			_, err := makePlan(w, plain)
			fakes.Failed(t, err, failure.Precondition, c.says)
			fakes.Failed(t, err, failure.Precondition, "no new secret was made")
		})
	}
}

// What followers of a pair read must belong together: by the journal, or, for a version that it does not know, by the
// token endpoint. Where the configuration does not name the client id, Plan warns that it will not.
func TestAVersionWithAnothersClientIDIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stored, says string
		warns        bool
	}{
		"its own": {`{"clientSecret":%q,"clientId":"` + fakes.ClientID + `"}`, "", true},
		"the other one": {`{"clientSecret":%q,"clientId":"` + second + `"}`,
			`"clientId", from which followers read the client id, is the pair's other one`, true},
		"a third": {`{"clientSecret":%q,"clientId":"client-third"}`, `is not that: store both`, false},
		"none":    {`{"clientSecret":%q}`, `is not there, or no text`, false},
		"no text": {`{"clientSecret":%q,"clientId":7}`, `is not there, or no text`, false},
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, known: %t", name, known), func(t *testing.T) {
				t.Parallel()
				w, _ := slotWorld(t, memory.SlotOptions{Single: true})
				w.Client.IdentityProvider.ClientPair, w.Client.Secret.JSONKey = second, "clientSecret"
				w.Secrets.Add(older, fmt.Sprintf(c.stored, w.Secrets.Value(older)))
				if known {
					w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
						IdPSecretID: older, ClientID: fakes.ClientID, At: w.Now}}})
				}
				p, err := makePlan(w, plain)
				if err != nil || strings.Contains(strings.Join(p.Warnings, "\n"),
					`member "clientId" of AWSCURRENT is a client id of the pair`) != c.warns {
					t.Errorf("warned is %q (%v)", p.Warnings, err)
				}
				w.Client.Secret.ClientIDKey = "clientId"
				named, refused := makePlan(w, plain)
				if strings.Contains(strings.Join(named.Warnings, "\n"), "is a client id of the pair") {
					t.Errorf("a client id that is named is warned of: %q", named.Warnings)
				}
				w.Journal.SetOwner("")
				p, err = makePlan(w, measured)
				if err != nil || !strings.Contains(p.Measured.RotationRefused, c.says) ||
					(refused == nil) != (c.says == "") {
					t.Fatalf("refused is %v, measured %q (%v)", refused, p.Measured.RotationRefused, err)
				}
				if c.says != "" {
					fakes.Failed(t, refused, failure.Precondition, c.says)
					fakes.Failed(t, refused, failure.Precondition, "belongs to client id "+fakes.ClientID)
				}
			})
		}
	}
}

// The journal's version is a text, AWSCURRENT an object, or the other way round.
func TestTheSameSecretInAnotherFormIsRotatedAsTheOneItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, after, key string }{
		"text, then object": {"%s", `{"clientId":"0oa1orders","clientSecret":"%s"}`, "clientSecret"},
		"object, then text": {`{"clientId":"0oa1orders","clientSecret":"%s"}`, "%s", ""},
		"another member":    {`{"secret":"%s"}`, `{"clientSecret":"%s"}`, "clientSecret"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			w.Client.LoadBalancers = w.Client.LoadBalancers[:1]
			_, current := v.Current()
			w.Secrets.Add(older, fmt.Sprintf(c.before, current.Reveal()))
			w.Secrets.Add(again, fmt.Sprintf(c.after, current.Reveal()), "AWSCURRENT")
			w.Secrets.SetLabel("AWSPREVIOUS", older)
			w.Client.Secret.JSONKey = c.key
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: "mem-1", At: w.Now}}})
			p, err := makePlan(w, plain)
			if err != nil || p.Action != rotation.Rotate || p.Import ||
				p.From != (rotation.Ref{VersionID: again, IdPSecretID: "mem-1"}) {
				t.Errorf("the plan is %+v (%v)", p, err)
			}
		})
	}
}

// What the provider decides about AWSCURRENT rests on its being accepted.
func TestAnUnknownSecretInUseMustBeAcceptedBeforeARollback(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	v.Add(secret.New(value))
	w.Secrets.Add(newer, value)
	w.Secrets.Add(again, fakes.Mark+"-never-made", "AWSCURRENT")
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{newer: {State: journal.Live, IdPSecretID: "mem-2",
		At: w.Now}}})
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.SecretRefused, "does not accept the current client secret (version "+again+")")
}

func TestWhatAPersonStoresMustBeInTheConfiguredForm(t *testing.T) {
	t.Parallel()
	w := fakes.New(t, desk{memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)}, memory.Initial)
	w.Client.Secret.JSONKey = "clientSecret"
	w.Secrets.Add(older, `{"clientSecret":"`+memory.Initial+`"}`)
	w.Secrets.Add(again, memory.Initial+"\n", "AWSPENDING")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition,
		"version "+again+" of "+fakes.SecretARN+": the stored value is not a JSON object")
	w.Secrets.Add(again, `{"clientSecret":" `+memory.Initial+`"}`, "AWSPENDING")
	_, err = makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "version "+again+") is the one in use")

	const made = fakes.Mark + "-by-hand\n"
	w.Client.Secret.JSONKey = ""
	w.Secrets.Add(older, memory.Initial)
	w.Secrets.Add(again, made, "AWSPENDING")
	w.Tokens.Judge(func(v secret.Value, accepted bool) (int, string) {
		if accepted || v.Equal(secret.New(made)) {
			return 400, "invalid_grant"
		}
		return 401, "invalid_client"
	})
	_, err = makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "AWSPENDING (version "+again+") ends with a line break")
}

// Whoever stores a secret sees at once what came in with it, and never the secret.
func TestARefusalSaysWhatIsOddAboutTheForm(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ stored, key, says string }{
		"a line break":          {"%s\n", "", "; the stored value ends with a line break: store the secret as"},
		"quotes":                {`"%s"`, "", "has quotation marks around it"},
		"in a member":           {`{"clientSecret":" %s"}`, "clientSecret", "begins with white space"},
		"an object in a member": {`{"clientSecret":"{\"value\":\"%s\"}"}`, "clientSecret", `the members "value"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			w.Secrets.Add(again, fmt.Sprintf(c.stored, w.Secrets.Value(older)), "AWSCURRENT")
			w.Client.Secret.JSONKey = c.key
			_, err := makePlan(w, plain)
			fakes.Failed(t, err, failure.SecretRefused, c.says)
		})
	}
	w, _ := newWorld(t)
	w.Secrets.Add(again, `{"azureSecret":"`+fakes.Mark+`","secret2":"`+fakes.Mark+`"}`, "AWSCURRENT")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, `with the members "azureSecret", "secret2", and secret.jsonKey is not`)
}

// A secret that is accepted is as the provider made it, however it looks. But load balancers cannot send a line break.
func TestAnAcceptedSecretIsNotRefusedForItsLooks(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`"%s"`: "", " %s ": "", "%sé": "", "client_secret=%s\\n": "", "\ufeff%s": "", "%s\tx": "",
		"%s\n": "ends with a line break, which a load balancer cannot send", "%s\r": "ends with a line break",
	} {
		w, _ := newWorld(t)
		value := fmt.Sprintf(text, w.Secrets.Value(older))
		w.Secrets.Add(older, value, "AWSCURRENT")
		w.Tokens.Judge(func(v secret.Value, _ bool) (int, string) {
			if v.Equal(secret.New(value)) {
				return 400, "invalid_grant"
			}
			return 401, "invalid_client"
		})
		_, err := makePlan(w, plain)
		if says == "" && err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if says != "" {
			fakes.Failed(t, err, failure.Precondition, says)
		}
	}
}
