package sangdam

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// runOutbox claims outbound lanes and sends their heads, step 6 of the flow.
func (e *Engine) runOutbox(ctx, drain context.Context) {
	runLanes(ctx, drain, e, laneWork[driver.OutboxLane]{sort: driver.NewsOutbox, workers: e.cfg.OutboxWorkers,
		claim: func(ctx context.Context, limit int) ([]driver.OutboxLane, error) {
			return e.db.System().ClaimOutbox(ctx, e.cfg.Node, limit, laneBatch, e.cfg.Lease)
		},
		work: oneByOne(e.workOutbox)})
}

// workOutbox sends what a claimed lane holds. It stops at the first row that
// must wait; whatever is left stays at the head of the lane.
func (e *Engine) workOutbox(ctx context.Context, lane driver.OutboxLane) {
	s := &sender{e: e, lane: lane, until: time.Now().Add(e.cfg.Lease - e.cfg.SendTimeout)}
	defer s.giveBack(ctx)
	for len(lane.Rows) > 0 && ctx.Err() == nil && time.Now().Before(s.until) {
		s.left = len(lane.Rows)
		n := 0
		err := safely(func() (err error) {
			n, err = s.step(ctx, lane)
			return err
		})
		if err != nil {
			tries := 1 // the claim is lost, or a rival was first; else it is stale for ever
			if !errors.Is(err, ErrStale) {
				e.trouble("a lane could not be worked", err)
				tries = poisonTries
			}
			e.pause(ctx, tries) // given back at once it would fail again at once
			return
		}
		if n == 0 && s.without == nil {
			return
		}
		lane.Rows, lane.Attempt, lane.Doubtful = s.remaining(lane.Rows[n:]), nil, false
	}
}

// remaining are the rows of a claim that are planned next. After a refusal that named
// the guilty ones the others are planned anew, together; those of the refused Attempt
// have no right to reply any more, in the store either.
func (s *sender) remaining(rows []driver.OutboxRow) []driver.OutboxRow {
	if s.without == nil {
		return rows
	}
	left := slices.DeleteFunc(slices.Clone(rows), func(r driver.OutboxRow) bool { return slices.Contains(s.without, r.ID) })
	for i := range left {
		if slices.Contains(s.tried, left[i].ID) {
			left[i].Reply = nil
		}
	}
	s.without = nil
	return left
}

// giveBack frees the lane for others, unless a transaction has done so.
func (s *sender) giveBack(ctx context.Context) {
	if s.freed {
		return
	}
	err := s.e.insist(ctx, func(ctx context.Context) error {
		return s.e.db.System().Release(ctx, driver.NewsOutbox, s.lane.LaneRef)
	})
	if err != nil {
		s.e.trouble("a lane could not be given back; its lease will end", err)
	}
}

// sender works one claim.
type sender struct {
	e     *Engine
	lane  driver.OutboxLane
	until time.Time // no new request is begun after it: the lease must outlast it
	left  int       // rows of the claim that have not ended
	freed bool      // the claim was given back with the last outcome
	// without are the rows that the last refusal named, which have failed; nil when
	// it named none. tried are all rows of the Attempt that it refused.
	without, tried []channel.OutboxID
}

