package sangdam

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
)

// Delivery is one notice to one target and what became of it: an entry of the
// log of deliveries. It is kept for thirty days.
type Delivery struct {
	ID      string          `json:"id"`
	Version int64           `json:"version"`
	Target  notify.TargetID `json:"target"`
	Notice  notify.Notice   `json:"notice"`
	// Cause is what sent it: "trigger:<id>", "host:<name>", "agent:<id>".
	Cause string `json:"cause,omitempty"`
	// State is queued, sent, failed (given up: a dead letter) or unknown.
	// Reason and Detail say why the last failed try failed.
	State  channel.OutboxState `json:"state"`
	Tries  int                 `json:"tries"`
	Reason channel.Reason      `json:"reason,omitempty"`
	Detail string              `json:"detail,omitempty"`
	// Attempts are the newest tries with their outcomes, at most twenty; the last
	// one is the newest.
	Attempts []notify.Attempt `json:"attempts,omitempty"`
	// Hidden says that texts and recipient are left out here, because they are
	// about a record that the principal who asks may not read.
	Hidden bool `json:"hidden,omitempty"`
	// ReplayOf is the delivery that this one repeats.
	ReplayOf string    `json:"replay_of,omitempty"`
	QueuedAt time.Time `json:"queued_at,omitzero"`
	// NextAt is when the next try is due, EndedAt when the last try ended.
	NextAt  time.Time `json:"next_at,omitzero"`
	EndedAt time.Time `json:"ended_at,omitzero"`
}

// attemptsKept are the tries that a delivery remembers.
const attemptsKept = 20

const (
	deliveriesByTarget = "target" // in the order of queueing
	deliveriesByAge    = "age"
	deliveriesDead     = "dead"  // of a target: failed and unknown
	deliveriesByState  = "state" // of a target
	// of a record, to mask what it says
	deliveriesBySubject = "subject"
	deliveriesByMail    = "mail" // by the id of the mail, as bounces name it
)

// deliveriesFor is how long deliveries are kept.
const deliveriesFor = 30 * 24 * time.Hour

var deliveries = declare(store.Kind[Delivery]{Name: "delivery", Decl: 4,
	ID:      func(d *Delivery) string { return d.ID },
	Version: func(d *Delivery) *int64 { return &d.Version },
	Indexes: []store.Index[Delivery]{
		{Name: deliveriesByTarget,
			Value: func(d *Delivery) []byte { return store.Tuple(store.Exact(string(d.Target)), store.Time(d.QueuedAt)) }},
		{Name: deliveriesByAge, Value: func(d *Delivery) []byte { return store.Time(d.QueuedAt) }},
		{Name: deliveriesBySubject, Value: func(d *Delivery) []byte {
			if d.Notice.Subject == "" {
				return nil
			}
			return store.Tuple(store.Exact(d.Notice.Subject), store.Time(d.QueuedAt))
		}},
		{Name: deliveriesByMail, Value: func(d *Delivery) []byte {
			if d.Notice.To.Address == "" {
				return nil
			}
			return store.Tuple(store.Exact(strings.ToLower(notify.MailID(d.Notice.ID))))
		}},
		{Name: deliveriesDead, Value: func(d *Delivery) []byte {
			if d.State != channel.OutboxFailed && d.State != channel.OutboxUnknown {
				return nil
			}
			return store.Tuple(store.Exact(string(d.Target)), store.Time(d.QueuedAt))
		}},
		{Name: deliveriesByState, Value: func(d *Delivery) []byte {
			return store.Tuple(store.Exact(string(d.Target)), store.Exact(string(d.State)), store.Time(d.QueuedAt))
		}},
	}})

// deliver queues a notice to a target, with what follows its outcome.
func (u *unit) deliver(d Delivery, then ...driver.Then) (Delivery, error) {
	if err := d.Notice.Check(); err != nil {
		return d, err
	}
	d.ID, d.Version = newID(), 0
	d.Cause, d.State, d.QueuedAt = u.actor(), channel.OutboxQueued, u.tx.Now()
	if d.Notice.At.IsZero() {
		d.Notice.At = u.tx.Now()
	}
	if err := deliveries.Save(u.ctx, u.tx, &d); err != nil {
		return d, err
	}
	lane := d.Notice.Subject
	if lane == "" {
		lane = d.ID // nothing it must come after
	}
	return d, u.tx.Outbox().Enqueue(u.ctx, driver.OutboxRow{ID: channel.OutboxID(d.ID), Account: targetAccount(d.Target), Lane: lane,
		State: channel.OutboxQueued, Then: then})
}

