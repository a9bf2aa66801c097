package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
	"github.com/sangdam/sangdam/ticket"
)

// Erasure of a person (CV17). The command takes what leads to the person at once:
// the contact's fields and the names that providers have for it, so that whoever
// writes next is somebody new. The rest goes in the background, in bounded steps
// (erasure_steps.go), and what the library cannot reach is said at the end.

// EraseContact erases everything personal that is stored about a contact, for
// good.
type EraseContact struct {
	Key     Key                    `json:"-"`
	Contact conversation.ContactID `json:"contact"`
	// Version of the contact that was shown.
	Version int64 `json:"version"`
	// Reason is kept in the audit log and has 1 to 500 characters. Where it
	// holds names or numbers of the contact, these are left out of the log.
	Reason string `json:"reason"`
}

// Erasure tells how far the erasure of a contact is. It holds nothing personal.
type Erasure struct {
	Contact conversation.ContactID `json:"contact"`
	Version int64                  `json:"-"`
	By      string                 `json:"by"` // who asked for it, as the audit log names principals
	Reason  string                 `json:"reason"`
	State   ErrandState            `json:"state"`
	At      time.Time              `json:"at"`
	EndedAt time.Time              `json:"ended_at,omitzero"`
	// The numbers of what was erased so far.
	Identities    int `json:"identities"`
	Conversations int `json:"conversations"`
	Messages      int `json:"messages"`
	Files         int `json:"files"`
	Tickets       int `json:"tickets"`
	Notices       int `json:"notices"` // in the log of deliveries
	// Failed says why the erasure was given up; empty unless State is
	// ErrandFailed.
	Failed string `json:"failed,omitempty"`
	// Beyond lists, once the erasure is done, where something may be left that
	// the library cannot erase.
	Beyond []OutOfReach `json:"beyond,omitempty"`
}

