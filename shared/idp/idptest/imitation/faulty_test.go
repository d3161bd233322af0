package imitation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitation"
)

func TestDelayedRequestLandsAlthoughItsSenderHasGone(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	e := imitation.Env{Clock: clock.NewVirtual(noon), Faults: &fault.Injector{}}
	if _, err := e.Faults.Add(fault.Rule{Service: "idp", Operation: "okta.createSecret", Mode: fault.Delay,
		Latency: time.Minute}); err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	var landed time.Time
	e.Serve(httptest.NewRecorder(), httptest.NewRequestWithContext(gone, http.MethodPost, "/", nil),
		"okta.createSecret", "", nil,
		func(_ http.ResponseWriter, r *http.Request) {
			if r.Context().Err() == nil {
				landed = e.Clock.Now()
			}
		})
	if got := landed.Sub(noon); got != time.Minute {
		t.Fatalf("the request landed after %s, want after a minute", got)
	}
}
