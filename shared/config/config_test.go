package config_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
)

// good is a configuration in which every optional field is set.
const good = `{
	"name": "orders-web",
	"issuer": "https://example.okta.com/oauth2/default",
	"clientId": "0oaClient",
	"callbackUrl": "https://orders.example.com/oauth2/idpresponse",
	"secret": {"arn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-web-AbCdEf", "jsonKey": "clientSecret"},
	"identityProvider": {
		"type": "okta",
		"authorizationEndpoint": "https://example.okta.com/oauth2/default/v1/authorize",
		"tokenEndpoint": "https://example.okta.com/oauth2/default/v1/token",
		"tokenAuthMethod": "client_secret_post",
		"currentSecretId": "ocs1",
		"settings": {"orgUrl": "https://example.okta.com"}
	},
	"loadBalancers": ["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"],
	"gracePeriodSeconds": 3600,
	"spreadSeconds": 90,
	"smokeTests": {
		"credential": {"successesInARow": 5, "intervalSeconds": 0},
		"redirect": [{"url": "https://orders.example.com/", "connectTo": ["10.0.0.1:443"]}],
		"login": [{"url": "https://orders.example.com/", "connectTo": ["[::1]:8443"],
			"userSecretArn": "arn:aws:secretsmanager:eu-west-1:111122223333:secret:synthetic-user", "expectText": "Welcome"}],
		"maxAuthErrors": 2
	}
}`

// with is good after one change of its text.
func with(t *testing.T, old, new string) []byte {
	t.Helper()
	if strings.Count(good, old) != 1 {
		t.Fatalf("%q occurs %d times", old, strings.Count(good, old))
	}
	return []byte(strings.Replace(good, old, new, 1))
}

func TestAPairHasTwoClientIDs(t *testing.T) {
	t.Parallel()
	one, err := config.Parse([]byte(good))
	if err != nil || one.IsPair() || !slices.Equal(one.ClientIDs(), []string{"0oaClient"}) {
		t.Errorf("the client ids are %v (%v)", one.ClientIDs(), err)
	}
	two, err := config.Parse(with(t, `"currentSecretId": "ocs1"`, `"clientPair": "0oaSecond"`))
	if err != nil || !two.IsPair() || !slices.Equal(two.ClientIDs(), []string{"0oaClient", "0oaSecond"}) {
		t.Errorf("the client ids are %v (%v)", two.ClientIDs(), err)
	}
}

func TestAGoodConfigurationIsRead(t *testing.T) {
	t.Parallel()
	c, err := config.Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "orders-web" || c.Secret.JSONKey != "clientSecret" ||
		c.IdentityProvider.AuthMethod() != "client_secret_post" ||
		c.GracePeriod() != 3600 || c.Spread() != 90 || c.SmokeTests.Credential.InARow(0) != 5 ||
		c.SmokeTests.Credential.Interval(0) != 0 || c.SmokeTests.AuthErrors() != 2 ||
		string(c.IdentityProvider.Settings) != `{"orgUrl": "https://example.okta.com"}` {
		t.Errorf("got %+v", c)
	}
}

func TestOptionalFieldsHaveTheirDefaults(t *testing.T) {
	t.Parallel()
	var m map[string]any
	if err := json.Unmarshal([]byte(good), &m); err != nil {
		t.Fatal(err)
	}
	delete(m, "gracePeriodSeconds")
	delete(m, "spreadSeconds")
	delete(m["identityProvider"].(map[string]any), "tokenAuthMethod")
	delete(m["identityProvider"].(map[string]any), "currentSecretId")
	m["smokeTests"] = map[string]any{"redirect": []any{map[string]any{"url": "https://orders.example.com/"}}}
	b, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(b)
	if err != nil {
		t.Fatal(err)
	}
	if c.GracePeriod() != 86400 || c.Spread() != 60 || c.IdentityProvider.AuthMethod() != "client_secret_basic" ||
		c.SmokeTests.Credential.InARow(0) != 3 || c.SmokeTests.Credential.Interval(0) != 1 ||
		c.SmokeTests.AuthErrors() != 0 {
		t.Errorf("got %+v", c)
	}
}

