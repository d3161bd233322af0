package entrypoint

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"alboidc.internal/shared/failure"
)

const audience = "api://AzureADTokenExchange"

func source(t *testing.T, h http.HandlerFunc) webIdentity {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return webIdentity{stsOf(aws.Config{Region: "eu-west-1", BaseEndpoint: &s.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "canary-key", "session")})}
}

func stsOf(c aws.Config) *sts.Client { return sts.NewFromConfig(c) }

func TestATokenIsAskedForAsDocumented(t *testing.T) {
	t.Parallel()
	s := source(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		form, err := url.ParseQuery(string(body))
		want := url.Values{"Action": {"GetWebIdentityToken"}, "Version": {"2011-06-15"},
			"Audience.member.1": {audience},
			"SigningAlgorithm":  {"RS256"}, "DurationSeconds": {"60"}}
		if err != nil || form.Encode() != want.Encode() {
			t.Errorf("the form is %s, want %s", form.Encode(), want.Encode())
		}
		auth := r.Header.Get("Authorization")
		if !strings.HasPrefix(auth, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") || !strings.Contains(auth,
			"/eu-west-1/sts/aws4_request, ") ||
			r.Header.Get("X-Amz-Security-Token") != "session" {
			t.Errorf("the request is not signed for the Region: %s", auth)
		}
		_, _ = io.WriteString(w,
			`<GetWebIdentityTokenResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetWebIdentityTokenResult>`+
				`<WebIdentityToken>eyJ.a.b</WebIdentityToken><Expiration>2026-03-01T10:01:00Z</Expiration></GetWebIdentityTokenResult></GetWebIdentityTokenResponse>`)
	})
	token, err := s.token(t.Context(), audience)
	if err != nil || token.Reveal() != "eyJ.a.b" {
		t.Errorf("Token is %v, %v", token, err)
	}
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	t.Parallel()
	refusal := func(code string) string {
		return `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>` +
			code +
			`</Code><Message>text of AWS</Message></Error><RequestId>r</RequestId></ErrorResponse>`
	}
	for name, tt := range map[string]struct {
		status int
		body   string
		kind   failure.Kind
		says   string
	}{
		"no right": {403, refusal("AccessDenied"), failure.AccessDenied, "needs sts:GetWebIdentityToken"},
		"the feature is off": {400, refusal("OutboundWebIdentityFederationDisabledException"), failure.Precondition,
			"enable it in IAM"},
		"too many requests":      {400, refusal("Throttling"), failure.Throttled, "HTTP 400"},
		"a failure of STS":       {500, refusal("InternalFailure"), failure.Unavailable, "HTTP 500"},
		"something in between":   {502, "<html>canary", failure.Unavailable, "HTTP 502"},
		"an answer that is none": {200, "<html>canary", failure.Unavailable, "cannot be read"},
		"an answer with nothing": {200, "<GetWebIdentityTokenResponse/>", failure.Unavailable, "cannot be read"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := s.token(t.Context(), audience)
			if !failure.Is(err, tt.kind) || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(),
				"canary") {
				t.Errorf("got %s: %v; want %s with %q", failure.KindOf(err), err, tt.kind, tt.says)
			}
		})
	}
}

func TestNoAnswerAndNoCredentialsFail(t *testing.T) {
	t.Parallel()
	s := source(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	if _, err := s.token(t.Context(), audience); !failure.Is(err, failure.Unavailable) {
		t.Errorf("without an answer: %v", err)
	}
	none := webIdentity{stsOf(aws.Config{Region: "eu-west-1", BaseEndpoint: aws.String("http://127.0.0.1:1"),
		RetryMaxAttempts: 1,
		Credentials:      credentials.NewStaticCredentialsProvider("", "", "")})}
	if _, err := none.token(t.Context(), audience); err == nil || failure.Is(err, failure.Unavailable) {
		t.Errorf("without credentials: %v", err)
	}
}

func TestTheEndpointIsTheRegionsOwn(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"eu-west-1": "sts.eu-west-1.amazonaws.com",
		"cn-north-1": "sts.cn-north-1.amazonaws.com.cn", "eusc-de-east-1": "sts.eusc-de-east-1.amazonaws.eu",
		"us-isob-east-1": "sts.us-isob-east-1.sc2s.sgov.gov"} {
		var host string
		s := webIdentity{stsOf(aws.Config{Region: region, RetryMaxAttempts: 1,
			Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "canary-key", ""),
			HTTPClient: transport(func(r *http.Request) (*http.Response, error) {
				host = r.URL.Scheme + "://" + r.URL.Host
				return nil, errors.New("no network")
			})})}
		if _, err := s.token(t.Context(), audience); err == nil || host != "https://"+want {
			t.Errorf("%s: asked %s, %v", region, host, err)
		}
	}
}

// transport is an HTTP client of the SDK's that no network is behind.
type transport func(*http.Request) (*http.Response, error)

func (f transport) Do(r *http.Request) (*http.Response, error) { return f(r) }
