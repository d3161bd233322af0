package verify_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	trailtypes "github.com/aws/aws-sdk-go-v2/service/cloudtrail/types"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	dynamotypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	eventtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	sfntypes "github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/dop251/goja"

	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/verify"
	"alboidc.internal/shared/clock"
)

const home = "eu-central-1"

// world is the local stack in the place of an account, with what a test plants in it.
type world struct {
	*stack.Stack
	t     *testing.T
	clock *clock.Virtual
	plant plant

	mu      sync.Mutex
	vm      *goja.Runtime
	issuer  string // host:port
	target  int    // port
	stacks  []verify.Stack
	deleted []string
	records []record
	stale   map[string]stale
	serial  int
}

// plant is what a world has that another has not.
type plant struct {
	spread                                      []time.Duration
	posts, aliasInEvents, clear                 bool
	lagSecrets, lagELB, lagParameter, lagMetric time.Duration
	renames                                     map[string]string
	former                                      []verify.Stack
	failCreate, failDelete                      error
	onCreate                                    func()
	// failDeletes is how many requests to remove fail, if not all; late: the stack is there after it was removed.
	failDeletes int
	late        bool
}

type record struct {
	at         time.Time
	name, text string
}

// stale is what a read showed before a write, for as long as reads lag.
type stale struct {
	until time.Time
	was   any
}

