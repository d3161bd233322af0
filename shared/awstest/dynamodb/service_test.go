package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/dynamodb"
	"alboidc.internal/shared/clock"
)

var ctx = context.Background()

// Short names for the SDK's attribute values.
type (
	attrs = map[string]types.AttributeValue
	str   = types.AttributeValueMemberS
	num   = types.AttributeValueMemberN
	list  = types.AttributeValueMemberL
	obj   = types.AttributeValueMemberM
	yes   = types.AttributeValueMemberBOOL
	strs  = types.AttributeValueMemberSS
	nums  = types.AttributeValueMemberNS
	bytea = types.AttributeValueMemberB
	null  = types.AttributeValueMemberNULL
)

func s(v string) types.AttributeValue { return &str{Value: v} }
func n(v string) types.AttributeValue { return &num{Value: v} }

// db is a DynamoDB behind the real wire protocol with the tables "plain" (pk) and "ranged" (pk, number sk).
type db struct {
	*ddb.Client
	t *testing.T
}

func newDB(t *testing.T) *db {
	t.Helper()
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	srv := httptest.NewServer(awsapi.NewServer(c, nil, dynamodb.New(c)))
	t.Cleanup(srv.Close)
	d := &db{t: t, Client: ddb.New(ddb.Options{Region: "eu-central-1", BaseEndpoint: &srv.URL, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("local", "local", "")})}
	d.mustCreate("plain", "pk:S")
	d.mustCreate("ranged", "pk:S", "sk:N")
	return d
}

// createInput makes a table from keys such as "pk:S".
func createInput(name string, keys ...string) *ddb.CreateTableInput {
	in := &ddb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest}
	for i, k := range keys {
		attr, kind, _ := strings.Cut(k, ":")
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: &attr, KeyType: []types.KeyType{types.KeyTypeHash, types.KeyTypeRange}[i]})
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: &attr, AttributeType: types.ScalarAttributeType(kind)})
	}
	return in
}

func (d *db) mustCreate(name string, keys ...string) {
	d.t.Helper()
	if _, err := d.CreateTable(ctx, createInput(name, keys...)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *db) put(table string, it attrs) {
	d.t.Helper()
	if _, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: &table, Item: it}); err != nil {
		d.t.Fatal(err)
	}
}

func (d *db) get(key string) attrs {
	d.t.Helper()
	out, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s(key)}, ConsistentRead: aws.Bool(true)})
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Item
}

func wantItem(t *testing.T, got, want attrs) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Errorf("item is %s, want %s", show(got), show(want))
	}
}

// show prints an item, whose values are pointers, for people.
func show(it attrs) string {
	var b strings.Builder
	for k, v := range it {
		fmt.Fprintf(&b, "%s=%+v ", k, reflect.Indirect(reflect.ValueOf(v)))
	}
	return b.String()
}

func wantError(t *testing.T, err error, code, text string) {
	t.Helper()
	var api smithy.APIError
	if !errors.As(err, &api) {
		t.Fatalf("got %v, want %s %q", err, code, text)
	}
	if api.ErrorCode() != code || !strings.Contains(api.ErrorMessage(), text) {
		t.Fatalf("got %s %q, want %s %q", api.ErrorCode(), api.ErrorMessage(), code, text)
	}
}

func TestUnknownOperationsAndParametersAreRefusedByName(t *testing.T) {
	d := newDB(t)
	_, err := d.TransactWriteItems(ctx, &ddb.TransactWriteItemsInput{TransactItems: []types.TransactWriteItem{}})
	wantError(t, err, "NotImplemented", "TransactWriteItems")
	_, err = d.Query(ctx, &ddb.QueryInput{TableName: aws.String("plain"), IndexName: aws.String("i"), KeyConditionExpression: aws.String("pk = :a")})
	wantError(t, err, "NotImplemented", "IndexName")
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	wantError(t, err, "NotImplemented", "ReturnConsumedCapacity")
}

