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
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/sns"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	sdksns "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
)

const (
	region  = "eu-central-1"
	machine = "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation"
	topic   = "arn:aws:sns:eu-central-1:111122223333:alerts"
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
	topics  *sns.Service
	lambda  *lambda.Service
	service *eventbridge.Service
	client  *sdk.Client
	sns     *sdksns.Client
}

func newStack(t *testing.T) *stack {
	t.Helper()
	c := clock.NewVirtual(start())
	s := &stack{T: t, clock: c, faults: &fault.Injector{}, states: &states{}, topics: sns.New(c), lambda: lambda.New(lambda.Options{Clock: c})}
	server := httptest.NewUnstartedServer(nil)
	url := "http://" + server.Listener.Addr().String()
	s.service = eventbridge.New(eventbridge.Options{Clock: c, Endpoint: url})
	server.Config.Handler = awsapi.NewServer(c, s.faults, s.service, s.states, s.topics, s.lambda)
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.service.Close)
	login := credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")
	s.client = sdk.New(sdk.Options{Region: region, BaseEndpoint: &url, Retryer: aws.NopRetryer{}, Credentials: login})
	s.sns = sdksns.New(sdksns.Options{Region: region, BaseEndpoint: &url, Retryer: aws.NopRetryer{}, Credentials: login})
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
	if out, err := s.client.PutTargets(ctx, &sdk.PutTargetsInput{Rule: &name, Targets: targets}); err != nil || out.FailedEntryCount != 0 {
		s.Fatalf("%+v %v", out, err)
	}
}

func toMachine(id string) types.Target {
	return types.Target{Id: aws.String(id), Arn: aws.String(machine), RoleArn: aws.String(role)}
}

func timedOut() eventbridge.Event {
	return eventbridge.Event{Source: "aws.states", DetailType: "Step Functions Execution Status Change", Resources: []string{"arn:execution"},
		Detail: json.RawMessage(`{"status":"TIMED_OUT","name":"orders-web-1"}`)}
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
		s.service.Emit(region, eventbridge.Event{Source: "aws.states", DetailType: "x", Detail: json.RawMessage(`{"status":"SUCCEEDED"}`)})
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
	if got.Version != "0" || got.ID == "" || got.DetailType != "Step Functions Execution Status Change" || got.Account != "111122223333" ||
		got.Time != "2026-03-01T10:00:00Z" || got.Region != region || got.Resources[0] != "arn:execution" || got.Detail["name"] != "orders-web-1" {
		t.Errorf("input %s", inputs[0])
	}
	if events := s.service.Events(); len(events) != 3 || events[0].ID != got.ID || events[0].Bus != "default" {
		t.Errorf("events %+v", events)
	}
}

func TestTargetInputReplacesTheEvent(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	target := toMachine("rotation")
	target.Input = aws.String(`{"client":"orders-web"}`)
	s.rule("heal", timedOutPattern, target)
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if inputs := s.states.started(); len(inputs) != 1 || inputs[0] != `{"client":"orders-web"}` {
		t.Errorf("started with %v", inputs)
	}
}

func TestTopicAndFunctionTargetsGetTheEvent(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.sns.CreateTopic(context.Background(), &sdksns.CreateTopicInput{Name: aws.String("alerts")}); err != nil {
		t.Fatal(err)
	}
	payloads := make(chan string, 1)
	s.lambda.RegisterInProcess("plan", 0, func(_ context.Context, payload []byte) ([]byte, *lambda.FunctionError) {
		payloads <- string(payload)
		return []byte("{}"), nil
	})
	s.rule("alert", timedOutPattern, types.Target{Id: aws.String("topic"), Arn: aws.String(topic)},
		types.Target{Id: aws.String("function"), Arn: aws.String("arn:aws:lambda:eu-central-1:111122223333:function:plan")})
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if m := s.topics.Messages(topic); len(m) != 1 || !strings.Contains(m[0].Message, `"status":"TIMED_OUT"`) {
		t.Errorf("messages %+v", m)
	}
	if p := <-payloads; !strings.Contains(p, `"status":"TIMED_OUT"`) {
		t.Errorf("payload %s", p)
	}
}

func TestDeliveryThatFailsIsTriedAgainAndOneThatIsRefusedIsNot(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	refused := toMachine("refused")
	refused.Arn = aws.String(machine + "-gone")
	s.rule("heal", timedOutPattern, refused)
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if d := s.service.Deliveries(); len(d) != 1 || d[0].Attempts != 1 || d[0].Err == nil {
		t.Errorf("deliveries %+v", d)
	}
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Refuse, Status: 503, Times: 3}); err != nil {
		t.Fatal(err)
	}
	s.rule("retry", `{"source":["retry"]}`, toMachine("rotation"))
	s.settle(func() { s.service.Emit(region, eventbridge.Event{Source: "retry", DetailType: "x"}) })
	if d := s.service.Deliveries(); len(d) != 2 || d[1].Attempts != 4 || d[1].Err != nil || len(s.states.started()) != 1 {
		t.Errorf("deliveries %+v", d)
	}
}

