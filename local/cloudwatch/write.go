package cloudwatch

import (
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// datum is MetricDatum of the API reference.
type datum struct {
	MetricName      string            `json:"MetricName"`
	Dimensions      []dimension       `json:"Dimensions"`
	Timestamp       *awsapi.Timestamp `json:"Timestamp"`
	Unit            string            `json:"Unit"`
	Value           *float64          `json:"Value"`
	Values          []float64         `json:"Values"`
	Counts          []float64         `json:"Counts"`
	StatisticValues *statisticSet     `json:"StatisticValues"`
}

type statisticSet struct {
	SampleCount float64 `json:"SampleCount"`
	Sum         float64 `json:"Sum"`
	Minimum     float64 `json:"Minimum"`
	Maximum     float64 `json:"Maximum"`
}

func (s *Service) putMetricData(call *awsapi.Call) (any, error) {
	var r struct {
		Namespace  string  `json:"Namespace"`
		MetricData []datum `json:"MetricData"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if r.Namespace == "" || len(r.MetricData) == 0 {
		return nil, awsapi.Errorf("MissingParameter", "The parameters Namespace and MetricData are required.")
	}
	if strings.HasPrefix(r.Namespace, "AWS/") {
		return nil, invalidParameter("The value AWS/ for parameter Namespace is invalid.")
	}
	samples := make([][]sample, len(r.MetricData))
	for i, d := range r.MetricData {
		var err error
		if samples[i], err = s.samples(d); err != nil {
			return nil, err
		}
	}
	for i, d := range r.MetricData {
		for _, x := range samples[i] {
			s.record(call.Region, metricID{Namespace: r.Namespace, MetricName: d.MetricName, Dimensions: d.Dimensions}, x)
		}
	}
	return nil, nil
}

// samples reads the values of a datum: one, a list with a count for each, or a statistic set.
func (s *Service) samples(d datum) ([]sample, error) {
	x := sample{at: s.clock.Now(), unit: d.Unit}
	if d.Timestamp != nil {
		x.at = d.Timestamp.Time
	}
	given := 0
	for _, ok := range []bool{d.Value != nil, len(d.Values) > 0, d.StatisticValues != nil} {
		if ok {
			given++
		}
	}
	switch {
	case d.MetricName == "" || given != 1:
		return nil, awsapi.Errorf("InvalidParameterCombination", "A datum has a MetricName and exactly one of Value, Values and StatisticValues.")
	case len(d.Counts) > 0 && len(d.Counts) != len(d.Values):
		return nil, invalidParameter("The parameters Values and Counts must have the same size.")
	case d.Value != nil:
		x.count, x.sum, x.min, x.max = 1, *d.Value, *d.Value, *d.Value
		return []sample{x}, nil
	case d.StatisticValues != nil:
		v := d.StatisticValues
		if v.SampleCount <= 0 {
			return nil, invalidParameter("The parameter StatisticValues.SampleCount must be greater than 0.")
		}
		x.count, x.sum, x.min, x.max = v.SampleCount, v.Sum, v.Minimum, v.Maximum
		return []sample{x}, nil
	}
	var out []sample
	for i, v := range d.Values {
		x.count = 1
		if len(d.Counts) > 0 {
			x.count = d.Counts[i]
		}
		x.sum, x.min, x.max = v*x.count, v, v
		if x.count > 0 {
			out = append(out, x)
		}
	}
	return out, nil
}
