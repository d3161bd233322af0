package guarantees_test

import (
	"fmt"
	"slices"
	"strings"

	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/config"
)

// judge says whether a chapter's execution may end so. What was at rest and is disturbed once is survived by the same
// execution, and an execution that nothing disturbs succeeds.
func (r *telling) judge(c chapter, result asl.Result, atRest bool) {
	r.mu.Lock()
	others, redriven := r.others, r.redriven
	r.mu.Unlock()
	for _, x := range redriven {
		r.await(x)
	}
	emergencySurvived := true
	for _, o := range others {
		if e := r.await(o); e.Status != asl.Succeeded && text(e.Error) != "LockHeld" {
			emergencySurvived = false
		}
	}
	healed := r.settle()
	r.cease()
	r.mu.Lock()
	happened := r.happened // also while the others ran
	r.mu.Unlock()
	notNeeded := c.input == repair && strings.Contains(text(result.Cause), "NotNeeded")
	survives := result.Status == asl.Succeeded || notNeeded
	heals := r.life.heals && c.input != dryRun
	if heals && len(others)+len(redriven) == 0 && r.isLeft(result) {
		r.rec.Errorf("heals: the notifier left the lock with an execution that ended as %s: %v", ended(result), healed)
	}
	// one that is stopped may not be started again, or another may have taken its lock by then
	stopped := slices.ContainsFunc(happened, func(k *kind) bool { return slices.Contains(executions, k) })
	switch {
	case len(happened) > 1 && heals && atRest && !r.doomed && wasStopped(happened) && !r.isHealed(result, healed):
		r.rec.Errorf("heals: an execution was stopped (with %s), and the notifier did not heal it: %v", names(happened),
			healed)
	case len(happened) > 1 && r.life.together && !stopped && atRest && !r.doomed && !survives:
		r.rec.Errorf("together: disturbances of different states (%s) ended an execution as %s: %s", names(happened),
			ended(result), text(result.Cause))
	case len(happened) > 1, len(happened) == 1 && !atRest, r.doomed:
	case len(happened) == 0 && !atRest && r.asksWhich(result): // people say so before the next execution
	case len(happened) == 0 && result.Status != asl.Succeeded && !notNeeded:
		r.rec.Errorf("undisturbed: an execution that nothing disturbed ended as %s: %s", ended(result),
			text(result.Cause))
	case !emergencySurvived && len(happened) == 0:
		r.rec.Errorf("undisturbed: an emergency did not succeed")
	case !emergencySurvived:
		r.rec.Errorf("once: one disturbance (%s), and an emergency did not succeed", happened[0].name)
	case result.Status == asl.Succeeded, notNeeded, happened[0].any:
	case heals && !r.isHealed(result, healed):
		r.rec.Errorf("once: one disturbance (%s) ended an execution as %s, and the notifier did not heal it: %v",
			happened[0].name, ended(result), healed)
	case ended(result) == "Refused" && strings.Contains(text(result.Cause), "TestBeforeChange failed with Lambda."):
		// a rehearsal is tried three times within seconds: nothing is made yet, and nobody has to wait
	case r.life.heals && strings.Contains(ended(result)+text(result.Cause),
		"LockLost"), slices.Contains(happened[0].ends, ended(result)):
	default:
		r.rec.Errorf("once: one disturbance (%s) ended an execution as %s: %s", happened[0].name, ended(result),
			text(result.Cause))
	}
}

// wasStopped: one of these has stopped the execution, and none of the others alone ends one.
func wasStopped(happened []*kind) bool {
	stops := 0
	for _, k := range happened {
		switch {
		case slices.Equal(k.ends, []string{"ABORTED"}):
			stops++
		case !k.isPassing() || slices.Contains(executions, k):
			return false
		}
	}
	return stops == 1
}

// names lists kinds.
func names(kinds []*kind) string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.name
	}
	return strings.Join(out, ", ")
}

// isLeft reports whether the chapter's execution was stopped and has the lock still.
func (r *telling) isLeft(result asl.Result) bool {
	owner, has := r.journal()["owner"].(*ddbtypes.AttributeValueMemberS)
	return result.Status == asl.Aborted && has && strings.HasSuffix(owner.Value, ":"+r.main)
}

// isHealed reports whether what an execution left that was stopped has been put right: by another, or by itself.
func (r *telling) isHealed(result asl.Result, healed []asl.Result) bool {
	if result.Status != asl.Aborted || text(result.Error) == "TakenOver" {
		return true
	}
	return slices.ContainsFunc(healed, func(h asl.Result) bool { return h.Status == asl.Succeeded })
}

