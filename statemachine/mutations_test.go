package statemachine_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

// planted are the variables of the environment that name a file to test in place of a definition.
var planted = map[string]*string{"ROTATION_DEFINITION": &statemachine.Definition,
	"NOTIFIER_DEFINITION": &statemachine.Notifier}

func TestMain(m *testing.M) {
	for variable, definition := range planted {
		if file := os.Getenv(variable); file != "" {
			b, err := os.ReadFile(file)
			if err != nil {
				panic(err)
			}
			*definition = string(b)
		}
	}
	os.Exit(m.Run())
}

// mutation is a fault in a state of rotation.asl.json, or in "notifier NAME": the first text before within it becomes
// after. The test that catches it says what is lost.
type mutation struct{ state, before, after, lost string }

// mutations by the test that must catch them.
var mutations = map[string][]mutation{
	"TestEveryFunctionIsToldWhatItsStepIsFor": {
		{"TestSecret", `, "login"]`, `]`, "found out by users"},
		{"TestBeforeFinish", `"login", `, ``, "found out by users"},
		{"TestBeforeFinish", `, "metrics"`, ``, "found out by users"},
		{"TestAfterDisable", `, "login"]`, `]`, "found out by users"},
		{"TestAfterDisable", `"refused", `, ``, "found out by users"},
		{"TestBeforeFinish", `"targets": "{% $targets %}",`, ``, "nor looked at in the metric"},
		{"TestBeforeFinish", `$emergency or `, ``, "holds up the end of a leaked secret"},
		{"TestBeforeChange", `, "rehearse": true`, ``, "stops the rotation"},
		{"VerifyNewSecret", `, "wait": true`, ``, "not active yet fails the rotation"},
		{"TestSecret", `"from": `, `"wait": true, "from": `, "one in use that is refused is waited for"},
		{"VerifyBeforeReassert", `, "mustBeCurrent": true`, ``, "moved back is overwritten"},
		{"VerifyOldSecret", `"from": "{% $to %}"`, `"from": "{% $from %}"`, "wrong secret for the old one"},
		{"RediscoverTargets", `, "targets": "{% $targets %}"`, ``, "neither searched for again"},
		{"RediscoverToRestore", `, "targets": "{% $targets %}"`, ``, "neither searched for again"},
		{"RediscoverToRestore", `, "undo": true`, ``, "refuses what a rollback must pass over"},
		{"SetSecret", `"{% $proven %}"`, `"{% $now() %}"`, "long after it was last accepted"},
		{"RestoreTargets", `"to": "{% $from %}"`, `"to": "{% $to %}"`, "wrong secret for the new one"},
		{"RestoreLabels", `"undo": true, `, ``, "works as one forward"},
		{"DisableOldSecret", `"retire": "{% $from %}"`, `"retire": "{% $to %}"`, "in use is taken away"},
		{"FinishSecret", `, "searched": "{% $searched %}"`, ``, "came since the search"},
		{"FinishSecret", `"delete"`, `"disable"`, "does something else"},
		{"RemoveNewSecret", `"keep": "{% $from %}"`, `"keep": "{% $to %}"`, "not proven before the other goes"},
		{"CreateSecret", `"import": "{% $plan.import %}"`, `"import": false`, "is not taken over"},
		{"PromoteSecret", `"{% $gracePeriodSeconds %}"`, `0`, "earlier, or later"},
		{"Plan", `, "request": "{% $request %}"`, ``, "is not heeded"},
		{"Plan", `"{% $states.context.Execution.StartTime %}"`, `"{% $now() %}"`, "used again"},
	},
	"TestEveryStepLeavesWhatTheNextOnesNeed": {
		{"RediscoverTargets", `"targets": "{% $states.result.Payload.targets %}", "searched"`, `"searched"`,
			"with the old secret is never set"},
		{"RediscoverToRestore", `"targets": "{% $states.result.Payload.targets %}", `, ``, "is never restored"},
		{"RediscoverTargets", `"spreadSeconds": "{% $states.result.Payload.spreadSeconds %}",`, ``, "longer spread"},
		{"PromoteSecret", `"{% $states.result.Payload.graceUntil %}"`, `"{% $now() %}"`, "without a grace period"},
		{"PromoteSecret", `, "searched": "{% '' %}"`, ``, "before the promotion counts"},
		{"RediscoverTargets", `$plan.action = 'rotate' and `, ``, "that came is not set,"},
		{"CreateSecret", `"{% $states.result.Payload.to %}"`, `"{% $to %}"`, "what was made"},
		{"Plan", `"{% $rounds + 1 %}"`, `0`, "round for ever"},
		{"ReadLockOwner", `< 60000`, `< 600`, "taken for gone"},
		{"ReadLockOwner", `$states.result.Item.ownerKind.S : 'rotation'`, `'rotation' : 'rotation'`,
			"another emergency"},
		{"AfterRollback", `"rolledBack"`, `"refused"`, "wakes nobody"},
		{"Purpose", `${SettleSeconds}`, `1`, "another time"},
	},
	"TestNothingIsGoneAround": {
		{"CreateSecret", `"Next": "VerifyNewSecret"`, `"Next": "SetSecret"`, "never accepted: logins fail"},
		{"VerifyNewSecret", `"Next": "SetSecret"`, `"Next": "PromoteSecret"`, "no load balancer has"},
		{"SameClient", `"Default": "Reconfigured"`, `"Default": "TestBeforeFinish"`, "loses its logins"},
		{"AfterSearch", `"Default": "VerifyBeforeReassert"`, `"Default": "ReassertSecret"`,
			"replaced in the grace period"},
		{"AfterSearch", `"Default": "VerifyBeforeReassert"`, `"Default": "TestBeforeFinish"`,
			"put the old secret back"},
		{"ReassertSecret", `"Next": "AwaitReassertSpread"`, `"Next": "TestBeforeFinish"`, "still serve the old secret"},
		{"AfterPromotion", `"Next": "ReassertSecret"`, `"Next": "TestBeforeFinish"`,
			"before the promotion put on a target"},
		{"AfterTests", `"Default": "DisableOldSecret"`, `"Default": "FinishSecret"`, "tried without it"},
		{"DisableOldSecret", `"Next": "TestAfterDisable"`, `"Next": "FinishSecret"`, "work without it"},
		{"BeginRollback", `"Next": "Quiesce"`, `"Next": "EnableOldSecret"`, "after the rollback has passed it"},
		{"PublishRollback", `"Next": "Quiesce"`, `"Next": "EnableOldSecret"`, "after the rollback has passed it"},
		{"RestoreTargets", `"Next": "RestoreLabels"`, `"Next": "RediscoverToRestore"`, "a secret that is removed"},
		{"RestoreLabels", `"Next": "RediscoverToRestore"`, `"Next": "ReassertOldSecret"`, "came with the new secret"},
		{"ReassertOldSecret", `"Next": "AwaitRestoreSpread"`, `"Next": "RemoveNewSecret"`, "comes late"},
		{"TakeOverLock", `"Next": "AwaitFormerOwner"`, `"Next": "Plan"`, "former owner's last call"},
		{"Supersede", `"Default": "AwaitOwnCalls"`, `"Default": "ReleaseLock"`, "what the next one does"},
	},
	"TestEveryWaitOutlastsWhatItIsFor": {
		{"AwaitSpread", `$spreadSeconds`, `0`, "when the labels move"},
		{"AwaitReassertSpread", `$spreadSeconds`, `1`, "still serve the old secret"},
		{"AwaitRestoreSpread", ` + ${SettleSeconds}`, ``, "still has the secret that is removed"},
		{"Quiesce", `"{% ${SettleSeconds} %}"`, `15`, "was restored"},
		{"AwaitFormerOwner", `"{% ${SettleSeconds} %}"`, `1`, "former owner's last call"},
		{"GracePeriod", `"Timestamp": "{% $graceUntil %}"`, `"Seconds": "{% $gracePeriodSeconds %}"`, "period again"},
	},
	"TestEveryDecisionIsTheOneThatIsMeant": {
		{"LockOwnerStatus", `['RUNNING', 'PENDING_REDRIVE'] or`, `['RUNNING'] or`, "about to be redriven"},
		{"LockOwnerStatus", `$looks + 1`, `$looks`, "is taken over"},
		{"LockOwner", ` and $lockKind != 'emergency'`, ``, "stops another emergency"},
		{"Decide", `{"Condition": "{% $plan.action = 'finish' %}", "Next": "GracePeriod"}`,
			`{"Condition": "{% $plan.action = 'finish' %}", "Next": "ReleaseLock"}`, "left over is treated"},
		{"SameClient", `$newest.client = $reference.client`, `true`, "another client's secrets"},
		{"AfterFinish", `'finish'`, `'rotate'`, "taken for the rotation"},
		{"notifier ChooseHealing", ` and ($told.error != 'States.Runtime' or $lockOwner = '')`, ``, "stays"},
		{"notifier ChooseHealing", `!= 'healing: '`, `!= 'x'`, "follow each other for ever"},
		{"notifier ChooseHealing", `$lockOwner != '' and`, `$lockOwner = '' and`, "stays"},
		{"Outcome", `"Default": "RolledBack"`, `"Default": "Refused"`, "ends as something else"},
	},
	"TestTheLockIsOneExecutions": {
		{"AcquireLock", ` OR #owner = :me`, ``, "a reply that was lost"},
		{"AcquireLock", `attribute_not_exists(#owner) OR `, `attribute_exists(client) OR `, "two executions"},
		{"TakeOverLock", `#owner = :former OR `, `attribute_exists(#owner) OR `, "nobody looked at"},
		{"ReleaseLock", `"ConditionExpression": "#owner = :me", `, ``, "of another execution is released"},
		{"ReadLockOwner", `"ConsistentRead": true`, `"ConsistentRead": false`, "given back is waited for"},
	},
	"TestEveryErrorLeadsWhereItMust": {
		{"AcquireLock", `"Next": "ReadLockOwner"`, `"Next": "LockHeld"`, "is not looked at"},
		{"AdoptConfiguration", `"Next": "RollBack"`, `"Next": "RediscoverTargets"`, "half way"},
		{"InspectLockOwner", `"GONE"`, `"RUNNING"`, "held for ever"},
		{"StopFormerOwner", `"Next": "AwaitFormerOwner"`, `"Next": "NotStarted"`, "ended by itself"},
	},
	"TestOneDisturbanceIsSurvivedByTheSameExecution": {
		{"TestSecret", `, "States.Timeout"`, ``, "short disturbance"},
		{"AcquireLock", `"MaxAttempts": 6`, `"MaxAttempts": 1`, "short disturbance"},
		{"SetSecret", `"MaxDelaySeconds": 60`, `"MaxDelaySeconds": 6`, "short disturbance"},
		{"TestBeforeFinish", `"MaxAttempts": 6`, `"MaxAttempts": 60`, "rollback comes late"},
	},
	"TestNoNoticeIsLost":                {{"SetSecret", `$notice & ' ' & `, ``, "do not hear"}},
	"TestEveryFailureIsNamedAsItsState": {{"NotStarted", `"Error": "NotStarted"`, `"Error": "Refused"`, "what to do"}},
	"TestTheNotifierInsists":            {{"notifier Notify", `"MaxAttempts": 8`, `"MaxAttempts": 1`, "nobody hears"}},
	"TestWhatCannotBeUndoneIsGivenUpInTimeAndNoEarlier": {
		{"FinishSecret", `"MaxAttempts": 60`, `"MaxAttempts": 3`,
			"FinishSecret: anything else is tried 3 times over 35 s: a disturbance of hours"},
		{"RestoreLabels", `"MaxAttempts": 12`, `"MaxAttempts": 60`, "RestoreLabels: LockLost is tried"},
		{"RemoveNewSecret", `"LockLost", `, ``, "RemoveNewSecret retries"},
	},
	"TestTargetsAreSetOneByOneAndRestoredFiveAtATime": {
		{"SetSecret", `"MaxConcurrency": 1`, `"MaxConcurrency": 40`, "AWS would throttle"},
		{"RestoreTargets", `$partition($targets, 10)`, `$partition([$targets[0]], 10)`, "keep a secret that goes"},
	},
	"TestTheMostTargetsFitIntoAHistory": {
		{"ReassertOldSecret", `$partition($targets, 10)`, `$partition($targets, 1)`, "ends with the lock held"},
		{"FinishSecret", `"MaxAttempts": 60`, `"MaxAttempts": 3000`, "ends with the lock held"},
	},
	"TestEveryCallOfAWSIsOfWhatIsMeant": {
		{"notifier Heal", `'heal-' & `, `'heal-' & $string($random()) & `, "heals twice"},
		{"StopFormerOwner", `"{% $lockOwner %}"`, `"{% $call.execution %}"`, "another execution"},
	},
}

