package sangdam_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/memory"
)

// What nobody comes back for goes after its time: the edit of a message that
// never came, the nonce of a link that nobody finished, a dead job, and what
// tells of offers long ended.
func TestWhatNobodyComesBackForIsDeleted(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		w.line.User("Mina").SendText("hi")
		w.settle()
		item := routing.ItemID(w.only().Conversation.ID)
		offer := w.only().Offer
		require.NotNil(t, offer)
		require.NoError(t, w.eng.Decline(w.ctx, w.agent(offer.Agent), sangdam.Decline{Offer: offer.ID}))
		contact, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Mina"}})
		require.NoError(t, err)
		_, err = w.eng.BeginLink(w.ctx, w.host, sangdam.BeginLink{Contact: contact.Contact})
		require.NoError(t, err)
		early := conversation.Early{Account: w.acct.ID, Chat: channel.Chat{Kind: channel.ChatUser, ID: "U1"},
			Message: "never", Unsent: true}
		w.update(func(ctx context.Context, tx store.Tx) error {
			early.At = tx.Now()
			if err := tx.Jobs().Enqueue(ctx, store.Job{ID: "dead", Kind: "strange", Due: tx.Now(), CreatedAt: tx.Now()}); err != nil {
				return err
			}
			return tx.Contacts().PutEarly(ctx, early)
		})
		claimed, err := w.db.System().ClaimJobs(w.ctx, "test", map[string]int{"strange": 1}, time.Minute)
		require.NoError(t, err)
		require.Len(t, claimed, 1)
		w.update(func(ctx context.Context, tx store.Tx) error {
			return tx.Jobs().Fail(ctx, "dead", claimed[0].Token, "hopeless", time.Time{})
		})
		kept := func() (what []string) {
			require.NoError(t, w.db.View(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
				if _, err := tx.Work().Offer(ctx, offer.ID); err == nil {
					what = append(what, "offer")
				}
				if list, err := tx.Work().Decisions(ctx, item); err == nil && len(list) > 0 && !list[0].At.After(offer.OfferedAt) {
					what = append(what, "decision")
				}
				if list, err := tx.Jobs().List(ctx, driver.JobDead, 10); err == nil && len(list) > 0 {
					what = append(what, "dead job")
				}
				owners, err := tx.Vault().Owners(ctx, "", 10)
				if len(owners) > 0 {
					what = append(what, "nonce")
				}
				return err
			}))
			return what
		}
		require.Subset(t, kept(), []string{"offer", "decision", "dead job", "nonce"})
		w.jump(100 * 24 * time.Hour)
		w.pass(3 * time.Minute)
		require.Empty(t, kept())
		err = w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
			_, err := tx.Contacts().TakeEarly(ctx, early.Account, early.Chat, early.Message)
			return err
		})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "the early edit is gone")
	})
}

func (w *replayWorld) update(fn func(ctx context.Context, tx store.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.ctx, ws, fn))
}

// Two databases over one directory of blobs would sweep each other's: the
// second one does not start, and the first goes on.
func TestADirectoryOfBlobsBelongsToOneDatabase(t *testing.T) {
	dir := t.TempDir()
	blobs, err := blob.Dir(dir, blob.DirOptions{})
	require.NoError(t, err)
	use := withConfig(func(c *sangdam.Config) { c.Blobs = blobs })
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.restart()
		other := w.cfg
		other.DB = memory.New(memory.Options{})
		second, err := sangdam.New(other)
		require.NoError(t, err)
		err = second.Run(w.ctx)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "another database")
	}, use)
}

// What is kept for a time goes when that is over, also where nothing else happens:
// what a customer wrote who never agreed that it is kept is gone after a month.
func TestWhatIsKeptForATimeGoesFromAQuietWorkspace(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.tells("1", true)
		mina := w.line.User("Mina")
		mina.SendText("private words")
		w.settle()
		for range 8 {
			w.jump(4 * 24 * time.Hour)
			w.pass(2 * time.Minute)
		}
		w.pressed(mina, "I agree")
		for _, c := range w.conversations() {
			for _, m := range w.detail(c.ID).Messages {
				require.NotContains(t, m.Content.Text, "private")
			}
		}
	})
}

// Each workspace has its turn once a day, however irregularly a process looks.
func TestEachWorkspaceHasItsTurnOnceADay(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	begin := time.Date(2026, 11, 30, 23, 59, 30, 0, time.UTC)
	turns := map[sangdam.WorkspaceID]int{}
	for from, end := begin, begin.Add(3*24*time.Hour); from.Before(end); {
		to := from.Add(time.Minute + time.Duration(rng.Int64N(int64(5*time.Minute))))
		if to.After(end) {
			to = end
		}
		for i := range 300 {
			if ws := sangdam.WorkspaceID(fmt.Sprint("w", i)); sangdam.TurnBetween(ws, from, to) {
				turns[ws]++
			}
		}
		from = to
	}
	require.Len(t, turns, 300)
	for ws, n := range turns {
		require.Equal(t, 3, n, "%s", ws)
	}
	require.True(t, sangdam.TurnBetween("w1", begin, begin.Add(25*time.Hour)), "after a day everybody's turn has been")
}