func newWorld(t *testing.T, p plant) *world {
	t.Helper()
	if p.spread == nil {
		p.spread = []time.Duration{time.Second, 4 * time.Second}
	}
	w := &world{t: t, clock: clock.NewVirtual(time.Date(2026, 11, 29, 6, 0, 0, 0, time.UTC)), plant: p,
		stacks: p.former, stale: map[string]stale{}}
	s, err := stack.Start(t.Context(), stack.Options{Clock: w.clock, Spread: p.spread,
		OnEvent: func(execution string, e stepfunctions.Event) {
			if e.Type == "ExecutionAborted" {
				w.CloudWatch.Add(home, "AWS/States", "ExecutionsAborted",
					map[string]string{"StateMachineArn": machineOf(execution)}, 1)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.Stack = s
	t.Cleanup(func() { _ = s.Close() })
	s.SecretsManager.SetReadLag(p.lagSecrets)
	w.startIssuer()
	return w
}

// machineOf is the ARN of an execution's state machine.
func machineOf(execution string) string {
	return strings.Replace(execution[:strings.LastIndex(execution, ":")], ":execution:", ":stateMachine:", 1)
}

// startIssuer runs issuer.js, which is deployed as a function, behind a token endpoint and as a target.
func (w *world) startIssuer() {
	text, err := os.ReadFile("issuer.js")
	if err != nil {
		w.t.Fatal(err)
	}
	w.vm = goja.New()
	for name, value := range map[string]any{"exports": w.vm.NewObject(),
		"btoa": func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) },
		"atob": func(s string) (string, error) {
			b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
			return string(b), err
		}} {
		if err := w.vm.Set(name, value); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.vm.GlobalObject().Get("Date").ToObject(w.vm).Set("now",
		func() int64 { return w.clock.Now().UnixMilli() }); err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.vm.RunString(string(text)); err != nil {
		w.t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	w.issuer = listener.Addr().String()
	server := &http.Server{Handler: w.handler(false), TLSConfig: w.Authority.ServerConfig(),
		ReadHeaderTimeout: time.Minute}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	target := httptest.NewServer(w.handler(true))
	w.target = target.Listener.Addr().(*net.TCPAddr).Port
	w.t.Cleanup(func() { _ = server.Close(); target.Close() })
}

// handler calls the function as its URL does, or as a load balancer whose target it is.
func (w *world) handler(asTarget bool) http.Handler {
	return http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		headers := map[string]string{}
		for k := range r.Header {
			headers[strings.ToLower(k)] = r.Header.Get(k)
		}
		if id, value, basic := r.BasicAuth(); basic && w.plant.posts {
			delete(headers, "authorization")
			body = append(body, "&client_id="+id+"&client_secret="+value...)
		}
		context := map[string]any{"domainName": w.issuer}
		event := map[string]any{"requestContext": context, "rawPath": r.URL.Path, "headers": headers,
			"body": base64.StdEncoding.EncodeToString(body), "isBase64Encoded": true}
		if asTarget {
			event = map[string]any{"requestContext": map[string]any{"elb": map[string]any{}}, "path": r.URL.Path,
				"headers": headers, "body": ""}
		}
		status, answer, err := w.call(event)
		if err != nil {
			w.t.Error(err)
		}
		out.WriteHeader(status)
		_, _ = io.WriteString(out, answer)
	})
}

func (w *world) call(event any) (int, string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	handle, ok := goja.AssertFunction(w.vm.Get("exports").ToObject(w.vm).Get("handler"))
	if !ok {
		return 500, "", errors.New("issuer.js exports no handler")
	}
	v, err := handle(goja.Undefined(), w.vm.ToValue(event))
	if err != nil {
		return 500, "", err
	}
	p := v.Export().(*goja.Promise)
	if p.State() != goja.PromiseStateFulfilled {
		return 500, "", fmt.Errorf("issuer.js: %s", p.Result())
	}
	out := p.Result().ToObject(w.vm)
	return int(out.Get("statusCode").ToInteger()), out.Get("body").String(), nil
}

// run is a run in this world.
func (w *world) run() *verify.Run {
	c := w.AWS(home)
	m := &verify.Run{Settings: verify.Settings{Region: home, Yes: true, From: "192.0.2.1/32", Runs: 2},
		Account: "111122223333", Clock: w.clock, Out: io.Discard, Transport: &http.Transport{},
		Nodes: func(_ context.Context, r *verify.Resources) ([]string, error) {
			return w.Plane.Addresses(r.LoadBalancer), nil
		},
		Clients: verify.Clients{Stacks: w, ELB: balancers{elb.NewFromConfig(c), w},
			Secrets:    secretsmanager.NewFromConfig(c),
			Parameters: parameters{ssm.NewFromConfig(c), w}, Metrics: metrics{cloudwatch.NewFromConfig(c), w},
			Trail: trail{w}, States: states{sfn.NewFromConfig(c), w}}}
	m.Certificate = "arn:aws:acm:eu-central-1:111122223333:certificate/local"
	if err := m.Certify(time.Now()); err != nil {
		w.t.Fatal(err)
	}
	return m
}

// do runs it on the clock.
func (w *world) do(ctx context.Context, m *verify.Run) (report verify.Report, err error) {
	done := make(chan struct{})
	w.clock.Go(func() {
		defer close(done)
		defer func() {
			if why := recover(); why != nil {
				err = fmt.Errorf("panic: %v", why)
			}
		}()
		report, err = m.Do(ctx)
	})
	<-done
	return report, err
}

// Former implements verify.Stacks.
func (w *world) Former(context.Context) ([]verify.Stack, error) { return w.stacks, nil }

// Delete implements verify.Stacks.
func (w *world) Delete(ctx context.Context, name string) error {
	w.deleted = append(w.deleted, name)
	if n := w.plant.failDeletes; n > 0 && len(w.deleted) > n {
		return ctx.Err()
	}
	if w.plant.late {
		w.stacks = []verify.Stack{{Name: name, Made: w.clock.Now()}}
	}
	return errors.Join(ctx.Err(), w.plant.failDelete)
}

// Create implements verify.Stacks: what template.yaml makes, on the local stack.
func (w *world) Create(ctx context.Context, name, template string, with map[string]string) (map[string]string, error) {
	if w.plant.onCreate != nil {
		w.plant.onCreate()
	}
	if w.plant.failCreate != nil {
		return nil, w.plant.failCreate
	}
	out := map[string]string{"Secret": name, "Parameter": "/" + name + "/clients/verify", "Table": name,
		"Host": name + ".example", "Role": "arn:aws:iam::111122223333:role/" + name}
	return out, errors.Join(w.makeBalancer(ctx, name, with["Secret"], out), w.makeRest(ctx, name, template, out))
}

func (w *world) makeBalancer(ctx context.Context, name, value string, out map[string]string) error {
	api := elb.NewFromConfig(w.AWS(home))
	balancer, err := api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &name,
		Type: elbtypes.LoadBalancerTypeEnumApplication, Subnets: []string{"subnet-0a1b2c3d", "subnet-4e5f6a7b"}})
	if err != nil {
		return err
	}
	out["LoadBalancer"] = *balancer.LoadBalancers[0].LoadBalancerArn
	_, out["Dimension"], _ = strings.Cut(out["LoadBalancer"], ":loadbalancer/")
	port := aws.Int32(int32(w.target))
	group, err := api.CreateTargetGroup(ctx, &elb.CreateTargetGroupInput{Name: &name,
		Protocol: elbtypes.ProtocolEnumHttp,
		Port:     port, TargetType: elbtypes.TargetTypeEnumIp})
	if err != nil {
		return err
	}
	targets := group.TargetGroups[0].TargetGroupArn
	if _, err := api.RegisterTargets(ctx, &elb.RegisterTargetsInput{TargetGroupArn: targets,
		Targets: []elbtypes.TargetDescription{{Id: aws.String("127.0.0.1"), Port: port}}}); err != nil {
		return err
	}
	at := "https://" + w.issuer
	actions := func(cookie string) []elbtypes.Action {
		return []elbtypes.Action{{Type: elbtypes.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
			AuthenticateOidcConfig: &elbtypes.AuthenticateOidcActionConfig{Issuer: &at,
				AuthorizationEndpoint: aws.String(at + "/authorize"), TokenEndpoint: aws.String(at + "/token"),
				UserInfoEndpoint: aws.String(at + "/userinfo"), ClientId: aws.String("verify-live"),
				ClientSecret:      &value,
				SessionCookieName: &cookie}},
			{Type: elbtypes.ActionTypeEnumForward, Order: aws.Int32(2), TargetGroupArn: targets}}
	}
	listener, err := api.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: aws.String(out["LoadBalancer"]),
		Port: aws.Int32(443), Protocol: elbtypes.ProtocolEnumHttps, DefaultActions: actions("VerifyListener"),
		Certificates: []elbtypes.Certificate{
			{CertificateArn: aws.String("arn:aws:acm:eu-central-1:111122223333:certificate/x")}}})
	if err != nil {
		return err
	}
	out["Listener"] = *listener.Listeners[0].ListenerArn
	rule, err := api.CreateRule(ctx, &elb.CreateRuleInput{ListenerArn: aws.String(out["Listener"]),
		Priority: aws.Int32(1),
		Actions:  actions("VerifyRule"), Conditions: []elbtypes.RuleCondition{{Field: aws.String("path-pattern"),
			PathPatternConfig: &elbtypes.PathPatternConditionConfig{Values: []string{"/rule"}}}}})
	if err == nil {
		out["Rule"] = *rule.Rules[0].RuleArn
	}
	return err
}

