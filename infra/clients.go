package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/strictjson"
)

// File is clients.yaml: what the user edits.
type File struct {
	Stack   Settings `json:"stack"`
	Clients []Client `json:"clients"`
}

// Settings are for the whole stack.
type Settings struct {
	// Account and Region are where the stack goes: a deployment with other credentials fails.
	Account string `json:"account"`
	Region  string `json:"region"`
	// Name of the stack and prefix of what is in it; default alb-oidc-rotator.
	Name string `json:"name,omitempty"`
	// Email addresses get every notification and alarm, once they have confirmed the subscription.
	Email []string `json:"email,omitempty"`
	// LogRetentionDays is one of the numbers that CloudWatch Logs allows; default 90.
	LogRetentionDays *int `json:"logRetentionDays,omitempty"`
	// LogLevel of the functions: debug, info (default), warn or error.
	LogLevel string `json:"logLevel,omitempty"`
	// PermissionsBoundary is the ARN of a policy that caps every role, where the account demands one.
	PermissionsBoundary string `json:"permissionsBoundary,omitempty"`
	// SmokeTestVPC puts the smoke tests into a VPC, for internal load balancers.
	SmokeTestVPC *VPC `json:"smokeTestVpc,omitempty"`
	// ReserveConcurrency keeps capacity for the functions that undo a rotation, whatever else runs in the account;
	// default true. An account whose limit is below 130 cannot reserve: Lambda keeps 100 unreserved.
	ReserveConcurrency *bool `json:"reserveConcurrency,omitempty"`
}

// VPC is where the smoke tests run. They need a way to the identity provider and to the AWS APIs from there.
type VPC struct {
	SubnetIDs        []string `json:"subnetIds"`
	SecurityGroupIDs []string `json:"securityGroupIds"`
}

// Client is one client: its configuration as the state machine reads it, and how it is deployed.
type Client struct {
	config.Client
	// CreateSecret: the stack creates the secret, and keeps it when the client is removed; secret.arn is left out then.
	CreateSecret bool `json:"createSecret,omitempty"`
	// KMSKeys are the ARNs of the customer managed keys that encrypt the client's secrets.
	KMSKeys  []string `json:"kmsKeys,omitempty"`
	Schedule Schedule `json:"schedule"`
	// MaxSecretAgeDays is when an old secret raises an alarm; default the schedule's rate + the grace period + 2 days.
	MaxSecretAgeDays *int          `json:"maxSecretAgeDays,omitempty"`
	Alarms           Alarms        `json:"alarms,omitzero"`
	Notifications    Notifications `json:"notifications,omitzero"`
}

// Notifications is who hears of one client only. Settings.Email hears of all.
type Notifications struct {
	// Email addresses get what is about this client, once they have confirmed the subscription.
	Email []string `json:"email,omitempty"`
}

// Schedule is when a client is rotated.
type Schedule struct {
	// Expression is rate(…) or cron(…) (EventBridge Scheduler user guide, "Schedule types").
	Expression string `json:"expression"`
	// TimeZone of a cron expression, e.g. Europe/Berlin; default UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// FlexibleWindowMinutes spreads the start; 0 to 1440, default 15.
	FlexibleWindowMinutes *int `json:"flexibleWindowMinutes,omitempty"`
	// Paused keeps the schedule without rotating.
	Paused bool `json:"paused,omitempty"`
}

var (
	accountPattern  = regexp.MustCompile(`^\d{12}$`)
	regionPattern   = regexp.MustCompile(`^[a-z]{2}(-[a-z]+)+-\d$`)
	stackPattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)
	emailPattern    = regexp.MustCompile(`^[^@\s]+@[^@\s]+$`)
	keyPattern      = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+$`)
	boundaryPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$`)
	cronPattern     = regexp.MustCompile(`^cron\(\S+( \S+){5}\)$`)
	ratePattern     = regexp.MustCompile(`^rate\((\d+) (minute|hour|day)s?\)$`)
	subnetPattern   = regexp.MustCompile(`^subnet-[0-9a-f]+$`)
	groupPattern    = regexp.MustCompile(`^sg-[0-9a-f]+$`)
)

