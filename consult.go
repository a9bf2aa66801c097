package sangdam

import (
	"cmp"
	"context"
	"errors"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/transition"
	"github.com/sangdam/sangdam/store"
)

// A warm transfer: the owner of a conversation asks a colleague to take it over,
// and keeps it until the colleague has said yes. The question is a part of the
// conversation's row, so that of an answer, a withdrawal, an end and a time-out
// exactly one comes first on every store. A document for each question is found
// by whom it concerns, and is what is left of it.

// Times of a question to a colleague.
const (
	// consultFor is how long one colleague is asked where nobody says otherwise,
	// and consultAtLeast and consultAtMost bound it.
	consultFor     = 2 * time.Minute
	consultAtLeast = 10 * time.Second
	consultAtMost  = 30 * time.Minute
	// consultTurns is how many times that a question to a queue stands in all.
	consultTurns = 5
	// maxRefusal is the longest word for a no, in characters.
	maxRefusal = 40
)

var (
	opConsult = acts("consultation.ask", "Consult", kindConversation, ActTransfer)

	opAcceptConsultation   = acts("consultation.accept", "AcceptConsultation", kindConsultation, ActOffer)
	opDeclineConsultation  = acts("consultation.decline", "DeclineConsultation", kindConsultation, ActOffer)
	opWithdrawConsultation = acts("consultation.withdraw", "WithdrawConsultation", kindConversation, ActTransfer)
)

// Consult asks a colleague whether it takes a conversation over; the
// conversation is handed over only when the colleague says yes. It asks the
// Agent, or else the agents who work in the Queue or on the Desk, one after the
// other, in the order in which routing would offer it to them. Which queue and
// desk the conversation goes to is decided as in Transfer.
type Consult struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Agent        routing.AgentID `json:"agent,omitempty"`
	Queue        routing.QueueID `json:"queue,omitempty"`
	Desk         routing.DeskID  `json:"desk,omitempty"`
	// Note is an internal note that goes with the question and stays.
	Note string `json:"note,omitempty"`
	// For is how long each colleague is given to answer, 10 seconds to 30
	// minutes; 0: two minutes.
	For time.Duration `json:"for,omitempty"`
}

// Consult carries the command out. The owner stays the owner until a colleague
// accepts. A colleague who is asked may read the conversation and write notes
// in it until it has answered or its time is over. When all agents of the queue
// who are online have no free capacity, the question waits for the first who
// has some. ErrInvalid, with the reasons, for an agent who could not take the
// conversation (its capacity is looked at only when it accepts), for a queue or
// desk of which nobody is online, and for a conversation that no agent owns;
// ErrStale while a colleague is being asked already.
func (e *Engine) Consult(ctx context.Context, p Principal, c Consult) (conversation.Consultation, error) {
	return command(ctx, e, call{opConsult, p, c.Key, c}, func(u *unit) (conversation.Consultation, error) {
		d, err := u.draft(c.Conversation, ActTransfer)
		if err != nil {
			return conversation.Consultation{}, err
		}
		asked := conversation.Consultation{ID: newID(), Agent: c.Agent, For: c.For}
		if err := u.consultTarget(d, c, &asked); err != nil {
			return asked, err
		}
		if err := u.consultNote(d, c.Note, &asked); err != nil {
			return asked, err
		}
		if err := d.Consult(asked); err != nil {
			return asked, err
		}
		if c.Agent != "" {
			d.AskColleague(c.Agent, p.actor())
		} else if err := u.askNext(d, conversation.ConsultationExpired, "nobody"); err != nil {
			return asked, err
		}
		if d.C.Consultation.State != conversation.ConsultationOpen {
			return asked, errs.New(errs.Invalid, "sangdam: nobody else who works in queue %s is there to be asked; choose another one",
				asked.Queue)
		}
		u.detail("consultation", asked.ID)
		return *d.C.Consultation, nil
	})
}