func TestEachWrongValueIsNamed(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, old, new, want string }{
		{"a name in capitals", `"orders-web",`, `"Orders",`, "name: must be"},
		{"a name that ends in a hyphen", `"orders-web",`, `"orders-",`, "name: must be"},
		{"a name of 41 characters", `"orders-web",`, `"` + strings.Repeat("a", 41) + `",`, "name: must be"},
		{"an issuer without https", `"https://example.okta.com/oauth2/default"`, `"http://example.okta.com"`,
			"issuer: must begin with https://"},
		{"an issuer with a password", `"https://example.okta.com/oauth2/default"`, `"https://a:b@example.okta.com"`,
			"issuer: must have no user"},
		{"an issuer without a host", `"https://example.okta.com/oauth2/default"`, `"https://:443/x"`,
			"issuer: must be an absolute"},
		{"a relative issuer", `"https://example.okta.com/oauth2/default"`, `"/oauth2"`, "issuer: must be an absolute"},
		{"an issuer that is no URL", `"https://example.okta.com/oauth2/default"`, `"https://%zz"`,
			"issuer: must be an absolute"},
		{"no client id", `"0oaClient"`, `""`, "clientId: is missing"},
		{"no callback URL", `"https://orders.example.com/oauth2/idpresponse"`, `""`, "callbackUrl: is missing"},
		{"another callback path", `orders.example.com/oauth2/idpresponse`, `orders.example.com/callback`,
			"callbackUrl: must be https://HOST/oauth2/idpresponse"},
		{"a callback path below another", `orders.example.com/oauth2/idpresponse`,
			`orders.example.com/a/oauth2/idpresponse`, "callbackUrl: must be https://HOST/oauth2/idpresponse"},
		{"a callback path in a query", `orders.example.com/oauth2/idpresponse`,
			`orders.example.com/?to=/oauth2/idpresponse`, "callbackUrl: must be https://HOST/oauth2/idpresponse"},
		{"a name for a secret's ARN", `"arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders-web-AbCdEf"`,
			`"orders-web"`, "secret.arn: must be the ARN"},
		{"no provider type", `"type": "okta"`, `"type": ""`, "identityProvider.type: is missing"},
		{"no token endpoint", `"https://example.okta.com/oauth2/default/v1/token"`, `""`,
			"identityProvider.tokenEndpoint: is missing"},
		{"no authorization endpoint", `"https://example.okta.com/oauth2/default/v1/authorize"`, `""`,
			"identityProvider.authorizationEndpoint: is missing"},
		{"a public key", `"client_secret_post"`, `"private_key_jwt"`,
			"identityProvider.tokenAuthMethod: must be client_secret_basic or client_secret_post"},
		{"a secret id with a space", `"ocs1"`, `"ocs1 "`, "identityProvider.currentSecretId: must not"},
		{"a client id of a pair with a space", `"currentSecretId": "ocs1"`, `"clientPair": "0oaSecond "`,
			"identityProvider.clientPair: must not"},
		{"a pair of one client", `"currentSecretId": "ocs1"`, `"clientPair": "0oaClient"`,
			"identityProvider.clientPair: must be the client id of a second"},
		{"a pair with an interruption", `"currentSecretId": "ocs1"`,
			`"clientPair": "0oaSecond", "allowInterruption": true`,
			"identityProvider.allowInterruption: must be left out"},
		{"followers of a pair that read the secret only", `"settings": {"orgUrl": "https://example.okta.com"}
	},`, `"settings": {"orgUrl": "https://example.okta.com"}, "clientPair": "0oaSecond"}, "followers": {"maxDelaySeconds": 60},`,
			"followers: need secret.clientIdKey"},
		{"a client id beside no member", `"jsonKey": "clientSecret"`, `"clientIdKey": "id"`,
			"secret.clientIdKey: needs secret.jsonKey"},
		{"a client id in the secret's place", `"jsonKey": "clientSecret"`,
			`"jsonKey": "clientSecret", "clientIdKey": "clientSecret"`, "secret.clientIdKey: must be another member"},
		{"no settings", `"settings": {"orgUrl": "https://example.okta.com"}`, `"settings": null`,
			"identityProvider.settings: is missing"},
		{"no load balancers",
			`["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"]`, `[]`,
			"loadBalancers: is missing"},
		{"a network load balancer", `loadbalancer/app/`, `loadbalancer/net/`,
			"loadBalancers[0]: must be the ARN of an Application Load Balancer"},
		{"a load balancer twice",
			`["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"]`,
			`["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/5a", "arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/5a"]`, "loadBalancers[1]: is listed twice"},
		{"a load balancer of null",
			`["arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"]`,
			`[null]`, "loadBalancers[0]: must be"},
		{"a search without tags", `"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {}, "regions": ["eu-west-1"]}, "loadBalancers":`,
			"loadBalancerSearch.tags: is missing"},
		{"a tag without a key", `"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {"": "x"}, "regions": ["eu-west-1"]}, "loadBalancers":`,
			"loadBalancerSearch.tags: must have no empty key"},
		{"a tag that is a number", `"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {"login": 1}, "regions": ["eu-west-1"]}, "loadBalancers":`,
			"loadBalancerSearch.tags.login: must be a string"},
		{"a search nowhere", `"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {"login": "orders"}}, "loadBalancers":`,
			"loadBalancerSearch.regions: is missing"},
		{"a search in a town", `"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {"login": "orders"}, "regions": ["Dublin"]}, "loadBalancers":`,
			"loadBalancerSearch.regions[0]: must be a Region"},
		{"a Region twice",
			`"loadBalancers":`,
			`"loadBalancerSearch": {"tags": {"login": "orders"}, "regions": ["eu-west-1", "eu-west-1"]}, "loadBalancers":`, "loadBalancerSearch.regions[1]: is listed twice"},
		{"a negative grace period", `3600`, `-1`, "gracePeriodSeconds: must be 0 to 2592000, not -1"},
		{"a grace period beyond 30 days", `3600`, `2592001`, "gracePeriodSeconds: must be 0 to 2592000"},
		{"no time to spread", `"spreadSeconds": 90`, `"spreadSeconds": 0`, "spreadSeconds: must be 1 to 900"},
		{"no success wanted", `"successesInARow": 5`, `"successesInARow": 0`,
			"smokeTests.credential.successesInARow: must be 1 to 50"},
		{"a long interval", `"intervalSeconds": 0`, `"intervalSeconds": 61`,
			"smokeTests.credential.intervalSeconds: must be 0 to 60"},
		{"negative errors", `"maxAuthErrors": 2`, `"maxAuthErrors": -1`, "smokeTests.maxAuthErrors: must be 0"},
		{"an address without a port", `"10.0.0.1:443"`, `"10.0.0.1"`,
			"smokeTests.redirect[0].connectTo[0]: must be host:port"},
		{"a login without a user", `"arn:aws:secretsmanager:eu-west-1:111122223333:secret:synthetic-user"`, `""`,
			"smokeTests.login[0].userSecretArn: must be the ARN"},
		{"a login that expects nothing", `"Welcome"`, `""`, "smokeTests.login[0].expectText: is missing"},
		{"an end too far", `"spreadSeconds": 90`, `"rotateBeforeEndDays": 366`,
			"rotateBeforeEndDays: must be 0 to 365"},
		{"an unknown field", `"spreadSeconds": 90`, `"spread": 90`, "spread: is not known"},
		{"a field given twice", `"spreadSeconds": 90`, `"spreadSeconds": 90, "spreadSeconds": 91`,
			"spreadSeconds: is given twice"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Parse(with(t, tt.old, tt.new))
			if !failure.Is(err, failure.InvalidInput) || !strings.HasPrefix(err.Error(),
				"the client configuration is not valid: "+tt.want) {
				t.Errorf("got %v, want %s with %q", err, failure.InvalidInput, tt.want)
			}
			if c.Name != "" {
				t.Error("a wrong configuration was returned")
			}
		})
	}
}

