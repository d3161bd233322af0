package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestAlarmsWatchWhatIsPromised(t *testing.T) {
	tpl := exampleTemplate(t)
	measured := func(m map[string]string) map[string]string {
		out := map[string]string{"Namespace": "AlbOidcRotator", "Statistic": "Maximum", "TreatMissingData": "ignore",
			"Period": "3600"}
		maps.Copy(out, m)
		return out
	}
	for name, want := range map[string]map[string]string{
		// a day and four hours
		"orders-web/rotation-long":  measured(map[string]string{"MetricName": "LockHeld", "Threshold": "100800"}),
		"orders-web/secret-refused": measured(map[string]string{"MetricName": "SecretRefused", "Threshold": "0"}),
		"dead-letters":              {"MetricName": "ApproximateNumberOfMessagesVisible", "Threshold": "0"},
		"auth-errors-orders-50dc6c495c0c9188-0": {"MetricName": "ELBAuthError", "Namespace": "AWS/ApplicationELB",
			"Threshold": "3",
			"Period":    "300", "DatapointsToAlarm": "2", "EvaluationPeriods": "3"},
		// late data points count
		"rotation-failed": {"Threshold": "0", "DatapointsToAlarm": "1", "EvaluationPeriods": "3"},
	} {
		r := tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName", "alb-oidc-rotator-"+name)
		for key, value := range map[string]string{"TreatMissingData": "notBreaching",
			"ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": "1"} {
			if want[key] == "" {
				want[key] = value
			}
		}
		expect(t, name, r, want)
		for _, client := range []string{"orders-web", "shop-web"} {
			if strings.HasPrefix(name, client+"/") && text(r.Properties["Dimensions"]) != `[{"Name":"client","Value":"`+
				client+`"}]` {
				t.Errorf("%s watches %s", name, text(r.Properties["Dimensions"]))
			}
		}
		if actions := texts(r.Properties["AlarmActions"]); len(actions) != 1 || !strings.HasPrefix(actions[0],
			"<Notifications") {
			t.Errorf("%s goes to %v", name, actions)
		}
	}
}

// mortal is the example with a first client whose identity provider ends secrets by itself.
func mortal(t *testing.T) template {
	t.Helper()
	f, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	p := &f.Clients[0].IdentityProvider
	p.Type, p.Settings = "entra",
		[]byte(
			`{"tenantId":"example.onmicrosoft.com","webIdentity":{"clientId":"11112222-bbbb-3333-cccc-4444dddd5555"}}`)
	tpl, err := synthesized(f)
	if err != nil {
		t.Fatal(err)
	}
	return tpl
}

func TestTheEndOfASecretIsWatchedWhereTheIdentityProviderTellsIt(t *testing.T) {
	tpl := mortal(t)
	r := tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName", "alb-oidc-rotator-orders-web/secret-ends")
	expect(t, "secret-ends", r, map[string]string{"Namespace": "AlbOidcRotator", "MetricName": "SecretEndsIn",
		"Statistic": "Minimum", "Threshold": "604800",
		"ComparisonOperator": "LessThanThreshold", "TreatMissingData": "ignore"})
	for _, id := range tpl.of("AWS::CloudWatch::Alarm") {
		if name := text(tpl.Resources[id].Properties["AlarmName"]); name == "alb-oidc-rotator-shop-web/secret-ends" {
			t.Errorf("%s would never have data: Okta gives secrets no end", name)
		}
	}
	for _, w := range widgets(t, tpl) {
		shown, _ := json.Marshal(w.Properties.Metrics)
		if strings.HasSuffix(w.Properties.Title, "as last measured") && strings.Contains(string(shown),
			"SecretEndsIn") != strings.HasPrefix(w.Properties.Title, "orders-web") {
			t.Errorf("%s: %s", w.Properties.Title, shown)
		}
	}
}

