package elbv2

import (
	"fmt"
	"regexp"
	"slices"

	"alboidc.internal/shared/awstest/awsapi"
)

// balancerName is the rule for names (API reference, CreateLoadBalancer.Name).
var balancerName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?$`)

func (s *Service) createLoadBalancer(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := LoadBalancer{Name: r.p.String("Name"), Region: r.region, Subnets: r.p.List("Subnets"), Created: s.clock.Now()}
	if t := r.p.String("Type"); t != "" && t != "application" {
		return nil, awsapi.NotImplementedParameter(r.call, "Type="+t)
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if !balancerName.MatchString(l.Name) {
		return nil, validation("The load balancer name '%s' is not valid", l.Name)
	}
	if len(l.Subnets) < 2 {
		return nil, validation("At least two subnets in two different Availability Zones must be specified")
	}
	for _, have := range s.live(r.region) {
		h := have.current().LoadBalancer
		if h.Name != l.Name {
			continue
		}
		// API reference, CreateLoadBalancer: idempotent for the same settings.
		if slices.Equal(h.Subnets, l.Subnets) {
			return loadBalancersResult{LoadBalancers: []loadBalancerXML{h.xml()}}, nil
		}
		return nil, awsapi.Errorf("DuplicateLoadBalancerName",
			"A load balancer with the same name '%s' exists, but with different settings", l.Name)
	}
	l.ARN = r.call.ARN("elasticloadbalancing", "loadbalancer/app/"+l.Name+"/"+s.newID(l.Name))
	// AWS's names end with elb.amazonaws.com; these must lead nowhere but to this machine.
	l.DNSName = fmt.Sprintf("%s-%010d.%s.elb.localhost", l.Name, s.serial, r.region)
	b := &balancer{}
	s.store(r, b, Config{LoadBalancer: l})
	s.balancers = append(s.balancers, b)
	return loadBalancersResult{LoadBalancers: []loadBalancerXML{l.xml()}}, nil
}

func (s *Service) describeLoadBalancers(r *request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	arns, names := r.p.List("LoadBalancerArns"), r.p.List("Names")
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	for _, arn := range arns {
		if err := s.checkARN(r.region, arn, "loadbalancer", "load balancer"); err != nil {
			return nil, err
		}
	}
	found := map[string]bool{}
	var all []loadBalancerXML
	for _, b := range s.live(r.region) {
		l := b.current().LoadBalancer
		wanted := len(arns)+len(names) == 0 || slices.Contains(arns, l.ARN) || slices.Contains(names, l.Name)
		if wanted {
			found[l.ARN], found[l.Name] = true, true
			all = append(all, l.xml())
		}
	}
	for _, want := range append(arns, names...) {
		if !found[want] {
			return nil, awsapi.Errorf("LoadBalancerNotFound", "Load balancers '[%s]' not found", want)
		}
	}
	var out loadBalancersResult
	out.LoadBalancers, out.NextMarker = cut(page, all)
	return out, nil
}

// deleteLoadBalancer succeeds for one that does not exist (API reference, DeleteLoadBalancer).
func (s *Service) deleteLoadBalancer(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := r.p.String("LoadBalancerArn")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	if err := s.checkARN(r.region, arn, "loadbalancer", "load balancer"); err != nil {
		return nil, err
	}
	b, err := s.liveBalancer(r.region, arn)
	if err != nil {
		return nil, nil
	}
	c := b.current()
	for _, l := range c.Listeners {
		s.forgetListenerTags(l)
	}
	delete(s.tags, arn)
	s.store(r, b, Config{LoadBalancer: c.LoadBalancer})
	b.deleted = true
	return nil, nil
}

// live lists a Region's load balancers. s.mu is held.
func (s *Service) live(region string) []*balancer {
	var out []*balancer
	for _, b := range s.balancers {
		if !b.deleted && b.current().LoadBalancer.Region == region {
			out = append(out, b)
		}
	}
	return out
}

// liveBalancer finds one of a Region's load balancers. s.mu is held.
func (s *Service) liveBalancer(region, arn string) (*balancer, error) {
	if err := s.checkARN(region, arn, "loadbalancer", "load balancer"); err != nil {
		return nil, err
	}
	for _, b := range s.live(region) {
		if b.current().LoadBalancer.ARN == arn {
			return b, nil
		}
	}
	return nil, awsapi.Errorf("LoadBalancerNotFound", "Load balancer '%s' not found", arn)
}