func readFile(path string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	file, err := parseFile(text)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// parseFile reads and checks clients.yaml. Every problem is reported with the path of its field.
func parseFile(text []byte) (File, error) {
	var f File
	document, err := yaml.YAMLToJSON(text)
	if err != nil {
		return File{}, errors.New("is not YAML: " + yaml.FormatError(err, false, true))
	}
	ps := strictjson.Decode(document, &f, "")
	if len(ps) == 0 {
		f.Stack.defaults()
		f.check(&ps)
	}
	return f, ps.Err("the file")
}

func (s *Settings) defaults() {
	s.Name = or(s.Name, "alb-oidc-rotator")
	s.LogLevel = or(s.LogLevel, "info")
	if s.LogRetentionDays == nil {
		days := 90
		s.LogRetentionDays = &days
	}
	if s.ReserveConcurrency == nil {
		yes := true
		s.ReserveConcurrency = &yes
	}
}

// maxNames is how long the names of the stack and of a client are together: a rule of EventBridge is named after both, and
// its name has at most 64 characters (API reference, PutRule).
const maxNames = 64 - len("-listeners--99")

// maxClients: each makes 10 to 12 resources, and more with many load balancers; a template has at most 500 (CloudFormation user
// guide, "Quotas"), and some 70 are there without any client.
const maxClients = 35

func (f *File) check(ps *strictjson.Problems) {
	f.Stack.check(ps)
	if len(f.Clients) == 0 {
		ps.Add("clients", "is missing: the clients to rotate")
	}
	if len(f.Clients) > maxClients {
		ps.Add("clients", "has %d clients, at most %d fit into one stack: put the others into another file with another stack.name", len(f.Clients), maxClients)
	}
	names, secrets := map[string]string{}, map[string]string{}
	for i := range f.Clients {
		c := &f.Clients[i]
		path := fmt.Sprintf("clients[%d]", i)
		c.check(ps, path, f.Stack)
		plain := strings.ReplaceAll(c.Name, "-", "") // names of resources inside a template have no hyphens
		if other := names[plain]; other != "" {
			ps.Add(path+".name", "is given to two clients, or differs from %s only in hyphens", other)
		}
		if len(f.Stack.Name)+len(c.Name) > maxNames {
			ps.Add(path+".name", "must have, with the stack's name %s, at most %d characters", f.Stack.Name, maxNames)
		}
		if other := secrets[c.Secret.ARN]; other != "" {
			ps.Add(path+".secret.arn", "is the secret of %s too; each client has its own", other)
		}
		names[plain], secrets[c.Secret.ARN] = c.Name, c.Name
	}
	f.checkNotifications(ps)
}

// maxPerAddress is how many clients may notify the same address: its filter has the values of two fields, and their
// product may be at most 150 (SNS developer guide, "Filter policy constraints").
const maxPerAddress = 12

// maxAddresses: a topic has at most 200 filters (SNS developer guide, "Filter policy constraints").
const maxAddresses = 200

// checkNotifications: a topic knows an address once, with one filter or none.
func (f *File) checkNotifications(ps *strictjson.Problems) {
	clients := map[string]int{}
	for i, c := range f.Clients {
		for j, address := range c.Notifications.Email {
			path := fmt.Sprintf("clients[%d].notifications.email[%d]", i, j)
			match(ps, path, address, emailPattern, "must be an e-mail address")
			same := func(other string) bool { return strings.EqualFold(other, address) }
			switch {
			case slices.ContainsFunc(f.Stack.Email, same):
				ps.Add(path, "is in stack.email too, which gets the notifications of every client")
			case slices.ContainsFunc(c.Notifications.Email[:j], same):
				ps.Add(path, "is given twice")
			}
			clients[address]++
			if clients[address] == maxPerAddress+1 {
				ps.Add(path, "is the address of more than %d clients: put it into stack.email", maxPerAddress)
			}
		}
	}
	if len(clients) > maxAddresses {
		ps.Add("clients", "have %d different addresses in notifications.email, at most %d are possible", len(clients), maxAddresses)
	}
}

func (s Settings) check(ps *strictjson.Problems) {
	match(ps, "stack.account", s.Account, accountPattern, "must be the account's 12 digits, in quotes")
	match(ps, "stack.region", s.Region, regionPattern, "must be a Region, e.g. eu-central-1")
	match(ps, "stack.name", s.Name, stackPattern, "must be 1 to 30 characters of a-z, 0-9 and hyphens, and begin with a letter")
	for i, e := range s.Email {
		match(ps, fmt.Sprintf("stack.email[%d]", i), e, emailPattern, "must be an e-mail address")
	}
	if _, ok := retentions[*s.LogRetentionDays]; !ok {
		ps.Add("stack.logRetentionDays", "must be one of %v", slices.Sorted(maps.Keys(retentions)))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		ps.Add("stack.logLevel", "must be debug, info, warn or error")
	}
	if s.PermissionsBoundary != "" {
		match(ps, "stack.permissionsBoundary", s.PermissionsBoundary, boundaryPattern, "must be the ARN of an IAM policy")
	}
	if v := s.SmokeTestVPC; v != nil {
		matchAll(ps, "stack.smokeTestVpc.subnetIds", v.SubnetIDs, subnetPattern, "must be a subnet's id")
		matchAll(ps, "stack.smokeTestVpc.securityGroupIds", v.SecurityGroupIDs, groupPattern, "must be a security group's id")
	}
}

func (c *Client) check(ps *strictjson.Problems, path string, s Settings) {
	if c.CreateSecret {
		if c.Secret.ARN != "" {
			ps.Add(path+".secret.arn", "must be left out: createSecret is true")
		}
		c.Secret.ARN = c.placeholder(s)
	}
	for _, p := range c.Problems() {
		ps.Add(strictjson.Join(path, p.Path), "%s", p.Text)
	}
	if err := registry.Check(c.IdentityProvider.Type, c.IdentityProvider.Settings); err != nil {
		ps.Add(path, "%s", strings.TrimPrefix(err.Error(), "the client configuration is not valid: "))
	}
	for i, k := range c.KMSKeys {
		match(ps, fmt.Sprintf("%s.kmsKeys[%d]", path, i), k, keyPattern, "must be the ARN of a KMS key")
	}
	c.checkAccount(ps, path, s.Account)
	c.checkSchedule(ps, path)
	c.Alarms.check(ps, path+".alarms")
}

// checkAccount: the roles of the stack reach nothing in other accounts.
func (c *Client) checkAccount(ps *strictjson.Problems, path, account string) {
	one := func(field, arn string) {
		if parts := strings.Split(arn, ":"); len(parts) > 4 && accountPattern.MatchString(account) && parts[4] != account {
			ps.Add(path+"."+field, "is in account %s, but the stack is in %s", parts[4], account)
		}
	}
	one("secret.arn", c.Secret.ARN)
	for i, arn := range c.LoadBalancers {
		one(fmt.Sprintf("loadBalancers[%d]", i), arn)
	}
	for i, t := range c.SmokeTests.Login {
		one(fmt.Sprintf("smokeTests.login[%d].userSecretArn", i), t.UserSecretARN)
	}
}

func (c *Client) checkSchedule(ps *strictjson.Problems, path string) {
	rate, interval := c.Schedule.rate()
	if !rate && !cronPattern.MatchString(c.Schedule.Expression) {
		ps.Add(path+".schedule.expression", "must be like rate(30 days) or cron(0 3 1 * ? *)")
	}
	if rate && interval < 24*time.Hour {
		ps.Add(path+".schedule.expression", "must be a day or more: each rotation makes a version, and Secrets Manager keeps them for 24 hours")
	}
	if rate && interval <= time.Duration(c.GracePeriod())*time.Second {
		ps.Add(path+".schedule.expression", "must be longer than the grace period of %d s: a rotation ends only after it", c.GracePeriod())
	}
	if _, err := time.LoadLocation(c.Schedule.TimeZone); err != nil {
		ps.Add(path+".schedule.timeZone", "is not a time zone, e.g. Europe/Berlin")
	}
	if w := c.Schedule.FlexibleWindowMinutes; w != nil && (*w < 0 || *w > 1440) {
		ps.Add(path+".schedule.flexibleWindowMinutes", "must be 0 to 1440, not %d", *w)
	}
	switch d := c.MaxSecretAgeDays; {
	case d == nil && !rate:
		ps.Add(path+".maxSecretAgeDays", "is missing: with a cron expression, the age in days that raises an alarm")
	case d != nil && *d < 1:
		ps.Add(path+".maxSecretAgeDays", "must be 1 or more, not %d", *d)
	}
}

// rate is the interval of a rate expression.
func (s Schedule) rate() (ok bool, interval time.Duration) {
	m := ratePattern.FindStringSubmatch(s.Expression)
	if m == nil {
		return false, 0
	}
	n, err := strconv.Atoi(m[1])
	unit := map[string]time.Duration{"minute": time.Minute, "hour": time.Hour, "day": 24 * time.Hour}[m[2]]
	return err == nil && n > 0 && n < 1_000_000, time.Duration(n) * unit
}

// maxAge is the age of a secret that raises an alarm.
func (c Client) maxAge() time.Duration {
	if c.MaxSecretAgeDays != nil {
		return time.Duration(*c.MaxSecretAgeDays) * 24 * time.Hour
	}
	_, interval := c.Schedule.rate()
	return interval + time.Duration(c.GracePeriod())*time.Second + 48*time.Hour
}

// window is FlexibleWindowMinutes or its default.
func (s Schedule) window() int {
	if s.FlexibleWindowMinutes == nil {
		return 15
	}
	return *s.FlexibleWindowMinutes
}

// secretName is the name of a secret that the stack creates.
func (c Client) secretName(s Settings) string { return s.Name + "/" + c.Name + "/client-secret" }

// placeholder is an ARN of the right form for a secret that does not exist yet.
func (c Client) placeholder(s Settings) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-000000", s.Region, s.Account, c.secretName(s))
}

// document is the client's configuration as the state machine reads it, with the secret's ARN as known to the template.
func (c Client) document(secretARN string) (string, error) {
	cfg := c.Client
	cfg.Secret.ARN = secretARN
	text, err := json.Marshal(cfg)
	return string(text), err
}

func match(ps *strictjson.Problems, path, s string, pattern *regexp.Regexp, text string) {
	if !pattern.MatchString(s) {
		ps.Add(path, "%s", text)
	}
}

func matchAll(ps *strictjson.Problems, path string, list []string, pattern *regexp.Regexp, text string) {
	if len(list) == 0 {
		ps.Add(path, "is missing")
	}
	for i, s := range list {
		match(ps, fmt.Sprintf("%s[%d]", path, i), s, pattern, text)
	}
}
