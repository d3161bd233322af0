package secretsmanager

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// pageSize is how many rows a list returns unless MaxResults says otherwise, and the most it may say.
const pageSize = 100

func (s *Service) getSecretValue(call *awsapi.Call) (any, error) {
	var in struct{ SecretID, VersionID, VersionStage string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.read(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	if !sec.deletedAt.IsZero() {
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
		return nil, errLabelNotOnVersion()
	}
	return v, nil
}

// details is what DescribeSecret and ListSecrets both show.
type details struct {
	identity
	Description     string   `json:"Description,omitempty"`
	KmsKeyID        string   `json:"KmsKeyId,omitempty"`
	CreatedDate     float64  `json:"CreatedDate"`
	LastChangedDate float64  `json:"LastChangedDate"`
	DeletedDate     *float64 `json:"DeletedDate,omitempty"`
	Tags            []tag    `json:"Tags,omitempty"`
	PrimaryRegion   string   `json:"PrimaryRegion,omitempty"`
	RotationEnabled *bool    `json:"RotationEnabled,omitempty"`
	OwningService   string   `json:"OwningService,omitempty"`
}

func (sec *secret) details() details {
	d := details{identity: sec.identity(), Description: sec.description, KmsKeyID: sec.kmsKeyID,
		CreatedDate: epoch(sec.created), LastChangedDate: epoch(sec.changed), Tags: sec.tags,
		PrimaryRegion: sec.keeper.primary, RotationEnabled: sec.keeper.rotated, OwningService: sec.keeper.service}
	if !sec.deletedAt.IsZero() {
		at := epoch(sec.deletedAt)
		d.DeletedDate = &at
	}
	return d
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
	return struct {
		details
		VersionIDsToStages map[string][]string `json:"VersionIdsToStages,omitempty"`
	}{sec.details(), sec.stages()}, nil
}

func (s *Service) listSecretVersionIDs(call *awsapi.Call) (any, error) {
	var in struct {
		pageInput
		SecretID          string
		IncludeDeprecated bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	sec, err := s.read(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	type row struct {
		VersionID     string   `json:"VersionId"`
		VersionStages []string `json:"VersionStages,omitempty"`
		CreatedDate   float64  `json:"CreatedDate"`
		KmsKeyIDs     []string `json:"KmsKeyIds"`
	}
	key := sec.kmsKeyID
	if key == "" {
		key = "DefaultEncryptionKey"
	}
	rows := []row{}
	for _, v := range sec.versions {
		if len(v.labels) > 0 || in.IncludeDeprecated {
			rows = append(rows, row{VersionID: v.id, VersionStages: v.labels, CreatedDate: epoch(v.created), KmsKeyIDs: []string{key}})
		}
	}
	rows, next, err := page(in.pageInput, rows)
	if err != nil {
		return nil, err
	}
	return struct {
		identity
		Versions  []row  `json:"Versions"`
		NextToken string `json:"NextToken,omitempty"`
	}{sec.identity(), rows, next}, nil
}

func (s *Service) listSecrets(call *awsapi.Call) (any, error) {
	var in struct {
		pageInput
		IncludePlannedDeletion bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	type row struct {
		details
		SecretVersionsToStages map[string][]string `json:"SecretVersionsToStages,omitempty"`
	}
	rows := []row{}
	for _, e := range s.regions[call.Region] {
		sec := s.view(e)
		if sec != nil && (sec.deletedAt.IsZero() || in.IncludePlannedDeletion) {
			rows = append(rows, row{sec.details(), sec.stages()})
		}
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.Name, b.Name) })
	rows, next, err := page(in.pageInput, rows)
	if err != nil {
		return nil, err
	}
	return struct {
		SecretList []row  `json:"SecretList"`
		NextToken  string `json:"NextToken,omitempty"`
	}{rows, next}, nil
}

// pageInput is how a list request asks for one page.
type pageInput struct {
	MaxResults *int
	NextToken  string
}

// page cuts one page out of rows and returns the token of the next, "" after the last.
func page[T any](in pageInput, rows []T) (cut []T, next string, err error) {
	size := pageSize
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > pageSize {
		return nil, "", errConstraint("maxResults", fmt.Sprintf("Member must have value between 1 and %d", pageSize))
	}
	from := 0
	if in.NextToken != "" {
		b, err := base64.StdEncoding.DecodeString(in.NextToken)
		if err == nil {
			from, err = strconv.Atoi(string(b))
		}
		if err != nil || from < 0 || from > len(rows) {
			return nil, "", awsapi.Errorf("InvalidNextTokenException", "The NextToken value is invalid.")
		}
	}
	to := min(from+size, len(rows))
	if to < len(rows) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return rows[from:to], next, nil
}
