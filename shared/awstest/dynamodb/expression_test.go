package dynamodb_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

var sampleNames = map[string]string{"#t": "text", "#dot": "a.b", "#n": "n"}

var sampleValues = attrs{":five": n("5"), ":six": n("6"), ":hello": s("hello"), ":he": s("he"), ":s": s("text")}

// conditioned changes nothing, on a condition, and reports whether that held.
func (d *db) conditioned(expr string, names map[string]string, values attrs) (bool, error) {
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
		ConditionExpression:      &expr,
		ExpressionAttributeNames: names, ExpressionAttributeValues: values})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return false, nil
	}
	return err == nil, err
}

// updated updates the item a, with further values, and returns it.
func (d *db) updated(expr string, more attrs) (attrs, error) {
	all := maps.Clone(sampleValues)
	maps.Copy(all, more)
	out, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
		UpdateExpression:         &expr,
		ExpressionAttributeNames: only(expr, sampleNames), ExpressionAttributeValues: only(expr, all),
		ReturnValues: types.ReturnValueAllNew})
	if err != nil {
		return nil, err
	}
	return out.Attributes, nil
}

// only returns the placeholders that an expression uses, since unused ones are an error.
func only[V any](expr string, all map[string]V) map[string]V {
	var out map[string]V
	for _, word := range strings.FieldsFunc(expr, func(r rune) bool {
		return strings.ContainsRune(" (),.[]=<>+-", r)
	}) {
		if v, ok := all[word]; ok {
			if out == nil {
				out = map[string]V{}
			}
			out[word] = v
		}
	}
	return out
}

func TestConditionsFollowTheDeveloperGuide(t *testing.T) {
	d := newDB(t)
	d.put("a", attrs{"text": s("hello"), "five": n("5.0"), "ten": n("10"), "a.b": n("1")})
	for expr, want := range map[string]bool{
		"five = :five": true, "five = :six": false, ":five = five": true, "five = ten": false, "five < ten": true,
		"#t = :hello": true,
		"#t = :five":  false, "five <> :six": true, "five <> :five": false, "#t <> :five": true,
		"five < :six": true, "five < :five": false, "five <= :five": true, "five > :six": false, "ten > :six": true,
		"five >= :five": true,
		"#t < :five":    false, "#t >= :he": true,
		"absent = :five": false, "absent <> :five": true, "absent < :five": false, "absent = gone": false,
		"attribute_exists(five)": true, "attribute_exists(absent)": false, "attribute_not_exists(absent)": true,
		"attribute_not_exists(five)": false, "attribute_exists(#dot)": true,
		"NOT five = :five": false, "NOT NOT five = :five": true, "NOT (five = :six OR five = :five)": false,
		// AND binds tighter than OR, NOT tighter than AND.
		"five = :five OR five = :six AND ten = :six": true, "(five = :five OR five = :six) AND ten = :six": false,
		"NOT five = :six AND ten = :six": false,
		"five=:five AND(ten<>:five)":     true, "five = :five and not ten = :five": true,
	} {
		held, err := d.conditioned(expr, only(expr, sampleNames), only(expr, sampleValues))
		if err != nil || held != want {
			t.Errorf("%s: held %v, want %v (%v)", expr, held, want, err)
		}
	}
}

