package ssm

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// The most rows on a page (API reference, MaxResults of each operation).
const (
	maxByPath   = 10
	maxDescribe = 50
	maxNames    = 10
)

// shown is one version of a parameter as the Get operations answer it.
type shown struct {
	Name             string  `json:"Name"`
	Type             string  `json:"Type"`
	Value            string  `json:"Value"`
	Version          int64   `json:"Version"`
	Selector         string  `json:"Selector,omitempty"`
	LastModifiedDate float64 `json:"LastModifiedDate"`
	ARN              string  `json:"ARN"`
	DataType         string  `json:"DataType"`
}

// show leaves a SecureString encrypted unless it is to be decrypted.
func (p *parameter) show(v version, decrypt bool) shown {
	value := v.value
	if p.kind == kindSecure && !decrypt {
		value = base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "ciphertext of %s version %d under %s", p.name, v.number, v.keyID))
	}
	return shown{Name: p.name, Type: p.kind, Value: value, Version: v.number, LastModifiedDate: epoch(v.modified), ARN: p.arn, DataType: "text"}
}

// find reads "name", "name:version" or an ARN in place of the name (API reference, GetParameter).
func (s *Service) find(region, ref string, decrypt bool) (shown, error) {
	name, selector := ref, ""
	arn := strings.HasPrefix(ref, "arn:")
	if i := strings.LastIndex(ref, ":"); i >= 0 && (!arn || strings.Count(ref, ":") > 5) {
		name, selector = ref[:i], ref[i:]
	}
	p := s.regions[region][name]
	if arn {
		for _, q := range s.regions[region] {
			if q.arn == name {
				p = q
			}
		}
	}
	if p == nil {
		return shown{}, errNotFound()
	}
	v := p.current()
	if selector != "" {
		i := slices.IndexFunc(p.versions, func(v version) bool { return strconv.FormatInt(v.number, 10) == selector[1:] })
		if i < 0 {
			return shown{}, awsapi.Errorf("ParameterVersionNotFound", "Systems Manager could not find version %s of %s. Verify the version and try again.", selector[1:], p.name)
		}
		v = p.versions[i]
	}
	out := p.show(v, decrypt)
	out.Selector = selector
	return out, nil
}

func (s *Service) getParameter(call *awsapi.Call) (any, error) {
	var in struct {
		Name           string
		WithDecryption bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	p, err := s.find(call.Region, in.Name, in.WithDecryption)
	if err != nil {
		return nil, err
	}
	return struct {
		Parameter shown `json:"Parameter"`
	}{p}, nil
}

func (s *Service) getParameters(call *awsapi.Call) (any, error) {
	var in struct {
		Names          []string
		WithDecryption bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if len(in.Names) == 0 || len(in.Names) > maxNames {
		return nil, errValidation("1 validation error detected: Value at 'names' failed to satisfy constraint: Member must have length between 1 and %d", maxNames)
	}
	found, missing := []shown{}, []string{}
	for _, n := range in.Names {
		p, err := s.find(call.Region, n, in.WithDecryption)
		if err != nil {
			missing = append(missing, n)
		} else {
			found = append(found, p)
		}
	}
	return struct {
		Parameters        []shown  `json:"Parameters"`
		InvalidParameters []string `json:"InvalidParameters"`
	}{found, missing}, nil
}

func (s *Service) getParametersByPath(call *awsapi.Call) (any, error) {
	var in struct {
		pageInput
		Path           string
		Recursive      bool
		WithDecryption bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if !strings.HasPrefix(in.Path, "/") {
		return nil, errValidation("The parameter path must begin with a forward slash (/).")
	}
	prefix := strings.TrimSuffix(in.Path, "/") + "/"
	rows := []shown{}
	for _, p := range s.sorted(call.Region) {
		rest, below := strings.CutPrefix(p.name, prefix)
		if below && (in.Recursive || !strings.Contains(rest, "/")) {
			rows = append(rows, p.show(p.current(), in.WithDecryption))
		}
	}
	rows, next, err := page(in.pageInput, maxByPath, rows)
	if err != nil {
		return nil, err
	}
	return struct {
		Parameters []shown `json:"Parameters"`
		NextToken  string  `json:"NextToken,omitempty"`
	}{rows, next}, nil
}

func (s *Service) describeParameters(call *awsapi.Call) (any, error) {
	var in pageInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	type row struct {
		Name             string  `json:"Name"`
		ARN              string  `json:"ARN"`
		Type             string  `json:"Type"`
		KeyID            string  `json:"KeyId,omitempty"`
		LastModifiedDate float64 `json:"LastModifiedDate"`
		Description      string  `json:"Description,omitempty"`
		Version          int64   `json:"Version"`
		Tier             string  `json:"Tier"`
		DataType         string  `json:"DataType"`
	}
	rows := []row{}
	for _, p := range s.sorted(call.Region) {
		v := p.current()
		rows = append(rows, row{Name: p.name, ARN: p.arn, Type: p.kind, KeyID: v.keyID, LastModifiedDate: epoch(v.modified),
			Description: v.description, Version: v.number, Tier: p.tier, DataType: "text"})
	}
	rows, next, err := page(in, maxDescribe, rows)
	if err != nil {
		return nil, err
	}
	return struct {
		Parameters []row  `json:"Parameters"`
		NextToken  string `json:"NextToken,omitempty"`
	}{rows, next}, nil
}

func (s *Service) deleteParameter(call *awsapi.Call) (any, error) {
	var in struct{ Name string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if s.regions[call.Region][in.Name] == nil {
		return nil, errNotFound()
	}
	delete(s.regions[call.Region], in.Name)
	return nil, nil
}

func (s *Service) listTagsForResource(call *awsapi.Call) (any, error) {
	var in struct{ ResourceType, ResourceID string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.ResourceType != "Parameter" {
		return nil, awsapi.NotImplementedParameter(call, "ResourceType "+in.ResourceType)
	}
	p := s.regions[call.Region][in.ResourceID]
	if p == nil {
		return nil, awsapi.Errorf("InvalidResourceId", "The resource ID isn't valid. Verify that you entered the correct ID and try again.")
	}
	return struct {
		TagList []tag `json:"TagList"`
	}{p.tags}, nil
}

func (s *Service) sorted(region string) []*parameter {
	var all []*parameter
	for _, p := range s.regions[region] {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *parameter) int { return strings.Compare(a.name, b.name) })
	return all
}

// pageInput is how a list request asks for one page.
type pageInput struct {
	MaxResults *int
	NextToken  string
}

// page cuts one page out of rows and returns the token of the next, "" after the last.
func page[T any](in pageInput, most int, rows []T) (cut []T, next string, err error) {
	size := most
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if size < 1 || size > most {
		return nil, "", errValidation("1 validation error detected: Value '%d' at 'maxResults' failed to satisfy constraint: Member must have value between 1 and %d", size, most)
	}
	from := 0
	if in.NextToken != "" {
		b, err := base64.StdEncoding.DecodeString(in.NextToken)
		if err == nil {
			from, err = strconv.Atoi(string(b))
		}
		if err != nil || from < 0 || from > len(rows) {
			return nil, "", awsapi.Errorf("InvalidNextToken", "The specified token isn't valid.")
		}
	}
	to := min(from+size, len(rows))
	if to < len(rows) {
		next = base64.StdEncoding.EncodeToString([]byte(strconv.Itoa(to)))
	}
	return rows[from:to], next, nil
}