// consultNote keeps what the owner wrote to whom is asked.
func (u *unit) consultNote(d *draft.Draft, text string, asked *conversation.Consultation) error {
	if text == "" {
		return nil
	}
	m, err := u.note(d, text)
	asked.Note = m.ID
	return err
}

// consultTarget checks whom and for how long, and says where a yes leads.
func (u *unit) consultTarget(d *draft.Draft, c Consult, asked *conversation.Consultation) error {
	switch {
	case (c.Agent == "") == (c.Queue == "" && c.Desk == ""):
		return errs.New(errs.Invalid, "sangdam: a question before a transfer names either an agent, or a queue or a desk")
	case c.For != 0 && (c.For < consultAtLeast || c.For > consultAtMost):
		return errs.New(errs.Invalid, "sangdam: a colleague is asked for %s to %s, not for %s", consultAtLeast, consultAtMost, c.For)
	}
	if asked.For == 0 {
		asked.For = consultFor
	}
	it, err := u.tx.Work().Item(u.ctx, routing.ItemID(c.Conversation))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if c.Agent == "" {
		asked.Ends = u.tx.Now().Add(consultTurns * asked.For)
		asked.Queue, asked.Desk, err = u.transferTarget(d, it.Queue, Transfer{Queue: c.Queue, Desk: c.Desk})
		u.detail("queue", string(asked.Queue))
		return err
	}
	u.detail("agent", string(c.Agent))
	asked.Ends = u.tx.Now().Add(asked.For)
	return u.mayBeAsked(it, c.Agent)
}

// mayBeAsked refuses a colleague who could not take the item over.
func (u *unit) mayBeAsked(it routing.Item, agent routing.AgentID) error {
	a, err := u.tx.Agents().Agent(u.ctx, agent)
	if errors.Is(err, ErrNotFound) {
		return noSuch(kindAgent)
	}
	if err != nil {
		return err
	}
	if why := u.excluded(it, a, false); len(why) > 0 {
		return errs.New(errs.Invalid, "sangdam: agent %s cannot take this conversation: %v", agent, why)
	}
	return nil
}

// AcceptConsultation says yes to a question that another agent asked with
// Consult: the conversation is handed over to the colleague who was asked.
type AcceptConsultation struct {
	Key          Key    `json:"-"`
	Consultation string `json:"consultation"`
}

// AcceptConsultation carries the command out in one transaction, so that the
// conversation always has exactly one owner. A question that was withdrawn or
// answered, or whose time is over, is a *routing.Refused (ErrStale), and so is
// a yes of an agent whose capacity is full; other errors are those of Pick.
// After a refused yes the question is still open.
func (e *Engine) AcceptConsultation(ctx context.Context, p Principal, c AcceptConsultation) (Owned, error) {
	return command(ctx, e, call{opAcceptConsultation, p, c.Key, c}, func(u *unit) (Owned, error) {
		d, asked, err := u.answering(c.Consultation)
		if err != nil {
			return Owned{}, err
		}
		now := u.tx.Now()
		if !now.Before(asked.Until) {
			return Owned{}, &routing.Refused{Check: "expired", Detail: "the time for an answer is over"}
		}
		if asked.Queue != "" {
			it, err := u.tx.Work().Item(u.ctx, routing.ItemID(d.C.ID))
			if err != nil {
				return Owned{}, err
			}
			if _, err := u.tx.Work().SaveItem(u.ctx, transition.Redirected(it, asked.Queue, asked.Desk, now)); err != nil {
				return Owned{}, err
			}
		}
		return u.give(d.C.ID, asked.Agent, give{from: true, reason: routing.EndTransferred, consulted: asked.ID})
	})
}

// DeclineConsultation says no to a question that another agent asked with
// Consult. The owner keeps the conversation; where a queue or a desk was asked,
// its next agent is asked.
type DeclineConsultation struct {
	Key          Key    `json:"-"`
	Consultation string `json:"consultation"`
	// Reason is a word for the owner, such as "busy"; not a text.
	Reason string `json:"reason,omitempty"`
}

