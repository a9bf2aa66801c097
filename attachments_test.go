package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
)

// upload puts a file as a host does before an answer names it.
func (w *replayWorld) upload(text string) string {
	w.t.Helper()
	info, err := w.cfg.Blobs.Put(w.ctx, strings.NewReader(text), 1<<20)
	require.NoError(w.t, err)
	return info.Name
}

func picture(name string) channel.Content {
	return channel.Content{Kind: channel.KindFile, Text: "a file", Media: &channel.Media{Name: "a.pdf", Type: "application/pdf", Blob: name, URL: "https://files.example/a.pdf"}}
}

// What an answer names is there as long as the answer, and nobody can name what
// belongs to another message.
func TestBytesNamedByAnAnswerStay(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		one := w.begun(mina, "hello")
		name := w.upload("the file")
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Key: "k", Conversation: one.Conversation, Content: picture(name)})
		require.NoError(t, err)
		other := w.begun(jun, "hello")
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: other.Conversation, Content: picture(name)})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "it is another message's")
		if w.real || testing.Short() || !strings.HasSuffix(t.Name(), onMemory) {
			return // the sweep is the engine's; once is enough for two days of fake time
		}
		loose := w.upload("named by nobody")
		w.pass(26 * time.Hour)
		r, err := w.cfg.Blobs.Open(w.ctx, name)
		require.NoError(t, err, "a day later")
		require.NoError(t, r.Close())
		_, err = w.cfg.Blobs.Open(w.ctx, loose)
		require.Error(t, err, "what nobody named is swept")
	}, longOffers)
}

func TestAVisitorCannotNameTheFileOfAnother(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		mine, theirs := w.visitor("mine"), w.visitor("theirs")
		name := w.upload("a secret")
		_, err := theirs.port().Post(w.ctx, theirs.ref, "k1", picture(name))
		require.NoError(t, err)
		_, err = mine.port().Post(w.ctx, mine.ref, "k2", picture(name))
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}
