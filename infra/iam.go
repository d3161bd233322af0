package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// functionRole makes the role of a function. Every role has its own policy, and none of AWS's.
func (r *rotator) functionRole(f statemachine.Function, logs awslogs.LogGroup) awsiam.Role {
	role := awsiam.NewRole(r.stack, jsii.String("Role-"+f.Name), &awsiam.RoleProps{
		AssumedBy:   awsiam.NewServicePrincipal(jsii.String("lambda.amazonaws.com"), nil),
		Description: jsii.String("Function " + r.functionName(f)),
	})
	g := rights.Functions[f.Name]
	allow(role, "Log", []string{"logs:CreateLogStream", "logs:PutLogEvents"}, []string{*logs.LogGroupArn()}, nil)
	r.allowJournal(role, "Journal", g.Journal)
	if g.Evidence {
		r.allowEvidence(role)
	} else {
		allow(role, "Clients", rights.ReadParameters, []string{r.arn("ssm", "parameter"+r.parameterPrefix()+"*")}, nil)
	}
	r.allowClients(role, g)
	if g.ReachesAccounts() {
		allow(role, "OtherAccounts", []string{rights.Assume}, r.workloadRoles(), nil)
	}
	if !g.Evidence && r.places != nil {
		r.allowPlaces(role, f)
	}
	reasons := r.allowLooking(role, g)
	maps.Copy(reasons, r.allowEverywhere(role, f, g))
	reasons["OnlyFromTheFunction"] = "a denial"
	r.denyElsewhere(role, f)
	if g.Evidence {
		reasons["Executions"] = "executions have names that are not known before; their state machine is named"
	} else {
		reasons["Clients"] = "the path is this stack's own, and a statement for each client would make the " +
			"policies too long"
	}
	explainWildcards(role, reasons)
	return role
}

// allowClients allows what a function does with what belongs to the clients of this stack, or is named by them.
func (r *rotator) allowClients(role awsiam.Role, g rights.Grant) {
	r.allowSecrets(role, g)
	allow(role, "IdentityProviders", g.Provider, r.userPools(), nil)
	if g.Admin {
		allow(role, "ProviderFunctions", rights.InvokeFunction, providerFunctions(r.clients), nil)
		allow(role, "Sign", []string{rights.Sign}, signingKeys(r.clients), nil)
	}
	if g.Targets == "write" {
		r.allowLoadBalancers(role)
	}
}

// allowJournal allows actions on the items of the file's clients, and on no others; with further stacks, on those of
// the table, which has no others: the names of hundreds of clients would not fit.
func (r *rotator) allowJournal(role awsiam.Role, sid string, actions []string) {
	if r.places != nil {
		allow(role, sid, actions, []string{*r.journal.TableArn()}, nil)
		return
	}
	var names []string
	for _, c := range r.clients {
		names = append(names, c.Name)
	}
	// Every request for an item has its key; of one without, ForAllValues is true (IAM user guide, "Set operators for
	// multivalued context keys").
	allow(role, sid, actions, []string{*r.journal.TableArn()}, map[string]any{
		"ForAllValues:StringEquals": map[string]any{"dynamodb:LeadingKeys": names},
		"Null":                      map[string]any{"dynamodb:LeadingKeys": "false"}})
}

// denyElsewhere makes a function's role useless to anybody else, such as another function that is given the role
// (Lambda developer guide, "Using source function ARN to control function access behavior"; it does not say that this
// stops credentials taken out of the function itself). It leaves out what Lambda does for a function, and what Secrets
// Manager does with a key for it: those calls have no such ARN.
func (r *rotator) denyElsewhere(role awsiam.Role, f statemachine.Function) {
	arn := r.arn("lambda", "function:"+r.functionName(f))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("OnlyFromTheFunction"), Effect: awsiam.Effect_DENY, Resources: jsii.Strings("*"),
		Actions: jsii.Strings("cloudwatch:*", "cognito-idp:*", "dynamodb:*", "elasticloadbalancing:*",
			"lambda:*", rights.Sign, "secretsmanager:*", "ssm:*", "states:*", "sts:*"),
		// Without the key this holds, too (IAM user guide, "Negated matching condition operators").
		Conditions: &map[string]any{"ArnNotLike": map[string]any{"lambda:SourceFunctionArn": []string{arn,
			arn + ":*"}}},
	}))
}

