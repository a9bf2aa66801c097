package email

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/publicsuffix"

	"github.com/sangdam/sangdam/channel/adapter"
)

// checkDomain says what others will make of mails that leave in the domain's name
// by the account's server: SPF (RFC 7208) is held against the server, and a
// mismatch against what DMARC (RFC 7489) has others do with it. Whether the server
// signs with DKIM shows in no record, so that it can only be advised.
func (a *Adapter) checkDomain(ctx context.Context, s Settings) []adapter.Finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	l := &lookups{a: a, ctx: ctx, host: strings.ToLower(strings.TrimSuffix(s.SMTP.Host, "."))}
	spf, named := l.checkSPF(strings.ToLower(s.domain()))
	return []adapter.Finding{spf, l.checkDMARC(strings.ToLower(s.domain()), named)}
}

// maxLookups is how many further names an SPF record may lead to (RFC 7208, 4.6.4).
const maxLookups = 10

// lookups asks for records of names, on behalf of one check.
type lookups struct {
	a       *Adapter
	ctx     context.Context //nolint:containedctx // it lives for one check
	host    string          // of the SMTP server
	asked   int
	asIP    []netip.Addr // of the host
	askedIP bool
}

// texts are the records of a name that begin so.
func (l *lookups) texts(name, begins string) (out []string) {
	for _, r := range l.a.lookupTXT(l.ctx, name) {
		if low := strings.ToLower(strings.TrimSpace(r)); low == begins || strings.HasPrefix(low, begins+" ") || strings.HasPrefix(low,
			begins+";") {
			out = append(out, low)
		}
	}
	return out
}

func (l *lookups) checkSPF(domain string) (adapter.Finding, bool) {
	f := adapter.Finding{Topic: "spf"}
	switch records := l.texts(domain, "v=spf1"); {
	case len(records) == 0:
		f.Detail = "the domain does not say who may send for it; answers may be taken for spam"
		f.Remedy = "publish an SPF record that names the SMTP server"
	case len(records) > 1:
		f.Detail = "the domain has more than one SPF record, and others heed none of them"
		f.Remedy = "make one record of them"
	case l.names(records[0], domain):
		f.OK, f.Detail = true, "the domain names "+l.host+" among those who may send for it"
	case l.asked > maxLookups:
		f.Detail = "the domain's SPF record leads to more than 10 names, and others stop reading there"
		f.Remedy = "take out what sends nothing, and name networks (ip4, ip6) where they are known"
	default:
		f.Detail = "the domain's SPF record does not name " + l.host + "; answers may be taken for forged"
		f.Remedy = "add to the record what the mail service tells (include:…), or send by a server that is in it"
	}
	return f, f.OK
}

