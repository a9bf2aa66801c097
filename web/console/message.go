package console

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// messageView is one message as the thread shows it.
type messageView struct {
	ID string
	// Conversation that it stands in.
	Conversation string
	Side         string // theirs, ours, note
	Author       string
	By           string // customer, agent, bot, system, trigger
	Time, Full   string
	Kind         string
	Text         []segment
	Media        []mediaView
	Letter       *letterView
	Folded       bool // some of the text is folded away
	Location     *channel.Location
	Map          string
	Sticker      string
	Cards        []channel.Card
	Choices      []channel.Choice
	Quote        string
	QuoteID      string
	Status       string
	Reason       string
	Unconfirmed  bool
	Edited       bool
	Unsent       bool
	Erased       bool
	Resend       bool
	Undo         string // RFC 3339: until when it can be taken back; "" for not
	Automated    string
	Version      int64
	Maskable     bool
	Found        []found
}

// segment is a part of a text: plain, a link, a mask, or what was found.
type segment struct {
	Text, URL string
	Mask      string // the id of the mask that hides it
	Found     string // the type of personal data that it is
	Fold      bool   // shown when asked for
}

// mediaView is an attachment.
type mediaView struct {
	Name, Type, Size string
	State, Reason    string
	Fetch            bool   // it can be asked for again
	URL              string // empty while we do not have it
	Show             string // image, video or audio; "" for a download
}

func (q *request) messageView(d *sangdam.Directory, m *conversation.Message, all []conversation.Message) *messageView {
	v := &messageView{ID: string(m.ID), Conversation: string(m.Conversation), Side: "ours",
		By: string(m.Author.Kind), Time: q.clock(m.At), Full: q.full(m.At),
		Kind: string(m.Content.Kind), Text: q.marked(m.Content.Text, m.Masks, q.masks.Messages[m.ID]), Version: m.Version,
		Maskable: q.masks.Mask, Found: q.proposed(q.masks.Messages[m.ID]), Location: m.Content.Location, Cards: m.Content.Cards,
		Choices: m.Content.Choices, Status: string(m.Status),
		Unconfirmed: m.Unconfirmed, Edited: !m.EditedAt.IsZero(), Unsent: !m.UnsentAt.IsZero(), Erased: m.Erased(),
		Automated: m.Automated}
	switch m.Direction {
	case conversation.Inbound:
		v.Side, v.Status = "theirs", ""
	case conversation.Internal:
		v.Side, v.Status = "note", ""
	}
	v.Author, v.Letter = q.authorOf(d, m), q.letterView(m, "")
	v.Text, v.Folded = fold(v.Text, m.Content.Spans)
	if m.Status == conversation.StatusFailed || m.Status == conversation.StatusUnknown {
		v.Resend, v.Reason = true, q.lang.of("reason", string(m.Reason))
	}
	if m.Status == conversation.StatusQueued && string(m.Author.Agent) == q.p.ID && q.now.Before(m.HeldUntil) {
		v.Undo = m.HeldUntil.UTC().Format(time.RFC3339Nano)
	}
	if s := m.Content.Sticker; s != nil {
		v.Sticker = strings.Join(s.Keywords, ", ")
		if v.Sticker == "" {
			v.Sticker = s.Text
		}
	}
	if l := m.Content.Location; l != nil {
		v.Map = q.lang.t("message.coordinates", l.Latitude, l.Longitude)
	}
	for n, media := range m.Content.Files() {
		v.Media = append(v.Media, q.mediaView(v.ID, n, media))
	}
	if m.Quotes != "" {
		v.Quote, v.QuoteID = q.lang.t("message.quoted"), string(m.Quotes)
		for i := range all {
			if all[i].ID == m.Quotes {
				v.Quote = conversation.Preview(all[i].Content)
			}
		}
	}
	return v
}

func (q *request) authorOf(d *sangdam.Directory, m *conversation.Message) string {
	switch m.Author.Kind {
	case conversation.ByAgent:
		if m.Author.Agent == "" {
			return q.lang.t("actor.host")
		}
		return agentName(d, m.Author.Agent)
	case conversation.ByCustomer:
		return ""
	}
	return q.lang.of("actor", string(m.Author.Kind))
}

// mediaView is the n-th file of a message. Only pictures, films and sounds are
// shown; the handler that serves them looks at the bytes and lets nothing else
// be shown either.
func (q *request) mediaView(message string, n int, m channel.Media) mediaView {
	v := mediaView{Name: m.Name, Type: m.Type, Size: q.size(m.Size), State: string(m.State)}
	if m.Blob != "" {
		v.URL = q.o.Prefix + "/files/" + url.PathEscape(message) + "/" + strconv.Itoa(n)
		for _, show := range []string{"image", "video", "audio"} {
			if strings.HasPrefix(m.Type, show+"/") {
				v.Show = show
			}
		}
	}
	if v.Name == "" {
		v.Name = q.lang.t("message.attachment")
	}
	if m.State == channel.MediaGone || m.State == channel.MediaFailed {
		v.Reason = q.lang.of("reason", string(m.Reason))
	}
	v.Fetch = m.State == channel.MediaFailed
	return v
}

// size is a number of bytes for people.
func (q *request) size(n int64) string {
	switch {
	case n <= 0:
		return ""
	case n < 1<<10:
		return q.lang.t("size.bytes", n)
	case n < 1<<20:
		return q.lang.t("size.kilobytes", float64(n)/(1<<10))
	}
	return q.lang.t("size.megabytes", float64(n)/(1<<20))
}

var address = regexp.MustCompile(`https?://[^\s<>"'` + "`" + `\x{3000}-\x{303f}]+`)

// links finds addresses in a text. Only http and https lead anywhere, and only
// hosts in plain letters: a name that merely looks like another stays text.
func links(text string) []segment {
	var out []segment
	for text != "" {
		at := address.FindStringIndex(text)
		if at == nil {
			break
		}
		raw := strings.TrimRight(text[at[0]:at[1]], ".,;:!?)]}’”")
		if at[0] > 0 {
			out = append(out, segment{Text: text[:at[0]]})
		}
		out = append(out, link(raw))
		text = text[at[0]+len(raw):]
	}
	if text != "" {
		out = append(out, segment{Text: text})
	}
	return out
}

func link(raw string) segment {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil {
		return segment{Text: raw}
	}
	for _, r := range u.Host {
		if r > 0x7e {
			return segment{Text: raw}
		}
	}
	return segment{Text: raw, URL: raw}
}
