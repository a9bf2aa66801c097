package sangdam

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
	"github.com/sangdam/sangdam/trigger/trial"
)

// The past of conversations. A conversation keeps no earlier values: they are made
// again from its record, whose entries name states, agents, desks, queues, contacts
// and categories, and from its messages. What no entry names is taken as it is now
// (assumedOfConversation), and the words of a message that was taken back, edited
// or moved to another conversation are those of today, or none.

// touchedConversations lists the conversations that may be seen, the last changed
// first.
func touchedConversations(r *pastReader, after string) (out []touched, next string, err error) {
	list, next, err := r.e.seen(r.ctx, r.tx, r.w, conversation.Filter{}, after, maxPage, lookedAt)
	for _, c := range list {
		out = append(out, touched{string(c.ID), c.UpdatedAt})
	}
	return out, next, err
}

func pastConversationResource(r *pastReader, id string) (Resource, error) {
	c, err := r.tx.Conversations().Conversation(r.ctx, conversation.ID(id))
	return conversationResource(c), err
}

// assumedOfConversation are the fields of which no earlier values are kept.
func assumedOfConversation(r *pastReader, field string) bool {
	return slices.Contains([]string{"tags", "memo", "language", "end_reason", "bot", "bot.outcome", "priority"}, field) ||
		strings.HasPrefix(field, attributeField) ||
		slices.ContainsFunc(r.e.cfg.Fields, func(f condition.Field) bool { return f.Name == field })
}

// pastConversation goes through the record of a conversation, a page at a time.
func pastConversation(r *pastReader, id string, yield func(func() trial.Past) bool) error {
	c, err := r.tx.Conversations().Conversation(r.ctx, conversation.ID(id))
	if err != nil {
		return err
	}
	if ok, err := r.e.sees(r.ctx, r.w, conversationResource(c)); err != nil || !ok {
		return cmp.Or(err, errPastLeftOut)
	}
	h := &conversationPast{r: r, is: c, yield: yield, clock: pastClock{r: r}}
	page, err := r.tx.Conversations().Events(r.ctx, c.ID, 0, maxPage)
	if err != nil {
		return err
	}
	if err := h.begin(page); err != nil {
		return err
	}
	for {
		for _, ev := range page {
			if more, err := h.step(ev); err != nil || !more {
				return err
			}
		}
		if len(page) < maxPage {
			_ = h.flush() && h.due(r.until.Add(1))
			return nil
		}
		if page, err = r.tx.Conversations().Events(r.ctx, c.ID, page[len(page)-1].Seq, maxPage); err != nil {
			return err
		}
	}
}

// conversationPast is a conversation that is made again.
type conversationPast struct {
	r     *pastReader
	is    conversation.Conversation // as it is today
	yield func(func() trial.Past) bool
	clock pastClock

	was, at conversation.Conversation // before the present unit of work, and after the last step
	steps   []pastStep                // of one unit of work
	now     pastView                  // after the steps before a rule's
	queue   string
	item    *routing.Item

	messages []conversation.Message // read ahead
	read     int64                  // up to this place
	all      bool                   // there are no more
}

// pastStep is an entry of the record with its message.
type pastStep struct {
	conversation.Event
	msg  *conversation.Message
	gone bool // the words of its message are not there any more
}

// pastView is the conversation after some steps.
type pastView struct {
	c               conversation.Conversation
	queue           string
	message, answer string
	happened        []string
	gone            bool
}

// begin takes what a conversation had from its beginning: the desk and the contact
// are what the first entry that changed them says they were, and its last agent is
// that of the conversation before it.
func (h *conversationPast) begin(page []conversation.Event) error {
	c := h.is
	h.at = conversation.Conversation{ID: c.ID, Thread: c.Thread, Live: c.Live, WorkStream: c.WorkStream, Account: c.Account,
		Channel: c.Channel, Language: c.Language, Tags: c.Tags, Memo: c.Memo, Attributes: c.Attributes, Desk: c.Desk, Contact: c.Contact,
		Bot: c.Bot, BotOutcome: c.BotOutcome}
	if c.Previous != "" {
		last, err := h.r.tx.Conversations().Conversation(h.r.ctx, c.Previous)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		h.at.LastAgent = cmp.Or(last.Agent, last.LastAgent)
	}
	desk, contact := false, false
	for {
		for _, ev := range page {
			switch {
			case ev.Kind == conversation.EvDesk && !desk:
				desk, h.at.Desk = true, conversation.DeskID(recordID(ev.From))
			case ev.Kind == conversation.EvLinked && !contact:
				contact, h.at.Contact = true, conversation.ContactID(recordID(ev.From))
			}
		}
		if len(page) < maxPage || desk && contact {
			return nil
		}
		var err error
		if page, err = h.r.tx.Conversations().Events(h.r.ctx, c.ID, page[len(page)-1].Seq, maxPage); err != nil {
			return err
		}
	}
}

