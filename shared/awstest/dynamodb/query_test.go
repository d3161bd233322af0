package dynamodb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// newSorted is a table with a partition key month and a sort key id.
func newSorted(t *testing.T) *db {
	t.Helper()
	d := newDB(t)
	in := createInput("sorted")
	in.KeySchema = []types.KeySchemaElement{{AttributeName: aws.String("month"), KeyType: types.KeyTypeHash},
		{AttributeName: aws.String("id"), KeyType: types.KeyTypeRange}}
	in.AttributeDefinitions = []types.AttributeDefinition{
		{AttributeName: aws.String("id"), AttributeType: types.ScalarAttributeTypeS},
		{AttributeName: aws.String("month"), AttributeType: types.ScalarAttributeTypeS}}
	if _, err := d.CreateTable(ctx, in); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *db) write(month, id, text string) error {
	_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("sorted"),
		Item: attrs{"month": s(month), "id": s(id), "text": s(text)}, ConditionExpression: aws.String(
			"attribute_not_exists(id)")})
	return err
}

func TestAnItemIsPutOnceUnderItsKey(t *testing.T) {
	d := newSorted(t)
	for _, k := range [][2]string{{"2026-11", "b"}, {"2026-11", "a"}, {"2026-12", "a"}} {
		if err := d.write(k[0], k[1], k[0]+k[1]); err != nil {
			t.Fatal(err)
		}
	}
	var exists *types.ConditionalCheckFailedException
	if err := d.write("2026-11", "a", "another"); !errors.As(err, &exists) {
		t.Errorf("a second item of the same key: %v", err)
	}
	wantError(t, d.write("2026-11", "", "x"), "ValidationException", "Key: id")
	wantError(t, d.write("2026-11", "c", strings.Repeat("x", 400*1024)), "ValidationException", "Item size")
	out, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("sorted"), Key: attrs{"month": s("2026-11"),
		"id": s("a")}})
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, out.Item, attrs{"month": s("2026-11"), "id": s("a"), "text": s("2026-11a")})
}

func TestAQueryReadsOnePartitionInOrderByPages(t *testing.T) {
	d := newSorted(t)
	for i := range 5 {
		if err := d.write("2026-11", fmt.Sprint(9-i), strings.Repeat("x", 300*1024)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.write("2026-12", "7", "elsewhere"); err != nil {
		t.Fatal(err)
	}
	pages, got := 0, ""
	for p := ddb.NewQueryPaginator(d.Client, &ddb.QueryInput{TableName: aws.String("sorted"),
		KeyConditionExpression: aws.String("#m = :m"), ProjectionExpression: aws.String("id"),
		ExpressionAttributeNames: map[string]string{"#m": "month"}, ExpressionAttributeValues: attrs{
			":m": s("2026-11")}}); p.HasMorePages(); pages++ {
		out, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, it := range out.Items {
			wantItem(t, it, attrs{"id": it["id"]})
			got += it["id"].(*types.AttributeValueMemberS).Value
		}
	}
	if got != "56789" || pages != 2 {
		t.Errorf("read %s in %d pages", got, pages)
	}
	for expression, want := range map[string]string{"id = :m": "missed key schema element: month",
		"#m = :m AND id = :m": "AND in KeyConditionExpression", "#m > :m": "> in KeyConditionExpression"} {
		names := map[string]string{"#m": "month"}
		if !strings.Contains(expression, "#m") {
			names = nil
		}
		_, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("sorted"), KeyConditionExpression: &expression,
			ExpressionAttributeNames: names, ExpressionAttributeValues: attrs{":m": s("x")}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", expression, err)
		}
	}
}
