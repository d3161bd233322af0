package plan_test

import (
	"encoding/json"
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/plan"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const (
	older = fakes.Old
	newer = "version-new"
	value = fakes.Mark + "-value-of-version-new"
	// made is the version that fakes.Execution makes: uuid5 of the ARN in Python's uuid module, with the same
	// namespace.
	made = "1dbfd72b-6759-58aa-928f-c1a9797ab144"
)

func newWorld(t *testing.T) (*fakes.World, *memory.Vendor) {
	t.Helper()
	v := memory.New(memory.Options{MaxSecrets: 2, CanDisable: true})
	_, current := v.Current()
	return fakes.New(t, v, current.Reveal()), v
}

// secondSecret gives the vendor and Secrets Manager a second secret, and the journal both.
func secondSecret(w *fakes.World, v *memory.Vendor, labels ...string) {
	id := v.Add(secret.New(value))
	w.Secrets.Add(newer, value, labels...)
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older: {State: journal.Live, IdPSecretID: "mem-1", Imported: true, At: w.Now.Add(-48 * time.Hour)},
		newer: {State: journal.Live, IdPSecretID: id, At: w.Now.Add(-24 * time.Hour)}}})
}

func promote(w *fakes.World, graceUntil time.Time) {
	w.Secrets.SetLabel("AWSCURRENT", newer)
	w.Secrets.SetLabel("AWSPREVIOUS", older)
	j := w.Journal.Get()
	j.Promotion = &journal.Promotion{From: older, To: newer, At: w.Now, GraceUntil: graceUntil}
	w.Journal.Set(j)
}

func makePlan(w *fakes.World, request string) (rotation.Plan, error) {
	action := rotation.PlanDecide
	if request == measured {
		action = rotation.PlanMeasure
	}
	return call(w, request, action)
}

// call plans, and fails the test if anything was written.
func call(w *fakes.World, request string, action rotation.PlanAction) (rotation.Plan, error) {
	out, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle,
		rotation.PlanInput{Common: w.Common(), Action: action, Request: json.RawMessage(request)})
	if got := w.Writes(); len(got) != 0 {
		return out, errors.New("the plan wrote: " + strings.Join(got, ", "))
	}
	return out, err
}

const plain = `{"client":"orders-web"}`

func TestThePlanOfAFirstRotationNamesWhatItWillTouch(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	p, err := makePlan(w, plain)
	if err != nil {
		t.Fatal(err)
	}
	if p.Action != rotation.Rotate || !p.Import || p.From != (rotation.Ref{VersionID: older, IdPSecretID: "mem-1"}) ||
		p.To != (rotation.Ref{VersionID: made}) {
		t.Errorf("the plan is %+v", p)
	}
	want := []rotation.Target{{Region: "eu-central-1", LoadBalancerARN: fakes.LoadBalancer, ListenerARN: fakes.Listener,
		Name: "orders-alb :443 default"}}
	want[0].Tags = p.Targets[0].Tags
	if !slices.Equal(p.Targets, want) || want[0].Tags == "" {
		t.Errorf("the targets are %+v", p.Targets)
	}
	if p.SpreadSeconds != 60 || p.GracePeriodSeconds != 86400 || p.Warnings == nil || len(p.Checks) != 1 ||
		len(p.Steps) != 5 {
		t.Errorf("the plan is %+v", p)
	}
	if all, wrong := w.Tokens.Asked(); all != 2 || wrong != 1 {
		t.Errorf("%d secrets were probed, %d of them wrong", all, wrong)
	}
}

func TestLoadBalancersAreFoundByTheirTags(t *testing.T) {
	t.Parallel()
	for _, action := range []rotation.PlanAction{rotation.PlanDecide, rotation.PlanDiscover} {
		w, _ := newWorld(t)
		w.Client.LoadBalancers = nil
		w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders"},
			Regions: []string{"eu-central-1"}}
		w.ALB.Tag("login", "orders")
		if p, err := call(w, plain, action); err != nil || len(p.Targets) != 1 ||
			p.Targets[0].LoadBalancerARN != fakes.LoadBalancer {
			t.Errorf("%s: %+v (%v)", action, p.Targets, err)
		}
	}
}

