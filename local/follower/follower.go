// Package follower plays what reads AWSCURRENT and applies it by itself: an ingress controller that External Secrets
// feeds, which writes its secret on its rules at every reconciliation, or an application with its own OIDC code.
package follower

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	elb "github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2/types"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/secret"
)

// Options say what a follower does.
type Options struct {
	Clock clock.Clock
	// AWS is the configuration for a Region.
	AWS func(region string) aws.Config
	// Region and SecretARN are of what it reads: the client secret, or a JSON object with it and the client id in the
	// members named.
	Region, SecretARN    string
	JSONKey, ClientIDKey string
	// Every is how often it reads AWSCURRENT, Lag how long after that it uses what it read.
	Every, Lag time.Duration
	// Rules are what it writes: ARNs of rules, or of listeners for their default actions. An application has none.
	Rules []string
}

// Follower is one of them.
type Follower struct {
	o  Options
	mu sync.Mutex
	// next is when it reads again, read what it has read and not used yet.
	next time.Time
	read []reading
	uses credential
}

// credential is what it logs in with. clientID is "" if only the secret is read.
type credential struct {
	clientID string
	value    secret.Value
}

type reading struct {
	due time.Time
	credential
}

// New returns a follower that uses AWSCURRENT.
func New(ctx context.Context, o Options) (*Follower, error) {
	f := &Follower{o: o}
	var err error
	f.uses, err = f.current(ctx)
	f.next = o.Clock.Now().Add(o.Every)
	return f, err
}

// MaxDelay is how long after AWSCURRENT has moved it uses the new one at the latest.
func (f *Follower) MaxDelay() time.Duration { return f.o.Every + f.o.Lag }

// Uses is the secret with which an application logs users in, and the client id, or "" if it reads none.
func (f *Follower) Uses() (clientID string, value secret.Value) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.uses.clientID, f.uses.value
}

// Own tags the rules as the AWS Load Balancer Controller does.
func (f *Follower) Own(ctx context.Context) error {
	for _, arn := range f.o.Rules {
		if _, err := f.elb(arn).AddTags(ctx, &elb.AddTagsInput{ResourceArns: []string{arn}, Tags: []types.Tag{
			{Key: aws.String(Tag), Value: aws.String("local")}}}); err != nil {
			return fmt.Errorf("tagging %s: %w", arn, err)
		}
	}
	return nil
}

// Leave gives the rules, and their tags, up.
func (f *Follower) Leave(ctx context.Context) error {
	f.mu.Lock()
	rules := f.o.Rules
	f.o.Rules = nil
	f.mu.Unlock()
	for _, arn := range rules {
		if _, err := f.elb(arn).RemoveTags(ctx, &elb.RemoveTagsInput{ResourceArns: []string{arn},
			TagKeys: []string{Tag}}); err != nil {
			return fmt.Errorf("taking the tag off %s: %w", arn, err)
		}
	}
	return nil
}

// again is how long after a call that failed a follower tries again.
const again = time.Minute

// Tag is the key of the tag by which a rule is a controller's.
const Tag = "elbv2.k8s.aws/cluster"

// Run reads and applies until ctx ends. It may be called again, and goes on then where it was.
func (f *Follower) Run(ctx context.Context) {
	for ctx.Err() == nil {
		f.step(ctx)
		f.mu.Lock()
		wake := f.next
		if len(f.read) > 0 && f.read[0].due.Before(wake) {
			wake = f.read[0].due
		}
		f.mu.Unlock()
		if f.o.Clock.Sleep(ctx, max(wake.Sub(f.o.Clock.Now()), time.Millisecond)) != nil {
			return
		}
	}
}

// step does what is due.
func (f *Follower) step(ctx context.Context) {
	now := f.o.Clock.Now()
	if f.reads(now) {
		c, err := f.current(ctx)
		f.mu.Lock()
		if f.next = now.Add(f.o.Every); err == nil {
			f.read = append(f.read, reading{now.Add(f.o.Lag), c})
		} else {
			f.next = now.Add(min(f.o.Every, again))
		}
		f.mu.Unlock()
	}
	f.mu.Lock()
	applies := false
	for len(f.read) > 0 && !now.Before(f.read[0].due) {
		f.uses, f.read, applies = f.read[0].credential, f.read[1:], true
	}
	uses, rules := f.uses, f.o.Rules
	f.mu.Unlock()
	if !applies {
		return
	}
	for _, arn := range rules {
		var gone *types.RuleNotFoundException
		if err := f.write(ctx, arn, uses); err != nil && !errors.As(err, &gone) {
			f.mu.Lock()
			f.read = append([]reading{{now.Add(again), uses}}, f.read...)
			f.mu.Unlock()
			return
		}
	}
}

// reads tells whether it is time to read again.
func (f *Follower) reads(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !now.Before(f.next)
}

// current reads AWSCURRENT once, so that id and secret are of one version.
func (f *Follower) current(ctx context.Context) (credential, error) {
	out, err := secretsmanager.NewFromConfig(f.o.AWS(f.o.Region)).GetSecretValue(ctx,
		&secretsmanager.GetSecretValueInput{SecretId: &f.o.SecretARN})
	if err != nil {
		return credential{}, fmt.Errorf("reading AWSCURRENT: %w", err)
	}
	text := aws.ToString(out.SecretString)
	if f.o.JSONKey == "" {
		return credential{value: secret.New(text)}, nil
	}
	var object map[string]string
	if json.Unmarshal([]byte(text), &object) != nil || object[f.o.JSONKey] == "" {
		return credential{}, errors.New("AWSCURRENT is no JSON object with the client secret")
	}
	return credential{object[f.o.ClientIDKey], secret.New(object[f.o.JSONKey])}, nil
}

func (f *Follower) elb(arn string) *elb.Client {
	return elb.NewFromConfig(f.o.AWS(strings.Split(arn, ":")[3]))
}

// write replaces the actions of a rule by the same with its secret, whatever they have.
func (f *Follower) write(ctx context.Context, arn string, c credential) error {
	api := f.elb(arn)
	if strings.Contains(arn, ":listener/") {
		out, err := api.DescribeListeners(ctx, &elb.DescribeListenersInput{ListenerArns: []string{arn}})
		if err != nil {
			return err
		}
		_, err = api.ModifyListener(ctx, &elb.ModifyListenerInput{ListenerArn: &arn,
			DefaultActions: with(c, out.Listeners[0].DefaultActions)})
		return err
	}
	out, err := api.DescribeRules(ctx, &elb.DescribeRulesInput{RuleArns: []string{arn}})
	if err != nil {
		return err
	}
	_, err = api.ModifyRule(ctx, &elb.ModifyRuleInput{RuleArn: &arn, Actions: with(c, out.Rules[0].Actions)})
	return err
}

func with(c credential, actions []types.Action) []types.Action {
	for _, a := range actions {
		if o := a.AuthenticateOidcConfig; o != nil {
			o.ClientSecret, o.UseExistingClientSecret = aws.String(c.value.Reveal()), nil
			if c.clientID != "" {
				o.ClientId = &c.clientID
			}
		}
	}
	return actions
}
