package cloudwatch_test

import (
	"context"
	"errors"
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
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
	"github.com/aws/smithy-go"
)

func start() time.Time { return time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC) }

type stack struct {
	clock   *clock.Virtual
	service *cloudwatch.Service
	client  *sdk.Client
	server  http.Handler
}

func newStack(t *testing.T) *stack {
	t.Helper()
	c := clock.NewVirtual(start())
	service := cloudwatch.New(c)
	server := awsapi.NewServer(c, nil, service)
	return &stack{clock: c, service: service, server: server, client: sdk.NewFromConfig(awsapi.Config(server,
		"eu-central-1"))}
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
	return &sdk.GetMetricDataInput{StartTime: aws.Time(start()), EndTime: aws.Time(start().Add(time.Hour)),
		MetricDataQueries: []types.MetricDataQuery{{
			Id: aws.String("errors"), MetricStat: &types.MetricStat{Period: aws.Int32(60), Stat: &stat,
				Metric: &types.Metric{
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
	out, err := s.client.GetMetricData(context.Background(), in)
	if err != nil || !slices.Equal(out.MetricDataResults[0].Values, []float64{8}) {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestClientsThatSpeakAWSJSONAreAnsweredInIt(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	for operation, want := range map[string]string{"ListMetrics": `"MetricName":"ELBAuthError"`,
		"DeleteAlarms": `"__type":"NotImplemented"`} {
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{}`))
		req.Header.Set("Content-Type", "application/x-amz-json-1.0")
		req.Header.Set("X-Amz-Target", "GraniteServiceVersion20100801."+operation)
		req.Header.Set("Authorization",
			"AWS4-HMAC-SHA256 Credential=AKIALOCAL/20260301/eu-central-1/monitoring/aws4_request")
		resp := httptest.NewRecorder()
		s.server.ServeHTTP(resp, req)
		if body := resp.Body.String(); !strings.Contains(body, want) ||
			resp.Header().Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("%s: %s (%s), want %s", operation, body, resp.Header().Get("Content-Type"), want)
		}
	}
}

func TestGetMetricDataGivesOneSumForEachPeriodWithDataNewestFirst(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	out, err := s.client.GetMetricData(context.Background(), s.authErrors("Sum", "app/web/1"))
	if err != nil {
		t.Fatal(err)
	}
	r := out.MetricDataResults[0]
	if !slices.Equal(r.Values, []float64{5, 8}) || r.StatusCode != types.StatusCodeComplete ||
		*r.Label != "ELBAuthError" || *r.Id != "errors" {
		t.Errorf("got %+v", r)
	}
	if !r.Timestamps[0].Equal(start().Add(2*time.Minute)) || !r.Timestamps[1].Equal(start()) {
		t.Errorf("timestamps %v", r.Timestamps)
	}
}

func TestListMetricsFiltersByNamespaceAndName(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.report()
	s.service.Add("eu-central-1", "AlbOidc", "Rotations", nil, 1)
	s.service.Add("us-east-1", "AlbOidc", "Rotations", nil, 1)
	for name, c := range map[string]struct {
		in   sdk.ListMetricsInput
		want int
	}{
		"all of the Region": {sdk.ListMetricsInput{}, 2},
		"a namespace":       {sdk.ListMetricsInput{Namespace: aws.String("AlbOidc")}, 1},
		"a name":            {sdk.ListMetricsInput{MetricName: aws.String("ELBAuthSuccess")}, 0},
	} {
		out, err := s.client.ListMetrics(context.Background(), &c.in)
		if err != nil || len(out.Metrics) != c.want {
			t.Errorf("%s: %+v %v, want %d", name, out, err, c.want)
		}
	}
}

func TestRequestsThatCannotBeHonouredAreRefused(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	for name, c := range map[string]struct {
		change func(*sdk.GetMetricDataInput)
		code   string
	}{
		"another statistic": {func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries[0].MetricStat.Stat = aws.String("p99")
		}, "NotImplemented"},
		"an expression": {func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries[0].Expression = aws.String("SUM(METRICS())")
		}, "NotImplemented"},
		"an order": {func(in *sdk.GetMetricDataInput) { in.ScanBy = types.ScanByTimestampAscending }, "NotImplemented"},
		"no time":  {func(in *sdk.GetMetricDataInput) { in.EndTime = in.StartTime }, "ValidationError"},
		"an odd period": {func(in *sdk.GetMetricDataInput) {
			in.MetricDataQueries[0].MetricStat.Period = aws.Int32(61)
		}, "ValidationError"},
	} {
		t.Run(name, func(t *testing.T) {
			in := s.authErrors("Sum", "x")
			c.change(in)
			_, err := s.client.GetMetricData(context.Background(), in)
			wantCode(t, err, c.code)
		})
	}
}
