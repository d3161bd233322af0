package evidence

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"alboidc.internal/shared/awserr"
)

// API is the part of DynamoDB that the table uses.
type API interface {
	PutItem(ctx context.Context, in *dynamodb.PutItemInput, opts ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput,
		error)
	Query(ctx context.Context, in *dynamodb.QueryInput, opts ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error)
}

// The attributes of an item: the partition key (the month in which the run ended, or the call was made), the sort key
// (ID, or that of the call after callPrefix), the record or the call as JSON, and when DynamoDB removes it.
const (
	attributeMonth   = "month"
	attributeID      = "id"
	attributeRecord  = "record"
	attributeCall    = "call"
	attributeExpires = "expires"
	callPrefix       = "call#"
)

// maxText leaves room for the other attributes of an item, of 400 KB in all (DynamoDB developer guide, "Quotas").
const maxText = 380 << 10

// Table is the evidence table.
type Table struct {
	api  API
	name string
	// years is how long what is written now is kept.
	years int
}

// New returns the table of that name. years is how long records are kept; a reader gives 0.
func New(api API, table string, years int) *Table { return &Table{api: api, name: table, years: years} }

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encoding a record: %w", err)
	}
	return text, nil
}

// Put writes a record, unless there is one of the same run: what is written is never changed.
func (t *Table) Put(ctx context.Context, r Record) error {
	_, text, err := r.fit(maxText)
	if err != nil {
		return err
	}
	return t.put(ctx, r.Ended, r.ID(), attributeRecord, text)
}

// PutCall writes a call, unless it is known: EventBridge may deliver an event twice.
func (t *Table) PutCall(ctx context.Context, c Call) error {
	text, err := encode(c)
	if err != nil {
		return err
	}
	return t.put(ctx, c.At, callPrefix+c.ID, attributeCall, text)
}

func (t *Table) put(ctx context.Context, at time.Time, id, attribute string, text []byte) error {
	is := func(s string) types.AttributeValue { return &types.AttributeValueMemberS{Value: s} }
	_, err := t.api.PutItem(ctx, &dynamodb.PutItemInput{TableName: &t.name,
		Item: map[string]types.AttributeValue{attributeMonth: is(month(at)), attributeID: is(id),
			attribute: is(string(text)), attributeExpires: &types.AttributeValueMemberN{
				Value: strconv.FormatInt(at.AddDate(t.years, 0, 0).Unix(), 10)}},
		ConditionExpression:      aws.String("attribute_not_exists(#id)"),
		ExpressionAttributeNames: map[string]string{"#id": attributeID}})
	var exists *types.ConditionalCheckFailedException
	if errors.As(err, &exists) {
		return nil
	}
	return awserr.Wrap(err, "writing evidence of %s", id)
}

// Read returns the records of the runs that ended, and the calls that were made, from one instant until before another.
func (t *Table) Read(ctx context.Context, from, to time.Time) (records []Record, calls []Call, err error) {
	within := func(at time.Time) bool { return !at.Before(from) && at.Before(to) }
	err = t.query(ctx, from, to, nil, func(item map[string]types.AttributeValue) error {
		if text, ok := item[attributeCall].(*types.AttributeValueMemberS); ok {
			var c Call
			if err := json.Unmarshal([]byte(text.Value), &c); err != nil {
				return err
			}
			if within(c.At) {
				calls = append(calls, c)
			}
			return nil
		}
		var r Record
		text, _ := item[attributeRecord].(*types.AttributeValueMemberS)
		if text == nil {
			return errors.New("neither a record nor a call")
		}
		if err := json.Unmarshal([]byte(text.Value), &r); err != nil {
			return err
		}
		if within(r.Ended) {
			records = append(records, r)
		}
		return nil
	})
	return records, calls, err
}

// Known returns the IDs of the runs that ended in the months of two instants and between them.
func (t *Table) Known(ctx context.Context, from, to time.Time) (map[string]bool, error) {
	known := map[string]bool{}
	return known, t.query(ctx, from, to, aws.String("#id"), func(item map[string]types.AttributeValue) error {
		if id, ok := item[attributeID].(*types.AttributeValueMemberS); ok {
			known[id.Value] = true
		}
		return nil
	})
}

// query reads the items of the months of two instants and between them; only the attribute "#id" if that is asked for.
func (t *Table) query(ctx context.Context, from, to time.Time, only *string,
	each func(map[string]types.AttributeValue) error) error {
	for _, m := range months(from, to) {
		names := map[string]string{"#month": attributeMonth}
		if only != nil {
			names[*only] = attributeID
		}
		pages := dynamodb.NewQueryPaginator(t.api, &dynamodb.QueryInput{TableName: &t.name,
			ConsistentRead:         aws.Bool(true),
			KeyConditionExpression: aws.String("#month = :month"), ProjectionExpression: only,
			ExpressionAttributeNames: names,
			ExpressionAttributeValues: map[string]types.AttributeValue{
				":month": &types.AttributeValueMemberS{Value: m}}})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			if err != nil {
				return awserr.Wrap(err, "reading evidence of %s", m)
			}
			for _, item := range page.Items {
				if err := each(item); err != nil {
					return fmt.Errorf("an item of %s cannot be read: %w", m, err)
				}
			}
		}
	}
	return nil
}
