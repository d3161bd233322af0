package config_test

import (
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
)

func TestURLsAreComparedAsServersDo(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"https://a.example/x", "https://a.example/x", true},
		{"https://A.Example/x", "https://a.example/x", true},
		{"HTTPS://a.example:443/x", "https://a.example/x", true},
		{"https://a.example:", "https://a.example", true},
		{"https://[2001:db8::1]:443/", "https://[2001:DB8::1]/", true},
		{"https://a.example", "https://a.example/", false},
		{"https://a.example/X", "https://a.example/x", false},
		{"https://a.example:8443/x", "https://a.example/x", false},
		{"https://a.example/x?y=Z", "https://a.example/x?y=z", false},
		{"https://b.example/x", "https://a.example/x", false},
		{"i", "i", true},
	} {
		if got := config.SameURL(c.a, c.b); got != c.same || config.SameURL(c.b, c.a) != got {
			t.Errorf("%s and %s: the same is %t", c.a, c.b, got)
		}
	}
}

// client is a client with an id, an issuer and a token endpoint.
func client(id, issuer string) config.Client {
	return config.Client{Issuer: issuer, ClientID: id, IdentityProvider: config.IdentityProvider{TokenEndpoint: issuer +
		"/token"}}
}

func TestTwoClientsOfOneRegistrationAreKnown(t *testing.T) {
	t.Parallel()
	a := client("orders", "https://a.example")
	paired, aliased, lower := client("first", "https://a.example"), client("orders",
		"https://b.example"), client("ORDERS", "https://b.example")
	paired.IdentityProvider.ClientPair = "orders"
	aliased.Aliases = []config.Alias{{Issuer: "https://A.example:443", TokenEndpoint: "https://x"}}
	otherIssuer := client("orders", "https://b.example")
	otherIssuer.IdentityProvider.TokenEndpoint = "https://a.example/token"
	for name, c := range map[string]struct {
		b            config.Client
		unique, same bool
	}{
		"the same":                           {client("orders", "https://a.example"), false, true},
		"its pair":                           {paired, false, true},
		"its alias":                          {aliased, false, true},
		"the token endpoint alone":           {otherIssuer, false, true},
		"another issuer":                     {client("orders", "https://b.example"), false, false},
		"another id":                         {client("shop", "https://a.example"), false, false},
		"another issuer, unique ids":         {client("orders", "https://b.example"), true, true},
		"other letters, unique ids":          {lower, true, true},
		"other letters, ids that are chosen": {lower, false, false},
	} {
		if got := config.SameRegistration(a, c.b, c.unique); got != c.same ||
			config.SameRegistration(c.b, a, c.unique) != got {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
}

func TestNamesThatContradictAreRefused(t *testing.T) {
	t.Parallel()
	const own = `"issuer": "https://EXAMPLE.okta.com:443/oauth2/default", "authorizationEndpoint": "https://x", "tokenEndpoint": "https://example.okta.com/oauth2/default/v1/token"`
	const other = `"issuer": "https://login.example.com", "authorizationEndpoint": "https://login.example.com/a", "tokenEndpoint": "https://login.example.com/t"`
	for fields, want := range map[string]string{
		`"aliases": [{` + other +
			`}],`: "",
		`"aliases": [{` + own +
			`}],`: "aliases[0]: is the client's own name",
		`"aliases": [{` + other + `}, {` + other +
			`}],`: "aliases[1]: is the client's own name, or is listed twice",
		`"aliases": [{"issuer": "https://x"}],`:                                                                          "aliases[0].tokenEndpoint: is missing",
		`"otherRegistrations": [{"issuer": "https://x", "tokenEndpoint": "http://x"}],`:                                  "otherRegistrations[0].tokenEndpoint: must begin with https://",
		`"otherRegistrations": [{"issuer": "https://x", "tokenEndpoint": "https://x/t"}],`:                               "",
		`"otherRegistrations": [{"issuer": "https://example.okta.com/oauth2/default", "tokenEndpoint": "https://x/t"}],`: "otherRegistrations[0]: has an issuer or token endpoint of the client itself",
		`"aliases": [{` + other +
			`}], "otherRegistrations": [{"issuer": "https://y", "tokenEndpoint": "https://LOGIN.example.com/t"}],`: "otherRegistrations[0]: has an issuer or token endpoint of the client itself",
		`"acceptElements": ["A b"],`:     "acceptElements[0]: must be the name of an element",
		`"acceptElements": ["A", "A"],`:  "acceptElements[1]: is listed twice",
		`"acceptElements": ["A", "B1"],`: "",
	} {
		_, err := config.Parse(with(t, `"callbackUrl"`, fields+`"callbackUrl"`))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", fields, err, want)
		}
	}
}

func TestEachTokenEndpointIsAskedOnce(t *testing.T) {
	t.Parallel()
	c := client("orders", "https://a.example")
	c.Aliases = []config.Alias{{Issuer: "https://a.example/", TokenEndpoint: "https://A.example/token"},
		{Issuer: "https://b", TokenEndpoint: "https://b/t"}}
	if got := c.TokenEndpoints(); !slices.Equal(got, []string{"https://a.example/token", "https://b/t"}) {
		t.Errorf("the token endpoints are %q", got)
	}
}