// step takes the next entry; false: nothing more is wanted.
func (h *conversationPast) step(ev conversation.Event) (bool, error) {
	if len(h.steps) > 0 && !h.steps[0].At.Equal(ev.At) && !h.flush() {
		return false, nil
	}
	if ev.At.After(h.r.until) {
		if len(h.steps) == 0 {
			h.due(ev.At)
		}
		h.steps = nil
		return false, nil
	}
	if len(h.steps) == 0 && !h.due(ev.At) {
		return false, nil
	}
	s, err := h.stepOf(ev)
	if err != nil {
		return false, err
	}
	if len(h.steps) == 0 {
		h.now = pastView{}
	}
	h.apply(s)
	h.steps = append(h.steps, s)
	if !slices.ContainsFunc(h.steps, func(s pastStep) bool { return byRule(s.Actor) }) {
		h.now.c, h.now.queue = h.at, h.queue
		h.now.gone = h.now.gone || s.gone
		h.tell(s)
	}
	return true, nil
}

// stepOf is an event with the message that it is about.
func (h *conversationPast) stepOf(ev conversation.Event) (s pastStep, err error) {
	s.Event = ev
	if ev.Kind == conversation.EvMessage {
		s.msg, err = h.message(ev)
		s.gone = s.msg == nil || !s.msg.UnsentAt.IsZero()
	}
	return s, err
}

// message finds the message that an entry tells of; nil when it is not there.
func (h *conversationPast) message(ev conversation.Event) (*conversation.Message, error) {
	for {
		for len(h.messages) > 0 && h.messages[0].Seq <= ev.Seq {
			m := h.messages[0]
			if h.messages = h.messages[1:]; m.Seq == ev.Seq && m.ID == ev.Message {
				return &m, nil
			}
		}
		if len(h.messages) > 0 || h.all {
			return nil, nil
		}
		var err error
		if h.messages, err = h.r.tx.Conversations().Messages(h.r.ctx, h.is.ID, h.read, maxPage); err != nil {
			return nil, err
		}
		if n := len(h.messages); n > 0 {
			h.read = h.messages[n-1].Seq
		}
		h.all = len(h.messages) < maxPage
	}
}

// tell adds what triggers hear of a step.
func (h *conversationPast) tell(s pastStep) {
	what := happeningOf[s.Kind]
	if s.Kind == conversation.EvMessage && s.From == "" { // else it came from a merged conversation
		who, _, _ := strings.Cut(s.Actor, ":")
		if what = saidBy[conversation.AuthorKind(who)]; what == "" {
			what = "said"
		}
		switch {
		case s.msg == nil:
		case what == "message":
			h.now.message = s.msg.Content.Text
		case what == "answer":
			h.now.answer = s.msg.Content.Text
		}
	}
	if what != "" && !slices.Contains(h.now.happened, what) {
		h.now.happened = append(h.now.happened, what)
	}
}

// flush yields the event that the steps were; false: nothing more is wanted.
func (h *conversationPast) flush() bool {
	was, steps, v := h.was, h.steps, h.now
	h.was, h.steps = h.at, nil
	if h.r.timed() && len(steps) > 0 {
		h.clock.moved(h.copied(was, steps[0].At), steps[0].At)
	}
	if len(steps) == 0 || byRule(steps[0].Actor) || !h.r.in(steps[0].At) {
		return true
	}
	p := &pulledConversation{before: was, now: v.c, happened: v.happened, message: v.message, answer: v.answer}
	p.compare()
	kind, happened := p.event()
	if kind == "" {
		return true
	}
	if v.gone {
		h.r.gone++
	}
	actor := firstActor(steps)
	ev := trigger.Event{ID: string(h.is.ID) + "/" + strconv.FormatInt(steps[0].Seq, 10), Kind: kind,
		Actor: triggerActor(string(actor)), At: steps[0].At}
	return h.yield(func() trial.Past {
		again := *p
		return trial.Past{Record: kindConversation + ":" + string(h.is.ID), Event: ev,
			Subject: &triedConversation{pulledConversation: &again, past: h, at: ev.At, queued: v.queue, happened: happened}}
	})
}

// firstActor is who caused the steps, up to what rules added to them.
func firstActor(steps []pastStep) (actor pastActor) {
	for _, s := range steps {
		if byRule(s.Actor) {
			break
		}
		actor.step(s.Actor)
	}
	return actor
}

// due yields what the rule waited for until a time; false: nothing more is wanted.
func (h *conversationPast) due(before time.Time) bool {
	if !h.r.timed() {
		return true
	}
	return h.clock.tell(kindConversation+":"+string(h.is.ID), before, func(at time.Time) trigger.Subject {
		sub := h.copied(h.at, at)
		sub.happened = []string{eventTime}
		return sub
	}, h.yield)
}

