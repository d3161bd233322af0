package config_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/config/configtest"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/strictjson"
)

func documentation(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func schema(t testing.TB) map[string]any {
	t.Helper()
	var s map[string]any
	if err := json.Unmarshal([]byte(documentation(t, "client-configuration.schema.json")), &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// blocks are the fenced blocks of a language in docs/client-configuration.md.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	var out []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(documentation(t,
		"client-configuration.md"), -1) {
		out = append(out, m[1])
	}
	return out
}

// complete is the documented example that sets every field.
func complete(t *testing.T) string {
	t.Helper()
	examples := blocks(t, "json")
	if len(examples) < 2 {
		t.Fatalf("docs/client-configuration.md has %d examples, want a complete and a small one", len(examples))
	}
	return examples[0]
}

func decoded(t *testing.T, document string) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(document), &m); err != nil {
		t.Fatalf("%v in %s", err, document)
	}
	return m
}

// read is what the functions make of a configuration: config.Parse, then the provider's own check of its settings.
func read(document []byte) error {
	c, err := config.Parse(document)
	if err != nil {
		return err
	}
	return registry.Check("okta", c.IdentityProvider.Settings)
}

func TestTheDocumentedExamplesAreGoodConfigurations(t *testing.T) {
	t.Parallel()
	for _, example := range blocks(t, "json") {
		if err := read([]byte(example)); err != nil {
			t.Errorf("%v in %s", err, example)
		}
		if err := configtest.Conforms(schema(t), decoded(t, example), "$"); err != nil {
			t.Errorf("against the schema: %v in %s", err, example)
		}
	}
}

func TestTheYAMLExampleIsTheCompleteJSONExample(t *testing.T) {
	t.Parallel()
	got := blocks(t, "yaml")
	if want := asYAML(complete(t)) + "\n"; len(got) != 1 || got[0] != want {
		t.Errorf("the YAML example should be\n%s", want)
	}
}

// field is one property of the schema and where it is in the complete example.
type field struct {
	path   string // as in the documentation: smokeTests.login[].url
	schema map[string]any
	// parent holds the property in the example, under key.
	parent map[string]any
	key    string
}

// fields walks the schema and the example together, so it also finds what the example leaves out.
func fields(t *testing.T, s map[string]any, example map[string]any, path string) []field {
	t.Helper()
	var out []field
	properties, _ := s["properties"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		sub := properties[name].(map[string]any)
		at := strictjson.Join(path, name)
		value, there := example[name]
		if !there {
			t.Fatalf("the complete example has no %s", at)
		}
		out = append(out, field{at, sub, example, name})
		if list, is := value.([]any); is {
			if item, is := list[0].(map[string]any); is {
				out = append(out, fields(t, sub["items"].(map[string]any), item, at+"[]")...)
			}
		}
		if object, is := value.(map[string]any); is {
			out = append(out, fields(t, sub, object, at)...)
		}
	}
	return out
}

func TestEveryFieldOfTheSchemaIsDescribedAndDocumented(t *testing.T) {
	t.Parallel()
	page := documentation(t, "client-configuration.md")
	for _, f := range fields(t, schema(t), decoded(t, complete(t)), "") {
		if text, _ := f.schema["description"].(string); text == "" {
			t.Errorf("%s has no description in the schema", f.path)
		}
		if !strings.Contains(page, "| `"+f.path+"` |") {
			t.Errorf("%s has no row in docs/client-configuration.md", f.path)
		}
	}
}

func TestSchemaAndStructHaveTheSameFields(t *testing.T) {
	t.Parallel()
	sameFields(t, schema(t), reflect.TypeFor[config.Client](), "$")
}

func sameFields(t *testing.T, s map[string]any, typ reflect.Type, path string) {
	t.Helper()
	for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice && typ != reflect.TypeFor[json.RawMessage]() {
		if typ.Kind() == reflect.Slice {
			s = s["items"].(map[string]any)
		}
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return
	}
	properties, _ := s["properties"].(map[string]any)
	inGo := strictjson.Fields(typ)
	if a, b := slices.Sorted(maps.Keys(properties)), slices.Sorted(maps.Keys(inGo)); !slices.Equal(a, b) {
		t.Errorf("%s: the schema has %v, the struct %v", path, a, b)
		return
	}
	for name, sub := range properties {
		sameFields(t, sub.(map[string]any), inGo[name], path+"."+name)
	}
}

