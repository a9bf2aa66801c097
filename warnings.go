package sangdam

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/validate"
)

// What a save accepts though it cannot work yet, because another save may make
// it right, is told as a warning: a set-up is made in steps, in any order. What
// no later save can make right is refused. Warnings name ids and the remedy,
// never a text: they are kept with the command's key.

// Warning says what cannot work until something else is set up. Text is an
// English sentence. Code names the kind of warning and never changes its
// meaning, and Args are the ids and names in the sentence, in an order that
// belongs to the code, so that a program can say it in another language.
type Warning struct {
	Code string   `json:"code"`
	Args []string `json:"args,omitempty"`
	Text string   `json:"text"`
}

func (w Warning) String() string { return w.Text }

// UnmarshalJSON also reads the form of earlier versions, which was the sentence
// alone: a command that is repeated by its Key after an update answers with
// what an earlier version stored.
func (w *Warning) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) == nil {
		w.Text = text
		return nil
	}
	type plain Warning
	return json.Unmarshal(b, (*plain)(w))
}

// warn makes a warning of a sentence and of what fills its places.
func warn(code, format string, args ...any) Warning {
	return warnOf(code, fmt.Sprintf(format, args...), args...)
}

// warnOf is warn for a sentence that was made elsewhere.
func warnOf(code, text string, args ...any) Warning {
	w := Warning{Code: code, Text: text}
	for _, a := range args {
		w.Args = append(w.Args, fmt.Sprint(a))
	}
	return w
}

// agentWarnings say why an agent gets no chats.
func agentWarnings(a routing.Agent) (out []Warning) {
	if a.Disabled {
		return nil
	}
	if !a.May(routing.PermitChat) {
		out = append(out, warn("agent_permission", "agent %s has no permission for chats and is offered none: grant it", a.ID))
	}
	if !a.Assign.Chat {
		out = append(out, warn("agent_switch", "the assignment of chats is switched off for agent %s, who is offered none: "+
			"switch it on", a.ID))
	}
	if a.Capacity[routing.ProfileUnits] == 0 {
		out = append(out, warn("agent_capacity", "agent %s has no capacity in %q and is offered nothing that costs any: set it", a.ID,
			routing.ProfileUnits))
	}
	return out
}

// queueWarnings say who cannot take work from the queue, and what it sends
// though it has no text.
func (u *unit) queueWarnings(cfg routing.Configuration, q routing.Queue) (out []Warning, err error) {
	if q.Retired { // nothing comes there
		return nil, nil
	}
	agents, err := u.tx.Agents().Agents(u.ctx)
	if err != nil {
		return nil, err
	}
	desks := u.s.feeding(cfg, q)
	on := func(d routing.DeskID, a routing.AgentID) bool { return slices.Contains(cfg.Members[d], a) }
	for _, a := range q.Members {
		switch {
		case !slices.ContainsFunc(agents, func(known routing.Agent) bool { return known.ID == a }):
			out = append(out, warn("queue_no_agent", "queue %s has member %s, an agent who does not exist: save the agent or "+
				"leave it out", q.ID, a))
		case len(desks) > 0 && !slices.ContainsFunc(desks, func(d routing.DeskID) bool { return on(d, a) }):
			out = append(out, warn("queue_off_desk", "queue %s has member %s, who is on none of the desks whose work it holds (%s) and is "+
				"offered nothing: add the agent to a desk", q.ID, a, strings.Join(kindsOf(desks...), ", ")))
		}
	}
	for _, d := range desks {
		if !slices.ContainsFunc(q.Members, func(a routing.AgentID) bool { return on(d, a) }) {
			out = append(out, warn("queue_no_member", "queue %s has no member on desk %s, whose work it holds: nobody can take "+
				"that", q.ID, d))
		}
	}
	out = append(out, orderWarnings(q)...)
	return append(out, u.overflowWarnings(cfg, q)...), nil
}

// orderWarnings name agents whom the queue's strategy would weigh or rank and never
// meets. They are told and not refused, as members who do not exist are: the agent may
// be made later, and one who left the queue may come back to the same place.
func orderWarnings(q routing.Queue) (out []Warning) {
	for _, a := range slices.Sorted(maps.Keys(q.Weights)) {
		if !slices.Contains(q.Members, a) {
			out = append(out, warn("queue_weight", "queue %s weighs agent %s, who is no member of it: add the agent or take the weight "+
				"away", q.ID, a))
		}
	}
	for _, a := range slices.Sorted(maps.Keys(q.Rank)) {
		if !slices.Contains(q.Members, a) {
			out = append(out, warn("queue_rank", "queue %s ranks agent %s, who is no member of it: add the agent or take the rank away",
				q.ID, a))
		}
	}
	return out
}

// overflowWarnings name messages of a queue's overflow that have no text.
func (u *unit) overflowWarnings(cfg routing.Configuration, q routing.Queue) (out []Warning) {
	texts := u.s.textNames(cfg)
	for _, o := range q.Overflow {
		if o.Do == routing.OverflowMessage && !texts[o.Message] {
			out = append(out, warn("queue_no_text", "queue %s sends message %q, of which no account, desk or work stream has a "+
				"text: write one", q.ID, o.Message))
		}
	}
	return out
}

