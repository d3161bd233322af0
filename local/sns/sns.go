// Package sns is the local stack's Amazon SNS: standard topics, whose messages are kept for tests
// and for people to look at.
package sns

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/sns"
)

// maxMessage is SNS's limit on a message (API reference, Publish).
const maxMessage = 256 << 10

// Message is a published message.
type Message struct {
	ID         string
	Subject    string
	Message    string
	Attributes map[string]string // string values by name
	Time       time.Time
}

// Service is Amazon SNS.
type Service struct {
	clock clock.Clock

	mu     sync.Mutex
	topics map[string]*topic // by ARN
}

type topic struct {
	messages      []Message
	subscriptions []subscription
}

var _ awsapi.Service = (*Service)(nil)

// New returns a service without topics.
func New(c clock.Clock) *Service { return &Service{clock: c, topics: map[string]*topic{}} }

// SigningName implements awsapi.Service.
func (s *Service) SigningName() string { return "sns" }

// Protocol implements awsapi.Service.
func (s *Service) Protocol() awsapi.Protocol { return awsapi.Query }

var inputs = awsapi.InputsOf(sdk.CreateTopicInput{}, sdk.ListSubscriptionsByTopicInput{}, sdk.PublishInput{},
	sdk.SubscribeInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "CreateTopic":
		return s.createTopic(call)
	case "Subscribe":
		return s.subscribe(call)
	case "ListSubscriptionsByTopic":
		return s.listSubscriptions(call)
	case "Publish":
		return s.publish(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// Messages returns what was published to a topic, oldest first; nil if there is no such topic.
func (s *Service) Messages(topicARN string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[topicARN]
	if t == nil {
		return nil
	}
	return slices.Clone(t.messages)
}

// All returns what was published to any topic, oldest first.
func (s *Service) All() []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Message
	for _, t := range s.topics {
		all = append(all, t.messages...)
	}
	slices.SortStableFunc(all, func(a, b Message) int { return a.Time.Compare(b.Time) })
	return all
}

var validTopic = regexp.MustCompile(`^[A-Za-z0-9_-]{1,256}$`)

// createTopic makes a topic; a repeat returns the one that is there (API reference, CreateTopic).
func (s *Service) createTopic(call *awsapi.Call) (any, error) {
	p := call.Params()
	name := p.String("Name")
	if err := p.Done(); err != nil {
		return nil, err
	}
	if !validTopic.MatchString(name) {
		return nil, invalidParameter("Topic Name")
	}
	arn := call.ARN("sns", name)
	if s.topics[arn] == nil {
		s.topics[arn] = &topic{}
	}
	return struct {
		TopicArn string `xml:"TopicArn"`
	}{arn}, nil
}

func (s *Service) publish(call *awsapi.Call) (any, error) {
	p := call.Params()
	arn, subject, message := p.String("TopicArn"), p.String("Subject"), p.String("Message")
	hasSubject := p.Has("Subject")
	attributes := map[string]string{}
	for i := 1; p.Has(fmt.Sprintf("MessageAttributes.entry.%d.Name", i)); i++ {
		prefix := fmt.Sprintf("MessageAttributes.entry.%d.", i)
		if kind := p.String(prefix + "Value.DataType"); kind != "String" && kind != "Number" {
			return nil, awsapi.NotImplementedParameter(call, "MessageAttributes of DataType "+kind)
		}
		attributes[p.String(prefix+"Name")] = p.String(prefix + "Value.StringValue")
	}
	if err := p.Done(); err != nil {
		return nil, err
	}
	switch {
	case hasSubject && !validSubject(subject):
		return nil, invalidParameter("Subject")
	case message == "":
		return nil, invalidParameter("Empty message")
	case len(message)+len(subject) > maxMessage || !utf8.ValidString(message):
		return nil, invalidParameter("Message too long")
	}
	t, err := s.topic(call, arn)
	if err != nil {
		return nil, err
	}
	m := Message{ID: awsapi.NewID(), Subject: subject, Message: message, Attributes: attributes, Time: s.clock.Now()}
	t.messages = append(t.messages, m)
	return struct {
		MessageID string `xml:"MessageId"`
	}{m.ID}, nil
}

// validSubject checks the rule for subjects: ASCII text of 1 to 100 characters without line breaks or control
// characters, not beginning with a space (API reference, Publish).
func validSubject(s string) bool {
	if s == "" || len(s) > 100 || s[0] == ' ' {
		return false
	}
	return strings.IndexFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) < 0
}

// topic finds a topic of the call's Region; the texts are answers of the service. s.mu is held.
func (s *Service) topic(call *awsapi.Call, arn string) (*topic, error) {
	parts := strings.Split(arn, ":")
	switch {
	case arn == "":
		return nil, invalidParameter("TopicArn or TargetArn Reason: no value for required parameter")
	case len(parts) < 6:
		return nil, invalidParameter(fmt.Sprintf("TopicArn Reason: An ARN must have at least 6 elements, not %d",
			len(parts)))
	case len(parts) > 6 || parts[0] != "arn" || parts[2] != "sns" || parts[3] != call.Region || parts[4] == "" ||
		!validTopic.MatchString(parts[5]):
		return nil, invalidParameter("TopicArn")
	}
	t := s.topics[arn]
	if t == nil {
		return nil, &awsapi.Error{Status: http.StatusNotFound, Code: "NotFound", Message: "Topic does not exist"}
	}
	return t, nil
}

func invalidParameter(what string) error {
	return awsapi.Errorf("InvalidParameter", "Invalid parameter: %s", what)
}
