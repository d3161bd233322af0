package doctor

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rights"
)

// checkRights has IAM simulate what the functions and the state machine do for a client. It returns false if IAM could
// not be asked, so that a dry run has to show it.
func (d *Doctor) checkRights(ctx context.Context, r *report, c config.Client, keys map[string]string,
	targets []string) bool {
	api := iam.NewFromConfig(d.System.AWS(d.System.Region))
	for _, name := range slices.Sorted(maps.Keys(d.roles)) {
		calls := d.stack.OfMachine(c)
		if name != machine {
			calls = d.stack.Calls(name, c, keys, targets)
		}
		for _, call := range calls {
			role := d.roles[name]
			if call.Place > 0 {
				role = d.stack.PlaceRoleARN(name, call.Place)
			}
			err := d.simulate(ctx, r, api, role, call)
			if notFound(err) {
				r.add(Error, "rights", "make deploy", "the role %s does not exist", role)
				break
			}
			if !r.unless(err, "rights", "what "+role+" may do", "", "") {
				return false
			}
		}
	}
	return len(d.roles) > 0
}

// machine stands for the state machine among the functions.
const machine = "the state machine"

// readRoles returns those of the functions and of the state machine, as far as they could be read: whether these exist
// is looked at elsewhere.
func (d *Doctor) readRoles(ctx context.Context) map[string]string {
	out := map[string]string{}
	functions := lambda.NewFromConfig(d.System.AWS(d.System.Region))
	for name := range rights.Functions {
		f, err := functions.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{
			FunctionName: aws.String(d.stack.Name + "-" + name)})
		if err == nil {
			out[name] = aws.ToString(f.Role)
		}
	}
	m, err := sfn.NewFromConfig(d.System.AWS(d.System.Region)).DescribeStateMachine(ctx,
		&sfn.DescribeStateMachineInput{StateMachineArn: aws.String(d.System.MachineARN())})
	if err == nil {
		out[machine] = aws.ToString(m.RoleArn)
	}
	return out
}

// simulate asks IAM about one call, and reports what is denied.
func (d *Doctor) simulate(ctx context.Context, r *report, api *iam.Client, role string, call rights.Call) error {
	in := &iam.SimulatePrincipalPolicyInput{PolicySourceArn: &role, ActionNames: call.Actions,
		ResourceArns: call.Resources}
	for _, key := range slices.Sorted(maps.Keys(call.Context)) {
		kind := iamtypes.ContextKeyTypeEnumString
		if key == "dynamodb:LeadingKeys" { // which has several values
			kind = iamtypes.ContextKeyTypeEnumStringList
		}
		in.ContextEntries = append(in.ContextEntries, iamtypes.ContextEntry{ContextKeyName: &key, ContextKeyType: kind,
			ContextKeyValues: []string{call.Context[key]}})
	}
	pages := iam.NewSimulatePrincipalPolicyPaginator(api, in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, e := range page.EvaluationResults {
			d.tellDenied(r, role, e)
		}
	}
	return nil
}

func (d *Doctor) tellDenied(r *report, role string, e iamtypes.EvaluationResult) {
	if e.EvalDecision == iamtypes.PolicyEvaluationDecisionTypeAllowed {
		return
	}
	who := role[strings.LastIndex(role, "/")+1:]
	switch missing := strings.Join(e.MissingContextValues, ", "); {
	case e.OrganizationsDecisionDetail != nil && !e.OrganizationsDecisionDetail.AllowedByOrganizations:
		r.add(Error, "rights", "ask those who manage the organization's policies",
			"a policy of the organization denies "+
				"%s on %s to role %s", aws.ToString(e.EvalActionName), aws.ToString(e.EvalResourceName), who)
	case missing != "":
		r.add(Warning, "rights",
			"read the conditions of the policies that name it; a dry run shows what is so: rotator plan "+
				r.client, "by the simulation role %s may not %s on %s, but that depends on %s, which is not known here",
			who,
			aws.ToString(e.EvalActionName), aws.ToString(e.EvalResourceName), missing)
	default:
		r.add(Error, "rights", "make deploy; if that changes nothing, see what denies it: the permissions boundary, "+
			"or another policy of the role", "role %s may not %s on %s (%s)", who, aws.ToString(e.EvalActionName),
			aws.ToString(e.EvalResourceName), e.EvalDecision)
	}
}
