package fakes

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
)

type item = map[string]types.AttributeValue

// DynamoDB is the journal's table.
type DynamoDB struct {
	t         testing.TB
	wire      *Wire
	items     map[string]item
	documents []string // every document that was ever written
}

var _ journal.API = (*DynamoDB)(nil)

// SetOwner gives the client's lock to an execution, "" for none, as the state machine does.
func (d *DynamoDB) SetOwner(execution string) {
	if execution == "" {
		delete(d.of(ClientName), "owner")
		return
	}
	d.of(ClientName)["owner"] = &types.AttributeValueMemberS{Value: execution}
}

// SetConfig says which configuration an execution works by, as the state machine does.
func (d *DynamoDB) SetConfig(r config.Reference) {
	doc, err := json.Marshal(r)
	if err != nil {
		d.t.Fatal(err)
	}
	d.of(ClientName)["config"] = &types.AttributeValueMemberS{Value: string(doc)}
}

// SetOwnerSince says since when the lock is held, as the state machine does.
func (d *DynamoDB) SetOwnerSince(at time.Time) {
	d.of(ClientName)["ownerSince"] = &types.AttributeValueMemberS{Value: at.Format("2006-01-02T15:04:05.000Z07:00")} // as JSONata's $now
}

// Set replaces the client's journal as an earlier call would have left it.
func (d *DynamoDB) Set(j journal.Journal) {
	doc, err := json.Marshal(j)
	if err != nil {
		d.t.Fatal(err)
	}
	d.of(ClientName)["state"] = &types.AttributeValueMemberS{Value: string(doc)}
	d.of(ClientName)["rev"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(d.rev()+1, 10)}
}

// Get is the client's journal as it is stored.
func (d *DynamoDB) Get() journal.Journal {
	var j journal.Journal
	if s, ok := d.of(ClientName)["state"].(*types.AttributeValueMemberS); ok {
		if err := json.Unmarshal([]byte(s.Value), &j); err != nil {
			d.t.Fatal(err)
		}
	}
	return j
}

func (d *DynamoDB) rev() int64 {
	n, ok := d.of(ClientName)["rev"].(*types.AttributeValueMemberN)
	if !ok {
		return 0
	}
	v, err := strconv.ParseInt(n.Value, 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return v
}

func (d *DynamoDB) of(client string) item {
	if d.items[client] == nil {
		d.items[client] = item{}
	}
	return d.items[client]
}

// GetItem implements journal.API.
func (d *DynamoDB) GetItem(_ context.Context, in *dynamodb.GetItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	out := &dynamodb.GetItemOutput{}
	return out, d.wire.read("GetItem", func() error {
		if !aws.ToBool(in.ConsistentRead) || aws.ToString(in.TableName) != table {
			d.t.Errorf("the journal is read from %s, consistently: %v", aws.ToString(in.TableName), aws.ToBool(in.ConsistentRead))
		}
		out.Item = maps.Clone(d.of(text(in.Key["client"])))
		return nil
	})
}

// UpdateItem implements journal.API, for the journal's own expressions. The write is named by the states of the secrets
// in the document, and by its promotion.
func (d *DynamoDB) UpdateItem(_ context.Context, in *dynamodb.UpdateItemInput, _ ...func(*dynamodb.Options)) (*dynamodb.UpdateItemOutput, error) {
	values := in.ExpressionAttributeValues
	if values[":at"] != nil {
		return &dynamodb.UpdateItemOutput{}, d.wire.read("note", func() error { return d.note(in) }) // no write that a test counts
	}
	if values[":proven"] != nil {
		return &dynamodb.UpdateItemOutput{}, d.wire.read("proof", func() error {
			stored := d.of(text(in.Key["client"]))
			if text(stored["owner"]) != text(values[":owner"]) {
				return &types.ConditionalCheckFailedException{}
			}
			stored["proven"] = values[":proven"]
			return nil
		})
	}
	doc := text(values[":state"])
	return &dynamodb.UpdateItemOutput{}, d.wire.write("journal "+d.summary(doc), func() error {
		stored := d.of(text(in.Key["client"]))
		was := stored["rev"] == nil && strings.Contains(aws.ToString(in.ConditionExpression), "attribute_not_exists(#rev)") ||
			stored["rev"] != nil && text(stored["rev"]) == text(values[":was"])
		if text(stored["owner"]) != text(values[":owner"]) || !was {
			return &types.ConditionalCheckFailedException{}
		}
		stored["state"], stored["rev"] = values[":state"], values[":rev"]
		d.documents = append(d.documents, doc)
		return nil
	})
}

// note carries out the note of a write of a target.
func (d *DynamoDB) note(in *dynamodb.UpdateItemInput) error {
	stored, values := d.of(text(in.Key["client"])), in.ExpressionAttributeValues
	last := in.ExpressionAttributeNames["#last"]
	was, _ := strconv.ParseInt(text(stored[last]), 10, 64)
	at, err := strconv.ParseInt(text(values[":at"]), 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	if text(stored["owner"]) != text(values[":owner"]) || was >= at {
		return &types.ConditionalCheckFailedException{}
	}
	stored[last] = values[":at"]
	return nil
}

// LastWrite is when a target was last written, as it is noted.
func (d *DynamoDB) LastWrite() time.Time {
	ms, err := strconv.ParseInt(text(d.of(ClientName)["lastWrite"]), 10, 64)
	if err != nil {
		d.t.Fatal(err)
	}
	return time.UnixMilli(ms).UTC()
}

// SetLastWrite notes a write of a target as function updatealb does.
func (d *DynamoDB) SetLastWrite(at time.Time) {
	d.of(ClientName)["lastWrite"] = &types.AttributeValueMemberN{Value: strconv.FormatInt(at.UnixMilli(), 10)}
}

// summary is a document in one line: "version-new:intended version-old:live".
func (d *DynamoDB) summary(doc string) string {
	var j journal.Journal
	if err := json.Unmarshal([]byte(doc), &j); err != nil {
		d.t.Errorf("the journal's document is not JSON: %v", err)
	}
	var parts []string
	for _, v := range slices.Sorted(maps.Keys(j.Secrets)) {
		parts = append(parts, v+":"+string(j.Secrets[v].State))
	}
	if p := j.Promotion; p != nil {
		moved := "intended"
		if !p.GraceUntil.IsZero() {
			moved = "done"
		}
		parts = append(parts, "promotion:"+moved)
	}
	return strings.Join(parts, " ")
}

func text(v types.AttributeValue) string {
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		return v.Value
	case *types.AttributeValueMemberN:
		return v.Value
	default:
		return ""
	}
}
