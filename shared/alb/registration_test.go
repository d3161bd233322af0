package alb_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
)

// named is an action of client id orders with another issuer and token endpoint.
func named(id, issuer, endpoint string) types.Action {
	a := login(id)
	a.AuthenticateOidcConfig.Issuer, a.AuthenticateOidcConfig.TokenEndpoint = &issuer, &endpoint
	return a
}

// twoNames is a registration with an alias and another registration beside it.
func twoNames() alb.Registration {
	r := registered("orders")
	r.Names = append(r.Names, config.Alias{Issuer: "https://login.example/",
		TokenEndpoint: "https://login.example/token", UserInfoEndpoint: "https://login.example/userinfo"})
	r.Others = []config.OtherRegistration{{Issuer: "https://other.example",
		TokenEndpoint: "https://other.example/token"}}
	return r
}

func TestAnActionWithTheClientsIDIsNeverSilent(t *testing.T) {
	t.Parallel()
	unique := twoNames()
	unique.UniqueIDs, unique.Others = true, nil
	cases := map[string]struct {
		action types.Action
		of     alb.Registration
		target bool
		says   string // in the refusal; "" is none
	}{
		"the client's own name": {login("orders"), twoNames(), true, ""},
		"an alias": {named("orders", "https://login.example/", "https://login.example/token"),
			twoNames(), true, ""},
		"hosts in capitals": {named("orders", "https://LOGIN.example/", "HTTPS://Login.Example/token"),
			twoNames(), true, ""},
		"the default port": {named("orders", "https://idp.example:443", "https://idp.example:443/token"),
			twoNames(), true, ""},
		"another port": {named("orders", "https://idp.example:8443",
			"https://idp.example:8443/token"), twoNames(), false, "add them to aliases"},
		"a path in capitals": {named("orders", issuer, "https://idp.example/Token"), twoNames(), false,
			"sends the client secret to token endpoint"},
		"a slash more at the issuer": {named("orders", issuer+"/", endpoint), twoNames(), false,
			"add issuer and token endpoint to aliases"},
		"an alias without its slash": {named("orders", "https://login.example", "https://login.example/token"),
			twoNames(), false, "add issuer and token endpoint to aliases"},
		"two names mixed": {named("orders", "https://login.example/", endpoint), twoNames(), false,
			"correct the action"},
		"a name that nobody knows": {named("orders", "https://x", "https://x/t"), twoNames(), false,
			"add them to otherRegistrations"},
		"another registration": {named("orders", "https://OTHER.example", "https://other.example:443/token"),
			twoNames(), false, ""},
		"half of another registration": {named("orders", "https://other.example", "https://x/t"), twoNames(), false,
			"add them to aliases"},
		"the other half of another registration": {named("orders", "https://x", "https://other.example/token"),
			twoNames(), false, "add them to aliases"},
		"unique, a name nobody knows": {named("orders", "https://x", "https://x/t"), unique, false,
			"another name of it: add them to aliases"},
		"unique, the id in capitals": {named("ORDERS", "https://x", "https://x/t"), unique, false,
			"in other letters"},
		"not unique, the id in capitals": {named("ORDERS", "https://x", "https://x/t"), twoNames(), false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, c.action, forward("g"))
			found, err := f.balancersOf().Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}},
				c.of)
			if err != nil || (len(found.Targets) == 1) != c.target {
				t.Fatalf("found %+v (%v)", found, err)
			}
			if c.says == "" && len(found.Refusals) != 0 || c.says != "" && (len(found.Refusals) != 1 ||
				!strings.Contains(found.Refusals[0], c.says)) {
				t.Fatalf("refusals %q, want %q", found.Refusals, c.says)
			}
			if !slices.Equal(found.Drifted, found.Refusals) {
				t.Errorf("a rollback must stop for it as well: %q", found.Drifted)
			}
			if strings.Contains(c.says, "another name of it") && strings.Contains(found.Refusals[0],
				"otherRegistrations") {
				t.Errorf("where ids are unique there is no other registration: %q", found.Refusals)
			}
		})
	}
}

func TestATargetUnderAnAliasIsSetAndKeepsItsName(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]types.Action{
		"under an alias":        named("orders", "https://login.example/", "https://login.example/token"),
		"written in capitals":   named("orders", "https://LOGIN.example/", "https://login.example:443/token"),
		"under the name of old": named("orders", issuer, endpoint),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, action, forward("g"))
			c := change()
			c.Registration = twoNames()
			got, err := set(f, ruleTarget, c)
			wantResult(t, got, err, alb.Updated)
			o := f.rule(rule).Actions[0].AuthenticateOidcConfig
			if f.secret(rule) != canary || *o.Issuer != *action.AuthenticateOidcConfig.Issuer ||
				*o.TokenEndpoint != *action.AuthenticateOidcConfig.TokenEndpoint {
				t.Fatalf("it is %s %s", *o.Issuer, *o.TokenEndpoint)
			}
		})
	}
}

func TestASecretGoesToNoOtherRegistration(t *testing.T) {
	t.Parallel()
	for name, action := range map[string]types.Action{
		"that is declared": named("orders", "https://other.example", "https://other.example/token"),
		"that is unknown":  named("orders", "https://x", "https://x/t"),
		"of two names":     named("orders", "https://login.example/", endpoint),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, action, forward("g"))
			c := change()
			c.Registration = twoNames()
			_, err := set(f, ruleTarget, c)
			wantKind(t, err, failure.TargetDrift)
			if f.secret(rule) != "old" {
				t.Error("it was set")
			}
		})
	}
}

func TestAnAliasWithAnotherUserInfoEndpointIsWarnedOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, named("orders", "https://login.example/", "https://login.example/token"),
		forward("g"))
	found, err := f.balancersOf().Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}},
		twoNames())
	if err != nil || len(found.Warnings) != 1 || !strings.Contains(found.Warnings[0],
		`user info endpoint "https://idp.example/userinfo"`) {
		t.Fatalf("warnings %q (%v)", found.Warnings, err)
	}
}
