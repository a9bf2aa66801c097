package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// A subscription sends the events of the feed to a target, such as a host's web
// hook: each is queued in the Update in which it happened, so that none is lost
// and none is told that was not. It tells ids, kinds and places, never a text.

const kindSubscription = "subscription"

// maxSubscriptions is how many a workspace has.
const maxSubscriptions = 50

// Subscription says which events go to a target.
type Subscription struct {
	ID string `json:"id"`
	// Version that was read; 0 for a new one.
	Version int64           `json:"version"`
	Name    string          `json:"name"`
	Target  notify.TargetID `json:"target"`
	// Events are the events that are sent: all of an aggregate ("ticket"), or
	// one kind of it ("ticket.created", "conversation.assigned").
	// SubscribedEvents returns the names that there are.
	Events []string `json:"events"`
	// Disabled stops sending. ReplayEvents can send later what happened
	// meanwhile.
	Disabled bool `json:"disabled,omitempty"`
}

// causeSubscription begins Delivery.Cause of what a subscription sent.
const causeSubscription = "subscription:"

// SubscribedEvents returns the names that Subscription.Events may hold: each
// aggregate, such as "ticket", followed by the kinds of its events where these
// are a fixed list.
func SubscribedEvents() (out []string) {
	for _, aggregate := range subscribedAggregates {
		out = append(out, aggregate)
		for _, kind := range subscribedKinds[aggregate] {
			out = append(out, aggregate+"."+kind)
		}
	}
	return out
}

// subscribedAggregates are the aggregates that subscriptions may name.
var subscribedAggregates = []string{kindConversation, kindTicket, kindContact, "identity", "item", kindAgent, kindAccount, "configuration"}

var subscribedKinds = map[string][]string{
	kindConversation: append(kindsOf(conversation.EvOpened, conversation.EvReopened, conversation.EvState, conversation.EvMessage,
		conversation.EvNote, conversation.EvEdit, conversation.EvUnsend, conversation.EvStatus, conversation.EvQueued,
		conversation.EvOffered, conversation.EvOffer, conversation.EvAssigned, conversation.EvReleased, conversation.EvConsult,
		conversation.EvConsultEnded, conversation.EvControl, conversation.EvDesk, conversation.EvLinked, conversation.EvMerged,
		conversation.EvPanel, conversation.EvRated, conversation.EvTicket, conversation.EvMedia, conversation.EvMask,
		conversation.EvUnmask, conversation.EvChat, conversation.EvWatched, conversation.EvLeft, conversation.EvBack,
		conversation.EvErased), evRead),
	kindTicket: append(kindsOf(ticket.Created, ticket.Changed, ticket.Commented, ticket.Answered, ticket.Replied, ticket.Merged,
		ticket.Split, ticket.Masked, ticket.Unmasked), evLevelWarning, evLevelBreach),
	"item":    kindsOf(routing.ItemQueued, routing.ItemOffered, routing.ItemAssigned, routing.ItemDone),
	kindAgent: kindsOf(routing.Online, routing.Break, routing.Offline),
}

func kindsOf[T ~string](list ...T) (out []string) {
	for _, v := range list {
		out = append(out, string(v))
	}
	return out
}

var (
	subscriptions = declare(store.Kind[Subscription]{Name: kindSubscription, Decl: 1, Reused: true,
		ID:      func(s *Subscription) string { return s.ID },
		Version: func(s *Subscription) *int64 { return &s.Version },
		Indexes: listedBy(func(s *Subscription) string { return s.Name })})

	subscriptionKind = definition[Subscription]{kindSubscription, subscriptions,
		func(s *Subscription) string { return s.ID }, func(s *Subscription) *int64 { return &s.Version }}

	eventKind = regexp.MustCompile(`^[a-z_]{1,50}$`)

	opSaveSubscription   = define("subscription.save", "SaveSubscription", kindSubscription)
	opDeleteSubscription = define("subscription.delete", "DeleteSubscription", kindSubscription)
	opReplayEvents       = acts("subscription.replay", "ReplayEvents", kindSubscription, ActOperate)
)

