// Package demo shows a rotation: the deployed functions and state machine on the local stack, under the traffic of
// people who log in and of people whose sessions are refreshed.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"

	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
)

// The pace of the demo. In production the same numbers are minutes and days; no state is left out.
const (
	functionTimeout  = 6 * time.Second // of the functions that change something
	smokeTestTimeout = 30 * time.Second
	settle           = 7 * time.Second // longest timeout of a writing function, and a margin
	spread           = 3 * time.Second // allowed until every load balancer node serves a change
	grace            = 10 * time.Second
	tokenLifetime    = 2 * time.Second // so sessions are refreshed with the client secret all the time

	wanted = 1000 // logins, and refreshes, that the demo waits for

	// How long the demo waits on a slow machine: for its people to be there, for the end of the rotation, and for the
	// wanted numbers after it.
	warmUpLimit   = 2 * time.Minute
	rotationLimit = 15 * time.Minute
	enoughLimit   = 3 * time.Minute

	sessions = 60 // people who stay logged in
)

// nodeSpread is how long a change really takes to reach each node.
var nodeSpread = []time.Duration{800 * time.Millisecond, 2200 * time.Millisecond}

// How a demo ends: exit statuses of the command.
const (
	Well        = 0
	Wrong       = 1   // something is not as it should be, or the demo could not be shown
	Usage       = 2   // the command line is wrong
	TooSlow     = 3   // nothing was wrong, but the machine was too slow to say that all is well
	Interrupted = 130 // as by Ctrl-C
)

// errLimit is returned when something did not happen in time.
var errLimit = errors.New("not in time")

// Options choose a demo.
type Options struct {
	// Functions is the folder with one folder per function and its bootstrap file.
	Functions string
	// Address of the AWS endpoint.
	Address string
	// Logs is the folder for the functions' logs and the authority's certificate; "" is a new one for temporary files.
	Logs string
	// IdP is the type of identity provider, "" for okta.
	IdP string
	// Fail is the state that is made to fail, "" for none.
	Fail string
	// Followers gives rules to an ingress controller that follows AWSCURRENT.
	Followers bool
	// Rotator is the program whose console shows the stack on a web page, until it is interrupted; "" for none.
	Rotator string
	Out     io.Writer
	// Live redraws the status in place; otherwise every line stays.
	Live bool
}

// world is a running stack with the client deployed.
type world struct {
	*scenario.Deployment
	logs      *os.File
	authority string
	capable   idp.Capabilities

	refreshes, refusedRefreshes, lateRefreshes atomic.Int64
	onEvent                                    atomic.Pointer[func(stepfunctions.Event)]

	// follows are the rules that a controller writes, where there is one, and unfollow ends it. The logins there are
	// counted apart, too.
	follows                        []string
	unfollow                       func()
	followedLogins, failedFollowed atomic.Int64
}

// start sets the stack and the deployment up; close ends them.
func start(ctx context.Context, o Options) (*world, error) {
	if types := registry.Types(); o.IdP != "" && !slices.Contains(types, o.IdP) {
		return nil, fmt.Errorf("IDP=%s: the identity providers are %s", o.IdP, strings.Join(types, ", "))
	}
	w := &world{unfollow: func() {}}
	if err := w.openLogs(o.Logs); err != nil {
		return nil, err
	}
	// Ctrl-C ends the people first: a stack that went with it would fail their logins
	environment := scenario.Environment()
	environment["EXTRA_CA_FILE"], environment["ALLOW_LOOPBACK"] = w.authority, "true"
	s, err := stack.Start(context.WithoutCancel(ctx), stack.Options{Vendor: o.IdP, Address: o.Address,
		Spread: nodeSpread, AccessTokenLifetime: tokenLifetime, FunctionEnv: environment,
		FunctionLogs: w.logs, OnAuth: w.count, OnEvent: w.event})
	if err != nil {
		_ = w.logs.Close()
		return nil, err
	}
	if err := w.deploy(ctx, s, o); err != nil {
		w.unfollow()
		_ = s.Close()
		_ = w.logs.Close()
		return nil, err
	}
	return w, nil
}

