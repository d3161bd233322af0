package elbv2

import (
	"net"
	"slices"
	"strconv"
	"time"

	"alboidc.internal/shared/awstest/awsapi"
)

// targetGroup is a set of HTTP targets given by address.
type targetGroup struct {
	arn, name, region, protocol, vpc string
	port                             int
	targets                          []Target
}

// Targets lists a target group's targets; registrations take effect at once.
func (s *Service) Targets(targetGroupARN string) []Target {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, g := range s.groups {
		if g.arn == targetGroupARN {
			return slices.Clone(g.targets)
		}
	}
	return nil
}

func (s *Service) createTargetGroup(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := &targetGroup{name: r.p.String("Name"), region: r.region, protocol: r.p.String("Protocol"), vpc: r.p.String("VpcId")}
	port, err := r.int("Port", 0, 1, 65535)
	if err != nil {
		return nil, err
	}
	g.port = port
	tags := r.tags()
	if t := r.p.String("TargetType"); t != "ip" { // absent means instance, and there are none here
		return nil, awsapi.NotImplementedParameter(r.call, "TargetType="+t+" (only ip)")
	}
	if g.protocol != ProtocolHTTP {
		return nil, awsapi.NotImplementedParameter(r.call, "Protocol="+g.protocol+" (only HTTP)")
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if !balancerName.MatchString(g.name) || g.port == 0 {
		return nil, validation("A target group must have a valid name and a port")
	}
	for _, have := range s.groups {
		if have.region != r.region || have.name != g.name {
			continue
		}
		// API reference, CreateTargetGroup: idempotent for the same settings.
		if have.port == g.port && have.vpc == g.vpc {
			return targetGroupsResult{TargetGroups: []targetGroupXML{s.groupXML(have)}}, nil
		}
		return nil, awsapi.Errorf("DuplicateTargetGroupName",
			"A target group with the same name '%s' exists, but with different settings", g.name)
	}
	g.arn = r.call.ARN("elasticloadbalancing", "targetgroup/"+g.name+"/"+s.newID(g.name))
	s.groups = append(s.groups, g)
	s.tags[g.arn] = tags
	return targetGroupsResult{TargetGroups: []targetGroupXML{s.groupXML(g)}}, nil
}

func (s *Service) describeTargetGroups(r *request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	balancerARN, arns, names := r.p.String("LoadBalancerArn"), r.p.List("TargetGroupArns"), r.p.List("Names")
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if balancerARN != "" {
		if _, err := s.liveBalancer(r.region, balancerARN); err != nil {
			return nil, err
		}
	}
	found := map[string]bool{}
	var all []targetGroupXML
	for _, g := range s.groups {
		x := s.groupXML(g)
		named := len(arns)+len(names) == 0 || slices.Contains(arns, g.arn) || slices.Contains(names, g.name)
		if g.region != r.region || !named || (balancerARN != "" && !slices.Contains(x.LoadBalancers, balancerARN)) {
			continue
		}
		found[g.arn], found[g.name] = true, true
		all = append(all, x)
	}
	for _, want := range append(arns, names...) {
		if !found[want] {
			return nil, awsapi.Errorf("TargetGroupNotFound", "One or more target groups not found")
		}
	}
	var out targetGroupsResult
	out.TargetGroups, out.NextMarker = cut(page, all)
	return out, nil
}

func (s *Service) registerTargets(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := r.p.String("TargetGroupArn")
	var targets []Target
	for _, m := range r.p.Members("Targets") {
		port, err := r.int(m+".Port", 0, 1, 65535)
		if err != nil {
			return nil, err
		}
		targets = append(targets, Target{ID: r.p.String(m + ".Id"), Port: port})
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	g := s.group(r.region, arn)
	if g == nil {
		return nil, awsapi.Errorf("TargetGroupNotFound", "Target groups '%s' not found", arn)
	}
	for _, t := range targets {
		if net.ParseIP(t.ID) == nil {
			return nil, awsapi.Errorf("InvalidTarget", "The IP address '%s' is not valid", t.ID)
		}
		if t.Port == 0 {
			t.Port = g.port
		}
		if !slices.Contains(g.targets, t) {
			g.targets = append(g.targets, t)
		}
	}
	return nil, nil
}

// describeTargetHealth asks the targets: one that accepts a connection is healthy.
func (s *Service) describeTargetHealth(r *request) (any, error) {
	arn := r.p.String("TargetGroupArn")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	g := s.group(r.region, arn)
	var targets []Target
	used := false
	if g != nil {
		targets, used = slices.Clone(g.targets), len(s.groupXML(g).LoadBalancers) > 0
	}
	s.mu.RUnlock()
	if g == nil {
		return nil, awsapi.Errorf("TargetGroupNotFound", "Target groups '%s' not found", arn)
	}
	var out targetHealthResult
	for _, t := range targets {
		x := targetHealthXML{Target: t, State: "healthy"}
		switch {
		case !used:
			x.State, x.Reason = "unused", "Target.NotInUse"
		case !t.accepts():
			x.State, x.Reason = "unhealthy", "Target.FailedHealthChecks"
		}
		out.Descriptions = append(out.Descriptions, x)
	}
	return out, nil
}

// Address is host:port.
func (t Target) Address() string { return net.JoinHostPort(t.ID, strconv.Itoa(t.Port)) }

func (t Target) accepts() bool {
	c, err := net.DialTimeout("tcp", t.Address(), time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// group finds a target group. s.mu is held.
func (s *Service) group(region, arn string) *targetGroup {
	for _, g := range s.groups {
		if g.region == region && g.arn == arn {
			return g
		}
	}
	return nil
}

// groupXML describes a target group with the load balancers that forward to it. s.mu is held.
func (s *Service) groupXML(g *targetGroup) targetGroupXML {
	x := targetGroupXML{ARN: g.arn, Name: g.name, Protocol: g.protocol, Port: g.port, VPC: g.vpc, Type: "ip"}
	for _, b := range s.live(g.region) {
		if c := b.current(); c.forwardsTo(g.arn) {
			x.LoadBalancers = append(x.LoadBalancers, c.LoadBalancer.ARN)
		}
	}
	return x
}

func (c Config) forwardsTo(group string) bool {
	for _, l := range c.Listeners {
		for _, r := range l.Rules {
			for _, a := range r.Actions {
				if a.Forward != nil && slices.ContainsFunc(a.Forward.TargetGroups, func(w WeightedGroup) bool { return w.ARN == group }) {
					return true
				}
			}
		}
	}
	return false
}