// step sends one Attempt and reports how many rows are done with; 0 means that
// the head must wait.
func (s *sender) step(ctx context.Context, lane driver.OutboxLane) (int, error) {
	w, refusal, err := s.e.wayOut(ctx, lane)
	if err != nil {
		return 0, err
	}
	if refusal != nil {
		return s.refuse(ctx, lane, refusal.Reason, refusal.Detail)
	}
	now, err := s.e.db.System().Now(ctx)
	if err != nil {
		return 0, err
	}
	if err := s.e.guard.stuck(w.who()); err != nil {
		s.e.log.Error("an account's sending pauses for a minute", "account", string(lane.Account), "error", err)
		return 0, s.pause(ctx, now.Add(time.Minute))
	}
	at := lane.Attempt
	if at != nil {
		opened, err := s.e.openedAttempt(ctx, lane.Workspace, *at)
		if err != nil {
			return 0, err
		}
		at = &opened
	} else {
		if lane.Rows, err = s.opened(ctx, lane); err != nil {
			return s.unopened(ctx, lane.Rows[0], err)
		}
		planned, err := w.plan(ctx, lane, now)
		if err != nil {
			return s.failRow(ctx, lane.Rows[0], err)
		}
		planned.ID, planned.Account, planned.PlannedAt, planned.Tries = newID(), lane.Account, now, lane.Rows[0].Tries
		at = &planned
	}
	at.Unsure = at.Unsure || lane.Doubtful
	// However long the lane stood still: what may have been accepted is sent
	// again only while the provider still knows it.
	if at.Unsure && !at.Repeatable(now) {
		return s.settle(ctx, *at, driver.Settlement{State: channel.OutboxUnknown, Reason: channel.ReasonNetwork,
			Detail: "the outcome was lost and the time is over in which it could be sent again safely"}, nil)
	}
	if _, more := w.wait(at.Tries); at.Tries > 0 && !more {
		return s.settle(ctx, *at, ended(*at, driver.Settlement{State: channel.OutboxFailed, Reason: channel.ReasonProvider,
			Detail: "every try failed"}), nil)
	}
	at.Tries++
	sealed, err := s.e.sealedAttempt(ctx, lane.Workspace, *at)
	if err != nil {
		return 0, err
	}
	err = s.e.share(ctx, lane.Workspace, func(u *unit) error { return u.tx.Outbox().Begin(u.ctx, lane.Claim, sealed) })
	if err != nil {
		return 0, err
	}
	sent, err := w.send(ctx, *at)
	if err == nil {
		return s.settle(ctx, *at, driver.Settlement{State: channel.OutboxSent}, sent.Messages)
	}
	return s.failed(ctx, w, *at, err)
}

// opened are the rows with what they say. What an older program queued has it
// already.
func (s *sender) opened(ctx context.Context, lane driver.OutboxLane) (rows []driver.OutboxRow, err error) {
	rows = slices.Clone(lane.Rows)
	for i, r := range rows {
		if rows[i], err = s.e.openRow(ctx, lane.Workspace, r); err != nil && i > 0 {
			return rows[:i], nil // its own turn comes
		}
		if err != nil {
			return lane.Rows, err
		}
	}
	return rows, nil
}

// unopened ends a row whose text does not open with the keys given; without the
// keys at hand it waits.
func (s *sender) unopened(ctx context.Context, row driver.OutboxRow, err error) (int, error) {
	if !errors.Is(err, seal.ErrCannotOpen) {
		return 0, err
	}
	return s.failRow(ctx, row, &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent,
		Detail: "the text does not open with the keys given"})
}

// failed records what a failed Send leads to.
func (s *sender) failed(ctx context.Context, w way, at adapter.Attempt, cause error) (int, error) {
	se, ok := errors.AsType[*adapter.SendError](cause)
	if !ok {
		se = &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonNetwork, Detail: "no answer in time"}
	}
	if guilty := named(at, se); guilty != nil {
		return 0, s.failNamed(ctx, at, guilty, se)
	}
	now, err := s.e.db.System().Now(ctx)
	if err != nil {
		return 0, err
	}
	wait, more := w.wait(at.Tries)
	// Who says again and again that it will take it in a second would otherwise be
	// given up after as many seconds as there are tries.
	o := afterFailure(at, se, now, now.Add(max(wait, se.After)), more)
	if se.Disposition == adapter.RateLimited && o.State == channel.OutboxQueued {
		if err := s.pause(ctx, now.Add(cmp.Or(se.After, wait))); err != nil {
			return 0, err
		}
	}
	return s.settle(ctx, at, o, nil)
}

// named are the rows of the Attempt that a refusal for good names. The others were
// certainly not accepted now. Of an Attempt that may have been accepted at an earlier try
// that is no news, unless its content is such that it never was.
func named(at adapter.Attempt, se *adapter.SendError) (guilty []channel.OutboxID) {
	if se.Disposition != adapter.Permanent || spent(se) || at.Unsure && se.Reason != channel.ReasonContent {
		return nil
	}
	for _, i := range se.Rows {
		guilty = append(guilty, at.Rows[i])
	}
	return guilty
}

// failNamed ends the rows that a refusal named and the Attempt with it; the others are
// planned anew, together while this claim lasts.
func (s *sender) failNamed(ctx context.Context, at adapter.Attempt, guilty []channel.OutboxID, se *adapter.SendError) error {
	failed := driver.Settlement{State: channel.OutboxFailed, Reason: se.Reason, Detail: se.Detail}
	err := s.e.share(ctx, s.lane.Workspace, func(u *unit) error {
		err := u.tx.Outbox().Settle(u.ctx, s.lane.Claim, at.ID, driver.Settlement{State: channel.OutboxQueued, Replan: true})
		if err != nil {
			return err
		}
		for _, id := range guilty {
			if err := u.tx.Outbox().Fail(u.ctx, s.lane.Claim, id, se.Reason, se.Detail); err != nil {
				return err
			}
		}
		if err := u.noticed(at.Account, guilty, failed, at.Tries); err != nil {
			return err
		}
		return u.outcome(guilty, failed, nil)
	})
	if err != nil {
		return err
	}
	s.without, s.tried = guilty, at.Rows
	if h := s.e.cfg.Hooks.Sent; h != nil {
		s.e.hook("Sent", func() { h(s.lane.Workspace, s.lane.Account, at.Route, failed.State, failed.Reason) })
	}
	return nil
}

