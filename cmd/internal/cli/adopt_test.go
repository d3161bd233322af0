package cli_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/local/idp"
	"alboidc.internal/local/scenario"
	smtest "alboidc.internal/shared/awstest/secretsmanager"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
	"alboidc.internal/shared/idp/idptest/clients"
	"alboidc.internal/shared/journal"
)

// wrong is a secret that no provider accepts.
const wrong = "ThisIsNotTheSecretOfAnybodyAtAll0123456789abcdef"

// registered makes a second secret of a registration at the identity provider.
func (w *world) registered(clientID, value string) {
	w.Helper()
	if err := w.Stack.IdP.Store().Update(clientID, func(e *clients.Edit) error {
		_, err := e.Add(idp.Secret{ID: w.Stack.IdP.Vendor().NewSecretID(clientID)}, value)
		return err
	}); err != nil {
		w.Error(err)
	}
}

// stored is where the labels of the client's secret are, and what its versions hold.
func (w *world) stored() (labels, values map[string]string) {
	w.Helper()
	labels, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	if err != nil {
		w.Error(err)
	}
	return labels, values
}

func (w *world) journal() *journal.Table {
	return journal.New(dynamodb.NewFromConfig(w.Stack.AWS(scenario.Home)), scenario.JournalTable)
}

// free fails if anybody has the client's lock.
func (w *world) free() {
	w.Helper()
	if r, err := w.journal().Record(context.Background(), scenario.Client); err != nil || r.Owner != "" {
		w.Errorf("%q has the lock (%v)", r.Owner, err)
	}
}

// configure stores another configuration of the client.
func (w *world) configure(change func(*config.Client)) {
	w.Helper()
	change(&w.Config)
	text, err := json.Marshal(w.Config)
	if err != nil {
		w.Error(err)
	}
	w.putConfiguration(string(text))
}

func TestASecretIsAdopted(t *testing.T) {
	t.Parallel()
	inWorld(t, adoptOnce)
}

