package sangdam

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
)

// What an adapter answers is looked at before anything rests on it. An event or
// a request that cannot be meant is refused as a whole; of what came after the
// fact (the ids of what was sent, a profile) only the part that cannot be kept is
// left out. The log names the adapter and the call, never what was answered.

// Bounds of what adapters answer.
const (
	maxProviderID  = 2000    // bytes of an id or handle of a provider's
	maxProviderURL = 4000    // bytes of the address of a picture
	maxPersonName  = 1000    // bytes; longer ones are cut
	maxRequest     = 8 << 20 // bytes of an Attempt's request
	maxSentParts   = 100     // ids of one message that left as several
)

// babbles logs that an answer was not taken as it was.
func (a *guardedAdapter) babbles(call, what string) {
	a.g.log.Error("an adapter's answer cannot be meant", "who", a.who, "call", call, "what", what)
}

// isID says that a provider's id can be stored and found again.
func isID[S ~string](ids ...S) bool {
	return !slices.ContainsFunc(ids, func(id S) bool {
		return len(id) > maxProviderID || !utf8.ValidString(string(id)) || strings.ContainsRune(string(id), 0)
	})
}

// cleaned is a text of a provider's that is shown and never compared.
func cleaned(s string, limit int) string {
	return strings.ToValidUTF8(strings.ReplaceAll(s[:min(len(s), limit)], "\x00", ""), "")
}

// checkInbound refuses an event that cannot be stored, with words that hold
// nothing of it.
func checkInbound(in *adapter.Inbound) error {
	bad := func(what string) error { return errs.New(errs.Invalid, "the adapter's event has %s", what) }
	isNobody := func(who adapter.Author) bool { return !isID(who.User) }
	if isNobody(in.Author) || slices.ContainsFunc(in.Members, isNobody) {
		return bad("a user's id that is too long or no text")
	}
	// What a stranger wrote beside the message is left out where it names nothing.
	in.Copied = slices.DeleteFunc(slices.Clone(in.Copied), isNobody)
	in.Answers = slices.DeleteFunc(slices.Clone(in.Answers), func(id channel.ProviderMessageID) bool { return !isID(id) })
	in.Author.Name = cleaned(in.Author.Name, maxPersonName)
	if !isID(in.MessageID, in.Name, in.Content.QuoteOf) {
		return bad("a message's id that is too long or no text")
	}
	if !isID(in.Chat.ID, string(in.Kind), in.Type, in.Tag) {
		return bad("a chat, type or tag that is too long or no text")
	}
	for _, at := range []time.Time{in.OccurredAt, in.Watermark} {
		if y := at.UTC().Year(); y < 1 || y > 9999 {
			return bad("a time that no calendar has")
		}
	}
	if slices.ContainsFunc(in.Content.Files(), func(m channel.Media) bool { return m.Size < 0 }) {
		return bad("a file of negative size")
	}
	return nil
}

// checkAttempt refuses a request for other rows than the first ones of the batch.
func checkAttempt(at adapter.Attempt, batch []adapter.Outbound) string {
	switch {
	case len(at.Rows) == 0 || len(at.Rows) > len(batch):
		return "no rows, or more than it was given"
	case !slices.EqualFunc(at.Rows, batch[:len(at.Rows)], func(id channel.OutboxID, o adapter.Outbound) bool { return id == o.Row }):
		return "other rows than the first ones it was given"
	case len(at.Request) > maxRequest:
		return "a request that is too large"
	case !isID(at.Route, at.IdempotencyKey):
		return "a route or key that is too long or no text"
	}
	return ""
}

// usable leaves out what cannot be kept of what the provider said; the rows are
// sent whatever it said.
func (a *guardedAdapter) usable(sent adapter.Sent, rows int) adapter.Sent {
	if len(sent.Messages) > rows {
		a.babbles("Send", "more messages than rows")
		sent.Messages = nil
	}
	for i, m := range sent.Messages {
		if !isID(m.ID) || !isID(m.QuoteHandle) || !isID(m.Parts...) || len(m.Parts) > maxSentParts {
			a.babbles("Send", "ids that are too long, too many or no text")
			sent.Messages[i] = adapter.SentMessage{}
		}
	}
	return sent
}

// presentable is a profile as far as it can be shown.
func (a *guardedAdapter) presentable(call string, p channel.Profile) channel.Profile {
	shown := channel.Profile{Name: cleaned(p.Name, maxPersonName), Picture: p.Picture, Language: cleaned(p.Language, maxPersonName),
		Status: cleaned(p.Status, maxPersonName)}
	if len(p.Picture) > maxProviderURL || cleaned(p.Picture, maxProviderURL) != p.Picture {
		shown.Picture = ""
	}
	if shown != p {
		a.babbles(call, "a profile that is too long or no text")
	}
	return shown
}
