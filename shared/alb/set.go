package alb

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
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
	// Undo: the target gets an old secret back. What cannot be written back is then dropped and reported, not refused.
	Undo bool
	// Next is the target that is set right after this one, if there is one: the request that checks this one reads it,
	// too, where it can.
	Next *rotation.Target
	// Read is what the change before has read of this one (Done.Next), or nil.
	Read *Read
	// Look is called right before a write, which it prevents by an error; nil if there is nothing to look at. Reads
	// that are throttled take long.
	Look func(context.Context) error
}

// Read is what was read of a target.
type Read struct {
	target string // its key
	state  *state
	at     time.Time
}

// readLasts is how long a read counts as the first of the two in a row that must agree before a write.
const readLasts = 5 * time.Second

// Result is what became of a target, as in rotation.UpdateOutput.
type Result string

const (
	// Updated: the target has the secret. Its nodes follow within the spread.
	Updated Result = "updated"
	// Gone: the listener or rule does not exist any more.
	Gone Result = "gone"
)

// Done is what SetSecret did.
type Done struct {
	Result Result
	// Notice is what people must know about other hands on the target, or about what was dropped; mostly empty.
	Notice string
	// Next is what was read of Change.Next, for the change of that; nil if nothing was.
	Next *Read
}

// attempts is how often a target is set if other fields of it change meanwhile.
const attempts = 3

// SetSecret puts a client id and its secret on a target and leaves every other field as it is; a repeat sets the same
// again. It writes only what two reads in a row agree on, the second right before the write. If other fields differ
// afterwards, and the target is still the client's, another hand changed them at the same time: SetSecret sets the
// secret again with their present values, and says so in Done. It fails with TargetDrift, before any change, if the
// target is not the registration's or holds what a write would damage; and after one, naming the field, if the target
// did not stay the client's or other fields keep changing. A listener or rule that does not exist is Gone, not an
// error. After Unavailable, the secret may be on the target or not.
func (b *Balancers) SetSecret(ctx context.Context, t rotation.Target, c Change) (Done, error) {
	if c.Secret.IsZero() || c.ClientID == "" {
		return Done{}, failure.New(failure.Internal, "setting the secret of %s: no client id or no secret", t.Name)
	}
	if err := mustBelongTogether(t); err != nil {
		return Done{}, err
	}
	w := &writer{Balancers: b, api: b.waits().reader(config.AccountOf(t.LoadBalancerARN), t.Region),
		target: t}
	for try := 1; ; try++ {
		result, moved, err := w.set(ctx, c)
		if err != nil {
			return Done{}, err
		}
		if moved == "" {
			return Done{Result: result, Notice: strings.Join(w.notices, " "), Next: w.next}, nil
		}
		if try == attempts {
			return Done{}, failure.New(failure.TargetDrift, "%s did not stay as it was when its secret was set: %s is "+
				"different; another hand changes it at the same time: wait until that is done, then try again",
				t.Name, moved)
		}
		c.Read = nil
		w.tell("%s of %s was changed by another hand while its secret was set; both changes are there now, look "+
			"whether they are as you want them.", moved, t.Name)
	}
}

// set makes one attempt. moved is a field that another hand changed meanwhile on a target that is still the client's.
func (w *writer) set(ctx context.Context, c Change) (result Result, moved string, err error) {
	before, err := w.readTwice(ctx, c.Read)
	if err != nil {
		return "", "", err
	}
	if before == nil {
		return Gone, "", nil
	}
	actions, err := withSecret(before.Actions, c)
	if err != nil {
		return "", "", failure.Wrap(failure.TargetDrift, err,
			"%s is not as the client's configuration says, nothing was changed", w.target.Name)
	}
	if err := w.review(before, c); err != nil {
		return "", "", err
	}
	if c.Look != nil {
		if err := c.Look(ctx); err != nil {
			return "", "", err
		}
	}
	exists, err := w.write(ctx, actions)
	if err != nil {
		return "", "", err
	}
	if !exists {
		return Gone, "", nil
	}
	before.Actions = withClientID(before.Actions, c)
	return w.verify(ctx, before, c)
}

