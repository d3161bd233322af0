// Package metrics is the smoke test that reads the load balancers' metrics.
package metrics

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatch/types"

	"alboidc.internal/shared/awserr"
	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/rotation"
)

// CloudWatch is the one call that is needed; *cloudwatch.Client has it.
type CloudWatch interface {
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput,
		...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
}

var _ CloudWatch = (*cloudwatch.Client)(nil)

const (
	// maxQueries is GetMetricData's limit for one request (CloudWatch API reference, GetMetricData).
	maxQueries = 500
	// maxAnswers limits the pages of one request: a request is for far fewer data points than one page holds.
	maxAnswers = 100
)

// Reader reads the metrics of all Regions.
type Reader struct {
	client func(region string) CloudWatch
	now    func() time.Time
	// others reach the metrics of other accounts.
	others map[string]func(region string) CloudWatch
}

// New returns a reader. client returns the API of one Region.
func New(client func(region string) CloudWatch, now func() time.Time) *Reader {
	return &Reader{client: client, now: now}
}

// By returns the reader with the metrics of some accounts reached by others.
func (r *Reader) By(others map[string]func(region string) CloudWatch) *Reader {
	c := *r
	c.others = others
	return &c
}

func (r *Reader) in(account, region string) CloudWatch {
	if other := r.others[account]; other != nil {
		return other(region)
	}
	return r.client(region)
}

// AuthErrors compares ELBAuthError over all load balancers (ARNs) from since to now with as long a time before, two
// weeks at most, if there were more than always pass. The evidence is OK if there were at most more errors than before,
// or as many more as chance explains: the metric has no client dimension, and stray errors happen. No data counts as
// zero (Application Load Balancers user guide, "CloudWatch metrics"), so pair it with a login or redirect test, which
// makes sure that something could have been counted. Failures are those of package awserr, and InvalidInput.
func (r *Reader) AuthErrors(ctx context.Context, loadBalancers []string, since time.Time, more int) (rotation.Evidence,
	error) {
	if len(loadBalancers) == 0 {
		return rotation.Evidence{}, failure.New(failure.InvalidInput,
			"the metrics test needs ARNs of Application Load Balancers")
	}
	begin := r.now()
	before, after, err := newWindows(since, begin)
	if err != nil {
		return rotation.Evidence{}, err
	}
	total, counts, err := r.count(ctx, after, loadBalancers)
	if err != nil {
		return rotation.Evidence{}, err
	}
	detail := fmt.Sprintf("%g since %s over %d load balancers", total, rotation.Timestamp(after.start),
		len(loadBalancers))
	allowed := max(float64(more), chance(0))
	if total <= allowed {
		detail += fmt.Sprintf(", %g always allowed", allowed)
	} else { // what is usual allows more
		usual, _, err := r.count(ctx, before, loadBalancers)
		if err != nil {
			return rotation.Evidence{}, err
		}
		allowed = usual + max(float64(more), chance(usual))
		detail += fmt.Sprintf(", %g in the same time before %s, %g allowed", usual, rotation.Timestamp(before.end),
			allowed)
	}
	if len(counts) > 0 {
		detail += " (" + strings.Join(counts, ", ") + ")"
	}
	return rotation.Evidence{Check: rotation.CheckMetrics, Subject: "ELBAuthError", OK: total <= allowed,
		Detail:    detail,
		LatencyMS: r.now().Sub(begin).Milliseconds()}, nil
}

// chance is how many more errors than usual mean nothing: three standard deviations of a number of independent events,
// with one more counted so that three strays pass where there were none before.
func chance(usual float64) float64 { return math.Floor(3 * math.Sqrt(usual+1)) }

// count adds up the metric over load balancers, and lists those that have any.
func (r *Reader) count(ctx context.Context, w window, loadBalancers []string) (total float64, counts []string,
	err error) {
	all, err := r.readEach(ctx, "ELBAuthError", w, loadBalancers)
	for _, b := range all {
		total += b.sum
		if b.sum > 0 {
			counts = append(counts, fmt.Sprintf("%s %s: %g", b.region, b.dimension, b.sum))
		}
	}
	return total, counts, err
}

// balancerSum is a metric's sum for one load balancer.
type balancerSum struct {
	arn, region, dimension string
	sum                    float64
}

// readEach reads a metric of every load balancer.
func (r *Reader) readEach(ctx context.Context, metric string, w window, loadBalancers []string) ([]balancerSum, error) {
	var out []balancerSum
	for _, region := range byRegion(loadBalancers) {
		if region.name == "" {
			return nil, failure.New(failure.InvalidInput, "the metrics test needs ARNs of Application Load Balancers")
		}
		for batch := range slices.Chunk(region.balancers, maxQueries) {
			sums, err := w.readSums(ctx, r.in(region.account, region.name), metric, batch)
			if err != nil {
				return nil, awserr.Wrap(err, "reading %s in %s", metric, region.name)
			}
			for i, b := range batch {
				b.sum = sums[i]
				out = append(out, b)
			}
		}
	}
	return out, nil
}

