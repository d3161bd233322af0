// Package createsecret makes the new client secret at the identity provider and stores it as AWSPENDING.
//
// The order of its writes is what makes a crash at any point harmless: the intent goes into the journal first; then,
// where the provider takes our value, the value into Secrets Manager and only then to the provider; where the provider
// makes the value, it is stored the moment it arrives. The id at the provider is journalled last.
package createsecret

import (
	"context"
	"errors"
	"slices"
	"time"

	"alboidc.internal/functions/session"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// Handler is the function.
type Handler struct{ Deps session.Deps }

// Handle makes the secret of version in.To. A repeat finds what the earlier call did and goes on from there.
func (h Handler) Handle(ctx context.Context, in rotation.CreateInput) (rotation.CreateOutput, error) {
	s, err := h.Deps.Open(ctx, in.Common)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	if in.To.VersionID == "" || in.From.VersionID == "" || in.To.VersionID == in.From.VersionID {
		return rotation.CreateOutput{}, failure.New(failure.InvalidInput, "from.versionId and to.versionId must be given and differ")
	}
	j, err := s.Own(ctx)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	_, current, err := s.Standing(ctx, in.From.VersionID, in.To.VersionID)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	if err := mustBeAsItWas(ctx, s, in, current); err != nil {
		return rotation.CreateOutput{}, err
	}
	if err := s.Know(ctx); err != nil {
		return rotation.CreateOutput{}, err
	}
	listed, err := s.Provider.List(ctx)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	m := &maker{Session: s, journal: j, version: in.To.VersionID, from: in.From}
	entry := j.Secrets[m.version]
	switch {
	case entry.State == journal.Removed || entry.State == journal.Kept:
		return rotation.CreateOutput{}, failure.New(failure.Precondition, "version %s was already rolled back; start a new execution", m.version)
	case entry.State == journal.Live: // whether it is listed or not: lists lag, and VerifyNewSecret tries it
		return rotation.CreateOutput{To: rotation.Ref{VersionID: m.version, IdPSecretID: entry.IdPSecretID, ClientID: entry.ClientID}}, nil
	case entry.State == "":
		if err := m.intend(ctx, listed, in.Import); err != nil {
			return rotation.CreateOutput{}, err
		}
	}
	made, err := m.make(ctx)
	if err != nil {
		return rotation.CreateOutput{}, err
	}
	entry = j.Secrets[m.version]
	entry.State, entry.IdPSecretID, entry.ClientID, entry.Asked, entry.Undone = journal.Live, made.ID, made.ClientID, time.Time{}, time.Time{}
	j.Secrets[m.version] = entry
	if s.Capable.ReusesKept() {
		m.forgetKept(nil) // it gave its place to the new one
	}
	if err := s.Journal.Save(ctx, j); err != nil {
		return rotation.CreateOutput{}, err
	}
	return rotation.CreateOutput{To: rotation.Ref{VersionID: m.version, IdPSecretID: made.ID, ClientID: made.ClientID}}, nil
}

// mustBeAsItWas fails if the secret in use was stored again with something around it. If a request ends the secret in use, some
// providers are told to put AWSCURRENT back: that must be the very secret.
func mustBeAsItWas(ctx context.Context, s *session.Session, in rotation.CreateInput, current string) error {
	if current == in.From.VersionID || current == in.To.VersionID {
		return nil
	}
	was, err := s.Value(ctx, in.From.VersionID)
	if err != nil {
		return err
	}
	is, err := s.Value(ctx, current)
	if err != nil {
		return err
	}
	if !is.Equal(was) {
		return failure.New(failure.Precondition, "AWSCURRENT (version %s) holds the secret in use with white space, quotes or a byte order mark around it: "+
			"store it again without, then start again", current)
	}
	return nil
}

// maker is one call's work.
type maker struct {
	*session.Session
	journal *journal.Journal
	version string
	from    rotation.Ref
}

// intend writes down what is about to happen: the ids that exist now, and, on a client's first rotation, which of them
// is the secret in use.
func (m *maker) intend(ctx context.Context, listed []idp.Secret, imported bool) error {
	if err := m.mustBeNew(ctx); err != nil {
		return err
	}
	if err := m.quiet(ctx); err != nil {
		return err
	}
	now := m.Now()
	if imported {
		if !contains(listed, m.from.IdPSecretID) {
			return failure.New(failure.Precondition, "the identity provider does not list secret %s any more, which the plan found in use", m.from.IdPSecretID)
		}
		m.takeOver(now)
	}
	form := m.Config.Secret.JSONKey
	if e, known := m.journal.Secrets[m.from.VersionID]; known && e.JSONKey == nil { // Plan has read it in this form
		e.JSONKey = &form
		m.journal.Secrets[m.from.VersionID] = e
	}
	m.forgetKept(listed)
	before := make([]string, 0, len(listed))
	for _, x := range listed {
		before = append(before, x.ID)
	}
	m.journal.Secrets[m.version] = journal.Entry{State: journal.Intended, JSONKey: &form, Config: m.Text(), Before: before, At: now}
	begun := m.Session.Config.Identity()
	m.journal.Begun = &begun
	return m.Journal.Save(ctx, m.journal)
}

// takeOver writes down which secret at the provider is the one in use. If the journal has it by another version, whose
// text is gone, that entry goes over.
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
	m.journal.Secrets[m.from.VersionID] = journal.Entry{State: journal.Live, IdPSecretID: m.from.IdPSecretID, ClientID: m.from.ClientID,
		Imported: true, At: now}
}

