package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store/driver"
)

type inbox struct{ t *tx }

type envState int

const (
	envWaiting envState = iota
	envDone
	envBad
)

// envelope is a stored Envelope and where it stands.
type envelope struct {
	adapter.Envelope
	order     int64
	state     envState
	notBefore time.Time
	reason    string
	badAt     time.Time
}

type dedupKey struct {
	account channel.AccountID
	key     string
}

func (e envelope) lane() laneKey { return laneKey{e.Account, e.Lane} }

func (s *space) envelopeChanged(id channel.EnvelopeID, was, is *envelope) {
	if was != nil && was.state == envWaiting {
		s.inbox.remove(was.lane(), place[channel.EnvelopeID]{was.order, id})
	}
	if is != nil && is.state == envWaiting {
		s.inbox.add(is.lane(), place[channel.EnvelopeID]{is.order, id})
	}
}

// add appends what is new, in the order of the events' own time, and tells
// which were; the mutex is held.
func (r inbox) add(envs []adapter.Envelope) []bool {
	t := r.t
	fresh := make([]bool, len(envs))
	var added []adapter.Envelope
	for i, e := range envs {
		key := dedupKey{e.Account, e.DedupKey}
		if _, known := get(t, t.s.dedup, key); known {
			continue
		}
		e = clone(e)
		if e.ID == "" {
			e.ID = channel.EnvelopeID(uuid.Must(uuid.NewV7()).String())
		}
		if e.ReceivedAt.IsZero() {
			e.ReceivedAt = t.now
		}
		put(t, t.s.dedup, key, e.ReceivedAt)
		fresh[i] = true
		added = append(added, e)
	}
	slices.SortStableFunc(added, func(a, b adapter.Envelope) int { return a.OccurredAt.Compare(b.OccurredAt) })
	for _, e := range added {
		t.b.order++
		put(t, t.s.envelopes, e.ID, envelope{Envelope: e, order: t.b.order})
	}
	if len(added) > 0 {
		t.news |= driver.NewsInbox
	}
	return fresh
}

// claimed returns a waiting envelope of the claimed lane.
func (r inbox) claimed(c driver.Claim, id channel.EnvelopeID) (envelope, error) {
	if err := r.t.holds(r.t.s.inClaims, c); err != nil {
		return envelope{}, err
	}
	e, ok := get(r.t, r.t.s.envelopes, id)
	if !ok || e.state != envWaiting || e.lane() != (laneKey{c.Account, c.Lane}) {
		return envelope{}, errs.New(errs.Stale, "memory: envelope %q has ended or is not in the claimed lane", id)
	}
	return e, nil
}

func (r inbox) End(_ context.Context, c driver.Claim, id channel.EnvelopeID, o driver.EnvelopeOutcome) error {
	return do(r.t, func() error {
		e, err := r.claimed(c, id)
		if err != nil {
			return err
		}
		switch e.reason = o.Reason; {
		case o.Retry:
			e.notBefore = clone(o.NotBefore)
			e.Tries++
			r.t.news |= driver.NewsInbox
		case o.Bad:
			e.state, e.badAt = envBad, r.t.now
		default:
			e.state = envDone
		}
		put(r.t, r.t.s.envelopes, id, e)
		return nil
	})
}

func (r inbox) Envelopes(_ context.Context, id channel.EnvelopeID, limit int) ([]adapter.Quarantined, error) {
	return read(r.t, func() ([]adapter.Quarantined, error) {
		found := each(r.t, r.t.s.envelopes)
		if id != "" {
			found = some(r.t, r.t.s.envelopes, slices.Values([]channel.EnvelopeID{id}))
		}
		var list []envelope
		for _, e := range found {
			if id == "" && e.state == envBad || id != "" && id == e.ID {
				list = append(list, e)
			}
		}
		slices.SortFunc(list, func(a, b envelope) int {
			return cmp.Or(b.badAt.Compare(a.badAt), cmp.Compare(b.order, a.order))
		})
		var out []adapter.Quarantined
		for _, e := range first(list, limit) {
			out = append(out, adapter.Quarantined{Envelope: clone(e.Envelope), Reason: e.reason, At: e.badAt})
		}
		r.t.found(len(out))
		return out, nil
	})
}

func (r inbox) Requeue(_ context.Context, id channel.EnvelopeID) error {
	t := r.t
	return do(t, func() error {
		e, ok := get(t, t.s.envelopes, id)
		if !ok || e.state != envBad {
			return missing("envelope in quarantine:", string(id))
		}
		t.b.order++
		e.state, e.notBefore, e.reason, e.badAt, e.order = envWaiting, time.Time{}, "", time.Time{}, t.b.order
		put(t, t.s.envelopes, id, e)
		t.news |= driver.NewsInbox
		return nil
	})
}

func (r inbox) Forget(_ context.Context, id channel.EnvelopeID) error {
	return do(r.t, func() error {
		e, ok := get(r.t, r.t.s.envelopes, id)
		if ok && e.state == envDone {
			e.Raw = nil
			put(r.t, r.t.s.envelopes, id, e)
		}
		return nil
	})
}

func (r inbox) purgeInbox(_ context.Context, raw, keys time.Time, limit int) (int, error) {
	t := r.t
	return write(t, func() (int, error) {
		n := purge(t, t.s.envelopes, limit, func(e envelope) bool {
			return e.state == envDone && e.ReceivedAt.Before(raw)
		})
		n += purge(t, t.s.dedup, limit-n, func(at time.Time) bool { return at.Before(keys) })
		return n, nil
	})
}

// purge deletes at most limit rows that are old.
func purge[K comparable, V any](t *tx, tab *table[K, V], limit int, old func(V) bool) int {
	var gone []K
	for k, v := range each(t, tab) {
		if len(gone) >= limit {
			break
		}
		if old(v) {
			gone = append(gone, k)
		}
	}
	for _, k := range gone {
		drop(t, tab, k)
	}
	return len(gone)
}

// first is the beginning of a list, at most limit long.
func first[T any](list []T, limit int) []T { return list[:min(len(list), limit)] }

var _ driver.Session = (*tx)(nil)
