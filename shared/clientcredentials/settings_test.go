package clientcredentials_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/strictjson"
)

func TestSettingsAreRefusedFieldByField(t *testing.T) {
	t.Parallel()
	const secretSettings = `"clientSecret": {"clientId": "rotator", "secretArn": "` + arn + `"}`
	const keySettings = `"privateKey": {"clientId": "rotator", "keySecretArn": "` + arn + `", "keyId": "k1"}`
	for text, want := range map[string]string{
		`{` + secretSettings + `}`: "",
		`{` + keySettings + `}`:    "",
		`{}`:                       "settings: needs exactly one of clientSecret and privateKey",
		`{` + secretSettings + `,` + keySettings + `}`: "settings: needs exactly one of " +
			"clientSecret and privateKey",
		`{"clientSecret": {"secretArn": "` + arn +
			`"}}`: "settings.clientSecret.clientId: is missing",
		`{"clientSecret": {"clientId": "rotator", "secretArn": "s3cret"}}`: "settings.clientSecret.secretArn: " +
			"must be the ARN",
		`{"privateKey": {"clientId": "rotator", "keySecretArn": "` + arn +
			`"}}`: "settings.privateKey.keyId: is missing",
		`{"privateKey": {"keySecretArn": "k", "keyId": "k1"}}`: "settings.privateKey.keySecretArn: " +
			"must be the ARN",
	} {
		var s clientcredentials.Settings
		ps := strictjson.Decode([]byte(text), &s, "settings")
		s.Check(&ps, "settings")
		err := ps.Err("the test")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
		if err == nil && s.ClientID() != "rotator" {
			t.Errorf("%s: the client id is %q", text, s.ClientID())
		}
	}
}
