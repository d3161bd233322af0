package dynamodb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// conditioned writes the item back on a condition and reports whether the condition held.
func (d *db) conditioned(it attrs, expr string, names map[string]string, values attrs) (bool, error) {
	_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: it, ConditionExpression: &expr, ExpressionAttributeNames: names, ExpressionAttributeValues: values})
	var failed *types.ConditionalCheckFailedException
	if errors.As(err, &failed) {
		return false, nil
	}
	return err == nil, err
}

var sample = attrs{"pk": s("a"), "text": s("hello"), "five": n("5"), "ten": n("10"), "octets": &bytea{Value: []byte("hello")}, "flag": &yes{Value: true},
	"tags": &strs{Value: []string{"x", "y"}}, "nums": &nums{Value: []string{"1", "2"}}, "nil": &null{Value: true},
	"m": &obj{Value: attrs{"core": &obj{Value: attrs{"v": s("deep")}}, "a.b": n("1")}}, "l": &list{Value: []types.AttributeValue{n("1"), &obj{Value: attrs{"v": n("2")}}}}}

var sampleNames = map[string]string{"#t": "text", "#dot": "a.b", "#n": "nil"}

var sampleValues = attrs{":five": n("5"), ":six": n("6"), ":hello": s("hello"), ":he": s("he"), ":deep": s("deep"), ":x": s("x"), ":raw": &bytea{Value: []byte("he")},
	":one": n("1"), ":two": n("2"), ":true": &yes{Value: true}, ":S": s("S"), ":NULL": s("NULL"), ":tags": &strs{Value: []string{"y", "x"}}, ":map": &obj{Value: attrs{"v": n("2.0")}}}

