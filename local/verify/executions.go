package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// execution is the ARN of an execution of the machine.
func (m *Run) execution(name string) string {
	return strings.Replace(m.r.Machine, ":stateMachine:", ":execution:", 1) + ":" + name
}

// ignoreMissing passes over an execution that is not there.
func ignoreMissing(err error) error {
	var none *types.ExecutionDoesNotExist
	if errors.As(err, &none) {
		return nil
	}
	return err
}

// start starts an execution through the alias, as those of a rotation are.
func (m *Run) start(ctx context.Context, name, do string) (string, error) {
	out, err := m.States.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &m.r.Alias, Name: &name,
		Input: aws.String(fmt.Sprintf(`{"do": %q}`, do))})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ExecutionArn), nil
}

// ended waits until an execution has ended.
func (m *Run) ended(ctx context.Context, arn string) (*sfn.DescribeExecutionOutput, error) {
	var out *sfn.DescribeExecutionOutput
	_, ok, err := m.until(ctx, time.Second, 5*time.Minute, func() (bool, error) {
		var err error
		out, err = m.States.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		return err == nil && out.Status != types.ExecutionStatusRunning, ignoreMissing(err)
	})
	if err == nil && !ok {
		err = fmt.Errorf("%s does not end", arn)
	}
	return out, err
}

// executions lets executions end in every way, and looks at the events and metrics that come of it.
func (m *Run) executions(ctx context.Context) error {
	began := m.Clock.Now()
	for do, name := range map[string]string{"done": "succeeds", "fail": "fails"} {
		arn, err := m.start(ctx, name, do)
		if err != nil {
			return err
		}
		if _, err := m.ended(ctx, arn); err != nil {
			return err
		}
	}
	return errors.Join(m.redrive(ctx), m.overflow(ctx), m.events(ctx), m.aborted(ctx, began))
}

// redrive stops an execution that waits, and finds what the wait does in a redrive.
func (m *Run) redrive(ctx context.Context) error {
	arn, err := m.start(ctx, "stopped", "wait")
	if err != nil {
		return err
	}
	if err := m.Clock.Sleep(ctx, 10*time.Second); err != nil {
		return err
	}
	if _, err := m.States.StopExecution(ctx, &sfn.StopExecutionInput{ExecutionArn: &arn, Error: aws.String("Stopped"),
		Cause: aws.String("by verify-live")}); err != nil {
		return err
	}
	if _, err := m.ended(ctx, arn); err != nil {
		return err
	}
	began := m.Clock.Now()
	if _, err := m.States.RedriveExecution(ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn}); err != nil {
		return err
	}
	ended := began
	// DescribeExecution may tell of the former end for a moment.
	_, _, err = m.until(ctx, time.Second, 3*time.Minute, func() (bool, error) {
		out, err := m.States.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
		if err != nil || out.Status != types.ExecutionStatusSucceeded {
			return false, err
		}
		ended = aws.ToTime(out.StopDate) // and not when that is seen
		return true, nil
	})
	took := ended.Sub(began)
	m.find(Finding{Question: "what a redrive does to a Wait with Seconds", Assumed: "anything: nothing rests on it",
		Found: fmt.Sprintf("a wait of 60 s that was stopped after 10 s ended %.0f s after the redrive",
			took.Seconds()),
		Verdict: Measured, Numbers: []float64{took.Seconds()}})
	return err
}

// overflow finds whether States.ALL catches a result that is too large.
func (m *Run) overflow(ctx context.Context) error {
	arn, err := m.start(ctx, "overflows", "overflow")
	if err != nil {
		return err
	}
	out, err := m.ended(ctx, arn)
	if err != nil {
		return err
	}
	found := "it does not: " + aws.ToString(out.Error)
	if out.Status == types.ExecutionStatusSucceeded {
		found = "it does"
	}
	m.find(Finding{Question: "whether States.ALL catches States.DataLimitExceeded",
		Assumed: "either: every Catch names both",
		Found:   found, Verdict: Measured})
	return nil
}

// event is what healings and notifications read of an event.
type event struct {
	ID, Time, Source string
	Detail           map[string]json.RawMessage
	// Status and Missing are what the rule's transformer made.
	Status, Missing *string
}

