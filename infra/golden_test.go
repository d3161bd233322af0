package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden template")

const golden = "testdata/template.golden.json"

// What changes with every build of the functions.
var (
	assetHash   = regexp.MustCompile(`[0-9a-f]{64}`)
	versionHash = regexp.MustCompile(`(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}`)
)

func TestTheTemplateIsTheGoldenOne(t *testing.T) {
	got := assetHash.ReplaceAll(exampleTemplate(t).text, []byte("ASSET"))
	got = append(versionHash.ReplaceAll(got, []byte("${1}VERSION")), '\n')
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(got, want) {
		return
	}
	a, b := strings.Split(string(got), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("the template differs from %s (make golden updates it), first in line %d:\n got %s\nwant %s", golden, i+1, a[i], b[i])
		}
	}
	t.Fatalf("the template has %d lines, %s has %d (make golden updates it)", len(a), golden, len(b))
}

// nag runs cdk-nag's AwsSolutions pack.
func nag(t *testing.T, template []byte) []string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "template.json")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "nag.mjs", path)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nag.mjs (make deps installs what it needs): %v\n%s", err, stderr.String())
	}
	var report struct {
		Checked  int
		Findings []struct{ Rule, Level, Resource, Text string }
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatal(err)
	}
	if report.Checked == 0 {
		t.Error("cdk-nag checked nothing")
	}
	var problems []string
	for _, f := range report.Findings {
		problems = append(problems, f.Level+" "+f.Rule+" "+f.Resource+": "+f.Text)
	}
	return problems
}

func TestCdkNagFindsNothing(t *testing.T) {
	for _, tpl := range []template{exampleTemplate(t), everyOption(t), changed(t, "    # loadBalancerSearch: ", "    loadBalancerSearch: {tags: {a: b}, regions: [eu-west-3]} #")} {
		for _, p := range nag(t, tpl.text) {
			t.Error(p)
		}
	}
}

func TestCdkNagFindsWhatIsNotExcused(t *testing.T) {
	bare := bytes.ReplaceAll(exampleTemplate(t).text, []byte(`"cdk_nag"`), []byte(`"excuse"`))
	found := strings.Join(nag(t, bare), "\n")
	for _, rule := range []string{"AwsSolutions-IAM5", "AwsSolutions-SMG4", "AwsSolutions-SQS3"} {
		if !strings.Contains(found, "error "+rule) {
			t.Errorf("without its excuse, %s is not found: %s", rule, found)
		}
	}
}

func TestEverySuppressionHasAReason(t *testing.T) {
	for id, r := range exampleTemplate(t).Resources {
		if r.Metadata["cdk_nag"] == nil {
			continue
		}
		for _, x := range at(t, r.Metadata["cdk_nag"], "rules_to_suppress").([]any) {
			if len(text(at(t, x, "reason"))) < 20 {
				t.Errorf("%s suppresses %s without a reason", id, text(at(t, x, "id")))
			}
		}
	}
}

// W3005: the CDK names a role in DependsOn that a function refers to anyway.
func TestCfnLintFindsNothing(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Log("cfn-lint is not on this machine")
		return
	}
	path := filepath.Join(t.TempDir(), "template.json")
	// it takes a placeholder for an ARN, but not in one
	text := bytes.ReplaceAll(exampleTemplate(t).text, []byte("${Partition}"), []byte("aws"))
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(lint, "--ignore-checks", "W3005", "--", path).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
