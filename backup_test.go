package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/backup"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/blob"
)

// seeded writes n ended conversations of a message each, on a desk.
func (w *world) seeded(from, n int, desk string) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.ctx, ws, func(ctx context.Context, tx store.Tx) error {
		for i := from; i < from+n; i++ {
			d := draft.Open(conversation.Conversation{ID: conversation.ID(fmt.Sprintf("seeded-%04d", i)),
				Thread: fmt.Sprint("seeded ", i), Desk: conversation.DeskID(desk), WorkStream: "line", Account: w.acct.ID, Channel: "line",
				Chat: channel.Chat{Kind: channel.ChatUser, ID: fmt.Sprint("U", i)}}, "", "customer", tx.Now())
			d.AddInbound(conversation.Message{ID: conversation.MessageID(fmt.Sprintf("m-%04d", i)),
				Author:  conversation.Author{Kind: conversation.ByCustomer},
				Content: channel.Text(fmt.Sprint("question ", i)), Account: w.acct.ID, Chat: d.C.Chat}, nil)
			if err := d.Close("system", "seeded"); err != nil {
				return err
			}
			if _, err := tx.Conversations().SaveConversation(ctx, d.C); err != nil {
				return err
			}
			if _, err := tx.Conversations().SaveMessage(ctx, d.Messages[0]); err != nil {
				return err
			}
			if err := tx.Conversations().AppendEvents(ctx, d.Events...); err != nil {
				return err
			}
		}
		return nil
	}))
}

// backup is the principal's newest, when it is ready.
func (w *replayWorld) backup(p sangdam.Principal) sangdam.Backup {
	w.t.Helper()
	var b sangdam.Backup
	for range 100 {
		w.settle()
		list, err := w.eng.Backups(w.ctx, p)
		require.NoError(w.t, err)
		if b = list[0]; b.State == sangdam.ErrandReady {
			return b
		}
	}
	require.Fail(w.t, "the backup never came to its end", "%+v", b)
	return b
}

// lines is the file of a backup.
func (w *replayWorld) lines(p sangdam.Principal, id string) (out []backup.Line) {
	w.t.Helper()
	var file bytes.Buffer
	require.NoError(w.t, w.eng.WriteBackup(w.ctx, p, id, &file))
	for dec := json.NewDecoder(&file); dec.More(); {
		var l backup.Line
		require.NoError(w.t, dec.Decode(&l))
		out = append(out, l)
	}
	return out
}

// A backup has what matches the filter, each once, as it is shown, and goes when
// its time is over.
func TestABackupHasWhatMatches(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		mina := w.line.User("Mina")
		owned := w.begun(mina, "my card 4111-1111-1111-1111")
		w.answer("a1", owned.Conversation, "thank you")
		m := w.detail(owned.Conversation).Messages[0]
		_, err := w.eng.MaskMessage(w.ctx, w.host, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
			Spans: []privacy.Span{{Start: len("my card "), End: len(m.Content.Text)}}})
		require.NoError(t, err)
		w.seeded(0, 120, "support")
		require.ErrorIs(t, errOf(w.eng.BackUp(w.ctx, w.agent("a1"), sangdam.BackUp{})), sangdam.ErrPermissionDenied)

		saved, err := w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Key: "b"})
		require.NoError(t, err)
		again, err := w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Key: "b"})
		require.NoError(t, err)
		require.Equal(t, saved.ID, again.ID)
		b := w.backup(w.host)
		require.Equal(t, []int{121, 121, 0, 3, 3}, []int{b.Total, b.Done, b.LeftOut, b.Parts, b.Made})
		lines := w.lines(w.host, b.ID)
		require.Len(t, lines, 121)
		require.True(t, slices.IsSortedFunc(lines, func(x, y backup.Line) int { return x.OpenedAt.Compare(y.OpenedAt) }))
		require.Equal(t, "Mina", lines[0].Customer)
		require.Equal(t, "my card "+strings.Repeat("*", 19), lines[0].Messages[0].Text)
		require.Equal(t, "thank you", lines[0].Messages[len(lines[0].Messages)-1].Text)
		require.True(t, lines[0].Handled)
		require.Equal(t, conversation.EvOpened, lines[0].Events[0].Kind)
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		require.ErrorIs(t, w.eng.WriteBackup(w.ctx, boss, b.ID, io.Discard), sangdam.ErrNotFound, "somebody else's")
		rows := w.audited("conversation.backup")
		require.Equal(t, []string{"ok", "taken"}, []string{rows[len(rows)-2].Outcome, rows[len(rows)-1].Outcome})

		v := w.visitor("Jun") // the address is left coarse
		v.ref.From = visitor.Origin{IP: "203.0.113.7", Device: "Firefox"}
		v.says("hi")
		w.settle()
		_, err = w.eng.BackUp(w.ctx, w.host,
			sangdam.BackUp{Filter: conversation.Filter{States: []conversation.State{conversation.StateOpen}}})
		require.NoError(t, err)
		open := w.lines(w.host, w.backup(w.host).ID)
		require.Equal(t, map[string]string{"ip": "203.0.0.0/16", "device": "Firefox"}, open[0].Attributes)

		handled := true
		_, err = w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: conversation.Filter{Handled: &handled}})
		require.NoError(t, err)
		require.Len(t, w.lines(w.host, w.backup(w.host).ID), 1)
		_, err = w.eng.BackUp(w.ctx, w.host, sangdam.BackUp{Filter: conversation.Filter{Category: "none"}})
		require.NoError(t, err)
		require.Empty(t, w.lines(w.host, w.backup(w.host).ID))
		if w.real {
			return
		}
		names, err := w.cfg.Blobs.List(w.ctx, time.Now().Add(time.Hour), "", 100)
		require.NoError(t, err)
		require.Len(t, names, 6)
		w.jump(9 * 24 * time.Hour)
		w.pass(130 * time.Minute) // the records go, and within an hour the bytes
		list, err := w.eng.Backups(w.ctx, w.host)
		require.NoError(t, err)
		require.Empty(t, list)
		require.ErrorIs(t, w.eng.WriteBackup(w.ctx, w.host, b.ID, io.Discard), sangdam.ErrNotFound)
		names, err = w.cfg.Blobs.List(w.ctx, time.Now().Add(time.Hour), "", 100)
		require.NoError(t, err)
		require.Empty(t, names, "the bytes are gone too")
	})
}

