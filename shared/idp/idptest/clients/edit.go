package clients

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Edit changes the secrets of one client inside Store.Update.
type Edit struct {
	now   time.Time
	delay time.Duration
	// known is the list before the edit, which servers have that have not heard of it.
	known, list []record
	used        map[string]bool
}

// Update runs f on the client's secrets: all of its changes take effect at once if it returns nil, none otherwise.
// Updates run one after the other, so f may check a limit and then use what is free. It returns f's error, or
// ErrNotFound for an unknown client.
func (s *Store) Update(clientID string, f func(*Edit) error) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	s.mu.RLock()
	e := s.byID[clientID]
	if e == nil {
		s.mu.RUnlock()
		return fmt.Errorf("client %s: %w", clientID, ErrNotFound)
	}
	edit := &Edit{now: s.clock.Now(), delay: s.delay, known: e.secrets, list: slices.Clone(e.secrets),
		used: maps.Clone(e.used)}
	change := Change{ClientID: clientID, At: edit.now, Before: describe(e.secrets)}
	before, after := slices.Clone(s.before), slices.Clone(s.after)
	s.mu.RUnlock()

	if err := f(edit); err != nil {
		return err
	}
	change.After = describe(edit.list)
	if slices.Equal(change.Before, change.After) {
		return nil
	}
	for _, hook := range before {
		hook(change)
	}
	s.mu.Lock()
	e.secrets, e.used = edit.list, edit.used
	s.mu.Unlock()
	for _, hook := range after {
		hook(change)
	}
	return nil
}

// All lists the secrets, the changes of this edit included.
func (e *Edit) All() []Secret { return describe(e.list) }

// Get returns one secret, or ErrNotFound.
func (e *Edit) Get(id string) (Secret, error) {
	i, err := e.index(id)
	if err != nil {
		return Secret{}, err
	}
	return e.list[i].Secret, nil
}

// Value returns the clear value of a secret, for vendors whose API shows it; ErrNotFound otherwise.
func (e *Edit) Value(id string) (string, error) {
	i, err := e.index(id)
	if err != nil {
		return "", err
	}
	return e.list[i].value, nil
}

// Add creates a secret with the value given. The caller chooses ID, and may choose DisplayName, Status and ExpiresAt;
// the rest is filled in. An id that the client has ever used is refused with ErrExists: no vendor reuses ids, and the
// rotation relies on it (a late delete can only hit what was meant).
func (e *Edit) Add(s Secret, value string) (Secret, error) {
	if s.ID == "" || value == "" {
		return Secret{}, errors.New("a secret needs an id and a value")
	}
	if e.used[s.ID] {
		return Secret{}, fmt.Errorf("secret %s: %w", s.ID, ErrExists)
	}
	if s.Status == "" {
		s.Status = Active
	}
	sum := sha256.Sum256([]byte(value))
	s.Created, s.Updated, s.ActiveFrom = e.now, e.now, e.now
	if !slices.ContainsFunc(e.known, func(r record) bool { return r.sum == sum && r.Live(e.now) }) {
		s.ActiveFrom = e.now.Add(e.delay)
	}
	s.Fingerprint = fingerprint(sum)
	e.list = append(e.list, record{Secret: s, value: value, sum: sum})
	e.used[s.ID] = true
	return s, nil
}

// SetStatus activates or deactivates a secret; the status it already has changes nothing. ErrNotFound if it is gone.
func (e *Edit) SetStatus(id string, status Status) (Secret, error) {
	i, err := e.index(id)
	if err != nil {
		return Secret{}, err
	}
	if r := &e.list[i]; r.Status != status {
		r.Status, r.Updated = status, e.now
	}
	return e.list[i].Secret, nil
}

// Expire sets the end of a secret's life; ErrNotFound if it is gone.
func (e *Edit) Expire(id string, at time.Time) (Secret, error) {
	i, err := e.index(id)
	if err != nil {
		return Secret{}, err
	}
	e.list[i].ExpiresAt, e.list[i].Updated = at, e.now
	return e.list[i].Secret, nil
}

// Remove deletes a secret for good; ErrNotFound if it is gone.
func (e *Edit) Remove(id string) error {
	i, err := e.index(id)
	if err != nil {
		return err
	}
	e.list = slices.Delete(e.list, i, i+1)
	return nil
}

func (e *Edit) index(id string) (int, error) {
	i := slices.IndexFunc(e.list, func(r record) bool { return r.ID == id })
	if i < 0 {
		return 0, fmt.Errorf("secret %s: %w", id, ErrNotFound)
	}
	return i, nil
}
