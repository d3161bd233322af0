package lambda

import (
	"net/http"
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

// path is a request's path, taken apart: /<api version>/functions/<function>/<part>/<item>.
type path struct{ version, function, part, item string }

func parsePath(p string) (path, bool) {
	s := strings.Split(strings.Trim(p, "/"), "/")
	if len(s) < 2 || len(s) > 5 || s[1] != "functions" {
		return path{}, false
	}
	s = append(s, "", "", "")
	return path{version: s[0], function: s[2], part: s[3], item: s[4]}, true
}

// routes are the operations by method, API version, and which parts of the path are there ("*" is any).
var routes = map[string]path{
	"CreateFunction":              {"POST 2015-03-31", "", "", ""},
	"ListFunctions":               {"GET 2015-03-31", "", "", ""},
	"GetFunction":                 {"GET 2015-03-31", "*", "", ""},
	"DeleteFunction":              {"DELETE 2015-03-31", "*", "", ""},
	"GetFunctionConfiguration":    {"GET 2015-03-31", "*", "configuration", ""},
	"UpdateFunctionConfiguration": {"PUT 2015-03-31", "*", "configuration", ""},
	"UpdateFunctionCode":          {"PUT 2015-03-31", "*", "code", ""},
	"PublishVersion":              {"POST 2015-03-31", "*", "versions", ""},
	"CreateAlias":                 {"POST 2015-03-31", "*", "aliases", ""},
	"GetAlias":                    {"GET 2015-03-31", "*", "aliases", "*"},
	"Invoke":                      {"POST 2015-03-31", "*", "invocations", ""},
	"PutFunctionConcurrency":      {"PUT 2017-10-31", "*", "concurrency", ""},
	"DeleteFunctionConcurrency":   {"DELETE 2017-10-31", "*", "concurrency", ""},
	"GetFunctionConcurrency":      {"GET 2019-09-30", "*", "concurrency", ""},
}

// Route implements awsapi.Router.
func (s *Service) Route(method, urlPath string) string {
	p, ok := parsePath(urlPath)
	if !ok {
		return ""
	}
	for operation, r := range routes {
		if r.version == method+" "+p.version && matches(r.function, p.function) && matches(r.part, p.part) && matches(r.item, p.item) {
			return operation
		}
	}
	return ""
}

func matches(pattern, part string) bool {
	return pattern == part || (pattern == "*" && part != "")
}

// reference is a function as a caller names it. The qualifier is "", "$LATEST", a version or an alias.
type reference struct{ region, name, qualifier string }

// functionName takes apart the forms that the API reference allows: a name, a partial ARN (account:function:name)
// and a full ARN, each with a qualifier or without.
var functionName = regexp.MustCompile(`^(?:(?:arn:aws:lambda:([a-z0-9-]+):)?(\d{12}):function:)?([A-Za-z0-9_-]{1,64})(?::(\$LATEST|[A-Za-z0-9_-]{1,128}))?$`)

// reference reads the function from the path and the qualifier from the query.
func (s *Service) reference(call *awsapi.Call) (reference, error) {
	query, err := call.Query("Qualifier")
	if err != nil {
		return reference{}, err
	}
	p, _ := parsePath(call.HTTP.URL.Path)
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
			return reference{}, invalidParameter("The derived qualifier from the function name does not match the specified qualifier.")
		}
		ref.qualifier = q
	}
	if ref.region != call.Region || (m[2] != "" && m[2] != awsapi.AccountID) {
		return reference{}, ref.notFound()
	}
	return ref, nil
}

// unqualified is reference for the operations that act on the whole function.
func (s *Service) unqualified(call *awsapi.Call) (reference, error) {
	ref, err := s.reference(call)
	if err == nil && ref.qualifier != "" && ref.qualifier != latest {
		err = awsapi.NotImplementedParameter(call, "Qualifier")
	}
	return ref, err
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
