// Package dooray carries notices into a room of the Dooray messenger, by the
// room's incoming hook, and hands tickets over as tasks of a project (Tasks). The
// hook's address is its secret: whoever knows it can write to the room.
//
// New and NewTasks go into Config.Carriers. It reads nothing from rooms: what a
// project reports about tasks comes through Engine.TargetHooks. dooraytest plays
// both.
package dooray

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/internal/safehttp"
	"github.com/sangdam/sangdam/notify"
)

// Kind of the targets.
const Kind notify.Kind = "dooray"

// SecretURL is under which a target keeps the address of the room's hook, as
// Dooray shows it when the hook is made.
const SecretURL = "url"

// Settings of a target.
type Settings struct {
	// BotName and BotIcon are shown as the author; empty: "Sangdam" and none.
	BotName string `json:"bot_name,omitempty"`
	BotIcon string `json:"bot_icon,omitempty"`
}

// maxText is the longest text that is sent; longer ones are cut with an ellipsis.
const maxText = 4000

// Options of New.
type Options struct {
	// AllowPrivate are private networks in which a Dooray of one's own may be.
	AllowPrivate []netip.Prefix
	// Transport replaces the guarded client, for tests that stay within the
	// process; nil in production.
	Transport http.RoundTripper
}

// Carrier writes to rooms.
type Carrier struct {
	client  *safehttp.Client
	instead http.RoundTripper
}

var _ notify.Carrier = (*Carrier)(nil)

// New returns a Carrier.
func New(o Options) *Carrier {
	return &Carrier{instead: o.Transport,
		client: safehttp.New(safehttp.Options{AllowPrivate: o.AllowPrivate, AnyPort: len(o.AllowPrivate) > 0})}
}

// Kind implements notify.Carrier.
func (*Carrier) Kind() notify.Kind { return Kind }

// Policy: Dooray knows no repeat by a key, so that a notice whose answer is
// missing is not repeated.
func (*Carrier) Policy() notify.Policy {
	return notify.Policy{Timeout: 10 * time.Second, Waits: []time.Duration{2 * time.Second, 10 * time.Second, time.Minute, 10 * time.Minute,
		time.Hour}}
}

// Validate implements notify.Carrier.
func (c *Carrier) Validate(t notify.Target) error {
	s, err := notify.Settings[Settings](t)
	if err != nil {
		return err
	}
	url := t.Secrets[SecretURL].Reveal()
	switch {
	case url == "":
		return errs.About("secrets."+SecretURL, errs.New(errs.Invalid,
			"dooray: the secret %q is missing; it is the address that Dooray shows when the room's incoming hook is made", SecretURL))
	case c.instead == nil && c.client.CheckURL(url) != nil, !strings.HasPrefix(url, "https://") && c.instead == nil:
		return errs.About("secrets."+SecretURL, errs.New(errs.Invalid,
			"dooray: the secret %q is no address of an incoming hook, such as https://hook.dooray.com/services/…", SecretURL))
	case len(s.BotName) > 100 || len(s.BotIcon) > 2000:
		part := "settings.bot_icon"
		if len(s.BotName) > 100 {
			part = "settings.bot_name"
		}
		return errs.About(part, errs.New(errs.Invalid,
			"dooray: settings.bot_name has at most 100 bytes, settings.bot_icon at most 2000"))
	}
	return nil
}

// Message is the body of a hook request.
type Message struct {
	BotName      string       `json:"botName,omitempty"`
	BotIconImage string       `json:"botIconImage,omitempty"`
	Text         string       `json:"text,omitempty"`
	Attachments  []Attachment `json:"attachments,omitempty"`
}

// Attachment is a card under the text.
type Attachment struct {
	Title     string `json:"title,omitempty"`
	TitleLink string `json:"titleLink,omitempty"`
	Text      string `json:"text,omitempty"`
	Color     string `json:"color,omitempty"`
}

// Plan implements notify.Carrier. The title becomes a card with the link.
func (c *Carrier) Plan(t notify.Target, n notify.Notice, _ time.Time) ([]byte, error) {
	s, err := notify.Settings[Settings](t)
	if err != nil {
		return nil, notify.Refuse(channel.ReasonCredentials, 0, "the target's settings cannot be read")
	}
	text := strings.TrimSpace(n.Text)
	if text == "" && n.Title == "" {
		return nil, notify.Refuse(channel.ReasonContent, 0, "the notice has no text")
	}
	if r := []rune(text); len(r) > maxText {
		text = string(r[:maxText]) + "…"
	}
	m := Message{BotName: s.BotName, BotIconImage: s.BotIcon, Text: text}
	if m.BotName == "" {
		m.BotName = "Sangdam"
	}
	if n.Title != "" || n.Link != "" {
		title := n.Title
		if title == "" {
			title = n.Subject
		}
		m.Attachments = []Attachment{{Title: title, TitleLink: n.Link, Color: "blue"}}
	}
	return json.Marshal(m)
}

// answer is what Dooray says; the status alone does not tell.
type answer struct {
	Header struct {
		IsSuccessful bool `json:"isSuccessful"`
		ResultCode   int  `json:"resultCode"`
	} `json:"header"`
}

// Send implements notify.Carrier.
func (c *Carrier) Send(ctx context.Context, t notify.Target, planned []byte) (notify.Receipt, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	res, body, err := c.post(ctx, t.Secrets[SecretURL].Reveal(), header, planned)
	if err != nil {
		return notify.Receipt{}, unanswered(err)
	}
	return outcome(res, body)
}

// unanswered is what a request without an answer means.
func unanswered(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, errs.Invalid):
		return notify.Refuse(channel.ReasonUnreachable, 0, "the address cannot be called from here")
	}
	return &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork, Detail: "no answer"}
}

func outcome(res safehttp.Result, body []byte) (notify.Receipt, error) {
	receipt := notify.Receipt{Status: res.Status}
	again := &adapter.SendError{Disposition: adapter.Retry, Reason: channel.ReasonProvider, Status: res.Status, After: res.RetryAfter,
		Detail: "Dooray answered " + http.StatusText(res.Status)}
	switch {
	case res.Status == http.StatusTooManyRequests:
		again.Disposition, again.Reason = adapter.RateLimited, channel.ReasonRate
		return receipt, again
	case res.Status == http.StatusNotFound, res.Status == http.StatusGone:
		return receipt, notify.Refuse(channel.ReasonGone, res.Status, "the room or its hook is gone; make a new hook in Dooray")
	case res.Status >= 500:
		return receipt, again
	case !res.OK():
		return receipt, notify.Refuse(channel.ReasonContent, res.Status, "Dooray refuses the request")
	}
	var a answer
	if json.Unmarshal(body, &a) != nil || !a.Header.IsSuccessful {
		return receipt, notify.Refuse(channel.ReasonContent, res.Status, "Dooray says that the notice was not written")
	}
	return receipt, nil
}

func (c *Carrier) post(ctx context.Context, url string, header http.Header, body []byte) (safehttp.Result, []byte, error) {
	if c.instead == nil {
		return c.client.Exchange(ctx, safehttp.Request{URL: url, Header: header, Body: body})
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return safehttp.Result{}, nil, errs.New(errs.Invalid, "dooray: no URL")
	}
	req.Header = header
	res, err := c.instead.RoundTrip(req)
	if err != nil {
		return safehttp.Result{}, nil, err
	}
	defer res.Body.Close()
	got, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return safehttp.ResultOf(res), got, err
}
