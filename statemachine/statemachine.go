// Package statemachine holds the definition of the rotation's state machine, that of the notifier for executions that
// ended otherwise, that of the fleet that rotates many clients, and what a deployment must fill in.
package statemachine

import (
	"cmp"
	_ "embed"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Definition is rotation.asl.json with its ${…} placeholders, as a CloudFormation DefinitionString takes it.
//
//go:embed rotation.asl.json
var Definition string

// Notifier is notifier.asl.json: it tells of rotations that failed where Definition could not tell any more, in a
// rollback or in the last step. They end at the task that failed, without a Catch, so that a redrive resumes there. For
// rotations that were stopped or timed out it starts another; it tells of changes that others made to targets; and it
// has the evidence written of every execution that has ended.
//
//go:embed notifier.asl.json
var Notifier string

// Fleet is fleet.asl.json: it rotates many clients, each by an execution of Definition.
//
//go:embed fleet.asl.json
var Fleet string

// FleetSuffix is what the name of Fleet's state machine has behind that of Definition's.
const FleetSuffix = "-fleet"

// Chosen is a client as a fleet chooses it. Tenant is what the provider's rate limits count by.
type Chosen struct{ Name, Provider, Tenant string }

// directory is how Fleet has the clients: "provider tenant name,name;…". It is a part of a text in JSON.
func directory(clients []Chosen) string {
	var tenants []string
	names := map[string][]string{}
	for _, c := range clients {
		t := c.Provider + " " + unsafeInDirectory.ReplaceAllString(cmp.Or(c.Tenant, "-"), "_")
		if names[t] == nil {
			tenants = append(tenants, t)
		}
		names[t] = append(names[t], c.Name)
	}
	for i, t := range tenants {
		tenants[i] = t + " " + strings.Join(names[t], ",")
	}
	return cmp.Or(strings.Join(tenants, ";"), "none")
}

var unsafeInDirectory = regexp.MustCompile(`[^A-Za-z0-9._:/-]`)

// ToldOtherwise returns the errors of executions that Notifier need not report: Definition has reported them, or nobody
// has to act (runbook, "How an execution can end"). Notifier reports LockLost if nobody has the lock.
func ToldOtherwise() []string { return []string{"RolledBack", "Refused", "LockHeld"} }

// FleetTold returns the errors of executions of Fleet of which it has told people, or which a person has just started
// wrongly.
func FleetTold() []string { return []string{"FleetIncomplete", "InvalidInput"} }

// Function is one of the Lambda functions that the state machine calls.
type Function struct {
	// Name is the folder below functions/ and the function's name in logs.
	Name string
	// Placeholder stands for the function's ARN in the definition.
	Placeholder string
	// Timeout is the function's own timeout. Its tasks wait 15 s longer.
	Timeout time.Duration
	// Writes: it changes something at the identity provider, in Secrets Manager or at a load balancer.
	Writes bool
}

// Functions lists them in the order of a rotation; the last one, which writes the evidence, is Notifier's. The plan
// takes more than a minute to prove that a secret is refused where no other is accepted. The smoke test may wait a
// minute for an identity provider with several token servers, and logs in at every load balancer node.
func Functions() []Function {
	const minute = time.Minute
	return []Function{
		{"plan", "PlanFunctionArn", 5 * minute / 2, false},
		{"createsecret", "CreateSecretFunctionArn", minute, true},
		{"updatealb", "UpdateAlbFunctionArn", minute, true},
		{"promotesecret", "PromoteSecretFunctionArn", minute, true},
		{"smoketest", "SmokeTestFunctionArn", 5 * minute, false},
		{"retiresecret", "RetireSecretFunctionArn", minute, true},
		{"record", "RecordFunctionArn", 5 * minute, false},
	}
}

// settleMargin is added to the longest timeout of a writing function: the time in which a request that was already sent
// may still take effect.
const settleMargin = 15 * time.Second

// Settle returns how long the state machine waits before it relies on no earlier call being under way.
func Settle(functions []Function) time.Duration {
	var longest time.Duration
	for _, f := range functions {
		if f.Writes {
			longest = max(longest, f.Timeout)
		}
	}
	return longest + settleMargin
}

// Values fills the definition's placeholders.
type Values struct {
	// Partition is aws, aws-us-gov, aws-cn, …: a task whose resource is of another partition fails.
	Partition string
	// FunctionARNs by Function.Name.
	FunctionARNs    map[string]string
	JournalTable    string
	ParameterPrefix string
	// Clients are those that there are. A person who starts an execution for an unknown one is shown their names.
	Clients              []Chosen
	NotificationTopicARN string
	EventBusName         string
	// RotationAlias is the alias through which executions of Definition are started.
	RotationAlias string
	// MachineToStart is what people start executions with: the ARN with the alias.
	MachineToStart string
	// Rotations is what the ARNs of executions of Definition begin with; FleetToStart is what people start Fleet with.
	Rotations, FleetToStart string
	// ExecutionURL and an execution's ARN are where people see it (ExecutionURL).
	ExecutionURL string
	// Runbook is where people find docs/runbook.md; what follows a # is an entry of it.
	Runbook string
	Settle  time.Duration
}

// DefaultRunbook is what a message calls the runbook if no URL of it is given.
const DefaultRunbook = "docs/runbook.md"

// ExecutionURL returns the beginning of an execution's URL in the console of a Region, up to its ARN (AWS
// documentation, "AWS Management Console endpoints"). For partitions that it does not know, messages have the ARN and
// no link.
func ExecutionURL(region string) string {
	console := "https://" + region + ".console.aws.amazon.com"
	switch {
	case strings.HasPrefix(region, "us-gov-"):
		console = "https://console.amazonaws-us-gov.com"
	case strings.HasPrefix(region, "cn-"):
		console = "https://console.amazonaws.cn"
	case strings.HasPrefix(region, "eusc-"):
		console = "https://console.amazonaws-eusc.eu"
	case strings.Contains(region, "-iso"):
		return "in Step Functions: "
	}
	return console + "/states/home?region=" + region + "#/v2/executions/details/"
}

// Substitutions returns the placeholders and their values, as CloudFormation's DefinitionSubstitutions takes them.
func (v Values) Substitutions() map[string]string {
	var names []string
	for _, c := range v.Clients {
		names = append(names, c.Name)
	}
	out := map[string]string{
		"Partition": v.Partition, "JournalTable": v.JournalTable, "ParameterPrefix": v.ParameterPrefix,
		"NotificationTopicArn": v.NotificationTopicARN,
		"EventBusName":         v.EventBusName, "RotationAlias": v.RotationAlias, "MachineToStart": v.MachineToStart,
		"ExecutionUrl": v.ExecutionURL, "ClientNames": cmp.Or(strings.Join(names, ", "), "none"),
		"Clients": directory(v.Clients), "RotationExecutions": v.Rotations, "FleetToStart": v.FleetToStart,
		"Runbook": v.Runbook, "SettleSeconds": strconv.Itoa(int(v.Settle / time.Second)),
	}
	for _, f := range Functions() {
		out[f.Placeholder] = v.FunctionARNs[f.Name]
	}
	return out
}

var placeholder = regexp.MustCompile(`\$\{([A-Za-z]+)\}`)

// Used returns the values of the placeholders that a definition has.
func Used(definition string, values map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range placeholder.FindAllStringSubmatch(definition, -1) {
		out[m[1]] = values[m[1]]
	}
	return out
}

// Render replaces the placeholders; one that has no value, or an empty one, is an error.
func Render(definition string, values map[string]string) (string, error) {
	missing := map[string]bool{}
	out := placeholder.ReplaceAllStringFunc(definition, func(m string) string {
		name := m[2 : len(m)-1]
		if values[name] == "" {
			missing[name] = true
		}
		return values[name]
	})
	if len(missing) == 0 {
		return out, nil
	}
	names := make([]string, 0, len(missing))
	for n := range missing {
		names = append(names, n)
	}
	sort.Strings(names)
	return "", fmt.Errorf("the state machine's definition needs a value for %s", strings.Join(names, ", "))
}