func (w *world) makeRest(ctx context.Context, name, template string, out map[string]string) error {
	c := w.AWS(home)
	text, err := os.ReadFile("machine.asl.json")
	if err != nil {
		return err
	}
	if !strings.Contains(template, `"Comment": "What the input asks for`) {
		return errors.New("the template does not have the state machine")
	}
	definition := strings.NewReplacer("${Partition}", "aws", "${Parameter}", out["Parameter"]).Replace(string(text))
	states := sfn.NewFromConfig(c)
	machine, err := states.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: &name,
		RoleArn:    aws.String(out["Role"]),
		Definition: &definition})
	if err != nil {
		return err
	}
	out["Machine"] = *machine.StateMachineArn
	out["Alias"] = out["Machine"] + ":live"
	if err := (&scenario.Deployment{Stack: w.Stack, MachineARN: out["Machine"]}).CreateAlias(ctx); err != nil {
		return err
	}
	recorder, err := states.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String(name + "-recorder"),
		RoleArn: aws.String(out["Role"]), Definition: aws.String(
			`{"QueryLanguage": "JSONata", "StartAt": "Seen", "States": {"Seen": {"Type": "Succeed"}}}`)})
	if err != nil {
		return err
	}
	out["Recorder"] = *recorder.StateMachineArn
	_, errSecret := secretsmanager.NewFromConfig(c).CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name,
		SecretString: aws.String("made")})
	_, errParameter := ssm.NewFromConfig(c).PutParameter(ctx, &ssm.PutParameterInput{Name: aws.String(out["Parameter"]),
		Type: ssmtypes.ParameterTypeString, Value: aws.String("0")})
	_, errTable := dynamodb.NewFromConfig(c).CreateTable(ctx, &dynamodb.CreateTableInput{TableName: &name,
		BillingMode: dynamotypes.BillingModePayPerRequest,
		AttributeDefinitions: []dynamotypes.AttributeDefinition{{AttributeName: aws.String("client"),
			AttributeType: "S"}},
		KeySchema: []dynamotypes.KeySchemaElement{{AttributeName: aws.String("client"), KeyType: "HASH"}}})
	return errors.Join(errSecret, errParameter, errTable, w.makeRule(ctx, name, out))
}

