package bench

import (
	"testing"

	"alboidc.internal/local/asl"
)

// A thousand clients within the limits of an account are as many as these within a small part of them.
func TestClientsWaitForEachOther(t *testing.T) {
	t.Parallel()
	const n = 25
	if testing.Short() {
		t.Skip("takes some ten seconds")
	}
	limits := awsLimits()
	for i := range limits {
		limits[i].burst, limits[i].refill = max(1, limits[i].burst*n/1000), limits[i].refill*n/1000
	}
	w, err := newCrowd(t.Context(), n, limits, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	ends, err := w.rotateAll(t.Context(), w.names)
	if err != nil {
		t.Fatal(err)
	}
	if refused := w.refused(); ends[asl.Succeeded] != n || refused > 0 || w.gate.throttled < 10*n {
		t.Errorf("they end as %v, %d logins have a refused secret, %d requests were throttled", ends, refused,
			w.gate.throttled)
	}
}