// noticed keeps in the log what became of a try, for rows of targets.
func (u *unit) noticed(acct channel.AccountID, rows []channel.OutboxID, o driver.Settlement, tries int) error {
	target, is := targetOf(acct)
	if !is {
		return nil
	}
	for _, row := range rows {
		d, err := deliveries.Get(u.ctx, u.tx, string(row))
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := u.settleDelivery(d, target, o, tries); err != nil {
			return err
		}
	}
	if o.Reason == channel.ReasonGone && o.State == channel.OutboxFailed {
		return u.refusedFor(target, o.Reason)
	}
	return nil
}

// settleDelivery keeps how a try ended.
func (u *unit) settleDelivery(d Delivery, target notify.TargetID, o driver.Settlement, tries int) error {
	d.State, d.Tries, d.Reason, d.Detail, d.NextAt = o.State, tries, o.Reason, o.Detail, o.NotBefore
	d.Attempts = append(d.Attempts, notify.Attempt{At: u.tx.Now(), State: o.State, Reason: o.Reason, Detail: o.Detail})
	d.Attempts = d.Attempts[max(0, len(d.Attempts)-attemptsKept):]
	if o.State != channel.OutboxQueued {
		d.EndedAt, d.NextAt = u.tx.Now(), time.Time{}
		if err := u.hideNotice(&d.Notice); err != nil {
			return err
		}
		if err := u.tell(driver.Event{Aggregate: "delivery", ID: d.ID, Version: d.Version + 1, Kind: string(o.State),
			Ref: string(target)}); err != nil {
			return err
		}
	}
	return deliveries.Save(u.ctx, u.tx, &d)
}

// SendNotice sends a notice to a target, for instance an event of the host's
// own by web hook, or a mail to a colleague.
type SendNotice struct {
	Key    Key             `json:"-"`
	Target notify.TargetID `json:"target"`
	// Notice is what is sent. An empty ID is filled.
	Notice notify.Notice `json:"notice"`
}

// SendNotice carries the command out and returns the id of the delivery, which
// tells what became of it. It needs ActOperate. ErrUnsupported when the target
// is switched off.
func (e *Engine) SendNotice(ctx context.Context, p Principal, c SendNotice) (Saved, error) {
	return command(ctx, e, call{opSendNotice, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActOperate, Resource{Kind: kindTarget, ID: string(c.Target)}); err != nil {
			return Saved{}, err
		}
		if _, err := u.usable(c.Target); err != nil {
			return Saved{}, err
		}
		n := c.Notice
		if len(n.Files) > 0 { // a name is no right to read
			return Saved{}, errs.New(errs.Invalid, "sangdam: a notice of yours brings no files; give a link instead")
		}
		if n.ID == "" {
			n.ID = newID()
		}
		d, err := u.deliver(Delivery{Target: c.Target, Notice: n})
		return Saved{ID: d.ID, Version: d.Version}, err
	})
}

// usable is a target that carries something now.
func (u *unit) usable(id notify.TargetID) (notify.Target, error) {
	t, err := targets.Get(u.ctx, u.tx, string(id))
	switch {
	case errors.Is(err, ErrNotFound):
		return t, noSuch(kindTarget)
	case err != nil:
		return t, err
	case t.Disabled:
		return t, errs.New(errs.Unsupported, "sangdam: target %q is switched off; an administrator can switch it on", t.Name)
	case u.e.carriers[t.Kind] == nil:
		return t, errs.New(errs.Unsupported, "sangdam: no carrier for targets of kind %q; add it to Config.Carriers", t.Kind)
	case t.Kind == notify.KindSMS:
		return t, u.off(SwitchSMS)
	}
	return t, nil
}

// DeliveryFilter says which deliveries to list.
type DeliveryFilter struct {
	// Target whose deliveries are listed; required.
	Target notify.TargetID
	// Dead lists only deliveries that are failed or unknown; State only those
	// in that state.
	Dead  bool
	State channel.OutboxState
	// Newest lists the newest first; without it the oldest come first.
	Newest bool
}

// DeliveryPage is one page of the log. Next asks for the following page and is
// empty at the end; it is also what ReplayDeliveries.After takes.
type DeliveryPage struct {
	Deliveries []Delivery `json:"deliveries"`
	Next       string     `json:"next,omitempty"`
}

var qDeliveries = asks("delivery.list", "Deliveries", kindTarget, ActOperate).log()

