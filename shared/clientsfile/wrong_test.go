package clientsfile

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// long are parts of messages that many cases share.
var long = strings.NewReplacer(
	"{secret}", "looks like a secret, and this file must hold none: store it in AWS Secrets Manager, give its ARN, "+
		"and "+
		"replace it where it was issued",
	"{fields}", "allowed here: acceptElements, alarms, aliases, callbackUrl, canaries, clientId, createSecret, "+
		"followers, "+
		"gracePeriodSeconds, identityProvider, issuer, kmsKeys, loadBalancerSearch, loadBalancers, maxSecretAgeDays, "+
		"name, notifications, otherRegistrations, roles, rotateBeforeEndDays, schedule, secret, smokeTests, "+
		"spreadSeconds",
	"{look}", ": look at the indentation here and above, and put a value with : # { } [ ] & * ! % @ in quotes",
	"{seconds}", "must be a whole number of seconds, without unit and quotes",
	"{suffix}", "must end with the hyphen and six characters that Secrets Manager added to the name, as in "+
		"…:secret:NAME-AbCdEf: copy the whole ARN (aws secretsmanager describe-secret)",
	"{alb}", "must be the ARN of an Application Load Balancer (…:loadbalancer/app/NAME/ID)",
	"{list}", ": write [VALUE], or - VALUE in a line of its own",
	"{object}", "must be an object, its fields indented below it, not")

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited is one.yaml after one change.
func edited(t *testing.T, old, new string) string {
	t.Helper()
	one := read(t, "one.yaml")
	if !strings.Contains(one, old) {
		t.Fatalf("one.yaml does not have %q", old)
	}
	if new == "" {
		old += "\n"
	}
	return strings.Replace(one, old, new, 1)
}

// testdata/wrong.txt has a wrong file in each paragraph: lines with < are replaced in one.yaml by those with > (<* is
// the
// whole file, <+ its end), and those with = are the findings, exactly these.
func TestEachMistakeHasItsMessage(t *testing.T) {
	t.Parallel()
	cases := strings.Split(read(t, "wrong.txt"), "\n\n")
	if len(cases) < 130 {
		t.Errorf("only %d cases", len(cases))
	}
	for _, c := range cases {
		marked := map[string][]string{}
		for line := range strings.Lines(c) {
			mark, text := line[:1], strings.TrimSuffix(line[1:], "\n")
			marked[mark] = append(marked[mark], text)
		}
		name, old, new := strings.Trim(marked["#"][0], "# "), strings.Join(marked["<"], "\n"),
			strings.Join(marked[">"], "\n")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := new
			switch old {
			case "*":
			case "+":
				file = read(t, "one.yaml") + new
			default:
				file = edited(t, old, new)
			}
			_, findings := Parse("f", []byte(strings.ReplaceAll(file, `\0`, "\x00")))
			var got []string
			for _, f := range findings {
				got = append(got, strings.TrimPrefix(f.String(), "f:"))
			}
			if want := long.Replace(strings.Join(marked["="], "\n")); strings.Join(got, "\n") != want {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), want)
			}
		})
	}
}

func TestARightFileHasNoFindings(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	for name, text := range map[string]string{
		"as it is": one, "with a byte order mark": "\ufeff" + one, "with CRLF": strings.ReplaceAll(one, "\n", "\r\n"),
		"with --- and ...": "---\n" + one + "...\n", "with an empty second document": one + "---\n# nothing\n",
		"with a YAML directive": "%YAML 1.2\n---\n" + one,
		"with anchors at the top": "x-month: &month {expression: cron(0 3 1 * ? *)}\n" + edited(t,
			"    schedule:\n      expression: cron(0 3 1 * ? *)", "    schedule: *month"),
		"with a merge key": "x-month: &month {expression: rate(1 day), timeZone: Europe/Berlin}\n" + edited(t,
			"    schedule:", "    schedule:\n      <<: *month"),
		"with a list of merge keys": "x-a: &a {timeZone: UTC}\nx-b: &b {paused: true}\n" + edited(t,
			"    schedule:", "    schedule:\n      <<: [*a, *b]"),
		"with empty optional fields": edited(t, "    gracePeriodSeconds: 86400",
			"    gracePeriodSeconds:\n    aliases:\n    notifications:"),
		"with tags": edited(t, "  region: eu-central-1", "  region: eu-central-1\n  tags: {team: platform, "+
			"cost-centre: \"4711\"}"),
	} {
		if _, findings := Parse("f", []byte(text)); len(findings) > 0 {
			t.Errorf("%s: %s", name, findings)
		}
	}
}

