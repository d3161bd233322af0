package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/lambda"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-lambda-go/lambdacontext"
	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

// on runs f as a busy goroutine of the clock, as the state machine calls functions.
func on(c *clock.Virtual, f func()) {
	done := make(chan struct{})
	c.Go(func() { defer close(done); f() })
	<-done
}

func TestFunctionRegisteredInProcessAnswersAsAnyOther(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	s := newStack(t, lambda.Options{Clock: c})
	s.service.RegisterInProcess("plan", 30*time.Second, func(ctx context.Context, payload []byte) ([]byte,
		*lambda.FunctionError) {
		lc, _ := lambdacontext.FromContext(ctx)
		return json.RawMessage(`{"text":"got ` + string(payload[1:len(payload)-1]) + `","arn":"` +
			lc.InvokedFunctionArn + `"}`), nil
	})
	s.service.RegisterInProcess("fail", time.Second, func(context.Context, []byte) ([]byte, *lambda.FunctionError) {
		return nil, &lambda.FunctionError{Type: "LockHeld", Message: "held"}
	})
	s.service.RegisterInProcess("panic", time.Second, func(context.Context, []byte) ([]byte, *lambda.FunctionError) {
		panic(errors.New("oh"))
	})
	on(c, func() {
		out, err := s.client.Invoke(context.Background(),
			&sdk.InvokeInput{FunctionName: aws.String("arn:aws:lambda:eu-central-1:111122223333:function:plan"),
				Payload: []byte(`"x"`)})
		if err != nil {
			t.Error(err)
			return
		}
		if a := s.answered(out); a.Text != "got x" ||
			a.ARN != "arn:aws:lambda:eu-central-1:111122223333:function:plan" {
			t.Errorf("answer %+v", a)
		}
		for name, want := range map[string]string{"fail": "LockHeld", "panic": "errorString"} {
			out, err := s.try(name, "", "")
			if err != nil {
				t.Error(err)
				return
			}
			if kind, _ := s.failed(out); kind != want {
				t.Errorf("%s gave %s, want %s", name, kind, want)
			}
		}
	})
	if !c.Now().Equal(start()) {
		t.Errorf("the clock moved to %s", c.Now())
	}
}

func TestAFunctionInProcessTimesOutOnTheClockAndRunsOn(t *testing.T) {
	t.Parallel()
	c := clock.NewVirtual(start())
	s := newStack(t, lambda.Options{Clock: c})
	landed := make(chan time.Time, 1)
	s.service.RegisterInProcess("update", 30*time.Second, func(ctx context.Context, _ []byte) ([]byte,
		*lambda.FunctionError) {
		if lambda.Killed(ctx) {
			t.Error("killed at once")
		}
		_ = c.Sleep(ctx, time.Minute)
		if !lambda.Killed(ctx) {
			t.Error("not killed after its timeout")
		}
		landed <- c.Now()
		return []byte("{}"), nil
	})
	on(c, func() {
		out, err := s.try("update", "", "")
		if err != nil {
			t.Error(err)
			return
		}
		if kind, message := s.failed(out); kind != "Sandbox.Timedout" || !strings.HasSuffix(message,
			"Task timed out after 30.00 seconds") {
			t.Errorf("%s %q", kind, message)
		}
		if got := c.Now().Sub(start()); got != 30*time.Second {
			t.Errorf("timed out after %s", got)
		}
		if err := c.Sleep(context.Background(), time.Hour); err != nil {
			t.Error(err)
		}
	})
	if got := (<-landed).Sub(start()); got != time.Minute {
		t.Errorf("landed after %s", got)
	}
}
