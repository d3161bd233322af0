package alb_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"alboidc.internal/shared/alb"
)

func TestTagsTellWhoElseWritesTheTarget(t *testing.T) {
	t.Parallel()
	const state, k8s = "data source aws_secretsmanager_secret_version", "#kubernetes-controllers"
	cases := map[string]struct {
		on, key, value string
		refusal        bool
		says           string // "" is nothing
	}{
		"the load balancer controller, on the load balancer": {ordersLB, "elbv2.k8s.aws/cluster", "prod", true,
			`(tag elbv2.k8s.aws/cluster = "prod")`},
		"the load balancer controller, on the listener": {listener, "elbv2.k8s.aws/cluster", "prod", true,
			"the listener of orders-alb :443 rule 10"},
		"the load balancer controller, on the rule": {rule, "elbv2.k8s.aws/cluster", "prod", true,
			"orders-alb :443 rule 10"},
		"its ingress": {ordersLB, "ingress.k8s.aws/stack", "shop/web", true, k8s},
		"an older ingress controller": {ordersLB, "ingress.k8s.aws/cluster", "prod", true,
			"an ingress controller of Kubernetes"},
		"the oldest":              {ordersLB, "kubernetes.io/cluster/prod", "owned", true, k8s},
		"its ingress's name":      {ordersLB, "kubernetes.io/ingress-name", "web", true, k8s},
		"EKS Auto Mode":           {ordersLB, "eks:eks-cluster-name", "prod", true, "EKS Auto Mode"},
		"EKS Auto Mode's ingress": {rule, "ingress.eks.amazonaws.com/resource", "443:1", true, "EKS Auto Mode"},
		"EKS Auto Mode's gateway": {rule, "gateway.eks.amazonaws.com.alb/resource", "443:1", true, "EKS Auto Mode"},
		"Gateway API": {listener, "gateway.k8s.aws.alb/stack", "shop/web", true,
			"AWS Load Balancer Controller"},
		"ACK":               {rule, "services.k8s.aws/controller-version", "elbv2-1.0.0", true, "(ACK)"},
		"Crossplane":        {rule, "crossplane-kind", "lblistenerrule.elbv2.aws.upbound.io", true, "Crossplane"},
		"Crossplane's name": {rule, "crossplane-name", "orders", true, "managed resource"},

		"CloudFormation":            {rule, "aws:cloudformation:stack-name", "web", false, "UseExistingClientSecret"},
		"Terraform by key":          {listener, "app:TerraformWorkspace", "x", false, state},
		"Terraform by value":        {rule, "ManagedBy", "Terraform", false, state},
		"Terraform in a sentence":   {rule, "Description", "Managed by Terraform", false, state},
		"Terraform with a path":     {rule, "CreatedBy", "terraform/x", false, state},
		"Terraform's short name":    {rule, "provisioner", "tf", false, state},
		"OpenTofu":                  {rule, "managed-by", "OpenTofu", false, state},
		"OpenTofu's short name":     {rule, "iac", "tofu", false, state},
		"terragrunt":                {rule, "terragrunt_dir", "live/prod", false, state},
		"a Terraform module's name": {rule, "module", "terraform-aws-modules/alb/aws", false, state},
		"CDK for Terraform":         {rule, "by", "cdktf", false, state},
		"Pulumi":                    {rule, "pulumi:stack", "prod", false, "getSecretVersion"},
		"Pulumi in a value":         {rule, "ManagedBy", "pulumi/aws", false, "#pulumi"},
		"Ansible":                   {rule, "provisioned", "by Ansible", false, "#other-tools"},

		"any other tag":               {rule, "team", "web", false, ""},
		"a word with tf in it":        {rule, "team", "platform-rtfm", false, ""},
		"a label that Helm gives":     {rule, "app.kubernetes.io/name", "orders", false, ""},
		"a rule that is not a target": {rule + "-other", "elbv2.k8s.aws/cluster", "prod", false, ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, forward("g"))
			f.add(listener, rule, 10, login("orders"), forward("g"))
			f.add(listener, rule+"-other", 20, login("shop"), forward("g"))
			f.tag(c.on, c.key, c.value)
			found := search(t, f.balancersOf(), ordersLB)
			told, silent := found.Warnings, found.Refusals
			if c.refusal {
				told, silent = silent, told
			}
			if len(silent) != 0 || c.says == "" && len(told) != 0 {
				t.Fatalf("found %+v", found)
			}
			if c.says != "" && (len(told) != 1 || !strings.Contains(told[0], c.says)) {
				t.Fatalf("told %q, want %q", told, c.says)
			}
			if len(found.Targets) != 1 {
				t.Fatalf("targets %q", names(found.Targets))
			}
			if c.says != "" {
				pointsToThePage(t, told[0])
			}
		})
	}
}

