package sns_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/sns"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"
	"github.com/aws/smithy-go"
)

const topicARN = "arn:aws:sns:eu-central-1:111122223333:alerts"

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

func newStack(t *testing.T) (*sns.Service, *sdk.Client) {
	t.Helper()
	c := clock.NewVirtual(start())
	service := sns.New(c)
	server := httptest.NewServer(awsapi.NewServer(c, nil, service))
	t.Cleanup(server.Close)
	return service, sdk.New(sdk.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")})
}

func withTopic(t *testing.T) (*sns.Service, *sdk.Client) {
	t.Helper()
	service, client := newStack(t)
	out, err := client.CreateTopic(context.Background(), &sdk.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil || *out.TopicArn != topicARN {
		t.Fatalf("%+v %v", out, err)
	}
	return service, client
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

func TestPublishedMessageIsKept(t *testing.T) {
	t.Parallel()
	service, client := withTopic(t)
	out, err := client.Publish(context.Background(), &sdk.PublishInput{TopicArn: aws.String(topicARN),
		Subject: aws.String("rotated"), Message: aws.String("orders-web & <more>"),
		MessageAttributes: map[string]types.MessageAttributeValue{"client": {DataType: aws.String("String"),
			StringValue: aws.String("orders-web")}}})
	if err != nil {
		t.Fatal(err)
	}
	got := service.Messages(topicARN)
	if len(got) != 1 || got[0].ID != *out.MessageId || got[0].Subject != "rotated" ||
		got[0].Message != "orders-web & <more>" ||
		got[0].Attributes["client"] != "orders-web" || !got[0].Time.Equal(start()) {
		t.Errorf("messages %+v", got)
	}
}

func TestTopicThatDoesNotExistIsNotFound(t *testing.T) {
	t.Parallel()
	service, client := newStack(t)
	_, err := client.Publish(context.Background(), &sdk.PublishInput{TopicArn: aws.String(topicARN),
		Message: aws.String("x")})
	wantCode(t, err, "NotFound")
	var notFound *types.NotFoundException
	if !errors.As(err, &notFound) || notFound.ErrorMessage() != "Topic does not exist" {
		t.Errorf("error %v is not the SDK's NotFoundException", err)
	}
	if service.Messages(topicARN) != nil {
		t.Error("there are messages")
	}
}

func TestAnARNThatIsNoTopicsIsAnInvalidParameter(t *testing.T) {
	t.Parallel()
	_, client := withTopic(t)
	for arn, want := range map[string]string{
		"":                                "TopicArn or TargetArn Reason: no value for required parameter",
		"alerts":                          "TopicArn Reason: An ARN must have at least 6 elements, not 1",
		" ":                               "TopicArn Reason: An ARN must have at least 6 elements, not 1",
		"arn:aws:sns:eu-central-1:alerts": "TopicArn Reason: An ARN must have at least 6 elements, not 5",
		topicARN + ":1":                   "TopicArn",
		"x" + topicARN:                    "TopicArn",
		strings.Replace(topicARN, ":sns:", ":sqs:", 1):            "TopicArn",
		strings.Replace(topicARN, "eu-central-1", "eu-west-1", 1): "TopicArn",
		strings.Replace(topicARN, "111122223333", "", 1):          "TopicArn",
		strings.Replace(topicARN, "alerts", "not a name", 1):      "TopicArn",
	} {
		_, err := client.Publish(context.Background(), &sdk.PublishInput{TopicArn: &arn, Message: aws.String("x")})
		wantCode(t, err, "InvalidParameter")
		var invalid *types.InvalidParameterException
		if !errors.As(err, &invalid) || invalid.ErrorMessage() != "Invalid parameter: "+want {
			t.Errorf("%q: %v, want %s", arn, err, want)
		}
	}
}

// What a message has wrong is told before the topic is looked up.
func TestAMessageIsCheckedBeforeItsTopic(t *testing.T) {
	t.Parallel()
	_, client := newStack(t)
	_, err := client.Publish(context.Background(), &sdk.PublishInput{TopicArn: aws.String(topicARN),
		Message: aws.String("")})
	wantCode(t, err, "InvalidParameter")
}

func TestPublishRefuses(t *testing.T) {
	t.Parallel()
	service, client := withTopic(t)
	for name, c := range map[string]struct {
		in   sdk.PublishInput
		code string
	}{
		"an empty message": {sdk.PublishInput{Message: aws.String("")}, "InvalidParameter"},
		"a message over 256 KB": {sdk.PublishInput{Message: aws.String(strings.Repeat("x", 256<<10+1))},
			"InvalidParameter"},
		"a subject over 100 characters": {sdk.PublishInput{Message: aws.String("x"),
			Subject: aws.String(strings.Repeat("x", 101))}, "InvalidParameter"},
		"a subject with a line break": {sdk.PublishInput{Message: aws.String("x"),
			Subject: aws.String("a\nb")}, "InvalidParameter"},
		"MessageStructure, which it has not": {sdk.PublishInput{Message: aws.String("{}"),
			MessageStructure: aws.String("json")}, "NotImplemented"},
		"an attribute that is a byte sequence": {sdk.PublishInput{Message: aws.String("x"),
			MessageAttributes: map[string]types.MessageAttributeValue{"a": {DataType: aws.String("Binary"),
				BinaryValue: []byte("x")}}}, "NotImplemented"},
	} {
		c.in.TopicArn = aws.String(topicARN)
		_, err := client.Publish(context.Background(), &c.in)
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.code) })
	}
	if got := service.Messages(topicARN); len(got) != 0 {
		t.Errorf("refused messages were kept: %+v", got)
	}
}

func TestCreateTopicAgainReturnsTheSameTopic(t *testing.T) {
	t.Parallel()
	_, client := withTopic(t)
	ctx := context.Background()
	out, err := client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("alerts")})
	if err != nil || *out.TopicArn != topicARN {
		t.Errorf("%+v %v", out, err)
	}
	_, err = client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("alerts.fifo"),
		Attributes: map[string]string{"FifoTopic": "true"}})
	wantCode(t, err, "NotImplemented")
	_, err = client.CreateTopic(ctx, &sdk.CreateTopicInput{Name: aws.String("not a name")})
	wantCode(t, err, "InvalidParameter")
}

func TestUnknownOperationIsRefusedByName(t *testing.T) {
	t.Parallel()
	_, client := withTopic(t)
	_, err := client.DeleteTopic(context.Background(), &sdk.DeleteTopicInput{TopicArn: aws.String(topicARN)})
	wantCode(t, err, "NotImplemented")
	if err == nil || !strings.Contains(err.Error(), "sns:DeleteTopic") {
		t.Errorf("error %v does not name the operation", err)
	}
}
