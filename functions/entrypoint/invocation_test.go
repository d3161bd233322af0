package entrypoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
)

const (
	call = `{"call":{"client":"orders-web","execution":"arn:aws:states:eu-central-1:111122223333:execution:rotation:one"},"state":"CreateSecret","config":{},
		"from":{"versionId":"a"},"to":{"versionId":"b"},"import":true}`
	took = 1500 * time.Millisecond
)

// run sends raw to a function and returns what the state machine gets, and what was logged.
func run(ctx context.Context, raw string, handle func(context.Context, rotation.CreateInput) (rotation.CreateOutput,
	error)) (any, string, error) {
	var out bytes.Buffer
	now := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	clock := func() time.Time { now = now.Add(took); return now }
	d := invocation.Deps{Log: telemetry.New(&out, telemetry.Options{Function: "createsecret"}),
		Metrics: telemetry.NewMetrics(&out, clock), Now: clock}
	got, err := Handler("createsecret", d, handle)(ctx, json.RawMessage(raw))
	return got, out.String(), err
}

func fails(err error) func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
	return func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
		return rotation.CreateOutput{To: rotation.Ref{VersionID: "half done"}}, err
	}
}

func TestTheInputReachesTheFunctionAndItsOutputTheCaller(t *testing.T) {
	t.Parallel()
	want := rotation.CreateOutput{To: rotation.Ref{VersionID: "b", IdPSecretID: "mem-2"}}
	got, log, err := run(t.Context(), call, func(_ context.Context, in rotation.CreateInput) (rotation.CreateOutput,
		error) {
		if in.Client != "orders-web" || in.State != "CreateSecret" || in.From.VersionID != "a" ||
			in.To.VersionID != "b" || !in.Import || string(in.Config) != "{}" {
			t.Errorf("the function got %+v", in)
		}
		return want, nil
	})
	if err != nil || got != any(want) {
		t.Errorf("got %+v (%v), want %+v", got, err, want)
	}
	for _, part := range []string{`"msg":"step done"`, `"duration_ms":1500`, `"StepDuration":1500`,
		`"client":"orders-web"`, `"state":"CreateSecret"`} {
		if !strings.Contains(log, part) {
			t.Errorf("the log lacks %s: %s", part, log)
		}
	}
}

func TestInputThatIsNotTheFunctionsIsRefusedByItsPath(t *testing.T) {
	t.Parallel()
	for raw, says := range map[string]string{
		`{"client":"orders-web","dryRun":true}`:           "dryRun: is not known",
		`{"from":{"versionID":"a"}}`:                      "from.versionID: is not known",
		`{"import":"yes"}`:                                "import: must be true or false",
		`{"call":{"client":"a-web","client":"b-web"}}`:    "call.client: is given twice",
		`{"to":[{"versionId":"b"}]}`:                      "to: must be an object",
		`{"client":"orders-web"} {"client":"orders-web"}`: "has text after the JSON value",
		`nonsense`: "is not JSON",
	} {
		_, _, err := run(t.Context(), raw, func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
			t.Errorf("%s reached the function", raw)
			return rotation.CreateOutput{}, nil
		})
		named, ok := err.(messages.InvokeResponse_Error)
		if !ok || named.Type != "InvalidInput" || !strings.Contains(named.Message, says) ||
			!strings.Contains(named.Message, "function createsecret") {
			t.Errorf("%s: got %#v, want InvalidInput with %q", raw, err, says)
		}
	}
}

