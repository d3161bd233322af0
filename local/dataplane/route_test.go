package dataplane_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/dataplane"
	"alboidc.internal/shared/awstest/elbv2"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
)

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func TestRulesAreEvaluatedByPriorityOnPathAndOnHostWithoutItsPort(t *testing.T) {
	r := newRig(t)
	r.newRule(20, "path-pattern", "/img/?.png", fixed("200", "one letter"))
	r.newRule(30, "path-pattern", "/img/*", fixed("200", "image"))
	r.newRule(35, "path-pattern", "/a*b/?*c", fixed("200", "stars"))
	r.newRule(40, "host-header", "*.Example.test", fixed("200", "host"))
	b := r.browser()
	before, _ := b.get("https://" + r.address(0) + "/img/a.png")
	r.clock.Advance(r.svc.Spread())
	_, port, _ := strings.Cut(r.address(0), ":")
	for url, want := range map[string]string{
		"https://orders.example.test:" + port + "/img/a.png":    "one letter",
		"https://orders.example.test:" + port + "/img/ab.png?x": "image",
		"https://orders.example.test:" + port + "/a-b-b/1-c-c":  "stars",
		"https://orders.example.test:" + port + "/a-b/c":        "host",
		"https://orders.example.test:" + port + "/IMG/a.png":    "host",
		"https://localhost:" + port + "/elsewhere":              "no such page",
	} {
		if _, got := b.get(url); got != want {
			t.Errorf("%s answered %q, want %q", url, got, want)
		}
	}
	if before != http.StatusNotFound {
		t.Errorf("a rule was served before it reached the node: %d", before)
	}
}

func TestAWeightedForwardSharesByWeightAndSticksIfAsked(t *testing.T) {
	r := newRig(t)
	heavy, light := r.newGroup("heavy", says("heavy")), r.newGroup("light", says("light"))
	forward := func(sticky bool) types.Action {
		c := &types.ForwardActionConfig{TargetGroups: []types.TargetGroupTuple{{TargetGroupArn: &heavy,
			Weight: aws.Int32(3)}, {TargetGroupArn: &light, Weight: aws.Int32(1)}}}
		if sticky {
			c.TargetGroupStickinessConfig = &types.TargetGroupStickinessConfig{Enabled: &sticky,
				DurationSeconds: aws.Int32(60)}
		}
		return types.Action{Type: types.ActionTypeEnumForward, ForwardConfig: c}
	}
	r.newRule(20, "path-pattern", "/mixed", forward(false))
	r.newRule(21, "path-pattern", "/sticky", forward(true))
	r.clock.Advance(r.svc.Spread())
	b, got := r.browser(), map[string]int{}
	for range 8 {
		_, body := b.get("https://" + r.address(0) + "/mixed")
		got[body]++
	}
	if got["heavy"] != 6 || got["light"] != 2 {
		t.Errorf("shared as %v", got)
	}
	_, first := b.get("https://" + r.address(0) + "/sticky")
	for i := range 8 {
		if _, body := b.get("https://" + r.address(i%2) + "/sticky"); body != first {
			t.Errorf("went from %s to %s", first, body)
		}
	}
}

func TestAGroupWithoutTargetsIs503AndADeadTargetIs502(t *testing.T) {
	r := newRig(t)
	empty, dead := r.newGroup("empty"), r.newGroup("dead")
	must(r.api.RegisterTargets(r.ctx, &elb.RegisterTargetsInput{TargetGroupArn: &dead,
		Targets: []types.TargetDescription{{Id: aws.String("127.0.0.1"), Port: aws.Int32(1)}}}))
	r.newRule(20, "path-pattern", "/empty", types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &empty})
	r.newRule(21, "path-pattern", "/dead", types.Action{Type: types.ActionTypeEnumForward, TargetGroupArn: &dead})
	r.clock.Advance(r.svc.Spread())
	for path, want := range map[string]int{"/empty": 503, "/dead": 502} {
		if got, _ := r.browser().get("https://" + r.address(0) + path); got != want {
			t.Errorf("%s answered %d", path, got)
		}
	}
}

func TestActionsItDoesNotPerformAreRefusedAndNeverSkipped(t *testing.T) {
	cognito := types.Action{Type: types.ActionTypeEnumAuthenticateCognito, Order: aws.Int32(1),
		AuthenticateCognitoConfig: &types.AuthenticateCognitoActionConfig{
			UserPoolArn: aws.String("arn:p"), UserPoolClientId: aws.String("c"), UserPoolDomain: aws.String("d")}}
	redirect := types.Action{Type: types.ActionTypeEnumRedirect, RedirectConfig: &types.RedirectActionConfig{
		StatusCode: "HTTP_301", Host: aws.String("new.example.test")}}
	r := newRig(t)
	for want, actions := range map[string][]types.Action{"authenticate-cognito": {r.forward(), cognito},
		"redirect": {redirect}} {
		r.setActions(actions...)
		r.clock.Advance(r.svc.Spread())
		if status, body := r.browser().open(0); status != http.StatusNotImplemented || !strings.Contains(body, want) ||
			r.app.hits != 0 {
			t.Errorf("got %d %s", status, body)
		}
	}
	_, err := r.api.CreateListener(r.ctx, &elb.CreateListenerInput{LoadBalancerArn: &r.balancer, Port: aws.Int32(80),
		Protocol: types.ProtocolEnumHttp, DefaultActions: []types.Action{fixed("200", "plain")}})
	if err == nil || !strings.Contains(err.Error(), "does not serve HTTP listeners") {
		t.Errorf("an HTTP listener: %v", err)
	}
}

func TestAPlaneServesOlderLoadBalancersUntilItsContextEnds(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	late := must(dataplane.Start(ctx, r.svc, dataplane.Options{Clock: r.clock, Authority: r.ca,
		Address: func(_ elbv2.Listener, node int) string { return fmt.Sprintf("127.0.0.%d:0", node+2) }}))
	addresses := late.Addresses(r.balancer)
	if len(addresses) != 2 || !strings.HasPrefix(addresses[0], "127.0.0.2:") || !strings.HasPrefix(addresses[1],
		"127.0.0.3:") {
		t.Fatalf("listens on %v", addresses)
	}
	client := r.ca.Client(10 * time.Second)
	client.Transport.(*http.Transport).TLSClientConfig.ServerName = "localhost"
	res := must(client.Get("https://" + addresses[0] + "/"))
	_, _ = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("the default rule answered %d", res.StatusCode)
	}
	cancel()
	late.Close() // waits for what the context has begun
	if _, err := client.Get("https://" + addresses[0] + "/"); err == nil {
		t.Error("it still answers")
	}
}