func TestALoadBalancerWhoseTagGoesIsStillATarget(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.Client.LoadBalancers = nil
	w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders"},
		Regions: []string{"eu-central-1"}}
	p, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, rotation.PlanInput{Common: w.Common(),
		Action:  rotation.PlanDiscover,
		Targets: []rotation.Target{{LoadBalancerARN: fakes.LoadBalancer}}})
	if err != nil || len(p.Targets) != 1 {
		t.Errorf("%+v (%v)", p.Targets, err)
	}
}

func TestTagsThatNoLoadBalancerHasAreARefusal(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.Client.LoadBalancers = nil
	w.Client.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"login": "orders", "a": "1",
		"b": "2", "c": "3", "d": "4"}, Regions: []string{"eu-central-1"}}
	if _, err := makePlan(w, plain); !failure.Is(err, failure.Precondition) ||
		!strings.Contains(err.Error(),
			`no Application Load Balancer in eu-central-1 has the tags a="1", b="2", c="3", d="4", login="orders"; no listener or rule of the configured load balancers`) {
		t.Errorf("got %v", err)
	}
}

func TestMoreTargetsThanAnExecutionCanHoldAreRefused(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.ALB.AddRules(rotation.MaxTargets - 1) // and the default action
	if p, err := makePlan(w, plain); err != nil || len(p.Targets) != rotation.MaxTargets {
		t.Errorf("%d targets (%v)", len(p.Targets), err)
	}
	w.ALB.AddRules(1)
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "has 401 targets, one execution can rotate 400")
}

func TestTheRequestCanShortenTheGracePeriodOnly(t *testing.T) {
	t.Parallel()
	for request, want := range map[string]int{
		plain: 7200,
		`{"client":"orders-web","gracePeriodSeconds":0}`:     0,
		`{"client":"orders-web","gracePeriodSeconds":60}`:    60,
		`{"client":"orders-web","gracePeriodSeconds":90000}`: 7200,
	} {
		w, _ := newWorld(t)
		w.Client.GracePeriodSeconds = aws.Int(7200)
		p, err := makePlan(w, request)
		if err != nil || p.GracePeriodSeconds != want {
			t.Errorf("%s: %d s (%v), want %d", request, p.GracePeriodSeconds, err, want)
		}
	}
}

func TestEachReasonAgainstARotationIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world func(*fakes.World, *memory.Vendor)
		kind  failure.Kind
		says  string
	}{
		"no current version": {func(w *fakes.World, _ *memory.Vendor) { w.Secrets.SetLabel("AWSCURRENT", "") },
			failure.Precondition, "no AWSCURRENT version"},
		"the current secret is not accepted": {func(w *fakes.World, _ *memory.Vendor) {
			w.Secrets.Add(older, fakes.Mark+
				"-wrong")
		},
			failure.SecretRefused, "does not accept the current client secret"},
		"whether it is accepted cannot be told": {func(w *fakes.World, _ *memory.Vendor) {
			w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
		}, failure.Unavailable, "cannot be told"},
		"several secrets and none named as current": {func(_ *fakes.World, v *memory.Vendor) {
			v.Add(secret.New(value))
		},
			failure.Precondition, "2 active secrets"},
		"the secret named as current does not exist": {func(w *fakes.World, _ *memory.Vendor) {
			w.Client.IdentityProvider.CurrentSecretID = "mem-7"
		},
			failure.Precondition, "does not list mem-7"},
		"no room for a new secret": {func(w *fakes.World, v *memory.Vendor) {
			v.Add(secret.New(value))
			w.Client.IdentityProvider.CurrentSecretID = "mem-1"
		}, failure.Precondition, "no room for a new one"},
		"the current secret was removed at the provider": {func(w *fakes.World, _ *memory.Vendor) {
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: "mem-7"}}})
		}, failure.Precondition, "does not list secret mem-7"},
		"the provider has a reason": {func(w *fakes.World, _ *memory.Vendor) {
			w.Fail("Check", failure.New(failure.IdPRejected, "the admin credential may not list secrets"))
		}, failure.IdPRejected, "may not list secrets"},
		"no target": {func(w *fakes.World, _ *memory.Vendor) { w.ALB.LetIn() }, failure.Precondition,
			"no listener or rule"},
		"a target that Kubernetes owns": {func(w *fakes.World, _ *memory.Vendor) {
			w.ALB.Tag("elbv2.k8s.aws/cluster", "prod")
		}, failure.Precondition, "AWS Load Balancer Controller"},
		"a target that sends the secret elsewhere": {func(w *fakes.World, _ *memory.Vendor) {
			w.ALB.Change(func(o *fakes.Login) { o.TokenEndpoint = aws.String("https://evil.example/token") })
		},
			failure.Precondition, "https://evil.example/token"},
		"a target of the same client under another issuer": {func(w *fakes.World, _ *memory.Vendor) {
			w.ALB.Change(func(o *fakes.Login) { o.Issuer = aws.String(fakes.Issuer + "/") })
		},
			failure.Precondition, "instead of"},
		"a load balancer that does not exist": {func(w *fakes.World, _ *memory.Vendor) {
			w.Client.LoadBalancers = append(w.Client.LoadBalancers, strings.Replace(fakes.LoadBalancer, "orders-alb",
				"other-alb", 1))
		}, failure.Precondition, "other-alb/0123456789abcdef does not exist"},
		"another execution has the lock": {func(w *fakes.World, _ *memory.Vendor) { w.Journal.SetOwner(fakes.Other) },
			failure.LockLost, fakes.Other},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			c.world(w, v)
			_, err := makePlan(w, plain)
			fakes.Failed(t, err, c.kind, c.says)
		})
	}
}

func TestOtherRegistrationsAreRefusedWhereIDsAreUnique(t *testing.T) {
	t.Parallel()
	for _, unique := range []bool{true, false} {
		v := memory.New(memory.Options{MaxSecrets: 2, UniqueIDs: unique})
		_, current := v.Current()
		w := fakes.New(t, v, current.Reveal())
		w.Client.OtherRegistrations = []config.OtherRegistration{{Issuer: "https://other.example",
			TokenEndpoint: "https://other.example/token"}}
		_, err := makePlan(w, plain)
		if unique {
			fakes.Failed(t, err, failure.Precondition, "otherRegistrations: must be left out, client ids are unique")
		} else if err != nil {
			t.Errorf("where two registrations may have the same id: %v", err)
		}
	}
}

func TestAllReasonsAreToldAtOnce(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	v.Add(secret.New(value))
	w.ALB.LetIn()
	_, err := makePlan(w, plain)
	for _, says := range []string{"2 active secrets", "no room for a new one", "no listener or rule",
		"no new secret was made"} {
		fakes.Failed(t, err, failure.Precondition, says)
	}
}

func TestAWrongRequestIsRefusedByItsField(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	for request, says := range map[string]string{
		`{"client":"orders-web","dryrun":true}`: "dryrun: is not known",
		`{}`:                                    "client: is missing",
		`{"client":"orders-web","gracePeriodSeconds":-1}`: "gracePeriodSeconds: must be 0",
	} {
		_, err := makePlan(w, request)
		fakes.Failed(t, err, failure.InvalidInput, says)
	}
}

func TestAnUnfinishedRotationIsFinishedFirst(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	secondSecret(w, v)
	promote(w, w.Now.Add(time.Hour))
	p, err := makePlan(w, plain)
	if err != nil {
		t.Fatal(err)
	}
	if p.Action != rotation.Finish || p.From != (rotation.Ref{VersionID: older, IdPSecretID: "mem-1"}) ||
		p.To != (rotation.Ref{VersionID: newer, IdPSecretID: "mem-2"}) {
		t.Errorf("the plan is %+v", p)
	}
	if p.GraceUntil != rotation.Timestamp(w.Now.Add(time.Hour)) || len(p.Steps) != 2 {
		t.Errorf("the plan is %+v", p)
	}
}

