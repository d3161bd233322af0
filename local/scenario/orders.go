// Package scenario sets up, through the AWS API, what a user of this system has in the account: a client called
// orders-web with its secret, two load balancers in two Regions with five targets, an application behind them, and the
// deployed rotation itself.
package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/stack"
	"alboidc.internal/shared/awstest/awsapi"
	"alboidc.internal/shared/awstest/sts"
	"alboidc.internal/shared/config"
	sharedidp "alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/idptest/imitations"
	"alboidc.internal/shared/idp/registry"
	"alboidc.internal/shared/secret"
	"alboidc.internal/statemachine"
)

// Names of what is set up.
const (
	Client          = "orders-web"
	Home            = "eu-central-1" // the Region of the rotation, the secret and the first load balancer
	Away            = "eu-west-1"    // the Region of the second load balancer
	JournalTable    = "alb-oidc-rotator-journal"
	EvidenceTable   = "alb-oidc-rotator-evidence"
	ParameterPrefix = "/alb-oidc-rotator/clients/"
	MachineName     = "alb-oidc-rotator"
	Subscriber      = "team@example.com" // who is told
)

// Options choose the pace; in production they are the client's configuration and the functions' timeouts.
type Options struct {
	// Functions are the ARNs of the functions, by name.
	Functions map[string]string
	// Settle, Spread and Grace are the waits of the state machine.
	Settle, Spread, Grace time.Duration
	// Provider is the identity provider, with a client that uses it; nil is the stack's own, with a new client.
	Provider *Provider
	// Account is a further account of the stack, for the second load balancer; "" is the rotation's own.
	Account string
	// Configure, if set, changes the client's configuration before it is stored.
	Configure func(*config.Client)
}

// Provider is an identity provider, and a client of it.
type Provider struct {
	Type, Issuer string
	Endpoints    idp.Endpoints
	ClientID     string
	// Secret is the client's before any rotation.
	Secret secret.Value
	// Settings are identityProvider.settings; adminARN is the secret that holds Admin, the credential of the management
	// API.
	Settings func(adminARN string) map[string]any
	Admin    secret.Value
	// Users can log in; Tester is the one that the smoke tests use. Without it they test no login.
	Users  []idp.User
	Tester idp.User
	// pairID is a second registration, which the client's configuration names if the provider keeps one secret.
	pairID string
}

// Deployment is what was set up.
type Deployment struct {
	Stack      *stack.Stack
	MachineARN string
	// values fill the definitions of the state machines.
	values    statemachine.Values
	SecretARN string
	TopicARN  string
	Config    config.Client
	// ClientID is the OAuth client id that the load balancers have before any rotation, in the form of the stack's
	// identity provider. Config.ClientIDs are all.
	ClientID string
	// FirstSecretID is the identity provider's id of the secret that exists before any rotation.
	FirstSecretID string
	Site          *Site
	// Users can log in; Tester is the one that the smoke tests use.
	Users  []idp.User
	Tester idp.User
}

// Deploy sets everything up.
func Deploy(ctx context.Context, s *stack.Stack, o Options) (*Deployment, error) {
	d := &Deployment{Stack: s}
	if o.Provider == nil {
		var err error
		if o.Provider, err = d.register(); err != nil {
			return nil, err
		}
	}
	d.ClientID, d.Users, d.Tester = o.Provider.ClientID, o.Provider.Users, o.Provider.Tester
	var err error
	if d.Site, err = buildSite(ctx, s, o.Provider, o.Account); err != nil {
		return nil, fmt.Errorf("setting up the load balancers: %w", err)
	}
	if err := d.storeSecrets(ctx, o); err != nil {
		return nil, err
	}
	if err := d.storeClient(ctx); err != nil {
		return nil, err
	}
	if err := d.createTables(ctx); err != nil {
		return nil, err
	}
	topic, err := sns.NewFromConfig(s.AWS(Home)).CreateTopic(ctx,
		&sns.CreateTopicInput{Name: aws.String("alb-oidc-rotator")})
	if err != nil {
		return nil, fmt.Errorf("creating the topic: %w", err)
	}
	d.TopicARN = *topic.TopicArn
	if _, err := sns.NewFromConfig(s.AWS(Home)).Subscribe(ctx, &sns.SubscribeInput{TopicArn: &d.TopicARN,
		Protocol: aws.String("email"), Endpoint: aws.String(Subscriber)}); err != nil {
		return nil, fmt.Errorf("subscribing to the topic: %w", err)
	}
	s.SNS.Confirm(d.TopicARN, Subscriber)
	return d, d.createMachine(ctx, o)
}

