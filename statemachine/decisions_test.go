package statemachine_test

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alboidc.internal/shared/rotation"
)

// kept are what states leave to the ones after them, by state and variable, and what is lost otherwise.
var kept = []struct{ state, variable, value, lost string }{
	{"LoadClient", "request", "$states.input", "an emergency, a dry run or a shorter grace period is not heeded"},
	{"LoadClient", "call", "{client: $states.input.client, execution: $states.context.Execution.Id}",
		"functions take the lock for somebody else's"},
	{"LoadClient", "rounds", "0", "the execution gives up too early, or goes round for ever"},
	{"LoadClient", "looks", "0", "a lock is looked at too seldom, or for ever"},
	{"LoadClient", "emergency", "$states.input.emergency = true",
		"an emergency waits for the execution that it is to end"},
	{"LoadClient", "outcome", "refused", "a rotation that made nothing ends as something else"},
	{"LoadClient", "canaries", "false", "people hear of canaries where there are none"},
	{"LoadClient", "step", "''", "a rotation that nothing failed in ends as rolled back"},
	{"Plan", "plan", "$merge([$states.result.Payload, {'targets': []}])",
		"what is left over is treated as something else"},
	{"TestBeforeChange", "plan", "$merge([$plan, {'tests': $states.result.Payload.summary}])",
		"a dry run does not tell how the tests went"},
	{"SameClient", "step", "$states.context.State.Name",
		"people do not learn where the configuration became another's"},
	{"Plan", "from", "$states.result.Payload.from", "functions do not know which secret is in use"},
	{"Plan", "to", "$states.result.Payload.to", "functions do not know which secret is next"},
	{"Plan", "targets", "$states.result.Payload.targets", "no target gets the new secret, or the old one back"},
	{"Plan", "canaries", "$count($states.result.Payload.targets[canary = true]) > 0",
		"canaries get the new secret with all others, or the others never"},
	{"Plan", "switchBegan", "''", "people hear of the time of an earlier switch"},
	{"TestCanaries", "canaries", "false", "the targets that are no canaries never get the new secret"},
	{"TestCanaries", "proven", "$now()", "a secret is written that was accepted long ago, or asked for again"},
	{"LoadClient", "spared", "0", "people hear of targets that a rollback left alone where there are none"},
	{"RediscoverToRestore", "spared", "$states.result.Payload.spared",
		"people do not hear which targets a rollback left alone"},
	{"Plan", "spreadSeconds", "$states.result.Payload.spreadSeconds", "nodes are not waited for"},
	{"Plan", "gracePeriodSeconds", "$states.result.Payload.gracePeriodSeconds", "the grace period is another"},
	{"Plan", "graceUntil", "$states.result.Payload.graceUntil",
		"an earlier rotation is finished before its grace period has ended"},
	{"Plan", "rounds", "$rounds + 1", "the execution goes round for ever"},
	{"CreateSecret", "to", "$states.result.Payload.to", "the steps after it do not know what was made"},
	{"LoadClient", "kind", "$states.input.emergency = true ? 'emergency' : $states.input.repair = true and " +
		"$not($states.input.dryRun = true) ? 'repair' : 'rotation'",
		"an emergency, or a repair, waits for the execution that it is to end"},
	{"CreateReplacement", "to", "$states.result.Payload.to", "the steps after it do not know what was made"},
	{"VerifyReplacement", "proven", "$now()", "a secret is written that was accepted long ago, or asked for again"},
	{"PromoteReplacement", "from", "$to", "every target gets the dead secret"},
	{"PromoteReplacement", "to", "$from", "the dead secret stays, and the one in use is removed"},
	{"RemoveReplacement", "outcome", "rolledBack", "a repair that was given up ends as something else"},
	{"SetSecret", "switchBegan", "$switchBegan = '' ? $states.context.State.EnteredTime : $switchBegan",
		"people hear of no, or another, time of failed logins"},
	{"PromoteSecret", "graceUntil", "$states.result.Payload.graceUntil", "the old secret goes without a grace period"},
	{"PromoteSecret", "searched", "''", "a search from before the promotion counts: a rule that came loses its logins"},
	{"RediscoverTargets", "allSet", "($known := $targets.(listenerArn & ' ' & ruleArn); $plan.action = 'rotate' and " +
		"$gracePeriodSeconds = 0 and $toMillis($now()) - $toMillis($graceUntil) < 3600000 and " +
		"$states.result.Payload.spreadSeconds <= $spreadSeconds and " +
		"$count($states.result.Payload.targets[$not((listenerArn & ' ' & ruleArn) in $known)]) = 0)",
		"a target that came is not set, or was long ago, before the old secret goes"},
	{"ReloadClient", "newest.sha256", "$hash($states.result.Parameter.Value, 'SHA-256')",
		"functions refuse the configuration as another text"},
	{"AdoptConfiguration", "reference", "$newest", "a later look compares with what is no longer true"},
	{"RediscoverTargets", "targets", "$states.result.Payload.targets",
		"a rule that came in the grace period with the old secret is never set, and loses its logins"},
	{"RediscoverTargets", "spreadSeconds", "$states.result.Payload.spreadSeconds", "a longer spread is not heeded"},
	{"RediscoverToRestore", "targets", "$states.result.Payload.targets",
		"a rule that came with the new secret is never restored, and loses its logins"},
	{"RediscoverToRestore", "followedAt", "$states.result.Payload.followedAt",
		"a follower still has the secret that is removed"},
	{"RediscoverTargets", "followedAt", "$states.result.Payload.followedAt",
		"a follower puts the old secret back after the last round"},
	{"TestAfterRollback", "loginTests", "$count($states.result.Payload.evidence[check = 'login' and ok = true])",
		"people hear that logins were not tested"},
	{"TestAfterDisable", "loginTests", "$count($states.result.Payload.evidence[check = 'login' and ok = true])",
		"people hear that logins were not tested"},
	{"AfterFinish", "outcome", "rotated", "a rotation that succeeded ends as refused"},
	{"AfterRollback", "outcome", "rolledBack", "a rollback ends as refused, which wakes nobody"},
	{"Measure", "measured", "$states.result.Payload.measured", "nobody hears of a refusal ahead"},
	{"LoadClient", "reference.sha256", "$hash($states.result.Parameter.Value, 'SHA-256')",
		"functions refuse the configuration as another text"},
	{"ReadLockOwner", "lockOwner", "$exists($states.result.Item.owner.S) ? $states.result.Item.owner.S : ''",
		"a lock that was given back, or is somebody's, is not seen"},
	{"ReadLockOwner", "lockKind",
		"$exists($states.result.Item.ownerKind.S) ? $states.result.Item.ownerKind.S : 'rotation'",
		"an emergency stops another emergency"},
	{"ReadLockOwner", "lockIsNew", "$exists($states.result.Item.ownerSince.S) ? " +
		"$toMillis($now()) - $toMillis($states.result.Item.ownerSince.S) < 60000 : false",
		"an execution that has just started is taken for gone, and runs beside the one that takes over"},
	{"InspectLockOwner", "ownerStatus", "$states.result.Status", "a running execution is taken over from"},
	{"Purpose", "lock", "{:config: {S: $string($reference)}, :kind: {S: $kind}, " +
		":me: {S: $call.execution}, :settle: {N: 75}}",
		"functions work by another configuration, wait another time, or an emergency stops another"},
	{"notifier ReadRequest", "healing", "$states.input.detail.error = 'Superseded' ? " +
		"'healing: somebody else changed AWSCURRENT' : $states.input.detail.error = 'States.Runtime' ? " +
		"'healing: an execution could not go on' : 'healing: an execution was stopped or timed out'",
		"a healing execution that is stopped starts another, for ever"},
	{"fleet CheckInput", "key", "$substring($hash($states.context.Execution.Id, 'SHA-256'), 0, 16)",
		"two fleets take each other's rotations for theirs"},
	{"fleet CheckInput", "results", "[]", "a fleet ends with what another one did"},
	{"fleet RotateWave", "results", "$append($results, $states.result)", "what failed in an earlier wave is forgotten"},
	{"fleet RotateWave", "failures", "$failures + $count($states.result[$not(o in ['tested', 'rotated', 'planned'])])",
		"failures do not stop a fleet"},
	{"fleet RotateWave", "wave", "$wave + 1", "the same clients are rotated for ever"},
	{"fleet ReadTested", "until", "$states.result.Item.tested.S = " +
		"'arn:aws:states:eu-central-1:111122223333:execution:rotation:' & $states.input.name ? " +
		"$states.result.Item.testedUntil.S : ''", "what an earlier rotation has passed lets a wave go on"},
	{"fleet AwaitEnds", "results", "[$results[$not(o in ['tested', 'slow'])], $states.result]",
		"what failed late is not in the report"},
	{"notifier ReadLock", "lockOwner", "$exists($states.result.Item.owner.S) ? $states.result.Item.owner.S : ''",
		"people are alarmed, and a healing starts, though another execution has the lock"},
}

