package guarantees_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"regexp"
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
	names  int
	first  string // what AWSCURRENT was when the chapter began
	took   int    // disturbances that happened
	story  []string
	counts map[string]int
	ends   map[string]int

	moves atomic.Int64 // of the virtual clock

	mu         sync.Mutex
	due        []event
	main       string // the name of the chapter's execution
	input      string // what it is started with
	state      string // which it entered last
	calls      int
	happened   []*kind
	reasserted bool     // old values can no longer be healed
	others     []string // executions that were started meanwhile
	redriven   []string // and earlier ones
	alone      bool     // no other execution may start
	slow       bool     // new secrets are accepted late
	formed     bool     // the form of the secret has changed
	doomed     bool     // AWSCURRENT is dead, and the execution repairs nothing
	redriveIn  time.Duration
	meanwhile  func() // what happens while the execution is stopped
	// canariesFirst: no other target may get the new secret before canaries were tested.
	canariesFirst bool
	mends         []func()
	reads         int // of the rule with weights, since the state was entered
	// outdated are the values that nobody may write any more, since a person stored another as AWSCURRENT.
	outdated   map[string]bool
	outdatedAt time.Time
	earlier    []string          // executions that had begun by then
	byPeople   map[string]string // secrets that people have made and stored, by their ids
	// weights are what a deployment set last; -1 if it did not, or a write that came late may have put back others.
	weights    int32
	late       bool            // a change of a rule has come late
	delays     map[string]int  // the fault that delays an operation of a service
	askedUntil time.Time       // until when a late request may change something at the provider
	executions []string        // of the client
	notifiers  []string        // and those of the notifier
	over, told map[string]bool // which have ended, and of which it is told how
	soon       chan struct{}   // an execution that is about to start is the chapter's, and waits for it
	fs         *followers
	timers     context.Context
	endTimers  context.CancelFunc
	timed      sync.WaitGroup
	stopping   int           // events that are under way and may end it
	calm       *sync.Cond    // of mu: fewer are
	awaited    string        // the execution that is waited for
	held       chan struct{} // after its end no time passes until it is closed
}

// live lives a life in a world of its own.
func live(t testing.TB, l life) *telling {
	r := &telling{life: l, counts: map[string]int{}, ends: map[string]int{}, over: map[string]bool{},
		told: map[string]bool{}, delays: map[string]int{}, byPeople: map[string]string{}}
	r.calm = sync.NewCond(&r.mu)
	r.rec = &recorder{TB: t, other: &r.other}
	jitter := rand.New(rand.NewPCG(l.seed, 15)) //nolint:gosec // it must be the same every time
	var mu sync.Mutex
	random := func() float64 { mu.Lock(); defer mu.Unlock(); return jitter.Float64() }
	done := make(chan struct{})
	go func() { // a Fatal ends it
		defer close(done)
		o := stack.Options{Vendor: l.way.vendor, Random: random}
		if l.way.away {
			o.Accounts = []string{workload}
		}
		r.world = newWorldOn(r.rec, o, usual(), l.way.configure, functionSays(l.way.can))
		r.become(l.way.can)
		r.tolerant = l.way.interrupts
		if k, is := r.Stack.IdP.Vendor().(*keycloaktest.Keycloak); is && r.Config.IsPair() {
			k.SetPolicy(nil) // a policy would end a value that is set
		}
		if l.broken != nil {
			r.define(l.broken(r.present()))
		}
		if l.way.followed {
			if r.Config.IsPair() {
				r.readByFollowers(followed)
			}
			r.beFollowed()
		}
		if l.heals {
			r.Stack.EventBridge.SetLatency(delivered)
			if err := r.CreateHealing(context.Background()); err != nil {
				r.rec.Fatal(err)
			}
		}
		r.born = r.clock.Now()
		r.clock.OnMove(func(time.Time) { r.moves.Add(1) })
		r.Stack.Faults.Observe(r.hearCall)
		r.hooks = append(r.hooks, r.hearState)
		lived := make(chan struct{})
		// busy, so that time passes only where it waits
		r.clock.Go(func() { defer close(lived); r.live() })
		<-lived
	}()
	if r.isStuck(done) { // what it waits for is left as it is
		return r
	}
	for _, f := range slices.Backward(r.rec.cleanups) {
		f()
	}
	return r
}

// patience is how long the virtual clock may stand still. Nothing takes that long, also on a machine that does other
// things besides.
const patience = 3 * time.Minute

