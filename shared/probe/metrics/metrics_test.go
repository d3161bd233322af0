package metrics_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe/metrics"
	"alboidc.internal/shared/rotation"
)

var now = time.Date(2026, 11, 22, 12, 0, 30, 0, time.UTC)

const (
	ireland   = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/"
	frankfurt = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:loadbalancer/app/"
)

// metricStore is CloudWatch in one Region: data points by load balancer, one page per data point.
type metricStore struct {
	points map[string][]float64
	before map[string][]float64 // of the time that ended before now
	// pointsUntil is the end from which on a query is for points and not before; now if zero.
	pointsUntil time.Time
	change      func(*cloudwatch.GetMetricDataOutput)
	err         error
	asked       []*cloudwatch.GetMetricDataInput
}

func (m *metricStore) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput,
	_ ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error) {
	kept := *in
	m.asked = append(m.asked, &kept)
	if m.err != nil {
		return nil, m.err
	}
	page := len(aws.ToString(in.NextToken))
	out, more := &cloudwatch.GetMetricDataOutput{}, false
	for _, q := range in.MetricDataQueries {
		points := m.points
		limit := now
		if !m.pointsUntil.IsZero() {
			limit = m.pointsUntil.Truncate(time.Minute)
		}
		if in.EndTime.Before(limit) {
			points = m.before
		}
		all := points[aws.ToString(q.MetricStat.Metric.Dimensions[0].Value)]
		r := types.MetricDataResult{Id: q.Id, StatusCode: types.StatusCodeComplete}
		if page < len(all) {
			r.Values = all[page : page+1]
		}
		if page+1 < len(all) {
			r.StatusCode, more = types.StatusCodePartialData, true
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	if more {
		out.NextToken = aws.String(strings.Repeat("x", page+1))
	}
	if m.change != nil {
		m.change(out)
	}
	return out, nil
}

func authErrors(t *testing.T, regions map[string]*metricStore, arns []string, since time.Time,
	allowed int) (rotation.Evidence, error) {
	t.Helper()
	reader := metrics.New(func(region string) metrics.CloudWatch { return regions[region] },
		func() time.Time { return now })
	return reader.AuthErrors(context.Background(), arns, since, allowed)
}

func TestELBAuthErrorIsAddedUpOverLoadBalancersRegionsAndPages(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		west    map[string][]float64
		central map[string][]float64
		allowed int
		ok      bool
		says    string
	}{
		{"no data is zero", nil, nil, 0, true, "0 since 2026-11-22T11:58:00Z over 3 load balancers, 3 always allowed"},
		{"a stray error in a quiet time", map[string][]float64{"app/a/1": {1}}, nil, 0, true, "eu-west-1 app/a/1: 1"},
		{"more than chance explains", map[string][]float64{"app/a/1": {4}}, nil, 0, false, "4 since " +
			"2026-11-22T11:58:00Z over 3 load balancers, 0 in the same time before 2026-11-22T11:58:00Z, 3 allowed"},
		{"as many as allowed, on several pages", map[string][]float64{"app/a/1": {1, 2, 3},
			"app/b/2": {4}}, map[string][]float64{"app/c/3": {5, 5}}, 20, true, "20 since"},
		{"one more than allowed", map[string][]float64{"app/a/1": {1, 2, 3},
			"app/b/2": {4}}, map[string][]float64{"app/c/3": {5, 5}}, 19, false, "eu-central-1 app/c/3: 10"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			regions := map[string]*metricStore{"eu-west-1": {points: c.west}, "eu-central-1": {points: c.central}}
			e, err := authErrors(t, regions, []string{ireland + "a/1", frankfurt + "c/3", ireland + "b/2"},
				now.Add(-2*time.Minute), c.allowed)
			if err != nil || e.OK != c.ok || !strings.Contains(e.Detail, c.says) || e.Check != rotation.CheckMetrics ||
				e.Subject != "ELBAuthError" {
				t.Errorf("%+v, %v", e, err)
			}
			if len(regions["eu-west-1"].asked[0].MetricDataQueries) != 2 ||
				len(regions["eu-central-1"].asked[0].MetricDataQueries) != 1 {
				t.Error("load balancers were not asked for in their own Region")
			}
		})
	}
}