// Two days in a row: of an age that is too high, or without a measurement.
func TestTheAlarmOnTheAgeRingsWithoutMeasurementsToo(t *testing.T) {
	tpl := exampleTemplate(t)
	for client, age := range map[string]string{"orders-web": "2851200", "shop-web": "3024000"} { // 30 + 1 + 2 days; 35
		r := tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName", "alb-oidc-rotator-"+client+"/secret-age")
		expect(t, client, r, map[string]string{"Threshold": age, "ComparisonOperator": "GreaterThanThreshold",
			"TreatMissingData":  "breaching",
			"DatapointsToAlarm": "2", "EvaluationPeriods": "2"})
		filled, measured := at(t, r.Properties, "Metrics", 0), text(at(t, r.Properties, "Metrics", 1, "MetricStat"))
		if got := text(at(t, filled, "Expression")); got != "FILL(age, 1000000000)" { // 31 years
			t.Errorf("%s: a day without a measurement is %s", client, got)
		}
		for _, want := range []string{`"SecretAge"`, `"Value":"` + client + `"`, `"Period":86400`, `"Maximum"`} {
			if !strings.Contains(measured, want) {
				t.Errorf("%s: the alarm watches %s", client, measured)
			}
		}
	}
}

// A sum of metrics has no value where one of them has none, and most days no execution is aborted.
func TestTheAlarmOnFailuresRingsForEachKindOfFailureAlone(t *testing.T) {
	failed := text(exampleTemplate(t).one(t, "AWS::CloudWatch::Alarm", "AlarmName",
		"alb-oidc-rotator-rotation-failed").Properties["Metrics"])
	for id, m := range map[string]string{"failed": "ExecutionsFailed", "aborted": "ExecutionsAborted",
		"timedout": "ExecutionsTimedOut"} {
		if !strings.Contains(failed, m) || !strings.Contains(failed, "FILL("+id+", 0)") {
			t.Errorf("the alarm rotation-failed does not count %s alone: %s", m, failed)
		}
	}
}

func TestEachClientHasItsOwnLimitOfAuthenticationErrors(t *testing.T) {
	tpl := changed(t, "    # alarms:\n    #   authErrors: 3", "    alarms: {authErrors: 20}")
	for balancer, want := range map[string]string{"orders-50dc6c495c0c9188": "20", "shop-1d9f7a41c2b3e856": "3"} {
		expect(t, balancer, tpl.one(t, "AWS::CloudWatch::Alarm", "AlarmName",
			"alb-oidc-rotator-auth-errors-"+balancer+"-0"),
			map[string]string{"Threshold": want})
	}
	smoke := changed(t, "# maxAuthErrors: 0", "maxAuthErrors: 50")
	expect(t, "the smoke tests' limit", smoke.one(t, "AWS::CloudWatch::Alarm", "AlarmName",
		"alb-oidc-rotator-auth-errors-orders-50dc6c495c0c9188-0"), map[string]string{"Threshold": "3"})
}

// Two alarms of a load balancer's or client's name in different Regions or stacks are not told apart by people.
func TestTheRunbookSaysWhatToDoAtEachAlarm(t *testing.T) {
	rows := rowsOf(t, "../docs/runbook.md", "| alarm | rings when | what to do |")
	names := map[string]bool{}
	tpl := mortal(t)
	for _, id := range tpl.of("AWS::CloudWatch::Alarm") {
		name := strings.TrimPrefix(text(tpl.Resources[id].Properties["AlarmName"]), "alb-oidc-rotator-")
		name = strings.NewReplacer("orders-web/", "CLIENT/", "shop-web/", "CLIENT/").Replace(name)
		if strings.HasPrefix(name, "auth-errors-") {
			name = "auth-errors-BALANCER"
		}
		names["`"+name+"`"] = true
	}
	if got, want := sorted(rows), sorted(names); !slices.Equal(got, want) {
		t.Errorf("docs/runbook.md has %v, there are %v", got, want)
	}
}

