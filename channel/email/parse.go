package email

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/channel/email/thread"
	"github.com/sangdam/sangdam/internal/errs"
)

// state is what answering in a thread needs, see adapter.Inbound.State.
type state struct {
	To         string   `json:"to"` // where answers go
	Name       string   `json:"name,omitempty"`
	Answers    string   `json:"answers,omitempty"`    // the Message-ID that is answered
	References []string `json:"references,omitempty"` // of what is answered
}

// maxReferences are kept of a thread: the first, and the newest.
const maxReferences = 10

// maxAnswers are looked up at most, the nearest ones.
const maxAnswers = 20

// unverified begins the user id of a sender for whom his domain does not vouch
// although the host's server judged: his mails are not those of the customer
// whose name they bear.
const unverified = "unverified:"

// Parse says what a mail means. It refuses only what holds nothing at all.
func (a *Adapter) Parse(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	s, err := settingsOf(acct)
	if err != nil {
		return adapter.Inbound{}, err
	}
	if len(bytes.Trim(env.Raw, "\x00 \t\r\n")) == 0 {
		return adapter.Inbound{}, errs.New(errs.Invalid, "email: the mail is empty")
	}
	m := message.Parse(env.Raw, s.options())
	in := adapter.Inbound{Type: string(m.Kind), OccurredAt: firstTime(env.OccurredAt, m.Date, env.ReceivedAt)}
	key := keyOf(acct)
	if m.Kind == message.KindBounce {
		return bounced(key, env.Raw, m, in), nil
	}
	if passed := machines(&in, acct, m); passed {
		return in, nil
	}
	said(&in, key, s, m)
	in.MessageID = messageID(m, env.Raw)
	return in, nil
}

// machines says whether a mail is a machine's, and what it means then: a report
// or the echo of a mail of ours.
func machines(in *adapter.Inbound, acct channel.Account, m message.Mail) bool {
	switch m.Kind {
	case message.KindDelayed:
		in.Kind = adapter.EventOther
		return true
	case message.KindReport:
		in.Kind, in.Type = adapter.EventUnsupported, "report:"+m.Report
		if m.Report == "disposition-notification" || m.Report == "delivery-status" {
			in.Kind = adapter.EventOther
		}
		return true
	case message.KindLoop:
		if m.Why != message.LoopHeader || m.LoopMark == loopMark(acct) {
			in.Kind = adapter.EventOther
			return true
		}
		// Another desk of this house writes. It is answered by people alone.
	}
	return false
}

func firstTime(all ...time.Time) time.Time {
	for _, t := range all {
		if !t.IsZero() {
			return t.UTC()
		}
	}
	return time.Time{}
}

// messageID is the mail's own id with a digest of what it says, since some
// senders use one id for many mails.
func messageID(m message.Mail, raw []byte) channel.ProviderMessageID {
	return channel.ProviderMessageID(m.ID + "#" + dedupKey(raw)[:12])
}

// said fills in what somebody writes, a person or a machine.
func said(in *adapter.Inbound, key thread.Key, s Settings, m message.Mail) {
	recipients := append([]string(nil), m.Delivered...)
	for _, a := range append(append([]message.Address(nil), m.To...), m.Cc...) {
		recipients = append(recipients, a.Addr)
	}
	place := key.Find(s.own(), thread.Mail{ID: rootOf(m), Recipients: recipients, InReplyTo: m.InReplyTo, References: m.References})
	in.Kind = adapter.EventMessage
	in.Chat = channel.Chat{Kind: channel.ChatThread, ID: place.Thread}
	in.Author = adapter.Author{User: user(m), Name: cmp.Or(m.From.Name, m.From.Addr), Vouched: m.Verified}
	in.Name = channel.ProviderMessageID(m.ID)
	for _, id := range place.Answers[:min(len(place.Answers), maxAnswers)] {
		in.Answers = append(in.Answers, channel.ProviderMessageID(id))
	}
	in.Copied = copied(s, m)
	machine := m.Kind != message.KindPerson
	in.Silent, in.Aside = machine, machine
	if !machine || place.By == thread.ByNothing {
		in.State = stateOf(m)
	}
	in.Content = content(m)
}

// rootOf is what a new thread is named after; it never is what another mail's
// thread is named after, for that would join them.
func rootOf(m message.Mail) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{m.ID, m.From.Addr, m.Subject, m.Date.String(), m.Text}, "\x00")))
	return hex.EncodeToString(sum[:])
}

func user(m message.Mail) channel.ProviderUserID {
	addr := strings.ToLower(m.From.Addr)
	if addr != "" && m.Judged && !m.Verified {
		addr = unverified + addr
	}
	return channel.ProviderUserID(addr)
}

func copied(s Settings, m message.Mail) []adapter.Author {
	own := map[string]bool{}
	for _, a := range s.own() {
		own[strings.ToLower(a)] = true
	}
	var out []adapter.Author
	for _, a := range append(append([]message.Address(nil), m.To...), m.Cc...) {
		if addr := strings.ToLower(a.Addr); !own[addr] && len(out) < 50 {
			out = append(out, adapter.Author{User: channel.ProviderUserID(addr), Name: a.Name})
		}
	}
	return out
}

func stateOf(m message.Mail) []byte {
	to := m.From
	if len(m.ReplyTo) > 0 {
		to = m.ReplyTo[0]
	}
	if !plainAddress(to.Addr) {
		return nil // nobody can be answered
	}
	st := state{To: to.Addr, Name: to.Name, Answers: m.ID, References: m.References}
	if n := len(st.References); n > maxReferences {
		st.References = append(st.References[:1:1], st.References[n-maxReferences+1:]...)
	}
	raw, err := json.Marshal(st)
	if err != nil {
		return nil // strings always encode
	}
	return raw
}

