// Package retiresecret disables, enables or deletes one secret at the identity provider: the old one at the end of a
// rotation, the new one in a rollback.
package retiresecret

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"alboidc.internal/functions/invocation"
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
type Handler struct{ Deps invocation.Deps }

// Handle acts on the secret of in.Retire, but only if the journal proves that this system made or imported it. Before
// it takes that away, in.Keep must be AWSCURRENT and accepted at this moment. A secret that is already in the wanted
// state is success.
func (h Handler) Handle(ctx context.Context, in rotation.RetireInput) (rotation.RetireOutput, error) {
	r, err := h.open(ctx, in)
	if err != nil {
		return rotation.RetireOutput{}, err
	}
	if why := r.mustKeep(); why != "" {
		return rotation.RetireOutput{Result: resultKept, Notice: fmt.Sprintf("The secret of version %s %s, so it "+
			"stays; the next execution puts in order what is left.", r.seen.Version, why)}, nil
	}
	for _, read := range []func(context.Context) error{r.waitForWrites, r.resolveCurrent, r.followed} {
		if err := read(ctx); err != nil {
			return rotation.RetireOutput{}, err
		}
	}
	if r.goesOn() {
		r.seen.ID = r.seen.Goes.IdPSecretID // which look would find
		return r.output(resultDeleted, r.conclude(ctx, journal.Removed))
	}
	if err := r.look(ctx); err != nil {
		return rotation.RetireOutput{}, err
	}
	next, result, why := decide(r.seen)
	if why != nil {
		return rotation.RetireOutput{}, why
	}
	switch in.Action {
	case rotation.RetireDisable:
		err = r.disable(ctx, next)
	case rotation.RetireEnable:
		err = r.enable(ctx, next)
	case rotation.RetireDelete:
		result, err = r.delete(ctx, next, result)
	}
	return r.output(result, err)
}

func (r *retirement) output(result string, err error) (rotation.RetireOutput, error) {
	return rotation.RetireOutput{Result: result, Notice: r.notice, Refused: r.refused}, err
}

// retirement is one call's work.
type retirement struct {
	*invocation.Invocation
	journal *journal.Journal
	seen    snapshot
	notice  string
	refused bool // the provider refuses what was removed
	unused  bool // a repair gives up what goes
	anyway  bool // what goes, goes although the provider does not accept what stays
}

// open begins the snapshot with what the call and the journal say.
func (h Handler) open(ctx context.Context, in rotation.RetireInput) (*retirement, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return nil, err
	}
	if in.Action == rotation.RetireEnable { // RestoreLabels is told of it by this name
		s.From = in.Keep.VersionID
	}
	j, err := s.Own(ctx)
	if err != nil {
		return nil, err
	}
	r := &retirement{Invocation: s, journal: j, unused: in.Unused, seen: snapshot{Action: in.Action,
		Version: in.Retire.VersionID, Keep: s.Successor(in.Keep.VersionID),
		Capable: s.Capable, Pair: s.Config.IsPair(), Named: s.Config.IdentityProvider.CurrentSecretID}}
	_, r.seen.Capable.CanDisable = s.Provider.(idp.Disabler)
	if in.Searched != "" { // a call of an earlier definition does not tell
		if r.seen.Searched, err = time.Parse(time.RFC3339, in.Searched); err != nil {
			return nil, failure.New(failure.InvalidInput, "searched: must be a time like 2006-01-02T15:04:05Z")
		}
	}
	return r, allow(r.refreshEntries())
}

// refreshEntries brings what the journal says up to date.
func (r *retirement) refreshEntries() snapshot {
	r.seen.Now, r.seen.Promotion, r.seen.Spread = r.Now(), r.journal.Promotion, r.SpreadTime()
	r.seen.Goes, r.seen.Stays = r.journal.Secrets[r.seen.Version], r.journal.Secrets[r.seen.Keep]
	return r.seen
}

// waitForWrites fails until earlier writes of targets have taken effect. A rollback begins when no write of the way
// forward can still come, and a secret goes when every node has left it; after a rollback's round, that includes the
// time of a late write that could bring it back.
func (r *retirement) waitForWrites(ctx context.Context) error {
	p := r.journal.Promotion
	switch {
	case r.seen.Action == rotation.RetireEnable:
		return r.WaitUntilSettled(ctx, 0)
	case p != nil && p.From == r.seen.Version:
		return r.WaitForSpread(ctx)
	default:
		return r.WaitUntilSettled(ctx, r.SpreadTime())
	}
}

