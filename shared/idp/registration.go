package idp

import (
	"context"
	"time"

	"alboidc.internal/shared/secret"
)

// Registration is what all kinds of identity provider have in common. A Provider is one; so is a PreviousKeeper or a
// Setter, which manage registrations whose secrets have no ids, and which package withoutids turns into a Provider.
type Registration interface {
	// Capabilities is what the provider can do.
	Capabilities() Capabilities
	// Check is that of Provider.
	Check(ctx context.Context) error
}

// Slots are the secrets of a CurrentPrevious registration.
type Slots struct {
	// Readable: the provider shows the values. If not, everything else here is zero.
	Readable bool
	Current  secret.Value
	// CurrentUntil is when the current secret ends by itself; zero if it does not.
	CurrentUntil time.Time
	// Previous is zero if there is none, or none that is still accepted.
	Previous secret.Value
	// PreviousUntil is when the previous secret ends by itself; zero if it does not.
	PreviousUntil time.Time
	// PreviousUsed is when a client last authenticated with the previous secret; zero if nobody knows.
	PreviousUsed time.Time
}

// PreviousKeeper is a registration with a slot for the current secret and one for the previous (model CurrentPrevious).
// Errors are those of Provider. No method repeats a request that may have taken effect.
type PreviousKeeper interface {
	Registration
	// Slots reads the secrets. It changes nothing.
	Slots(ctx context.Context) (Slots, error)
	// Shift makes a new current secret and keeps the one that was current as the previous, for as long as the provider
	// allows. What was the previous is gone. A repeat shifts again: callers look at Slots first.
	Shift(ctx context.Context) (secret.Value, error)
	// Restore makes a value the current secret and ends every other. A repeat changes nothing more. ErrKept if the
	// provider takes no values from outside.
	Restore(ctx context.Context, v secret.Value) error
}

// EndedShifter is implemented by PreviousKeepers whose Shift refuses a current secret that is not accepted any more.
type EndedShifter interface {
	// ShiftEnded is Shift where nothing of the current secret has to be kept. The provider may keep it all the same.
	ShiftEnded(ctx context.Context) (secret.Value, error)
}

// PreviousDropper is a PreviousKeeper that shows its secrets (Slots.Readable). Where they are not shown, the secret in
// use may be among the previous ones, so only Restore ends these.
type PreviousDropper interface {
	PreviousKeeper
	// DropPrevious ends the previous secret. If there is none, that is success.
	DropPrevious(ctx context.Context) error
}

// Setter is a registration with one slot (model SingleSlot). Errors are those of Provider.
type Setter interface {
	Registration
	// Set makes a value the only secret. A repeat sets the same.
	Set(ctx context.Context, v secret.Value) error
}

// ShiftReviewer is implemented by PreviousKeepers that can tell, before a shift, whether the provider would keep the
// secret in use and how long.
type ShiftReviewer interface {
	// ReviewShift reads what concerns a shift, and nothing that concerns a registration of a pair or one that is
	// overwritten. It changes nothing.
	ReviewShift(ctx context.Context) (Review, error)
}

// SetReviewer is implemented by Setters that can tell, before a value is set, whether that would last.
type SetReviewer interface {
	// ReviewSet reads what concerns a registration of a pair, or one that is overwritten in place. It changes nothing.
	ReviewSet(ctx context.Context) (Review, error)
}

// TraitsReporter is implemented by Setters that can tell what two registrations of a pair must have in common.
type TraitsReporter interface {
	// Traits are what a registration is set to, by the provider's name of the setting: callbacks, grants,
	// authentication method and the like, in a form in which equal means equal. It changes nothing.
	Traits(ctx context.Context) (map[string]string, error)
}
