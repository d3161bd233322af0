// Package guarantees_test tries to break the guarantees of the design: whole rotations, with the real state machine and
// functions, on a virtual clock, while every call they make fails, gets lost or comes late in turn.
package guarantees_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/follower"
	"alboidc.internal/local/idp"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
	"alboidc.internal/statemachine/planted"
)

func TestMain(m *testing.M) {
	planted.Definitions()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	debug.SetGCPercent(400)                        // worlds are small and short-lived
	debug.SetMemoryLimit(2 << 30)
	os.Exit(m.Run())
}

// world is a stack on a virtual clock with the client deployed, watched all the time.
type world struct {
	t     testing.TB
	clock *clock.Virtual
	*scenario.Deployment
	logs      *logs
	functions map[string]string // their ARNs, by name

	mu         sync.Mutex
	seen       time.Time // until when the nodes' secrets were checked
	violations []string
	// tolerant: logins fail now, as the client's configuration allows.
	tolerant  bool
	tolerated int
	// dead are what was revoked by another hand. Nodes may use them until mended, and AWSCURRENT hold one until it has
	// once left.
	dead         []string
	mended, left bool
	// padded: a person has stored AWSCURRENT with something around it, which is theirs to put right.
	padded bool
	hooks  []func(execution string, e stepfunctions.Event)
	// apps are followers that keep their secret to themselves, followed the rules of a controller: after a repair both
	// have the dead secret until they follow.
	apps     []*follower.Follower
	followed []string
}

// logs collects what the functions write.
type logs struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

var _ io.Writer = (*logs)(nil)

const (
	spread = 60 * time.Second
	grace  = 7 * 24 * time.Hour
)

// newWorld deploys the client. configure may change its configuration.
func newWorld(t *testing.T, configure ...func(*config.Client)) *world {
	t.Helper()
	return newWorldOf(t, "okta", usual(), configure...)
}

// usual is how long a deployment's state machine waits for that.
func usual() time.Duration { return statemachine.Settle(statemachine.Functions()) }

// newWorldOf chooses the identity provider, and how long the state machine waits before it relies on no call being
// under way.
func newWorldOf(t *testing.T, vendor string, settle time.Duration, configure ...func(*config.Client)) *world {
	t.Helper()
	return newWorldOn(t, stack.Options{Vendor: vendor}, settle, configure...)
}

// newWorldOn chooses more of the stack.
func newWorldOn(t testing.TB, o stack.Options, settle time.Duration, configure ...func(*config.Client)) *world {
	t.Helper()
	// not in the past: the cookie jars of the tests of logins, which have the machine's time, would drop cookies of
	// then
	start := time.Now().Truncate(time.Hour).Add(time.Hour)
	w := &world{t: t, clock: clock.NewVirtual(start), logs: &logs{}}
	o.Clock, o.Apart, o.OnEvent = w.clock, true, w.hear
	o.Spread = []time.Duration{20 * time.Second, 55 * time.Second}
	s, err := stack.Start(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	closing := s
	t.Cleanup(func() {
		_ = closing.Close()
		// a finished parallel test keeps its cleanups until its parent ends, and there are hundreds of worlds
		closing = nil
	})
	functions, err := inprocess.Register(s, w.logs)
	if err != nil {
		t.Fatal(err)
	}
	w.functions = functions
	w.Deployment, err = scenario.Deploy(context.Background(), s, scenario.Options{Functions: functions,
		Settle: settle, Spread: spread, Grace: grace, Account: strings.Join(o.Accounts,
			""), Configure: func(c *config.Client) {
			c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(2), IntervalSeconds: aws.Int(1)}
			for _, f := range configure {
				f(c)
			}
		}})
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(s.ELB.Spread())
	w.watch()
	return w
}

func (w *world) hear(execution string, e stepfunctions.Event) {
	w.mu.Lock()
	hooks := w.hooks
	w.mu.Unlock()
	for _, f := range hooks {
		f(execution, e)
	}
}

// quick leaves one redirect test and no login test, for tests that run many rotations.
func quick(c *config.Client) {
	c.SmokeTests.Redirect, c.SmokeTests.Login = c.SmokeTests.Redirect[:1], nil
}

