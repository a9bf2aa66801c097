package postgres

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/store/driver"
)

// Outbound lanes are born claimed: the transaction that brings work to a lane that
// is free claims it for this process, while somebody here waits for lanes. That
// spares the commit of a claim, and the lane's row never becomes one that others
// look for. It is handed over in memory; who does not come for it in time leaves
// it to the end of its lease, as one that dies does.

// bornFor is how long a lane may lie in memory. Its claim lasts so much longer.
const bornFor = time.Second

// cradle holds lanes that were born claimed and not yet handed over.
type cradle struct {
	mu    sync.Mutex
	room  int             // how many lanes are waited for
	here  context.Context // of who waits: once it has ended nobody does
	lease time.Duration
	lanes []bornLane
}

type bornLane struct {
	ref driver.LaneRef
	at  time.Time
}

// waits notes that somebody got all there was and waits for so many lanes more.
func (c *cradle) waits(ctx context.Context, room int, lease time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.here, c.room, c.lease = ctx, room, lease
}

// places takes room for at most n lanes.
func (c *cradle) places(n int) (int, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.here == nil || c.here.Err() != nil {
		return 0, 0
	}
	n = min(n, c.room)
	c.room -= n
	return n, c.lease
}

func (c *cradle) add(refs []driver.LaneRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range refs {
		c.lanes = append(c.lanes, bornLane{r, time.Now()})
	}
}

// take hands over at most so many lanes, and those that lay too long.
func (c *cradle) take(limit int) (fresh, old []driver.LaneRef) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for ; n < len(c.lanes) && len(fresh) < limit; n++ {
		if l := c.lanes[n]; time.Since(l.at) < bornFor {
			fresh = append(fresh, l.ref)
		} else {
			old = append(old, l.ref)
		}
	}
	c.lanes = c.lanes[n:]
	return fresh, old
}

func (c *cradle) any() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.lanes) > 0
}

// bear touches lanes as touchLanes does and claims those that were not there, for
// accounts that do not pause.
const bear = `INSERT INTO sd.outbox_lanes AS l (ws, account, lane, due, token, until)
	SELECT $1::text, u.account, u.lane, coalesce(c.until, clock_timestamp()), CASE WHEN c.until IS NOT NULL THEN $4::text END, c.until
	FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS u(account, lane, n), LATERAL (SELECT CASE WHEN NOT EXISTS
		(SELECT 1 FROM sd.outbox_pauses p WHERE p.ws = $1 AND p.account = u.account AND p.until > clock_timestamp())
		THEN clock_timestamp() + $5::interval END AS until) c ORDER BY u.n
	ON CONFLICT (ws, account, lane) DO UPDATE SET due = least(l.due, clock_timestamp())
	WHERE (l.token IS NULL OR l.until <= clock_timestamp()) AND (l.due IS NULL OR l.due > clock_timestamp())
	RETURNING account, lane, token, until`

// bearing claims the first of the lanes, which are outbound ones in their order and
// due now, as far as they are waited for, and returns the others.
func (t *tx) bearing(lanes laneTouches) (stmt, laneTouches) {
	n := 0
	for n < len(lanes) && lanes[n].due.IsZero() {
		n++
	}
	if t.host {
		n = 0
	}
	n, lease := t.b.cradle.places(n)
	if n == 0 {
		return stmt{}, lanes
	}
	var accounts, names []string
	for _, l := range lanes[:n] {
		accounts, names = append(accounts, l.account), append(names, l.lane)
	}
	token := uuid.NewString()
	return query(bear, key(t.ws), accounts, names, token, lease+bornFor).rows(func(r pgx.Rows) error {
		var account, lane string
		var claimed *string
		var until *time.Time
		err := r.Scan(&account, &lane, &claimed, &until)
		if err == nil && claimed != nil && *claimed == token {
			t.born = append(t.born, driver.LaneRef{Workspace: t.ws, Claim: driver.Claim{Account: unkey[channel.AccountID](account),
				Lane: unkey[string](lane), Token: token, Until: micro(*until)}})
		}
		return err
	}), lanes[n:]
}
