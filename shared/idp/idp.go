// Package idp is the contract between a rotation and an identity provider: how a client's secrets are listed, made,
// disabled and removed there. Each provider is a folder below this one and one line in the registry; every one, the
// in-memory one included, passes the same conformance suite (idptest).
package idp

import (
	"context"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/secret"
)

// Model is how a provider keeps a client's secrets.
type Model string

const (
	// NamedSet: independent secrets with ids (Okta, Entra ID, Amazon Cognito). Making one touches no other.
	NamedSet Model = "named-set"
	// CurrentPrevious: making a secret moves the current one to a slot for the previous (Keycloak, PingOne, Hydra).
	CurrentPrevious Model = "current-previous"
	// SingleSlot: making a secret replaces the only one (Auth0, Keycloak's default).
	SingleSlot Model = "single-slot"
)

// Status of a secret at the provider.
type Status string

const (
	// Active: accepted at the token endpoint.
	Active Status = "active"
	// Disabled: kept, but refused; can be enabled again.
	Disabled Status = "disabled"
)

// Secret is one secret object at the provider, never its value.
type Secret struct {
	ID      string
	Status  Status
	Created time.Time // zero if the provider does not say
	// Tag is the display name that Create gave it, where the provider keeps one.
	Tag string
}

// Capabilities says what a provider can do. It is static: no request is made for it.
type Capabilities struct {
	Model Model
	// MaxSecrets is how many secret objects a client can have, disabled ones included; 0 is no small limit.
	MaxSecrets int
	// AcceptsValue: Create takes a value made by the caller. Then the value is stored before the provider sees it, and
	// a lost reply loses nothing.
	AcceptsValue bool
	// KeepsTag: List returns the Tag that was given to Create.
	KeepsTag bool
	// CanDisable: the provider implements Disabler.
	CanDisable bool
	// Probe says how the token endpoint tells a good secret from a bad one.
	Probe ProbeSpec
}

// Grant is the OAuth 2.0 grant that a probe of a secret uses.
type Grant string

const (
	// AuthorizationCode sends an invented code: invalid_grant means that the secret was accepted.
	AuthorizationCode Grant = "authorization_code"
	// ClientCredentials asks for a token of the client's own: 200 means that the secret was accepted.
	ClientCredentials Grant = "client_credentials"
)

// ProbeSpec is a provider's part in probing a secret at the token endpoint.
type ProbeSpec struct {
	Grant Grant
	// Scope is sent with ClientCredentials.
	Scope string
	// Accepted and Rejected list the "error" codes of RFC 6749, section 5.2, by which the provider says that it knows
	// the secret, or does not. Any other answer is inconclusive. A 2xx answer is accepted.
	Accepted, Rejected []string
}

// CreateRequest asks for a new secret.
type CreateRequest struct {
	// Value is the secret to create where Capabilities.AcceptsValue, else zero.
	Value secret.Value
	// Tag is the version id of the rotation; kept as the display name where Capabilities.KeepsTag.
	Tag string
}

// Created is the answer to a CreateRequest.
type Created struct {
	ID string
	// Value is the secret now valid: the caller's own, or the one that the provider made.
	Value secret.Value
}

// Provider manages the secrets of one client at one identity provider.
//
// Errors are failures of package failure: Throttled (429; nothing happened), Unavailable (5xx, network, an answer that
// is not understood; the request may have taken effect), IdPRejected (refused: rights, policy, limit), Precondition.
// Texts name the operation, the HTTP status and the provider's error code, never a body or a secret.
type Provider interface {
	// Capabilities is what the provider can do.
	Capabilities() Capabilities
	// Check reads the client's registration and reports, as Precondition, InvalidInput or IdPRejected, why a rotation
	// cannot work: no such client, another client id, public-key authentication, missing rights. It changes nothing.
	Check(ctx context.Context) error
	// List returns the client's secrets, in any order. It changes nothing.
	List(ctx context.Context) ([]Secret, error)
	// Create makes a secret. A repeat makes another one: callers List first.
	Create(ctx context.Context, r CreateRequest) (Created, error)
	// Remove deletes a secret for good, disabling it first where the provider demands that: one that failed may have
	// disabled it. A secret that is not there is success, so a repeat is harmless.
	Remove(ctx context.Context, id string) error
}

// Disabler is implemented by providers whose secrets can be switched off and on again (Capabilities.CanDisable).
type Disabler interface {
	// Disable makes the provider refuse the secret but keep it. A disabled one is success; one that is not there is
	// Precondition.
	Disable(ctx context.Context, id string) error
	// Enable undoes Disable. An active one is success; one that is not there is Precondition.
	Enable(ctx context.Context, id string) error
}

// Client is what every provider is told about the client it serves.
type Client struct {
	Name     string // the client's name in our configuration
	Issuer   string
	ClientID string
}

// Deps is what a provider may use. Nothing else: no environment, no clock of its own.
type Deps struct {
	// HTTP has timeouts and follows no redirects.
	HTTP *http.Client
	// Secret reads an admin credential from Secrets Manager by ARN (its AWSCURRENT version).
	Secret func(ctx context.Context, arn string) (secret.Value, error)
	// AWS is the configuration of an AWS SDK client for a Region; only providers that are AWS services need it.
	AWS func(region string) aws.Config
	// WebIdentity returns a token that proves to the audience which AWS role we have (a JWT signed by AWS STS). It may be
	// nil where no provider trusts such tokens.
	WebIdentity func(ctx context.Context, audience string) (secret.Value, error)
	// Now is the present time.
	Now func() time.Time
	// Sleep waits, or returns the context's error if that ends first; nil is a real timer.
	Sleep func(ctx context.Context, d time.Duration) error
}
