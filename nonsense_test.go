package sangdam_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
)

// babbler is LINE's adapter, whose answers are changed while it babbles.
type babbler struct {
	*line.Adapter
	b *babble
}

// babble is what becomes of one adapter's answers; nil leaves them.
type babble struct {
	on      *atomic.Bool
	fits    bool // the answer is odd and can be carried
	inbound func(*adapter.Inbound)
	attempt func(*adapter.Attempt)
	sent    func(*adapter.Sent)
	profile func(*channel.Profile)
	fails   error // what Send answers
}

func babbled[T any](on bool, change func(*T), v T, err error) (T, error) {
	if on && err == nil && change != nil {
		change(&v)
	}
	return v, err
}

func (a babbler) Parse(acct channel.Account, env adapter.Envelope) (adapter.Inbound, error) {
	in, err := a.Adapter.Parse(acct, env)
	return babbled(a.b.on.Load(), a.b.inbound, in, err)
}

func (a babbler) Plan(acct channel.Account, b []adapter.Outbound, now time.Time, key func() string) (adapter.Attempt, error) {
	at, err := a.Adapter.Plan(acct, b, now, key)
	return babbled(a.b.on.Load(), a.b.attempt, at, err)
}

func (a babbler) Send(ctx context.Context, acct channel.Account, at adapter.Attempt) (adapter.Sent, error) {
	if a.b.on.Load() && a.b.fails != nil {
		return adapter.Sent{}, a.b.fails
	}
	sent, err := a.Adapter.Send(ctx, acct, at)
	return babbled(a.b.on.Load(), a.b.sent, sent, err)
}

func (a babbler) Profile(ctx context.Context, acct channel.Account, c channel.Chat, u channel.ProviderUserID) (channel.Profile, error) {
	p, err := a.Adapter.Profile(ctx, acct, c, u)
	return babbled(a.b.on.Load(), a.b.profile, p, err)
}

// big is more than anything may have.
var big = strings.Repeat("가", 1<<20)

const broken = "a\x00b\xff"

