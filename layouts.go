package sangdam

import (
	"cmp"
	"errors"
	"maps"
	"slices"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// What people write for mails follows the workspace's editor type: the layouts
// about tickets, those in the settings of accounts whose adapter has any, and the
// mails of triggers. A change of the type changes none of them. What was saved in
// the other form stays in use, is told as a warning, and may be saved again as it
// is with what stands beside it.

// form is the one in which layouts are written.
func (s WorkspaceSettings) form() Editor { return cmp.Or(s.Editor, EditorHTML) }

// layoutForm is the form of a layout.
func layoutForm(l notify.Layout) Editor {
	if l.Plain != "" {
		return EditorText
	}
	return EditorHTML
}

// editorType is the workspace's, as the transaction sees it.
func (u *unit) editorType() (Editor, error) {
	s, err := only(u.ctx, u.tx, workspaceSettings, nil)
	return s.form(), err
}

// otherForm refuses what is not in the workspace's form.
func otherForm(what string, wanted Editor) error {
	if wanted == EditorText {
		return errs.New(errs.Invalid, "sangdam: %s is HTML, and the editor type of this workspace is text: write it as plain text, "+
			"or set the editor type to html in the workspace settings", what)
	}
	return errs.New(errs.Invalid, "sangdam: %s is plain text, and the editor type of this workspace is html: write it as HTML, "+
		"or set the editor type to text in the workspace settings", what)
}

// keepsForm refuses a new or changed body of a layout in the other form.
func (u *unit) keepsForm(l notify.Layout) error {
	wanted, err := u.editorType()
	if err != nil || layoutForm(l) == wanted {
		return err
	}
	name := layoutID(l.Event, l.Language)
	old, err := mailLayouts.Get(u.ctx, u.tx, name)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	if err == nil && old.HTML == l.HTML && old.Plain == l.Plain {
		return nil
	}
	return otherForm("mail layout "+name, wanted)
}

// keepsForms is the same for what the settings of an account hold.
func (u *unit) keepsForms(was, next channel.Account, adapter *guardedAdapter) error {
	if adapter.format == nil {
		return nil
	}
	wanted, err := u.editorType()
	if err != nil {
		return err
	}
	names, err := adapter.OtherFormat(was, next, string(wanted))
	if err != nil || len(names) == 0 {
		return err
	}
	return otherForm(names[0], wanted)
}

// inOtherForm is what is said of what stays in the other form, after its name.
const inOtherForm = "is of the editor type %s, and the workspace's is %s: it stays in use as it is; to change it, convert it"

func layoutInOtherForm(layout string, wanted Editor) Warning {
	return warn("editor_layout", "mail layout %s "+inOtherForm, layout, notThe(wanted), wanted)
}

func triggerInOtherForm(t trigger.ID, wanted Editor) Warning {
	return warn("editor_trigger", "a mail of trigger %s "+inOtherForm, t, notThe(wanted), wanted)
}

// notThe is the editor type that is not the wanted one.
func notThe(wanted Editor) Editor {
	if wanted == EditorHTML {
		return EditorText
	}
	return EditorHTML
}

// mailForm is the form of a trigger's mail.
func mailForm(p action.MailParams) Editor {
	if p.HTML {
		return EditorHTML
	}
	return EditorText
}

// mailsInOtherForm are the mails of a trigger in another form than the wanted one.
func mailsInOtherForm(t trigger.Trigger, wanted Editor) (out []action.MailParams, err error) {
	for _, a := range t.Actions {
		if a.Kind != action.Mail {
			continue
		}
		p, err := trigger.Params[action.MailParams](a)
		if err != nil {
			return nil, err
		}
		if mailForm(p) != wanted {
			out = append(out, p)
		}
	}
	return out, nil
}

// keepsMailForms refuses new or changed mails of a trigger in the other form, and
// warns of those that stay in it.
func (u *unit) keepsMailForms(t, old trigger.Trigger) (warnings []Warning, err error) {
	wanted, err := u.editorType()
	if err != nil {
		return nil, err
	}
	others, err := mailsInOtherForm(t, wanted)
	if err != nil || len(others) == 0 {
		return nil, err
	}
	kept, err := mailsInOtherForm(old, wanted)
	if err != nil {
		return nil, err
	}
	what := "a mail of trigger " + string(t.ID)
	for _, m := range others {
		if !slices.ContainsFunc(kept, func(k action.MailParams) bool { return maps.Equal(k.Body, m.Body) }) {
			return nil, otherForm(what, wanted)
		}
	}
	return []Warning{triggerInOtherForm(t.ID, wanted)}, nil
}

// otherForms names everything of the workspace in another form than the wanted one.
func (u *unit) otherForms(wanted Editor) (out []Warning, err error) {
	all, err := allOf(u.ctx, u.tx, mailLayouts, nil)
	if err != nil {
		return nil, err
	}
	for _, l := range all {
		if layoutForm(l) != wanted {
			out = append(out, layoutInOtherForm(layoutID(l.Event, l.Language), wanted))
		}
	}
	rules, err := allTriggers(u.ctx, u.tx, "")
	if err != nil {
		return nil, err
	}
	for _, t := range rules {
		if some, err := mailsInOtherForm(t, wanted); err != nil {
			return nil, err
		} else if len(some) > 0 {
			out = append(out, triggerInOtherForm(t.ID, wanted))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(u.s.accounts)) {
		some, err := u.accountForms(u.s.accounts[id], wanted)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
	}
	return out, nil
}

func (u *unit) accountForms(a channel.Account, wanted Editor) (out []Warning, err error) {
	adapter := u.e.adapters[a.Kind]
	if adapter == nil || a.Deleted {
		return nil, nil
	}
	names, err := adapter.OtherFormat(channel.Account{}, a, string(wanted))
	for _, name := range names {
		out = append(out, warn("editor_account", "account %s: %s "+inOtherForm, a.ID, name, notThe(wanted), wanted))
	}
	return out, err
}
