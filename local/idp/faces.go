package idp

import (
	"alboidc.internal/local/idp/auth0"
	"alboidc.internal/local/idp/cognito"
	"alboidc.internal/local/idp/entra"
	"alboidc.internal/local/idp/face"
	"alboidc.internal/local/idp/hydra"
	"alboidc.internal/local/idp/keycloak"
	"alboidc.internal/local/idp/manual"
	"alboidc.internal/local/idp/okta"
	"alboidc.internal/local/idp/pingone"
)

// faces are the vendors the provider can look like. A new one is a folder and a line here.
var faces = map[string]face.New{
	"auth0":    auth0.New,
	"cognito":  cognito.New,
	"entra":    entra.New,
	"hydra":    hydra.New,
	"keycloak": keycloak.New,
	"manual":   manual.New,
	"okta":     okta.New,
	"pingone":  pingone.New,
}
