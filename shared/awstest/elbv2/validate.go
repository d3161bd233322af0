package elbv2

import (
	"net/url"

	"alboidc.internal/shared/awstest/awsapi"
)

func invalidAction(format string, args ...any) error {
	return awsapi.Errorf("InvalidLoadBalancerAction", format, args...)
}

func isHTTPSURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.Scheme == "https" && u.Host != ""
}

// checkActions applies the rules for the actions of one rule on a listener of the protocol given, and fills in the
// client secret: existing is the authenticate-oidc action that the request replaces, nil if there is none.
// s.mu is held.
func (s *Service) checkActions(r *request, protocol string, actions []Action, existing *OIDC) error {
	if err := checkOrder(actions); err != nil {
		return err
	}
	for _, a := range actions {
		if (a.Cognito != nil || a.OIDC != nil) && protocol != ProtocolHTTPS {
			return invalidAction("Actions of type '%s' are supported only on HTTPS listeners", a.Type)
		}
		if a.OIDC != nil {
			if err := resolveSecret(a.OIDC, existing); err != nil {
				return err
			}
		}
		if a.Forward != nil {
			for _, g := range a.Forward.TargetGroups {
				if _, err := s.group(r.region, g.ARN); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// checkOrder: every rule has exactly one of forward, redirect and fixed-response and it is performed last; rules with
// several actions need an order on each (API reference, CreateRule.Actions and Action.Order).
func checkOrder(actions []Action) error {
	if len(actions) == 0 {
		return validation("An action must be specified")
	}
	routing, logins := 0, 0
	seen := map[int]bool{}
	for _, a := range actions {
		if a.OIDC != nil || a.Cognito != nil {
			logins++
		} else {
			routing++
		}
		if len(actions) > 1 {
			if a.Order == 0 {
				return invalidAction("an order must be specified for every action of a rule with several actions")
			}
			if seen[a.Order] {
				return invalidAction("the order %d is used by more than one action", a.Order)
			}
			seen[a.Order] = true
		}
	}
	last := actions[len(actions)-1]
	switch {
	case routing != 1:
		return invalidAction("a rule must have exactly one action of type 'forward', 'redirect' or 'fixed-response'")
	case last.OIDC != nil || last.Cognito != nil:
		return invalidAction("the action of type 'forward', 'redirect' or 'fixed-response' must be the last to be " +
			"performed")
	case logins > 1:
		return invalidAction("a rule can have only one action that authenticates users")
	}
	return nil
}

// resolveSecret decides the stored secret: sent, or with UseExistingClientSecret the one already stored. The first
// text is the one a live account answers.
func resolveSecret(o, existing *OIDC) error {
	switch {
	case o.useExisting && o.ClientSecret != "":
		return invalidAction("You cannot both specify a client secret and set UseExistingClientSecret to true")
	case o.useExisting && existing == nil:
		return invalidAction("there is no existing client secret to use")
	case o.useExisting:
		o.ClientSecret, o.useExisting = existing.ClientSecret, false
	case o.ClientSecret == "":
		return invalidAction("a client secret must be specified")
	}
	return nil
}