// resolveCurrent finds out which of the two is in use, and under which version.
func (r *retirement) resolveCurrent(ctx context.Context) (err error) {
	if r.seen.Stands, r.seen.Current, err = r.ResolveCurrent(ctx, r.seen.Version, r.seen.Keep); err != nil {
		return err
	}
	if err := mustStay(r.seen); err != nil {
		return err
	}
	if r.seen.Stands == r.seen.Keep {
		r.seen.Keep = r.seen.Current
	}
	return nil
}

// followed refuses to go on before followers have AWSCURRENT, if they may have the secret that goes. What it sees for
// the first time, because a person has moved the label, it writes down: they need time from then on.
func (r *retirement) followed(ctx context.Context) error {
	goes := r.journal.Secrets[r.seen.Version]
	if r.journal.Promotion.RepairedFrom(r.seen.Version) {
		return nil // it was dead before
	}
	if goes.Unused || goes.State != journal.Intended && goes.State != journal.Live {
		return nil
	}
	ends := r.seen.Action == rotation.RetireDelete || r.seen.Capable.CanDisable
	delay, err := r.FollowersDelay(ctx, ends)
	if err != nil {
		return err
	}
	if r.journal.Follow(r.seen.Current, delay, r.Now()) {
		if err := r.Journal.Save(ctx, r.journal); err != nil {
			return err
		}
	}
	if at := r.journal.FollowedAt(r.seen.Current, delay); !at.IsZero() {
		r.seen.Followed = at.Add(r.SpreadTime())
	}
	return mustBeFollowed(r.refreshEntries())
}

// look completes the snapshot with what the identity provider has, as far as the decision needs it. Before it finds a
// secret missing, the other must be accepted: else the provider may be ill.
func (r *retirement) look(ctx context.Context) (err error) {
	if err := r.lookUse(ctx); err != nil {
		return err
	}
	if r.seen.Action == rotation.RetireDelete || r.seen.Capable.CanDisable {
		if err := r.find(ctx); err != nil {
			return err
		}
	}
	s := r.refreshEntries()
	if s.Action == rotation.RetireDelete {
		err := r.MustAccept(ctx, s.Keep, "the secret that stays")
		if r.anyway = r.mayGoAnyway(err); err != nil && !r.anyway {
			return err
		}
	}
	if s.ID == "" || s.Action == rotation.RetireEnable || s.found() == nil && s.Capable.HasIDs() {
		return nil
	}
	r.seen.Same, r.seen.Told, err = r.Same(ctx, s.Version, s.Keep)
	return err
}

// mustKeep says why what a repair gives up must not go; "" if it can. The repair knows no secret that is accepted, so
// nothing may be lost that targets, or followers, may have.
func (r *retirement) mustKeep() string {
	goes := r.seen.Goes
	switch {
	case !r.unused || goes.State == "":
	case !goes.Unused || r.journal.GivenOut(r.seen.Version):
		return "was in use before this repair"
	case r.Capable.HasIDs() || r.Capable.ReplacesInPlace() || r.seen.Pair: // what goes is named, or alone in its place
	default:
		for version, e := range r.journal.Secrets {
			if version != r.seen.Version && version != r.seen.Keep && e.State == journal.Live {
				return "cannot go without that of version " + version + ", which may be in use"
			}
		}
	}
	return ""
}

// mayGoAnyway reports whether what a repair gives up can go although the provider does not accept what stays: no target
// was given it, and the request names it, or there is nothing.
func (r *retirement) mayGoAnyway(err error) bool {
	return r.unused && (r.Capable.HasIDs() || r.seen.ID == "") &&
		(failure.Is(err, failure.SecretRefused) || failure.Is(err, failure.Unavailable))
}

// lookUse asks when the old secret was last used, where the provider tells.
func (r *retirement) lookUse(ctx context.Context) (err error) {
	u, ok := r.Provider.(idp.UseReporter)
	p := r.journal.Promotion
	if !ok || !r.Capable.TellsUse || r.seen.Action != rotation.RetireDisable || p == nil ||
		p.From != r.seen.Version || p.At.IsZero() {
		return nil
	}
	if err := r.TellProvider(ctx); err != nil {
		return err
	}
	r.seen.Used, err = u.LastUsed(ctx, r.seen.Goes.IdPSecretID)
	return err
}