// cease ends what goes wrong: what follows are the test's own calls.
func (r *telling) cease() {
	r.endTimers()
	r.timed.Wait()
	r.mu.Lock()
	due := r.due
	r.due = nil
	r.mu.Unlock()
	for _, e := range due {
		r.tell("never came: %s: %s", e.at, e.kind.name)
	}
	r.Stack.Faults.Clear()
}

// finish lets people put right what only they can.
func (r *telling) finish() {
	r.mu.Lock()
	mends := r.mends
	r.mu.Unlock()
	r.mustKeepWeights()
	for _, mend := range slices.Backward(mends) {
		mend()
	}
	if len(r.world.dead) > 0 && r.accepts(r.current()) && !r.Config.IsPair() {
		r.removeSecret(strangers) // what came into the place of a dead one, if anything did
	}
	r.removeUnseen()
}

// removeUnseen removes what people have made and stored, and replaced before any execution took it over: to the journal
// it is somebody else's.
func (r *telling) removeUnseen() {
	state, _ := r.journal()["state"].(*ddbtypes.AttributeValueMemberS)
	for id, value := range r.byPeople {
		if value == r.current() || state == nil || strings.Contains(state.Value, `"idpSecretId":"`+id+`"`) ||
			!r.lists(id) || r.served(value) {
			continue
		}
		if r.fs != nil {
			r.pass(followersDelay) // until all that follows has the other
		}
		r.removeSecret(id)
		r.tell("people remove the secret %s, which they had stored and replaced", id)
	}
}

// convergeNow runs an undisturbed execution, which must put everything right.
func (r *telling) convergeNow() {
	r.mu.Lock()
	r.names++
	name := fmt.Sprintf("life-%d-%d", r.life.seed, r.names)
	r.main = name
	r.mu.Unlock()
	r.byHand()
	r.repairDead(name)
	if r.formed {
		r.formAgain()
	}
	r.tell("the next execution starts, undisturbed")
	result := r.await(r.startNamedAs(name, plain))
	if r.life.way.vendor == "manual" {
		if text(result.Error) == "Refused" && strings.Contains(text(result.Cause), "AWSPENDING") {
			r.byHand()
			result = r.await(r.startNamedAs(name+"-again", plain))
		}
		r.removeAllBut(r.current())
	}
	if r.asksWhich(result) {
		result = r.nameCurrent(name)
	}
	if result.Status != asl.Succeeded {
		r.rec.Fatalf("next: the next execution ended as %s: %s", ended(result), text(result.Cause))
	}
	r.settle()
	if r.fs != nil && r.lastOutcome() == "repaired" {
		r.pass(2 * followersDelay) // no repair waits until followers have AWSCURRENT by themselves
	}
	r.atRest()
}

// asksWhich reports whether an execution asks people which secret is the one that they have made.
func (r *telling) asksWhich(result asl.Result) bool {
	return r.outdated != nil && strings.Contains(text(result.Cause), "identityProvider.currentSecretId")
}

// nameCurrent does what people are asked for where the journal does not know the secret that they have made, and the
// text of the one that has to go is lost: they say which is theirs.
func (r *telling) nameCurrent(name string) asl.Result {
	id, _ := r.Stack.IdP.Store().Match(r.ClientID, r.current(), r.clock.Now())
	r.tell("people name the secret that they have made, %s", id)
	r.reconfigure(func(c *config.Client) { c.IdentityProvider.CurrentSecretID = id })
	result := r.await(r.startNamedAs(name+"-named", plain))
	r.reconfigure(func(c *config.Client) { c.IdentityProvider.CurrentSecretID = "" })
	return result
}

// repairDead does what people do who find that AWSCURRENT is dead: they start a repair, and remove what nobody else
// may.
func (r *telling) repairDead(name string) {
	if len(r.world.dead) == 0 {
		return
	}
	if !r.accepts(r.current()) {
		r.tell("people find that AWSCURRENT is dead, and start a repair")
		if result := r.await(r.startNamedAs(name+"-repairs", repair)); result.Status != asl.Succeeded &&
			!strings.Contains(text(result.Cause), "NotNeeded") {
			r.rec.Fatalf("next: the repair ended as %s: %s", ended(result), text(result.Cause))
		}
		r.settle()
	}
	r.tidy()
}