// events finds which events came of the executions before, by the executions that the rule started.
func (m *Run) events(ctx context.Context) error {
	var seen []event
	whole, made := map[string]event{}, map[string]event{}
	want := []string{"ABORTED", "FAILED", "RUNNING", "SUCCEEDED"}
	took, _, err := m.until(ctx, 5*time.Second, 3*time.Minute, func() (bool, error) {
		var err error
		if seen, err = m.recorded(ctx); err != nil {
			return false, err
		}
		for _, e := range seen {
			if e.Status != nil {
				made[*e.Status] = e
			} else {
				whole[unquoted(e.Detail["status"])] = e
			}
		}
		return len(whole) >= len(want) && len(made) >= len(want), nil
	})
	if err != nil {
		return err
	}
	m.find(Finding{Question: "which status changes of executions EventBridge tells", Assumed: list(want),
		Found:   list(slices.Sorted(maps.Keys(whole))) + fmt.Sprintf(" within %.0f s", took.Seconds()),
		Verdict: decide(slices.Equal(slices.Sorted(maps.Keys(whole)), want))})
	var lacks []string
	for _, status := range slices.Sorted(maps.Keys(whole)) {
		lacks = append(lacks, m.lacking(status, whole[status])...)
	}
	m.find(Finding{Question: "the shape of these events", Verdict: decide(len(whole) > 0 && lacks == nil),
		Assumed: "id, time, and in detail executionArn, stateMachineArn (without an alias), name, status, " +
			"input, startDate",
		Found: "missing or otherwise: " + list(lacks)})
	found := "nothing came"
	if e, ok := made["SUCCEEDED"]; ok && e.Missing != nil {
		found = fmt.Sprintf("%q within quotation marks", *e.Missing)
	}
	m.find(Finding{Question: "what EventBridge puts in the place of a value that an event does not have",
		Assumed: `"" within quotation marks`, Found: found, Verdict: decide(found == `"" within quotation marks`)})
	return nil
}

// lacking are the fields of an event that are not as healings and notifications read them.
func (m *Run) lacking(status string, e event) (out []string) {
	if e.ID == "" || e.Time == "" {
		out = append(out, status+" id, time")
	}
	for _, field := range []string{"executionArn", "name", "input", "startDate"} {
		if len(e.Detail[field]) == 0 {
			out = append(out, status+" detail."+field)
		}
	}
	if arn := unquoted(e.Detail["stateMachineArn"]); arn != m.r.Machine {
		out = append(out, status+" detail.stateMachineArn "+arn)
	}
	return out
}

func unquoted(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything else is no string
	return s
}

// recorded are the events that the rule has delivered.
func (m *Run) recorded(ctx context.Context) ([]event, error) {
	var out []event
	pages := sfn.NewListExecutionsPaginator(m.States, &sfn.ListExecutionsInput{StateMachineArn: &m.r.Recorder})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range page.Executions {
			d, err := m.States.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: x.ExecutionArn})
			if err != nil {
				if ignoreMissing(err) == nil {
					continue
				}
				return nil, err
			}
			var e event
			if err := json.Unmarshal([]byte(aws.ToString(d.Input)), &e); err != nil {
				return nil, fmt.Errorf("an event is no JSON: %w", err)
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// aborted finds whether an execution that was started through the alias counts for the machine.
func (m *Run) aborted(ctx context.Context, since time.Time) error {
	took, ok, err := m.until(ctx, 10*time.Second, 10*time.Minute, func() (bool, error) {
		n, err := m.sum(ctx, "AWS/States", "ExecutionsAborted", "StateMachineArn", m.r.Machine, since)
		return n > 0, err
	})
	if err != nil {
		return err
	}
	found := "it does not within 10 minutes"
	if ok {
		found = fmt.Sprintf("it does, after %.0f s", took.Seconds())
	}
	m.find(Finding{Question: "whether ExecutionsAborted of an execution started through an alias has the dimension " +
		"StateMachineArn",
		Assumed: "it has: the alarm rotation-failed reads that", Found: found, Verdict: decide(ok)})
	return nil
}
