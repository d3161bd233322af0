package guarantees_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	elbtypes "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/idp/keycloak/keycloaktest"
)

// everyKind is all that may happen.
func everyKind() (all []*kind) {
	for _, g := range groups {
		all = append(all, *g.kinds...)
	}
	return all
}

var (
	// untilReassert is when a target that gets the old secret back has to be set a second time.
	untilReassert = []string{"AwaitSpread", "PromoteSecret", "TestSecret", "GracePeriod", "RediscoverTargets"}
	// unseen is when a target comes that the next steps do not know: with the old secret, or, before a rollback or in
	// it, with the new one.
	unseen = []string{"TestBeforeChange", "VerifyNewSecret", "AwaitSpread", "TestSecret", "ReassertTargetSecret",
		"TestBeforeFinish", "Quiesce", "EnableOldSecret"}
	// untilPlan is when the configuration has been read, and the secret has not.
	untilPlan = []string{"AcquireLock", "ReadLockOwner", "InspectLockOwner", "AwaitOwnerStatus", "TakeOverLock",
		"SeizeLock", "StopFormerOwner", "AwaitFormerOwner", "Plan"}
	// ofRounds are the states in which targets are written.
	ofRounds = []string{"SetTargetSecret", "ReassertTargetSecret", "RestoreTargetSecret"}
)

