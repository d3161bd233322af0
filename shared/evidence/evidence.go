// Package evidence is what is kept for auditors: a record of every run of an execution of the rotation's state machine,
// and who started or stopped it as far as CloudTrail tells. Neither holds a secret.
package evidence

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rotation"
)

// Kind is what an execution was to do.
type Kind string

// The kinds of executions.
const (
	Rotation    Kind = "rotation"
	Emergency   Kind = "emergency"
	Repair      Kind = "repair"    // AWSCURRENT was dead
	Healing     Kind = "healing"   // an execution that puts right what another one left
	BeforeEnd   Kind = "beforeEnd" // a rotation because the identity provider ends the secret soon
	Plan        Kind = "plan"      // a dry run
	Measurement Kind = "measurement"
)

// KindOf returns what a request asks for.
func KindOf(r rotation.Request) Kind {
	switch {
	case r.Measure:
		return Measurement
	case r.DryRun:
		return Plan
	case r.Heals(): // also of an emergency
		return Healing
	case r.Emergency:
		return Emergency
	case r.Repair:
		return Repair
	case r.BeforeEnd():
		return BeforeEnd
	}
	return Rotation
}

// Record is one run of an execution: from its start, or from a redrive, to its end. It tells what happened since the
// execution's start.
type Record struct {
	// Execution is the ARN, Redrive how often the execution had been redriven. Both together are one run.
	Execution string `json:"execution"`
	Redrive   int    `json:"redrive"`
	Kind      Kind   `json:"kind"`
	Client    string `json:"client,omitempty"`
	Reason    string `json:"reason,omitempty"`
	// Fleet is the ARN of the fleet's execution that started it.
	Fleet string `json:"fleet,omitempty"`
	// Started is when the execution started, Redriven when this run of it did; zero for the first.
	Started  time.Time `json:"started"`
	Redriven time.Time `json:"redriven,omitzero"`
	Ended    time.Time `json:"ended"`
	// Status is Step Functions' word for the end, Outcome ours.
	Status      string `json:"status"`
	Outcome     string `json:"outcome"`
	Error       string `json:"error,omitempty"`
	Cause       string `json:"cause,omitempty"`
	FailedState string `json:"failedState,omitempty"`
	// Subject, Users and Notice are what people were told.
	Subject string `json:"subject,omitempty"`
	Users   string `json:"users,omitempty"`
	Notice  string `json:"notice,omitempty"`
	// Configuration is the text of the client's configuration that counted last.
	Configuration *config.Text `json:"configuration,omitempty"`
	// Plan is what was decided last; its targets are in Targets.
	Plan    *Planned     `json:"plan,omitempty"`
	From    rotation.Ref `json:"from,omitzero"`
	To      rotation.Ref `json:"to,omitzero"`
	Targets []Target     `json:"targets,omitempty"`
	// Spared counts the targets that a rollback left alone, since they never had the new secret.
	Spared int `json:"spared,omitempty"`
	// Labels are the moves of staging labels, Secrets what was done to secrets at the identity provider, in order.
	Labels  []Move   `json:"labels,omitempty"`
	Secrets []Change `json:"secrets,omitempty"`
	Checks  []Check  `json:"checks,omitempty"`
	// Steps are the states that were entered, Failures the tasks that failed, also those that were tried again.
	Steps    []Step             `json:"steps,omitempty"`
	Failures []Failure          `json:"failures,omitempty"`
	Measured *rotation.Measured `json:"measured,omitempty"`
	// LeftOut is how many entries the lists above lack, because an item of the table has room for 400 KB.
	LeftOut int `json:"leftOut,omitempty"`
}

// Planned is a plan without its targets, and what the tests before it found.
type Planned struct {
	rotation.Plan
	Targets []struct{} `json:"targets,omitempty"` // hides the plan's
	Tests   string     `json:"tests,omitempty"`
}

// Target is a rule or a listener's default action, and when it was last given a secret.
type Target struct {
	ARN  string `json:"arn"`
	Name string `json:"name"`
	// Version is the secret's version that it has, Set since when; empty if this execution did not set it.
	Version string    `json:"version,omitempty"`
	Set     time.Time `json:"set,omitzero"`
}

// Move is one move of a staging label to a version.
type Move struct {
	At    time.Time `json:"at"`
	Label string    `json:"label"`
	From  string    `json:"from,omitempty"`
	To    string    `json:"to"`
}

// Change is something that became of a secret at the identity provider.
type Change struct {
	At time.Time `json:"at"`
	rotation.Ref
	// What is made, or what retiresecret answers (disabled, deleted, …), or Refused.
	What string `json:"what"`
}

// Refused is the Change of a secret that the identity provider was seen to refuse.
const Refused = "refused"

// Check is the outcome of a check.
type Check struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
	rotation.Evidence
}

// Step is a state that was entered.
type Step struct {
	At    time.Time `json:"at"`
	State string    `json:"state"`
}

// Failure is a task that failed.
type Failure struct {
	Step
	Error string `json:"error"`
	Cause string `json:"cause,omitempty"`
}

// RefusedAt is when each old secret was first seen to be refused, by its version.
func (r Record) RefusedAt() map[string]time.Time {
	out := map[string]time.Time{}
	for _, c := range r.Secrets {
		if _, known := out[c.VersionID]; c.What == Refused && !known {
			out[c.VersionID] = c.At
		}
	}
	return out
}

// ID is the key of the run within its month.
func (r Record) ID() string { return ID(r.Execution, r.Redrive) }

// ID is the key of a run: the execution and how often it had been redriven.
func ID(execution string, redrive int) string { return execution + "#" + strconv.Itoa(redrive) }

// Call is somebody's call that started, stopped or redrove an execution, as CloudTrail tells.
type Call struct {
	// ID is CloudTrail's id of the event.
	ID        string    `json:"id"`
	At        time.Time `json:"at"`
	Name      string    `json:"name"`
	By        string    `json:"by"`
	Execution string    `json:"execution"`
}

// month is the partition of an instant. All records of a month can be read without reading any other.
func month(t time.Time) string { return t.UTC().Format("2006-01") }

// months are the partitions from an instant to another.
func months(from, to time.Time) []string {
	var out []string
	first := time.Date(from.UTC().Year(), from.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for m := first; !m.After(to); m = m.AddDate(0, 1, 0) {
		out = append(out, month(m))
	}
	return out
}

// most is how many entries a list of a record holds at first, longestText how many bytes a text.
const (
	most        = 500
	longestText = 2000
)

// Shorten cuts a text that others wrote.
func Shorten(s string) string {
	if len(s) <= longestText {
		return s
	}
	return strings.ToValidUTF8(s[:longestText], "") + " …"
}

// fit shortens the lists until the record's JSON has at most size bytes: first what can be many.
func (r Record) fit(size int) (Record, []byte, error) {
	for keep := most; ; keep /= 2 {
		cut := r
		cut.LeftOut += shorten(&cut.Checks, keep) + shorten(&cut.Failures, keep) + shorten(&cut.Steps, keep)
		if keep < most {
			cut.LeftOut += shorten(&cut.Targets, keep)
		}
		text, err := encode(cut)
		if err != nil || len(text) <= size {
			return cut, text, err
		}
		if keep == 0 {
			return cut, nil, fmt.Errorf("the record of %s has %d bytes without its lists", r.ID(), len(text))
		}
	}
}

// shorten keeps the last entries of a list: what came last says how it ended. It returns how many it left out.
func shorten[T any](list *[]T, keep int) int {
	n := max(0, len(*list)-keep)
	*list = (*list)[n:]
	return n
}
