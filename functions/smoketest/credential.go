package smoketest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"alboidc.internal/functions/invocation"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/telemetry"
)

const (
	// patience is how long a secret that load balancers use may be refused, while another is accepted, before the test
	// fails. The identity provider's servers may disagree for a moment, but every refusal is a failed login.
	patience = 20 * time.Second
	// enough is how often that must also be seen.
	enough = 3
	// patienceAlone is that time while the old secret is switched off, so that nothing shows whether the provider is
	// well. A rollback begins with switching it on, which shows it; an outage of 40 s was seen.
	patienceAlone = 45 * time.Second
	// limit is how long one call goes on, and pauseAlone its shortest pause while the provider may be ill.
	limit      = 4 * time.Minute
	pauseAlone = 5 * time.Second
	// fewInARow and fewApart are how often, and how far apart, a secret is tried that was accepted everywhere before a
	// target got it.
	fewInARow = 3
	fewApart  = time.Second
)

// testCredential passes if the provider accepts To at every token endpoint, several times in a row, and refuses a
// deliberately wrong secret.
func (t *tester) testCredential(ctx context.Context) ([]rotation.Evidence, error) {
	to, err := t.Credential(ctx, t.in.To.VersionID)
	if err != nil {
		return nil, err
	}
	n, interval := t.choosePace()
	start := t.Now()
	doubt, calibrated := doubt{tester: t, to: to}, false
	sleep := func(ctx context.Context, d time.Duration) error {
		if !doubt.alone.IsZero() {
			d = max(d, pauseAlone)
		}
		if t.Now().Add(d).Sub(start) > limit {
			return context.DeadlineExceeded
		}
		return t.Sleep(ctx, d)
	}
	err = probe.Consecutive(ctx, n, interval, sleep, func(ctx context.Context) (probe.Verdict, error) {
		if !calibrated { // one wrong try is enough; more would look like an attack
			if err := t.Calibrate(ctx, to); err != nil {
				return probe.Verdict{}, err
			}
			calibrated = true
		}
		verdict, at, err := t.Ask(ctx, to)
		if err != nil || verdict.Outcome != probe.Rejected {
			doubt.forget(verdict)
			return verdict, err
		}
		// twice in a row: probe.Refusal says why
		if again, _, err := t.Ask(ctx, to); err != nil || again.Outcome != probe.Rejected {
			doubt.forget(again)
			return probe.Verdict{Outcome: probe.Inconclusive, Reason: verdict.Reason + ", and then not again"}, err
		}
		return doubt.weigh(ctx, at, verdict)
	})
	if failure.Is(err, failure.NotYetActive) && !t.in.Wait && doubt.seen < enough {
		err = failure.Wrap(failure.Unavailable, err, "the time of one call was not enough")
	}
	if err != nil {
		return nil, err
	}
	return []rotation.Evidence{{Check: rotation.CheckCredential, Subject: t.Config.IdentityProvider.TokenEndpoint,
		OK:        true,
		Detail:    fmt.Sprintf("version %s accepted %d times in a row, a wrong secret refused", t.in.To.VersionID, n),
		LatencyMS: t.Now().Sub(start).Milliseconds()}}, nil
}

// choosePace returns how often in a row the secret must be accepted, and how far apart: as the provider's servers,
// which learn of it one by one, need it before a target has the secret. After that they know it, and a few tries are
// enough.
func (t *tester) choosePace() (inARow int, interval time.Duration) {
	test, spec := t.Config.SmokeTests.Credential, t.Capable.Probe
	inARow, interval = test.InARow(spec.InARow), time.Duration(test.Interval(spec.IntervalSeconds))*time.Second
	if !t.in.Wait && !t.isUntried() {
		inARow, interval = min(inARow, fewInARow), min(interval, fewApart)
	}
	return inARow, interval
}

// isUntried reports whether no rotation has tried the secret that is about to be written: somebody else made it and
// stored it as AWSCURRENT, perhaps a moment ago.
func (t *tester) isUntried() bool {
	made, known := t.journal.Secrets[t.Successor(t.in.To.VersionID)]
	return t.in.MustBeCurrent && (!known || made.Imported)
}

// doubt is what is known of a refused secret: since when and how often a refusal is proven by another secret that was
// accepted in between, and since when refusals have had no such proof.
type doubt struct {
	*tester
	to            invocation.Credential
	proven, alone time.Time
	times         int
	// seen is how many refusals were proven in all.
	seen int
}

// forget ends every doubt if the secret was accepted.
func (d *doubt) forget(v probe.Verdict) {
	if v.Outcome == probe.Accepted {
		d.proven, d.alone, d.times = time.Time{}, time.Time{}, 0
	}
}

