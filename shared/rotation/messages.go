// Package rotation holds the messages that the state machine and the functions exchange, and, as pure functions, the
// decisions of a rotation: what it finds and what it does about it.
package rotation

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Caller says who calls. It is the same in all calls of an execution.
type Caller struct {
	Client string `json:"client"`
	// Execution is the ARN of the state machine's execution; a function refuses to change anything unless that
	// execution owns the client's lock.
	Execution string `json:"execution"`
}

// Common is what every function is told.
type Common struct {
	Caller `json:"call"`
	// State is the state that calls, for logs and metrics.
	State string `json:"state"`
	// Config comes from executions of an earlier definition. It only tells for which client such an execution began
	// (package invocation); nothing else follows it.
	Config json.RawMessage `json:"config,omitempty"`
}

// Call returns what every function is told. The inputs of all functions have this method because they embed Common.
func (c Common) Call() Common { return c }

// Ref names one secret: its version in Secrets Manager and its object at the identity provider. Neither is secret.
type Ref struct {
	VersionID string `json:"versionId,omitempty"`
	// IdPSecretID is empty while nobody knows it: a lost reply, or nothing made yet.
	IdPSecretID string `json:"idpSecretId,omitempty"`
	// ClientID is the registration that has the secret, if the client is a pair and the registration is known.
	ClientID string `json:"clientId,omitempty"`
}

// Target is a listener's default action, or a rule, that logs users in with the client.
type Target struct {
	Region          string `json:"region"`
	LoadBalancerARN string `json:"loadBalancerArn"`
	ListenerARN     string `json:"listenerArn"`
	// RuleARN is empty for a listener's default action.
	RuleARN string `json:"ruleArn,omitempty"`
	// Name is for people: "orders-alb :443 rule 10".
	Name string `json:"name"`
	// Tags is a digest of the tags of the load balancer, the listener and the rule when it was planned.
	Tags string `json:"tags,omitempty"`
	// Left: the target has had the new secret, and its load balancer is no longer in the configuration. A rotation goes
	// on if this target may not be changed.
	Left bool `json:"left,omitempty"`
	// Canary: the target gets the new secret before the others, or, in a rollback, is one of the few that may have it.
	Canary bool `json:"canary,omitempty"`
}

// MaxTargets is how many targets a client may have. Their list is a variable of the execution, and Step Functions
// allows 256 KiB for a variable, for all that a state assigns, and for a result (developer guide, "Service quotas").
const MaxTargets = 400

// TargetsPerCall is how many targets one call of updatealb sets. A history holds 25,000 events, and a call that is
// tried again as often as the definition lets it takes more than 200 of them.
const TargetsPerCall = 10

// MaxWarnings is how many warnings a plan holds, for the same reason; one more warning counts the rest.
const MaxWarnings = 50

// Key returns what tells targets apart.
func (t Target) Key() string { return t.ListenerARN + " " + t.RuleARN }

// CountCanaries returns how many of the targets are canaries.
func CountCanaries(targets []Target) (n int) {
	for _, t := range targets {
		if t.Canary {
			n++
		}
	}
	return n
}

// DescribeCanary says behind a target's name whether it is a canary.
func (t Target) DescribeCanary() string {
	if t.Canary {
		return " (canary)"
	}
	return ""
}

// Action is what Plan decided to do.
type Action string

const (
	// Rotate: make a new secret and go over to it.
	Rotate Action = "rotate"
	// Finish: an earlier rotation was promoted but its old secret still lives; go on at its grace period.
	Finish Action = "finish"
	// Rollback: an earlier rotation left a secret that never became current; remove it.
	Rollback Action = "rollback"
	// Repair: the identity provider refuses AWSCURRENT. Another secret becomes AWSCURRENT and goes on every target.
	// There is no way back.
	Repair Action = "repair"
)

// Request is the execution's input, as a schedule or a person gives it.
type Request struct {
	Client string `json:"client"`
	// Reason is free text for logs and notifications.
	Reason string `json:"reason,omitempty"`
	// DryRun: plan, change nothing.
	DryRun bool `json:"dryRun,omitempty"`
	// Emergency: a secret has leaked. There is no grace period, and the rotation takes the lock from a running
	// execution.
	Emergency bool `json:"emergency,omitempty"`
	// Repair: AWSCURRENT is dead at the identity provider. If that is so, another secret takes its place at once.
	Repair bool `json:"repair,omitempty"`
	// GracePeriodSeconds only shortens the configured grace period.
	GracePeriodSeconds *int `json:"gracePeriodSeconds,omitempty"`
	// Measure: do not rotate, only measure how the client is. It takes no lock and changes nothing.
	Measure bool `json:"measure,omitempty"`
	// Fleet is the ARN of the fleet's execution that has started this one. People hear from the fleet of what went
	// well.
	Fleet string `json:"fleet,omitempty"`
}

