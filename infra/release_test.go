package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/shared/clientsfile"
)

// released is the template of a release, and the one that it was made of.
var released = sync.OnceValues(func() ([2][]byte, error) {
	file := standIn()
	texts, err := synthesizedTexts(file, nil, true)
	if err != nil {
		return [2][]byte{}, err
	}
	out, err := parameterise(texts[0], file, "1.2.3")
	return [2][]byte{texts[0], out}, err
})

func releasedTemplate(t *testing.T) (standsIn, text []byte) {
	t.Helper()
	both, err := released()
	if err != nil {
		t.Fatal(err)
	}
	return both[0], both[1]
}

func TestTheReleasedTemplateIsTheSameEveryTime(t *testing.T) {
	from, text := releasedTemplate(t)
	again, err := parameterise(from, standIn(), "1.2.3")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(text, again) {
		t.Error("a second time the template differs")
	}
	if len(text) > maxTemplateBytes {
		t.Errorf("it has %d bytes", len(text))
	}
}

// One client, deployed from the released template with the parameters of its file, gets what the CDK would deploy:
// every resource, and every role as narrow.
func TestAReleaseDeploysWhatTheCDKWould(t *testing.T) {
	edit := func(change func(*File, *Client)) File {
		file, err := readFile(clientsFile)
		if err != nil {
			t.Fatal(err)
		}
		file.Clients = file.Clients[:1]
		c := &file.Clients[0]
		// Logical ids are made of the name, so the names are the same here. That it is a parameter is seen there.
		c.Name = standIn().Clients[0].Name
		file.Stack.Email = nil
		change(&file, c)
		return file
	}
	for name, file := range map[string]File{
		"as in the example": edit(func(*File, *Client) {}),
		"with all that can be had": edit(func(f *File, c *Client) {
			five := 5
			f.Stack.Name, f.Stack.PermissionsBoundary = "other", "arn:aws:iam::111122223333:policy/boundary"
			f.Stack.LogRetentionDays, f.Stack.RunbookURL = &five, "https://example.com/runbook"
			c.IdentityProvider.Type = "keycloak" // which tells when a secret ends
			c.IdentityProvider.Settings = []byte(
				`{"serverUrl":"https://sso.example.com","realm":"main","clientSecret":` +
					`{"clientId":"rotator","secretArn":` +
					`"arn:aws:secretsmanager:eu-central-1:111122223333:secret:k-AbCdEf"}}`)
			c.KMSKeys = []string{cmk, cmk + "2"}
			c.SmokeTests.Login = append(c.SmokeTests.Login, c.SmokeTests.Login[0])
			c.SmokeTests.Login[1].UserSecretARN += "2"
			c.Schedule.Paused, c.Schedule.FlexibleWindowMinutes, c.Alarms.AuthErrors = true, new(int), &five
			c.LoadBalancers = append(c.LoadBalancers, c.LoadBalancers[0]+"ff")
		}),
		"at Cognito, all load balancers elsewhere": edit(func(_ *File, c *Client) {
			c.IdentityProvider.Type = "cognito"
			c.IdentityProvider.Settings = []byte(`{"userPoolId":"eu-west-1_AbC123"}`)
			c.SmokeTests.Login = nil
			c.LoadBalancers = c.LoadBalancers[1:]
		}),
		"at any provider, by a function": edit(func(_ *File, c *Client) {
			c.IdentityProvider.Type = "lambda"
			c.IdentityProvider.Settings = []byte(`{"functionArn":` +
				`"arn:aws:lambda:eu-west-1:444455556666:function:client-secrets:live"}`)
		}),
		"at Entra ID, without a stored credential": edit(func(_ *File, c *Client) {
			c.IdentityProvider.Type = "entra"
			c.IdentityProvider.Settings = []byte(`{"tenantId":"0a1b2c3d-0000-0000-0000-000000000000",` +
				`"webIdentity":{"clientId":"0a1b2c3d-0000-0000-0000-000000000001"}}`)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			want, err := synthesized(file)
			if err != nil {
				t.Fatal(err)
			}
			compareReleased(t, file, want.text)
		})
	}
}

