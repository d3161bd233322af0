package lambda

import (
	"encoding/json"
	"time"

	"alboidc.internal/shared/idp"
)

// Contract is the version of the contract (docs/identity-providers/lambda.md). It changes only if a function that
// keeps to the earlier one would be misunderstood: fields that may be left out are added without.
const Contract = 1

// The operations of the contract.
const (
	opCapabilities = "capabilities"
	opList         = "list"
	opCreate       = "create"
	opSet          = "set"
	opDisable      = "disable"
	opEnable       = "enable"
	opRemove       = "remove"
)

// The ids by which the secrets of a registration with two slots are listed and removed.
const (
	slotCurrent  = "current"
	slotPrevious = "previous"
)

// Request is what the function gets.
type Request struct {
	Contract  int    `json:"contract"`
	Operation string `json:"operation"`
	// Deadline: the function begins no change after it, because by then it counts as lost.
	Deadline time.Time `json:"deadline"`
	Client   Client    `json:"client"`
	// Token of a create is the version that the secret is for. One token never has two secrets.
	Token string `json:"token,omitempty"`
	// Value is the secret of a set, and of a create where Capabilities.TakesValue.
	Value string `json:"value,omitempty"`
	// SecretID is the secret that disable, enable and remove are about.
	SecretID string `json:"secretId,omitempty"`
}

// Reads reports whether a request changes nothing.
func (r Request) Reads() bool { return r.Operation == opCapabilities || r.Operation == opList }

// Client says whose secrets a request is about.
type Client struct {
	ID     string `json:"id"`
	Issuer string `json:"issuer"`
}

// answer is what the function returns.
type answer struct {
	Contract     int             `json:"contract"`
	Error        *problem        `json:"error"`
	Capabilities json.RawMessage `json:"capabilities"`
	Secrets      []listed        `json:"secrets"`
	Secret       *made           `json:"secret"`
	Registration registration    `json:"registration"`
}

// problem is why the function could not do it.
type problem struct {
	Kind              string  `json:"kind"`
	RetryAfterSeconds float64 `json:"retryAfterSeconds"`
	Code              string  `json:"code"`
}

// listed is a secret of a list.
type listed struct {
	ID       string  `json:"id"`
	Status   string  `json:"status"`
	Created  instant `json:"created"`
	Until    instant `json:"until"`
	LastUsed instant `json:"lastUsed"`
	Token    string  `json:"token"`
	Value    string  `json:"value"`
}

// made is the answer to a create. Value is left out if it is that of the request.
type made struct {
	ID    string `json:"id"`
	Value string `json:"value"`
}

// registration is what a list may tell of the registration.
type registration struct {
	AuthMethod   string `json:"authMethod"`
	GraceSeconds int    `json:"graceSeconds"`
	// Traits are its settings; two registrations of a pair must have the same.
	Traits map[string]json.RawMessage `json:"traits"`
}

// Capabilities are what the provider behind the function can do. The configuration has them, because a check of it asks
// nobody; the function answers the same, or a plan is refused.
type Capabilities struct {
	// Model is how the provider keeps a client's secrets: named-set, current-previous or single-slot.
	Model idp.Model `json:"model"`
	// MaxSecrets is how many a client can have (named-set), disabled ones included; 0 is no small limit.
	MaxSecrets int `json:"maxSecrets,omitempty"`
	// TakesValue: the caller may choose a secret's value.
	TakesValue bool `json:"takesValue,omitempty"`
	// KeepsToken: a list tells for each secret the token of the create that made it (named-set).
	KeepsToken bool `json:"keepsToken,omitempty"`
	// CanDisable: secrets can be switched off and on again (named-set).
	CanDisable bool `json:"canDisable,omitempty"`
	// ShowsValues: a list tells the values (current-previous).
	ShowsValues bool `json:"showsValues,omitempty"`
	// TellsEnd: a secret can end by itself, and a list tells when.
	TellsEnd bool `json:"tellsEnd,omitempty"`
	// ActivationSeconds is how long it may take until every token server accepts a new secret.
	ActivationSeconds int `json:"activationSeconds,omitempty"`
	// Probe is how the token endpoint tells a right secret from a wrong one.
	Probe Probe `json:"probe"`
}

// Probe is how the token endpoint answers a trial.
type Probe struct {
	// Grant is authorization_code, with an invented code, unless it is client_credentials.
	Grant idp.Grant `json:"grant,omitempty"`
	// Scope is sent with client_credentials.
	Scope string `json:"scope,omitempty"`
	// Accepted and Rejected are the error codes for a right secret (default invalid_grant) and a wrong one (default
	// invalid_client).
	Accepted []string `json:"accepted,omitempty"`
	Rejected []string `json:"rejected,omitempty"`
}

// tries is how often in a row a new secret must be accepted at a provider with an activation delay.
const tries = 10

// of returns the capabilities of package idp.
func (c Capabilities) of() idp.Capabilities {
	out := idp.Capabilities{Model: c.Model, MaxSecrets: c.MaxSecrets, TellsEnd: c.TellsEnd,
		Probe: idp.ProbeSpec{Grant: c.Probe.Grant, Scope: c.Probe.Scope, Accepted: c.Probe.Accepted,
			Rejected: c.Probe.Rejected}}
	switch c.Model {
	case idp.NamedSet:
		out.AcceptsValue, out.KeepsTag, out.CanDisable = c.TakesValue, c.KeepsToken, c.CanDisable
	case idp.CurrentPrevious:
		if out.CanSet = c.TakesValue; c.ShowsValues {
			// one that shows none must keep more: nobody could tell when the next ends the one in use
			out.MaxSecrets, out.TellsUse = 2, true
		}
	default:
	}
	if c.ActivationSeconds > 0 { // the last try comes after the delay
		out.Probe.InARow, out.Probe.IntervalSeconds = tries, (c.ActivationSeconds+tries-2)/(tries-1)
	}
	return out
}
