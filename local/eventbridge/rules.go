package eventbridge

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/local/delivery"
	"alboidc.internal/shared/awstest/awsapi"
)

// defaultBus is the only bus here; it gets the events of AWS services.
const defaultBus = "default"

// maxTargets is the number of targets that a rule can have (user guide, "Amazon EventBridge quotas").
const maxTargets = 5

// rule is a rule with its targets in the order they were put.
type rule struct {
	arn     string
	pattern pattern
	targets []target
}

// target is Target of the API reference, as far as it is honoured.
type target struct {
	ID          string                `json:"Id"`
	ARN         string                `json:"Arn"`
	RoleARN     string                `json:"RoleArn"`
	RetryPolicy *delivery.RetryPolicy `json:"RetryPolicy"`
	Transformer *transformer          `json:"InputTransformer"`
}

var (
	validName    = regexp.MustCompile(`^[.\-_A-Za-z0-9]+$`)
	stateMachine = regexp.MustCompile(`^arn:[^:]+:states:[^:]+:[^:]+:stateMachine:`)
)

// matching returns the rules of a Region that an event fits, by name. s.mu is held.
func (s *Service) matching(region string, event map[string]any) []*rule {
	var out []*rule
	for k, r := range s.rules {
		if k.region == region && r.pattern.matches(event) {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *rule) int { return strings.Compare(a.arn, b.arn) })
	return out
}

// putRule makes a rule, or replaces one's pattern; its targets stay (API reference, PutRule).
func (s *Service) putRule(call *awsapi.Call) (any, error) {
	var r struct {
		Name         string `json:"Name"`
		EventPattern string `json:"EventPattern"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if err := checkName("name", r.Name); err != nil {
		return nil, err
	}
	if r.EventPattern == "" {
		return nil, awsapi.Errorf("ValidationException",
			"Parameter(s) EventPattern or ScheduleExpression must be specified.")
	}
	p, err := compile(r.EventPattern)
	var unknown unknownMatcher
	if errors.As(err, &unknown) {
		return nil, awsapi.NotImplementedParameter(call, "EventPattern "+string(unknown))
	}
	if err != nil {
		return nil, awsapi.Errorf("InvalidEventPatternException", "Event pattern is not valid. Reason: %v", err)
	}
	k := ruleKey{call.Region, r.Name}
	next := &rule{arn: call.ARN("events", "rule/"+r.Name), pattern: p}
	if old := s.rules[k]; old != nil {
		next.targets = old.targets
	}
	s.rules[k] = next
	return map[string]string{"RuleArn": next.arn}, nil
}

// checkName checks the name of a rule, in the words of the service.
func checkName(parameter, name string) error {
	var c awsapi.Constraints
	c.Required(parameter, name, 64)
	if name != "" && !validName.MatchString(name) {
		c.Break("'"+name+"'", parameter, `Member must satisfy regular expression pattern: [\.\-_A-Za-z0-9]+`)
	}
	return c.Err()
}

// putTargets adds targets, or replaces those with the same id.
func (s *Service) putTargets(call *awsapi.Call) (any, error) {
	var r struct {
		Rule    string   `json:"Rule"`
		Targets []target `json:"Targets"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if err := checkName("rule", r.Rule); err != nil {
		return nil, err
	}
	for _, t := range r.Targets {
		if err := t.check(call); err != nil {
			return nil, err
		}
	}
	x := s.rules[ruleKey{call.Region, r.Rule}]
	if x == nil {
		return nil, awsapi.Errorf("ResourceNotFoundException",
			"Rule %s does not exist on EventBus %s.", r.Rule, defaultBus)
	}
	targets := slices.Clone(x.targets)
	for _, t := range r.Targets {
		if i := slices.IndexFunc(targets, func(o target) bool { return o.ID == t.ID }); i >= 0 {
			targets[i] = t
		} else {
			targets = append(targets, t)
		}
	}
	if len(targets) > maxTargets {
		return nil, awsapi.Errorf("LimitExceededException",
			"The requested resource exceeds the maximum number allowed.")
	}
	x.targets = targets
	return map[string]any{"FailedEntries": []any{}, "FailedEntryCount": 0}, nil
}

func (t target) check(call *awsapi.Call) error {
	switch {
	case t.ID == "":
		return awsapi.Errorf("ValidationException", "A target has an Id.")
	case !stateMachine.MatchString(t.ARN):
		return awsapi.NotImplementedParameter(call, "Targets.Arn "+t.ARN)
	case t.RoleARN == "":
		return awsapi.Errorf("ValidationException", "RoleArn is required for target %s.", t.ARN)
	case t.Transformer != nil:
		return t.Transformer.check(call)
	}
	return nil
}
