package conformance

import (
	"context"
	"fmt"
	"slices"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/secret"
)

// Names of rules that some vendors cannot keep.
const (
	// RuleRemoveOld and RuleRemoveNew are broken where a person removes secrets.
	RuleRemoveOld = "the old secret can be removed, and the new one stays accepted"
	RuleRemoveNew = "a new secret can be removed again, and the old one stays accepted"
	// RuleEnable and RuleDisableAbsent are broken by a vendor with one slot: to enable the old secret is to end the
	// new.
	RuleEnable        = "a disabled secret is refused but comes back"
	RuleDisableAbsent = "disabling or enabling an absent secret is a failed precondition"
	// RuleLostCreate is broken by vendors whose secrets cannot be listed.
	RuleLostCreate = "a secret whose reply was lost is found by listing"
)

// Rules are all, in an order in which the first that is broken says most.
func Rules() []Rule {
	return append([]Rule{
		{Name: "the capabilities agree with each other and with the methods", check: capabilitiesAgree},
		{Name: "a good registration passes the check, which changes nothing", check: checkPasses},
		{Name: "the list shows the existing secret", check: listShowsExisting},
		{Name: "a created secret is listed and accepted", check: createdIsAccepted},
		{Name: "creating a secret does to the others what the model says", check: createKeepsOthers},
		{Name: "a repeated create makes another secret, up to the limit", check: createUpToLimit},
		{Name: RuleRemoveOld, check: removeOld},
		{Name: RuleRemoveNew, check: removeNew},
		{Name: RuleEnable, check: disableAndEnable},
		{Name: "a disabled secret can be removed", check: removeDisabled},
		{Name: "secrets that are not named are left alone", check: leavesOthers},
		{Name: RuleDisableAbsent, check: disableAbsent},
	}, faultRules()...)
}

func capabilitiesAgree(_ context.Context, c *client) error {
	caps := c.capabilities()
	_, disables := c.provider.(idp.Disabler)
	switch {
	case !slices.Contains([]idp.Model{idp.NamedSet, idp.CurrentPrevious, idp.ClientPair, idp.InPlace, idp.ByHand},
		caps.Model):
		return fmt.Errorf("model %q is not one of package idp", caps.Model)
	case caps.MaxSecrets == 1:
		return fmt.Errorf("at MaxSecrets is 1, which leaves no room for a new secret beside the old one")
	case disables != caps.CanDisable:
		return fmt.Errorf("at CanDisable is %t, but being a Disabler is %t", caps.CanDisable, disables)
	case caps.Probe.Grant != idp.AuthorizationCode && caps.Probe.Grant != idp.ClientCredentials:
		return fmt.Errorf("grant %q of the probe is not one of package idp", caps.Probe.Grant)
	case caps.Probe.Grant == idp.AuthorizationCode && len(caps.Probe.Accepted) == 0:
		return fmt.Errorf("a probe by an invented code needs an error code that means accepted")
	case len(caps.Probe.Rejected) == 0:
		return fmt.Errorf("a probe needs an error code that means rejected")
	}
	for _, code := range caps.Probe.Accepted {
		if slices.Contains(caps.Probe.Rejected, code) {
			return fmt.Errorf("error code %s of the probe means both accepted and rejected", code)
		}
	}
	return nil
}

func checkPasses(ctx context.Context, c *client) error {
	before := c.snapshot()
	if err := c.check(ctx); err != nil {
		return fmt.Errorf("at Check: %w", err)
	}
	return c.unchanged(before)
}

func listShowsExisting(ctx context.Context, c *client) error {
	list, err := c.list(ctx)
	if err != nil {
		return fmt.Errorf("at List: %w", err)
	}
	if len(list) != 1 || list[0].ID != c.id || list[0].Status != idp.Active {
		return fmt.Errorf("at List is %+v, want the active secret %s alone", list, c.id)
	}
	if !list[0].Until.IsZero() && !c.capabilities().TellsEnd {
		return fmt.Errorf("the list says when the secret ends, but TellsEnd is false")
	}
	return nil
}