// denyNetwork denies the function's own code what Lambda needs to put it into a VPC: Lambda's own calls to EC2 have no
// source function (Lambda developer guide, "Using source function ARN to control function access behavior").
func (r *rotator) denyNetwork(role awsiam.Role, f statemachine.Function) {
	arn := r.arn("lambda", "function:"+r.functionName(f))
	role.AddToPolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid: jsii.String("NetworkIsLambdas"), Effect: awsiam.Effect_DENY, Resources: jsii.Strings("*"),
		Actions:    jsii.Strings("ec2:*"),
		Conditions: &map[string]any{"ArnLike": map[string]any{"lambda:SourceFunctionArn": []string{arn, arn + ":*"}}},
	}))
}

// allowLooking adds what a function may look at for the clients of this stack, which can be allowed only on every
// resource, and returns the reason for each wildcard.
func (r *rotator) allowLooking(role awsiam.Role, g rights.Grant) map[string]string {
	reasons := map[string]string{}
	everywhere := func(sid, reason string, actions ...string) {
		allow(role, sid, actions, []string{"*"}, nil)
		reasons[sid] = reason
	}
	const noNames = "these Describe calls have no resources to name"
	searching := len(r.searchedRegions()) > 0
	switch g.Targets {
	case "read":
		everywhere("FindTargets", noNames,
			"elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeRules",
			"elasticloadbalancing:DescribeTags")
		if searching {
			everywhere("SearchLoadBalancers", noNames, "elasticloadbalancing:DescribeLoadBalancers")
		}
	case "write":
		everywhere("CheckTargets", noNames, "elasticloadbalancing:DescribeListeners",
			"elasticloadbalancing:DescribeRules")
		if slices.ContainsFunc(r.clients, func(c Client) bool { return c.LeavesToControllers() }) {
			everywhere("FindControllers", noNames, "elasticloadbalancing:DescribeTags")
		}
		reasons["ChangeRules, ChangeListeners"] = "which rules and listeners log users in is found when a rotation " +
			"plans; their load balancers are named"
		if searching {
			reasons["ChangeRules, ChangeListeners"] += ", or found by their tags in the Regions of a loadBalancerSearch"
		}
	}
	if g.Metrics {
		everywhere("Metrics", "GetMetricData has no resources to name", "cloudwatch:GetMetricData")
	}
	if g.Names {
		everywhere("NameLoadBalancers", noNames, "elasticloadbalancing:DescribeLoadBalancers")
	}
	return reasons
}

// allowEverywhere adds what a function does as itself, which can be allowed only on every resource, and returns the
// reason for each wildcard.
func (r *rotator) allowEverywhere(role awsiam.Role, f statemachine.Function, g rights.Grant) map[string]string {
	reasons := map[string]string{"xray": "X-Ray has no resources to name"} // the CDK adds it for active tracing
	if audiences := r.audiences(); g.Admin && len(audiences) > 0 {
		// A token of the role instead of a stored credential (IAM user guide, "Controlling access with IAM policies" of
		// outbound identity federation).
		allow(role, "WebIdentity", []string{"sts:GetWebIdentityToken"}, []string{"*"}, map[string]any{
			// Of a key that is absent ForAllValues is true (IAM user guide, "Set operators for multivalued context
			// keys").
			"Null":                      map[string]any{"sts:IdentityTokenAudience": "false"},
			"ForAllValues:StringEquals": map[string]any{"sts:IdentityTokenAudience": audiences},
			"NumericLessThanEquals":     map[string]any{"sts:DurationSeconds": 300},
		})
		reasons["WebIdentity"] = "tokens have no resources to name; who may get them is a condition"
	}
	if r.inVPC(f) {
		allow(role, "Network", []string{"ec2:CreateNetworkInterface",
			"ec2:DeleteNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets",
			"ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"}, []string{"*"}, nil)
		reasons["Network"] = "Lambda makes the interfaces of a function in a VPC; they have no names before"
		r.denyNetwork(role, f)
		reasons["NetworkIsLambdas"] = "a denial"
	}
	return reasons
}

// allow adds a statement to a role, or several if there are many resources; no actions or no resources add nothing.
func allow(role awsiam.Role, sid string, actions, resources []string, conditions map[string]any) {
	if len(actions) == 0 {
		return
	}
	for i, some := range chunks(resources) {
		props := &awsiam.PolicyStatementProps{Sid: jsii.String(numbered(sid, i)), Actions: jsii.Strings(actions...),
			Resources: jsii.Strings(some...)}
		if conditions != nil {
			props.Conditions = &conditions
		}
		role.AddToPolicy(awsiam.NewPolicyStatement(props))
	}
}

