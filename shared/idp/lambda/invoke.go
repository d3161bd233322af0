package lambda

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
)

// Invoker sends a request to the function and returns its answer. Both may hold a secret, so no error has anything of
// them. Errors are failures; a *Wait in the chain says how long to wait.
type Invoker func(ctx context.Context, request []byte) (answer []byte, err error)

// Wait is how long the other side asks to wait.
type Wait struct{ For time.Duration }

// Error implements error.
func (w *Wait) Error() string { return "asked to wait " + w.For.String() }

// api is the part of AWS Lambda that is used.
type api interface {
	Invoke(context.Context, *sdk.InvokeInput, ...func(*sdk.Options)) (*sdk.InvokeOutput, error)
}

var _ api = (*sdk.Client)(nil)

// ByLambda invokes a function through the Lambda API, and waits for its answer. The end of the function's log is not
// asked for: it may hold anything.
func ByLambda(c aws.Config, arn string) Invoker { return invokeBy(sdk.NewFromConfig(c), arn) }

func invokeBy(a api, arn string) Invoker {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		out, err := a.Invoke(ctx, &sdk.InvokeInput{FunctionName: &arn, Payload: request}, once)
		if err != nil {
			return nil, explainInvoke(err, arn)
		}
		if out.FunctionError != nil {
			return nil, failure.New(failure.Unavailable, "the function ended without an answer (%s): its own log in "+
				"CloudWatch says why", functionError(out.Payload))
		}
		return out.Payload, nil
	}
}

// once keeps the SDK from repeating an invocation: the function may have made a secret.
func once(o *sdk.Options) { o.Retryer = aws.NopRetryer{} }

// functionErrors are those that Lambda gives itself. Any other is a name or a text of the function's.
var functionErrors = map[string]string{
	"Sandbox.Timedout":                   "it ran longer than its timeout",
	"Runtime.ExitError":                  "its process ended",
	"Runtime.OutOfMemory":                "it had not enough memory",
	"Runtime.InvalidEntrypoint":          "its program cannot be started",
	"Runtime.HandlerNotFound":            "its handler is not there",
	"Runtime.ImportModuleError":          "its code cannot be loaded",
	"Function.ResponseSizeTooLarge":      "its answer is too large",
	"Extension.Crash":                    "an extension of it ended",
	"Runtime.UserCodeSyntaxError":        "its code cannot be loaded",
	"Runtime.MarshalError":               "its answer is no JSON",
	"InvalidParameterValueException":     "its answer is too large",
	"Runtime.InvalidWorkingDirectory":    "its program cannot be started",
	"Runtime.TruncatedResponseException": "its answer broke off",
}

// functionError says how a function ended, in words of this package: the payload holds a text of the function's, which
// may hold the secret.
func functionError(payload []byte) string {
	var e struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(payload, &e) == nil && functionErrors[e.Type] != "" {
		return functionErrors[e.Type]
	}
	return "an error of its code"
}

// unknownCode is the SDK's for an answer without an error code.
const unknownCode = "UnknownError"

// explainInvoke turns an error of the Lambda API into a failure.
func explainInvoke(err error, arn string) error {
	var throttled *types.TooManyRequestsException
	var missing *types.ResourceNotFoundException
	var answered smithy.APIError
	switch {
	case errors.As(err, &missing):
		return awserr.As(failure.Precondition, err, "there is no function %s, or no such alias or version of it: "+
			"correct %s", arn, idp.Setting("functionArn"))
	case errors.As(err, &throttled):
		seconds, _ := strconv.ParseFloat(aws.ToString(throttled.RetryAfterSeconds), 64)
		return failure.Wrap(failure.Throttled, &Wait{inLimits(seconds)}, "AWS Lambda has had too many invocations, "+
			"of the account or of the function (reserved concurrency)")
	case awserr.KindOf(err) == failure.AccessDenied:
		return awserr.As(failure.IdPRejected, err, "AWS Lambda did not allow to invoke function %s; allow "+
			"lambda:InvokeFunction on exactly that ARN to the functions' roles, and, if it is in another account, in "+
			"the function's own policy, with that qualifier", arn)
	case awserr.KindOf(err) == failure.Internal && errors.As(err, &answered) && answered.ErrorCode() != unknownCode:
		return awserr.As(failure.IdPRejected, err, "AWS Lambda refused to invoke function %s", arn)
	case awserr.KindOf(err) == failure.Internal: // whoever answered, it was not AWS Lambda
		return awserr.As(failure.Unavailable, err, "invoking function %s", arn)
	default:
		return awserr.Wrap(err, "invoking function %s", arn)
	}
}

// longestTold bounds what is believed of a told wait.
const longestTold = 300

func inLimits(seconds float64) time.Duration {
	if !(seconds > 0) { // which NaN is not
		return 0
	}
	return time.Duration(min(seconds, longestTold) * float64(time.Second))
}
