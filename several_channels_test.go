package sangdam_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/emukit"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/channel/postcard"
	"github.com/sangdam/sangdam/channel/postcard/postcardtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// letterBox is a postcard account on the work stream of the LINE account.
type letterBox struct {
	w      *replayWorld
	office *postcardtest.Office
	acct   channel.Account
}

// withPostcards connects the channel and lets the work stream take it.
func withPostcards(office **postcardtest.Office) worldOption {
	return func(w *world, s *routing.WorkStream, _ *routing.Queue, _ *routing.Desk) {
		*office = postcardtest.New("the key of the letter box")
		adapter, err := postcard.New(postcard.Options{Office: "https://post.example",
			HTTPClient: &http.Client{Transport: emukit.Transport(*office)}})
		require.NoError(w.t, err)
		w.cfg.Adapters = append(w.cfg.Adapters, adapter)
		quietStream(s)
		s.Channels, s.ReopenFor = []string{"postcard"}, time.Hour
	}
}

func (w *replayWorld) letterBox(office *postcardtest.Office) *letterBox {
	w.t.Helper()
	saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: postcard.Kind, Name: "Letters",
		Desk:       "support",
		WorkStream: "line", Secrets: map[string]channel.Secret{postcard.SecretKey: channel.NewSecret("the key of the letter box")}}})
	require.NoError(w.t, err)
	office.SetWebhook(w.eng.Webhooks())
	return &letterBox{w, office, saved.Account}
}

func (b *letterBox) writes(from, text string) {
	b.w.t.Helper()
	require.Equal(b.w.t, http.StatusOK, b.office.Write("/webhooks/"+b.acct.Token, from, text))
	b.w.settle()
}

// links the person who writes letters to the contact of the one on LINE.
func (b *letterBox) links(from string, mina *linetest.User) conversation.IdentityID {
	b.w.t.Helper()
	contact := b.w.of(mina).Conversation.Contact
	_, err := b.w.eng.LinkUser(b.w.ctx, b.w.host,
		sangdam.LinkUser{Account: b.acct.ID, User: channel.ProviderUserID(from), Contact: contact})
	require.NoError(b.w.t, err)
	b.w.settle()
	_, known, err := b.w.eng.Contact(b.w.ctx, b.w.host, contact)
	require.NoError(b.w.t, err)
	for _, i := range known {
		if i.Kind == postcard.Kind {
			return i.ID
		}
	}
	b.w.t.Fatal("the letters' identity is not the contact's")
	return ""
}

// A customer who is known on two channels has one conversation: it follows to
// where the customer wrote last, and an agent may answer on either.
func TestOneConversationOverTwoChannels(t *testing.T) {
	var office *postcardtest.Office
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		box, mina := w.letterBox(office), w.line.User("Mina")
		owned := w.begun(mina, "where is my parcel?")
		letters := box.links("mina_by_post", mina)
		onLine := w.of(mina).Conversation.Identity
		answer := func(text string, to conversation.IdentityID) error {
			err := errOf(w.eng.Answer(w.ctx, w.agent("a1"),
				sangdam.Answer{Conversation: owned.Conversation, Content: channel.Text(text), To: to}))
			w.settle()
			return err
		}
		require.ErrorIs(t, answer("by post?", letters), sangdam.ErrInvalid, "nothing came from there yet")

		box.writes("mina_by_post", "I write by post now")
		c := w.only().Conversation
		require.Equal(t, postcard.Kind, c.Channel)
		require.Equal(t, letters, c.Identity)
		require.NoError(t, answer("it is on its way", ""))
		require.Equal(t, []string{"it is on its way"}, office.Delivered("mina_by_post"), "answers go where the customer wrote last")
		require.NoError(t, answer("and here", onLine))
		require.Contains(t, mina.Texts(), "and here", "or where the agent says")
		require.Equal(t, postcard.Kind, w.only().Conversation.Channel, "that one message only")
		require.NoError(t, answer("thank you", ""))
		require.Equal(t, []string{"it is on its way", "thank you"}, office.Delivered("mina_by_post"))

		require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: owned.Conversation, Final: true})))
		w.settle()
		mina.SendText("one more thing")
		w.settle()
		c = w.only().Conversation
		require.Equal(t, owned.Conversation, c.ID, "it opens again from the other channel")
		require.EqualValues(t, "line", c.Channel)

		w.inGroup(mina, "a word in the group")
		box.writes("jun_by_post", "I am somebody else")
		require.Len(t, w.conversations(), 3, "a group and another person stand apart")
	}, longOffers, withPostcards(&office))
}

