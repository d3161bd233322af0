package config

import (
	"fmt"
	"slices"

	"alboidc.internal/shared/strictjson"
)

// CanaryTests are the redirect and login tests that canaries must pass before other targets get the secret: those that
// are marked, or, if none is, all but the followers'. While only canaries have the new secret both are valid, so a test
// that goes through another target passes, too; not so with a pair, whose client id changes.
func (c Client) CanaryTests() (redirect []RedirectTest, login []LoginTest) {
	marked := slices.ContainsFunc(c.SmokeTests.Redirect, func(t RedirectTest) bool { return t.Canary }) ||
		slices.ContainsFunc(c.SmokeTests.Login, func(t LoginTest) bool { return t.Canary })
	all := !marked && !c.IsPair()
	for _, t := range c.SmokeTests.Redirect {
		if t.Canary || all && !t.Follower {
			redirect = append(redirect, t)
		}
	}
	for _, t := range c.SmokeTests.Login {
		if t.Canary || all && !t.Follower {
			login = append(login, t)
		}
	}
	return redirect, login
}

// UntestedCanaries says why no login can test canaries; "" if one can. What no login has tested says nothing about the
// secret: a redirect succeeds with any.
func (c Client) UntestedCanaries() string {
	switch _, login := c.CanaryTests(); {
	case len(login) > 0:
		return ""
	case c.IsPair():
		return "canaries are tested by a login, and those of a pair by one through a canary: add a login test with " +
			"canary: true"
	default:
		return "canaries are tested by a login: add a login test through a canary, with canary: true"
	}
}

// checkCanaries refuses canaries that could not show anything, or not in time.
func (c Client) checkCanaries(ps *strictjson.Problems) {
	if len(c.Canaries) == 0 {
		return
	}
	for i, arn := range c.Canaries {
		path := fmt.Sprintf("canaries[%d]", i)
		if !slices.Contains(c.LoadBalancers, arn) {
			ps.Add(path, "must be one of loadBalancers")
		}
		if slices.Contains(c.Canaries[:i], arn) {
			ps.Add(path, "is listed twice")
		}
	}
	if len(c.Canaries) >= len(c.LoadBalancers) && c.LoadBalancerSearch == nil {
		ps.Add("canaries", "must leave a load balancer that is none: it gets the secret when the canaries have shown "+
			"that logins work (to try one rule of several first, tag it: docs/client-configuration.md)")
	}
	if c.IdentityProvider.AllowInterruption {
		ps.Add("canaries", "must be left out with identityProvider.allowInterruption: a new secret ends the one that "+
			"the other load balancers have until they get it")
	}
	if why := c.UntestedCanaries(); why != "" {
		ps.Add("smokeTests.login", "%s", why)
	}
}

// checkKind: a follower is no canary, it reads AWSCURRENT by itself.
func checkKind(ps *strictjson.Problems, path string, follower, canary bool) {
	if follower && canary {
		ps.Add(path+".canary", "must be left out with follower: a follower gets the secret only when it is AWSCURRENT")
	}
}