// Deliveries lists the deliveries to a target in the order in which they were
// queued. limit is 1 to 200, and 0 means 50; page is empty or
// DeliveryPage.Next. A delivery about a record that the principal may not read
// is Hidden.
func (e *Engine) Deliveries(ctx context.Context, p Principal, f DeliveryFilter, page string, limit int) (out DeliveryPage, err error) {
	err = e.query(ctx, p, qDeliveries, string(f.Target), func(ctx context.Context, tx store.Tx,
		_ *settings) error {
		list := deliveriesOf(f.Target)
		switch {
		case f.Dead && f.State != "":
			return errs.New(errs.Invalid, "sangdam: list the dead letters or those of one state, not both")
		case f.Dead:
			list.Index = deliveriesDead
		case f.State != "":
			at := store.Tuple(store.Exact(string(f.Target)), store.Exact(string(f.State)))
			list.Index, list.From, list.To = deliveriesByState, at, store.Next(at)
		}
		list.Desc, list.After, list.Limit = f.Newest, page, limit
		found, err := deliveries.List(ctx, tx, list)
		out = DeliveryPage{Deliveries: found.Items, Next: found.Next}
		if err != nil {
			return err
		}
		return e.hideUnreadable(ctx, tx, p, out.Deliveries)
	})
	return out, err
}

var qDelivery = asks("delivery.read", "Delivery", "delivery", ActOperate).log()

// Delivery returns one delivery by its id; ErrNotFound when it is not kept, or
// not any more.
func (e *Engine) Delivery(ctx context.Context, p Principal, id string) (out Delivery, err error) {
	err = e.query(ctx, p, qDelivery, id, func(ctx context.Context, tx store.Tx, _ *settings) error {
		out, err = deliveries.Get(ctx, tx, id)
		if errors.Is(err, ErrNotFound) {
			return noSuch("delivery")
		}
		if err != nil {
			return err
		}
		one := []Delivery{out}
		err = e.hideUnreadable(ctx, tx, p, one)
		out = one[0]
		return err
	})
	return out, err
}

// hideUnreadable takes out what deliveries say of records that the principal may
// not read. Events of subscriptions say ids and states alone, and stay.
func (e *Engine) hideUnreadable(ctx context.Context, tx store.Tx, p Principal, list []Delivery) error {
	w, err := e.reader(ctx, tx, p)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for i := range list {
		n := &list[i].Notice
		if strings.HasPrefix(list[i].Cause, causeSubscription) {
			continue
		}
		ok, asked := seen[n.Subject]
		if !asked {
			if ok, err = e.seesSubject(ctx, tx, w, n.Subject); err != nil {
				return err
			}
			seen[n.Subject] = ok
		}
		if !ok {
			list[i].Hidden = true
			n.To, n.Title, n.Text, n.HTML, n.Link, n.Data, n.Files = notify.Recipient{}, "", "", "", "", nil, nil
		}
	}
	return nil
}

// seesSubject says whether the record that a notice is about may be read. One
// that is not there any more, or the host's own, is asked for by its name alone.
func (e *Engine) seesSubject(ctx context.Context, tx store.Tx, w Who, subject string) (bool, error) {
	kind, id, _ := strings.Cut(subject, ":")
	r, err := recordOf(ctx, tx, kind, id)
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, errNoRecord):
		r = Resource{Kind: kind, ID: id}
	case err != nil:
		return false, err
	}
	return e.sees(ctx, w, r)
}

func deliveriesOf(t notify.TargetID) store.List[Delivery] {
	return store.List[Delivery]{Index: deliveriesByTarget, From: store.Tuple(store.Exact(string(t))),
		To: store.Next(store.Tuple(store.Exact(string(t))))}
}

// Redeliver sends a delivery again, whatever became of it. The notice has the
// same id as before, by which a receiver that has had it already can tell that
// it is a repeat.
type Redeliver struct {
	Key      Key    `json:"-"`
	Delivery string `json:"delivery"`
}

// Redeliver carries the command out and returns the id of the new delivery. It
// needs ActOperate.
func (e *Engine) Redeliver(ctx context.Context, p Principal, c Redeliver) (Saved, error) {
	return command(ctx, e, call{opRedeliver, p, c.Key, c}, func(u *unit) (Saved, error) {
		if err := u.allow(ActOperate, Resource{Kind: "delivery", ID: c.Delivery}); err != nil {
			return Saved{}, err
		}
		old, err := deliveries.Get(u.ctx, u.tx, c.Delivery)
		if errors.Is(err, ErrNotFound) {
			return Saved{}, noSuch("delivery")
		}
		if err != nil {
			return Saved{}, err
		}
		if _, err := u.usable(old.Target); err != nil {
			return Saved{}, err
		}
		d, err := u.redeliver(old)
		return Saved{ID: d.ID, Version: d.Version}, err
	})
}