func TestEveryStepLeavesWhatTheNextOnesNeed(t *testing.T) {
	t.Parallel()
	states := named(t)
	for _, k := range kept {
		name, member, _ := strings.Cut(k.variable, ".")
		value := states[k.state].Assign[name]
		if member != "" && !strings.Contains(shown(value), "'"+member+"': "+k.value) ||
			member == "" && shown(value) != k.value {
			t.Errorf("%s leaves $%s as %q, must leave %q: else %s", k.state, k.variable, shown(value), k.value, k.lost)
		}
	}
}

// What functions notice reaches people, and none takes the place of an earlier one.
func TestNoNoticeIsLost(t *testing.T) {
	t.Parallel()
	of := map[string]string{"Map": "$substring($trim($notice & ' ' & $join([$states.result[$ != '']], ' ')), 0, 4000)",
		"Task": "$trim($notice & ' ' & $states.result.Payload.notice)"}
	m := parse(t)
	for _, name := range []string{"SetSecret", "RediscoverTargets", "ReassertSecret", "TestBeforeFinish",
		"FinishSecret", "RestoreTargets", "ReassertOldSecret", "RemoveNewSecret", "VerifyReplacement",
		"RemoveReplacement"} {
		if s := m.States[name]; shown(s.Assign["notice"]) != of[s.Type] {
			t.Errorf("%s notes %q, must note %q: else people do not hear what it noticed, or what others did", name,
				shown(s.Assign["notice"]), of[s.Type])
		}
	}
}