func TestTablesAreCreatedDescribedListedAndDeleted(t *testing.T) {
	d := newDB(t)
	in := createInput("third", "pk:S", "sk:B")
	in.Tags = []types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}
	created, err := d.CreateTable(ctx, in)
	if err != nil || created.TableDescription.TableStatus != types.TableStatusCreating {
		t.Fatalf("%v", err)
	}
	d.put("third", attrs{"pk": s("a"), "sk": &bytea{Value: []byte{1}}})
	out, err := d.DescribeTable(ctx, &ddb.DescribeTableInput{TableName: aws.String("third")})
	if err != nil {
		t.Fatal(err)
	}
	if tb := out.Table; tb.TableStatus != types.TableStatusActive || *tb.ItemCount != 1 || *tb.TableArn != "arn:aws:dynamodb:eu-central-1:111122223333:table/third" ||
		len(tb.KeySchema) != 2 || tb.KeySchema[1].KeyType != types.KeyTypeRange || tb.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("described %+v", *tb)
	}
	if _, err := d.DescribeTable(ctx, &ddb.DescribeTableInput{TableName: out.Table.TableArn}); err != nil {
		t.Errorf("a table is not found by its ARN: %v", err)
	}
	tags, err := d.ListTagsOfResource(ctx, &ddb.ListTagsOfResourceInput{ResourceArn: out.Table.TableArn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "team" {
		t.Errorf("tags %v: %v", tags, err)
	}
	if _, err := d.DeleteTable(ctx, &ddb.DeleteTableInput{TableName: aws.String("third")}); err != nil {
		t.Fatal(err)
	}
	_, err = d.DescribeTable(ctx, &ddb.DescribeTableInput{TableName: aws.String("third")})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found: Table: third not found")
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("third"), Key: attrs{"pk": s("a")}})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found")
}

func TestListTablesComesInPages(t *testing.T) {
	d := newDB(t)
	d.mustCreate("another", "pk:S")
	var names []string
	pages := ddb.NewListTablesPaginator(d.Client, &ddb.ListTablesInput{Limit: aws.Int32(2)})
	for pages.HasMorePages() {
		p, err := pages.NextPage(ctx)
		if err != nil || len(p.TableNames) > 2 {
			t.Fatalf("%v", err)
		}
		names = append(names, p.TableNames...)
	}
	if !reflect.DeepEqual(names, []string{"another", "plain", "ranged"}) {
		t.Errorf("listed %v", names)
	}
}

func TestCreateTableRefuses(t *testing.T) {
	d := newDB(t)
	for name, tc := range map[string]struct {
		change     func(*ddb.CreateTableInput)
		code, text string
	}{
		"a name that is taken":       {func(in *ddb.CreateTableInput) { in.TableName = aws.String("plain") }, "ResourceInUseException", "Table already exists: plain"},
		"a short name":               {func(in *ddb.CreateTableInput) { in.TableName = aws.String("x") }, "ValidationException", "between 3 and 255"},
		"provisioned capacity":       {func(in *ddb.CreateTableInput) { in.BillingMode = "" }, "NotImplemented", "BillingMode"},
		"indexes":                    {func(in *ddb.CreateTableInput) { in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{} }, "NotImplemented", "LocalSecondaryIndexes"},
		"a key without a definition": {func(in *ddb.CreateTableInput) { in.KeySchema[0].AttributeName = aws.String("other") }, "ValidationException", "not defined in AttributeDefinitions"},
		"a definition that is no key": {func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{AttributeName: aws.String("x"), AttributeType: "S"})
		}, "ValidationException", "does not exactly match"},
		"a key of a type that can't be": {func(in *ddb.CreateTableInput) { in.AttributeDefinitions[0].AttributeType = "BOOL" }, "ValidationException", "[B, N, S]"},
		"a sort key alone":              {func(in *ddb.CreateTableInput) { in.KeySchema[0].KeyType = types.KeyTypeRange }, "ValidationException", "KeySchema"},
	} {
		t.Run(name, func(t *testing.T) {
			in := createInput("table", "pk:S")
			tc.change(in)
			_, err := d.CreateTable(ctx, in)
			wantError(t, err, tc.code, tc.text)
		})
	}
}