func (w *world) makeRule(ctx context.Context, name string, out map[string]string) error {
	api := eventbridge.NewFromConfig(w.AWS(home))
	pattern := fmt.Sprintf(`{"source": ["aws.states"], "detail": {"stateMachineArn": [%q]}}`, out["Machine"])
	if _, err := api.PutRule(ctx, &eventbridge.PutRuleInput{Name: &name, EventPattern: &pattern}); err != nil {
		return err
	}
	role, to := aws.String(out["Role"]), aws.String(out["Recorder"])
	_, err := api.PutTargets(ctx, &eventbridge.PutTargetsInput{Rule: &name, Targets: []eventtypes.Target{
		{Id: aws.String("whole"), Arn: to, RoleArn: role}, {Id: aws.String("transformed"), Arn: to, RoleArn: role,
			InputTransformer: &eventtypes.InputTransformer{InputPathsMap: map[string]string{"status": "$.detail.status",
				"missing": "$.detail.thereIsNoSuchField"},
				InputTemplate: aws.String(`{"status": "<status>", "missing": "<missing>"}`)}}}})
	return err
}

// lagging is a read, or what it showed before a write for as long as reads lag.
func lagging[T any](w *world, what string, now T, err error) (T, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if s, ok := w.stale[what]; ok && w.clock.Now().Before(s.until) {
		return s.was.(T), err
	}
	return now, err
}

func (w *world) keep(what string, was any, lag time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stale[what] = stale{w.clock.Now().Add(lag), was}
}

// balancers are load balancers whose reads lag, and whose calls CloudTrail records.
type balancers struct {
	*elb.Client
	w *world
}

func (b balancers) DescribeRules(ctx context.Context, in *elb.DescribeRulesInput, o ...func(*elb.Options)) (
	*elb.DescribeRulesOutput, error) {
	out, err := b.Client.DescribeRules(ctx, in, o...)
	return lagging(b.w, "rules", out, err)
}

func (b balancers) ModifyRule(ctx context.Context, in *elb.ModifyRuleInput, o ...func(*elb.Options)) (
	*elb.ModifyRuleOutput, error) {
	was, err := b.Client.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{*in.RuleArn}})
	if err == nil {
		b.w.keep("rules", was, b.w.plant.lagELB)
	}
	out, err := b.Client.ModifyRule(ctx, in, o...)
	b.w.record("ModifyRule", *in.RuleArn, in.Actions, err)
	return out, err
}

func (b balancers) ModifyListener(ctx context.Context, in *elb.ModifyListenerInput, o ...func(*elb.Options)) (
	*elb.ModifyListenerOutput, error) {
	out, err := b.Client.ModifyListener(ctx, in, o...)
	b.w.record("ModifyListener", *in.ListenerArn, in.DefaultActions, err)
	return out, err
}

func (b balancers) CreateRule(ctx context.Context, in *elb.CreateRuleInput, o ...func(*elb.Options)) (
	*elb.CreateRuleOutput, error) {
	out, err := b.Client.CreateRule(ctx, in, o...)
	b.w.record("CreateRule", *in.ListenerArn, in.Actions, err)
	return out, err
}

func (w *world) record(name, arn string, actions []elbtypes.Action, err error) {
	value := "HIDDEN_DUE_TO_SECURITY_REASONS"
	if w.plant.clear {
		value = *actions[0].AuthenticateOidcConfig.ClientSecret
	}
	text := fmt.Sprintf(`{"eventName": %q, "requestParameters": {"arn": %q, "clientSecret": %q}`, name, arn, value)
	if err != nil {
		text += `, "errorCode": "RuleNotFoundException"`
	}
	w.records = append(w.records, record{w.clock.Now(), name, text + "}"})
}

// trail shows what was recorded, five minutes later.
type trail struct{ w *world }

func (x trail) LookupEvents(_ context.Context, in *cloudtrail.LookupEventsInput, _ ...func(*cloudtrail.Options)) (
	*cloudtrail.LookupEventsOutput, error) {
	out := &cloudtrail.LookupEventsOutput{}
	for _, r := range x.w.records {
		if r.name == *in.LookupAttributes[0].AttributeValue && x.w.clock.Now().Sub(r.at) > 5*time.Minute {
			out.Events = append(out.Events, trailtypes.Event{CloudTrailEvent: aws.String(r.text)})
		}
	}
	return out, nil
}

// parameters are those whose reads lag.
type parameters struct {
	*ssm.Client
	w *world
}

func (p parameters) GetParameter(ctx context.Context, in *ssm.GetParameterInput, o ...func(*ssm.Options)) (
	*ssm.GetParameterOutput, error) {
	out, err := p.Client.GetParameter(ctx, in, o...)
	return lagging(p.w, "parameter", out, err)
}

