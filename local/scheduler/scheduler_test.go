package scheduler_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/scheduler"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
	"github.com/aws/aws-sdk-go-v2/service/scheduler/types"
	"github.com/aws/smithy-go"
)

const (
	machine = "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation"
	role    = "arn:aws:iam::111122223333:role/scheduler"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

// execution is a call of StartExecution.
type execution struct {
	after time.Duration // since start()
	input string
}

// states stands in for Step Functions: it takes StartExecution and keeps what it was called with.
type states struct {
	clock *clock.Virtual
	mu    sync.Mutex
	calls []execution
}

func (s *states) SigningName() string       { return "states" }
func (s *states) Protocol() awsapi.Protocol { return awsapi.JSON10 }

func (s *states) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	var r struct {
		ARN   string `json:"stateMachineArn"`
		Input string `json:"input"`
		Name  string `json:"name"` // made up by the SDK as an idempotency token
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if r.ARN != machine {
		return nil, awsapi.Errorf("StateMachineDoesNotExist", "State Machine Does Not Exist: '%s'", r.ARN)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, execution{s.clock.Now().Sub(start()), r.Input})
	return map[string]any{"executionArn": "arn:aws:states:eu-central-1:111122223333:execution:rotation:x",
		"startDate": 1}, nil
}

type stack struct {
	clock   *clock.Virtual
	faults  *fault.Injector
	states  *states
	service *scheduler.Service
	client  *sdk.Client
	t       *testing.T
}

func newStack(t *testing.T) *stack {
	t.Helper()
	c := clock.NewVirtual(start())
	s := &stack{t: t, clock: c, faults: &fault.Injector{}, states: &states{clock: c}}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	s.service = scheduler.New(c, url)
	server.Config.Handler = awsapi.NewServer(c, s.faults, s.service, s.states)
	server.Start()
	t.Cleanup(server.Close)
	s.client = sdk.New(sdk.Options{Region: "eu-central-1", BaseEndpoint: &url, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")})
	return s
}

// run starts the schedules, calls f as a busy goroutine of the clock and, when it returns, lets d pass. It returns what
// was started by then.
func (s *stack) run(d time.Duration, f func()) []execution {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	done := make(chan struct{})
	var got []execution
	s.clock.Go(func() {
		defer close(done)
		s.service.Start(ctx)
		f()
		if err := s.clock.Sleep(ctx, d); err != nil {
			s.t.Error(err)
		}
		s.states.mu.Lock()
		got = append(got, s.states.calls...)
		s.states.mu.Unlock()
		cancel()
	})
	<-done
	return got
}

func (s *stack) create(name, expression string, edit func(*sdk.CreateScheduleInput)) error {
	in := &sdk.CreateScheduleInput{Name: &name, ScheduleExpression: &expression,
		FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff},
		Target: &types.Target{Arn: aws.String(machine), RoleArn: aws.String(role),
			Input: aws.String(`{"client":"orders-web"}`)}}
	if edit != nil {
		edit(in)
	}
	_, err := s.client.CreateSchedule(context.Background(), in)
	return err
}

func (s *stack) mustCreate(name, expression string, edit func(*sdk.CreateScheduleInput)) {
	s.t.Helper()
	if err := s.create(name, expression, edit); err != nil {
		s.t.Error(err)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func wantTimes(t *testing.T, got []execution, want ...time.Duration) {
	t.Helper()
	var times []time.Duration
	for _, e := range got {
		times = append(times, e.after)
	}
	if len(times) != len(want) {
		t.Fatalf("started after %v, want %v", times, want)
	}
	for i := range want {
		if times[i] != want[i] {
			t.Fatalf("started after %v, want %v", times, want)
		}
	}
}

const day = 24 * time.Hour

func TestRateWithoutStartDateBeginsAtOnceAndRepeats(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	got := s.run(70*day, func() { s.mustCreate("rotate", "rate(30 days)", nil) })
	wantTimes(t, got, 0, 30*day, 60*day)
	if got[0].input != `{"client":"orders-web"}` {
		t.Errorf("input %s", got[0].input)
	}
}

func TestFlexibleWindowStartsWithinTheWindow(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	wantTimes(t, s.run(day, func() {
		s.mustCreate("soft", "cron(0 11 1 3 ? 2026)", func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible,
				MaximumWindowInMinutes: aws.Int32(60)}
		})
	}), 90*time.Minute)
}

func TestDeliveryThatFailsIsTriedAgainUntilItWorks(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Refuse,
		Status: 500, Times: 2}); err != nil {
		t.Fatal(err)
	}
	wantTimes(t, s.run(day, func() { s.mustCreate("rotate", "cron(0 11 1 3 ? 2026)", nil) }), time.Hour+3*time.Second)
	if d := s.service.Deliveries(); len(d) != 1 || d[0].Attempts != 3 || d[0].Err != nil || d[0].ExecutionARN == "" {
		t.Errorf("deliveries %+v", d)
	}
}

