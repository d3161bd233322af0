package cli_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	sdk "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"alboidc.internal/cmd/internal/cli"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/idp/idptest/clients"
)

// examples are the functions that people start from.
const examples = "../../../local/examples/function"

// acme is the provider that the examples speak to: a plain REST API over the local provider's clients.
type acme struct{ store *clients.Store }

const acmeToken = "the-token-of-acme"

var errFull = errors.New("too_many_secrets")

func (a acme) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer "+acmeToken {
		answerJSON(w, http.StatusUnauthorized, map[string]any{"code": "no_token"})
		return
	}
	var in struct {
		Name, Value string
		Enabled     bool
	}
	_ = json.NewDecoder(r.Body).Decode(&in) // what has no body is left empty
	status, id := http.StatusOK, r.PathValue("secret")
	out := map[string]any{}
	err := a.store.Update(r.PathValue("client"), func(e *clients.Edit) (err error) {
		switch r.Method {
		case http.MethodGet:
			list := []any{}
			for _, s := range e.All() {
				list = append(list, map[string]any{"id": s.ID, "name": s.DisplayName, "created": s.Created,
					"enabled": s.Status == clients.Active})
			}
			out["secrets"] = list
		case http.MethodPost:
			if len(e.All()) == 2 {
				return errFull
			}
			status, out["id"] = http.StatusCreated, rand.Text()
			_, err = e.Add(clients.Secret{ID: out["id"].(string), DisplayName: in.Name}, in.Value)
		case http.MethodPatch:
			wanted := clients.Inactive
			if in.Enabled {
				wanted = clients.Active
			}
			_, err = e.SetStatus(id, wanted)
		case http.MethodDelete:
			status, err = http.StatusNoContent, e.Remove(id)
		}
		return err
	})
	switch {
	case errors.Is(err, clients.ErrNotFound):
		answerJSON(w, http.StatusNotFound, map[string]any{"code": "not_found"})
	case err != nil:
		answerJSON(w, http.StatusUnprocessableEntity, map[string]any{"code": err.Error()})
	case status == http.StatusNoContent:
		w.WriteHeader(status)
	default:
		answerJSON(w, status, out)
	}
}

func answerJSON(w http.ResponseWriter, status int, body map[string]any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

// The examples keep the contract: the one in Go as AWS Lambda runs it, the one in Python by its handler.
//
//nolint:paralleltest // the program finds the provider by its environment
func TestTheExamplesKeepTheContract(t *testing.T) {
	w := newWorld(t, "lambda")
	mux := http.NewServeMux()
	mux.Handle("/clients/{client}/secrets", acme{w.Stack.IdP.Store()})
	mux.Handle("/clients/{client}/secrets/{secret}", acme{w.Stack.IdP.Store()})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	t.Setenv("ACME_URL", server.URL)
	t.Setenv("ACME_TOKEN", acmeToken)
	t.Run("Go", func(t *testing.T) { w.mustKeepTheContract(t, "--function", deployExample(t, w, server.URL)) })
	t.Run("Python", func(t *testing.T) {
		python, err := exec.LookPath("python3")
		if err != nil {
			t.Skip("left out: there is no python3")
		}
		w.mustKeepTheContract(t, "--endpoint", servePython(t, python))
	})
}

// mustKeepTheContract tries a function by the real clock: its process has no other.
func (w *world) mustKeepTheContract(t *testing.T, how ...string) {
	t.Helper()
	id := "throw-away-" + t.Name()
	if _, _, err := w.Stack.IdP.RegisterClient(clients.Client{ID: id,
		RedirectURIs: []string{"https://app.example.com/oauth2/idpresponse"}}, "the-first-secret-of-it"); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	code := cli.Run(t.Context(), cli.Machine{In: strings.NewReader(""), Out: &out, Err: &out}, append([]string{
		"conformance", "--issuer", w.Stack.IdP.Issuer(), "--client-id", id, "--throw-away", "--local",
		strings.TrimPrefix(w.Stack.URL, "http://")}, how...))
	if code != 0 || !regexp.MustCompile(`(?m)^the function keeps the contract$`).Match(out.Bytes()) {
		t.Errorf("the exit code is %d\n%s", code, &out)
	}
	if left := w.Stack.IdP.Store().Secrets(id); len(left) != 0 {
		t.Errorf("it leaves %v", left)
	}
}

// serve calls the handler as Lambda does, for each request that is posted.
const serve = `
import http.server, json, sys
sys.path.insert(0, sys.argv[1])
import function
class Server(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        answer = json.dumps(function.handler(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())
    def log_message(self, *args):
        pass
s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(s.server_port, flush=True)
s.serve_forever()
`

// servePython serves the example in Python, and returns its address.
func servePython(t *testing.T, python string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "-c", serve, filepath.Join(examples, "python"))
	cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	port, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return "http://127.0.0.1:" + strings.TrimSpace(port) + "/"
}

// A program is asked once for each request.
//
//nolint:paralleltest // the program finds the provider by its environment
func TestConformanceOfAProgram(t *testing.T) {
	w := newWorld(t, "lambda")
	for program, says := range map[string]string{
		"false": "so nothing was tried: false ended without an answer (exit status 1)",
		"cat":   "so nothing was tried: the function's answer to the request to capabilities is not understood",
	} {
		code, out, errs := w.tryFunction("--exec", program, "--throw-away")
		if code != 2 || !strings.Contains(errs, says) {
			t.Errorf("%s: %d %s%s", program, code, out, errs)
		}
	}
}

// deployExample makes the example in Go a function of the local stack, and returns the ARN of its alias.
func deployExample(t *testing.T, w *world, url string) string {
	t.Helper()
	folder := t.TempDir()
	build := exec.Command("go", "build", "-o", filepath.Join(folder, "bootstrap"), ".")
	build.Dir = filepath.Join(examples, "go")
	build.Env = append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	ctx, api := context.Background(), sdk.NewFromConfig(w.Stack.AWS(scenario.Home))
	name := aws.String("acme")
	if _, err := api.CreateFunction(ctx, &sdk.CreateFunctionInput{FunctionName: name, Handler: aws.String("bootstrap"),
		Runtime: types.RuntimeProvidedal2023, Timeout: aws.Int32(15), Role: aws.String(role("-acme")),
		Environment: &types.Environment{Variables: map[string]string{"ACME_URL": url, "ACME_TOKEN": acmeToken}},
		Code:        &types.FunctionCode{S3Bucket: aws.String("local"), S3Key: &folder}}); err != nil {
		t.Fatal(err)
	}
	version, err := api.PublishVersion(ctx, &sdk.PublishVersionInput{FunctionName: name})
	if err != nil {
		t.Fatal(err)
	}
	alias, err := api.CreateAlias(ctx, &sdk.CreateAliasInput{FunctionName: name, Name: aws.String("live"),
		FunctionVersion: version.Version})
	if err != nil {
		t.Fatal(err)
	}
	return *alias.AliasArn
}
