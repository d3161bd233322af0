package cloudwatch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"alboidc.internal/local/cloudwatch"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

type stack struct {
	clock   *clock.Virtual
	service *cloudwatch.Service
	client  *sdk.Client
	url     string
}

func newStack(t *testing.T) *stack {
	t.Helper()
	c := clock.NewVirtual(start())
	service := cloudwatch.New(c)
	server := httptest.NewServer(awsapi.NewServer(c, nil, service))
	t.Cleanup(server.Close)
	return &stack{clock: c, service: service, url: server.URL, client: sdk.New(sdk.Options{Region: "eu-central-1", BaseEndpoint: &server.URL,
		Retryer: aws.NopRetryer{}, Credentials: credentials.NewStaticCredentialsProvider("AKIALOCAL", "local", "")})}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var e smithy.APIError
	if !errors.As(err, &e) || e.ErrorCode() != code {
		t.Errorf("error %v, want code %s", err, code)
	}
}

// authErrors asks for ELBAuthError of the load balancer lb over the first hour.
func (s *stack) authErrors(stat string, lb string) *sdk.GetMetricDataInput {
	return &sdk.GetMetricDataInput{StartTime: aws.Time(start()), EndTime: aws.Time(start().Add(time.Hour)), MetricDataQueries: []types.MetricDataQuery{{
		Id: aws.String("errors"), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: &stat, Metric: &types.Metric{
			Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("ELBAuthError"),
			Dimensions: []types.Dimension{{Name: aws.String("LoadBalancer"), Value: &lb}}}}}}}
}

// report adds three values: two in the first minute, one in the third.
func (s *stack) report() {
	lb := map[string]string{"LoadBalancer": "app/web/1"}
	s.service.Add("eu-central-1", "AWS/ApplicationELB", "ELBAuthError", lb, 2)
	s.service.Add("eu-central-1", "AWS/ApplicationELB", "ELBAuthError", lb, 6)
	s.clock.Advance(2*time.Minute + 10*time.Second)
	s.service.Add("eu-central-1", "AWS/ApplicationELB", "ELBAuthError", lb, 5)
}

func TestGetMetricDataGivesOneValueForEachPeriodWithDataNewestFirst(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	for stat, want := range map[string][]float64{"Sum": {5, 8}, "Average": {5, 4}, "Maximum": {5, 6}, "Minimum": {5, 2}, "SampleCount": {1, 2}} {
		out, err := s.client.GetMetricData(context.Background(), s.authErrors(stat, "app/web/1"))
		if err != nil {
			t.Fatal(err)
		}
		r := out.MetricDataResults[0]
		if !slices.Equal(r.Values, want) || r.StatusCode != types.StatusCodeComplete || *r.Label != "ELBAuthError" || *r.Id != "errors" {
			t.Errorf("%s: %+v, want %v", stat, r, want)
		}
		if !r.Timestamps[0].Equal(start().Add(2*time.Minute)) || !r.Timestamps[1].Equal(start()) {
			t.Errorf("%s: timestamps %v", stat, r.Timestamps)
		}
	}
}

func TestMetricWithOtherDimensionsOrWithoutDataHasNoDatapoints(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	for _, lb := range []string{"app/web/2", ""} {
		in := s.authErrors("Sum", lb)
		if lb == "" {
			in.MetricDataQueries[0].MetricStat.Metric.Dimensions = nil
		}
		out, err := s.client.GetMetricData(context.Background(), in)
		if err != nil || len(out.MetricDataResults) != 1 || len(out.MetricDataResults[0].Values) != 0 {
			t.Errorf("load balancer %q: %+v, %v; want one result without values", lb, out, err)
		}
	}
}

