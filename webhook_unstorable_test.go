package sangdam_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line"
)

// spoiledAdapter changes what another adapter makes of a webhook.
type spoiledAdapter struct {
	*line.Adapter
	spoil func(*adapter.Envelope)
}

func (a spoiledAdapter) Receive(acct channel.Account, r adapter.Request) (adapter.Receipt, error) {
	out, err := a.Adapter.Receive(acct, r)
	for i := range out.Envelopes {
		a.spoil(&out.Envelopes[i])
	}
	return out, err
}

// A provider repeats what is answered 503; so it is the answer for what may be
// stored later, never for what cannot be stored at all.
func TestAWebhookIsNeverPutOffForEver(t *testing.T) {
	long := strings.Repeat("k", 300)
	for name, c := range map[string]struct {
		spoil  func(*adapter.Envelope)
		status int
	}{
		"a long key":    {func(e *adapter.Envelope) { e.DedupKey = long }, http.StatusOK},
		"a long lane":   {func(e *adapter.Envelope) { e.Lane = long }, http.StatusOK},
		"both of 1 MiB": {func(e *adapter.Envelope) { e.Lane = strings.Repeat("l", 1<<20); e.DedupKey = e.Lane }, http.StatusOK},
		"no key":        {func(e *adapter.Envelope) { e.DedupKey = "" }, http.StatusUnprocessableEntity},
		"too big":       {func(e *adapter.Envelope) { e.Raw = make([]byte, 1<<20+1) }, http.StatusUnprocessableEntity},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(w *world) {
				w.halt()
				w.cfg.Adapters = []adapter.Adapter{spoiledAdapter{w.cfg.Adapters[0].(*line.Adapter), c.spoil}}
				var err error
				w.eng, err = sangdam.New(w.cfg)
				require.NoError(t, err)
				w.start()
				body := bodyOf(event("1", "hello", 0))
				require.Equal(t, c.status, w.post(body, w.signed(body)))
				require.Equal(t, c.status, w.post(body, w.signed(body)), "repeated")
				w.pass(3 * time.Second)
				if c.status != http.StatusOK {
					w.nothingStored()
					return
				}
				require.Equal(t, 1, w.only().Conversation.Unread, "stored once, and worked on")
			})
		})
	}
}
