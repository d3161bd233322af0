// Package cloudwatch is the local stack's Amazon CloudWatch: it keeps the values that the stack, its functions and
// callers of PutMetricData report, and answers statistics over them. Alarms are kept but not evaluated: they stay in
// the state in which CloudWatch creates them.
package cloudwatch

import (
	"cmp"
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Service is Amazon CloudWatch. It speaks Smithy RPC v2 CBOR, which current SDKs and CLIs use, and AWS JSON 1.0.
type Service struct {
	clock clock.Clock

	mu     sync.Mutex
	series map[string][]*series         // by Region, in order of appearance
	alarms map[string]map[string]*alarm // by Region and name
}

var _ awsapi.Service = (*Service)(nil)

// New returns a service without metrics.
func New(c clock.Clock) *Service {
	return &Service{clock: c, series: map[string][]*series{}, alarms: map[string]map[string]*alarm{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "monitoring" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.CBOR }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "PutMetricData":
		return s.putMetricData(call)
	case "GetMetricData":
		return s.getMetricData(call)
	case "GetMetricStatistics":
		return s.getMetricStatistics(call)
	case "ListMetrics":
		return s.listMetrics(call)
	case "PutMetricAlarm":
		return s.putMetricAlarm(call)
	case "DescribeAlarms":
		return s.describeAlarms(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// Add records one value at the present instant.
func (s *Service) Add(region, namespace, metric string, dims map[string]string, value float64) {
	m := metricID{Namespace: namespace, MetricName: metric}
	for name, v := range dims {
		m.Dimensions = append(m.Dimensions, dimension{Name: name, Value: v})
	}
	s.record(region, m, sample{at: s.clock.Now(), count: 1, sum: value, min: value, max: value})
}

// dimension and metricID are Dimension and Metric of the API reference. Every combination of dimensions is a metric
// of its own (CloudWatch user guide, "Dimensions").
type dimension struct {
	Name  string `json:"Name"`
	Value string `json:"Value"`
}

type metricID struct {
	Namespace  string      `json:"Namespace"`
	MetricName string      `json:"MetricName"`
	Dimensions []dimension `json:"Dimensions"`
}

// sorted returns the metric with its dimensions in the order of their names, in which they are compared.
func (m metricID) sorted() metricID {
	m.Dimensions = slices.SortedFunc(slices.Values(m.Dimensions), func(a, b dimension) int { return cmp.Compare(a.Name, b.Name) })
	return m
}

func (m metricID) equal(o metricID) bool {
	return m.Namespace == o.Namespace && m.MetricName == o.MetricName && slices.Equal(m.Dimensions, o.Dimensions)
}

// series is everything reported for one metric.
type series struct {
	metric  metricID // sorted
	samples []sample
}

// sample is a set of values reported for one instant.
type sample struct {
	at                   time.Time
	count, sum, min, max float64
	unit                 string
}

func (s *Service) record(region string, m metricID, x sample) {
	m = m.sorted()
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.find(region, m)
	if one == nil {
		one = &series{metric: m}
		s.series[region] = append(s.series[region], one)
	}
	one.samples = append(one.samples, x)
}

// find returns a metric's series, or nil. s.mu is held.
func (s *Service) find(region string, m metricID) *series {
	m = m.sorted()
	for _, one := range s.series[region] {
		if one.metric.equal(m) {
			return one
		}
	}
	return nil
}

// bucket sums up the samples of one period.
type bucket struct {
	at time.Time
	sample
}

// buckets are the periods between start and end, end excluded, that have samples: a period without any has no data
// point. The first begins at start, rounded down to the minute (API reference, GetMetricData).
func (one *series) buckets(start, end time.Time, period time.Duration) []bucket {
	if one == nil {
		return nil
	}
	start = start.Truncate(min(period, time.Minute))
	byIndex := map[int64]*bucket{}
	for _, x := range one.samples {
		if x.at.Before(start) || !x.at.Before(end) {
			continue
		}
		i := int64(x.at.Sub(start) / period)
		b := byIndex[i]
		if b == nil {
			b = &bucket{at: start.Add(time.Duration(i) * period), sample: sample{min: math.Inf(1), max: math.Inf(-1)}}
			byIndex[i] = b
		}
		b.count, b.sum, b.min, b.max = b.count+x.count, b.sum+x.sum, min(b.min, x.min), max(b.max, x.max)
		b.unit = cmp.Or(x.unit, b.unit)
	}
	out := make([]bucket, 0, len(byIndex))
	for _, b := range byIndex {
		out = append(out, *b)
	}
	slices.SortFunc(out, func(a, b bucket) int { return a.at.Compare(b.at) })
	return out
}

// statistic is the value of a period by the name of a statistic.
func (b bucket) statistic(name string) (float64, bool) {
	switch name {
	case "Sum":
		return b.sum, true
	case "Average":
		return b.sum / b.count, true
	case "Minimum":
		return b.min, true
	case "Maximum":
		return b.max, true
	case "SampleCount":
		return b.count, true
	default:
		return 0, false
	}
}

func invalidParameter(format string, args ...any) error {
	return awsapi.Errorf("InvalidParameterValue", format, args...)
}
