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

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/jsii-runtime-go"
	"github.com/cdklabs/cdk-nag-go/cdknag/v2"
)

var update = flag.Bool("update", false, "write the golden template")

const golden = "testdata/template.golden.json"

// What changes with every build of the functions.
var (
	assetHash   = regexp.MustCompile(`[0-9a-f]{64}`)
	versionHash = regexp.MustCompile(`(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}`)
)

func TestTheTemplateIsTheGoldenOne(t *testing.T) {
	compareGolden(t, golden, append(masked(exampleTemplate(t).text), '\n'))
}

// masked is a template without what changes with every build.
func masked(text []byte) []byte {
	return versionHash.ReplaceAll(assetHash.ReplaceAll(text, []byte("ASSET")), []byte("${1}VERSION"))
}

// compareGolden compares with a file, which -update writes.
func compareGolden(t *testing.T, golden string, got []byte) {
	t.Helper()
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
			t.Fatalf("it differs from %s (make golden updates it), first in line %d:\n got %s\nwant %s",
				golden, i+1, a[i], b[i])
		}
	}
	t.Fatalf("it has %d lines, %s has %d (make golden updates it)", len(a), golden, len(b))
}

// nag runs cdk-nag's AwsSolutions pack over a template and returns what it finds and the template does not excuse.
func nag(t *testing.T, template []byte) []string {
	t.Helper()
	folder := t.TempDir()
	path := filepath.Join(folder, "template.json")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	app := awscdk.NewApp(&awscdk.AppProps{Outdir: &folder, AnalyticsReporting: jsii.Bool(false)})
	stack := awscdk.NewStack(app, jsii.String("nag"), &awscdk.StackProps{
		Synthesizer: awscdk.NewLegacyStackSynthesizer()}) // the template has the other one's parameter already
	cloudformationinclude.NewCfnInclude(stack, jsii.String("Template"),
		&cloudformationinclude.CfnIncludeProps{TemplateFile: &path})
	awscdk.Aspects_Of(app).Add(cdknag.NewAwsSolutionsChecks(&cdknag.NagPackProps{
		Reports: jsii.Bool(true), ReportFormats: &[]cdknag.NagReportFormat{cdknag.NagReportFormat_JSON}}), nil)
	app.Synth(nil)
	reports, _ := filepath.Glob(filepath.Join(folder, "AwsSolutions-*NagReport.json")) // only a bad pattern is an error
	if len(reports) != 1 {
		t.Fatalf("cdk-nag wrote %d reports", len(reports))
	}
	text, err := os.ReadFile(reports[0])
	if err != nil {
		t.Fatal(err)
	}
	var report struct {
		Lines []struct{ RuleID, ResourceID, Compliance, RuleLevel, RuleInfo string }
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Lines) == 0 {
		t.Error("cdk-nag checked nothing")
	}
	var problems []string
	for _, l := range report.Lines {
		switch l.Compliance {
		case "Compliant", "Suppressed", "N/A":
		default:
			problems = append(problems, strings.ToLower(l.RuleLevel)+" "+l.RuleID+" "+l.ResourceID+": "+l.Compliance+
				", "+l.RuleInfo)
		}
	}
	return problems
}

func TestCdkNagFindsNothing(t *testing.T) {
	for _, tpl := range []template{exampleTemplate(t), everyOption(t), changed(t, "    # loadBalancerSearch: ",
		"    loadBalancerSearch: {tags: {a: b}, regions: [eu-west-3]} #")} {
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

// W3005: the CDK names a role in DependsOn that a function refers to anyway. W1028: an If within a resource that has
// the same condition, in the released template.
func TestCfnLintFindsNothing(t *testing.T) {
	lint, err := exec.LookPath("cfn-lint")
	if err != nil {
		t.Log("cfn-lint is not on this machine")
		return
	}
	_, release := releasedTemplate(t)
	workload, err := os.ReadFile("workload-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "template.yaml")
	for ignored, text := range map[string][]byte{"W3005": exampleTemplate(t).text, "W3005,W1028": release,
		"E0000": workload} {
		// it takes a placeholder for an ARN, but not in one
		text := bytes.ReplaceAll(text, []byte("${Partition}"), []byte("aws"))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(lint, "--ignore-checks", ignored, "--", path).CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}
