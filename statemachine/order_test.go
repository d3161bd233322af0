package statemachine_test

import (
	"slices"
	"strings"
	"testing"
)

// order is what may not be gone around: no path leads from a state to another without a third between them. What
// stands behind a | is another way, which ends otherwise.
var order = map[string][]struct{ from, to, through, lost string }{either: {
	// before anything is made
	{"LoadClient", "CreateSecret", "Plan", "nobody looked what is there: what an earlier rotation left stays for ever"},
	{"LoadClient", "CreateSecret", "TestBeforeChange",
		"a test that fails for a reason of its own fails after the switch"},
	{"Plan", "BeginRollback", "Decide", "a rollback begins of which nobody said what is to be put back"},
	{"InspectLockOwner", "TakeOverLock", "LockOwnerStatus",
		"the lock of an execution that runs is taken over: two work on one client"},
	{"TakeOverLock", "Plan", "AwaitFormerOwner|ReadLockOwner",
		"the former owner's last call comes after what is done next"},
	{"SeizeLock", "Plan", "AwaitFormerOwner|ReadLockOwner",
		"the former owner's last call comes after what is done next"},
	{"SeizeLock", "Plan", "StopFormerOwner|ReadLockOwner",
		"the former owner shows as running, and goes on calling functions in vain"},
	// the way forward
	{"CreateSecret", "SetSecret", "VerifyNewSecret",
		"load balancers get a secret that was never accepted: logins fail"},
	{"AwaitCanarySpread", "PromoteSecret", "TestCanaries",
		"every target gets a secret with which logins through the canaries were not tried"},
	{"AwaitCanarySpread", "PromoteSecret", "SetSecret|RollBack",
		"every target that is no canary keeps a secret that goes"},
	{"SetSecret", "TestCanaries", "AwaitCanarySpread", "nodes that still serve the old secret are tested"},
	{"CreateSecret", "PromoteSecret", "VerifyNewSecret", "AWSCURRENT becomes a secret that was never accepted"},
	{"CreateSecret", "PromoteSecret", "SetSecret",
		"AWSCURRENT is a secret that no load balancer has, and every target keeps the old one"},
	{"CreateSecret", "FinishSecret", "PromoteSecret|RollBack", "AWSCURRENT is still the secret that goes"},
	{"PromoteSecret", "FinishSecret", "ReloadClient",
		"load balancers that came into the configuration lose their logins"},
	{"ReloadClient", "RediscoverTargets", "SameClient", "another client's secrets would be looked for"},
	{"Plan", "DisableOldSecret", "RediscoverTargets", "a rule that came since the plan loses its logins"},
	{"GracePeriod", "ReassertSecret", "VerifyBeforeReassert|VerifyNewSecret",
		"a secret that somebody replaced in the grace period is put on every target again: logins fail"},
	{"ReassertSecret", "DisableOldSecret", "AwaitReassertSpread|RollBack",
		"nodes that still serve the old secret lose their logins"},
	{"GracePeriod", "FinishSecret", "DisableOldSecret", "the old secret goes for good before it was tried without it"},
	{"DisableOldSecret", "FinishSecret", "TestAfterDisable",
		"the old secret goes for good, and nobody knows whether logins work without it"},
	{"FinishSecret", "Rotated", "ReleaseLock", "the next rotation finds the lock held"},
	// the way back
	{"BeginRollback", "EnableOldSecret", "Quiesce",
		"a call that is under way puts the new secret back on a target after the rollback has passed it"},
	{"BeginRollback", "RestoreTargets", "EnableOldSecret", "targets go back to a secret that the provider refuses"},
	{"BeginRollback", "RestoreLabels", "RestoreTargets", "logins go on failing while labels are moved"},
	{"BeginRollback", "RemoveNewSecret", "RestoreLabels", "AWSCURRENT is a secret that is removed"},
	{"RestoreLabels", "RemoveNewSecret", "RediscoverToRestore",
		"a rule that came with the new secret loses its logins"},
	{"RestoreLabels", "RemoveNewSecret", "ReassertOldSecret",
		"a target that could not be restored before keeps a secret that is removed"},
	{"ReassertOldSecret", "RemoveNewSecret", "AwaitRestoreSpread",
		"nodes that still serve the new secret, or a call that comes late, lose their logins"},
	{"BeginRollback", "ReleaseLock", "VerifyOldSecret|Supersede", "a rollback ends that nobody has tried"},
	{"RollBack", "RolledBack", "RemoveNewSecret|Supersede", "the secret that was made is left at the provider"},
	{"RollBack", "RolledBack", "BeginRollback", "nobody hears of a rollback while logins may be failing"},
	{"RollBack", "RolledBack", "ReleaseLock", "the next rotation finds the lock held"},
	{"RollBack", "RolledBack", "Notify", "nobody hears that the rotation was rolled back"},
	// other ends
	{"Supersede", "ReleaseLock", "AwaitOwnCalls", "a call of this execution comes after what the next one does"},
	{"Refuse", "Refused", "ReleaseLock", "the next rotation finds the lock held"},
	{"Refuse", "Refused", "Notify", "nobody hears that the rotation was refused"},
	{"ReleaseLock", "Rotated", "Notify", "nobody hears of it"},
	{"ReleaseLock", "Superseded", "Notify", "nobody hears of it"},
	{"Released", "LockHeld", "Notify", "nobody hears that nothing was put right"},
	{"ReleaseLock", "Rotated", "PublishEvent", "no machine hears of it"},
}, repair: {
	{"CreateReplacement", "PromoteReplacement", "VerifyReplacement",
		"AWSCURRENT becomes a secret that was never accepted, or takes the place of one that is"},
	{"CreateReplacement", "RestoreTargets", "PromoteReplacement",
		"a repair that is interrupted has put on targets what nobody will find"},
	{"CreateReplacement", "RemoveReplacement", "QuiesceRepair", "a secret that comes late is left at the provider"},
	{"CreateReplacement", "Rotated", "ReassertOldSecret|Supersede|RollBack", "a target keeps the dead secret"},
	{"PromoteReplacement", "RemoveNewSecret", "AwaitRestoreSpread", "nodes still serve the dead secret"},
	{"CreateReplacement", "RolledBack", "RemoveReplacement|Supersede|PromoteReplacement",
		"what a repair made is left at the provider"},
	{"CreateReplacement", "Rotated", "Notify", "nobody hears of it"},
}, graced: {
	{"SetSecret", "PromoteSecret", "AwaitSpread|RollBack", "the labels move while nodes still serve the old secret"},
	{"CreateSecret", "FinishSecret", "TestSecret|RollBack", "the new secret is in use untested while both are valid"},
	{"PromoteSecret", "FinishSecret", "GracePeriod",
		"the old secret goes before those who read AWSCURRENT have read it again"},
	{"RediscoverTargets", "DisableOldSecret", "ReassertSecret",
		"a rule on which somebody put the old secret back loses its logins"},
	{"GracePeriod", "DisableOldSecret", "TestBeforeFinish",
		"the old secret goes, and nobody knows whether logins work"},
}, graceless: {
	{"PromoteSecret", "DisableOldSecret", "ReassertSecret|RollBack",
		"what somebody who read AWSCURRENT before the promotion put on a target loses its logins"},
	{"PromoteSecret", "DisableOldSecret", "AwaitReassertSpread|RollBack",
		"nodes that still serve the old secret lose their logins"},
	{"PromoteSecret", "DisableOldSecret", "TestBeforeFinish|RollBack",
		"the old secret goes, and nobody knows whether logins work"},
}}

