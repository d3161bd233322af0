package entrypoint

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/strictjson"
	"alboidc.internal/shared/telemetry"
)

// margin is the time that a function keeps to answer with a named failure before Lambda cuts it off.
const margin = time.Second

// Input is the input of a function: a struct that embeds rotation.Common.
type Input interface{ Call() rotation.Common }

// Handler wraps a function for the Lambda runtime. name is the function's name in logs and metrics.
func Handler[In Input, Out any](name string, d invocation.Deps, handle func(context.Context, In) (Out,
	error)) Function {
	return func(ctx context.Context, raw json.RawMessage) (any, error) {
		var in In
		if err := strictjson.Decode(rotation.RewriteFormer(raw), &in,
			"").Err("the input of function " + name); err != nil {
			return nil, Name(err)
		}
		ctx, cancel := describe(ctx, in.Call())
		defer cancel()
		start := d.Now()
		out, err := handle(ctx, in)
		took := d.Now().Sub(start)
		if err != nil {
			d.Log.ErrorContext(ctx, "step failed", "error_type", string(failure.KindOf(err)), telemetry.Err(err),
				"duration_ms", took.Milliseconds())
			return nil, Name(err)
		}
		d.Log.InfoContext(ctx, "step done", "duration_ms", took.Milliseconds())
		d.NoteUnwritten(ctx, d.Metrics.StepTook(in.Call().Client, in.Call().State, took))
		return out, nil
	}
}

// describe puts the ids of the call into the context, and leaves time to answer before the function is cut off.
func describe(ctx context.Context, c rotation.Common) (context.Context, context.CancelFunc) {
	request := ""
	if lc, ok := lambdacontext.FromContext(ctx); ok {
		request = lc.AwsRequestID
	}
	ctx = telemetry.With(ctx, telemetry.Rotation(c.Execution), telemetry.Client(c.Client), telemetry.State(c.State),
		telemetry.RequestID(request))
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-margin))
	}
	return ctx, func() {}
}

// Name turns an error into the answer whose errorType is the failure's kind, which Retry and Catch match. The text is
// for people and holds no secret, because no failure's text does.
func Name(err error) error {
	return messages.InvokeResponse_Error{Type: string(failure.KindOf(err)), Message: cut(err.Error())}
}

// longest is how many bytes of a failure's text are passed on. Such texts hold names that others chose (of rules, of
// hosts), and Step Functions keeps a cause of at most 32,768 characters (API reference, TaskFailedEventDetails).
const longest = 16_000

func cut(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + " … (the rest is left out)"
}
