package main

import (
	"errors"
	"fmt"
	"sort"
	"strconv"

	"github.com/aws/aws-cdk-go/awscdk/v2/awsevents"
	"github.com/aws/aws-cdk-go/awscdk/v2/awsiam"
	"github.com/aws/constructs-go/constructs/v10"
	"github.com/aws/jsii-runtime-go"

	"alboidc.internal/shared/config"
	"alboidc.internal/shared/rights"
	"alboidc.internal/statemachine"
)

// place puts the clients of a file into stacks, as they were before. It returns nil if the stack itself has room for
// all; synth has written its template then. known are the places that are written down, nil if none are.
func place(f *File, known *places, synth func(File) error) (*places, error) {
	var p places
	if known.further() > 0 {
		p = known.of(*f)
	} else {
		sorted, deployed := known.first(*f)
		n, err := fitting(*f, sorted, synth)
		if err != nil || n == len(f.Clients) {
			return nil, err
		}
		if n < deployed {
			return nil,
				fmt.Errorf("clients: %d are in the stack %s by the file of places, but it has room for %d of them "+
					"now: what they have has grown, or what it needs for further stacks takes the room. None may "+
					"move by itself. Take load balancers, addresses or test users from them, or give some a later "+
					"stack (docs/deploying.md#hundreds-of-clients)", deployed, f.Stack.Name, n)
		}
		p = firstPlaces(sorted, n)
	}
	if p.Stacks > config.MaxPlace {
		return nil,
			fmt.Errorf("clients: need %d further stacks, at most %d are possible: put some of the new ones into "+
				"another file with another stack.name", p.Stacks, config.MaxPlace)
	}
	for i := range f.Clients {
		f.Clients[i].Place = p.Clients[f.Clients[i].Name]
	}
	return &p, nil
}

// fitting returns how many of the first clients of sorted fit into the stack itself, or of f, if all do.
func fitting(f, sorted File, synth func(File) error) (int, error) {
	var last, other error // other is of none that is too large
	fits := func(n int) bool {
		some := sorted
		if some.Clients = sorted.Clients[:n]; n == len(f.Clients) {
			some = f
		}
		last = synth(some)
		if !errors.As(last, new(tooLargeError)) && last != nil {
			other = last
		}
		return last == nil
	}
	most := min(len(f.Clients), clientsInStack)
	if fits(most) || other != nil {
		return most, other
	}
	n := sort.Search(most-1, func(i int) bool { return !fits(i + 1) })
	if n == 0 && other == nil {
		return 0, last // that try was of the first client alone
	}
	return n, other
}

// besides are the places by which some of a file's clients are tried in the stack itself; nil if they are all. What it
// needs for further stacks takes room, too.
func besides(some, all File) *places {
	if len(some.Clients) == len(all.Clients) {
		return nil
	}
	p := firstPlaces(some, len(some.Clients))
	p.Stacks = 1
	return &p
}

// further is how many further stacks there are.
func (p *places) further() int {
	if p == nil {
		return 0
	}
	return p.Stacks
}

// stackName is the name of a stack by its number.
func stackName(name string, n int) string {
	if n == 0 {
		return name
	}
	return name + "-clients-" + strconv.Itoa(n)
}

// addPlaces adds the further stacks. Each is a stack of its own, not a nested one: an operation on nested stacks may
// change 2,500 resources at most, those of all of them together (CloudFormation user guide, "Quotas").
func (r *rotator) addPlaces(scope constructs.Construct) {
	if r.places != nil {
		r.export()
	}
	before := r.stack
	for n := range r.places.further() {
		p := *r
		p.place = n + 1
		p.newStack(scope, stackName(r.Name, p.place),
			fmt.Sprintf("Clients of the stack %s: what belongs to each of them, "+
				"and the roles by which the functions reach it.", r.Name))
		// One after the other: where an address or an alarm moves, the one before has let go of it.
		p.stack.AddStackDependency(before, nil)
		p.addSecrets()
		p.addPlaceRoles()
		p.addParameters()
		p.addClientSchedules()
		p.addBus()
		p.addWatches()
		p.addAlarmsOfClients()
		p.addClientSubscriptions()
		p.addDashboard()
		p.finish()
		before = p.stack
	}
}

// export exports what further stacks import, whether or not one does: this stack is deployed first, and CloudFormation
// refuses to remove what one still imports.
func (r *rotator) export() {
	list := []*string{r.schedules.Ref(), r.schedulesRole.RoleArn(), r.liveMachine.AttrArn(), r.deadLetter.QueueArn(),
		r.notifier.AttrArn(), r.ruleRole.RoleArn(), r.topic.TopicArn(), r.clientAlarms.TopicArn()}
	for _, name := range sorted(r.callers) {
		if !rights.Functions[name].Evidence {
			list = append(list, r.callers[name].RoleArn())
		}
	}
	for _, value := range list {
		r.stack.ExportValue(value, nil)
	}
}

