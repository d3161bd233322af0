package idp_test

import (
	"net/http"
	"net/url"
	"sync"
	"testing"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/idp/idptest/clients"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// The relying party of an independent library discovers the provider, verifies its ID tokens and refreshes.
func TestRelyingPartyLibraryAcceptsTheProvider(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.Clock = clock.Real{} }) // the library reads the machine's time
	// Its client sends the secret in the body when it refreshes, and in the header else.
	_, _, err := w.RegisterClient(idp.Client{ID: "library", RedirectURIs: []string{callback},
		AuthMethod: clients.Either}, second)
	if err != nil {
		t.Fatal(err)
	}
	party, err := rp.NewRelyingPartyOIDC(t.Context(), w.Issuer(), "library", second, callback,
		[]string{"openid", "email", "offline_access"}, rp.WithHTTPClient(w.http))
	if err != nil {
		t.Fatal(err)
	}
	address, err := url.Parse(rp.AuthURL("state-1", party))
	if err != nil {
		t.Fatal(err)
	}
	id := w.openLogin(address.Query())
	a := w.do(form(t, w.URL()+"/login", url.Values{"id": {id}, "username": {"alice"}, "password": {password}})).must(t,
		http.StatusSeeOther)
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	tokens, err := rp.CodeExchange[*oidc.IDTokenClaims](t.Context(), to.Query().Get("code"), party)
	if err != nil {
		t.Fatal(err)
	}
	info, err := rp.Userinfo[*oidc.UserInfo](t.Context(), tokens.AccessToken,
		"Bearer", tokens.IDTokenClaims.Subject, party)
	if err != nil || info.Email != "alice@example.com" {
		t.Fatalf("userinfo: %v", err)
	}
	if _, err := rp.RefreshTokens[*oidc.IDTokenClaims](t.Context(), party, tokens.RefreshToken, "", ""); err != nil {
		t.Fatal(err)
	}
}

func TestTwoNodesRefreshOneSessionAtTheSameTime(t *testing.T) {
	t.Parallel()
	for name, rotate := range map[string]bool{"with one refresh token": false, "with rotating refresh tokens": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := start(t, func(o *idp.Options) { o.RotateRefreshTokens = rotate })
			w.addSecret(second)
			token := w.token(first, codeGrant(w.code())).must(t, http.StatusOK).fields["refresh_token"]
			var wg sync.WaitGroup
			for i := range 20 {
				wg.Go(func() {
					secret := []string{first, second}[i%2]
					if a := w.token(secret, refreshGrant(token)); a.status != http.StatusOK {
						t.Errorf("refresh %d: %d %s", i, a.status, a.body)
					}
				})
			}
			wg.Wait()
		})
	}
}
