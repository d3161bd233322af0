package alb_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// A target comes with the call, and its Region becomes part of the host that the secret is sent to.
func TestATargetWhosePartsDoNotBelongTogetherIsRefused(t *testing.T) {
	t.Parallel()
	in := func(region string) func(*rotation.Target) {
		return func(t *rotation.Target) {
			for _, s := range []*string{&t.Region, &t.LoadBalancerARN, &t.ListenerARN, &t.RuleARN} {
				*s = strings.ReplaceAll(*s, "eu-central-1", region)
			}
		}
	}
	for name, alter := range map[string]func(*rotation.Target){
		"another Region":   func(t *rotation.Target) { t.Region = "us-east-1" },
		"a host as Region": in("evil.example"),
		"a URL as Region":  in("evil.example/#"),
		"no Region":        in(""),
		"a listener of another": func(t *rotation.Target) {
			t.ListenerARN = strings.Replace(listener, "orders-alb", "billing", 1)
		},
		"no listener":              func(t *rotation.Target) { t.ListenerARN = "" },
		"the load balancer itself": func(t *rotation.Target) { t.ListenerARN = strings.TrimSuffix(listener, "1") },
		"a rule of another": func(t *rotation.Target) {
			t.RuleARN = strings.Replace(rule, "orders-alb", "billing", 1)
		},
		"a rule of a listener": func(t *rotation.Target) { t.RuleARN = strings.Replace(rule, "/1/10", "/2/10", 1) },
		"another account": func(t *rotation.Target) {
			t.RuleARN = strings.Replace(rule, "111122223333", "444455556666", 1)
		},
		"no load balancer": func(t *rotation.Target) { t.LoadBalancerARN = "" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"))
			target := ruleTarget
			alter(&target)
			_, err := set(f, target, change())
			if !failure.Is(err, failure.InvalidInput) || len(f.calls) > 0 {
				t.Errorf("got %v after %v", err, f.calls)
			}
		})
	}
}
