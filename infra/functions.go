package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslambda"
	"github.com/aws/aws-cdk-go/awscdk/v2/awslogs"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// aliasName is the alias that the state machine invokes. It always leads to a published version, and an execution that
// runs during a deployment uses the new version from its next step on.
const aliasName = "live"

// size is what a function gets.
type size struct {
	memoryMB float64
	// undoes: a rollback needs the function, so it must run even when others use up the account's concurrency.
	undoes bool
}

// sizes are by function. A function mostly waits for APIs, but CPU comes in proportion to memory, and the smallest size
// would make its TLS handshakes slow. The smoke test logs in at every load balancer node and reads its pages.
var sizes = map[string]size{
	"plan":          {memoryMB: 256},
	"createsecret":  {memoryMB: 256},
	"updatealb":     {memoryMB: 256, undoes: true},
	"promotesecret": {memoryMB: 256, undoes: true},
	"smoketest":     {memoryMB: 512, undoes: true},
	"retiresecret":  {memoryMB: 256, undoes: true},
	"record":        {memoryMB: 256},
}

// restores is how many targets a rollback restores at once (MaxConcurrency of its Maps).
const restores = 5

// reserved returns how many executions of a function to reserve, where they are reserved. That is also the most that
// can run, and all clients may rotate at once: each execution of the state machine has one call under way, or as many
// as it restores targets at once.
func (r *rotator) reserved(function string) int {
	const most = 100 // an account has 1,000 by default (Lambda developer guide, "Lambda quotas"), 100 stay unreserved
	n := min(len(r.all), most)
	if function == "updatealb" {
		return restores * n
	}
	return max(5, n)
}

// checkFunctions reports the built functions that are missing: synth compiles nothing.
func checkFunctions(folder string) error {
	for _, f := range statemachine.Functions() {
		if _, err := os.Stat(filepath.Join(folder, f.Name, "bootstrap")); err != nil {
			return fmt.Errorf("function %s is not built; run make functions-arm64: %w", f.Name, err)
		}
	}
	return nil
}

// addFunctions adds the functions, each with its own role and log group.
func (r *rotator) addFunctions(folder string) {
	for _, f := range statemachine.Functions() {
		logs := awslogs.NewLogGroup(r.stack, jsii.String("Logs-"+f.Name), &awslogs.LogGroupProps{
			LogGroupName:  jsii.String(functionLog(r.functionName(f))),
			Retention:     retentions[*r.LogRetentionDays],
			EncryptionKey: r.logKey,
			RemovalPolicy: awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE,
		})
		r.roles[f.Name] = r.functionRole(f, logs)
		fn := r.addFunction(f, filepath.Join(folder, f.Name), logs)
		r.live[f.Name] = awslambda.NewAlias(r.stack, jsii.String("Live-"+f.Name), &awslambda.AliasProps{
			AliasName: jsii.String(aliasName), Version: fn.CurrentVersion()})
	}
}

func (r *rotator) addFunction(f statemachine.Function, code string, logs awslogs.LogGroup) awslambda.Function {
	s := sizes[f.Name]
	props := &awslambda.FunctionProps{
		FunctionName: jsii.String(r.functionName(f)),
		Description:  jsii.String("Step " + f.Name + " of the rotation of ALB client secrets"),
		Runtime:      awslambda.Runtime_PROVIDED_AL2023(),
		Architecture: awslambda.Architecture_ARM_64(),
		Handler:      jsii.String("bootstrap"),
		Code:         awslambda.Code_FromAsset(&code, nil),
		MemorySize:   &s.memoryMB,
		// The state machine's tasks wait 15 s longer, and its settling time is derived from it.
		Timeout: awscdk.Duration_Seconds(jsii.Number(int(f.Timeout / time.Second))),
		Role:    r.roles[f.Name],
		// The names are those of functions/entrypoint.
		Environment: &map[string]*string{
			"JOURNAL_TABLE":    r.journal.TableName(),
			"PARAMETER_PREFIX": jsii.String(r.parameterPrefix()),
			"LOG_LEVEL":        &r.LogLevel,
		},
		LogGroup: logs,
		// The function's own lines are JSON; this makes Lambda's so too.
		LoggingFormat:    awslambda.LoggingFormat_JSON,
		SystemLogLevelV2: awslambda.SystemLogLevel_INFO,
		Tracing:          awslambda.Tracing_ACTIVE,
	}
	if s.undoes && r.ReserveConcurrency {
		props.ReservedConcurrentExecutions = jsii.Number(r.reserved(f.Name))
	}
	if r.inVPC(f) {
		(*props.Environment)["IN_VPC"] = jsii.String("true")
	}
	if r.places != nil && !rights.Functions[f.Name].Evidence {
		(*props.Environment)["PLACE_ROLES"] = jsii.String(r.rights().PlaceRoleARNs(f.Name))
	}
	if rights.Functions[f.Name].Evidence {
		maps.Copy(*props.Environment, r.evidenceEnvironment())
	}
	fn := awslambda.NewFunction(r.stack, jsii.String("Function-"+f.Name), props)
	if r.inVPC(f) {
		// The plain property: an imported subnet would need its availability zone, which the file need not know.
		fn.Node().DefaultChild().(awslambda.CfnFunction).SetVpcConfig(&awslambda.CfnFunction_VpcConfigProperty{
			SubnetIds:        jsii.Strings(r.SmokeTestVPC.SubnetIDs...),
			SecurityGroupIds: jsii.Strings(r.SmokeTestVPC.SecurityGroupIDs...),
		})
	}
	return fn
}

// functionLog is the log group of a function.
func functionLog(function string) string { return "/aws/lambda/" + function }

func (r *rotator) functionName(f statemachine.Function) string { return r.Name + "-" + f.Name }

// inVPC reports whether a function runs in the VPC: only the smoke test talks to load balancers.
func (r *rotator) inVPC(f statemachine.Function) bool {
	return f.Name == "smoketest" && r.SmokeTestVPC != nil
}

// retentions are the days for which CloudWatch Logs can keep lines (API reference, PutRetentionPolicy).
var retentions = map[int]awslogs.RetentionDays{
	1: awslogs.RetentionDays_ONE_DAY, 3: awslogs.RetentionDays_THREE_DAYS, 5: awslogs.RetentionDays_FIVE_DAYS,
	7: awslogs.RetentionDays_ONE_WEEK, 14: awslogs.RetentionDays_TWO_WEEKS, 30: awslogs.RetentionDays_ONE_MONTH,
	60: awslogs.RetentionDays_TWO_MONTHS, 90: awslogs.RetentionDays_THREE_MONTHS,
	120: awslogs.RetentionDays_FOUR_MONTHS,
	150: awslogs.RetentionDays_FIVE_MONTHS, 180: awslogs.RetentionDays_SIX_MONTHS, 365: awslogs.RetentionDays_ONE_YEAR,
	400: awslogs.RetentionDays_THIRTEEN_MONTHS, 545: awslogs.RetentionDays_EIGHTEEN_MONTHS,
	731:  awslogs.RetentionDays_TWO_YEARS,
	1096: awslogs.RetentionDays_THREE_YEARS, 1827: awslogs.RetentionDays_FIVE_YEARS,
	2192: awslogs.RetentionDays_SIX_YEARS,
	2557: awslogs.RetentionDays_SEVEN_YEARS, 2922: awslogs.RetentionDays_EIGHT_YEARS,
	3288: awslogs.RetentionDays_NINE_YEARS,
	3653: awslogs.RetentionDays_TEN_YEARS,
}
