package cli_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"alboidc.internal/local/cloudwatch"
	"alboidc.internal/local/lambda"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/awstest/awsapi"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/lambda/lambdatest"
)

// key is a customer managed key.
const key = "arn:aws:kms:" + scenario.Home + ":" + awsapi.AccountID + ":key/11112222-3333-4444-5555-666677778888"

func role(function string) string {
	return "arn:aws:iam::" + awsapi.AccountID + ":role/" + scenario.MachineName + function
}

func (w *world) changeSecret(changes ...smtest.Change) {
	w.Helper()
	if err := w.Stack.SecretsManager.Change(scenario.Home, w.SecretARN, changes...); err != nil {
		w.Error(err)
	}
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	inWorld(t, examine)
}

func examine(w *world) {
	ctx := context.Background()
	code, out, errs := w.run("doctor")
	w.want(code, 1, out, errs,
		`^error: orders-web: schedules: there is no schedule alb-oidc-rotator/orders-web for the rotation$`,
		`^error: orders-web: schedules: there is no schedule .*/orders-web.measure for the daily measurement$`,
		`^  remedy: make deploy$`)
	if err := w.CreateSchedules(ctx); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("doctor")
	w.want(code, 0, out, errs, `^stack alb-oidc-rotator and 1 clients: nothing is wrong$`)
	code, out, errs = w.run("doctor", "orders-web", "-o", "json")
	w.want(code, 0, out, errs, `^\[\]$`)
	labels, values := w.stored()
	current := labels["AWSCURRENT"]
	balancers := w.Config.LoadBalancers
	for name, c := range map[string]struct {
		do, undo func()
		code     int
		says     []string
	}{
		"an alarm rings": {
			func() {
				w.Stack.CloudWatch.SetAlarm(scenario.Home,
					cloudwatch.Alarm{AlarmName: "alb-oidc-rotator-orders-web/secret-age",
						AlarmDescription: "The secret is old. Runbook: https://x/runbook.md#alarm-secret-age",
						StateValue:       "ALARM"})
			}, func() {
				w.Stack.CloudWatch.SetAlarm(scenario.Home,
					cloudwatch.Alarm{AlarmName: "alb-oidc-rotator-orders-web/secret-age",
						StateValue: "OK", ActionsEnabled: true})
			}, 1, []string{`^error: stack .*: alarms: alarm .*/secret-age rings: The secret is old.$`,
				`remedy: see https://x/runbook.md#alarm-secret-age$`,
				`^warning: .* the actions of alarm .* are switched off`}},
		"an alarm of another stack rings": {
			func() {
				w.Stack.CloudWatch.SetAlarm(scenario.Home, cloudwatch.Alarm{AlarmName: "alb-oidc-rotator-two-failed",
					StateValue: "ALARM", AlarmActions: []string{w.TopicARN + "-two"}})
			}, nil, 0, []string{`^stack .* nothing is wrong$`}},
		"the organization's trail": {func() { w.Stack.CloudTrail.SetOrganization(true) },
			func() { w.Stack.CloudTrail.SetOrganization(false) }, 0,
			[]string{`^warning: stack .*: trail: the organization's trail .* does not say here what it records$`}},
		"there is no trail": {func() { w.Stack.CloudTrail.Set(true, false, false) },
			func() { w.Stack.CloudTrail.Set(false, false, false) }, 0,
			[]string{`^warning: stack .*: trail: no trail of eu-central-1 records who changes load balancers`}},
		"the trail does not record": {func() { w.Stack.CloudTrail.Set(false, true, false) },
			func() { w.Stack.CloudTrail.Set(false, false, false) }, 0, []string{`no trail of eu-west-1`}},
		"the trail leaves out writes": {func() { w.Stack.CloudTrail.Set(false, false, true) },
			func() { w.Stack.CloudTrail.Set(false, false, false) }, 0, []string{`no trail of eu-west-1`}},
		"a load balancer is not listed": {
			func() { w.configure(func(c *config.Client) { c.LoadBalancers = balancers[:1] }) },
			func() { w.configure(func(c *config.Client) { c.LoadBalancers = balancers }) }, 1,
			[]string{`^error: orders-web: load balancers: partners-alb .* its load balancer ` + balancers[1] +
				` is not listed`}},
		"a load balancer does not exist": {
			func() {
				w.configure(func(c *config.Client) {
					c.LoadBalancers = append([]string{strings.Replace(balancers[0], "/shop-alb/", "/gone-alb/", 1)},
						balancers...)
				})
			},
			func() { w.configure(func(c *config.Client) { c.LoadBalancers = balancers }) }, 1,
			[]string{`^error: orders-web: load balancers: load balancer .*/gone-alb/.* does not exist$`}},
		"AWSPENDING is left": {
			func() { w.Stack.SecretsManager.Store(w.SecretARN, "left", "x", "AWSPENDING") },
			func() { w.changeSecret(smtest.Label("AWSPENDING", "")) }, 0,
			[]string{`^warning: orders-web: versions: version left is AWSPENDING, and no rotation runs`,
				`remedy: rotator start orders-web$`}},
		"nobody has stored the secret": {
			func() { w.changeSecret(smtest.Label("AWSCURRENT", "")) },
			func() { w.changeSecret(smtest.Label("AWSCURRENT", current)) }, 1,
			[]string{`^error: orders-web: secrets: nobody has stored the client secret yet`,
				`remedy: rotator adopt orders-web --prompt$`,
				`^error: orders-web: measurement: it could not be measured: Precondition: the secret has no AWSCURRENT version`}},
		"the secret is refused": {
			func() { w.Stack.SecretsManager.Store(w.SecretARN, "bad", wrong, "AWSCURRENT") },
			func() { w.changeSecret(smtest.Label("AWSCURRENT", current)) }, 1,
			[]string{
				`^error: orders-web: measurement: the identity provider refuses AWSCURRENT: logins may be failing$`}},
		"the secret has another form": {
			func() {
				w.Stack.SecretsManager.Store(w.SecretARN, "form", `{"secret":"`+values[current]+`","user":"x"}`,
					"AWSCURRENT")
			},
			func() { w.changeSecret(smtest.Label("AWSCURRENT", current)) }, 1,
			[]string{`^error: orders-web: measurement: the next rotation would be refused: secret.jsonKey: `}},
		"Secrets Manager rotates": {func() { w.changeSecret(smtest.Rotated(true)) },
			func() { w.changeSecret(smtest.Rotated(false)) }, 1,
			[]string{`secrets: Secrets Manager rotates .* by itself`,
				`remedy: aws secretsmanager cancel-rotate-secret --region eu-central-1 --secret-id ` + w.SecretARN}},
		"the key is switched off": {func() { w.changeSecret(smtest.Encrypted(key)); w.Stack.KMS.Set(key, "Disabled") },
			func() { w.Stack.KMS.Set(key, "Enabled") }, 1,
			[]string{`^error: orders-web: keys: the key ` + key + ` is Disabled$`,
				`remedy: aws kms enable-key --region eu-central-1 --key-id ` + key}},
		"the configuration is refused": {func() { w.putConfiguration("{}") },
			func() { w.configure(func(*config.Client) {}) }, 1,
			[]string{`^error: orders-web: configuration: the deployed configuration is refused: `}},
		"a killed adoption has left the lock": {func() {
			if err := w.journal().Lock(ctx, scenario.Client, "arn:aws:states:eu-central-1:1:execution:x:adopt",
				w.clock.Now().Add(-time.Hour)); err != nil {
				w.Error(err)
			}
		}, func() {
			if err := w.journal().Unlock(ctx, scenario.Client,
				"arn:aws:states:eu-central-1:1:execution:x:adopt"); err != nil {
				w.Error(err)
			}
		}, 1, []string{`^error: orders-web: rotation: a rotator adopt that was killed has left the lock`}},
	} {
		c.do()
		code, out, errs := w.run("doctor", "--regions", "eu-west-1")
		w.Log(name)
		w.want(code, c.code, out, errs, c.says...)
		if c.undo != nil {
			c.undo()
		}
	}
	w.Stack.CloudTrail.Set(false, false, false)
	w.changeSecret(smtest.Label("AWSCURRENT", ""))
	code, out, errs = w.run("measure", "orders-web") // nobody has said that the secret is refused
	w.want(code, 1, out, errs, `^it could not be measured: Precondition: the secret has no AWSCURRENT version`)
	w.changeSecret(smtest.Label("AWSCURRENT", current))
	if _, err := sns.NewFromConfig(w.Stack.AWS(scenario.Home)).Subscribe(ctx, &sns.SubscribeInput{TopicArn: &w.TopicARN,
		Protocol: aws.String("email"), Endpoint: aws.String("late@example.com")}); err != nil {
		w.Error(err)
	}
	code, out, errs = w.run("doctor", "--file", "../../../infra/clients.yaml")
	w.want(code, 0, out, errs, `^warning: stack .*: notifications: late@example.com has not confirmed its subscription`,
		`remedy: confirm it .* aws sns subscribe --region eu-central-1 --topic-arn `+w.TopicARN,
		`^warning: orders-web: configuration: what is deployed differs from ../../../infra/clients.yaml in .*clientId`)
}

