// Package scheduler is the local stack's EventBridge Scheduler: it keeps schedules and starts their state machines on
// the stack's clock.
package scheduler

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Options are the parts of the service that the stack chooses.
type Options struct {
	// Clock is what schedules run on; nil is real time.
	Clock clock.Clock
	// Endpoint is the stack's AWS endpoint, where executions are started.
	Endpoint string
	// HTTPClient reaches the endpoint; nil is http.DefaultClient.
	HTTPClient *http.Client
	// DuplicateEvery has every n-th delivery made twice, as at-least-once delivery may; 0 is never.
	DuplicateEvery int
}

// Service is EventBridge Scheduler.
type Service struct {
	options Options
	clock   clock.Clock
	wake    chan chan struct{} // tells the loop that schedules have changed

	mu         sync.Mutex
	running    chan struct{} // closed when the loop ends; nil before Start
	groups     map[groupKey]*group
	schedules  map[key]*schedule
	deliveries []Delivery
	delivered  int
}

var (
	_ awsapi.Service = (*Service)(nil)
	_ awsapi.Router  = (*Service)(nil)
)

type groupKey struct{ region, name string }

type key struct{ region, group, name string }

// group is a schedule group.
type group struct {
	ARN      string           `json:"Arn"`
	Name     string           `json:"Name"`
	State    string           `json:"State"`
	Created  awsapi.Timestamp `json:"CreationDate"`
	Modified awsapi.Timestamp `json:"LastModificationDate"`
	token    string
}

// New returns a service with nothing but the default group, which does not run yet.
func New(o Options) *Service {
	if o.Clock == nil {
		o.Clock = clock.Real{}
	}
	if o.HTTPClient == nil {
		o.HTTPClient = http.DefaultClient
	}
	return &Service{options: o, clock: o.Clock, wake: make(chan chan struct{}), groups: map[groupKey]*group{}, schedules: map[key]*schedule{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "scheduler" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.REST }

// Route implements awsapi.Router.
func (s *Service) Route(method, path string) string {
	part, name, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if strings.Contains(name, "/") {
		return ""
	}
	if name != "" {
		name = "/*"
	}
	return map[string]string{
		"POST schedules/*":       "CreateSchedule",
		"GET schedules/*":        "GetSchedule",
		"PUT schedules/*":        "UpdateSchedule",
		"DELETE schedules/*":     "DeleteSchedule",
		"GET schedules":          "ListSchedules",
		"POST schedule-groups/*": "CreateScheduleGroup",
		"GET schedule-groups/*":  "GetScheduleGroup",
		"GET schedule-groups":    "ListScheduleGroups",
	}[method+" "+part+name]
}

// Handle implements awsapi.Service.
func (s *Service) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	out, err := s.handle(call)
	if err == nil && call.HTTP.Method != http.MethodGet {
		s.poke(ctx)
	}
	return out, err
}

func (s *Service) handle(call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "CreateSchedule":
		return s.createSchedule(call)
	case "GetSchedule":
		return s.getSchedule(call)
	case "UpdateSchedule":
		return s.updateSchedule(call)
	case "DeleteSchedule":
		return s.deleteSchedule(call)
	case "ListSchedules":
		return s.listSchedules(call)
	case "CreateScheduleGroup":
		return s.createGroup(call)
	case "GetScheduleGroup":
		return s.getGroup(call)
	case "ListScheduleGroups":
		return s.listGroups(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

var validName = regexp.MustCompile(`^[0-9a-zA-Z-_.]{1,64}$`)

// nameOf is the last part of the request's path.
func nameOf(call *awsapi.Call) (string, error) {
	path := call.HTTP.URL.Path
	name := path[strings.LastIndex(path, "/")+1:]
	if !validName.MatchString(name) {
		return "", invalid("Value '%s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$", name)
	}
	return name, nil
}

// group finds a schedule group; the default one is there without being created. s.mu is held.
func (s *Service) group(call *awsapi.Call, name string) (*group, error) {
	k := groupKey{call.Region, name}
	if s.groups[k] == nil && name == "default" {
		s.addGroup(call, name, "")
	}
	if g := s.groups[k]; g != nil {
		return g, nil
	}
	return nil, failure(http.StatusNotFound, "ResourceNotFoundException", "Schedule group %s does not exist.", name)
}

func (s *Service) addGroup(call *awsapi.Call, name, token string) *group {
	now := awsapi.Timestamp{Time: s.clock.Now()}
	g := &group{ARN: call.ARN("scheduler", "schedule-group/"+name), Name: name, State: "ACTIVE", Created: now, Modified: now, token: token}
	s.groups[groupKey{call.Region, name}] = g
	return g
}

func (s *Service) createGroup(call *awsapi.Call) (any, error) {
	name, err := nameOf(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		ClientToken string `json:"ClientToken"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	g, err := s.group(call, name)
	switch {
	case err != nil:
		g = s.addGroup(call, name, r.ClientToken)
	case r.ClientToken == "" || g.token != r.ClientToken:
		return nil, failure(http.StatusConflict, "ConflictException", "Schedule group %s already exists.", name)
	}
	return map[string]string{"ScheduleGroupArn": g.ARN}, nil
}

func (s *Service) getGroup(call *awsapi.Call) (any, error) {
	name, err := nameOf(call)
	if err != nil {
		return nil, err
	}
	return s.group(call, name)
}

func (s *Service) listGroups(call *awsapi.Call) (any, error) {
	query, err := call.Query("NamePrefix", "MaxResults", "NextToken")
	if err != nil {
		return nil, err
	}
	if _, err := s.group(call, "default"); err != nil {
		return nil, err
	}
	found := []*group{}
	for k, g := range s.groups {
		if k.region == call.Region && strings.HasPrefix(k.name, query.Get("NamePrefix")) {
			found = append(found, g)
		}
	}
	slices.SortFunc(found, func(a, b *group) int { return strings.Compare(a.Name, b.Name) })
	found, next, err := page(found, query.Get("MaxResults"), query.Get("NextToken"))
	if err != nil {
		return nil, err
	}
	return struct {
		Groups    []*group `json:"ScheduleGroups"`
		NextToken string   `json:"NextToken,omitempty"`
	}{found, next}, nil
}

// page is the part of a sorted list that one answer holds, and the token for the rest.
func page[T any](all []T, maxResults, token string) ([]T, string, error) {
	limit, err := number(maxResults, 100)
	if err != nil || limit > 100 {
		return nil, "", invalid("MaxResults must be between 1 and 100")
	}
	from, err := number(token, 0)
	if err != nil {
		return nil, "", invalid("Invalid NextToken")
	}
	all = all[min(from, len(all)):]
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], strconv.Itoa(from + limit), nil
}

// number reads a positive number; an empty text is otherwise.
func number(text string, otherwise int) (int, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 10, 31)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return int(n), err
}

// failure is an error in Scheduler's shape: its bodies spell the member Message.
func failure(status int, code, format string, args ...any) *awsapi.Error {
	message := fmt.Sprintf(format, args...)
	return &awsapi.Error{Status: status, Code: code, Message: message, Fields: map[string]any{"Message": message}}
}

func invalid(format string, args ...any) *awsapi.Error {
	return failure(http.StatusBadRequest, "ValidationException", format, args...)
}
