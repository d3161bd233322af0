package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"alboidc.internal/shared/clientsfile"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rights"
)

// fleet is the example's clients, and others that share next to nothing: each with load balancers of its own, and every
// kind of provider, secret, key, search, role in another account and address.
func fleet(t *testing.T, n int) File {
	t.Helper()
	example, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	f := crowd(t, n-len(example.Clients), 2)
	for i := range f.Clients {
		c := &f.Clients[i]
		id := fmt.Sprintf("%016x", i)
		for b := range c.LoadBalancers { // its id tells a load balancer
			c.LoadBalancers[b] = strings.Replace(c.LoadBalancers[b], "50dc6c495c0c9188", id[:15]+fmt.Sprint(b), 1)
		}
		p := &c.IdentityProvider
		switch i % 5 {
		case 1:
			p.Settings = []byte(
				fmt.Sprintf(`{"serviceApp":{"clientId":"x","keyArn":"arn:aws:kms:eu-central-1:111122223333:`+
					`key/00000000-0000-0000-0000-%012d"}}`, i/20))
		case 2:
			p.Type, p.Settings = "cognito", []byte(fmt.Sprintf(`{"userPoolId":"eu-west-1_AbC%d"}`, i))
		case 3:
			p.Type, p.Settings = "lambda",
				[]byte(fmt.Sprintf(`{"functionArn":"arn:aws:lambda:eu-central-1:111122223333:`+
					`function:client-secrets-%d:live"}`, i/20))
		case 4:
			p.Type, p.Settings = "entra", []byte(`{"tenantId":"t","webIdentity":{"clientId":"x"}}`)
		}
		if i%3 == 0 {
			c.CreateSecret, c.Secret.ARN = true, ""
		}
		if i%10 == 0 {
			c.LoadBalancerSearch = &config.LoadBalancerSearch{Tags: map[string]string{"a": "b"},
				Regions: []string{"eu-west-3"}}
		}
		if i%4 == 0 {
			account := fmt.Sprintf("2222%08d", i/20)
			c.Roles = map[string]config.Role{"there": {RoleARN: "arn:aws:iam::" + account + ":role/workload",
				ExternalID: "hub"}}
			c.LoadBalancers = append(c.LoadBalancers, strings.Replace(c.LoadBalancers[0], "111122223333", account, 1))
		}
		if i%5 == 0 {
			c.Notifications.Email = []string{fmt.Sprintf("team-%d@example.com", i/10)}
		}
	}
	f.Clients = append(example.Clients, f.Clients...)
	return f
}

// inPlaces is the example with its first client in a further stack.
var inPlaces = sync.OnceValues(func() ([]template, error) {
	file, err := readFile(clientsFile)
	if err != nil {
		return nil, err
	}
	return synthesizedIn(file, places{Stacks: 1, Clients: map[string]int{"orders-web": 1, "shop-web": 0}})
})

// synthesizedIn are the templates of a file whose clients are where they are known to be.
func synthesizedIn(file File, known places) ([]template, error) {
	p, err := place(&file, &known, nil)
	if err != nil {
		return nil, err
	}
	return synthesizedWith(file, p)
}

