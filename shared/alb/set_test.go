package alb_test

import (
	"cmp"
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

var (
	ruleTarget = rotation.Target{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener,
		RuleARN: rule, Name: "orders-alb :443 rule 10"}
	defaultTarget = rotation.Target{Region: "eu-central-1", LoadBalancerARN: ordersLB, ListenerARN: listener,
		Name: "orders-alb :443 default"}
)

const canary = "CANARY-new-secret"

func change() alb.Change {
	return alb.Change{Registration: registered("orders"), ClientID: "orders", Secret: secret.New(canary)}
}

// withTargets is a load balancer whose rule and default action have the given actions.
func withTargets(t testing.TB, actions ...types.Action) *fixture {
	f := newFixture(t)
	f.listen(ordersLB, listener, 443, actions...)
	f.add(listener, rule, 10, actions...)
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

func set(f *fixture, target rotation.Target, c alb.Change) (alb.Result, error) {
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
		"before one target group":      {login("orders"), forward("g")},
		"before several target groups": {login("orders"), forward("g", "h", "i")},
		"before a fixed response":      {login("orders"), fixed()},
		"before a redirect": {login("orders"), {Type: types.ActionTypeEnumRedirect, Order: aws.Int32(2),
			RedirectConfig: &types.RedirectActionConfig{StatusCode: "HTTP_302", Host: aws.String("#{host}")}}},
	}
	for name, actions := range lists {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
				f := withTargets(t, actions...)
				wantListener, wantRule := f.listener(listener), f.rule(rule)
				got, err := set(f, target, change())
				wantResult(t, got, err, alb.Updated)
				if f.secret(arn) != canary {
					t.Errorf("secret %q", f.secret(arn))
				}
				if !reflect.DeepEqual(f.listener(listener), wantListener) {
					t.Errorf("listener %+v, want %+v", f.listener(listener), wantListener)
				}
				if !reflect.DeepEqual(f.rule(rule), wantRule) {
					t.Errorf("rule %+v, want %+v", f.rule(rule), wantRule)
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
	if f.secret(listener) != "old" {
		t.Fatal("the default action was changed too")
	}
}

func TestClientIDAndSecretChangeTogetherAndBack(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
		f := withTargets(t, login("orders-a"), forward("g"))
		for _, id := range []string{"orders-b", "orders-b", "orders-a"} {
			c := alb.Change{Registration: registered("orders-a", "orders-b"), ClientID: id,
				Secret: secret.New("secret of " + id)}
			got, err := set(f, target, c)
			wantResult(t, got, err, alb.Updated)
			if got := *f.actions(arn)[0].AuthenticateOidcConfig.ClientId; got != id ||
				f.secret(arn) != "secret of "+id {
				t.Fatalf("client id %s with %q, want %s", got, f.secret(arn), id)
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
		"another client": {[]types.Action{login("shop"), forward("g")}, `client id "shop"`},
		"another issuer": {[]types.Action{otherIssuer, forward("g")}, `issuer "https://other"`},
		"another token endpoint": {[]types.Action{otherToken, forward("g")},
			`token endpoint "https://elsewhere/token"`},
		"no login any more":        {[]types.Action{forward("g")}, "no authenticate-oidc action"},
		"an action not known here": {[]types.Action{login("orders"), forward("g")}, `"teleport"`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, modify, _ string) {
				f := withTargets(t, c.actions...)
				if strings.Contains(c.says, "teleport") {
					f.future = "teleport"
				}
				before := f.secret(arn)
				_, err := set(f, target, change())
				wantKind(t, err, failure.TargetDrift)
				if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), target.Name) {
					t.Errorf("text %q, want %q", err, c.says)
				}
				if slices.Contains(f.calls, modify) || f.secret(arn) != before {
					t.Error("it was changed")
				}
			})
		})
	}
}

func TestATargetThatIsGoneIsAnAnswer(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, _ string) {
		f := newFixture(t)
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
		if f.slept == 0 {
			t.Error("believed after a single read")
		}
	})
}