// review refuses a write that would damage something, or only reports it where an old secret must come back in any
// case.
func (w *writer) review(before *state, c Change) error {
	damage := c.Registration.describeDamage(before.unknown, before.Actions)
	switch {
	case damage != "" && !c.Undo:
		return failure.New(failure.TargetDrift, "%s %s; nothing was changed", w.target.Name, damage)
	case damage != "":
		w.tell("%s got the old secret back, though it %s. Look at it.", w.target.Name, damage)
	case len(before.unknown) > 0:
		w.tell("%s was dropped from %s, as acceptElements says.", strings.Join(before.unknown, ", "), w.target.Name)
	}
	return nil
}

// writer changes one target.
type writer struct {
	*Balancers
	api    API
	target rotation.Target
	// notices are told to people.
	notices []string
	// next is what was read of Change.Next.
	next *Read
}

func (w *writer) tell(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(w.notices, text) {
		w.notices = append(w.notices, text)
	}
}

// state is everything of a target that could be changed by mistake. Its field names appear in errors.
type state struct {
	Actions  []types.Action
	Rule     types.Rule
	Listener types.Listener
	// unknown are the names of elements of Actions that cannot be written.
	unknown []string
}

// read reads the target's present state; nil if it does not exist.
func (w *writer) read(ctx context.Context) (*state, error) {
	states, err := w.readAll(ctx, w.target)
	if missing(err) {
		return nil, nil
	}
	return states[w.target.Key()], awserr.Wrap(err, "reading %s", w.target.Name)
}

// readAll reads targets by one request; they are all rules, or all listeners. One that does not exist fails it, or is
// left out.
func (w *writer) readAll(ctx context.Context, targets ...rotation.Target) (map[string]*state, error) {
	unknown, found := unknownElements{}, map[string]*state{}
	arns := make([]string, len(targets))
	for i, t := range targets {
		arns[i] = cmp.Or(t.RuleARN, t.ListenerARN)
	}
	if w.target.RuleARN != "" {
		out, err := w.api.DescribeRules(ctx, &elasticloadbalancingv2.DescribeRulesInput{RuleArns: arns},
			unknown.collect)
		if err != nil {
			return nil, err
		}
		for _, r := range out.Rules {
			s := &state{Actions: r.Actions, Rule: r, unknown: unknown[aws.ToString(r.RuleArn)]}
			s.Rule.Actions, found[aws.ToString(r.RuleArn)] = nil, s
		}
	} else {
		out, err := w.api.DescribeListeners(ctx, &elasticloadbalancingv2.DescribeListenersInput{ListenerArns: arns},
			unknown.collect)
		if err != nil {
			return nil, err
		}
		for _, l := range out.Listeners {
			s := &state{Actions: l.DefaultActions, Listener: l, unknown: unknown[aws.ToString(l.ListenerArn)]}
			s.Listener.DefaultActions, found[aws.ToString(l.ListenerArn)] = nil, s
		}
	}
	states := map[string]*state{}
	for i, t := range targets {
		if s := found[arns[i]]; s != nil {
			states[t.Key()] = s
		}
	}
	return states, nil
}

// readWithNext reads the target after its write, and the next one by the same request, if both are alike. If either is
// missing, it reads the target alone.
func (w *writer) readWithNext(ctx context.Context, next *rotation.Target) (*state, error) {
	w.next = nil
	account := config.AccountOf(w.target.LoadBalancerARN)
	if next == nil || next.Key() == w.target.Key() || (next.RuleARN == "") != (w.target.RuleARN == "") ||
		next.Region != w.target.Region || config.AccountOf(next.LoadBalancerARN) != account ||
		mustBelongTogether(*next) != nil {
		return w.readSettled(ctx)
	}
	states, err := w.readAll(ctx, w.target, *next)
	if missing(err) || err == nil && len(states) < 2 {
		return w.readSettled(ctx)
	}
	if err != nil {
		return nil, awserr.Wrap(err, "reading %s", w.target.Name)
	}
	w.next = &Read{target: next.Key(), state: states[next.Key()], at: w.now()}
	return states[w.target.Key()], nil
}