// find looks for the provider's id of the version's secret, and settles an intent whose reply was lost.
func (r *retirement) find(ctx context.Context) (err error) {
	version := r.seen.Version
	entry, known := r.journal.Secrets[version]
	if !known || entry.State == journal.Removed || r.unused && entry.State == journal.Intended && entry.Asked.IsZero() {
		return nil // nothing was made
	}
	if err := r.TellProvider(ctx); err != nil {
		return err
	}
	r.seen.ID = entry.IdPSecretID
	if p := r.refusing(); p != nil && p.Seen == nil {
		// a list would have to prove that it is gone, for which a slow token endpoint leaves no time: ask once more
		r.seen.Listed = []idp.Secret{{ID: r.seen.ID, Status: idp.Active}}
		return nil
	}
	if r.seen.Listed, err = r.Provider.List(ctx); err != nil {
		return err
	}
	if entry.State != journal.Intended {
		return nil
	}
	if r.seen.ID, err = r.FindLost(ctx, r.journal, version, r.seen.Listed); err != nil || r.seen.ID == "" {
		return err
	}
	entry.State, entry.IdPSecretID = journal.Live, r.seen.ID
	if err := r.write(ctx, entry); err != nil { // before acting: a disabled secret could not be proven any more
		return err
	}
	if _, err := r.Own(ctx); err != nil { // AWSCURRENT may be that secret, stored again
		return err
	}
	if _, stays := r.journal.Secrets[version]; !stays {
		r.seen.ID = ""
	}
	return nil
}

func (r *retirement) write(ctx context.Context, e journal.Entry) error {
	r.journal.Secrets[r.seen.Version] = e
	return r.Journal.Save(ctx, r.journal)
}

func (r *retirement) disable(ctx context.Context, next step) error {
	if next != disable {
		return nil
	}
	if err := r.MustAccept(ctx, r.seen.Keep, "the secret that stays"); err != nil {
		return err
	}
	if err := r.LookAgain(ctx); err != nil {
		return err
	}
	d := r.Provider.(idp.Disabler) // as decide knows
	if err := d.Disable(ctx, r.seen.ID); err != nil {
		return err
	}
	return r.mustStayAccepted(ctx, d)
}

// mustStayAccepted checks at once that the secret that stays is still accepted without the other. If not, it switches
// the other on again: with both on, it shows whether the provider is ill or the first is gone. A secret that was
// overwritten in place cannot be switched on.
func (r *retirement) mustStayAccepted(ctx context.Context, d idp.Disabler) error {
	if r.Capable.ReplacesInPlace() {
		return nil
	}
	stays, err := r.Credential(ctx, r.seen.Keep)
	if err != nil {
		return err
	}
	if verdict, _, err := r.Ask(ctx, stays); err != nil || verdict.Outcome != probe.Rejected {
		return nil // the test that follows decides
	}
	if err := d.Enable(ctx, r.seen.ID); err != nil {
		return err
	}
	if err := r.MustAccept(ctx, r.seen.Keep, "the secret that stays"); err != nil {
		return err
	}
	return failure.New(failure.Unavailable, "when the secret of version %s was switched off, the identity provider "+
		"refused that of version %s, too; it was switched on again", r.seen.Version, r.seen.Keep)
}

// enable switches the secret on again if it was disabled, and proves that it is accepted: a rollback puts it back on
// every target next. If it is gone, the rollback must not go on.
func (r *retirement) enable(ctx context.Context, next step) error {
	if next == enable {
		if err := r.LookAgain(ctx); err != nil {
			return err
		}
		if err := r.Provider.(idp.Disabler).Enable(ctx, r.seen.ID); err != nil {
			return err
		}
	}
	return r.MustAccept(ctx, r.seen.Version, "the secret to go back to")
}

// delete removes the secret, proves that it is refused and the other accepted, and closes its entry in the journal.
func (r *retirement) delete(ctx context.Context, next step, result string) (string, error) {
	state := journal.Removed
	var err error
	switch next {
	case miss:
		return "", r.noteMissing(ctx)
	case remove:
		result, state, err = r.remove(ctx, result)
		if r.unused && failure.Is(err, failure.Precondition) { // an app's only active secret, for one
			r.tell("The secret of version %s stays, as AWSPENDING, and the next repair takes it: %v.",
				r.seen.Version, err)
			return resultKept, nil
		}
	}
	if err != nil {
		return "", err
	}
	if r.anyway {
		return result, r.close(ctx, state)
	}
	return result, r.conclude(ctx, state)
}

