package lambda

// latest is the qualifier of the version that updates change.
const latest = "$LATEST"

// function is one function of one Region. Everything in it is guarded by Service.mu.
type function struct {
	region, name string
	latest       *version
	published    []*version // version n is published[n-1]
	aliases      map[string]*alias
	handler      *inProcess
}

// version is one immutable state of a function's code and configuration.
type version struct {
	function *function
	config   configuration
	folder   string     // with the program, bootstrap; LAMBDA_TASK_ROOT
	idle     []*process // processes that wait for an invocation; guarded by Service.mu
}

type alias struct {
	AliasArn        string `json:"AliasArn"`
	Name            string `json:"Name"`
	FunctionVersion string `json:"FunctionVersion"`
}

// configuration is FunctionConfiguration of the Lambda API reference, as far as it applies here.
type configuration struct {
	FunctionName  string       `json:"FunctionName"`
	FunctionArn   string       `json:"FunctionArn"`
	Runtime       string       `json:"Runtime"`
	Role          string       `json:"Role"`
	Handler       string       `json:"Handler"`
	Timeout       int          `json:"Timeout"`
	MemorySize    int          `json:"MemorySize"`
	Version       string       `json:"Version"`
	Environment   *environment `json:"Environment,omitempty"`
	State         string       `json:"State"`
	Architectures []string     `json:"Architectures"`
}

type environment struct {
	Variables map[string]string `json:"Variables"`
}

// newConfiguration is a configuration with Lambda's defaults (API reference, CreateFunction).
func newConfiguration(region, name string) configuration {
	return configuration{
		FunctionName: name, FunctionArn: reference{region: region, name: name}.arn(), Version: latest, Runtime: runtime,
		Timeout: 3, MemorySize: 128, Architectures: []string{"x86_64"}, State: "Active", Handler: "bootstrap",
	}
}

// find returns the function, or nil. A function registered in process exists in every Region. s.mu is held.
func (s *Service) find(region, name string) *function {
	if f := s.functions[region][name]; f != nil {
		return f
	}
	h := s.inProcess[name]
	if h == nil {
		return nil
	}
	f := &function{region: region, name: name, aliases: map[string]*alias{}, handler: h}
	f.latest = &version{function: f, config: newConfiguration(region, name)}
	f.latest.config.Timeout = max(int(h.timeout.Seconds()), 1)
	for _, name := range h.aliases {
		f.aliases[name] = &alias{AliasArn: f.latest.config.FunctionArn + ":" + name, Name: name,
			FunctionVersion: latest}
	}
	s.add(f)
	return f
}

// add keeps f. s.mu is held.
func (s *Service) add(f *function) {
	if s.functions[f.region] == nil {
		s.functions[f.region] = map[string]*function{}
	}
	s.functions[f.region][f.name] = f
}

// resolve finds the version that a reference stands for. s.mu is held.
func (s *Service) resolve(ref reference) (*version, error) {
	f := s.find(ref.region, ref.name)
	if f == nil {
		return nil, ref.notFound()
	}
	qualifier := ref.qualifier
	if a := f.aliases[qualifier]; a != nil {
		qualifier = a.FunctionVersion
	}
	if qualifier == "" || qualifier == latest {
		return f.latest, nil
	}
	for _, v := range f.published {
		if v.config.Version == qualifier {
			return v, nil
		}
	}
	return nil, ref.notFound()
}
