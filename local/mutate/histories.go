package mutate

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/local/report"
)

// ofHistories are faults that random histories must show, which were not made for them. What is guarded twice is broken
// twice: one of the two cannot be missed.
var ofHistories = []struct {
	name  string
	edits []fault
}{
	{"a rollback does not wait for late calls", []fault{noGuardOfTime,
		{where: "Quiesce",
			before: `"{% $takenOver != '' and $rounds = 1 and $step = '' ? $max([0, ${SettleSeconds} - ` +
				`$floor(($toMillis($now()) - $toMillis($takenOver)) / 1000)]) : ${SettleSeconds} %}"`, after: `0`}}},
	{"a take-over does not wait for late calls", []fault{noGuardOfTime,
		{where: "AwaitFormerOwner", before: `"{% ${SettleSeconds} %}"`, after: `0`},
		{where: "Quiesce", // which waits for the rest
			before: `$max([0, ${SettleSeconds} - $floor(($toMillis($now()) - $toMillis($takenOver)) / 1000)])`,
			after:  `0`}}},
	{"the nodes are not waited for before the old secret goes", []fault{noGuardOfTime,
		{where: "AwaitReassertSpread", before: `"{% $spreadSeconds %}"`, after: `0`}}},
	{"the nodes are not waited for before the new secret goes", []fault{noGuardOfTime,
		{where: "AwaitRestoreSpread", before: `"{% $spreadSeconds + ${SettleSeconds} %}"`, after: `0`}}},
	{"the lock has no condition", []fault{
		{where: "AcquireLock", before: `attribute_not_exists(#owner) OR #owner = :me`,
			after: `attribute_not_exists(#owner) OR attribute_exists(#owner)`}}},
	{"functions do not look whose the lock is", []fault{
		{where: "shared/journal/journal.go Own", before: `execution == "" || j.Owner != execution`,
			after: `execution == ""`}}},
	{"the lock stays behind", []fault{
		{where: "ReleaseLock", before: `REMOVE #owner,`, after: `REMOVE`}}},
	{"targets are not set a second time", []fault{
		{where: "ReassertSecret", before: `$partition($targets, 10)`, after: `[]`}}},
	{"targets that came are not set", []fault{
		{where: "RediscoverTargets", before: `"targets": "{% $states.result.Payload.targets %}", "searched"`,
			after: `"searched"`}}},
	{"a rollback does not restore targets that came", []fault{
		{where: "RediscoverToRestore", before: `"targets": "{% $states.result.Payload.targets %}", `}}},
	{"a rollback leaves the labels", []fault{ // every state must be reached from somewhere
		{where: "RestoreTargets", before: `"Next": "RestoreLabels"`, after: `"Next": "RediscoverToRestore"`},
		{where: "RemoveNewSecret", before: `"Next": "RediscoverToRestore"`, after: `"Next": "RestoreLabels"`}}},
	{"the new secret is not proven before targets get it", []fault{
		{where: "CreateSecret", before: `"Next": "VerifyNewSecret"`, after: `"Next": "SetSecret"`},
		{where: "TestCanaries", before: `"Next": "SetSecret"`, after: `"Next": "VerifyNewSecret"`}}},
	{"a failed test does not lead to a rollback", []fault{
		{where: "TestBeforeFinish",
			before: `{"ErrorEquals": ["States.ALL"], "Assign": {"step": "{% $states.context.State.Name %}"}, ` +
				`"Next": "RollBack"}`,
			after: `{"ErrorEquals": ["States.ALL"], "Assign": {"step": "{% $states.context.State.Name %}"}, ` +
				`"Next": "DisableOldSecret"}`}}},
	{"nothing is retried", inEach(forward, `"Throttled", "Lambda.TooManyRequestsException"`, `"NotNeeded"`,
		`"MaxAttempts": 6`, `"MaxAttempts": 0`)},
	{"the intent to make a secret is not written down", []fault{
		{where: "functions/createsecret/handler.go intend", before: `return m.Journal.Save(ctx, m.journal)`,
			after: `return nil`},
		{where: "functions/createsecret/handler.go ask", // which writes it with what it is about to do
			before: `if err := m.save(ctx, m.noteRequest); err != nil {`,
			after:  `if err := ctx.Err(); err != nil {`}}},
	{"a secret that is stored again is taken for another", []fault{
		{where: "functions/invocation/storedagain.go matchCurrent", before: `case versions.Same(its, held):`,
			after: `case versions.Same(its, held) && false:`}}},
	{"a third version as AWSCURRENT is not seen", []fault{
		{where: "functions/invocation/current.go standsFor", before: `return "", nil`, after: `return from, nil`}}},
	{"secrets of others are taken for ours", []fault{
		{where: "functions/retiresecret/handler.go sweep", before: `!r.Capable.KeepsTag`, after: `!r.Capable.HasIDs()`},
		{where: "functions/retiresecret/handler.go sweep", before: `if e, ours := r.journal.Secrets[x.Tag]; ours && ` +
			`x.ID != e.IdPSecretID && x.ID != stays && e.State != journal.Intended {`, after: `if x.ID != stays {`}}},
	{"what other hands change meanwhile is overwritten", []fault{
		{where: "shared/alb/set.go readTwice",
			before: `if field == "" && slices.Equal(first.unknown, second.unknown) { return second, nil }`,
			after:  `if field == "" || try == 0 { return first, nil }`}}},
	{"an old proof counts", []fault{
		{where: "functions/invocation/aged.go proofLasts", before: `15 * time.Minute`, after: `15 * 24 * time.Hour`}}},
	{"a promotion is not written down before it begins", []fault{
		{where: "functions/promotesecret/handler.go promote",
			before: `j.Use(p.To) if err := s.Journal.Save(ctx, j); err != nil {`, after: `j.Use(p.To); if false {`}}},
	{"a configuration that is gone leads to a rollback", inEach(forward, `"Next": "Reconfigured"`,
		`"Next": "RollBack"`)},
	{"followers are not waited for", []fault{
		{where: "shared/config/config.go FollowersDelay",
			before: `return time.Duration(c.Followers.MaxDelaySeconds) * time.Second`, after: `return 0`}}},
	{"the notifier heals nothing", []fault{
		{where: "notifier ChooseHealing", before: `$told.client != '' and (`, after: `$told.client = '' and (`}}},
	{"what heals a repair is a rotation", []fault{
		{where: "notifier Heal", before: `$request.repair = true and`, after: `false and`}}},
	{"a measurement starts no rotation before the secret ends", []fault{
		{where: "ChooseWarning", before: `$exists($measured.start)`, after: `false`}}},
}