func (u *unit) redeliver(old Delivery) (Delivery, error) {
	return u.deliver(Delivery{Target: old.Target, Notice: old.Notice, ReplayOf: old.ID})
}

// ReplayDeliveries sends a target again what it was sent from some place in the
// log on, in the same order. Deliveries that are repeats themselves are left
// out.
type ReplayDeliveries struct {
	Key    Key             `json:"-"`
	Target notify.TargetID `json:"target"`
	// After is DeliveryPage.Next of the page after which to begin. Since is,
	// instead of it, the time from which on to begin. Without both, everything
	// that is kept is sent again.
	After string    `json:"after,omitempty"`
	Since time.Time `json:"since,omitzero"`
	// Until is the time before which to end. None, or one that is to come,
	// means now.
	Until time.Time `json:"until,omitzero"`
	// Dead sends only deliveries that are failed or unknown.
	Dead bool `json:"dead,omitempty"`
}

// replayJob is where a replay stands.
type replayJob struct {
	ReplayDeliveries
	By string `json:"by"`
}

const replayChunk = 100

// ReplayDeliveries carries the command out and returns at once; a job goes
// through the log.
func (e *Engine) ReplayDeliveries(ctx context.Context, p Principal, c ReplayDeliveries) error {
	_, err := command(ctx, e, call{opReplayDeliveries, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActOperate, Resource{Kind: kindTarget, ID: string(c.Target)}); err != nil {
			return none, err
		}
		if _, err := u.usable(c.Target); err != nil {
			return none, err
		}
		if c.After != "" && !c.Since.IsZero() {
			return none, errs.New(errs.Invalid, "sangdam: a replay begins after a place or at a time, not both")
		}
		list := c.list()
		list.Limit = 1
		if _, err := deliveries.List(u.ctx, u.tx, list); err != nil {
			return none, err // the place is none
		}
		if c.Until, err = until(c.Since, c.Until, u.tx.Now()); err != nil {
			return none, err
		}
		return none, u.enqueueJob(jobReplay, "", replayJob{ReplayDeliveries: c, By: u.actor()})
	})
	return err
}

// until is where a replay ends: what comes after now goes out by itself.
func until(since, until, now time.Time) (time.Time, error) {
	if until.IsZero() || until.After(now) {
		until = now
	}
	if !since.Before(until) && !since.IsZero() {
		return until, errs.New(errs.Invalid, "sangdam: a replay begins before it ends, and in the past")
	}
	return until, nil
}

func (c ReplayDeliveries) list() store.List[Delivery] {
	list := deliveriesOf(c.Target)
	if c.Dead {
		list.Index = deliveriesDead
	}
	if !c.Since.IsZero() {
		list.From = store.Tuple(store.Exact(string(c.Target)), store.Time(c.Since))
	}
	list.After, list.Limit = c.After, replayChunk
	return list
}

const jobReplay = "replay_deliveries"

func init() {
	registerJob(jobKind{name: jobReplay, workers: 2, bound: always(15 * time.Minute), tries: jobTries}, (*Engine).replay, nil)
}

// replay sends a chunk again and leaves the rest to the next job, in one
// transaction under the job's claim: each is sent again once.
func (e *Engine) replay(ctx context.Context, j *runningJob, r replayJob) error {
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		u.as = r.By
		page, err := deliveries.List(u.ctx, u.tx, r.list())
		if err != nil {
			return err
		}
		for _, d := range page.Items {
			if d.ReplayOf != "" || !d.QueuedAt.Before(r.Until) {
				continue
			}
			if _, err := u.redeliver(d); err != nil {
				return err
			}
		}
		last := len(page.Items) == 0 || !page.Items[len(page.Items)-1].QueuedAt.Before(r.Until)
		if page.Next != "" && !last {
			r.After, r.Since = page.Next, time.Time{}
			if err := u.enqueueJob(jobReplay, "", r); err != nil {
				return err
			}
		}
		return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
	})
}

func init() { registerPurge(purgeDeliveries) }

// purgeDeliveries deletes what is older than deliveriesFor.
func purgeDeliveries(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, deliveries, deliveriesByAge, deliveriesFor)
}

// purgeOld deletes at most purgeChunk documents whose time in the index is over.
func purgeOld[T any](ctx context.Context, tx store.Tx, docs *store.Documents[T], index string, age time.Duration) (int, error) {
	page, err := docs.List(ctx, tx, store.List[T]{Index: index, To: store.Time(tx.Now().Add(-age)), Limit: purgeChunk})
	if err != nil {
		return 0, err
	}
	for i := range page.Items {
		if err := docs.Delete(ctx, tx, &page.Items[i]); err != nil {
			return 0, err
		}
	}
	return len(page.Items), nil
}