func TestAnErrorIsNamedByItsKind(t *testing.T) {
	t.Parallel()
	cases := map[error]failure.Kind{
		errors.New("unforeseen"):                                                failure.Internal,
		fmt.Errorf("reading: %w", context.DeadlineExceeded):                     failure.Unavailable,
		fmt.Errorf("reading: %w", context.Canceled):                             failure.Unavailable,
		fmt.Errorf("creating: %w", failure.New(failure.Throttled, "slow down")): failure.Throttled,
		failure.Wrap(failure.Precondition, failure.New(failure.Throttled, "slow down"),
			"the outer kind counts"): failure.Precondition,
	}
	for _, kind := range failure.Kinds() {
		cases[failure.New(kind, "of kind %s", kind)] = kind
	}
	for cause, kind := range cases {
		got, log, err := run(t.Context(), call, fails(cause))
		// bare: the runtime takes the errorType from this type only, not from one that wraps it
		want := messages.InvokeResponse_Error{Type: string(kind), Message: cause.Error()}
		if named, ok := err.(messages.InvokeResponse_Error); !ok || named.Type != want.Type ||
			named.Message != want.Message {
			t.Errorf("%v: got %#v, want %#v", cause, err, want)
		}
		if got != nil {
			t.Errorf("%v: the output of a failed function is passed on: %+v", cause, got)
		}
		if !strings.Contains(log, `"error_type":"`+string(kind)+`"`) || !strings.Contains(log, `"level":"ERROR"`) ||
			strings.Contains(log, "StepDuration") {
			t.Errorf("%v: the log says %s", cause, log)
		}
	}
}

func TestAVeryLongTextIsCut(t *testing.T) {
	t.Parallel()
	_, _, err := run(t.Context(), call, fails(failure.New(failure.TargetDrift, "x%s", strings.Repeat("é", 100_000))))
	named, ok := err.(messages.InvokeResponse_Error)
	if !ok || named.Type != "TargetDrift" || len(named.Message) > 16_100 || !utf8.ValidString(named.Message) ||
		!strings.HasSuffix(named.Message, "é … (the rest is left out)") {
		t.Errorf("got %s with %d characters: %.50q", named.Type, len(named.Message), named.Message)
	}
}

func TestTheFunctionIsToldToStopBeforeLambdaCutsItOff(t *testing.T) {
	t.Parallel()
	end := time.Now().Add(time.Hour)
	ctx, cancel := context.WithDeadline(t.Context(), end)
	defer cancel()
	_, _, err := run(ctx, call, func(ctx context.Context, _ rotation.CreateInput) (rotation.CreateOutput, error) {
		if got, ok := ctx.Deadline(); !ok || !got.Equal(end.Add(-time.Second)) {
			t.Errorf("the deadline is %s, want a second before %s", got, end)
		}
		return rotation.CreateOutput{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestWithoutADeadlineTheFunctionHasNone(t *testing.T) {
	t.Parallel()
	_, _, err := run(t.Context(), call, func(ctx context.Context, _ rotation.CreateInput) (rotation.CreateOutput,
		error) {
		if got, ok := ctx.Deadline(); ok {
			t.Errorf("the deadline is %s", got)
		}
		return rotation.CreateOutput{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestEveryLogLineSaysWhatItBelongsTo(t *testing.T) {
	t.Parallel()
	ctx := lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "request-7"})
	_, log, _ := run(ctx, call, fails(failure.New(failure.Throttled, "slow down")))
	var line map[string]any
	if err := json.Unmarshal([]byte(log), &line); err != nil {
		t.Fatalf("the log is not one JSON line: %v: %s", err, log)
	}
	for key, want := range map[string]any{"function": "createsecret", "rotation": "one", "client": "orders-web",
		"state":      "CreateSecret",
		"request_id": "request-7", "msg": "step failed", "error": "slow down", "duration_ms": 1500.0} {
		if line[key] != want {
			t.Errorf("%s is %v, want %v", key, line[key], want)
		}
	}
}

func TestAMeasurementThatCannotBeWrittenDoesNotFailTheStep(t *testing.T) {
	t.Parallel()
	_, log, err := run(t.Context(), `{"client":"orders-web"}`, fails(nil)) // CloudWatch has no empty dimensions
	if err != nil || !strings.Contains(log, "metric not written") {
		t.Errorf("got %v, the log says %s", err, log)
	}
}

// A panic is a bug: the runtime reports it under the name of its type and ends the process, so that nothing goes on in
// a broken state (aws-lambda-go, package lambda). It must not become an answer here.
func TestAPanicIsLeftToTheRuntime(t *testing.T) {
	t.Parallel()
	defer func() {
		if got := recover(); got != "a bug" {
			t.Errorf("the panic is %v", got)
		}
	}()
	got, _, err := run(t.Context(), call, func(context.Context, rotation.CreateInput) (rotation.CreateOutput, error) {
		panic("a bug")
	})
	t.Errorf("the panic became the answer %v, %v", got, err)
}
