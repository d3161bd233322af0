package stack

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"

	"alboidc.internal/shared/awstest/elbv2"
	"alboidc.internal/shared/probe"
)

var _ probe.Resolver = (*Stack)(nil)

// LookupNetIP knows the addresses behind the DNS names of the stack's load balancers; other names are the machine's.
func (s *Stack) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	for _, in := range s.accounts() {
		if out, err := in.lookup(host); out != nil || err != nil {
			return out, err
		}
	}
	return net.DefaultResolver.LookupNetIP(ctx, network, host)
}

// lookup returns the addresses behind a load balancer's name; nil if there is none.
func (in Account) lookup(host string) (out []netip.Addr, err error) {
	for _, arn := range in.ELB.LoadBalancers() {
		if in.ELB.Current(arn).LoadBalancer.DNSName != host {
			continue
		}
		for _, hp := range in.Plane.Addresses(arn) {
			a, err := netip.ParseAddrPort(hp)
			if err != nil {
				return nil, fmt.Errorf("a node's address: %w", err)
			}
			out = append(out, a.Addr())
		}
	}
	return out, nil
}

// chooseAddresses gives every node of every load balancer a loopback address of its own, as nodes have elsewhere; nil
// where the machine has only 127.0.0.1.
func chooseAddresses() func(l elbv2.Listener, node int) string {
	if try, err := net.Listen("tcp", "127.1.2.3:0"); err != nil {
		return nil
	} else if err := try.Close(); err != nil {
		return nil
	}
	return func(l elbv2.Listener, node int) string {
		h := fnv.New32a()
		_, _ = h.Write([]byte(l.ARN))
		n := h.Sum32()
		return fmt.Sprintf("127.%d.%d.%d:0", 1+n%250, n/250%250, 1+node)
	}
}
