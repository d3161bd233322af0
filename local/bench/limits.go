package bench

import (
	"slices"
	"strings"
	"sync"
	"time"

	"alboidc.internal/shared/fault"
)

// limit is how many requests of some operations a service takes at once, and from then on each second.
type limit struct {
	service string
	// operations are prefixes of names.
	operations    []string
	burst, refill float64
	status        int
	code          string
}

// awsLimits are the quotas of an account and Region that a rotation's requests count against. Sources: Elastic Load
// Balancing user guide, "Request throttling for the ELB API" (Describe actions; the others are taken to be the
// same); Secrets Manager user guide, "Quotas"; AWS general reference, "Systems Manager endpoints and quotas";
// CloudWatch user guide, "Service quotas"; Step Functions developer guide, "Quotas" (the smaller Regions').
func awsLimits() []limit {
	return []limit{
		{"elasticloadbalancing", []string{"Describe"}, 40, 10, 400, "Throttling"},
		{"elasticloadbalancing", []string{"Modify"}, 40, 10, 400, "Throttling"},
		{"secretsmanager", []string{"PutSecretValue", "UpdateSecret"}, 50, 50, 400, "ThrottlingException"},
		{"ssm", []string{"GetParameter"}, 40, 40, 400, "ThrottlingException"},
		{"monitoring", []string{"GetMetricData"}, 50, 50, 400, "ThrottlingException"},
		{"states", []string{"StartExecution"}, 800, 150, 400, "ThrottlingException"},
		{"states", []string{"DescribeExecution"}, 250, 10, 400, "ThrottlingException"},
		{"states", []string{"StopExecution"}, 500, 25, 400, "ThrottlingException"},
	}
}

// oktaLimit is what an organization's /api/v1/apps takes for one token of a minute's 600 (Okta developer docs, "Rate
// limits").
var oktaLimit = limit{"idp", []string{"okta."}, 600, 10, 429, "E0000047"}

// concurrency is how many functions run at once in an account (AWS Lambda developer guide, "Lambda quotas").
const concurrency = 1000

// gate lets requests through within limits, on a clock.
type gate struct {
	now func() time.Time

	mu        sync.Mutex
	limits    []limit
	left      []float64
	since     []time.Time
	running   int // functions
	most      int // of them at once
	throttled int
}

func newGate(now func() time.Time, limits []limit) *gate {
	g := &gate{now: now, limits: limits}
	for _, l := range limits {
		g.left, g.since = append(g.left, l.burst), append(g.since, now())
	}
	return g
}

// judge is for fault.Injector.Limit.
func (g *gate) judge(service, operation string) fault.Outcome {
	g.mu.Lock()
	defer g.mu.Unlock()
	if service == "lambda" && operation == "Invoke" {
		if g.running >= concurrency {
			g.throttled++
			return fault.Outcome{Refuse: true, Status: 429, Code: "TooManyRequestsException"}
		}
		g.running++
		g.most = max(g.most, g.running)
		return fault.Outcome{}
	}
	for i, l := range g.limits {
		if l.service != service || !slices.ContainsFunc(l.operations, func(p string) bool {
			return strings.HasPrefix(operation, p)
		}) {
			continue
		}
		now := g.now()
		g.left[i] = min(l.burst, g.left[i]+now.Sub(g.since[i]).Seconds()*l.refill)
		g.since[i] = now
		if g.left[i] < 1 {
			g.throttled++
			return fault.Outcome{Refuse: true, Status: l.status, Code: l.code}
		}
		g.left[i]--
	}
	return fault.Outcome{}
}

// returned notes that a function has answered.
func (g *gate) returned() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running--
}
