package safehttp

import (
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
)

// maxURL bounds a URL; longer ones are refused by many servers.
const maxURL = 8 << 10

// CheckURL says whether the client would request this URL, as far as that can
// be told without resolving its host; use it where a person types one in.
// Errors are ErrInvalid, ErrBlocked among them, and say what to change.
func (c *Client) CheckURL(raw string) error {
	_, err := c.parseURL(raw)
	return err
}

func (c *Client) parseURL(raw string) (*url.URL, error) {
	if len(raw) > maxURL {
		return nil, errs.New(errs.Invalid, "safehttp: the URL is longer than %d bytes", maxURL)
	}
	u, err := url.Parse(raw)
	if err != nil { // its text quotes the URL, which may hold a token
		return nil, errs.New(errs.Invalid, "safehttp: this is not a URL; write https://host/path")
	}
	return u, c.checkURL(u)
}

func (c *Client) checkURL(u *url.URL) error {
	if u.Scheme != "http" && u.Scheme != "https" {
		return errs.New(errs.Invalid, "safehttp: the URL must begin with https:// or http://")
	}
	if u.User != nil {
		return errs.New(errs.Invalid, "safehttp: the URL holds a user name or password; leave it out")
	}
	host := u.Hostname()
	if err := checkHost(host); err != nil {
		return err
	}
	port, err := portOf(u)
	if err != nil {
		return err
	}
	if !c.policy.port(port) {
		return blocked(host, "port "+strconv.Itoa(int(port))+" is not among the allowed ones")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return c.policy.address(host, a)
	}
	return nil
}

// checkHost refuses hosts that programs read differently: what one takes for a
// name, another takes for an address.
func checkHost(host string) error {
	if host == "" || len(host) > 253 {
		return errs.New(errs.Invalid, "safehttp: the URL needs a host of at most 253 characters")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Zone() != "" {
			return errs.New(errs.Invalid, "safehttp: the address in the URL has a zone; leave it out")
		}
		return nil
	}
	if err := checkHostBytes(host); err != nil {
		return err
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 {
			return errs.New(errs.Invalid, "safehttp: the host of the URL has an empty or too long part")
		}
	}
	// The URL standard reads such a host as an IPv4 address in decimal, octal
	// or hexadecimal (https://url.spec.whatwg.org/#ends-in-a-number-checker).
	if isNumber(labels[len(labels)-1]) {
		return errs.New(errs.Invalid, "safehttp: the host of the URL ends in a number; write an IP address in its usual form")
	}
	return nil
}

// checkHostBytes refuses what stands in no host name.
func checkHostBytes(host string) error {
	for i := range len(host) {
		c := host[i]
		if c >= 0x80 {
			return errs.New(errs.Invalid, "safehttp: the host of the URL is not in ASCII; write it in its xn-- form")
		}
		if !isHostByte(c) {
			return errs.New(errs.Invalid, "safehttp: the host of the URL has a character that no host name has")
		}
	}
	return nil
}

func isHostByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
}

func isNumber(label string) bool {
	digits := strings.Trim(label, "0123456789") == ""
	hex, isHex := strings.CutPrefix(strings.ToLower(label), "0x")
	return digits || isHex && strings.Trim(hex, "0123456789abcdef") == ""
}

func portOf(u *url.URL) (uint16, error) {
	switch text := u.Port(); {
	case text != "":
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return 0, errs.New(errs.Invalid, "safehttp: the port of the URL is not between 1 and 65535")
		}
		return uint16(n), nil
	case u.Scheme == "https":
		return 443, nil
	default:
		return 80, nil
	}
}

// sameOrigin says whether two URLs have scheme, host and port in common.
func sameOrigin(a, b *url.URL) bool {
	pa, errA := portOf(a)
	pb, errB := portOf(b)
	return errA == nil && errB == nil && pa == pb && a.Scheme == b.Scheme && canonicalHost(a.Hostname()) == canonicalHost(b.Hostname())
}
