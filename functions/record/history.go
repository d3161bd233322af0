package record

import (
	"cmp"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/rotation"
)

// History reads the events of one execution, in their order, into a record of each run that has ended. From payloads it
// takes only what the messages between state machine and functions have, so nothing else that somebody put into an
// execution's input gets into a record.
type History struct {
	record  evidence.Record // of the present run, and of what came before
	request rotation.Request
	// variables of the state machine, as JSON.
	variables map[string]string
	// states and tasks by the id of the event that each event leads back to.
	states map[int64]string
	tasks  map[int64]task
	set    map[string]evidence.Target // by Target.Key
	runs   []evidence.Record
}

// task is a call of a function.
type task struct {
	function string
	payload  json.RawMessage
}

// NewHistory reads the history of an execution from its beginning.
func NewHistory(execution string) *History {
	return &History{record: evidence.Record{Execution: execution}, variables: map[string]string{},
		states: map[int64]string{}, tasks: map[int64]task{}, set: map[string]evidence.Target{}}
}

// clientName is what a client can be called: anything else in an execution's input is no client.
var clientName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)

// Add takes the next event.
func (h *History) Add(e types.HistoryEvent) {
	at := aws.ToTime(e.Timestamp).UTC()
	h.states[e.Id], h.tasks[e.Id] = h.states[e.PreviousEventId], h.tasks[e.PreviousEventId]
	switch {
	case e.ExecutionStartedEventDetails != nil:
		h.start(at, aws.ToString(e.ExecutionStartedEventDetails.Input))
	case e.ExecutionRedrivenEventDetails != nil:
		h.record.Redrive, h.record.Redriven = int(aws.ToInt32(e.ExecutionRedrivenEventDetails.RedriveCount)), at
	case e.StateEnteredEventDetails != nil:
		h.enter(e.Id, at, aws.ToString(e.StateEnteredEventDetails.Name))
	case e.StateExitedEventDetails != nil:
		for name, value := range e.StateExitedEventDetails.AssignedVariables {
			h.variables[name] = value
		}
	case e.TaskScheduledEventDetails != nil:
		h.tasks[e.Id] = taskOf(aws.ToString(e.TaskScheduledEventDetails.Parameters))
	case e.TaskSucceededEventDetails != nil:
		h.succeeded(at, h.states[e.Id], h.tasks[e.Id], aws.ToString(e.TaskSucceededEventDetails.Output))
	case e.TaskFailedEventDetails != nil:
		d := e.TaskFailedEventDetails
		h.failed(at, h.states[e.Id], d.Error, d.Cause)
	case e.TaskTimedOutEventDetails != nil:
		d := e.TaskTimedOutEventDetails
		h.failed(at, h.states[e.Id], d.Error, d.Cause)
	case e.ExecutionSucceededEventDetails != nil:
		h.end(at, types.ExecutionStatusSucceeded, nil, nil)
		h.succeed(aws.ToString(e.ExecutionSucceededEventDetails.Output))
	case e.ExecutionFailedEventDetails != nil:
		d := e.ExecutionFailedEventDetails
		h.end(at, types.ExecutionStatusFailed, d.Error, d.Cause)
	case e.ExecutionAbortedEventDetails != nil:
		d := e.ExecutionAbortedEventDetails
		h.end(at, types.ExecutionStatusAborted, d.Error, d.Cause)
	case e.ExecutionTimedOutEventDetails != nil:
		d := e.ExecutionTimedOutEventDetails
		h.end(at, types.ExecutionStatusTimedOut, d.Error, d.Cause)
	}
}

func (h *History) start(at time.Time, input string) {
	_ = json.Unmarshal([]byte(input), &h.request) // what is wrong with it has ended the execution as InvalidInput
	if !clientName.MatchString(h.request.Client) {
		h.request.Client = ""
	}
	h.record.Started, h.record.Kind = at, evidence.KindOf(h.request)
	h.record.Client, h.record.Reason = h.request.Client, evidence.Shorten(h.request.Reason)
	if rotation.IsFleet(h.request.Fleet) {
		h.record.Fleet = evidence.Shorten(h.request.Fleet)
	}
}

// enter notes a state. Of the same state of a Map's iterations it notes the first.
func (h *History) enter(id int64, at time.Time, state string) {
	h.states[id] = state
	if n := len(h.record.Steps); n == 0 || h.record.Steps[n-1].State != state {
		h.record.Steps = append(h.record.Steps, evidence.Step{At: at, State: state})
	}
}

