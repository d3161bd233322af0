package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

// The blocks are there to be copied: those in YAML can be read, and every tool that the page names has one.
func TestThePageOnInfrastructureAsCodeHasABlockForEachTool(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "docs", "infrastructure-as-code.md"))
	if err != nil {
		t.Fatal(err)
	}
	for heading, language := range map[string]string{"Terraform and OpenTofu": "hcl", "CloudFormation": "yaml",
		"CDK": "ts", "Pulumi": "ts", "Kubernetes controllers": "yaml"} {
		_, section, found := strings.Cut(string(text), "\n## "+heading+"\n")
		section, _, _ = strings.Cut(section, "\n## ")
		if !found || !strings.Contains(section, "```"+language+"\n") {
			t.Errorf("no block in %s below %s", language, heading)
		}
	}
	for _, m := range regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		for _, document := range strings.Split(m[1], "\n---\n") {
			var v map[string]any
			if err := yaml.Unmarshal([]byte(document), &v); err != nil || len(v) == 0 {
				t.Errorf("%v in\n%s", err, document)
			}
		}
	}
}
