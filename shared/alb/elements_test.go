package alb_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/failure"
)

// newElements put an element that this SDK does not know somewhere into the answer's actions.
var newElements = map[string]*strings.Replacer{
	"in a login":        strings.NewReplacer("</AuthenticateOidcConfig>", "<New>1</New></AuthenticateOidcConfig>"),
	"beside a config":   strings.NewReplacer("<Type>forward</Type>", "<Type>forward</Type><New><Deep>1</Deep></New>"),
	"in a target group": strings.NewReplacer("</Weight>", "</Weight><New/>"),
	"in a list":         strings.NewReplacer("<TargetGroups>", "<TargetGroups><New/>"),
	"in a map": strings.NewReplacer("<AuthenticationRequestExtraParams>",
		"<AuthenticationRequestExtraParams><New>1</New>"),
}

// withElement is a rule that has such an element until it is written.
func withElement(t *testing.T, place string) *fixture {
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, forward("g"))
	f.add(listener, rule, 10, login("orders"), forward("g"))
	f.rewrite = func(answer string) string {
		if len(f.sent) > 0 {
			return answer
		}
		return newElements[place].Replace(answer)
	}
	return f
}

func TestAnElementThatTheSDKDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for name := range newElements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withElement(t, name)
			b := f.balancersOf()
			accepting := registered("orders")
			accepting.AcceptElements = []string{"New"}
			for _, c := range []struct {
				of       alb.Registration
				refusals int
			}{{orders, 1}, {accepting, 0}} {
				found, err := b.Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}}, c.of)
				if err != nil || len(found.Targets) != 1 || len(found.Refusals) != c.refusals ||
					len(found.Drifted) != 0 {
					t.Fatalf("found %+v (%v)", found, err)
				}
				if c.refusals == 1 && (!strings.HasPrefix(found.Refusals[0],
					"orders-alb :443 rule 10 has in its actions what this release does not know and would drop: "+
						"New;") ||
					!strings.Contains(found.Refusals[0], "set acceptElements: [New]")) {
					t.Errorf("refusals %q", found.Refusals)
				}
			}
			_, err := b.SetSecret(context.Background(), ruleTarget, change())
			wantKind(t, err, failure.TargetDrift)
			if len(f.sent) != 0 || !strings.Contains(err.Error(), "New") {
				t.Errorf("%d writes, %v", len(f.sent), err)
			}
		})
	}
}

func TestAnElementIsDroppedOnlyIfAcceptedOrInARollback(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		allow  func(*alb.Change)
		notice string
	}{
		"accepted": {func(c *alb.Change) { c.Registration.AcceptElements = []string{"Other", "New"} },
			"New was dropped from orders-alb :443 rule 10, as acceptElements says."},
		"in a rollback": {func(c *alb.Change) { c.Undo = true }, "orders-alb :443 rule 10 got the old secret back, " +
			"though it has in its actions what this release does not know and would drop: New"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withElement(t, "in a login")
			change := change()
			c.allow(&change)
			done, err := f.balancersOf().SetSecret(context.Background(), ruleTarget, change)
			if err != nil || done.Result != alb.Updated || !strings.Contains(done.Notice, c.notice) {
				t.Fatalf("done %+v (%v)", done, err)
			}
			if len(f.sent) != 1 || f.secret(rule) != canary {
				t.Errorf("%d writes", len(f.sent))
			}
		})
	}
}

func TestAnActionOfAnUnknownTypeIsRefusedByTheSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g"))
	f.future = "teleport"
	found := search(t, f.balancersOf(), ordersLB)
	if len(found.Targets) != 1 || len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0],
		`an action of type ["teleport"]`) {
		t.Fatalf("found %+v", found)
	}
	c := change()
	c.Undo = true
	done, err := f.balancersOf().SetSecret(context.Background(), defaultTarget, c)
	if err != nil || f.secret(listener) != canary || !strings.Contains(done.Notice, "teleport") {
		t.Fatalf("a rollback does not restore it: %+v (%v)", done, err)
	}
}

func TestWeightedForwardsAreWarnedOf(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g", "h"))
	f.add(listener, rule, 10, login("orders"), forward("g"))
	f.add(listener, rule+"-other", 20, login("shop"), forward("g", "h"))
	found := search(t, f.balancersOf(), ordersLB)
	if len(found.Refusals) != 0 || len(found.Warnings) != 1 || !strings.HasPrefix(found.Warnings[0],
		"orders-alb :443 default forwards to 2 target groups by weight") {
		t.Fatalf("warnings %q, refusals %q", found.Warnings, found.Refusals)
	}
}

// Every field of the SDK's types is an element of that name: what is compared by reflection is what the SDK reads.
func TestTheSDKReadsEveryFieldUnderItsOwnName(t *testing.T) {
	t.Parallel()
	action := xmlOf("member", reflect.TypeFor[types.Action]())
	w := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `<DescribeRulesResponse><DescribeRulesResult><Rules><member><RuleArn>`+rule+
			`</RuleArn><Actions>`+action+
			`</Actions></member></Rules></DescribeRulesResult></DescribeRulesResponse>`)
	})
	api := elasticloadbalancingv2.NewFromConfig(awsapi.Config(w, "eu-central-1"))
	out, err := api.DescribeRules(context.Background(),
		&elasticloadbalancingv2.DescribeRulesInput{RuleArns: []string{rule}})
	if err != nil || len(out.Rules) != 1 || len(out.Rules[0].Actions) != 1 {
		t.Fatalf("%+v (%v)", out, err)
	}
	for _, path := range zeros("Action", reflect.ValueOf(out.Rules[0].Actions[0])) {
		t.Errorf("the SDK did not read %s from an element of that name", path)
	}
}

// xmlOf is an element with every field of a type.
func xmlOf(name string, t reflect.Type) string {
	var b bytes.Buffer
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		for _, f := range reflect.VisibleFields(t) {
			if f.IsExported() {
				b.WriteString(xmlOf(f.Name, f.Type))
			}
		}
	case reflect.Slice:
		b.WriteString(xmlOf("member", t.Elem()))
	case reflect.Map:
		b.WriteString("<entry><key>k</key><value>v</value></entry>")
	case reflect.Bool:
		b.WriteString("true")
	case reflect.String:
		b.WriteString("x")
	default:
		b.WriteString("1")
	}
	return "<" + name + ">" + b.String() + "</" + name + ">"
}

// zeros are the paths of the fields that have no value.
func zeros(path string, v reflect.Value) []string {
	if v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0 {
		return []string{path}
	}
	var out []string
	switch v.Kind() {
	case reflect.Pointer:
		return zeros(path, v.Elem())
	case reflect.Slice:
		return zeros(path+"[0]", v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out = append(out, zeros(path+"."+f.Name, v.Field(i))...)
			}
		}
	}
	return out
}
