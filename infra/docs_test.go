package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"alboidc.internal/statemachine"
)

// The documentation of the deployment is compared with the template, so that it stays true.

// rowsOf returns the cells of the rows of a Markdown table below the line that is its head, by their first cell.
func rowsOf(t *testing.T, file, head string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), head+"\n")
	if !ok {
		t.Fatalf("%s has no table %s", file, head)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(rest, "\n")[1:] {
		if !strings.HasPrefix(line, "|") {
			break
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = cells[1:]
	}
	return rows
}

// manyClients is a file with n clients like the first of the example, each with one load balancer in the stack's
// Region.
func manyClients(t *testing.T, n int) File {
	t.Helper()
	f, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	one := f.Clients[0]
	f.Clients = nil
	for i := range n {
		c := one
		c.Name = fmt.Sprintf("%s-%d", one.Name, i)
		c.Secret.ARN = strings.Replace(one.Secret.ARN, "orders-web", c.Name, 1)
		c.LoadBalancers = []string{strings.Replace(one.LoadBalancers[0],
			"app/orders", fmt.Sprintf("app/orders-%d", i), 1)}
		f.Clients = append(f.Clients, c)
	}
	return f
}

// aslState is what the quantities need of a state.
type aslState struct {
	Resource  string
	Arguments struct{ FunctionName string }
	// ItemProcessor of a Map: its states run once for ten targets.
	ItemProcessor *struct{ States map[string]aslState }
}

// invoked is what an execution that goes a path invokes: functions by state.
func invoked(t *testing.T, golden string) (path []string, functions map[string]string) {
	t.Helper()
	var machine struct{ States map[string]aslState }
	if err := json.Unmarshal([]byte(statemachine.Definition), &machine); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("../local/guarantees/testdata/paths/" + golden)
	if err != nil {
		t.Fatal(err)
	}
	path = strings.Fields(string(text))
	functions = map[string]string{}
	names := map[string]string{}
	for _, f := range statemachine.Functions() {
		names["${"+f.Placeholder+"}"] = f.Name
	}
	add := func(name string, s aslState) {
		if f := names[s.Arguments.FunctionName]; f != "" && slices.Contains(path, name) {
			functions[name] = f
		}
	}
	for name, s := range machine.States {
		add(name, s)
		if s.ItemProcessor == nil {
			continue
		}
		for name, s := range s.ItemProcessor.States {
			add(name, s)
		}
	}
	return path, functions
}

// quantities of a month in which every client rotates once and is measured daily, by the rows of docs/cost.md.
func quantities(t *testing.T, n int) map[string]float64 {
	t.Helper()
	file := manyClients(t, n)
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	q := map[string]float64{
		"KMS key":                      float64(len(tpl.of("AWS::KMS::Key"))),
		"CloudWatch dashboard":         float64(len(tpl.of("AWS::CloudWatch::Dashboard"))),
		"metrics of CloudWatch alarms": 0, "secrets, of yours too": secretsOf(file),
	}
	for _, id := range tpl.of("AWS::CloudWatch::Alarm") {
		q["metrics of CloudWatch alarms"] += alarmMetrics(tpl.Resources[id])
	}
	addExecutions(t, q, tpl, "rotated", float64(n))
	addExecutions(t, q, tpl, "measured", measurements*float64(n))
	return q
}

// measurements of a client in a month, one a day.
const measurements = 30

// metricsOf are the custom metrics of an execution beside StepDuration by state, and in how many hours each is written
// at most.
// LoginLatency, Rotations, RotationDuration; SecretAge, SecretRefused, LockHeld
var metricsOf = map[string]struct{ metrics, hours float64 }{"rotated": {3, 2}, "measured": {3, 1}}

// addExecutions adds what a number of executions of a path takes.
func addExecutions(t *testing.T, q map[string]float64, tpl template, golden string, number float64) {
	t.Helper()
	path, functions := invoked(t, golden)
	for _, state := range path { // one call sets all five targets
		q["state transitions"] += number
		f := functions[state]
		if f == "" {
			continue
		}
		p := tpl.one(t, "AWS::Lambda::Function", "FunctionName", "alb-oidc-rotator-"+f).Properties
		q["Lambda requests"] += number
		q["Lambda GB-seconds, at most"] += number * p["Timeout"].(float64) * p["MemorySize"].(float64) / 1024
	}
	m := metricsOf[golden]
	q["hours of custom metrics, at most"] += m.hours * (float64(len(functions)) + m.metrics) * number
}

// alarmMetrics is how many metrics an alarm is charged for: each one that its expression reads.
func alarmMetrics(r resource) float64 {
	list, ok := r.Properties["Metrics"].([]any)
	if !ok {
		return 1
	}
	n := 0.0
	for _, m := range list {
		if m.(map[string]any)["MetricStat"] != nil {
			n++
		}
	}
	return n
}

func secretsOf(f File) float64 {
	var list []string
	for _, c := range f.Clients {
		list = append(append(list, c.Secret.ARN), c.AdminSecrets()...)
		for _, l := range c.SmokeTests.Login {
			list = append(list, l.UserSecretARN)
		}
	}
	return float64(len(unique(list)))
}

var pricePattern = regexp.MustCompile(`^\$([0-9.]+)(?: / ([0-9,]+))?$`)

func price(t *testing.T, text string) float64 {
	t.Helper()
	m := pricePattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("%q is no price", text)
	}
	p, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	if m[2] == "" {
		return p
	}
	per, err := strconv.ParseFloat(strings.ReplaceAll(m[2], ",", ""), 64)
	if err != nil {
		t.Fatal(err)
	}
	return p / per
}

