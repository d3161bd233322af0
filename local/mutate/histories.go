package mutate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// ofHistories are faults that random histories must show, which were not made for them. What is guarded twice is broken
// twice: one of the two cannot be missed. after is how many histories it took (make mutate SEEDS=200); 0: none shows
// it.
var ofHistories = []struct {
	name  string
	after int
	edits []fault
}{
	{"a rollback does not wait for late calls", 0, []fault{noGuardOfTime,
		{where: "Quiesce", before: `"{% ${SettleSeconds} %}"`, after: `0`}}},
	{"a take-over does not wait for late calls", 0, []fault{noGuardOfTime,
		{where: "AwaitFormerOwner", before: `"{% ${SettleSeconds} %}"`, after: `0`}}},
	{"the nodes are not waited for before the old secret goes", 0, []fault{noGuardOfTime,
		{where: "AwaitReassertSpread", before: `"{% $spreadSeconds %}"`, after: `0`}}},
	{"the nodes are not waited for before the new secret goes", 0, []fault{noGuardOfTime,
		{where: "AwaitRestoreSpread", before: `"{% $spreadSeconds + ${SettleSeconds} %}"`, after: `0`}}},
	{"the lock has no condition", 0, []fault{
		{where: "AcquireLock", before: `attribute_not_exists(#owner) OR #owner = :me`,
			after: `attribute_not_exists(#owner) OR attribute_exists(#owner)`}}},
	{"functions do not look whose the lock is", 0, []fault{
		{where: "shared/journal/journal.go Own", before: `execution == "" || j.Owner != execution`,
			after: `execution == ""`}}},
	{"the lock stays behind", 0, []fault{
		{where: "ReleaseLock", before: `REMOVE #owner,`, after: `REMOVE`}}},
	{"targets are not set a second time", 0, []fault{
		{where: "ReassertSecret", before: `$partition($targets, 10)`, after: `[]`}}},
	{"targets that came are not set", 0, []fault{
		{where: "RediscoverTargets", before: `"targets": "{% $states.result.Payload.targets %}", "searched"`,
			after: `"searched"`}}},
	{"a rollback does not restore targets that came", 0, []fault{
		{where: "RediscoverToRestore", before: `"targets": "{% $states.result.Payload.targets %}", `}}},
	{"a rollback leaves the labels", 0, []fault{
		{where: "RestoreTargets", before: `"Next": "RestoreLabels"`, after: `"Next": "RediscoverToRestore"`}}},
	{"the new secret is not proven before targets get it", 0, []fault{
		{where: "CreateSecret", before: `"Next": "VerifyNewSecret"`, after: `"Next": "SetSecret"`}}},
	{"a failed test does not lead to a rollback", 0, []fault{
		{where: "TestBeforeFinish",
			before: `{"ErrorEquals": ["States.ALL"], "Assign": {"step": "{% $states.context.State.Name %}"}, ` +
				`"Next": "RollBack"}`,
			after: `{"ErrorEquals": ["States.ALL"], "Assign": {"step": "{% $states.context.State.Name %}"}, ` +
				`"Next": "DisableOldSecret"}`}}},
	{"nothing is retried", 0, []fault{
		{where: "PromoteSecret", before: `"MaxAttempts": 6`, after: `"MaxAttempts": 0`}}},
	{"the intent to make a secret is not written down", 0, []fault{
		{where: "functions/createsecret/handler.go intend", before: `return m.Journal.Save(ctx, m.journal)`,
			after: `return nil`}}},
	{"a secret that is stored again is taken for another", 0, []fault{
		{where: "functions/invocation/storedagain.go matchCurrent", before: `case versions.Same(its, held):`,
			after: `case versions.Same(its, held) && false:`}}},
	{"a third version as AWSCURRENT is not seen", 0, []fault{
		{where: "functions/invocation/current.go standsFor", before: `return "", nil`, after: `return from, nil`}}},
	{"secrets of others are taken for ours", 0, []fault{
		{where: "functions/retiresecret/decide.go found", before: `s.ID != "" && x.ID == s.ID`, after: `x.ID != ""`}}},
	{"what other hands change meanwhile is overwritten", 0, []fault{
		{where: "shared/alb/set.go set", before: `return w.verify(ctx, before, c)`, after: `return Updated, "", nil`}}},
	{"an old proof counts", 0, []fault{
		{where: "functions/invocation/aged.go proofLasts", before: `15 * time.Minute`, after: `15 * 24 * time.Hour`}}},
	{"an unfinished rotation is not finished", 0, []fault{
		{where: "functions/promotesecret/handler.go promote", before: `j.Secrets[p.To] = e
	}
	if err := s.Journal.Save(ctx, j); err != nil {`, after: `j.Secrets[p.To] = e
	}
	if false {`}}},
	{"a loss of AWSCURRENT's configuration rolls back", 0, []fault{
		{where: "PromoteSecret", before: `"Next": "Reconfigured"`, after: `"Next": "RollBack"`}}},
}

