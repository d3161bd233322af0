package alb_test

import (
	"regexp"
	"strings"
	"testing"

	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
)

// tag is an element's begin or end.
var tag = regexp.MustCompile(`<(/?)([A-Za-z]+)(/?)>`)

// insert puts an element into an answer before one of its tags. inside says whether that is among the actions.
func insert(answer, element string, place uint) (changed string, inside bool) {
	tags := tag.FindAllStringSubmatchIndex(answer, -1)
	if len(tags) == 0 {
		return answer, false
	}
	at := tags[place%uint(len(tags))][0]
	for _, m := range tags {
		if name := answer[m[4]:m[5]]; m[0] < at && (name == "Actions" || name == "DefaultActions") && m[6] == m[7] {
			inside = m[2] == m[3]
		}
	}
	return answer[:at] + element + answer[at:], inside
}

// defaultRule is the last of a listener's.
var defaultRule = regexp.MustCompile(`(?s)default</Priority>.*`)

var elementName = regexp.MustCompile(`^[A-Za-z0-9]{0,40}$`)

// An element that the SDK does not know stops a rotation before anything is written if a write would drop it, wherever
// among the actions it stands, and nowhere else; accepted by name, it is dropped, and told.
func FuzzUnknownElement(f *testing.F) {
	for place := range uint(80) {
		f.Add(place, "New", "1", place%2 == 0)
	}
	f.Fuzz(func(t *testing.T, place uint, name, text string, accept bool) {
		if name = "Zz" + name; !elementName.MatchString(name) || strings.ContainsAny(text, "<&\r\x00") {
			t.Skip("not the text of an element")
		}
		fx := withTargets(t, login("orders"), forward("g", "h"))
		inside := false
		fx.rewrite = func(answer string) string {
			if len(fx.sent) > 0 || !strings.Contains(answer, "DescribeRulesResult") {
				return answer
			}
			changed, among := insert(answer, "<"+name+">"+text+"</"+name+">", place)
			// a default rule's actions are read with the listener
			inside = among && !strings.Contains(defaultRule.FindString(changed), name)
			return changed
		}
		change := change()
		if accept {
			change.Registration.AcceptElements = []string{name}
		}
		found, err := fx.balancersOf().Targets(t.Context(), alb.Where{LoadBalancers: []string{ordersLB}},
			change.Registration)
		if err == nil {
			if len(found.Targets) != 2 || len(found.Refusals) > 0 != (inside && !accept) {
				t.Errorf("inside %t, accepted %t: %+v", inside, accept, found)
			}
		}
		done, err := fx.balancersOf().SetSecret(t.Context(), ruleTarget, change)
		switch dropped := inside && len(fx.sent) > 0; {
		case dropped && !accept, (err == nil) != (len(fx.sent) == 1):
			t.Errorf("inside %t, accepted %t: %d writes (%v)", inside, accept, len(fx.sent), err)
		case dropped && !strings.Contains(done.Notice, name):
			t.Errorf("%s was dropped in silence: %+v", name, done)
		case err == nil && fx.secret(rule) != canary:
			t.Error("the secret was not set")
		}
	})
}

// Whatever is answered to a read, the secret goes only to actions of the client, a success means that it was sent, and
// no text shows it.
func FuzzLoadBalancerAnswer(f *testing.F) {
	seed := withTargets(f, login("orders"), forward("g"))
	seed.rewrite = func(answer string) string {
		for _, other := range []string{answer, strings.ReplaceAll(answer, endpoint, "https://evil.example/token"),
			strings.ReplaceAll(answer, "<ClientId>orders", "<ClientId>shop"), answer[:len(answer)/2]} {
			for call := range 4 {
				f.Add(call, other)
			}
		}
		return answer
	}
	seed.fail("DescribeRules", "Throttling")
	b := seed.balancersOf()
	for range 2 {
		_, _ = b.Targets(f.Context(), alb.Where{LoadBalancers: []string{ordersLB}}, orders)
	}
	_, _ = b.SetSecret(f.Context(), ruleTarget, change())
	f.Fuzz(func(t *testing.T, call int, body string) {
		for _, target := range []string{rule, listener} {
			fx := withTargets(t, login("orders"), forward("g"))
			answers := 0
			fx.rewrite = func(answer string) string {
				if answers++; answers == 1+int(uint(call)%8) && !strings.Contains(answer, "Modify") {
					return body
				}
				return answer
			}
			found, err := fx.balancersOf().Targets(t.Context(), alb.Where{LoadBalancers: []string{ordersLB}}, orders)
			if err != nil && len(found.Targets) > 0 {
				t.Errorf("%+v with %v", found, err)
			}
			answers = 0
			at := ruleTarget
			if target == listener {
				at = defaultTarget
			}
			done, err := fx.balancersOf().SetSecret(t.Context(), at, change())
			if err == nil && (done.Result == alb.Updated) != (fx.secret(target) == canary) {
				t.Errorf("%s, but the secret is %q", done.Result, fx.secret(target))
			}
			if err != nil && strings.Contains(err.Error(), canary) || strings.Contains(done.Notice, canary) {
				t.Errorf("the secret is shown: %v %s", err, done.Notice)
			}
			checkSent(t, fx)
		}
	})
}

// checkSent looks at which actions got the secret.
func checkSent(t *testing.T, fx *fixture) {
	t.Helper()
	for _, form := range fx.sent {
		for name, values := range form {
			action, is := strings.CutSuffix(name, ".ClientSecret")
			if is && values[0] == canary && (form.Get(action+".ClientId") != "orders" ||
				!config.SameURL(form.Get(action+".TokenEndpoint"), endpoint) ||
				!config.SameURL(form.Get(action+".Issuer"), issuer)) {
				t.Errorf("the secret goes to %v", form.Get(action+".TokenEndpoint"))
			}
			if !is && strings.Contains(values[0], canary) {
				t.Errorf("the secret is sent as %s", name)
			}
		}
	}
}
