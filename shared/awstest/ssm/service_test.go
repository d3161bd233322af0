package ssm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsssm "github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/ssm"
	"alboidc.internal/shared/clock"
)

var ctx = context.Background()

func newClient(t *testing.T) *awsssm.Client {
	t.Helper()
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	return awsssm.NewFromConfig(awsapi.Config(awsapi.NewServer(c, nil, ssm.New(c)), "eu-central-1"))
}

func put(t *testing.T, c *awsssm.Client, name, value string) {
	t.Helper()
	if _, err := c.PutParameter(ctx, &awsssm.PutParameterInput{Name: &name, Value: &value,
		Type: types.ParameterTypeString}); err != nil {
		t.Fatal(err)
	}
}

func overwrite(t *testing.T, c *awsssm.Client, name, value string) {
	t.Helper()
	if _, err := c.PutParameter(ctx, &awsssm.PutParameterInput{Name: &name, Value: &value,
		Overwrite: aws.Bool(true)}); err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s", err, code)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Fatalf("got %s %q, want %s %q", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestAParameterReadsBackByNameARNAndVersion(t *testing.T) {
	c := newClient(t)
	put(t, c, "/clients/orders-web", "v1")
	overwrite(t, c, "/clients/orders-web", "v2")
	const arn = "arn:aws:ssm:eu-central-1:111122223333:parameter/clients/orders-web"
	for ref, want := range map[string]string{"/clients/orders-web": "v2", "/clients/orders-web:1": "v1",
		"/clients/orders-web:2": "v2", arn: "v2", arn + ":1": "v1"} {
		out, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: &ref})
		if err != nil || *out.Parameter.Value != want || *out.Parameter.ARN != arn {
			t.Errorf("%s: %v", ref, err)
		}
	}
	_, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("/clients/orders-web:3")})
	wantError(t, err, "ParameterVersionNotFound", "could not find version 3")
	_, err = c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("")})
	wantError(t, err, "ValidationException", "Value null at 'name'")
	_, err = c.DeleteParameter(ctx, &awsssm.DeleteParameterInput{Name: aws.String(arn)})
	wantError(t, err, "ParameterNotFound", "")
	for _, ref := range []string{"/clients/nobody", "clients/orders-web", arn + "x", "/clients/nobody:1"} {
		_, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: &ref})
		wantError(t, err, "ParameterNotFound", "")
	}
}

func TestVersionNumbersGrowByOneWithEveryOverwrite(t *testing.T) {
	c := newClient(t)
	put(t, c, "p", "v1")
	for want := int64(2); want < 5; want++ {
		out, err := c.PutParameter(ctx, &awsssm.PutParameterInput{Name: aws.String("p"), Value: aws.String("v"),
			Overwrite: aws.Bool(true)})
		if err != nil || out.Version != want || out.Tier != types.ParameterTierStandard {
			t.Fatalf("version %d: %v", out.Version, err)
		}
	}
}

func TestOnlyTheHundredMostRecentVersionsAreKept(t *testing.T) {
	c := newClient(t)
	put(t, c, "p", "v")
	for range 100 {
		overwrite(t, c, "p", "v")
	}
	_, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("p:1")})
	wantError(t, err, "ParameterVersionNotFound", "version 1")
	if _, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("p:2")}); err != nil {
		t.Fatal(err)
	}
}

func TestPutParameterRefuses(t *testing.T) {
	four, eight := strings.Repeat("x", 4097), strings.Repeat("x", 8193)
	for name, tc := range map[string]struct {
		in         awsssm.PutParameterInput
		code, text string
	}{
		"an existing name without Overwrite": {awsssm.PutParameterInput{Name: aws.String("there"), Type: "String"},
			"ParameterAlreadyExists", "set the overwrite option"},
		"a new parameter without a type": {awsssm.PutParameterInput{Name: aws.String("new")},
			"ValidationException", "type is required"},
		"a type that does not exist": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "Number"},
			"ValidationException", "enum value set"},
		"a standard value over 4 KB": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "String",
			Value: &four}, "ValidationException", "maximum parameter value of 4096"},
		"an advanced value over 8 KB": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "String",
			Tier: "Advanced", Value: &eight}, "ValidationException", "8192"},
		"an empty value": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "String",
			Value: aws.String("")}, "ValidationException", "'value'"},
		"a nested parameter": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "String",
			Value: aws.String("{{ssm:x}}")}, "ValidationException", "nest"},
		"the prefix aws": {awsssm.PutParameterInput{Name: aws.String("/aws/x"),
			Type: "String"}, "ValidationException", "prefixed"},
		"a space in a name": {awsssm.PutParameterInput{Name: aws.String("a b"), Type: "String"},
			"ValidationException", "symbols and letters"},
		"a hierarchy without its leading slash": {awsssm.PutParameterInput{Name: aws.String("a/b"), Type: "String"},
			"ValidationException", "fully qualified"},
		"a hierarchy of more than fifteen levels": {awsssm.PutParameterInput{Name: aws.String(strings.Repeat("/a", 16)),
			Type: "String"}, "HierarchyLevelLimitExceededException", "15"},
		"a name of more than 1011 characters": {awsssm.PutParameterInput{Name: aws.String(strings.Repeat("a",
			1000)), Type: "String"}, "ValidationException", "1011"},
		"a type that is not used here": {awsssm.PutParameterInput{Name: aws.String("new"),
			Type: "SecureString"}, "NotImplemented", "Type SecureString"},
		"a parameter it would ignore": {awsssm.PutParameterInput{Name: aws.String("new"), Type: "String",
			AllowedPattern: aws.String(".*")}, "NotImplemented", "AllowedPattern"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			put(t, c, "there", "v")
			if tc.in.Value == nil {
				tc.in.Value = aws.String("other")
			}
			_, err := c.PutParameter(ctx, &tc.in)
			wantError(t, err, tc.code, tc.text)
			if out, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("there")}); err != nil ||
				out.Parameter.Version != 1 {
				t.Errorf("the refused request changed the parameter (%v)", err)
			}
			if *tc.in.Name != "there" {
				_, err = c.GetParameter(ctx, &awsssm.GetParameterInput{Name: tc.in.Name})
				wantError(t, err, "ParameterNotFound", "")
			}
		})
	}
}

