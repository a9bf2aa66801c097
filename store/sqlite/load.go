package sqlite

import (
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// load rebuilds what lives in memory, before anybody else runs.
func (b *backend) load(c *raw.Conn) error {
	steps := []func(*raw.Conn) error{b.loadState, b.loadWorkspaces, b.loadInbox, b.loadOutbox, b.freeJobs}
	for _, step := range steps {
		if err := step(c); err != nil {
			return fileError(b.path, err)
		}
	}
	return nil
}

// loadState reads the clock, the last numbers, the epochs of the feed, and those of
// leases, whose holders ended with their process.
func (b *backend) loadState(c *raw.Conn) error {
	err := c.Query(`SELECT at, event_seq, (SELECT coalesce(max(seq), 0) FROM envelopes), (SELECT coalesce(max(seq), 0) FROM outbox)
		FROM state`, func(r raw.Row) bool {
		b.clock.last.Store(r.Int(0))
		b.eventSeq, b.envelopeSeq, b.outboxSeq = r.Int(1), r.Int(2), r.Int(3)
		return true
	})
	if err != nil {
		return err
	}
	if err := b.epochs.load(c, b.eventSeq); err != nil {
		return err
	}
	return c.Query(`SELECT name, epoch FROM leases`, func(r raw.Row) bool {
		b.nodes.take(r.Text(0), lease{epoch: r.Int(1)})
		return true
	})
}

func (b *backend) loadWorkspaces(c *raw.Conn) error {
	return c.Query(`SELECT num, id FROM workspaces`, func(r raw.Row) bool {
		b.know(&workspace{r.Int(0), driver.WorkspaceID(r.Text(1))})
		return true
	})
}

func readKey(r raw.Row) laneKey {
	return laneKey{accountKey{r.Int(0), r.Text(1)}, r.Text(2)}
}

func (b *backend) loadInbox(c *raw.Conn) error {
	now := micro(b.clock.read())
	err := c.Query(`SELECT ws, account, lane, seq, not_before FROM envelopes WHERE state = 0 ORDER BY ws, seq`, func(r raw.Row) bool {
		l := b.inbox.get(readKey(r))
		l.entries = append(l.entries, entry{seq: r.Int(3), notBefore: r.Int(4)})
		return true
	})
	b.inbox.placeAll(now)
	return err
}

// loadOutbox also finds the Attempts of the process before: those that it
// began are doubtful.
func (b *backend) loadOutbox(c *raw.Conn) error {
	now := micro(b.clock.read())
	err := c.Query(`SELECT ws, account, lane, seq, not_before FROM outbox WHERE `+pendingRow+` ORDER BY ws, seq`, func(r raw.Row) bool {
		l := b.outbox.get(readKey(r))
		l.entries = append(l.entries, entry{seq: r.Int(3), notBefore: r.Int(4)})
		return true
	})
	if err != nil {
		return err
	}
	err = c.Query(`SELECT ws, account, lane, id, not_before, begun FROM attempts WHERE open = 1`, func(r raw.Row) bool {
		b.outbox.get(readKey(r)).attempt = &openAttempt{id: r.Text(3), notBefore: r.Int(4), begun: r.Bool(5)}
		return true
	})
	if err != nil {
		return err
	}
	err = c.Query(`SELECT ws, account, until FROM pauses WHERE until > ?`, func(r raw.Row) bool {
		b.outbox.paused[accountKey{r.Int(0), r.Text(1)}] = r.Int(2)
		return true
	}, now)
	b.outbox.placeAll(now)
	return err
}

func (s *lanes) placeAll(now int64) {
	for _, l := range s.all {
		s.place(l, now)
	}
}

// freeJobs ends the claims of the process before.
func (b *backend) freeJobs(c *raw.Conn) error {
	now := micro(b.clock.read())
	_, err := c.Exec(`UPDATE jobs SET wake = ?, token = '' WHERE state = 'running' AND wake > ?`, now, now)
	return err
}
