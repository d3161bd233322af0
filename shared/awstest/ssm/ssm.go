// Package ssm is a double of AWS Systems Manager's Parameter Store: text parameters with versions and tiers, as the API
// reference and the user guide describe them. It has the operations that this project uses.
package ssm

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/clock"
	sdk "github.com/aws/aws-sdk-go-v2/service/ssm"
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

type parameter struct {
	name, arn string
	versions  []version // oldest first, the last is current
}

type version struct {
	number      int64
	value       string
	description string
	tier        string
	modified    time.Time
}

func (p *parameter) current() version { return p.versions[len(p.versions)-1] }

// New returns a Parameter Store without parameters.
func New(c clock.Clock) *Service {
	return &Service{clock: c, regions: map[string]map[string]*parameter{}}
}

// SigningName implements awsapi.Service.
func (*Service) SigningName() string { return "ssm" }

// Protocol implements awsapi.Service.
func (*Service) Protocol() awsapi.Protocol { return awsapi.JSON11 }

var operations = awsapi.Operations[*Service]{
	"DeleteParameter":     (*Service).deleteParameter,
	"GetParameter":        (*Service).getParameter,
	"GetParameterHistory": (*Service).getParameterHistory,
	"GetParametersByPath": (*Service).getParametersByPath,
	"PutParameter":        (*Service).putParameter,
}

var inputs = awsapi.InputsOf(sdk.DeleteParameterInput{}, sdk.GetParameterInput{},
	sdk.GetParameterHistoryInput{}, sdk.GetParametersByPathInput{}, sdk.PutParameterInput{})

// Inputs implements awsapi.Modelled.
func (*Service) Inputs() awsapi.Inputs { return inputs }

// Handle implements awsapi.Service.
func (s *Service) Handle(_ context.Context, call *awsapi.Call) (any, error) {
	return operations.Handle(s, &s.mu, call)
}

// find returns a parameter by its name or its ARN.
func (s *Service) find(region, name string) (*parameter, error) {
	var c awsapi.Constraints
	c.Required("name", name, 2048)
	if err := c.Err(); err != nil {
		return nil, err
	}
	for _, p := range s.regions[region] {
		if p.name == name || p.arn == name {
			return p, nil
		}
	}
	return nil, errNotFound()
}

// getParameter reads "name", "name:version", or an ARN in place of the name (API reference, GetParameter).
func (s *Service) getParameter(call *awsapi.Call) (any, error) {
	var in struct {
		Name           string
		WithDecryption bool // ignored for text (API reference, GetParameter)
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	name, selector := in.Name, ""
	if i := strings.LastIndex(name, ":"); i >= 0 && (!strings.HasPrefix(name, "arn:") || strings.Count(name, ":") > 5) {
		name, selector = name[:i], name[i:]
	}
	p, err := s.find(call.Region, name)
	if err != nil {
		return nil, err
	}
	v := p.current()
	if selector != "" {
		i := slices.IndexFunc(p.versions, func(v version) bool {
			return ":"+strconv.FormatInt(v.number,
				10) == selector
		})
		if i < 0 {
			return nil, awsapi.Errorf("ParameterVersionNotFound",
				"Systems Manager could not find version %s of %s. Verify the version and try again.", selector[1:],
				p.name)
		}
		v = p.versions[i]
	}
	return map[string]any{"Parameter": p.view(v, selector)}, nil
}

// view is a version of a parameter as reads show it.
func (p *parameter) view(v version, selector string) any {
	return struct {
		Name             string
		Type             string
		Value            string
		Version          int64
		Selector         string `json:",omitempty"`
		LastModifiedDate float64
		ARN              string
		DataType         string
	}{p.name, kindString, v.value, v.number, selector, epoch(v.modified), p.arn, "text"}
}

// pageOfPath is the largest and usual page of GetParametersByPath (API reference).
const pageOfPath = 10

// getParametersByPath answers in the order of names; a token is the last name of the page before.
func (s *Service) getParametersByPath(call *awsapi.Call) (any, error) {
	var in struct {
		Path             string
		Recursive        bool
		WithDecryption   bool // ignored for text
		MaxResults       int
		NextToken        string
		ParameterFilters []any
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.Recursive || len(in.ParameterFilters) > 0 {
		return nil, awsapi.NotImplementedParameter(call, "Recursive, ParameterFilters")
	}
	if !strings.HasPrefix(in.Path, "/") || in.MaxResults < 0 || in.MaxResults > pageOfPath {
		return nil, errValidation("The Path must begin with /, and MaxResults be from 1 to %d.", pageOfPath)
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	var names []string
	for name := range s.regions[call.Region] {
		rest, below := strings.CutPrefix(name, prefix)
		if below && !strings.Contains(rest, "/") && name > in.NextToken {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := map[string]any{}
	if size := cmp.Or(in.MaxResults, pageOfPath); len(names) > size {
		names = names[:size]
		out["NextToken"] = names[size-1]
	}
	rows := []any{}
	for _, name := range names {
		p := s.regions[call.Region][name]
		rows = append(rows, p.view(p.current(), ""))
	}
	out["Parameters"] = rows
	return out, nil
}

func (s *Service) getParameterHistory(call *awsapi.Call) (any, error) {
	var in struct {
		Name           string
		WithDecryption bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(call.Region, in.Name)
	if err != nil {
		return nil, err
	}
	type row struct {
		Name             string
		Type             string
		Value            string
		Version          int64
		Description      string `json:",omitempty"`
		LastModifiedDate float64
		Tier             string
		DataType         string
	}
	rows := []row{}
	for _, v := range p.versions { // 100 at most, where AWS makes pages of 50
		rows = append(rows, row{p.name, kindString, v.value, v.number, v.description, epoch(v.modified), v.tier,
			"text"})
	}
	return map[string]any{"Parameters": rows}, nil
}

func (s *Service) deleteParameter(call *awsapi.Call) (any, error) {
	var in struct{ Name string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if p, err := s.find(call.Region, in.Name); err != nil {
		return nil, err
	} else if p.name != in.Name { // an ARN is no name here (API reference, DeleteParameter)
		return nil, errNotFound()
	}
	delete(s.regions[call.Region], in.Name)
	return nil, nil
}

// errNotFound has no text, as on AWS.
func errNotFound() error { return awsapi.Errorf("ParameterNotFound", "") }

func errValidation(format string, args ...any) error {
	return awsapi.Errorf("ValidationException", format, args...)
}

// epoch is how the JSON protocol writes a time: seconds since 1970 with a fraction.
func epoch(t time.Time) float64 { return float64(t.UnixMilli()) / 1000 }
