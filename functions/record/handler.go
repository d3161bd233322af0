// Package record writes the evidence of executions that have ended: a record of each run, from the history that Step
// Functions keeps for 90 days. It changes nothing else, and nothing waits for it.
package record

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/strictjson"
	"alboidc.internal/shared/telemetry"
)

// API is the part of Step Functions that the function uses.
type API interface {
	sfn.GetExecutionHistoryAPIClient
	sfn.ListExecutionsAPIClient
}

// Input says what to write. Without anything it is every run that has ended and has no record.
type Input struct {
	// Execution is the ARN of one that has ended, Redrive how often it had been redriven then: a number as text,
	// because EventBridge puts it between quotation marks.
	Execution string `json:"execution,omitempty"`
	Redrive   string `json:"redrive,omitempty"`
	// Call is a call that CloudTrail tells of.
	Call *Call `json:"call,omitempty"`
}

// Call is an evidence.Call as EventBridge writes it.
type Call struct {
	ID        string `json:"id"`
	At        string `json:"at"` // RFC 3339
	Name      string `json:"name"`
	By        string `json:"by"`
	Execution string `json:"execution"`
}

// Output is how many runs were read.
type Output struct {
	Runs int `json:"runs"`
}

// Recorder is the function.
type Recorder struct {
	Executions API
	Table      *evidence.Table
	// Machine is the ARN of the rotation's state machine.
	Machine string
	Now     func() time.Time
	Log     *slog.Logger
}

// Handle decodes the input of the function.
func (r *Recorder) Handle(ctx context.Context, raw json.RawMessage) (Output, error) {
	var in Input
	if err := strictjson.Decode(raw, &in, "").Err("the input of function record"); err != nil {
		return Output{}, err
	}
	switch {
	case in.Call != nil:
		at, err := time.Parse(time.RFC3339, in.Call.At)
		if err != nil || in.Call.ID == "" {
			return Output{}, failure.New(failure.InvalidInput, "call: must have an id, and a time at")
		}
		return Output{}, r.Table.PutCall(ctx, evidence.Call{ID: in.Call.ID, At: at.UTC(), Name: in.Call.Name,
			By: in.Call.By, Execution: in.Call.Execution})
	case in.Execution != "":
		redrive, _ := strconv.Atoi(in.Redrive) // absent in an event that does not tell
		n, err := r.record(ctx, in.Execution, redrive)
		return Output{n}, err
	}
	return r.recordMissing(ctx)
}

// record writes what the history of an execution holds, which has to hold the end of the run.
func (r *Recorder) record(ctx context.Context, execution string, redrive int) (int, error) {
	h := NewHistory(execution)
	pages := sfn.NewGetExecutionHistoryPaginator(r.Executions, &sfn.GetExecutionHistoryInput{ExecutionArn: &execution,
		MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return 0, awserr.Wrap(err, "reading the history of %s", execution)
		}
		for _, e := range page.Events {
			h.Add(e)
		}
	}
	if n := len(h.runs); n == 0 || h.runs[n-1].Redrive < redrive {
		return n, failure.New(failure.Unavailable, "the history of %s does not show its end yet", execution)
	}
	for _, run := range h.runs {
		if err := r.Table.Put(ctx, run); err != nil {
			return 0, err
		}
		// The dashboard shows the last of each client.
		r.Log.InfoContext(telemetry.With(ctx, telemetry.Client(run.Client)), "execution ended",
			"kind", string(run.Kind), "outcome", run.Outcome, "reason", run.Reason,
			"ended", run.Ended.Format(time.RFC3339), "execution", run.Execution)
	}
	return len(h.runs), nil
}

// kept is how long Step Functions keeps a history (developer guide, "Service quotas"), and a day more.
const kept = 91 * 24 * time.Hour

// recordMissing writes what events that were lost would have had written: Step Functions delivers them on a best effort
// basis. One that fails keeps no other from being written.
func (r *Recorder) recordMissing(ctx context.Context) (Output, error) {
	known, err := r.Table.Known(ctx, r.Now().Add(-kept), r.Now())
	if err != nil {
		return Output{}, err
	}
	out, problems := Output{}, []error(nil)
	pages := sfn.NewListExecutionsPaginator(r.Executions, &sfn.ListExecutionsInput{StateMachineArn: &r.Machine,
		MaxResults: 1000})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return out, awserr.Wrap(err, "listing executions")
		}
		for _, e := range page.Executions {
			last, missing := ended(e), false
			for i := 0; i <= last; i++ {
				missing = missing || !known[evidence.ID(*e.ExecutionArn, i)]
			}
			if !missing {
				continue
			}
			n, err := r.record(ctx, *e.ExecutionArn, last)
			var gone *types.ExecutionDoesNotExist
			if err != nil && !errors.As(err, &gone) {
				problems = append(problems, err)
			}
			out.Runs += n
		}
	}
	return out, errors.Join(problems...)
}

// ended is the number of the last run of an execution that has ended; -1 if none has.
func ended(e types.ExecutionListItem) int {
	n := int(aws.ToInt32(e.RedriveCount))
	if e.Status == types.ExecutionStatusRunning || e.Status == types.ExecutionStatusPendingRedrive {
		return n - 1
	}
	return n
}
