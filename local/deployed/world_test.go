package deployed_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	ebtypes "github.com/aws/aws-sdk-go-v2/service/eventbridge/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"
	"github.com/go-jose/go-jose/v4"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/inprocess"
	"alboidc.internal/local/scenario"
	"alboidc.internal/local/stack"
	"alboidc.internal/local/stepfunctions"
	"alboidc.internal/local/stepfunctions/integrations"
	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/okta/oktatest"
	"alboidc.internal/statemachine"
)

// world is the local stack with what the template deploys, and the calls that were made.
type world struct {
	*scenario.Deployment
	tpl       template
	functions map[string]string // ARNs of the aliases, by name
	logs      logs

	mu       sync.Mutex
	watching bool // notes calls
	requests []request
	unknown  []error
	ran      func(begins bool) // is told of executions that begin and end
}

const (
	schedules = "schedules"
	machine   = scenario.MachineName
	// started is the alias through which executions are started.
	started = "arn:aws:states:" + scenario.Home + ":" + account + ":stateMachine:" + scenario.MachineName + ":live"
)

// newWorld deploys the template: the functions with their names, environments and aliases, the journal's table, the
// configuration of the example's client, and the state machine with its version and alias. What the example names
// outside of the template (secrets, load balancers, the identity provider) is the local stack's, under the names given
// there.
// The second load balancer is in the account given, if one is.
func newWorld(t *testing.T, tpl template, accounts ...string) *world {
	t.Helper()
	virtual := clock.NewVirtual(time.Now())
	w := &world{tpl: tpl, functions: map[string]string{}}
	s, err := stack.Start(context.Background(), stack.Options{Clock: virtual, Spread: []time.Duration{20 * time.Second,
		55 * time.Second}, OnEvent: w.hear, OnCall: w.call, Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w.deployFunctions(t, s)
	w.Deployment, err = scenario.Deploy(context.Background(), s, scenario.Options{Functions: w.functions,
		Settle: time.Minute, Spread: time.Minute, Grace: time.Hour, Account: strings.Join(accounts, "")})
	if err != nil {
		t.Fatal(err)
	}
	w.localize(t, w.addClients(t)...)
	w.deployTables(t)
	w.deployParameters(t)
	w.deployMachine(t)
	w.deploySchedules(t)
	virtual.Advance(s.ELB.Spread())
	return w
}

func (w *world) deployFunctions(t *testing.T, s *stack.Stack) {
	t.Helper()
	as := map[string]inprocess.Deployed{}
	for _, f := range statemachine.Functions() {
		name := scenario.MachineName + "-" + f.Name
		p := w.tpl.properties(t, "AWS::Lambda::Function", "FunctionName", name)
		d := inprocess.Deployed{Name: name, Environment: map[string]string{},
			Role: w.tpl.arn(t, w.tpl.role(t, f.Name))}
		for key, v := range p["Environment"].(map[string]any)["Variables"].(map[string]any) {
			d.Environment[key] = w.tpl.text(t, v)
		}
		as[f.Name] = d
	}
	arns, err := inprocess.RegisterAs(s, &w.logs, as)
	if err != nil {
		t.Fatal(err)
	}
	api := lambda.NewFromConfig(s.AWS(scenario.Home))
	for name := range as {
		version, err := api.PublishVersion(t.Context(),
			&lambda.PublishVersionInput{FunctionName: aws.String(arns[name])})
		if err != nil {
			t.Fatal(err)
		}
		alias, err := api.CreateAlias(t.Context(), &lambda.CreateAliasInput{FunctionName: aws.String(arns[name]),
			Name: aws.String("live"), FunctionVersion: version.Version})
		if err != nil {
			t.Fatal(err)
		}
		w.functions[name] = *alias.AliasArn
	}
}

// addClients makes the clients of the template that are called client-0, client-1 and so on, and returns what it names
// and what the local stack has in the place of that.
func (w *world) addClients(t *testing.T) (pairs []string) {
	t.Helper()
	n := 0
	for _, r := range w.tpl.Resources {
		if name, _ := r.Properties["Name"].(string); r.Type == "AWS::SSM::Parameter" &&
			strings.HasPrefix(name, scenario.ParameterPrefix+"client-") {
			n++
		}
	}
	names, err := w.AddClients(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		stored, err := ssm.NewFromConfig(w.Stack.AWS(scenario.Home)).GetParameter(t.Context(),
			&ssm.GetParameterInput{Name: aws.String(scenario.ParameterPrefix + name)})
		if err != nil {
			t.Fatal(err)
		}
		c, err := config.Parse([]byte(*stored.Parameter.Value))
		if err != nil {
			t.Fatal(err)
		}
		page := c.SmokeTests.Redirect[0]
		pairs = append(pairs, "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"+name+"-AbCdEf", c.Secret.ARN,
			`"url":"`+page.URL+`"`, `"url":"`+page.URL+`","connectTo":["`+strings.Join(page.ConnectTo, `","`)+`"]`,
			"app/shared-0/50dc6c495c0c9188", between(c.LoadBalancers[0]+" ", "loadbalancer/", " "))
	}
	return pairs
}

// deployParameters stores the configurations of the template's clients.
func (w *world) deployParameters(t *testing.T) {
	t.Helper()
	for _, r := range w.tpl.Resources {
		if r.Type != "AWS::SSM::Parameter" {
			continue
		}
		if _, err := ssm.NewFromConfig(w.Stack.AWS(scenario.Home)).PutParameter(t.Context(),
			&ssm.PutParameterInput{Name: aws.String(fmt.Sprint(r.Properties["Name"])),
				Type: ssmtypes.ParameterTypeString, Tier: ssmtypes.ParameterTierAdvanced, Overwrite: aws.Bool(true),
				Value: aws.String(w.tpl.text(t, r.Properties["Value"]))}); err != nil {
			t.Fatal(err)
		}
	}
}

// localize puts what the local stack has in the place of what the example names. Each must be found, or the template
// has changed and this does not deploy it any more.
func (w *world) localize(t *testing.T, more ...string) {
	t.Helper()
	var settings struct{ AppID string }
	if err := json.Unmarshal(w.Config.IdentityProvider.Settings, &settings); err != nil {
		t.Fatal(err)
	}
	page, p := w.Site.Pages[0], w.Stack.IdP
	nodes, err := json.Marshal(page.Nodes)
	if err != nil {
		t.Fatal(err)
	}
	balancer := func(arn string) string { return between(arn+" ", "loadbalancer/", " ") }
	pairs := append(more,
		"arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/client-secret-AbCdEf", w.SecretARN,
		"arn:aws:secretsmanager:eu-central-1:111122223333:secret:orders-web/smoke-test-user-AbCdEf",
		w.Config.SmokeTests.Login[0].UserSecretARN,
		"arn:aws:secretsmanager:eu-central-1:111122223333:secret:okta/rotator-key-AbCdEf", w.serviceApp(t,
			"0oarotator000000001", "rotator-2026"),
		"app/orders/50dc6c495c0c9188", balancer(w.Site.LoadBalancers[0]),
		"app/orders/73e2d6bc24d8a067", balancer(w.Site.LoadBalancers[1]),
		`"appId":"0oaordersweb0000001"`, `"appId":"`+settings.AppID+`"`,
		"0oaordersweb0000001", w.ClientID,
		"https://example.okta.com/oauth2/default/v1/authorize", p.Endpoints().Authorization,
		"https://example.okta.com/oauth2/default/v1/token", p.Endpoints().Token,
		"https://example.okta.com/oauth2/default", p.Issuer(),
		"https://example.okta.com", p.URL(),
		`"url":"https://orders.example.com/"`, `"url":"`+page.URL+`","connectTo":`+string(nodes),
		"https://orders.example.com/oauth2/", "https://shop.localhost/oauth2/",
		"Your orders", page.Greeting+w.Tester.Email)
	whole, err := json.Marshal(w.tpl)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(strings.ReplaceAll(string(whole), `\"`, `"`), pairs[i]) {
			t.Fatalf("the template does not have %s", pairs[i])
		}
	}
	by := strings.NewReplacer(pairs...).Replace
	local := template{Resources: map[string]resource{}}
	for id, r := range w.tpl.Resources {
		r.Properties, _ = replaced(r.Properties, by).(map[string]any)
		local.Resources[id] = r
	}
	w.tpl = local
}

// signs is the key in AWS KMS by which the example's other client signs.
const signs = "arn:aws:kms:eu-central-1:111122223333:key/5c6d7e8f-1111-2222-3333-444455556666"

// serviceApp registers the service app of the example at the identity provider, with a key in KMS and a stored one, and
// returns the ARN of that.
func (w *world) serviceApp(t *testing.T, clientID, keyID string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	atKMS, err := w.Stack.KMS.Signing(signs, "RSA_2048")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Stack.IdP.Vendor().(*oktatest.Okta).RegisterServiceApp(oktatest.ServiceApp{ClientID: clientID,
		Keys: jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: keyID},
			{Key: atKMS, KeyID: signs[strings.LastIndex(signs, "/")+1:]}}}}); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).CreateSecret(t.Context(),
		&secretsmanager.CreateSecretInput{
			Name:         aws.String("okta/rotator-key"),
			SecretString: aws.String(string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})))})
	if err != nil {
		t.Fatal(err)
	}
	return *stored.ARN
}