func TestWrongConditionsAreRefusedByName(t *testing.T) {
	d := newDB(t)
	for expr, text := range map[string]string{
		"":                    "ValidationException Invalid ConditionExpression: The expression can not be empty;",
		"five = ":             `ValidationException Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="`,
		"five = :five five":   `ValidationException Invalid ConditionExpression: Syntax error; token: "five", near: ":five five"`,
		"five == :five":       `ValidationException Invalid ConditionExpression: Syntax error; token: "=", near: "= = :five"`,
		"five":                "ValidationException Invalid ConditionExpression: Syntax error",
		"(five = :five":       "ValidationException Invalid ConditionExpression: Syntax error",
		"five = 5":            "ValidationException Invalid ConditionExpression: Syntax error",
		"five ! :five":        "ValidationException Invalid ConditionExpression: Syntax error",
		"_five = :five":       "ValidationException Invalid ConditionExpression: Syntax error",
		"five + :five = :six": "ValidationException Invalid ConditionExpression: Syntax error",
		"owner = :five": "ValidationException Invalid ConditionExpression: Attribute name is a " +
			"reserved keyword; reserved keyword: owner",
		"#who = :five": "ValidationException Invalid ConditionExpression: An expression attribute " +
			"name used in the document path is not defined; attribute name: #who",
		"five = :who": "ValidationException Invalid ConditionExpression: An expression attribute " +
			"value used in expression is not defined; attribute value: :who",
		"matches(five, :five)": "ValidationException Invalid ConditionExpression: Invalid function name; " +
			"function: matches",
		"ATTRIBUTE_EXISTS(five)": "ValidationException Invalid ConditionExpression: Invalid function name; " +
			"function: ATTRIBUTE_EXISTS",
		"if_not_exists(five, :five)": "ValidationException Invalid ConditionExpression: The function is not allowed " +
			"in a condition expression; function: if_not_exists",
		"five = begins_with(#t, :he)": "ValidationException Invalid ConditionExpression: The function is not allowed " +
			"to be used this way in an expression; function: begins_with",
		"attribute_exists(:five)": "ValidationException Invalid ConditionExpression: Operator or function " +
			"requires a document path; operator or function: attribute_exists",
		strings.Repeat("(", 5000): "ValidationException Invalid ConditionExpression: Expression size has exceeded",
		// what DynamoDB has, and nothing here uses
		"begins_with(#t, :he)": "NotImplemented the local stack does not implement the function begins_with " +
			"in ConditionExpression",
		"size(#t) = :five":             "NotImplemented the local stack does not implement the function size",
		"five IN (:five)":              "NotImplemented the local stack does not implement IN",
		"five BETWEEN :five AND :six":  "NotImplemented the local stack does not implement BETWEEN",
		"five.six = :five":             "NotImplemented the local stack does not implement document paths",
		"attribute_exists(five[0])":    "NotImplemented the local stack does not implement document paths",
		"five = :five AND #t.x = :six": "NotImplemented the local stack does not implement document paths",
	} {
		_, err := d.conditioned(expr, only(expr, sampleNames), only(expr, sampleValues))
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		code, says, _ := strings.Cut(text, " ")
		wantError(t, err, code, says)
	}
}

func TestPlaceholdersThatNoExpressionUsesAreRefused(t *testing.T) {
	d := newDB(t)
	for expr, tc := range map[string]struct {
		names  map[string]string
		values attrs
		text   string
	}{
		"attribute_exists(x)": {nil, attrs{":a": n("1"), ":b": n("1")},
			"Value provided in ExpressionAttributeValues unused in expressions: keys: {:a, :b}"},
		"attribute_exists(pk)": {map[string]string{"#x": "x"}, nil,
			"Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"},
		"attribute_exists(#pk)": {map[string]string{"#pk": "pk", "y": "x"}, nil,
			"ExpressionAttributeNames contains invalid key"},
		"pk = :pk": {nil, attrs{":pk": s("a"), "y": s("x")}, "ExpressionAttributeValues contains invalid key"},
		"pk <> pk": {map[string]string{}, nil, "ExpressionAttributeNames must not be empty"},
	} {
		_, err := d.conditioned(expr, tc.names, tc.values)
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		wantError(t, err, "ValidationException", tc.text)
	}
	key := attrs{"pk": s("a")}
	_, err := d.UpdateItem(ctx, &ddb.UpdateItemInput{TableName: aws.String(table), Key: key,
		ExpressionAttributeValues: attrs{":a": n("1")}})
	wantError(t, err, "ValidationException", "ExpressionAttributeValues can only be specified when using expressions")
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: key,
		ExpressionAttributeNames: map[string]string{"#a": "a"}})
	wantError(t, err, "ValidationException", "ExpressionAttributeNames can only be specified when using expressions")
}

