package secret_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// revealers are the files that may call Reveal: each builds a request that needs a secret in clear, or reads a stored
// document for one. Everything else passes secrets on as secret.Value.
var revealers = []string{
	"shared/alb/actions.go",                         // body: ModifyRule and ModifyListener
	"shared/clientcredentials/clientcredentials.go", // header: access token
	"shared/clientcredentials/key.go",               // reads a private key
	"shared/clientcredentials/proofs.go",            // body or header: client secret, client assertion
	"shared/idp/auth0/auth0.go",                     // body: set the application's secret
	"shared/idp/authentik/authentik.go",             // body: set the secret; header: API token
	"shared/idp/cognito/change.go",                  // body: AddUserPoolClientSecret
	"shared/idp/hydra/hydra.go",                     // body: set the secret; header: API key
	"shared/idp/conformance/conformance.go",         // test suite: looks for secrets in error texts
	"shared/idp/keycloak/keycloak.go",               // body: set the secret
	"shared/idp/lambda/models.go",                   // body: create and set
	"shared/idp/okta/change.go",                     // body: create a secret
	"shared/idp/okta/credential.go",                 // header: SSWS token
	"shared/idp/pingone/pingone.go",                 // body: set a secret
	"shared/probe/credential.go",                    // body or header: the secret under test
	"shared/probe/login.go",                         // body: the login form; reads the synthetic user's document
	"shared/probe/verdict.go",                       // makes a wrong secret of the same shape
	"shared/secret/secret.go",                       // the type itself
	"shared/versions/member.go",                     // reads and writes one member of a stored JSON object
	"shared/versions/oddities.go",                   // says what is odd about the form of one
	"shared/versions/text.go",                       // reads and compares stored texts
	"shared/versions/versions.go",                   // body: PutSecretValue
}

// modules are the folders whose code runs in production; the local stack plays the other side and needs secrets.
var modules = []string{"shared", "functions", "cmd"}

// TestSecretsAreRevealedOnlyWhereARequestIsBuilt reads the source of all production code.
func TestSecretsAreRevealedOnlyWhereARequestIsBuilt(t *testing.T) {
	t.Parallel()
	root := filepath.Join("..", "..")
	found := map[string]bool{}
	files := 0
	for _, module := range modules {
		err := filepath.WalkDir(filepath.Join(root, module), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files++
			lines, err := reveals(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name = filepath.ToSlash(name)
			found[name] = len(lines) > 0
			if len(lines) > 0 && !slices.Contains(revealers, name) {
				t.Errorf("%s reveals a secret in line %v. Pass the secret.Value on instead; if this file builds a "+
					"request that needs the secret in clear, add it to revealers in "+
					"shared/secret/reveal_test.go and say which request", name, lines)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 20 {
		t.Errorf("only %d files were read", files)
	}
	for _, name := range revealers {
		if !found[name] {
			t.Errorf("%s is in revealers but reveals nothing: take it out of the list", name)
		}
	}
}

// reveals lists the lines on which a file uses Reveal, called or as a method value.
func reveals(path string) ([]int, error) {
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var lines []int
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && s.Sel.Name == "Reveal" {
			lines = append(lines, set.Position(s.Sel.Pos()).Line)
		}
		return true
	})
	return lines, nil
}
