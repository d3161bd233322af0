package guarantees_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

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
		region := strings.Split(arn, ":")[3]
		if _, err := elb.NewFromConfig(w.Stack.AWS(region)).AddTags(context.Background(),
			&elb.AddTagsInput{ResourceArns: []string{arn},
				Tags: []types.Tag{{Key: aws.String("login"), Value: aws.String("orders-web")}}}); err != nil {
			t.Fatal(err)
		}
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
	api := func(arn string) *elb.Client { return elb.NewFromConfig(w.Stack.AWS(strings.Split(arn, ":")[3])) }
	for _, arn := range w.Site.LoadBalancers {
		if _, err := api(arn).AddTags(context.Background(), &elb.AddTagsInput{ResourceArns: []string{arn},
			Tags: []types.Tag{{Key: aws.String("login"), Value: aws.String("orders-web")}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.when("GracePeriod", func(string) {
		arn := w.Site.LoadBalancers[1]
		if _, err := api(arn).RemoveTags(context.Background(), &elb.RemoveTagsInput{ResourceArns: []string{arn},
			TagKeys: []string{"login"}}); err != nil {
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
