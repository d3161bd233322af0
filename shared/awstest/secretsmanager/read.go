package secretsmanager

import (
	"slices"

	"alboidc.internal/shared/awstest/awsapi"
)

func (s *Service) getSecretValue(call *awsapi.Call) (any, error) {
	var in struct{ SecretID, VersionID, VersionStage string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.read(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	if !sec.deleted.IsZero() {
		return nil, errMarkedForDeletion()
	}
	v, err := sec.choose(in.VersionID, in.VersionStage)
	if err != nil {
		return nil, err
	}
	return struct {
		identity
		VersionID     string   `json:"VersionId"`
		SecretString  *string  `json:"SecretString,omitempty"`
		SecretBinary  []byte   `json:"SecretBinary,omitempty"`
		VersionStages []string `json:"VersionStages,omitempty"`
		CreatedDate   float64  `json:"CreatedDate"`
	}{sec.identity(), v.id, v.value.str, v.value.bin, v.labels, epoch(v.created)}, nil
}

// choose finds the version that a version id, a label or both stand for; neither is AWSCURRENT.
func (sec *secret) choose(id, label string) (*version, error) {
	if id == "" {
		if label == "" {
			label = labelCurrent
		}
		if v := sec.holder(label); v != nil {
			return v, nil
		}
		return nil, errLabelNotFound(label)
	}
	v := sec.version(id)
	switch {
	case v == nil:
		return nil, errVersionNotFound(id)
	case label != "" && !slices.Contains(v.labels, label):
		return nil, errRequest("You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return v, nil
}

func (s *Service) describeSecret(call *awsapi.Call) (any, error) {
	var in struct{ SecretID string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.read(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	out := struct {
		identity
		CreatedDate        float64             `json:"CreatedDate"`
		LastChangedDate    float64             `json:"LastChangedDate"`
		DeletedDate        *float64            `json:"DeletedDate,omitempty"`
		PrimaryRegion      string              `json:"PrimaryRegion,omitempty"`
		RotationEnabled    *bool               `json:"RotationEnabled,omitempty"`
		OwningService      string              `json:"OwningService,omitempty"`
		KmsKeyID           string              `json:"KmsKeyId,omitempty"`
		VersionIDsToStages map[string][]string `json:"VersionIdsToStages,omitempty"`
	}{sec.identity(), epoch(sec.created), epoch(sec.changed), nil, sec.primary, sec.rotated, sec.service, sec.key,
		sec.stages()}
	if !sec.deleted.IsZero() {
		at := epoch(sec.deleted)
		out.DeletedDate = &at
	}
	return out, nil
}
