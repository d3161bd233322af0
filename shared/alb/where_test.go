package alb_test

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// numbered is the ARN of a load balancer of the first Region.
func numbered(n int) string {
	return fmt.Sprintf(
		"arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/lb-%02d/0123456789abcdef", n)
}

var byTag = alb.Where{Tags: map[string]string{"login": "orders", "stage": "live"}, Regions: []string{"eu-central-1"}}

// put adds a load balancer that logs users in with the client, and its tags.
func (f *fixture) put(arn string, tags map[string]string) {
	f.listen(arn, arn+"/listener", 443, login("orders"))
	for k, v := range tags {
		f.tag(arn, k, v)
	}
}

// searched are the load balancers of the targets.
func searched(t *testing.T, f *fixture, w alb.Where) []string {
	t.Helper()
	found, err := f.balancersOf().Targets(context.Background(), w, orders)
	if err != nil || len(found.Refusals) > 0 {
		t.Fatal(err, found.Refusals)
	}
	var arns []string
	for _, x := range found.Targets {
		arns = append(arns, x.LoadBalancerARN)
	}
	return arns
}

func TestLoadBalancersThatHaveAllTagsAreFoundOnAllPages(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var want []string
	for n := 44; n >= 0; n-- { // more than two batches of tags
		tags := map[string]string{"login": "orders"}
		if n%3 == 0 {
			tags["stage"] = "live"
			want = append(want, numbered(n))
		}
		f.put(numbered(n), tags)
	}
	slices.Sort(want)
	if got := searched(t, f, byTag); !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if lists := len(slices.DeleteFunc(f.calls,
		func(op string) bool { return op != "DescribeLoadBalancers" })); lists != 23 {
		t.Errorf("45 load balancers, two to a page, were listed by %d calls", lists)
	}
}

func TestATagWithAnotherValueOrKindOfLoadBalancerDoesNotCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	network := regexp.MustCompile(`(?s)(app/lb-03/.*?<Type>)application`)
	f.rewrite = func(answer string) string { return network.ReplaceAllString(answer, "${1}network") }
	for arn, stage := range map[string]string{numbered(1): "test", numbered(2): "LIVE", numbered(3): "live"} {
		f.put(arn, map[string]string{"login": "orders", "stage": stage})
	}
	f.put(numbered(4), nil)
	if got := searched(t, f, byTag); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}

func TestWhatIsGivenAndFoundIsSearchedOnceInEachRegion(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"))
	far := strings.Replace(numbered(1), "eu-central-1", "us-east-1", 1)
	f.listen(far, "far-listener", 443, login("orders"))
	for _, arn := range []string{ordersLB, far} {
		f.tag(arn, "login", "orders")
		f.tag(arn, "stage", "live")
	}
	where := byTag
	where.LoadBalancers, where.Regions = []string{ordersLB}, []string{"us-east-1", "eu-central-1"}
	found, err := f.balancersOf().Targets(context.Background(), where, orders)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := names(found.Targets), []string{"orders-alb :443 default",
		"lb-01 :443 default"}; !slices.Equal(got, want) || len(found.Warnings) != 0 {
		t.Errorf("targets %q, warnings %q, want %q", got, found.Warnings, want)
	}
}

func TestARegionWithoutTheTagsIsAWarning(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.balance(ordersLB)
	found, err := f.balancersOf().Targets(context.Background(), byTag, orders)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		`no Application Load Balancer in eu-central-1 has the tags login="orders", stage="live"`}; !slices.Equal(
		found.Warnings, want) || len(found.Targets) != 0 {
		t.Errorf("got %+v", found)
	}
}

func TestALoadBalancerThatVanishesWhileItIsLookedForIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(ordersLB, byTag.Tags)
	f.fail("DescribeTags", "LoadBalancerNotFound")
	_, err := f.balancersOf().Targets(context.Background(), byTag, orders)
	wantKind(t, err, failure.Unavailable)
	f.fail("DescribeListeners", "LoadBalancerNotFound") // after it was found: gone, with its targets
	if got := searched(t, f, byTag); len(got) != 0 {
		t.Errorf("found %q", got)
	}
}

func TestALoadBalancerFoundBeforeIsSearchedWithoutItsTagToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(numbered(1), byTag.Tags)
	f.put(numbered(2), nil) // it had them
	where := byTag
	for i := range 3 {
		where.Known = append(where.Known, rotation.Target{LoadBalancerARN: numbered(i + 1)}) // the third is gone
	}
	if got, want := searched(t, f, where), []string{numbered(1), numbered(2)}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	// the second was taken out of the list
	where.Tags, where.Regions, where.LoadBalancers = nil, nil, []string{numbered(1)}
	if got, want := searched(t, f, where), []string{numbered(1), numbered(2)}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
}

func TestWithoutTagsNothingIsLookedFor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(ordersLB, byTag.Tags)
	if got := searched(t, f, alb.Where{LoadBalancers: []string{ordersLB}}); !slices.Equal(got, []string{ordersLB}) ||
		slices.Contains(f.calls, "DescribeLoadBalancers") {
		t.Errorf("got %q after %v", got, f.calls)
	}
}
