// Package elbv2 is the one double of Elastic Load Balancing v2, for tests and the local stack: its API (Query protocol,
// per Region) over an in-memory store, plus the timeline that says which configuration, client secrets included, each
// node of a load balancer serves at any instant. It has what the product, the demo and the tests ask for.
//
// AWS does not document how long a changed rule takes to reach every node; here it is a setting (Options.Spread), one
// delay per node, so that code which assumes an instant switch fails. Reads are immediately consistent.
package elbv2

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
)

// DefaultSpread is used when Options.Spread is empty: two nodes, the second later than the first.
var DefaultSpread = []time.Duration{time.Second, 2 * time.Second}

// Options are the settings of a Service. The zero value is usable.
type Options struct {
	// Spread has one entry per node of every load balancer: how long a change takes to reach that node.
	Spread []time.Duration
	// Account is whose load balancers they are; "" is awsapi.AccountID.
	Account string
	// ID makes what ends the next ARN; nil is 16 hexadecimal digits, as on AWS.
	ID func() string
}

// Service is the ELBv2 API and the timelines of its load balancers.
type Service struct {
	clock   clock.Clock
	account string
	spread  []time.Duration
	id      func() string

	mu        sync.RWMutex
	serial    int // makes ids unique
	balancers []*balancer
	groups    []*targetGroup
	tags      map[string][]Tag
	hooks     []func(loadBalancerARN string) error
}

var _ awsapi.Service = (*Service)(nil)

// New returns an empty service.
func New(c clock.Clock, o Options) *Service {
	if len(o.Spread) == 0 {
		o.Spread = DefaultSpread
	}
	return &Service{clock: c, account: cmp.Or(o.Account, awsapi.AccountID), spread: slices.Clone(o.Spread), id: o.ID, tags: map[string][]Tag{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "elasticloadbalancing" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.Query }

// request is one call while it is carried out.
type request struct {
	call    *awsapi.Call
	p       *awsapi.Params
	region  string
	changed []string // ARNs of load balancers whose configuration the call has changed
}

// operations maps the API's operations to what carries them out. Each takes the lock itself.
var operations = map[string]func(*Service, *request) (any, error){
	"CreateLoadBalancer":    (*Service).createLoadBalancer,
	"DescribeLoadBalancers": (*Service).describeLoadBalancers,
	"DeleteLoadBalancer":    (*Service).deleteLoadBalancer,
	"CreateTargetGroup":     (*Service).createTargetGroup,
	"RegisterTargets":       (*Service).registerTargets,
	"CreateListener":        (*Service).createListener,
	"DescribeListeners":     (*Service).describeListeners,
	"ModifyListener":        (*Service).modifyListener,
	"DeleteListener":        (*Service).deleteListener,
	"CreateRule":            (*Service).createRule,
	"DescribeRules":         (*Service).describeRules,
	"ModifyRule":            (*Service).modifyRule,
	"DeleteRule":            (*Service).deleteRule,
	"AddTags":               (*Service).addTags,
	"RemoveTags":            (*Service).removeTags,
	"DescribeTags":          (*Service).describeTags,
}

var inputs = awsapi.InputsOf(sdk.CreateLoadBalancerInput{}, sdk.DescribeLoadBalancersInput{},
	sdk.DeleteLoadBalancerInput{}, sdk.CreateTargetGroupInput{}, sdk.RegisterTargetsInput{},
	sdk.CreateListenerInput{}, sdk.DescribeListenersInput{}, sdk.ModifyListenerInput{}, sdk.DeleteListenerInput{},
	sdk.CreateRuleInput{}, sdk.DescribeRulesInput{}, sdk.ModifyRuleInput{}, sdk.DeleteRuleInput{},
	sdk.AddTagsInput{}, sdk.RemoveTagsInput{}, sdk.DescribeTagsInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	op, ok := operations[call.Operation]
	if !ok {
		return nil, awsapi.NotImplemented(call)
	}
	r := &request{call: call, p: call.Params(), region: call.Region}
	out, err := op(s, r)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	hooks := s.hooks
	s.mu.RUnlock()
	for _, arn := range r.changed {
		for _, hook := range hooks {
			if err := hook(arn); err != nil {
				return nil, fmt.Errorf("following a change of %s: %w", arn, err)
			}
		}
	}
	return out, nil
}

// OnChange registers f to be called, in the caller's goroutine and without locks held, after each change of a load
// balancer's configuration and before the API call answers. An error fails the call (500) although its change stays.
func (s *Service) OnChange(f func(loadBalancerARN string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hooks = append(s.hooks, f)
}

// newID makes what ends an ARN. s.mu is held.
func (s *Service) newID(name string) string {
	s.serial++
	if s.id != nil {
		return s.id()
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", s.serial, name))
	return hex.EncodeToString(sum[:8])
}

// checkARN refuses what is no ARN of a kind of resource in the caller's Region and account, in the words of the
// service, before anything is looked up.
func (s *Service) checkARN(region, arn, resource, words string) error {
	if !strings.HasPrefix(arn, "arn:aws:elasticloadbalancing:"+region+":"+s.account+":"+resource+"/") {
		return validation("'%s' is not a valid %s ARN", arn, words)
	}
	return nil
}

func validation(format string, args ...any) error {
	return awsapi.Errorf("ValidationError", format, args...)
}