func (p parameters) PutParameter(ctx context.Context, in *ssm.PutParameterInput, o ...func(*ssm.Options)) (
	*ssm.PutParameterOutput, error) {
	if was, err := p.Client.GetParameter(ctx, &ssm.GetParameterInput{Name: in.Name}); err == nil {
		p.w.keep("parameter", was, p.w.plant.lagParameter)
	}
	return p.Client.PutParameter(ctx, in, o...)
}

// metrics are those that come late.
type metrics struct {
	*cloudwatch.Client
	w *world
}

func (x metrics) GetMetricData(ctx context.Context, in *cloudwatch.GetMetricDataInput, o ...func(*cloudwatch.Options)) (
	*cloudwatch.GetMetricDataOutput, error) {
	late := *in
	late.EndTime = aws.Time(x.w.clock.Now().Add(time.Second - x.w.plant.lagMetric))
	if !late.StartTime.Before(*late.EndTime) {
		return &cloudwatch.GetMetricDataOutput{}, nil
	}
	return x.Client.GetMetricData(ctx, &late, o...)
}

// states are executions, and TestState as far as it is used: the state alone, as a state machine.
type states struct {
	*sfn.Client
	w *world
}

func (s states) DescribeExecution(ctx context.Context, in *sfn.DescribeExecutionInput, o ...func(*sfn.Options)) (
	*sfn.DescribeExecutionOutput, error) {
	out, err := s.Client.DescribeExecution(ctx, in, o...)
	if err == nil && s.w.plant.aliasInEvents && strings.Contains(*in.ExecutionArn, "-recorder:") {
		machine := strings.TrimSuffix(machineOf(*in.ExecutionArn), "-recorder")
		out.Input = aws.String(strings.ReplaceAll(*out.Input, `"`+machine+`"`, `"`+machine+`:live"`))
	}
	return out, err
}

func (s states) TestState(ctx context.Context, in *sfn.TestStateInput, _ ...func(*sfn.Options)) (*sfn.TestStateOutput,
	error) {
	var whole, variables map[string]any
	if err := errors.Join(json.Unmarshal([]byte(*in.Definition), &whole),
		json.Unmarshal([]byte(*in.Variables), &variables)); err != nil {
		return nil, err
	}
	state := maps.Clone(whole)
	for _, handled := range []string{"Catch", "Next", "QueryLanguage"} {
		delete(state, handled)
	}
	state["End"] = true
	given := map[string]any{"Type": "Pass", "Next": "State"}
	if len(variables) > 0 {
		given["Assign"] = variables
	}
	b, err := json.Marshal(map[string]any{"QueryLanguage": "JSONata", "StartAt": "Given",
		"States": map[string]any{"Given": given, "State": state}})
	if err != nil {
		return nil, err
	}
	s.w.serial++
	machine, err := s.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: aws.String("state-" +
		strconv.Itoa(s.w.serial)), RoleArn: in.RoleArn, Definition: aws.String(string(b))})
	if err != nil {
		return nil, err
	}
	x, err := s.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: machine.StateMachineArn, Input: in.Input})
	if err != nil {
		return nil, err
	}
	s.w.clock.Idle(func() { _, err = s.w.StepFunctions.Wait(ctx, *x.ExecutionArn) })
	if err != nil {
		return nil, err
	}
	ended, err := s.Client.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: x.ExecutionArn})
	if err != nil {
		return nil, err
	}
	return s.w.outcome(whole, ended), nil
}

// outcome is what TestState says of a state without retriers that ended so.
func (w *world) outcome(state map[string]any, ended *sfn.DescribeExecutionOutput) *sfn.TestStateOutput {
	if ended.Status == sfntypes.ExecutionStatusSucceeded {
		return &sfn.TestStateOutput{Status: sfntypes.TestExecutionStatusSucceeded}
	}
	name := aws.ToString(ended.Error)
	if other, ok := w.plant.renames[name]; ok {
		name = other
	}
	out := &sfn.TestStateOutput{Status: sfntypes.TestExecutionStatusFailed, Error: &name}
	catchers, _ := state["Catch"].([]any)
	for _, c := range catchers {
		catcher := c.(map[string]any)
		names := catcher["ErrorEquals"].([]any)
		if slices.Contains(names, any(name)) || slices.Contains(names, any("States.ALL")) {
			out.Status, out.NextState = sfntypes.TestExecutionStatusCaughtError, aws.String(catcher["Next"].(string))
			break
		}
	}
	return out
}
