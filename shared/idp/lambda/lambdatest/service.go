package lambdatest

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
)

// SigningName implements awsapi.Service.
func (*Lambda) SigningName() string { return "lambda" }

// Protocol implements awsapi.Service.
func (*Lambda) Protocol() awsapi.Protocol { return awsapi.REST }

var inputs = awsapi.InputsOf(sdk.InvokeInput{})

// Inputs implements awsapi.Modelled.
func (*Lambda) Inputs() awsapi.Inputs { return inputs }

// Route implements awsapi.Router.
func (*Lambda) Route(method, path string) string {
	if method == http.MethodPost && strings.HasSuffix(path, "/invocations") {
		return "Invoke"
	}
	return ""
}

// Handle implements awsapi.Service. A function runs on if its caller has gone.
func (l *Lambda) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	if call.Operation != "Invoke" {
		return nil, awsapi.NotImplemented(call)
	}
	path, _ := url.PathUnescape(call.HTTP.URL.EscapedPath())
	if path != "/2015-03-31/functions/"+FunctionARN+"/invocations" {
		return nil, &awsapi.Error{Status: http.StatusNotFound, Code: "ResourceNotFoundException",
			Message: "Function not found"}
	}
	answer, resumed := make(chan []byte, 1), make(chan struct{})
	l.env.Clock.Go(func() {
		answer <- l.Function(call.Body)
		<-resumed // whoever waits for it is busy again before this is not: the clock stands in between
	})
	var body []byte
	l.env.Clock.Idle(func() {
		select {
		case body = <-answer:
		case <-ctx.Done():
		}
	})
	close(resumed)
	if body == nil {
		panic(http.ErrAbortHandler)
	}
	return awsapi.Raw{Status: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}
