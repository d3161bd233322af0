package scenario

import (
	"context"

	"alboidc.internal/statemachine"
)

// CreateFleet creates the state machine that rotates many clients, the deployed one or those that are given, with its
// alias.
func (d *Deployment) CreateFleet(ctx context.Context, clients ...statemachine.Chosen) error {
	if len(clients) > 0 {
		d.values.Clients = clients
	}
	arn, err := d.create(ctx, MachineName+statemachine.FleetSuffix, statemachine.Fleet)
	if err != nil {
		return err
	}
	return d.Publish(ctx, arn)
}

// FleetARN is what fleets are started with.
func (d *Deployment) FleetARN() string { return d.values.FleetToStart }
