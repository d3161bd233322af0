// Package integrations carries out the Task states of Step Functions: it makes a request to the AWS endpoint of a
// resource ARN and its arguments, and names errors as the service's execution histories do. An optimised integration
// says "DynamoDB.…" or "Lambda.…", an AWS SDK integration "DynamoDb.…Exception"; an error that the API does not model
// becomes the service's general one, e.g. "SecretsManager.SecretsManagerException".
package integrations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"alboidc.internal/local/asl"
	"alboidc.internal/shared/clock"
)

// maxAnswer bounds what is read of an answer; Lambda's are limited to 6 MB.
const maxAnswer = 7 << 20

// maxCause is the longest cause that the API shows (API reference, TaskFailedEventDetails).
const maxCause = 32768

// Client is the asl.Tasks of the local stack.
type Client struct {
	// Endpoint is the URL of the AWS endpoint.
	Endpoint string
	// HTTP sends the requests. Its timeout must be longer than any function runs.
	HTTP  *http.Client
	Clock clock.Clock
}

var _ asl.Tasks = (*Client)(nil)

// names are the words that the errors of one integration are made of.
type names struct {
	prefix  string // of the error name
	general string // the error for what the API does not model, and for an error without a code
	service string // in the cause
	sdk     bool   // an AWS SDK integration; else an optimised one
}

// Run implements asl.Tasks.
func (c *Client) Run(ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
	if run := find(t.Resource); run != nil {
		return run(c, ctx, t)
	}
	return nil, runtimeError("the local stack does not implement the resource " + t.Resource)
}

// Has reports whether the local stack implements a resource.
func Has(resource string) bool { return find(resource) != nil }

// find is what carries out a resource, nil if nothing does.
func find(resource string) action {
	rest, ok := strings.CutPrefix(resource, "arn:aws:states:::")
	if !ok {
		return nil
	}
	if run := optimised[rest]; run != nil {
		return run
	}
	action, _ := strings.CutPrefix(rest, "aws-sdk:")
	name, operation, _ := strings.Cut(action, ":")
	s, ok := jsonServices[name]
	if !ok || action == rest || !s.actions[operation] {
		return nil
	}
	return func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return c.sdkJSON(ctx, s, operation, t)
	}
}

// runtimeError is what Step Functions calls a task that it cannot even start.
func runtimeError(cause string) *asl.TaskError {
	return &asl.TaskError{Error: "States.Runtime", Cause: cause}
}

// answer is a reply of the endpoint.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a *answer) requestID() string { return a.header.Get("x-amzn-RequestId") }

// KeyOf is what the access key begins with that a state machine signs with; the machine's name follows.
const KeyOf = "stepfunctions-"

// key is the access key of the state machine that has a task, also of one in an execution of a distributed Map.
func key(t asl.Task) string {
	if parts := strings.Split(t.ExecutionARN, ":"); len(parts) > 6 {
		machine, _, _ := strings.Cut(parts[6], "/")
		return KeyOf + machine
	}
	return KeyOf
}

// send posts one request that counts as signed for a service.
func (c *Client) send(ctx context.Context, t asl.Task, signingName, path string, header map[string]string,
	body []byte) (*answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(c.Endpoint,
		"/")+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		r.Header.Set(k, v)
	}
	r.Header.Set("Authorization", fmt.Sprintf("AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, "+
		"SignedHeaders=host, Signature=0",
		key(t), c.Clock.Now().Format("20060102"), t.Region, signingName))
	resp, err := c.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: b}, nil
}

// unreachable is the error when no answer came: the service's generic client exception, which Retry can name.
func (n names) unreachable() *asl.TaskError {
	return &asl.TaskError{Error: n.prefix + ".SdkClientException", Cause: "Unable to execute HTTP request: the " +
		"connection was closed without an answer"}
}

// refused names an error that the service answered with.
func (n names) refused(code, message, requestID string, status int, modelled bool) *asl.TaskError {
	name := n.prefix + "." + n.general
	if modelled {
		name = n.prefix + "." + strings.TrimSuffix(code, "Exception") + "Exception"
	}
	cause := fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)", message,
		n.service, status, code, requestID)
	if n.sdk {
		cause = fmt.Sprintf("%s (Service: %s, Status Code: %d, Request ID: %s) (SDK Attempt Count: 1)", message,
			n.service, status, requestID)
	}
	return &asl.TaskError{Error: name, Cause: shorten(cause)}
}

func shorten(cause string) string {
	if len(cause) > maxCause {
		return strings.ToValidUTF8(cause[:maxCause], "")
	}
	return cause
}

// problem is the body of an error of the JSON protocols; Lambda writes Message, others message.
type problem struct {
	Type    string `json:"__type"`
	Message string `json:"message"`
}

func (a *answer) problem() problem {
	var p problem
	_ = json.Unmarshal(a.body, &p) // an error without a readable body still has its status
	if h := a.header.Get("x-amzn-ErrorType"); h != "" {
		p.Type, _, _ = strings.Cut(h, ":")
	}
	if i := strings.LastIndexByte(p.Type, '#'); i >= 0 {
		p.Type = p.Type[i+1:]
	}
	return p
}

// withMetadata adds what the optimised integrations show of the HTTP exchange: every header twice, about a kilobyte
// (developer guide, "Invoke an AWS Lambda function with Step Functions", shows a whole result).
func withMetadata(fields map[string]json.RawMessage, a *answer) (json.RawMessage, *asl.TaskError) {
	header := a.header.Clone()
	header.Set("Connection", "keep-alive")
	header.Set("X-Amzn-Remapped-Content-Length", "0")
	header.Set("X-Amzn-Trace-Id", "root=1-5e1b4151-43a0913a12345678901234567;parent=0123456789abcdef;sampled=0")
	first := map[string]string{}
	for name := range header {
		first[name] = header.Get(name)
	}
	metadata, err := json.Marshal(struct {
		AllHttpHeaders http.Header
		HttpHeaders    map[string]string
		HttpStatusCode int
	}{header, first, a.status})
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	fields["SdkHttpMetadata"] = metadata
	fields["SdkResponseMetadata"] = fmt.Appendf(nil, `{"RequestId":%q}`, a.requestID())
	b, err := json.Marshal(fields)
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	return b, nil
}
