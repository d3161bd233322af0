package dynamodb

import (
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

type table struct {
	name, arn string
	keys      []attributeDefinition // the partition key, and the sort key if there is one
	created   time.Time
	items     map[string]item // by the key's text
}

type keyElement struct {
	AttributeName string `json:"AttributeName"`
	KeyType       string `json:"KeyType"`
}

type attributeDefinition struct {
	AttributeName string `json:"AttributeName"`
	AttributeType string `json:"AttributeType"`
}

// createInput is the parameters of CreateTable.
type createInput struct {
	TableName            string
	KeySchema            []keyElement
	AttributeDefinitions []attributeDefinition
	BillingMode          string
}

func (s *Service) createTable(call *awsapi.Call) (any, error) {
	var in createInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.BillingMode != "PAY_PER_REQUEST" {
		return nil, awsapi.NotImplementedParameter(call, "BillingMode other than PAY_PER_REQUEST")
	}
	if n := len(in.TableName); n < 3 || n > 255 || !tableName.MatchString(in.TableName) {
		return nil, errValidation("Invalid table/index name.  Table/index names must be between 3 and 255 characters " +
			"long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'")
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
	return map[string]any{"TableDescription": t.describe("CREATING")}, nil
}

// table checks the key schema: a HASH key, perhaps a RANGE key, and their definitions.
func (in createInput) table() (*table, error) {
	if len(in.KeySchema) == 0 || len(in.KeySchema) > 2 || in.KeySchema[0].KeyType != "HASH" ||
		len(in.KeySchema) == 2 && in.KeySchema[1].KeyType != "RANGE" {
		return nil, errValidation("Invalid KeySchema: it must have a HASH key first and may have a RANGE key second")
	}
	if len(in.AttributeDefinitions) != len(in.KeySchema) {
		return nil, errParameter("Number of attributes in KeySchema does not exactly match number of attributes " +
			"defined in AttributeDefinitions")
	}
	t := &table{name: in.TableName, items: map[string]item{}}
	for _, k := range in.KeySchema {
		i := slices.IndexFunc(in.AttributeDefinitions, func(d attributeDefinition) bool {
			return d.AttributeName == k.AttributeName
		})
		switch {
		case i < 0:
			return nil, errParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]",
				k.AttributeName)
		case !slices.Contains([]string{"S", "N", "B"}, in.AttributeDefinitions[i].AttributeType):
			return nil, errValidation("1 validation error detected: Value '%s' at "+
				"'attributeDefinitions.attributeType' failed to satisfy constraint: Member must satisfy enum value "+
				"set: [B, N, S]",
				in.AttributeDefinitions[i].AttributeType)
		}
		t.keys = append(t.keys, in.AttributeDefinitions[i])
	}
	return t, nil
}

// schema is the table's KeySchema.
func (t *table) schema() []keyElement {
	out := []keyElement{{t.keys[0].AttributeName, "HASH"}}
	if len(t.keys) > 1 {
		out = append(out, keyElement{t.keys[1].AttributeName, "RANGE"})
	}
	return out
}

// describe is a table as its operations show it.
func (t *table) describe(status string) any {
	size := 0
	for _, it := range t.items {
		size += it.size()
	}
	return map[string]any{
		"TableName": t.name, "TableArn": t.arn, "TableStatus": status,
		"CreationDateTime":     float64(t.created.UnixMilli()) / 1000,
		"KeySchema":            t.schema(),
		"AttributeDefinitions": t.keys,
		"BillingModeSummary":   map[string]string{"BillingMode": "PAY_PER_REQUEST"},
		"ItemCount":            len(t.items), "TableSizeBytes": size,
	}
}

// named reads the one parameter of an operation on a table.
func (s *Service) named(call *awsapi.Call) (*table, error) {
	var in struct{ TableName string }
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkTarget(in.TableName, item{}); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, awsapi.Errorf("ResourceNotFoundException", "Requested resource not found: Table: %s not found",
			in.TableName)
	}
	return t, nil
}

func (s *Service) deleteTable(call *awsapi.Call) (any, error) {
	t, err := s.named(call)
	if err != nil {
		return nil, err
	}
	delete(s.regions[call.Region], t.name)
	return map[string]any{"TableDescription": t.describe("DELETING")}, nil
}

// keyOf checks a Key parameter, which has the key attributes and nothing else.
func (t *table) keyOf(key item) (string, error) {
	if len(key) != len(t.keys) {
		return "", errValidation("The provided key element does not match the schema")
	}
	return t.keyIn(key)
}

// keyIn is the text of an item's key.
func (t *table) keyIn(it item) (string, error) {
	var parts []string
	for _, k := range t.keys {
		v := it[k.AttributeName]
		switch {
		case v.kind != k.AttributeType:
			return "", errValidation("The provided key element does not match the schema")
		case v.str == "":
			return "", errValidation("One or more parameter values are not valid. The AttributeValue for a key "+
				"attribute cannot contain an empty string value. Key: %s", k.AttributeName)
		}
		parts = append(parts, v.str)
	}
	return strings.Join(parts, "\x00"), nil
}
