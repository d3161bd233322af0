package console

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// cached is what was read last. However many pages show it, it is read by one of them, and not again for a while: at
// least its pace, and five times as long as reading took.
type cached[T any] struct {
	mu      sync.Mutex
	value   T
	err     error
	at      time.Time // when it was read; zero: it is to be read again
	until   time.Time
	reading bool // behind the pages
}

// get returns what read returns, or returned a while ago. read gets what it returned before, which it may build on.
func (c *cached[T]) get(now func() time.Time, pace time.Duration, read func(T) (T, error)) (T, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if began := now(); c.at.IsZero() || !began.Before(c.until) {
		value, err := read(c.value)
		c.keep(value, err, pace, began, now())
	}
	return c.value, c.err
}

// getSoon does so for what takes long to read: what is only a little too old is returned, while it is read for the
// pages that come after.
func (c *cached[T]) getSoon(now func() time.Time, pace time.Duration, read func() (T, error)) (T, error) {
	c.mu.Lock()
	began, was := now(), c.at
	if was.IsZero() || !began.Before(c.until.Add(4*pace)) {
		c.mu.Unlock()
		return c.get(now, pace, func(T) (T, error) { return read() })
	}
	defer c.mu.Unlock()
	if !c.reading && !began.Before(c.until) {
		c.reading = true
		go func() {
			value, err := read()
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.reading = false; c.at.Equal(was) { // nobody has read it, or has it read again, since
				c.keep(value, err, pace, began, now())
			}
		}()
	}
	return c.value, c.err
}

// keep notes what was read.
func (c *cached[T]) keep(value T, err error, pace time.Duration, began, ended time.Time) {
	if c.err = err; err == nil {
		c.value = value
	}
	c.at, c.until = ended, ended.Add(max(pace, 5*ended.Sub(began)))
}

// expire has it read again by the next page that shows it.
func (c *cached[T]) expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Time{}
}

// shelf holds what is cached of each of many things, and of so many only.
type shelf[T any] struct {
	mu    sync.Mutex
	items map[string]*cached[T]
	used  map[string]int
	count int
}

// kept is how many things a shelf holds.
const kept = 40

// expire has everything read again.
func (s *shelf[T]) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, item := range s.items {
		item.expire()
	}
}

// at returns the place of a thing. The one that was used the longest ago makes room for another.
func (s *shelf[T]) at(key string) *cached[T] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items == nil {
		s.items, s.used = map[string]*cached[T]{}, map[string]int{}
	}
	if s.items[key] == nil {
		if len(s.items) >= kept {
			oldest := slices.MinFunc(slices.Collect(maps.Keys(s.used)),
				func(a, b string) int { return s.used[a] - s.used[b] })
			delete(s.items, oldest)
			delete(s.used, oldest)
		}
		s.items[key] = &cached[T]{}
	}
	s.count++
	s.used[key] = s.count
	return s.items[key]
}
