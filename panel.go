package sangdam

import (
	"context"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
)

// SavePanel saves the panels beside a conversation (CV5): its resolution category
// and memo, and what is known of the customer. It may be saved while the
// conversation lasts and after it.
type SavePanel struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	// Version is Conversation.PanelVersion as the caller read it. Messages do
	// not raise it.
	Version int64 `json:"version"`
	// Category is one of the tree of chats (ticket.ChatResolution); empty: none.
	Category ticket.CategoryID `json:"category,omitempty"`
	Memo     string            `json:"memo,omitempty"`
	// Contact is what is known of the customer; nil leaves it as it is.
	Contact *ContactPanel `json:"contact,omitempty"`
}

// ContactPanel is what the customer panel shows and changes of a contact. The
// contact's other fields stay as they are; an empty field here empties the
// contact's.
type ContactPanel struct {
	// Version of the contact that was shown.
	Version int64  `json:"version"`
	Name    string `json:"name,omitempty"`
	Email   string `json:"email,omitempty"`
	Phone   string `json:"phone,omitempty"`
	Memo    string `json:"memo,omitempty"`
}

// PanelSaved is the result of SavePanel: the versions of the conversation's
// panel and of the contact, for the next SavePanel.
type PanelSaved struct {
	Version int64 `json:"version"`
	Contact int64 `json:"contact,omitempty"`
}

// maxMemo is the longest memo in bytes.
const maxMemo = 10_000

// SavePanel carries the command out, all of it or nothing. To change the
// customer's fields needs the right on the contact too (ActContact). ErrStale
// when somebody else has saved one of the panels meanwhile, ErrInvalid for a
// category that is not in the tree of chats.
func (e *Engine) SavePanel(ctx context.Context, p Principal, c SavePanel) (PanelSaved, error) {
	return command(ctx, e, call{opSavePanel, p, c.Key, c}, func(u *unit) (PanelSaved, error) {
		d, err := u.draft(c.Conversation, ActPanel)
		if err != nil {
			return PanelSaved{}, err
		}
		if d.C.PanelVersion != c.Version {
			return PanelSaved{}, errs.New(errs.Stale, "sangdam: the panel of conversation %s was saved by somebody else; read it again",
				c.Conversation)
		}
		if len(c.Memo) > maxMemo {
			return PanelSaved{}, errs.New(errs.Invalid, "sangdam: the memo has %d bytes; use at most %d", len(c.Memo), maxMemo)
		}
		s, err := u.ticketSetup()
		if err != nil {
			return PanelSaved{}, err
		}
		if c.Category != "" && s.Trees[ticket.ChatResolution].Level(c.Category) == 0 {
			return PanelSaved{}, errs.New(errs.Invalid, "sangdam: there is no resolution category %s for chats", c.Category)
		}
		d.SetPanel(string(c.Category), c.Memo, u.actor())
		out := PanelSaved{Version: d.C.PanelVersion}
		if c.Contact != nil {
			if out.Contact, err = u.saveContactPanel(d.C.Contact, *c.Contact); err != nil {
				return PanelSaved{}, err
			}
			u.resource, u.action = conversationResource(d.C), ActPanel
		}
		return out, nil
	})
}

func (u *unit) saveContactPanel(id conversation.ContactID, c ContactPanel) (int64, error) {
	if id == "" {
		return 0, errs.New(errs.Invalid, "sangdam: this conversation has no customer whose panel could be saved")
	}
	if len(c.Memo) > maxMemo {
		return 0, errs.New(errs.Invalid, "sangdam: the memo has %d bytes; use at most %d", len(c.Memo), maxMemo)
	}
	old, err := u.contact(id, ActContact)
	if err != nil {
		return 0, err
	}
	if old.Version != c.Version || old.MergedInto != "" {
		return 0, errs.New(errs.Stale, "sangdam: contact %s has changed; load it again", id)
	}
	want := *old
	want.Name, want.Email, want.Phone, want.Memo, want.Known = c.Name, c.Email, c.Phone, c.Memo, true
	saved, err := u.withDesks(old, old.Desks, want)
	return saved.Version, err
}
