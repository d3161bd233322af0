// Package rights says which AWS calls the deployed functions make: the deployment allows these, and no others, and
// rotator asks IAM whether they are allowed.
package rights

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/region"
)

// Grant is what a function may do; "" or nil grants nothing.
type Grant struct {
	Secret   []string // on the clients' secrets
	Admin    bool     // read the credentials for the identity providers' admin APIs, or sign with one that stays in KMS
	Users    bool     // read the synthetic users
	Provider []string // on identity providers that are AWS resources
	Journal  []string // on the journal's table
	Targets  string   // read or write: the load balancers
	Metrics  bool
	Names    bool // read the load balancers' DNS names
	Evidence bool // read executions and write their evidence, and nothing of any client
}

// ReachesAccounts reports whether a function reads or changes load balancers, which may be in other accounts.
func (g Grant) ReachesAccounts() bool { return g.Targets != "" || g.Metrics || g.Names }

// Actions that are granted.
const (
	Describe = "secretsmanager:DescribeSecret"
	Value    = "secretsmanager:GetSecretValue"
	Put      = "secretsmanager:PutSecretValue"
	label    = "secretsmanager:UpdateSecretVersionStage"
	Assume   = "sts:AssumeRole" // of the roles that reach other accounts
	Sign     = "kms:Sign"       // of an assertion, by a key that a provider's settings name
)

// Actions on other resources than secrets. No function trusts a configuration that comes with its call.
var (
	ReadJournal    = []string{"dynamodb:GetItem"}
	WriteJournal   = []string{"dynamodb:GetItem", "dynamodb:UpdateItem"}
	ReadParameters = []string{"ssm:GetParameter"}
	// InvokeFunction is for functions of users that speak to an identity provider; one that is named with an alias is
	// invoked by no other name.
	InvokeFunction = []string{"lambda:InvokeFunction"}
)

// Functions are, by function, the AWS calls that its code makes, no more. Only one function can change a load balancer,
// because IAM cannot limit what is changed there: whoever has ModifyRule can remove the login altogether.
var Functions = map[string]Grant{
	"plan": {Secret: []string{Describe, Value}, Admin: true, Journal: ReadJournal, Targets: "read",
		Provider: []string{"cognito-idp:DescribeUserPoolClient", "cognito-idp:ListUserPoolClientSecrets"}},
	"createsecret": {Secret: []string{Describe, Value, Put}, Admin: true, Journal: WriteJournal,
		Provider: []string{"cognito-idp:AddUserPoolClientSecret", "cognito-idp:DeleteUserPoolClientSecret",
			"cognito-idp:DescribeUserPoolClient", "cognito-idp:ListUserPoolClientSecrets"}},
	"updatealb":     {Secret: []string{Describe, Value}, Journal: WriteJournal, Targets: "write"},
	"promotesecret": {Secret: []string{Describe, Value, label}, Journal: WriteJournal},
	"smoketest":     {Secret: []string{Describe, Value}, Users: true, Journal: ReadJournal, Metrics: true, Names: true},
	"retiresecret": {Secret: []string{Describe, Value, label}, Admin: true, Journal: WriteJournal,
		Provider: []string{"cognito-idp:DeleteUserPoolClientSecret", "cognito-idp:DescribeUserPoolClient",
			"cognito-idp:ListUserPoolClientSecrets"}},
	"record": {Evidence: true},
}

// Stack is a deployment.
type Stack struct{ Partition, Region, Account, Name string }

// ARN is that of a resource of the stack.
func (s Stack) ARN(service, resource string) string {
	return strings.Join([]string{"arn", s.Partition, service, s.Region, s.Account, resource}, ":")
}

// PlaceRoles is what the names of the roles begin with by which a function reaches the clients of places; the place
// follows. Names of roles are the account's, and have at most 64 characters (IAM user guide, "IAM and AWS STS quotas").
func (s Stack) PlaceRoles(function string) string {
	return fmt.Sprintf("%s-%s-%s-", s.Name, s.Region, function)
}

// PlaceRoleARNs is what their ARNs begin with.
func (s Stack) PlaceRoleARNs(function string) string {
	return fmt.Sprintf("arn:%s:iam::%s:role/%s", s.Partition, s.Account, s.PlaceRoles(function))
}

// PlaceRoleARN is the ARN of one of them.
func (s Stack) PlaceRoleARN(function string, place int) string {
	return s.PlaceRoleARNs(function) + strconv.Itoa(place)
}

// Call is what IAM is asked: actions on resources, with values of condition keys.
type Call struct {
	Actions, Resources []string
	Context            map[string]string
	// Place is that of the role that makes the call; 0 is the function's own role.
	Place int
}

// Calls returns the calls that a function makes for a client. keys are the customer managed keys of secrets, by the
// secrets' ARNs, and targets the rules and listeners to change.
func (s Stack) Calls(function string, c config.Client, keys map[string]string, targets []string) []Call {
	g := Functions[function]
	if g.Evidence {
		return s.onEvidence(function)
	}
	own := []Call{
		{Actions: g.Journal, Resources: []string{s.ARN("dynamodb", "table/"+s.Name+"-journal")},
			Context: map[string]string{"dynamodb:LeadingKeys": c.Name}},
		{Actions: ReadParameters, Resources: []string{s.ARN("ssm", "parameter/"+s.Name+"/clients/"+c.Name)}},
	}
	for _, role := range c.Roles {
		if g.ReachesAccounts() {
			own = append(own, Call{Actions: []string{Assume}, Resources: []string{role.RoleARN}})
		}
	}
	if c.Place == 0 {
		return s.from(function, append(own, forClient(g, c, keys, targets)...))
	}
	own = append(own, Call{Actions: []string{Assume}, Resources: []string{s.PlaceRoleARN(function, c.Place)}})
	byPlace := forClient(g, c, keys, targets)
	for i := range byPlace {
		byPlace[i].Place = c.Place
	}
	return append(s.from(function, own), byPlace...)
}

