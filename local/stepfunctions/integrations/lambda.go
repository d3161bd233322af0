package integrations

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

var lambdaNames = names{prefix: "Lambda", general: "AWSLambdaException", service: "AWSLambda"}

var lambdaInputs = awsapi.InputsOf(lambda.InvokeInput{})

// lambdaErrors are the errors that the Lambda API models for Invoke.
var lambdaErrors = set("ResourceNotFoundException", "TooManyRequestsException", "ServiceException",
	"InvalidRequestContentException",
	"InvalidParameterValueException", "RequestTooLargeException", "ResourceConflictException",
	"ResourceNotReadyException", "InvalidRuntimeException")

// invokeArguments are the parameters of lambda:invoke that are honoured here.
type invokeArguments struct {
	FunctionName   string
	Qualifier      string
	InvocationType string
	Payload        json.RawMessage
}

// invoke is arn:aws:states:::lambda:invoke (developer guide, "Invoke an AWS Lambda function with Step Functions").
func (c *Client) invoke(ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
	if fault := checkArguments(lambdaInputs, "Invoke", t.Arguments); fault != nil {
		return nil, fault
	}
	var in invokeArguments
	if err := strict(t.Arguments, &in); err != nil {
		return nil, err
	}
	if in.FunctionName == "" {
		return nil, runtimeError("The field 'FunctionName' is required but was missing")
	}
	if in.InvocationType != "" && in.InvocationType != "RequestResponse" {
		return nil, runtimeError("the local stack does not implement InvocationType " + in.InvocationType)
	}
	path := "/2015-03-31/functions/" + url.PathEscape(in.FunctionName) + "/invocations"
	if in.Qualifier != "" {
		path += "?Qualifier=" + url.QueryEscape(in.Qualifier)
	}
	header := map[string]string{"Content-Type": "application/json", "X-Amz-Invocation-Type": "RequestResponse"}
	a, err := c.send(ctx, t, "lambda", path, header, in.Payload)
	if err != nil {
		return nil, lambdaNames.unreachable()
	}
	if a.status >= 300 {
		p := a.problem()
		return nil, lambdaNames.refused(p.Type, p.Message, a.requestID(), a.status, lambdaErrors[p.Type])
	}
	if a.header.Get("X-Amz-Function-Error") != "" {
		return nil, functionError(a.body)
	}
	return invokeResult(a)
}

// functionError is a handler's error: the bare errorType, and the function's JSON as the cause.
func functionError(body []byte) *asl.TaskError {
	var e struct {
		ErrorType string `json:"errorType"`
	}
	if json.Unmarshal(body, &e) != nil || e.ErrorType == "" {
		e.ErrorType = "Lambda.Unknown"
	}
	return &asl.TaskError{Error: e.ErrorType, Cause: shorten(string(body))}
}

func invokeResult(a *answer) (json.RawMessage, *asl.TaskError) {
	payload := json.RawMessage(a.body)
	if len(payload) == 0 {
		payload = json.RawMessage("null")
	} else if !json.Valid(payload) {
		text, err := json.Marshal(string(a.body))
		if err != nil {
			return nil, runtimeError(err.Error())
		}
		payload = text
	}
	version := a.header.Get("X-Amz-Executed-Version")
	if version == "" {
		version = "$LATEST"
	}
	return withMetadata(map[string]json.RawMessage{
		"ExecutedVersion": fmt.Appendf(nil, "%q", version),
		"Payload":         payload,
		"StatusCode":      fmt.Appendf(nil, "%d", a.status),
	}, a)
}
