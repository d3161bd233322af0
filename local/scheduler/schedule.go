package scheduler

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"time"

	"alboidc.internal/local/delivery"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/cron"
)

// settings are what CreateSchedule and UpdateSchedule set. An update replaces all of them: what it leaves out goes
// back to its default (API reference, UpdateSchedule).
type settings struct {
	Description        string          `json:"Description,omitempty"`
	FlexibleTimeWindow *flexibleWindow `json:"FlexibleTimeWindow"`
	GroupName          string          `json:"GroupName"`
	Expression         string          `json:"ScheduleExpression"`
	TimeZone           string          `json:"ScheduleExpressionTimezone"`
	State              string          `json:"State"`
	Target             *target         `json:"Target"`
}

type flexibleWindow struct {
	Mode                   string `json:"Mode"`
	MaximumWindowInMinutes *int   `json:"MaximumWindowInMinutes,omitempty"`
}

type target struct {
	ARN         string                `json:"Arn"`
	RoleARN     string                `json:"RoleArn"`
	Input       string                `json:"Input"`
	RetryPolicy *delivery.RetryPolicy `json:"RetryPolicy,omitempty"`
	DeadLetter  *deadLetter           `json:"DeadLetterConfig,omitempty"`
}

// deadLetter is kept and given back; the local stack has no queue to send to. What is given up shows in Deliveries.
type deadLetter struct {
	ARN string `json:"Arn,omitempty"`
}

// schedule is a schedule and when it is due next.
type schedule struct {
	settings
	key      key
	arn      string
	token    string
	created  time.Time
	modified time.Time
	rule     expression
	due      time.Time // zero: never again
}

// expression says when a schedule is due: the first instant after t, zero if there is none. Rates count from anchor.
type expression func(t, anchor time.Time) time.Time

var (
	stateMachine = regexp.MustCompile(
		`^arn:aws:states:[a-z0-9-]+:\d{12}:stateMachine:[A-Za-z0-9_-]{1,80}(:[A-Za-z0-9_.-]+)?$`)
	roleForm  = regexp.MustCompile(`^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$`)
	onceForm  = regexp.MustCompile(`^at\(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\)$`)
	timesForm = regexp.MustCompile(`^cron\([\d*/,-]+\s+[\d*/,-]+\s+`)
)

// read sets the defaults, refuses what the service would refuse, and reads the expression.
func (r *settings) read(call *awsapi.Call) (expression, error) {
	r.GroupName, r.State, r.TimeZone = orDefault(r.GroupName, "default"), orDefault(r.State,
		"ENABLED"), orDefault(r.TimeZone, "UTC")
	if err := r.limits(); err != nil {
		return nil, invalid("%s", err.Message)
	}
	zone, err := time.LoadLocation(r.TimeZone)
	if err != nil || r.TimeZone == "Local" {
		return nil, invalid("Invalid Schedule Expression Timezone %s.", r.TimeZone)
	}
	if err := r.FlexibleTimeWindow.check(); err != nil {
		return nil, err
	}
	if err := r.Target.check(call); err != nil {
		return nil, err
	}
	return readExpression(call, r.Expression, zone)
}

// limits are those of the API model (API reference, CreateSchedule), in the words of AWS.
func (r *settings) limits() *awsapi.Error {
	var c awsapi.Constraints
	c.Required("scheduleExpression", r.Expression, 256)
	if r.State != "ENABLED" && r.State != "DISABLED" {
		c.Break("'"+r.State+"'", "state", "Member must satisfy enum value set: [ENABLED, DISABLED]")
	}
	if w := r.FlexibleTimeWindow; w == nil {
		c.Break("null", "flexibleTimeWindow", "Member must not be null")
	} else {
		if w.Mode != "OFF" && w.Mode != "FLEXIBLE" {
			c.Break("'"+w.Mode+"'", "flexibleTimeWindow.mode", "Member must satisfy enum value set: [OFF, FLEXIBLE]")
		}
		if w.MaximumWindowInMinutes != nil {
			c.Range("flexibleTimeWindow.maximumWindowInMinutes", *w.MaximumWindowInMinutes, 1, 1440)
		}
	}
	if r.Target == nil {
		c.Break("null", "target", "Member must not be null")
	} else {
		r.Target.limits(&c)
	}
	return c.Refusal()
}

