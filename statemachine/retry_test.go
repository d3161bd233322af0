package statemachine_test

import (
	"fmt"
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
	for _, m := range all(t) {
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
			want := k.Transient() && !(k == failure.NotYetActive && slices.Contains(afterTheSwitch, name)) &&
				(k != failure.Unfinished || calls[name].function == "updatealb")
			if got := slices.Contains(retried, string(k)); got != want {
				t.Errorf("%s: retries %s: %v, want %v: else what time mends ends it, or what it does not holds it up",
					name, k, got, want)
			}
		}
	})
}

// Identity providers ask for pauses of up to five minutes, and many clients that rotate at once wait for each other.
// With full jitter a wait is half as long on average. What searches the load balancers, which clients share, waits
// for all of them: nothing is made yet, or both secrets are valid. The states of a rollback try everything for hours,
// or, to restore a target at first and to tell people, not at all long. That counts after the switch, too: a rollback
// asks the same token endpoint, and a refusal is no throttling.
func TestWhoThrottlesIsWaitedForLongerThanItAsks(t *testing.T) {
	t.Parallel()
	const budget = 8 * 3600 // of a whole rotation, if everything throttles all the time
	whole := 0.0
	parse(t).tasks(func(name string, s state, _ bool) {
		if !strings.HasSuffix(s.Resource, ":lambda:invoke") || slices.Contains(uncaught, name) ||
			slices.Contains([]string{"RestoreTargetSecret", "TestAfterRollback", "CreateReplacement",
				"VerifyReplacement"}, name) { // the last two are a repair's
			return
		}
		r, least, most := s.retries("Throttled"), 9*60.0, 15*60.0
		if calls[name].function == "plan" {
			least, most = 50*60, 60*60
		}
		if name != "Measure" { // which is no part of a rotation
			whole += r.over()
		}
		if !slices.Equal(r.ErrorEquals, throttling) || r.over()/2 < least || r.over()/2 > most {
			t.Errorf("%s waits %g s at most for %v: a provider that throttles for minutes ends the rotation", name,
				r.over(), r.ErrorEquals)
		}
	})
	if whole > budget {
		t.Errorf("a provider that throttles holds a rotation up for %g s", whole)
	}
}

// throttling are the failures that say that there were too many requests, or too many functions at once. Nothing has
// happened then.
var throttling = []string{"Throttled", "Lambda.TooManyRequestsException"}

// afterTheSwitch are the tests of a secret that load balancers use: while it is not accepted, logins fail, so that
// waiting is what makes the outage long.
var afterTheSwitch = []string{"TestCanaries", "TestSecret", "VerifyBeforeReassert", "TestBeforeFinish",
	"TestAfterDisable"}

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
			if slices.Contains(r.ErrorEquals, "LockLost") && r.JitterStrategy != "NONE" {
				t.Errorf("%s: with jitter nobody knows how long LockLost is retried", name)
			}
			for _, kind := range r.ErrorEquals {
				tries[kind], over[kind] = r.MaxAttempts, r.over()
			}
		}
		delete(tries, "Outdated") // only of what takes a secret away, and never tried again
		if len(tries) != 6 || tries["Superseded"] != 0 || tries["Reconfigured"] != 0 {
			t.Errorf("%s retries %v: what time cannot mend holds the lock for hours, or what it mends ends it", name,
				tries)
		}
		for _, kind := range []string{"LockLost", "InvalidInput", "SecretRefused"} {
			if tries[kind] < 10 || over[kind] < 15*60 || over[kind] > 30*60 {
				t.Errorf("%s: %s is tried %d times over %g s: given up too early, or nobody hears for long", name,
					kind, tries[kind], over[kind])
			}
		}
		if tries["States.ALL"] < 60 || over["States.ALL"] < 4*3600 {
			t.Errorf("%s: anything else is tried %d times over %g s: a disturbance of hours ends it half way", name,
				tries["States.ALL"], over["States.ALL"])
		}
	})
}

