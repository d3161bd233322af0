package conformance

import (
	"alboidc.internal/shared/failure"
	"context"
	"errors"
	"fmt"
	"slices"
)

// refusals are the faults without effect, each with the operations that it concerns.
func refusals() []refusal {
	return []refusal{
		{Throttle, failure.Throttled, everything, "throttled, %s says so and has no effect"},
		{Break, failure.Unavailable, everything, "answered with a server error, %s is unavailable and has no effect"},
		{Forbid, failure.IdPRejected, everything, "forbidden, %s is rejected and has no effect"},
		{Hang, failure.Unavailable, everything, "without an answer, %s ends with its context and has no effect"},
		// the others need no body to know that they succeeded
		{Garble, failure.Unavailable, []Operation{Check, List, Create}, "answered with nonsense, %s is unavailable"},
		{Misshape, failure.Unavailable, []Operation{Check, List, Create},
			"answered with other JSON, %s is unavailable"},
		{Lock, failure.Throttled, everything, "locked out, %s says so and has no effect"},
		{Doubt, failure.Unavailable, everything, "answered with a failed dependency, %s is unavailable"},
		{Block, failure.Unavailable, everything, "blocked on the way, %s is unavailable, not refused"},
		{Portal, failure.Unavailable, everything, "answered on the way, %s is unavailable, not done"},
	}
}

type refusal struct {
	fault Fault
	want  failure.Kind
	ops   []Operation
	name  string
}

// NeedsNoRequest are the exceptions of a provider that carries an operation out without asking the vendor, whose faults
// so do not concern it.
func NeedsNoRequest(op Operation, reason string) map[string]string {
	out := map[string]string{}
	for _, r := range refusals() {
		if slices.Contains(r.ops, op) {
			out[fmt.Sprintf(r.name, op)] = reason
		}
	}
	if op == Remove || op == Disable || op == Enable {
		out[fmt.Sprintf(lostReply, article[op])] = reason
	}
	return out
}

// lostReply is the name of a rule about a method, with its article.
const lostReply = "%s whose reply was lost can be repeated"

var article = map[Operation]string{Remove: "a remove", Disable: "a disable", Enable: "an enable"}

// faultRules are the rules for bad days: every operation with every fault that concerns it.
func faultRules() []Rule {
	var out []Rule
	for _, r := range refusals() {
		for _, op := range r.ops {
			out = append(out, Rule{fmt.Sprintf(r.name, op), true, func(ctx context.Context, c *client) error {
				return refuseOperation(ctx, c, op, r.fault, r.want)
			}})
		}
	}
	for _, op := range []Operation{Remove, Disable, Enable} {
		out = append(out, Rule{fmt.Sprintf(lostReply, article[op]), false, loseReply(op)})
	}
	return append(out, Rule{RuleLostCreate, false, lostCreate})
}

var everything = []Operation{Check, List, Create, Remove, Disable, Enable}

// givenUp is a context whose deadline is the moment at which a request hangs. Real time would not do: on a busy machine
// the request may still be on its way, and would reach a vendor that does not hang any more.
type givenUp struct {
	context.Context
	at <-chan struct{}
}

func (c givenUp) Done() <-chan struct{} { return c.at }

func (c givenUp) Err() error {
	select {
	case <-c.at:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// refuseOperation carries an operation out against a fault that has no effect, and again after it.
func refuseOperation(ctx context.Context, c *client, op Operation, f Fault, want failure.Kind) error {
	call, err := prepare(ctx, c, op)
	if err != nil || call == nil {
		return err
	}
	before := c.snapshot()
	c.backend.Break(op, f)
	faulty := ctx
	if f == Hang {
		faulty = givenUp{ctx, c.backend.Hanging()}
	}
	err = call(faulty)
	if !failure.Is(err, want) {
		return fmt.Errorf("%s: %v (%s), want %s", op, err, failure.KindOf(err), want)
	}
	if f == Hang && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%s: %v does not wrap the end of the context", op, err)
	}
	c.backend.Break(op, None)
	if op == Remove && c.capabilities().CanDisable {
		// a vendor may demand that a secret is disabled first: a failed Remove must leave it so that it comes back
		if err := c.enable(ctx, c.id); err != nil {
			return fmt.Errorf("at Enable after a failed Remove: %w", err)
		}
	}
	if f != Garble && f != Misshape {
		if err := c.unchanged(before); err != nil {
			return err
		}
	}
	if err := call(ctx); err != nil {
		return fmt.Errorf("%s after the fault is over: %w", op, err)
	}
	return nil
}

// prepare brings a client to where an operation can succeed; the call is nil if the vendor has no such operation.
func prepare(ctx context.Context, c *client, op Operation) (func(context.Context) error, error) {
	switch op {
	case Check:
		return c.check, nil
	case List:
		return func(ctx context.Context) error { _, err := c.list(ctx); return err }, nil
	case Create:
		return func(ctx context.Context) error { _, err := c.create(ctx); return err }, nil
	}
	if op != Remove && !c.capabilities().CanDisable {
		return nil, nil
	}
	made, err := c.create(ctx)
	if err != nil {
		return nil, fmt.Errorf("at Create: %w", err)
	}
	c.promote(made.ID)
	call := c.remove
	switch op {
	case Disable:
		call = c.disable
	case Enable:
		call = c.enable
		if err := c.disable(ctx, c.id); err != nil {
			return nil, fmt.Errorf("at Disable: %w", err)
		}
	}
	return func(ctx context.Context) error { return call(ctx, c.id) }, nil
}

// lostCreate is the case that idempotency is about: the secret exists, and nobody was told.
func lostCreate(ctx context.Context, c *client) error {
	c.backend.Break(Create, LoseReply)
	_, err := c.create(ctx)
	if !failure.Is(err, failure.Unavailable) {
		return fmt.Errorf("at Create without a reply: %v, want %s", err, failure.Unavailable)
	}
	list, err := c.list(ctx)
	if err != nil {
		return fmt.Errorf("at List: %w", err)
	}
	if len(list) != 2 {
		return fmt.Errorf("%d secrets are listed, want 2: a create is made exactly once", len(list))
	}
	for _, s := range list {
		if s.ID == c.id {
			continue
		}
		if c.capabilities().KeepsTag && s.Tag != c.tag {
			return fmt.Errorf("the lost secret has the tag %q", s.Tag)
		}
		if c.capabilities().AcceptsValue && !c.backend.Accepts(c.values[len(c.values)-1]) {
			return fmt.Errorf("the lost secret's value is not accepted")
		}
		if c.capabilities().HasIDs() {
			return c.remove(ctx, s.ID)
		}
	}
	return nil
}

// loseReply carries an operation out without an answer, and again with one.
func loseReply(op Operation) func(context.Context, *client) error {
	return func(ctx context.Context, c *client) error {
		call, err := prepare(ctx, c, op)
		if err != nil || call == nil {
			return err
		}
		c.backend.Break(op, LoseReply)
		if err := call(ctx); !failure.Is(err, failure.Unavailable) {
			return fmt.Errorf("%s without a reply: %v, want %s", op, err, failure.Unavailable)
		}
		c.backend.Break(op, None)
		if err := call(ctx); err != nil {
			return fmt.Errorf("%s again: %w", op, err)
		}
		if got := c.backend.Accepts(c.value); got != (op == Enable) {
			return fmt.Errorf("after %s the secret's being accepted is %t", op, got)
		}
		if op == Remove && slices.Contains(c.backend.IDs(), c.id) {
			return fmt.Errorf("secret %s is still there", c.id)
		}
		return nil
	}
}
