package ticket

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// ErasedText stands where a title was erased, since a ticket has one.
const ErasedText = "***"

// Erased is the ticket without what it says of a person: the title becomes
// ErasedText, and text, masks, requester and field values go. Values of the fields
// whose code chosen is true of stay: they were chosen from the workspace's own
// options. States, times, category, agents, tags and clocks stay, for whoever
// counts, and so do Contact, Conversation and what another system calls it.
func (t Ticket) Erased(chosen func(code string) bool) Ticket {
	t.Title, t.Body, t.Masks, t.Requester = ErasedText, "", nil, Requester{}
	fields := map[string]Value{}
	for code, v := range t.Fields {
		if chosen(code) {
			fields[code] = v
		}
	}
	if t.Fields = fields; len(fields) == 0 {
		t.Fields = nil
	}
	return t
}

// Erased is a step of the history of an erased ticket: nothing is said in it, and
// what it tells of the members that Ticket.Erased takes is what is left of them.
// Of all entries so, Replay makes the erased ticket.
func (e Entry) Erased(chosen func(code string) bool) Entry {
	e.Text, e.Files, e.Masks = "", nil, nil
	changes := make([]Change, 0, len(e.Changes))
	for _, c := range e.Changes {
		code, field := strings.CutPrefix(c.Member, "fields.")
		switch {
		case c.Member == string(TitlePart):
			c.Was, c.Now = erasedTitle(c.Was), erasedTitle(c.Now)
		case slices.Contains([]string{string(BodyPart), "masks", "requester"}, c.Member), field && !chosen(code):
			continue
		}
		if !bytes.Equal(c.Was, c.Now) {
			changes = append(changes, c)
		}
	}
	if e.Changes = changes; len(changes) == 0 {
		e.Changes = nil
	}
	return e
}

func erasedTitle(was json.RawMessage) json.RawMessage {
	if bytes.Equal(was, null) || string(was) == `""` { // before there was a ticket
		return was
	}
	out, _ := json.Marshal(ErasedText) // a string can always be encoded
	return out
}
