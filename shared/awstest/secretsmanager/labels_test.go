package secretsmanager_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestFirstVersionGetsAWSCURRENT(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.wantLabels("orders", "1[AWSCURRENT]")
	if _, err := s.CreateSecret(context.Background(), &sm.CreateSecretInput{Name: aws.String("empty")}); err != nil {
		t.Fatal(err)
	}
	s.put("empty", 1, "AWSPENDING")
	s.wantLabels("empty", "1[AWSCURRENT AWSPENDING]")
}

func TestPutWithoutStagesMovesAWSCURRENT(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	if err := s.move("orders", "AWSCURRENT", 1, 2); err != nil {
		t.Fatal(err)
	}
	s.wantLabels("orders", "1[AWSPREVIOUS] 2[AWSCURRENT AWSPENDING]")
	s.put("orders", 3)
	s.wantLabels("orders", "2[AWSPREVIOUS] 3[AWSCURRENT]")
}

func TestPutWithAWSPENDINGLeavesTheCurrentVersionAlone(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	s.wantLabels("orders", "1[AWSCURRENT] 2[AWSPENDING]")
	s.put("orders", 3, "AWSPENDING")
	s.wantLabels("orders", "1[AWSCURRENT] 3[AWSPENDING]")
}

func TestMovingAWSCURRENTMovesAWSPREVIOUSToTheVersionItLeft(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2)
	s.put("orders", 3, "AWSPENDING")
	if err := s.move("orders", "AWSCURRENT", 2, 3); err != nil {
		t.Fatal(err)
	}
	s.wantLabels("orders", "2[AWSPREVIOUS] 3[AWSCURRENT AWSPENDING]")
	if err := s.move("orders", "AWSCURRENT", 3, 2); err != nil {
		t.Fatal(err)
	}
	s.wantLabels("orders", "2[AWSCURRENT] 3[AWSPENDING AWSPREVIOUS]")
}

func TestUpdateSecretVersionStageIsACompareAndSwap(t *testing.T) {
	for name, tc := range map[string]struct {
		label      string
		from, to   int
		code, text string
	}{
		"a label that is elsewhere needs RemoveFromVersionId": {"AWSCURRENT", 0, 2, "InvalidParameterException",
			"The parameter RemoveFromVersionId can't be empty. Staging label AWSCURRENT is currently attached to " +
				"version " + token(1) +
				", so you must explicitly reference that version in RemoveFromVersionId."},
		"RemoveFromVersionId must hold the label": {"AWSCURRENT", 2, 2, "InvalidParameterException",
			"it must be set to the version that currently has the staging label AWSCURRENT"},
		"a label that is nowhere can't be removed": {"BLUE", 1, 0, "InvalidParameterException", "staging label BLUE"},
		"AWSCURRENT can't be removed": {"AWSCURRENT", 1, 0, "InvalidParameterException",
			"You can only move staging label AWSCURRENT to a different secret version."},
		"a target or a source must be given": {"AWSCURRENT", 0, 0, "InvalidParameterException",
			"MoveToVersionId or RemoveFromVersionId"},
		"the version moved to must exist": {"AWSCURRENT", 1, 7, "ResourceNotFoundException", "VersionId: " + token(7)},
		"the version moved from must exist": {"AWSCURRENT", 7, 2, "ResourceNotFoundException",
			"VersionId: " + token(7)},
		"AWSPENDING that is elsewhere needs RemoveFromVersionId": {"AWSPENDING", 0, 1, "InvalidParameterException",
			"Staging label AWSPENDING is currently attached to version " + token(2)},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.create("orders")
			s.put("orders", 2, "AWSPENDING")
			wantError(t, s.move("orders", tc.label, tc.from, tc.to), tc.code, tc.text)
			s.wantLabels("orders", "1[AWSCURRENT] 2[AWSPENDING]")
		})
	}
}

func TestLabelsAreAttachedRemovedAndRepeatedWithoutHarm(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	for _, step := range []struct {
		label    string
		from, to int
		want     string
	}{
		{"BLUE", 0, 1, "1[AWSCURRENT BLUE] 2[AWSPENDING]"},
		{"BLUE", 0, 1, "1[AWSCURRENT BLUE] 2[AWSPENDING]"},
		{"BLUE", 1, 2, "1[AWSCURRENT] 2[AWSPENDING BLUE]"},
		{"BLUE", 2, 0, "1[AWSCURRENT] 2[AWSPENDING]"},
		{"AWSPENDING", 2, 0, "1[AWSCURRENT]"},
		{"AWSCURRENT", 0, 1, "1[AWSCURRENT]"},
	} {
		if err := s.move("orders", step.label, step.from, step.to); err != nil {
			t.Fatalf("%v: %v", step, err)
		}
		s.wantLabels("orders", step.want)
	}
}

func TestOfTwoRacingMovesExactlyOneWins(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	s.put("orders", 2, "TWO")
	s.put("orders", 3, "THREE")
	errs := make([]error, 2)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() { errs[i] = s.move("orders", "AWSCURRENT", 1, i+2) })
	}
	wg.Wait()
	if (errs[0] == nil) == (errs[1] == nil) {
		t.Fatalf("the moves ended with %v and %v", errs[0], errs[1])
	}
}

func TestASecretHasAtMostTwentyLabels(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	for i := range 19 {
		if err := s.move("orders", fmt.Sprintf("L%d", i), 0, 1); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, s.move("orders", "ONE_TOO_MANY", 0, 1), "LimitExceededException", "20 staging labels")
	_, err := s.PutSecretValue(context.Background(), &sm.PutSecretValueInput{SecretId: aws.String("orders"),
		ClientRequestToken: aws.String(token(2)),
		SecretString:       aws.String("v"), VersionStages: []string{"AWSPENDING"}})
	wantError(t, err, "LimitExceededException", "20 staging labels")
	if _, values, _ := s.service.Snapshot(region, "orders"); len(values) != 1 {
		t.Error("a refused put has left a version")
	}
}
