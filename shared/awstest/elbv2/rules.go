package elbv2

import (
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

func (s *Service) createRule(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	listenerARN := r.p.String("ListenerArn")
	priority, err := r.int("Priority", 0, 1, 50000)
	if err != nil {
		return nil, err
	}
	actions, conditions, err := r.actionsAndConditions()
	if err != nil {
		return nil, err
	}
	if priority == 0 || len(conditions) == 0 {
		return nil, validation("A priority and a condition must be specified")
	}
	b, i, err := s.listener(r.region, listenerARN)
	if err != nil {
		return nil, err
	}
	c := b.current().clone()
	l := &c.Listeners[i]
	if slices.ContainsFunc(l.Rules, func(x Rule) bool { return x.Priority == priority }) {
		return nil, awsapi.Errorf("PriorityInUse", "Priority '%d' is currently in use", priority)
	}
	if err := s.checkActions(r, l.Protocol, actions, nil); err != nil {
		return nil, err
	}
	rule := Rule{ARN: strings.Replace(l.ARN, ":listener/", ":listener-rule/", 1) + "/" + s.newID("rule"),
		Priority:   priority,
		Conditions: conditions, Actions: actions}
	l.Rules = append(l.Rules, rule)
	sortRules(l.Rules)
	s.store(r, b, c)
	return rulesResult{Rules: []ruleXML{rule.xml()}}, nil
}

// actionsAndConditions reads both lists, which end the parameters of CreateRule and ModifyRule.
func (r *request) actionsAndConditions() ([]Action, []Condition, error) {
	actions, err := r.actions("Actions")
	if err != nil {
		return nil, nil, err
	}
	conditions, err := r.conditions()
	if err != nil {
		return nil, nil, err
	}
	return actions, conditions, r.p.Done()
}

// sortRules orders rules the way they are evaluated: by priority, the default rule last.
func sortRules(rules []Rule) {
	slices.SortFunc(rules, func(a, b Rule) int {
		if a.Default != b.Default {
			if a.Default {
				return 1
			}
			return -1
		}
		return a.Priority - b.Priority
	})
}

func (s *Service) describeRules(r *request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	listenerARN, arns := r.p.String("ListenerArn"), r.p.List("RuleArns")
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	var all []ruleXML
	switch {
	case (listenerARN == "") == (len(arns) == 0):
		return nil, validation("You must specify either rule ARNs or a listener ARN")
	case listenerARN != "":
		b, i, err := s.listener(r.region, listenerARN)
		if err != nil {
			return nil, err
		}
		for _, rule := range b.current().Listeners[i].Rules {
			all = append(all, rule.xml())
		}
	default:
		for _, arn := range arns {
			b, l, i, err := s.rule(r.region, arn)
			if err != nil {
				return nil, err
			}
			all = append(all, b.current().Listeners[l].Rules[i].xml())
		}
	}
	var out rulesResult
	out.Rules, out.NextMarker = cut(page, all)
	return out, nil
}

// modifyRule replaces the lists that are sent and keeps the others (API reference, ModifyRule: "Any existing
// properties that you do not modify retain their current values").
func (s *Service) modifyRule(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := r.p.String("RuleArn")
	actions, conditions, err := r.actionsAndConditions()
	if err != nil {
		return nil, err
	}
	b, l, i, err := s.changeableRule(r.region, arn)
	if err != nil {
		return nil, err
	}
	if len(actions)+len(conditions) == 0 {
		return nil, validation("Either conditions or actions must be specified")
	}
	c := b.current().clone()
	rule := &c.Listeners[l].Rules[i]
	if len(actions) > 0 {
		if err := s.checkActions(r, c.Listeners[l].Protocol, actions, rule.OIDC()); err != nil {
			return nil, err
		}
		rule.Actions = actions
	}
	if len(conditions) > 0 {
		rule.Conditions = conditions
	}
	s.store(r, b, c)
	return rulesResult{Rules: []ruleXML{rule.xml()}}, nil
}

func (s *Service) deleteRule(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := r.p.String("RuleArn")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	b, l, i, err := s.changeableRule(r.region, arn)
	if err != nil {
		return nil, err
	}
	c := b.current().clone()
	c.Listeners[l].Rules = slices.Delete(c.Listeners[l].Rules, i, i+1)
	delete(s.tags, arn)
	s.store(r, b, c)
	return nil, nil
}

// changeableRule finds a rule that is not a default rule; the text for those is the one a live account answers.
func (s *Service) changeableRule(region, arn string) (*balancer, int, int, error) {
	b, l, i, err := s.rule(region, arn)
	if err == nil && b.current().Listeners[l].Rules[i].Default {
		err = awsapi.Errorf("OperationNotPermitted", "Default rule '%s' cannot be modified", arn)
	}
	return b, l, i, err
}

// rule finds a rule's load balancer, the index of its listener there, and its own there. s.mu is held.
func (s *Service) rule(region, arn string) (*balancer, int, int, error) {
	if err := s.checkARN(region, arn, "listener-rule", "listener rule"); err != nil {
		return nil, 0, 0, err
	}
	for _, b := range s.live(region) {
		for l, listener := range b.current().Listeners {
			for i, rule := range listener.Rules {
				if rule.ARN == arn {
					return b, l, i, nil
				}
			}
		}
	}
	return nil, 0, 0, awsapi.Errorf("RuleNotFound", "Rule '%s' not found", arn)
}
