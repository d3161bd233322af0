package cognitotest_test

import (
	"net/http"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/imitation"
)

func TestEveryRefusalOfTheTokenEndpointIs400(t *testing.T) {
	t.Parallel()
	f, err := cognitotest.New(imitation.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for refusal, want := range map[imitation.Refusal]imitation.TokenError{
		imitation.WrongSecret:         {Code: "invalid_client", Description: "invalid_client_secret"},
		imitation.UnknownClient:       {Code: "invalid_client"},
		imitation.NoCredentials:       {Code: "invalid_client"},
		imitation.WrongMethod:         {Code: "invalid_client"},
		imitation.InvalidCode:         {Code: "invalid_grant"},
		imitation.InvalidRefreshToken: {Code: "invalid_grant"},
		imitation.GrantNotAllowed:     {Code: "unauthorized_client"},
		imitation.UnsupportedGrant:    {Code: "unsupported_grant_type"},
		imitation.InvalidRequest:      {Code: "invalid_request"},
	} {
		got := f.TokenError(refusal)
		if got.Status != http.StatusBadRequest || got.Code != want.Code || got.Description != want.Description ||
			got.Extra != nil {
			t.Errorf("%s: %+v, want %s %q", refusal, got, want.Code, want.Description)
		}
	}
}

func TestSecretIDsAreClientIDAndSecondAndNeverTheSame(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Unix(1772359200, 5e8))
	f, err := cognitotest.New(imitation.Env{Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{f.NewSecretID("a"), f.NewSecretID("a"), f.NewSecretID("b")}
	c.Advance(time.Hour)
	got = append(got, f.NewSecretID("a"))
	for i, want := range []string{"a--1772359200", "a--1772359201", "b--1772359200", "a--1772362800"} {
		if got[i] != want {
			t.Errorf("id %d is %s, want %s", i, got[i], want)
		}
	}
}