// forward are the states from which a failure leads back.
var forward = []string{"CreateSecret", "VerifyNewSecret", "SetSecret", "PromoteSecret", "TestSecret",
	"RediscoverTargets", "VerifyBeforeReassert", "ReassertSecret", "TestBeforeFinish", "DisableOldSecret",
	"TestAfterDisable"}

// inEach are the same changes, each before and after, in several states.
func inEach(states []string, changes ...string) (out []fault) {
	for _, s := range states {
		for i := 0; i < len(changes); i += 2 {
			out = append(out, fault{where: s, before: changes[i], after: changes[i+1]})
		}
	}
	return out
}

// noGuardOfTime takes away the functions' own wait since the last write of a target.
var noGuardOfTime = fault{where: "functions/invocation/waits.go waitSinceLastWrite",
	before: `s.journal.Left(s.Now(), wait) > 0`, after: `s.journal.Left(s.Now(), wait) > 0 && wait < 0`}

// History is how many random histories it takes until one shows a fault.
type History struct {
	Name string
	// After is the first seed whose history fails, of Seeds that were lived; 0 if none does. Says is how it fails.
	After, Seeds int
	Says         string
}

// String is the row of a table.
func (h History) String() string {
	after := strconv.Itoa(h.After)
	if h.After == 0 {
		after = fmt.Sprintf("not in %d", h.Seeds)
	}
	return fmt.Sprintf("| %s | %s | %s |", h.Name, after, report.Cell(h.Says))
}

// chunk is how many histories are lived before it is looked whether one has failed.
const chunk = 6

// Histories plants each fault that histories must show, and lives them until one does.
func (r *Runner) Histories(ctx context.Context, only *regexp.Regexp, seeds int, done func(History)) error {
	remove, err := r.begin()
	if err != nil {
		return err
	}
	defer remove()
	for _, p := range ofHistories {
		if !only.MatchString(p.name) {
			continue
		}
		binary, variables, err := r.plantAll(ctx, p.edits)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		h := History{Name: p.name, Seeds: seeds}
		if h.After, h.Says, err = r.firstToFail(ctx, binary, variables, seeds); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		done(h)
	}
	return nil
}

