package guarantees_test

import (
	"sync"
	"testing"

	"alboidc.internal/local/stepfunctions"
)

// reads counts the requests to Secrets Manager that read something, in one rotation and in its last step.
func (w *world) reads() (whole, last map[string]int) {
	var mu sync.Mutex
	whole, last = map[string]int{}, map[string]int{}
	finishing := false
	w.mu.Lock()
	w.hooks = append(w.hooks, func(_ string, e stepfunctions.Event) {
		if e.StateEntered != nil {
			mu.Lock()
			finishing = e.StateEntered.Name == "FinishSecret"
			mu.Unlock()
		}
	})
	w.mu.Unlock()
	w.Stack.Faults.Observe(func(service, operation, _ string) {
		mu.Lock()
		defer mu.Unlock()
		if service != "secretsmanager" {
			return
		}
		whole[operation]++
		if finishing {
			last[operation]++
		}
	})
	w.mustRotate()
	mu.Lock()
	defer mu.Unlock()
	return whole, last
}

// What a call has read it passes on; labels are read again only before what cannot be undone. Ten of the readings of
// each kind are those of the ten calls that set a target.
func TestARotationReadsLittle(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		way
		labels, texts         int
		lastLabels, lastTexts int
	}{
		{okta, 25, 38, 2, 5},
		{way{"keycloak", "keycloak", quick, false, ""}, 26, 30, 2, 3}, // they were 46, 45, 5 and 11
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := c.world(t, func(*world) {})
			w.mustRotate()
			whole, last := w.reads()
			if whole["DescribeSecret"] > c.labels || whole["GetSecretValue"] > c.texts ||
				last["DescribeSecret"] > c.lastLabels || last["GetSecretValue"] > c.lastTexts {
				t.Errorf("it makes %v, of these %v in FinishSecret", whole, last)
			}
		})
	}
}
