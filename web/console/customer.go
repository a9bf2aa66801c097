package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/ticket"
)

// panelView is what stands beside a thread: who the customer is.
type panelView struct {
	Contact    *conversation.Contact
	Identities []identityView
	Past       []rowView
	Tickets    []ticketRow
	Attributes []choice
	Categories []choice // of chats
	Memo       string
	Version    int64
	CanLink    bool
	CanErase   bool
	Erased     string // when everything personal was; "" for not
	LinkedFrom string // the contact that a link was made from just now
	LinkedName string
}

type identityView struct {
	Kind, Name string
	Follows    string // yes, no, or "" for unknown
}

// panel reads what is known of the customer. What may not be seen is left out,
// and trouble with it leaves the thread as it is.
func (q *request) panel(d *sangdam.Directory, detail sangdam.Detail) panelView {
	c, was := detail.Conversation, q.leftWord()
	v := panelView{Contact: detail.Contact, Memo: c.Memo, Version: c.PanelVersion, Tickets: q.ticketsOf(d, c.ID),
		CanLink: detail.Contact != nil && linkedBy(detail) != "", LinkedFrom: was.LinkedFrom, LinkedName: was.LinkedName}
	if set, err := q.engine.TicketSetup(q.r.Context(), q.p); err == nil { // without it there is no choice
		v.Categories = q.categoryChoices(set.Trees[ticket.ChatResolution], ticket.CategoryID(c.Category))
	}
	v.Identities = identityViews(detail.Identities)
	for _, name := range sortedKeys(c.Attributes) {
		v.Attributes = append(v.Attributes, choice{Value: q.lang.of("attribute", name), Label: c.Attributes[name]})
	}
	if c.Language != "" {
		v.Attributes = append(v.Attributes, choice{Value: q.lang.t("panel.language"), Label: c.Language})
	}
	if detail.Contact == nil {
		return v
	}
	v.CanErase, v.Erased = q.may(sangdam.ActErase) == nil, q.full(detail.Contact.ErasedAt)
	v.CanLink = v.CanLink && v.Erased == ""
	summary, err := q.engine.CustomerSummary(q.r.Context(), q.p, detail.Contact.ID)
	if err != nil {
		return v
	}
	past := slices.DeleteFunc(summary.Conversations, func(p conversation.Conversation) bool { return p.ID == c.ID })
	v.Past, _ = q.rowViews(d, past[:min(len(past), 20)], "all", "") // what failed is left out
	return v
}

// identityViews shows by which channels a customer is known.
func identityViews(all []conversation.Identity) (out []identityView) {
	for _, i := range all {
		iv := identityView{Kind: string(i.Kind), Name: i.Name}
		if i.Follows != nil {
			iv.Follows = map[bool]string{true: "yes", false: "no"}[*i.Follows]
		}
		out = append(out, iv)
	}
	return out
}

// savePanel keeps what was written into the panels, if nobody else changed them
// meanwhile.
func (q *request) savePanel() error {
	c := sangdam.SavePanel{Key: q.key(), Conversation: q.chosen(), Version: q.number("panel_version"),
		Category: ticket.CategoryID(q.value("category")), Memo: q.r.PostFormValue("note")}
	if q.r.PostFormValue("version") != "" {
		c.Contact = &sangdam.ContactPanel{Version: q.number("version"), Name: q.value("name"), Email: q.value("email"),
			Phone: q.value("phone"), Memo: q.r.PostFormValue("memo")}
	}
	if _, err := q.engine.SavePanel(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/conversations/" + url.PathEscape(string(q.chosen())) + "?view=" + q.viewOf())
}

// linkPageView is the page on which an unknown customer is found among those who are
// known.
type linkPageView struct {
	Conversation, Name, Identity, From, FromName string
	Text                                         string
	Found                                        []conversation.Contact
	Asked                                        bool
}

// linkedBy is the identity by which the conversation's customer is linked.
func linkedBy(detail sangdam.Detail) conversation.IdentityID { return detail.Conversation.Identity }

func (q *request) linkPage() error {
	detail, err := q.engine.Conversation(q.r.Context(), q.p, q.chosen())
	if err != nil {
		return err
	}
	if detail.Contact == nil || linkedBy(detail) == "" {
		return errNoPage
	}
	v := linkPageView{Conversation: string(q.chosen()), Name: q.customer(detail.Conversation, detail.Contact.Name),
		Identity: string(linkedBy(detail)),
		From:     string(detail.Contact.ID), FromName: detail.Contact.Name, Text: strings.TrimSpace(q.r.FormValue("q")),
		Asked: q.r.FormValue("q") != ""}
	if v.Text != "" {
		found, err := q.engine.FindContacts(q.r.Context(), q.p, v.Text, 30)
		if err != nil {
			return err
		}
		v.Found = slices.DeleteFunc(found, func(c conversation.Contact) bool { return c.ID == detail.Contact.ID })
	}
	q.page(http.StatusOK, "link", q.lang.t("link.title"), "conversations", v)
	return nil
}

// link says that the customer is somebody who is known already, or is made known
// just now, or takes that back: whoever was merged away by the link is made anew.
func (q *request) link() error {
	ctx := q.r.Context()
	detail, err := q.engine.Conversation(ctx, q.p, q.chosen())
	if err != nil {
		return err
	}
	to := conversation.ContactID(q.value("contact"))
	if q.checked("make") {
		made, err := q.engine.SaveContact(ctx, q.p, sangdam.SaveContact{Key: q.partKey("contact"), Contact: conversation.Contact{
			Name: q.value("name"), Email: q.value("email"), Phone: q.value("phone"), Language: detail.Conversation.Language}})
		if err != nil {
			return err
		}
		to = made.Contact
	}
	back := "/conversations/" + url.PathEscape(string(q.chosen()))
	var linked word
	if q.checked("undo") {
		if to, err = q.formerContact(to); err != nil {
			return err
		}
	} else if detail.Contact != nil {
		linked = word{LinkedFrom: string(detail.Contact.ID), LinkedName: detail.Contact.Name}
	}
	c := sangdam.LinkIdentity{Key: q.partKey("link"), Identity: linkedBy(detail), Contact: to}
	if _, err := q.engine.LinkIdentity(ctx, q.p, c); err != nil {
		return err
	}
	q.tell(back, linked)
	return q.done(back)
}

// formerContact is the contact that a link was made from; one that was merged
// away by it is made anew, under its name.
func (q *request) formerContact(id conversation.ContactID) (conversation.ContactID, error) {
	c, _, err := q.engine.Contact(q.r.Context(), q.p, id)
	if err == nil && c.ID == id && c.MergedInto == "" {
		return id, nil
	}
	if err != nil && !errors.Is(err, sangdam.ErrNotFound) {
		return "", err
	}
	made, err := q.engine.SaveContact(q.r.Context(), q.p, sangdam.SaveContact{Key: q.partKey("contact"),
		Contact: conversation.Contact{Name: q.value("name")}})
	return made.Contact, err
}
