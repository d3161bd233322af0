package config

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/strictjson"
)

// Role reaches the load balancers of another account.
type Role struct {
	// RoleARN is that of the role in the other account.
	RoleARN string `json:"roleArn"`
	// ExternalID is what the role's trust policy demands.
	ExternalID string `json:"externalId"`
}

// Account is the role's.
func (r Role) Account() string { return AccountOf(r.RoleARN) }

// AccountOf is the account of an ARN that a check has accepted.
func AccountOf(arn string) string { return partOf(arn, 4) }

// RegionOf is the Region of one.
func RegionOf(arn string) string { return partOf(arn, 3) }

func partOf(arn string, n int) string {
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		return parts[n]
	}
	return ""
}

var (
	rolePattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/([!-~]+/)?[\w+=,.@-]{1,64}$`)
	// externalPattern is what STS takes (STS API reference, AssumeRole, ExternalId).
	externalPattern = regexp.MustCompile(`^[\w+=,.@:/-]{2,}$`)
)

// IsRoleARN reports whether an ARN is that of an IAM role.
func IsRoleARN(arn string) bool { return rolePattern.MatchString(arn) }

// RolesByAccount are Roles by their accounts.
func (c Client) RolesByAccount() map[string]Role {
	out := map[string]Role{}
	for _, r := range c.Roles {
		out[r.Account()] = r
	}
	return out
}

// IsReachedByRole reports whether a load balancer is in an account that a role reaches.
func (c Client) IsReachedByRole(loadBalancer string) bool {
	_, is := c.RolesByAccount()[AccountOf(loadBalancer)]
	return is
}

// checkRoles: at most one role for an account.
func (c Client) checkRoles(ps *strictjson.Problems) {
	if s := c.LoadBalancerSearch; s != nil && s.Role != "" {
		if _, known := c.Roles[s.Role]; !known {
			ps.Add("loadBalancerSearch.role", "must be one of roles%s", ListNames(slices.Sorted(maps.Keys(c.Roles))))
		}
	}
	seen := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		r, path := c.Roles[name], "roles."+name
		switch {
		case !IsRoleARN(r.RoleARN):
			ps.Add(path+".roleArn", "must be the ARN of a role in another account: arn:aws:iam::ACCOUNT:role/NAME")
		case seen[r.Account()] != "":
			ps.Add(path+".roleArn", "is in account %s, for which there is the role %s: one role reaches an account",
				r.Account(), seen[r.Account()])
		case r.Account() == AccountOf(c.Secret.ARN):
			ps.Add(path+".roleArn", "is in account %s, that of the client's secret, where no role is needed",
				r.Account())
		}
		seen[r.Account()] = name
		if len(r.ExternalID) > 1224 || !externalPattern.MatchString(r.ExternalID) {
			ps.Add(path+".externalId", "must be the external id of the role's trust policy, 2 to 1224 characters: "+
				"letters, digits and _+=,.@:/-")
		}
	}
}

// ListNames says in the text of a problem which names there are.
func ListNames(names []string) string {
	if len(names) == 0 {
		return ", and there are none"
	}
	return ": " + strings.Join(names, ", ")
}