func TestTiersFollowTheUserGuide(t *testing.T) {
	c := newClient(t)
	big := strings.Repeat("x", 4097)
	set := func(name, value string, tier types.ParameterTier) (types.ParameterTier, error) {
		in := &awsssm.PutParameterInput{Name: &name, Value: &value, Tier: tier, Overwrite: aws.Bool(true),
			Type: types.ParameterTypeString}
		out, err := c.PutParameter(ctx, in)
		if err != nil {
			return "", err
		}
		return out.Tier, nil
	}
	for _, step := range []struct {
		name, value string
		tier, want  types.ParameterTier
	}{
		{"a", "v", "", types.ParameterTierStandard},
		{"a", "v", types.ParameterTierIntelligentTiering, types.ParameterTierStandard},
		{"a", big, types.ParameterTierIntelligentTiering, types.ParameterTierAdvanced},
		{"a", "v", "", types.ParameterTierAdvanced},
		{"a", "v", types.ParameterTierIntelligentTiering, types.ParameterTierAdvanced},
		{"b", big, types.ParameterTierAdvanced, types.ParameterTierAdvanced},
	} {
		if got, err := set(step.name, step.value, step.tier); err != nil || got != step.want {
			t.Errorf("tier %q of %d bytes became %q: %v", step.tier, len(step.value), got, err)
		}
	}
	_, err := set("a", "v", types.ParameterTierStandard)
	wantError(t, err, "ValidationException", "can't downgrade")
}

func TestTheHistoryHasEveryVersion(t *testing.T) {
	c := newClient(t)
	if _, err := c.PutParameter(ctx, &awsssm.PutParameterInput{Name: aws.String("p"), Value: aws.String("v1"),
		Type: types.ParameterTypeString, Description: aws.String("what it is")}); err != nil {
		t.Fatal(err)
	}
	overwrite(t, c, "p", "v2")
	out, err := c.GetParameterHistory(ctx, &awsssm.GetParameterHistoryInput{Name: aws.String("p")})
	if err != nil || len(out.Parameters) != 2 {
		t.Fatalf("%d versions (%v)", len(out.Parameters), err)
	}
	for i, h := range out.Parameters { // the description outlives an overwrite without one
		if h.Version != int64(i+1) || *h.Value != fmt.Sprintf("v%d", i+1) || *h.Description != "what it is" {
			t.Errorf("version %d is %d: %q, %q", i+1, h.Version, *h.Value, *h.Description)
		}
	}
	_, err = c.GetParameterHistory(ctx, &awsssm.GetParameterHistoryInput{Name: aws.String("q")})
	wantError(t, err, "ParameterNotFound", "")
}

func TestADeletedParameterIsNotFound(t *testing.T) {
	c := newClient(t)
	put(t, c, "p", "v")
	if _, err := c.DeleteParameter(ctx, &awsssm.DeleteParameterInput{Name: aws.String("p")}); err != nil {
		t.Fatal(err)
	}
	_, err := c.GetParameter(ctx, &awsssm.GetParameterInput{Name: aws.String("p")})
	wantError(t, err, "ParameterNotFound", "")
	_, err = c.DeleteParameter(ctx, &awsssm.DeleteParameterInput{Name: aws.String("p")})
	wantError(t, err, "ParameterNotFound", "")
	out, err := c.PutParameter(ctx, &awsssm.PutParameterInput{Name: aws.String("p"), Value: aws.String("v"),
		Type: types.ParameterTypeString})
	if err != nil || out.Version != 1 {
		t.Fatalf("a recreated parameter does not begin with version 1: %v", err)
	}
}

func TestUnknownOperationsAreRefusedByName(t *testing.T) {
	c := newClient(t)
	_, err := c.SendCommand(ctx, &awsssm.SendCommandInput{DocumentName: aws.String("x")})
	wantError(t, err, "NotImplemented", "SendCommand")
}