func TestATargetThatVanishesBeforeTheWriteIsGone(t *testing.T) {
	t.Parallel()
	gone := map[string]string{"ModifyRule": "RuleNotFound", "ModifyListener": "ListenerNotFound"}
	eachTarget(t, func(t *testing.T, target rotation.Target, _, modify, _ string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.fail(modify, gone[modify])
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
	})
}

func TestATargetThatVanishesAfterTheWriteIsGone(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, _ string) {
		f := withTargets(t, login("orders"), forward("g"))
		f.meanwhile = func() { f.remove(arn) }
		got, err := set(f, target, change())
		wantResult(t, got, err, alb.Gone)
	})
}

func TestATargetMissingFromTheFirstReadsIsStillSet(t *testing.T) {
	t.Parallel()
	gone := map[string]string{"DescribeRules": "RuleNotFound", "DescribeListeners": "ListenerNotFound"}
	for _, when := range []string{"before the write", "after it"} {
		t.Run(when, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, _, describe string) {
				f := withTargets(t, login("orders"), forward("g"))
				hide := func() { f.failNext(describe, gone[describe], 2) }
				if when == "after it" {
					f.meanwhile = hide
				} else {
					hide()
				}
				got, err := set(f, target, change())
				wantResult(t, got, err, alb.Updated)
				if f.secret(arn) != canary {
					t.Fatal("it was not set")
				}
			})
		})
	}
}

func TestReadsThatAreBehindAreNoDrift(t *testing.T) {
	t.Parallel()
	eachTarget(t, func(t *testing.T, target rotation.Target, _, _, _ string) {
		f := withTargets(t, login("orders-a"), forward("g"))
		f.lag = 3
		c := alb.Change{Registration: registered("orders-a", "orders-b"), ClientID: "orders-b",
			Secret: secret.New(canary)}
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
	change func(f *fixture)
	field  string
}{
	"the weight of a target group": {ruleTarget, func(f *fixture) { f.weigh(77) },
		"Actions[1].ForwardConfig.TargetGroups[1].Weight"},
	"a condition": {ruleTarget, func(f *fixture) {
		_, err := f.other(rule).ModifyRule(f.t.Context(), &elb.ModifyRuleInput{RuleArn: aws.String(rule),
			Conditions: paths("/a", "/c")})
		f.check(err)
	}, "Rule.Conditions[0].PathPatternConfig.Values[1]"},
	"a transform": {ruleTarget, func(f *fixture) { f.ofRules = "" }, "Rule.Transforms"},
	"the default action's scope": {defaultTarget, func(f *fixture) {
		f.hand(listener, func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.Scope = aws.String("openid email")
			return a
		})
	}, "Actions[0].AuthenticateOidcConfig.Scope"},
	"the security policy": {defaultTarget, func(f *fixture) {
		_, err := f.other(listener).ModifyListener(f.t.Context(),
			&elb.ModifyListenerInput{ListenerArn: aws.String(listener),
				SslPolicy: aws.String("x")})
		f.check(err)
	}, "Listener.SslPolicy"},
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
			if err != nil || done.Result != alb.Updated || !strings.HasPrefix(done.Notice, c.field+" of "+c.target.Name+
				" was changed by another hand") {
				t.Fatalf("done %+v (%v), want field %s", done, err, c.field)
			}
			want := withTargets(t, login("orders"), forward("g", "h"))
			c.change(want)
			sameRule(t, f, want)
			if arn := cmp.Or(c.target.RuleARN, c.target.ListenerARN); f.secret(arn) != canary ||
				strings.Contains(done.Notice, canary) {
				t.Errorf("the secret is %q, the notice %q", f.secret(arn), done.Notice)
			}
		})
	}
}

