package sangdam_test

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/bot"
	"github.com/sangdam/sangdam/routing"
)

// fetching is the LINE adapter with another way to fetch attachments.
type fetching struct {
	*line.Adapter
	fetch func(ctx context.Context, sink adapter.MediaSink) error
}

func (f fetching) FetchMedia(ctx context.Context, _ channel.Account, _ string, sink adapter.MediaSink) error {
	return f.fetch(ctx, sink)
}

// fetchingBy restarts the engine with such an adapter.
func (w *replayWorld) fetchingBy(fetch func(ctx context.Context, sink adapter.MediaSink) error) {
	w.cfg.Adapters = []adapter.Adapter{fetching{w.cfg.Adapters[0].(*line.Adapter), fetch}}
	w.restart()
}

// jobs are the running and dead jobs of a kind.
func (w *replayWorld) jobs(kind string) (out []sangdam.JobStatus) {
	w.t.Helper()
	all, err := w.eng.Jobs(w.ctx, w.host, 100)
	require.NoError(w.t, err)
	for _, j := range all {
		if j.Kind == kind {
			out = append(out, j)
		}
	}
	return out
}

// A fetch that takes twenty times as long as a lease is one fetch, and whoever
// asks sees how far it is.
func TestALongFetchKeepsItsClaimAndTellsHowFarItIs(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		var begun atomic.Int64
		w.fetchingBy(func(ctx context.Context, sink adapter.MediaSink) error {
			begun.Add(1)
			if err := sink.Begin("video/mp4", 10); err != nil {
				return err
			}
			for range 10 {
				select {
				case <-ctx.Done():
					return ctx.Err()
				case <-time.After(time.Minute):
				}
				if _, err := sink.Write([]byte("x")); err != nil {
					return err
				}
			}
			return nil
		})
		w.line.User("Mina").Send(linetest.Video("video/mp4", []byte("film"), time.Second, 0))
		w.pass(5*time.Minute + 30*time.Second)
		require.Equal(t, channel.MediaPending, w.attachment().State)
		running := w.jobs("media")
		require.Len(t, running, 1)
		require.Equal(t, "running", running[0].State)
		require.Equal(t, 1, running[0].Attempts)
		require.Equal(t, 50, running[0].Progress)
		_, err := w.eng.Jobs(w.ctx, w.agent("a1"), 10)
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		w.pass(5 * time.Minute)
		require.Equal(t, channel.MediaReady, w.attachment().State)
		require.Empty(t, w.jobs("media"))
		require.EqualValues(t, 1, begun.Load())
	}, quiet)
}

// One that never ends is cut off at its bound, asked for again with growing
// pauses, and given up after a day.
func TestAFetchThatNeverEndsIsGivenUp(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.line.AddFault(linetest.Fault{Endpoint: "content", Kind: linetest.FaultHangBefore, Nth: 1, Times: 1 << 20})
		w.line.User("Mina").Send(linetest.Image("image/png", pixel))
		w.pass(2 * time.Hour)
		require.LessOrEqual(t, len(w.line.Calls("content")), 10, "asked in two hours")
		require.Equal(t, channel.MediaPending, w.attachment().State)
		w.jump(23 * time.Hour)
		w.pass(time.Hour)
		require.Equal(t, channel.MediaFailed, w.attachment().State)
		require.Equal(t, channel.ReasonNetwork, w.attachment().Reason)
	}, quiet)
}

// Pictures that nobody delivers keep neither names nor bots waiting.
func TestSlowAttachmentsHoldUpNothingElse(t *testing.T) {
	talker := &talker{name: "intake"}
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.line.AddFault(linetest.Fault{Endpoint: "content", Kind: linetest.FaultHangBefore, Nth: 1, Times: 1 << 20})
		for i := range 40 {
			w.line.User(fmt.Sprint("Sender ", i)).Send(linetest.Image("image/png", pixel))
		}
		w.settle()
		late := w.line.User("Jun")
		late.SendText("hello")
		w.settle()
		require.Equal(t, "Jun", w.of(late).Contact.Name)
		require.Contains(t, late.Texts(), "intake: hello")
	}, withStream(func(s *routing.WorkStream) { quietStream(s); s.Bot = "intake" }),
		withConfig(func(c *sangdam.Config) { c.Bots = []bot.Bot{talker} }))
}

