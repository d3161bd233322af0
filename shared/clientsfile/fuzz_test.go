package clientsfile

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
)

// pasted are secrets by their form: no finding may show one, wherever in the file it stands.
var pasted = []string{"AKIAIOSFODNN7EXAMPLE", "abc8Q~defghijklmnopqrstuvwxyz0123456789"}

// Every finding is about a line of the file and shows no secret. A file without errors means the same when it is
// written as JSON and read again, and each of its clients can be read by the functions.
func FuzzClientsFile(f *testing.F) {
	example, err := os.ReadFile(example)
	if err != nil {
		f.Fatal(err)
	}
	one, err := os.ReadFile("testdata/one.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(example), string(one), "", "---\n---\n", "stack: *a", "a: &a [*a]",
		"stack: {account: \"111122223333\", region: eu-central-1}\nclients:\n- <<: &c {name: a}\n- *c\n",
		"defaults: {createSecret: true}\nclients: [{}, {name: a}]\nstack: {}", "? a\n: b", "\ufeffstack: 1\r\n",
		"clients: {a: |-\n  b\n}", "stack: !!int 5", "[[[[", strings.Replace(string(one), "account:", pasted[0]+":", 1),
		strings.Replace(string(one), "clientId: ", "clientSecret: "+pasted[1]+"\n    clientId: ", 1)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, findings := Parse("clients.yaml", text)
		again, same := Parse("clients.yaml", text)
		if findings.String() != same.String() || !reflect.DeepEqual(file, again) {
			t.Errorf("read twice, it has other findings:\n%s\n%s", findings, same)
		}
		lines := 1 + strings.Count(string(text), "\n") + strings.Count(string(text), "\r") // YAML's line breaks
		for _, x := range findings {
			if x.Line < 1 || x.Line > lines || x.Message == "" || x.File != "clients.yaml" {
				t.Errorf("%+v in a file of %d lines", x, lines)
			}
			for _, secret := range pasted {
				if strings.Contains(x.String(), secret) {
					t.Errorf("a secret is shown: %s", x)
				}
			}
		}
		if findings.Err() != nil {
			return
		}
		for _, c := range file.Clients {
			document, err := c.Document(c.Secret.ARN)
			if err != nil {
				t.Fatal(err)
			}
			read, err := config.Parse([]byte(document))
			if rewritten, _ := json.Marshal(read); err != nil || ascii(string(rewritten)) != document {
				t.Errorf("the functions read %s as %s (%v)", document, rewritten, err)
			}
		}
	})
}
