package dynamodb

import (
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// maxPage is how many bytes of items a page of Query holds (API reference, Query).
const maxPage = 1 << 20

// putItem writes a whole item in the place of one with the same key (API reference, PutItem).
func (s *Service) putItem(call *awsapi.Call) (any, error) {
	var in struct {
		placeholders
		TableName           string
		Item                item
		ConditionExpression *string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkTarget(in.TableName, in.Item); err != nil {
		return nil, err
	}
	update := updateInput{placeholders: in.placeholders, ConditionExpression: in.ConditionExpression}
	holds, _, err := update.parse()
	if err != nil {
		return nil, err
	}
	t, err := s.table(call, in.TableName)
	if err != nil {
		return nil, err
	}
	key, err := t.keyIn(in.Item)
	switch {
	case err != nil:
		return nil, err
	case !holds(t.items[key]):
		return nil, update.refused(nil)
	case in.Item.size() > maxItem:
		return nil, errValidation("Item size has exceeded the maximum allowed size")
	}
	t.items[key] = in.Item
	return nil, nil
}

// query reads the items of one partition in the order of their sort keys. Only "key = :value" is honoured.
func (s *Service) query(call *awsapi.Call) (any, error) {
	var in struct {
		placeholders
		TableName              string
		KeyConditionExpression string
		ConsistentRead         bool // every read is consistent here
		ProjectionExpression   *string
		ExclusiveStartKey      item
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := checkTarget(in.TableName, item{}); err != nil {
		return nil, err
	}
	if err := in.check(true); err != nil {
		return nil, err
	}
	attribute, is, err := parseKeyCondition(in.KeyConditionExpression, &in.placeholders)
	if err != nil {
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
	if attribute != t.keys[0].AttributeName {
		return nil, errValidation("Query condition missed key schema element: %s", t.keys[0].AttributeName)
	}
	after := ""
	if in.ExclusiveStartKey != nil {
		if after, err = t.keyOf(in.ExclusiveStartKey); err != nil {
			return nil, errValidation("The provided starting key is invalid")
		}
	}
	return t.page(is, after, names), nil
}

// parseKeyCondition reads "name = :value".
func parseKeyCondition(text string, in *placeholders) (name string, is value, err error) {
	p, err := newParser("KeyConditionExpression", text, in)
	if err != nil {
		return "", value{}, err
	}
	if name, err = p.name(); err != nil {
		return "", value{}, err
	}
	if p.peek() != "=" {
		return "", value{}, errNotImplemented("%s in KeyConditionExpression", p.peek())
	}
	p.at++
	if is, err = p.literal(); err != nil {
		return "", value{}, err
	}
	if p.peek() != "" {
		return "", value{}, errNotImplemented("%s in KeyConditionExpression", p.peek())
	}
	return name, is, nil
}

// page is a page of a partition's items after a key, as far as a megabyte goes.
func (t *table) page(partition value, after string, names []string) any {
	var found []item
	for _, it := range t.items {
		if it[t.keys[0].AttributeName] == partition {
			found = append(found, it)
		}
	}
	text := func(it item) string {
		key, _ := t.keyIn(it) // it is stored under its key
		return key
	}
	slices.SortFunc(found, func(a, b item) int {
		if len(t.keys) > 1 {
			order, _ := a[t.keys[1].AttributeName].compare(b[t.keys[1].AttributeName])
			return order
		}
		return strings.Compare(text(a), text(b))
	})
	start := 0
	if i := slices.IndexFunc(found, func(it item) bool { return text(it) == after }); i >= 0 {
		start = i + 1
	}
	out, size, last := []item{}, 0, item(nil)
	for _, it := range found[start:] {
		if size += it.size(); size > maxPage && len(out) > 0 {
			break
		}
		last = item{}
		for _, k := range t.keys {
			last[k.AttributeName] = it[k.AttributeName]
		}
		if names != nil {
			it = it.project(names)
		}
		out = append(out, it)
	}
	answer := map[string]any{"Items": out, "Count": len(out), "ScannedCount": len(out)}
	if start+len(out) < len(found) {
		answer["LastEvaluatedKey"] = last
	}
	return answer
}
