// Package scheduler is the local stack's EventBridge Scheduler: it keeps the schedules of a deployment and starts their
// state machines on the stack's clock.
package scheduler

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/scheduler"
)

// Service is EventBridge Scheduler. Like AWS it delivers at least once: a start whose reply is lost is made again.
type Service struct {
	clock    clock.Clock
	endpoint string
	wake     chan chan struct{} // tells the loop that schedules have changed

	mu         sync.Mutex
	running    chan struct{} // closed when the loop ends; nil before Start
	groups     map[key]*group
	schedules  map[key]*schedule
	deliveries []Delivery
}

var (
	_ awsapi.Service = (*Service)(nil)
	_ awsapi.Router  = (*Service)(nil)
)

// key names a schedule; without a name, a group.
type key struct{ region, group, name string }

type group struct{ arn, token string }

// New returns a service with nothing in it, which does not run yet. Executions are started at the AWS endpoint.
func New(c clock.Clock, endpoint string) *Service {
	return &Service{clock: c, endpoint: endpoint, wake: make(chan chan struct{}), groups: map[key]*group{},
		schedules: map[key]*schedule{}}
}

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "scheduler" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.REST }

// Route implements awsapi.Router.
func (s *Service) Route(method, path string) string {
	part, name, _ := strings.Cut(strings.Trim(path, "/"), "/")
	if name == "" || strings.Contains(name, "/") {
		return ""
	}
	return map[string]string{
		"POST schedules":       "CreateSchedule",
		"GET schedules":        "GetSchedule",
		"PUT schedules":        "UpdateSchedule",
		"POST schedule-groups": "CreateScheduleGroup",
	}[method+" "+part]
}

var inputs = awsapi.InputsOf(sdk.CreateScheduleInput{}, sdk.GetScheduleInput{}, sdk.UpdateScheduleInput{},
	sdk.CreateScheduleGroupInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(ctx context.Context, call *awsapi.Call) (any, error) {
	out, err := s.handle(call)
	if err == nil && call.HTTP.Method != http.MethodGet {
		s.wakeUp(ctx)
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
	case "CreateScheduleGroup":
		return s.createGroup(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

var validName = regexp.MustCompile(`^[0-9a-zA-Z-_.]+$`)

// nameOf is the last part of the request's path.
func nameOf(call *awsapi.Call) (string, error) {
	path := call.HTTP.URL.Path
	name := path[strings.LastIndex(path, "/")+1:]
	var c awsapi.Constraints
	c.Required("name", name, 64)
	if !validName.MatchString(name) {
		c.Break("'"+name+"'", "name", "Member must satisfy regular expression pattern: ^[0-9a-zA-Z-_.]+$")
	}
	if refusal := c.Refusal(); refusal != nil {
		return "", invalid("%s", refusal.Message)
	}
	return name, nil
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
	k := key{region: call.Region, group: name}
	switch g := s.groups[k]; {
	case name == "default" || g != nil && (r.ClientToken == "" || g.token != r.ClientToken):
		return nil, failure(http.StatusConflict, "ConflictException", "Schedule group %s already exists.", name)
	case g == nil:
		s.groups[k] = &group{arn: call.ARN("scheduler", "schedule-group/"+name), token: r.ClientToken}
	}
	return map[string]string{"ScheduleGroupArn": s.groups[k].arn}, nil
}

// checkGroup refuses a group that does not exist; the default one is there without being created.
func (s *Service) checkGroup(region, name string) error {
	if name != "default" && s.groups[key{region: region, group: name}] == nil {
		return failure(http.StatusNotFound, "ResourceNotFoundException", "Schedule group %s does not exist.", name)
	}
	return nil
}

// failure is an error in Scheduler's shape: its bodies spell the member Message.
func failure(status int, code, format string, args ...any) *awsapi.Error {
	message := fmt.Sprintf(format, args...)
	return &awsapi.Error{Status: status, Code: code, Message: message, Fields: map[string]any{"Message": message}}
}

func invalid(format string, args ...any) *awsapi.Error {
	return failure(http.StatusBadRequest, "ValidationException", format, args...)
}