// deployTables makes the template's tables in the place of those that there are.
func (w *world) deployTables(t *testing.T) {
	t.Helper()
	api := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home))
	for _, name := range []string{scenario.JournalTable, scenario.EvidenceTable} {
		if _, err := api.DeleteTable(t.Context(), &dynamodb.DeleteTableInput{TableName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range w.tpl.Resources {
		if r.Type != "AWS::DynamoDB::Table" {
			continue
		}
		in := dynamodb.CreateTableInput{TableName: aws.String(fmt.Sprint(r.Properties["TableName"])),
			BillingMode: ddbtypes.BillingModePayPerRequest}
		for _, k := range r.Properties["KeySchema"].([]any) {
			m := k.(map[string]any)
			in.KeySchema = append(in.KeySchema,
				ddbtypes.KeySchemaElement{AttributeName: aws.String(m["AttributeName"].(string)),
					KeyType: ddbtypes.KeyType(m["KeyType"].(string))})
		}
		for _, a := range r.Properties["AttributeDefinitions"].([]any) {
			m := a.(map[string]any)
			in.AttributeDefinitions = append(in.AttributeDefinitions,
				ddbtypes.AttributeDefinition{AttributeName: aws.String(m["AttributeName"].(string)),
					AttributeType: ddbtypes.ScalarAttributeType(m["AttributeType"].(string))})
		}
		if _, err := api.CreateTable(t.Context(), &in); err != nil {
			t.Fatal(err)
		}
	}
}

// definition of a state machine with the template's substitutions.
func (w *world) definition(t *testing.T, name string) string {
	t.Helper()
	p := w.tpl.properties(t, "AWS::StepFunctions::StateMachine", "StateMachineName", name)
	values := map[string]string{}
	for name, v := range p["DefinitionSubstitutions"].(map[string]any) {
		values[name] = w.tpl.text(t, v)
	}
	definition, err := statemachine.Render(fmt.Sprint(p["DefinitionString"]), values)
	if err != nil {
		t.Fatal(err)
	}
	return definition
}

// deployMachine puts the template's definition into the state machine, with a version and the alias.
func (w *world) deployMachine(t *testing.T) {
	t.Helper()
	if _, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateStateMachine(t.Context(),
		&sfn.UpdateStateMachineInput{StateMachineArn: &w.MachineARN,
			Definition: aws.String(w.definition(t, scenario.MachineName))}); err != nil {
		t.Fatal(err)
	}
	if err := w.CreateAlias(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// deployNotifier creates the state machine that looks after ended executions, and returns its ARN.
func (w *world) deployNotifier(t *testing.T) string {
	return w.deploy(t, scenario.MachineName+"-notifier")
}

// deploy creates a state machine of the template, and returns its ARN.
func (w *world) deploy(t *testing.T, name string) string {
	t.Helper()
	made, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).CreateStateMachine(t.Context(),
		&sfn.CreateStateMachineInput{Name: &name,
			Definition: aws.String(w.definition(t, name)),
			RoleArn:    aws.String("arn:aws:iam::111122223333:role/from-the-template")})
	if err != nil {
		t.Fatal(err)
	}
	return *made.StateMachineArn
}

// deployRule creates a rule of the template, which starts a state machine.
func (w *world) deployRule(t *testing.T, name, machine string) {
	t.Helper()
	rule := w.tpl.properties(t, "AWS::Events::Rule", "Name", scenario.MachineName+"-"+name)
	text, err := json.Marshal(w.tpl.resolved(t, rule["EventPattern"]))
	if err != nil {
		t.Fatal(err)
	}
	bus := eventbridge.NewFromConfig(w.Stack.AWS(scenario.Home))
	if _, err := bus.PutRule(t.Context(), &eventbridge.PutRuleInput{Name: &name,
		EventPattern: aws.String(string(text))}); err != nil {
		t.Fatal(err)
	}
	target := ebtypes.Target{Id: aws.String("target"), Arn: &machine,
		RoleArn: aws.String("arn:aws:iam::111122223333:role/from-the-template")}
	x, err := json.Marshal(rule["Targets"].([]any)[0].(map[string]any)["InputTransformer"])
	if err == nil {
		err = json.Unmarshal(x, &target.InputTransformer)
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bus.PutTargets(t.Context(), &eventbridge.PutTargetsInput{Rule: &name,
		Targets: []ebtypes.Target{target}}); err != nil {
		t.Fatal(err)
	}
}

// hear follows the executions. A distributed Map starts its executions without a call of an API.
func (w *world) hear(execution string, e stepfunctions.Event) {
	if w.ran != nil && (e.ExecutionStarted != nil || e.ExecutionSucceeded != nil || e.ExecutionFailed != nil) {
		w.ran(e.ExecutionStarted != nil)
	}
	if e.MapRunStarted == nil {
		return
	}
	started := strings.Replace(execution[:strings.LastIndex(execution, ":")], ":execution:", ":stateMachine:", 1)
	w.call(integrations.KeyOf+strings.Split(started, ":")[6], "states", "StartExecution",
		fmt.Sprintf(`{"stateMachineArn": %q}`, started))
}

// watch has the calls noted from now on.
func (w *world) watch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watching = true
}

// call notes a call of an AWS API as IAM would see it.
func (w *world) call(key, service, operation, text string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.watching {
		return
	}
	actor := w.caller(key, operation)
	if actor == "" {
		return
	}
	if there, is := strings.CutPrefix(text, "account="); is { // by the session of a role there
		actor = there[:len(account)]
	}
	r, err := requestOf(actor, service, operation, text)
	r.role = w.Stack.STS.RoleOf(key)
	if err != nil {
		w.unknown = append(w.unknown, err)
	}
	w.requests = append(w.requests, r)
}

// caller is who signs with a key: a function, maybe by the session of a role, a state machine, or the schedules; "" is
// somebody else.
func (w *world) caller(key, operation string) string {
	if machine, is := strings.CutPrefix(key, integrations.KeyOf); is {
		return machine
	}
	by := w.Stack.STS.RoleOf(key)
	for name := range w.functions {
		if key == inprocess.KeyOf(name) || strings.Contains(by, "-"+name+"-") {
			return name
		}
	}
	if by != "" {
		return by
	}
	if operation == "StartExecution" {
		return schedules
	}
	return ""
}

// begin starts an execution.
func (w *world) begin(t *testing.T, machine, input string) (execution string) {
	t.Helper()
	begun, err := sfn.NewFromConfig(w.Stack.AWS(scenario.Home)).StartExecution(t.Context(),
		&sfn.StartExecutionInput{StateMachineArn: &machine, Input: &input})
	if err != nil {
		t.Fatal(err)
	}
	return *begun.ExecutionArn
}

// run runs an execution and returns its result.
func (w *world) run(t *testing.T, machine, input string) asl.Result {
	t.Helper()
	return w.ended(t, w.begin(t, machine, input))
}