// taskOf is the call of a function that a task makes; another task is none.
func taskOf(parameters string) task {
	var p struct {
		FunctionName string
		Payload      json.RawMessage
	}
	if json.Unmarshal([]byte(parameters), &p) != nil || len(p.Payload) == 0 {
		return task{}
	}
	_, name, _ := strings.Cut(p.FunctionName, ":function:")
	name, _, _ = strings.Cut(name, ":") // without the alias
	return task{function: name[strings.LastIndex(name, "-")+1:], payload: p.Payload}
}

func (h *History) failed(at time.Time, state string, name, cause *string) {
	h.record.Failures = append(h.record.Failures, evidence.Failure{Step: evidence.Step{At: at, State: state},
		Error: aws.ToString(name), Cause: evidence.Shorten(message(aws.ToString(cause)))})
}

// message is that of a function's error in the cause that Lambda gives.
func message(cause string) string {
	var answer struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(cause), &answer) == nil && answer.Message != "" {
		return answer.Message
	}
	return cause
}

// succeeded notes what a function did.
func (h *History) succeeded(at time.Time, state string, t task, output string) {
	var answer struct{ Payload json.RawMessage }
	if t.function == "" || json.Unmarshal([]byte(output), &answer) != nil {
		return
	}
	switch t.function {
	case "plan":
		var out rotation.Plan
		if json.Unmarshal(answer.Payload, &out) == nil && out.Measured != nil {
			h.record.Measured = out.Measured
		}
	case "createsecret":
		var out rotation.CreateOutput
		if json.Unmarshal(answer.Payload, &out) == nil {
			h.change(at, out.To, "made")
			h.move(at, "AWSPENDING", "", out.To.VersionID)
		}
	case "updatealb":
		h.updated(at, t.payload, answer.Payload)
	case "promotesecret":
		h.promoted(at, state, t.payload, answer.Payload)
	case "smoketest":
		h.tested(at, state, t.payload, answer.Payload)
	case "retiresecret":
		var in rotation.RetireInput
		var out rotation.RetireOutput
		if json.Unmarshal(t.payload, &in) != nil || json.Unmarshal(answer.Payload, &out) != nil {
			return
		}
		h.change(at, in.Retire, out.Result)
		if out.Refused {
			h.change(at, in.Retire, evidence.Refused)
		}
	}
}

func (h *History) change(at time.Time, ref rotation.Ref, what string) {
	h.record.Secrets = append(h.record.Secrets, evidence.Change{At: at, Ref: ref, What: what})
}

func (h *History) move(at time.Time, label, from, to string) {
	h.record.Labels = append(h.record.Labels, evidence.Move{At: at, Label: label, From: from, To: to})
}

// promoted notes where AWSCURRENT went. A try that failed may have moved it, where this one found it.
func (h *History) promoted(at time.Time, state string, input, output json.RawMessage) {
	var in rotation.PromoteInput
	var out rotation.PromoteOutput
	if json.Unmarshal(input, &in) != nil || json.Unmarshal(output, &out) != nil {
		return
	}
	failed := slices.ContainsFunc(h.record.Failures, func(f evidence.Failure) bool { return f.State == state })
	switch {
	case !out.Moved && !failed:
	case in.Undo:
		h.move(at, "AWSCURRENT", in.To.VersionID, in.From.VersionID)
	default:
		h.move(at, "AWSCURRENT", in.From.VersionID, in.To.VersionID)
	}
}

// updated notes which version targets have.
func (h *History) updated(at time.Time, input, output json.RawMessage) {
	var in rotation.UpdateInput
	var out rotation.UpdateOutput
	if json.Unmarshal(input, &in) != nil || json.Unmarshal(output, &out) != nil {
		return
	}
	done := map[string]bool{}
	for _, u := range out.Targets {
		done[u.Target] = u.Result == "updated"
	}
	for _, asked := range in.Targets {
		if done[asked.Name] {
			t := target(asked)
			t.Version, t.Set = in.To.VersionID, at
			h.set[asked.Key()] = t
		}
	}
}

func target(t rotation.Target) evidence.Target {
	return evidence.Target{ARN: cmp.Or(t.RuleARN, t.ListenerARN), Name: t.Name}
}

// tested notes checks, and of which secret one has seen that it is refused.
func (h *History) tested(at time.Time, state string, input, output json.RawMessage) {
	var in rotation.SmokeInput
	var out rotation.SmokeOutput
	if json.Unmarshal(input, &in) != nil || json.Unmarshal(output, &out) != nil {
		return
	}
	for _, e := range out.Evidence {
		h.record.Checks = append(h.record.Checks, evidence.Check{At: at, State: state, Evidence: e})
		if e.Check == rotation.CheckRefused && e.OK {
			h.change(at, in.From, evidence.Refused)
		}
	}
}

