package fakes

import (
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/versions"
)

const home = "eu-central-1"

// SecretsManager is the double of Secrets Manager, with the client's secret and others that are only read.
type SecretsManager struct {
	*smtest.Service
	t    testing.TB
	wire *Wire
	aws  *services
	seen []string // every value that was ever stored
}

// region is the API as the functions reach it.
func (s *SecretsManager) region(name string) versions.API {
	return secretsmanager.NewFromConfig(s.wire.config(s.aws.server, name, s.aws.request))
}

// Add stores a version as another program, or an earlier rotation, would.
func (s *SecretsManager) Add(version, value string, labels ...string) {
	s.seen = append(s.seen, value)
	s.Store(SecretARN, version, value, labels...)
}

// AddOther stores the value of another secret.
func (s *SecretsManager) AddOther(arn, value string) { s.Store(arn, "version-1", value, "AWSCURRENT") }

// Change changes the client's secret.
func (s *SecretsManager) Change(changes ...smtest.Change) {
	s.t.Helper()
	if err := s.Service.Change(home, SecretARN, changes...); err != nil {
		s.t.Fatal(err)
	}
}

// Label is the version that has a label, "" for none.
func (s *SecretsManager) Label(label string) string {
	labels, _ := s.state()
	return labels[label]
}

// SetLabel puts a label on a version that is stored; "" takes it off.
func (s *SecretsManager) SetLabel(label, version string) {
	s.t.Helper()
	if _, values := s.state(); version != "" && values[version] == "" {
		s.t.Fatalf("%s is put on version %s, which is not stored", label, version)
	}
	s.Change(smtest.Label(label, version))
}

// Value is a version's, "" if it is not stored.
func (s *SecretsManager) Value(version string) string {
	_, values := s.state()
	return values[version]
}

// SetCreated says when every version was stored.
func (s *SecretsManager) SetCreated(at time.Time) { s.Change(smtest.Backdate(at)) }

func (s *SecretsManager) state() (labels, values map[string]string) {
	labels, values, err := s.Snapshot(home, SecretARN)
	if err != nil {
		s.t.Fatal(err)
	}
	return labels, values
}

// DropOther removes the value of another secret.
func (s *SecretsManager) DropOther(arn string) {
	if err := s.Service.Change(strings.Split(arn, ":")[3], arn, smtest.Drop("version-1")); err != nil {
		s.t.Fatal(err)
	}
}
