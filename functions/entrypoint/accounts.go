package entrypoint

import (
	"context"
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
	s := &sessions{sts: sts.NewFromConfig(*m.AWS), now: m.Now, known: map[session]aws.Credentials{}}
	own, errors := d.Balancers, metrics.New(byRegion(m, cloudWatch), m.Now)
	reads := d.AuthErrors != nil
	d.Reach = func(roles map[string]config.Role, name string) invocation.Reached {
		balancers := map[string]func(string) alb.API{}
		counters := map[string]func(string) metrics.CloudWatch{}
		for account, role := range roles {
			by := m.withCredentials(assumed{s, session{role, name}})
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

// session is of a role, with the name that other accounts see.
type session struct {
	role config.Role
	name string
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
	out, err := a.sts.AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: &a.name,
		ExternalId: &a.role.ExternalID, DurationSeconds: aws.Int32(int32(sessionLife / time.Second))})
	switch {
	case awserr.KindOf(err) == failure.AccessDenied:
		return aws.Credentials{}, awserr.Wrap(err,
			"assuming the role %s, which reaches the load balancers of account %s: it does not exist, does not trust "+
				"the function's role with the externalId of the configuration, or the function may not assume it: "+
				"deploy infra/workload-role.yaml in account %s again, with the hub's outputs WorkloadCaller and that "+
				"externalId (docs/deploying.md#load-balancers-in-other-accounts), or correct roles",
			role, account, account)
	case err != nil:
		return aws.Credentials{}, awserr.Wrap(err,
			"assuming the role %s, which reaches the load balancers of account %s", role, account)
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
