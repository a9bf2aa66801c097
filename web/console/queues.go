package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// queuesView is what waits, and who could take it.
type queuesView struct {
	Queues []queueView
	Agents []colleagueView
}

type queueView struct {
	Name    string
	Waiting []waitingView
}

type waitingView struct {
	Row     rowView
	Offered string // to whom it is offered
	Waits   string
	Prio    int
}

type colleagueView struct {
	Name, Presence string
	Open           int
}

// queues is the page of what waits.
func (q *request) queues() error {
	list, err := q.engine.Queues(q.r.Context(), q.p, 200)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	var v queuesView
	for _, id := range sortedKeys(d.Queues) {
		qv := queueView{Name: d.Queues[id]}
		var convs []conversation.Conversation
		var items []routing.Item
		for _, w := range list {
			if w.Item.Queue == id {
				convs, items = append(convs, w.Conversation), append(items, w.Item)
			}
		}
		rows, err := q.rowViews(d, convs, "waiting", "")
		if err != nil {
			return err
		}
		for i, r := range rows {
			w := waitingView{Row: r, Waits: q.since(items[i].QueuedAt), Prio: items[i].Priority}
			if items[i].State == routing.ItemOffered {
				w.Offered = agentName(d, items[i].Agent)
			}
			qv.Waiting = append(qv.Waiting, w)
		}
		if len(qv.Waiting) == 0 && slices.Contains(d.RetiredQueues, id) {
			continue
		}
		v.Queues = append(v.Queues, qv)
	}
	for _, a := range d.Agents {
		if !a.Disabled {
			v.Agents = append(v.Agents,
				colleagueView{cmp.Or(a.Name, string(a.ID)), cmp.Or(string(a.Presence), string(routing.Offline)), a.Open})
		}
	}
	slices.SortStableFunc(v.Agents, func(a, b colleagueView) int { return cmp.Compare(rank(a.Presence), rank(b.Presence)) })
	if q.swaps() {
		q.part(http.StatusOK, "waiting", v)
		return nil
	}
	q.page(http.StatusOK, "queues", q.lang.t("nav.queues"), "queues", v)
	return nil
}

// rank orders agents by who is there.
func rank(presence string) int {
	return slices.Index([]string{string(routing.Online), string(routing.Break), string(routing.Offline)}, presence)
}

// explainView says why a conversation waits, and how it was decided before.
type explainView struct {
	ID, Name   string
	Waits      bool
	Queue      string
	Strategy   string
	Position   int
	Of         int
	Expected   string
	Why        []string
	Considered []consideredView
	Decisions  []decisionView
	NotHere    bool // another process routes; it alone knows
	Past       *pastView
	At         string // of Past, as the address has it
}

// pastView says why somebody was chosen, at a time that is over.
type pastView struct {
	When, Agent, Strategy string
	Exact                 bool // evaluated anew; else the summary is all there is
	Considered            []consideredView
}

type consideredView struct {
	Agent    string
	Excluded []string
	Declined bool
	Chosen   bool
	Key      string
}

type decisionView struct {
	At                                    string // as the address has it
	When, Kind, Agent, Strategy, Why, Key string
	Next                                  []string
	Excluded                              []string
	Asked                                 bool // an owner's question: the summary is all there is
}

// explain is the answer to "why does this wait, why was X chosen".
func (q *request) explain() error {
	id := q.chosen()
	d, err := q.directory()
	if err != nil {
		return err
	}
	detail, err := q.engine.Conversation(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	head := q.headOf(d, detail)
	v := explainView{ID: string(id), Name: head.Name}
	waiting, err := q.engine.Explain(q.r.Context(), q.p, id)
	switch {
	case errors.Is(err, sangdam.ErrUnavailable):
		v.NotHere = true
	case err != nil:
		return err
	}
	all := slices.Concat(waiting.Decisions, waiting.Asked)
	slices.SortStableFunc(all, func(a, b routing.Decision) int { return a.At.Compare(b.At) })
	for _, dec := range all {
		v.Decisions = append(v.Decisions, q.decisionView(d, dec))
	}
	if v.Past, err = q.past(d, id); err != nil {
		return err
	}
	if v.Past != nil {
		v.At = q.r.FormValue("at")
	}
	if x := waiting.Now; x != nil {
		v.Waits, v.Queue, v.Position, v.Of = true, cmp.Or(d.Queues[x.Queue], string(x.Queue)), x.Position, x.Of
		v.Strategy, v.Why = q.lang.of("strategy", x.Strategy), x.Why
		for _, c := range x.Considered {
			v.Considered = append(v.Considered, consideredView{Agent: agentName(d, c.Agent), Excluded: q.reasons(c.Excluded),
				Declined: c.Declined})
		}
		if place, err := q.engine.Place(q.r.Context(), q.p, id); err == nil && place.Known {
			v.Expected = q.since(q.now.Add(-place.Expected))
		}
	}
	if q.swaps() {
		q.part(http.StatusOK, "explain", v)
		return nil
	}
	q.page(http.StatusOK, "explain", q.lang.t("explain.title"), "queues", v)
	return nil
}

// past is the decision of the time that the address names, nil for none.
func (q *request) past(d *sangdam.Directory, id conversation.ID) (*pastView, error) {
	at, err := time.Parse(time.RFC3339Nano, q.r.FormValue("at"))
	if err != nil {
		return nil, nil
	}
	x, err := q.engine.ExplainDecision(q.r.Context(), q.p, routing.ItemID(id), at)
	if errors.Is(err, sangdam.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	v := &pastView{When: q.full(x.At), Agent: agentName(d, x.Agent), Strategy: q.lang.of("strategy", x.Strategy), Exact: x.Exact}
	for _, c := range x.Considered {
		v.Considered = append(v.Considered, consideredView{Agent: agentName(d, c.Agent), Excluded: q.reasons(c.Excluded),
			Declined: c.Declined, Chosen: c.Agent == x.Agent, Key: c.Key})
	}
	return v, nil
}

func (q *request) reasons(list []routing.Exclusion) []string {
	var out []string
	for _, x := range list {
		out = append(out, q.lang.of("excluded", string(x)))
	}
	return out
}

func (q *request) decisionView(d *sangdam.Directory, dec routing.Decision) decisionView {
	v := decisionView{At: dec.At.UTC().Format(time.RFC3339Nano), When: q.full(dec.At), Kind: q.lang.of("decision", string(dec.Kind)),
		Agent: agentName(d, dec.Agent), Strategy: q.lang.of("strategy", dec.Strategy), Why: q.lang.of("why", dec.Why), Key: dec.Key,
		Asked: dec.Kind == routing.DecideConsult}
	for _, n := range dec.Next {
		v.Next = append(v.Next, agentName(d, n.Agent))
	}
	for _, x := range sortedKeys(dec.Excluded) {
		v.Excluded = append(v.Excluded, q.lang.t("explain.excluded_count", q.lang.of("excluded", string(x)), dec.Excluded[x]))
	}
	return v
}