// Alarms, the notifier and the runbook know an end by its name; a Map's Catch knows that of a state within.
func TestEveryFailureIsNamedAsItsState(t *testing.T) {
	t.Parallel()
	parse(t).all(func(name string, s state) {
		if s.Type == "Fail" && s.Error != strings.TrimPrefix(name, "RestoreTarget") {
			t.Errorf("%s fails as %v: nobody knows what to do about it", name, s.Error)
		}
	})
}

// decisions are the rules of each Choice in order, as "condition > state" and what is noted on the way, the last for
// all else, and what is lost otherwise. CheckInput has a test of whole executions.
var decisions = map[string]struct {
	rules []string
	lost  string
}{
	"Purpose": {[]string{"$request.measure = true > Measure", "AcquireLock"},
		"a measurement takes the lock and rotates"},
	"ChooseWarning": {[]string{"$exists($measured.start) > StartBeforeEnd", "$exists($measured.notRotated) > TellEnd",
		"$not($exists($measured.rotationRefused)) > Measured", "Notify"},
		"nobody hears of a refusal ahead"},
	"TellEnd": {[]string{"$outcome = 'endsSoon' > Notify", "Notify"}, "nobody hears that the secret ends"},
	"LockOwner": {[]string{"$lockOwner = '' > AcquireLock", "$kind = 'emergency' and $lockKind != 'emergency' or " +
		"$kind = 'repair' and $lockKind = 'rotation' > SeizeLock", "InspectLockOwner"},
		"an emergency waits for a rotation, stops another emergency, or a rotation stops one"},
	"LockOwnerStatus": {[]string{
		"$looks < 5 and ($ownerStatus in ['RUNNING', 'PENDING_REDRIVE'] or $ownerStatus = 'GONE' and $lockIsNew) > " +
			"AwaitOwnerStatus looks=$looks + 1",
		"$ownerStatus in ['RUNNING', 'PENDING_REDRIVE'] and $substring($request.reason, 0, 9) = 'healing: ' > " +
			"Released outcome=needsAttention step=$states.context.State.Name",
		"$ownerStatus in ['RUNNING', 'PENDING_REDRIVE'] > LockHeld", "TakeOverLock"},
		"the lock of an execution that runs, or is about to be redriven, is taken over, or one that ended keeps it"},
	"Decide": {[]string{"$rounds > 8 > Refuse step=Plan", "$plan.action = 'rotate' > TestBeforeChange",
		"$request.dryRun = true > ReleaseLock outcome=planned", "$plan.action = 'finish' > GracePeriod",
		"$plan.action = 'repair' and $plan.promoted = true > EnableOldSecret",
		"$plan.action = 'repair' > CreateReplacement", "BeginRollback"},
		"a dry run changes something, or what is left over is treated as something else"},
	"DryRun": {[]string{"$request.dryRun = true > ReleaseLock outcome=planned", "CreateSecret"},
		"a dry run makes a secret"},
	"SameClient": {[]string{"$newest.client = $reference.client > AdoptConfiguration", "Reconfigured"},
		"another client's secrets are looked for"},
	"AfterFinish": {[]string{"$plan.action = 'finish' > Plan", "ReleaseLock"},
		"what was finished first is taken for the rotation that was asked for"},
	"AfterSetSecret": {[]string{"$canaries > AwaitCanarySpread", "$gracePeriodSeconds = 0 > PromoteSecret",
		"AwaitSpread"},
		"the labels move while nodes still serve the old secret, or targets that never got it are left, " +
			"or an emergency waits twice"},
	"AfterPromotion": {[]string{"$gracePeriodSeconds = 0 > ReassertSecret", "TestSecret"},
		"without a grace period a target that somebody has set meanwhile loses its logins"},
	"AfterSearch": {[]string{followersNeedTime + " > AwaitFollowers", "$allSet > DisableOldSecret",
		"VerifyBeforeReassert"},
		"a target that came loses its logins, an emergency sets every target a third time, or a follower that puts " +
			"the old secret back does so after the last round"},
	"AfterRestore": {[]string{"$plan.action != 'repair' and " + followersNeedTime + " > AwaitFollowersBack",
		"AwaitRestoreSpread"},
		"a follower still has the secret that is removed"},
	"AfterTests": {[]string{"$searched = '' > ReloadClient", "DisableOldSecret"},
		"the old secret goes before targets were searched for since the promotion"},
	"BeginRollback": {[]string{"$plan.action = 'repair' > QuiesceRepair",
		"$failure.error = 'LockLost' or ($step = '' and $exists($told.subject)) > Quiesce",
		"TellRollback"}, "people hear nothing of a rollback, or of one that is none"},
	"AfterRollback": {[]string{
		"$plan.action = 'repair' and $not($emergency) > TestAfterRollback outcome=repaired", "$step = '' > Plan",
		"TestAfterRollback"},
		"what was left is taken for the rotation that was asked for"},
	"Supersede": {[]string{"$outcome = 'superseded' > AwaitOwnCalls", "AwaitOwnCalls"},
		"a redrive goes on touching targets"},
	"Released": {[]string{"$outcome = 'planned' > Planned", fleetTells + " > PublishEvent", "Notify"},
		"people hear of a dry run, or of nothing, or from each of a thousand rotations"},
	"Outcome": {[]string{"$outcome in ['rotated', 'repaired'] > Rotated", "$outcome = 'superseded' > Superseded",
		"$outcome = 'needsAttention' > LockHeld", "$outcome in ['wouldBeRefused', 'endsSoon'] > Measured",
		"$outcome = 'refused' > Refused", "RolledBack"}, "the execution ends as something else"},
	"notifier Sort": {[]string{"$exists($states.input.record) > Record",
		"$exists($states.input.change) > DescribeChange", "$states.input.detail.stateMachineArn & ':live' = " +
			"'arn:aws:states:eu-central-1:111122223333:stateMachine:rotation-fleet:live' > DescribeFleet",
		"ReadRequest"},
		"no evidence is written, or a change by others is told as an execution that failed"},
	"notifier ChooseLock": {[]string{"$told.client != '' > ReadLock", "ChooseHealing"},
		"nobody looks who has the lock"},
	"notifier ChooseHealing": {[]string{
		"$told.error = 'LockLost' and $lockOwner != '' and $lockOwner != $told.execution > TakenOver",
		"$states.input.detail.status = 'FAILED' and $told.error != 'Superseded' and " +
			"($told.error != 'States.Runtime' or $lockOwner = '') > Describe",
		"$lockOwner != '' and $lockOwner != $told.execution > TakenOver",
		"$request.dryRun = true or $request.measure = true > Describe",
		"$told.client != '' and ($told.error = 'Superseded' or $substring($told.reason, 0, 9) != 'healing: ') > Heal",
		"Describe"}, "what a stopped execution left stays, or healing executions follow each other for ever"},
	"fleet Choose": {[]string{"$directory = 'none' > InvalidInput", "CheckChosen"},
		"a fleet of nobody ends as rotated"},
	"fleet CheckChosen": {[]string{"$exists($request.clients[$not($ in $names)]) > InvalidInput",
		"$count($chosen) = 0 > InvalidInput", "$count($chosen.clients) > 1000 > InvalidInput",
		"$exists($request.canary) and $not($request.canary in $chosen.clients) > InvalidInput", "PlaceInWaves"},
		"a misspelt client is passed over, or more are rotated than a result has room for"},
	"fleet PlaceInWaves": {[]string{"true > NextWave", ""}, "nothing is started"},
	"fleet BeginLooking": {[]string{"true > LookAtEnd looks=0", ""}, "the ends are not waited for"},
	"fleet NextWave": {[]string{"$not($exists($lookup($waves, $string($wave)))) > AwaitEnds",
		"$failures > $maxFailures or ($wave = 1 and $canary != '' and $failures > 0) > TellStop", "RotateWave"},
		"rotations are started although the canary, or too many, have failed"},
	"fleet RotationStatus": {[]string{"$not($status in ['RUNNING', 'PENDING_REDRIVE']) or $until != '' or " +
		"$looks * $rotation.every > ($rotation.request.emergency = true ? 900 : 7200) > RotationOutcome",
		"AwaitRotation"},
		"a wave waits for grace periods, or for ever, or passes what is not tested"},
	"fleet EndStatus": {[]string{"$not($status in ['RUNNING', 'PENDING_REDRIVE']) or $looks > 1000 > EndOutcome",
		"AwaitEnd"}, "what fails late is not in the report, or the history is full"},
	"fleet Sum": {[]string{"$not($stopped) and $count($results[$not(o in ['rotated', 'planned'])]) = 0 > " +
		"Notify outcome=fleetRotated", "Notify"}, "people read that all is well, and it is not"},
	"fleet FleetOutcome": {[]string{"$outcome = 'fleetRotated' > FleetRotated", "FleetIncomplete"},
		"a fleet of which some failed ends as if all had gone well"},
	"notifier ChooseTelling": {[]string{"$told.error = 'Superseded' > Told", "Describe"},
		"people hear of it twice, or not"},
}

