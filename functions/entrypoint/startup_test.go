package entrypoint

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// BenchmarkStartup starts each binary until it asks the Runtime API for its first invocation, beside a function that
// does nothing: at most 40 ms and 32 MB are wanted (ADR 0027). It shows the fastest start, because other work of the
// machine only adds to it, and the most memory.
func BenchmarkStartup(b *testing.B) {
	polled := make(chan struct{}, 1)
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		polled <- struct{}{}
		<-r.Context().Done() // no invocation comes
	}))
	b.Cleanup(api.Close)
	folders := map[string]string{"hello world": "./testdata/hello"}
	for name := range entries() {
		folders[name] = "../" + name + "/bootstrap"
	}
	for _, name := range slices.Sorted(maps.Keys(folders)) {
		binary := filepath.Join(b.TempDir(), "bootstrap")
		build := exec.Command("go", "build", "-tags", "lambda.norpc", "-ldflags", "-s -w", "-o", binary, folders[name])
		if out, err := build.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		b.Run(name, func(b *testing.B) {
			fastest, memory := time.Hour, 0
			for b.Loop() {
				took, kB := startBinary(b, binary, strings.TrimPrefix(api.URL, "http://"), polled)
				fastest, memory = min(fastest, took), max(memory, kB)
			}
			b.ReportMetric(float64(fastest)/float64(time.Millisecond), "ms")
			b.ReportMetric(float64(memory)/1000, "MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// startBinary returns how long a process took until it polled, and how many kB of memory it had then; 0 on a system
// that does not say.
func startBinary(b *testing.B, binary, api string, polled <-chan struct{}) (took time.Duration, kB int) {
	b.Helper()
	cmd := exec.Command(binary)
	cmd.Stderr = os.Stderr
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + api, "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=x",
		"AWS_SECRET_ACCESS_KEY=x", EnvJournalTable + "=table", EnvParameterPrefix + "=/clients/",
		EnvEvidenceTable + "=table", EnvEvidenceYears + "=7", EnvStateMachine + "=arn:aws:states:x"}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	select {
	case <-polled:
	case <-time.After(10 * time.Second):
		b.Error("it has not asked for an invocation")
	}
	took = time.Since(start)
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", cmd.Process.Pid))
	if _, rest, found := strings.Cut(string(status), "VmRSS:"); found {
		_, _ = fmt.Sscan(rest, &kB)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return took, kB
}
