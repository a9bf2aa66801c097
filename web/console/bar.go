package console

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// barView is the agent's own part of every page: presence, offers, counts.
type barView struct {
	IsAgent  bool
	Name     string
	Presence string
	Offers   []offerView
	Mine     int
	Unread   int
	Now      string
}

// Calls is how much waits for the agent: offers, and conversations in which the
// customer wrote last.
func (v barView) Calls() int { return len(v.Offers) + v.Unread }

// offerView is an offer with what one wants to know before taking it.
type offerView struct {
	ID, Conversation string
	Name, Initial    string
	Tint             int
	Kind, Account    string
	Queue            string
	Preview          string
	Waited           string
	Until            string // RFC 3339
	Seconds          int    // that the offer stands in all
	Entry            string // the page, or other place, that the customer came from
	Past             int    // earlier conversations, as far as they may be seen; -1 where nobody counts
	Path             string // below which it is answered
	// Of a question whether to take a conversation over: who asks, what the note
	// says, and where it can be read.
	AskedBy, Note, Read string
}

// bar is the part alone, for the page's script.
func (q *request) bar() error {
	q.part(http.StatusOK, "bar", q.barView())
	return nil
}

// barView never fails a page: without it the page is still good.
func (q *request) barView() barView {
	v := barView{IsAgent: q.p.Kind == sangdam.KindAgent, Now: q.now.UTC().Format(time.RFC3339Nano), Presence: string(routing.Offline)}
	d, err := q.directory()
	if err != nil || !v.IsAgent {
		return v
	}
	me := routing.AgentID(q.p.ID)
	for _, a := range d.Agents {
		if a.ID == me {
			v.Name, v.Presence = a.Name, string(a.Presence)
		}
	}
	if v.Presence == "" {
		v.Presence = string(routing.Offline)
	}
	held, err := q.engine.Held(q.r.Context(), q.p, me)
	if err != nil {
		return v
	}
	v.Mine = len(held.Assignments)
	for _, o := range held.Offers {
		if ov, err := q.offerView(d, o); err == nil {
			v.Offers = append(v.Offers, ov)
		}
	}
	for _, c := range held.Consultations {
		if ov, err := q.askedView(d, c); err == nil {
			v.Offers = append(v.Offers, ov)
		}
	}
	active := conversation.Filter{Agent: me, States: []conversation.State{conversation.StateActive}}
	mine, err := q.engine.Conversations(q.r.Context(), q.p, active, "", 100)
	if err != nil {
		return v
	}
	for _, c := range mine.Conversations {
		if c.Unread > 0 {
			v.Unread++
		}
	}
	return v
}

func (q *request) offerView(d *sangdam.Directory, o routing.Offer) (offerView, error) {
	if s := o.Item.Subject(); s.Kind == routing.SubjectTicket {
		return q.ticketOffer(ticket.ID(s.ID), o)
	}
	detail, err := q.engine.Conversation(q.r.Context(), q.p, conversation.ID(o.Item))
	if err != nil {
		return offerView{}, err
	}
	v := q.cardOf(d, detail)
	v.stands(o.OfferedAt, o.ExpiresAt)
	v.ID, v.Path = string(o.ID), "/offers/"+string(o.ID)
	if detail.Item != nil {
		v.Queue, v.Waited = d.Queues[detail.Item.Queue], q.since(detail.Item.QueuedAt)
	}
	return v, nil
}

// stands says for how long the card does.
func (v *offerView) stands(from, until time.Time) {
	v.Until, v.Seconds = until.UTC().Format(time.RFC3339Nano), max(int(until.Sub(from).Seconds()), 1)
}

// cardOf is what one wants to know of a conversation before taking it.
func (q *request) cardOf(d *sangdam.Directory, detail sangdam.Detail) offerView {
	c := detail.Conversation
	name := q.lang.t("customer.unknown")
	if detail.Contact != nil && detail.Contact.Name != "" {
		name = detail.Contact.Name
	}
	v := offerView{Conversation: string(c.ID), Name: name, Initial: initial(name), Tint: tintOf(c), Kind: string(c.Channel),
		Account: d.Accounts[c.Account].Name, Preview: c.Preview, Entry: c.Attributes["entry"], Past: -1}
	if c.Contact != "" {
		if n, err := q.engine.CountConversations(q.r.Context(), q.p, conversation.Filter{Contact: c.Contact}, 0); err == nil {
			v.Past = max(n.N-1, 0)
		}
	}
	for _, m := range slices.Backward(detail.Messages) { // the customer's words, not ours
		if m.Direction == conversation.Inbound {
			v.Preview = conversation.Preview(m.Content)
			break
		}
	}
	return v
}

// ticketOffer is the offer of a ticket.
func (q *request) ticketOffer(id ticket.ID, o routing.Offer) (offerView, error) {
	detail, err := q.engine.Ticket(q.r.Context(), q.p, id)
	if err != nil {
		return offerView{}, err
	}
	t := detail.Ticket
	name := cmp.Or(t.Requester.Name, t.Requester.Email, q.lang.t("customer.unknown"))
	v := offerView{ID: string(o.ID), Name: name, Initial: initial(name), Kind: "ticket", Account: fmt.Sprintf("#%d", t.Number),
		Preview: t.Title, Waited: q.since(t.CreatedAt), Past: -1, Path: "/offers/" + string(o.ID)}
	v.stands(o.OfferedAt, o.ExpiresAt)
	return v, nil
}

// setPresence switches the agent's own presence.
func (q *request) setPresence() error {
	err := q.engine.SetPresence(q.r.Context(), q.p, sangdam.SetPresence{Key: q.key(), Agent: routing.AgentID(q.p.ID),
		Presence: routing.Presence(q.r.PostFormValue("presence"))})
	if err != nil {
		return err
	}
	if q.swaps() {
		return q.bar()
	}
	return q.done(q.back("/conversations"))
}

func (q *request) accept() error {
	owned, err := q.engine.Accept(q.r.Context(), q.p, sangdam.Accept{Key: q.key(), Offer: routing.OfferID(q.r.PathValue("id"))})
	if err != nil {
		return err
	}
	if owned.Ticket != "" {
		return q.done("/tickets/" + string(owned.Ticket))
	}
	return q.done("/conversations/" + string(owned.Conversation) + "?view=mine")
}

func (q *request) decline() error {
	err := q.engine.Decline(q.r.Context(), q.p, sangdam.Decline{Key: q.key(), Offer: routing.OfferID(q.r.PathValue("id")),
		Reason: "declined"})
	if err != nil {
		return err
	}
	if q.swaps() {
		return q.bar()
	}
	return q.done(q.back("/conversations"))
}
