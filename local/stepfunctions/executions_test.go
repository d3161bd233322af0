package stepfunctions_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
)

func TestCreatingAMachineAgainIsASuccessUnlessASpaceDiffers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.create("rotation", passes)
	if arn != "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation" || w.create("rotation", passes) != arn {
		t.Errorf("arn %s", arn)
	}
	_, err := w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("rotation"),
		Definition: aws.String(passes + " "), RoleArn: aws.String(role)})
	w.refused(err, "StateMachineAlreadyExists", "State Machine Already Exists: '"+arn+"'")
	_, err = w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: aws.String("x"),
		RoleArn:    aws.String(role),
		Definition: aws.String(strings.Replace(passes, `"End":true`, `"End":true,"InputPath":"$"`, 1))})
	w.refused(err, "InvalidDefinition", "/States/P/InputPath")
}

func TestNamesFollowTheRulesOfTheAPI(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	for _, name := range []string{"a b", "a/b", "a:b", "a#b", "a\x01b"} {
		_, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: &name})
		w.refused(err, "InvalidName", "Invalid Name: '"+name+"'")
	}
	for _, name := range []string{strings.Repeat("x", 80), "orders-web_2026.03+é"} {
		w.wait(w.start(machine, name, "{}"))
	}
	out, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine})
	if err != nil {
		t.Fatal(err)
	}
	if name := (*out.ExecutionArn)[strings.LastIndexByte(*out.ExecutionArn, ':')+1:]; len(name) != 36 {
		t.Errorf("the default name %q is not a UUID", name)
	}
}

func TestAStartIsIdempotentWhileItRunsAndThenItsNameIsTaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", works)
	hold := make(chan struct{})
	w.tasks.set("", hold)
	arn := w.start(machine, "e", `{"a":1}`)
	if again := w.start(machine, "e", `{"a":1}`); again != arn {
		t.Errorf("second start gave %s", again)
	}
	_, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: aws.String("e"),
		Input: aws.String(`{"a":2}`)})
	w.refused(err, "ExecutionAlreadyExists", "Execution Already Exists: '"+arn+"'")
	close(hold)
	w.wait(arn)
	_, err = w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: aws.String("e"),
		Input: aws.String(`{"a":1}`)})
	w.refused(err, "ExecutionAlreadyExists", "Execution Already Exists: '"+arn+"'")
	w.clock.Advance(91 * 24 * time.Hour)
	w.wait(w.start(machine, "e", `{"a":1}`))
}

func TestAnyJSONIsAValidInputAndAnEmptyTextIsNot(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	for i, input := range []string{`2`, `"x"`, `null`, `[]`} {
		r := w.wait(w.start(machine, fmt.Sprint("e", i), input))
		if string(r.Output) != input {
			t.Errorf("%s came out as %s", input, r.Output)
		}
	}
	for _, input := range []string{``, `{`, `{'a':1}`} {
		_, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input})
		w.refused(err, "InvalidExecutionInput", "")
	}
}

func TestDescribeExecutionTellsHowEachKindOfEndLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.start(w.create("p", passes), "e", `{"a":1}`)
	w.wait(arn)
	d := w.describe(arn)
	if d.Status != "SUCCEEDED" || *d.Output != `{"a":1}` || *d.Input != `{"a":1}` || !d.StartDate.Equal(start) ||
		d.StopDate == nil || d.RedriveStatus != "NOT_REDRIVABLE" ||
		*d.RedriveStatusReason != "Execution is SUCCEEDED and cannot be redriven" {
		t.Errorf("succeeded: %+v", d)
	}
	arn = w.start(w.create("w", waits), "e", `{}`)
	w.wait(arn)
	d = w.describe(arn)
	if d.Status != "TIMED_OUT" || d.Error != nil || d.Cause != nil || d.Output != nil ||
		d.RedriveStatus != "REDRIVABLE" || d.StopDate.Sub(*d.StartDate) != time.Minute {
		t.Errorf("timed out: %+v", d)
	}
	w.tasks.set("Boom", nil)
	arn = w.start(w.create("t", works), "e", `{}`)
	w.wait(arn)
	if d = w.describe(arn); d.Status != "FAILED" || *d.Error != "Boom" || *d.Cause != "told to" ||
		d.RedriveStatus != "REDRIVABLE" || d.RedriveStatusReason != nil {
		t.Errorf("failed: %+v", d)
	}
	_, err := w.sfn.DescribeExecution(w.ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String(arn + "x")})
	w.refused(err, "ExecutionDoesNotExist", "Execution Does Not Exist: '"+arn+"x'")
	_, err = w.sfn.DescribeExecution(w.ctx, &sfn.DescribeExecutionInput{ExecutionArn: aws.String("nonsense")})
	w.refused(err, "InvalidArn", "Invalid Arn: 'Invalid ARN prefix: nonsense'")
}

