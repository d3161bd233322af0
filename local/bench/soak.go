package bench

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/traffic"
	"alboidc.internal/shared/config"
)

// The pace of the soak: the least that the configuration takes, so that people notice a wait that is too short.
const (
	soakSpread   = time.Second
	soakSettle   = 9 * time.Second // after the last write: a plan waits for what is left of it
	soakTimeout  = 8 * time.Second // of functions: one call sets several targets
	soakLifetime = 2 * time.Second // of an access token, after which a session is refreshed
)

// soak rotates again and again, with the functions' binaries, in real time, while people log in and stay logged in.
func soak(ctx context.Context, functions string, rotations int) ([]Row, error) {
	var refreshes, broken, late atomic.Int64
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	authority := filepath.Join(dir, "authority.pem")
	environment := scenario.Environment()
	environment["EXTRA_CA_FILE"], environment["ALLOW_LOOPBACK"] = authority, "true"
	s, err := stack.Start(ctx, stack.Options{Spread: []time.Duration{100 * time.Millisecond, 700 * time.Millisecond},
		AccessTokenLifetime: soakLifetime, FunctionLogs: io.Discard,
		FunctionEnv: environment,
		OnAuth: func(e dataplane.Event) {
			if e.Kind == dataplane.Refresh && e.OK {
				refreshes.Add(1)
			}
		}})
	if err != nil {
		return nil, err
	}
	defer func() { _ = s.Close() }()
	d, err := deploySoak(ctx, s, functions, authority)
	if err != nil {
		return nil, err
	}
	people := traffic.Start(ctx, traffic.Options{Site: d.Site, Roots: s.Authority.Pool(), Users: d.Users, Logins: 6,
		Pause: 20 * time.Millisecond, Sessions: 60, Visit: 500 * time.Millisecond, Failed: func(f traffic.Failure) {
			if f.Late {
				late.Add(1)
			} else { // a session that could not be refreshed is one, too
				broken.Add(1)
			}
		}})
	failed, began := 0, time.Now()
	for range rotations {
		if err := rotateInTime(ctx, s, d); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			failed++
		}
	}
	took := time.Since(began)
	people.Stop()
	all := people.Logins.Load() + refreshes.Load() + broken.Load()
	group := fmt.Sprintf("%d rotations under traffic", rotations)
	return []Row{
		{group, "failed logins and refreshes per 100,000", 100_000 * float64(broken.Load()) / float64(max(1, all)), "",
			goal(0), false},
		{group, "logins and refreshes", float64(all), "", nil, false},
		{group, "answers that this machine was too slow for", float64(late.Load()), "", nil, false},
		{group, "rotations that did not succeed", float64(failed), "", goal(0), false},
		{group, "time of a rotation, waits included",
			took.Seconds() / float64(rotations), "s", nil, false}}, nil
}

func deploySoak(ctx context.Context, s *stack.Stack, functions, authority string) (*scenario.Deployment, error) {
	if err := os.WriteFile(authority, s.Authority.PEM(), 0o600); err != nil {
		return nil, err
	}
	arns, err := scenario.CreateFunctions(ctx, s, functions, soakTimeout, 30*time.Second)
	if err != nil {
		return nil, err
	}
	d, err := scenario.Deploy(ctx, s, scenario.Options{Functions: arns, Settle: soakSettle, Spread: soakSpread,
		Grace: soakSpread, Configure: func(c *config.Client) {
			// the login tests stay: without them a rotation waits minutes for CloudWatch's metrics
			c.SmokeTests.Redirect = c.SmokeTests.Redirect[:1]
			c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(2), IntervalSeconds: aws.Int(0)}
		}})
	if err != nil {
		return nil, err
	}
	return d, s.Clock.Sleep(ctx, s.ELB.Spread())
}

// rotateInTime runs one execution, which must succeed.
func rotateInTime(ctx context.Context, s *stack.Stack, d *scenario.Deployment) error {
	started, err := sfn.NewFromConfig(s.AWS(scenario.Home)).StartExecution(ctx,
		&sfn.StartExecutionInput{StateMachineArn: &d.MachineARN, Input: aws.String(plain)})
	if err != nil {
		return err
	}
	r, err := s.StepFunctions.Wait(ctx, *started.ExecutionArn)
	if err == nil && r.Status != asl.Succeeded {
		err = fmt.Errorf("it ended as %s: %s", aws.ToString(r.Error), aws.ToString(r.Cause))
	}
	return err
}