func TestEveryDecisionIsTheOneThatIsMeant(t *testing.T) {
	t.Parallel()
	states := named(t)
	for _, name := range keys(decisions, states) {
		s := states[name]
		if s.Type != "Choice" || strings.HasSuffix(name, "CheckInput") {
			continue
		}
		var got []string
		for _, c := range s.Choices {
			rule := shown(c.Condition) + " > " + c.Next
			for _, variable := range []string{"looks", "outcome", "step"} {
				if c.Assign[variable] != nil {
					rule += " " + variable + "=" + shown(c.Assign[variable])
				}
			}
			got = append(got, rule)
		}
		if got, want := strings.Join(append(got, s.Default), "\n\t"), strings.Join(decisions[name].rules,
			"\n\t"); got != want {
			t.Errorf("%s decides\n\t%s\nmust decide\n\t%s\nelse %s", name, got, want, decisions[name].lost)
		}
	}
}

// ofTheLock is what the states that touch the lock ask of DynamoDB: under which condition, and what they write.
var ofTheLock = map[string]struct{ condition, update, values, lost string }{
	"AcquireLock": {"attribute_not_exists(#owner) OR #owner = :me", takes, "$merge([$lock, {':now': {'S': $now()}}])",
		"two executions work on one client, or a reply that was lost locks the execution out"},
	"TakeOverLock": {"#owner = :former OR #owner = :me", takes,
		"$merge([$lock, {':now': {'S': $now()}, ':former': {'S': $lockOwner}}])",
		"the lock is taken from an execution that nobody looked at, or a lost reply locks this one out"},
	"SeizeLock": {"#owner = :former OR #owner = :me", takes,
		"$merge([$lock, {':now': {'S': $now()}, ':former': {'S': $lockOwner}}])",
		"the lock is taken from an execution that nobody looked at, or a lost reply locks this one out"},
	"AdoptConfiguration": {"#owner = :me", "SET #config = :config",
		"{:config: {S: $string($newest)}, :me: {S: $call.execution}}",
		"an execution that lost the lock changes by which configuration the new owner works"},
	"ReleaseLock": {"#owner = :me", "($request.dryRun = true ? '' : 'SET lastOutcome = :outcome, " +
		"lastExecution = :me, lastEnded = :now' & ($outcome in ['rotated', 'repaired'] ? ', lastRotated = " +
		":now' : '')) & " +
		"' REMOVE #owner, ownerSince, ownerKind, #config'",
		"$merge([{':me': {'S': $call.execution}}, $request.dryRun = true ? {} : " +
			"{':now': {'S': $now()}, ':outcome': {'S': $outcome}}])",
		"the lock of another execution is released, or none"},
	"NoteTested": {"#owner = :me", "SET tested = :me, testedUntil = :until",
		"{:me: {S: $call.execution}, :until: {S: $graceUntil}}",
		"a fleet goes on while another execution's test is what has passed, or waits for days"},
}

