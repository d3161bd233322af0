package bench

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// page measures a login test through one node: its requests, its time, and its memory when the application's page is a
// hundred times as large as the test reads.
func page(ctx context.Context) ([]Row, error) {
	const group = "a login test through one node"
	small, err := loginTest(ctx, 10<<10)
	if err != nil {
		return nil, err
	}
	large, err := loginTest(ctx, 100<<20)
	if err != nil {
		return nil, err
	}
	return []Row{{group, "requests", float64(small.requests), "", nil, true},
		{group, "time", small.took.Seconds() * 1000, "ms", nil, false},
		{group, "memory allocated, a page of 10 kB", float64(small.allocated) / 1e6, "MB", nil, false},
		{group, "memory allocated, a page of 100 MB", float64(large.allocated) / 1e6, "MB", goal(16), false}}, nil
}

type loginCost struct {
	requests  int
	took      time.Duration
	allocated uint64
}

// loginTest logs in at a load balancer and an identity provider that do as little as they can.
func loginTest(ctx context.Context, size int) (loginCost, error) {
	out := loginCost{}
	const login = `<form method=post action=/login><input name=user><input type=password name=pass></form>`
	chunk := []byte(strings.Repeat("x", 1<<10))
	var host string
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out.requests++
		app := strings.HasPrefix(r.Host, "app.")
		_, err := r.Cookie("session")
		switch {
		case !app && r.Method == http.MethodPost:
			http.Redirect(w, r, "https://app."+host+"/oauth2/idpresponse?code=x", http.StatusFound)
		case !app:
			_, _ = w.Write([]byte(login))
		case r.URL.Path == "/oauth2/idpresponse":
			http.SetCookie(w, &http.Cookie{Name: "session", Value: "x", Path: "/", Secure: true})
			http.Redirect(w, r, "/", http.StatusFound)
		case err != nil:
			http.Redirect(w, r, "https://idp."+host+"/authorize", http.StatusFound)
		default:
			_, _ = w.Write([]byte("welcome"))
			for range size / len(chunk) {
				if _, err := w.Write(chunk); err != nil {
					return // the test has read enough
				}
			}
		}
	}))
	defer s.Close()
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		return out, err
	}
	host = "example.com:" + port
	pool := x509.NewCertPool()
	pool.AddCert(s.Certificate())
	p := probe.New(probe.Options{RootCAs: pool, AllowLoopback: true, Resolver: loopback{}})
	client := probe.Client{Issuer: "https://idp." + host, ClientID: "client",
		AuthorizationEndpoint: "https://idp." + host + "/authorize"}
	test := config.LoginTest{URL: "https://app." + host + "/", ExpectText: "welcome"}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	began := time.Now()
	user := probe.User{Name: secret.New("synthetic"), Password: secret.New("x")}
	evidence, err := p.Login(ctx, test, client, user, nil)
	out.took = time.Since(began)
	runtime.ReadMemStats(&after)
	out.allocated = after.TotalAlloc - before.TotalAlloc
	if err == nil && (len(evidence) != 1 || !evidence[0].OK) {
		err = fmt.Errorf("the login failed: %+v", evidence)
	}
	return out, err
}

// loopback resolves every name to this machine.
type loopback struct{}

// LookupNetIP implements probe.Resolver.
func (loopback) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}
