package store

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// maxOfWorkspace bounds lists of which a workspace has few, so that one gone
// wild is an error and not all of the memory.
const maxOfWorkspace = 100_000

// largestConfig is room for the members of a desk or queue of tens of thousands.
const largestConfig = 4 << 20

// deskRow, streamRow and queueRow are the things of the configuration as they are
// stored. The version that administrators compare stands in the thing; row is the
// store's own.
type (
	deskRow struct {
		routing.Desk
		Members []routing.AgentID          `json:"members,omitempty"` // ascending
		Row     int64                      `json:"-"`
		Extra   map[string]json.RawMessage `json:"-"`
	}
	streamRow struct {
		routing.WorkStream
		Row   int64                      `json:"-"`
		Extra map[string]json.RawMessage `json:"-"`
	}
	queueRow struct {
		routing.Queue
		Row   int64                      `json:"-"`
		Extra map[string]json.RawMessage `json:"-"`
	}
)

var deskRows = Declare(Kind[deskRow]{
	Name: "desk", Decl: 1, Largest: largestConfig,
	ID:      func(r *deskRow) string { return string(r.ID) },
	Version: func(r *deskRow) *int64 { return &r.Row },
	Extra:   func(r *deskRow) *map[string]json.RawMessage { return &r.Extra },
	Unique:  []Index[deskRow]{{Name: "name", Value: func(r *deskRow) []byte { return Exact(r.Name) }}},
})

var streamRows = Declare(Kind[streamRow]{
	Name: "work_stream", Decl: 1, Largest: largestConfig,
	ID:      func(r *streamRow) string { return string(r.ID) },
	Version: func(r *streamRow) *int64 { return &r.Row },
	Extra:   func(r *streamRow) *map[string]json.RawMessage { return &r.Extra },
})

var queueRows = Declare(Kind[queueRow]{
	Name: "queue", Decl: 1, Largest: largestConfig,
	ID:      func(r *queueRow) string { return string(r.ID) },
	Version: func(r *queueRow) *int64 { return &r.Row },
	Extra:   func(r *queueRow) *map[string]json.RawMessage { return &r.Extra },
})

// config implements ConfigRepo.
type config struct{ t *tx }

func (r config) Configuration(ctx context.Context, known int64) (routing.Configuration, error) {
	c := routing.Configuration{
		Desks: map[routing.DeskID]routing.Desk{}, Members: map[routing.DeskID][]routing.AgentID{},
		WorkStreams: map[routing.WorkStreamID]routing.WorkStream{}, Queues: map[routing.QueueID]routing.Queue{},
	}
	version, docs, err := r.t.rows.Documents.Configuration(ctx, known, []string{deskRows.Name(), streamRows.Name(), queueRows.Name()})
	if err != nil {
		return c, err
	}
	c.Version = version
	for _, doc := range docs {
		if err := add(&c, doc); err != nil {
			return c, err
		}
	}
	return c, nil
}

// add puts a document into its place.
func add(c *routing.Configuration, doc driver.Doc) error {
	switch doc.Kind {
	case deskRows.Name():
		row, err := deskRows.decode(doc)
		if err != nil {
			return err
		}
		if c.Desks[row.ID] = row.Desk; len(row.Members) > 0 {
			c.Members[row.ID] = row.Members
		}
	case streamRows.Name():
		row, err := streamRows.decode(doc)
		if err != nil {
			return err
		}
		c.WorkStreams[row.ID] = row.WorkStream
	case queueRows.Name():
		row, err := queueRows.decode(doc)
		if err != nil {
			return err
		}
		c.Queues[row.ID] = row.Queue
	}
	return nil
}

// Hold implements ConfigRepo.
func (r config) Hold(ctx context.Context) error { return r.t.rows.HoldConfig(ctx, false) }

// changed counts a change that was made under the hold.
func (r config) changed(ctx context.Context) error { return r.t.rows.HoldConfig(ctx, true) }

