package stack

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/fault"
)

// localAPI says what the stack's own API is, to those who ask it for something else.
const localAPI = "the local stack's own API is: GET, POST or DELETE /_local/faults, DELETE /_local/faults/{id}, " +
	"GET /_local/messages, GET /_local/live, and GET /_local/authority"

// routes puts the stack's own small API beside the AWS one: POST /_local/faults adds a fault (fault.Rule as JSON), GET
// lists them, DELETE ends them all, DELETE /_local/faults/{id} ends one. GET /_local/messages shows what SNS sent to
// people, GET /_local/live what becomes of logins, and where which version's secret is, and GET /_local/authority the
// authority of the stack's certificates.
func (s *Stack) routes(api *awsapi.Server) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET /_local/faults", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(append(s.Faults.List(), '\n'))
	})
	mux.HandleFunc("POST /_local/faults", func(w http.ResponseWriter, r *http.Request) {
		id, err := s.addFault(r.Body, append(api.Services(), "idp"))
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]int{"id": id})
	})
	mux.HandleFunc("DELETE /_local/faults", func(http.ResponseWriter, *http.Request) { s.Faults.Clear() })
	mux.HandleFunc("DELETE /_local/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || !s.Faults.Remove(id) {
			http.Error(w, "no such fault", http.StatusNotFound)
		}
	})
	mux.HandleFunc("GET /_local/messages", func(w http.ResponseWriter, _ *http.Request) {
		for _, m := range s.SNS.All() {
			_, _ = fmt.Fprintf(w, "Subject: %s\n\n%s\n%s\n", m.Subject, m.Message, strings.Repeat("-", 80))
		}
	})
	mux.HandleFunc("GET /_local/live", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(s.Live())
	})
	mux.HandleFunc("GET /_local/authority", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(s.Authority.PEM())
	})
	mux.HandleFunc("/_local/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, localAPI, http.StatusNotFound)
	})
	return mux
}

// addFault reads one rule. A service that nobody here is would never be hit, so it is refused: elbv2 (the CLI's name)
// for elasticloadbalancing (the signing name), say.
func (s *Stack) addFault(body io.Reader, services []string) (int, error) {
	var rule fault.Rule
	d := json.NewDecoder(body)
	d.DisallowUnknownFields()
	if err := d.Decode(&rule); err != nil {
		return 0, fmt.Errorf("the fault is not valid: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return 0, errors.New("the fault is not valid: there is text after the JSON value")
	}
	if rule.Service != "" && !slices.Contains(services, rule.Service) {
		slices.Sort(services)
		return 0, fmt.Errorf("the fault is not valid: service %q is not one of %s", rule.Service, strings.Join(services,
			", "))
	}
	return s.Faults.Add(rule)
}
