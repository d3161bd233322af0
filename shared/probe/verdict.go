package probe

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/secret"
)

// makeWrong makes a secret that is certainly not v, of the same length and kinds of characters: a provider that checks
// the form of a secret first must not be able to tell it from a real one by that.
func makeWrong(v secret.Value, random io.Reader) (secret.Value, error) {
	right := v.Reveal()
	if right == "" {
		return secret.Value{}, failure.New(failure.InvalidInput, "a wrong secret needs a right one to be shaped like")
	}
	dice := make([]byte, len(right))
	if _, err := io.ReadFull(random, dice); err != nil {
		return secret.Value{}, fmt.Errorf("inventing a wrong secret: %w", err)
	}
	wrong, changed := []byte(right), false
	for i, c := range wrong {
		class := classOf(c)
		if class == "" {
			continue
		}
		// the character itself is never drawn, so that every position that can differ does
		others := removeByte(class, c)
		wrong[i], changed = others[int(dice[i])%len(others)], true
	}
	if !changed { // nothing but symbols
		for i := range wrong {
			wrong[i] = lower[int(dice[i])%len(lower)]
		}
	}
	return secret.New(string(wrong)), nil
}

const (
	lower  = "abcdefghijklmnopqrstuvwxyz"
	upper  = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits = "0123456789"
)

func classOf(c byte) string {
	switch {
	case 'a' <= c && c <= 'z':
		return lower
	case 'A' <= c && c <= 'Z':
		return upper
	case '0' <= c && c <= '9':
		return digits
	default:
		return ""
	}
}

func removeByte(class string, c byte) []byte {
	return slices.DeleteFunc([]byte(class), func(b byte) bool { return b == c })
}

// Consecutive runs check until it has said Accepted n times in a row, sleeping interval between two tries: a provider's
// servers learn of a new secret one after the other. Any other verdict starts the count anew; a transient failure of
// the check neither counts nor resets, and the wait that it asks for is kept; any other failure is returned at once. If
// ctx ends first, the result is NotYetActive if the secret was last refused, Unavailable if the last answer said
// nothing about it, or the transient failure that came last.
func Consecutive(ctx context.Context, n int, interval time.Duration, sleep func(context.Context, time.Duration) error,
	check func(context.Context) (Verdict, error)) error {
	if n < 1 {
		return failure.New(failure.InvalidInput, "a secret must be accepted at least once, not %d times", n)
	}
	row := 0
	last := error(failure.New(failure.NotYetActive, "the secret was not tested: no time was left"))
	for ctx.Err() == nil {
		v, err := check(ctx)
		pause := max(interval, findWait(err))
		switch {
		case err != nil && ctx.Err() != nil:
			return last // cut off by the deadline: what was seen before says more
		case err != nil && !failure.KindOf(err).Transient():
			return err
		case err != nil:
			last = err
		case v.Outcome == Accepted:
			if row++; row == n {
				return nil
			}
			last = failure.New(failure.NotYetActive, "the secret was accepted %d times in a row, not yet %d", row, n)
		case v.Outcome == Rejected:
			row = 0
			last = failure.New(failure.NotYetActive, "the secret is not accepted everywhere yet: %s", v.Reason)
		default:
			row = 0
			last = failure.New(failure.Unavailable, "whether the secret is accepted cannot be told: %s", v.Reason)
		}
		if err := sleep(ctx, pause); err != nil {
			return last
		}
	}
	return last
}

// findWait returns how long the token endpoint asked to wait; 0 if it did not.
func findWait(err error) time.Duration {
	if s, ok := httpclient.Status(err); ok {
		return s.Wait
	}
	return 0
}
