package main

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// lookEvery passes between two looks at what is left to do.
	lookEvery = 250 * time.Millisecond
	// ableWithin is how long a look of this process may take on a machine that lets
	// others come forward too.
	ableWithin = time.Second

	// servesLooks and endsLooks are how many looks that count a process may take to serve,
	// and to end when it is asked to.
	servesLooks = int(time.Minute / lookEvery)
	endsLooks   = int(40 * time.Second / lookEvery)

	settledLooks = int((lease + 2*time.Second) / lookEvery)
	stuckLooks   = int(30 * time.Second / lookEvery)
	circleLooks  = int(5 * time.Minute / lookEvery)
	blindLooks   = int(10 * time.Minute / lookEvery)
)

// patience tells rest from what is stuck by looks and not by the clock: a look counts
// only when this process, which asks the same database on the same machine, was itself
// served in time. On a machine that does much else the processes may stand still for a
// minute without a fault of theirs.
type patience[S comparable] struct {
	last  S
	still int // looks that counted since something moved
	looks int // that counted
	blind int // that did not count since the last that did
}

// verdict is what looks have shown.
type verdict int

const (
	goOn verdict = iota
	atRest
	stuck // nothing moves, or what moves goes in circles
	blind // the machine is too busy to tell
)

// look notes a look that saw now: done says that nothing is left to do, able that the
// look counts.
func (p *patience[S]) look(now S, done, able bool) verdict {
	if now != p.last {
		p.last, p.still = now, 0
	}
	if !able {
		if p.blind++; p.blind > blindLooks {
			return blind
		}
		return goOn
	}
	p.blind = 0
	p.still++
	p.looks++
	switch {
	case done && p.still > settledLooks:
		return atRest
	case p.still > stuckLooks, p.looks > circleLooks:
		return stuck
	}
	return goOn
}

// able waits until the next look and reports whether it counts: the wait was no longer
// than it should be, and the database opened a connection of this process in time.
func (w *world) able(ctx context.Context) bool {
	begun := time.Now()
	rest(ctx, lookEvery)
	ctx, cancel := context.WithDeadline(ctx, begun.Add(lookEvery+ableWithin))
	defer cancel()
	if w.dsn != "" {
		c, err := pgx.Connect(ctx, w.dsn)
		if err != nil {
			return false
		}
		_ = c.Close(ctx) // nothing was asked
	}
	return time.Since(begun) < lookEvery+ableWithin
}

// errBlind says that nothing can be said of the processes.
var errBlind = errors.New("the machine is too busy to tell whether anything is stuck; run it again, or with less beside it")

// within waits for one of the channels to close, for at most so many looks that count,
// and reports whether one did.
func (w *world) within(ctx context.Context, most int, either, or <-chan struct{}) (bool, error) {
	for looks, blind := 0, 0; looks < most && ctx.Err() == nil; {
		select {
		case <-either:
			return true, nil
		case <-or:
			return true, nil
		default:
		}
		if w.able(ctx) {
			looks, blind = looks+1, 0
		} else if blind++; blind > blindLooks {
			return false, errBlind
		}
	}
	return false, ctx.Err()
}

// serves waits until a process serves.
func (w *world) serves(ctx context.Context, c *child) error {
	in, err := w.within(ctx, servesLooks, c.serving, c.exited)
	switch {
	case err != nil:
		return err
	case !in:
		return errors.New("the helpdesk does not serve; " + c.tail.String())
	}
	select {
	case <-c.serving:
		return nil
	default:
		return fmt.Errorf("the helpdesk ended by itself: %w; %s", c.err, c.tail.String())
	}
}

// drains asks a process to drain, and notes if it does not end with 0.
func (w *world) drains(ctx context.Context, c *child, r *report) error {
	err := c.cmd.Process.Signal(syscall.SIGTERM)
	if err == nil {
		in, unknown := w.within(ctx, endsLooks, c.exited, nil)
		if unknown != nil {
			return unknown
		}
		if !in {
			c.kill()
			err = errors.New("it did not end")
		} else {
			err = c.err
		}
	}
	if err != nil {
		r.found(&r.Broken, "SIGTERM: %v; %s", err, c.tail.String())
	}
	return nil
}

// comeToRest waits until every event is acknowledged and nothing waits, or
// until nothing moved for as long as makes the rest stuck. alive looks after the
// processes meanwhile.
func (w *world) comeToRest(ctx context.Context, alive func() error, r *report) error {
	type state struct {
		have, of, arrived int
		status            status
	}
	var p patience[state]
	begun := time.Now()
	for ctx.Err() == nil {
		if err := alive(); err != nil {
			return err
		}
		s, err := w.desk.status(ctx)
		have, of := w.side.taken()
		done := err == nil && s.idle() && have == of
		switch p.look(state{have, of, w.side.arrived(), s}, done, w.able(ctx)) {
		case atRest:
			return nil
		case stuck:
			r.found(&r.Stuck, "not done %s after the traffic stopped: %d of %d events acknowledged, status %+v, error %v",
				time.Since(begun).Round(time.Second), have, of, s, err)
			return nil
		case blind:
			return fmt.Errorf("%w: %d of %d events acknowledged, status %+v, error %s", errBlind, have, of, s, fmt.Sprint(err))
		}
	}
	return ctx.Err()
}
