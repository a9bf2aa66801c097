package sangdam_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
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
