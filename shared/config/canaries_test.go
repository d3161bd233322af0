package config_test

import (
	"encoding/json"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
)

// withCanaries is the documented example, whose second load balancer is a canary, changed.
func withCanaries(t *testing.T, change func(*config.Client)) config.Client {
	t.Helper()
	var c config.Client
	if err := json.Unmarshal([]byte(complete(t)), &c); err != nil {
		t.Fatal(err)
	}
	c.LoadBalancerSearch, c.Followers = nil, nil
	change(&c)
	return c
}

func TestCanariesThatShowNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*config.Client)
		says   string
	}{
		"one of two":     {func(*config.Client) {}, ""},
		"unmarked tests": {func(c *config.Client) { c.SmokeTests.Login[0].Canary = false }, ""},
		"all of them": {func(c *config.Client) { c.Canaries = c.LoadBalancers },
			"canaries: must leave a load balancer"},
		"all of them, but a search finds others": {func(c *config.Client) {
			c.Canaries = c.LoadBalancers
			c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"a": "b"},
				Regions: []string{"eu-west-3"}}
		}, ""},
		"another one": {func(c *config.Client) { c.Canaries[0] += "0" },
			"canaries[0]: must be one of loadBalancers"},
		"no login test": {func(c *config.Client) { c.SmokeTests.Login = nil },
			"smokeTests.login: canaries are tested by"},
		"only a redirect": {func(c *config.Client) {
			c.SmokeTests.Login[0].Canary, c.SmokeTests.Redirect[0] = false, config.RedirectTest{
				URL: "https://orders.example.com/", Canary: true}
		}, "smokeTests.login: canaries are tested by"},
		"twice": {func(c *config.Client) { c.Canaries = append(c.Canaries, c.Canaries[0]) },
			"canaries[1]: is listed twice"},
		"a pair": {func(c *config.Client) { c.IdentityProvider.ClientPair = "0oa2" }, ""},
		"a pair, unmarked": {func(c *config.Client) {
			c.IdentityProvider.ClientPair, c.SmokeTests.Login[0].Canary = "0oa2", false
		}, "one through a canary"},
		"in place": {func(c *config.Client) {
			c.IdentityProvider.AllowInterruption, c.IdentityProvider.ClientPair = true, ""
		}, "canaries: must be left out with identityProvider.allowInterruption"},
		"a follower": {func(c *config.Client) { c.SmokeTests.Login[0].Follower = true },
			"smokeTests.login[0].canary: must be left out with follower"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			problems := withCanaries(t, c.change).Problems()
			text := ""
			if err := problems.Err("it"); err != nil {
				text = err.Error()
			}
			if (text == "") != (c.says == "") || !strings.Contains(text, c.says) {
				t.Errorf("got %q, want %q", text, c.says)
			}
		})
	}
}

func TestTheTestsOfCanariesAreThoseThatAreMarked(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		marked, redirect, pair bool
		logins, redirects      string
	}{
		"marked": {true, false, false, "b", ""}, "not marked": {false, false, false, "a b", "d"},
		"a pair": {true, false, true, "b", ""}, "a pair, not marked": {false, false, true, "", ""},
		"a marked redirect": {false, true, false, "", "d"},
	} {
		var client config.Client
		client.SmokeTests.Login = []config.LoginTest{{URL: "a"}, {URL: "b", Canary: c.marked},
			{URL: "c", Follower: true}}
		client.SmokeTests.Redirect = []config.RedirectTest{{URL: "d", Canary: c.redirect}, {URL: "e", Follower: true}}
		if c.pair {
			client.IdentityProvider.ClientPair = "second"
		}
		var logins, redirects []string
		redirect, login := client.CanaryTests()
		for _, l := range login {
			logins = append(logins, l.URL)
		}
		for _, r := range redirect {
			redirects = append(redirects, r.URL)
		}
		if strings.Join(logins, " ") != c.logins || strings.Join(redirects, " ") != c.redirects ||
			(client.UntestedCanaries() == "") != (c.logins != "") {
			t.Errorf("%s: canaries are tested by the logins %q and the redirects %q (%s)", name, logins, redirects,
				client.UntestedCanaries())
		}
	}
}
