package fakes

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

// DynamoDB is the client's item in the journal's table.
type DynamoDB struct {
	t   testing.TB
	api *dynamodb.Client // past the wire
}

func (d *DynamoDB) createTable() {
	_, err := d.api.CreateTable(context.Background(), &dynamodb.CreateTableInput{TableName: aws.String(table),
		BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("client"),
			KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("client"), AttributeType: "S"}}})
	if err != nil {
		d.t.Fatal(err)
	}
}

// SetOwner gives the client's lock to an execution, "" for none, as the state machine does.
func (d *DynamoDB) SetOwner(execution string) {
	if execution == "" {
		d.set("owner", nil)
		return
	}
	d.set("owner", &types.AttributeValueMemberS{Value: execution})
}

// SetConfig says which configuration an execution works by, as the state machine does.
func (d *DynamoDB) SetConfig(r config.Reference) { d.set("config", d.document(r)) }

// SetOwnerSince says since when the lock is held, as the state machine does.
func (d *DynamoDB) SetOwnerSince(at time.Time) {
	// as JSONata's $now
	d.set("ownerSince", &types.AttributeValueMemberS{Value: at.Format("2006-01-02T15:04:05.000Z07:00")})
}

// Set replaces the client's journal as an earlier call would have left it.
func (d *DynamoDB) Set(j journal.Journal) {
	d.set("state", d.document(j))
	d.set("rev", number(d.number("rev")+1))
}

// Get is the client's journal as it is stored.
func (d *DynamoDB) Get() journal.Journal {
	var j journal.Journal
	if s, ok := d.attribute("state").(*types.AttributeValueMemberS); ok {
		if err := json.Unmarshal([]byte(s.Value), &j); err != nil {
			d.t.Fatal(err)
		}
	}
	return j
}

// LastWrite is when a target was last written, as it is noted.
func (d *DynamoDB) LastWrite() time.Time { return time.UnixMilli(d.number("lastWrite")).UTC() }

// SetLast notes how an execution ended as the state machine does.
func (d *DynamoDB) SetLast(execution, outcome string) {
	d.set("lastExecution", &types.AttributeValueMemberS{Value: execution})
	d.set("lastOutcome", &types.AttributeValueMemberS{Value: outcome})
}

// SetLastWrite notes a write of a target as function updatealb does.
func (d *DynamoDB) SetLastWrite(at time.Time) { d.set("lastWrite", number(at.UnixMilli())) }

// set gives the item an attribute, or takes it away if v is nil.
func (d *DynamoDB) set(name string, v types.AttributeValue) {
	d.t.Helper()
	in := &dynamodb.UpdateItemInput{TableName: aws.String(table), Key: key(), UpdateExpression: aws.String("REMOVE #n"),
		ExpressionAttributeNames: map[string]string{"#n": name}}
	if v != nil {
		in.UpdateExpression, in.ExpressionAttributeValues = aws.String("SET #n = :v"), map[string]types.AttributeValue{
			":v": v}
	}
	if _, err := d.api.UpdateItem(context.Background(), in); err != nil {
		d.t.Fatal(err)
	}
}

// attribute is one of the item's, nil if it has none of that name.
func (d *DynamoDB) attribute(name string) types.AttributeValue {
	d.t.Helper()
	out, err := d.api.GetItem(context.Background(), &dynamodb.GetItemInput{TableName: aws.String(table), Key: key()})
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Item[name]
}

// number is an attribute's, 0 if there is none.
func (d *DynamoDB) number(name string) int64 {
	n, ok := d.attribute(name).(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *DynamoDB) document(v any) types.AttributeValue {
	doc, err := json.Marshal(v)
	if err != nil {
		d.t.Fatal(err)
	}
	return &types.AttributeValueMemberS{Value: string(doc)}
}

func number(n int64) types.AttributeValue {
	return &types.AttributeValueMemberN{Value: strconv.FormatInt(n, 10)}
}

func key() map[string]types.AttributeValue {
	return map[string]types.AttributeValue{"client": &types.AttributeValueMemberS{Value: ClientName}}
}
