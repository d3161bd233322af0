package stepfunctions

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// version is a published, unchangeable state of a machine.
type version struct {
	arn         string
	description string
	created     time.Time
	settings
}

// alias points to one or two versions of a machine.
type alias struct {
	arn, name, description string
	routes                 []route
	created                time.Time
}

type route struct {
	VersionARN string `json:"stateMachineVersionArn"`
	Weight     int    `json:"weight"`
}

// publish makes a version of a machine; if the last one has the same revision, that is the version. s.mu is held.
func (s *Service) publish(m *machine, description string) *version {
	if n := len(m.versions); n > 0 && m.versions[n-1].settings == m.settings {
		return m.versions[n-1]
	}
	m.lastVersion++
	v := &version{arn: fmt.Sprintf("%s:%d", m.arn, m.lastVersion), description: description, created: s.now(), settings: m.settings}
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

// checkRoutes: one or two different versions of the same machine whose weights add up to 100. s.mu is held.
func (s *Service) checkRoutes(routes []route) (*machine, error) {
	if len(routes) < 1 || len(routes) > 2 {
		return nil, invalid(len(routes), "routingConfiguration", "Member must have length between 1 and 2")
	}
	var of *machine
	sum := 0
	for i, r := range routes {
		m, _, v := s.qualified(r.VersionARN)
		if v == nil {
			return nil, awsapi.Errorf("ResourceNotFound", "State machine version does not exist: '%s'", r.VersionARN)
		}
		if of != nil && of != m || i == 1 && routes[0].VersionARN == r.VersionARN {
			return nil, awsapi.Errorf("ValidationException", "The routing configuration must name different versions of one state machine")
		}
		of = m
		sum += r.Weight
	}
	if sum != 100 {
		return nil, awsapi.Errorf("ValidationException", "Sum of routing configuration weights must equal 100 but was %d", sum)
	}
	return of, nil
}

func (s *Service) createAlias(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		Name        string  `json:"name"`
		Description string  `json:"description"`
		Routes      []route `json:"routingConfiguration"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if _, err := strconv.Atoi(in.Name); err == nil || checkName(in.Name) != nil {
		return nil, invalid(in.Name, "name", "Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\\-\\.])[a-zA-Z0-9_\\-\\.]+$")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.checkRoutes(in.Routes)
	if err != nil {
		return nil, err
	}
	a := m.aliases[in.Name]
	if a != nil && (a.description != in.Description || !slices.Equal(a.routes, in.Routes)) {
		return nil, awsapi.Errorf("ConflictException", "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
	}
	if a == nil {
		a = &alias{arn: m.arn + ":" + in.Name, name: in.Name, description: in.Description, routes: in.Routes, created: s.now()}
		m.aliases[in.Name] = a
	}
	return map[string]any{"stateMachineAliasArn": a.arn, "creationDate": instant(a.created)}, nil
}

// alias finds an alias by its ARN. s.mu is held.
func (s *Service) alias(arn string) (*machine, *alias, error) {
	m, name := s.split(arn)
	if m == nil || m.aliases[name] == nil {
		return nil, nil, awsapi.Errorf("ResourceNotFound", "Request references a resource that does not exist: '%s'", arn)
	}
	return m, m.aliases[name], nil
}
