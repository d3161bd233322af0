// Package failure names the ways in which a rotation step can fail. The state machine's Retry and Catch fields match
// these names, so they are part of the contract between the Go code and statemachine/rotation.asl.json: a test of the
// state machine refuses any name that is not in Kinds.
package failure

import (
	"context"
	"errors"
	"fmt"
	"net"
)

// Kind is the name of a failure as the state machine sees it (the errorType of the Lambda's answer).
type Kind string

const (
	// Throttled: a service asked for fewer requests. Nothing has changed; trying again later helps.
	Throttled Kind = "Throttled"
	// Unavailable: no answer, or a 5xx one. The request may or may not have taken effect; trying again helps.
	Unavailable Kind = "Unavailable"
	// Unfinished: the time of a call was over before its work was. What it did is noted, and the next one goes on
	// there.
	Unfinished Kind = "Unfinished"
	// NotYetActive: the identity provider does not accept the new secret yet. Trying again helps, up to a point.
	NotYetActive Kind = "NotYetActive"
	// StillAccepted: the identity provider still accepts a secret that was disabled or removed. Trying again helps.
	StillAccepted Kind = "StillAccepted"
	// LockLost: another execution owns the client's lock. This execution must not touch anything any more.
	LockLost Kind = "LockLost"
	// Superseded: AWSCURRENT is a third version, neither the old nor the new one of this rotation. Somebody else
	// changed the secret: this execution must not touch a target any more, neither forward nor back.
	Superseded Kind = "Superseded"
	// Reconfigured: the client's parameter is gone, or holds the configuration of another client than the one for which
	// this execution began. It must not touch anything any more, neither forward nor back.
	Reconfigured Kind = "Reconfigured"
	// Outdated: what this step rests on was read too long ago, for instance before a redrive. It is read again.
	Outdated Kind = "Outdated"
	// InvalidInput: the execution input or the client configuration is wrong; the text names the field.
	InvalidInput Kind = "InvalidInput"
	// Precondition: something is not as this step needs it; the text says what it is, and what to do.
	Precondition Kind = "Precondition"
	// SecretRefused: the identity provider refuses, several times, a secret that it must accept, while its answers in
	// between are right (the positive control). Trying again does not help unless somebody mends that.
	SecretRefused Kind = "SecretRefused"
	// NotNeeded: a repair was asked for, but the identity provider accepts the secret in use. Nothing was changed.
	NotNeeded Kind = "NotNeeded"
	// TargetDrift: a listener or rule is not, or did not stay, what the client's configuration says.
	TargetDrift Kind = "TargetDrift"
	// SmokeTestFailed: a check through the load balancer, or of a secret, failed.
	SmokeTestFailed Kind = "SmokeTestFailed"
	// IdPRejected: the identity provider refused the request (rights, policy, limits). Trying again does not help.
	IdPRejected Kind = "IdPRejected"
	// AccessDenied: AWS refused the request. Trying again does not help.
	AccessDenied Kind = "AccessDenied"
	// Internal: anything that has no name of its own.
	Internal Kind = "Internal"
)

// Kinds lists every name, transient ones first.
func Kinds() []Kind {
	return []Kind{Throttled, Unavailable, Unfinished, NotYetActive, StillAccepted, LockLost, Superseded, Outdated,
		Reconfigured, InvalidInput, Precondition, SecretRefused, NotNeeded, TargetDrift, SmokeTestFailed, IdPRejected,
		AccessDenied, Internal}
}

// Transient reports whether the same call may succeed later without anybody doing anything.
func (k Kind) Transient() bool {
	switch k {
	case Throttled, Unavailable, Unfinished, NotYetActive, StillAccepted:
		return true
	default:
		return false
	}
}

// Error is a failure of a known kind. Its text never holds a secret or the body of an answer.
type Error struct {
	Kind Kind
	Text string
	Err  error
}

// Error implements error.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Text
	}
	return e.Text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// New returns a failure without a cause.
func New(k Kind, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...)}
}

// Wrap returns a failure with a cause; the cause's own kind no longer counts.
func Wrap(k Kind, err error, format string, args ...any) *Error {
	return &Error{Kind: k, Text: fmt.Sprintf(format, args...), Err: err}
}

// KindOf returns the kind of an error: the outermost Error in its chain decides. A context that ended or a network
// error is Unavailable, anything else Internal.
func KindOf(err error) Kind {
	var f *Error
	if errors.As(err, &f) {
		return f.Kind
	}
	var n net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) || errors.As(err, &n) {
		return Unavailable
	}
	return Internal
}

// Is reports whether err is a failure of kind k.
func Is(err error, k Kind) bool { return err != nil && KindOf(err) == k }