// hands are what people and other tools do to the secret, the labels, the rules and the provider.
var hands = []*kind{
	{name: "stored again", weight: 6, do: func(r *telling, _ int, _ seen) string {
		r.storeAgain()
		return "AWSCURRENT is stored again, as another version"
	}},
	{name: "stored in another form", weight: 6, fits: notFollowed, do: func(r *telling, n int, _ seen) string {
		if r.padded || r.isIn(untilPlan...) { // which refuses what does not go together
			return ""
		}
		r.formed = true
		text, form := r.current(), asText
		if r.Config.Secret.JSONKey == "" {
			text, form = r.object(text), asObject
		}
		if n%2 == 0 {
			r.reconfigure(form)
		}
		r.store(text)
		if n%2 == 1 {
			r.reconfigure(form)
		}
		r.mend(r.formAgain)
		return "the secret is stored in another form, and the configuration says so"
	}},
	{name: "stored with something around it", weight: 4, any: true, fits: notFollowed, do: storePadded},
	{name: "a tool writes AWSCURRENT to a target", weight: 8, do: func(r *telling, n int, _ seen) string {
		return r.writeTarget(n, r.current())
	}},
	{name: "a tool writes what AWSCURRENT was", weight: 12, most: untilReassert,
		fits: notFollowed, // a controller's rule is not healed
		do: func(r *telling, n int, _ seen) string {
			if r.tooLate(r.first) {
				return ""
			}
			return r.writeTarget(n, r.first)
		}},
	{name: "a tool writes what AWSCURRENT was to every target", weight: 6, most: untilReassert, fits: notFollowed,
		do: func(r *telling, _ int, _ seen) string {
			if r.tooLate(r.first) || r.Config.IsPair() || r.isLate() {
				return ""
			}
			r.setEveryTarget(r.first)
			return "a tool writes to every target what AWSCURRENT was before"
		}},
	{name: "a rule comes", weight: 14, most: unseen, do: func(r *telling, _ int, _ seen) string {
		value := r.current()
		if r.Config.IsPair() || !r.accepts(value) {
			return "" // a template names one of the two registrations
		}
		r.deployRule(func(o *elbtypes.AuthenticateOidcActionConfig) { o.ClientSecret = &value })
		return "a rule comes with AWSCURRENT"
	}},
	{name: "weights move", weight: 12, most: ofRounds, reading: true, do: func(r *telling, n int, c seen) string {
		if strings.HasPrefix(c.operation, "Modify") || r.isLate() { // it has been read the last time
			return ""
		}
		r.moveWeights(int32(n % 100))
		r.mu.Lock()
		defer r.mu.Unlock()
		r.weights = int32(n % 100)
		return fmt.Sprintf("a deployment moves a weight of a rule to %d", n%100)
	}},
	{name: "a rule goes", weight: 2, do: func(r *telling, _ int, _ seen) string {
		rule := r.weighted().ARN
		if _, err := elb.NewFromConfig(r.Stack.AWS(scenario.Home)).DeleteRule(context.Background(),
			&elb.DeleteRuleInput{RuleArn: &rule}); err != nil {
			return ""
		}
		return "a rule is deleted"
	}},
	{name: "a secret of somebody else", weight: 16, any: true, fits: named, do: func(r *telling, n int, _ seen) string {
		id := r.addSecret(fmt.Sprintf("a-strangers-secret-%08d-abcdefghijklmn", n))
		r.mend(func() {
			if !r.lists(id) {
				r.rec.Errorf("G4: a secret that somebody else made was removed")
			}
			r.removeSecret(id)
		})
		return "somebody else makes a secret at the identity provider, and removes it in the end"
	}},
	{name: "rotated by hand", weight: 30, any: true, fits: named, most: untilReassert, do: func(r *telling, n int,
		_ seen) string {
		value := fmt.Sprintf("made-and-stored-by-a-person-%08d-abcdefgh", n)
		if r.slow || r.journal()["state"] == nil { // people wait for the first rotation
			return ""
		}
		r.byPeople[r.addSecret(value)] = value
		r.store(r.inForm(value))
		r.isThird()
		return "a person makes a secret and stores it as AWSCURRENT"
	}},
	{name: "rotated by hand at Keycloak", weight: 20, any: true,
		fits: func(y way) bool { return y.name == "keycloak" }, do: func(r *telling, _ int, c seen) string {
			if r.slow || r.journal()["state"] == nil || // as above
				!r.isNewest(r.current()) || !r.isAlone(r.current()) || // it keeps one previous secret
				r.isAsked(c) {
				return ""
			}
			value, err := r.Stack.IdP.Vendor().(*keycloaktest.Keycloak).Regenerate(r.ClientID)
			if err != nil {
				return ""
			}
			r.store(r.inForm(value))
			r.isThird()
			return "a person makes a secret at Keycloak and stores it as AWSCURRENT"
		}},
	{name: "the new secret is removed", weight: 3, any: true, fits: named, states: []string{"VerifyNewSecret"},
		do: func(r *telling, _ int, _ seen) string {
			id, live := r.Stack.IdP.Store().Match(r.ClientID, r.pending(), r.clock.Now())
			if !live {
				return ""
			}
			r.removeSecret(id)
			return "somebody removes the new secret at the identity provider"
		}},
	{name: "the old secret is removed", weight: 3, any: true, fits: named, states: []string{"GracePeriod"},
		do: func(r *telling, _ int, _ seen) string {
			id, live := r.Stack.IdP.Store().Match(r.ClientID, r.first, r.clock.Now())
			if !live || r.first == r.current() || r.used(r.first) {
				return ""
			}
			r.removeSecret(id)
			return "somebody removes the old secret at the identity provider"
		}},
	{name: "a pair rotated by hand", weight: 12, any: true,
		fits: func(y way) bool {
			return slices.Contains([]string{"auth0", "authentik", "hydra as a pair", "keycloak as a pair"},
				y.name)
		},
		do: rotatePair},
	{name: "rotated by hand at Hydra", weight: 4, any: true,
		fits: func(y way) bool { return y.name == "hydra" }, do: func(r *telling, _ int, _ seen) string {
			r.rotateAtHydra()
			return "a person makes a secret at Hydra"
		}},
	{name: "AWSCURRENT goes back", weight: 4, any: true, do: moveBack},
	{name: "a target changes hands", weight: 3, any: true, fits: notFollowed,
		do: func(r *telling, _ int, _ seen) string {
			move := func(to string) error {
				return r.changeDefault(func(o *elbtypes.AuthenticateOidcActionConfig) {
					o.TokenEndpoint, o.UseExistingClientSecret, o.ClientSecret = &to, aws.Bool(true), nil
				})
			}
			if move("https://elsewhere.example/token") != nil {
				return ""
			}
			r.mend(func() { _ = move(r.Config.IdentityProvider.TokenEndpoint) })
			return "a listener gets another token endpoint, and its own again in the end"
		}},
	{name: "a label is removed", weight: 3, any: true, do: func(r *telling, n int, _ seen) string {
		label := []string{"AWSPENDING", "AWSPREVIOUS"}[n%2]
		version := r.labels()[label]
		if version == "" {
			return ""
		}
		if _, err := secretsmanager.NewFromConfig(r.Stack.AWS(scenario.Home)).UpdateSecretVersionStage(
			context.Background(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: &r.SecretARN,
				VersionStage: &label, RemoveFromVersionId: &version}); err != nil {
			return ""
		}
		return "somebody removes the label " + label
	}},
}

