package clientsfile

import (
	"errors"
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
)

var (
	accountPattern  = regexp.MustCompile(`^\d{12}$`)
	stackPattern    = regexp.MustCompile(`^[a-z][a-z0-9-]{0,29}$`)
	emailPattern    = regexp.MustCompile(`^[!-?A-~]+@[!-?A-~]+$`) // ASCII, as SNS takes it
	boundaryPattern = regexp.MustCompile(`^arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+$`)
	runbookPattern  = regexp.MustCompile(`^https://[A-Za-z0-9._~:/?&=+,@%-]+$`) // what follows is #entry
	subnetPattern   = regexp.MustCompile(`^subnet-[0-9a-f]+$`)
	groupPattern    = regexp.MustCompile(`^sg-[0-9a-f]+$`)
)

const accountForm = "must be the account's 12 digits, in quotes: \"111122223333\""

// Retentions are the days for which CloudWatch Logs can keep lines (API reference, PutRetentionPolicy).
func Retentions() []int {
	return []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288,
		3653}
}

// MaxNames limits the names of the stack and of a client together: a rule of EventBridge is named after both, and its
// name has at most 64 characters (API reference, PutRule).
const MaxNames = 64 - len("-listeners--99")

// MaxClients: each makes 9 to 13 resources, and one more for each further load balancer; a template has at most 500
// (CloudFormation user guide, "Quotas"), and some 80 are there without any client. checkLimits counts them.
const MaxClients = 31

func (f *File) check(ps *strictjson.Problems) {
	f.Stack.check(ps)
	if len(f.Clients) == 0 {
		ps.Add("clients", "is missing: the clients to rotate")
	}
	if len(f.Clients) > MaxClients {
		ps.Add("clients",
			"has %d clients, at most %d fit into one stack: put the others into another file with another stack.name",
			len(f.Clients), MaxClients)
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
		if len(f.Stack.Name)+len(c.Name) > MaxNames {
			ps.Add(path+".name", "must have, with the stack's name %s, at most %d characters", f.Stack.Name, MaxNames)
		}
		if other := secrets[c.Secret.ARN]; other != "" && c.Secret.ARN != "" {
			ps.Add(path+".secret.arn", "is the secret of %s too; each client has its own", other)
		}
		names[plain], secrets[c.Secret.ARN] = c.Name, c.Name
		c.checkRegistration(ps, path, f.Clients[:i])
	}
	f.checkNotifications(ps)
}

// maxPerAddress is how many clients may notify the same address; who looks after more belongs into stack.email. (A
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
	match(ps, "stack.account", s.Account, accountPattern, accountForm)
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
	if !slices.Contains(Retentions(), *s.LogRetentionDays) {
		ps.Add("stack.logRetentionDays", "must be one of %v", Retentions())
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, s.LogLevel) {
		ps.Add("stack.logLevel", "must be debug, info, warn or error")
	}
	if s.LogKey != LogKeyOfStack && s.LogKey != LogKeyNone {
		if !config.IsKeyARN(s.LogKey) {
			ps.Add("stack.logKey", "must be stack, none or the ARN of a KMS key")
		}
		checkPartition(ps, "stack.logKey", s.LogKey, s)
	}
	if s.RunbookURL != "" {
		match(ps, "stack.runbookUrl", s.RunbookURL, runbookPattern,
			"must be an https URL without #, that of your copy of docs/runbook.md")
	}
	if s.PermissionsBoundary != "" {
		match(ps, "stack.permissionsBoundary", s.PermissionsBoundary, boundaryPattern,
			"must be the ARN of an IAM policy")
		if parts := strings.Split(s.PermissionsBoundary, ":"); len(parts) > 4 && parts[4] != "aws" {
			checkPlace(ps, "stack.permissionsBoundary", s.PermissionsBoundary, s)
		} else {
			checkPartition(ps, "stack.permissionsBoundary", s.PermissionsBoundary, s)
		}
	}
	if n := s.Evidence.Keep(); n < 1 || n > 100 {
		ps.Add("stack.evidence.years", "must be 1 to 100, not %d", n)
	}
	s.checkTags(ps)
	if v := s.SmokeTestVPC; v != nil {
		matchAll(ps, "stack.smokeTestVpc.subnetIds", v.SubnetIDs, subnetPattern, "must be a subnet's id")
		matchAll(ps, "stack.smokeTestVpc.securityGroupIds", v.SecurityGroupIDs, groupPattern,
			"must be a security group's id")
	}
}

