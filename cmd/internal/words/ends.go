package words

import "strings"

// end is what is said of an execution that could not tell any more how it ended; the runbook has more.
type end struct{ users, todo, entry string }

const unaffected = "not affected: no secret and no load balancer was touched."

// ends are the ends of executions that send no notification themselves, by their error, or their status.
var ends = map[string]end{
	"LockHeld": {unaffected,
		"nothing: another execution of the client was running; rotator watch CLIENT follows it. After " +
			"a leak: rotator leak CLIENT, which takes over.", "lockheld"},
	"NotStarted":   {unaffected, "mend what the cause says, then start again: rotator start CLIENT", "notstarted"},
	"InvalidInput": {unaffected, "correct the input, then start again.", "invalidinput"},
	"Reconfigured": {"not affected as far as is known: every secret that was in use stays valid.",
		"put back the configuration that the client had (aws ssm get-parameter-history), then: rotator start CLIENT",
		"reconfigured"},
	"TakenOver": {"not affected as far as is known: an emergency stopped this execution, or a repair did.",
		"nothing: rotator watch CLIENT follows that, which puts right what this one left.", "stopped"},
	"ABORTED": {"not affected as far as is known: no login needs the execution, unless allowInterruption is set.",
		"nothing if a healing execution runs (rotator history CLIENT). Else start one, which puts right " +
			"what this one " +
			"left: rotator start CLIENT", "stopped"},
	"LockLost": {"not known: nothing was tested since. Try a login.",
		"nothing if another execution has the lock (rotator status CLIENT). Else: rotator start CLIENT", "at-a-task"},
	"SecretRefused": {"logins may be failing: the identity provider refuses a secret that is in use or that " +
		"was to be put " +
		"back. Try a login at once.", "see the runbook's entry of the state that failed.", "at-a-task"},
	"": {"not known: nothing was tested since. Mostly both secrets are valid then, and nobody notices. Try a login.",
		"do what the runbook says about the state that failed, then: rotator redrive CLIENT. If that is " +
			"not possible: " +
			"rotator start CLIENT", "at-a-task"},
}

// fillIn fills in what no notification says.
func (t *Told) fillIn() {
	if t.Status == "SUCCEEDED" {
		return // a plan or a measurement, whose output says it
	}
	key := t.Error
	if t.Status != "FAILED" && key != "TakenOver" { // what somebody writes who stops it is not how it ended
		key = "ABORTED"
	}
	e, known := ends[key]
	if !known {
		e = ends[""]
	}
	client := t.Request.Client
	if client == "" {
		client = "CLIENT"
	}
	t.Users, t.Todo, t.Entry = e.users, strings.ReplaceAll(e.todo, "CLIENT", client), e.entry
	t.What = FindMessage(t.Cause)
	if e.entry == "at-a-task" && t.State != "" {
		t.What = t.State + " failed with " + t.Error + ": " + t.What
	}
}
