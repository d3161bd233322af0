package integrations_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions/integrations"
	"alboidc.internal/shared/clock"
)

// exchange is one request that a task must send, and the answer to it.
type exchange struct {
	resource, arguments string
	// the request
	path, target, signingName, body string
	// the answer; status 0 drops the connection
	status int
	header map[string]string
	answer string
	// what the task must come to
	result, err, cause string
}

const execution = "arn:aws:states:eu-central-1:111122223333:execution:rotation:e"

func (x exchange) check(t *testing.T) {
	t.Helper()
	var asked atomic.Bool
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Store(true)
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if got := r.URL.RequestURI(); r.Method != http.MethodPost || got != x.path {
			t.Errorf("%s: %s %s; want POST %s", x.resource, r.Method, got, x.path)
		}
		if got := r.Header.Get("X-Amz-Target"); got != x.target {
			t.Errorf("%s: target %q; want %q", x.resource, got, x.target)
		}
		if got := r.Header.Get("Authorization"); !strings.Contains(got,
			"/eu-central-1/"+x.signingName+"/aws4_request") {
			t.Errorf("%s: authorization %q", x.resource, got)
		}
		if x.body != "" && string(body) != x.body {
			t.Errorf("%s: sent %s; want %s", x.resource, body, x.body)
		}
		if x.status == 0 {
			panic(http.ErrAbortHandler)
		}
		w.Header().Set("x-amzn-RequestId", "r-1")
		for k, v := range x.header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(x.status)
		_, _ = io.WriteString(w, x.answer)
	}))
	defer server.Close()
	c := &integrations.Client{Endpoint: server.URL, HTTP: server.Client(),
		Clock: clock.NewVirtual(time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC))}
	out, fault := c.Run(t.Context(), asl.Task{Resource: "arn:aws:states:::" + x.resource,
		Arguments: json.RawMessage(x.arguments), Region: "eu-central-1", ExecutionARN: execution})
	out = withoutHeaders(t, out)
	if asked.Load() != (x.path != "") {
		t.Errorf("%s: asked %v", x.resource, asked.Load())
	}
	switch {
	case x.err == "" && (fault != nil || string(out) != x.result):
		t.Errorf("%s: got %s %+v; want %s", x.resource, out, fault, x.result)
	case x.err != "" && (fault == nil || fault.Error != x.err || !strings.Contains(fault.Cause, x.cause)):
		t.Errorf("%s: got %s %+v; want %s with %q", x.resource, out, fault, x.err, x.cause)
	}
}