// DeclineConsultation carries the command out; errors as for AcceptConsultation.
func (e *Engine) DeclineConsultation(ctx context.Context, p Principal, c DeclineConsultation) error {
	_, err := command(ctx, e, call{opDeclineConsultation, p, c.Key, c}, func(u *unit) (struct{}, error) {
		if n := utf8.RuneCountInString(c.Reason); n > maxRefusal {
			return struct{}{}, errs.New(errs.Invalid, "sangdam: the reason for a no has %d characters; use a word of at most %d",
				n, maxRefusal)
		}
		d, _, err := u.answering(c.Consultation)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, u.passOn(d, conversation.ConsultationDeclined, c.Reason)
	})
	return err
}

// WithdrawConsultation takes back a question that was asked with Consult.
type WithdrawConsultation struct {
	Key          Key    `json:"-"`
	Consultation string `json:"consultation"`
}

// WithdrawConsultation carries the command out, for whoever may transfer the
// conversation. A question that has ended already is a *routing.Refused
// (ErrStale).
func (e *Engine) WithdrawConsultation(ctx context.Context, p Principal, c WithdrawConsultation) error {
	_, err := command(ctx, e, call{opWithdrawConsultation, p, c.Key, c}, func(u *unit) (struct{}, error) {
		kept, err := u.consultation(c.Consultation)
		if err != nil {
			return struct{}{}, err
		}
		d, err := u.draft(kept.Conversation, ActTransfer)
		if errors.Is(err, ErrNotFound) {
			err = noSuch(kindConsultation)
		}
		if err != nil {
			return struct{}{}, err
		}
		if _, err := open(d, c.Consultation); err != nil {
			return struct{}{}, err
		}
		d.EndConsultation(conversation.ConsultationWithdrawn, "", p.actor())
		return struct{}{}, nil
	})
	return err
}

// consultation reads what is kept of a question.
func (u *unit) consultation(id string) (storedConsultation, error) {
	u.resource = Resource{Kind: kindConsultation, ID: id}
	kept, err := consultations.Get(u.ctx, u.tx, id)
	if errors.Is(err, ErrNotFound) {
		return kept, noSuch(kindConsultation)
	}
	return kept, err
}

// answering loads the conversation of a question for whoever is asked, who alone
// answers it, or for who may speak for agents and see the conversation. To a policy it is an offer on the desk where it leads.
func (u *unit) answering(id string) (*draft.Draft, conversation.Consultation, error) {
	kept, err := u.consultation(id)
	if err != nil {
		return nil, kept.Consultation, err
	}
	d, err := u.conversation(kept.Conversation)
	if err != nil {
		return nil, kept.Consultation, err
	}
	r := conversationResource(d.C)
	if by := u.p.agent(); by == "" || by != kept.Agent && !kept.was(by) {
		w, err := u.acting()
		if err != nil {
			return nil, kept.Consultation, err
		}
		if ok, err := u.e.sees(u.ctx, w, r); err != nil || !ok {
			return nil, kept.Consultation, cmp.Or(err, noSuch(kindConsultation))
		}
	}
	r.Kind, r.ID, r.Owner = kindConsultation, id, kept.Agent
	if kept.Desk != "" {
		r.Desk = kept.Desk
	}
	if kept.was(u.p.agent()) {
		r.Owner = u.p.agent() // who is told that it is somebody else's turn now
	}
	if err := u.allow(ActOffer, r); err != nil {
		return nil, kept.Consultation, err
	}
	asked, err := open(d, id)
	if err == nil && (asked.Agent == "" || r.Owner != asked.Agent) {
		err = &routing.Refused{Check: "consultation", Detail: "somebody else is asked now"}
	}
	return d, asked, err
}

