package elbv2

import (
	"cmp"
	"net"
	"slices"
	"strconv"

	"alboidc.internal/shared/awstest/awsapi"
)

// targetGroup is a set of HTTP targets given by address.
type targetGroup struct {
	arn, name, region string
	port              int
	targets           []Target
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
	g := &targetGroup{name: r.p.String("Name"), region: r.region}
	var err error
	if g.port, err = r.int("Port", 0, 1, 65535); err != nil {
		return nil, err
	}
	if t := r.p.String("TargetType"); t != "ip" { // absent means instance, and there are none here
		return nil, awsapi.NotImplementedParameter(r.call, "TargetType="+t+" (only ip)")
	}
	if p := r.p.String("Protocol"); p != ProtocolHTTP {
		return nil, awsapi.NotImplementedParameter(r.call, "Protocol="+p+" (only HTTP)")
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if !balancerName.MatchString(g.name) || g.port == 0 {
		return nil, validation("A target group must have a valid name and a port")
	}
	if slices.ContainsFunc(s.groups, func(x *targetGroup) bool { return x.region == g.region && x.name == g.name }) {
		return nil, awsapi.Errorf("DuplicateTargetGroupName", "A target group with the same name '%s' exists", g.name)
	}
	g.arn = r.call.ARN("elasticloadbalancing", "targetgroup/"+g.name+"/"+s.newID(g.name))
	s.groups = append(s.groups, g)
	return targetGroupsResult{TargetGroups: []targetGroupXML{
		{ARN: g.arn, Name: g.name, Protocol: ProtocolHTTP, Port: g.port, Type: "ip"}}}, nil
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
	g, err := s.group(r.region, arn)
	if err != nil {
		return nil, err
	}
	for _, t := range targets {
		if net.ParseIP(t.ID) == nil {
			return nil, awsapi.Errorf("InvalidTarget", "The IP address '%s' is not valid", t.ID)
		}
		t.Port = cmp.Or(t.Port, g.port)
		if !slices.Contains(g.targets, t) {
			g.targets = append(g.targets, t)
		}
	}
	return nil, nil
}

// Address is host:port.
func (t Target) Address() string { return net.JoinHostPort(t.ID, strconv.Itoa(t.Port)) }

// group finds a target group. s.mu is held.
func (s *Service) group(region, arn string) (*targetGroup, error) {
	if err := s.checkARN(region, arn, "targetgroup", "target group"); err != nil {
		return nil, err
	}
	for _, g := range s.groups {
		if g.region == region && g.arn == arn {
			return g, nil
		}
	}
	return nil, awsapi.Errorf("TargetGroupNotFound", "Target group '%s' not found", arn)
}
