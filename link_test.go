package sangdam_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// between is a backend that lets something else happen in the middle of an
// Update, once: right after the named read.
type between struct {
	driver.Backend
	read string
	then func()
}

func (b *between) Update(ctx context.Context, ws driver.WorkspaceID, fn func(context.Context, driver.Tx) error) error {
	return b.Backend.Update(ctx, ws, func(ctx context.Context, tx driver.Tx) error {
		tx.Conversations = betweenRepo{tx.Conversations, b}
		return fn(ctx, tx)
	})
}

func (b *between) after(read string) {
	if then := b.then; then != nil && read == b.read {
		b.then = nil
		then()
	}
}

type betweenRepo struct {
	driver.ConversationRepo
	b *between
}

func (r betweenRepo) ByThread(ctx context.Context, thread string) (open, last *conversation.Conversation, err error) {
	defer r.b.after("by thread")
	return r.ConversationRepo.ByThread(ctx, thread)
}

func (r betweenRepo) List(ctx context.Context, f conversation.Filter, after *driver.ConversationPlace,
	limit int) ([]conversation.Conversation, error) {
	defer r.b.after("list")
	return r.ConversationRepo.List(ctx, f, after, limit)
}

// A customer's first words, or first words to a customer, that cross the linking
// of the identity, whichever commits first, leave one open conversation, of the
// contact that was linked to. SQLite runs one Update at a time: there the two
// cannot cross.
func TestALinkThatCrossesAMessageLeavesOneOpenConversation(t *testing.T) {
	alongside(t, everyStore)
	for _, how := range []string{"first message", "another after the end", "written to first"} {
		for _, first := range []string{"the link commits first", "the message commits first"} {
			t.Run(how+", "+first, func(t *testing.T) {
				replay(t, []string{onMemory, onPG}, func(t *testing.T, w *replayWorld) { crossing(t, w, how, first) },
					withStream(func(s *routing.WorkStream) { s.ReopenFor, s.Messages = 0, nil }))
			})
		}
	}
}

func crossing(t *testing.T, w *replayWorld, how, first string) {
	user := channel.ProviderUserID("U0123456789abcdef0123456789abcdef")
	visitor := visitor.Ref{Workspace: ws, Account: w.acct.ID, User: user}
	contact := func(name string) conversation.ContactID {
		s, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: name}})
		require.NoError(t, err)
		return s.Contact
	}
	link := func(e *sangdam.Engine, to conversation.ContactID) {
		_, err := e.LinkUser(w.ctx, w.host, sangdam.LinkUser{Account: w.acct.ID, User: user, Contact: to})
		require.NoError(t, err)
	}
	write := func(e *sangdam.Engine, key string) {
		_, err := e.Visitor().Post(w.ctx, visitor, key, channel.Text(key))
		require.NoError(t, err)
	}
	opens := write
	if how == "written to first" {
		opens = func(e *sangdam.Engine, text string) {
			_, err := e.Begin(w.ctx, w.host, sangdam.Begin{Account: w.acct.ID, User: user, Content: channel.Text(text)})
			require.NoError(t, err)
		}
	}
	hooked := &between{Backend: w.db.Backend()}
	cfg := w.cfg
	cfg.DB, cfg.Node = store.New(hooked), "n2"
	other, err := sangdam.New(cfg)
	require.NoError(t, err)
	link(w.eng, contact("one")) // makes the identity
	if how != "first message" {
		// From here on the desk has the identity, which need not be written for that,
		// and the other engine has its keys, without which a command runs twice.
		opens(other, "before")
		for _, c := range w.conversations() {
			_, err := w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.ID, Final: true})
			require.NoError(t, err)
		}
	}
	w.settle()
	two := contact("two")
	if first == "the link commits first" {
		// With all that the link sets going: what it leaves behind is left for good.
		hooked.read, hooked.then = "by thread", func() { link(w.eng, two); w.settle() }
		opens(other, "k1")
	} else {
		hooked.read, hooked.then = "list", func() { opens(w.eng, "k1") }
		link(other, two)
	}
	require.Nil(t, hooked.then, "the two crossed")
	write(w.eng, "k2")
	w.settle()
	w.settle()
	var open []conversation.Conversation
	for _, c := range w.conversations() {
		if c.State.HoldsThread() {
			open = append(open, c)
		}
	}
	require.Len(t, open, 1)
	require.Equal(t, two, open[0].Contact)
	require.Equal(t, []string{"k1", "k2"}, texts(w.detail(open[0].ID)))
}

