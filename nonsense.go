package sangdam

import (
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/blob"
)

// What foreign code answers is looked at before anything rests on it. An event, a
// request or a reply that cannot be meant is refused as a whole; of what came after
// the fact (the ids of what was sent, a profile) only the part that cannot be kept
// is left out. The log names the foreign part and the call, never what was answered.

// Bounds of what foreign code answers.
const (
	maxProviderID  = 2000                // bytes of an id or handle of a provider's
	maxProviderURL = 4000                // bytes of the address of a picture
	maxPersonName  = 1000                // bytes; longer ones are cut
	maxRequest     = 8 << 20             // bytes of an Attempt's request
	maxSentParts   = 100                 // ids of one message that left as several
	maxDetail      = 1000                // bytes of what an error says; longer ones are cut
	maxNameOfPart  = 100                 // bytes of a kind of adapter or carrier, or of a bot's name
	maxAfter       = 35 * 24 * time.Hour // a month's quota is waited for
	maxWaits       = 1000
	maxFindings    = 100
	maxReports     = 1000
	maxSaid        = 50        // messages of one reply of a bot's
	maxBotMemory   = 256 << 10 // bytes of a bot's data, and of the attributes that it sets
	maxScope       = 10_000    // desks
)

const tooLargeRequest = "a request that is too large"

// babbles logs that an answer was not taken as it was.
func (g *guard) babbles(who, call, what string) {
	g.log.Error("an answer of foreign code cannot be meant", "who", who, "call", call, "what", what)
}

// meant is what a Plan or Send failed with. What nobody can act on is made what it
// may be: an outcome of an unknown kind is ambiguous.
// rows is how many rows the Attempt has, 0 for a Plan.
func (g *guard) meant(who, call string, rows int, err error) error {
	se, is := errors.AsType[*adapter.SendError](err)
	if !is {
		return err
	}
	if se == nil {
		g.babbles(who, call, "a nil *adapter.SendError")
		return errs.New(errs.Invalid, "sangdam: %s: %s failed with a nil *adapter.SendError; "+
			"it must return nil, or say what failed", who, call)
	}
	said := *se
	switch said.Disposition {
	case adapter.Retry, adapter.RateLimited, adapter.Permanent, adapter.Ambiguous:
	default:
		said.Disposition = adapter.Ambiguous
	}
	if !isName(said.Reason) {
		said.Reason = channel.ReasonProvider
	}
	said.Detail, said.After = cleaned(said.Detail, maxDetail), min(max(said.After, 0), maxAfter)
	if !areRows(said.Rows, rows) {
		said.Rows = nil
	}
	if said.Disposition == se.Disposition && said.Reason == se.Reason && said.Detail == se.Detail && said.After == se.After &&
		len(said.Rows) == len(se.Rows) {
		return err
	}
	g.babbles(who, call, "an error of an unknown kind, with a wait that is out of all bounds, with rows that are not the attempt's, "+
		"or with words that are too long or no text")
	return &said
}

// areRows says that something names rows of an Attempt of n, ascending and each once.
func areRows(rows []int, n int) bool {
	for i, r := range rows {
		if r < 0 || r >= n || i > 0 && r <= rows[i-1] {
			return false
		}
	}
	return true
}

// isName says that something names a kind, a bot or a reason.
func isName[S ~string](name S) bool { return name != "" && len(name) <= maxNameOfPart && isID(name) }