// copied is a copy of the conversation as it stands, with what it was before.
func (h *conversationPast) copied(was conversation.Conversation, at time.Time) *triedConversation {
	return &triedConversation{pulledConversation: &pulledConversation{before: was, now: h.at}, past: h, at: at, queued: h.queue}
}

// apply makes the change that a step was.
func (h *conversationPast) apply(s pastStep) {
	c := &h.at
	c.UpdatedAt = s.At
	switch s.Kind {
	case conversation.EvOpened:
		c.State, c.Control, c.OpenedAt, c.LastMessageAt = conversation.StateOpen, conversation.ControlNobody, s.At, s.At
	case conversation.EvReopened:
		c.LastMessageAt = s.At
	case conversation.EvState:
		h.moved(conversation.State(s.To), s)
	case conversation.EvQueued:
		c.Agent, c.QueuedAt, h.queue = "", s.At, s.To
	case conversation.EvAssigned:
		c.Agent, c.LastAgent, c.AssignedAt = conversation.AgentID(s.To), conversation.AgentID(s.To), s.At
	case conversation.EvReleased:
		c.Agent, c.LastAgent = "", conversation.AgentID(s.From)
	case conversation.EvControl:
		c.Control = conversation.Controller(s.To)
	case conversation.EvDesk:
		c.Desk = conversation.DeskID(recordID(s.To))
	case conversation.EvLinked:
		c.Contact = conversation.ContactID(recordID(s.To))
	case conversation.EvRated:
		if score, err := strconv.Atoi(s.To); err == nil {
			c.Rating = &conversation.Rating{Score: score, At: s.At}
		}
	case conversation.EvPanel:
		h.panel(s)
	case conversation.EvUnsend:
		if s.Actor == "customer" && c.Unread > 0 {
			c.Unread--
		}
	case conversation.EvMessage:
		h.said(s)
	}
}

// moved makes a change of the state.
func (h *conversationPast) moved(to conversation.State, s pastStep) {
	c := &h.at
	from := c.State
	switch c.State = to; {
	case to == conversation.StateWrapUp:
		c.WrapUpAt, c.EndedBy, c.EndReason = s.At, s.Actor, h.is.EndReason
	case to == conversation.StateClosed:
		if c.ClosedAt = s.At; c.EndedBy == "" {
			c.EndedBy, c.EndReason = s.Actor, h.is.EndReason
		}
	case from == conversation.StateClosed:
		c.ClosedAt, c.WrapUpAt, c.EndedBy, c.EndReason = time.Time{}, time.Time{}, "", ""
	}
}

// panel takes the category that was saved. An action names the field that it set
// and not the value, which is then the one of today.
func (h *conversationPast) panel(s pastStep) {
	field := s.From == "" && (slices.Contains([]string{"category", "memo", "language", "tags"}, s.To) ||
		strings.HasPrefix(s.To, attributeField))
	switch {
	case !field:
		h.at.Category = s.To
	case s.To == "category":
		h.at.Category = h.is.Category
	}
}

// said counts a message; one of a merged conversation has its own times.
func (h *conversationPast) said(s pastStep) {
	c, at := &h.at, s.At
	if s.msg != nil {
		if at = s.msg.OccurredAt; s.From != "" {
			if s.msg.At.After(c.LastMessageAt) {
				c.LastMessageAt = s.msg.At
			}
			if s.Actor == "customer" && at.After(c.LastCustomerAt) {
				c.LastCustomerAt = at
			}
			return
		}
		c.Account = cmp.Or(s.msg.Account, c.Account)
		if a, known := h.r.s.accounts[c.Account]; known {
			c.Channel = a.Kind
		}
	}
	c.LastMessageAt = s.At
	switch who, _, _ := strings.Cut(s.Actor, ":"); conversation.AuthorKind(who) {
	case conversation.ByCustomer:
		if c.Unread++; at.After(c.LastCustomerAt) {
			c.LastCustomerAt = at
		}
	case conversation.ByAgent:
		c.LastAgentAt, c.Unread, c.Handled = s.At, 0, true
	}
}

// triedConversation is a copy of a conversation that rules change without effect.
type triedConversation struct {
	*pulledConversation
	past     *conversationPast
	at       time.Time
	queued   string
	priority *int // that a rule gave
	happened []string
}

// Fact implements condition.Facts.
func (t *triedConversation) Fact(name string) (condition.Fact, bool) {
	switch name {
	case fieldHappened:
		return condition.Set(t.happened), len(t.happened) > 0
	case "message":
		return given(condition.Text(t.message))
	case "answer":
		return given(condition.Text(t.answer))
	case "time":
		return condition.Time(t.at), true
	case "queue":
		return given(condition.Text(t.queued))
	case "priority":
		return t.priorityNow()
	}
	if fact, known := conversationFact(&t.now, name); known {
		return given(fact)
	}
	if t.host == nil {
		t.host = condition.Map{}
		if err := t.past.r.e.hostFacts(t.host, t.now); err != nil {
			t.past.r.e.log.Warn("the host's facts for a trial failed", "error", err)
		}
	}
	return t.host.Fact(name)
}

