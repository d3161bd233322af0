package awserr_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	smtypes "github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// answered builds an error as the SDK does for an answer with a status.
func answered(status int, err error) error {
	return &smithy.OperationError{ServiceID: "Elastic Load Balancing v2", OperationName: "ModifyRule",
		Err: &awshttp.ResponseError{RequestID: "req-1", ResponseError: &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: err}}}
}

func code(c string) error { return &smithy.GenericAPIError{Code: c, Message: "a message"} }

func TestTheKindFollowsFromTheAnswer(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		err  error
		want failure.Kind
	}{
		"throttling as HTTP 400":        {answered(400, code("ThrottlingException")), failure.Throttled},
		"throttling as HTTP 503":        {answered(503, code("RequestLimitExceeded")), failure.Throttled},
		"too many requests":             {answered(400, code("TooManyRequestsException")), failure.Throttled},
		"an unknown code with HTTP 429": {answered(429, code("Slow")), failure.Throttled},
		"HTTP 429 without a code":       {answered(429, errors.New("no body")), failure.Throttled},
		"a DynamoDB table out of capacity": {answered(400, code("ProvisionedThroughputExceededException")),
			failure.Throttled},
		"a quota of stored things": {answered(400, &smtypes.LimitExceededException{}),
			failure.Internal},
		"Secrets Manager's internal error": {answered(500, &smtypes.InternalServiceError{}),
			failure.Unavailable},
		"an internal error that comes as HTTP 400": {answered(400, code("InternalFailure")), failure.Unavailable},
		"an unknown code with HTTP 502":            {answered(502, code("Strange")), failure.Unavailable},
		"HTTP 503 without a code":                  {answered(503, errors.New("no body")), failure.Unavailable},
		"access denied": {answered(400, code("AccessDeniedException")),
			failure.AccessDenied},
		"access denied by Elastic Load Balancing": {answered(403, code("AccessDenied")), failure.AccessDenied},
		"an unknown code with HTTP 403":           {answered(403, code("Nope")), failure.AccessDenied},
		"a KMS key that is disabled":              {answered(400, &smtypes.DecryptionFailure{}), failure.AccessDenied},
		"an answer that cannot be read": {answered(200, &smithy.DeserializationError{Err: errors.New("x")}),
			failure.Unavailable},
		"a connection that broke": {&smithyhttp.RequestSendError{Err: io.EOF}, failure.Unavailable},
		"a name that does not resolve": {&url.Error{Op: "Post", URL: "https://x",
			Err: errors.New("no host")}, failure.Unavailable},
		"a context that ended":         {fmt.Errorf("waiting: %w", context.DeadlineExceeded), failure.Unavailable},
		"a call that was cancelled":    {&smithy.CanceledError{Err: errors.New("x")}, failure.Unavailable},
		"the client's own retry quota": {fmt.Errorf("token: %w", ratelimit.QuotaExceededError{}), failure.Unavailable},
		"a failure that has a kind already": {fmt.Errorf("x: %w", failure.New(failure.LockLost, "lost")),
			failure.LockLost},
		"a code that only the caller knows": {answered(400, code("RuleNotFound")), failure.Internal},
		"anything else":                     {errors.New("x"), failure.Internal},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := failure.KindOf(awserr.Wrap(c.err, "trying")); got != c.want {
				t.Fatalf("kind %s, want %s", got, c.want)
			}
		})
	}
}

func TestNoErrorStaysNoError(t *testing.T) {
	t.Parallel()
	if err := awserr.Wrap(nil, "trying"); err != nil {
		t.Fatal(err)
	}
}

func TestTheTextNamesTheCallButNotTheServicesMessage(t *testing.T) {
	t.Parallel()
	err := awserr.Wrap(answered(400, &smithy.GenericAPIError{Code: "ValidationError",
		Message: "Value 'CANARY' at 'actions.1.member' is too long"}), "changing rule %d", 10)
	want := "changing rule 10: Elastic Load Balancing v2 ModifyRule, HTTP 400, request req-1, ValidationError"
	if err.Error() != want {
		t.Fatalf("text %q, want %q", err, want)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb, err); strings.Contains(text, "CANARY") {
			t.Errorf("%s shows the service's message: %s", verb, text)
		}
	}
}

func TestARefusalOfAccessSaysWhoMayNotDoWhat(t *testing.T) {
	t.Parallel()
	err := awserr.Wrap(answered(403, &smithy.GenericAPIError{Code: "AccessDenied",
		Message: "User: x is not authorized to perform: y"}), "trying")
	if !strings.HasSuffix(err.Error(), "AccessDenied: User: x is not authorized to perform: y") {
		t.Fatalf("text %q", err)
	}
}

func TestARefusalThatQuotesTheRequestShowsItsCodeOnly(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"SignatureDoesNotMatch", "IncompleteSignature", "InvalidClientTokenId",
		"UnrecognizedClientException",
		"ExpiredTokenException", "UnauthorizedOperation", "NotAuthorizedException", "DecryptionFailure"} {
		err := awserr.Wrap(answered(403, &smithy.GenericAPIError{Code: code,
			Message: "the canonical string: x-amz-security-token:CANARY"}), "trying")
		if !failure.Is(err, failure.AccessDenied) || strings.Contains(err.Error(), "CANARY") ||
			!strings.HasSuffix(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestATextInPlaceOfACodeIsNotShown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"<html>CANARY</html>", "CANARY and more", strings.Repeat("CANARY", 20)} {
		if err := awserr.Wrap(answered(400, &smithy.GenericAPIError{Code: code}),
			"trying"); strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%v", err)
		}
	}
}

func TestTheTextOfAnUnreadableAnswerHoldsNothingOfIt(t *testing.T) {
	t.Parallel()
	err := awserr.Wrap(answered(200, &smithy.DeserializationError{
		Err: errors.New("bad CANARY"), Snapshot: []byte("CANARY")}), "trying")
	if strings.Contains(err.Error(), "CANARY") {
		t.Fatalf("text %q", err)
	}
}

func TestTheSDKsTypedErrorsStayInReach(t *testing.T) {
	t.Parallel()
	var exists *smtypes.ResourceExistsException
	if err := awserr.As(failure.Precondition, answered(400, &smtypes.ResourceExistsException{}),
		"storing"); !errors.As(err, &exists) {
		t.Fatalf("lost the type: %v", err)
	} else if !failure.Is(err, failure.Precondition) {
		t.Fatalf("kind %s", failure.KindOf(err))
	}
}
