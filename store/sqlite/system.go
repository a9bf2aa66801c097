package sqlite

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/sqlite/internal/raw"
)

// system implements driver.System; claims of lanes are in claims.go, jobs in
// jobs.go.
type system struct{ b *backend }

// write runs fn with the committer, outside any workspace.
func (s system) write(ctx context.Context, fn func(*tx) error) error {
	return s.b.submit(&job{ctx: ctx, fn: fn})
}

func (b *backend) numbered(num int64) *workspace {
	b.wsMu.RLock()
	defer b.wsMu.RUnlock()
	return b.byNum[num]
}

func (b *backend) know(w *workspace) {
	b.wsMu.Lock()
	defer b.wsMu.Unlock()
	b.workspaces[w.id], b.byNum[w.num] = w, w
}

func (s system) CreateWorkspace(ctx context.Context, ws driver.WorkspaceID, name string) error {
	return s.write(ctx, func(t *tx) error {
		var num int64
		ok, err := t.returning(`INSERT INTO workspaces (id, name) VALUES (?, ?) ON CONFLICT (id) DO NOTHING RETURNING num`,
			func(w raw.Row) { num = w.Int(0) }, string(ws), name)
		if err != nil {
			return err
		}
		if !ok {
			return errs.New(errs.AlreadyExists, "sqlite: there is a workspace %q already", ws)
		}
		t.committed(func() { t.b.know(&workspace{num, ws}) })
		return nil
	})
}

func (s system) Workspaces(ctx context.Context, having driver.Having) ([]driver.WorkspaceID, error) {
	if having == (driver.Having{}) {
		return s.all(ctx)
	}
	where, args := "TRUE", []any(nil)
	if having.Present {
		where += presentSQL
	}
	if before := having.Expired; before != nil {
		where += expiredSQL
		args = []any{micro(before.Raw), micro(before.Keys), before.Keys.UTC().Format(time.RFC3339), micro(before.Feed),
			micro(before.Results)}
	}
	return s.these(ctx, `SELECT num FROM workspaces w WHERE `+where, args...)
}

func (s system) all(ctx context.Context) ([]driver.WorkspaceID, error) {
	if err := s.b.nested(ctx); err != nil {
		return nil, err
	}
	s.b.wsMu.RLock()
	defer s.b.wsMu.RUnlock()
	all := make([]driver.WorkspaceID, 0, len(s.b.workspaces))
	for id := range s.b.workspaces {
		all = append(all, id)
	}
	slices.Sort(all)
	return all, nil
}

func (s system) Resolve(ctx context.Context, kind string, global []byte) (ws driver.WorkspaceID, id string, err error) {
	err = s.b.read(ctx, nil, func(t *tx) error {
		ok, err := t.first(`SELECT ws, id FROM documents WHERE kind = ? AND g = ?`, func(w raw.Row) {
			if known := s.b.numbered(w.Int(0)); known != nil {
				ws, id = known.id, w.Text(1)
			}
		}, kind, append([]byte{}, global...))
		if err == nil && !ok {
			err = errs.New(errs.NotFound, "sqlite: no %s has this value", kind)
		}
		return err
	})
	return ws, id, err
}

func (s system) Due(ctx context.Context, limit int) (out []driver.Deadline, err error) {
	if err := s.b.nested(ctx); err != nil {
		return nil, err
	}
	if s.b.earliest.after(micro(s.b.clock.read())) {
		return nil, s.b.remembered(ctx, nil, func(*tx) error { return ctx.Err() })
	}
	err = s.b.earliest.look(func() (int64, error) {
		first := int64(math.MaxInt64)
		return first, s.b.read(ctx, nil, func(t *tx) (err error) {
			if first, err = t.firstDeadline(); err != nil || first > micro(t.now) {
				return err
			}
			return t.each(`SELECT ws, kind, id, at FROM deadlines WHERE at <= ? ORDER BY at, ws, kind, id LIMIT ?`, func(w raw.Row) {
				if ws := s.b.numbered(w.Int(0)); ws != nil {
					out = append(out, driver.Deadline{Workspace: ws.id, Kind: w.Text(1), ID: w.Text(2), At: moment(w.Int(3))})
				}
			}, micro(t.now), limit)
		})
	})
	return out, err
}

// firstDeadline is when the first deadline is due; the end of time where there is none.
func (t *tx) firstDeadline() (int64, error) {
	at, ok, err := t.number(`SELECT at FROM deadlines ORDER BY at LIMIT 1`)
	if !ok {
		at = math.MaxInt64
	}
	return at, err
}

