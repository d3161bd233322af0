// Package browser is a small web browser without a screen: it keeps cookies, follows redirects and fills in login forms.
// The demo's users and the tests use it. It never leaves the addresses it is given and loopback.
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
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	maxRedirects = 12
	maxPage      = 1 << 20
)

// Options configure a browser.
type Options struct {
	// Roots are the certificate authorities it trusts; nil is the system's.
	Roots *x509.CertPool
	// Resolve returns the address (host:port) to dial for a host:port of a URL, "" if it knows none. What it does not
	// know is dialled only if it is localhost or a loopback address.
	Resolve func(hostPort string) string
	// Timeout is the limit for one request; 30 s by default.
	Timeout time.Duration
	// Typing is how long the user of Login has the form before it is sent.
	Typing time.Duration
}

// Browser holds one user's cookies. It is safe for concurrent use, like the tabs of a real one.
type Browser struct {
	client  *http.Client // follows no redirect and has no jar: send does both
	typing  time.Duration
	mu      sync.Mutex
	cookies *cookiejar.Jar
}

// Page is the page a browser has arrived at.
type Page struct {
	URL    *url.URL
	Status int
	Header http.Header
	Body   []byte
}

// StepError says where a visit went wrong. It names the step, the host and the status, never cookies, forms or queries.
type StepError struct {
	Step   string
	Host   string // with its port; empty if there is none
	Status int    // 0 if there was no answer
	Err    error
}

// Error implements error.
func (e *StepError) Error() string {
	s := e.Step
	if e.Host != "" {
		s += " at " + e.Host
	}
	if e.Status != 0 {
		s += fmt.Sprintf(" (status %d)", e.Status)
	}
	return s + ": " + e.Err.Error()
}

// Unwrap implements the errors package's contract.
func (e *StepError) Unwrap() error { return e.Err }

// New returns a browser without cookies.
func New(o Options) *Browser {
	if o.Timeout == 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Resolve == nil {
		o.Resolve = func(string) string { return "" }
	}
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, hostPort string) (net.Conn, error) {
			address, err := resolve(o.Resolve, hostPort)
			if err != nil {
				return nil, err
			}
			return dialer.DialContext(ctx, network, address)
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots, ClientSessionCache: tls.NewLRUClientSessionCache(64)},
		MaxIdleConnsPerHost: 16, IdleConnTimeout: 30 * time.Second,
	}
	b := &Browser{typing: o.Typing, client: &http.Client{Transport: transport, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	b.Forget()
	return b
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

// Another returns a browser without cookies that shares the connections of this one: one more user, cheaply.
func (b *Browser) Another() *Browser {
	other := &Browser{client: b.client, typing: b.typing}
	other.Forget()
	return other
}

// Forget drops all cookies.
func (b *Browser) Forget() {
	jar, _ := cookiejar.New(nil) // never fails
	b.mu.Lock()
	defer b.mu.Unlock()
	b.cookies = jar
}

// Close closes idle connections. A closed browser opens new ones when it is used again.
func (b *Browser) Close() { b.client.CloseIdleConnections() }

// Get visits a page with the living session and returns where it ends up, whatever its status: an error means that no
// page was reached. A page with a login form (Page.LoginForm) means that the session has ended.
func (b *Browser) Get(ctx context.Context, address string) (Page, error) {
	u, err := url.Parse(address)
	if err != nil {
		return Page{}, &StepError{Step: "open the page", Err: errors.New("the address cannot be read")}
	}
	return b.visit(ctx, "open the page", http.MethodGet, u, nil)
}

// Login logs in from scratch: it forgets all cookies, opens the page, expects a login form, fills it in, and expects to
// arrive at a page with status 200 that is not a login form. Any other course is a *StepError.
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
	page, err = b.visit(ctx, "submit the login form", form.method, form.action, values)
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
	return &StepError{Step: step, Host: p.URL.Host, Status: p.Status, Err: err}
}

// visit sends a request and follows the redirects.
func (b *Browser) visit(ctx context.Context, step, method string, u *url.URL, form url.Values) (Page, error) {
	for range maxRedirects {
		page, err := b.send(ctx, method, u, form)
		if err != nil {
			return Page{}, &StepError{Step: step, Host: u.Host, Err: err}
		}
		next, err := page.redirect()
		if err != nil {
			return Page{}, page.fault(step, err)
		}
		if next == nil {
			return page, nil
		}
		keepsMethod := page.Status == http.StatusTemporaryRedirect || page.Status == http.StatusPermanentRedirect
		if method != http.MethodPost || !keepsMethod {
			method, form = http.MethodGet, nil
		} else if next.Host != u.Host {
			return Page{}, page.fault(step, errors.New("a form would be sent on to another host"))
		}
		u = next
	}
	return Page{}, &StepError{Step: step, Host: u.Host, Err: fmt.Errorf("more than %d redirects", maxRedirects)}
}

func (b *Browser) send(ctx context.Context, method string, u *url.URL, form url.Values) (Page, error) {
	if u.Scheme != "https" {
		return Page{}, fmt.Errorf("scheme %q is not https", u.Scheme)
	}
	body := io.Reader(http.NoBody)
	if method == http.MethodPost {
		body = strings.NewReader(form.Encode())
	} else if form != nil {
		with := *u
		with.RawQuery = form.Encode() // HTML: a GET form replaces the query
		u = &with
	}
	r, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return Page{}, errors.New("the request cannot be built")
	}
	if method == http.MethodPost {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("Accept", "text/html")
	r.Header.Set("User-Agent", "local-stack-browser/1.0")
	b.mu.Lock()
	jar := b.cookies
	b.mu.Unlock()
	for _, c := range jar.Cookies(u) {
		r.AddCookie(c)
	}
	answer, err := b.client.Do(r)
	if err != nil {
		return Page{}, withoutURL(err)
	}
	defer func() { _ = answer.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(answer.Body, maxPage))
	if err != nil {
		return Page{}, withoutURL(err)
	}
	jar.SetCookies(u, answer.Cookies())
	return Page{URL: u, Status: answer.StatusCode, Header: answer.Header, Body: content}, nil
}

// withoutURL strips the address that net/http puts in front of its errors: its query can hold a code or a state.
func withoutURL(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// redirect returns where the page sends the browser, nil if it does not.
func (p Page) redirect() (*url.URL, error) {
	switch p.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, nil
	}
	location := p.Header.Get("Location")
	if location == "" {
		return nil, errors.New("a redirect without a location")
	}
	next, err := p.URL.Parse(location)
	if err != nil {
		return nil, errors.New("a redirect to an address that cannot be read")
	}
	return next, nil
}
