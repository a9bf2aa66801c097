package sangdam

import (
	"maps"
	"slices"

	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/board"
)

// eligible is board.Eligible with the members of the desk that the work
// belongs to.
func (u *unit) eligible(it routing.Item, a routing.Agent) []routing.Exclusion {
	return board.Eligible(it, a, u.s.routing.Queues[it.Queue], u.s.routing.Members[u.deskOf(it)], u.tx.Now())
}

// deskOf is the desk that the item belongs to in its queue.
func (u *unit) deskOf(it routing.Item) routing.DeskID {
	q := u.s.routing.Queues[it.Queue]
	return board.DeskFor(&it, &q)
}

// without are the settings as they are once the agent has left the desk.
func (s *settings) without(d routing.DeskID, a routing.AgentID) *settings {
	next := *s
	next.routing.Members = maps.Clone(s.routing.Members)
	next.routing.Members[d] = slices.DeleteFunc(slices.Clone(s.routing.Members[d]), func(m routing.AgentID) bool { return m == a })
	return &next
}

// serves says that the agent belongs to the item's queue and to its desk.
func (u *unit) serves(it routing.Item, a routing.AgentID) bool {
	desk := u.deskOf(it)
	return slices.Contains(u.s.routing.Queues[it.Queue].Members, a) && (desk == "" || u.s.member(desk, a))
}

// staffed says that a member of the queue may take work of the desk from it:
// that the work is not sent where nobody can ever take it, or that is out of use.
func (s *settings) staffed(q routing.Queue, d routing.DeskID) bool {
	if q.Desk != "" {
		d = q.Desk
	}
	return !q.Retired && !s.routing.Desks[d].Retired &&
		slices.ContainsFunc(q.Members, func(a routing.AgentID) bool { return s.member(d, a) })
}

// toDesk takes a conversation to the desk that the queue works for.
func (u *unit) toDesk(d *draft.Draft, queue routing.QueueID) {
	if desk := u.s.routing.Queues[queue].Desk; desk != "" {
		d.MoveTo(desk, u.p.actor())
	}
}

// transferTarget finds the queue and the desk that a cold transfer leads to,
// and refuses one that nobody there could take up.
func (u *unit) transferTarget(d *draft.Draft, it routing.QueueID, c Transfer) (routing.QueueID, routing.DeskID, error) {
	cfg := u.s.routing
	desk, queue := c.Desk, c.Queue
	if desk != "" {
		if had, ok := cfg.Desks[desk]; !ok {
			return "", "", errs.New(errs.Invalid, "sangdam: there is no desk %s", desk)
		} else if had.Retired {
			return "", "", outOfUse(kindDesk, string(desk))
		}
	}
	if queue == "" {
		if queue = u.queueOf(desk, it); queue == "" {
			return "", "", errs.New(errs.Invalid, "sangdam: no queue works for desk %s: name a queue, or set the Desk of one", desk)
		}
	}
	q, ok := cfg.Queues[queue]
	if !ok {
		return "", "", errs.New(errs.Invalid, "sangdam: there is no queue %s", queue)
	}
	if q.Retired {
		return "", "", outOfUse("queue", string(queue))
	}
	if desk != "" && q.Desk != "" && q.Desk != desk {
		return "", "", errs.New(errs.Invalid, "sangdam: queue %s works for desk %s, not for desk %s", queue, q.Desk, desk)
	}
	if desk == "" {
		if desk = d.C.Desk; cfg.Desks[desk].Retired {
			desk = u.s.accounts[d.C.Account].Desk // where its customer is answered now
		}
		if q.Desk != "" {
			desk = q.Desk
		}
	}
	if !u.s.staffed(q, desk) {
		return "", "", errs.New(errs.Invalid,
			"sangdam: no member of queue %s is on desk %s, so nobody could take the conversation: choose another queue, or name its desk",
			queue,
			desk)
	}
	return queue, desk, nil
}

// queueOf is the queue in which work for a desk waits: the present one if it
// may hold it, else the first by id that names the desk; empty for none.
func (u *unit) queueOf(desk routing.DeskID, now routing.QueueID) routing.QueueID {
	q, ok := u.s.routing.Queues[now]
	if ok && !q.Retired && (q.Desk == desk || q.Desk == "" && u.s.staffed(q, desk)) {
		return now
	}
	var found routing.QueueID
	for id, q := range u.s.routing.Queues {
		if q.Desk == desk && !q.Retired && (found == "" || id < found) {
			found = id
		}
	}
	return found
}
