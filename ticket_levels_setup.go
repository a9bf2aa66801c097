package sangdam

import (
	"context"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
)

// SaveServiceLevel creates a service level (Version 0; an empty id is filled)
// or replaces the one of the version given. Clocks that run already on tickets
// keep the time limit that they were started with.
type SaveServiceLevel struct {
	Key   Key                 `json:"-"`
	Level ticket.ServiceLevel `json:"level"`
}

// SaveServiceLevel carries the command out. ServiceLevel.Calendar is
// "desk:<id>" or "queue:<id>", whose operating hours count; empty: every hour
// counts.
func (e *Engine) SaveServiceLevel(ctx context.Context, p Principal, c SaveServiceLevel) (Saved, error) {
	return command(ctx, e, call{opSaveServiceLevel, p, c.Key, c}, func(u *unit) (Saved, error) {
		l := c.Level
		if err := u.allow(ActConfigure, Resource{Kind: levelKind.name, ID: l.ID}); err != nil {
			return Saved{}, err
		}
		if l.ID == "" {
			l.ID = newID()
		}
		d, err := e.readTicketSetup(u.ctx, u.tx)
		if err != nil {
			return Saved{}, err
		}
		if err := l.Validate(d.schema); err != nil {
			return Saved{}, err
		}
		if l.Calendar != "" && u.s.schedule(l.Calendar, nil) == nil {
			return Saved{}, errs.New(errs.Invalid,
				"sangdam: service level %s: %q has no operating hours; name workspace, or account:<id>, desk:<id>, queue:<id> or "+
					"work_stream:<id> of one that has", l.ID, l.Calendar)
		}
		return saveDefinition(u, levelKind, l, nil)
	})
}

// DeleteServiceLevel deletes a service level. Clocks that it started on tickets
// go on.
type DeleteServiceLevel struct {
	Key     Key    `json:"-"`
	Level   string `json:"level"`
	Version int64  `json:"version"`
}

// DeleteServiceLevel carries the command out. ErrNotFound, and ErrStale when it is not
// of the version given.
func (e *Engine) DeleteServiceLevel(ctx context.Context, p Principal, c DeleteServiceLevel) error {
	_, err := command(ctx, e, call{opDeleteServiceLevel, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActConfigure, Resource{Kind: levelKind.name, ID: c.Level}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, deleteDefinition(u, levelKind, c.Level, c.Version, nil)
	})
	return err
}