// forClient are the calls on what is the client's: a function makes them by the role of the client's place.
func forClient(g Grant, c config.Client, keys map[string]string, targets []string) []Call {
	out := []Call{{Actions: g.Secret, Resources: []string{c.Secret.ARN}}}
	read := others(c, g)
	if len(read) > 0 {
		out = append(out, Call{Actions: []string{Value}, Resources: read})
	}
	if f := (clientsfile.Client{Client: c}).FunctionARN(); g.Admin && f != "" {
		out = append(out, Call{Actions: InvokeFunction, Resources: []string{f}})
	}
	for _, arn := range append([]string{c.Secret.ARN}, read...) {
		if keys[arn] == "" {
			continue
		}
		actions := []string{"kms:Decrypt"}
		if arn == c.Secret.ARN && slices.Contains(g.Secret, Put) {
			actions = append(actions, "kms:GenerateDataKey")
		}
		out = append(out, Call{Actions: actions, Resources: []string{keys[arn]}, Context: map[string]string{
			"kms:EncryptionContext:SecretARN": arn, "kms:ViaService": viaSecretsManager(arn)}})
	}
	if signing := (clientsfile.Client{Client: c}).SigningKeyARNs(); g.Admin && len(signing) > 0 {
		out = append(out, Call{Actions: []string{Sign}, Resources: signing})
	}
	if c.HasBalancers() {
		out = append(out, onLoadBalancers(g, targets, c.LeavesToControllers())...)
	}
	return out
}

// onEvidence are the calls of the function that writes the evidence, whoever the client is.
func (s Stack) onEvidence(function string) []Call {
	return s.from(function, []Call{
		{Actions: []string{"states:GetExecutionHistory"},
			Resources: []string{s.ARN("states", "execution:"+s.Name+":any")}},
		{Actions: []string{"states:ListExecutions"}, Resources: []string{s.ARN("states", "stateMachine:"+s.Name)}},
		{Actions: []string{"dynamodb:PutItem", "dynamodb:Query"},
			Resources: []string{s.ARN("dynamodb", "table/"+s.Name+"-evidence")}},
	})
}

// from adds which function calls.
func (s Stack) from(function string, calls []Call) []Call {
	for i := range calls {
		calls[i] = calls[i].with("lambda:SourceFunctionArn", s.ARN("lambda", "function:"+s.Name+"-"+function))
	}
	return calls
}

// others are the secrets that a function reads besides the client's own.
func others(c config.Client, g Grant) (out []string) {
	if g.Admin {
		out = append(out, clientsfile.Client{Client: c}.AdminSecrets()...)
	}
	if g.Users {
		out = append(out, clientsfile.Client{Client: c}.UserSecrets()...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func onLoadBalancers(g Grant, targets []string, leaves bool) (out []Call) {
	every := func(actions ...string) { out = append(out, Call{Actions: actions, Resources: []string{"*"}}) }
	if g.Targets != "" {
		every("elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules")
	}
	if g.Targets == "read" || g.Targets == "write" && leaves {
		every("elasticloadbalancing:DescribeTags")
	}
	if g.Names {
		every("elasticloadbalancing:DescribeLoadBalancers")
	}
	if g.Metrics {
		every("cloudwatch:GetMetricData")
	}
	for action, kind := range map[string]string{"elasticloadbalancing:ModifyRule": ":listener-rule/",
		"elasticloadbalancing:ModifyListener": ":listener/"} {
		of := slices.DeleteFunc(slices.Clone(targets), func(arn string) bool { return !strings.Contains(arn, kind) })
		if g.Targets == "write" && len(of) > 0 {
			out = append(out, Call{Actions: []string{action}, Resources: of})
		}
	}
	return out
}

// with adds a value of a condition key.
func (c Call) with(key, value string) Call {
	all := map[string]string{key: value}
	for k, v := range c.Context {
		all[k] = v
	}
	c.Context = all
	return c
}

// viaSecretsManager is the value of kms:ViaService for a secret.
func viaSecretsManager(arn string) string {
	where := strings.SplitN(arn, ":", 5)[3]
	return "secretsmanager." + where + "." + region.PartitionOf(where).Suffix
}

// OfMachine returns the calls that the state machine makes for a client.
func (s Stack) OfMachine(c config.Client) []Call {
	var functions []string
	for name, g := range Functions {
		if g.Evidence {
			continue // that one is the notifier's
		}
		functions = append(functions, s.ARN("lambda", "function:"+s.Name+"-"+name+":live"))
	}
	slices.Sort(functions)
	return []Call{
		{Actions: []string{"lambda:InvokeFunction"}, Resources: functions},
		{Actions: ReadParameters, Resources: []string{s.ARN("ssm", "parameter/"+s.Name+"/clients/"+c.Name)}},
		{Actions: WriteJournal, Resources: []string{s.ARN("dynamodb", "table/"+s.Name+"-journal")},
			Context: map[string]string{"dynamodb:LeadingKeys": c.Name}},
		{Actions: []string{"sns:Publish"}, Resources: []string{s.ARN("sns", s.Name)}},
		{Actions: []string{"states:DescribeExecution", "states:StopExecution"},
			Resources: []string{s.ARN("states", "execution:"+s.Name+":any")}},
	}
}
