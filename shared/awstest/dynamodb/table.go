package dynamodb

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

type item map[string]value

type table struct {
	name, arn string
	hash      keyAttribute
	sort      *keyAttribute // nil: the table has a partition key only
	tags      []tag
	created   time.Time
	items     map[string]item // by encoded key
}

type keyAttribute struct{ name, kind string }

type tag struct {
	Key   string `json:"Key"`
	Value string `json:"Value"`
}

type keyElement struct {
	AttributeName string `json:"AttributeName"`
	KeyType       string `json:"KeyType"`
}

type attributeDefinition struct {
	AttributeName string `json:"AttributeName"`
	AttributeType string `json:"AttributeType"`
}

var tableName = regexp.MustCompile(`^[a-zA-Z0-9_.-]{3,255}$`)

// createInput is the parameters of CreateTable. SSESpecification and TableClass are accepted without effect: at-rest
// encryption and the storage class change the bill, not an answer of the operations here.
type createInput struct {
	TableName            string
	KeySchema            []keyElement
	AttributeDefinitions []attributeDefinition
	BillingMode          string
	Tags                 []tag
	SSESpecification     json.RawMessage
	TableClass           string
}

func (s *Service) createTable(call *awsapi.Call) (any, error) {
	var in createInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.BillingMode != "PAY_PER_REQUEST" {
		return nil, awsapi.NotImplementedParameter(call, "BillingMode other than PAY_PER_REQUEST")
	}
	if !tableName.MatchString(in.TableName) {
		return nil, errValidation("Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
	}
	t, err := in.table()
	if err != nil {
		return nil, err
	}
	if s.regions[call.Region][t.name] != nil {
		return nil, awsapi.Errorf("ResourceInUseException", "Table already exists: %s", t.name)
	}
	t.arn, t.created = call.ARN("dynamodb", "table/"+t.name), s.clock.Now()
	if s.regions[call.Region] == nil {
		s.regions[call.Region] = map[string]*table{}
	}
	s.regions[call.Region][t.name] = t
	return struct {
		TableDescription description `json:"TableDescription"`
	}{t.describe("CREATING")}, nil
}

// table checks the key schema: a HASH key, perhaps a RANGE key after it, and exactly their definitions.
func (in createInput) table() (*table, error) {
	t := &table{name: in.TableName, tags: in.Tags, items: map[string]item{}}
	if len(in.KeySchema) == 0 || len(in.KeySchema) > 2 || in.KeySchema[0].KeyType != "HASH" || len(in.KeySchema) == 2 && in.KeySchema[1].KeyType != "RANGE" {
		return nil, errValidation("Invalid KeySchema: it must have a HASH key first and may have a RANGE key second")
	}
	if len(in.AttributeDefinitions) != len(in.KeySchema) {
		return nil, errParameter("Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions")
	}
	kinds := map[string]string{}
	for _, d := range in.AttributeDefinitions {
		if d.AttributeType != "S" && d.AttributeType != "N" && d.AttributeType != "B" {
			return nil, errValidation("1 validation error detected: Value '%s' at 'attributeDefinitions.attributeType' failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]", d.AttributeType)
		}
		kinds[d.AttributeName] = d.AttributeType
	}
	for i, k := range in.KeySchema {
		if kinds[k.AttributeName] == "" {
			return nil, errParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]", k.AttributeName)
		}
		attr := keyAttribute{name: k.AttributeName, kind: kinds[k.AttributeName]}
		if i == 0 {
			t.hash = attr
		} else {
			t.sort = &attr
		}
	}
	if t.sort != nil && t.sort.name == t.hash.name {
		return nil, errValidation("Both the Hash Key and the Range Key element in the KeySchema have the same name")
	}
	return t, nil
}

// description is a table as DescribeTable shows it.
type description struct {
	TableName            string                `json:"TableName"`
	TableArn             string                `json:"TableArn"`
	TableStatus          string                `json:"TableStatus"`
	CreationDateTime     float64               `json:"CreationDateTime"`
	KeySchema            []keyElement          `json:"KeySchema"`
	AttributeDefinitions []attributeDefinition `json:"AttributeDefinitions"`
	BillingModeSummary   map[string]string     `json:"BillingModeSummary"`
	ItemCount            int                   `json:"ItemCount"`
	TableSizeBytes       int                   `json:"TableSizeBytes"`
}

