package cloudwatch

import (
	"slices"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

type metricStat struct {
	Metric metricID `json:"Metric"`
	Period int      `json:"Period"`
	Stat   string   `json:"Stat"`
}

type dataQuery struct {
	ID         string      `json:"Id"`
	Label      string      `json:"Label"`
	MetricStat *metricStat `json:"MetricStat"`
	ReturnData *bool       `json:"ReturnData"`
}

type dataResult struct {
	ID         string             `json:"Id"`
	Label      string             `json:"Label"`
	Timestamps []awsapi.Timestamp `json:"Timestamps"`
	Values     []float64          `json:"Values"`
	StatusCode string             `json:"StatusCode"`
}

func (s *Service) getMetricData(call *awsapi.Call) (any, error) {
	var r struct {
		Queries []dataQuery      `json:"MetricDataQueries"`
		Start   awsapi.Timestamp `json:"StartTime"`
		End     awsapi.Timestamp `json:"EndTime"`
		ScanBy  string           `json:"ScanBy"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if len(r.Queries) == 0 {
		return nil, awsapi.Errorf("ValidationError", "The parameter MetricDataQueries is required.")
	}
	if r.ScanBy != "" && r.ScanBy != "TimestampAscending" && r.ScanBy != "TimestampDescending" {
		return nil, awsapi.Errorf("ValidationError", "The value %s for parameter ScanBy is invalid.", r.ScanBy)
	}
	results := []dataResult{}
	for _, q := range r.Queries {
		result, err := s.query(call, q, r.Start.Time, r.End.Time)
		if err != nil {
			return nil, err
		}
		if r.ScanBy != "TimestampAscending" { // newest first, unless asked otherwise
			slices.Reverse(result.Timestamps)
			slices.Reverse(result.Values)
		}
		if q.ReturnData == nil || *q.ReturnData {
			results = append(results, result)
		}
	}
	return struct {
		Results  []dataResult `json:"MetricDataResults"`
		Messages []string     `json:"Messages"`
	}{results, []string{}}, nil
}

func (s *Service) query(call *awsapi.Call, q dataQuery, start, end time.Time) (dataResult, error) {
	if q.ID == "" || q.MetricStat == nil {
		return dataResult{}, awsapi.Errorf("ValidationError", "Each query has an Id and, in the local stack, a MetricStat.")
	}
	st := q.MetricStat
	period, err := checkRange(start, end, st.Period)
	if err != nil {
		return dataResult{}, err
	}
	if _, ok := (bucket{}).statistic(st.Stat); !ok {
		return dataResult{}, awsapi.NotImplementedParameter(call, "Stat "+st.Stat)
	}
	out := dataResult{ID: q.ID, Label: q.Label, StatusCode: "Complete", Timestamps: []awsapi.Timestamp{}, Values: []float64{}}
	if out.Label == "" {
		out.Label = st.Metric.MetricName
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.find(call.Region, st.Metric).buckets(start, end, period) {
		v, _ := b.statistic(st.Stat)
		out.Timestamps = append(out.Timestamps, awsapi.Timestamp{Time: b.at})
		out.Values = append(out.Values, v)
	}
	return out, nil
}

// checkRange checks a time range and a period: 1, 5, 10, 20, 30 or a multiple of 60 seconds.
func checkRange(start, end time.Time, period int) (time.Duration, error) {
	switch {
	case start.IsZero() || end.IsZero():
		return 0, awsapi.Errorf("ValidationError", "The parameters StartTime and EndTime are required.")
	case !start.Before(end):
		return 0, awsapi.Errorf("ValidationError", "The parameter StartTime must be less than the parameter EndTime.")
	case period <= 0 || (period%60 != 0 && !slices.Contains([]int{1, 5, 10, 20, 30}, period)):
		return 0, awsapi.Errorf("ValidationError", "Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
	}
	return time.Duration(period) * time.Second, nil
}

// datapoint is Datapoint of the API reference, with the statistics that were asked for.
type datapoint struct {
	Timestamp   awsapi.Timestamp `json:"Timestamp"`
	Unit        string           `json:"Unit"`
	SampleCount *float64         `json:"SampleCount,omitempty"`
	Average     *float64         `json:"Average,omitempty"`
	Sum         *float64         `json:"Sum,omitempty"`
	Minimum     *float64         `json:"Minimum,omitempty"`
	Maximum     *float64         `json:"Maximum,omitempty"`
}

func (s *Service) getMetricStatistics(call *awsapi.Call) (any, error) {
	var r struct {
		metricID
		Start      awsapi.Timestamp `json:"StartTime"`
		End        awsapi.Timestamp `json:"EndTime"`
		Period     int              `json:"Period"`
		Statistics []string         `json:"Statistics"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	period, err := checkRange(r.Start.Time, r.End.Time, r.Period)
	if err != nil {
		return nil, err
	}
	if len(r.Statistics) == 0 {
		return nil, awsapi.Errorf("InvalidParameterCombination", "Must specify either Statistics or ExtendedStatistics")
	}
	points := []datapoint{}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range r.Statistics {
		if _, ok := (bucket{}).statistic(name); !ok {
			return nil, invalidParameter("The value %s for parameter Statistics is invalid.", name)
		}
	}
	for _, b := range s.find(call.Region, r.metricID).buckets(r.Start.Time, r.End.Time, period) {
		points = append(points, b.datapoint(r.Statistics))
	}
	return struct {
		Label      string      `json:"Label"`
		Datapoints []datapoint `json:"Datapoints"`
	}{r.MetricName, points}, nil
}

func (b bucket) datapoint(statistics []string) datapoint {
	p := datapoint{Timestamp: awsapi.Timestamp{Time: b.at}, Unit: "None"}
	if b.unit != "" {
		p.Unit = b.unit
	}
	members := map[string]**float64{"SampleCount": &p.SampleCount, "Average": &p.Average, "Sum": &p.Sum, "Minimum": &p.Minimum, "Maximum": &p.Maximum}
	for _, name := range statistics {
		v, _ := b.statistic(name)
		*members[name] = &v
	}
	return p
}

func (s *Service) listMetrics(call *awsapi.Call) (any, error) {
	var r struct {
		Namespace  string `json:"Namespace"`
		MetricName string `json:"MetricName"`
		Dimensions []struct {
			Name  string  `json:"Name"`
			Value *string `json:"Value"`
		} `json:"Dimensions"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	has := func(m metricID) bool {
		for _, want := range r.Dimensions {
			if !slices.ContainsFunc(m.Dimensions, func(d dimension) bool {
				return d.Name == want.Name && (want.Value == nil || d.Value == *want.Value)
			}) {
				return false
			}
		}
		return true
	}
	out := struct {
		Metrics []metricID `json:"Metrics"`
	}{Metrics: []metricID{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range s.series[call.Region] {
		m := one.metric
		if (r.Namespace == "" || m.Namespace == r.Namespace) && (r.MetricName == "" || m.MetricName == r.MetricName) && has(m) {
			out.Metrics = append(out.Metrics, m)
		}
	}
	return out, nil
}
