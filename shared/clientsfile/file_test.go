package clientsfile

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/strictjson"
)

// example is the file that users edit, from this folder.
const example = "../../infra/clients.yaml"

// changedText is the example after one change of its text.
func changedText(t *testing.T, old, new string) []byte {
	t.Helper()
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(text), old) == 0 {
		t.Fatalf("clients.yaml does not have %q", old)
	}
	return []byte(strings.Replace(string(text), old, new, 1))
}

func parseFile(text []byte) (File, error) {
	f, findings := Parse("clients.yaml", text)
	return f, findings.Err()
}

func TestTheExampleIsValid(t *testing.T) {
	t.Parallel()
	f, findings, err := Read(example)
	if err != nil || len(findings) > 0 {
		t.Fatal(err, findings)
	}
	if len(f.Clients) != 2 || f.Clients[0].Name != "orders-web" || f.Clients[0].Secret.ARN == "" ||
		!f.Clients[1].CreateSecret {
		t.Errorf("got %+v", f)
	}
	if f.Stack.Name != "alb-oidc-rotator" || *f.Stack.LogRetentionDays != 90 || f.Stack.ReserveConcurrency ||
		f.Stack.LogKey != "stack" {
		t.Errorf("the defaults are %+v", f.Stack)
	}
}

// Each commented setting is one that can be used as it stands, and no setting is missing.
func TestTheExampleShowsEverySettingAndAllIsValid(t *testing.T) {
	t.Parallel()
	text := string(changedText(t, "clients:", "clients:"))
	lines := strings.Split(text, "\n")
	setting := regexp.MustCompile(`^ *# [a-zA-Z]+:( |$)`)
	tried := 0
	for i, line := range lines {
		if !setting.MatchString(line) {
			continue
		}
		tried++
		used := slices.Clone(lines)
		used[i] = strings.Replace(line, "# ", "", 1)
		for j := i + 1; strings.HasPrefix(strings.TrimSpace(lines[j]), "#   "); j++ { // its lines
			used[j] = strings.Replace(lines[j], "# ", "", 1)
		}
		if _, err := parseFile([]byte(strings.Join(used, "\n"))); err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if tried < 15 {
		t.Errorf("only %d commented settings were found", tried)
	}
	for _, name := range fields(reflect.TypeFor[File]()) {
		if !regexp.MustCompile(`(?m)\b` + name + `:`).MatchString(text) {
			t.Errorf("clients.yaml does not show %s", name)
		}
	}
}

// fields are the names of all fields of a document.
func fields(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return fields(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" {
			names = append(append(names, name), fields(f.Type)...)
		}
	}
	return names
}

