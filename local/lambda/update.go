package lambda

import (
	"net/http"
	"regexp"
	"strconv"

	"alboidc.internal/shared/awstest/awsapi"
)

type concurrency struct {
	Reserved *int `json:"ReservedConcurrentExecutions,omitempty"`
}

func (s *Service) updateFunctionConfiguration(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		settings
		RevisionID string `json:"RevisionId"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.update(ref, r.RevisionID, func(v *version) error { return r.apply(&v.config) })
}

func (s *Service) updateFunctionCode(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		codeRequest
		Architectures []string `json:"Architectures"`
		RevisionID    string   `json:"RevisionId"`
		Publish       bool     `json:"Publish"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	code, err := s.load(r.codeRequest)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out, err := s.update(ref, r.RevisionID, func(v *version) error {
		v.code, v.config.CodeSha256, v.config.CodeSize = code, code.sha256, code.size
		return applyArchitectures(&v.config, r.Architectures)
	})
	if err != nil || !r.Publish {
		return out, err
	}
	return s.find(ref.region, ref.name).publish("").config, nil
}

// update replaces $LATEST by a changed copy. revision, if given, must be that of $LATEST. s.mu is held.
func (s *Service) update(ref reference, revision string, change func(*version) error) (any, error) {
	f := s.find(ref.region, ref.name)
	if f == nil {
		return nil, ref.notFound()
	}
	if f.handler != nil {
		return nil, invalidParameter("function %s is registered in process and cannot be updated", f.name)
	}
	if revision != "" && revision != f.latest.config.RevisionID {
		return nil, userError(http.StatusPreconditionFailed, "PreconditionFailedException",
			"The RevisionId provided does not match the latest RevisionId. Call the GetFunction/GetAlias API to retrieve the latest RevisionId")
	}
	next := &version{function: f, config: f.latest.config, code: f.latest.code}
	if err := change(next); err != nil {
		return nil, err
	}
	next.config.LastModified, next.config.RevisionID = timestamp(s.clock.Now()), newID()
	f.latest.retire()
	f.latest = next
	return next.config, nil
}

func (s *Service) putFunctionConcurrency(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	var r concurrency
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if r.Reserved == nil || *r.Reserved < 0 {
		return nil, invalidParameter("Value at 'reservedConcurrentExecutions' failed to satisfy constraint: it must be 0 or more")
	}
	return s.withFunction(ref, func(f *function) (any, error) {
		f.reserved = r.Reserved
		return r, nil
	})
}

func (s *Service) getFunctionConcurrency(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	return s.withFunction(ref, func(f *function) (any, error) { return concurrency{Reserved: f.reserved}, nil })
}

func (s *Service) deleteFunctionConcurrency(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	return s.withFunction(ref, func(f *function) (any, error) {
		f.reserved = nil
		return awsapi.Raw{Status: http.StatusNoContent}, nil
	})
}

func (s *Service) withFunction(ref reference, do func(*function) (any, error)) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.find(ref.region, ref.name)
	if f == nil {
		return nil, ref.notFound()
	}
	return do(f)
}

func (s *Service) publishVersion(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		Description string `json:"Description"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	return s.withFunction(ref, func(f *function) (any, error) {
		return answer(http.StatusCreated, f.publish(r.Description).config)
	})
}

// publish makes a version of $LATEST; if nothing has changed since the last one, it is that one again (API reference,
// PublishVersion). Service.mu is held.
func (f *function) publish(description string) *version {
	if n := len(f.published); n > 0 && f.published[n-1].origin == f.latest {
		return f.published[n-1]
	}
	v := &version{function: f, config: f.latest.config, code: f.latest.code, origin: f.latest}
	v.config.Version = strconv.Itoa(len(f.published) + 1)
	v.config.FunctionArn += ":" + v.config.Version
	v.config.RevisionID = newID()
	if description != "" {
		v.config.Description = description
	}
	f.published = append(f.published, v)
	return v
}

var validAlias = regexp.MustCompile(`^[A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*$`) // not a number, which is a version

func (s *Service) createAlias(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	var r struct {
		Name            string `json:"Name"`
		FunctionVersion string `json:"FunctionVersion"`
		Description     string `json:"Description"`
	}
	if err := call.Decode(&r); err != nil {
		return nil, err
	}
	if !validAlias.MatchString(r.Name) || len(r.Name) > 128 {
		return nil, invalidParameter("Value '%s' at 'name' failed to satisfy constraint", r.Name)
	}
	return s.withFunction(ref, func(f *function) (any, error) {
		ref.qualifier = r.FunctionVersion
		if v, err := s.resolve(ref); err != nil || v.config.Version != r.FunctionVersion {
			return nil, ref.notFound()
		}
		ref.qualifier = r.Name
		if f.aliases[r.Name] != nil {
			return nil, userError(http.StatusConflict, "ResourceConflictException", "Alias already exists: %s", ref.arn())
		}
		a := &alias{AliasArn: ref.arn(), Name: r.Name, FunctionVersion: r.FunctionVersion, Description: r.Description, RevisionID: newID()}
		f.aliases[r.Name] = a
		return answer(http.StatusCreated, a)
	})
}

func (s *Service) getAlias(call *awsapi.Call) (any, error) {
	ref, err := s.unqualified(call)
	if err != nil {
		return nil, err
	}
	p, _ := parsePath(call.HTTP.URL.Path)
	return s.withFunction(ref, func(f *function) (any, error) {
		a := f.aliases[p.item]
		if a == nil {
			ref.qualifier = p.item
			return nil, userError(http.StatusNotFound, "ResourceNotFoundException", "Cannot find alias arn: %s", ref.arn())
		}
		return a, nil
	})
}
