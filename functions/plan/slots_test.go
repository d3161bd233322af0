package plan_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/memory"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const second = "client-second"

// slotWorld is a client whose provider has no ids for secrets.
func slotWorld(t *testing.T, o memory.SlotOptions) (*fakes.World, *memory.Slots) {
	t.Helper()
	v := memory.NewSlots(o, fakes.ClientID, second)
	return fakes.New(t, v, memory.Initial), v
}

// The order of the steps is another where no grace period heals what others do.
func TestThePlanSaysHowOftenNodesAreWaitedFor(t *testing.T) {
	t.Parallel()
	for request, want := range map[string][]string{
		plain: {"put it on 1 targets and wait 60 s",
			"make it AWSCURRENT, run the smoke tests, wait 86400 s with both secrets valid",
			"put it on every target that there is then, wait 60 s"},
		`{"client": "orders-web", "emergency": true}`: {
			"put it on 1 targets, make it AWSCURRENT, and put it on every target once more",
			"wait 60 s for every load balancer node, run the smoke tests, and look for targets that have come"},
	} {
		w, _ := newWorld(t)
		p, err := makePlan(w, request)
		if err != nil || len(p.Steps) != len(want)+2 {
			t.Fatalf("the plan is %+v (%v)", p, err)
		}
		for i, beginning := range want {
			if !strings.HasPrefix(p.Steps[i+1], beginning) {
				t.Errorf("step %d is %q, want %q", i+2, p.Steps[i+1], beginning)
			}
		}
	}
}

func TestThePlanSaysHowTheSecretComesAndGoes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options   memory.SlotOptions
		configure func(*fakes.World)
		model     idp.Model
		create    string
		remove    string
	}{
		"current and previous": {memory.SlotOptions{}, func(*fakes.World) {}, idp.CurrentPrevious,
			"have memory make a new current secret", "end the previous secret at memory, that of version version-old"},
		"a pair": {memory.SlotOptions{Single: true},
			func(w *fakes.World) { w.Client.IdentityProvider.ClientPair = second }, idp.ClientPair,
			"give the idle registration client-second at memory a new client secret",
			"overwrite the secret of registration " + fakes.ClientID},
		"in place": {memory.SlotOptions{Single: true},
			func(w *fakes.World) { w.Client.IdentityProvider.AllowInterruption = true }, idp.InPlace,
			"logins fail from then on", "nothing is left to remove"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := slotWorld(t, c.options)
			c.configure(w)
			p, err := makePlan(w, plain)
			if err != nil {
				t.Fatal(err)
			}
			steps := strings.Join(p.Steps, "\n")
			if p.Provider.Model != string(c.model) || p.Provider.Type != "memory" ||
				!strings.Contains(steps, c.create) || !strings.Contains(steps, c.remove) {
				t.Errorf("the plan says %+v\n%s", p.Provider, steps)
			}
			if len(p.Provider.Secrets) != 1 || p.Provider.Secrets[0] != "version-old (active)" {
				t.Errorf("the secrets are %v", p.Provider.Secrets)
			}
		})
	}
}

func TestOneSlotNeedsAWayToRotateIt(t *testing.T) {
	t.Parallel()
	w, _ := slotWorld(t, memory.SlotOptions{Single: true})
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.InvalidInput, "make a second registration like the first")
	w, _ = slotWorld(t, memory.SlotOptions{})
	w.Client.IdentityProvider.ClientPair = second
	_, err = makePlan(w, plain)
	fakes.Failed(t, err, failure.InvalidInput, "identityProvider.clientPair: must be left out")
}

func TestATargetOfTheIdleRegistrationIsRefused(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{Single: true})
	w.Client.IdentityProvider.ClientPair = second
	w.ALB.Change(func(o *fakes.Login) { o.ClientId = aws.String(second) })
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition,
		"logs in with client id client-second, but the secret in use belongs to "+fakes.ClientID)
	// the same target, and AWSCURRENT belongs to the second registration: nothing is wrong
	if err := v.Registration(second).(idp.Setter).Set(t.Context(), secret.New(memory.Initial)); err != nil {
		t.Fatal(err)
	}
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live, IdPSecretID: older,
		ClientID: second, At: w.Now}}})
	p, err := makePlan(w, plain)
	if err != nil || p.From.ClientID != second || !strings.Contains(strings.Join(p.Steps, " "),
		"give the idle registration "+fakes.ClientID) {
		t.Errorf("the plan is from %+v: %v (%v)", p.From, p.Steps, err)
	}
}

