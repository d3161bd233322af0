package statemachine_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"testing"
)

func TestEveryVariableIsAssignedBeforeItIsUsedOnEveryPath(t *testing.T) {
	t.Parallel()
	for _, m := range all(t) {
		for _, p := range unassigned(m, nil) {
			t.Error(p)
		}
	}
}

func TestTheVariableCheckFindsAMissingAssignment(t *testing.T) {
	t.Parallel()
	m := parse(t)
	plan := m.States["Plan"]
	delete(plan.Assign, "spreadSeconds")
	if got := unassigned(m, nil); len(got) == 0 || !strings.Contains(strings.Join(got, " "), "$spreadSeconds") {
		t.Errorf("found %v", got)
	}
}

// unassigned lists the uses of variables that some path has not assigned.
func unassigned(m machine, outer map[string]bool) []string {
	entry := map[string]map[string]bool{}
	assigned(m, m.StartAt, outer, func(name string, vars map[string]bool) {
		if entry[name] == nil {
			entry[name] = with(vars, nil) // the walk goes on with its own
			return
		}
		for v := range entry[name] {
			if !vars[v] {
				delete(entry[name], v)
			}
		}
	})
	var out []string
	for name, s := range m.States {
		for _, v := range s.uses() {
			if !entry[name][v] {
				out = append(out, fmt.Sprintf("%s uses $%s, which is not assigned on every path to it", name, v))
			}
		}
		if s.ItemProcessor != nil {
			out = append(out, unassigned(*s.ItemProcessor, entry[name])...)
		}
	}
	sort.Strings(out)
	return out
}

// assigned walks every path and reports, at each arrival, which variables are surely assigned. It ends because a state
// is walked again only when an arrival has fewer variables than all before.
func assigned(m machine, start string, outer map[string]bool, arrive func(string, map[string]bool)) {
	best := map[string]map[string]bool{}
	var walk func(name string, vars map[string]bool)
	walk = func(name string, vars map[string]bool) {
		arrive(name, vars)
		if known, again := best[name]; again {
			fewer := map[string]bool{}
			for v := range known {
				if vars[v] {
					fewer[v] = true
				}
			}
			if len(fewer) == len(known) {
				return
			}
			vars = fewer
		}
		best[name] = vars
		s := m.States[name]
		for _, c := range s.Choices {
			walk(c.Next, with(vars, c.Assign))
		}
		for _, c := range s.Catch {
			walk(c.Next, with(vars, c.Assign))
		}
		for _, next := range []string{s.Next, s.Default} {
			if next != "" {
				walk(next, with(vars, s.Assign))
			}
		}
	}
	walk(start, with(outer, nil))
}

func with(vars map[string]bool, assign map[string]any) map[string]bool {
	out := map[string]bool{}
	for v := range vars {
		out[v] = true
	}
	for v := range assign {
		out[v] = true
	}
	return out
}

var (
	literal  = regexp.MustCompile(`'[^']*'`)
	variable = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*)(\s*\()?`)
	bound    = regexp.MustCompile(`\$([A-Za-z_][A-Za-z0-9_]*)\s*:=`)
	taken    = regexp.MustCompile(`function\(([^)]*)\)`)
)

// uses is every variable that a state's expressions read; functions, $states and what an expression binds itself do not
// count.
func (s state) uses() []string {
	parts := []any{s.Arguments, s.Items, s.Output, s.Seconds, s.Timestamp, s.Error, s.Cause, s.Condition, s.Assign}
	for _, c := range s.Choices {
		parts = append(parts, c.Condition, c.Assign, c.Output)
	}
	for _, c := range s.Catch {
		parts = append(parts, c.Assign, c.Output)
	}
	b, _ := json.Marshal(parts)
	var all []any
	_ = json.Unmarshal(b, &all)
	found := map[string]bool{}
	collect(all, found)
	out := make([]string, 0, len(found))
	for v := range found {
		out = append(out, v)
	}
	sort.Strings(out)
	return out
}

func collect(node any, found map[string]bool) {
	switch n := node.(type) {
	case string:
		if !strings.HasPrefix(n, "{%") {
			return
		}
		n = literal.ReplaceAllString(n, "")
		own := map[string]bool{"states": true}
		for _, m := range bound.FindAllStringSubmatch(n, -1) {
			own[m[1]] = true
		}
		for _, m := range taken.FindAllStringSubmatch(n, -1) {
			for _, parameter := range variable.FindAllStringSubmatch(m[1], -1) {
				own[parameter[1]] = true
			}
		}
		for _, m := range variable.FindAllStringSubmatch(n, -1) {
			if !own[m[1]] && m[2] == "" {
				found[m[1]] = true
			}
		}
	case []any:
		for _, x := range n {
			collect(x, found)
		}
	case map[string]any:
		for _, x := range n {
			collect(x, found)
		}
	}
}
