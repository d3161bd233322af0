// Package cloudwatch is the local stack's Amazon CloudWatch: it keeps the values that the stack and its functions
// report, answers sums of them, and tells which alarms ring.
package cloudwatch

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/cloudwatch"
)

// Service is Amazon CloudWatch. It speaks Smithy RPC v2 CBOR, which current SDKs and CLIs use, and AWS JSON 1.0.
type Service struct {
	clock clock.Clock

	mu     sync.Mutex
	series map[string][]*series // by Region, in order of appearance
	alarms map[string][]Alarm   // by Region
}

var _ awsapi.Service = (*Service)(nil)

// New returns a service without metrics.
func New(c clock.Clock) *Service {
	return &Service{clock: c, series: map[string][]*series{}, alarms: map[string][]Alarm{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "monitoring" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.CBOR }

var inputs = awsapi.InputsOf(sdk.DescribeAlarmsInput{}, sdk.GetMetricDataInput{}, sdk.ListMetricsInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	switch call.Operation {
	case "DescribeAlarms":
		return s.describeAlarms(call)
	case "GetMetricData":
		return s.getMetricData(call)
	case "ListMetrics":
		return s.listMetrics(call)
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
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.find(region, m)
	if one == nil {
		one = &series{metric: m.sorted()}
		s.series[region] = append(s.series[region], one)
	}
	one.samples = append(one.samples, sample{at: s.clock.Now(), value: value})
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
	byName := func(a, b dimension) int { return cmp.Compare(a.Name, b.Name) }
	m.Dimensions = slices.SortedFunc(slices.Values(m.Dimensions), byName)
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

type sample struct {
	at    time.Time
	value float64
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

// sums are those of the periods between start and end, end excluded, that have samples: a period without any has no
// data point. The first begins at start, rounded down to the minute (API reference, GetMetricData).
func (one *series) sums(start, end time.Time, period time.Duration) map[time.Time]float64 {
	out := map[time.Time]float64{}
	if one == nil {
		return out
	}
	start = start.Truncate(min(period, time.Minute))
	for _, x := range one.samples {
		if !x.at.Before(start) && x.at.Before(end) {
			out[start.Add(x.at.Sub(start)/period*period)] += x.value
		}
	}
	return out
}

func (s *Service) listMetrics(call *awsapi.Call) (any, error) {
	var r struct {
		Namespace  string `json:"Namespace"`
		MetricName string `json:"MetricName"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	out := struct {
		Metrics []metricID `json:"Metrics"`
	}{Metrics: []metricID{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.series[call.Region] {
		m := one.metric
		if (r.Namespace == "" || m.Namespace == r.Namespace) && (r.MetricName == "" || m.MetricName == r.MetricName) {
			out.Metrics = append(out.Metrics, m)
		}
	}
	return out, nil
}

// newestFirst are the instants of sums.
func newestFirst(sums map[time.Time]float64) []time.Time {
	return slices.SortedFunc(maps.Keys(sums), func(a, b time.Time) int { return b.Compare(a) })
}
