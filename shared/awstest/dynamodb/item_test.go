package dynamodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestEveryAttributeTypeReadsBack(t *testing.T) {
	d := newDB(t)
	it := attrs{"pk": s("a"), "empty": s(""), "n": n("12.5"), "b": &bytea{Value: []byte{0, 255}}, "yes": &yes{Value: true}, "no": &yes{}, "null": &null{Value: true},
		"list": &list{Value: []types.AttributeValue{s("x"), &obj{Value: attrs{"deep": n("1")}}}}, "noList": &list{Value: []types.AttributeValue{}}, "map": &obj{Value: attrs{}},
		"ss": &strs{Value: []string{"a", "b"}}, "ns": &nums{Value: []string{"1", "2"}}, "bs": &types.AttributeValueMemberBS{Value: [][]byte{{1}, {2}}}}
	d.put("plain", it)
	wantItem(t, d.get("a"), it)
}

func TestNumbersAreNormalisedAndLimitedTo38Digits(t *testing.T) {
	d := newDB(t)
	for in, want := range map[string]string{"007": "7", "-1.50": "-1.5", "1e2": "100", ".5": "0.5", "-0": "0", "1E-3": "0.001", "+3": "3",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678", "9.9e125": "99" + strings.Repeat("0", 124)} {
		d.put("plain", attrs{"pk": s("a"), "v": n(in)})
		wantItem(t, d.get("a"), attrs{"pk": s("a"), "v": n(want)})
	}
	for in, text := range map[string]string{"abc": "cannot be converted to a numeric value", "123456789012345678901234567890123456789": "38 significant digits",
		"1e126": "Number overflow", "1e-131": "Number underflow", "1e9999": "Number overflow", "0x10": "numeric value", "": "numeric value"} {
		_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: attrs{"pk": s("b"), "v": n(in)}})
		wantError(t, err, "ValidationException", text)
	}
}

func TestItemsThatBreakARuleAreRefused(t *testing.T) {
	d := newDB(t)
	for name, tc := range map[string]struct {
		table string
		item  attrs
		text  string
	}{
		"no key":              {"plain", attrs{"x": s("a")}, "One or more parameter values were invalid: Missing the key pk in the item"},
		"no sort key":         {"ranged", attrs{"pk": s("a")}, "Missing the key sk in the item"},
		"a key of wrong type": {"plain", attrs{"pk": n("1")}, "Type mismatch for key pk expected: S actual: N"},
		"an empty key":        {"plain", attrs{"pk": s("")}, "cannot contain an empty string value. Key: pk"},
		"an empty set":        {"plain", attrs{"pk": s("a"), "x": &strs{Value: []string{}}}, "An string set may not be empty"},
		"a set with doubles":  {"plain", attrs{"pk": s("a"), "x": &nums{Value: []string{"1", "1.0"}}}, "duplicates"},
		"a NULL of false":     {"plain", attrs{"pk": s("a"), "x": &null{}}, "must have the value of true"},
		"an item over 400 KB": {"plain", attrs{"pk": s("a"), "x": s(strings.Repeat("x", 400*1024))}, "Item size has exceeded the maximum allowed size"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: &tc.table, Item: tc.item})
			wantError(t, err, "ValidationException", tc.text)
		})
	}
	for name, key := range map[string]attrs{"missing": {}, "of wrong type": {"pk": n("1")}, "with more than the key": {"pk": s("a"), "x": s("b")}} {
		_, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: key})
		if err == nil {
			t.Errorf("a key %s is taken", name)
			continue
		}
		wantError(t, err, "ValidationException", "The provided key element does not match the schema")
	}
}

func TestPutItemReplacesTheWholeItemAndReturnsTheOldOneIfAsked(t *testing.T) {
	d := newDB(t)
	d.put("plain", attrs{"pk": s("a"), "old": n("1")})
	out, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: attrs{"pk": s("a"), "new": n("2")}, ReturnValues: types.ReturnValueAllOld})
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, out.Attributes, attrs{"pk": s("a"), "old": n("1")})
	wantItem(t, d.get("a"), attrs{"pk": s("a"), "new": n("2")})
	_, err = d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: attrs{"pk": s("a")}, ReturnValues: types.ReturnValueAllNew})
	wantError(t, err, "ValidationException", "Return values set to invalid value")
}

