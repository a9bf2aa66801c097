package message

import (
	"slices"
	"strings"

	"github.com/emersion/go-msgauth/authres"
	"golang.org/x/net/publicsuffix"
)

// judge looks whether the sender's domain vouches for the mail. Only the topmost
// Authentication-Results counts, and only of a server of the host's own: anybody
// can write such a header further down.
func (p *parser) judge(h header) {
	if len(p.o.AuthServers) == 0 {
		return
	}
	at := slices.IndexFunc(h, func(f field) bool { return strings.EqualFold(f.name, "Authentication-Results") })
	if at < 0 {
		return
	}
	server, results, err := authres.Parse(h[at].value)
	if err != nil || !slices.ContainsFunc(p.o.AuthServers, func(own string) bool { return strings.EqualFold(own, server) }) {
		return
	}
	p.m.Judged = true
	if len(h.all("From")) != 1 || len(p.addresses(h, "From")) != 1 { // who would be meant?
		p.problem("the mail names more than one sender")
		return
	}
	_, domain, _ := strings.Cut(p.m.From.Addr, "@")
	p.m.Verified = vouched(results, domain)
}

// vouched asks DMARC; where the server did not judge by it, a signature or an
// envelope of the same organisation.
func vouched(results []authres.Result, domain string) bool {
	aligned := false
	for _, r := range results {
		switch r := r.(type) {
		case *authres.DMARCResult:
			return r.Value == authres.ResultPass && (r.From == "" || strings.EqualFold(r.From, domain))
		case *authres.DKIMResult:
			_, signer, _ := strings.Cut(r.Identifier, "@")
			aligned = aligned || r.Value == authres.ResultPass && sameOrganisation(firstOf(r.Domain, signer), domain)
		case *authres.SPFResult:
			from := r.From
			if at := strings.LastIndexByte(from, '@'); at >= 0 {
				from = from[at+1:]
			}
			aligned = aligned || r.Value == authres.ResultPass && sameOrganisation(from, domain)
		}
	}
	return aligned
}

func sameOrganisation(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	x, errX := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(a))
	y, errY := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(b))
	return errX == nil && errY == nil && x == y
}
