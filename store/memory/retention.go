package memory

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// PurgeEarly implements conversation.ContactRows.
func (r contacts) PurgeEarly(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.early, limit, func(e conversation.Early) bool { return e.At.Before(before) }), nil
	})
}

// PurgeDead implements driver.JobRepo.
func (r jobs) PurgeDead(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.jobs, limit, func(j job) bool { return j.State == jobDead && j.CreatedAt.Before(before) }), nil
	})
}

// PurgeOffers implements routing.WorkRepo.
func (r work) PurgeOffers(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.offers, limit, func(o routing.Offer) bool {
			return o.State != routing.OfferPending && o.OfferedAt.Before(before)
		}), nil
	})
}

// PurgeDecisions implements routing.WorkRepo.
func (r work) PurgeDecisions(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		n := 0
		for item, all := range each(r.t, r.t.s.decisions) {
			kept := slices.DeleteFunc(slices.Clone(all), func(d routing.Decision) bool {
				old := n < limit && d.At.Before(before)
				if old {
					n++
				}
				return old
			})
			switch {
			case len(kept) == len(all):
			case len(kept) == 0:
				drop(r.t, r.t.s.decisions, item)
			default:
				put(r.t, r.t.s.decisions, item, kept)
			}
		}
		return n, nil
	})
}