func adoptOnce(w *world) {
	const brought = "BroughtByAPersonAndMadeAtTheProvider0123456789ab"
	labels, values := w.stored()
	first := labels["AWSCURRENT"]
	adopt := func(value string, forms ...string) (code int, all string) {
		code, out, errs := w.runWith(context.Background(), value, "adopt", "orders-web", "--from-file", "-")
		w.free()
		if strings.Contains(out+errs, strings.TrimSpace(value)) {
			w.Errorf("the value is shown:\n%s%s", out, errs)
		}
		w.want(code, code, out, errs, forms...)
		return code, out + errs
	}
	for _, c := range []struct {
		name, value string
		code        int
		says        string
	}{
		{"what is stored already", values[first], 0, `has this secret already, .*: nothing was changed`},
		{"a wrong value", wrong, 1, `refuses the value, 3 times: .*, while it accepts AWSCURRENT; nothing was stored`},
		{"a value in quotation marks", `"` + brought + `"`, 1, `3 times: .*has quotation marks around it`},
		{"a line break", brought + "\n", 2, `begins or ends with white space`},
		{"a byte order mark", "\ufeff" + brought, 2, `begins or ends with white space`},
		{"white space before", " " + brought, 2, `begins or ends with white space`},
	} {
		if code, all := adopt(c.value, c.says); code != c.code {
			w.Errorf("%s: exit code %d, want %d\n%s", c.name, code, c.code, all)
		}
	}
	code, out, errs := w.run("adopt", "orders-web", "--from-file", "/dev/null")
	w.want(code, 2, out, errs, `the value is empty`)
	if now, _ := w.stored(); now["AWSCURRENT"] != first {
		w.Errorf("AWSCURRENT went from %s to %s", first, now["AWSCURRENT"])
	}
	w.registered(w.ClientID, brought)
	code, all := adopt(brought, `^stored as AWSCURRENT of orders-web: version [0-9a-f-]{36}$`,
		`^AWSPREVIOUS is now version `+first+`, which was AWSCURRENT$`, `rotator start orders-web$`)
	labels, values = w.stored()
	if code != 0 || values[labels["AWSCURRENT"]] != brought || labels["AWSPREVIOUS"] != first {
		w.Errorf("exit code %d, labels %v\n%s", code, labels, all)
	}
	if code, all := adopt(brought, `nothing was changed`); code != 0 {
		w.Errorf("a repeat: exit code %d\n%s", code, all)
	}
	if again, _ := w.stored(); again["AWSCURRENT"] != labels["AWSCURRENT"] {
		w.Error("a repeat stored another version")
	}
	code, out, errs = w.run("plan", "orders-web")
	if code != 0 && !strings.Contains(out, "Refused") {
		w.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestASecretIsAdoptedInItsForm(t *testing.T) {
	t.Parallel()
	inWorld(t, adoptForms)
}

func adoptForms(w *world) {
	const second, third = "SecondSecretOfTheClientFromAPerson0123456789abcd",
		"ThirdSecretOfTheClientFromAPerson0123456789abcde"
	w.registered(w.ClientID, second)
	w.configure(func(c *config.Client) { c.Secret.JSONKey = "clientSecret" })
	file := filepath.Join(w.TempDir(), "secret")
	store := func(value string) {
		if err := os.WriteFile(file, []byte(value), 0o600); err != nil {
			w.Error(err)
		}
	}
	store(second)
	code, out, errs := w.run("adopt", "orders-web", "--from-file", file, "-o", "json")
	w.want(code, 0, out, errs, `"changed": true`, `"clientId": "`+w.ClientID+`"`,
		`was not a JSON object; the new one is, with member \\"clientSecret\\"`)
	labels, values := w.stored()
	if got := values[labels["AWSCURRENT"]]; got != `{"clientSecret":"`+second+`"}` {
		w.Errorf("stored is %s", got)
	}
	w.Stack.SecretsManager.Store(w.SecretARN, labels["AWSCURRENT"],
		`{"clientSecret":"`+second+`","clientId":"`+w.ClientID+`"}`)
	if err := w.Stack.IdP.Store().Update(w.ClientID, func(e *clients.Edit) error {
		return e.Remove(w.FirstSecretID)
	}); err != nil {
		w.Error(err)
	}
	w.registered(w.ClientID, third)
	store(third)
	code, out, errs = w.run("adopt", "orders-web", "--from-file", file)
	w.want(code, 0, out, errs, `^stored as AWSCURRENT`)
	labels, values = w.stored()
	if got := values[labels["AWSCURRENT"]]; got != `{"clientId":"`+w.ClientID+`","clientSecret":"`+third+`"}` {
		w.Errorf("stored is %s", got)
	}
	// the first secret of a client whose secret nobody has stored yet
	made, err := secretsmanager.NewFromConfig(w.Stack.AWS(scenario.Home)).CreateSecret(context.Background(),
		&secretsmanager.CreateSecretInput{Name: aws.String("alb-oidc-rotator/first/oidc")})
	if err != nil {
		w.Error(err)
	}
	w.configure(func(c *config.Client) { c.Name, c.Secret = "first", config.Secret{ARN: *made.ARN} })
	code, out, errs = w.run("adopt", "first", "--from-file", file)
	w.want(code, 0, out, errs, `^stored as AWSCURRENT of first`)
	if strings.Contains(out, "AWSPREVIOUS") {
		w.Errorf("there was none before:\n%s", out)
	}
	labels, values, err = w.Stack.SecretsManager.Snapshot(scenario.Home, *made.ARN)
	if err != nil || values[labels["AWSCURRENT"]] != third {
		w.Errorf("labels %v (%v)", labels, err)
	}
}

// The second registration of a pair can be the one that a person brings a secret of.
func TestASecretOfAPairIsAdopted(t *testing.T) {
	t.Parallel()
	inWorldOf(t, "auth0", func(w *world) {
		labels, values := w.stored()
		code, out, errs := w.runWith(context.Background(), values[labels["AWSCURRENT"]], "adopt", "orders-web",
			"--from-file", "-")
		w.want(code, 0, out, errs, `nothing was changed`)
		other := w.Config.IdentityProvider.ClientPair
		const brought = "OfTheOtherRegistrationByAPerson0123456789abcdefg"
		if err := w.Stack.IdP.Store().Update(other, func(e *clients.Edit) error {
			for _, s := range e.All() {
				if err := e.Remove(s.ID); err != nil {
					return err
				}
			}
			_, err := e.Add(idp.Secret{ID: "brought"}, brought)
			return err
		}); err != nil {
			w.Error(err)
		}
		code, out, errs = w.runWith(context.Background(), brought, "adopt", "orders-web", "--from-file", "-")
		w.want(code, 0, out, errs, `^it is the secret of registration `+other+`$`,
			`is a secret of registration `+w.ClientID+
				`: if load balancers log in with that, the next rotation is refused`)
		code, out, errs = w.runWith(context.Background(), wrong, "adopt", "orders-web", "--from-file", "-")
		w.want(code, 1, out, errs, `while it accepts AWSCURRENT`)
		// for followers of both: the same secret with the client id that belongs to it
		w.configure(func(c *config.Client) { c.Secret.JSONKey, c.Secret.ClientIDKey = "clientSecret", "clientId" })
		for _, says := range []string{`^stored as AWSCURRENT`, `nothing was changed`} {
			code, out, errs = w.runWith(context.Background(), brought, "adopt", "orders-web", "--from-file", "-")
			w.want(code, 0, out, errs, says)
		}
		labels, values = w.stored()
		if got := values[labels["AWSCURRENT"]]; got != `{"clientId":"`+other+`","clientSecret":"`+brought+`"}` {
			w.Errorf("stored is %s", got)
		}
		w.Stack.SecretsManager.Store(w.SecretARN, labels["AWSCURRENT"],
			`{"clientId":"`+w.ClientID+`","clientSecret":"`+brought+`"}`)
		code, out, errs = w.runWith(context.Background(), brought, "adopt", "orders-web", "--from-file", "-")
		w.want(code, 0, out, errs, `^stored as AWSCURRENT`)
	})
}

func TestAnAdoptionTakesTheLock(t *testing.T) {
	t.Parallel()
	inWorld(t, lockWhileAdopting)
}

func lockWhileAdopting(w *world) {
	ctx := context.Background()
	const brought = "BroughtByAPersonAndMadeAtTheProvider0123456789ab"
	adopt := func(ctx context.Context) (int, string, string) {
		return w.runWith(ctx, brought, "adopt", "orders-web", "--from-file", "-")
	}
	// while a rotation runs
	code, out, errs := w.run("start", "orders-web")
	w.want(code, 0, out, errs)
	_ = w.clock.Sleep(ctx, 5*time.Second)
	code, out, errs = adopt(ctx)
	w.want(code, 1, out, errs, `a rotation of orders-web runs: .*; nothing was stored$`)
	code, out, errs = w.run("watch", "orders-web")
	w.want(code, 0, out, errs, `^orders-web ended as SUCCEEDED`)
	labels, _ := w.stored()
	w.registered(w.ClientID, brought)
	// interrupted while it stores
	interrupted, interrupt := context.WithCancel(ctx)
	slow := fault.Rule{Service: "secretsmanager", Operation: "PutSecretValue", Mode: fault.Refuse, Status: 400,
		Code: "AccessDeniedException", Times: 1}
	if _, err := w.Stack.Faults.Add(slow); err != nil {
		w.Error(err)
	}
	during := ""
	w.Stack.Faults.Observe(func(_, operation, _ string) {
		if operation == "PutSecretValue" && during == "" {
			_, during, _ = w.run("status")
			_, _, watched := w.run("watch", "orders-web")
			during += watched
			interrupt()
		}
	})
	code, out, errs = adopt(interrupted)
	w.want(code, 130, out, errs, `interrupted`)
	w.want(0, 0, during, "", `Rotating .* rotator adopt stores a secret, for \d+ s$`,
		`no execution has the lock of orders-web, but rotator adopt`)
	w.free()
	if now, _ := w.stored(); now["AWSCURRENT"] != labels["AWSCURRENT"] {
		w.Error("it was stored")
	}
	// nothing is stored where the provider, or AWS, does not answer
	for service, rule := range map[string]fault.Rule{
		"the provider": {Service: "idp", Operation: "token", Mode: fault.Refuse, Status: 503},
		"AWS": {Service: "secretsmanager", Operation: "GetSecretValue", Mode: fault.Refuse, Status: 400,
			Code: "AccessDeniedException"},
	} {
		id, err := w.Stack.Faults.Add(rule)
		if err != nil {
			w.Error(err)
		}
		code, out, errs := adopt(ctx)
		w.want(code, 3, out, errs, `rotator: `)
		w.Stack.Faults.Remove(id)
		w.Logf("%s: %s", service, errs)
	}
	// a lock that a killed adoption has left
	owner := strings.Replace(w.MachineARN, ":stateMachine:", ":execution:", 1) + ":adopt-orders-web-killed"
	if err := w.journal().Lock(ctx, scenario.Client, owner, w.clock.Now()); err != nil {
		w.Error(err)
	}
	code, out, errs = adopt(ctx)
	w.want(code, 1, out, errs, `another rotator adopt is storing a secret of orders-web`)
	_ = w.clock.Sleep(ctx, 2*time.Minute)
	code, out, errs = w.run("status")
	w.want(code, 1, out, errs, `Degraded .* a rotator adopt that was killed has left the lock`)
	code, out, errs = w.run("start", "orders-web", "--watch")
	w.want(code, 1, out, errs, `^orders-web ended as Refused after 75 s$`) // it waited for the former owner's calls
	w.free()
}

// A replica, or a secret of another service, cannot be written; where a rotation of Secrets Manager's own is on, and
// nothing else, a person may store what they like.
func TestWhoElseWritesTheSecretIsSeenBeforeAnythingIsStored(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		labels, values := w.stored()
		for says, change := range map[string]smtest.Change{
			`is a replica.*Region us-east-1`: smtest.Primary("us-east-1"),
			`belongs to the AWS service rds`: smtest.Owned("rds"),
		} {
			if err := w.Stack.SecretsManager.Change(scenario.Home, w.SecretARN, change); err != nil {
				w.Error(err)
			}
			code, out, errs := w.runWith(context.Background(), values[labels["AWSCURRENT"]], "adopt", "orders-web",
				"--from-file", "-")
			w.want(code, 2, out, errs, says)
			if err := w.Stack.SecretsManager.Change(scenario.Home, w.SecretARN, smtest.Primary(""),
				smtest.Owned("")); err != nil {
				w.Error(err)
			}
		}
		code, out, errs := w.run("adopt", "orders-web", "--prompt")
		w.want(code, 2, out, errs, `--prompt needs a terminal`)
		code, out, errs = w.run("adopt", "orders-web")
		w.want(code, 2, out, errs, `give the value by`)
	})
}