// Rotations with a grace period and without one, and repairs, go different ways.
const either, graced, graceless, repair = "", "with a grace period", "without a grace period", "in a repair"

func TestNothingIsGoneAround(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for _, way := range []string{graced, graceless, repair} {
		of := order[way]
		if way != repair {
			of = slices.Concat(order[either], of)
		}
		for _, o := range of {
			through := strings.Split(o.through, "|")
			if m.path(way, o.from, o.to) == nil {
				t.Errorf("%s %s does not lead to %s any more", way, o.from, o.to)
			} else if around := m.path(way, o.from, o.to, through...); around != nil {
				t.Errorf("%s %s is gone around by %s: %s", way, through[0], strings.Join(around, " > "), o.lost)
			}
		}
	}
}

// path is the shortest way from one state to another that avoids others; nil if there is none. It has at least one
// step.
func (m machine) path(way, from, to string, avoid ...string) []string {
	type place struct {
		state    string
		searched bool
	}
	start := place{state: from}
	before := map[place]place{}
	for queue := []place{start}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		s := m.States[at.state]
		at.searched = shown(s.Assign["searched"]) != "''" && (at.searched || s.Assign["searched"] != nil)
		for _, next := range s.next(way, at.searched) {
			to := place{next, at.searched}
			if _, known := before[to]; !known && !slices.Contains(avoid, next) {
				before[to] = queue[0]
				queue = append(queue, to)
			}
		}
	}
	for _, end := range []place{{to, false}, {to, true}} {
		if _, reached := before[end]; reached {
			out := []string{to}
			for at := before[end]; at != start; at = before[at] {
				out = append([]string{at.state}, out...)
			}
			return append([]string{from}, out...)
		}
	}
	return nil
}

