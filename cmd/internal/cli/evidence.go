package cli

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/cmd/internal/words"
	"alboidc.internal/shared/evidence"
)

func (a *app) evidence() *cobra.Command {
	var from, to, client string
	var measurements bool
	c := &cobra.Command{Use: "evidence", Short: "Show the records of executions that are kept for auditors",
		Long: "Shows the record of every execution that ended in a time, with the calls that started and stopped it\n" +
			"where CloudTrail tells, and as gaps those that are known to have ended and have no record.\n" +
			"Exit code 1: there is a gap.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			begin, end, err := period(from, to, a.Now())
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			found, err := s.Evidence(cmd.Context(), begin, end, client)
			if err != nil {
				return err
			}
			if client != "" && len(found.Records)+len(found.Gaps) == 0 { // of one that was removed there are records
				if err := a.known(cmd.Context(), s, client); err != nil {
					return err
				}
			}
			if !measurements {
				found.Records = slices.DeleteFunc(found.Records,
					func(e system.Entry) bool { return e.Kind == evidence.Measurement })
				found.Gaps = slices.DeleteFunc(found.Gaps,
					func(g system.Gap) bool { return g.Kind == evidence.Measurement })
			}
			if err := a.printEvidence(s, found); err != nil {
				return err
			}
			if len(found.Gaps) > 0 {
				return errNotWell
			}
			return nil
		}}
	c.Flags().StringVar(&from, "from", "", "first day (2026-01-31) or instant (2026-01-31T12:00:00Z), UTC; "+
		"default 90 days ago")
	c.Flags().StringVar(&to, "to", "", "last day, or the instant before which it ended; default now")
	c.Flags().StringVar(&client, "client", "", "only this client's")
	c.Flags().BoolVar(&measurements, "measurements", false, "also the daily measurements")
	_ = c.RegisterFlagCompletionFunc("client", a.completeClients)
	return c
}

// earliest is before any record.
var earliest = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// period reads the two ends of a time. A day as its end is part of it.
func period(from, to string, now time.Time) (begin, end time.Time, err error) {
	begin, end = now.UTC().AddDate(0, 0, -90), now.UTC()
	read := func(flag, text string, at *time.Time, days int) error {
		if text == "" {
			return nil
		}
		if day, err := time.Parse(time.DateOnly, text); err == nil {
			*at = day.AddDate(0, 0, days)
			return nil
		}
		instant, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return &system.Error{Text: fmt.Sprintf("--%s must be a day like 2026-01-31 or an instant like "+
				"2026-01-31T12:00:00Z", flag)}
		}
		*at = instant.UTC()
		return nil
	}
	if err := read("to", to, &end, 1); err != nil {
		return begin, end, err
	}
	if to != "" {
		begin = end.AddDate(0, 0, -90)
	}
	if err := read("from", from, &begin, 0); err != nil {
		return begin, end, err
	}
	if begin.Before(earliest) { // each month is asked for
		begin = earliest
	}
	if tomorrow := now.UTC().AddDate(0, 0, 1); end.After(tomorrow) {
		return begin, end, &system.Error{Text: "--to must not be in the future"}
	}
	if !begin.Before(end) {
		return begin, end, &system.Error{Text: "--from must be before --to"}
	}
	return begin, end, nil
}

// refused is when each old secret was seen to be refused.
func refused(r evidence.Record) string {
	var out []string
	for version, at := range r.RefusedAt() {
		out = append(out, version+" "+stamp(at))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// stamp is an instant to the second; "" for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (a *app) printEvidence(s *system.System, found system.Evidence) error {
	switch a.format {
	case formatCSV:
		return a.evidenceCSV(found)
	case formatMarkdown:
		a.evidenceMarkdown(s, found)
		return nil
	case formatJSON, formatYAML:
		return a.write(found)
	}
	var rows [][]string
	for _, e := range found.Records {
		rows = append(rows, []string{words.At(e.Ended), words.OrDash(e.Client), string(e.Kind), e.Outcome,
			words.OrDash(words.StartedBy(e)),
			words.OrDash(words.Why(e.Reason, e.Fleet)), words.Name(e.Execution) + again(e.Redrive)})
	}
	for _, g := range found.Gaps {
		rows = append(rows, []string{words.At(g.At), words.OrDash(g.Client), words.OrDash(string(g.Kind)), "NO RECORD",
			"-", g.Why,
			words.Name(g.Execution) + again(g.Redrive)})
	}
	return a.table([]string{"ENDED", "CLIENT", "KIND", "OUTCOME", "STARTED BY", "REASON", "EXECUTION"}, rows)
}

// again names a later run of an execution.
func again(redrive int) string {
	if redrive == 0 {
		return ""
	}
	return fmt.Sprintf(" (redrive %d)", redrive)
}

// columns of the CSV.
var columns = []string{"ended", "client", "kind", "outcome", "started", "redriven", "started_by", "reason",
	"old_secret_version", "old_secret_id", "new_secret_version", "new_secret_id", "old_secret_refused_at", "targets",
	"checks_passed", "checks_failed", "failed_state", "error", "cause", "users", "notice", "configuration_sha256",
	"fleet", "execution", "redrive", "gap"}

// evidenceCSV writes a line for each record and each gap (RFC 4180).
func (a *app) evidenceCSV(found system.Evidence) error {
	w := csv.NewWriter(a.Out)
	line := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = inert(words.OneLine(cell))
		}
		_ = w.Write(cells) // Error tells
	}
	line(slices.Clone(columns)...)
	for _, e := range found.Records {
		passed := 0
		for _, c := range e.Checks {
			if c.OK {
				passed++
			}
		}
		configuration := ""
		if e.Configuration != nil {
			configuration = e.Configuration.SHA256
		}
		line(stamp(e.Ended), e.Client, string(e.Kind), e.Outcome, stamp(e.Started), stamp(e.Redriven),
			words.StartedBy(e),
			e.Reason, e.From.VersionID, e.From.IdPSecretID, e.To.VersionID, e.To.IdPSecretID, refused(e.Record),
			strconv.Itoa(len(e.Targets)), strconv.Itoa(passed), strconv.Itoa(len(e.Checks)-passed), e.FailedState,
			e.Error, e.Cause, e.Users, e.Notice, configuration, e.Fleet, e.Execution, strconv.Itoa(e.Redrive), "")
	}
	for _, g := range found.Gaps {
		cells := make([]string, len(columns))
		cells[0], cells[1], cells[2], cells[3] = stamp(g.At), g.Client, string(g.Kind), "NO RECORD"
		cells[len(cells)-3], cells[len(cells)-2], cells[len(cells)-1] = g.Execution, strconv.Itoa(g.Redrive), g.Why
		line(cells...)
	}
	w.Flush()
	return w.Error()
}

