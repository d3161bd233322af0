package idp

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"sync"
)

// User is somebody who can log in.
type User struct {
	// Name is what the user types; it is unique.
	Name     string
	Password string
	// FullName and Email go to the userinfo endpoint; Email defaults to Name@example.com.
	FullName string
	Email    string
}

// users holds the users by name. The passwords are test data, so a plain digest does: a slow hash would make the
// provider, not the system under test, the limit of a load test.
type users struct {
	mu     sync.RWMutex
	byName map[string]user
	bySub  map[string]string // subject → name
}

type user struct {
	User
	sub string
	sum [sha256.Size]byte
}

func newUsers() *users { return &users{byName: map[string]user{}, bySub: map[string]string{}} }

func (u *users) add(x User) {
	if x.Email == "" {
		x.Email = x.Name + "@example.com"
	}
	if x.FullName == "" {
		x.FullName = x.Name
	}
	subject := sha256.Sum256([]byte("subject of " + x.Name))
	entry := user{User: x, sub: "00u" + hex.EncodeToString(subject[:8]), sum: sha256.Sum256([]byte(x.Password))}
	entry.Password = ""
	u.mu.Lock()
	defer u.mu.Unlock()
	u.byName[x.Name] = entry
	u.bySub[entry.sub] = x.Name
}

// authenticate returns the user whose name and password these are.
func (u *users) authenticate(name, password string) (user, bool) {
	u.mu.RLock()
	x, known := u.byName[name]
	u.mu.RUnlock()
	sum := sha256.Sum256([]byte(password))
	return x, subtle.ConstantTimeCompare(sum[:], x.sum[:]) == 1 && known
}

func (u *users) bySubject(sub string) (user, bool) {
	u.mu.RLock()
	defer u.mu.RUnlock()
	x, ok := u.byName[u.bySub[sub]]
	return x, ok
}
