package guarantees_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

// member is where the JSON objects of these tests have the client secret.
const member = "clientSecret"

// secretsIn are the client secrets in stored texts.
func secretsIn(texts map[string]string) map[string]string {
	out := map[string]string{}
	for version, text := range texts {
		var object map[string]string
		if out[version] = text; json.Unmarshal([]byte(text), &object) == nil && object[member] != "" {
			out[version] = object[member]
		}
	}
	return out
}

// current is the client secret that AWSCURRENT holds.
func (w *world) current() string {
	w.t.Helper()
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	return secretsIn(values)[labels["AWSCURRENT"]]
}

// object is the JSON object with a client secret that an application reads.
func (w *world) object(value string) string {
	doc, err := json.Marshal(map[string]string{"clientId": w.ClientID, member: value, "environment": "production"})
	if err != nil {
		w.t.Fatal(err)
	}
	return string(doc)
}

// store stores a text as a new AWSCURRENT version, as a person does.
func (w *world) store(text string) {
	w.t.Helper()
	if _, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).PutSecretValue(context.Background(),
		&secretsmanager.PutSecretValueInput{SecretId: &w.SecretARN, SecretString: &text}); err != nil {
		w.t.Fatal(err)
	}
}

// reconfigure deploys another configuration of the client.
func (w *world) reconfigure(change func(*config.Client)) {
	w.t.Helper()
	change(&w.Config)
	doc, err := json.Marshal(w.Config)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err = ssm.NewFromConfig(w.Stack.AWS(scenario.Home)).PutParameter(context.Background(), &ssm.PutParameterInput{
		Name: aws.String(scenario.ParameterPrefix + scenario.Client), Type: ssmtypes.ParameterTypeString,
		Tier:      ssmtypes.ParameterTierAdvanced,
		Overwrite: aws.Bool(true), Value: aws.String(string(doc))}); err != nil {
		w.t.Fatal(err)
	}
}

func asText(c *config.Client)   { c.Secret.JSONKey = "" }
func asObject(c *config.Client) { c.Secret.JSONKey = member }

// addSecret gives the client a secret of its own at the identity provider.
func (w *world) addSecret(value string) (id string) {
	w.t.Helper()
	id = w.Stack.IdP.Vendor().NewSecretID(w.ClientID)
	err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: id}, value)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// journalText changes the document of the journal.
func (w *world) journalText(change func(string) string) {
	w.t.Helper()
	state := w.journal()["state"].(*ddbtypes.AttributeValueMemberS).Value
	if _, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateItem(context.Background(),
		&dynamodb.UpdateItemInput{
			TableName: aws.String(scenario.JournalTable), Key: map[string]ddbtypes.AttributeValue{
				"client": &ddbtypes.AttributeValueMemberS{Value: scenario.Client}},
			UpdateExpression: aws.String("SET #state = :state"), ExpressionAttributeNames: map[string]string{
				"#state": "state"},
			ExpressionAttributeValues: map[string]ddbtypes.AttributeValue{":state": &ddbtypes.AttributeValueMemberS{
				Value: change(state)}}}); err != nil {
		w.t.Fatal(err)
	}
}

// withoutForms makes the journal one of a release that did not note how versions are stored.
func (w *world) withoutForms() {
	w.t.Helper()
	w.journalText(func(state string) string {
		for _, key := range []string{"", member} {
			state = strings.ReplaceAll(state, fmt.Sprintf(`"jsonKey":%q,`, key), "")
		}
		if strings.Contains(state, "jsonKey") {
			w.t.Fatalf("the journal is %s", state)
		}
		return state
	})
}

// rotatedAsObject is a client whose secret is a member of a JSON object, and was rotated.
func rotatedAsObject(t *testing.T, vendor string) *world {
	t.Helper()
	w := newWorldOf(t, vendor, usual(), quick)
	w.reconfigure(asObject)
	w.store(w.object(w.current()))
	w.mustRotate()
	w.atRest()
	return w
}

// The same secret is stored as plain text, and jsonKey dropped; or the other way round. It was taken for another secret
// than the journal's, which was then removed.
func TestTheSameSecretInAnotherFormIsNoOther(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "entra", "cognito", "keycloak", "pingone", "hydra", "auth0", "authentik"} {
		for name, old := range map[string]bool{"noted": false, "not noted": true} {
			t.Run(vendor+", "+name, func(t *testing.T) {
				t.Parallel()
				w := rotatedAsObject(t, vendor)
				if old {
					w.withoutForms()
				}
				w.reconfigure(asText)
				w.store(w.current())
				w.mustRotate()
				w.atRest()
				if old {
					w.withoutForms()
				}
				w.reconfigure(asObject)
				w.store(w.object(w.current()))
				w.mustRotate()
				w.atRest()
			})
		}
	}
}

func TestTheSameSecretBesideAStrangersStays(t *testing.T) {
	t.Parallel()
	for vendor, room := range map[string]bool{"okta": false, "entra": true, "cognito": false} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := rotatedAsObject(t, vendor)
			w.reconfigure(asText)
			w.store(w.current())
			stranger := "a-strangers-secret-0123456789-abcdefghijklm"
			w.addSecret(stranger)
			used := w.current()
			r, execution := w.rotate(plain)
			if succeeded := r.Status == asl.Succeeded; succeeded != room {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			w.check("at the end")
			store, now := w.Stack.IdP.Store(), w.clock.Now()
			if !store.Accepts(w.ClientID, stranger, now) || store.Accepts(w.ClientID, used, now) == room ||
				len(w.violations) > 0 {
				t.Errorf("the stranger's secret is accepted: %v, the one that was in use: %v; %v",
					store.Accepts(w.ClientID, stranger, now), store.Accepts(w.ClientID, used, now), w.violations)
			}
		})
	}
}

