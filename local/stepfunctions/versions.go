package stepfunctions

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// version is a published, unchangeable state of a machine.
type version struct {
	arn     string
	created time.Time
	settings
}

// alias points to a version of a machine.
type alias struct {
	arn     string
	version *version
	created time.Time
}

type route struct {
	VersionARN string `json:"stateMachineVersionArn"`
	Weight     int    `json:"weight"`
}

// publish makes a version of a machine; if the last one has the same revision, that is the version. s.mu is held.
func (s *Service) publish(m *machine) *version {
	if n := len(m.versions); n > 0 && m.versions[n-1].settings == m.settings {
		return m.versions[n-1]
	}
	v := &version{arn: fmt.Sprintf("%s:%d", m.arn, len(m.versions)+1), created: s.now(), settings: m.settings}
	m.versions = append(m.versions, v)
	return v
}

// findQualified finds what an ARN with or without a version stands for; no machine if there is none. s.mu is held.
func (s *Service) findQualified(arn string) (*machine, settings, *version) {
	if m := s.machines[arn]; m != nil {
		return m, m.settings, nil
	}
	m, suffix := s.split(arn)
	if m == nil {
		return nil, settings{}, nil
	}
	if v := m.version(m.arn + ":" + suffix); v != nil {
		return m, v.settings, v
	}
	return nil, settings{}, nil
}

// split cuts the qualifier off an ARN. s.mu is held.
func (s *Service) split(arn string) (*machine, string) {
	i := strings.LastIndexByte(arn, ':')
	if i < 0 {
		return nil, ""
	}
	return s.machines[arn[:i]], arn[i+1:]
}

func (m *machine) version(arn string) *version {
	for _, v := range m.versions {
		if v.arn == arn {
			return v
		}
	}
	return nil
}

func (s *Service) createAlias(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		Name   string  `json:"name"`
		Routes []route `json:"routingConfiguration"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkAlias(in.Name, in.Routes); err != nil {
		return nil, err
	}
	if len(in.Routes) > 1 {
		return nil, awsapi.NotImplementedParameter(call, "routingConfiguration other than one version")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, _, v := s.findQualified(in.Routes[0].VersionARN)
	if v == nil {
		return nil, awsapi.Errorf("ResourceNotFound",
			"State machine version does not exist: '%s'", in.Routes[0].VersionARN)
	}
	a := m.aliases[in.Name]
	if a != nil && a.version != v {
		return nil, awsapi.Errorf("ConflictException", "Failed to create alias because an alias with the same name "+
			"and a different routing configuration already exists.")
	}
	if a == nil {
		a = &alias{arn: m.arn + ":" + in.Name, version: v, created: s.now()}
		m.aliases[in.Name] = a
	}
	return map[string]any{"stateMachineAliasArn": a.arn, "creationDate": instant(a.created)}, nil
}

// The forms of an alias's name, which is no number, and of a version's ARN.
var (
	aliasName  = regexp.MustCompile(`^[a-zA-Z0-9_\-.]*[a-zA-Z_\-.][a-zA-Z0-9_\-.]*$`)
	versionARN = regexp.MustCompile(`^arn:[^:]+:states:[^:]+:\d{12}:stateMachine:[^:]+:\d+$`)
)

// checkAlias refuses what CreateStateMachineAlias does, in its words, before it looks for the versions.
func checkAlias(name string, routes []route) error {
	var c awsapi.Constraints
	c.Required("name", name, longestName)
	if name != "" && !aliasName.MatchString(name) {
		c.Break("'"+name+"'", "name",
			"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$")
	}
	if len(routes) == 0 {
		c.Break("null", "routingConfiguration", "Member must not be null")
	}
	if len(routes) > 2 {
		c.Break(fmt.Sprintf("'%d routes'", len(routes)), "routingConfiguration",
			"Member must have length less than or equal to 2")
	}
	var arns, weights []string
	whole, sum, seen := true, 0, map[string]bool{}
	for i, r := range routes {
		c.Range(fmt.Sprintf("routingConfiguration.%d.member.weight", i+1), r.Weight, 0, 100)
		arns, weights = append(arns, r.VersionARN), append(weights, strconv.Itoa(r.Weight))
		whole, sum, seen[r.VersionARN] = whole && versionARN.MatchString(r.VersionARN), sum+r.Weight, true
	}
	if err := c.Err(); err != nil {
		return err
	}
	var problem string
	received := arns
	switch {
	case !whole:
		problem = "Routing configuration must contain state machine version ARNs"
	case len(seen) < len(routes):
		problem = "Routing configuration must contain distinct state machine version ARNs"
	case sum != 100:
		problem, received = "Sum of routing configuration weights must equal 100", weights
	default:
		return nil
	}
	return awsapi.Errorf("ValidationException", "%s. Received: [%s]", problem, strings.Join(received, ", "))
}

// alias finds an alias by its ARN. s.mu is held.
func (s *Service) alias(arn string) (*machine, *alias, error) {
	m, name := s.split(arn)
	if m == nil || m.aliases[name] == nil {
		return nil, nil, awsapi.Errorf("ResourceNotFound",
			"Request references a resource that does not exist: '%s'", arn)
	}
	return m, m.aliases[name], nil
}
