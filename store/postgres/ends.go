package postgres

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

// dues are the deadlines that a transaction which reads ahead sets, or clears
// with the zero time.
type dues map[[2]string]time.Time

// take returns the statements and forgets them.
func (d *dues) take(ws string) []stmt {
	var set, cleared struct {
		kinds, ids []string
		at         []time.Time
	}
	for _, k := range slices.SortedFunc(maps.Keys(*d), func(x, y [2]string) int {
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]))
	}) {
		to, at := &set, (*d)[k]
		if at.IsZero() {
			to = &cleared
		}
		to.kinds, to.ids, to.at = append(to.kinds, k[0]), append(to.ids, k[1]), append(to.at, at)
	}
	*d = nil
	var list []stmt
	if len(cleared.ids) > 0 {
		list = append(list, query(`DELETE FROM sd.deadlines d USING (SELECT x.at FROM unnest($2::text[], $3::text[]) AS u(kind, id), LATERAL
			(SELECT t.ctid AS at FROM sd.deadlines t WHERE t.ws = $1 AND t.kind = u.kind AND t.id = u.id FOR UPDATE) x) f
			WHERE d.ctid = f.at`,
			ws, cleared.kinds, cleared.ids))
	}
	if len(set.ids) > 0 {
		list = append(list, query(`INSERT INTO sd.deadlines (ws, kind, id, at)
			SELECT $1::text, kind, id, at FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS u(kind, id, at)
			ON CONFLICT (ws, kind, id) DO UPDATE SET at = excluded.at`, ws, set.kinds, set.ids, set.at))
	}
	return list
}

// ends are the envelopes that a transaction which reads ahead ends under the
// claims of their lanes, and the lanes that it gives back.
type ends struct {
	held  map[driver.Claim]bool // lanes to be checked: true for one that is given back
	done  []endedEnvelope
	given func(more bool) // of each lane that is given back and not empty: whether it is due
}

type endedEnvelope struct{ id, account, lane string }

func (e *ends) hold(c driver.Claim) {
	if e.held == nil {
		e.held = map[driver.Claim]bool{}
	}
	if _, known := e.held[c]; !known {
		e.held[c] = false
	}
}

// eachLane looks for claimed lanes below the others, in the order of the arrays.
const eachLane = ` FROM unnest($2::text[], $3::text[], $4::text[]) AS u(account, lane, token), LATERAL `

const claimLost = "the claim of a lane is lost: its lease ended or another took it"

// heldSQL locks claimed lanes and fails the Update when one of the claims is lost.
func heldSQL(lock string) string {
	return `WITH w AS (SELECT 1` + eachLane + `(SELECT 1 FROM sd.inbox_lanes l WHERE l.ws = $1 AND l.account = u.account AND l.lane = u.lane
		AND l.token = u.token AND l.until > clock_timestamp() ` + lock + `) x)
		SELECT sd.must((SELECT count(*) FROM w) = $5, '` + codeStale + `', '` + claimLost + `')`
}

var (
	heldLanes = heldSQL("FOR KEY SHARE")
	// What follows sees what was committed before the lanes were locked, so that no
	// announced work is lost.
	lockedLanes = heldSQL("FOR UPDATE")

	endEnvelopes = `WITH w AS (UPDATE sd.inbox e SET state = 'done', ended_at = clock_timestamp()
		FROM (SELECT x.at FROM unnest($2::text[], $3::text[], $4::text[]) AS u(id, account, lane), LATERAL
			(SELECT t.ctid AS at FROM sd.inbox t WHERE t.ws = $1 AND t.id = u.id AND t.account = u.account AND t.lane = u.lane
			AND t.state = 'pending' FOR NO KEY UPDATE) x) f WHERE e.ctid = f.at RETURNING 1)
		SELECT sd.must((SELECT count(*) FROM w) = $5, '` + codeStale + `', '` + envelopeEnded + `')`

	// leaveGiven deletes lanes that are given back and empty, and frees the others for
	// the time of their heads. The lanes are locked, so that nothing is added to them.
	leaveGiven = `WITH f AS MATERIALIZED (SELECT x.*` + eachLane + `(SELECT l.ctid AS at, (SELECT greatest(coalesce(e.not_before,
		least(e.received_at, clock_timestamp())), clock_timestamp() - interval '1 s') FROM sd.inbox e WHERE e.ws = l.ws
		AND e.account = l.account AND e.lane = l.lane AND e.state = 'pending' ORDER BY e.seq LIMIT 1) AS due
		FROM sd.inbox_lanes l WHERE l.ws = $1 AND l.account = u.account AND l.lane = u.lane AND l.token = u.token OFFSET 0) x),
		d AS (DELETE FROM sd.inbox_lanes l USING f WHERE l.ctid = f.at AND f.due IS NULL)
		UPDATE sd.inbox_lanes l SET token = NULL, until = NULL, due = f.due FROM f
		WHERE l.ctid = f.at AND f.due IS NOT NULL RETURNING l.due <= clock_timestamp()`
)

