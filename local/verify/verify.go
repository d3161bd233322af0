// Package verify measures in an AWS account what AWS does not document and a rotation takes for granted: it makes a
// load balancer with an identity provider of its own, and a few resources more, asks, and removes everything. Each
// measurement works with any endpoint, so the tests run all of them against the local stack.
package verify

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"alboidc.internal/shared/clock"
	"alboidc.internal/shared/secret"
)

// Prefix begins the name of everything that is made.
const Prefix = "verify-live-"

const (
	// lasts is the longest a run may take; a stack that is older was left by one that died.
	lasts = 3 * time.Hour
	// removes is how long the removal may take after that.
	removes = 30 * time.Minute
)

// Run is one run.
type Run struct {
	Settings
	Clients
	Account string
	Clock   clock.Clock
	// Out is told what happens.
	Out io.Writer
	// Confirm asks before anything is made.
	Confirm func(question string) bool
	// Nodes are the addresses of a load balancer's nodes, as host:port.
	Nodes func(ctx context.Context, r *Resources) ([]string, error)
	// Transport is what logins go through. CertificateBody and CertificateKey are the listener's certificate, in PEM,
	// unless Settings name one.
	Transport                       *http.Transport
	CertificateBody, CertificateKey string

	r       Resources
	made    bool     // the stack is made; else a request to make it may be under way
	only    []string // the steps that a test takes; nil is all
	secrets []secret.Value
	report  Report
}

// Resources are what the stack has made.
type Resources struct {
	Name, LoadBalancer, Dimension, Host, Listener, Rule, Secret, Parameter, Table, Role, Machine, Alias, Recorder string
}

// step is one measurement.
type step struct {
	name string
	run  func(*Run, context.Context) error
}

// steps are in the order in which they are taken: what CloudTrail is to show is done first and asked for last.
var steps = []step{
	{"what CloudTrail is to record", (*Run).provoke},
	{"logins", (*Run).logins},
	{"how soon the nodes follow", (*Run).spread},
	{"how far reads lag", (*Run).lags},
	{"a wrong client secret", (*Run).wrongSecret},
	{"error names of single states", (*Run).errorNames},
	{"executions and their events", (*Run).executions},
	{"what CloudTrail shows", (*Run).trail},
}

//go:embed template.yaml
var templateText string

//go:embed issuer.js
var issuer string

//go:embed machine.asl.json
var machine string

// Template is the CloudFormation template.
func Template() string {
	indent := func(text, by string) string {
		return strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by)
	}
	return strings.NewReplacer("@@ISSUER@@", indent(issuer, "          "), "@@MACHINE@@", indent(machine, "        ")).
		Replace(templateText)
}

// Estimate says what a run costs, and how long it takes, before it begins.
func (m *Run) Estimate() string {
	minutes := 25 + m.Runs*3/4
	return fmt.Sprintf("Account %s, Region %s.\nA stack %s… is made: %san internet-facing Application Load "+
		"Balancer that "+
		"only %s reaches, a Lambda function with a public URL that takes any code for a login, three IAM resources, a "+
		"secret, a parameter, a table, two state machines, an event rule.\nIt takes about %d minutes, costs less than "+
		"one US dollar, and removes everything.\nCloudTrail, and the metrics of the load balancer, keep what "+
		"happened.\n",
		m.Account, m.Region, Prefix, map[bool]string{true: "a VPC with two subnets, "}[m.VPC == ""], m.From, minutes)
}

// Do measures. The report has what was found even if an error tells that something failed, or was left.
func (m *Run) Do(ctx context.Context) (report Report, failed error) {
	m.report = Report{Account: m.Account, Region: m.Region, Began: m.Clock.Now()}
	_, _ = io.WriteString(m.Out, m.Estimate())
	former, err := m.former(ctx)
	if err != nil {
		return m.report, err
	}
	if !m.Yes && !m.Confirm("Go on?") {
		return m.report, errors.New("nothing was made (YES=1 leaves out the question)")
	}
	if err := m.removeFormer(ctx, former); err != nil {
		return m.report, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lasts-removes, errors.New("it takes too long"))
	defer cancel()
	m.r.Name = Prefix + m.report.Began.Format("20060102-150405")
	defer func() { // after a panic, too
		left := m.remove(ctx)
		m.report.Took = m.Clock.Now().Sub(m.report.Began)
		report, failed = m.report, errors.Join(failed, left)
	}()
	if err := m.make(ctx); err != nil {
		return m.report, err
	}
	return m.report, m.measure(ctx)
}

// former are the stacks that runs which died have left. A younger one may be of a run that goes on.
func (m *Run) former(ctx context.Context) ([]Stack, error) {
	former, err := m.Stacks.Former(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking for stacks of former runs: %w", err)
	}
	for _, s := range former {
		if age := m.Clock.Now().Sub(s.Made); age < lasts {
			return nil, fmt.Errorf("the stack %s is %s old: wait for its run to end, or if that has died: %s", s.Name,
				age.Round(time.Minute), m.command(s.Name))
		}
		m.say("%s was left by a former run, and is removed, too", s.Name)
	}
	return former, nil
}

func (m *Run) removeFormer(ctx context.Context, former []Stack) error {
	for _, s := range former {
		if err := m.Stacks.Delete(ctx, s.Name); err != nil {
			return fmt.Errorf("removing %s: %w; try: %s", s.Name, err, m.command(s.Name))
		}
		m.say("%s is removed", s.Name)
	}
	return nil
}