func TestTextsThatAreNotUTF8AreNamed(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	var little, big strings.Builder
	for _, b := range []byte(one) {
		little.Write([]byte{b, 0})
		big.Write([]byte{0, b})
	}
	for text, want := range map[string]string{
		"\xff\xfe" + little.String(): "f:1: is UTF-16 or UTF-32: save it as UTF-8",
		"\xfe\xff" + big.String():    "f:1: is UTF-16 or UTF-32: save it as UTF-8",
		little.String():              "f:1: is UTF-16 or UTF-32: save it as UTF-8",
		big.String():                 "f:1: is UTF-16 or UTF-32: save it as UTF-8",
		strings.Replace(one, "orders-web", "b\xfccher", 1): "f:6: has a character that is not UTF-8: save it as UTF-8",
	} {
		if _, findings := Parse("f", []byte(text)); findings.String() != want {
			t.Errorf("got %s, want %s", findings, want)
		}
	}
}

// A second document would not be read: neither by us, nor by the parser if there is an empty one before it.
func TestASecondDocumentIsRefusedWhereverItBegins(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	for text, line := range map[string]int{
		one + "---\n" + one: 31, one + "---\n---\n" + one: 32, one + "---\n# nothing\n---\na: 1\n": 33,
		one + "...\na: 1\n": 32, one + "...\n---\na: 1\n": 32, one + "--- a\n": 31, "---\n---\n" + one: 2,
		"%YAML 1.2\n---\n" + one + "...\n%YAML 1.2\n---\na: 1\n": 35,
	} {
		want := fmt.Sprintf("f:%d: begins a second document (---), which would not be read: remove the line, or put "+
			"what follows into a file of its own", line)
		if _, findings := Parse("f", []byte(text)); findings.String() != want {
			t.Errorf("%q…: got %s, want %s", text[:20], findings, want)
		}
	}
	for _, right := range []string{one + "---\n---\n# nothing\n", one + "...\n---\n...\n", "...\n" + one,
		"# one\n%YAML 1.2\n---\n" + one} {
		if _, findings := Parse("f", []byte(right)); len(findings) > 0 {
			t.Errorf("%s", findings)
		}
	}
}

func TestWhatIsTooDeepForTheParserIsRefused(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	for _, deep := range []string{"[", "{a: ", "- ", "? ", "- ? ", "!a ", "&a "} {
		_, findings := Parse("f", []byte(one+"x-a:\n  "+strings.Repeat(deep, 5000)+"1\n"))
		if want := "f:32: has values inside one another more than 100 deep"; findings.String() != want {
			t.Errorf("%q: got %s, want %s", deep, findings, want)
		}
	}
	for _, right := range []string{strings.Repeat("[", 90) + strings.Repeat("]", 90),
		`"` + strings.Repeat("[", 999) + `"`,
		"[" + strings.Repeat("[1], ", 999) + "[]]"} {
		if _, findings := Parse("f", []byte(one+"x-a:\n  "+right+"\n")); len(findings) > 0 {
			t.Errorf("%.20s: %s", right, findings)
		}
	}
}

