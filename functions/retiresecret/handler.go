// Package retiresecret disables, enables or deletes one secret at the identity provider: the old one at the end of a
// rotation, the new one in a rollback.
package retiresecret

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"alboidc.internal/functions/session"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// What the function answers.
const (
	resultDisabled    = "disabled"
	resultEnabled     = "enabled"
	resultDeleted     = "deleted"
	resultAbsent      = "absent"
	resultKept        = "kept"
	resultUnsupported = "unsupported"
)

// Handler is the function.
type Handler struct{ Deps session.Deps }

// Handle acts on the secret of in.Retire, and only if the journal proves that this system made or imported it. Before
// it takes one away, the other, in.Keep, must be AWSCURRENT and accepted at this moment. A secret that is already where
// it should be is success.
func (h Handler) Handle(ctx context.Context, in rotation.RetireInput) (rotation.RetireOutput, error) {
	s, err := h.Deps.Open(in.Common)
	if err != nil {
		return rotation.RetireOutput{}, err
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.RetireOutput{}, err
	}
	r := &retirement{Session: s, journal: j, version: in.Retire.VersionID, keep: in.Keep.VersionID}
	if err := r.guard(ctx, in.Action); err != nil {
		return rotation.RetireOutput{}, err
	}
	var result string
	switch in.Action {
	case rotation.RetireDisable:
		result, err = r.disable(ctx)
	case rotation.RetireEnable:
		result, err = r.enable(ctx)
	case rotation.RetireDelete:
		result, err = r.delete(ctx)
	default:
		err = failure.New(failure.InvalidInput, "action: %q is not one of disable, enable, delete", in.Action)
	}
	return rotation.RetireOutput{Result: result, Notice: r.notice}, err
}

// retirement is one call's work.
type retirement struct {
	*session.Session
	journal       *journal.Journal
	version, keep string
	notice        string
}

// guard refuses whatever could take the secret in use away.
func (r *retirement) guard(ctx context.Context, action rotation.RetireAction) error {
	if r.version == "" || r.keep == "" || r.version == r.keep {
		return failure.New(failure.InvalidInput, "retire.versionId and keep.versionId must be given and differ")
	}
	a, b := r.journal.Secrets[r.version].IdPSecretID, r.journal.Secrets[r.keep].IdPSecretID
	if a != "" && a == b {
		return failure.New(failure.Precondition, "versions %s and %s share the secret %s at the identity provider; nothing is retired", r.version, r.keep, a)
	}
	if action == rotation.RetireEnable {
		return nil
	}
	labels, err := r.Store.Labels(ctx)
	if err != nil {
		return err
	}
	if labels.Current != r.keep {
		return failure.New(failure.Precondition, "AWSCURRENT is on version %s, not on %s which is to stay; nothing is retired", labels.Current, r.keep)
	}
	return nil
}

// find returns the provider's id of the version's secret and whether the provider still has it, and settles an intent
// whose reply got lost.
func (r *retirement) find(ctx context.Context) (id string, listed *idp.Secret, err error) {
	entry, known := r.journal.Secrets[r.version]
	if !known || entry.State == journal.Removed || entry.State == journal.Kept {
		return "", nil, nil
	}
	list, err := r.Provider.List(ctx)
	if err != nil {
		return "", nil, err
	}
	if entry.State == journal.Intended {
		lost, err := r.FindLost(ctx, r.journal, r.version, list)
		if err != nil {
			return "", nil, err
		}
		if lost == "" {
			return "", nil, nil
		}
		entry.State, entry.IdPSecretID = journal.Live, lost
		if err := r.write(ctx, entry); err != nil { // before acting: a disabled secret could not be proven any more
			return "", nil, err
		}
	}
	for _, x := range list {
		if x.ID == entry.IdPSecretID {
			return entry.IdPSecretID, &x, nil
		}
	}
	return entry.IdPSecretID, nil, nil
}

func (r *retirement) write(ctx context.Context, e journal.Entry) error {
	r.journal.Secrets[r.version] = e
	return r.Journal.Save(ctx, r.journal)
}

func (r *retirement) disable(ctx context.Context) (string, error) {
	if err := r.mustBeUnused(ctx); err != nil {
		return "", err
	}
	d, ok := r.Provider.(idp.Disabler)
	if !ok {
		return resultUnsupported, nil
	}
	id, x, err := r.find(ctx)
	switch {
	case err != nil:
		return "", err
	case x == nil:
		return resultAbsent, nil
	case x.Status == idp.Disabled:
		return resultDisabled, nil
	}
	if err := r.MustAccept(ctx, r.keep, "the secret that stays"); err != nil {
		return "", err
	}
	return resultDisabled, d.Disable(ctx, id)
}

// enable switches the secret on again if it was disabled, and proves that it is accepted: a rollback puts it back on
// every target next. If it is gone, the rollback must not go on.
func (r *retirement) enable(ctx context.Context) (string, error) {
	result := resultUnsupported
	if d, ok := r.Provider.(idp.Disabler); ok {
		id, x, err := r.find(ctx)
		if err != nil {
			return "", err
		}
		result = resultAbsent
		if x != nil {
			result = resultEnabled
		}
		if x != nil && x.Status == idp.Disabled {
			if err := d.Enable(ctx, id); err != nil {
				return "", err
			}
		}
	}
	return result, r.MustAccept(ctx, r.version, "the secret to go back to")
}

