package sns

import (
	"alboidc.internal/shared/awstest/awsapi"
)

// subscription is one address of a topic, which gets nothing before it is confirmed.
type subscription struct {
	SubscriptionArn string `xml:"SubscriptionArn"` //nolint:revive // the API's name
	Protocol        string `xml:"Protocol"`
	Endpoint        string `xml:"Endpoint"`
	TopicArn        string `xml:"TopicArn"` //nolint:revive // the API's name
}

// pending is the ARN of a subscription that nobody has confirmed (API reference, ListSubscriptionsByTopic).
const pending = "PendingConfirmation"

// subscribe adds an e-mail address; a repeat changes nothing.
func (s *Service) subscribe(call *awsapi.Call) (any, error) {
	p := call.Params()
	arn, protocol, endpoint := p.String("TopicArn"), p.String("Protocol"), p.String("Endpoint")
	if err := p.Done(); err != nil {
		return nil, err
	}
	if protocol != "email" {
		return nil, awsapi.NotImplementedParameter(call, "Protocol "+protocol)
	}
	t, err := s.topic(call, arn)
	if err != nil {
		return nil, err
	}
	for _, known := range t.subscriptions {
		if known.Endpoint == endpoint {
			endpoint = ""
		}
	}
	if endpoint != "" {
		t.subscriptions = append(t.subscriptions, subscription{pending, protocol, endpoint, arn})
	}
	return struct {
		SubscriptionArn string `xml:"SubscriptionArn"` //nolint:revive // the API's name
	}{"pending confirmation"}, nil
}

// Confirm does what the person does who opens the link in the mail.
func (s *Service) Confirm(topicARN, endpoint string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, known := range s.topics[topicARN].subscriptions {
		if known.Endpoint == endpoint {
			s.topics[topicARN].subscriptions[i].SubscriptionArn = topicARN + ":" + awsapi.NewID()
		}
	}
}

// listSubscriptions lists all in one page.
func (s *Service) listSubscriptions(call *awsapi.Call) (any, error) {
	p := call.Params()
	arn := p.String("TopicArn")
	if err := p.Done(); err != nil {
		return nil, err
	}
	t, err := s.topic(call, arn)
	if err != nil {
		return nil, err
	}
	return struct {
		Subscriptions []subscription `xml:"Subscriptions>member"`
	}{t.subscriptions}, nil
}
