package memory

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
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

// expired reports whether a purge would find anything.
func (s *space) expired(before driver.Ages) bool {
	return s.envelopes.any(func(e envelope) bool { return e.state == envDone && e.ReceivedAt.Before(before.Raw) }) ||
		s.dedup.any(func(at time.Time) bool { return at.Before(before.Keys) }) ||
		s.outbox.any(func(row outRow) bool { return !row.waits() && row.at.Before(before.Raw) }) ||
		s.early.any(func(e conversation.Early) bool { return e.At.Before(before.Raw) }) ||
		s.jobs.any(func(j job) bool {
			return j.State == jobDone && j.CreatedAt.Before(before.Raw) || j.State == jobDead && j.CreatedAt.Before(before.Keys)
		}) ||
		s.offers.any(func(o routing.Offer) bool { return o.State != routing.OfferPending && o.OfferedAt.Before(before.Keys) }) ||
		s.decisions.any(func(all []routing.Decision) bool {
			return slices.ContainsFunc(all, func(d routing.Decision) bool { return d.At.Before(before.Keys) })
		}) ||
		slices.ContainsFunc(s.feed.list, func(e feedEvent) bool { return e.At.Before(before.Feed) }) ||
		s.cmds.any(func(c command) bool { return c.at.Before(before.Results) })
}
