package cognitotest_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider"
	"github.com/aws/aws-sdk-go-v2/service/cognitoidentityprovider/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitationtest"
)

const (
	clientID = "1exampleclientid23"
	initial  = "initial-secret-of-" + clientID
	own      = "OwnValueMadeByTheRotator0123456789abcdefghijklmn"
)

var (
	pool   = aws.String(cognitotest.PoolID)
	client = aws.String(clientID)
)

// world is a Cognito with one app client that has one secret.
type world struct {
	*imitationtest.Vendor
	firstID string
}

func newWorld(t *testing.T) world {
	t.Helper()
	v := imitationtest.Start(t, cognitotest.Imitation, nil, clientID)
	return world{v, v.Store.Secrets(clientID)[0].ID}
}

func (w world) config(region string) aws.Config {
	return awsapi.Config(awsapi.NewServer(w.Clock, w.Faults, w.Double.(awsapi.Service)), region)
}

func (w world) api() *sdk.Client { return sdk.NewFromConfig(w.config(cognitotest.Region)) }

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
	w.Clock.Advance(time.Hour)
	out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
		ClientId: client, ClientSecret: aws.String(own)})
	if err != nil {
		t.Fatal(err)
	}
	d := out.ClientSecretDescriptor
	if want := fmt.Sprintf("%s--%d", clientID, imitationtest.Noon().Add(time.Hour).Unix()); *d.ClientSecretId != want ||
		d.ClientSecretValue != nil || !d.ClientSecretCreateDate.Equal(imitationtest.Noon().Add(time.Hour)) {
		t.Errorf("the descriptor is %s, %s, value shown: %t; want id %s", *d.ClientSecretId, d.ClientSecretCreateDate,
			d.ClientSecretValue != nil, want)
	}
	for _, v := range []string{initial, own} {
		if !w.Store.Accepts(clientID, v, w.Clock.Now()) {
			t.Errorf("%s is refused", v)
		}
	}
}

func TestASecretThatCognitoMakesIsShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
		ClientId: client})
	if err != nil {
		t.Fatal(err)
	}
	if v := aws.ToString(out.ClientSecretDescriptor.ClientSecretValue); len(v) < 24 ||
		!w.Store.Accepts(clientID, v, w.Clock.Now()) {
		t.Errorf("a value of %d characters was answered", len(v))
	}
	list, err := w.api().ListUserPoolClientSecrets(t.Context(), &sdk.ListUserPoolClientSecretsInput{UserPoolId: pool,
		ClientId: client})
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
		out, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
			ClientId: client})
		if err != nil {
			t.Fatal(err)
		}
		id := *out.ClientSecretDescriptor.ClientSecretId
		if slices.Contains(seen, id) || !strings.HasPrefix(id, clientID+"--") {
			t.Errorf("id %s after %v", id, seen)
		}
		seen = append(seen, id)
		if _, err := w.api().DeleteUserPoolClientSecret(t.Context(),
			&sdk.DeleteUserPoolClientSecretInput{UserPoolId: pool, ClientId: client, ClientSecretId: &id}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatCognitoRefuses(t *testing.T) {
	t.Parallel()
	add := func(value string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.AddUserPoolClientSecret(ctx, &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
				ClientId: client, ClientSecret: &value})
			return err
		}
	}
	remove := func(id string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.DeleteUserPoolClientSecret(ctx, &sdk.DeleteUserPoolClientSecretInput{UserPoolId: pool,
				ClientId: client, ClientSecretId: &id})
			return err
		}
	}
	list := func(pool, client string, token *string) func(context.Context, *sdk.Client) error {
		return func(ctx context.Context, c *sdk.Client) error {
			_, err := c.ListUserPoolClientSecrets(ctx, &sdk.ListUserPoolClientSecretsInput{UserPoolId: &pool,
				ClientId: &client, NextToken: token})
			return err
		}
	}
	for _, tt := range []struct {
		name, code string
		before     []func(context.Context, *sdk.Client) error
		call       func(context.Context, *sdk.Client) error
	}{
		{"a third secret", "LimitExceededException", []func(context.Context, *sdk.Client) error{add(own)},
			add(own + "2")},
		{"a short secret", "InvalidParameterException", nil, add(own[:23])},
		{"a long secret", "InvalidParameterException", nil, add(strings.Repeat("x", 65))},
		{"an empty secret", "InvalidParameterException", nil, add("")},
		{"a secret with a hyphen", "InvalidParameterException", nil, add(own + "-")},
		{"deleting the last secret",
			"InvalidParameterException", nil, remove(fmt.Sprintf("%s--%d", clientID, imitationtest.Noon().Unix()))},
		{"deleting a secret that is not there", "ResourceNotFoundException", nil, remove(clientID + "--1")},
		{"an unknown pool", "ResourceNotFoundException", nil, list("eu-central-1_Other", clientID, nil)},
		{"a pool that is none", "InvalidParameterException", nil, list("nonsense", clientID, nil)},
		{"an empty client id", "InvalidParameterException", nil, list(cognitotest.PoolID, "", nil)},
		{"an unknown client", "ResourceNotFoundException", nil, list(cognitotest.PoolID, "other", nil)},
		{"a token that was never given",
			"InvalidParameterException", nil, list(cognitotest.PoolID, clientID, aws.String("more"))},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, step := range tt.before {
				if err := step(t.Context(), w.api()); err != nil {
					t.Fatal(err)
				}
			}
			before := w.Store.Secrets(clientID)
			err := tt.call(t.Context(), w.api())
			wantCode(t, err, tt.code)
			if strings.Contains(err.Error(), own[:20]) {
				t.Errorf("the refusal shows the secret: %v", err)
			}
			if after := w.Store.Secrets(clientID); !slices.Equal(before, after) {
				t.Errorf("secrets were %v and are %v", before, after)
			}
		})
	}
}

