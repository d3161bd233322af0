package clientsfile

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
)

// warn adds what can be deployed, but is hardly meant.
func (f *File) warn(ps *strictjson.Problems) {
	unknownRegion(ps, "stack.region", f.Stack.Region)
	if len(f.Stack.Email) == 0 {
		var silent []string
		for _, c := range f.Clients {
			if len(c.Notifications.Email) == 0 {
				silent = append(silent, c.Name)
			}
		}
		if len(silent) > 0 {
			ps.Add("stack.email", "is missing: nobody gets mail about %s", strings.Join(silent, ", "))
		}
	}
	for i, c := range f.Clients {
		c.warn(ps, fmt.Sprintf("clients[%d]", i))
	}
	f.warnOfTogether(ps)
}

func (c Client) warn(ps *strictjson.Problems, path string) {
	if _, _, longest := c.Schedule.Gaps(); c.MaxSecretAgeDays != nil && c.MaxAge() < longest {
		ps.Add(path+".maxSecretAgeDays", "is less than the %d days that the schedule leaves between two rotations: "+
			"the "+
			"alarm would ring each time", ceilDays(longest))
	}
	c.warnOfHosts(ps, path)
	c.warnOfFollowers(ps, path)
	callback := hostOf(c.CallbackURL)
	if !slices.ContainsFunc(c.testedHosts(), func(h string) bool { return h == callback }) {
		ps.Add(path+".callbackUrl", "has a host that no smoke test opens: is the URL of a smoke test, or this one, "+
			"that of "+
			"another application?")
	}
	for i, arn := range c.LoadBalancers {
		unknownRegion(ps, fmt.Sprintf("%s.loadBalancers[%d]", path, i), config.RegionOf(arn))
	}
	if c.LoadBalancerSearch != nil {
		for i, r := range c.LoadBalancerSearch.Regions {
			unknownRegion(ps, fmt.Sprintf("%s.loadBalancerSearch.regions[%d]", path, i), r)
		}
	}
	secrets := append(c.findUserSecrets(), c.findSettingsSecrets()...)
	for _, s := range append(secrets, named{"secret.arn", c.Secret.ARN}) {
		if !c.CreateSecret || s.path != "secret.arn" {
			unknownRegion(ps, path+"."+s.path, config.RegionOf(s.arn))
			if m := suffixPattern.FindStringSubmatch(s.arn); m != nil && strings.ToLower(m[1]) == m[1] &&
				!strings.ContainsAny(m[1], "0123456789") {
				ps.Add(path+"."+s.path, "ends with six small letters: look whether they are the suffix that Secrets "+
					"Manager added, or a word of the name (aws secretsmanager describe-secret shows the whole ARN)")
			}
		}
	}
}

// unknownRegion warns of a Region that may be misspelt; a new one is as good as any.
func unknownRegion(ps *strictjson.Problems, path, name string) {
	if !region.Known(name) {
		ps.Add(path, "is in a Region that is not known here: is it misspelt, or newer than this program?")
	}
}

// warnOfFollowers warns of tests for followers that are not declared.
func (c Client) warnOfFollowers(ps *strictjson.Problems, path string) {
	if c.Followers != nil {
		if g := c.GracePeriodSeconds; g != nil && *g < c.Followers.MaxDelaySeconds {
			ps.Add(path+".gracePeriodSeconds",
				"is less than followers.maxDelaySeconds: no grace period is shorter than "+
					"that")
		}
		return
	}
	for i, t := range c.SmokeTests.Redirect {
		if t.Follower {
			ps.Add(fmt.Sprintf("%s.smokeTests.redirect[%d].follower", path, i), "has no effect without followers")
		}
	}
	for i, t := range c.SmokeTests.Login {
		if t.Follower {
			ps.Add(fmt.Sprintf("%s.smokeTests.login[%d].follower", path, i), "has no effect without followers")
		}
	}
}

func hostOf(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Hostname())
}

func (c Client) testedHosts() []string {
	var hosts []string
	for _, t := range c.SmokeTests.Redirect {
		hosts = append(hosts, hostOf(t.URL))
	}
	for _, t := range c.SmokeTests.Login {
		hosts = append(hosts, hostOf(t.URL))
	}
	return hosts
}

