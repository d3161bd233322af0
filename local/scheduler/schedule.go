package scheduler

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// settings are what CreateSchedule and UpdateSchedule set. An update replaces all of them: what it leaves out goes
// back to its default (API reference, UpdateSchedule).
type settings struct {
	ActionAfterCompletion string           `json:"ActionAfterCompletion,omitempty"`
	Description           string           `json:"Description,omitempty"`
	EndDate               awsapi.Timestamp `json:"EndDate,omitzero"`
	FlexibleTimeWindow    *flexibleWindow  `json:"FlexibleTimeWindow"`
	GroupName             string           `json:"GroupName"`
	Expression            string           `json:"ScheduleExpression"`
	TimeZone              string           `json:"ScheduleExpressionTimezone"`
	StartDate             awsapi.Timestamp `json:"StartDate,omitzero"`
	State                 string           `json:"State"`
	Target                *target          `json:"Target"`
}

type flexibleWindow struct {
	Mode                   string `json:"Mode"`
	MaximumWindowInMinutes int    `json:"MaximumWindowInMinutes,omitempty"`
}

type target struct {
	ARN         string       `json:"Arn"`
	RoleARN     string       `json:"RoleArn"`
	Input       string       `json:"Input,omitempty"`
	RetryPolicy *retryPolicy `json:"RetryPolicy,omitempty"`
	DeadLetter  *deadLetter  `json:"DeadLetterConfig,omitempty"`
}

type retryPolicy struct {
	MaximumEventAgeInSeconds *int `json:"MaximumEventAgeInSeconds,omitempty"`
	MaximumRetryAttempts     *int `json:"MaximumRetryAttempts,omitempty"`
}

// deadLetter is kept and given back; the local stack has no queue to send to. What is given up shows in Deliveries.
type deadLetter struct {
	ARN string `json:"Arn,omitempty"`
}

// schedule is a schedule and when it is due next.
type schedule struct {
	settings
	key        key
	arn        string
	token      string
	created    time.Time
	modified   time.Time
	expression expression
	due        time.Time // zero: never again
}

var (
	stateMachine = regexp.MustCompile(`^arn:aws:states:[a-z0-9-]+:\d{12}:stateMachine:[A-Za-z0-9_-]{1,80}(:[A-Za-z0-9_.-]+)?$`)
	roleForm     = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
)