func TestLimitsThemselvesAreAllowed(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{
		{`3600`, `0`}, {`3600`, `2592000`}, {`"spreadSeconds": 90`, `"spreadSeconds": 1`},
		{`"spreadSeconds": 90`, `"rotateBeforeEndDays": 0`}, {`"spreadSeconds": 90`,
			`"rotateBeforeEndDays": 365`}, {`"spreadSeconds": 90`,
			`"spreadSeconds": 900`},
		{`"successesInARow": 5`, `"successesInARow": 50`}, {`"intervalSeconds": 0`, `"intervalSeconds": 60`},
		{`"orders-web",`, `"` + strings.Repeat("a", 40) + `",`}, {`"orders-web",`, `"a",`},
		{`arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders`,
			`arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:orders`},
	} {
		if _, err := config.Parse(with(t, change[0], change[1])); err != nil {
			t.Errorf("%s: %v", change[1], err)
		}
	}
}

func TestEverythingThatIsMissingIsReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := config.Parse([]byte(`{}`))
	for _, want := range []string{"name: ", "issuer: ", "clientId: ", "callbackUrl: ", "secret.arn: ",
		"identityProvider.type: ",
		"identityProvider.tokenEndpoint: ", "identityProvider.authorizationEndpoint: ", "identityProvider.settings: ",
		"loadBalancers: ", "smokeTests: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported: %v", want, err)
		}
	}
}

func TestNoTextThatIsNotJSONIsAConfiguration(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "null", "[]", `"x"`, good + "}", good[:len(good)-1]} {
		if _, err := config.Parse([]byte(s)); !failure.Is(err, failure.InvalidInput) {
			t.Errorf("%.10q…: %v", s, err)
		}
	}
}

func TestNameOK(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"a": true, "a-1": true, "0": true, "": false, "-a": false, "a-": false,
		"A": false, "a_b": false, "a/b": false, "a\n": false} {
		if got := config.NameOK(name); got != want {
			t.Errorf("NameOK(%q) is %t", name, got)
		}
	}
}

func TestARotationBeforeTheEndBeginsInTimeForAllThatItTakes(t *testing.T) {
	t.Parallel()
	n := func(i int) *int { return &i }
	for want, c := range map[time.Duration]config.Client{
		0: {RotateBeforeEndDays: n(0), GracePeriodSeconds: n(3600)},
		14*24*time.Hour + time.Hour + 2*time.Minute: {GracePeriodSeconds: n(3600)},
		24*time.Hour + 2*time.Hour + 20*time.Second: {RotateBeforeEndDays: n(1), SpreadSeconds: n(10),
			GracePeriodSeconds: n(60), Followers: &config.Followers{MaxDelaySeconds: 3600}},
	} {
		if got := c.EndsWithin(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
