package console

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

func TestFailedLoginsStandOnTop(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 29, 6, 1, 0, 0, time.UTC)
	var live system.Live
	for _, s := range []struct{ before, ok, failed int }{{70, 9, 9}, {60, 40, 0}, {1, 38, 1}, {0, 3, 0}} {
		live.Seconds = append(live.Seconds, system.Second{At: now.Add(-time.Duration(s.before) * time.Second),
			Logins: system.Logins{OK: s.ok, Failed: s.failed}})
	}
	// of 40 logins at most in a second, each is 2.4 high; one that failed is seen
	want := []bar{{X: 0, OKHeight: 96}, {X: 59 * barWidth, OKY: 5, OKHeight: 91, BadY: 2, BadHeight: 3}}
	if got := drawLogins(live, now); got.Most != 40 || !reflect.DeepEqual(got.Bars, want) {
		t.Errorf("most %d, bars %+v", got.Most, got.Bars)
	}
}

func TestWhatIsKnownOfSecretsAndRules(t *testing.T) {
	t.Parallel()
	rec := evidence.Record{From: rotation.Ref{VersionID: "old-version"}, To: rotation.Ref{VersionID: "new-version"},
		Secrets: []evidence.Change{{Ref: rotation.Ref{VersionID: "old-version"}, What: "disabled"}},
		Targets: []evidence.Target{{ARN: "a", Name: "rule 1", Version: "new-version"}, {ARN: "b", Name: "rule 2"}}}
	known := secrets{labels: map[string]string{"AWSCURRENT": "new-version", "AWSPREVIOUS": "old-version"},
		journal: journal.Record{Journal: &journal.Journal{Secrets: map[string]journal.Entry{
			"old-version": {State: journal.Live, IdPSecretID: "A"}, "new-version": {State: journal.Live,
				IdPSecretID: "B"},
			"gone-version": {State: journal.Removed, IdPSecretID: "C"}}}}}
	want := []secretRow{
		{Version: "new-version", ID: "B", Labels: []string{"AWSCURRENT"}, Role: "new",
			State: "at the identity provider"},
		{Version: "old-version", ID: "A", Labels: []string{"AWSPREVIOUS"}, Role: "old",
			State: "disabled at the identity provider"}}
	if got := secretRows(rec, known, nil); !reflect.DeepEqual(got, want) {
		t.Errorf("on AWS: %+v", got)
	}
	live := &system.Live{Secrets: []system.Held{{ID: "A", Status: "inactive", Version: "old-version"},
		{ID: "X", Status: "active"}},
		Nodes: []system.Node{{Target: "a", Node: 0, Version: "new-version"},
			{Target: "a", Node: 1, Version: "old-version"},
			{Target: "b", Node: 0, Version: "other-version"}}}
	got := secretRows(rec, known, live)
	if len(got) != 3 || got[1].State != "inactive at the identity provider" || got[2].State != "active, of no version" {
		t.Errorf("on the local stack: %+v", got)
	}
	rows, nodes := targetRows(rec, live)
	wantRows := []targetRow{{Name: "rule 1", Role: "new", Nodes: []string{"new", "old"}},
		{Name: "rule 2", Role: "old", Nodes: []string{"other-ve", ""}}}
	if len(nodes) != 2 || !reflect.DeepEqual(rows, wantRows) {
		t.Errorf("rules %+v of nodes %v", rows, nodes)
	}
}

func TestNamesOfExecutionsAreThoseOfStepFunctions(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"orders-web-20261129T060000Z-abcdef": true, "by (hand)@2026": false,
		"by_(hand)@2026!": true, "größe.1": true, "": false, "a/b": false, "a:b": false, `a"b`: false, "a<b": false,
		"a\u0085b": false, "a\u202eb": false, "a%2Fb": false, strings.Repeat("a", 80): true,
		strings.Repeat("a", 81): false} {
		if executionName.MatchString(name) != want {
			t.Errorf("%q: want %v", name, want)
		}
	}
}
