package config_test

import (
	"encoding/json"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/config/configtest"
	"alboidc.internal/shared/failure"
)

// What is accepted fits the published schema, says the same when it is written and read again, and leads nowhere but
// to https URLs of ASCII hosts. What is refused is InvalidInput.
func FuzzClientConfiguration(f *testing.F) {
	for _, seed := range []string{good, `{}`, `null`, `[]`, `{"name": "a", "name": "b"}`, good + "{}",
		strings.Replace(good, "https://orders", "https://ordérs", 2), strings.Replace(good, `"okta"`, `null`, 1),
		strings.Replace(good, `"currentSecretId": "ocs1"`, `"clientPair": "0oaSecond"`, 1),
		strings.Replace(good, `"gracePeriodSeconds": 3600`, `"aliases": [{"issuer": "https://b.example",
			"authorizationEndpoint": "https://b.example/a", "tokenEndpoint": "https://b.example:443/t"}],
			"otherRegistrations": [{"issuer": "https://c.example", "tokenEndpoint": "https://c.example/t"}],
			"acceptElements": ["New"], "loadBalancerSearch": {"tags": {"a": "b"}, "regions": ["eu-west-1"]}`, 1)} {
		f.Add([]byte(seed))
	}
	schema := schema(f)
	f.Fuzz(func(t *testing.T, document []byte) {
		c, err := config.Parse(document)
		if err != nil {
			if !failure.Is(err, failure.InvalidInput) || !reflect.DeepEqual(c, config.Client{}) {
				t.Errorf("%v with %+v", err, c)
			}
			return
		}
		var value any
		if err := json.Unmarshal(document, &value); err != nil {
			t.Fatal(err)
		}
		// the code takes both for left out
		empty := strings.Contains(string(document), "null") ||
			strings.Contains(string(document), "tokenAuthMethod") && c.IdentityProvider.TokenAuthMethod == ""
		if err := configtest.Conforms(schema, value, "$"); err != nil && !empty {
			t.Errorf("accepted, but not by the schema: %v", err)
		}
		written, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		again, err := config.Parse(written)
		if rewritten, _ := json.Marshal(again); err != nil || string(rewritten) != string(written) {
			t.Errorf("%s is read as %s (%v)", written, rewritten, err)
		}
		for _, raw := range urls(c) {
			u, err := url.Parse(raw)
			if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
				config.ASCIIHost(u.Hostname()) != u.Hostname() || !config.SameURL(raw, raw) {
				t.Errorf("%q is accepted as a URL (%v)", raw, err)
			}
		}
		if ids := c.ClientIDs(); slices.Contains(ids, "") || len(ids) == 2 && ids[0] == ids[1] ||
			!config.SameRegistration(c, c, false) || len(c.Identity().Differences(again.Identity())) > 0 {
			t.Errorf("the registrations are %v", ids)
		}
		if len(c.LoadBalancers) == 0 && c.LoadBalancerSearch == nil ||
			len(c.SmokeTests.Redirect)+len(c.SmokeTests.Login) == 0 || c.Spread() < 1 || c.GracePeriod() < 0 ||
			c.SmokeTests.Credential.InARow(0) < 1 {
			t.Errorf("%+v cannot be rotated", c)
		}
	})
}

// urls are all that a configuration makes the functions call.
func urls(c config.Client) []string {
	out := []string{c.CallbackURL}
	for _, n := range c.Names() {
		out = append(out, n.Issuer, n.AuthorizationEndpoint, n.TokenEndpoint)
	}
	for _, t := range c.SmokeTests.Redirect {
		out = append(out, t.URL)
	}
	for _, t := range c.SmokeTests.Login {
		out = append(out, t.URL)
	}
	return out
}

// A host in the form of DNS is one for good.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"", "example.com", "bücher.example", "b。c", "...", "ß.ß", "xn--a", "日本語。jp", "\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		ascii := config.ASCIIHost(host)
		if again := config.ASCIIHost(ascii); again != ascii {
			t.Errorf("%q becomes %q, and that %q", host, ascii, again)
		}
		if strings.IndexFunc(ascii, func(r rune) bool { return r >= 0x80 }) >= 0 {
			t.Errorf("%q becomes %q", host, ascii)
		}
	})
}
