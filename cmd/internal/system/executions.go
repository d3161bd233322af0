package system

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/rotation"
)

// Execution is one execution of the rotation's state machine.
type Execution struct {
	ARN string `json:"execution"`
	// Request is its input; empty if that is none.
	Request rotation.Request `json:"-"`
	// Input is its input as it is.
	Input json.RawMessage `json:"input"`
	// Status is RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PENDING_REDRIVE.
	Status  string    `json:"status"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Error and Cause are how it ended, if not well.
	Error string `json:"error,omitempty"`
	Cause string `json:"cause,omitempty"`
	// Output is what it ended with, if well.
	Output json.RawMessage `json:"output,omitempty"`
	// Redrivable: a redrive is possible.
	Redrivable bool `json:"redrivable,omitempty"`
}

// Running reports whether it has not ended. One that waits to be redriven goes on by itself.
func (e Execution) Running() bool { return e.Status == "RUNNING" || e.Status == "PENDING_REDRIVE" }

// NewName makes a name for an execution. It begins with the client's, for those who read a list of them; a repeat
// within 90 days is refused.
func NewName(client string, now time.Time) string {
	return client + "-" + now.UTC().Format("20060102T150405Z-") + strings.ToLower(rand.Text()[:6])
}

// Start starts an execution and returns its ARN.
func (s *System) Start(ctx context.Context, r rotation.Request, now time.Time) (string, error) {
	return s.StartAs(ctx, r, NewName(r.Client, now))
}

// StartAs starts an execution of a name unless there is one, and returns its ARN.
func (s *System) StartAs(ctx context.Context, r rotation.Request, name string) (string, error) {
	input, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	if err := mayStart(r, input); err != nil {
		return "", err
	}
	return s.ID(name), s.startNamed(ctx, s.MachineARN(), name, input, "rotator watch", s.explain)
}

// startNamed starts an execution through a machine's alias, or finds that it runs. shows is the command that shows it.
func (s *System) startNamed(ctx context.Context, machine, name string, input []byte, shows string,
	explain func(err error, doing string) error) error {
	_, err := s.sfn.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(machine + ":" + alias),
		Name: &name, Input: aws.String(string(input))})
	if hasCode(err, "ExecutionAlreadyExists") {
		return nil
	}
	if answered := (smithy.APIError)(nil); err != nil && !errors.As(err, &answered) {
		return Unreachable(err, "starting execution %s, which may run all the same (%s %s shows it)", name, shows, name)
	}
	if err != nil {
		return explain(err, "starting an execution")
	}
	return nil
}

// mayStart checks a request and its text before a person starts an execution with it.
func mayStart(r rotation.Request, input json.RawMessage) error {
	if _, err := rotation.ParseRequest(input); err != nil {
		return &Error{Text: err.Error()}
	}
	if r.Heals() { // the notifier heals no execution that has such a reason, nor lets it be waited for
		return &Error{
			Text: `reason: must not begin with "healing: ", which is for executions that the notifier starts`}
	}
	if r.BeforeEnd() {
		return &Error{
			Text: `reason: must not begin with "before the end: ", which is for executions that a measurement starts`}
	}
	return nil
}

// isAbsent reports whether AWS answered that there is no such state machine, version or alias.
func isAbsent(err error) bool {
	return hasCode(err, "StateMachineDoesNotExist") || hasCode(err, "ResourceNotFound")
}

// explain names the stack in errors that mean that it is not there.
func (s *System) explain(err error, doing string) error {
	if isAbsent(err) {
		return &Error{
			Text: fmt.Sprintf("there is no stack %s in Region %s of account %s: name it with --stack, --region "+
				"and --profile", s.Stack, s.Region, s.Account)}
	}
	return Unreachable(err, "%s", doing)
}

// Execution reads how an execution is.
func (s *System) Execution(ctx context.Context, id string) (Execution, error) {
	out, err := s.sfn.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &id})
	if hasCode(err, "ExecutionDoesNotExist") || hasCode(err, "InvalidArn") {
		return Execution{}, &Error{Text: fmt.Sprintf("there is no execution %s (Step Functions keeps them for 90 days)",
			id)}
	}
	if err != nil {
		return Execution{}, Unreachable(err, "reading the execution %s", id)
	}
	e := Execution{ARN: id, Status: string(out.Status), Started: utc(out.StartDate), Ended: utc(out.StopDate),
		Error: aws.ToString(out.Error), Cause: aws.ToString(out.Cause),
		Redrivable: out.RedriveStatus == types.ExecutionRedriveStatusRedrivable}
	if out.Output != nil {
		e.Output = json.RawMessage(*out.Output)
	}
	// an input that is not a request has ended the execution as InvalidInput
	if out.Input != nil {
		e.Input = json.RawMessage(*out.Input)
		_ = json.Unmarshal(e.Input, &e.Request)
	}
	return e, nil
}

// ID is the ARN of an execution of this system that is given as ARN or by its name.
func (s *System) ID(nameOrARN string) string { return s.executionOf(s.Stack, nameOrARN) }

func (s *System) executionOf(machine, nameOrARN string) string {
	if strings.HasPrefix(nameOrARN, "arn:") {
		return nameOrARN
	}
	a := s.machine
	a.Resource = "execution:" + machine + ":" + nameOrARN
	return a.String()
}

// mostListed is how many executions a search reads, and atOnce how many at the same time: each costs a call.
const (
	mostListed = 1000
	atOnce     = 8
)

// Executions returns the last executions of a client, newest first, at most so many. complete is false if more may
// exist than were looked through.
func (s *System) Executions(ctx context.Context, client string, most int) (found []Execution, complete bool,
	err error) {
	pages := sfn.NewListExecutionsPaginator(s.sfn, &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.MachineARN()),
		MaxResults: 100})
	for read := 0; pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, false, s.explain(err, "listing executions")
		}
		if read == mostListed {
			return found, false, nil
		}
		read += len(page.Executions)
		of, err := s.of(ctx, client, page.Executions)
		if err != nil {
			return nil, false, err
		}
		if found = append(found, of...); len(found) > most {
			return found[:most], false, nil
		}
	}
	return found, true, nil
}

// of reads those of the listed executions that are a client's: a list does not say whose they are.
func (s *System) of(ctx context.Context, client string, listed []types.ExecutionListItem) ([]Execution, error) {
	all, err := Each(listed, func(l types.ExecutionListItem) (Execution, error) { return s.listed(ctx, l) })
	return slices.DeleteFunc(all, func(e Execution) bool { return e.Request.Client != client }), err
}

// listed reads an execution of a list; one that has gone since is empty.
func (s *System) listed(ctx context.Context, l types.ExecutionListItem) (Execution, error) {
	e, err := s.Execution(ctx, *l.ExecutionArn)
	if IsUnknown(err) {
		return Execution{}, nil
	}
	return e, err
}

// Recent returns the newest executions, of whatever client, newest first; one page of them. Of those that are known and
// have not changed since nothing is read again.
func (s *System) Recent(ctx context.Context, known []Execution) ([]Execution, error) {
	page, err := s.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.MachineARN()),
		MaxResults: 100})
	if err != nil {
		return nil, s.explain(err, "listing executions")
	}
	all, err := Each(page.Executions, func(l types.ExecutionListItem) (Execution, error) {
		i := slices.IndexFunc(known, func(k Execution) bool {
			return k.ARN == *l.ExecutionArn && k.Status == string(l.Status) && k.Ended.Equal(utc(l.StopDate))
		})
		if i >= 0 {
			return known[i], nil
		}
		return s.listed(ctx, l)
	})
	return slices.DeleteFunc(all, func(e Execution) bool { return e.ARN == "" }), err
}

// Each calls f for every item, several at a time, and returns what it returned, in order. The first error counts.
func Each[In, Out any](items []In, f func(In) (Out, error)) ([]Out, error) {
	out, errs := make([]Out, len(items)), make([]error, len(items))
	var wait sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i, item := range items {
		wait.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			out[i], errs[i] = f(item)
		})
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// begins is how long an execution may run before it has the lock.
const begins = 5 * time.Minute

// Since returns the newest rotation of a client that the journal does not tell of: one that has begun and does not have
// the lock yet, or one that failed after an instant and never had it. known is false if there is none.
func (s *System) Since(ctx context.Context, client string, ended, now time.Time) (e Execution, known bool, err error) {
	for status, after := range map[types.ExecutionStatus]time.Time{types.ExecutionStatusRunning: now.Add(-begins),
		types.ExecutionStatusFailed: ended} {
		page, err := s.sfn.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: aws.String(s.MachineARN()),
			StatusFilter: status, MaxResults: 100})
		if err != nil {
			return e, false, s.explain(err, "listing executions")
		}
		found, err := s.of(ctx, client, slices.DeleteFunc(page.Executions,
			func(l types.ExecutionListItem) bool { return !utc(l.StartDate).After(after) }))
		if err != nil {
			return e, false, err
		}
		for _, f := range found {
			if !f.Request.Measure && !f.Request.DryRun && f.Started.After(e.Started) {
				e, known = f, true
			}
		}
	}
	return e, known, nil
}

// Stop stops an execution, and says why in its history.
func (s *System) Stop(ctx context.Context, id, why string) error {
	_, err := s.sfn.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &id, Error: aws.String("Stopped"),
		Cause: &why})
	if err != nil {
		return Unreachable(err, "stopping the execution %s", id)
	}
	return nil
}

// Redrive lets an execution go on at the state that failed.
func (s *System) Redrive(ctx context.Context, id string) error {
	_, err := s.sfn.RedriveExecution(ctx, &sfn.RedriveExecutionInput{ExecutionArn: &id})
	if hasCode(err, "ExecutionNotRedrivable") {
		return &Error{Text: "it cannot be redriven; start a new execution, which puts right what this one left",
			err: err}
	}
	if err != nil {
		return Unreachable(err, "redriving the execution %s", id)
	}
	return nil
}

// LastEvent is the id of the last event in an execution's history.
func (s *System) LastEvent(ctx context.Context, id string) (int64, error) {
	out, err := s.sfn.GetExecutionHistory(ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &id, ReverseOrder: true,
		MaxResults: 1})
	if err != nil || len(out.Events) == 0 {
		return 0, Unreachable(err, "reading the history of %s", id)
	}
	return out.Events[0].Id, nil
}

// Events returns the events of an execution's history after one of that id, in order.
func (s *System) Events(ctx context.Context, id string, after int64) ([]types.HistoryEvent, error) {
	var out []types.HistoryEvent
	pages := sfn.NewGetExecutionHistoryPaginator(s.sfn, &sfn.GetExecutionHistoryInput{ExecutionArn: &id,
		ReverseOrder: true,
		MaxResults:   200})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, Unreachable(err, "reading the history of %s", id)
		}
		for _, e := range page.Events {
			if e.Id <= after {
				slices.Reverse(out)
				return out, nil
			}
			if n := len(out); n == 0 || e.Id < out[n-1].Id { // events that came between two pages shift the second
				out = append(out, e)
			}
		}
	}
	slices.Reverse(out)
	return out, nil
}