// watch checks G1 and G2 before and after every change at the identity provider, whenever time passes, and at every
// call. Between those instants neither side changes.
func (w *world) watch() {
	w.seen = w.clock.Now()
	store := w.Stack.IdP.Store()
	store.BeforeChange(func(idp.Change) { w.check("before a change at the identity provider") })
	store.OnChange(func(idp.Change) { w.check("after a change at the identity provider") })
	w.clock.OnMove(func(time.Time) { w.check("when time passed") })
	w.Stack.Faults.Observe(func(service, operation, _ string) { w.check("at " + service + ":" + operation) })
}

// pass lets time go by, and with it whatever is still under way.
func (w *world) pass(d time.Duration) {
	w.clock.Pass(d)
	w.check("after a while")
}

func (w *world) check(when string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.clock.Now()
	store := w.Stack.IdP.Store()
	for _, u := range w.Stack.SecretsInUse(w.seen, now) {
		if !store.Accepts(u.ClientID, u.Secret, now) && (!slices.Contains(w.dead, u.Secret) ||
			w.mended && !slices.Contains(w.followed, cmp.Or(u.RuleARN, u.ListenerARN))) {
			w.violate("G1 %s: node %d of %s uses a secret that the identity provider refuses", when, u.Node, u.RuleARN+
				u.ListenerARN)
		}
	}
	for _, app := range w.apps {
		if id, value := app.Uses(); !slices.Contains(w.dead, value.Reveal()) &&
			!store.Accepts(cmp.Or(id, w.ClientID), value.Reveal(), now) {
			w.violate("G1 %s: an application that follows AWSCURRENT uses a secret that the identity provider refuses",
				when)
		}
	}
	w.seen = now
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.violate("reading the secret: %v", err)
		return
	}
	text := values[labels["AWSCURRENT"]]
	current := secretsIn(values)[labels["AWSCURRENT"]]
	if w.padded {
		current = strings.Trim(current, " \n\"\ufeff")
	}
	if w.left = w.left || !slices.Contains(w.dead, current); len(w.dead) > 0 && !w.left {
		return
	}
	if !slices.ContainsFunc(w.Config.ClientIDs(), func(id string) bool { return store.Accepts(id, current, now) }) {
		w.violate("G2 %s: AWSCURRENT holds a secret that the identity provider refuses", when)
	}
	var object map[string]string
	if key := w.Config.Secret.ClientIDKey; key != "" && (json.Unmarshal([]byte(text), &object) != nil ||
		!store.Accepts(object[key], current, now)) {
		w.violate("G2 %s: AWSCURRENT holds another client id than its secret's", when)
	}
}

// violate notes a violation. w.mu is held.
func (w *world) violate(format string, args ...any) {
	if w.tolerant {
		w.tolerated++
		return
	}
	if len(w.violations) < 5 {
		w.violations = append(w.violations, strings.TrimSpace(fmt.Sprintf(format, args...)))
	}
}

// start starts an execution with the input given and returns its ARN. One that heals is named as the notifier's are.
func (w *world) start(input string) string {
	w.t.Helper()
	in := &sfn.StartExecutionInput{StateMachineArn: &w.MachineARN, Input: &input}
	if strings.Contains(input, `"healing: an `) {
		in.Name = aws.String("heal-" + strconv.FormatInt(w.clock.Now().UnixNano(), 10))
	}
	out, err := w.sfn().StartExecution(context.Background(), in)
	if err != nil {
		w.t.Fatal(err)
	}
	return *out.ExecutionArn
}

// execution is the ARN of an execution by its name.
func (w *world) execution(name string) string {
	return strings.Replace(w.MachineARN, ":stateMachine:", ":execution:", 1) + ":" + name
}

func nameOf(execution string) string { return execution[strings.LastIndex(execution, ":")+1:] }

func (w *world) sfn() *sfn.Client { return sfn.NewFromConfig(w.Stack.AWS(scenario.Home)) }

// wait returns how an execution ended.
func (w *world) wait(execution string) asl.Result {
	w.t.Helper()
	// for what hangs, on a machine that does other things besides
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	r, err := w.Stack.StepFunctions.Wait(ctx, execution)
	if err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.path(execution), " "))
	}
	return r
}

const plain = `{"client": "orders-web"}`

// rotate runs one execution to its end.
func (w *world) rotate(input string) (asl.Result, string) {
	w.t.Helper()
	execution := w.start(input)
	return w.wait(execution), execution
}

// mustRotate runs one execution that has to succeed.
func (w *world) mustRotate() {
	w.t.Helper()
	if r, execution := w.rotate(plain); r.Status != asl.Succeeded {
		w.t.Fatalf("the rotation ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution),
			" "))
	}
}

