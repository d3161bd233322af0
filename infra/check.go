package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/region"
	"alboidc.internal/shared/strictjson"
	"alboidc.internal/statemachine"
)

var (
	accountPattern  = regexp.MustCompile(`^\d{12}$`)
	stackPattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)
	emailPattern    = regexp.MustCompile(`^[!-?A-~]+@[!-?A-~]+$`) // ASCII, as SNS takes it
	keyPattern      = regexp.MustCompile(`^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/.+$`)
	boundaryPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$`)
	runbookPattern  = regexp.MustCompile(`^https://[A-Za-z0-9._~:/?&=+,@%-]+$`) // what follows is #entry
	subnetPattern   = regexp.MustCompile(`^subnet-[0-9a-f]+$`)
	groupPattern    = regexp.MustCompile(`^sg-[0-9a-f]+$`)
)

// maxNames is how long the names of the stack and of a client are together: a rule of EventBridge is named after both,
// and its name has at most 64 characters (API reference, PutRule).
const maxNames = 64 - len("-listeners--99")

// maxClients: each makes 9 to 13 resources, and one more for each further load balancer; a template has at most 500
// (CloudFormation user guide, "Quotas"), and some 65 are there without any client. checkLimits counts them.
const maxClients = 35

func (f *File) check(ps *strictjson.Problems) {
	f.Stack.check(ps)
	if len(f.Clients) == 0 {
		ps.Add("clients", "is missing: the clients to rotate")
	}
	if len(f.Clients) > maxClients {
		ps.Add("clients",
			"has %d clients, at most %d fit into one stack: put the others into another file with another stack.name",
			len(f.Clients), maxClients)
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
		c.checkRegistration(ps, path, f.Clients[:i])
	}
	f.checkNotifications(ps)
}

// maxPerAddress is how many clients may notify the same address: who looks after more belongs into stack.email. (A
// filter may have 150 combinations of values: SNS developer guide, "Filter policy constraints".)
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
		ps.Add("clients", "have %d different addresses in notifications.email, at most %d are possible", len(clients),
			maxAddresses)
	}
}

func (s Settings) check(ps *strictjson.Problems) {
	match(ps, "stack.account", s.Account, accountPattern, "must be the account's 12 digits, in quotes")
	if !region.OK(s.Region) {
		ps.Add("stack.region", "must be a Region, e.g. eu-central-1")
	}
	match(ps, "stack.name", s.Name, stackPattern,
		"must be 1 to 30 characters of a-z, 0-9 and hyphens, and begin with a letter")
	if strings.HasPrefix(s.Name, "aws") || strings.HasPrefix(s.Name, "ssm") {
		ps.Add("stack.name", "must not begin with aws or ssm: the clients' parameters are named after it, and "+
			"Systems Manager keeps such names for itself")
	}
	for i, e := range s.Email {
		match(ps, fmt.Sprintf("stack.email[%d]", i), e, emailPattern, "must be an e-mail address")
	}
	if _, ok := retentions[*s.LogRetentionDays]; !ok {
		ps.Add("stack.logRetentionDays", "must be one of %v", slices.Sorted(maps.Keys(retentions)))
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		ps.Add("stack.logLevel", "must be debug, info, warn or error")
	}
	if s.LogKey != logKeyOfStack && s.LogKey != logKeyNone {
		match(ps, "stack.logKey", s.LogKey, keyPattern, "must be stack, none or the ARN of a KMS key")
	}
	if s.RunbookURL != statemachine.DefaultRunbook {
		match(ps, "stack.runbookUrl", s.RunbookURL, runbookPattern,
			"must be an https URL without #, that of your copy of docs/runbook.md")
	}
	if s.PermissionsBoundary != "" {
		match(ps, "stack.permissionsBoundary", s.PermissionsBoundary, boundaryPattern,
			"must be the ARN of an IAM policy")
	}
	if v := s.SmokeTestVPC; v != nil {
		matchAll(ps, "stack.smokeTestVpc.subnetIds", v.SubnetIDs, subnetPattern, "must be a subnet's id")
		matchAll(ps, "stack.smokeTestVpc.securityGroupIds", v.SecurityGroupIDs, groupPattern,
			"must be a security group's id")
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
	c.checkSecretARNs(ps, path)
	c.checkSize(ps, path)
	c.checkSchedule(ps, path)
	c.Alarms.check(ps, path+".alarms")
	c.checkLifetime(ps, path)
}

// checkRegistration: a registration has one client. Two would rotate it under two locks, and one of them would remove
// the secret that the other one's load balancers use.
func (c *Client) checkRegistration(ps *strictjson.Problems, path string, earlier []Client) {
	if c.uniqueIDs() && len(c.OtherRegistrations) > 0 {
		ps.Add(path+".otherRegistrations",
			"must be left out, client ids are unique at this provider (%s): what has the client's id under "+
				"another issuer is another name of it, and belongs into aliases", c.IdentityProvider.Type)
	}
	for _, other := range earlier {
		if config.SameRegistration(c.Client, other.Client, c.uniqueIDs() || other.uniqueIDs()) {
			ps.Add(path+".clientId",
				"client %s has the registration of client %s (clientId, clientPair, and aliases count): make them one "+
					"client with all load balancers, or give each its own registration", c.Name, other.Name)
		}
	}
}

// uniqueIDs reports whether the client's id belongs to one registration of its vendor only.
func (c *Client) uniqueIDs() bool {
	// check reports the error
	capable, _ := registry.Capabilities(c.IdentityProvider.Type, c.IdentityProvider.Settings, idp.Client{})
	return capable.UniqueIDs
}

// suffixPattern is what Secrets Manager adds to a secret's name. It takes an ARN without it too, but IAM compares whole
// ARNs (Secrets Manager user guide, "What's in a secret?").
var suffixPattern = regexp.MustCompile(`-[A-Za-z0-9]{6}$`)

// wordPattern is how names end that only look as if they had it; Secrets Manager advises against them.
var wordPattern = regexp.MustCompile(
	`(?i)-(secret|client|config|oauth2|values|tokens|stored|shared|portal|access|prod01)$`)

func (c *Client) checkSecretARNs(ps *strictjson.Problems, path string) {
	one := func(field, arn string) {
		if secretARN.MatchString(arn) && (!suffixPattern.MatchString(arn) || wordPattern.MatchString(arn)) {
			ps.Add(path+"."+field, "must end with the hyphen and six characters that Secrets Manager added to the "+
				"name: copy the whole ARN")
		}
	}
	one("secret.arn", c.Secret.ARN)
	for i, t := range c.SmokeTests.Login {
		one(fmt.Sprintf("smokeTests.login[%d].userSecretArn", i), t.UserSecretARN)
	}
	for _, s := range secretsInSettings(c.Client) {
		one(s.path, s.arn)
	}
}

// maxDocument is how long a parameter is at most (Systems Manager user guide, "Managing parameter tiers").
const maxDocument = 8 * 1024

func (c *Client) checkSize(ps *strictjson.Problems, path string) {
	if text, err := c.document(c.Secret.ARN); err == nil && len(text) > maxDocument {
		ps.Add(path, "has %d bytes as JSON, and a parameter holds at most %d: fewer loadBalancers or smokeTests; "+
			"loadBalancerSearch needs no list", len(text), maxDocument)
	}
}

// checkAccount: the roles of the stack reach nothing in other accounts.
func (c *Client) checkAccount(ps *strictjson.Problems, path, account string) {
	one := func(field, arn string) {
		if parts := strings.Split(arn, ":"); len(parts) > 4 && accountPattern.MatchString(account) &&
			parts[4] != account {
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
