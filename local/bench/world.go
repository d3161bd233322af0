package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

const (
	spread = 60 * time.Second
	grace  = 24 * time.Hour
)

// world is a stack on a virtual clock with the client deployed.
type world struct {
	clock *clock.Virtual
	*scenario.Deployment
	// interruptAt is the state of a running rotation in which an emergency begins; stopAt that in which one is stopped.
	interruptAt, stopAt string

	mu    sync.Mutex
	hooks []func(execution string, e stepfunctions.Event)
}

// newWorld deploys the client at a kind of identity provider. configure may change its configuration.
func newWorld(ctx context.Context, vendor string, configure func(*config.Client)) (*world, error) {
	w := &world{clock: clock.NewVirtual(time.Now())}
	s, err := stack.Start(ctx, stack.Options{Clock: w.clock, Vendor: vendor, Apart: true,
		Spread: []time.Duration{20 * time.Second, 55 * time.Second}, OnEvent: w.hear})
	if err != nil {
		return nil, err
	}
	functions, err := inprocess.Register(s, io.Discard)
	if err == nil {
		w.Deployment, err = scenario.Deploy(ctx, s, scenario.Options{Functions: functions,
			Settle: statemachine.Settle(statemachine.Functions()), Spread: spread, Grace: grace, Configure: configure})
	}
	if err != nil {
		_ = s.Close()
		return nil, err
	}
	w.clock.Advance(s.ELB.Spread())
	return w, nil
}

func (w *world) close() { _ = w.Stack.Close() }

func (w *world) hear(execution string, e stepfunctions.Event) {
	w.mu.Lock()
	hooks := slices.Clone(w.hooks)
	w.mu.Unlock()
	for _, f := range hooks {
		f(execution, e)
	}
}

// when calls f, once, as soon as an execution enters a state.
func (w *world) when(state string, f func(execution string)) {
	var once sync.Once
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hooks = append(w.hooks, func(execution string, e stepfunctions.Event) {
		if e.StateEntered != nil && e.StateEntered.Name == state {
			once.Do(func() { w.clock.Go(func() { f(execution) }) })
		}
	})
}

func (w *world) sfn() *sfn.Client { return sfn.NewFromConfig(w.Stack.AWS(scenario.Home)) }

func (w *world) start(ctx context.Context, input string) (string, error) {
	out, err := w.sfn().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &w.MachineARN, Input: &input})
	if err != nil {
		return "", fmt.Errorf("starting an execution: %w", err)
	}
	return *out.ExecutionArn, nil
}

// finish waits for an execution, which must succeed, and returns its history.
func (w *world) finish(ctx context.Context, execution string) ([]asl.Event, error) {
	r, err := w.Stack.StepFunctions.Wait(ctx, execution)
	if err != nil {
		return nil, err
	}
	if r.Status != asl.Succeeded {
		return nil, fmt.Errorf("the rotation ended as %s %s: %s", r.Status, aws.ToString(r.Error),
			aws.ToString(r.Cause))
	}
	return w.Stack.StepFunctions.History(execution)
}

const (
	plain     = `{"client": "orders-web"}`
	emergency = `{"client": "orders-web", "emergency": true, "reason": "a leak"}`
)

// rotate runs one execution to its end.
func (w *world) rotate(ctx context.Context, input string) ([]asl.Event, error) {
	if w.Stack.Vendor == "manual" {
		if _, err := w.StoreByHand(ctx); err != nil {
			return nil, err
		}
	}
	execution, err := w.start(ctx, input)
	if err != nil {
		return nil, err
	}
	return w.finish(ctx, execution)
}
