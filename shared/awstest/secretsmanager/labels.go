package secretsmanager

import "alboidc.internal/shared/awstest/awsapi"

// moveInput is the parameters of UpdateSecretVersionStage.
type moveInput struct {
	SecretID            string
	VersionStage        string
	MoveToVersionID     string
	RemoveFromVersionID string
}

func (s *Service) updateSecretVersionStage(call *awsapi.Call) (any, error) {
	var in moveInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("versionStage", in.VersionStage, maxLabel)
	if err := c.Err(); err != nil {
		return nil, err
	}
	e, sec, err := s.edit(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	changed, err := sec.move(in)
	if err != nil {
		return nil, err
	}
	if err := sec.checkLabels(); err != nil {
		return nil, err
	}
	if changed {
		sec.changed = s.clock.Now()
		s.commit(e, sec)
	}
	return sec.identity(), nil
}

// move attaches, moves or removes one label and reports whether that changed anything. A label that is on another
// version moves only if the caller names that version in RemoveFromVersionId, so of two callers that race one fails
// (API reference, UpdateSecretVersionStage). AWSPENDING stays where it is, beside AWSCURRENT too.
func (sec *secret) move(in moveInput) (changed bool, err error) {
	for _, id := range []string{in.MoveToVersionID, in.RemoveFromVersionID} {
		if id != "" && sec.version(id) == nil {
			return false, errVersionNotFound(id)
		}
	}
	holder := sec.holder(in.VersionStage)
	from := in.RemoveFromVersionID
	switch {
	case in.MoveToVersionID == "" && from == "":
		return false, errParameter("You must specify MoveToVersionId or RemoveFromVersionId.")
	case from != "" && (holder == nil || holder.id != from):
		return false, errParameter("When you move staging label %s, if you specify RemoveFromVersionId, it must be "+
			"set to the version that currently has the staging label %[1]s.", in.VersionStage)
	case in.MoveToVersionID == "" && in.VersionStage == labelCurrent:
		return false, errParameter("You can only move staging label AWSCURRENT to a different secret version. It " +
			"can't be completely removed.")
	case in.MoveToVersionID == "":
		holder.detach(in.VersionStage)
		return true, nil
	case holder != nil && holder.id == in.MoveToVersionID:
		return false, nil
	case holder != nil && from == "":
		return false, errParameter("The parameter RemoveFromVersionId can't be empty. Staging label %s is currently "+
			"attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.",
			in.VersionStage,
			holder.id)
	}
	sec.attach(in.VersionStage, sec.version(in.MoveToVersionID))
	return true, nil
}