func TestErrorsAreComparedWithTheSameTimeBeforeTheSwitch(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after float64
		more          int
		ok            bool
	}{
		"as many as before":                     {100, 100, 0, true},
		"fewer":                                 {100, 0, 0, true},
		"more, but as chance has it":            {100, 130, 0, true},
		"more than chance explains":             {100, 131, 0, false},
		"more than that, but configured":        {100, 200, 100, true},
		"more than configured":                  {100, 201, 100, false},
		"many where there were none":            {0, 4, 0, false},
		"a few where there were none":           {0, 3, 0, true},
		"many where many errors are usual":      {10000, 10300, 0, true},
		"a tenth more where many are usual":     {10000, 11000, 0, false},
		"none is configured, and chance has it": {0, 1, 0, true},
	} {
		store := &metricStore{before: map[string][]float64{"app/a/1": {c.before}},
			points: map[string][]float64{"app/a/1": {c.after}}}
		e, err := authErrors(t, map[string]*metricStore{"eu-west-1": store}, []string{ireland + "a/1"},
			now.Add(-time.Hour), c.more)
		if err != nil || e.OK != c.ok {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestTheTimesComparedAreEquallyLongAndAtMostTwoWeeks(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for age, want := range map[time.Duration]struct{ length, gap time.Duration }{
		5 * time.Minute: {6 * time.Minute, 0},
		3 * day:         {3*day + time.Minute, 0},
		8 * day:         {8*day + 5*time.Minute, 0},
		30 * day:        {14 * day, 16*day + 5*time.Minute},
	} {
		store := &metricStore{points: map[string][]float64{"app/a/1": {4}}}
		if _, err := authErrors(t, map[string]*metricStore{"eu-west-1": store}, []string{ireland + "a/1"},
			now.Add(-age), 0); err != nil {
			t.Fatal(err)
		}
		before, after := store.asked[1], store.asked[0]
		if b, a := before.EndTime.Sub(*before.StartTime), after.EndTime.Sub(*after.StartTime); a != want.length ||
			b != a || after.StartTime.Sub(*before.EndTime) != want.gap {
			t.Errorf("age %s: %s before, %s after, %s between", age, b, a, after.StartTime.Sub(*before.EndTime))
		}
	}
}

func TestTheQueryIsForTheSumSinceTheSwitch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		age    time.Duration
		start  time.Time
		period int32
	}{
		{0, now.Truncate(time.Minute), 60},
		{-30 * time.Second, now.Truncate(time.Minute), 60}, // the clocks differ a little
		{24*time.Hour + 10*time.Second, time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), 60},
		{8 * 24 * time.Hour, time.Date(2026, 11, 14, 12, 0, 0, 0, time.UTC), 300}, // the time before began 16 days ago
		{58 * 24 * time.Hour, time.Date(2026, 11, 8, 13, 0, 0, 0, time.UTC), 3600},
	} {
		store := &metricStore{}
		if _, err := authErrors(t, map[string]*metricStore{"eu-west-1": store}, []string{ireland + "a/1"},
			now.Add(-c.age), 0); err != nil {
			t.Fatal(err)
		}
		if len(store.asked) != 1 {
			t.Fatal("the time before is asked for, though nothing was counted since")
		}
		in := store.asked[0]
		q := in.MetricDataQueries[0].MetricStat
		if !in.StartTime.Equal(c.start) || !in.EndTime.After(now) || *q.Period != c.period {
			t.Errorf("age %s: from %s to %s, period %d", c.age, in.StartTime, in.EndTime, *q.Period)
		}
		if *q.Stat != "Sum" || *q.Metric.Namespace != "AWS/ApplicationELB" || *q.Metric.MetricName != "ELBAuthError" ||
			*q.Metric.Dimensions[0].Name != "LoadBalancer" {
			t.Errorf("query is %+v of %+v", q, q.Metric)
		}
	}
}

func TestAnAnswerThatIsNotCompleteIsAFailureNotZero(t *testing.T) {
	t.Parallel()
	status := func(s types.StatusCode) func(*cloudwatch.GetMetricDataOutput) {
		return func(o *cloudwatch.GetMetricDataOutput) { o.MetricDataResults[0].StatusCode = s }
	}
	for _, c := range []struct {
		name  string
		store metricStore
		kind  failure.Kind
	}{
		{"nothing for a load balancer",
			metricStore{change: func(o *cloudwatch.GetMetricDataOutput) { o.MetricDataResults = nil }},
			failure.Unavailable},
		{"partial data and no more pages", metricStore{change: status(types.StatusCodePartialData)},
			failure.Unavailable},
		{"an internal error", metricStore{change: status(types.StatusCodeInternalError)}, failure.Unavailable},
		{"forbidden", metricStore{change: status(types.StatusCodeForbidden)}, failure.AccessDenied},
		{"a result for something else", metricStore{change: func(o *cloudwatch.GetMetricDataOutput) {
			o.MetricDataResults[0].Id = aws.String("other")
		}}, failure.Unavailable},
		{"pages without end",
			metricStore{change: func(o *cloudwatch.GetMetricDataOutput) { o.NextToken = aws.String("again") }},
			failure.Unavailable},
		{"a call that fails", metricStore{err: failure.Wrap(failure.Throttled, errors.New("rate exceeded"), "call")},
			failure.Throttled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := authErrors(t, map[string]*metricStore{"eu-west-1": &c.store}, []string{ireland + "a/1"}, now, 0)
			if e.OK || !failure.Is(err, c.kind) || !strings.Contains(err.Error(), "eu-west-1") {
				t.Errorf("%+v, %v", e, err)
			}
		})
	}
}

func TestAMetricsTestThatIsNotDescribedIsInvalidInput(t *testing.T) {
	t.Parallel()
	good := []string{ireland + "a/1"}
	for name, c := range map[string]struct {
		arns  []string
		since time.Time
	}{"no load balancer": {nil, now}, "not a load balancer": {[]string{"arn:aws:s3:::x"}, now},
		"no time": {good, time.Time{}}, "the future": {good, now.Add(time.Hour)}} {
		if e, err := authErrors(t, map[string]*metricStore{"eu-west-1": {}}, c.arns, c.since, 0); !failure.Is(err,
			failure.InvalidInput) || e.OK {
			t.Errorf("%s: %+v, %v", name, e, err)
		}
	}
}

func TestManyLoadBalancersAreAskedForInBatches(t *testing.T) {
	t.Parallel()
	store := &metricStore{points: map[string][]float64{"app/a/" + strings.Repeat("1", 501): {7}}}
	var arns []string
	for i := 1; i <= 501; i++ {
		arns = append(arns, ireland+"a/"+strings.Repeat("1", i))
	}
	e, err := authErrors(t, map[string]*metricStore{"eu-west-1": store}, arns, now, 6)
	if err != nil || e.OK || len(store.asked) != 4 || len(store.asked[0].MetricDataQueries) != 500 {
		t.Errorf("%d calls, OK %v, %v", len(store.asked), e.OK, err)
	}
}
