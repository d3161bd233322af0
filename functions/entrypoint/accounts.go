package entrypoint

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe/metrics"
)

const (
	// sessionLife is the shortest that STS grants (STS API reference, AssumeRole): a function's call is over by then.
	sessionLife = 15 * time.Minute
	// unused is how long before its end a session is no longer used: longer than a function may run on with it.
	unused = 5 * time.Minute
)

// otherAccounts adds what reaches load balancers in other accounts, by the roles of the client's configuration. It
// comes after what reaches those of the function's own.
func otherAccounts(_ environment, m Machine, d *invocation.Deps) error {
	own, errors := d.Balancers, metrics.New(byRegion(m, cloudWatch), m.Now)
	reads := d.AuthErrors != nil
	d.Reach = func(roles map[string]config.Role, name string) invocation.Reached {
		balancers := map[string]func(string) alb.API{}
		counters := map[string]func(string) metrics.CloudWatch{}
		for account, role := range roles {
			by := m.withCredentials(assumed{m.sessions, session{role: role, name: name}})
			balancers[account] = byRegion(by, balancing)
			counters[account] = byRegion(by, cloudWatch)
		}
		r := invocation.Reached{Balancers: own.By(balancers)}
		if reads {
			all := errors.By(counters)
			r.AuthErrors, r.LoginsStopped, r.LastLogin = all.AuthErrors, all.LoginsStopped, all.LastLogin
		}
		return r
	}
	return nil
}

func balancing(c aws.Config) alb.API { return elasticloadbalancingv2.NewFromConfig(c) }

func cloudWatch(c aws.Config) metrics.CloudWatch { return cloudwatch.NewFromConfig(c) }

// withCredentials is the machine with others.
func (m Machine) withCredentials(p aws.CredentialsProvider) Machine {
	c := m.AWS.Copy()
	c.Credentials = p
	m.AWS = &c
	return m
}

// session is of a role, with the name that CloudTrail shows. place is that of a role of a further stack; 0 is one of
// another account.
type session struct {
	role  config.Role
	name  string
	place int
}

// reaches says what the role is for, and what to do if it cannot be assumed.
func (s session) reaches() (what, remedy string) {
	if s.place > 0 {
		return fmt.Sprintf("the clients of place %d", s.place),
			"it does not exist or does not trust the function's role, or " +
				"the function may not assume it; deploy all stacks again (docs/deploying.md#hundreds-of-clients)"
	}
	account := s.role.Account()
	return "the load balancers of account " + account, "it does not exist, does not trust " +
		"the function's role with the externalId of the configuration, or the function may not assume it: " +
		"deploy infra/workload-role.yaml in account " + account + " again, with the hub's outputs WorkloadCaller and " +
		"that externalId (docs/deploying.md#load-balancers-in-other-accounts), or correct roles"
}

// sessions are kept until shortly before they end, also across the calls of a function.
type sessions struct {
	sts *sts.Client
	now func() time.Time

	mu    sync.Mutex
	known map[session]aws.Credentials
}

// assumed gives the credentials of one session. It implements aws.CredentialsProvider.
type assumed struct {
	*sessions
	session
}

// Retrieve returns the session's credentials, and begins another one if need be. Of its failures the SDK's errors hold
// the text.
func (a assumed) Retrieve(ctx context.Context) (aws.Credentials, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for k, c := range a.known {
		if !a.now().Add(unused).Before(c.Expires) {
			delete(a.known, k)
		}
	}
	if c, ok := a.known[a.session]; ok {
		return c, nil
	}
	c, err := a.assume(ctx)
	if err == nil {
		a.known[a.session] = c
	}
	return c, err
}

func (a assumed) assume(ctx context.Context) (aws.Credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	role, account := a.role.RoleARN, a.role.Account()
	in := sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &a.name,
		DurationSeconds: aws.Int32(int32(sessionLife / time.Second))}
	if a.role.ExternalID != "" {
		in.ExternalId = &a.role.ExternalID
	}
	out, err := a.sts.AssumeRole(ctx, &in)
	what, remedy := a.reaches()
	switch {
	case awserr.KindOf(err) == failure.AccessDenied:
		return aws.Credentials{}, awserr.Wrap(err, "assuming the role %s, which reaches %s: %s", role, what, remedy)
	case err != nil:
		return aws.Credentials{}, awserr.Wrap(err, "assuming the role %s, which reaches %s", role, what)
	case out.Credentials == nil || out.AssumedRoleUser == nil:
		return aws.Credentials{}, failure.New(failure.Unavailable,
			"assuming the role %s: the answer of STS holds no session",
			role)
	}
	if got := config.AccountOf(aws.ToString(out.AssumedRoleUser.Arn)); got != account {
		return aws.Credentials{}, failure.New(failure.Precondition,
			"assuming the role %s: the session that STS gave is of "+
				"account %s, not of %s; nothing was done with it", role, got, account)
	}
	c := out.Credentials
	return aws.Credentials{AccessKeyID: aws.ToString(c.AccessKeyId), SecretAccessKey: aws.ToString(c.SecretAccessKey),
		SessionToken: aws.ToString(c.SessionToken), AccountID: account, CanExpire: true,
		Expires: aws.ToTime(c.Expiration), Source: "AssumeRole"}, nil
}