func TestDefaultsOfTheSchemaAreThoseOfTheCode(t *testing.T) {
	t.Parallel()
	inCode := map[string]func(config.Client) any{
		"gracePeriodSeconds":                    func(c config.Client) any { return c.GracePeriod() },
		"spreadSeconds":                         func(c config.Client) any { return c.Spread() },
		"rotateBeforeEndDays":                   func(c config.Client) any { return c.BeforeEndDays() },
		"identityProvider.tokenAuthMethod":      func(c config.Client) any { return c.IdentityProvider.AuthMethod() },
		"smokeTests.credential.successesInARow": func(c config.Client) any { return c.SmokeTests.Credential.InARow(0) },
		"smokeTests.credential.intervalSeconds": func(c config.Client) any {
			return c.SmokeTests.Credential.Interval(0)
		},
		"identityProvider.allowInterruption": func(c config.Client) any {
			return c.IdentityProvider.AllowInterruption
		},
		"followers.controllers":    func(c config.Client) any { return c.LeavesToControllers() },
		"smokeTests.maxAuthErrors": func(c config.Client) any { return c.SmokeTests.AuthErrors() },
	}
	for _, f := range fields(t, schema(t), decoded(t, complete(t)), "") {
		want, has := f.schema["default"]
		def, known := inCode[f.path]
		if has != known {
			t.Errorf("%s has a default in the schema: %t, in the code: %t", f.path, has, known)
		} else if has && fmt.Sprint(def(config.Client{})) != fmt.Sprint(want) {
			t.Errorf("%s: the schema's default is %v, the code's %v", f.path, want, def(config.Client{}))
		}
	}
}

// texts are tried in every field that holds a string: good and bad ones of each kind.
var texts = []string{"", "a", "A", "-a", "a b", " a", "a ",
	"orders-web", strings.Repeat("a", 40), strings.Repeat("a", 41),
	"https://example.com", "https://example.com/", "https://example.com:8443/a?b=c", "https://[2001:db8::1]:443/x",
	"http://example.com/",
	"https://", "https://:443/x", "https://%zz", "https://a:b@example.com/", "https://example.com/#x", "//example.com",
	"example.com",
	"https://example.com/oauth2/idpresponse", "https://example.com/a/oauth2/idpresponse",
	"https://example.com/oauth2/idpresponse?x=y",
	"example.com:443", "10.0.0.1:443", "10.0.0.1", "[::1]:8443", "::1:8443", ":443", "a:",
	"arn:aws:secretsmanager:eu-west-1:111122223333:secret:a-AbCdEf",
	"arn:aws-us-gov:secretsmanager:us-gov-west-1:111122223333:secret:a",
	"arn:aws-eusc:secretsmanager:eusc-de-east-1:111122223333:secret:a",
	"arn:aws:secretsmanager:eu-west-1:1111:secret:a", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:",
	"arn:aws:s3:::a",
	"arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/app/a/5a",
	"arn:aws:elasticloadbalancing:eu-west-1:111122223333:loadbalancer/net/a/5a",
	"client_secret_basic", "client_secret_post", "private_key_jwt", "eu-central-1", "us-gov-west-1", "eusc-de-east-1",
	"us-isob-west-1", "Frankfurt",
	"eu-central"}

// values are what a field is replaced with.
func values(f field) []any {
	out := []any{7.0, "x", 1.5, []any{}, map[string]any{}, true}
	switch f.schema["type"] {
	case "string":
		for _, s := range texts {
			out = append(out, s)
		}
	case "boolean":
		out = append(out, false, true)
	case "integer":
		low, high := f.schema["minimum"].(float64), f.schema["maximum"].(float64)
		out = append(out, low-1, low, high, high+1)
	case "array":
		list := f.parent[f.key].([]any)
		out = append(out, []any{list[0], list[0]}, []any{7.0})
		if _, plain := list[0].(string); plain {
			for _, s := range texts {
				out = append(out, []any{s})
			}
		}
	}
	return out
}

