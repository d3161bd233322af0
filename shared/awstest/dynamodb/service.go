// Package dynamodb is the local stack's Amazon DynamoDB: tables on demand, single-item reads and writes, Query and
// Scan, with the expression language of the developer guide ("Using expressions in DynamoDB"). Reads always see the
// newest state, which satisfies both of DynamoDB's consistency models.
package dynamodb

import (
	"context"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
)

// Service is DynamoDB, with tables of its own in every Region.
type Service struct {
	clock clock.Clock

	mu      sync.Mutex
	regions map[string]map[string]*table // Region, then name
}

var _ awsapi.Service = (*Service)(nil)

// New returns a DynamoDB without tables.
func New(c clock.Clock) *Service {
	return &Service{clock: c, regions: map[string]map[string]*table{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "dynamodb" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON10 }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch call.Operation {
	case "CreateTable":
		return s.createTable(call)
	case "DescribeTable":
		return s.describeTable(call)
	case "ListTables":
		return s.listTables(call)
	case "DeleteTable":
		return s.deleteTable(call)
	case "ListTagsOfResource":
		return s.listTagsOfResource(call)
	case "GetItem":
		return s.getItem(call)
	case "PutItem":
		return s.putItem(call)
	case "UpdateItem":
		return s.updateItem(call)
	case "DeleteItem":
		return s.deleteItem(call)
	case "Query":
		return s.query(call)
	case "Scan":
		return s.scan(call)
	default:
		return nil, awsapi.NotImplemented(call)
	}
}

// table finds a table by its name or its ARN.
func (s *Service) table(call *awsapi.Call, name string) (*table, error) {
	if prefix := call.ARN("dynamodb", "table/"); strings.HasPrefix(name, prefix) {
		name = name[len(prefix):]
	}
	t := s.regions[call.Region][name]
	if t == nil {
		return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found")
	}
	return t, nil
}

func errValidation(format string, args ...any) error {
	return awsapi.Errorf("ValidationException", format, args...)
}

// errParameter is how DynamoDB begins most of its complaints about values.
func errParameter(format string, args ...any) error {
	return errValidation("One or more parameter values were invalid: "+format, args...)
}

// epoch is how the JSON protocol writes a time: seconds since 1970 with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
