package eventbridge_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/eventbridge"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/smithy-go"
)

const (
	region  = "eu-central-1"
	machine = "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation"
	role    = "arn:aws:iam::111122223333:role/events"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

// states stands in for Step Functions: it takes StartExecution and keeps the inputs.
type states struct {
	mu     sync.Mutex
	inputs []string
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
	s.inputs = append(s.inputs, r.Input)
	return map[string]any{"executionArn": "arn:x", "startDate": 1}, nil
}

func (s *states) started() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.inputs...)
}

type stack struct {
	*testing.T
	clock   *clock.Virtual
	faults  *fault.Injector
	states  *states
	service *eventbridge.Service
	client  *sdk.Client
}

func newStack(t *testing.T) *stack {
	t.Helper()
	c := clock.NewVirtual(start())
	s := &stack{T: t, clock: c, faults: &fault.Injector{}, states: &states{}}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	s.service = eventbridge.New(c, url)
	server.Config.Handler = awsapi.NewServer(c, s.faults, s.service, s.states)
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.service.Close)
	login := credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")
	s.client = sdk.New(sdk.Options{Region: region, BaseEndpoint: &url, Retryer: aws.NopRetryer{}, Credentials: login})
	return s
}

// settle runs f as a busy goroutine of the clock and then lets a day pass, in which every delivery ends.
func (s *stack) settle(f func()) {
	s.Helper()
	done := make(chan struct{})
	s.clock.Go(func() {
		defer close(done)
		f()
		if err := s.clock.Sleep(context.Background(), 25*time.Hour); err != nil {
			s.Error(err)
		}
	})
	<-done
}

func (s *stack) rule(name, pattern string, targets ...types.Target) {
	s.Helper()
	ctx := context.Background()
	out, err := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: &name, EventPattern: &pattern})
	if err != nil || *out.RuleArn != "arn:aws:events:eu-central-1:111122223333:rule/"+name {
		s.Fatalf("%+v %v", out, err)
	}
	if len(targets) == 0 {
		return
	}
	if out, err := s.client.PutTargets(ctx, &sdk.PutTargetsInput{Rule: &name, Targets: targets}); err != nil ||
		out.FailedEntryCount != 0 {
		s.Fatalf("%+v %v", out, err)
	}
}

func toMachine(id string) types.Target {
	return types.Target{Id: aws.String(id), Arn: aws.String(machine), RoleArn: aws.String(role)}
}

func timedOut() eventbridge.Event {
	return eventbridge.Event{Source: "aws.states", DetailType: "Step Functions Execution Status Change",
		Resources: []string{"arn:execution"},
		Detail:    json.RawMessage(`{"status":"TIMED_OUT","name":"orders-web-1"}`)}
}

const timedOutPattern = `{"source":["aws.states"],"detail":{"status":["ABORTED","TIMED_OUT"]}}`

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func TestServiceEventThatMatchesStartsTheStateMachineWithTheEvent(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.rule("heal", timedOutPattern, toMachine("rotation"))
	s.settle(func() {
		s.service.Emit(region, timedOut())
		s.service.Emit(region, eventbridge.Event{Source: "aws.states", DetailType: "x",
			Detail: json.RawMessage(`{"status":"SUCCEEDED"}`)})
		s.service.Emit("us-east-1", timedOut()) // another Region has its own rules
	})
	inputs := s.states.started()
	if len(inputs) != 1 {
		t.Fatalf("started with %v, want one start", inputs)
	}
	var got struct {
		Version    string         `json:"version"`
		ID         string         `json:"id"`
		DetailType string         `json:"detail-type"`
		Account    string         `json:"account"`
		Time       string         `json:"time"`
		Region     string         `json:"region"`
		Resources  []string       `json:"resources"`
		Detail     map[string]any `json:"detail"`
	}
	if err := json.Unmarshal([]byte(inputs[0]), &got); err != nil {
		t.Fatal(err)
	}
	if got.Version != "0" || got.ID == "" || got.DetailType != "Step Functions Execution Status Change" ||
		got.Account != "111122223333" ||
		got.Time != "2026-03-01T10:00:00Z" || got.Region != region || got.Resources[0] != "arn:execution" ||
		got.Detail["name"] != "orders-web-1" {
		t.Errorf("input %s", inputs[0])
	}
	if events := s.service.Events(); len(events) != 3 || events[0].ID != got.ID {
		t.Errorf("events %+v", events)
	}
}