// chunks cuts a list of ARNs so that each part fits into one statement of a managed policy, to which the CDK moves
// statements that a role's own policy has no room for. checkLimits checks the result.
func chunks(arns []string) [][]string {
	const most, unknown = 4500, 100 // an ARN that is known only when it is deployed is about as long as that
	var list [][]string
	size := most
	for _, arn := range arns {
		n := max(len(arn), unknown)
		if size += n; size > most {
			list, size = append(list, nil), n
		}
		list[len(list)-1] = append(list[len(list)-1], arn)
	}
	return list
}

func numbered(sid string, i int) string {
	if i == 0 {
		return sid
	}
	return fmt.Sprintf("%s%d", sid, i+1)
}

// policyOf returns the policy of a role, which exists once allow has added something.
func policyOf(role awsiam.Role) constructs.IConstruct {
	return role.Node().FindChild(jsii.String("DefaultPolicy"))
}

// explainWildcards tells cdk-nag why a role's policy has wildcards. reasons are by what they are about.
func explainWildcards(role awsiam.Role, reasons map[string]string) {
	var text []string
	for _, about := range sorted(reasons) {
		text = append(text, about+": "+reasons[about])
	}
	suppress(policyOf(role), map[string]string{"AwsSolutions-IAM5": strings.Join(text, "; ")})
}

// allowSecrets: the clients' secrets, the admin credentials and the synthetic users, and the keys they are encrypted
// with.
func (r *rotator) allowSecrets(role awsiam.Role, g rights.Grant) {
	var own, admin, users []string
	for _, c := range r.clients {
		own = append(own, r.secretARNs[c.Name])
		if g.Admin {
			admin = append(admin, c.AdminSecrets()...)
		}
		if g.Users {
			users = append(users, c.UserSecrets()...)
		}
	}
	allow(role, "ClientSecrets", g.Secret, own, nil)
	allow(role, "AdminCredentials", []string{rights.Value}, unique(admin), nil)
	allow(role, "SyntheticUsers", []string{rights.Value}, unique(users), nil)
	r.allowKeys(role, g)
}

// allowKeys: customer managed keys, only by way of Secrets Manager, and only for the secrets that the role may read or
// write (Secrets Manager user guide, "Secret encryption and decryption").
func (r *rotator) allowKeys(role awsiam.Role, g rights.Grant) {
	r.allowKey(role, "DecryptSecrets", "kms:Decrypt", func(c Client) []string {
		var list []string
		if slices.Contains(g.Secret, rights.Value) {
			list = append(list, r.secretARNs[c.Name])
		}
		if g.Admin {
			list = append(list, c.AdminSecrets()...)
		}
		if g.Users {
			list = append(list, c.UserSecrets()...)
		}
		return list
	})
	r.allowKey(role, "EncryptSecrets", "kms:GenerateDataKey", func(c Client) []string {
		if !slices.Contains(g.Secret, rights.Put) {
			return nil
		}
		return []string{r.secretARNs[c.Name]}
	})
}

// allowKey allows an action with the clients' keys for some of their secrets, in a statement for as many clients as one
// has room for.
func (r *rotator) allowKey(role awsiam.Role, sid, action string, secretsOf func(Client) []string) {
	var keys, secrets []string
	n := 0
	flush := func() {
		if len(secrets) == 0 {
			return
		}
		conditions := map[string]any{
			"StringEquals": map[string]any{"kms:EncryptionContext:SecretARN": secrets},
			"StringLike":   map[string]any{"kms:ViaService": r.host("secretsmanager", "*")},
		}
		if r.places == nil {
			allow(role, numbered(sid, n), []string{action}, keys, conditions)
		} else {
			statement := permit(numbered(sid, n), keys, action)
			statement.AddConditions(&conditions)
			r.allowApart(role, numbered(sid, n), statement)
		}
		keys, secrets, n = nil, nil, n+1
	}
	for _, c := range r.clients {
		if len(c.KMSKeys) == 0 {
			continue
		}
		k, s := unique(slices.Concat(keys, c.KMSKeys)), unique(slices.Concat(secrets, secretsOf(c)))
		if len(chunks(slices.Concat(k, s))) > 1 {
			flush()
			k, s = c.KMSKeys, unique(secretsOf(c))
		}
		keys, secrets = k, s
	}
	flush()
}