func TestEachWrongFieldIsNamedWithItsPath(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, old, new, want string }{
		{"not YAML", "stack:", "stack: [", "is not YAML"},
		{"a field given twice", "  region: eu-central-1", "  region: eu-central-1\n  region: eu-west-1",
			"stack.region: is given twice"},
		{"an unknown field", "  region:", "  regoin:", "stack.regoin: is not known; did you mean region?"},
		{"an unknown field of a client", "clientId: 0oaorders", "clientID: 0oaorders",
			"orders-web: clientID: is not known"},
		{"an account without quotes", `"111122223333"  `, `111122223333  `,
			`stack.account: must be the account's 12 digits, in quotes: "111122223333"`},
		{"a short account", `"111122223333"  `, `"1111"  `, "stack.account: must be the account's 12 digits"},
		{"a Region that is none", "region: eu-central-1", "region: Frankfurt", "stack.region: must be a Region"},
		{"a stack name with capitals", "# name: alb-oidc-rotator ", "name: Rotator #",
			"stack.name: must be 1 to 30 characters"},
		{"a stack name that Systems Manager keeps for itself", "# name: alb-oidc-rotator ", "name: aws-login #",
			"stack.name: must not begin with aws or ssm"},
		{"another one", "# name: alb-oidc-rotator ", "name: ssm1 #", "stack.name: must not begin with aws or ssm"},
		{"an e-mail address that is not ASCII", "platform-team@example.com", "plattform-ä@example.com",
			"stack.email[0]: must be an e-mail address"},
		{"a partial ARN that looks complete", "orders-web/client-secret-AbCdEf", "orders-web/client-secret",
			"orders-web: secret.arn: must end with the hyphen and six characters"},
		{"another one of a user", "orders-web/smoke-test-user-AbCdEf", "orders-web/smoke-config",
			"userSecretArn: must end with the hyphen and six characters"},
		{"an e-mail address without @", "platform-team@example.com", "platform-team",
			"stack.email[0]: must be an e-mail address"},
		{"a retention that CloudWatch does not have", "# logRetentionDays: 90", "logRetentionDays: 91",
			"stack.logRetentionDays: must be one of [1 3 5"},
		{"a log level", "# logLevel: info", "logLevel: loud", "stack.logLevel: must be debug, info, warn or error"},
		{"a boundary that is no policy", "# permissionsBoundary: arn:aws:iam::111122223333:policy/",
			"permissionsBoundary: arn:aws:iam::111122223333:role/", "stack.permissionsBoundary: must be the ARN"},
		{"a VPC without subnets", "# smokeTestVpc: ", "smokeTestVpc: {securityGroupIds: [sg-1]} #",
			"stack.smokeTestVpc.subnetIds: is missing"},
		{"a name in capitals", "name: orders-web", "name: Orders", "clients[0].name: must be 1 to 40 characters"},
		{"a name given twice", "name: shop-web", "name: orders-web", "orders-web: name: is given to two clients"},
		{"a name that differs in hyphens", "name: shop-web", "name: ordersweb",
			"ordersweb: name: is given to two clients, or differs from orders-web only in hyphens"},
		{"names that are too long together", "name: shop-web", "name: shop-web-with-a-name-that-is-very-long",
			"shop-web-with-a-name-that-is-very-long: name: must have, with the stack's name alb-oidc-rotator, at " +
				"most 50 characters"},
		{"an issuer without https", "issuer: https://", "issuer: http://",
			"orders-web: issuer: must begin with https://"},
		{"an unknown provider", "type: okta", "type: okat",
			"orders-web: identityProvider.type: must be one of auth0, authentik,"},
		{"a wrong setting of the provider", "orgUrl: https://example.okta.com", "orgUrl: example",
			"orders-web: identityProvider.settings.orgUrl: must be"},
		{"a Network Load Balancer", "loadbalancer/app/orders/50", "loadbalancer/net/orders/50",
			"orders-web: loadBalancers[0]: must be the ARN of an Application Load Balancer"},
		{"a search in a town", "    # loadBalancerSearch: ",
			"    loadBalancerSearch: {tags: {a: b}, regions: [Frankfurt]} #",
			"orders-web: loadBalancerSearch.regions[0]: must be a Region"},
		{"a secret in another account", "eu-central-1:111122223333:secret:orders-web/client",
			"eu-central-1:999922223333:secret:orders-web/client",
			"orders-web: secret.arn: is in account 999922223333, but the stack is in 111122223333"},
		{"a load balancer in another account", "eu-west-1:111122223333:loadbalancer",
			"eu-west-1:999922223333:loadbalancer", "orders-web: loadBalancers[1]: is in account 999922223333"},
		{"a secret that is created and given", "createSecret: true", "createSecret: true\n    secret: {arn: " +
			"\"arn:aws:secretsmanager:eu-central-1:111122223333:secret:x-AbCdEf\"}",
			"shop-web: secret.arn: must be left out: createSecret is true"},
		{"no secret", "createSecret: true", "createSecret: false",
			"shop-web: secret.arn: is missing: the ARN of the secret that holds the client secret, or " +
				"createSecret: true"},
		{"no schedule", "expression: rate(30 days)", "timeZone: UTC",
			"orders-web: schedule.expression: must be like rate(30 days)"},
		{"a rate of nothing", "rate(30 days)", "rate(0 days)", "orders-web: schedule.expression: must be"},
		{"a rate below a day", "rate(30 days)", "rate(12 hours)",
			"orders-web: schedule.expression: must be a day or more"},
		{"a rate within the grace period", "gracePeriodSeconds: 86400",
			"gracePeriodSeconds: 2592000", "orders-web: schedule.expression: starts rotations as close as 720 h, but " +
				"one can take 721.25 h (the grace period of 2592000 s"},
		{"a cron expression within the grace period", "cron(0 3 1 * ? *)\n", "cron(0 3 ? * MON-FRI *)\n",
			"shop-web: schedule.expression: starts rotations as close as 24 h, but one can take 25.25 h"},
		{"a cron expression with a field too few", "cron(0 3 1 * ? *)\n", "cron(0 3 1 * ?)\n",
			"shop-web: schedule.expression: must have 6 fields"},
		{"days of the month and of the week", "cron(0 3 1 * ? *)\n", "cron(0 3 1 * * *)\n",
			"shop-web: schedule.expression: must have ? as day of month or as day of week, and not as both"},
		{"neither days of the month nor of the week", "cron(0 3 1 * ? *)\n", "cron(0 3 ? * ? *)\n",
			"shop-web: schedule.expression: must have ? as day of month"},
		{"an hourly cron expression", "cron(0 3 1 * ? *)\n", "cron(0 * 1 * ? *)\n",
			`shop-web: schedule.expression: has the hours "*", which must be one number of 0 to 23: a rotation makes a version`},
		{"a cron expression of twice a day", "cron(0 3 1 * ? *)\n", "cron(0 3,15 1 * ? *)\n",
			`shop-web: schedule.expression: has the hours "3,15"`},
		{"a step of nothing", "cron(0 3 1 * ? *)\n", "cron(0 3 1/0 * ? *)\n",
			`shop-web: schedule.expression: has the day of month "1/0"`},
		{"steps of days of the week", "cron(0 3 1 * ? *)\n", "cron(0 3 ? * 2/2 *)\n",
			`shop-web: schedule.expression: has the day of week "2/2"`},
		{"years the wrong way round", "cron(0 3 1 * ? *)\n", "cron(0 3 1 * ? 2030-2027)\n",
			`shop-web: schedule.expression: has the years "2030-2027", which end before they begin`},
		{"a date that there is not", "cron(0 3 1 * ? *)\n", "cron(0 3 30 2 ? *)\n",
			"shop-web: schedule.expression: never starts"},
		{"years that are over", "cron(0 3 1 * ? *)\n", "cron(0 3 1 * ? 2020-2024)\n",
			"shop-web: schedule.expression: never starts"},
		{"minutes that are none", "cron(0 3 1 * ? *)\n", "cron(60 3 1 * ? *)\n",
			`shop-web: schedule.expression: has the minutes "60"`},
		{"a month that is none", "cron(0 3 1 * ? *)\n", "cron(0 3 1 MAI ? *)\n",
			`shop-web: schedule.expression: has the month "MAI"`},
		{"a secret without its suffix", "secret:orders-web/client-secret-AbCdEf", "secret:orders-web/client_secret",
			"orders-web: secret.arn: must end with the hyphen and six characters"},
		{"a user's secret without its suffix", "secret:orders-web/smoke-test-user-AbCdEf", "secret:orders-web/user",
			"orders-web: smokeTests.login[0].userSecretArn: must end with"},
		{"an admin secret without its suffix", "secret:okta/rotator-key-AbCdEf", "secret:okta/rotator",
			"orders-web: identityProvider.settings.serviceApp.keySecretArn: must end with"},
		{"a key that signs by an alias", "key/5c6d7e8f-1111-2222-3333-444455556666", "alias/okta",
			"shop-web: identityProvider.settings.serviceApp.keyArn: must be the ARN of the key itself"},
		{"a key that signs in another partition", "arn:aws:kms:eu-central-1:111122223333:key/5c", "arn:aws-cn:kms:cn-" +
			"north-1:111122223333:key/5c",
			"shop-web: identityProvider.settings.serviceApp.keyArn: is in partition aws-cn"},
		{"a key that signs and encrypts", "createSecret: true", "createSecret: true\n    kmsKeys: " +
			"[arn:aws:kms:eu-central-1:111122223333:key/5c6d7e8f-1111-2222-3333-444455556666]",
			"shop-web: identityProvider.settings.serviceApp.keyArn: is one of kmsKeys"},
		{"a key in KMS and a secret with a key", "keyId: rotator-2026", "keyId: rotator-2026\n          keyArn: " +
			"arn:aws:kms:eu-central-1:111122223333:key/5c6d7e8f-1111-2222-3333-444455556666",
			"orders-web: identityProvider.settings.serviceApp: needs exactly one of keyArn"},
		{"a key for the logs", "# logKey: none", "logKey: mine",
			"stack.logKey: must be stack, none or the ARN of a KMS key"},
		{"more than a parameter holds", "expectText: Your orders", "expectText: " + strings.Repeat("x", 8000),
			"bytes as JSON, and a parameter holds at most 8192"},
		{"a time zone", "timeZone: Europe/Berlin\n    max", "timeZone: Berlin\n    max",
			"shop-web: schedule.timeZone: is not a time zone"},
		{"the time zone of this machine", "timeZone: Europe/Berlin\n    max", "timeZone: Local\n    max",
			"shop-web: schedule.timeZone: is not a time zone"},
		{"a start that is far off and the only one",
			"expression: cron(0 3 1 * ? *)\n      timeZone: Europe/Berlin\n    maxSecretAgeDays: 35",
			"expression: cron(0 3 1 1 ? 2150)", "shop-web: maxSecretAgeDays: is missing"},
		{"a window", "# flexibleWindowMinutes: 15", "flexibleWindowMinutes: 1441",
			"orders-web: schedule.flexibleWindowMinutes: must be 0 to 1440, not 1441"},
		{"a cron that starts once, without an age",
			"expression: cron(0 3 1 * ? *)\n      timeZone: Europe/Berlin\n    maxSecretAgeDays: 35",
			"expression: cron(0 3 1 1 ? 2027)", "shop-web: maxSecretAgeDays: is missing"},
		{"evidence for no time", "  # evidence: {years: 7}", "  evidence: {years: 0}",
			"stack.evidence.years: must be 1 to 100, not 0"},
		{"an alarm on an end that is past", "    # alarms:\n    #   authErrors: 3", "    alarms: {secretEndsDays: 0}",
			"orders-web: alarms.secretEndsDays: must be 1 to 365, not 0"},
		{"an alarm on less than nothing", "    # alarms:\n    #   authErrors: 3", "    alarms: {authErrors: -1}",
			"orders-web: alarms.authErrors: must be 0 to 1000000, not -1"},
		{"a notification to nobody", "    # notifications:\n    #   email: [orders-team@example.com]",
			"    notifications: {email: [orders-team]}",
			"orders-web: notifications.email[0]: must be an e-mail address"},
		{"a notification by other means", "    # notifications:\n    #   email: [orders-team@example.com]",
			"    notifications: {sms: [\"+491\"]}", "orders-web: notifications.sms: is not known; allowed here: email"},
		{"a notification to who gets all", "    # notifications:\n    #   email: [orders-team@example.com]",
			"    notifications: {email: [Platform-team@example.com]}",
			"orders-web: notifications.email[0]: is in stack.email too"},
		{"a notification given twice", "    # notifications:\n    #   email: [orders-team@example.com]",
			"    notifications: {email: [a@example.com, a@example.com]}",
			"orders-web: notifications.email[1]: is given twice"},
		{"a key that is none", "# kmsKeys: ", "kmsKeys: [alias/orders] #",
			"orders-web: kmsKeys[0]: must be the ARN of a KMS key"},
	} {
		_, err := parseFile(changedText(t, tt.old, tt.new))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseFile([]byte("stack: {account: \"1\", region: x}\nclients: []\n"))
	if !failure.Is(err, failure.InvalidInput) || strings.Count(err.Error(), "\n") != 2 {
		t.Errorf("got %v", err)
	}
}

