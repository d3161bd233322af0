package dynamodb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

func numbers(vs ...string) types.AttributeValue {
	l := &list{Value: []types.AttributeValue{}}
	for _, v := range vs {
		l.Value = append(l.Value, n(v))
	}
	return l
}

// updated applies an expression to {pk, n: 5, l: [0 1 2 3], m: {x: 1}, tags: {a b}} and returns the new item.
func (d *db) updated(expr string) (attrs, error) {
	d.put("plain", attrs{"pk": s("a"), "n": n("5"), "l": numbers("0", "1", "2", "3"), "m": &obj{Value: attrs{"x": n("1")}}, "tags": &strs{Value: []string{"a", "b"}}})
	values := attrs{":n": n("7"), ":half": n("0.5"), ":s": s("text"), ":l": numbers("8", "9"), ":m": &obj{Value: attrs{"y": n("2")}}, ":ab": &strs{Value: []string{"a", "b"}},
		":bc": &strs{Value: []string{"b", "c"}}, ":ns": &nums{Value: []string{"1"}}}
	out, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, UpdateExpression: &expr,
		ExpressionAttributeNames: only(expr, map[string]string{"#dot": "a.b", "#n": "n"}), ExpressionAttributeValues: only(expr, values), ReturnValues: types.ReturnValueAllNew})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

func TestUpdateExpressionsFollowTheDeveloperGuide(t *testing.T) {
	d := newDB(t)
	five := func(changes attrs, gone ...string) attrs {
		it := attrs{"pk": s("a"), "n": n("5"), "l": numbers("0", "1", "2", "3"), "m": &obj{Value: attrs{"x": n("1")}}, "tags": &strs{Value: []string{"a", "b"}}}
		for k, v := range changes {
			it[k] = v
		}
		for _, k := range gone {
			delete(it, k)
		}
		return it
	}
	for expr, want := range map[string]attrs{
		"SET n = :n":                                    five(attrs{"n": n("7")}),
		"set z = n":                                     five(attrs{"z": n("5")}),
		"SET n = n + :n":                                five(attrs{"n": n("12")}),
		"SET n = n - :half":                             five(attrs{"n": n("4.5")}),
		"SET n = :n - n, z = n":                         five(attrs{"n": n("2"), "z": n("5")}),
		"SET m.y = :s, m.#dot = m.x":                    five(attrs{"m": &obj{Value: attrs{"x": n("1"), "y": s("text"), "a.b": n("1")}}}),
		"SET l[1] = :n":                                 five(attrs{"l": numbers("0", "7", "2", "3")}),
		"SET l[9] = :half, l[8] = :n":                   five(attrs{"l": numbers("0", "1", "2", "3", "7", "0.5")}),
		"SET z = if_not_exists(z, :n)":                  five(attrs{"z": n("7")}),
		"SET #n = if_not_exists(#n, :n)":                five(nil),
		"SET z = if_not_exists(z, :half) + :n":          five(attrs{"z": n("7.5")}),
		"SET l = list_append(:l, l)":                    five(attrs{"l": numbers("8", "9", "0", "1", "2", "3")}),
		"SET z = list_append(if_not_exists(z, :l), :l)": five(attrs{"z": numbers("8", "9", "8", "9")}),
		"REMOVE n, m.x, z":                              five(attrs{"m": &obj{Value: attrs{}}}, "n"),
		"REMOVE l[0], l[2], l[9]":                       five(attrs{"l": numbers("1", "3")}),
		"SET l[3] = :n REMOVE l[0]":                     five(attrs{"l": numbers("1", "2", "7")}),
		"ADD n :half, z :n, m.x :n":                     five(attrs{"n": n("5.5"), "z": n("7"), "m": &obj{Value: attrs{"x": n("8")}}}),
		"ADD tags :bc, zz :ns":                          five(attrs{"tags": &strs{Value: []string{"a", "b", "c"}}, "zz": &nums{Value: []string{"1"}}}),
		"DELETE tags :bc":                               five(attrs{"tags": &strs{Value: []string{"a"}}}),
		"DELETE tags :ab":                               five(nil, "tags"), // a set is never empty
		"DELETE z :bc":                                  five(nil),
		"SET z = :s REMOVE n ADD y :n DELETE tags :bc":  five(attrs{"z": s("text"), "y": n("7"), "tags": &strs{Value: []string{"a"}}}, "n"),
	} {
		got, err := d.updated(expr)
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		t.Run(expr, func(t *testing.T) {
			wantItem(t, got, want)
			wantItem(t, d.get("a"), want)
		})
	}
}