func (m *Run) command(stack string) string {
	return fmt.Sprintf("aws cloudformation delete-stack --region %s --stack-name %s", m.Region, stack)
}

func (m *Run) say(format string, args ...any) {
	_, _ = fmt.Fprintf(m.Out, "%s  "+format+"\n", append([]any{m.Clock.Now().Format(time.TimeOnly)}, args...)...)
}

// make makes the stack.
func (m *Run) make(ctx context.Context) error {
	m.say("making %s; should this program be killed: %s", m.r.Name, m.command(m.r.Name))
	first, err := m.newSecret("s0")
	if err != nil {
		return err
	}
	out, err := m.Stacks.Create(ctx, m.r.Name, Template(), map[string]string{"From": m.From, "Vpc": m.VPC,
		"Subnets": strings.Join(m.Subnets, ","), "Certificate": m.Certificate, "CertificateBody": m.CertificateBody,
		"CertificateKey": m.CertificateKey, "Secret": first.Reveal()})
	if err != nil {
		return fmt.Errorf("making the stack: %w", err)
	}
	m.made = true
	r := &m.r
	for name, to := range map[string]*string{"LoadBalancer": &r.LoadBalancer, "Dimension": &r.Dimension,
		"Host": &r.Host, "Listener": &r.Listener, "Rule": &r.Rule, "Secret": &r.Secret, "Parameter": &r.Parameter,
		"Table": &r.Table, "Role": &r.Role, "Machine": &r.Machine, "Alias": &r.Alias, "Recorder": &r.Recorder} {
		if *to = out[name]; *to == "" {
			return fmt.Errorf("the stack has no output %s", name)
		}
	}
	return nil
}

// measure takes every step; one that fails keeps no other from being taken.
func (m *Run) measure(ctx context.Context) error {
	var failed []error
	for _, s := range steps {
		if m.only != nil && !slices.Contains(m.only, s.name) {
			continue
		}
		if ctx.Err() != nil {
			return errors.Join(append(failed, fmt.Errorf("stopped before %s: %w", s.name, context.Cause(ctx)))...)
		}
		m.say("%s", s.name)
		before := len(m.report.Findings)
		if err := s.run(m, ctx); err != nil {
			m.find(Finding{Question: s.name, Found: err.Error(), Verdict: Unknown})
			failed = append(failed, fmt.Errorf("%s: %w", s.name, err))
		}
		for _, f := range m.report.Findings[before:] {
			m.say("  %s: %s (%s)", f.Question, f.Found, f.Verdict)
		}
	}
	return errors.Join(failed...)
}

func (m *Run) find(f Finding) { m.report.Findings = append(m.report.Findings, f) }

const (
	// removals is how often the removal is asked for: a network interface of a load balancer may keep a VPC for a
	// while.
	removals = 3
	// again is how long it pauses in between.
	again = 30 * time.Second
	// comes is how long a request to make the stack, whose answer is not known, may still take effect.
	comes = 2 * time.Minute
)

// remove removes the stack, whatever has ended the run.
func (m *Run) remove(ctx context.Context) error {
	m.say("removing %s", m.r.Name)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removes)
	defer cancel()
	err := m.delete(ctx)
	if err == nil && !m.made {
		err = m.watch(ctx)
	}
	if err != nil {
		m.report.Left = fmt.Sprintf("the stack %s (%v). Remove it: %s", m.r.Name, err, m.command(m.r.Name))
		return errors.New("not removed: " + m.report.Left)
	}
	m.say("everything is removed")
	return nil
}

// delete asks several times.
func (m *Run) delete(ctx context.Context) (err error) {
	for n := range removals {
		if n > 0 {
			m.say("not removed, asking again: %v", err)
			if m.Clock.Sleep(ctx, again) != nil {
				return err
			}
		}
		if err = m.Stacks.Delete(ctx, m.r.Name); err == nil {
			return nil
		}
	}
	return err
}

// watch removes a stack that comes after its removal: the request that makes it was cut off, and may be under way.
func (m *Run) watch(ctx context.Context) error {
	_, late, err := m.until(ctx, again, comes, func() (bool, error) {
		there, err := m.Stacks.Former(ctx)
		return err == nil && slices.ContainsFunc(there, func(s Stack) bool { return s.Name == m.r.Name }), nil
	})
	if err != nil || !late {
		return err
	}
	m.say("%s has come late", m.r.Name)
	return m.delete(ctx)
}

// newSecret makes a client secret that begins with its label. It opens nothing, and is looked for in CloudTrail.
func (m *Run) newSecret(label string) (secret.Value, error) {
	v, err := secret.Generate(nil)
	if err != nil {
		return secret.Value{}, err
	}
	v = secret.New(label + "." + v.Reveal())
	m.secrets = append(m.secrets, v)
	return v, nil
}

// until asks again and again until it is so, and says how long that took; false if the time is over first.
func (m *Run) until(ctx context.Context, every, limit time.Duration, is func() (bool, error)) (time.Duration, bool,
	error) {
	began := m.Clock.Now()
	for {
		ok, err := is()
		took := m.Clock.Now().Sub(began)
		if ok || err != nil || took >= limit {
			return took, ok, err
		}
		if err := m.Clock.Sleep(ctx, every); err != nil {
			return took, false, err
		}
	}
}
