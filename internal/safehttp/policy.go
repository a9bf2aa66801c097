package safehttp

import (
	"net/netip"
	"slices"
)

// policy says which addresses and ports may be reached.
type policy struct {
	private []netip.Prefix
	hosts   map[string]bool
	ports   []uint16
	anyPort bool
}

func newPolicy(o Options) policy {
	p := policy{private: slices.Clone(o.AllowPrivate), hosts: make(map[string]bool), ports: slices.Clone(o.Ports), anyPort: o.AnyPort}
	for _, h := range o.AllowHosts {
		p.hosts[canonicalHost(h)] = true
	}
	if o.Ports == nil {
		p.ports = []uint16{80, 443, 8080, 8443}
	}
	return p
}

func (p policy) port(port uint16) bool { return p.anyPort || slices.Contains(p.ports, port) }

// address says whether a connection for host may go to a. The host is the name
// of the URL, since some names are trusted with private addresses.
func (p policy) address(host string, a netip.Addr) error {
	a = a.Unmap()
	if a.Zone() != "" {
		return blocked(host, "its address has a zone")
	}
	if slices.ContainsFunc(p.private, func(allowed netip.Prefix) bool { return allowed.Contains(a) }) {
		return nil
	}
	if p.hosts[canonicalHost(host)] && (a.IsPrivate() || a.IsLoopback() || sharedSpace.Contains(a)) {
		return nil
	}
	if what, special := specialUse(a); special {
		return blocked(host, "its address is "+what)
	}
	return nil
}

var (
	sharedSpace = netip.MustParsePrefix("100.64.0.0/10")
	nat64       = netip.MustParsePrefix("64:ff9b::/96")
	globalIPv6  = netip.MustParsePrefix("2000::/3")
)

// special are the blocks of the IANA registries of special-purpose addresses
// (https://www.iana.org/assignments/iana-ipv4-special-registry,
// …/iana-ipv6-special-registry) that are not public, with multicast and the
// blocks that carry an IPv4 address inside an IPv6 one. Of IPv6, all outside
// 2000::/3 is refused before this list is looked at.
var special = []struct {
	prefix netip.Prefix
	what   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "of this host"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{sharedSpace, "shared address space"},
	{netip.MustParsePrefix("127.0.0.0/8"), "of this host"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved"},
	{netip.MustParsePrefix("192.0.2.0/24"), "for documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "reserved"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "for benchmarks"},
	{netip.MustParsePrefix("198.51.100.0/24"), "for documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "for documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved"},
	{netip.MustParsePrefix("2001::/23"), "reserved"}, // Teredo and ORCHID among them
	{netip.MustParsePrefix("2001:db8::/32"), "for documentation"},
	{netip.MustParsePrefix("2002::/16"), "6to4"},
	{netip.MustParsePrefix("3fff::/20"), "for documentation"},
}

// specialUse says whether an address is not public, and what it is instead.
func specialUse(a netip.Addr) (what string, isSpecial bool) {
	if !a.IsValid() {
		return "not valid", true
	}
	if nat64.Contains(a) {
		// A translator reaches the IPv4 address in the last four bytes.
		b := a.As16()
		return specialUse(netip.AddrFrom4([4]byte(b[12:])))
	}
	if a.Is6() && !globalIPv6.Contains(a) {
		return "not global", true
	}
	for _, s := range special {
		if s.prefix.Contains(a) {
			return s.what, true
		}
	}
	return "", false
}
