package ticket

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// Draft is a ticket that is being changed within one transaction. Its methods
// apply the rules; Was keeps what was before, so that triggers can compare. End
// gives what is to be stored. The errors are ErrInvalid, and ErrConflict for what a
// complete or merged ticket does not take. A Draft is for one goroutine.
type Draft struct {
	T     Ticket
	was   Ticket
	actor string
	now   time.Time
	entry Entry
}

// Open begins a Draft of a new ticket; t carries what is known of it, its ID and
// Channel at least and a Title. Whatever State t has, the ticket starts unassigned,
// or in progress where t names an agent; and unless its channel is ChannelHand, now
// counts as the customer's last word. The caller sees to it that number is unique
// in the workspace. ErrInvalid for a ticket that could not be stored.
func Open(t Ticket, number int64, actor string, now time.Time) (*Draft, error) {
	t = copied(t)
	t.Number, t.Version, t.Entries = number, 0, 0
	t.State, t.Custom, t.MergedInto, t.Clocks = Unassigned, "", "", nil
	if t.Agent != "" {
		t.State = InProgress
	}
	t.CreatedAt, t.StateAt, t.SolvedAt = now, now, time.Time{}
	if t.Channel != ChannelHand {
		t.CustomerAt = now
	}
	if err := t.check(); err != nil {
		return nil, err
	}
	d := &Draft{T: t, actor: actor, now: now, entry: Entry{Kind: Created}}
	return d, d.SetTags(t.Tags...)
}

// Edit begins a Draft of a stored ticket. ErrConflict for one that was merged into
// another: what is meant for it goes to that one (MergedInto).
func Edit(t Ticket, actor string, now time.Time) (*Draft, error) {
	if t.MergedInto != "" {
		return nil, WasMerged(string(t.MergedInto))
	}
	return &Draft{T: copied(t), was: copied(t), actor: actor, now: now}, nil
}

// WasMerged is the refusal of what is meant for a ticket that was merged into another, which
// is named as people or programs know it: by its number ("#17") or its id. ErrConflict.
func WasMerged(into string) error {
	return errs.New(errs.Conflict, "ticket: it was merged into ticket %s; go on there", into)
}

// EditText is Edit for masking, which takes a merged ticket too, since its texts
// are still read. The error is always nil.
func EditText(t Ticket, actor string, now time.Time) (*Draft, error) {
	return &Draft{T: copied(t), was: copied(t), actor: actor, now: now}, nil
}

// copied shares nothing with its argument that a Draft changes.
func copied(t Ticket) Ticket {
	t.Tags, t.Followers, t.Links, t.Clocks = slices.Clone(t.Tags), slices.Clone(t.Followers), slices.Clone(t.Links), slices.Clone(t.Clocks)
	t.Fields = maps.Clone(t.Fields)
	return t
}

// Was is the ticket before; the zero Ticket for a new one.
func (d *Draft) Was() Ticket { return d.was }

// Now is the time of the transaction.
func (d *Draft) Now() time.Time { return d.now }

// Kind is what the entry is about so far: Changed, unless a method of the Draft
// has made it another.
func (d *Draft) Kind() EntryKind {
	if d.entry.Kind == "" {
		return Changed
	}
	return d.entry.Kind
}

// End gives the ticket and its entry; changed is false when nothing differs and
// nothing was said, and then nothing is to be stored. It is called once. ErrInvalid
// for a ticket that could not be stored.
func (d *Draft) End() (t Ticket, e Entry, changed bool, err error) {
	if err := d.T.check(); err != nil {
		return Ticket{}, Entry{}, false, err
	}
	changes, err := difference(d.was, d.T)
	if err != nil {
		return Ticket{}, Entry{}, false, err
	}
	if len(changes) == 0 && d.entry.Text == "" && d.entry.Kind == "" {
		return d.T, Entry{}, false, nil
	}
	d.T.Entries++
	d.T.UpdatedAt = d.now
	if changes, err = difference(d.was, d.T); err != nil {
		return Ticket{}, Entry{}, false, err
	}
	e = d.entry
	e.Ticket, e.Seq, e.At, e.Actor, e.Kind, e.Changes = d.T.ID, d.T.Entries, d.now, d.actor, d.Kind(), changes
	return d.T, e, true, nil
}

