package cloudwatch

import (
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// alarmSettings are the parameters of PutMetricAlarm for an alarm on one metric.
type alarmSettings struct {
	AlarmName               string      `json:"AlarmName"`
	AlarmDescription        string      `json:"AlarmDescription,omitempty"`
	ActionsEnabled          *bool       `json:"ActionsEnabled,omitempty"`
	OKActions               []string    `json:"OKActions"`
	AlarmActions            []string    `json:"AlarmActions"`
	InsufficientDataActions []string    `json:"InsufficientDataActions"`
	Namespace               string      `json:"Namespace"`
	MetricName              string      `json:"MetricName"`
	Dimensions              []dimension `json:"Dimensions"`
	Statistic               string      `json:"Statistic"`
	Period                  int         `json:"Period"`
	EvaluationPeriods       int         `json:"EvaluationPeriods"`
	DatapointsToAlarm       *int        `json:"DatapointsToAlarm,omitempty"`
	Threshold               *float64    `json:"Threshold"`
	ComparisonOperator      string      `json:"ComparisonOperator"`
	TreatMissingData        string      `json:"TreatMissingData,omitempty"`
	Unit                    string      `json:"Unit,omitempty"`
}

// alarm is a stored alarm: its settings and when it was set. It is not evaluated.
type alarm struct {
	settings alarmSettings
	updated  awsapi.Timestamp
}

func (s *Service) putMetricAlarm(call *awsapi.Call) (any, error) {
	var r alarmSettings
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if r.AlarmName == "" || r.Namespace == "" || r.MetricName == "" || r.Statistic == "" || r.Period <= 0 ||
		r.EvaluationPeriods <= 0 || r.Threshold == nil || r.ComparisonOperator == "" {
		return nil, awsapi.Errorf("ValidationError", "AlarmName, Namespace, MetricName, Statistic, Period, EvaluationPeriods, Threshold and ComparisonOperator are required")
	}
	if r.ActionsEnabled == nil {
		enabled := true
		r.ActionsEnabled = &enabled
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.alarms[call.Region] == nil {
		s.alarms[call.Region] = map[string]*alarm{}
	}
	s.alarms[call.Region][r.AlarmName] = &alarm{settings: r, updated: awsapi.Timestamp{Time: s.clock.Now()}}
	return nil, nil
}

// describedAlarm is MetricAlarm of the API reference.
type describedAlarm struct {
	AlarmArn                           string           `json:"AlarmArn"`
	AlarmConfigurationUpdatedTimestamp awsapi.Timestamp `json:"AlarmConfigurationUpdatedTimestamp"`
	StateValue                         string           `json:"StateValue"`
	StateReason                        string           `json:"StateReason"`
	StateUpdatedTimestamp              awsapi.Timestamp `json:"StateUpdatedTimestamp"`
	alarmSettings
}

func (s *Service) describeAlarms(call *awsapi.Call) (any, error) {
	var r struct {
		AlarmNames      []string `json:"AlarmNames"`
		AlarmNamePrefix string   `json:"AlarmNamePrefix"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if len(r.AlarmNames) > 0 && r.AlarmNamePrefix != "" {
		return nil, awsapi.Errorf("InvalidParameterCombination", "AlarmNames and AlarmNamePrefix cannot be given together")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []describedAlarm{}
	for name, a := range s.alarms[call.Region] {
		if (len(r.AlarmNames) > 0 && !slices.Contains(r.AlarmNames, name)) || !strings.HasPrefix(name, r.AlarmNamePrefix) {
			continue
		}
		out = append(out, describedAlarm{AlarmArn: call.ARN("cloudwatch", "alarm:"+name), AlarmConfigurationUpdatedTimestamp: a.updated,
			StateValue: "INSUFFICIENT_DATA", StateReason: "Unchecked: Initial alarm creation", StateUpdatedTimestamp: a.updated, alarmSettings: a.settings})
	}
	slices.SortFunc(out, func(a, b describedAlarm) int { return strings.Compare(a.AlarmName, b.AlarmName) })
	return struct {
		MetricAlarms    []describedAlarm `json:"MetricAlarms"`
		CompositeAlarms []struct{}       `json:"CompositeAlarms"`
	}{out, []struct{}{}}, nil
}
