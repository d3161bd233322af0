package alb_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
)

// wire answers the real SDK client with one listener and one rule, whose login and last action are XML.
type wire struct {
	login, last string
	sent        []url.Values // of ModifyRule and ModifyListener
}

const wireLogin = `<AuthorizationEndpoint>https://idp.example/a</AuthorizationEndpoint><UserInfoEndpoint>https://idp.example/u</UserInfoEndpoint><Issuer>` + issuer + `</Issuer><TokenEndpoint>` + endpoint + `</TokenEndpoint><ClientId>orders</ClientId>`

func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	op := r.PostForm.Get("Action")
	actions := `<member><Type>authenticate-oidc</Type><Order>1</Order><AuthenticateOidcConfig>` + w.login + `</AuthenticateOidcConfig></member>` + w.last
	result := ""
	switch op {
	case "DescribeListeners":
		result = `<Listeners><member><ListenerArn>` + listener + `</ListenerArn><Port>443</Port><DefaultActions><member><Type>forward</Type></member></DefaultActions></member></Listeners>`
	case "DescribeRules":
		result = `<Rules><member><RuleArn>` + rule + `</RuleArn><Priority>10</Priority><IsDefault>false</IsDefault><Unknown><Rule>1</Rule></Unknown><Actions>` + actions + `</Actions></member></Rules>`
	case "ModifyRule":
		w.sent = append(w.sent, r.PostForm)
		w.login, w.last = wireLogin, strings.NewReplacer("<New>1</New>", "", "<New/>", "").Replace(w.last)
	}
	_, _ = fmt.Fprintf(rw, `<%sResponse xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/"><%sResult>%s</%sResult></%sResponse>`, op, op, result, op, op)
}

func (w *wire) balancers(t *testing.T) *alb.Balancers {
	t.Helper()
	s := httptest.NewServer(w)
	t.Cleanup(s.Close)
	api := elasticloadbalancingv2.New(elasticloadbalancingv2.Options{Region: "eu-central-1", BaseEndpoint: &s.URL,
		Credentials: aws.AnonymousCredentials{}, Retryer: aws.NopRetryer{}})
	return alb.New(func(string) alb.API { return api }, func(ctx context.Context, _ time.Duration) error { return ctx.Err() })
}

// newElements are answers with an element that this SDK does not know, somewhere in an action.
var newElements = map[string]*wire{
	"in a login":        {login: wireLogin + `<New>1</New>`, last: `<member><Type>forward</Type><Order>2</Order></member>`},
	"beside a config":   {login: wireLogin, last: `<member><Type>forward</Type><Order>2</Order><New><Deep>1</Deep></New></member>`},
	"in a target group": {login: wireLogin, last: `<member><Type>forward</Type><ForwardConfig><TargetGroups><member><Weight>1</Weight><New/></member></TargetGroups></ForwardConfig></member>`},
	"instead of a list": {login: wireLogin, last: `<member><Type>forward</Type><ForwardConfig><TargetGroups><New/></TargetGroups></ForwardConfig></member>`},
	"in a map":          {login: wireLogin + `<AuthenticationRequestExtraParams><New>1</New></AuthenticationRequestExtraParams>`},
}

