package probe

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"alboidc.internal/shared/failure"
)

// dialTimeout limits the wait for one address of several.
const dialTimeout = 4 * time.Second

var (
	// ec2Local holds the IPv6 addresses of EC2's instance services: metadata fd00:ec2::254, DNS, time, pod identity
	// (Amazon EC2 user guide, "Access instance metadata"; EKS user guide, "EKS Pod Identity").
	ec2Local = netip.MustParsePrefix("fd00:ec2::/32")
	// nat64 embeds an IPv4 address in its last four bytes (RFC 6052); VPC subnets with DNS64 use it.
	nat64 = netip.MustParsePrefix("64:ff9b::/96")
	// thisNetwork is refused because some systems take 0.x.x.x for the local host (RFC 1122, section 3.2.1.3).
	thisNetwork = netip.MustParsePrefix("0.0.0.0/8")
	broadcast   = netip.MustParseAddr("255.255.255.255")
)

// tunnels are IPv6 addresses that stand for an IPv4 one, or that only some network translates. Nobody can tell what is
// behind them, and neither a load balancer nor an identity provider has one.
var tunnels = map[string]netip.Prefix{
	"an IPv4-compatible address":            netip.MustParsePrefix("::/96"),           // RFC 4291, section 2.5.5.1
	"an IPv4-translated address":            netip.MustParsePrefix("::ffff:0:0:0/96"), // RFC 2765, section 2.1
	"a 6to4 address":                        netip.MustParsePrefix("2002::/16"),       // RFC 3056
	"a Teredo address":                      netip.MustParsePrefix("2001::/32"),       // RFC 4380
	"an address of a local IPv4 translator": netip.MustParsePrefix("64:ff9b:1::/48"),  // RFC 8215
	"a site-local address":                  netip.MustParsePrefix("fec0::/10"),       // RFC 3879
	"a discarded address":                   netip.MustParsePrefix("100::/64"),        // RFC 6666
}

// nameTunnel names the kind of such an address; "" if a is none.
func nameTunnel(a netip.Addr) string {
	for name, prefix := range tunnels {
		if prefix.Contains(a) && !a.IsLoopback() && !a.IsUnspecified() {
			return name
		}
	}
	return ""
}

// refusedAddress is the error for an address to which the probe never connects.
type refusedAddress struct {
	addr netip.Addr
	why  string
}

func (r *refusedAddress) Error() string {
	return fmt.Sprintf("address %s is %s: it is never connected to", r.addr, r.why)
}

// permit refuses addresses that no load balancer or identity provider has, but services of the probe's own machine do,
// such as the instance metadata service and the Lambda Runtime API. It permits private addresses: internal load
// balancers have them.
func (p *Prober) permit(addr netip.Addr) error {
	a := addr.Unmap()
	if nat64.Contains(a) {
		b := a.As16()
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	why := nameTunnel(a)
	switch {
	case why != "":
	case a.Zone() != "": // no prefix contains an address with a zone
		why = "an address of one interface"
	case a.IsLinkLocalUnicast():
		why = "link-local"
	case a.IsMulticast():
		why = "multicast"
	case !a.IsValid(), a.IsUnspecified(), thisNetwork.Contains(a), a == broadcast:
		why = "not the address of a host"
	case ec2Local.Contains(a):
		why = "an EC2 instance service"
	case a.IsLoopback() && !p.o.AllowLoopback:
		why = "loopback"
	default:
		return nil
	}
	return &refusedAddress{addr: addr, why: why}
}

// resolveNodes returns the addresses (ip:port) behind u, or behind the entries of connectTo if there are any. It
// refuses all if it refuses one: a name that points there cannot be trusted.
func (p *Prober) resolveNodes(ctx context.Context, u *url.URL, connectTo []string) ([]string, error) {
	if len(connectTo) == 0 {
		connectTo = []string{hostPort(u)}
	}
	ctx, cancel := context.WithTimeout(ctx, p.o.RequestTimeout)
	defer cancel()
	var out []string
	for _, hp := range connectTo {
		addrs, err := p.resolve(ctx, hp)
		if err != nil {
			return nil, explainNoAnswer(hp, err)
		}
		for _, a := range addrs {
			if s := a.String(); !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out, nil
}

// resolve returns the permitted addresses of host:port, IPv6 ones only if there is no other. No node is missed: one
// that has an IPv6 address has an IPv4 one too, and a function without a route for IPv6 can still test them all
// (Application Load Balancers user guide, "Prepare to use an OIDC-compliant IdP").
func (p *Prober) resolve(ctx context.Context, hp string) ([]netip.AddrPort, error) {
	host, portText, err := net.SplitHostPort(hp)
	if err != nil {
		return nil, failure.New(failure.InvalidInput, "an address to connect to must be host:port")
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, failure.New(failure.InvalidInput, "an address to connect to must have a port of 1 to 65535")
	}
	addrs, err := p.lookup(ctx, host)
	if err != nil {
		return nil, err
	}
	var v4, v6 []netip.AddrPort
	for _, a := range addrs {
		if err := p.permit(a); err != nil {
			return nil, err
		}
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, netip.AddrPortFrom(a, uint16(port)))
		} else {
			v6 = append(v6, netip.AddrPortFrom(a, uint16(port)))
		}
	}
	if len(v4) > 0 {
		return v4, nil
	}
	return v6, nil
}

// Addresses returns the addresses at which the tests would connect to a host name.
func (p *Prober) Addresses(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, p.o.RequestTimeout)
	defer cancel()
	addrs, err := p.resolve(ctx, net.JoinHostPort(host, "443"))
	if err != nil {
		return nil, explainNoAnswer(host, err)
	}
	var out []string
	for _, a := range addrs {
		out = append(out, a.Addr().String())
	}
	return out, nil
}

func (p *Prober) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if p.o.AllowLoopback && strings.HasSuffix(host, ".localhost") && p.o.Resolver == Resolver(net.DefaultResolver) {
		// nobody is asked for such names (RFC 6761, section 6.3)
		return []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})}, nil
	}
	addrs, err := p.o.Resolver.LookupNetIP(ctx, "ip", host)
	if err == nil && len(addrs) == 0 {
		err = &net.DNSError{Err: "no addresses", Name: host, IsNotFound: true}
	}
	return addrs, err
}

// dial connects to the first address of host:port that answers, beginning at another one each time.
func (p *Prober) dial(ctx context.Context, hp string) (net.Conn, error) {
	addrs, err := p.resolve(ctx, hp)
	if err != nil {
		return nil, err
	}
	d := p.dialer()
	start := int(p.turn.Add(1) % uint32(len(addrs)))
	for i := range addrs {
		var conn net.Conn
		if conn, err = d.DialContext(ctx, "tcp", addrs[(start+i)%len(addrs)].String()); err == nil {
			return conn, nil
		}
	}
	return nil, err
}

// dialer checks the address once more right before a connection, so that whatever bypasses resolve does not bypass
// permit.
func (p *Prober) dialer() *net.Dialer {
	return &net.Dialer{Timeout: dialTimeout, Control: func(_, address string, _ syscall.RawConn) error {
		ap, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("reading the address to connect to: %w", err)
		}
		return p.permit(ap.Addr())
	}}
}