func (s system) NextDue(ctx context.Context) (driver.Dues, error) {
	var d driver.Dues
	err := s.b.read(ctx, nil, func(t *tx) error {
		d = driver.Dues{Now: t.now}
		first, err := t.firstDeadline()
		if err != nil {
			return err
		}
		if first != math.MaxInt64 {
			d.Deadlines = moment(first)
		}
		at, ok, err := t.number(`SELECT wake FROM jobs WHERE state IN ('queued', 'running') ORDER BY wake LIMIT 1`)
		if err != nil {
			return err
		}
		if ok {
			d.Jobs = moment(at)
		}
		for l, next := range map[*lanes]*time.Time{s.b.inbox: &d.Inbox, s.b.outbox: &d.Outbox} {
			if at, ok := l.next(micro(t.now)); ok {
				*next = moment(at)
			}
		}
		return nil
	})
	return d, err
}

// these lists the workspaces of a query of their numbers, ordered.
func (s system) these(ctx context.Context, sql string, args ...any) (out []driver.WorkspaceID, err error) {
	err = s.b.read(ctx, nil, func(t *tx) error {
		out = nil
		return t.each(sql, func(w raw.Row) {
			if ws := s.b.numbered(w.Int(0)); ws != nil {
				out = append(out, ws.id)
			}
		}, args...)
	})
	slices.Sort(out)
	return out, err
}

// Changed implements driver.System: the feed's numbers are one series.
func (s system) Changed(ctx context.Context, since string) (list []driver.WorkspaceID, next string, err error) {
	if since == "" {
		if _, next, err = s.changed(ctx, 0); err == nil { // the place first, so that nothing falls between
			list, err = s.all(ctx)
		}
		return list, next, err
	}
	after, err := s.b.epochs.parse(since)
	if errors.Is(err, driver.ErrCursorGone) {
		return s.Changed(ctx, "")
	}
	if err != nil {
		return nil, "", err
	}
	return s.changed(ctx, after)
}

func (s system) changed(ctx context.Context, after int64) (list []driver.WorkspaceID, next string, err error) {
	var last int64
	err = s.b.read(ctx, nil, func(t *tx) error {
		list = nil
		if last, _, err = t.number(`SELECT event_seq FROM state`); err != nil {
			return err
		}
		return t.each(`SELECT num FROM workspaces w WHERE EXISTS (SELECT 1 FROM events WHERE ws = w.num AND seq > ?)`, func(w raw.Row) {
			if ws := s.b.numbered(w.Int(0)); ws != nil {
				list = append(list, ws.id)
			}
		}, after)
	})
	slices.Sort(list)
	return list, s.b.epochs.cursor(last), err
}

// Conditions of workspaces; expiredSQL takes five ages.
const (
	presentSQL = ` AND (EXISTS (SELECT 1 FROM agents WHERE ws = w.num AND presence <> 'offline')
		OR EXISTS (SELECT 1 FROM items WHERE ws = w.num AND state <> 'done'))`
	expiredSQL = ` AND (EXISTS (SELECT 1 FROM envelopes WHERE ws = w.num AND state = 1 AND received < ?1)
		OR EXISTS (SELECT 1 FROM envelopes WHERE ws = w.num AND state = 3 AND received < ?2)
		OR EXISTS (SELECT 1 FROM outbox WHERE ws = w.num AND at < ?1 AND state NOT IN ('queued', 'sending'))
		OR EXISTS (SELECT 1 FROM attempts WHERE ws = w.num AND at < ?1 AND open = 0)
		OR EXISTS (SELECT 1 FROM early WHERE ws = w.num AND at < ?1)
		OR EXISTS (SELECT 1 FROM jobs WHERE ws = w.num AND state = 'done' AND created < ?1)
		OR EXISTS (SELECT 1 FROM jobs WHERE ws = w.num AND state = 'dead' AND created < ?2)
		OR EXISTS (SELECT 1 FROM offers WHERE ws = w.num AND pending = 0 AND at < ?2)
		OR EXISTS (SELECT 1 FROM decisions WHERE ws = w.num AND json_extract(doc, '$.at') < ?3)
		OR EXISTS (SELECT 1 FROM commands WHERE ws = w.num AND at < ?5)
		OR coalesce((SELECT at FROM events WHERE ws = w.num ORDER BY seq LIMIT 1) < ?4, FALSE))`
)

func (s system) Beat(ctx context.Context, node string, ttl time.Duration) ([]string, error) {
	if err := s.b.nested(ctx); err != nil {
		return nil, err
	}
	return s.b.nodes.beat(node, s.b.clock.read(), ttl), ctx.Err()
}

