package dynamodb

import (
	"cmp"
	"slices"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// maxPage is how many bytes Query and Scan read at most for one answer (developer guide, "Paginating table query
// results").
const maxPage = 1 << 20

func (s *Service) getItem(call *awsapi.Call) (any, error) {
	var in struct {
		placeholders
		TableName              string
		Key                    item
		ConsistentRead         bool // every read is consistent here
		ProjectionExpression   *string
		ReturnConsumedCapacity string
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if err := refuseMetrics(call, in.ReturnConsumedCapacity, ""); err != nil {
		return nil, err
	}
	if err := in.check(in.ProjectionExpression != nil); err != nil {
		return nil, err
	}
	var paths []path
	if in.ProjectionExpression != nil {
		var err error
		if paths, err = parseProjection(*in.ProjectionExpression, &in.placeholders); err != nil {
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
	key, err := t.keyOnly(in.Key)
	if err != nil {
		return nil, err
	}
	found, ok := t.items[key]
	if !ok {
		return nil, nil
	}
	if paths != nil {
		found = project(found, paths)
	}
	return struct {
		Item item `json:"Item"`
	}{found}, nil
}

// readInput is what Query and Scan have in common.
type readInput struct {
	placeholders
	TableName              string
	ConsistentRead         bool // every read is consistent here
	ExclusiveStartKey      item
	FilterExpression       *string
	ProjectionExpression   *string
	Limit                  *int
	Select                 string
	ReturnConsumedCapacity string
}

// reading is the common part of a Query or Scan, checked.
type reading struct {
	table       *table
	filter      condition // nil: all pass
	filterPaths []path
	projection  []path // nil: all attributes
	limit       int    // 0: none
	countOnly   bool
	start       item // nil: from the beginning
}

// prepare checks the parameters. more says whether the request has another expression.
func (in *readInput) prepare(s *Service, call *awsapi.Call, more bool) (r reading, err error) {
	if err := refuseMetrics(call, in.ReturnConsumedCapacity, ""); err != nil {
		return r, err
	}
	if err := in.check(more || in.FilterExpression != nil || in.ProjectionExpression != nil); err != nil {
		return r, err
	}
	if in.Limit != nil {
		if r.limit = *in.Limit; r.limit < 1 {
			return r, errValidation("1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value greater than or equal to 1", r.limit)
		}
	}
	if in.FilterExpression != nil {
		if r.filter, r.filterPaths, err = parseCondition("FilterExpression", *in.FilterExpression, &in.placeholders); err != nil {
			return r, err
		}
	}
	if in.ProjectionExpression != nil {
		if r.projection, err = parseProjection(*in.ProjectionExpression, &in.placeholders); err != nil {
			return r, err
		}
	}
	if r.countOnly, err = in.selection(); err != nil {
		return r, err
	}
	if r.table, err = s.table(call, in.TableName); err != nil {
		return r, err
	}
	if r.start = in.ExclusiveStartKey; r.start != nil {
		if _, err := r.table.keyOnly(r.start); err != nil {
			return r, errValidation("The provided starting key is invalid")
		}
	}
	return r, nil
}

// selection reads Select.
func (in *readInput) selection() (countOnly bool, err error) {
	projected := in.ProjectionExpression != nil
	switch {
	case in.Select == "" || in.Select == "ALL_ATTRIBUTES" && !projected || in.Select == "SPECIFIC_ATTRIBUTES" && projected:
		return false, nil
	case in.Select == "COUNT" && !projected:
		return true, nil
	case in.Select == "ALL_ATTRIBUTES" || in.Select == "COUNT":
		return false, errValidation("Cannot specify the ProjectionExpression when choosing to get %s", in.Select)
	}
	return false, errValidation("Select %s is not valid for this request", in.Select)
}

// rows is the answer of a Query or Scan.
type rows struct {
	Items            []item `json:"Items,omitzero"`
	Count            int    `json:"Count"`
	ScannedCount     int    `json:"ScannedCount"`
	LastEvaluatedKey item   `json:"LastEvaluatedKey,omitempty"`
}

// page reads the items in their order, from after the start key, until the limit or a megabyte; the filter comes
// after that (developer guide, "Filter expressions for the Query operation").
func (r reading) page(sorted []item, order func(a, b item) int) rows {
	out := rows{Items: []item{}}
	if r.countOnly {
		out.Items = nil
	}
	size := 0
	for _, it := range sorted {
		if r.start != nil && order(it, r.start) <= 0 {
			continue
		}
		out.ScannedCount++
		size += it.size()
		if r.filter == nil || r.filter.holds(it) {
			out.Count++
			if !r.countOnly {
				out.Items = append(out.Items, r.project(it))
			}
		}
		if out.ScannedCount == r.limit || size > maxPage {
			out.LastEvaluatedKey = r.table.keyItem(it)
			break
		}
	}
	return out
}

func (r reading) project(it item) item {
	if r.projection == nil {
		return it
	}
	return project(it, r.projection)
}

func (t *table) keyItem(it item) item {
	key := item{}
	for _, k := range t.keys() {
		key[k.name] = it[k.name]
	}
	return key
}

// order sorts items by partition key, then by sort key. DynamoDB promises no order of partitions.
func (t *table) order(a, b item) int {
	c := strings.Compare(a[t.hash.name].str, b[t.hash.name].str)
	if t.sort == nil {
		return c
	}
	bySort, _ := a[t.sort.name].compare(b[t.sort.name])
	return cmp.Or(c, bySort)
}

func (s *Service) scan(call *awsapi.Call) (any, error) {
	var in readInput
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	r, err := in.prepare(s, call, false)
	if err != nil {
		return nil, err
	}
	if err := in.checkUsed(); err != nil {
		return nil, err
	}
	return r.page(r.table.sorted(nil, r.table.order), r.table.order), nil
}

// sorted returns the items for which a condition holds (nil: all).
func (t *table) sorted(c condition, order func(a, b item) int) []item {
	var out []item
	for _, it := range t.items {
		if c == nil || c.holds(it) {
			out = append(out, it)
		}
	}
	slices.SortFunc(out, order)
	return out
}

func (s *Service) query(call *awsapi.Call) (any, error) {
	var in struct {
		readInput
		KeyConditionExpression *string
		ScanIndexForward       *bool
	}
	if err := call.Decode(&in); err != nil {
		return nil, err
	}
	if in.KeyConditionExpression == nil {
		return nil, errValidation("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.")
	}
	r, err := in.prepare(s, call, true)
	if err != nil {
		return nil, err
	}
	c, _, err := parseCondition("KeyConditionExpression", *in.KeyConditionExpression, &in.placeholders)
	if err != nil {
		return nil, err
	}
	if err := in.checkUsed(); err != nil {
		return nil, err
	}
	if err := r.table.checkKeyCondition(c); err != nil {
		return nil, err
	}
	for _, p := range r.filterPaths {
		if r.table.isKey(p[0].name) {
			return nil, errValidation("Filter Expression can only contain non-primary key attributes: Primary key attribute: %s", p[0].name)
		}
	}
	order := r.table.order
	if in.ScanIndexForward != nil && !*in.ScanIndexForward {
		order = func(a, b item) int { return r.table.order(b, a) }
	}
	return r.page(r.table.sorted(c, order), order), nil
}
