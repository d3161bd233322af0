package secretsmanager_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	sm "github.com/aws/aws-sdk-go-v2/service/secretsmanager"
)

func TestSecretARNEndsWithSixRandomCharacters(t *testing.T) {
	s := newStack(t)
	if arn := s.create("team/orders"); !regexp.MustCompile(
		`^arn:aws:secretsmanager:eu-central-1:111122223333:secret:team/orders-[A-Za-z0-9]{6}$`).MatchString(arn) {
		t.Fatal(arn)
	}
}

func TestSecretIdMayBeANameAnARNOrAPartialARN(t *testing.T) {
	s := newStack(t)
	arn := s.create("orders")
	for _, id := range []string{"orders", arn, arn[:len(arn)-7]} {
		out, err := s.GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: &id})
		if err != nil || *out.ARN != arn || *out.SecretString != "value 1" {
			t.Errorf("%s: %v", id, err)
		}
	}
	for _, id := range []string{"order", arn[:len(arn)-6], arn[:len(arn)-8], arn + "x"} {
		_, err := s.GetSecretValue(context.Background(), &sm.GetSecretValueInput{SecretId: &id})
		wantError(t, err, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
}

func TestCreateSecretIsIdempotentByTokenAndValue(t *testing.T) {
	s := newStack(t)
	arn := s.create("orders")
	if again := s.create("orders"); again != arn {
		t.Errorf("the repeat answered %s", again)
	}
	create := func(tok, value string) error {
		_, err := s.CreateSecret(context.Background(), &sm.CreateSecretInput{Name: aws.String("orders"),
			ClientRequestToken: &tok, SecretString: &value})
		return err
	}
	wantError(t, create(token(1), "other"), "ResourceExistsException", "You can't use ClientRequestToken "+token(1)+
		" because that value is already in use for a version of secret "+arn+".")
	wantError(t, create(token(2), "value 1"), "ResourceExistsException", "the secret orders already exists")
}

func TestPutSecretValueIsIdempotentByTokenAndValue(t *testing.T) {
	s := newStack(t)
	ctx := context.Background()
	arn := s.create("orders")
	s.put("orders", 2, "AWSPENDING")
	if err := s.move("orders", "AWSCURRENT", 1, 2); err != nil {
		t.Fatal(err)
	}
	s.put("orders", 2, "AWSPENDING", "LATE") // a lost reply's retry must not undo the promotion
	s.wantLabels("orders", "1[AWSPREVIOUS] 2[AWSCURRENT AWSPENDING]")
	_, err := s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, ClientRequestToken: aws.String(token(2)),
		SecretString: aws.String("other")})
	wantError(t, err, "ResourceExistsException", "already in use for a version of secret "+arn+".")
	_, err = s.PutSecretValue(ctx, &sm.PutSecretValueInput{SecretId: &arn, ClientRequestToken: aws.String(token(2)),
		SecretBinary: []byte("value 2")})
	wantError(t, err, "ResourceExistsException", token(2))
}

func TestValuesAndTokensOutsideTheLimitsAreRefused(t *testing.T) {
	big := strings.Repeat("x", 65537)
	for name, tc := range map[string]struct {
		in         sm.PutSecretValueInput
		code, text string
	}{
		"a string over 65536 bytes": {sm.PutSecretValueInput{SecretString: &big}, "ValidationException",
			"secretString"},
		"a binary over 65536 bytes": {sm.PutSecretValueInput{SecretBinary: []byte(big)}, "ValidationException",
			"secretBinary"},
		"no value": {sm.PutSecretValueInput{}, "InvalidRequestException", "either SecretString or SecretBinary"},
		"two values": {sm.PutSecretValueInput{SecretString: aws.String("a"),
			SecretBinary: []byte("a")}, "InvalidParameterException", "both"},
		"a token under 32 characters": {sm.PutSecretValueInput{SecretString: aws.String("a"),
			ClientRequestToken: aws.String("short")}, "InvalidParameterException", "32-64"},
		"a label without characters": {sm.PutSecretValueInput{SecretString: aws.String("a"),
			VersionStages: []string{""}}, "ValidationException", "versionStages"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.create("orders")
			tc.in.SecretId = aws.String("orders")
			_, err := s.PutSecretValue(context.Background(), &tc.in)
			wantError(t, err, tc.code, tc.text)
			s.wantLabels("orders", "1[AWSCURRENT]")
		})
	}
	t.Run("65536 bytes are taken", func(t *testing.T) {
		s := newStack(t)
		s.create("orders")
		if _, err := s.PutSecretValue(context.Background(), &sm.PutSecretValueInput{SecretId: aws.String("orders"),
			SecretString: aws.String(big[1:])}); err != nil {
			t.Fatal(err)
		}
	})
}

// The SDKs always send a token, so this one goes over the wire by hand.
func TestAPutWithoutATokenIsRefused(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"SecretId":"orders","SecretString":"v"}`))
	req.Header.Set("X-Amz-Target", "secretsmanager.PutSecretValue")
	req.Header.Set("Authorization",
		"AWS4-HMAC-SHA256 Credential=local/20260301/eu-central-1/secretsmanager/aws4_request")
	res := httptest.NewRecorder()
	s.api.ServeHTTP(res, req)
	if res.Code != http.StatusBadRequest || res.Header().Get("x-amzn-ErrorType") != "InvalidRequestException" {
		t.Fatalf("answered %d %s", res.Code, res.Header().Get("x-amzn-ErrorType"))
	}
}

func TestOnlyOldVersionsAboveTheHundredAreRemoved(t *testing.T) {
	s := newStack(t)
	s.create("orders")
	for n := 2; n <= 110; n++ {
		s.put("orders", n, "AWSPENDING")
	}
	if _, values, _ := s.service.Snapshot(region, "orders"); len(values) != 110 {
		t.Fatalf("%d versions are left of 110 young ones", len(values))
	}
	s.clock.Advance(25 * time.Hour)
	s.put("orders", 111, "AWSPENDING")
	_, values, _ := s.service.Snapshot(region, "orders")
	if len(values) != 100 || values[token(1)] == "" || values[token(2)] != "" || values[token(111)] == "" {
		t.Fatal(fmt.Sprint(len(values), " versions are left, or the wrong ones"))
	}
}
