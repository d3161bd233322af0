package cognito_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
	"alboidc.internal/shared/secret"
)

const ownValue = "OwnValueMadeByTheRotator0123456789abcdefghijklmn"

// list is the documented shape of an answer with secrets.
func list(ids ...string) string {
	var out []string
	for _, id := range ids {
		out = append(out, `{"ClientSecretId": "`+id+`", "ClientSecretCreateDate": 1772359200.123}`)
	}
	return `{"ClientSecrets": [` + strings.Join(out, ",") + `]}`
}

func create(p idp.Provider, ctx context.Context) (idp.Created, error) {
	return p.Create(ctx, idp.CreateRequest{Value: secret.New(ownValue), Tag: "v"})
}

func TestListReadsIDsAndDates(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	p.answer(listSecrets, list("first", "second"))
	got, err := newProvider(t, p.deps(1)).List(t.Context())
	created := time.Date(2026, 3, 1, 10, 0, 0, 123e6, time.UTC)
	want := []idp.Secret{{ID: "first", Status: idp.Active, Created: created}, {ID: "second", Status: idp.Active,
		Created: created}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestCreateReportsAValueThatCognitoMade(t *testing.T) {
	t.Parallel()
	p := newPool(t)
	p.answer(addSecret,
		`{"ClientSecretDescriptor": {"ClientSecretId": "second", "ClientSecretValue": "ValueOfTheVendor"}}`)
	made, err := create(newProvider(t, p.deps(1)), t.Context())
	if err != nil || made.Value.Reveal() != "ValueOfTheVendor" {
		t.Errorf("Create is %+v, %v; want the value that is valid", made, err)
	}
}

func TestAValueThatCognitoWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	vendor := newPool(t)
	p := newProvider(t, vendor.deps(1))
	for name, v := range map[string]string{"none": "", "23 characters": strings.Repeat("x", 23),
		"65 characters": strings.Repeat("x", 65),
		"a hyphen":      strings.Repeat("x", 30) + "-", "a line break": strings.Repeat("x", 30) + "\n"} {
		_, err := p.Create(t.Context(), idp.CreateRequest{Value: secret.New(v), Tag: "v"})
		if !failure.Is(err, failure.Internal) || !strings.Contains(err.Error(), "24 to 64") ||
			vendor.Asked(addSecret) != 0 {
			t.Errorf("%s: %v, want %s", name, err, failure.Internal)
		}
	}
}

// besides adds a second secret, as a person would.
func besides(p *pool) { p.Add(clientID, "a-second-secret-of-the-app-client") }

func TestRefusalsAreExplained(t *testing.T) {
	t.Parallel()
	const missing, parameter, limit = "ResourceNotFoundException", "InvalidParameterException", "LimitExceededException"
	creating := func(p idp.Provider, ctx context.Context, _ string) error {
		_, err := create(p, ctx)
		return err
	}
	for _, tt := range []struct {
		name    string
		prepare func(*pool)
		call    func(p idp.Provider, ctx context.Context, id string) error
		kind    failure.Kind // "" is success
		says    string
	}{
		{"a secret that vanishes before the delete counts as removed", func(p *pool) {
			besides(p)
			p.Faults.Observe(func(_, operation, _ string) {
				if operation == deleteSecret {
					id, _ := p.Current()
					_ = p.Store.Update(clientID, func(e *clients.Edit) error { return e.Remove(id) })
				}
			})
		}, idp.Provider.Remove, "", ""},
		{"an app client that vanishes before the delete is no removal", func(p *pool) {
			p.refuse(deleteSecret, missing, 0)
			p.refuse(listSecrets, missing, 1)
		}, idp.Provider.Remove, failure.Precondition, "there is no app client"},
		{"an app client that is not there is no removal", func(p *pool) { p.refuse(listSecrets, missing, 0) },
			idp.Provider.Remove, failure.Precondition, "correct identityProvider.settings.userPoolId"},
		{"the last secret is not deleted", func(*pool) {}, idp.Provider.Remove, failure.Precondition,
			"it is the last one"},
		{"the last secret is not deleted, by another code", func(p *pool) { p.refuse(deleteSecret, limit, 0) },
			idp.Provider.Remove, failure.Precondition, "it is the last one"},
		{"a delete that is refused for another reason", func(p *pool) {
			besides(p)
			p.refuse(deleteSecret, parameter, 0)
		}, idp.Provider.Remove, failure.IdPRejected, parameter},
		{"a delete that is refused while the list is out of reach", func(p *pool) {
			besides(p)
			p.refuse(deleteSecret, parameter, 0)
			p.fault(listSecrets, fault.Rule{Mode: fault.Refuse, Code: "InternalServerException", Skip: 1})
		}, idp.Provider.Remove, failure.Unavailable, "list the app client's secrets"},
		{"a third secret is refused in words", besides, creating, failure.IdPRejected, "which is the limit"},
		{"a third secret is refused in words, by another code", func(p *pool) { p.refuse(addSecret, parameter, 0) },
			creating, failure.IdPRejected, "which is the limit"},
		{"missing rights are explained", func(p *pool) { p.refuse(addSecret, "NotAuthorizedException", 0) },
			creating, failure.IdPRejected, "AddUserPoolClientSecret"},
		{"a code that is not known", func(p *pool) { p.refuse(addSecret, "UserPoolTaggingException", 0) },
			creating, failure.IdPRejected, "refused to add a secret"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendor := newPool(t)
			tt.prepare(vendor)
			id, _ := vendor.Current()
			err := tt.call(newProvider(t, vendor.deps(1)), t.Context(), id)
			want(t, err, tt.kind, tt.says)
		})
	}
}

