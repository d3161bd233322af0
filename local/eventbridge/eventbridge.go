// Package eventbridge is the local stack's Amazon EventBridge: the default bus with its rules, and delivery of the
// events that match to state machines of the stack. Events come in by PutEvents and, from the stack's own services, by
// Emit.
package eventbridge

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/local/delivery"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/eventbridge"
)

// Event is one event on a bus.
type Event struct {
	ID         string // given by the service if empty
	Source     string
	DetailType string
	Detail     json.RawMessage // an object
	Resources  []string
	Time       time.Time // the present instant if zero
	Region     string    // set by the service
}

// MarshalJSON is the event as targets get it (EventBridge user guide, "Event structure").
func (e Event) MarshalJSON() ([]byte, error) {
	resources := e.Resources
	if resources == nil {
		resources = []string{}
	}
	return json.Marshal(struct {
		Version    string          `json:"version"`
		ID         string          `json:"id"`
		DetailType string          `json:"detail-type"`
		Source     string          `json:"source"`
		Account    string          `json:"account"`
		Time       string          `json:"time"`
		Region     string          `json:"region"`
		Resources  []string        `json:"resources"`
		Detail     json.RawMessage `json:"detail"`
	}{"0", e.ID, e.DetailType, e.Source, awsapi.AccountID, e.Time.UTC().Format(time.RFC3339), e.Region, resources,
		e.Detail})
}

// Service is Amazon EventBridge.
type Service struct {
	clock    clock.Clock
	endpoint string
	ctx      context.Context // ends on Close
	close    context.CancelFunc

	mu         sync.Mutex
	rules      map[ruleKey]*rule
	latency    time.Duration
	events     []Event
	deliveries []Delivery
}

var _ awsapi.Service = (*Service)(nil)

type ruleKey struct{ region, name string }

// New returns a service without rules, which starts executions at the AWS endpoint. Close it to end deliveries that are
// being retried.
func New(c clock.Clock, endpoint string) *Service {
	ctx, cancel := context.WithCancel(context.Background())
	return &Service{clock: c, endpoint: endpoint, ctx: ctx, close: cancel, rules: map[ruleKey]*rule{}}
}

// SetLatency sets how long after an event its deliveries begin.
func (s *Service) SetLatency(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.latency = d
}

// Close ends the deliveries under way.
func (s *Service) Close() { s.close() }

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "events" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var inputs = awsapi.InputsOf(sdk.PutEventsInput{}, sdk.PutRuleInput{}, sdk.PutTargetsInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "PutEvents":
		return s.putEvents(call)
	case "PutRule":
		return s.putRule(call)
	case "PutTargets":
		return s.putTargets(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// Emit puts an event of one of the stack's own services on the default bus of a Region. It does not wait for the
// deliveries, which run on the clock.
func (s *Service) Emit(region string, e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.put(region, e)
}

// Events returns every event that was put on the bus, oldest first.
func (s *Service) Events() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events)
}

// put records an event and starts its deliveries. s.mu is held.
func (s *Service) put(region string, e Event) string {
	e.Region = region
	if e.ID == "" {
		e.ID = awsapi.NewID()
	}
	if e.Time.IsZero() {
		e.Time = s.clock.Now()
	}
	if len(e.Detail) == 0 {
		e.Detail = json.RawMessage("{}")
	}
	s.events = append(s.events, e)
	text, err := json.Marshal(e)
	var fields map[string]any
	if err != nil || json.Unmarshal(text, &fields) != nil {
		s.deliveries = append(s.deliveries,
			Delivery{EventID: e.ID, Err: fmt.Errorf("the detail of event %s is not JSON", e.ID)})
		return e.ID
	}
	latency := s.latency
	for _, r := range s.matching(region, fields) {
		for _, t := range r.targets {
			input := string(text)
			if t.Transformer != nil {
				input = t.Transformer.apply(fields)
			}
			s.clock.Go(func() {
				if s.clock.Sleep(s.ctx, latency) != nil {
					return
				}
				s.deliver(Delivery{Rule: r.arn, EventID: e.ID}, delivery.Target{Endpoint: s.endpoint, Region: region,
					MachineARN: t.ARN,
					Input:      input, RetryPolicy: t.RetryPolicy})
			})
		}
	}
	return e.ID
}

type entry struct {
	Bus        string            `json:"EventBusName"`
	Source     string            `json:"Source"`
	DetailType string            `json:"DetailType"`
	Detail     string            `json:"Detail"`
	Resources  []string          `json:"Resources"`
	Time       *awsapi.Timestamp `json:"Time"`
}

type entryResult struct {
	ErrorCode    string `json:"ErrorCode,omitempty"`
	ErrorMessage string `json:"ErrorMessage,omitempty"`
	EventID      string `json:"EventId,omitempty"`
}

// putEvents takes the entries one by one: one that is refused does not keep the others out.
func (s *Service) putEvents(call *awsapi.Call) (any, error) {
	var r struct {
		Entries []entry `json:"Entries"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	var c awsapi.Constraints
	switch n := len(r.Entries); {
	case n < 1:
		c.Break("'[]'", "entries", "Member must have length greater than or equal to 1")
	case n > 10:
		c.Break("", "entries", "Member must have length less than or equal to 10")
	}
	if err := c.Err(); err != nil {
		return nil, err
	}
	var out struct {
		Entries []entryResult `json:"Entries"`
		Failed  int           `json:"FailedEntryCount"`
	}
	for _, e := range r.Entries {
		result := s.putEntry(call.Region, e)
		if result.ErrorCode != "" {
			out.Failed++
		}
		out.Entries = append(out.Entries, result)
	}
	return out, nil
}

func (s *Service) putEntry(region string, e entry) entryResult {
	required := func(name string) entryResult {
		return entryResult{ErrorCode: "InvalidArgument",
			ErrorMessage: fmt.Sprintf("Parameter %s is not valid. Reason: %s is a required argument.", name, name)}
	}
	var detail map[string]any
	switch {
	case e.Source == "":
		return required("Source")
	case e.DetailType == "":
		return required("DetailType")
	case e.Detail == "":
		return required("Detail")
	case strings.HasPrefix(e.Source, "aws."):
		return entryResult{ErrorCode: "NotAuthorizedForSourceException", ErrorMessage: "Not authorized for the source."}
	case json.Unmarshal([]byte(e.Detail), &detail) != nil:
		return entryResult{ErrorCode: "MalformedDetail", ErrorMessage: "Detail is malformed."}
	}
	if name := e.Bus[strings.LastIndex(e.Bus, "/")+1:]; name != "" && name != defaultBus { // a name or an ARN
		return entryResult{ErrorCode: "ResourceNotFoundException", ErrorMessage: "Event bus " + e.Bus +
			" does not exist."}
	}
	event := Event{Source: e.Source, DetailType: e.DetailType, Detail: json.RawMessage(e.Detail),
		Resources: e.Resources}
	if e.Time != nil {
		event.Time = e.Time.Time
	}
	return entryResult{EventID: s.put(region, event)}
}