// mends are the errors of each integration that time mends, besides a timeout of the task: one disturbance must be
// survived by the same execution, and not only by the next.
var mends = map[string][]string{
	":lambda:invoke": {"Lambda.ServiceException", "Lambda.AWSLambdaException", "Lambda.SdkClientException",
		"Lambda.ClientExecutionTimeoutException", "Lambda.Unknown", "Sandbox.Timedout", "Runtime.ExitError"},
	":dynamodb:": {"DynamoDB.AmazonDynamoDBException", "DynamoDB.InternalServerErrorException",
		"DynamoDB.ProvisionedThroughputExceededException", "DynamoDB.RequestLimitExceededException",
		"DynamoDB.ThrottlingException", "DynamoDB.SdkClientException"},
	":ssm:": {"Ssm.InternalServerErrorException", "Ssm.ThrottlingException", "Ssm.SsmException",
		"Ssm.SdkClientException"},
	":sfn:": {"Sfn.SfnException", "Sfn.SdkClientException", "Sfn.ThrottlingException"},
	":sns:": {"SNS.AmazonSNSException", "SNS.InternalErrorException", "SNS.ThrottledException",
		"SNS.SdkClientException"},
	":events:": {"EventBridge.SdkClientException", "EventBridge.AmazonEventBridgeException"},
}

// few are the states that try less often than six times, because what comes after them is better than to wait.
var few = map[string]int{
	"TestBeforeChange":  2,                       // nothing is made yet
	"TestAfterRollback": 2,                       // only to tell people
	"StopFormerOwner":   4,                       // that has lost the lock already
	"TellRollback":      1, "PublishRollback": 1, // logins may be failing
}

func TestOneDisturbanceIsSurvivedByTheSameExecution(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		if slices.Contains(uncaught, name) {
			return // all is tried for hours
		}
		tries, least, most := few[name], 0.0, 180.0
		switch {
		case strings.HasSuffix(s.Resource, ":ssm:getParameter"):
			tries, least, most = 12, 180, 300 // hundreds of clients begin at once, and nothing is made yet
		case tries == 0:
			tries, least = 6, 60
		}
		for integration, errors := range mends {
			if !strings.Contains(s.Resource, integration) {
				continue
			}
			for _, e := range append(errors, "States.Timeout") {
				r := s.retries(e)
				if r.MaxAttempts == tries && r.over() >= least && r.over() <= most {
					continue
				}
				t.Errorf("%s tries again %d times over %g s after %s, must %d times over %g to %g s: else a short "+
					"disturbance ends the rotation, or a rollback comes late", name, r.MaxAttempts, r.over(), e, tries,
					least, most)
			}
		}
	})
}

// Nobody else tells of what it is for.
func TestTheNotifierInsists(t *testing.T) {
	t.Parallel()
	all(t)["notifier"].tasks(func(name string, s state, _ bool) {
		if r := s.retries("States.Timeout"); r.MaxAttempts < 6 || r.over() < 60 {
			t.Errorf("%s is tried %d times over %g s: after a short disturbance nobody hears of a rotation that failed",
				name, r.MaxAttempts, r.over())
		}
	})
}

// retries is the retrier that an error has; one of no tries if there is none.
func (s state) retries(name string) retry {
	for _, r := range s.Retry {
		if slices.Contains(r.ErrorEquals, name) || slices.Contains(r.ErrorEquals, "States.ALL") {
			return r
		}
	}
	return retry{}
}

// over is how long a retrier goes on, without jitter.
func (r retry) over() (total float64) {
	next := r.IntervalSeconds
	for range r.MaxAttempts {
		total, next = total+next, min(next*r.BackoffRate, r.MaxDelaySeconds)
	}
	return total
}

// rhythm is when a retrier tries again, and until when.
func (r retry) rhythm() string {
	return fmt.Sprintf("after %g s, then %g times as long up to %g s, %d times, jitter %s", r.IntervalSeconds,
		r.BackoffRate, r.MaxDelaySeconds, r.MaxAttempts, r.JitterStrategy)
}

