package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// crowd is a file with n clients that share nothing: secrets, keys, administrators, users, and two load balancers with
// the longest names.
func crowd(t *testing.T, n, balancers int) File {
	t.Helper()
	f := manyClients(t, n)
	for i := range f.Clients {
		c := &f.Clients[i]
		c.IdentityProvider.Settings = []byte(strings.Replace(string(c.IdentityProvider.Settings), "okta/rotator-key",
			"okta/rotator-key-"+c.Name, 1))
		c.SmokeTests.Login = append(c.SmokeTests.Login[:0:0], c.SmokeTests.Login...)
		c.SmokeTests.Login[0].UserSecretARN = strings.Replace(c.SmokeTests.Login[0].UserSecretARN,
			"orders-web", c.Name, 1)
		c.KMSKeys = []string{fmt.Sprintf("arn:aws:kms:eu-central-1:111122223333:key/0a1b2c3d-0000-0000-0000-%012d", i)}
		c.LoadBalancers = nil
		for b := range balancers {
			c.LoadBalancers = append(c.LoadBalancers, fmt.Sprintf(
				"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/a-name-of-32-characters-000-%02d-%02d/50dc6c495c0c9188", i, b))
		}
	}
	return f
}

func TestAsManyClientsAsPromisedFitIntoOneStack(t *testing.T) {
	tpl, err := synthesized(crowd(t, clientsInStack, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range append(tpl.of("AWS::IAM::Policy"), tpl.of("AWS::IAM::ManagedPolicy")...) {
		r := tpl.Resources[id]
		most := map[string]int{"AWS::IAM::Policy": 10_240, "AWS::IAM::ManagedPolicy": 6_144}[r.Type]
		if n := len(text(r.Properties["PolicyDocument"])); n > most {
			t.Errorf("%s has %d characters, at most %d are possible", id, n, most)
		}
	}
	// an alarm more each, where the identity provider ends secrets by itself
	if n := len(tpl.Resources) + clientsInStack; n > 500 {
		t.Errorf("%d resources", n)
	}
	changeable := 0
	got, _ := policies(t, tpl)
	for _, s := range got["updatealb"] {
		if s.actions[0] == "elasticloadbalancing:ModifyRule" {
			changeable += len(s.resources)
		}
	}
	if changeable != 2*clientsInStack {
		t.Errorf("the rules of %d load balancers can be changed", changeable)
	}
}

func TestMoreThanFitsIntoOneStackIsRefusedBeforeItIsDeployed(t *testing.T) {
	_, err := synthesized(crowd(t, clientsInStack, 6))
	for _, want := range []string{"clients: need a number of resources of ",
		"at most 500 is possible in this stack: take load balancers, addresses or test users from them, or give some " +
			"a later stack"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestEachLimitIsChecked(t *testing.T) {
	t.Parallel()
	policy := func(kind string, size int) map[string]any {
		return map[string]any{"Type": kind, "Properties": map[string]any{"Roles": []any{map[string]any{"Ref": "Role"}},
			"PolicyDocument": map[string]any{"Statement": []any{strings.Repeat("x", size)}}}}
	}
	many := map[string]any{}
	for i := range 11 {
		many[fmt.Sprint("P", i)] = policy("AWS::IAM::ManagedPolicy", 10)
	}
	for want, resources := range map[string]map[string]any{
		"": {"P": policy("AWS::IAM::Policy", 9_000),
			"M": policy("AWS::IAM::ManagedPolicy", 6_000)},
		"the policies inside": {"P": policy("AWS::IAM::Policy", 6_000),
			"Q": policy("AWS::IAM::Policy", 6_000)},
		"a size of policy M of ":                      {"M": policy("AWS::IAM::ManagedPolicy", 6_200)},
		"a number of policies of map[Ref:Role] of 11": many,
		"a template size in bytes":                    {"X": strings.Repeat("x", 1_000_000)},
	} {
		if want == "a template size in bytes" {
			resources["X"] = map[string]any{"Type": resources["X"]}
		}
		text, err := json.Marshal(map[string]any{"Resources": resources})
		if err != nil {
			t.Fatal(err)
		}
		err = checkLimits(text)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
