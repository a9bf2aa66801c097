package sangdam

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// What went wrong and waits for a person, and how much is under way: all that
// operating needs, so that nobody reaches around the Engine into the store.

// Trouble is what a person has to look at. Each list has the newest first.
type Trouble struct {
	// Quarantined are received events that could not be processed; Requeue
	// tries one again.
	Quarantined []adapter.Quarantined `json:"quarantined"`
	// Unknown are messages that the provider may or may not have taken. Look at
	// the customer's side first; Resend sends such a message again.
	Unknown []UnknownOutcome `json:"unknown"`
	// Dead are jobs that were given up; RetryJob starts one again.
	Dead []JobStatus `json:"dead"`
}

// UnknownOutcome names a message of which nobody knows whether it reached the
// provider. It holds no text: that is in the conversation, for those who may
// read it.
type UnknownOutcome struct {
	Conversation channel.ConversationID `json:"conversation,omitempty"`
	Message      channel.MessageID      `json:"message,omitempty"`
	Account      channel.AccountID      `json:"account"`
	Reason       channel.Reason         `json:"reason,omitempty"`
	Detail       string                 `json:"detail,omitempty"`
}

var qTrouble = asks("workspace.trouble", "Trouble", "trouble", ActOperate).wide(wideLog).log()

// Trouble lists what an operator has to look at in the whole workspace, at most
// limit (1 to 1000) of each kind. It needs ActOperate. That right includes
// reading events in quarantine, which belong to no record yet that somebody
// could be refused.
func (e *Engine) Trouble(ctx context.Context, p Principal, limit int) (out Trouble, err error) {
	limit = min(max(limit, 1), 1000)
	err = e.query(ctx, p, qTrouble, "", func(ctx context.Context, tx store.Tx, _ *settings) (err error) {
		if out.Quarantined, err = tx.Inbox().Quarantined(ctx, limit); err != nil {
			return err
		}
		rows, err := tx.Outbox().Unknown(ctx, limit)
		if err != nil {
			return err
		}
		dead, err := tx.Jobs().List(ctx, driver.JobDead, limit)
		if err != nil {
			return err
		}
		out.Quarantined, out.Unknown, out.Dead = listed(out.Quarantined), []UnknownOutcome{}, jobStatuses(dead)
		for _, r := range rows {
			out.Unknown = append(out.Unknown, UnknownOutcome{Conversation: r.Conversation, Message: r.Message, Account: r.Account,
				Reason: r.Reason, Detail: r.Detail})
		}
		return nil
	})
	out.Quarantined = e.openedQuarantine(ctx, p.Workspace, out.Quarantined)
	return out, err
}

var qQuarantined = asks("inbox.quarantined", "Quarantined", "inbox", ActOperate).wide("what is in quarantine belongs to no record yet")

// Quarantined lists the received events of the whole workspace that could not
// be processed, newest first, at most limit (1 to 1000). It needs ActOperate.
func (e *Engine) Quarantined(ctx context.Context, p Principal, limit int) (out []adapter.Quarantined, err error) {
	err = e.query(ctx, p, qQuarantined, string(p.Workspace), func(ctx context.Context, tx store.Tx,
		_ *settings) (err error) {
		out, err = tx.Inbox().Quarantined(ctx, min(max(limit, 1), 1000))
		return err
	})
	return e.openedQuarantine(ctx, p.Workspace, out), err
}

// openedQuarantine are bad events as the provider sent them. One that the keys do
// not open is listed without its bytes.
func (e *Engine) openedQuarantine(ctx context.Context, ws WorkspaceID, list []adapter.Quarantined) []adapter.Quarantined {
	for i, q := range list {
		env, err := e.opened(ctx, ws, q.Envelope)
		if err != nil {
			env.Raw = nil
		}
		list[i].Envelope = env
	}
	return list
}

// Requeue processes a quarantined event again, for instance after an update to
// a version that understands it.
type Requeue struct {
	Key      Key                `json:"-"`
	Envelope channel.EnvelopeID `json:"envelope"`
}

