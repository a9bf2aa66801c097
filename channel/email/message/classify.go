package message

import (
	"regexp"
	"strings"
)

// Kind says who a mail comes from.
type Kind string

// The kinds of mails. Nothing automatic ever answers any but those of people.
const (
	KindPerson    Kind = "person"
	KindAutomatic Kind = "automatic" // an auto-reply, a notification
	KindList      Kind = "list"      // a mailing list or newsletter
	KindBounce    Kind = "bounce"    // a mail of ours could not be delivered
	KindDelayed   Kind = "delayed"   // it is still being tried
	KindReport    Kind = "report"    // another report of a mail server: read, abuse
	KindLoop      Kind = "loop"      // our own mail came back
)

// LoopHeader marks every mail that this library sends, so that its return is
// recognised whatever else became of it.
const LoopHeader = "X-Sangdam-Loop"

// maxHops is how many servers a mail passes at most on its way to us.
const maxHops = 50

// automaticHeaders are written by machines alone; a value decides, or any.
var automaticHeaders = []struct {
	name string
	is   func(value string) bool
}{
	{"Auto-Submitted", func(v string) bool { return !strings.HasPrefix(v, "no") }},
	{"Precedence", func(v string) bool {
		return strings.HasPrefix(v, "auto") || strings.HasPrefix(v, "junk")
	}},
	{"X-Autoreply", any}, {"X-Autorespond", any}, {"X-Autoresponder", any}, {"X-Auto-Reply", any}, {"X-Auto-Reply-From", any},
	{"X-Auto-Response-Suppress", any},
	{"X-Mail-Autoreply", any}, {"X-Vacation", any}, {"X-Ms-Exchange-Inbox-Rules-Loop", any}, {"X-Loop", any},
	{"Delivered-By-The-Graces-Of", any},
	{"X-Failed-Recipients", any}, {"X-Fc-Machinegenerated", any}, {"Feedback-Id", any},
}

func any(string) bool { return true }

// automaticSubject is how auto-replies begin whose makers wrote no header.
var automaticSubject = regexp.MustCompile(`(?i)^\s*\[?(automatic (reply|response)|auto(mated|matic)?[- ]?(reply|response|respuesta)|` +
	`out of (the )?office|away from my mail|` +
	`부재중|부재 ?안내|자동 ?(응답|회신|답장|발송)|휴가 ?중|自動(応答|返信|配信)|不在(通知|です|の)|ตอบกลับอัตโนมัติ|ตอบรับอัตโนมัติ|abwesenheit|automatische antwort|` +
	`réponse automatique)`)

var (
	daemon  = regexp.MustCompile(`(?i)^(mailer-?daemon|postmaster|mail-?daemon|mdaemon|mail\.?delivery)`)
	noReply = regexp.MustCompile(`(?i)^(no[-_.]?reply|do[-_.]?not[-_.]?reply|noreply[-+_.].*|.*[-+_.]no-?reply|bounces?([-+_.].*)?)$`)
)

// classify decides who writes.
func (p *parser) classify(h header) {
	m := &p.m
	m.Kind, m.Why = KindPerson, ""
	local := strings.ToLower(m.From.Addr)
	local = local[:max(strings.LastIndexByte(local, '@'), 0)]
	if p.bounced(h, daemon.MatchString(local)) {
		return
	}
	if m.Report != "" {
		m.Kind, m.Why = KindReport, "a report of type "+m.Report
		return
	}
	if why := p.loops(h); why != "" {
		m.Kind, m.Why = KindLoop, why
		return
	}
	for _, name := range []string{"List-Id", "List-Unsubscribe", "List-Post", "Mailing-List", "X-Mailing-List"} {
		if h.has(name) {
			m.Kind, m.Why = KindList, name
			return
		}
	}
	switch v := strings.ToLower(h.get("Precedence")); {
	case strings.HasPrefix(v, "bulk"), strings.HasPrefix(v, "list"):
		m.Kind, m.Why = KindList, "Precedence"
		return
	}
	for _, a := range automaticHeaders {
		if h.has(a.name) && a.is(strings.ToLower(h.get(a.name))) {
			m.Kind, m.Why = KindAutomatic, a.name
			return
		}
	}
	switch {
	case m.ReturnPath == "<>":
		m.Kind, m.Why = KindAutomatic, "nobody is the sender of its envelope"
	case daemon.MatchString(local), noReply.MatchString(local):
		m.Kind, m.Why = KindAutomatic, "the sender's address"
	case m.From.Addr == "":
		m.Kind, m.Why = KindAutomatic, "it has no sender"
	case automaticSubject.MatchString(m.Subject):
		m.Kind, m.Why = KindAutomatic, "the subject"
	}
}

// loops says why the mail is one of our own.
func (p *parser) loops(h header) string {
	if h.has(LoopHeader) {
		return LoopHeader
	}
	for _, own := range p.o.Own {
		if strings.EqualFold(p.m.From.Addr, own) {
			return "our own address"
		}
	}
	if len(h.all("Received")) > maxHops {
		return "it passed too many servers"
	}
	return ""
}
