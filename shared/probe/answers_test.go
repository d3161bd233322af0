package probe_test

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// What a token endpoint's answer means.
const (
	yes   = "accepted"
	no    = "rejected"
	other = "inconclusive" // the endpoint's own answer, about something else
	none  = "no answer"    // not the endpoint's own, or that it cannot answer now
	later = "throttled"
)

const page = "text/html; charset=utf-8"

// corpus are answers of token endpoints to the probe of a secret, recorded and documented ones, and what they mean; any
// is every provider. Sources:
//
//   - Microsoft: "Microsoft Entra authentication and authorization error codes"; invalid_grant with 501051 is what
//     tenants answer, invalid_client what Microsoft's page on daemon web APIs shows; wrong and right secret were
//     measured on a live tenant in August 2026.
//   - Okta: developer docs, "Client secret rotation" and "OpenID Connect & OAuth 2.0 API"; the error object of its
//     management API for an unknown client was recorded by several open-source clients.
//   - Ory Hydra: seen on v2.3.0 and on a build of July 2026; texts of fosite's client_authentication.go.
//   - Keycloak: ClientIdAndSecretAuthenticator.java and ClientAuthUtil.java.
//   - authentik: providers/oauth2/views/token.py and errors.py of its repository, from 2023 to September 2026.
//   - Auth0, Amazon Cognito, PingOne: answers shown in forum posts and vendors' documentation.
//   - RFC 6749, sections 5.1 and 5.2; RFC 9110 for statuses; RFC 8259, section 8.1, for the byte order mark.
var corpus = []struct {
	provider, what string
	status         int
	contentType    string // "" is application/json
	body           string
	want           string
	says           string
}{
	// the secret
	{"entra", "right", 200, "", `{"token_type":"Bearer","expires_in":3599,"access_token":"eyJ0"}`, yes, "access token"},
	{"entra", "wrong", 401, "", aadsts("invalid_client", 7000215), no, "HTTP 401 invalid_client AADSTS7000215"},
	{"entra", "expired", 401, "", aadsts("invalid_client", 7000222), no, "AADSTS7000222"},
	{"entra", "wrong, number in the text only", 401, "", `{"error":"invalid_client","error_description":` +
		`"AADSTS7000215: Invalid client secret provided."}`, no, "AADSTS7000215"},
	{"entra", "wrong, number in the list only", 400, "", `{"error":"invalid_client","error_codes":["7000215"]}`, no,
		""},
	{"okta", "right", 400, "", oauth("invalid_grant", "The authorization code is invalid or has expired."), yes, ""},
	{"okta", "right, without the grant", 400, "", oauth("unauthorized_client", "The client is not authorized to use "+
		"the provided grant type."), yes, ""},
	{"okta", "wrong", 401, "", oauth("invalid_client", "The client secret supplied for a confidential client is "+
		"invalid."), no, ""},
	{"auth0", "right", 403, "", oauth("invalid_grant", "Invalid authorization code"), yes, "HTTP 403 invalid_grant"},
	{"auth0", "wrong", 401, "", oauth("access_denied", "Unauthorized"), no, "HTTP 401 access_denied"},
	{"authentik", "right", 400, "", oauth("invalid_grant", "The provided authorization grant or refresh token is "+
		"invalid, expired, revoked, does not match the redirection URI used in the authorization request, or was "+
		"issued to another client"), yes, "HTTP 400 invalid_grant"},
	{"authentik", "wrong; also right with another redirect URI, so it counts only with a positive control", 400, "",
		oauth("invalid_client", "Client authentication failed (e.g., unknown client, no client authentication "+
			"included, or unsupported authentication method)"), no, "HTTP 400 invalid_client"},
	{"cognito", "right", 400, "", oauth("invalid_grant", ""), yes, ""},
	{"cognito", "wrong", 400, "", oauth("invalid_client", "invalid_client_secret"), no, "HTTP 400 invalid_client"},
	{"keycloak", "right", 400, "", oauth("invalid_grant", "Code not valid"), yes, ""},
	{"keycloak", "wrong, or expired", 401, "", oauth("unauthorized_client", "Invalid client or Invalid client "+
		"credentials"), no, "HTTP 401 unauthorized_client"},
	{"hydra", "right", 400, "", oauth("invalid_grant", "The provided authorization grant is invalid."), yes, ""},
	{"hydra", "right, without the grant", 400, "", oauth("unauthorized_client", "The client is not authorized to "+
		"request a token using this method."), yes, ""},
	{"hydra", "wrong; also right while the database is down, so it counts only with a positive control", 401, "",
		oauth("invalid_client", "Client authentication failed (e.g., unknown client, no client authentication "+
			"included, or unsupported authentication method)."), no, ""},
	{"pingone", "right", 400, "", oauth("invalid_grant", ""), yes, ""},
	{"pingone", "wrong", 401, "", oauth("invalid_client", "Request denied: Invalid client credentials (Correlation "+
		"ID: 1)"), no, ""},
	{"manual", "right", 400, "", oauth("invalid_grant", "Malformed auth code."), yes, ""},
	{"manual", "wrong", 401, "", oauth("invalid_client", ""), no, ""},

	// about something else than the secret
	{"entra", "right, assignment required", 400, "", aadsts("invalid_grant", 501051), other, "require assignment"},
	{"entra", "right, assignment required, as documented", 401, "", aadsts("invalid_client", 501051), other,
		"HTTP 401 invalid_client AADSTS501051, which is not about the secret: Microsoft Graph is set to require"},
	{"entra", "no consent", 400, "", aadsts("invalid_grant", 65001), other, "admin consent"},
	{"entra", "unknown app", 400, "", aadsts("unauthorized_client", 700016), other, "the tenant has no such app"},
	{"entra", "unknown app, another code", 401, "", aadsts("invalid_client", 700016), other, "check clientId"},
	{"entra", "unknown tenant", 400, "", aadsts("invalid_request", 90002), other, "no such tenant"},
	{"entra", "another cloud", 400, "", aadsts("invalid_request", 900382), other, "different clouds"},
	{"entra", "Graph of another cloud", 400, "", aadsts("invalid_resource", 500011), other, "graphUrl"},
	{"entra", "disabled app", 401, "", aadsts("invalid_client", 7000112), other, "disabled"},
	{"entra", "Conditional Access", 400, "", aadsts("invalid_grant", 53003), other, "Conditional Access"},
	{"entra", "no secret seen", 401, "", aadsts("invalid_client", 7000218), other, "tokenEndpointAuthMethod"},
	{"entra", "federated credential", 401, "", aadsts("invalid_client", 70021), other, "federated credential"},
	{"entra", "a longer number than a wrong secret's", 401, "", aadsts("invalid_client", 70002155), other, ""},
	{"entra", "two numbers", 401, "", `{"error":"invalid_client","error_codes":[501051,7000215]}`, other, ""},
	{"entra", "no number", 401, "", oauth("invalid_client", "somebody else's"), other, "says nothing about the secret"},
	{"entra", "a retryable error under another code", 400, "", aadsts("invalid_grant", 90090), other,
		"cannot answer now"},
	{"okta", "unknown client", 401, "", `{"errorCode":"invalid_client","errorSummary":"Invalid value for ` +
		`'client_id' parameter.","errorLink":"invalid_client","errorId":"oae1","errorCauses":[]}`, other,
		"the client id is unknown at this authorization server"},
	{"okta", "unknown client, as documented", 401, "", oauth("invalid_client", "Invalid value for 'client_id' "+
		"parameter."), other, "the client id is unknown"},
	{"okta", "the management API's error", 403, "", `{"errorCode":"E0000006","errorSummary":"x"}`, other,
		"HTTP 403 errorCode E0000006"},
	{"auth0", "access denied by something else", 403, "", oauth("access_denied", "Blocked"), other, "HTTP 403"},
	{"auth0", "grant not allowed", 403, "", oauth("unauthorized_client", "Grant type not allowed"), other, ""},
	{"keycloak", "unknown or disabled client", 401, "", oauth("invalid_client", "Invalid client or Invalid client "+
		"credentials"), other, "no client with this client id, or it is disabled"},
	{"hydra", "another method", 401, "", oauth("invalid_client", "Client authentication failed. The OAuth 2.0 Client "+
		"supports client authentication method 'client_secret_post', but method 'client_secret_basic' was "+
		"requested."), other, "tokenEndpointAuthMethod"},
	{"pingone", "another method", 401, "", oauth("invalid_client", "Request denied: Unsupported authentication "+
		"method (Correlation ID: 1)"), other, "tokenEndpointAuthMethod"},
	{"manual", "unknown client", 401, "", oauth("invalid_client", "The OAuth client was not found."), other,
		"check clientId"},
	{"cognito", "without the grant", 400, "", oauth("unauthorized_client", ""), other, ""},
	{"any", "the request", 400, "", oauth("invalid_request", ""), other, "HTTP 400 invalid_request"},
	{"any", "the grant", 400, "", oauth("unsupported_grant_type", ""), other, ""},
	{"any", "the scope", 400, "", oauth("invalid_scope", ""), other, ""},
	{"any", "a gateway's refusal with a client's code", 403, "", oauth("invalid_client", ""), other, ""},
	{"any", "a path that is none", 404, "", oauth("invalid_client", ""), other, ""},
	{"any", "a proxy that wants a password", 407, "", oauth("invalid_client", ""), other, ""},
	{"any", "a code that may be an echo", 400, "", oauth(canary, ""), other, "unknown error code"},

	// not the token endpoint's own code
	{"any", "a firewall", 403, page, "<html>Request blocked</html>", none, "web page"},
	{"any", "a maintenance page", 200, page, "<html>We'll be back soon</html>", none, "web page"},
	{"any", "a login page of a proxy", 401, page, "<!doctype html>" + canary, none, "web page"},
	{"any", "a page at 400", 400, page, "<h1>Bad Request</h1>", none, "web page"},
	{"any", "a page that says JSON", 403, "application/json", " \n<html>" + canary, none, "web page"},
	{"any", "JSON that says page", 401, page, oauth("invalid_client", ""), none, "web page"},
	{"any", "XML", 403, "application/xml", `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`, none, ""},
	{"any", "a web application firewall", 403, "", `{"message":"Forbidden"}`, none, "not a token endpoint's"},
	{"any", "an API gateway", 401, "", `{"message":"Unauthorized"}`, none, ""},
	{"any", "an application's own form", 400, "", `{"error":{"code":"invalid_client"}}`, none, ""},
	{"any", "a success of something else", 200, "", `{"status":"ok"}`, none, ""},
	{"any", "an empty token", 200, "", `{"access_token":""}`, none, ""},
	{"any", "a token that is none", 200, "", `{"access_token":{"value":"x"}}`, none, ""},
	{"any", "an empty code", 401, "", `{"error":""}`, none, ""},
	{"authentik", "it starts up", 503, "", `{"error":"authentik starting"}`, none, "HTTP 503"},
	{"any", "nothing", 200, "", ``, none, ""},
	{"any", "nothing at 401", 401, "", ``, none, ""},
	{"any", "text", 401, "text/plain", `invalid_client`, none, ""},
	{"any", "an empty success", 204, "", ``, none, ""},
	{"any", "a list", 401, "", `[` + oauth("invalid_client", "") + `]`, none, ""},
	{"any", "null", 401, "", `null`, none, ""},
	{"any", "half an answer", 401, "", `{"error":"invalid_client","error_de`, none, ""},
	{"any", "a redirect", 302, "", ``, none, "redirect"},
	{"any", "a redirect with a code", 307, "", oauth("invalid_client", ""), none, "redirect"},

	// the endpoint cannot answer now
	{"entra", "a retryable error", 400, "", `{"error":"temporarily_unavailable","error_description":"AADSTS90090"}`,
		none, "cannot answer now"},
	{"any", "unavailable, whatever the status", 400, "", oauth("temporarily_unavailable", ""), none, ""},
	{"any", "a server error, whatever the status", 400, "", oauth("server_error", ""), none, ""},
	{"any", "a server error with a client's code", 500, "", oauth("invalid_client", ""), none, "HTTP 500"},
	{"any", "a bad gateway", 502, page, "<html>", none, "HTTP 502"},
	{"any", "a gateway of a content delivery network", 520, page, "<html>", none, "HTTP 520"},
	{"any", "a timeout", 408, "", oauth("invalid_grant", ""), none, "HTTP 408"},
	{"any", "a lock", 423, "", oauth("invalid_client", ""), none, "HTTP 423"},
	{"any", "too early", 425, "", ``, none, "HTTP 425"},
	{"any", "too many requests", 429, page, "<html>", later, "too many requests: HTTP 429"},
	{"any", "too many requests with a client's code", 429, "", oauth("invalid_client", ""), later, ""},
	{"auth0", "too many requests", 429, "", `{"error":"Rate limit reached"}`, later, ""},
	{"any", "too many requests, whatever the status", 400, "", oauth("slow_down", ""), later, ""},

	// right, but oddly formed
	{"okta", "a byte order mark", 401, "", "\ufeff" + oauth("invalid_client", ""), no, ""},
	{"okta", "white space, and no type", 401, "application/octet-stream", "\r\n" + oauth("invalid_client", "") + "\n",
		no, ""},
	{"okta", "plain text", 400, "text/plain; charset=utf-8", oauth("invalid_grant", ""), yes, ""},
	{"okta", "a script", 400, "text/javascript", oauth("invalid_grant", ""), yes, ""},
	{"okta", "a code with 200", 200, "", oauth("invalid_client", ""), no, "HTTP 200 invalid_client"},
	{"any", "a code beside a token", 200, "", `{"error":"invalid_client","access_token":"t"}`, none, ""},
	{"any", "two codes", 400, "", `{"error":"invalid_client","error":"invalid_grant"}`, none, ""},
	{"any", "names in other letters", 400, "", `{"Error":"invalid_grant"}`, none, ""},
	{"okta", "a token with 400", 400, "", `{"access_token":"t"}`, other, ""},
	{"okta", "a description that is no text", 401, "", `{"error":"invalid_client","error_description":["x"]}`, no, ""},
	{"entra", "numbers that are none", 401, "", `{"error":"invalid_client","error_codes":{"a":1},"error_description":` +
		`"AADSTS7000215: x"}`, no, ""},
	{"entra", "expires_in as text", 200, "", `{"access_token":"t","expires_in":"3599"}`, yes, ""},
	{"entra", "expires_in as a fraction", 200, "", `{"access_token":"t","expires_in":3599.5}`, yes, ""},
	{"entra", "no expires_in, nor type", 200, "", "\ufeff" + `{"access_token":"t"}`, yes, ""},
	{"entra", "an empty code beside a token", 200, "", `{"access_token":"t","error":null}`, yes, ""},
}