// openLogs makes the folder and the file for the functions' logs.
func (w *world) openLogs(dir string) error {
	var err error
	if dir == "" {
		if dir, err = os.MkdirTemp("", "alb-oidc-rotator-"); err != nil {
			return fmt.Errorf("making a folder for the logs: %w", err)
		}
	}
	if w.logs, err = os.Create(filepath.Join(dir, "functions.log")); err != nil {
		return fmt.Errorf("making the log file: %w", err)
	}
	w.authority = filepath.Join(dir, "authority.pem")
	return nil
}

// deploy sets up what a user has.
func (w *world) deploy(ctx context.Context, s *stack.Stack, o Options) error {
	if err := os.WriteFile(w.authority, s.Authority.PEM(), 0o600); err != nil {
		return fmt.Errorf("writing the local authority: %w", err)
	}
	arns, err := scenario.CreateFunctions(ctx, s, o.Functions, functionTimeout, smokeTestTimeout)
	if err != nil {
		return err
	}
	w.Deployment, err = scenario.Deploy(ctx, s, scenario.Options{Functions: arns, Settle: settle, Spread: spread,
		Grace: grace, Configure: func(c *config.Client) {
			if o.Followers {
				declareFollowers(c)
			}
		}})
	if err != nil {
		return err
	}
	p := w.Config.IdentityProvider
	if w.capable, err = registry.Capabilities(p.Type, p.Settings, idp.Client{Name: w.Config.Name,
		Issuer: w.Config.Issuer, ClientID: w.Config.ClientID}); err != nil {
		return err
	}
	if o.Followers {
		if err := w.follow(ctx); err != nil {
			return err
		}
	}
	return s.Clock.Sleep(ctx, s.ELB.Spread()) // a new listener answers 503 until its nodes know it
}

// byHand reports whether a person makes and removes the secrets.
func (w *world) byHand() bool { return w.capable.MadeByHand() }

// count hears of every login and refresh at a load balancer.
func (w *world) count(e dataplane.Event) {
	w.countFollowed(e)
	if e.Kind != dataplane.Refresh {
		return
	}
	switch {
	case e.OK:
		w.refreshes.Add(1)
	case dataplane.Reason(e.Reason).Late():
		w.lateRefreshes.Add(1)
	case w.Config.IsPair() && dataplane.Reason(e.Reason) == dataplane.InvalidGrant:
		// the refresh token belongs to the other registration, which is no fault: the session logs in anew
	default:
		w.refusedRefreshes.Add(1)
	}
}

func (w *world) event(_ string, e stepfunctions.Event) {
	if f := w.onEvent.Load(); f != nil {
		(*f)(e)
	}
}

func (w *world) close() {
	w.unfollow()
	_ = w.Stack.Close()
	_ = w.logs.Close()
}

// Run shows one rotation and returns how it ended.
func Run(ctx context.Context, o Options) (int, error) {
	f, err := findFault(o.Fail)
	if err != nil {
		return Wrong, err
	}
	if err := checkFollowers(o, f); err != nil {
		return Wrong, err
	}
	w, err := start(ctx, o)
	if err != nil {
		return Wrong, err
	}
	defer w.close()
	if w.byHand() {
		if _, err := w.StoreByHand(ctx); err != nil {
			return Wrong, err
		}
	}
	before := w.takePicture()
	v := newView(w, o)
	if o.Rotator != "" {
		if err := w.operate(ctx); err != nil {
			return Wrong, err
		}
		url, end, err := w.openConsole(o.Rotator)
		if err != nil {
			return Wrong, err
		}
		defer end()
		v.web = url
	}
	v.introduce(o.Fail)
	v.watch()
	execution, result, err := v.rotate(ctx, f)
	if ctx.Err() != nil {
		v.print("\nInterrupted: people finish the logins that they have begun; Ctrl-C again does not wait for them.")
	}
	v.traffic.Stop()
	switch {
	case ctx.Err() != nil:
		v.interrupted()
		return Interrupted, nil
	case errors.Is(err, errLimit):
		v.print("%v: this machine is too slow at the moment. End what else runs, and try again.", err)
		return TooSlow, nil
	case err != nil:
		return Wrong, err
	}
	status := v.summary(ctx, f, execution, result, before)
	if v.web != "" {
		v.stay(ctx)
	}
	return status, nil
}