func TestMetricDataEndsBeforeTheEndTime(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	in := s.authErrors("Sum", "app/web/1")
	in.EndTime = aws.Time(start().Add(2*time.Minute + 10*time.Second)) // the instant of the third value
	in.ScanBy = types.ScanByTimestampAscending
	out, err := s.client.GetMetricData(context.Background(), in)
	if err != nil || !slices.Equal(out.MetricDataResults[0].Values, []float64{8}) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPutMetricDataReadsBackThroughGetMetricStatistics(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx := context.Background()
	_, err := s.client.PutMetricData(ctx, &sdk.PutMetricDataInput{Namespace: aws.String("AlbOidc"), MetricData: []types.MetricDatum{
		{MetricName: aws.String("Latency"), Value: aws.Float64(-1.5), Unit: types.StandardUnitMilliseconds},
		{MetricName: aws.String("Latency"), Values: []float64{10, 20}, Counts: []float64{2, 1}, Timestamp: aws.Time(start().Add(30 * time.Second))},
		{MetricName: aws.String("Latency"), StatisticValues: &types.StatisticSet{SampleCount: aws.Float64(2), Sum: aws.Float64(6), Minimum: aws.Float64(1), Maximum: aws.Float64(5)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.client.GetMetricStatistics(ctx, &sdk.GetMetricStatisticsInput{Namespace: aws.String("AlbOidc"), MetricName: aws.String("Latency"), Period: aws.Int32(300),
		StartTime: aws.Time(start()), EndTime: aws.Time(start().Add(time.Hour)),
		Statistics: []types.Statistic{types.StatisticSum, types.StatisticSampleCount, types.StatisticMinimum, types.StatisticMaximum}})
	if err != nil || len(out.Datapoints) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	p := out.Datapoints[0]
	if *p.Sum != 44.5 || *p.SampleCount != 6 || *p.Minimum != -1.5 || *p.Maximum != 20 || p.Average != nil || p.Unit != types.StandardUnitMilliseconds || !p.Timestamp.Equal(start()) {
		t.Errorf("datapoint sum %v count %v min %v max %v unit %s at %s", *p.Sum, *p.SampleCount, *p.Minimum, *p.Maximum, p.Unit, p.Timestamp)
	}
}

func TestListMetricsFiltersByNamespaceNameAndDimension(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	s.service.Add("eu-central-1", "AlbOidc", "Rotations", nil, 1)
	s.service.Add("us-east-1", "AlbOidc", "Rotations", nil, 1)
	for name, c := range map[string]struct {
		in   sdk.ListMetricsInput
		want int
	}{
		"all of the Region":   {sdk.ListMetricsInput{}, 2},
		"a namespace":         {sdk.ListMetricsInput{Namespace: aws.String("AlbOidc")}, 1},
		"a dimension's name":  {sdk.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("LoadBalancer")}}}, 1},
		"a dimension's value": {sdk.ListMetricsInput{Dimensions: []types.DimensionFilter{{Name: aws.String("LoadBalancer"), Value: aws.String("x")}}}, 0},
	} {
		out, err := s.client.ListMetrics(context.Background(), &c.in)
		if err != nil || len(out.Metrics) != c.want {
			t.Errorf("%s: %+v %v, want %d", name, out, err, c.want)
		}
	}
}

func TestNewAlarmHasInsufficientData(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx := context.Background()
	_, err := s.client.PutMetricAlarm(ctx, &sdk.PutMetricAlarmInput{AlarmName: aws.String("auth-errors"), Namespace: aws.String("AWS/ApplicationELB"),
		MetricName: aws.String("ELBAuthError"), Statistic: types.StatisticSum, Period: aws.Int32(60), EvaluationPeriods: aws.Int32(3), Threshold: aws.Float64(5),
		ComparisonOperator: types.ComparisonOperatorGreaterThanThreshold})
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.client.DescribeAlarms(ctx, &sdk.DescribeAlarmsInput{AlarmNamePrefix: aws.String("auth")})
	if err != nil || len(out.MetricAlarms) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	a := out.MetricAlarms[0]
	if a.StateValue != types.StateValueInsufficientData || *a.Threshold != 5 || !*a.ActionsEnabled || *a.AlarmArn != "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:auth-errors" {
		t.Errorf("%+v", a)
	}
}

func TestRequestsThatCannotBeHonouredAreRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	ctx := context.Background()
	in := s.authErrors("p99", "x")
	_, err := s.client.GetMetricData(ctx, in)
	wantCode(t, err, "NotImplemented")
	in = s.authErrors("Sum", "x")
	in.MetricDataQueries[0].Expression = aws.String("SUM(METRICS())")
	_, err = s.client.GetMetricData(ctx, in)
	wantCode(t, err, "NotImplemented")
	in = s.authErrors("Sum", "x")
	in.EndTime = in.StartTime
	_, err = s.client.GetMetricData(ctx, in)
	wantCode(t, err, "ValidationError")
	_, err = s.client.PutMetricData(ctx, &sdk.PutMetricDataInput{Namespace: aws.String("AWS/Lambda"), MetricData: []types.MetricDatum{{MetricName: aws.String("x"), Value: aws.Float64(1)}}})
	wantCode(t, err, "InvalidParameterValue")
	_, err = s.client.DeleteAlarms(ctx, &sdk.DeleteAlarmsInput{AlarmNames: []string{"x"}})
	wantCode(t, err, "NotImplemented")
	if err == nil || !strings.Contains(err.Error(), "monitoring:DeleteAlarms") {
		t.Errorf("error %v does not name the operation", err)
	}
}

func TestClientsThatSpeakAWSJSONAreAnsweredInIt(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	for operation, want := range map[string]string{"ListMetrics": `"MetricName":"ELBAuthError"`, "DeleteAlarms": `"__type":"NotImplemented"`} {
		req, err := http.NewRequest(http.MethodPost, s.url, strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+operation)
		req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIALOCAL/20260301/eu-central-1/monitoring/aws4_request")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || !strings.Contains(string(body), want) || resp.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("%s: %s (%s), want %s", operation, body, resp.Header.Get("Content-Type"), want)
		}
	}
}