// fleetTells is the condition under which a rotation leaves it to its fleet to tell people.
const fleetTells = "$outcome = 'rotated' and $boolean($request.fleet) and $notice = ''"

const takes = "SET #owner = :me, ownerSince = :now, ownerKind = :kind, settleSeconds = :settle, #config = :config"

func TestTheLockIsOneExecutions(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		arguments, _ := s.Arguments.(map[string]any)
		if !strings.Contains(s.Resource, ":dynamodb:") {
			return
		}
		if shown(arguments["Key"]) != "{client: {S: $call.client}}" || shown(arguments["TableName"]) != "journal" {
			t.Errorf("%s is about another item: two executions work on one client", name)
		}
		if strings.HasSuffix(s.Resource, ":getItem") {
			if shown(arguments["ConsistentRead"]) != "true" {
				t.Errorf("%s reads what may be old: a lock that was given back is waited for", name)
			}
			if got := shown(arguments["ExpressionAttributeNames"]); got != "{#owner: owner}" {
				t.Errorf("%s calls the owner %s: nobody sees who has the lock", name, got)
			}
			return
		}
		if got := shown(arguments["ExpressionAttributeNames"]); got != "{#config: config, #owner: owner}" &&
			name != "NoteTested" {
			t.Errorf("%s calls the owner and the configuration %s: functions do not find who has the lock", name, got)
		}
		l := ofTheLock[name]
		for _, part := range [][3]string{{"ConditionExpression", shown(arguments["ConditionExpression"]), l.condition},
			{"UpdateExpression", shown(arguments["UpdateExpression"]), l.update},
			{"ExpressionAttributeValues", shown(arguments["ExpressionAttributeValues"]), l.values}} {
			if part[1] != part[2] {
				t.Errorf("%s: %s is %q, must be %q: else %s", name, part[0], part[1], part[2], l.lost)
			}
		}
	})
}

// perCall finds how many targets a Map hands to one call.
var perCall = regexp.MustCompile(`^\$count\(\$targets\) = 0 \? \[\] : \$partition\((.*), (\d+)\)$`)

// rounds are the targets of a Map, other than all that are known.
var rounds = map[string]string{"SetSecret": "[$targets[(canary = true) = $canaries]]",
	"RestoreTargets": "$canaries ? [$targets[canary = true]] : $targets"}

// events is how many events of the history a state takes at most: all of its retriers are used up.
func (s state) events() int {
	most := 2 // entered and exited
	if s.Type == "Task" {
		most += 3 // scheduled, started, ended
		for _, r := range s.Retry {
			most += 3 * r.MaxAttempts
		}
	}
	if s.Type == "Map" {
		most += 2 // started and succeeded
		each := 2
		for _, inner := range s.ItemProcessor.States {
			each += inner.events()
		}
		if m := perCall.FindStringSubmatch(shown(s.Items)); m != nil {
			n, _ := strconv.Atoi(m[2])
			most += each * ((rotation.MaxTargets + n - 1) / n)
			if m[1] != "$targets" { // in two rounds, of which each has a call that is not full
				most += each + 4
			}
		}
	}
	return most
}

// A history holds 25,000 events (developer guide, "Service quotas"), and a rotation goes through every state at most
// once or, where it first puts right what another left, twice.
func TestTheMostTargetsFitIntoAHistory(t *testing.T) {
	t.Parallel()
	total := 0
	for _, s := range parse(t).States {
		total += s.events()
		if s.Type != "Map" {
			total += s.events()
		}
	}
	if t.Logf("%d events", total); total >= 25_000 {
		t.Errorf("%d targets whose calls are tried again as often as possible take %d events: the execution ends with "+
			"the lock held, and cannot be redriven", rotation.MaxTargets, total)
	}
}