// isStuck waits until a life is over, and reports whether its clock stood still instead, which fails it.
func (r *telling) isStuck(done <-chan struct{}) bool {
	for last := int64(-1); last != r.moves.Load(); {
		last = r.moves.Load()
		select {
		case <-done:
			return false
		case <-time.After(patience):
		}
	}
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	r.rec.failures = append([]string{fmt.Sprintf("stuck: no virtual time has passed for %s", patience)},
		r.rec.failures...)
	return true
}

// delivered is how long an event takes to the notifier.
const delivered = 1300 * time.Millisecond

// beFollowed gives the client a controller, an application, and something that writes old copies to a rule of ours.
func (r *telling) beFollowed() {
	r.fs = r.follow(r.owned()...)
	stale, err := r.newFollower(7*time.Minute, followersDelay-7*time.Minute, r.weighted().ARN)
	if err != nil {
		r.rec.Fatal(err)
	}
	r.fs.list, r.fs.apart = append(r.fs.list, stale), 1234567*time.Nanosecond
	r.followed = append(r.followed, r.weighted().ARN)
}

// pass lets time go by, for followers as long as they may have something old. It stays busy, so that no more goes by.
func (r *telling) pass(d time.Duration) {
	some := time.Duration(0)
	if r.fs != nil {
		some = min(d, 2*followersDelay)
		r.fs.add(1)
		_ = r.clock.Sleep(context.Background(), some)
		r.fs.add(-1)
	}
	_ = r.clock.Sleep(context.Background(), d-some)
	r.check("after a while")
}

