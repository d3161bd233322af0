package rotation

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestThePlanOfTheMostTargetsFitsIntoAnExecution(t *testing.T) {
	t.Parallel()
	const ( // the longest there can be: a partition with a long name, a load balancer's name of 32 characters
		prefix  = "arn:aws-us-gov:elasticloadbalancing:ap-southeast-2:111122223333:"
		name    = "a-load-balancer-of-32-characters"
		id      = "0123456789abcdef"
		balance = prefix + "loadbalancer/app/" + name + "/" + id
	)
	longest := Target{Region: "ap-southeast-2", LoadBalancerARN: balance, ListenerARN: prefix + "listener/app/" + name +
		"/" + id + "/" + id,
		RuleARN: prefix + "listener-rule/app/" + name + "/" + id + "/" + id + "/" + id, Name: name +
			" :65535 rule 50000"}
	plan := Plan{Targets: slices.Repeat([]Target{longest}, MaxTargets),
		Warnings: slices.Repeat([]string{strings.Repeat("w", 400)}, MaxWarnings)}
	b, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	const rest = 8 << 10 // what else a plan says, and what Step Functions adds to a function's result
	if len(b) > 256<<10-rest {
		t.Errorf("%d bytes", len(b))
	}
	t.Logf("%d bytes", len(b))
}
