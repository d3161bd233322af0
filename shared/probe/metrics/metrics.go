// Package metrics is the smoke test that reads the load balancers' metrics. It is not part of package probe because of
// what it weighs: a function that imports the client of CloudWatch is 250 KB larger, and only one runs this test.
package metrics

import (
	"context"
	"fmt"
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
	GetMetricData(context.Context, *cloudwatch.GetMetricDataInput, ...func(*cloudwatch.Options)) (*cloudwatch.GetMetricDataOutput, error)
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
}

// New returns a reader. client returns the API of one Region.
func New(client func(region string) CloudWatch, now func() time.Time) *Reader {
	return &Reader{client: client, now: now}
}

// AuthErrors counts ELBAuthError over all load balancers (ARNs) from since, rounded down to a whole period, to now; the
// evidence is OK if they are not more than allowed. Load balancers publish the metric only when it is not zero
// (Application Load Balancers user guide, "CloudWatch metrics"), so no data is zero: pair it with a login or redirect test,
// which makes sure that something could have been counted. Data points arrive some minutes late. Failures are those of
// package awserr, and InvalidInput.
func (r *Reader) AuthErrors(ctx context.Context, loadBalancers []string, since time.Time, allowed int) (rotation.Evidence, error) {
	if len(loadBalancers) == 0 {
		return rotation.Evidence{}, failure.New(failure.InvalidInput, "the metrics test needs ARNs of Application Load Balancers")
	}
	begin := r.now()
	w, err := newWindow(since, begin)
	if err != nil {
		return rotation.Evidence{}, err
	}
	var counts []string
	total := 0.0
	for _, region := range byRegion(loadBalancers) {
		if region.name == "" {
			return rotation.Evidence{}, failure.New(failure.InvalidInput, "the metrics test needs ARNs of Application Load Balancers")
		}
		for i := 0; i < len(region.dimensions); i += maxQueries {
			batch := region.dimensions[i:min(i+maxQueries, len(region.dimensions))]
			sums, err := w.sums(ctx, r.client(region.name), batch)
			if err != nil {
				return rotation.Evidence{}, awserr.Wrap(err, "reading ELBAuthError in %s", region.name)
			}
			for j, sum := range sums {
				total += sum
				if sum > 0 {
					counts = append(counts, fmt.Sprintf("%s %s: %g", region.name, batch[j], sum))
				}
			}
		}
	}
	detail := fmt.Sprintf("%g since %s over %d load balancers, %d allowed", total, rotation.Timestamp(w.start), len(loadBalancers), allowed)
	if len(counts) > 0 {
		detail += " (" + strings.Join(counts, ", ") + ")"
	}
	return rotation.Evidence{Check: rotation.CheckMetrics, Subject: "ELBAuthError", OK: total <= float64(allowed), Detail: detail,
		LatencyMS: r.now().Sub(begin).Milliseconds()}, nil
}

// regionBalancers are the LoadBalancer dimensions (app/NAME/ID) of the load balancers of one Region.
type regionBalancers struct {
	name       string
	dimensions []string
}

// byRegion sorts ARNs by Region, in their order; one that is no load balancer's comes back with an empty Region.
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
		i, seen := index[parts[3]]
		if !seen {
			i = len(out)
			index[parts[3]] = i
			out = append(out, regionBalancers{name: parts[3]})
		}
		out[i].dimensions = append(out[i].dimensions, dimension)
	}
	return out
}

// window is the time asked for and the length of a data point.
type window struct {
	start, end time.Time
	period     time.Duration
}

// newWindow picks the shortest period that CloudWatch still keeps data of at since: one minute for 15 days, five minutes
// for 63, one hour beyond (CloudWatch API reference, MetricStat, Period). A shorter one would give no data, which would
// look like no errors; a day is left as margin. The end is exclusive and lies in the future, so that the running period
// counts and a window that has just begun is not empty.
func newWindow(since, now time.Time) (window, error) {
	if since.IsZero() || since.After(now.Add(time.Minute)) {
		return window{}, failure.New(failure.InvalidInput, "the metrics test needs the time of the switch, and it must have passed")
	}
	if since.After(now) { // two clocks that differ a little
		since = now
	}
	const day = 24 * time.Hour
	period := time.Minute
	switch age := now.Sub(since); {
	case age > 62*day:
		period = time.Hour
	case age > 14*day:
		period = 5 * time.Minute
	}
	return window{start: since.UTC().Truncate(period), end: now.UTC().Truncate(period).Add(period), period: period}, nil
}

// sums returns the sum of the metric for each load balancer of one Region, in order.
func (w window) sums(ctx context.Context, api CloudWatch, dimensions []string) ([]float64, error) {
	in := &cloudwatch.GetMetricDataInput{StartTime: aws.Time(w.start), EndTime: aws.Time(w.end)}
	position := map[string]int{}
	for i, d := range dimensions {
		id := "lb" + strconv.Itoa(i)
		position[id] = i
		in.MetricDataQueries = append(in.MetricDataQueries, types.MetricDataQuery{Id: aws.String(id), MetricStat: &types.MetricStat{
			Metric: &types.Metric{Namespace: aws.String("AWS/ApplicationELB"), MetricName: aws.String("ELBAuthError"),
				Dimensions: []types.Dimension{{Name: aws.String("LoadBalancer"), Value: aws.String(d)}}},
			Period: aws.Int32(int32(w.period / time.Second)), Stat: aws.String("Sum")}})
	}
	sums, complete := make([]float64, len(dimensions)), map[int]bool{}
	for range maxAnswers {
		out, err := api.GetMetricData(ctx, in)
		if err != nil {
			return nil, err
		}
		if err := addUp(out.MetricDataResults, position, sums, complete); err != nil {
			return nil, err
		}
		if aws.ToString(out.NextToken) == "" {
			if len(complete) < len(dimensions) {
				return nil, failure.New(failure.Unavailable, "CloudWatch answered for %d of %d load balancers", len(complete), len(dimensions))
			}
			return sums, nil
		}
		in.NextToken = out.NextToken
	}
	return nil, failure.New(failure.Unavailable, "CloudWatch gave more than %d pages", maxAnswers)
}

// addUp adds the results of one page. A result without values is complete and zero; one that is missing or broken off is
// no result (CloudWatch API reference, MetricDataResult, StatusCode).
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
