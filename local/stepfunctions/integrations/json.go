package integrations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/awstest/awsapi"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
)

// jsonService is a service that speaks AWS JSON, as the AWS SDK integrations call it.
type jsonService struct {
	names
	signing string
	target  string
	version string          // of the protocol
	actions map[string]bool // that the state machines use
	// inputs are the types of the actions' arguments.
	inputs awsapi.Inputs
	// modelled are the error codes that the service's API model knows.
	modelled map[string]bool
	// times are the members of results that are timestamps: numbers on the wire, ISO 8601 in Step Functions.
	times map[string]bool
	// camel: the wire's names begin with a lower case letter; the integration's never do.
	camel bool
}

func set(list ...string) map[string]bool {
	out := map[string]bool{}
	for _, s := range list {
		out[s] = true
	}
	return out
}

var dynamoErrors = set("ConditionalCheckFailedException", "ResourceNotFoundException",
	"ProvisionedThroughputExceededException", "RequestLimitExceeded",
	"InternalServerError", "TransactionConflictException", "TransactionCanceledException",
	"ItemCollectionSizeLimitExceededException", "ThrottlingException")

var eventErrors = set("ResourceNotFoundException", "InternalException", "LimitExceededException",
	"ConcurrentModificationException", "ManagedRuleException")

// jsonServices are the services of arn:aws:states:::aws-sdk:<service>:….
var jsonServices = map[string]jsonService{
	"sfn": {names: names{"Sfn", "SfnException", "Sfn", true}, signing: "states", target: "AWSStepFunctions",
		version: "1.0", camel: true,
		actions: set("describeExecution", "startExecution", "stopExecution"),
		inputs:  awsapi.InputsOf(sfn.DescribeExecutionInput{}, sfn.StartExecutionInput{}, sfn.StopExecutionInput{}),
		modelled: set("ExecutionDoesNotExist", "ExecutionAlreadyExists", "ExecutionLimitExceeded",
			"ExecutionNotRedrivable", "InvalidArn", "InvalidExecutionInput",
			"InvalidName", "InvalidToken", "StateMachineDoesNotExist", "StateMachineDeleting", "ResourceNotFound",
			"ValidationException"),
		times: set("StartDate", "StopDate", "RedriveDate")},
	"ssm": {names: names{"Ssm", "SsmException", "Ssm", true}, signing: "ssm", target: "AmazonSSM", version: "1.1",
		actions: set("getParameter"),
		inputs:  awsapi.InputsOf(ssm.GetParameterInput{}),
		modelled: set("ParameterNotFound", "ParameterVersionNotFound", "ParameterAlreadyExists", "InternalServerError",
			"InvalidKeyId", "TooManyUpdates"),
		times: set("LastModifiedDate")},
}

// sdkJSON carries out one action of a JSON service.
func (c *Client) sdkJSON(ctx context.Context, s jsonService, action string, t asl.Task) (json.RawMessage,
	*asl.TaskError) {
	a, fault := c.callJSON(ctx, s, upper(action), t, rename(t.Arguments, s.camel, lower))
	if fault != nil {
		return nil, fault
	}
	value, err := decode(a.body)
	if err != nil {
		return nil, runtimeError("the answer is not JSON: " + err.Error())
	}
	if s.camel {
		value = walkKeys(value, upper)
	}
	b, err := json.Marshal(s.isoTimes("", value))
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	return b, nil
}

// callJSON sends a request of the JSON protocol and names its error.
func (c *Client) callJSON(ctx context.Context, s jsonService, operation string, t asl.Task, body []byte) (*answer,
	*asl.TaskError) {
	if fault := checkArguments(s.inputs, operation, t.Arguments); fault != nil {
		return nil, fault
	}
	header := map[string]string{"Content-Type": "application/x-amz-json-" + s.version,
		"X-Amz-Target": s.target + "." + operation}
	a, err := c.send(ctx, t, s.signing, "/", header, body)
	if err != nil {
		return nil, s.unreachable()
	}
	if a.status >= 300 {
		p := a.problem()
		return nil, s.refused(p.Type, p.Message, a.requestID(), a.status, s.modelled[p.Type])
	}
	return a, nil
}

// checkArguments fails a task with an argument that its action does not have: Step Functions does not send it, while
// the service would ignore it.
func checkArguments(inputs awsapi.Inputs, operation string, arguments json.RawMessage) *asl.TaskError {
	if name := inputs.Unknown(operation, arguments); name != "" {
		return runtimeError(fmt.Sprintf("The Parameters could not be used to start the Task: [The field \"%s\" is not "+
			"supported by Step Functions]", name))
	}
	return nil
}

// rename changes the names of all members, if it is to.
func rename(raw json.RawMessage, wanted bool, f func(string) string) []byte {
	value, err := decode(raw)
	if !wanted || err != nil {
		return raw
	}
	b, err := json.Marshal(walkKeys(value, f))
	if err != nil {
		return raw
	}
	return b
}

// decode reads JSON without rounding numbers.
func decode(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	err := d.Decode(&v)
	return v, err
}

func walkKeys(v any, f func(string) string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[f(k)] = walkKeys(e, f)
		}
		return out
	case []any:
		for i, e := range v {
			v[i] = walkKeys(e, f)
		}
	}
	return v
}

// isoTimes turns the timestamps of a result into ISO 8601 strings, as Java's Instant writes them: with three digits
// behind the point or none.
func (s jsonService) isoTimes(key string, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			v[k] = s.isoTimes(k, e)
		}
	case []any:
		for i, e := range v {
			v[i] = s.isoTimes(key, e)
		}
	case json.Number:
		if seconds, err := v.Float64(); err == nil && s.times[key] {
			at := time.UnixMilli(int64(math.Round(seconds * 1000))).UTC()
			if at.Nanosecond() == 0 {
				return at.Format("2006-01-02T15:04:05Z")
			}
			return at.Format("2006-01-02T15:04:05.000Z")
		}
	}
	return v
}

func upper(s string) string { return first(s, unicode.ToUpper) }
func lower(s string) string { return first(s, unicode.ToLower) }

func first(s string, f func(rune) rune) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(f(r)) + s[n:]
}

// strict reads arguments into v; a parameter that v does not have is refused by name.
func strict(arguments json.RawMessage, v any) *asl.TaskError {
	d := json.NewDecoder(bytes.NewReader(arguments))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return runtimeError("The Arguments are not supported here: " + strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}
