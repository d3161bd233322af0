package probe_test

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

// canary marks everything that must never be shown.
const canary = "CANARY0secret0Value"

// names resolves example.com names to the loopback address, and the others as told.
type names map[string]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if a, ok := n[host]; ok {
		return []netip.Addr{netip.MustParseAddr(a)}, nil
	}
	if strings.HasSuffix(host, ".example.com") {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// serve starts a TLS server; its certificate, which all of httptest's servers share, is good for *.example.com.
func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// at is the URL of a server under a name of example.com.
func at(s *httptest.Server, name, path string) string {
	return "https://" + name + ".example.com:" + portOf(s) + path
}

func addr(s *httptest.Server) string { return s.Listener.Addr().String() }

func portOf(s *httptest.Server) string {
	_, port, _ := net.SplitHostPort(addr(s))
	return port
}

// options trusts the servers of serve.
func options(t *testing.T) probe.Options {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return probe.Options{RootCAs: roots, AllowLoopback: true, Resolver: names{}}
}

// noCanary fails if anything that leaves the package holds the canary.
func noCanary(t *testing.T, values ...any) {
	t.Helper()
	for _, v := range values {
		for _, text := range []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v)} {
			if strings.Contains(text, canary) || strings.Contains(text, url.QueryEscape(canary)) {
				t.Errorf("a secret is shown: %s", text)
			}
		}
	}
}

// oneFailed is the detail of the only evidence, which must not be OK.
func oneFailed(t *testing.T, evidence []rotation.Evidence) string {
	t.Helper()
	if len(evidence) != 1 || evidence[0].OK {
		t.Fatalf("evidence is not one failed check: %+v", evidence)
	}
	return evidence[0].Detail
}

var user = probe.User{Name: secret.New("synthetic@example.com"), Password: secret.New(canary)}
