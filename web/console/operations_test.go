package console_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/internal/browsertest"
	"github.com/sangdam/sangdam/store"
)

// TestTroubleIsSeenAndTriedAgain on the page of operations: an answer that LINE
// refused, an event that could not be understood, and a job that was given up, each
// with what one can do about it.
func TestTroubleIsSeenAndTriedAgain(t *testing.T) {
	w := newWorld(t)
	mina := w.line.User("Mina")
	mina.SendText("hello")
	id := w.owned("Mina", "ara")
	w.line.AddFault(linetest.Fault{Kind: linetest.FaultContent, Nth: 1})
	_, err := w.eng.Answer(t.Context(), w.as("ara"), sangdam.Answer{Conversation: id, Content: channel.Text("Your parcel left today")})
	require.NoError(t, err)
	bad := adapter.Envelope{Account: "shop", Lane: "x", DedupKey: "bad", Raw: []byte(`{"type": 5}`)}
	_, err = w.db.AppendEnvelopes(t.Context(), ws, []adapter.Envelope{bad})
	require.NoError(t, err)
	w.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Jobs().Enqueue(ctx, store.Job{ID: "hopeless", Kind: "of before", Due: tx.Now()})
	})
	claimed, err := w.db.System().ClaimJobs(t.Context(), "n", map[string]int{"of before": 1}, time.Minute)
	require.NoError(t, err)
	require.Len(t, claimed, 1)
	w.update(func(ctx context.Context, tx store.Tx) error {
		return tx.Jobs().Fail(ctx, "hopeless", claimed[0].Token, "the provider is gone", time.Time{})
	})
	w.eventually("all three are trouble", func() bool {
		trouble, err := w.eng.Trouble(t.Context(), w.host, 10)
		require.NoError(t, err)
		lost, err := w.eng.Undelivered(t.Context(), w.host)
		require.NoError(t, err)
		return len(trouble.Dead) == 1 && len(trouble.Quarantined) == 1 && len(lost) == 1
	})
	p := w.open(browsertest.Open(t), "admin")
	p.openPage("/operations")
	p.shows(".page", "Your parcel left today")
	p.shows(".page", "the provider is gone")
	p.shot("operations")
	trouble, err := w.eng.Trouble(t.Context(), w.host, 10)
	require.NoError(t, err)
	lost, err := w.eng.Undelivered(t.Context(), w.host)
	require.NoError(t, err)
	for i, path := range []string{"/messages/" + string(lost[0].Message.ID) + "/resend", "/operations/jobs/hopeless/retry",
		"/operations/envelopes/" + string(trouble.Quarantined[0].Envelope.ID) + "/requeue"} {
		require.True(t, eval[bool](p, fmt.Sprintf(`!!document.querySelector('form[action$="%s"] button')`, path)), path)
		status, _ := w.fetch(http.MethodPost, path, url.Values{"key": {fmt.Sprint("again-", i)}})
		require.Less(t, status, http.StatusBadRequest, path)
	}
	w.eventually("the customer has the answer", func() bool { return slices.Contains(mina.Texts(), "Your parcel left today") })
	trouble, err = w.eng.Trouble(t.Context(), w.host, 10)
	require.NoError(t, err)
	require.Empty(t, trouble.Dead, "it waits for its turn again")
}

func (w *world) update(fn func(context.Context, store.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.t.Context(), ws, fn))
}
