package sangdam

import (
	"cmp"
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/routing/validate"
	"github.com/sangdam/sangdam/store/driver"
)

// Work of the host's own: an order to be checked, a call to be made. The library
// finds an agent for it as for a conversation and keeps its item, and nothing else
// of it: the host says when it begins and when it is over.

// Enqueue puts a piece of the host's work into a queue.
type Enqueue struct {
	Key Key `json:"-"`
	// Subject is what the work is about: a kind of the host's own, which has 1
	// to 40 small letters, digits and '_' and begins with a letter, and an id
	// of 1 to 100 bytes. A subject waits at most once.
	Subject routing.Subject `json:"subject"`
	Queue   routing.QueueID `json:"queue"`
	// Desk whose agents may take the work. It counts only where the queue works
	// for no desk; left empty there, every member of the queue may take it.
	Desk routing.DeskID `json:"desk,omitempty"`
	// Permission is what the agent must have, switched on: routing.PermitChat
	// or routing.PermitTicket; empty means routing.PermitTicket.
	Permission routing.Permission `json:"permission,omitempty"`
	Priority   int                `json:"priority,omitempty"`
	// Cost is how many units of an agent's capacity the work takes. In addition
	// it counts as one against the agent's limit for work of its kind
	// (routing.SubjectProfile).
	Cost       int                `json:"cost,omitempty"`
	Skills     []routing.Skill    `json:"skills,omitempty"`
	SkillMatch routing.SkillMatch `json:"skill_match,omitempty"`
	Presences  []routing.Presence `json:"presences,omitempty"`
	AutoAccept bool               `json:"auto_accept,omitempty"`
	OfferFor   time.Duration      `json:"offer_for,omitempty"`
}

// Finish ends a piece of the host's own work, whether it waits, is offered or
// has an owner.
type Finish struct {
	Key     Key             `json:"-"`
	Subject routing.Subject `json:"subject"`
}

var (
	opEnqueue = acts("work.enqueue", "Enqueue", kindWork, ActAssign)
	opFinish  = acts("work.finish", "Finish", kindWork, ActEnd)
)

// kindWork is a piece of the host's work as a policy hears of it; its id is that of
// the item.
const kindWork = "work"

var hostKind = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

// hostItem is the item of a piece of the host's work.
func hostItem(s routing.Subject) (routing.ItemID, error) {
	switch {
	case s.Kind == routing.SubjectConversation || s.Kind == routing.SubjectTicket:
		return "", errs.New(errs.Invalid, "sangdam: a %s finds its agent by itself; the kind is one of the host's own", s.Kind)
	case !hostKind.MatchString(s.Kind):
		return "", errs.New(errs.Invalid, "sangdam: the kind of work has 1 to 40 small letters, digits and '_', and begins with a letter")
	case s.ID == "" || len(s.ID) > 100 || !utf8.ValidString(s.ID) || strings.ContainsRune(s.ID, 0):
		return "", errs.New(errs.Invalid, "sangdam: the work's id has 1 to 100 bytes of text")
	}
	return s.Item(), nil
}

// Enqueue carries the command out: the work waits in the queue and is offered
// or assigned as a conversation is. Accept and Decline answer its offer, Held
// lists it, and the feed has events of its item. Work that waits already is
// changed and keeps its place in the queue; work that an agent has is taken
// back and waits at the end. ErrNotFound for a queue or desk that does not
// exist; ErrInvalid for one that is out of use, for a Subject, Permission, presence or way to match skills
// that there is not, for a Cost outside 0 to 1,000,000, and for an OfferFor below 0
// or, unless it is 0, below a millisecond.
func (e *Engine) Enqueue(ctx context.Context, p Principal, c Enqueue) (Saved, error) {
	return command(ctx, e, call{opEnqueue, p, c.Key, c}, func(u *unit) (Saved, error) {
		id, err := hostItem(c.Subject)
		if err != nil {
			return Saved{}, err
		}
		queue, ok := u.s.routing.Queues[c.Queue]
		desk := c.Desk
		if queue.Desk != "" {
			desk = queue.Desk
		}
		if err := u.allow(ActAssign, Resource{Kind: kindWork, ID: string(id), Desk: desk}); err != nil {
			return Saved{}, err
		}
		if !ok {
			return Saved{}, noSuch("queue")
		}
		if queue.Retired {
			return Saved{}, outOfUse("queue", string(c.Queue))
		}
		if had, ok := u.s.routing.Desks[desk]; !ok && desk != "" {
			return Saved{}, noSuch("desk")
		} else if had.Retired {
			return Saved{}, outOfUse(kindDesk, string(desk))
		}
		if !slices.Contains([]routing.Permission{"", routing.PermitChat, routing.PermitTicket}, c.Permission) {
			return Saved{}, errs.New(errs.Invalid, "sangdam: work needs the permission for chats or that for tickets")
		}
		if err := cmp.Or(validate.Cost(c.Cost, "work %s", id), validate.Duration(c.OfferFor, "OfferFor", "work %s", id),
			validate.Presences(c.Presences, "work %s", id), validate.SkillMatch(c.SkillMatch, "work %s", id)); err != nil {
			return Saved{}, err
		}
		return u.enqueueHosts(id, desk, c)
	})
}

