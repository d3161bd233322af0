package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

// view is an execution as a page shows it.
type view struct {
	Execution system.Execution
	Name      string
	Kind      string
	Headline  string
	Good, Bad bool
	// State is where it is, and Says what that means.
	State, Says string
	Parts       []words.Part
	URL         string
	Graph       drawing
	Lines       []words.Line
	Secrets     []secretRow
	Moves       []evidence.Move
	Targets     []targetRow
	Nodes       []int
	Checks      []evidence.Check
	Plan        *words.Plan
	Measured    []string
	Problems    []string
	// SecretProblems are what could not be read of the secrets.
	SecretProblems []string
}

// secretRow is one secret: a version, and what the identity provider has of it.
type secretRow struct {
	Version, ID, ClientID string
	Labels                []string
	Role                  string // new or old, in this execution
	State                 string
}

// targetRow is a login rule, and which secret it has.
type targetRow struct {
	Name, Role string
	Set        time.Time
	Nodes      []string // roles, by node
}

// show makes the view of an execution.
func (c *Console) show(r *run, live *system.Live, known secrets) view {
	rec := r.record
	v := view{Execution: r.execution, Name: words.Name(r.execution.ARN), Kind: words.KindOf(r.execution),
		Headline: words.OneLine(r.told.Headline(c.Now())), Parts: r.told.Parts(), URL: r.told.URL,
		Moves: rec.Labels, Checks: rec.Checks, Problems: r.Problems, State: r.told.State}
	if r.told.ARN == "" {
		v.Headline = "It has just been started."
	}
	if c.System.Local != "" {
		v.URL = "" // no AWS console knows it
	}
	v.Lines = slices.Clone(r.lines)
	slices.Reverse(v.Lines)
	v.Says = v.says()
	v.Good = r.execution.Status == "SUCCEEDED"
	v.Bad = r.execution.Status != "" && !v.Good && !r.execution.Running()
	v.Graph = c.machine.draw(c.machine.follow(rec, c.Now()))
	v.Secrets, v.SecretProblems = secretRows(rec, known, live), known.Problems
	v.Targets, v.Nodes = targetRows(rec, live)
	if v.Kind == string(evidence.Plan) && v.Good {
		var p words.Plan
		if json.Unmarshal(r.execution.Output, &p) == nil && p.Action != "" {
			v.Plan = &p
		}
	}
	if rec.Measured != nil {
		v.Measured = words.Measurement(*rec.Measured)
	}
	return v
}

// says is what the state means in which the execution is.
func (v view) says() string {
	if !v.Execution.Running() {
		return ""
	}
	for _, l := range v.Lines {
		if l.State == v.State {
			return l.Says
		}
	}
	return ""
}

// role is what a version is to an execution.
func role(version string, from, to rotation.Ref) string {
	switch {
	case version == "":
		return ""
	case version == to.VersionID:
		return "new"
	case version == from.VersionID:
		return "old"
	}
	return short(version)
}

// short is the beginning of a version id, as AWS's consoles show it.
func short(version string) string { return version[:min(8, len(version))] }

// secretRows are the secrets that the journal, the labels, the execution or the local stack know of, without those that
// are gone.
func secretRows(rec evidence.Record, known secrets, live *system.Live) []secretRow {
	rows := map[string]*secretRow{}
	at := func(version string) *secretRow {
		if rows[version] == nil {
			rows[version] = &secretRow{Version: version, Role: role(version, rec.From, rec.To)}
		}
		return rows[version]
	}
	if known.journal.Journal != nil {
		for version, e := range known.journal.Secrets {
			if e.State != journal.Removed || version == rec.From.VersionID || version == rec.To.VersionID {
				r := at(version)
				r.ID, r.ClientID, r.State = e.IdPSecretID, e.ClientID, journalSays(e.State)
			}
		}
	}
	for label, version := range known.labels {
		at(version).Labels = append(at(version).Labels, label)
	}
	for _, change := range rec.Secrets {
		if r := rows[change.VersionID]; r != nil {
			r.ID = cmp.Or(r.ID, change.IdPSecretID)
			if r.State == "" || change.What != "made" && r.State != journalSays(journal.Removed) {
				r.State = changeSays(change.What)
			}
		}
	}
	if live != nil {
		for _, s := range live.Secrets {
			if r := rows[s.Version]; s.Version != "" && r != nil {
				r.ID, r.State = s.ID, s.Status+" at the identity provider"
			} else if s.Version == "" {
				rows["?"+s.ID] = &secretRow{ID: s.ID, ClientID: s.ClientID, State: s.Status + ", of no version"}
			}
		}
	}
	out := []secretRow{}
	for _, r := range rows {
		slices.Sort(r.Labels)
		out = append(out, *r)
	}
	order := map[string]int{"new": 2, "old": 1}
	slices.SortFunc(out, func(a, b secretRow) int {
		return cmp.Or(order[b.Role]-order[a.Role], len(b.Labels)-len(a.Labels), strings.Compare(a.Version+a.ID,
			b.Version+b.ID))
	})
	return out
}