func TestThePlanOfAPairSaysWhichLoginsFail(t *testing.T) {
	t.Parallel()
	w, _ := slotWorld(t, memory.SlotOptions{Single: true})
	w.Client.IdentityProvider.ClientPair = second
	p, err := makePlan(w, plain)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"),
		"see HTTP 401 at the callback and have to open the application again, for up to 65 s (1 targets") ||
		strings.Contains(strings.Join(p.Warnings, "\n"), "deny") {
		t.Errorf("the warnings are %q (%v)", p.Warnings, err)
	}
	w.ALB.Change(func(o *fakes.Login) { o.OnUnauthenticatedRequest = "deny" })
	p, err = makePlan(w, plain)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, "\n"), "OnUnauthenticatedRequest: deny") {
		t.Errorf("the warnings are %q (%v)", p.Warnings, err)
	}
	w, _ = newWorld(t)
	w.ALB.Change(func(o *fakes.Login) { o.OnUnauthenticatedRequest = "deny" })
	if p, err = makePlan(w, plain); err != nil || strings.Contains(strings.Join(p.Warnings, "\n"), "401") {
		t.Errorf("without a pair the warnings are %q (%v)", p.Warnings, err)
	}
}

// reviewed is a vendor whose registration has something to tell.
type reviewed struct {
	*memory.Slots
	review idp.Review
	err    error
}

func (r reviewed) Registration(clientID string) idp.Registration {
	return reviewing{r.Slots.Registration(clientID).(idp.Setter), r}
}

type reviewing struct {
	idp.Setter
	told reviewed
}

func (r reviewing) Review(context.Context) (idp.Review, error) { return r.told.review, r.told.err }

func TestWhatTheProviderTellsIsHeeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		review idp.Review
		says   string
	}{
		"a short grace period": {idp.Review{MaxGrace: time.Hour}, "gracePeriodSeconds: the identity provider keeps " +
			"the old secret for 1h0m0s only, the grace period is 24h0m0s"},
		"a reason of its own": {idp.Review{Refusals: []string{"the policy is off"}}, "the policy is off"},
	} {
		w := fakes.New(t, reviewed{memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID), c.review, nil},
			memory.Initial)
		w.Client.IdentityProvider.AllowInterruption = true
		_, err := makePlan(w, plain)
		if !failure.Is(err, failure.Precondition) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
	short, _ := slotWorld(t, memory.SlotOptions{Previous: time.Hour})
	_, err := makePlan(short, plain)
	fakes.Failed(t, err, failure.Precondition,
		"gracePeriodSeconds: the identity provider keeps the old secret for 1h0m0s only")

	short.Client.Followers = &config.Followers{MaxDelaySeconds: 2 * 3600}
	_, err = makePlan(short, plain)
	fakes.Failed(t, err, failure.Precondition,
		"followers.maxDelaySeconds: the identity provider keeps the old secret for "+
			"1h0m0s only, followers may use it for 24h0m0s")

	const method = "identityProvider.tokenAuthMethod: the client is registered for client_secret_post"
	w := fakes.New(t, reviewed{memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID),
		idp.Review{AuthMethod: "client_secret_post"}, nil}, memory.Initial)
	w.Client.IdentityProvider.AllowInterruption = true
	p, err := makePlan(w, plain)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, " "), method) {
		t.Errorf("another method that the provider takes: %v (%v)", p.Warnings, err)
	}
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 401, "invalid_client" })
	_, err = makePlan(w, plain)
	fakes.Failed(t, err, failure.SecretRefused, method)

	w = fakes.New(t, reviewed{memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID), idp.Review{},
		failure.New(failure.Unavailable, "no answer")}, memory.Initial)
	w.Client.IdentityProvider.AllowInterruption = true
	if p, err := makePlan(w, plain); !failure.Is(err, failure.Unavailable) {
		t.Errorf("a rotation is planned although nobody knows what the provider is set to: %+v (%v)", p, err)
	}

	fine := idp.Review{MaxGrace: 24 * time.Hour, AuthMethod: "client_secret_basic",
		Warnings: []string{"the policy is new"}}
	w = fakes.New(t, reviewed{memory.NewSlots(memory.SlotOptions{Single: true}, fakes.ClientID), fine, nil},
		memory.Initial)
	w.Client.IdentityProvider.AllowInterruption = true
	p, err = makePlan(w, plain)
	if err != nil || p.Provider.MaxGraceSeconds != 86400 || !strings.Contains(strings.Join(p.Warnings, " "),
		"the policy is new") {
		t.Errorf("the plan is %+v (%v)", p, err)
	}
}