func sameRule(t *testing.T, got, want *fixture) {
	t.Helper()
	if !reflect.DeepEqual(got.rule(rule), want.rule(rule)) ||
		!reflect.DeepEqual(got.listener(listener), want.listener(listener)) {
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
			f.hand(rule, func(a []types.Action) []types.Action {
				o := a[0].AuthenticateOidcConfig
				o.ClientSecret, o.UseExistingClientSecret = aws.String("old"), nil
				a[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(77)
				return a
			})
		}
	}
	got, err := set(f, ruleTarget, change())
	wantResult(t, got, err, alb.Updated)
	if f.secret(rule) != canary {
		t.Fatal("the old secret stayed")
	}
}

func TestATargetThatKeepsMovingIsDriftInTheEnd(t *testing.T) {
	t.Parallel()
	t.Run("after each write", func(t *testing.T) {
		t.Parallel()
		f := withTargets(t, login("orders"), forward("g", "h"))
		weight := int32(10)
		f.meanwhile = func() { weight++; f.weigh(weight) }
		_, err := set(f, ruleTarget, change())
		wantKind(t, err, failure.TargetDrift)
		if !strings.Contains(err.Error(), "Actions[1].ForwardConfig.TargetGroups[1].Weight is different; another "+
			"hand changes it at the same time: wait") {
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
			f.weigh(weight)
			f.afterRead = move
		}
		f.afterRead = move
		_, err := set(f, ruleTarget, change())
		wantKind(t, err, failure.Unavailable)
		if slices.Contains(f.calls, "ModifyRule") || f.secret(rule) != "old" {
			t.Error("it was written without two reads that agree")
		}
	})
}

func TestATargetThatDidNotStayTheClientsIsDrift(t *testing.T) {
	t.Parallel()
	for name, move := range map[string]func(a []types.Action) []types.Action{
		"login no longer required": func(a []types.Action) []types.Action { return a[1:] },
		"another client": func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.ClientId = aws.String("shop")
			return a
		},
		"the other registration of a pair": func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.ClientId = aws.String("orders-b")
			return a
		},
		"another provider": func(a []types.Action) []types.Action {
			a[0].AuthenticateOidcConfig.Issuer = aws.String("https://x")
			return a
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"), forward("g", "h"))
			f.meanwhile = func() { f.hand(rule, move) }
			c := change()
			c.Registration = registered("orders", "orders-b")
			_, err := set(f, ruleTarget, c)
			wantKind(t, err, failure.TargetDrift)
			if !strings.Contains(err.Error(), " is different; another change was made at the same time, look at it") ||
				strings.Contains(err.Error(), canary) {
				t.Fatalf("what another hand gave to another registration is overwritten: %q", err)
			}
		})
	}
}

