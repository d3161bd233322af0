package dynamodb

import (
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

type table struct {
	name, arn string
	hash      attributeDefinition // the partition key
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

// table checks the key schema: a HASH key, and its definition.
func (in createInput) table() (*table, error) {
	if len(in.KeySchema) == 0 || in.KeySchema[0].KeyType != "HASH" {
		return nil, errValidation("Invalid KeySchema: it must have a HASH key first and may have a RANGE key second")
	}
	if len(in.AttributeDefinitions) != len(in.KeySchema) {
		return nil, errParameter("Number of attributes in KeySchema does not exactly match number of attributes " +
			"defined in AttributeDefinitions")
	}
	hash := in.AttributeDefinitions[0]
	switch {
	case len(in.KeySchema) > 1:
		return nil, errNotImplemented("sort keys")
	case hash.AttributeName != in.KeySchema[0].AttributeName:
		return nil, errParameter("Some index key attributes are not defined in AttributeDefinitions. Keys: [%s]",
			in.KeySchema[0].AttributeName)
	case hash.AttributeType != "S" && hash.AttributeType != "N" && hash.AttributeType != "B":
		return nil, errValidation("1 validation error detected: Value '%s' at 'attributeDefinitions.attributeType' "+
			"failed to satisfy constraint: Member must satisfy enum value set: [B, N, S]", hash.AttributeType)
	}
	return &table{name: in.TableName, hash: hash, items: map[string]item{}}, nil
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
		"KeySchema":            []keyElement{{t.hash.AttributeName, "HASH"}},
		"AttributeDefinitions": []attributeDefinition{t.hash},
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

// keyOf checks a Key parameter, which has the key attribute and nothing else.
func (t *table) keyOf(key item) (string, error) {
	v := key[t.hash.AttributeName]
	switch {
	case len(key) != 1 || v.kind != t.hash.AttributeType:
		return "", errValidation("The provided key element does not match the schema")
	case v.str == "":
		return "", errValidation("One or more parameter values are not valid. The AttributeValue for a key attribute "+
			"cannot contain an empty string value. Key: %s", t.hash.AttributeName)
	}
	return v.str, nil
}