// SetState moves the ticket and takes a custom state off it; one that is Unassigned
// has no agent any more. The state that the ticket is in changes nothing, not even
// its custom state. ErrInvalid where the state cannot follow (State.CanBecome).
// Complete is for administrators, whom the caller knows, and for time. Solving
// needs no resolution here: what a workspace asks for stands in its fields (Missing).
func (d *Draft) SetState(s State) error {
	if s == d.T.State {
		return nil
	}
	if !s.Valid() || !d.T.State.CanBecome(s) {
		return errs.New(errs.Invalid, "ticket: it is %s and cannot become %q", d.T.State, clip(string(s)))
	}
	d.T.State, d.T.Custom, d.T.StateAt = s, "", d.now
	switch s {
	case Solved:
		d.T.SolvedAt = d.now
	case Unassigned:
		d.T.Agent = ""
	}
	return nil
}

// SetCustom moves the ticket to a state of the host's own, and so to the state
// that it stands for. ErrInvalid as of CustomState.Validate and SetState.
func (d *Draft) SetCustom(c CustomState) error {
	if err := c.Validate(); err != nil {
		return err
	}
	if err := d.SetState(c.As); err != nil {
		return err
	}
	d.T.Custom = c.ID
	return nil
}

// Assign gives the ticket to a group and, unless empty, to an agent of it. An
// unassigned ticket that gets an agent is in progress; one in progress that loses
// its agent is unassigned; in every other state the state stays. ErrConflict for
// one that is complete. Whether agent and group may be named is for the caller to
// know.
func (d *Draft) Assign(group GroupID, agent AgentID) error {
	if d.T.State == Complete {
		return errs.New(errs.Conflict, "ticket: it is complete and takes no assignee")
	}
	d.T.Group, d.T.Agent = group, agent
	switch {
	case agent != "" && d.T.State == Unassigned:
		return d.SetState(InProgress)
	case agent == "" && d.T.State == InProgress:
		return d.SetState(Unassigned)
	}
	return nil
}

// SetField sets a field's value; an empty one removes it. The value of an
// encrypted field comes sealed. ErrInvalid for a value that the field cannot hold,
// a deleted or system field, and a phone field of a ticket whose channel is not
// phone.
func (d *Draft) SetField(f Field, v Value) error {
	if f.Deleted || f.Kind == SystemField {
		return errs.New(errs.Invalid, "ticket: field %s takes no value here", f.Code)
	}
	if f.Kind == PhoneField && d.T.Channel != ChannelPhone {
		return errs.New(errs.Invalid, "ticket: field %s is for tickets of the phone channel", f.Code)
	}
	if f.Encrypted && !v.Empty() && len(v.Sealed) == 0 {
		return errs.New(errs.Invalid, "ticket: field %s is encrypted; seal its value first", f.Code)
	}
	if err := f.Check(v); err != nil {
		return err
	}
	if v.Empty() {
		delete(d.T.Fields, f.Code)
		return nil
	}
	if d.T.Fields == nil {
		d.T.Fields = map[string]Value{}
	}
	d.T.Fields[f.Code] = v
	return nil
}

// SetTags replaces the tags: trimmed, each once, sorted. ErrInvalid for more than
// MaxTags, and for one that is empty or above MaxName characters.
func (d *Draft) SetTags(tags ...string) error {
	var out []string
	for _, t := range tags {
		t = strings.TrimSpace(t)
		if err := checkText("a tag", t, 1, MaxName); err != nil {
			return err
		}
		out = append(out, t)
	}
	slices.Sort(out)
	if out = slices.Compact(out); len(out) > MaxTags {
		return errs.New(errs.Invalid, "ticket: %d tags; use at most %d", len(out), MaxTags)
	}
	d.T.Tags = out
	return nil
}

// Follow adds or removes a follower; twice is the same as once. ErrInvalid beyond
// MaxFollowers.
func (d *Draft) Follow(a AgentID, on bool) error {
	at := slices.Index(d.T.Followers, a)
	switch {
	case on && at < 0 && len(d.T.Followers) >= MaxFollowers:
		return errs.New(errs.Invalid, "ticket: it has %d followers; no more can be added", MaxFollowers)
	case on && at < 0:
		d.T.Followers = append(d.T.Followers, a)
	case !on && at >= 0:
		d.T.Followers = slices.Delete(d.T.Followers, at, at+1)
	}
	return nil
}

// Comment adds an internal comment, with the names of its files. ErrInvalid for one
// that is empty without files, above MaxBody bytes or with more than MaxValueFiles,
// and for a second one of the same entry.
func (d *Draft) Comment(text string, files ...string) error { return d.say(Commented, text, files) }

// Answer adds a public answer of an agent. Banned words are the caller's to look
// for before (FindBanned). Errors are those of Comment, and ErrConflict for a
// ticket that is complete.
func (d *Draft) Answer(text string, files ...string) error {
	if err := d.say(Answered, text, files); err != nil {
		return err
	}
	d.T.AnsweredAt = d.now
	return nil
}

