package probe_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe"
)

// script answers with one verdict, or error, after the other, and with the last from then on.
func script(log *strings.Builder, name string, list ...any) func(context.Context) (probe.Verdict, error) {
	n := 0
	return func(context.Context) (probe.Verdict, error) {
		log.WriteString(name)
		x := list[min(n, len(list)-1)]
		n++
		if err, failed := x.(error); failed {
			return probe.Verdict{}, err
		}
		return probe.Verdict{Outcome: x.(probe.Outcome), Reason: name}, nil
	}
}

func TestARefusalCountsOnlyBetweenPositiveControls(t *testing.T) {
	t.Parallel()
	const yes, no, unknown = probe.Accepted, probe.Rejected, probe.Inconclusive
	down := failure.New(failure.Unavailable, "down")
	for name, c := range map[string]struct {
		check, control []any
		want           probe.Outcome // "" is a failure
		order          string        // k for a control, c for a check, - for a pause
	}{
		"refused in every turn":                      {[]any{no}, []any{yes}, no, "kcck-ck"},
		"refused although the provider is not well":  {[]any{no}, []any{no}, unknown, "k"},
		"the provider falls ill in between":          {[]any{no}, []any{yes, yes, no}, unknown, "kcck-ck"},
		"the provider was ill at the first question": {[]any{yes}, []any{yes}, yes, "kc"},
		"it flaps":                       {[]any{no, no, yes}, []any{yes}, yes, "kcck-c"},
		"an answer that says nothing":    {[]any{no, no, unknown}, []any{yes}, unknown, "kcck-c"},
		"a control that says nothing":    {[]any{no}, []any{yes, unknown}, unknown, "kcck"},
		"no answer":                      {[]any{down}, []any{yes}, "", "kc"},
		"no answer to the control":       {[]any{no}, []any{yes, down}, "", "kcck"},
		"no answer to the first control": {[]any{no}, []any{down}, "", "k"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log strings.Builder
			pause := func(_ context.Context, d time.Duration) error { log.WriteString("-"); return nil }
			v, err := probe.Refusal(t.Context(), probe.Turns{Times: 3, Pause: time.Second}, pause,
				script(&log, "c", c.check...), script(&log, "k", c.control...))
			if v.Outcome != c.want || (err != nil) != (c.want == "") || log.String() != c.order {
				t.Errorf("got %q (%v) after %s, want %q after %s", v.Outcome, err, log.String(), c.want, c.order)
			}
			if v.Outcome == no && v.Reason != "c, 3 times, while k" {
				t.Errorf("the reason is %q", v.Reason)
			}
		})
	}
}

// Servers behind a load balancer take turns. Some have lost their database and refuse everything; the secret is right.
func TestServersThatDisagreeProveNoRefusal(t *testing.T) {
	t.Parallel()
	for servers := 2; servers <= 4; servers++ {
		for ill := 1; ill < 1<<servers; ill++ { // which of them
			for first := range servers {
				asked := first
				ask := func(context.Context) (probe.Verdict, error) {
					outcome := probe.Accepted
					if ill&(1<<(asked%servers)) != 0 {
						outcome = probe.Rejected
					}
					asked++
					return probe.Verdict{Outcome: outcome}, nil
				}
				v, err := probe.Refusal(t.Context(), probe.Turns{Times: 3},
					func(context.Context, time.Duration) error { return nil }, ask, ask)
				if err != nil || v.Outcome == probe.Rejected {
					t.Errorf("of %d servers those of %b are ill: from %d on, it is %+v (%v)", servers, ill, first, v,
						err)
				}
			}
		}
	}
}

func TestAPauseThatEndsEndsTheProof(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	_, err := probe.Refusal(t.Context(), probe.Turns{Times: 3},
		func(context.Context, time.Duration) error { return context.Canceled },
		script(&log, "c", probe.Rejected), script(&log, "k", probe.Accepted))
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
