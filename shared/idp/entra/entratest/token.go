package entratest

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// tokenLifetime is what Entra ID gives an app's own token: an hour, less a second in the answer.
const tokenLifetime = time.Hour

// numbers are the first of error_codes for each refusal (Microsoft identity platform docs, "Microsoft Entra
// authentication and authorization error codes").
var numbers = map[imitation.Refusal]int{
	imitation.UnknownClient: 700016, imitation.WrongSecret: 7000215, imitation.WrongMethod: 7000218,
	imitation.NoCredentials: 7000218,
	imitation.InvalidCode:   70008, imitation.InvalidRefreshToken: 700082, imitation.GrantNotAllowed: 70001,
	imitation.UnsupportedGrant: 70003,
	imitation.InvalidScope:     70011, imitation.InvalidRequest: 900144,
}

// TokenError implements imitation.Vendor. Entra ID says unauthorized_client, with 400, of an app that it does not know.
func (e *Entra) TokenError(r imitation.Refusal) imitation.TokenError {
	out := imitation.RFC6749(r)
	if r == imitation.UnknownClient {
		out.Status, out.Code = http.StatusBadRequest, "unauthorized_client"
	}
	return e.tokenError(out.Status, out.Code, numbers[r], string(r))
}

func (e *Entra) tokenError(status int, code string, number int, text string) imitation.TokenError {
	now, trace, correlation := e.env.Clock.Now().UTC(), clientcredentials.NewUUID(), clientcredentials.NewUUID()
	stamp := now.Format("2006-01-02 15:04:05Z")
	return imitation.TokenError{Status: status, Code: code,
		Description: fmt.Sprintf("AADSTS%d: %s. Trace ID: %s Correlation ID: %s Timestamp: %s", number, text, trace,
			correlation, stamp),
		Extra: map[string]any{"error_codes": []int{number}, "timestamp": stamp, "trace_id": trace,
			"correlation_id": correlation,
			"error_uri":      fmt.Sprintf("%s/error?code=%d", e.env.BaseURL, number)}}
}

func (e *Entra) refuseToken(w http.ResponseWriter, t imitation.TokenError) {
	imitation.WriteJSON(w, t.Status, t.JSON())
}

// refuseFault answers a fault of the token endpoint.
func (e *Entra) refuseFault(w http.ResponseWriter, out fault.Outcome) {
	code := out.Code
	if !oauthPattern.MatchString(code) {
		code = map[int]string{400: "invalid_request", 401: "invalid_client", 429: "temporarily_unavailable",
			503: "temporarily_unavailable"}[out.Status]
		if code == "" {
			code = "server_error"
		}
	}
	if out.Status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "2")
	}
	e.refuseToken(w, e.tokenError(out.Status, code, 90033, fault.Text))
}

var (
	oauthPattern = regexp.MustCompile(`^[a-z_]+$`)
	// issued is the form of the local provider's authorization codes (crypto/rand.Text).
	issued = regexp.MustCompile(`^[A-Z2-7]{26,}$`)
)

// ServeToken implements imitation.Tokens: it serves the grant that apps use for themselves, checks the form of a code
// before the secret, and lets a token server that has not heard of a new secret refuse it. The rest is the provider's.
func (e *Entra) ServeToken(w http.ResponseWriter, r *http.Request) bool {
	id, secret := credentials(r)
	grant := r.PostForm.Get("grant_type")
	if grant == "client_credentials" && e.rotator(id) != nil {
		e.env.Serve(w, r, "entra.adminToken", imitation.Text(r, r.PostForm), e.refuseFault, e.issueToRotator)
		return true
	}
	answer := e.judge(grant, id, secret, r.PostForm)
	if answer == nil {
		return false
	}
	e.env.Serve(w, r, "token", imitation.Text(r, r.PostForm)+" basic="+id, e.refuseFault, answer)
	return true
}

// judge returns the answer to a client's request if it is not the provider's to answer.
func (e *Entra) judge(grant, id, secret string, form url.Values) http.HandlerFunc {
	refuse := func(t imitation.TokenError) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { e.refuseToken(w, t) }
	}
	if grant == "authorization_code" && form.Get("code") != "" && !issued.MatchString(form.Get("code")) {
		return refuse(e.tokenError(http.StatusBadRequest, "invalid_grant", 9002313,
			"Invalid request. Request is malformed or invalid"))
	}
	if grant != "client_credentials" && secret == "" {
		return nil
	}
	_, err := e.env.Store.Client(id)
	switch {
	case err != nil && grant == "client_credentials":
		return refuse(e.TokenError(imitation.UnknownClient))
	case err != nil:
		return nil
	case secret == "":
		return refuse(e.TokenError(imitation.NoCredentials))
	case !e.accepts(id, secret):
		return refuse(e.TokenError(imitation.WrongSecret))
	case grant != "client_credentials":
		return nil
	case form.Get("scope") == id+"/.default" && e.requiresAssignment(id):
		return refuse(e.tokenError(http.StatusBadRequest, "invalid_grant", 501051, fmt.Sprintf(
			"Application '%s'(app) is not assigned to a role for the application '%s'(app)", id, id)))
	case form.Get("scope") != id+"/.default" && form.Get("scope") != e.env.BaseURL+"/.default":
		return refuse(e.TokenError(imitation.InvalidScope))
	}
	return func(w http.ResponseWriter, _ *http.Request) { writeToken(w, newAccessToken()) }
}

// accepts asks the token server whose turn it is. One that lags sees each secret's beginning that much later.
func (e *Entra) accepts(clientID, secret string) bool {
	e.mu.Lock()
	lag := e.replicas[e.turn%len(e.replicas)]
	e.turn++
	e.mu.Unlock()
	now := e.env.Clock.Now()
	matched, ok := e.env.Store.Match(clientID, secret, now)
	if !ok || !e.env.Store.Authenticate(clientID, secret, now) {
		return false
	}
	for _, s := range e.env.Store.Secrets(clientID) {
		if s.ID == matched {
			return !now.Before(s.ActiveFrom.Add(lag))
		}
	}
	return false
}

// credentials are the client's, in the form or by HTTP Basic; Entra ID takes either.
func credentials(r *http.Request) (id, secret string) {
	user, password, basic := r.BasicAuth()
	if !basic {
		return r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	id, err1 := url.QueryUnescape(user) // RFC 6749, section 2.3.1
	secret, err2 := url.QueryUnescape(password)
	if err1 != nil || err2 != nil {
		return "", ""
	}
	return id, secret
}

func writeToken(w http.ResponseWriter, token string) {
	seconds := int(tokenLifetime/time.Second) - 1
	imitation.WriteJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": seconds,
		"ext_expires_in": seconds, "access_token": token})
}

func newAccessToken() string {
	part := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	return strings.Join([]string{part(`{"typ":"JWT","alg":"RS256"}`),
		part(clientcredentials.NewUUID() + clientcredentials.NewUUID()), part(clientcredentials.NewUUID())}, ".")
}