func TestTwoClientsCannotShareASecret(t *testing.T) {
	t.Parallel()
	_, err := parseFile(changedText(t, "createSecret: true",
		"secret:\n      arn: arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/client-secret-AbCdEf"))
	if err == nil || !strings.Contains(err.Error(), "shop-web: secret.arn: is the secret of orders-web too") {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressOfVeryManyClientsIsRefused(t *testing.T) {
	t.Parallel()
	f := File{Stack: Settings{}}
	for range maxPerAddress + 1 {
		f.Clients = append(f.Clients, Client{Notifications: Notifications{Email: []string{"team@example.com"}}})
	}
	var ps strictjson.Problems
	f.checkNotifications(&ps)
	if len(ps) != 1 || ps[0].Path != "clients[12].notifications.email[0]" || !strings.Contains(ps[0].Text,
		"put it into stack.email") {
		t.Errorf("got %v", ps)
	}
}

func TestMoreAddressesThanATopicFiltersAreRefused(t *testing.T) {
	t.Parallel()
	var c Client
	for i := range maxAddresses + 1 {
		c.Notifications.Email = append(c.Notifications.Email, fmt.Sprintf("a%d@example.com", i))
	}
	var ps strictjson.Problems
	(&File{Clients: []Client{c}}).checkNotifications(&ps)
	if len(ps) != 1 || !strings.Contains(ps[0].Text, "201 different addresses") {
		t.Errorf("got %v", ps)
	}
}

func TestMoreClientsThanATemplateHoldsAreRefused(t *testing.T) {
	t.Parallel()
	entry := "  - name: shop-web" + strings.SplitN(string(changedText(t, "clients:", "clients:")),
		"  - name: shop-web", 2)[1]
	text := string(changedText(t, "clients:", "clients:"))
	for i := range 37 {
		text += strings.Replace(entry, "shop-web", fmt.Sprintf("shop-web-%d", i), 1)
	}
	_, err := parseFile([]byte(text))
	if err == nil || !strings.Contains(err.Error(),
		fmt.Sprintf("clients: has 39 clients, at most %d fit into one stack", MaxClients)) {
		t.Errorf("got %v", err)
	}
}

func TestCronExpressionsThatEventBridgeTakes(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"cron(0 3 1 * ? *)", "cron(15 10 ? * MON-FRI *)", "cron(0 3 ? * 6L *)",
		"cron(0 3 ? JAN,JUL 2#1 *)", "cron(59 23 LW 1/3 ? 2027-2030)",
		"cron(5 03 1,15 * ? *)", "cron(0 0 15W */2 ? *)", "cron(0 3 * * ? *)", "cron(0 3 ? * L *)"} {
		if problem := cron.Problem(expression); problem != "" {
			t.Errorf("%s %s", expression, problem)
		}
	}
}

func TestTheTimeBetweenTwoStartsIsKnown(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for expression, want := range map[string][2]time.Duration{
		"rate(36 hours)":               {36 * time.Hour, 36 * time.Hour},
		"cron(0 3 * * ? *)":            {day, day},
		"cron(0 3 1 * ? *)":            {28 * day, 31 * day},
		"cron(0 3 31 * ? *)":           {31 * day, 61 * day}, // July and August; March and May
		"cron(0 3 1/10 * ? *)":         {day, 10 * day},      // the 31st, and the 1st
		"cron(0 3 1-7,20 FEB-DEC ? *)": {day, 43 * day},      // from December 20th to February 1st
		"cron(0 3 ? * MON *)":          {7 * day, 7 * day},
		"cron(0 3 ? * MON-FRI *)":      {day, 3 * day},
		"cron(0 3 ? * FRI-SUN *)":      {day, 5 * day},
		"cron(0 3 ? * SAT-MON *)":      {day, 5 * day}, // it goes round
		"cron(0 3 ? * L *)":            {7 * day, 7 * day},
		"cron(0 3 ? * 6L *)":           {28 * day, 35 * day},
		"cron(0 3 ? * 2#1 *)":          {28 * day, 35 * day},
		"cron(0 3 ? JAN,JUL 2#5 *)":    {182 * day, 1281 * day},
		"cron(0 3 L * ? *)":            {28 * day, 31 * day},
		"cron(0 3 LW * ? *)":           {28 * day, 33 * day},
		"cron(0 3 1W * ? *)":           {28 * day, 33 * day},
		"cron(0 3 29 2 ? *)":           {1461 * day, 1461 * day},
		"cron(0 3 1 1 ? 2027)":         {},
		"cron(0 3 1 1 ? 2027/3)":       {1095 * day, 1096 * day},
		"cron(0 3 1 1 ? 2100-2199)":    {365 * day, 366 * day}, // far off, but not never
		"cron(0 3 1 1 ? 2030,2130)":    {36524 * day, 36524 * day},
		"cron(0 3 1 * *)":              {},
		"rate(0 days)":                 {},
	} {
		if _, shortest, longest := (Schedule{Expression: expression}).Gaps(); shortest != want[0] ||
			longest != want[1] {
			t.Errorf("%s: %g to %g days, want %g to %g", expression, shortest.Hours()/24, longest.Hours()/24,
				want[0].Hours()/24, want[1].Hours()/24)
		}
	}
}

func TestAClockChangeCountsBetweenTwoStarts(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for expression, want := range map[string][2]time.Duration{
		"cron(0 4 * * ? *)":     {23 * time.Hour, 25 * time.Hour},
		"cron(30 2 ? * 1L *)":   {28 * day, 63*day - time.Hour}, // in March that hour is left out
		"cron(30 2 ? 3 1L *)":   {},                             // and so it never starts
		"cron(30 2 ? 3,4 1L *)": {364 * day, 371 * day},
	} {
		if _, shortest, longest := (Schedule{Expression: expression,
			TimeZone: "Europe/Berlin"}).Gaps(); shortest != want[0] || longest != want[1] {
			t.Errorf("%s: %s to %s, want %s to %s", expression, shortest, longest, want[0], want[1])
		}
	}
}

// A secret that ends by itself must outlive the alarm on its age.
func TestASecretMustNotEndBeforeSomebodyIsWarned(t *testing.T) {
	t.Parallel()
	of := func(settings, expression string, maxAge *int) string {
		c := Client{Schedule: Schedule{Expression: expression}, MaxSecretAgeDays: maxAge}
		c.IdentityProvider.Type, c.IdentityProvider.Settings = "entra", []byte(settings)
		var ps strictjson.Problems
		c.checkLifetime(&ps, "clients[0]")
		if len(ps) == 0 {
			return ""
		}
		return ps[0].Path + ": " + ps[0].Text
	}
	days := func(n int) *int { return &n }
	for _, tt := range []struct {
		name, settings, expression string
		maxAge                     *int
		want                       string
	}{
		{"the default lives long enough for a month", `{}`, "rate(30 days)", nil, ""},
		{"and exactly for this", `{"secretLifetimeDays": 40}`, "rate(30 days)", nil, ""}, // 30 + 1 + 2 + 7
		{"a day less", `{"secretLifetimeDays": 39}`, "rate(30 days)", nil, "must be 40 or more"},
		{"the default is too short for half a year", `{}`, "rate(180 days)", nil,
			"is 180, but an alarm rings only when a secret is 183 days old (maxSecretAgeDays): must be 190 or more"},
		{"with cron it is the age that raises an alarm", `{"secretLifetimeDays": 41}`, "cron(0 3 1 * ? *)", days(35),
			"must be 42 or more"},
		// 31 + 1 + 2 + 7
		{"or what the cron expression says", `{"secretLifetimeDays": 40}`, "cron(0 3 1 * ? *)", nil,
			"must be 41 or more"},
	} {
		got := of(tt.settings, tt.expression, tt.maxAge)
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) || got != "" && !strings.HasPrefix(got,
			"clients[0].identityProvider.settings.secretLifetimeDays: ") {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// Many clients of one tenant do not start in one quarter of an hour.
func TestSchedulesOfOneRateAreSpread(t *testing.T) {
	t.Parallel()
	number := func(n int) *int { return &n }
	of := func(n int, expression, tenant string, window *int) (list []Client) {
		for range n {
			c := Client{Client: config.Client{GracePeriodSeconds: number(3600)},
				Schedule: Schedule{Expression: expression, FlexibleWindowMinutes: window}}
			c.IdentityProvider.Settings = []byte(`{"orgUrl": "https://` + tenant + `"}`)
			list = append(list, c)
		}
		return list
	}
	for _, c := range []struct {
		clients []Client
		want    int
	}{
		{of(10, "rate(30 days)", "a", nil), 15},
		{of(11, "rate(30 days)", "a", nil), 30},
		{of(500, "rate(30 days)", "a", nil), 750},
		{of(2000, "rate(30 days)", "a", nil), 1440},
		{of(2000, "rate(1 day)", "a", nil), 22 * 60}, // a rotation takes two hours
		{append(of(10, "rate(30 days)", "a", nil), of(10, "rate(30 days)", "b", nil)...), 15},
		{append(of(10, "rate(30 days)", "a", nil), of(10, "rate(31 days)", "a", nil)...), 15},
		{of(500, "rate(30 days)", "a", number(5)), 5},
		{of(500, "cron(0 3 1 * ? *)", "a", nil), 15},
	} {
		f := File{Clients: c.clients}
		f.stagger()
		for _, got := range f.Clients {
			if got.Schedule.Window() != c.want {
				t.Errorf("%d clients of %s: %d minutes, want %d", len(f.Clients), got.Schedule.Expression,
					got.Schedule.Window(), c.want)
				break
			}
		}
	}
}
