package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// The cursor is a snapshot: which transactions had ended when it was taken.
// Every event row carries the transaction that wrote it, so what is new since a
// snapshot is exactly what is visible now and was written by a transaction that
// the snapshot did not see: one at or above its xmax, or one of those in
// progress then (xip). Both are index lookups, so that a foreign transaction
// that stays open for hours costs one number in the cursor and holds nothing
// up. New rows are paged by (snapshot pair, id): the upper snapshot is fixed in
// the cursor until its rows are used up. Within an aggregate ids follow
// versions, since a writer appends after it read the version that it raises. A
// row may hold several events; a page may end among them.
type cursor struct {
	Epoch string // of the feed
	Life  int64  // of the server, in which it was given; see lives.go
	At    int64  // no later than here in its log is what the cursor saw
	From  snapshot
	// To, After and Skip are set while rows between the two snapshots remain: all up
	// to After were given, and so many events of the next one.
	To    *snapshot
	After int64
	Skip  int
}

// snapshot is PostgreSQL's pg_snapshot.
type snapshot struct {
	Xmin, Xmax uint64
	Xip        []uint64 // in progress, ascending
}

// maxCursor bounds what is decoded; maxXip bounds transactions in progress in
// one snapshot, far beyond any max_connections.
const (
	maxCursor = 64 << 10
	maxXip    = 4096
)

func (s snapshot) String() string {
	xip := make([]string, len(s.Xip))
	for i, x := range s.Xip {
		xip[i] = strconv.FormatUint(x, 10)
	}
	return strconv.FormatUint(s.Xmin, 10) + ":" + strconv.FormatUint(s.Xmax, 10) + ":" + strings.Join(xip, ",")
}

func parseSnapshot(text string) (snapshot, error) {
	bad := errs.New(errs.Invalid, "store: not a snapshot")
	part := strings.Split(text, ":")
	if len(part) != 3 {
		return snapshot{}, bad
	}
	var s snapshot
	var err error
	if s.Xmin, err = strconv.ParseUint(part[0], 10, 63); err != nil {
		return snapshot{}, bad
	}
	if s.Xmax, err = strconv.ParseUint(part[1], 10, 63); err != nil {
		return snapshot{}, bad
	}
	for x := range strings.SplitSeq(part[2], ",") {
		if x == "" && part[2] == "" {
			break
		}
		n, err := strconv.ParseUint(x, 10, 63)
		if err != nil || n < s.Xmin || n >= s.Xmax || len(s.Xip) == maxXip || len(s.Xip) > 0 && n <= s.Xip[len(s.Xip)-1] {
			return snapshot{}, bad
		}
		s.Xip = append(s.Xip, n)
	}
	if s.Xmin == 0 || s.Xmin > s.Xmax {
		return snapshot{}, bad
	}
	return s, nil
}

// wire is a cursor as JSON: short names, since clients carry it.
type wire struct {
	Epoch string `json:"e"`
	Life  int64  `json:"l"`
	At    int64  `json:"w"`
	From  string `json:"f"`
	To    string `json:"t,omitempty"`
	After int64  `json:"a,omitempty"`
	Skip  int    `json:"s,omitempty"`
}

func (c cursor) String() string {
	w := wire{Epoch: c.Epoch, Life: c.Life, At: c.At, From: c.From.String(), After: c.After, Skip: c.Skip}
	if c.To != nil {
		w.To = c.To.String()
	}
	raw, _ := json.Marshal(w) // strings and a number
	return base64.RawURLEncoding.EncodeToString(raw)
}

func parseCursor(text string) (cursor, error) {
	bad := errs.New(errs.Invalid, "store: the feed cursor is not one that Feed returned")
	if len(text) > maxCursor {
		return cursor{}, bad
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return cursor{}, bad
	}
	var w wire
	if err := json.Unmarshal(raw, &w); err != nil || w.After < 0 || w.Skip < 0 || w.At < 0 || w.Epoch == "" {
		return cursor{}, bad
	}
	c := cursor{Epoch: w.Epoch, Life: w.Life, At: w.At, After: w.After, Skip: w.Skip}
	if c.From, err = parseSnapshot(w.From); err != nil {
		return cursor{}, bad
	}
	if w.To == "" {
		if w.After != 0 || w.Skip != 0 {
			return cursor{}, bad
		}
		return c, nil
	}
	to, err := parseSnapshot(w.To)
	if err != nil || to.Xmax < c.From.Xmax {
		return cursor{}, bad
	}
	c.To = &to
	return c, nil
}

