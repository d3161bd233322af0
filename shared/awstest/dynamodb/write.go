package dynamodb

import (
	"net/http"
	"slices"

	"alboidc.internal/shared/awstest/awsapi"
)

// writeInput is what PutItem, UpdateItem and DeleteItem have in common.
type writeInput struct {
	placeholders
	TableName                           string
	ConditionExpression                 *string
	ReturnValues                        string
	ReturnValuesOnConditionCheckFailure string
	ReturnConsumedCapacity              string
	ReturnItemCollectionMetrics         string
}

// attributes is the answer of a write.
type attributes struct {
	Attributes item `json:"Attributes,omitempty"`
}

// prepare checks the common parameters and reads the condition, nil if there is none. more says whether the request
// has another expression.
func (in *writeInput) prepare(call *awsapi.Call, more bool, returnValues ...string) (condition, error) {
	if err := refuseMetrics(call, in.ReturnConsumedCapacity, in.ReturnItemCollectionMetrics); err != nil {
		return nil, err
	}
	if in.ReturnValues != "" && in.ReturnValues != "NONE" && !slices.Contains(returnValues, in.ReturnValues) {
		return nil, errValidation("Return values set to invalid value: %s", in.ReturnValues)
	}
	if r := in.ReturnValuesOnConditionCheckFailure; r != "" && r != "NONE" && r != "ALL_OLD" {
		return nil, errValidation("ReturnValuesOnConditionCheckFailure can only be ALL_OLD or NONE")
	}
	if err := in.placeholders.check(more || in.ConditionExpression != nil); err != nil {
		return nil, err
	}
	if in.ConditionExpression == nil {
		return nil, nil
	}
	c, _, err := parseCondition("ConditionExpression", *in.ConditionExpression, &in.placeholders)
	return c, err
}

// refuseMetrics refuses to report what the local stack does not measure.
func refuseMetrics(call *awsapi.Call, capacity, collection string) error {
	if capacity != "" && capacity != "NONE" {
		return awsapi.NotImplementedParameter(call, "ReturnConsumedCapacity "+capacity)
	}
	if collection != "" && collection != "NONE" {
		return awsapi.NotImplementedParameter(call, "ReturnItemCollectionMetrics "+collection)
	}
	return nil
}

// decide fails when the condition does not hold for the item there is (nil: none).
func (in *writeInput) decide(c condition, old item) error {
	if c == nil || c.holds(old) {
		return nil
	}
	e := &awsapi.Error{Status: http.StatusBadRequest, Code: "ConditionalCheckFailedException", Message: "The conditional request failed"}
	if in.ReturnValuesOnConditionCheckFailure == "ALL_OLD" && old != nil {
		e.Fields = map[string]any{"Item": old}
	}
	return e
}

// oldIfAsked is the answer of PutItem and DeleteItem.
func (in *writeInput) oldIfAsked(old item) attributes {
	if in.ReturnValues != "ALL_OLD" {
		return attributes{}
	}
	return attributes{Attributes: old}
}

func (s *Service) putItem(call *awsapi.Call) (any, error) {
	var in struct {
		writeInput
		Item item
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	cond, err := in.prepare(call, false, "ALL_OLD")
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
	key, err := t.keyOf(in.Item)
	if err != nil {
		return nil, err
	}
	if in.Item.size() > maxItem {
		return nil, errValidation("Item size has exceeded the maximum allowed size")
	}
	old := t.items[key]
	if err := in.decide(cond, old); err != nil {
		return nil, err
	}
	t.items[key] = in.Item
	return in.oldIfAsked(old), nil
}

func (s *Service) deleteItem(call *awsapi.Call) (any, error) {
	var in struct {
		writeInput
		Key item
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	cond, err := in.prepare(call, false, "ALL_OLD")
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
	key, err := t.keyOnly(in.Key)
	if err != nil {
		return nil, err
	}
	old := t.items[key]
	if err := in.decide(cond, old); err != nil {
		return nil, err
	}
	delete(t.items, key)
	return in.oldIfAsked(old), nil
}

func (s *Service) updateItem(call *awsapi.Call) (any, error) {
	var in struct {
		writeInput
		Key              item
		UpdateExpression *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	cond, err := in.prepare(call, in.UpdateExpression != nil, "ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW")
	if err != nil {
		return nil, err
	}
	var u update
	if in.UpdateExpression != nil {
		if u, err = parseUpdate(*in.UpdateExpression, &in.placeholders); err != nil {
			return nil, err
		}
	}
	if err := in.checkUsed(); err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, err
	}
	for _, p := range u.paths() {
		if t.isKey(p[0].name) {
			return nil, errParameter("Cannot update attribute %s. This attribute is part of the key", p[0].name)
		}
	}
	old, next, err := t.update(in.Key, u, func(old item) error { return in.decide(cond, old) })
	if err != nil {
		return nil, err
	}
	return updated(in.ReturnValues, old, next, u.paths()), nil
}

// update changes one item, or makes it from its key if there is none (API reference, UpdateItem).
func (t *table) update(keyItem item, u update, decide func(old item) error) (old, next item, err error) {
	key, err := t.keyOnly(keyItem)
	if err != nil {
		return nil, nil, err
	}
	old = t.items[key]
	if err := decide(old); err != nil {
		return nil, nil, err
	}
	before := old
	if before == nil {
		before = keyItem
	}
	if next, err = u.apply(before); err != nil {
		return nil, nil, err
	}
	if next.size() > maxItem {
		return nil, nil, errValidation("Item size to update has exceeded the maximum allowed size")
	}
	t.items[key] = next
	return old, next, nil
}

// updated is the answer of UpdateItem: the whole item, or only what the update names, before or after.
func updated(returnValues string, old, next item, paths []path) attributes {
	switch returnValues {
	case "ALL_OLD":
		return attributes{old}
	case "ALL_NEW":
		return attributes{next}
	case "UPDATED_OLD":
		return attributes{project(old, paths)}
	case "UPDATED_NEW":
		return attributes{project(next, paths)}
	}
	return attributes{}
}
