package memory

import (
	"context"
	"slices"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
)

// Purge implements driver.Session.
func (t *tx) Purge(ctx context.Context, before driver.Ages, limit int) (int, error) {
	return driver.PurgeInTurn(limit,
		func(room int) (int, error) { return inbox{t}.purgeInbox(ctx, before.Raw, before.Keys, room) },
		func(room int) (int, error) { return outbox{t}.purgeOutbox(ctx, before.Raw, room) },
		func(room int) (int, error) { return jobs{t}.purgeDone(ctx, before.Raw, room) },
		func(room int) (int, error) { return conversations{t}.purgeEarly(ctx, before.Raw, room) },
		func(room int) (int, error) { return jobs{t}.purgeDead(ctx, before.Keys, room) },
		func(room int) (int, error) { return work{t}.purgeOffers(ctx, before.Keys, room) },
		func(room int) (int, error) { return work{t}.purgeDecisions(ctx, before.Keys, room) },
		func(room int) (int, error) { return events{t}.purgeEvents(ctx, before.Feed, room) },
		func(room int) (int, error) { return commands{t}.purgeCommands(ctx, before.Results, room) })
}

// purgeEarly deletes edits and unsends whose message never came.
func (r conversations) purgeEarly(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.early, limit, func(e conversation.Early) bool { return e.At.Before(before) }), nil
	})
}

// purgeDead deletes jobs that were given up.
func (r jobs) purgeDead(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.jobs, limit, func(j job) bool { return j.State == jobDead && j.CreatedAt.Before(before) }), nil
	})
}

// purgeOffers deletes offers that ended.
func (r work) purgeOffers(_ context.Context, before time.Time, limit int) (int, error) {
	return write(r.t, func() (int, error) {
		return purge(r.t, r.t.s.offers, limit, func(o routing.Offer) bool {
			return o.State != routing.OfferPending && o.OfferedAt.Before(before)
		}), nil
	})
}

// purgeDecisions deletes the summaries of old decisions.
func (r work) purgeDecisions(_ context.Context, before time.Time, limit int) (int, error) {
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
