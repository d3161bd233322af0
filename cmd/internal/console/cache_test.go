package console

import (
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestACacheIsReadOnceInAWhile(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	var c cached[int]
	reads := 0
	get := func(took time.Duration) int {
		got, _ := c.get(func() time.Time { return now }, 5*time.Second, func(before int) (int, error) {
			reads++
			now = now.Add(took)
			return before + 1, nil
		})
		return got
	}
	for _, step := range []struct {
		wait, took time.Duration
		want       int
	}{{0, 0, 1}, {4 * time.Second, 0, 1}, {time.Second, 2 * time.Second, 2}, {9 * time.Second, 0, 2},
		{time.Second, 0, 3}} {
		now = now.Add(step.wait)
		if got := get(step.took); got != step.want || reads != step.want {
			t.Errorf("after %s: read %d times, got %d, want %d", step.wait, reads, got, step.want)
		}
	}
	c.expire()
	if get(0) != 4 {
		t.Error("an expired value is not read again")
	}
	var s shelf[int]
	first := s.at("0")
	for i := range 3 * kept {
		s.at(strings.Repeat("x", i+1))
	}
	if len(s.items) > kept || s.at("0") == first {
		t.Errorf("the shelf holds %d things", len(s.items))
	}
}

// What takes long to read is not waited for, unless it is far too old.
func TestACacheIsReadBehindThePages(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)
	var c cached[string]
	get := func(read func() (string, error)) string {
		got, _ := c.getSoon(func() time.Time { return now }, time.Minute, read)
		return got
	}
	says := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	if got := get(says("first")); got != "first" {
		t.Errorf("at first: %q", got)
	}
	now = now.Add(2 * time.Minute)
	answer := make(chan string)
	for range 3 { // one of them has it read
		if got := get(func() (string, error) { return <-answer, nil }); got != "first" {
			t.Errorf("while it is read: %q", got)
		}
	}
	answer <- "second"
	for get(says("third")) == "first" {
		runtime.Gosched()
	}
	if got := get(says("third")); got != "second" {
		t.Errorf("after it was read: %q", got)
	}
	now = now.Add(time.Hour)
	if got := get(says("third")); got != "third" {
		t.Errorf("an hour later: %q", got)
	}
}
