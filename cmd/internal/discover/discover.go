// Package discover writes down which clients the load balancers of an account log users in with.
package discover

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
)

// Client is one registration at an identity provider, and where it is used.
type Client struct {
	Name     string `json:"name"`
	Issuer   string `json:"issuer"`
	ClientID string `json:"clientId"`
	Provider string `json:"provider"`
	// Logins are all actions with it; those of the first name of the provider come first.
	Logins []alb.Login `json:"-"`
	// Targets are the names of Logins, for people.
	Targets []string `json:"targets"`
	// LoadBalancers by ARN, in order.
	LoadBalancers []string `json:"loadBalancers"`
	// Follows are those of Targets that controllers own, each with its controller.
	Follows []string `json:"follows,omitempty"`
	// Refusals are why the client could not be rotated as it is; Warnings what to know.
	Refusals []string `json:"refusals,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
	// Documented: the provider's discovery document has the endpoints that the load balancers have.
	Documented bool `json:"documented,omitempty"`
	provider   provider
	authMethod string // tokenAuthMethod, if it is not the default
}

// Group finds the registrations behind actions, in the order of their names. The same client id under several names is
// one registration, except where people choose client ids.
func Group(logins []alb.Login) []Client {
	byKey := map[string][]alb.Login{}
	for _, l := range logins {
		key := l.ClientID
		if recognise(l).chosen {
			key += " " + l.Issuer
		}
		byKey[key] = append(byKey[key], l)
	}
	var out []Client
	names := map[string]int{}
	for _, key := range slices.Sorted(maps.Keys(byKey)) {
		c := group(byKey[key])
		if names[c.Name]++; names[c.Name] > 1 {
			c.Name = fmt.Sprintf("%s-%d", c.Name, names[c.Name])
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b Client) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// group describes one registration. The name of the provider that most actions have is its issuer.
func group(logins []alb.Login) Client {
	uses := map[string]int{}
	for _, l := range logins {
		uses[name(l)]++
	}
	slices.SortStableFunc(logins, func(a, b alb.Login) int {
		return cmp.Or(cmp.Compare(uses[name(b)], uses[name(a)]), strings.Compare(name(a), name(b)))
	})
	first := logins[0]
	c := Client{Issuer: first.Issuer, ClientID: first.ClientID, Logins: logins, provider: recognise(first)}
	c.Provider, c.Name = c.provider.kind, nameOf(logins)
	for _, l := range logins {
		c.Targets = append(c.Targets, l.Region+" "+l.Name+l.DescribeCanary())
		c.LoadBalancers = append(c.LoadBalancers, l.LoadBalancerARN)
		if l.Controller != "" {
			c.Follows = append(c.Follows, l.Region+" "+l.Name+" ("+l.Controller+")")
		} else {
			c.Refusals = append(c.Refusals, l.Refusals...)
		}
		c.Warnings = append(c.Warnings, l.Warnings...)
	}
	slices.Sort(c.LoadBalancers)
	c.LoadBalancers = slices.Compact(c.LoadBalancers)
	if len(c.Follows) > 0 { // then what else bears a controller's tag is set by the rotation
		c.Refusals, c.Warnings = nil, append(c.Warnings, c.Refusals...)
	}
	c.Refusals, c.Warnings = unique(c.Refusals), unique(c.Warnings)
	return c
}

// name is under which an action knows the provider.
func name(l alb.Login) string { return l.Issuer + " " + l.TokenEndpoint }

func unique(texts []string) (out []string) {
	for _, t := range texts {
		if !slices.Contains(out, t) {
			out = append(out, t)
		}
	}
	return out
}

var notInNames = regexp.MustCompile(`[^a-z0-9]+`)

// nameOf suggests a name for a client: of the first host that it logs in for, or of its load balancer.
func nameOf(logins []alb.Login) string {
	name := alb.Name(logins[0].LoadBalancerARN)
	for _, l := range logins {
		if len(l.Hosts) > 0 {
			name, _, _ = strings.Cut(l.Hosts[0], ".")
			break
		}
	}
	name = strings.Trim(notInNames.ReplaceAllString(strings.ToLower(name), "-"), "-")
	if len(name) > 36 { // of 40, so that two of one name can be told apart
		name = strings.Trim(name[:36], "-")
	}
	return cmp.Or(name, "client")
}

// Covered reports whether a configured client is about this registration.
func (c Client) Covered(configured []config.Client) bool {
	return slices.ContainsFunc(configured, func(k config.Client) bool {
		return slices.Contains(k.ClientIDs(), c.ClientID) && (!c.provider.chosen || sameIssuer(k, c.Issuer))
	})
}

func sameIssuer(k config.Client, issuer string) bool {
	return config.SameURL(k.Issuer, issuer) || slices.ContainsFunc(k.Aliases, func(a config.Alias) bool {
		return config.SameURL(a.Issuer, issuer)
	})
}

// Difference says how what was found differs from what is configured, a line for each difference.
func Difference(found []Client, configured []config.Client) (out []string) {
	for _, c := range found {
		if !c.Covered(configured) {
			out = append(out, fmt.Sprintf("+ client %s of %s, which %d actions log in with, is not in the file",
				c.ClientID,
				c.Issuer, len(c.Logins)))
		}
	}
	for _, k := range configured {
		out = append(out, differenceOf(k, found)...)
	}
	return out
}

// differenceOf is about one configured client.
func differenceOf(k config.Client, found []Client) (out []string) {
	used := map[string]bool{}
	for _, c := range found {
		if !c.Covered([]config.Client{k}) {
			continue
		}
		for _, l := range c.Logins {
			used[l.LoadBalancerARN] = true
			if !sameIssuer(k, l.Issuer) {
				out = append(out, fmt.Sprintf("+ %s: alias %s, of %s", k.Name, l.Issuer, l.Name))
			}
		}
	}
	if len(used) == 0 && k.Followers != nil && !k.HasBalancers() {
		return out // only followers use it
	}
	if len(used) == 0 {
		return append(out, fmt.Sprintf("- %s: no action logs in with it", k.Name))
	}
	if k.LoadBalancerSearch == nil {
		for _, arn := range slices.Sorted(maps.Keys(used)) {
			if !slices.Contains(k.LoadBalancers, arn) {
				out = append(out, fmt.Sprintf("+ %s: load balancer %s", k.Name, arn))
			}
		}
	}
	for _, arn := range k.LoadBalancers {
		if !used[arn] {
			out = append(out, fmt.Sprintf("- %s: load balancer %s has no action with it", k.Name, arn))
		}
	}
	return unique(out)
}