// delete removes the secret, proves that it is refused and the other accepted, and closes the journal's entry.
func (r *retirement) delete(ctx context.Context) (string, error) {
	id, x, err := r.find(ctx)
	if err != nil {
		return "", err
	}
	if err := r.MustAccept(ctx, r.keep, "the secret that stays"); err != nil {
		return "", err
	}
	result := resultAbsent
	state := journal.Removed
	if x != nil {
		switch err := r.Provider.Remove(ctx, id); {
		case errors.Is(err, idp.ErrKept):
			result, state = resultKept, journal.Kept
			r.tell("The secret of version %s: %v.", r.version, err)
		case err != nil:
			return "", err
		default:
			result = resultDeleted
		}
	}
	if id != "" && state == journal.Removed {
		if err := r.mustRefuse(ctx); err != nil {
			return "", err
		}
	}
	r.tellInterruption()
	return result, r.close(ctx, state)
}

// tell adds a sentence to what people are notified of.
func (r *retirement) tell(format string, args ...any) {
	r.notice = strings.TrimSpace(r.notice + " " + fmt.Sprintf(format, args...))
}

// tellInterruption says how long logins could fail, at the end of a rotation that overwrote the only secret while it was
// in use.
func (r *retirement) tellInterruption() {
	p := r.journal.Promotion
	if r.Capable.Model != idp.InPlace || p == nil || p.From != r.version || p.At.IsZero() {
		return
	}
	began := r.journal.Secrets[p.To].At
	r.tell("This was not without downtime (allowInterruption): from %s on, for at most %s, logins and session refreshes could fail, until every load balancer node had the new secret.",
		rotation.Timestamp(began), p.At.Sub(began).Round(time.Second))
}

// tolerance is how far the clocks of the identity provider and of AWS may differ.
const tolerance = time.Minute

// mustBeUnused fails if a client has authenticated with the old secret after every target had left it, as far as the
// provider tells: removing it would break that client.
func (r *retirement) mustBeUnused(ctx context.Context) error {
	u, ok := r.Provider.(idp.UseReporter)
	p := r.journal.Promotion
	if !ok || p == nil || p.From != r.version || p.At.IsZero() {
		return nil
	}
	used, err := u.LastUsed(ctx, r.journal.Secrets[r.version].IdPSecretID)
	if err != nil || used.IsZero() || used.Before(p.At.Add(tolerance)) {
		return err
	}
	return failure.New(failure.Precondition, "the old secret was used at %s, although every known target had left it by %s: something else uses it, a load balancer that is not in "+
		"loadBalancers or another application; give that the new secret first", rotation.Timestamp(used), rotation.Timestamp(p.At))
}

// mustRefuse fails until the provider refuses the removed secret: some keep accepting it for a while.
func (r *retirement) mustRefuse(ctx context.Context) error {
	v, err := r.Store.Value(ctx, r.version)
	if errors.Is(err, versions.ErrNotFound) {
		return nil // Secrets Manager has dropped the version; nobody has the value any more
	}
	if err != nil {
		return err
	}
	endpoint, err := r.Endpoint(ctx, r.version)
	if err != nil {
		return err
	}
	verdict, err := r.Prober.Credential().Classify(ctx, endpoint, v)
	switch {
	case err != nil:
		return err
	case verdict.Outcome == probe.Accepted:
		return failure.New(failure.StillAccepted, "the identity provider still accepts the secret of version %s, which was removed", r.version)
	case verdict.Outcome != probe.Rejected:
		return failure.New(failure.Unavailable, "whether the identity provider refuses the secret of version %s cannot be told: %s", r.version, verdict.Reason)
	}
	return nil
}

// close marks the secret as removed, or kept, forgets the promotion that it was part of, and takes AWSPENDING off the version
// that stays (AWS leaves the label there when the version becomes AWSCURRENT).
func (r *retirement) close(ctx context.Context, state journal.State) error {
	if err := r.Store.DropPending(ctx, r.keep); err != nil {
		return err
	}
	entry, known := r.journal.Secrets[r.version]
	p := r.journal.Promotion
	ended := p != nil && (p.From == r.version || p.To == r.version)
	if (!known || entry.State == journal.Removed || entry.State == journal.Kept) && !ended {
		return nil
	}
	if known && entry.State != journal.Removed && entry.State != journal.Kept {
		entry.State, entry.At, entry.Before = state, r.Now(), nil
		r.journal.Secrets[r.version] = entry
	}
	if ended {
		r.journal.Promotion = nil
	}
	if err := r.Journal.Save(ctx, r.journal); err != nil {
		return err
	}
	r.count(ctx, ended && p.From == r.version)
	return nil
}

// count tells the metrics how the rotation ended: the old secret is gone, or the new one.
func (r *retirement) count(ctx context.Context, rotated bool) {
	outcome := telemetry.RolledBack
	if rotated {
		outcome = telemetry.Rotated
	}
	if err := r.Metrics.RotationEnded(r.Common.Client, outcome); err != nil {
		r.Log.WarnContext(ctx, "metric not written", telemetry.Err(err))
	}
}
