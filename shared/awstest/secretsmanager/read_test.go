package secretsmanager_test

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func get(s *stack, id, label string) (string, error) {
	in := &sm.GetSecretValueInput{SecretId: aws.String("orders")}
	if id != "" {
		in.VersionId = &id
	}
	if label != "" {
		in.VersionStage = &label
	}
	out, err := s.GetSecretValue(context.Background(), in)
	if err != nil {
		return "", err
	}
	return *out.SecretString, nil
}

func TestGetSecretValueChoosesByVersionIdAndStage(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	for _, tc := range []struct{ id, label, want string }{
		{"", "", "value 1"}, {"", "AWSPENDING", "value 2"}, {token(2), "", "value 2"}, {token(2), "AWSPENDING",
			"value 2"},
	} {
		if got, err := get(s, tc.id, tc.label); err != nil || got != tc.want {
			t.Errorf("%q %q: %v", tc.id, tc.label, err)
		}
	}
	_, err := get(s, "", "BLUE")
	wantError(t, err, "ResourceNotFoundException",
		"Secrets Manager can't find the specified secret value for staging label: BLUE")
	_, err = get(s, token(7), "")
	wantError(t, err, "ResourceNotFoundException",
		"Secrets Manager can't find the specified secret value for VersionId: "+token(7))
	_, err = get(s, token(2), "AWSCURRENT")
	wantError(t, err, "InvalidRequestException",
		"You provided a VersionStage that is not associated to the provided VersionId.")
}

func TestASecretWithoutAVersionHasNoValue(t *testing.T) {
	s := newStack(t)
	if _, err := s.CreateSecret(context.Background(), &sm.CreateSecretInput{Name: aws.String("orders")}); err != nil {
		t.Fatal(err)
	}
	_, err := get(s, "", "")
	wantError(t, err, "ResourceNotFoundException", "staging label: AWSCURRENT")
}

func TestAVersionWithoutLabelsIsReadByItsID(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	s.put("orders", 3, "AWSPENDING")
	s.wantLabels("orders", "1[AWSCURRENT] 3[AWSPENDING]")
	if got, err := get(s, token(2), ""); err != nil || got != "value 2" {
		t.Errorf("a deprecated version cannot be read by its id: %v", err)
	}
}

func TestReadsShowTheStateBeforeAWriteUntilTheLagHasPassed(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.service.SetReadLag(5 * time.Second)
	s.put("orders", 2, "AWSPENDING")
	s.clock.Advance(2 * time.Second)
	// The write is seen by other writes at once.
	if err := s.move("orders", "AWSCURRENT", 1, 2); err != nil {
		t.Fatal(err)
	}
	_, err := get(s, token(2), "")
	wantError(t, err, "ResourceNotFoundException", "VersionId: "+token(2))
	_, err = get(s, "", "AWSPENDING")
	wantError(t, err, "ResourceNotFoundException", "staging label: AWSPENDING")
	s.wantLabels("orders", "1[AWSCURRENT]")

	s.clock.Advance(3 * time.Second)
	s.wantLabels("orders", "1[AWSCURRENT] 2[AWSPENDING]")
	if got, err := get(s, token(2), ""); err != nil || got != "value 2" {
		t.Errorf("the new version cannot be read after the lag: %v", err)
	}
	s.clock.Advance(2 * time.Second)
	s.wantLabels("orders", "1[AWSPREVIOUS] 2[AWSCURRENT AWSPENDING]")
}

func TestANewSecretIsNotFoundDuringTheLag(t *testing.T) {
	s := newStack(t)
	s.service.SetReadLag(time.Second)
	s.create("orders")
	_, err := get(s, "", "")
	wantError(t, err, "ResourceNotFoundException", "specified secret.")
	if labels, _, err := s.service.Snapshot(region, "orders"); err != nil || labels["AWSCURRENT"] != token(1) {
		t.Errorf("the snapshot lags too: %v", err)
	}
	s.clock.Advance(time.Second)
	s.wantLabels("orders", "1[AWSCURRENT]")
}