// rotatePair gives the registration that no target has a new secret and makes that AWSCURRENT, as a person does who
// rotates by hand without an interruption: the next execution puts it on the targets, if one has begun. Without one the
// plan refuses targets of the other registration, and asks the person to put it there.
func rotatePair(r *telling, n int, c seen) string {
	now := r.clock.Now()
	used := map[string]bool{}
	for _, u := range r.Stack.ELB.SecretsInUse(now, now.Add(time.Hour)) {
		used[u.ClientID] = true
	}
	ids := r.Config.ClientIDs()
	idle := slices.IndexFunc(ids, func(id string) bool { return !used[id] })
	if idle < 0 || r.labels()["AWSPENDING"] == "" || r.slow || r.isAsked(c) ||
		r.Stack.IdP.Store().Accepts(ids[idle], r.current(), now) {
		return ""
	}
	value := fmt.Sprintf("made-and-stored-by-a-person-%08d-abcdefgh", n)
	if err := r.Stack.IdP.Store().Update(ids[idle], func(e *clients.Edit) error {
		for _, s := range e.All() {
			if err := e.Remove(s.ID); err != nil {
				return err
			}
		}
		_, err := e.Add(clients.Secret{ID: r.Stack.IdP.Vendor().NewSecretID(ids[idle])}, value)
		return err
	}); err != nil {
		return ""
	}
	r.store(r.inForm(value))
	r.isThird()
	return "a person makes a secret for the idle registration and stores it as AWSCURRENT"
}