func (t *target) limits(c *awsapi.Constraints) {
	c.Required("target.arn", t.ARN, 1600)
	c.Required("target.roleArn", t.RoleARN, 1600)
	if t.RoleARN != "" && !roleForm.MatchString(t.RoleARN) {
		c.Break("'"+t.RoleARN+"'", "target.roleArn", "Member must satisfy regular expression pattern: "+
			`^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@\/-]+$`)
	}
	if p := t.RetryPolicy; p != nil && p.MaximumEventAgeInSeconds != nil {
		c.Range("target.retryPolicy.maximumEventAgeInSeconds", *p.MaximumEventAgeInSeconds, 60, 86400)
	}
	if p := t.RetryPolicy; p != nil && p.MaximumRetryAttempts != nil {
		c.Range("target.retryPolicy.maximumRetryAttempts", *p.MaximumRetryAttempts, 0, 185)
	}
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// readExpression reads the expressions that a deployment's check lets through. The time zone is that of cron's fields
// (EventBridge Scheduler user guide, "Schedule types on EventBridge Scheduler").
func readExpression(call *awsapi.Call, text string, zone *time.Location) (expression, error) {
	if every, ok := cron.Rate(text); ok {
		return func(t, anchor time.Time) time.Time {
			if t.Before(anchor) {
				return anchor
			}
			return anchor.Add((t.Sub(anchor)/every + 1) * every)
		}, nil
	}
	if cron.Problem(text) == "" {
		return func(t, _ time.Time) time.Time {
			for due := range cron.Starts(text, zone, t) {
				return due
			}
			return time.Time{}
		}, nil
	}
	// One-time schedules, and cron with several times a day, are Scheduler's but no deployment's.
	if onceForm.MatchString(text) || cron.Problem(timesForm.ReplaceAllString(text, "cron(0 0 ")) == "" {
		return nil, awsapi.NotImplementedParameter(call, "ScheduleExpression "+text)
	}
	return nil, invalid("Invalid Schedule Expression %s.", text)
}

func (w *flexibleWindow) check() error {
	switch {
	case (w.Mode == "OFF") == (w.MaximumWindowInMinutes == nil):
		return nil
	default:
		return invalid("FlexibleTimeWindow is OFF without a window, or FLEXIBLE with MaximumWindowInMinutes")
	}
}

func (t *target) check(call *awsapi.Call) error {
	switch {
	case !stateMachine.MatchString(t.ARN):
		return awsapi.NotImplementedParameter(call, "Target.Arn "+t.ARN)
	case t.Input == "" || strings.Contains(t.Input, "<aws.scheduler."):
		// AWS sends a notification in the place of a missing input, and fills in such attributes.
		return awsapi.NotImplementedParameter(call, "Target.Input "+t.Input)
	case !json.Valid([]byte(t.Input)):
		return invalid("Invalid Input for target: it must be well-formed JSON for a state machine.")
	}
	return nil
}

func (s *Service) createSchedule(call *awsapi.Call) (any, error) {
	sc, err := s.decode(call)
	if err != nil {
		return nil, err
	}
	if old := s.schedules[sc.key]; old != nil {
		if sc.token != "" && old.token == sc.token {
			return map[string]string{"ScheduleArn": old.arn}, nil
		}
		return nil, failure(http.StatusConflict, "ConflictException", "Schedule %s already exists.", sc.key.name)
	}
	s.schedules[sc.key] = sc
	return map[string]string{"ScheduleArn": sc.arn}, nil
}

func (s *Service) updateSchedule(call *awsapi.Call) (any, error) {
	sc, err := s.decode(call)
	if err != nil {
		return nil, err
	}
	old, err := s.find(sc.key)
	if err != nil {
		return nil, err
	}
	sc.created, sc.token = old.created, old.token
	s.schedules[sc.key] = sc
	return map[string]string{"ScheduleArn": sc.arn}, nil
}

// decode makes a schedule of the parameters that CreateSchedule and UpdateSchedule share.
func (s *Service) decode(call *awsapi.Call) (*schedule, error) {
	name, err := nameOf(call)
	if err != nil {
		return nil, err
	}
	var in struct {
		settings
		ClientToken string `json:"ClientToken"`
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	rule, err := in.read(call)
	if err != nil {
		return nil, err
	}
	if err := s.checkGroup(call.Region, in.GroupName); err != nil {
		return nil, err
	}
	now := s.clock.Now()
	sc := &schedule{settings: in.settings, key: key{call.Region, in.GroupName, name}, token: in.ClientToken,
		arn: call.ARN("scheduler", "schedule/"+in.GroupName+"/"+name), created: now, modified: now, rule: rule}
	// "If you do not provide a StartDate for a rate-based schedule, it starts invoking immediately": user guide,
	// "Rate-based schedules". An instant before now makes now itself the first that is due.
	sc.plan(now.Add(-1))
	return sc, nil
}

// plan sets when the schedule is due after t.
func (sc *schedule) plan(t time.Time) {
	sc.due = time.Time{}
	if sc.State == "ENABLED" {
		sc.due = sc.rule(t, sc.modified)
	}
}

func (s *Service) find(k key) (*schedule, error) {
	if sc := s.schedules[k]; sc != nil {
		return sc, nil
	}
	return nil, failure(http.StatusNotFound, "ResourceNotFoundException", "Schedule %s does not exist.", k.name)
}

func (s *Service) getSchedule(call *awsapi.Call) (any, error) {
	name, err := nameOf(call)
	if err != nil {
		return nil, err
	}
	query, err := call.Query("groupName")
	if err != nil {
		return nil, err
	}
	sc, err := s.find(key{call.Region, orDefault(query.Get("groupName"), "default"), name})
	if err != nil {
		return nil, err
	}
	return struct {
		settings
		ARN      string           `json:"Arn"`
		Name     string           `json:"Name"`
		Created  awsapi.Timestamp `json:"CreationDate"`
		Modified awsapi.Timestamp `json:"LastModificationDate"`
	}{sc.settings, sc.arn, name, awsapi.Timestamp{Time: sc.created}, awsapi.Timestamp{Time: sc.modified}}, nil
}
