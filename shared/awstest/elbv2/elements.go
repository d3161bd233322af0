package elbv2

import (
	"encoding/xml"
	"fmt"
)

// AddElement gives every action of a rule, or of a listener's default rule, an element that AWS might add one day.
// Answers hold it until somebody replaces the actions.
func (s *Service) AddElement(region, arn, name, value string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.live(region) {
		c := b.current().clone()
		for l := range c.Listeners {
			for i := range c.Listeners[l].Rules {
				rule := &c.Listeners[l].Rules[i]
				if rule.ARN != arn && (c.Listeners[l].ARN != arn || !rule.Default) {
					continue
				}
				actions := make([]Action, 0, len(rule.Actions))
				for _, a := range rule.Actions {
					a.New = append([]Element{{XMLName: xml.Name{Local: name}, Value: value}}, a.New...)
					actions = append(actions, a)
				}
				rule.Actions = actions
				s.store(&request{}, b, c)
				return nil
			}
		}
	}
	return fmt.Errorf("no listener or rule %s in %s", arn, region)
}
