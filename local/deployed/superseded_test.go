package deployed_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	ddbtypes "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/idp/idptest/clients"
)

// The whole way: somebody rotates by hand in the grace period, the execution ends, and another one goes on from there.
func TestARotationThatIsSupersededIsHealed(t *testing.T) {
	t.Parallel()
	const third = "made-and-stored-by-a-person-0123456789abcdef"
	w := newWorld(t, readTemplate(t))
	w.deployRule(t, "notifier", w.deployNotifier(t))
	client := sfn.NewFromConfig(w.Stack.AWS(scenario.Home))
	if _, err := client.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: aws.String(started),
		Input: aws.String(`{"client": "orders-web"}`)}); err != nil {
		t.Fatal(err)
	}
	w.pass(t, 30*time.Minute) // it is in its grace period
	if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
		_, err := e.Add(clients.Secret{ID: "ocsstranger000000001"}, third)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).PutSecretValue(t.Context(),
		&secretsmanager.PutSecretValueInput{
			SecretId: &w.SecretARN, SecretString: aws.String(third)}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		w.settle(t)
	}
	var outcomes []string
	for _, n := range w.notices(t) {
		outcomes = append(outcomes, n.Client+" "+n.Outcome)
	}
	if got := strings.Join(outcomes, ", "); got != "orders-web superseded, orders-web rollingBack, orders-web rotated" {
		t.Errorf("told is %s", got)
	}
	if got := w.executions(t, w.MachineARN); !slices.Contains(got,
		`{"client":"orders-web","reason":"healing: somebody else changed AWSCURRENT"}`) {
		t.Errorf("started are %v", got)
	}
	if list := w.events(t, "Client Secret Rotation Superseded"); len(list) != 1 || list[0].Outcome != "superseded" {
		t.Errorf("the events are %+v", list)
	}
	if live := w.Stack.IdP.Store().Secrets(w.ClientID); len(live) != 1 {
		t.Errorf("the identity provider holds %+v", live)
	}
}

// An emergency has the lock before it stops the former owner. A full history ends an execution as States.Runtime.
func TestAStopIsHealedOnlyIfNobodyElseHasTheLock(t *testing.T) {
	t.Parallel()
	tpl := readTemplate(t)
	const stopped = "arn:aws:states:eu-central-1:111122223333:execution:alb-oidc-rotator:x" // of the event
	for _, c := range []struct {
		how, owner  string
		heals, told bool
	}{
		{"ABORTED", "", true, true}, {"ABORTED", stopped, true, true}, {"ABORTED", stopped + "2", false, false},
		{"FAILED States.Runtime", "", false, true}, // nothing is left
		{"FAILED States.Runtime", stopped, true, true}, {"FAILED States.Runtime", stopped + "2", false, false},
	} {
		for _, input := range []string{`{"client": "orders-web"}`,
			`{"client": "orders-web", "emergency": true, "reason": "leak"}`,
			`{"client": "orders-web", "dryRun": true}`} {
			t.Run(c.how+c.owner+input, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, tpl)
				if c.owner != "" {
					w.lock(t, c.owner)
				}
				if r := w.run(t, w.deployNotifier(t), ended(w.MachineARN,
					c.how, input)); r.Status != asl.Succeeded {
					t.Fatalf("it ended as %+v", r)
				}
				started := w.executions(t, w.MachineARN)
				if got := len(started) > 0; got != (c.heals && !strings.Contains(input, "dryRun")) {
					t.Errorf("started are %v", started)
				}
				if emergency := strings.Contains(input, "emergency"); len(started) > 0 && strings.Contains(started[0],
					`"emergency":true`) != emergency {
					t.Errorf("started are %v", started)
				}
				if told := len(w.notices(t)) > 0; told != c.told {
					t.Errorf("told is %+v", w.notices(t))
				}
			})
		}
	}
}

// lock gives the client's lock to an execution.
func (w *world) lock(t *testing.T, owner string) {
	t.Helper()
	if _, err := dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)).UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(scenario.JournalTable),
		Key: map[string]ddbtypes.AttributeValue{"client": &ddbtypes.AttributeValueMemberS{
			Value: scenario.Client}},
		UpdateExpression:         aws.String("SET #owner = :owner"),
		ExpressionAttributeNames: map[string]string{"#owner": "owner"},
		ExpressionAttributeValues: map[string]ddbtypes.AttributeValue{":owner": &ddbtypes.AttributeValueMemberS{
			Value: owner}}}); err != nil {
		t.Fatal(err)
	}
}
