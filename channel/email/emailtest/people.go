package emailtest

import (
	"encoding/base64"
	"fmt"
	"mime"
	"strings"
	"time"
)

// Letter is what a person writes to the desk.
type Letter struct {
	From, Name string // Name may be empty
	To         string // empty: the desk's address
	Cc         []string
	Subject    string
	Text       string
	HTML       string
	Files      []File
	InReplyTo  string // a Message-ID without brackets
	References []string
	// Header lines are added as they are: "Auto-Submitted: auto-replied".
	Header []string
	// Spoofed: somebody else writes under the sender's name; see
	// Options.AuthServer.
	Spoofed bool
}

// File is one that goes with a letter.
type File struct {
	Name, Type, CID string
	Data            []byte
}

// Write has a person write, and returns the mail's Message-ID.
func (s *Server) Write(l Letter) string {
	raw, id := s.Compose(l)
	s.Deliver("INBOX", raw)
	return id
}

// Compose makes the mail of a letter, as it arrives at the desk.
func (s *Server) Compose(l Letter) (raw []byte, id string) {
	s.mu.Lock()
	s.last++
	n := s.last
	s.mu.Unlock()
	_, domain, _ := strings.Cut(l.From, "@")
	id = fmt.Sprintf("m%d.%d@%s", n, len(l.Text), domain)
	if l.To == "" {
		l.To = s.opt.Address
	}
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\r\n", args...) }
	if s.opt.AuthServer != "" {
		result := "pass"
		if l.Spoofed {
			result = "fail"
		}
		line("Authentication-Results: %s; dmarc=%s header.from=%s", s.opt.AuthServer, result, domain)
	}
	if l.Name != "" {
		line("From: %s <%s>", mime.QEncoding.Encode("utf-8", l.Name), l.From)
	} else {
		line("From: %s", l.From)
	}
	line("To: %s", l.To)
	if len(l.Cc) > 0 {
		line("Cc: %s", strings.Join(l.Cc, ", "))
	}
	line("Subject: %s", mime.BEncoding.Encode("utf-8", l.Subject))
	line("Date: %s", time.Now().UTC().Format(time.RFC1123Z))
	line("Message-ID: <%s>", id)
	if l.InReplyTo != "" {
		line("In-Reply-To: <%s>", l.InReplyTo)
	}
	if len(l.References) > 0 {
		line("References: <%s>", strings.Join(l.References, "> <"))
	}
	for _, h := range l.Header {
		line("%s", h)
	}
	line("MIME-Version: 1.0")
	if l.HTML == "" && len(l.Files) == 0 {
		part(&b, "text/plain; charset=utf-8", "", []byte(l.Text))
		return []byte(b.String()), id
	}
	line("Content-Type: multipart/mixed; boundary=mixed\r\n\r\n--mixed")
	if l.HTML != "" {
		line("Content-Type: multipart/alternative; boundary=alt\r\n\r\n--alt")
		part(&b, "text/plain; charset=utf-8", "", []byte(l.Text))
		line("--alt")
		part(&b, "text/html; charset=utf-8", "", []byte(l.HTML))
		line("--alt--")
	} else {
		part(&b, "text/plain; charset=utf-8", "", []byte(l.Text))
	}
	for _, f := range l.Files {
		line("--mixed")
		extra := "Content-Disposition: attachment; filename=" + mime.QEncoding.Encode("utf-8", f.Name) + "\r\n"
		if f.CID != "" {
			extra = "Content-ID: <" + f.CID + ">\r\nContent-Disposition: inline; filename=" + f.Name + "\r\n"
		}
		part(&b, f.Type, extra, f.Data)
	}
	line("--mixed--")
	return []byte(b.String()), id
}

func part(b *strings.Builder, kind, extra string, data []byte) {
	fmt.Fprintf(b, "Content-Type: %s\r\n%sContent-Transfer-Encoding: base64\r\n\r\n", kind, extra)
	for text := base64.StdEncoding.EncodeToString(data); text != ""; {
		n := min(76, len(text))
		b.WriteString(text[:n] + "\r\n")
		text = text[n:]
	}
}

// Answer is what a person's client writes in answer to a mail, quoting it.
func Answer(m Mail, text string) Letter {
	quoted := "> " + strings.ReplaceAll(m.Text, "\n", "\n> ")
	return Letter{From: m.To, To: replyTo(m), Subject: "Re: " + m.Subject, InReplyTo: m.ID, References: append(m.References, m.ID),
		Text: text + "\n\nOn Sun, Mar 1, 2026 at 10:00 AM " + m.From + " wrote:\n" + quoted}
}

func replyTo(m Mail) string {
	if len(m.ReplyTo) > 0 {
		return m.ReplyTo[0].Addr
	}
	return m.From
}

// Rule is what happens by itself when a customer gets a mail: it returns a mail
// to the desk, or nil.
type Rule func(Mail) []byte

// Always has a rule applied to every mail from now on.
func (s *Server) Always(r Rule) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = append(s.rules, r)
}

// Bounce is the report that a mail could not be delivered, after RFC 3464.
func (s *Server) Bounce(m Mail, status string) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.test\r\nTo: %s\r\nSubject: Undelivered Mail Returned to Sender\r\n"+
		"Date: %s\r\nMessage-ID: <bounce.%s@mx.test>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"+
		"Content-Type: multipart/report; report-type=delivery-status; boundary=r\r\n\r\n--r\r\nContent-Type: text/plain\r\n\r\nIt could "+
		"not be delivered.\r\n"+
		"--r\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.test\r\n\r\nFinal-Recipient: rfc822; %s\r\nAction: "+
		"failed\r\nStatus: %s\r\n"+
		"--r\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <%s>\r\n--r--\r\n",
		s.opt.Address, time.Now().UTC().Format(time.RFC1123Z), m.ID[:min(len(m.ID), 20)], m.To, status, m.ID)
	return []byte(b.String())
}