// regionBalancers are the load balancers of one account and Region.
type regionBalancers struct {
	account   string
	name      string
	balancers []balancerSum
}

// byRegion sorts load balancers by account and Region, in their order; one that is no load balancer's comes back with
// an empty Region.
func byRegion(arns []string) []regionBalancers {
	var out []regionBalancers
	index := map[string]int{}
	for _, arn := range arns {
		parts := strings.SplitN(arn, ":", 6)
		dimension, ok := "", false
		if len(parts) == 6 && parts[3] != "" {
			dimension, ok = strings.CutPrefix(parts[5], "loadbalancer/")
		}
		if !ok {
			return []regionBalancers{{}}
		}
		i, seen := index[parts[4]+parts[3]]
		if !seen {
			i = len(out)
			index[parts[4]+parts[3]] = i
			out = append(out, regionBalancers{account: parts[4], name: parts[3]})
		}
		out[i].balancers = append(out[i].balancers, balancerSum{arn: arn, region: parts[3], dimension: dimension})
	}
	return out
}

// window is the time asked for and the length of a data point.
type window struct {
	start, end time.Time
	period     time.Duration
}

// longest is how much time is compared: in more, other things change than the secret.
const longest = 14 * 24 * time.Hour

// newWindows returns the times before and after since that are compared, which are equally long. The period is the
// shortest of which CloudWatch still keeps data from the beginning (CloudWatch API reference, MetricStat, Period): a
// shorter one would give no data, which would look like no errors. The end lies in the future, so that the running
// period counts.
func newWindows(since, now time.Time) (before, after window, err error) {
	if since.IsZero() || since.After(now.Add(time.Minute)) {
		return window{}, window{}, failure.New(failure.InvalidInput,
			"the metrics test needs the time of the switch, and it must have passed")
	}
	if since.After(now) { // two clocks that differ a little
		since = now
	}
	period := shortestPeriod(now.Sub(since) + min(now.Sub(since), longest))
	at, end := since.UTC().Truncate(period), now.UTC().Truncate(period).Add(period)
	length := min(end.Sub(at), longest)
	return window{start: at.Add(-length), end: at, period: period}, window{start: end.Add(-length), end: end,
		period: period}, nil
}

// shortestPeriod is the shortest period of which CloudWatch still has data points of that age.
func shortestPeriod(age time.Duration) time.Duration {
	const day = 24 * time.Hour
	switch {
	case age > 62*day:
		return time.Hour
	case age > 14*day:
		return 5 * time.Minute
	default:
		return time.Minute
	}
}

// readSums returns the sum of the metric for each load balancer of one Region, in order.
func (w window) readSums(ctx context.Context, api CloudWatch, metric string, balancers []balancerSum) ([]float64,
	error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(w.start), EndTime: aws.Time(w.end)}
	position := map[string]int{}
	for i, b := range balancers {
		id := "lb" + strconv.Itoa(i)
		position[id] = i
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(id),
			MetricStat: &types.MetricStat{
				Metric: &types.Metric{Namespace: aws.String("AWS/ApplicationELB"), MetricName: &metric,
					Dimensions: []types.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String(b.dimension)}}},
				Period: aws.Int32(int32(w.period / time.Second)), Stat: aws.String("Sum")}})
	}
	sums, complete := make([]float64, len(balancers)), map[int]bool{}
	for range maxAnswers {
		out, err := api.GetMetricData(ctx, in)
		if err != nil {
			return nil, err
		}
		if err := addUp(out.MetricDataResults, position, sums, complete); err != nil {
			return nil, err
		}
		if aws.ToString(out.NextToken) == "" {
			if len(complete) < len(balancers) {
				return nil, failure.New(failure.Unavailable, "CloudWatch answered for %d of %d load balancers",
					len(complete), len(balancers))
			}
			return sums, nil
		}
		in.NextToken = out.NextToken
	}
	return nil, failure.New(failure.Unavailable, "CloudWatch gave more than %d pages", maxAnswers)
}

// addUp adds the results of one page. A result without values is complete and zero; one that is missing or broken off
// is no result (CloudWatch API reference, MetricDataResult, StatusCode).
func addUp(results []types.MetricDataResult, position map[string]int, sums []float64, complete map[int]bool) error {
	for _, r := range results {
		i, ok := position[aws.ToString(r.Id)]
		if !ok {
			return failure.New(failure.Unavailable, "CloudWatch answered a query that was not asked")
		}
		for _, v := range r.Values {
			sums[i] += v
		}
		switch r.StatusCode {
		case types.StatusCodeComplete:
			complete[i] = true
		case types.StatusCodePartialData:
		case types.StatusCodeForbidden:
			return failure.New(failure.AccessDenied, "CloudWatch refused to read the metric")
		default:
			return failure.New(failure.Unavailable, "CloudWatch answered with status %s", r.StatusCode)
		}
	}
	return nil
}
