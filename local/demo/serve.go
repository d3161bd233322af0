package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"

	"alboidc.internal/local/scenario"
)

// Serve keeps the stack running until ctx ends, and says how to use it.
func Serve(ctx context.Context, o Options) error {
	if o.Address == "" {
		o.Address = defaultAddress
	}
	w, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer w.close()
	if w.byHand() {
		if _, err := w.StoreByHand(ctx); err != nil {
			return err
		}
	}
	if err := w.operate(ctx); err != nil {
		return err
	}
	_, _ = io.WriteString(o.Out, w.instructions())
	if o.Rotator != "" {
		url, end, err := w.openConsole(o.Rotator)
		if err != nil {
			return err
		}
		defer end()
		_, _ = fmt.Fprintf(o.Out,
			"\n# See it, and rotate by clicking, on a web page; the URL is for you alone.\n#\n#   %s\n", url)
	}
	<-ctx.Done()
	return nil
}

// instructions are for a person with the AWS CLI, curl and a browser: a script, to be pasted whole or in parts.
func (w *world) instructions() string {
	shop, partners := w.Site.Pages[0], w.Site.Pages[3]
	hand := ""
	if w.byHand() {
		hand = byHand
	}
	return strings.NewReplacer("{endpoint}", w.Stack.URL, "{machine}", w.MachineARN, "{region}", scenario.Home,
		"{client}", scenario.Client, "{vendor}", w.Stack.Vendor, "{by hand}", hand,
		"{group}", scenario.MachineName,
		"{shop}", "shop.localhost:"+port(shop.Nodes[0]), "{reports}", "reports.localhost:"+port(shop.Nodes[1]),
		"{partners}", "partners.localhost:"+port(partners.Nodes[0])+"/orders/today",
		"{user}", w.Users[0].Name, "{password}", w.Users[0].Password, "{logs}", w.logs.Name(),
		"{journal}", scenario.JournalTable,
		"{parameter}", scenario.ParameterPrefix+scenario.Client,
		"{ca}", w.authority).Replace(howTo)
}

// port is the one of a node's address.
func port(address string) string {
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		return "" // the stack makes the addresses
	}
	return p
}

const byHand = `
# A person has made a second secret at the identity provider and stored it as AWSPENDING. The first rotation
# takes it, later ones are refused until somebody stores another.
`

// howTo can be pasted into a shell from top to bottom. Where # begins no comment (zsh, when it is interactive), these
// lines are commands that there are not: nothing in them means more to a shell.
const howTo = `# The local stack is running, with the management API of {vendor}. End it with Ctrl-C. Nothing is kept.
# The functions write their logs to {logs}
{by hand}
# Paste what you need into another terminal, or all of it. Any access key will do.

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={region} AWS_PAGER=
  export AWS_ENDPOINT_URL={endpoint}
  MACHINE={machine}

# What follows is for the AWS CLI. The program that make rotator builds does the same in shorter words,
# here as on AWS: .build/bin/rotator status, plan {client}, start {client} --watch.

# Only plan. Measure.

  aws stepfunctions start-execution --state-machine-arn $MACHINE \
    --input '{"client": "{client}", "dryRun": true}'
  aws stepfunctions start-execution --state-machine-arn $MACHINE \
    --input '{"client": "{client}", "measure": true}'

# Rotate, and watch. The waits are shortened, it takes about 40 s. It begins when the dry run has ended.

  EXECUTION=$(aws stepfunctions start-execution --state-machine-arn $MACHINE \
    --input '{"client": "{client}"}' --query executionArn --output text)
  aws stepfunctions describe-execution --execution-arn $EXECUTION
  aws stepfunctions get-execution-history --execution-arn $EXECUTION \
    --query 'events[?stateEnteredEventDetails].stateEnteredEventDetails.name'

# Rotate after a leak. This takes over from an execution that runs.

  EXECUTION=$(aws stepfunctions start-execution --state-machine-arn $MACHINE \
    --input '{"client": "{client}", "emergency": true, "reason": "leak: INC-1234"}' --query executionArn --output text)

# Stop an execution anywhere, and the next one first puts right what it left. Or take it up again where it stopped.

  aws stepfunctions stop-execution --execution-arn $EXECUTION
  aws stepfunctions redrive-execution --execution-arn $EXECUTION

# See the two schedules of the client. Let the one of the rotation start it now, as a rate does whenever it is set.

  aws scheduler get-schedule --group-name {group} --name {client}.measure
  TARGET=$(aws scheduler get-schedule --group-name {group} --name {client} --query Target)
  aws scheduler update-schedule --group-name {group} --name {client} --schedule-expression 'rate(30 days)' \
    --flexible-time-window '{"Mode": "OFF"}' --target "$TARGET"

# Look at what it works on.

  aws secretsmanager describe-secret --secret-id orders-web/client-secret
  aws dynamodb get-item --table-name {journal} --key '{"client": {"S": "{client}"}}'
  aws ssm get-parameter --name {parameter} --query Parameter.Value --output text
  BALANCER=$(aws elbv2 describe-load-balancers --names shop-alb --query 'LoadBalancers[0].LoadBalancerArn' --output text)
  LISTENER=$(aws elbv2 describe-listeners --load-balancer-arn $BALANCER --query 'Listeners[0].ListenerArn' --output text)
  aws elbv2 describe-rules --listener-arn $LISTENER

# Make something fail: with this fault, rotations are rolled back. List the faults. End them.

  curl -d '{"service": "secretsmanager", "operation": "UpdateSecretVersionStage", "match": "AWSCURRENT",
    "mode": "refuse", "status": 403, "code": "AccessDeniedException"}' {endpoint}/_local/faults
  curl {endpoint}/_local/faults
  curl -X DELETE {endpoint}/_local/faults

# Read what people were told, as they would by e-mail.

  curl {endpoint}/_local/messages

# Log in with a browser as {user} with {password} at one of these. Names below localhost lead to this machine.
# The certificates are signed by {ca} until the stack ends.
#
#   https://{shop}/
#   https://{reports}/
#   https://{partners}
`
