package cloudwatch

import (
	"cmp"
	"slices"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

type dataQuery struct {
	ID         string `json:"Id"`
	Label      string `json:"Label"`
	MetricStat *struct {
		Metric metricID `json:"Metric"`
		Period int      `json:"Period"`
		Stat   string   `json:"Stat"`
	} `json:"MetricStat"`
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
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if len(r.Queries) == 0 {
		return nil, awsapi.Errorf("ValidationError", "The parameter MetricDataQueries is required.")
	}
	results := []dataResult{}
	for _, q := range r.Queries {
		result, err := s.query(call, q, r.Start.Time, r.End.Time)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return struct {
		Results  []dataResult `json:"MetricDataResults"`
		Messages []string     `json:"Messages"`
	}{results, []string{}}, nil
}

func (s *Service) query(call *awsapi.Call, q dataQuery, start, end time.Time) (dataResult, error) {
	if q.ID == "" || q.MetricStat == nil {
		return dataResult{}, awsapi.Errorf("ValidationError",
			"Each query has an Id and, in the local stack, a MetricStat.")
	}
	st := q.MetricStat
	period, err := checkRange(start, end, st.Period)
	if err != nil {
		return dataResult{}, err
	}
	if st.Stat != "Sum" {
		return dataResult{}, awsapi.NotImplementedParameter(call, "Stat "+st.Stat)
	}
	out := dataResult{ID: q.ID, Label: cmp.Or(q.Label, st.Metric.MetricName), StatusCode: "Complete",
		Timestamps: []awsapi.Timestamp{}, Values: []float64{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := s.find(call.Region, st.Metric).sums(start, end, period)
	for _, at := range newestFirst(sums) {
		out.Timestamps = append(out.Timestamps, awsapi.Timestamp{Time: at})
		out.Values = append(out.Values, sums[at])
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
