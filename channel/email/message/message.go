// Package message reads mails as people send them: whatever charset, client and
// damage. It never fails on what a person could read; what it had to mend or
// leave out is told in Mail.Problems. It is pure, and its time and memory are
// bounded by the size of the mail.
//
//   - headers, encoded words, parameters: header.go
//   - charsets and their wild names: charset.go
//   - parts, bodies and files: mime.go
//   - HTML made plain, and made safe: html.go
//   - what is quoted and what is a signature: fold.go
//   - machines, bounces and loops: classify.go, bounce.go
//   - who vouches for the sender: auth.go
package message

import (
	"strings"
	"time"
)

// Bounds of what is read. What is beyond them is left out and told.
const (
	maxHeader    = 256 << 10 // bytes of one header
	maxFields    = 2000
	maxParts     = 500
	maxDepth     = 30
	maxAddresses = 200
	maxIDs       = 100 // of In-Reply-To and References
)

// MaxText is the longest Text in bytes; what follows is left out and told.
const MaxText = 512 << 10

// Options of Parse.
type Options struct {
	// Charset is how bytes are read that name no charset and are not UTF-8;
	// empty: euc-kr.
	Charset string
	// AuthServers are the names (authserv-id) under which the host's own servers
	// report; nobody else's word counts. None: nobody is verified.
	AuthServers []string
	// Own are the addresses of this desk: a mail from one of them is a loop.
	Own []string
}

// Address is a person or list as a header names it.
type Address struct {
	Name string // decoded; empty when there is none
	Addr string // lower case domain; never empty in a list
}

// File is an attachment, or a picture within the HTML.
type File struct {
	Name string // without path and control characters; never empty
	Type string // lower case media type as told
	// CID is the Content-ID by which the HTML names the file; empty: none does.
	CID    string
	Inline bool // the HTML shows it
	Data   []byte
}

// FoldKind says what a Fold hides.
type FoldKind string

// What is folded.
const (
	Quoted    FoldKind = "quoted"
	Signature FoldKind = "signature"
)

// Fold is a part of Text that a reader wants to see only when asked for. Folds
// are in order and do not overlap.
type Fold struct {
	Start, Length int // bytes of Text
	Kind          FoldKind
}

// Mail is what a mail says.
type Mail struct {
	// ID is the Message-ID without brackets; empty when there is none that could
	// be one.
	ID string
	// InReplyTo and References are the ids in these headers, in their order.
	InReplyTo, References []string
	From                  Address // the first; zero when there is none
	To, Cc, ReplyTo       []Address
	// Delivered are the addresses to which servers say that they delivered, from
	// Delivered-To, X-Original-To and their like.
	Delivered []string
	// ReturnPath is the envelope's sender: "<>" for nobody, empty when unknown.
	ReturnPath string
	Subject    string
	Date       time.Time // zero when there is none that can be read
	// Text is what the mail says, with line feeds. Folds are parts of it.
	Text  string
	Folds []Fold
	// HTML is the mail's own, decoded and as dangerous as it came; see Clean.
	HTML  string
	Files []File
	// Kind says who writes: a person, a machine, a mail server.
	Kind Kind
	// Why is the sign by which a machine was recognised.
	Why string
	// LoopMark is what LoopHeader says; empty when the mail has none.
	LoopMark string
	// Bounce is set for KindBounce and KindDelayed.
	Bounce *Bounce
	// Report is the type of a report that is not about delivery.
	Report string
	// Verified says that the sender's domain vouches for the mail by the
	// judgement of one of Options.AuthServers; Judged that one of them judged.
	Verified, Judged bool
	// Problems say what was mended or left out, without the mail's words.
	Problems []string
}

// Parse reads a mail. It keeps no reference to raw but for Files that needed no
// decoding.
func Parse(raw []byte, o Options) Mail {
	if o.Charset == "" {
		o.Charset = "euc-kr"
	}
	p := &parser{o: o}
	head, body := p.split(raw)
	p.hint = charsetHint(head, body)
	m := &p.m
	m.ID = firstID(head.get("Message-Id"))
	m.InReplyTo = ids(head.get("In-Reply-To"))
	m.References = ids(strings.Join(head.all("References"), " "))
	from := p.addresses(head, "From")
	if len(from) == 0 {
		from = p.addresses(head, "Sender")
	}
	if len(from) > 0 {
		m.From = from[0]
	}
	m.To, m.Cc, m.ReplyTo = p.addresses(head, "To"), p.addresses(head, "Cc"), p.addresses(head, "Reply-To")
	for _, name := range []string{"Delivered-To", "X-Original-To", "X-Envelope-To", "Envelope-To"} {
		for _, a := range p.addresses(head, name) {
			m.Delivered = append(m.Delivered, a.Addr)
		}
	}
	m.ReturnPath = returnPath(head.get("Return-Path"))
	m.Subject = oneLine(p.words(head.get("Subject")))
	m.Date = date(head.get("Date"))
	m.LoopMark = head.get(LoopHeader)
	p.part(head, body, place{})
	p.finish()
	p.judge(head)
	p.classify(head)
	return p.m
}

type parser struct {
	o    Options
	m    Mail
	hint string // a charset for bytes that name none

	parts  int
	plain  strings.Builder
	html   strings.Builder
	status []byte // of a report about delivery
	inner  []byte // the mail, or its header, that a report is about
}

// problem notes what was mended, each once.
func (p *parser) problem(what string) {
	for _, known := range p.m.Problems {
		if known == what {
			return
		}
	}
	p.m.Problems = append(p.m.Problems, what)
}

// finish makes the text out of what the parts said.
func (p *parser) finish() {
	m := &p.m
	m.HTML = p.html.String()
	m.Text = tidy(p.plain.String())
	if strings.TrimSpace(m.Text) == "" && m.HTML != "" {
		m.Text = tidy(Plain(m.HTML))
	}
	if len(m.Text) > MaxText {
		m.Text = strings.ToValidUTF8(m.Text[:MaxText], "")
		p.problem("the text is longer than what is kept")
	}
	for i, f := range m.Files {
		m.Files[i].Inline = f.CID != "" && strings.Contains(m.HTML, "cid:"+f.CID)
	}
	m.Folds = fold(m.Text)
}

// tidy makes line ends the same and leaves out what no reader sees.
func tidy(s string) string {
	s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case r < ' ' || r == 0x7F || r == 0xFEFF:
			return -1
		case r == 0xA0:
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return strings.Trim(s, "\n")
}
