package clientsfile

import (
	"strings"
	"testing"

	"alboidc.internal/shared/config"
)

const (
	other    = "arn:aws:elasticloadbalancing:eu-central-1:222233334444:loadbalancer/app/orders/50dc6c495c0c9188"
	roleARN  = "arn:aws:iam::222233334444:role/alb-oidc-rotator-workload"
	fileRole = "roles:\n  workload: {roleArn: \"" + roleARN + "\", externalId: hub-1}\n"
)

// inAccounts is one.yaml with roles and with other load balancers.
func inAccounts(t *testing.T, roles, balancers string) (File, Findings) {
	t.Helper()
	return Parse("clients.yaml", []byte(roles+edited(t, "- "+balancer, balancers)))
}

func TestALoadBalancerNamesARoleOfItsAccount(t *testing.T) {
	t.Parallel()
	want := config.Role{RoleARN: roleARN, ExternalID: "hub-1"}
	for name, balancers := range map[string]string{
		"by name":               "- " + balancer + "\n      - {arn: \"" + other + "\", role: workload}",
		"only there":            "- {arn: \"" + other + "\", role: workload}",
		"a second one is plain": "- {arn: \"" + other + "\", role: workload}\n      - " + other + "1",
	} {
		f, findings := inAccounts(t, fileRole, balancers)
		if err := findings.Err(); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c := f.Clients[0]
		if c.Roles["workload"] != want || !c.IsReachedByRole(other) || c.IsReachedByRole(balancer) {
			t.Errorf("%s: the client has %+v and %v", name, c.Roles, c.LoadBalancers)
		}
		document, err := c.Document(c.Secret.ARN)
		if err != nil || !strings.Contains(document, `"`+other+`"`) {
			t.Errorf("%s: %s (%v)", name, document, err)
		}
	}
	f, findings := inAccounts(t, fileRole, "- "+balancer)
	if err := findings.Err(); err != nil || len(f.Clients[0].Roles) > 0 {
		t.Errorf("a client that names no role has %v (%v)", f.Clients[0].Roles, err)
	}
}

func TestALoadBalancerIsACanary(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ balancers, canaries, says string }{
		"with an ARN": {"- {arn: \"" + balancer + "\", canary: true}\n      - " + balancer + "1", balancer, ""},
		"with a role": {"- {arn: \"" + other + "\", role: workload, canary: true}\n      - " + balancer, other, ""},
		"listed": {"- " + balancer + "\n      - " + balancer + "1\n    canaries: [\"" + balancer + "1\"]",
			balancer + "1", ""},
		"none": {"- {arn: \"" + balancer + "\", canary: false}", "", ""},
		"all": {"- {arn: \"" + balancer + "\", canary: true}", "",
			"must leave a load balancer that is none"},
		"a text":   {"- {arn: \"" + balancer + "\", canary: \"true\"}", "", "or {arn: ARN, canary: true}"},
		"and more": {"- {arn: \"" + balancer + "\", canary: true, weight: 5}", "", "or {arn: ARN, canary: true}"},
	} {
		text := strings.Replace(fileRole+edited(t, "- "+balancer, c.balancers), "    smokeTests:\n",
			"    smokeTests:\n"+
				"      login:\n        - url: https://orders.example.com/\n          expectText: Welcome\n          "+
				"userSecretArn: "+
				"arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/user-AbCdEf\n", 1)
		f, findings := Parse("clients.yaml", []byte(text))
		if err := findings.Err(); (err == nil) != (c.says == "") || err != nil &&
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		} else if err == nil && strings.Join(f.Clients[0].Canaries, " ") != c.canaries {
			t.Errorf("%s: the canaries are %v", name, f.Clients[0].Canaries)
		}
	}
}

func TestARoleThatDoesNotFitIsFound(t *testing.T) {
	t.Parallel()
	byRole := "- {arn: \"" + other + "\", role: workload}"
	for name, c := range map[string]struct{ roles, balancers, says string }{
		"no role": {"", "- " + other,
			"loadBalancers[0]: is in account 222233334444, but the stack is in 111122223333: " +
				"give it a role"},
		"a role that is not there": {fileRole, strings.Replace(byRole, "workload", "prod", 1),
			"must be the name of one of roles: workload"},
		"no roles": {"", byRole, "must be the name of one of roles, and there are none"},
		"a role of another account": {fileRole, strings.Replace(byRole, "222233334444", "333344445555", 1),
			"is in account 333344445555, and its role in account 222233334444"},
		"a misspelt field": {fileRole, strings.Replace(byRole, "role:", "rule:", 1),
			"must be an ARN, or {arn: ARN, role: NAME}"},
		"no ARN": {fileRole, "- {role: workload}", "must be an ARN, or {arn: ARN, role: NAME}"},
		"no external id": {strings.Replace(fileRole, ", externalId: hub-1", "", 1), byRole,
			"roles.workload.externalId: must be"},
		"an ARN of no role": {strings.Replace(fileRole, ":role/", ":user/", 1), byRole,
			"roles.workload.roleArn: must be the ARN of a role"},
		"two roles of an account": {fileRole + "  more: {roleArn: \"" + roleARN + "2\", externalId: hub-2}\n", byRole +
			"\n      - {arn: \"" + other + "1\", role: more}", "one role reaches an account"},
		"the stack's own account": {strings.Replace(fileRole, "222233334444", "111122223333", 1),
			strings.Replace(byRole, "222233334444", "111122223333", 1),
			"that of the client's secret, where no role is needed"},
		"another partition": {strings.Replace(fileRole, "arn:aws:", "arn:aws-cn:", 1), byRole,
			"is in partition aws-cn"},
	} {
		_, findings := inAccounts(t, c.roles, c.balancers)
		if err := findings.Err(); err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}
