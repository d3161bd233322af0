package bench

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/statemachine"
)

// Fleet rotates so many clients of one Okta organization after a breach, by one fleet, within the limits of an AWS
// account and of that organization. The process is measured, so it should do nothing else.
func Fleet(ctx context.Context, n int) ([]Row, error) {
	w, err := newCrowd(ctx, n, append(awsLimits(), oktaLimit), func(w *world, names []string) error {
		var chosen []statemachine.Chosen
		for _, name := range names {
			chosen = append(chosen, statemachine.Chosen{Name: name, Provider: "okta", Tenant: w.Config.Tenant()})
		}
		return w.CreateFleet(ctx, chosen...)
	})
	if err != nil {
		return nil, err
	}
	defer w.close()
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
	return w.rows(group, n-report.Rotated,
		Row{group, "events of the fleet's history", float64(len(events)), "", goal(25_000), false},
		Row{group, "time until the last has ended", w.clock.Now().Sub(w.began).Minutes(), "min", nil, false}), nil
}
