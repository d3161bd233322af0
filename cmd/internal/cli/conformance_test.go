package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"alboidc.internal/cmd/internal/cli"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/lambda/lambdatest"
)

// tryFunction runs the command for a throw-away client at the local stack's provider.
func (w *world) tryFunction(more ...string) (int, string, string) {
	w.Helper()
	const client = "throw-away"
	if _, err := w.Stack.IdP.Store().Client(client); err != nil {
		if _, _, err := w.Stack.IdP.RegisterClient(clients.Client{ID: client,
			RedirectURIs: []string{"https://app.example.com/oauth2/idpresponse"}},
			"the-first-secret-of-it"); err != nil {
			w.Error(err)
		}
	}
	return w.run(append([]string{"conformance", "--issuer", w.Stack.IdP.Issuer(), "--client-id", client}, more...)...)
}

func TestConformanceOfAFunctionThatKeepsTheContract(t *testing.T) {
	t.Parallel()
	inWorldOf(t, "lambda", func(w *world) {
		code, out, errs := w.tryFunction("--function", lambdatest.FunctionARN)
		w.want(code, 2, out, errs, `all secrets of the client will be removed: say --throw-away`)
		code, out, errs = w.tryFunction("--function", lambdatest.FunctionARN, "--throw-away", "--client-id", w.ClientID)
		w.want(code, 2, out, errs, `is that of client orders-web in stack`)
		code, out, errs = w.tryFunction("--function", lambdatest.FunctionARN, "--throw-away")
		w.want(code, 0, out, errs, `^ok     a token has one secret$`, `^ok     a secret whose reply was lost is found`,
			`^identityProvider.settings.capabilities: \{"model":"named-set","maxSecrets":2,`,
			`^the function keeps the contract$`)
		if left := w.Stack.IdP.Store().Secrets("throw-away"); len(left) != 0 || strings.Contains(out, "left:") {
			w.Errorf("it leaves %v:\n%s", left, out)
		}
		code, out, errs = w.tryFunction("--function", lambdatest.FunctionARN, "--throw-away", "-o", "json")
		w.want(code, 0, out, errs, `"model": ?"named-set"`)
	})
}

// A program on this machine needs no AWS, but whoever has it must not name a client that people log in with.
func TestConformanceSparesTheClientsOfTheStack(t *testing.T) {
	for name, value := range map[string]string{"AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "local",
		"AWS_SECRET_ACCESS_KEY": "local", "AWS_PROFILE": ""} {
		t.Setenv(name, value)
	}
	inWorld(t, func(w *world) {
		w.Setenv("AWS_ENDPOINT_URL", w.Stack.URL)
		for _, how := range [][2]string{{"--exec", "/bin/false"}, {"--endpoint", "http://127.0.0.1:9/"}} {
			var out, errs bytes.Buffer
			code := cli.Run(context.Background(), cli.Machine{In: strings.NewReader(""), Out: &out, Err: &errs,
				Now: w.clock.Now, Sleep: w.clock.Sleep}, []string{"conformance", "--throw-away", how[0], how[1],
				"--issuer", w.Stack.IdP.Issuer(), "--client-id", w.ClientID})
			w.want(code, 2, out.String(), errs.String(), `is that of client orders-web in stack`)
		}
	})
}

// What a function does wrong is found, and said with what the contract asks for.
func TestConformanceFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	type message = map[string]any
	inWorldOf(t, "lambda", func(w *world) {
		function := w.Stack.IdP.Vendor().(*lambdatest.Lambda)
		for name, c := range map[string]struct {
			change func(asked message, answer func(message) message) message
			says   []string
		}{
			"removes another": {func(asked message, answer func(message) message) message {
				if asked["operation"] == "remove" {
					list, _ := answer(message{"contract": 1, "operation": "list", "client": asked["client"],
						"deadline": asked["deadline"]})["secrets"].([]any)
					if len(list) > 1 {
						asked["secretId"] = list[0].(message)["id"]
					}
				}
				return answer(asked)
			}, []string{`^WRONG  `, `the contract: remove ends exactly the secret of secretId`}},
			"answers with another's id": {func(asked message, answer func(message) message) message {
				list, _ := answer(message{"contract": 1, "operation": "list", "client": asked["client"],
					"deadline": asked["deadline"]})["secrets"].([]any)
				made := answer(asked)
				if secret, is := made["secret"].(message); is && len(list) > 0 {
					secret["id"] = list[0].(message)["id"]
				}
				return made
			}, []string{`^WRONG  `}},
			"says done": {func(asked message, answer func(message) message) message {
				if asked["operation"] == "disable" {
					return message{"contract": 1, "done": true}
				}
				return answer(asked)
			}, []string{`^WRONG  a disabled secret is refused but comes back$`,
				`the contract: a disabled secret is kept`}},
			"takes no deadline": {func(asked message, answer func(message) message) message {
				asked["deadline"] = "2099-01-01T00:00:00Z"
				return answer(asked)
			}, []string{`^WRONG  after the deadline nothing is changed$`, `^ +the change was carried out`}},
			"forgets the token": {func(asked message, answer func(message) message) message {
				if asked["operation"] == "create" {
					asked["token"] = ""
				}
				return answer(asked)
			}, []string{`^WRONG  a created secret is listed and accepted$`}},
			"answers anything": {func(asked message, answer func(message) message) message {
				if asked["operation"] == "capabilities" {
					return answer(asked)
				}
				return message{"contract": 1, "error": message{"kind": "the-first-secret-of-it"}}
			}, []string{`^WRONG  an unknown operation is refused$`}},
			"says nothing of itself": {func(message, func(message) message) message { return message{"contract": 1} },
				[]string{`does not say what it can do, so nothing was tried`}},
		} {
			server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				var asked message
				_ = json.Unmarshal(body, &asked)
				out, _ := json.Marshal(c.change(asked, func(m message) message {
					b, _ := json.Marshal(m)
					var answer message
					_ = json.Unmarshal(function.Function(b), &answer)
					return answer
				}))
				_, _ = rw.Write(out)
			}))
			code, out, errs := w.tryFunction("--endpoint", server.URL, "--throw-away")
			server.Close()
			if code == 0 || strings.Contains(out+errs, "the-first-secret-of-it") {
				w.Errorf("%s: exit code %d\n%s%s", name, code, out, errs)
			}
			w.want(code, code, out, errs, c.says...)
		}
	})
}
