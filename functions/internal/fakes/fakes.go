// Package fakes is the world of one client, for the tests of the functions: Secrets Manager, the journal's DynamoDB
// table, a load balancer, CloudWatch, a token endpoint and a page that users log in at, all with state. What stands for
// the identity provider comes from the test. Every write passes one wire, which keeps their order and can be cut at any
// of them, before or after its effect. Production code cannot import this package; a test here sees to that.
package fakes

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/functions/entrypoint"
	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/parameters"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/telemetry"
	"alboidc.internal/shared/versions"
)

// The client, its secret, and the execution that owns its lock.
const (
	ClientName = "orders-web"
	ClientID   = "0oa1orders"
	Issuer     = "https://idp.example"
	Execution  = "arn:aws:states:eu-central-1:111122223333:execution:rotation:1"
	Other      = "arn:aws:states:eu-central-1:111122223333:execution:rotation:2"
	SecretARN  = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-AbCdEf"
	UserARN    = "arn:aws:secretsmanager:us-east-1:111122223333:secret:synthetic-AbCdEf"
	// Mark is in every secret that a test makes up itself.
	Mark = "CANARY"

	table = "rotation-journal"
	// Old is the version that is AWSCURRENT from the start.
	Old = "version-old"
)

// Vendor is the identity provider's side of the client.
type Vendor interface {
	// Registration is the near side: what the functions talk to.
	Registration(clientID string) idp.Registration
	// AcceptsFrom reports whether the token endpoint takes a secret from a client id.
	AcceptsFrom(clientID string, v secret.Value) bool
}

// World is everything that the functions work on. A test changes it between two calls, not during one.
type World struct {
	*Wire
	t       testing.TB
	Client  config.Client
	Secrets *SecretsManager
	Journal *DynamoDB
	Params  *SSM
	ALB     *ELB
	Tokens  *TokenEndpoint
	App     *App
	Errors  *AuthErrors
	Vendor  Vendor
	// Brought is a configuration that comes with the call, as from an execution of an earlier definition.
	Brought json.RawMessage
	// Now is the present time; sleeping advances it.
	Now time.Time
	// Sleeps is how often a call can sleep before its time is up; 0 is as often as it likes.
	Sleeps int

	aws    *services
	random *rand.ChaCha8
	mu     sync.Mutex
	output strings.Builder // what a function writes, and answers
}

// New returns a world in which nothing was ever rotated: current is the one secret that the vendor has, stored as
// version Old, and the listener logs users in with it. When the test ends, nothing that the functions wrote or answered
// may hold a secret.
func New(t testing.TB, v Vendor, current string) *World {
	t.Helper()
	w := &World{Wire: newWire(), t: t, Vendor: v, Now: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC),
		random: rand.NewChaCha8([32]byte{1})}
	w.addAWS(current)
	w.Tokens = newTokenEndpoint(t, w.Wire, v)
	w.App = newApp(t, w.Tokens)
	w.ALB = newELB(t, w.Wire, w.Tokens.URL("/token"), current)
	w.Errors = &AuthErrors{t: t, wire: w.Wire}
	none := 0
	w.Client = config.Client{Name: ClientName, Issuer: Issuer, ClientID: ClientID,
		CallbackURL: "https://orders.example/oauth2/idpresponse",
		Secret:      config.Secret{ARN: SecretARN}, LoadBalancers: []string{LoadBalancer},
		IdentityProvider: config.IdentityProvider{Type: "memory", AuthorizationEndpoint: w.Tokens.URL("/authorize"),
			TokenEndpoint: w.Tokens.URL("/token"), Settings: json.RawMessage(`{}`)},
		SmokeTests: config.SmokeTests{Credential: config.CredentialTest{IntervalSeconds: &none},
			Redirect: []config.RedirectTest{{URL: w.App.URL("/")}}}}
	t.Cleanup(w.noSecretIsShown)
	return w
}