// rotate rotates under the traffic and waits until enough of that went through.
func (v *view) rotate(ctx context.Context, f *failing) (execution string, result *sfn.DescribeExecutionOutput,
	err error) {
	if err := v.warmUp(ctx); err != nil {
		return "", nil, err
	}
	var injected atomic.Bool
	hear := func(e stepfunctions.Event) {
		if f != nil && e.StateEntered != nil && e.StateEntered.Name == f.state && injected.CompareAndSwap(false, true) {
			f.inject(v.world)
		}
		v.event(e)
	}
	v.world.onEvent.Store(&hear)
	if execution, err = v.world.execute(ctx); err != nil {
		return "", nil, err
	}
	defer v.draw()()
	if result, err = v.world.await(ctx, execution); err != nil {
		return execution, nil, err
	}
	return execution, result, v.awaitEnough(ctx)
}

// watch starts the people. v.mu keeps a failure of theirs from being printed before the traffic is known.
func (v *view) watch() {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.world
	slow := 0
	if w.Config.IsPair() {
		slow = 12 // so that some logins are open while the targets switch, and what becomes of them shows
	}
	v.traffic = traffic.Start(context.Background(), traffic.Options{Site: w.Site, Roots: w.Stack.Authority.Pool(),
		Users: w.Users, Logins: 16, Pause: 400 * time.Millisecond, Sessions: sessions, Visit: 500 * time.Millisecond,
		Moves: w.Config.IsPair(), Slow: slow, Typing: 2 * time.Second, Failed: v.noteFailure})
}

// warmUp waits until everybody has logged in, so that the rotation begins under traffic. What came too late until then
// came from a machine that was busy with starting, and does not count.
func (v *view) warmUp(ctx context.Context) error {
	err := until(ctx, warmUpLimit, "the first logins", func() bool { return v.traffic.Logins.Load() >= sessions+30 })
	v.mu.Lock()
	defer v.mu.Unlock()
	v.late = 0
	v.world.lateRefreshes.Store(0)
	return err
}

// awaitEnough waits until enough logins and refreshes went through for a failure to have shown, or for as long as makes
// sense.
func (v *view) awaitEnough(ctx context.Context) error {
	done := func() bool { return v.traffic.Logins.Load() >= wanted && v.world.refreshes.Load() >= wanted }
	if !done() {
		v.step("", "People go on until %d logins and %d session refreshes went through.", wanted, wanted)
	}
	if err := until(ctx, enoughLimit, "enough logins", done); !errors.Is(err, errLimit) {
		return err
	}
	return nil
}

// until waits until something is done; errLimit tells that it was not in time.
func until(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errLimit)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, context.Cause(ctx))
		}
	}
	return nil
}

// execute starts the state machine as a schedule or a person would.
func (w *world) execute(ctx context.Context) (string, error) {
	out, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).StartExecution(ctx, &sfn.StartExecutionInput{
		StateMachineArn: &w.MachineARN, Input: aws.String(`{"client": "` + scenario.Client + `"}`)})
	if err != nil {
		return "", fmt.Errorf("starting the execution: %w", err)
	}
	return *out.ExecutionArn, nil
}

// await asks the Step Functions API until the execution has ended.
func (w *world) await(ctx context.Context, execution string) (*sfn.DescribeExecutionOutput, error) {
	api := sfn.NewFromConfig(w.Stack.AWS(scenario.Home))
	var out *sfn.DescribeExecutionOutput
	var failed error
	err := until(ctx, rotationLimit, "the end of the execution", func() bool {
		out, failed = api.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: &execution})
		return failed != nil || out.Status != types.ExecutionStatusRunning
	})
	if failed != nil {
		return nil, fmt.Errorf("asking for the execution: %w", failed)
	}
	return out, err
}
