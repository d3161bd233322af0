package lambdatest

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"

	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp/lambda"
)

// Function is the function's code: it takes a request of the contract to the provider, and its answer back.
func (l *Lambda) Function(payload []byte) []byte {
	var r lambda.Request
	if json.Unmarshal(payload, &r) != nil || r.Contract != lambda.Contract {
		return refuse("refused", "contract", 0)
	}
	if r.Operation == "capabilities" {
		return write(map[string]any{"capabilities": l.capable})
	}
	if l.operations()[r.Operation] == nil {
		return refuse("refused", "operation", 0)
	}
	if l.env.Clock.Now().After(r.Deadline) {
		return refuse("unavailable", "too_late", 0)
	}
	resp, ok := l.ask(r.Operation, payload)
	if !ok {
		return refuse("unavailable", "no_answer", 0)
	}
	return translate(resp)
}

// ask sends a request to the provider; false is a connection that broke.
func (l *Lambda) ask(operation string, payload []byte) (resp *httptest.ResponseRecorder, ok bool) {
	defer func() {
		switch x := recover(); x {
		case nil, http.ErrAbortHandler:
		default:
			panic(x)
		}
	}()
	resp = httptest.NewRecorder()
	l.mux.ServeHTTP(resp, httptest.NewRequest(http.MethodPost, "/"+operation, bytes.NewReader(payload)))
	return resp, true
}

// kinds are the kinds of error that the provider's statuses stand for; any other is unavailable.
var kinds = map[int]string{http.StatusTooManyRequests: "throttled", http.StatusLocked: "throttled",
	http.StatusBadRequest: "refused", http.StatusForbidden: "refused", http.StatusNotFound: "notFound",
	http.StatusConflict: "conflict"}

// translate makes an answer of the contract out of one of the provider.
func translate(resp *httptest.ResponseRecorder) []byte {
	var body map[string]any
	if httpclient.IsPage(resp.Header(), resp.Body.Bytes()) || json.Unmarshal(resp.Body.Bytes(), &body) != nil {
		return refuse("unavailable", "no_json", 0)
	}
	if resp.Code == http.StatusOK && slices.ContainsFunc([]string{"done", "secret", "secrets"},
		func(name string) bool { return body[name] != nil }) {
		return write(body)
	}
	kind := kinds[resp.Code]
	if kind == "" {
		kind = "unavailable"
	}
	code, _ := body["code"].(string)
	wait, _ := strconv.Atoi(resp.Header().Get("Retry-After"))
	return refuse(kind, code, wait)
}

func refuse(kind, code string, wait int) []byte {
	return write(map[string]any{"error": map[string]any{"kind": kind, "code": code, "retryAfterSeconds": wait}})
}

func write(body map[string]any) []byte {
	body["contract"] = lambda.Contract
	b, err := json.Marshal(body)
	if err != nil {
		panic(err) // it is made of what can be marshalled
	}
	return b
}