// check sets the defaults, refuses what the service would refuse, and reads the expression.
func (r *settings) check(call *awsapi.Call) (expression, error) {
	r.GroupName, r.State, r.TimeZone = orDefault(r.GroupName, "default"), orDefault(r.State, "ENABLED"), orDefault(r.TimeZone, "UTC")
	r.ActionAfterCompletion = orDefault(r.ActionAfterCompletion, "NONE")
	zone, err := time.LoadLocation(r.TimeZone)
	if err != nil || r.TimeZone == "Local" {
		return nil, invalid("Invalid Schedule Expression Timezone %s.", r.TimeZone)
	}
	e, ok := parseExpression(r.Expression, zone)
	switch {
	case !ok:
		return nil, invalid("Invalid Schedule Expression %s.", r.Expression)
	case r.State != "ENABLED" && r.State != "DISABLED":
		return nil, invalid("Value '%s' at 'state' failed to satisfy constraint: one of ENABLED, DISABLED", r.State)
	case r.ActionAfterCompletion != "NONE" && r.ActionAfterCompletion != "DELETE":
		return nil, invalid("Value '%s' at 'actionAfterCompletion' failed to satisfy constraint: one of NONE, DELETE", r.ActionAfterCompletion)
	case !r.StartDate.IsZero() && !r.EndDate.IsZero() && !r.StartDate.Before(r.EndDate.Time):
		return nil, invalid("The StartDate must be before the EndDate.")
	}
	if err := r.FlexibleTimeWindow.check(); err != nil {
		return nil, err
	}
	return e, r.Target.check(call)
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func (w *flexibleWindow) check() error {
	switch {
	case w == nil:
		return invalid("FlexibleTimeWindow is required")
	case w.Mode == "OFF" && w.MaximumWindowInMinutes == 0:
		return nil
	case w.Mode == "FLEXIBLE" && w.MaximumWindowInMinutes >= 1 && w.MaximumWindowInMinutes <= 1440:
		return nil
	default:
		return invalid("FlexibleTimeWindow is OFF without a window, or FLEXIBLE with MaximumWindowInMinutes between 1 and 1440")
	}
}

func (t *target) check(call *awsapi.Call) error {
	switch {
	case t == nil:
		return invalid("Target is required")
	case !stateMachine.MatchString(t.ARN):
		return awsapi.NotImplementedParameter(call, "Target.Arn "+t.ARN)
	case !roleForm.MatchString(t.RoleARN):
		return invalid("Value '%s' at 'target.roleArn' failed to satisfy constraint", t.RoleARN)
	case t.Input != "" && !json.Valid([]byte(t.Input)):
		return invalid("Invalid Input for target: it must be well-formed JSON for a state machine.")
	}
	if p := t.RetryPolicy; p != nil {
		if n := p.MaximumEventAgeInSeconds; n != nil && (*n < 60 || *n > 86400) {
			return invalid("MaximumEventAgeInSeconds must be between 60 and 86400")
		}
		if n := p.MaximumRetryAttempts; n != nil && (*n < 0 || *n > 185) {
			return invalid("MaximumRetryAttempts must be between 0 and 185")
		}
	}
	return nil
}

func (s *Service) createSchedule(call *awsapi.Call) (any, error) {
	name, r, e, token, err := s.decode(call)
	if err != nil {
		return nil, err
	}
	k := key{call.Region, r.GroupName, name}
	if old := s.schedules[k]; old != nil {
		if token != "" && old.token == token {
			return map[string]string{"ScheduleArn": old.arn}, nil
		}
		return nil, failure(http.StatusConflict, "ConflictException", "Schedule %s already exists.", name)
	}
	now := s.clock.Now()
	sc := &schedule{settings: r, key: k, arn: call.ARN("scheduler", "schedule/"+r.GroupName+"/"+name), token: token, created: now, modified: now, expression: e}
	// "If you do not provide a StartDate for a rate-based schedule, it starts invoking immediately": user guide,
	// "Rate-based schedules". An instant before now makes now itself the first that is due.
	sc.plan(now.Add(-1))
	s.schedules[k] = sc
	return map[string]string{"ScheduleArn": sc.arn}, nil
}

// decode reads the parameters that CreateSchedule and UpdateSchedule share.
func (s *Service) decode(call *awsapi.Call) (name string, r settings, e expression, token string, err error) {
	if name, err = nameOf(call); err != nil {
		return
	}
	var in struct {
		settings
		ClientToken string `json:"ClientToken"`
	}
	if err = call.Decode(&in); err != nil {
		return
	}
	r, token = in.settings, in.ClientToken
	if e, err = r.check(call); err != nil {
		return
	}
	_, err = s.group(call, r.GroupName)
	return
}

func (s *Service) updateSchedule(call *awsapi.Call) (any, error) {
	name, r, e, _, err := s.decode(call)
	if err != nil {
		return nil, err
	}
	sc, err := s.find(key{call.Region, r.GroupName, name})
	if err != nil {
		return nil, err
	}
	now := s.clock.Now()
	sc.settings, sc.expression, sc.modified = r, e, now
	sc.plan(now.Add(-1))
	return map[string]string{"ScheduleArn": sc.arn}, nil
}

// plan sets when the schedule is due after t.
func (sc *schedule) plan(t time.Time) {
	sc.due = time.Time{}
	if sc.State != "ENABLED" {
		return
	}
	anchor := sc.modified
	_, once := sc.expression.(at)
	if start := sc.StartDate.Time; !start.IsZero() && !once { // one-time schedules ignore StartDate and EndDate
		anchor = start
		if t.Before(start) {
			t = start.Add(-1)
		}
	}
	due := sc.expression.next(t, anchor)
	if end := sc.EndDate.Time; !once && !end.IsZero() && !due.Before(end) {
		return
	}
	sc.due = due
}

func (s *Service) find(k key) (*schedule, error) {
	if sc := s.schedules[k]; sc != nil {
		return sc, nil
	}
	return nil, failure(http.StatusNotFound, "ResourceNotFoundException", "Schedule %s does not exist.", k.name)
}

// named finds the schedule of a GetSchedule or DeleteSchedule.
func (s *Service) named(call *awsapi.Call, parameters ...string) (*schedule, error) {
	name, err := nameOf(call)
	if err != nil {
		return nil, err
	}
	query, err := call.Query(append(parameters, "groupName")...)
	if err != nil {
		return nil, err
	}
	return s.find(key{call.Region, orDefault(query.Get("groupName"), "default"), name})
}

func (s *Service) getSchedule(call *awsapi.Call) (any, error) {
	sc, err := s.named(call)
	if err != nil {
		return nil, err
	}
	return struct {
		settings
		ARN      string           `json:"Arn"`
		Name     string           `json:"Name"`
		Created  awsapi.Timestamp `json:"CreationDate"`
		Modified awsapi.Timestamp `json:"LastModificationDate"`
	}{sc.settings, sc.arn, sc.key.name, awsapi.Timestamp{Time: sc.created}, awsapi.Timestamp{Time: sc.modified}}, nil
}

func (s *Service) deleteSchedule(call *awsapi.Call) (any, error) {
	sc, err := s.named(call, "clientToken")
	if err != nil {
		return nil, err
	}
	delete(s.schedules, sc.key)
	return nil, nil
}

func (s *Service) listSchedules(call *awsapi.Call) (any, error) {
	query, err := call.Query("ScheduleGroup", "NamePrefix", "State", "MaxResults", "NextToken")
	if err != nil {
		return nil, err
	}
	type targetSummary struct {
		ARN string `json:"Arn"`
	}
	type summary struct {
		ARN       string           `json:"Arn"`
		Name      string           `json:"Name"`
		GroupName string           `json:"GroupName"`
		State     string           `json:"State"`
		Target    targetSummary    `json:"Target"`
		Created   awsapi.Timestamp `json:"CreationDate"`
		Modified  awsapi.Timestamp `json:"LastModificationDate"`
	}
	found := []summary{}
	for k, sc := range s.schedules {
		group, state := query.Get("ScheduleGroup"), query.Get("State")
		if k.region != call.Region || (group != "" && k.group != group) || (state != "" && sc.State != state) || !strings.HasPrefix(k.name, query.Get("NamePrefix")) {
			continue
		}
		found = append(found, summary{sc.arn, k.name, k.group, sc.State, targetSummary{sc.Target.ARN}, awsapi.Timestamp{Time: sc.created}, awsapi.Timestamp{Time: sc.modified}})
	}
	slices.SortFunc(found, func(a, b summary) int { return strings.Compare(a.ARN, b.ARN) })
	found, next, err := page(found, query.Get("MaxResults"), query.Get("NextToken"))
	if err != nil {
		return nil, err
	}
	return struct {
		Schedules []summary `json:"Schedules"`
		NextToken string    `json:"NextToken,omitempty"`
	}{found, next}, nil
}
