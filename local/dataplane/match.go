package dataplane

import (
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/elbv2"
)

// match finds the rule for a request: rules come by priority with the default rule, which has no conditions, last.
func match(rules []elbv2.Rule, r *http.Request) elbv2.Rule {
	for _, rule := range rules {
		if !slices.ContainsFunc(rule.Conditions, func(c elbv2.Condition) bool { return !satisfied(c, r) }) {
			return rule
		}
	}
	return rules[len(rules)-1]
}

// satisfied compares host names without regard to case and port, and paths with regard to case and without the query
// (API reference, RuleCondition).
func satisfied(c elbv2.Condition, r *http.Request) bool {
	for _, v := range c.Values {
		switch c.Field {
		case elbv2.FieldHostHeader:
			if wildcard(strings.ToLower(v), strings.ToLower(hostname(r.Host))) {
				return true
			}
		case elbv2.FieldPathPattern:
			if wildcard(v, r.URL.EscapedPath()) {
				return true
			}
		}
	}
	return false
}

// hostname is a Host header without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// wildcard matches * (any characters, none too) and ? (exactly one character).
func wildcard(pattern, s string) bool {
	expression := strings.NewReplacer(`\*`, ".*", `\?`, ".").Replace(regexp.QuoteMeta(pattern))
	return regexp.MustCompile("^(?s:" + expression + ")$").MatchString(s)
}
