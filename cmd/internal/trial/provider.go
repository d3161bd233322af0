package trial

import (
	"context"
	"encoding/json"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/conformance"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// wired invokes the function, and loses the answers to what is to be lost.
func (r *run) wired(ctx context.Context, request []byte) ([]byte, error) {
	answer, err := r.Invoke(ctx, request)
	var asked lambda.Request
	if json.Unmarshal(request, &asked) == nil && !asked.Reads() {
		r.changed = true
		if r.lose[asked.Operation] {
			return nil, failure.New(failure.Unavailable, "the answer was lost on purpose")
		}
	}
	return answer, err
}

// Break implements conformance.Backend and SlotVendor. Of the faults only a lost answer is about the function.
func (r *run) Break(op conformance.Operation, f conformance.Fault) {
	for _, operation := range carriers[op] {
		r.lose[operation] = f == conformance.LoseReply
	}
}

// carriers are the function's operations that carry one of the suite's out.
var carriers = map[conformance.Operation][]string{conformance.Create: {"create", "set"},
	conformance.Remove: {"remove", "set"}, conformance.Disable: {"disable"}, conformance.Enable: {"enable", "set"}}

// Hanging implements conformance.Backend and SlotVendor.
func (r *run) Hanging() <-chan struct{} { return nil }

func (r *run) know(v secret.Value) {
	if !v.IsZero() {
		r.known = append(r.known, v)
	}
}

// accepts asks the token endpoint, after the time that a change takes. A refusal is asked for twice.
func (r *run) accepts(ctx context.Context, clientID string, v secret.Value) bool {
	if r.changed && r.can.ActivationSeconds > 0 {
		_ = r.Sleep(ctx, time.Duration(r.can.ActivationSeconds)*time.Second)
	}
	r.changed = false
	spec := r.capabilities().Probe
	for range 2 {
		verdict, err := r.Ask(ctx, clientID, spec, v)
		switch {
		case err != nil:
			r.doubt = failure.Wrap(failure.KindOf(err), err,
				"whether the token endpoint accepts a secret cannot be told")
			return false
		case verdict.Outcome == probe.Inconclusive:
			r.doubt = failure.New(failure.Unavailable,
				"whether the token endpoint accepts a secret cannot be told (%s): "+
					"are probe.accepted and probe.rejected its error codes?", verdict.Reason)
			return false
		case verdict.Outcome == probe.Accepted:
			return true
		}
	}
	return false
}

// slots are the secrets of clients whose secrets have no ids.
type slots struct {
	*run
	ctx context.Context //nolint:containedctx // of one case
}

// Live implements conformance.SlotVendor.
func (s *slots) Live(clientID string) (out []secret.Value) {
	for _, v := range s.known {
		if s.accepts(s.ctx, clientID, v) {
			out = append(out, v)
		}
	}
	return out
}

// keeper tells the trial of every value that is stored.
type keeper struct {
	*conformance.Versions
	run *run
}

// Store implements conformance.Keeper.
func (k *keeper) Store(version string, v secret.Value) {
	k.run.know(v)
	k.Versions.Store(version, v)
}

// named is a client whose secrets have ids.
type named struct {
	*run
	ctx   context.Context //nolint:containedctx // of one case
	id    string
	value secret.Value
}

// Current implements conformance.Backend.
func (n *named) Current() (string, secret.Value) { return n.id, n.value }

// Accepts implements conformance.Backend.
func (n *named) Accepts(v secret.Value) bool { return n.accepts(n.ctx, n.Client.ClientID, v) }

// IDs implements conformance.Backend.
func (n *named) IDs() (out []string) {
	list, err := n.registration(n.Client.ClientID, n.Invoke).(idp.Provider).List(n.ctx)
	if err != nil {
		n.doubt = err
	}
	for _, s := range list {
		out = append(out, s.ID)
	}
	return out
}

// fresh leaves each client with one secret, which is new; of a second one nobody knows it.
func (r *run) fresh(ctx context.Context) (id string, v secret.Value, err error) {
	r.changed = true
	switch x := r.registration(r.Client.ClientID, r.Invoke).(type) {
	case idp.Provider:
		var made idp.Created
		made, err = conformance.Renew(ctx, x, r.token())
		id, v = made.ID, made.Value
	case idp.PreviousDropper:
		if v, err = r.shiftOrSet(ctx, x); err == nil {
			err = x.DropPrevious(ctx)
		}
	case idp.Setter:
		v, err = conformance.Set(ctx, x)
	}
	if err == nil && r.Second != "" {
		_, err = conformance.Set(ctx, r.registration(r.Second, r.Invoke).(idp.Setter))
	}
	r.know(v)
	return id, v, err
}

func (r *run) shiftOrSet(ctx context.Context, x idp.PreviousDropper) (secret.Value, error) {
	if r.can.TakesValue {
		return conformance.Set(ctx, x.(idp.Setter))
	}
	return x.Shift(ctx)
}

// clean removes what the trial has made, and says what stays.
func (r *run) clean(ctx context.Context) string {
	const nobody = "one secret, which nobody knows: delete the client"
	p, named := r.registration(r.Client.ClientID, r.Invoke).(idp.Provider)
	if !named {
		if _, _, err := r.fresh(ctx); err != nil {
			return "secrets of this trial, because they could not be replaced: delete the client"
		}
		return nobody
	}
	list, err := p.List(ctx)
	for _, s := range list {
		if again := p.Remove(ctx, s.ID); again != nil {
			err = again
		}
	}
	left, again := p.List(ctx)
	switch {
	case again == nil && len(left) == 0:
		return ""
	case again == nil && len(left) == 1: // most providers keep the last
		return nobody
	case again != nil:
		err = again
	}
	return "secrets of this trial, which could not be removed (" + err.Error() + "): delete the client"
}
