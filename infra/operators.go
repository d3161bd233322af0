package main

import (
	"fmt"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// addWebIdentityOutputs outputs the roles that an identity provider has to trust, where a client uses web identity
// instead of a stored credential.
func (r *rotator) addWebIdentityOutputs() {
	if len(r.audiences()) == 0 {
		return
	}
	for _, f := range statemachine.Functions() {
		if rights.Functions[f.Name].Admin {
			awscdk.NewCfnOutput(r.stack, jsii.String("WebIdentityRole-"+f.Name),
				&awscdk.CfnOutputProps{Value: r.roles[f.Name].RoleArn(),
					Description: jsii.String("Subject of a federated credential at the identity provider: function " +
						f.Name)})
		}
	}
}

// addCallerOutputs outputs the roles that roles in other accounts have to trust, where a client has load balancers
// there.
func (r *rotator) addCallerOutputs() {
	if len(r.workloadRoles()) == 0 {
		return
	}
	for _, f := range statemachine.Functions() {
		if rights.Functions[f.Name].ReachesAccounts() {
			awscdk.NewCfnOutput(r.stack, jsii.String("WorkloadCaller-"+f.Name),
				&awscdk.CfnOutputProps{Value: r.roles[f.Name].RoleArn(),
					Description: jsii.String("One of HubRoles of infra/workload-role.yaml: function " + f.Name)})
		}
	}
}

// simulatedRoles are those whose rights operators may ask IAM about.
func (r *rotator) simulatedRoles() []string {
	list := []string{*r.machineRole.RoleArn()}
	for _, name := range sorted(r.roles) {
		list = append(list, *r.roles[name].RoleArn())
	}
	if r.places != nil {
		list = append(list, fmt.Sprintf("arn:%s:iam::%s:role/%s-%s-*", *r.stack.Partition(), r.Account, r.Name,
			r.Region))
	}
	return list
}

// permit allows people some actions.
func permit(sid string, resources []string, actions ...string) awsiam.PolicyStatement {
	return awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Sid: &sid, Actions: jsii.Strings(actions...),
		Resources: jsii.Strings(resources...)})
}

// addOperators adds the policies of people: those who operate the rotation start, stop, redrive and read executions,
// and auditors read. Attach them to their roles.
func (r *rotator) addOperators() {
	// Through the alias only: started by itself, the state machine would run a revision that no deployment has
	// finished.
	machines, executions := r.started()
	start := permit("Start", machines, "states:StartExecution")
	signed, invoked := signingKeys(r.all), providerFunctions(r.all)
	if r.places != nil { // those of hundreds of clients would not fit
		r.addMoreForOperators(signed, invoked)
		signed, invoked = nil, nil
	}
	start.AddConditions(&map[string]any{"StringEquals": map[string]any{"states:StateMachineQualifier": aliasName}})
	r.addPolicy("Operators", "Start, stop, redrive and read rotations of ALB client secrets",
		"Attach it to the role of those who operate the rotation",
		append(append(r.reading(), r.registering(signed)...), start,
			permit("Definition", []string{r.machineARN()}, "states:DescribeStateMachine"),
			permit("Control", executions, "states:StopExecution", "states:RedriveExecution"),
			permit("Schedules", []string{r.arn("scheduler", "schedule/"+r.Name+"/*")}, "scheduler:GetSchedule"),
			// What rotator doctor and discover look at besides. Of secrets it is their labels, never a value; each by
			// its ARN would not fit into a policy.
			permit("Secrets", []string{fmt.Sprintf("arn:%s:secretsmanager:*:%s:secret:*", *r.stack.Partition(),
				r.Account)}, "secretsmanager:DescribeSecret"),
			// not to invoke them: who may can make a secret and read it
			permit("Functions", append([]string{r.arn("lambda", "function:"+r.Name+"-*")}, invoked...),
				"lambda:GetFunctionConfiguration"),
			permit("Topics", []string{r.arn("sns", r.Name), r.arn("sns", r.Name+"-client-alarms")},
				"sns:ListSubscriptionsByTopic"),
			permit("Roles", r.simulatedRoles(), "iam:SimulatePrincipalPolicy"),
			permit("Look", []string{"*"}, "cloudwatch:DescribeAlarms", "cloudtrail:DescribeTrails",
				"cloudtrail:GetTrailStatus", "cloudtrail:GetEventSelectors", "elasticloadbalancing:DescribeListeners",
				"elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:DescribeRules",
				"elasticloadbalancing:DescribeTags", "kms:DescribeKey")))
	r.addPolicy("Auditors", "Read the evidence of rotations of ALB client secrets",
		"Attach it to the role of auditors, for rotator evidence", r.reading())
	awscdk.NewCfnOutput(r.stack, jsii.String("StateMachineToStart"),
		&awscdk.CfnOutputProps{Value: r.liveMachine.AttrArn(),
			Description: jsii.String("Start executions with this ARN")})
}

// addMoreForOperators adds what operators may look at besides, where a file has further stacks, in as many policies as
// that needs.
func (r *rotator) addMoreForOperators(signed, invoked []string) {
	var more []awsiam.PolicyStatement
	for _, some := range chunks(signed) {
		more = append(more, r.registering(some)...)
	}
	for _, some := range chunks(invoked) {
		more = append(more, permit("Functions", some, "lambda:GetFunctionConfiguration"))
	}
	for i, statement := range more {
		r.addPolicy(numbered("OperatorsMore", i), "Look at the keys and functions of rotations of ALB client secrets",
			"Attach it beside the operators' policy, for rotator doctor", []awsiam.PolicyStatement{statement})
	}
}

// registering shows the public keys that are registered at identity providers.
func (r *rotator) registering(keys []string) []awsiam.PolicyStatement {
	if len(keys) > 0 {
		return []awsiam.PolicyStatement{permit("PublicKeys", keys, "kms:GetPublicKey")}
	}
	return nil
}

// reading is what rotator shows: which clients there are, how they are, their executions, and the evidence. None is a
// secret.
func (r *rotator) reading() []awsiam.PolicyStatement {
	machines, executions := r.started()
	return []awsiam.PolicyStatement{
		permit("Machine", machines, "states:ListExecutions"),
		permit("Executions", executions, "states:DescribeExecution", "states:GetExecutionHistory"),
		permit("Clients", []string{r.arn("ssm", "parameter/"+r.Name+"/clients"),
			r.arn("ssm", "parameter"+r.parameterPrefix()+"*")}, "ssm:GetParametersByPath"),
		permit("Journal", []string{*r.journal.TableArn()}, "dynamodb:GetItem"),
		permit("Evidence", []string{*r.evidence.TableArn()}, "dynamodb:Query"),
	}
}

// addPolicy adds a policy without a name: that would be one for the whole account, and a second Region's stack of the
// same name could not be deployed.
func (r *rotator) addPolicy(id, description, attach string, statements []awsiam.PolicyStatement) {
	policy := awsiam.NewManagedPolicy(r.stack, &id, &awsiam.ManagedPolicyProps{Description: &description,
		Statements: &statements})
	suppress(policy,
		map[string]string{"AwsSolutions-IAM5": "executions and clients have names that are not known before; their " +
			"state machine and stack are named. What doctor looks at in the whole account has no resources to name"})
	awscdk.NewCfnOutput(r.stack, jsii.String(id+"Policy"),
		&awscdk.CfnOutputProps{Value: policy.ManagedPolicyArn(), Description: &attach})
}