func TestTheCostsInTheDocumentationAreThoseOfTheTemplate(t *testing.T) {
	rows := rowsOf(t, "../docs/cost.md", "| what | price | 1 client | 20 clients | cost of 1 | cost of 20 |")
	for column, n := range []int{1, 20} {
		total := 0.0
		q := quantities(t, n)
		for what, quantity := range q {
			row := rows[what]
			if row == nil {
				t.Errorf("docs/cost.md has no row %s: %g for %d clients", what, quantity, n)
				continue
			}
			cost := quantity * price(t, row[0])
			total += cost
			if got, want := row[1+column], strconv.FormatFloat(quantity, 'f', -1, 64); got != want {
				t.Errorf("%s for %d clients: docs/cost.md says %s, it is %s", what, n, got, want)
			}
			if got, want := row[3+column], dollars(cost); got != want {
				t.Errorf("cost of %s for %d clients: docs/cost.md says %s, it is %s", what, n, got, want)
			}
		}
		if got, want := rows["**together**"][3+column], dollars(total); got != want {
			t.Errorf("together for %d clients: docs/cost.md says %s, it is %s", n, got, want)
		}
		if len(rows) != len(q)+1 {
			t.Errorf("docs/cost.md has %d rows, %d are tested", len(rows), len(q)+1)
		}
	}
}

func dollars(x float64) string { return fmt.Sprintf("$%.2f", math.Round(x*100)/100) }

func TestTheFunctionsSizesInTheDocumentationAreThoseOfTheTemplate(t *testing.T) {
	rows := rowsOf(t, "../docs/deploying.md", "| function | memory | timeout | with `reserveConcurrency` |")
	tpl := changed(t, "# reserveConcurrency: true", "reserveConcurrency: true")
	if len(rows) != len(statemachine.Functions()) {
		t.Errorf("docs/deploying.md has %d functions", len(rows))
	}
	for _, f := range statemachine.Functions() {
		p := tpl.one(t, "AWS::Lambda::Function", "FunctionName", "alb-oidc-rotator-"+f.Name).Properties
		want := []string{fmt.Sprintf("%v MB", p["MemorySize"]), fmt.Sprintf("%v s", p["Timeout"]), "–"}
		if n := p["ReservedConcurrentExecutions"]; n != nil {
			want[2] = "reserved"
		}
		if got := rows["`"+f.Name+"`"]; !slices.Equal(got, want) {
			t.Errorf("%s: docs/deploying.md says %v, it is %v", f.Name, got, want)
		}
	}
}

// Each example is deployable as it is, and the guide leads to it.
func TestTheExamplesInTheDocumentationCanBeDeployed(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	found, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(found) != 2 {
		t.Fatalf("examples are %v: %v", found, err)
	}
	for _, path := range found {
		file, err := readFile(path)
		if err != nil {
			t.Error(err)
			continue
		}
		tpl, err := synthesized(file)
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
		// one rotates, one measures; and one for missing evidence
		if n := len(tpl.of("AWS::Scheduler::Schedule")); n != 2*len(file.Clients)+1 {
			t.Errorf("%s has %d schedules", path, n)
		}
		if !strings.Contains(string(guide), "(../infra/"+path+")") {
			t.Errorf("docs/deploying.md does not lead to %s", path)
		}
	}
}

// The guide's limits are those of the code.
func TestTheLimitsInTheDocumentationAreThoseOfTheCode(t *testing.T) {
	guide, err := os.ReadFile("../docs/deploying.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{fmt.Sprintf("More than %d clients", clientsInStack),
		fmt.Sprintf("100 + 3 × %d + %d × the number of clients", (&rotator{}).reserved("smoketest"), restores)} {
		if !strings.Contains(string(guide), want) {
			t.Errorf("docs/deploying.md does not say %q", want)
		}
	}
}

// A command that names a variable which nobody set, or another client than the others, cannot be pasted.
func TestCommandsInTheDocumentationCanBePasted(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	providers, _ := filepath.Glob("../docs/identity-providers/*.md")
	makefile := readRepository(t, "Makefile") + readRepository(t, "infra/infra.mk") + readRepository(t,
		"cmd/release.mk")
	block := regexp.MustCompile("(?ms)^ *```([a-z]*)\n(.*?)^ *```$")
	assigned := regexp.MustCompile(`(?m)(?:^ *|for )([A-Za-z_]+)(?:=| in )`)
	used := regexp.MustCompile(`\$([A-Za-z_]+)`)
	client := regexp.MustCompile(`(?:"client": "|--name |"S": ")([a-z-]+)["\n]|-rotator/([a-z-]+)/`)
	target := regexp.MustCompile(`(?m)^ *make ([a-z-]+)`)
	for _, page := range append(pages, append(providers, "../README.md", "../infra/README.md")...) {
		known := map[string]bool{"HOME": true}
		for _, m := range block.FindAllStringSubmatch(readRepository(t, strings.TrimPrefix(page, "../")), -1) {
			if m[1] != "" { // not for a shell
				continue
			}
			commands := m[2]
			for _, m := range assigned.FindAllStringSubmatch(commands, -1) {
				known[m[1]] = true
			}
			for _, m := range used.FindAllStringSubmatch(commands, -1) {
				if !known[m[1]] {
					t.Errorf("%s: nothing sets $%s, which is used in\n%s", page, m[1], commands)
				}
			}
			for _, m := range client.FindAllStringSubmatch(commands, -1) {
				if name := m[1] + m[2]; name != "orders-web" {
					t.Errorf("%s: another client than orders-web, %s, in\n%s", page, name, commands)
				}
			}
			for _, m := range target.FindAllStringSubmatch(commands, -1) {
				if !strings.Contains(makefile, "\n"+m[1]+":") && !strings.Contains(makefile, "\n"+m[1]+" ") {
					t.Errorf("%s: there is no make %s", page, m[1])
				}
			}
		}
	}
}
