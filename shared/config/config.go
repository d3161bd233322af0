// Package config is the configuration of one client: what the rotation may touch, and how. It is a JSON document in an
// SSM parameter, read by the state machine and handed to every function; it holds ARNs and URLs, never a secret.
// docs/client-configuration.md describes it, docs/client-configuration.schema.json is its JSON Schema.
package config

import (
	"cmp"
	"encoding/json"
	"time"

	"alboidc.internal/shared/strictjson"
)

// Client is the configuration of one client.
type Client struct {
	// Name is the short name used in executions, logs and metrics: a-z, 0-9 and hyphens, at most 40 characters.
	Name string `json:"name"`
	// Issuer and ClientID select the targets: every authenticate-oidc action that has both.
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	// Aliases are further names of the provider. Actions with one of them and the client id are targets, too.
	Aliases []Alias `json:"aliases,omitempty"`
	// OtherRegistrations are not the client's, though they have its client id. Any other action with the client id is
	// refused.
	OtherRegistrations []OtherRegistration `json:"otherRegistrations,omitempty"`
	// CallbackURL is the redirect URI registered at the identity provider: https://HOST/oauth2/idpresponse.
	CallbackURL string `json:"callbackUrl"`

	Secret           Secret           `json:"secret"`
	IdentityProvider IdentityProvider `json:"identityProvider"`
	// LoadBalancers are the ARNs of the Application Load Balancers to search for targets; their Region is in the ARN.
	LoadBalancers []string `json:"loadBalancers,omitempty"`
	// LoadBalancerSearch finds more load balancers, each time targets are searched for.
	LoadBalancerSearch *LoadBalancerSearch `json:"loadBalancerSearch,omitempty"`

	// Canaries are those of LoadBalancers whose targets get a new secret first. The others get it when logins through
	// these work. Tags of rules name canaries, too (package alb).
	Canaries []string `json:"canaries,omitempty"`

	// Roles reach load balancers in other accounts, by names of your choice: one for an account. A load balancer's
	// account is in its ARN.
	Roles map[string]Role `json:"roles,omitempty"`

	// Followers are what reads AWSCURRENT and applies it by itself; nil if nothing does.
	Followers *Followers `json:"followers,omitempty"`

	// AcceptElements are elements of actions that this program does not know and may drop when it sets a secret.
	AcceptElements []string `json:"acceptElements,omitempty"`

	// GracePeriodSeconds is how long both secrets stay valid after the switch; 0 to 2592000 (30 days), default 86400.
	GracePeriodSeconds *int `json:"gracePeriodSeconds,omitempty"`
	// SpreadSeconds is the time allowed until every node of a load balancer serves a changed action; 1 to 900, default
	// 60. AWS documents no number; the load balancer controller project measured batches of about 10 s.
	SpreadSeconds *int `json:"spreadSeconds,omitempty"`
	// RotateBeforeEndDays is how many days a secret that the identity provider ends by itself is to have left when the
	// rotation that the daily measurement starts for it is through; 0 to 365, default 14. 0 starts none.
	RotateBeforeEndDays *int `json:"rotateBeforeEndDays,omitempty"`

	SmokeTests SmokeTests `json:"smokeTests"`
}

// LoadBalancerSearch stands for every Application Load Balancer of Regions that has all of the tags, with these values.
type LoadBalancerSearch struct {
	Tags    map[string]string `json:"tags"`
	Regions []string          `json:"regions"`
	// Role is the name of the role that reaches the account to search; without it that is the stack's own.
	Role string `json:"role,omitempty"`
}

// Followers read AWSCURRENT and apply it by themselves: controllers, applications, tools on a schedule. A secret that
// they may have stays valid until the last of them has another.
type Followers struct {
	// MaxDelaySeconds is how long after AWSCURRENT has moved the last of them uses it; 1 to 2592000 (30 days).
	MaxDelaySeconds int `json:"maxDelaySeconds"`
	// Controllers: a rule that a controller owns is left to it. Otherwise such a rule is refused.
	Controllers bool `json:"controllers,omitempty"`
}