// A secret that has an end from the beginning is nothing to mend before that is near.
func TestDoctorWarnsOfASecretThatEndsSoon(t *testing.T) {
	t.Parallel()
	inWorldOf(t, "keycloak", func(w *world) {
		const ends = `the identity provider ends the secret in use by itself`
		_, out, errs := w.run("doctor")
		if strings.Contains(out+errs, ends) {
			w.Errorf("it warns half a year before:\n%s%s", out, errs)
		}
		_ = w.clock.Sleep(context.Background(), 160*24*time.Hour)
		code, out, errs := w.run("doctor")
		w.want(code, 1, out, errs, `^warning: orders-web: measurement: `+ends) // and there are no schedules
	})
}

func TestDoctorTellsWhenTheRotatorsOwnCredentialEnds(t *testing.T) {
	t.Parallel()
	inWorldOf(t, "entra", func(w *world) {
		_, out, errs := w.run("doctor", "--output", "json")
		if !strings.Contains(out, "clientSecret.ends in clients.yaml") {
			w.Errorf("it does not say that nobody knows:\n%s%s", out, errs)
		}
	})
}

func TestDoctorLooksAtTheFunctionOfAProvider(t *testing.T) {
	t.Parallel()
	inWorldOf(t, "lambda", func(w *world) {
		if err := w.CreateSchedules(context.Background()); err != nil {
			w.Error(err)
		}
		code, out, errs := w.run("doctor")
		w.want(code, 0, out, errs, `nothing is wrong$`)
		settings := string(w.Config.IdentityProvider.Settings)
		for old, c := range map[string]struct {
			new, says string
		}{
			`:live"`: {`:old"`, `^error: orders-web: identity provider: the function .*:old does not exist`},
			`"canDisable":true`: {`"canDisable":false`,
				`^error: orders-web: identity provider: the function's capabilities are not .* differ in canDisable:`},
		} {
			w.configure(func(c2 *config.Client) {
				c2.IdentityProvider.Settings = []byte(strings.Replace(settings, old, c.new, 1))
			})
			code, out, errs = w.run("doctor")
			w.want(code, 1, out, errs, c.says)
		}
		w.configure(func(c *config.Client) { c.IdentityProvider.Settings = []byte(settings) })
		w.Stack.Lambda.RegisterInProcess(lambdatest.FunctionName, 16*time.Second,
			func(context.Context, []byte) ([]byte, *lambda.FunctionError) {
				return nil, &lambda.FunctionError{Type: "KeyError", Message: "the secret"}
			}, lambdatest.Alias)
		code, out, errs = w.run("doctor")
		w.want(code, 1, out, errs, `^warning: orders-web: identity provider: the function .* may run for 16s`,
			`^error: orders-web: identity provider: the function ended without an answer \(an error of its code\)`)
		if strings.Contains(out+errs, "the secret\n") || strings.Contains(out+errs, "KeyError") {
			w.Errorf("what the function said is shown:\n%s%s", out, errs)
		}
		_, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "Invoke", Match: lambdatest.FunctionName,
			Mode: fault.Refuse, Status: 403, Code: "AccessDeniedException"})
		if err != nil {
			w.Error(err)
		}
		_, out, errs = w.run("doctor")
		w.want(1, 1, out, errs, `^unknown: orders-web: identity provider: .* you may not invoke it$`)
	})
}

