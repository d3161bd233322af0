// Package clients is the store of OIDC clients and their secrets behind every vendor of the local identity provider:
// the token endpoint asks it which secrets are live, the vendors' management APIs change them, and tests watch it.
package clients

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/clock"
)

// AuthMethod is how a client must present its secret at the token endpoint (OpenID Connect Core 1.0, section 9).
type AuthMethod string

// The methods a load balancer can use. Either is for providers that do not hold a client to the method registered.
const (
	Basic  AuthMethod = "client_secret_basic"
	Post   AuthMethod = "client_secret_post"
	Either AuthMethod = "either"
)

// Status is the state of a secret at vendors that have one.
type Status string

// Only an active secret authenticates.
const (
	Active   Status = "ACTIVE"
	Inactive Status = "INACTIVE"
)

// ErrNotFound is returned for a client or a secret that does not exist.
var ErrNotFound = errors.New("no such client or secret")

// ErrExists is returned when a client id, a vendor's id or a secret id is used a second time.
var ErrExists = errors.New("the id is in use")

// Client is one OIDC client (app registration).
type Client struct {
	// ID is the OAuth client_id.
	ID string
	// AppID is the vendor's own id of the registration (Okta: appId, Entra ID: object id); by default the client_id.
	AppID string
	Name  string
	// RedirectURIs are exact URIs or globs, where * stands for anything but a slash
	// (https://*.localhost:*/oauth2/idpresponse).
	RedirectURIs []string
	// GrantTypes default to authorization_code and refresh_token.
	GrantTypes []string
	// AuthMethod defaults to Basic.
	AuthMethod AuthMethod
	Created    time.Time
}

// Secret describes one credential of a client; the value itself stays in the store.
type Secret struct {
	ID          string
	DisplayName string
	Status      Status
	Created     time.Time
	Updated     time.Time
	// ActiveFrom is when the provider begins to accept the secret; before that a new secret is refused.
	ActiveFrom time.Time
	// ExpiresAt is when it stops; the zero time is never.
	ExpiresAt time.Time
	// Fingerprint is a short hash of the value, for vendors that show one.
	Fingerprint string
}

// Live reports whether the secret authenticates its client at the instant given.
func (s Secret) Live(at time.Time) bool {
	return s.Status == Active && !at.Before(s.ActiveFrom) && !s.Ended(at)
}

// Ended reports whether the secret has ended by itself at the instant given.
func (s Secret) Ended(at time.Time) bool { return !s.ExpiresAt.IsZero() && !at.Before(s.ExpiresAt) }

// Change is one committed or imminent change of a client's secrets.
type Change struct {
	ClientID      string
	At            time.Time
	Before, After []Secret
}

type record struct {
	Secret
	value string
	sum   [sha256.Size]byte
}

type entry struct {
	client  Client
	secrets []record
	used    map[string]bool // every secret id the client ever had
	// authenticated is when each secret last authenticated the client, by its id.
	authenticated map[string]time.Time
}

// Store holds the clients. It is safe for concurrent use.
type Store struct {
	clock clock.Clock

	changing sync.Mutex // serialises changes together with their hooks
	mu       sync.RWMutex
	byID     map[string]*entry
	byAppID  map[string]*entry
	delay    time.Duration
	together bool
	ill      []illness
	before   []func(Change)
	after    []func(Change)
}

// New returns an empty store.
func New(c clock.Clock) *Store {
	return &Store{clock: c, byID: map[string]*entry{}, byAppID: map[string]*entry{}}
}

// Register adds a client without secrets and returns it with its defaults filled in. It returns ErrExists for an id in
// use.
func (s *Store) Register(c Client) (Client, error) {
	if c.ID == "" {
		return Client{}, errors.New("a client needs an id")
	}
	if c.AppID == "" {
		c.AppID = c.ID
	}
	if c.Name == "" {
		c.Name = c.ID
	}
	if len(c.GrantTypes) == 0 {
		c.GrantTypes = []string{"authorization_code", "refresh_token"}
	}
	if c.AuthMethod == "" {
		c.AuthMethod = Basic
	}
	if c.AuthMethod != Basic && c.AuthMethod != Post && c.AuthMethod != Either {
		return Client{}, fmt.Errorf("client %s: unknown authentication method %q", c.ID, c.AuthMethod)
	}
	c.RedirectURIs, c.GrantTypes = slices.Clone(c.RedirectURIs), slices.Clone(c.GrantTypes)
	c.Created = s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID[c.ID] != nil || s.byAppID[c.AppID] != nil {
		return Client{}, fmt.Errorf("client %s: %w", c.ID, ErrExists)
	}
	e := &entry{client: c, used: map[string]bool{}, authenticated: map[string]time.Time{}}
	s.byID[c.ID], s.byAppID[c.AppID] = e, e
	return c, nil
}