// conclude proves, after one secret was removed, that it is refused and the other accepted, and closes its entry.
func (r *retirement) conclude(ctx context.Context, state journal.State) error {
	began := r.overwritten()
	if r.seen.ID != "" && state == journal.Removed {
		if err := r.mustRefuse(ctx); err != nil {
			return err
		}
	}
	if !r.refused {
		if err := r.MustAccept(ctx, r.seen.Keep, "the secret that stays, after the other was removed"); err != nil {
			return err
		}
	}
	if err := r.sweep(ctx); err != nil {
		return err
	}
	r.tellInterruption(began)
	return r.close(ctx, state)
}

// proofPauses is how long the proof that a removed secret is refused may pause between two calls.
const proofPauses = 15 * time.Minute

// refusing returns what earlier calls have seen that had the secret removed; nil if none had, or not long ago.
func (r *retirement) refusing() *journal.Refusing {
	e := r.seen.Goes
	if r.seen.Action != rotation.RetireDelete || e.State != journal.Live || e.Refusing == nil ||
		r.Now().Sub(e.Refusing.At) >= proofPauses {
		return nil
	}
	return e.Refusing
}

// goesOn reports whether an earlier call had the secret removed, and no time left to prove that it is refused. In that
// proof the secret that stays is asked about before anything rests on an answer.
func (r *retirement) goesOn() bool {
	p := r.refusing()
	return p != nil && p.Seen != nil
}

// noteMissing writes down since when the secret is missing, and has the call come again.
func (r *retirement) noteMissing(ctx context.Context) error {
	entry := r.seen.Goes
	entry.Missed = r.Now()
	if err := r.write(ctx, entry); err != nil {
		return err
	}
	return r.refreshEntries().stillMissed()
}

// remove removes the secret at the provider, if the provider can.
func (r *retirement) remove(ctx context.Context, result string) (string, journal.State, error) {
	if !r.Capable.HasIDs() && r.AnswersSlowly() { // if this call is cut off, the next has no time to ask all that again
		if err := r.noteRefusing(ctx, nil); err != nil {
			return "", "", err
		}
	}
	if err := r.LookAgain(ctx); err != nil {
		return "", "", err
	}
	err := r.Provider.Remove(ctx, r.seen.ID)
	if errors.Is(err, idp.ErrKept) {
		r.tell("The secret of version %s: %v.", r.seen.Version, err)
		return resultKept, journal.Kept, nil
	}
	return result, journal.Removed, err
}

// noteRefusing notes how far the proof has come that the provider refuses what it was told to end; nil if it may not
// have been told.
func (r *retirement) noteRefusing(ctx context.Context, seen map[string]int) error {
	e := r.journal.Secrets[r.seen.Version]
	if e.State != journal.Live {
		return nil
	}
	e.Refusing = &journal.Refusing{Seen: seen, At: r.Now().UTC()}
	return r.write(ctx, e)
}

