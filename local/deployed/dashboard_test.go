package deployed_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/local/scenario"
)

// logs are the lines that the functions write.
type logs struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// table is what the query of a log widget finds: as much of CloudWatch's language as our queries use. Every field must
// be in some line that passes the filter.
func (w *world) table(t *testing.T, title string) []map[string]string {
	t.Helper()
	source, command, _ := strings.Cut(w.logQuery(t, title), "| fields ")
	commands := strings.Split(command, "\n| ")
	if len(commands) != 4 || commands[3] != "dedup client" {
		t.Fatalf("the query of %q is %q", title, commands)
	}
	sort := strings.Fields(commands[2]) // sort FIELD desc
	var found []map[string]string
	missing := fieldsOf(commands[0])
	w.logs.mu.Lock()
	defer w.logs.mu.Unlock()
	for i, line := range strings.Split(strings.TrimSpace(w.logs.text.String()), "\n") {
		var record map[string]any
		if err := json.Unmarshal([]byte(line), &record); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		row := map[string]string{"@timestamp": fmt.Sprintf("%09d", i)}
		for k, v := range record {
			row[k] = fmt.Sprint(v)
		}
		if strings.Contains(source, "/"+scenario.MachineName+"-"+row["function"]+"'") && passes(t, row, commands[1]) {
			found = append(found, row)
			missing = slices.DeleteFunc(missing, func(f string) bool { return row[f] != "" })
		}
	}
	if len(missing) > 0 {
		t.Errorf("no line that %q shows has %v", title, missing)
	}
	slices.SortStableFunc(found, func(a, b map[string]string) int { return strings.Compare(b[sort[1]], a[sort[1]]) })
	seen := map[string]bool{}
	return slices.DeleteFunc(found, func(row map[string]string) bool {
		again := seen[row["client"]]
		seen[row["client"]] = true
		return again
	})
}

// logQuery is the query of a widget of the template's dashboard.
func (w *world) logQuery(t *testing.T, title string) string {
	t.Helper()
	for _, r := range w.tpl.Resources {
		if r.Type != "AWS::CloudWatch::Dashboard" {
			continue
		}
		var body struct {
			Widgets []struct{ Properties struct{ Title, Query string } }
		}
		if err := json.Unmarshal([]byte(w.tpl.text(t, r.Properties["DashboardBody"])), &body); err != nil {
			t.Fatal(err)
		}
		for _, x := range body.Widgets {
			if x.Properties.Title == title {
				return x.Properties.Query
			}
		}
	}
	t.Fatalf("the dashboard has no widget %q", title)
	return ""
}

// fieldsOf are the fields that a list shows; of concat("text", field) as name it is the field.
func fieldsOf(list string) []string {
	return strings.Split(regexp.MustCompile(`concat\(".*", (\w+)\) as \w+`).ReplaceAllString(list, "$1"), ", ")
}

// passes reports whether a line passes a filter of FIELD = "x", FIELD != "x" and FIELD in ["x", "y"], joined by and.
func passes(t *testing.T, row map[string]string, filter string) bool {
	t.Helper()
	ok := true
	for _, term := range strings.Split(strings.TrimPrefix(filter, "filter "), " and ") {
		m := regexp.MustCompile(`^(\w+) (=|!=|in) (.+)$`).FindStringSubmatch(term)
		if m == nil {
			t.Fatalf("the filter %s is not understood", filter)
		}
		listed := slices.Contains(strings.Split(strings.Trim(m[3], "[]"), ", "), `"`+row[m[1]]+`"`)
		ok = ok && listed == (m[2] != "!=")
	}
	return ok
}

// showsOnDashboard checks the client's rows of the dashboard's two tables.
func (w *world) showsOnDashboard(t *testing.T, execution, outcome, state string) {
	t.Helper()
	others := func(row map[string]string) bool { return row["client"] != scenario.Client }
	ended := slices.DeleteFunc(w.table(t, "Last execution of each client that has ended"), others)
	if len(ended) != 1 || ended[0]["execution"] != execution || ended[0]["outcome"] != outcome {
		t.Errorf("the dashboard shows as ended %v", ended)
	}
	steps := slices.DeleteFunc(w.table(t, "Last step of each client"), others)
	if len(steps) != 1 || steps[0]["state"] != state || !strings.HasSuffix(execution, ":"+steps[0]["rotation"]) {
		t.Errorf("the dashboard shows as last step %v", steps)
	}
}