// withoutHeaders takes the HTTP headers out of an optimised integration's result.
func withoutHeaders(t *testing.T, result json.RawMessage) json.RawMessage {
	t.Helper()
	var fields map[string]json.RawMessage
	if json.Unmarshal(result, &fields) != nil || fields["SdkHttpMetadata"] == nil {
		return result
	}
	var metadata struct {
		AllHttpHeaders map[string][]string
		HttpHeaders    map[string]string
		HttpStatusCode int
	}
	if err := json.Unmarshal(fields["SdkHttpMetadata"], &metadata); err != nil {
		t.Fatal(err)
	}
	if id := metadata.HttpHeaders["X-Amzn-Requestid"]; id != "r-1" ||
		metadata.AllHttpHeaders["X-Amzn-Requestid"][0] != id {
		t.Errorf("headers %+v", metadata)
	}
	fields["SdkHttpMetadata"] = fmt.Appendf(nil, `{"HttpStatusCode":%d}`, metadata.HttpStatusCode)
	out, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const invocations = "/2015-03-31/functions/plan/invocations"

func TestLambdaInvokeShowsThePayloadAndTheBareErrorType(t *testing.T) {
	t.Parallel()
	for _, x := range []exchange{
		{arguments: `{"FunctionName":"plan","Payload":{"client":"a"}}`, path: invocations, body: `{"client":"a"}`,
			status: 200, header: map[string]string{"X-Amz-Executed-Version": "7"}, answer: `{"n":1.50}`,
			result: `{"ExecutedVersion":"7","Payload":{"n":1.50},"SdkHttpMetadata":{"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r-1"},"StatusCode":200}`},
		{
			arguments: `{"FunctionName":"arn:aws:lambda:eu-central-1:111122223333:function:plan","Qualifier":"live","Payload":1}`,
			path:      "/2015-03-31/functions/arn:aws:lambda:eu-central-1:111122223333:function:plan/invocations?Qualifier=live", body: `1`, status: 200, answer: `null`,
			result: `{"ExecutedVersion":"$LATEST","Payload":null,"SdkHttpMetadata":{"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r-1"},"StatusCode":200}`},
		{arguments: `{"FunctionName":"plan","Payload":{}}`, path: invocations, status: 200,
			header: map[string]string{"X-Amz-Function-Error": "Unhandled"},
			answer: `{"errorMessage":"busy","errorType":"LockHeld"}`, err: "LockHeld",
			cause: `{"errorMessage":"busy","errorType":"LockHeld"}`},
		{arguments: `{"FunctionName":"plan"}`, path: invocations, status: 429,
			answer: `{"__type":"TooManyRequestsException","message":"slow down"}`,
			err:    "Lambda.TooManyRequestsException",
			cause: "slow down (Service: AWSLambda; Status Code: 429; Error " +
				"Code: TooManyRequestsException; Request ID: r-1; Proxy: null)"},
		{arguments: `{"FunctionName":"plan"}`, path: invocations, status: 404,
			header: map[string]string{"x-amzn-ErrorType": "ResourceNotFoundException"}, answer: `{"Message":"gone"}`,
			err: "Lambda.ResourceNotFoundException", cause: "gone (Service: AWSLambda; Status Code: 404"},
		{arguments: `{"FunctionName":"plan"}`, path: invocations, status: 500,
			answer: `{"__type":"ServiceException","message":"m"}`, err: "Lambda.ServiceException"},
		{arguments: `{"FunctionName":"plan"}`, path: invocations, status: 500,
			answer: `{"__type":"InternalFailure","message":"m"}`, err: "Lambda.AWSLambdaException"},
		{arguments: `{"FunctionName":"plan"}`, path: invocations, err: "Lambda.SdkClientException"},
		{arguments: `{"Payload":{}}`, err: "States.Runtime", cause: "FunctionName"},
		{arguments: `{"FunctionName":"plan","LogType":"Tail"}`, err: "States.Runtime", cause: "LogType"},
		{arguments: `{"FunctionName":"plan","InvocationType":"Event"}`, err: "States.Runtime", cause: "Event"},
	} {
		x.resource, x.signingName = "lambda:invoke", "lambda"
		x.check(t)
	}
}

func TestDynamoDBsErrorsAreNamedAsTheOptimisedIntegrationDoes(t *testing.T) {
	t.Parallel()
	update := `{"TableName":"journal","Key":{"client":{"S":"a"}}}`
	for _, x := range []exchange{
		{resource: "dynamodb:updateItem", status: 200, answer: `{"Attributes":{"n":{"N":"1"}}}`, body: update,
			result: `{"Attributes":{"n":{"N":"1"}},"SdkHttpMetadata":{"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r-1"}}`},
		{resource: "dynamodb:updateItem", status: 400,
			answer: `{"__type":"com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException","message":"The conditional request failed"}`,
			err:    "DynamoDB.ConditionalCheckFailedException", cause: "The conditional request failed (Service: " +
				"AmazonDynamoDBv2; Status Code: 400; Error Code: ConditionalCheckFailedException; Request ID: r-1; " +
				"Proxy: null)"},
		{resource: "dynamodb:updateItem", status: 400, answer: `{"__type":"ValidationException","message":"m"}`,
			err: "DynamoDB.AmazonDynamoDBException"},
		{resource: "dynamodb:updateItem", err: "DynamoDB.SdkClientException"},
	} {
		x.arguments, x.path, x.target, x.signingName = update, "/", "DynamoDB_20120810.UpdateItem", "dynamodb"
		x.check(t)
	}
}

func TestSDKIntegrationsSpeakPascalCaseAndISOTimes(t *testing.T) {
	t.Parallel()
	for _, x := range []exchange{
		{resource: "aws-sdk:ssm:getParameter", arguments: `{"Name":"/c"}`, target: "AmazonSSM.GetParameter",
			signingName: "ssm", body: `{"Name":"/c"}`, status: 200,
			answer: `{"Parameter":{"Name":"/c","Value":"{}","Version":3,"LastModifiedDate":1772359200.5}}`,
			result: `{"Parameter":{"LastModifiedDate":"2026-03-01T10:00:00.500Z","Name":"/c","Value":"{}","Version":3}}`},
		{resource: "aws-sdk:ssm:getParameter", arguments: `{"Name":"/c"}`, target: "AmazonSSM.GetParameter",
			signingName: "ssm", status: 400,
			answer: `{"__type":"ParameterNotFound"}`, err: "Ssm.ParameterNotFoundException"},
		{resource: "aws-sdk:ssm:getParameter", arguments: `{"Name":"/c"}`, target: "AmazonSSM.GetParameter",
			signingName: "ssm", err: "Ssm.SdkClientException"},
		{resource: "aws-sdk:sfn:describeExecution", arguments: `{"ExecutionArn":"x"}`,
			target: "AWSStepFunctions.DescribeExecution", signingName: "states",
			body: `{"executionArn":"x"}`, status: 200,
			answer: `{"executionArn":"x","startDate":1772359200.000,"inputDetails":{"included":true}}`,
			result: `{"ExecutionArn":"x","InputDetails":{"Included":true},"StartDate":"2026-03-01T10:00:00Z"}`},
		{resource: "aws-sdk:sfn:describeExecution", arguments: `{"ExecutionArn":"x"}`,
			target: "AWSStepFunctions.DescribeExecution", signingName: "states", status: 400,
			answer: `{"__type":"ExecutionDoesNotExist","message":"m"}`, err: "Sfn.ExecutionDoesNotExistException"},
		{resource: "aws-sdk:ssm:getParameter", arguments: `{"Name":"/c"}`, target: "AmazonSSM.GetParameter",
			signingName: "ssm", status: 400,
			answer: `{"__type":"AccessDeniedException","Message":"no"}`, err: "Ssm.SsmException",
			cause: "no (Service: Ssm, Status Code: 400"},
	} {
		x.path = "/"
		x.check(t)
	}
}

func TestPutEventsSendsTextAndFailsForOneFailedEntry(t *testing.T) {
	t.Parallel()
	for _, x := range []exchange{
		{status: 200, answer: `{"FailedEntryCount":0,"Entries":[{"EventId":"1"}]}`,
			result: `{"Entries":[{"EventId":"1"}],"FailedEntryCount":0,"SdkHttpMetadata":{"HttpStatusCode":200},"SdkResponseMetadata":{"RequestId":"r-1"}}`},
		{status: 200, answer: `{"FailedEntryCount":1,"Entries":[{"ErrorCode":"x"}]}`, err: "EventBridge.FailedEntry",
			cause: `"ErrorCode":"x"`},
	} {
		x.resource, x.path, x.target, x.signingName = "events:putEvents", "/", "AWSEvents.PutEvents", "events"
		x.arguments = `{"Entries":[{"Source":"s","Detail":{"a":1}}]}`
		x.body = `{"Entries":[{"Detail":"{\"a\":1}","Resources":["` + execution +
			`","arn:aws:states:eu-central-1:111122223333:stateMachine:rotation"],"Source":"s"}]}`
		x.check(t)
	}
}

func TestPublishIsCalledThroughTheClientOfSNS(t *testing.T) {
	t.Parallel()
	xml := map[string]string{"Content-Type": "text/xml"}
	refusal := `<ErrorResponse><Error><Type>Sender</Type><Code>NotFound</Code><Message>no topic</Message></Error><RequestId>r-1</RequestId></ErrorResponse>`
	for _, x := range []exchange{
		{resource: "sns:publish", arguments: `{"TopicArn":"t","Message":{"a":1}}`, signingName: "sns",
			body: "Action=Publish&Message=%7B%22a%22%3A1%7D&TopicArn=t&Version=2010-03-31", status: 200, header: xml,
			answer: `<PublishResponse><PublishResult><MessageId>m</MessageId></PublishResult></PublishResponse>`,
			result: `{"MessageId":"m"}`},
		{resource: "sns:publish", arguments: `{"TopicArn":"t","Message":"a"}`, signingName: "sns", status: 404,
			header: xml, answer: refusal,
			err: "SNS.NotFoundException", cause: "no topic (Service: AmazonSNS; Status Code: 404"},
		{resource: "sns:publish", arguments: `{"TopicArn":"t","Message":"a"}`, signingName: "sns",
			err: "SNS.SdkClientException"},
		{resource: "sns:publish", arguments: `{"TopicArn":"t","Message":"a"}`, signingName: "sns", status: 400,
			header: xml,
			answer: strings.Replace(refusal, "NotFound", "Strange", 1), err: "SNS.AmazonSNSException"},
	} {
		x.path = "/"
		x.check(t)
	}
}

// The services would ignore such a member, and a condition with it.
func TestAnArgumentThatTheActionDoesNotHaveFailsTheTask(t *testing.T) {
	t.Parallel()
	for _, x := range []exchange{
		{resource: "dynamodb:updateItem", cause: `"ConditionExpresion"`,
			arguments: `{"TableName":"t","Key":{"client":{"S":"a"}},"ConditionExpresion":"attribute_not_exists(a)"}`},
		{resource: "dynamodb:getItem", cause: `"tableName"`, arguments: `{"tableName":"t"}`},
		{resource: "aws-sdk:ssm:getParameter", cause: `"Nmae"`, arguments: `{"Nmae":"/c"}`},
		{resource: "aws-sdk:sfn:startExecution", cause: `"stateMachineArn"`, arguments: `{"stateMachineArn":"x"}`},
		{resource: "events:putEvents", cause: `"Entries.Sorce"`,
			arguments: `{"Entries":[{"Sorce":"s","Detail":{"a":1}}]}`},
		{resource: "lambda:invoke", cause: `"functionName"`, arguments: `{"functionName":"plan"}`},
		{resource: "lambda:invoke", cause: "Paylod", arguments: `{"FunctionName":"plan","Paylod":{}}`},
		{resource: "sns:publish", cause: "Mesage", arguments: `{"TopicArn":"t","Mesage":"a"}`},
	} {
		x.err = "States.Runtime"
		x.check(t)
	}
}

func TestAResourceThatIsNotImplementedIsRefusedByName(t *testing.T) {
	t.Parallel()
	for _, resource := range []string{"aws-sdk:s3:getObject", "aws-sdk:sfn:listExecutions", "sqs:sendMessage"} {
		exchange{resource: resource, arguments: `{}`, err: "States.Runtime", cause: resource}.check(t)
	}
}

// The state machines and this package must not drift apart.
func TestTheResourcesOfTheStateMachinesAreImplemented(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	c := &integrations.Client{Endpoint: server.URL, HTTP: server.Client(), Clock: clock.Real{}}
	resources := 0
	for _, file := range []string{"rotation.asl.json", "notifier.asl.json"} {
		definition, err := os.ReadFile(filepath.Join("..", "..", "..", "statemachine", file))
		if err != nil {
			t.Fatal(err)
		}
		for _, part := range strings.Split(string(definition), `"Resource": "`)[1:] {
			resource, _, _ := strings.Cut(strings.Replace(part, "${Partition}", "aws", 1), `"`)
			resources++
			task := asl.Task{Resource: resource, Arguments: json.RawMessage(`{}`), Region: "eu-central-1",
				ExecutionARN: execution}
			_, fault := c.Run(t.Context(), task)
			if fault == nil || strings.Contains(fault.Cause, "does not implement") {
				t.Errorf("%s: %+v", resource, fault)
			}
		}
	}
	if resources == 0 {
		t.Error("the state machines have no resources")
	}
}