// plantAll compiles the histories with several faults in them. Definitions are named by variables of the environment.
func (r *Runner) plantAll(ctx context.Context, edits []fault) (binary string, variables []string, err error) {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return "", nil, err
	}
	replace, changes, texts := map[string]string{}, "", map[string]string{}
	for _, e := range edits {
		f := Fault{Before: e.before, After: e.after}
		f.File, f.Within = definition(e.where)
		if texts[f.File] == "" {
			b, err := os.ReadFile(filepath.Join(r.Root, f.File))
			if err != nil {
				return "", nil, err
			}
			texts[f.File] = string(b)
		}
		if texts[f.File], err = f.plantedIn(texts[f.File]); err != nil {
			return "", nil, err
		}
		file := filepath.Join(dir, strings.ReplaceAll(f.File, "/", "-"))
		if err := os.WriteFile(file, []byte(texts[f.File]), 0o600); err != nil {
			return "", nil, err
		}
		if f.ofADefinition() {
			variables = append(variables, f.variable()+"="+file)
		} else {
			replace[filepath.Join(r.Root, f.File)] = file
			changes += f.Name() + "\n"
		}
	}
	if len(replace) == 0 {
		binary, err = r.all(ctx, "local/guarantees")
		return binary, variables, err
	}
	if r.planted == changes { // the one before had the same changes of Go files
		return r.plantedIn, variables, nil
	}
	list, err := writeOverlay(dir, replace)
	if err != nil {
		return "", nil, err
	}
	if r.plantedIn != "" {
		_ = os.RemoveAll(filepath.Dir(r.plantedIn))
	}
	r.planted, r.plantedIn = changes, filepath.Join(dir, "planted.test")
	return r.plantedIn, variables, r.compile(ctx, r.plantedIn, "local/guarantees", list)
}

// firstToFail lives histories until one fails.
func (r *Runner) firstToFail(ctx context.Context, binary string, variables []string, seeds int) (int, string, error) {
	for from := 1; from <= seeds; from += chunk {
		run := exec.CommandContext(ctx, binary, "-test.run", "^TestRandomHistories$", "-test.timeout", "1h", "-whole",
			"-seeds", fmt.Sprintf("%d-%d", from, min(from+chunk-1, seeds)))
		run.Dir, run.Env = filepath.Join(r.Root, "local", "guarantees"), append(os.Environ(), variables...)
		out, err := run.CombinedOutput()
		first, says := firstSeed(out)
		if neverLived.MatchString(says) {
			return 0, "", fmt.Errorf("no history was lived: %s", says)
		}
		if first > 0 {
			return first, says, nil
		}
		if err != nil {
			return 0, "", fmt.Errorf("%w: %s", err, oneLine(string(out[max(0, len(out)-300):])))
		}
	}
	return 0, "", nil
}

var (
	failedSeed = regexp.MustCompile(`(?m)^\s*--- FAIL: TestRandomHistories/(\d+) .*\n\s+\w+\.go:\d+: (.*)$`)
	neverLived = regexp.MustCompile(`^(creating the state machine|the JSONata library)`)
	anyARN     = regexp.MustCompile(`arn:\S*:([^:\s]+)`)
)

// firstSeed is the first of the histories that failed, and what it fails with; 0 if none did.
func firstSeed(out []byte) (first int, says string) {
	for _, m := range failedSeed.FindAllSubmatch(out, -1) {
		if seed, err := strconv.Atoi(string(m[1])); err == nil && (first == 0 || seed < first) {
			first, says = seed, anyARN.ReplaceAllString(string(m[2]), "$1")
		}
	}
	if words := strings.Fields(says); len(words) > 18 {
		says = strings.Join(words[:18], " ") + " …"
	}
	return first, says
}

const begin, end = "<!-- histories: written by make mutate SEEDS=50 -->\n", "<!-- end of histories -->"

var written = regexp.MustCompile(`(?s)` + begin + `.*` + end)

// WriteHistories puts rows into the table of a page, between its two marks. Rows of other faults stay.
func WriteHistories(page []byte, rows []History) ([]byte, error) {
	table := written.FindString(string(page))
	if table == "" {
		return nil, fmt.Errorf("the page has no %s", strings.TrimSpace(begin))
	}
	out := begin + "| fault | seed | the history says |\n| --- | --- | --- |\n"
	for _, p := range ofHistories {
		row := rowOf(table, p.name)
		if i := slices.IndexFunc(rows, func(h History) bool { return h.Name == p.name }); i >= 0 {
			row = rows[i].String()
		}
		if row != "" {
			out += row + "\n"
		}
	}
	return []byte(strings.Replace(string(page), table, out+end, 1)), nil
}

// rowOf is the row of a fault in a table, "" if it has none.
func rowOf(table, fault string) string {
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "| "+fault+" | ") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}