// apart are the values on which schema and code may differ.
var apart = map[string]any{
	"identityProvider.tokenAuthMethod": "",               // the code takes it for left out
	"identityProvider.settings":        map[string]any{}, // what must be in them, only the provider's own check knows
}

func TestSchemaAndCodeAcceptTheSameDocuments(t *testing.T) {
	t.Parallel()
	s, document := schema(t), decoded(t, complete(t))
	accepted, refused := 0, 0
	same := func(what string) {
		t.Helper()
		text, err := json.Marshal(document)
		if err != nil {
			t.Fatal(err)
		}
		bySchema, byCode := configtest.Conforms(s, document, "$"), read(text)
		if (bySchema == nil) != (byCode == nil) {
			t.Errorf("%s: the schema says %v, the code %v", what, bySchema, byCode)
		}
		if byCode == nil {
			accepted++
		} else {
			refused++
		}
	}
	canaries := document["canaries"]
	for _, f := range fields(t, s, document, "") {
		if delete(document, "canaries"); f.path == "canaries" { // with which a schema cannot compare other fields
			document["canaries"] = canaries
		}
		was, others := f.parent[f.key], values(f)
		delete(f.parent, f.key)
		if f.path != "roles" { // which others name
			same("without " + f.path)
		}
		for _, v := range others {
			if x, is := apart[f.path]; is && reflect.DeepEqual(x, v) {
				continue
			}
			if list, is := v.([]any); f.path == "canaries" && is && len(list) == 1 && list[0] != canaries.([]any)[0] {
				continue // nor which load balancers
			}
			if _, text := v.(string); f.path == "loadBalancerSearch.role" && text ||
				f.path == "roles" && reflect.DeepEqual(v, map[string]any{}) {
				continue // a schema cannot tell which names there are
			}
			f.parent[f.key] = v
			same(fmt.Sprintf("%s = %v", f.path, v))
		}
		f.parent[f.key] = was
		if object, is := was.(map[string]any); is && f.schema["properties"] != nil {
			object["unknown"] = 1.0
			same("an unknown field in " + f.path)
			delete(object, "unknown")
		}
	}
	search := document["loadBalancerSearch"].(map[string]any)
	for _, tags := range []map[string]any{{"": "x"}, {"a": 7.0}, {"a": ""}, {"a": "b", "c": "d"}} {
		search["tags"] = tags
		same(fmt.Sprintf("the tags %v", tags))
	}
	delete(document, "loadBalancerSearch")
	same("no search")
	document["loadBalancers"] = []any{}
	same("neither load balancers nor a search")
	delete(document, "loadBalancers")
	same("only followers")
	callback := document["callbackUrl"]
	document["callbackUrl"] = "https://app.example.com/callback"
	same("only followers, with a redirect URI of their own")
	document["callbackUrl"] = callback
	followers := document["followers"]
	delete(document, "followers")
	same("neither load balancers nor a search, left out")
	provider := document["identityProvider"].(map[string]any)
	for _, f := range []any{followers, nil} {
		if document["followers"] = f; f == nil {
			delete(document, "followers")
		}
		for _, field := range []string{"clientPair", "allowInterruption"} {
			was := provider[field]
			if provider[field] = any("another"); field == "allowInterruption" {
				provider[field] = true
			}
			same(fmt.Sprintf("%s with followers: %v", field, f))
			stored := document["secret"].(map[string]any)
			id := stored["clientIdKey"]
			delete(stored, "clientIdKey")
			same(fmt.Sprintf("%s with followers: %v, and no client id", field, f))
			stored["clientIdKey"] = id
			provider[field] = was
		}
	}
	search["tags"] = map[string]any{"a": "b"}
	document["loadBalancerSearch"] = search
	same("a search only")
	tests := document["smokeTests"].(map[string]any)
	delete(tests, "redirect")
	delete(tests, "login")
	same("neither redirect nor login tests")
	tests["redirect"], tests["login"] = []any{}, []any{}
	same("no redirect and no login tests")
	if accepted < 100 || refused < 500 {
		t.Errorf("only %d accepted and %d refused documents were compared", accepted, refused)
	}
}
