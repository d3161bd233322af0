package dynamodb_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// fill puts sort keys 1, 2, 10, 20 below "a" and 1 below "b" into "ranged"; v is the sort key again.
func (d *db) fill() {
	d.t.Helper()
	for _, k := range []string{"a 20", "a 1", "b 1", "a 10", "a 2"} {
		pk, sk, _ := strings.Cut(k, " ")
		d.put("ranged", attrs{"pk": s(pk), "sk": n(sk), "v": n(sk)})
	}
}

// sortKeys shows the items of an answer as "1 2 10".
func sortKeys(items []map[string]types.AttributeValue) string {
	var out []string
	for _, it := range items {
		out = append(out, it["sk"].(*num).Value)
	}
	return strings.Join(out, " ")
}

func TestQueryReadsOnePartitionInTheOrderOfItsSortKey(t *testing.T) {
	d := newDB(t)
	d.fill()
	for expr, want := range map[string]string{
		"pk = :a": "1 2 10 20", "pk = :a AND sk = :two": "2", "sk > :two AND pk = :a": "10 20", "pk = :a AND sk <= :ten": "1 2 10", "pk = :a AND sk >= :ten": "10 20",
		"(pk = :a) AND (sk < :two)": "1", "pk = :a AND sk BETWEEN :two AND :ten": "2 10", "pk = :nobody": "",
	} {
		values := only(expr, attrs{":a": s("a"), ":two": n("2"), ":ten": n("10"), ":nobody": s("c")})
		out, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("ranged"), KeyConditionExpression: &expr, ExpressionAttributeValues: values})
		if err != nil {
			t.Errorf("%s: %v", expr, err)
			continue
		}
		if got := sortKeys(out.Items); got != want || int(out.Count) != len(out.Items) {
			t.Errorf("%s read %q (count %d), want %q", expr, got, out.Count, want)
		}
		back, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("ranged"), KeyConditionExpression: &expr, ExpressionAttributeValues: values, ScanIndexForward: aws.Bool(false), Limit: aws.Int32(1)})
		if last := want[strings.LastIndex(want, " ")+1:]; err != nil || sortKeys(back.Items) != last {
			t.Errorf("%s backwards read %q first, want %q (%v)", expr, sortKeys(back.Items), last, err)
		}
	}
}

func TestQueryBeginsWithAStringSortKey(t *testing.T) {
	d := newDB(t)
	d.mustCreate("texts", "pk:S", "sk:S")
	for _, k := range []string{"v#1", "v#2", "w#1"} {
		d.put("texts", attrs{"pk": s("a"), "sk": s(k)})
	}
	out, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("texts"), KeyConditionExpression: aws.String("pk = :a AND begins_with(sk, :v)"), ExpressionAttributeValues: attrs{":a": s("a"), ":v": s("v#")}})
	if err != nil || out.Count != 2 {
		t.Fatalf("read %d: %v", out.Count, err)
	}
}

func TestWrongKeyConditionsAreRefused(t *testing.T) {
	d := newDB(t)
	for expr, text := range map[string]string{
		"sk = :one":                           "Query condition missed key schema element: pk",
		"pk = :a AND v = :one":                "Query condition missed key schema element",
		"pk > :a":                             "Query key condition not supported",
		"pk = :a OR sk = :one":                "Invalid operator used in KeyConditionExpression",
		"pk = :a AND NOT sk = :one":           "Invalid operator used in KeyConditionExpression",
		"pk = :a AND sk <> :one":              "Invalid operator used in KeyConditionExpression",
		"pk = :a AND sk IN (:one)":            "Invalid operator used in KeyConditionExpression",
		"pk = :a AND attribute_exists(sk)":    "Invalid operator used in KeyConditionExpression",
		"pk = :a AND sk > :one AND sk < :ten": "must only contain one condition per key",
		"pk = :a AND sk = v":                  "compared with a value",
		"pk = :a AND size(sk) = :one":         "key attribute on its left side",
		"pk = :one":                           "Condition parameter type does not match schema type",
		"pk = :a AND sk = :a":                 "Condition parameter type does not match schema type",
	} {
		_, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("ranged"), KeyConditionExpression: &expr, ExpressionAttributeValues: only(expr, attrs{":a": s("a"), ":one": n("1"), ":ten": n("10")})})
		if err == nil {
			t.Errorf("%q is taken", expr)
			continue
		}
		wantError(t, err, "ValidationException", text)
	}
	_, err := d.Query(ctx, &ddb.QueryInput{TableName: aws.String("ranged")})
	wantError(t, err, "ValidationException", "KeyConditionExpression parameter must be specified")
}

