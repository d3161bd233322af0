package clientsfile

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"alboidc.internal/shared/config"
)

// applyRoles gives each client the roles of the file that its load balancers and its search name, and puts a load
// balancer's ARN in the place of {arn: ARN, role: NAME, canary: true}: what a client's document says of an account, it
// says once, and its canaries it lists.
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
		plain, canaries := *lbs, *lbs
		plain.items, canaries.items = nil, nil
		if listed := client.get("canaries"); listed != nil {
			canaries = *listed
		}
		for i, x := range lbs.items {
			arn := r.balancer(x, roles, given, named, fmt.Sprintf("%s.loadBalancers[%d]", path, i))
			plain.items = append(plain.items, arn)
			if c := x.get("canary"); c != nil && c.scalar == "true" {
				canaries.items = append(slices.Clip(canaries.items), arn)
			}
		}
		out = out.with("loadBalancers", &plain)
		if len(canaries.items) > 0 {
			out = out.with("canaries", &canaries)
		}
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
	arn, role, canary := n.get("arn"), n.get("role"), n.get("canary")
	known := 0
	for _, m := range []struct {
		value *node
		kind  kind
	}{{arn, text}, {role, text}, {canary, boolean}} {
		if m.value != nil && m.value.kind == m.kind {
			known++
		}
	}
	if arn == nil || known < 2 || known != len(n.members) {
		r.addAt(n, path, "must be an ARN, or {arn: ARN, role: NAME} with the name of one of roles, or "+
			"{arn: ARN, canary: true}, or have all three")
		return n
	}
	if role == nil {
		return arn
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