// only returns the placeholders that an expression uses, since unused ones are an error.
func only[V any](expr string, all map[string]V) map[string]V {
	var out map[string]V
	for _, word := range strings.FieldsFunc(expr, func(r rune) bool { return strings.ContainsRune(" (),.[]=<>+-", r) }) {
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
	d.put("plain", sample)
	for expr, want := range map[string]bool{
		"five = :five": true, "five = :six": false, ":five = five": true, "five = ten": false, "five < ten": true, "#t = :hello": true, "#t = :five": false,
		"tags = :tags": true, "l[1] = :map": true, "flag = :true": true,
		"five <> :six": true, "five <> :five": false, "#t <> :five": true,
		"five < :six": true, "five < :five": false, "five <= :five": true, "five > :six": false, "ten > :six": true, "five >= :five": true, "#t < :five": false, "#t >= :he": true,
		"absent = :five": false, "absent <> :five": true, "absent < :five": false, "absent = gone": false,
		"five BETWEEN :one AND :six": true, "ten BETWEEN :one AND :six": false, "absent BETWEEN :one AND :six": false, ":two BETWEEN l[0] AND five": true,
		"five IN (:one, :five)": true, "five IN (:one)": false, "absent IN (:one)": false,
		"attribute_exists(five)": true, "attribute_exists(absent)": false, "attribute_not_exists(absent)": true, "attribute_not_exists(five)": false,
		"attribute_exists(m.#dot)": true, "attribute_exists(m.a.b)": false, "attribute_exists(l[1].v)": true, "attribute_exists(l[2])": false, "attribute_exists(l.v)": false, "attribute_exists(m[0])": false,
		"attribute_type(#t, :S)": true, "attribute_type(five, :S)": false, "attribute_type(#n, :NULL)": true, "attribute_type(absent, :S)": false,
		"begins_with(#t, :he)": true, "begins_with(#t, :x)": false, "begins_with(octets, :raw)": true, "begins_with(octets, :he)": false, "begins_with(absent, :he)": false, "begins_with(#t, #t)": true,
		"contains(#t, :he)": true, "contains(#t, :x)": false, "contains(tags, :x)": true, "contains(tags, :he)": false, "contains(nums, :one)": true, "contains(nums, :x)": false,
		"contains(l, :one)": true, "contains(l, :map)": true, "contains(l, :five)": false, "contains(octets, :raw)": true, "contains(five, :five)": false,
		"size(#t) = :five": true, "size(tags) < :five": true, "size(m) = :two": true, "size(l) = :two": true, "size(octets) = :five": true, "size(five) = :one": false, ":six > size(#t)": true, "size(absent) < :five": false,
		"m.core.v = :deep": true, "l[0] = :one": true, "l[1].v = :two": true,
		"NOT five = :five": false, "NOT NOT five = :five": true, "NOT (five = :six OR five = :five)": false,
		// AND binds tighter than OR, NOT tighter than AND.
		"five = :five OR five = :six AND ten = :six": true, "(five = :five OR five = :six) AND ten = :six": false, "NOT five = :six AND ten = :six": false,
		"five=:five AND(ten<>:five)": true, "five = :five and not ten = :five": true,
	} {
		held, err := d.conditioned(sample, expr, only(expr, sampleNames), only(expr, sampleValues))
		if err != nil || held != want {
			t.Errorf("%s: held %v, want %v (%v)", expr, held, want, err)
		}
	}
}

func TestWrongConditionsAreRefusedByName(t *testing.T) {
	d := newDB(t)
	for expr, text := range map[string]string{
		"":                               "Invalid ConditionExpression: The expression can not be empty;",
		"five = ":                        `Invalid ConditionExpression: Syntax error; token: "<EOF>", near: "="`,
		"five = :five five":              `Syntax error; token: "five", near: ":five five"`,
		"five == :five":                  `Syntax error; token: "=", near: "= = :five"`,
		"five":                           "Syntax error",
		"(five = :five":                  "Syntax error",
		"five = 5":                       "Syntax error",
		"five ! :five":                   "Syntax error",
		"_five = :five":                  "Syntax error",
		"l[x] = :one":                    "Syntax error",
		"l[99999999999999999999] = :one": "Syntax error",
		"five IN :five":                  "Syntax error",
		"five + :one = :six":             "Syntax error",
		"five BETWEEN :one":              "Syntax error",
		"owner = :five":                  "Attribute name is a reserved keyword; reserved keyword: owner",
		"m.Status = :five":               "reserved keyword: Status",
		"#who = :five":                   "An expression attribute name used in the document path is not defined; attribute name: #who",
		"five = :who":                    "An expression attribute value used in expression is not defined; attribute value: :who",
		"matches(five, :five)":           "Invalid function name; function: matches",
		"ATTRIBUTE_EXISTS(five)":         "Invalid function name; function: ATTRIBUTE_EXISTS",
		"if_not_exists(five, :five)":     "The function is not allowed in a condition expression; function: if_not_exists",
		"five = begins_with(#t, :he)":    "The function is not allowed to be used this way in an expression; function: begins_with",
		"size(#t)":                       "Syntax error",
		"size(:he) = :five":              "requires a document path; operator or function: size",
		"attribute_exists(:five)":        "requires a document path; operator or function: attribute_exists",
		"contains(size(#t), :five)":      "requires a document path; operator or function: contains",
		"begins_with(#t, :five)":         "operator or function: begins_with, operand type: N",
		"five < :true":                   "operator or function: <, operand type: BOOL",
		"five BETWEEN :true AND :true":   "operator or function: BETWEEN, operand type: BOOL",
		"five BETWEEN :one AND :he":      "same data type for lower and upper bounds",
		"five BETWEEN :six AND :one":     "upper bound to be greater than or equal to lower bound",
		"attribute_type(five, :he)":      "Invalid attribute type name found; type: he",
		"attribute_type(five, :five)":    "operator or function: attribute_type",
		strings.Repeat("(", 5000):        "Expression size has exceeded",
		"five IN (" + strings.Repeat(":one,", 100) + ":one)": "maximum: 100",
	} {
		_, err := d.conditioned(attrs{"pk": s("a")}, expr, only(expr, sampleNames), only(expr, sampleValues))
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		wantError(t, err, "ValidationException", text)
	}
}

func TestPlaceholdersThatNoExpressionUsesAreRefused(t *testing.T) {
	d := newDB(t)
	it := attrs{"pk": s("a")}
	for expr, tc := range map[string]struct {
		names  map[string]string
		values attrs
		text   string
	}{
		"five = :five":          {nil, attrs{":five": n("5"), ":b": n("1"), ":a": n("1")}, "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a, :b}"},
		"attribute_exists(pk)":  {map[string]string{"#x": "x"}, nil, "Value provided in ExpressionAttributeNames unused in expressions: keys: {#x}"},
		"attribute_exists(#pk)": {map[string]string{"#pk": "pk", "y": "x"}, nil, "ExpressionAttributeNames contains invalid key"},
		"pk = :pk":              {nil, attrs{":pk": s("a"), "y": s("x")}, "ExpressionAttributeValues contains invalid key"},
		"pk <> pk":              {map[string]string{}, nil, "ExpressionAttributeNames must not be empty"},
	} {
		_, err := d.conditioned(it, expr, tc.names, tc.values)
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		wantError(t, err, "ValidationException", tc.text)
	}
	_, err := d.PutItem(ctx, &ddb.PutItemInput{TableName: aws.String("plain"), Item: it, ExpressionAttributeValues: attrs{":a": n("1")}})
	wantError(t, err, "ValidationException", "ExpressionAttributeValues can only be specified when using expressions")
	_, err = d.GetItem(ctx, &ddb.GetItemInput{TableName: aws.String("plain"), Key: it, ExpressionAttributeNames: map[string]string{"#a": "a"}})
	wantError(t, err, "ValidationException", "ExpressionAttributeNames can only be specified when using expressions")
}
