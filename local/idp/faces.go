package idp

import (
	"alboidc.internal/local/idp/face"
	"alboidc.internal/local/idp/okta"
)

// faces are the vendors the provider can look like. A new one is a folder and a line here.
var faces = map[string]face.New{
	"okta": okta.New,
}