// Secret is where the client secret is stored.
type Secret struct {
	// ARN is that of the Secrets Manager secret.
	ARN string `json:"arn"`
	// JSONKey is the member that holds the client secret if the secret's value is a JSON object; the other members are
	// carried over unchanged. Without it the whole value is the client secret.
	JSONKey string `json:"jsonKey,omitempty"`
	// ClientIDKey is the member that holds the client id: each version that is stored has there that of the
	// registration its secret belongs to. Followers of a pair read both.
	ClientIDKey string `json:"clientIdKey,omitempty"`
}

// IdentityProvider is the identity provider that issues the client secret.
type IdentityProvider struct {
	// Type is the provider's name in the registry, e.g. okta.
	Type                  string `json:"type"`
	AuthorizationEndpoint string `json:"authorizationEndpoint"`
	TokenEndpoint         string `json:"tokenEndpoint"`
	// TokenAuthMethod is how the client is registered to authenticate at the token endpoint: client_secret_basic
	// (default) or client_secret_post.
	TokenAuthMethod string `json:"tokenAuthMethod,omitempty"`
	// ClientPair is the client id of a second, otherwise equal registration, for providers that keep only one secret.
	// The two take turns, and targets have one or the other.
	ClientPair string `json:"clientPair,omitempty"`
	// AllowInterruption permits a rotation to overwrite the only secret of such a provider while it is in use: logins
	// fail until every load balancer node has the new one.
	AllowInterruption bool `json:"allowInterruption,omitempty"`
	// CurrentSecretID is the id, at the provider, of the secret that is stored as AWSCURRENT. It is needed only for the
	// first rotation of a client that has several secrets at the provider.
	CurrentSecretID string `json:"currentSecretId,omitempty"`
	// Settings belong to the provider; its documentation page lists them.
	Settings json.RawMessage `json:"settings"`
}

// SmokeTests are the checks that a rotation must pass.
type SmokeTests struct {
	Credential CredentialTest `json:"credential"`
	// Redirect and Login go through the load balancer.
	Redirect []RedirectTest `json:"redirect,omitempty"`
	Login    []LoginTest    `json:"login,omitempty"`
	// MaxAuthErrors is how many more ELBAuthError counts since the new secret was made than in the same time before,
	// over all load balancers, still pass; default 0. What chance explains always passes, and so does any number where
	// logins go on. The metric has no client dimension: other clients of the same load balancer count, too.
	MaxAuthErrors *int `json:"maxAuthErrors,omitempty"`
}

// CredentialTest asks the token endpoint whether it accepts a secret.
type CredentialTest struct {
	// SuccessesInARow is how many times in a row the new secret must be accepted before a target gets it; 1 to 50,
	// default 3, or more where the provider's token servers learn of a secret one by one.
	SuccessesInARow *int `json:"successesInARow,omitempty"`
	// IntervalSeconds is the pause between two tries; 0 to 60, default 1, or more for such a provider.
	IntervalSeconds *int `json:"intervalSeconds,omitempty"`
}

// RedirectTest opens a URL without a session and expects to be sent to the identity provider.
type RedirectTest struct {
	URL string `json:"url"`
	// ConnectTo lists addresses (host:port) to connect to instead of those that the URL's name resolves to.
	ConnectTo []string `json:"connectTo,omitempty"`
	// Follower: a follower answers there, with a redirect URI of its own. The test waits until it must have the secret.
	Follower bool `json:"follower,omitempty"`
	// Canary: a canary answers there.
	Canary bool `json:"canary,omitempty"`
}

