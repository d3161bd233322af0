package clientcredentials_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/secret"
)

const arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:rotator-AbCdEf"

// ask sends one authorized request to a vendor whose token endpoint answers like that, and returns what the endpoint
// saw.
func ask(t *testing.T, proof clientcredentials.Proof, status int, answer string) (form url.Values, header http.Header,
	authorization string, err error) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form, header = r.PostForm, r.Header
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer s.Close()
	tokens := &clientcredentials.Tokens{Operation: "give the rotator an access token", URL: s.URL,
		Form: url.Values{"audience": {"api"}}, Proof: proof,
		API: &httpclient.API{Vendor: "Vendor", HTTP: s.Client(), Now: time.Now,
			ErrorCode: func([]byte) string { return "" }}}
	r := httptest.NewRequest(http.MethodGet, "https://api.example.com", nil)
	err = tokens.Authorize(t.Context(), r)
	return form, header, r.Header.Get("Authorization"), err
}

func stored(value string) clientcredentials.Stored {
	return clientcredentials.Stored{ARN: arn, What: "the client secret of the rotator",
		Read: func(context.Context, string) (secret.Value, error) { return secret.New(value), nil }}
}

const good = `{"access_token": "eyJ0", "token_type": "bearer", "expires_in": 3600}`

func TestAClientSecretGoesIntoTheForm(t *testing.T) {
	t.Parallel()
	form, header, authorization, err := ask(t, clientcredentials.ClientSecret{ClientID: "rotator",
		Stored: stored("s3cret\n")}, 200, good)
	want := url.Values{"grant_type": {"client_credentials"}, "audience": {"api"}, "client_id": {"rotator"},
		"client_secret": {"s3cret"}}
	if err != nil || form.Encode() != want.Encode() || header.Get("Authorization") != "" ||
		authorization != "Bearer eyJ0" {
		t.Errorf("the form is %v, the header %q; used is %q (%v)", form, header.Get("Authorization"),
			authorization, err)
	}
}

// RFC 6749, section 2.3.1: id and secret are form-encoded before they become a header.
func TestAClientSecretGoesIntoTheHeaderByBasic(t *testing.T) {
	t.Parallel()
	form, header, _, err := ask(t, clientcredentials.ClientSecret{ClientID: "rota:tor", Stored: stored("s%c:ret"),
		Basic: true}, 200, good)
	r := http.Request{Header: header}
	id, value, _ := r.BasicAuth()
	if err != nil || id != "rota%3Ator" || value != "s%25c%3Aret" || form.Has("client_secret") ||
		form.Has("client_id") {
		t.Errorf("the header is for %q, the form %v (%v)", id, form, err)
	}
}

func TestWhatIsNoTokenIsNotUsed(t *testing.T) {
	t.Parallel()
	proof := clientcredentials.ClientSecret{ClientID: "rotator", Stored: stored("s3cret")}
	for name, tt := range map[string]struct {
		proof  clientcredentials.Proof
		status int
		answer string
		kind   failure.Kind
		says   string
	}{
		"no token": {proof, 200, `{"token_type": "Bearer"}`, failure.Unavailable, "not understood"},
		"a token with a newline": {proof, 200, `{"token_type": "Bearer", "access_token": "a\nb"}`, failure.Unavailable,
			"not understood"},
		"another type": {proof, 200, `{"token_type": "DPoP", "access_token": "a"}`, failure.Unavailable,
			"not of type Bearer"},
		"a refusal": {proof, 401, `{"canary": "canary"}`, failure.IdPRejected, "HTTP 401"},
		"a page":    {proof, 403, `<html>canary`, failure.Unavailable, "not one of Vendor's"},
		"two words": {clientcredentials.ClientSecret{ClientID: "rotator", Stored: stored("canary canary")},
			200, good, failure.Precondition, arn + " does not hold the client secret of the rotator"},
		"no key": {clientcredentials.PrivateKeyJWT{ClientID: "rotator", Key: keyIn("canary"),
			Now: time.Now}, 200, good, failure.Precondition, arn},
	} {
		_, _, authorization, err := ask(t, tt.proof, tt.status, tt.answer)
		if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
			"canary") || authorization != "" {
			t.Errorf("%s: used is %q, the error %v (%s)", name, authorization, err, failure.KindOf(err))
		}
	}
}

// What a token endpoint says of a token's life, in all the forms in which that was seen, and how long it is used.
func TestHowLongATokenIsUsed(t *testing.T) {
	t.Parallel()
	for expiresIn, used := range map[string]time.Duration{
		`3600`: 59 * time.Minute, `"3600"`: 59 * time.Minute, `3599.7`: 59*time.Minute - time.Second,
		`"3599.0"`: 59*time.Minute - time.Second, `3.6e3`: 59 * time.Minute, `30`: 0, `0`: 0, `null`: 0, `"soon"`: 0,
		`-1`: 0, `"NaN"`: 0, `"Infinity"`: 24*time.Hour - time.Minute, `{"in": 3600}`: 0,
		`1e300`: 24*time.Hour - time.Minute,
	} {
		now, asked := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), 0
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			_, _ = w.Write([]byte("\ufeff" + `{"access_token": "eyJ0", "token_type": "Bearer", "expires_in": ` +
				expiresIn +
				`}`))
		}))
		tokens := &clientcredentials.Tokens{Operation: "give the rotator an access token", URL: s.URL,
			Proof: clientcredentials.ClientSecret{ClientID: "rotator", Stored: stored("s3cret")},
			API:   &httpclient.API{Vendor: "Vendor", HTTP: s.Client(), Now: func() time.Time { return now }}}
		use := func() {
			if err := tokens.Authorize(t.Context(), httptest.NewRequest(http.MethodGet, "/", nil)); err != nil {
				t.Errorf("expires_in %s: %v", expiresIn, err)
			}
		}
		use()
		now = now.Add(used - time.Nanosecond)
		use()
		if used > 0 && asked != 1 {
			t.Errorf("expires_in %s: %d tokens were asked for before %s", expiresIn, asked, used)
		}
		now = now.Add(time.Nanosecond)
		if use(); asked == 1 {
			t.Errorf("expires_in %s: the token is used for longer than %s", expiresIn, used)
		}
		s.Close()
	}
}