func createdIsAccepted(ctx context.Context, c *client) error {
	asked := len(c.values)
	made, err := c.create(ctx)
	if err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	if made.Value.IsZero() || !c.backend.Accepts(made.Value) {
		return fmt.Errorf("the value that Create returned is not accepted")
	}
	if c.capabilities().AcceptsValue && !made.Value.Equal(c.values[asked]) {
		return fmt.Errorf("the vendor did not take the caller's value")
	}
	s, err := c.find(ctx, made.ID)
	if err != nil {
		return err
	}
	if s.Status != idp.Active {
		return fmt.Errorf("the new secret's status is %s, want %s", s.Status, idp.Active)
	}
	if c.capabilities().KeepsTag != (s.Tag == c.tag) {
		return fmt.Errorf("at KeepsTag is %t, but the listed tag is %q", c.capabilities().KeepsTag, s.Tag)
	}
	return nil
}

func createKeepsOthers(ctx context.Context, c *client) error {
	if _, err := c.create(ctx); err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	want := !c.capabilities().ReplacesInPlace()
	if got := c.backend.Accepts(c.value); got != want {
		return fmt.Errorf("after Create the old secret's being accepted is %t, want %t for model %s", got, want,
			c.capabilities().Model)
	}
	if c.capabilities().HasIDs() && !slices.Contains(c.backend.IDs(), c.id) {
		return fmt.Errorf("after Create the old secret %s is gone", c.id)
	}
	return nil
}

// createUpToLimit fills the client. At the limit the provider refuses, even if the vendor would drop the oldest.
func createUpToLimit(ctx context.Context, c *client) error {
	room := 5
	if limit := c.capabilities().MaxSecrets; limit > 0 {
		room = limit - 1
	}
	seen := map[string]bool{}
	for range room {
		made, err := c.create(ctx)
		if err != nil {
			return fmt.Errorf("at Create below the limit: %w", err)
		}
		if seen[made.ID] || made.ID == "" || made.ID == c.id {
			return fmt.Errorf("the id %q of a new secret is empty, or was used before", made.ID)
		}
		seen[made.ID] = true
	}
	if c.capabilities().MaxSecrets == 0 {
		return nil
	}
	before := c.snapshot()
	_, err := c.create(ctx)
	if !failure.Is(err, failure.IdPRejected) && !failure.Is(err, failure.Precondition) {
		return fmt.Errorf("at Create beyond the limit: %v, want %s or %s", err, failure.IdPRejected,
			failure.Precondition)
	}
	return c.unchanged(before)
}

func removeOld(ctx context.Context, c *client) error {
	made, err := c.create(ctx)
	if err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	c.promote(made.ID)
	return c.checkRemoved(ctx, c.id, c.value, made.Value)
}

func removeNew(ctx context.Context, c *client) error {
	made, err := c.create(ctx)
	if err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	return c.checkRemoved(ctx, made.ID, made.Value, c.value)
}

// leavesOthers fills the client of a named set, and retires one after the other: each of the others must stay as it is,
// whoever made it.
func leavesOthers(ctx context.Context, c *client) error {
	room := 4
	if limit := c.capabilities().MaxSecrets; limit > 0 {
		room = limit - 1
	}
	if !c.capabilities().HasIDs() {
		return nil // the others are the provider's to end; package withoutids has rules of its own
	}
	values := map[string]secret.Value{c.id: c.value}
	var order []string
	for range room {
		made, err := c.create(ctx)
		if err != nil {
			return fmt.Errorf("at Create: %w", err)
		}
		values[made.ID], order = made.Value, append(order, made.ID)
	}
	for _, id := range order {
		if c.capabilities().CanDisable {
			if err := c.disable(ctx, id); err != nil {
				return fmt.Errorf("at Disable: %w", err)
			}
		}
		delete(values, id)
		if err := c.areAccepted(values); err != nil {
			return fmt.Errorf("after Disable of %s: %w", id, err)
		}
		if err := c.remove(ctx, id); err != nil {
			return fmt.Errorf("at Remove: %w", err)
		}
		if err := c.areAccepted(values); err != nil || len(c.backend.IDs()) != len(values) {
			return fmt.Errorf("after Remove of %s there are %v: %w", id, c.backend.IDs(), err)
		}
	}
	return nil
}

