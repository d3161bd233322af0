package stepfunctions

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/stepfunctions/integrations"
	"alboidc.internal/shared/awstest/awsapi"
)

// machine is one state machine. Service.mu guards it.
type machine struct {
	arn, name string
	settings
	created, updated time.Time
	versions         []*version
	aliases          map[string]*alias
}

// settings are what an update can change and a version keeps.
type settings struct {
	definition string
	parsed     *asl.Machine
	role       string
	// revision changes with every update; a machine that was never updated has none.
	revision string
}

type loggingConfiguration struct {
	Level                string            `json:"level"`
	IncludeExecutionData bool              `json:"includeExecutionData"`
	Destinations         []json.RawMessage `json:"destinations,omitempty"`
}

type tracingConfiguration struct {
	Enabled bool `json:"enabled"`
}

// observation are the parameters for logs and traces, of which only "none" is honoured here.
type observation struct {
	Logging *loggingConfiguration `json:"loggingConfiguration"`
	Tracing *tracingConfiguration `json:"tracingConfiguration"`
}

func (o observation) check(call *awsapi.Call) error {
	if o.Logging != nil && o.Logging.Level != "" && o.Logging.Level != "OFF" {
		return awsapi.NotImplementedParameter(call, "loggingConfiguration.level "+o.Logging.Level)
	}
	if o.Tracing != nil && o.Tracing.Enabled {
		return awsapi.NotImplementedParameter(call, "tracingConfiguration.enabled")
	}
	return nil
}

// parse refuses a definition the way CreateStateMachine does.
func (s *Service) parse(definition string) (*asl.Machine, error) {
	m, diagnostics := asl.Parse([]byte(definition), s.expressions)
	var texts []string
	for _, d := range diagnostics {
		texts = append(texts, fmt.Sprintf("%s: %s at %s", d.Code, d.Message, d.Location))
	}
	if m != nil {
		for at, resource := range m.Resources() {
			if !integrations.Has(resource) {
				texts = append(texts, fmt.Sprintf("SCHEMA_VALIDATION_FAILED: The resource provided %s is not "+
					"recognized. The value is not a valid resource ARN, or the resource is not available here at %s",
					resource, at))
			}
		}
	}
	if len(texts) == 0 {
		return m, nil
	}
	slices.Sort(texts)
	return nil, awsapi.Errorf("InvalidDefinition", "Invalid State Machine Definition: '%s'", strings.Join(texts, ", "))
}

func checkRole(arn string) error {
	if !strings.HasPrefix(arn, "arn:aws:iam::") {
		return awsapi.Errorf("InvalidArn", "Invalid Role Arn: '%s'", arn)
	}
	return nil
}

func (s *Service) createStateMachine(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		Name       string `json:"name"`
		Definition string `json:"definition"`
		RoleARN    string `json:"roleArn"`
		Type       string `json:"type"`
		observation
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(call); err != nil {
		return nil, err
	}
	if in.Type != "" && in.Type != "STANDARD" {
		return nil, awsapi.NotImplementedParameter(call, "type "+in.Type)
	}
	var c awsapi.Constraints
	c.Required("name", in.Name, longestName)
	c.Required("definition", in.Definition, longestDefinition)
	c.Required("roleArn", in.RoleARN, longestARN)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if err := checkName(in.Name); err != nil {
		return nil, err
	}
	if err := checkRole(in.RoleARN); err != nil {
		return nil, err
	}
	parsed, err := s.parse(in.Definition)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.create(call.ARN("states", "stateMachine:"+in.Name), in.Name,
		settings{definition: in.Definition, parsed: parsed, role: in.RoleARN})
	if err != nil {
		return nil, err
	}
	return map[string]any{"stateMachineArn": m.arn, "creationDate": instant(m.created)}, nil
}

// create adds a machine. Repeating it with the same definition is a success that changes nothing, not even the role;
// a definition that differs, if only in white space, is refused. s.mu is held.
func (s *Service) create(arn, name string, with settings) (*machine, error) {
	if m := s.machines[arn]; m != nil {
		if m.definition != with.definition {
			return nil, awsapi.Errorf("StateMachineAlreadyExists", "State Machine Already Exists: '%s'", arn)
		}
		return m, nil
	}
	m := &machine{arn: arn, name: name, settings: with, created: s.now(), aliases: map[string]*alias{}}
	m.updated = m.created
	s.machines[arn] = m
	return m, nil
}