func TestDeliveryIsGivenUpByTheRetryPolicyOfItsTarget(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Refuse,
		Status: 503}); err != nil {
		t.Fatal(err)
	}
	target := toMachine("rotation")
	target.RetryPolicy = &types.RetryPolicy{MaximumRetryAttempts: aws.Int32(2)}
	s.rule("heal", timedOutPattern, target)
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if d := s.service.Deliveries(); len(d) != 1 || d[0].Attempts != 3 || d[0].Err == nil {
		t.Errorf("deliveries %+v", d)
	}
}

func TestPutEventsAnswersForEachEntry(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.rule("own", `{"source":["rotator"]}`, toMachine("rotation"))
	s.settle(func() {
		out, err := s.client.PutEvents(context.Background(), &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{
			{Source: aws.String("rotator"), DetailType: aws.String("done"), Detail: aws.String(`{"a":1}`)},
			{Source: aws.String("rotator"), DetailType: aws.String("done"), Detail: aws.String(`not json`)},
			{Source: aws.String("aws.states"), DetailType: aws.String("done"), Detail: aws.String(`{}`)},
			{DetailType: aws.String("done"), Detail: aws.String(`{}`)},
			{Source: aws.String("rotator"), DetailType: aws.String("done"), Detail: aws.String(`{}`),
				EventBusName: aws.String("nowhere")},
		}})
		if err != nil {
			t.Error(err)
			return
		}
		want := []string{"", "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument",
			"ResourceNotFoundException"}
		for i, e := range out.Entries {
			if aws.ToString(e.ErrorCode) != want[i] || (e.EventId != nil) != (want[i] == "") {
				t.Errorf("entry %d: %+v, want code %q", i, e, want[i])
			}
		}
		if out.FailedEntryCount != 4 {
			t.Errorf("FailedEntryCount %d", out.FailedEntryCount)
		}
	})
	if inputs := s.states.started(); len(inputs) != 1 {
		t.Errorf("started with %v", inputs)
	}
}

func TestWhatCannotBeHonouredIsRefusedByName(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx, name := context.Background(), aws.String("heal")
	s.rule("heal", timedOutPattern)
	put := func(pattern string) error {
		_, err := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: name, EventPattern: &pattern})
		return err
	}
	target := func(edit func(*types.Target)) error {
		x := toMachine("x")
		edit(&x)
		_, err := s.client.PutTargets(ctx, &sdk.PutTargetsInput{Rule: name, Targets: []types.Target{x}})
		return err
	}
	_, schedule := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: name, ScheduleExpression: aws.String("rate(1 day)")})
	_, named := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: aws.String("a b"),
		EventPattern: aws.String(`{"a":["b"]}`)})
	_, empty := s.client.PutEvents(ctx, &sdk.PutEventsInput{Entries: []types.PutEventsRequestEntry{}})
	_, operation := s.client.ListEventBuses(ctx, &sdk.ListEventBusesInput{})
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{put(`{"source":[{"suffix":"x"}]}`), "NotImplemented", "EventPattern suffix"},
		{put(`{"source":"x"}`), "InvalidEventPatternException", "must be an object or an array"},
		{target(func(x *types.Target) { x.Arn = aws.String("arn:aws:sns:eu-central-1:111122223333:t") }),
			"NotImplemented", "arn:aws:sns"},
		{target(func(x *types.Target) {
			x.InputTransformer = &types.InputTransformer{InputPathsMap: map[string]string{"a": "$.detail.list[0]"},
				InputTemplate: aws.String("{}")}
		}), "NotImplemented", "InputPathsMap $.detail.list[0]"},
		{target(func(x *types.Target) {
			x.InputTransformer = &types.InputTransformer{InputTemplate: aws.String("{\"a\": <b>}")}
		}), "ValidationException", "[<b>]"},
		{target(func(x *types.Target) { x.RoleArn = nil }), "ValidationException", "RoleArn is required"},
		{target(func(x *types.Target) { x.Input = aws.String("{}") }), "NotImplemented", "Input"},
		{schedule, "NotImplemented", "ScheduleExpression"},
		{named, "ValidationException",
			"1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint"},
		{empty, "ValidationException", "Value '[]' at 'entries' failed to satisfy constraint: Member must have length"},
		{operation, "NotImplemented", "events:ListEventBuses"},
	} {
		wantCode(t, c.err, c.code)
		if c.err == nil || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("error %v does not say %q", c.err, c.text)
		}
	}
}

func TestRuleKeepsItsTargetsWhenItIsPutAgain(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.rule("heal", `{"source":["nobody"]}`, toMachine("rotation"))
	s.rule("heal", timedOutPattern)
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if inputs := s.states.started(); len(inputs) != 1 {
		t.Errorf("started with %v", inputs)
	}
}
