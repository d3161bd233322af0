package discover_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/cmd/internal/discover"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
)

const balancer = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"

// login is an action on a load balancer of that name.
func login(name, issuer, token, clientID string, hosts ...string) alb.Login {
	authorization := strings.TrimSuffix(token, "token") + "authorize"
	return alb.Login{Target: rotation.Target{Region: "eu-central-1", Name: name + " :443 rule 10",
		LoadBalancerARN: strings.Replace(balancer, "/orders/", "/"+name+"/", 1)},
		Issuer: issuer, AuthorizationEndpoint: authorization, TokenEndpoint: token, ClientID: clientID, Hosts: hosts}
}

func TestProvidersAreRecognised(t *testing.T) {
	t.Parallel()
	for kind, urls := range map[string][2]string{
		"okta":  {"https://example.okta.com/oauth2/default", "https://example.okta.com/oauth2/default/v1/token"},
		"okta ": {"https://login.example.com", "https://login.example.com/oauth2/v1/token"}, // a custom domain
		"entra": {"https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
			"https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/oauth2/v2.0/token"},
		"entra ": {"https://login.partner.microsoftonline.cn/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
			"https://login.partner.microsoftonline.cn/aaaabbbb-0000-cccc-1111-dddd2222eeee/oauth2/v2.0/token"},
		"cognito": {"https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEf123",
			"https://orders.auth.eu-central-1.amazoncognito.com/oauth2/token"},
		"auth0": {"https://example.eu.auth0.com/", "https://example.eu.auth0.com/oauth/token"},
		"pingone": {"https://auth.pingone.eu/3f0c2a6e-5b1d-4c8e-9a57-0d6f1b2c3e4a/as",
			"https://auth.pingone.eu/3f0c2a6e-5b1d-4c8e-9a57-0d6f1b2c3e4a/as/token"},
		"hydra": {"https://example.projects.oryapis.com", "https://example.projects.oryapis.com/oauth2/token"},
		"keycloak": {"https://sso.example.com/realms/staff",
			"https://sso.example.com/realms/staff/protocol/openid-connect/token"},
		"authentik": {"https://sso.example.com/", "https://sso.example.com/application/o/token/"},
		"manual":    {"https://accounts.google.com", "https://oauth2.googleapis.com/token"},
		// what looks like a vendor's host, and is not
		"manual ": {"https://notokta.com", "https://notokta.com/token"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			got := discover.Group([]alb.Login{login("orders", urls[0], urls[1], "client")})
			if len(got) != 1 || got[0].Provider != strings.TrimSpace(kind) {
				t.Fatalf("got %+v", got)
			}
		})
	}
}

func TestRegistrationsAreGrouped(t *testing.T) {
	t.Parallel()
	const org, orgToken = "https://example.okta.com", "https://example.okta.com/oauth2/v1/token"
	const staff, staffToken = "https://sso.example.com/realms/staff",
		"https://sso.example.com/realms/staff/protocol/openid-connect/token"
	const guests, guestsToken = "https://sso.example.com/realms/guests",
		"https://sso.example.com/realms/guests/protocol/openid-connect/token"
	logins := []alb.Login{
		login("orders", "https://login.example.com", "https://login.example.com/oauth2/v1/token", "0oa1"),
		login("orders", org, orgToken, "0oa1", "orders.example.com"), login("shop", org, orgToken, "0oa1"),
		login("orders", org, orgToken, "0oa2", "ORDERS.example.org"),
		login("shop", staff, staffToken, "portal"), login("shop", guests, guestsToken, "portal"),
	}
	found := discover.Group(logins)
	var got []string
	for _, c := range found {
		got = append(got, fmt.Sprintf("%s %s %s %d", c.Name, c.ClientID, c.Issuer, len(c.LoadBalancers)))
	}
	want := []string{"orders 0oa1 " + org + " 2", "orders-2 0oa2 " + org + " 1", "shop portal " + guests + " 1",
		"shop-2 portal " + staff + " 1"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	configured := []config.Client{{Name: "a", Issuer: org, ClientID: "0oa1", LoadBalancers: []string{balancer,
		strings.Replace(balancer, "/orders/", "/gone/", 1)}}, {Name: "b", Issuer: org, ClientID: "0oa9"},
		{Name: "c", Issuer: staff, ClientID: "portal", LoadBalancerSearch: &config.LoadBalancerSearch{}}}
	differences := strings.Join(discover.Difference(found, configured), "\n")
	for _, line := range []string{
		"+ client 0oa2 of " + org + ", which 1 actions log in with, is not in the file",
		"+ client portal of " + guests + ", which 1 actions log in with, is not in the file",
		"+ a: alias https://login.example.com, of orders :443 rule 10",
		"+ a: load balancer " + strings.Replace(balancer, "/orders/", "/shop/", 1),
		"- a: load balancer " + strings.Replace(balancer, "/orders/", "/gone/", 1) + " has no action with it",
		"- b: no action logs in with it",
	} {
		if !strings.Contains(differences+"\n", line+"\n") {
			t.Errorf("there is no line %q in\n%s", line, differences)
		}
	}
	if n := strings.Count(differences, "\n") + 1; n != 6 {
		t.Errorf("there are %d differences:\n%s", n, differences)
	}
}

func TestRulesOfControllersAreWrittenAsFollowers(t *testing.T) {
	t.Parallel()
	owned := login("orders", "https://example.okta.com", "https://example.okta.com/oauth2/v1/token", "0oa1")
	owned.Controller, owned.Refusals = "EKS Auto Mode", []string{"it is managed by EKS Auto Mode"}
	found := discover.Group([]alb.Login{owned})
	file := discover.File("111122223333", "eu-central-1", found)
	for _, line := range []string{"    followers: #", "      # eu-central-1 orders :443 rule 10 (EKS Auto Mode)",
		"      maxDelaySeconds: 3600 # TODO", "      controllers: true"} {
		if !strings.Contains(file, "\n"+line) {
			t.Errorf("there is no line %q in\n%s", line, file)
		}
	}
	if strings.Contains(file, "CANNOT BE ROTATED") || len(found[0].Follows) != 1 {
		t.Errorf("it is called impossible:\n%s", file)
	}
	only := config.Client{Name: "a", Issuer: "https://x.okta.com", ClientID: "0oa7", Followers: &config.Followers{}}
	if d := discover.Difference(nil, []config.Client{only}); len(d) != 0 {
		t.Errorf("a client with followers only is missed: %q", d)
	}
}

func TestADiscoveryDocumentIsCompared(t *testing.T) {
	t.Parallel()
	const issuer, token = "https://sso.example.com/realms/staff",
		"https://sso.example.com/realms/staff/protocol/openid-connect/token"
	for name, c := range map[string]struct {
		document   probe.Document
		err        error
		says       string
		documented bool
	}{
		"the same": {probe.Document{Issuer: issuer, TokenEndpoint: token}, nil,
			"# the provider's discovery document has these endpoints", true},
		"another issuer": {probe.Document{Issuer: "https://other.example.com", TokenEndpoint: token}, nil,
			"# note: its discovery document has the issuer https://other.example.com, the load balancers have " +
				issuer, false},
		"another token endpoint": {probe.Document{Issuer: issuer, TokenEndpoint: token + "2"}, nil,
			"has the token endpoint " + token + "2", false},
		"the client's secret in the body only": {probe.Document{Issuer: issuer,
			TokenAuthMethods: []string{"private_key_jwt", "client_secret_post"}},
			nil, "tokenAuthMethod: client_secret_post", true},
		"no answer": {probe.Document{}, errors.New("no answer"),
			"# note: its discovery document could not be read from here: no answer", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := discover.Group([]alb.Login{login("shop", issuer, token, "portal")})
			found[0].Compare(c.document, c.err)
			if text := discover.File("111122223333", "eu-central-1", found); !strings.Contains(text, c.says) ||
				found[0].Documented != c.documented {
				t.Errorf("documented %v\n%s", found[0].Documented, text)
			}
		})
	}
}

