package plan_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"alboidc.internal/functions/internal/fakes"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rotation"
	"alboidc.internal/shared/secret"
)

const measured = `{"client":"orders-web","measure":true}`

// aged is a world whose secret was stored 40 days ago and whose lock is free.
func aged(t *testing.T) *fakes.World {
	t.Helper()
	w, _ := newWorld(t)
	w.Secrets.SetCreated(w.Now.Add(-40 * 24 * time.Hour))
	w.Journal.SetOwner("")
	return w
}

// metrics fails unless each of these measurements is written, or is not.
func metrics(t *testing.T, w *fakes.World, want map[string]bool) {
	t.Helper()
	for metric, written := range want {
		if strings.Contains(w.Output(), metric) != written {
			t.Errorf("%s is written: %v, want %v", metric, !written, written)
		}
	}
}

func TestAMeasurementTellsTheAgeOfTheCurrentSecretWhoeverMadeIt(t *testing.T) {
	t.Parallel()
	for name, secrets := range map[string]map[string]journal.Entry{
		"nothing was ever rotated": nil,
		"it was imported":          {older: {State: journal.Live, IdPSecretID: "mem-1", Imported: true}},
		"we made it":               {older: {State: journal.Live, IdPSecretID: "mem-1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := aged(t)
			w.Journal.Set(journal.Journal{Secrets: secrets})
			p, err := makePlan(w, measured)
			if err != nil || p.Measured == nil || *p.Measured != (rotation.Measured{Client: fakes.ClientName,
				SecretAgeSeconds: 40 * 86400, SecretAccepted: true}) {
				t.Fatalf("measured %+v (%v)", p.Measured, err)
			}
			metrics(t, w, map[string]bool{`"SecretAge":3456000`: true, `"LockHeld":0`: true, `"SecretRefused":0`: true})
		})
	}
}

// A client that every plan refuses is one whose age matters most.
func TestAMeasurementNeedsNothingThatARotationNeeds(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.ALB.Tag("elbv2.k8s.aws/cluster", "prod")
	for _, call := range []string{"Check", "List", "DescribeListeners", "DescribeTags"} {
		w.Fail(call, failure.New(failure.IdPRejected, "%s was called", call))
	}
	if _, err := makePlan(w, measured); err != nil {
		t.Error(err)
	}
}

func TestAMeasurementDuringARotationTellsHowLongTheLockIsHeld(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.Journal.SetOwner(fakes.Other)
	w.Journal.SetOwnerSince(w.Now.Add(-90 * time.Minute))
	p, err := makePlan(w, measured)
	if err != nil || p.Measured.LockHeldSeconds != 5400 {
		t.Fatalf("measured %+v (%v)", p.Measured, err)
	}
	metrics(t, w, map[string]bool{`"LockHeld":5400`: true})
}

func TestARefusedSecretIsMeasuredAndNoFailure(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.Secrets.Add(older, fakes.Mark+"-wrong\n")
	p, err := makePlan(w, measured)
	if err != nil || p.Measured.SecretAccepted {
		t.Fatalf("measured %+v (%v)", p.Measured, err)
	}
	if !strings.Contains(w.Output(), "; the stored value ends with a line break") {
		t.Error("the log does not say what is odd about the secret")
	}
	metrics(t, w, map[string]bool{`"SecretRefused":1`: true})
}

func TestTheAgeIsMeasuredEvenIfTheIdentityProviderDoesNotAnswer(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 503, "" })
	_, err := makePlan(w, measured)
	fakes.Failed(t, err, failure.Unavailable, "HTTP 503")
	metrics(t, w, map[string]bool{`"SecretAge":3456000`: true, `"SecretRefused"`: false})
	// the same for the right and a wrong one
	w.Tokens.Judge(func(secret.Value, bool) (int, string) { return 400, "invalid_grant" })
	_, err = makePlan(w, measured)
	fakes.Failed(t, err, failure.Unavailable, "cannot be told")
	metrics(t, w, map[string]bool{`"SecretRefused"`: false})
}

func TestASecretWithoutAValueHasNoAge(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.Secrets.SetLabel("AWSCURRENT", "")
	_, err := makePlan(w, measured)
	fakes.Failed(t, err, failure.Precondition, "no AWSCURRENT version")
	metrics(t, w, map[string]bool{`"LockHeld":0`: true, `"SecretAge"`: false})
}

