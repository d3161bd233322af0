package journal_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awstest/awsapi"
	ddbtest "alboidc.internal/shared/awstest/dynamodb"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/fault"
)

const (
	client = "orders-web"
	table  = "rotation-journal"
	me     = "arn:aws:states:eu-central-1:111122223333:execution:rotation:1"
	// reference is what the state machine writes beside the owner me.
	reference = `{"execution":"` + me +
		`","version":7,"sha256":"ab12","client":{"name":"orders-web","secretArn":"arn:s",` +
		`"issuer":"https://idp.example","clientId":"0oa1","clientPair":"0oa2","provider":"okta"}}`
	other = "arn:aws:states:eu-central-1:111122223333:execution:rotation:2"
)

// item is the client's item in DynamoDB.
type item struct {
	*dynamodb.Client
	t      *testing.T
	server *awsapi.Server
	faults fault.Injector
	// before runs before the next update that is asked for.
	before func()
}

// newItem has an owner, me, and its reference.
func newItem(t *testing.T) *item {
	t.Helper()
	c := clock.NewVirtual(noon)
	f := &item{t: t}
	f.server = awsapi.NewServer(c, &f.faults, ddbtest.New(c))
	f.Client = f.connect(1)
	if _, err := f.CreateTable(t.Context(), &dynamodb.CreateTableInput{TableName: aws.String(table),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("client"),
			KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("client"),
			AttributeType: "S"}}}); err != nil {
		t.Fatal(err)
	}
	f.set("owner", text(me))
	f.set("config", text(reference))
	f.faults.Observe(func(_, operation, request string) {
		if operation == "GetItem" && !strings.Contains(request, `"ConsistentRead":true`) {
			t.Error("the read is not strongly consistent")
		}
		if act := f.before; operation == "UpdateItem" && act != nil {
			f.before = nil
			act()
		}
	})
	return f
}

// connect returns a client that sends each request as often, if it gets no answer.
func (f *item) connect(attempts int) *dynamodb.Client {
	return dynamodb.NewFromConfig(awsapi.Repeating(awsapi.Config(f.server, "eu-central-1"), attempts))
}

// once puts a fault in force for one request.
func (f *item) once(r fault.Rule) {
	f.t.Helper()
	r.Service, r.Times = "dynamodb", 1
	if _, err := f.faults.Add(r); err != nil {
		f.t.Fatal(err)
	}
}

// refuse makes the next request fail before its effect.
func (f *item) refuse(operation string, status int, code string) {
	f.once(fault.Rule{Operation: operation, Mode: fault.Refuse, Status: status, Code: code})
}

func (f *item) key() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"client": text(client)}
}

// set gives the item an attribute as another hand would, or takes it away if v is nil.
func (f *item) set(name string, v types.AttributeValue) {
	f.t.Helper()
	in := &dynamodb.UpdateItemInput{TableName: aws.String(table), Key: f.key(),
		UpdateExpression:         aws.String("REMOVE #n"),
		ExpressionAttributeNames: map[string]string{"#n": name}}
	if v != nil {
		in.UpdateExpression, in.ExpressionAttributeValues = aws.String("SET #n = :v"), map[string]types.AttributeValue{
			":v": v}
	}
	if _, err := f.connect(1).UpdateItem(f.t.Context(), in); err != nil {
		f.t.Fatal(err)
	}
}

// attributes are the item's but for its key, as their types and values.
func (f *item) attributes() map[string]string {
	f.t.Helper()
	out, err := f.connect(1).GetItem(f.t.Context(), &dynamodb.GetItemInput{TableName: aws.String(table), Key: f.key(),
		ConsistentRead: aws.Bool(true)})
	if err != nil {
		f.t.Fatal(err)
	}
	all := map[string]string{}
	for name, v := range out.Item {
		if name != "client" {
			all[name] = plain(v)
		}
	}
	return all
}

func text(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }

func number(s string) types.AttributeValue { return &types.AttributeValueMemberN{Value: s} }

// plain is an attribute's type and value.
func plain(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return "S " + v.Value
	case *types.AttributeValueMemberN:
		return "N " + v.Value
	default:
		return ""
	}
}
