package plan

import (
	"context"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
)

// measure reports the state of the client, as metrics and in its answer. It takes no lock, so a rotation may be under
// way: AWSCURRENT is accepted during one, too. The cheap measurements come first, so that they are written even if the
// identity provider does not answer.
func measure(ctx context.Context, d invocation.Deps, c rotation.Common) (*rotation.Measured, error) {
	s, err := d.OpenNewest(ctx, c)
	if err != nil {
		return nil, err
	}
	s.Patient = true
	held, err := s.Look(ctx)
	if err != nil {
		return nil, err
	}
	labels, err := s.Labels(ctx)
	if err != nil {
		return nil, err
	}
	lock := time.Duration(0)
	if !held.IsZero() {
		lock = s.Now().Sub(held)
	}
	s.NoteUnwritten(ctx, s.Metrics.LockHeld(s.Common.Client, lock))
	if labels.Current == "" {
		return nil, failure.New(failure.Precondition, "the secret has no AWSCURRENT version, so it has no age: store "+
			"the client secret that the load balancers use")
	}
	stored, err := s.Store.Text(ctx, labels.Current)
	if err != nil {
		return nil, err
	}
	age := s.Now().Sub(stored.Created)
	s.NoteUnwritten(ctx, s.Metrics.SecretAge(s.Common.Client, age))
	verdict, err := s.Verdict(ctx, labels.Current)
	switch {
	case err != nil:
		return nil, err
	case verdict.Outcome == probe.Inconclusive:
		return nil, failure.New(failure.Unavailable,
			"whether the identity provider accepts the current client secret (version %s) cannot be told: %s%s",
			labels.Current, verdict.Reason, s.Oddities(ctx, labels.Current))
	}
	accepted := verdict.Outcome == probe.Accepted
	if !accepted {
		s.Log.WarnContext(ctx, "the identity provider refuses the secret in use", "version", labels.Current,
			"why", verdict.Reason+s.Oddities(ctx, labels.Current))
	}
	s.NoteUnwritten(ctx, s.Metrics.SecretRefused(s.Common.Client, !accepted))
	out := &rotation.Measured{Client: s.Common.Client, SecretAgeSeconds: int(age / time.Second),
		SecretAccepted:  accepted,
		LockHeldSeconds: int(lock / time.Second)}
	out.RotationRefused = strings.Join(limit(append(refusedByForm(ctx, s, labels.Current),
		refusedByTargets(ctx, s)...)),
		"; ")
	if held.IsZero() { // else a rotation may be about to give AWSCURRENT an end, and then replaces it
		err = measureEnd(ctx, s, out, labels.Current, stored.Created)
	}
	if soon := credentialEnds(s, twoWeeks); soon != "" { // until then a rotation can be started
		out.RotationRefused = strings.TrimPrefix(out.RotationRefused+"; "+soon, "; ")
	}
	return out, err
}

const twoWeeks = 14 * 24 * time.Hour

// credentialEnds says that the rotator's own credential ends within a time; "" if it does not, or if nobody knows.
func credentialEnds(s *invocation.Invocation, within time.Duration) string {
	p := s.Config.IdentityProvider
	return registry.CredentialEnd(p.Type, p.Settings).Tell(s.Now(), within)
}

// measureEnd says when the provider ends the secret in use by itself, and what is done about it.
func measureEnd(ctx context.Context, s *invocation.Invocation, out *rotation.Measured, version string,
	stored time.Time) error {
	ends, err := s.Ends(ctx)
	if err != nil { // a client whose registration cannot be managed is measured all the same
		s.Log.WarnContext(ctx, "when the secret ends is not known", telemetry.Err(err))
	}
	if !ends.IsZero() {
		out.SecretEnds = rotation.Timestamp(ends)
		s.NoteUnwritten(ctx, s.Metrics.SecretEndsIn(s.Common.Client, ends.Sub(s.Now())))
		return beforeEnd(ctx, s, out, version, stored, ends)
	}
	return nil
}

// beforeEnd says what is done about a secret that ends soon. A rotation is started once a day until one that was
// started for this secret has had the lock: that others hold it, or that the stack is ill, must not cost the logins.
// One that is refused or rolled back is a person's. A name is of the day, so a second measurement starts no other.
func beforeEnd(ctx context.Context, s *invocation.Invocation, out *rotation.Measured, version string,
	stored, ends time.Time) error {
	// No earlier than half of its life, so that secrets that live shorter than that are not replaced day by day.
	within := min(s.Config.EndsWithin(), ends.Sub(stored)/2)
	left := ends.Sub(s.Now())
	switch {
	case !out.SecretAccepted || left <= 0 || left > within: // a dead one needs a repair
		return nil
	case out.RotationRefused != "":
		out.RotationRefused += "; and the identity provider ends the secret in use by itself at " +
			rotation.Timestamp(ends) + ": all logins fail then"
		return nil
	}
	name := rotation.BeforeEndName(s.Common.Client, version)
	last, err := s.Journal.Record(ctx, s.Common.Client)
	if err != nil {
		return err
	}
	if last.LastOutcome != "rotated" && strings.Contains(last.LastExecution, ":"+name+"-") {
		out.NotRotated = "a rotation was started for that before, and ended as " + last.LastOutcome + ": " +
			last.LastExecution
		return nil
	}
	out.Start = name + s.Now().UTC().Format("-20060102")
	return nil
}

// refusedByForm says why the next rotation would be refused because of how the secret is stored, or who else writes it.
func refusedByForm(ctx context.Context, s *invocation.Invocation, current string) []string {
	refusals := otherKeepers(s.Keeper(), s.Config.Secret.ARN)
	if err := s.MustFit(ctx, current, "AWSCURRENT"); failure.Is(err, failure.Precondition) {
		refusals = append(refusals, err.Error())
	}
	return refusals
}

// refusedByTargets says why the next rotation would be refused because of the load balancers' rules, so that people
// hear of it before it is due; nil if it would not be, or if that cannot be told now.
func refusedByTargets(ctx context.Context, s *invocation.Invocation) []string {
	found, err := s.Targets(ctx, nil, true)
	refusals := found.Refusals
	switch {
	case err != nil && failure.KindOf(err).Transient():
		s.Log.WarnContext(ctx, "the targets were not looked at", telemetry.Err(err))
		return nil
	case err != nil:
		refusals = []string{err.Error()}
	case usesNothing(s.Config, found):
		refusals = append(refusals, refuseNoTargets(s, found)...)
	}
	for _, refusal := range refusals {
		s.Log.WarnContext(ctx, "the next rotation will be refused", "why", refusal)
	}
	return refusals
}