// checkTags: what CloudFormation takes (CloudFormation user guide, "Resource tag").
func (s Settings) checkTags(ps *strictjson.Problems) {
	if len(s.Tags) > maxTags {
		ps.Add("stack.tags", "has %d tags, at most %d are possible", len(s.Tags), maxTags)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Tags)) {
		path := "stack.tags." + showName(name)
		if len(name) == 0 || len(name) > 128 || len(s.Tags[name]) > 256 {
			ps.Add(path, "must have a name of 1 to 128 characters and a value of at most 256")
		}
		if strings.HasPrefix(strings.ToLower(name), "aws:") {
			ps.Add(path, "must not begin with aws:, which AWS keeps for itself")
		}
		if !tagPattern.MatchString(name) || !tagPattern.MatchString(s.Tags[name]) {
			ps.Add(path, "must consist of letters, digits, spaces and _ . : / = + - @")
		}
	}
}

// maxTags leaves room for those that CloudFormation adds to a resource, which has 50 at most.
const maxTags = 40

var tagPattern = regexp.MustCompile(`^[A-Za-z0-9 _.:/=+@-]*$`)

func (a Alarms) check(ps *strictjson.Problems, path string) {
	if n := a.Errors(); n < 0 || n > 1_000_000 {
		ps.Add(path+".authErrors", "must be 0 to 1000000, not %d", n)
	}
	if n := a.EndsDays(); n < 1 || n > 365 {
		ps.Add(path+".secretEndsDays", "must be 1 to 365, not %d", n)
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
		if p.Path == "secret.arn" && c.Secret.ARN == "" {
			p.Text = "is missing: the ARN of the secret that holds the client secret, or createSecret: true"
		}
		ps.Add(strictjson.Join(path, p.Path), "%s", p.Text)
	}
	c.checkProvider(ps, path)
	for i, k := range c.KMSKeys {
		at := fmt.Sprintf("%s.kmsKeys[%d]", path, i)
		if !config.IsKeyARN(k) {
			ps.Add(at, "must be the ARN of a KMS key")
		}
		checkPartition(ps, at, k, s)
	}
	c.checkARNs(ps, path, s)
	c.checkSize(ps, path)
	c.checkSchedule(ps, path)
	c.Alarms.check(ps, path+".alarms")
	c.checkLifetime(ps, path)
}

// checkProvider: what only the provider's own check knows. Without a type or settings there is nothing to add.
func (c *Client) checkProvider(ps *strictjson.Problems, path string) {
	p := c.IdentityProvider
	if p.Type == "" {
		return
	}
	if !slices.Contains(registry.Types(), p.Type) {
		text := "must be one of " + strings.Join(registry.Types(), ", ")
		if near := strictjson.Nearest(p.Type, registry.Types()); near != "" {
			text += "; did you mean " + near + "?"
		}
		ps.Add(path+".identityProvider.type", "%s", text)
		return
	}
	if len(p.Settings) == 0 || string(p.Settings) == "null" {
		return
	}
	err := registry.Check(p.Type, p.Settings)
	var problems strictjson.Problems
	if errors.As(err, &problems) {
		for _, x := range problems {
			ps.Add(strictjson.Join(path, x.Path), "%s", x.Text)
		}
	} else if err != nil {
		ps.Add(path+".identityProvider.settings", "%s", err)
	}
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

// MaxDocument is how long a parameter is at most (Systems Manager user guide, "Managing parameter tiers").
const MaxDocument = 8 * 1024

func (c *Client) checkSize(ps *strictjson.Problems, path string) {
	if n := c.Size(); n > MaxDocument {
		ps.Add(path, "has %d bytes as JSON, and a parameter holds at most %d: fewer loadBalancers or smokeTests; "+
			"loadBalancerSearch needs no list", n, MaxDocument)
	}
}

// Size is how many bytes the client's document has; 0 if it cannot be written, which is told elsewhere.
func (c Client) Size() int {
	text, err := c.Document(c.Secret.ARN)
	if err != nil {
		return 0
	}
	return len(text)
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
