// Package dynamodb is a double of Amazon DynamoDB: tables on demand with a partition key, reads and conditional updates
// of single items, with the expressions that this project uses (developer guide, "Using expressions in DynamoDB").
// Anything else is refused by name. Reads always see the newest state, as consistent reads do.
package dynamodb

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"

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

var operations = awsapi.Operations[*Service]{
	"CreateTable": (*Service).createTable,
	"DeleteTable": (*Service).deleteTable,
	"GetItem":     (*Service).getItem,
	"UpdateItem":  (*Service).updateItem,
}

// Operations implements awsapi.Service.
func (*Service) Operations() []string { return awsapi.Names(operations) }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	return operations.Handle(s, &s.mu, call)
}

// table finds a table by its name or its ARN.
func (s *Service) table(call *awsapi.Call, name string) (*table, error) {
	t := s.regions[call.Region][strings.TrimPrefix(name, call.ARN("dynamodb", "table/"))]
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

// errNotImplemented refuses what DynamoDB has and this double does not.
func errNotImplemented(format string, args ...any) error {
	return &awsapi.Error{Status: http.StatusNotImplemented, Code: "NotImplemented",
		Message: "the local stack does not implement " + fmt.Sprintf(format, args...)}
}
