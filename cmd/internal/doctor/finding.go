// Package doctor looks for what is wrong around a deployment and its clients, by the rights of whoever runs it, and
// says what to do about each thing that it finds. It reads no secret.
package doctor

import (
	"errors"
	"fmt"
	"strings"

	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
)

// Severities of findings.
const (
	Error   = "error"   // a rotation, logins or notifications fail, or will
	Warning = "warning" // somebody should look
	Unknown = "unknown" // it could not be looked at
	Note    = "note"    // nothing is wrong: what somebody may need
)

// Finding is one thing that is not as it should be.
type Finding struct {
	// Client is whom it is about; "" is the whole stack.
	Client   string `json:"client,omitempty"`
	Severity string `json:"severity"`
	// Check is what was looked at.
	Check string `json:"check"`
	// Text says what is wrong, and Remedy what to do, with the command if there is one.
	Text   string `json:"text"`
	Remedy string `json:"remedy"`
}

// report collects findings.
type report struct {
	client   string
	findings []Finding
}

func (r *report) add(severity, check, remedy, format string, args ...any) {
	r.findings = append(r.findings, Finding{r.client, severity, check, fmt.Sprintf(format, args...), remedy})
}

// unless reports an error as something that could not be looked at; missing is what it means if the thing is not there.
// It returns whether there was none.
func (r *report) unless(err error, check, what, missing, remedy string) bool {
	switch {
	case err == nil:
		return true
	case notFound(err) && missing != "":
		r.add(Error, check, remedy, "%s", missing)
	case awserr.KindOf(err) == failure.AccessDenied:
		action := actionOf(err)
		r.add(Unknown, check, "allow "+action+" to your role; the policy of output OperatorsPolicy does",
			"could not look at %s: needs %s", what, action)
	default:
		r.add(Unknown, check, "run rotator doctor again", "could not look at %s: %v", what, cause(err))
	}
	return false
}

// cause is the service's answer without the SDK's account of the request.
func cause(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) {
		return fmt.Errorf("%s: %s", api.ErrorCode(), api.ErrorMessage())
	}
	return err
}

// notFound reports whether AWS says that a thing is not there.
func notFound(err error) bool {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return false
	}
	switch api.ErrorCode() {
	case "ResourceNotFoundException", "NotFoundException", "NotFound", "NoSuchEntity", "StateMachineDoesNotExist",
		"LoadBalancerNotFound":
		return true
	}
	return false
}

// prefixes are those of IAM's actions, by the SDK's names of services.
var prefixes = map[string]string{"Secrets Manager": "secretsmanager", "SFN": "states", "DynamoDB": "dynamodb",
	"Elastic Load Balancing v2": "elasticloadbalancing", "CloudWatch": "cloudwatch", "CloudTrail": "cloudtrail"}

// actionOf is the right that a call needs.
func actionOf(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return "a right"
	}
	service := prefixes[op.ServiceID]
	if service == "" {
		service = strings.ToLower(op.ServiceID)
	}
	return service + ":" + op.OperationName
}
