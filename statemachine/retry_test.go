package statemachine_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
)

// integrationErrors are the names that the integrations in use can raise (Step Functions developer guide, "Handling
// errors"; the suffixes of SDK integrations are the exceptions of the AWS SDK for Java). Those of States are the ones
// that a state machine with JSONata can catch or retry.
var integrationErrors = regexp.MustCompile(
	`^(States\.(ALL|TaskFailed|Timeout|HeartbeatTimeout|DataLimitExceeded|QueryEvaluationError|Permissions|BranchFailed|NoChoiceMatched|` +
		`ExceedToleratedFailureThreshold|ItemReaderFailed|ResultWriterFailed|Http\.Socket)|` +
		`Lambda\.(ServiceException|AWSLambdaException|SdkClientException|TooManyRequestsException|ClientExecutionTimeoutException|Unknown)|(Sandbox\.Timedout|Runtime\.ExitError)|` +
		`DynamoDB\.(ConditionalCheckFailedException|AmazonDynamoDBException|InternalServerErrorException|ProvisionedThroughputExceededException|RequestLimitExceededException|ThrottlingException|SdkClientException)|` +
		`Ssm\.(InternalServerErrorException|ThrottlingException|ParameterNotFoundException|SsmException|SdkClientException)|Sfn\.(SfnException|SdkClientException|ThrottlingException|Execution(DoesNotExist|AlreadyExists)(Exception)?)|` +
		`SNS\.(AmazonSNSException|InternalErrorException|ThrottledException|SdkClientException)|EventBridge\.(SdkClientException|AmazonEventBridgeException))$`)

func TestEveryErrorNameIsOneThatCanOccur(t *testing.T) {
	t.Parallel()
	for _, m := range both(t) {
		for _, p := range m.impossible() {
			t.Error(p)
		}
	}
}

// impossible lists the error names that nothing raises, of Retry and Catch, inside Maps too.
func (m machine) impossible() []string {
	var out []string
	m.all(func(name string, s state) {
		var names []string
		for _, r := range s.Retry {
			names = append(names, r.ErrorEquals...)
		}
		for _, c := range s.Catch {
			names = append(names, c.ErrorEquals...)
		}
		for _, n := range names {
			if !slices.Contains(failure.Kinds(), failure.Kind(n)) && !integrationErrors.MatchString(n) {
				out = append(out, name+": nothing raises "+n)
			}
		}
	})
	return out
}

func TestTheErrorCheckFindsMisspeltNamesEverywhere(t *testing.T) {
	t.Parallel()
	wrong := `[{"ErrorEquals": ["States.Timedout"], "Next": "X"}]`
	m := decode(t, `{"States": {"A": {"Type": "Task", "Retry": `+wrong+`}, "B": {"Type": "Map", "Retry": `+wrong+
		`, "Catch": `+wrong+`,
		"ItemProcessor": {"States": {"C": {"Type": "Task", "Retry": `+wrong+`, "Catch": `+wrong+`}}}}}}`)
	if got := m.impossible(); len(got) != 5 {
		t.Errorf("found %v", got)
	}
}

func TestEveryTransientFailureIsRetriedByEveryForwardFunction(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		if !strings.HasSuffix(s.Resource, ":lambda:invoke") || slices.Contains(uncaught, name) {
			return
		}
		var retried []string
		for _, r := range s.Retry {
			retried = append(retried, r.ErrorEquals...)
		}
		for _, k := range failure.Kinds() {
			want := k.Transient() && !(k == failure.NotYetActive && slices.Contains(afterTheSwitch, name))
			if got := slices.Contains(retried, string(k)); got != want {
				t.Errorf("%s: retries %s: %v, want %v", name, k, got, want)
			}
		}
	})
}

// Identity providers ask for pauses of up to five minutes. With full jitter a wait is half as long on average.
func TestAThrottledIdentityProviderIsWaitedForLongerThanItAsks(t *testing.T) {
	t.Parallel()
	m := parse(t)
	for _, name := range []string{"CreateSecret", "DisableOldSecret"} {
		r := m.States[name].Retry[0]
		total, next := 0.0, r.IntervalSeconds
		for range r.MaxAttempts {
			total, next = total+next/2, min(next*r.BackoffRate, r.MaxDelaySeconds)
		}
		if !slices.Equal(r.ErrorEquals, []string{"Throttled"}) || total < 9*60 {
			t.Errorf("%s waits %g s on average for %v", name, total, r.ErrorEquals)
		}
	}
}

// afterTheSwitch are the tests of a secret that load balancers use: while it is not accepted, logins fail, so that
// waiting is what makes the outage long.
var afterTheSwitch = []string{"TestSecret", "VerifyBeforeReassert", "TestBeforeFinish", "TestAfterDisable"}

func TestOnlyASecretThatNoTargetHasIsWaitedFor(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		payload, _ := s.Arguments.(map[string]any)["Payload"].(map[string]any)
		if wait := payload["wait"] == true; wait != (name == "VerifyNewSecret") {
			t.Errorf("%s: wait is %v", name, wait)
		}
	})
}

// What time cannot mend is given up after at least ten tries over 15 minutes; a third version and a changed
// configuration at once, because what comes next mends that; all else is tried for hours.
func TestWhatCannotBeUndoneIsGivenUpInTimeAndNoEarlier(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		if !slices.Contains(uncaught, name) {
			return
		}
		tries := map[string]int{}
		over := map[string]float64{}
		for _, r := range s.Retry {
			total, next := 0.0, r.IntervalSeconds
			for range r.MaxAttempts {
				total, next = total+next, min(next*r.BackoffRate, r.MaxDelaySeconds)
			}
			if slices.Contains(r.ErrorEquals, "LockLost") && r.JitterStrategy != "NONE" {
				t.Errorf("%s: with jitter nobody knows how long LockLost is retried", name)
			}
			for _, kind := range r.ErrorEquals {
				tries[kind], over[kind] = r.MaxAttempts, total
			}
		}
		delete(tries, "Outdated") // only of what takes a secret away, and never tried again
		if len(tries) != 6 || tries["Superseded"] != 0 || tries["Reconfigured"] != 0 {
			t.Errorf("%s retries %v", name, tries)
		}
		for _, kind := range []string{"LockLost", "InvalidInput", "SecretRefused"} {
			if tries[kind] < 10 || over[kind] < 15*60 || over[kind] > 30*60 {
				t.Errorf("%s: %s is tried %d times over %g s", name, kind, tries[kind], over[kind])
			}
		}
		if tries["States.ALL"] < 60 || over["States.ALL"] < 4*3600 {
			t.Errorf("%s: anything else is tried %d times over %g s", name, tries["States.ALL"], over["States.ALL"])
		}
	})
}
