package idp_test

import (
	"net/url"
	"strings"
	"testing"

	"alboidc.internal/shared/idp"
)

func TestAnIDIsOnePartOfAPathWhateverIsInIt(t *testing.T) {
	t.Parallel()
	for id, path := range map[string]string{
		"orders-web":                 "/clients/orders-web",
		"https://orders.example/~x?": "/clients/https:%2F%2Forders.example%2F~x%3F",
		"urn:x:50%#a;b,c":            "/clients/urn:x:50%25%23a%3Bb%2Cc",
		"Aufträge (neu)":             "/clients/Auftr%C3%A4ge%20%28neu%29",
		"a+b@c&d=e'f\"g":             "/clients/a+b@c&d=e%27f%22g",
		`back\slash`:                 "/clients/back%5Cslash",
		"..a":                        "/clients/..a",
	} {
		got := idp.Path("clients", id)
		u, err := url.Parse("https://x.example.com/admin" + got + "/secret")
		if !idp.IsID(id) || got != path || err != nil || u.EscapedPath() != "/admin"+got+"/secret" ||
			u.Path != "/admin/clients/"+id+"/secret" || u.RawQuery != "" || u.Fragment != "" {
			t.Errorf("%q is %s and leads to %+v (%v), want %s", id, got, u, err, path)
		}
	}
	for _, id := range []string{"", ".", "..", "../x", "a/../b", `a\..`, "a/.", "line\nbreak", "nul\x00", "\u0085",
		strings.Repeat("x", 256)} {
		if idp.IsID(id) {
			t.Errorf("%q is taken for an id", id)
		}
	}
}