func content(m message.Mail) channel.Content {
	c := channel.Text(cmp.Or(m.Text, m.Subject, "-"))
	if m.Text != "" {
		for _, f := range m.Folds {
			c.Spans = append(c.Spans, channel.Span{Start: f.Start, Length: f.Length, Kind: string(f.Kind)})
		}
	}
	c.Letter = &channel.Letter{Subject: m.Subject, From: shown(m.From), Verified: m.Verified, Automatic: m.Why, Problems: m.Problems}
	for _, a := range m.To {
		c.Letter.To = append(c.Letter.To, shown(a))
	}
	for _, a := range m.Cc {
		c.Letter.Cc = append(c.Letter.Cc, shown(a))
	}
	if m.HTML != "" {
		c.Attachments = append(c.Attachments, channel.Media{Name: htmlName, Type: "text/html", Provider: refHTML, Form: true})
	}
	for i, f := range m.Files {
		c.Attachments = append(c.Attachments, channel.Media{Name: f.Name, Type: f.Type, Size: int64(len(f.Data)),
			Provider: refFile + strconv.Itoa(i), ContentID: f.CID})
	}
	return c
}

func shown(a message.Address) string {
	if a.Name == "" {
		return a.Addr
	}
	return a.Name + " <" + a.Addr + ">"
}

// What Unpack knows.
const (
	refHTML  = "html"
	refFile  = "file/"
	htmlName = "mail.html"
)

// Unpack writes a file of a mail: an attachment as it came, or the mail's own
// HTML, cleaned, with the addresses of pictures from elsewhere set aside.
func (a *Adapter) Unpack(acct channel.Account, env adapter.Envelope, ref string, sink adapter.MediaSink) error {
	s, err := settingsOf(acct)
	if err != nil {
		return err
	}
	m := message.Parse(env.Raw, s.options())
	if ref == refHTML && m.HTML != "" {
		safe, _ := message.Clean(m.HTML, message.Later, func(cid string) string { return "cid:" + cid })
		return write(sink, "text/html", []byte(safe))
	}
	n, err := strconv.Atoi(strings.TrimPrefix(ref, refFile))
	if err != nil || !strings.HasPrefix(ref, refFile) || n < 0 || n >= len(m.Files) {
		return errs.New(errs.NotFound, "email: the mail has no file %q", ref)
	}
	return write(sink, m.Files[n].Type, m.Files[n].Data)
}

func write(sink adapter.MediaSink, mediaType string, data []byte) error {
	if err := sink.Begin(mediaType, int64(len(data))); err != nil {
		return err
	}
	_, err := sink.Write(data)
	return err
}

// ours finds a Message-ID of this library in a report that names none clearly.
var ours = regexp.MustCompile(`[a-z2-7]{24}\.[a-z2-7]{26}\.[a-z2-7]{16}`)

var reasons = map[message.Cause]channel.Reason{message.CauseNobody: channel.ReasonUnreachable,
	message.CauseFull:     channel.ReasonRecipientRate,
	message.CauseTooLarge: channel.ReasonTooLarge, message.CauseRefused: channel.ReasonContent, message.CauseNetwork: channel.ReasonNetwork}

// bounced says which message of ours did not arrive.
func bounced(key thread.Key, raw []byte, m message.Mail, in adapter.Inbound) adapter.Inbound {
	id := m.Bounce.Original
	name, msg, mine := key.Read(id)
	if !mine && len(raw) < 1<<20 {
		for _, found := range ours.FindAllString(strings.ToLower(string(raw)), 10) {
			if name, msg, mine = key.Read(found); mine {
				id = found
				break
			}
		}
	}
	if id == "" {
		in.Kind = adapter.EventOther
		return in
	}
	in.Kind, in.Reason = adapter.EventFailed, cmp.Or(reasons[m.Bounce.Cause], channel.ReasonProvider)
	in.Details = map[string]string{"detail": strings.TrimSpace("the other mail server reports: " + string(m.Bounce.Cause) + " " +
		m.Bounce.Status)}
	if mine {
		in.Chat = channel.Chat{Kind: channel.ChatThread, ID: name}
		in.MessageID, in.Tag = channel.ProviderMessageID(localPart(id)), msg
		return in
	}
	in.MessageID, in.Tag = channel.ProviderMessageID(id), localPart(id)
	return in
}

func localPart(id string) string {
	local, _, _ := strings.Cut(id, "@")
	return strings.ToLower(local)
}

// loopMark marks what this account sends. It tells nobody which account that is.
func loopMark(acct channel.Account) string {
	sum := sha256.Sum256([]byte("loop\x00" + string(acct.ID) + "\x00" + acct.Secrets[SecretThreads].Reveal()))
	return hex.EncodeToString(sum[:8])
}

// dedupKey is the same for a mail that is fetched again, from another folder or
// under another UID, and different for two mails of one Message-ID: the headers
// that servers add on the way do not count.
func dedupKey(raw []byte) string {
	h := sha256.New()
	head, body := raw, []byte(nil)
	for _, end := range []string{"\r\n\r\n", "\n\n"} {
		if at := bytes.Index(raw, []byte(end)); at >= 0 && at < len(head) {
			head, body = raw[:at], raw[at:]
		}
	}
	counts := false
	for _, line := range bytes.Split(head, []byte("\n")) {
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' {
			name, _, _ := bytes.Cut(line, []byte(":"))
			switch strings.ToLower(string(bytes.TrimSpace(name))) {
			case "message-id", "date", "from", "subject", "to", "content-type":
				counts = true
			default:
				counts = false
			}
		}
		if counts {
			h.Write(bytes.TrimSpace(line))
		}
	}
	h.Write(bytes.TrimSpace(body))
	return hex.EncodeToString(h.Sum(nil))
}
