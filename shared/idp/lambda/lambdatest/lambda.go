// Package lambdatest imitates a provider without an adapter of its own, and the Lambda function that speaks to it by
// the contract of package lambda: AWS Lambda as the adapter's tests need it, the function, and the secrets behind it.
package lambdatest

import (
	"crypto/rand"
	"net/http"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/imitation"
	"alboidc.internal/shared/idp/lambda"
)

// FunctionName and Region are where the function is, and Alias is what it is invoked by.
const (
	FunctionName = "client-secrets"
	Region       = "eu-central-1"
	Alias        = "live"
)

// FunctionARN is the function's, with its alias.
const FunctionARN = "arn:aws:lambda:" + Region + ":" + awsapi.AccountID + ":function:" + FunctionName + ":" + Alias

// Timeout is the function's.
const Timeout = 15 * time.Second

// Lambda is the function with its provider, and AWS Lambda. Its methods are safe for concurrent use.
type Lambda struct {
	env     imitation.Env
	capable lambda.Capabilities
	api     imitation.API
	mux     *http.ServeMux
}

var (
	_ imitation.Vendor = (*Lambda)(nil)
	_ awsapi.Service   = (*Lambda)(nil)
)

// Imitation is a provider with two secrets that have ids.
var Imitation = Of(lambda.Capabilities{Model: idp.NamedSet, MaxSecrets: 2, TakesValue: true, KeepsToken: true,
	CanDisable: true})

// Of is the imitation of a provider with these capabilities.
func Of(c lambda.Capabilities) imitation.Imitation {
	return imitation.Imitation{
		New:      func(env imitation.Env) (imitation.Vendor, error) { return newLambda(env, c), nil },
		ClientID: "orders-web",
		Settings: func(_, _, _ string) map[string]any {
			return map[string]any{"functionArn": FunctionARN, "capabilities": c}
		},
		Changes: []string{"idp:lambda.create", "idp:lambda.remove", "idp:lambda.disable", "idp:lambda.enable",
			"idp:lambda.set"},
		Denial: "forbidden",
	}
}

func newLambda(env imitation.Env, c lambda.Capabilities) *Lambda {
	l := &Lambda{env: env, capable: c, mux: http.NewServeMux()}
	l.api = imitation.API{Env: env, Body: func(e *imitation.APIError) any { return map[string]any{"code": e.Code} }}
	for _, operation := range []string{"list", "create", "set", "disable", "enable", "remove"} {
		l.mux.HandleFunc("POST /"+operation, l.api.Endpoint("lambda."+operation,
			func(r *http.Request) (int, any, error) { return l.operations()[operation](r) }))
	}
	return l
}

// Become makes it a provider with other capabilities. It must not be in use yet.
func (l *Lambda) Become(c lambda.Capabilities) { l.capable = c }

// Paths implements imitation.Vendor.
func (*Lambda) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "", Authorization: "/authorize", Token: "/token", UserInfo: "/userinfo",
		Keys: "/jwks"}
}

// TokenError implements imitation.Vendor.
func (*Lambda) TokenError(r imitation.Refusal) imitation.TokenError { return imitation.RFC6749(r) }

// Routes implements imitation.Vendor: the function is at AWS Lambda, not at the identity provider's address.
func (*Lambda) Routes(*http.ServeMux) {}

// NewSecretID implements imitation.Vendor.
func (*Lambda) NewSecretID(string) string { return rand.Text() }

// AdminToken implements imitation.Vendor: the function's own role and credential are its user's business.
func (*Lambda) AdminToken() string { return "" }
