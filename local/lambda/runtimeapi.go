package lambda

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// maxPayload is the largest request and answer of a synchronous invocation (developer guide, Lambda quotas: 6 MB; the
// service allows 6 MB and 100 bytes for an answer).
const (
	maxPayload  = 6 << 20
	maxResponse = maxPayload + 100
)

// runtimeAPI is the process's Runtime API, version 2018-06-01 (Lambda developer guide, "Using the Lambda runtime API
// for custom runtimes").
func (p *process) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	const invocations = "/2018-06-01/runtime/invocation/"
	mux.HandleFunc("GET "+invocations+"next", p.next)
	mux.HandleFunc("POST "+invocations+"{id}/response", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, r, false)
	})
	mux.HandleFunc("POST "+invocations+"{id}/error", func(w http.ResponseWriter, r *http.Request) {
		p.answer(w, r, true)
	})
	return mux
}

// next gives the runtime its next invocation, as soon as there is one.
func (p *process) next(w http.ResponseWriter, r *http.Request) {
	select {
	case p.ready <- struct{}{}:
	default: // the runtime asked before, and hung up
	}
	select {
	case inv := <-p.work:
		p.mu.Lock()
		p.current = inv
		p.mu.Unlock()
		timeout := time.Duration(p.version.config.Timeout) * time.Second
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", inv.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(time.Now().Add(timeout).UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", inv.arn)
		h.Set("Lambda-Runtime-Trace-Id", traceID())
		_, _ = w.Write(inv.payload) // a runtime that hangs up shows by its exit or by the timeout
	case <-r.Context().Done():
	case <-p.gone:
	}
}

// answer takes the outcome of the invocation under way.
func (p *process) answer(w http.ResponseWriter, r *http.Request, failed bool) {
	p.mu.Lock()
	inv := p.current
	if inv != nil && inv.id == r.PathValue("id") {
		p.current = nil
	} else {
		inv = nil
	}
	p.mu.Unlock()
	if inv == nil {
		runtimeError(w, http.StatusBadRequest, "InvalidRequestID", "the invocation is not the one under way")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxResponse+1))
	if err != nil {
		return // the runtime hung up: it is ending
	}
	if len(body) > maxResponse {
		inv.done <- failure("Function.ResponseSizeTooLarge",
			"Response payload size exceeded maximum allowed payload size (%d bytes).", maxResponse)
		runtimeError(w, http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "the response is too large")
		return
	}
	inv.done <- result{payload: body, failed: failed}
	answerAccepted(w)
}

func answerAccepted(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, `{"status":"OK"}`)
}

func runtimeError(w http.ResponseWriter, status int, kind, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(errorPayload(kind, message))
}

// failure is a result that Lambda itself makes.
func failure(kind, format string, args ...any) result {
	return result{payload: errorPayload(kind, fmt.Sprintf(format, args...)), failed: true}
}

func errorPayload(kind, message string) []byte {
	b, _ := json.Marshal(struct {
		Type    string `json:"errorType"`
		Message string `json:"errorMessage"`
	}{kind, message}) // two strings always encode
	return b
}

// traceID is a trace header in X-Ray's form, not sampled.
func traceID() string {
	id := awsapi.NewID()
	return fmt.Sprintf("Root=1-%08x-%s%s%s;Parent=%s;Sampled=0", time.Now().Unix(), id[0:8], id[9:13], id[24:36],
		awsapi.NewID()[19:23]+awsapi.NewID()[24:36])
}