// moveBack makes AWSPREVIOUS the current version, as one does who takes the new secret for wrong.
func moveBack(r *telling, _ int, _ seen) string {
	labels, values, err := r.Stack.SecretsManager.Snapshot(scenario.Home, r.SecretARN)
	previous := labels["AWSPREVIOUS"]
	if err != nil || previous == "" || r.tooLate(secretsIn(values)[previous]) || r.Config.IsPair() {
		return ""
	}
	if _, err := secretsmanager.NewFromConfig(r.Stack.AWS(scenario.Home)).UpdateSecretVersionStage(
		context.Background(), &secretsmanager.UpdateSecretVersionStageInput{SecretId: &r.SecretARN,
			VersionStage: aws.String("AWSCURRENT"), RemoveFromVersionId: aws.String(labels["AWSCURRENT"]),
			MoveToVersionId: &previous}); err != nil {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outdated = nil
	return "a person makes AWSPREVIOUS the current version again"
}

// notFollowed: a follower takes what is stored, or keeps its rules as they are.
func notFollowed(y way) bool { return !y.followed }

// named is whether secrets stand beside each other at the provider, each with an id.
func named(y way) bool { return slices.Contains([]string{"okta", "entra", "cognito"}, y.vendor) }

func storePadded(r *telling, n int, _ seen) string {
	was := r.stored()
	around := []string{"%s\n", "\"%s\"", " %s", "\ufeff%s"}[n%4]
	if r.padded {
		return ""
	}
	r.padded = true
	r.store(fmt.Sprintf(around, was))
	r.mend(func() {
		if now := r.stored(); strings.Contains(now, was) && now != was {
			r.store(was)
		}
		r.padded = false
	})
	return fmt.Sprintf("AWSCURRENT is stored again as %q, and put right in the end", fmt.Sprintf(around, "…"))
}

// formAgain stores AWSCURRENT in the form that the configuration says, if it is not: a rotation that began before the
// form changed has made its version in the earlier one, and a repair may take an earlier version
// (docs/client-configuration.md).
func (r *telling) formAgain() {
	if value := r.inForm(r.current()); value != r.stored() {
		r.store(value)
		r.tell("a person stores AWSCURRENT in its new form once more")
	}
}

// inForm is the text with a client secret that the configuration says.
func (r *telling) inForm(value string) string {
	if r.Config.Secret.JSONKey != "" {
		return r.object(value)
	}
	return value
}

// tooLate tells whether a value that was read earlier cannot be survived any more (docs/guarantees.md, G1): it is not
// AWSCURRENT any more, and the targets have been set a second time or searched for the last time. It also tells whether
// nobody could have used it.
func (r *telling) tooLate(value string) bool {
	now := r.current()
	r.mu.Lock()
	late := r.reasserted && value != now
	r.mu.Unlock()
	return late || !r.accepts(value)
}

// accepts reports whether the provider accepts a value under one of the client's ids.
func (r *telling) accepts(value string) bool {
	return slices.ContainsFunc(r.Config.ClientIDs(), func(id string) bool {
		return r.Stack.IdP.Store().Accepts(id, value, r.clock.Now())
	})
}

// used reports whether a node or a follower may use a value.
func (r *telling) used(value string) bool {
	return r.fs != nil || r.served(value) // perhaps by a follower
}

// served reports whether a node uses a value now, or will when all of them follow.
func (r *telling) served(value string) bool {
	for _, u := range r.Stack.ELB.SecretsInUse(r.clock.Now(), r.clock.Now().Add(time.Hour)) {
		if u.Secret == value {
			return true
		}
	}
	return false
}

// isAlone reports whether every node uses a value, now and when all of them follow.
func (r *telling) isAlone(value string) bool {
	now := r.clock.Now()
	return r.fs == nil && !slices.ContainsFunc(r.Stack.ELB.SecretsInUse(now, now.Add(time.Hour)),
		func(u elbv2.SecretInUse) bool { return u.Secret != value })
}

// isNewest reports whether a value is the newest secret that the provider has, which Keycloak keeps as the previous one
// when another is made.
func (r *telling) isNewest(value string) bool {
	all := r.Stack.IdP.Store().Secrets(r.ClientID)
	id, live := r.Stack.IdP.Store().Match(r.ClientID, value, r.clock.Now())
	return live && all[len(all)-1].ID == id
}

// isAsked reports whether a request that changes something at the identity provider is about to be carried out, or may
// still come late.
func (r *telling) isAsked(c seen) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.asks() || r.clock.Now().Before(r.askedUntil)
}

// pending is the client secret that AWSPENDING holds.
func (r *telling) pending() string {
	labels, values, err := r.Stack.SecretsManager.Snapshot(scenario.Home, r.SecretARN)
	if err != nil {
		return ""
	}
	return secretsIn(values)[labels["AWSPENDING"]]
}

// lists reports whether the identity provider has a secret of that id.
func (r *telling) lists(id string) bool {
	return slices.ContainsFunc(r.Stack.IdP.Store().Secrets(r.ClientID),
		func(s clients.Secret) bool { return s.ID == id })
}

// removeSecret removes a secret at the identity provider, if it is there.
func (r *telling) removeSecret(id string) {
	_ = r.Stack.IdP.Store().Update(r.ClientID, func(e *clients.Edit) error { return e.Remove(id) })
}

