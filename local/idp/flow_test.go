package idp_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func TestCodeFlowWorksWithEitherOfTwoLiveSecrets(t *testing.T) {
	t.Parallel()
	w := start(t)
	w.addSecret(second)
	for _, secret := range []string{first, second} {
		tokens := w.token(secret, codeGrant(w.code())).must(t, http.StatusOK, "token_type", "Bearer")
		if tokens.fields["expires_in"] != 3.0 || tokens.fields["refresh_token"] == nil {
			t.Fatalf("expires_in %v, refresh token present: %t", tokens.fields["expires_in"],
				tokens.fields["refresh_token"] != nil)
		}
		w.userInfo(tokens.fields["access_token"]).must(t, http.StatusOK, "email", "alice@example.com", "name",
			"Alice Example")
	}
}

func TestIDTokenIsSignedByAPublishedKeyAndCarriesTheProvidersTime(t *testing.T) {
	t.Parallel()
	w := start(t)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK)
	discovery := w.get(w.Issuer()+"/.well-known/openid-configuration").must(t, http.StatusOK, "issuer", w.Issuer(),
		"token_endpoint", w.Endpoints().Token, "authorization_endpoint", w.Endpoints().Authorization,
		"userinfo_endpoint", w.Endpoints().UserInfo)
	jwks, _ := discovery.fields["jwks_uri"].(string)
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal([]byte(w.get(jwks).must(t, http.StatusOK).body), &keys); err != nil ||
		len(keys.Keys) != 1 || !keys.Keys[0].IsPublic() {
		t.Fatalf("published keys: %d, %v", len(keys.Keys), err)
	}
	raw, _ := tokens.fields["id_token"].(string)
	token, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	var more struct {
		Nonce string `json:"nonce"`
	}
	if err := token.Claims(keys.Key(token.Headers[0].KeyID)[0], &claims, &more); err != nil {
		t.Fatal(err)
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Issuer: w.Issuer(), AnyAudience: jwt.Audience{clientID},
		Time: noon()}, 0); err != nil {
		t.Fatal(err)
	}
	if !claims.IssuedAt.Time().Equal(noon()) || more.Nonce != "nonce-1" || claims.Subject == "" {
		t.Fatalf("iat %s, nonce %q, sub %q", claims.IssuedAt.Time(), more.Nonce, claims.Subject)
	}
}

func TestRefreshWorksWithEitherSecretAndKeepsTheRefreshToken(t *testing.T) {
	t.Parallel()
	w := start(t)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK)
	w.addSecret(second)
	w.clock.Advance(30 * time.Second) // a load balancer that is slow to ask who the user is
	w.userInfo(tokens.fields["access_token"]).must(t, http.StatusOK)
	w.clock.Advance(40 * time.Second)
	w.userInfo(tokens.fields["access_token"]).must(t, http.StatusUnauthorized, "error", "invalid_token")
	for _, secret := range []string{second, first, second} {
		again := w.token(secret, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusOK)
		if again.fields["refresh_token"] != tokens.fields["refresh_token"] ||
			again.fields["access_token"] == tokens.fields["access_token"] {
			t.Fatal("the refresh token changed or the access token did not")
		}
		w.userInfo(again.fields["access_token"]).must(t, http.StatusOK)
	}
}

func TestRefreshFailsWhileASecretIsDeactivated(t *testing.T) {
	t.Parallel()
	w := start(t)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK)
	w.addSecret(second)
	w.setStatus(w.secret.ID, clients.Inactive)
	w.token(first, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusUnauthorized, "error",
		"invalid_client")
	w.token(second, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusOK)
	w.setStatus(w.secret.ID, clients.Active)
	w.token(first, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusOK)
}

func TestRefreshMayNarrowTheScopesAndNeverWidenThem(t *testing.T) {
	t.Parallel()
	w := start(t)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK)
	narrow := refreshGrant(tokens.fields["refresh_token"])
	narrow.Set("scope", "openid")
	access := w.token(first, narrow).must(t, http.StatusOK).fields["access_token"]
	if info := w.userInfo(access).must(t, http.StatusOK); info.fields["email"] != nil || info.fields["sub"] == nil {
		t.Fatalf("userinfo: %s", info.body)
	}
	narrow.Set("scope", "openid phone")
	w.token(first, narrow).must(t, http.StatusBadRequest, "error", "invalid_scope")
}

func TestRotatingRefreshTokensAllowReuseForAWhileOnly(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.RotateRefreshTokens, o.RefreshReuse = true, 10*time.Second })
	old := w.token(first, codeGrant(w.code())).must(t, http.StatusOK).fields["refresh_token"]
	renewed := w.token(first, refreshGrant(old)).must(t, http.StatusOK).fields["refresh_token"]
	if renewed == old || renewed == nil {
		t.Fatal("the refresh token was not replaced")
	}
	w.clock.Advance(9 * time.Second)
	w.token(first, refreshGrant(old)).must(t, http.StatusOK)
	w.clock.Advance(2 * time.Second)
	w.token(first, refreshGrant(old)).must(t, http.StatusBadRequest, "error", "invalid_grant")
	w.token(first, refreshGrant(renewed)).must(t, http.StatusOK)
}

func TestChangesOfSecretsAreSeenBeforeAndAfter(t *testing.T) {
	t.Parallel()
	w := start(t)
	var seen []string
	watch := func(when string) func(idp.Change) {
		return func(c idp.Change) {
			accepted := w.Store().Accepts(clientID, second, c.At)
			seen = append(seen, when+" "+map[bool]string{true: "accepted", false: "refused"}[accepted])
			if len(c.Before) != 1 || len(c.After) != 2 {
				t.Errorf("%s: %d secrets become %d", when, len(c.Before), len(c.After))
			}
		}
	}
	w.Store().BeforeChange(watch("before"))
	w.Store().OnChange(watch("after"))
	w.addSecret(second)
	if !slices.Equal(seen, []string{"before refused", "after accepted"}) {
		t.Fatalf("seen: %v", seen)
	}
}