// warnOfHosts warns of endpoints and settings that seem to be those of another provider than the issuer: of another
// host, or of a tenant or user pool that the issuer does not name.
func (c Client) warnOfHosts(ps *strictjson.Problems, path string) {
	var settings struct {
		OrgURL, TenantURL, ServerURL, AuthURL, TenantID, UserPoolID, Realm, EnvironmentID string
	}
	if json.Unmarshal(c.IdentityProvider.Settings, &settings) != nil {
		return // told elsewhere
	}
	var hosts, issuers []string
	for _, n := range c.Names() {
		hosts, issuers = append(hosts, hostOf(n.Issuer)), append(issuers, n.Issuer)
		if hostOf(n.Issuer) == "accounts.google.com" { // Google's discovery document
			hosts = append(hosts, "oauth2.googleapis.com")
		}
	}
	host := func(field, value string) {
		if value != "" && !slices.Contains(hosts, hostOf(value)) {
			ps.Add(path+"."+field, "has another host than the issuer: is it of another provider? (A further host "+
				"of the "+
				"same one belongs into aliases, with its issuer)")
		}
	}
	part := func(field, value string) {
		if value != "" && !slices.ContainsFunc(issuers, func(s string) bool {
			return slices.Contains(strings.Split(strings.ToLower(s), "/"), strings.ToLower(url.PathEscape(value)))
		}) {
			ps.Add(path+"."+field, "is not the one that the issuer names: is it of another provider?")
		}
	}
	switch p := c.IdentityProvider; p.Type {
	case "entra": // one tenant has several hosts, and several names
		if strings.Count(settings.TenantID, "-") == 4 {
			part("identityProvider.settings.tenantId", settings.TenantID)
		}
		for field, value := range map[string]string{"authorizationEndpoint": p.AuthorizationEndpoint,
			"tokenEndpoint": p.TokenEndpoint} {
			if tenant := tenantOf(value); tenant != "" && !slices.ContainsFunc(issuers, func(s string) bool {
				return strings.Contains(strings.ToLower(s), strings.ToLower(tenant))
			}) {
				ps.Add(path+".identityProvider."+field, "is of another tenant than the issuer")
			}
		}
	case "cognito": // the pool's domain is never its issuer's
		part("identityProvider.settings.userPoolId", settings.UserPoolID)
	default:
		host("identityProvider.authorizationEndpoint", p.AuthorizationEndpoint)
		host("identityProvider.tokenEndpoint", p.TokenEndpoint)
		host("identityProvider.settings.orgUrl", settings.OrgURL)
		host("identityProvider.settings.tenantUrl", settings.TenantURL)
		host("identityProvider.settings.serverUrl", settings.ServerURL)
		host("identityProvider.settings.authUrl", settings.AuthURL)
		part("identityProvider.settings.realm", settings.Realm)
		if slices.ContainsFunc(issuers, func(s string) bool { return tenantOf(s) != "" }) { // not a custom domain's
			part("identityProvider.settings.environmentId", settings.EnvironmentID)
		}
	}
}

// tenantOf is the tenant's id in an endpoint of Entra ID, or the environment's in one of PingOne, or "".
func tenantOf(endpoint string) string {
	for _, part := range strings.Split(endpoint, "/") {
		if len(part) == 36 && strings.Count(part, "-") == 4 {
			return part
		}
	}
	return ""
}

// warnOfTogether: a rate counts from when its schedule is made, and a deployment makes those of its clients at once. It
// warns once of each rate.
func (f *File) warnOfTogether(ps *strictjson.Problems) {
	together := map[time.Duration][]int{}
	for i, c := range f.Clients {
		if every, ok := cron.Rate(c.Schedule.Expression); ok {
			together[every] = append(together[every], i)
		}
	}
	for i, c := range f.Clients {
		every, ok := cron.Rate(c.Schedule.Expression)
		if same := together[every]; ok && len(same) > 1 && same[1] == i {
			others := f.Clients[same[0]].Name
			if n := len(same) - 2; n > 0 {
				others += fmt.Sprintf(", and of %d more,", n)
			}
			ps.Add(fmt.Sprintf("clients[%d].schedule.expression", i),
				"is the rate of %s too, and schedules of one rate "+
					"that are made in one deployment start together each time: give each a cron(…) of its own", others)
		}
	}
}