func TestFinishingNeedsTheNewSecretToBeAccepted(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	secondSecret(w, v)
	promote(w, w.Now)
	w.Secrets.Add(newer, fakes.Mark+"-wrong")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.SecretRefused, "version "+newer)
}

func TestAnEmergencyEndsTheGracePeriodOfAnUnfinishedRotation(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	secondSecret(w, v)
	promote(w, w.Now.Add(time.Hour))
	p, err := makePlan(w, `{"client":"orders-web","gracePeriodSeconds":0}`)
	if err != nil || p.GraceUntil != rotation.Timestamp(w.Now) {
		t.Errorf("the grace period ends %s (%v)", p.GraceUntil, err)
	}
}

func TestASecretThatWasNeverPromotedIsRolledBackFirst(t *testing.T) {
	t.Parallel()
	w, v := newWorld(t)
	secondSecret(w, v, "AWSPENDING")
	w.ALB.Tag("elbv2.k8s.aws/cluster", "prod")
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 503, "" })
	p, err := makePlan(w, plain)
	if err != nil {
		t.Fatal(err)
	}
	if p.Action != rotation.Rollback || p.From.VersionID != older ||
		p.To != (rotation.Ref{VersionID: newer, IdPSecretID: "mem-2"}) || len(p.Checks) != 0 || len(p.Steps) != 1 {
		t.Errorf("the plan is %+v", p)
	}
}

// A repair that was stopped before it moved AWSCURRENT leaves this: a rollback would fail with the lock held.
func TestARollbackToADeadSecretIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ill      time.Duration // how long the old one is refused
		each     time.Duration // how long an answer takes
		both     bool          // and the new one
		promoted bool          // the new one was AWSCURRENT, so that the rotation may have switched the old one off
		refuse   bool
	}{
		"dead":                   {ill: time.Hour, refuse: true},
		"dead, by slow answers":  {ill: time.Hour, each: 6 * time.Second, refuse: true},
		"switched off":           {ill: time.Hour, promoted: true},
		"refused for a while":    {ill: 30 * time.Second},
		"both, as by an illness": {ill: time.Hour, both: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			secondSecret(w, v, "AWSPENDING")
			if c.promoted { // the rollback has moved AWSCURRENT back
				j := w.Journal.Get()
				j.Promotion = &journal.Promotion{From: older, To: newer, At: w.Now}
				w.Journal.Set(j)
			}
			began := w.Now
			w.Tokens.Judge(func(v secret.Value, old bool) (int, string) {
				w.Now = w.Now.Add(c.each)
				ill := w.Now.Sub(began) < c.ill
				if old && !ill || v.Equal(secret.New(value)) && !(ill && c.both) {
					return 400, "invalid_grant"
				}
				return 401, "invalid_client"
			})
			p, err := makePlan(w, plain)
			if c.refuse {
				fakes.Failed(t, err, failure.SecretRefused, "the secret to go back to")
			} else if err != nil || p.Action != rotation.Rollback {
				t.Errorf("the plan is %+v (%v)", p, err)
			}
			if took := w.Now.Sub(began); took > 140*time.Second {
				t.Errorf("it took %s, and the call is cut off", took)
			}
		})
	}
}

