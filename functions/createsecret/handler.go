// Package createsecret makes the new client secret at the identity provider and stores it as AWSPENDING.
//
// The order of its writes makes a crash at any point harmless. The intent goes into the journal first. Where the
// provider takes our value, the value goes into Secrets Manager and only then to the provider; where the provider makes
// the value, it is stored the moment it arrives. The id at the provider is journalled last.
package createsecret

import (
	"context"
	"errors"
	"slices"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Handler is the function.
type Handler struct{ Deps invocation.Deps }

// Handle makes the secret of version in.To. A repeat finds what the earlier call did and goes on from there.
func (h Handler) Handle(ctx context.Context, in rotation.CreateInput) (rotation.CreateOutput, error) {
	m, err := h.open(ctx, in)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	acts := map[step]func(context.Context) error{intend: m.intend, store: m.store, take: m.take, undo: m.undo,
		ask: m.ask}
	for began := m.Now(); ; {
		if err := m.look(ctx); err != nil {
			return rotation.CreateOutput{}, err
		}
		switch next, why := decide(m.seen); next {
		case refuse:
			return rotation.CreateOutput{}, why
		case answer:
			e := m.seen.Entry
			return rotation.CreateOutput{To: rotation.Ref{VersionID: m.version, IdPSecretID: e.IdPSecretID,
				ClientID: e.ClientID}}, nil
		case wait:
			if m.Now().Sub(began) >= patience || m.Sleep(ctx, pause) != nil {
				return rotation.CreateOutput{}, why
			}
		default:
			if err := acts[next](ctx); err != nil {
				return rotation.CreateOutput{}, err
			}
		}
	}
}

// patience is how long one call waits, pause how long it pauses between two looks. The state machine's retries wait for
// the rest.
const (
	patience = 40 * time.Second
	pause    = 5 * time.Second
)

// maker is one call's work.
type maker struct {
	*invocation.Invocation
	journal  *journal.Journal
	version  string
	from     rotation.Ref
	imported bool
	canaries bool         // get it before any other target
	listed   []idp.Secret // before the intent
	seen     snapshot
	value    secret.Value // what is stored as the version
	adopt    bool         // what an unanswered request made could not be removed
}

// open begins the snapshot with what holds for the whole call.
func (h Handler) open(ctx context.Context, in rotation.CreateInput) (*maker, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return nil, err
	}
	if in.To.VersionID == "" || in.From.VersionID == "" || in.To.VersionID == in.From.VersionID {
		return nil, failure.New(failure.InvalidInput, "from.versionId and to.versionId must be given and differ")
	}
	s.From = in.From.VersionID
	j, err := s.Own(ctx)
	if err != nil {
		return nil, err
	}
	m := &maker{Invocation: s, journal: j, version: in.To.VersionID, from: in.From, imported: in.Import,
		canaries: in.Canaries}
	m.seen.Capable, m.seen.Version, m.seen.Repair = s.Capable, m.version, in.Repair
	if s.CurrentEnded = in.Repair; in.From.ClientID != "" {
		s.Belongs(in.From)
	}
	stands, current, err := s.ResolveCurrent(ctx, in.From.VersionID, in.To.VersionID)
	if err != nil {
		return nil, err
	}
	if m.seen.Padded, err = m.findPadded(ctx, stands, current); err != nil {
		return nil, err
	}
	return m, s.TellProvider(ctx)
}

// findPadded returns AWSCURRENT's version current if it stores the secret in use, for which it stands, again with
// something around it; "" if not.
func (m *maker) findPadded(ctx context.Context, stands, current string) (string, error) {
	if stands != m.from.VersionID || current == stands {
		return "", nil
	}
	was, err := m.Value(ctx, m.from.VersionID)
	if err != nil {
		return "", err
	}
	is, err := m.Value(ctx, current)
	if err != nil || is.Equal(was) {
		return "", err
	}
	return current, nil
}

