package clientsfile

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"alboidc.internal/shared/cron"
	"alboidc.internal/shared/strictjson"
)

// Parameter is one of the released template, which deploys one client each.
type Parameter struct {
	Name, Description string
	Value             string // for a client
	Default           string // of the template, "" if there is none
	Number            bool
	Optional          bool // may be empty: what it is for is then not deployed
}

// Names of parameters that the template's builder treats in a way of their own.
const (
	ParameterBucket   = "AssetsBucket"
	ParameterPrefix   = "AssetsPrefix"
	ParameterBalancer = "LoadBalancer" // followed by its number, from 1
	ParameterBoundary = "PermissionsBoundary"
	ParameterEnds     = "SecretEndsSeconds"
	ParameterPool     = "UserPoolId"
	ParameterAudience = "WebIdentityAudience"
	ParameterFunction = "ProviderFunctionArn"
	ParameterWindow   = "FlexibleWindowMinutes"
)

// How many the template has room for. A parameter may be empty, but a template cannot count.
const (
	MaxBalancers    = 6
	MaxAdminSecrets = 2
	MaxSigningKeys  = 1
	MaxTestUsers    = 4
	MaxKeys         = 3
	MaxEmails       = 4
)

// maxParameter is how long the value of a parameter may be in bytes (CloudFormation user guide, "Quotas").
const maxParameter = 4096

// Parameters returns those with which the released template deploys a client of the file. The roles that it makes are
// as narrow as those of the CDK app, so what they name has parameters of its own.
func (f File) Parameters(c Client) ([]Parameter, error) {
	var ps strictjson.Problems
	f.checkReleased(&ps, c)
	document, err := c.Document(c.Secret.ARN)
	if err != nil {
		return nil, err
	}
	if len(document) > maxParameter {
		ps.Add(c.Name, "has a configuration of %d bytes, and a parameter holds %d: deploy it with the CDK app",
			len(document), maxParameter)
	}
	state := "ENABLED"
	if c.Schedule.Paused {
		state = "DISABLED"
	}
	ends := ""
	if c.TellsEnd() {
		ends = strconv.Itoa(c.Alarms.EndsDays() * 86400)
	}
	list := []Parameter{
		{Name: "ClientName", Value: c.Name, Description: "The client's name, in executions, logs, metrics and alarms"},
		{Name: "Configuration", Value: document, Description: "The client's configuration as JSON: " +
			"docs/client-configuration.md (rotator parameters writes it)"},
		{Name: "SecretArn", Value: c.Secret.ARN, Description: "The secret whose AWSCURRENT the load balancers use"},
		{Name: "ScheduleExpression", Value: cron.Canonical(c.Schedule.Expression),
			Description: "When it rotates; a rate starts at once, cron(...) does not"},
		{Name: "ScheduleTimeZone", Value: or(c.Schedule.TimeZone, "UTC"), Default: "UTC",
			Description: "Time zone of a cron expression"},
		{Name: "ScheduleState", Value: state, Default: "ENABLED", Description: "ENABLED, or DISABLED to pause it"},
		{Name: ParameterWindow, Value: strconv.Itoa(c.Schedule.Window()), Default: "15", Number: true,
			Description: "How far a start may be spread; 0 is not at all"},
		{Name: "MaxSecretAgeSeconds", Value: seconds(c.MaxAge().Seconds()), Number: true,
			Description: "The age of the secret that raises an alarm"},
		{Name: "LongRotationSeconds", Value: seconds(c.LongRotation().Seconds()), Number: true,
			Description: "How long a rotation may be open before an alarm: the grace period and four hours"},
		{Name: "AuthErrors", Value: strconv.Itoa(c.Alarms.Errors()), Default: "3", Number: true,
			Description: "How many failed logins a load balancer may have in five minutes without an alarm"},
		{Name: ParameterEnds, Value: ends, Optional: true,
			Description: "How long before the provider ends the secret " +
				"by itself an alarm rings; empty where it does not say (entra, keycloak and pingone do)"},
		{Name: ParameterPool, Value: c.UserPoolID(), Optional: true, Description: "For cognito: the user pool"},
		{Name: ParameterFunction, Value: c.FunctionARN(), Optional: true, Description: "For lambda: the ARN of the " +
			"function, with its alias"},
		{Name: ParameterAudience, Value: c.Audience(), Optional: true, Description: "For settings.webIdentity: the " +
			"audience of the tokens"},
		{Name: "LogRetentionDays", Value: strconv.Itoa(value(f.Stack.LogRetentionDays, 90)), Default: "90",
			Number:      true,
			Description: "How long logs are kept"},
		{Name: "RunbookUrl", Value: f.Stack.RunbookURL, Description: "What messages and alarms link to"},
		{Name: ParameterBoundary, Value: f.Stack.PermissionsBoundary, Optional: true, Description: "ARN of a policy " +
			"that caps every role"},
	}
	slots := func(name string, n int, values []string, description string) {
		values = unique(values)
		if len(values) > n {
			ps.Add(c.Name, "has %d values of %s, and the released template has room for %d: deploy it with the CDK app",
				len(values), name, n)
		}
		values = append(values, make([]string, n)...)
		for i, v := range values[:n] {
			list = append(list, Parameter{Name: name + strconv.Itoa(i+1), Value: v, Optional: true,
				Description: description})
		}
	}
	slots(ParameterBalancer, MaxBalancers, c.LoadBalancers, "ARN of a load balancer that uses the client")
	slots("AdminSecret", MaxAdminSecrets, c.AdminSecrets(), "ARN of a secret that the provider's settings name")
	slots("SigningKey", MaxSigningKeys, c.SigningKeyARNs(),
		"ARN of the KMS key that the provider's settings name, keyArn")
	slots("TestUser", MaxTestUsers, c.UserSecrets(), "ARN of the secret of a synthetic user")
	slots("KmsKey", MaxKeys, c.KMSKeys, "ARN of a customer managed key of these secrets")
	slots("Email", MaxEmails, slices.Concat(f.Stack.Email, c.Notifications.Email), "Gets notifications and alarms")
	list[slices.IndexFunc(list, func(p Parameter) bool { return p.Name == ParameterBalancer+"1" })].Optional = false
	return list, ps.Err("the client of a released template")
}