func (u *unit) enqueueHosts(id routing.ItemID, desk routing.DeskID, c Enqueue) (Saved, error) {
	stream := routing.WorkStream{Mode: routing.Push, Cost: c.Cost, AutoAccept: c.AutoAccept, OfferFor: c.OfferFor,
		Presences: c.Presences, SkillMatch: c.SkillMatch}
	next := transition.NewItem(routing.Item{ID: id, Desk: desk, Queue: c.Queue, Priority: c.Priority, Skills: c.Skills}, stream, u.tx.Now())
	if next.Permission = c.Permission; c.Permission == "" {
		next.Permission = routing.PermitTicket
	}
	next.Uses = append(next.Uses, routing.Use{Profile: routing.SubjectProfile(c.Subject.Kind), Units: 1})
	had, err := u.tx.Work().Item(u.ctx, id)
	if err == nil && had.State != routing.ItemDone {
		next.QueuedAt = had.QueuedAt
		if had.State == routing.ItemAssigned {
			next.QueuedAt = u.tx.Now()
		}
		if err = u.freeItem(had, routing.EndRequeued, routing.ItemQueued); err == nil {
			had, err = u.freed(id)
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return Saved{}, err
	}
	next.Version, next.Attempt = had.Version, had.Attempt
	if err := u.saveItem(next); err != nil {
		return Saved{}, err
	}
	is, err := u.tx.Work().Item(u.ctx, id)
	return Saved{ID: string(id), Version: is.Version}, err
}

// Finish carries the command out. Under DefaultPolicy the agent who has the
// work may, and supervisors, administrators and the host. To finish finished
// work changes nothing. ErrNotFound for work that was never enqueued.
func (e *Engine) Finish(ctx context.Context, p Principal, c Finish) error {
	_, err := command(ctx, e, call{opFinish, p, c.Key, c}, func(u *unit) (struct{}, error) {
		id, err := hostItem(c.Subject)
		if err != nil {
			return struct{}{}, err
		}
		u.resource = Resource{Kind: kindWork, ID: string(id)}
		it, err := u.tx.Work().Item(u.ctx, id)
		if errors.Is(err, ErrNotFound) {
			return struct{}{}, noSuch(kindWork)
		}
		if err != nil {
			return struct{}{}, err
		}
		if err := u.allow(ActEnd, workResource(it)); err != nil || it.State == routing.ItemDone {
			return struct{}{}, err
		}
		return struct{}{}, u.freeItem(it, routing.EndClosed, routing.ItemDone)
	})
	return err
}

// workResource is a piece of the host's work, for a policy.
func workResource(it routing.Item) Resource {
	r := Resource{Kind: kindWork, ID: string(it.ID), Desk: it.Desk}
	if it.State == routing.ItemAssigned {
		r.Owner = it.Agent
	}
	return r
}

// hostWork is a worker that records nothing but its item.
type hostWork struct {
	*unit
	id routing.ItemID
}

func (h hostWork) offerTo(o routing.Offer) (Resource, error) {
	it, err := h.tx.Work().Item(h.ctx, h.id)
	return Resource{Kind: kindOffer, ID: string(o.ID), Desk: it.Desk, Owner: o.Agent}, err
}

func (hostWork) offered(routing.Offer, routing.QueueID) error { return nil }

func (hostWork) answered(routing.Offer) error { return nil }

func (h hostWork) owned(routing.Assignment, string) (Owned, error) {
	return Owned{Work: h.id.Subject()}, nil
}

func (h hostWork) overflowed(it routing.Item, d routing.Decision) error {
	return h.overflowsToQueues(it, d)
}

// goesOn: like a ticket it stays with an agent who is away, and leaves one who may
// not do it any more.
func (h hostWork) goesOn(on handOn, a routing.Agent) (bool, error) {
	if on.Why != handOnUnable {
		return false, nil
	}
	it, err := h.tx.Work().Item(h.ctx, h.id)
	return err == nil && (a.Disabled || !a.May(it.Permission)), err
}

func (h hostWork) handedOn(handOnWhy) error {
	it, err := h.tx.Work().Item(h.ctx, h.id)
	if err != nil {
		return err
	}
	if err := h.freeItem(it, routing.EndRemoved, routing.ItemQueued); err != nil {
		return err
	}
	if it, err = h.freed(h.id); err != nil {
		return err
	}
	it.Visited = nil
	return h.saveItem(transition.Enter(it, it.Queue, h.tx.Now()))
}

func (h hostWork) place(ev driver.Event) (driver.Event, error) {
	it, err := h.tx.Work().Item(h.ctx, h.id)
	r := workResource(it)
	ev.Desk, ev.Agent = r.Desk, r.Owner
	return ev, err
}
