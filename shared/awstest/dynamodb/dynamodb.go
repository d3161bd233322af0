// Package dynamodb is a double of Amazon DynamoDB: tables on demand, reads, conditional updates and conditional puts of
// single items, and queries of a partition, with the expressions that this project uses (developer guide, "Using
// expressions in DynamoDB"). Anything else is refused by name. Reads always see the newest state, as consistent reads
// do.
package dynamodb

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
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
	"PutItem":     (*Service).putItem,
	"Query":       (*Service).query,
	"UpdateItem":  (*Service).updateItem,
}

var inputs = awsapi.InputsOf(sdk.CreateTableInput{}, sdk.DeleteTableInput{}, sdk.GetItemInput{},
	sdk.PutItemInput{}, sdk.QueryInput{}, sdk.UpdateItemInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	return operations.Handle(s, &s.mu, call)
}

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]+$`)

// checkTarget checks the parameters that say which item is meant, before the table is looked up: the service knows a
// key's schema only then. The texts are answers of the service; an ARN may stand for a name.
func checkTarget(table string, key item) error {
	var c awsapi.Constraints
	c.Required("tableName", table, 1024)
	if table != "" && !strings.HasPrefix(table, "arn:") {
		if len(table) < 3 {
			c.Break("'"+table+"'", "tableName", "Member must have length greater than or equal to 3")
		}
		if !tableName.MatchString(table) {
			c.Break("'"+table+"'", "tableName", "Member must satisfy regular expression pattern: [a-zA-Z0-9_.-]+")
		}
	}
	if key == nil {
		c.Break("null", "key", "Member must not be null")
	}
	return c.Err()
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
