package dataplane

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"
)

// shared is what the nodes of one load balancer have in common: the key of their cookies, the sessions, and whose
// turn it is.
type shared struct {
	aead cipher.AEAD

	mu       sync.Mutex
	sessions map[string]*session
	pruned   time.Time // when add last forgot sessions
	turns    map[string]int
}

// session is a logged-in user. The tokens stay here and the cookie holds only its id: an IdP that rotates refresh
// tokens accepts each once, so two requests must never both hold one.
type session struct {
	issuer  string
	cookie  string
	expires time.Time

	mu       sync.Mutex // held during a refresh: requests of the session wait for its result
	ended    bool
	identity identity
}

// identity is who the user is and the tokens that say so.
type identity struct {
	tokens  tokens
	subject string
	claims  map[string]any
}

func newShared() (*shared, error) {
	var key [32]byte
	if _, err := rand.Read(key[:]); err != nil {
		return nil, fmt.Errorf("making the key of a load balancer: %w", err)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, fmt.Errorf("making the cipher of a load balancer: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("making the cipher of a load balancer: %w", err)
	}
	return &shared{aead: aead, sessions: map[string]*session{}, turns: map[string]int{}}, nil
}

// seal encrypts plain for a purpose, so that a state parameter cannot be passed off as a session cookie.
func (s *shared) seal(purpose string, plain []byte) string {
	nonce := make([]byte, s.aead.NonceSize())
	_, _ = rand.Read(nonce) // never fails: crypto/rand ends the process instead
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nonce, nonce, plain, []byte(purpose)))
}

func (s *shared) unseal(purpose, sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil || len(raw) < s.aead.NonceSize() {
		return nil, errors.New("not a sealed value")
	}
	return s.aead.Open(nil, raw[:s.aead.NonceSize()], raw[s.aead.NonceSize():], []byte(purpose))
}

// next counts the turns of key from 0 to n-1 and around.
func (s *shared) next(key string, n int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	turn := s.turns[key] % n
	s.turns[key] = turn + 1
	return turn
}

// add stores a session under a new id, and once a minute forgets those whose time is over.
func (s *shared) add(x *session, now time.Time) string {
	id := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.pruned) >= time.Minute {
		s.pruned = now
		maps.DeleteFunc(s.sessions, func(_ string, old *session) bool { return !old.expires.After(now) })
	}
	s.sessions[id] = x
	return id
}

// find returns the session if it is still running and was made for this cookie and issuer, else nil.
func (s *shared) find(id, cookie, issuer string, now time.Time) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sessions[id]
	if x == nil || x.cookie != cookie || x.issuer != issuer || !x.expires.After(now) {
		return nil
	}
	return x
}
