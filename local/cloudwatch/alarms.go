package cloudwatch

import (
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// Alarm is an alarm as it is at the moment; nothing here evaluates it.
type Alarm struct {
	AlarmName        string `json:"AlarmName"`
	AlarmDescription string `json:"AlarmDescription"`
	// StateValue is OK, ALARM or INSUFFICIENT_DATA.
	StateValue     string   `json:"StateValue"`
	ActionsEnabled bool     `json:"ActionsEnabled"`
	AlarmActions   []string `json:"AlarmActions,omitempty"`
}

// SetAlarm makes an alarm, or changes it.
func (s *Service) SetAlarm(region string, a Alarm) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.alarms[region] = append(slices.DeleteFunc(s.alarms[region],
		func(b Alarm) bool { return a.AlarmName == b.AlarmName }), a)
}

// describeAlarms lists all in one page.
func (s *Service) describeAlarms(call *awsapi.Call) (any, error) {
	var in struct {
		AlarmNamePrefix string   `json:"AlarmNamePrefix"`
		AlarmTypes      []string `json:"AlarmTypes"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(in.AlarmTypes, func(kind string) bool { return kind != "MetricAlarm" }) {
		return nil, awsapi.NotImplementedParameter(call, "AlarmTypes other than MetricAlarm")
	}
	out := struct {
		MetricAlarms []Alarm `json:"MetricAlarms"`
	}{MetricAlarms: []Alarm{}}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.alarms[call.Region] {
		if strings.HasPrefix(a.AlarmName, in.AlarmNamePrefix) {
			out.MetricAlarms = append(out.MetricAlarms, a)
		}
	}
	return out, nil
}
