// Package browser is a small web browser without a screen: it keeps cookies, follows redirects and fills in login
// forms. The demo's users and the tests use it. It never leaves the addresses it is given and loopback.
package browser

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alboidc.internal/shared/httpclient"
)

const (
	maxRedirects   = 12
	maxPage        = 1 << 20
	requestTimeout = 30 * time.Second
)

// Options configure a browser.
type Options struct {
	// Roots are the certificate authorities it trusts; nil is the system's.
	Roots *x509.CertPool
	// Resolve returns the address (host:port) to dial for a host:port of a URL, "" if it knows none. What it does not
	// know is dialled only if it is localhost or a loopback address.
	Resolve func(hostPort string) string
	// Typing is how long the user of Login has the form before it is sent.
	Typing time.Duration
}

// Browser holds one user's cookies.
type Browser struct {
	client *http.Client
	typing time.Duration
}

// Page is the page a browser has arrived at.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
}

// New returns a browser without cookies.
func New(o Options) *Browser {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, hostPort string) (net.Conn, error) {
			address, err := resolve(o.Resolve, hostPort)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots,
			ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
	}
	client := &http.Client{Transport: transport, Timeout: requestTimeout, CheckRedirect: follow}
	b := &Browser{typing: o.Typing, client: client}
	b.Forget()
	return b
}

// follow says whether a redirect is followed. A form is never sent on, and nothing goes elsewhere than to https.
func follow(next *http.Request, before []*http.Request) error {
	switch {
	case len(before) > maxRedirects:
		return fmt.Errorf("more than %d redirects", maxRedirects)
	case next.Method == http.MethodPost:
		return http.ErrUseLastResponse
	case next.URL.Scheme != "https":
		return fmt.Errorf("scheme %q is not https", next.URL.Scheme)
	}
	return nil
}

func resolve(known func(string) string, hostPort string) (string, error) {
	if address := known(hostPort); address != "" {
		return address, nil
	}
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return "", errors.New("the address has no port")
	}
	if ip := net.ParseIP(host); host == "localhost" || (ip != nil && ip.IsLoopback()) {
		return hostPort, nil
	}
	return "", errors.New("the browser has no address for this host")
}

// Forget drops all cookies.
func (b *Browser) Forget() {
	b.client.Jar = httpclient.NewJar()
}

// Close closes idle connections. A closed browser opens new ones when it is used again.
func (b *Browser) Close() { b.client.CloseIdleConnections() }

// Get visits a page with the living session and returns where it ends up, whatever its status: an error means that no
// page was reached. A page with a login form (Page.LoginForm) means that the session has ended.
func (b *Browser) Get(ctx context.Context, address string) (Page, error) {
	return b.visit(ctx, "open the page", http.MethodGet, address, nil)
}

// Login logs in from scratch: it forgets all cookies, opens the page, expects a login form, fills it in, and expects to
// arrive at a page with status 200 that is not a login form. An error names the step, the host and the status, never
// cookies, forms or queries.
func (b *Browser) Login(ctx context.Context, address, user, password string) (Page, error) {
	b.Forget()
	page, err := b.Get(ctx, address)
	if err != nil {
		return Page{}, err
	}
	if page.Status != http.StatusOK {
		return page, page.fault("open the page", errors.New("the answer is not a login form"))
	}
	form, err := page.loginForm()
	if err != nil {
		return page, page.fault("read the login form", err)
	}
	values, err := form.fill(user, password)
	if err != nil {
		return page, page.fault("fill in the login form", err)
	}
	select {
	case <-ctx.Done():
		return page, page.fault("fill in the login form", ctx.Err())
	case <-time.After(b.typing):
	}
	page, err = b.visit(ctx, "submit the login form", http.MethodPost, form.action.String(), values)
	if err != nil {
		return Page{}, err
	}
	switch {
	case page.LoginForm():
		return page, page.fault("log in", errors.New("the login was refused"))
	case page.Status != http.StatusOK:
		return page, page.fault("return to the page", errors.New("the page was not served"))
	}
	return page, nil
}

func (p Page) fault(step string, err error) error {
	return fmt.Errorf("%s at %s (status %d): %w", step, p.URL.Host, p.Status, err)
}

// visit sends a request and follows the redirects.
func (b *Browser) visit(ctx context.Context, step, method, address string, form url.Values) (Page, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil || r.URL.Scheme != "https" {
		return Page{}, fmt.Errorf("%s: the address cannot be opened", step)
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	answer, err := b.client.Do(r)
	if err != nil {
		host, err := withoutURL(err, r.URL)
		return Page{}, fmt.Errorf("%s at %s: %w", step, host, err)
	}
	defer func() { _ = answer.Body.Close() }()
	page := Page{URL: answer.Request.URL, Status: answer.StatusCode, Header: answer.Header}
	if page.Body, err = io.ReadAll(io.LimitReader(answer.Body, maxPage)); err != nil {
		return Page{}, page.fault(step, err)
	}
	return page, nil
}

// withoutURL takes off the address that net/http puts in front of its errors, which may be relative to the first one,
// and leaves its host: its query can hold a code or a state.
func withoutURL(err error, first *url.URL) (host string, cause error) {
	var wrapped *url.Error
	if !errors.As(err, &wrapped) {
		return first.Host, err
	}
	if u, err := first.Parse(wrapped.URL); err == nil {
		return u.Host, wrapped.Err
	}
	return first.Host, wrapped.Err
}