func TestARetryAfterAFaultSetsTheSecret(t *testing.T) {
	t.Parallel()
	faults := map[string]struct {
		fault fault.Rule
		want  failure.Kind
	}{
		"throttled":      {fault.Rule{Mode: fault.Refuse, Status: 400, Code: "ThrottlingException"}, failure.Throttled},
		"internal error": {fault.Rule{Mode: fault.Refuse}, failure.Unavailable},
		"reply lost":     {fault.Rule{Mode: fault.Lose}, failure.Unavailable},
		"message quotes secret": {fault.Rule{Mode: fault.Refuse, Status: 400, Code: "ValidationError"},
			failure.Internal},
	}
	for name, c := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			eachTarget(t, func(t *testing.T, target rotation.Target, arn, modify, _ string) {
				f := withTargets(t, login("orders"), forward("g"))
				c.fault.Service, c.fault.Operation, c.fault.Times = "elasticloadbalancing", modify, 1
				_, err := f.faults.Add(c.fault)
				f.check(err)
				f.rewrite = func(answer string) string {
					return strings.Replace(answer, "refused by a fault", "Value '"+canary+"' is too long", 1)
				}
				got, err := set(f, target, change())
				wantKind(t, err, c.want)
				if got != "" || strings.Contains(err.Error(), canary) {
					t.Fatalf("result %q, text %q", got, err)
				}
				got, err = set(f, target, change())
				wantResult(t, got, err, alb.Updated)
				if f.secret(arn) != canary {
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
		f.fail(describe, "AccessDenied")
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
	got, err := newFixture(t).balancersOf().SetSecret(ctx, ruleTarget, change())
	wantKind(t, err, failure.Unavailable)
	if got != (alb.Done{}) {
		t.Fatalf("result %q", got.Result)
	}
}

// The request that checks one target is the first of the two reads of the next one that must agree before its write.
func TestTheCheckOfATargetBeginsTheNext(t *testing.T) {
	t.Parallel()
	const second = arns + "listener-rule/app/orders-alb/0123456789abcdef/1/20"
	next := ruleTarget
	next.RuleARN, next.Name = second, "orders-alb :443 rule 20"
	heavier := func(a []types.Action) []types.Action {
		a[1].ForwardConfig.TargetGroups[1].Weight = aws.Int32(70)
		return a
	}
	gone := func(f *fixture) { f.remove(second) }
	for name, c := range map[string]struct {
		next, set rotation.Target // the one that is said to come next, and the one that does
		// before and after are what somebody else does before the first write and after the request that checks it.
		before, after func(f *fixture)
		later         time.Duration // until the next is set
		reads         int           // of rules and listeners, in all
		result        alb.Result
	}{
		"a rule after a rule":        {next, next, nil, nil, 0, 5, alb.Updated},
		"a listener after a rule":    {defaultTarget, defaultTarget, nil, nil, 0, 6, alb.Updated},
		"another rule than was read": {next, ruleTarget, nil, nil, 0, 6, alb.Updated},
		"the same once more":         {ruleTarget, ruleTarget, nil, nil, 0, 6, alb.Updated},
		"a rule, seconds later":      {next, next, nil, nil, 5 * time.Second, 6, alb.Updated},
		"a rule that is changed after that": {next, next, nil, func(f *fixture) { f.hand(second, heavier) }, 0, 6,
			alb.Updated},
		"a rule that is removed after that": {next, next, nil, gone, 0, 7, alb.Gone},
		"a rule that is gone before":        {next, next, gone, nil, 0, 8, alb.Gone},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := withTargets(t, login("orders"), forward("g", "h"))
			f.add(listener, second, 20, login("orders"), forward("g", "h"))
			if c.before != nil {
				c.before(f)
			}
			f.meanwhile = func() {
				f.meanwhile = nil
				if c.after != nil {
					f.afterRead = func() { c.after(f) }
				}
			}
			now := time.Now()
			b := f.balancersAt(func() time.Time { return now })
			first, other := change(), change()
			first.Next = &c.next
			done, err := b.SetSecret(t.Context(), ruleTarget, first)
			if err != nil || done.Result != alb.Updated || f.secret(rule) != canary {
				t.Fatalf("the first is %s (%v)", done.Result, err)
			}
			now, other.Read = now.Add(c.later), done.Next
			done, err = b.SetSecret(t.Context(), c.set, other)
			reads := slices.DeleteFunc(slices.Clone(f.calls), func(c string) bool {
				return strings.HasPrefix(c,
					"Mod")
			})
			if err != nil || done.Result != c.result || len(reads) != c.reads {
				t.Fatalf("the next is %s after %d reads, want %s after %d (%v)", done.Result, len(reads), c.result,
					c.reads,
					err)
			}
			if done.Result == alb.Gone {
				return
			}
			if c.after == nil && f.slept != 0 {
				t.Error("it waits, as if somebody else had changed the target")
			}
			want := withTargets(t, login("orders"), forward("g", "h"))
			want.add(listener, second, 20, login("orders"), forward("g", "h"))
			if c.after != nil {
				c.after(want)
			}
			if arn := cmp.Or(c.set.RuleARN, c.set.ListenerARN); f.secret(arn) != canary ||
				!reflect.DeepEqual(f.actions(arn)[1], want.actions(arn)[1]) {
				t.Error("what somebody else has changed is undone, or the secret is not set")
			}
		})
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
