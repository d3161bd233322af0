package system

import (
	"context"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/httpclient"
)

// Elsewhere are accounts whose load balancers are looked at besides the caller's.
type Elsewhere struct {
	// Roles are ARNs of roles there that the caller may assume.
	Roles []string
	// ExternalID is what their trust policies demand; "" is nothing.
	ExternalID string
}

// Logins lists the actions of Regions' load balancers that log users in by OIDC.
func (s *System) Logins(ctx context.Context, regions []string, e Elsewhere) ([]alb.Login, error) {
	all := map[string]*alb.Balancers{s.Account: s.balancers}
	accounts := []string{s.Account}
	for _, role := range e.Roles {
		if !config.IsRoleARN(role) {
			return nil, &Error{Text: fmt.Sprintf("--account-role %s must be the ARN of a role: "+
				"arn:aws:iam::ACCOUNT:role/NAME", role)}
		}
		account := config.AccountOf(role)
		if all[account] != nil {
			return nil, &Error{Text: fmt.Sprintf("--account-role %s is of account %s, which is looked at already", role,
				account)}
		}
		all[account], accounts = balancers(s.assume(role, e.ExternalID)), append(accounts, account)
	}
	var out []alb.Login
	for _, account := range accounts {
		for _, region := range regions {
			found, err := all[account].Logins(ctx, region)
			if err != nil {
				return nil, Unreachable(err, "looking at the load balancers of %s in account %s", region, account)
			}
			out = append(out, found...)
		}
	}
	return out, nil
}

// assume is the configuration of a client in a role's account.
func (s *System) assume(role, externalID string) aws.Config {
	c := s.aws.Copy()
	c.Credentials = aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(sts.NewFromConfig(s.aws), role,
		func(o *stscreds.AssumeRoleOptions) {
			o.RoleSessionName = "rotator-discover"
			if externalID != "" {
				o.ExternalID = &externalID
			}
		}))
	return c
}

// balancers are the load balancers that a configuration reaches.
func balancers(c aws.Config) *alb.Balancers {
	return alb.New(func(region string) alb.API {
		return elasticloadbalancingv2.NewFromConfig(c, func(o *elasticloadbalancingv2.Options) { o.Region = region })
	}, time.Now, httpclient.Sleep)
}
