package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// way is how the rows of a claimed lane leave: by a channel's adapter to a
// customer, or by a carrier to a target outside. What an outcome means, what is
// repeated and what is recorded is the sender's, the same for all.
type way interface {
	// who is the foreign code, for the guard.
	who() string
	// plan makes the exact request for a prefix of the lane's rows. An error
	// concerns the first row alone.
	plan(ctx context.Context, lane driver.OutboxLane, now time.Time) (adapter.Attempt, error)
	send(ctx context.Context, at adapter.Attempt) (adapter.Sent, error)
	// wait is the pause after the n-th try; false when there is no further one.
	wait(tries int) (time.Duration, bool)
}

// wayOut finds the way of a lane; a refusal ends what waits at its head.
func (e *Engine) wayOut(ctx context.Context, lane driver.OutboxLane) (way, *adapter.SendError, error) {
	if id, is := targetOf(lane.Account); is {
		return e.wayToTarget(ctx, lane, id)
	}
	set, err := e.current(ctx, lane.Workspace)
	if err != nil {
		return nil, nil, err
	}
	acct, ad, err := e.account(set, lane.Account)
	if err != nil || acct.Disabled {
		return nil, &adapter.SendError{Reason: channel.ReasonCredentials, Detail: "the account is switched off or gone"}, nil
	}
	return accountWay{e: e, ws: lane.Workspace, acct: acct, adapter: ad}, nil, nil
}

// accountWay leads to customers.
type accountWay struct {
	e       *Engine
	ws      WorkspaceID
	acct    channel.Account
	adapter *guardedAdapter
}

func (w accountWay) who() string { return w.adapter.who }

func (w accountWay) wait(tries int) (time.Duration, bool) {
	return backoff(tries), tries < w.e.cfg.MaxTries
}

func (w accountWay) send(ctx context.Context, at adapter.Attempt) (adapter.Sent, error) {
	return w.adapter.Send(ctx, w.acct, at, func(ctx context.Context, name string) (io.ReadCloser, error) {
		return w.e.openFile(ctx, w.ws, channel.Media{Blob: name})
	})
}

func (w accountWay) plan(ctx context.Context, lane driver.OutboxLane, now time.Time) (adapter.Attempt, error) {
	var batch []adapter.Outbound
	limit := max(1, w.adapter.Capabilities().MaxBatch)
	for _, r := range lane.Rows {
		if len(batch) == limit || (len(batch) > 0 && (r.To != batch[0].To || r.Tries > 0)) {
			break
		}
		batch = append(batch, adapter.Outbound{Row: r.ID, Message: r.Message, To: r.To, Content: r.Content, Reply: r.Reply,
			SenderName: r.SenderName, SenderIcon: r.SenderIcon, Automatic: r.Automatic, Event: r.Event, Language: r.Language})
	}
	if batch[0].To.Kind == channel.ChatThread {
		err := w.e.db.View(ctx, w.ws, func(ctx context.Context, tx store.Tx) error {
			c, err := chatStateOf(ctx, tx, w.acct.ID, batch[0].To)
			for i := range batch {
				batch[i].State, batch[i].Subject = c.State, c.Subject
			}
			return err
		})
		if err != nil {
			return adapter.Attempt{}, err
		}
	}
	return planFree(w.adapter, w.acct, batch, now)
}

// planFree plans the batch with the first reply handle in it, so that what
// waits in front of a free answer is free as well. A handle is not spent
// without the row that brought it.
func planFree(a *guardedAdapter, acct channel.Account, batch []adapter.Outbound, now time.Time) (adapter.Attempt, error) {
	for i, out := range batch {
		if out.Reply == nil || i == 0 || batch[0].Reply != nil {
			continue
		}
		with := slices.Clone(batch)
		with[0].Reply = out.Reply
		if at, err := a.Plan(acct, with, now); err == nil && len(at.Rows) > i {
			return at, nil
		}
		break
	}
	return a.Plan(acct, batch, now)
}

// targetPrefix begins what stands for an account in the outbox rows of a target;
// no account's id begins with it.
const targetPrefix = "target:"

func targetAccount(id notify.TargetID) channel.AccountID {
	return channel.AccountID(targetPrefix + string(id))
}

func targetOf(a channel.AccountID) (notify.TargetID, bool) {
	id, is := strings.CutPrefix(string(a), targetPrefix)
	return notify.TargetID(id), is
}

// targetWay leads to a target outside.
type targetWay struct {
	e       *Engine
	ws      WorkspaceID
	target  notify.Target
	carrier *guardedCarrier
}

