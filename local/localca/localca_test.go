package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/localca"
)

func newAuthority(t *testing.T) *localca.Authority {
	t.Helper()
	a, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// serve greets over TLS and returns its address. httptest's own TLS has a certificate of its own.
func serve(t *testing.T, a *localca.Authority) string {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_,
			_ = io.WriteString(w, "hello")
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.Listener = tls.NewListener(srv.Listener, a.ServerConfig())
	srv.Start()
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func TestClientTrustsEveryLoopbackNameAndAddressOfItsAuthority(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	address := serve(t, a)
	for _, name := range []string{"localhost", "shop.localhost", "reports.localhost", "shop.localhost"} {
		c, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, RootCAs: a.Pool()})
		if err != nil {
			t.Fatalf("%q: %v", name, err)
		}
		_ = c.Close()
	}
	c := a.Client(5 * time.Second)
	defer c.CloseIdleConnections()
	res, err := c.Get("https://" + address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "hello" {
		t.Errorf("read %q, %v", body, err)
	}
}

func TestClientDoesNotTrustAnotherAuthority(t *testing.T) {
	t.Parallel()
	address := serve(t, newAuthority(t))
	c := newAuthority(t).Client(5 * time.Second)
	defer c.CloseIdleConnections()
	res, err := c.Get("https://" + address)
	if err == nil {
		_ = res.Body.Close()
		t.Fatal("a server of another authority was trusted")
	}
	if !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("refused for another reason: %v", err)
	}
}

func TestPEMIsTheAuthorityThatClientsOutsideTheProcessNeed(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	block, rest := pem.Decode(a.PEM())
	if block == nil || block.Type != "CERTIFICATE" || len(rest) != 0 {
		t.Fatalf("the PEM is %q", a.PEM())
	}
	authority, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := a.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "shop.localhost"})
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(leaf.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := cert.CheckSignatureFrom(authority); err != nil {
		t.Error(err)
	}
	again, err := a.ServerConfig().GetCertificate(&tls.ClientHelloInfo{ServerName: "shop.localhost"})
	if err != nil || again != leaf {
		t.Errorf("a name got a second certificate: %v", err)
	}
}