// inGroup has the customer write in a group.
func (w *replayWorld) inGroup(u *linetest.User, text string) {
	w.t.Helper()
	w.line.Group("Family", u).Send(u, linetest.Text(text))
	w.settle()
}

// What was said on another channel is shown to a visitor only where both are
// proved to be the same person; what was read here says nothing of there.
func TestAVisitorSeesOtherChannelsOnlyWhenProved(t *testing.T) {
	var office *postcardtest.Office
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		box, mina := w.letterBox(office), w.line.User("Mina")
		owned := w.begun(mina, "on LINE")
		letters := box.links("mina_by_post", mina)
		box.writes("mina_by_post", "a secret in a letter")
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation,
			Content: channel.Text("by post")})))
		w.settle()
		v := w.visitor("Mina")
		ms, err := v.port().Since(w.ctx, v.ref, "", 0, 100)
		require.NoError(t, err)
		require.Equal(t, []string{"on LINE"}, shown(ms), "nobody proved who the one on LINE is")
		var hidden conversation.MessageID
		for _, m := range w.only().Messages {
			if m.Content.Text == "a secret in a letter" {
				hidden = m.ID
			}
		}
		_, err = v.port().Message(w.ctx, v.ref, hidden)
		require.ErrorIs(t, err, sangdam.ErrNotFound)

		require.NoError(t, v.port().Seen(w.ctx, v.ref, owned.Conversation, 100))
		w.settle()
		for _, m := range w.only().Messages {
			require.NotEqual(t, conversation.StatusRead, m.Status, "the answer lies in the letter box")
		}

		contact := w.only().Conversation.Contact
		require.NoError(t, errOf(w.eng.LinkUser(w.ctx, w.host, sangdam.LinkUser{Account: w.acct.ID, User: v.ref.User, Contact: contact})))
		w.settle()
		ms, err = v.port().Since(w.ctx, v.ref, "", 0, 100)
		require.NoError(t, err)
		require.Equal(t, []string{"on LINE", "a secret in a letter", "by post"}, shown(ms))

		// Linked by hand to another contact and back, nothing is proved any more.
		require.NoError(t, errOf(w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: letters,
			Contact: w.of(w.stranger()).Conversation.Contact})))
		w.settle()
		require.NoError(t, errOf(w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: letters, Contact: contact})))
		w.settle()
		ms, err = v.port().Since(w.ctx, v.ref, "", 0, 100)
		require.NoError(t, err)
		require.NotContains(t, shown(ms), "a secret in a letter")
	}, longOffers, withPostcards(&office))
}

// stranger is somebody else who wrote.
func (w *replayWorld) stranger() *linetest.User {
	u := w.line.User("Stranger")
	u.SendText("hello")
	w.settle()
	return u
}

// A work stream says which channels it takes.
func TestAWorkStreamTakesTheChannelsItNames(t *testing.T) {
	var office *postcardtest.Office
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.letterBox(office)
		save := func(change func(*routing.WorkStream)) error {
			s := w.configuration().WorkStreams["line"]
			change(&s)
			return errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: s}))
		}
		require.ErrorIs(t, save(func(s *routing.WorkStream) { s.Channels = []string{"pigeon"} }), sangdam.ErrUnsupported)
		require.ErrorContains(t, save(func(s *routing.WorkStream) { s.Channels = nil }), `account "Letters" is on it`)
		require.NoError(t, save(func(s *routing.WorkStream) { s.ChannelKind, s.Channels = "", nil }), "none at all is any")
		require.ErrorIs(t, save(func(s *routing.WorkStream) { s.ChannelKind, s.Channels, s.Live = "line", []string{"postcard"}, true }),
			sangdam.ErrInvalid)
	}, withPostcards(&office))
}
