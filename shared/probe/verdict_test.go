package probe

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/secret"
)

func TestAWrongSecretHasTheShapeOfTheRightOneAndDiffersEverywhere(t *testing.T) {
	t.Parallel()
	for _, right := range []string{"aZ9", "abc8Q~.x-_Y", strings.Repeat("Ab1", 16), "z"} {
		w, err := makeWrong(secret.New(right), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		wrong := w.Reveal()
		if len(wrong) != len(right) {
			t.Fatalf("%q became %q, of another length", right, wrong)
		}
		for i := range right {
			if classOf(right[i]) != classOf(wrong[i]) {
				t.Errorf("%q became %q: position %d is of another kind", right, wrong, i)
			}
			if (right[i] == wrong[i]) != (classOf(right[i]) == "") {
				t.Errorf("%q became %q: position %d", right, wrong, i)
			}
		}
	}
}

func TestAWrongSecretIsNeverTheRightOneWhateverTheDice(t *testing.T) {
	t.Parallel()
	for die := range 256 {
		for _, right := range []string{"a", "z", "A", "9", "~", "~!~"} {
			w, err := makeWrong(secret.New(right), bytes.NewReader(bytes.Repeat([]byte{byte(die)}, len(right))))
			if err != nil || w.Reveal() == right || len(w.Reveal()) != len(right) {
				t.Fatalf("%q with dice %d became %q (%v)", right, die, w.Reveal(), err)
			}
		}
	}
}

func TestAWrongSecretNeedsARightOneAndRandomness(t *testing.T) {
	t.Parallel()
	if _, err := makeWrong(secret.Value{}, rand.Reader); !failure.Is(err, failure.InvalidInput) {
		t.Errorf("no secret: %v", err)
	}
	if _, err := makeWrong(secret.New("abc"), strings.NewReader("x")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("no randomness: %v", err)
	}
}

// answers plays verdicts and failures in order; the last one repeats.
func answers(list ...any) (func(context.Context) (Verdict, error), *int) {
	calls := 0
	return func(context.Context) (Verdict, error) {
		a := list[min(calls, len(list)-1)]
		calls++
		if err, ok := a.(error); ok {
			return Verdict{}, err
		}
		return Verdict{Outcome: a.(Outcome), Reason: "HTTP 400 some_code"}, nil
	}, &calls
}

func TestConsecutive(t *testing.T) {
	t.Parallel()
	down := failure.New(failure.Unavailable, "down")
	for _, c := range []struct {
		name   string
		list   []any
		naps   int // how many sleeps until the deadline
		calls  int
		kind   failure.Kind
		reason string
	}{
		{name: "three in a row", list: []any{Accepted}, naps: 9, calls: 3},
		{name: "a rejection resets the count", list: []any{Accepted, Accepted, Rejected, Accepted, Accepted, Accepted},
			naps: 9, calls: 6},
		{name: "an inconclusive answer resets the count", list: []any{Accepted, Accepted, Inconclusive, Accepted},
			naps: 9, calls: 6},
		{name: "a transient failure neither counts nor resets", list: []any{Accepted, Accepted, down, Accepted},
			naps: 9, calls: 4},
		{name: "nothing but answers that say nothing", list: []any{Inconclusive}, naps: 4, calls: 5,
			kind: failure.Unavailable, reason: "cannot be told"},
		{name: "another failure ends it", list: []any{Accepted, failure.New(failure.Precondition, "certificate")},
			naps: 9, calls: 2,
			kind: failure.Precondition, reason: "certificate"},
		{name: "rejected until the deadline", list: []any{Rejected}, naps: 4, calls: 5, kind: failure.NotYetActive,
			reason: "some_code"},
		{name: "flapping until the deadline", list: []any{Accepted, Accepted, Rejected, Accepted, Rejected, Accepted},
			naps: 5, calls: 6,
			kind: failure.NotYetActive, reason: "1 times in a row"},
		{name: "unreachable until the deadline", list: []any{Rejected, down}, naps: 3, calls: 4,
			kind: failure.Unavailable, reason: "down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check, calls := answers(c.list...)
			naps := 0
			sleep := func(_ context.Context, d time.Duration) error {
				if d != time.Second {
					t.Errorf("slept %s", d)
				}
				if naps++; naps > c.naps {
					return context.DeadlineExceeded
				}
				return nil
			}
			err := Consecutive(context.Background(), 3, time.Second, sleep, check)
			if *calls != c.calls {
				t.Errorf("%d calls, not %d", *calls, c.calls)
			}
			if c.kind == "" && err != nil || c.kind != "" && (!failure.Is(err, c.kind) ||
				!strings.Contains(err.Error(), c.reason)) {
				t.Errorf("error %v, want %s with %q", err, c.kind, c.reason)
			}
		})
	}
}

func TestConsecutiveWaitsAsLongAsItIsTold(t *testing.T) {
	t.Parallel()
	told := failure.Wrap(failure.Throttled, &httpclient.StatusError{Status: 429, Wait: time.Minute}, "too many")
	check, _ := answers(told, Accepted)
	var slept []time.Duration
	sleep := func(_ context.Context, d time.Duration) error { slept = append(slept, d); return nil }
	err := Consecutive(context.Background(), 2, time.Second, sleep, check)
	if err != nil || !slices.Equal(slept, []time.Duration{time.Minute, time.Second}) {
		t.Errorf("slept %v (%v)", slept, err)
	}
}

func TestConsecutiveEndsWithItsContext(t *testing.T) {
	t.Parallel()
	noSleep := func(context.Context, time.Duration) error { return nil }
	ctx, cancel := context.WithCancel(context.Background())
	calls := 0
	err := Consecutive(ctx, 2, 0, noSleep, func(context.Context) (Verdict, error) {
		if calls++; calls == 3 {
			cancel() // the deadline cuts the third call off
			return Verdict{}, failure.New(failure.Unavailable, "cut off")
		}
		return Verdict{Outcome: Rejected, Reason: "HTTP 401 invalid_client"}, nil
	})
	if !failure.Is(err, failure.NotYetActive) || !strings.Contains(err.Error(), "invalid_client") || calls != 3 {
		t.Errorf("after %d calls: %v", calls, err)
	}
	if err := Consecutive(ctx, 2, 0, noSleep, nil); !failure.Is(err, failure.NotYetActive) {
		t.Errorf("no time at all: %v", err)
	}
	if err := Consecutive(context.Background(), 0, 0, noSleep, nil); !failure.Is(err, failure.InvalidInput) {
		t.Errorf("zero times: %v", err)
	}
}
