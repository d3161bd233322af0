package probe_test

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// says is what is known of each provider's answers to an accepted secret and to a wrong one, apart from the adapters:
// the sources are those of corpus.
var says = map[string]struct{ accepted, rejected []string }{
	"auth0":     {[]string{"invalid_grant"}, []string{"access_denied", "invalid_client"}},
	"authentik": {[]string{"invalid_grant"}, []string{"invalid_client"}},
	"cognito":   {[]string{"invalid_grant"}, []string{"invalid_client"}},
	"entra":     {nil, []string{"7000215", "7000222"}},
	"hydra":     {[]string{"invalid_grant", "unauthorized_client"}, []string{"invalid_client"}},
	"keycloak":  {[]string{"invalid_grant"}, []string{"unauthorized_client"}},
	"manual":    {[]string{"invalid_grant"}, []string{"invalid_client"}},
	"okta":      {[]string{"invalid_grant", "unauthorized_client"}, []string{"invalid_client"}},
	"pingone":   {[]string{"invalid_grant"}, []string{"invalid_client"}},
}

// answering is a token endpoint that answers every request alike.
type answering struct {
	status            int
	contentType, body string
}

// RoundTrip implements http.RoundTripper.
func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: a.status, Request: r, Header: http.Header{"Content-Type": {a.contentType}},
		Body: io.NopCloser(strings.NewReader(a.body))}, nil
}

// Only an answer that the facts know as one for an accepted secret counts as that, and only one for a wrong secret as
// a refusal; an endpoint that answers every secret alike proves none accepted; no text shows the answer.
func FuzzTokenAnswer(f *testing.F) {
	kinds, specs := registry.Types(), map[string]idp.ProbeSpec{}
	for i, kind := range kinds {
		specs[kind] = specOf(f, kind)
		for _, c := range corpus {
			if c.provider == kind || c.provider == "any" {
				f.Add(i, c.status, cmp.Or(c.contentType, "application/json"), c.body)
			}
		}
	}
	f.Fuzz(func(t *testing.T, provider, status int, contentType, body string) {
		kind := kinds[uint(provider)%uint(len(kinds))]
		a := answering{100 + int(uint(status)%500), contentType, body}
		ask := probe.Credential{HTTP: &http.Client{Transport: a}, Rand: rand.Reader}
		e := probe.Endpoint{TokenEndpoint: "https://idp.example.com/token", ClientID: clientID,
			AuthMethod: "client_secret_basic", Spec: specs[kind]}
		v, err := ask.Classify(t.Context(), e, secret.New(canary))
		again, errAgain := ask.Classify(t.Context(), e, secret.New(canary))
		if v != again || (err == nil) != (errAgain == nil) {
			t.Errorf("%v (%v), and then %v (%v)", v, err, again, errAgain)
		}
		noCanary(t, v, err)
		switch {
		case err != nil:
			if !failure.Is(err, failure.Unavailable) && !failure.Is(err, failure.Throttled) || v.Outcome != "" {
				t.Errorf("%v with %v", v, err)
			}
			return
		case v.Outcome == probe.Accepted && !a.accepts(kind), v.Outcome == probe.Rejected && !a.rejects(kind):
			t.Errorf("%s: HTTP %d %s %q is %s", kind, a.status, contentType, body, v.Outcome)
		case v.Reason == "":
			t.Error("no reason")
		}
		if v, err := ask.Differential(t.Context(), e, secret.New(canary)); err == nil && v.Outcome == probe.Accepted {
			t.Errorf("%s: an endpoint that answers every secret with %q proves one", kind, body)
		}
	})
}

// members are those of the answer, if it is a JSON object that has each once.
func (a answering) members() map[string]any {
	text := strings.TrimPrefix(a.body, "\ufeff")
	var out map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	if json.Unmarshal([]byte(text), &out) != nil || strings.HasPrefix(a.contentType, "text/html") {
		return nil
	}
	names, depth := []string{}, 0
	for atName := true; ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		name, isText := token.(string)
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			continue
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 1 {
			if atName && isText && slices.Contains(names, name) {
				return nil
			} else if atName && isText {
				names = append(names, name)
			}
			atName = !atName
		}
	}
	return out
}

func (a answering) accepts(kind string) bool {
	m := a.members()
	code, _ := m["error"].(string)
	token, _ := m["access_token"].(string)
	if a.status/100 == 2 && token != "" && code == "" {
		return true
	}
	return token == "" && slices.Contains(says[kind].accepted, code) &&
		(a.status/100 == 2 || slices.Contains([]int{400, 401, 403}, a.status))
}

func (a answering) rejects(kind string) bool {
	m := a.members()
	code, _ := m["error"].(string)
	token, _ := m["access_token"].(string)
	text, _ := m["error_description"].(string)
	known := slices.Contains(says[kind].rejected, code)
	for _, number := range says[kind].rejected {
		listed, _ := json.Marshal(m["error_codes"])
		known = known || kind == "entra" && (string(listed) == "["+number+"]" || string(listed) == `["`+number+`"]` ||
			strings.HasPrefix(text, "AADSTS"+number))
	}
	return known && token == "" && (a.status/100 == 2 || a.status == 400 || a.status == 401)
}
