package sangdam_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
)

// What an agent attaches is on the phone or was refused with a reason before.
func TestAnAttachmentOfAnAgentIsShownOrRefused(t *testing.T) {
	image := func(url string) channel.Content {
		return channel.Content{Kind: channel.KindImage, Media: &channel.Media{Name: "a.png", Type: "image/png", URL: url}}
	}
	file := channel.Media{Name: "견적.pdf", Type: "application/pdf", URL: "https://example.com/%EA%B2%AC.pdf"}
	for name, c := range map[string]struct {
		content channel.Content
		shown   bool
	}{
		"https":         {image("https://example.com/a.png"), true},
		"Hangul path":   {image("https://example.com/그림.png"), true},
		"a file's link": {channel.Content{Kind: channel.KindFile, Media: &file}, true},
		"http":          {image("http://example.com/a.png"), false},
		"no address":    {image(""), false},
		"no media":      {channel.Content{Kind: channel.KindImage}, false},
	} {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				w.online("a1")
				mina := w.line.User("Mina")
				owned := w.begun(mina, "hello")
				_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: owned.Conversation, Content: c.content})
				w.settle()
				if !c.shown {
					require.Error(t, err)
					require.Empty(t, mina.Received())
					return
				}
				require.NoError(t, err)
				require.Len(t, mina.Received(), 1)
			}, quiet)
		})
	}
}

// A picture that comes by LINE does not tell where it was taken, in what agents
// open, its small form, or what goes on; where the workspace keeps that, it is as
// it came. A film stays as it came.
func TestAPictureByLINEDoesNotSayWhereItWasTaken(t *testing.T) {
	var plain bytes.Buffer
	require.NoError(t, jpeg.Encode(&plain, image.NewGray(image.Rect(0, 0, 8, 8)), nil))
	said := "Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00 GPS N37.5665"
	photo := append([]byte{0xFF, 0xD8, 0xFF, 0xE1, 0, byte(len(said) + 2)}, said...)
	photo = append(photo, plain.Bytes()[2:]...)
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		got := func(name string, m linetest.Message) []byte {
			u := w.line.User(name)
			u.Send(m)
			w.settle()
			d := w.of(u)
			require.Equal(t, channel.MediaReady, d.Messages[0].Content.Media.State)
			file, err := w.eng.Attachment(w.ctx, w.host, sangdam.AttachmentRef{Message: d.Messages[0].ID})
			require.NoError(t, err)
			defer file.Close()
			raw, err := io.ReadAll(file)
			require.NoError(t, err)
			require.Equal(t, d.Messages[0].Content.Media.Size, int64(len(raw)))
			return raw
		}
		kept := got("Mina", linetest.Image("image/jpeg", photo))
		require.NotContains(t, string(kept), "N37.5665")
		_, err := jpeg.Decode(bytes.NewReader(kept))
		require.NoError(t, err)
		require.NotContains(t, string(got("Jun", linetest.File("photo.jpg", "image/jpeg", photo))), "N37.5665", "sent as a file")
		film := []byte("\x00\x00\x00\x18ftypmp42 GPS N37.5665")
		require.Equal(t, film, got("Suho", linetest.Video("video/mp4", film, time.Second, 0)), "films are not looked into")

		set, err := w.eng.TicketSetup(w.ctx, w.host)
		require.NoError(t, err)
		set.Settings.Masking.KeepPictureData = true
		require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: set.Settings})))
		w.pass(2 * time.Second)
		require.Equal(t, photo, got("Bora", linetest.Image("image/jpeg", photo)), "where the workspace keeps it")
	}, quiet)
}
