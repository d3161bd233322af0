package oktatest

import (
	"bytes"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// The scopes of the operations (Okta Management API, OAuth 2.0 scopes of each operation).
const (
	scopeRead   = "okta.apps.read"
	scopeManage = "okta.apps.manage"
)

// DefaultRateLimit is the budget of requests per minute. Okta's depends on the plan and shares /api/v1/apps and all
// below it in one bucket.
const DefaultRateLimit = 600

// apiError is an error answer of the management API (Okta API reference, "Error codes").
type apiError struct {
	status  int
	code    string
	summary string
	causes  []string
}

func (e *apiError) Error() string { return e.code + ": " + e.summary }

func validation(subject, cause string) error {
	return &apiError{http.StatusBadRequest, "E0000001", "Api validation failed: " + subject, []string{cause}}
}

func notFound(id, kind string) error {
	return &apiError{http.StatusNotFound,
		"E0000007", fmt.Sprintf("Not found: Resource not found: %s (%s)", id, kind), nil}
}

// handler carries out one operation; a nil body answers without one.
type handler func(*http.Request) (status int, body any, err error)

// endpoint wraps an operation in what all have in common: rate limit, authentication, faults, error answers.
func (o *Okta) endpoint(operation, scope string, h handler) http.HandlerFunc {
	o.env.Know(operation)
	return func(w http.ResponseWriter, r *http.Request) {
		if !o.spend(w, &o.api) {
			return
		}
		if err := o.authorize(r, scope); err != nil {
			writeError(w, err)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			writeError(w, malformed())
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		o.env.Serve(w, r, operation, imitation.Text(r, nil), o.refuse, func(w http.ResponseWriter, r *http.Request) {
			status, answer, err := h(r)
			switch {
			case err != nil:
				writeError(w, err)
			case answer == nil:
				w.WriteHeader(status)
			default:
				imitation.WriteJSON(w, status, answer)
			}
		})
	}
}

// refuse answers a fault. A code that is not one of Okta's is replaced by the one Okta sends with the status.
func (o *Okta) refuse(w http.ResponseWriter, out fault.Outcome) {
	e := &apiError{status: out.Status, code: out.Code, summary: fault.Text}
	if !strings.HasPrefix(e.code, "E0") {
		e.code = map[int]string{400: "E0000001", 401: "E0000011", 403: "E0000006", 404: "E0000007",
			429: "E0000047"}[out.Status]
		if e.code == "" {
			e.code = "E0000009" // Internal Server Error
		}
	}
	if e.status == http.StatusTooManyRequests {
		w.Header().Set("X-Rate-Limit-Remaining", "0")
	}
	writeError(w, e)
}

// authorize checks the credential of a request: an API token, or an access token of a service app with the scope.
func (o *Okta) authorize(r *http.Request, scope string) error {
	invalid := &apiError{http.StatusUnauthorized, "E0000011", "Invalid token provided", nil}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case scheme == "SSWS":
		if subtle.ConstantTimeCompare([]byte(token), []byte(o.adminToken)) != 1 {
			return invalid
		}
		return nil
	case strings.EqualFold(scheme, "Bearer"):
		scopes, ok := o.scopesOf(token)
		if !ok {
			return invalid
		}
		if !scopes[scope] {
			return &apiError{http.StatusForbidden, "E0000006",
				"You do not have permission to perform the requested action", nil}
		}
		return nil
	}
	return invalid
}

func writeError(w http.ResponseWriter, err error) {
	var e *apiError
	switch {
	case errors.As(err, &e):
	case errors.Is(err, clients.ErrNotFound):
		e = &apiError{http.StatusNotFound, "E0000007", "Not found: Resource not found", nil}
	default:
		e = &apiError{http.StatusInternalServerError, "E0000009", "Internal Server Error", nil}
	}
	causes := make([]map[string]string, 0, len(e.causes))
	for _, c := range e.causes {
		causes = append(causes, map[string]string{"errorSummary": c})
	}
	imitation.WriteJSON(w, e.status, map[string]any{"errorCode": e.code, "errorSummary": e.summary, "errorLink": e.code,
		"errorId": randomString("oae", 22), "errorCauses": causes})
}

func malformed() error {
	return &apiError{http.StatusBadRequest, "E0000003", "The request body was not well-formed.", nil}
}

// decode reads a JSON body strictly: a field that Okta does not have is a mistake of the caller.
func decode(r *http.Request, into any) error {
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); strings.TrimSpace(kind) != "application/json" {
		return &apiError{http.StatusBadRequest, "E0000021",
			"Bad request.  Accept and/or Content-Type headers likely do not match supported values.", nil}
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return malformed()
	}
	return nil
}

// bucket is a budget of requests that fills up again every minute.
type bucket struct {
	perMinute, left int
	reset           time.Time
}

// SetRateLimit sets the management API's budget of requests per minute and starts a new minute.
func (o *Okta) SetRateLimit(perMinute int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.api = bucket{perMinute: perMinute}
}

// spend takes one request from a budget; if there is none left it answers so and returns false. It sets the headers
// that Okta sends with every answer; Date comes from the same clock as the reset, because callers subtract one from the
// other.
func (o *Okta) spend(w http.ResponseWriter, b *bucket) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.env.Clock.Now()
	if !now.Before(b.reset) {
		b.left = b.perMinute
		b.reset = now.Truncate(time.Second).Add(time.Minute) // the header has whole seconds
	}
	ok := b.left > 0
	if ok {
		b.left--
	}
	h := w.Header()
	h.Set("Date", now.Format(http.TimeFormat))
	h.Set("X-Rate-Limit-Limit", strconv.Itoa(b.perMinute))
	h.Set("X-Rate-Limit-Remaining", strconv.Itoa(b.left))
	h.Set("X-Rate-Limit-Reset", strconv.FormatInt(b.reset.Unix(), 10))
	if !ok {
		writeError(w, &apiError{http.StatusTooManyRequests, "E0000047",
			"API call exceeded rate limit due to too many requests.", nil})
	}
	return ok
}
