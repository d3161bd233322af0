package cognito_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito"
	"alboidc.internal/shared/idp/cognito/cognitotest"
	"alboidc.internal/shared/idp/idptest"
	"alboidc.internal/shared/idp/idptest/imitationtest"
)

const clientID = "1exampleclientid23"

// The operations of Amazon Cognito that are used.
const (
	describeClient = "DescribeUserPoolClient"
	listSecrets    = "ListUserPoolClientSecrets"
	addSecret      = "AddUserPoolClientSecret"
	deleteSecret   = "DeleteUserPoolClientSecret"
)

// pool is a user pool with one app client, behind a server. It is an idptest.Backend.
type pool struct {
	imitationtest.Named
	url string

	mu      sync.Mutex
	answers map[string]string // recorded ones, by operation
	status  int               // of recorded answers
}

func newPool(t *testing.T) *pool {
	t.Helper()
	p := &pool{answers: map[string]string{}, status: http.StatusOK}
	var api http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		p.mu.Lock()
		answer, ok := p.answers[operation]
		status := p.status
		p.mu.Unlock()
		if !ok {
			api.ServeHTTP(w, r)
			return
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close) // after the requests that hang have ended
	p.Named, p.url = imitationtest.Start(t, cognitotest.Imitation, nil, clientID).Named(clientID), server.URL
	api = awsapi.NewServer(p.Clock, p.Faults, p.Double.(awsapi.Service))
	return p
}

// answer makes an operation answer so, without any effect; "" ends it.
func (p *pool) answer(operation, body string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.answers, operation)
	if body != "" {
		p.answers[operation] = body
	}
}

// Break implements idptest.Backend. The message of an AccessDeniedException, which Cognito has too, is shown on purpose
// (package awserr).
func (p *pool) Break(op idptest.Operation, f idptest.Fault) {
	operation := map[idptest.Operation]string{idptest.Check: describeClient, idptest.List: listSecrets,
		idptest.Create: addSecret, idptest.Remove: deleteSecret}[op]
	const page = "<html>" + idptest.Canary
	p.Faults.Clear()
	p.answer(operation, map[idptest.Fault]string{idptest.Garble: `{"` + idptest.Canary + `": `,
		idptest.Misshape: `{"` + idptest.Canary + `": 1}`,
		idptest.Block:    page, idptest.Portal: page}[f])
	p.mu.Lock()
	p.status = http.StatusOK
	if f == idptest.Block {
		p.status = http.StatusForbidden
	}
	p.mu.Unlock()
	if rule, ok := map[idptest.Fault]fault.Rule{
		idptest.Throttle: {Mode: fault.Refuse, Status: http.StatusBadRequest, Code: "TooManyRequestsException"},
		idptest.Break: {Mode: fault.Refuse, Status: http.StatusInternalServerError,
			Code: "InternalServerException"},
		idptest.Forbid:    {Mode: fault.Refuse, Status: http.StatusBadRequest, Code: "NotAuthorizedException"},
		idptest.Lock:      {Mode: fault.Refuse, Status: http.StatusBadRequest, Code: "TooManyRequestsException"},
		idptest.Doubt:     {Mode: fault.Refuse, Status: http.StatusServiceUnavailable, Code: "ServiceUnavailable"},
		idptest.LoseReply: {Mode: fault.Lose},
		idptest.Hang:      {Mode: fault.Delay, Latency: time.Hour},
	}[f]; ok {
		p.fault(operation, rule)
	}
}

func (p *pool) fault(operation string, r fault.Rule) {
	r.Service, r.Operation = "cognito-idp", operation
	if _, err := p.Faults.Add(r); err != nil {
		panic(err)
	}
}

// refuse makes an operation fail with a code, from the request on that follows skip others.
func (p *pool) refuse(operation, code string, skip int) {
	p.fault(operation, fault.Rule{Mode: fault.Refuse, Status: http.StatusBadRequest, Code: code, Skip: skip})
}

// deps reach the server. The SDK tries a request up to that many times, without waiting.
func (p *pool) deps(attempts int) idp.Deps {
	return idp.Deps{AWS: func(region string) aws.Config {
		return aws.Config{Region: region, BaseEndpoint: &p.url,
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

func newProvider(t *testing.T, d idp.Deps) idp.Provider {
	t.Helper()
	p, err := cognito.New([]byte(`{"userPoolId": "`+cognitotest.PoolID+`"}`), idp.Client{Name: "orders-web",
		ClientID: clientID}, d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestConformance lets the SDK repeat requests, as it does in production: no repeat may do harm.
func TestConformance(t *testing.T) {
	t.Parallel()
	idptest.Run(t, idptest.Subject{New: func(t *testing.T) (idp.Provider, idptest.Backend) {
		p := newPool(t)
		return newProvider(t, p.deps(3)), p
	}})
}
