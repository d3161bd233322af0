package cognito_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/cognito"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	face "alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/clients"
)

const (
	clientID = "1exampleclientid23"
	initial  = "initialsecretoftheappclient0123456789"
	own      = "OwnValueMadeByTheRotator0123456789abcdefghijklmn"
)

var (
	pool   = aws.String(face.PoolID)
	client = aws.String(clientID)
)

func noon() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

// world is a Cognito with one app client that has one secret.
type world struct {
	store   *clients.Store
	clock   *clock.Virtual
	faults  *fault.Injector
	url     string
	firstID string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{clock: clock.NewVirtual(noon()), faults: &fault.Injector{}, firstID: face.SecretID(clientID, noon())}
	w.store = clients.New(w.clock)
	server := httptest.NewServer(awsapi.NewServer(w.clock, w.faults, cognito.New(w.clock, w.store)))
	t.Cleanup(server.Close)
	w.url = server.URL
	w.register(t, clients.Client{ID: clientID, Name: "orders-web", RedirectURIs: []string{"https://orders.example.com/oauth2/idpresponse"}})
	err := w.store.Update(clientID, func(e *clients.Edit) error { _, err := e.Add(clients.Secret{ID: w.firstID}, initial); return err })
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) register(t *testing.T, c clients.Client) {
	t.Helper()
	if _, err := w.store.Register(c); err != nil {
		t.Fatal(err)
	}
}

func (w *world) config(region string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: &w.url, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")}
}

func (w *world) api() *sdk.Client { return sdk.NewFromConfig(w.config(face.Region)) }

// wantCode fails unless err is an error of AWS with that code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestASuppliedSecretIsValidAtOnceAndNotShownAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Advance(time.Hour)
	out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: client, ClientSecret: aws.String(own)})
	if err != nil {
		t.Fatal(err)
	}
	d := out.ClientSecretDescriptor
	if want := fmt.Sprintf("%s--%d", clientID, noon().Add(time.Hour).Unix()); *d.ClientSecretId != want || d.ClientSecretValue != nil || !d.ClientSecretCreateDate.Equal(noon().Add(time.Hour)) {
		t.Errorf("the descriptor is %s, %s, value shown: %t; want id %s", *d.ClientSecretId, d.ClientSecretCreateDate, d.ClientSecretValue != nil, want)
	}
	for _, v := range []string{initial, own} {
		if !w.store.Accepts(clientID, v, w.clock.Now()) {
			t.Errorf("%s is refused", v)
		}
	}
}

func TestASecretThatCognitoMakesIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: client})
	if err != nil {
		t.Fatal(err)
	}
	if v := aws.ToString(out.ClientSecretDescriptor.ClientSecretValue); len(v) < 24 || !w.store.Accepts(clientID, v, w.clock.Now()) {
		t.Errorf("a value of %d characters was answered", len(v))
	}
	list, err := w.api().ListUserPoolClientSecrets(t.Context(), &sdk.ListUserPoolClientSecretsInput{UserPoolId: pool, ClientId: client})
	if err != nil || len(list.ClientSecrets) != 2 || list.NextToken != nil {
		t.Fatalf("list %+v, %v", list, err)
	}
	for _, s := range list.ClientSecrets {
		if s.ClientSecretValue != nil || s.ClientSecretId == nil || s.ClientSecretCreateDate == nil {
			t.Errorf("listed %+v", s)
		}
	}
}

