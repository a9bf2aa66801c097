package validate

import (
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// retired refuses that anything leads to a queue or desk that is out of use, and names
// all that does. A queue that is out of use itself leads nowhere, since nothing waits
// there. A work stream that is does: what was begun on it may be queued again.
func retired(c routing.Configuration) error {
	for _, id := range sorted(c.Desks) {
		if !c.Desks[id].Retired {
			continue
		}
		if by := workFor(c, id); len(by) > 0 {
			return errs.New(errs.Invalid, "routing: desk %q is out of use, but %s work for it: change that first, or bring the desk back "+
				"into use", id, strings.Join(by, ", "))
		}
	}
	for _, id := range sorted(c.Queues) {
		if !c.Queues[id].Retired {
			continue
		}
		if by := leadTo(c, id); len(by) > 0 {
			return errs.New(errs.Invalid, "routing: queue %q is out of use, but %s lead there: change that first, or bring the queue back "+
				"into use", id, strings.Join(by, ", "))
		}
	}
	return nil
}

// workFor names the queues that work for the desk.
func workFor(c routing.Configuration, desk routing.DeskID) (by []string) {
	for _, id := range sorted(c.Queues) {
		if q := c.Queues[id]; q.Desk == desk && !q.Retired {
			by = append(by, fmt.Sprintf("queue %q", id))
		}
	}
	return by
}

// leadTo names what leads to the queue.
func leadTo(c routing.Configuration, to routing.QueueID) (by []string) {
	for _, id := range sorted(c.Queues) {
		for i, o := range c.Queues[id].Overflow {
			if o.Do == routing.OverflowQueue && o.Queue == to && !c.Queues[id].Retired {
				by = append(by, fmt.Sprintf("overflow %d of queue %q", i+1, id))
			}
		}
	}
	for _, id := range sorted(c.WorkStreams) {
		ws := c.WorkStreams[id]
		if ws.Queue == to {
			by = append(by, fmt.Sprintf("work stream %q", id))
		}
		for i, r := range ws.Rules {
			if leads(r, to) {
				by = append(by, fmt.Sprintf("rule %d of work stream %q", i+1, id))
			}
		}
	}
	return by
}

// leads says whether the rule leads to the queue.
func leads(r routing.Rule, to routing.QueueID) bool {
	for _, s := range r.Split {
		if s.Queue == to {
			return true
		}
	}
	return r.Queue == to
}
