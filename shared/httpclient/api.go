package httpclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"alboidc.internal/shared/failure"
)

// maxBody is the longest answer that is read. The longest one expected, an app registration, has some 10 kB.
const maxBody = 1 << 20

// API is one vendor's HTTP API as an adapter uses it.
type API struct {
	// Vendor is the name in error texts, e.g. Okta.
	Vendor string
	HTTP   *http.Client
	Now    func() time.Time
	// Sleep waits between two tries of a GET; nil is Sleep.
	Sleep func(ctx context.Context, d time.Duration) error
	// Authorize adds the credentials, before every try; nil adds none. Its errors are returned as they are.
	Authorize func(ctx context.Context, r *http.Request) error
	// ErrorCode finds the vendor's error code in the body of an error answer, "" if there is none. What it returns gets
	// into errors and logs: it must let only codes through, never free text.
	ErrorCode func(body []byte) string
	// Transient is the kind of a refusal whose code says that it passes by itself, whatever its status: Throttled if
	// the request had no effect, Unavailable if it may have had one, "" for any other code; nil knows no such code.
	Transient func(code string) failure.Kind
	// Explain says what the operator can do about a refusal, "" if there is nothing to say; nil says nothing.
	Explain func(s *StatusError) string
}

// Request is one request. At most one of JSON and Form is set.
type Request struct {
	// Operation completes "Okta refused to …", e.g. "list the app's secrets".
	Operation string
	Method    string
	URL       string
	// JSON is marshalled as the body. Secrets must be revealed by the caller: a secret.Value marshals as REDACTED.
	JSON any
	Form url.Values
	// Header are headers besides, or instead of, those for the body.
	Header http.Header
}

// Do sends a request and decodes a 2xx answer into out, unless out is nil. Failures are Throttled (nothing happened),
// Unavailable (no answer, or one that is not understood: the request may have taken effect) and IdPRejected; those with
// a status have a *StatusError in their chain. Only a GET is repeated, up to three times, if it is throttled or
// unavailable: after any other request the caller must first look at what it did.
func (a *API) Do(ctx context.Context, r Request, out any) error {
	for try := 1; ; try++ {
		err := a.sendOnce(ctx, r, out)
		wait, again := retry(ctx, r.Method, err, try)
		if !again {
			return err
		}
		if a.sleep(ctx, wait) != nil {
			return err
		}
	}
}

// NotUnderstood is the failure for an answer to operation that has not the documented shape.
func (a *API) NotUnderstood(operation string) error {
	return failure.New(failure.Unavailable, "%s's answer to the request to %s is not understood", a.Vendor, operation)
}

func (a *API) sendOnce(ctx context.Context, r Request, out any) error {
	req, err := r.build(ctx)
	if err != nil {
		return err
	}
	if a.Authorize != nil {
		if err := a.Authorize(ctx, req); err != nil {
			return err
		}
	}
	resp, err := a.HTTP.Do(req)
	if err != nil {
		return a.explainNoAnswer(ctx, r, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	body = TrimBOM(body)
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		// an error answer counts even if its body broke off
		return a.refused(r, resp, body)
	}
	if err != nil {
		return a.explainNoAnswer(ctx, r, err)
	}
	if resp.StatusCode != http.StatusNoContent && IsPage(resp.Header, body) {
		return a.NotUnderstood(r.Operation) // a 200 of a proxy did not remove anything
	}
	if out == nil {
		return nil
	}
	// the decoder's error quotes the body
	if len(body) > maxBody || json.Unmarshal(body, out) != nil {
		return a.NotUnderstood(r.Operation)
	}
	return nil
}

func (r Request) build(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.JSON != nil:
		b, err := json.Marshal(r.JSON)
		if err != nil {
			return nil, failure.New(failure.Internal, "the request to %s cannot be marshalled", r.Operation)
		}
		body, contentType = bytes.NewReader(b), "application/json"
	case r.Form != nil:
		body, contentType = strings.NewReader(r.Form.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, r.Method, r.URL, body)
	if err != nil {
		return nil, failure.New(failure.InvalidInput, "the URL of the request to %s is not valid", r.Operation)
	}
	req.Header.Set("Accept", "application/json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for name, values := range r.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	return req, nil
}

// explainNoAnswer is the failure for a request without an answer. The text of the cause is kept only where it can hold
// nothing that the other side sent.
func (a *API) explainNoAnswer(ctx context.Context, r Request, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err // url.Error shows the URL
	}
	cause := errors.New("the connection failed")
	switch {
	case ctx.Err() != nil:
		cause = ctx.Err()
	case isTimeout(err):
		cause = errors.New("timeout")
	case isConnect(err):
		cause = errors.New(err.Error())
	}
	return failure.Wrap(failure.Unavailable, cause, "no answer from %s to the request to %s", a.Vendor, r.Operation)
}

func (a *API) sleep(ctx context.Context, d time.Duration) error {
	if a.Sleep == nil {
		return Sleep(ctx, d)
	}
	return a.Sleep(ctx, d)
}
