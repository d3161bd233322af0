// Package delivery starts executions as EventBridge and EventBridge Scheduler do: again and again, until one is
// started, it is refused for good, or the target's retry policy is used up.
package delivery

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"alboidc.internal/shared/clock"
)

// Retries unless the target says otherwise (API references of both services, RetryPolicy: 185 attempts over a day),
// with growing pauses.
const (
	defaultAttempts = 185
	defaultAge      = 24 * time.Hour
	firstPause      = time.Second
	longestPause    = 5 * time.Minute
)

// RetryPolicy is the one of a target; nil has the defaults.
type RetryPolicy struct {
	MaximumEventAgeInSeconds *int `json:"MaximumEventAgeInSeconds,omitempty"`
	MaximumRetryAttempts     *int `json:"MaximumRetryAttempts,omitempty"`
}

// Target is a state machine, and what to start it with.
type Target struct {
	Endpoint, Region, MachineARN, Input string
	RetryPolicy                         *RetryPolicy
}

// Start starts the target. After an error nobody tries again.
func (t Target) Start(ctx context.Context, c clock.Clock) (executionARN string, attempts int, err error) {
	more, age := t.RetryPolicy.limits()
	began, pause := c.Now(), firstPause
	for {
		attempts++
		executionARN, err = t.try(ctx)
		if err == nil || !transient(err) || attempts > more || c.Now().Add(pause).Sub(began) > age {
			return executionARN, attempts, err
		}
		if err := c.Sleep(ctx, pause); err != nil {
			return "", attempts, err
		}
		pause = min(2*pause, longestPause)
	}
}

// limits are how many times a start is tried again, and for how long.
func (p *RetryPolicy) limits() (attempts int, age time.Duration) {
	attempts, age = defaultAttempts, defaultAge
	if p != nil && p.MaximumRetryAttempts != nil {
		attempts = *p.MaximumRetryAttempts
	}
	if p != nil && p.MaximumEventAgeInSeconds != nil {
		age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
	}
	return attempts, age
}

func (t Target) try(ctx context.Context) (string, error) {
	client := sfn.New(sfn.Options{Region: t.Region, BaseEndpoint: &t.Endpoint, HTTPClient: http.DefaultClient,
		Retryer:     aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCALDELIVERY", "local", "")})
	out, err := client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &t.MachineARN, Input: &t.Input})
	if err != nil {
		return "", err
	}
	return aws.ToString(out.ExecutionArn), nil
}

// transient reports whether a start is worth another attempt: no answer came, or the endpoint was throttling or failed.
// What the target refused once it will refuse again.
func transient(err error) bool {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) || response.HTTPStatusCode() == 0 {
		return true
	}
	var api smithy.APIError
	throttled := errors.As(err, &api) && strings.Contains(api.ErrorCode(), "Throttl")
	status := response.HTTPStatusCode()
	return throttled || status == http.StatusTooManyRequests || (status >= 500 && status != http.StatusNotImplemented)
}
