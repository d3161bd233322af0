package httpclient

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"mime"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
)

// Limits of the one retry policy.
const (
	maxTries = 3
	// firstPause doubles with every try, where the other side names no wait.
	firstPause = 500 * time.Millisecond
	// longestPause is the longest wait inside a call. A longer one is left to the state machine, whose waits cost
	// nothing.
	longestPause = 10 * time.Second
	// margin is what must be left of the caller's time after a wait, for the try itself.
	margin = 2 * time.Second
	// longestTold bounds what we believe of a told wait.
	longestTold = 5 * time.Minute
)

// StatusError is an answer with a status other than 2xx.
type StatusError struct {
	Status int
	// Code is the vendor's error code, "" if the answer has none.
	Code string
	// Wait is how long the vendor asks to wait; 0 if it does not say.
	Wait time.Duration
}

// Error implements error.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("HTTP %d", e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Wait > 0 {
		s += fmt.Sprintf(", asked to wait %s", e.Wait)
	}
	return s
}

// Status returns the answer that made err, if there was one.
func Status(err error) (*StatusError, bool) {
	var s *StatusError
	ok := errors.As(err, &s)
	return s, ok
}

// refused is the failure for an answer other than 2xx.
func (a *API) refused(r Request, resp *http.Response, body []byte) error {
	s := &StatusError{Status: resp.StatusCode, Wait: ToldWait(resp.StatusCode, resp.Header, a.Now())}
	if a.ErrorCode != nil {
		s.Code = plainCode(a.ErrorCode(body))
	}
	kind := a.classifyPassing(s, resp.Header.Get("Retry-After") != "")
	switch {
	case IsPage(resp.Header, body) && kind == "" && s.Status >= 400: // so it says nothing of the request
		return failure.Wrap(failure.Unavailable, s, "the answer to the request to %s is a web page, not one of %s's "+
			"API: most likely a firewall's or a proxy's, or the URL in the settings is wrong", r.Operation, a.Vendor)
	case s.Status == http.StatusTooManyRequests:
		return failure.Wrap(failure.Throttled, s, "%s has had too many requests (to %s)", a.Vendor, r.Operation)
	case kind == failure.Throttled:
		return failure.Wrap(kind, s,
			"%s did not %s now, most likely because of other changes at the same time; it can be tried again", a.Vendor,
			r.Operation)
	case kind == failure.Unavailable:
		return failure.Wrap(kind, s, "%s failed to %s", a.Vendor, r.Operation)
	case s.Status < 400:
		return failure.Wrap(failure.IdPRejected, s,
			"%s answered the request to %s with a redirect, which is not followed; is the URL in the settings right?",
			a.Vendor, r.Operation)
	}
	advice := ""
	if a.Explain != nil {
		if advice = a.Explain(s); advice != "" {
			advice = "; " + advice
		}
	}
	return failure.Wrap(failure.IdPRejected, s, "%s refused to %s%s", a.Vendor, r.Operation, advice)
}

// classifyPassing returns the kind of a refusal that passes by itself, "" for one that does not: Throttled if the
// request had no effect, Unavailable if it may have had one. The vendor's own code decides before the status. 423 and
// 425 refuse before anything is done (RFC 4918, section 11.3; RFC 8470, section 5.2), and so does 409 (RFC 9110,
// section 15.5.10), which passes if a wait is told.
func (a *API) classifyPassing(s *StatusError, toldToWait bool) failure.Kind {
	if a.Transient != nil {
		if kind := a.Transient(s.Code); kind != "" {
			return kind
		}
	}
	oauth, _, _ := strings.Cut(s.Code, ".")
	switch {
	case oauth == "temporarily_unavailable" || oauth == "server_error": // RFC 6749, whatever the status
		return failure.Unavailable
	case s.Status == http.StatusTooManyRequests || s.Status == http.StatusLocked || s.Status == http.StatusTooEarly,
		s.Status == http.StatusConflict && toldToWait:
		return failure.Throttled
	case s.Status >= 500 || s.Status == http.StatusRequestTimeout || s.Status == http.StatusFailedDependency:
		return failure.Unavailable
	}
	return ""
}

