package httpclient_test

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"alboidc.internal/shared/httpclient"
)

// server is a TLS server and a client that trusts it.
func server(t *testing.T, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, client(t, httpclient.Options{RootCAs: authority(s)})
}

func authority(s *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
}

func client(t *testing.T, o httpclient.Options) *http.Client {
	t.Helper()
	c, err := httpclient.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	s, c := server(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	})
	resp, err := c.Get(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusFound {
		t.Errorf("the status is %d, want the redirect itself", resp.StatusCode)
	}
}

func TestUserAgentIsSetUnlessTheRequestHasOne(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{"": httpclient.UserAgent, "browser/1": "browser/1"} {
		s, c := server(t, func(_ http.ResponseWriter, r *http.Request) {
			if got := r.Header.Get("User-Agent"); got != want {
				t.Errorf("User-Agent is %q, want %q", got, want)
			}
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if given != "" {
			req.Header.Set("User-Agent", given)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if req.Header.Get("User-Agent") != given {
			t.Error("the caller's request was changed")
		}
	}
}

func TestAnUnknownAuthorityIsRefused(t *testing.T) {
	t.Parallel()
	s, _ := server(t, func(http.ResponseWriter, *http.Request) {})
	resp, err := client(t, httpclient.Options{}).Get(s.URL)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("a server with an unknown authority was trusted")
	}
	var cert *tls.CertificateVerificationError
	if !errors.As(err, &cert) {
		t.Errorf("got %v, want the certificate to be the reason", err)
	}
}

func TestTLSOlderThan12IsRefused(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11} //nolint:gosec // an old server
	s.StartTLS()
	t.Cleanup(s.Close)
	resp, err := client(t, httpclient.Options{RootCAs: authority(s)}).Get(s.URL)
	if err == nil {
		_ = resp.Body.Close()
		t.Error("a server with TLS 1.1 was accepted")
	}
}

func TestExtraAuthoritiesMustBePEM(t *testing.T) {
	t.Parallel()
	if _, err := httpclient.New(httpclient.Options{RootCAs: []byte("not PEM")}); err == nil {
		t.Error("authorities that are not PEM were accepted")
	}
}

func TestTheDialerCanBeReplaced(t *testing.T) {
	t.Parallel()
	s, _ := server(t, func(http.ResponseWriter, *http.Request) {})
	c := client(t, httpclient.Options{RootCAs: authority(s), Dial: func(ctx context.Context, network,
		address string) (net.Conn, error) {
		if address != "example.com:443" {
			t.Errorf("asked to dial %s", address)
		}
		return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
	}})
	resp, err := c.Get("https://example.com/") // the test server's certificate is for this name
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
}

func TestAServerThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	s, _ := server(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	})
	resp, err := client(t, httpclient.Options{RootCAs: authority(s), Timeout: 30 * time.Millisecond}).Get(s.URL)
	if err == nil {
		_ = resp.Body.Close()
		t.Fatal("an answer came from nowhere")
	}
	var n net.Error
	if !errors.As(err, &n) || !n.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestSleepEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := httpclient.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("Sleep in an ended context: %v", err)
	}
	if err := httpclient.Sleep(t.Context(), time.Nanosecond); err != nil {
		t.Errorf("Sleep: %v", err)
	}
}
