package demo

import (
	"fmt"
	"slices"
	"strings"

	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/imitations"
)

// failing is a way to make one state fail for good. The fault begins when the state is entered.
type failing struct {
	state string
	says  string
	rules func(w *world) []fault.Rule
}

// end is how the rotation ends: before anything was changed there is nothing to roll back.
func (f *failing) end() string {
	if f.state == "TestBeforeChange" {
		return "Refused"
	}
	return "RolledBack"
}

func (f *failing) inject(w *world) {
	for _, r := range f.rules(w) {
		_, _ = w.Stack.Faults.Add(r) // the rules below are valid
	}
}

// refuse is a fault that answers every matching request with an error that is not worth a retry.
func refuse(service, operation, match, code string) fault.Rule {
	return fault.Rule{Service: service, Operation: operation, Match: match, Mode: fault.Refuse, Status: 403, Code: code}
}

// failLogin makes the identity provider refuse the synthetic user, so that the smoke test cannot log in.
func failLogin(*world) []fault.Rule {
	return []fault.Rule{refuse("idp", "login", "smoke-test", "access_denied")}
}

// limitToOnce makes a rule refuse one request only, so that the rollback is let through.
func limitToOnce(r fault.Rule) fault.Rule {
	r.Times = 1
	return r
}

// failures are the states that can be made to fail.
func failures() []failing {
	return []failing{
		{"TestBeforeChange", "the synthetic user cannot log in", failLogin},
		{"CreateSecret", "the identity provider refuses to make a secret (403)", func(w *world) []fault.Rule {
			if im := imitations.All[w.Stack.Vendor]; len(im.Changes) > 0 {
				service, operation, _ := strings.Cut(im.Changes[0], ":")
				return []fault.Rule{refuse(service, operation, "", im.Denial)}
			}
			// where a person makes it, the step only writes the journal, and that fails
			return []fault.Rule{limitToOnce(refuse("dynamodb", "UpdateItem", "", "AccessDeniedException"))}
		}},
		{"VerifyNewSecret", "AWS refuses to let the smoke test read the new secret", func(w *world) []fault.Rule {
			return []fault.Rule{limitToOnce(refuse("secretsmanager", "GetSecretValue", w.SecretARN,
				"AccessDeniedException"))}
		}},
		{"SetSecret", "AWS refuses to change the third of five targets, a listener's default action",
			func(*world) []fault.Rule {
				return []fault.Rule{limitToOnce(refuse("elasticloadbalancing", "ModifyListener", "", "AccessDenied"))}
			}},
		{"PromoteSecret", "AWS refuses to move AWSCURRENT", func(*world) []fault.Rule {
			return []fault.Rule{refuse("secretsmanager", "UpdateSecretVersionStage", "AWSCURRENT",
				"AccessDeniedException")}
		}},
		{"TestSecret", "the synthetic user cannot log in", failLogin},
		{"RediscoverTargets", "AWS refuses to list a listener's rules", func(*world) []fault.Rule {
			return []fault.Rule{limitToOnce(refuse("elasticloadbalancing", "DescribeRules", "", "AccessDenied"))}
		}},
		{"ReassertSecret", "AWS refuses to change a target at the end of the grace period", func(*world) []fault.Rule {
			return []fault.Rule{limitToOnce(refuse("elasticloadbalancing", "ModifyRule", "", "AccessDenied"))}
		}},
		{"TestBeforeFinish", "the synthetic user cannot log in", failLogin},
		{"DisableOldSecret", "the old secret cannot be disabled (403)", func(w *world) []fault.Rule {
			if w.Stack.Vendor == "okta" {
				return []fault.Rule{refuse("idp", "okta.deactivateSecret", w.FirstSecretID, "E0000006")}
			}
			// the others cannot disable a secret: there the step only reads, and that fails
			return []fault.Rule{limitToOnce(refuse("dynamodb", "GetItem", "", "AccessDeniedException"))}
		}},
		{"TestAfterDisable", "the synthetic user cannot log in", failLogin},
	}
}

// findFault is the failure of a state; nil for "".
func findFault(state string) (*failing, error) {
	if state == "" {
		return nil, nil
	}
	all := failures()
	i := slices.IndexFunc(all, func(f failing) bool { return strings.EqualFold(f.state, state) })
	if i < 0 {
		names := make([]string, 0, len(all))
		for _, f := range all {
			names = append(names, f.state)
		}
		return nil, fmt.Errorf("FAIL=%s: the states that can be made to fail are %s", state, strings.Join(names, ", "))
	}
	return &all[i], nil
}