// readSettled is read for decisions: several reads must say that a target is gone, because one that was made seconds
// ago may be missing from some answers.
func (w *writer) readSettled(ctx context.Context) (*state, error) {
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

// readTwice returns what two reads in a row agree on; nil if the target does not exist. The first may have been made
// already. If another hand changes it in between, it reads again, and fails with Unavailable, before any change, if no
// two reads agree.
func (w *writer) readTwice(ctx context.Context, made *Read) (first *state, err error) {
	if made != nil && made.target == w.target.Key() && w.now().Sub(made.at) < readLasts {
		first = made.state
	} else if first, err = w.readSettled(ctx); err != nil || first == nil {
		return nil, err
	}
	for try := 0; ; try++ {
		second, err := w.readSettled(ctx)
		if err != nil || second == nil {
			return nil, err
		}
		field := findDifference("", reflect.ValueOf(*first), reflect.ValueOf(*second))
		if field == "" && slices.Equal(first.unknown, second.unknown) {
			return second, nil
		}
		again, err := w.pause(ctx, try)
		if err != nil {
			return nil, err
		}
		if !again {
			return nil, failure.New(failure.Unavailable,
				"%s of %s is being changed by another hand, and no two reads agree; "+
					"nothing was changed", cmp.Or(field, "an unknown element"), w.target.Name)
		}
		first = second
	}
}

// write replaces the target's actions; exists is false if the target is gone. It sends nothing else, so nothing else
// changes: neither a rule's conditions and transforms, nor a listener's port, protocol, certificate and policies.
func (w *writer) write(ctx context.Context, actions []types.Action) (exists bool, err error) {
	if w.target.RuleARN != "" {
		_, err = w.api.ModifyRule(ctx, &elasticloadbalancingv2.ModifyRuleInput{RuleArn: &w.target.RuleARN,
			Actions: actions})
	} else {
		_, err = w.api.ModifyListener(ctx, &elasticloadbalancingv2.ModifyListenerInput{
			ListenerArn: &w.target.ListenerARN, DefaultActions: actions})
	}
	if missing(err) {
		return false, nil
	}
	return err == nil, awserr.Wrap(err, "setting the secret of %s", w.target.Name)
}

// verify compares the target with what it should be. A difference counts only if it stays, because the first reads may
// still show the target as it was. moved is then the field, if the target is still the client's with the client id that
// it got; else verify fails with TargetDrift.
func (w *writer) verify(ctx context.Context, want *state, c Change) (result Result, moved string, err error) {
	for try := 0; ; try++ {
		got, err := w.readWithNext(ctx, c.Next)
		if err != nil {
			return "", "", err
		}
		if got == nil {
			return Gone, "", nil
		}
		field := findDifference("", reflect.ValueOf(*want), reflect.ValueOf(*got))
		if field == "" {
			return Updated, "", nil
		}
		again, err := w.pause(ctx, try)
		if err != nil {
			return "", "", err
		}
		if again {
			continue
		}
		if !isSet(got.Actions, c) {
			return "", "", failure.New(failure.TargetDrift,
				"%s did not stay as it was when its secret was set: %s is different; "+
					"another change was made at the same time, look at it before trying again", w.target.Name, field)
		}
		return Updated, field, nil
	}
}

// isSet reports whether the actions log in with the client and the client id of c. No answer tells which secret they
// have.
func isSet(actions []types.Action, c Change) bool {
	return slices.ContainsFunc(actions, func(a types.Action) bool {
		o := a.AuthenticateOidcConfig
		return o != nil && c.Registration.uses(o) && aws.ToString(o.ClientId) == c.ClientID
	})
}
