package safehttp

import (
	"net/netip"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
)

// An address that passes has no user, a web scheme, and no host that anybody
// could read as one inside a network.
func FuzzURL(f *testing.F) {
	for _, s := range []string{"http://127.0.0.1/", "http://[::1]/", "http://0x7f.1/", "http://2130706433/", "http://localhost./",
		"http://a@b/",
		"http://[::ffff:127.0.0.1]/", "http://[fe80::1%25eth0]/", "https://example.com:8443/x", "http://127.1", "http://017700000001",
		"http://[64:ff9b::7f00:1]/", "http://①②⑦.0.0.1/", "http:\\\\127.0.0.1",
		"http://127.0.0.1\\@example.com/", "http://example.com#@127.0.0.1/"} {
		f.Add(s)
	}
	c := New(Options{})
	f.Fuzz(func(t *testing.T, raw string) {
		if c.CheckURL(raw) != nil {
			return
		}
		u, err := url.Parse(raw)
		require.NoError(t, err)
		require.Nil(t, u.User, raw)
		require.Contains(t, []string{"http", "https"}, u.Scheme)
		if a, err := netip.ParseAddr(u.Hostname()); err == nil {
			a = a.Unmap()
			require.False(t, a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || a.IsMulticast(), raw)
		}
	})
}
