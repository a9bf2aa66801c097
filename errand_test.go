package sangdam_test

import (
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store/blob"
	"github.com/sangdam/sangdam/ticket"
)

// A backup whose job is given up says so, and its owner may ask for another one at
// once; it goes when its time is over.
func TestABackupThatIsGivenUpHoldsUpNoOther(t *testing.T) {
	blobs := &stuckBlobs{Store: blob.Memory()}
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		blobs.left.Store(0)
		w.seeded(0, 3, "support")
		_, err := w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: conversation.Filter{}})
		require.NoError(t, err)
		w.settle()
		w.halt()
		w.pass(3 * time.Minute) // the claim of the process that is gone has ended
		w.takenAway("conversation_backup", 50)
		blobs.left.Store(1 << 30)
		w.resume()
		w.pass(time.Minute)
		list, err := w.eng.Backups(w.ctx, w.host)
		require.NoError(t, err)
		require.Equal(t, sangdam.ErrandFailed, list[0].State)
		require.NotEmpty(t, list[0].Reason)
		require.Empty(t, w.jobs("conversation_backup"))
		err = w.eng.WriteBackup(w.ctx, w.host, list[0].ID, io.Discard)
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.ErrorContains(t, err, "ask for another one")

		_, err = w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: conversation.Filter{}})
		require.NoError(t, err)
		require.Equal(t, 3, w.backup(w.host).Done)
		w.jump(9 * 24 * time.Hour)
		w.pass(130 * time.Minute)
		list, err = w.eng.Backups(w.ctx, w.host)
		require.NoError(t, err)
		require.Empty(t, list)
	}, withConfig(func(c *sangdam.Config) { c.Blobs = blobs }))
}

// The same of a bulk change: what was changed until then can be taken back.
func TestABulkChangeThatIsGivenUpSaysSo(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.delivery})
		w.halt()
		saved, err := w.eng.BulkTickets(w.ctx, w.agent("a1"), sangdam.BulkTickets{Tickets: []ticket.ID{id},
			Change: sangdam.TicketChange{AddTags: []string{"new"}}})
		require.NoError(t, err)
		w.takenAway("ticket_bulk", 20)
		w.resume()
		w.pass(time.Minute)
		r, err := w.eng.BulkProgress(w.ctx, w.agent("a1"), saved.ID)
		require.NoError(t, err)
		require.Equal(t, sangdam.ErrandFailed, r.Bulk.State)
		require.NotEmpty(t, r.Bulk.Reason)
		require.Empty(t, w.jobs("ticket_bulk"))
		_, err = w.eng.UndoBulk(w.ctx, w.agent("a1"), sangdam.UndoBulk{Bulk: saved.ID})
		require.ErrorContains(t, err, "changed nothing that can be taken back")
	})
}

// Where giving it up fails as well, again and again, its job is kept as dead, and
// whoever operates the desk has the change go on from there.
func TestABulkChangeWhoseEndFailedIsTriedAgain(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.delivery})
		w.halt()
		saved, err := w.eng.BulkTickets(w.ctx, w.agent("a1"), sangdam.BulkTickets{Tickets: []ticket.ID{id},
			Change: sangdam.TicketChange{AddTags: []string{"new"}}})
		require.NoError(t, err)
		w.takenAway("ticket_bulk", 28)
		w.resume()
		w.pass(time.Minute)
		state := func() sangdam.ErrandState {
			r, err := w.eng.BulkProgress(w.ctx, w.agent("a1"), saved.ID)
			require.NoError(t, err)
			return r.Bulk.State
		}
		require.Equal(t, sangdam.ErrandRunning, state())
		trouble, err := w.eng.Trouble(w.ctx, w.host, 10)
		require.NoError(t, err)
		require.Len(t, trouble.Dead, 1)
		require.NoError(t, w.eng.RetryJob(w.ctx, w.host, sangdam.RetryJob{Job: trouble.Dead[0].ID}))
		w.pass(time.Minute)
		require.Equal(t, sangdam.ErrandDone, state())
	})
}

// A job that could not even be given up goes after its time; what it was to do is
// not taken for something that goes on, and an erasure can be asked for again.
func TestAnErrandWhoseJobIsGoneIsGivenUp(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		id := d.open(sangdam.OpenTicket{Desk: "support", Category: d.delivery})
		contact, err := w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: conversation.Contact{Name: "Mina"}})
		require.NoError(t, err)
		w.halt()
		bulk, err := w.eng.BulkTickets(w.ctx, w.agent("a1"), sangdam.BulkTickets{Tickets: []ticket.ID{id},
			Change: sangdam.TicketChange{AddTags: []string{"new"}}})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.EraseContact(w.ctx, w.host,
			sangdam.EraseContact{Contact: contact.Contact, Version: contact.Version, Reason: "asked for it"})))
		w.takenAway("ticket_bulk", 28)
		w.takenAway("contact_erasure", 58)
		w.resume()
		w.pass(time.Minute)
		states := func() []string {
			r, err := w.eng.BulkProgress(w.ctx, w.agent("a1"), bulk.ID)
			require.NoError(t, err)
			er, err := w.eng.Erasure(w.ctx, w.host, contact.Contact)
			require.NoError(t, err)
			return []string{string(r.Bulk.State), string(er.State)}
		}
		require.Equal(t, []string{"running", "running"}, states(), "an operator may have the jobs done again")
		w.jump(100 * 24 * time.Hour)
		w.line.User("Jun").SendText("somebody is at work")
		w.pass(3 * time.Minute)
		require.Empty(t, w.jobs("ticket_bulk"))
		require.Equal(t, []string{"failed", "failed"}, states())
		plan, err := w.eng.PlanErasure(w.ctx, w.host, contact.Contact)
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.EraseContact(w.ctx, w.host,
			sangdam.EraseContact{Contact: contact.Contact, Version: plan.Version, Reason: "asked for it"})))
		for range 20 {
			w.settle()
		}
		require.Equal(t, "done", states()[1])
	})
}
