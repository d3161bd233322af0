// Package awserr turns errors of the AWS SDK into failures of package failure, for every AWS service alike. The text
// names the operation, the error code, the HTTP status and the request id, but leaves out the service's own message:
// validation messages quote the values of the request, which may hold a client secret.
package awserr

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"alboidc.internal/shared/failure"
)

// Wrap returns err as a failure, with a phrase about what was being done ("reading the journal"); nil stays nil, and
// errors.As still finds the SDK's typed errors. An error of no known kind becomes Internal: a caller that knows what a
// service's code means asks errors.As before it calls Wrap.
func Wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return failure.Wrap(KindOf(err), &cause{text: describe(err), err: err}, format, args...)
}

// As is Wrap for a caller that knows the kind.
func As(kind failure.Kind, err error, format string, args ...any) error {
	return failure.Wrap(kind, &cause{text: describe(err), err: err}, format, args...)
}

// cause hides the text of an SDK error, but not the error. It is used by pointer, so that %#v of a failure shows only
// an address.
type cause struct {
	text string
	err  error
}

func (c *cause) Error() string { return c.text }

func (c *cause) Unwrap() error { return c.err }

// KindOf returns the kind of an error that an SDK client returned.
func KindOf(err error) failure.Kind {
	var known *failure.Error
	if errors.As(err, &known) {
		return known.Kind
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return kindOfAnswer(api.ErrorCode(), api.ErrorFault(), status(err))
	}
	if s := status(err); s == 429 {
		return failure.Throttled
	}
	if unanswered(err) {
		return failure.Unavailable
	}
	return failure.KindOf(err)
}

// kindOfAnswer decides by the code first: some services send throttling as HTTP 400, some as 503.
func kindOfAnswer(code string, fault smithy.ErrorFault, status int) failure.Kind {
	switch {
	case throttling(code) || status == 429:
		return failure.Throttled
	case accessDenied[code] || status == 401 || status == 403:
		return failure.AccessDenied
	case serviceFault[code] || fault == smithy.FaultServer || status >= 500:
		return failure.Unavailable
	default:
		return failure.Internal
	}
}

// throttling follows the SDK's own list, except for LimitExceededException: at Secrets Manager and Amazon Cognito that
// is a quota of stored things, which waiting does not change (their API references, "Errors").
func throttling(code string) bool {
	_, listed := retry.DefaultThrottleErrorCodes[code]
	return listed && code != "LimitExceededException"
}

// accessDenied holds the codes by which AWS refuses the caller (each service's API reference, "Common Errors").
// DecryptionFailure and EncryptionFailure are Secrets Manager's: the KMS key is disabled or not allowed to the caller.
var accessDenied = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "NotAuthorizedException": true,
	"InvalidClientTokenId": true, "UnrecognizedClientException": true, "SignatureDoesNotMatch": true,
	"IncompleteSignature": true, "MissingAuthenticationToken": true, "OptInRequired": true,
	"ExpiredToken": true, "ExpiredTokenException": true,
	"DecryptionFailure": true, "EncryptionFailure": true,
}

// told are the codes of accessDenied whose message names the principal, the action and the resource, and nothing else.
// Messages about the signature quote the request with its headers (IAM user guide, "Troubleshoot Signature Version 4
// signing for AWS API requests"), and those about a key or token say no more than their code.
var told = map[string]bool{"AccessDenied": true, "AccessDeniedException": true}

// codePattern is what an error code looks like; anything else came from a proxy, or is a text.
var codePattern = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.:#-]{0,99}$`)

// serviceFault holds the codes of the services' own failures, whatever status they come with.
var serviceFault = map[string]bool{
	"InternalServiceError": true, "InternalFailure": true, "InternalError": true, "InternalServerError": true,
	"InternalServiceErrorException": true, "ServiceUnavailable": true, "ServiceUnavailableException": true,
	"RequestTimeout": true, "RequestTimeoutException": true,
}

// unanswered reports whether no readable answer came: the request may have taken effect.
func unanswered(err error) bool {
	var unread *smithy.DeserializationError
	var unsent *smithyhttp.RequestSendError
	var canceled interface{ CanceledError() bool }
	var quota ratelimit.QuotaExceededError
	var network net.Error
	return errors.As(err, &unread) || errors.As(err, &unsent) || errors.As(err, &canceled) || errors.As(err, &quota) ||
		errors.As(err, &network) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		status(err) >= 500
}

func status(err error) int {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) && r.Response != nil && r.Response.Response != nil {
		return r.HTTPStatusCode()
	}
	return 0
}

// describe returns the text of an SDK error without anything from the body of an answer. The exception is a refusal of
// access, whose message names the principal, the action and the resource, which the reader needs.
func describe(err error) string {
	var api smithy.APIError
	var unread *smithy.DeserializationError
	var known *failure.Error
	var detail string
	switch {
	case errors.As(err, &known): // of what gives the SDK its credentials
		return known.Error()
	case errors.As(err, &api):
		detail = api.ErrorCode()
		if !codePattern.MatchString(detail) {
			detail = "an error code that is none"
		}
		if told[api.ErrorCode()] && api.ErrorMessage() != "" {
			detail += ": " + api.ErrorMessage()
		}
	case errors.As(err, &unread) || status(err) != 0:
		detail = "the answer cannot be read"
	default:
		return err.Error()
	}
	return strings.Join(append(circumstances(err), detail), ", ")
}

// circumstances returns the operation, the HTTP status and the request id, as far as they are known.
func circumstances(err error) []string {
	var out []string
	var op *smithy.OperationError
	if errors.As(err, &op) {
		out = append(out, op.ServiceID+" "+op.OperationName)
	}
	if s := status(err); s != 0 {
		out = append(out, fmt.Sprintf("HTTP %d", s))
	}
	var answered interface{ ServiceRequestID() string }
	if errors.As(err, &answered) && answered.ServiceRequestID() != "" {
		out = append(out, "request "+answered.ServiceRequestID())
	}
	return out
}
