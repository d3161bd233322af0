package guarantees_test

import (
	"context"
	"strings"
	"testing"

	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

func TestLoadBalancersThatAreFoundByTheirTagsAreRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, func(c *config.Client) {
		c.LoadBalancers = nil
		c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders-web"},
			Regions: []string{scenario.Home, scenario.Away}}
	})
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause),
		"no Application Load Balancer in "+scenario.Away+" has the tags") {
		t.Fatalf("without the tags it ended as %s: %s", text(r.Error), text(r.Cause))
	}
	for _, arn := range w.Site.LoadBalancers {
		w.tag(arn, "login", "orders-web")
	}
	w.mustRotate() // watched: at no instant does a node use a secret that is refused
	w.atRest()
}

func TestALoadBalancerWhoseTagGoesIsRolledBackToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, func(c *config.Client) {
		c.LoadBalancers = nil
		c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders-web"},
			Regions: []string{scenario.Home, scenario.Away}}
	})
	for _, arn := range w.Site.LoadBalancers {
		w.tag(arn, "login", "orders-web")
	}
	w.when("GracePeriod", func(string) {
		if _, err := elb.NewFromConfig(w.Stack.AWS(scenario.Away)).RemoveTags(context.Background(),
			&elb.RemoveTagsInput{ResourceArns: w.Site.LoadBalancers[1:], TagKeys: []string{"login"}}); err != nil {
			t.Error(err)
		}
	})
	w.fault(fault.Rule{Service: "lambda", Operation: "Invoke", Match: `"state":"TestBeforeFinish"`, Mode: fault.Refuse,
		Status: 403, Code: "AccessDeniedException"})
	if r, _ := w.rotate(plain); text(r.Error) != "RolledBack" {
		t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
	}
	w.atRest() // and at no instant a node has the secret that was removed
}