// next are the states to which one can lead on a way, as far as its conditions tell.
func (s state) next(way string, searched bool) []string {
	tells := map[string]bool{fleetTells: false, "$gracePeriodSeconds = 0": way == graceless,
		"$searched = ''":          !searched,
		"$plan.action = 'repair'": way == repair, "$plan.action = 'repair' and $plan.promoted = true": false,
		"$plan.action = 'repair' and $not($emergency)": way == repair}
	if way == graced {
		tells["$allSet"] = false
	}
	var out []string
	for _, c := range s.Catch {
		out = append(out, c.Next)
	}
	for _, c := range s.Choices {
		holds, told := tells[shown(c.Condition)]
		if !told || holds {
			out = append(out, c.Next)
		}
		if holds {
			return out
		}
	}
	return slices.DeleteFunc(append(out, s.Next, s.Default), func(n string) bool { return n == "" })
}

// followersNeedTime is the condition under which followers are waited for.
const followersNeedTime = "$followedAt != '' and $toMillis($followedAt) > $toMillis($now())"

// waits are what each Wait must outlast. Seconds are rendered with the 75 s of the deployed functions.
var waits = map[string]struct{ length, lost string }{
	"AwaitSpread":         {"$spreadSeconds", "nodes have not followed when the labels move"},
	"AwaitCanarySpread":   {"$spreadSeconds", "nodes that still serve the old secret are tested"},
	"AwaitReassertSpread": {"$spreadSeconds", "nodes that still serve the old secret lose their logins"},
	"AwaitRestoreSpread":  {"$spreadSeconds + 75", "a node, or a late call, still has the secret that is removed"},
	"QuiesceRepair":       {"75", "a secret that comes late is left at the provider"},
	"Quiesce": {"$takenOver != '' and $rounds = 1 and $step = '' ? " +
		"$max([0, 75 - $floor(($toMillis($now()) - $toMillis($takenOver)) / 1000)]) : 75",
		"a call that timed out puts the new secret back on a target that was restored"},
	"AwaitFormerOwner": {"75", "the former owner's last call comes after what is done next"},
	"AwaitOwnCalls":    {"75", "a call of this execution comes after what the next one does"},
	"AwaitOwnerStatus": {"3",
		"an execution that was stopped a moment ago still shows as running (15 s in five looks)"},
	"AwaitFollowers":     {"until $followedAt", "a follower puts the old secret back after the last round"},
	"AwaitFollowersBack": {"until $followedAt", "a follower still has the secret that is removed"},
	"GracePeriod": {"until $graceUntil", "the old secret goes early, or a redrive waits for the whole grace " +
		"period again"},
}

func TestEveryWaitOutlastsWhatItIsFor(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for _, name := range keys(waits, m.States) {
		s := m.States[name]
		if s.Type != "Wait" && waits[name].length == "" {
			continue
		}
		got := shown(s.Seconds)
		if s.Timestamp != nil {
			got = "until " + shown(s.Timestamp)
		}
		if got != waits[name].length {
			t.Errorf("%s waits %q, must wait %q: else %s", name, got, waits[name].length, waits[name].lost)
		}
	}
}