func TestStopAbortsAtOnceWithTheGivenErrorAndCause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	hold := make(chan struct{})
	defer close(hold)
	w.tasks.set("", hold)
	arn := w.start(w.create("t", works), "e", `{}`)
	if d := w.describe(arn); d.Status != "RUNNING" || d.StopDate != nil || d.RedriveStatus != "NOT_REDRIVABLE" {
		t.Errorf("running: %+v", d)
	}
	out, err := w.sfn.StopExecution(w.ctx, &sfn.StopExecutionInput{ExecutionArn: &arn, Error: aws.String("Leak"),
		Cause: aws.String("by hand")})
	if err != nil || out.StopDate == nil {
		t.Fatal(out, err)
	}
	if d := w.describe(arn); d.Status != "ABORTED" || *d.Error != "Leak" || *d.Cause != "by hand" ||
		d.RedriveStatus != "REDRIVABLE" {
		t.Errorf("aborted: %+v", d)
	}
	if _, err := w.sfn.StopExecution(w.ctx, &sfn.StopExecutionInput{ExecutionArn: &arn}); err != nil {
		t.Errorf("stopping again: %v", err)
	}
	if d := w.describe(arn); *d.Error != "Leak" {
		t.Errorf("stopping again changed the error to %s", *d.Error)
	}
}

func TestHistoryComesInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	arn := w.start(w.create("t", works), "e", `{"secretish":1}`)
	w.wait(arn)
	var ids []int64
	in := &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: 3}
	p := sfn.NewGetExecutionHistoryPaginator(w.sfn, in)
	pages := 0
	for p.HasMorePages() {
		out, err := p.NextPage(w.ctx)
		if err != nil {
			t.Fatal(err)
		}
		pages++
		for _, e := range out.Events {
			ids = append(ids, e.Id)
		}
	}
	if fmt.Sprint(ids) != "[1 2 3 4 5 6 7]" || pages != 3 {
		t.Errorf("%d pages with %v", pages, ids)
	}
	full, err := w.sfn.GetExecutionHistory(w.ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn})
	if err != nil {
		t.Fatal(err)
	}
	if e := full.Events[0]; *e.ExecutionStartedEventDetails.Input != `{"secretish":1}` ||
		*e.ExecutionStartedEventDetails.RoleArn != role || !e.Timestamp.Equal(start) {
		t.Errorf("first event %+v", e.ExecutionStartedEventDetails)
	}
	if e := full.Events[4]; e.Type != "TaskSucceeded" || *e.TaskSucceededEventDetails.Output != `"ok"` ||
		*e.TaskSucceededEventDetails.Resource != "invoke" {
		t.Errorf("fifth event %+v", e)
	}
	_, err = w.sfn.GetExecutionHistory(w.ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn, MaxResults: 1001})
	w.refused(err, "ValidationException", "less than or equal to 1000")
	_, err = w.sfn.GetExecutionHistory(w.ctx, &sfn.GetExecutionHistoryInput{ExecutionArn: &arn,
		NextToken: aws.String("x")})
	w.refused(err, "InvalidToken", "'x'")
}

func TestExecutionsAreListedNewestFirstAndFiltered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("t", works)
	for i, fail := range []string{"", "Boom", ""} {
		w.tasks.set(fail, nil)
		w.wait(w.start(machine, fmt.Sprint("e", i), `{}`))
	}
	list := func(in sfn.ListExecutionsInput) (string, error) {
		in.StateMachineArn = &machine
		out, err := w.sfn.ListExecutions(w.ctx, &in)
		if err != nil {
			return "", err
		}
		var names []string
		for _, e := range out.Executions {
			names = append(names, *e.Name)
		}
		return strings.Join(names, " "), nil
	}
	if got, err := list(sfn.ListExecutionsInput{}); err != nil || got != "e2 e1 e0" {
		t.Errorf("all: %s %v", got, err)
	}
	if got, err := list(sfn.ListExecutionsInput{StatusFilter: "FAILED"}); err != nil || got != "e1" {
		t.Errorf("failed: %s %v", got, err)
	}
	_, err := list(sfn.ListExecutionsInput{StatusFilter: "succeeded"})
	w.refused(err, "ValidationException", "statusFilter")
}

