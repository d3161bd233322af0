package clientsfile

import (
	"encoding/json"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"alboidc.internal/shared/config/configtest"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/region"
)

var update = flag.Bool("update", false, "write the JSON Schema")

const schemaFile = "../../docs/clients.schema.json"

// docs are the comments of the fields of this package's types, by TYPE.name, and of the types.
func docs(t *testing.T) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "file.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	line := func(c *ast.CommentGroup) string { return strings.Join(strings.Fields(c.Text()), " ") }
	ast.Inspect(file, func(n ast.Node) bool {
		decl, ok := n.(*ast.GenDecl)
		if !ok || decl.Tok != token.TYPE {
			return true
		}
		spec := decl.Specs[0].(*ast.TypeSpec)
		out[spec.Name.Name] = line(decl.Doc)
		for _, f := range spec.Type.(*ast.StructType).Fields.List {
			if len(f.Names) > 0 && f.Doc != nil {
				out[spec.Name.Name+"."+f.Names[0].Name] = line(f.Doc)
			}
		}
		return false
	})
	return out
}

// more is what the types do not say.
var more = map[string]map[string]any{
	"Settings.account":               {"pattern": accountPattern.String()},
	"Settings.region":                {"pattern": "^" + region.Form + "$"},
	"Settings.logLevel":              {"enum": []string{"debug", "info", "warn", "error"}, "default": "info"},
	"Settings.logRetentionDays":      {"enum": Retentions(), "default": 90},
	"Settings.name":                  {"pattern": stackPattern.String(), "default": "alb-oidc-rotator"},
	"Schedule.expression":            {"pattern": `^(rate|cron)\(.+\)$`},
	"Schedule.timeZone":              {"default": "UTC"},
	"Schedule.flexibleWindowMinutes": {"minimum": 0, "maximum": 1440, "default": 15},
	"Client.maxSecretAgeDays":        {"minimum": 1},
	"Alarms.authErrors":              {"minimum": 0, "maximum": 1_000_000, "default": 3},
	"Alarms.secretEndsDays":          {"minimum": 1, "maximum": 365, "default": 7},
	"Evidence.years":                 {"minimum": 1, "maximum": 100, "default": 7},
}

// schemaOf is the JSON Schema of a type of this package.
func schemaOf(typ reflect.Type, docs map[string]string) map[string]any {
	switch typ.Kind() {
	case reflect.Pointer:
		return schemaOf(typ.Elem(), docs)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(typ.Elem(), docs)}
	case reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": schemaOf(typ.Elem(), docs)}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int:
		return map[string]any{"type": "integer"}
	case reflect.String:
		return map[string]any{"type": "string"}
	}
	properties := map[string]any{}
	for i := range typ.NumField() {
		f := typ.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			continue // config.Client, which has a schema of its own
		}
		p := schemaOf(f.Type, docs)
		if text := docs[typ.Name()+"."+f.Name]; text != "" {
			p["description"] = text
		}
		for k, v := range more[typ.Name()+"."+name] {
			p[k] = v
		}
		properties[name] = p
	}
	return map[string]any{"type": "object", "additionalProperties": false, "properties": properties,
		"description": docs[typ.Name()]}
}

// shareable takes from a schema of a client what the defaults may say instead. A list is replaced as a whole.
func shareable(schema map[string]any) {
	delete(schema, "required")
	delete(schema, "anyOf")
	properties, _ := schema["properties"].(map[string]any)
	for _, p := range properties {
		shareable(p.(map[string]any))
	}
}

