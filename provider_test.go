package sangdam_test

import (
	"bytes"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
)

// A one-pixel PNG.
var pixel = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01" +
	"\x08\x06\x00\x00\x00\x1f\x15\xc4\x89\x00\x00\x00\r" +
	"IDATx\x9cc\xf8\xff\xff?\x00\x05\xfe\x02\xfe\xa7\x35\x81\x84\x00\x00\x00\x00IEND\xaeB`\x82")

func TestPreviewTellsWhatWouldBecomeOfAnAnswer(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		w.line.User("Mina").SendText("and?") // brings a fresh right to reply
		w.settle()
		out, err := w.eng.Preview(w.ctx, w.agent("a1"), c, channel.Text("yes"))
		require.NoError(t, err)
		require.Equal(t, adapter.Full, out.Level)
		require.Equal(t, line.RouteReply, out.Route)
		require.False(t, out.Metered)
		require.False(t, out.ReplyUntil.IsZero())

		w.pass(2 * time.Minute)
		out, err = w.eng.Preview(w.ctx, w.agent("a1"), c, channel.Text("yes"))
		require.NoError(t, err)
		require.Equal(t, line.RoutePush, out.Route)
		require.True(t, out.Metered)

		out, err = w.eng.Preview(w.ctx, w.agent("a1"), c, channel.Content{Kind: channel.KindFile,
			Media: &channel.Media{Name: "a.pdf", URL: "https://example.com/a.pdf"}})
		require.NoError(t, err)
		require.Equal(t, adapter.Fallback, out.Level)
		require.NotEmpty(t, out.Note)
		out, err = w.eng.Preview(w.ctx, w.agent("a1"), c, channel.Content{Kind: "hologram"})
		require.NoError(t, err)
		require.NotEmpty(t, out.Refused)
	})
}

func TestTypingAndReadMarksReachThePhone(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		u := w.line.User("Mina")
		require.NoError(t, w.eng.ShowTyping(w.ctx, w.agent("a1"), c, 10*time.Second))
		require.True(t, u.Loading())
		require.NoError(t, w.eng.MarkRead(w.ctx, w.agent("a1"), c))
		require.False(t, u.ReadUpTo().IsZero())
		require.Error(t, w.eng.ShowTyping(w.ctx, w.agent("a2"), c, time.Second), "only the owner")
	})
}

func TestAccountLinkBringsTheCustomersContact(t *testing.T) {
	inWorld(t, func(w *world) {
		u := w.line.User("Mina")
		u.SendText("hi")
		w.settle()
		saved, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Kim Mina",
			Email: "mina@example.com"}})
		require.NoError(t, err)

		adapter, err := line.New(line.Options{APIBase: "https://api.line.test", DataAPIBase: "https://api.line.test",
			HTTPClient: httpClient(w.line)})
		require.NoError(t, err)
		token, err := adapter.LinkToken(w.ctx, w.acct, channel.ProviderUserID(u.ID()))
		require.NoError(t, err)
		nonce, err := w.eng.BeginLink(w.ctx, w.host, sangdam.BeginLink{Contact: saved.Contact})
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(nonce), 22, "at least 128 bits")
		require.True(t, w.line.Link(token, nonce))
		w.settle()
		d := w.only()
		require.Equal(t, saved.Contact, d.Conversation.Contact, "the open conversation follows")
		require.Equal(t, "Kim Mina", d.Contact.Name)
		u.SendText("again")
		w.settle()
		require.Equal(t, saved.Contact, w.only().Conversation.Contact, "later messages find the contact")

		// A nonce works once.
		other := w.line.User("Eve")
		other.SendText("hi")
		w.settle()
		token, err = adapter.LinkToken(w.ctx, w.acct, channel.ProviderUserID(other.ID()))
		require.NoError(t, err)
		w.line.Link(token, nonce)
		w.settle()
		for _, c := range w.conversations() {
			if c.Chat.ID == other.ID() {
				require.NotEqual(t, saved.Contact, c.Contact, "somebody else with the same nonce is not linked")
			}
		}

		// And not after its hour.
		late, err := w.eng.BeginLink(w.ctx, w.host, sangdam.BeginLink{Contact: saved.Contact})
		require.NoError(t, err)
		w.pass(61 * time.Minute)
		token, err = adapter.LinkToken(w.ctx, w.acct, channel.ProviderUserID(other.ID()))
		require.NoError(t, err)
		w.line.Link(token, late)
		w.settle()
		for _, c := range w.conversations() {
			if c.Chat.ID == other.ID() {
				require.NotEqual(t, saved.Contact, c.Contact)
			}
		}
	})
}

func TestAVerifiedLoginIsLinkedBeforeTheCustomerWrites(t *testing.T) {
	inWorld(t, func(w *world) {
		u := w.line.User("Mina")
		saved, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Kim Mina"}})
		require.NoError(t, err)
		_, err = w.eng.LinkUser(w.ctx, w.host,
			sangdam.LinkUser{Account: w.acct.ID, User: channel.ProviderUserID(u.ID()), Contact: saved.Contact})
		require.NoError(t, err)
		u.SendText("hi")
		w.settle()
		require.Equal(t, saved.Contact, w.only().Conversation.Contact)
	})
}

