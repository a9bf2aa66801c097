package sangdam_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
)

func (v *person) state() visitor.State {
	v.w.t.Helper()
	s, err := v.port().State(v.w.ctx, v.ref)
	require.NoError(v.w.t, err)
	return s
}

// live makes the chats of the work stream end with their window. The world's
// account is LINE's, of which that is refused, so it is written as it is stored.
func (w *world) live() {
	w.t.Helper()
	s := w.configuration().WorkStreams["line"]
	s.Live = true
	require.NoError(w.t, w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error { return tx.Config().SaveWorkStream(ctx, s) }))
	w.pass(2 * time.Second) // for the engine to read it
}

func TestAVisitorKnowsHowTheConversationStands(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		require.Equal(t, visitor.State{}, v.state(), "nothing yet")
		require.NoError(t, v.port().Consent(w.ctx, v.ref, "c1", "privacy", "2026-01"))
		require.NoError(t, v.port().Consent(w.ctx, v.ref, "c2", "privacy", "2026-01"), "the same text again")
		w.settle()
		require.NoError(t, v.port().Consent(w.ctx, v.ref, "c3", "privacy", "2026-02"))
		consents := v.state().Consents
		require.Len(t, consents, 2)
		require.Equal(t, "2026-01", consents[0].TextVersion)
		require.Empty(t, w.visitor("Jun").state().Consents)

		v.ref.From = visitor.Origin{Entry: "https://shop.example/hats", Device: "Chrome, Android"}
		v.says("hello")
		v.ref.From.Entry = "https://shop.example/elsewhere"
		v.says("again")
		require.Equal(t, map[string]string{"entry": "https://shop.example/hats", "device": "Chrome, Android"},
			w.only().Conversation.Attributes)
		s := v.state()
		require.True(t, s.Open && s.Waiting, "nobody has it: %+v", s)
		require.EqualValues(t, 3, s.Seq)
		w.online("a1")
		w.settle()
		c := w.accept()
		s = v.state()
		require.Equal(t, "Agent a1", s.Agent)
		require.False(t, s.Waiting)
		require.Zero(t, s.Read)
		require.Error(t, w.eng.MarkRead(w.ctx, w.agent("a2"), c.Conversation), "only who may answer")
		require.Zero(t, v.state().Read)
		_ = w.eng.MarkRead(w.ctx, w.agent("a1"), c.Conversation) // the emulator's channel has its own mind about this handle
		require.EqualValues(t, 3, v.state().Read)
		_, err := w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation, Final: true})
		require.NoError(t, err)
		s = v.state()
		require.False(t, s.Open || s.Rated)
		require.Equal(t, "agent", s.EndedBy, "and not which one")
		require.NoError(t, v.port().Rate(w.ctx, v.ref, "r", 5, ""))
		require.True(t, v.state().Rated)
	})
}

func TestWhatAVisitorHasSeenIsRead(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		v.says("hello")
		w.settle()
		ms := v.since(0)
		greeting := ms[1]
		status := func() conversation.Status {
			d := w.detail(greeting.Conversation)
			return d.Messages[1].Status
		}
		require.ErrorIs(t, v.port().Seen(w.ctx, v.ref, "other", 2), sangdam.ErrNotFound)
		require.NoError(t, v.port().Seen(w.ctx, v.ref, greeting.Conversation, 1))
		require.NotEqual(t, conversation.StatusRead, status())
		require.NoError(t, v.port().Seen(w.ctx, v.ref, greeting.Conversation, 2))
		require.Equal(t, conversation.StatusRead, status())
		require.ErrorIs(t, w.visitor("Jun").port().Seen(w.ctx, w.visitor("Jun").ref, greeting.Conversation, 2), sangdam.ErrNotFound)
	})
}

// The window's end ends a live chat after the grace; another page, a message or
// a page that was open all the time does not.
func TestALiveChatEndsWithItsWindow(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		w.live()
		v.says("hello")
		leave := func(page string) { require.NoError(t, v.port().Leave(w.ctx, v.ref, page, time.Minute)) }
		leave("p1")
		require.Equal(t, "p1", v.state().Left)
		require.NoError(t, v.port().Back(w.ctx, v.ref, "p1"), "the page that goes is no other one")
		require.Equal(t, "p1", v.state().Left)
		w.pass(30 * time.Second)
		require.NoError(t, v.port().Back(w.ctx, v.ref, "p2"))
		require.Empty(t, v.state().Left)
		w.pass(2 * time.Minute)
		require.True(t, v.state().Open, "a reload")

		leave("p2")
		w.pass(30 * time.Second)
		v.says("I am still here")
		w.pass(2 * time.Minute)
		require.True(t, v.state().Open, "who writes is there")

		leave("p3")
		w.restart()
		w.pass(2 * time.Minute)
		s := v.state()
		require.False(t, s.Open)
		require.Equal(t, "customer", s.EndedBy)
		require.Equal(t, "customer_left", s.EndReason, "the agent sees which it was")
		require.Error(t, v.port().Leave(w.ctx, v.ref, "", time.Minute))
		w.invariants()
	})
}

func TestAPersistentChatOutlivesItsWindow(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		v.says("hello")
		require.NoError(t, v.port().Leave(w.ctx, v.ref, "p", time.Minute))
		w.pass(10 * time.Minute)
		require.True(t, v.state().Open)
	})
}

