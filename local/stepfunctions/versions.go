package stepfunctions

import (
	"context"
	"fmt"
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

// qualified finds what an ARN with or without a version stands for; no machine if there is none. s.mu is held.
func (s *Service) qualified(arn string) (*machine, settings, *version) {
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
	if _, err := strconv.Atoi(in.Name); err == nil || checkName(in.Name) != nil {
		return nil, invalid(in.Name, "name",
			"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(in.Routes) != 1 || in.Routes[0].Weight != 100 {
		return nil, awsapi.NotImplementedParameter(call, "routingConfiguration other than one version")
	}
	m, _, v := s.qualified(in.Routes[0].VersionARN)
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

// alias finds an alias by its ARN. s.mu is held.
func (s *Service) alias(arn string) (*machine, *alias, error) {
	m, name := s.split(arn)
	if m == nil || m.aliases[name] == nil {
		return nil, nil, awsapi.Errorf("ResourceNotFound",
			"Request references a resource that does not exist: '%s'", arn)
	}
	return m, m.aliases[name], nil
}
