package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// historian puts the history of a ticket into words.
type historian struct {
	*request
	d     *sangdam.Directory
	set   sangdam.TicketSetup
	names map[ticket.ID]ticket.Ref // of the tickets that it tells of
}

func (q *request) historian(d *sangdam.Directory, set sangdam.TicketSetup, detail sangdam.TicketDetail) (historian, error) {
	h := historian{request: q, d: d, set: set}
	links := slices.Clone(detail.Ticket.Links)
	for _, e := range detail.Entries {
		for _, c := range e.Changes {
			if c.Member == "links" {
				links = append(links, linksOf(c.Was)...)
				links = append(links, linksOf(c.Now)...)
			}
		}
	}
	ids := []ticket.ID{detail.Ticket.MergedInto}
	for _, l := range links {
		ids = append(ids, l.To)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	var err error
	h.names, err = q.engine.TicketNames(q.r.Context(), q.p, ids[:min(len(ids), sangdam.MaxBulk)]...)
	return h, err
}

// linksOf are the links of a change; none where it has others.
func linksOf(raw json.RawMessage) (out []ticket.Link) {
	if json.Unmarshal(raw, &out) != nil {
		return nil
	}
	return out
}

func (q historian) entryView(e ticket.Entry) entryView {
	v := entryView{Who: q.actor(q.d, e.Actor), When: q.short(e.At), Full: q.full(e.At), Kind: string(e.Kind),
		Text: q.marked(e.Text, e.Masks, q.masks.Parts[ticket.CommentPart(e.Seq)]), Part: partOf(e), Seq: e.Seq,
		Found:  q.proposed(q.masks.Parts[ticket.CommentPart(e.Seq)]),
		Public: e.Public(), Kept: e.Unsent}
	for _, c := range e.Shown() {
		if e.Kind == ticket.Created { // everything is new: the page shows it
			break
		}
		was, now := q.shownValue(c.Member, c.Was), q.shownValue(c.Member, c.Now)
		v.Changes = append(v.Changes, q.lang.t("tickets.change", q.lang.of("member", c.Member), was, now))
	}
	return v
}

// shownValue is a value of a change, in words.
func (q historian) shownValue(member string, raw json.RawMessage) string {
	var v any
	if json.Unmarshal(raw, &v) != nil || v == nil || v == "" {
		return "–"
	}
	text := fmt.Sprint(v)
	switch member {
	case "state":
		return q.lang.of("ticket_state", text)
	case "priority":
		return q.lang.of("priority", text)
	case "agent":
		return agentName(q.d, routing.AgentID(text))
	case "group", "desk":
		return q.ticketWord(q.d, q.set, member, text)
	case "category":
		return cmp.Or(q.categoryPath(q.set.Trees[ticket.Intake], ticket.CategoryID(text)), text)
	case "resolution":
		return cmp.Or(q.categoryPath(q.set.Trees[ticket.Resolution], ticket.CategoryID(text)), text)
	case "merged_into":
		return q.called(ticket.ID(text))
	case "links":
		var words []string
		for _, l := range linksOf(raw) {
			words = append(words, q.lang.of("relation", string(l.As))+" "+q.called(l.To))
		}
		return strings.Join(words, ", ")
	}
	if list, is := v.([]any); is {
		var words []string
		for _, one := range list {
			word := fmt.Sprint(one)
			if member == "followers" {
				word = agentName(q.d, routing.AgentID(word))
			}
			words = append(words, word)
		}
		return cmp.Or(strings.Join(words, ", "), "–")
	}
	if s, is := v.(string); is {
		if t, err := time.Parse(time.RFC3339, s); err == nil {
			return q.full(t)
		}
		return s
	}
	return string(raw)
}

// called is what a ticket is called by; its id where the person may not see it.
func (q historian) called(id ticket.ID) string {
	if n := q.names[id].Number; n > 0 {
		return fmt.Sprintf("#%d", n)
	}
	return string(id)
}
