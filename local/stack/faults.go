package stack

import (
	"encoding/json"
	"net/http"
	"strconv"

	"alboidc.internal/local/fault"
)

// routes puts the stack's own small API beside the AWS one: POST /_local/faults adds a fault (fault.Rule as JSON), GET
// lists them, DELETE /_local/faults/{id} ends one.
func (s *Stack) routes(api http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", api)
	mux.HandleFunc("GET /_local/faults", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(s.Faults.List())
	})
	mux.HandleFunc("POST /_local/faults", func(w http.ResponseWriter, r *http.Request) {
		var rule fault.Rule
		d := json.NewDecoder(r.Body)
		d.DisallowUnknownFields()
		if err := d.Decode(&rule); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		id, err := s.Faults.Add(rule)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]int{"id": id})
	})
	mux.HandleFunc("DELETE /_local/faults/{id}", func(w http.ResponseWriter, r *http.Request) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil || !s.Faults.Remove(id) {
			http.Error(w, "no such fault", http.StatusNotFound)
		}
	})
	return mux
}