func TestWrongUpdatesAreRefusedAndChangeNothing(t *testing.T) {
	d := newDB(t)
	for expr, text := range map[string]string{
		"":                              "Invalid UpdateExpression: The expression can not be empty;",
		"SET":                           "Syntax error",
		"n = :n":                        `Invalid UpdateExpression: Syntax error; token: "n"`,
		"SET n :n":                      "Syntax error",
		"SET n = :n,":                   "Syntax error",
		"SET n = n * :n":                "Syntax error",
		"SET z = n + :n + :n":           "Syntax error",
		"ADD n n":                       "Syntax error",
		"PUT n = :n":                    "Syntax error",
		"SET n = :n SET z = :s":         `The "SET" section can only be used once in an update expression;`,
		"SET n = :n REMOVE n":           "Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
		"SET m = :m, m.x = :n":          "path one: [m], path two: [m.x]",
		"SET m.x = :n, m[0] = :n":       "Two document paths conflict",
		"SET pk = :s":                   "One or more parameter values were invalid: Cannot update attribute pk. This attribute is part of the key",
		"SET z = y":                     "The provided expression refers to an attribute that does not exist in the item",
		"SET n = n + :s":                "operator or function: +, operand type: S",
		"SET n = n + tags":              "An operand in the update expression has an incorrect data type",
		"SET l = list_append(l, :n)":    "An operand in the update expression has an incorrect data type",
		"SET z.y = :n":                  "The document path provided in the update expression is invalid for update",
		"SET n.y = :n":                  "The document path provided in the update expression is invalid for update",
		"SET n[0] = :n":                 "The document path provided in the update expression is invalid for update",
		"SET l[7].y = :n":               "The document path provided in the update expression is invalid for update",
		"REMOVE z.y":                    "The document path provided in the update expression is invalid for update",
		"DELETE z.y :bc":                "The document path provided in the update expression is invalid for update",
		"ADD tags :n":                   "An operand in the update expression has an incorrect data type",
		"ADD n :s":                      "operator: ADD, operand type: S",
		"DELETE tags :n":                "operator: DELETE, operand type: N",
		"DELETE tags :ns":               "An operand in the update expression has an incorrect data type",
		"SET z = upper(:s)":             "Invalid function name; function: upper",
		"SET z = size(l)":               "The function is not allowed in an update expression; function: size",
		"SET z = if_not_exists(:s, :n)": "requires a document path; operator or function: if_not_exists",
		"SET status = :n":               "reserved keyword: status",
		"SET z = :undefined":            "attribute value: :undefined",
	} {
		_, err := d.updated(expr)
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		wantError(t, err, "ValidationException", text)
		if got := d.get("a"); len(got) != 5 {
			t.Errorf("%q changed the item to %s", expr, show(got))
		}
	}
}

func TestUpdateItemMakesAnItemThatIsMissing(t *testing.T) {
	d := newDB(t)
	for i, expr := range []*string{nil, aws.String("REMOVE x")} {
		key := attrs{"pk": s(fmt.Sprint(i))}
		if _, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: key, UpdateExpression: expr}); err != nil {
			t.Fatal(err)
		}
		wantItem(t, d.get(fmt.Sprint(i)), key)
	}
}

func TestUpdateItemReturnsWhatReturnValuesAsksFor(t *testing.T) {
	d := newDB(t)
	before := attrs{"pk": s("a"), "x": n("1"), "m": &obj{Value: attrs{"p": n("1"), "q": n("1")}}}
	after := attrs{"pk": s("a"), "x": n("1"), "y": n("2"), "m": &obj{Value: attrs{"p": n("2"), "q": n("1")}}}
	for ask, want := range map[types.ReturnValue]attrs{
		"": nil, types.ReturnValueNone: nil, types.ReturnValueAllOld: before, types.ReturnValueAllNew: after,
		types.ReturnValueUpdatedOld: {"m": &obj{Value: attrs{"p": n("1")}}},
		types.ReturnValueUpdatedNew: {"y": n("2"), "m": &obj{Value: attrs{"p": n("2")}}},
	} {
		d.put("plain", before)
		out, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, UpdateExpression: aws.String("SET y = :two, m.p = :two"),
			ExpressionAttributeValues: attrs{":two": n("2")}, ReturnValues: ask})
		if err != nil {
			t.Fatal(err)
		}
		t.Run(string(ask), func(t *testing.T) { wantItem(t, out.Attributes, want) })
	}
}

func TestAnUpdateThatMakesTheItemTooLargeIsRefused(t *testing.T) {
	d := newDB(t)
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String("plain"), Key: attrs{"pk": s("a")}, UpdateExpression: aws.String("SET x = :big"),
		ExpressionAttributeValues: attrs{":big": s(strings.Repeat("x", 400*1024))}})
	wantError(t, err, "ValidationException", "Item size to update has exceeded the maximum allowed size")
}
