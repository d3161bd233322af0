package imitation

import (
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"alboidc.internal/shared/fault"
)

// WrongJSON is the fault code that makes an endpoint answer 200 with a body that is not JSON.
const WrongJSON = "WrongJSON"

// OtherJSON is the fault code that makes it answer 200 with JSON that is not what the vendor documents.
const OtherJSON = "OtherJSON"

// Know tells the faults which operations there are, before the first request.
func (e Env) Know(operations ...string) { e.Faults.Know("idp", operations...) }

// Page and Portal are the fault codes that make something in between answer with a page: with the fault's status, and
// with 200.
const Page, Portal = "Page", "Portal"

// Serve carries out one operation under the faults in force: it waits, refuses (by refuse, without any effect), answers
// garbage, or carries the request out and then drops the connection.
func (e Env) Serve(w http.ResponseWriter, r *http.Request, operation, text string, refuse func(http.ResponseWriter,
	fault.Outcome), next http.HandlerFunc) {
	out := e.Faults.Decide("idp", operation, text)
	// a request that is under way lands even if its sender has gone: that is what makes late effects dangerous
	r = r.WithContext(context.WithoutCancel(r.Context()))
	if out.Delay > 0 && e.Clock.Sleep(r.Context(), out.Delay) != nil {
		return
	}
	switch {
	case out.Refuse && out.Code == WrongJSON:
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"canary": "` + fault.Canary))
	case out.Refuse && out.Code == OtherJSON:
		WriteJSON(w, http.StatusOK, map[string]string{"canary": fault.Canary})
	case out.Refuse && (out.Code == Page || out.Code == Portal):
		w.Header().Set("Content-Type", "text/html")
		if out.Code == Page {
			w.WriteHeader(out.Status)
		}
		_, _ = w.Write([]byte("<!DOCTYPE html><title>" + fault.Text + "</title>"))
	case out.Refuse:
		refuse(w, out)
	case out.Lose:
		next(lost{header: http.Header{}}, r)
		panic(http.ErrAbortHandler) // net/http drops the connection without an answer
	default:
		next(w, r)
	}
}

// lost swallows an answer that the client is never to see.
type lost struct{ header http.Header }

func (l lost) Header() http.Header       { return l.header }
func (lost) Write(b []byte) (int, error) { return len(b), nil }
func (lost) WriteHeader(int)             {}

// credentials are the form fields whose values must not reach a fault's text: tests and people print it.
var credentials = []string{"client_secret", "client_assertion", "password", "code", "refresh_token", "code_verifier"}

// Text is what a fault rule's Match looks at: the path, the form without its credentials, and under which name it was
// asked.
func Text(r *http.Request, form url.Values) string {
	var b strings.Builder
	b.WriteString(r.Method + " " + r.URL.Path)
	for _, k := range slices.Sorted(maps.Keys(form)) {
		if !slices.Contains(credentials, k) {
			b.WriteString(" " + k + "=" + strings.Join(form[k], ","))
		}
	}
	b.WriteString(" host=" + r.Host)
	return b.String()
}

// WriteJSON answers with a JSON body that no cache may keep.
func WriteJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		slog.Error("an answer of the identity provider cannot be encoded", "error", err)
		http.Error(w, "internal error", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(b)
}
