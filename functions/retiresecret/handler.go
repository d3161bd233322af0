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
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.RetireOutput{}, err
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.RetireOutput{}, err
	}
	r := &retirement{Session: s, journal: j, version: in.Retire.VersionID, keep: s.Follower(in.Keep.VersionID)}
	if err := r.looked(in.Searched); err != nil {
		return rotation.RetireOutput{}, err
	}
	if err := r.waited(ctx, in.Action); err != nil {
		return rotation.RetireOutput{}, err
	}
	if err := r.guard(ctx, in.Action); err != nil {
		return rotation.RetireOutput{}, err
	}
	if err := r.Know(ctx); err != nil {
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
	listed        []idp.Secret // by find
	notice        string
}

// waited fails until what was written before has had its time: a rollback begins when no write of the way forward can come any
// more, and a secret goes when every node has left it. After a rollback's round a late write of the way forward could bring it back.
func (r *retirement) waited(ctx context.Context, action rotation.RetireAction) error {
	p := r.journal.Promotion
	switch {
	case action == rotation.RetireEnable:
		return r.Settled(ctx, 0)
	case p != nil && p.From == r.version:
		return r.Spread(ctx)
	default:
		return r.Settled(ctx, r.SpreadTime())
	}
}

// searchLasts is how long a search for targets counts for removing a secret. The steps after it take an hour or two, hours of
// retries included less than this; a redrive days later takes more.
const searchLasts = 12 * time.Hour

// looked fails if the targets were searched for too long ago: what came since may have the secret that is about to go.
func (r *retirement) looked(searched string) error {
	if searched == "" { // a call of an earlier definition
		return nil
	}
	at, err := time.Parse(time.RFC3339, searched)
	if err != nil {
		return failure.New(failure.InvalidInput, "searched: must be a time like 2006-01-02T15:04:05Z")
	}
	if age := r.Now().Sub(at); age > searchLasts {
		return failure.New(failure.Outdated, "the targets were searched for %s ago: nothing is retired before they are searched for, and set, again", age.Round(time.Minute))
	}
	return nil
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
	stands, current, err := r.Standing(ctx, r.version, r.keep)
	switch {
	case err != nil || action == rotation.RetireEnable:
		return err
	case stands != r.keep:
		return failure.New(failure.Precondition, "AWSCURRENT is on version %s, not on %s which is to stay; nothing is retired", current, r.keep)
	}
	r.keep = current
	return nil
}

