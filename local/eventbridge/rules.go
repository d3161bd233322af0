package eventbridge

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// defaultBus is the bus that is there from the beginning, and gets the events of AWS services.
const defaultBus = "default"

// maxTargets is the number of targets that a rule can have (user guide, "Amazon EventBridge quotas").
const maxTargets = 5

// rule is Rule of the API reference, with its compiled pattern and its targets in the order they were put.
type rule struct {
	ARN          string `json:"Arn"`
	Name         string `json:"Name"`
	EventBusName string `json:"EventBusName"`
	EventPattern string `json:"EventPattern"`
	State        string `json:"State"`
	Description  string `json:"Description,omitempty"`
	RoleARN      string `json:"RoleArn,omitempty"`
	pattern      pattern
	targets      []target
}

// target is Target of the API reference, as far as it is honoured.
type target struct {
	ID          string       `json:"Id"`
	ARN         string       `json:"Arn"`
	RoleARN     string       `json:"RoleArn,omitempty"`
	Input       string       `json:"Input,omitempty"`
	RetryPolicy *retryPolicy `json:"RetryPolicy,omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:"MaximumEventAgeInSeconds,omitempty"`
	MaximumRetryAttempts     *int `json:"MaximumRetryAttempts,omitempty"`
}

var validName = regexp.MustCompile(`^[.\-_A-Za-z0-9]{1,64}$`)

// bus finds a bus by name or ARN ("" is the default), or returns nil. s.mu is held.
func (s *Service) bus(region, name string) *bus {
	name = name[strings.LastIndex(name, "/")+1:]
	if name == "" {
		name = defaultBus
	}
	k := busKey{region, name}
	if s.buses[k] == nil && name == defaultBus {
		s.addBus(k)
	}
	return s.buses[k]
}

func (s *Service) addBus(k busKey) *bus {
	b := &bus{key: k, arn: fmt.Sprintf("arn:aws:events:%s:%s:event-bus/%s", k.region, awsapi.AccountID, k.name), created: s.clock.Now(), rules: map[string]*rule{}}
	s.buses[k] = b
	return b
}