// writeTarget puts a value on one target, as a tool does that manages it. In a pair the tool writes the registration of
// that secret, too.
func (r *telling) writeTarget(n int, value string) string {
	if !r.accepts(value) || r.isLate() {
		return ""
	}
	id := r.ClientID
	for _, other := range r.Config.ClientIDs() {
		if r.Stack.IdP.Store().Accepts(other, value, r.clock.Now()) {
			id = other
		}
	}
	set := func(o *elbtypes.AuthenticateOidcActionConfig) { o.ClientSecret, o.ClientId = &value, &id }
	if n%3 == 0 {
		if err := r.changeDefault(set); err != nil {
			return ""
		}
		return "a tool writes AWSCURRENT, as it read it, to a listener"
	}
	api, ctx := elb.NewFromConfig(r.Stack.AWS(scenario.Home)), context.Background()
	rule := r.weighted().ARN
	rules, err := api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{rule}})
	if err != nil {
		return ""
	}
	actions := rules.Rules[0].Actions
	set(actions[0].AuthenticateOidcConfig)
	if _, err := api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &rule, Actions: actions}); err != nil {
		return ""
	}
	return "a tool writes AWSCURRENT, as it read it, to a rule"
}

// deleteJournal takes away what the journal knows of the client, between executions: what is in use is imported again.
func deleteJournal(r *telling, _ int, _ seen) string {
	// of several secrets nothing tells then which one is in use, and a person has to name it
	if r.labels()["AWSPENDING"] != "" || len(r.Stack.IdP.Store().Secrets(r.ClientID)) != 1 {
		return ""
	}
	r.deleteItem()
	return "somebody deletes the client's item in the journal"
}

// deleteItem takes everything out of the client's item in the journal, which reads as none then. Deleting it is not
// imitated, as nothing here does that.
func (w *world) deleteItem() {
	w.t.Helper()
	in := &dynamodb.UpdateItemInput{TableName: aws.String(scenario.JournalTable),
		ExpressionAttributeNames: map[string]string{}, Key: map[string]ddbtypes.AttributeValue{
			"client": &ddbtypes.AttributeValueMemberS{Value: w.Config.Name}}}
	var names []string
	for name := range w.journal() {
		if alias := fmt.Sprintf("#n%d", len(names)); name != "client" {
			in.ExpressionAttributeNames[alias] = name
			names = append(names, alias)
		}
	}
	if len(names) == 0 {
		return
	}
	in.UpdateExpression = aws.String("REMOVE " + strings.Join(names, ", "))
	if _, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateItem(context.Background(), in); err != nil {
		w.t.Fatal(err)
	}
}

// addBalancer makes a load balancer with AWSCURRENT, and then adds it to the configuration.
func (r *telling) addBalancer(name string) string {
	ctx, api := context.Background(), elb.NewFromConfig(r.Stack.AWS(scenario.Home))
	like, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{LoadBalancerArn: &r.Site.LoadBalancers[0]})
	if err != nil {
		return ""
	}
	made, err := api.CreateLoadBalancer(ctx, &elb.CreateLoadBalancerInput{Name: &name,
		Type: elbtypes.LoadBalancerTypeEnumApplication, Subnets: []string{"subnet-0a1b2c3d", "subnet-4e5f6a7b"}})
	if err != nil {
		return ""
	}
	listener, value := like.Listeners[0], r.current()
	listener.DefaultActions[0].AuthenticateOidcConfig.ClientSecret = &value
	arn := *made.LoadBalancers[0].LoadBalancerArn
	if _, err := api.CreateListener(ctx, &elb.CreateListenerInput{LoadBalancerArn: &arn, Port: listener.Port,
		Protocol: listener.Protocol, Certificates: listener.Certificates,
		DefaultActions: listener.DefaultActions}); err != nil {
		return ""
	}
	r.reconfigure(func(c *config.Client) { c.LoadBalancers = append(slices.Clone(c.LoadBalancers), arn) })
	return "a load balancer comes with AWSCURRENT, and into the configuration"
}