func TestARollbackTakesWhatCameToAController(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		written   time.Duration // after the secret was made
		label     string
		used      bool // it was about to be AWSCURRENT
		promoting bool
		targets   int
	}{
		"no target was given it":            {written: -time.Minute, label: "AWSPENDING"},
		"targets were given it":             {written: time.Minute, label: "AWSPENDING", targets: 1},
		"and it was about to be AWSCURRENT": {written: time.Minute, label: "AWSPENDING", used: true, targets: 1},
		"and it has lost its label":         {written: time.Minute, label: "elsewhere", targets: 1},
		"followers are waited for":          {written: time.Minute, label: "AWSPREVIOUS", used: true, promoting: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, v := newWorld(t)
			secondSecret(w, v, c.label)
			w.ALB.Tag("elbv2.k8s.aws/cluster", "prod")
			w.Client.Followers = &config.Followers{MaxDelaySeconds: 7200, Controllers: true}
			j := w.Journal.Get()
			e := j.Secrets[newer]
			e.Unused, e.At = !c.used, w.Now.Add(-time.Hour)
			j.Secrets[newer] = e
			if c.promoting {
				j.Promotion = &journal.Promotion{From: older, To: newer}
			}
			w.Journal.Set(j)
			w.Journal.SetLastWrite(e.At.Add(c.written))
			p, err := makePlan(w, plain)
			if err != nil || p.Action != rotation.Rollback || len(p.Targets) != c.targets || len(p.Follows) != 1 {
				t.Errorf("the plan is %+v (%v)", p, err)
			}
			for name, known := range map[string][]rotation.Target{"a target": {planned}, "no target": nil} {
				again, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle, rotation.PlanInput{Common: w.Common(),
					Action: rotation.PlanDiscover, Undo: true, From: rotation.Ref{VersionID: older},
					To: rotation.Ref{VersionID: newer}, Targets: known})
				if err != nil || len(again.Targets) != min(c.targets, len(known)) {
					t.Errorf("of what was %s before, the last search of a rollback finds %+v (%v)", name,
						again.Targets, err)
				}
			}
		})
	}
}

func TestATargetOfCloudFormationIsAWarning(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.ALB.Tag("aws:cloudformation:stack-name", "orders")
	p, err := makePlan(w, plain)
	if err != nil || len(p.Warnings) != 2 || !strings.Contains(p.Warnings[0], "CloudFormation stack \"orders\"") {
		t.Errorf("the warnings are %q (%v)", p.Warnings, err)
	}
}

func TestARuleOfAControllerIsARefusalOrFollows(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.ALB.Tag("elbv2.k8s.aws/cluster", "prod")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "is managed by the AWS Load Balancer Controller")
	fakes.Failed(t, err, failure.Precondition, "followers.controllers")
	w.Client.Followers = &config.Followers{MaxDelaySeconds: 7200, Controllers: true}
	p, err := makePlan(w, `{"client": "orders-web", "gracePeriodSeconds": 60}`)
	if err != nil || len(p.Targets) != 0 || len(p.Follows) != 1 || p.GracePeriodSeconds != 7200 ||
		p.FollowersSeconds != 7200 ||
		p.FollowedAt != "" {
		t.Fatalf("the plan is %+v (%v)", p, err)
	}
	for _, says := range []string{"Followers need up to 2h0m0s", "rules left to controllers: 1",
		"no smoke test goes through a follower"} {
		if all := strings.Join(append(append(p.Steps, p.Warnings...), p.Notice), " "); !strings.Contains(all, says) {
			t.Errorf("the plan does not say %q: %s", says, all)
		}
	}
	w.Client.Followers.Controllers, w.Client.LoadBalancers = false, nil
	if p, err = makePlan(w, plain); err != nil || len(p.Targets) != 0 {
		t.Errorf("with followers only: %+v (%v)", p, err)
	}
}

func TestAClientWithoutALoginTestCanBeHeldUpByAnybody(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	if p, err := makePlan(w, plain); err != nil || len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0],
		"no login test is configured") {
		t.Errorf("the warnings are %q (%v)", p.Warnings, err)
	}
	w.Client.SmokeTests.Login = []config.LoginTest{{URL: w.App.URL("/"), UserSecretARN: fakes.UserARN,
		ExpectText: "welcome"}}
	if p, err := makePlan(w, plain); err != nil || len(p.Warnings) != 0 {
		t.Errorf("with a login test the warnings are %q (%v)", p.Warnings, err)
	}
}

func TestAPendingVersionOfAStrangerIsRolledBackWithAWarning(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.Secrets.Add("version-x", fakes.Mark+"-x", "AWSPENDING")
	p, err := makePlan(w, plain)
	if err != nil || p.Action != rotation.Rollback || p.To != (rotation.Ref{VersionID: "version-x"}) ||
		len(p.Warnings) != 1 || !strings.Contains(p.Warnings[0], "not made by this system") {
		t.Errorf("the plan is %+v (%v)", p, err)
	}
}

