package doctor

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/elasticloadbalancingv2"

	"alboidc.internal/cmd/internal/system"
	"alboidc.internal/shared/alb"
	"alboidc.internal/shared/config"
	"alboidc.internal/shared/journal"
	"alboidc.internal/shared/rights"
)

// Doctor examines a deployment.
type Doctor struct {
	System *system.System
	// Regions are to be searched for load balancers, besides those that the clients name.
	Regions []string
	Now     func() time.Time
	// Measure makes a measurement of a client, or, if all is true and nobody has the lock, a dry run, which tests more.
	// It returns what is wrong.
	Measure func(ctx context.Context, client config.Client, all bool) []Finding

	stack  rights.Stack
	logins map[string][]alb.Login // by Region
	arns   map[string][]string    // of load balancers, by Region
	roles  map[string]string      // of the functions and of the state machine
}

// Examine looks at the whole stack, and at the clients given.
func (d *Doctor) Examine(ctx context.Context, clients []system.Parameter) ([]Finding, error) {
	d.stack = d.System.Rights()
	r := &report{}
	d.logins, d.arns = map[string][]alb.Login{}, map[string][]string{}
	regions := d.regions(clients)
	for _, region := range regions {
		d.readBalancers(ctx, r, region)
	}
	d.examineStack(ctx, r, regions)
	d.roles = d.readRoles(ctx)
	found, err := system.Each(clients, func(p system.Parameter) ([]Finding, error) {
		return d.examineClient(ctx, p), ctx.Err()
	})
	return append(r.findings, slices.Concat(found...)...), err
}

