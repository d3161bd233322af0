package eventbridge

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Retries of a delivery (user guide, "How EventBridge retries delivering events": 24 hours and up to 185 times unless
// the target says otherwise, with growing pauses).
const (
	defaultAttempts = 185
	defaultAge      = 24 * time.Hour
	firstPause      = time.Second
	longestPause    = 5 * time.Minute
)

// Delivery is an event that a target took, or that was given up.
type Delivery struct {
	Rule     string // ARN
	Target   string // ARN
	EventID  string
	Attempts int
	Err      error
}

// Deliveries returns what was delivered or given up, oldest first.
func (s *Service) Deliveries() []Delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deliveries)
}

// targetKind is the service that a target belongs to, "" if it is none that can be delivered to.
func targetKind(arn string) string {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return ""
	}
	switch kind, resource := parts[2], parts[5]; {
	case kind == "states" && strings.HasPrefix(resource, "stateMachine:"),
		kind == "lambda" && strings.HasPrefix(resource, "function:"),
		kind == "sns" && !strings.Contains(resource, ":"):
		return kind
	}
	return ""
}

// deliver calls the target until it works, is refused for good, or the retry policy is used up.
func (s *Service) deliver(region string, d Delivery, t target, input string) {
	attempts, age := defaultAttempts, defaultAge
	if p := t.RetryPolicy; p != nil {
		if p.MaximumRetryAttempts != nil {
			attempts = *p.MaximumRetryAttempts
		}
		if p.MaximumEventAgeInSeconds != nil {
			age = time.Duration(*p.MaximumEventAgeInSeconds) * time.Second
		}
	}
	began, pause := s.clock.Now(), firstPause
	for {
		d.Attempts++
		d.Err = s.call(s.ctx, region, t, input)
		if d.Err == nil || !transient(d.Err) || d.Attempts > attempts || s.clock.Now().Add(pause).Sub(began) > age {
			break
		}
		if s.clock.Sleep(s.ctx, pause) != nil {
			return
		}
		pause = min(2*pause, longestPause)
	}
	s.mu.Lock()
	s.deliveries = append(s.deliveries, d)
	s.mu.Unlock()
}

// call hands an event to its target.
func (s *Service) call(ctx context.Context, region string, t target, input string) error {
	endpoint := aws.String(s.options.Endpoint)
	login := credentials.NewStaticCredentialsProvider("AKIALOCALEVENTS", "local", "")
	var err error
	switch targetKind(t.ARN) {
	case "states":
		client := sfn.New(sfn.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: s.options.HTTPClient, Credentials: login, Retryer: aws.NopRetryer{}})
		_, err = client.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: &t.ARN, Input: &input})
	case "sns":
		client := sns.New(sns.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: s.options.HTTPClient, Credentials: login, Retryer: aws.NopRetryer{}})
		_, err = client.Publish(ctx, &sns.PublishInput{TopicArn: &t.ARN, Message: &input})
	case "lambda":
		client := lambda.New(lambda.Options{Region: region, BaseEndpoint: endpoint, HTTPClient: s.options.HTTPClient, Credentials: login, Retryer: aws.NopRetryer{}})
		_, err = client.Invoke(ctx, &lambda.InvokeInput{FunctionName: &t.ARN, InvocationType: types.InvocationTypeEvent, Payload: []byte(input)})
	default:
		err = fmt.Errorf("target %s cannot be delivered to", t.ARN) // not reached: PutTargets refuses it
	}
	return err
}

// transient reports whether a delivery is worth another attempt: the endpoint was not reached, was throttling or
// failed. What the target refused once it will refuse again.
func transient(err error) bool {
	var response *smithyhttp.ResponseError
	if !errors.As(err, &response) {
		return true
	}
	var api smithy.APIError
	throttled := errors.As(err, &api) && strings.Contains(api.ErrorCode(), "Throttl")
	status := response.HTTPStatusCode()
	return throttled || status == http.StatusTooManyRequests || (status >= 500 && status != http.StatusNotImplemented)
}
