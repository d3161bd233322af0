package lambda

import (
	"net/http"
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// path is a request's path, taken apart: /2015-03-31/functions/<function>/<part>.
type path struct{ method, function, part string }

func parsePath(method, p string) (path, bool) {
	s := strings.Split(strings.Trim(p, "/"), "/")
	if len(s) < 2 || len(s) > 4 || s[0] != "2015-03-31" || s[1] != "functions" {
		return path{}, false
	}
	s = append(s, "", "")
	return path{method, s[2], s[3]}, true
}

// routes are the operations by method and by which parts of the path are there ("*" is any).
var routes = map[string]path{
	"CreateFunction":           {"POST", "", ""},
	"PublishVersion":           {"POST", "*", "versions"},
	"CreateAlias":              {"POST", "*", "aliases"},
	"Invoke":                   {"POST", "*", "invocations"},
	"GetFunctionConfiguration": {"GET", "*", "configuration"},
}

// Route implements awsapi.Router.
func (s *Service) Route(method, urlPath string) string {
	p, ok := parsePath(method, urlPath)
	if !ok {
		return ""
	}
	for operation, r := range routes {
		if r.method == method && r.part == p.part && (r.function == p.function || r.function == "*" &&
			p.function != "") {
			return operation
		}
	}
	return ""
}

// reference is a function as a caller names it. The qualifier is "", "$LATEST", a version or an alias.
type reference struct{ region, name, qualifier string }

// functionName takes apart the forms that the API reference allows: a name, a partial ARN (account:function:name)
// and a full ARN, each with a qualifier or without.
var functionName = regexp.MustCompile(
	`^(?:(?:arn:aws:lambda:([a-z0-9-]+):)?(\d{12}):function:)?([A-Za-z0-9_-]{1,64})(?::(\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)

// reference reads the function from the path and the qualifier from the query.
func (s *Service) reference(call *awsapi.Call) (reference, error) {
	query, err := call.Query("Qualifier")
	if err != nil {
		return reference{}, err
	}
	p, _ := parsePath(call.HTTP.Method, call.HTTP.URL.Path)
	m := functionName.FindStringSubmatch(p.function)
	if m == nil {
		return reference{}, userError(http.StatusBadRequest, "ValidationException",
			"1 validation error detected: Value '%s' at 'functionName' failed to satisfy constraint", p.function)
	}
	ref := reference{region: m[1], name: m[3], qualifier: m[4]}
	if ref.region == "" {
		ref.region = call.Region
	}
	if q := query.Get("Qualifier"); q != "" {
		if ref.qualifier != "" && ref.qualifier != q {
			return reference{}, invalidParameter("The derived qualifier from the function name does not match the " +
				"specified qualifier.")
		}
		ref.qualifier = q
	}
	if ref.region != call.Region || (m[2] != "" && m[2] != awsapi.AccountID) {
		return reference{}, ref.notFound()
	}
	return ref, nil
}

// arn is the function's ARN as it was asked for, qualifier included.
func (r reference) arn() string {
	arn := "arn:aws:lambda:" + r.region + ":" + awsapi.AccountID + ":function:" + r.name
	if r.qualifier != "" {
		arn += ":" + r.qualifier
	}
	return arn
}

func (r reference) notFound() *awsapi.Error {
	return userError(http.StatusNotFound, "ResourceNotFoundException", "Function not found: %s", r.arn())
}