func TestAVisitorWhomTheHostKnowsTakesTheChatAlong(t *testing.T) {
	inWorld(t, func(w *world) {
		before, member := w.visitor("Mina"), w.visitor("member")
		before.says("before the log-in")
		who := visitor.Profile{Subject: "u-17", Name: "Kim Mina", Email: "mina@example.com"}
		for range 2 {
			require.NoError(t, member.port().Identify(w.ctx, member.ref, who, before.ref.User))
		}
		require.Equal(t, []string{"before the log-in", "Hello!"}, shown(member.since(0)))
		c, _, err := w.eng.Contact(w.ctx, w.host, w.only().Conversation.Contact)
		require.NoError(t, err)
		require.True(t, c.Known)
		require.Equal(t, "Kim Mina", c.Name)
		require.Equal(t, "u-17", c.Attributes["customer_id"])

		// A second person at the same browser takes nothing of the first along.
		other := w.visitor("second member")
		require.NoError(t, other.port().Identify(w.ctx, other.ref, visitor.Profile{Subject: "u-18"}, before.ref.User))
		require.Empty(t, other.since(0))
		require.ErrorIs(t, other.port().Identify(w.ctx, other.ref, visitor.Profile{}, ""), sangdam.ErrInvalid)
	})
}

// onePixel is a whole picture.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

func TestAVisitorsFileIsKeptAndNobodyElses(t *testing.T) {
	inWorld(t, func(w *world) {
		acct := w.acct
		acct.Secrets, acct.Attachments, acct.CustomerAttachments = nil, true, true
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		v, other := w.visitor("Mina"), w.visitor("Jun")
		picture, err := base64.StdEncoding.DecodeString(onePixel)
		require.NoError(t, err)
		up := func(name string, b []byte, limit int64) (channel.Media, error) {
			return v.port().Upload(w.ctx, v.ref, name, bytes.NewReader(b), limit)
		}
		media, err := up("../holiday.html", picture, 1000)
		require.NoError(t, err)
		require.Equal(t, "image/png", media.Type, "by its bytes")
		require.Equal(t, "holiday.html", media.Name)
		_, err = up("x.png", picture[:40], 1000)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "a picture that ends in the middle")
		_, err = up("x", nil, 1000)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		_, err = up("x", []byte(strings.Repeat("x", 1001)), 1000)
		require.ErrorIs(t, err, blob.ErrTooLarge)

		m, err := v.port().Post(w.ctx, v.ref, "k", channel.Content{Kind: channel.KindImage, Media: &media})
		require.NoError(t, err)
		body, got, err := v.port().Download(w.ctx, v.ref, m.ID)
		require.NoError(t, err)
		raw, err := io.ReadAll(body)
		require.NoError(t, err)
		require.NoError(t, body.Close())
		require.Equal(t, picture, raw)
		require.Equal(t, "image/png", got.Type)
		other.says("hi")
		_, _, err = other.port().Download(w.ctx, other.ref, m.ID)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = other.port().Message(w.ctx, other.ref, m.ID)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = other.port().Post(w.ctx, other.ref, "k2", channel.Content{Kind: channel.KindImage, Media: &media})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "a name is no right")
		acct.CustomerAttachments, acct.Version = false, acct.Version+1
		_, err = w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		_, err = up("x.png", picture, 1000)
		require.ErrorIs(t, err, sangdam.ErrUnsupported, "switched off")
	})
}

// Who was away while one conversation ended and another began misses nothing.
func TestAVisitorMissesNothingBetweenTwoConversations(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		v := w.visitor("Mina")
		v.says("one")
		w.settle()
		seen := v.since(0)
		c := w.accept()
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("an answer")})
		require.NoError(t, err)
		_, err = w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation, Final: true})
		require.NoError(t, err)
		v.says("two")
		w.settle()
		last := seen[len(seen)-1]
		var got []string
		for from, seq := last.Conversation, last.Seq; ; {
			ms, err := v.port().Since(w.ctx, v.ref, from, seq, 2)
			require.NoError(t, err)
			if len(ms) == 0 {
				break
			}
			got = append(got, shown(ms)...)
			from, seq = ms[len(ms)-1].Conversation, ms[len(ms)-1].Seq
		}
		require.Equal(t, []string{"an answer", "Goodbye.", "two", "Hello!"}, got)
	})
}

// CV20: a work stream whose chats end with their window becomes one whose chats
// go on. The open one ends by the rule it began under; what is written next
// follows the new one, and who wrote and what was said is as it was.
func TestALiveStreamBecomesPersistent(t *testing.T) {
	inWorld(t, func(w *world) {
		v := w.visitor("Mina")
		w.live()
		v.says("hello")
		began := w.only().Conversation
		require.True(t, began.Live)
		stream := w.configuration().WorkStreams["line"]
		stream.Live = false
		_, err := w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})
		require.NoError(t, err)
		w.settle()
		leave := func() { require.NoError(t, v.port().Leave(w.ctx, v.ref, "p", time.Minute)) }
		leave()
		w.pass(2 * time.Minute)
		require.False(t, v.state().Open, "it ends with its window, as it began")

		v.says("one more thing")
		leave()
		w.pass(10 * time.Minute)
		require.True(t, v.state().Open, "the next one goes on")
		summary, err := w.eng.CustomerSummary(w.ctx, w.host, began.Contact)
		require.NoError(t, err)
		require.Len(t, summary.Conversations, 2)
		require.False(t, summary.Conversations[0].Live)
		require.True(t, summary.Conversations[1].Live, "what was keeps its kind")
		require.Equal(t, began.ID, summary.Conversations[0].Previous)
		require.Equal(t, "hello", w.detail(began.ID).Messages[0].Content.Text)
		w.invariants()
	})
}