func TestFiltersApplyAfterTheLimitAndCountWhatWasScanned(t *testing.T) {
	d := newDB(t)
	d.fill()
	in := &ddb.QueryInput{TableName: aws.String("ranged"), KeyConditionExpression: aws.String("pk = :a"), FilterExpression: aws.String("v > :two"),
		ExpressionAttributeValues: attrs{":a": s("a"), ":two": n("2")}, Limit: aws.Int32(3)}
	out, err := d.Query(ctx, in)
	if err != nil || sortKeys(out.Items) != "10" || out.Count != 1 || out.ScannedCount != 3 {
		t.Fatalf("read %q, count %d of %d (%v)", sortKeys(out.Items), out.Count, out.ScannedCount, err)
	}
	wantItem(t, out.LastEvaluatedKey, attrs{"pk": s("a"), "sk": n("10")})
	in.ExclusiveStartKey = out.LastEvaluatedKey
	if out, err = d.Query(ctx, in); err != nil || sortKeys(out.Items) != "20" || out.LastEvaluatedKey != nil {
		t.Fatalf("then read %q (%v)", sortKeys(out.Items), err)
	}
	in.ExclusiveStartKey, in.FilterExpression = nil, aws.String("sk > :two")
	_, err = d.Query(ctx, in)
	wantError(t, err, "ValidationException", "Filter Expression can only contain non-primary key attributes: Primary key attribute: sk")
}

func TestScanReadsEverythingInPages(t *testing.T) {
	d := newDB(t)
	d.fill()
	for _, size := range []int32{1, 2, 5, 6} {
		seen := 0
		pages := ddb.NewScanPaginator(d.Client, &ddb.ScanInput{TableName: aws.String("ranged"), Limit: &size, ConsistentRead: aws.Bool(true)})
		for pages.HasMorePages() {
			p, err := pages.NextPage(ctx)
			if err != nil || p.Count > size {
				t.Fatalf("%v", err)
			}
			seen += len(p.Items)
		}
		if seen != 5 {
			t.Errorf("pages of %d hold %d items, want 5", size, seen)
		}
	}
	out, err := d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), FilterExpression: aws.String("pk = :b OR v = :ten"), ProjectionExpression: aws.String("sk"), ExpressionAttributeValues: attrs{":b": s("b"), ":ten": n("10")}})
	if err != nil || out.Count != 2 || out.ScannedCount != 5 || len(out.Items[0]) != 1 {
		t.Fatalf("filtered to %d of %d (%v)", out.Count, out.ScannedCount, err)
	}
}

func TestAPageHoldsAboutAMegabyte(t *testing.T) {
	d := newDB(t)
	for i := range 4 {
		d.put("plain", attrs{"pk": s(fmt.Sprint(i)), "big": s(strings.Repeat("x", 390*1024))})
	}
	out, err := d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("plain")})
	if err != nil || out.Count != 3 || out.LastEvaluatedKey == nil {
		t.Fatalf("read %d items of 390 KB (%v)", out.Count, err)
	}
}

func TestSelectIsHonouredOrRefused(t *testing.T) {
	d := newDB(t)
	d.fill()
	out, err := d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), Select: types.SelectCount})
	if err != nil || out.Count != 5 || len(out.Items) != 0 {
		t.Fatalf("counted %d with %d items (%v)", out.Count, len(out.Items), err)
	}
	_, err = d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), Select: types.SelectCount, ProjectionExpression: aws.String("sk")})
	wantError(t, err, "ValidationException", "Cannot specify the ProjectionExpression when choosing to get COUNT")
	_, err = d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), Select: types.SelectAllProjectedAttributes})
	wantError(t, err, "ValidationException", "ALL_PROJECTED_ATTRIBUTES")
	_, err = d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), Limit: aws.Int32(0)})
	wantError(t, err, "ValidationException", "'limit'")
	_, err = d.Scan(ctx, &ddb.ScanInput{TableName: aws.String("ranged"), ExclusiveStartKey: attrs{"pk": s("a")}})
	wantError(t, err, "ValidationException", "starting key is invalid")
}