// What the configuration asks for is waited for, however long; what interrupts it, or the machine, stores nothing.
func TestAnAdoptionTakesItsTime(t *testing.T) {
	t.Parallel()
	inWorld(t, adoptSlowly)
}

func adoptSlowly(w *world) {
	const brought = "BroughtByAPersonAndMadeAtTheProvider0123456789ab"
	w.registered(w.ClientID, brought)
	labels, _ := w.stored()
	first := labels["AWSCURRENT"]
	adopt := func(ctx context.Context, code int, says string) {
		w.Helper()
		got, out, errs := w.runWith(ctx, brought, "adopt", "orders-web", "--from-file", "-")
		w.want(got, code, out, errs, says)
		w.free()
		if now, _ := w.stored(); (now["AWSCURRENT"] == first) != (code != 0) {
			w.Errorf("AWSCURRENT is %s, and was %s", now["AWSCURRENT"], first)
		}
	}
	interrupted, interrupt := context.WithCancel(context.Background())
	asked := 0
	w.Stack.Faults.Observe(func(_, operation, _ string) {
		if operation == "token" {
			if asked++; asked == 2 {
				interrupt()
			}
		}
	})
	adopt(interrupted, 130, `^rotator: interrupted$`)
	// a machine that sleeps while it has the lock
	id, err := w.Stack.Faults.Add(fault.Rule{Service: "secretsmanager", Operation: "DescribeSecret", Skip: 1, Times: 1,
		Mode: fault.Delay, Latency: time.Minute})
	if err != nil {
		w.Error(err)
	}
	adopt(context.Background(), 1, `the lock was taken 1m0s ago, so a rotation may have it by now: nothing was stored`)
	w.Stack.Faults.Remove(id)
	w.configure(func(c *config.Client) {
		c.SmokeTests.Credential = config.CredentialTest{SuccessesInARow: aws.Int(10), IntervalSeconds: aws.Int(60)}
	})
	adopt(context.Background(), 0, `^stored as AWSCURRENT`)
}
