package secretsmanager

import "alboidc.internal/shared/awstest/awsapi"

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

// errConstraint is the answer to a parameter outside the bounds of the API reference.
func errConstraint(parameter, constraint string) error {
	return awsapi.Errorf("ValidationException",
		"1 validation error detected: Value at '%s' failed to satisfy constraint: %s", parameter, constraint)
}

func errMarkedForDeletion() error {
	return errRequest("You can't perform this operation on the secret because it was marked for deletion.")
}
