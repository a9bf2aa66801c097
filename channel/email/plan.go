package email

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	netmail "net/mail"
	"regexp"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/email/message"
	"github.com/sangdam/sangdam/channel/email/thread"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/smtpout"
)

// request is the envelope and the mail, exact to the byte.
type request struct {
	From string `json:"from"`
	To   string `json:"to"`
	ID   string `json:"id"` // the Message-ID's local part
	// Mail is without the Files, which Send writes into it.
	Mail  []byte         `json:"mail"`
	Files []smtpout.File `json:"files,omitempty"`
}

// Plan makes the answer to the newest mail of the thread. A repeat of a message
// has the same Message-ID, by which mail systems and people know it again.
func (a *Adapter) Plan(acct channel.Account, batch []adapter.Outbound, now time.Time, _ func() string) (adapter.Attempt, error) {
	out := batch[0]
	s, err := settingsOf(acct)
	if err != nil {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonCredentials, "the account's settings cannot be read")
	}
	var st state
	if out.To.Kind != channel.ChatThread || !thread.Valid(out.To.ID) || json.Unmarshal(out.State, &st) != nil || !plainAddress(st.To) {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonUnreachable, "nobody is known who could be answered in this thread")
	}
	in, links := s.divided(out.Content.Files())
	if reason := objection(out, links); reason != "" {
		return adapter.Attempt{}, kit.Permanent(reason,
			"a mail carries up to 50,000 characters, and files that are kept here or have an address")
	}
	language := cmp.Or(out.Language, acct.Language)
	req := request{From: s.Address, To: st.To, Files: in}
	row := string(out.Message)
	if row == "" {
		row = string(out.Row)
	}
	id := keyOf(acct).MessageID(out.To.ID, row, s.domain())
	req.ID = localPart(id)
	if req.Mail, err = compose(acct, s, out, written(out.Content.Text, links, language), st, id, now); err != nil {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "the mail cannot be written")
	}
	at := adapter.Attempt{Rows: []channel.OutboxID{out.Row}, Route: RouteSMTP}
	if at.Request, err = json.Marshal(req); err != nil {
		return adapter.Attempt{}, kit.Permanent(channel.ReasonContent, "the mail cannot be encoded")
	}
	return at, nil
}

func objection(out adapter.Outbound, links []channel.Media) channel.Reason {
	if reason := kit.Carries(capabilities, out.Content); reason != "" {
		return reason
	}
	files := out.Content.Files()
	if strings.TrimSpace(out.Content.Text) == "" && len(files) == 0 || len(files) > MaxFiles {
		return channel.ReasonContent
	}
	for _, f := range links {
		if f.URL == "" {
			return channel.ReasonContent
		}
	}
	return ""
}

// compose writes the mail.
func compose(acct channel.Account, s Settings, out adapter.Outbound, text string, st state, id string, now time.Time) ([]byte, error) {
	sum := sha256.Sum256([]byte(id))
	m := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithBoundary("sangdam-"+hex.EncodeToString(sum[:12])))
	name := s.Name
	if out.SenderName != "" && !out.Automatic {
		name = oneLine(out.SenderName)
	}
	m.FromMailAddress(&netmail.Address{Name: name, Address: s.Address})
	m.ToMailAddress(&netmail.Address{Name: oneLine(st.Name), Address: st.To})
	if s.Plus {
		m.ReplyToMailAddress(&netmail.Address{Address: keyOf(acct).Address(s.Address, out.To.ID)})
	}
	m.Subject(reply(out.Subject))
	m.SetDateWithValue(now)
	m.SetMessageIDWithValue(id)
	if messageIDForm(st.Answers) {
		m.SetGenHeader("In-Reply-To", "<"+st.Answers+">")
		var refs []string
		for _, r := range append(append([]string(nil), st.References...), st.Answers) {
			if messageIDForm(r) {
				refs = append(refs, "<"+r+">")
			}
		}
		m.SetGenHeader("References", strings.Join(refs, " "))
	}
	m.SetGenHeader(message.LoopHeader, loopMark(acct))
	if out.Automatic { // machines do not answer machines
		m.SetGenHeader("Auto-Submitted", "auto-replied")
		m.SetGenHeader("X-Auto-Response-Suppress", "All")
	}
	layout := s.layout(out, cmp.Or(out.Language, acct.Language))
	m.SetBodyString(gomail.TypeTextPlain, layout.plain(text))
	if layout.HTML != "" {
		m.AddAlternativeString(gomail.TypeTextHTML, strings.Replace(layout.HTML, ContentMark, paragraphs(text), 1))
	}
	var raw bytes.Buffer
	_, err := m.WriteTo(&raw)
	return raw.Bytes(), err
}

// messageIDForm keeps what others wrote from adding anything to a header.
func messageIDForm(id string) bool {
	return id != "" && len(id) < 500 &&
		!strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r >= 0x7F || r == '<' || r == '>' })
}

// written is the text with the files that do not go in the mail as links.
func written(text string, links []channel.Media, language string) string {
	for n, f := range links {
		if text != "" {
			text += "\n\n"
		}
		if f.Size > 0 && f.Blob != "" {
			text += fmt.Sprintf("%s (%.1f MB). %s\n%s", fileName(f, n), float64(f.Size)/1e6, tooLargeIn(language), f.URL)
			continue
		}
		text += fileName(f, n) + ": " + f.URL
	}
	return text
}

func reply(subject string) string {
	subject = oneLine(subject)
	if low := strings.ToLower(subject); strings.HasPrefix(low, "re:") || strings.HasPrefix(low, "re :") {
		return subject
	}
	if r := []rune(subject); len(r) > 200 {
		subject = string(r[:200])
	}
	return strings.TrimSpace("Re: " + subject)
}

func oneLine(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if hasControl(string(r)) {
			return ' '
		}
		return r
	}, s))
}

// address finds web addresses in a text; what usually ends a sentence is none of it.
var address = regexp.MustCompile(`https?://[^\s<>"']*[^\s<>"'.,;:!?)\]]`)

// paragraphs makes HTML of text: escaped, its line breaks kept, its addresses
// links.
func paragraphs(text string) string {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	var out strings.Builder
	last := 0
	for _, at := range address.FindAllStringIndex(text, -1) {
		safe := html.EscapeString(text[at[0]:at[1]])
		out.WriteString(html.EscapeString(text[last:at[0]]) + `<a href="` + safe + `">` + safe + `</a>`)
		last = at[1]
	}
	out.WriteString(html.EscapeString(text[last:]))
	return strings.ReplaceAll(out.String(), "\n", "<br>\n")
}
