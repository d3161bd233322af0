package entratest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitation"
)

// graphError is an error answer of Microsoft Graph (Graph docs, "Microsoft Graph error responses and resource types").
type graphError struct {
	status  int
	code    string
	message string
}

func (e *graphError) Error() string { return e.code + ": " + e.message }

func badRequest(message string) error {
	return &graphError{http.StatusBadRequest, "Request_BadRequest", message}
}

// handler carries out one operation; a nil body answers without one.
type handler func(*http.Request) (status int, body any, err error)

// endpoint wraps an operation in what all have in common: authentication, faults, error answers.
func (e *Entra) endpoint(operation string, h handler) http.HandlerFunc {
	e.env.Know(operation)
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
		if e.rotatorOf(r) == nil {
			e.writeError(w, r, &graphError{http.StatusUnauthorized, "InvalidAuthenticationToken",
				"Access token is empty or invalid."})
			return
		}
		refuse := func(w http.ResponseWriter, out fault.Outcome) { e.writeError(w, r, refusal(w, out)) }
		e.env.Serve(w, r, operation, imitation.Text(r, nil), refuse, func(w http.ResponseWriter, r *http.Request) {
			status, answer, err := h(r)
			switch {
			case err != nil:
				e.writeError(w, r, err)
			case answer == nil:
				w.WriteHeader(status)
			default:
				imitation.WriteJSON(w, status, answer)
			}
		})
	}
}

var codePattern = regexp.MustCompile(`^[A-Z][A-Za-z]*_[A-Za-z]+$|AsPerAppPolicy$`)

// refusal is a fault's answer. A code that is not one of Graph's is replaced by the one Graph sends with the status.
func refusal(w http.ResponseWriter, out fault.Outcome) error {
	e := &graphError{out.Status, out.Code, fault.Text}
	if !codePattern.MatchString(e.code) {
		e.code = map[int]string{400: "Request_BadRequest", 401: "InvalidAuthenticationToken",
			403: "Authorization_RequestDenied",
			404: "Request_ResourceNotFound", 409: "Directory_ConcurrencyViolation", 429: "TooManyRequests",
			503: "ServiceUnavailable"}[out.Status]
		if e.code == "" {
			e.code = "InternalServerError"
		}
	}
	if e.status == http.StatusTooManyRequests {
		w.Header().Set("Retry-After", "2")
	}
	return e
}

func (e *Entra) writeError(w http.ResponseWriter, r *http.Request, err error) {
	var g *graphError
	if !errors.As(err, &g) {
		g = &graphError{http.StatusInternalServerError, "InternalServerError", "Encountered an internal server error."}
	}
	id := clientcredentials.NewUUID()
	imitation.WriteJSON(w, g.status, map[string]any{"error": map[string]any{"code": g.code, "message": g.message,
		"innerError": map[string]string{
			"date": e.env.Clock.Now().UTC().Format("2006-01-02T15:04:05"), "request-id": id,
			"client-request-id": r.Header.Get("client-request-id")}}})
}

// app finds the registration that the path names, by object id or as applications(appId='…'), if the caller owns it:
// the permission Application.ReadWrite.OwnedBy is all that callers have here.
func (e *Entra) app(r *http.Request) (clients.Client, error) {
	id := r.PathValue("objectId")
	find := e.env.Store.ByAppID
	if address := r.PathValue("address"); address != "" {
		quoted, ok := strings.CutPrefix(address, "applications(appId='")
		inner, closed := strings.CutSuffix(quoted, "')")
		if !ok || !closed {
			return clients.Client{}, &graphError{http.StatusBadRequest, "BadRequest",
				"Resource not found for the segment '" + address + "'."}
		}
		id, find = inner, e.env.Store.Client
	}
	c, err := find(id)
	if err != nil {
		return c, &graphError{http.StatusNotFound, "Request_ResourceNotFound",
			"Resource '" + id + "' does not exist or one of its queried reference-property objects are not present."}
	}
	if rotator := e.rotatorOf(r); rotator == nil || !rotator.owns(c.ID) {
		return c, &graphError{http.StatusForbidden, "Authorization_RequestDenied",
			"Insufficient privileges to complete the operation."}
	}
	return c, nil
}

// decode reads a JSON body strictly: a field that Graph does not have is a mistake of the caller.
func decode(r *http.Request, into any) error {
	kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";")
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil && !errors.Is(err, io.EOF) || strings.TrimSpace(kind) != "application/json" {
		return badRequest("Unable to read JSON request payload. Please ensure Content-Type header is set and payload " +
			"is of valid JSON format.")
	}
	return nil
}

// remember keeps what an app registration's secrets were, for reads that lag behind.
func (e *Entra) remember(c clients.Change) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := append(e.history[c.ClientID], c)
	const kept = time.Hour
	for len(list) > 1 && c.At.Sub(list[1].At) > kept {
		list = list[1:]
	}
	e.history[c.ClientID] = list
}

// seen is the client's secrets as a read sees them now.
func (e *Entra) seen(clientID string) []clients.Secret {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listDelay == 0 {
		return e.env.Store.Secrets(clientID)
	}
	var out []clients.Secret
	for _, c := range e.history[clientID] {
		if e.env.Clock.Now().Sub(c.At) >= e.listDelay {
			out = c.After
		}
	}
	return out
}
