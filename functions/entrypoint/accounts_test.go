package entrypoint

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	awssts "github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
)

const there = "222233334444"

var workload = config.Role{RoleARN: "arn:aws:iam::" + there + ":role/workload", ExternalID: "hub-1"}

// twoAccounts has a load balancer double in each of two accounts.
type twoAccounts struct {
	clock    *clock.Virtual
	sts      *sts.Service
	faults   *fault.Injector
	sessions *sessions
	config   aws.Config
	assumed  int
}

func newTwoAccounts(t *testing.T) *twoAccounts {
	t.Helper()
	w := &twoAccounts{clock: clock.NewVirtual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)), faults: &fault.Injector{}}
	w.sts = sts.New(w.clock)
	server := awsapi.NewServer(w.clock, w.faults, w.sts, elbv2.New(w.clock, elbv2.Options{}))
	server.Add(there, elbv2.New(w.clock, elbv2.Options{Account: there}))
	w.faults.Observe(func(service, operation, _ string) {
		if service == "sts" && operation == "AssumeRole" {
			w.assumed++
		}
	})
	w.config = awsapi.Config(server, "eu-central-1")
	w.sessions = &sessions{sts: awssts.NewFromConfig(w.config), now: w.clock.Now, known: map[session]aws.Credentials{}}
	w.sts.SetRole(workload.RoleARN, sts.Trust{ExternalID: workload.ExternalID})
	return w
}

// read reads load balancers by a role.
func (w *twoAccounts) read(t *testing.T, role config.Role, name string) error {
	t.Helper()
	c := w.config.Copy()
	c.Credentials = assumed{w.sessions, session{role: role, name: name}}
	_, err := elasticloadbalancingv2.NewFromConfig(c).DescribeLoadBalancers(t.Context(),
		&elasticloadbalancingv2.DescribeLoadBalancersInput{})
	return awserr.Wrap(err, "listing load balancers")
}

func TestASessionIsKeptUntilShortlyBeforeItsEnd(t *testing.T) {
	t.Parallel()
	w := newTwoAccounts(t)
	for _, step := range []struct {
		after time.Duration
		name  string
		want  int
	}{{0, "orders-web.one", 1}, {10*time.Minute - time.Second, "orders-web.one", 1}, {time.Second, "orders-web.one", 2},
		{0, "orders-web.two", 3}, {0, "orders-web.one", 3}} {
		w.clock.Advance(step.after)
		if err := w.read(t, workload, step.name); err != nil || w.assumed != step.want {
			t.Errorf("at %s for %s: %d sessions, want %d (%v)", w.clock.Now(), step.name, w.assumed, step.want, err)
		}
	}
	if len(w.sessions.known) != 2 {
		t.Errorf("%d sessions are kept", len(w.sessions.known))
	}
}

func TestARoleThatCannotBeUsedIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(*twoAccounts, *config.Role)
		kind failure.Kind
		says string
	}{
		"another external id": {func(_ *twoAccounts, r *config.Role) { r.ExternalID = "guess" }, failure.AccessDenied,
			"does not trust the function's role with the externalId"},
		"no such role": {func(w *twoAccounts, _ *config.Role) { w.sts.DeleteRole(workload.RoleARN) },
			failure.AccessDenied,
			"it does not exist"},
		"a third account": {func(w *twoAccounts, r *config.Role) {
			w.sts.SetRole(r.RoleARN, sts.Trust{Account: "333344445555"})
		}, failure.Precondition, "is of account 333344445555, not of " + there},
		"throttled": {func(w *twoAccounts, _ *config.Role) {
			_, _ = w.faults.Add(fault.Rule{Service: "sts", Operation: "AssumeRole", Mode: fault.Refuse, Status: 400,
				Code: "Throttling"})
		}, failure.Throttled, "Throttling"},
		"no answer": {func(w *twoAccounts, _ *config.Role) {
			_, _ = w.faults.Add(fault.Rule{Service: "sts", Operation: "AssumeRole", Mode: fault.Lose})
		}, failure.Unavailable, "AssumeRole"},
	} {
		w, role := newTwoAccounts(t), workload
		c.do(w, &role)
		err := w.read(t, role, "orders-web.one")
		if !failure.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(),
			workload.RoleARN) || len(w.sessions.known) > 0 {
			t.Errorf("%s: %v (%s), want %s with %q", name, err, failure.KindOf(err), c.kind, c.says)
		}
	}
}

// A role of a further stack is of the function's own account, demands no external id, and has a remedy of its own.
func TestARoleOfAFurtherStackIsAssumed(t *testing.T) {
	t.Parallel()
	w := newTwoAccounts(t)
	role := config.Role{RoleARN: "arn:aws:iam::" + awsapi.AccountID + ":role/rotator-eu-central-1-plan-3"}
	a := assumed{w.sessions, session{role, "orders-web.one", 3}}
	_, err := a.Retrieve(t.Context())
	for _, want := range []string{"the clients of place 3", role.RoleARN, "deploy all stacks again"} {
		if !failure.Is(err, failure.AccessDenied) || !strings.Contains(err.Error(), want) {
			t.Errorf("without the role: %v, want %s", err, want)
		}
	}
	w.sts.SetRole(role.RoleARN, sts.Trust{})
	if c, err := a.Retrieve(t.Context()); err != nil || c.AccountID != awsapi.AccountID ||
		w.sts.RoleOf(c.AccessKeyID) !=
			role.RoleARN {
		t.Errorf("the session is of %s (%v)", w.sts.RoleOf(c.AccessKeyID), err)
	}
}

func TestASessionsNameTellsClientAndExecution(t *testing.T) {
	t.Parallel()
	const execution = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:"
	for call, want := range map[[2]string]string{
		{"orders-web", execution + "5f0c2a6e-5b1d-4c8e-9a57-0d6f1b2c3e4a"}: "orders-web." +
			"5f0c2a6e-5b1d-4c8e-9a57-0d6f1b2c3e4a",
		{strings.Repeat("a", 40), execution + strings.Repeat("b", 80)}: strings.Repeat("a", 27) + "." +
			strings.Repeat("b", 36),
		{"a", execution + "größe 1"}: "a.gr--e-1",
	} {
		if got := invocation.SessionName(call[0], call[1]); got != want || len(got) > 64 {
			t.Errorf("%v: %q, want %q", call, got, want)
		}
	}
}