func (s Subscription) validate() error {
	bad := func(format string, args ...any) error {
		return errs.New(errs.Invalid, "sangdam: subscription: "+format, args...)
	}
	if strings.TrimSpace(s.Name) == "" || len(s.Name) > maxTargetName {
		return bad("the name has %d bytes; use 1 to %d", len(s.Name), maxTargetName)
	}
	if len(s.Events) == 0 || len(s.Events) > 100 {
		return bad("it names %d events; use 1 to 100, such as ticket or conversation.opened", len(s.Events))
	}
	for _, e := range s.Events {
		aggregate, kind, one := strings.Cut(e, ".")
		if !slices.Contains(subscribedAggregates, aggregate) || one && !eventKind.MatchString(kind) {
			return bad("%q names no events; use one of %s, or a kind of one such as ticket.created", cutTo(e, 64),
				strings.Join(subscribedAggregates, ", "))
		}
	}
	return nil
}

// wants says whether the event is one of the subscription's.
func (s Subscription) wants(ev driver.Event) bool {
	return !s.Disabled && slices.ContainsFunc(s.Events, func(e string) bool { return e == ev.Aggregate || e == ev.Aggregate+"."+ev.Kind })
}

// SaveSubscription creates a subscription (Version 0; an empty id is filled) or
// replaces the one of the version given.
type SaveSubscription struct {
	Key          Key          `json:"-"`
	Subscription Subscription `json:"subscription"`
}

// SaveSubscription carries the command out. ErrInvalid for events that do not
// exist, ErrNotFound for a target that does not.
func (e *Engine) SaveSubscription(ctx context.Context, p Principal, c SaveSubscription) (Saved, error) {
	return command(ctx, e, call{opSaveSubscription, p, c.Key, c}, func(u *unit) (Saved, error) {
		s := c.Subscription
		if err := u.allow(ActConfigure, Resource{Kind: kindSubscription, ID: s.ID}); err != nil {
			return Saved{}, err
		}
		if s.ID == "" {
			s.ID = newID()
		}
		if err := s.validate(); err != nil {
			return Saved{}, err
		}
		if _, err := u.usable(s.Target); err != nil {
			return Saved{}, err
		}
		n, err := subscriptions.Count(u.ctx, u.tx, store.List[Subscription]{Index: listedName}, maxSubscriptions)
		if err == nil && n >= maxSubscriptions && s.Version == 0 {
			err = errs.New(errs.Invalid, "sangdam: a workspace has at most %d subscriptions", maxSubscriptions)
		}
		if err != nil {
			return Saved{}, err
		}
		saved, err := saveDefinition(u, subscriptionKind, s, nil)
		if err != nil {
			return Saved{}, err
		}
		return saved, u.triggersChanged(s.ID, saved.Version, "subscribed", nil)
	})
}

// DeleteSubscription deletes a subscription. Events that are queued already are
// still sent.
type DeleteSubscription struct {
	Key          Key    `json:"-"`
	Subscription string `json:"subscription"`
	Version      int64  `json:"version"`
}

// DeleteSubscription carries the command out. Events that are queued for the
// target already are still sent. ErrNotFound, and ErrStale when it is not of
// the version given.
func (e *Engine) DeleteSubscription(ctx context.Context, p Principal, c DeleteSubscription) error {
	_, err := command(ctx, e, call{opDeleteSubscription, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActConfigure, Resource{Kind: kindSubscription, ID: c.Subscription}); err != nil {
			return none, err
		}
		if err := deleteDefinition(u, subscriptionKind, c.Subscription, c.Version, nil); err != nil {
			return none, err
		}
		return none, u.triggersChanged(c.Subscription, c.Version, "unsubscribed", nil)
	})
	return err
}

var qSubscriptions = asks("subscription.list", "Subscriptions", kindSubscription, ActConfigure).wide(wideSetUp)

// Subscriptions lists the subscriptions by name. It needs ActConfigure.
func (e *Engine) Subscriptions(ctx context.Context, p Principal) (out []Subscription, err error) {
	err = e.query(ctx, p, qSubscriptions, "", func(ctx context.Context, tx store.Tx, _ *settings) error {
		all, err := allOf(ctx, tx, subscriptions, nil)
		out = listed(all)
		return err
	})
	return out, err
}

