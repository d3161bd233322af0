package secretsmanager

import "alboidc.internal/shared/awstest/awsapi"

// The codes are those of the API reference's "Errors" sections; the texts are those that AWS answers with, where known.

func errSecretNotFound() error {
	return awsapi.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
}

func errLabelNotFound(label string) error {
	return awsapi.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", label)
}

func errVersionNotFound(id string) error {
	return awsapi.Errorf("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
}

func errLabelNotOnVersion() error {
	return awsapi.Errorf("InvalidRequestException", "You provided a VersionStage that is not associated to the provided VersionId.")
}

func errMarkedForDeletion() error {
	return awsapi.Errorf("InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")
}

func errReplica() error {
	return awsapi.Errorf("InvalidParameterException", "Operation not permitted on a replica secret. Call must be made in primary secret's region.")
}

func errOwned() error {
	return awsapi.Errorf("InvalidRequestException", "The secret is managed by another service, and you must use that service to update it.")
}

func errTokenInUse(token, arn string) error {
	return awsapi.Errorf("ResourceExistsException",
		"You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", token, arn)
}

func errTooManyLabels() error {
	return awsapi.Errorf("LimitExceededException", "You have exceeded the maximum of %d staging labels for this secret.", maxLabels)
}

// errConstraint is the answer to a parameter outside the bounds of the API reference.
func errConstraint(parameter, constraint string) error {
	return awsapi.Errorf("ValidationException", "1 validation error detected: Value at '%s' failed to satisfy constraint: %s", parameter, constraint)
}
