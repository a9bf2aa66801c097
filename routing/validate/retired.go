package validate

import (
	"fmt"
	"strings"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// retired refuses that anything leads to a queue that is out of use, and names all that
// does. Rules of overflow of a queue that is out of use itself lead nowhere: nothing
// waits there.
func retired(c routing.Configuration) error {
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