// afterFailure is how an Attempt goes on, or ends, of which the adapter says this.
// next is when it would be tried again; more says whether any try is left.
func afterFailure(at adapter.Attempt, se *adapter.SendError, now, next time.Time, more bool) driver.Settlement {
	if spent(se) && at.Unsure {
		// Only the earlier try can have used the handle. A push now would most
		// likely say everything twice.
		return driver.Settlement{State: channel.OutboxSent, Unconfirmed: true, Reason: se.Reason,
			Detail: "an earlier try had no answer, and now its one-time right is used: it was sent, though nobody confirmed it"}
	}
	if more {
		if again, ok := triedAgain(at, se, now, next); ok {
			return again
		}
	}
	if se.Disposition == adapter.Ambiguous {
		return driver.Settlement{State: channel.OutboxUnknown, Reason: se.Reason, Detail: se.Detail}
	}
	return ended(at, driver.Settlement{State: channel.OutboxFailed, Reason: se.Reason, Detail: se.Detail})
}

// spent says that the right to reply, which holds once, is used or too old.
func spent(se *adapter.SendError) bool {
	return se.Disposition == adapter.Permanent && se.Reason == channel.ReasonReplyHandle
}

// triedAgain is what another try is made of, false where none can help.
func triedAgain(at adapter.Attempt, se *adapter.SendError, now, next time.Time) (driver.Settlement, bool) {
	again := driver.Settlement{State: channel.OutboxQueued, NotBefore: next, Reason: se.Reason, Detail: se.Detail}
	switch se.Disposition {
	case adapter.RateLimited:
	case adapter.Retry:
		// Only this row waits for the provider's plan, and without an Attempt: an
		// answer that is free may take it along.
		again.Replan = se.Reason == channel.ReasonQuota && !at.Unsure
	case adapter.Ambiguous:
		if !at.Repeatable(next) {
			return again, false
		}
		at.Unsure = true
		again.Attempt = &at
	case adapter.Permanent:
		// One row's content spoils the request of all, and nobody knows which: rows that
		// were tried before are planned alone, so the others go out and only it fails.
		// Without the right to reply a push says the same.
		shared := se.Reason == channel.ReasonContent && len(at.Rows) > 1
		if !shared && !spent(se) {
			return again, false
		}
		again.Replan, again.NotBefore = true, now
	default:
		return again, false
	}
	return again, true
}

// ended makes a failure unknown when an earlier try may have been accepted.
// Content that is refused never was.
func ended(at adapter.Attempt, o driver.Settlement) driver.Settlement {
	if at.Unsure && o.Reason != channel.ReasonContent {
		o.State = channel.OutboxUnknown
	}
	return o
}

func (s *sender) pause(ctx context.Context, until time.Time) error {
	return s.e.db.Update(ctx, s.lane.Workspace, func(ctx context.Context, tx store.Tx) error {
		return tx.Outbox().Pause(ctx, s.lane.Account, until)
	})
}

// settle records an outcome with the status of the messages, in one
// transaction, and reports how many rows are done with.
func (s *sender) settle(ctx context.Context, at adapter.Attempt, o driver.Settlement, sent []adapter.SentMessage) (int, error) {
	if o.Attempt != nil {
		sealed, err := s.e.sealedAttempt(ctx, s.lane.Workspace, *o.Attempt)
		if err != nil {
			return 0, err
		}
		o.Attempt = &sealed
	}
	freed, err := s.keep(ctx, at, o, sent)
	if err != nil {
		return 0, err
	}
	s.freed = freed
	if h := s.e.cfg.Hooks.Sent; h != nil {
		s.e.hook("Sent", func() { h(s.lane.Workspace, s.lane.Account, at.Route, o.State, o.Reason) })
	}
	if o.State == channel.OutboxQueued {
		return 0, nil
	}
	return len(at.Rows), nil
}

