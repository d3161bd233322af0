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
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito"
	"alboidc.internal/shared/secret"
)

const (
	ownValue = "OwnValueMadeByTheRotator0123456789abcdefghijklmn"
	first    = clientID + "--1772359200"
	second   = clientID + "--1775037600"
)

var (
	both   = exchange{operation: "ListUserPoolClientSecrets", answer: listOf(first, second)}
	only   = exchange{operation: "ListUserPoolClientSecrets", answer: listOf(first)}
	add    = exchange{operation: "AddUserPoolClientSecret", body: `, "ClientSecret": "` + ownValue + `"`}
	remove = exchange{operation: "DeleteUserPoolClientSecret", body: `, "ClientSecretId": "` + first + `"`, answer: `{}`}
)

func listOf(ids ...string) string {
	var list []string
	for _, id := range ids {
		list = append(list, `{"ClientSecretId": "`+id+`", "ClientSecretCreateDate": 1772359200.123}`)
	}
	return `{"ClientSecrets": [` + strings.Join(list, ",") + `]}`
}

// failing is an exchange that is refused with the documented shape of an error; its text must not come through.
func failing(e exchange, status int, code string) exchange {
	e.status, e.answer = status, `{"__type": "`+code+`", "message": "text of the vendor"}`
	return e
}

func answering(e exchange, answer string) exchange {
	e.answer = answer
	return e
}

func TestListReadsIDsAndDates(t *testing.T) {
	t.Parallel()
	got, err := newProvider(t, play(t, both).URL, 1).List(t.Context())
	created := time.Date(2026, 3, 1, 10, 0, 0, 123e6, time.UTC)
	want := []idp.Secret{{ID: first, Status: idp.Active, Created: created}, {ID: second, Status: idp.Active, Created: created}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("List is %+v, %v; want %+v", got, err, want)
	}
}

func TestCreateSendsTheCallersValue(t *testing.T) {
	t.Parallel()
	s := play(t, answering(add, `{"ClientSecretDescriptor": {"ClientSecretId": "`+second+`", "ClientSecretCreateDate": 1775037600.5}}`))
	made, err := newProvider(t, s.URL, 3).Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue), Tag: "v"})
	if err != nil || made.ID != second || made.Value.Reveal() != ownValue {
		t.Errorf("Create is %+v, %v", made, err)
	}
}

func TestCreateReportsAValueThatCognitoMade(t *testing.T) {
	t.Parallel()
	s := play(t, answering(add, `{"ClientSecretDescriptor": {"ClientSecretId": "`+second+`", "ClientSecretValue": "ValueOfTheVendor"}}`))
	made, err := newProvider(t, s.URL, 3).Create(t.Context(), idp.CreateRequest{Value: secret.New(ownValue)})
	if err != nil || made.Value.Reveal() != "ValueOfTheVendor" {
		t.Errorf("Create is %+v, %v; want the value that is valid", made, err)
	}
}

func TestAValueThatCognitoWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	p := newProvider(t, play(t).URL, 1)
	for name, v := range map[string]string{"none": "", "23 characters": strings.Repeat("x", 23), "65 characters": strings.Repeat("x", 65),
		"a hyphen": strings.Repeat("x", 30) + "-", "a line break": strings.Repeat("x", 30) + "\n"} {
		_, err := p.Create(t.Context(), idp.CreateRequest{Value: secret.New(v), Tag: "v"})
		if !failure.Is(err, failure.Internal) || !strings.Contains(err.Error(), "24 to 64") {
			t.Errorf("%s: %v, want %s", name, err, failure.Internal)
		}
	}
}

func create(p idp.Provider, ctx context.Context) error {
	_, err := p.Create(ctx, idp.CreateRequest{Value: secret.New(ownValue)})
	return err
}

func removeFirst(p idp.Provider, ctx context.Context) error { return p.Remove(ctx, first) }