// Whatever a text is pasted for: no finding shows it.
func TestNoFindingShowsAPastedText(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	value := regexp.MustCompile(`(?m)^( *(?:- )?[a-zA-Z]+: |      - )(.+)$`)
	key := regexp.MustCompile(`(?m)^( *(?:- )?)([a-zA-Z]+):`)
	for _, parrot := range []string{"Zq8~pArRoT0xS3cret99", "pArRoT-hunter2", "pArRoTpArRoT1234567890", "PARROT+/=*&!",
		"eyJjYW5hcnkiOiJ4In0.eyJjYW5hcnkiOiJ4In0.c", `"parrot`, "'parrot' parrot", "[parrot", "{parrot: parrot",
		"*parrot", "kX8Q~pArRoT.0123456789abcdefgh",
		"&parrot parrot", "!parrot parrot", "%parrot", "@parrot", "parrot: parrot", "|parrot", "parrot\n " +
			"parrot\nparrot: -",
		"-----BEGIN PRIVATE KEY-----\nparrotMIIEvQIBADANBg\n-----END PRIVATE KEY-----", "https://u:parrot@example.com/",
		"arn:aws:secretsmanager:eu-central-1:111122223333:parrot"} {
		shows := func(text string) {
			t.Helper()
			_, findings := Parse("f", []byte(text))
			if strings.Contains(strings.ToLower(findings.String()), "parrot") {
				t.Errorf("%q is shown: %s", parrot, findings)
			}
		}
		for _, m := range value.FindAllStringSubmatchIndex(one, -1) {
			shows(one[:m[4]] + parrot + one[m[5]:])
		}
		if strings.ContainsAny(parrot, "0123456789+") { // others may be the name of a field
			for _, m := range key.FindAllStringSubmatchIndex(one, -1) {
				shows(one[:m[4]] + parrot + one[m[5]:])
			}
		}
	}
}

func TestDefaultsAreWhatClientsDoNotSayThemselves(t *testing.T) {
	t.Parallel()
	const shared = `defaults:
  createSecret: true
  gracePeriodSeconds: 3600
  identityProvider: {type: okta, tokenAuthMethod: client_secret_post, settings: {appId: x, serviceApp: {keyId: other}}}
  schedule: {timeZone: Europe/Berlin, paused: true}
  smokeTests: {maxAuthErrors: 5, redirect: [{url: "https://other.example.com/"}]}
`
	text := edited(t, "clients:", shared+"clients:")
	text = strings.Replace(text, "      type: okta\n", "", 1)
	f, findings := Parse("f", []byte(strings.Replace(text, "    gracePeriodSeconds: 86400\n", "", 1)))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	c := f.Clients[0]
	if c.GracePeriod() != 3600 || c.CreateSecret || !strings.HasSuffix(c.Secret.ARN, "oidc-AbCdEf") ||
		c.IdentityProvider.AuthMethod() != "client_secret_post" || c.Schedule.TimeZone != "Europe/Berlin" ||
		c.Schedule.Expression != "cron(0 3 1 * ? *)" || c.SmokeTests.AuthErrors() != 5 ||
		len(c.SmokeTests.Redirect) != 1 ||
		c.SmokeTests.Redirect[0].URL != "https://orders.example.com/" || strings.Contains(string(
		c.IdentityProvider.Settings), "other") || !strings.Contains(string(c.IdentityProvider.Settings),
		"rotator-2026") {
		t.Errorf("got %+v", c)
	}
}

func TestTheLocalKeyWinsOverAMergedOne(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		edited(t, "      expression: cron(0 3 1 * ? *)", "      <<: *a\n      expression: cron(0 3 1 * ? *)"),
		edited(t, "      expression: cron(0 3 1 * ? *)", "      expression: cron(0 3 1 * ? *)\n      <<: [*a, *b]"),
	} {
		f, findings := Parse("f", []byte("x-a: &a {expression: cron(1 1 1 * ? *), timeZone: Europe/Berlin}\n"+
			"x-b: &b {timeZone: UTC}\n"+text))
		if len(findings) > 0 || f.Clients[0].Schedule.Expression != "cron(0 3 1 * ? *)" ||
			f.Clients[0].Schedule.TimeZone != "Europe/Berlin" {
			t.Errorf("got %+v %s", f.Clients, findings)
		}
	}
}