// Addresses of customers that never answer do not hold up what LINE keeps.
func TestSlowAddressesDoNotHoldUpPictures(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // who connects hears nothing
	require.NoError(t, err)
	defer silent.Close()
	w := newReplayWorld(t, true, quiet, withConfig(func(c *sangdam.Config) {
		c.Poll, c.AllowPrivate = 20*time.Millisecond, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	}))
	for range 12 {
		w.line.User("Rogue").
			Send(linetest.ExternalImage("https://"+silent.Addr().String()+"/a.png", "https://"+silent.Addr().String()+"/b.png"))
	}
	require.Eventually(t, func() bool { return len(w.jobs("media_outside")) == 8 }, 10*time.Second, 10*time.Millisecond)
	mina := w.line.User("Mina")
	mina.Send(linetest.Image("image/png", pixel))
	require.Eventually(t, func() bool {
		for _, c := range w.conversations() {
			for _, m := range w.detail(c.ID).Messages {
				if media := m.Content.Media; media != nil && media.State == channel.MediaReady {
					return true
				}
			}
		}
		return false
	}, 10*time.Second, 10*time.Millisecond)
	require.Len(t, w.jobs("media_outside"), 8)
}

// takenAway claims the job of a kind n times as processes that die in it.
func (w *replayWorld) takenAway(kind string, n int) {
	w.t.Helper()
	for range n {
		claimed, err := w.db.System().ClaimJobs(w.ctx, "mayfly", map[string]int{kind: 1}, time.Millisecond)
		require.NoError(w.t, err)
		require.Len(w.t, claimed, 1)
		w.pass(2 * time.Millisecond)
	}
}

// A try counts when it begins: what ends the process each time is not begun for
// ever.
func TestAJobThatTakesTheProcessWithItIsGivenUp(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.line.AddFault(linetest.Fault{Endpoint: "content", Kind: linetest.Fault500Before, Nth: 1, Times: 1})
		w.line.User("Mina").Send(linetest.Image("image/png", pixel))
		w.settle()
		w.halt()
		w.pass(5 * time.Second)
		w.takenAway("media", 100)
		asked := len(w.line.Calls("content"))
		w.resume()
		w.pass(time.Minute)
		require.Equal(t, channel.MediaFailed, w.attachment().State)
		require.Len(t, w.line.Calls("content"), asked)
		require.Empty(t, w.jobs("media"))
	}, quiet)
}

// The same of a bot: its customer gets a person.
func TestABotThatTakesTheProcessWithItHandsOver(t *testing.T) {
	asked := 0
	deadly := botFunc(func(ctx context.Context, _ bot.Turn) (bot.Reply, error) {
		asked++
		<-ctx.Done()
		return bot.Reply{}, ctx.Err()
	})
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		asked = 0
		mina := w.line.User("Mina")
		mina.SendText("hello")
		w.settle()
		w.halt()
		w.pass(time.Minute)
		w.takenAway("bot", 3)
		w.resume()
		w.pass(time.Minute)
		require.Equal(t, 1, asked)
		d := w.of(mina)
		require.NotEqual(t, conversation.ControlBot, d.Conversation.Control)
		require.Equal(t, conversation.BotFailed, d.Conversation.BotOutcome)
		require.Empty(t, w.jobs("bot"))
	}, withStream(func(s *routing.WorkStream) { quietStream(s); s.Bot = deadly.Name() }),
		withConfig(func(c *sangdam.Config) { c.Bots = []bot.Bot{deadly} }))
}
