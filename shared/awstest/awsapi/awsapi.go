// Package awsapi is the front door of the local stack's AWS endpoint: it tells services, operations and Regions apart
// as the real wire protocols do, checks nothing of signatures but their presence, and encodes answers and errors the
// way the AWS SDKs and the AWS CLI read them. The services themselves are packages of their own.
package awsapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
)

// AccountID is the account that everything in the local stack belongs to.
const AccountID = "111122223333"

// Protocol is how a service encodes requests and answers.
type Protocol int

const (
	// JSON10 and JSON11 are AWS JSON: the operation in X-Amz-Target, bodies in JSON.
	JSON10 Protocol = iota
	JSON11
	// Query is form-encoded requests with Action, answers in XML.
	Query
	// REST is REST-JSON: the operation follows from method and path; the service implements Router too.
	REST
	// CBOR is Smithy RPC v2 CBOR: the operation in the path, bodies in CBOR. CloudWatch speaks it with current clients
	// and AWS JSON 1.0 with others; a service that names CBOR answers each request as it was asked.
	CBOR
)

// Callers is implemented by the service that gives out access keys: it tells whose one is. A key that it does not know
// is of AccountID.
type Callers interface {
	Account(accessKey string) (account string, err error)
}

// Call is one API request, decoded as far as the protocol allows.
type Call struct {
	// Service is the signing name, e.g. "secretsmanager" or "elasticloadbalancing".
	Service   string
	Operation string
	Region    string
	// AccessKey signed the request, and Account is whose it is.
	AccessKey, Account string
	// Body is the JSON request (JSON10, JSON11, CBOR), or the raw body (REST).
	Body []byte
	// Form holds the parameters of a Query request, without Action and Version.
	Form url.Values
	HTTP *http.Request

	model reflect.Type // AWS's model of the operation's input, nil if the service has none
}

// Service is one AWS service of the local stack.
type Service interface {
	// SigningName is the service name in the credential scope of a signature.
	SigningName() string
	// Protocol says how its requests arrive.
	Protocol() Protocol
	// Handle carries out one call. The result is marshalled as the protocol asks: with its json tags, or, for Query,
	// with its xml tags inside <OperationResult>; nil is an empty answer. Errors are *Error; anything else is a 500.
	// An operation it does not know is answered with NotImplemented(call).
	Handle(ctx context.Context, call *Call) (any, error)
}

// Router is implemented by REST services: the operation that a method and path stand for, "" if none.
type Router interface {
	Route(method, path string) (operation string)
}

// Raw is a result that a service has encoded itself (an invocation's payload, say).
type Raw struct {
	Status int
	Header http.Header
	Body   []byte
}

// Error is an error as AWS would answer it.
type Error struct {
	Status  int    // HTTP status; 0 is 400
	Code    string // e.g. ResourceNotFoundException
	Message string
	// Fields are further members of the error's JSON body.
	Fields map[string]any
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf makes an Error with status 400.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Code: code, Message: fmt.Sprintf(format, args...)}
}

// NotImplemented is the answer to an operation that the local stack does not have: 501, with the operation's name.
func NotImplemented(call *Call) *Error {
	return &Error{Status: http.StatusNotImplemented, Code: "NotImplemented",
		Message: fmt.Sprintf("the local stack does not implement %s:%s", call.Service, call.Operation)}
}

// NotImplementedParameter is the answer to a parameter that the local stack would otherwise have to ignore.
func NotImplementedParameter(call *Call, name string) *Error {
	return &Error{Status: http.StatusNotImplemented, Code: "NotImplemented",
		Message: fmt.Sprintf("the local stack does not implement parameter %s of %s:%s", name, call.Service,
			call.Operation)}
}

// Decode reads a JSON request into v, a pointer to a struct whose members are the parameters the operation honours.
// Any other parameter is refused, by name, with 501.
func (c *Call) Decode(v any) error {
	body := c.Body
	if len(body) == 0 {
		body = []byte("{}")
	}
	return decodeStrict(c, body, v)
}

// ARN builds an ARN of this account in the call's Region.
func (c *Call) ARN(service, resource string) string {
	return fmt.Sprintf("arn:aws:%s:%s:%s:%s", service, c.Region, c.Account, resource)
}

// errorOf makes an *Error of any error.
func errorOf(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Status: http.StatusInternalServerError, Code: "InternalFailure", Message: err.Error()}
}

// marshalError is the JSON body of an error.
func marshalError(e *Error) []byte {
	m := map[string]any{"__type": e.Code, "message": e.Message}
	for k, v := range e.Fields {
		m[k] = v
	}
	b, _ := json.Marshal(m)
	return b
}