// KeepUnsent notes that the answer of this step is sent nowhere. What is said of it
// to whoever gave it, and in the history, goes by this note alone.
func (d *Draft) KeepUnsent() { d.entry.Unsent = true }

// Unsent reports whether the answer of this step is sent nowhere (KeepUnsent).
func (d *Draft) Unsent() bool { return d.entry.Unsent }

// Reply adds the customer's words. A solved or held ticket is worked on again: it
// is in progress, or unassigned where it has no agent. Errors are those of Comment,
// and ErrConflict for a ticket that is complete: make a new one that follows it.
func (d *Draft) Reply(text string, files ...string) error {
	if err := d.say(Replied, text, files); err != nil {
		return err
	}
	return d.wakes()
}

// ReplyInChat is Reply for words that the customer wrote in the ticket's chat: the
// entry names the message and holds no text. merged names the ticket that they
// were meant for where that was merged into this one, and then they open nothing
// again; else it is empty. ErrInvalid when the entry is about something already,
// ErrConflict for a ticket that is complete.
func (d *Draft) ReplyInChat(m conversation.MessageID, merged ID) error {
	switch {
	case d.entry.Kind != "" || d.entry.Text != "":
		return errs.New(errs.Invalid, "ticket: one entry carries one comment")
	case d.T.State == Complete:
		return errs.New(errs.Conflict, "ticket: it is complete and takes no reply; make a new ticket that follows it")
	}
	d.entry.Kind, d.entry.Message, d.entry.From = Replied, m, merged
	if merged != "" {
		d.T.CustomerAt = d.now
		return nil
	}
	return d.wakes()
}

// wakes opens the ticket again after the customer's words.
func (d *Draft) wakes() error {
	d.T.CustomerAt = d.now
	if d.T.State != Solved && d.T.State != OnHold {
		return nil
	}
	if d.T.Agent == "" {
		return d.SetState(Unassigned)
	}
	return d.SetState(InProgress)
}

func (d *Draft) say(kind EntryKind, text string, files []string) error {
	switch {
	case d.entry.Text != "" || len(d.entry.Files) > 0:
		return errs.New(errs.Invalid, "ticket: one entry carries one comment")
	case d.T.State == Complete && kind != Commented:
		return errs.New(errs.Conflict, "ticket: it is complete and takes no reply; make a new ticket that follows it")
	case strings.TrimSpace(text) == "" && len(files) == 0:
		return errs.New(errs.Invalid, "ticket: the comment is empty")
	case len(text) > MaxBody || len(files) > MaxValueFiles:
		return errs.New(errs.Invalid, "ticket: a comment of %d bytes with %d files; use at most %d and %d",
			len(text), len(files), MaxBody, MaxValueFiles)
	}
	d.entry.Text, d.entry.Files = text, slices.Clone(files)
	if d.entry.Kind == "" {
		d.entry.Kind = kind
	}
	return nil
}

// Relate links two tickets, each a Draft of this transaction; r is what d is to
// other, seen from d. A link that is there is kept as it is. ErrInvalid for a
// relation without an Opposite, for a ticket and itself, and where one of the two
// has MaxLinks other links already.
func Relate(d *Draft, r Relation, other *Draft) error {
	back, ok := r.Opposite()
	switch {
	case !ok:
		return errs.New(errs.Invalid, "ticket: %q is no relation that can be set", clip(string(r)))
	case d.T.ID == other.T.ID:
		return errs.New(errs.Invalid, "ticket: it cannot be linked to itself")
	case slices.Contains(d.T.Links, Link{other.T.ID, r}) && slices.Contains(other.T.Links, Link{d.T.ID, back}):
		return nil
	case len(d.T.Links) >= MaxLinks || len(other.T.Links) >= MaxLinks:
		return errs.New(errs.Invalid, "ticket: it has %d links; no more can be added", MaxLinks)
	}
	d.addLink(Link{other.T.ID, r})
	other.addLink(Link{d.T.ID, back})
	return nil
}

func (d *Draft) addLink(l Link) {
	if !slices.Contains(d.T.Links, l) {
		d.T.Links = append(d.T.Links, l)
	}
}

// Unlink takes every relation between the two away, on both.
func Unlink(d, other *Draft) {
	d.dropLinks(other.T.ID)
	other.dropLinks(d.T.ID)
}

func (d *Draft) dropLinks(to ID) {
	d.T.Links = slices.DeleteFunc(d.T.Links, func(l Link) bool { return l.To == to })
}
