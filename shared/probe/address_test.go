package probe

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"

	"alboidc.internal/shared/failure"
)

type fakeResolver map[string][]string

func (f fakeResolver) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	texts, ok := f[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var out []netip.Addr
	for _, s := range texts {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

func TestAddressesThatAreNeverConnectedTo(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]string{
		"instance metadata":                   "169.254.169.254",
		"Lambda Runtime API":                  "169.254.100.1",
		"metadata as mapped IPv6":             "::ffff:169.254.169.254",
		"metadata behind NAT64":               "64:ff9b::a9fe:a9fe",
		"metadata over IPv6":                  "fd00:ec2::254",
		"EKS pod identity over IPv6":          "fd00:ec2::23",
		"link-local IPv6":                     "fe80::1",
		"link-local IPv6 with a zone":         "fe80::1%eth0",
		"multicast":                           "224.0.0.251",
		"multicast IPv6":                      "ff02::1",
		"unspecified":                         "0.0.0.0",
		"unspecified IPv6":                    "::",
		"this network":                        "0.1.2.3",
		"broadcast":                           "255.255.255.255",
		"loopback":                            "127.0.0.1",
		"another loopback":                    "127.9.9.9",
		"loopback IPv6":                       "::1",
		"loopback as mapped IPv6":             "::ffff:127.0.0.1",
		"loopback behind NAT64":               "64:ff9b::7f00:1",
		"metadata over IPv6 with a zone":      "fd00:ec2::254%eth0",
		"a global address with a zone":        "2001:db8::1%eth0",
		"metadata as IPv4-compatible IPv6":    "::169.254.169.254",
		"a public IPv4-compatible address":    "::192.0.2.1",
		"metadata as IPv4-translated IPv6":    "::ffff:0:169.254.169.254",
		"metadata over 6to4":                  "2002:a9fe:a9fe::1",
		"any 6to4":                            "2002:c000:201::1",
		"Teredo":                              "2001:0:a9fe:a9fe::1",
		"metadata behind a local NAT64":       "64:ff9b:1::a9fe:a9fe",
		"any local NAT64":                     "64:ff9b:1:fffe::1",
		"site-local":                          "fec0::1",
		"discarded":                           "100::1",
		"no address at all, for good measure": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, _ := netip.ParseAddr(addr)
			if err := New(Options{}).permit(a); err == nil {
				t.Errorf("%s is permitted", addr)
			}
			loopback := a.Unmap().IsLoopback() || strings.Contains(name, "loopback")
			if err := New(Options{AllowLoopback: true}).permit(a); (err == nil) != loopback {
				t.Errorf("%s with loopback allowed: %v", addr, err)
			}
		})
	}
}

func TestPublicAndPrivateAddressesArePermitted(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"192.0.2.1", "10.0.0.5", "172.31.255.1", "192.168.1.1", "100.64.0.1", "2001:db8::1",
		"fd12::1", "64:ff9b::c000:201"} {
		if err := New(Options{}).permit(netip.MustParseAddr(addr)); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestTheDialerRefusesAnAddressAsTheLastThingBeforeConnecting(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, allowed := range []bool{true, false} {
		conn, err := New(Options{AllowLoopback: allowed}).dialer().Dial("tcp", l.Addr().String())
		if err == nil {
			_ = conn.Close()
		}
		var refused *refusedAddress
		if allowed && err != nil || !allowed && !errors.As(err, &refused) {
			t.Errorf("loopback allowed %v: %v", allowed, err)
		}
	}
}

func TestNodesAreAllAddressesOfTheName(t *testing.T) {
	t.Parallel()
	resolver := fakeResolver{
		"app.example.com":   {"192.0.2.1", "192.0.2.2", "192.0.2.1", "2001:db8::1"},
		"six.example.com":   {"2001:db8::1", "2001:db8::2"},
		"bad.example.com":   {"192.0.2.1", "169.254.169.254"},
		"empty.example.com": {},
	}
	for _, c := range []struct {
		name, url string
		connectTo []string
		want      []string
		kind      failure.Kind
	}{
		{name: "each IPv4 address once", url: "https://app.example.com/x", want: []string{"192.0.2.1:443",
			"192.0.2.2:443"}},
		{name: "the URL's port", url: "https://app.example.com:8443/x", want: []string{"192.0.2.1:8443",
			"192.0.2.2:8443"}},
		{name: "IPv6 where there is no IPv4", url: "https://six.example.com/", want: []string{"[2001:db8::1]:443",
			"[2001:db8::2]:443"}},
		{name: "the addresses to connect to instead, names among them", url: "https://nowhere.example.com/",
			connectTo: []string{"192.0.2.9:1", "app.example.com:2"}, want: []string{"192.0.2.9:1", "192.0.2.1:2",
				"192.0.2.2:2"}},
		{name: "one refused address refuses all", url: "https://bad.example.com/", kind: failure.Precondition},
		{name: "a refused address to connect to", url: "https://app.example.com/", connectTo: []string{"127.0.0.1:443"},
			kind: failure.Precondition},
		{name: "an unknown name", url: "https://nowhere.example.com/", kind: failure.Unavailable},
		{name: "a name without addresses", url: "https://empty.example.com/", kind: failure.Unavailable},
		{name: "an address without a port", url: "https://app.example.com/", connectTo: []string{"192.0.2.1"},
			kind: failure.InvalidInput},
		{name: "an address with port 0", url: "https://app.example.com/", connectTo: []string{"192.0.2.1:0"},
			kind: failure.InvalidInput},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u, err := url.Parse(c.url)
			if err != nil {
				t.Fatal(err)
			}
			got, err := New(Options{Resolver: resolver}).resolveNodes(context.Background(), u, c.connectTo)
			if c.kind != "" {
				if !failure.Is(err, c.kind) {
					t.Errorf("got %v and error %v, not %s", got, err, c.kind)
				}
				return
			}
			if err != nil || !slices.Equal(got, c.want) {
				t.Errorf("got %v (%v), want %v", got, err, c.want)
			}
		})
	}
}

func TestConnectionsBeginAtAnotherAddressEachTime(t *testing.T) {
	t.Parallel()
	var reached []string
	p := New(Options{AllowLoopback: true, Resolver: fakeResolver{"idp.example.com": {"127.0.0.1", "127.0.0.2",
		"127.0.0.3"}}})
	ctx, cancel := context.WithCancel(context.Background())
	cancel() // nothing is dialled: the error names the address that would have been the last
	for range 3 {
		_, err := p.dial(ctx, "idp.example.com:443")
		if err == nil {
			t.Fatal("connected with a context that has ended")
		}
		var op *net.OpError
		if !errors.As(err, &op) || op.Addr == nil {
			t.Fatalf("error %v names no address", err)
		}
		reached = append(reached, op.Addr.String())
	}
	slices.Sort(reached)
	if len(slices.Compact(reached)) != 3 {
		t.Errorf("the same addresses again: %v", reached)
	}
}
