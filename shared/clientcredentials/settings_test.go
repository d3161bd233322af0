package clientcredentials_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/clientcredentials"
	"alboidc.internal/shared/strictjson"
)

const kmsARN = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

func kmsSettings(arn, more string) string {
	return `"privateKey": {"clientId": "rotator", "keyArn": "` + arn + `"` + more + `}`
}

func TestAKeyOfKMSHasItsOwnIDByDefault(t *testing.T) {
	t.Parallel()
	k := clientcredentials.KeySettings{KeyPlace: clientcredentials.KeyPlace{KeyARN: kmsARN}}
	if k.ID() != "1234abcd-12ab-34cd-56ef-1234567890ab" {
		t.Error(k.ID())
	}
	k.KeyID = "k1"
	if k.ID() != "k1" {
		t.Error(k.ID())
	}
}

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
		`{` + kmsSettings(kmsARN, `, "keyId": "k1"`) + `}`:        "",
		`{` + kmsSettings(kmsARN, ``) + `}`:                       "",
		`{` + kmsSettings(kmsARN, `, "algorithm": "ES256"`) + `}`: "",
		`{` + kmsSettings(kmsARN, `, "keySecretArn": "`+arn+`"`) +
			`}`: "settings.privateKey: needs exactly one",
		`{"privateKey": {"clientId": "rotator", "keyId": "k1"}}`: "settings.privateKey: needs " +
			"exactly one",
		`{` + kmsSettings("arn:aws:kms:eu-west-1:111122223333:alias/okta", ``) + `}`: "not of an alias",
		`{` + kmsSettings("1234abcd-12ab-34cd-56ef-1234567890ab",
			``) + `}`: "settings.privateKey.keyArn: must be the " +
			"ARN of a KMS key",
		`{` + kmsSettings(kmsARN, `, "algorithm": "HS256"`) + `}`: "settings.privateKey.algorithm: must be RS256",
		`{` + keySettings[:len(keySettings)-1] + `, "algorithm": "ES256"}}`: "settings.privateKey.algorithm: must be " +
			"left out with keySecretArn",
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
