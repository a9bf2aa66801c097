// Package journal keeps what a Board's decisions rested on, so that each can be
// explained exactly as long as the journal is kept.
//
// A journal begins with a roster: the queues, the desks and the agents as the
// Board knew them, and its seed. A record follows for each decision: the item, and
// what had changed of the agents since the record before. Whoever reads the roster
// and the records after it knows every agent as it stood at a decision, and
// board.Rank evaluates the decision anew. What a record holds is the order of
// some hundred bytes, however many agents there are.
//
// A Writer makes the rows of a journal; whoever stores them does so in the
// transaction of the decisions. Replay reads them. Nothing here is a customer's:
// items are kept without their contact and attributes.
//
// A host asks Engine.ExplainDecision, which replays it. It is no audit log: what
// people assign is not in it.
package journal

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
)

// Roster is what a journal begins with.
type Roster struct {
	// At is when it was taken, by the store's clock.
	At time.Time
	// Seed is the Board's.
	Seed uint64
	// Version is that of the configuration that Queues and Desks are.
	Version int64
	Queues  map[routing.QueueID]routing.Queue
	Desks   map[routing.DeskID][]routing.AgentID
	// Agents as the Board knew them.
	Agents []routing.Agent
}

// Row is a part of a journal as it is stored. The rows of a journal are in the
// order of Seq, from 0.
type Row struct {
	Journal string    `json:"journal"`
	Seq     int       `json:"seq"`
	At      time.Time `json:"at,omitzero"`
	// Plain are records; Packed are records, or of the first rows the roster,
	// deflated. More says that the next row goes on with what is packed.
	Plain  json.RawMessage `json:"plain,omitempty"`
	Packed []byte          `json:"packed,omitempty"`
	More   bool            `json:"more,omitempty"`
	// Version is the stored row's; 0 for one that is not stored.
	Version int64 `json:"-"`
}

// The forms in which a journal is kept. Agents and queues are named by their
// place in the roster; whoever joins later is appended.
type (
	rosterForm struct {
		At      int64        `json:"at"`
		Seed    uint64       `json:"seed"`
		Version int64        `json:"version"`
		Queues  []queueForm  `json:"queues"`
		Desks   []deskForm   `json:"desks"`
		Agents  []changeForm `json:"agents"`
	}
	queueForm struct {
		ID         routing.QueueID `json:"id"`
		Strategy   string          `json:"s,omitempty"`
		Desk       routing.DeskID  `json:"d,omitempty"`
		Members    []int           `json:"m,omitempty"`
		Weights    map[int]int     `json:"w,omitempty"`
		Rank       map[int]int     `json:"r,omitempty"`
		Designated routing.AgentID `json:"o,omitempty"`
	}
	deskForm struct {
		ID      routing.DeskID `json:"id"`
		Members []int          `json:"m,omitempty"`
	}
	// changeForm is an agent as it stands; without ID the settings are as before.
	changeForm struct {
		Agent    int              `json:"a"`
		ID       routing.AgentID  `json:"id,omitempty"` // with settings
		Settings *settingsForm    `json:"s,omitempty"`
		Presence routing.Presence `json:"p,omitempty"`
		Load     map[string]int   `json:"l,omitempty"`
		Idle     int64            `json:"i,omitempty"` // microseconds
		Turns    map[string]int64 `json:"t,omitempty"` // by queue
		Gone     bool             `json:"g,omitempty"`
	}
	settingsForm struct {
		Role        string                     `json:"r,omitempty"`
		Permissions []routing.Permission       `json:"p,omitempty"`
		Capacity    map[routing.Profile]int    `json:"c,omitempty"`
		Skills      []routing.Skill            `json:"k,omitempty"`
		Hours       *hours.Calendar            `json:"h,omitempty"`
		Disabled    bool                       `json:"d,omitempty"`
		Assign      routing.AssignmentSwitches `json:"w"`
	}
	recordForm struct {
		N       int          `json:"n"`
		At      int64        `json:"at"` // nanoseconds
		Changes []changeForm `json:"c,omitempty"`
		Item    routing.Item `json:"i"`
	}
)

// reference names a decision: journal and number.
func reference(journal string, n int) string { return journal + "/" + strconv.Itoa(n) }

// Reference splits what Decision.Journal holds.
func Reference(s string) (journal string, n int, err error) {
	journal, number, ok := strings.Cut(s, "/")
	if ok {
		n, err = strconv.Atoi(number)
	}
	if !ok || err != nil || journal == "" {
		return "", 0, errs.New(errs.Invalid, "journal: %q names no decision: use Decision.Journal as it is", s)
	}
	return journal, n, nil
}

// deflater is kept for the next row, whosever it is, since it takes most of a
// megabyte: one for good, more while they are needed. A sync.Pool would forget it
// at every second collection, of which there are some ten a second under load.
// Rows are short: to clear the tables of a better level for each takes longer than
// to deflate it, for rows that become 4 to 10 % shorter.
var deflater = make(chan *flate.Writer, 1)

func takeDeflater(to io.Writer) *flate.Writer {
	select {
	case w := <-deflater:
		w.Reset(to)
		return w
	default:
	}
	w, err := flate.NewWriter(to, flate.BestSpeed)
	if err != nil {
		panic(err) // the level is one of the package's own
	}
	return w
}

func giveDeflater(w *flate.Writer) {
	w.Reset(io.Discard) // keeps nothing of the row
	select {
	case deflater <- w:
	default:
	}
}

// pack deflates.
func pack(raw []byte) ([]byte, error) {
	var b bytes.Buffer
	w := takeDeflater(&b)
	defer giveDeflater(w)
	if _, err := w.Write(raw); err != nil {
		return nil, err
	}
	err := w.Close()
	return b.Bytes(), err
}

// maxUnpacked bounds what a damaged row can make of itself.
const maxUnpacked = 1 << 30

func unpack(packed []byte) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), maxUnpacked))
	if err != nil {
		return nil, errs.New(errs.Unavailable, "journal: a row is damaged: %w", err)
	}
	return raw, nil
}
