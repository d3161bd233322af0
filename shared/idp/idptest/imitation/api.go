package imitation

import (
	"encoding/json"
	"errors"
	"net/http"

	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
)

// maxBody is the largest body of a management request that is read.
const maxBody = 1 << 20

// APIError is an error answer of a management API.
type APIError struct {
	Status int
	// Code is the vendor's; what stands for none is up to API.Body.
	Code, Text string
}

// Error implements error.
func (e *APIError) Error() string { return e.Code + ": " + e.Text }

// Handler carries out one operation of a management API; a nil body answers without one. An error that is no *APIError
// becomes 404 for clients.ErrNotFound, else 500.
type Handler func(r *http.Request) (status int, body any, err error)

// API is what the operations of a vendor's management API have in common.
type API struct {
	Env Env
	// Admin is who may use it; nil is everybody.
	Admin *Admin
	// Body words an error as the vendor does.
	Body func(e *APIError) any
}

// Endpoint wraps an operation in authentication, the faults in force, and error answers.
func (a API) Endpoint(operation string, h Handler) http.HandlerFunc {
	a.Env.Know(operation)
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if a.Admin != nil && !a.Admin.Allows(r) {
			a.fail(w, &APIError{http.StatusUnauthorized, "", "the access token is missing or not valid"})
			return
		}
		refuse := func(w http.ResponseWriter, out fault.Outcome) {
			if out.Status == http.StatusTooManyRequests {
				w.Header().Set("Retry-After", "2")
			}
			a.fail(w, &APIError{out.Status, out.Code, fault.Text})
		}
		a.Env.Serve(w, r, operation, Text(r, nil), refuse, func(w http.ResponseWriter, r *http.Request) {
			status, body, err := h(r)
			switch {
			case err != nil:
				a.fail(w, err)
			case body == nil:
				w.WriteHeader(status)
			default:
				WriteJSON(w, status, body)
			}
		})
	}
}

// Unknown answers requests that the imitation does not implement, under an operation of their own.
func (a API) Unknown(operation string) http.HandlerFunc {
	return a.Endpoint(operation, func(r *http.Request) (int, any, error) {
		return 0, nil, &APIError{http.StatusNotImplemented, "",
			"the local stack does not implement " + r.Method + " " + r.URL.Path}
	})
}

func (a API) fail(w http.ResponseWriter, err error) {
	var e *APIError
	switch {
	case errors.As(err, &e):
	case errors.Is(err, clients.ErrNotFound):
		e = &APIError{http.StatusNotFound, "", "not found"}
	default:
		e = &APIError{http.StatusInternalServerError, "", "internal error"}
	}
	WriteJSON(w, e.Status, a.Body(e))
}

// ReadJSON reads a body strictly: a field that the vendor does not have, or its imitation does not honour, is a mistake
// of the caller. The error is an *APIError with status 400.
func ReadJSON(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return &APIError{http.StatusBadRequest, "", "the body is not as expected: " + err.Error()}
	}
	return nil
}
