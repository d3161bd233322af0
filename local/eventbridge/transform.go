package eventbridge

import (
	"encoding/json"
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// transformer is InputTransformer of the API reference, with paths of names only.
type transformer struct {
	Paths    map[string]string `json:"InputPathsMap"`
	Template string            `json:"InputTemplate"`
}

var (
	plainPath = regexp.MustCompile(`^\$(\.[A-Za-z0-9_-]+)+$`)
	variable  = regexp.MustCompile(`<[A-Za-z0-9_.-]+>`)
)

func (x *transformer) check(call *awsapi.Call) error {
	for _, path := range x.Paths {
		if !plainPath.MatchString(path) {
			return awsapi.NotImplementedParameter(call, "InputPathsMap "+path)
		}
	}
	for _, name := range variable.FindAllString(x.Template, -1) {
		if _, known := x.Paths[strings.Trim(name, "<>")]; !known {
			return awsapi.Errorf("ValidationException", "Invalid InputTemplate for target : [%s].", name)
		}
	}
	return nil
}

// apply fills the template from an event. Within quotation marks a text stands as it is, elsewhere a value is JSON;
// what the event does not have is nothing (user guide, "Amazon EventBridge input transformation").
func (x *transformer) apply(event map[string]any) string {
	var b strings.Builder
	rest, quoted := x.Template, false
	for _, at := range variable.FindAllStringIndex(x.Template, -1) {
		before := x.Template[len(x.Template)-len(rest) : at[0]]
		if strings.Count(before, `"`)%2 == 1 {
			quoted = !quoted
		}
		b.WriteString(before)
		b.WriteString(shown(find(event, x.Paths[x.Template[at[0]+1:at[1]-1]]), quoted))
		rest = x.Template[at[1]:]
	}
	return b.String() + rest
}

// find is the value at a path; nil if there is none.
func find(event map[string]any, path string) any {
	var v any = event
	for _, name := range strings.Split(strings.TrimPrefix(path, "$."), ".") {
		m, _ := v.(map[string]any)
		v = m[name]
	}
	return v
}

func shown(v any, quoted bool) string {
	if text, ok := v.(string); ok && quoted {
		return text
	}
	if v == nil {
		return ""
	}
	text, _ := json.Marshal(v) // it was read from JSON
	return string(text)
}
