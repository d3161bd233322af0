package secretsmanager

import (
	"crypto/rand"
	"regexp"

	"alboidc.internal/shared/awstest/awsapi"
)

// maxValue is the length limit of SecretString and SecretBinary in bytes (quotas, "secret value").
const maxValue = 65536

// secretName is what a secret may be called (API reference, CreateSecret).
var secretName = regexp.MustCompile(`^[A-Za-z0-9/_+=.@-]{1,512}$`)

// identity is what most answers begin with.
type identity struct {
	ARN  string `json:"ARN"`
	Name string `json:"Name"`
}

func (sec *secret) identity() identity { return identity{ARN: sec.arn, Name: sec.name} }

// written is the answer to an operation that may have made a version.
type written struct {
	identity
	VersionID     string   `json:"VersionId,omitempty"`
	VersionStages []string `json:"VersionStages,omitempty"`
}

// valueInput is the part of a request that holds a new value.
type valueInput struct {
	ClientRequestToken string
	SecretString       *string
	SecretBinary       []byte
}

// payload checks the value and the token that names its version.
func (in valueInput) payload() (payload, error) {
	p := payload{str: in.SecretString, bin: in.SecretBinary}
	switch {
	case p.str != nil && p.bin != nil:
		return p, errParameter("You can't specify both a binary secret value and a string secret value in the same " +
			"secret.")
	case p.str != nil && (*p.str == "" || len(*p.str) > maxValue):
		return p, errLength("secretString", len(*p.str), maxValue)
	case p.bin != nil && (len(p.bin) == 0 || len(p.bin) > maxValue):
		return p, errLength("secretBinary", len(p.bin), maxValue)
	case p.empty():
		return p, nil
	case in.ClientRequestToken == "":
		return p, errRequest("You must provide a ClientRequestToken value. We recommend a UUID-type value.")
	case len(in.ClientRequestToken) < 32 || len(in.ClientRequestToken) > 64:
		return p, errParameter("ClientRequestToken must be 32-64 characters long.")
	}
	return p, nil
}

func (s *Service) createSecret(call *awsapi.Call) (any, error) {
	var in struct {
		valueInput
		Name string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if !secretName.MatchString(in.Name) {
		return nil, awsapi.Errorf("ValidationException",
			"Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!")
	}
	value, err := in.payload()
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	e := s.entry(call.Region, in.Name)
	if e.live != nil {
		return createAgain(e.live, in.ClientRequestToken, value)
	}
	arn := call.ARN("secretsmanager", "secret:"+in.Name+"-"+randomSuffix())
	sec := &secret{name: in.Name, arn: arn, created: now, changed: now}
	if !value.empty() {
		if _, err := sec.put(in.ClientRequestToken, value, nil, now); err != nil {
			return nil, err
		}
	}
	s.commit(e, sec)
	out := written{identity: sec.identity()}
	if !value.empty() {
		out.VersionID = in.ClientRequestToken
	}
	return out, nil
}

// createAgain answers CreateSecret for a name that is taken: a repeat of the request that made the secret succeeds.
func createAgain(sec *secret, token string, value payload) (any, error) {
	if !sec.deleted.IsZero() {
		return nil, errRequest("You can't create this secret because a secret with this name is already scheduled " +
			"for deletion.")
	}
	v := sec.version(token)
	switch {
	case v == nil || value.empty():
		return nil, awsapi.Errorf("ResourceExistsException",
			"The operation failed because the secret %s already exists.", sec.name)
	case !v.value.equal(value):
		return nil, errTokenInUse(token, sec.arn)
	}
	return written{identity: sec.identity(), VersionID: token}, nil
}

func (s *Service) entry(region, name string) *entry {
	if s.regions[region] == nil {
		s.regions[region] = map[string]*entry{}
	}
	if s.regions[region][name] == nil {
		s.regions[region][name] = &entry{}
	}
	return s.regions[region][name]
}

// randomSuffix is the six characters that tell a secret from a deleted one of the same name.
func randomSuffix() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	b := make([]byte, arnSuffix-1)
	_, _ = rand.Read(b) // crypto/rand.Read never fails
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

func (s *Service) putSecretValue(call *awsapi.Call) (any, error) {
	var in struct {
		valueInput
		SecretID      string
		VersionStages []string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	value, err := in.payload()
	if err != nil {
		return nil, err
	}
	if value.empty() {
		return nil, errRequest("You must provide either SecretString or SecretBinary.")
	}
	if in.VersionStages != nil {
		if err := errLength("versionStages", len(in.VersionStages), maxLabels); err != nil {
			return nil, err
		}
	}
	for _, label := range in.VersionStages {
		if err := errLength("versionStages", len(label), maxLabel); err != nil {
			return nil, err
		}
	}
	e, sec, err := s.edit(call.Region, in.SecretID)
	if err != nil {
		return nil, err
	}
	known := sec.version(in.ClientRequestToken) != nil
	v, err := sec.put(in.ClientRequestToken, value, in.VersionStages, s.clock.Now())
	if err != nil {
		return nil, err
	}
	if !known {
		s.commit(e, sec)
	}
	return written{identity: sec.identity(), VersionID: v.id, VersionStages: v.labels}, nil
}

// maxLabel is the length limit of a staging label (API reference, PutSecretValue).
const maxLabel = 256