// Client returns the client with the client_id, or ErrNotFound.
func (s *Store) Client(clientID string) (Client, error) { return s.find(s.byID, clientID) }

// ByAppID returns the client with the vendor's id of its registration, or ErrNotFound.
func (s *Store) ByAppID(appID string) (Client, error) { return s.find(s.byAppID, appID) }

func (s *Store) find(in map[string]*entry, id string) (Client, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := in[id]; e != nil {
		return e.client, nil
	}
	return Client{}, fmt.Errorf("client %s: %w", id, ErrNotFound)
}

// Accepts reports whether the secret authenticates the client at the instant given.
func (s *Store) Accepts(clientID, secret string, at time.Time) bool {
	_, ok := s.Match(clientID, secret, at)
	return ok
}

// Authenticate is Accepts for the token endpoint: it notes that the secret was used, and fails while RefuseUntil is in
// force.
func (s *Store) Authenticate(clientID, secret string, at time.Time) bool {
	id, ok := s.Match(clientID, secret, at)
	if !ok {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if slices.ContainsFunc(s.ill, func(i illness) bool {
		return at.Before(i.until) && (i.value == "" || i.value == secret)
	}) {
		return false
	}
	s.byID[clientID].authenticated[id] = at
	return true
}

// illness is a time in which right secrets are refused: one value, or all if that is empty.
type illness struct {
	until time.Time
	value string
}

// RefuseUntil makes the token endpoint answer right secrets like wrong ones until then, one value, or all if that is
// empty: Ory Hydra does so while it has lost its database. The admin API knows nothing of it.
func (s *Store) RefuseUntil(until time.Time, value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ill = append(s.ill, illness{until, value})
}

// LastUsed is when a secret last authenticated its client; the zero time if it never did.
func (s *Store) LastUsed(clientID, secretID string) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.byID[clientID]; e != nil {
		return e.authenticated[secretID]
	}
	return time.Time{}
}

// Match returns the id of the live secret that has this value. Every live secret is compared in constant time.
func (s *Store) Match(clientID, secret string, at time.Time) (secretID string, ok bool) {
	sum := sha256.Sum256([]byte(secret))
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.byID[clientID]
	if e == nil {
		return "", false
	}
	if n := len(e.secrets); s.together && n > 0 && e.secrets[n-1].Ended(at) {
		return "", false
	}
	for _, r := range e.secrets {
		if subtle.ConstantTimeCompare(sum[:], r.sum[:]) == 1 && r.Live(at) {
			secretID, ok = r.ID, true
		}
	}
	return secretID, ok
}

// Secrets lists the client's secrets in the order of their creation; nil for an unknown client.
func (s *Store) Secrets(clientID string) []Secret {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if e := s.byID[clientID]; e != nil {
		return describe(e.secrets)
	}
	return nil
}

// SetActivationDelay makes secrets that are added from now on inactive for that long: several vendors need seconds
// to minutes until all their servers know a new secret. A value that is accepted already is none: a server that has not
// heard of it yet accepts it as what it was.
func (s *Store) SetActivationDelay(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.delay = d
}

// EndTogether makes every secret of a client refused from the end of the newest one on, whatever its own: Keycloak
// refuses the whole client then.
func (s *Store) EndTogether() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.together = true
}

// BeforeChange registers f to be called before each change takes effect. f may read the store, not change it.
func (s *Store) BeforeChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = append(s.before, f)
}

// OnChange registers f to be called after each change has taken effect and before the request that made it is
// answered. f may read the store, not change it.
func (s *Store) OnChange(f func(Change)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = append(s.after, f)
}

func describe(records []record) []Secret {
	out := make([]Secret, len(records))
	for i, r := range records {
		out[i] = r.Secret
	}
	return out
}

func fingerprint(sum [sha256.Size]byte) string {
	again := sha256.Sum256(sum[:])
	return base64.RawURLEncoding.EncodeToString(again[:16])
}
