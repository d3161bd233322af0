package probe

import (
	"context"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
)

// visit is one browser session: fresh cookies, one load balancer address, the hosts it may go to.
type visit struct {
	client                 *http.Client
	app                    *url.URL
	idpHosts               map[string]bool
	user                   User
	sentName, sentPassword bool
}

func newVisit(p *Prober, app *url.URL, node string, idpHosts map[string]bool, user User) *visit {
	client := p.newClient(pin{hostPort(app), node}, httpclient.NewJar())
	return &visit{client: client, app: app, idpHosts: idpHosts, user: user}
}

// step is one request: a form to send, or a page to open if form is nil. doing names it in failures.
type step struct {
	doing  string
	to     *url.URL
	form   url.Values
	origin *url.URL
}

// page is an answer: a redirect, or the body of a 200.
type page struct {
	from     *url.URL
	redirect *url.URL
	body     []byte
}

// contains reports whether the page has a text, in its source or as a reader sees it.
func (pg page) contains(text string) bool {
	return strings.Contains(string(pg.body), text) || strings.Contains(html.UnescapeString(string(pg.body)), text)
}

// open sends one request and reads the answer.
func (v *visit) open(ctx context.Context, s step) (page, error) {
	if err := v.allowed(s); err != nil {
		return page{}, err
	}
	req, err := s.request(ctx)
	if err != nil {
		return page{}, newFailure("%s at %s: not a URL that can be requested", s.doing, s.to.Host)
	}
	resp, err := v.client.Do(req)
	if err != nil {
		return page{}, explainNoAnswer(s.doing+" at "+s.to.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	if err := checkAvailable(s.doing+" at "+s.to.Host, resp.StatusCode); err != nil {
		return page{}, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
		if err != nil {
			return page{}, explainNoAnswer(s.doing+" at "+s.to.Host, err)
		}
		return page{from: s.to, body: body}, nil
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther:
		return v.redirected(s, resp)
	case http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		if s.form == nil {
			return v.redirected(s, resp)
		}
	}
	err = newFailure("%s at %s: HTTP %d%s", s.doing, s.to.Host, resp.StatusCode, v.meaning(s, resp.StatusCode))
	if answer := s.to.Query(); v.atCallback(s) && answer.Get("code") != "" && !answer.Has("error") {
		err = callbackError{err}
	}
	return page{}, err
}

// callbackError is a login that failed where the load balancer itself asks the identity provider: it was given a code.
// Without one (RFC 6749, section 4.1.2.1) it has nothing to ask, and no secret mends that.
type callbackError struct{ error }

func (e callbackError) Unwrap() error { return e.error }

func (v *visit) redirected(s step, resp *http.Response) (page, error) {
	to, err := resp.Location()
	if err != nil {
		return page{}, newFailure("%s at %s: HTTP %d without a usable Location", s.doing, s.to.Host, resp.StatusCode)
	}
	to.Host = strings.ToLower(to.Host)
	return page{from: s.to, redirect: to}, nil
}

// allowed fails unless the step stays on https and on the known hosts.
func (v *visit) allowed(s step) error {
	if s.to.Scheme != "https" {
		return newFailure("%s: the way leads to host %s without https, which is refused", s.doing, shownHost(s.to))
	}
	if hp := hostPort(s.to); hp != hostPort(v.app) && !v.idpHosts[hp] {
		known := append(slices.Sorted(maps.Keys(v.idpHosts)), hostPort(v.app))
		return newFailure("%s: the way leads to host %s, which is none of %s", s.doing, shownHost(s.to),
			strings.Join(known,
				", "))
	}
	if s.to.User != nil {
		return newFailure("%s: the way leads to a URL of host %s with a user name in it, which is refused", s.doing,
			s.to.Host)
	}
	return nil
}

func (s step) request(ctx context.Context) (*http.Request, error) {
	verb, body := http.MethodGet, ""
	if s.form != nil {
		verb, body = http.MethodPost, s.form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, verb, s.to.String(), strings.NewReader(body))
	if err != nil {
		return nil, failure.New(failure.Internal, "the request cannot be built")
	}
	req.Header.Set("User-Agent", userAgent)
	req.Header.Set("Accept", "text/html,application/xhtml+xml")
	if s.form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		// browsers send it with every POST, and login pages check it against forged requests
		req.Header.Set("Origin", s.origin.Scheme+"://"+s.origin.Host)
	}
	return req, nil
}

// atCallback reports whether the step brings the identity provider's answer to the load balancer.
func (v *visit) atCallback(s step) bool {
	return hostPort(s.to) == hostPort(v.app) && s.to.Path == callbackPath
}

// meaning explains a status where it has one that an operator should know (Application Load Balancers user guide,
// "Troubleshoot your Application Load Balancers", HTTP 401, 500 and 561).
func (v *visit) meaning(s step, status int) string {
	atApp, refusal := hostPort(s.to) == hostPort(v.app), s.to.Query().Get("error")
	switch {
	case v.atCallback(s) && codePattern.MatchString(refusal):
		return ": the identity provider refused the login with " + refusal
	case v.atCallback(s) && s.to.Query().Has("error"):
		return ": the identity provider refused the login"
	case atApp && status == 561:
		return ": the identity provider refused the load balancer's request, as it does for a wrong client secret"
	case v.atCallback(s) && status == http.StatusInternalServerError:
		return ": the load balancer got no usable answer from the identity provider"
	case v.atCallback(s) && status == http.StatusUnauthorized:
		return ": the load balancer refused the identity provider's answer"
	case !atApp && (status == http.StatusUnauthorized || status == http.StatusForbidden) && v.sentPassword:
		return ": the identity provider refused the synthetic user's name or password"
	default:
		return ""
	}
}
