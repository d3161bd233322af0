package ssm

import (
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// The tiers and the size limits of their values in bytes (API reference, PutParameter).
const (
	tierStandard    = "Standard"
	tierAdvanced    = "Advanced"
	tierIntelligent = "Intelligent-Tiering"
	maxStandard     = 4096
	maxAdvanced     = 8192
)

// The limits of a name (API reference, PutParameter).
const (
	maxName  = 1011 // including the ARN that precedes the name
	maxDepth = 15
)

const kindSecure = "SecureString"

var (
	parameterName = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	reservedName  = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
	nestedValue   = regexp.MustCompile(`\{\{.*\}\}`)
)

// putInput is the parameters of PutParameter.
type putInput struct {
	Name, Value, Type, Tier, KeyID string
	Description, DataType          *string
	Overwrite                      bool
	Tags                           []tag
}

func (s *Service) putParameter(call *awsapi.Call) (any, error) {
	var in putInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.DataType != nil && *in.DataType != "text" {
		return nil, awsapi.NotImplementedParameter(call, "DataType "+*in.DataType)
	}
	arn := arnOf(call, in.Name)
	if err := checkName(in.Name, arn); err != nil {
		return nil, err
	}
	old := s.regions[call.Region][in.Name]
	next, err := in.apply(old)
	if err != nil {
		return nil, err
	}
	next.arn = arn
	v := version{number: 1, value: in.Value, modified: s.clock.Now()}
	if old != nil {
		v.number, v.description = old.current().number+1, old.current().description
	}
	if in.Description != nil {
		v.description = *in.Description
	}
	if next.kind == kindSecure {
		if v.keyID = in.KeyID; v.keyID == "" {
			v.keyID = defaultKey
		}
	}
	next.versions = append(next.versions, v)
	next.versions = next.versions[max(0, len(next.versions)-maxVersions):]
	if s.regions[call.Region] == nil {
		s.regions[call.Region] = map[string]*parameter{}
	}
	s.regions[call.Region][in.Name] = next
	return struct {
		Version int64  `json:"Version"`
		Tier    string `json:"Tier"`
	}{v.number, next.tier}, nil
}

// apply checks the request against the parameter there is (nil: none) and returns what it becomes, but for the version.
func (in putInput) apply(old *parameter) (*parameter, error) {
	next := &parameter{name: in.Name, kind: in.Type, tags: in.Tags}
	switch {
	case old != nil && !in.Overwrite:
		return nil, awsapi.Errorf("ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case in.Overwrite && len(in.Tags) > 0:
		return nil, errValidation("Invalid request: tags and overwrite can't be used together. To create a parameter with tags, please remove overwrite flag. To update tags for an existing parameter, please use AddTagsToResource or RemoveTagsFromResource.")
	case old == nil && in.Type == "":
		return nil, errValidation("A parameter type is required when you create a parameter.")
	case old != nil && in.Type != "" && in.Type != old.kind:
		return nil, awsapi.Errorf("HierarchyTypeMismatchException", "Parameter Store doesn't support changing a parameter type in a hierarchy.")
	case old != nil:
		*next = *old
	}
	if err := in.checkValue(next.kind); err != nil {
		return nil, err
	}
	tier, err := in.chooseTier(next.tier)
	next.tier = tier
	return next, err
}

func (in putInput) checkValue(kind string) error {
	switch {
	case kind != "String" && kind != "StringList" && kind != kindSecure:
		return errValidation("1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: Member must satisfy enum value set: [SecureString, StringList, String]", kind)
	case in.KeyID != "" && kind != kindSecure:
		return errValidation("KeyId can only be used with the parameter type SecureString.")
	case in.Value == "":
		return errValidation("1 validation error detected: Value at 'value' failed to satisfy constraint: Member must have length greater than or equal to 1")
	case nestedValue.MatchString(in.Value):
		return errValidation("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
	}
	return nil
}

// chooseTier finds the tier a parameter gets that has tier old ("": new). Without one in the request it keeps its tier,
// at first the default tier, Standard. A parameter cannot go back from Advanced (user guide, "Managing parameter tiers").
func (in putInput) chooseTier(old string) (string, error) {
	tier := in.Tier
	switch {
	case tier == "" && old == "":
		tier = tierStandard
	case tier == "" || tier == tierIntelligent && old == tierAdvanced:
		tier = old
	case tier == tierIntelligent:
		tier = tierStandard
		if len(in.Value) > maxStandard {
			tier = tierAdvanced
		}
	}
	switch {
	case tier != tierStandard && tier != tierAdvanced:
		return "", errValidation("1 validation error detected: Value '%s' at 'tier' failed to satisfy constraint: Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]", tier)
	case tier == tierStandard && old == tierAdvanced:
		return "", errValidation("This parameter uses the advanced-parameter tier. You can't downgrade a parameter from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete the advanced parameter and recreate it as a standard parameter.")
	case tier == tierStandard && len(in.Value) > maxStandard:
		return "", errValidation("Standard tier parameters support a maximum parameter value of 4096 characters. To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.")
	case len(in.Value) > maxAdvanced:
		return "", errValidation("Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	return tier, nil
}

func checkName(name, arn string) error {
	switch {
	case !parameterName.MatchString(name):
		return errValidation("Parameter name: can't be empty and can only include the following symbols and letters: a-zA-Z0-9_.-/")
	case reservedName.MatchString(name):
		return errValidation("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return errValidation("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxDepth:
		return awsapi.Errorf("HierarchyLevelLimitExceededException", "A hierarchy can have a maximum of %d levels.", maxDepth)
	case len(arn) > maxName:
		return errValidation("The parameter name is longer than the maximum of %d characters, its ARN included.", maxName)
	}
	return nil
}

// arnOf is a parameter's ARN; the name's leading slash serves as the ARN's.
func arnOf(call *awsapi.Call, name string) string {
	return call.ARN("ssm", "parameter/"+strings.TrimPrefix(name, "/"))
}
