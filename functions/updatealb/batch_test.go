package updatealb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// several are the listener's default action and rules beside it.
func several(w *fakes.World, rules int) []rotation.Target {
	w.ALB.AddRules(rules)
	out := []rotation.Target{target}
	for n := range rules {
		t := target
		t.RuleARN = fmt.Sprintf("%s/%d", strings.Replace(fakes.Listener, ":listener/", ":listener-rule/", 1), n+2)
		t.Name = fmt.Sprintf("orders-alb :443 rule %d", n+1)
		out = append(out, t)
	}
	return out
}

func TestACallSetsSeveralTargets(t *testing.T) {
	t.Parallel()
	byHand := func(w *fakes.World) {
		w.Now = w.Now.Add(6 * time.Second)
		w.Secrets.Add("by-hand", fakes.Mark+"-by-hand", "AWSCURRENT")
	}
	throttled := func(w *fakes.World, op string, n int) {
		for range n {
			w.Fail(op, failure.New(failure.Throttled, "not now"))
		}
	}
	for name, c := range map[string]struct {
		rules   int
		undo    bool
		prepare func(*fakes.World)
		kind    failure.Kind
		writes  int // that took effect
	}{
		"all": {rules: 3, writes: 4},
		"throttled now and then": {rules: 3, writes: 4, prepare: func(w *fakes.World) {
			throttled(w, "ModifyListener", 2)
			throttled(w, "ModifyRule", 3)
		}},
		"throttled all the time": {rules: 9, undo: true, kind: failure.Throttled,
			prepare: func(w *fakes.World) {
				throttled(w, "Modify", 100)
				began := w.Now
				t.Cleanup(func() {
					if took := w.Now.Sub(began); took > 20*time.Second {
						t.Errorf("it took %s", took)
					}
				})
			}},
		"too many": {rules: rotation.TargetsPerCall, kind: failure.InvalidInput},
		"the first fails on the way forward: the others wait": {rules: 3, kind: failure.Throttled,
			prepare: func(w *fakes.World) { throttled(w, "ModifyListener", 5) }},
		"the first fails in a rollback: the others come first": {rules: 3, undo: true, kind: failure.Throttled,
			writes: 3, prepare: func(w *fakes.World) { throttled(w, "ModifyListener", 5) }},
		"what passes by itself counts": {rules: 1, undo: true, kind: failure.Throttled,
			prepare: func(w *fakes.World) {
				w.Fail("ModifyListener", failure.New(failure.AccessDenied, "never"))
				throttled(w, "ModifyRule", 5)
			}},
		"what passes by itself counts, also before another": {rules: 1, undo: true, kind: failure.Throttled,
			prepare: func(w *fakes.World) {
				throttled(w, "ModifyListener", 5)
				w.Fail("ModifyRule", failure.New(failure.AccessDenied, "never"))
			}},
		"what never passes is not forgotten": {rules: 1, undo: true, kind: failure.AccessDenied, writes: 1,
			prepare: func(w *fakes.World) {
				w.Fail("ModifyListener", failure.New(failure.AccessDenied, "never"))
			}},
		"AWSCURRENT moves while throttled, in a rollback": {rules: 3, undo: true, kind: failure.Unavailable,
			prepare: func(w *fakes.World) {
				w.Before("DescribeListeners", func() { byHand(w) })
				throttled(w, "ModifyListener", 1)
			}},
		"AWSCURRENT moves while a target is read": {rules: 3, kind: failure.Unavailable,
			prepare: func(w *fakes.World) { w.Before("DescribeListeners", func() { byHand(w) }) }},
		"AWSCURRENT moves while a target is read, in a rollback": {rules: 3, undo: true, kind: failure.Unavailable,
			prepare: func(w *fakes.World) { w.Before("DescribeListeners", func() { byHand(w) }) }},
		"AWSCURRENT moves in between": {rules: 3, kind: failure.Unavailable, writes: 1,
			prepare: func(w *fakes.World) { w.Before("ModifyListener", func() { byHand(w) }) }},
		"AWSCURRENT moves in between, in a rollback": {rules: 3, undo: true, kind: failure.Unavailable, writes: 1,
			prepare: func(w *fakes.World) { w.Before("ModifyListener", func() { byHand(w) }) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			targets := several(w, c.rules)
			if c.prepare != nil {
				c.prepare(w)
			}
			got, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, rotation.UpdateInput{
				Common: w.Common(), Targets: targets, Undo: c.undo, From: rotation.Ref{VersionID: fakes.Old},
				To: rotation.Ref{VersionID: newer}, Proven: rotation.Timestamp(w.Now)})
			if (err != nil) != (c.kind != "") || err != nil && failure.KindOf(err) != c.kind {
				t.Errorf("it ends with %v, must with %q", err, c.kind)
			}
			if err == nil && len(got.Targets) != len(targets) {
				t.Errorf("the answer is %+v", got)
			}
			if writes := w.Writes(); len(writes) != c.writes {
				t.Errorf("the writes were %q", writes)
			}
		})
	}
}
