package elbv2

import (
	"cmp"
	"slices"

	"alboidc.internal/shared/awstest/awsapi"
)

func (s *Service) createListener(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	balancerARN, protocol := r.p.String("LoadBalancerArn"), r.p.String("Protocol")
	port, err := r.int("Port", 0, 1, 65535)
	if err != nil {
		return nil, err
	}
	certificates, policy := r.certificates(), r.p.String("SslPolicy")
	actions, err := r.actions("DefaultActions")
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	b, err := s.liveBalancer(r.region, balancerARN)
	if err != nil {
		return nil, err
	}
	if err := checkProtocol(protocol, port, certificates); err != nil {
		return nil, err
	}
	c := b.current().clone()
	if slices.ContainsFunc(c.Listeners, func(l Listener) bool { return l.Port == port }) {
		return nil, awsapi.Errorf("DuplicateListener",
			"A listener already exists on this port for this load balancer '%s'", balancerARN)
	}
	if err := s.checkActions(r, protocol, actions, nil); err != nil {
		return nil, err
	}
	if protocol == ProtocolHTTPS {
		policy = cmp.Or(policy, "ELBSecurityPolicy-2016-08") // the API's default
	}
	id := c.LoadBalancer.Dimension() + "/" + s.newID("listener")
	l := Listener{ARN: r.call.ARN("elasticloadbalancing", "listener/"+id), Protocol: protocol, Port: port,
		SSLPolicy:    policy,
		Certificates: certificates}
	l.Rules = []Rule{{ARN: r.call.ARN("elasticloadbalancing", "listener-rule/"+id+"/"+s.newID("default")),
		Default: true, Actions: actions}}
	c.Listeners = append(c.Listeners, l)
	s.store(r, b, c)
	return listenersResult{Listeners: []listenerXML{l.xml(balancerARN)}}, nil
}

// certificates reads the list of certificates; their ARNs are stored, the data plane signs its own.
func (r *request) certificates() []string {
	var out []string
	for _, m := range r.p.Members("Certificates") {
		out = append(out, r.p.String(m+".CertificateArn"))
	}
	return out
}

func checkProtocol(protocol string, port int, certificates []string) error {
	switch {
	case protocol != ProtocolHTTP && protocol != ProtocolHTTPS:
		return awsapi.Errorf("UnsupportedProtocol", "Protocol '%s' is not supported by application load balancers",
			protocol)
	case port == 0:
		return validation("A port must be specified")
	case protocol == ProtocolHTTPS && len(certificates) == 0:
		return validation("A certificate must be specified for HTTPS listeners")
	}
	return nil
}

func (s *Service) describeListeners(r *request) (any, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	balancerARN, arns := r.p.String("LoadBalancerArn"), r.p.List("ListenerArns")
	page, err := r.page()
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	var all []listenerXML
	switch {
	case (balancerARN == "") == (len(arns) == 0):
		return nil, validation("You must specify either listener ARNs or a load balancer ARN")
	case balancerARN != "":
		b, err := s.liveBalancer(r.region, balancerARN)
		if err != nil {
			return nil, err
		}
		for _, l := range b.current().Listeners {
			all = append(all, l.xml(balancerARN))
		}
	default:
		for _, arn := range arns {
			b, i, err := s.listener(r.region, arn)
			if err != nil {
				return nil, err
			}
			all = append(all, b.current().Listeners[i].xml(b.current().LoadBalancer.ARN))
		}
	}
	var out listenersResult
	out.Listeners, out.NextMarker = cut(page, all)
	return out, nil
}

// modifyListener is the only way to change a default rule's actions. What is not sent stays; a list that is sent
// replaces the whole list (API reference, ModifyListener).
func (s *Service) modifyListener(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn, policy, certificates := r.p.String("ListenerArn"), r.p.String("SslPolicy"), r.certificates()
	actions, err := r.actions("DefaultActions")
	if err != nil {
		return nil, err
	}
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	b, i, err := s.listener(r.region, arn)
	if err != nil {
		return nil, err
	}
	c := b.current().clone()
	l := &c.Listeners[i]
	if len(actions) > 0 {
		def := &l.Rules[len(l.Rules)-1]
		if err := s.checkActions(r, l.Protocol, actions, def.OIDC()); err != nil {
			return nil, err
		}
		def.Actions = actions
	}
	if len(certificates) > 0 {
		l.Certificates = certificates
	}
	l.SSLPolicy = cmp.Or(policy, l.SSLPolicy)
	s.store(r, b, c)
	return listenersResult{Listeners: []listenerXML{l.xml(c.LoadBalancer.ARN)}}, nil
}

func (s *Service) deleteListener(r *request) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	arn := r.p.String("ListenerArn")
	if err := r.p.Done(); err != nil {
		return nil, err
	}
	b, i, err := s.listener(r.region, arn)
	if err != nil {
		return nil, err
	}
	c := b.current().clone()
	s.forgetListenerTags(c.Listeners[i])
	c.Listeners = slices.Delete(c.Listeners, i, i+1)
	s.store(r, b, c)
	return nil, nil
}

// listener finds a listener's load balancer and its index there. s.mu is held.
func (s *Service) listener(region, arn string) (*balancer, int, error) {
	if err := s.checkARN(region, arn, "listener", "listener"); err != nil {
		return nil, 0, err
	}
	for _, b := range s.live(region) {
		for i, l := range b.current().Listeners {
			if l.ARN == arn {
				return b, i, nil
			}
		}
	}
	return nil, 0, awsapi.Errorf("ListenerNotFound", "Listener '%s' not found", arn)
}

func (s *Service) forgetListenerTags(l Listener) {
	delete(s.tags, l.ARN)
	for _, rule := range l.Rules {
		delete(s.tags, rule.ARN)
	}
}