// What is around a secret comes from editors and shells. The provider refuses that, so nothing is rotated; and nothing
// is removed.
func TestWhatIsAroundASecretMakesItNoOther(t *testing.T) {
	t.Parallel()
	for name, around := range map[string]string{"ends with a line break": "%s\n",
		"has quotation marks around it": `"%s"`, "begins with a byte order mark": "\ufeff%s"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rotatedAsObject(t, "entra")
			w.addSecret("a-strangers-secret-0123456789-abcdefghijklm")
			used := w.current()
			w.tolerant = true // AWSCURRENT holds what the provider refuses
			w.reconfigure(asText)
			w.store(fmt.Sprintf(around, used))
			r, execution := w.rotate(plain)
			if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "the stored value "+name) {
				t.Errorf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
			}
			if !w.Stack.IdP.Store().Accepts(w.ClientID, used, w.clock.Now()) {
				t.Error("the secret in use is gone")
			}
			w.store(used)
			w.tolerant = false
			w.mustRotate()
			w.check("at the end")
			if len(w.violations) > 0 {
				t.Error(w.violations)
			}
		})
	}
}

// A person who has made a new secret and stored it needs to say nothing more, whatever its form.
func TestATakeOverByHandInAnotherForm(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "entra", "cognito"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := rotatedAsObject(t, vendor)
			byHand := "made-by-hand-0123456789-abcdefghijklmnopqrst"
			w.addSecret(byHand)
			w.reconfigure(asText)
			w.store(byHand)
			w.mustRotate()
			w.atRest()
		})
	}
}

// The form changes while a rotation runs, and then it has to go back. In whatever form AWSCURRENT is: it is a secret
// that this rotation knows.
func TestARollbackReadsSecretsInTheirForms(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"SetSecret", "GracePeriod"} {
		for name, change := range map[string]func(*world){
			"stored as text":  func(w *world) { w.reconfigure(asText); w.store(w.current()) },
			"nothing noted":   func(w *world) { w.withoutForms(); w.reconfigure(asText); w.store(w.current()) },
			"stored the same": func(w *world) { w.store(w.object(w.current())) },
		} {
			t.Run(state+", "+name, func(t *testing.T) {
				t.Parallel()
				w := rotatedAsObject(t, "okta")
				used := w.current()
				w.when(state, func(string) { change(w) })
				w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestBeforeFinish"`,
					Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
				r, execution := w.rotate(plain)
				if text(r.Error) != "RolledBack" || w.current() != used {
					t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
				}
				w.atRest()
			})
		}
	}
}

func TestARotationGoesOnAfterItsSecretIsStoredAgain(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"SetSecret", "PromoteSecret", "GracePeriod", "AwaitReassertSpread"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := rotatedAsObject(t, "okta")
			w.when(state, func(string) {
				w.reconfigure(asText)
				w.store(w.current())
			})
			w.mustRotate()
			w.atRest()
		})
	}
}

// forget makes Secrets Manager drop every version without a label: it keeps the newest hundred, and those of a day.
func (w *world) forget() {
	w.t.Helper()
	text := w.stored()
	_, before, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	for range 101 {
		w.store(text)
	}
	w.pass(25 * time.Hour)
	w.store(text)
	_, after, errAfter := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	for version := range before {
		if after[version] != "" || err != nil || errAfter != nil {
			w.t.Fatalf("version %s is still there (%v, %v)", version, err, errAfter)
		}
	}
}

// stored is the text of AWSCURRENT.
func (w *world) stored() string {
	w.t.Helper()
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	return values[labels["AWSCURRENT"]]
}

func TestASecretWhoseVersionIsGoneIsTheOnlyActiveOne(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "entra", "cognito", "keycloak", "pingone", "hydra", "auth0", "authentik"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := rotatedAsObject(t, vendor)
			w.reconfigure(asText)
			w.store(w.current())
			w.forget()
			w.mustRotate()
			w.atRest()
			w.mustRotate()
			w.atRest()
		})
	}
}

func TestAPersonNamesTheSecretWhoseVersionIsGone(t *testing.T) {
	t.Parallel()
	w := rotatedAsObject(t, "entra")
	id := w.Stack.IdP.Store().Secrets(w.ClientID)[0].ID
	stranger := "a-strangers-secret-0123456789-abcdefghijklm"
	w.addSecret(stranger)
	used := w.current()
	w.forget()
	if r, execution := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"in identityProvider.currentSecretId ("+id) {
		t.Fatalf("ended as %s: %s\n%v", text(r.Error), text(r.Cause), w.path(execution))
	}
	w.reconfigure(func(c *config.Client) { c.IdentityProvider.CurrentSecretID = id })
	w.mustRotate()
	w.check("at the end")
	store, now := w.Stack.IdP.Store(), w.clock.Now()
	if store.Accepts(w.ClientID, used, now) || !store.Accepts(w.ClientID, stranger, now) || len(w.violations) > 0 {
		t.Errorf("the stranger's secret is accepted: %v; %v", store.Accepts(w.ClientID, stranger, now), w.violations)
	}
	w.mustRotate() // the hint is of the past
}
