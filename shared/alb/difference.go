package alb

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// unread are the fields of an authenticate-oidc action that no answer holds, or that matter only in a request.
var unread = map[string]bool{"ClientSecret": true, "UseExistingClientSecret": true}

// findDifference returns the path, but never the value, of a field in which two values of the API's types differ, e.g.
// "Actions[1].ForwardConfig.TargetGroups[0].Weight"; "" if they do not. It compares every field, also those that later
// versions of the SDK add. Lists may be in any order: where order matters to the API, the elements have an Order.
func findDifference(path string, want, got reflect.Value) string {
	switch want.Kind() {
	case reflect.Pointer:
		if want.IsNil() || got.IsNil() {
			return pathIf(want.IsNil() != got.IsNil(), path)
		}
		return findDifference(path, want.Elem(), got.Elem())
	case reflect.Struct:
		return differentField(path, want, got)
	case reflect.Slice:
		return differentElement(path, want, got)
	case reflect.Map:
		return differentEntry(path, want, got)
	default:
		return pathIf(!want.Equal(got), path)
	}
}

func differentField(path string, want, got reflect.Value) string {
	for i := range want.NumField() {
		field := want.Type().Field(i)
		if !field.IsExported() || unread[field.Name] {
			continue
		}
		name := field.Name
		if path != "" {
			name = path + "." + name
		}
		if d := findDifference(name, want.Field(i), got.Field(i)); d != "" {
			return d
		}
	}
	return ""
}

// differentElement pairs each wanted element with one that is equal.
func differentElement(path string, want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return path
	}
	used := make([]bool, got.Len())
	for i := range want.Len() {
		at := fmt.Sprintf("%s[%d]", path, i)
		paired := false
		for j := 0; j < got.Len() && !paired; j++ {
			if !used[j] && findDifference(at, want.Index(i), got.Index(j)) == "" {
				used[j], paired = true, true
			}
		}
		if paired {
			continue
		}
		if d := findDifference(at, want.Index(i), got.Index(i)); d != "" {
			return d
		}
		return at
	}
	return ""
}

func differentEntry(path string, want, got reflect.Value) string {
	if want.Len() != got.Len() {
		return path
	}
	keys := want.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	for _, key := range keys {
		at := fmt.Sprintf("%s[%v]", path, key)
		other := got.MapIndex(key)
		if !other.IsValid() {
			return at
		}
		if d := findDifference(at, want.MapIndex(key), other); d != "" {
			return d
		}
	}
	return ""
}

func pathIf(different bool, path string) string {
	if different {
		return path
	}
	return ""
}