func TestRedriveGoesOnFromTheFailedTaskOnceForEachClientToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tasks.set("Boom", nil)
	arn := w.start(w.create("t", works), "e", `{}`)
	w.wait(arn)
	w.clock.Advance(time.Minute)
	w.tasks.set("", nil)
	token := aws.String("token-1")
	out, err := w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn, ClientToken: token})
	if err != nil || !out.RedriveDate.Equal(start.Add(time.Minute)) {
		t.Fatal(out, err)
	}
	if r := w.wait(arn); r.Status != asl.Succeeded {
		t.Errorf("ended %s", r.Status)
	}
	d := w.describe(arn)
	if *d.RedriveCount != 1 || !d.RedriveDate.Equal(start.Add(time.Minute)) || d.Status != "SUCCEEDED" ||
		d.Error != nil {
		t.Errorf("described as %+v", d)
	}
	w.clock.Advance(time.Minute)
	if again, err := w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn,
		ClientToken: token}); err != nil || !again.RedriveDate.Equal(*out.RedriveDate) {
		t.Errorf("same token: %v", err)
	}
	_, err = w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn})
	w.refused(err, "ExecutionNotRedrivable", "Execution is SUCCEEDED and cannot be redriven")
}

func TestARedriveThatHasNotBegunShowsAsPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.service.SetRedriveLag(time.Hour)
	w.tasks.set("Boom", nil)
	arn := w.start(w.create("t", works), "e", `{}`)
	w.wait(arn)
	w.tasks.set("", nil)
	done := make(chan struct{})
	w.clock.Go(func() {
		defer close(done)
		if _, err := w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn}); err != nil {
			t.Error(err)
		}
		if d := w.describe(arn); d.Status != "PENDING_REDRIVE" {
			t.Errorf("it is %s", d.Status)
		}
		_ = w.clock.Sleep(w.ctx, time.Minute)
		if d := w.describe(arn); d.Status != "PENDING_REDRIVE" {
			t.Errorf("after a minute it is %s", d.Status)
		}
		_ = w.clock.Sleep(w.ctx, 2*time.Hour)
		if d := w.describe(arn); d.Status != "SUCCEEDED" {
			t.Errorf("after two hours it is %s", d.Status)
		}
	})
	<-done
}

func TestRedriveIsRefusedFourteenDaysAfterTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tasks.set("Boom", nil)
	arn := w.start(w.create("t", works), "e", `{}`)
	w.wait(arn)
	w.clock.Advance(14*24*time.Hour + time.Second)
	_, err := w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn})
	w.refused(err, "ExecutionNotRedrivable", "redrivable period of 14 days")
	if d := w.describe(arn); d.RedriveStatus != "NOT_REDRIVABLE" {
		t.Errorf("described as %s", d.RedriveStatus)
	}
}

func TestStatusChangesAndEventsReachTheHooksInOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.tasks.set("Boom", nil)
	arn := w.start(w.create("t", works), "e", `{"a":1}`)
	w.wait(arn)
	w.tasks.set("", nil)
	if _, err := w.sfn.RedriveExecution(w.ctx, &sfn.RedriveExecutionInput{ExecutionArn: &arn}); err != nil {
		t.Fatal(err)
	}
	w.wait(arn)
	w.mu.Lock()
	defer w.mu.Unlock()
	var got []string
	for _, c := range w.changes {
		got = append(got, string(c.Detail.Status))
		if c.Region != "eu-central-1" || c.Resources[0] != arn || c.Detail.Input != `{"a":1}` ||
			c.Detail.StartDate != start.UnixMilli() {
			t.Errorf("change %+v", c)
		}
	}
	if fmt.Sprint(got) != "[RUNNING FAILED RUNNING SUCCEEDED]" {
		t.Errorf("statuses %v", got)
	}
	if f := w.changes[1].Detail; *f.Error != "Boom" || f.StopDate == nil || f.Output != nil ||
		f.RedriveStatus != "REDRIVABLE" {
		t.Errorf("failed: %+v", f)
	}
	history, err := w.service.History(arn)
	if err != nil || len(history) != len(w.events[arn]) || len(history) == 0 {
		t.Errorf("%d events heard, %d in the history (%v)", len(w.events[arn]), len(history), err)
	}
	if n, err := w.service.Transitions(arn); err != nil || n != 1 {
		t.Errorf("%d transitions, %v", n, err)
	}
}

