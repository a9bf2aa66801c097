package sangdam_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/webhook/webhooktest"
)

// A provider that fails for an hour, in whichever way, gets what was said meanwhile in
// order and once each soon after, and is not asked for ever and ever until then.
func TestAnHourOfAProvidersTrouble(t *testing.T) {
	for _, kind := range []linetest.FaultKind{linetest.Fault500Before, linetest.Fault500After, linetest.FaultHangBefore,
		linetest.FaultHangAfter, linetest.FaultCutBefore, linetest.FaultRate, linetest.FaultRecipient} {
		t.Run(string(kind), func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.online("a1", "a2")
				mina := w.line.User("Mina")
				mina.SendText("hello")
				w.settle()
				agent := w.accept().Agent
				one := w.only().Conversation.ID
				minutes := func(n int) {
					for range n {
						w.pass(time.Minute)
						beaten(t, w.eng.Heartbeat(w.ctx, ws, agent))
					}
				}
				minutes(2) // the free right to reply is over
				told := mina.Texts()
				w.line.AddFault(linetest.Fault{Kind: kind, Probability: 1})
				before := len(w.line.Calls(""))
				for i := range 12 {
					_, err := w.eng.Answer(w.ctx, w.agent(agent), sangdam.Answer{Conversation: one,
						Content: channel.Content{Kind: channel.KindText, Text: fmt.Sprint("answer ", i)}})
					require.NoError(t, err)
					told = append(told, fmt.Sprint("answer ", i))
					minutes(5)
				}
				calls := len(w.line.Calls("")) - before
				w.line.ClearFaults()
				w.pass(2 * time.Second) // what the account was asked to wait
				joon := w.line.User("Joon")
				joon.SendText("hello")
				w.pass(5 * time.Second)
				require.Equal(t, []string{"Hello!"}, joon.Texts(), "nobody else waits as long as what has failed so often")
				minutes(6)
				require.Equal(t, told, mina.Texts())
				for _, m := range w.detail(one).Messages {
					require.NotEqual(t, conversation.StatusFailed, m.Status, m.Content.Text)
					require.NotEqual(t, conversation.StatusQueued, m.Status, m.Content.Text)
				}
				require.Less(t, calls, 60, "in an hour, for one customer")
			})
		})
	}
}

// Whoever asks to be asked later, however soon, is not given up sooner than who is only
// down.
func TestAReceiverThatIsBusyForHours(t *testing.T) {
	var o outside
	inWorld(t, func(w *world) {
		o.targets(w)
		for range 20 {
			o.hooks.Fail(webhooktest.Fault{Status: 429, RetryAfter: 1})
		}
		w.notice("hook", notify.Notice{ID: "n", Data: json.RawMessage(`{}`)})
		w.hours(10)
		d := w.deliveries("hook")[0]
		require.Equal(t, channel.OutboxQueued, d.State)
		require.Contains(t, d.Detail, "Too Many Requests")
		require.LessOrEqual(t, d.Tries, 6)
	}, withOutside(&o))
}