// deployments are what is so before an execution starts, or changes with a deployment.
var deployments = []*kind{
	{name: "the former definition", weight: 4, before: true, // which is older than followers
		fits: func(y way) bool { return y.vendor != "manual" && !y.followed },
		do: func(r *telling, n int, _ seen) string {
			if r.input == repair { // which no former release knows
				return ""
			}
			if n%2 == 0 && r.input == beforeEnd { // its measurements start nothing
				return ""
			}
			present := r.present()
			r.mend(func() { r.define(present) })
			if n%2 == 0 {
				r.deployFormer()
				return "the definition is that of a former release"
			}
			r.deployFlat()
			return "the definition is that of another former release"
		}},
	{name: "time passes", weight: 4, before: true, harmless: true, do: func(r *telling, n int, _ seen) string {
		days := min(1+n%60, int((r.untilEnd()-aboutToEnd)/(24*time.Hour)))
		if days < 1 {
			return ""
		}
		r.pass(time.Duration(days) * 24 * time.Hour)
		return fmt.Sprintf("%d days pass", days)
	}},
	{name: "another pace", weight: 4, do: func(r *telling, n int, _ seen) string {
		hours := 1 + n%100
		if r.fs != nil {
			hours = 1 + n%10
		}
		r.reconfigure(func(c *config.Client) {
			c.SpreadSeconds, c.GracePeriodSeconds = aws.Int(60+n%300), aws.Int(3600*hours)
		})
		return fmt.Sprintf("the configuration changes: a spread of %d s, a grace period of %d h", 60+n%300, hours)
	}},
	{name: "the journal's item is deleted", weight: 3, before: true, any: true, fits: named, do: deleteJournal},
	{name: "a load balancer comes", weight: 8, most: unseen, do: func(r *telling, n int, _ seen) string {
		if r.Config.IsPair() || r.alone || !r.accepts(r.current()) {
			return ""
		}
		return r.addBalancer(fmt.Sprintf("late-%d", n))
	}},
	{name: "a configuration that is gone", weight: 6, ends: []string{"Reconfigured", "NotStarted", "Refused"}, do: func(r *telling, _ int, _ seen) string {
		r.remove()
		r.mend(func() { r.reconfigure(func(*config.Client) {}) })
		return "the client's configuration is deleted, and put back in the end"
	}},
	{name: "a load balancer leaves the configuration", weight: 3, any: true, states: []string{"VerifyNewSecret",
		"SetSecret", "PromoteSecret", "GracePeriod", "RediscoverTargets", "Quiesce"},
		do: func(r *telling, n int, _ seen) string {
			if len(r.others) > 0 || r.life.heals || r.life.way.canaried {
				return "" // those would not know the load balancer, and take its secret away
			}
			r.alone = true
			r.configure(func(c *config.Client) { // what came meanwhile stays
				quick(c)
				c.LoadBalancers = slices.DeleteFunc(slices.Clone(c.LoadBalancers), func(arn string) bool {
					return slices.Contains(r.Site.LoadBalancers, arn) && arn != r.Site.LoadBalancers[n%2]
				})
			})
			r.mend(func() { r.reconfigure(func(*config.Client) {}) })
			return "a load balancer leaves the configuration, and comes back in the end"
		}},
	{name: "Secrets Manager lags", weight: 3, before: true, do: func(r *telling, n int, _ seen) string {
		d := time.Duration(1+n%2) * time.Second
		r.Stack.SecretsManager.SetReadLag(d)
		r.mend(func() { // a person who has just stored a secret looks at it before going on
			r.Stack.SecretsManager.SetReadLag(0)
			r.pass(d)
		})
		return fmt.Sprintf("reads of Secrets Manager lag by %s", d)
	}},
	{name: "Step Functions lags", weight: 3, before: true, do: func(r *telling, n int, _ seen) string {
		d := time.Duration(1+n%8) * time.Second
		r.Stack.StepFunctions.SetReadLag(d)
		r.mend(func() { r.Stack.StepFunctions.SetReadLag(0) })
		return fmt.Sprintf("DescribeExecution lags by %s", d)
	}},
	{name: "new secrets are accepted late", weight: 3, before: true, do: func(r *telling, n int, _ seen) string {
		d := time.Duration(1+n%60) * time.Second
		r.Stack.IdP.Store().SetActivationDelay(d)
		r.slow = true
		r.mend(func() { r.slow = false; r.Stack.IdP.Store().SetActivationDelay(0) })
		return fmt.Sprintf("the identity provider accepts new secrets after %s only", d)
	}},
}