// forgetKept marks the secrets that the provider could not remove, and does not list any more, as removed.
func (m *maker) forgetKept(listed []idp.Secret) {
	for v, e := range m.journal.Secrets {
		if e.State == journal.Kept && !contains(listed, e.IdPSecretID) {
			e.State, e.At = journal.Removed, m.Now()
			m.journal.Secrets[v] = e
		}
	}
}

// quiet waits until a request that removed an earlier secret, or what an unanswered request had made, cannot take effect any
// more. Where secrets have no ids it does not name what it removes: coming late, it would hit the new one.
func (m *maker) quiet(ctx context.Context) error {
	if m.Capable.HasIDs() {
		return nil
	}
	var last time.Time
	for _, e := range m.journal.Secrets {
		if (e.State == journal.Removed || e.State == journal.Kept) && e.At.After(last) {
			last = e.At
		}
		if e.Undone.After(last) {
			last = e.Undone
		}
	}
	for began := m.Now(); m.Now().Sub(last) < settle; {
		if m.Now().Sub(began) >= patience || m.Sleep(ctx, pause) != nil {
			return failure.New(failure.Unavailable, "a secret was removed at the identity provider %s ago; no new one is made before %s are over", m.Now().Sub(last).Round(time.Second), settle)
		}
	}
	return nil
}

// make makes the new secret, whose value is then stored as AWSPENDING.
func (m *maker) make(ctx context.Context) (idp.Created, error) {
	if m.Capable.AcceptsValue {
		return m.makeOwn(ctx)
	}
	return m.makeTheirs(ctx)
}

// makeOwn stores a value of ours, then gives it to the provider.
func (m *maker) makeOwn(ctx context.Context) (idp.Created, error) {
	value, err := m.pending(ctx)
	if err != nil {
		return idp.Created{}, err
	}
	if m.Capable.HasIDs() { // where secrets have no ids, making one with the same value again makes the same
		id, err := m.lost(ctx)
		if err != nil || id != "" {
			return idp.Created{ID: id}, err
		}
	}
	return m.ask(ctx, idp.CreateRequest{Value: value, Tag: m.version})
}

// A request that got no answer may still take effect, up to settle after it was made: the longest timeout of a function
// that writes, and 15 s. Asking again before that could make two secrets.
const (
	settle = 75 * time.Second
	// patience is how long one call waits for that, pause how long between two looks. The state machine's retries wait on.
	patience = 40 * time.Second
	pause    = 5 * time.Second
)

// lost looks for what an earlier, unanswered request made, until it is found or cannot appear any more.
func (m *maker) lost(ctx context.Context) (string, error) {
	asked := m.journal.Secrets[m.version].Asked
	if asked.IsZero() {
		return "", nil
	}
	for began := m.Now(); ; {
		listed, err := m.Provider.List(ctx)
		if err != nil {
			return "", err
		}
		id, err := m.FindLost(ctx, m.journal, m.version, listed)
		if err != nil || id != "" {
			return id, err
		}
		now := m.Now()
		if now.Sub(asked) >= settle {
			return "", nil
		}
		if now.Sub(began) >= patience || m.Sleep(ctx, pause) != nil {
			return "", failure.New(failure.Unavailable, "the identity provider was asked for a secret %s ago and has not answered; it is not asked again before %s are over", now.Sub(asked).Round(time.Second), settle)
		}
	}
}

// ask asks the provider for a secret, and writes down first that it does. An answer that says no clears that.
func (m *maker) ask(ctx context.Context, r idp.CreateRequest) (idp.Created, error) {
	if err := m.asked(ctx, m.Now()); err != nil {
		return idp.Created{}, err
	}
	if !m.Capable.HasIDs() { // it may end a secret
		if err := m.LookAgain(ctx); err != nil {
			return idp.Created{}, err
		}
	}
	made, err := m.Provider.Create(ctx, r)
	if err == nil || failure.KindOf(err) == failure.Unavailable {
		return made, err
	}
	if failed := m.asked(ctx, time.Time{}); failed != nil {
		return idp.Created{}, failed
	}
	return idp.Created{}, err
}

