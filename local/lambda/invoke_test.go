package lambda_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"alboidc.internal/local/lambda"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

func TestInvokeRunsTheBootstrapAndReusesItsProcess(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	first := s.invoke("plan", "echo", "hello")
	a := s.answered(first)
	if a.Text != "hello" || aws.ToString(first.ExecutedVersion) != "$LATEST" || a.ARN != "arn:aws:lambda:eu-central-1:111122223333:function:plan" {
		t.Errorf("answer %+v, version %s", a, aws.ToString(first.ExecutedVersion))
	}
	if again := s.answered(s.invoke("plan", "echo", "again")); again.PID != a.PID || again.ID == a.ID {
		t.Errorf("second invocation in process %d with id %s, first in %d with %s; want the same process and another id", again.PID, again.ID, a.PID, a.ID)
	}
}

func TestHandlersErrorIsUnhandledWithThePayloadAsTheRuntimePostedIt(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	for do, want := range map[string]string{"fail": "LockHeld", "fail plainly": "errorString"} {
		if kind, message := s.failed(s.invoke("plan", do, "held by another")); kind != want || message != "held by another" {
			t.Errorf("%s: %s %q, want %s", do, kind, message, want)
		}
	}
}

func TestPanicEndsTheProcessAndTheNextInvocationGetsANewOne(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	before := s.answered(s.invoke("plan", "echo", ""))
	if kind, message := s.failed(s.invoke("plan", "panic", "oh")); kind != "errorString" || message != "oh" {
		t.Errorf("panic gave %s %q", kind, message)
	}
	if after := s.answered(s.invoke("plan", "echo", "")); after.PID == before.PID {
		t.Error("the process that panicked was used again")
	}
}

func TestFunctionThatExitsGivesRuntimeExitError(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	kind, message := s.failed(s.invoke("plan", "exit", ""))
	if kind != "Runtime.ExitError" || !regexp.MustCompile(`^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 3$`).MatchString(message) {
		t.Errorf("%s %q", kind, message)
	}
	s.answered(s.invoke("plan", "echo", ""))
}

func TestFunctionThatCannotStartGivesRuntimeExitErrorAndItsLog(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"FAIL_INIT": "yes"}}
	})
	out := s.invoke("plan", "echo", "")
	if kind, _ := s.failed(out); kind != "Runtime.ExitError" {
		t.Errorf("error %s", kind)
	}
	if log := tail(t, out); !strings.Contains(log, "cannot start") {
		t.Errorf("log %q", log)
	}
}

func TestTimeoutKillsTheFunctionAndIsNamedSandboxTimedout(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	before := s.answered(s.invoke("plan", "echo", ""))
	kind, message := s.failed(s.invoke("plan", "hang", ""))
	if kind != "Sandbox.Timedout" || !regexp.MustCompile(`^RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds$`).MatchString(message) {
		t.Errorf("%s %q", kind, message)
	}
	if after := s.answered(s.invoke("plan", "echo", "")); after.PID == before.PID {
		t.Error("the process that timed out was used again")
	}
}

func TestFunctionGetsLambdasEnvironmentAndNotTheStacks(t *testing.T) {
	t.Setenv("ALBOIDC_TEST_LEAK", "must not arrive")
	s := newStack(t, lambda.Options{ExtraEnv: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "COLOUR": "red"}})
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.MemorySize = aws.Int32(256)
		in.Environment = &types.Environment{Variables: map[string]string{"COLOUR": "blue"}}
	})
	env := s.answered(s.invoke("plan", "env", "")).Env
	for k, want := range map[string]string{"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1", "_HANDLER": "bootstrap",
		"AWS_LAMBDA_FUNCTION_NAME": "plan", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/plan", "LAMBDA_TASK_ROOT": bootstrap(t),
		"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "COLOUR": "blue"} {
		if env[k] != want {
			t.Errorf("%s = %q, want %q", k, env[k], want)
		}
	}
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API"} {
		if env[k] == "" {
			t.Errorf("%s is missing", k)
		}
	}
	if _, ok := env["ALBOIDC_TEST_LEAK"]; ok {
		t.Error("the stack's own environment reached the function")
	}
}

// gate is a server that answers its visitors once opened.
type gate struct {
	url     string
	arrived chan struct{}
	open    func()
}

func newGate(t *testing.T) *gate {
	opened := make(chan struct{})
	g := &gate{arrived: make(chan struct{}, 10), open: sync.OnceFunc(func() { close(opened) })}
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		g.arrived <- struct{}{}
		<-opened
	}))
	t.Cleanup(server.Close)
	t.Cleanup(g.open)
	g.url = server.URL
	return g
}

func TestInvocationsBeyondReservedConcurrencyAreThrottled(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	name := aws.String("plan")
	if _, err := s.client.PutFunctionConcurrency(context.Background(), &sdk.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	g := newGate(t)
	answers := make(chan *sdk.InvokeOutput, 2)
	for range 2 {
		go func() {
			out, err := s.try("plan", "visit", g.url)
			if err != nil {
				t.Error(err)
			}
			answers <- out
		}()
	}
	<-g.arrived
	<-g.arrived
	_, err := s.try("plan", "echo", "")
	wantCode(t, err, "TooManyRequestsException")
	g.open()
	a, b := s.answered(<-answers), s.answered(<-answers)
	if a.PID == b.PID {
		t.Error("two invocations at once shared a process")
	}
	s.answered(s.invoke("plan", "echo", ""))
}

func TestReservedConcurrencyOfZeroStopsAFunctionUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	ctx, name := context.Background(), aws.String("plan")
	if _, err := s.client.PutFunctionConcurrency(ctx, &sdk.PutFunctionConcurrencyInput{FunctionName: name, ReservedConcurrentExecutions: aws.Int32(0)}); err != nil {
		t.Fatal(err)
	}
	got, err := s.client.GetFunctionConcurrency(ctx, &sdk.GetFunctionConcurrencyInput{FunctionName: name})
	if err != nil || got.ReservedConcurrentExecutions == nil || *got.ReservedConcurrentExecutions != 0 {
		t.Errorf("GetFunctionConcurrency: %v %v", got, err)
	}
	_, err = s.try("plan", "echo", "")
	wantCode(t, err, "TooManyRequestsException")
	if _, err := s.client.DeleteFunctionConcurrency(ctx, &sdk.DeleteFunctionConcurrencyInput{FunctionName: name}); err != nil {
		t.Fatal(err)
	}
	s.answered(s.invoke("plan", "echo", ""))
}

