package guarantees_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
)

// recorder takes the failures of a life, so that the test can look for a shorter life that fails.
type recorder struct {
	testing.TB
	other *atomic.Int32 // other hands at work: what they cannot do does not happen, and is no failure

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()                           {}
func (r *recorder) Cleanup(f func())                  { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Error(args ...any)                 { r.fail(fmt.Sprint(args...)) }
func (r *recorder) Fatal(args ...any)                 { r.fail(fmt.Sprint(args...)); runtime.Goexit() }
func (r *recorder) Errorf(format string, args ...any) { r.fail(fmt.Sprintf(format, args...)) }
func (r *recorder) Fatalf(format string, args ...any) {
	r.fail(fmt.Sprintf(format, args...))
	runtime.Goexit()
}

func (r *recorder) fail(text string) {
	if r.other.Load() > 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failures) < 8 && !slices.Contains(r.failures, text) {
		r.failures = append(r.failures, text)
	}
}

func (r *recorder) failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

// telling is a life while it is lived.
type telling struct {
	*world
	life   life
	rec    *recorder
	other  atomic.Int32 // other hands at work, whose calls are not those of a rotation
	born   time.Time
	waits  map[string]bool
	names  int
	first  string // what AWSCURRENT was when the chapter began
	story  []string
	counts map[string]int
	ends   map[string]int

	mu         sync.Mutex
	due        []event
	main       string // the name of the chapter's execution
	state      string // which it entered last
	justIn     string // the same, until its next call
	calls      int
	happened   []*kind
	reasserted bool     // old values can no longer be healed
	others     []string // executions that were started meanwhile
	redriven   []string // and earlier ones
	alone      bool     // no other execution may start
	slow       bool     // new secrets are accepted late
	redriveIn  time.Duration
	healed     bool // another execution starts as soon as this one is stopped
	mends      []func()
	executions []string
	timers     context.Context
	endTimers  context.CancelFunc
	timed      sync.WaitGroup
	firing     int           // events that are under way
	calm       *sync.Cond    // of mu: fewer are
	awaited    string        // the execution that is waited for
	held       chan struct{} // after its end no time passes until it is closed
}

// live lives a life in a world of its own.
func live(t testing.TB, l life) *telling {
	r := &telling{life: l, counts: map[string]int{}, ends: map[string]int{}}
	r.calm = sync.NewCond(&r.mu)
	r.rec = &recorder{TB: t, other: &r.other}
	_, _, r.waits = states()
	jitter := rand.New(rand.NewPCG(l.seed, 15)) //nolint:gosec // it must be the same every time
	var mu sync.Mutex
	random := func() float64 { mu.Lock(); defer mu.Unlock(); return jitter.Float64() }
	defer func() {
		for _, f := range slices.Backward(r.rec.cleanups) {
			f()
		}
	}()
	done := make(chan struct{})
	go func() { // a Fatal ends it
		defer close(done)
		r.world = newWorldOn(r.rec, stack.Options{Vendor: l.way.vendor, Random: random}, usual(), l.way.configure,
			func(c *config.Client) { c.SmokeTests.Login = nil })
		r.tolerant = l.way.interrupts
		if k, is := r.Stack.IdP.Vendor().(*keycloaktest.Keycloak); is && r.Config.IsPair() {
			k.SetPolicy(nil) // a policy would end a value that is set
		}
		if l.broken != nil {
			r.define(l.broken(r.present()))
		}
		r.born = r.clock.Now()
		r.Stack.Faults.Observe(r.hearCall)
		r.hooks = append(r.hooks, r.hearState)
		lived := make(chan struct{})
		// busy, so that time passes only where it waits
		r.clock.Go(func() { defer close(lived); r.live() })
		<-lived
	}()
	<-done
	return r
}

func (r *telling) live() {
	atRest := true
	for i, c := range r.life.chapters {
		r.begin(c)
		result := r.run(c)
		r.judge(c, result, atRest)
		r.finish()
		if r.rec.failed() {
			return
		}
		if atRest = !c.goesOn || i == len(r.life.chapters)-1; atRest {
			r.convergeNow()
		}
	}
	r.idle(func() { r.pass(2 * time.Hour) }) // what is still late arrives
	r.atRest()
	r.oneAtATime()
	r.hidden()
}

// idle waits, so that time may pass.
func (r *telling) idle(f func()) { r.clock.Idle(f) }

func (r *telling) tell(format string, args ...any) {
	at := r.clock.Now().Sub(r.born)
	day := at / (24 * time.Hour)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, fmt.Sprintf("day %d, %s: ", day, time.Time{}.Add(at).Format("15:04:05"))+
		fmt.Sprintf(format, args...))
}

