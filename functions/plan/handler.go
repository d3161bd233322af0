// Package plan reads everything and changes nothing: it says what a rotation of a client would find and do, and refuses
// one that could not work.
package plan

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/functions/session"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// Handler is the function.
type Handler struct{ Deps session.Deps }

// Handle plans, or, with DiscoverOnly, only finds the targets. A request to measure is not about a rotation at all.
func (h Handler) Handle(ctx context.Context, in rotation.PlanInput) (rotation.Plan, error) {
	request, err := rotation.ParseRequest(in.Request)
	if err != nil {
		return rotation.Plan{}, err
	}
	if request.Measure {
		measured, err := measure(ctx, h.Deps, in.Common)
		return rotation.Plan{Measured: measured}, err
	}
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.Plan{}, err
	}
	s.Patient = true // its timeout is longer for that
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.Plan{}, err
	}
	if in.DiscoverOnly && in.From.VersionID != "" && in.To.VersionID != "" { // a call of an earlier definition does not tell
		if _, _, err := s.Standing(ctx, in.From.VersionID, in.To.VersionID); err != nil {
			return rotation.Plan{}, err
		}
	}
	if !in.DiscoverOnly { // a former owner's late write of a target must not come after those of what is decided here
		if err := s.Settled(ctx, 0); err != nil {
			return rotation.Plan{}, err
		}
	}
	found, err := s.Targets(ctx, in.Targets)
	if err != nil {
		return rotation.Plan{}, err
	}
	if n := len(found.Targets); n > rotation.MaxTargets {
		return rotation.Plan{}, failure.New(failure.Precondition, "client %s has %d targets, one execution can rotate %d: give some of the load balancers a client of their own", in.Client, n, rotation.MaxTargets)
	}
	out := rotation.Plan{Targets: tagged(found), Warnings: few(found.Warnings),
		SpreadSeconds: s.Config.Spread(), Checks: []string{}, Steps: []string{}}
	if in.DiscoverOnly {
		out.Targets, out.Notice = rediscovered(found, in)
		return out, stillOurs(found, in.Undo)
	}
	d, err := decide(ctx, s, j, in, request, &out)
	if err != nil {
		return rotation.Plan{}, besides(err, found.Refusals)
	}
	stored, err := storedRefusals(ctx, s, j, d)
	if err != nil {
		return rotation.Plan{}, err
	}
	refusals, mismatch := append(d.Refusals, stored...), ""
	if d.Action == rotation.Rotate {
		refusals = append(append(refusals, found.Refusals...), unneeded(s)...)
		told, err := review(ctx, s, d, &out)
		if err != nil {
			return rotation.Plan{}, err
		}
		refusals = append(append(refusals, pairRefusals(s, d, found)...), told.Refusals...)
		mismatch = otherMethod(s, told)
		out.Warnings = append(append(out.Warnings, openLogins(s.Config, len(found.Targets))...), heldUp(s.Config)...)
		if len(found.Targets) == 0 {
			refusals = append(refusals, noTargets(s, found)...)
		}
	}
	if len(refusals) > 0 {
		return rotation.Plan{}, failure.New(failure.Precondition, "client %s cannot be rotated, no new secret was made: %s (%s)", s.Config.Name, strings.Join(refusals, "; "), line(out.Provider))
	}
	_, known := j.Secrets[currentVersion(d)]
	if d.Action != rotation.Rollback || !known { // what was decided about an unknown one rests on its being accepted
		switch err := s.MustAccept(ctx, currentVersion(d), "the current client secret"); {
		case err != nil && mismatch != "":
			return rotation.Plan{}, failure.Wrap(failure.KindOf(err), err, "%s", mismatch)
		case err != nil:
			return rotation.Plan{}, err
		case mismatch != "":
			out.Warnings = append(out.Warnings, mismatch)
		}
		out.Checks = append(out.Checks, "the identity provider accepts the current client secret, and refuses a wrong one")
	}
	if s.Capable.MadeByHand() && d.Action == rotation.Rotate {
		if err := mustBeNew(ctx, s, d); err != nil {
			return rotation.Plan{}, err
		}
		if err := s.MustAccept(ctx, d.To.VersionID, "the new secret that is stored as AWSPENDING"); err != nil {
			return rotation.Plan{}, err
		}
		out.Checks = append(out.Checks, "it accepts the new secret that a person has stored, too")
	}
	fill(&out, d, s, j, request)
	return out, nil
}

