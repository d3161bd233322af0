package main

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/cloudformationinclude"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
)

const (
	workloadRole = "arn:aws:iam::222233334444:role/alb-oidc-rotator-workload"
	there        = elb + "eu-west-1:222233334444:loadbalancer/app/orders/0c1d2e3f40516273"
)

// What uses load balancers may assume the roles for them, and no other function may; nothing else of the stack is about
// what another account has.
func TestLoadBalancersInOtherAccountsNeedTheirRolesOnly(t *testing.T) {
	t.Parallel()
	const first = "      - arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188\n"
	text := string(changedText(t, first, first+"      - {arn: \""+there+"\", role: workload}\n")) +
		"\nroles:\n  workload: {roleArn: \"" + workloadRole + "\", externalId: hub-1}\n"
	file, err := parseFile([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	tpl, err := synthesized(file)
	if err != nil {
		t.Fatal(err)
	}
	list := allowed()
	var callers []string
	for name, g := range rights.Functions {
		if g.ReachesAccounts() {
			list[name] = with(list[name], one("sts:AssumeRole", workloadRole))
			callers = append(callers, name)
		}
	}
	checkPolicies(t, tpl, list)
	if slices.Sort(callers); !slices.Equal(callers, []string{"plan", "smoketest", "updatealb"}) {
		t.Errorf("%v reach other accounts", callers)
	}
	for _, name := range callers {
		if !strings.Contains(string(tpl.text), `"WorkloadCaller`+name+`"`) {
			t.Errorf("the role of %s is no output", name)
		}
	}
	// but for the client's own document
	if n := strings.Count(string(tpl.text), "0c1d2e3f40516273"); n != 1 {
		t.Errorf("the other account's load balancer is named %d times", n)
	}
}

// The role in the other account allows what the functions call there: all of it, and nothing more.
func TestTheWorkloadRoleAllowsWhatIsCalled(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("workload-role.yaml")
	if err != nil {
		t.Fatal(err)
	}
	there, called := map[string]bool{}, map[string]bool{}
	action := regexp.MustCompile(`(elasticloadbalancing|cloudwatch):[A-Z][a-z]\w+`)
	for _, a := range action.FindAllString(string(text), -1) {
		there[a] = true
	}
	file, err := parseFile(changedText(t, "# loadBalancerSearch: ",
		"loadBalancerSearch: {tags: {login: orders-web}, regions: [eu-west-3]} #"))
	if err != nil {
		t.Fatal(err)
	}
	for name := range rights.Functions {
		for _, call := range (rights.Stack{}).Calls(name, file.Clients[0].Client, nil,
			[]string{elb + "x:listener-rule/y", elb + "x:listener/y"}) {
			for _, a := range call.Actions {
				called[a] = called[a] || action.MatchString(a)
			}
		}
	}
	maps.DeleteFunc(called, func(_ string, is bool) bool { return !is })
	if !slices.Equal(sorted(there), sorted(called)) {
		t.Errorf("allowed are %v, called %v", sorted(there), sorted(called))
	}
	if !strings.Contains(string(text), "sts:ExternalId: !Ref ExternalId") {
		t.Error("the role can be assumed without the external id")
	}
}

// What local/deployed deploys beside the example: what is other in the hub's template for a client with load balancers
// in two accounts, with the template of the role in the other one; for a client with followers; and in both stacks of
// the example with a client in a further one, for a fleet.
func TestTheTemplateIsTheGoldenOneWithMore(t *testing.T) {
	var fleet []any
	for n, tpl := range ofAFleet(t) {
		fleet = append(fleet, overlay(t, withPlaces(t)[n], tpl))
	}
	text, err := json.MarshalIndent(fleet, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "testdata/fleet.golden.json", append(text, '\n'))
	const second = "      - arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/orders/73e2d6bc24d8a067\n"
	role := awscdk.NewApp(&awscdk.AppProps{AnalyticsReporting: jsii.Bool(false)})
	cloudformationinclude.NewCfnInclude(awscdk.NewStack(role, jsii.String("workload"), &awscdk.StackProps{
		Synthesizer: awscdk.NewLegacyStackSynthesizer()}), jsii.String("Template"),
		&cloudformationinclude.CfnIncludeProps{TemplateFile: jsii.String("workload-role.yaml")})
	for path, c := range map[string]struct {
		text     string
		workload any
	}{
		"testdata/accounts.golden.json": {string(changedText(t, second, "      - {arn: \""+elb+
			"eu-west-1:222233334444:loadbalancer/app/orders/73e2d6bc24d8a067\", role: workload}\n")) +
			"\nroles:\n  workload: {roleArn: \"" + workloadRole + "\", externalId: alb-oidc-rotator-111122223333}\n",
			role.Synth(nil).GetStackByName(jsii.String("workload")).Template()},
		"testdata/followers.golden.json": {string(changedText(t, "    loadBalancers:\n",
			"    followers: {maxDelaySeconds: 3600, controllers: true}\n    loadBalancers:\n")), nil},
	} {
		file, err := parseFile([]byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		tpl, err := synthesized(file)
		if err != nil {
			t.Fatal(err)
		}
		more := overlay(t, exampleTemplate(t), tpl)
		if more["Workload"] = c.workload; c.workload == nil {
			delete(more, "Workload")
		}
		got, err := json.MarshalIndent(more, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		compareGolden(t, path, append(got, '\n'))
	}
}

// overlay is what another template has otherwise: properties of resources, those that are gone, and all outputs.
func overlay(t *testing.T, of, other template) map[string]any {
	t.Helper()
	var before, after struct {
		Resources map[string]map[string]any
		Outputs   map[string]any
	}
	if err := errors.Join(json.Unmarshal(masked(of.text), &before),
		json.Unmarshal(masked(other.text), &after)); err != nil {
		t.Fatal(err)
	}
	gone := []string{}
	for _, id := range slices.Sorted(maps.Keys(before.Resources)) {
		switch now, is := after.Resources[id]; {
		case !is:
			gone = append(gone, id)
		case reflect.DeepEqual(now, before.Resources[id]):
			delete(after.Resources, id)
		default:
			old, properties := before.Resources[id]["Properties"].(map[string]any), now["Properties"].(map[string]any)
			for name, value := range old {
				if _, still := properties[name]; !still {
					t.Errorf("%s has no %s any more, which an overlay cannot say", id, name)
				}
				if reflect.DeepEqual(properties[name], value) {
					delete(properties, name)
				}
			}
		}
	}
	return map[string]any{"Resources": after.Resources, "Outputs": after.Outputs, "Gone": gone}
}
