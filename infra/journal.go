package main

import (
	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsdynamodb"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssecretsmanager"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsssm"
	"github.com/aws/jsii-runtime-go"
)

// addJournal adds the journal's table: one item per client. Losing it is safe (the next plan asks the identity
// provider) but then no secret there can be proven ours, so it is kept when the stack goes. It is kept even when the
// deployment that makes it fails: CloudFormation cannot delete a table with deletion protection, and a rollback that
// fails is worse than an empty table that is left (deploying.md, "If the first deployment fails").
func (r *rotator) addJournal() {
	r.journal = r.keptTable("Journal", awsdynamodb.TableProps{TableName: jsii.String(r.Name + "-journal"),
		PartitionKey: textAttribute("client")})
}

// keptTable makes a table that nobody loses: it outlasts the stack, and can be restored to any second.
func (r *rotator) keptTable(id string, p awsdynamodb.TableProps) awsdynamodb.Table {
	p.BillingMode = awsdynamodb.BillingMode_PAY_PER_REQUEST
	p.Encryption = awsdynamodb.TableEncryption_AWS_MANAGED
	p.DeletionProtection, p.RemovalPolicy = jsii.Bool(true), awscdk.RemovalPolicy_RETAIN
	p.PointInTimeRecoverySpecification = &awsdynamodb.PointInTimeRecoverySpecification{
		PointInTimeRecoveryEnabled: jsii.Bool(true)}
	return awsdynamodb.NewTable(r.stack, &id, &p)
}

func textAttribute(name string) *awsdynamodb.Attribute {
	return &awsdynamodb.Attribute{Name: &name, Type: awsdynamodb.AttributeType_STRING}
}

// addSecrets adds the secrets that the file asks for, without a value: its owner stores the current client secret there
// before the first rotation. A secret is never removed, whatever happens to the client or the stack. It has no policy
// of its own: within an account IAM decides, and one that denies all but the stack's roles would lock its owner out
// too.
func (r *rotator) addSecrets() {
	for _, c := range r.clients {
		if !c.CreateSecret {
			r.secretARNs[c.Name] = c.Secret.ARN
			continue
		}
		secret := awssecretsmanager.NewCfnSecret(r.stack, jsii.String("Secret-"+c.Name),
			&awssecretsmanager.CfnSecretProps{
				Name:        jsii.String(c.SecretName(r.Settings)),
				Description: jsii.String("Client secret of " + c.Name + ", rotated by " + r.Name),
				KmsKeyId:    createdWith(c),
			})
		secret.ApplyRemovalPolicy(awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, nil)
		suppress(secret, map[string]string{"AwsSolutions-SMG4": "the state machine rotates it: Secrets Manager's own " +
			"rotation cannot wait for a grace period of hours"})
		r.secretARNs[c.Name] = *secret.AttrId() // the reference of a secret is its ARN
	}
}

// createdWith is the key of a secret that the stack creates; nil is Secrets Manager's own.
func createdWith(c Client) *string {
	if len(c.KMSKeys) == 0 {
		return nil
	}
	return &c.KMSKeys[0]
}

// parameterPrefix is where the state machine and the functions read the clients' configurations.
func (r *rotator) parameterPrefix() string { return "/" + r.Name + "/clients/" }

// addParameters adds each client's configuration.
func (r *rotator) addParameters() {
	for _, c := range r.clients {
		document, err := c.Document(r.secretARNs[c.Name])
		if err != nil {
			panic(err) // a struct of strings and numbers
		}
		awsssm.NewCfnParameter(r.stack, jsii.String("Client-"+c.Name), &awsssm.CfnParameterProps{
			Name:        jsii.String(r.parameterPrefix() + c.Name),
			Description: jsii.String("Configuration of client " + c.Name),
			Type:        jsii.String("String"), // no secret is in it
			// Advanced from 4 KB on (Systems Manager user guide, "Parameter tiers").
			Tier:  jsii.String("Intelligent-Tiering"),
			Value: &document,
		})
	}
}
