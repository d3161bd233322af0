// Package idp is the contract between a rotation and an identity provider: how a client's secrets are listed, made,
// disabled and removed there. Each provider is a folder below this one and one line in the registry, and passes the
// same conformance suite (idptest), as does the in-memory one.
package idp

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/secret"
)

// Model is how a provider keeps a client's secrets.
type Model string

const (
	// NamedSet: independent secrets with ids (Okta, Entra ID, Amazon Cognito). Making one touches no other.
	NamedSet Model = "named-set"
	// CurrentPrevious: making a secret moves the current one to a slot for the previous (Keycloak, PingOne, Hydra).
	CurrentPrevious Model = "current-previous"
	// SingleSlot: making a secret replaces the only one (Auth0, Keycloak's default). Such a client is rotated as a
	// ClientPair, or InPlace.
	SingleSlot Model = "single-slot"
	// ClientPair: two registrations with one slot each take turns. The idle one gets the new secret, and the targets
	// switch client id and secret together.
	ClientPair Model = "client-pair"
	// InPlace: the only slot is overwritten while it is in use, so logins fail until every target has the new secret.
	InPlace Model = "in-place"
	// ByHand: a person makes and removes the secrets; the provider has no API for it.
	ByHand Model = "by-hand"
)

// Status of a secret at the provider.
type Status string

const (
	// Active: accepted at the token endpoint.
	Active Status = "active"
	// Disabled: kept, but refused; can be enabled again.
	Disabled Status = "disabled"
)

// Secret is one secret object at the provider.
type Secret struct {
	ID      string
	Status  Status
	Created time.Time // zero if the provider does not say
	// Until is when it ends by itself; zero if it does not, or the provider does not say.
	Until time.Time
	// Tag is the display name that Create gave it, where the provider keeps one.
	Tag string
	// Value is zero where the provider does not show it on reads. It may be masked, so it proves equality and nothing
	// else.
	Value secret.Value
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
	// TellsEnd: a secret can end by itself, and List says when (Secret.Until).
	TellsEnd bool
	// TellsUse: the provider implements UseReporter, and says when a secret was last used.
	TellsUse bool
	// CanDisable: the provider implements Disabler.
	CanDisable bool
	// CanSet: a provider of model CurrentPrevious also implements Setter, and can be used as one.
	CanSet bool
	// UniqueIDs: no two registrations of the vendor have the same client id, whatever their issuers. The same id under
	// another issuer is then another name of the same registration.
	UniqueIDs bool
	// Probe says how the token endpoint tells a good secret from a bad one.
	Probe ProbeSpec
}

// HasIDs reports whether the admin API lists every secret by its id, and a request names the secret that it acts on.
func (c Capabilities) HasIDs() bool { return c.Model == NamedSet }

// KeepsOne reports whether a registration has room for one secret only.
func (c Capabilities) KeepsOne() bool { return c.Model == SingleSlot }

// ReplacesInPlace reports whether a new secret ends the one in use, so that the old one can come back only in its
// place.
func (c Capabilities) ReplacesInPlace() bool { return c.Model == InPlace }

// ReusesKept reports whether Create takes into use the secret that Remove could not remove (ErrKept).
func (c Capabilities) ReusesKept() bool { return c.Model == CurrentPrevious }

// MadeByHand reports whether a person makes and removes the secrets, so that nothing can be read at the provider.
func (c Capabilities) MadeByHand() bool { return c.Model == ByHand }

// Choose returns how a client is rotated at a provider with these capabilities, by whether its configuration has a
// clientPair or allowInterruption. It fails with InvalidInput if these do not go together.
func (c Capabilities) Choose(pair, interruption bool) (Model, error) {
	if !pair && !interruption {
		if c.KeepsOne() {
			return "", failure.New(failure.InvalidInput, "identityProvider: this provider keeps one secret for a "+
				"registration, so a new one ends the old one at once: make a second registration like the first and "+
				"name its client id in identityProvider.clientPair, or accept failing logins by "+
				"identityProvider.allowInterruption")
		}
		return c.Model, nil
	}
	if !c.KeepsOne() && !c.CanSet {
		field := "clientPair"
		if interruption {
			field = "allowInterruption"
		}
		return "", failure.New(failure.InvalidInput,
			"identityProvider.%s: must be left out, this provider needs none (%s)", field, c.Model)
	}
	if pair {
		return ClientPair, nil
	}
	return InPlace, nil
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
	// Resource is sent instead of Scope to a token endpoint of version 1, one without "/v2.0/" in its path; "" never
	// (Entra ID).
	Resource string
	// Accepted and Rejected list the answers by which the provider says that it knows the secret, or does not: "error"
	// codes of RFC 6749, section 5.2, or Microsoft's numbers ("AADSTS7000215"). A code is in Rejected only if the
	// provider refuses nothing else by it, or if Other tells the rest apart. A 2xx answer with a token is accepted; any
	// other answer is inconclusive.
	Accepted, Rejected []string
	// Other are answers about something other than the secret, whatever their code.
	Other []OtherAnswer
	// InARow and IntervalSeconds are how often in a row, and with what pause, a new secret must be accepted where the
	// configuration does not say; 0 is the usual. Token servers that learn of a secret one by one need more.
	InARow, IntervalSeconds int
}