// look brings the snapshot up to date with as few requests as the next decision needs.
func (m *maker) look(ctx context.Context) (err error) {
	s := &m.seen
	// a person may have stored what an earlier call made as AWSCURRENT
	s.Now, s.Entry, s.Ended = m.Now(), m.journal.Secrets[m.Successor(m.version)], ended(m.journal)
	switch {
	case s.Entry.State == "" && m.listed == nil:
		return m.lookFirst(ctx)
	case s.Entry.State != journal.Intended:
		return nil
	case s.seeks() && s.Lost == "":
		listed, err := m.Provider.List(ctx)
		if err != nil {
			return err
		}
		if m.mayAdopt() {
			if m.MadeSince(m.journal, m.version, listed) {
				s.Lost = m.version
			}
		} else if s.Lost, err = m.FindLost(ctx, m.journal, m.version, listed); err != nil {
			return err
		}
	}
	if m.listed == nil && !s.Stored && (s.Capable.AcceptsValue || s.Lost != "") {
		return m.lookStored(ctx)
	}
	return nil
}

// lookFirst looks for what speaks against the intent.
func (m *maker) lookFirst(ctx context.Context) (err error) {
	listed, err := m.Provider.List(ctx)
	if err != nil {
		return err
	}
	m.listed = append([]idp.Secret{}, listed...)
	if m.imported && !contains(listed, m.from.IdPSecretID) {
		m.seen.Missing = m.from.IdPSecretID
	}
	if m.Capable.MadeByHand() {
		return m.lookStored(ctx)
	}
	m.seen.Stored, err = m.Exists(ctx, m.version)
	return err
}

// lookStored looks whether the version is stored.
func (m *maker) lookStored(ctx context.Context) error {
	t, err := m.Store.Text(ctx, m.version)
	switch {
	case errors.Is(err, versions.ErrNotFound) && !m.Capable.MadeByHand():
		return nil
	case err != nil:
		return err
	}
	m.seen.Stored, m.seen.StoredAt = true, t.Created
	m.value, err = m.Value(ctx, m.version)
	return err
}

// ended returns when a secret was last removed, or may have been.
func ended(j *journal.Journal) (last time.Time) {
	for _, e := range j.Secrets {
		if (e.State == journal.Removed || e.State == journal.Kept) && e.At.After(last) {
			last = e.At
		}
		if e.Undone.After(last) {
			last = e.Undone
		}
	}
	return last
}

// intend writes down what is about to happen: the ids that exist now, and, on a client's first rotation, which of them
// is the secret in use.
func (m *maker) intend(ctx context.Context) error {
	now := m.Now()
	if m.imported {
		m.takeOver(now)
	}
	if m.seen.Repair {
		m.noteEnd(now)
	}
	form := m.Config.Secret.JSONKey
	if e, known := m.journal.Secrets[m.from.VersionID]; known && e.JSONKey == nil { // Plan has read it in this form
		e.JSONKey = &form
		m.journal.Secrets[m.from.VersionID] = e
	}
	m.forgetKept(m.listed)
	before := make([]string, 0, len(m.listed))
	for _, x := range m.listed {
		before = append(before, x.ID)
	}
	m.journal.Secrets[m.version] = journal.Entry{State: journal.Intended, JSONKey: &form, Config: m.Text(),
		Before: before, At: now, Unused: true}
	if m.canaries {
		m.journal.Keep(m.version, m.from.VersionID)
	}
	begun := m.Invocation.Config.Identity()
	m.journal.Begun = &begun
	return m.Journal.Save(ctx, m.journal)
}

// noteEnd writes down that the secret in use has ended by itself, if the provider says so.
func (m *maker) noteEnd(now time.Time) {
	e, known := m.journal.Secrets[m.from.VersionID]
	for _, x := range m.listed {
		if known && x.ID == e.IdPSecretID && !x.Until.IsZero() && !x.Until.After(now) {
			e.Ended = x.Until
			m.journal.Secrets[m.from.VersionID] = e
		}
	}
}