func withPlaces(t *testing.T) []template {
	t.Helper()
	list, err := inPlaces()
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// ofAFleet is the example in places with two clients more, one in each stack, which share a load balancer.
func ofAFleet(t *testing.T) []template {
	t.Helper()
	file, err := readFile(clientsFile)
	if err != nil {
		t.Fatal(err)
	}
	p := places{Stacks: 1, Clients: map[string]int{"orders-web": 1, "shop-web": 0, "client-0": 0, "client-1": 1}}
	for i := range 2 {
		c := file.Clients[0]
		c.Name, c.ClientID = fmt.Sprintf("client-%d", i), fmt.Sprintf("0oa%016d", i)
		c.Secret.ARN = strings.Replace(c.Secret.ARN, "orders-web/client-secret", c.Name, 1)
		c.IdentityProvider.Settings = []byte(strings.Replace(string(c.IdentityProvider.Settings), "0oaordersweb0000001",
			fmt.Sprintf("0oaapp%013d", i), 1))
		c.CallbackURL = "https://shared.localhost/oauth2/idpresponse"
		c.LoadBalancers = []string{strings.Replace(c.LoadBalancers[0], "app/orders/", "app/shared-0/", 1)}
		c.SmokeTests.Redirect = []config.RedirectTest{{URL: fmt.Sprintf("https://shared.localhost/%d/", i)}}
		c.SmokeTests.Login = nil
		file.Clients = append(file.Clients, c)
	}
	list, err := synthesizedIn(file, p)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// fiveHundred are the templates of as many clients as a file may have, and that file.
var fiveHundredOnce struct {
	sync.Once
	file File
	list []template
}

func fiveHundred(t *testing.T) []template {
	t.Helper()
	fiveHundredOnce.Do(func() {
		f := fleet(t, clientsfile.MaxClients)
		p, err := place(&f, nil, func(some File) error { // as many as fit if they are synthesized
			if len(some.Clients) > 13 {
				return tooLargeError{os.ErrInvalid}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		list, err := synthesizedWith(f, p)
		if err != nil {
			t.Fatal(err)
		}
		fiveHundredOnce.file, fiveHundredOnce.list = f, list
	})
	return fiveHundredOnce.list
}

func TestFiveHundredClientsAreDeployed(t *testing.T) {
	list := fiveHundred(t)
	f := fiveHundredOnce.file
	names, roles := map[string]int{}, 0
	for n, tpl := range list {
		buses := map[string]int{}
		for id, r := range tpl.Resources {
			for kind, property := range nameOf {
				if name := text(r.Properties[property]); r.Type == kind && name != "" {
					names[kind+" "+name]++
				}
			}
			switch r.Type {
			case "AWS::IAM::Role":
				roles++
			case "AWS::Events::Rule":
				buses[text(r.Properties["EventBusName"])]++
				if size := len(plain(r.Properties["EventPattern"])); size > 2048-100 { // less what an ARN is longer
					t.Errorf("the pattern of %s has %d characters", id, size)
				}
			}
		}
		for bus, rules := range buses {
			if rules > 100 {
				t.Errorf("%d rules are on bus %q", rules, bus)
			}
		}
		t.Logf("stack %d: %d resources, %d outputs, %d bytes", n, len(tpl.Resources), len(tpl.Outputs), len(tpl.text))
	}
	for name, n := range names {
		if n > 1 {
			t.Errorf("%s is in %d stacks", name, n)
		}
	}
	for _, c := range f.Clients {
		if names["AWS::SSM::Parameter /alb-oidc-rotator/clients/"+c.Name] != 1 ||
			names["AWS::Scheduler::Schedule "+c.Name] != 1 ||
			names["AWS::Scheduler::Schedule "+c.Name+".measure"] != 1 {
			t.Errorf("%s is not deployed", c.Name)
		}
	}
	if roles > 1000/4 { // IAM user guide, "IAM and AWS STS quotas": what an account has by default
		t.Errorf("%d roles", roles)
	}
	t.Logf("%d stacks, %d roles", len(list), roles)
}

// The role of a function in a further stack reaches that stack's clients and no others, the function's own those in the
// stack itself, and each the function alone.
func TestARoleReachesTheClientsOfItsStackOnly(t *testing.T) {
	t.Parallel()
	list := withPlaces(t)
	theirs := []string{orders, admin, tester, balancers("listener-rule")[0], balancers("listener-rule")[1],
		balancers("listener")[0], balancers("listener")[1]}
	inFurther, inItself := map[string][]may{}, allowed()
	roleOf := func(f string) string {
		return "arn:aws:iam::111122223333:role/alb-oidc-rotator-eu-central-1-" + f + "-1"
	}
	for who, all := range inItself {
		inItself[who] = nil
		_, isFunction := rights.Functions[who]
		for _, m := range all {
			there := m
			there.resources = slices.DeleteFunc(slices.Clone(m.resources), func(arn string) bool {
				return !slices.Contains(theirs, arn) && arn != "*" || strings.HasPrefix(m.actions[0], "xray:") || m.deny
			})
			if isFunction && len(there.resources) > 0 {
				inFurther[who] = append(inFurther[who], there)
			}
			if isFunction {
				m.resources = slices.DeleteFunc(slices.Clone(m.resources), func(arn string) bool {
					return slices.Contains(theirs, arn)
				})
			}
			if m.condition == ourItems {
				m.condition = ""
			}
			inItself[who] = append(inItself[who], m)
		}
		if isFunction && who != "record" {
			inItself[who] = append(inItself[who], one("sts:AssumeRole", roleOf(who)))
		}
	}
	const parameters = "arn:aws:ssm:eu-central-1:111122223333:parameter/alb-oidc-rotator/clients/"
	replace := func(who, action string, m may) {
		inItself[who] = append(slices.DeleteFunc(inItself[who], func(m may) bool { return m.actions[0] == action }), m)
	}
	replace("statemachine", "ssm:GetParameter", one("ssm:GetParameter", parameters+"*"))
	replace("Operators", "iam:SimulatePrincipalPolicy", one("iam:SimulatePrincipalPolicy", append(simulated(),
		"arn:aws:iam::111122223333:role/alb-oidc-rotator-eu-central-1-*")...))
	inItself["Operators"] = slices.DeleteFunc(inItself["Operators"], func(m may) bool {
		return m.actions[0] == "kms:GetPublicKey"
	})
	inItself["OperatorsMore"] = []may{one("kms:GetPublicKey", signing)}
	const alarms = "arn:aws:cloudwatch:eu-central-1:111122223333:alarm:alb-oidc-rotator-*"
	inItself["ClientAlarmsPolicy"] = []may{one("sns:Publish", "<ClientAlarms>").by("*").denied().when(insecure),
		one("sns:Publish", "<ClientAlarms>").by(service("cloudwatch")).when(source(alarms))}
	checkPolicies(t, list[0], inItself)

	inFurther["changes"] = []may{one("events:PutEvents",
		"arn:aws:events:eu-central-1:111122223333:event-bus/alb-oidc-rotator-clients-1")}
	inFurther["trust of changes"] = inItself["trust of rules"]
	for name, g := range rights.Functions {
		if !g.Evidence {
			inFurther["trust of "+name] = []may{one("sts:AssumeRole", "").by(`{"AWS":"<Role` + name + `.Arn>"}`)}
		}
	}
	checkPolicies(t, imported(t, list[1], list[0]), inFurther)
}

// imported is a template with what it imports of another one in the place of the imports.
func imported(t *testing.T, tpl, from template) template {
	t.Helper()
	exports := map[string]any{}
	for _, o := range from.Outputs {
		if e, is := o.(map[string]any)["Export"]; is {
			exports[text(at(t, e, "Name"))] = at(t, o, "Value")
		}
	}
	var walk func(any) any
	walk = func(v any) any {
		switch v := v.(type) {
		case []any:
			for i := range v {
				v[i] = walk(v[i])
			}
		case map[string]any:
			if name, is := v["Fn::ImportValue"]; is {
				if exports[text(name)] == nil {
					t.Errorf("%s is imported, but nobody exports it", text(name))
				}
				return exports[text(name)]
			}
			for k := range v {
				v[k] = walk(v[k])
			}
		}
		return v
	}
	var out template
	if err := json.Unmarshal(tpl.text, &out); err != nil {
		t.Fatal(err)
	}
	for id, r := range out.Resources {
		r.Properties, _ = walk(r.Properties).(map[string]any)
		out.Resources[id] = r
	}
	return out
}

// Whatever holds state is, in the stack itself, what it is without further stacks: nothing of it is replaced, removed
// or moved when a file grows beyond what one has room for.
func TestWhatHoldsStateStaysAsTheFileGrows(t *testing.T) {
	t.Parallel()
	holds := []string{"AWS::SSM::Parameter", "AWS::SecretsManager::Secret", "AWS::DynamoDB::Table", "AWS::SNS::Topic",
		"AWS::KMS::Key", "AWS::StepFunctions::StateMachine", "AWS::StepFunctions::StateMachineAlias",
		"AWS::Scheduler::ScheduleGroup", "AWS::Logs::LogGroup", "AWS::SQS::Queue", "AWS::SNS::Subscription",
		"AWS::Lambda::Alias", "AWS::Lambda::Function", "AWS::IAM::Role"}
	var was template
	data, err := os.ReadFile(golden) // what was released last
	if err == nil {
		err = json.Unmarshal(data, &was)
	}
	if err != nil {
		t.Fatal(err)
	}
	grown := fiveHundred(t)[0]
	kept := 0
	for id, r := range was.Resources {
		if !slices.Contains(holds, r.Type) {
			continue
		}
		kept++
		now := grown.Resources[id]
		if now.Type != r.Type || now.DeletionPolicy != r.DeletionPolicy ||
			now.UpdateReplacePolicy != r.UpdateReplacePolicy {
			t.Errorf("%s was %s, and is %+v", id, r.Type, now)
		}
		for name, v := range r.Properties {
			switch name {
			case "Code", "Environment", "DefinitionSubstitutions", "RoutingConfiguration", "FunctionVersion": // updates
			default:
				if plain(v) != plain(now.Properties[name]) {
					t.Errorf("%s of %s has become %s", name, id, plain(now.Properties[name]))
				}
			}
		}
	}
	if kept < 40 {
		t.Errorf("only %d resources hold state", kept)
	}
}

// nameOf are the properties by which the account knows what a resource is.
var nameOf = map[string]string{"AWS::SSM::Parameter": "Name", "AWS::Scheduler::Schedule": "Name",
	"AWS::CloudWatch::Alarm": "AlarmName", "AWS::Events::Rule": "Name", "AWS::SecretsManager::Secret": "Name",
	"AWS::CloudWatch::Dashboard": "DashboardName", "AWS::IAM::Role": "RoleName"}

// CloudFormation makes what is new before it removes what is old, so that nothing may go from one resource to another:
// what is edited in the file changes that client's resources, and of the others replaces, removes and moves nothing.
func TestAnEditOfAClientMovesNothingOfOthers(t *testing.T) {
	t.Parallel()
	f := fleet(t, 6)
	before := places{Stacks: 1, Clients: map[string]int{}, Addresses: map[string]int{}}
	for i, c := range f.Clients {
		before.Clients[c.Name] = i % 2
	}
	before = before.of(f)
	synthesize := func(f File) map[string]string { // what is known by a name, and where
		t.Helper()
		list, err := synthesizedIn(f, before)
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]string{}
		for n, tpl := range list {
			for id, r := range tpl.Resources {
				name := text(r.Properties[nameOf[r.Type]])
				if nameOf[r.Type] == "" || name == "" {
					name = fmt.Sprint(n, " ", id)
				}
				out[r.Type+" "+name] = fmt.Sprint(n, " ", id)
			}
		}
		return out
	}
	was := synthesize(f)
	edited := f.Clients[4]
	fresh := edited
	fresh.Name, fresh.ClientID = "a-new-one", "new"
	fresh.LoadBalancers = []string{strings.Replace(edited.LoadBalancers[0], "/app/", "/app/a-new-one-", 1)}
	fresh.Secret.ARN = strings.Replace(edited.Secret.ARN, edited.Name, "a-new-one", 1)
	for name, clients := range map[string][]Client{
		"one more at the top":        slices.Insert(slices.Clone(f.Clients), 0, fresh),
		"one less in the middle":     slices.Delete(slices.Clone(f.Clients), 4, 5),
		"one renamed":                slices.Replace(slices.Clone(f.Clients), 4, 5, fresh),
		"one goes to another tenant": slices.Replace(slices.Clone(f.Clients), 4, 5, withSettings(edited, "t2")),
	} {
		file := f
		file.Clients = clients
		is := synthesize(file)
		theirs := func(what string) bool { // what is known of the client that is edited, or of its load balancers
			return slices.ContainsFunc(append([]string{edited.Name, strings.ReplaceAll(edited.Name, "-", "")},
				balancersOf([]Client{edited})...), func(s string) bool {
				return strings.Contains(what, s) || strings.Contains(s, ":loadbalancer/") &&
					strings.Contains(what, balancerName(s))
			})
		}
		for what, where := range was {
			switch now, kept := is[what]; {
			case kept && now != where:
				t.Errorf("%s: %s goes from %s to %s", name, what, where, now)
			case !kept && !theirs(what):
				t.Errorf("%s: %s at %s is removed, or replaced", name, what, where)
			}
		}
	}
}

// withSettings is a client in another tenant.
func withSettings(c Client, tenant string) Client {
	c.IdentityProvider.Settings = []byte(strings.Replace(string(c.IdentityProvider.Settings), `"t"`, `"`+tenant+`"`, 1))
	return c
}

// What a client has must stay in its stack, whatever becomes of the others and of the file's order.
func TestAPlaceOnceGivenIsKept(t *testing.T) {
	t.Parallel()
	client := func(name string) Client {
		return Client{Client: config.Client{Name: name}, Notifications: clientsfile.Notifications{
			Email: []string{name[:1] + "@example.com"}}}
	}
	var f File
	for i := range 120 {
		f.Clients = append(f.Clients, client(fmt.Sprintf("%c-%d", 'a'+i%7, i)))
	}
	before := firstPlaces(f, 30)
	if before.Stacks != 4 || before.Clients["b-29"] != 0 || before.Clients["c-30"] != 1 {
		t.Fatalf("at first the places are %+v", before)
	}
	same := func(what string, after places) {
		t.Helper()
		for name, n := range after.Clients {
			if was, known := before.Clients[name]; known && was != n {
				t.Errorf("%s: client %s moved from %d to %d", what, name, was, n)
			}
		}
		for address, n := range after.Addresses {
			if was, known := before.Addresses[address]; known && was != n {
				t.Errorf("%s: address %s moved from %d to %d", what, address, was, n)
			}
		}
		if after.Stacks < before.Stacks || slices.Max(slices.Collect(maps.Values(after.Clients))) > after.Stacks {
			t.Errorf("%s: %d stacks", what, after.Stacks)
		}
	}
	changed := f
	changed.Clients = slices.Clone(f.Clients)
	slices.Reverse(changed.Clients)
	same("reversed", before.of(changed))
	changed.Clients = append([]Client{client("new-1"), client("new-2")}, f.Clients...)
	after := before.of(changed)
	if same("two more at the beginning", after); after.Clients["new-1"] != 4 || len(after.Clients) != 122 {
		t.Errorf("a new client is in stack %d", after.Clients["new-1"])
	}
	changed.Clients = slices.DeleteFunc(slices.Clone(f.Clients),
		func(c Client) bool { return before.Clients[c.Name] == 4 })
	after = before.of(changed)
	if same("all of a stack gone", after); after.Stacks != 4 || after.Clients["a-119"] != 0 {
		t.Errorf("the places are %+v", after)
	}
	changed.Clients = append(slices.DeleteFunc(slices.Clone(f.Clients), func(c Client) bool {
		return before.Clients[c.Name] == 0 && c.Name[0] != 'a'
	}), client("new-3"))
	after = before.of(changed)
	if same("room in the stack itself", after); after.Clients["new-3"] != 0 {
		t.Errorf("a new client is in stack %d", after.Clients["new-3"])
	}
}

// Who is taken out for a while, without a deployment in between, is still where it was.
func TestWhoIsTakenOutComesBackToItsPlace(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.places.json")
	client := func(name string) Client { return Client{Client: config.Client{Name: name}} }
	for _, known := range []places{
		{Clients: map[string]int{"a": 0, "b": 0}, Addresses: map[string]int{}},
		{Stacks: 2, Clients: map[string]int{"a": 2, "b": 1}, Addresses: map[string]int{}},
	} {
		f := File{Clients: []Client{client("b"), client("c")}}
		var p *places
		if known.Stacks > 0 {
			now := known.of(f)
			p = &now
		}
		if err := note(path, f, &known, p); err != nil {
			t.Fatal(err)
		}
		got, err := readPlaces(path)
		if err != nil || len(got.Clients) != 3 {
			t.Fatalf("the places are %+v (%v)", got, err)
		}
		if got.Clients["a"] != known.Clients["a"] {
			t.Errorf("a was in %d, and comes back to %d", known.Clients["a"], got.Clients["a"])
		}
	}
}

// What the stack itself needs for further ones takes room, too: without it the first client too many was refused.
func TestTheRoomOfTheStackIsMeasuredWithFurtherOnes(t *testing.T) {
	t.Parallel()
	f := fleet(t, 3)
	if p := besides(f, f); p != nil {
		t.Errorf("all are tried by %+v", p)
	}
	some := f
	some.Clients = f.Clients[:2]
	list, err := synthesizedWith(some, besides(some, f))
	if err != nil {
		t.Fatal(err)
	}
	there := withPlaces(t)[0]
	if len(list) != 2 || len(list[0].of("AWS::IAM::ManagedPolicy")) != len(there.of("AWS::IAM::ManagedPolicy")) ||
		len(list[0].of("AWS::SNS::Topic")) != len(there.of("AWS::SNS::Topic")) ||
		len(list[0].of("AWS::SSM::Parameter")) != 2 {
		t.Errorf("it is tried with %v", list[0].of("AWS::IAM::ManagedPolicy"))
	}
}

// Who misspells a client in the file of places has it moved, with its secret's parameters and alarms.
func TestAClientWhosePlaceHasAnotherNameIsTold(t *testing.T) {
	t.Parallel()
	file := File{Clients: []Client{{Client: config.Client{Name: "a"}}, {Client: config.Client{Name: "b"}}}}
	for _, c := range []struct{ known, away, unknown string }{
		{"a b", "", ""}, {"a", "", ""}, {"a b gone", "", ""}, {"a bb", "bb", "b"}, {"c d", "c d", "a b"},
	} {
		known := places{Clients: map[string]int{}}
		for _, name := range strings.Fields(c.known) {
			known.Clients[name] = 0
		}
		away, unknown := known.missing(file)
		if a, u := strings.Join(away, " "), strings.Join(unknown, " "); a != c.away || a != "" && u != c.unknown {
			t.Errorf("places of %s: away %q, without a place %q", c.known, a, u)
		}
	}
	if away, _ := (*places)(nil).missing(file); len(away) > 0 {
		t.Errorf("without a file of places: %v", away)
	}
}

func TestPlacesThatCannotBeRightAreRefused(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "clients.places.json")
	if p, err := readPlaces(path); p != nil || err != nil {
		t.Errorf("without a file: %v, %v", p, err)
	}
	for text, want := range map[string]string{
		`{"stacks": 1, "clients": {"a": 1}}`:                            "",
		`{"stacks": 1, "clients": {"a": 2}}`:                            "clients.a: must be 0, the stack itself",
		`{"stacks": 1, "clients": {"a": -1}}`:                           "clients.a: must be 0",
		`{"stacks": 1, "clients": {}, "addresses": {"x@y": 7}}`:         "addresses.x@y: must be 0",
		`{"stacks": 0, "clients": {"a": 0}}`:                            "",
		`{"stacks": 0, "clients": {"a": 1}}`:                            "clients.a: must be 0",
		`{"stacks": 100, "clients": {}}`:                                "stacks: must be 0 to 99, not 100",
		`{"stacks": 1, "clients": {"a": 1, "a": 0}}`:                    "is given twice",
		"{\n<<<<<<< HEAD\n \"stacks\": 1,\n=======":                     "put back the text that was committed last",
		`{"stacks": 1, "clients": {"a": 1}, "client": {"places": "b"}}`: "client: is not known",
		"": "put back the text",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readPlaces(path)
		if (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) ||
			!strings.Contains(err.Error(), path)) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}

func TestPlacesAreWrittenOnce(t *testing.T) {
	t.Parallel()
	path := placesPath(filepath.Join(t.TempDir(), "other.yaml"))
	p := places{Stacks: 1, Clients: map[string]int{"b": 1, "a": 0}}
	for _, want := range []bool{true, false} {
		if changed, err := p.write(path); changed != want || err != nil {
			t.Errorf("written: %t, %v", changed, err)
		}
	}
	text, err := os.ReadFile(path)
	if want := "{\n  \"stacks\": 1,\n  \"clients\": {\n    \"a\": 0,\n    \"b\": 1\n  }\n}\n"; string(text) != want ||
		filepath.Base(path) != "other.places.json" {
		t.Errorf("%s holds %s, %v", path, text, err)
	}
}

// However many clients fit, they are the first of the file; what does not fit for another reason is told.
func TestTheFirstClientsOfAFileStayInTheStackItself(t *testing.T) {
	t.Parallel()
	var f File
	for i := range 60 {
		f.Clients = append(f.Clients, Client{Client: config.Client{Name: fmt.Sprint("c", i)}})
	}
	for _, room := range []int{1, 2, 17, 30, 31, 60} {
		asked := 0
		some := f
		some.Clients = slices.Clone(f.Clients)
		p, err := place(&some, nil, func(f File) error {
			if asked++; len(f.Clients) > room {
				return fmt.Errorf("the stack: %w", tooLargeError{os.ErrInvalid})
			}
			return nil
		})
		in := 0
		for _, c := range some.Clients {
			if c.Place == 0 {
				in++
			}
		}
		if err != nil || p == nil || in != min(room, clientsInStack) || asked > 7 {
			t.Errorf("room for %d: %d are in the stack itself, after %d tries (%v)", room, in, asked, err)
		}
	}
	// What the stack has, by the file of places, stays there, wherever new clients are put into the file.
	had := places{Clients: map[string]int{}}
	for _, c := range f.Clients[30:] {
		had.Clients[c.Name] = 0
	}
	room := func(n int) func(File) error {
		return func(f File) error {
			if len(f.Clients) > n {
				return tooLargeError{os.ErrInvalid}
			}
			return nil
		}
	}
	p, err := place(&f, &had, room(31))
	if err != nil || p.in(0) != 31 || p.Clients["c0"] != 0 || p.Clients["c1"] != 1 {
		t.Errorf("the places are %+v (%v)", p, err)
	}
	for name := range had.Clients {
		if p.Clients[name] != 0 {
			t.Errorf("client %s moved to %d", name, p.Clients[name])
		}
	}
	if _, err := place(&f, &had, room(29)); err == nil || !strings.Contains(err.Error(), "30 are in the stack") ||
		!strings.Contains(err.Error(), "None may move") {
		t.Errorf("clients that have grown: %v", err)
	}
	if _, err := place(&f, nil, func(File) error { return os.ErrInvalid }); err != os.ErrInvalid {
		t.Errorf("got %v", err)
	}
	if _, err := place(&f, nil, func(File) error { return tooLargeError{os.ErrInvalid} }); err == nil {
		t.Error("a client that fits nowhere is placed")
	}
}