func TestDeliveryIsGivenUpByTheRetryPolicyOfItsTarget(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	if _, err := s.faults.Add(fault.Rule{Service: "states", Operation: "StartExecution", Mode: fault.Refuse, Status: 503}); err != nil {
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
			{Source: aws.String("rotator"), DetailType: aws.String("done"), Detail: aws.String(`{}`), EventBusName: aws.String("nowhere")},
		}})
		if err != nil {
			t.Error(err)
			return
		}
		want := []string{"", "MalformedDetail", "NotAuthorizedForSourceException", "InvalidArgument", "ResourceNotFoundException"}
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

func TestRuleKeepsItsTargetsWhenItIsPutAgainAndDoesNothingWhileDisabled(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx, name := context.Background(), aws.String("heal")
	s.rule("heal", timedOutPattern, toMachine("rotation"))
	if _, err := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: name, EventPattern: aws.String(timedOutPattern), State: types.RuleStateDisabled, Description: aws.String("off")}); err != nil {
		t.Fatal(err)
	}
	s.settle(func() { s.service.Emit(region, timedOut()) })
	if inputs := s.states.started(); len(inputs) != 0 {
		t.Errorf("a disabled rule started %v", inputs)
	}
	r, err := s.client.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name})
	if err != nil || r.State != types.RuleStateDisabled || *r.Description != "off" || *r.EventPattern != timedOutPattern || *r.EventBusName != "default" {
		t.Errorf("%+v %v", r, err)
	}
	targets, err := s.client.ListTargetsByRule(ctx, &sdk.ListTargetsByRuleInput{Rule: name})
	if err != nil || len(targets.Targets) != 1 || *targets.Targets[0].Arn != machine || *targets.Targets[0].RoleArn != role {
		t.Errorf("%+v %v", targets, err)
	}
	rules, err := s.client.ListRules(ctx, &sdk.ListRulesInput{NamePrefix: aws.String("he")})
	if err != nil || len(rules.Rules) != 1 {
		t.Errorf("%+v %v", rules, err)
	}
}

func TestRuleWithTargetsCannotBeDeleted(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx, name := context.Background(), aws.String("heal")
	s.rule("heal", timedOutPattern, toMachine("rotation"))
	_, err := s.client.DeleteRule(ctx, &sdk.DeleteRuleInput{Name: name})
	wantCode(t, err, "ValidationException")
	out, err := s.client.RemoveTargets(ctx, &sdk.RemoveTargetsInput{Rule: name, Ids: []string{"rotation", "other"}})
	if err != nil || out.FailedEntryCount != 1 || *out.FailedEntries[0].TargetId != "other" {
		t.Errorf("%+v %v", out, err)
	}
	if _, err := s.client.DeleteRule(ctx, &sdk.DeleteRuleInput{Name: name}); err != nil {
		t.Error(err)
	}
	_, err = s.client.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: name})
	wantCode(t, err, "ResourceNotFoundException")
}

func TestCustomBusHasItsOwnRules(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx, bus := context.Background(), aws.String("rotations")
	if _, err := s.client.CreateEventBus(ctx, &sdk.CreateEventBusInput{Name: bus}); err != nil {
		t.Fatal(err)
	}
	_, err := s.client.CreateEventBus(ctx, &sdk.CreateEventBusInput{Name: bus})
	wantCode(t, err, "ResourceAlreadyExistsException")
	out, err := s.client.PutRule(ctx, &sdk.PutRuleInput{Name: aws.String("own"), EventBusName: bus, EventPattern: aws.String(`{"source":["rotator"]}`)})
	if err != nil || *out.RuleArn != "arn:aws:events:eu-central-1:111122223333:rule/rotations/own" {
		t.Errorf("%+v %v", out, err)
	}
	_, err = s.client.DescribeRule(ctx, &sdk.DescribeRuleInput{Name: aws.String("own")})
	wantCode(t, err, "ResourceNotFoundException")
	d, err := s.client.DescribeEventBus(ctx, &sdk.DescribeEventBusInput{})
	if err != nil || *d.Arn != "arn:aws:events:eu-central-1:111122223333:event-bus/default" || !d.CreationTime.Equal(start()) {
		t.Errorf("%+v %v", d, err)
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
	_, operation := s.client.ListEventBuses(ctx, &sdk.ListEventBusesInput{})
	for _, c := range []struct {
		err        error
		code, text string
	}{
		{put(`{"source":[{"suffix":"x"}]}`), "NotImplemented", "EventPattern suffix"},
		{put(`{"source":"x"}`), "InvalidEventPatternException", "must be an object or an array"},
		{target(func(x *types.Target) { x.Arn = aws.String("arn:aws:sqs:eu-central-1:111122223333:q") }), "NotImplemented", "arn:aws:sqs"},
		{target(func(x *types.Target) { x.InputTransformer = &types.InputTransformer{InputTemplate: aws.String("{}")} }), "NotImplemented", "InputTransformer"},
		{target(func(x *types.Target) { x.RoleArn = nil }), "ValidationException", "RoleArn is required"},
		{target(func(x *types.Target) { x.Input = aws.String("{") }), "ValidationException", "JSON syntax error"},
		{schedule, "NotImplemented", "ScheduleExpression"},
		{operation, "NotImplemented", "events:ListEventBuses"},
	} {
		wantCode(t, c.err, c.code)
		if c.err == nil || !strings.Contains(c.err.Error(), c.text) {
			t.Errorf("error %v does not say %q", c.err, c.text)
		}
	}
}
