package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"
)

// Login is how a login through one node ended.
type Login struct {
	// Status is that of the last answer; 200 is a login.
	Status int
	// Presented is the label of the client secret that the node sent, How the way in which it sent it.
	Presented string `json:"presented"`
	How       string `json:"how"`
}

// LogIn logs a new user in through the node at an address, without asking the identity provider: the code is invented,
// and issuer.js takes any. transport is what requests go through, for certificates that nobody knows.
func LogIn(ctx context.Context, transport *http.Transport, address, host, path string) (Login, error) {
	t := transport.Clone()
	t.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: 10 * time.Second}).DialContext(ctx, network, address)
	}
	defer t.CloseIdleConnections()
	jar, err := cookiejar.New(nil)
	if err != nil {
		return Login{}, err
	}
	c := &http.Client{Transport: t, Jar: jar, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	begins, err := visit(ctx, c, "https://"+host+path)
	if err != nil {
		return Login{}, err
	}
	to, err := url.Parse(begins.location)
	if err != nil || begins.status != http.StatusFound || to.Query().Get("redirect_uri") == "" {
		return Login{}, fmt.Errorf("node %s: no redirect to a login, but %d", address, begins.status)
	}
	back := to.Query().Get("redirect_uri") + "?" + url.Values{"code": {"invented"},
		"state": {to.Query().Get("state")}}.Encode()
	returned, err := visit(ctx, c, back)
	if err != nil || returned.status != http.StatusFound {
		return Login{Status: returned.status}, err
	}
	page, err := visit(ctx, c, returned.location)
	out := Login{Status: page.status}
	if err == nil && page.status == http.StatusOK && json.Unmarshal(page.body, &out) != nil {
		err = errors.New("the page after the login is not that of verify-live")
	}
	return out, err
}

type answer struct {
	status   int
	location string
	body     []byte
}

// visit asks for a page. An error names no URL: it would hold the state of a login.
func visit(ctx context.Context, c *http.Client, address string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{}, errors.New("the load balancer redirects to what is no URL")
	}
	res, err := c.Do(r)
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if err != nil {
		return answer{}, fmt.Errorf("visiting %s: %w", r.URL.Host+r.URL.Path, err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return answer{res.StatusCode, strings.TrimSpace(res.Header.Get("Location")), body}, err
}