func TestAPoolIsInItsRegionOnly(t *testing.T) {
	t.Parallel()
	_, err := sdk.NewFromConfig(newWorld(t).config("eu-west-1")).DescribeUserPoolClient(t.Context(),
		&sdk.DescribeUserPoolClientInput{UserPoolId: pool, ClientId: client})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestAPublicClientGetsNoSecret(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Store.Register(clients.Client{ID: "public"}); err != nil {
		t.Fatal(err)
	}
	_, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
		ClientId: aws.String("public")})
	wantCode(t, err, "InvalidParameterException")
}

func TestTheDescriptionShowsTheSecretUntilAnotherWasAdded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if _, err := w.Store.Register(clients.Client{ID: "machine",
		GrantTypes: []string{"client_credentials"}}); err != nil {
		t.Fatal(err)
	}
	describe := func(id string) *types.UserPoolClientType {
		out, err := w.api().DescribeUserPoolClient(t.Context(), &sdk.DescribeUserPoolClientInput{UserPoolId: pool,
			ClientId: &id})
		if err != nil {
			t.Fatal(err)
		}
		return out.UserPoolClient
	}
	c := describe(clientID)
	if aws.ToString(c.ClientSecret) != initial || *c.UserPoolId != cognitotest.PoolID || *c.ClientId != clientID ||
		!*c.AllowedOAuthFlowsUserPoolClient ||
		!slices.Equal(c.AllowedOAuthFlows, []types.OAuthFlowType{types.OAuthFlowTypeCode}) || len(c.CallbackURLs) != 1 {
		t.Errorf("the client is %+v", c)
	}
	if m := describe("machine"); m.ClientSecret != nil ||
		slices.Contains(m.AllowedOAuthFlows, types.OAuthFlowTypeCode) {
		t.Errorf("the client without secret and code grant is %+v", m)
	}
	if _, err := w.api().AddUserPoolClientSecret(t.Context(), &sdk.AddUserPoolClientSecretInput{UserPoolId: pool,
		ClientId: client}); err != nil {
		t.Fatal(err)
	}
	if describe(clientID).ClientSecret != nil {
		t.Error("a secret is shown although there are two")
	}
}
