package awsapi

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// Client configures the AWS SDK's clients to call h in this process: with the real encoding of requests and answers, but
// no listener and no repeats. h is a Server, or what a test puts before one.
func Client(region string, h http.Handler) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: aws.String("http://aws.localhost"), HTTPClient: direct{h},
		Retryer: func() aws.Retryer { return aws.NopRetryer{} },
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "local", SecretAccessKey: "local", Source: "awstest"}, nil
		})}
}

// Repeating lets clients send a request again that gets no answer, as often in all, and without pauses.
func Repeating(c aws.Config, attempts int) aws.Config {
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return c
}

// direct is an HTTP client whose requests are calls of a handler.
type direct struct{ handler http.Handler }

// Do implements aws.HTTPClient. A handler that aborts has lost its answer.
func (d direct) Do(r *http.Request) (res *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			res, err = nil, errLost
		default:
			panic(p)
		}
	}()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	d.handler.ServeHTTP(w, r)
	return w.Result(), nil
}

// errLost is what a client sees of an answer that fault.Lose has lost.
var errLost = errors.New("the connection ended without an answer")