// A mistake in what is shared is told once, where it is written.
func TestASharedMistakeIsToldOnce(t *testing.T) {
	t.Parallel()
	one := read(t, "one.yaml")
	_, entry, _ := strings.Cut(one, "clients:\n")
	second := strings.NewReplacer("orders", "shop", "    gracePeriodSeconds: 86400\n", "").Replace(entry)
	text := strings.Replace(one, "clients:", "defaults: {gracePeriodSeconds: -1, spreadSeconds: 60s}\nclients:", 1) +
		second +
		strings.NewReplacer("shop", "third").Replace(second)
	want := "f:5: defaults.gracePeriodSeconds: must be 0 to 2592000, not -1\n" +
		"f:5: defaults.spreadSeconds: must be a whole number of seconds, without unit and quotes"
	if _, findings := Parse("f", []byte(text)); findings.String() != want {
		t.Errorf("got %s\nwant %s", findings, want)
	}
	text = strings.Replace(one, "settings:", "settings: &s", 1)
	text = strings.Replace(text, "orgUrl: https:", "orgUrl: http:", 1)
	i := strings.Index(second, "        orgUrl")
	j := strings.Index(second, "    loadBalancers")
	text += strings.Replace(second[:i], "settings:", "settings: *s", 1) + second[j:]
	want = "f:17: orders-web: identityProvider.settings.orgUrl: must begin with https://"
	if _, findings := Parse("f", []byte(text)); findings.String() != want {
		t.Errorf("got %s\nwant %s", findings, want)
	}
}

