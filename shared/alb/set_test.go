package alb_test

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

var (
	ruleTarget    = rotation.Target{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener, RuleARN: rule, Name: "orders-alb :443 rule 10"}
	defaultTarget = rotation.Target{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener, Name: "orders-alb :443 default"}
)

const canary = "CANARY-new-secret"

func change() alb.Change {
	return alb.Change{Registration: registered("orders"), ClientID: "orders", Secret: secret.New(canary)}
}

// withTargets is a load balancer whose rule and default action have the given actions.
func withTargets(t *testing.T, actions ...types.Action) *fake {
	f := newFake(t)
	f.listen(ordersLB, listener, 443, actions...)
	f.add(listener, rule, 10, actions...)
	f.secrets[rule], f.secrets[listener] = "old", "old"
	return f
}

// eachTarget runs a test for the rule and for the default action; modify is the operation that writes, describe the one
// that reads.
func eachTarget(t *testing.T, run func(t *testing.T, target rotation.Target, arn, modify, describe string)) {
	t.Helper()
	t.Run("of a rule", func(t *testing.T) {
		t.Parallel()
		run(t, ruleTarget, rule, "ModifyRule", "DescribeRules")
	})
	t.Run("of a listener", func(t *testing.T) {
		t.Parallel()
		run(t, defaultTarget, listener, "ModifyListener", "DescribeListeners")
	})
}

func set(f *fake, target rotation.Target, c alb.Change) (alb.Result, error) {
	done, err := f.balancersOf().SetSecret(context.Background(), target, c)
	return done.Result, err
}

func wantResult(t *testing.T, got alb.Result, err error, want alb.Result) {
	t.Helper()
	if err != nil || got != want {
		t.Fatalf("result %q (%v), want %q", got, err, want)
	}
}

func TestOnlyTheSecretChanges(t *testing.T) {
	t.Parallel()
	lists := map[string][]types.Action{
		"before one target group":       {login("orders"), forward("g")},
		"before several target groups":  {login("orders"), forward("g", "h", "i")},
		"before a fixed response":       {login("orders"), {Type: types.ActionTypeEnumFixedResponse, Order: aws.Int32(2), FixedResponseConfig: &types.FixedResponseActionConfig{StatusCode: aws.String("200"), MessageBody: aws.String("hi")}}},
		"before a redirect":             {login("orders"), {Type: types.ActionTypeEnumRedirect, Order: aws.Int32(2), RedirectConfig: &types.RedirectActionConfig{StatusCode: types.RedirectActionStatusCodeEnumHttp302, Host: aws.String("#{host}")}}},
		"beside another authentication": {login("orders"), {Type: types.ActionTypeEnumAuthenticateCognito, Order: aws.Int32(3), AuthenticateCognitoConfig: &types.AuthenticateCognitoActionConfig{UserPoolArn: aws.String("p")}}, forward("g")},
	}
	for name, actions := range lists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
				f := withTargets(t, actions...)
				wantListener, wantRule := clone(t, *f.listener(listener)), clone(t, *f.rule(rule))
				got, err := set(f, target, change())
				wantResult(t, got, err, alb.Updated)
				if f.secrets[arn] != canary {
					t.Errorf("secret %q", f.secrets[arn])
				}
				if !reflect.DeepEqual(*f.listener(listener), wantListener) {
					t.Errorf("listener %+v, want %+v", *f.listener(listener), wantListener)
				}
				if !reflect.DeepEqual(*f.rule(rule), wantRule) {
					t.Errorf("rule %+v, want %+v", *f.rule(rule), wantRule)
				}
			})
		})
	}
}

func TestTheOtherTargetKeepsItsSecret(t *testing.T) {
	t.Parallel()
	f := withTargets(t, login("orders"), forward("g"))
	got, err := set(f, ruleTarget, change())
	wantResult(t, got, err, alb.Updated)
	if f.secrets[listener] != "old" {
		t.Fatal("the default action was changed too")
	}
}

func TestClientIDAndSecretChangeTogetherAndBack(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
		f := withTargets(t, login("orders-a"), forward("g"))
		for _, id := range []string{"orders-b", "orders-b", "orders-a"} {
			c := alb.Change{Registration: registered("orders-a", "orders-b"), ClientID: id, Secret: secret.New("secret of " + id)}
			got, err := set(f, target, c)
			wantResult(t, got, err, alb.Updated)
			actions := f.rule(rule).Actions
			if target == defaultTarget {
				actions = f.listener(listener).DefaultActions
			}
			if got := *actions[0].AuthenticateOidcConfig.ClientId; got != id || f.secrets[arn] != "secret of "+id {
				t.Fatalf("client id %s with %q, want %s", got, f.secrets[arn], id)
			}
		}
	})
}

