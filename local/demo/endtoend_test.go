package demo_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/local/browser"
	"alboidc.internal/local/demo"
	"alboidc.internal/statemachine"
)

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "aws" {
		os.Exit(awsCommand(os.Args[1:]))
	}
	slog.SetDefault(slog.New(slog.DiscardHandler)) // the OpenID library tells of every refused request
	os.Exit(m.Run())
}

// build makes the functions' binaries as the Makefile does, for this machine, and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	var all sync.WaitGroup
	for _, f := range statemachine.Functions() {
		all.Go(func() {
			cmd := exec.CommandContext(t.Context(), "go", "build", "-tags", "lambda.norpc",
				"-o", filepath.Join(dir, f.Name, "bootstrap"), "./"+f.Name+"/bootstrap")
			cmd.Dir = filepath.Join("..", "..", "functions")
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("building %s: %v\n%s", f.Name, err, out)
			}
		})
	}
	all.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return dir
}

func TestWithTheDeployedBinaries(t *testing.T) {
	t.Parallel()
	functions := build(t)
	for name, c := range map[string]struct {
		idp, fail string
		followers bool
		says      []string
	}{
		"a rotation goes through and nobody notices": {"", "", false, []string{
			`(?m)^ ok  \d{4,} logins, 0 failed$`,
			`(?m)^ ok  \d{4,} session refreshes, 0 failed$`,
			`(?m)^ ok  the execution succeeded$`,
			`(?m)^ ok  5 of 5 targets switched$`,
			`(?m)^ ok  the old secret ocs\w+ is refused by the identity provider$`,
			`(?m)^ ok  the new secret ocs\w+ is accepted$`,
			`(?m)^ ok  the identity provider holds exactly that one$`,
			`(?m)^ *\d+\.\ds  FinishSecret +deletes the old secret: the point of no return$`,
			`(?m)^         labels: AWSCURRENT [0-9a-f]{8}, AWSPREVIOUS [0-9a-f]{8}$`,
		}},
		"a pair of registrations takes turns and only open logins fail": {"auth0", "", false, []string{
			`(?m)^ ok  \d{4,} logins, [1-9]\d* failed$`,
			`(?m)^     [1-9]\d* of them were open while their load balancer moved to the other$`,
			`(?m)^     registration: HTTP 401 at the callback, within \d+\.\d s; opened again, each worked$`,
			`people are told: (?s:.*)Logins\s+that\s+were\s+open`,
			`(?m)^ ok  \d{4,} session refreshes, 0 failed$`,
			`(?m)^     the targets moved to the other registration, so \d+ sessions logged in anew$`,
			`(?m)^ ok  5 of 5 targets switched$`,
			`(?m)^ ok  the old secret [0-9a-f-]{36} is refused by the identity provider$`,
			`(?m)^ ok  the new secret [0-9a-f-]{36} is accepted$`,
		}},
		"a controller follows by itself and nobody notices": {"", "", true, []string{
			`A controller owns 2 of these rules: it reads AWSCURRENT every 4s, and writes it 2s later`,
			`(?m)^ ok  [1-9]\d* of these logins at the 2 rules that a controller writes, which follows AWSCURRENT, 0 failed$`,
			`(?m)^ ok  3 of 3 targets switched$`,
			`(?m)^ ok  the controller wrote the new secret on its 2 rules, which the rotation left alone$`,
			`(?m)^ ok  the old secret ocs\w+ is refused by the identity provider$`,
		}},
		"a controller follows a rollback by itself": {"entra", "TestSecret", true, []string{
			`(?m)^ ok  [1-9]\d* of these logins at the 2 rules that a controller writes, which follows AWSCURRENT, 0 failed$`,
			`(?m)^ ok  the execution failed with RolledBack$`,
			`(?m)^ ok  every load balancer node uses the secret it used before$`,
		}},
		"a failed test is rolled back and nobody notices": {"", "TestSecret", false, []string{
			`State TestSecret will fail for good:\n  the synthetic user cannot log in\n`,
			`(?m)^ +FAILED: SmokeTestFailed: `,
			`(?m)^ *\d+\.\ds  Quiesce +ROLLING BACK: `,
			`(?m)^ *\d+\.\ds  TestAfterRollback +logs the synthetic user in again`,
			`(?m)^     people are told: \[orders-web\] rolling back: TestSecret failed$`,
			`(?m)^     people are told: \[orders-web\] rolled back, but a login test fails: look at once$`,
			`(?m)^ ok  \d{4,} logins, 0 failed$`,
			`(?m)^ ok  \d{4,} session refreshes, 0 failed$`,
			`(?m)^ ok  the execution failed with RolledBack$`,
			`(?m)^ ok  the labels are as before$`,
			`(?m)^ ok  the identity provider's secrets are as before$`,
			`(?m)^ ok  every load balancer node uses the secret it used before$`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			status, err := demo.Run(t.Context(), demo.Options{Functions: functions, Logs: t.TempDir(), IdP: c.idp,
				Fail: c.fail, Followers: c.followers, Out: &out})
			if err != nil || status != demo.Well {
				t.Fatalf("ended with %d, error %v:\n%s", status, err, out.String())
			}
			for _, want := range c.says {
				if !regexp.MustCompile(want).MatchString(out.String()) {
					t.Errorf("nothing matches %s in:\n%s", want, out.String())
				}
			}
			if strings.Contains(out.String(), " NO ") || strings.Contains(out.String(), "\x1b") {
				t.Errorf("something is not as it should be:\n%s", out.String())
			}
		})
	}
	for _, vendor := range []string{"okta", "manual"} {
		t.Run("the served stack takes the logins and commands of its instructions, "+vendor, func(t *testing.T) {
			t.Parallel()
			served(t, functions, vendor)
		})
	}
	t.Run("Ctrl-C ends people before it ends load balancers", func(t *testing.T) {
		t.Parallel()
		interrupted(t, functions)
	})
}