// AWS allows about one change of a load balancer per second; in a rollback logins may be failing.
func TestTargetsAreSetOneByOneAndRestoredFiveAtATime(t *testing.T) {
	t.Parallel()
	at := map[string]string{"SetSecret": "1", "ReassertSecret": "1", "RestoreTargets": "5", "ReassertOldSecret": "5"}
	m := parse(t)
	for _, name := range keys(at, m.States) {
		s := m.States[name]
		if s.Type != "Map" && at[name] == "" {
			continue
		}
		if m := perCall.FindStringSubmatch(shown(s.Items)); m == nil ||
			m[1] != cmp.Or(rounds[name], "$targets") || m[2] != strconv.Itoa(rotation.TargetsPerCall) {
			t.Errorf("%s is for %s, of which a call takes %d: the other targets keep a secret that goes, or are "+
				"touched though they have the right one", name, shown(s.Items), rotation.TargetsPerCall)
		}
		if got := shown(s.MaxConcurrency); got != at[name] {
			t.Errorf("%s changes %s targets at a time, must change %s: AWS would throttle, or logins go on failing",
				name, got, at[name])
		}
	}
}

// wherefrom are the arguments that say of what a call of AWS is, and what is lost otherwise.
var wherefrom = []struct{ state, argument, value, lost string }{
	{"LoadClient", "Name", "'/alb-oidc-rotator/clients/' & $states.input.client", "another client is rotated"},
	{"ReloadClient", "Name", "'/alb-oidc-rotator/clients/' & $call.client",
		"another client's configuration is adopted"},
	{"InspectLockOwner", "ExecutionArn", "$lockOwner", "another execution than the one that has the lock is looked at"},
	{"StopFormerOwner", "ExecutionArn", "$lockOwner", "another execution than the one that had the lock is stopped"},
	{"StopFormerOwner", "Error", "TakenOver", "a stop by an emergency is healed, as if it had been an accident"},
	{"ReadLockOwner", "ProjectionExpression", "#owner, ownerSince, ownerKind",
		"who has the lock, and since when, is not seen"},
	{"notifier ReadLock", "Key", "{client: {S: $told.client}}", "another client's lock is looked at"},
	{"notifier ReadLock", "ConsistentRead", "true", "the lock that an emergency has just taken is not seen"},
	{"notifier Heal", "StateMachineArn", "$states.input.detail.stateMachineArn & ':live'", "nothing is healed"},
	{"notifier Heal", "Name", "'heal-' & $states.input.id", "an event that is delivered twice heals twice"},
	{"notifier Heal", "Input", "$string($merge([{'client': $told.client, 'reason': $healing}, " +
		"$request.emergency = true ? {'emergency': true} : {}, $request.repair = true and $told.error != " +
		"'Superseded' " +
		"? {'repair': true} : {}]))", "what an emergency left waits for a grace period, and a repair for a person"},
	{"StartBeforeEnd", "StateMachineArn", "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation:live",
		"nothing is started, or another version"},
	{"StartBeforeEnd", "Name", "$measured.start", "a measurement that is repeated starts a second rotation"},
	{"StartBeforeEnd", "Input", "$string({'client': $call.client, 'reason': 'before the end: the identity provider " +
		"ends the secret in use at ' & $measured.secretEnds})", "another client is rotated, or nobody reads why"},
	{"notifier Record", "Payload", "$states.input.record", "evidence of another execution is written, or of none"},
	{"fleet StartRotation", "StateMachineArn", "arn:aws:states:eu-central-1:111122223333:stateMachine:rotation:live",
		"nothing is started, or another version"},
	{"fleet StartRotation", "Name", "$states.input.name", "a fleet that is redriven starts rotations twice"},
	{"fleet StartRotation", "Input", "$string($states.input.request)", "another client is rotated"},
	{"fleet LookAtRotation", "ExecutionArn", "'arn:aws:states:eu-central-1:111122223333:execution:rotation:' & " +
		"$states.input.name", "another rotation is looked after"},
	{"fleet LookAtEnd", "ExecutionArn", "'arn:aws:states:eu-central-1:111122223333:execution:rotation:' & " +
		"$states.input.name", "another rotation is looked after"},
	{"fleet ReadTested", "Key", "{client: {S: $states.input.client}}", "another client's test lets a wave go on"},
	{"fleet ReadTested", "ConsistentRead", "true", "a wave waits longer than it must"},
	{"fleet TellStop", "Subject", "$told.subject", "people read of something else"},
	{"fleet Notify", "Subject", "$told.subject", "people read of something else"},
	{"notifier Notify", "Subject", "$told.subject", "people read of something else"},
	{"Notify", "Subject", "$told.subject", "people read of something else"},
	{"TellRollback", "Subject", "$told.subject", "people read of something else"},
}

func TestEveryCallOfAWSIsOfWhatIsMeant(t *testing.T) {
	t.Parallel()
	states := named(t)
	for _, w := range wherefrom {
		arguments, _ := states[w.state].Arguments.(map[string]any)
		if got := shown(arguments[w.argument]); got != w.value {
			t.Errorf("%s: %s is %q, must be %q: else %s", w.state, w.argument, got, w.value, w.lost)
		}
	}
}

