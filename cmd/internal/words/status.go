package words

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

// Conditions of a client.
const (
	Ready    = "Ready"    // nothing has to be done
	Rotating = "Rotating" // an execution has the lock and runs
	Degraded = "Degraded" // a person has to look
	Unknown  = "Unknown"  // what it takes to tell could not be read
)

// Status is how a client is.
type Status struct {
	Client    string `json:"client"`
	Provider  string `json:"provider"`
	Condition string `json:"condition"`
	// Reason says why in words.
	Reason string `json:"reason"`
	// LastRotated is since when the secret in use is in use; zero if it was never rotated here.
	LastRotated time.Time        `json:"lastRotated,omitzero"`
	Schedule    *system.Schedule `json:"schedule,omitempty"`
	// Execution is the one that has the lock, or the last one.
	Execution   string    `json:"execution,omitempty"`
	LastOutcome string    `json:"lastOutcome,omitempty"`
	LastEnded   time.Time `json:"lastEnded,omitzero"`
}

// StatusOf reads how a client is. What cannot be read is left out and told of by the error, and the rest is right.
func StatusOf(ctx context.Context, s *system.System, c config.Client, now time.Time) (Status, error) {
	st := Status{Client: c.Name, Provider: c.IdentityProvider.Type, Condition: Unknown,
		Reason: "its journal, or the execution that has its lock, could not be read"}
	var unscheduled error
	var reads sync.WaitGroup
	reads.Go(func() { st.Schedule, unscheduled = s.Schedule(ctx, c.Name, now) })
	r, err := s.Journal(ctx, c.Name)
	reads.Wait()
	if err != nil {
		return st, errors.Join(unscheduled, err)
	}
	st.LastRotated, st.LastOutcome, st.LastEnded, st.Execution = r.LastRotated, r.LastOutcome, r.LastEnded,
		r.LastExecution
	var owner system.Execution
	if r.Owner != "" && !r.Adopting() {
		st.Execution = r.Owner
		if owner, err = s.Execution(ctx, r.Owner); err != nil && !system.IsUnknown(err) {
			return st, errors.Join(unscheduled, err)
		}
	}
	st.Condition, st.Reason = condition(c, r, owner, now)
	return st, unscheduled
}

// condition judges a client by its journal and by the execution that has its lock.
func condition(c config.Client, r journal.Record, owner system.Execution, now time.Time) (is, why string) {
	switch {
	case r.Adopting() && now.Sub(r.OwnerSince) < time.Minute:
		return Rotating, "rotator adopt stores a secret, for " + Span(now.Sub(r.OwnerSince))
	case r.Adopting():
		return Degraded, "a rotator adopt that was killed has left the lock, which the next rotation takes over"
	case r.Owner != "" && owner.Running():
		kind := "a rotation"
		if r.OwnerKind == "emergency" {
			kind = "an emergency"
		} else if r.OwnerKind == "repair" {
			kind = "a repair"
		}
		return Rotating, fmt.Sprintf("%s runs, for %s", kind, Span(now.Sub(owner.Started)))
	case r.Owner != "" && owner.Status == "" && now.Sub(r.OwnerSince) < time.Minute:
		return Rotating, "an execution has just begun" // DescribeExecution is eventually consistent
	case r.Owner != "" && owner.Status == "": // it ended more than 90 days ago, and nothing has run since
		return Degraded, "an execution that Step Functions does not know any more has left the lock"
	case r.Owner != "":
		return Degraded, "an execution ended as " + cmp.Or(owner.Error, owner.Status) + " and has left the lock"
	case c.Issuer == "":
		return Degraded, "this release refuses its configuration"
	case r.LastOutcome == "rolledBack":
		return Degraded, "the last rotation was rolled back: the old secret is in use"
	case r.LastOutcome == "refused":
		return Degraded, "the last rotation was refused: no new secret was made"
	case r.LastOutcome == "superseded":
		return Degraded, "somebody else changed AWSCURRENT, and nothing was put right since"
	case r.LastOutcome == "":
		return Ready, "not rotated yet"
	}
	return Ready, "rotated " + Span(now.Sub(r.LastRotated)) + " ago"
}

// Starts says when a schedule starts a rotation next.
func Starts(s *system.Schedule) string {
	switch {
	case s == nil:
		return "no schedule"
	case s.Paused:
		return "paused"
	case s.Next.IsZero():
		return s.Expression
	}
	return At(s.Next)
}

// KindOf is what an execution was to do.
func KindOf(e system.Execution) string {
	switch r := e.Request; {
	case r.Measure:
		return "measurement"
	case r.DryRun:
		return "plan"
	case r.Emergency:
		return "emergency"
	case r.Heals():
		return "healing"
	case r.Repair:
		return "repair"
	case r.BeforeEnd():
		return "rotation before the end"
	}
	return "rotation"
}

// Why is why an execution was started, and by which fleet, of that ARN; "" if that was not said.
func Why(reason, fleet string) string {
	if fleet == "" {
		return reason
	}
	return strings.TrimPrefix(reason+", fleet "+Name(fleet), ", ")
}

// Ending says how an execution ended, and after how long.
func Ending(e system.Execution, now time.Time) string {
	if e.Running() {
		return "runs, for " + Span(now.Sub(e.Started))
	}
	return cmp.Or(e.Error, e.Status) + ", after " + Span(e.Ended.Sub(e.Started))
}

// FleetEnd says how a fleet is. One that was stopped has no error, and a dry run has rotated nothing.
func FleetEnd(e system.Execution) string {
	var how string
	dry := FleetRequest(e).DryRun
	switch {
	case e.Running():
		how = "runs"
	case e.Status == "SUCCEEDED" && dry:
		how = "all can be rotated"
	case e.Status == "SUCCEEDED":
		how = "rotated"
	case e.Status == "ABORTED":
		how = "stopped by somebody"
	default:
		how = cmp.Or(e.Error, e.Status)
	}
	if dry {
		return "dry run: " + how
	}
	return how
}

// FleetReason is why a fleet was started; "" if that was not said.
func FleetReason(e system.Execution) string { return FleetRequest(e).Reason }

// FleetRequest is what a fleet was started with; nothing, if that is no request.
func FleetRequest(e system.Execution) system.FleetRequest {
	var r system.FleetRequest
	if json.Unmarshal(e.Input, &r) != nil {
		return system.FleetRequest{}
	}
	return r
}

// StartedBy is who made the call that started an execution; "" if no trail told.
func StartedBy(e system.Entry) string {
	for _, c := range e.Calls {
		if c.Name == "StartExecution" {
			return c.By
		}
	}
	return ""
}
