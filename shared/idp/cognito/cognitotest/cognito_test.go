package cognitotest_test

import (
	"net/http"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest/face"
)

func TestEveryRefusalOfTheTokenEndpointIs400(t *testing.T) {
	t.Parallel()
	f, err := cognitotest.New(face.Env{})
	if err != nil {
		t.Fatal(err)
	}
	for refusal, want := range map[face.Refusal]face.TokenError{
		face.WrongSecret:         {Code: "invalid_client", Description: "invalid_client_secret"},
		face.UnknownClient:       {Code: "invalid_client"},
		face.NoCredentials:       {Code: "invalid_client"},
		face.WrongMethod:         {Code: "invalid_client"},
		face.InvalidCode:         {Code: "invalid_grant"},
		face.InvalidRefreshToken: {Code: "invalid_grant"},
		face.GrantNotAllowed:     {Code: "unauthorized_client"},
		face.UnsupportedGrant:    {Code: "unsupported_grant_type"},
		face.InvalidRequest:      {Code: "invalid_request"},
	} {
		got := f.TokenError(refusal)
		if got.Status != http.StatusBadRequest || got.Code != want.Code || got.Description != want.Description || got.Extra != nil {
			t.Errorf("%s: %+v, want %s %q", refusal, got, want.Code, want.Description)
		}
	}
}

func TestSecretIDsAreClientIDAndSecondAndNeverTheSame(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(time.Unix(1772359200, 5e8))
	f, err := cognitotest.New(face.Env{Clock: c})
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