// Requeue carries the command out. It needs ActOperate. ErrNotFound when no
// event with this id is in quarantine.
func (e *Engine) Requeue(ctx context.Context, p Principal, c Requeue) error {
	_, err := command(ctx, e, call{opRequeue, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActOperate, Resource{Kind: "envelope", ID: string(c.Envelope)}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.tx.Inbox().Requeue(u.ctx, c.Envelope)
	})
	return err
}

// RetryJob starts a job that was given up once more, from its beginning.
type RetryJob struct {
	Key Key    `json:"-"`
	Job string `json:"job"`
}

// RetryJob carries the command out. It needs ActOperate. ErrNotFound when there
// is no such job, or not any more; ErrStale when the job was not given up, or
// when another job does its work by now.
func (e *Engine) RetryJob(ctx context.Context, p Principal, c RetryJob) error {
	_, err := command(ctx, e, call{opRetryJob, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if err := u.allow(ActOperate, Resource{Kind: "job", ID: c.Job}); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.tx.Jobs().Revive(u.ctx, c.Job)
	})
	return err
}

// Load is how much work a workspace has at the moment.
type Load struct {
	Queues []QueueLoad `json:"queues"`
	// Sending is how many messages were not handed to their provider yet.
	Sending int `json:"sending"`
}

// QueueLoad is how many conversations, tickets and other work a queue has, by
// their state.
type QueueLoad struct {
	Queue    routing.QueueID `json:"queue"`
	Name     string          `json:"name"`
	Waiting  int             `json:"waiting"`  // for an offer
	Offered  int             `json:"offered"`  // to somebody who has not answered
	Assigned int             `json:"assigned"` // owned
	Online   int             `json:"online"`   // members who are
	// Since is since when the one that waits longest has been waiting; zero
	// when none waits.
	Since time.Time `json:"since,omitzero"`
}

var qLoad = asks("workspace.load", "Load", "load", ActOperate).wide(wideNumber)

// Load counts the work of the whole workspace. It needs ActOperate and nothing
// else, since it returns figures and no records. Queues are in the order of
// their ids.
func (e *Engine) Load(ctx context.Context, p Principal) (out Load, err error) {
	err = e.query(ctx, p, qLoad, "", func(ctx context.Context, tx store.Tx, s *settings) (err error) {
		agents, err := tx.Agents().Agents(ctx)
		if err != nil {
			return err
		}
		loads := queueLoads(s.routing, agents)
		err = tx.Work().Open(ctx, func(it routing.Item) {
			if l := loads[it.Queue]; l != nil {
				l.count(it)
			}
		})
		if err != nil {
			return err
		}
		out.Queues = make([]QueueLoad, 0, len(loads))
		for _, id := range slices.Sorted(maps.Keys(loads)) {
			out.Queues = append(out.Queues, *loads[id])
		}
		out.Sending, err = tx.Outbox().Pending(ctx)
		return err
	})
	return out, err
}

// queueLoads are the queues and how many of their members are online.
func queueLoads(cfg routing.Configuration, agents []routing.Agent) map[routing.QueueID]*QueueLoad {
	loads := map[routing.QueueID]*QueueLoad{}
	for id, q := range cfg.Queues {
		if q.Retired { // which holds nothing
			continue
		}
		loads[id] = &QueueLoad{Queue: id, Name: q.Name}
		for _, a := range agents {
			if a.State.Presence == routing.Online && slices.Contains(q.Members, a.ID) {
				loads[id].Online++
			}
		}
	}
	return loads
}

// count adds an item by its state.
func (l *QueueLoad) count(it routing.Item) {
	switch it.State {
	case routing.ItemQueued:
		l.Waiting++
		if l.Since.IsZero() || it.QueuedAt.Before(l.Since) {
			l.Since = it.QueuedAt
		}
	case routing.ItemOffered:
		l.Offered++
	case routing.ItemAssigned:
		l.Assigned++
	}
}
