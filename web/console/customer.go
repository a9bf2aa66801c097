package console

import (
	"net/url"
	"slices"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
)

// panelView is what stands beside a thread: who the customer is.
type panelView struct {
	Contact    *conversation.Contact
	Identities []identityView
	Past       []rowView
	Tickets    []ticketRow
	Attributes []choice
	Category   string
	Memo       string
	Seq        int64
}

type identityView struct {
	Kind, Name string
	Follows    string // yes, no, or "" for unknown
}

// panel reads what is known of the customer. What may not be seen is left out,
// and trouble with it leaves the thread as it is.
func (q *request) panel(d *sangdam.Directory, detail sangdam.Detail) panelView {
	c := detail.Conversation
	v := panelView{Contact: detail.Contact, Category: c.Category, Memo: c.Memo, Tickets: q.ticketsOf(d, c.ID)}
	for _, i := range detail.Identities {
		iv := identityView{Kind: string(i.Kind), Name: i.Name}
		if i.Follows != nil {
			iv.Follows = map[bool]string{true: "yes", false: "no"}[*i.Follows]
		}
		v.Identities = append(v.Identities, iv)
	}
	for _, name := range sortedKeys(c.Attributes) {
		v.Attributes = append(v.Attributes, choice{Value: name, Label: c.Attributes[name]})
	}
	if detail.Contact == nil {
		return v
	}
	summary, err := q.engine.CustomerSummary(q.r.Context(), q.p, detail.Contact.ID)
	if err != nil {
		return v
	}
	past := slices.DeleteFunc(summary.Conversations, func(p conversation.Conversation) bool { return p.ID == c.ID })
	v.Past, _ = q.rowViews(d, past[:min(len(past), 20)], "all", "") // what failed is left out
	return v
}

// saveContact keeps what was written into the panel, if nobody else changed the
// contact meanwhile.
func (q *request) saveContact() error {
	id := conversation.ContactID(q.r.PathValue("id"))
	c, _, err := q.engine.Contact(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	for field, into := range map[string]*string{"name": &c.Name, "email": &c.Email, "phone": &c.Phone, "memo": &c.Memo} {
		v := q.r.PostFormValue(field)
		if len(v) > 4000 {
			return errs.New(errs.Invalid, "console: %s has more than 4000 bytes", q.lang.t("contact."+field))
		}
		*into = v
	}
	saved := sangdam.SaveContact{Key: q.key(), Contact: c, Version: q.number("version")}
	if _, err := q.engine.SaveContact(q.r.Context(), q.p, saved); err != nil {
		return err
	}
	return q.done("/conversations/" + url.PathEscape(q.r.PostFormValue("conversation")) + "?view=" + q.viewOf())
}
