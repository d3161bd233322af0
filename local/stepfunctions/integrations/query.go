package integrations

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/smithy-go"

	"alboidc.internal/local/asl"
)

// The services below do not speak JSON in both directions, so they are called through their SDK clients, whose members
// are called what Step Functions calls them.

var (
	elbNames        = names{"ElasticLoadBalancingV2", "ElasticLoadBalancingV2Exception", "ElasticLoadBalancingV2", true}
	cloudWatchNames = names{"CloudWatch", "CloudWatchException", "CloudWatch", true}
)

// queryActions are the AWS SDK integrations of those services.
var queryActions = map[string]action{
	"sns:publish": publish(names{"Sns", "SnsException", "Sns", true}),
	"elasticloadbalancingv2:describeLoadBalancers": func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return client(ctx, t, elbNames, plain(c.elb(t).DescribeLoadBalancers))
	},
	"elasticloadbalancingv2:describeListeners": func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return client(ctx, t, elbNames, plain(c.elb(t).DescribeListeners))
	},
	"elasticloadbalancingv2:describeRules": func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return client(ctx, t, elbNames, plain(c.elb(t).DescribeRules))
	},
	"elasticloadbalancingv2:describeTags": func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return client(ctx, t, elbNames, plain(c.elb(t).DescribeTags))
	},
	"cloudwatch:getMetricData": func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		return client(ctx, t, cloudWatchNames, plain(cloudwatch.NewFromConfig(c.config(t)).GetMetricData))
	},
}

// publish is SNS's Publish. As an optimised integration it takes a Message that is JSON other than a string, and sends
// its text (developer guide, "Publish messages to an Amazon SNS topic with Step Functions").
func publish(n names) action {
	return func(c *Client, ctx context.Context, t asl.Task) (json.RawMessage, *asl.TaskError) {
		if !n.sdk {
			t.Arguments = textMessage(t.Arguments)
		}
		return client(ctx, t, n, plain(sns.NewFromConfig(c.config(t)).Publish))
	}
}

func textMessage(arguments json.RawMessage) json.RawMessage {
	fields := map[string]json.RawMessage{}
	if json.Unmarshal(arguments, &fields) != nil || len(fields["Message"]) == 0 || fields["Message"][0] == '"' {
		return arguments
	}
	text, err := json.Marshal(string(fields["Message"]))
	if err != nil {
		return arguments
	}
	fields["Message"] = text
	b, err := json.Marshal(fields)
	if err != nil {
		return arguments
	}
	return b
}

// config makes SDK clients that send one attempt to the endpoint: retrying is the state machine's business.
func (c *Client) config(t asl.Task) aws.Config {
	return aws.Config{
		Region:       t.Region,
		Credentials:  credentials.NewStaticCredentialsProvider("stepfunctions", "local", ""),
		BaseEndpoint: aws.String(c.Endpoint),
		HTTPClient:   c.HTTP,
		Retryer:      func() aws.Retryer { return aws.NopRetryer{} },
	}
}

func (c *Client) elb(t asl.Task) *elasticloadbalancingv2.Client {
	return elasticloadbalancingv2.NewFromConfig(c.config(t))
}

// plain drops the options of an SDK operation.
func plain[I, O, F any](operation func(context.Context, *I, ...F) (*O, error)) func(context.Context, *I) (*O, error) {
	return func(ctx context.Context, in *I) (*O, error) { return operation(ctx, in) }
}

// client carries out one SDK operation with JSON arguments and a JSON result.
func client[I, O any](ctx context.Context, t asl.Task, n names, operation func(context.Context, *I) (*O, error)) (json.RawMessage, *asl.TaskError) {
	in := new(I)
	if err := strict(t.Arguments, in); err != nil {
		return nil, err
	}
	out, err := operation(ctx, in)
	if err != nil {
		return nil, n.clientError(err)
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	value, err := decode(b)
	if err != nil {
		return nil, runtimeError(err.Error())
	}
	fields, _ := dropNulls(value).(map[string]any)
	delete(fields, "ResultMetadata")
	if b, err = json.Marshal(fields); err != nil {
		return nil, runtimeError(err.Error())
	}
	return b, nil
}

// clientError names the error of an SDK client. A type of its own means that the API models the error.
func (n names) clientError(err error) *asl.TaskError {
	var api smithy.APIError
	if !errors.As(err, &api) {
		var invalid *smithy.InvalidParamsError
		if errors.As(err, &invalid) {
			return runtimeError(invalid.Error())
		}
		return n.unreachable()
	}
	var resp *awshttp.ResponseError
	status, id := 400, ""
	if errors.As(err, &resp) {
		status, id = resp.HTTPStatusCode(), resp.ServiceRequestID()
	}
	var general *smithy.GenericAPIError
	return n.refused(api.ErrorCode(), api.ErrorMessage(), id, status, !errors.As(err, &general))
}

// dropNulls removes absent members, which an SDK's structures show as null.
func dropNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			if e == nil {
				delete(v, k)
			} else {
				v[k] = dropNulls(e)
			}
		}
	case []any:
		for i, e := range v {
			v[i] = dropNulls(e)
		}
	}
	return v
}
