package integrations

import (
	"context"
	"encoding/json"
	"strings"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

type action = func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError)

// optimised are the optimised integrations.
var optimised = map[string]action{
	"dynamodb:getItem":    dynamo("GetItem"),
	"dynamodb:updateItem": dynamo("UpdateItem"),
	"events:putEvents":    putEvents,
	"lambda:invoke":       (*Client).invoke,
	"sns:publish":         publish,
}

var (
	optimisedDynamo = jsonService{names: names{prefix: "DynamoDB", general: "AmazonDynamoDBException",
		service: "AmazonDynamoDBv2"},
		signing: "dynamodb", target: "DynamoDB_20120810", version: "1.0", modelled: dynamoErrors,
		inputs: awsapi.InputsOf(dynamodb.GetItemInput{}, dynamodb.UpdateItemInput{})}
	optimisedEvents = jsonService{names: names{prefix: "EventBridge", general: "AmazonEventBridgeException",
		service: "AmazonEventBridge"},
		signing: "events", target: "AWSEvents", version: "1.1", modelled: eventErrors,
		inputs: awsapi.InputsOf(eventbridge.PutEventsInput{})}
)

// dynamo is arn:aws:states:::dynamodb:… (developer guide, "Perform Amazon DynamoDB CRUD operations").
func dynamo(operation string) action {
	return func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return c.optimisedJSON(ctx, optimisedDynamo, operation, t, t.Arguments)
	}
}

func (c *Client) optimisedJSON(ctx context.Context, s jsonService, operation string, t asl.Task,
	body []byte) (json.RawMessage, *asl.TaskError) {
	a, fault := c.callJSON(ctx, s, operation, t, body)
	if fault != nil {
		return nil, fault
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(a.body, &fields); err != nil {
		return nil, runtimeError("the answer is not a JSON object: " + err.Error())
	}
	return withMetadata(fields, a)
}

// putEvents is arn:aws:states:::events:putEvents (developer guide, "Add EventBridge events with Step Functions"): a
// Detail may be an object, Resources get the execution and its machine, and one failed entry fails the task.
func putEvents(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
	var in struct{ Entries []map[string]json.RawMessage }
	if err := strict(t.Arguments, &in); err != nil {
		return nil, err
	}
	for _, e := range in.Entries {
		if err := completeEntry(e, t.ExecutionARN); err != nil {
			return nil, runtimeError(err.Error())
		}
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	out, fault := c.optimisedJSON(ctx, optimisedEvents, "PutEvents", t, body)
	if fault != nil {
		return nil, fault
	}
	var result struct{ FailedEntryCount int }
	if err := json.Unmarshal(out, &result); err != nil {
		return nil, runtimeError(err.Error())
	}
	if result.FailedEntryCount > 0 {
		return nil, &asl.TaskError{Error: "EventBridge.FailedEntry", Cause: shorten(string(out))}
	}
	return out, nil
}

func completeEntry(e map[string]json.RawMessage, executionARN string) error {
	if detail, ok := e["Detail"]; ok && detail[0] == '{' {
		text, err := json.Marshal(string(detail))
		if err != nil {
			return err
		}
		e["Detail"] = text
	}
	var resources []string
	if raw, ok := e["Resources"]; ok {
		if err := json.Unmarshal(raw, &resources); err != nil {
			return err
		}
	}
	machine := executionARN[:strings.LastIndexByte(executionARN, ':')]
	resources = append(resources, executionARN, strings.Replace(machine, ":execution:", ":stateMachine:", 1))
	text, err := json.Marshal(resources)
	e["Resources"] = text
	return err
}