func (e *Engine) wayToTarget(ctx context.Context, lane driver.OutboxLane, id notify.TargetID) (way, *adapter.SendError, error) {
	var t notify.Target
	err := e.db.View(ctx, lane.Workspace, func(ctx context.Context, tx store.Tx) (err error) {
		t, err = targets.Get(ctx, tx, string(id))
		return err
	})
	if errors.Is(err, ErrNotFound) {
		return nil, &adapter.SendError{Reason: channel.ReasonCredentials, Detail: "the target was deleted"}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	c := e.carriers[t.Kind]
	switch {
	case c == nil:
		return nil, &adapter.SendError{Reason: channel.ReasonCredentials,
			Detail: "no carrier for this kind of target is in Config.Carriers"}, nil
	case t.Disabled:
		return nil, &adapter.SendError{Reason: channel.ReasonCredentials, Detail: "the target is switched off"}, nil
	}
	if t.Secrets, err = e.openTarget(ctx, lane.Workspace, t); err != nil {
		return nil, nil, err
	}
	return targetWay{e: e, ws: lane.Workspace, target: t, carrier: c}, nil, nil
}

func (w targetWay) who() string { return w.carrier.name }

// wait adds up to a quarter by chance, so that what failed together does not
// come back together.
func (w targetWay) wait(tries int) (time.Duration, bool) {
	waits := w.carrier.policy.Waits
	if tries < 1 || tries > len(waits) {
		return time.Minute, tries < 1
	}
	d := waits[tries-1]
	return d + rand.N(d/4+1), true
}

func (w targetWay) plan(ctx context.Context, lane driver.OutboxLane, now time.Time) (adapter.Attempt, error) {
	row := lane.Rows[0]
	var d Delivery
	err := w.e.db.View(ctx, w.ws, func(ctx context.Context, tx store.Tx) (err error) {
		d, err = deliveries.Get(ctx, tx, string(row.ID))
		return err
	})
	if err != nil {
		return adapter.Attempt{}, notify.Refuse(channel.ReasonGone, 0, "the notice is kept no longer")
	}
	request, err := w.carrier.plan(w.target, d.Notice, now)
	return adapter.Attempt{Rows: []channel.OutboxID{row.ID}, Route: string(w.target.Kind), Request: request,
		IdempotencyKey: d.Notice.ID, IdempotentFor: w.carrier.policy.IdempotentFor}, err
}

func (w targetWay) send(ctx context.Context, at adapter.Attempt) (adapter.Sent, error) {
	receipt, err := w.carrier.send(ctx, w.target, at.Request, func(ctx context.Context, name string) (io.ReadCloser, error) {
		return w.e.openFile(ctx, w.ws, channel.Media{Blob: name})
	})
	return adapter.Sent{RequestID: receipt.ID, Messages: []adapter.SentMessage{{ID: channel.ProviderMessageID(receipt.ID)}}}, err
}

// guardedCarrier is a carrier as the engine calls it.
type guardedCarrier struct {
	g      *guard
	name   string
	kind   notify.Kind
	policy notify.Policy
	files  int64        // bytes of files in one notice; 0: it takes none
	form   *notify.Form // nil: it does not describe its targets
	c      notify.Carrier
}

func newGuardedCarrier(g *guard, c notify.Carrier) (*guardedCarrier, error) {
	out := &guardedCarrier{g: g, name: "carrier", c: c}
	_, err := inline(g, out.name, "Kind, Policy and Form", func() (struct{}, error) {
		out.kind, out.policy = c.Kind(), c.Policy()
		if f, takes := c.(notify.FileCarrier); takes {
			out.files = f.FileBytes()
		}
		if d, describes := c.(notify.Describer); describes {
			form := d.Form()
			out.form = &form
		}
		return struct{}{}, nil
	})
	out.name = "carrier " + string(out.kind)
	return out, err
}

// validate returns the carrier's own words: they are for the administrator who
// typed the settings, and nobody logs them.
func (c *guardedCarrier) validate(t notify.Target) error {
	return c.g.answered(c.name, "Validate", func() error { return c.c.Validate(t) })
}

func (c *guardedCarrier) plan(t notify.Target, n notify.Notice, now time.Time) ([]byte, error) {
	request, err := inline(c.g, c.name, "Plan", func() ([]byte, error) { return c.c.Plan(t, n, now) })
	if errors.Is(err, errPanicked) {
		err = notify.Refuse(channel.ReasonContent, 0, "the carrier panicked while planning")
	}
	if len(request) > maxRequest {
		c.g.babbles(c.name, "Plan", tooLargeRequest)
		return nil, notify.Refuse(channel.ReasonContent, 0, "the carrier planned "+tooLargeRequest)
	}
	return request, c.g.meant(c.name, "Plan", 0, err)
}

func (c *guardedCarrier) send(ctx context.Context, t notify.Target, request []byte, open adapter.OpenFile) (notify.Receipt, error) {
	r, err := bounded(ctx, c.g, c.name, "Send", c.policy.Timeout, func(ctx context.Context) (notify.Receipt, error) {
		if f, takes := c.c.(notify.FileCarrier); takes {
			return f.SendFiles(ctx, t, request, open)
		}
		return c.c.Send(ctx, t, request)
	})
	if errors.Is(err, errPanicked) {
		err = &adapter.SendError{Disposition: adapter.Ambiguous, Reason: channel.ReasonProvider,
			Detail: "the carrier panicked while sending"}
	}
	if !isID(r.ID) { // it is sent all the same
		c.g.babbles(c.name, "Send", "an id that is too long or no text")
		r.ID = ""
	}
	return r, c.g.meant(c.name, "Send", 0, err)
}

// reports reads what a receiver sent; ErrInvalid where it reports nothing.
func (c *guardedCarrier) reports(t notify.Target, raw []byte) (out []notify.Report, err error) {
	reporter, is := c.c.(notify.Reporter)
	if !is {
		return nil, errs.New(errs.Invalid, "sangdam: targets of kind %s report nothing", c.kind)
	}
	out, err = inline(c.g, c.name, "Reports", func() ([]notify.Report, error) { return reporter.Reports(t, raw) })
	if err == nil && (len(out) > maxReports || slices.ContainsFunc(out, func(r notify.Report) bool { return !isID(r.ID, r.Task) })) {
		c.g.babbles(c.name, "Reports", "too many reports, or an id that is too long or no text")
		return nil, errs.New(errs.Invalid, "sangdam: %s makes reports of the request that cannot be meant", c.name)
	}
	return out, err
}

// carry takes the carriers of the configuration.
func (e *Engine) carry(carriers []notify.Carrier) error {
	e.carriers = map[notify.Kind]*guardedCarrier{}
	for i, c := range carriers {
		if isNil(c) {
			return invalidConfig("Carriers[%d] is nil; leave it out or make one", i)
		}
		safe, err := newGuardedCarrier(e.guard, c)
		if err != nil {
			return invalidConfig("Carriers[%d] (%T) panics when it is asked for its kind; make it with its constructor", i, c)
		}
		if _, twice := e.carriers[safe.kind]; twice || !isName(safe.kind) {
			return invalidConfig("Carriers has an empty or repeated kind %q, or one that is no name", shortened(string(safe.kind)))
		}
		if p := safe.policy; p.Timeout <= 0 || p.Timeout >= e.cfg.Lease || len(p.Waits) > maxWaits || slices.ContainsFunc(p.Waits,
			func(d time.Duration) bool { return d < 0 || d > maxAfter }) {
			return invalidConfig("Carriers[%d] (%s): its Policy has a Timeout that is not between 0 and Config.Lease, "+
				"or more than %d waits, or one that is negative or above %s", i, safe.kind, maxWaits, maxAfter)
		}
		if safe.files < 0 {
			return invalidConfig("Carriers[%d] (%s): its FileBytes are negative; "+
				"a carrier that brings no files is no FileCarrier", i, safe.kind)
		}
		if safe.form != nil {
			if err := safe.form.Check(); err != nil {
				return invalidConfig("Carriers[%d] (%s): %w", i, safe.kind, err)
			}
		}
		e.carriers[safe.kind] = safe
	}
	return nil
}

// targetForms are what the targets of each kind are made of, where its carrier says so.
func (e *Engine) targetForms() map[notify.Kind]notify.Form {
	out := map[notify.Kind]notify.Form{}
	for kind, c := range e.carriers {
		if c.form != nil {
			out[kind] = *c.form
		}
	}
	return out
}

// consequences are what may follow the outcome of an outbox row, by name. Each
// runs once for a row, in the Update that records the outcome.
func consequences() map[string]func(u *unit, row driver.OutboxRow, got string, params json.RawMessage) error {
	return map[string]func(*unit, driver.OutboxRow, string, json.RawMessage) error{
		thenComplete: (*unit).thenCompleted,
		thenStays:    (*unit).thenStaysOpen,
		thenHanded:   (*unit).thenHandedOver,
	}
}

// follows carries out what was to follow this outcome; got is the receiver's
// name of what it took.
func (u *unit) follows(row driver.OutboxRow, state channel.OutboxState, got string) error {
	for _, then := range row.Then {
		if then.On != state {
			continue
		}
		do, known := consequences()[then.Do]
		if !known {
			return errs.New(errs.Unsupported,
				"sangdam: outbox row %s is to be followed by %q, which this program does not know; a newer one does", row.ID, then.Do)
		}
		if err := do(u, row, got, then.Params); err != nil {
			return err
		}
	}
	return nil
}