func TestWhatIsHardlyMeantIsAWarning(t *testing.T) {
	t.Parallel()
	_, entry, _ := strings.Cut(read(t, "one.yaml"), "clients:\n")
	second := strings.NewReplacer("orders", "shop").Replace(entry)
	entra := strings.NewReplacer("https://example.okta.com/oauth2/default/v1/", "https://login.microsoftonline.com/"+
		"11111111-2222-3333-4444-555555555555/oauth2/v2.0/", "https://example.okta.com/oauth2/default",
		"https://sts.windows.net/11111111-2222-3333-4444-555555555555/", "type: okta", "type: entra")
	settings := regexp.MustCompile(`(?s)settings:.*    loadB`)
	ofTenant := func(id string) string {
		return entra.Replace(settings.ReplaceAllString(read(t, "one.yaml"), "settings: {tenantId: "+id+
			", webIdentity: {clientId: 66666666-7777-8888-9999-000000000000}}\n    loadB"))
	}
	const environment = "22222222-2222-3333-4444-555555555555"
	pingone := strings.NewReplacer("https://example.okta.com/oauth2/default/v1/", "https://auth.pingone.eu/"+
		environment+"/as/", "https://example.okta.com/oauth2/default", "https://auth.pingone.eu/"+environment+"/as",
		"type: okta", "type: pingone", "clientId: 0oaordersweb0000001",
		"clientId: 11111111-2222-3333-4444-555555555555")
	ofEnvironment := func(id string) string {
		return pingone.Replace(settings.ReplaceAllString(read(t, "one.yaml"), "settings: {environmentId: "+id+
			`, apiUrl: "https://api.pingone.eu", authUrl: "https://auth.pingone.eu", clientSecret: {clientId: `+
			"66666666-7777-8888-9999-000000000000, secretArn: "+
			"\"arn:aws:secretsmanager:eu-central-1:111122223333:secret:"+
			"pingone-AbCdEf\"}}\n    loadB"))
	}
	google := strings.NewReplacer("https://example.okta.com/oauth2/default/v1/authorize",
		"https://accounts.google.com/o/oauth2/v2/auth", "https://example.okta.com/oauth2/default/v1/token",
		"https://oauth2.googleapis.com/token", "https://example.okta.com/oauth2/default", "https://accounts.google.com",
		"type: okta", "type: manual")
	const other = " has another host than the issuer: is it of another provider? (A further host of the same one " +
		"belongs " +
		"into aliases, with its issuer)"
	for name, c := range map[string]struct{ text, want string }{
		"an age below the interval": {edited(t, "    schedule:", "    maxSecretAgeDays: 20\n    schedule:"),
			"f:29: warning: orders-web: maxSecretAgeDays: is less than the 31 days that the schedule leaves " +
				"between two " +
				"rotations: the alarm would ring each time"},
		"nobody gets mail": {edited(t, "  email: [team@example.com]", ""),
			"f:1: warning: stack.email: is missing: nobody gets mail about orders-web"},
		"mail only for one": {edited(t, "  email: [team@example.com]", "") + second + "    notifications: {email: " +
			"[s@example.com]}\n",
			"f:1: warning: stack.email: is missing: nobody gets mail about orders-web"},
		"another organisation's URL": {edited(t, "orgUrl: https://example", "orgUrl: https://other"),
			"f:17: warning: orders-web: identityProvider.settings.orgUrl:" + other},
		"another one's token endpoint": {edited(t, "tokenEndpoint: https://example", "tokenEndpoint: https://other"),
			"f:15: warning: orders-web: identityProvider.tokenEndpoint:" + other},
		"a custom domain that is an alias": {strings.Replace(edited(t, "orgUrl: https://example", "orgUrl: "+
			"https://other"),
			"    callbackUrl", "    aliases: [{issuer: \"https://other.okta.com/x\", authorizationEndpoint: "+
				"\"https://other.okta.com/a\", "+
				"tokenEndpoint: \"https://other.okta.com/t\"}]\n    callbackUrl", 1), ""},
		"a tenant":             {ofTenant("11111111-2222-3333-4444-555555555555"), ""},
		"a tenant by its name": {ofTenant("example.onmicrosoft.com"), ""},
		"a tenant in capitals": {strings.NewReplacer("sts.windows.net/11111111", "sts.windows.net/ABCDEFAB",
			"11111111-", "abcdefab-").Replace(ofTenant("abcdefab-2222-3333-4444-555555555555")), ""},
		"an environment": {ofEnvironment(environment), ""},
		"another environment": {ofEnvironment("33333333-2222-3333-4444-555555555555"),
			"f:16: warning: orders-web: identityProvider.settings.environmentId: is not the one that the issuer " +
				"names: is it of another provider?"},
		"Google, whose token endpoint has a host of its own": {google.Replace(settings.ReplaceAllString(
			read(t, "one.yaml"), "settings: {}\n    loadB")), ""},
		"another tenant": {ofTenant("99999999-2222-3333-4444-555555555555"),
			"f:16: warning: orders-web: identityProvider.settings.tenantId: is not the one that the issuer names: " +
				"is it of " +
				"another provider?"},
		"a callback host without a test": {edited(t, "callbackUrl: https://orders", "callbackUrl: https://shop"),
			"f:9: warning: orders-web: callbackUrl: has a host that no smoke test opens: is the URL of a smoke " +
				"test, or " +
				"this one, that of another application?"},
		"a Region that nobody knows": {strings.Replace(edited(t, "  email:", "  logLevel: info\n  email:"),
			"eu-central-1", "eu-centrl-1", 1),
			"f:3: warning: stack.region: is in a Region that is not known here: is it misspelt, or newer than this " +
				"program?"},
		"a load balancer in one": {edited(t, "elasticloadbalancing:eu-central-1", "elasticloadbalancing:eu-west-9"),
			"f:24: warning: orders-web: loadBalancers[0]: is in a Region that is not known here: is it misspelt, " +
				"or newer " +
				"than this program?"},
		"two clients of one rate": {strings.ReplaceAll(read(t, "one.yaml")+second, "cron(0 3 1 * ? *)", "rate(30 "+
			"days)"),
			"f:55: warning: shop-web: schedule.expression: is the rate of orders-web too, and schedules of one " +
				"rate that are " +
				"made in one deployment start together each time: give each a cron(…) of its own"},
		"a suffix like a word": {edited(t, "oidc-AbCdEf", "oidc-bottle"),
			"f:11: warning: orders-web: secret.arn: ends with six small letters: look whether they are the suffix " +
				"that Secrets " +
				"Manager added, or a word of the name (aws secretsmanager describe-secret shows the whole ARN)"},
	} {
		f, findings := Parse("f", []byte(c.text))
		if findings.String() != c.want || findings.Err() != nil || len(f.Clients) == 0 {
			t.Errorf("%s: got %s\nwant %s", name, findings, c.want)
		}
	}
}

func TestAliasesThatMultiplyAreRefused(t *testing.T) {
	t.Parallel()
	text := "x-0: &a0 [1]\n"
	for i := range 30 {
		text += fmt.Sprintf("x-%d: &a%d [%s]\n", i+1, i+1, strings.Repeat(fmt.Sprintf("*a%d, ", i), 9))
	}
	want := "f:1: has too many values: are there aliases of aliases of aliases?"
	if _, findings := Parse("f", []byte(text+read(t, "one.yaml"))); findings.String() != want {
		t.Errorf("got %s", findings)
	}
}