func TestChangesOfASecret(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		call func(idp.Provider, context.Context) error
		play []exchange
		kind failure.Kind // "" is success
		says string
	}{
		{"a listed secret is deleted", removeFirst, []exchange{both, remove}, "", ""},
		{"a secret that is not listed counts as removed", removeFirst,
			[]exchange{answering(both, listOf(second))}, "", ""},
		{"a secret that vanishes before the delete counts as removed", removeFirst,
			[]exchange{both, failing(remove, 400, "ResourceNotFoundException"), answering(both, listOf(second))}, "", ""},
		{"an app client that vanishes before the delete is no removal", removeFirst,
			[]exchange{both, failing(remove, 400, "ResourceNotFoundException"), failing(both, 400, "ResourceNotFoundException")},
			failure.Precondition, "there is no app client"},
		{"an app client that is not there is no removal", removeFirst,
			[]exchange{failing(both, 400, "ResourceNotFoundException")}, failure.Precondition, "correct identityProvider.settings.userPoolId"},
		{"the last secret is not deleted, by one code", removeFirst,
			[]exchange{only, failing(remove, 400, "InvalidParameterException"), only}, failure.Precondition, "it is the last one"},
		{"the last secret is not deleted, by the other code", removeFirst,
			[]exchange{only, failing(remove, 400, "LimitExceededException"), only}, failure.Precondition, "it is the last one"},
		{"a delete that is refused for another reason", removeFirst,
			[]exchange{both, failing(remove, 400, "InvalidParameterException"), both}, failure.IdPRejected, "InvalidParameterException"},
		{"a delete that is refused while the list is out of reach", removeFirst,
			[]exchange{both, failing(remove, 400, "InvalidParameterException"), failing(both, 500, "InternalServerException")},
			failure.Unavailable, "list the app client's secrets"},
		{"a third secret is refused in words, by one code", create,
			[]exchange{failing(add, 400, "LimitExceededException")}, failure.IdPRejected, "which is the limit"},
		{"a third secret is refused in words, by the other code", create,
			[]exchange{failing(add, 400, "InvalidParameterException")}, failure.IdPRejected, "which is the limit"},
		{"missing rights are explained", create,
			[]exchange{failing(add, 400, "NotAuthorizedException")}, failure.IdPRejected, "AddUserPoolClientSecret"},
		{"a code that is not known", create,
			[]exchange{failing(add, 400, "UserPoolTaggingException")}, failure.IdPRejected, "refused to add a secret"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := tt.call(newProvider(t, play(t, tt.play...).URL, 1), t.Context())
			if tt.kind == "" {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
			if strings.Contains(err.Error(), ownValue) {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestTheMessageOfARefusalIsNotShown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"InvalidParameterException", "LimitExceededException", "TooManyRequestsException"} {
		err := create(newProvider(t, play(t, failing(add, 400, code)).URL, 3), t.Context())
		if err == nil || strings.Contains(err.Error(), "vendor") || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v; want the code without the message, which may quote the request", code, err)
		}
	}
}

func TestAThrottledListIsTriedAgainButACreateIsNot(t *testing.T) {
	t.Parallel()
	p := newProvider(t, play(t, failing(both, 400, "TooManyRequestsException"), both, failing(add, 400, "TooManyRequestsException")).URL, 3)
	if _, err := p.List(t.Context()); err != nil {
		t.Errorf("List: %v", err)
	}
	if err := create(p, t.Context()); !failure.Is(err, failure.Throttled) {
		t.Errorf("Create: %v, want %s", err, failure.Throttled)
	}
}

func TestCheckSaysWhyAnAppClientCannotBeRotated(t *testing.T) {
	t.Parallel()
	describe := exchange{operation: "DescribeUserPoolClient", answer: goodClient}
	changed := func(old, new string) exchange {
		if !strings.Contains(goodClient, old) {
			t.Fatalf("the case changes nothing: %s", old)
		}
		return answering(describe, strings.Replace(goodClient, old, new, 1))
	}
	tests := []struct {
		name string
		play []exchange
		kind failure.Kind // "" is success
		says string
	}{
		{"a good app client passes", []exchange{describe, only}, "", ""},
		{"one whose secret is not shown passes", []exchange{changed(`"ClientSecret":`, `"Shown":`), both}, "", ""},
		{"a public app client", []exchange{changed(`"ClientSecret":`, `"Shown":`), answering(both, listOf())}, failure.Precondition, "create a confidential one"},
		{"no code grant", []exchange{changed(`["code"]`, `["client_credentials"]`)}, failure.Precondition, "authorization code grant"},
		{"no OAuth flows at all", []exchange{changed(`PoolClient": true`, `PoolClient": false`)}, failure.Precondition, "authorization code grant"},
		{"no such app client", []exchange{failing(describe, 400, "ResourceNotFoundException")}, failure.Precondition, "there is no app client"},
		{"missing rights", []exchange{failing(describe, 400, "AccessDeniedException")}, failure.IdPRejected, "DescribeUserPoolClient"},
		{"another app client's answer", []exchange{changed(`"ClientId": "1`, `"ClientId": "2`)}, failure.Unavailable, "not understood"},
		{"another pool's answer", []exchange{changed(poolID, "eu-central-1_Other")}, failure.Unavailable, "not understood"},
		{"something that is no app client", []exchange{answering(describe, `{}`)}, failure.Unavailable, "not understood"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := newProvider(t, play(t, tt.play...).URL, 1).Check(t.Context())
			if tt.kind == "" && err != nil || tt.kind != "" && (!failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("the error shows a secret: %v", err)
			}
		})
	}
}

func TestAnswersThatAreNotUnderstoodAreUnavailable(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{
		"null":            `null`,
		"no list":         `{}`,
		"no id":           `{"ClientSecrets": [{"ClientSecretCreateDate": 1}]}`,
		"an empty id":     listOf(""),
		"a list of pages": strings.TrimSuffix(listOf(first), "}") + `, "NextToken": "more"}`,
		"nothing":         ``,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newProvider(t, play(t, answering(both, answer)).URL, 1).List(t.Context())
			if !failure.Is(err, failure.Unavailable) {
				t.Errorf("List: %v, want %s", err, failure.Unavailable)
			}
		})
	}
	for _, answer := range []string{`{}`, `{"ClientSecretDescriptor": {"ClientSecretCreateDate": 1}}`} {
		if err := create(newProvider(t, play(t, answering(add, answer)).URL, 1), t.Context()); !failure.Is(err, failure.Unavailable) {
			t.Errorf("Create answered with %s: %v, want %s", answer, err, failure.Unavailable)
		}
	}
}

func TestMissingCredentialsAreNotBlamedOnCognito(t *testing.T) {
	t.Parallel()
	d := deps(play(t).URL, 1)
	with := d.AWS
	d.AWS = func(region string) aws.Config {
		c := with(region)
		c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{}, errors.New("the environment holds no AWS credentials")
		})
		return c
	}
	p, err := cognito.New([]byte(`{"userPoolId": "`+poolID+`"}`), idp.Client{ClientID: clientID}, d)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.List(t.Context()); err == nil || failure.Is(err, failure.IdPRejected) {
		t.Errorf("List without credentials: %v", err)
	}
}

func TestAProviderNeedsAWayToReachAWS(t *testing.T) {
	t.Parallel()
	if _, err := cognito.New([]byte(`{"userPoolId": "`+poolID+`"}`), idp.Client{}, idp.Deps{}); !failure.Is(err, failure.Internal) {
		t.Errorf("New without AWS: %v", err)
	}
}
