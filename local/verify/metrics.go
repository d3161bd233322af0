package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"
)

// wrongSecret puts a secret on the rule that the identity provider refuses, and finds what the user and CloudWatch see.
func (m *Run) wrongSecret(ctx context.Context) error {
	if err := m.set(ctx, pathOfRule, "refused"); err != nil {
		return err
	}
	nodes, err := m.Nodes(ctx, &m.r)
	if err != nil {
		return fmt.Errorf("resolving %s: %w", m.r.Host, err)
	}
	var status int
	_, ok, err := m.until(ctx, time.Second, patience, func() (bool, error) {
		l, err := LogIn(ctx, m.Transport, nodes[0], m.r.Host, pathOfRule)
		status = l.Status
		return err == nil && l.Status != 200, nil
	})
	if err == nil && !ok {
		err = errors.New("logins with a secret that is refused succeed")
	}
	if err != nil {
		return err
	}
	at := m.Clock.Now()
	m.find(Finding{Question: "what a user sees whose load balancer has a wrong secret",
		Assumed: "561; tests look at the page",
		Found:   fmt.Sprintf("status %d", status), Verdict: decide(status == 561)})
	took, ok, err := m.until(ctx, 5*time.Second, patience, func() (bool, error) {
		n, err := m.sum(ctx, "AWS/ApplicationELB", "ELBAuthError", "LoadBalancer", m.r.Dimension, at)
		return n > 0, err
	})
	if err != nil {
		return err
	}
	f := Finding{Question: "how long ELBAuthError takes to appear", Verdict: decide(ok && took <= 5*time.Minute),
		Assumed: "less than a grace period; in an emergency the metric test sees little",
		Found:   fmt.Sprintf("%.0f s", took.Seconds()), Numbers: []float64{took.Seconds()}}
	if !ok {
		f.Found, f.Numbers = fmt.Sprintf("not within %s", patience), nil
	}
	m.find(f)
	return m.set(ctx, pathOfRule, "s2000")
}

// sum is the sum of a metric since a minute before an instant.
func (m *Run) sum(ctx context.Context, namespace, metric, dimension, value string, since time.Time) (float64, error) {
	end := m.Clock.Now().Add(time.Minute)
	out, err := m.Metrics.GetMetricData(ctx,
		&cloudwatch.GetMetricDataInput{StartTime: aws.Time(since.Add(-time.Minute)),
			EndTime: &end, MetricDataQueries: []types.MetricDataQuery{{Id: aws.String("m"),
				MetricStat: &types.MetricStat{
					Metric: &types.Metric{Namespace: &namespace, MetricName: &metric, Dimensions: []types.Dimension{
						{Name: &dimension, Value: &value}}}, Period: aws.Int32(60), Stat: aws.String("Sum")}}}})
	if err != nil {
		return 0, err
	}
	var n float64
	for _, r := range out.MetricDataResults {
		for _, v := range r.Values {
			n += v
		}
	}
	return n, nil
}
