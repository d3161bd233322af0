package lambda

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"alboidc.internal/shared/awstest/awsapi"
)

const (
	// runtime is the only runtime here: a program of its own, as Go functions are.
	runtime = "provided.al2023"
	// localBucket stands in for S3: an object's key in it is a folder of this machine with a bootstrap file.
	localBucket = "local"
)

var (
	validName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// not a number, which is a version
	validAlias   = regexp.MustCompile(`^[A-Za-z0-9_-]{0,127}[A-Za-z_-][A-Za-z0-9_-]*$`)
	validRole    = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+$`)
	reservedKeys = []string{"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_EXECUTION_ENV",
		"AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_VERSION",
		"AWS_LAMBDA_INITIALIZATION_TYPE", "AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_ACCESS_KEY",
		"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API", "LAMBDA_TASK_ROOT",
		"LAMBDA_RUNTIME_DIR"}
)

// creation are the parameters of CreateFunction that are honoured.
type creation struct {
	FunctionName  string       `json:"FunctionName"`
	Runtime       string       `json:"Runtime"`
	Role          string       `json:"Role"`
	Handler       string       `json:"Handler"`
	Timeout       *int         `json:"Timeout"`
	MemorySize    *int         `json:"MemorySize"`
	Environment   *environment `json:"Environment"`
	Architectures []string     `json:"Architectures"`
	Code          struct {
		S3Bucket string `json:"S3Bucket"`
		S3Key    string `json:"S3Key"`
	} `json:"Code"`
}

// limits are the limits of the API model (API reference, CreateFunction), in the words of the service.
func (r creation) limits() error {
	var c awsapi.Constraints
	c.Required("functionName", r.FunctionName, 140)
	if r.FunctionName != "" && !validName.MatchString(r.FunctionName) {
		c.Break("'"+r.FunctionName+"'", "functionName", "Member must satisfy regular expression pattern")
	}
	if r.Role != "" && !validRole.MatchString(r.Role) {
		c.Break("'"+r.Role+"'", "role", "Member must satisfy regular expression pattern: "+
			`arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`)
	}
	if r.Timeout != nil {
		c.Range("timeout", *r.Timeout, 1, 900)
	}
	if r.MemorySize != nil {
		c.Range("memorySize", *r.MemorySize, 128, 10240)
	}
	switch a := r.Architectures; {
	case len(a) > 1:
		c.Break("'["+strings.Join(a, ", ")+"]'", "architectures", "Member must have length less than or equal to 1")
	case a != nil && len(a) == 0:
		c.Break("'[]'", "architectures", "Member must have length greater than or equal to 1")
	case len(a) == 1 && a[0] != "x86_64" && a[0] != "arm64":
		c.Break("'["+a[0]+"]'", "architectures", "Member must satisfy constraint: [Member must satisfy enum value "+
			"set: [x86_64, arm64], Member must not be null]")
	}
	return c.Err()
}

// check refuses what the service refuses after that, and what is not here.
func (r creation) check() error {
	switch {
	case r.Role == "" || r.Runtime == "" || r.Handler == "":
		return invalidParameter("Role, Runtime and Handler are mandatory parameters for functions created with " +
			"deployment packages.")
	case r.Runtime != runtime:
		return invalidParameter("Value %s at 'runtime' failed to satisfy constraint: the local stack runs only %s",
			r.Runtime, runtime)
	case r.Code.S3Bucket != localBucket:
		return invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: the "+
			"local stack has only the bucket %q, whose keys are absolute paths", localBucket)
	}
	if r.Environment != nil {
		for _, key := range reservedKeys {
			if _, ok := r.Environment.Variables[key]; ok {
				return invalidParameter("Lambda was unable to configure your environment variables because the "+
					"environment variables you have provided contains reserved keys that are currently not supported "+
					"for modification. Reserved keys used in this request: %s", key)
			}
		}
	}
	info, err := os.Stat(filepath.Join(r.Code.S3Key, "bootstrap"))
	if err != nil || !filepath.IsAbs(r.Code.S3Key) || !info.Mode().IsRegular() {
		return invalidParameter("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: %s is "+
			"not an absolute path of a folder with a bootstrap", r.Code.S3Key)
	}
	return nil
}

func (s *Service) createFunction(call *awsapi.Call) (any, error) {
	var r creation
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if err := r.limits(); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	c := newConfiguration(call.Region, r.FunctionName)
	c.Role, c.Handler, c.Environment = r.Role, r.Handler, r.Environment
	if r.Timeout != nil {
		c.Timeout = *r.Timeout
	}
	if r.MemorySize != nil {
		c.MemorySize = *r.MemorySize
	}
	if len(r.Architectures) > 0 {
		c.Architectures = r.Architectures
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(call.Region, r.FunctionName) != nil {
		return nil, userError(http.StatusConflict, "ResourceConflictException",
			"Function already exist: %s", r.FunctionName)
	}
	f := &function{region: call.Region, name: r.FunctionName, aliases: map[string]*alias{}}
	f.latest = &version{function: f, config: c, folder: r.Code.S3Key}
	s.add(f)
	return answerCreated(c)
}

// publishVersion makes a version of $LATEST. Nothing changes $LATEST here, so a second one is the first again (API
// reference, PublishVersion).
func (s *Service) publishVersion(call *awsapi.Call) (any, error) {
	f, ref, err := s.findUnqualified(call)
	if err != nil {
		return nil, err
	}
	if err := call.Decode(&struct{}{}); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(f.published) == 0 {
		v := &version{function: f, config: f.latest.config, folder: f.latest.folder}
		ref.qualifier = "1"
		v.config.Version, v.config.FunctionArn = ref.qualifier, ref.arn()
		f.published = append(f.published, v)
	}
	return answerCreated(f.published[0].config)
}

// getFunctionConfiguration describes a version. A function registered in process has the role that the deployment gives
// it.
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
	c := v.config
	if c.Role == "" {
		c.Role = "arn:aws:iam::" + awsapi.AccountID + ":role/" + c.FunctionName
	}
	return c, nil
}

func (s *Service) createAlias(call *awsapi.Call) (any, error) {
	f, ref, err := s.findUnqualified(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		Name            string `json:"Name"`
		FunctionVersion string `json:"FunctionVersion"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if !validAlias.MatchString(r.Name) || len(r.Name) > 128 {
		return nil, invalidParameter("Value '%s' at 'name' failed to satisfy constraint", r.Name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	ref.qualifier = r.FunctionVersion
	if v, err := s.resolve(ref); err != nil || v.config.Version != r.FunctionVersion {
		return nil, ref.notFound()
	}
	ref.qualifier = r.Name
	if f.aliases[r.Name] != nil {
		return nil, userError(http.StatusConflict, "ResourceConflictException", "Alias already exists: %s", ref.arn())
	}
	f.aliases[r.Name] = &alias{AliasArn: ref.arn(), Name: r.Name, FunctionVersion: r.FunctionVersion}
	return answerCreated(f.aliases[r.Name])
}

// findUnqualified finds the function for an operation that acts on all of it.
func (s *Service) findUnqualified(call *awsapi.Call) (*function, reference, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, ref, err
	}
	if ref.qualifier != "" {
		return nil, ref, awsapi.NotImplementedParameter(call, "Qualifier")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.find(ref.region, ref.name)
	if f == nil {
		return nil, ref, ref.notFound()
	}
	return f, ref, nil
}

// answerCreated returns a JSON answer with status 201.
func answerCreated(v any) (any, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return awsapi.Raw{Status: http.StatusCreated, Header: http.Header{"Content-Type": {"application/json"}},
		Body: body}, nil
}
