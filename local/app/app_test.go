package app_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"alboidc.internal/local/app"
)

func claims(json string) string {
	return "e30=." + base64.URLEncoding.EncodeToString([]byte(json)) + ".c2ln"
}

func TestApplicationGreetsOnlyWhomTheLoadBalancerNames(t *testing.T) {
	t.Parallel()
	s, err := app.Start(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data   string
		status int
		body   string
	}{
		"a user": {claims(`{"email":"ada@example.com"}`), http.StatusOK,
			"Signed in as ada@example.com at shop/orders"},
		"a name with markup": {claims(`{"email":"<b>"}`), http.StatusOK,
			"Signed in as &lt;b&gt; at shop/orders"},
		"nobody":                    {"", http.StatusForbidden, "nobody is signed in"},
		"claims without an address": {claims(`{"sub":"1"}`), http.StatusForbidden, "nobody is signed in"},
		"not a JWT":                 {"ada@example.com", http.StatusForbidden, "nobody is signed in"},
		"claims that are not JSON":  {claims(`ada`), http.StatusForbidden, "nobody is signed in"},
		"claims in another base":    {"e30=.***.c2ln", http.StatusForbidden, "nobody is signed in"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/orders",
			s.Port), nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Amzn-Oidc-Data", c.data)
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != c.status || !strings.Contains(string(body), c.body) {
			t.Errorf("%s: %d %q, %v", name, res.StatusCode, body, err)
		}
	}
}

func TestApplicationEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, end := context.WithCancel(t.Context())
	s, err := app.Start(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	end()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d/",
			s.Port), nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := client.Do(r)
		if err != nil && t.Context().Err() == nil {
			return // nobody listens any more
		}
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
	}
}