var codePattern = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,40}$`)

// plainCode drops anything that is too long, or too free, for an error code. Generated secrets have 48 characters.
func plainCode(s string) string {
	if !codePattern.MatchString(s) {
		return ""
	}
	return s
}

// ToldWait reads how long the other side asks to wait: Retry-After (RFC 9110, section 10.2.3), or the time at which the
// rate limit starts anew, in epoch seconds, against the other side's own clock (Okta developer docs, Rate limits: wait
// until X-Rate-Limit-Reset, and a second more; Auth0 spells it x-ratelimit-reset). The latter comes with every answer,
// and is a wait only with 429.
func ToldWait(status int, h http.Header, now time.Time) time.Duration {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	if v := h.Get("Retry-After"); v != "" {
		if n, err := strconv.ParseFloat(v, 64); err == nil && !math.IsNaN(n) { // some send fractions
			return inLimits(n)
		}
		if t, err := http.ParseTime(v); err == nil {
			return inLimits(float64(t.Unix() - now.Unix()))
		}
	}
	if status != http.StatusTooManyRequests {
		return 0
	}
	for _, name := range []string{"X-Rate-Limit-Reset", "X-Ratelimit-Reset"} {
		if n, err := strconv.ParseInt(h.Get(name), 10, 64); err == nil && n > 0 {
			return inLimits(float64(n - now.Unix() + 1))
		}
	}
	return 0
}

func inLimits(seconds float64) time.Duration {
	return time.Duration(math.Ceil(min(max(seconds, 1), longestTold.Seconds()))) * time.Second
}

// IsPage reports whether an answer is a web page, or a plain text. What programs talk to answers in JSON, or not at
// all; a page comes from a firewall, a proxy, or a server under maintenance, whatever its status. JSON that broke off
// is none.
func IsPage(h http.Header, body []byte) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	body = bytes.TrimSpace(body)
	return kind == "text/html" || kind == "application/xhtml+xml" ||
		len(body) > 0 && body[0] != '{' && body[0] != '[' && !json.Valid(body)
}

// TrimBOM is a body without a byte order mark, which JSON decoders do not take (RFC 8259, section 8.1, lets readers
// ignore it).
func TrimBOM(body []byte) []byte { return bytes.TrimPrefix(body, []byte("\ufeff")) }

// retry decides whether a request is sent again, and after which wait: a GET whose refusal passes by itself.
func retry(ctx context.Context, method string, err error, try int) (time.Duration, bool) {
	s, ok := Status(err)
	if !ok || method != http.MethodGet || !failure.KindOf(err).Transient() {
		return 0, false
	}
	return Again(ctx, s.Wait, try)
}

// Again is the wait after that many tries, which is never shorter than a told one, and whether it fits.
func Again(ctx context.Context, told time.Duration, tries int) (wait time.Duration, fits bool) {
	wait = max(firstPause<<(tries-1), told)
	return wait, Fits(ctx, wait, tries)
}

// Fits reports whether a request may be sent once more within a call, after a wait and that many tries. A told wait is
// never cut short: asking earlier would be refused again.
func Fits(ctx context.Context, wait time.Duration, tries int) bool {
	if wait > longestPause || tries >= maxTries {
		return false
	}
	// a context ends by the real clock, whatever clock the caller has
	end, ok := ctx.Deadline()
	return !ok || time.Until(end) >= wait+margin
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// isConnect reports whether err comes from the name service, the socket, or the check of the certificate.
func isConnect(err error) bool {
	var op *net.OpError
	var cert *tls.CertificateVerificationError
	return errors.As(err, &op) || errors.As(err, &cert)
}