// noGuardOfTime takes away the functions' own wait since the last write of a target.
var noGuardOfTime = fault{where: "functions/invocation/waits.go waitSinceLastWrite",
	before: `s.journal.Left(s.Now(), wait) > 0`, after: `s.journal.Left(s.Now(), wait) > 0 && wait < 0`}

// History is how many random histories it takes until one shows a fault.
type History struct {
	Name string
	// After is the first seed whose history fails; 0 if none does.
	After int
	// Expected is what the table says, Says what the history fails with.
	Expected int
	Says     string
	Err      error
}

func (h History) String() string {
	return fmt.Sprintf("%-60s after %3d (was %d)  %s %v", h.Name, h.After, h.Expected, h.Says, cmp.Or(h.Err, nil))
}

// chunk is how many histories are lived before it is looked whether one has failed.
const chunk = 10

// Histories plants each fault that histories must show, and lives them until one does.
func (r *Runner) Histories(ctx context.Context, only *regexp.Regexp, seeds int, done func(History)) error {
	dir, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	for _, p := range ofHistories {
		if !only.MatchString(p.name) {
			continue
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		h := History{Name: p.name, Expected: p.after}
		h.After, h.Says, h.Err = r.history(ctx, dir, p.edits, seeds)
		done(h)
	}
	return nil
}

func (r *Runner) history(ctx context.Context, dir string, edits []fault, seeds int) (int, string, error) {
	replace := map[string]string{}
	for i, e := range edits {
		f := Fault{Before: e.before, After: e.after}
		f.File, f.Within = definition(e.where)
		content, err := f.Planted(r.Root)
		if err != nil {
			return 0, "", err
		}
		file := filepath.Join(dir, strconv.Itoa(i)+filepath.Base(f.File))
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			return 0, "", err
		}
		replace[filepath.Join(r.Root, f.File)] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return 0, "", err
	}
	list, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "planted.test")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		return 0, "", err
	}
	if err := r.compile(ctx, binary, "local/guarantees", "-overlay", list); err != nil {
		return 0, "", err
	}
	for from := 1; from <= seeds && ctx.Err() == nil; from += chunk {
		run := exec.CommandContext(ctx, binary, "-test.run", "^TestRandomHistories$", "-test.timeout", "1h", "-whole",
			"-seeds", fmt.Sprintf("%d-%d", from, min(from+chunk-1, seeds)))
		run.Dir = filepath.Join(r.Root, "local", "guarantees")
		out, err := run.CombinedOutput()
		if first, says := firstSeed(out); first > 0 {
			return first, says, nil
		}
		if err != nil {
			return 0, oneLine(string(out[max(0, len(out)-300):])), err
		}
	}
	return 0, "", ctx.Err()
}

var failedSeed = regexp.MustCompile(`(?m)^\s*--- FAIL: TestRandomHistories/(\d+) .*\n\s+\w+\.go:\d+: (.*)$`)

// firstSeed is the first of the histories that failed, and what it fails with; 0 if none did.
func firstSeed(out []byte) (first int, says string) {
	for _, m := range failedSeed.FindAllSubmatch(out, -1) {
		if seed, err := strconv.Atoi(string(m[1])); err == nil && (first == 0 || seed < first) {
			first, says = seed, string(m[2])
		}
	}
	return first, says
}