// OtherAnswer is an answer of a token endpoint that is not about the secret.
type OtherAnswer struct {
	// Code is its error code or number, as in ProbeSpec.Rejected, or "errorCode CODE" for one in a vendor's own form.
	Code string
	// Text is a part of its description that tells it from others with that code; "" matches any.
	Text string
	// Means tells people what the answer is about, and what to do.
	Means string
}

// CreateRequest asks for a new secret.
type CreateRequest struct {
	// Value is the secret to create where Capabilities.AcceptsValue, else zero.
	Value secret.Value
	// Tag is the version id of the rotation; kept as the display name where Capabilities.KeepsTag.
	Tag string
	// Asked: an earlier request for this version had no answer, and may have been carried out.
	Asked bool
	// Adopt: an earlier request for this version made a secret, but its answer was lost, and the secret could not be
	// removed (ErrKept). A provider that can read that secret takes it instead of making another.
	Adopt bool
}

// Created is the answer to a CreateRequest.
type Created struct {
	ID string
	// Value is the secret now valid: the caller's own, or the one that the provider made.
	Value secret.Value
	// ClientID is the registration that has the secret; only a ClientPair says so.
	ClientID string
	// Ended are the ids of known secrets that are gone, such as one that gave a repair's its place.
	Ended []string
}

// ErrKept is what Remove returns, wrapped, if the provider has no way to remove the secret. Nothing was changed; the
// text tells a person what to do.
var ErrKept = errors.New("the secret stays at the identity provider")

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
	// Remove deletes a secret for good. Where the provider demands it, Remove disables the secret first, and may have
	// done so when it fails. A secret that is not there is success, so a repeat is harmless.
	Remove(ctx context.Context, id string) error
}

// Disabler is implemented by providers whose secrets can be switched off and on again (Capabilities.CanDisable).
type Disabler interface {
	// Disable makes the provider refuse the secret but keep it. It succeeds if the secret is disabled already; a
	// missing secret is Precondition.
	Disable(ctx context.Context, id string) error
	// Enable undoes Disable. It succeeds if the secret is active already; a missing secret is Precondition.
	Enable(ctx context.Context, id string) error
}

// Finder is implemented by providers that know, better than a comparison of ids tells, what a request without an answer
// has made.
type Finder interface {
	// FindLost returns the id of the secret made for a version by a request that was never answered; "" if there is
	// none. The request was made at a time; zero means that there was none. It changes nothing.
	FindLost(ctx context.Context, version string, asked time.Time) (string, error)
}

// UseReporter is implemented by providers that know when a secret was last used.
type UseReporter interface {
	// LastUsed is when a client last authenticated with the secret; zero if it never did or nobody knows.
	LastUsed(ctx context.Context, id string) (time.Time, error)
}

// Reviewer is implemented by providers that can say more about a registration before it is rotated.
type Reviewer interface {
	// Review reads the registration and changes nothing. It fails if it gets no answer, which is no reason against the
	// rotation.
	Review(ctx context.Context) (Review, error)
}

// Review is what a plan tells about a registration, beyond Check.
type Review struct {
	// AuthMethod is the registered token endpoint authentication method, client_secret_basic or client_secret_post; ""
	// if the provider takes both, or does not tell.
	AuthMethod string
	// MaxGrace is the longest that the old secret stays accepted beside a new one; 0 is for as long as we want.
	MaxGrace time.Duration
	// Ended says that the secret in use has ended by itself; "" if it has not. Only a repair can help then.
	Ended string
	// Warnings do not stop the rotation. Refusals do; each says what to do about it.
	Warnings, Refusals []string
}

// Client is what every provider is told about the client it serves.
type Client struct {
	Name     string // the client's name in our configuration
	Issuer   string
	ClientID string
	// CallbackURL is the redirect URI that probes send; "" where there are none.
	CallbackURL string
}

// Deps is all that a provider may use: it has no environment and no clock of its own. Package registry makes sure that
// nothing in it is missing.
type Deps struct {
	// HTTP has timeouts and follows no redirects.
	HTTP *http.Client
	// Secret reads an admin credential from Secrets Manager by ARN (its AWSCURRENT version).
	Secret func(ctx context.Context, arn string) (secret.Value, error)
	// AWS is the configuration of an AWS SDK client for a Region, for providers that are AWS services.
	AWS func(region string) aws.Config
	// WebIdentity returns a token that proves to the audience which AWS role we have (a JWT signed by AWS STS).
	WebIdentity func(ctx context.Context, audience string) (secret.Value, error)
	// Now is the present time.
	Now func() time.Time
	// Sleep waits, or returns the context's error if that ends first.
	Sleep func(ctx context.Context, d time.Duration) error
}