// Subscriptions and rules choose by the client, the outcome, the source and the type of an event.
func TestWhatIsToldReachesWhoWaitsForIt(t *testing.T) {
	t.Parallel()
	ofMessages := map[string][2]string{"TellRollback": {"$call.client", "rollingBack"},
		"Notify":         {"$call.client", "$outcome"},
		"fleet TellStop": {"(fleet)", "fleetStopped"}, "fleet Notify": {"(fleet)", "$outcome"},
		"notifier Notify": {"$told.client = '' ? '(unknown)' : $told.client", "$told.outcome"}}
	ofEvents := map[string]string{"PublishRollback": "Client Secret Rotation Rolling Back",
		"PublishEvent": "{'rotated': 'Client Secret Rotated', 'repaired': 'Client Secret Repaired', " +
			"'rolledBack': 'Client Secret Rotation Rolled Back', " +
			"'refused': 'Client Secret Rotation Refused', 'superseded': 'Client Secret Rotation Superseded', " +
			"'needsAttention': 'Client Secret Rotation Needs Attention', " +
			"'wouldBeRefused': 'Client Secret Rotation Would Be Refused', 'endsSoon': 'Client Secret Ends Soon'} ~> " +
			"$lookup($outcome)",
		"fleet PublishEvent": "{'fleetRotated': 'Client Secret Fleet Rotated', " +
			"'fleetIncomplete': 'Client Secret Fleet Incomplete'} ~> $lookup($outcome)",
		"notifier PublishEvent": "{'interrupted': 'Client Secret Rotation Interrupted', " +
			"'changedByOthers': 'Client Secret Target Changed By Others', " +
			"'needsAttention': 'Client Secret Rotation Needs Attention'} ~> $lookup($told.outcome)"}
	for name, s := range named(t) {
		arguments, _ := s.Arguments.(map[string]any)
		switch {
		case strings.HasSuffix(s.Resource, ":sns:publish"):
			want := fmt.Sprintf("{client: {DataType: String, StringValue: %s}, outcome: {DataType: String, "+
				"StringValue: %s}}",
				ofMessages[name][0], ofMessages[name][1])
			if got := shown(arguments["MessageAttributes"]); got != want || shown(arguments["TopicArn"]) !=
				"arn:aws:sns:eu-central-1:111122223333:rotations" {
				t.Errorf("%s tells with %s, must with %s: the client's own addresses hear nothing", name, got, want)
			}
		case strings.HasSuffix(s.Resource, ":events:putEvents"):
			entries, _ := arguments["Entries"].([]any)
			event := map[string]any{}
			if len(entries) == 1 {
				event, _ = entries[0].(map[string]any)
			}
			detail := shown(event["Detail"])
			got := fmt.Sprint(shown(event["EventBusName"]), " ", shown(event["Source"]),
				" ", shown(event["DetailType"]))
			if want := "default alb-oidc-rotator " + ofEvents[name]; got != want || !strings.Contains(detail, "$told") {
				t.Errorf("%s publishes %s with %s, must publish %s: no rule finds it", name, got, detail, want)
			}
		}
	}
}

