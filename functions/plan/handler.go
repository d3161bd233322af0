// Package plan reads everything and changes nothing: it says what a rotation of a client would find and do, and refuses
// one that could not work.
package plan

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"alboidc.internal/functions/session"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
)

// Handler is the function.
type Handler struct{ Deps session.Deps }

// Handle plans, or, with DiscoverOnly, only finds the targets.
func (h Handler) Handle(ctx context.Context, in rotation.PlanInput) (rotation.Plan, error) {
	request, err := rotation.ParseRequest(in.Request)
	if err != nil {
		return rotation.Plan{}, err
	}
	s, err := h.Deps.Open(in.Common)
	if err != nil {
		return rotation.Plan{}, err
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.Plan{}, err
	}
	found, err := s.Targets(ctx)
	if err != nil {
		return rotation.Plan{}, err
	}
	out := rotation.Plan{Targets: append([]rotation.Target{}, found.Targets...), Warnings: append([]string{}, found.Warnings...),
		SpreadSeconds: s.Config.Spread(), Checks: []string{}, Steps: []string{}}
	if in.DiscoverOnly {
		return out, stillOurs(found)
	}
	d, err := decide(ctx, s, j, request)
	if err != nil {
		return rotation.Plan{}, err
	}
	refusals := d.Refusals
	if d.Action == rotation.Rotate {
		refusals = append(refusals, found.Refusals...)
		if len(found.Targets) == 0 {
			refusals = append(refusals, fmt.Sprintf("no listener or rule of the configured load balancers logs users in with issuer %s and client id %s: check issuer, clientId and loadBalancers", s.Config.Issuer, s.Config.ClientID))
		}
	}
	if len(refusals) > 0 {
		return rotation.Plan{}, failure.New(failure.Precondition, "client %s cannot be rotated, no new secret was made: %s", s.Config.Name, strings.Join(refusals, "; "))
	}
	if d.Action != rotation.Rollback {
		if err := s.MustAccept(ctx, currentVersion(d), "the current client secret"); err != nil {
			return rotation.Plan{}, err
		}
		out.Checks = append(out.Checks, "the identity provider accepts the current client secret, and refuses a wrong one")
	}
	fill(&out, d, s, request)
	h.measureAge(ctx, s, j, d)
	return out, nil
}

// measureAge tells the metrics how old the current secret is, if the journal knows since when it exists.
func (h Handler) measureAge(ctx context.Context, s *session.Session, j *journal.Journal, d rotation.Decision) {
	entry, known := j.Secrets[currentVersion(d)]
	if !known || entry.Imported {
		return
	}
	if err := s.Metrics.SecretAge(s.Common.Client, s.Now().Sub(entry.At)); err != nil {
		s.Log.WarnContext(ctx, "metric not written", telemetry.Err(err))
	}
}

// stillOurs fails if a target changed hands during the rotation: the new secret could not be put on it, and the old one
// would be removed while it is in use.
func stillOurs(found alb.Found) error {
	if len(found.Refusals) == 0 {
		return nil
	}
	return failure.New(failure.TargetDrift, "since the rotation began: %s", strings.Join(found.Refusals, "; "))
}

// decide takes the snapshot and decides.
func decide(ctx context.Context, s *session.Session, j *journal.Journal, r rotation.Request) (rotation.Decision, error) {
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
	snap := rotation.Snapshot{Labels: labels, Journal: j, Listed: listed, MaxSecrets: s.Provider.Capabilities().MaxSecrets,
		CurrentSecretID: s.Config.IdentityProvider.CurrentSecretID, NewVersionID: VersionID(s.Common.Execution),
		GracePeriod: time.Duration(s.Config.GracePeriod()) * time.Second, Now: s.Now()}
	if r.GracePeriodSeconds != nil {
		shorten := time.Duration(*r.GracePeriodSeconds) * time.Second
		snap.Shorten = &shorten
	}
	return rotation.Decide(snap), nil
}

// currentVersion is the version that is AWSCURRENT while the decision is made.
func currentVersion(d rotation.Decision) string {
	if d.Action == rotation.Finish {
		return d.To.VersionID
	}
	return d.From.VersionID
}

// fill copies the decision into the plan, with the steps in words for the reader of a dry run.
func fill(out *rotation.Plan, d rotation.Decision, s *session.Session, r rotation.Request) {
	out.Action, out.Why, out.From, out.To, out.Import = d.Action, d.Why, d.From, d.To, d.Import
	out.GracePeriodSeconds = int(d.Grace / time.Second)
	out.GraceUntil = rotation.Timestamp(d.GraceUntil)
	out.Warnings = append(out.Warnings, d.Warnings...)
	if g := r.GracePeriodSeconds; g != nil && *g > s.Config.GracePeriod() {
		out.Warnings = append(out.Warnings, fmt.Sprintf("gracePeriodSeconds only shortens the grace period: the configured %d s are used, not %d", s.Config.GracePeriod(), *g))
	}
	caps := s.Provider.Capabilities()
	step := func(format string, args ...any) { out.Steps = append(out.Steps, fmt.Sprintf(format, args...)) }
	switch d.Action {
	case rotation.Rotate:
		step("make a new client secret at %s (%s), stored as version %s", s.Config.IdentityProvider.Type, caps.Model, d.To.VersionID)
		step("put it on %d targets and wait %d s for every load balancer node", len(out.Targets), out.SpreadSeconds)
		step("make it AWSCURRENT, run the smoke tests, keep both secrets for %s", d.Grace)
		step("remove the old secret %s", d.From.IdPSecretID)
	case rotation.Finish:
		step("keep both secrets until %s", out.GraceUntil)
		step("put the current secret on %d targets again, run the smoke tests, remove the old secret %s; then plan again", len(out.Targets), d.From.IdPSecretID)
	case rotation.Rollback:
		step("put the current secret on %d targets again, remove what version %s made at the identity provider; then plan again", len(out.Targets), d.To.VersionID)
	}
}

// versionSpace is the namespace of our version ids (a random UUID, chosen once).
var versionSpace = [16]byte{0x5b, 0x0e, 0x3c, 0x9a, 0x41, 0x7d, 0x4f, 0x2b, 0x9c, 0x66, 0x8e, 0x1f, 0xd3, 0x02, 0xa7, 0x54}

// VersionID is the version that an execution makes: UUIDv5 of its ARN (RFC 9562), so that every retry and redrive means
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