// Messages and alarms link to entries of the runbook, wherever somebody keeps it.
func TestEveryLinkIntoTheRunbookHasItsEntry(t *testing.T) {
	runbook, err := os.ReadFile("../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	entries := []string{"rotated", "repaired", "rolledback", "refused", "superseded", "reconfigured", "lockheld",
		"notstarted",
		"invalidinput", "at-a-task", "stopped", "changedbyothers", "wouldberefused", "endssoon"}
	tpl := mortal(t)
	for _, id := range tpl.of("AWS::CloudWatch::Alarm") {
		description := text(tpl.Resources[id].Properties["AlarmDescription"])
		_, entry, found := strings.Cut(description, " Runbook: docs/runbook.md#")
		if !found {
			t.Errorf("%s has no entry in the runbook: %s", id, description)
		}
		entries = append(entries, entry)
	}
	for _, e := range entries {
		if n := strings.Count(string(runbook), `<a id="`+e+`"></a>`); n != 1 {
			t.Errorf("docs/runbook.md has %d entries %s", n, e)
		}
	}
	const url = "https://git.example.com/rotator/blob/main/docs/runbook.md"
	moved := changed(t, "  # logRetentionDays: 90", "  runbookUrl: "+url)
	alarm := moved.one(t, "AWS::CloudWatch::Alarm", "AlarmName", "alb-oidc-rotator-dead-letters")
	if got := text(alarm.Properties["AlarmDescription"]); !strings.HasSuffix(got,
		" Runbook: "+url+"#alarm-dead-letters") {
		t.Errorf("the alarm says %s", got)
	}
	for _, name := range []string{"alb-oidc-rotator", "alb-oidc-rotator-notifier"} {
		expect(t, name, moved.one(t, "AWS::StepFunctions::StateMachine", "StateMachineName", name),
			map[string]string{"DefinitionSubstitutions.Runbook": url})
	}
}

// The URL becomes part of an expression.
func TestARunbookThatIsNoURLIsRefused(t *testing.T) {
	for _, wrong := range []string{"http://example.com/runbook", "https://example.com/run'book",
		"https://example.com/runbook#top", "wiki", "https://example.com/{% x %}"} {
		if _, err := parseFile(changedText(t, "  # logRetentionDays: 90", "  runbookUrl: \""+wrong+"\"")); err == nil ||
			!strings.Contains(err.Error(), "stack.runbookUrl") {
			t.Errorf("%s: %v", wrong, err)
		}
	}
}

// widgets of a dashboard.
type widget struct {
	Type       string
	Properties struct {
		Title    string
		Markdown string
		Query    string
		Alarms   []string
		Metrics  []any
	}
}

func widgets(t *testing.T, tpl template) []widget {
	t.Helper()
	var body struct{ Widgets []widget }
	shown := text(tpl.one(t, "AWS::CloudWatch::Dashboard", "DashboardName",
		"alb-oidc-rotator-eu-central-1").Properties["DashboardBody"])
	if err := json.Unmarshal([]byte(shown), &body); err != nil {
		t.Fatal(err)
	}
	return body.Widgets
}

