package demo_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"alboidc.internal/local/demo"
)

func TestCommandLineThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"", 2, "usage: demo"},
		{"-functions x more", 2, "usage: demo"},
		{"-functions x -serve -fail TestSecret", 2, "usage: demo"},
		{"-colour red", 2, "flag provided but not defined: -colour"},
		{"-functions x -fail nonsense", 1,
			"FAIL=nonsense: the states that can be made to fail are TestBeforeChange, CreateSecret, "},
		{"-functions x -serve -followers", 2, "usage: demo"},
		{"-functions x -followers -fail ReassertSecret", 1, "FAIL=ReassertSecret fails a call that the controller of"},
		{"-functions x -idp nobody", 1, "IDP=nobody: the identity providers are auth0, authentik, cognito, "},
		{"-functions /nonexistent -logs /nonexistent", 1, "making the log file: "},
		{"-functions /nonexistent -serve -address 127.0.0.1:99999 -logs " + t.TempDir(), 1,
			"starting the AWS endpoint: "},
		{"-functions /nonexistent -serve -address 0.0.0.0:4577 -logs " + t.TempDir(), 1,
			"listens on this machine only"},
		{"-functions /nonexistent -serve -address " + taken.Addr().String() + " -logs " + t.TempDir(), 1,
			"Choose another with PORT="},
		{"-functions /nonexistent -logs " + t.TempDir(), 1, "deploying function "},
	} {
		var out, errs bytes.Buffer
		status := demo.Command(t.Context(), strings.Fields(c.args), &out, &errs, false)
		if status != c.status || !strings.Contains(errs.String(), c.says) || out.Len() != 0 {
			t.Errorf("%q: status %d, %s%s", c.args, status, errs.String(), out.String())
		}
	}
}

func TestHelpListsWhatThereIs(t *testing.T) {
	t.Parallel()
	for args, c := range map[string]struct{ makes, says string }{
		"-idp help":  {"demo IDP=help", "IDP= is one of: auth0, authentik, cognito, "},
		"-fail help": {"demo FAIL=help", "\n  TestSecret: the synthetic user cannot log in\n"},
	} {
		var out, errs bytes.Buffer
		status := demo.Command(t.Context(), strings.Fields(args), &out, &errs, false)
		if status != demo.Well || errs.Len() != 0 || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: status %d, %s%s", args, status, out.String(), errs.String())
		}
		got, err := makeTarget(t, c.makes)
		if err != nil || got != out.String() {
			t.Errorf("make %s, which must not compile anything, says %q, %v", c.makes, got, err)
		}
	}
}

func TestATargetDoesNotIgnoreWhatItIsGiven(t *testing.T) {
	t.Parallel()
	for args, says := range map[string]string{
		"-n local IDP=entra PORT=4577": "-idp 'entra' -address '127.0.0.1:4577' -serve",
		"-n demo FAIL=TestSecret":      "-fail 'TestSecret'",
		"-n demo WEB=1":                "/bin/rotator",
		"-n demo FOLLOWERS=1":          "-followers",
		"local FOLLOWERS=1":            "FOLLOWERS= is for make demo, not for make local",
		"-n local":                     "-serve -rotator ",
		"local WEB=1":                  "WEB= is for make demo, not for make local",
		"test IDP=entra":               "IDP= is for make demo and local and live, not for make test",
		"synth PORT=1":                 "PORT= is for make demo and local, not for make synth",
		"local FAIL=TestSecret":        "FAIL= is for make demo, not for make local",
		"IDP=help":                     "IDP= is for make demo and local and live, not for make help",
	} {
		got, err := makeTarget(t, args)
		got = strings.Join(strings.Fields(got), " ")
		if taken := strings.HasPrefix(args, "-n"); !strings.Contains(got, says) || taken != (err == nil) {
			t.Errorf("make %s: %v\n%s", args, err, got)
		}
	}
}

// makeTarget runs make at the top of the repository.
func makeTarget(t *testing.T, args string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", append([]string{"-s", "-C", "../.."}, strings.Fields(args)...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MAKELEVEL=")
	out, err := cmd.CombinedOutput()
	return string(out), err
}