// inert is a cell that a spreadsheet takes for no formula (OWASP, "CSV Injection").
func inert(cell string) string {
	if first := strings.TrimLeft(cell, " "); first != "" && strings.ContainsRune("=+-@\t\r＝＋－＠", []rune(first)[0]) {
		return "'" + cell
	}
	return cell
}

// verbatim is a text in Markdown that stays what it is: in a table, and without links, HTML or emphasis.
func verbatim(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", "\\*", "_", "\\_",
		"`", "\\`", "[", "\\[", "]", "\\]", "#", "\\#", "!", "\\!").Replace(words.OneLine(s))
}

// evidenceMarkdown writes a list, and what there is of each record.
func (a *app) evidenceMarkdown(s *system.System, found system.Evidence) {
	a.print("# Evidence of client secret rotations\n")
	a.print("Executions that ended from %s until before %s, in account %s, Region %s, stack %s: %d records, %d gaps.\n",
		stamp(found.From), stamp(found.To), s.Account, s.Region, verbatim(s.Stack), len(found.Records), len(found.Gaps))
	row := func(cells ...string) {
		for i, cell := range cells {
			cells[i] = verbatim(cell)
		}
		a.print("| %s |", strings.Join(cells, " | "))
	}
	row("ended", "client", "kind", "outcome", "started by", "reason", "old secret refused")
	a.print("| --- | --- | --- | --- | --- | --- | --- |")
	for _, e := range found.Records {
		row(stamp(e.Ended), e.Client, string(e.Kind), e.Outcome, words.StartedBy(e), words.Why(e.Reason, e.Fleet),
			refused(e.Record))
	}
	for _, g := range found.Gaps {
		row(stamp(g.At), g.Client, string(g.Kind), "NO RECORD", "", g.Why, "")
	}
	for _, e := range found.Records {
		a.print("\n## %s %s %s%s\n", verbatim(e.Client), string(e.Kind), stamp(e.Started), again(e.Redrive))
		a.recordMarkdown(e)
	}
	for _, g := range found.Gaps {
		a.print("\n## No record: %s%s\n", verbatim(g.Execution), again(g.Redrive))
		a.print("%s.", verbatim(g.Why))
	}
}

// recordMarkdown lists the parts of a record.
func (a *app) recordMarkdown(e system.Entry) {
	item := func(what, text string) {
		if text != "" {
			a.print("- %s: %s", what, verbatim(text))
		}
	}
	item("execution", e.Execution)
	item("outcome", e.Outcome+", ended "+stamp(e.Ended))
	item("failed at", strings.Trim(e.FailedState+" "+e.Error+" "+e.Cause, " "))
	item("reason", e.Reason)
	item("started by fleet", e.Fleet)
	for _, c := range e.Calls {
		item(c.Name, stamp(c.At)+" by "+c.By)
	}
	item("users", e.Users)
	item("notice", e.Notice)
	if e.Plan != nil {
		item("plan", string(e.Plan.Action)+": "+e.Plan.Why)
	}
	item("old secret", strings.TrimSpace(e.From.VersionID+" "+e.From.IdPSecretID))
	item("new secret", strings.TrimSpace(e.To.VersionID+" "+e.To.IdPSecretID))
	for _, m := range e.Labels {
		item("label", stamp(m.At)+" "+m.Label+" on "+m.To)
	}
	for _, c := range e.Secrets {
		item("secret", stamp(c.At)+" "+c.What+" "+c.VersionID)
	}
	for _, t := range e.Targets {
		item("target", strings.TrimSpace(t.Name+" "+t.Version+" "+stamp(t.Set)))
	}
	if e.Spared > 0 {
		item("targets not touched", strconv.Itoa(e.Spared)+" that never had the new secret")
	}
	for _, c := range e.Checks {
		result := "failed"
		if c.OK {
			result = "passed"
		}
		item("check", strings.Join(strings.Fields(stamp(c.At)+" "+c.State+" "+string(c.Check)+" "+c.Subject+" "+c.Node+
			" "+result), " "))
	}
	for _, f := range e.Failures {
		item("failure", stamp(f.At)+" "+f.State+" "+f.Error+": "+f.Cause)
	}
	if m := e.Measured; m != nil {
		item("measured", fmt.Sprintf("age %s, accepted %t %s",
			words.Span(time.Duration(m.SecretAgeSeconds)*time.Second),
			m.SecretAccepted, m.RotationRefused))
	}
	if e.LeftOut > 0 {
		item("left out", fmt.Sprintf("%d entries", e.LeftOut))
	}
}
