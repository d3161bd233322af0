package cli_test

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/evidence"
	"alboidc.internal/shared/fault"
)

func TestEvidenceIsListedWithItsGaps(t *testing.T) {
	t.Parallel()
	inWorld(t, listEvidence)
}

const formula = `=HYPERLINK("https://evil.example","x")|<b>`

func listEvidence(w *world) {
	ctx := context.Background()
	if err := w.CreateRecording(ctx); err != nil {
		w.Fatal(err)
	}
	const day = 24 * time.Hour
	now := w.clock.Now()
	w.clock.Advance(now.Truncate(day).Add(day).Sub(now)) // what follows takes hours, and is to be of one day
	begun := w.clock.Now().Truncate(time.Second)
	settle := func() { _ = w.clock.Sleep(ctx, time.Minute) }
	w.run("measure", "orders-web")
	w.run("start", "orders-web", "--reason", formula, "--watch")
	settle()
	code, out, errs := w.run("evidence")
	w.want(code, 0, out, errs, `^ENDED +CLIENT`,
		`^\d{4}-\d\d-\d\d \d\d:\d\d UTC +orders-web +rotation +rotated +- +=HYP`)
	if strings.Contains(out, "measurement") {
		w.Errorf("measurements are listed unasked:\n%s", out)
	}
	code, out, errs = w.run("evidence", "--measurements", "--client", "orders-web")
	w.want(code, 0, out, errs, `measurement +measured`, `rotation +rotated`)

	// Who started it comes from CloudTrail. Another start is known only from there, and a third one's record is lost.
	table := evidence.New(dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)), scenario.EvidenceTable, 7)
	records, _, err := table.Read(ctx, begun, w.clock.Now())
	if err != nil || len(records) != 2 {
		w.Fatalf("%d records: %v", len(records), err)
	}
	forgotten := "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:forgotten"
	for _, execution := range []string{records[0].Execution, records[1].Execution, forgotten} {
		if err := table.PutCall(ctx, evidence.Call{ID: execution, At: begun.Add(time.Second), Name: "StartExecution",
			By: "arn:aws:sts::111122223333:assumed-role/people/ada", Execution: execution}); err != nil {
			w.Fatal(err)
		}
	}
	if _, err := w.Stack.Faults.Add(fault.Rule{Service: "dynamodb", Operation: "PutItem", Mode: fault.Refuse,
		Status: 400, Code: "AccessDeniedException"}); err != nil {
		w.Fatal(err)
	}
	w.run("plan", "orders-web")
	_ = w.clock.Sleep(ctx, time.Hour)
	code, out, errs = w.run("evidence")
	w.want(code, 1, out, errs, `rotation +rotated +arn:aws:sts::111122223333:assumed-role/people/ada`,
		`orders-web +plan +NO RECORD +- +Step Functions knows that it ended`,
		`NO RECORD +- +CloudTrail knows of its start by .*/ada, and Step Functions knows it no more +forgotten$`)

	code, out, errs = w.run("evidence", "-o", "csv")
	w.want(code, 1, out, errs)
	lines, err := csv.NewReader(strings.NewReader(out)).ReadAll()
	if err != nil || len(lines) != 4 {
		w.Fatalf("%d lines (%v):\n%s", len(lines), err, out)
	}
	row := map[string]string{}
	for i, column := range lines[0] {
		row[column] = lines[1][i]
	}
	when := row["old_secret_refused_at"]
	if row["reason"] != "'"+formula || row["outcome"] != "rotated" || row["targets"] != "5" ||
		row["checks_failed"] != "0" || !strings.HasPrefix(when, row["old_secret_version"]+" 20") ||
		!strings.HasSuffix(row["started_by"], "/ada") || row["gap"] != "" || lines[3][3] != "NO RECORD" {
		w.Errorf("the CSV has %v\n%v", row, lines[3])
	}
	code, out, errs = w.run("evidence", "-o", "md")
	w.want(code, 1, out, errs, `^# Evidence`, `1 records, 2 gaps`,
		`=HYPERLINK\("https://evil.example","x"\)\\\|&lt;b&gt;`,
		`^- check: 20\S+ TestAfterDisable refused`, `^- secret: 20\S+ refused `, `^## No record: .*forgotten$`)
	code, out, errs = w.run("evidence", "-o", "json")
	var all system.Evidence
	err = json.Unmarshal([]byte(out), &all)
	if err != nil || code != 1 || len(all.Records) != 1 || len(all.Gaps) != 2 ||
		all.Records[0].Reason != formula || len(all.Records[0].Checks) == 0 {
		w.Errorf("%v %d %s\n%s", err, code, errs, out)
	}

	// the ends of the time
	today := w.clock.Now().UTC().Format(time.DateOnly)
	code, out, errs = w.run("evidence", "--from", today, "--to", today)
	w.want(code, 1, out, errs, `NO RECORD`)
	code, out, errs = w.run("evidence", "--to", begun.Format(time.RFC3339))
	w.want(code, 0, out, errs, `^ENDED`)
	code, out, errs = w.run("evidence", "--from", "yesterday")
	w.want(code, 2, out, errs, `--from must be a day like 2026-01-31`)
	code, out, errs = w.run("evidence", "--from", today, "--to", "2020-01-01")
	w.want(code, 2, out, errs, `--from must be before --to`)
	code, out, errs = w.run("evidence", "--to", "2100-01-01")
	w.want(code, 2, out, errs, `--to must not be in the future`)
	code, out, errs = w.run("evidence", "--from", "0001-01-01")
	w.want(code, 1, out, errs, `NO RECORD`)
	code, out, errs = w.run("evidence", "--client", "order-web", "--to", begun.Format(time.RFC3339))
	w.want(code, 2, out, errs, `order-web`)
}