// register registers the client and the users at the stack's identity provider. Of a pair, the second registration has
// a secret that nobody knows.
func (d *Deployment) register() (*Provider, error) {
	r, known := imitations.All[d.Stack.Vendor]
	if !known {
		return nil, fmt.Errorf("identity provider %q is not one of %s", d.Stack.Vendor,
			strings.Join(slices.Sorted(maps.Keys(imitations.All)), ", "))
	}
	own := d.Stack.IdP
	p := &Provider{Type: d.Stack.Vendor, Issuer: own.Issuer(), Endpoints: own.Endpoints(), ClientID: r.ClientID,
		Settings: func(adminARN string) map[string]any { return r.Settings(own.URL(), r.AppID, adminARN) },
		Admin:    secret.New(own.AdminToken()), pairID: r.PairID}
	var err error
	if p.Secret, err = d.registerClient(r.ClientID, r.AppID); err != nil {
		return nil, err
	}
	d.FirstSecretID = own.Store().Secrets(r.ClientID)[0].ID
	if r.PairID != "" {
		if _, err := d.registerClient(r.PairID, ""); err != nil {
			return nil, err
		}
	}
	for _, name := range []string{"ada", "grace", "katherine", "dorothy"} {
		p.Users = append(p.Users, idp.User{Name: name, Password: name + "-password", Email: name + "@example.com"})
	}
	p.Tester = idp.User{Name: "smoke-test", Password: "smoke-test-password", Email: "smoke-test@example.com"}
	for _, u := range append(p.Users, p.Tester) {
		own.AddUser(u)
	}
	return p, nil
}

// registerClient makes one registration with a random secret.
func (d *Deployment) registerClient(clientID, appID string) (secret.Value, error) {
	value, err := secret.Generate(nil)
	if err != nil {
		return value, err
	}
	_, _, err = d.Stack.IdP.RegisterClient(idp.Client{ID: clientID, AppID: appID, Name: Client,
		RedirectURIs: []string{"https://*.localhost/oauth2/idpresponse", "https://*.localhost:*/oauth2/idpresponse"}},
		value.Reveal())
	return value, err
}

// StoreByHand does what a person does before a rotation at an identity provider without an API: makes a second secret
// there, and stores it as AWSPENDING. It returns the version.
func (d *Deployment) StoreByHand(ctx context.Context) (string, error) {
	value, err := secret.Generate(nil)
	if err != nil {
		return "", err
	}
	err = d.Stack.IdP.Store().Update(d.ClientID, func(e *clients.Edit) error {
		_, err := e.Add(idp.Secret{ID: d.Stack.IdP.Vendor().NewSecretID(d.ClientID)}, value.Reveal())
		return err
	})
	if err != nil {
		return "", fmt.Errorf("making a secret at the identity provider: %w", err)
	}
	return d.StorePending(ctx, value.Reveal())
}

// StorePending stores a value as AWSPENDING and returns its version.
func (d *Deployment) StorePending(ctx context.Context, value string) (string, error) {
	out, err := secretsmanager.NewFromConfig(d.Stack.AWS(Home)).PutSecretValue(ctx,
		&secretsmanager.PutSecretValueInput{SecretId: &d.SecretARN,
			SecretString: &value, VersionStages: []string{"AWSPENDING"}})
	if err != nil {
		return "", fmt.Errorf("storing the secret as AWSPENDING: %w", err)
	}
	return *out.VersionId, nil
}