// Deps is what the functions are built from.
func (w *World) Deps() invocation.Deps {
	slept := 0
	sleep := func(ctx context.Context, d time.Duration) error {
		w.Now = w.Now.Add(d)
		if slept++; w.Sleeps > 0 && slept > w.Sleeps {
			return context.DeadlineExceeded
		}
		return ctx.Err()
	}
	now := func() time.Time { return w.Now }
	wired := w.Wire.config(w.aws.server, home, w.aws.request)
	return invocation.Deps{
		Secrets: w.Secrets.region, Journal: journal.New(dynamodb.NewFromConfig(wired), table),
		Clients: parameters.New(ssm.NewFromConfig(wired), ParameterPrefix, sleep),
		Log:     telemetry.New(writer{w}, telemetry.Options{Function: "test"}), Metrics: telemetry.NewMetrics(writer{w},
			now),
		Now: now, Sleep: sleep, Rand: w.random,
		Registrations: func(c config.Client) (out []idp.Registration, err error) {
			for _, id := range c.ClientIDs() {
				out = append(out, w.Wire.registration(w.Vendor.Registration(id)))
			}
			return out, nil
		},
		Capabilities: func(c config.Client) (idp.Capabilities, error) {
			return w.Vendor.Registration(c.ClientID).Capabilities(), nil
		},
		Prober: probe.New(probe.Options{RootCAs: w.Tokens.roots(), AllowLoopback: true, Resolver: w.ALB, Now: now,
			Sleep: sleep}),
		Reached: invocation.Reached{Balancers: alb.New(w.ALB.region, now, sleep), AuthErrors: w.Errors.test,
			LoginsStopped: w.Errors.stopped, LastLogin: w.Errors.last},
	}
}

// Common is what every function is told by an execution that has just read the client's configuration, as it is now.
func (w *World) Common() rotation.Common {
	w.t.Helper()
	w.Params.Put(w.Client)
	w.Journal.SetConfig(w.Params.Reference(Execution))
	return rotation.Common{Caller: rotation.Caller{Client: ClientName, Execution: Execution}, State: "TestedState",
		Config: w.Brought}
}

// Call calls a function as Lambda does, through its entry point. The error is a failure of the kind that the state
// machine would see.
func Call[In entrypoint.Input, Out any](w *World, handle func(context.Context, In) (Out, error), in In) (Out, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	var none Out
	got, err := entrypoint.Handler("test", w.Deps(), handle)(w.t.Context(), raw)
	var named messages.InvokeResponse_Error
	switch {
	case errors.As(err, &named):
		w.show(named.Type + " " + named.Message)
		return none, failure.New(failure.Kind(named.Type), "%s", named.Message)
	case err != nil:
		w.t.Fatalf("the entry point let an error without a name pass: %v", err)
	}
	out, ok := got.(Out)
	if !ok {
		w.t.Fatalf("the function answered %T", got)
	}
	answer, err := json.Marshal(out)
	if err != nil {
		w.t.Fatal(err)
	}
	w.show(string(answer))
	return out, nil
}

// Output is all that the functions wrote (log lines and metrics) and answered (outputs and errors).
func (w *World) Output() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.output.String()
}

func (w *World) show(text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.output.WriteString(text + "\n")
}

// writer is a function's standard output.
type writer struct{ w *World }

func (o writer) Write(p []byte) (int, error) {
	o.w.show(string(p))
	return len(p), nil
}

// noSecretIsShown searches what left the functions for every secret that was stored, presented or set.
func (w *World) noSecretIsShown() {
	shown := w.Output() + strings.Join(w.aws.documents, "\n") + fmt.Sprint(w.Writes())
	known := append(append([]string{Mark, "value-made-by"}, w.Secrets.seen...), w.ALB.seen...)
	for _, p := range w.Tokens.presented() {
		known = append(known, p.secret)
	}
	for _, s := range known {
		if s != "" && (strings.Contains(shown, s) || strings.Contains(shown, url.QueryEscape(s))) {
			w.t.Errorf("a secret that begins with %.4q is shown in what the functions wrote or answered", s)
		}
	}
}

// LabelsAre fails unless the labels are on these versions, "" for none.
func (w *World) LabelsAre(t testing.TB, want versions.Labels) {
	t.Helper()
	got := versions.Labels{Current: w.Secrets.Label("AWSCURRENT"), Pending: w.Secrets.Label("AWSPENDING"),
		Previous: w.Secrets.Label("AWSPREVIOUS")}
	if got != want {
		t.Errorf("the labels are %+v, want %+v", got, want)
	}
}

