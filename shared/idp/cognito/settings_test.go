package cognito_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/cognito"
)

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const pool = "identityProvider.settings.userPoolId: must be the id"
	for _, tt := range []struct {
		name, settings, want string // want "" is success
	}{
		{"a pool", `{"userPoolId": "eu-central-1_AbCdEf123"}`, ""},
		{"a pool of another partition", `{"userPoolId": "us-gov-west-1_AbCdEf123"}`, ""},
		{"a pool of the European Sovereign Cloud", `{"userPoolId": "eusc-de-east-1_AbCdEf123"}`, ""},
		{"nothing", `{}`, pool},
		{"null", `null`, pool},
		{"the ARN of a pool",
			`{"userPoolId": "arn:aws:cognito-idp:eu-central-1:111122223333:userpool/eu-central-1_AbCdEf123"}`, pool},
		{"an id without its Region", `{"userPoolId": "AbCdEf123"}`, pool},
		{"a Region that is a host", `{"userPoolId": "evil.example.com/_AbCdEf123"}`, pool},
		{"an unknown field", `{"userPoolId": "eu-central-1_AbCdEf123", "clientSecret": "canary"}`,
			"identityProvider.settings.clientSecret: is not known; allowed here: userPoolId"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := cognito.Capabilities([]byte(tt.settings), idp.Client{})
			if tt.want == "" && err != nil {
				t.Error(err)
			}
			if tt.want != "" && (!failure.Is(err, failure.InvalidInput) || !strings.Contains(err.Error(), tt.want) ||
				strings.Contains(err.Error(), "canary")) {
				t.Errorf("got %v, want %s with %q", err, failure.InvalidInput, tt.want)
			}
		})
	}
}