// pointsToThePage fails unless a text names a heading of a page of the documentation.
func pointsToThePage(t *testing.T, text string) {
	t.Helper()
	m := regexp.MustCompile(`(docs/[a-z-]+\.md)#([a-z-]+)`).FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q points to no page", text)
	}
	page, err := os.ReadFile(filepath.Join("..", "..", m[1]))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(page), -1) {
		if strings.ReplaceAll(strings.ToLower(h[1]), " ", "-") == m[2] {
			return
		}
	}
	t.Errorf("%s has no heading #%s", m[1], m[2])
}

func TestTheWarningOfWeightsPointsToItsParagraph(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g", "h"))
	pointsToThePage(t, search(t, f.balancersOf(), ordersLB).Warnings[0])
}

func TestManyTagsOfOneToolAreOneWarning(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
	f.tag(ordersLB, "terraform", "yes")
	f.tag(ordersLB, "terraform-workspace", "web")
	f.tag(ordersLB, "managed-by", "terraform")
	f.tag(listener, "elbv2.k8s.aws/cluster", "web")
	f.tag(listener, "elbv2.k8s.aws/resource", "443")
	if found := search(t, f.balancersOf(), ordersLB); len(found.Warnings) != 1 || len(found.Refusals) != 1 {
		t.Fatalf("warnings %q, refusals %q", found.Warnings, found.Refusals)
	}
}

// The default action is the listener's, and owned with its tag. Two rules are beside it.
func TestRulesOfControllersAreLeftToThem(t *testing.T) {
	t.Parallel()
	const k8s, ack = "elbv2.k8s.aws/cluster", "services.k8s.aws/controller-version"
	for name, c := range map[string]struct {
		tags    map[string]string // keys by what they are on
		follows string            // priorities
		warns   int
	}{
		"nothing":       {map[string]string{rule: "team"}, "", 0},
		"a rule":        {map[string]string{rule: k8s}, "10", 0},
		"a rule of ACK": {map[string]string{rule: ack}, "10", 0},
		"all, as today's controllers tag": {map[string]string{ordersLB: k8s, listener: k8s, rule: k8s,
			rule + "-b": k8s}, "10 20 default", 0},
		"a default action":        {map[string]string{listener: k8s}, "default", 1},
		"a rule beside another's": {map[string]string{ordersLB: k8s, rule: k8s}, "10", 1},
		"what is below, by an older controller": {map[string]string{ordersLB: "kubernetes.io/cluster/prod"},
			"10 20 default", 0},
		"a load balancer of one that takes no more": {map[string]string{ordersLB: ack}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
			f.add(listener, rule, 10, login("orders"), forward("g"))
			f.add(listener, rule+"-b", 20, login("orders"), forward("g"))
			for on, key := range c.tags {
				f.tag(on, key, "x")
			}
			r := orders
			r.LeavesToControllers = true
			found, err := f.balancersOf().Targets(t.Context(), alb.Where{LoadBalancers: []string{ordersLB}}, r)
			if err != nil {
				t.Fatal(err)
			}
			var follows []string
			for _, x := range found.Follows {
				_, name, _ := strings.Cut(x, ":443 ")
				name, _, _ = strings.Cut(strings.TrimPrefix(name, "rule "), " (")
				follows = append(follows, name)
			}
			if got := strings.Join(follows, " "); got != c.follows || len(found.Refusals) != 0 ||
				len(found.Warnings) != c.warns ||
				len(found.Targets)+len(follows) != 3 || len(found.ClientIDs) != len(found.Targets) {
				t.Errorf("%q follow: %+v", got, found)
			}
		})
	}
}

func TestNoAdviceIsToIgnoreTheSecretAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
	f.tag(ordersLB, "terraform", "yes")
	if w := search(t, f.balancersOf(), ordersLB).Warnings; !strings.Contains(w[0], "also with ignore_changes") {
		t.Fatalf("warnings %q", w)
	}
}
