package awsapi

import (
	"io"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// Config makes SDK clients that call h in this process, without a network, and try once.
func Config(h http.Handler, region string) aws.Config {
	return aws.Config{Region: region, BaseEndpoint: aws.String("http://aws.test"), HTTPClient: inProcess{h},
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "example", ""),
		Retryer:     func() aws.Retryer { return aws.NopRetryer{} }}
}

// Repeating makes the clients send a request again that gets no answer, as often in all, without pauses.
func Repeating(c aws.Config, attempts int) aws.Config {
	c.Retryer = func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) {
			o.MaxAttempts, o.RateLimiter = attempts, ratelimit.None
			o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
		})
	}
	return c
}

// inProcess is the HTTP client of such SDK clients.
type inProcess struct{ handler http.Handler }

// Do implements aws.HTTPClient. An answer that the handler drops is a connection that was closed.
func (c inProcess) Do(r *http.Request) (response *http.Response, err error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	defer func() {
		switch x := recover(); x {
		case nil:
		case http.ErrAbortHandler:
			response, err = nil, io.ErrUnexpectedEOF
		default:
			panic(x)
		}
	}()
	received := r.Clone(r.Context())
	if received.Body == nil {
		received.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	c.handler.ServeHTTP(answer, received)
	return answer.Result(), nil
}
