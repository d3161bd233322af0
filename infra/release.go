package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/statemachine"
)

// What the client of the released template is made of: values that nothing else is. Each is replaced by a parameter.
const (
	anyName     = "any-client" // logical ids are made of it, without the hyphen
	anyAccount  = "000011112222"
	anyRegion   = "standin-region-9"
	anyPool     = "standinpool_standin"
	anyFunction = "standin-provider-function"
	anyDay      = 211 // of an alarm before the provider ends the secret
)

// standIn is the file of a client that stands for any: it has everything, as often as the template has room for.
func standIn() File {
	number := func(n int) *int { return &n }
	fill := func(n int, form string) []string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(form, i+1, i+1))
		}
		return list
	}
	secret := "arn:aws:secretsmanager:" + anyRegion + ":" + anyAccount + ":secret:standin-"
	admin := map[string]any{"userPoolId": anyPool, "functionArn": anyFunction,
		"webIdentity": map[string]string{"audience": "standin-audience"}}
	for i, arn := range fill(clientsfile.MaxAdminSecrets, secret+"admin-%d-%d") {
		admin[strconv.Itoa(i)] = arn
	}
	const keys = "arn:aws:kms:" + anyRegion + ":" + anyAccount + ":key/"
	for _, arn := range fill(clientsfile.MaxSigningKeys, keys+"standin-signs-%d-%d") {
		admin["signs"] = map[string]string{"keyArn": arn}
	}
	settings, _ := json.Marshal(admin) // a map of texts can be written
	c := Client{Client: config.Client{Name: anyName, Issuer: "https://standin.invalid",
		Secret: config.Secret{ARN: secret + "client"},
		LoadBalancers: fill(clientsfile.MaxBalancers, "arn:aws:elasticloadbalancing:"+anyRegion+":"+anyAccount+
			":loadbalancer/app/standin-lb%d/standin-id%d"),
		GracePeriodSeconds: number(7_777_777)},
		KMSKeys: fill(clientsfile.MaxKeys, keys+"standin-%d-%d"),
		Schedule: clientsfile.Schedule{Expression: "cron(13 13 13 12 ? 2099)", TimeZone: "Standin/Zone",
			FlexibleWindowMinutes: number(1439), Paused: true},
		MaxSecretAgeDays: number(1237),
		Alarms:           clientsfile.Alarms{AuthErrors: number(9973), SecretEndsDays: number(anyDay)},
	}
	c.IdentityProvider.Settings = settings
	for _, arn := range fill(clientsfile.MaxTestUsers, secret+"user-%d-%d") {
		c.SmokeTests.Login = append(c.SmokeTests.Login, config.LoginTest{UserSecretARN: arn})
	}
	return File{Stack: Settings{Account: anyAccount, Region: anyRegion, Name: "standin-stack",
		Email:      fill(clientsfile.MaxEmails, "any-%d-%d@example.com"),
		RunbookURL: "https://standin-runbook.invalid", LogRetentionDays: number(3653), LogLevel: "info",
		LogKey: clientsfile.LogKeyOfStack, PermissionsBoundary: "arn:aws:iam::" + anyAccount + ":policy/standin"},
		Clients: []Client{c}}
}