// sweep removes what requests without an answer made, where the provider keeps our tag: secrets with the tag of a
// version whose own secret is another. A list that lagged behind may have hidden them until now.
func (r *retirement) sweep(ctx context.Context) error {
	if !r.Capable.KeepsTag {
		return nil
	}
	list, err := r.Provider.List(ctx)
	if err != nil {
		return err
	}
	stays := r.journal.Secrets[r.seen.Keep].IdPSecretID
	for _, x := range list {
		if e, ours := r.journal.Secrets[x.Tag]; ours && x.ID != e.IdPSecretID && x.ID != stays &&
			e.State != journal.Intended {
			if err := r.Provider.Remove(ctx, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell adds a sentence to the notice for people.
func (r *retirement) tell(format string, args ...any) {
	r.notice = strings.TrimSpace(r.notice + " " + fmt.Sprintf(format, args...))
}

// overwritten returns when this rotation overwrote the only secret while it was in use; zero if it did not.
func (r *retirement) overwritten() time.Time {
	made := r.seen.Version // in a rollback the new one goes
	if p := r.journal.Promotion; p != nil && p.From == made {
		made = p.To
	}
	return overwritten(r.Capable, r.journal.Secrets[made])
}

// tellInterruption says how long logins could fail after the only secret was overwritten: until every load balancer
// node had the new one, or the old one again.
func (r *retirement) tellInterruption(began time.Time) {
	until, has := r.Now(), "the old secret again"
	if p := r.journal.Promotion; p != nil && p.From == r.seen.Version && !p.At.IsZero() {
		until, has = p.LeftAt(r.SpreadTime()), "the new secret"
	}
	switch {
	case r.journal.Promotion.RepairedFrom(r.seen.Version):
		r.tell("Every load balancer node has had the new secret since %s at the latest.",
			rotation.Timestamp(r.journal.LastWrite.Add(r.SpreadTime())))
		if at := r.journal.FollowedAt(r.journal.Promotion.To, r.Config.FollowersDelay()); !at.IsZero() {
			r.tell("What follows AWSCURRENT, rules of controllers among it, has it at %s at the latest "+
				"(followers.maxDelaySeconds): logins there fail until then.", rotation.Timestamp(at))
		}
	case !began.IsZero():
		r.tell("This was not without downtime (allowInterruption): from %s on, for at most %s, logins and session "+
			"refreshes could fail, until every load balancer node had %s.",
			rotation.Timestamp(began), until.Sub(began).Round(time.Second), has)
	}
}

// mustRefuse fails until the provider refuses the removed secret: some keep accepting it for a while. What a call has
// seen whose time is over it writes down for the next one; any other failure begins anew.
func (r *retirement) mustRefuse(ctx context.Context) error {
	entry, seen := r.journal.Secrets[r.seen.Version], map[string]int{}
	if r.goesOn() {
		seen = entry.Refusing.Seen
	}
	err := r.MustRefuse(ctx, r.seen.Version, r.seen.Keep, "was removed", seen)
	switch {
	case errors.Is(err, versions.ErrNotFound):
		// Secrets Manager has dropped the version, so its secret cannot be tried; the provider was told to end it
		return nil
	case failure.Is(err, failure.Unfinished):
		return cmp.Or(r.noteRefusing(ctx, seen), err)
	case err != nil && entry.Refusing != nil:
		entry.Refusing = nil
		return cmp.Or(r.write(ctx, entry), err)
	}
	r.refused = err == nil
	return err
}

// close marks the secret as removed or kept, forgets its promotion, and takes AWSPENDING off the version that stays
// (AWS leaves the label there when the version becomes AWSCURRENT).
func (r *retirement) close(ctx context.Context, state journal.State) error {
	labels, err := r.Labels(ctx)
	if err != nil {
		return err
	}
	if err := r.Store.DropPending(ctx, labels, r.seen.Keep); err != nil {
		return err
	}
	if r.unused { // else RestoreLabels has done so
		if err := r.Store.DropPending(ctx, labels, r.seen.Version); err != nil {
			return err
		}
	}
	entry, known := r.journal.Secrets[r.seen.Version]
	p := r.journal.Promotion
	ended := p != nil && (p.From == r.seen.Version || p.To == r.seen.Version)
	began := entry.At // of a rollback
	if ended {
		began = r.journal.Secrets[p.To].At
	}
	if (!known || entry.State == journal.Removed || entry.State == journal.Kept) && !ended {
		return nil
	}
	if known && entry.State != journal.Removed && entry.State != journal.Kept {
		entry.State, entry.At, entry.Before = state, r.Now(), nil
		entry.Missed, entry.Refusing = time.Time{}, nil
		r.journal.Secrets[r.seen.Version] = entry
	}
	if ended {
		r.journal.Promotion = nil
	}
	r.journal.Begun = nil
	if err := r.Journal.Save(ctx, r.journal); err != nil {
		return err
	}
	r.count(ctx, ended && p.From == r.seen.Version, began)
	return nil
}

// count writes the metrics of how the rotation ended (rotated if the old secret is gone, else rolled back) and how long
// it took; began is zero if the journal does not know.
func (r *retirement) count(ctx context.Context, rotated bool, began time.Time) {
	outcome := telemetry.RolledBack
	if rotated {
		outcome = telemetry.Rotated
	}
	err := r.Metrics.RotationEnded(r.Common.Client, outcome)
	if !began.IsZero() {
		err = errors.Join(err, r.Metrics.RotationTook(r.Common.Client, r.Now().Sub(began)))
	}
	r.NoteUnwritten(ctx, err)
}