// priorityNow is what a rule gave, else that of today.
func (t *triedConversation) priorityNow() (condition.Fact, bool) {
	if t.priority != nil {
		return condition.Number(float64(*t.priority)), true
	}
	h := t.past
	if h.item == nil {
		it, err := h.r.tx.Work().Item(h.r.ctx, routing.ItemID(h.is.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			h.r.err = err
		}
		h.item = &it
	}
	return condition.Number(float64(h.item.Priority)), h.item.ID != "" && t.queued != ""
}

// Before implements condition.Changes.
func (t *triedConversation) Before(name string) (condition.Fact, bool) {
	if fact, known := conversationFact(&t.before, name); known {
		if t.before.ID == "" {
			return condition.Fact{}, false
		}
		return given(fact)
	}
	return t.Fact(name)
}

// Within implements condition.Hours.
func (t *triedConversation) Within(calendar string, at time.Time) bool {
	return openAt(t.hoursOf(calendar), at)
}

// hoursOf implements pastSubject.
func (t *triedConversation) hoursOf(calendar string) *hours.Schedule {
	s := t.past.r.s
	if calendar == ownHours {
		acct := s.accounts[t.now.Account]
		acct.Desk = cmp.Or(t.now.Desk, acct.Desk)
		return s.hoursOf(acct, routing.QueueID(t.queued))
	}
	return s.schedule(calendar, nil)
}

// Do implements trigger.Subject: what a rule sets is set on the copy, so that
// later rules see it; everything else only counts.
func (t *triedConversation) Do(_ *trigger.Trigger, a trigger.Action) (trigger.Outcome, error) {
	c := &t.now
	contact := func() (conversation.Contact, error) { return t.past.r.contact(c.Contact) }
	out, ok, err := tried{r: t.past.r, agent: c.Agent,
		email: func() (string, error) { p, err := contact(); return p.Email, err },
		phone: func() (string, error) { p, err := contact(); return p.Phone, err }}.outside(a)
	if ok {
		return out, err
	}
	over := c.State == conversation.StateClosed
	switch a.Kind {
	case action.Assign, action.Queue:
		over = over || c.State == conversation.StateWrapUp
	case action.Set, action.Tag, action.Note, action.Ticket:
		over = false
	}
	if over {
		return passed("the conversation has ended"), nil
	}
	if a.Kind == action.Message {
		return trigger.Outcome{Done: true, Sent: 1}, nil
	}
	err = t.change(c, a)
	return trigger.Outcome{Done: err == nil}, err
}

// change sets on the copy what an action sets.
func (t *triedConversation) change(c *conversation.Conversation, a trigger.Action) error {
	switch a.Kind {
	case action.Assign:
		p, err := trigger.Params[action.AssignParams](a)
		if err != nil {
			return err
		}
		agent, err := t.past.r.chosen(p)
		c.Agent, c.State, c.Control = agent, conversation.StateActive, conversation.ControlAgent
		return err
	case action.Queue:
		p, err := trigger.Params[action.QueueParams](a)
		t.queued, c.Agent, c.State, c.Control = string(cmp.Or(p.Queue, routing.QueueID(t.queued))), "", conversation.StateOpen,
			conversation.ControlNobody
		c.Desk = cmp.Or(p.Desk, c.Desk)
		return err
	case action.Priority:
		p, err := trigger.Params[action.PriorityParams](a)
		t.priority = &p.Value
		return err
	case action.Tag:
		p, err := trigger.Params[action.TagParams](a)
		c.Tags = slices.DeleteFunc(slices.Concat(c.Tags, p.Add), func(tag string) bool { return slices.Contains(p.Remove, tag) })
		return err
	case action.Set:
		p, err := trigger.Params[action.SetParams](a)
		t.set(c, p)
		return err
	case action.Bot:
		c.Control = conversation.ControlBot
	case action.End:
		c.State, c.Agent, c.Control, c.ClosedAt = conversation.StateClosed, "", conversation.ControlNobody, t.at
	}
	return nil
}

func (t *triedConversation) set(c *conversation.Conversation, p action.SetParams) {
	switch p.Field {
	case "category":
		c.Category = p.Value
	case "memo":
		c.Memo = p.Value
	case "language":
		c.Language = p.Value
	default:
		if c.Attributes = maps.Clone(c.Attributes); c.Attributes == nil {
			c.Attributes = map[string]string{}
		}
		c.Attributes[strings.TrimPrefix(p.Field, attributeField)] = p.Value
	}
}
