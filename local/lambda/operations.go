package lambda

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"alboidc.internal/shared/awstest/awsapi"
)

// runtime is the only runtime here: a program of its own, as Go functions are.
const runtime = "provided.al2023"

// settings are the parameters that CreateFunction and UpdateFunctionConfiguration share; nil leaves one as it is.
type settings struct {
	Runtime     *string      `json:"Runtime"`
	Role        *string      `json:"Role"`
	Handler     *string      `json:"Handler"`
	Description *string      `json:"Description"`
	Timeout     *int         `json:"Timeout"`
	MemorySize  *int         `json:"MemorySize"`
	Environment *environment `json:"Environment"`
}

var (
	validName    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	validRole    = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	reservedKeys = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT",
		"LAMBDA_RUNTIME_DIR"}
)

// apply checks the settings against the limits of the API reference and puts them into c.
func (r settings) apply(c *configuration) error {
	switch {
	case r.Runtime != nil && *r.Runtime != runtime:
		return invalidParameter("Value %s at 'runtime' failed to satisfy constraint: the local stack runs only %s", *r.Runtime, runtime)
	case r.Role != nil && !validRole.MatchString(*r.Role):
		return invalidParameter("Value '%s' at 'role' failed to satisfy constraint: Member must satisfy regular expression pattern", *r.Role)
	case r.Timeout != nil && (*r.Timeout < 1 || *r.Timeout > 900):
		return invalidParameter("Value '%d' at 'timeout' failed to satisfy constraint: it must be between 1 and 900", *r.Timeout)
	case r.MemorySize != nil && (*r.MemorySize < 128 || *r.MemorySize > 10240):
		return invalidParameter("'MemorySize' value failed to satisfy constraint: Member must have value between 128 and 10240")
	}
	if r.Environment != nil {
		for _, key := range reservedKeys {
			if _, ok := r.Environment.Variables[key]; ok {
				return invalidParameter("Lambda was unable to configure your environment variables because the environment variables "+
					"you have provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s", key)
			}
		}
		c.Environment = r.Environment
	}
	set(&c.Role, r.Role)
	set(&c.Handler, r.Handler)
	set(&c.Description, r.Description)
	set(&c.Timeout, r.Timeout)
	set(&c.MemorySize, r.MemorySize)
	return nil
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

func (s *Service) createFunction(call *awsapi.Call) (any, error) {
	var r struct {
		settings
		FunctionName  string            `json:"FunctionName"`
		Code          codeRequest       `json:"Code"`
		Architectures []string          `json:"Architectures"`
		PackageType   string            `json:"PackageType"`
		Publish       bool              `json:"Publish"`
		Tags          map[string]string `json:"Tags"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	switch {
	case !validName.MatchString(r.FunctionName):
		return nil, invalidParameter("Value '%s' at 'functionName' failed to satisfy constraint", r.FunctionName)
	case r.PackageType != "" && r.PackageType != "Zip":
		return nil, awsapi.NotImplementedParameter(call, "PackageType "+r.PackageType)
	case r.Role == nil || r.Runtime == nil || r.Handler == nil:
		return nil, invalidParameter("Role, Runtime and Handler are mandatory parameters for functions created with deployment packages.")
	}
	c := newConfiguration(call.Region, r.FunctionName)
	if err := r.apply(&c); err != nil {
		return nil, err
	}
	if err := applyArchitectures(&c, r.Architectures); err != nil {
		return nil, err
	}
	code, err := s.load(r.Code)
	if err != nil {
		return nil, err
	}
	c.CodeSha256, c.CodeSize, c.LastModified = code.sha256, code.size, timestamp(s.clock.Now())
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(call.Region, r.FunctionName) != nil {
		return nil, userError(http.StatusConflict, "ResourceConflictException", "Function already exist: %s", r.FunctionName)
	}
	f := &function{region: call.Region, name: r.FunctionName, aliases: map[string]*alias{}, tags: r.Tags}
	f.latest = &version{function: f, config: c, code: code}
	s.add(f)
	if r.Publish {
		return answer(http.StatusCreated, f.publish("").config)
	}
	return answer(http.StatusCreated, c)
}

func applyArchitectures(c *configuration, names []string) error {
	if len(names) == 0 {
		return nil
	}
	if len(names) != 1 || (names[0] != "x86_64" && names[0] != "arm64") {
		return invalidParameter("Value '%v' at 'architectures' failed to satisfy constraint: one of x86_64, arm64", names)
	}
	c.Architectures = names
	return nil
}

func (s *Service) getFunction(call *awsapi.Call) (any, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.resolve(ref)
	if err != nil {
		return nil, err
	}
	type codeLocation struct {
		RepositoryType string `json:"RepositoryType"`
		Location       string `json:"Location"`
	}
	var out struct {
		Configuration configuration     `json:"Configuration"`
		Code          codeLocation      `json:"Code"`
		Tags          map[string]string `json:"Tags,omitempty"`
		Concurrency   *concurrency      `json:"Concurrency,omitempty"`
	}
	out.Configuration = v.described(ref)
	out.Code = codeLocation{RepositoryType: "S3", Location: v.code.bootstrap}
	out.Tags = v.function.tags
	if v.function.reserved != nil {
		out.Concurrency = &concurrency{Reserved: v.function.reserved}
	}
	return out, nil
}

func (s *Service) getFunctionConfiguration(call *awsapi.Call) (any, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.resolve(ref)
	if err != nil {
		return nil, err
	}
	return v.described(ref), nil
}

func (s *Service) listFunctions(call *awsapi.Call) (any, error) {
	query, err := call.Query("Marker", "MaxItems")
	if err != nil {
		return nil, err
	}
	limit := 50 // the most that one answer holds
	if text := query.Get("MaxItems"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 10000 {
			return nil, invalidParameter("Value '%s' at 'maxItems' failed to satisfy constraint: it must be between 1 and 10000", text)
		}
		limit = min(n, limit)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for name := range s.functions[call.Region] {
		if name > query.Get("Marker") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	out := struct {
		Functions  []configuration `json:"Functions"`
		NextMarker *string         `json:"NextMarker"`
	}{Functions: []configuration{}}
	for i, name := range names {
		if i == limit {
			out.NextMarker = &names[i-1]
			break
		}
		out.Functions = append(out.Functions, s.functions[call.Region][name].latest.config)
	}
	return out, nil
}

func (s *Service) deleteFunction(call *awsapi.Call) (any, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, err
	}
	if ref.qualifier != "" {
		return nil, awsapi.NotImplementedParameter(call, "Qualifier")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.find(ref.region, ref.name)
	if f == nil {
		return nil, ref.notFound()
	}
	delete(s.functions[f.region], f.name)
	delete(s.inProcess, f.name)
	for _, v := range append(slices.Clone(f.published), f.latest) {
		v.retire()
	}
	return awsapi.Raw{Status: http.StatusNoContent}, nil
}

// retire ends the processes that wait for work, and sees to it that busy ones end with theirs. s.mu is held.
func (v *version) retire() {
	v.retired = true
	for _, p := range v.idle {
		p.kill()
	}
	v.idle = nil
}

// answer is a JSON answer with a status other than 200.
func answer(status int, v any) (any, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return awsapi.Raw{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, nil
}
