package sqlite

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// unread reports that what was claimed is to be read, at least in part.
func (c claimed) unread() bool {
	return c.attempt != nil || slices.ContainsFunc(c.entries, func(e entry) bool { return e.row == nil })
}

// take claims lanes and reads what they hold; what cannot be read is given
// back.
func (s system) take(ctx context.Context, l *lanes, limit, batch int, lease time.Duration,
	read func(*tx, claimed, driver.LaneRef) error) error {
	if err := s.b.nested(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	now := s.b.clock.read()
	until := now.Add(lease)
	got := l.claim(limit, max(1, batch), micro(now), micro(until))
	if len(got) == 0 {
		return nil
	}
	view := s.b.read
	if !slices.ContainsFunc(got, claimed.unread) {
		view = s.b.remembered
	}
	err := view(ctx, nil, func(t *tx) error {
		for _, c := range got {
			ref := driver.LaneRef{Claim: driver.Claim{Account: channel.AccountID(c.key.account), Lane: c.key.lane,
				Token: c.token, Until: until}}
			if ws := s.b.numbered(c.key.ws); ws != nil {
				ref.Workspace = ws.id
			}
			if err := read(t, c, ref); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		for _, c := range got {
			l.release(c.key, c.token, micro(now))
		}
	}
	return err
}

func (s system) release(l *lanes, claims []driver.LaneRef) {
	now := micro(s.b.clock.read())
	for _, c := range claims {
		if ws, err := s.b.workspace(c.Workspace); err == nil {
			l.release(laneKey{accountKey{ws.num, string(c.Account)}, c.Lane}, c.Token, now)
		}
	}
}

func (s system) ClaimInbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) (out []driver.InboxLane, err error) {
	err = s.take(ctx, s.b.inbox, limit, batch, lease, func(t *tx, c claimed, ref driver.LaneRef) error {
		lane := driver.InboxLane{LaneRef: ref}
		for _, e := range c.entries {
			if e.row != nil {
				lane.Envelopes = append(lane.Envelopes, *e.row)
				continue
			}
			err := t.each(`SELECT `+envelopeColumns+` FROM envelopes WHERE seq = ?`, func(w raw.Row) {
				lane.Envelopes = append(lane.Envelopes, scanEnvelope(w))
			}, e.seq)
			if err != nil {
				return err
			}
		}
		out = append(out, lane)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s system) Release(_ context.Context, sort driver.News, claims ...driver.LaneRef) error {
	of := s.b.inbox
	if sort == driver.NewsOutbox {
		of = s.b.outbox
	}
	s.release(of, claims)
	return nil
}

func (s system) ClaimOutbox(ctx context.Context, _ string, limit, batch int, lease time.Duration) (out []driver.OutboxLane, err error) {
	err = s.take(ctx, s.b.outbox, limit, batch, lease, func(t *tx, c claimed, ref driver.LaneRef) error {
		lane := driver.OutboxLane{LaneRef: ref}
		if err := t.readLane(c, &lane); err != nil {
			return err
		}
		out = append(out, lane)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (t *tx) readLane(c claimed, lane *driver.OutboxLane) (err error) {
	if c.attempt == nil {
		for _, e := range c.entries {
			rows, err := list(t, scanOutbox, `SELECT `+outboxColumns+` FROM outbox WHERE seq = ?`, e.seq)
			if err != nil {
				return err
			}
			lane.Rows = append(lane.Rows, rows...)
		}
		return nil
	}
	at, err := one(t, scanAttempt, "Attempt "+c.attempt.id, `SELECT doc, tries FROM attempts WHERE ws = ? AND id = ?`,
		c.key.ws, c.attempt.id)
	if err != nil {
		return err
	}
	lane.Attempt, lane.Doubtful = &at, c.attempt.begun
	lane.Rows, err = list(t, scanOutbox,
		`SELECT `+outboxColumns+` FROM outbox WHERE ws = ? AND attempt = ? AND `+pendingRow+` ORDER BY seq`, c.key.ws, c.attempt.id)
	return err
}

func scanAttempt(w raw.Row) (adapter.Attempt, error) {
	var at adapter.Attempt
	err := decode(w.View(0), &at)
	at.Tries = int(w.Int(1))
	return at, err
}