func generated(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/client-configuration.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var ofClient map[string]any
	if err := json.Unmarshal(text, &ofClient); err != nil {
		t.Fatal(err)
	}
	shareable(ofClient)
	schema := schemaOf(reflect.TypeFor[File](), docs(t))
	schema["$schema"], schema["title"] = "https://json-schema.org/draft/2020-12/schema", "clients.yaml of the ALB "+
		"OIDC "+
		"client secret rotator"
	schema["required"], schema["patternProperties"] = []string{"stack", "clients"},
		map[string]any{"^x-": map[string]any{}}
	top := schema["properties"].(map[string]any)
	top["stack"].(map[string]any)["required"] = []string{"account", "region"}
	for _, client := range []any{top["defaults"], top["clients"].(map[string]any)["items"]} {
		properties := client.(map[string]any)["properties"].(map[string]any)
		for name, p := range ofClient["properties"].(map[string]any) {
			properties[name] = p
		}
	}
	balancers := ofClient["properties"].(map[string]any)["loadBalancers"].(map[string]any)
	balancers["items"] = map[string]any{"anyOf": []any{balancers["items"], map[string]any{"type": "object",
		"description": "A load balancer in another account, with the name of the role that reaches it, or a canary.",
		"required":    []string{"arn"}, "minProperties": 2, "additionalProperties": false,
		"properties": map[string]any{"arn": balancers["items"], "role": map[string]any{"type": "string",
			"description": "One of roles."}, "canary": map[string]any{"type": "boolean",
			"description": "Its targets get a new secret first; the others when logins through these work."}}}}}
	top["roles"] = ofClient["properties"].(map[string]any)["roles"]
	top["clients"].(map[string]any)["items"].(map[string]any)["required"] = []string{"name", "clientId"}
	provider := ofClient["properties"].(map[string]any)["identityProvider"].(map[string]any)
	provider["properties"].(map[string]any)["type"].(map[string]any)["enum"] = registry.Types()
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(out, '\n')
}

func TestTheSchemaIsThatOfTheTypes(t *testing.T) {
	t.Parallel()
	want := generated(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(schemaFile); err != nil || string(got) != string(want) {
		t.Errorf("docs/clients.schema.json is not that of the types: run this test with -update (%v)", err)
	}
}

const balancer = "arn:aws:elasticloadbalancing:eu-central-1:111122223333:loadbalancer/app/orders/50dc6c495c0c9188"

// Every right file of the repository conforms, and a misspelt field does not.
func TestTheSchemaAcceptsWhatTheCodeAccepts(t *testing.T) {
	t.Parallel()
	var schema map[string]any
	if err := json.Unmarshal(generated(t), &schema); err != nil {
		t.Fatal(err)
	}
	value := func(text string) any {
		document, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		var v any
		if err := json.Unmarshal(document, &v); err != nil {
			t.Fatal(err)
		}
		return v
	}
	one := read(t, "one.yaml")
	paths, err := filepath.Glob("../../infra/examples/*.yaml")
	if err != nil || len(paths) == 0 {
		t.Fatal("no examples")
	}
	for _, path := range append(paths, example) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := configtest.Conforms(schema, value(string(text)), "$"); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		// where editors look for it
		first, _, _ := strings.Cut(string(text), "\n")
		if schema, found := strings.CutPrefix(first, "# yaml-language-server: $schema="); !found ||
			filepath.Join(filepath.Dir(path), schema) != schemaFile {
			t.Errorf("the first line of %s is %s", path, first)
		}
	}
	for text, right := range map[string]bool{one: true, "x-a: 1\n" + one: true, edited(t, "region:", "regoin:"): false,
		edited(t, "gracePeriodSeconds: 86400", "gracePeriodSeconds: 1d"):               false,
		edited(t, `"111122223333"`+"\n", "111122223333\n"):                             false,
		edited(t, "type: okta", "type: okat"):                                          false,
		edited(t, balancer, "{arn: "+balancer+", role: workload}"):                     true,
		edited(t, balancer, "{arn: "+balancer+"}"):                                     false,
		strings.Replace(one, "clients:", "defaults: {spreadSeconds: 60}\nclients:", 1): true} {
		if err := configtest.Conforms(schema, value(text), "$"); (err == nil) != right {
			t.Errorf("%v of\n%s", err, text)
		}
	}
}