// userPools are the ARNs of the clients' Amazon Cognito user pools: the one provider that IAM guards.
func (r *rotator) userPools() []string {
	var pools []string
	for _, c := range r.clients {
		if id := c.UserPoolID(); id != "" {
			region, _, _ := strings.Cut(id, "_")
			pools = append(pools, fmt.Sprintf("arn:%s:cognito-idp:%s:%s:userpool/%s", *r.stack.Partition(), region,
				r.Account, id))
		}
	}
	return unique(pools)
}

// providerFunctions are the users' functions that speak to identity providers. In another account the function's own
// policy must allow it, too.
func providerFunctions(clients []Client) []string {
	var list []string
	for _, c := range clients {
		if arn := c.FunctionARN(); arn != "" {
			list = append(list, arn)
		}
	}
	return unique(list)
}

// signingKeys are the KMS keys by whose signatures providers know the rotator, instead of a stored credential.
func signingKeys(clients []Client) []string {
	var list []string
	for _, c := range clients {
		list = append(list, c.SigningKeyARNs()...)
	}
	return unique(list)
}

// audiences are those of the web identity tokens by which providers know the functions' roles, for all clients of the
// file: a provider cannot know a role of each stack.
func (r *rotator) audiences() []string {
	var list []string
	for _, c := range r.all {
		if a := c.Audience(); a != "" {
			list = append(list, a)
		}
	}
	return unique(list)
}

// allowLoadBalancers: a rule or a listener is changed only below the configured load balancers. Where a client's are
// found by tags, that is every one of the account in the Regions of the search: the condition aws:ResourceTag of these
// actions is about the tags of the rule or listener itself (service authorization reference, as below), and those of a
// load balancer are not passed on to them. A user who wants it narrower lists ARNs.
func (r *rotator) allowLoadBalancers(role awsiam.Role) {
	var rules, listeners []string
	for _, arn := range r.loadBalancers() {
		rules = append(rules, ruleARNs(arn)+"*")
		listeners = append(listeners, listenerARNs(arn)+"*")
	}
	for _, region := range r.searchedRegions() {
		every := fmt.Sprintf("arn:%s:elasticloadbalancing:%s:%s:loadbalancer/app/*", *r.stack.Partition(), region,
			r.Account)
		rules, listeners = append(rules, ruleARNs(every)+"*"), append(listeners, listenerARNs(every)+"*")
	}
	allow(role, "ChangeRules", []string{"elasticloadbalancing:ModifyRule"}, rules, nil)
	allow(role, "ChangeListeners", []string{"elasticloadbalancing:ModifyListener"}, listeners, nil)
}

// searchedRegions are those in which load balancers are found by their tags.
func (r *rotator) searchedRegions() []string {
	var list []string
	for _, c := range r.clients {
		if c.LoadBalancerSearch != nil && c.LoadBalancerSearch.Role == "" {
			list = append(list, c.LoadBalancerSearch.Regions...)
		}
	}
	return unique(list)
}

// workloadRoles reach the load balancers in other accounts, for all clients of the file: they trust the functions'
// roles.
func (r *rotator) workloadRoles() []string {
	var list []string
	for _, c := range r.all {
		for _, name := range sorted(c.Roles) {
			list = append(list, c.Roles[name].RoleARN)
		}
	}
	return unique(list)
}

// loadBalancers of the clients of this stack, as far as they are listed and in the stack's account: those of others are
// reached by roles, and CloudWatch and EventBridge show nothing of them here.
func (r *rotator) loadBalancers() []string { return balancersOf(r.clients) }

func balancersOf(clients []Client) []string {
	var list []string
	for _, c := range clients {
		for _, arn := range c.LoadBalancers {
			if !c.IsReachedByRole(arn) {
				list = append(list, arn)
			}
		}
	}
	return unique(list)
}

// ruleARNs is what the ARNs of all rules of a load balancer begin with (service authorization reference, "Actions,
// resources, and condition keys for AWS Elastic Load Balancing V2").
func ruleARNs(loadBalancer string) string {
	return strings.Replace(loadBalancer, ":loadbalancer/", ":listener-rule/", 1) + "/"
}

// listenerARNs is what the ARNs of all listeners of a load balancer begin with.
func listenerARNs(loadBalancer string) string {
	return strings.Replace(loadBalancer, ":loadbalancer/", ":listener/", 1) + "/"
}

// unique keeps the first of equal strings.
func unique(list []string) []string {
	seen := map[string]bool{}
	var out []string
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