// areAccepted fails unless every one of these secrets is there and accepted.
func (c *client) areAccepted(values map[string]secret.Value) error {
	for id, v := range values {
		if !slices.Contains(c.backend.IDs(), id) || !c.backend.Accepts(v) {
			return fmt.Errorf("secret %s is gone, or refused", id)
		}
	}
	return nil
}

// checkRemoved removes a secret, twice, and looks at what is left.
func (c *client) checkRemoved(ctx context.Context, id string, gone, stays secret.Value) error {
	for _, time := range []string{"first", "second"} {
		if err := c.remove(ctx, id); err != nil {
			return fmt.Errorf("at Remove for the %s time: %w", time, err)
		}
		switch {
		case slices.Contains(c.backend.IDs(), id):
			return fmt.Errorf("secret %s is still there after Remove for the %s time", id, time)
		case c.backend.Accepts(gone):
			return fmt.Errorf("the removed secret is still accepted after the %s time", time)
		case !c.backend.Accepts(stays):
			return fmt.Errorf("the other secret is refused after Remove for the %s time", time)
		}
	}
	return nil
}

func disableAndEnable(ctx context.Context, c *client) error {
	if !c.capabilities().CanDisable {
		return nil // capabilitiesAgree has made sure that there is nothing to call
	}
	made, err := c.create(ctx)
	if err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	steps := []struct {
		op   Operation
		call func(context.Context, string) error
		want idp.Status
	}{
		{Disable, c.disable, idp.Disabled}, {Disable, c.disable, idp.Disabled},
		{Enable, c.enable, idp.Active}, {Enable, c.enable, idp.Active},
	}
	for n, step := range steps {
		if err := step.call(ctx, c.id); err != nil {
			return fmt.Errorf("call %d, %s: %w", n+1, step.op, err)
		}
		s, err := c.find(ctx, c.id)
		if err != nil {
			return err
		}
		accepted := c.backend.Accepts(c.value)
		if s.Status != step.want || accepted != (step.want == idp.Active) {
			return fmt.Errorf("after call %d, %s: the status is %s, accepted is %t", n+1, step.op, s.Status, accepted)
		}
		if !c.backend.Accepts(made.Value) {
			return fmt.Errorf("after call %d, %s: the other secret is refused", n+1, step.op)
		}
	}
	return nil
}

func removeDisabled(ctx context.Context, c *client) error {
	if !c.capabilities().CanDisable {
		return nil
	}
	made, err := c.create(ctx)
	if err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	c.promote(made.ID)
	if err := c.disable(ctx, c.id); err != nil {
		return fmt.Errorf("at Disable: %w", err)
	}
	return c.checkRemoved(ctx, c.id, c.value, made.Value)
}

func disableAbsent(ctx context.Context, c *client) error {
	if !c.capabilities().CanDisable {
		return nil
	}
	if _, err := c.create(ctx); err != nil {
		return fmt.Errorf("at Create: %w", err)
	}
	if err := c.remove(ctx, c.id); err != nil {
		return fmt.Errorf("at Remove: %w", err)
	}
	before := c.snapshot()
	if err := c.disable(ctx, c.id); !failure.Is(err, failure.Precondition) {
		return fmt.Errorf("at Disable of an absent secret: %v, want %s", err, failure.Precondition)
	}
	if err := c.enable(ctx, c.id); !failure.Is(err, failure.Precondition) {
		return fmt.Errorf("at Enable of an absent secret: %v, want %s", err, failure.Precondition)
	}
	return c.unchanged(before)
}

// find finds a secret in the list.
func (c *client) find(ctx context.Context, id string) (idp.Secret, error) {
	list, err := c.list(ctx)
	if err != nil {
		return idp.Secret{}, fmt.Errorf("at List: %w", err)
	}
	for _, s := range list {
		if s.ID == id {
			return s, nil
		}
	}
	return idp.Secret{}, fmt.Errorf("secret %s is not listed", id)
}