func TestATargetThatIsNotTheClientsIsLeftAlone(t *testing.T) {
	t.Parallel()
	otherIssuer := login("orders")
	otherIssuer.AuthenticateOidcConfig.Issuer = aws.String("https://other")
	otherToken := login("orders")
	otherToken.AuthenticateOidcConfig.TokenEndpoint = aws.String("https://elsewhere/token")
	cases := map[string]struct {
		actions []types.Action
		says    string
	}{
		"another client":           {[]types.Action{login("shop"), forward("g")}, `client id "shop"`},
		"another issuer":           {[]types.Action{otherIssuer, forward("g")}, `issuer "https://other"`},
		"another token endpoint":   {[]types.Action{otherToken, forward("g")}, `token endpoint "https://elsewhere/token"`},
		"no login any more":        {[]types.Action{forward("g")}, "no authenticate-oidc action"},
		"an action not known here": {[]types.Action{login("orders"), {Type: "teleport", Order: aws.Int32(2)}}, `"teleport"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, modify, _ string) {
				f := withTargets(t, c.actions...)
				_, err := set(f, target, change())
				wantKind(t, err, failure.TargetDrift)
				if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), target.Name) {
					t.Errorf("text %q, want %q", err, c.says)
				}
				if slices.Contains(f.calls, modify) || f.secrets[arn] != "old" {
					t.Error("it was changed")
				}
			})
		})
	}
}

func TestATargetThatIsGoneIsAnAnswer(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, _ string) {
		f := newFake(t)
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
		if f.slept == 0 {
			t.Error("believed after a single read")
		}
	})
}

func TestATargetThatVanishesBeforeTheWriteIsGone(t *testing.T) {
	t.Parallel()
	gone := map[string]error{"ModifyRule": &types.RuleNotFoundException{}, "ModifyListener": &types.ListenerNotFoundException{}}
	eachTarget(t, func(t *testing.T, target rotation.Target, _, modify, _ string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.before[modify] = gone[modify]
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
	})
}

func TestATargetThatVanishesAfterTheWriteIsGone(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, _ string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.meanwhile = func() { f.hidden = 100 }
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
	})
}

func TestATargetMissingFromTheFirstReadsIsStillSet(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.hidden = 2
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Updated)
		if f.secrets[arn] != canary {
			t.Fatal("it was not set")
		}
	})
}

func TestReadsThatAreBehindAreNoDrift(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, _ string) {
		f := withTargets(t, login("orders-a"), forward("g"))
		f.lag = 3
		c := alb.Change{Registration: registered("orders-a", "orders-b"), ClientID: "orders-b", Secret: secret.New(canary)}
		got, err := set(f, target, c)
		wantResult(t, got, err, alb.Updated)
		if f.slept == 0 {
			t.Error("read again without a pause")
		}
	})
}

// hands are changes of other hands, with the field that differs.
var hands = map[string]struct {
	target rotation.Target
	change func(f *fake)
	field  string
}{
	"the weight of a target group": {ruleTarget, func(f *fake) { f.rule(rule).Actions[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(77) },
		"Actions[1].ForwardConfig.TargetGroups[1].Weight"},
	"a condition": {ruleTarget, func(f *fake) { f.rule(rule).Conditions[0].Values = []string{"/a", "/c"} }, "Rule.Conditions[0].Values[1]"},
	"a transform": {ruleTarget, func(f *fake) { f.rule(rule).Transforms = nil }, "Rule.Transforms"},
	"the default action's scope": {defaultTarget, func(f *fake) {
		f.listener(listener).DefaultActions[0].AuthenticateOidcConfig.Scope = aws.String("openid email")
	}, "Actions[0].AuthenticateOidcConfig.Scope"},
	"the security policy": {defaultTarget, func(f *fake) { f.listener(listener).SslPolicy = aws.String("x") }, "Listener.SslPolicy"},
}

func TestWhatAnotherHandChangesStays(t *testing.T) {
	t.Parallel()
	for name, c := range hands {
		t.Run(name+", between our reads", func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"), forward("g", "h"))
			f.afterRead = func() { c.change(f) }
			want := withTargets(t, login("orders"), forward("g", "h"))
			c.change(want)
			done, err := f.balancersOf().SetSecret(context.Background(), c.target, change())
			if err != nil || done != (alb.Done{Result: alb.Updated}) {
				t.Fatalf("done %+v (%v)", done, err)
			}
			sameRule(t, f, want)
		})
		t.Run(name+", between our write and our check", func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"), forward("g", "h"))
			once := true
			f.meanwhile = func() {
				if once {
					once = false
					c.change(f)
				}
			}
			done, err := f.balancersOf().SetSecret(context.Background(), c.target, change())
			if err != nil || done.Result != alb.Updated || !strings.HasPrefix(done.Notice, c.field+" of "+c.target.Name+" was changed by another hand") {
				t.Fatalf("done %+v (%v), want field %s", done, err, c.field)
			}
			want := withTargets(t, login("orders"), forward("g", "h"))
			c.change(want)
			sameRule(t, f, want)
			if arn := cmp.Or(c.target.RuleARN, c.target.ListenerARN); f.secrets[arn] != canary || strings.Contains(done.Notice, canary) {
				t.Errorf("the secret is %q, the notice %q", f.secrets[arn], done.Notice)
			}
		})
	}
}

func sameRule(t *testing.T, got, want *fake) {
	t.Helper()
	if !reflect.DeepEqual(got.rule(rule), want.rule(rule)) || !reflect.DeepEqual(got.listener(listener), want.listener(listener)) {
		t.Errorf("the other hand's change is gone: %+v %+v", got.rule(rule), got.listener(listener))
	}
}

func TestAnOldSecretThatCameBackMeanwhileIsSetAgain(t *testing.T) {
	t.Parallel()
	f := withTargets(t, login("orders"), forward("g", "h"))
	once := true
	f.meanwhile = func() {
		if once {
			once = false
			f.secrets[rule] = "old"
			f.rule(rule).Actions[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(77)
		}
	}
	got, err := set(f, ruleTarget, change())
	wantResult(t, got, err, alb.Updated)
	if f.secrets[rule] != canary {
		t.Fatal("the old secret stayed")
	}
}

func TestATargetThatKeepsMovingIsDriftInTheEnd(t *testing.T) {
	t.Parallel()
	t.Run("after each write", func(t *testing.T) {
		t.Parallel()
		f := withTargets(t, login("orders"), forward("g", "h"))
		weight := int32(10)
		f.meanwhile = func() { weight++; f.rule(rule).Actions[1].ForwardConfig.TargetGroups[1].Weight = &weight }
		_, err := set(f, ruleTarget, change())
		wantKind(t, err, failure.TargetDrift)
		if !strings.Contains(err.Error(), "Actions[1].ForwardConfig.TargetGroups[1].Weight is different; another hand changes it at the same time: wait") {
			t.Errorf("text %q", err)
		}
	})
	t.Run("after each read", func(t *testing.T) {
		t.Parallel()
		f := withTargets(t, login("orders"), forward("g", "h"))
		var move func()
		weight := int32(10)
		move = func() {
			weight++
			f.rule(rule).Actions[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(weight)
			f.afterRead = move
		}
		f.afterRead = move
		_, err := set(f, ruleTarget, change())
		wantKind(t, err, failure.Unavailable)
		if slices.Contains(f.calls, "ModifyRule") || f.secrets[rule] != "old" {
			t.Error("it was written without two reads that agree")
		}
	})
}

func TestATargetThatDidNotStayTheClientsIsDrift(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(f *fake){
		"login no longer required": func(f *fake) { f.rule(rule).Actions = []types.Action{forward("g", "h")} },
		"another client":           func(f *fake) { f.rule(rule).Actions[0].AuthenticateOidcConfig.ClientId = aws.String("shop") },
		"another provider":         func(f *fake) { f.rule(rule).Actions[0].AuthenticateOidcConfig.Issuer = aws.String("https://x") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"), forward("g", "h"))
			f.meanwhile = func() { move(f) }
			_, err := set(f, ruleTarget, change())
			wantKind(t, err, failure.TargetDrift)
			if !strings.Contains(err.Error(), " is different") || strings.Contains(err.Error(), canary) {
				t.Fatalf("text %q", err)
			}
		})
	}
}

func TestARetryAfterAFaultSetsTheSecret(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		err   error
		after bool
		want  failure.Kind
	}{
		"throttled":             {&smithy.GenericAPIError{Code: "ThrottlingException"}, false, failure.Throttled},
		"internal error":        {&smithy.GenericAPIError{Code: "InternalFailure"}, false, failure.Unavailable},
		"reply lost":            {&smithy.GenericAPIError{Code: "InternalFailure"}, true, failure.Unavailable},
		"message quotes secret": {&smithy.GenericAPIError{Code: "ValidationError", Message: "Value '" + canary + "' is too long"}, false, failure.Internal},
	}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, modify, _ string) {
				f := withTargets(t, login("orders"), forward("g"))
				if c.after {
					f.after[modify] = c.err
				} else {
					f.before[modify] = c.err
				}
				got, err := set(f, target, change())
				wantKind(t, err, c.want)
				if got != "" || strings.Contains(err.Error(), canary) {
					t.Fatalf("result %q, text %q", got, err)
				}
				got, err = set(f, target, change())
				wantResult(t, got, err, alb.Updated)
				if f.secrets[arn] != canary {
					t.Fatal("it was not set")
				}
			})
		})
	}
}

func TestAFailedReadIsNotGone(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, describe string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.before[describe] = &smithy.GenericAPIError{Code: "AccessDenied"}
		got, err := set(f, target, change())
		wantKind(t, err, failure.AccessDenied)
		if got != "" {
			t.Fatalf("result %q", got)
		}
	})
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	got, err := newFake(t).balancersOf().SetSecret(ctx, ruleTarget, change())
	wantKind(t, err, failure.Unavailable)
	if got != (alb.Done{}) {
		t.Fatalf("result %q", got)
	}
}

func TestAnEmptySecretOrClientIDIsNeverSet(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(c *alb.Change){
		"secret":    func(c *alb.Change) { c.Secret = secret.Value{} },
		"client id": func(c *alb.Change) { c.ClientID = "" },
	} {
		f := withTargets(t, login("orders"), forward("g"))
		c := change()
		broken(&c)
		if _, err := set(f, ruleTarget, c); !failure.Is(err, failure.Internal) || len(f.calls) != 0 {
			t.Fatalf("no %s: %v, calls %v", name, err, f.calls)
		}
	}
}