// take returns the statements and forgets what they do.
func (e *ends) take(ws string) []stmt {
	type lanes struct{ accounts, lanes, tokens []string }
	var held, given lanes
	for _, c := range slices.SortedFunc(maps.Keys(e.held), func(x, y driver.Claim) int {
		return cmp.Or(cmp.Compare(key(x.Account), key(y.Account)), cmp.Compare(key(x.Lane), key(y.Lane)))
	}) {
		to := &held
		if e.held[c] {
			to = &given
		}
		to.accounts, to.lanes, to.tokens = append(to.accounts, key(c.Account)), append(to.lanes, key(c.Lane)),
			append(to.tokens, key(c.Token))
	}
	var list []stmt
	if n := len(e.done); n > 0 {
		ids, accounts, of := make([]string, n), make([]string, n), make([]string, n)
		for i, d := range e.done {
			ids[i], accounts[i], of[i] = d.id, d.account, d.lane
		}
		list = append(list, query(endEnvelopes, ws, ids, accounts, of, n))
	}
	if n := len(held.lanes); n > 0 {
		list = append(list, query(heldLanes, ws, held.accounts, held.lanes, held.tokens, n))
	}
	if n := len(given.lanes); n > 0 {
		more := e.given
		list = append(list, query(lockedLanes, ws, given.accounts, given.lanes, given.tokens, n),
			query(leaveGiven, ws, given.accounts, given.lanes, given.tokens).rows(func(r pgx.Rows) error {
				var due bool
				err := r.Scan(&due)
				more(due)
				return err
			}))
	}
	e.held, e.done = nil, nil
	return list
}

// GiveBack implements driver.Session. Inbound lanes go with the ends of their envelopes,
// where a transaction reads ahead; others at the commit.
func (t *tx) GiveBack(_ context.Context, sort driver.News, claims ...driver.LaneRef) (bool, error) {
	if err := t.writable(); err != nil || t.host {
		return false, err
	}
	for _, c := range claims {
		if c.Workspace != t.ws {
			return false, errs.New(errs.Invalid, "store: a claim of workspace %s in a transaction of another", c.Workspace)
		}
	}
	t.wrote = true
	switch {
	case sort == driver.NewsOutbox:
		t.given = append(t.given, claims...)
	case sort != driver.NewsInbox:
		return false, errs.New(errs.Invalid, "store: only inbound and outbound lanes are claimed")
	case t.ahead == nil:
		return false, nil
	}
	for _, c := range claims {
		if sort == driver.NewsInbox {
			t.ahead.ends.hold(c.Claim)
			t.ahead.ends.held[c.Claim] = true
			t.ahead.ends.given = t.moreIn(driver.NewsInbox)
		}
	}
	return true, nil
}

// moreIn notes that a lane that is given back has more, if that is due.
func (t *tx) moreIn(news driver.News) func(due bool) {
	return func(due bool) {
		if due {
			t.news |= news
		}
	}
}

// giveBack are the statements that give outbound lanes back.
func (t *tx) giveBack() []stmt {
	if len(t.given) == 0 {
		return nil
	}
	slices.SortFunc(t.given, func(x, y driver.LaneRef) int {
		return cmp.Or(cmp.Compare(key(x.Account), key(y.Account)), cmp.Compare(key(x.Lane), key(y.Lane)))
	})
	ws, account, lane, token := refArrays(t.given)
	t.given = nil
	more := t.moreIn(driver.NewsOutbox)
	return []stmt{query(outboxLanes.lock, ws, account, lane, token), query(outboxLanes.drop, ws, account, lane, token),
		query(outboxLanes.free+` RETURNING l.due <= clock_timestamp()`, ws, account, lane, token).rows(func(r pgx.Rows) error {
			var due *bool
			err := r.Scan(&due)
			more(due != nil && *due)
			return err
		})}
}