// Feed implements driver.Backend.
func (b *backend) Feed(ctx context.Context, ws driver.WorkspaceID, text string, limit int) ([]driver.Event, string, error) {
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	if err := b.enter(); err != nil {
		return nil, "", err
	}
	defer b.running.Done()
	if _, err := b.workspaceOf(ctx, ws); err != nil {
		return nil, "", err
	}
	if text == "" {
		c, err := b.present(ctx)
		return nil, c.String(), err
	}
	c, err := parseCursor(text)
	if at, is := driver.TimeOf(text); is {
		c, err = b.cursorAt(ctx, ws, at)
	}
	if err != nil {
		return nil, "", err
	}
	if c.Epoch != b.feedEpoch {
		return nil, "", driver.ErrCursorGone
	}
	return b.page(ctx, ws, c, limit)
}

// cursorAt is the cursor of a snapshot that saw no transaction from the first one
// of that time on, nor any that is still in progress and may commit such an event
// later.
func (b *backend) cursorAt(ctx context.Context, ws driver.WorkspaceID, at time.Time) (cursor, error) {
	var first, purged string
	c, err := b.present(ctx)
	if err != nil {
		return cursor{}, err
	}
	err = b.run(ctx, query(`SELECT least((SELECT xid FROM sd.events WHERE ws = $1 AND at >= $2 ORDER BY xid LIMIT 1),
		pg_snapshot_xmin(pg_current_snapshot()))::text, purged::text FROM sd.feed_state WHERE ws = $1`, key(ws), at).
		rows(func(r pgx.Rows) error { return r.Scan(&first, &purged) }))
	if err != nil {
		return cursor{}, err
	}
	from, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return cursor{}, err
	}
	gone, err := strconv.ParseUint(purged, 10, 63)
	if err != nil {
		return cursor{}, err
	}
	from = max(from, gone+1)
	c.From = snapshot{Xmin: from, Xmax: from}
	return c, nil
}

// firstPage selects by index what a snapshot ($2 its xmax, $3 its xip) had not
// seen, sorts it, and names the snapshot of its own, which the rows are visible
// to, and its place in the log in the row 0. nextPage walks on by id from where the
// last page ended, where rows of the pair lie close together.
const (
	firstPage = `SELECT 0::bigint, convert_to(concat_ws(' ', ` + flushedSQL + `, pg_current_snapshot()), 'UTF8')
		UNION ALL (SELECT id, doc FROM (
		SELECT id, doc FROM sd.events WHERE ws = $1 AND xid >= $2::text::xid8
		UNION ALL SELECT id, doc FROM sd.events WHERE ws = $1 AND xid = ANY($3::text[]::xid8[])) n ORDER BY id LIMIT $4)`
	nextPage = `SELECT id, doc FROM sd.events WHERE ws = $1 AND id > $5 AND pg_visible_in_snapshot(xid, $3::text::pg_snapshot)
		AND NOT pg_visible_in_snapshot(xid, $2::text::pg_snapshot) ORDER BY id LIMIT $4`
)

// eventsInRow is how many events a row holds at least, mostly: so many fewer rows
// are asked for than events, and more where they are not enough.
const eventsInRow = 4

// page reads one page, mostly in one round trip.
func (b *backend) page(ctx context.Context, ws driver.WorkspaceID, c cursor, limit int) ([]driver.Event, string, error) {
	var evs []driver.Event
	for n := limit/eventsInRow + 1; ; {
		rows, err := b.feedRows(ctx, ws, &c, n)
		if err != nil {
			return nil, "", err
		}
		evs = slices.Grow(evs, min(limit, eventsInRow*len(rows)))
		for _, r := range rows {
			first := len(evs)
			if evs, err = appendEvents(evs, r.doc); err != nil {
				return nil, "", err
			}
			skip := 0
			if r.id == c.After+1 {
				skip = min(c.Skip, len(evs)-first)
				evs = slices.Delete(evs, first, first+skip)
			}
			if len(evs) > limit {
				c.After, c.Skip = r.id-1, skip+limit-first
				return evs[:limit], c.String(), nil
			}
			c.After, c.Skip = r.id, 0
		}
		if len(rows) < n {
			return evs, cursor{Epoch: c.Epoch, Life: c.Life, At: c.At, From: *c.To}.String(), nil
		}
	}
}