func (s *Service) updateStateMachine(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		StateMachineARN string  `json:"stateMachineArn"`
		Definition      *string `json:"definition"`
		RoleARN         *string `json:"roleArn"`
		Publish         bool    `json:"publish"`
		observation
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(call); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	c.Required("stateMachineArn", in.StateMachineARN, longestARN)
	c.Length("definition", in.Definition, longestDefinition)
	c.Length("roleArn", in.RoleARN, longestARN)
	if err := c.Err(); err != nil {
		return nil, err
	}
	if in.Definition == nil && in.RoleARN == nil && in.Logging == nil && in.Tracing == nil {
		return nil, awsapi.Errorf("MissingRequiredParameter", "Either the definition, the role ARN, the "+
			"LoggingConfiguration, or the TracingConfiguration must be specified")
	}
	var parsed *asl.Machine
	if in.Definition != nil {
		var err error
		if parsed, err = s.parse(*in.Definition); err != nil {
			return nil, err
		}
	}
	if in.RoleARN != nil {
		if err := checkRole(*in.RoleARN); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m, err := s.machine(in.StateMachineARN)
	if err != nil {
		return nil, err
	}
	s.update(m, in.Definition, parsed, in.RoleARN)
	out := map[string]any{"updateDate": instant(m.updated)}
	if m.revision != "" {
		out["revisionId"] = m.revision
	}
	if in.Publish {
		out["stateMachineVersionArn"] = s.publish(m).arn
	}
	return out, nil
}

// update changes a machine; executions that run keep what they started with. An update that changes nothing keeps the
// revision. s.mu is held.
func (s *Service) update(m *machine, definition *string, parsed *asl.Machine, role *string) {
	changed := false
	if definition != nil && *definition != m.definition {
		m.definition, m.parsed, changed = *definition, parsed, true
	}
	if role != nil && *role != m.role {
		m.role, changed = *role, true
	}
	m.updated = s.now()
	if changed {
		m.revision = awsapi.NewID()
	}
}

// machine finds a machine by its unqualified ARN. s.mu is held.
func (s *Service) machine(arn string) (*machine, error) {
	if err := checkARN(arn, "stateMachine"); err != nil {
		return nil, err
	}
	m := s.machines[arn]
	if m == nil {
		return nil, noMachine(arn)
	}
	return m, nil
}

// machineView is DescribeStateMachine's answer.
type machineView struct {
	StateMachineARN string               `json:"stateMachineArn"`
	Name            string               `json:"name"`
	Status          string               `json:"status,omitempty"`
	Definition      string               `json:"definition"`
	RoleARN         string               `json:"roleArn"`
	Type            string               `json:"type,omitempty"`
	CreationDate    *asl.Instant         `json:"creationDate,omitempty"`
	Logging         loggingConfiguration `json:"loggingConfiguration"`
	Tracing         tracingConfiguration `json:"tracingConfiguration"`
	RevisionID      string               `json:"revisionId,omitempty"`
}

func (s *Service) describeStateMachine(_ context.Context, call *awsapi.Call) (any, error) {
	var in struct {
		StateMachineARN string `json:"stateMachineArn"`
		IncludedData    string `json:"includedData"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.IncludedData != "" && in.IncludedData != "ALL_DATA" {
		return nil, awsapi.NotImplementedParameter(call, "includedData "+in.IncludedData)
	}
	var c awsapi.Constraints
	c.Required("stateMachineArn", in.StateMachineARN, longestARN)
	if err := c.Err(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := checkARN(in.StateMachineARN, "stateMachine"); err != nil {
		return nil, err
	}
	m, with, v := s.findQualified(in.StateMachineARN)
	if m == nil {
		return nil, noMachine(in.StateMachineARN)
	}
	out := machineView{StateMachineARN: in.StateMachineARN, Name: m.name, Status: "ACTIVE", Definition: with.definition,
		RoleARN: with.role,
		Type:    "STANDARD", CreationDate: instant(m.created), Logging: loggingConfiguration{Level: "OFF"},
		RevisionID: with.revision}
	if v != nil {
		out.CreationDate = instant(v.created)
	}
	return out, nil
}

// answer is a page of a list.
func answer(name string, rows any, next string) map[string]any {
	out := map[string]any{name: rows}
	if next != "" {
		out["nextToken"] = next
	}
	return out
}