// interrupted ends a demo with Ctrl-C in the middle.
func interrupted(t *testing.T, functions string) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- demo.Command(ctx, []string{"-functions", functions, "-logs", t.TempDir()}, in, in, false)
		_ = in.Close()
	}()
	text := upTo(t, out, "  SetSecret ")
	interrupt()
	rest, err := io.ReadAll(out)
	text += string(rest)
	summary := regexp.MustCompile(`(?m)^Ended after [\d.]+ s, in \w+, with nothing kept\.\nlogins: \d+ ok, 0 failed`)
	if got := <-status; err != nil || got != demo.Interrupted || strings.Contains(text, "FAILED") ||
		!summary.MatchString(text) {
		t.Errorf("status %d, %v\n%s", got, err, text)
	}
}

// served logs in, as the instructions say, at every address they print, runs their commands, and ends the stack with
// Ctrl-C.
func served(t *testing.T, functions, vendor string) {
	t.Helper()
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out, in := io.Pipe()
	status := make(chan int, 1)
	go func() {
		status <- demo.Command(ctx, []string{"-functions", functions, "-serve", "-address", "127.0.0.1:0",
			"-idp", vendor, "-logs", t.TempDir()}, in, in, false)
		_ = in.Close()
	}()
	text := upTo(t, out, "/orders/today\n")
	find := func(pattern string) string {
		m := regexp.MustCompile(pattern).FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("nothing matches %s in:\n%s", pattern, text)
		}
		return m[1]
	}
	authority, err := os.ReadFile(find(`signed by (\S+) until`))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	user, password := find(`as (\w+) with`), find(`with (\S+) at`)
	pages := regexp.MustCompile(`(?m)^#   (https://\S+)$`).FindAllStringSubmatch(text, -1)
	if len(pages) != 3 || regexp.MustCompile(`\{[a-z]+\}`).MatchString(text) {
		t.Fatalf("the instructions are incomplete:\n%s", text)
	}
	for _, p := range pages {
		b := browser.New(browser.Options{Roots: roots, Resolve: loopback})
		got, err := b.Login(t.Context(), p[1], user, password)
		b.Close()
		if err != nil || !strings.Contains(string(got.Body), "Signed in as "+user) {
			t.Errorf("%s: %v %s", p[1], err, got.Body)
		}
	}
	runCommands(t, text)
	interrupt()
	rest, err := io.ReadAll(out)
	if got := <-status; err != nil || got != 0 || len(rest) != 0 {
		t.Errorf("after Ctrl-C: status %d, %v\n%s", got, err, rest)
	}
}

// upTo reads until the output holds a text.
func upTo(t *testing.T, r io.Reader, last string) string {
	t.Helper()
	var all []byte
	for b := make([]byte, 4096); !strings.Contains(string(all), last); {
		n, err := r.Read(b)
		all = append(all, b[:n]...)
		if err != nil {
			t.Fatalf("%v after:\n%s", err, all)
		}
	}
	return string(all)
}

// loopback finds names below localhost, as browsers do (RFC 6761, section 6.3).
func loopback(hostPort string) string {
	host, port, err := net.SplitHostPort(hostPort)
	if err != nil || !strings.HasSuffix(host, ".localhost") {
		return ""
	}
	return net.JoinHostPort("127.0.0.1", port)
}
