package stepfunctions_test

import (
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/ssm"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
)

// stackWithFaults is a small stack behind one front door, where tasks and the client meet the same faults.
func stackWithFaults(t *testing.T, faults *fault.Injector) (*stepfunctions.Service, *sfn.Client, *clock.Virtual) {
	t.Helper()
	c := clock.NewVirtual(start)
	server := httptest.NewUnstartedServer(nil)
	endpoint := "http://" + server.Listener.Addr().String()
	s, err := stepfunctions.New(stepfunctions.Options{Clock: c, Endpoint: endpoint})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = awsapi.NewServer(c, faults, s, ssm.New(c))
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(s.Close)
	return s, sfn.NewFromConfig(aws.Config{Region: "eu-central-1", BaseEndpoint: &endpoint,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}), c
}

// runOne executes a machine of one Task.
func runOne(t *testing.T, s *stepfunctions.Service, client *sfn.Client, task string) (asl.Result,
	[]stepfunctions.Event) {
	t.Helper()
	definition := `{"QueryLanguage":"JSONata","StartAt":"T","States":{"T":{"Type":"Task","End":true,` + task + `}}}`
	m, err := client.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: aws.String("m"),
		Definition: &definition, RoleArn: aws.String(role)})
	if err != nil {
		t.Fatal(err)
	}
	e, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: m.StateMachineArn})
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Wait(t.Context(), *e.ExecutionArn)
	if err != nil {
		t.Fatal(err)
	}
	history, err := s.History(*e.ExecutionArn)
	if err != nil {
		t.Fatal(err)
	}
	return r, history
}

const getParameter = `"Resource":"arn:aws:states:::aws-sdk:ssm:getParameter","Arguments":{"Name":"/missing"}`

func TestTasksReachTheServicesBehindTheSameEndpoint(t *testing.T) {
	t.Parallel()
	s, client, _ := stackWithFaults(t, nil)
	r, _ := runOne(t, s, client, getParameter)
	if r.Status != asl.Failed || *r.Error != "Ssm.ParameterNotFoundException" {
		t.Errorf("ended %s %v", r.Status, r.Error)
	}
}

func TestALostReplyIsTheServicesClientExceptionAndIsRetried(t *testing.T) {
	t.Parallel()
	faults := &fault.Injector{}
	if _, err := faults.Add(fault.Rule{Service: "ssm", Operation: "GetParameter", Mode: fault.Lose,
		Times: 1}); err != nil {
		t.Fatal(err)
	}
	s, client, c := stackWithFaults(t, faults)
	r, history := runOne(t, s, client, getParameter+
		`,"Retry":[{"ErrorEquals":["Ssm.SdkClientException"],"IntervalSeconds":30}]`)
	if r.Status != asl.Failed || *r.Error != "Ssm.ParameterNotFoundException" || c.Now().Sub(start) != 30*time.Second {
		t.Errorf("ended %s %v after %s", r.Status, r.Error, c.Now().Sub(start))
	}
	if e := history[4]; e.Type != "TaskFailed" || *e.TaskFailed.Error != "Ssm.SdkClientException" {
		t.Errorf("fifth event %+v", e)
	}
}

func TestATaskTimesOutOnTheClockWhileTheServiceIsSlow(t *testing.T) {
	t.Parallel()
	faults := &fault.Injector{}
	if _, err := faults.Add(fault.Rule{Service: "ssm", Operation: "GetParameter", Mode: fault.Delay,
		Latency: time.Hour}); err != nil {
		t.Fatal(err)
	}
	s, client, _ := stackWithFaults(t, faults)
	r, history := runOne(t, s, client, getParameter+`,"TimeoutSeconds":30`)
	if r.Status != asl.Failed || *r.Error != "States.Timeout" || r.Cause != nil || r.At.Sub(start) != 30*time.Second {
		t.Errorf("ended %s %v after %s", r.Status, r.Error, r.At.Sub(start))
	}
	if e := history[4]; e.Type != "TaskTimedOut" {
		t.Errorf("fifth event %+v", e)
	}
}
