package main

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-cdk-go/awscdk/v2"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/aws-cdk-go/awscdk/v2/awskms"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssns"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssnssubscriptions"
	"github.com/aws/aws-cdk-go/awscdk/v2/awssqs"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/clientsfile"
)

// addKey adds the key of the topic, and of the logs unless they have another. The state machine and the journal do not
// use it: a disabled key would then fail running rotations half way (Step Functions developer guide, "Data at rest
// encryption"), and neither holds a secret.
func (r *rotator) addKey() {
	r.key = awskms.NewKey(r.stack, jsii.String("Key"), &awskms.KeyProps{
		Description:       jsii.String(r.Name + ": notifications and logs"),
		EnableKeyRotation: jsii.Bool(true),
		RemovalPolicy:     awscdk.RemovalPolicy_RETAIN_ON_UPDATE_OR_DELETE, // what it encrypted stays readable
	})
	// Without this, messages of alarms to an encrypted topic are dropped. The state machines publish by their roles.
	r.key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Alarms"),
		Principals: services("cloudwatch.amazonaws.com"),
		Actions:    jsii.Strings("kms:Decrypt", "kms:GenerateDataKey*"),
		Resources:  jsii.Strings("*"), // in a key's policy: this key
		Conditions: &map[string]any{"StringEquals": map[string]any{"aws:SourceAccount": r.Account}},
	}), nil)
	r.addLogKey()
}

// addLogKey chooses the key of the log groups.
func (r *rotator) addLogKey() {
	switch r.LogKey {
	case clientsfile.LogKeyNone:
	case clientsfile.LogKeyOfStack:
		r.logKey = r.key
		r.key.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
			Sid:        jsii.String("Logs"),
			Principals: services(r.host("logs", r.Region)),
			Actions: jsii.Strings("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*",
				"kms:DescribeKey"),
			Resources: jsii.Strings("*"), // in a key's policy: this key
			Conditions: &map[string]any{"ArnLike": map[string]any{
				"kms:EncryptionContext:aws:logs:arn": r.arn("logs", "log-group:*"+r.Name+"*")}},
		}), nil)
	default:
		r.logKey = awskms.Key_FromKeyArn(r.stack, jsii.String("LogKey"), &r.LogKey)
	}
}

// addTopic adds the topic of notifications and alarms.
func (r *rotator) addTopic() {
	r.topic = r.newTopic("Notifications", r.Name, "ALB client secret rotation")
	for _, address := range r.Email {
		r.topic.AddSubscription(awssnssubscriptions.NewEmailSubscription(&address, nil))
	}
	r.addClientSubscriptions()
}

// newTopic is an encrypted topic to which the stack's alarms can publish.
func (r *rotator) newTopic(id, name, displayName string) awssns.Topic {
	topic := awssns.NewTopic(r.stack, &id, &awssns.TopicProps{TopicName: &name, DisplayName: &displayName,
		MasterKey: r.key, EnforceSSL: jsii.Bool(true)})
	topic.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Principals: services("cloudwatch.amazonaws.com"),
		Actions:    jsii.Strings("sns:Publish"),
		Resources:  &[]*string{topic.TopicArn()},
		Conditions: limitToSources(r.arn("cloudwatch", "alarm:"+r.Name+"-*")),
	}))
	return topic
}

// addClientSubscriptions subscribes each client's own addresses to what is about the client: messages with its name as
// attribute, and its alarms. A filter looks at attributes or at the body, never at both (SNS developer guide,
// "Subscription filter policy scope"), but messages are text for people, and CloudWatch's alarms have no attributes: so
// the alarms have a topic of their own. A topic has one subscription per address, so one filter names all clients of an
// address.
func (r *rotator) addClientSubscriptions() {
	clients := map[string][]string{}
	for _, c := range r.all {
		for _, address := range c.Notifications.Email {
			clients[address] = append(clients[address], c.Name)
		}
	}
	if (len(clients) > 0 || r.places != nil) && r.place == 0 {
		r.clientAlarms = r.newTopic("ClientAlarms", r.Name+"-client-alarms", "Alarms of ALB client secret rotation")
	}
	for _, address := range sorted(clients) {
		if r.places != nil && r.places.Addresses[address] != r.place {
			continue
		}
		var alarms []any
		for _, name := range clients[address] {
			alarms = append(alarms, map[string]any{"prefix": r.alarmName(clientAlarm(name, ""))})
		}
		r.subscribe("Notifications", r.topic, address, "MessageAttributes", map[string]any{"client": clients[address]})
		r.subscribe("ClientAlarms", r.clientAlarms, address, "MessageBody", map[string]any{"AlarmName": alarms})
	}
}

// subscribe subscribes an address to those messages of a topic that match a filter.
func (r *rotator) subscribe(id string, topic awssns.Topic, address, scope string, filter map[string]any) {
	sum := sha256.Sum256([]byte(address)) // names of resources inside a template have no punctuation
	awssns.NewCfnSubscription(r.stack, jsii.String(fmt.Sprintf("%s-%x", id, sum[:8])), &awssns.CfnSubscriptionProps{
		TopicArn: topic.TopicArn(), Protocol: jsii.String("email"), Endpoint: &address, FilterPolicyScope: &scope,
		FilterPolicy: filter})
}

// addDeadLetterQueue adds the queue of starts that EventBridge Scheduler and EventBridge gave up on.
func (r *rotator) addDeadLetterQueue() {
	r.deadLetter = awssqs.NewQueue(r.stack, jsii.String("DeadLetters"), &awssqs.QueueProps{
		QueueName:       jsii.String(r.Name + "-dead-letters"),
		Encryption:      awssqs.QueueEncryption_SQS_MANAGED,
		EnforceSSL:      jsii.Bool(true),
		RetentionPeriod: awscdk.Duration_Days(jsii.Number(14)),
	})
	r.deadLetter.AddToResourcePolicy(awsiam.NewPolicyStatement(&awsiam.PolicyStatementProps{
		Sid:        jsii.String("Rules"),
		Principals: services("events.amazonaws.com"),
		Actions:    jsii.Strings("sqs:SendMessage"),
		Resources:  &[]*string{r.deadLetter.QueueArn()},
		Conditions: limitToSources(r.arn("events", "rule/"+r.Name+"-*")),
	}))
	suppress(r.deadLetter,
		map[string]string{"AwsSolutions-SQS3": "it is itself the dead letter queue; an alarm watches it"})
}

// ourAccount lets a service assume a role only for this account and for the sources, ARNs (IAM user guide, "The
// confused deputy problem").
func (r *rotator) ourAccount(sources ...string) *map[string]any {
	c := limitToSources(sources...)
	(*c)["StringEquals"] = map[string]any{"aws:SourceAccount": r.Account}
	return c
}

// limitToSources returns the condition under which a service acts only for sources, ARNs that have the account in them:
// AWS documents it for rules that send to a queue (EventBridge user guide, "Using resource-based policies") and alarms
// that publish to a topic (SNS developer guide, "Example cases for Amazon SNS access control").
func limitToSources(sources ...string) *map[string]any {
	var source any = sources
	if len(sources) == 1 {
		source = sources[0]
	}
	return &map[string]any{"ArnLike": map[string]any{"aws:SourceArn": source}}
}

func services(names ...string) *[]awsiam.IPrincipal {
	list := []awsiam.IPrincipal{}
	for _, n := range names {
		list = append(list, awsiam.NewServicePrincipal(jsii.String(n), nil))
	}
	return &list
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