func TestAnElementThatTheSDKDoesNotKnowIsRefused(t *testing.T) {
	t.Parallel()
	for name, w := range newElements {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := *w
			b := w.balancers(t)
			accepting := registered("orders")
			accepting.AcceptElements = []string{"New"}
			for _, c := range []struct {
				of       alb.Registration
				refusals int
			}{{orders, 1}, {accepting, 0}} {
				found, err := b.Targets(context.Background(), alb.Where{LoadBalancers: []string{ordersLB}}, c.of)
				if err != nil || len(found.Targets) != 1 || len(found.Refusals) != c.refusals || len(found.Drifted) != 0 {
					t.Fatalf("found %+v (%v)", found, err)
				}
				if c.refusals == 1 && (!strings.HasPrefix(found.Refusals[0], "orders-alb :443 rule 10 has in its actions what this release does not know and would drop: New;") ||
					!strings.Contains(found.Refusals[0], "set acceptElements: [New]")) {
					t.Errorf("refusals %q", found.Refusals)
				}
			}
			_, err := b.SetSecret(context.Background(), ruleTarget, change())
			wantKind(t, err, failure.TargetDrift)
			if len(w.sent) != 0 || !strings.Contains(err.Error(), "New") {
				t.Errorf("%d writes, %v", len(w.sent), err)
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
		"accepted":      {func(c *alb.Change) { c.Registration.AcceptElements = []string{"Other", "New"} }, "New was dropped from orders-alb :443 rule 10, as acceptElements says."},
		"in a rollback": {func(c *alb.Change) { c.Undo = true }, "orders-alb :443 rule 10 got the old secret back, though it has in its actions what this release does not know and would drop: New"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &wire{login: wireLogin + `<New>1</New>`, last: `<member><Type>forward</Type><Order>2</Order></member>`}
			change := change()
			c.allow(&change)
			done, err := w.balancers(t).SetSecret(context.Background(), ruleTarget, change)
			if err != nil || done.Result != alb.Updated || !strings.Contains(done.Notice, c.notice) {
				t.Fatalf("done %+v (%v)", done, err)
			}
			if len(w.sent) != 1 || w.sent[0].Get("Actions.member.1.AuthenticateOidcConfig.ClientSecret") != canary {
				t.Errorf("%d writes", len(w.sent))
			}
		})
	}
}

func TestAnActionOfAnUnknownTypeIsRefusedByTheSearch(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.listen(ordersLB, listener, 443, login("orders"), types.Action{Type: "teleport", Order: aws.Int32(2)})
	found := search(t, f.balancersOf(), ordersLB)
	if len(found.Targets) != 1 || len(found.Refusals) != 1 || !strings.Contains(found.Refusals[0], `an action of type ["teleport"]`) {
		t.Fatalf("found %+v", found)
	}
	c := change()
	c.Undo = true
	done, err := f.balancersOf().SetSecret(context.Background(), defaultTarget, c)
	if err != nil || f.secrets[listener] != canary || !strings.Contains(done.Notice, "teleport") {
		t.Fatalf("a rollback does not restore it: %+v (%v)", done, err)
	}
}

func TestWeightedForwardsAreWarnedOf(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.listen(ordersLB, listener, 443, login("orders"), forward("g", "h"))
	f.add(listener, rule, 10, login("orders"), forward("g"))
	f.add(listener, rule+"-other", 20, login("shop"), forward("g", "h"))
	found := search(t, f.balancersOf(), ordersLB)
	if len(found.Refusals) != 0 || len(found.Warnings) != 1 || !strings.HasPrefix(found.Warnings[0], "orders-alb :443 default forwards to 2 target groups by weight") {
		t.Fatalf("warnings %q, refusals %q", found.Warnings, found.Refusals)
	}
}

// Every field of the SDK's types is an element of that name: what is compared by reflection is what the SDK reads.
func TestTheSDKReadsEveryFieldUnderItsOwnName(t *testing.T) {
	t.Parallel()
	action := xmlOf("member", reflect.TypeFor[types.Action]())
	w := http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(rw, `<DescribeRulesResponse><DescribeRulesResult><Rules><member><RuleArn>`+rule+`</RuleArn><Actions>`+action+
			`</Actions></member></Rules></DescribeRulesResult></DescribeRulesResponse>`)
	})
	s := httptest.NewServer(w)
	defer s.Close()
	api := elasticloadbalancingv2.New(elasticloadbalancingv2.Options{Region: "eu-central-1", BaseEndpoint: &s.URL,
		Credentials: aws.AnonymousCredentials{}})
	out, err := api.DescribeRules(context.Background(), &elasticloadbalancingv2.DescribeRulesInput{RuleArns: []string{rule}})
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
