package clientsfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"alboidc.internal/shared/config"
)

// applyRoles gives each client the roles of the file that its load balancers and its search name, and puts a load
// balancer's ARN in the place of {arn: ARN, role: NAME}: what a client's document says of an account, it says once.
func (r *reader) applyRoles() {
	roles, clients := r.root.get("roles"), r.root.get("clients")
	if clients == nil || clients.kind != list {
		return
	}
	all := *clients
	all.items = nil
	for i, c := range clients.items {
		if c.kind == object {
			c = r.applyRolesTo(c, roles, fmt.Sprintf("clients[%d]", i))
		}
		all.items = append(all.items, c)
	}
	r.root = r.root.with("clients", &all)
}

func (r *reader) applyRolesTo(client, roles *node, path string) *node {
	out, given := client, client.get("roles")
	named := map[string]bool{}
	if name := client.get("loadBalancerSearch").get("role"); name != nil && name.kind == text {
		named[name.scalar] = true
	}
	if lbs := client.get("loadBalancers"); lbs != nil && lbs.kind == list {
		plain := *lbs
		plain.items = nil
		for i, x := range lbs.items {
			plain.items = append(plain.items, r.balancer(x, roles, given, named,
				fmt.Sprintf("%s.loadBalancers[%d]", path, i)))
		}
		out = out.with("loadBalancers", &plain)
	}
	own := &node{kind: object, members: map[string]member{}}
	if given != nil {
		if given.kind != object {
			return out
		}
		*own = *given
		own.members = maps.Clone(given.members)
	}
	for name := range named {
		if roles.get(name) != nil && own.get(name) == nil {
			own.members[name] = roles.members[name]
		}
	}
	if len(own.members) > 0 {
		out = out.with("roles", own)
	}
	return out
}

// balancer is a load balancer's ARN; of an object it notes the role.
func (r *reader) balancer(n, roles, own *node, named map[string]bool, path string) *node {
	if n.kind != object {
		return n
	}
	arn, role := n.get("arn"), n.get("role")
	if len(n.members) != 2 || arn == nil || arn.kind != text || role == nil || role.kind != text {
		r.addAt(n, path, "must be an ARN, or {arn: ARN, role: NAME} with the name of one of roles")
		return n
	}
	named[role.scalar] = true
	reaches := cmp.Or(roles.get(role.scalar), own.get(role.scalar))
	if reaches == nil {
		r.addAt(role, path, "must be the name of one of roles%s", namesOf(roles))
		return n
	}
	account := ""
	if to := reaches.get("roleArn"); to != nil {
		account = config.AccountOf(to.scalar)
	}
	if accountPattern.MatchString(account) && account != config.AccountOf(arn.scalar) {
		r.addAt(n, path, "is in account %s, and its role in account %s", config.AccountOf(arn.scalar), account)
		return n
	}
	return arn
}

func namesOf(roles *node) string {
	var names []string
	if roles != nil {
		for name := range roles.members {
			names = append(names, showName(name))
		}
	}
	slices.Sort(names)
	return config.ListNames(names)
}
