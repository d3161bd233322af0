package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/statemachine"
)

// Fleet rotates so many clients of one Okta organization after a breach, by one fleet, within the limits of an AWS
// account and of that organization. The process is measured, so it should do nothing else.
func Fleet(ctx context.Context, n int) ([]Row, error) {
	w, err := newWorld(ctx, "okta", quick)
	if err != nil {
		return nil, err
	}
	defer w.close()
	names, err := w.AddClients(ctx, n)
	if err != nil {
		return nil, err
	}
	var chosen []statemachine.Chosen
	for _, name := range names {
		chosen = append(chosen, statemachine.Chosen{Name: name, Provider: "okta", Tenant: w.Config.Tenant()})
	}
	if err := w.CreateFleet(ctx, chosen...); err != nil {
		return nil, err
	}
	w.clock.Advance(w.Stack.ELB.Spread())
	gate := newGate(w.clock.Now, append(awsLimits(), oktaLimit))
	w.mu.Lock()
	w.hooks = append(w.hooks, gate.hear)
	w.mu.Unlock()
	w.Stack.Faults.Limit(gate.judge)
	if err := w.slow(); err != nil {
		return nil, err
	}
	refused := w.refusals()
	began, cpu := time.Now(), w.clock.Now()
	out, err := w.sfn().StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: aws.String(w.FleetARN()),
		Input: aws.String(`{"all": true, "emergency": true, "reason": "the identity provider was breached"}`)})
	if err != nil {
		return nil, fmt.Errorf("starting a fleet: %w", err)
	}
	r, err := w.Stack.StepFunctions.Wait(ctx, *out.ExecutionArn)
	if err != nil {
		return nil, err
	}
	var report struct{ Rotated int }
	if r.Status == asl.Succeeded {
		if err := json.Unmarshal(r.Output, &report); err != nil {
			return nil, err
		}
	}
	events, err := w.Stack.StepFunctions.History(*out.ExecutionArn)
	if err != nil {
		return nil, err
	}
	group := fmt.Sprintf("a leak of all %d clients, by a fleet, Okta's 600 requests a minute", n)
	return []Row{{group, "not rotated", float64(n - report.Rotated), "", goal(0), false},
		{group, "logins with a refused secret", float64(refused()), "", goal(0), false},
		{group, "events of the fleet's history", float64(len(events)), "", goal(25_000), false},
		{group, "time until the last has ended", w.clock.Now().Sub(cpu).Minutes(), "min", nil, false},
		{group, "time of this machine", time.Since(began).Seconds(), "s", nil, false},
		{group, "memory of this process, local stack included", peakMemory(), "MB", nil, false}}, nil
}
