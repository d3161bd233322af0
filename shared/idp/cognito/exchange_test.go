package cognito_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito"
)

const (
	poolID   = "eu-central-1_AbCdEf123"
	clientID = "1exampleclientid23"
	targets  = "AWSCognitoIdentityProviderService."
)

// deps reach a server that stands for Cognito. The SDK tries a request up to that many times, without waiting.
func deps(url string, attempts int) idp.Deps {
	return idp.Deps{AWS: func(region string) aws.Config {
		return aws.Config{Region: region, BaseEndpoint: &url,
			Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
				return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "example"}, nil
			}),
			Retryer: func() aws.Retryer {
				return retry.NewStandard(func(o *retry.StandardOptions) {
					o.MaxAttempts = attempts
					o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				})
			}}
	}}
}

func newProvider(t *testing.T, url string, attempts int) idp.Provider {
	t.Helper()
	p, err := cognito.New([]byte(`{"userPoolId": "`+poolID+`"}`), idp.Client{Name: "orders-web", ClientID: clientID}, deps(url, attempts))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// exchange is one request that must come, and its answer.
type exchange struct {
	operation string
	body      string // the parameters beside UserPoolId and ClientId, as JSON members
	status    int    // 0 is 200
	answer    string
}

// script is a Cognito that expects exchanges in their order and reports everything else.
type script struct {
	*httptest.Server
	t    *testing.T
	mu   sync.Mutex
	left []exchange
}

func play(t *testing.T, exchanges ...exchange) *script {
	t.Helper()
	s := &script{t: t, left: exchanges}
	s.Server = httptest.NewServer(s)
	t.Cleanup(func() {
		s.Close()
		for _, e := range s.left {
			t.Errorf("the request %s never came", e.operation)
		}
	})
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	operation := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), targets)
	if len(s.left) == 0 || s.left[0].operation != operation || r.Method != http.MethodPost || r.URL.Path != "/" {
		s.t.Errorf("the request %s %s %s was not expected now", r.Method, r.URL.Path, operation)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	e := s.left[0]
	s.left = s.left[1:]
	if a := r.Header.Get("Authorization"); !strings.Contains(a, "/eu-central-1/cognito-idp/aws4_request") {
		s.t.Errorf("%s: Authorization is %q, want a signature for Cognito in the pool's Region", operation, a)
	}
	if c := r.Header.Get("Content-Type"); c != "application/x-amz-json-1.1" {
		s.t.Errorf("%s: the content type is %q", operation, c)
	}
	if want := `{"UserPoolId": "` + poolID + `", "ClientId": "` + clientID + `"` + e.body + `}`; !sameJSON(want, string(body)) {
		s.t.Errorf("%s: the body is %s, want %s", operation, body, want)
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if e.status != 0 {
		w.WriteHeader(e.status)
	}
	_, _ = io.WriteString(w, e.answer)
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	return reflect.DeepEqual(x, y)
}
