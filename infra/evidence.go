package main

import (
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/jsii-runtime-go"
)

// addEvidence adds the table of the records of executions. It is kept like the journal when the stack goes.
func (r *rotator) addEvidence() {
	r.evidence = r.keptTable("Evidence", awsdynamodb.TableProps{TableName: jsii.String(r.Name + "-evidence"),
		PartitionKey: textAttribute("month"), SortKey: textAttribute("id"),
		TimeToLiveAttribute: jsii.String("expires")})
}

// protectEvidence denies everybody, whatever other policies allow, to change or remove a record, and all but the one
// function to write any. (That function never writes an item that there is; a condition for that is not in IAM's
// reach.) Who wants to get around it has to change the policy first, which CloudTrail records.
func (r *rotator) protectEvidence() {
	table := r.arn("dynamodb", "table/"+r.Name+"-evidence") // its own policy cannot refer to it
	deny := func(sid string, conditions *map[string]any, actions ...string) {
		r.evidence.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{Sid: &sid,
			Effect: awsiam.Effect_DENY, Principals: &[]awsiam.IPrincipal{awsiam.NewAnyPrincipal()},
			Actions: jsii.Strings(actions...), Resources: jsii.Strings(table), Conditions: conditions}))
	}
	deny("NobodyChangesARecord", nil, "dynamodb:BatchWriteItem", "dynamodb:DeleteItem", "dynamodb:PartiQLDelete",
		"dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate", "dynamodb:UpdateItem")
	deny("OneFunctionWrites", &map[string]any{"ArnNotEquals": map[string]any{
		"aws:PrincipalArn": *r.roles["record"].RoleArn()}}, "dynamodb:PutItem")
}

// evidenceEnvironment is what function record is told besides.
func (r *rotator) evidenceEnvironment() map[string]*string {
	return map[string]*string{
		"EVIDENCE_TABLE": r.evidence.TableName(), "EVIDENCE_YEARS": jsii.String(strconv.Itoa(r.Evidence.Keep())),
		"STATE_MACHINE": jsii.String(r.machineARN()),
	}
}

// allowEvidence: read what Step Functions knows of executions, and write each record once.
func (r *rotator) allowEvidence(role awsiam.Role) {
	allow(role, "Executions", []string{"states:GetExecutionHistory"}, []string{r.executionARNs()}, nil)
	allow(role, "Machine", []string{"states:ListExecutions"}, []string{r.machineARN()}, nil)
	allow(role, "Evidence", []string{"dynamodb:PutItem", "dynamodb:Query"}, []string{*r.evidence.TableArn()}, nil)
}

// addEvidenceRules: every end of an execution, and the calls that started or stopped one, as far as CloudTrail has
// them. Nothing of the input of an execution is handed over.
func (r *rotator) addEvidenceRules() {
	r.addRule("ended", "An execution of the rotation has ended",
		r.executionPattern("SUCCEEDED", "FAILED", "ABORTED", "TIMED_OUT"),
		&awsevents.CfnRule_InputTransformerProperty{
			InputPathsMap: map[string]any{"execution": "$.detail.executionArn", "redrive": "$.detail.redriveCount"},
			InputTemplate: jsii.String(`{"record": {"execution": "<execution>", "redrive": "<redrive>"}}`),
		})
	r.addRule("calls", "An execution of the rotation was started, stopped or redriven", map[string]any{
		"source":      []any{"aws.states"},
		"detail-type": []any{"AWS API Call via CloudTrail"},
		"detail": map[string]any{
			"eventName": []any{"StartExecution", "StopExecution", "RedriveExecution"},
			"errorCode": []any{map[string]any{"exists": false}}, // a call that was refused did nothing
			// each call names one of the two
			"requestParameters": map[string]any{
				"stateMachineArn": []any{r.machineARN(), map[string]any{"prefix": r.machineARN() + ":"},
					map[string]any{"exists": false}},
				"executionArn": []any{map[string]any{"prefix": r.arn("states", "execution:"+r.Name+":")},
					map[string]any{"exists": false}},
			},
		},
	}, &awsevents.CfnRule_InputTransformerProperty{
		InputPathsMap: map[string]any{"id": "$.detail.eventID", "time": "$.time", "call": "$.detail.eventName",
			"who": "$.detail.userIdentity.arn", "started": "$.detail.responseElements.executionArn",
			"named": "$.detail.requestParameters.executionArn"},
		// an execution is in the answer to a start, and in the request of the other calls
		InputTemplate: jsii.String(
			`{"record": {"call": {"id": "<id>", "at": "<time>", "name": "<call>", "by": "<who>", ` +
				`"execution": "<started><named>"}}}`),
	})
}
