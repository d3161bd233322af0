package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// acme is the provider: a client has up to two secrets with ids, whose values the caller makes, and which keep a name
// and can be switched off.
type acme struct {
	url, token string
	http       *http.Client
}

// capabilities are what clients.yaml says, too.
var capabilities = map[string]any{"model": "named-set", "maxSecrets": 2, "takesValue": true, "keepsToken": true,
	"canDisable": true}

// request is that of contract 1.
type request struct {
	Contract  int       `json:"contract"`
	Operation string    `json:"operation"`
	Deadline  time.Time `json:"deadline"`
	Client    struct {
		ID string `json:"id"`
	} `json:"client"`
	Token    string `json:"token"`
	Value    string `json:"value"`
	SecretID string `json:"secretId"`
}

type answer map[string]any

// fail is an answer that is an error.
func fail(kind, code string) answer {
	return answer{"error": map[string]any{"kind": kind, "code": code}}
}

// handle answers a request. It always answers: what a function throws tells nobody whether something has happened.
func (a acme) handle(ctx context.Context, payload []byte) []byte {
	var r request
	out := fail("refused", "contract")
	if json.Unmarshal(payload, &r) == nil && r.Contract == 1 {
		out = a.carryOut(ctx, r)
	}
	out["contract"] = 1
	b, err := json.Marshal(out)
	if err != nil {
		return []byte(`{"contract": 1, "error": {"kind": "unavailable", "code": "marshal"}}`)
	}
	return b
}

func (a acme) carryOut(ctx context.Context, r request) answer {
	if r.Operation == "capabilities" {
		return answer{"capabilities": capabilities}
	}
	if r.Operation == "list" {
		return a.list(ctx, r)
	}
	// who comes after the deadline would change something that nobody expects any more
	if !time.Now().Before(r.Deadline) {
		return fail("unavailable", "deadline")
	}
	ctx, end := context.WithDeadline(ctx, r.Deadline)
	defer end()
	switch r.Operation {
	case "create":
		return a.create(ctx, r)
	case "disable", "enable":
		_, failed := a.ask(ctx, http.MethodPatch, r, r.SecretID, map[string]any{"enabled": r.Operation == "enable"},
			nil)
		return orDone(failed)
	case "remove":
		status, failed := a.ask(ctx, http.MethodDelete, r, r.SecretID, nil, nil)
		if status == http.StatusNotFound && a.list(ctx, r)["error"] == nil {
			return answer{} // the client is there, and the secret is not
		}
		return orDone(failed)
	}
	return fail("refused", "operation")
}

func orDone(failed answer) answer {
	if failed == nil {
		return answer{}
	}
	return failed
}

// secret is one of Acme's.
type secret struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Enabled bool      `json:"enabled"`
}

func (a acme) secrets(ctx context.Context, r request) ([]secret, answer) {
	var got struct {
		Secrets []secret `json:"secrets"`
	}
	if _, failed := a.ask(ctx, http.MethodGet, r, "", nil, &got); failed != nil {
		return nil, failed
	}
	if got.Secrets == nil { // no list is not an empty one: the rotation would believe that all secrets are gone
		return nil, fail("unavailable", "shape")
	}
	return got.Secrets, nil
}

func (a acme) list(ctx context.Context, r request) answer {
	secrets, failed := a.secrets(ctx, r)
	if failed != nil {
		return failed
	}
	out := []any{}
	for _, s := range secrets {
		status := "active"
		if !s.Enabled {
			status = "disabled"
		}
		out = append(out, map[string]any{"id": s.ID, "status": status, "created": s.Created, "token": s.Name})
	}
	return answer{"secrets": out}
}

// create makes one secret for a token, and no second one: Lambda may deliver an invocation twice.
func (a acme) create(ctx context.Context, r request) answer {
	secrets, failed := a.secrets(ctx, r)
	if failed != nil {
		return failed
	}
	for _, s := range secrets {
		if s.Name == r.Token {
			return answer{"secret": map[string]any{"id": s.ID}}
		}
	}
	var made secret
	if _, failed := a.ask(ctx, http.MethodPost, r, "", map[string]any{"name": r.Token,
		"value": r.Value}, &made); failed != nil {
		return failed
	}
	if made.ID == "" {
		return fail("unavailable", "shape")
	}
	return answer{"secret": map[string]any{"id": made.ID}}
}

// kinds are what Acme's statuses mean. Any other may mean that something has happened.
var kinds = map[int]string{http.StatusBadRequest: "refused", http.StatusUnauthorized: "refused",
	http.StatusForbidden: "refused", http.StatusNotFound: "notFound", http.StatusConflict: "conflict",
	http.StatusUnprocessableEntity: "refused", http.StatusLocked: "throttled", http.StatusTooManyRequests: "throttled"}

// ask sends one request to Acme. It is never repeated here.
func (a acme) ask(ctx context.Context, method string, r request, id string, body, out any) (status int, failed answer) {
	at := a.url + "/clients/" + url.PathEscape(r.Client.ID) + "/secrets"
	if id != "" {
		at += "/" + url.PathEscape(id)
	}
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, fail("refused", "marshal")
		}
		sent = bytes.NewReader(b)
	}
	q, err := http.NewRequestWithContext(ctx, method, at, sent)
	if err != nil {
		return 0, fail("refused", "address")
	}
	q.Header.Set("Authorization", "Bearer "+a.token)
	q.Header.Set("Content-Type", "application/json")
	resp, err := a.http.Do(q)
	if err != nil {
		return 0, fail("unavailable", "connection")
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil || resp.StatusCode != http.StatusNoContent && kind != "application/json" {
		return 0, fail("unavailable", "page") // of a proxy or a firewall: it says nothing of Acme
	}
	switch {
	case resp.StatusCode >= 300:
		return resp.StatusCode, refusal(resp, got)
	case out != nil && json.Unmarshal(got, out) != nil:
		return 0, fail("unavailable", "shape")
	}
	return resp.StatusCode, nil
}

// refusal says what kind of error an answer is, with Acme's code and the wait that it asks for.
func refusal(resp *http.Response, body []byte) answer {
	var told struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(body, &told) // without a code
	kind := kinds[resp.StatusCode]
	if kind == "" {
		kind = "unavailable"
	}
	out := fail(kind, told.Code)
	if wait, err := strconv.Atoi(resp.Header.Get("Retry-After")); err == nil {
		out["error"].(map[string]any)["retryAfterSeconds"] = wait
	}
	return out
}
