package integrations

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
)

var snsInputs = awsapi.InputsOf(sns.PublishInput{})

var snsNames = names{prefix: "SNS", general: "AmazonSNSException", service: "AmazonSNS"}

// publish is arn:aws:states:::sns:publish (developer guide, "Publish messages to an Amazon SNS topic with Step
// Functions"). A Message that is JSON other than a string is sent as its text. SNS does not speak JSON, so it is called
// through its SDK client, whose members are called what Step Functions calls them; retrying is the state machine's
// business.
func publish(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
	if fault := checkArguments(snsInputs, "Publish", t.Arguments); fault != nil {
		return nil, fault
	}
	var in sns.PublishInput
	if err := strict(textMessage(t.Arguments), &in); err != nil {
		return nil, err
	}
	out, err := sns.New(sns.Options{Region: t.Region, BaseEndpoint: &c.Endpoint, HTTPClient: c.HTTP,
		Retryer:     aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(key(t), "local", "")}).Publish(ctx, &in)
	if err != nil {
		return nil, snsNames.clientError(err)
	}
	b, err := json.Marshal(map[string]string{"MessageId": aws.ToString(out.MessageId)})
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	return b, nil
}

func textMessage(arguments json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(arguments, &fields) != nil || len(fields["Message"]) == 0 || fields["Message"][0] == '"' {
		return arguments
	}
	text, err := json.Marshal(string(fields["Message"]))
	if err != nil {
		return arguments
	}
	fields["Message"] = text
	b, err := json.Marshal(fields)
	if err != nil {
		return arguments
	}
	return b
}

// clientError names the error of an SDK client. A type of its own means that the API models the error.
func (n names) clientError(err error) *asl.TaskError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		var invalid *smithy.InvalidParamsError
		if errors.As(err, &invalid) {
			return runtimeError(invalid.Error())
		}
		return n.unreachable()
	}
	var resp *awshttp.ResponseError
	status, id := 400, ""
	if errors.As(err, &resp) {
		status, id = resp.HTTPStatusCode(), resp.ServiceRequestID()
	}
	var general *smithy.GenericAPIError
	return n.refused(api.ErrorCode(), api.ErrorMessage(), id, status, !errors.As(err, &general))
}