// Linking is never refused for size: the newest hundred messages move at once,
// what was before stays readable as a former part.
func TestAMergeMovesTheNewestAndShowsTheRest(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina, work := w.line.User("Mina"), w.line.User("Mina at work")
		mina.SendText("from my phone")
		w.settle()
		work.SendText("w0")
		w.settle()
		newer := w.of(work).Conversation
		for i := range 249 {
			_, err := w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: newer.ID, Text: fmt.Sprint("n", i)})
			require.NoError(t, err)
		}
		older := w.of(mina).Conversation
		w.link(work, w.known(mina))
		d := w.detail(older.ID)
		require.Equal(t, []conversation.ID{newer.ID}, d.Former)
		got := texts(d)
		require.Len(t, got, 101)
		require.Equal(t, "n149", got[1])
		require.Equal(t, "n248", got[100])
		former, err := w.eng.Transcript(w.ctx, w.host, newer.ID, 0, 200)
		require.NoError(t, err)
		require.Len(t, former, 150)
		require.Equal(t, "w0", former[0].Content.Text)
		require.Equal(t, older.ID, w.detail(newer.ID).Conversation.MergedInto)
	}, withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// What the record shows are the newest messages, however much else happened.
func TestTheRecordShowsTheNewest200Messages(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		id := w.of(mina).Conversation.ID
		for i := range 110 { // each is a message and, once sent, a status
			_, err := w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text(fmt.Sprint("a", i))})
			require.NoError(t, err)
		}
		w.settle()
		d := w.detail(id)
		require.Greater(t, d.Conversation.EventSeq, int64(200))
		require.Len(t, d.Messages, 111)
		require.Equal(t, "hello", d.Messages[0].Content.Text)
		require.False(t, d.Earlier)
		for i := range 100 {
			_, err := w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: id, Text: fmt.Sprint("n", i)})
			require.NoError(t, err)
		}
		d = w.detail(id)
		require.Len(t, d.Messages, 200)
		require.True(t, d.Earlier)
		require.Equal(t, "n99", d.Messages[199].Content.Text)
	}, withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// JSON for consoles: a list is [] and not null, a time that is not there is
// left out, and what SaveContact asks for is shown.
func TestJSONHasNoNullListsAndNoZeroTimes(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		shown := map[string]any{}
		var err error
		shown["empty page"], err = w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, "", 0)
		require.NoError(t, err)
		shown["held"], err = w.eng.Held(w.ctx, w.host, "a1")
		require.NoError(t, err)
		nobody, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Nobody"}})
		require.NoError(t, err)
		shown["summary"], err = w.eng.CustomerSummary(w.ctx, w.host, nobody.Contact)
		require.NoError(t, err)
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		d := w.of(mina)
		shown["detail"] = d
		shown["page"], err = w.eng.Conversations(w.ctx, w.host, conversation.Filter{}, "", 0)
		require.NoError(t, err)
		shown["held then"], err = w.eng.Held(w.ctx, w.host, "a1")
		require.NoError(t, err)
		shown["explained"], err = w.eng.Explain(w.ctx, w.host, d.Conversation.ID)
		require.NoError(t, err)
		shown["agents"], err = w.eng.Agents(w.ctx, w.host)
		require.NoError(t, err)
		for what, v := range shown {
			raw, err := json.Marshal(v)
			require.NoError(t, err)
			require.False(t, strings.Contains(string(raw), ":null"), "%s: %s", what, raw)
			require.False(t, strings.Contains(string(raw), "0001-01-01"), "%s: %s", what, raw)
		}
		raw, err := json.Marshal(d.Contact)
		require.NoError(t, err)
		require.Contains(t, string(raw), fmt.Sprintf(`"version":%d`, d.Contact.Version))
		_, err = w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: *d.Contact, Version: d.Contact.Version})
		require.NoError(t, err)
	})
}
