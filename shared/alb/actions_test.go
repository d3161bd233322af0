package alb

import (
	"reflect"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/secret"
)

func oidc(issuer, clientID string) types.Action {
	return types.Action{Type: types.ActionTypeEnumAuthenticateOidc, Order: aws.Int32(1),
		AuthenticateOidcConfig: &types.AuthenticateOidcActionConfig{
			Issuer: &issuer, ClientId: &clientID, UseExistingClientSecret: aws.Bool(false),
			AuthenticationRequestExtraParams: map[string]string{"prompt": "login"}}}
}

func groups(single string, arns ...string) types.Action {
	a := types.Action{Type: types.ActionTypeEnumForward, Order: aws.Int32(2), ForwardConfig: &types.ForwardActionConfig{
		TargetGroupStickinessConfig: &types.TargetGroupStickinessConfig{Enabled: aws.Bool(true),
			DurationSeconds: aws.Int32(60)}}}
	for i, arn := range arns {
		a.ForwardConfig.TargetGroups = append(a.ForwardConfig.TargetGroups,
			types.TargetGroupTuple{TargetGroupArn: aws.String(arn), Weight: aws.Int32(int32(i))})
	}
	if single != "" {
		a.TargetGroupArn = &single
	}
	return a
}

func toOrders() Change {
	return Change{Registration: Registration{ClientIDs: []string{"orders",
		"orders-old"}, Names: []config.Alias{{Issuer: "i"}}}, ClientID: "orders", Secret: secret.New("new")}
}

func TestTheListToSendIsTheListReadWithTheSecret(t *testing.T) {
	t.Parallel()
	read := []types.Action{oidc("i", "orders-old"), groups("g", "g"), groups("", "g", "h"), oidc("i", "shop")}
	onlyARN := types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: aws.String("g")}
	read = append(read, onlyARN)
	got, err := withSecret(read, toOrders())
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := oidc("i", "orders"), oidc("i", "shop")
	ours.AuthenticateOidcConfig.ClientSecret, ours.AuthenticateOidcConfig.UseExistingClientSecret = aws.String(
		"new"), nil
	theirs.AuthenticateOidcConfig.UseExistingClientSecret = aws.Bool(true)
	want := []types.Action{ours, groups("", "g"), groups("", "g", "h"), theirs, onlyARN}
	mustBe(t, got, want)
	if !reflect.DeepEqual(read, []types.Action{oidc("i", "orders-old"), groups("g", "g"), groups("", "g",
		"h"), oidc("i", "shop"), onlyARN}) {
		t.Fatal("the list that was read was changed")
	}
}

// mustBe says what is lost where a list of actions is another than it must be.
func mustBe(t *testing.T, got, want []types.Action) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("there are %d actions, must be %d: the rule loses, or gets, what is not ours", len(got), len(want))
	}
	for i, w := range want {
		g, oidc := got[i], w.AuthenticateOidcConfig
		switch has := g.AuthenticateOidcConfig; {
		case reflect.DeepEqual(g, w):
		case has != nil && oidc != nil && aws.ToString(has.ClientSecret) != aws.ToString(oidc.ClientSecret):
			t.Errorf("action %d has another secret: logins go on with the old one, or another client's fail", i)
		case has != nil && oidc != nil && !reflect.DeepEqual(has.UseExistingClientSecret, oidc.UseExistingClientSecret):
			t.Errorf("action %d: UseExistingClientSecret is %v, must be %v: the new secret is not taken, or another "+
				"client's is dropped", i, aws.ToBool(has.UseExistingClientSecret),
				aws.ToBool(oidc.UseExistingClientSecret))
		case !reflect.DeepEqual(g.TargetGroupArn, w.TargetGroupArn):
			t.Errorf("action %d names its target group twice, or not: AWS refuses it, or nobody is forwarded", i)
		default:
			t.Errorf("action %d%s is another: a write of the secret changes what is not ours", i,
				findDifference("", reflect.ValueOf(w), reflect.ValueOf(g)))
		}
	}
}

func TestTheListToReadBackHasOnlyTheClientIDChanged(t *testing.T) {
	t.Parallel()
	read := []types.Action{oidc("i", "orders-old"), groups("g", "g"), oidc("i", "shop")}
	got := withClientID(read, toOrders())
	mustBe(t, got, []types.Action{oidc("i", "orders"), groups("g", "g"), oidc("i", "shop")})
	if *read[0].AuthenticateOidcConfig.ClientId != "orders-old" {
		t.Fatal("the list that was read was changed")
	}
}

func TestEveryFieldOfAnActionIsCompared(t *testing.T) {
	t.Parallel()
	full := func() []types.Action { return []types.Action{oidc("i", "orders"), groups("", "g", "h")} }
	cases := map[string]struct {
		change func(a []types.Action) []types.Action
		want   string
	}{
		"nothing":               {func(a []types.Action) []types.Action { return a }, ""},
		"the order of the list": {func(a []types.Action) []types.Action { return []types.Action{a[1], a[0]} }, ""},
		"what no answer holds": {func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.UseExistingClientSecret = nil
			return a
		}, ""},
		"an action more": {func(a []types.Action) []types.Action { return append(a, a[1]) }, "a"},
		"an action less": {func(a []types.Action) []types.Action { return a[:1] }, "a"},
		"the order of an action": {func(a []types.Action) []types.Action {
			a[1].Order = aws.Int32(3)
			return a
		}, "a[1].Order"},
		"the type": {func(a []types.Action) []types.Action { a[1].Type = "redirect"; return a }, "a[1].Type"},
		"an action's configuration gone": {func(a []types.Action) []types.Action { a[1].ForwardConfig = nil; return a },
			"a[1].ForwardConfig"},
		"a weight": {func(a []types.Action) []types.Action {
			a[1].ForwardConfig.TargetGroups[0].Weight = aws.Int32(9)
			return a
		}, "a[1].ForwardConfig.TargetGroups[0].Weight"},
		"target groups in another order": {func(a []types.Action) []types.Action {
			g := a[1].ForwardConfig.TargetGroups
			g[0], g[1] = g[1], g[0]
			return a
		}, ""},
		"stickiness": {func(a []types.Action) []types.Action {
			a[1].ForwardConfig.TargetGroupStickinessConfig.Enabled = nil
			return a
		}, "a[1].ForwardConfig.TargetGroupStickinessConfig.Enabled"},
		"an extra parameter": {func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams["prompt"] = "none"
			return a
		}, "a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams[prompt]"},
		"another extra parameter": {func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams = map[string]string{"x": "login"}
			return a
		}, "a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams[prompt]"},
		"an extra parameter added": {func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams["x"] = "y"
			return a
		}, "a[0].AuthenticateOidcConfig.AuthenticationRequestExtraParams"},
		"the client id": {func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.ClientId = aws.String("x")
			return a
		}, "a[0].AuthenticateOidcConfig.ClientId"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := findDifference("a", reflect.ValueOf(full()), reflect.ValueOf(c.change(full()))); got != c.want {
				t.Fatalf("difference %q, want %q", got, c.want)
			}
		})
	}
}

func TestEachElementIsPairedOnce(t *testing.T) {
	t.Parallel()
	if d := findDifference("x", reflect.ValueOf([]string(nil)), reflect.ValueOf([]string{})); d != "" {
		t.Fatalf("no list and an empty one differ at %q", d)
	}
	want, got := []string{"a", "a", "b"}, []string{"a", "b", "b"}
	if d := findDifference("x", reflect.ValueOf(want), reflect.ValueOf(got)); d != "x[1]" {
		t.Fatalf("difference %q", d)
	}
}