// Failed fails unless err is a failure of the kind whose text holds says.
func Failed(t testing.TB, err error, kind failure.Kind, says string) {
	t.Helper()
	if !failure.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("got error %q (%s), want %s with %q", fmt.Sprint(err), failure.KindOf(err), kind, says)
	}
}

// believesNoCaller fails if a configuration that comes with the call changes anything, or if a secret goes where it
// says.
func believesNoCaller(t *testing.T, world func(*testing.T) *World, call func(*World) error) {
	t.Helper()
	plain, attacked := world(t), world(t)
	theirs := newTokenEndpoint(t, newWire(), attacked.Vendor)
	c := attacked.Client
	c.Secret.ARN, c.Issuer, c.ClientID, c.LoadBalancers = UserARN, theirs.URL(""),
		"0oa1attacker", []string{LoadBalancer + "0"}
	c.IdentityProvider.TokenEndpoint, c.IdentityProvider.AuthorizationEndpoint = theirs.URL("/token"),
		theirs.URL("/authorize")
	var err error
	if attacked.Brought, err = json.Marshal(c); err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(call(plain)), fmt.Sprint(call(attacked)); a != b {
		t.Errorf("it ends with %s, with a configuration of the caller's with %s", a, b)
	}
	if a, b := plain.Writes(), attacked.Writes(); !slices.Equal(a, b) {
		t.Errorf("it writes %q, with a configuration of the caller's %q", a, b)
	}
	if asked, _ := theirs.Asked(); asked != 0 {
		t.Errorf("it sends %d secrets to where the caller says", asked)
	}
}

// retried calls a function as the state machine does: again if it could not be told, unless a call was made to fail.
func retried(w *World, call func(*World) error) (err error) {
	for range 10 {
		if err = call(w); !failure.Is(err, failure.Unavailable) || w.failed() {
			break
		}
		w.Now = w.Now.Add(15 * time.Second)
	}
	return err
}

// FailuresAreTold makes every call of a function fail in turn, a read, a write and a question to the token endpoint
// alike: a call that failed is an answer to nothing, so the function must end with that failure and write nothing more,
// and a repeat must succeed. tolerated are the calls that the function does without, by how "NAME after WRITE" begins.
// A configuration of another client ends it, too, and one that comes with the call changes nothing. world makes a fresh
// world, call calls the function, whose undisturbed call must be a success.
func FailuresAreTold(t *testing.T, world func(*testing.T) *World, call func(*World) error, tolerated ...string) {
	t.Helper()
	w := world(t)
	w.failAfter(0)
	if err := retried(w, call); err != nil {
		t.Errorf("the undisturbed call: %v", err)
	}
	all, before := w.calls, w.Writes()
	for n, c := range all {
		name := c.op
		if c.writes > 0 {
			name += " after " + before[c.writes-1]
		}
		if slices.ContainsFunc(tolerated, func(x string) bool { return strings.HasPrefix(name, x) }) {
			continue
		}
		t.Run(fmt.Sprintf("call %d, %s", n+1, name), func(t *testing.T) {
			t.Parallel()
			w := world(t)
			w.failAfter(n + 1)
			if err := retried(w, call); !failure.Is(err, failure.Throttled) && !failure.Is(err, failure.Unavailable) {
				t.Errorf("a call that failed is taken for an answer: the function ends with %v", err)
			}
			got, want := w.Writes(), before[:c.writes]
			for n := len(got); n > c.writes && slices.Contains(want, got[n-1]); n-- {
				got = got[:n-1] // a note in the journal, such as that the provider was not asked after all
			}
			if !slices.Equal(got, want) {
				t.Errorf("after a call that failed something is written: %q, before it %q", got, want)
			}
			w.failAfter(0)
			if err := retried(w, call); err != nil {
				t.Errorf("a single failure is not got over by a repeat: %v", err)
			}
		})
	}
	t.Run("a configuration in the call", func(t *testing.T) {
		t.Parallel()
		believesNoCaller(t, world, call)
	})
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		w := world(t)
		w.Client.Name = "billing"
		before := len(w.Writes())
		Failed(t, call(w), failure.InvalidInput, `is for client "billing"`)
		if got := w.Writes()[before:]; len(got) != 0 {
			t.Errorf("the function wrote %q", got)
		}
	})
}
