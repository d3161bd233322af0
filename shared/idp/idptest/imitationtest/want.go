package imitationtest

import (
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
)

// Refuse makes an operation of the vendor fail with a status and one of the vendor's codes.
func (v *Vendor) Refuse(operation string, status int, code string) {
	v.t.Helper()
	rule := fault.Rule{Service: "idp", Operation: operation, Mode: fault.Refuse, Status: status, Code: code}
	if _, err := v.Faults.Add(rule); err != nil {
		v.t.Fatal(err)
	}
}

// WantFailure checks an error's kind and text; kind "" is success. No error may show a foreign text, or "canary", which
// stands in recorded answers where nothing may come through.
func WantFailure(t testing.TB, err error, kind failure.Kind, says string, foreign ...string) {
	t.Helper()
	if kind == "" || err == nil {
		if kind != "" || err != nil {
			t.Errorf("got %v; want %q with %q", err, kind, says)
		}
		return
	}
	if !failure.Is(err, kind) || !strings.Contains(err.Error(), says) {
		t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, kind, says)
	}
	for _, text := range append(foreign, "canary") {
		if strings.Contains(strings.ToLower(err.Error()), strings.ToLower(text)) {
			t.Errorf("the error shows %q: %v", text, err)
		}
	}
}