// SaveDesk keeps the desk's members.
func (r config) SaveDesk(ctx context.Context, d routing.Desk) error {
	if d.Seats < 0 {
		return errs.New(errs.Invalid, "store: desk %s has %d seats; 0 is for any number", d.ID, d.Seats)
	}
	if err := r.Hold(ctx); err != nil {
		return err
	}
	named, err := r.t.rows.Documents.Get(ctx, driver.Keys{Kind: deskRows.Name(), Values: [][]byte{Exact(d.Name)}})
	if err != nil {
		return err
	}
	if len(named) > 0 && named[0].ID != string(d.ID) {
		if other, err := deskRows.decode(named[0]); err != nil || other.Retired {
			return cmp.Or(err, errs.New(errs.AlreadyExists, "store: desk %q, which is out of use, has the same name; choose another, or "+
				"bring that back into use", named[0].ID))
		}
		return errs.New(errs.AlreadyExists, "store: desk %q has the same name; choose another", named[0].ID)
	}
	row, err := deskRows.draft(ctx, r.t, string(d.ID))
	if err != nil {
		return err
	}
	if n := len(row.Members); d.Seats > 0 && d.Seats < n {
		return errs.New(errs.Invalid, "store: desk %q has %d agents, more than %d seats; remove agents first", d.ID, n, d.Seats)
	}
	row.Desk = d
	if err := deskRows.Save(ctx, r.t, &row); err != nil {
		return err
	}
	return r.changed(ctx)
}

func (r config) SaveWorkStream(ctx context.Context, w routing.WorkStream) error {
	if err := r.Hold(ctx); err != nil {
		return err
	}
	row, err := streamRows.draft(ctx, r.t, string(w.ID))
	if err != nil {
		return err
	}
	row.WorkStream = w
	if err := streamRows.Save(ctx, r.t, &row); err != nil {
		return err
	}
	return r.changed(ctx)
}

// SaveQueue also raises EligRev of who came or went.
func (r config) SaveQueue(ctx context.Context, q routing.Queue) error {
	if err := r.Hold(ctx); err != nil {
		return err
	}
	row, err := queueRows.draft(ctx, r.t, string(q.ID))
	if err != nil {
		return err
	}
	moved := inOneAlone(row.Members, q.Members)
	row.Queue = q
	if err := queueRows.Save(ctx, r.t, &row); err != nil {
		return err
	}
	if err := r.changed(ctx); err != nil || len(moved) == 0 {
		return err
	}
	return agents{r.t.rows.Agents, r.t}.raise(ctx, moved...)
}

// inOneAlone lists who is in one of the lists and not in the other.
func inOneAlone(a, b []routing.AgentID) []routing.AgentID {
	in := map[routing.AgentID]int{}
	for _, x := range a {
		in[x] |= 1
	}
	for _, x := range b {
		in[x] |= 2
	}
	var out []routing.AgentID
	for x, lists := range in {
		if lists != 3 {
			out = append(out, x)
		}
	}
	slices.Sort(out)
	return out
}

// desk holds the configuration and reads a desk and whether the agent is in it.
func (r config) desk(ctx context.Context, d routing.DeskID, a routing.AgentID) (row deskRow, at int, member bool, err error) {
	if err := r.Hold(ctx); err != nil {
		return row, 0, false, err
	}
	list, err := deskRows.GetAll(ctx, r.t, string(d))
	switch {
	case err != nil:
		return row, 0, false, err
	case len(list) == 0:
		return row, 0, false, errs.New(errs.NotFound, "store: there is no desk %q", d)
	}
	at, member = slices.BinarySearch(list[0].Members, a)
	return list[0], at, member, nil
}

func (r config) AddMember(ctx context.Context, d routing.DeskID, a routing.AgentID) error {
	if _, err := r.t.Agents().Agent(ctx, a); err != nil {
		return err
	}
	row, at, member, err := r.desk(ctx, d, a)
	switch {
	case err != nil || member:
		return err
	case row.Seats > 0 && len(row.Members) >= row.Seats:
		return errs.New(errs.Invalid, "store: all %d seats of desk %q are taken; add seats or remove an agent", row.Seats, d)
	}
	row.Members = slices.Insert(row.Members, at, a)
	return r.saveMembers(ctx, row, a)
}

func (r config) RemoveMember(ctx context.Context, d routing.DeskID, a routing.AgentID) error {
	row, at, member, err := r.desk(ctx, d, a)
	switch {
	case err != nil || !member:
		return err
	case len(row.Members) == 1:
		return errs.New(errs.Invalid, "store: the last agent of desk %q cannot be removed; add another first", d)
	}
	row.Members = slices.Delete(row.Members, at, at+1)
	return r.saveMembers(ctx, row, a)
}

func (r config) saveMembers(ctx context.Context, row deskRow, moved routing.AgentID) error {
	if err := deskRows.Save(ctx, r.t, &row); err != nil {
		return err
	}
	if err := r.changed(ctx); err != nil {
		return err
	}
	return agents{r.t.rows.Agents, r.t}.raise(ctx, moved)
}
