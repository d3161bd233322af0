package awsapi

import (
	"net/url"
	"slices"
	"sort"
	"strings"
)

// Query is the query string of a REST request whose parameters the operation honours. Any other parameter of AWS's is
// refused, by name, with 501.
func (c *Call) Query(honoured ...string) (url.Values, error) {
	values := c.HTTP.URL.Query()
	var left []string
	for name := range values {
		if !slices.Contains(honoured, name) && (c.model == nil || member(c.model, name) != nil) {
			left = append(left, name)
		}
	}
	if len(left) > 0 {
		sort.Strings(left)
		return nil, NotImplementedParameter(c, strings.Join(left, ", "))
	}
	return values, nil
}
