package idp

import (
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/clock"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

// How long the provider remembers. RFC 6749, section 4.1.2, allows a code ten minutes at most; Okta's refresh tokens
// end after seven days without use.
const (
	loginLifetime   = 15 * time.Minute
	codeLifetime    = 5 * time.Minute
	refreshIdle     = 7 * 24 * time.Hour
	idTokenLifetime = time.Hour
	// bearerLeeway is how long an access token works after the end that its client was told. A load balancer uses it
	// right after it got it, but with a lifetime of seconds, as in the demo, a slow machine would be too late.
	bearerLeeway = time.Minute
)

// errGone is returned for a code, token or login that never was, has been used or has expired.
var errGone = errors.New("unknown, used or expired")

// errScope is returned for a refresh that asks for more than the user has agreed to.
var errScope = errors.New("scope was not granted")

// authorization is what a user has agreed to: it travels from the login over the code to every token.
type authorization struct {
	clientID  string
	subject   string
	authTime  time.Time
	scopes    []string
	nonce     string
	redirect  string
	state     string
	challenge *oidc.CodeChallenge
}

func (a authorization) allows(scope string) bool { return slices.Contains(a.scopes, scope) }

// sessions is the provider's memory of logins and tokens.
type sessions struct {
	clock  clock.Clock
	access time.Duration
	rotate bool
	reuse  time.Duration

	mu      sync.Mutex
	pruned  time.Time
	logins  map[string]pending
	codes   map[string]held
	tokens  map[string]held
	refresh map[string]held
}

// pending is an authorization request whose user has not logged in yet.
type pending struct {
	held
	cookie string // ties the form to the browser that asked for it
}

type held struct {
	authorization
	until time.Time
}

func newSessions(o Options) *sessions {
	return &sessions{clock: o.Clock, access: o.AccessTokenLifetime, rotate: o.RotateRefreshTokens,
		reuse:  o.RefreshReuse,
		pruned: o.Clock.Now(), logins: map[string]pending{}, codes: map[string]held{}, tokens: map[string]held{},
		refresh: map[string]held{}}
}

// begin stores an authorization request until its user logs in.
func (s *sessions) begin(a authorization) (id, cookie string) {
	id, cookie = rand.Text(), rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.prune()
	s.logins[id] = pending{held: held{a, now.Add(loginLifetime)}, cookie: cookie}
	return id, cookie
}

// waiting returns an authorization request that waits for its user, and the cookie of its browser.
func (s *sessions) waiting(id string) (authorization, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l, ok := s.logins[id]
	if !ok || !s.clock.Now().Before(l.until) {
		return authorization{}, "", errGone
	}
	return l.authorization, l.cookie, nil
}

// complete turns an authorization request into a code, once.
func (s *sessions) complete(id, subject string) (code string, a authorization, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.prune()
	l, ok := s.logins[id]
	if !ok || !now.Before(l.until) {
		return "", authorization{}, errGone
	}
	delete(s.logins, id)
	l.subject, l.authTime = subject, now
	code = rand.Text()
	s.codes[code] = held{l.authorization, now.Add(codeLifetime)}
	return code, l.authorization, nil
}

// redeem uses up a code that was issued to the client. A code that somebody else presents stays with its client.
func (s *sessions) redeem(code, clientID, redirect, verifier string) (authorization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.codes[code]
	if !ok || !s.clock.Now().Before(c.until) || c.clientID != clientID {
		return authorization{}, errGone
	}
	delete(s.codes, code)
	if c.redirect != redirect || (c.challenge != nil && !oidc.VerifyCodeChallenge(c.challenge, verifier)) {
		return authorization{}, errGone
	}
	return c.authorization, nil
}

// grant issues an access token, and a refresh token if the user was asked for offline_access.
func (s *sessions) grant(a authorization, mayRefresh bool) (access, refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.prune()
	access = s.accessToken(a, now)
	if mayRefresh && a.allows(oidc.ScopeOfflineAccess) {
		refresh = rand.Text()
		s.refresh[refresh] = held{a, now.Add(refreshIdle)}
	}
	return access, refresh
}

// renew uses a refresh token of the client. The token that comes back is the same one, or its successor if tokens
// rotate. The access token has the scopes given, which must have been granted, or all (RFC 6749, section 6).
func (s *sessions) renew(token, clientID string, scopes []string) (a authorization, access, refresh string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.prune()
	t, ok := s.refresh[token]
	if !ok || !now.Before(t.until) || t.clientID != clientID {
		return authorization{}, "", "", errGone
	}
	a = t.authorization
	if len(scopes) > 0 {
		if slices.ContainsFunc(scopes, func(scope string) bool { return !a.allows(scope) }) {
			return authorization{}, "", "", errScope
		}
		a.scopes = slices.Clone(scopes)
	}
	refresh = token
	if s.rotate {
		refresh = rand.Text()
		if end := now.Add(s.reuse); end.Before(t.until) { // a second use does not move the end
			s.refresh[token] = held{t.authorization, end}
		}
	}
	s.refresh[refresh] = held{t.authorization, now.Add(refreshIdle)}
	return a, s.accessToken(a, now), refresh, nil
}

// bearer returns what an access token stands for.
func (s *sessions) bearer(token string) (authorization, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, ok := s.tokens[token]
	if !ok || !s.clock.Now().Before(t.until) {
		return authorization{}, errGone
	}
	return t.authorization, nil
}

func (s *sessions) accessToken(a authorization, now time.Time) string {
	token := rand.Text()
	s.tokens[token] = held{a, now.Add(s.access + bearerLeeway)}
	return token
}

// prune forgets what has expired, once a minute, and returns the time. s.mu is held.
func (s *sessions) prune() time.Time {
	now := s.clock.Now()
	if now.Sub(s.pruned) < time.Minute {
		return now
	}
	s.pruned = now
	for id, l := range s.logins {
		if !now.Before(l.until) {
			delete(s.logins, id)
		}
	}
	for _, m := range []map[string]held{s.codes, s.tokens, s.refresh} {
		for id, h := range m {
			if !now.Before(h.until) {
				delete(m, id)
			}
		}
	}
	return now
}