func TestUpdateExpressionsFollowTheDeveloperGuide(t *testing.T) {
	d := newDB(t)
	for expr, want := range map[string]attrs{
		"SET n = :six":                          {"n": n("6")},
		"set z = :s, #dot = :six":               {"n": n("5"), "z": s("text"), "a.b": n("6")},
		"REMOVE #n, z":                          {},
		"SET z = :s REMOVE n":                   {"z": s("text")},
		"REMOVE n SET #dot = :five, more = :he": {"a.b": n("5"), "more": s("he")},
	} {
		t.Run(expr, func(t *testing.T) {
			if _, err := d.updated("SET n = :five REMOVE z, #dot, more", nil); err != nil {
				t.Fatal(err)
			}
			got, err := d.updated(expr, nil)
			if err != nil {
				t.Fatal(err)
			}
			want["pk"] = s("a")
			wantItem(t, got, want)
			wantItem(t, d.get("a"), want)
		})
	}
}

func TestWrongUpdatesAreRefusedAndChangeNothing(t *testing.T) {
	d := newDB(t)
	d.put("a", attrs{"n": n("5")})
	for expr, text := range map[string]string{
		"":                        "ValidationException Invalid UpdateExpression: The expression can not be empty;",
		"SET":                     "ValidationException Invalid UpdateExpression: Syntax error",
		"n = :six":                `ValidationException Invalid UpdateExpression: Syntax error; token: "n"`,
		"SET n :six":              "ValidationException Invalid UpdateExpression: Syntax error",
		"SET n = :six,":           "ValidationException Invalid UpdateExpression: Syntax error",
		"PUT n = :six":            "ValidationException Invalid UpdateExpression: Syntax error",
		"SET n = :six SET z = :s": `ValidationException Invalid UpdateExpression: The "SET" section can only be used once in an update expression;`,
		"SET n = :six REMOVE n": "ValidationException Invalid UpdateExpression: Two document paths overlap with " +
			"each other; must remove or rewrite one of these paths; path one: [n], path two: [n]",
		"SET pk = :s": "ValidationException One or more parameter values were invalid: Cannot update " +
			"attribute pk. This attribute is part of the key",
		"SET z = upper(:s)": "ValidationException Invalid UpdateExpression: Invalid function name; function: " +
			"upper",
		"SET z = size(n)": "ValidationException Invalid UpdateExpression: The function is not allowed in an " +
			"update expression; function: size",
		"SET status = :six": "ValidationException Invalid UpdateExpression: Attribute name is a reserved " +
			"keyword; reserved keyword: status",
		"SET z = :undefined": "ValidationException Invalid UpdateExpression: An expression attribute value " +
			"used in expression is not defined; attribute value: :undefined",
		"SET z = n": "NotImplemented the local stack does not implement attributes on the right side " +
			"of SET",
		"SET n = :five + :six":     "NotImplemented the local stack does not implement sums",
		"SET z = if_not_exists(z)": "NotImplemented the local stack does not implement the function if_not_exists",
		"ADD n :six":               "NotImplemented the local stack does not implement ADD",
		"DELETE n :six":            "NotImplemented the local stack does not implement DELETE",
		"REMOVE n.x":               "NotImplemented the local stack does not implement document paths",
	} {
		_, err := d.updated(expr, nil)
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		code, says, _ := strings.Cut(text, " ")
		wantError(t, err, code, says)
		wantItem(t, d.get("a"), attrs{"pk": s("a"), "n": n("5")})
	}
}

func TestProjectionReturnsOnlyWhatItNames(t *testing.T) {
	d := newDB(t)
	d.put("a", attrs{"x": n("1"), "y": n("2"), "owner": s("me")})
	get := func(expr string) (attrs, error) {
		out, err := d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String(table), Key: attrs{"pk": s("a")},
			ProjectionExpression: &expr, ExpressionAttributeNames: only(expr, map[string]string{"#owner": "owner"})})
		if err != nil {
			return nil, err
		}
		return out.Item, nil
	}
	got, err := get("#owner, x, absent")
	if err != nil {
		t.Fatal(err)
	}
	wantItem(t, got, attrs{"owner": s("me"), "x": n("1")})
	for expr, text := range map[string]string{"x, x": "overlap", "": "can not be empty", "x,": "Syntax error",
		"status": "reserved keyword: status", "#no": "attribute name: #no"} {
		_, err := get(expr)
		wantError(t, err, "ValidationException", text)
	}
}
