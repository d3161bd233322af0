package updatealb_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/functions/updatealb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
)

const (
	newer = "version-new"
	value = fakes.Mark + "-value-of-version-new"
)

var target = rotation.Target{Region: "eu-central-1", LoadBalancerARN: fakes.LoadBalancer, ListenerARN: fakes.Listener,
	Name: "orders-alb :443 default"}

func newWorld(t *testing.T) *fakes.World {
	t.Helper()
	v := memory.New(memory.Options{})
	_, current := v.Current()
	w := fakes.New(t, v, current.Reveal())
	w.Secrets.Add(newer, value, "AWSPENDING")
	return w
}

func update(w *fakes.World, version string) (rotation.UpdateOutput, error) {
	return set(w, version, false)
}

func set(w *fakes.World, version string, undo bool) (rotation.UpdateOutput, error) {
	return fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle,
		rotation.UpdateInput{Common: w.Common(), Targets: []rotation.Target{target}, Undo: undo,
			To: rotation.Ref{VersionID: version}, Proven: rotation.Timestamp(w.Now)})
}

// answers fails unless the call was a success with this result.
func answers(t *testing.T, got rotation.UpdateOutput, err error, result string) {
	t.Helper()
	want := []rotation.Updated{{Target: target.Name, Result: result}}
	if err != nil || !slices.Equal(got.Targets, want) || got.Notice != "" {
		t.Errorf("the answer is %+v (%v), want %+v", got, err, want)
	}
}

func TestARollbackKnowsTheNamesOfTheNewestConfiguration(t *testing.T) {
	t.Parallel()
	for _, undo := range []bool{true, false} {
		w := newWorld(t)
		call := w.Common()
		alias := config.Alias{Issuer: "https://alias.example", AuthorizationEndpoint: "https://alias.example/authorize",
			TokenEndpoint: w.Client.IdentityProvider.TokenEndpoint}
		w.ALB.Change(func(o *fakes.Login) { o.Issuer = &alias.Issuer })
		w.Client.Aliases = []config.Alias{alias}
		w.Params.Put(w.Client)
		got, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, rotation.UpdateInput{Common: call,
			Targets: []rotation.Target{target}, To: rotation.Ref{VersionID: newer}, Undo: undo,
			Proven: rotation.Timestamp(w.Now)})
		if restored := err == nil && len(got.Targets) == 1 && got.Targets[0].Result == "updated"; restored != undo {
			t.Errorf("undo %t: a target that came keeps a secret that goes: %+v (%v)", undo, got, err)
		}
	}
}

func TestTheSecretIsPutOnTheTargetAndPutAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 2 {
		got, err := update(w, newer)
		answers(t, got, err, "updated")
		if w.ALB.Secret() != value {
			t.Error("the target has another secret")
		}
	}
	if got := w.Writes(); !slices.Equal(got, []string{"ModifyListener", "ModifyListener"}) {
		t.Errorf("the writes were %q", got)
	}
}

func TestATargetThatAControllerOwnsIsLeftToIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Client.Followers = &config.Followers{MaxDelaySeconds: 60, Controllers: true}
	got, err := update(w, newer)
	answers(t, got, err, "updated")
	w.ALB.TagOn(fakes.Listener, "elbv2.k8s.aws/cluster", "prod")
	before := len(w.Writes())
	got, err = update(w, newer)
	answers(t, got, err, "follows")
	if len(w.Writes()) != before {
		t.Errorf("the writes were %q", w.Writes())
	}
	// a rollback puts the old secret back there too, before the new one goes
	if got, err = set(w, fakes.Old, true); err != nil || w.ALB.Secret() == value {
		t.Errorf("a controller's target keeps the secret that goes: %+v (%v)", got, err)
	}
	w.ALB.Remove()
	got, err = update(w, newer)
	answers(t, got, err, "gone")
}

func TestAWriteIsNotedBeforeAndAfterIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.LoseReply("ModifyListener") // also if nothing more is heard of it
	began := w.Now
	if _, err := update(w, newer); err == nil || !w.Journal.LastWrite().Equal(began) {
		t.Errorf("noted is %s (%v)", w.Journal.LastWrite(), err)
	}
	w.Before("ModifyListener", func() { w.Now = w.Now.Add(20 * time.Second) })
	if _, err := update(w, newer); err != nil || w.Journal.LastWrite().Before(began.Add(20*time.Second)) {
		t.Errorf("noted is %s (%v)", w.Journal.LastWrite(), err)
	}
}

func TestATargetIsLeftAloneWhoeverLostTheLockAtTheLastMoment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Before("note", func() { w.Journal.SetOwner(fakes.Other) })
	_, err := update(w, newer)
	fakes.Failed(t, err, failure.LockLost, fakes.Other)
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the writes were %q", got)
	}
}

func TestATargetIsLeftAloneWhileAWSCURRENTIsAThirdVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Secrets.Add("version-third", fakes.Mark+"-third", "AWSCURRENT")
	_, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, rotation.UpdateInput{Common: w.Common(),
		Targets: []rotation.Target{target},
		From:    rotation.Ref{VersionID: fakes.Old}, To: rotation.Ref{VersionID: newer}})
	fakes.Failed(t, err, failure.Superseded, "version-third")
	if got := w.Writes(); len(got) != 0 {
		t.Errorf("the writes were %q", got)
	}
}

func TestARollbackPutsTheOldSecretBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	initial := w.ALB.Secret()
	if _, err := update(w, newer); err != nil {
		t.Fatal(err)
	}
	got, err := update(w, fakes.Old)
	answers(t, got, err, "updated")
	if w.ALB.Secret() != initial {
		t.Error("the target has another secret")
	}
}