func compareReleased(t *testing.T, file File, want []byte) {
	t.Helper()
	_, text := releasedTemplate(t)
	for i, arn := range file.Clients[0].LoadBalancers { // there ids and names of alarms have the parameters' numbers
		name := "auth-errors-" + balancerName(arn) + "-"
		want = bytes.ReplaceAll(want, []byte(name+`0"`), fmt.Appendf(nil, `%s%d"`, name, i))
		id := func(what string) *regexp.Regexp { return regexp.MustCompile("AlarmAuthErrors" + what + "[0-9A-F]{8}") }
		same := fmt.Appendf(nil, "AlarmAuthErrors-%d", i)
		text = id(strconv.Itoa(i)).ReplaceAll(text, same)
		want = id(strings.ReplaceAll(balancerName(arn), "-", "")).ReplaceAll(want, same)
	}
	got := resolve(t, versionHash.ReplaceAll(text, []byte("$1")), file)
	cdk := decodeObject(t, versionHash.ReplaceAll(want, []byte("$1")))
	pseudo := resolver{known: map[string]any{"AWS::Region": file.Stack.Region, "AWS::AccountId": file.Stack.Account}}
	for _, part := range []string{"Resources", "Outputs"} {
		a, _ := got[part].(map[string]any)
		b, _ := pseudo.value(cdk[part]).(map[string]any)
		for _, id := range slices.Compact(slices.Sorted(slices.Values(append(sorted(a), sorted(b)...)))) {
			if x, y := shape(a[id]), shape(b[id]); x != y {
				at := 0
				for at < min(len(x), len(y)) && x[at] == y[at] {
					at++
				}
				t.Errorf("%s differs:\nreleased …%s\nCDK      …%s", id, around(x, at), around(y, at))
			}
		}
	}
}

// Whoever takes a load balancer out of the parameters, or puts them in another order, gives the alarms other load
// balancers. CloudFormation makes an alarm of a new name before it removes the one that had it.
func TestAlarmsOfAReleaseNeverTakeEachOthersNames(t *testing.T) {
	file, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	_, text := releasedTemplate(t)
	at := map[string]string{}
	for first := range 2 {
		c := &file.Clients[0]
		c.LoadBalancers = []string{c.LoadBalancers[0], c.LoadBalancers[0] + "ff"}
		if first == 1 {
			slices.Reverse(c.LoadBalancers)
		}
		alarms := 0
		for id, r := range resolve(t, text, file)["Resources"].(map[string]any) {
			r := r.(map[string]any)
			if r["Type"] != "AWS::CloudWatch::Alarm" {
				continue
			}
			name := plain(r["Properties"].(map[string]any)["AlarmName"])
			if other, taken := at[name]; taken && other != id {
				t.Errorf("%s goes from %s to %s", name, other, id)
			}
			alarms++
			at[name] = id
		}
		if alarms < 8 {
			t.Fatalf("only %d alarms", alarms)
		}
		c.LoadBalancers = c.LoadBalancers[first:]
	}
}

func around(s string, at int) string { return s[max(0, at-60):min(len(s), at+120)] }

func decodeObject(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var v map[string]any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// shape is what matters of a resource: a list of one is as good as the one, and where the code comes from is another
// matter.
func shape(v any) string {
	var plain func(any) any
	plain = func(v any) any {
		switch v := v.(type) {
		case []any:
			if len(v) == 1 {
				return plain(v[0])
			}
			out := []any{}
			for _, x := range v {
				out = append(out, plain(x))
			}
			return out
		case map[string]any:
			out := map[string]any{}
			for k, x := range v {
				if k != "Code" && k != "Metadata" && k != "Condition" || strings.HasPrefix(k, "Fn::") {
					out[k] = plain(x)
				}
				if k == "Condition" && !isText(x) {
					out[k] = plain(x)
				}
			}
			return out
		}
		return v
	}
	text, _ := json.Marshal(plain(v)) // it came from JSON
	return string(text)
}

func isText(v any) bool { _, ok := v.(string); return ok }

// resolve does with the released template what CloudFormation does, as far as it can without resources.
func resolve(t *testing.T, text []byte, file File) map[string]any {
	t.Helper()
	tpl := decodeObject(t, text)
	list, err := file.Parameters(file.Clients[0])
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]any{"AWS::AccountId": file.Stack.Account, "AWS::Region": file.Stack.Region,
		"AWS::StackName": file.Stack.Name, "AssetsBucket": "assets", "AssetsPrefix": "x/"}
	declared := tpl["Parameters"].(map[string]any)
	for _, p := range list {
		d, ok := declared[p.Name].(map[string]any)
		if !ok {
			t.Fatalf("the template has no parameter %s", p.Name)
		}
		known[p.Name] = p.Value
		if p.Value == "" {
			known[p.Name] = d["Default"]
		}
	}
	for name := range declared {
		if known[name] == nil {
			t.Errorf("parameter %s has no value", name)
		}
	}
	r := resolver{known: known, conditions: tpl["Conditions"].(map[string]any)}
	for _, part := range []string{"Resources", "Outputs"} {
		all := tpl[part].(map[string]any)
		for id, x := range all {
			if c, ok := x.(map[string]any)["Condition"].(string); ok && !r.holds(c) {
				delete(all, id)
				continue
			}
			all[id] = r.value(x)
		}
	}
	return tpl
}

type resolver struct{ known, conditions map[string]any }

func (r resolver) holds(name string) bool { return r.value(r.conditions[name]).(bool) }

// nothing is AWS::NoValue.
type nothing struct{}