// Heals reports whether the notifier has started the execution, to put right what another one left: its reason begins
// so. The state machine refuses such a reason of an execution whose name does not begin as those of the notifier do.
func (r Request) Heals() bool { return strings.HasPrefix(r.Reason, "healing: ") }

// BeforeEnd reports whether a measurement has started the execution, because the identity provider ends the secret.
func (r Request) BeforeEnd() bool { return strings.HasPrefix(r.Reason, "before the end: ") }

// BeforeEndName is how the name of such an execution begins. A version's id may be too long for a name, of 80
// characters (API reference, StartExecution).
func BeforeEndName(client, version string) string {
	return fmt.Sprintf("ends-%s-%.6x", client, sha256.Sum256([]byte(version)))
}

// PlanAction is what function plan does.
type PlanAction string

// What function plan does.
const (
	// PlanDecide looks at everything and decides what to do.
	PlanDecide PlanAction = "decide"
	// PlanDiscover only looks for the targets, before they are set again at the end of the grace period or in a
	// rollback.
	PlanDiscover PlanAction = "discover"
	// PlanMeasure only measures the state of the client, without the lock.
	PlanMeasure PlanAction = "measure"
)

// PlanInput is the input of function plan.
type PlanInput struct {
	Common
	Action PlanAction `json:"action"`
	// Request is the execution's input, with PlanDecide.
	Request json.RawMessage `json:"request,omitempty"`
	// Started is when the execution started (RFC 3339). A call of an earlier definition does not tell.
	Started string `json:"started,omitempty"`
	// From and To, with PlanDiscover, are the rotation's two secrets.
	From Ref `json:"from,omitzero"`
	To   Ref `json:"to,omitzero"`
	// Undo: the targets get the old secret back. Then only an action that uses the client, but cannot be given a
	// secret, fails the call.
	Undo bool `json:"undo,omitempty"`
	// Targets are those that were found before, with PlanDiscover.
	Targets []Target `json:"targets,omitempty"`
}

// Plan is the output of function plan.
type Plan struct {
	Action Action `json:"action"`
	// Why says in a sentence what was found.
	Why  string `json:"why"`
	From Ref    `json:"from"`
	// To is the secret being rotated towards; for Rotate only its version id is set: nothing exists yet.
	To      Ref      `json:"to"`
	Targets []Target `json:"targets"`
	// Promoted, with Repair: From is AWSCURRENT already, and To the dead secret. It is put on every target.
	Promoted bool `json:"promoted,omitempty"`
	// Import is set if the identity provider's secret of the From version is not in the journal yet.
	Import bool `json:"import"`
	// SpreadSeconds and GracePeriodSeconds are the waits of this rotation.
	SpreadSeconds      int `json:"spreadSeconds"`
	GracePeriodSeconds int `json:"gracePeriodSeconds"`
	// GraceUntil is set for Finish: when the earlier rotation's grace period ends (RFC 3339, UTC, whole seconds).
	GraceUntil string `json:"graceUntil"`
	// FollowersSeconds is how long followers need after AWSCURRENT has moved, FollowedAt when they have the present one
	// (RFC 3339); 0 and "" if the client has none, or if that is not known yet.
	FollowersSeconds int    `json:"followersSeconds"`
	FollowedAt       string `json:"followedAt"`
	// Spared counts, in a rollback, the targets that never had the secret which goes, and are left alone.
	Spared int `json:"spared"`
	// Follows are the rules that are left to the controllers which own them.
	Follows []string `json:"follows"`
	// Provider is what the identity provider can do and has.
	Provider ProviderReport `json:"provider"`
	// Checks, Warnings and Steps are for the person who reads a dry run.
	Checks   []string `json:"checks"`
	Warnings []string `json:"warnings"`
	Steps    []string `json:"steps"`
	// Notice is what people must know of what was found; mostly empty.
	Notice string `json:"notice,omitempty"`
	// Measured is the whole answer to PlanMeasure.
	Measured *Measured `json:"measured,omitempty"`
}

