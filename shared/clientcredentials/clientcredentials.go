// Package clientcredentials gets access tokens for the management APIs of identity providers by client_credentials (RFC
// 6749, section 4.4), and knows the ways to prove who we are that several of them take.
package clientcredentials

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/secret"
)

// early is how long before its end an access token is no longer used.
const early = time.Minute

// Proof proves at the token endpoint who we are.
type Proof interface {
	// Prove adds the proof to the form, or the headers, of a request for a token. It is called for each request, so
	// that a credential replaced meanwhile counts at once.
	Prove(ctx context.Context, form url.Values, header http.Header) error
	// Advice says what the operator can do when the proof is not taken.
	Advice() string
}

// ErrNotBearer is in the chain of the failure for a token that is no bearer token.
var ErrNotBearer = errors.New("the access token is not of type Bearer")

// Tokens gets access tokens and keeps each until it ends. It is safe for concurrent use; it must not be copied.
type Tokens struct {
	// API is how the vendor's token endpoint is talked to.
	API *httpclient.API
	// Operation completes "VENDOR refused to …", e.g. "give the rotator an access token".
	Operation string
	URL       string
	// Form is sent besides grant_type and the proof.
	Form  url.Values
	Proof Proof

	mu    sync.Mutex
	token secret.Value
	until time.Time
}

// Authorize adds an access token to a request (RFC 6750, section 2.1), and gets one first if need be. It fits
// httpclient.API.
func (t *Tokens) Authorize(ctx context.Context, r *http.Request) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.token.IsZero() || !t.API.Now().Before(t.until) {
		if err := t.fetch(ctx); err != nil {
			return err
		}
	}
	r.Header.Set("Authorization", "Bearer "+t.token.Reveal())
	return nil
}

var tokenPattern = regexp.MustCompile(`^[!-~]+$`)

// fetch gets a new access token. t.mu is held.
func (t *Tokens) fetch(ctx context.Context) error {
	form, header := url.Values{"grant_type": {"client_credentials"}}, http.Header{}
	for k, v := range t.Form {
		form[k] = v
	}
	if err := t.Proof.Prove(ctx, form, header); err != nil {
		return err
	}
	var answer struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   any    `json:"expires_in"`
	}
	asked := t.API.Now()
	if err := t.API.Do(ctx, httpclient.Request{Operation: t.Operation, Method: http.MethodPost, URL: t.URL, Form: form,
		Header: header}, &answer); err != nil {
		return err
	}
	if !tokenPattern.MatchString(answer.AccessToken) {
		return t.API.NotUnderstood(t.Operation)
	}
	if !strings.EqualFold(answer.TokenType, "Bearer") {
		return failure.Wrap(failure.Unavailable, ErrNotBearer, "%s's answer to the request to %s is not understood",
			t.API.Vendor, t.Operation)
	}
	t.token = secret.New(answer.AccessToken)
	t.until = asked.Add(lifetime(answer.ExpiresIn) - early)
	return nil
}

// lifetime reads expires_in, a number that some write as text, at most a day. A token that does not say how long it
// lives (RFC 6749, section 5.1, only recommends it), or says it in no number, is used once.
func lifetime(expiresIn any) time.Duration {
	seconds, err := strconv.ParseFloat(fmt.Sprint(expiresIn), 64)
	if err != nil || !(seconds > 0) {
		return 0
	}
	return time.Duration(min(seconds, 86400)) * time.Second
}
