package versions_test

import (
	"strings"
	"testing"

	"alboidc.internal/shared/secret"
	"alboidc.internal/shared/versions"
)

// RFC 6749, appendix A.2, allows %x20-7E in a client secret. What people store instead comes from files, editors, and
// programs' settings.
const (
	foreign = "holds a character outside of printable ASCII (RFC 6749, appendix A.2)"
	key     = ", so secret.jsonKey must name the right one"
)

func TestWhatIsOddAboutASecretIsSaidWithoutIt(t *testing.T) {
	t.Parallel()
	for stored, want := range map[string]string{
		"CANARY":                      "",
		"CANARY~+/=.-_!\"'<&> {[:= ]": "",
		"CAN ARY with spaces":         "",
		"\"CANARY":                    "",
		"CANARY\\path":                "",
		"CANARY\n":                    "ends with a line break",
		"CANARY\r\n":                  "ends with a line break",
		"\nCANARY":                    "begins with a line break",
		"CANARY ":                     "ends with white space",
		"CANARY\t":                    "ends with white space",
		"\u00a0CANARY":                "begins with white space",
		" CANARY\n":                   "begins with white space, ends with a line break",
		"\"CANARY\"":                  "has quotation marks around it",
		"\"CANARY\"\n":                "ends with a line break, has quotation marks around it",
		"“CANARY”":                    "has quotation marks around it, " + foreign,
		"\ufeffCANARY":                "begins with a byte order mark",
		"\ufeff'CANARY'\r\n": "begins with a byte order mark, ends with a line break, has quotation " +
			"marks around it",
		"CAN\nARY":                    "holds a control character, e.g. a line break",
		"C\x00A\x00N\x00ARY":          "holds a control character, e.g. a line break",
		"CANÄRY":                      foreign,
		"CAN\u200bARY":                foreign,
		"CANARY\\n":                   "ends with a backslash and a letter, as a line break is written in programs",
		"CLIENT_SECRET=CANARY":        "begins with a name before it, as in a file of settings",
		"client-secret: CANARY":       "begins with a name before it, as in a file of settings",
		`{"b":"CANARY","a_secret":1}`: `is a JSON object with the members "a_secret", "b"` + key,
		"\ufeff{\"a\":{}}\n": `begins with a byte order mark, ends with a line break, is a JSON object with the ` +
			`members "a"` + key,
		`{}`: "is a JSON object with no members" + key,
		`{"CANARY0123456789abcdefgh":"","CANARY/1":""}`: "is a JSON object with the members " +
			"one whose name is not shown, one whose name is not shown" + key,
	} {
		if want != "" {
			want = "; the stored value " + want + ": store the secret as the identity provider shows it"
		}
		if got := versions.Oddities(secret.New(stored)); got != want || strings.Contains(got, "CANARY") {
			t.Errorf("%q: got %q\nwant %q", stored, got, want)
		}
	}
	if got := versions.Oddities(secret.Value{}); got != "" {
		t.Errorf("no secret: %q", got)
	}
}
