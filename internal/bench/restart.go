package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	_ "modernc.org/sqlite" // the bare scan

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/bench/measure"
	"github.com/sangdam/sangdam/internal/id"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/seal"
)

// restart is B14, the engine's part: how long after the start of a process the
// first offer is committed, with many conversations waiting and many agents
// online, against a bare scan of the tables that a Board is built from. The
// offer must be the right one: the oldest conversation.
func restart(ctx context.Context, o options) (report, error) {
	p, err := newPlace(ctx, o.store)
	if err != nil {
		return report{}, err
	}
	defer p.gone()
	sealer, err := seed(ctx, p, o)
	if err != nil {
		return report{}, err
	}
	var first, scan, beyond []float64
	for round := range o.rounds {
		s, err := bareScan(ctx, p)
		if err != nil {
			return report{}, err
		}
		f, err := firstOffer(ctx, p, sealer, o, round)
		if err != nil {
			return report{}, err
		}
		first, scan, beyond = append(first, f.Seconds()), append(scan, s.Seconds()), append(beyond, (f-s).Seconds())
	}
	same := func(v float64) float64 { return v }
	return report{Figures: map[string]any{"conversations": o.conversations, "agents": o.agents, "rounds": o.rounds,
			"first_offer_s": measure.Of(first, same), "bare_scan_s": measure.Of(scan, same),
			"beyond_the_scan_s": measure.Of(beyond, same)}},
		nil
}

// seed writes the open work and leaves every agent offline.
func seed(ctx context.Context, p place, o options) (seal.Sealer, error) {
	db, err := p.open(ctx)
	if err != nil {
		return nil, err
	}
	d, err := newDesk(ctx, db, sangdam.Hooks{}, o.agents, 1000) // room in every round
	if err == nil {
		err = d.populate(ctx, o.conversations, 0, o.agents)
	}
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return nil, err
	}
	return d.sealer, nil
}

// bareScan reads every document that a Board is built from, and looks at none.
func bareScan(ctx context.Context, p place) (time.Duration, error) {
	begin := time.Now()
	if p.dsn != "" {
		err := bareServerScan(ctx, p.dsn)
		return time.Since(begin), err
	}
	db, err := sql.Open("sqlite", filepath.Join(p.dir, "sangdam.db"))
	if err != nil {
		return 0, err
	}
	defer db.Close()
	for _, table := range []string{"agents", "items"} {
		rows, err := db.QueryContext(ctx, "SELECT * FROM "+table)
		if err != nil {
			return 0, err
		}
		columns, err := rows.Columns()
		if err != nil {
			return 0, err
		}
		cells := make([]any, len(columns))
		for i := range cells {
			cells[i] = new(sql.RawBytes)
		}
		for rows.Next() {
			if err := rows.Scan(cells...); err != nil {
				return 0, err
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return 0, err
		}
	}
	return time.Since(begin), nil
}

// bareServerScan is bareScan on PostgreSQL.
func bareServerScan(ctx context.Context, dsn string) error {
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer c.Close(ctx) //nolint:errcheck // nothing was written
	for _, table := range []string{"agents", "items"} {
		rows, err := c.Query(ctx, "SELECT * FROM sangdam."+table)
		if err != nil {
			return err
		}
		for rows.Next() {
			_ = rows.RawValues()
		}
		if rows.Close(); rows.Err() != nil {
			return rows.Err()
		}
	}
	return nil
}

// firstOffer brings all agents online, closes the store as a stopped process
// would, and starts anew.
func firstOffer(ctx context.Context, p place, sealer seal.Sealer, o options, round int) (time.Duration, error) {
	db, err := p.open(ctx)
	if err != nil {
		return 0, err
	}
	eng, err := newEngine(db, sealer, sangdam.Hooks{})
	if err != nil {
		return 0, err
	}
	before := &desk{db: db, eng: eng}
	err = before.online(ctx, o.agents)
	if closed := db.Close(); err == nil {
		err = closed
	}
	if err != nil {
		return 0, err
	}

	begin := time.Now()
	if db, err = p.open(ctx); err != nil {
		return 0, err
	}
	defer db.Close()
	type made struct {
		offer routing.Offer
		at    time.Time
	}
	offers := make(chan made, o.conversations)
	eng, err = newEngine(db, sealer, sangdam.Hooks{Offered: func(_ id.Workspace, of routing.Offer) { offers <- made{of, time.Now()} }})
	if err != nil {
		return 0, err
	}
	stop := start(ctx, eng)
	select {
	case m := <-offers:
		if err := stop(); err != nil {
			return 0, err
		}
		// Decisions are carried out some 32 at a time, so the first to be
		// committed is among the oldest that were waiting.
		var n int
		if _, err := fmt.Sscanf(string(m.offer.Item), "c%07d", &n); err != nil {
			return 0, err
		}
		taken := len(offers) + 1
		if round == 0 && n >= taken {
			return 0, fmt.Errorf("the first offer was conversation %d, which was not among the oldest %d", n, taken)
		}
		return m.at.Sub(begin), nil
	case <-time.After(3 * time.Minute):
		return 0, errors.New("nobody was offered anything in 3 minutes")
	}
}
