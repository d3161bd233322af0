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

// kindString is the one type of a parameter that this project uses.
const kindString = "String"

var (
	parameterName = regexp.MustCompile(`^/?[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$`)
	reservedName  = regexp.MustCompile(`(?i)^/?(aws|ssm)`)
	nestedValue   = regexp.MustCompile(`\{\{.*\}\}`)
)

// putInput is the parameters of PutParameter.
type putInput struct {
	Name, Value, Type, Tier string
	Description             *string
	Overwrite               bool
}

func (s *Service) putParameter(call *awsapi.Call) (any, error) {
	var in putInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.Type == "StringList" || in.Type == "SecureString" {
		return nil, awsapi.NotImplementedParameter(call, "Type "+in.Type)
	}
	arn := call.ARN("ssm", "parameter/"+strings.TrimPrefix(in.Name, "/"))
	if err := checkName(in.Name, arn); err != nil {
		return nil, err
	}
	p := s.regions[call.Region][in.Name]
	if err := in.check(p != nil); err != nil {
		return nil, err
	}
	var old version
	if p != nil {
		old = p.current()
	}
	v := version{number: old.number + 1, value: in.Value, description: old.description, modified: s.clock.Now()}
	if in.Description != nil {
		v.description = *in.Description
	}
	var err error
	if v.tier, err = in.chooseTier(old.tier); err != nil {
		return nil, err
	}
	if p == nil {
		p = &parameter{name: in.Name, arn: arn}
	}
	p.versions = append(p.versions, v)
	p.versions = p.versions[max(0, len(p.versions)-maxVersions):]
	if s.regions[call.Region] == nil {
		s.regions[call.Region] = map[string]*parameter{}
	}
	s.regions[call.Region][in.Name] = p
	return map[string]any{"Version": v.number, "Tier": v.tier}, nil
}

// check checks the value, and the request against the parameter if there is one.
func (in putInput) check(exists bool) error {
	switch {
	case exists && !in.Overwrite:
		return awsapi.Errorf("ParameterAlreadyExists",
			"The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
	case !exists && in.Type == "":
		return errValidation("A parameter type is required when you create a parameter.")
	case in.Type != "" && in.Type != kindString:
		return errValidation("1 validation error detected: Value '%s' at 'type' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [SecureString, StringList, String]", in.Type)
	case in.Value == "":
		return errValidation("1 validation error detected: Value at 'value' failed to satisfy constraint: " +
			"Member must have length greater than or equal to 1")
	case nestedValue.MatchString(in.Value):
		return errValidation("Parameter value can't nest another parameter. Do not use \"{{}}\" in the value.")
	}
	return nil
}

// chooseTier finds the tier a parameter gets that has tier old ("": new). Without one in the request it keeps its tier,
// at first the default tier, Standard. A parameter cannot go back from Advanced (user guide, "Managing parameter
// tiers").
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
		return "", errValidation("1 validation error detected: Value '%s' at 'tier' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [Standard, Advanced, Intelligent-Tiering]", tier)
	case tier == tierStandard && old == tierAdvanced:
		return "", errValidation("This parameter uses the advanced-parameter tier. You can't downgrade a parameter " +
			"from the advanced-parameter tier to the standard-parameter tier. If necessary, you can delete " +
			"the advanced parameter and recreate it as a standard parameter.")
	case tier == tierStandard && len(in.Value) > maxStandard:
		return "", errValidation("Standard tier parameters support a maximum parameter value of 4096 characters. " +
			"To create a larger parameter value, upgrade the parameter to use the advanced-parameter tier.")
	case len(in.Value) > maxAdvanced:
		return "", errValidation("Advanced tier parameters support a maximum parameter value of 8192 characters.")
	}
	return tier, nil
}

func checkName(name, arn string) error {
	switch {
	case !parameterName.MatchString(name):
		return errValidation("Parameter name: can't be empty and can only include the following symbols and letters: " +
			"a-zA-Z0-9_.-/")
	case reservedName.MatchString(name):
		return errValidation("Parameter name: can't be prefixed with \"aws\" or \"ssm\" (case-insensitive).")
	case strings.Contains(name, "/") && !strings.HasPrefix(name, "/"):
		return errValidation("Parameter name must be a fully qualified name.")
	case strings.Count(name, "/") > maxDepth:
		return awsapi.Errorf("HierarchyLevelLimitExceededException",
			"A hierarchy can have a maximum of %d levels.", maxDepth)
	case len(arn) > maxName:
		return errValidation("The parameter name is longer than the maximum of %d characters, its ARN included.",
			maxName)
	}
	return nil
}