func TestDeleteItemIsIdempotentAndReturnsTheOldItemIfAsked(t *testing.T) {
	d := newDB(t)
	d.put("plain", attrs{"pk": s("a"), "v": n("1")})
	in := &ddb.DeleteItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, ReturnValues: types.ReturnValueAllOld}
	out, err := d.DeleteItem(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, out.Attributes, attrs{"pk": s("a"), "v": n("1")})
	if d.get("a") != nil {
		t.Error("the item is still there")
	}
	if out, err = d.DeleteItem(ctx, in); err != nil || out.Attributes != nil {
		t.Errorf("deleting nothing: %v", err)
	}
}

func TestAFailedConditionChangesNothingAndReturnsTheItemIfAsked(t *testing.T) {
	d := newDB(t)
	d.put("plain", attrs{"pk": s("a"), "holder": s("one")})
	key, cond := attrs{"pk": s("a")}, aws.String("attribute_not_exists(pk)")
	writes := map[string]func(types.ReturnValuesOnConditionCheckFailure) error{
		"PutItem": func(r types.ReturnValuesOnConditionCheckFailure) error {
			_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: attrs{"pk": s("a"), "holder": s("two")}, ConditionExpression: cond, ReturnValuesOnConditionCheckFailure: r})
			return err
		},
		"UpdateItem": func(r types.ReturnValuesOnConditionCheckFailure) error {
			_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: key, UpdateExpression: aws.String("SET holder = :o"),
				ExpressionAttributeValues: attrs{":o": s("two")}, ConditionExpression: cond, ReturnValuesOnConditionCheckFailure: r})
			return err
		},
		"DeleteItem": func(r types.ReturnValuesOnConditionCheckFailure) error {
			_, err := d.DeleteItem(ctx, &ddb.DeleteItemInput{TableName: aws.String("plain"), Key: key, ConditionExpression: cond, ReturnValuesOnConditionCheckFailure: r})
			return err
		},
	}
	for name, write := range writes {
		for ask, want := range map[types.ReturnValuesOnConditionCheckFailure]attrs{types.ReturnValuesOnConditionCheckFailureAllOld: {"pk": s("a"), "holder": s("one")}, "": nil} {
			var failed *types.ConditionalCheckFailedException
			if err := write(ask); !errors.As(err, &failed) || failed.ErrorMessage() != "The conditional request failed" {
				t.Fatalf("%s: %v", name, err)
			}
			wantItem(t, failed.Item, want)
		}
		wantItem(t, d.get("a"), attrs{"pk": s("a"), "holder": s("one")})
	}
}

func TestAConditionOnAMissingItemFailsWithoutAnItem(t *testing.T) {
	d := newDB(t)
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("nobody")}, UpdateExpression: aws.String("REMOVE x"),
		ConditionExpression: aws.String("attribute_exists(pk)"), ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || failed.Item != nil {
		t.Fatalf("got %v", err)
	}
}

func TestProjectionReturnsOnlyWhatItNames(t *testing.T) {
	d := newDB(t)
	d.put("plain", attrs{"pk": s("a"), "x": n("1"), "m": &obj{Value: attrs{"p": n("2"), "q": n("3")}}, "hollow": &obj{Value: attrs{}},
		"l": &list{Value: []types.AttributeValue{s("0"), s("1"), &obj{Value: attrs{"p": s("2"), "q": s("3")}}}}})
	out, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")},
		ProjectionExpression: aws.String("x, m.#q, l[2].p, l[0], absent, hollow.x, m.y.z, l[9]"), ExpressionAttributeNames: map[string]string{"#q": "q"}})
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, out.Item, attrs{"x": n("1"), "m": &obj{Value: attrs{"q": n("3")}}, "l": &list{Value: []types.AttributeValue{s("0"), &obj{Value: attrs{"p": s("2")}}}}})
	for expr, text := range map[string]string{"m, m.p": "overlap", "m.p, m[0]": "conflict", "": "can not be empty", "x,": "Syntax error", "status": "reserved keyword: status", "a.#no": "attribute name: #no"} {
		_, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, ProjectionExpression: &expr})
		wantError(t, err, "ValidationException", text)
	}
}