// Measured is the state of a client, for the caller who started the measurement; the metrics say the same.
type Measured struct {
	Client string `json:"client"`
	// SecretAgeSeconds is how long ago AWSCURRENT was stored.
	SecretAgeSeconds int `json:"secretAgeSeconds"`
	// SecretAccepted: the identity provider accepts it, and refuses a wrong one.
	SecretAccepted bool `json:"secretAccepted"`
	// SecretEnds is when the identity provider ends it by itself; "" if it does not, or does not say, or while the lock
	// is held.
	SecretEnds string `json:"secretEnds,omitempty"`
	// LockHeldSeconds is how long the lock has been held; 0 if it is free.
	LockHeldSeconds int `json:"lockHeldSeconds"`
	// RotationRefused is why a rotation would be refused now, or soon, because of the load balancers' rules, of how the
	// secret is stored, or of the rotator's own credential; "" if it would not be.
	RotationRefused string `json:"rotationRefused,omitempty"`
	// Start is the name of the execution that is started because the secret ends soon; "" if none is.
	Start string `json:"start,omitempty"`
	// NotRotated: the secret ends soon, and the rotation that was started for that ended otherwise. It says how.
	NotRotated string `json:"notRotated,omitempty"`
}

// ProviderReport is what a plan tells about the identity provider.
type ProviderReport struct {
	Type  string `json:"type"`
	Model string `json:"model"`
	// Secrets are the ids of the client's secrets there, each with its status; secrets that it does not show are
	// missing.
	Secrets []string `json:"secrets"`
	// MaxSecrets is how many it allows; 0 is no small limit.
	MaxSecrets int `json:"maxSecrets"`
	// MaxGraceSeconds is the longest grace period that it can honour; 0 is no limit.
	MaxGraceSeconds int `json:"maxGraceSeconds"`
}

// CreateInput is the input of function createsecret.
type CreateInput struct {
	Common
	From   Ref  `json:"from"`
	To     Ref  `json:"to"`
	Import bool `json:"import"`
	// Repair: the secret of From is dead, so nothing of it has to be kept.
	Repair bool `json:"repair,omitempty"`
	// Canaries: canaries get it before any other target.
	Canaries bool `json:"canaries,omitempty"`
}

// CreateOutput is the output of function createsecret.
type CreateOutput struct {
	To Ref `json:"to"`
}

// UpdateInput is the input of function updatealb: put the secret To on Targets. From is the other of the rotation's two
// secrets.
type UpdateInput struct {
	Common
	// Targets are at most TargetsPerCall.
	Targets []Target `json:"targets"`
	From    Ref      `json:"from,omitzero"`
	To      Ref      `json:"to"`
	// Proven is when the identity provider was last seen to accept the secret of To (RFC 3339); empty in calls of an
	// earlier definition.
	Proven string `json:"proven,omitempty"`
	// Round tells one round of the targets from every other: when its state was entered. It stays what it is when the
	// call is tried again; empty in calls of an earlier definition.
	Round string `json:"round,omitempty"`
	// Undo: the targets get the old secret back. What cannot be written back is dropped and reported, not refused, and
	// a target that cannot have it now holds up no other.
	Undo bool `json:"undo,omitempty"`
}

// UpdateOutput is the output of function updatealb.
type UpdateOutput struct {
	Targets []Updated `json:"targets"`
	// Result is what became of the last target, for an execution of an earlier definition, whose calls have one each.
	Result string `json:"result"`
	// Notice is what people must know about the targets; mostly empty.
	Notice string `json:"notice"`
}

// Updated is what became of one target.
type Updated struct {
	Target string `json:"target"`
	// Result is "updated", or "gone" if the listener or rule does not exist any more, or "left" if it is
	// one of Target.Left and may not be changed, or "follows" if it is left to the controller that owns it, or
	// "spared" if it never had the secret that a rollback takes back.
	Result string `json:"result"`
}

// PromoteInput is the input of function promotesecret.
type PromoteInput struct {
	Common
	From Ref `json:"from"`
	To   Ref `json:"to"`
	// Proven is when the identity provider was last seen to accept the secret that AWSCURRENT moves to, as in
	// UpdateInput.
	Proven string `json:"proven,omitempty"`
	// Undo puts the labels back as they were before the promotion.
	Undo bool `json:"undo,omitempty"`
	// Repair: the secret of From is dead, so nothing ever goes back to it.
	Repair             bool `json:"repair,omitempty"`
	GracePeriodSeconds int  `json:"gracePeriodSeconds"`
}

