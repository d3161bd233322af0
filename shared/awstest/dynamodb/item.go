package dynamodb

import (
	"maps"
	"slices"

	"alboidc.internal/shared/awstest/awsapi"
)

// maxItem is the size limit of an item in bytes, attribute names included (developer guide, "Quotas").
const maxItem = 400 * 1024

type item map[string]value

// size is about what DynamoDB counts (developer guide, "DynamoDB item sizes and formats").
func (it item) size() int {
	n := 0
	for name, v := range it {
		n += len(name) + v.size()
	}
	return n
}

// project returns the attributes of these names.
func (it item) project(names []string) item {
	out := item{}
	for _, n := range names {
		if v, ok := it[n]; ok {
			out[n] = v
		}
	}
	return out
}

func (s *Service) getItem(call *awsapi.Call) (any, error) {
	var in struct {
		placeholders
		TableName            string
		Key                  item
		ConsistentRead       bool // every read is consistent here
		ProjectionExpression *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkTarget(in.TableName, in.Key); err != nil {
		return nil, err
	}
	if err := in.check(in.ProjectionExpression != nil); err != nil {
		return nil, err
	}
	names, err := parseProjection(in.ProjectionExpression, &in.placeholders)
	if err != nil {
		return nil, err
	}
	if err := in.checkUsed(); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	found, ok := t.items[key]
	if !ok {
		return nil, nil
	}
	if names != nil {
		found = found.project(names)
	}
	return map[string]item{"Item": found}, nil
}

// updateInput is the parameters of UpdateItem.
type updateInput struct {
	placeholders
	TableName                           string
	Key                                 item
	ConditionExpression                 *string
	UpdateExpression                    *string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
}

// parse checks the parameters and reads the expressions; a condition that is not there always holds.
func (in *updateInput) parse() (c condition, u update, err error) {
	if !slices.Contains([]string{"", "NONE", "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"}, in.ReturnValues) {
		return nil, nil, errValidation("Return values set to invalid value: %s", in.ReturnValues)
	}
	if r := in.ReturnValuesOnConditionCheckFailure; r != "" && r != "NONE" && r != "ALL_OLD" {
		return nil, nil, errValidation("ReturnValuesOnConditionCheckFailure can only be ALL_OLD or NONE")
	}
	if err := in.check(in.UpdateExpression != nil || in.ConditionExpression != nil); err != nil {
		return nil, nil, err
	}
	c = func(item) bool { return true }
	if in.ConditionExpression != nil {
		if c, err = parseCondition(*in.ConditionExpression, &in.placeholders); err != nil {
			return nil, nil, err
		}
	}
	if in.UpdateExpression != nil {
		if u, err = parseUpdate(*in.UpdateExpression, &in.placeholders); err != nil {
			return nil, nil, err
		}
	}
	return c, u, in.checkUsed()
}

// updateItem changes one item, or makes it from its key if there is none (API reference, UpdateItem).
func (s *Service) updateItem(call *awsapi.Call) (any, error) {
	var in updateInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkTarget(in.TableName, in.Key); err != nil {
		return nil, err
	}
	holds, u, err := in.parse()
	if err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, err
	}
	for _, k := range t.keys {
		if slices.Contains(u.names(), k.AttributeName) {
			return nil, errParameter("Cannot update attribute %s. This attribute is part of the key", k.AttributeName)
		}
	}
	key, err := t.keyOf(in.Key)
	if err != nil {
		return nil, err
	}
	old := t.items[key]
	if !holds(old) {
		return nil, in.refused(old)
	}
	next := maps.Clone(in.Key)
	maps.Copy(next, old)
	u.apply(next)
	if next.size() > maxItem {
		return nil, errValidation("Item size to update has exceeded the maximum allowed size")
	}
	t.items[key] = next
	return in.answer(old, next, u.names()), nil
}

// refused is the answer to a condition that does not hold.
func (in *updateInput) refused(old item) error {
	e := awsapi.Errorf("ConditionalCheckFailedException", "The conditional request failed")
	if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && old != nil {
		e.Fields = map[string]any{"Item": old}
	}
	return e
}

// answer is the whole item, or only what the update names, before or after.
func (in *updateInput) answer(old, next item, names []string) any {
	var out struct {
		Attributes item `json:",omitempty"`
	}
	switch in.ReturnValues {
	case "ALL_OLD":
		out.Attributes = old
	case "ALL_NEW":
		out.Attributes = next
	case "UPDATED_OLD":
		out.Attributes = old.project(names)
	case "UPDATED_NEW":
		out.Attributes = next.project(names)
	}
	return out
}
