package guarantees_test

import (
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/orders"
)

// errors makes the first load balancer count authentication errors.
func (w *world) errors(n float64) {
	_, dimension, _ := strings.Cut(w.Site.LoadBalancers[0], ":loadbalancer/")
	w.Stack.CloudWatch.Add(orders.Home, "AWS/ApplicationELB", "ELBAuthError", map[string]string{"LoadBalancer": dimension}, n)
}

func TestErrorsThatAreUsualDoNotRollARotationBackAndMoreDo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, during float64
		status         asl.Status
	}{
		"one stray error in the grace period":       {0, 1, asl.Succeeded},
		"as many as in the week before":             {40, 40, asl.Succeeded},
		"many where there were none":                {0, 40, asl.Failed},
		"many more than in the week before, though": {40, 120, asl.Failed},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.errors(c.before)
			w.pass(24 * time.Hour)
			w.when("GracePeriod", func(string) { w.errors(c.during) })
			r, execution := w.rotate(plain)
			if r.Status != c.status {
				t.Errorf("ended as %s %s: %s\n%v", r.Status, text(r.Error), text(r.Cause), w.path(execution))
			}
			if c.status == asl.Failed && !strings.Contains(text(r.Cause), "TestBeforeFinish failed with SmokeTestFailed: ") {
				t.Errorf("cause: %s", text(r.Cause))
			}
			w.atRest()
		})
	}
}
