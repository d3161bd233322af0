package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// codePattern is what an error code may look like to be shown: RFC 6749's own and the vendors' do, and a generated
// secret that a server echoes does not.
var codePattern = regexp.MustCompile(`^[a-z_]{1,40}$`)

// judge reads a token endpoint's answer (RFC 6749, sections 5.1 and 5.2). error_description is not even decoded: it is
// somebody else's text and may quote the request.
func judge(spec idp.ProbeSpec, status int, body []byte) Verdict {
	var answer struct {
		Error       string `json:"error"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		return Verdict{Inconclusive, fmt.Sprintf("HTTP %d with a body that is not a token endpoint's JSON", status)}
	}
	switch code := answer.Error; {
	case code != "" && slices.Contains(spec.Accepted, code):
		return Verdict{Accepted, fmt.Sprintf("HTTP %d %s", status, code)}
	case code != "" && slices.Contains(spec.Rejected, code):
		return Verdict{Rejected, fmt.Sprintf("HTTP %d %s", status, code)}
	case codePattern.MatchString(code):
		return Verdict{Inconclusive, fmt.Sprintf("HTTP %d %s, which says nothing about the secret", status, code)}
	case code != "":
		return Verdict{Inconclusive, fmt.Sprintf("HTTP %d with an unknown error code", status)}
	case status/100 == 2 && answer.AccessToken != "":
		return Verdict{Accepted, fmt.Sprintf("HTTP %d with an access token", status)}
	default:
		return Verdict{Inconclusive, fmt.Sprintf("HTTP %d with neither an error code nor an access token", status)}
	}
}

// wrongLike makes a secret that is certainly not v, of the same length and kinds of characters: a provider that checks
// the form of a secret first must not be able to tell it from a real one by that.
func wrongLike(v secret.Value, random io.Reader) (secret.Value, error) {
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
		others := without(class, c)
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

func without(class string, c byte) []byte {
	return slices.DeleteFunc([]byte(class), func(b byte) bool { return b == c })
}

// Consecutive runs check until it has said Accepted n times in a row, sleeping interval between two tries: a provider's
// servers learn of a new secret one after the other. Any other verdict starts the count anew; a transient failure of
// the check itself neither counts nor resets; any other failure is returned at once. When ctx ends first the result is
// NotYetActive if the secret was refused last, Unavailable if the last answer said nothing about it, or the transient
// failure if that was the last thing seen.
func Consecutive(ctx context.Context, n int, interval time.Duration, sleep func(context.Context, time.Duration) error,
	check func(context.Context) (Verdict, error)) error {
	if n < 1 {
		return failure.New(failure.InvalidInput, "a secret must be accepted at least once, not %d times", n)
	}
	row := 0
	last := error(failure.New(failure.NotYetActive, "the secret was not tested: no time was left"))
	for ctx.Err() == nil {
		v, err := check(ctx)
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
		if err := sleep(ctx, interval); err != nil {
			return last
		}
	}
	return last
}