// Present is the record of the last run as far as it has come, or of its end.
func (h *History) Present() evidence.Record {
	if n := len(h.runs); n > 0 && h.runs[n-1].Redrive == h.record.Redrive {
		return h.runs[n-1]
	}
	r := h.record
	h.fill(&r)
	return r
}

// end makes the record of the run that has ended.
func (h *History) end(at time.Time, status types.ExecutionStatus, name, cause *string) {
	r := h.record
	r.Ended, r.Status, r.Error = at, string(status), aws.ToString(name)
	r.Cause = evidence.Shorten(message(aws.ToString(cause)))
	var told struct{ Subject, Users, Entry string }
	h.variable("told", &told)
	// One that ended in its rollback has told that it rolls back, not how it ended.
	if status == types.ExecutionStatusSucceeded || strings.EqualFold(told.Entry, r.Error) {
		r.Subject, r.Users = told.Subject, told.Users
	}
	h.fill(&r)
	if n := len(r.Steps); r.FailedState == "" && status != types.ExecutionStatusSucceeded && n > 0 {
		r.FailedState = r.Steps[n-1].State // no Catch has noted it
	}
	r.Outcome = h.outcome(r)
	h.runs = append(h.runs, r)
}

// fill takes from the state machine's variables what no event has told.
func (h *History) fill(r *evidence.Record) {
	h.variable("notice", &r.Notice)
	h.variable("step", &r.FailedState)
	h.variable("from", &r.From)
	h.variable("to", &r.To)
	if h.repaired() { // there $from is what targets got
		r.From, r.To = r.To, r.From
	}
	h.variable("reference", &r.Configuration)
	var plan evidence.Planned
	if h.variable("plan", &plan); plan.Action != "" {
		r.Plan = &plan
	}
	var targets []rotation.Target
	h.variable("targets", &targets)
	h.variable("spared", &r.Spared)
	for _, t := range targets {
		known, is := h.set[t.Key()]
		if !is {
			known = target(t)
		}
		r.Targets = append(r.Targets, known)
	}
}

// variable reads a variable of the state machine; one that was not assigned leaves v as it is.
func (h *History) variable(name string, v any) {
	if text := h.variables[name]; text != "" {
		_ = json.Unmarshal([]byte(text), v) // of an earlier definition, perhaps
	}
}

// repaired reports whether the state machine has noted that outcome.
func (h *History) repaired() bool {
	var outcome string
	h.variable("outcome", &outcome)
	return outcome == repaired
}

// ends are the outcomes of executions by the errors that they end with on purpose.
var ends = map[string]string{"RolledBack": "rolledBack", "Refused": "refused", "Superseded": "superseded",
	"LockHeld": "lockHeld", "NotStarted": "notStarted", "InvalidInput": "invalidInput", "Reconfigured": "reconfigured"}

// repaired is the outcome of an execution that put a secret that is accepted in the place of a dead one.
const repaired = "repaired"

// outcome says in a word how a run ended.
func (h *History) outcome(r evidence.Record) string {
	switch r.Status {
	case string(types.ExecutionStatusAborted):
		if r.Error == "TakenOver" {
			return "takenOver"
		}
		return "stopped"
	case string(types.ExecutionStatusTimedOut):
		return "timedOut"
	case string(types.ExecutionStatusFailed):
		if known := ends[r.Error]; known != "" {
			return known
		}
		return "failed"
	}
	switch r.Kind {
	case evidence.Plan:
		return "planned"
	case evidence.Measurement:
		return "measured"
	}
	if h.repaired() {
		return repaired
	}
	return "rotated"
}

// succeed corrects the outcome of a measurement by what it ended with.
func (h *History) succeed(output string) {
	r := &h.runs[len(h.runs)-1]
	var out struct{ Outcome, Error, Cause string }
	if r.Kind != evidence.Measurement || json.Unmarshal([]byte(output), &out) != nil {
		return
	}
	switch {
	case out.Outcome == "notMeasured":
		r.Outcome, r.Error, r.Cause = out.Outcome, out.Error, evidence.Shorten(message(out.Cause))
	case r.Measured != nil && r.Measured.RotationRefused != "":
		r.Outcome = "wouldBeRefused"
	case r.Measured != nil && r.Measured.Start+r.Measured.NotRotated != "":
		r.Outcome = "endsSoon"
	}
}