// subscribed queues the events of this unit for whoever wants them.
func (u *unit) subscribed() error {
	if u.after.triggers {
		return nil // it changes what is subscribed to, and nobody may keep a copy before it is committed
	}
	sets, err := u.e.triggers(u.ctx, u.tx, u.s)
	if err != nil {
		return err
	}
	for _, s := range sets.subscriptions {
		for _, ev := range u.feed {
			if !s.wants(ev) {
				continue
			}
			if err := u.sendEvent(s, ev); err != nil {
				return err
			}
		}
	}
	return nil
}

// sendEvent queues one event. Its id is made of what it is, so that a receiver
// knows one that comes again by a replay.
func (u *unit) sendEvent(s Subscription, ev driver.Event) error {
	data, err := json.Marshal(ev)
	if err != nil {
		return err
	}
	was := u.as
	u.as = causeSubscription + s.ID
	defer func() { u.as = was }()
	name := hashedKey(fmt.Sprintf("%s\x00%s\x00%d\x00%s\x00%s\x00%d", ev.Aggregate, ev.ID, ev.Version, ev.Kind, ev.Ref, ev.At.UnixMicro()))
	_, err = u.deliver(Delivery{Target: s.Target, Notice: notify.Notice{ID: name, Event: ev.Aggregate + "." + ev.Kind,
		Subject: ev.Aggregate + ":" + ev.ID, At: ev.At, Data: data}})
	return err
}

// ReplayEvents sends the events of the feed after a cursor (see Engine.Events)
// to a subscription's target, in their order and with their ids, as far as the
// feed goes back (Config.KeepFeed). Use it for what a subscription missed while
// it was disabled, and for what happened before it was made.
type ReplayEvents struct {
	Key          Key    `json:"-"`
	Subscription string `json:"subscription"`
	Cursor       string `json:"cursor,omitempty"`
	// Since is the time from which on to begin, instead of a Cursor, and Until
	// the time at which to end. No Until, or one that is to come, means now.
	Since time.Time `json:"since,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

const jobReplayEvents = "replay_events"

func init() {
	registerJob(jobKind{name: jobReplayEvents, workers: 2, bound: always(15 * time.Minute), tries: jobTries}, (*Engine).replayEvents, nil)
}

// ReplayEvents carries the command out and returns at once; a job goes through
// the feed. ErrCursorGone for a cursor that is too old.
func (e *Engine) ReplayEvents(ctx context.Context, p Principal, c ReplayEvents) error {
	_, err := command(ctx, e, call{opReplayEvents, p, c.Key, c}, func(u *unit) (none struct{}, err error) {
		if err := u.allow(ActOperate, Resource{Kind: kindSubscription, ID: c.Subscription}); err != nil {
			return none, err
		}
		s, err := subscriptions.Get(u.ctx, u.tx, c.Subscription)
		if errors.Is(err, ErrNotFound) {
			return none, noSuch(kindSubscription)
		}
		if err != nil {
			return none, err
		}
		if _, err := u.usable(s.Target); err != nil {
			return none, err
		}
		if (c.Cursor == "") == c.Since.IsZero() {
			return none, errs.New(errs.Invalid, "sangdam: give the cursor after which to begin, or the time, one of the two")
		}
		if c.Until, err = until(c.Since, c.Until, u.tx.Now()); err != nil {
			return none, err
		}
		return none, u.enqueueJob(jobReplayEvents, "", c)
	})
	return err
}

// replayEvents queues a chunk and leaves the rest to the next job, in one
// transaction under the job's claim.
func (e *Engine) replayEvents(ctx context.Context, j *runningJob, r ReplayEvents) error {
	if r.Cursor == "" {
		r.Cursor = driver.CursorAt(r.Since)
	}
	evs, next, err := e.db.Feed(ctx, j.Workspace, r.Cursor, replayChunk)
	if err != nil {
		return err
	}
	return e.unit(ctx, system(j.Workspace), func(u *unit) error {
		s, err := subscriptions.Get(u.ctx, u.tx, r.Subscription)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		s.Disabled = false
		for _, ev := range evs {
			if ev.At.Before(r.Since) || ev.At.After(r.Until) || !s.wants(ev) {
				continue
			}
			if err := u.sendEvent(s, ev); err != nil {
				return err
			}
		}
		if len(evs) > 0 {
			r.Cursor = next
			if err := u.enqueueJob(jobReplayEvents, "", r); err != nil {
				return err
			}
		}
		return u.tx.Jobs().Finish(u.ctx, j.ID, j.Token)
	})
}