// rights is this deployment, for the names of roles.
func (r *rotator) rights() rights.Stack {
	return rights.Stack{Partition: *r.stack.Partition(), Region: r.Region, Account: r.Account, Name: r.Name}
}

// allowPlaces lets a function assume its roles in the further stacks. That is a policy beside those of the clients in
// the stack itself, which may fill the role's own already.
func (r *rotator) allowPlaces(role awsiam.Role, f statemachine.Function) {
	var list []string
	for n := range r.places.further() {
		list = append(list, r.rights().PlaceRoleARN(f.Name, n+1))
	}
	r.allowApart(role, "Places", permit("Places", list, rights.Assume))
}

// allowApart adds a statement to a role in a policy of its own. The CDK moves what a role has no room for into such
// policies, too, but it takes names that are known only later for short, also in conditions.
func (r *rotator) allowApart(role awsiam.Role, id string, statement awsiam.PolicyStatement) {
	awsiam.NewManagedPolicy(r.stack, jsii.String(*role.Node().Id()+"-"+id), &awsiam.ManagedPolicyProps{
		Description: role.Node().Id(), Roles: &[]awsiam.IRole{role}, Statements: &[]awsiam.PolicyStatement{statement}})
}

// addPlaceRoles adds for each function the role by which it reaches the clients of this stack. Only the function's own
// role may assume it, and that may only from within the function: a session that one role assumes of another does not
// have the function's ARN any more.
func (r *rotator) addPlaceRoles() {
	for _, f := range statemachine.Functions() {
		g := rights.Functions[f.Name]
		if g.Evidence {
			continue
		}
		role := awsiam.NewRole(r.stack, jsii.String("Role-"+f.Name), &awsiam.RoleProps{
			RoleName:    jsii.String(r.rights().PlaceRoles(f.Name) + strconv.Itoa(r.place)),
			AssumedBy:   awsiam.NewArnPrincipal(r.callers[f.Name].RoleArn()),
			Description: jsii.String("Function " + r.functionName(f) + " for the clients of " + *r.stack.StackName()),
		})
		r.roles[f.Name] = role
		r.allowClients(role, g)
		if reasons := r.allowLooking(role, g); len(reasons) > 0 {
			explainWildcards(role, reasons)
		}
	}
}

// addBus adds the event bus of this stack's rules on load balancers, and what sends the events there: a bus has 300
// rules by default, in some Regions 100 (EventBridge user guide, "Quotas"), and each client needs two or more.
func (r *rotator) addBus() {
	name := *r.stack.StackName()
	bus := awsevents.NewCfnEventBus(r.stack, jsii.String("Bus"), &awsevents.CfnEventBusProps{Name: &name,
		Description: jsii.String("Changes of load balancers, for the clients of " + name)})
	sender := awsiam.NewRole(r.stack, jsii.String("Role-changes"), &awsiam.RoleProps{
		Description: jsii.String("Rule " + r.ruleName("changes-"+strconv.Itoa(r.place))),
		AssumedBy: awsiam.NewServicePrincipal(jsii.String("events.amazonaws.com"), &awsiam.ServicePrincipalOpts{
			Conditions: r.ourAccount(r.arn("events", "rule/"+r.ruleName("*")))}),
	})
	arn := r.arn("events", "event-bus/"+name)
	allow(sender, "Send", []string{"events:PutEvents"}, []string{arn}, nil)
	awsevents.NewCfnRule(r.stack, jsii.String("Rule-changes"), &awsevents.CfnRuleProps{
		Name:        jsii.String(r.ruleName("changes-" + strconv.Itoa(r.place))),
		Description: jsii.String("A rule or a listener of a load balancer was changed."),
		EventPattern: map[string]any{
			"source":      []any{"aws.elasticloadbalancing"},
			"detail-type": []any{"AWS API Call via CloudTrail"},
			"detail":      map[string]any{"eventName": []any{"ModifyRule", "ModifyListener"}},
		},
		Targets: []any{&awsevents.CfnRule_TargetProperty{Id: jsii.String("bus"), Arn: bus.AttrArn(),
			RoleArn:          sender.RoleArn(),
			DeadLetterConfig: &awsevents.CfnRule_DeadLetterConfigProperty{Arn: r.deadLetter.QueueArn()}}},
	})
	r.bus = bus.Ref()
}