// keep stores how the try ended, and frees the lane where it was the last row.
func (s *sender) keep(ctx context.Context, at adapter.Attempt, o driver.Settlement, sent []adapter.SentMessage) (freed bool, err error) {
	err = s.e.share(ctx, s.lane.Workspace, func(u *unit) error {
		freed = false
		if err := u.tx.Outbox().Settle(u.ctx, s.lane.Claim, at.ID, o); err != nil {
			return err
		}
		if err := u.noticed(at.Account, at.Rows, o, at.Tries); err != nil {
			return err
		}
		if o.State == channel.OutboxQueued {
			return nil
		}
		if err := u.outcome(at.Rows, o, sent); err != nil || s.left > len(at.Rows) {
			return err
		}
		freed, err = u.tx.GiveBack(u.ctx, driver.NewsOutbox, s.lane.LaneRef)
		return err
	})
	return freed, err
}

// failRow ends a row that cannot be planned.
func (s *sender) failRow(ctx context.Context, row driver.OutboxRow, err error) (int, error) {
	se, ok := errors.AsType[*adapter.SendError](err)
	if !ok {
		se = &adapter.SendError{Disposition: adapter.Permanent, Reason: channel.ReasonContent, Detail: "the adapter cannot carry this"}
	}
	err = s.e.unit(ctx, system(s.lane.Workspace), func(u *unit) error {
		if err := u.tx.Outbox().Fail(u.ctx, s.lane.Claim, row.ID, se.Reason, se.Detail); err != nil {
			return err
		}
		failed := driver.Settlement{State: channel.OutboxFailed, Reason: se.Reason, Detail: se.Detail}
		if err := u.noticed(row.Account, []channel.OutboxID{row.ID}, failed, row.Tries); err != nil {
			return err
		}
		return u.outcome([]channel.OutboxID{row.ID}, failed, nil)
	})
	if err != nil {
		return 0, err
	}
	return 1, nil
}

// refuse fails everything at the head of a lane whose account cannot send.
func (s *sender) refuse(ctx context.Context, lane driver.OutboxLane, reason channel.Reason, detail string) (int, error) {
	if lane.Attempt != nil {
		state := channel.OutboxFailed
		if lane.Doubtful || lane.Attempt.Unsure {
			state = channel.OutboxUnknown
		}
		return s.settle(ctx, *lane.Attempt, driver.Settlement{State: state, Reason: reason, Detail: detail}, nil)
	}
	return s.failRow(ctx, lane.Rows[0], &adapter.SendError{Disposition: adapter.Permanent, Reason: reason, Detail: detail})
}

// outcome moves the messages of rows to their final status, a conversation at
// a time.
func (u *unit) outcome(rows []channel.OutboxID, o driver.Settlement, sent []adapter.SentMessage) error {
	status := map[channel.OutboxState]conversation.Status{channel.OutboxSent: conversation.StatusSent,
		channel.OutboxFailed: conversation.StatusFailed, channel.OutboxUnknown: conversation.StatusUnknown}[o.State]
	for i, id := range rows {
		row, err := u.tx.Outbox().Row(u.ctx, id)
		if err != nil {
			return err
		}
		var got string
		if i < len(sent) {
			got = string(sent[i].ID)
		}
		if err := u.follows(row, o.State, got); err != nil {
			return err
		}
		if row.Message == "" {
			continue // a welcome message, or a notice: it belongs to no conversation
		}
		m, err := u.tx.Conversations().Message(u.ctx, row.Message)
		if err != nil {
			return err
		}
		// The message's conversation, not the row's: it may have been merged
		// into another meanwhile.
		d, err := u.conversation(m.Conversation)
		if err != nil {
			return err
		}
		if len(m.Masks) > 0 || m.Erased() {
			if err := u.tx.Outbox().Forget(u.ctx, id); err != nil {
				return err
			}
		}
		if m.Erased() { // what the provider calls it, or says of it, leads to the person
			d.ApplyStatus(m, status, o.Reason, "")
			continue
		}
		if !d.ApplyStatus(m, status, o.Reason, o.Detail) {
			continue
		}
		if i < len(sent) {
			d.SetProvider(m.ID, sent[i].ID, sent[i].Parts, sent[i].QuoteHandle)
			if err := u.keepParts(m, sent[i]); err != nil {
				return err
			}
		}
		if o.Unconfirmed {
			d.SetUnconfirmed(m.ID)
		}
		m.Status = status
		if err := u.notHeard(d, m); err != nil {
			return err
		}
	}
	return nil
}
