package lambda_test

import (
	"context"
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

// logged gets the lines that functions write.
type logged chan string

func (l logged) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

func TestInvokeRunsTheBootstrapAndReusesItsProcess(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	first := s.invoke("plan", "echo", "hello")
	a := s.answered(first)
	if a.Text != "hello" || aws.ToString(first.ExecutedVersion) != "$LATEST" ||
		a.ARN != "arn:aws:lambda:eu-central-1:111122223333:function:plan" {
		t.Errorf("answer %+v, version %s", a, aws.ToString(first.ExecutedVersion))
	}
	if again := s.answered(s.invoke("plan", "echo", "again")); again.PID != a.PID || again.ID == a.ID {
		t.Errorf(
			"second invocation in process %d with id %s, first in %d with %s; want the same process and another id",
			again.PID, again.ID, a.PID, a.ID)
	}
}

func TestAHandlersErrorIsUnhandledWithItsPayload(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
	for do, want := range map[string]string{"fail": "LockHeld", "fail plainly": "errorString"} {
		if kind, message := s.failed(s.invoke("plan", do, "held by another")); kind != want ||
			message != "held by another" {
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
	if kind != "Runtime.ExitError" ||
		!regexp.MustCompile(`^RequestId: [0-9a-f-]{36} Error: Runtime exited with error: exit status 3$`).MatchString(
			message) {
		t.Errorf("%s %q", kind, message)
	}
	s.answered(s.invoke("plan", "echo", ""))
}

func TestFunctionThatCannotStartGivesRuntimeExitErrorAndItsLog(t *testing.T) {
	t.Parallel()
	log := make(logged, 10)
	s := newStack(t, lambda.Options{Logs: log})
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.Environment = &types.Environment{Variables: map[string]string{"FAIL_INIT": "yes"}}
	})
	out := s.invoke("plan", "echo", "")
	if kind, _ := s.failed(out); kind != "Runtime.ExitError" {
		t.Errorf("error %s", kind)
	}
	if line := <-log; !strings.HasPrefix(line, "plan ") || !strings.Contains(line, "cannot start") {
		t.Errorf("logged %q", line)
	}
}

func TestTimeoutKillsTheFunctionAndIsNamedSandboxTimedout(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", func(in *sdk.CreateFunctionInput) { in.Timeout = aws.Int32(1) })
	before := s.answered(s.invoke("plan", "echo", ""))
	kind, message := s.failed(s.invoke("plan", "hang", ""))
	if kind != "Sandbox.Timedout" ||
		!regexp.MustCompile(`^RequestId: [0-9a-f-]{36} Error: Task timed out after 1\.00 seconds$`).MatchString(
			message) {
		t.Errorf("%s %q", kind, message)
	}
	if after := s.answered(s.invoke("plan", "echo", "")); after.PID == before.PID {
		t.Error("the process that timed out was used again")
	}
}

func TestFunctionGetsLambdasEnvironmentAndNotTheStacks(t *testing.T) {
	t.Setenv("ALBOIDC_TEST_LEAK", "must not arrive")
	s := newStack(t, lambda.Options{ExtraEnv: map[string]string{"AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
		"COLOUR": "red"}})
	s.create("plan", func(in *sdk.CreateFunctionInput) {
		in.MemorySize = aws.Int32(256)
		in.Environment = &types.Environment{Variables: map[string]string{"COLOUR": "blue"}}
	})
	env := s.answered(s.invoke("plan", "env", "")).Env
	for k, want := range map[string]string{"AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1",
		"_HANDLER":                 "bootstrap",
		"AWS_LAMBDA_FUNCTION_NAME": "plan", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
		"AWS_LAMBDA_LOG_GROUP_NAME":       "/aws/lambda/plan", "LAMBDA_TASK_ROOT": bootstrap(t),
		"AWS_ENDPOINT_URL": "http://127.0.0.1:4566", "COLOUR": "blue"} {
		if env[k] != want {
			t.Errorf("%s = %q, want %q", k, env[k], want)
		}
	}
	for _, k := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
		"AWS_LAMBDA_RUNTIME_API"} {
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

func TestCallerThatHangsUpDoesNotStopTheFunction(t *testing.T) {
	t.Parallel()
	log := make(logged, 10)
	s := newStack(t, lambda.Options{Logs: log})
	s.create("plan", nil)
	g := newGate(t)
	ctx, hangUp := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		_, err := s.client.Invoke(ctx, &sdk.InvokeInput{FunctionName: aws.String("plan"),
			Payload: []byte(`{"do":"visit","text":"` + g.url + `"}`)})
		ended <- err
	}()
	<-g.arrived
	hangUp()
	if err := <-ended; err == nil {
		t.Fatal("the call did not end with its context")
	}
	g.open()
	if line := <-log; line != "plan visited\n" {
		t.Errorf("logged %q", line)
	}
	if a := s.answered(s.invoke("plan", "echo", "")); a.PID == 0 {
		t.Error("no process")
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
	s.service.Close()
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("Close took %s: it waited for the function", took)
	}
	if kind, message := s.failed(<-answers); kind != "Runtime.ExitError" || !strings.Contains(message,
		"signal: killed") {
		t.Errorf("%s %q", kind, message)
	}
}

func TestTwoInvocationsAtOnceHaveTwoProcesses(t *testing.T) {
	t.Parallel()
	s := newStack(t, lambda.Options{})
	s.create("plan", nil)
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
	g.open()
	if a, b := s.answered(<-answers), s.answered(<-answers); a.PID == b.PID {
		t.Error("they shared a process")
	}
}
