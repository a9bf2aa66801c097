package console

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/validate"
)

// queueForm is a queue as the page shows it.
type queueForm struct {
	Queue      routing.Queue
	Strategies []choice
	Desks      []choice
	Members    []memberForm
	Designated []choice
	Ageing     string
	Overflow   []overflowForm
	Hours      hoursForm
	Retire     retireForm
}

type memberForm struct {
	ID, Name     string
	On           bool
	Rank, Weight string
}

type overflowForm struct {
	N            int
	When, Do     []choice
	After, Limit string
	Queues       []choice
	Message      string
}

func (q *request) queueForm(v routing.Queue, h hoursForm) (queueForm, error) {
	agents, err := q.engine.Agents(q.r.Context(), q.p)
	if err != nil {
		return queueForm{}, err
	}
	d, err := q.directory()
	if err != nil {
		return queueForm{}, err
	}
	strategies, chosen := routing.BuiltIn(), cmp.Or(v.Strategy, routing.RoundRobin)
	f := queueForm{Queue: v, Hours: h, Strategies: q.named("strategy", is(chosen), strategies...)}
	f.Retire = retireForm{"/setup/queues/", string(v.ID), v.Version, v.Retired}
	if !slices.Contains(strategies, chosen) { // one of the host's
		f.Strategies = append(f.Strategies, choice{v.Strategy, v.Strategy, true})
	}
	if f.Desks, err = q.deskChoices(func(id routing.DeskID) bool { return id == v.Desk }); err != nil {
		return f, err
	}
	for _, a := range agents {
		m := memberForm{ID: string(a.ID), Name: cmp.Or(a.Name, string(a.ID)), On: slices.Contains(v.Members, a.ID)}
		if n, ok := v.Rank[a.ID]; ok {
			m.Rank = strconv.Itoa(n)
		}
		if n, ok := v.Weights[a.ID]; ok {
			m.Weight = strconv.Itoa(n)
		}
		f.Members = append(f.Members, m)
	}
	f.Designated = q.agentChoices(agents, func(a routing.AgentID) bool { return a == v.Designated })
	f.Ageing = strconv.FormatFloat(v.AgeingPerMinute, 'f', -1, 64)
	for i, o := range append(slices.Clone(v.Overflow), routing.Overflow{}) {
		of := overflowForm{N: i, Message: o.Message,
			When: q.named("overflow_when", is(string(o.When)), "", "hours", "wait", "length", "exhausted"),
			Do:   q.named("overflow_do", is(string(o.Do)), "queue", "message", "ticket", "call_back")}
		if o.After > 0 {
			of.After = strconv.Itoa(int(o.After.Seconds()))
		}
		if o.Limit > 0 {
			of.Limit = strconv.Itoa(o.Limit)
		}
		of.Queues = slices.DeleteFunc(q.queueChoices(d, func(id routing.QueueID) bool { return id == o.Queue }),
			func(c choice) bool { return c.Value == string(v.ID) })
		f.Overflow = append(f.Overflow, of)
	}
	return f, nil
}

func (q *request) findQueue(id string) (routing.Queue, error) {
	if id == "new" {
		return routing.Queue{}, nil
	}
	cfg, err := q.engine.Configuration(q.r.Context(), q.p)
	if err != nil {
		return routing.Queue{}, err
	}
	v, ok := cfg.Queues[routing.QueueID(id)]
	if !ok {
		return v, errNoPage
	}
	return v, nil
}

func (q *request) queue() error {
	id := q.r.PathValue("id")
	v, err := q.findQueue(id)
	if err != nil {
		return err
	}
	f, err := q.queueForm(v, q.hoursForm(v.Hours))
	if err != nil {
		return err
	}
	return q.edit("queue", cmp.Or(v.Name, q.lang.t("setup.new.queues")), id, f, nil)
}

func (q *request) saveQueue() error {
	id := q.r.PathValue("id")
	v, err := q.findQueue(id)
	if err != nil {
		return err
	}
	if q.value("retire") != "" {
		return q.retireQueue(v)
	}
	typed := q.typedHours()
	if err = q.readQueue(&v, typed); err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveQueue(q.r.Context(), q.p, sangdam.SaveQueue{Key: q.key(), Queue: v}); err == nil {
			return q.saved("/setup/queues/", escaped(saved.ID), saved.Warnings)
		}
	}
	f, again := q.queueForm(v, typed.withRoom(q.now))
	if again != nil {
		return again
	}
	return q.edit("queue", cmp.Or(v.Name, q.lang.t("setup.new.queues")), id, f, err)
}

// retireQueue takes a queue out of use, or brings it back.
func (q *request) retireQueue(v routing.Queue) error {
	next := v
	err := q.retires(&next.Version, &next.Retired)
	if err == nil {
		if _, err = q.engine.SaveQueue(q.r.Context(), q.p, sangdam.SaveQueue{Key: q.key(), Queue: next}); err == nil {
			return q.saved("/setup/queues/", escaped(string(v.ID)), nil)
		}
	}
	f, again := q.queueForm(v, q.hoursForm(v.Hours))
	if again != nil {
		return again
	}
	return q.edit("queue", v.Name, string(v.ID), f, err)
}

func (q *request) readQueue(v *routing.Queue, typed hoursForm) (err error) {
	v.ID, v.Version, v.Name = routing.QueueID(q.idOf()), q.number("version"), q.value("name")
	v.Strategy, v.Desk, v.Designated = q.value("strategy"), routing.DeskID(q.value("desk")), routing.AgentID(q.value("designated"))
	v.Members, v.Rank, v.Weights = nil, map[routing.AgentID]int{}, map[routing.AgentID]int{}
	for _, m := range q.r.PostForm["member"] {
		a := routing.AgentID(m)
		v.Members = append(v.Members, a)
		for field, into := range map[string]map[routing.AgentID]int{"rank." + m: v.Rank, "weight." + m: v.Weights} {
			if q.value(field) == "" {
				continue
			}
			if into[a], err = q.whole(field); err != nil {
				return err
			}
		}
	}
	if ageing := q.value("ageing"); ageing != "" {
		if v.AgeingPerMinute, err = strconv.ParseFloat(ageing, 64); err != nil {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", ageing))
		}
	}
	if v.Reserve, err = q.whole("reserve"); err != nil {
		return err
	}
	if v.Overflow, err = q.readOverflow(); err != nil {
		return err
	}
	v.Hours, err = q.calendar(typed)
	return err
}

func (q *request) readOverflow() (out []routing.Overflow, err error) {
	for n := range validate.MaxOverflowRules {
		p := "overflow." + strconv.Itoa(n) + "."
		when := q.value(p + "when")
		if when == "" {
			continue
		}
		o := routing.Overflow{When: routing.OverflowWhen(when), Do: routing.OverflowDo(q.value(p + "do"))}
		if o.After, err = q.span(p+"after", time.Second); err != nil {
			return nil, err
		}
		if o.Limit, err = q.whole(p + "limit"); err != nil {
			return nil, err
		}
		switch o.Do {
		case routing.OverflowQueue:
			o.Queue = routing.QueueID(q.value(p + "queue"))
		case routing.OverflowMessage:
			o.Message = q.value(p + "message")
		}
		out = append(out, o)
	}
	return out, nil
}
