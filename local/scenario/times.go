package scenario

import (
	"slices"
	"strings"
	"time"

	"alboidc.internal/local/asl"
)

// tests are the states in which the smoke test runs.
var tests = []string{"TestBeforeChange", "VerifyNewSecret", "TestCanaries", "TestSecret", "VerifyBeforeReassert",
	"TestBeforeFinish",
	"TestAfterDisable"}

// Times are how long an execution was in each kind of its states.
type Times struct{ Waits, Tests, Rest time.Duration }

// WithoutWaits is the time in which something was done.
func (t Times) WithoutWaits() time.Duration { return t.Tests + t.Rest }

// TimesOf divides an execution's time up to an instant. States inside a Map are part of it.
func TimesOf(events []asl.Event, until time.Time) Times {
	var out Times
	inner := 0 // how many Maps are open
	for i, e := range events {
		switch {
		case e.MapStarted != nil:
			inner++
		case strings.HasPrefix(e.Type, "MapState") && e.StateExited != nil:
			inner--
		}
		if e.StateEntered == nil || inner > 0 {
			continue
		}
		end := until
		for _, next := range events[i+1:] {
			if next.StateExited != nil && next.StateExited.Name == e.StateEntered.Name {
				end = next.Timestamp.Time
				break
			}
		}
		if end.After(until) {
			end = until
		}
		took := max(0, end.Sub(e.Timestamp.Time))
		switch {
		case strings.HasPrefix(e.Type, "Wait"):
			out.Waits += took
		case slices.Contains(tests, e.StateEntered.Name):
			out.Tests += took
		default:
			out.Rest += took
		}
	}
	return out
}