// PromoteOutput is the output of function promotesecret.
type PromoteOutput struct {
	// GraceUntil is absolute, so that a repeat or a redrive does not wait again (RFC 3339, UTC, whole seconds).
	GraceUntil string `json:"graceUntil"`
	// Moved is whether this call has put AWSCURRENT where it is; a repeat finds it there. Evidence needs it.
	Moved bool `json:"moved,omitempty"`
}

// Check is the name of a smoke test.
type Check string

// The smoke tests.
const (
	CheckCredential Check = "credential" // the identity provider accepts To
	CheckRefused    Check = "refused"    // the identity provider refuses From (where it can be switched off)
	CheckEnded      Check = "ended"      // the identity provider refuses From, which a repair replaces, and accepts To
	CheckRedirect   Check = "redirect"   // the load balancers send an unknown browser to the identity provider
	CheckLogin      Check = "login"      // a synthetic user can log in
	CheckMetrics    Check = "metrics"    // ELBAuthError did not rise, or logins go on
)

// SmokeInput is the input of function smoketest.
type SmokeInput struct {
	Common
	Checks []Check `json:"checks"`
	From   Ref     `json:"from"`
	To     Ref     `json:"to"`
	// MustBeCurrent: the tests precede a write after a long wait, so AWSCURRENT must be To as well.
	MustBeCurrent bool `json:"mustBeCurrent,omitempty"`
	// Wait: no target has To yet, so an identity provider that refuses it is waited for. Otherwise that fails the test
	// within half a minute, because load balancers use it.
	Wait bool `json:"wait,omitempty"`
	// Rehearse: nothing has changed yet, and To is the secret in use. Logins that fail as with a wrong client secret do
	// not fail the test: the rotation puts another one on every target.
	Rehearse bool `json:"rehearse,omitempty"`
	// Targets are those of the rotation. The tests cover their load balancers, too, not only the listed ones.
	Targets []Target `json:"targets,omitempty"`
	// Canaries: only the canaries among the targets have To. The tests are those of canaries.
	Canaries bool `json:"canaries,omitempty"`
	// Emergency: the old secret may have leaked, so metrics that anybody can raise do not hold up its removal.
	Emergency bool `json:"emergency,omitempty"`
}

// Evidence is the outcome of one check.
type Evidence struct {
	Check Check `json:"check"`
	// Subject is what was tested: a URL, an endpoint, a metric.
	Subject string `json:"subject"`
	// Node is the load balancer address that was tested, if any.
	Node   string `json:"node,omitempty"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	// AtCallback: the load balancer was given a code and could not complete the login with it, as with a wrong client
	// secret.
	AtCallback bool `json:"atCallback,omitempty"`
	// LatencyMS is the time of the check, in milliseconds.
	LatencyMS int64 `json:"latencyMs"`
}

// SmokeOutput is the output of function smoketest.
type SmokeOutput struct {
	Evidence []Evidence `json:"evidence"`
	// Summary is what a rehearsal found, for the reader of the plan; otherwise empty.
	Summary string `json:"summary,omitempty"`
	// Notice is what people must know though no check failed; mostly empty.
	Notice string `json:"notice"`
}

// RetireAction is what function retiresecret does.
type RetireAction string

// What function retiresecret does.
const (
	RetireDisable RetireAction = "disable" // the identity provider refuses it, but it can come back
	RetireEnable  RetireAction = "enable"  // undo disable
	RetireDelete  RetireAction = "delete"  // gone for good
)

// RetireInput is the input of function retiresecret: act on the secret Retire, which must not be Keep.
type RetireInput struct {
	Common
	Action RetireAction `json:"action"`
	Retire Ref          `json:"retire"`
	// Keep is the secret that stays: it must be AWSCURRENT and accepted before Retire is disabled or deleted.
	Keep Ref `json:"keep"`
	// Searched is when the targets, which were set since then, were searched for (RFC 3339); empty in calls of earlier
	// definitions.
	Searched string `json:"searched,omitempty"`
	// Unused: a repair gives up a secret that no target was given. Keep may be refused then.
	Unused bool `json:"unused,omitempty"`
}

// RetireOutput is the output of function retiresecret.
type RetireOutput struct {
	// Result is "disabled", "enabled", "deleted", "absent", "kept" (the provider cannot remove it), or "unsupported"
	// (the provider cannot disable).
	Result string `json:"result"`
	// Notice is what people must know beyond the outcome; mostly empty.
	Notice string `json:"notice"`
	// Refused is whether the identity provider was seen to refuse the secret that was removed. Evidence needs it.
	Refused bool `json:"refused,omitempty"`
}

// Timestamp formats t as the state machine's Wait needs it.
func Timestamp(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }
