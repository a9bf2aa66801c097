package ticket

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
)

// EntryKind is what an entry of the history is about.
type EntryKind string

// The kinds of entries. An entry has one kind, whatever it changes besides. The events
// that triggers hear of have words of their own, such as "created" and "solved", of
// which some are the same.
const (
	Created   EntryKind = "created"
	Changed   EntryKind = "changed"   // values alone: state, assignee, fields
	Commented EntryKind = "commented" // an internal comment
	Answered  EntryKind = "answered"  // a public comment of an agent, to the customer
	Replied   EntryKind = "replied"   // the customer wrote
	Merged    EntryKind = "merged"    // with another ticket, on both
	Split     EntryKind = "split"     // one of its entries became a ticket of its own
	Masked    EntryKind = "masked"    // a range of a text was hidden
	Unmasked  EntryKind = "unmasked"
)

// Entry is one step of a ticket's history: who did what when. One command or
// event is one entry, however much it changed; the entries alone make the
// ticket (Replay).
type Entry struct {
	Ticket ID        `json:"ticket"`
	Seq    int64     `json:"seq"` // from 1, without gaps
	At     time.Time `json:"at"`
	// Actor is "agent:<id>", "customer", "trigger:<id>", "host" or "system".
	Actor string    `json:"actor"`
	Kind  EntryKind `json:"kind"`
	// Text is the comment; Files are names of blobs that it carries. Masks are
	// parts of Text that stand as asterisks.
	Text  string               `json:"text,omitempty"`
	Files []string             `json:"files,omitempty"`
	Masks []privacy.MaskedSpan `json:"masks,omitempty"`
	// Unsent says of an answer that the library sent it nowhere, since the workspace
	// names no way for it: it is kept here, for the host or a trigger to send.
	Unsent bool `json:"unsent,omitempty"`
	// Message is the customer's message in the ticket's chat that the entry stands
	// for. Its text stays there alone, where it can be masked and taken back.
	Message conversation.MessageID `json:"message,omitempty"`
	// About is the text that was masked or shown again.
	About Part `json:"about,omitempty"`
	// From names the other ticket of a merger: of an entry Merged the one that was
	// merged with this one, of an entry Replied the one that the words were meant
	// for; else empty.
	From ID `json:"from,omitempty"`
	// Changes are what differs from the ticket before this entry, sorted by the
	// member's name.
	Changes []Change `json:"changes,omitempty"`
}

// Public reports whether the customer may read the entry's text.
func (e Entry) Public() bool { return e.Kind == Answered || e.Kind == Replied }

// Change is one member of a ticket that changed. The values are JSON; null: it
// was or became empty. Values of encrypted fields are sealed, as in the ticket.
type Change struct {
	Member string          `json:"member"` // as in the ticket's JSON; "fields.<code>" for a field
	Was    json.RawMessage `json:"was"`
	Now    json.RawMessage `json:"now"`
}

// null is a member that is not there.
var null = json.RawMessage("null")

// flat is a ticket as members, fields one by one. The version is not history.
func flat(t Ticket) (map[string]json.RawMessage, error) {
	t.Version = 0
	raw, err := json.Marshal(t)
	if err != nil {
		return nil, errs.New(errs.Invalid, "ticket: it cannot be encoded: %w", err)
	}
	members := map[string]json.RawMessage{}
	if err := json.Unmarshal(raw, &members); err != nil {
		return nil, fmt.Errorf("ticket: %w", err)
	}
	delete(members, "version")
	if fields := members["fields"]; fields != nil {
		delete(members, "fields")
		inner := map[string]json.RawMessage{}
		if err := json.Unmarshal(fields, &inner); err != nil {
			return nil, fmt.Errorf("ticket: %w", err)
		}
		for c, v := range inner {
			members["fields."+c] = v
		}
	}
	return members, nil
}

// difference lists what changed, by member's name; counters and the time of the
// change say nothing and are left out of what people read, but not of Replay.
func difference(was, now Ticket) ([]Change, error) {
	a, err := flat(was)
	if err != nil {
		return nil, err
	}
	b, err := flat(now)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for n := range a {
		names[n] = true
	}
	for n := range b {
		names[n] = true
	}
	var out []Change
	for _, n := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(a[n], b[n]) {
			out = append(out, Change{Member: n, Was: orNull(a[n]), Now: orNull(b[n])})
		}
	}
	return out, nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return null
	}
	return raw
}

// Amended is the entry with its Changes counted anew, from the ticket as it was
// before the entry to the ticket as it is now: so a step that somebody made also
// tells what service levels changed because of it.
func (e Entry) Amended(was, now Ticket) (Entry, error) {
	changes, err := difference(was, now)
	e.Changes = changes
	return e, err
}

// Shown lists the changes that a person wants to read: without counters and
// times that follow from others.
func (e Entry) Shown() []Change {
	hidden := []string{"entries", "updated_at", "state_at", "clocks", "id", "created_at", "customer_at", "answered_at",
		"solved_at", "number", "masks"}
	return slices.DeleteFunc(slices.Clone(e.Changes), func(c Change) bool { return slices.Contains(hidden, c.Member) })
}

// Replay makes a ticket from its whole history, from the first entry on; its
// Version is 0, since that is no part of the history. Gaps, entries of another
// ticket and changes that make none are ErrInvalid.
func Replay(entries []Entry) (Ticket, error) {
	var r Replayer
	for _, e := range entries {
		if err := r.Add(e); err != nil {
			return Ticket{}, err
		}
	}
	return r.Ticket(), nil
}

// Replayer makes a ticket of its history step by step. The zero Replayer is at
// the beginning. It is for one goroutine.
type Replayer struct {
	id  ID
	seq int64
	t   Ticket
}

// places are the members of a ticket by their names in JSON.
var places = func() map[string]int {
	out := map[string]int{}
	for i := range reflect.TypeFor[Ticket]().NumField() {
		name, _, _ := strings.Cut(reflect.TypeFor[Ticket]().Field(i).Tag.Get("json"), ",")
		out[name] = i
	}
	return out
}()

// Add takes the next entry of the history. ErrInvalid when it is not the next, or
// gives a member a value that is not of its type; then the Replayer is of no further
// use.
func (r *Replayer) Add(e Entry) error {
	if r.seq == 0 {
		r.id = e.Ticket
	}
	if e.Seq != r.seq+1 || e.Ticket != r.id {
		return errs.New(errs.Invalid, "ticket: the history has entry %d where %d is due", e.Seq, r.seq+1)
	}
	r.seq++
	r.t.Fields = maps.Clone(r.t.Fields) // the tickets handed out keep theirs
	for _, c := range e.Changes {
		err := r.set(c)
		if err != nil {
			return errs.New(errs.Invalid, "ticket: entry %d does not make a ticket: %w", e.Seq, err)
		}
	}
	if len(r.t.Fields) == 0 {
		r.t.Fields = nil
	}
	return nil
}

// set makes one change. What it replaces is not written into: tickets that were
// handed out share it.
func (r *Replayer) set(c Change) error {
	if code, is := strings.CutPrefix(c.Member, "fields."); is {
		var v Value
		if err := json.Unmarshal(c.Now, &v); err != nil {
			return err
		}
		if r.t.Fields == nil {
			r.t.Fields = map[string]Value{}
		}
		if r.t.Fields[code] = v; bytes.Equal(c.Now, null) {
			delete(r.t.Fields, code)
		}
		return nil
	}
	at, known := places[c.Member]
	if !known {
		return nil
	}
	member := reflect.ValueOf(&r.t).Elem().Field(at)
	if member.SetZero(); bytes.Equal(c.Now, null) {
		return nil
	}
	return json.Unmarshal(c.Now, member.Addr().Interface())
}

// Ticket is the ticket after the entries so far.
func (r *Replayer) Ticket() Ticket { return r.t }