func TestDeliveryIsGivenUpByItsPolicyAndWhenItIsRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Match: "busy",
		Mode: fault.Refuse, Status: 500}); err != nil {
		t.Fatal(err)
	}
	wantTimes(t, s.run(day, func() {
		s.mustCreate("policy", "cron(0 11 1 3 ? 2026)", func(in *sdk.CreateScheduleInput) {
			in.Target.Input = aws.String(`"busy"`)
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(4)}
		})
		s.mustCreate("refused", "cron(0 12 1 3 ? 2026)", func(in *sdk.CreateScheduleInput) {
			in.Target.Arn = aws.String(machine + "-that-is-not-there")
		})
	}))
	d := s.service.Deliveries()
	if len(d) != 2 || d[0].Attempts != 5 || d[0].Err == nil || d[1].Attempts != 1 || d[1].Err == nil {
		t.Errorf("deliveries %+v", d)
	}
}

func TestCreateScheduleRefuses(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.mustCreate("taken", "rate(1 day)", nil)
	for name, c := range map[string]struct {
		edit func(*sdk.CreateScheduleInput)
		code string
	}{
		"a name that exists": {func(in *sdk.CreateScheduleInput) { in.Name = aws.String("taken") },
			"ConflictException"},
		"a group that does not exist": {func(in *sdk.CreateScheduleInput) { in.GroupName = aws.String("nowhere") },
			"ResourceNotFoundException"},
		"a time zone that is none": {func(in *sdk.CreateScheduleInput) {
			in.ScheduleExpressionTimezone = aws.String("Mars/Phobos")
		}, "ValidationException"},
		"input that is not JSON": {func(in *sdk.CreateScheduleInput) { in.Target.Input = aws.String("hello") },
			"ValidationException"},
		"a flexible mode without a window": {func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible}
		}, "ValidationException"},
		"a window without the mode": {func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff,
				MaximumWindowInMinutes: aws.Int32(5)}
		}, "ValidationException"},
		"a window of more than a day": {func(in *sdk.CreateScheduleInput) {
			in.FlexibleTimeWindow = &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeFlexible,
				MaximumWindowInMinutes: aws.Int32(1441)}
		}, "ValidationException"},
		"a state that there is not": {func(in *sdk.CreateScheduleInput) { in.State = "PAUSED" }, "ValidationException"},
		"a role that is none": {func(in *sdk.CreateScheduleInput) { in.Target.RoleArn = aws.String("r") },
			"ValidationException"},
		"more retries than there are": {func(in *sdk.CreateScheduleInput) {
			in.Target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(186)}
		}, "ValidationException"},
		"a target other than a state machine": {func(in *sdk.CreateScheduleInput) {
			in.Target.Arn = aws.String("arn:aws:sqs:eu-central-1:111122223333:q")
		}, "NotImplemented"},
		"no input": {func(in *sdk.CreateScheduleInput) { in.Target.Input = nil }, "NotImplemented"},
		"an attribute to be filled in": {func(in *sdk.CreateScheduleInput) {
			in.Target.Input = aws.String(`{"at":"<aws.scheduler.scheduled-time>"}`)
		}, "NotImplemented"},
		"a parameter it does not honour": {func(in *sdk.CreateScheduleInput) {
			in.KmsKeyArn = aws.String("arn:aws:kms:eu-central-1:1:key/x")
		}, "NotImplemented"},
	} {
		err := s.create("fresh", "rate(1 day)", c.edit)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
}

func TestUpdateTakesEffectOnTheRunningSchedule(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	update := func(name, expression string, state types.ScheduleState) {
		if _, err := s.client.UpdateSchedule(context.Background(), &sdk.UpdateScheduleInput{Name: &name,
			ScheduleExpression: &expression, State: state,
			Target: &types.Target{Arn: aws.String(machine), RoleArn: aws.String(role),
				Input: aws.String("{}")},
			FlexibleTimeWindow: &types.FlexibleTimeWindow{Mode: types.FlexibleTimeWindowModeOff}}); err != nil {
			t.Error(err)
		}
	}
	wantTimes(t, s.run(10*day, func() {
		s.mustCreate("moved", "cron(0 10 3 3 ? 2026)", nil)
		s.mustCreate("paused", "cron(0 10 3 3 ? 2026)", nil)
		update("moved", "cron(0 10 5 3 ? 2026)", "")
		update("paused", "cron(0 10 3 3 ? 2026)", types.ScheduleStateDisabled)
	}), 4*day)
}

func TestExpressionsThatAreRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for code, expressions := range map[string][]string{
		"ValidationException": {"rate( 10 minutes )", "rate(0 days)", "rate(1 week)", "at(2026-03-01)",
			"cron(0 9 ? * ? *)", "cron(0 9 * * ?)",
			"cron(0 9 ? * MON#6 *)", "every day", "at(2021-12-31T23:59:59Z)", "cron(7 20 * * NOT *)"},
		"NotImplemented": {"at(2026-03-01T10:00:00)", "cron(0/15 * * * ? *)", "cron(0/15  * * * ? *)"},
	} {
		for _, e := range expressions {
			err := s.create("x", e, nil)
			wantCode(t, err, code)
			if err == nil || !strings.Contains(err.Error(), e) {
				t.Errorf("error %v does not name %s", err, e)
			}
		}
	}
}

func TestASchedulesGroupAndSettingsReadBack(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx := context.Background()
	g, err := s.client.CreateScheduleGroup(ctx, &sdk.CreateScheduleGroupInput{Name: aws.String("rotations")})
	if err != nil || *g.ScheduleGroupArn != "arn:aws:scheduler:eu-central-1:111122223333:schedule-group/rotations" {
		t.Fatalf("%+v %v", g, err)
	}
	_, err = s.client.CreateScheduleGroup(ctx, &sdk.CreateScheduleGroupInput{Name: aws.String("rotations")})
	wantCode(t, err, "ConflictException")
	s.mustCreate("hr",
		"cron(0 3 1 * ? *)", func(in *sdk.CreateScheduleInput) { in.GroupName = aws.String("rotations") })
	got, err := s.client.GetSchedule(ctx, &sdk.GetScheduleInput{Name: aws.String("hr"),
		GroupName: aws.String("rotations")})
	if err != nil || *got.ScheduleExpression != "cron(0 3 1 * ? *)" || got.State != types.ScheduleStateEnabled ||
		*got.ScheduleExpressionTimezone != "UTC" || !got.CreationDate.Equal(start()) ||
		*got.Arn != "arn:aws:scheduler:eu-central-1:111122223333:schedule/rotations/hr" || *got.Target.RoleArn != role {
		t.Errorf("%+v %v", got, err)
	}
	_, err = s.client.GetSchedule(ctx, &sdk.GetScheduleInput{Name: aws.String("hr")}) // not in the default group
	wantCode(t, err, "ResourceNotFoundException")
}

func TestUnknownOperationIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	_, err := s.client.DeleteScheduleGroup(context.Background(), &sdk.DeleteScheduleGroupInput{Name: aws.String("x")})
	wantCode(t, err, "NotImplemented")
	if err == nil || !strings.Contains(err.Error(), "DELETE /schedule-groups/x") {
		t.Errorf("error %v does not name the operation", err)
	}
}

func TestCronIsInTheSchedulesTimeZone(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	// Berlin goes to summer time on 2026-03-29: 09:00 is 08:00 UTC before and 07:00 UTC after.
	wantTimes(t, s.run(30*day, func() {
		s.mustCreate("rotate", "cron(0 9 ? * SUN *)", func(in *sdk.CreateScheduleInput) {
			in.ScheduleExpressionTimezone = aws.String("Europe/Berlin")
		})
	}), 7*day-2*time.Hour, 14*day-2*time.Hour, 21*day-2*time.Hour, 28*day-3*time.Hour)
}

func TestScheduleSetWhileAnotherIsFarAwayIsNotMissed(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	wantTimes(t, s.run(2*day, func() {
		s.mustCreate("far", "cron(0 0 1 1 ? 2090)", nil)
		if err := s.clock.Sleep(context.Background(), time.Hour); err != nil {
			t.Error(err)
		}
		s.mustCreate("near", "cron(0 12 * * ? 2026)", nil)
	}), 2*time.Hour, 26*time.Hour)
}

// A start whose reply is lost is made again: that is what "at least once" means.
func TestALostReplyDeliversTwice(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Lose,
		Times: 1}); err != nil {
		t.Fatal(err)
	}
	wantTimes(t, s.run(day-time.Hour, func() { s.mustCreate("rotate", "rate(1 day)", nil) }), 0, time.Second)
}