// find returns the provider's id of the version's secret and whether the provider still has it, and settles an intent
// whose reply got lost.
func (r *retirement) find(ctx context.Context) (id string, listed *idp.Secret, err error) {
	entry, known := r.journal.Secrets[r.version]
	if !known || entry.State == journal.Removed {
		return "", nil, nil
	}
	list, err := r.Provider.List(ctx)
	if err != nil {
		return "", nil, err
	}
	r.listed = list
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
		if _, err := r.Own(ctx); err != nil { // AWSCURRENT may be that secret, stored again
			return "", nil, err
		}
		if _, stays := r.journal.Secrets[r.version]; !stays {
			return "", nil, nil
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
	if err := r.mustDiffer(ctx, x); err != nil {
		return "", err
	}
	if err := r.MustAccept(ctx, r.keep, "the secret that stays"); err != nil {
		return "", err
	}
	if err := r.LookAgain(ctx); err != nil {
		return "", err
	}
	if err := d.Disable(ctx, id); err != nil {
		return "", err
	}
	return resultDisabled, r.mustStayAccepted(ctx, d, id)
}

// mustStayAccepted looks at once whether the secret that stays is still accepted without the other. If not, the other is switched
// on again: with both on it shows whether the provider is ill or that secret is gone. A slot that is overwritten has nothing to
// switch on.
func (r *retirement) mustStayAccepted(ctx context.Context, d idp.Disabler, id string) error {
	if r.Capable.ReplacesInPlace() {
		return nil
	}
	stays, err := r.Credential(ctx, r.keep)
	if err != nil {
		return err
	}
	if verdict, _, err := r.Ask(ctx, stays); err != nil || verdict.Outcome != probe.Rejected {
		return nil // the test that follows decides
	}
	if err := d.Enable(ctx, id); err != nil {
		return err
	}
	if err := r.MustAccept(ctx, r.keep, "the secret that stays"); err != nil {
		return err
	}
	return failure.New(failure.Unavailable, "when the secret of version %s was switched off, the identity provider refused that of version %s, too; it was switched on again", r.version, r.keep)
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
			if err := r.LookAgain(ctx); err != nil {
				return "", err
			}
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
	began := r.overwritten()
	result, state, err := r.remove(ctx, id, x)
	if err != nil {
		return "", err
	}
	if err := r.MustAccept(ctx, r.keep, "the secret that stays, after the other was removed"); err != nil {
		return "", err
	}
	if id != "" && state == journal.Removed {
		if err := r.mustRefuse(ctx); err != nil {
			return "", err
		}
	}
	if err := r.sweep(ctx); err != nil {
		return "", err
	}
	r.tellInterruption(began)
	return result, r.close(ctx, state)
}

// remove removes the secret at the provider. That it is not listed counts only where the admin API lists secrets: any other list is
// what the token endpoint says, and the provider must be told to end it all the same.
func (r *retirement) remove(ctx context.Context, id string, x *idp.Secret) (string, journal.State, error) {
	if x == nil && r.Config.IsPair() {
		if err := r.mustBeMissedFor(ctx, missed); err != nil {
			return "", "", err
		}
	}
	if x == nil && (id == "" || r.Capable.HasIDs()) {
		return resultAbsent, journal.Removed, nil
	}
	if err := r.mustDiffer(ctx, x); err != nil {
		return "", "", err
	}
	if err := r.LookAgain(ctx); err != nil {
		return "", "", err
	}
	switch err := r.Provider.Remove(ctx, id); {
	case errors.Is(err, idp.ErrKept):
		r.tell("The secret of version %s: %v.", r.version, err)
		return resultKept, journal.Kept, nil
	case err != nil:
		return "", "", err
	case x == nil:
		return resultAbsent, journal.Removed, nil
	}
	return resultDeleted, journal.Removed, nil
}

// sweep removes what requests without an answer made, where the provider keeps our tag: a secret with the tag of a version whose
// own secret is another. A list that lagged behind may have hidden it until now.
func (r *retirement) sweep(ctx context.Context) error {
	if !r.Capable.KeepsTag {
		return nil
	}
	list, err := r.Provider.List(ctx)
	if err != nil {
		return err
	}
	stays := r.journal.Secrets[r.keep].IdPSecretID
	for _, x := range list {
		if e, ours := r.journal.Secrets[x.Tag]; ours && x.ID != e.IdPSecretID && x.ID != stays && e.State != journal.Intended {
			if err := r.Provider.Remove(ctx, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell adds a sentence to what people are notified of.
func (r *retirement) tell(format string, args ...any) {
	r.notice = strings.TrimSpace(r.notice + " " + fmt.Sprintf(format, args...))
}

// overwritten is when this rotation overwrote the only secret while it was in use; zero if it did not.
func (r *retirement) overwritten() time.Time {
	version := r.version // in a rollback the new one goes
	if p := r.journal.Promotion; p != nil && p.From == r.version {
		version = p.To
	}
	e := r.journal.Secrets[version]
	if !r.Capable.ReplacesInPlace() || e.Imported || e.State != journal.Live && e.Asked.IsZero() {
		return time.Time{}
	}
	return e.At
}

// tellInterruption says how long logins could fail since the only secret was overwritten: until every load balancer node had the
// new one, or had the old one again.
func (r *retirement) tellInterruption(began time.Time) {
	until, has := r.Now(), "the old secret again"
	if p := r.journal.Promotion; p != nil && p.From == r.version && !p.At.IsZero() {
		until, has = p.At, "the new secret"
	}
	if !began.IsZero() {
		r.tell("This was not without downtime (allowInterruption): from %s on, for at most %s, logins and session refreshes could fail, until every load balancer node had %s.",
			rotation.Timestamp(began), until.Sub(began).Round(time.Second), has)
	}
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
		"loadBalancers or another application; give that the new secret first. Or something put it back on a target in the meantime, such as a template with the old secret; then see to it "+
		"that it does not again", rotation.Timestamp(used), rotation.Timestamp(p.At))
}

// missed is how long a registration of a pair must refuse a secret that nobody here has removed, until that is believed.
const missed = time.Minute

// mustBeMissedFor fails unless the secret, which a registration of a pair refuses, was found missing so long ago: that registration
// is not overwritten, since what it has may be somebody's, so the refusals are all that shows that the secret is gone. The time is
// in the journal, so that a retry or a redrive goes on from there.
func (r *retirement) mustBeMissedFor(ctx context.Context, d time.Duration) error {
	entry := r.journal.Secrets[r.version]
	if entry.State != journal.Live && entry.Asked.IsZero() {
		return nil // there was never one
	}
	if entry.Missed.IsZero() {
		entry.Missed = r.Now()
		if err := r.write(ctx, entry); err != nil {
			return err
		}
	}
	if long := r.Now().Sub(entry.Missed); long < d {
		return failure.New(failure.Unavailable, "the identity provider refuses the secret of version %s, which nobody here has removed, since %s; it is asked again until that is %s ago", r.version, rotation.Timestamp(entry.Missed), d)
	}
	return nil
}

// mustRefuse fails until the provider refuses the removed secret: some keep accepting it for a while.
func (r *retirement) mustRefuse(ctx context.Context) error {
	err := r.MustRefuse(ctx, r.version, r.keep, "was removed")
	if errors.Is(err, versions.ErrNotFound) {
		return nil // Secrets Manager has dropped the version, so it cannot be asked about; the provider was told to end it
	}
	return err
}

// close marks the secret as removed, or kept, forgets the promotion that it was part of, and takes AWSPENDING off the version
// that stays (AWS leaves the label there when the version becomes AWSCURRENT).
func (r *retirement) close(ctx context.Context, state journal.State) error {
	labels, err := r.Labels(ctx)
	if err != nil {
		return err
	}
	if err := r.Store.DropPending(ctx, labels, r.keep); err != nil {
		return err
	}
	entry, known := r.journal.Secrets[r.version]
	p := r.journal.Promotion
	ended := p != nil && (p.From == r.version || p.To == r.version)
	began := entry.At // of a rollback
	if ended {
		began = r.journal.Secrets[p.To].At
	}
	if (!known || entry.State == journal.Removed || entry.State == journal.Kept) && !ended {
		return nil
	}
	if known && entry.State != journal.Removed && entry.State != journal.Kept {
		entry.State, entry.At, entry.Before, entry.Missed = state, r.Now(), nil, time.Time{}
		r.journal.Secrets[r.version] = entry
	}
	if ended {
		r.journal.Promotion = nil
	}
	r.journal.Begun = nil
	if err := r.Journal.Save(ctx, r.journal); err != nil {
		return err
	}
	r.count(ctx, ended && p.From == r.version, began)
	return nil
}

// count tells the metrics how the rotation ended, the old secret is gone, or the new one, and how long it took; began is zero
// where the journal does not know.
func (r *retirement) count(ctx context.Context, rotated bool, began time.Time) {
	outcome := telemetry.RolledBack
	if rotated {
		outcome = telemetry.Rotated
	}
	err := r.Metrics.RotationEnded(r.Common.Client, outcome)
	if !began.IsZero() {
		err = errors.Join(err, r.Metrics.RotationTook(r.Common.Client, r.Now().Sub(began)))
	}
	if err != nil {
		r.Log.WarnContext(ctx, "metric not written", telemetry.Err(err))
	}
}