func (r *telling) begin(c chapter) {
	r.timers, r.endTimers = context.WithCancel(context.Background())
	r.mu.Lock()
	r.names++
	r.main = fmt.Sprintf("life-%d-%d", r.life.seed, r.names)
	r.state, r.justIn, r.calls, r.reasserted, r.alone, r.redriveIn, r.healed = "", "", 0, false, false, 0, false
	r.happened, r.others, r.redriven, r.mends, r.due = nil, nil, nil, nil, nil
	r.mu.Unlock()
	r.byHand()
	r.first = r.current()
	for _, e := range c.events {
		if e.at.before {
			r.fire(e, seen{})
		}
	}
	r.mu.Lock()
	r.due = slices.DeleteFunc(slices.Clone(c.events), func(e event) bool { return e.at.before })
	r.mu.Unlock()
}

// byHand makes a secret and stores it as AWSPENDING, where only people can make one.
func (r *telling) byHand() {
	if r.life.way.vendor != "manual" || r.labels()["AWSPENDING"] != "" {
		return
	}
	r.names++
	value := fmt.Sprintf("made-by-a-person-for-a-rotation-%08d", r.names)
	r.addSecret(value)
	if _, err := r.StorePending(context.Background(), r.inForm(value)); err != nil {
		r.rec.Fatal(err)
	}
}

// run runs the chapter's execution to its end, and the others that were started meanwhile.
func (r *telling) run(c chapter) asl.Result {
	execution := r.startNamedAs(r.main, c.input)
	r.tell("an execution starts with %s", c.input)
	for _, e := range r.due {
		if e.at.state == "" && e.at.call == 0 {
			r.after(e.at.after, func(ended bool) {
				if !ended {
					r.fire(e, seen{})
				}
			})
		}
	}
	result := r.await(execution)
	r.mu.Lock()
	redriveIn, healed := r.redriveIn, r.healed
	r.mu.Unlock()
	if healed && redriveIn == 0 && result.Status == asl.Aborted {
		if said := r.startOther(`{"client": "orders-web", "reason": "healing"}`); said != "" {
			r.tell("%s", said)
		}
	}
	if redriveIn > 0 && result.Status == asl.Aborted {
		r.idle(func() { r.pass(redriveIn) })
		if _, err := r.sfn().RedriveExecution(context.Background(),
			&sfn.RedriveExecutionInput{ExecutionArn: &execution}); err != nil {
			r.tell("it cannot be redriven: %v", err)
		} else {
			r.tell("it is redriven")
			result = r.await(execution)
		}
	}
	return result
}

// await waits for an execution and tells how it ended.
func (r *telling) await(execution string) (result asl.Result) {
	r.mu.Lock()
	r.awaited, r.held = execution, make(chan struct{})
	held := r.held
	r.mu.Unlock()
	r.idle(func() {
		result = r.wait(execution)
		r.mu.Lock()
		defer r.mu.Unlock()
		for r.firing > 0 { // what ended it is told first
			r.calm.Wait()
		}
	})
	r.mu.Lock()
	r.awaited = ""
	r.mu.Unlock()
	close(held)
	r.tell("%s ends as %s: %s", nameOf(execution), ended(result), text(result.Cause))
	r.mu.Lock()
	r.ends[ended(result)]++
	r.mu.Unlock()
	return result
}

// ended is how an execution ended: its error, or its status.
func ended(r asl.Result) string {
	if r.Status == asl.Failed {
		return text(r.Error)
	}
	return string(r.Status)
}

// after runs f after a while, or when the chapter ends.
func (r *telling) after(d time.Duration, f func(ended bool)) {
	timers := r.timers
	r.timed.Add(1)
	r.clock.Go(func() {
		defer r.timed.Done()
		f(r.clock.Sleep(timers, d) != nil)
	})
}

// judge says whether a chapter's execution may end so. What was at rest and is disturbed once is survived by the same
// execution, and an execution that nothing disturbs succeeds.
func (r *telling) judge(c chapter, result asl.Result, atRest bool) {
	r.mu.Lock()
	others, redriven := r.others, r.redriven
	r.mu.Unlock()
	for _, x := range redriven {
		r.await(x)
	}
	emergencySurvived := true
	for _, o := range others {
		if e := r.await(o); e.Status != asl.Succeeded && text(e.Error) != "LockHeld" {
			emergencySurvived = false
		}
	}
	r.mu.Lock()
	happened := r.happened // also while the others ran
	r.mu.Unlock()
	switch {
	case len(happened) > 1, len(happened) == 1 && !atRest:
	case len(happened) == 0 && result.Status != asl.Succeeded:
		r.rec.Errorf("undisturbed: an execution that nothing disturbed ended as %s", ended(result))
	case !emergencySurvived:
		r.rec.Errorf("once: one disturbance (%s), and an emergency did not succeed", happened[0].name)
	case result.Status == asl.Succeeded, happened[0].any, slices.Contains(happened[0].ends, ended(result)):
	default:
		r.rec.Errorf("once: one disturbance (%s) ended an execution as %s: %s", happened[0].name, ended(result),
			text(result.Cause))
	}
}

