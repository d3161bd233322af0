package createsecret

import (
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// snapshot is everything that decide looks at, read without changing anything.
type snapshot struct {
	Capable idp.Capabilities
	// Repair: the secret in use is dead, and this one takes its place.
	Repair  bool
	Version string
	// Entry is the version's entry in the journal; its State is "" before the intent.
	Entry journal.Entry
	// Padded is AWSCURRENT's version if it stores the secret in use again with something around it.
	Padded string
	// Missing is the secret to take over, if the identity provider does not list it.
	Missing string
	// Stored: the version is stored, at StoredAt; zero if Secrets Manager does not say.
	Stored   bool
	StoredAt time.Time
	// Ended is when a secret was last removed, or may have been by a request without an answer.
	Ended time.Time
	// Lost is the id of what an unanswered request made; "" if nothing is seen. Undone says that it was removed.
	Lost   string
	Undone bool
	Now    time.Time
}

// step is what to do next.
type step string

const (
	refuse step = "refuse"
	// answer: it is made.
	answer step = "answer"
	// wait, and look again.
	wait step = "wait"
	// intend writes down what is about to happen.
	intend step = "intend"
	// store makes a value and stores it.
	store step = "store"
	// take takes what an unanswered request made.
	take step = "take"
	// undo removes what an unanswered request made: its value is lost.
	undo step = "undo"
	// ask asks the provider for the secret.
	ask step = "ask"
)

// A request that got no answer may still take effect, up to settle after it was made: the longest timeout of a function
// that writes, and 15 s. Asking again before that could make two secrets.
const settle = 75 * time.Second

// clocks is how far the clocks of Secrets Manager and of a function may differ.
const clocks = time.Minute

// decide returns what to do next, and why it refuses or waits. The order matters: it writes nothing before it has ruled
// out every reason against, and asks for no second secret while the first may exist.
func decide(s snapshot) (step, error) {
	if err := s.refusal(); err != nil {
		return refuse, err
	}
	switch {
	case s.Repair && s.Entry.State == journal.Kept: // it is accepted
		return take, nil
	case s.Entry.State == journal.Live: // whether it is listed or not: lists lag, and VerifyNewSecret tries it
		return answer, nil
	case s.mayEnd():
		return wait, failure.New(failure.Unavailable, "a secret was removed at the identity provider %s ago; "+
			"no new one is made before %s are over", s.Now.Sub(s.Ended).Round(time.Second), settle)
	case s.Entry.State == "":
		return intend, nil
	case s.Capable.AcceptsValue && !s.Stored:
		return store, nil
	case s.Lost != "" && s.Stored: // only the journal was not written
		return take, nil
	case s.Lost != "":
		return undo, nil
	case s.mayAppear():
		return wait, failure.New(failure.Unavailable,
			"the identity provider was asked for a secret %s ago and has not answered; "+
				"it is not asked again before %s are over", s.Now.Sub(s.Entry.Asked).Round(time.Second), settle)
	}
	return ask, nil
}

// refusal returns why no secret must be made; nil if nothing speaks against it.
func (s snapshot) refusal() error {
	first := s.Entry.State == ""
	switch {
	case s.Padded != "":
		// if a request ends the secret in use, some providers are told to put AWSCURRENT back: that must be the very
		// secret
		return failure.New(failure.Precondition,
			"AWSCURRENT (version %s) holds the secret in use with white space, quotes or "+
				"a byte order mark around it: store it again without, then start again", s.Padded)
	case s.Entry.State == journal.Removed || s.Entry.State == journal.Kept && !s.Repair:
		return failure.New(failure.Precondition, "version %s was already rolled back; start a new execution", s.Version)
	case s.Capable.MadeByHand(): // the version is there on purpose, however old
	case first && s.Stored: // it is an earlier rotation's, of the same name
		return failure.New(failure.Precondition,
			"version %s was stored before this rotation began: its secret must not come back; "+
				"start an execution with another name", s.Version)
	case s.Entry.State == journal.Intended && s.Stored && !s.StoredAt.IsZero() &&
		s.StoredAt.Add(clocks).Before(s.Entry.At):
		return failure.New(failure.Precondition, "version %s was stored at %s, before this rotation began at %s: "+
			"its secret must not come back; start an execution with another name",
			s.Version, rotation.Timestamp(s.StoredAt), rotation.Timestamp(s.Entry.At))
	}
	if first && s.Missing != "" && !s.Repair {
		return failure.New(failure.Precondition,
			"the identity provider does not list secret %s any more, which the plan found in use", s.Missing)
	}
	return nil
}

// mayEnd reports whether a late request to remove could hit the new secret: where secrets have no ids, it does not name
// what it removes. Our value is stored, and a secret asked for, only after that time.
func (s snapshot) mayEnd() bool {
	return !s.Capable.HasIDs() && (s.Entry.State == "" || !s.Capable.AcceptsValue) && s.Now.Sub(s.Ended) < settle
}

// mayAppear reports whether an earlier request without an answer may still make something.
func (s snapshot) mayAppear() bool {
	return s.seeks() && s.Now.Sub(s.Entry.Asked) < settle
}

// seeks reports whether to look for what an unanswered request made. Where secrets have no ids, making one with the
// same value again makes the same secret.
func (s snapshot) seeks() bool {
	again := s.Capable.AcceptsValue && !s.Capable.HasIDs()
	return s.Entry.State == journal.Intended && !s.Entry.Asked.IsZero() && !s.Undone && !again
}
