package lambda

import (
	"context"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/aws/aws-lambda-go/lambdacontext"
)

// FunctionError is the error of a function registered in process: what a runtime would post as errorType and
// errorMessage.
type FunctionError struct {
	Type    string
	Message string
}

// inProcess is a function that is Go code of this process.
type inProcess struct {
	timeout time.Duration
	handle  func(ctx context.Context, payload []byte) ([]byte, *FunctionError)
	aliases []string
}

// RegisterInProcess makes f the function of that name in every Region, without a binary. After timeout on the service's
// clock (0 is never) the caller gets Sandbox.Timedout, and f runs on, as the last request of a killed function does;
// Killed tells from then on that it must send no other. Closing the service ends its context. On a virtual clock,
// invoke it from goroutines started with the clock's Go, or the time jumps to the timeout. The aliases exist from the
// start.
func (s *Service) RegisterInProcess(name string, timeout time.Duration,
	f func(ctx context.Context, payload []byte) ([]byte, *FunctionError), aliases ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inProcess[name] = &inProcess{timeout: timeout, handle: f, aliases: aliases}
	for _, functions := range s.functions {
		delete(functions, name)
	}
}

// killedKey is the key of a context's *atomic.Bool, which tells whether the function was killed.
type killedKey struct{}

// Killed reports whether the context is that of a function in process that has timed out: a killed function sends no
// further request. Its context does not end, because that would take back the request that is under way.
func Killed(ctx context.Context) bool {
	killed, ok := ctx.Value(killedKey{}).(*atomic.Bool)
	return ok && killed.Load()
}

// timed is a context that knows when the function is killed, on the service's clock; it does not end then.
type timed struct {
	context.Context
	deadline time.Time
}

// Deadline implements context.Context.
func (t timed) Deadline() (time.Time, bool) { return t.deadline, true }

// runInProcess calls the handler and returns when it has a result or has timed out; ok is false if the caller has gone
// before that.
func (s *Service) runInProcess(ctx context.Context, h *inProcess, inv *invocation) (r result, ok bool) {
	timeout := make(chan struct{})
	resumed := make(chan struct{}) // the caller counts as busy again: nobody else may stop being so before
	timerContext, stopTimer := context.WithCancel(s.ctx)
	timerDone := make(chan struct{})
	killed := &atomic.Bool{}
	s.clock.Go(func() {
		defer close(timerDone)
		if h.timeout > 0 && s.clock.Sleep(timerContext, h.timeout) == nil {
			killed.Store(true)
			close(timeout)
			<-resumed
		}
	})
	called := context.WithValue(s.ctx, killedKey{}, killed)
	if h.timeout > 0 {
		called = timed{called, s.clock.Now().Add(h.timeout)}
	}
	s.clock.Go(func() {
		r := h.call(lambdacontext.NewContext(called,
			&lambdacontext.LambdaContext{AwsRequestID: inv.id, InvokedFunctionArn: inv.arn}), inv.payload)
		stopTimer()
		inv.done <- r
		<-timerDone
		<-resumed
	})
	s.clock.Idle(func() {
		select {
		case r = <-inv.done:
			ok = true
		case <-timeout:
			r, ok = timedOut(inv.id, h.timeout), true
		case <-ctx.Done():
		}
	})
	close(resumed)
	return r, ok
}

// call runs the handler. A panic is an error of the function's, named by the type of its value, as in aws-lambda-go.
func (h *inProcess) call(ctx context.Context, payload []byte) (r result) {
	defer func() {
		if v := recover(); v != nil {
			t := reflect.TypeOf(v)
			if t.Kind() == reflect.Pointer {
				t = t.Elem()
			}
			r = failure(t.Name(), "%s", fmt.Sprint(v))
		}
	}()
	out, failed := h.handle(ctx, payload)
	if failed != nil {
		return failure(failed.Type, "%s", failed.Message)
	}
	return result{payload: out}
}
