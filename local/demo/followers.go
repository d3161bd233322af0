package demo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"alboidc.internal/local/dataplane"
	"alboidc.internal/local/follower"
	"alboidc.internal/local/scenario"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/secret"
)

// How often the controller reads AWSCURRENT, how long it then takes, and what the configuration says of both.
const (
	followsEvery = 4 * time.Second
	followsLag   = 2 * time.Second
	followsDelay = followsEvery + followsLag + 2*time.Second // with what its calls take
)

// ownedPriority is that of the rules that the controller owns, one of each load balancer.
const ownedPriority = 20

// declareFollowers says in the client's configuration that there are some.
func declareFollowers(c *config.Client) {
	c.Followers = &config.Followers{MaxDelaySeconds: int(followsDelay / time.Second), Controllers: true}
}

// follow gives rules to an ingress controller, which writes AWSCURRENT on them by itself, until the stack is closed.
func (w *world) follow(ctx context.Context) error {
	if w.Config.IsPair() {
		return fmt.Errorf("FOLLOWERS=1: %s keeps one secret of a client, so followers would have to follow the client "+
			"id, too, which this demo does not show: choose another IDP=", w.Stack.Vendor)
	}
	for _, balancer := range w.Site.LoadBalancers {
		for _, r := range w.Stack.ELB.Current(balancer).Listeners[0].Rules {
			if r.Priority == ownedPriority {
				w.follows = append(w.follows, r.ARN)
			}
		}
	}
	controller, err := follower.New(ctx, follower.Options{Clock: w.Stack.Clock, AWS: w.Stack.AWS, Region: scenario.Home,
		SecretARN: w.SecretARN, Every: followsEvery, Lag: followsLag, Rules: slices.Clone(w.follows)})
	if err != nil {
		return err
	}
	if err := controller.Own(ctx); err != nil {
		return err
	}
	running, end := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() { defer close(done); controller.Run(running) }()
	w.unfollow = func() { end(); <-done }
	return nil
}

// sharesCalls are the states that are made to fail by a call that the controller makes, too, and which it might take.
var sharesCalls = []string{"VerifyNewSecret", "RediscoverTargets", "ReassertSecret"}

// checkFollowers refuses what does not go with followers.
func checkFollowers(o Options, f *failing) error {
	if o.Followers && f != nil && slices.Contains(sharesCalls, f.state) {
		return fmt.Errorf("FAIL=%s fails a call that the controller of FOLLOWERS=1 makes, too: choose "+
			"another, such as "+
			"FAIL=TestSecret", f.state)
	}
	return nil
}

// countFollowed counts a login at the controller's rules.
func (w *world) countFollowed(e dataplane.Event) {
	if e.Kind != dataplane.Login || !slices.Contains(w.follows, e.Rule) {
		return
	}
	if e.OK {
		w.followedLogins.Add(1)
	} else if !dataplane.Reason(e.Reason).Late() {
		w.failedFollowed.Add(1)
	}
}

// checkFollowed judges what people noticed at the rules that the controller writes.
func (c *checks) checkFollowed() {
	w := c.view.world
	if len(w.follows) == 0 {
		return
	}
	c.check(w.failedFollowed.Load() == 0 && w.followedLogins.Load() > 0,
		"%d of these logins at the %d rules that a controller writes, which follows AWSCURRENT, %d failed",
		w.followedLogins.Load(), len(w.follows), w.failedFollowed.Load())
}

// checkApplied checks that the controller has written the new secret by itself.
func (c *checks) checkApplied(version string) {
	w := c.view.world
	_, values, err := w.Stack.SecretsManager.Snapshot(scenario.Home, w.SecretARN)
	applied := 0
	for _, u := range w.Stack.ELB.EffectiveSecrets(w.Stack.Clock.Now()) {
		if slices.Contains(w.follows, u.RuleARN) && secret.New(u.Secret).Equal(secret.New(values[version])) {
			applied++
		}
	}
	c.check(err == nil && applied == len(w.follows)*len(nodeSpread),
		"the controller wrote the new secret on its %d rules, which the rotation left alone", len(w.follows))
}