// isID says that a provider's id can be stored and found again.
func isID[S ~string](ids ...S) bool {
	return !slices.ContainsFunc(ids, func(id S) bool {
		return len(id) > maxProviderID || !isText(string(id))
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
	if slices.ContainsFunc(in.Content.Files(), isNegative) {
		return bad("a file of negative size")
	}
	return nil
}

func isNegative(m channel.Media) bool { return m.Size < 0 }

// checkAttempt refuses a request for other rows than the first ones of the batch.
func checkAttempt(at adapter.Attempt, batch []adapter.Outbound) string {
	switch {
	case len(at.Rows) == 0 || len(at.Rows) > len(batch):
		return "no rows, or more than it was given"
	case !slices.EqualFunc(at.Rows, batch[:len(at.Rows)], func(id channel.OutboxID, o adapter.Outbound) bool { return id == o.Row }):
		return "other rows than the first ones it was given"
	case len(at.Request) > maxRequest:
		return tooLargeRequest
	case !isID(at.Route, at.IdempotencyKey):
		return "a route or key that is too long or no text"
	}
	return ""
}

// usable leaves out what cannot be kept of what the provider said; the rows are
// sent whatever it said.
func (a *guardedAdapter) usable(sent adapter.Sent, rows int) adapter.Sent {
	if len(sent.Messages) > rows {
		a.g.babbles(a.who, "Send", "more messages than rows")
		sent.Messages = nil
	}
	for i, m := range sent.Messages {
		if !isID(m.ID) || !isID(m.QuoteHandle) || !isID(m.Parts...) || len(m.Parts) > maxSentParts {
			a.g.babbles(a.who, "Send", "ids that are too long, too many or no text")
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
		a.g.babbles(a.who, call, "a profile that is too long or no text")
	}
	return shown
}

// readable are the findings of a check as far as people can read them.
func (a *guardedAdapter) readable(all []adapter.Finding) []adapter.Finding {
	shown := slices.Clone(all[:min(len(all), maxFindings)])
	for i, f := range shown {
		shown[i] = adapter.Finding{OK: f.OK, Topic: cleaned(f.Topic, maxDetail), Detail: cleaned(f.Detail, maxDetail),
			Remedy: cleaned(f.Remedy, maxDetail), Replaces: cleaned(f.Replaces, maxProviderURL)}
	}
	if !slices.Equal(shown, all) {
		a.g.babbles(a.who, "Check", "findings that are too many, too long or no text")
	}
	return shown
}

// checkReply refuses what a bot cannot mean to say or to keep.
func (b *guardedBot) checkReply(r bot.Reply) error {
	var what string
	switch {
	case len(r.Say) > maxSaid:
		what = "too many messages"
	case slices.ContainsFunc(r.Say, func(c channel.Content) bool { return !isText(c.Text) || !isName(c.Kind) || !isID(c.QuoteOf) }):
		what = "a message of no kind, or that is no text"
	case slices.ContainsFunc(r.Say, func(c channel.Content) bool { return slices.ContainsFunc(c.Files(), isNegative) }):
		what = "a file of negative size"
	case !fitsMemory(r.Data) || !fitsMemory(r.Attributes):
		what = "data or attributes that are too large, without a name or no text"
	default:
		return nil
	}
	b.g.babbles("bot "+b.name, "Next", what)
	return errs.New(errs.Invalid, "sangdam: bot %q replied with %s; say at most %d messages at once, and keep at most %d bytes", b.name,
		what, maxSaid, maxBotMemory)
}

// isText says that every store can keep the text.
func isText(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }

func fitsMemory(m map[string]string) bool {
	size := 0
	for name, value := range m {
		if size += len(name) + len(value); name == "" || !isText(name) || !isText(value) {
			return false
		}
	}
	return size <= maxBotMemory
}

// reachable is a Scope without the ids that no desk has. One that names more desks
// than a query takes leaves nothing out: that is allowed, and records are asked for
// one by one.
func (p guardedPolicy) reachable(s Scope) Scope {
	switch {
	case !s.Limited:
		return Scope{}
	case len(s.Desks) > maxScope:
		p.g.babbles("policy", "Scope", "more desks than a query takes")
		return Scope{}
	case slices.ContainsFunc(s.Desks, func(d routing.DeskID) bool { return d == "" || !isID(d) }):
		p.g.babbles("policy", "Scope", "ids that no desk has")
		s.Desks = slices.DeleteFunc(slices.Clone(s.Desks), func(d routing.DeskID) bool { return d == "" || !isID(d) })
	}
	return s
}

// checkStored refuses a name under which nothing would be found again.
func checkStored(in blob.Info, limit int64) error {
	if in.Name == "" || !isID(in.Name) || in.Size < 0 || in.Size > limit || len(in.SHA256) != 64 || !isID(in.SHA256) {
		return errs.New(errs.Unavailable, "sangdam: the blob store put %d bytes of at most %d under a name of %d bytes "+
			"with a digest of %d; it must return what blob.Info says", in.Size, limit, len(in.Name), len(in.SHA256))
	}
	return nil
}

// checkListed refuses a page that does not go on after the one before: a sweep
// would never end.
func checkListed(names []string, after string, limit int) error {
	if len(names) > limit || !slices.IsSorted(names) || len(names) > 0 && names[0] <= after {
		return errs.New(errs.Unavailable, "sangdam: the blob store lists names out of order, again, "+
			"or more than were asked for; see blob.Store")
	}
	return nil
}