// accountWarnings say which texts of the account nothing sends, and where its
// conversations lead to nobody.
func accountWarnings(cfg routing.Configuration, a channel.Account) []Warning {
	out := unsent(a.Messages, cfg, func(name, known string) Warning {
		return warn("account_unsent", "account %s "+unsentText, a.ID, name, known)
	})
	for _, at := range slices.SortedFunc(maps.Keys(leads(cfg, a)), place.compare) {
		q, known := cfg.Queues[at.queue]
		if !known || slices.ContainsFunc(q.Members, func(m routing.AgentID) bool { return slices.Contains(cfg.Members[at.desk], m) }) {
			continue
		}
		out = append(out, warn("account_leads", "account %s leads to queue %s, of whose members nobody is on desk %s: nobody can take its "+
			"conversations there; add a member to the desk, or to the queue somebody who is on it", a.ID, at.queue, at.desk))
	}
	return out
}

// place is a queue with the desk for which it then works.
type place struct {
	queue routing.QueueID
	desk  routing.DeskID
}

func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.queue, q.queue), cmp.Compare(p.desk, q.desk))
}

// leads are the places to which the account's conversations may come, by its
// work stream and by overflow.
func leads(cfg routing.Configuration, a channel.Account) map[place]bool {
	seen := map[place]bool{}
	var follow func(id routing.QueueID, desk routing.DeskID)
	follow = func(id routing.QueueID, desk routing.DeskID) {
		if own := cfg.Queues[id].Desk; own != "" {
			desk = own
		}
		at := place{id, desk}
		if id == "" || seen[at] {
			return
		}
		seen[at] = true
		for _, o := range cfg.Queues[id].Overflow {
			follow(o.Queue, desk)
		}
	}
	stream := cfg.WorkStreams[a.WorkStream]
	follow(stream.Queue, a.Desk)
	for _, r := range stream.Rules {
		follow(r.Queue, a.Desk)
		for _, share := range r.Split {
			follow(share.Queue, a.Desk)
		}
	}
	return seen
}

// feeding lists the desks whose work may come into the queue: its own, else
// those of the accounts that lead there.
func (s *settings) feeding(cfg routing.Configuration, q routing.Queue) []routing.DeskID {
	if q.Desk != "" {
		return []routing.DeskID{q.Desk}
	}
	out := map[routing.DeskID]bool{}
	for _, a := range s.accounts {
		if a.Deleted {
			continue
		}
		for at := range leads(cfg, a) {
			if at.queue == q.ID {
				out[at.desk] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(out))
}

// textNames are the automated messages that somebody wrote a text for.
func (s *settings) textNames(cfg routing.Configuration) map[string]bool {
	out := map[string]bool{}
	add := func(t automated.Texts) {
		for name := range t {
			out[name] = true
		}
	}
	for _, d := range cfg.Desks {
		add(d.Messages)
	}
	for _, w := range cfg.WorkStreams {
		add(w.Messages)
	}
	for _, a := range s.accounts {
		if !a.Deleted {
			add(a.Messages)
		}
	}
	return out
}

// deskWarnings say which texts of the desk nothing sends.
func deskWarnings(cfg routing.Configuration, d routing.Desk) []Warning {
	return unsent(d.Messages, cfg, func(name, known string) Warning {
		return warn("desk_unsent", "desk %s "+unsentText, d.ID, name, known)
	})
}

// unsentText is what is said of a text that nothing sends, after what has it.
const unsentText = "has a message %q, which nothing sends: use one of %s, or name it in a queue's overflow"

// unsent warns of texts under a name that nothing sends; known are those that are sent.
func unsent(texts automated.Texts, cfg routing.Configuration, say func(name, known string) Warning) (out []Warning) {
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		if slices.Contains(automated.Names, name) {
			continue
		}
		sends := func(o routing.Overflow) bool { return o.Do == routing.OverflowMessage && o.Message == name }
		sent := false
		for _, q := range cfg.Queues {
			sent = sent || slices.ContainsFunc(q.Overflow, sends)
		}
		if !sent {
			out = append(out, say(name, strings.Join(automated.Names, ", ")))
		}
	}
	return out
}

// streamWarnings say which rules ask for skills that nobody has.
func (u *unit) streamWarnings(cfg routing.Configuration, w routing.WorkStream) ([]Warning, error) {
	out := unsent(w.Messages, cfg, func(name, known string) Warning {
		return warn("stream_unsent", "work stream %s "+unsentText, w.ID, name, known)
	})
	agents, err := u.tx.Agents().Agents(u.ctx)
	if err != nil {
		return nil, err
	}
	only := routing.Configuration{WorkStreams: map[routing.WorkStreamID]routing.WorkStream{w.ID: w}}
	if err := validate.Skills(only, agents); err != nil {
		_, args, _ := errs.Parts(err)
		out = append(out, warnOf("skills", err.Error(), args...))
	}
	return out, nil
}