// weigh says what a refusal means. It counts only if another secret is accepted at the same moment; otherwise the
// identity provider may refuse everything, and going back to the old secret would help nobody.
func (d *doubt) weigh(ctx context.Context, at int, verdict probe.Verdict) (probe.Verdict, error) {
	now := d.Now()
	control, err := d.Control(ctx, at, d.to, d.in.From.VersionID)
	switch {
	case err != nil:
		return verdict, err
	case control.Outcome != probe.Accepted:
		d.proven, d.times = time.Time{}, 0
		if d.alone.IsZero() {
			d.alone = now
		}
		if long := now.Sub(d.alone); d.oldIsOff() && long >= patienceAlone {
			return verdict, d.newFailure(ctx, long, verdict.Reason+", while no other secret is switched on")
		}
		return probe.Verdict{Outcome: probe.Inconclusive, Reason: verdict.Reason + ", but " + control.Reason}, nil
	}
	d.alone = time.Time{}
	d.seen++
	if d.times++; d.proven.IsZero() {
		d.proven = now
	}
	if long := now.Sub(d.proven); !d.in.Wait && long >= patience && d.times >= enough {
		return verdict, d.newFailure(ctx, long, verdict.Reason+", while "+control.Reason)
	}
	return verdict, nil
}

func (d *doubt) newFailure(ctx context.Context, long time.Duration, reason string) error {
	return failure.New(failure.SmokeTestFailed,
		"the identity provider refuses the secret of version %s, which is in use, for %s: %s%s",
		d.in.To.VersionID, long.Round(time.Second), reason, d.Oddities(ctx, d.in.To.VersionID))
}

// oldIsOff reports whether the old secret is switched off, so that no other could be accepted. It is false where the
// only secret was overwritten: going back would overwrite it again, which takes more than a suspicion.
func (t *tester) oldIsOff() bool {
	return t.Capable.CanDisable && !t.Capable.ReplacesInPlace() && slices.Contains(t.in.Checks, rotation.CheckRefused)
}

// testRefusal passes if the provider refuses From, where it can be switched off, while it accepts To.
func (t *tester) testRefusal(ctx context.Context) ([]rotation.Evidence, error) {
	if !t.Capable.CanDisable {
		return nil, nil
	}
	start := t.Now()
	if err := t.MustRefuse(ctx, t.in.From.VersionID, t.in.To.VersionID, "is disabled", nil); err != nil {
		return nil, err
	}
	return []rotation.Evidence{{Check: rotation.CheckRefused, Subject: t.Config.IdentityProvider.TokenEndpoint,
		OK:        true,
		Detail:    "the disabled secret of version " + t.in.From.VersionID + " is refused",
		LatencyMS: t.Now().Sub(start).Milliseconds()}}, nil
}

// testEnd passes if the provider refuses From, wherever its secrets can be switched off, each time between two
// acceptances of To: that is the proof on which a repair rests.
func (t *tester) testEnd(ctx context.Context) ([]rotation.Evidence, error) {
	start := t.Now()
	err := t.MustRefuse(ctx, t.in.From.VersionID, t.in.To.VersionID, "was taken for dead", nil)
	detail := fmt.Sprintf("the secret of version %s is refused while that of version %s is accepted",
		t.in.From.VersionID, t.in.To.VersionID)
	if at := t.journal.Secrets[t.in.From.VersionID].Ended; failure.Is(err, failure.StillAccepted) && !at.IsZero() {
		err, detail = nil, fmt.Sprintf("the identity provider had ended the secret of version %s at %s, and accepts "+
			"it again since it made another", t.in.From.VersionID, rotation.Timestamp(at))
	}
	if err != nil {
		return nil, err
	}
	t.notice = t.describeOutage(ctx)
	return []rotation.Evidence{{Check: rotation.CheckEnded, Subject: t.Config.IdentityProvider.TokenEndpoint, OK: true,
		Detail: detail, LatencyMS: t.Now().Sub(start).Milliseconds()}}, nil
}

// describeOutage says since when logins fail, as far as the load balancers' metrics tell.
func (t *tester) describeOutage(ctx context.Context) string {
	balancers := t.listBalancers()
	if len(balancers) == 0 {
		return ""
	}
	switch at, err := t.LastLogin(ctx, balancers); {
	case err != nil:
		t.Log.WarnContext(ctx, "the last login is not known", telemetry.Err(err))
		return "Since when logins failed is not known: the load balancers' metrics could not be read."
	case at.IsZero():
		return "Since when logins failed is not known: no load balancer counted one that succeeded in two weeks."
	default:
		return fmt.Sprintf("Since when logins failed: the last login that succeeded on the client's load balancers "+
			"before this repair was counted in the five minutes from %s on (ELBAuthSuccess, in which those of other "+
			"clients count, too).", rotation.Timestamp(at))
	}
}