func TestASecretThatWasKeptIsNamedInThePlan(t *testing.T) {
	t.Parallel()
	w, v := slotWorld(t, memory.SlotOptions{TakesNoValue: true})
	w.Secrets.Add("version-kept", v.Shift(fakes.ClientID).Reveal())
	w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{
		older:          {State: journal.Live, IdPSecretID: older, Imported: true},
		"version-kept": {State: journal.Kept, IdPSecretID: "version-kept"}}})
	p, err := makePlan(w, plain)
	if err != nil || !strings.Contains(strings.Join(p.Warnings, " "),
		"Remove neither there, that would end the secret in use") || !strings.HasPrefix(p.Steps[0],
		"take the unused current secret") {
		t.Errorf("the warnings are %v, the steps %v (%v)", p.Warnings, p.Steps, err)
	}
}

// ending is a provider whose secrets end by themselves.
type ending struct {
	idp.Provider
	until time.Time
}

func (e ending) List(ctx context.Context) ([]idp.Secret, error) {
	list, err := e.Provider.List(ctx)
	for i := range list {
		list[i].Until = e.until
	}
	return list, err
}

func (e ending) Capabilities() idp.Capabilities {
	c := e.Provider.Capabilities()
	c.TellsEnd = true
	return c
}

// ender is a vendor of such a provider.
type ender struct {
	*memory.Vendor
	until time.Time
}

func (e ender) Registration(string) idp.Registration { return ending{e.Provider(), e.until} }

func TestASecretThatEndsSoonIsWarnedOf(t *testing.T) {
	t.Parallel()
	for days, warned := range map[int]bool{29: true, 31: false} {
		v := memory.New(memory.Options{MaxSecrets: 2})
		_, current := v.Current()
		e := ender{Vendor: v}
		w := fakes.New(t, &e, current.Reveal())
		e.until = w.Now.Add(time.Duration(days) * 24 * time.Hour)
		p, err := makePlan(w, plain)
		if err != nil || strings.Contains(strings.Join(p.Warnings, " "), "ends the secret in use by itself at "+
			rotation.Timestamp(e.until)) != warned || !strings.Contains(p.Provider.Secrets[0], ", until ") {
			t.Errorf("%d days: the plan is %+v (%v)", days, p, err)
		}
	}
}

