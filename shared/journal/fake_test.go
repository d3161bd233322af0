package journal_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

const (
	client = "orders-web"
	table  = "rotation-journal"
	me     = "arn:aws:states:eu-central-1:111122223333:execution:rotation:1"
	// reference is what the state machine writes beside the owner me.
	reference = `{"execution":"` + me + `","version":7,"sha256":"ab12","client":{"name":"orders-web","secretArn":"arn:s",` +
		`"issuer":"https://idp.example","clientId":"0oa1","clientPair":"0oa2","provider":"okta"}}`
	other = "arn:aws:states:eu-central-1:111122223333:execution:rotation:2"
)

// fake is a DynamoDB table with one item.
type fake struct {
	t    *testing.T
	item map[string]types.AttributeValue
	// getErr and updateErr make the next call fail; lost lets the next update take effect first. repeat lets it take
	// effect twice, as when the SDK repeats a request whose answer was lost. before runs before the next update.
	getErr, updateErr error
	lost, repeat      bool
	before            func()
	updates           int
}

func newFake(t *testing.T) *fake {
	return &fake{t: t, item: map[string]types.AttributeValue{"owner": text(me), "config": text(reference)}}
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

func (f *fake) key(tableName *string, key map[string]types.AttributeValue) {
	if aws.ToString(tableName) != table || len(key) != 1 || plain(key["client"]) != "S "+client {
		f.t.Errorf("not the client's item: table %s, key %v", aws.ToString(tableName), key)
	}
}

func (f *fake) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	f.key(in.TableName, in.Key)
	if !aws.ToBool(in.ConsistentRead) {
		f.t.Error("the read is not strongly consistent")
	}
	if err := f.getErr; err != nil {
		f.getErr = nil
		return nil, err
	}
	return &dynamodb.GetItemOutput{Item: maps.Clone(f.item)}, nil
}

func (f *fake) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	f.key(in.TableName, in.Key)
	if f.before != nil {
		f.before()
		f.before = nil
	}
	err, lost := f.updateErr, f.lost
	f.updateErr, f.lost = nil, false
	if err != nil && !lost {
		return nil, err
	}
	if refused := f.update(in); refused != nil {
		return nil, refused
	}
	if f.repeat {
		f.repeat = false
		return nil, f.update(in)
	}
	return &dynamodb.UpdateItemOutput{}, err
}

// update carries out the one expression that the journal uses, under any condition of its form.
func (f *fake) update(in *dynamodb.UpdateItemInput) error {
	for _, term := range strings.Split(aws.ToString(in.ConditionExpression), " AND ") {
		alternatives := strings.Split(strings.TrimPrefix(term, "("), " OR ")
		if !slices.ContainsFunc(alternatives, func(s string) bool { return f.holds(in, s) }) {
			return &types.ConditionalCheckFailedException{Message: aws.String("the conditional request failed")}
		}
	}
	set, ok := strings.CutPrefix(aws.ToString(in.UpdateExpression), "SET ")
	if !ok {
		f.t.Fatalf("update expression %q", aws.ToString(in.UpdateExpression))
	}
	for _, assignment := range strings.Split(set, ", ") {
		name, value, _ := strings.Cut(assignment, " = ")
		f.item[in.ExpressionAttributeNames[name]] = in.ExpressionAttributeValues[value]
	}
	f.updates++
	return nil
}

// holds evaluates attribute_not_exists(#name), #name = :value or #name < :value.
func (f *fake) holds(in *dynamodb.UpdateItemInput, condition string) bool {
	condition = strings.TrimSuffix(condition, ")")
	if name, ok := strings.CutPrefix(condition, "attribute_not_exists("); ok {
		return f.item[in.ExpressionAttributeNames[name]] == nil
	}
	if name, value, ok := strings.Cut(condition, " < "); ok {
		is, than := plain(f.item[in.ExpressionAttributeNames[name]]), plain(in.ExpressionAttributeValues[value])
		return is != "" && len(is) == len(than) && is < than // numbers of as many digits
	}
	name, value, ok := strings.Cut(condition, " = ")
	if !ok {
		f.t.Fatalf("condition %q", condition)
	}
	is := f.item[in.ExpressionAttributeNames[name]]
	return is != nil && plain(is) == plain(in.ExpressionAttributeValues[value])
}