// journalSays is what the journal knows of a secret.
func journalSays(s journal.State) string {
	return map[journal.State]string{journal.Intended: "about to be made", journal.Live: "at the identity provider",
		journal.Kept: "not used; it cannot be removed there", journal.Removed: "gone"}[s]
}

// changeSays is what was done to a secret.
func changeSays(what string) string {
	switch what {
	case "made", "enabled", "unsupported":
		return journalSays(journal.Live)
	case "deleted", "absent":
		return journalSays(journal.Removed)
	case "kept":
		return journalSays(journal.Kept)
	}
	return what + " at the identity provider" // disabled, refused
}

// targetRows are the login rules: which secret was put on each, and which one each node uses where that is known.
func targetRows(rec evidence.Record, live *system.Live) (rows []targetRow, nodes []int) {
	uses := map[string]map[int]string{}
	if live != nil {
		count := map[int]bool{}
		for _, n := range live.Nodes {
			if uses[n.Target] == nil {
				uses[n.Target] = map[int]string{}
			}
			uses[n.Target][n.Node] = role(n.Version, rec.From, rec.To)
			count[n.Node] = true
		}
		nodes = slices.Sorted(maps.Keys(count))
	}
	for _, t := range rec.Targets {
		row := targetRow{Name: t.Name, Role: cmp.Or(role(t.Version, rec.From, rec.To), "old"), Set: t.Set}
		for _, n := range nodes {
			row.Nodes = append(row.Nodes, uses[t.ARN][n])
		}
		rows = append(rows, row)
	}
	return rows, nodes
}

// chart is what became of logins, second by second.
type chart struct {
	system.Live
	Bars          []bar
	Width, Height int
	Most          int
	Says          string
}

// bar is a second: its logins that worked, and on top those that failed.
type bar struct {
	X, OKY, OKHeight, BadY, BadHeight int
}

// Sizes of the chart.
const (
	seconds, barWidth, chartHeight = 60, 8, 96
)

// drawLogins draws the last minute.
func drawLogins(live system.Live, now time.Time) chart {
	c := chart{Live: live, Width: seconds * barWidth, Height: chartHeight, Most: 1}
	for _, s := range live.Seconds {
		c.Most = max(c.Most, s.Logins.OK+s.Logins.Failed+s.Logins.Late)
	}
	first := now.UTC().Truncate(time.Second).Add(-seconds * time.Second)
	for _, s := range live.Seconds {
		i := int(s.At.Sub(first) / time.Second)
		if i < 0 || i >= seconds {
			continue
		}
		ok, bad := s.Logins.OK*chartHeight/c.Most, (s.Logins.Failed+s.Logins.Late)*chartHeight/c.Most
		if s.Logins.Failed > 0 {
			bad = max(bad, 3)
		}
		c.Bars = append(c.Bars, bar{X: i * barWidth, OKHeight: ok, OKY: chartHeight - ok, BadHeight: bad,
			BadY: max(0, chartHeight-ok-bad)})
	}
	c.Says = fmt.Sprintf("%d logins worked and %d failed", live.Logins.OK, live.Logins.Failed)
	if live.Logins.Late > 0 {
		c.Says += fmt.Sprintf(", %d got no answer in time", live.Logins.Late)
	}
	c.Says += fmt.Sprintf("; %d sessions were refreshed and %d were not", live.Refreshes.OK, live.Refreshes.Failed)
	return c
}

// brief is a duration in a few characters.
func brief(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
