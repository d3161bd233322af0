// Package clientsfile reads clients.yaml: the clients to rotate, and how they are deployed. It finds everything that is
// to be mended in the file, each thing with its line, without building anything.
package clientsfile

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/region"
)

// File is clients.yaml: what the user edits.
type File struct {
	Stack Settings `json:"stack"`
	// Defaults are what clients share: each client is put over them, objects member by member.
	Defaults Client `json:"defaults,omitzero"`
	// Roles reach load balancers in other accounts. A client has those that its load balancers and its search name.
	Roles   map[string]config.Role `json:"roles,omitempty"`
	Clients []Client               `json:"clients"`
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
	// RunbookURL is where people find docs/runbook.md: messages and alarms link to entries of it.
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
	// Evidence is how records of executions are kept for auditors.
	Evidence Evidence `json:"evidence,omitzero"`
	// Tags of the stack and of everything in it that can have any.
	Tags map[string]string `json:"tags,omitempty"`
}

// Evidence is how records of executions are kept for auditors.
type Evidence struct {
	// Years is for how many years a record is kept, counted from its execution's end; default 7. A change counts for
	// records that are written after it.
	Years *int `json:"years,omitempty"`
}

// Keep is Years or its default.
func (e Evidence) Keep() int { return value(e.Years, 7) }

// What LogKey can be besides an ARN.
const (
	LogKeyOfStack = "stack"
	LogKeyNone    = "none"
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

// Alarms are the settings of a client's alarms.
type Alarms struct {
	// AuthErrors is how many ELBAuthError a load balancer of the client may have in five minutes; default 3. More in
	// two of three such periods raise the alarm.
	AuthErrors *int `json:"authErrors,omitempty"`
	// SecretEndsDays is how many days before the identity provider ends the secret in use by itself the alarm rings;
	// default 7. For providers that say when.
	SecretEndsDays *int `json:"secretEndsDays,omitempty"`
}

// EndsDays is SecretEndsDays or its default.
func (a Alarms) EndsDays() int { return value(a.SecretEndsDays, 7) }

// Errors is AuthErrors or its default.
func (a Alarms) Errors() int { return value(a.AuthErrors, 3) }

func value(n *int, def int) int {
	if n == nil {
		return def
	}
	return *n
}

// Schedule is when a client is rotated.
type Schedule struct {
	// Expression is rate(…) or cron(…) (EventBridge Scheduler user guide, "Schedule types").
	Expression string `json:"expression"`
	// TimeZone of a cron expression, e.g. Europe/Berlin; default UTC.
	TimeZone string `json:"timeZone,omitempty"`
	// FlexibleWindowMinutes spreads the start; 0 to 1440, default 15, or more where many clients of one tenant have one
	// rate.
	FlexibleWindowMinutes *int `json:"flexibleWindowMinutes,omitempty"`
	// Paused keeps the schedule without rotating.
	Paused bool `json:"paused,omitempty"`
}

func (s *Settings) defaults() {
	s.Name = or(s.Name, "alb-oidc-rotator")
	s.LogLevel = or(s.LogLevel, "info")
	s.LogKey = or(s.LogKey, LogKeyOfStack)
	if s.LogRetentionDays == nil {
		days := 90
		s.LogRetentionDays = &days
	}
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// Window is FlexibleWindowMinutes or its default.
func (s Schedule) Window() int { return value(s.FlexibleWindowMinutes, 15) }

// SecretName is the name of a secret that the stack creates. It does not end with a hyphen and six characters, or its
// partial ARN would look like a complete one (Secrets Manager user guide, "What's in a secret?").
func (c Client) SecretName(s Settings) string { return s.Name + "/" + c.Name + "/oidc" }

// placeholder is an ARN of the right form for a secret that does not exist yet.
func (c Client) placeholder(s Settings) string {
	return fmt.Sprintf("arn:%s:secretsmanager:%s:%s:secret:%s-000000", region.PartitionOf(s.Region).ID,
		or(s.Region, "eu-central-1"), or(s.Account, "000000000000"), c.SecretName(s))
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

// Document is the client's configuration as the state machine reads it, with the secret's ARN as known to the template.
func (c Client) Document(secretARN string) (string, error) {
	cfg := c.Client
	cfg.Secret.ARN = secretARN
	text, err := json.Marshal(cfg)
	return ascii(string(text)), err
}