// regions are those of the stack and of the clients' load balancers.
func (d *Doctor) regions(clients []system.Parameter) []string {
	out := append([]string{d.System.Region}, d.Regions...)
	for _, p := range clients {
		for _, arn := range p.LoadBalancers {
			if !p.IsReachedByRole(arn) {
				out = append(out, config.RegionOf(arn))
			}
		}
		if p.LoadBalancerSearch != nil && p.LoadBalancerSearch.Role == "" {
			out = append(out, p.LoadBalancerSearch.Regions...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readBalancers reads a Region's load balancers; what could not be read is not judged.
func (d *Doctor) readBalancers(ctx context.Context, r *report, region string) {
	api := elasticloadbalancingv2.NewFromConfig(d.System.AWS(region))
	pages := elasticloadbalancingv2.NewDescribeLoadBalancersPaginator(api,
		&elasticloadbalancingv2.DescribeLoadBalancersInput{})
	arns := []string{}
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if !r.unless(err, "load balancers", "the load balancers of "+region, "", "") {
			return
		}
		for _, lb := range page.LoadBalancers {
			arns = append(arns, aws.ToString(lb.LoadBalancerArn))
		}
	}
	logins, err := d.System.Logins(ctx, []string{region}, system.Elsewhere{})
	if r.unless(err, "load balancers", "the rules of the load balancers of "+region, "", "") {
		d.logins[region], d.arns[region] = logins, arns
	}
}

// examineClient looks at one client.
func (d *Doctor) examineClient(ctx context.Context, p system.Parameter) []Finding {
	r := &report{client: p.Name}
	if p.Problem != nil {
		r.add(Error, "configuration", "rotator check infra/clients.yaml, then make deploy",
			"the deployed configuration is refused: %v", p.Problem)
		return r.findings
	}
	record, err := d.System.Journal(ctx, p.Name)
	known := r.unless(err, "journal", "the journal", "the table "+d.stack.Name+"-journal does not exist", "make deploy")
	if known {
		d.checkJournal(r, p, record)
	}
	d.checkSchedules(ctx, r, p.Name)
	d.checkProviderFunction(ctx, r, p.Client)
	keys := d.checkSecrets(ctx, r, p.Client, record)
	d.checkSigning(ctx, r, p.Client)
	r.tellCredentialEnd(p.Client, d.Now())
	targets := d.checkBalancers(r, p.Client)
	simulated := d.checkRights(ctx, r, p.Client, keys, targets)
	free := known && record.Owner == ""
	r.findings = append(r.findings, d.Measure(ctx, p.Client, !simulated && free)...)
	return r.findings
}

// checkJournal looks for what an execution has left, and for a configuration that is not what an execution works by. An
// execution that has the lock and does not run is the caller's to find.
func (d *Doctor) checkJournal(r *report, p system.Parameter, record journal.Record) {
	if c := record.Config; c != nil && c.Text != p.Text {
		r.add(Warning, "configuration", "nothing, if the deployment was meant; rotator watch "+p.Name,
			"the running execution works by version %d of the configuration; version %d is deployed, and "+
				"counts after its "+
				"grace period", c.Version, p.Version)
	}
	if record.Owner != "" {
		return
	}
	for _, version := range slices.Sorted(maps.Keys(record.Secrets)) {
		switch e := record.Secrets[version]; {
		case e.State == journal.Kept:
			r.add(Warning, "versions",
				"remove it at the identity provider, unless the next rotation takes it into use: rotator plan "+
					p.Name, "the identity provider still accepts the secret of version %s, which nothing uses", version)
		case e.State == journal.Intended:
			r.add(Warning, "versions", "rotator start "+p.Name, "version %s was about to be made by an execution that "+
				"ended: the next rotation removes what is left of it first", version)
		}
	}
}

// checkSchedules looks for the two schedules of a client.
func (d *Doctor) checkSchedules(ctx context.Context, r *report, client string) {
	for name, s := range map[string]struct{ what, severity, paused, remedy string }{
		client: {"the rotation", Warning, "the rotation is paused: it starts by hand only",
			"set schedule.paused: false in " +
				"clients.yaml, then make deploy; or rotator start " + client},
		client + ".measure": {"the daily measurement", Error,
			"the daily measurement is switched off: nobody hears of a " +
				"secret that is refused, or too old", "make deploy"},
	} {
		found, err := d.System.Schedule(ctx, name, d.Now())
		switch {
		case !r.unless(err, "schedules", "the schedule of "+s.what, "", ""):
		case found == nil:
			r.add(Error, "schedules", "make deploy", "there is no schedule %s/%s for %s", d.stack.Name, name, s.what)
		case found.Paused:
			r.add(s.severity, "schedules", s.remedy, "%s", s.paused)
		}
	}
}

// checkBalancers compares the load balancers that are listed with those that use the client. It returns the ARNs of its
// rules and listeners.
func (d *Doctor) checkBalancers(r *report, c config.Client) (targets []string) {
	used, canaries := map[string]bool{}, 0
	for _, region := range slices.Sorted(maps.Keys(d.logins)) {
		for _, l := range d.logins[region] {
			if !slices.Contains(c.ClientIDs(), l.ClientID) || !sameName(c, l) {
				continue
			}
			used[l.LoadBalancerARN] = true
			if l.Controller != "" && c.LeavesToControllers() {
				continue
			}
			targets = append(targets, cmp.Or(l.RuleARN, l.ListenerARN))
			if l.Canary || slices.Contains(c.Canaries, l.LoadBalancerARN) {
				canaries++
			}
			if c.LoadBalancerSearch == nil && !slices.Contains(c.LoadBalancers, l.LoadBalancerARN) {
				r.add(Error, "load balancers",
					"add it to loadBalancers of "+c.Name+" in clients.yaml, rotator check, then make deploy",
					"%s uses the client, but its load balancer %s is not listed: the next rotation would "+
						"break its logins", l.Name,
					l.LoadBalancerARN)
			}
		}
	}
	for _, arn := range c.LoadBalancers {
		arns, read := d.arns[config.RegionOf(arn)]
		switch {
		case !read, c.IsReachedByRole(arn):
		case !slices.Contains(arns, arn):
			r.add(Error, "load balancers", "take it out of loadBalancers in clients.yaml, then make deploy",
				"load balancer %s does not exist", arn)
		case !used[arn]:
			r.add(Warning, "load balancers",
				"take it out of loadBalancers in clients.yaml, or see what its rules log in with: "+
					"rotator discover --regions "+config.RegionOf(arn),
				"load balancer %s has no rule that uses the client", arn)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Roles)) {
		r.add(Note, "load balancers", "see that account's own CloudTrail",
			"the load balancers of account %s are looked at "+
				"by the measurement only, by role %s; nobody is told here when others change them, and no alarm "+
				"counts their "+
				"failed logins", c.Roles[name].Account(), c.Roles[name].RoleARN)
	}
	checkCanaries(r, c, canaries, len(targets))
	return targets
}

// checkCanaries tells of the rules that get a new secret first, as far as the load balancers of this account tell.
func checkCanaries(r *report, c config.Client, canaries, targets int) {
	switch why := c.UntestedCanaries(); {
	case canaries == 0:
	case why != "":
		r.add(Warning, "canaries", "add it to smokeTests.login in clients.yaml, or take the tags away",
			"%d rules of %d have the tag of canaries, but all get a new secret in one round: %s", canaries, targets,
			why)
	default:
		r.add(Note, "canaries", "rotator plan "+c.Name+" names them", "%d rules of %d get a new secret first",
			canaries, targets)
	}
}

// sameName reports whether an action names the client's identity provider. One that has the client's id under a name
// that nobody listed is told of by the measurement, since a rotation would be refused.
func sameName(c config.Client, l alb.Login) bool {
	return slices.ContainsFunc(c.Names(), func(n config.Alias) bool { return config.SameURL(n.Issuer, l.Issuer) })
}
