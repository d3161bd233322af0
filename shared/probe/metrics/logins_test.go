package metrics_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/probe/metrics"
)

func stopped(m *metricStore, made, switched time.Time) ([]string, error) {
	r := metrics.New(func(string) metrics.CloudWatch { return m }, func() time.Time { return now })
	return r.LoginsStopped(context.Background(), []string{ireland + "a/1", ireland + "b/2"}, made, switched)
}

func TestLoginsStoppedWhereManyWereUsualAndNoneIsNow(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before, after float64
		stopped       bool
	}{
		"many, then none":             {100, 0, true},
		"many, then one":              {100, 1, false},
		"none before, either":         {0, 0, false},
		"so few that none is chance":  {9, 0, false},
		"enough that none is no luck": {10, 0, true},
	} {
		m := &metricStore{before: map[string][]float64{"app/a/1": {c.before},
			"app/b/2": {5}}, points: map[string][]float64{"app/a/1": {c.after}, "app/b/2": {5}}}
		m.pointsUntil = now.Add(-5 * time.Minute)
		got, err := stopped(m, now.Add(-2*time.Hour), now.Add(-time.Hour))
		if err != nil || slices.Contains(got, ireland+"a/1") != c.stopped || slices.Contains(got, ireland+"b/2") {
			t.Errorf("%s: %v (%v)", name, got, err)
		}
		if q := m.asked[0].MetricDataQueries[0].MetricStat; *q.Metric.MetricName != "ELBAuthSuccess" ||
			*q.Stat != "Sum" {
			t.Errorf("the query is %+v", q)
		}
	}
}

func TestTheTimesInWhichLoginsAreCounted(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct{ made, switched, length time.Duration }{
		"an hour":                         {64 * time.Minute, time.Hour, 54 * time.Minute},
		"no longer than the late data":    {8 * time.Minute, 4 * time.Minute, 0},
		"a moment more than that":         {9 * time.Minute, 5 * time.Minute, 0},
		"longer than two weeks":           {30 * day, 30*day - time.Minute, 14 * day},
		"a secret that was made long ago": {10 * day, time.Hour, 50 * time.Minute},
	} {
		m := &metricStore{}
		if _, err := stopped(m, now.Add(-c.made), now.Add(-c.switched)); err != nil {
			t.Fatal(err)
		}
		if c.length == 0 {
			if len(m.asked) > 0 {
				t.Errorf("%s: asked for a time in which nothing can be expected", name)
			}
			continue
		}
		before, after := m.asked[0], m.asked[1]
		if length(before) != length(after) || length(after).Round(10*time.Minute) != c.length.Round(10*time.Minute) {
			t.Errorf("%s: %s before, %s after", name, length(before), length(after))
		}
		if before.EndTime.After(now.Add(-c.made)) || after.StartTime.Before(now.Add(-c.switched)) ||
			after.EndTime.After(now.Add(-5*time.Minute)) {
			t.Errorf("%s: before until %s, after from %s to %s", name, before.EndTime, after.StartTime, after.EndTime)
		}
	}
}

func length(in *cloudwatch.GetMetricDataInput) time.Duration { return in.EndTime.Sub(*in.StartTime) }

func TestAQuestionAboutLoginsThatMakesNoSenseIsInvalidInput(t *testing.T) {
	t.Parallel()
	for _, times := range [][2]time.Time{{{}, now}, {now, now.Add(-time.Hour)}} {
		if _, err := stopped(&metricStore{}, times[0], times[1]); !failure.Is(err, failure.InvalidInput) {
			t.Errorf("%v: %v", times, err)
		}
	}
}

// logins answers for each load balancer with one login at a time.
type logins map[string]time.Time

func (l logins) GetMetricData(_ context.Context, in *cloudwatch.GetMetricDataInput, _ ...func(*cloudwatch.Options)) (
	*cloudwatch.GetMetricDataOutput, error) {
	out := &cloudwatch.GetMetricDataOutput{}
	for _, q := range in.MetricDataQueries {
		r := types.MetricDataResult{Id: q.Id, StatusCode: types.StatusCodeComplete}
		at, is := l[*q.MetricStat.Metric.Dimensions[0].Value]
		if is && !at.Before(*in.StartTime) && at.Before(*in.EndTime) {
			r.Values = []float64{1}
		}
		out.MetricDataResults = append(out.MetricDataResults, r)
	}
	return out, nil
}

func TestTheLastLoginIsFoundWithinFiveMinutes(t *testing.T) {
	t.Parallel()
	for name, ago := range map[string]time.Duration{"a moment ago": time.Second, "an hour ago": time.Hour,
		"last week": 7*24*time.Hour + 3*time.Minute, "almost too long ago": 14*24*time.Hour - time.Hour} {
		l := logins{"app/a/1": now.Add(-ago), "app/b/2": now.Add(-13 * 24 * time.Hour)}
		if ago > 13*24*time.Hour {
			delete(l, "app/b/2")
		}
		r := metrics.New(func(string) metrics.CloudWatch { return l }, func() time.Time { return now })
		got, err := r.LastLogin(t.Context(), []string{ireland + "a/1", ireland + "b/2"})
		if d := now.Add(-ago).Sub(got); err != nil || d < 0 || d >= 5*time.Minute {
			t.Errorf("%s: found %s, %s off (%v)", name, got, d, err)
		}
	}
	r := metrics.New(func(string) metrics.CloudWatch { return logins{} }, func() time.Time { return now })
	if got, err := r.LastLogin(t.Context(), []string{ireland + "a/1"}); err != nil || !got.IsZero() {
		t.Errorf("none: found %s (%v)", got, err)
	}
	denied := &metricStore{err: context.DeadlineExceeded}
	r = metrics.New(func(string) metrics.CloudWatch { return denied }, func() time.Time { return now })
	if _, err := r.LastLogin(t.Context(), []string{ireland + "a/1"}); err == nil {
		t.Error("what could not be read is taken for none")
	}
}