func (t *table) describe(status string) description {
	d := description{TableName: t.name, TableArn: t.arn, TableStatus: status, CreationDateTime: epoch(t.created),
		BillingModeSummary: map[string]string{"BillingMode": "PAY_PER_REQUEST"}, ItemCount: len(t.items)}
	for i, k := range t.keys() {
		d.KeySchema = append(d.KeySchema, keyElement{AttributeName: k.name, KeyType: []string{"HASH", "RANGE"}[i]})
		d.AttributeDefinitions = append(d.AttributeDefinitions, attributeDefinition{AttributeName: k.name, AttributeType: k.kind})
	}
	for _, it := range t.items {
		d.TableSizeBytes += it.size()
	}
	return d
}

func (s *Service) describeTable(call *awsapi.Call) (any, error) {
	var in struct{ TableName string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", in.TableName)
	}
	return struct {
		Table description `json:"Table"`
	}{t.describe("ACTIVE")}, nil
}

func (s *Service) deleteTable(call *awsapi.Call) (any, error) {
	var in struct{ TableName string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found", in.TableName)
	}
	delete(s.regions[call.Region], t.name)
	return struct {
		TableDescription description `json:"TableDescription"`
	}{t.describe("DELETING")}, nil
}

// maxTables is the most names on a page of ListTables.
const maxTables = 100

func (s *Service) listTables(call *awsapi.Call) (any, error) {
	in := struct {
		ExclusiveStartTableName string
		Limit                   int
	}{Limit: maxTables}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.Limit < 1 || in.Limit > maxTables {
		return nil, errValidation("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", in.Limit, maxTables)
	}
	var out struct {
		TableNames             []string `json:"TableNames"`
		LastEvaluatedTableName string   `json:"LastEvaluatedTableName,omitempty"`
	}
	names := slices.Sorted(maps.Keys(s.regions[call.Region]))
	names = slices.DeleteFunc(names, func(n string) bool { return n <= in.ExclusiveStartTableName })
	out.TableNames = append([]string{}, names[:min(in.Limit, len(names))]...)
	if len(names) > in.Limit {
		out.LastEvaluatedTableName = names[in.Limit-1]
	}
	return out, nil
}

func (s *Service) listTagsOfResource(call *awsapi.Call) (any, error) {
	var in struct{ ResourceArn string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.ResourceArn)
	if err != nil {
		return nil, err
	}
	return struct {
		Tags []tag `json:"Tags"`
	}{append([]tag{}, t.tags...)}, nil
}

func (t *table) keys() []keyAttribute {
	if t.sort == nil {
		return []keyAttribute{t.hash}
	}
	return []keyAttribute{t.hash, *t.sort}
}

// keyOf encodes an item's key, whose attributes must be there and of the right type.
func (t *table) keyOf(it item) (string, error) {
	var b strings.Builder
	for _, k := range t.keys() {
		v, ok := it[k.name]
		switch {
		case !ok:
			return "", errParameter("Missing the key %s in the item", k.name)
		case v.kind != k.kind:
			return "", errParameter("Type mismatch for key %s expected: %s actual: %s", k.name, k.kind, v.kind)
		case v.kind != "N" && v.str == "":
			return "", errValidation("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", k.name)
		}
		fmt.Fprintf(&b, "%d:%s", len(v.str), v.str)
	}
	return b.String(), nil
}

// keyOnly encodes a Key parameter, which has the key attributes and nothing else.
func (t *table) keyOnly(key item) (string, error) {
	for _, k := range t.keys() {
		if key[k.name].kind != k.kind {
			return "", errValidation("The provided key element does not match the schema")
		}
	}
	if len(key) != len(t.keys()) {
		return "", errValidation("The provided key element does not match the schema")
	}
	return t.keyOf(key)
}

// isKey reports whether a top-level attribute is part of the primary key.
func (t *table) isKey(name string) bool {
	return name == t.hash.name || t.sort != nil && name == t.sort.name
}
