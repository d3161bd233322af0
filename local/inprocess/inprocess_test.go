package inprocess_test

import (
	"io"
	"maps"
	"strings"
	"testing"

	"alboidc.internal/functions/entrypoint"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/stack"
	"alboidc.internal/statemachine"
)

// What the template gives the functions is read by them, or package deployed could not deploy it.
func TestTheEnvironmentIsWhatTheFunctionsRead(t *testing.T) {
	t.Parallel()
	s, err := stack.Start(t.Context(), stack.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	whole := map[string]string{entrypoint.EnvJournalTable: "journal", entrypoint.EnvParameterPrefix: "/clients/",
		entrypoint.EnvLogLevel: "debug", entrypoint.EnvEvidenceTable: "evidence", entrypoint.EnvEvidenceYears: "7",
		entrypoint.EnvStateMachine: "arn:aws:states:eu-central-1:111122223333:stateMachine:rotator"}
	for name, c := range map[string]struct{ variable, value, says string }{
		"all of it":       {entrypoint.EnvInVPC, "true", ""},
		"one too many":    {"JOURNAL", "journal", "does not read JOURNAL"},
		"one too few":     {entrypoint.EnvJournalTable, "", "JOURNAL_TABLE is missing"},
		"no years":        {entrypoint.EnvEvidenceYears, "0", "EVIDENCE_YEARS must be a number of years"},
		"no evidence":     {entrypoint.EnvEvidenceTable, "", "EVIDENCE_TABLE, STATE_MACHINE and"},
		"one that is bad": {entrypoint.EnvInVPC, "perhaps", "IN_VPC must be true or false"},
	} {
		as := map[string]inprocess.Deployed{}
		for _, f := range statemachine.Functions() {
			env := maps.Clone(whole)
			env[c.variable] = c.value
			as[f.Name] = inprocess.Deployed{Name: "rotator-" + f.Name, Environment: env}
		}
		_, err := inprocess.RegisterAs(s, io.Discard, as)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: got %v, want %q", name, err, c.says)
		}
	}
}