// What is printed is right but for what is marked: a check finds nothing else, and nothing once that is filled in.
func TestTheFileIsRightButForWhatIsMarked(t *testing.T) {
	t.Parallel()
	elsewhere := login("shop", "https://sso.example.com/realms/staff",
		"https://sso.example.com/realms/staff/protocol/openid-connect/token", "007")
	elsewhere.LoadBalancerARN = strings.Replace(elsewhere.LoadBalancerARN, ":111122223333:", ":222233334444:", 1)
	found := discover.Group([]alb.Login{
		elsewhere,
		login("orders", "https://example.okta.com", "https://example.okta.com/oauth2/v1/token", "0oa1",
			"orders.example.com"),
		login("orders", "https://example.okta.com/oauth2/default", "https://example.okta.com/oauth2/default/v1/token",
			"0oa1"),
		login("shop", "https://sso.example.com/realms/staff",
			"https://sso.example.com/realms/staff/protocol/openid-connect/token", "007"),
		login("shop", "https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/v2.0",
			"https://login.microsoftonline.com/aaaabbbb-0000-cccc-1111-dddd2222eeee/oauth2/v2.0/token",
			"11112222-bbbb-3333-cccc-4444dddd5555"),
	})
	text := discover.File("111122223333", "eu-central-1", found)
	_, findings := clientsfile.Parse("clients.yaml", []byte(text))
	lines := strings.Split(text, "\n")
	for _, f := range findings.Of(clientsfile.Error) {
		if f.Line == 0 || !strings.Contains(lines[f.Line-1], "TODO") {
			t.Errorf("not marked: %s", f)
		}
	}
	if len(findings) == 0 {
		t.Error("nothing has to be finished")
	}
	file, findings := clientsfile.Parse("clients.yaml", []byte(fill(t, lines)))
	if err := findings.Err(); err != nil {
		t.Errorf("%v\n%s", err, fill(t, lines))
	}
	if !slices.ContainsFunc(file.Clients, func(c clientsfile.Client) bool {
		return c.RolesByAccount()["222233334444"].ExternalID != ""
	}) {
		t.Errorf("no client has a role in the other account:\n%s", text)
	}
}

// fill puts values in place of what is marked.
func fill(t *testing.T, lines []string) string {
	t.Helper()
	values := []struct{ where, value string }{
		{"- url:", "https://x.example.com/"}, {"callbackUrl:", "https://x.example.com/oauth2/idpresponse"},
		{"keyId:", "key-1"}, {"clientId:", "11112222-bbbb-3333-cccc-4444dddd6666"},
		{"keySecretArn:", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:key-%d-AbCdEf"},
		{"arn:", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:client-%d-AbCdEf"},
		{"    - ", "team@example.com"},
	}
	for i, l := range lines {
		before, _, marked := strings.Cut(l, "TODO")
		if !marked || strings.Contains(before, "#") {
			continue
		}
		k := slices.IndexFunc(values, func(v struct{ where, value string }) bool {
			return strings.Contains(before,
				v.where)
		})
		if k < 0 {
			t.Fatalf("what is to be filled in here? %q", l)
		}
		lines[i] = before + strings.Replace(values[k].value, "%d", fmt.Sprint(i), 1) // one client, one secret
	}
	return strings.Join(lines, "\n")
}