func TestARotationIsStartedBeforeTheSecretEnds(t *testing.T) {
	t.Parallel()
	const before = "arn:aws:states:eu-central-1:111122223333:execution:rotation:"
	name := rotation.BeforeEndName(fakes.ClientName, older)
	for what, c := range map[string]struct {
		stored, left       int // days
		execution, outcome string
		never              bool
		starts, notRotated bool
		prepare            func(*fakes.World)
	}{
		"far from its end":               {stored: 40, left: 16},
		"close to its end":               {stored: 40, left: 15, starts: true},
		"it has ended":                   {stored: 40, left: 0},
		"the setting is never":           {stored: 40, left: 3, never: true},
		"more than half of a short life": {stored: 4, left: 6},
		"less than half of a short life": {stored: 6, left: 4, starts: true},
		"another rotation was refused":   {40, 3, "orders-web-1", "refused", false, true, false, nil},
		"one for another secret was refused": {40, 3, rotation.BeforeEndName(fakes.ClientName, "x") + "-20270101",
			"refused", false, true, false, nil},
		"one for this secret was refused":     {40, 3, name + "-20270101", "refused", false, false, true, nil},
		"one for this secret was rolled back": {40, 3, name + "-20270101", "rolledBack", false, false, true, nil},
		"this secret was put into use again":  {40, 3, name + "-20270101", "rotated", false, true, false, nil},
		"it is refused already": {stored: 40, left: 3, prepare: func(w *fakes.World) {
			w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
				return 401, "invalid_client"
			})
		}},
		"a rotation would be refused": {stored: 40, left: 3, prepare: func(w *fakes.World) { w.ALB.Remove() }},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			v := memory.New(memory.Options{MaxSecrets: 2})
			id, current := v.Current()
			e := ender{Vendor: v}
			w := fakes.New(t, &e, current.Reveal())
			e.until = w.Now.Add(time.Duration(c.left) * 24 * time.Hour)
			w.Secrets.SetCreated(w.Now.Add(-time.Duration(c.stored) * 24 * time.Hour))
			w.Journal.Set(journal.Journal{Secrets: map[string]journal.Entry{older: {State: journal.Live,
				IdPSecretID: id}}})
			w.Journal.SetOwner("")
			if c.execution != "" {
				w.Journal.SetLast(before+c.execution, c.outcome)
			}
			if c.never {
				w.Client.RotateBeforeEndDays = aws.Int(0)
				w.Params.Put(w.Client)
			}
			if c.prepare != nil {
				c.prepare(w)
			}
			p, err := makePlan(w, measured)
			if err != nil || p.Measured.SecretEnds == "" {
				t.Fatalf("measured %+v (%v)", p.Measured, err)
			}
			want := ""
			if c.starts {
				want = name + w.Now.UTC().Format("-20060102")
			}
			if p.Measured.Start != want ||
				strings.Contains(p.Measured.NotRotated, c.outcome+": "+before) != c.notRotated ||
				len(want) > 80 {
				t.Errorf("a rotation that is to end before the secret does is started as %q, want %q (%s%s)",
					p.Measured.Start, want, p.Measured.NotRotated, p.Measured.RotationRefused)
			}
		})
	}
}

// Who has the lock may be about to replace the secret: nothing is started beside that.
func TestNoRotationIsStartedWhileOneIsUnderWay(t *testing.T) {
	t.Parallel()
	v := memory.New(memory.Options{MaxSecrets: 2})
	_, current := v.Current()
	e := ender{Vendor: v}
	w := fakes.New(t, &e, current.Reveal())
	e.until = w.Now.Add(3 * 24 * time.Hour)
	w.Secrets.SetCreated(w.Now.Add(-40 * 24 * time.Hour))
	w.Journal.SetOwnerSince(w.Now)
	if p, err := makePlan(w, measured); err != nil || p.Measured.Start != "" {
		t.Errorf("a second rotation is started beside the one that has the lock: %+v (%v)", p.Measured, err)
	}
}

// desk is a vendor without an API.
type desk struct{ *memory.Slots }

func (d desk) Registration(clientID string) idp.Registration {
	return byHand{d.Slots.Registration(clientID)}
}

type byHand struct{ idp.Registration }

func (b byHand) Capabilities() idp.Capabilities {
	return idp.Capabilities{Model: idp.ByHand, Probe: b.Registration.Capabilities().Probe}
}

func TestWhatAPersonStoredAgainIsNotRotatedTo(t *testing.T) {
	t.Parallel()
	w := fakes.New(t, desk{memory.NewSlots(memory.SlotOptions{}, fakes.ClientID)}, memory.Initial)
	w.Secrets.Add("version-again", memory.Initial, "AWSPENDING")
	_, err := makePlan(w, plain)
	fakes.Failed(t, err, failure.Precondition, "version version-again) is the one in use")
}
