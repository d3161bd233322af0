// Package ssm is the Parameter Store of the local stack's AWS Systems Manager: parameters with versions, tiers and
// paths, as the API reference and the user guide describe them.
package ssm

import (
	"context"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Service is Parameter Store, with state of its own in every Region.
type Service struct {
	clock clock.Clock

	mu      sync.Mutex
	regions map[string]map[string]*parameter // Region, then name
}

var _ awsapi.Service = (*Service)(nil)

// maxVersions is how many versions of a parameter are kept (user guide, "Working with parameter versions").
const maxVersions = 100

// defaultKey encrypts a SecureString that names no key (API reference, PutParameter).
const defaultKey = "alias/aws/ssm"

type parameter struct {
	name     string
	arn      string
	kind     string // String, StringList or SecureString
	tier     string
	tags     []tag
	versions []version // oldest first, the last is current
}

type version struct {
	number      int64
	value       string
	description string
	keyID       string // of a SecureString
	modified    time.Time
}

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

// New returns a Parameter Store without parameters.
func New(c clock.Clock) *Service {
	return &Service{clock: c, regions: map[string]map[string]*parameter{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "ssm" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "PutParameter":
		return s.putParameter(call)
	case "GetParameter":
		return s.getParameter(call)
	case "GetParameters":
		return s.getParameters(call)
	case "GetParametersByPath":
		return s.getParametersByPath(call)
	case "DeleteParameter":
		return s.deleteParameter(call)
	case "DescribeParameters":
		return s.describeParameters(call)
	case "ListTagsForResource":
		return s.listTagsForResource(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

func (p *parameter) current() version { return p.versions[len(p.versions)-1] }

// errNotFound has no text, as on AWS.
func errNotFound() error { return awsapi.Errorf("ParameterNotFound", "") }

func errValidation(format string, args ...any) error {
	return awsapi.Errorf("ValidationException", format, args...)
}

// epoch is how the JSON protocol writes a time: seconds since 1970 with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
