package sangdam_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/store"
)

// What a mask hides does not stand in the mail's HTML or subject either, whether
// the mask came later or with the mail; other files stay.
func TestAMaskTakesTheHTMLOfAMail(t *testing.T) {
	const phone = "010-1234-5678"
	letter := emailtest.Letter{Subject: "Call " + phone, Text: "Call me: " + phone, HTML: "<p>Call me: " + phone + "</p>",
		Files: []emailtest.File{{Name: "photo.png", Type: "image/png", Data: []byte("png")}}}
	files := func(w *mailWorld) []channel.Media {
		w.pass(time.Minute)
		return w.only().Messages[0].Content.Files()
	}
	gone := func(w *mailWorld) {
		w.t.Helper()
		has := files(w)
		require.Equal(w.t, []any{channel.MediaGone, channel.ReasonMasked, ""}, []any{has[0].State, has[0].Reason, has[0].Blob})
		require.Equal(w.t, channel.MediaReady, has[1].State)
		_, err := w.eng.Attachment(w.ctx, w.host, sangdam.AttachmentRef{Message: w.only().Messages[0].ID})
		require.ErrorIs(w.t, err, sangdam.ErrNotFound)
		require.NoError(w.t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
			m, err := tx.Conversations().Message(ctx, w.only().Messages[0].ID)
			require.NoError(w.t, err)
			require.NotEmpty(w.t, m.Sources)
			for _, source := range m.Sources {
				mail, err := tx.Inbox().Envelope(ctx, source)
				require.NoError(w.t, err)
				require.Empty(w.t, mail.Raw, "the mail itself is not kept once its files are taken out")
			}
			return nil
		}))
	}
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.write(letter)
		require.Equal(t, channel.MediaReady, files(w)[0].State)
		require.NoError(t, w.maskNow(w.host, phone))
		gone(w)
		require.Equal(t, "Call *************", w.only().Messages[0].Content.Letter.Subject)
	})
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundMasked})
		w.write(letter)
		gone(w)
		require.Equal(t, "Call *************", w.only().Messages[0].Content.Letter.Subject)
	})
}

// An answer goes out under the subject as it reads now, masked when the mail came or
// later, and what was hidden of it is kept nowhere.
func TestAMaskReachesTheSubjectOfAnswers(t *testing.T) {
	const phone = "010-1234-5678"
	letter := emailtest.Letter{Subject: "Call " + phone, Text: "Call me: " + phone}
	answered := func(w *mailWorld) {
		w.t.Helper()
		w.answer(w.only().Conversation.ID, "We call you.")
		sent := w.got("mina@example.com")
		require.Equal(w.t, "Re: Call *************", sent[len(sent)-1].Subject)
		for _, m := range w.only().Messages {
			if m.Content.Letter != nil {
				require.NotContains(w.t, m.Content.Letter.Subject, phone)
			}
		}
	}
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.write(letter)
		require.NoError(t, w.maskNow(w.host, phone))
		answered(w)
	})
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundMasked})
		w.write(letter)
		answered(w)
	})
	inMail(t, emailtest.Options{}, func(w *mailWorld) { // the words stand in another mail's text
		first := w.write(letter)
		w.write(emailtest.Letter{Subject: "Re: Call " + phone, Text: "Or mail me.", InReplyTo: first})
		require.NoError(t, w.maskNow(w.host, phone))
		answered(w)
	})
}
