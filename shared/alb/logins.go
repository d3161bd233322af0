package alb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/rotation"
)

// Login is an action that logs users in by OIDC.
type Login struct {
	rotation.Target
	Issuer, AuthorizationEndpoint, TokenEndpoint, UserInfoEndpoint, ClientID string
	// Hosts are the names in the rule's host-header conditions, without patterns.
	Hosts []string
	// Controller owns the action; "" if none does.
	Controller string
	// Refusals and Warnings say who else writes the action, as in Found.
	Refusals, Warnings []string
}

// Logins lists the actions of a Region's Application Load Balancers that log users in by OIDC, by load balancer, port
// and priority. It fails with Unavailable if one vanishes meanwhile.
func (b *Balancers) Logins(ctx context.Context, region string) ([]Login, error) {
	api := b.waits().reader("", region)
	all, err := balancers(ctx, api)
	if err != nil {
		return nil, awserr.Wrap(err, "listing the load balancers of %s", region)
	}
	slices.SortFunc(all, func(a, b types.LoadBalancer) int {
		return strings.Compare(aws.ToString(a.LoadBalancerArn), aws.ToString(b.LoadBalancerArn))
	})
	var out []Login
	for _, lb := range all {
		parsed, err := parseBalancer(aws.ToString(lb.LoadBalancerArn))
		if err != nil {
			return nil, err
		}
		s := &search{api: api, lb: parsed, unknown: unknownElements{}}
		found, err := s.logins(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// logins lists those of one load balancer.
func (s *search) logins(ctx context.Context) ([]Login, error) {
	listeners, err := s.listeners(ctx)
	if err != nil {
		return nil, asUnavailable(err, "listing the listeners of %s", s.lb.name)
	}
	var out []Login
	for _, l := range listeners {
		rules, err := s.rules(ctx, aws.ToString(l.ListenerArn))
		if err != nil {
			return nil, asUnavailable(err, "listing the rules of %s :%d", s.lb.name, aws.ToInt32(l.Port))
		}
		for _, r := range rules {
			out = append(out, s.login(l, aws.ToString(r.RuleArn), "rule "+aws.ToString(r.Priority), r.Actions,
				hosts(r.Conditions))...)
		}
		out = append(out, s.login(l, "", "default", l.DefaultActions, nil)...)
	}
	if len(out) == 0 {
		return nil, nil
	}
	for _, login := range out {
		s.found.Targets = append(s.found.Targets, login.Target)
	}
	tags, err := s.readTags(ctx)
	if err != nil {
		return nil, err
	}
	owners := ownersOf(s.found.Targets, tags)
	for i := range out {
		out[i].Controller, out[i].Canary = owners[out[i].Key()], isCanary(out[i].Target, tags)
		for _, r := range s.resources() {
			if r.arn != "" && slices.Contains([]string{out[i].LoadBalancerARN, out[i].ListenerARN, out[i].RuleARN},
				r.arn) {
				refusals, warnings := ownership(r.name, tags[r.arn])
				out[i].Refusals, out[i].Warnings = append(out[i].Refusals, refusals...), append(out[i].Warnings,
					warnings...)
			}
		}
	}
	return out, nil
}

// login returns the action of one rule, or of a default, that logs in by OIDC; there is at most one.
func (s *search) login(l types.Listener, rule, what string, actions []types.Action, hosts []string) (out []Login) {
	for _, a := range actions {
		o := a.AuthenticateOidcConfig
		if a.Type != types.ActionTypeEnumAuthenticateOidc || o == nil {
			continue
		}
		t := rotation.Target{Region: s.lb.region, LoadBalancerARN: s.lb.arn, ListenerARN: aws.ToString(l.ListenerArn),
			RuleARN: rule, Name: fmt.Sprintf("%s :%d %s", s.lb.name, aws.ToInt32(l.Port), what)}
		out = append(out, Login{Target: t, Issuer: aws.ToString(o.Issuer), ClientID: aws.ToString(o.ClientId),
			AuthorizationEndpoint: aws.ToString(o.AuthorizationEndpoint), TokenEndpoint: aws.ToString(o.TokenEndpoint),
			UserInfoEndpoint: aws.ToString(o.UserInfoEndpoint), Hosts: hosts})
	}
	return out
}

// hosts returns the names in host-header conditions that are no patterns.
func hosts(conditions []types.RuleCondition) (out []string) {
	for _, c := range conditions {
		values := c.Values
		if c.HostHeaderConfig != nil {
			values = c.HostHeaderConfig.Values
		}
		for _, v := range values {
			if aws.ToString(c.Field) == "host-header" && !strings.ContainsAny(v, "*?") {
				out = append(out, v)
			}
		}
	}
	return out
}
