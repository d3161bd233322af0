package secretsmanager

import (
	"fmt"

	"alboidc.internal/shared/awstest/awsapi"
)

// The codes are those of the API reference's "Errors" sections; the texts are those that AWS answers with, where known.

func errNotFound(format string, args ...any) error {
	return awsapi.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified "+format, args...)
}

func errSecretNotFound() error { return errNotFound("secret.") }

func errLabelNotFound(label string) error {
	return errNotFound("secret value for staging label: %s", label)
}

func errVersionNotFound(id string) error { return errNotFound("secret value for VersionId: %s", id) }

func errRequest(format string, args ...any) error {
	return awsapi.Errorf("InvalidRequestException", format, args...)
}

func errParameter(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterException", format, args...)
}

func errTokenInUse(token, arn string) error {
	return awsapi.Errorf("ResourceExistsException",
		"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.",
		token, arn)
}

func errTooManyLabels() error {
	return awsapi.Errorf("LimitExceededException",
		"You have exceeded the maximum of %d staging labels for this secret.", maxLabels)
}

// checkID checks a SecretId, before any secret is looked up.
func checkID(secretID string) error {
	var c awsapi.Constraints
	c.Required("secretId", secretID, 2048)
	return c.Err()
}

// errLength is the answer to a value of a length that it must not have; it does not show the value.
func errLength(parameter string, length, longest int) error {
	var c awsapi.Constraints
	if length == 0 {
		c.Break("", parameter, "Member must have length greater than or equal to 1")
	} else if length > longest {
		c.Break("", parameter, fmt.Sprintf("Member must have length less than or equal to %d", longest))
	}
	return c.Err()
}

func errMarkedForDeletion() error {
	return errRequest("You can't perform this operation on the secret because it was marked for deletion.")
}