// want lets the message of an AccessDeniedException pass: it names the principal, the action and the resource, and is
// shown on purpose (package awserr).
func want(t *testing.T, err error, kind failure.Kind, says string) {
	t.Helper()
	if err != nil && strings.Contains(err.Error(), "AccessDeniedException") {
		err = failure.New(failure.KindOf(err), "%s", strings.ReplaceAll(err.Error(), fault.Canary, "message"))
	}
	imitationtest.WantFailure(t, err, kind, says, ownValue)
}

func TestAThrottledListIsTriedAgainButACreateIsNot(t *testing.T) {
	t.Parallel()
	vendor := newPool(t)
	for _, operation := range []string{listSecrets, addSecret} {
		vendor.fault(operation, fault.Rule{Mode: fault.Refuse, Status: 400, Code: "TooManyRequestsException", Times: 1})
	}
	p := newProvider(t, vendor.deps(3))
	if _, err := p.List(t.Context()); err != nil {
		t.Errorf("List: %v", err)
	}
	_, err := create(p, t.Context())
	want(t, err, failure.Throttled, "TooManyRequestsException")
}

// described is the documented shape of DescribeUserPoolClient's answer, shortened.
const described = `{"UserPoolClient": {"UserPoolId": "` + cognitotest.PoolID + `", "ClientId": "` + clientID + `",
 "ClientName": "orders", "ClientSecret": "canary-of-the-first-secret-0123456789", "AllowedOAuthFlows": ["code"],
 "AllowedOAuthFlowsUserPoolClient": true, "AllowedOAuthScopes": ["openid"],
 "CallbackURLs": ["https://orders.example.com/oauth2/idpresponse"], "CreationDate": 1772359200.123}}`

func TestCheckSaysWhyAnAppClientCannotBeRotated(t *testing.T) {
	t.Parallel()
	changed := func(old, new string) func(*pool) {
		if !strings.Contains(described, old) {
			t.Fatalf("the case changes nothing: %s", old)
		}
		return func(p *pool) { p.answer(describeClient, strings.Replace(described, old, new, 1)) }
	}
	for _, tt := range []struct {
		name    string
		prepare func(*pool)
		kind    failure.Kind // "" is success
		says    string
	}{
		{"a good app client passes", changed("orders", "Orders"), "", ""},
		{"one whose secret is not shown passes", changed(`"ClientSecret":`, `"Shown":`), "", ""},
		{"a public app client", func(p *pool) {
			id, _ := p.Current()
			_ = p.Store.Update(clientID, func(e *clients.Edit) error { return e.Remove(id) })
		}, failure.Precondition, "create a confidential one"},
		{"no code grant", changed(`["code"]`, `["client_credentials"]`), failure.Precondition,
			"authorization code grant"},
		{"no OAuth flows at all", changed(`PoolClient": true`, `PoolClient": false`), failure.Precondition,
			"authorization code grant"},
		{"no such app client", func(p *pool) { p.refuse(describeClient, "ResourceNotFoundException", 0) },
			failure.Precondition, "there is no app client"},
		{"missing rights", func(p *pool) { p.refuse(describeClient, "AccessDeniedException", 0) },
			failure.IdPRejected, "DescribeUserPoolClient"},
		{"another app client's answer", changed(`"ClientId": "1`, `"ClientId": "2`), failure.Unavailable,
			"not understood"},
		{"another pool's answer", changed(cognitotest.PoolID, "eu-central-1_Other"), failure.Unavailable,
			"not understood"},
		{"something that is no app client", func(p *pool) { p.answer(describeClient, `{}`) }, failure.Unavailable,
			"not understood"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			vendor := newPool(t)
			tt.prepare(vendor)
			want(t, newProvider(t, vendor.deps(1)).Check(t.Context()), tt.kind, tt.says)
		})
	}
}

func TestAnswersThatAreNotUnderstoodAreUnavailable(t *testing.T) {
	t.Parallel()
	vendor := newPool(t)
	p := newProvider(t, vendor.deps(1))
	for name, answer := range map[string]string{
		"null":            `null`,
		"no list":         `{}`,
		"no id":           `{"ClientSecrets": [{"ClientSecretCreateDate": 1}]}`,
		"an empty id":     list(""),
		"a list of pages": strings.TrimSuffix(list("first"), "}") + `, "NextToken": "more"}`,
		"nothing":         "\n",
	} {
		vendor.answer(listSecrets, answer)
		if _, err := p.List(t.Context()); !failure.Is(err, failure.Unavailable) {
			t.Errorf("%s: %v, want %s", name, err, failure.Unavailable)
		}
	}
	for _, answer := range []string{`{}`, `{"ClientSecretDescriptor": {"ClientSecretCreateDate": 1}}`} {
		vendor.answer(addSecret, answer)
		if _, err := create(p, t.Context()); !failure.Is(err, failure.Unavailable) {
			t.Errorf("Create answered with %s: %v, want %s", answer, err, failure.Unavailable)
		}
	}
}

func TestMissingCredentialsAreNotBlamedOnCognito(t *testing.T) {
	t.Parallel()
	d := newPool(t).deps(1)
	with := d.AWS
	d.AWS = func(region string) aws.Config {
		c := with(region)
		c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("the environment holds no AWS credentials")
		})
		return c
	}
	if _, err := newProvider(t, d).List(t.Context()); err == nil || failure.Is(err, failure.IdPRejected) {
		t.Errorf("List without credentials: %v", err)
	}
}