// emitted are the names of our metrics, from the code that writes them.
func emitted(t *testing.T) string {
	t.Helper()
	source, err := os.ReadFile("../shared/telemetry/metrics.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(source)
}

func TestTheDashboardShowsHowEveryClientIsAndWhenItLastRotated(t *testing.T) {
	list := widgets(t, exampleTemplate(t))
	titles := map[string]string{}
	all, _ := json.Marshal(list)
	for _, w := range list {
		metrics, _ := json.Marshal(w.Properties.Metrics)
		titles[w.Properties.Title] += string(metrics) + strings.Join(w.Properties.Alarms, ",")
	}
	for _, client := range []string{"orders-web", "shop-web"} {
		for title, metrics := range map[string][]string{
			client + ", as last measured": {"days since its secret was made", "SecretAge", "SecretRefused",
				"LockHeld"},
			"Ended rotations of " + client:   {`"outcome","rotated"`, `"outcome","rolled-back"`},
			"Login of " + client + " in the": nil,
		} {
			for _, m := range metrics {
				if !strings.Contains(titles[title], m) || !strings.Contains(titles[title], client) {
					t.Errorf("%s does not show %s: %s", title, m, titles[title])
				}
			}
		}
	}
	for _, alarm := range []string{"Ageordersweb", "Lockordersweb", "Refusedordersweb"} {
		if shown := titles["Alarms of orders-web"]; !strings.Contains(shown, alarm) ||
			strings.Contains(shown, "shopweb") {
			t.Errorf("the alarms of orders-web are %s", shown)
		}
	}
	for _, want := range []string{"ELBAuthError", "eu-west-1", "measured once a day", "rotator explain CLIENT",
		"/states/home?region=eu-central-1#/statemachines/view/arn:aws:states:eu-central-1:111122223333:stateMachine:" +
			"alb-oidc-rotator)", "`rate(30 days)` | UTC | ENABLED", "`cron(0 3 1 * ? *)` | Europe/Berlin | ENABLED",
		"/scheduler/home?region=eu-central-1#schedules/alb-oidc-rotator/shop-web)"} {
		if !strings.Contains(string(all), want) {
			t.Errorf("the dashboard does not show %s", want)
		}
	}
}

func TestTheDashboardShowsOnlyMetricsThatAreWritten(t *testing.T) {
	source := emitted(t)
	seen := 0
	for _, w := range widgets(t, exampleTemplate(t)) {
		for _, m := range w.Properties.Metrics {
			series, _ := m.([]any)
			if len(series) < 2 || series[0] != "AlbOidcRotator" {
				continue
			}
			seen++
			if !strings.Contains(source, fmt.Sprintf("m.put(%q,", series[1])) {
				t.Errorf("%s is never written", series[1])
			}
			for i, x := range series {
				if x == "outcome" && !strings.Contains(source, fmt.Sprintf("Outcome = %q", series[i+1])) {
					t.Errorf("no rotation ends as %s", series[i+1])
				}
			}
		}
	}
	if seen < 12 {
		t.Errorf("only %d series of ours were found", seen)
	}
}

// The largest stack that the file allows: its resources fit into a template, and its alarms into the dashboard's
// widgets.
func TestAsManyClientsAsAllowedFitIntoTheStackAndTheDashboard(t *testing.T) {
	file := manyClients(t, clientsInStack)
	for i := range file.Clients {
		c := &file.Clients[i]
		c.CreateSecret = true
		c.Notifications.Email = []string{fmt.Sprintf("team-%d@example.com", i)}
	}
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(tpl.Resources); n > 500 {
		t.Errorf("%d clients make %d resources, a template has at most 500", clientsInStack, n)
	}
	shown, list := map[string]int{}, widgets(t, tpl)
	if n := len(list); n > 500 {
		t.Errorf("the dashboard has %d widgets, at most 500 are possible", n)
	}
	rows, metrics := 0, 0
	for _, w := range list {
		metrics += len(w.Properties.Metrics)
		rows += strings.Count(w.Properties.Markdown, "#schedules/alb-oidc-rotator/")
		for _, a := range w.Properties.Alarms {
			shown[a]++
		}
		if n := len(w.Properties.Alarms); n > 100 {
			t.Errorf("a widget shows %d alarms, at most 100 are possible", n)
		}
	}
	if n := len(tpl.of("AWS::CloudWatch::Alarm")); len(shown) != n || n <= 100 {
		t.Errorf("%d of %d alarms are shown", len(shown), n)
	}
	if rows != clientsInStack || metrics > 2500 {
		t.Errorf("the schedules of %d clients and %d metrics are shown", rows, metrics)
	}
}

// People read the same verdict in an alarm, in a message and in rotator explain.
func TestAlarmsSpeakAsRotatorExplainDoes(t *testing.T) {
	sources, err := filepath.Glob("../cmd/internal/*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var command strings.Builder
	for _, path := range sources {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(path, "_test.go") {
			command.Write(source)
		}
	}
	said := regexp.MustCompile(` Users: ([^:.]+)[:.].* What to do: (.+) Runbook: `)
	tpl := mortal(t)
	for _, id := range tpl.of("AWS::CloudWatch::Alarm") {
		description := text(tpl.Resources[id].Properties["AlarmDescription"])
		m := said.FindStringSubmatch(description)
		if m == nil || len(description) > 1024 {
			t.Errorf("%s says %q", id, description)
			continue
		}
		// Only the alarm that rings before anything happens has a verdict of its own.
		if verdict := m[1]; verdict != "not affected yet" && !strings.Contains(command.String(), verdict+":") {
			t.Errorf("%s: rotator explain never says %q", id, verdict)
		}
		for _, c := range regexp.MustCompile(`rotator ([a-z]+)`).FindAllStringSubmatch(m[2], -1) {
			if !strings.Contains(command.String(), `"`+c[1]+" ") {
				t.Errorf("%s names the command rotator %s", id, c[1])
			}
		}
	}
}
