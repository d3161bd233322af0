// Package configtest checks documents against a JSON Schema, for the tests of those that the project publishes.
package configtest

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"unicode/utf8"
)

// annotations are keywords of JSON Schema that restrict nothing.
var annotations = []string{"$schema", "title", "description", "default"}

// Conforms checks a value against the part of JSON Schema 2020-12 that the schema uses, and returns what does not fit.
// A keyword that it does not know is an error too: none is silently without effect.
func Conforms(schema map[string]any, value any, path string) error {
	for _, keyword := range slices.Sorted(maps.Keys(schema)) {
		if slices.Contains(annotations, keyword) {
			continue
		}
		if err := apply(schema, keyword, value, path); err != nil {
			return err
		}
	}
	return nil
}

func apply(schema map[string]any, keyword string, value any, path string) error {
	argument, ok := schema[keyword], true
	switch keyword {
	case "type":
		ok = typeOf(value) == argument
	case "anyOf":
		ok = slices.ContainsFunc(argument.([]any), func(s any) bool {
			return Conforms(s.(map[string]any), value, path) == nil
		})
	case "not":
		ok = Conforms(argument.(map[string]any), value, path) != nil
	case "enum":
		ok = slices.Contains(argument.([]any), value)
	case "required", "properties", "additionalProperties", "minProperties", "propertyNames", "patternProperties":
		if object, is := value.(map[string]any); is {
			return applyToObject(schema, keyword, object, path)
		}
	case "items", "minItems", "uniqueItems":
		if list, is := value.([]any); is {
			return applyToList(keyword, argument, list, path)
		}
	case "pattern", "minLength":
		if text, is := value.(string); is {
			ok = keyword == "pattern" && regexp.MustCompile(argument.(string)).MatchString(text) ||
				keyword == "minLength" && utf8.RuneCountInString(text) >= int(argument.(float64))
		}
	case "minimum", "maximum":
		if n, is := value.(float64); is {
			ok = keyword == "minimum" && n >= argument.(float64) || keyword == "maximum" && n <= argument.(float64)
		}
	default:
		return fmt.Errorf("%s: keyword %q is not known to this test", path, keyword)
	}
	if !ok {
		return fmt.Errorf("%s: not %s %v", path, keyword, argument)
	}
	return nil
}

func applyToObject(schema map[string]any, keyword string, object map[string]any, path string) error {
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range object {
		sub, known := properties[name]
		switch {
		case keyword == "properties" && known:
			if err := Conforms(sub.(map[string]any), value, path+"."+name); err != nil {
				return err
			}
		case keyword == "additionalProperties" && !known && matches(schema, name):
		case keyword == "additionalProperties" && !known && schema[keyword] == false:
			return fmt.Errorf("%s.%s: not allowed", path, name)
		case keyword == "additionalProperties" && !known:
			if err := Conforms(schema[keyword].(map[string]any), value, path+"."+name); err != nil {
				return err
			}
		case keyword == "propertyNames":
			if err := Conforms(schema[keyword].(map[string]any), name, path+"."+name); err != nil {
				return err
			}
		}
	}
	if keyword == "minProperties" && len(object) < int(schema[keyword].(float64)) {
		return fmt.Errorf("%s: fewer than %v members", path, schema[keyword])
	}
	if keyword == "required" {
		for _, name := range schema[keyword].([]any) {
			if _, there := object[name.(string)]; !there {
				return fmt.Errorf("%s.%s: missing", path, name)
			}
		}
	}
	return nil
}

// matches reports whether a name is one of patternProperties.
func matches(schema map[string]any, name string) bool {
	patterns, _ := schema["patternProperties"].(map[string]any)
	for pattern := range patterns {
		if regexp.MustCompile(pattern).MatchString(name) {
			return true
		}
	}
	return false
}

func applyToList(keyword string, argument any, list []any, path string) error {
	switch keyword {
	case "items":
		for i, value := range list {
			if err := Conforms(argument.(map[string]any), value, fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
	case "minItems":
		if len(list) < int(argument.(float64)) {
			return fmt.Errorf("%s: fewer than %v", path, argument)
		}
	case "uniqueItems":
		for i := range list {
			if argument == true &&
				slices.ContainsFunc(list[:i], func(x any) bool { return reflect.DeepEqual(x, list[i]) }) {
				return fmt.Errorf("%s[%d]: listed twice", path, i)
			}
		}
	}
	return nil
}

func typeOf(value any) string {
	switch v := value.(type) {
	case map[string]any:
		return "object"
	case []any:
		return "array"
	case string:
		return "string"
	case bool:
		return "boolean"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	default:
		return fmt.Sprintf("%T", v)
	}
}
