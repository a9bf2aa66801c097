package postgres

import (
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// A statement's plan stays on its connection. While tables are empty all their
// indexes cost the same, so that a plan may look a row up by an index that finds
// the workspace alone, which is dear once there are many rows. The server plans
// anew when the table has been analysed, for which the store cares (see
// statistics), but not before it is seen to have grown. In the first seconds plans
// therefore grow old by themselves, and later ones ever later: planning all
// statements takes some 10 ms.
const (
	plansFirst  = 100 * time.Millisecond
	plansAtMost = 30 * time.Second
)

// plansKey is where a connection keeps how old its plans may become.
const plansKey = "sangdam plans"

// plans says when a connection's plans are made anew, and how long the next ones
// may stay.
type plans struct {
	until time.Time
	next  time.Duration
}

// replanning is the statement that has the connection's plans made anew, if they
// are too old. A new connection gets it at once, so that it is prepared together
// with the others.
func replanning(c *pgxpool.Conn, now time.Time) []stmt {
	kept := c.Conn().PgConn().CustomData()
	p, planned := kept[plansKey].(*plans)
	if !planned {
		p = &plans{next: plansFirst}
		kept[plansKey] = p
	}
	if now.Before(p.until) {
		return nil
	}
	p.until, p.next = now.Add(p.next), min(2*p.next, plansAtMost)
	return []stmt{query("DISCARD PLANS")}
}