// finish ends what goes wrong, and people put right what only they can.
func (r *telling) finish() {
	r.endTimers()
	r.timed.Wait()
	r.mu.Lock()
	r.due = nil
	mends := r.mends
	r.mu.Unlock()
	r.Stack.Faults.Clear()
	for _, mend := range slices.Backward(mends) {
		mend()
	}
}

// convergeNow runs an undisturbed execution, which must put everything right.
func (r *telling) convergeNow() {
	r.mu.Lock()
	r.names++
	name := fmt.Sprintf("life-%d-%d", r.life.seed, r.names)
	r.main = name
	r.mu.Unlock()
	r.byHand()
	r.tell("the next execution starts, undisturbed")
	result := r.await(r.startNamedAs(name, plain))
	if r.life.way.vendor == "manual" {
		if text(result.Error) == "Refused" && strings.Contains(text(result.Cause), "AWSPENDING") {
			r.byHand()
			result = r.await(r.startNamedAs(name+"-again", plain))
		}
		r.removeAllBut(r.current())
	}
	if result.Status != asl.Succeeded {
		r.rec.Fatalf("next: the next execution ended as %s: %s", ended(result), text(result.Cause))
	}
	r.atRest()
}

// startNamedAs starts an execution by a name that is always the same: that of its version follows from it.
func (r *telling) startNamedAs(name, input string) string {
	out, err := r.sfn().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &r.MachineARN,
		Input: &input, Name: &name})
	if err != nil {
		r.rec.Fatalf("starting: %v", err)
	}
	r.mu.Lock()
	r.executions = append(r.executions, *out.ExecutionArn)
	r.mu.Unlock()
	return *out.ExecutionArn
}

// hearState lets happen what is to happen in a state: while it waits, or at its first call.
func (r *telling) hearState(execution string, e stepfunctions.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if execution == r.awaited && (e.ExecutionSucceeded != nil || e.ExecutionFailed != nil ||
		e.ExecutionAborted != nil || e.ExecutionTimedOut != nil) {
		held := r.held
		r.clock.Go(func() { <-held })
	}
	if e.StateEntered == nil || !strings.HasSuffix(execution, ":"+r.main) {
		return
	}
	r.state, r.justIn = e.StateEntered.Name, e.StateEntered.Name
	r.reasserted = r.reasserted || slices.Contains([]string{"ReassertSecret", "RediscoverToRestore",
		"ReassertOldSecret"}, r.state)
	if !r.waits[r.state] {
		return
	}
	for _, e := range r.take(func(m moment) bool { return m.state == r.state }) {
		r.clock.Go(func() { r.fire(e, seen{}) })
	}
}

// ofTests are calls of the test itself.
var ofTests = []string{"StartExecution", "RedriveExecution", "UpdateStateMachine", "DescribeStateMachine"}

// hearCall lets happen what is to happen at a call, before it is carried out.
func (r *telling) hearCall(service, operation, _ string) {
	if r.other.Load() > 0 || service == "states" && slices.Contains(ofTests, operation) {
		return
	}
	r.mu.Lock()
	r.calls++
	in := r.justIn
	r.justIn = ""
	now := r.take(func(m moment) bool { return m.comes(r.calls, in, seen{service, operation}) })
	r.mu.Unlock()
	for _, e := range now {
		r.fire(e, seen{service, operation})
	}
}

// take takes what is due. r.mu is held.
func (r *telling) take(due func(moment) bool) (now []event) {
	r.due = slices.DeleteFunc(r.due, func(e event) bool {
		if due(e.at) {
			now = append(now, e)
		}
		return due(e.at)
	})
	return now
}

// fire lets an event happen.
func (r *telling) fire(e event, c seen) {
	if e.kind.atCall && c.service == "" {
		return
	}
	r.other.Add(1)
	defer r.other.Add(-1)
	r.mu.Lock()
	r.firing++
	where := r.where()
	if c.service != "" {
		where += fmt.Sprintf(", before %s:%s (call %d)", c.service, c.operation, r.calls)
	}
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.firing--
		r.calm.Broadcast()
	}()
	var said string
	done := make(chan struct{})
	go func() { // a Fatal ends it
		defer close(done)
		said = e.kind.do(r, e.n, c)
	}()
	<-done
	if said == "" {
		return
	}
	r.tell("%s%s", said, where)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[e.kind.name]++
	if !e.kind.harmless {
		r.happened = append(r.happened, e.kind)
	}
}

// where says in which state the chapter's execution is. r.mu is held.
func (r *telling) where() string {
	if r.state == "" {
		return ""
	}
	return ", in " + r.state
}

// mend is done at the end of the chapter.
func (r *telling) mend(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mends = append(r.mends, f)
}
