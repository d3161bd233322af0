package probe_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/probe"
)

// Who answers at a URL that is tested chooses where it redirects to, and people read that host in mails and chats.
func TestAHostThatIsNoneIsNotShown(t *testing.T) {
	t.Parallel()
	for what, host := range map[string]string{
		"markup of a chat":                    "<!channel>",
		"quotation marks":                     `"call-0800"`,
		"letters that turn the line around":   "%E2%80%AEmoc.elpmaxe",
		"letters that look like others":       "еxample.com",
		"a name that is longer than any name": strings.Repeat("a", 100_000),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			for _, location := range []string{"https://" + host + "/", "http://" + host + "/",
				"https://x@" + host + "/"} {
				answer := answerWith(http.StatusFound, location)
				evidence, err := probe.New(options(t)).Redirect(context.Background(),
					config.RedirectTest{URL: appURL, ConnectTo: []string{addr(serve(t, answer))}}, okta)
				if err != nil || len(evidence) != 1 || evidence[0].OK {
					t.Fatalf("%+v, %v", evidence, err)
				}
				hidden(t, evidence[0].Detail)
				w := newWorld(t)
				w.unknown = redirect(location)
				evidence, err = w.login(t, w.nodes[0])
				if err != nil {
					t.Fatal(err)
				}
				hidden(t, oneFailed(t, evidence))
				w = newWorld(t)
				w.loginPage = html("<form method=post action='" + location +
					"'><input name=login><input type=password name=pw></form>")
				evidence, err = w.login(t, w.nodes[0])
				if err != nil {
					t.Fatal(err)
				}
				hidden(t, oneFailed(t, evidence))
			}
		})
	}
}

func hidden(t *testing.T, text string) {
	t.Helper()
	if !strings.Contains(text, "(not a host name)") || len(text) > 500 {
		t.Errorf("the evidence says %.500q", text)
	}
}