// stuckBlobs lets puts pass until there are some, and then holds them until they
// are let go: a process that ends in the middle.
type stuckBlobs struct {
	blob.Store
	left atomic.Int64
}

func (s *stuckBlobs) Put(ctx context.Context, r io.Reader, limit int64) (blob.Info, error) {
	if s.left.Add(-1) < 0 {
		<-ctx.Done()
		return blob.Info{}, ctx.Err()
	}
	return s.Store.Put(ctx, r, limit)
}

// A process that ends in the middle is followed by one that goes on; what changed
// hands meanwhile is asked for anew, and what came since is not in it.
func TestABackupGoesOnAfterAKill(t *testing.T) {
	blobs := &stuckBlobs{Store: blob.Memory()}
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		blobs.left.Store(1)
		w.seeded(0, 120, "support")
		boss := sangdam.AgentPrincipal(ws, "a1", sangdam.RoleAdministrator)
		_, err := w.eng.BackUp(w.ctx, boss, sangdam.BackUp{Filter: conversation.Filter{Desks: []conversation.DeskID{"support"}}})
		require.NoError(t, err)
		w.settle()
		list, err := w.eng.Backups(w.ctx, boss)
		require.NoError(t, err)
		require.Equal(t, []int{120, 50, 1}, []int{list[0].Total, list[0].Done, list[0].Made})
		require.ErrorIs(t, errOf(w.eng.BackUp(w.ctx, boss, sangdam.BackUp{})), sangdam.ErrConflict, "one at a time")
		require.ErrorIs(t, w.eng.WriteBackup(w.ctx, boss, list[0].ID, io.Discard), sangdam.ErrConflict, "not ready")
		w.seeded(200, 1, "support")
		w.halt()
		blobs.left.Store(1 << 30)
		w.resume()
		w.pass(3 * time.Minute) // until the claim of the process before has ended
		b := w.backup(boss)
		require.Equal(t, 120, b.Done)
		seen := map[conversation.ID]bool{}
		for _, l := range w.lines(boss, b.ID) {
			require.False(t, seen[l.Conversation], "%s is there twice", l.Conversation)
			seen[l.Conversation] = true
		}
		require.Len(t, seen, 120)
	}, withConfig(func(c *sangdam.Config) { c.Blobs = blobs }))
}

// What may not be seen when its part is made is left out.
func TestABackupAsksForEachConversation(t *testing.T) {
	hidden := atomic.Bool{}
	policy := sangdam.PolicyFunc(func(ctx context.Context, who sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
		if a == sangdam.ActRead && hidden.Load() && r.ID == "seeded-0003" {
			return sangdam.ErrPermissionDenied
		}
		return sangdam.DefaultPolicy{}.Authorize(ctx, who, a, r)
	})
	inWorld(t, func(w *world) {
		r := &replayWorld{world: w, t: t}
		hidden.Store(true)
		w.seeded(0, 5, "support")
		_, err := w.eng.BackUp(w.ctx, sangdam.AgentPrincipal(ws, "a1", sangdam.RoleAdministrator), sangdam.BackUp{})
		require.NoError(t, err)
		b := r.backup(sangdam.AgentPrincipal(ws, "a1", sangdam.RoleAdministrator))
		require.Equal(t, 4, b.Done)
	}, withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}