// storeSecrets stores the client secret, the admin credential and the synthetic user, and writes the configuration.
func (d *Deployment) storeSecrets(ctx context.Context, o Options) error {
	api := secretsmanager.NewFromConfig(d.Stack.AWS(Home))
	store := func(name, value string) (string, error) {
		out, err := api.CreateSecret(ctx, &secretsmanager.CreateSecretInput{Name: &name, SecretString: &value})
		if err != nil {
			return "", fmt.Errorf("storing %s: %w", name, err)
		}
		return *out.ARN, nil
	}
	var err error
	if d.SecretARN, err = store("orders-web/client-secret", o.Provider.Secret.Reveal()); err != nil {
		return err
	}
	admin := "" // Amazon Cognito needs none: the functions' roles do
	if token := o.Provider.Admin; !token.IsZero() {
		if admin, err = store("identity-provider/admin", token.Reveal()); err != nil {
			return err
		}
	}
	user, err := json.Marshal(map[string]string{"username": d.Tester.Name, "password": d.Tester.Password})
	if err != nil {
		return err
	}
	tester, err := store("orders-web/smoke-test-user", string(user))
	if err != nil {
		return err
	}
	if d.Config, err = d.configuration(admin, tester, o); err != nil {
		return err
	}
	if o.Configure != nil {
		o.Configure(&d.Config)
	}
	return nil
}

// configuration is what a user writes into the client's configuration.
func (d *Deployment) configuration(adminARN, testerARN string, o Options) (config.Client, error) {
	p := o.Provider
	settings, err := json.Marshal(p.Settings(adminARN))
	if err != nil {
		return config.Client{}, err
	}
	capable, err := registry.Capabilities(p.Type, settings, sharedidp.Client{ClientID: p.ClientID})
	if err != nil {
		return config.Client{}, err
	}
	c := config.Client{
		Name: Client, Issuer: p.Issuer, ClientID: p.ClientID,
		CallbackURL: "https://shop.localhost/oauth2/idpresponse",
		Secret:      config.Secret{ARN: d.SecretARN},
		IdentityProvider: config.IdentityProvider{Type: p.Type,
			AuthorizationEndpoint: p.Endpoints.Authorization,
			TokenEndpoint:         p.Endpoints.Token, Settings: settings},
		LoadBalancers:      d.Site.LoadBalancers,
		GracePeriodSeconds: aws.Int(int(o.Grace / time.Second)), SpreadSeconds: aws.Int(int(o.Spread / time.Second)),
	}
	if o.Account != "" {
		role := config.Role{RoleARN: "arn:aws:iam::" + o.Account + ":role/" + MachineName + "-workload",
			ExternalID: "orders-web-" + o.Account}
		d.Stack.STS.SetRole(role.RoleARN, sts.Trust{ExternalID: role.ExternalID, Callers: []string{sts.Role}})
		c.Roles = map[string]config.Role{"workload": role}
	}
	// at a pace of its own: Entra ID's default takes a minute each time
	c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(3), IntervalSeconds: aws.Int(1)}
	if capable.KeepsOne() {
		c.IdentityProvider.ClientPair = p.pairID
	}
	for _, page := range d.Site.Pages {
		c.SmokeTests.Redirect = append(c.SmokeTests.Redirect, config.RedirectTest{URL: page.URL, ConnectTo: page.Nodes})
	}
	if d.Tester.Name == "" {
		return c, nil
	}
	for _, page := range []Page{d.Site.Pages[0], d.Site.Pages[3]} { // one page of each load balancer
		c.SmokeTests.Login = append(c.SmokeTests.Login, config.LoginTest{URL: page.URL, ConnectTo: page.Nodes,
			UserSecretARN: testerARN, ExpectText: page.Greeting + d.Tester.Email})
	}
	return c, nil
}