// What a write would drop stays, unless an old secret must come back.
func TestOnlyARollbackWritesWhatItWouldDamage(t *testing.T) {
	t.Parallel()
	for _, undo := range []bool{false, true} {
		w := newWorld(t)
		w.ALB.AddElement("ShinyConfig")
		out, err := fakes.Call(w, updatealb.Handler{Deps: w.Deps()}.Handle, rotation.UpdateInput{Common: w.Common(),
			Targets: []rotation.Target{target}, To: rotation.Ref{VersionID: newer}, Proven: rotation.Timestamp(w.Now),
			Undo: undo})
		if undo && (err != nil || w.ALB.Secret() != value || !strings.Contains(out.Notice, "ShinyConfig")) {
			t.Errorf("a rollback leaves the target with a secret that goes: %+v (%v)", out, err)
		}
		if !undo && (!failure.Is(err, failure.TargetDrift) || len(w.Writes()) != 0) {
			t.Errorf("a rotation drops what it does not know: %+v (%v)", out, err)
		}
	}
}

func TestATargetThatIsGoneIsAnAnswer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.ALB.Remove()
	got, err := update(w, newer)
	answers(t, got, err, "gone")
}

func TestALostReplyIsHealedByARepeat(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.LoseReply("ModifyListener")
	_, err := update(w, newer)
	fakes.Failed(t, err, failure.Unavailable, target.Name)
	got, err := update(w, newer)
	answers(t, got, err, "updated")
}

func TestWhatIsRefusedLeavesTheTargetAsItIs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		world   func(*fakes.World)
		version string
		kind    failure.Kind
		says    string
	}{
		"an execution that lost the lock": {func(w *fakes.World) { w.Journal.SetOwner(fakes.Other) }, newer,
			failure.LockLost, fakes.Other},
		"an execution when nobody has the lock": {func(w *fakes.World) { w.Journal.SetOwner("") }, newer,
			failure.LockLost, "nobody"},
		"a target of another issuer": {func(w *fakes.World) {
			w.ALB.Change(func(o *fakes.Login) { o.Issuer = aws.String("https://other.example") })
		}, newer, failure.TargetDrift, "https://other.example"},
		"a target of another client": {
			func(w *fakes.World) { w.ALB.Change(func(o *fakes.Login) { o.ClientId = aws.String("0oa2") }) }, newer,
			failure.TargetDrift, "0oa2"},
		"a target that would send the secret elsewhere": {func(w *fakes.World) {
			w.ALB.Change(func(o *fakes.Login) { o.TokenEndpoint = aws.String("https://evil.example/token") })
		}, newer, failure.TargetDrift, "https://evil.example/token"},
		"a target without a login": {func(w *fakes.World) { w.ALB.LetIn() }, newer, failure.TargetDrift,
			"no authenticate-oidc action"},
		"a version that was never stored": {func(*fakes.World) {}, "version-x", failure.Precondition, "version-x"},
		"no version":                      {func(*fakes.World) {}, "", failure.Internal, "no version id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			c.world(w)
			initial := w.ALB.Secret()
			_, err := update(w, c.version)
			fakes.Failed(t, err, c.kind, c.says)
			if got := w.Writes(); len(got) != 0 || w.ALB.Secret() != initial {
				t.Errorf("the writes were %q", got)
			}
		})
	}
}

func TestWhatFailsIsTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ago         time.Duration
		noted, undo bool // the journal notes which targets have the new secret
	}{
		"proven just now":        {},
		"proven long ago":        {ago: time.Hour},
		"which targets is noted": {noted: true},
		"a rollback":             {noted: true, undo: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, to := fakes.Old, newer
			if c.undo {
				from, to = newer, fakes.Old
			}
			fakes.FailuresAreTold(t, func(t *testing.T) *fakes.World {
				w := newWorld(t)
				accepts(w, true, true)
				if !c.noted {
					w.Secrets.Add("version-again", w.Secrets.Value(fakes.Old), "AWSCURRENT")
					return w
				}
				j := journal.Journal{Secrets: map[string]journal.Entry{fakes.Old: {State: journal.Live},
					newer: {State: journal.Live, Unused: true}}}
				if j.Keep(newer, fakes.Old); c.undo {
					j.Give(newer, target.Key())
				}
				w.Journal.Set(j)
				return w
			}, func(w *fakes.World) error {
				d := w.Deps()
				d.Registrations = nil // as it is deployed
				got, err := fakes.Call(w, updatealb.Handler{Deps: d}.Handle, rotation.UpdateInput{Common: w.Common(),
					Targets: []rotation.Target{target}, From: rotation.Ref{VersionID: from},
					To: rotation.Ref{VersionID: to}, Undo: c.undo, Proven: rotation.Timestamp(w.Now.Add(-c.ago))})
				if err == nil && got.Result != "updated" {
					t.Errorf("a target that keeps its secret counts as set: %q", got.Result)
				}
				return err
			})
		})
	}
}

// A rollback, after jsonKey was dropped from the configuration.
func TestASecretIsReadInTheFormInWhichItWasStored(t *testing.T) {
	t.Parallel()
	for name, noted := range map[string]*string{"noted": aws.String("clientSecret"), "not noted": nil} {
		w := newWorld(t)
		w.Secrets.Add(newer, `{"clientId":"`+fakes.ClientID+`","clientSecret":"`+value+`"}`)
		w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{newer: {State: journal.Live,
			IdPSecretID: "mem-2", JSONKey: noted}}})
		got, err := update(w, newer)
		if answers(t, got, err, "updated"); w.ALB.Secret() != value {
			t.Errorf("%s: the target has another secret", name)
		}
	}
}