// exits are where each error leads, besides Superseded, Outdated and Reconfigured, which have tests of their own; "all"
// is any other, States.DataLimitExceeded included, which States.ALL leaves out.
var exits = map[string]struct {
	states []string
	lost   string
}{
	"all > NotStarted": {[]string{"LoadClient", "AcquireLock", "ReadLockOwner", "InspectLockOwner", "TakeOverLock",
		"SeizeLock"}, "an execution that has no lock ends as one that did something"},
	"all > Refuse": {[]string{"Plan", "TestBeforeChange"}, "what failed before anything was made keeps the lock"},
	"all > RollBack": {[]string{"CreateSecret", "VerifyNewSecret", "SetSecret", "TestCanaries", "PromoteSecret",
		"TestSecret",
		"CreateReplacement", "VerifyReplacement", "ReloadClient", "AdoptConfiguration", "RediscoverTargets",
		"VerifyBeforeReassert", "ReassertSecret",
		"TestBeforeFinish", "DisableOldSecret", "TestAfterDisable"}, "a new secret is left half way"},
	"all > NotMeasured":     {[]string{"Measure"}, "a measurement that failed wakes people as a failed rotation"},
	"all > PublishRollback": {[]string{"TellRollback"}, "a message that cannot be sent holds up the rollback"},
	"all > Quiesce":         {[]string{"PublishRollback"}, "an event that cannot be sent holds up the rollback"},
	"all > ReleaseLock":     {[]string{"TestAfterRollback"}, "a test that only tells people keeps the lock"},

	"InvalidInput > NotStarted": {[]string{"Measure"}, "a client whose configuration is wrong ends as measured"},
	"States.ALL > Outcome":      {[]string{"PublishEvent"}, "a rotation that succeeded ends as failed"},
	"States.ALL > FleetOutcome": {[]string{"fleet PublishEvent"}, "a fleet that is done ends as failed"},
	"States.ALL > AwaitEnds":    {[]string{"fleet TellStop"}, "nobody hears how the rotations of a fleet end"},
	"States.ALL > RotationOutcome": {[]string{"fleet StartRotation"},
		"a client that cannot be rotated ends the whole fleet"},
	"Sfn.ExecutionAlreadyExistsException Sfn.ExecutionAlreadyExists Sfn.SdkClientException States.Timeout > " +
		"AwaitRotation": {[]string{"fleet StartRotation"},
		"a fleet that is redriven, or has no answer, takes what it has started for failed"},
	"Sfn.ExecutionDoesNotExistException Sfn.ExecutionDoesNotExist > ReadTested": {[]string{"fleet LookAtRotation"},
		"a rotation that has just been started is taken for failed"},
	"Sfn.ExecutionDoesNotExistException Sfn.ExecutionDoesNotExist > EndStatus": {[]string{"fleet LookAtEnd"},
		"a rotation is given up"},
	"States.ALL > ReadTested":     {[]string{"fleet LookAtRotation"}, "a disturbance ends the whole fleet"},
	"States.ALL > EndStatus":      {[]string{"fleet LookAtEnd"}, "a disturbance ends the whole fleet"},
	"States.ALL > RotationStatus": {[]string{"fleet ReadTested"}, "a disturbance ends the whole fleet"},
	"States.ALL > PublishEvent": {[]string{"Notify", "notifier Notify", "fleet Notify"},
		"a rotation that succeeded ends as failed, or no machine hears of one that failed"},
	"States.ALL > TellEnd": {[]string{"StartBeforeEnd"}, "nobody hears that no rotation was started"},
	"Sfn.ExecutionAlreadyExistsException Sfn.ExecutionAlreadyExists > Measured": {[]string{"StartBeforeEnd"},
		"a measurement that is repeated alarms people"},
	"States.ALL > ChooseHealing": {[]string{"notifier ReadLock"}, "nobody hears of an execution that failed"},
	"States.ALL > Describe":      {[]string{"notifier Heal"}, "nobody hears that nothing was put right"},
	"Sfn.ExecutionAlreadyExistsException Sfn.ExecutionAlreadyExists > Healed": {[]string{"notifier Heal"},
		"people are alarmed by an event that is delivered twice"},
	"SmokeTestFailed > ReleaseLock": {[]string{"TestAfterRollback"}, "people do not hear that a login test failed"},
	"States.ALL > AwaitFormerOwner": {[]string{"StopFormerOwner"},
		"an emergency ends because the execution that it stops has ended by itself"},
	"DynamoDB.ConditionalCheckFailedException > ReadLockOwner": {[]string{"AcquireLock", "TakeOverLock", "SeizeLock"},
		"a lock that somebody has, or that changed hands, is not looked at"},
	"DynamoDB.ConditionalCheckFailedException > RediscoverTargets": {[]string{"AdoptConfiguration"},
		"an execution that lost its lock rolls back, instead of hearing from the next function"},
	"DynamoDB.ConditionalCheckFailedException > Released": {[]string{"ReleaseLock"},
		"a rotation that succeeded ends as failed"},
	"Sfn.ExecutionDoesNotExistException Sfn.ExecutionDoesNotExist > LockOwnerStatus ownerStatus=GONE": {[]string{
		"InspectLockOwner"}, "a lock whose execution is forgotten is held for ever"},
	"States.ALL > GracePeriod": {[]string{"NoteTested"}, "a note for a fleet rolls a rotation back"},
	"Reconfigured InvalidInput > Reconfigured": {[]string{"RediscoverTargets"},
		"a configuration that came in the grace period and is wrong rolls back a rotation that is in use"},
	"Ssm.ParameterNotFoundException States.QueryEvaluationError > Reconfigured": {[]string{"ReloadClient"},
		"a rollback looks for the secrets where they are not"},
}

func TestEveryErrorLeadsWhereItMust(t *testing.T) {
	t.Parallel()
	got := map[string][]string{}
	for name, s := range named(t) {
		limit := ""
		for _, c := range s.Catch {
			errors := strings.Join(c.ErrorEquals, " ")
			switch {
			case errors == "Superseded", errors == "Outdated", errors == "Reconfigured":
				continue
			case errors == "States.DataLimitExceeded":
				limit = c.Next
				continue
			case errors == "States.ALL" && limit == c.Next:
				errors = "all"
			}
			exit := errors + " > " + c.Next
			if c.Assign["ownerStatus"] != nil {
				exit += " ownerStatus=" + shown(c.Assign["ownerStatus"])
			}
			got[exit] = append(got[exit], name)
		}
	}
	for _, exit := range keys(exits, got) {
		for _, name := range keys(set(exits[exit].states), set(got[exit])) {
			if is := slices.Contains(got[exit], name); is != slices.Contains(exits[exit].states, name) {
				t.Errorf("%s: has %s: %v, must be %v: else %s", name, exit, is, !is, exits[exit].lost)
			}
		}
	}
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}

// named are the states of all machines: those of the rotation by their names, others by the machine's name and their
// own; of the fleet's Maps also those within.
func named(t *testing.T) map[string]state {
	t.Helper()
	out := map[string]state{}
	for machine, m := range all(t) {
		for name, s := range m.States {
			if machine != "rotation" {
				name = machine + " " + name
			}
			out[name] = s
			if s.ItemProcessor != nil && machine == "fleet" {
				for inner, is := range s.ItemProcessor.States {
					out["fleet "+inner] = is
				}
			}
		}
	}
	return out
}