var errLeased = errs.New(errs.Conflict, "sqlite: another node holds this lease; try again when it has ended")

// Lease commits only when the holder changes.
func (s system) Lease(ctx context.Context, name, node string, ttl time.Duration) (int64, error) {
	if err := s.b.nested(ctx); err != nil {
		return 0, err
	}
	now := s.b.clock.read()
	mine, taken := s.b.nodes.holder(name, node, now)
	if taken {
		return 0, errLeased
	}
	if mine {
		if epoch, ok := s.b.nodes.prolong(name, node, now.Add(ttl)); ok {
			return epoch, ctx.Err()
		}
	}
	var epoch int64
	err := s.write(ctx, func(t *tx) error {
		if _, taken := s.b.nodes.holder(name, node, t.now); taken {
			return errLeased
		}
		if _, err := t.returning(`INSERT INTO leases (name, epoch) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET epoch = epoch + 1
			RETURNING epoch`, func(w raw.Row) { epoch = w.Int(0) }, name); err != nil {
			return err
		}
		// Taken before the commit, so that no other job of the batch takes it
		// too; a commit that fails leaves a lease that ends by itself.
		s.b.nodes.take(name, lease{epoch, node, t.now.Add(ttl)})
		return nil
	})
	if err != nil {
		return 0, err
	}
	return epoch, nil
}

func (s system) BeatAgents(ctx context.Context, ws driver.WorkspaceID, agents []routing.AgentID) ([]routing.AgentID, error) {
	w, err := s.b.workspace(ws)
	if err != nil || len(agents) == 0 {
		return nil, err
	}
	var offline []routing.AgentID
	err = s.b.submit(&job{ctx: ctx, ws: w, fn: func(t *tx) error {
		offline = nil
		for _, a := range agents {
			n, err := t.exec(`UPDATE agents SET beat = ? WHERE ws = ? AND id = ? AND presence <> 'offline'`, micro(t.now), t.ws, string(a))
			if err != nil {
				return err
			}
			if n == 0 {
				offline = append(offline, a)
			}
		}
		return nil
	}})
	return offline, err
}

func (s system) LostAgents(ctx context.Context, before time.Time, limit int) (out []driver.AgentRef, err error) {
	err = s.b.read(ctx, nil, func(t *tx) error {
		return t.each(`SELECT ws, id FROM agents WHERE presence <> 'offline' AND beat <> 0 AND beat < ? ORDER BY beat, ws, id LIMIT ?`,
			func(w raw.Row) {
				if ws := s.b.numbered(w.Int(0)); ws != nil {
					out = append(out, driver.AgentRef{Workspace: ws.id, Agent: routing.AgentID(w.Text(1))})
				}
			}, micro(before), limit)
	})
	return out, err
}

func (t *tx) meta(key string) (value []byte, ok bool, err error) {
	ok, err = t.first(`SELECT value FROM meta WHERE key = ?`, func(w raw.Row) { value = append([]byte{}, w.View(0)...) }, key)
	return value, ok, err
}

func (s system) Meta(ctx context.Context, key string) (value []byte, err error) {
	err = s.b.read(ctx, nil, func(t *tx) error {
		var ok bool
		value, ok, err = t.meta(key)
		if err == nil && !ok {
			err = errs.New(errs.NotFound, "sqlite: there is no value %q", key)
		}
		return err
	})
	return value, err
}

func (s system) PutMeta(ctx context.Context, key string, old, value []byte) error {
	return s.write(ctx, func(t *tx) error {
		present, ok, err := t.meta(key)
		if err != nil {
			return err
		}
		if ok != (old != nil) || !bytes.Equal(present, old) {
			return errs.New(errs.Conflict, "sqlite: the value %q is not the expected one; read it again", key)
		}
		return t.change(`INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value`, key,
			append([]byte{}, value...))
	})
}

func (s system) Now(ctx context.Context) (time.Time, error) {
	if err := s.b.nested(ctx); err != nil {
		return time.Time{}, err
	}
	return s.b.clock.read(), ctx.Err()
}

// checkSize is what a check tries to store: about as much as a transaction of
// the flow, so that a disk on which only the smallest still fits counts as full.
const checkSize = 32 << 10

// Check stores something that was not there and deletes it again.
func (s system) Check(ctx context.Context) error {
	err := s.write(ctx, func(t *tx) error {
		return t.change(`INSERT INTO meta (key, value) VALUES ('check', zeroblob(?))
			ON CONFLICT (key) DO UPDATE SET value = excluded.value`, checkSize)
	})
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error { return t.change(`DELETE FROM meta WHERE key = 'check'`) })
}