// takeOver writes down which secret at the provider is the one in use. If the journal has it under another version,
// whose text is gone, that entry moves to this one.
func (m *maker) takeOver(now time.Time) {
	for v, e := range m.journal.Secrets {
		if e.IdPSecretID == m.from.IdPSecretID && e.ClientID == m.from.ClientID && e.State == journal.Live {
			m.journal.Rename(v, m.from.VersionID)
			e = m.journal.Secrets[m.from.VersionID]
			e.JSONKey = nil
			m.journal.Secrets[m.from.VersionID] = e
			return
		}
	}
	m.journal.Secrets[m.from.VersionID] = journal.Entry{State: journal.Live, IdPSecretID: m.from.IdPSecretID,
		ClientID: m.from.ClientID,
		Imported: true, At: now}
}

// forgetKept marks as removed the secrets that the provider could not remove and no longer lists.
func (m *maker) forgetKept(listed []idp.Secret) {
	for v, e := range m.journal.Secrets {
		if e.State == journal.Kept && !contains(listed, e.IdPSecretID) {
			e.State, e.At = journal.Removed, m.Now()
			m.journal.Secrets[v] = e
		}
	}
}

// store makes a value and stores it as AWSPENDING. If an earlier try has stored another value, that one counts.
func (m *maker) store(ctx context.Context) error {
	v, err := secret.Generate(m.Rand)
	if err != nil {
		return err
	}
	err = m.put(ctx, v)
	if errors.Is(err, versions.ErrExists) {
		return m.lookStored(ctx)
	}
	m.value, m.seen.Stored = v, err == nil
	return err
}

// put stores a value as AWSPENDING, with the client id that belongs to it where the configuration has a place for that.
func (m *maker) put(ctx context.Context, v secret.Value) error {
	return m.Store.PutPending(ctx, m.version, v, m.from.VersionID,
		versions.Member{Key: m.Config.Secret.ClientIDKey, Text: m.NewClientID()})
}

// take takes what an unanswered request made, or, in a repair, what could not be removed.
func (m *maker) take(ctx context.Context) error {
	if e := m.seen.Entry; e.State == journal.Kept {
		return m.close(ctx, idp.Created{ID: e.IdPSecretID, ClientID: e.ClientID})
	}
	return m.close(ctx, idp.Created{ID: m.seen.Lost})
}

// mayAdopt reports whether what an unanswered request made is taken as it is: in a repair, where the provider may show
// its value.
func (m *maker) mayAdopt() bool { return m.seen.Repair && m.Capable.ReusesKept() }