// noTargets says that nothing uses the client. Without a target the warnings are about where it was looked for.
func noTargets(s *session.Session, found alb.Found) []string {
	return append(slices.Clone(found.Warnings), fmt.Sprintf("no listener or rule of the configured load balancers logs users in with issuer %s and client id %s: "+
		"check issuer, clientId, loadBalancers and loadBalancerSearch", s.Config.Issuer, s.Config.ClientID))
}

// mustBeNew fails if the secret that a person has stored is the one in use: at the end that person would be told to remove it.
func mustBeNew(ctx context.Context, s *session.Session, d rotation.Decision) error {
	same, _, err := s.Same(ctx, d.To.VersionID, d.From.VersionID)
	if err != nil {
		return err
	}
	if same {
		return failure.New(failure.Precondition, "the secret that is stored as AWSPENDING (version %s) is the one in use (version %s): make a new one at the identity provider, and store that", d.To.VersionID, d.From.VersionID)
	}
	return nil
}

// few are the first of many warnings.
func few(warnings []string) []string {
	if n := len(warnings) - rotation.MaxWarnings; n > 0 {
		return append(slices.Clone(warnings[:rotation.MaxWarnings]), fmt.Sprintf("%d more warnings are left out", n))
	}
	return append([]string{}, warnings...)
}

// tagged are the targets with the digests of their tags, by which a later search sees what has changed.
func tagged(found alb.Found) []rotation.Target {
	targets := append([]rotation.Target{}, found.Targets...)
	for i, t := range targets {
		targets[i].Tags = found.Tags[t.Key()]
	}
	return targets
}

// rediscovered are the targets as the next steps need them, and what people must know of them. Forward, one that has had the
// new secret and whose load balancer is not in the configuration any more is given it again if that is allowed; back, it must
// get the old one.
func rediscovered(found alb.Found, in rotation.PlanInput) (targets []rotation.Target, notice string) {
	before, names := map[string]bool{}, []string{}
	for _, t := range in.Targets {
		before[t.Key()] = true
	}
	targets = tagged(found)
	for i, t := range targets {
		if !in.Undo && before[t.Key()] && found.Left[t.LoadBalancerARN] {
			targets[i].Left = true
			names = append(names, t.Name)
		}
	}
	if len(names) > 0 {
		notice = fmt.Sprintf("Not in the configuration any more, but with the new secret: %s. If their rights are gone, too, nothing puts it on them again.",
			strings.Join(few(names), ", "))
	}
	return targets, notice
}

// stillOurs fails if a target changed hands during the rotation: the new secret could not be put on it, and the old one
// would be removed while it is in use. A rollback stops only for what may use the secret that is to be removed.
func stillOurs(found alb.Found, undo bool) error {
	refusals := found.Refusals
	if undo {
		refusals = found.Drifted
	}
	if len(refusals) == 0 {
		return nil
	}
	return failure.New(failure.TargetDrift, "since the rotation began: %s", strings.Join(refusals, "; "))
}

// decide takes the snapshot and decides.
func decide(ctx context.Context, s *session.Session, j *journal.Journal, in rotation.PlanInput, r rotation.Request, out *rotation.Plan) (rotation.Decision, error) {
	if err := s.Provider.Check(ctx); err != nil {
		return rotation.Decision{}, err
	}
	listed, err := s.Provider.List(ctx)
	if err != nil {
		return rotation.Decision{}, err
	}
	labels, err := s.Store.Labels(ctx)
	if err != nil {
		return rotation.Decision{}, err
	}
	out.Provider = rotation.ProviderReport{Type: s.Config.IdentityProvider.Type, Model: string(s.Capable.Model), MaxSecrets: s.Capable.MaxSecrets, Secrets: []string{}}
	tellSecrets(out, s, j, listed)
	snap := rotation.Snapshot{Labels: labels, Journal: j, Listed: listed, MaxSecrets: s.Capable.MaxSecrets,
		ByHand: s.Capable.MadeByHand(), SecretARN: s.Config.Secret.ARN, JSONKey: s.Config.Secret.JSONKey,
		CurrentSecretID: s.Config.IdentityProvider.CurrentSecretID, Untold: s.Untold(), NewVersionID: VersionID(started(in)),
		GracePeriod: time.Duration(s.Config.GracePeriod()) * time.Second, Now: s.Now()}
	snap.Shorten = r.Shorten()
	d := rotation.Decide(snap)
	out.Warnings = append(out.Warnings, endsSoon(listed, d, s.Now())...)
	if s.Config.IsPair() && labels.Current != "" && d.Action != rotation.Finish {
		d.From.ClientID, err = s.ClientID(ctx, d.From)
	}
	return d, err
}