func TestWhatFailsInAMeasurementIsTold(t *testing.T) {
	t.Parallel()
	fakes.FailuresAreTold(t, aged, func(w *fakes.World) error {
		_, err := makePlan(w, measured)
		return err
	}, "DescribeListeners", "DescribeRules", "DescribeTags") // it says how old the secret is all the same
}

// An alarm rings for a refused secret, so a server that has lost its database for a moment must not look like one.
func TestOneWrongAnswerIsNoRefusedSecret(t *testing.T) {
	t.Parallel()
	w := aged(t)
	asked := 0
	w.Tokens.Judge(func(_ secret.Value, accepted bool) (int, string) {
		if accepted {
			if asked++; asked > 1 {
				return 400, "invalid_grant"
			}
		}
		return 401, "invalid_client"
	})
	p, err := makePlan(w, measured)
	if err != nil || p.Measured == nil || !p.Measured.SecretAccepted {
		t.Fatalf("measured %+v (%v)", p.Measured, err)
	}
	metrics(t, w, map[string]bool{`"SecretRefused":0`: true, `"SecretRefused":1`: false})
}

func TestAMeasurementTellsWhatWillHaveTheNextRotationRefused(t *testing.T) {
	t.Parallel()
	w := aged(t)
	w.ALB.Change(func(o *fakes.Login) {
		o.Issuer, o.TokenEndpoint = aws.String("https://login.example"), aws.String("https://login.example/token")
	})
	p, err := makePlan(w, measured)
	if err != nil || !strings.Contains(p.Measured.RotationRefused, "add them to aliases") ||
		!strings.Contains(w.Output(), "the next rotation will be refused") {
		t.Fatalf("that a load balancer uses another name is not told: %+v (%v)", p.Measured, err)
	}
	w.ALB.Remove() // a rotation would find nothing to rotate
	if p, err = makePlan(w, measured); err != nil || !strings.HasPrefix(p.Measured.RotationRefused,
		"no listener or rule ") {
		t.Fatalf("that there is nothing to rotate is not told: %+v (%v)", p.Measured, err)
	}
	w.Wire.Fail("DescribeListeners", failure.New(failure.Throttled, "slow down")) // nobody measures again today
	if p, err = makePlan(w, measured); err != nil || p.Measured.RotationRefused == "" {
		t.Fatalf("what is throttled for a moment is not looked at: %+v (%v)", p.Measured, err)
	}
	w.Wire.Fail("DescribeListeners", failure.New(failure.AccessDenied, "not authorized"))
	if p, err = makePlan(w, measured); err != nil || !strings.Contains(p.Measured.RotationRefused, "not authorized") {
		t.Fatalf("that load balancers cannot be read is not told: %+v (%v)", p.Measured, err)
	}
	for range 4 { // for long, which says nothing about a rotation
		w.Wire.Fail("DescribeListeners", failure.New(failure.Throttled, "slow down"))
	}
	if p, err = makePlan(w, measured); err != nil || p.Measured.RotationRefused != "" {
		t.Fatalf("what is over soon is told as a refusal: %+v (%v)", p.Measured, err)
	}
}

// So long before its end a rotation can still be started, and the credential be replaced.
func TestTheRotatorsOwnCredentialThatEndsIsTold(t *testing.T) {
	t.Parallel()
	for days, told := range map[int]bool{13: true, 15: false} {
		w := aged(t)
		w.Client.IdentityProvider.Type = "entra"
		w.Client.IdentityProvider.Settings = json.RawMessage(
			`{"tenantId": "t", "certificate": {"sha256": "AA", "ends": "` +
				rotation.Timestamp(w.Now.Add(time.Duration(days)*24*time.Hour)) + `"}}`)
		w.Params.Put(w.Client)
		p, err := makePlan(w, measured)
		if err != nil || strings.HasPrefix(p.Measured.RotationRefused, "the rotator's own credential") != told {
			t.Errorf("%d days before the rotator's own credential ends, told is %+v (%v)", days, p.Measured, err)
		}
	}
}
