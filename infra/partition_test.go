package main

import (
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2/regioninfo"

	"alboidc.internal/shared/region"
	"alboidc.internal/statemachine"
)

// In another partition every host name and ARN of the template is that partition's; service principals end with
// amazonaws.com everywhere, but for that of CloudWatch Logs (CDK, region-info).
func TestEveryPartitionHasItsOwnNames(t *testing.T) {
	for here, want := range map[string]struct{ partition, suffix, console string }{
		"eusc-de-east-1": {"aws-eusc", "amazonaws.eu", "https://console.amazonaws-eusc.eu/states/home"},
		"cn-northwest-1": {"aws-cn", "amazonaws.com.cn", "https://console.amazonaws.cn/states/home"},
		"us-isob-east-1": {"aws-iso-b", "sc2s.sgov.gov", "in Step Functions: "},
	} {
		t.Run(here, func(t *testing.T) {
			yaml := strings.NewReplacer("eu-central-1", here, "eu-west-1", here, "arn:aws:", "arn:"+want.partition+":",
				"    # kmsKeys: ", "    kmsKeys: [\"arn:"+want.partition+":kms:"+here+":111122223333:key/0a1b\"] #").
				Replace(string(changedText(t, "clients:", "clients:")))
			file, err := parseFile([]byte(yaml))
			if err != nil {
				t.Fatal(err)
			}
			tpl, err := synthesized(file)
			if err != nil {
				t.Fatal(err)
			}
			got := string(tpl.text)
			for _, host := range []string{"secretsmanager.*." + want.suffix, "sns." + here + "." + want.suffix,
				"logs." + here + "." + want.suffix} {
				if !strings.Contains(got, `"`+host+`"`) {
					t.Errorf("the template does not have %s", host)
				}
			}
			other := regexp.MustCompile(`"[^"]*(arn:aws:|amazonaws\.)[^"]*"`)
			principal := regexp.MustCompile(`^"([a-z]+\.amazonaws\.com|.*\.` + regexp.QuoteMeta(want.suffix) + `)"$`)
			for _, name := range other.FindAllString(got, -1) {
				if !principal.MatchString(name) && !strings.Contains(name, "QueryLanguage") &&
					!strings.HasPrefix(name, `"`+want.console) {
					t.Errorf("the template has %s", name)
				}
			}
			if url := statemachine.ExecutionURL(here); !strings.HasPrefix(url, want.console) {
				t.Errorf("an execution is shown at %s", url)
			}
		})
	}
}

func TestEveryRegionOfTheCDKIsKnown(t *testing.T) {
	for _, r := range *regioninfo.RegionInfo_Regions() {
		if !region.Known(*r.Name()) || region.PartitionOf(*r.Name()).ID != *r.Partition() {
			t.Errorf("%s of %s is in %+v, known: %t", *r.Name(), *r.Partition(), region.PartitionOf(*r.Name()),
				region.Known(*r.Name()))
		}
	}
}