// OutOfReach is a place where something of an erased contact may still be and
// that the library cannot erase.
type OutOfReach struct {
	// What it is:
	//   - provider: what went over a channel is at its provider and with the customer;
	//   - notices: mails, web hooks and messages to other targets that have left;
	//   - handed_over: tickets that another system took, by what it calls them;
	//   - conversation_backup: files of BackUp, until they expire;
	//   - plumbing: sealed events and requests that belong to no message, until then;
	//   - database_backup: the operator's own copies of the database and of blobs;
	//   - others: what other people wrote about the contact, in conversations and
	//     tickets of their own.
	What    string    `json:"what"`
	Count   int       `json:"count,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	Records []string  `json:"records,omitempty"`
}

// ErasurePlan is what an erasure would erase, and what must be ended before it.
type ErasurePlan struct {
	Contact       conversation.ContactID `json:"contact"`
	Version       int64                  `json:"version"`
	Identities    int                    `json:"identities"`
	Conversations Count                  `json:"conversations"`
	Tickets       Count                  `json:"tickets"`
	// OpenConversations and OpenTickets must be ended before the contact can be
	// erased; at most twenty of each are listed.
	OpenConversations []conversation.ID `json:"open_conversations"`
	OpenTickets       []ticket.ID       `json:"open_tickets"`
	// Erasure is the contact's erasure; nil when none was begun.
	Erasure *Erasure `json:"erasure,omitempty"`
}

// storedErasure is an erasure with where its next step begins.
type storedErasure struct {
	Erasure
	// Persons are the contact and those that were merged into it. Sealed has their
	// identities as they were, until it is done.
	Persons []conversation.ContactID `json:"persons"`
	Sealed  []byte                   `json:"sealed,omitempty"`
	// Phase is which kind of place is looked through; N and Page where in it.
	Phase int    `json:"phase"`
	N     int    `json:"n,omitempty"`
	Page  string `json:"page,omitempty"`
	// Chats, Tasks and Subjects were found and are next, in that order from the
	// last to the first: conversations (Seq is the message that was done last),
	// tickets, and records whose notices go.
	Chats    []conversation.ID `json:"chats,omitempty"`
	Seq      int64             `json:"seq,omitempty"`
	Tasks    []erasedTicket    `json:"tasks,omitempty"`
	Subjects []string          `json:"subjects,omitempty"`
	// Handed are what other systems call tickets.
	Handed []string `json:"handed,omitempty"`
}

const kindErasure = "erasure"

var (
	erasures = declare(store.Kind[storedErasure]{Name: kindErasure, Decl: 1,
		ID:      func(v *storedErasure) string { return string(v.Contact) },
		Version: func(v *storedErasure) *int64 { return &v.Version },
		Indexes: []store.Index[storedErasure]{{Name: "at", Value: func(v *storedErasure) []byte { return store.Time(v.At) }},
			{Name: errandsRunning, Value: func(v *storedErasure) []byte {
				if v.State != ErrandRunning {
					return nil
				}
				return store.Time(v.At)
			}}}})

	erasureErrands = errand[storedErasure]{kind: kindErasure, docs: erasures, about: func(v *storedErasure) errandState {
		return errandState{id: string(v.Contact), by: v.By, state: string(v.State), version: v.Version, over: v.State != ErrandRunning,
			percent: 100 * v.Phase / len(erasurePhases)}
	}, fail: func(v *storedErasure, reason string, _ time.Time) { v.State, v.Failed = ErrandFailed, reason }}

	opEraseContact = acts("contact.erase", "EraseContact", kindContact, ActErase).versioned()
)

// EraseContact carries the command out and returns at once; see Erasure. Under
// DefaultPolicy only administrators and the host may. The contact's own fields
// and identities are erased when the call returns; texts, files, what masks
// hide, the search index, what bots remember, notices and tickets are erased in
// the background. What statistics need stays: that there were messages,
// conversations and tickets, when, on which desk, with which agent, in which
// state and category.
//
// ErrConflict while a conversation or ticket of the contact is open: to end one
// may tell the customer something and takes work from an agent, so a person has
// to decide it. ErrConflict, too, while the contact is being erased. ErrStale
// for a contact that has changed since Version or was merged. To erase an
// erased contact again looks once more for anything that is left.
func (e *Engine) EraseContact(ctx context.Context, p Principal, c EraseContact) (Saved, error) {
	return command(ctx, e, call{opEraseContact, p, c.Key, c}, func(u *unit) (Saved, error) {
		own, err := u.contact(c.Contact, ActErase)
		if err != nil {
			return Saved{}, err
		}
		if own.MergedInto != "" {
			return Saved{}, errs.New(errs.Stale, "sangdam: contact %s was merged into contact %s; erase that", own.ID, own.MergedInto)
		}
		if own.Version != c.Version {
			return Saved{}, errs.New(errs.Stale, "sangdam: contact %s has changed; load it again", own.ID)
		}
		why, err := checkedReason(c.Reason)
		if err != nil {
			return Saved{}, err
		}
		v, err := erasures.Get(u.ctx, u.tx, string(own.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return Saved{}, err
		}
		if v.State == ErrandRunning {
			return Saved{}, errs.New(errs.Conflict, "sangdam: contact %s is being erased; wait for it", own.ID)
		}
		return u.beginErasure(own, v, why)
	})
}

// beginErasure takes what leads to the person and has a job erase the rest.
func (u *unit) beginErasure(own *conversation.Contact, v storedErasure, why string) (Saved, error) {
	persons, err := personsOf(u.ctx, u.tx, *own)
	if err != nil {
		return Saved{}, err
	}
	chats, tasks, err := stillOpen(u.ctx, u.tx, persons)
	if err != nil {
		return Saved{}, err
	}
	if len(chats)+len(tasks) > 0 {
		return Saved{}, errs.New(errs.Conflict,
			"sangdam: contact %s has work that is not over; end these conversations and solve these tickets first: %v", own.ID,
			append(idTexts(chats), idTexts(tasks)...))
	}
	had, err := u.erasedIdentities(v)
	if err != nil {
		return Saved{}, err
	}
	words := []string{}
	for _, p := range persons {
		list, err := u.tx.Contacts().Identities(u.ctx, p.ID)
		if err != nil {
			return Saved{}, err
		}
		for _, i := range list {
			if !i.Erased() {
				had = append(had, i)
				words = append(words, i.Name, string(i.User))
				u.identityOf(i).Erase()
			}
		}
		words = append(words, p.Name, p.Email, p.Phone)
		c := u.customerOf(p)
		c.Erase(u.tx.Now())
		u.tellContact(c, "erased")
	}
	why = withoutWords(why, words)
	u.detail("reason", why)
	v = storedErasure{Erasure: Erasure{Contact: own.ID, Version: v.Version, By: u.p.keyOwner(), Reason: why, State: ErrandRunning,
		At: u.tx.Now(), Identities: len(had)}}
	for _, p := range persons {
		v.Persons = append(v.Persons, p.ID)
		v.Subjects = append(v.Subjects, kindContact+":"+string(p.ID))
	}
	for _, i := range had {
		v.Subjects = append(v.Subjects, "identity:"+string(i.ID))
	}
	if v.Sealed, err = u.sealIdentities(v, had); err != nil {
		return Saved{}, err
	}
	if err := erasureErrands.save(u, &v); err != nil {
		return Saved{}, err
	}
	return Saved{ID: string(own.ID), Version: v.Version}, u.enqueueJob(jobErase, string(own.ID), eraseJob{own.ID})
}

// eraseMoved begins again for a contact that was erased while a link still had
// its ended conversations moved to it.
func (u *unit) eraseMoved(to conversation.ContactID) error {
	v, err := erasures.Get(u.ctx, u.tx, string(to))
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	v.State, v.Phase, v.N, v.Page = ErrandRunning, 0, 0, ""
	if err := erasureErrands.save(u, &v); err != nil {
		return err
	}
	return u.enqueueJob(jobErase, string(to), eraseJob{to})
}

// withoutWords is a text in which none of the words is read.
func withoutWords(text string, words []string) string {
	for _, w := range words {
		if n := utf8.RuneCountInString(w); n > 1 {
			text = strings.ReplaceAll(text, w, strings.Repeat("*", n))
		}
	}
	return text
}

func idTexts[T ~string](ids []T) (out []string) {
	for _, id := range ids {
		out = append(out, string(id))
	}
	return out
}

// maxPersons bounds the contacts that were merged into one.
const maxPersons = 1000

// personsOf are a contact and those that were merged into it.
func personsOf(ctx context.Context, tx store.Tx, c conversation.Contact) ([]conversation.Contact, error) {
	out := []conversation.Contact{c}
	for n := 0; n < len(out); n++ {
		merged, err := tx.Contacts().MergedInto(ctx, out[n].ID)
		if err != nil {
			return nil, err
		}
		for _, m := range merged {
			if !slices.ContainsFunc(out, func(o conversation.Contact) bool { return o.ID == m.ID }) {
				out = append(out, m)
			}
		}
		if len(out) > maxPersons {
			return nil, errs.New(errs.Unsupported, "sangdam: more than %d contacts were merged into contact %s", maxPersons, c.ID)
		}
	}
	return out, nil
}

// shownOpen is how much open work a refusal names.
const shownOpen = 20

// stillOpen is the persons' work that has to be ended first.
func stillOpen(ctx context.Context, tx store.Tx, persons []conversation.Contact) (chats []conversation.ID, tasks []ticket.ID, err error) {
	open := slices.DeleteFunc(conversation.States(), conversation.State.Closed)
	for _, p := range persons {
		list, _, err := tx.Conversations().List(ctx, conversation.Filter{Contact: p.ID, States: open}, "", shownOpen)
		if err != nil {
			return nil, nil, err
		}
		for _, c := range list {
			chats = append(chats, c.ID)
		}
		for after := ""; ; {
			page, err := tickets.List(ctx, tx, store.List[storedTicket]{Tag: withPerson, Value: store.Exact(string(p.ID)), After: after,
				Keep: func(t *storedTicket) bool { return t.State.Open() && t.MergedInto == "" }, Limit: shownOpen})
			if err != nil {
				return nil, nil, err
			}
			for _, t := range page.Items {
				tasks = append(tasks, t.ID)
			}
			if after = page.Next; after == "" || len(tasks) >= shownOpen {
				break
			}
		}
	}
	return chats[:min(len(chats), shownOpen)], tasks[:min(len(tasks), shownOpen)], nil
}

func erasurePlace(ws WorkspaceID, c conversation.ContactID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: kindErasure, Row: string(c), Column: "identities"}
}

func (u *unit) sealIdentities(v storedErasure, list []conversation.Identity) ([]byte, error) {
	if err := u.sealing(); err != nil {
		return nil, err
	}
	plain, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	return u.rest.Seal(erasurePlace(u.tx.Workspace(), v.Contact), plain)
}

// erasedIdentities are the identities as they were; none once it is done.
func (u *unit) erasedIdentities(v storedErasure) (out []conversation.Identity, err error) {
	if len(v.Sealed) == 0 {
		return nil, nil
	}
	if err := u.sealing(); err != nil {
		return nil, err
	}
	plain, err := u.rest.Open(erasurePlace(u.tx.Workspace(), v.Contact), v.Sealed)
	if err != nil {
		return nil, err
	}
	return out, json.Unmarshal(plain, &out)
}

var qPlanErasure = asks("contact.plan_erasure", "PlanErasure", kindContact, ActErase)

// PlanErasure tells what EraseContact would erase and which conversations and
// tickets must be ended first, for whoever may erase (ActErase). It counts up
// to 1,000 of each.
func (e *Engine) PlanErasure(ctx context.Context, p Principal, id conversation.ContactID) (out ErasurePlan, err error) {
	err = e.erasing(ctx, p, qPlanErasure, id, func(ctx context.Context, tx store.Tx, c conversation.Contact) error {
		out = ErasurePlan{Contact: c.ID, Version: c.Version}
		persons, err := personsOf(ctx, tx, c)
		if err != nil {
			return err
		}
		for _, who := range persons {
			list, err := tx.Contacts().Identities(ctx, who.ID)
			if err != nil {
				return err
			}
			out.Identities += len(slices.DeleteFunc(list, conversation.Identity.Erased))
			if err := countErased(ctx, tx, who.ID, &out); err != nil {
				return err
			}
		}
		if out.OpenConversations, out.OpenTickets, err = stillOpen(ctx, tx, persons); err != nil {
			return err
		}
		out.OpenConversations, out.OpenTickets = listed(out.OpenConversations), listed(out.OpenTickets)
		v, err := erasures.Get(ctx, tx, string(c.ID))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		out.Erasure = &v.Erasure
		return err
	})
	return out, err
}

// maxErasedCount is how far a plan counts.
const maxErasedCount = 1000

func countErased(ctx context.Context, tx store.Tx, id conversation.ContactID, out *ErasurePlan) error {
	for page := ""; !out.Conversations.AtLeast; {
		heads, next, err := tx.Conversations().Heads(ctx, conversation.Filter{Contact: id}, page, maxPage)
		if err != nil {
			return err
		}
		out.Conversations.N += len(heads)
		out.Conversations.AtLeast = next != "" && out.Conversations.N >= maxErasedCount
		if page = next; page == "" {
			break
		}
	}
	n, err := tickets.Count(ctx, tx, store.List[storedTicket]{Tag: withPerson, Value: store.Exact(string(id))}, maxErasedCount)
	out.Tickets.N += n
	out.Tickets.AtLeast = out.Tickets.AtLeast || n == maxErasedCount
	return err
}

var qErasure = asks("contact.erasure", "Erasure", kindContact, ActErase)

// Erasure tells how far the erasure of a contact is, for whoever may erase
// (ActErase). ErrNotFound when none was begun.
func (e *Engine) Erasure(ctx context.Context, p Principal, id conversation.ContactID) (out Erasure, err error) {
	err = e.erasing(ctx, p, qErasure, id, func(ctx context.Context, tx store.Tx, c conversation.Contact) error {
		v, err := erasures.Get(ctx, tx, string(c.ID))
		if errors.Is(err, ErrNotFound) {
			return noSuch(kindErasure)
		}
		out = v.Erasure
		return err
	})
	return out, err
}

// erasing reads what concerns a contact, for who may erase it.
func (e *Engine) erasing(ctx context.Context, p Principal, op *Operation, id conversation.ContactID,
	fn func(context.Context, store.Tx, conversation.Contact) error) error {
	if err := e.listable(ctx); err != nil {
		return err
	}
	return e.readContact(ctx, p, op, id, fn)
}

// erasureTold is what the feed tells of a record whose texts are gone.
func erasureTold(t ticket.Ticket, at time.Time) driver.Event {
	return driver.Event{Aggregate: kindTicket, ID: string(t.ID), Version: t.Entries, Kind: "erased", Actor: "system", At: at, Desk: t.Desk,
		Agent: t.Agent, Contact: t.Contact}
}

const jobErase = "contact_erasure"

type eraseJob struct {
	Contact conversation.ContactID `json:"contact"`
}

func init() {
	registerJob(jobKind{name: jobErase, workers: 1, bound: always(30 * time.Minute), tries: 50}, (*Engine).eraseJob,
		func(u *unit, p eraseJob, why error) error { return erasureErrands.givenUp(u, string(p.Contact), why) })
	registerPurge(erasureErrands.abandoned)
}

// eraseJob takes one step after the other, until the transaction that ends the job
// finds that nobody has begun again: else that would be absorbed by this very job.
func (e *Engine) eraseJob(ctx context.Context, j *runningJob, p eraseJob) error {
	if err := e.eraseSteps(ctx, j, p); err != nil {
		return err
	}
	return e.endWith(ctx, j, func(u *unit) error {
		v, err := erasures.Get(u.ctx, u.tx, string(p.Contact))
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil && v.State == ErrandRunning {
			err = errs.New(errs.Conflict, "sangdam: more of contact %s has come to be erased; the job goes on", p.Contact)
		}
		if err != nil {
			return err
		}
		return erasures.Guard(u.ctx, u.tx, &v)
	})
}

// eraseSteps takes the steps. The bytes of files go after the transaction that lets
// go of them; what a crash leaves is swept.
func (e *Engine) eraseSteps(ctx context.Context, j *runningJob, p eraseJob) error {
	return erasureErrands.run(e, ctx, j, string(p.Contact), func(ctx context.Context, v storedErasure) error {
		var released []string
		err := e.unit(ctx, system(j.Workspace), func(u *unit) error {
			v := v // the function may run twice
			v.Chats, v.Tasks, v.Subjects = slices.Clone(v.Chats), slices.Clone(v.Tasks), slices.Clone(v.Subjects)
			v.Handed = slices.Clone(v.Handed)
			u.erasing = true
			if err := u.eraseStep(&v); err != nil {
				return fmt.Errorf("sangdam: erasing contact %s: %w", v.Contact, err)
			}
			released = u.released
			return erasureErrands.save(u, &v)
		})
		if errors.Is(err, ErrStale) { // a row began to leave meanwhile: for a job this would mean that nothing is left to do
			return errs.New(errs.Conflict, "sangdam: erasing contact %s met a rival: %v", v.Contact, err)
		}
		if err != nil {
			return err
		}
		for _, name := range released {
			if e.cfg.Blobs != nil {
				e.dropBlob(ctx, name)
			}
		}
		return nil
	})
}