func (l *lookups) checkDMARC(domain string, named bool) adapter.Finding {
	f := adapter.Finding{Topic: "dmarc"}
	records, policy := l.texts("_dmarc."+domain, "v=dmarc1"), "p"
	if organisation, err := publicsuffix.EffectiveTLDPlusOne(domain); len(records) == 0 && err == nil && organisation != domain {
		records, policy = l.texts("_dmarc."+organisation, "v=dmarc1"), "sp"
	}
	if len(records) != 1 {
		f.Detail = "the domain has no DMARC policy; large mail services may refuse answers"
		f.Remedy = "publish a DMARC record once SPF or DKIM are right"
		return f
	}
	tags := map[string]string{}
	for _, tag := range strings.Split(records[0], ";") {
		name, value, _ := strings.Cut(tag, "=")
		tags[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	does := tags[policy]
	if does == "" {
		does = tags["p"]
	}
	what := map[string]string{"reject": "refuse", "quarantine": "put aside as spam"}[does]
	if named || what == "" {
		f.OK, f.Detail = true, "the domain has a DMARC policy"
		return f
	}
	f.Detail = "by the domain's DMARC policy others " + what +
		" mails for which neither SPF nor DKIM vouches, and SPF does not name the SMTP server"
	f.Remedy = "name the server in the SPF record, or have it sign with DKIM for " + domain
	return f
}

// names says that the record lets the server send. Services often send from other
// addresses than they take mails at, so that a name of the same organisation
// counts as well.
func (l *lookups) names(record, domain string) bool {
	redirect := ""
	for _, term := range strings.Fields(record)[1:] {
		if to, is := strings.CutPrefix(term, "redirect="); is {
			redirect = to
			continue
		}
		term = strings.TrimPrefix(term, "+")
		kind, value, _ := strings.Cut(term, ":")
		kind, _, _ = strings.Cut(kind, "/")
		value = strings.TrimSuffix(value, ".")
		if strings.Contains(value, "%") || strings.HasPrefix(term, "-") || strings.HasPrefix(term, "~") || strings.HasPrefix(term, "?") {
			continue
		}
		if l.matches(kind, value, domain) {
			return true
		}
	}
	return redirect != "" && l.included(redirect)
}

func (l *lookups) matches(kind, value, domain string) bool {
	switch kind {
	case "all":
		return true
	case "ip4", "ip6":
		return l.inNetwork(value)
	case "include":
		return l.included(value)
	case "a":
		name, _, _ := strings.Cut(value, "/")
		if name == "" {
			name = domain
		}
		return l.count() && l.isHost(name)
	case "mx":
		name, _, _ := strings.Cut(value, "/")
		if name == "" {
			name = domain
		}
		return l.count() && slices.ContainsFunc(l.a.lookupMX(l.ctx, name), l.isHost)
	}
	return false
}

func (l *lookups) count() bool {
	l.asked++
	return l.asked <= maxLookups
}

func (l *lookups) included(name string) bool {
	if sameService(name, l.host) {
		return true
	}
	if !l.count() {
		return false
	}
	records := l.texts(name, "v=spf1")
	return len(records) == 1 && l.names(records[0], name)
}

// isHost says that a name is the server, by name or address.
func (l *lookups) isHost(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == l.host {
		return true
	}
	return slices.ContainsFunc(l.a.lookupIP(l.ctx, name), func(ip netip.Addr) bool { return slices.Contains(l.addresses(), ip.Unmap()) })
}

func (l *lookups) addresses() []netip.Addr {
	if !l.askedIP {
		l.askedIP = true
		if ip, err := netip.ParseAddr(l.host); err == nil {
			l.asIP = []netip.Addr{ip.Unmap()}
		} else {
			for _, ip := range l.a.lookupIP(l.ctx, l.host) {
				l.asIP = append(l.asIP, ip.Unmap())
			}
		}
	}
	return l.asIP
}

func (l *lookups) inNetwork(network string) bool {
	p, err := netip.ParsePrefix(network)
	if ip, bad := netip.ParseAddr(network); err != nil && bad == nil {
		p, err = ip.Prefix(ip.BitLen())
	}
	return err == nil && slices.ContainsFunc(l.addresses(), p.Contains)
}

// sendsAs are services whose record stands under another name than their servers.
var sendsAs = map[string]string{
	"gmail.com": "google.com", "googlemail.com": "google.com", // https://support.google.com/a/answer/33786
	"office365.com": "outlook.com",   // https://learn.microsoft.com/defender-office-365/email-authentication-spf-configure
	"amazonaws.com": "amazonses.com", // https://docs.aws.amazon.com/ses/latest/dg/send-email-authentication-spf.html
}

func sameService(name, host string) bool {
	a, b := organisation(name), organisation(host)
	return a != "" && (a == b || sendsAs[b] == a)
}

// organisation of a name; Amazon's servers are listed as a suffix of their own.
func organisation(name string) string {
	if strings.HasSuffix(name, ".amazonaws.com") {
		return "amazonaws.com"
	}
	o, err := publicsuffix.EffectiveTLDPlusOne(strings.ToLower(strings.TrimSuffix(name, ".")))
	if err != nil {
		return ""
	}
	return o
}
