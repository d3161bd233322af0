package dynamodb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func TestNumbersAreNormalisedAndLimitedTo38Digits(t *testing.T) {
	d := newDB(t)
	for in, want := range map[string]string{"007": "7", "-1.50": "-1.5", "100": "100", ".5": "0.5", "-0": "0",
		"+3":                                     "3",
		"12345678901234567890123456789012345678": "12345678901234567890123456789012345678"} {
		d.put("a", attrs{"v": n(in)})
		wantItem(t, d.get("a"), attrs{"pk": s("a"), "v": n(want)})
	}
	for in, text := range map[string]string{
		"abc":  "ValidationException The parameter cannot be converted to a numeric value",
		"0x10": "ValidationException The parameter cannot be converted",
		"":     "ValidationException The parameter cannot be converted",
		"123456789012345678901234567890123456789": "ValidationException Attempting to store more than 38 significant " +
			"digits",
		"1e2": "NotImplemented the local stack does not implement numbers with an exponent"} {
		_, err := d.updated("SET z = :odd", attrs{":odd": n(in)})
		code, says, _ := strings.Cut(text, " ")
		wantError(t, err, code, says)
	}
}

func TestAKeyIsItsAttributeAndNoMore(t *testing.T) {
	d := newDB(t)
	for name, key := range map[string]attrs{"missing": {}, "of wrong type": {"pk": n("1")},
		"with more than the key": {"pk": s("a"), "x": s("b")}} {
		_, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: key})
		if err == nil {
			t.Errorf("a key %s is taken", name)
			continue
		}
		wantError(t, err, "ValidationException", "The provided key element does not match the schema")
	}
	_, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: attrs{"pk": s("")}})
	wantError(t, err, "ValidationException", "cannot contain an empty string value. Key: pk")
}

func TestAFailedConditionChangesNothing(t *testing.T) {
	d := newDB(t)
	d.put("a", attrs{"holder": s("one")})
	for ask, want := range map[types.ReturnValuesOnConditionCheckFailure]attrs{
		types.ReturnValuesOnConditionCheckFailureAllOld: {"pk": s("a"), "holder": s("one")}, "": nil} {
		_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
			UpdateExpression: aws.String("SET holder = :o"), ExpressionAttributeValues: attrs{":o": s("two")},
			ConditionExpression: aws.String("attribute_not_exists(pk)"), ReturnValuesOnConditionCheckFailure: ask})
		var failed *types.ConditionalCheckFailedException
		if !errors.As(err, &failed) || failed.ErrorMessage() != "The conditional request failed" {
			t.Fatalf("got %v", err)
		}
		wantItem(t, failed.Item, want)
		wantItem(t, d.get("a"), attrs{"pk": s("a"), "holder": s("one")})
	}
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("nobody")},
		UpdateExpression: aws.String("REMOVE x"), ConditionExpression: aws.String("attribute_exists(pk)"),
		ReturnValuesOnConditionCheckFailure: types.ReturnValuesOnConditionCheckFailureAllOld})
	var failed *types.ConditionalCheckFailedException
	if !errors.As(err, &failed) || failed.Item != nil || d.get("nobody") != nil {
		t.Errorf("of an item that is missing: %v", err)
	}
}

func TestUpdateItemMakesAnItemThatIsMissing(t *testing.T) {
	d := newDB(t)
	for i, expr := range []*string{nil, aws.String("REMOVE x")} {
		key := attrs{"pk": s(fmt.Sprint(i))}
		if _, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: key,
			UpdateExpression: expr}); err != nil {
			t.Fatal(err)
		}
		wantItem(t, d.get(fmt.Sprint(i)), key)
	}
}

func TestUpdateItemReturnsWhatIsAskedFor(t *testing.T) {
	d := newDB(t)
	for ask, want := range map[types.ReturnValue]attrs{
		"": nil, types.ReturnValueNone: nil, types.ReturnValueAllOld: {"pk": s("a"), "x": n("1"), "z": n("1")},
		types.ReturnValueAllNew:     {"pk": s("a"), "x": n("2"), "y": n("2"), "z": n("1")},
		types.ReturnValueUpdatedOld: {"x": n("1")}, types.ReturnValueUpdatedNew: {"x": n("2"), "y": n("2")},
	} {
		d.put("a", attrs{"x": n("1"), "z": n("1")})
		if _, err := d.updated("REMOVE y", nil); err != nil {
			t.Fatal(err)
		}
		out, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
			UpdateExpression: aws.String("SET y = :two, x = :two"), ExpressionAttributeValues: attrs{":two": n("2")},
			ReturnValues: ask})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(string(ask), func(t *testing.T) { wantItem(t, out.Attributes, want) })
	}
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
		ReturnValues: "SOME"})
	wantError(t, err, "ValidationException", "Return values set to invalid value")
}

func TestAnItemOver400KBIsRefused(t *testing.T) {
	d := newDB(t)
	_, err := d.updated("SET x = :big", attrs{":big": s(strings.Repeat("x", 400*1024))})
	wantError(t, err, "ValidationException", "Item size to update has exceeded the maximum allowed size")
}

// The SDK cannot send these, but hand-written JSON, such as a state machine's arguments, can.
func TestMalformedValuesAreRefusedWithoutRepeatingThem(t *testing.T) {
	d := newDB(t)
	for value, tc := range map[string]struct{ code, text string }{
		`{}`: {"ValidationException",
			"Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		`null`: {"ValidationException",
			"Supplied AttributeValue is empty, must contain exactly one of the supported datatypes"},
		`{"S":"canary","N":"1"}`: {"ValidationException", "Supplied AttributeValue has more than one datatypes set"},
		`{"X":"canary"}`:         {"ValidationException", "unknown datatype X"},
		`"canary"`:               {"SerializationException", "not of the type"},
		`{"S":5}`:                {"SerializationException", "not of the type"},
		`{"S":null}`:             {"SerializationException", "not of the type"},
		`{"N":5}`:                {"SerializationException", "not of the type"},
		`{"N":"canary"}`:         {"ValidationException", "cannot be converted to a numeric value"},
		`{"M":{}}`:               {"NotImplemented", "attribute values of type M"},
	} {
		req := httptest.NewRequest(http.MethodPost,
			"/", strings.NewReader(`{"TableName":"plain","Key":{"pk":`+value+`}}`))
		req.Header.Set("X-Amz-Target", "DynamoDB_20120810.UpdateItem")
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=local/20260301/eu-central-1/dynamodb/aws4_request")
		res := httptest.NewRecorder()
		d.api.ServeHTTP(res, req)
		var body struct {
			Code    string `json:"__type"`
			Message string `json:"message"`
		}
		err := json.NewDecoder(res.Body).Decode(&body)
		if err != nil || res.Code < 400 || body.Code != tc.code || !strings.Contains(body.Message, tc.text) {
			t.Errorf("%s: %d %+v (%v)", value, res.Code, body, err)
		}
		if strings.Contains(body.Message, "canary") {
			t.Errorf("%s: the error repeats the value", value)
		}
	}
}