// unneeded refuses otherRegistrations of a provider whose client ids have no other registration.
func unneeded(s *session.Session) []string {
	if !s.Capable.UniqueIDs || len(s.Config.OtherRegistrations) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("otherRegistrations: must be left out, client ids are unique at this provider (%s): what has the client's id "+
		"under another issuer is another name of it, and belongs into aliases", s.Config.IdentityProvider.Type)}
}

// review asks for what only some identity providers tell, and adds a refusal if the provider cannot honour the grace
// period.
func review(ctx context.Context, s *session.Session, d rotation.Decision, out *rotation.Plan) (idp.Review, error) {
	r, ok := s.Provider.(idp.Reviewer)
	if !ok {
		return idp.Review{}, nil
	}
	told, err := r.Review(ctx)
	if err != nil {
		return told, err
	}
	out.Warnings = append(out.Warnings, told.Warnings...)
	out.Provider.MaxGraceSeconds = int(told.MaxGrace / time.Second)
	if told.MaxGrace > 0 && d.Grace > told.MaxGrace {
		told.Refusals = append(told.Refusals, fmt.Sprintf("gracePeriodSeconds: the identity provider keeps the old secret for %s only, the grace period is %s: shorten it, or have the provider keep it longer", told.MaxGrace, d.Grace))
	}
	return told, nil
}

// otherMethod says that the secrets are probed by another authentication method than the registered one; "" if not. Some
// providers take either: whether it matters, the probe of the current secret tells.
func otherMethod(s *session.Session, told idp.Review) string {
	method := s.Config.IdentityProvider.AuthMethod()
	if told.AuthMethod == "" || told.AuthMethod == method {
		return ""
	}
	return fmt.Sprintf("identityProvider.tokenAuthMethod: the client is registered for %s at the identity provider, the configuration says %s: set it to %s", told.AuthMethod, method, told.AuthMethod)
}

// pairRefusals are the targets that use the idle registration of a pair: its secret is about to be overwritten.
func pairRefusals(s *session.Session, d rotation.Decision, found alb.Found) []string {
	var out []string
	for _, t := range found.Targets {
		if id := found.ClientIDs[t.Key()]; s.Config.IsPair() && id != d.From.ClientID {
			out = append(out, fmt.Sprintf("%s logs in with client id %s, but the secret in use belongs to %s, and that of %s is about to be overwritten: put %s and the secret stored as AWSCURRENT on it", t.Name, id, d.From.ClientID, id, d.From.ClientID))
		}
	}
	return out
}

// currentVersion is the version that is AWSCURRENT while the decision is made. (Of a rollback that is to put the old
// secret back at the provider it is the other one; the journal knows both.)
func currentVersion(d rotation.Decision) string {
	if d.Action == rotation.Finish {
		return d.To.VersionID
	}
	return d.From.VersionID
}

// versionSpace is the namespace of our version ids (a random UUID, chosen once).
var versionSpace = [16]byte{0x5b, 0x0e, 0x3c, 0x9a, 0x41, 0x7d, 0x4f, 0x2b, 0x9c, 0x66, 0x8e, 0x1f, 0xd3, 0x02, 0xa7, 0x54}

// started names an execution for good: by its ARN and its start. Step Functions takes the name of an execution again 90 days
// after that has ended (API reference, StartExecution), and a redrive does not change the start.
func started(in rotation.PlanInput) string {
	if in.Started == "" {
		return in.Execution
	}
	return in.Execution + " " + in.Started
}

// VersionID is the version that an execution makes: UUIDv5 of its name (RFC 9562), so that every retry and redrive means
// the same version, and no two executions do.
func VersionID(execution string) string {
	h := sha1.New() // UUIDv5 is defined with SHA-1; nothing rests on its strength
	h.Write(versionSpace[:])
	h.Write([]byte(execution))
	u := h.Sum(nil)[:16]
	u[6] = u[6]&0x0f | 0x50
	u[8] = u[8]&0x3f | 0x80
	x := hex.EncodeToString(u)
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}
