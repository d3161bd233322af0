package dynamodb_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/dynamodb"
	"alboidc.internal/shared/clock"
)

var ctx = context.Background()

// Short names for the SDK's attribute values.
type attrs = map[string]types.AttributeValue

func s(v string) types.AttributeValue { return &types.AttributeValueMemberS{Value: v} }
func n(v string) types.AttributeValue { return &types.AttributeValueMemberN{Value: v} }

const table = "plain"

// db is a DynamoDB with a table, whose partition key is pk.
type db struct {
	*ddb.Client
	t   *testing.T
	api http.Handler
}

func newDB(t *testing.T) *db {
	t.Helper()
	t.Parallel()
	c := clock.NewVirtual(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC))
	d := &db{t: t, api: awsapi.NewServer(c, nil, dynamodb.New(c))}
	d.Client = ddb.NewFromConfig(awsapi.Config(d.api, "eu-central-1"))
	if _, err := d.CreateTable(ctx, createInput(table)); err != nil {
		t.Fatal(err)
	}
	return d
}

func createInput(name string) *ddb.CreateTableInput {
	return &ddb.CreateTableInput{TableName: &name, BillingMode: types.BillingModePayPerRequest,
		KeySchema: []types.KeySchemaElement{{AttributeName: aws.String("pk"), KeyType: types.KeyTypeHash}},
		AttributeDefinitions: []types.AttributeDefinition{{AttributeName: aws.String("pk"),
			AttributeType: types.ScalarAttributeTypeS}}}
}

// put makes an item of its attributes beside the key.
func (d *db) put(key string, it attrs) {
	d.t.Helper()
	in := &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s(key)}}
	var set []string
	for name, v := range it {
		if in.ExpressionAttributeNames == nil {
			in.ExpressionAttributeNames, in.ExpressionAttributeValues = map[string]string{}, attrs{}
		}
		i := fmt.Sprint(len(set))
		in.ExpressionAttributeNames["#"+i], in.ExpressionAttributeValues[":"+i] = name, v
		set = append(set, "#"+i+" = :"+i)
	}
	if set != nil {
		in.UpdateExpression = aws.String("SET " + strings.Join(set, ", "))
	}
	if _, err := d.UpdateItem(ctx, in); err != nil {
		d.t.Fatal(err)
	}
}

func (d *db) get(key string) attrs {
	d.t.Helper()
	out, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: attrs{"pk": s(key)},
		ConsistentRead: aws.Bool(true)})
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
	_, err := d.Scan(ctx, &ddb.ScanInput{TableName: aws.String(table)})
	wantError(t, err, "NotImplemented", "Scan")
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
		ReturnConsumedCapacity: types.ReturnConsumedCapacityTotal})
	wantError(t, err, "NotImplemented", "ReturnConsumedCapacity")
}

// The texts are answers of the service, which knows the schema of a key only when it has found the table.
func TestParametersAreCheckedBeforeTheTableIsLookedUp(t *testing.T) {
	d := newDB(t)
	key := attrs{"pk": s("a")}
	update := func(table string, key attrs, change func(*ddb.UpdateItemInput)) error {
		in := &ddb.UpdateItemInput{TableName: &table, Key: key}
		change(in)
		_, err := d.UpdateItem(ctx, in)
		return err
	}
	nothing := func(*ddb.UpdateItemInput) {}
	wantError(t, update(" ", key, nothing), "ValidationException", "2 validation errors detected: Value ' ' at "+
		"'tableName' failed to satisfy constraint: Member must have length greater than or equal to 3; Value ' ' at "+
		"'tableName' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
	wantError(t, update("nowhere", key, func(in *ddb.UpdateItemInput) {
		in.UpdateExpression = aws.String("SET a =")
	}), "ValidationException", "Invalid UpdateExpression")
	wantError(t, update("nowhere", key, func(in *ddb.UpdateItemInput) { in.ReturnValues = "SOME" }),
		"ValidationException", "SOME")
	wantError(t, update("nowhere", key, func(in *ddb.UpdateItemInput) {
		in.ExpressionAttributeValues = attrs{":unused": s("x")}
	}), "ValidationException", "Expression")
	wantError(t, update("nowhere", attrs{"other": n("1")}, nothing), "ResourceNotFoundException", "Requested resource")
	_, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("nowhere"), Key: key,
		ProjectionExpression: aws.String("a,")})
	wantError(t, err, "ValidationException", "Invalid ProjectionExpression")
	_, err = d.DeleteTable(ctx, &ddb.DeleteTableInput{TableName: aws.String("a!")})
	wantError(t, err, "ValidationException", "regular expression pattern")
}

