package console

import (
	"encoding/base64"
	"io"
	"net/url"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
)

// A mail in the thread: its head, its text with what is quoted folded away, and
// its own HTML in a frame in which nothing runs. Pictures from elsewhere tell
// their sender that, when and where a mail was read, so that they are loaded only
// when somebody asks for them.

const (
	// maxLetter is how much of a mail's HTML is shown, and maxLetterPictures how
	// many bytes of its own pictures: they go into the document, for a frame
	// without an origin has no cookie to fetch them with.
	maxLetter         = 4 << 20
	maxLetterPictures = 8 << 20
)

// letterView is what a mail has beside its text.
type letterView struct {
	Subject, From string
	To, Cc        string
	Verified      bool
	Problems      []string
	// Frame is the address of the mail's HTML, empty where there is none; Name is
	// what the frame is called, and Pictures the address with pictures.
	Frame, Name, Pictures string
}

// letterView shows a mail that is read at a place, a conversation's or a ticket's.
func (q *request) letterView(m *conversation.Message, at string) *letterView {
	l := m.Content.Letter
	if l == nil {
		return nil
	}
	v := &letterView{Subject: l.Subject, From: l.From, To: strings.Join(l.To, ", "), Cc: strings.Join(l.Cc, ", "), Verified: l.Verified,
		Problems: l.Problems}
	own := url.Values{}
	for n, f := range m.Content.Files() {
		if f.ContentID != "" && f.Blob != "" {
			own.Add("cid", strconv.Itoa(n)+" "+f.ContentID)
		}
	}
	for n, f := range m.Content.Files() {
		if f.Form && f.Blob != "" {
			v.Frame = q.o.Prefix + at + "/letters/" + url.PathEscape(string(m.ID)) + "/" + strconv.Itoa(n) + "?" + own.Encode()
			v.Name, v.Pictures = "letter-"+string(m.ID), v.Frame+"&pictures=1"
		}
	}
	return v
}

// letter answers with the HTML of a mail, for a frame of the console. It is
// cleaned again here, whatever was stored.
func (q *request) letter() error {
	return q.showLetter(sangdam.AttachmentRef{Message: conversation.MessageID(q.r.PathValue("id"))})
}

// ticketLetter is the same for a mail of a ticket, by the right to read that.
func (q *request) ticketLetter() error {
	return q.showLetter(sangdam.AttachmentRef{Message: conversation.MessageID(q.r.PathValue("message")),
		Ticket: ticket.ID(q.r.PathValue("id"))})
}

func (q *request) showLetter(of sangdam.AttachmentRef) (err error) {
	if of.N, err = strconv.Atoi(q.r.PathValue("n")); err != nil {
		return errs.New(errs.NotFound, "console: there is no such mail")
	}
	raw, _, err := q.attached(of, maxLetter)
	if err != nil {
		return err
	}
	images, from := message.NoRemote, "img-src data:"
	if q.r.URL.Query().Get("pictures") == "1" {
		images, from = message.Remote, "img-src data: https:"
	}
	safe, _ := message.Clean(string(raw), images, q.ownPictures(of))
	h := q.w.Header()
	h.Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "+from+
		"; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; frame-ancestors 'self'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Type", "text/html; charset=utf-8")
	_, _ = io.WriteString(q.w, "<!doctype html><title>"+escapedText(q.lang.t("letter.title"))+"</title>"+safe) // the reader may be gone
	return nil
}

// ownPictures finds the pictures that came with a mail. Which file has which
// Content-ID is said by the address; each is asked for with the reader's rights.
func (q *request) ownPictures(of sangdam.AttachmentRef) func(string) string {
	where, left := map[string]int{}, maxLetterPictures
	for _, one := range q.r.URL.Query()["cid"] {
		place, cid, _ := strings.Cut(one, " ")
		if n, err := strconv.Atoi(place); err == nil && len(where) < 100 {
			where[cid] = n
		}
	}
	return func(cid string) string {
		n, is := where[cid]
		if !is {
			return ""
		}
		of.N = n
		raw, kind, err := q.attached(of, left)
		switch kind {
		case "image/png", "image/jpeg", "image/gif", "image/webp":
		default:
			return ""
		}
		if err != nil {
			return ""
		}
		left -= len(raw)
		return "data:" + kind + ";base64," + base64.StdEncoding.EncodeToString(raw)
	}
}

// attached reads a file of a message, of at most so many bytes.
func (q *request) attached(of sangdam.AttachmentRef, most int) (raw []byte, kind string, err error) {
	a, err := q.engine.Attachment(q.r.Context(), q.p, of)
	if err != nil {
		return nil, "", err
	}
	defer func() { _ = a.Close() }()
	if a.Size > int64(most) {
		return nil, "", errs.New(errs.Invalid, "console: the file is larger than what is shown")
	}
	raw, err = io.ReadAll(a)
	return raw, a.Type, err
}

// fold marks the parts of a text that a reader wants to see only when asked for.
func fold(text []segment, spans []channel.Span) (out []segment, folded bool) {
	at := 0
	for _, s := range text {
		for len(s.Text) > 0 {
			n, in := len(s.Text), false
			for _, f := range spans {
				if f.Kind != "quoted" && f.Kind != "signature" {
					continue
				}
				if from := f.Start - at; from > 0 {
					n = min(n, from)
				} else if to := from + f.Length; to > 0 {
					n, in = min(n, to), true
				}
			}
			part := s
			part.Text, part.Fold = s.Text[:n], in
			out, folded = append(out, part), folded || in
			s.Text, at = s.Text[n:], at+n
		}
	}
	return out, folded
}