// storeClient stores the configuration where the state machine reads it.
func (d *Deployment) storeClient(ctx context.Context) error {
	doc, err := json.Marshal(d.Config)
	if err != nil {
		return err
	}
	if _, err := config.Parse(doc); err != nil {
		return err
	}
	_, err = ssm.NewFromConfig(d.Stack.AWS(Home)).PutParameter(ctx,
		&ssm.PutParameterInput{Name: aws.String(ParameterPrefix + Client),
			Type: ssmtypes.ParameterTypeString, Tier: ssmtypes.ParameterTierAdvanced, Overwrite: aws.Bool(true),
			Value: aws.String(string(doc))})
	if err != nil {
		return fmt.Errorf("storing the configuration: %w", err)
	}
	return nil
}

// createTables creates the journal's table and that of the evidence.
func (d *Deployment) createTables(ctx context.Context) error {
	api := dynamodb.NewFromConfig(d.Stack.AWS(Home))
	for table, keys := range map[string][]string{JournalTable: {"client"}, EvidenceTable: {"month", "id"}} {
		in := &dynamodb.CreateTableInput{TableName: &table, BillingMode: ddbtypes.BillingModePayPerRequest}
		for i, key := range keys {
			kind := []ddbtypes.KeyType{ddbtypes.KeyTypeHash, ddbtypes.KeyTypeRange}[i]
			in.KeySchema = append(in.KeySchema, ddbtypes.KeySchemaElement{AttributeName: &key, KeyType: kind})
			in.AttributeDefinitions = append(in.AttributeDefinitions, ddbtypes.AttributeDefinition{AttributeName: &key,
				AttributeType: ddbtypes.ScalarAttributeTypeS})
		}
		if _, err := api.CreateTable(ctx, in); err != nil {
			return fmt.Errorf("creating the table %s: %w", table, err)
		}
	}
	return nil
}

// Environment is what every function is told; each reads what it needs.
func Environment() map[string]string {
	return map[string]string{"JOURNAL_TABLE": JournalTable, "PARAMETER_PREFIX": ParameterPrefix,
		"EVIDENCE_TABLE": EvidenceTable, "EVIDENCE_YEARS": "7", "STATE_MACHINE": machineARN}
}

const machineARN = "arn:aws:states:" + Home + ":" + awsapi.AccountID + ":stateMachine:" + MachineName

func (d *Deployment) createMachine(ctx context.Context, o Options) error {
	d.values = statemachine.Values{Partition: "aws", FunctionARNs: o.Functions, JournalTable: JournalTable,
		ParameterPrefix: ParameterPrefix, Clients: []statemachine.Chosen{{Name: Client,
			Provider: d.Config.IdentityProvider.Type,
			Tenant:   d.Config.Tenant()}},
		NotificationTopicARN: d.TopicARN, EventBusName: "default", Settle: o.Settle,
		Runbook:        statemachine.DefaultRunbook,
		RotationAlias:  "live",
		ExecutionURL:   statemachine.ExecutionURL(Home),
		MachineToStart: machineARN, FleetToStart: machineARN + statemachine.FleetSuffix + ":live",
		Rotations: strings.Replace(machineARN, ":stateMachine:", ":execution:", 1) + ":"}
	var err error
	d.MachineARN, err = d.create(ctx, MachineName, statemachine.Definition)
	return err
}

// create makes a state machine, and returns its ARN.
func (d *Deployment) create(ctx context.Context, name, definition string) (string, error) {
	definition, err := statemachine.Render(definition, d.values.Substitutions())
	if err != nil {
		return "", err
	}
	out, err := sfn.NewFromConfig(d.Stack.AWS(Home)).CreateStateMachine(ctx, &sfn.CreateStateMachineInput{Name: &name,
		Definition: &definition, RoleArn: aws.String("arn:aws:iam::" + awsapi.AccountID + ":role/" + name)})
	if err != nil {
		return "", fmt.Errorf("creating the state machine %s: %w", name, err)
	}
	return *out.StateMachineArn, nil
}