func (r *telling) live() {
	atRest := true
	for i, c := range r.life.chapters {
		r.begin(c, atRest)
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
	r.pass(2 * time.Hour) // what is still late arrives
	r.atRest()
	r.oneAtATime()
	r.hidden()
}

func (r *telling) tell(format string, args ...any) {
	at := r.clock.Now().Sub(r.born)
	day := at / (24 * time.Hour)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.story = append(r.story, fmt.Sprintf("day %d, %s: ", day, time.Time{}.Add(at).Format("15:04:05"))+
		fmt.Sprintf(format, args...))
}

func (r *telling) begin(c chapter, atRest bool) {
	r.timers, r.endTimers = context.WithCancel(context.Background())
	r.mu.Lock()
	r.names++
	r.main = fmt.Sprintf("life-%d-%d", r.life.seed, r.names)
	r.state, r.calls, r.reasserted, r.alone, r.redriveIn, r.weights = "", 0, false, false, 0, -1
	r.input, r.meanwhile = c.input, func() {}
	r.canariesFirst = atRest && slices.Contains([]string{plain, noGrace, shortGrace}, c.input)
	r.happened, r.others, r.redriven, r.mends, r.due, r.late = nil, nil, nil, nil, nil, false
	r.mu.Unlock()
	r.byHand()
	r.first = r.current()
	for _, e := range c.events {
		if e.at.before {
			r.fire(e, seen{})
		}
	}
	r.doomed = c.input != repair && len(r.world.dead) > 0 && !r.accepts(r.current())
}

// arm makes what belongs to a chapter's execution due. r.mu is held.
func (r *telling) arm(c chapter) {
	r.calls = 0
	r.due = slices.DeleteFunc(slices.Clone(c.events), func(e event) bool { return e.at.before || e.at.stopped })
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
	execution := r.startMain(c)
	result := r.await(execution)
	r.mu.Lock()
	redriveIn := r.redriveIn
	r.mu.Unlock()
	if result.Status == asl.Aborted {
		r.pass(redriveIn / 2)
		r.meanwhile()
		for _, e := range c.events {
			if e.at.stopped {
				r.fire(e, seen{})
			}
		}
	}
	if redriveIn > 0 && result.Status == asl.Aborted {
		r.pass(redriveIn - redriveIn/2)
		r.mu.Lock()
		r.over[execution] = false // that it runs again may be told later than it is awaited
		r.mu.Unlock()
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

// startMain starts the chapter's execution, or has a measurement start it.
func (r *telling) startMain(c chapter) string {
	input := c.input
	if input == beforeEnd {
		if execution := r.endSoon(c); execution != "" {
			return execution
		}
		input = plain
	}
	r.mu.Lock()
	r.arm(c)
	r.mu.Unlock()
	r.tell("an execution starts with %s", input)
	return r.startNamedAs(r.main, input)
}

// endSoon lets time go by until the provider soon ends the secret, and has a measurement start a rotation, if nothing
// is left over and the secret is not dead. What it starts waits until the measurement has ended, so that their calls
// have an order.
func (r *telling) endSoon(c chapter) string {
	left := r.untilEnd() - aboutToEnd
	if left < 0 || !r.accepts(r.current()) || r.labels()["AWSPENDING"] != "" || r.journal()["owner"] != nil {
		return ""
	}
	if r.journal()["state"] == nil { // nobody knows yet which secret it is
		r.await(r.startNamedAs(r.main+"-first", plain))
		left = r.untilEnd() - aboutToEnd
	}
	r.pass(left)
	measurement := r.main + "-measures"
	soon := make(chan struct{})
	r.mu.Lock()
	r.main, r.soon = "", soon
	r.arm(c)
	due := r.due
	r.due = nil
	r.mu.Unlock()
	execution := r.startNamedAs(measurement, measure)
	r.end(execution)
	m := r.measured(execution)
	r.mu.Lock()
	r.main, r.due, r.calls = m.Start, due, 0
	r.mu.Unlock()
	if m.Start == "" {
		r.rec.Fatalf("before the end: a measurement %s before the secret ends started nothing: %s%s", aboutToEnd,
			m.NotRotated, m.RotationRefused)
	}
	r.tell("the secret ends %s later, and a measurement starts %s", aboutToEnd, m.Start)
	close(soon)
	return r.execution(m.Start)
}

// aboutToEnd is how long a secret still has when a measurement must start a rotation of seven days.
const aboutToEnd = 20 * 24 * time.Hour

// untilEnd is how long the provider still accepts AWSCURRENT; a hundred years if that has no end.
func (r *telling) untilEnd() time.Duration {
	now := r.clock.Now()
	for _, clientID := range r.Config.ClientIDs() {
		id, _ := r.Stack.IdP.Store().Match(clientID, r.current(), now)
		for _, s := range r.Stack.IdP.Store().Secrets(clientID) {
			if s.ID == id && !s.ExpiresAt.IsZero() {
				return s.ExpiresAt.Sub(now)
			}
		}
	}
	return 100 * 365 * 24 * time.Hour
}

// await waits for an execution and tells how it ended.
func (r *telling) await(execution string) asl.Result {
	result := r.end(execution)
	r.tell("%s ends as %s: %s", nameOf(execution), ended(result), byChance.ReplaceAllString(text(result.Cause),
		"$1$2…"))
	r.mu.Lock()
	r.ends[ended(result)]++
	r.mu.Unlock()
	return result
}

// byChance is what is in causes and another each time: ids of requests, and ports.
var byChance = regexp.MustCompile(`([Rr]equest (?:ID: )?)[0-9a-f]{8}-[0-9a-f-]{27}|(localhost:)[0-9]+`)

// isTold reports whether an execution has been waited for.
func (r *telling) isTold(execution string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.told[execution]
}

// end waits for the end of an execution. No time passes between that and its return.
func (r *telling) end(execution string) (result asl.Result) {
	r.mu.Lock()
	r.awaited, r.held = execution, make(chan struct{})
	held, over := r.held, r.over[execution]
	r.mu.Unlock()
	wait := func() {
		result = r.wait(execution)
		r.mu.Lock()
		defer r.mu.Unlock()
		for r.stopping > 0 { // what ended it is told first
			r.calm.Wait()
		}
	}
	if over {
		wait()
	} else {
		r.clock.Idle(wait)
	}
	r.mu.Lock()
	r.awaited, r.told[execution] = "", true
	r.mu.Unlock()
	close(held)
	return result
}

// settle waits for whatever was started by the notifier, and tells how it ended.
func (r *telling) settle() (healed []asl.Result) {
	next := func() (execution string, ours bool) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, x := range slices.Concat(r.executions, r.notifiers) {
			if !r.told[x] {
				return x, slices.Contains(r.executions, x)
			}
		}
		return "", false
	}
	for {
		r.pass(2 * delivered)
		switch x, ours := next(); {
		case x == "":
			return healed
		case ours:
			if result := r.await(x); strings.HasPrefix(nameOf(x), "heal-") {
				healed = append(healed, result)
			}
		default:
			r.end(x)
		}
	}
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

// startNamedAs starts an execution by a name that is always the same: that of its version follows from it.
func (r *telling) startNamedAs(name, input string) string {
	out, err := r.sfn().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &r.MachineARN,
		Input: &input, Name: &name})
	if err != nil {
		r.rec.Fatalf("starting: %v", err)
	}
	return *out.ExecutionArn
}