// path is the states that an execution entered, the ones inside a Map once.
func (w *world) path(execution string) []string {
	events, err := w.Stack.StepFunctions.History(execution)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, e := range events {
		if e.StateEntered == nil {
			continue
		}
		if n := len(out); n > 0 && out[n-1] == e.StateEntered.Name {
			continue
		}
		out = append(out, e.StateEntered.Name)
	}
	return out
}

// journal is the client's item, as DynamoDB shows it.
func (w *world) journal() map[string]ddbtypes.AttributeValue {
	w.t.Helper()
	out, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).GetItem(context.Background(), &dynamodb.GetItemInput{
		TableName: aws.String(scenario.JournalTable), ConsistentRead: aws.Bool(true),
		Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{Value: scenario.Client}}})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.Item
}

// lastOutcome is how the last rotation ended, by the journal; "" if none did.
func (w *world) lastOutcome() string {
	w.t.Helper()
	v, _ := w.journal()["lastOutcome"].(*ddbtypes.AttributeValueMemberS)
	if v == nil {
		return ""
	}
	return v.Value
}

// atRest checks G4 and that nothing violated G1 or G2 up to now.
func (w *world) atRest() {
	w.t.Helper()
	w.check("at the end")
	w.mu.Lock()
	violations := w.violations
	w.mu.Unlock()
	for _, v := range violations {
		w.t.Error(v)
	}
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.t.Fatal(err)
	}
	values = secretsIn(values)
	now := w.clock.Now()
	live := w.liveAlone(values, labels["AWSCURRENT"], now)
	if p := labels["AWSPENDING"]; p != "" {
		w.t.Errorf("G4: AWSPENDING is left on %s", p)
	}
	for _, u := range w.Stack.EffectiveSecrets(now) {
		if u.Secret != values[labels["AWSCURRENT"]] {
			w.t.Errorf("G4: node %d of %s does not use AWSCURRENT", u.Node, u.RuleARN)
		}
	}
	item := w.journal()
	if item["owner"] != nil {
		w.t.Error("G4: the lock is still held")
	}
	w.checkJournal(item, labels["AWSCURRENT"], live)
}

// liveAlone checks that the identity provider holds one live secret for each registration, and of those that were ever
// stored only AWSCURRENT, whose id it returns.
func (w *world) liveAlone(values map[string]string, current string, now time.Time) (id string) {
	w.t.Helper()
	store := w.Stack.IdP.Store()
	if w.Stack.Vendor == "manual" { // a person removes what is left
		id, _ = store.Match(w.ClientID, values[current], now)
		return id
	}
	for _, clientID := range w.Config.ClientIDs() {
		if live := store.Secrets(clientID); len(live) != 1 || !live[0].Live(now) {
			w.t.Errorf("G4: the identity provider holds %d secrets of %s: %+v", len(live), clientID, live)
		}
		for version, value := range values {
			secretID, ok := store.Match(clientID, value, now)
			switch {
			case ok && version == current:
				id = secretID
			case ok && value != values[current]:
				w.t.Errorf("G4: the identity provider still accepts version %s, which is not AWSCURRENT", version)
			}
		}
	}
	if id == "" {
		w.t.Errorf("G4: the identity provider does not accept AWSCURRENT")
	}
	return id
}

// checkJournal compares the journal with what the identity provider holds.
func (w *world) checkJournal(item map[string]ddbtypes.AttributeValue, current, live string) {
	w.t.Helper()
	state, ok := item["state"].(*ddbtypes.AttributeValueMemberS)
	if !ok {
		return // nothing was ever made
	}
	var j struct {
		Secrets   map[string]struct{ State, IdPSecretID string }
		Promotion any
	}
	if err := json.Unmarshal([]byte(state.Value), &j); err != nil {
		w.t.Fatal(err)
	}
	for version, s := range j.Secrets {
		if s.State != "removed" && version != current && (s.State != "kept" || w.Stack.Vendor != "manual") {
			w.t.Errorf("G4: the journal holds version %s as %s", version, s.State)
		}
	}
	// where the provider's secrets have no ids, that of the version stands for it
	if s := j.Secrets[current]; s.IdPSecretID != "" && s.IdPSecretID != current && s.IdPSecretID != live {
		w.t.Errorf("G4: the journal has %s for the current version, the identity provider %s", s.IdPSecretID, live)
	}
	if j.Promotion != nil {
		w.t.Error("G4: the journal still has an open promotion")
	}
}

func text(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
