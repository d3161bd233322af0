package alb_test

import (
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/rotation"
)

func TestWhatWasThereWhenItWasPlannedIsNotRefusedLater(t *testing.T) {
	t.Parallel()
	owned := map[string]string{"elbv2.k8s.aws/cluster": "prod"}
	for name, c := range map[string]struct {
		planned func([]rotation.Target, map[string]string) []rotation.Target
		refused bool
	}{
		"it is planned now": {func([]rotation.Target, map[string]string) []rotation.Target { return nil }, true},
		"planned with these tags, under weaker rules": {func(ts []rotation.Target,
			tags map[string]string) []rotation.Target {
			ts[0].Tags = tags[ts[0].Key()]
			return ts
		}, false},
		"planned by a release that noted no tags": {func(ts []rotation.Target, _ map[string]string) []rotation.Target {
			return ts
		}, false},
		"planned with other tags": {func(ts []rotation.Target, _ map[string]string) []rotation.Target {
			ts[0].Tags = "0123456789abcdef"
			return ts
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.put(ordersLB, owned)
			where := alb.Where{LoadBalancers: []string{ordersLB}}
			first, err := f.balancersOf().Targets(t.Context(), where, orders)
			if err != nil || len(first.Refusals) == 0 || len(first.Targets) != 1 {
				t.Fatalf("found %+v (%v)", first, err)
			}
			where.Known = c.planned(slices.Clone(first.Targets), first.Tags)
			found, err := f.balancersOf().Targets(t.Context(), where, orders)
			if err != nil || (len(found.Refusals) > 0) != c.refused || len(found.Targets) != 1 {
				t.Errorf("refused %q (%v)", found.Refusals, err)
			}
			if told := strings.Contains(strings.Join(found.Warnings, " "),
				"Load Balancer Controller"); told == c.refused {
				t.Errorf("told %q", found.Warnings)
			}
		})
	}
}

func TestWhatEarlierConfigurationsNamedIsSearchedToo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.put(numbered(1), nil)
	f.put(numbered(2), nil)
	f.put(numbered(3), byTag.Tags)
	where := alb.Where{LoadBalancers: []string{numbered(1)},
		Earlier: []alb.Where{byTag, {LoadBalancers: []string{numbered(2), numbered(1), numbered(4)}}}}
	found, err := f.balancersOf().Targets(t.Context(), where, orders)
	if err != nil || len(found.Refusals) > 0 || len(found.Warnings) > 0 { // the fourth is gone
		t.Fatalf("found %+v (%v)", found, err)
	}
	for _, target := range found.Targets {
		if left := target.LoadBalancerARN != numbered(1); found.Left[target.LoadBalancerARN] != left {
			t.Errorf("%s is only of an earlier configuration: %v", target.Name, !left)
		}
	}
	if len(found.Targets) != 3 {
		t.Errorf("found %+v", found.Targets)
	}
}