func TestEveryMutationIsCaught(t *testing.T) {
	t.Parallel()
	for test, list := range mutations {
		for i, f := range list {
			t.Run(fmt.Sprintf("%s/%s %d", test, f.state, i), func(t *testing.T) {
				t.Parallel()
				file := filepath.Join(t.TempDir(), "planted.json")
				variable, faulty := f.plant(t)
				if err := os.WriteFile(file, []byte(faulty), 0o600); err != nil {
					t.Fatal(err)
				}
				run := exec.Command(os.Args[0], "-test.run", "^"+test+"$")
				run.Env = append(os.Environ(), variable+"="+file)
				out, err := run.CombinedOutput()
				if err == nil || !strings.Contains(string(out), f.lost) {
					t.Errorf("%s: %s becomes %s: nobody says %q, but\n%s", f.state, f.before, f.after, f.lost, out)
				}
			})
		}
	}
}

// plant makes the faulty definition, and names the variable that puts it in place.
func (f mutation) plant(t *testing.T) (variable, faulty string) {
	t.Helper()
	variable = "ROTATION_DEFINITION"
	name, ofNotifier := strings.CutPrefix(f.state, "notifier ")
	if ofNotifier {
		variable = "NOTIFIER_DEFINITION"
	}
	whole, begins := *planted[variable], "\n    \""+name+"\": "
	at := strings.Index(whole, begins+"{") + len(begins)
	var body json.RawMessage
	if err := json.NewDecoder(strings.NewReader(whole[at:])).Decode(&body); err != nil {
		t.Fatalf("%s: %v", f.state, err)
	}
	faulty = strings.Replace(string(body), f.before, f.after, 1)
	if faulty == string(body) || !json.Valid([]byte(faulty)) {
		t.Fatalf("%s: %s cannot become %s", f.state, f.before, f.after)
	}
	return variable, whole[:at] + faulty + whole[at+len(body):]
}
