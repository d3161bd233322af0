package lambda

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// accountConcurrency is the concurrency of an account and Region (developer guide, Lambda quotas).
const accountConcurrency = 1000

// asyncRetries are the waits before an asynchronous invocation that failed is tried again (developer guide, "How
// Lambda handles errors and retries with asynchronous invocation": two more tries, after one minute and after two).
var asyncRetries = []time.Duration{time.Minute, 2 * time.Minute}

// throttleRetries bound how long a throttled asynchronous invocation is tried: waits double from 1 s up to 5 minutes,
// for up to 6 hours.
const (
	throttleFirst = time.Second
	throttleMost  = 5 * time.Minute
	throttleLimit = 6 * time.Hour
)

func (s *Service) invoke(ctx context.Context, call *awsapi.Call) (any, error) {
	ref, err := s.reference(call)
	if err != nil {
		return nil, err
	}
	for _, header := range []string{"X-Amz-Client-Context", "X-Amz-Durable-Execution-Name", "X-Amz-Tenant-Id"} {
		if call.HTTP.Header.Get(header) != "" {
			return nil, awsapi.NotImplementedParameter(call, header)
		}
	}
	tail := call.HTTP.Header.Get("X-Amz-Log-Type")
	if tail != "" && tail != "None" && tail != "Tail" {
		return nil, invalidParameter("Value '%s' at 'logType' failed to satisfy constraint: one of None, Tail", tail)
	}
	payload := call.Body
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if len(payload) > maxPayload {
		return nil, userError(http.StatusRequestEntityTooLarge, "RequestTooLargeException", "Request must be smaller than %d bytes for the InvokeFunction operation", maxPayload)
	}
	if !json.Valid(payload) {
		return nil, userError(http.StatusBadRequest, "InvalidRequestContentException", "Could not parse request body into json")
	}
	s.mu.Lock()
	v, err := s.resolve(ref)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	switch kind := call.HTTP.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
		return s.invokeSync(ctx, ref, payload, tail == "Tail")
	case "Event":
		s.clock.Go(func() { s.invokeAsync(ref, payload) })
		return awsapi.Raw{Status: http.StatusAccepted}, nil
	case "DryRun":
		return awsapi.Raw{Status: http.StatusNoContent, Header: http.Header{"X-Amz-Executed-Version": {v.config.Version}}}, nil
	default:
		return nil, invalidParameter("Value '%s' at 'invocationType' failed to satisfy constraint: one of Event, RequestResponse, DryRun", kind)
	}
}

func (s *Service) invokeSync(ctx context.Context, ref reference, payload []byte, tail bool) (any, error) {
	o, err := s.run(ctx, ref, payload)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}, "X-Amz-Executed-Version": {o.version}}
	if o.failed {
		// Always Unhandled: a custom runtime does not know the other value.
		h["X-Amz-Function-Error"] = []string{"Unhandled"}
	}
	if tail {
		h["X-Amz-Log-Result"] = []string{base64.StdEncoding.EncodeToString(o.log)}
	}
	return awsapi.Raw{Status: http.StatusOK, Header: h, Body: o.payload}, nil
}

// invokeAsync runs an Event invocation to its end, retries included.
func (s *Service) invokeAsync(ref reference, payload []byte) {
	began, wait, failures := s.clock.Now(), throttleFirst, 0
	for {
		o, err := s.run(s.ctx, ref, payload)
		pause := wait
		switch {
		case err != nil: // throttled, or the service failed
			if s.clock.Now().Sub(began) > throttleLimit {
				return
			}
			wait = min(2*wait, throttleMost)
		case !o.failed || failures == len(asyncRetries):
			return
		default:
			pause = asyncRetries[failures]
			failures++
		}
		if s.clock.Sleep(s.ctx, pause) != nil {
			return
		}
	}
}

// outcome is an invocation that ran.
type outcome struct {
	result
	version string
	log     []byte
}

// run carries out one invocation. If ctx ends first the caller is gone, but the function runs on to its end, as on AWS.
func (s *Service) run(ctx context.Context, ref reference, payload []byte) (outcome, error) {
	v, release, err := s.acquire(ref)
	if err != nil {
		return outcome{}, err
	}
	inv := &invocation{id: newID(), arn: ref.arn(), payload: payload, done: make(chan result, 1)}
	inv.log = &invocationLog{service: s, version: v, id: inv.id}
	gone := &awsapi.Error{Status: http.StatusInternalServerError, Code: "ServiceException", Message: "the caller has gone"}
	if h := v.function.handler; h != nil {
		r, ok := s.runInProcess(ctx, h, inv, release)
		if !ok {
			return outcome{}, gone
		}
		return outcome{result: r, version: v.config.Version, log: inv.log.bytes()}, nil
	}
	finished := make(chan outcome, 1)
	s.work.Go(func() {
		finished <- outcome{result: s.runProcess(v, inv, release), version: v.config.Version, log: inv.log.bytes()}
	})
	select {
	case o := <-finished:
		return o, nil
	case <-ctx.Done():
		return outcome{}, gone
	}
}

// acquire finds the version and takes one of the function's concurrency, which release gives back.
func (s *Service) acquire(ref reference) (v *version, release func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err = s.resolve(ref)
	if err != nil {
		return nil, nil, err
	}
	if s.closed {
		return nil, nil, &awsapi.Error{Status: http.StatusInternalServerError, Code: "ServiceException", Message: "the local stack is closing"}
	}
	f := v.function
	limit, reason := accountConcurrency, "ConcurrentInvocationLimitExceeded"
	if f.reserved != nil {
		limit, reason = *f.reserved, "ReservedFunctionConcurrentInvocationLimitExceeded"
	}
	if f.running >= limit {
		return nil, nil, &awsapi.Error{Status: http.StatusTooManyRequests, Code: "TooManyRequestsException", Message: "Rate Exceeded.",
			Fields: map[string]any{"Type": "User", "Reason": reason}}
	}
	f.running++
	return v, func() {
		s.mu.Lock()
		f.running--
		s.mu.Unlock()
	}, nil
}

// runProcess carries out an invocation on an idle process, or on a new one.
func (s *Service) runProcess(v *version, inv *invocation, release func()) result {
	defer release()
	began := time.Now()
	inv.log.start()
	defer func() { inv.log.end(time.Since(began)) }()
	p, err := s.take(v, inv.log)
	if err != nil {
		return failure("Runtime.InvalidEntrypoint", "RequestId: %s Error: %v", inv.id, err)
	}
	r, reusable := p.run(inv, time.Duration(v.config.Timeout)*time.Second)
	if reusable {
		p.logs.flush()
		s.give(v, p)
		return r
	}
	p.kill()
	<-p.gone
	p.logs.end()
	return r
}

// take returns a process of the version that the caller owns until give.
func (s *Service) take(v *version, log *invocationLog) (*process, error) {
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
	return s.start(v, log)
}

// give takes a process back, to wait for the next invocation of its version.
func (s *Service) give(v *version, p *process) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v.retired || s.closed {
		p.kill()
		return
	}
	v.idle = append(v.idle, p)
}
