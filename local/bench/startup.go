package bench

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"alboidc.internal/local/scenario"
	"alboidc.internal/statemachine"
)

// hello is the name of the smallest function, to which the others are compared.
const hello = "hello"

// startups start each function's binary until it asks the Runtime API for its first invocation. The fastest of several
// starts counts, because other work of the machine only adds to it, and the most memory.
func startups(ctx context.Context, functions string, times int) ([]Row, error) {
	polled := make(chan struct{}, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		polled <- struct{}{}
		<-r.Context().Done() // no invocation comes
	}))
	defer api.Close()
	names := []string{hello}
	for _, f := range statemachine.Functions() {
		names = append(names, f.Name)
	}
	var rows []Row
	var base, baseMemory float64
	for _, name := range names {
		fastest, most := time.Hour, 0.0
		for range times {
			took, mb, err := startBinary(ctx, filepath.Join(functions, name, "bootstrap"),
				strings.TrimPrefix(api.URL, "http://"), polled)
			if err != nil {
				return nil, fmt.Errorf("starting %s: %w", name, err)
			}
			fastest, most = min(fastest, took), max(most, mb)
		}
		ms := float64(fastest) / float64(time.Millisecond)
		limit, size := goal(40), goal(32) // ADR 0027
		if name == hello {
			base, baseMemory, limit, size = ms, most, nil, nil
		}
		rows = append(rows, Row{"start of " + name, "time until it asks for work", ms, "ms", limit, false},
			Row{"start of " + name, "memory then", most, "MB", size, false})
		if name != hello {
			rows = append(rows, Row{"start of " + name, "time ÷ that of hello", ms / base, "", nil, false},
				Row{"start of " + name, "memory ÷ that of hello", most / max(1, baseMemory), "", nil, false})
		}
	}
	return rows, nil
}

// startBinary returns how long a process took until it polled, and how much memory it had then.
func startBinary(ctx context.Context, binary, api string, polled <-chan struct{}) (took time.Duration, mb float64,
	err error) {
	cmd := exec.CommandContext(ctx, binary)
	cmd.Stderr = os.Stderr
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=x",
		"AWS_SECRET_ACCESS_KEY=x"}
	for name, value := range scenario.Environment() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, 0, err
	}
	defer func() { _, _ = cmd.Process.Kill(), cmd.Wait() }()
	select {
	case <-polled:
		return time.Since(start), megabytes(statusOf(cmd.Process), "VmRSS"), nil
	case <-time.After(10 * time.Second):
		return 0, 0, fmt.Errorf("it has not asked for an invocation")
	}
}