// writeRelease writes the template that deploys one client without the CDK. It is the CDK's own for a client that
// stands for any, with parameters in place of its values.
func writeRelease(functions, version, path string) error {
	file := standIn()
	folder, err := os.MkdirTemp("", "release-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	texts, err := synthTexts(file, nil, functions, folder, true)
	if err != nil {
		return err
	}
	out, err := parameterise(texts[0], file, version)
	if err != nil {
		return err
	}
	return os.WriteFile(path, out, 0o644)
}

// releaser replaces the values of the stand-in.
type releaser struct {
	parameters []clientsfile.Parameter
	optional   map[string]bool // parameters that may be empty
	texts      map[string]any  // expressions by the texts that they replace
	numbers    map[float64]any
	any        *regexp.Regexp // matches the texts, the longest first
	// kept are the conditions of resources that are not always there, by their logical ids.
	kept map[string]string
}

func newReleaser(file File) (*releaser, error) {
	parameters, err := file.Parameters(file.Clients[0])
	if err != nil {
		return nil, err
	}
	r := &releaser{parameters: parameters, optional: map[string]bool{}, kept: map[string]string{},
		numbers: map[float64]any{},
		texts: map[string]any{anyAccount: ref("AWS::AccountId"), anyRegion: ref("AWS::Region"),
			file.Stack.Name: ref("AWS::StackName")}}
	for i, p := range parameters {
		if p.Name == clientsfile.ParameterEnds {
			p.Value = strconv.Itoa(anyDay * 86400)
			parameters[i] = p
		}
		r.optional[p.Name] = p.Optional
		if n, err := strconv.ParseFloat(p.Value, 64); err == nil {
			r.numbers[n] = ref(p.Name)
		} else {
			r.texts[p.Value] = ref(p.Name)
		}
		if strings.HasPrefix(p.Name, clientsfile.ParameterBalancer) {
			r.addBalancer(p)
		}
	}
	region, _, _ := strings.Cut(anyPool, "_")
	r.texts[region] = pick(0, "_", join("", ref(clientsfile.ParameterPool), "_"))
	texts := sorted(r.texts)
	slices.SortStableFunc(texts, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for i := range texts {
		texts[i] = regexp.QuoteMeta(texts[i])
	}
	r.any = regexp.MustCompile(strings.Join(texts, "|"))
	return r, nil
}

// addBalancer adds what is made of the ARN of a load balancer. What is picked out of one is there even if the parameter
// is empty: CloudFormation refuses to pick what is not, wherever it stands.
func (r *releaser) addBalancer(p clientsfile.Parameter) {
	own := ref(p.Name)
	for _, kind := range []string{":listener-rule/", ":listener/"} {
		r.texts[strings.Replace(p.Value, ":loadbalancer/", kind, 1)] = map[string]any{"Fn::Join": []any{kind,
			map[string]any{"Fn::Split": []any{":loadbalancer/", own}}}}
	}
	r.texts["standin-of-lb"+strings.TrimPrefix(p.Name, clientsfile.ParameterBalancer)] = regionOfParameter(p.Name)
	_, dimension, _ := strings.Cut(p.Value, ":loadbalancer/")
	r.texts[dimension] = pick(1, ":loadbalancer/", join("", own, ":loadbalancer/"))
	r.texts[balancerName(p.Value)] = map[string]any{"Fn::Join": []any{"-", map[string]any{"Fn::Split": []any{"/",
		pick(1, ":loadbalancer/app/", join("", own, ":loadbalancer/app/"))}}}}
}

// parameterise makes the released template of the stand-in's.
func parameterise(text []byte, file File, version string) ([]byte, error) {
	var tpl map[string]map[string]any
	if err := json.Unmarshal(slices.Concat([]byte(`{"x":`), text, []byte("}")), &tpl); err != nil {
		return nil, err
	}
	r, err := newReleaser(file)
	if err != nil {
		return nil, err
	}
	template := tpl["x"]
	for _, part := range []string{"Parameters", "Rules"} { // the CDK's own, about its bootstrap stack
		delete(template, part)
	}
	resources := template["Resources"].(map[string]any)
	r.setCode(resources, file.Stack.Name)
	dashboards := []string{}
	for _, id := range sorted(resources) {
		resource := resources[id].(map[string]any)
		delete(resource, "Metadata")
		if resource["Type"] == "AWS::CloudWatch::Dashboard" {
			dashboards = append(dashboards, id)
		}
		r.release(id, resource)
	}
	for _, id := range dashboards { // they name resources that are not always there
		r.releaseDashboard(resources[id].(map[string]any))
	}
	outputs, _ := template["Outputs"].(map[string]any)
	template["Outputs"] = r.replace(outputs)
	for name, output := range outputs {
		if strings.HasPrefix(name, "WebIdentityRole") {
			output.(map[string]any)["Condition"] = has(clientsfile.ParameterAudience)
		}
	}
	template["Description"] = fmt.Sprintf("%v Version %s, for one client.", template["Description"], version)
	template["Conditions"] = r.conditions()
	template["Parameters"], template["Metadata"] = r.describe(version)
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(template); err != nil {
		return nil, err
	}
	if left := regexp.MustCompile(`standin|@example|` + anyName + `|` +
		anyAccount).FindIndex(out.Bytes()); left != nil {
		return nil, fmt.Errorf("a value of the client that stands for any is still in the released template: %q",
			out.Bytes()[max(0, left[0]-80):min(out.Len(), left[1]+80)])
	}
	return out.Bytes(), nil
}

// setCode has the functions read their code from the release's files.
func (r *releaser) setCode(resources map[string]any, stack string) {
	for _, x := range resources {
		resource := x.(map[string]any)
		if resource["Type"] != "AWS::Lambda::Function" {
			continue
		}
		properties := resource["Properties"].(map[string]any)
		name := strings.TrimPrefix(properties["FunctionName"].(string), stack+"-")
		properties["Code"] = map[string]any{"S3Bucket": ref(clientsfile.ParameterBucket),
			"S3Key": join("", ref(clientsfile.ParameterPrefix), name+".zip")}
	}
}

// release replaces the values of a resource, and makes conditional what is not always there.
func (r *releaser) release(id string, resource map[string]any) {
	kind := resource["Type"]
	properties, _ := resource["Properties"].(map[string]any)
	if w, ok := properties["FlexibleTimeWindow"].(map[string]any); ok && w["MaximumWindowInMinutes"] != nil {
		properties["FlexibleTimeWindow"] = map[string]any{"Fn::If": []any{has(clientsfile.ParameterWindow),
			map[string]any{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": ref(clientsfile.ParameterWindow)},
			map[string]any{"Mode": "OFF"}}}
		properties["State"] = ref("ScheduleState")
	}
	if kind == "AWS::CloudWatch::Dashboard" {
		properties["DashboardBody"] = nameRegions(properties["DashboardBody"])
		resource["Properties"] = r.replace(properties)
		return
	}
	resource["Properties"] = r.replace(properties)
	here := kind == "AWS::CloudWatch::Alarm" || kind == "AWS::Events::Rule"
	var whole string
	if kind == "AWS::CloudWatch::Alarm" { // never a part of it
		whole = r.mentioned(resource["Properties"], here)
	} else {
		resource["Properties"], whole = r.divide(resource["Properties"], here)
	}
	if whole != "" {
		if kind == "AWS::Events::Rule" {
			whole = anyHere
		}
		resource["Condition"] = whole
		r.kept[id] = whole
	}
}

// balancerRegion finds the Region of a load balancer's metric in a dashboard: there it may be another than the stack's.
var balancerRegion = regexp.MustCompile(`(standin-lb(\d+)/[^"]*",\{"region":")` + anyRegion)

func nameRegions(v any) any {
	switch v := v.(type) {
	case string:
		return balancerRegion.ReplaceAllString(v, "${1}standin-of-lb$2")
	case []any:
		for i := range v {
			v[i] = nameRegions(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = nameRegions(v[k])
		}
	}
	return v
}

// anyHere is the condition that a load balancer is in the stack's Region.
const anyHere = "AnyLoadBalancerHere"

// replace puts expressions in the place of the stand-in's values.
func (r *releaser) replace(v any) any {
	switch v := v.(type) {
	case string:
		return r.replaceText(v)
	case float64:
		if x, ok := r.numbers[v]; ok {
			return x
		}
	case []any:
		for i := range v {
			v[i] = r.replace(v[i])
		}
	case map[string]any:
		if v["Ref"] != nil || v["Fn::GetAtt"] != nil {
			return v
		}
		for k, x := range v {
			v[k] = r.replace(x)
		}
	}
	return v
}

func (r *releaser) replaceText(text string) any {
	var parts []any
	rest := text
	for {
		at := r.any.FindStringIndex(rest)
		if at == nil {
			break
		}
		if at[0] > 0 {
			parts = append(parts, rest[:at[0]])
		}
		parts = append(parts, r.texts[rest[at[0]:at[1]]])
		rest = rest[at[1]:]
	}
	if rest != "" {
		parts = append(parts, rest)
	}
	switch {
	case len(parts) == 0:
		return text
	case len(parts) == 1:
		return parts[0]
	}
	return join("", parts...)
}

// divide makes those elements of lists conditional that depend on an optional parameter, or that hold nothing without
// one. It returns the condition of the value as a whole, "" if it is always there. here: load balancers count only in
// the stack's Region.
func (r *releaser) divide(v any, here bool) (any, string) {
	switch v := v.(type) {
	case []any:
		always, first := len(v) == 0, ""
		for i, x := range v {
			part, condition := r.divide(x, here)
			v[i] = part
			if condition == "" {
				always = true
				continue
			}
			v[i] = map[string]any{"Fn::If": []any{condition, part, ref("AWS::NoValue")}}
			first = cmp.Or(first, condition)
		}
		if always {
			first = ""
		}
		return v, first
	case map[string]any:
		if isExpression(v) {
			return v, r.mentioned(v, here)
		}
		whole := ""
		for _, k := range sorted(v) {
			part, condition := r.divide(v[k], here)
			if condition != "" && k == "PermissionsBoundary" {
				part, condition = map[string]any{"Fn::If": []any{condition, part, ref("AWS::NoValue")}}, ""
			}
			v[k], whole = part, cmp.Or(whole, condition)
		}
		return v, whole
	}
	return v, ""
}

// isExpression reports whether an object is a function of CloudFormation.
func isExpression(v map[string]any) bool {
	for k := range v {
		return len(v) == 1 && (k == "Ref" || strings.HasPrefix(k, "Fn::"))
	}
	return false
}

// mentioned returns the condition of the first optional parameter in a value, "" if there is none.
func (r *releaser) mentioned(v any, here bool) string {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			if c := r.mentioned(x, here); c != "" {
				return c
			}
		}
	case map[string]any:
		if name, ok := v["Ref"].(string); ok {
			switch {
			case here && strings.HasPrefix(name, clientsfile.ParameterBalancer):
				return name + "Here"
			case r.optional[name]:
				return has(name)
			}
			return r.kept[name]
		}
		if of, ok := v["Fn::GetAtt"].([]any); ok {
			return r.kept[of[0].(string)]
		}
		for _, k := range sorted(v) {
			if c := r.mentioned(v[k], here); c != "" {
				return c
			}
		}
	}
	return ""
}

// conditions are those that anything may have.
func (r *releaser) conditions() map[string]any {
	given := func(name, empty string) any {
		return map[string]any{"Fn::Not": []any{map[string]any{"Fn::Equals": []any{ref(name), empty}}}}
	}
	out := map[string]any{has(clientsfile.ParameterWindow): given(clientsfile.ParameterWindow, "0")}
	var here []any
	for _, p := range r.parameters {
		if p.Optional {
			out[has(p.Name)] = given(p.Name, "")
		}
		if strings.HasPrefix(p.Name, clientsfile.ParameterBalancer) {
			out[p.Name+"Here"] = map[string]any{"Fn::Equals": []any{regionOfParameter(p.Name), ref("AWS::Region")}}
			here = append(here, map[string]any{"Condition": p.Name + "Here"})
		}
	}
	out[anyHere] = map[string]any{"Fn::Or": here}
	return out
}

// describe returns the template's parameters, and how the console shows them.
func (r *releaser) describe(version string) (parameters, metadata map[string]any) {
	parameters = map[string]any{}
	groups := []any{}
	group := func(label string, list []clientsfile.Parameter) {
		names := []string{}
		for _, p := range list {
			d := map[string]any{"Type": "String", "Description": p.Description}
			if p.Number {
				d["Type"] = "Number"
			}
			if p.Optional || p.Default != "" {
				d["Default"] = p.Default
			}
			if p.Name == "ScheduleState" {
				d["AllowedValues"] = []string{"ENABLED", "DISABLED"}
			}
			parameters[p.Name], names = d, append(names, p.Name)
		}
		groups = append(groups, map[string]any{"Label": map[string]any{"default": label}, "Parameters": names})
	}
	group("The release's files", []clientsfile.Parameter{
		{Name: clientsfile.ParameterBucket,
			Description: "The bucket, in the stack's Region, that has the release's files"},
		{Name: clientsfile.ParameterPrefix, Default: "alb-oidc-rotator/" + version + "/",
			Description: "What their keys " +
				"begin with"}})
	i := slices.IndexFunc(r.parameters, func(p clientsfile.Parameter) bool { return p.Name == "RunbookUrl" })
	r.parameters[i].Default = statemachine.DefaultRunbook
	var needed, rest []clientsfile.Parameter
	for _, p := range r.parameters {
		if p.Optional || p.Default != "" {
			rest = append(rest, p)
		} else {
			needed = append(needed, p)
		}
	}
	group("The client", needed)
	group("What it may have", rest)
	return parameters, map[string]any{"AWS::CloudFormation::Interface": map[string]any{"ParameterGroups": groups}}
}

func ref(name string) map[string]any { return map[string]any{"Ref": name} }

func has(parameter string) string { return "Has" + parameter }

func join(delimiter string, parts ...any) map[string]any {
	return map[string]any{"Fn::Join": []any{delimiter, parts}}
}

// pick is a part of a text that is split.
func pick(i int, delimiter string, text any) map[string]any {
	return map[string]any{"Fn::Select": []any{i, map[string]any{"Fn::Split": []any{delimiter, text}}}}
}

// regionOfParameter is the Region of an ARN; "" if there is none.
func regionOfParameter(name string) map[string]any { return pick(3, ":", join("", ref(name), ":::")) }

// optionalRow finds what may be left out of a dashboard's text: an ARN, or a metric, that is not the first of its list.
var optionalRow = regexp.MustCompile("," + `("` + "\x00" + `\d+` + "\x00" + `"|\[[^\[\]]*\])`)

// releaseDashboard makes parts of a dashboard conditional, which is JSON in a text.
func (r *releaser) releaseDashboard(resource map[string]any) {
	properties := resource["Properties"].(map[string]any)
	var text strings.Builder
	var objects []any
	var flatten func(any)
	flatten = func(v any) {
		if s, ok := v.(string); ok {
			text.WriteString(s)
			return
		}
		if j, ok := v.(map[string]any)["Fn::Join"].([]any); ok && j[0] == "" {
			for _, x := range j[1].([]any) {
				flatten(x)
			}
			return
		}
		fmt.Fprintf(&text, "\x00%d\x00", len(objects))
		objects = append(objects, v)
	}
	flatten(properties["DashboardBody"])
	// parts are the texts and objects of a part of the body.
	parts := func(s string) []any {
		var list []any
		for i, x := range strings.Split(s, "\x00") {
			if n, err := strconv.Atoi(x); err == nil && i%2 == 1 {
				list = append(list, objects[n])
			} else if x != "" {
				list = append(list, x)
			}
		}
		return list
	}
	var out []any
	rest := text.String()
	for last := 0; ; {
		at := optionalRow.FindStringIndex(rest[last:])
		if at == nil {
			out = append(out, parts(rest[last:])...)
			break
		}
		row := rest[last+at[0] : last+at[1]]
		own := parts(row)
		condition := r.mentioned(own, false)
		if strings.Contains(row, "SecretEndsIn") || strings.Contains(row, "secretendsin") {
			condition = has(clientsfile.ParameterEnds)
		}
		out = append(out, parts(rest[last:last+at[0]])...)
		if condition == "" {
			out = append(out, own...)
		} else {
			out = append(out, map[string]any{"Fn::If": []any{condition, join("", own...), ""}})
		}
		last += at[1]
	}
	properties["DashboardBody"] = join("", out...)
}
