package storetest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

func providerID(s string) channel.ProviderMessageID { return channel.ProviderMessageID(s) }

func (p *pair) append(rt *rapid.T) {
	keys := rapid.SliceOfN(rapid.SampledFrom([]string{"k1", "k2", "k3", "K1", "k4"}), 1, 3).Draw(rt, "keys")
	var envs []adapter.Envelope
	for i, key := range keys {
		env := envelope(key, pick(rt, "lane", []string{"l", "L"}))
		env.ID = channel.EnvelopeID(p.id("env"))
		env.OccurredAt = moment(rapid.IntRange(0, 2).Draw(rt, fmt.Sprint("at", i)))
		envs = append(envs, env)
	}
	p.both(rt, "append", func(db *store.DB) (any, error) { return db.AppendEnvelopes(p.e.ctx, p.ws, envs) })
}

// workInbox claims every lane, ends the envelopes as drawn, and gives the
// lanes back.
func (p *pair) workInbox(rt *rapid.T) {
	batch := rapid.IntRange(1, 3).Draw(rt, "batch")
	outcomes := rapid.SliceOfN(rapid.SampledFrom([]string{"done", "done", "retry", "quarantine", "leave"}), 6, 6).Draw(rt, "outcomes")
	p.both(rt, "inbox", func(db *store.DB) (any, error) {
		lanes, err := db.System().ClaimInbox(p.e.ctx, "node", all, batch, time.Hour)
		if err != nil {
			return nil, err
		}
		lanes = slices.DeleteFunc(lanes, func(l driver.InboxLane) bool { return l.Workspace != p.ws })
		slices.SortFunc(lanes, func(a, b driver.InboxLane) int { return cmp.Compare(a.Lane, b.Lane) })
		var seen []string
		for _, l := range lanes {
			err := db.Update(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) error {
				for i, env := range l.Envelopes {
					if err := endEnvelope(ctx, tx, l.Claim, env.ID, outcomes[i%len(outcomes)]); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return nil, err
			}
			for _, env := range l.Envelopes {
				seen = append(seen, fmt.Sprint(l.Lane, " ", env.ID, " ", env.Tries))
			}
			if err := db.System().Release(p.e.ctx, driver.NewsInbox, l.LaneRef); err != nil {
				return nil, err
			}
		}
		return seen, nil
	})
}

func endEnvelope(ctx context.Context, tx store.Tx, c driver.Claim, id channel.EnvelopeID, how string) error {
	switch how {
	case "done":
		return tx.Inbox().Done(ctx, c, id)
	case "retry":
		return tx.Inbox().Retry(ctx, c, id, time.Time{}, "r")
	case "quarantine":
		return tx.Inbox().Quarantine(ctx, c, id, "bad")
	}
	return nil
}

func (p *pair) enqueue(rt *rapid.T) {
	r := row(channel.OutboxID(p.id("row")), pick(rt, "lane", []string{"l", "L"}))
	r.Reply = &channel.ReplyHandle{Token: "t", Expires: moment(0)}
	p.update(rt, "enqueue", func(ctx context.Context, tx store.Tx) (any, error) { return nil, tx.Outbox().Enqueue(ctx, r) })
}

// workOutbox claims every lane, sends or repeats its head, settles it as drawn
// or not at all, and gives the lanes back.
func (p *pair) workOutbox(rt *rapid.T) {
	batch := rapid.IntRange(1, 3).Draw(rt, "batch")
	outcomes := rapid.SliceOfN(rapid.SampledFrom([]string{"sent", "failed", "unknown", "queued", "replan", "die", "refuse"}), 2, 2).Draw(rt,
		"outcomes")
	ids := []string{p.id("at"), p.id("at")}
	p.both(rt, "outbox", func(db *store.DB) (any, error) {
		lanes, err := db.System().ClaimOutbox(p.e.ctx, "node", all, batch, time.Hour)
		if err != nil {
			return nil, err
		}
		lanes = slices.DeleteFunc(lanes, func(l driver.OutboxLane) bool { return l.Workspace != p.ws })
		slices.SortFunc(lanes, func(a, b driver.OutboxLane) int { return cmp.Compare(a.Lane, b.Lane) })
		var seen []any
		for i, l := range lanes {
			seen = append(seen, l.Lane, l.Doubtful, l.Rows, l.Attempt)
			if err := db.Update(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) error {
				return sendHead(ctx, tx, l, ids[i%len(ids)], outcomes[i%len(outcomes)])
			}); err != nil {
				return nil, err
			}
			if err := db.System().Release(p.e.ctx, driver.NewsOutbox, l.LaneRef); err != nil {
				return nil, err
			}
		}
		return seen, nil
	})
}

func sendHead(ctx context.Context, tx store.Tx, l driver.OutboxLane, id, outcome string) error {
	if outcome == "refuse" && l.Attempt == nil {
		return tx.Outbox().Fail(ctx, l.Claim, l.Rows[0].ID, channel.ReasonContent, "d")
	}
	at := attempt(l, id, 1)
	if l.Attempt != nil {
		at = *l.Attempt
		at.Tries++
	}
	if err := tx.Outbox().Begin(ctx, l.Claim, at); err != nil {
		return err
	}
	switch outcome {
	case "die", "refuse":
		return nil
	case "replan":
		return tx.Outbox().Settle(ctx, l.Claim, at.ID, driver.Settlement{State: channel.OutboxQueued, Replan: true})
	}
	return tx.Outbox().Settle(ctx, l.Claim, at.ID, driver.Settlement{State: channel.OutboxState(outcome)})
}

func (p *pair) enqueueJob(rt *rapid.T) {
	j := store.Job{ID: p.id("job"), Kind: "model", Key: pick(rt, "key", []string{"", "k", "K"}),
		Due: moment(rapid.IntRange(0, 3).Draw(rt, "due")), CreatedAt: moment(p.ids)}
	p.update(rt, "job", func(ctx context.Context, tx store.Tx) (any, error) { return nil, tx.Jobs().Enqueue(ctx, j) })
}

func (p *pair) workJobs(rt *rapid.T) {
	outcomes := rapid.SliceOfN(rapid.SampledFrom([]string{"finish", "retry", "die"}), 4, 4).Draw(rt, "outcomes")
	p.both(rt, "jobs", func(db *store.DB) (any, error) {
		jobs, err := db.System().ClaimJobs(p.e.ctx, "node", map[string]int{"model": all}, time.Hour)
		if err != nil {
			return nil, err
		}
		jobs = slices.DeleteFunc(jobs, func(j store.Job) bool { return j.Workspace != p.ws })
		slices.SortFunc(jobs, func(a, b store.Job) int { return cmp.Compare(a.ID, b.ID) })
		var seen []string
		for i, j := range jobs {
			seen = append(seen, fmt.Sprint(j.ID, j.Key, j.Attempts))
			if err := db.Update(p.e.ctx, p.ws, func(ctx context.Context, tx store.Tx) error {
				switch outcomes[i%len(outcomes)] {
				case "finish":
					return tx.Jobs().Finish(ctx, j.ID, j.Token)
				case "retry":
					return tx.Jobs().Fail(ctx, j.ID, j.Token, "r", moment(i))
				}
				return tx.Jobs().Fail(ctx, j.ID, j.Token, "r", time.Time{})
			}); err != nil {
				return nil, err
			}
		}
		return seen, nil
	})
}
