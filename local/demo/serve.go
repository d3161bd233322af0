package demo

import (
	"context"
	"strings"

	"alboidc.internal/local/orders"
)

// Serve keeps the stack running until ctx ends, and says how to use it.
func Serve(ctx context.Context, o Options) error {
	w, err := start(ctx, o)
	if err != nil {
		return err
	}
	defer w.close()
	v := newView(w, o)
	v.print("%s", strings.NewReplacer("{endpoint}", w.Stack.URL, "{machine}", w.MachineARN, "{secret}", w.SecretARN,
		"{region}", orders.Home, "{client}", orders.Client, "{balancer}", w.Site.LoadBalancers[0], "{shop}", w.Site.Pages[0].Nodes[0],
		"{issuer}", w.Stack.IdP.Issuer(), "{user}", w.Users[0].Name, "{password}", w.Users[0].Password, "{logs}", w.logs.Name(),
		"{journal}", orders.JournalTable, "{ca}", w.authority).Replace(howTo))
	<-ctx.Done()
	return nil
}

const howTo = `The local stack is running; end it with Ctrl-C. Nothing is kept.

Any access key will do:

  export AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local AWS_DEFAULT_REGION={region}
  export AWS_ENDPOINT_URL={endpoint}
  MACHINE={machine}

Rotate (the waits are shortened: about 40 s), and watch:

  EXECUTION=$(aws stepfunctions start-execution --state-machine-arn $MACHINE --input '{"client": "{client}"}' --query executionArn --output text)
  aws stepfunctions describe-execution --execution-arn $EXECUTION
  aws stepfunctions get-execution-history --execution-arn $EXECUTION --query 'events[?stateEnteredEventDetails].stateEnteredEventDetails.name'

Only plan; rotate after a leak, without a grace period; take up a failed execution again:

  aws stepfunctions start-execution --state-machine-arn $MACHINE --input '{"client": "{client}", "dryRun": true}'
  aws stepfunctions start-execution --state-machine-arn $MACHINE --input '{"client": "{client}", "gracePeriodSeconds": 0, "reason": "leak"}'
  aws stepfunctions redrive-execution --execution-arn $EXECUTION

Look at what it works on:

  aws secretsmanager describe-secret --secret-id {secret}
  aws dynamodb get-item --table-name {journal} --key '{"client": {"S": "{client}"}}'
  aws ssm get-parameter --name /alb-oidc-rotator/clients/{client}
  LISTENER=$(aws elbv2 describe-listeners --load-balancer-arn {balancer} --query 'Listeners[0].ListenerArn' --output text)
  aws elbv2 describe-rules --listener-arn $LISTENER

Make something fail, and list or end faults:

  curl -d '{"service": "idp", "operation": "okta.createSecret", "mode": "refuse", "status": 503}' {endpoint}/_local/faults
  curl {endpoint}/_local/faults
  curl -X DELETE {endpoint}/_local/faults/1

Log in with a browser: https://{shop}/ as {user} with {password} (its certificate is signed by {ca}).
The functions' logs: {logs}`