// sorted returns the rules by name.
func (b *bus) sorted() []*rule {
	var out []*rule
	for _, r := range b.rules {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *rule) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// existing finds the bus of a request, which must be there.
func (s *Service) existing(call *awsapi.Call, name string) (*bus, error) {
	if b := s.bus(call.Region, name); b != nil {
		return b, nil
	}
	return nil, awsapi.Errorf("ResourceNotFoundException", "Event bus %s does not exist.", name)
}

// rule finds the rule of a request, which must be there.
func (s *Service) rule(call *awsapi.Call, busName, name string) (*rule, error) {
	b, err := s.existing(call, busName)
	if err != nil {
		return nil, err
	}
	if r := b.rules[name]; r != nil {
		return r, nil
	}
	return nil, awsapi.Errorf("ResourceNotFoundException", "Rule %s does not exist on EventBus %s.", name, b.key.name)
}

// putRule makes a rule, or replaces all of one's settings; its targets stay (API reference, PutRule).
func (s *Service) putRule(call *awsapi.Call) (any, error) {
	var r struct {
		Name         string `json:"Name"`
		EventBusName string `json:"EventBusName"`
		EventPattern string `json:"EventPattern"`
		State        string `json:"State"`
		Description  string `json:"Description"`
		RoleARN      string `json:"RoleArn"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	b, err := s.existing(call, r.EventBusName)
	if err != nil {
		return nil, err
	}
	if r.State == "" {
		r.State = "ENABLED"
	}
	switch {
	case !validName.MatchString(r.Name):
		return nil, awsapi.Errorf("ValidationException", "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint", r.Name)
	case r.State != "ENABLED" && r.State != "DISABLED":
		return nil, awsapi.NotImplementedParameter(call, "State "+r.State)
	case r.EventPattern == "":
		return nil, awsapi.Errorf("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	p, err := compile(r.EventPattern)
	var unknown unknownMatcher
	if errors.As(err, &unknown) {
		return nil, awsapi.NotImplementedParameter(call, "EventPattern "+string(unknown))
	}
	if err != nil {
		return nil, awsapi.Errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
	}
	resource := "rule/" + r.Name
	if b.key.name != defaultBus {
		resource = "rule/" + b.key.name + "/" + r.Name
	}
	next := &rule{ARN: call.ARN("events", resource), Name: r.Name, EventBusName: b.key.name, EventPattern: r.EventPattern,
		State: r.State, Description: r.Description, RoleARN: r.RoleARN, pattern: p}
	if old := b.rules[r.Name]; old != nil {
		next.targets = old.targets
	}
	b.rules[r.Name] = next
	return map[string]string{"RuleArn": next.ARN}, nil
}

func (s *Service) describeRule(call *awsapi.Call) (any, error) {
	var r struct {
		Name         string `json:"Name"`
		EventBusName string `json:"EventBusName"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	return s.rule(call, r.EventBusName, r.Name)
}

func (s *Service) listRules(call *awsapi.Call) (any, error) {
	var r struct {
		EventBusName string `json:"EventBusName"`
		NamePrefix   string `json:"NamePrefix"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	b, err := s.existing(call, r.EventBusName)
	if err != nil {
		return nil, err
	}
	out := []*rule{}
	for _, x := range b.sorted() {
		if strings.HasPrefix(x.Name, r.NamePrefix) {
			out = append(out, x)
		}
	}
	return map[string]any{"Rules": out}, nil
}

// deleteRule deletes a rule without targets; one that is not there is no error.
func (s *Service) deleteRule(call *awsapi.Call) (any, error) {
	var r struct {
		Name         string `json:"Name"`
		EventBusName string `json:"EventBusName"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	b, err := s.existing(call, r.EventBusName)
	if err != nil {
		return nil, err
	}
	if x := b.rules[r.Name]; x != nil && len(x.targets) > 0 {
		return nil, awsapi.Errorf("ValidationException", "Rule can't be deleted since it has targets.")
	}
	delete(b.rules, r.Name)
	return nil, nil
}

// putTargets adds targets, or replaces those with the same id.
func (s *Service) putTargets(call *awsapi.Call) (any, error) {
	var r struct {
		Rule         string   `json:"Rule"`
		EventBusName string   `json:"EventBusName"`
		Targets      []target `json:"Targets"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	x, err := s.rule(call, r.EventBusName, r.Rule)
	if err != nil {
		return nil, err
	}
	targets := slices.Clone(x.targets)
	for _, t := range r.Targets {
		if err := t.check(call); err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(targets, func(o target) bool { return o.ID == t.ID }); i >= 0 {
			targets[i] = t
		} else {
			targets = append(targets, t)
		}
	}
	if len(targets) > maxTargets {
		return nil, awsapi.Errorf("LimitExceededException", "The requested resource exceeds the maximum number allowed.")
	}
	x.targets = targets
	return noFailures(), nil
}

type failedEntry struct {
	ID      string `json:"TargetId"`
	Code    string `json:"ErrorCode"`
	Message string `json:"ErrorMessage"`
}

type failures struct {
	Entries []failedEntry `json:"FailedEntries"`
	Count   int           `json:"FailedEntryCount"`
}

func noFailures() failures { return failures{Entries: []failedEntry{}} }

func (t target) check(call *awsapi.Call) error {
	switch kind := targetKind(t.ARN); {
	case t.ID == "":
		return awsapi.Errorf("ValidationException", "A target has an Id.")
	case kind == "":
		return awsapi.NotImplementedParameter(call, "Targets.Arn "+t.ARN)
	case kind == "states" && t.RoleARN == "":
		return awsapi.Errorf("ValidationException", "RoleArn is required for target %s.", t.ARN)
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return awsapi.Errorf("ValidationException", "JSON syntax error in input for target %s.", t.ID)
	}
	return nil
}

func (s *Service) listTargets(call *awsapi.Call) (any, error) {
	var r struct {
		Rule         string `json:"Rule"`
		EventBusName string `json:"EventBusName"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	x, err := s.rule(call, r.EventBusName, r.Rule)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Targets": append([]target{}, x.targets...)}, nil
}

func (s *Service) removeTargets(call *awsapi.Call) (any, error) {
	var r struct {
		Rule         string   `json:"Rule"`
		EventBusName string   `json:"EventBusName"`
		IDs          []string `json:"Ids"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	x, err := s.rule(call, r.EventBusName, r.Rule)
	if err != nil {
		return nil, err
	}
	out := noFailures()
	for _, id := range r.IDs {
		i := slices.IndexFunc(x.targets, func(t target) bool { return t.ID == id })
		if i < 0 {
			out.Count++
			out.Entries = append(out.Entries, failedEntry{id, "ResourceNotFoundException", "Target " + id + " does not exist."})
			continue
		}
		x.targets = slices.Concat(x.targets[:i], x.targets[i+1:])
	}
	return out, nil
}

func (s *Service) createBus(call *awsapi.Call) (any, error) {
	var r struct {
		Name        string `json:"Name"`
		Description string `json:"Description"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if !validName.MatchString(r.Name) {
		return nil, awsapi.Errorf("ValidationException", "1 validation error detected: Value '%s' at 'name' failed to satisfy constraint", r.Name)
	}
	if s.bus(call.Region, r.Name) != nil {
		return nil, awsapi.Errorf("ResourceAlreadyExistsException", "Event bus %s already exists.", r.Name)
	}
	b := s.addBus(busKey{call.Region, r.Name})
	b.description = r.Description
	return map[string]string{"EventBusArn": b.arn, "Description": b.description}, nil
}

func (s *Service) describeBus(call *awsapi.Call) (any, error) {
	var r struct {
		Name string `json:"Name"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	b, err := s.existing(call, r.Name)
	if err != nil {
		return nil, err
	}
	return map[string]any{"Name": b.key.name, "Arn": b.arn, "Description": b.description, "CreationTime": awsapi.Timestamp{Time: b.created}}, nil
}