func TestMediaIsFetchedIntoABlobAndGoesWithTheMessage(t *testing.T) {
	inWorld(t, func(w *world) {
		u := w.line.User("Mina")
		u.Send(linetest.Image("image/png", pixel))
		posted := u.Send(linetest.Video("video/mp4", []byte("not really a film"), time.Second, 2))
		w.pass(10 * time.Second)
		d := w.only()
		require.Len(t, d.Messages, 3)
		image, film := d.Messages[0], d.Messages[2]
		if film.Content.Kind != channel.KindVideo {
			film = d.Messages[1]
		}
		require.EqualValues(t, "ready", image.Content.Media.State)
		r, err := w.cfg.Blobs.Open(w.ctx, image.Content.Media.Blob)
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.True(t, bytes.Equal(pixel, got))
		require.EqualValues(t, "ready", film.Content.Media.State, "what was not ready was asked for again")

		_, err = u.Chat.Unsend(posted.MessageID)
		require.NoError(t, err)
		w.settle()
		d = w.only()
		for _, m := range d.Messages {
			if m.ID == film.ID {
				require.False(t, m.UnsentAt.IsZero())
				require.Nil(t, m.Content.Media, "taken back, media too")
			}
		}
		w.pass(26 * time.Hour)
		_, err = w.cfg.Blobs.Open(w.ctx, film.Content.Media.Blob)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "the bytes are swept after a day")
	})
}

func TestOutsideMediaInPrivateNetworksIsNotFetched(t *testing.T) {
	inWorld(t, func(w *world) {
		w.line.User("Mina").Send(linetest.ExternalImage("https://127.0.0.1/a.png", "https://127.0.0.1/b.png"))
		w.pass(5 * time.Second)
		require.EqualValues(t, "failed", w.only().Messages[0].Content.Media.State)
	})
}

func TestAttachmentsThatAreSwitchedOffAreRefusedWithAReason(t *testing.T) {
	inWorld(t, func(w *world) {
		acct := w.acct
		acct.CustomerAttachments, acct.Secrets = false, nil
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		w.line.User("Mina").Send(linetest.Image("image/png", pixel))
		w.pass(5 * time.Second)
		m := w.only().Messages[0]
		require.EqualValues(t, "refused", m.Content.Media.State)
		require.Empty(t, m.Content.Media.Blob)
		require.Contains(t, m.Detail, "switched off")
	})
}

func TestCheckAccountSaysInWordsWhatIsWrong(t *testing.T) {
	inWorld(t, func(w *world) {
		findings, err := w.eng.CheckAccount(w.ctx, w.host, w.acct.ID, "https://host.test/webhooks/"+w.acct.Token)
		require.NoError(t, err)
		require.NotEmpty(t, findings)
		w.line.RevokeTokens()
		findings, err = w.eng.CheckAccount(w.ctx, w.host, w.acct.ID, "https://host.test/webhooks/"+w.acct.Token)
		require.NoError(t, err)
		bad := 0
		for _, f := range findings {
			if !f.OK {
				bad++
				require.NotEmpty(t, f.Remedy+f.Detail)
			}
		}
		require.NotZero(t, bad)
	})
}

// Whoever may see an account learns how customers come to it.
func TestAnAccountInvitesItsCustomers(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		for _, p := range []sangdam.Principal{w.host, w.agent("a1")} {
			in, err := w.eng.Invite(w.ctx, p, w.acct.ID, 128)
			require.NoError(t, err)
			require.Equal(t, "https://line.me/R/ti/p/%40emulated", in.URL)
			require.NotEmpty(t, in.QR)
		}
		w.otherDesk("other", "a3")
		_, hidden := w.eng.Invite(w.ctx, w.agent("a3"), w.acct.ID, 0)
		require.ErrorIs(t, hidden, sangdam.ErrNotFound)
		_, none := w.eng.Invite(w.ctx, w.agent("a3"), "none", 0)
		require.EqualError(t, hidden, none.Error())
		_, err := w.eng.Invite(w.ctx, w.host, "none", 0)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.Invite(w.ctx, w.host, w.acct.ID, 1<<20)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	})
}

func TestOneRefusedContentDoesNotFailItsNeighbours(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		w.pass(2 * time.Minute)
		w.line.AddFault(linetest.Fault{Endpoint: "push", Kind: linetest.FaultContent, Message: 1, Nth: 1})
		for _, text := range []string{"one", "two", "three"} {
			_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Text(text)})
			require.NoError(t, err)
		}
		w.pass(5 * time.Second)
		// The fault meets the first push of several messages: of all three, or of the last two.
		arrived := w.line.User("Mina").Texts()
		require.Contains(t, arrived, "one")
		failed := 0
		for _, m := range w.detail(c).Messages {
			if m.Status == conversation.StatusFailed {
				failed++
			}
		}
		require.LessOrEqual(t, failed, 1, "only the message that is to blame")
		require.Len(t, arrived, 4-failed, "the greeting and what was not refused")
	})
}
