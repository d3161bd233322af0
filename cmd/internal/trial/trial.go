// Package trial tries a user's function for an identity provider (type lambda) against the contract, with a throw-away
// client: what it answers, and whether what it says has happened at the token endpoint.
package trial

import (
	"context"
	"fmt"
	"time"

	"alboidc.internal/shared/idp"
	"alboidc.internal/shared/idp/conformance"
	"alboidc.internal/shared/idp/lambda"
	"alboidc.internal/shared/idp/withoutids"
	"alboidc.internal/shared/probe"
	"alboidc.internal/shared/secret"
)

// Trial is what a function is tried with.
type Trial struct {
	Invoke lambda.Invoker
	// Client is one whose secrets nobody needs, and Second the client id of another like it, with which a pair is
	// tried; "" tries one alone.
	Client idp.Client
	Second string
	// Ask asks the token endpoint once whether it accepts a secret.
	Ask   func(ctx context.Context, clientID string, spec idp.ProbeSpec, v secret.Value) (probe.Verdict, error)
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error
	// Report gets each case when it is over.
	Report func(Case)
}

// Case is one sentence of the contract, and what is wrong with it; "" is nothing. Contract says more of what it asks
// for.
type Case struct {
	Case     string `json:"case"`
	Wrong    string `json:"wrong,omitempty"`
	Contract string `json:"contract,omitempty"`
}

// Result is how a trial ended.
type Result struct {
	// Capabilities are what the function answers.
	Capabilities lambda.Capabilities
	// Wrong is how many cases are.
	Wrong int
	// Left is what stays at the provider.
	Left string
}

// run is a trial under way.
type run struct {
	*Trial
	can   lambda.Capabilities
	model idp.Model
	known []secret.Value // that may be accepted
	lose  map[string]bool
	// doubt is why the token endpoint's word could not be had.
	doubt error
	wrong int
	// changed: the token endpoint may not know of the last change yet.
	changed bool
}

func (t *Trial) deps() idp.Deps { return idp.Deps{Now: t.Now, Sleep: t.Sleep} }

// Run tries every case, and leaves nothing that it can remove. It fails only if it could not begin, or was interrupted.
func (t *Trial) Run(ctx context.Context) (Result, error) {
	can, err := lambda.Ask(ctx, t.Invoke, t.Client, t.deps())
	if err != nil {
		return Result{}, err
	}
	r := &run{Trial: t, can: can}
	if r.model, err = r.capabilities().Choose(t.Second != "", t.Second == "" &&
		r.capabilities().KeepsOne()); err != nil {
		return Result{Capabilities: can}, err
	}
	for _, c := range r.contract() {
		r.report(ctx, c.name, c.says, func() error { return c.check(ctx) })
	}
	exceptions := r.exceptions()
	for _, rule := range conformance.Rules() {
		if !rule.Caller && exceptions[rule.Name] == "" {
			r.report(ctx, rule.Name, says[rule.Name], func() error { return r.judge(ctx, rule) })
		}
	}
	// whatever happened, and also if it was interrupted
	cleaning, done := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer done()
	return Result{can, r.wrong, r.clean(cleaning)}, ctx.Err()
}

func (r *run) capabilities() idp.Capabilities {
	return r.registration(r.Client.ClientID, r.Invoke).Capabilities()
}

// report carries a case out, unless the trial was interrupted.
func (r *run) report(ctx context.Context, name, says string, check func() error) {
	if ctx.Err() != nil {
		return
	}
	r.doubt = nil
	c, err := Case{Case: name}, check()
	if r.doubt != nil {
		err = r.doubt
	}
	if err != nil {
		r.wrong++
		c.Wrong, c.Contract = err.Error(), says
	}
	r.Report(c)
}

