package awsapi_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
)

func (r *rig) fault(f fault.Rule) {
	r.t.Helper()
	if _, err := r.faults.Add(f); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) handled(service string) int {
	e := r.services[service]
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.handled
}

func TestRefusedRequestHasNoEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(fault.Rule{Service: "states", Operation: "Echo", Match: "orders", Mode: fault.Refuse, Status: 503,
		Code: "ServiceUnavailable"})
	r.fault(fault.Rule{Service: "sns", Operation: "Echo", Match: "Text=a b", Mode: fault.Refuse, Status: 400,
		Code: "Throttling"})
	for name, q := range map[string]request{"states": target("states", "Echo", `{"Text":"orders"}`),
		"sns": form("sns", "Action=Echo&Text=a%20b")} {
		a := r.do(q)
		want := map[string]string{"states": "ServiceUnavailable", "sns": "Throttling"}[name]
		if code, _ := a.failure(t, name); code != want || r.handled(name) != 0 {
			t.Errorf("%s: %d %s, handled %d times", name, a.status, code, r.handled(name))
		}
	}
	if a := r.do(target("states", "Echo", `{"Text":"other"}`)); a.status != http.StatusOK || r.handled("states") != 1 {
		t.Errorf("a request that the fault does not describe: %d", a.status)
	}
}

func TestLostReplyFollowsTheEffect(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(fault.Rule{Service: "states", Operation: "Echo", Times: 1, Mode: fault.Lose})
	if a, err := r.try(target("states", "Echo", `{}`)); err == nil {
		t.Fatalf("a lost reply arrived: %d %s", a.status, a.body)
	}
	if got := r.handled("states"); got != 1 {
		t.Fatalf("handled %d times", got)
	}
	if a := r.do(target("states", "Echo", `{}`)); a.status != http.StatusOK {
		t.Errorf("the next one: %d", a.status)
	}
}

func TestDroppedRequestIsCarriedOutAllTheSame(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(fault.Rule{Service: "states", Operation: "Echo", Times: 1, Mode: fault.Drop})
	if a, err := r.try(target("states", "Echo", `{}`)); err == nil {
		t.Fatalf("a reply arrived: %d %s", a.status, a.body)
	}
	r.clock.Advance(time.Second) // when nothing is busy any more
	if got := r.handled("states"); got != 1 {
		t.Errorf("handled %d times", got)
	}
}

func TestDelayedRequestIsCarriedOutLaterOnTheStacksClock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(fault.Rule{Service: "states", Operation: "*", Mode: fault.Delay, Latency: time.Hour})
	if a := r.do(target("states", "Echo", `{}`)); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := r.clock.Now().Sub(start()); got != time.Hour {
		t.Errorf("took %s", got)
	}
}

func TestDelayedRequestLandsAlthoughItsSenderHasGone(t *testing.T) {
	t.Parallel()
	c, faults, service := clock.NewVirtual(start()), &fault.Injector{}, &echo{name: "states", protocol: awsapi.JSON10}
	if _, err := faults.Add(fault.Rule{Service: "states", Operation: "Echo", Mode: fault.Delay,
		Latency: time.Minute}); err != nil {
		t.Fatal(err)
	}
	gone, hangUp := context.WithCancel(t.Context())
	hangUp()
	r := httptest.NewRequestWithContext(gone, http.MethodPost, "/", strings.NewReader(`{}`))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260301/eu-west-1/states/aws4_request")
	r.Header.Set("X-Amz-Target", "AWSStepFunctions.Echo")
	awsapi.NewServer(c, faults, service).ServeHTTP(httptest.NewRecorder(), r)
	if service.handled != 1 || c.Now().Sub(start()) != time.Minute {
		t.Errorf("handled %d times, after %s", service.handled, c.Now().Sub(start()))
	}
}

func TestFaultsDoNotHideAnUnknownOperation(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.fault(fault.Rule{Service: "lambda", Operation: "*", Mode: fault.Refuse})
	if a := r.do(request{service: "lambda", method: http.MethodGet,
		path: "/layers"}); a.status != http.StatusNotImplemented {
		t.Errorf("%d %s", a.status, a.body)
	}
}
