package webchat

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/kit"
	"github.com/sangdam/sangdam/internal/errs"
)

// What a message may hold.
const (
	maxText      = 10_000 // UTF-16 units, as browsers count
	maxChoices   = 12
	maxCards     = 10
	maxCardText  = 500
	maxLabel     = 80
	route        = "page"
	repeatSafely = 365 * 24 * time.Hour
)

// Adapter connects web chat. The message is in the store before Send is called,
// and visitors read it from there (Handler), at whatever process they are
// connected to: so there is nothing that sending could lose or double.
type Adapter struct {
	// sent, if not nil, sees each attempt that was accepted.
	sent func(adapter.Attempt)
}

// New makes an adapter.
func New() *Adapter { return &Adapter{} }

// Kind implements adapter.Adapter.
func (a *Adapter) Kind() channel.Kind { return Kind }

// Capabilities implements adapter.Adapter.
func (a *Adapter) Capabilities() adapter.Capabilities {
	text := adapter.Limits{MaxChars: maxText, Unit: "utf16", MaxItems: maxChoices}
	return adapter.Capabilities{
		AsksRating: true, AsksConsent: true,
		Send: map[channel.ContentKind]adapter.Level{
			channel.KindText: adapter.Full, channel.KindImage: adapter.Full, channel.KindVideo: adapter.Partial,
			channel.KindAudio: adapter.Partial,
			channel.KindFile:  adapter.Full, channel.KindLocation: adapter.Partial, channel.KindCard: adapter.Partial,
		},
		Limits: map[channel.ContentKind]adapter.Limits{
			channel.KindText:     text,
			channel.KindVideo:    {Note: "The customer downloads it; it does not play in the window."},
			channel.KindAudio:    {Note: "The customer downloads it; it does not play in the window."},
			channel.KindLocation: {Note: "Shown as name and address, without a map."},
			channel.KindCard: {MaxItems: maxCards, MaxChars: maxCardText, Unit: "utf16",
				Note: "Pictures of cards are not shown: they would be fetched from others' servers."},
		},
		Choices: adapter.Full, MaxBatch: 1, Routes: map[string]adapter.Route{route: {IdempotentFor: repeatSafely}},
		Read: true, TypingIn: true, TypingOut: true, MarkRead: true, SenderName: true, NoWelcome: true,
	}
}

// request is what Send gets: whom the message is for, and what it is.
type request struct {
	To      string          `json:"to"`
	Content channel.Content `json:"content"`
}

// Plan implements adapter.Adapter.
func (a *Adapter) Plan(_ channel.Account, batch []adapter.Outbound, _ time.Time, newKey func() string) (adapter.Attempt, error) {
	out := batch[0]
	if out.To.Kind != channel.ChatUser || !userForm.MatchString(out.To.ID) {
		return adapter.Attempt{}, refuse(channel.ReasonUnreachable, "the chat is not one of a visitor")
	}
	if err := carries(out.Content); err != nil {
		return adapter.Attempt{}, err
	}
	raw, err := json.Marshal(request{To: out.To.ID, Content: out.Content})
	if err != nil {
		return adapter.Attempt{}, refuse(channel.ReasonContent, "the message cannot be encoded")
	}
	return adapter.Attempt{Rows: []channel.OutboxID{out.Row}, Route: route, Request: raw,
		IdempotencyKey: newKey(), IdempotentFor: repeatSafely}, nil
}

// userForm is that of the user ids which visitorID.user makes.
var userForm = regexp.MustCompile(`^[vm]-[0-9a-f]{32}$`)

func refuse(reason channel.Reason, detail string) *adapter.SendError {
	return &adapter.SendError{Disposition: adapter.Permanent, Reason: reason, Detail: detail}
}