func (m *maker) asked(ctx context.Context, at time.Time) error {
	entry := m.journal.Secrets[m.version]
	entry.Asked = at
	m.journal.Secrets[m.version] = entry
	return m.Journal.Save(ctx, m.journal)
}

// pending is the value stored for the version; it is made and stored if there is none.
func (m *maker) pending(ctx context.Context) (secret.Value, error) {
	v, err := m.stored(ctx)
	if err == nil || !errors.Is(err, versions.ErrNotFound) || m.Capable.MadeByHand() {
		return v, err
	}
	if v, err = secret.Generate(m.Rand); err != nil {
		return secret.Value{}, err
	}
	err = m.Store.PutPending(ctx, m.version, v, m.from.VersionID)
	if errors.Is(err, versions.ErrExists) { // an earlier try stored another value: that one counts
		return m.stored(ctx)
	}
	return v, err
}

// mustBeNew fails if the version is there before anybody intended it: it is an earlier rotation's, of the same name.
func (m *maker) mustBeNew(ctx context.Context) error {
	if m.Capable.MadeByHand() {
		return nil
	}
	exists, err := m.Exists(ctx, m.version)
	if err != nil || !exists {
		return err
	}
	return failure.New(failure.Precondition, "version %s was stored before this rotation began: its secret must not come back; "+
		"start an execution with another name", m.version)
}

// clocks is how far those of Secrets Manager and of a function may differ.
const clocks = time.Minute

// stored is the value that this rotation has stored for the version. One that is older than the intent is an earlier
// rotation's, of the same name: it may have leaked, and was removed.
func (m *maker) stored(ctx context.Context) (secret.Value, error) {
	t, err := m.Store.Text(ctx, m.version)
	if err != nil {
		return secret.Value{}, err
	}
	intended := m.journal.Secrets[m.version].At
	if !m.Capable.MadeByHand() && !t.Created.IsZero() && t.Created.Add(clocks).Before(intended) {
		return secret.Value{}, failure.New(failure.Precondition, "version %s was stored at %s, before this rotation began at %s: its secret must not come back; "+
			"start an execution with another name", m.version, rotation.Timestamp(t.Created), rotation.Timestamp(intended))
	}
	return m.Value(ctx, m.version)
}

// makeTheirs takes the value that the provider makes. A lost reply loses the value for good, so what such a try left is
// removed, by its tag, before the next.
func (m *maker) makeTheirs(ctx context.Context) (idp.Created, error) {
	if err := m.quiet(ctx); err != nil {
		return idp.Created{}, err
	}
	r := idp.CreateRequest{Tag: m.version, Asked: !m.journal.Secrets[m.version].Asked.IsZero()}
	id, err := m.lost(ctx)
	if err != nil {
		return idp.Created{}, err
	}
	if id != "" {
		_, err := m.stored(ctx)
		if err == nil {
			return idp.Created{ID: id}, nil // stored, only the journal was not written
		}
		if !errors.Is(err, versions.ErrNotFound) {
			return idp.Created{}, err
		}
		if r.Adopt, err = m.undo(ctx, id); err != nil {
			return idp.Created{}, err
		}
	}
	made, err := m.ask(ctx, r)
	if err != nil {
		return idp.Created{}, err
	}
	return made, m.Store.PutPending(ctx, m.version, made.Value, m.from.VersionID)
}

// undo removes what a request without an answer made; kept is true if the provider cannot. Where the request does not name
// what it removes, it is written down first (quiet).
func (m *maker) undo(ctx context.Context, id string) (kept bool, err error) {
	entry := m.journal.Secrets[m.version]
	if !m.Capable.HasIDs() {
		entry.Undone = m.Now()
		m.journal.Secrets[m.version] = entry
		if err := m.Journal.Save(ctx, m.journal); err != nil {
			return false, err
		}
	}
	if err := m.LookAgain(ctx); err != nil {
		return false, err
	}
	err = m.Provider.Remove(ctx, id)
	if kept = errors.Is(err, idp.ErrKept); err != nil && !kept {
		return false, err
	}
	entry.Undone = time.Time{} // answered; written down when the next secret is asked for
	m.journal.Secrets[m.version] = entry
	return kept, nil
}

func contains(listed []idp.Secret, id string) bool {
	return slices.ContainsFunc(listed, func(x idp.Secret) bool { return x.ID == id })
}
