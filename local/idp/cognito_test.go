package idp_test

import (
	"net/http"
	"strings"
	"testing"

	"alboidc.internal/local/idp"
	"alboidc.internal/shared/idp/cognito/cognitotest"
)

func TestLoginAndRefreshWorkAtCognitosPathsAndEveryRefusalIs400(t *testing.T) {
	t.Parallel()
	w := start(t, func(o *idp.Options) { o.Vendor = "cognito" })
	if !strings.HasSuffix(w.Issuer(), "/"+cognitotest.PoolID) || w.Endpoints().Token != w.Issuer()+"/oauth2/token" {
		t.Errorf("issuer %s, endpoints %+v", w.Issuer(), w.Endpoints())
	}
	w.addSecret(second)
	tokens := w.token(first, codeGrant(w.code())).must(t, http.StatusOK, "token_type", "Bearer")
	w.token(second, refreshGrant(tokens.fields["refresh_token"])).must(t, http.StatusOK)
	w.userInfo(tokens.fields["access_token"]).must(t, http.StatusOK, "email", "alice@example.com")
	invented := codeGrant("probe-an-invented-code")
	w.token("wrong", invented).must(t, http.StatusBadRequest, "error", "invalid_client", "error_description",
		"invalid_client_secret")
	w.token(first, invented).must(t, http.StatusBadRequest, "error", "invalid_grant")
}
