package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/goccy/go-yaml"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/strictjson"
	"alboidc.internal/statemachine"
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
	// RunbookURL is where people find docs/runbook.md: messages and alarms link to entries of it. Default: its name.
	RunbookURL string `json:"runbookUrl,omitempty"`
	// LogRetentionDays is one of the numbers that CloudWatch Logs allows; default 90.
	LogRetentionDays *int `json:"logRetentionDays,omitempty"`
	// LogLevel of the functions: debug, info (default), warn or error.
	LogLevel string `json:"logLevel,omitempty"`
	// PermissionsBoundary is the ARN of a policy that caps every role, where the account demands one.
	PermissionsBoundary string `json:"permissionsBoundary,omitempty"`
	// SmokeTestVPC puts the smoke tests into a VPC, for internal load balancers.
	SmokeTestVPC *VPC `json:"smokeTestVpc,omitempty"`
	// LogKey encrypts the log groups: stack (default) is the stack's key, none is CloudWatch's own encryption, and the
	// ARN of a key of yours must let CloudWatch Logs use it.
	LogKey string `json:"logKey,omitempty"`
	// ReserveConcurrency keeps capacity for the functions that undo a rotation, whatever else runs in the account. Off
	// by default, since Lambda keeps 100 unreserved: a deployment fails where the account's limit is lower than that
	// and what is reserved.
	ReserveConcurrency bool `json:"reserveConcurrency,omitempty"`
}

// What LogKey can be besides an ARN.
const (
	logKeyOfStack = "stack"
	logKeyNone    = "none"
)

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
	// KMSKeys are the ARNs of the customer managed keys that encrypt the client's secrets. The first also encrypts the
	// secret that the stack creates.
	KMSKeys  []string `json:"kmsKeys,omitempty"`
	Schedule Schedule `json:"schedule"`
	// MaxSecretAgeDays is when an old secret raises an alarm; default the longest time between two starts + the grace
	// period + 2 days.
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
	s.LogKey = or(s.LogKey, logKeyOfStack)
	s.RunbookURL = or(s.RunbookURL, statemachine.DefaultRunbook)
	if s.LogRetentionDays == nil {
		days := 90
		s.LogRetentionDays = &days
	}
}

// window is FlexibleWindowMinutes or its default.
func (s Schedule) window() int {
	if s.FlexibleWindowMinutes == nil {
		return 15
	}
	return *s.FlexibleWindowMinutes
}

// secretName is the name of a secret that the stack creates. It does not end with a hyphen and six characters, or its
// partial ARN would look like a complete one (Secrets Manager user guide, "What's in a secret?").
func (c Client) secretName(s Settings) string { return s.Name + "/" + c.Name + "/oidc" }

// placeholder is an ARN of the right form for a secret that does not exist yet.
func (c Client) placeholder(s Settings) string {
	return fmt.Sprintf("arn:aws:secretsmanager:%s:%s:secret:%s-000000", s.Region, s.Account, c.secretName(s))
}

// ascii is a JSON text with every other character escaped: in a template CloudFormation turns those into question marks
// when it is read (CloudFormation API reference, GetTemplate and the user guide's "Template format").
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}

// document is the client's configuration as the state machine reads it, with the secret's ARN as known to the template.
func (c Client) document(secretARN string) (string, error) {
	cfg := c.Client
	cfg.Secret.ARN = secretARN
	text, err := json.Marshal(cfg)
	return ascii(string(text)), err
}
