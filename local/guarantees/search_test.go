package guarantees_test

import (
	"context"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/local/orders"
	"alboidc.internal/shared/config"
)

func TestLoadBalancersThatAreFoundByTheirTagsAreRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, func(c *config.Client) {
		c.LoadBalancers = nil
		c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders-web"}, Regions: []string{orders.Home, orders.Away}}
	})
	if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "no Application Load Balancer in "+orders.Away+" has the tags") {
		t.Fatalf("without the tags it ended as %s: %s", text(r.Error), text(r.Cause))
	}
	for _, arn := range w.Site.LoadBalancers {
		region := strings.Split(arn, ":")[3]
		if _, err := elb.NewFromConfig(w.Stack.AWS(region)).AddTags(context.Background(), &elb.AddTagsInput{ResourceArns: []string{arn},
			Tags: []types.Tag{{Key: aws.String("login"), Value: aws.String("orders-web")}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.mustRotate() // watched: at no instant does a node use a secret that is refused
	w.atRest()
}
