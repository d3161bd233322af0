package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/strictjson"
)

// What CloudFormation and IAM accept (CloudFormation user guide, "Quotas"; IAM user guide, "IAM and AWS STS quotas";
// sizes of policies are without white space).
const (
	maxResources       = 500
	maxTemplateBytes   = 1_000_000
	maxInlineCharacter = 10_240 // of all policies inside a role together
	maxManagedPolicy   = 6_144
	maxPoliciesOfARole = 10
)

// synth writes the templates of a file, and refuses one that could not be deployed. functions is the folder of the
// built functions, outdir where the templates go: "" is where the cdk command wants them.
func synth(file File, p *places, functions, outdir string) error {
	texts, err := synthTexts(file, p, functions, outdir, false)
	if err != nil {
		return err
	}
	for n, text := range texts {
		if err := checkLimits(text); err != nil {
			return fmt.Errorf("the stack %s: %w", stackName(file.Stack.Name, n), err)
		}
	}
	return nil
}

// tooLargeError is of a template that could not be deployed because it is too large.
type tooLargeError struct{ error }

// synthTexts writes the templates of a file, and returns them by the numbers of their stacks. standsIn: its client
// stands for any.
func synthTexts(file File, p *places, functions, outdir string, standsIn bool) ([][]byte, error) {
	props := &awscdk.AppProps{
		AnalyticsReporting: jsii.Bool(false),
		// checkLimits says what to do, and the CDK would not.
		Context: &map[string]any{"@aws-cdk/core:stackResourceLimit": 0},
	}
	if outdir != "" {
		props.Outdir = &outdir
	}
	app := awscdk.NewApp(props)
	newRotator(app, file, p, functions, standsIn)
	app.Synth(nil)
	var texts [][]byte
	for n := range 1 + p.further() {
		text, err := os.ReadFile(filepath.Join(*app.Outdir(), stackName(file.Stack.Name, n)+".template.json"))
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

// checkLimits reports what of a template is too large to be deployed. The remedy is always the same: what grows are the
// clients and their load balancers.
func checkLimits(text []byte) error {
	var template struct {
		Resources map[string]struct {
			Type       string
			Properties map[string]any
		}
	}
	if err := json.Unmarshal(text, &template); err != nil {
		return err
	}
	var ps strictjson.Problems
	if i := slices.IndexFunc(text, func(b byte) bool { return b >= utf8.RuneSelf }); i >= 0 {
		ps.Add("the template",
			"has a character that is not ASCII, and CloudFormation would show it as a question mark: after %q",
			text[max(0, i-60):i])
		return ps.Err("the file")
	}
	tooMuch := func(what string, n, most int) {
		if n > most {
			ps.Add("clients",
				"need %s of %d, at most %d is possible in this stack: take load balancers, addresses or test "+
					"users from "+
					"them, or give some a later stack (docs/deploying.md#hundreds-of-clients)", what, n, most)
		}
	}
	tooMuch("a number of resources", len(template.Resources), maxResources)
	tooMuch("a template size in bytes", len(text), maxTemplateBytes)
	inline, managed := map[string]int{}, map[string]int{}
	for _, id := range slices.Sorted(maps.Keys(template.Resources)) {
		r := template.Resources[id]
		size := characters(r.Properties["PolicyDocument"])
		roles, _ := r.Properties["Roles"].([]any)
		for _, role := range roles {
			switch name := fmt.Sprint(role); r.Type {
			case "AWS::IAM::Policy":
				inline[name] += size
			case "AWS::IAM::ManagedPolicy":
				managed[name]++
			}
		}
		if r.Type == "AWS::IAM::ManagedPolicy" {
			tooMuch("a size of policy "+id, size, maxManagedPolicy)
		}
	}
	for _, role := range sorted(inline) {
		tooMuch("a size of the policies inside "+role, inline[role], maxInlineCharacter)
	}
	for _, role := range sorted(managed) {
		tooMuch("a number of policies of "+role, managed[role], maxPoliciesOfARole)
	}
	if err := ps.Err("the file"); err != nil {
		return tooLargeError{err}
	}
	return nil
}

// characters is how long a value is once it is deployed: names that CloudFormation fills in then are taken to be as
// long as the ARN of a secret of ours may be.
func characters(v any) int {
	const filledIn = 130 // its partition, Region and names as long as they may be, and quotation marks
	switch v := v.(type) {
	case []any:
		n := len("[]") + max(0, len(v)-1)
		for _, x := range v {
			n += characters(x)
		}
		return n
	case map[string]any:
		if v["Ref"] == "AWS::Partition" {
			return len(`"aws-us-gov"`)
		}
		if v["Ref"] != nil || v["Fn::GetAtt"] != nil {
			return filledIn
		}
		if join, ok := v["Fn::Join"].([]any); ok {
			n := len(`""`)
			for _, part := range join[1].([]any) {
				n += characters(part) - len(`""`)
			}
			return n
		}
		n := len("{}") + max(0, len(v)-1)
		for key, x := range v {
			n += len(key) + len(`"":`) + characters(x)
		}
		return n
	case string:
		return len(v) + strings.Count(v, `"`) + len(`""`)
	}
	return 0
}
