package sangdam_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
)

// attachment is the media of the only customer's message that has some.
func (w *replayWorld) attachment() channel.Media {
	w.t.Helper()
	for _, m := range w.only().Messages {
		if m.Content.Media != nil {
			return *m.Content.Media
		}
	}
	require.Fail(w.t, "no message has an attachment")
	return channel.Media{}
}

// What passes does not cost an attachment, however long it takes within a day.
func TestAnAttachmentOutlivesAnHourOfTrouble(t *testing.T) {
	always := func(endpoint string, kind linetest.FaultKind) linetest.Fault {
		return linetest.Fault{Endpoint: endpoint, Kind: kind, Nth: 1, Times: 1 << 20}
	}
	for name, c := range map[string]struct {
		faults  []linetest.Fault
		message linetest.Message
	}{
		"LINE fails":              {[]linetest.Fault{always("content", linetest.Fault500Before)}, linetest.Image("image/png", pixel)},
		"the connection breaks":   {[]linetest.Fault{always("content", linetest.FaultCutBefore)}, linetest.Image("image/png", pixel)},
		"the token is wrong":      {[]linetest.Fault{always("content", linetest.Fault401)}, linetest.Image("image/png", pixel)},
		"too many requests":       {[]linetest.Fault{always("content", linetest.FaultRate)}, linetest.Image("image/png", pixel)},
		"a film is prepared long": {nil, linetest.Video("video/mp4", []byte("film"), time.Second, 12)},
	} {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				for _, f := range c.faults {
					w.line.AddFault(f)
				}
				w.line.User("Mina").Send(c.message)
				w.pass(time.Hour)
				if len(c.faults) > 0 {
					require.Equal(t, channel.MediaPending, w.attachment().State)
				}
				require.Less(t, len(w.line.Calls("content")), 25, "asked with growing pauses")
				w.line.ClearFaults()
				w.pass(time.Hour)
				require.Equal(t, channel.MediaReady, w.attachment().State)
				require.Empty(t, w.attachment().Reason)
			}, quiet)
		})
	}
}

// What cannot change ends at the first answer, with the reason.
func TestAnAttachmentThatCannotBeHadIsNotAskedForAgain(t *testing.T) {
	for name, c := range map[string]struct {
		message linetest.Message
		lose    func(w *replayWorld, id string)
		max     int64
		state   channel.MediaState
		reason  channel.Reason
	}{
		"LINE could not prepare it": {linetest.Video("video/mp4", []byte("film"), time.Second, 0),
			func(w *replayWorld, id string) { w.line.FailContent(id) }, 0, channel.MediaGone, channel.ReasonGone},
		"larger than what is kept": {linetest.File("big.bin", "application/octet-stream", make([]byte, 2000)),
			nil, 1000, channel.MediaFailed, channel.ReasonTooLarge},
		"an address of ours": {linetest.ExternalImage("https://127.0.0.1/a.png", "https://127.0.0.1/b.png"),
			nil, 0, channel.MediaFailed, channel.ReasonUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
				w.line.Hold()
				posted := w.line.User("Mina").Send(c.message)
				if c.lose != nil {
					c.lose(w, posted.MessageID)
				}
				w.line.Release(false)
				w.pass(5 * time.Second)
				calls := len(w.line.Calls("content"))
				require.LessOrEqual(t, calls, 1)
				w.pass(3 * time.Hour)
				require.Equal(t, c.state, w.attachment().State)
				require.Equal(t, c.reason, w.attachment().Reason)
				require.Len(t, w.line.Calls("content"), calls)
			}, quiet, withConfig(func(cfg *sangdam.Config) { cfg.MaxMedia = c.max }))
		})
	}
}

// After a day it is given up and says why; whoever serves the customer may have
// it fetched again.
func TestAnAttachmentIsGivenUpAfterADayAndFetchedAgainOnDemand(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.line.AddFault(linetest.Fault{Endpoint: "content", Kind: linetest.Fault401, Nth: 1, Times: 1 << 20})
		mina := w.line.User("Mina")
		mina.Send(linetest.Image("image/png", pixel))
		w.pass(25 * time.Hour)
		require.Equal(t, channel.MediaFailed, w.attachment().State)
		require.Equal(t, channel.ReasonCredentials, w.attachment().Reason)
		require.Less(t, len(w.line.Calls("content")), 100)
		m := w.only().Messages[0]

		require.NoError(t, w.eng.FetchMedia(w.ctx, w.agent("a1"), sangdam.FetchMedia{Key: "k", Message: m.ID}))
		require.Equal(t, channel.MediaPending, w.attachment().State)
		w.pass(time.Minute)
		require.Equal(t, channel.MediaPending, w.attachment().State, "LINE still refuses: tried for another day")
		w.line.ClearFaults()
		require.NoError(t, w.eng.FetchMedia(w.ctx, w.agent("a1"), sangdam.FetchMedia{Key: "k2", Message: m.ID}))
		w.settle()
		require.Equal(t, channel.MediaReady, w.attachment().State, "at once, without waiting for the next try")
		first := w.attachment().Blob
		w.pass(2 * time.Hour)
		require.Equal(t, first, w.attachment().Blob, "the try that waited leaves it alone")

		err := w.eng.FetchMedia(w.ctx, w.agent("a1"), sangdam.FetchMedia{Message: m.ID})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "it is there")
		mina.SendText("no attachment")
		w.settle()
		said := w.only().Messages
		err = w.eng.FetchMedia(w.ctx, w.agent("a1"), sangdam.FetchMedia{Message: said[len(said)-1].ID})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		states := []channel.MediaState{}
		evs, err := w.eng.ConversationEvents(w.ctx, w.host, m.Conversation, 0, 200)
		require.NoError(t, err)
		for _, e := range evs {
			if e.Kind == conversation.EvMedia {
				states = append(states, channel.MediaState(e.To))
			}
		}
		require.Equal(t, []channel.MediaState{channel.MediaFailed, channel.MediaPending, channel.MediaPending, channel.MediaReady}, states)
	}, quiet)
}

// An account that is gone has no attachments to give.
func TestAnAttachmentOfADeletedAccountEnds(t *testing.T) {
	inWorld(t, func(w *world) {
		w.line.AddFault(linetest.Fault{Endpoint: "content", Kind: linetest.Fault500Before, Nth: 1, Times: 1 << 20})
		w.line.User("Mina").Send(linetest.Image("image/png", pixel))
		w.pass(time.Minute)
		cfg, err := w.eng.Accounts(w.ctx, w.host)
		require.NoError(t, err)
		require.NoError(t, w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: w.acct.ID, Version: cfg[0].Version}))
		w.pass(time.Hour)
		require.Equal(t, channel.MediaGone, w.only().Messages[0].Content.Media.State)
	}, quiet)
}
