package trial

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"

	"alboidc.internal/shared/failure"
	"alboidc.internal/shared/httpclient"
	"alboidc.internal/shared/idp/lambda"
)

// maxAnswer is the longest answer that is read.
const maxAnswer = 1 << 20

// ByProgram invokes a program of this machine, a process for each request: it reads the request from its standard input
// and writes the answer to its standard output. What it writes to its standard error is not shown: it may hold a
// secret.
func ByProgram(program string, args ...string) lambda.Invoker {
	return func(ctx context.Context, request []byte) ([]byte, error) {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.Stdin = bytes.NewReader(request)
		answer, err := cmd.Output()
		if err != nil { // its text may hold what the program wrote
			return nil, failure.New(failure.Unavailable,
				"%s ended without an answer (%s); what it writes to its standard "+
					"error is not shown, because it may hold a secret", program, how(cmd, ctx))
		}
		return answer, nil
	}
}

func how(cmd *exec.Cmd, ctx context.Context) string {
	switch {
	case ctx.Err() != nil:
		return ctx.Err().Error()
	case cmd.ProcessState == nil:
		return "it could not be started"
	}
	return cmd.ProcessState.String()
}

// ByHTTP posts requests to a function that runs on this machine, as the emulator of Lambda's runtime interface takes
// them. A secret goes over no network by it.
func ByHTTP(address string) (lambda.Invoker, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" || u.Hostname() != "localhost" && !net.ParseIP(u.Hostname()).IsLoopback() {
		return nil, fmt.Errorf("must be http://127.0.0.1:PORT/PATH: a function of this machine")
	}
	client, err := httpclient.New(httpclient.Options{})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, request []byte) ([]byte, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(request))
		if err != nil {
			return nil, failure.New(failure.Internal, "the request to the function cannot be made")
		}
		r.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(r)
		if err != nil {
			return nil, failure.New(failure.Unavailable, "no answer from the function at %s", u.Host)
		}
		defer func() { _ = resp.Body.Close() }()
		answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
		if err != nil || resp.StatusCode != http.StatusOK {
			return nil, failure.New(failure.Unavailable, "the function at %s answered HTTP %d", u.Host, resp.StatusCode)
		}
		return answer, nil
	}, nil
}
