package stepfunctions_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

var start = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

const role = "arn:aws:iam::111122223333:role/rotation"

// tasks answers "ok", or fails as told, or holds every call until released.
type tasks struct {
	mu   sync.Mutex
	fail string
	hold chan struct{}
}

func (f *tasks) Run(context.Context, asl.Task) (json.RawMessage, *asl.TaskError) {
	f.mu.Lock()
	fail, hold := f.fail, f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	if fail != "" {
		return nil, &asl.TaskError{Error: fail, Cause: "told to"}
	}
	return json.RawMessage(`"ok"`), nil
}

func (f *tasks) set(fail string, hold chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail, f.hold = fail, hold
}

// world is the service behind its real front door, with the SDK's client.
type world struct {
	*testing.T
	ctx     context.Context
	clock   *clock.Virtual
	tasks   *tasks
	service *stepfunctions.Service
	sfn     *sfn.Client
	url     string

	mu      sync.Mutex
	changes []stepfunctions.StatusChange
	events  map[string][]string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: clock.NewVirtual(start), tasks: &tasks{}, events: map[string][]string{}}
	s, err := stepfunctions.New(stepfunctions.Options{Clock: w.clock, Tasks: w.tasks,
		OnStatusChange: func(c stepfunctions.StatusChange) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.changes = append(w.changes, c)
		},
		OnEvent: func(arn string, e stepfunctions.Event) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.events[arn] = append(w.events[arn], e.Type)
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	server := httptest.NewServer(awsapi.NewServer(w.clock, nil, s))
	t.Cleanup(server.Close)
	w.service, w.url = s, server.URL
	w.sfn = sfn.NewFromConfig(aws.Config{Region: "eu-central-1", BaseEndpoint: &server.URL,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b",
			""), Retryer: func() aws.Retryer { return aws.NopRetryer{} }})
	return w
}

const (
	passes = `{"QueryLanguage":"JSONata","StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`
	works  = `{"QueryLanguage":"JSONata","StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","End":true}}}`
	waits  = `{"QueryLanguage":"JSONata","StartAt":"W","TimeoutSeconds":60,"States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`
)

func (w *world) create(name, definition string) string {
	w.Helper()
	out, err := w.sfn.CreateStateMachine(w.ctx, &sfn.CreateStateMachineInput{Name: &name, Definition: &definition,
		RoleArn: aws.String(role)})
	if err != nil {
		w.Fatal(err)
	}
	return *out.StateMachineArn
}

func (w *world) start(machine, name, input string) string {
	w.Helper()
	out, err := w.sfn.StartExecution(w.ctx, &sfn.StartExecutionInput{StateMachineArn: &machine, Name: &name,
		Input: &input})
	if err != nil {
		w.Fatal(err)
	}
	return *out.ExecutionArn
}

func (w *world) wait(arn string) asl.Result {
	w.Helper()
	r, err := w.service.Wait(w.ctx, arn)
	if err != nil {
		w.Fatal(err)
	}
	return r
}

func (w *world) describe(arn string) *sfn.DescribeExecutionOutput {
	w.Helper()
	out, err := w.sfn.DescribeExecution(w.ctx, &sfn.DescribeExecutionInput{ExecutionArn: &arn})
	if err != nil {
		w.Fatal(err)
	}
	return out
}

// refused checks the code and a part of the message of an error.
func (w *world) refused(err error, code, message string) {
	w.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code || !strings.Contains(e.ErrorMessage(), message) {
		w.Errorf("got %v; want %s with %q", err, code, message)
	}
}

// raw sends a request that no SDK would send, and gives the error as "code: message".
func (w *world) raw(operation, body string) string {
	w.Helper()
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.url, strings.NewReader(body))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+operation)
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=a/20260301/eu-central-1/states/aws4_request")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		w.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	var e struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&e); err != nil {
		w.Fatal(err)
	}
	if e.Type == "" {
		return strconv.Itoa(answer.StatusCode)
	}
	return e.Type + ": " + e.Message
}
