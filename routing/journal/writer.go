package journal

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

const (
	// fewest is after how many decisions a journal of few agents ends; one of more
	// agents than that ends after as many as there are, so that its roster costs
	// each decision the same, but after most, so that a replay stays bounded.
	fewest, most = 1000, 10_000
	// LastsFor is how long a journal goes on at most, so that its rows can be
	// deleted together.
	LastsFor = 24 * time.Hour
	// packFrom is from how many bytes records are packed.
	packFrom = 2 << 10
	// packedInRow is how many packed bytes one row holds.
	packedInRow = 128 << 10
	// mostUnstored is how many records may wait to be stored: those of decisions
	// that were not carried out.
	mostUnstored = 256
)

// Writer makes a journal: it is told what the Board decides and gives the rows to
// be stored. It is not safe for concurrent use.
type Writer struct {
	id       string
	version  int64 // of the configuration
	began    time.Time
	place    map[routing.AgentID]int
	settings []int64 // by place: the version that was written last
	seq, n   int
	given    int // rows of records that Rows made

	roster  []Row // not stored yet
	records []recordForm
	pending map[int]changeForm // changes that came without a decision
	at      time.Time
}

// Begin begins a journal under a name that no other has.
func Begin(id string, r Roster) (*Writer, error) {
	w := &Writer{id: id, version: r.Version, began: r.At, at: r.At, place: map[routing.AgentID]int{}, pending: map[int]changeForm{}}
	form := rosterForm{At: r.At.UnixNano(), Seed: r.Seed, Version: r.Version}
	for _, a := range r.Agents {
		form.Agents = append(form.Agents, w.change(a))
	}
	for id, members := range r.Desks {
		form.Desks = append(form.Desks, deskForm{ID: id, Members: w.placesOf(members)})
	}
	for id, q := range r.Queues {
		form.Queues = append(form.Queues, queueForm{ID: id, Strategy: q.Strategy, Desk: q.Desk, Members: w.placesOf(q.Members),
			Weights: w.byPlace(q.Weights), Rank: w.byPlace(q.Rank), Designated: q.Designated})
	}
	raw, err := json.Marshal(form)
	if err != nil {
		return nil, errs.New(errs.Invalid, "journal: a roster cannot be kept: %w", err)
	}
	w.roster, err = w.packed(raw)
	w.seq = len(w.roster)
	return w, err
}

// packed makes rows of what is too long for a plain one.
func (w *Writer) packed(raw []byte) ([]Row, error) {
	all, err := pack(raw)
	if err != nil {
		return nil, errs.New(errs.Invalid, "journal: a row cannot be packed: %w", err)
	}
	var rows []Row
	for part := range slices.Chunk(all, packedInRow) {
		rows = append(rows, Row{Journal: w.id, Seq: w.seq + len(rows), At: w.at, Packed: part, More: true})
	}
	rows[len(rows)-1].More = false
	return rows, nil
}

// Over reports whether a new journal is to be begun before the next decision:
// this one is long or old, is of another configuration, or could not be stored.
func (w *Writer) Over(now time.Time, version int64) bool {
	return w.version != version || w.n >= min(max(fewest, len(w.settings)), most) || now.Sub(w.began) >= LastsFor ||
		len(w.records) > mostUnstored
}

// Changed tells what changed of the agents, before the decision that rests on it.
func (w *Writer) Changed(agents []routing.Agent, gone []routing.AgentID) {
	for _, a := range agents {
		c := w.change(a)
		if was, waits := w.pending[c.Agent]; waits && c.Settings == nil {
			c.ID, c.Settings = was.ID, was.Settings
		}
		w.pending[c.Agent] = c
	}
	for _, id := range gone {
		if p, known := w.place[id]; known {
			w.settings[p] = 0 // who comes back is written whole
			w.pending[p] = changeForm{Agent: p, Gone: true}
		}
	}
}

// Decided tells a decision with the item as it was decided on, and returns what
// Decision.Journal is to hold.
func (w *Writer) Decided(it routing.Item, at time.Time) string {
	w.n++
	it.Contact, it.Attributes, it.Visited, it.Overflowed, it.Account = "", nil, nil, nil, ""
	r := recordForm{N: w.n, At: at.UnixNano(), Item: it}
	for _, c := range w.pending {
		r.Changes = append(r.Changes, c)
	}
	slices.SortFunc(r.Changes, func(x, y changeForm) int { return x.Agent - y.Agent })
	clear(w.pending)
	w.records, w.at = append(w.records, r), at
	return reference(w.id, w.n)
}

// Rows are what is not stored yet: the roster, and the records, mostly in one row.
// The same come until Stored.
func (w *Writer) Rows() ([]Row, error) {
	if len(w.records) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(w.records)
	if err != nil {
		return nil, errs.New(errs.Invalid, "journal: records cannot be kept: %w", err)
	}
	rows := []Row{{Journal: w.id, Seq: w.seq, At: w.at, Plain: raw}}
	if len(raw) >= packFrom {
		if rows, err = w.packed(raw); err != nil {
			return nil, err
		}
	}
	w.given = len(rows)
	return append(slices.Clone(w.roster), rows...), nil
}

// Stored says that what Rows returned is committed.
func (w *Writer) Stored() {
	if len(w.records) > 0 {
		w.roster, w.records = nil, nil
		w.seq += w.given
	}
}

// change is how an agent stands, with the settings if they are newer than what
// was written last.
func (w *Writer) change(a routing.Agent) changeForm {
	p := w.placeOf(a.ID)
	c := changeForm{Agent: p, Presence: a.State.Presence}
	if a.Version == 0 || w.settings[p] != a.Version {
		w.settings[p] = a.Version
		c.ID = a.ID
		c.Settings = &settingsForm{Role: a.Role, Permissions: a.Permissions, Capacity: a.Capacity, Skills: a.Skills, Hours: a.Hours,
			Disabled: a.Disabled, Assign: a.Assign}
	}
	if !a.State.IdleSince.IsZero() {
		c.Idle = a.State.IdleSince.UnixMicro()
	}
	for profile, n := range a.State.Load {
		if n != 0 {
			if c.Load == nil {
				c.Load = map[string]int{}
			}
			c.Load[string(profile)] = n
		}
	}
	for q, turn := range a.State.Turns {
		if turn != 0 {
			if c.Turns == nil {
				c.Turns = map[string]int64{}
			}
			c.Turns[string(q)] = turn
		}
	}
	return c
}

func (w *Writer) placeOf(id routing.AgentID) int {
	p, known := w.place[id]
	if !known {
		p = len(w.settings)
		w.place[id], w.settings = p, append(w.settings, 0)
	}
	return p
}

func (w *Writer) placesOf(ids []routing.AgentID) []int {
	out := make([]int, len(ids))
	for i, id := range ids {
		out[i] = w.placeOf(id)
	}
	slices.Sort(out)
	return out
}

func (w *Writer) byPlace(of map[routing.AgentID]int) map[int]int {
	out := make(map[int]int, len(of))
	for id, n := range of {
		out[w.placeOf(id)] = n
	}
	return out
}
