package sangdam

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
)

// What triggers send out of the house: mails, forwards, calls of web hooks,
// notices and text messages, each a row of the outbox.

// mailTarget is the target to send mail from: the one named, else the only one.
func (u *unit) mailTarget(id notify.TargetID) (notify.Target, error) {
	if id != "" {
		return u.usable(id)
	}
	all, err := targets.All(u.ctx, u.tx, store.List[notify.Target]{Index: targetsByName}, maxTargets)
	if err != nil {
		return notify.Target{}, err
	}
	mails := slices.DeleteFunc(all, func(t notify.Target) bool { return t.Kind != "mail" || t.Disabled })
	if len(mails) != 1 {
		return notify.Target{}, errs.New(errs.Invalid, "sangdam: there are %d targets for mail; name the one to send from", len(mails))
	}
	return u.usable(mails[0].ID)
}

// outside carries out an action of outsideSpecs; ok is false for another kind.
func (r *triggerRun) outside(t *trigger.Trigger, a trigger.Action, values func() (map[string]string, error)) (out trigger.Outcome, ok bool,
	err error) {
	do := map[string]func(*trigger.Trigger, trigger.Action, map[string]string) (trigger.Outcome, error){
		action.Mail: r.mail, action.Forward: r.forward, action.Webhook: r.webhook, action.Notice: r.room, action.SMS: r.sms}[a.Kind]
	if do == nil {
		return out, false, nil
	}
	v, err := values()
	if err != nil {
		return out, true, err
	}
	out, err = do(t, a, v)
	return out, true, err
}

// filled fills a text for a language.
func filled(texts action.Texts, language string, values map[string]string, render func(*trigger.Template,
	map[string]string) string) string {
	return fill(texts.In(language), values, render)
}

// fill fills the placeholders of a text that was checked when it was saved.
func fill(text string, values map[string]string, render func(*trigger.Template, map[string]string) string) string {
	t, err := trigger.ParseTemplate(text, placeholders())
	if err != nil {
		return "" // refused when it was saved
	}
	return render(t, values)
}

// notice is the frame of what this action sends.
func (r *triggerRun) notice(t *trigger.Trigger, values map[string]string) notify.Notice {
	return notify.Notice{ID: r.noticeID(t), Event: r.subject.kind + "." + r.ev.Kind, Subject: r.name(), At: r.ev.At,
		Link: values["record.link"]}
}

