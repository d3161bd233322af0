package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/verify"
)

// limit is how long a stack may take to be made or to go.
const limit = 25 * time.Minute

// tag is what every stack of this program has, and what it makes, too.
var tag = types.Tag{Key: aws.String("alb-oidc-rotator"), Value: aws.String("verify-live")}

// stacks are those of CloudFormation.
type stacks struct{ api *cloudformation.Client }

var _ verify.Stacks = stacks{}

// Former implements verify.Stacks.
func (s stacks) Former(ctx context.Context) ([]verify.Stack, error) {
	var out []verify.Stack
	pages := cloudformation.NewDescribeStacksPaginator(s.api, &cloudformation.DescribeStacksInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, x := range page.Stacks {
			if ours(x) {
				out = append(out, verify.Stack{Name: *x.StackName, Made: aws.ToTime(x.CreationTime)})
			}
		}
	}
	return out, nil
}

// ours reports whether a stack is one of this program: others may begin their names so, too.
func ours(s types.Stack) bool {
	return strings.HasPrefix(aws.ToString(s.StackName), verify.Prefix) &&
		slices.ContainsFunc(s.Tags, func(t types.Tag) bool {
			return aws.ToString(t.Key) == *tag.Key && aws.ToString(t.Value) == *tag.Value
		})
}

// Create implements verify.Stacks.
func (s stacks) Create(ctx context.Context, name, template string, parameters map[string]string) (map[string]string,
	error) {
	in := &cloudformation.CreateStackInput{StackName: &name, TemplateBody: &template,
		OnFailure:    types.OnFailureDoNothing,
		Capabilities: []types.Capability{types.CapabilityCapabilityIam},
		Tags:         []types.Tag{tag}}
	for k, v := range parameters {
		in.Parameters = append(in.Parameters, types.Parameter{ParameterKey: aws.String(k),
			ParameterValue: aws.String(v)})
	}
	if _, err := s.api.CreateStack(ctx, in); err != nil {
		return nil, err
	}
	made, err := cloudformation.NewStackCreateCompleteWaiter(s.api).WaitForOutput(ctx,
		&cloudformation.DescribeStacksInput{StackName: &name}, limit)
	if err != nil {
		return nil, errors.Join(err, s.reason(ctx, name))
	}
	out := map[string]string{}
	for _, o := range made.Stacks[0].Outputs {
		out[aws.ToString(o.OutputKey)] = aws.ToString(o.OutputValue)
	}
	return out, nil
}

// Delete implements verify.Stacks.
func (s stacks) Delete(ctx context.Context, name string) error {
	if _, err := s.api.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &name}); err != nil {
		return err
	}
	err := cloudformation.NewStackDeleteCompleteWaiter(s.api).Wait(ctx,
		&cloudformation.DescribeStacksInput{StackName: &name}, limit)
	if err != nil {
		return errors.Join(err, s.reason(ctx, name))
	}
	return nil
}

// reason names the first resource that failed, and why.
func (s stacks) reason(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	var failed error
	pages := cloudformation.NewDescribeStackEventsPaginator(s.api,
		&cloudformation.DescribeStackEventsInput{StackName: &name})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var api smithy.APIError
		if errors.As(err, &api) && api.ErrorCode() == "ValidationError" {
			return failed // there is no such stack any more
		}
		if err != nil {
			return err
		}
		for _, e := range page.StackEvents { // the newest first
			if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") {
				failed = fmt.Errorf("%s %s: %s", aws.ToString(e.LogicalResourceId), e.ResourceStatus,
					aws.ToString(e.ResourceStatusReason))
			}
		}
	}
	return failed
}