// feedRow is a row of the feed as it is stored.
type feedRow struct {
	id  int64
	doc []byte
}

// feedRows reads at most n rows in one round trip. The upper snapshot of a cursor
// that has none yet is the one in which the rows are read.
func (b *backend) feedRows(ctx context.Context, ws driver.WorkspaceID, c *cursor, n int) (list []feedRow, err error) {
	read := func(r pgx.Rows) error {
		var row feedRow
		if err := r.Scan(&row.id, &row.doc); err != nil {
			return err
		}
		if row.id == 0 {
			at, text, _ := strings.Cut(string(row.doc), " ")
			now, err := parseSnapshot(text)
			c.To = &now
			if err == nil {
				c.At, err = strconv.ParseInt(at, 10, 64)
			}
			return err
		}
		list = append(list, row)
		return nil
	}
	xmax, xip := strconv.FormatUint(c.From.Xmax, 10), c.From.xipText()
	seen := c.At
	rows := query(b.lives.sql(firstPage), key(ws), xmax, xip, n)
	if c.To != nil {
		rows = query(nextPage, key(ws), c.From.String(), c.To.String(), n, c.After)
	}
	gone, life := false, int64(0)
	// After the rows, so that a purge between the two is noticed.
	err = b.run(ctx, rows.rows(read), query(`SELECT purged >= $2::text::xid8 OR EXISTS (SELECT 1 FROM unnest($3::text[]::xid8[]) x
		WHERE x <= purged AND coalesce(pg_xact_status(x), 'committed') = 'committed'), `+lifeSQL+` FROM sd.feed_state WHERE ws = $1`,
		key(ws), xmax, xip).rows(func(r pgx.Rows) error { return r.Scan(&gone, &life) }))
	if err == nil && life != c.Life {
		err = b.goesOn(ctx, c.Life, seen, life)
		c.Life = life
	}
	if err == nil && (gone || c.To.Xmax < c.From.Xmax) { // or of this database's future: it was restored
		err = driver.ErrCursorGone
	}
	return list, err
}

func (s snapshot) xipText() []string {
	out := make([]string, len(s.Xip))
	for i, x := range s.Xip {
		out[i] = strconv.FormatUint(x, 10)
	}
	return out
}

// settleFeed reads the feed's epoch. Transaction numbers mean nothing after a
// logical dump and restore: rows from beyond this server's present are then
// dropped and a new epoch begins, so that every old cursor is told to reload.
func (b *backend) settleFeed(ctx context.Context) error {
	foreign := false
	err := b.run(ctx, query(`SELECT feed_epoch, EXISTS (SELECT 1 FROM sd.workspaces w
		WHERE (SELECT e.xid FROM sd.events e WHERE e.ws = w.ws ORDER BY e.xid DESC LIMIT 1) >= pg_snapshot_xmax(pg_current_snapshot()))
		FROM sd.schema_info`).
		rows(func(r pgx.Rows) error { return r.Scan(&b.feedEpoch, &foreign) }))
	if err != nil || !foreign {
		return err
	}
	b.opts.Logger.Warn("store: the database was restored from a dump; the feed begins anew and clients reload")
	return b.run(ctx, query(`DELETE FROM sd.events WHERE xid >= pg_snapshot_xmax(pg_current_snapshot())`),
		query(`UPDATE sd.feed_state SET purged = '0'`),
		query(`UPDATE sd.schema_info SET feed_epoch = gen_random_uuid()::text RETURNING feed_epoch`).
			rows(func(r pgx.Rows) error { return r.Scan(&b.feedEpoch) }))
}