// exceptions are the rules that a provider of this kind cannot keep.
func (r *run) exceptions() map[string]string {
	switch r.model {
	case idp.InPlace:
		return conformance.InOneSlot()
	case idp.ClientPair:
		return conformance.NeedsNoRequest(conformance.List, "of a pair the token endpoint is asked")
	case idp.CurrentPrevious:
		out := map[string]string{}
		if !r.can.ShowsValues {
			out[conformance.RuleLostCreate] = "what is not shown, and was never told, cannot be listed"
		}
		if !r.can.TakesValue {
			out[conformance.RuleRemoveNew] = "the new secret stays the current one, unused"
		}
		return out
	}
	return nil
}

// begin makes the client as fresh, for one case.
func (r *run) begin(ctx context.Context) (id string, v secret.Value, err error) {
	r.known, r.lose = nil, map[string]bool{}
	if id, v, err = r.fresh(ctx); err != nil {
		return "", v, fmt.Errorf("the client cannot be made as fresh: %w", err)
	}
	return id, v, nil
}

// judge applies a rule to the client, made as fresh.
func (r *run) judge(ctx context.Context, rule conformance.Rule) error {
	id, value, err := r.begin(ctx)
	if err != nil {
		return err
	}
	p, b, err := r.subject(ctx, id, value)
	if err != nil {
		return err
	}
	return rule.Judge(ctx, p, b, "")
}

// subject is the provider as a rotation has it, behind a wire that can lose an answer, and what is known of it.
func (r *run) subject(ctx context.Context, id string, value secret.Value) (idp.Provider, conformance.Backend, error) {
	first := r.registration(r.Client.ClientID, r.wired)
	ids := []string{r.Client.ClientID}
	if p, ok := first.(idp.Provider); ok {
		return p, &named{run: r, ctx: ctx, id: id, value: value}, nil
	}
	if r.Second != "" {
		ids = append(ids, r.Second)
	}
	versions, err := conformance.NewVersions(&slots{r, ctx}, ids)
	if err != nil {
		return nil, nil, err
	}
	env, keeps := versions.Env(), &keeper{versions, r}
	switch r.model {
	case idp.ClientPair:
		return withoutids.Pair(ids[0], first.(idp.Setter), ids[1], r.registration(ids[1], r.wired).(idp.Setter), env),
			keeps, nil
	case idp.InPlace:
		return withoutids.InPlace(first.(idp.Setter), env), keeps, nil
	}
	return withoutids.CurrentPrevious(first.(idp.PreviousKeeper), env), keeps, nil
}

func (r *run) registration(clientID string, invoke lambda.Invoker) idp.Registration {
	c := r.Client
	c.ClientID = clientID
	return lambda.Registration(invoke, r.can, c, r.deps())
}

// says is what the contract asks for where a rule of the suite says it in the words of a rotation.
var says = map[string]string{
	conformance.RuleLostCreate: "a create that was cut off has made one secret or none; it is listed, with " +
		"its token if " +
		"keepsToken, and can be removed by its id",
	conformance.RuleRemoveOld: "remove ends exactly the secret of secretId; a repeat is success",
	conformance.RuleRemoveNew: "remove ends exactly the secret of secretId; for current-previous, set " +
		"ends all others",
	conformance.RuleEnable:        "a disabled secret is kept, and refused; enable makes it the same again",
	conformance.RuleDisableAbsent: "disable and enable answer notFound if there is no such secret",
	"the list shows the existing secret": "list answers all secrets, with id and status (active or disabled), " +
		"or an error; " +
		"until only if tellsEnd",
	"a created secret is listed and accepted": "create answers when the secret is there; within " +
		"activationSeconds the " +
		"token endpoint accepts it; with takesValue it has the value of the request, with keepsToken it is " +
		"listed with " +
		"the token",
	"creating a secret does to the others what the model says": "named-set: the others stay; current-previous: the " +
		"current one becomes the previous and stays accepted; single-slot: set ends it",
	"a repeated create makes another secret, up to the limit": "another token makes another secret; beyond " +
		"maxSecrets " +
		"create answers refused, and ends no other secret",
}