// checkReleased reports what only the CDK app can deploy: what changes a function, whose version is made when the
// template is, and what nobody has thought of here.
func (f File) checkReleased(ps *strictjson.Problems, c Client) {
	const app = "only the CDK app can deploy that"
	if c.CreateSecret {
		ps.Add(c.Name+".createSecret", "make the secret first, with the value in use, and give secret.arn")
	}
	if c.LoadBalancerSearch != nil {
		ps.Add(c.Name+".loadBalancerSearch", app)
	}
	if len(c.Roles) > 0 {
		ps.Add(c.Name+".roles", app)
	}
	if c.LeavesToControllers() {
		ps.Add(c.Name+".followers.controllers", app)
	}
	if !c.HasBalancers() {
		ps.Add(c.Name+".followers", "without load balancers: "+app)
	}
	rest, plain := f.Stack, Settings{}
	plain.defaults()
	if rest.LogLevel == plain.LogLevel {
		rest.LogLevel = ""
	}
	if rest.LogKey == plain.LogKey {
		rest.LogKey = ""
	}
	if rest.Evidence.Keep() == plain.Evidence.Keep() {
		rest.Evidence = Evidence{}
	}
	rest.Account, rest.Region, rest.Name = "", "", "" // where and as what it is deployed
	rest.Email, rest.RunbookURL, rest.LogRetentionDays, rest.PermissionsBoundary = nil, "", nil, ""
	text, _ := json.Marshal(rest) // it came from JSON
	var fields map[string]any
	_ = json.Unmarshal(text, &fields)
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		switch v := fields[name]; {
		case name == "tags":
			ps.Add("stack.tags", "leave them out, and give them to CloudFormation as the stack's tags")
		case v != "" && v != nil:
			ps.Add("stack."+name, app)
		}
	}
}

func unique(list []string) []string {
	var out []string
	for _, s := range list {
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func seconds(n float64) string { return fmt.Sprintf("%.0f", n) }
