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
		marked, pair bool
		logins       string
	}{
		"marked": {true, false, "b"}, "not marked": {false, false, "a b"}, "a pair": {true, true, "b"},
		"a pair, not marked": {false, true, ""},
	} {
		var client config.Client
		client.SmokeTests.Login = []config.LoginTest{{URL: "a"}, {URL: "b", Canary: c.marked},
			{URL: "c", Follower: true}}
		if c.pair {
			client.IdentityProvider.ClientPair = "second"
		}
		var got []string
		_, login := client.CanaryTests()
		for _, l := range login {
			got = append(got, l.URL)
		}
		if strings.Join(got, " ") != c.logins || (client.UntestedCanaries() == "") != (c.logins != "") {
			t.Errorf("%s: the tests are %q (%s)", name, got, client.UntestedCanaries())
		}
	}
}
