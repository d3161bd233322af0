package versions_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/awstest/awsapi"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/versions"
)

const (
	region = "eu-central-1"
	arn    = "arn:aws:secretsmanager:" + region + ":111122223333:secret:orders-AbCdEf"
	// b is the version that is stored: Secrets Manager wants a token of 32 characters.
	b = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// created is when every version was stored.
var created = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// stored is one secret in Secrets Manager. Sleeping advances its clock.
type stored struct {
	*secretsmanager.Client
	t       *testing.T
	clock   *clock.Virtual
	service *smtest.Service
	faults  fault.Injector

	moves []string // every request to move a label, as "label from>to"
	slept time.Duration
}

// newStored has these labels on versions whose values are "secret of" them.
func newStored(t *testing.T, labels map[string]string) *stored {
	f := &stored{t: t, clock: clock.NewVirtual(created)}
	f.service = smtest.New(f.clock)
	f.service.Store(arn, "without a label", "another")
	for label, id := range labels {
		f.has(id, "secret of "+short(id), label)
	}
	f.faults.Observe(f.observe)
	f.connect(1)
	return f
}

// connect makes a client that sends each request as often, if it gets no answer.
func (f *stored) connect(attempts int) {
	server := awsapi.NewServer(f.clock, &f.faults, f.service)
	f.Client = secretsmanager.NewFromConfig(awsapi.Repeating(awsapi.Config(server, region), attempts))
}

func short(id string) string { return strings.ReplaceAll(id, b, "b") }

func (f *stored) observe(_, operation, text string) {
	var in struct{ VersionStage, RemoveFromVersionID, MoveToVersionID string }
	if err := json.Unmarshal([]byte(text[strings.Index(text, "{"):]), &in); err != nil {
		f.t.Error(err)
	}
	switch {
	case operation == "GetSecretValue" && in.VersionStage != "":
		f.t.Error("a value was read by label")
	case operation == "UpdateSecretVersionStage":
		f.moves = append(f.moves, short(in.VersionStage+" "+in.RemoveFromVersionID+">"+in.MoveToVersionID))
	}
}

func (f *stored) store(jsonKey string) *versions.Store {
	return versions.New(f, arn, jsonKey, func(ctx context.Context, d time.Duration) error {
		f.slept += d
		f.clock.Advance(d)
		return ctx.Err()
	})
}

// has leaves a version in the secret.
func (f *stored) has(id, value string, labels ...string) { f.service.Store(arn, id, value, labels...) }

// late lets readers see what change does only after d.
func (f *stored) late(d time.Duration, change func()) {
	f.service.SetReadLag(d)
	change()
	f.service.SetReadLag(0)
}

func (f *stored) change(changes ...smtest.Change) {
	f.t.Helper()
	if err := f.service.Change(region, arn, changes...); err != nil {
		f.t.Fatal(err)
	}
}

func (f *stored) labels() map[string]string {
	labels, _, err := f.service.Snapshot(region, arn)
	if err != nil {
		f.t.Fatal(err)
	}
	return labels
}

func (f *stored) values() map[string]string {
	_, values, err := f.service.Snapshot(region, arn)
	if err != nil {
		f.t.Fatal(err)
	}
	return values
}

func (f *stored) once(r fault.Rule) {
	f.t.Helper()
	r.Service, r.Times = "secretsmanager", 1
	if _, err := f.faults.Add(r); err != nil {
		f.t.Fatal(err)
	}
}

// refuse makes the next call of an operation fail before its effect.
func (f *stored) refuse(operation string, status int, code string) {
	f.once(fault.Rule{Operation: operation, Mode: fault.Refuse, Status: status, Code: code})
}

// lose makes the next call of an operation take effect without an answer. The SDK repeats it with more attempts.
func (f *stored) lose(operation string, attempts int) {
	f.t.Helper()
	f.connect(attempts)
	f.once(fault.Rule{Operation: operation, Mode: fault.Lose})
}

// binary stores a value of bytes as the current version.
func (f *stored) binary(id, value string) {
	f.t.Helper()
	if _, err := f.PutSecretValue(f.t.Context(), &secretsmanager.PutSecretValueInput{SecretId: aws.String(arn),
		ClientRequestToken: &id, SecretBinary: []byte(value)}); err != nil {
		f.t.Fatal(err)
	}
}