func TestADiscoveryOnlyFindsTheTargets(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.Fail("Check", errors.New("the provider was asked"))
	w.Fail("List", errors.New("the provider was asked"))
	p, err := call(w, plain, rotation.PlanDiscover)
	if err != nil || len(p.Targets) != 1 || p.Action != "" {
		t.Errorf("the discovery says %+v (%v)", p, err)
	}
	if all, _ := w.Tokens.Asked(); all != 0 {
		t.Errorf("%d secrets were probed", all)
	}
	w.ALB.LetIn()
	if p, err = call(w, plain, rotation.PlanDiscover); err != nil || p.Targets == nil || len(p.Targets) != 0 ||
		p.Warnings == nil {
		t.Errorf("the discovery says %+v (%v)", p, err)
	}
}

func TestADiscoveryRefusesTargetsThatChangedHands(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	w.ALB.Change(func(o *fakes.Login) { o.TokenEndpoint = aws.String("https://evil.example/token") })
	_, err := call(w, plain, rotation.PlanDiscover)
	fakes.Failed(t, err, failure.TargetDrift, "https://evil.example/token")
}

func TestADiscoveryForARollbackStopsOnlyForWhatMayUseTheNewSecret(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(w *fakes.World)
		kind   failure.Kind
	}{
		"another token endpoint": {func(w *fakes.World) {
			w.ALB.Change(func(o *fakes.Login) { o.TokenEndpoint = aws.String("https://evil.example/token") })
		}, failure.TargetDrift},
		"a load balancer that does not exist": {func(w *fakes.World) {
			w.Client.LoadBalancers = append(w.Client.LoadBalancers, w.Client.LoadBalancers[0]+"0")
		}, ""},
		"another client": {
			func(w *fakes.World) { w.ALB.Change(func(o *fakes.Login) { o.ClientId = aws.String("another") }) }, ""},
	} {
		w, _ := newWorld(t)
		c.change(w)
		_, err := fakes.Call(w, plan.Handler{Deps: w.Deps()}.Handle,
			rotation.PlanInput{Common: w.Common(), Action: rotation.PlanDiscover, Undo: true})
		if c.kind == "" && err != nil || c.kind != "" && !failure.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAVersionIDIsTheSameForEveryTryOfAnExecutionAndForNoOther(t *testing.T) {
	t.Parallel()
	if got := plan.VersionID(fakes.Execution); got != made {
		t.Errorf("version id %s, want %s", got, made)
	}
	// RFC 9562, sections 4.1 and 5.5: variant 10, version 5
	form := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[string]bool{}
	for _, execution := range []string{fakes.Execution, fakes.Other, fakes.Execution + "0", "a", "b", "c", "d",
		"e", "f"} {
		id := plan.VersionID(execution)
		if !form.MatchString(id) || seen[id] {
			t.Errorf("version id %s of %s is not a new UUIDv5", id, execution)
		}
		seen[id] = true
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
		w, _ := newWorld(t)
		return w
	}, func(w *fakes.World) error {
		_, err := makePlan(w, plain)
		return err
	}, "DescribeListeners", "DescribeRules", "DescribeTags") // a search that is throttled begins again
}

// A look at the labels is good for some seconds. A search of many load balancers takes longer.
func TestWhatChangedDuringALongSearchIsSeen(t *testing.T) {
	t.Parallel()
	w, _ := newWorld(t)
	const again = "version-stored-again"
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{ // so that the labels are read at the beginning
		older: {State: journal.Live, IdPSecretID: "mem-1", At: w.Now.Add(-48 * time.Hour)}}})
	w.Before("DescribeTags", func() {
		w.Now = w.Now.Add(6 * time.Second)
		w.Secrets.Add(again, memory.Initial, "AWSCURRENT")
	})
	if p, err := makePlan(w, plain); err != nil || p.From.VersionID != again {
		t.Errorf("the plan goes by the labels from before the search: %s (%v)", p.From.VersionID, err)
	}
}
