package config

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
)

var (
	namePattern    = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$`)
	secretPattern  = regexp.MustCompile(`^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+$`)
	keyPattern     = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$`)
	elementPattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9]{0,127}$`)
	albPattern     = regexp.MustCompile(
		`^arn:aws[a-z-]*:elasticloadbalancing:[a-z0-9-]+:\d{12}:loadbalancer/app/[^/]+/[0-9a-f]+$`)
)

// NameOK reports whether s can be a client's name.
func NameOK(s string) bool { return namePattern.MatchString(s) }

// check reports every value that is missing, out of range or contradictory.
func (c Client) check(ps *strictjson.Problems) {
	if !NameOK(c.Name) {
		ps.Add("name", "must be 1 to 40 characters of a-z, 0-9 and hyphens, not begin or end with a hyphen")
	}
	CheckURL(ps, "issuer", c.Issuer)
	if c.ClientID == "" {
		ps.Add("clientId",
			"is missing: the client id of the app registration, as it stands in the load balancer's actions")
	}
	CheckURL(ps, "callbackUrl", c.CallbackURL)
	if u, err := url.Parse(c.CallbackURL); c.CallbackURL != "" && err == nil && c.HasBalancers() &&
		(u.Path != "/oauth2/idpresponse" ||
			u.RawQuery != "") {
		ps.Add("callbackUrl", "must be https://HOST/oauth2/idpresponse, the path that Application Load Balancers use")
	}
	CheckSecretARN(ps, "secret.arn", c.Secret.ARN, "the client secret")
	if key := c.Secret.ClientIDKey; key != "" && c.Secret.JSONKey == "" {
		ps.Add("secret.clientIdKey", "needs secret.jsonKey: the client id is another member of the JSON object")
	} else if key != "" && key == c.Secret.JSONKey {
		ps.Add("secret.clientIdKey", "must be another member than secret.jsonKey, which holds the client secret")
	}
	if c.IdentityProvider.CurrentSecretID != strings.TrimSpace(c.IdentityProvider.CurrentSecretID) {
		ps.Add("identityProvider.currentSecretId", "must not begin or end with a space")
	}
	c.IdentityProvider.check(ps)
	if p := c.IdentityProvider.ClientPair; p != strings.TrimSpace(p) {
		ps.Add("identityProvider.clientPair", "must not begin or end with a space")
	}
	if c.IsPair() && c.IdentityProvider.ClientPair == c.ClientID {
		ps.Add("identityProvider.clientPair", "must be the client id of a second registration, not clientId again")
	}
	if c.IsPair() && c.IdentityProvider.AllowInterruption {
		ps.Add("identityProvider.allowInterruption", "must be left out with clientPair: a pair needs no interruption")
	}
	c.checkFollowers(ps)
	c.checkNames(ps)
	c.checkLoadBalancers(ps)
	c.checkCanaries(ps)
	c.checkRoles(ps)
	if c.LoadBalancerSearch != nil {
		c.LoadBalancerSearch.check(ps)
	}
	inRange(ps, "gracePeriodSeconds", c.GracePeriodSeconds, 0, 30*86400)
	inRange(ps, "spreadSeconds", c.SpreadSeconds, 1, 900)
	inRange(ps, "rotateBeforeEndDays", c.RotateBeforeEndDays, 0, 365)
	c.SmokeTests.check(ps)
}

func (p IdentityProvider) check(ps *strictjson.Problems) {
	if p.Type == "" {
		ps.Add("identityProvider.type", "is missing: the kind of identity provider, e.g. okta")
	}
	CheckURL(ps, "identityProvider.authorizationEndpoint", p.AuthorizationEndpoint)
	CheckURL(ps, "identityProvider.tokenEndpoint", p.TokenEndpoint)
	switch p.TokenAuthMethod {
	case "", "client_secret_basic", "client_secret_post":
	default:
		ps.Add("identityProvider.tokenAuthMethod",
			"must be client_secret_basic or client_secret_post; load balancers can use no other")
	}
	if len(p.Settings) == 0 || string(p.Settings) == "null" {
		ps.Add("identityProvider.settings", "is missing: the settings of the %s provider", p.Type)
	}
}

// checkFollowers refuses what would end the secret that followers still use, or leave them without the client id that
// belongs to it.
func (c Client) checkFollowers(ps *strictjson.Problems) {
	if c.Followers == nil {
		return
	}
	inRange(ps, "followers.maxDelaySeconds", &c.Followers.MaxDelaySeconds, 1, 30*86400)
	if c.IsPair() && c.Secret.ClientIDKey == "" {
		ps.Add("followers",
			"need secret.clientIdKey with identityProvider.clientPair: the client id changes with the secret, so "+
				"followers must read both from one version")
	}
	if c.IdentityProvider.AllowInterruption {
		ps.Add("followers", "must be left out with identityProvider.allowInterruption: a new secret ends the one that "+
			"followers use until they read it")
	}
}

func (c Client) checkLoadBalancers(ps *strictjson.Problems) {
	if !c.HasBalancers() && c.Followers == nil {
		ps.Add("loadBalancers",
			"is missing: the ARNs of the load balancers that use this client, or their tags in loadBalancerSearch "+
				"(or followers, if only they use it)")
	}
	seen := map[string]bool{}
	for i, arn := range c.LoadBalancers {
		path := fmt.Sprintf("loadBalancers[%d]", i)
		if !albPattern.MatchString(arn) {
			ps.Add(path, "must be the ARN of an Application Load Balancer (…:loadbalancer/app/NAME/ID)")
		}
		if seen[arn] {
			ps.Add(path, "is listed twice")
		}
		seen[arn] = true
	}
}

func (s LoadBalancerSearch) check(ps *strictjson.Problems) {
	if len(s.Tags) == 0 {
		ps.Add("loadBalancerSearch.tags",
			"is missing: without a tag every load balancer of the account would be searched")
	}
	if _, empty := s.Tags[""]; empty {
		ps.Add("loadBalancerSearch.tags", "must have no empty key")
	}
	if len(s.Regions) == 0 {
		ps.Add("loadBalancerSearch.regions", "is missing: the Regions of the load balancers")
	}
	for i, r := range s.Regions {
		path := fmt.Sprintf("loadBalancerSearch.regions[%d]", i)
		if !region.OK(r) {
			ps.Add(path, "must be a Region, e.g. eu-central-1")
		}
		if slices.Contains(s.Regions[:i], r) {
			ps.Add(path, "is listed twice")
		}
	}
}

func (s SmokeTests) check(ps *strictjson.Problems) {
	inRange(ps, "smokeTests.credential.successesInARow", s.Credential.SuccessesInARow, 1, 50)
	inRange(ps, "smokeTests.credential.intervalSeconds", s.Credential.IntervalSeconds, 0, 60)
	inRange(ps, "smokeTests.maxAuthErrors", s.MaxAuthErrors, 0, 1_000_000)
	if len(s.Redirect) == 0 && len(s.Login) == 0 {
		ps.Add("smokeTests",
			"needs at least one redirect or login test: a URL behind each load balancer, so that a failed "+
				"switch is seen")
	}
	for i, t := range s.Redirect {
		path := fmt.Sprintf("smokeTests.redirect[%d]", i)
		CheckURL(ps, path+".url", t.URL)
		checkAddresses(ps, path+".connectTo", t.ConnectTo)
		checkKind(ps, path, t.Follower, t.Canary)
	}
	for i, t := range s.Login {
		path := fmt.Sprintf("smokeTests.login[%d]", i)
		CheckURL(ps, path+".url", t.URL)
		checkAddresses(ps, path+".connectTo", t.ConnectTo)
		CheckSecretARN(ps, path+".userSecretArn", t.UserSecretARN, "username and password")
		if t.ExpectText == "" {
			ps.Add(path+".expectText", "is missing: a text of the page that only a logged-in user sees")
		}
		checkKind(ps, path, t.Follower, t.Canary)
	}
}

func checkAddresses(ps *strictjson.Problems, path string, addrs []string) {
	for i, a := range addrs {
		if host, port, err := net.SplitHostPort(a); err != nil || host == "" || port == "" {
			ps.Add(fmt.Sprintf("%s[%d]", path, i), "must be host:port")
		} else {
			checkHost(ps, fmt.Sprintf("%s[%d]", path, i), host)
		}
	}
}

// CheckURL reports a URL that is missing or not a plain absolute https URL. Providers use it for their settings, too.
func CheckURL(ps *strictjson.Problems, path, s string) {
	if s == "" {
		ps.Add(path, "is missing: an https URL")
		return
	}
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		ps.Add(path, "must be an absolute https URL")
	case u.Scheme != "https":
		ps.Add(path, "must begin with https://")
	case u.User != nil || u.Fragment != "":
		ps.Add(path, "must have no user, password or fragment")
	default:
		checkHost(ps, path, u.Hostname())
	}
}

// CheckBaseURL is CheckURL for a URL without a path; advice says which URL it must be.
func CheckBaseURL(ps *strictjson.Problems, path, s, advice string) {
	CheckURL(ps, path, s)
	if u, err := url.Parse(s); err == nil && (strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		ps.Add(path, "%s", advice)
	}
}

// checkHost reports a host name that is not in the form of DNS: a login test pins the name to each node's address, and
// the pin would not hold.
func checkHost(ps *strictjson.Problems, path, host string) {
	if ascii := ASCIIHost(host); ascii != host {
		ps.Add(path, "must have a host name of ASCII characters: write %s instead of %s", ascii, host)
	}
}

// CheckSecretARN reports an ARN that is missing or not that of a Secrets Manager secret; holds says what the secret
// must hold. Providers use it, too.
func CheckSecretARN(ps *strictjson.Problems, path, arn, holds string) {
	if !secretPattern.MatchString(arn) {
		ps.Add(path, "must be the ARN of a Secrets Manager secret that holds %s", holds)
	}
}

// IsKeyARN reports whether an ARN is that of a key in AWS KMS; that of an alias is not.
func IsKeyARN(arn string) bool { return keyPattern.MatchString(arn) }

func inRange(ps *strictjson.Problems, path string, v *int, low, high int) {
	if v != nil && (*v < low || *v > high) {
		ps.Add(path, "must be %d to %d, not %d", low, high, *v)
	}
}