// rhythms are those of the retriers, by what they are for.
var rhythms = map[string]string{
	"a function":                     "after 2 s, then 2 times as long up to 60 s, 6 times, jitter FULL",
	"AWS":                            "after 1 s, then 2 times as long up to 30 s, 6 times, jitter FULL",
	"parameters, 40 a second":        "after 1 s, then 2 times as long up to 30 s, 12 times, jitter FULL",
	"a test that nothing waits for":  "after 2 s, then 2 times as long up to 60 s, 2 times, jitter FULL",
	"a stop that may be lost":        "after 1 s, then 2 times as long up to 10 s, 4 times, jitter FULL",
	"a message before a rollback":    "after 1 s, then 1 times as long up to 0 s, 1 times, jitter FULL",
	"each of ten targets":            "after 1 s, then 1 times as long up to 0 s, 9 times, jitter NONE",
	"load balancers, of all clients": "after 15 s, then 2 times as long up to 240 s, 30 times, jitter FULL",
	"a provider that throttles":      "after 15 s, then 2 times as long up to 120 s, 12 times, jitter FULL",
	"what time cannot mend":          "after 10 s, then 2 times as long up to 120 s, 12 times, jitter NONE",
	"what cannot be undone":          "after 5 s, then 2 times as long up to 300 s, 60 times, jitter FULL",
	"the only one who tells":         "after 2 s, then 2 times as long up to 60 s, 8 times, jitter FULL",
	"a look before somebody is told": "after 2 s, then 2 times as long up to 30 s, 6 times, jitter FULL",
}

// isFor says what a state's retrier is for.
func (r retry) isFor(name string, s state) string {
	notifier := strings.HasPrefix(name, "notifier ")
	switch {
	case slices.Contains(r.ErrorEquals, "LockLost"):
		return "what time cannot mend"
	case slices.Equal(r.ErrorEquals, []string{"Unfinished"}):
		return "each of ten targets"
	case slices.Equal(r.ErrorEquals, throttling) && calls[name].function == "plan":
		return "load balancers, of all clients"
	case slices.Equal(r.ErrorEquals, throttling):
		return "a provider that throttles"
	case slices.Contains(uncaught, name):
		return "what cannot be undone"
	case name == "notifier ReadLock":
		return "a look before somebody is told"
	case notifier:
		return "the only one who tells"
	case few[name] == 1:
		return "a message before a rollback"
	case few[name] == 2:
		return "a test that nothing waits for"
	case few[name] != 0:
		return "a stop that may be lost"
	case strings.HasSuffix(s.Resource, ":lambda:invoke"):
		return "a function"
	case strings.HasSuffix(s.Resource, ":ssm:getParameter"):
		return "parameters, 40 a second"
	default:
		return "AWS"
	}
}

// One attempt more or less is not seen by a rotation of the tests, and makes an outage of a minute longer than logins
// bear, or a disturbance longer than the execution.
func TestEveryRetrierHasItsRhythm(t *testing.T) {
	t.Parallel()
	for machine, m := range all(t) {
		m.tasks(func(name string, s state, _ bool) {
			if machine == "notifier" {
				name = "notifier " + name
			}
			for _, r := range s.Retry {
				if r.MaxAttempts == 0 {
					continue
				}
				if what := r.isFor(name, s); r.rhythm() != rhythms[what] {
					t.Errorf("%s tries again %s, must %s, as %s: a service that throttles is not left alone, or found "+
						"well again too late", name, r.rhythm(), rhythms[what], what)
				}
			}
		})
	}
}

// Tasks that call AWS must not hold up the execution; those that tell of a rollback least of all.
func TestNoCallOfAWSHoldsUpAnExecution(t *testing.T) {
	t.Parallel()
	parse(t).tasks(func(name string, s state, _ bool) {
		want := 30.0
		if few[name] == 1 {
			want = 3 // logins may be failing
		}
		if !strings.HasSuffix(s.Resource, ":lambda:invoke") && s.TimeoutSeconds != want {
			t.Errorf("%s waits %g s for an answer, must %g s: a lost reply holds up the rotation, or a slow one is "+
				"taken for lost", name, s.TimeoutSeconds, want)
		}
	})
}