func (r resolver) value(v any) any {
	switch v := v.(type) {
	case []any:
		out := []any{}
		for _, x := range v {
			if x := r.value(x); x != (nothing{}) {
				out = append(out, x)
			}
		}
		return out
	case map[string]any:
		if len(v) == 1 {
			for k, x := range v {
				if k == "Ref" || k == "Condition" && isText(x) || strings.HasPrefix(k, "Fn::") && k != "Fn::GetAtt" {
					return r.call(k, x, v)
				}
			}
		}
		out := map[string]any{}
		for k, x := range v {
			if x := r.value(x); x != (nothing{}) {
				out[k] = number(k, x)
			}
		}
		return out
	}
	return v
}

func (r resolver) call(name string, argument, whole any) any {
	args, _ := argument.([]any)
	switch name {
	case "Ref":
		if argument == "AWS::NoValue" {
			return nothing{}
		}
		if v, ok := r.known[argument.(string)]; ok {
			return v
		}
		return whole
	case "Condition":
		return r.holds(argument.(string))
	case "Fn::If":
		if r.holds(args[0].(string)) {
			return r.value(args[1])
		}
		return r.value(args[2])
	case "Fn::Not":
		return !r.value(args[0]).(bool)
	case "Fn::Or":
		return slices.ContainsFunc(args, func(x any) bool { return r.value(x).(bool) })
	case "Fn::Equals":
		return fmt.Sprint(r.value(args[0])) == fmt.Sprint(r.value(args[1]))
	case "Fn::Split":
		out := []any{}
		for _, s := range strings.Split(r.value(args[1]).(string), args[0].(string)) {
			out = append(out, s)
		}
		return out
	case "Fn::Select":
		return r.value(args[1]).([]any)[int(args[0].(float64))]
	case "Fn::Join":
		return r.join(args[0].(string), r.value(args[1]).([]any))
	}
	panic("the released template uses " + name)
}

// join joins what is known; neighbours that are texts become one, as the CDK writes them.
func (r resolver) join(delimiter string, parts []any) any {
	var out []any
	for i, x := range parts {
		if i > 0 && delimiter != "" {
			out = append(out, delimiter)
		}
		if object, ok := x.(map[string]any); ok {
			if inner, ok := object["Fn::Join"].([]any); ok && inner[0] == "" {
				out = append(out, inner[1].([]any)...)
				continue
			}
		}
		out = append(out, x)
	}
	merged := []any{}
	for _, x := range out {
		if s, ok := x.(string); ok && s == "" {
			continue
		} else if last := len(merged) - 1; ok && last >= 0 && isText(merged[last]) {
			merged[last] = merged[last].(string) + s
			continue
		}
		merged = append(merged, x)
	}
	if len(merged) == 0 {
		return ""
	}
	if len(merged) == 1 && isText(merged[0]) {
		return merged[0]
	}
	return map[string]any{"Fn::Join": []any{"", merged}}
}

// number is the number that CloudFormation makes of a text where a property is one.
func number(property string, v any) any {
	if s, ok := v.(string); ok && slices.Contains([]string{"Threshold", "RetentionInDays", "MaximumWindowInMinutes"},
		property) {
		if n, err := strconv.ParseFloat(s, 64); err == nil {
			return n
		}
	}
	return v
}

func TestWhatOnlyTheCDKDeploysIsRefusedForARelease(t *testing.T) {
	// What is new among them needs a parameter of the released template, or a refusal.
	var fields []string
	for i := range reflect.TypeFor[Client]().NumField() {
		fields = append(fields, reflect.TypeFor[Client]().Field(i).Name)
	}
	if got := strings.Join(fields, " "); got !=
		"Client CreateSecret KMSKeys Schedule MaxSecretAgeDays Alarms Notifications" {
		t.Errorf("a client has %s", got)
	}
	values := strings.NewReplacer("info", "debug", "7", "8")
	for change, want := range map[string]string{
		"# reserveConcurrency: ": "stack.reserveConcurrency: only the CDK app",
		"# tags: ":               "stack.tags: leave them out",
		"# logLevel: info":       "stack.logLevel: only the CDK app",
		"# evidence: {years: 7}": "stack.evidence: only the CDK app",
	} {
		file, err := parseFile(changedText(t, change, values.Replace(strings.TrimPrefix(change, "# "))))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := file.Parameters(file.Clients[0]); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", change, err)
		}
	}
	file, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Parameters(file.Clients[1]); err == nil || !strings.Contains(err.Error(),
		"createSecret: make the") {
		t.Errorf("createSecret: %v", err)
	}
	file.Clients[0].LoadBalancers = make([]string, clientsfile.MaxBalancers+1)
	for i := range file.Clients[0].LoadBalancers {
		file.Clients[0].LoadBalancers[i] = strconv.Itoa(i)
	}
	if _, err := file.Parameters(file.Clients[0]); err == nil || !strings.Contains(err.Error(), "has room for 6") {
		t.Errorf("seven load balancers: %v", err)
	}
}