// LoginTest logs a synthetic user in through the load balancer.
type LoginTest struct {
	URL       string   `json:"url"`
	ConnectTo []string `json:"connectTo,omitempty"`
	// UserSecretARN is a Secrets Manager secret {"username": "…", "password": "…"}.
	UserSecretARN string `json:"userSecretArn"`
	// ExpectText must occur in the page that the application shows after the login.
	ExpectText string `json:"expectText"`
	// Follower and Canary are as in RedirectTest.
	Follower bool `json:"follower,omitempty"`
	Canary   bool `json:"canary,omitempty"`
}

// Problems lists every value that is missing, out of range or contradictory.
func (c Client) Problems() strictjson.Problems {
	var ps strictjson.Problems
	c.check(&ps)
	return ps
}

// Parse reads and checks a configuration. Every problem is reported with the path of its field.
func Parse(data []byte) (Client, error) {
	var c Client
	ps := strictjson.Decode(data, &c, "")
	if len(ps) == 0 {
		ps = c.Problems()
	}
	if err := ps.Err("the client configuration"); err != nil {
		return Client{}, err
	}
	return c, nil
}

func or(p *int, def int) int {
	if p == nil {
		return def
	}
	return *p
}

// IsPair reports whether two registrations take turns.
func (c Client) IsPair() bool { return c.IdentityProvider.ClientPair != "" }

// ClientIDs returns the client ids of the client's registrations.
func (c Client) ClientIDs() []string {
	if c.IsPair() {
		return []string{c.ClientID, c.IdentityProvider.ClientPair}
	}
	return []string{c.ClientID}
}

// GracePeriod returns GracePeriodSeconds or its default, in seconds, but no less than followers need.
func (c Client) GracePeriod() int {
	return max(or(c.GracePeriodSeconds, 86400), int(c.FollowersDelay()/time.Second))
}

// FollowersDelay returns how long after AWSCURRENT has moved the last follower uses it; 0 if there are none.
func (c Client) FollowersDelay() time.Duration {
	if c.Followers == nil {
		return 0
	}
	return time.Duration(c.Followers.MaxDelaySeconds) * time.Second
}

// BeforeEndDays returns RotateBeforeEndDays or its default.
func (c Client) BeforeEndDays() int { return or(c.RotateBeforeEndDays, 14) }

// EndsWithin returns how long before a secret ends by itself a rotation is started: RotateBeforeEndDays, and what the
// rotation takes, the way back included; never, if it is 0.
func (c Client) EndsWithin() time.Duration {
	days := c.BeforeEndDays()
	if days == 0 {
		return 0
	}
	return time.Duration(days)*24*time.Hour + time.Duration(c.GracePeriod()+2*c.Spread())*time.Second +
		c.FollowersDelay()
}

// LeavesToControllers reports whether rules that controllers own are left to them.
func (c Client) LeavesToControllers() bool { return c.Followers != nil && c.Followers.Controllers }

// HasBalancers reports whether load balancers are searched for targets. A client that has only followers has none.
func (c Client) HasBalancers() bool { return len(c.LoadBalancers) > 0 || c.LoadBalancerSearch != nil }

// Spread returns SpreadSeconds or its default, in seconds.
func (c Client) Spread() int { return or(c.SpreadSeconds, 60) }

// AuthMethod returns TokenAuthMethod or its default.
func (p IdentityProvider) AuthMethod() string {
	if p.TokenAuthMethod == "" {
		return "client_secret_basic"
	}
	return p.TokenAuthMethod
}

// InARow returns SuccessesInARow or its default, which is the provider's if that is not 0.
func (t CredentialTest) InARow(provider int) int {
	return or(t.SuccessesInARow, cmp.Or(provider, 3))
}

// Interval returns IntervalSeconds, in seconds, or its default, which is the provider's if that is not 0.
func (t CredentialTest) Interval(provider int) int {
	return or(t.IntervalSeconds, cmp.Or(provider, 1))
}

// AuthErrors returns MaxAuthErrors or its default.
func (s SmokeTests) AuthErrors() int { return or(s.MaxAuthErrors, 0) }