func TestTablesAreCreatedDescribedAndDeleted(t *testing.T) {
	d := newDB(t)
	created, err := d.CreateTable(ctx, createInput("another"))
	if err != nil || created.TableDescription.TableStatus != types.TableStatusCreating {
		t.Fatal(err)
	}
	if tb := created.TableDescription; *tb.TableArn != "arn:aws:dynamodb:eu-central-1:111122223333:table/another" ||
		len(tb.KeySchema) != 1 || tb.KeySchema[0].KeyType != types.KeyTypeHash ||
		tb.BillingModeSummary.BillingMode != types.BillingModePayPerRequest {
		t.Errorf("described %+v", *tb)
	}
	if _, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: created.TableDescription.TableArn,
		Key: attrs{"pk": s("a")}}); err != nil {
		t.Errorf("a table is not found by its ARN: %v", err)
	}
	if _, err := d.DeleteTable(ctx, &ddb.DeleteTableInput{TableName: aws.String("another")}); err != nil {
		t.Fatal(err)
	}
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("another"), Key: attrs{"pk": s("a")}})
	wantError(t, err, "ResourceNotFoundException", "Requested resource not found")
}

func TestCreateTableRefuses(t *testing.T) {
	d := newDB(t)
	definition := types.AttributeDefinition{AttributeName: aws.String("x"), AttributeType: "S"}
	for name, tc := range map[string]struct {
		change     func(*ddb.CreateTableInput)
		code, text string
	}{
		"a name that is taken": {func(in *ddb.CreateTableInput) { in.TableName = aws.String(table) },
			"ResourceInUseException", "Table already exists: plain"},
		"a short name": {func(in *ddb.CreateTableInput) { in.TableName = aws.String("x") },
			"ValidationException", "between 3 and 255"},
		"provisioned capacity": {func(in *ddb.CreateTableInput) { in.BillingMode = "" }, "NotImplemented",
			"BillingMode"},
		"indexes": {func(in *ddb.CreateTableInput) { in.LocalSecondaryIndexes = []types.LocalSecondaryIndex{} },
			"NotImplemented", "LocalSecondaryIndexes"},
		"a key without a definition": {func(in *ddb.CreateTableInput) {
			in.KeySchema[0].AttributeName = aws.String("other")
		},
			"ValidationException", "not defined in AttributeDefinitions"},
		"a definition that is no key": {func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, definition)
		}, "ValidationException", "does not exactly match"},
		"a key of a type that can't be": {func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions[0].AttributeType = "BOOL"
		},
			"ValidationException", "[B, N, S]"},
		"a sort key alone": {func(in *ddb.CreateTableInput) { in.KeySchema[0].KeyType = types.KeyTypeRange },
			"ValidationException", "KeySchema"},
		"two partition keys": {func(in *ddb.CreateTableInput) {
			in.AttributeDefinitions = append(in.AttributeDefinitions, definition)
			in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String("x"),
				KeyType: types.KeyTypeHash})
		}, "ValidationException", "KeySchema"},
	} {
		t.Run(name, func(t *testing.T) {
			in := createInput("table")
			tc.change(in)
			_, err := d.CreateTable(ctx, in)
			wantError(t, err, tc.code, tc.text)
		})
	}
}
