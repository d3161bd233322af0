package plan_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

func TestASecretThatSomethingElseWritesIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change smtest.Change
		says   string
	}{
		"a replica": {smtest.Primary("eu-west-1"),
			"is a replica, which cannot be written; its primary is in Region eu-west-1: " +
				"name that, arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-AbCdEf"},
		"one that Secrets Manager rotates": {smtest.Rotated(true),
			"aws secretsmanager cancel-rotate-secret --secret-id " + fakes.SecretARN},
		"one of another service": {smtest.Owned("okta"), "belongs to the AWS service okta (OwningService)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			w.Secrets.Change(c.change)
			_, err := makePlan(w, plain)
			fakes.Failed(t, err, failure.Precondition, c.says)
		})
	}
	w, _ := newWorld(t)
	w.Secrets.Change(smtest.Primary("eu-central-1")) // the primary of replicas elsewhere
	if _, err := makePlan(w, plain); err != nil {
		t.Error(err)
	}
}

func TestWhatWasLeftIsPutRightButNotInAReplica(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	secondSecret(w, v)
	promote(w, w.Now)
	w.Secrets.Change(smtest.Rotated(true), smtest.Owned("okta"))
	if p, err := makePlan(w, plain); err != nil || p.Action != rotation.Finish {
		t.Errorf("the plan is %+v (%v)", p, err)
	}
	w.Secrets.Change(smtest.Primary("eu-west-1"))
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "is a replica")
}

// planStarted plans for an execution that started at a time.
func planStarted(w *fakes.World, at string) (rotation.Plan, error) {
	return fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle,
		rotation.PlanInput{Common: w.Common(), Action: rotation.PlanDecide, Request: []byte(plain), Started: at})
}

func TestAnExecutionOfTheSameNameMakesAnotherVersion(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	seen := map[string]bool{}
	for _, at := range []string{"", "2026-11-22T03:00:00.000Z", "2027-03-01T03:00:00.000Z"} {
		p, err := planStarted(w, at)
		if err != nil || seen[p.To.VersionID] || at == "" && p.To.VersionID != made {
			t.Errorf("started %q: version %s (%v)", at, p.To.VersionID, err)
		}
		again, err := planStarted(w, at)
		if err != nil || again.To != p.To {
			t.Errorf("again: version %s (%v)", again.To.VersionID, err)
		}
		seen[p.To.VersionID] = true
	}
}

func TestAVersionThatWasMadeBeforeIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	const says = "version " + made + ", which this execution would make, was made before"
	w, _ := newWorld(t)
	w.Secrets.Add(made, fakes.Mark+"-of-last-year")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, says)
	fakes.Failed(t, err, failure.Precondition, "start an execution with another name")
	if _, err := planStarted(w, "2027-03-01T03:00:00.000Z"); err != nil {
		t.Errorf("an execution that says when it started: %v", err)
	}

	w, _ = newWorld(t)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{made: {State: journal.Removed, IdPSecretID: "mem-0",
		At: w.Now.Add(-91 * 24 * time.Hour)}}})
	_, err = makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, says)

	w, v := newWorld(t) // what an earlier rotation left is put right all the same
	w.Secrets.Add(made, fakes.Mark+"-of-last-year")
	secondSecret(w, v)
	promote(w, w.Now)
	if p, err := makePlan(w, plain); err != nil || p.Action != rotation.Finish {
		t.Errorf("the plan is %+v (%v)", p, err)
	}

	byHand := fakes.New(t, desk{memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)}, memory.Initial)
	byHand.Secrets.Add(made, fakes.Mark+"-by-hand", "AWSPENDING")
	if _, err = makePlan(byHand, plain); err == nil || strings.Contains(err.Error(), "was made before") {
		t.Errorf("a version that a person stored: %v", err)
	}
}