func TestCallerThatHangsUpDoesNotStopTheFunction(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 100)
	s := newStack(t, lambda.Options{Logs: func(_, _ string, line []byte) { lines <- string(line) }})
	s.create("plan", nil)
	g := newGate(t)
	ctx, hangUp := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := s.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("plan"), Payload: []byte(`{"do":"visit","text":"` + g.url + `"}`)})
		ended <- err
	}()
	<-g.arrived
	hangUp()
	if err := <-ended; err == nil {
		t.Fatal("the call did not end with its context")
	}
	g.open()
	for line := range lines {
		if strings.HasPrefix(line, "REPORT") {
			break
		}
	}
	if a := s.answered(s.invoke("plan", "echo", "")); a.PID == 0 {
		t.Error("no process")
	}
}

func TestLogTypeTailReturnsTheLinesOfTheInvocation(t *testing.T) {
	t.Parallel()
	type entry struct{ function, id, line string }
	var mu sync.Mutex
	var seen []entry
	s := newStack(t, lambda.Options{Logs: func(function, id string, line []byte) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, entry{function, id, string(line)})
	}})
	s.create("plan", nil)
	first := s.invoke("plan", "log", "one\ntwo")
	second := s.invoke("plan", "log", "three")
	want := regexp.MustCompile(`^START RequestId: \S+ Version: \$LATEST\none\ntwo\nEND RequestId: \S+\nREPORT RequestId: \S+\tDuration: [0-9.]+ ms\tBilled Duration: \d+ ms\tMemory Size: 128 MB\n$`)
	if log := tail(t, first); !want.MatchString(log) {
		t.Errorf("log %q", log)
	}
	if log := tail(t, second); strings.Contains(log, "one") || !strings.Contains(log, "three") {
		t.Errorf("second log %q", log)
	}
	id := s.answered(first).ID
	mu.Lock()
	defer mu.Unlock()
	if seen[1] != (entry{"plan", id, "one"}) {
		t.Errorf("Logs got %v", seen[1])
	}
}

func tail(t *testing.T, out *sdk.InvokeOutput) string {
	t.Helper()
	log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
	if err != nil {
		t.Fatal(err)
	}
	return string(log)
}

type point struct {
	region, namespace, metric string
	client                    string
	value                     float64
}

type metrics struct{ points []point }

func (m *metrics) Add(region, namespace, metric string, dims map[string]string, value float64) {
	m.points = append(m.points, point{region, namespace, metric, dims["Client"], value})
}

func TestEmbeddedMetricFormatLinesBecomeMetrics(t *testing.T) {
	t.Parallel()
	m := &metrics{}
	s := newStack(t, lambda.Options{Metrics: m})
	s.create("plan", nil)
	s.invoke("plan", "log", `{"_aws":{"Timestamp":1,"CloudWatchMetrics":[{"Namespace":"AlbOidc","Dimensions":[["Client"]],"Metrics":[{"Name":"Rotations","Unit":"Count"}]}]},"Client":"orders-web","Rotations":[1,2]}`)
	s.invoke("plan", "log", `{"level":"INFO","msg":"no metric"}`)
	if len(m.points) != 2 || m.points[1] != (point{"eu-central-1", "AlbOidc", "Rotations", "orders-web", 2}) {
		t.Errorf("metrics %v", m.points)
	}
}

func TestInvocationTypeEventAnswers202AndRunsLater(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	g := newGate(t)
	out, err := s.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: aws.String("plan"), InvocationType: types.InvocationTypeEvent,
		Payload: []byte(`{"do":"visit","text":"` + g.url + `"}`)})
	if err != nil || out.StatusCode != 202 || len(out.Payload) != 0 {
		t.Fatalf("%+v, %v", out, err)
	}
	<-g.arrived
}

func TestInvocationTypeDryRunAnswers204AndRunsNothing(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{Logs: func(string, string, []byte) { t.Error("the function ran") }})
	s.create("plan", nil)
	out, err := s.client.Invoke(context.Background(), &sdk.InvokeInput{FunctionName: aws.String("plan"), InvocationType: types.InvocationTypeDryRun})
	if err != nil || out.StatusCode != 204 {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestCloseKillsAFunctionThatIsBusy(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	g := newGate(t)
	answers := make(chan *sdk.InvokeOutput, 1)
	go func() {
		out, err := s.try("plan", "visit", g.url)
		if err != nil {
			t.Error(err)
		}
		answers <- out
	}()
	<-g.arrived
	began := time.Now()
	if err := s.service.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("Close took %s: it waited for the function", took)
	}
	if kind, message := s.failed(<-answers); kind != "Runtime.ExitError" || !strings.Contains(message, "signal: killed") {
		t.Errorf("%s %q", kind, message)
	}
}