func (r *triggerRun) mail(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[action.MailParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.mailTarget(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	to, note, err := r.recipients(p, values)
	if err != nil || len(to) == 0 {
		return passed(note), err
	}
	language := ""
	if p.To == action.ToCustomer {
		language = values["customer.language"]
	}
	for i, recipient := range to {
		n := r.notice(t, values)
		n.ID, n.To = fmt.Sprintf("%s-%d", n.ID, i), recipient
		r.write(&n, p, language, values)
		if _, err := r.u.deliver(Delivery{Target: target.ID, Notice: n}); err != nil {
			return trigger.Outcome{}, err
		}
	}
	return done(fmt.Sprintf("%d mails", len(to)))
}

// write fills in a mail's subject and text.
func (r *triggerRun) write(n *notify.Notice, p action.MailParams, language string, values map[string]string) {
	n.Title = filled(p.Subject, language, values, (*trigger.Template).RenderLine)
	if p.HTML {
		n.HTML = filled(p.Body, language, values, (*trigger.Template).RenderHTML)
	} else {
		n.Text = filled(p.Body, language, values, (*trigger.Template).Render)
	}
}

// recipients are the addresses of a mail; none, with the reason.
func (r *triggerRun) recipients(p action.MailParams, values map[string]string) (out []notify.Recipient, note string, err error) {
	var agents []routing.AgentID
	switch p.To {
	case action.ToCustomer:
		if values["customer.email"] == "" {
			return nil, "the customer has no mail address", nil
		}
		return []notify.Recipient{{Name: values["customer.name"], Address: values["customer.email"]}}, "", nil
	case action.ToAssignee:
		agents = []routing.AgentID{routing.AgentID(r.text("agent"))}
	case action.ToAgent:
		agents = []routing.AgentID{p.Agent}
	case action.ToGroup:
		if agents, _, err = r.u.groupMembers(orElse(p.Group, r.text("group"))); err != nil {
			return nil, "", err
		}
	}
	for _, id := range agents {
		a, err := r.u.tx.Agents().Agent(r.u.ctx, id)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, "", err
		}
		if err == nil && !a.Disabled && a.Email != "" {
			out = append(out, notify.Recipient{Name: a.Name, Address: a.Email})
		}
	}
	return out, "nobody of those it would go to is there with a mail address", nil
}

// text is a fact of the record as text; empty when it has none.
func (r *triggerRun) text(field string) string {
	fact, _ := r.record.Fact(field)
	text, _ := fact.AsText()
	return text
}

func (r *triggerRun) forward(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	p, err := trigger.Params[action.ForwardParams](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	target, err := r.u.mailTarget(p.Target)
	if err != nil {
		return trigger.Outcome{}, err
	}
	n := r.notice(t, values)
	n.To = notify.Recipient{Address: p.To}
	if n.Title = filled(p.Subject, "", values, (*trigger.Template).RenderLine); n.Title == "" {
		n.Title = "[" + values["record.kind"] + " " + values["number"] + "] " + oneLine(values["title"])
	}
	n.Text = forwarded(values)
	var then []driver.Then
	if p.Complete {
		params, err := json.Marshal(thenCompleteParams{Kind: r.subject.kind, ID: r.id, As: r.u.actor()})
		if err != nil {
			return trigger.Outcome{}, err
		}
		then = append(then, driver.Then{On: channel.OutboxSent, Do: thenComplete, Params: params},
			driver.Then{On: channel.OutboxFailed, Do: thenStays, Params: params})
	}
	_, err = r.u.deliver(Delivery{Target: target.ID, Notice: n}, then...)
	return trigger.Outcome{Done: err == nil}, err
}

// forwarded is the text of a forward: what the record holds, and the link, which
// asks for a log-in.
func forwarded(values map[string]string) string {
	var b strings.Builder
	for _, name := range []string{"number", "title", "state", "priority", "category", "channel", "customer.name", "customer.email",
		"customer.phone"} {
		if v := values[name]; v != "" {
			fmt.Fprintf(&b, "%s: %s\n", name, oneLine(v))
		}
	}
	if text := orElse(values["inquiry"], values["message"]); text != "" {
		fmt.Fprintf(&b, "\n%s\n", text)
	}
	if link := values["record.link"]; link != "" {
		fmt.Fprintf(&b, "\n--\n%s\n", link)
	}
	return b.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// hookData is the data of a trigger's web hook.
type hookData struct {
	Kind     string            `json:"kind"`
	ID       string            `json:"id"`
	Event    string            `json:"event"`
	Happened []string          `json:"happened,omitempty"`
	Actor    trigger.Actor     `json:"actor"`
	Trigger  trigger.ID        `json:"trigger"`
	Depth    int               `json:"depth"`
	Fields   map[string]string `json:"fields,omitempty"`
}

// toNamed carries out an action that sends to the target that its parameters name.
// fill completes what goes there; nothing does where it notes why not.
func toNamed[P any](r *triggerRun, t *trigger.Trigger, a trigger.Action, values map[string]string, target func(P) notify.TargetID,
	fill func(P, *notify.Notice) (note string, err error)) (trigger.Outcome, error) {
	p, err := trigger.Params[P](a)
	if err != nil {
		return trigger.Outcome{}, err
	}
	to, err := r.u.usable(target(p))
	if err != nil {
		return trigger.Outcome{}, err
	}
	n := r.notice(t, values)
	note, err := fill(p, &n)
	if err != nil || note != "" {
		return passed(note), err
	}
	_, err = r.u.deliver(Delivery{Target: to.ID, Notice: n})
	return trigger.Outcome{Done: err == nil}, err
}

func hookTarget(p action.WebhookParams) notify.TargetID { return p.Target }

func (r *triggerRun) webhook(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	return toNamed(r, t, a, values, hookTarget, func(p action.WebhookParams, n *notify.Notice) (_ string, err error) {
		data := hookData{Kind: r.subject.kind, ID: r.id, Event: r.ev.Kind, Happened: r.happened, Actor: r.ev.Actor, Trigger: t.ID,
			Depth: r.ev.Depth + 1, Fields: map[string]string{}}
		for _, f := range p.Fields {
			data.Fields[f] = values[f]
		}
		n.Data, err = json.Marshal(data)
		return "", err
	})
}

func noticeTarget(p action.NoticeParams) notify.TargetID { return p.Target }

func (r *triggerRun) room(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	return toNamed(r, t, a, values, noticeTarget, func(p action.NoticeParams, n *notify.Notice) (string, error) {
		n.Title, n.Text = cutTo(oneLine(values["title"]), 400), filled(p.Text, "", values, (*trigger.Template).Render)
		return "", nil
	})
}

func (r *triggerRun) sms(t *trigger.Trigger, a trigger.Action, values map[string]string) (trigger.Outcome, error) {
	return toNamed(r, t, a, values, noticeTarget, func(p action.NoticeParams, n *notify.Notice) (string, error) {
		if values["customer.phone"] == "" {
			return "the customer has no phone number", nil
		}
		n.To = notify.Recipient{Name: values["customer.name"], Address: values["customer.phone"]}
		n.Text = filled(p.Text, values["customer.language"], values, (*trigger.Template).Render)
		return "", nil
	})
}

// thenComplete completes a record once its forward was sent.
const thenComplete = "complete"

type thenCompleteParams struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	As   string `json:"as"`
}

func (u *unit) thenCompleted(_ driver.OutboxRow, _ string, params json.RawMessage) error {
	var p thenCompleteParams
	if err := json.Unmarshal(params, &p); err != nil {
		return err
	}
	was := u.as
	u.as = p.As
	defer func() { u.as = was }()
	complete := map[string]func(*unit, string) error{kindConversation: (*unit).completeConversation,
		kindTicket: (*unit).completeTicket}[p.Kind]
	if complete == nil {
		return errs.New(errs.Unsupported, "sangdam: a %s cannot be completed by this program", p.Kind)
	}
	err := complete(u, p.ID)
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) {
		return nil // it is gone, merged or complete already
	}
	return err
}

// thenStays says on a ticket why it is not complete: its forward was refused for
// good. Whoever has a conversation reads it in the deliveries.
const thenStays = "stays_open"

func (u *unit) thenStaysOpen(row driver.OutboxRow, _ string, params json.RawMessage) error {
	var p thenCompleteParams
	if err := json.Unmarshal(params, &p); err != nil || p.Kind != kindTicket {
		return err
	}
	w, err := u.ticketWork(ticket.ID(p.ID))
	if errors.Is(err, ErrNotFound) || err == nil && w.now.State == ticket.Complete {
		return nil
	}
	if err != nil {
		return err
	}
	was := u.as
	u.as = p.As
	defer func() { u.as = was }()
	d, err := u.editTicket(ticket.ID(p.ID))
	if errors.Is(err, ErrConflict) || errors.Is(err, ErrInvalid) {
		return nil // it was merged meanwhile
	}
	if err != nil {
		return err
	}
	u.ctx = CausedBy(u.ctx, trigger.MaxDepth+1) // no rule answers this by forwarding it again
	return d.Comment("The forward did not go out, so the ticket stays open: " + cmp.Or(row.Detail, string(row.Reason)) + ".")
}
