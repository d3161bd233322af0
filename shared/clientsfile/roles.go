package clientsfile

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"alboidc.internal/shared/config"
)

// applyRoles gives each client the roles of the file that its load balancers and its search name, and puts a load
// balancer's ARN in the place of {arn: ARN, role: NAME}: what a client's document says of an account, it says once.
func (r *reader) applyRoles() {
	roles, clients := r.root.get("roles"), r.root.get("clients")
	if clients == nil || clients.kind != list {
		return
	}
	top, all := *r.root, *clients
	all.items = nil
	for i, c := range clients.items {
		if c.kind == object {
			c = r.applyRolesTo(c, roles, fmt.Sprintf("clients[%d]", i))
		}
		all.items = append(all.items, c)
	}
	top.members = maps.Clone(top.members)
	m := top.members["clients"]
	m.value = &all
	top.members["clients"] = m
	r.root = &top
}

func (r *reader) applyRolesTo(client, roles *node, path string) *node {
	out := *client
	out.members = maps.Clone(client.members)
	named := map[string]bool{}
	if name := client.get("loadBalancerSearch").get("role"); name != nil && name.kind == text {
		named[name.scalar] = true
	}
	if lbs := client.get("loadBalancers"); lbs != nil && lbs.kind == list {
		plain := *lbs
		plain.items = nil
		for i, x := range lbs.items {
			plain.items = append(plain.items, r.balancer(x, roles, client.get("roles"), named,
				fmt.Sprintf("%s.loadBalancers[%d]", path, i)))
		}
		m := out.members["loadBalancers"]
		m.value = &plain
		out.members["loadBalancers"] = m
	}
	own := &node{kind: object, members: map[string]member{}}
	if given := client.get("roles"); given != nil {
		if given.kind != object {
			return &out
		}
		*own = *given
		own.members = maps.Clone(given.members)
	}
	for name := range named {
		if m, has := roles.memberOf(name); has && own.get(name) == nil {
			own.members[name] = m
		}
	}
	if len(own.members) > 0 {
		m := out.members["roles"]
		m.value = own
		out.members["roles"] = m
	}
	return &out
}

// memberOf is a member of an object.
func (n *node) memberOf(name string) (member, bool) {
	if n == nil {
		return member{}, false
	}
	m, has := n.members[name]
	return m, has
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
	m, known := roles.memberOf(role.scalar)
	if !known {
		m, known = own.memberOf(role.scalar)
	}
	if !known {
		r.addAt(role, path, "must be the name of one of roles%s", namesOf(roles))
		return n
	}
	account := ""
	if to := m.value.get("roleArn"); to != nil {
		account = config.AccountOf(to.scalar)
	}
	if accountPattern.MatchString(account) && account != config.AccountOf(arn.scalar) {
		r.addAt(n, path, "is in account %s, and its role in account %s", config.AccountOf(arn.scalar), account)
		return n
	}
	return arn
}

func namesOf(roles *node) string {
	if roles == nil || len(roles.members) == 0 {
		return ", and there are none"
	}
	var names []string
	for name := range roles.members {
		names = append(names, showName(name))
	}
	slices.Sort(names)
	return ": " + strings.Join(names, ", ")
}