func TestDoctorLooksByTheRightsThatItHas(t *testing.T) {
	t.Parallel()
	inWorld(t, examineRights)
}

func examineRights(w *world) {
	if err := w.CreateSchedules(context.Background()); err != nil {
		w.Error(err)
	}
	w.changeSecret(smtest.Encrypted(key))
	w.Stack.KMS.Set(key, "Enabled")
	for service, operations := range map[string]string{"secretsmanager": "DescribeSecret", "kms": "DescribeKey",
		"lambda": "GetFunctionConfiguration", "states": "StartExecution", "sns": "ListSubscriptionsByTopic",
		"monitoring": "DescribeAlarms", "cloudtrail": "DescribeTrails GetTrailStatus GetEventSelectors",
		"elasticloadbalancing": "DescribeLoadBalancers DescribeRules", "scheduler": "GetSchedule",
		"dynamodb": "GetItem",
		"iam":      "SimulatePrincipalPolicy"} {
		for _, operation := range strings.Fields(operations) {
			id, err := w.Stack.Faults.Add(fault.Rule{Service: service, Operation: operation, Mode: fault.Refuse,
				Status: 400, Code: "AccessDeniedException"})
			if err != nil {
				w.Error(err)
			}
			code, out, errs := w.run("doctor")
			action := strings.Replace(service, "monitoring", "cloudwatch", 1) + ":" + operation
			w.want(code, 1, out, errs, `(^unknown: .* could not look at .*: needs|remedy: allow) `+action)
			w.Stack.Faults.Remove(id)
		}
	}
	code, out, errs := w.run("history", "orders-web")
	w.want(code, 0, out, errs, ` plan +SUCCEEDED`) // a dry run took the place of the simulation
	gone, err := w.Stack.Faults.Add(fault.Rule{Service: "lambda", Operation: "GetFunctionConfiguration",
		Match: "-smoketest",
		Mode:  fault.Refuse, Status: 404, Code: "ResourceNotFoundException"})
	if err != nil {
		w.Error(err)
	}
	w.Stack.IAM.Deny(role("-updatealb"), "elasticloadbalancing:ModifyRule")
	w.Stack.IAM.Deny(role("-createsecret"), "kms:GenerateDataKey")
	w.Stack.IAM.Delete(role("-plan"))
	code, out, errs = w.run("doctor")
	w.want(code, 1, out, errs, `^error: stack .*: functions: the function alb-oidc-rotator-smoketest does not exist$`,
		`^error: orders-web: rights: role alb-oidc-rotator-updatealb may not elasticloadbalancing:ModifyRule on .*:listener-rule/`,
		`^error: orders-web: rights: role alb-oidc-rotator-createsecret may not kms:GenerateDataKey on `+key,
		`^error: orders-web: rights: the role .*/alb-oidc-rotator-plan does not exist$`)
	w.Stack.Faults.Remove(gone)
}

// putConfiguration stores a text as the client's configuration.
func (w *world) putConfiguration(text string) {
	w.Helper()
	if _, err := ssm.NewFromConfig(w.Stack.AWS(scenario.Home)).PutParameter(context.Background(),
		&ssm.PutParameterInput{Name: aws.String(scenario.ParameterPrefix + w.Config.Name), Type: "String",
			Tier: "Advanced", Overwrite: aws.Bool(true), Value: &text}); err != nil {
		w.Error(err)
	}
}
