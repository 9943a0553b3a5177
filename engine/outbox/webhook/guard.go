package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"syscall"
)

// Guard keeps deliveries out of private networks: whoever may name a URL must not reach through the
// daemon what they cannot reach themselves.
type Guard struct {
	Allow []netip.Prefix // exceptions
}

// ParseGuard reads exceptions as CIDRs, separated by commas or spaces.
func ParseGuard(text string) (Guard, error) {
	var g Guard
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		p, err := netip.ParsePrefix(part)
		if err != nil {
			return Guard{}, fmt.Errorf("%q is no CIDR such as 10.0.0.0/8", part)
		}
		g.Allow = append(g.Allow, p.Masked())
	}
	return g, nil
}

var errPrivate = errors.New("the address is not a public one")

// refused are the networks that are not the public Internet: the special-purpose registries of IANA
// (RFC 6890 and its updates), and those that wrap an IPv4 address that only their gateway sees.
var refused = parsePrefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"::/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16",
	"3fff::/20", "5f00::/16",
	"fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
)

func parsePrefixes(texts ...string) []netip.Prefix {
	all := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		all[i] = netip.MustParsePrefix(text)
	}
	return all
}

// allows reports whether an address may be dialled.
func (g Guard) allows(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range g.Allow {
		if p.Contains(addr) {
			return true
		}
	}
	for _, p := range refused {
		if p.Contains(addr) {
			return false
		}
	}
	return true
}

// control is for net.Dialer: it sees the address of every connection after its name was resolved, so
// that a name that leads elsewhere the second time is seen, too.
func (g Guard) control(_, address string, _ syscall.RawConn) error {
	where, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("address %q: %w", address, err)
	}
	if !g.allows(where.Addr()) {
		return errPrivate
	}
	return nil
}
