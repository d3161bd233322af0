package lambda

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

func (s *Service) invoke(ctx context.Context, call *awsapi.Call) (any, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, err
	}
	// What is not here: asynchronous invocations, the end of the log in the answer, and the like.
	for _, header := range []string{"X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id",
		"X-Amz-Log-Type", "X-Amz-Invocation-Type"} {
		if v := call.HTTP.Header.Get(header); v != "" && v != "None" && v != "RequestResponse" {
			return nil, awsapi.NotImplementedParameter(call, header+" "+v)
		}
	}
	payload := call.Body
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if len(payload) > maxPayload {
		return nil, userError(http.StatusRequestEntityTooLarge, "RequestTooLargeException",
			"Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload)
	}
	if !json.Valid(payload) {
		return nil, userError(http.StatusBadRequest, "InvalidRequestContentException",
			"Could not parse request body into json")
	}
	r, version, err := s.run(ctx, ref, payload)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}, "X-Amz-Executed-Version": {version}}
	if r.failed {
		// Always Unhandled: a custom runtime does not know the other value.
		h["X-Amz-Function-Error"] = []string{"Unhandled"}
	}
	return awsapi.Raw{Status: http.StatusOK, Header: h, Body: r.payload}, nil
}

// run carries out one invocation. If ctx ends first the caller is gone, but the function runs on to its end, as on AWS.
func (s *Service) run(ctx context.Context, ref reference, payload []byte) (r result, executed string, err error) {
	s.mu.Lock()
	v, err := s.resolve(ref)
	closed := s.closed
	s.mu.Unlock()
	if err != nil {
		return result{}, "", err
	}
	if closed {
		return result{}, "", unavailable("the local stack is closing")
	}
	inv := &invocation{id: awsapi.NewID(), arn: ref.arn(), payload: payload, done: make(chan result, 1)}
	if h := v.function.handler; h != nil {
		r, ok := s.runInProcess(ctx, h, inv)
		if !ok {
			return result{}, "", unavailable("the caller has gone")
		}
		return r, v.config.Version, nil
	}
	finished := make(chan result, 1)
	s.work.Go(func() { finished <- s.runProcess(v, inv) })
	select {
	case r := <-finished:
		return r, v.config.Version, nil
	case <-ctx.Done():
		return result{}, "", unavailable("the caller has gone")
	}
}

func unavailable(why string) error {
	return &awsapi.Error{Status: http.StatusInternalServerError, Code: "ServiceException", Message: why}
}

// runProcess carries out an invocation on an idle process, or on a new one.
func (s *Service) runProcess(v *version, inv *invocation) result {
	p, err := s.take(v)
	if err != nil {
		return failure("Runtime.InvalidEntrypoint", "RequestId: %s Error: %v", inv.id, err)
	}
	r, reusable := p.run(inv, time.Duration(v.config.Timeout)*time.Second)
	if reusable {
		s.give(v, p)
		return r
	}
	p.kill()
	<-p.gone
	return r
}

// take returns a process of the version that the caller owns until give.
func (s *Service) take(v *version) (*process, error) {
	s.mu.Lock()
	for n := len(v.idle); n > 0; n = len(v.idle) {
		p := v.idle[n-1]
		v.idle = v.idle[:n-1]
		if p.alive() {
			s.mu.Unlock()
			return p, nil
		}
	}
	s.mu.Unlock()
	return s.start(v)
}

// give takes a process back, to wait for the next invocation of its version.
func (s *Service) give(v *version, p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		p.kill()
		return
	}
	v.idle = append(v.idle, p)
}