// oauth is an error of RFC 6749. aadsts is Microsoft's form of it.
func oauth(code, description string) string {
	return fmt.Sprintf(`{"error":%q,"error_description":%q}`, code, description)
}

func aadsts(code string, number int) string {
	return fmt.Sprintf(`{"error":%q,"error_description":"AADSTS%d: %s. Trace ID: 1","error_codes":[%d],"timestamp":`+
		`"2026-03-01 10:00:05Z"}`, code, number, canary, number)
}

// specOf is the probe of a provider with the settings of its documentation.
func specOf(t testing.TB, kind string) idp.ProbeSpec {
	t.Helper()
	text, err := os.ReadFile("../../docs/identity-providers/" + kind + ".md")
	if err != nil {
		t.Fatal(err)
	}
	example := regexp.MustCompile("(?s)```json\n(.*?)```").FindSubmatch(text)
	c, err := registry.Capabilities(kind, example[1], idp.Client{ClientID: clientID})
	if err != nil {
		t.Fatal(err)
	}
	return c.Probe
}

func TestWhatAnswersMean(t *testing.T) {
	t.Parallel()
	s := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := strconv.Atoi(r.URL.Path[1:])
		c := corpus[n]
		w.Header().Set("Content-Type", cmp.Or(c.contentType, "application/json"))
		w.WriteHeader(c.status)
		_, _ = w.Write([]byte(c.body))
	}))
	specs, ask := map[string]idp.ProbeSpec{}, probe.New(options(t)).Credential()
	for _, kind := range registry.Types() {
		specs[kind] = specOf(t, kind)
	}
	for n, c := range corpus {
		kinds := []string{c.provider}
		if c.provider == "any" {
			kinds = registry.Types()
		}
		for _, kind := range kinds {
			t.Run(kind+": "+c.what, func(t *testing.T) {
				t.Parallel()
				e := probe.Endpoint{TokenEndpoint: at(s, "idp", "/"+strconv.Itoa(n)), ClientID: clientID,
					AuthMethod: "client_secret_basic", Spec: specs[kind]}
				v, err := ask.Classify(t.Context(), e, secret.New(right))
				got, text := string(v.Outcome), v.Reason
				switch {
				case failure.Is(err, failure.Throttled):
					got, text = later, err.Error()
				case failure.Is(err, failure.Unavailable):
					got, text = none, err.Error()
				case err != nil:
					t.Fatal(err)
				}
				if got != c.want || !strings.Contains(text, c.says) || text == "" {
					t.Errorf("got %s (%s), want %s (%s)", got, text, c.want, c.says)
				}
				noCanary(t, v, err)
				// a deliberately wrong secret that meets the same answer proves nothing, unless it is refused
				want := map[string]failure.Kind{yes: failure.Precondition, other: failure.Unavailable,
					none: failure.Unavailable, later: failure.Throttled}[c.want]
				if err := ask.Calibrate(t.Context(), e, secret.New(right)); c.want == no && err != nil ||
					c.want != no && !failure.Is(err, want) {
					t.Errorf("the negative control ends with %v, want %s", err, want)
				}
			})
		}
	}
}