// carries says what of a content the widget cannot show.
func carries(c channel.Content) error {
	tooMuch := func(s string, limit int) bool { return len(utf16.Encode([]rune(s))) > limit }
	switch c.Kind {
	case channel.KindText:
		if strings.TrimSpace(c.Text) == "" {
			return refuse(channel.ReasonContent, "the message has no text")
		}
	case channel.KindImage, channel.KindVideo, channel.KindAudio, channel.KindFile:
		if m := c.Media; m == nil || m.Blob == "" && !safeLink(m.URL) {
			return refuse(channel.ReasonContent, "the message has no file: upload it, or give an https address that is shown as a link")
		}
	case channel.KindLocation:
		if c.Location == nil {
			return refuse(channel.ReasonContent, "the message has no place")
		}
	case channel.KindCard:
		if len(c.Cards) == 0 || len(c.Cards) > maxCards {
			return refuse(channel.ReasonContent, "a message has 1 to 10 cards")
		}
	default:
		return refuse(channel.ReasonUnsupported, "web chat cannot carry this kind of message")
	}
	if tooMuch(c.Text, maxText) {
		return refuse(channel.ReasonContent, "the text has more than 10,000 characters")
	}
	for _, card := range c.Cards {
		if tooMuch(card.Text, maxCardText) || tooMuch(card.Title, maxCardText) {
			return refuse(channel.ReasonContent, "a card has more than 500 characters")
		}
		if err := carriesChoices(card.Choices); err != nil {
			return err
		}
	}
	return carriesChoices(c.Choices)
}

func carriesChoices(choices []channel.Choice) error {
	if len(choices) > maxChoices {
		return refuse(channel.ReasonContent, "a message has at most 12 choices")
	}
	for _, c := range choices {
		if kind := string(c.Kind); kind != "message" && kind != "postback" && kind != "uri" {
			return refuse(channel.ReasonUnsupported, "web chat knows choices of kind message, postback and uri")
		}
		switch {
		case strings.TrimSpace(c.Label) == "" || len(utf16.Encode([]rune(c.Label))) > maxLabel:
			return refuse(channel.ReasonContent, "a choice has a label of 1 to 80 characters")
		case c.Kind == "postback" && c.Data == "":
			return refuse(channel.ReasonContent, "a choice of kind postback has no data")
		case c.Kind == "uri" && !safeLink(c.URI):
			return refuse(channel.ReasonContent,
				"a choice of kind uri needs an address that begins with https://, http://, mailto: or tel:")
		}
	}
	return nil
}

// Send implements adapter.Adapter: the visitor reads the message from the store.
func (a *Adapter) Send(ctx context.Context, _ channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	if err := ctx.Err(); err != nil {
		return adapter.Sent{}, err
	}
	var r request
	if err := kit.Strict(at.Request, &r); err != nil || at.Route != route || !userForm.MatchString(r.To) {
		return adapter.Sent{}, refuse(channel.ReasonContent, "the attempt is not one that this adapter has planned")
	}
	if again, err := json.Marshal(r); err != nil || !bytes.Equal(again, at.Request) {
		return adapter.Sent{}, refuse(channel.ReasonContent, "the attempt is not one that this adapter has planned")
	}
	if a.sent != nil {
		a.sent(at)
	}
	return adapter.Sent{RequestID: at.IdempotencyKey}, nil
}

// ShowTyping implements adapter.TypingIndicator. The visitor's connection hears
// of it from the engine, at whatever process it is.
func (a *Adapter) ShowTyping(_ context.Context, _ channel.Account, chat channel.Chat, _ time.Duration) error {
	if !userForm.MatchString(chat.ID) {
		return errs.New(errs.Invalid, "webchat: the chat is not one of a visitor")
	}
	return nil
}

// MarkRead implements adapter.ReadMarker; as ShowTyping.
func (a *Adapter) MarkRead(_ context.Context, _ channel.Account, handle string) error {
	user, _, _ := strings.Cut(handle, "/")
	if !userForm.MatchString(user) {
		return errs.New(errs.Invalid, "webchat: the handle is not one of a visitor's message")
	}
	return nil
}