// The texts and their order are recorded answers of the service: the limits of the model come first, all of them at
// once, then the ARN, then the machine, and only then its execution's name and input.
func TestARequestIsCheckedInTheServicesOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	machine := w.create("m", passes)
	const missing = "arn:aws:states:eu-central-1:111122223333:stateMachine:missing"
	execution := strings.Replace(machine, ":stateMachine:", ":execution:", 1)
	long, large := strings.Repeat("a", 81), `"`+strings.Repeat("a", 256<<10)+`"`
	tooLong := "Value '" + long + "' at 'name' failed to satisfy constraint: Member must have length less than or " +
		"equal to 80"
	tooLarge := "Value at 'input' failed to satisfy constraint: Member must have size less than or equal to " +
		"262144 bytes in UTF-8 encoding"
	for request, want := range map[string]string{
		`StartExecution {"stateMachineArn":"not-an-arn","name":"n"}`: "InvalidArn: Invalid Arn: 'Invalid ARN prefix: " +
			"not-an-arn'",
		`StartExecution {"stateMachineArn":"` + machine + `","name":"` + long + `"}`: "ValidationException: " +
			"1 validation error detected: " + tooLong,
		`StartExecution {"stateMachineArn":"` + missing + `","name":"` + long + `"}`: "ValidationException: " +
			"1 validation error detected: " + tooLong,
		`StartExecution {"stateMachineArn":"` + machine + `","input":` + strconv.Quote(large) +
			`}`: "ValidationException: " +
			"1 validation error detected: " + tooLarge,
		`StartExecution {"stateMachineArn":"x","name":"` + long + `","input":` + strconv.Quote(large) +
			`}`: "ValidationException: " +
			"2 validation errors detected: " + tooLong + "; " + tooLarge,
		`StartExecution {"name":"n"}`: "ValidationException: 1 validation error detected: Value null at " +
			"'stateMachineArn' " +
			"failed to satisfy constraint: Member must not be null",
		`StartExecution {"stateMachineArn":"` + machine + `","name":""}`: "ValidationException: 1 validation error " +
			"detected: Value '' at 'name' failed to satisfy constraint: Member must have length greater than or " +
			"equal to 1",
		`StartExecution {"stateMachineArn":"` + missing + `","name":"a b","input":"{"}`: "StateMachineDoesNotExist: " +
			"State Machine Does Not Exist: '" + missing + "'",
		`StartExecution {"stateMachineArn":"` + machine +
			`","name":"a b","input":"{"}`: "InvalidName: Invalid Name: 'a b'",
		`StartExecution {"stateMachineArn":"` + machine + `","name":null,"input":""}`: "InvalidExecutionInput: " +
			"Invalid State Machine Execution Input: 'Invalid execution input.'",
		`StartExecution {"stateMachineArn":"` + execution +
			`"}`: "InvalidArn: Invalid Arn: 'Resource type not valid in " +
			"this context: execution'",
		`DescribeExecution {"executionArn":"` + machine +
			`"}`: "InvalidArn: Invalid Arn: 'Resource type not valid in " +
			"this context: stateMachine'",
		`DescribeExecution {}`: "ValidationException: 1 validation " +
			"error detected: Value null at 'executionArn'",
		`StopExecution {"executionArn":"m"}`: "InvalidArn: Invalid Arn: 'Invalid " +
			"ARN prefix: m'",
		`RedriveExecution {"executionArn":"m"}`: "InvalidArn: Invalid Arn: 'Invalid " +
			"ARN prefix: m'",
		`GetExecutionHistory {"executionArn":"m"}`: "InvalidArn: Invalid Arn: 'Invalid " +
			"ARN prefix: m'",
		`ListExecutions {"stateMachineArn":"m"}`: "InvalidArn: Invalid Arn: 'Invalid " +
			"ARN prefix: m'",
		`DescribeStateMachine {"stateMachineArn":"m"}`: "InvalidArn: Invalid Arn: 'Invalid " +
			"ARN prefix: m'",
		`UpdateStateMachine {"stateMachineArn":"m","roleArn":"` + role +
			`"}`: "InvalidArn: Invalid Arn: 'Invalid ARN prefix: m'",
		`GetExecutionHistory {"executionArn":"m","maxResults":1001}`: "ValidationException: 1 validation " +
			"error detected: " +
			"Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal " +
			"to 1000",
		`RedriveExecution {"executionArn":"m","clientToken":""}`: "ValidationException: 1 validation error " +
			"detected: Value '' " +
			"at 'clientToken'",
		`CreateStateMachine {"name":"a b","definition":"{","roleArn":"` + role +
			`"}`: "InvalidName: Invalid Name: 'a b'",
		`CreateStateMachine {}`: "ValidationException: 3 validation errors detected: Value null at 'name' failed",
	} {
		operation, body, _ := strings.Cut(request, " ")
		if got := w.raw(operation, body); !strings.HasPrefix(got, want) {
			t.Errorf("%.100s\n  answers %.300s\n  want    %.300s", request, got, want)
		}
	}
}