func TestNoIDIsUsedTwiceEvenWithinOneSecond(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	seen := []string{w.firstID}
	for range 3 {
		out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: client})
		if err != nil {
			t.Fatal(err)
		}
		id := *out.ClientSecretDescriptor.ClientSecretId
		if slices.Contains(seen, id) || !strings.HasPrefix(id, clientID+"--") {
			t.Errorf("id %s after %v", id, seen)
		}
		seen = append(seen, id)
		if _, err := w.api().DeleteUserPoolClientSecret(t.Context(), &sdk.DeleteUserPoolClientSecretInput{UserPoolId: pool, ClientId: client, ClientSecretId: &id}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatCognitoRefuses(t *testing.T) {
	t.Parallel()
	add := func(value string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.AddUserPoolClientSecret(ctx, &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: client, ClientSecret: &value})
			return err
		}
	}
	remove := func(id string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.DeleteUserPoolClientSecret(ctx, &sdk.DeleteUserPoolClientSecretInput{UserPoolId: pool, ClientId: client, ClientSecretId: &id})
			return err
		}
	}
	list := func(pool, client string, token *string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.ListUserPoolClientSecrets(ctx, &sdk.ListUserPoolClientSecretsInput{UserPoolId: &pool, ClientId: &client, NextToken: token})
			return err
		}
	}
	for _, tt := range []struct {
		name, code string
		before     []func(context.Context, *sdk.Client) error
		call       func(context.Context, *sdk.Client) error
	}{
		{"a third secret", "LimitExceededException", []func(context.Context, *sdk.Client) error{add(own)}, add(own + "2")},
		{"a short secret", "InvalidParameterException", nil, add(own[:23])},
		{"a long secret", "InvalidParameterException", nil, add(strings.Repeat("x", 65))},
		{"an empty secret", "InvalidParameterException", nil, add("")},
		{"a secret with a hyphen", "InvalidParameterException", nil, add(own + "-")},
		{"deleting the last secret", "InvalidParameterException", nil, remove(face.SecretID(clientID, noon()))},
		{"deleting a secret that is not there", "ResourceNotFoundException", nil, remove(clientID + "--1")},
		{"an unknown pool", "ResourceNotFoundException", nil, list("eu-central-1_Other", clientID, nil)},
		{"an unknown client", "ResourceNotFoundException", nil, list(face.PoolID, "other", nil)},
		{"a token that was never given", "InvalidParameterException", nil, list(face.PoolID, clientID, aws.String("more"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, step := range tt.before {
				if err := step(t.Context(), w.api()); err != nil {
					t.Fatal(err)
				}
			}
			before := w.store.Secrets(clientID)
			err := tt.call(t.Context(), w.api())
			wantCode(t, err, tt.code)
			if strings.Contains(err.Error(), own[:20]) {
				t.Errorf("the refusal shows the secret: %v", err)
			}
			if after := w.store.Secrets(clientID); !slices.Equal(before, after) {
				t.Errorf("secrets were %v and are %v", before, after)
			}
		})
	}
}

func TestAPoolIsInItsRegionOnly(t *testing.T) {
	t.Parallel()
	_, err := sdk.NewFromConfig(newWorld(t).config("eu-west-1")).DescribeUserPoolClient(t.Context(), &sdk.DescribeUserPoolClientInput{UserPoolId: pool, ClientId: client})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestAPublicClientGetsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(t, clients.Client{ID: "public"})
	_, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: aws.String("public")})
	wantCode(t, err, "InvalidParameterException")
}

func TestTheDescriptionShowsTheSecretUntilAnotherWasAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.register(t, clients.Client{ID: "machine", GrantTypes: []string{"client_credentials"}})
	describe := func(id string) *types.UserPoolClientType {
		out, err := w.api().DescribeUserPoolClient(t.Context(), &sdk.DescribeUserPoolClientInput{UserPoolId: pool, ClientId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out.UserPoolClient
	}
	c := describe(clientID)
	if aws.ToString(c.ClientSecret) != initial || *c.UserPoolId != face.PoolID || *c.ClientId != clientID || !*c.AllowedOAuthFlowsUserPoolClient ||
		!slices.Equal(c.AllowedOAuthFlows, []types.OAuthFlowType{types.OAuthFlowTypeCode}) || len(c.CallbackURLs) != 1 {
		t.Errorf("the client is %+v", c)
	}
	if m := describe("machine"); m.ClientSecret != nil || slices.Contains(m.AllowedOAuthFlows, types.OAuthFlowTypeCode) {
		t.Errorf("the client without secret and code grant is %+v", m)
	}
	if _, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool, ClientId: client}); err != nil {
		t.Fatal(err)
	}
	if describe(clientID).ClientSecret != nil {
		t.Error("a secret is shown although there are two")
	}
}

func TestOtherOperationsAndParametersAreRefusedByName(t *testing.T) {
	t.Parallel()
	_, err := newWorld(t).api().ListUserPools(t.Context(), &sdk.ListUserPoolsInput{MaxResults: aws.Int32(1)})
	wantCode(t, err, "NotImplemented")
	if !strings.Contains(err.Error(), "cognito-idp:ListUserPools") {
		t.Errorf("got %v", err)
	}
}
