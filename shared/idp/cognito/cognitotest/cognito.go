// Package cognitotest imitates Amazon Cognito with one user pool: its paths on the local identity provider, the answers
// of its token endpoint, and the AWS service with the operations on an app client's secrets (Amazon Cognito user pools
// API reference).
package cognitotest

import (
	"fmt"
	"net/http"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// The one user pool that the local identity provider plays.
const (
	Region = "eu-central-1"
	PoolID = Region + "_LocalPool"
)

// Cognito imitates the vendor, and the AWS service. Its methods are safe for concurrent use.
type Cognito struct {
	env imitation.Env

	mu      sync.Mutex
	last    map[string]time.Time // of each client: the instant in its newest secret's id
	managed map[string]bool      // clients that AddUserPoolClientSecret has been called for
}

var (
	_ imitation.Vendor = (*Cognito)(nil)
	_ awsapi.Service   = (*Cognito)(nil)
)

// Imitation is Amazon Cognito.
var Imitation = imitation.Imitation{
	New:      New,
	ClientID: "1ordersweb2client3id4abcde5",
	Settings: func(_, _, _ string) map[string]any {
		return map[string]any{"userPoolId": PoolID}
	},
	Changes: []string{"cognito-idp:AddUserPoolClientSecret", "cognito-idp:DeleteUserPoolClientSecret"},
	Denial:  "AccessDeniedException",
}

// New makes the imitation; it is the imitation.New of Cognito.
func New(env imitation.Env) (imitation.Vendor, error) {
	return &Cognito{env: env, last: map[string]time.Time{}, managed: map[string]bool{}}, nil
}

// Paths implements imitation.Vendor: the issuer ends with the pool's id, as in AWS, where the other endpoints are at
// the pool's domain instead (Amazon Cognito developer guide, "User pool endpoints and managed login reference").
func (*Cognito) Paths() imitation.Paths {
	return imitation.Paths{Issuer: "/" + PoolID, Authorization: "/oauth2/authorize", Token: "/oauth2/token",
		UserInfo: "/oauth2/userInfo",
		Keys:     "/.well-known/jwks.json"}
}

// TokenError implements imitation.Vendor: every refusal is HTTP 400, and most say no more than the code (Amazon Cognito
// developer guide, "Token endpoint"). The description of a wrong secret is an observed one.
func (*Cognito) TokenError(r imitation.Refusal) imitation.TokenError {
	e := imitation.RFC6749(r)
	e.Status, e.Description = http.StatusBadRequest, ""
	if r == imitation.WrongSecret {
		e.Description = "invalid_client_secret"
	}
	return e
}

// Routes implements imitation.Vendor: the AWS service is not at the identity provider's address.
func (*Cognito) Routes(*http.ServeMux) {}

// NewSecretID implements imitation.Vendor. An id is the client's and the second in which the secret is made (Amazon
// Cognito user pools API reference, ClientSecretDescriptorType), or the first second after it that no other secret has.
func (c *Cognito) NewSecretID(clientID string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.env.Clock.Now().Truncate(time.Second)
	if last := c.last[clientID]; !at.After(last) {
		at = last.Add(time.Second)
	}
	c.last[clientID] = at
	return fmt.Sprintf("%s--%d", clientID, at.Unix())
}

// AdminToken implements imitation.Vendor: AWS requests are signed instead.
func (*Cognito) AdminToken() string { return "" }
