package guarantees_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/config"
)

// startNamed starts an execution by a name, as who starts them by hand does.
func (w *world) startNamed(name string) asl.Result {
	w.t.Helper()
	out, err := w.sfn().StartExecution(context.Background(), &sfn.StartExecutionInput{StateMachineArn: &w.MachineARN,
		Input: aws.String(plain), Name: &name})
	if err != nil {
		w.t.Fatal(err)
	}
	return w.wait(*out.ExecutionArn)
}

// Step Functions takes the name of an execution again 90 days after that has ended. The version that it makes must not
// be the earlier one's.
func TestAnExecutionNameThatIsUsedAgainMakesANewSecret(t *testing.T) {
	t.Parallel()
	for _, vendor := range []string{"okta", "entra", "keycloak"} {
		t.Run(vendor, func(t *testing.T) {
			t.Parallel()
			w := newWorldOf(t, vendor, usual(), quick)
			seen := map[string]bool{w.current(): true}
			for range 3 {
				if r := w.startNamed("quarterly"); r.Status != asl.Succeeded {
					t.Fatalf("ended as %s: %s", text(r.Error), text(r.Cause))
				}
				w.atRest()
				if seen[w.current()] {
					t.Fatal("an old secret came back")
				}
				seen[w.current()] = true
				w.pass(91 * 24 * time.Hour)
			}
		})
	}
}

func TestASecretThatSomethingElseWritesIsNotRotated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*world) error
		says   string
	}{
		"a replica": {func(w *world) error {
			arn, err := w.Stack.SecretsManager.Replicate(scenario.Home, w.SecretARN, scenario.Away)
			w.reconfigure(func(c *config.Client) { c.Secret.ARN = arn })
			return err
		}, "its primary is in Region " + scenario.Home},
		"Secrets Manager": {func(w *world) error {
			return w.Stack.SecretsManager.Change(scenario.Home, w.SecretARN, secretsmanager.Rotated(true))
		}, "aws secretsmanager cancel-rotate-secret"},
		"a service": {func(w *world) error {
			return w.Stack.SecretsManager.Change(scenario.Home, w.SecretARN, secretsmanager.Owned("okta"))
		}, "belongs to the AWS service okta"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			if err := c.change(w); err != nil {
				t.Fatal(err)
			}
			if r, _ := w.rotate(plain); text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), c.says) {
				t.Errorf("ended as %s: %s", text(r.Error), text(r.Cause))
			}
			w.atRest()
		})
	}
}