// makeRoom removes dead secrets of ours before a repair's new one is asked for, if there is no room besides them: the
// admin API, which no false answer of a token endpoint concerns, shows them as switched off. Where secrets have no ids,
// it fails if there is no room any more: what has ended may live again since the plan, and the new one would end it.
func (m *maker) makeRoom(ctx context.Context) error {
	if !m.seen.Repair || m.Capable.MaxSecrets == 0 || m.adopt && !m.Capable.HasIDs() {
		return nil
	}
	listed, err := m.Provider.List(ctx)
	if err != nil {
		return err
	}
	labels, err := m.Labels(ctx)
	if err != nil {
		return err
	}
	s := rotation.Snapshot{Labels: labels, Journal: m.journal, Listed: listed, MaxSecrets: m.Capable.MaxSecrets,
		ByVersion: !m.Capable.HasIDs(), Now: m.Now()}
	if s.ByVersion {
		if why := s.NoRoomToRepair(); why != "" {
			return failure.New(failure.Precondition, "%s", why)
		}
		return nil
	}
	dead := s.DeadOfOurs()
	for _, id := range dead[:min(len(dead), max(0, len(listed)-m.Capable.MaxSecrets+1))] {
		if err := m.Provider.Remove(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// undo removes what an unanswered request made. It first writes down a request that does not name what it removes,
// since that may come late (see ended).
func (m *maker) undo(ctx context.Context) error {
	if m.mayAdopt() { // removing it would put the dead secret back
		m.seen.Lost, m.seen.Undone, m.adopt = "", true, true
		return nil
	}
	if !m.Capable.HasIDs() {
		if err := m.save(ctx, func(e *journal.Entry) { e.Undone = m.Now() }); err != nil {
			return err
		}
	}
	if err := m.LookAgain(ctx); err != nil {
		return err
	}
	err := m.Provider.Remove(ctx, m.seen.Lost)
	if m.adopt = errors.Is(err, idp.ErrKept); err != nil && !m.adopt {
		return err
	}
	e := m.journal.Secrets[m.version]
	e.Undone = time.Time{} // answered; written down when the next secret is asked for
	m.journal.Secrets[m.version] = e
	m.seen.Lost, m.seen.Undone = "", true
	return nil
}

// ask writes down that it asks the provider for a secret, then asks. A refusal takes the note back, but not the note of
// an earlier request. A value that the provider makes is stored the moment it arrives.
func (m *maker) ask(ctx context.Context) error {
	if err := m.makeRoom(ctx); err != nil {
		return err
	}
	before := m.seen.Entry.Asked
	r := idp.CreateRequest{Value: m.value, Tag: m.version, Adopt: m.adopt,
		Asked: !m.Capable.AcceptsValue && !before.IsZero()}
	if err := m.save(ctx, m.noteRequest); err != nil {
		return err
	}
	if !m.Capable.HasIDs() { // it may end a secret
		if err := m.LookAgain(ctx); err != nil {
			return err
		}
	}
	made, err := m.Provider.Create(ctx, r)
	if err != nil && failure.KindOf(err) != failure.Unavailable {
		if failed := m.save(ctx, func(e *journal.Entry) { e.Asked = before }); failed != nil {
			return failed
		}
		return err
	}
	if err == nil && m.Capable.HasIDs() && m.knows(made.ID) {
		return failure.New(failure.Precondition, "the identity provider answered the request for a new secret with "+
			"the id of one that was there before, %s, so nothing tells the two apart: undoing the rotation "+
			"would remove that one; correct what makes secrets there", made.ID)
	}
	if err == nil && !m.Capable.AcceptsValue {
		err = m.put(ctx, made.Value)
	}
	if err != nil {
		return err
	}
	return m.close(ctx, made)
}

// noteRequest notes that the provider is about to be asked. A value that the provider makes is stored as the present
// configuration says, though another execution intended it.
func (m *maker) noteRequest(e *journal.Entry) {
	e.Asked = m.Now()
	if form := m.Config.Secret.JSONKey; m.value.IsZero() {
		e.JSONKey, e.Config = &form, m.Text()
	}
}

// knows reports whether a secret of this id was there when the intent was written, or is another version's.
func (m *maker) knows(id string) bool {
	for version, e := range m.journal.Secrets {
		if version != m.version && e.State == journal.Live && e.IdPSecretID == id {
			return true
		}
	}
	return slices.Contains(m.journal.Secrets[m.version].Before, id)
}

// close writes down that the secret is made.
func (m *maker) close(ctx context.Context, made idp.Created) error {
	if m.Capable.ReusesKept() {
		m.forgetKept(nil) // it gave its place to the new one
	}
	for _, id := range made.Ended { // where secrets have no ids, the version's stands for it
		if e := m.journal.Secrets[id]; e.State == journal.Live {
			e.State, e.At = journal.Removed, m.Now()
			m.journal.Secrets[id] = e
		}
	}
	return m.save(ctx, func(e *journal.Entry) {
		e.State, e.IdPSecretID, e.ClientID, e.Asked, e.Undone = journal.Live, made.ID, made.ClientID, time.Time{},
			time.Time{}
	})
}

// save changes the version's entry and writes the journal.
func (m *maker) save(ctx context.Context, change func(*journal.Entry)) error {
	e := m.journal.Secrets[m.version]
	change(&e)
	m.journal.Secrets[m.version] = e
	return m.Journal.Save(ctx, m.journal)
}

func contains(listed []idp.Secret, id string) bool {
	return slices.ContainsFunc(listed, func(x idp.Secret) bool { return x.ID == id })
}
