package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
)

// Erasing a customer: a page says what goes, what stays and what has to be ended
// first, asks for the reason and once more, and shows how far it is.

// erasureView is the page.
type erasureView struct {
	ID, Name   string
	Version    int64
	Identities int
	// Chats and Tickets are how much there is; Open what hinders.
	Chats, Tickets string
	Open           []choice
	Live           erasureLive
}

// erasureLive is the part that follows the work.
type erasureLive struct {
	ID, State, At, Failed                            string
	Conversations, Messages, Files, Tickets, Notices int
	Beyond                                           []string
}

func (q *request) erasurePage() error {
	id := conversation.ContactID(q.r.PathValue("id"))
	plan, err := q.engine.PlanErasure(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	c, _, err := q.engine.Contact(q.r.Context(), q.p, plan.Contact)
	if err != nil {
		return err
	}
	v := erasureView{ID: string(plan.Contact), Name: c.Name, Version: plan.Version, Identities: plan.Identities,
		Chats: q.counted("erase.conversations", plan.Conversations), Tickets: q.counted("erase.tickets", plan.Tickets),
		Live: q.erasureLive(plan.Contact, plan.Erasure)}
	if v.Name == "" {
		v.Name = q.lang.t("panel.label")
	}
	for _, chat := range plan.OpenConversations {
		v.Open = append(v.Open, choice{Value: "/conversations/" + url.PathEscape(string(chat)), Label: q.lang.t("nav.conversations")})
	}
	for _, task := range plan.OpenTickets {
		v.Open = append(v.Open, choice{Value: "/tickets/" + url.PathEscape(string(task)), Label: q.lang.t("nav.tickets")})
	}
	q.page(http.StatusOK, "erasure", q.lang.t("erase.title"), "conversations", v)
	return nil
}

// counted says how many there are of what the text names.
func (q *request) counted(text string, n sangdam.Count) string {
	s := q.lang.t(text, n.N)
	if n.AtLeast {
		return q.lang.t("erase.at_least", s)
	}
	return s
}

func (q *request) erasureLive(id conversation.ContactID, e *sangdam.Erasure) erasureLive {
	v := erasureLive{ID: string(id)}
	if e == nil {
		return v
	}
	v.State, v.At, v.Failed = string(e.State), q.full(e.EndedAt), e.Failed
	v.Conversations, v.Messages, v.Files, v.Tickets, v.Notices = e.Conversations, e.Messages, e.Files, e.Tickets, e.Notices
	for _, b := range e.Beyond {
		var args []any
		switch b.What {
		case "notices":
			args = []any{b.Count}
		case "handed_over":
			args = []any{b.Count, strings.Join(b.Records, ", ")}
		case "conversation_backup":
			args = []any{b.Count, q.full(b.Until)}
		case "plumbing":
			args = []any{q.full(b.Until)}
		}
		v.Beyond = append(v.Beyond, q.lang.t("erase.beyond."+b.What, args...))
	}
	return v
}

// erasure is the live part alone, for the page's script.
func (q *request) erasure() error {
	plan, err := q.engine.PlanErasure(q.r.Context(), q.p, conversation.ContactID(q.r.PathValue("id")))
	if err != nil {
		return err
	}
	q.part(http.StatusOK, "erasure-live", q.erasureLive(plan.Contact, plan.Erasure))
	return nil
}

// erase has the customer erased.
func (q *request) erase() error {
	id := conversation.ContactID(q.r.PathValue("id"))
	c := sangdam.EraseContact{Key: q.key(), Contact: id, Version: q.number("version"), Reason: q.value("reason")}
	if _, err := q.engine.EraseContact(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/contacts/" + url.PathEscape(string(id)) + "/erase")
}