// open refuses a question that is no longer the conversation's open one.
func open(d *draft.Draft, id string) (conversation.Consultation, error) {
	c := d.C.Consultation
	switch {
	case c == nil || c.ID != id:
		return conversation.Consultation{}, &routing.Refused{Check: "consultation", Detail: "the question is over"}
	case c.State != conversation.ConsultationOpen:
		return *c, &routing.Refused{Check: "consultation", Detail: "the question is over: " + string(c.State)}
	}
	return *c, nil
}

// storedConsultation is what is found, and kept, of a question.
type storedConsultation struct {
	conversation.Consultation
	Version int64 `json:"-"`
	// Decisions say why each of a queue was asked.
	Decisions []routing.Decision `json:"decisions,omitempty"`
}

// was says that the agent's turn is over.
func (c *storedConsultation) was(a routing.AgentID) bool {
	for _, b := range c.Before {
		if b == a && a != "" {
			return true
		}
	}
	return false
}

// How questions are found.
const (
	consultationAsked = "asked" // of an agent, while it is open
	consultationBy    = "by"    // of the owner, while it is open
	consultationOf    = "conversation"
	consultationEnded = "ended"
)

var consultations = declare(store.Kind[storedConsultation]{Name: kindConsultation,
	ID:      func(c *storedConsultation) string { return c.ID },
	Version: func(c *storedConsultation) *int64 { return &c.Version },
	Indexes: []store.Index[storedConsultation]{{Name: consultationEnded, Value: func(c *storedConsultation) []byte {
		if c.EndedAt.IsZero() {
			return nil
		}
		return store.Time(c.EndedAt)
	}}},
	Tags: []store.TagIndex[storedConsultation]{
		{Name: consultationAsked, Order: consultedAt, Values: func(c *storedConsultation) [][]byte { return c.whileOpen(c.Agent) }},
		{Name: consultationBy, Order: consultedAt, Values: func(c *storedConsultation) [][]byte { return c.whileOpen(c.By) }},
		{Name: consultationOf, Order: consultedAt, Values: func(c *storedConsultation) [][]byte { return one(string(c.Conversation)) }},
	}})

func consultedAt(c *storedConsultation) []byte { return store.Time(c.At) }

func (c *storedConsultation) whileOpen(a routing.AgentID) [][]byte {
	if c.State != conversation.ConsultationOpen {
		return nil
	}
	return one(string(a))
}

func init() {
	registerPurge(func(e *Engine, ctx context.Context, tx store.Tx) (int, error) {
		return purgeOld(ctx, tx, consultations, consultationEnded, e.cfg.KeepKeys)
	})
	registerDeadline(dueConsult, deadlineKind{run: func(u *unit, id string) error { return u.consultDue(conversation.ID(id)) }})
}

// consultationsOf lists questions by a tag, oldest first.
func consultationsOf(ctx context.Context, tx store.Tx, tag, value string) ([]storedConsultation, error) {
	if value == "" {
		return nil, nil
	}
	page, err := consultations.List(ctx, tx, store.List[storedConsultation]{Tag: tag, Value: store.Exact(value), Limit: maxPage})
	return page.Items, err
}

// keepConsultation writes what is kept of a conversation's question, if the unit
// changed it, and when it has to be looked at again.
func (u *unit) keepConsultation(d *draft.Draft) error {
	now := d.C.Consultation
	if now == nil || now == d.Was().Consultation {
		return nil
	}
	kept, err := consultations.Get(u.ctx, u.tx, now.ID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	kept.Consultation = *now
	kept.Decisions = append(kept.Decisions, u.consulted...)
	u.consulted = nil
	if err := consultations.Save(u.ctx, u.tx, &kept); err != nil {
		return err
	}
	id := string(d.C.ID)
	switch {
	case now.State != conversation.ConsultationOpen:
		return u.tx.Deadlines().Clear(u.ctx, dueConsult, id)
	case now.Agent == "":
		return u.tx.Deadlines().Set(u.ctx, dueConsult, id, d.Now().Add(consultAgain))
	}
	return u.tx.Deadlines().Set(u.ctx, dueConsult, id, now.Until)
}
