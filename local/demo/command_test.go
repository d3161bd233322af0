package demo_test

import (
	"bytes"
	"strings"
	"testing"

	"alboidc.internal/local/demo"
)

func TestCommandLineThatMakesNoSenseIsRefused(t *testing.T) {
	t.Parallel()
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
		{"-functions x -idp help", 1, "IDP=help: the identity providers are auth0, cognito, entra, "},
		{"-functions /nonexistent -logs /nonexistent", 1, "making the log file: "},
		{"-functions /nonexistent -serve -address 127.0.0.1:99999 -logs " + t.TempDir(), 1,
			"starting the AWS endpoint: "},
		{"-functions /nonexistent -logs " + t.TempDir(), 1, "deploying function "},
	} {
		var out, errs bytes.Buffer
		status := demo.Command(t.Context(), strings.Fields(c.args), &out, &errs, false)
		if status != c.status || !strings.Contains(errs.String(), c.says) || out.Len() != 0 {
			t.Errorf("%q: status %d, %s%s", c.args, status, errs.String(), out.String())
		}
	}
}
