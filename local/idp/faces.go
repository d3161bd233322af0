package idp

import (
	"alboidc.internal/shared/idp/auth0/auth0test"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/entra/entratest"
	"alboidc.internal/shared/idp/hydra/hydratest"
	"alboidc.internal/shared/idp/idptest/face"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
	"alboidc.internal/shared/idp/manual/manualtest"
	"alboidc.internal/shared/idp/okta/oktatest"
	"alboidc.internal/shared/idp/pingone/pingonetest"
)

// faces are the vendors the provider can look like. A new one is a folder and a line here.
var faces = map[string]face.New{
	"auth0":    auth0test.New,
	"cognito":  cognitotest.New,
	"entra":    entratest.New,
	"hydra":    hydratest.New,
	"keycloak": keycloaktest.New,
	"manual":   manualtest.New,
	"okta":     oktatest.New,
	"pingone":  pingonetest.New,
}
