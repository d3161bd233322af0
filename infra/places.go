package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
)

// places says which stack has what belongs to each client: 0 is the stack itself, the others are the further stacks of
// a file that one stack has no room for. Names of parameters, schedules and alarms are the account's, and a secret is
// kept by the stack that made it, so that nothing may move: the file of places is written before it is first needed,
// and is to be committed.
type places struct {
	// Stacks is how many further stacks there are; 0 until the first is needed. One whose last client goes is still
	// deployed, and takes new ones.
	Stacks  int            `json:"stacks"`
	Clients map[string]int `json:"clients"`
	// Addresses are those that hear of single clients: who has confirmed a subscription must not have to again.
	Addresses map[string]int `json:"addresses,omitempty"`
}

// clientsInStack is how many clients the stack itself has room for at best: each makes 9 to 13 resources, and one more
// for each further load balancer; a template has at most 500 (CloudFormation user guide, "Quotas"), and some 80 are
// there without any client. checkLimits counts them.
const clientsInStack = 31

// noted is from how many clients on places are written down, though the stack itself has room for all: nothing else
// will tell which of them it has when one too many comes, at any place of the file.
const noted = 10

// As much is put into a stack by places. A client that has a place may still grow there.
const (
	mostClients   = 25
	mostResources = 340
	mostBalancers = 150 // whose rules and listeners the policy of one role names
)

// placesPath is where the places of the clients of a file are written down, beside it.
func placesPath(clientsFile string) string {
	return strings.TrimSuffix(clientsFile, filepath.Ext(clientsFile)) + ".places.json"
}

// readPlaces reads what an earlier synth has written; nil if there is nothing.
func readPlaces(path string) (*places, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var p places
	ps := strictjson.Decode(data, &p, "")
	if len(ps) == 0 {
		p.check(&ps)
	}
	if err := ps.Err(path); err != nil {
		return nil,
			fmt.Errorf("%w\nIt says which stack has which client, and what is deployed must not move: put back "+
				"the text that was committed last, or after a merge all clients of both sides, each with its number",
				err)
	}
	return &p, nil
}

func (p places) check(ps *strictjson.Problems) {
	if p.Stacks < 0 || p.Stacks > config.MaxPlace {
		ps.Add("stacks", "must be 0 to %d, not %d", config.MaxPlace, p.Stacks)
	}
	for field, numbers := range map[string]map[string]int{"clients": p.Clients, "addresses": p.Addresses} {
		for _, name := range sorted(numbers) {
			if n := numbers[name]; n < 0 || n > p.Stacks {
				ps.Add(field+"."+name, "must be 0, the stack itself, or one of the %d further stacks, not %d",
					p.Stacks, n)
			}
		}
	}
}

// write writes the places down, if they are not written already.
func (p places) write(path string) (changed bool, err error) {
	text, err := json.MarshalIndent(p, "", "  ") // maps are sorted
	if err != nil {
		return false, err
	}
	text = append(text, '\n')
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) {
		return false, nil
	}
	return true, os.WriteFile(path, text, 0o644)
}

// missing are the clients with a place that the file has not, and those of the file without one, if there are any of
// both: a client whose place has another name, as it was misspelt or renamed, would be given a new one, and move.
func (p *places) missing(f File) (away, unknown []string) {
	if p == nil {
		return nil, nil
	}
	var names []string
	for _, c := range f.Clients {
		names = append(names, c.Name)
		if _, placed := p.Clients[c.Name]; !placed {
			unknown = append(unknown, c.Name)
		}
	}
	for _, name := range sorted(p.Clients) {
		if !slices.Contains(names, name) {
			away = append(away, name)
		}
	}
	if len(unknown) == 0 {
		return nil, nil
	}
	return away, unknown
}

// keep keeps the places of clients that are not in the file now: whether a file without them was deployed, nobody knows
// here, and one that comes back must not move.
func (p *places) keep(known *places) {
	if known == nil {
		return
	}
	for name, n := range known.Clients {
		if _, placed := p.Clients[name]; !placed {
			p.Clients[name] = n
		}
	}
}

// of returns the places of the clients of a file: those that have one keep it, and new ones go where there is room.
func (p places) of(f File) places { return p.extend(f, false) }

// first returns a file with those clients first that have a place already, and how many they are.
func (p *places) first(f File) (sorted File, deployed int) {
	if p == nil {
		return f, 0
	}
	var others []Client
	sorted, all := f, f.Clients
	sorted.Clients = nil
	for _, c := range all {
		if _, known := p.Clients[c.Name]; known {
			sorted.Clients = append(sorted.Clients, c)
		} else {
			others = append(others, c)
		}
	}
	deployed = len(sorted.Clients)
	sorted.Clients = append(sorted.Clients, others...)
	return sorted, deployed
}

// firstPlaces places the clients of a file for the first time. The first n stay in the stack itself, where they may be
// deployed already; it takes no others.
func firstPlaces(f File, n int) places {
	p := places{Clients: map[string]int{}, Addresses: map[string]int{}}
	for _, c := range f.Clients[:n] {
		p.Clients[c.Name] = 0
		for _, address := range c.Notifications.Email {
			p.Addresses[address] = 0
		}
	}
	return p.extend(f, true)
}

func (p places) extend(f File, full bool) places {
	out := places{Clients: map[string]int{}, Addresses: map[string]int{}}
	rooms := make([]room, p.Stacks+1)
	rooms[0].full = full
	for _, c := range f.Clients {
		if n, known := p.Clients[c.Name]; known {
			out.Clients[c.Name], rooms[n] = n, rooms[n].with(c, f.Stack.Region)
		}
	}
	for _, c := range f.Clients {
		if _, known := p.Clients[c.Name]; known {
			continue
		}
		n := slices.IndexFunc(rooms, func(r room) bool { return r.with(c, f.Stack.Region).fits() })
		if n < 0 {
			n, rooms = len(rooms), append(rooms, room{})
		}
		out.Clients[c.Name], rooms[n] = n, rooms[n].with(c, f.Stack.Region)
	}
	out.Stacks = len(rooms) - 1
	for _, c := range f.Clients {
		for _, address := range c.Notifications.Email {
			n, known := p.Addresses[address]
			if !known {
				n = out.Clients[c.Name]
			}
			if _, given := out.Addresses[address]; !given {
				out.Addresses[address] = n
			}
		}
	}
	return out
}

// in counts the clients of a stack.
func (p places) in(stack int) (n int) {
	for _, place := range p.Clients {
		if place == stack {
			n++
		}
	}
	return n
}

// room is how much of a stack is taken.
type room struct {
	clients, resources, balancers int
	full                          bool
}

// with adds a client, which is taken to share nothing with others.
func (r room) with(c Client, region string) room {
	here := balancersIn(region, c)
	r.clients++
	// parameter, secret, two schedules, and alarms; an alarm of each load balancer and two rules for some; and two
	// subscriptions of each address
	r.resources += 1 + 1 + 2 + 4 + len(here) + 2*((len(here)+watched-1)/watched) + 2*len(c.Notifications.Email)
	r.balancers += len(c.LoadBalancers)
	return r
}

func (r room) fits() bool {
	return !r.full && r.clients <= mostClients && r.resources <= mostResources && r.balancers <= mostBalancers
}
