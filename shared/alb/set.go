package alb

import (
	"context"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// Change is what to put on a target.
type Change struct {
	// Registration is what the target must log in with now. The secret goes to no other registration.
	Registration Registration
	// ClientID and Secret are what it gets.
	ClientID string
	Secret   secret.Value
}

// Result is what became of a target, as rotation.UpdateOutput tells it.
type Result string

const (
	// Updated: the target has the secret. Its nodes follow within the spread.
	Updated Result = "updated"
	// Gone: the listener or rule does not exist any more.
	Gone Result = "gone"
)

// SetSecret puts a client id and its secret on a target and leaves every other field as it is. A repeat sets the same
// again. It refuses, as TargetDrift, a target whose issuer, client id or token endpoint are not those of c; nothing was changed then. It
// is TargetDrift, too, if any other field is different afterwards; the text names the field. A listener or rule that does
// not exist is Gone, not an error. On Unavailable the secret may be on the target or not.
func (b *Balancers) SetSecret(ctx context.Context, t rotation.Target, c Change) (Result, error) {
	if c.Secret.IsZero() || c.ClientID == "" {
		return "", failure.New(failure.Internal, "setting the secret of %s: no client id or no secret", t.Name)
	}
	w := &writer{Balancers: b, api: b.client(t.Region), target: t}
	before, err := w.settled(ctx)
	if err != nil {
		return "", err
	}
	if before == nil {
		return Gone, nil
	}
	actions, err := withSecret(before.Actions, c)
	if err != nil {
		return "", failure.Wrap(failure.TargetDrift, err, "%s is not as the client's configuration says, nothing was changed", t.Name)
	}
	exists, err := w.write(ctx, actions)
	if err != nil {
		return "", err
	}
	if !exists {
		return Gone, nil
	}
	before.Actions = withClientID(before.Actions, c)
	return w.verify(ctx, before)
}

// writer changes one target.
type writer struct {
	*Balancers
	api    API
	target rotation.Target
}

// state is all of a target that could be changed by mistake. Its field names show in errors.
type state struct {
	Actions  []types.Action
	Rule     types.Rule
	Listener types.Listener
}

// read is the target's present state; nil if it does not exist.
func (w *writer) read(ctx context.Context) (*state, error) {
	var s *state
	var err error
	if w.target.RuleARN != "" {
		s, err = w.readRule(ctx)
	} else {
		s, err = w.readListener(ctx)
	}
	if missing(err) {
		return nil, nil
	}
	return s, awserr.Wrap(err, "reading %s", w.target.Name)
}

func (w *writer) readRule(ctx context.Context) (*state, error) {
	out, err := w.api.DescribeRules(ctx, &elasticloadbalancingv2.DescribeRulesInput{RuleArns: []string{w.target.RuleARN}})
	if err != nil || len(out.Rules) == 0 {
		return nil, err
	}
	s := &state{Actions: out.Rules[0].Actions, Rule: out.Rules[0]}
	s.Rule.Actions = nil
	return s, nil
}

func (w *writer) readListener(ctx context.Context) (*state, error) {
	out, err := w.api.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{ListenerArns: []string{w.target.ListenerARN}})
	if err != nil || len(out.Listeners) == 0 {
		return nil, err
	}
	s := &state{Actions: out.Listeners[0].DefaultActions, Listener: out.Listeners[0]}
	s.Listener.DefaultActions = nil
	return s, nil
}

// settled is read for a decision: that a target is gone must be the answer of several reads, because one that was made
// seconds ago may be missing from some.
func (w *writer) settled(ctx context.Context) (*state, error) {
	for try := 0; ; try++ {
		s, err := w.read(ctx)
		if err != nil || s != nil {
			return s, err
		}
		if again, err := w.pause(ctx, try); err != nil || !again {
			return nil, err
		}
	}
}

// write replaces the target's actions; false if the target does not exist any more. Nothing else is sent, so nothing
// else changes: conditions and transforms of a rule, port, protocol, certificate and policies of a listener.
func (w *writer) write(ctx context.Context, actions []types.Action) (exists bool, err error) {
	if w.target.RuleARN != "" {
		_, err = w.api.ModifyRule(ctx, &elasticloadbalancingv2.ModifyRuleInput{RuleArn: &w.target.RuleARN, Actions: actions})
	} else {
		_, err = w.api.ModifyListener(ctx, &elasticloadbalancingv2.ModifyListenerInput{
			ListenerArn: &w.target.ListenerARN, DefaultActions: actions})
	}
	if missing(err) {
		return false, nil
	}
	return err == nil, awserr.Wrap(err, "setting the secret of %s", w.target.Name)
}

// verify compares what the target is now with what it should be. A difference counts only if it stays: the first reads
// may still show the target as it was.
func (w *writer) verify(ctx context.Context, want *state) (Result, error) {
	for try := 0; ; try++ {
		got, err := w.settled(ctx)
		if err != nil {
			return "", err
		}
		if got == nil {
			return Gone, nil
		}
		field := difference("", reflect.ValueOf(*want), reflect.ValueOf(*got))
		if field == "" {
			return Updated, nil
		}
		again, err := w.pause(ctx, try)
		if err != nil {
			return "", err
		}
		if !again {
			return "", failure.New(failure.TargetDrift, "%s did not stay as it was when its secret was set: %s is different; "+
				"another change was made at the same time, look at it before trying again", w.target.Name, field)
		}
	}
}
