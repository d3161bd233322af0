package guarantees_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"alboidc.internal/local/asl"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/fault"
)

func (w *world) ssm() *ssm.Client { return ssm.NewFromConfig(w.Stack.AWS(scenario.Home)) }

// configure stores a changed configuration, as a deployment or another hand does.
func (w *world) configure(change func(*config.Client)) {
	w.t.Helper()
	c := w.Config
	change(&c)
	doc, err := json.Marshal(c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.putParameter(string(doc))
}

func (w *world) putParameter(text string) {
	w.t.Helper()
	if _, err := w.ssm().PutParameter(context.Background(),
		&ssm.PutParameterInput{Name: aws.String(scenario.ParameterPrefix + scenario.Client),
			Type: ssmtypes.ParameterTypeString, Tier: ssmtypes.ParameterTierAdvanced, Overwrite: aws.Bool(true),
			Value: &text}); err != nil {
		w.t.Error(err)
	}
}

// remove deletes the parameter with all its versions.
func (w *world) remove() {
	if _, err := w.ssm().DeleteParameter(context.Background(),
		&ssm.DeleteParameterInput{Name: aws.String(scenario.ParameterPrefix + scenario.Client)}); err != nil {
		w.t.Error(err)
	}
}

// only leaves one of the two load balancers in the configuration.
func (w *world) only(i int) func(*config.Client) {
	return func(c *config.Client) {
		quick(c)
		c.LoadBalancers = w.Site.LoadBalancers[i : i+1]
	}
}

// onlyOne deploys the client with the first load balancer only.
func onlyOne(c *config.Client) {
	quick(c)
	c.LoadBalancers = c.LoadBalancers[:1]
}

func TestALoadBalancerThatIsAddedInTheGracePeriodIsRotated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, onlyOne)
	w.when("GracePeriod", func(string) {
		w.configure(func(c *config.Client) { c.LoadBalancers = w.Site.LoadBalancers })
	})
	w.mustRotate() // watched: no node has a secret that is refused
	w.atRest()
}

// The end at which nothing more is touched: both secrets live, people are told by the failed execution, and the next
// one finishes when the configuration is what it was.
func TestAnotherClientsConfigurationEndsARotationUntouched(t *testing.T) {
	t.Parallel()
	const gone = "the parameter is gone"
	for name, change := range map[string]func(*config.Client){
		gone: nil,
		"secret.arn": func(c *config.Client) {
			c.Secret.ARN = strings.Replace(c.Secret.ARN, "client-secret", "another", 1)
		},
		"issuer":                      func(c *config.Client) { c.Issuer = "https://another.example" },
		"clientId":                    func(c *config.Client) { c.ClientID += "x" },
		"identityProvider.type":       func(c *config.Client) { c.IdentityProvider.Type = "hydra" },
		"identityProvider.clientPair": func(c *config.Client) { c.IdentityProvider.ClientPair = c.ClientID + "x" },
		"a field that is not known":   func(c *config.Client) { c.Aliases = []config.Alias{{Issuer: "no URL"}} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			start, count := w.changes()
			w.when("GracePeriod", func(string) {
				if name == gone {
					w.remove()
				} else {
					w.configure(change)
				}
				start()
			})
			r, execution := w.rotate(plain)
			path := w.path(execution)
			if text(r.Error) != "Reconfigured" || path[len(path)-1] != "Reconfigured" ||
				!strings.Contains(text(r.Cause), "every secret that it knows stays valid") {
				t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(path, " "))
			}
			if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 || count() != 0 {
				t.Errorf("the identity provider holds %d secrets; %d changes of load balancers", n, count())
			}
			// whoever comes next does not go on for another client
			if name != gone && name != "a field that is not known" {
				r, _ := w.rotate(plain)
				if text(r.Error) != "Refused" || !strings.Contains(text(r.Cause), "changed in "+name) &&
					!strings.Contains(text(r.Cause), "InvalidInput") {
					t.Errorf("the next one ended as %s: %s", text(r.Error), text(r.Cause))
				}
			}
			w.configure(func(*config.Client) {}) // put back; where it was gone, its versions begin at 1
			w.mustRotate()
			w.atRest()
		})
	}
}

func TestAParameterThatIsMadeAgainIsGoneOnWith(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"CreateSecret", "AwaitSpread", "GracePeriod"} {
		t.Run(state, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, quick)
			w.configure(func(c *config.Client) { c.SpreadSeconds = aws.Int(61) })
			w.when(state, func(string) {
				w.remove()
				w.configure(func(c *config.Client) { c.SpreadSeconds = aws.Int(62) })
			})
			w.mustRotate()
			w.atRest()
		})
	}
}

// Before the grace period is over a rotation works by the text that it began with.
func TestAChangeBeforeTheGracePeriodWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("CreateSecret", func(string) { w.configure(func(c *config.Client) { c.ClientID += "x" }) })
	r, execution := w.rotate(plain)
	if path := strings.Join(w.path(execution), " "); text(r.Error) != "Reconfigured" || !strings.Contains(path,
		"TestSecret NoteTested GracePeriod ReloadClient SameClient Reconfigured") {
		t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), path)
	}
	w.configure(func(*config.Client) {})
	w.mustRotate()
	w.atRest()
}

// deny refuses changes on the second load balancer, whose rights have gone with its place in the configuration.
func (w *world) deny() {
	for _, operation := range []string{"ModifyRule", "ModifyListener"} {
		name := strings.Split(w.Site.LoadBalancers[1], "/")
		w.fault(fault.Rule{Service: "elasticloadbalancing", Operation: operation,
			Match: strings.Join(name[len(name)-2:], "/"),
			Mode:  fault.Refuse, Status: 403, Code: "AccessDenied"})
	}
}

func TestALoadBalancerThatIsTakenOutInTheGracePeriodIsToldForward(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", func(string) { w.configure(w.only(0)); w.deny() })
	r, execution := w.rotate(plain)
	if r.Status != asl.Succeeded {
		t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
	}
	messages := w.Stack.SNS.Messages(w.TopicARN)
	if len(messages) == 0 || !strings.Contains(messages[len(messages)-1].Message, "Not in the configuration any more") {
		t.Errorf("told is %+v", messages)
	}
	w.atRest()
}

func TestALoadBalancerThatIsTakenOutStopsARollback(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("GracePeriod", func(string) { w.configure(w.only(0)); w.deny() })
	w.failing("TestBeforeFinish")
	r, execution := w.rotate(plain)
	path := w.path(execution)
	if text(r.Error) != "AccessDenied" || !strings.HasPrefix(path[len(path)-1], "Reassert") {
		t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(path, " "))
	}
	if n := len(w.Stack.IdP.Store().Secrets(w.ClientID)); n != 2 {
		t.Errorf("the identity provider holds %d secrets; both have to stay", n)
	}
	w.Stack.Faults.Clear()
	w.configure(quick)
	w.converge()
}

// An execution that goes on after another works by the newest configuration; what the other one's put the new secret on
// is rolled back all the same.
func TestARollbackReachesWhatTheEarlierConfigurationNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick)
	w.when("AwaitSpread", w.stop)
	if r, _ := w.rotate(plain); r.Status != asl.Aborted {
		t.Fatalf("the first ended as %s", r.Status)
	}
	w.configure(w.only(0))
	w.when("AfterRollback", w.stop) // the new secret is gone: no node has it
	if r, execution := w.rotate(plain); r.Status != asl.Aborted {
		t.Fatalf("ended as %s: %s\n%s", text(r.Error), text(r.Cause), strings.Join(w.path(execution), " "))
	}
	w.configure(quick)
	w.converge()
}