func babbles() map[string]babble {
	in := func(f func(*adapter.Inbound)) babble { return babble{inbound: f} }
	at := func(f func(*adapter.Attempt)) babble { return babble{attempt: f} }
	sent := func(f func(*adapter.Sent)) babble { return babble{sent: f} }
	profile := func(f func(*channel.Profile)) babble { return babble{profile: f} }
	rows := func(n int) []channel.OutboxID {
		out := make([]channel.OutboxID, n)
		for i := range out {
			out[i] = "nothing"
		}
		return out
	}
	return map[string]babble{
		"Send fails: a typed nil": {fails: (*adapter.SendError)(nil)},
		"Send fails: panicking":   {fails: sly{}},
		"Send fails: broken":      {fails: senseless()["broken"]},
		"Parse: nothing":          in(func(i *adapter.Inbound) { *i = adapter.Inbound{} }),
		"Parse: no ids":           in(func(i *adapter.Inbound) { i.MessageID, i.Author.User = "", "" }),
		"Parse: no chat":          in(func(i *adapter.Inbound) { i.Chat = channel.Chat{} }),
		"Parse: 3 MiB of text":    in(func(i *adapter.Inbound) { i.Content.Text = big }),
		"Parse: 3 MiB of message": in(func(i *adapter.Inbound) { i.MessageID = channel.ProviderMessageID(big) }),
		"Parse: 3 MiB of chat":    in(func(i *adapter.Inbound) { i.Chat.ID = big }),
		"Parse: 3 MiB of user":    in(func(i *adapter.Inbound) { i.Author.User = channel.ProviderUserID(big) }),
		"Parse: 3 MiB of name":    in(func(i *adapter.Inbound) { i.Author.Name = big }),
		"Parse: 3 MiB of type":    in(func(i *adapter.Inbound) { i.Kind, i.MessageID, i.Type = adapter.EventOther, "", big }),
		"Parse: broken text":      in(func(i *adapter.Inbound) { i.Content.Text = broken }),
		"Parse: broken message":   in(func(i *adapter.Inbound) { i.MessageID = broken }),
		"Parse: broken chat":      in(func(i *adapter.Inbound) { i.Chat.ID = broken }),
		"Parse: broken user":      in(func(i *adapter.Inbound) { i.Author.User, i.Author.Name = broken, broken }),
		"Parse: negative file": in(func(i *adapter.Inbound) {
			i.Content = channel.Content{Kind: channel.KindFile, Media: &channel.Media{Size: -1}}
		}),
		"Parse: a time of year 0": in(func(i *adapter.Inbound) { i.OccurredAt = time.Time{} }),
		"Parse: a far future":     in(func(i *adapter.Inbound) { i.OccurredAt = time.Date(200_000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"Plan: no rows":           at(func(a *adapter.Attempt) { a.Rows = nil }),
		"Plan: 10,000 rows":       at(func(a *adapter.Attempt) { a.Rows = rows(10_000) }),
		"Plan: another's row":     at(func(a *adapter.Attempt) { a.Rows = rows(1) }),
		"Plan: a row twice":       at(func(a *adapter.Attempt) { a.Rows = append(a.Rows, a.Rows[0]) }),
		"Plan: 9 MiB":             at(func(a *adapter.Attempt) { a.Request = []byte(strings.Repeat(big, 3)) }),
		"Plan: broken":            at(func(a *adapter.Attempt) { a.Route, a.IdempotencyKey = broken, broken }),
		"Plan: a negative time":   {fits: true, attempt: func(a *adapter.Attempt) { a.IdempotentFor = -time.Hour }},
		"Sent: 10,000":            sent(func(s *adapter.Sent) { s.Messages = make([]adapter.SentMessage, 10_000) }),
		"Sent: nothing":           sent(func(s *adapter.Sent) { *s = adapter.Sent{} }),
		"Sent: no id":             sent(func(s *adapter.Sent) { s.Messages = []adapter.SentMessage{{}} }),
		"Sent: broken":            sent(func(s *adapter.Sent) { s.Messages = []adapter.SentMessage{{ID: broken, QuoteHandle: broken}} }),
		"Sent: 3 MiB":             sent(func(s *adapter.Sent) { s.Messages = []adapter.SentMessage{{ID: channel.ProviderMessageID(big)}} }),
		"Sent: 10,000 parts": sent(func(s *adapter.Sent) {
			s.Messages = []adapter.SentMessage{{ID: "m", Parts: make([]channel.ProviderMessageID, 10_000)}}
		}),
		"Profile: 3 MiB":  profile(func(p *channel.Profile) { p.Name, p.Picture = big, big }),
		"Profile: broken": profile(func(p *channel.Profile) { p.Name, p.Picture = broken, broken }),
	}
}

// Whatever an adapter answers, nothing is half done, who writes meanwhile is
// served, and the log says whose answer it was.
func TestAnAdaptersNonsenseHarmsNobody(t *testing.T) {
	for name, b := range babbles() {
		t.Run(name, func(t *testing.T) {
			var log logged
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				b := b
				b.on = new(atomic.Bool)
				w.halt()
				w.cfg.Adapters = []adapter.Adapter{babbler{w.cfg.Adapters[0].(*line.Adapter), &b}}
				var err error
				w.eng, err = sangdam.New(w.cfg)
				require.NoError(t, err)
				w.start()
				w.online("a1")
				first := w.line.User("Mina")
				first.SendText("hello")
				w.settle()
				owned := w.accept()
				b.on.Store(true)
				first.SendText("who is there?")
				_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("me")})
				refused := b.attempt != nil && !b.fits
				require.Equal(t, refused, err != nil, "%v", err)
				w.line.User("Nonsense").SendText("hello")
				w.pass(20 * time.Second)
				b.on.Store(false)
				w.pass(20 * time.Second)
				late := w.line.User("Late")
				late.SendText("is anybody there?")
				w.pass(time.Minute)
				require.Equal(t, "is anybody there?", w.of(late).Messages[0].Content.Text)
				_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text("more")})
				require.NoError(t, err)
				w.pass(20 * time.Second)
				for _, id := range w.conversations() {
					for _, m := range w.detail(id.ID).Messages {
						require.NotContains(t, []string{"queued", "sending"}, string(m.Status), "%s", m.Content.Kind)
					}
				}
				if refused {
					require.Contains(t, log.String(), `who="adapter line" call=Plan`)
				}
			}, withConfig(func(c *sangdam.Config) { c.Logger = log.logger() }))
		})
	}
}
