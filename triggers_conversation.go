package sangdam

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// What triggers may ask of a conversation, and what they hear of it. What they do
// to it is in triggers_conversation_do.go.

// happenings are what an event of a conversation may be, the most telling first:
// the first that is so is the field "event", all of them are "happened".
var happenings = []string{"opened", "reopened", "ended", "rated", "handed_over", "assigned", "desk", "message", "answer", "note", "ticket",
	"waiting", "queued",
	"released", "edited", "unsent", "linked", "merged", "panel", "said", eventTime}

// attributeField begins the fields that ask about what bots and hosts learnt.
const attributeField = "attribute."

func init() {
	registerTriggers(triggerSubject{kind: kindConversation, events: happenings, fields: conversationFields, catalog: conversationActions(),
		load: loadConversation, release: releaseConversation, find: findConversation, touched: touchedConversations,
		past: pastConversation, resource: pastConversationResource, assumed: assumedOfConversation})
}

func conversationFields(src triggerSource) ([]condition.Field, error) {
	var states []string
	for _, s := range conversation.States() {
		states = append(states, string(s))
	}
	control := []string{string(conversation.ControlNobody), string(conversation.ControlBot), string(conversation.ControlAgent),
		string(conversation.ControlHost), string(conversation.ControlProvider)}
	fields := []condition.Field{{Name: fieldHappened, Type: condition.TypeSet, Values: happenings},
		{Name: "state", Type: condition.TypeEnum, Values: states}, {Name: "control", Type: condition.TypeEnum, Values: control}}
	for _, name := range []string{"agent", "last_agent", "desk", "work_stream", "account", "channel", "contact", "language", "bot",
		"bot.outcome", "category",
		"ended_by", "end_reason", "queue"} {
		fields = append(fields, condition.Field{Name: name, Type: condition.TypeID})
	}
	for _, name := range []string{"message", "answer", "memo"} {
		fields = append(fields, condition.Field{Name: name, Type: condition.TypeText})
	}
	for _, name := range []string{"unread", "rating", "priority"} {
		fields = append(fields, condition.Field{Name: name, Type: condition.TypeNumber})
	}
	for _, name := range []string{"time", "opened", "queued", "assigned", "customer_at", "agent_at", "message_at", "updated", "ended"} {
		fields = append(fields, condition.Field{Name: name, Type: condition.TypeTime})
	}
	fields = append(fields, condition.Field{Name: "tags", Type: condition.TypeSet}, condition.Field{Name: "live", Type: condition.TypeBool},
		condition.Field{Name: "handled", Type: condition.TypeBool})
	fields = src.withOwn(fields)
	return fields, nil
}

// withOwn adds the host's own fields and the attributes that are asked about.
func (src triggerSource) withOwn(fields []condition.Field) []condition.Field {
	for _, f := range src.e.cfg.Fields {
		if !slices.ContainsFunc(fields, func(o condition.Field) bool { return o.Name == f.Name }) {
			fields = append(fields, f)
		}
	}
	for _, name := range src.asked {
		if len(name) > len(attributeField) && strings.HasPrefix(name, attributeField) &&
			!slices.ContainsFunc(fields, func(o condition.Field) bool { return o.Name == name }) {
			fields = append(fields, condition.Field{Name: name, Type: condition.TypeText})
		}
	}
	return fields
}

// conversationActions are the kinds of action on conversations.
func conversationActions() *trigger.Catalog {
	return mustCatalog(append(outsideSpecs(),
		trigger.Spec{Kind: action.Assign, Check: checked(checkAssign), Sets: assigned},
		trigger.Spec{Kind: action.Queue, Check: checked(func(p action.QueueParams) error {
			if p.Queue == "" && p.Desk == "" {
				return badAction(action.Queue, "it names neither a queue nor a desk")
			}
			return nil
		}), Sets: func(a trigger.Action) []trigger.Write {
			p, _ := trigger.Params[action.QueueParams](a)
			return []trigger.Write{{Field: "queue", Value: string(p.Queue)}}
		}},
		trigger.Spec{Kind: action.Set, Sets: setsField, Check: checked(func(p action.SetParams) error {
			known := slices.Contains([]string{"category", "memo", "language"}, p.Field) ||
				strings.HasPrefix(p.Field, attributeField) && len(p.Field) > len(attributeField) && len(p.Field) <= 100
			if !known || len(p.Value) > 2000 {
				return badAction(action.Set, "set category, memo, language or attribute.<name>, to at most 2000 bytes")
			}
			return nil
		})},
		trigger.Spec{Kind: action.Tag, Check: checked(checkTags), Sets: setsTags},
		trigger.Spec{Kind: action.Priority, Check: checked(func(p action.PriorityParams) error {
			if p.Value < -1000 || p.Value > 1000 {
				return badAction(action.Priority, "a priority is -1000 to 1000")
			}
			return nil
		}), Sets: setsPriority},
		trigger.Spec{Kind: action.Message, Check: checked(func(p action.TextParams) error {
			return checkTextsOf(action.Message,
				true, p.Text)
		})},
		trigger.Spec{Kind: action.Note, Check: checked(func(p action.TextParams) error { return checkTextsOf(action.Note, true, p.Text) })},
		trigger.Spec{Kind: action.Ticket, Check: checked(func(p action.OpenTicketParams) error {
			if p.Priority < int(ticket.Low) || p.Priority > int(ticket.Urgent) {
				return badAction(action.Ticket, "the priority of a ticket is %d (low) to %d (urgent)", ticket.Low, ticket.Urgent)
			}
			return checkTextsOf(action.Ticket, false, p.Title)
		})},
		trigger.Spec{Kind: action.Bot, Check: checked(func(p action.BotParams) error {
			if p.Bot == "" {
				return badAction(action.Bot, "it names no bot")
			}
			return nil
		}), Sets: func(trigger.Action) []trigger.Write {
			return []trigger.Write{{Field: "control", Value: string(conversation.ControlBot)}}
		}},
		trigger.Spec{Kind: action.End, Check: checked(func(p action.EndParams) error {
			if len(p.Reason) > 50 {
				return badAction(action.End, "the reason is a code of at most 50 bytes")
			}
			return nil
		}), Sets: func(trigger.Action) []trigger.Write {
			return []trigger.Write{{Field: "state", Value: string(conversation.StateClosed)}}
		}},
	)...)
}

func checkAssign(p action.AssignParams) error {
	switch {
	case len(p.Agents) == 0 && p.Group == "":
		return badAction(action.Assign, "it names neither agents nor a group")
	case len(p.Agents) > 500:
		return badAction(action.Assign, "it names %d agents; use at most 500", len(p.Agents))
	case p.Choice == trigger.ChooseOne && len(p.Agents) != 1:
		return badAction(action.Assign, "%s takes exactly one agent", trigger.ChooseOne)
	case slices.Contains(p.Agents, ""):
		return badAction(action.Assign, "an agent's id is empty")
	}
	return p.Choice.Valid()
}

func checkTags(p action.TagParams) error {
	all := slices.Concat(p.Add, p.Remove)
	if len(all) == 0 || len(all) > maxTagsOf || slices.ContainsFunc(all,
		func(t string) bool { return strings.TrimSpace(t) == "" || len(t) > 100 }) {
		return badAction(action.Tag, "add or remove 1 to %d tags of 1 to 100 bytes", maxTagsOf)
	}
	return nil
}

// maxTagsOf is how many tags a record carries.
const maxTagsOf = 50

// assigned says what assigning sets, for Lint: the agent where it is certain.
func assigned(a trigger.Action) []trigger.Write {
	p, _ := trigger.Params[action.AssignParams](a)
	out := []trigger.Write{{Field: "agent"}}
	if p.Choice == trigger.ChooseOne && len(p.Agents) == 1 {
		out[0].Value = string(p.Agents[0])
	}
	if p.Group != "" {
		out = append(out, trigger.Write{Field: "group", Value: p.Group})
	}
	return out
}

func setsField(a trigger.Action) []trigger.Write {
	p, _ := trigger.Params[action.SetParams](a)
	return []trigger.Write{{Field: p.Field, Value: p.Value}}
}

func setsTags(a trigger.Action) []trigger.Write {
	p, _ := trigger.Params[action.TagParams](a)
	return []trigger.Write{{Field: "tags", Value: strings.Join(p.Add, " ") + " -" + strings.Join(p.Remove, " ")}}
}

func setsPriority(a trigger.Action) []trigger.Write {
	p, _ := trigger.Params[action.PriorityParams](a)
	return []trigger.Write{{Field: "priority", Value: strconv.Itoa(p.Value)}}
}

// pulledConversation is a conversation within a pass.
type pulledConversation struct {
	u           *unit
	before, now conversation.Conversation
	happened    []string
	// What the customer and the agent said in the event.
	message, answer string
	asked           int64         // the place of the customer's first message in it
	item            *routing.Item // read when it is asked about
	host            condition.Map
}

// pulledConversations keeps those that a pass is done with: a record is large,
// and most messages come to no rule.
var pulledConversations = sync.Pool{New: func() any { return new(pulledConversation) }}

func releaseConversation(r triggerRecord) {
	p := r.(*pulledConversation)
	*p = pulledConversation{happened: p.happened[:0]}
	pulledConversations.Put(p)
}

// saidBy and happeningOf tell what a message or an entry of the history is to
// triggers; what is not there is nothing to them.
var (
	saidBy      = map[conversation.AuthorKind]string{conversation.ByCustomer: "message", conversation.ByAgent: "answer"}
	happeningOf = map[conversation.EventKind]string{conversation.EvOpened: "opened", conversation.EvReopened: "reopened",
		conversation.EvNote: "note",
		conversation.EvEdit: "edited", conversation.EvUnsend: "unsent", conversation.EvQueued: "queued",
		conversation.EvReleased: "released",
		conversation.EvRated:    "rated", conversation.EvLinked: "linked", conversation.EvDesk: "desk", conversation.EvMerged: "merged",
		conversation.EvPanel: "panel", conversation.EvTicket: "ticket"}
)

// loadConversation makes a record of what a unit changed.
func loadConversation(u *unit, c change) (triggerRecord, error) {
	p := pulledConversations.Get().(*pulledConversation)
	d := u.conversations[conversation.ID(c.id)].d
	*p = pulledConversation{u: u, before: d.Was(), now: d.C, happened: p.happened[:0]}
	for _, m := range u.changes {
		if m.kind != kindMessage || !slices.Contains(m.events, "created") {
			continue
		}
		if msg, is := u.messageOf(conversation.MessageID(m.id)); is && msg.Conversation == p.now.ID {
			switch msg.Author.Kind {
			case conversation.ByCustomer:
				p.message = msg.Content.Text
				if p.asked == 0 {
					p.asked = msg.Seq
				}
			case conversation.ByAgent:
				p.answer = msg.Content.Text
			}
			p.happens(saidBy[msg.Author.Kind], msg)
		}
	}
	for _, e := range c.events {
		p.happen(happeningOf[conversation.EventKind(e)])
	}
	p.compare()
	if len(p.happened) == 0 {
		releaseConversation(p)
		return nil, nil
	}
	return p, nil
}

// compare adds what the conversation itself tells of what happened.
func (p *pulledConversation) compare() {
	was := &p.before
	if p.now.State != was.State && p.now.State == conversation.StateClosed {
		p.happen("ended")
	}
	if p.now.State != was.State && p.now.State == conversation.StateWaiting {
		p.happen("waiting")
	}
	if p.now.Agent != "" && p.now.Agent != was.Agent {
		p.happen("assigned")
	}
	if was.Control == conversation.ControlBot && p.now.Control != conversation.ControlBot && p.now.State != conversation.StateClosed {
		p.happen("handed_over")
	}
}

// happens notes what a message was: what bots, rules and the library say is
// "said", notes have an event of their own.
func (p *pulledConversation) happens(what string, m conversation.Message) {
	if m.Direction == conversation.Internal {
		return
	}
	if what == "" {
		what = "said"
	}
	p.happen(what)
}

func (p *pulledConversation) happen(what string) {
	if what != "" && !slices.Contains(p.happened, what) {
		p.happened = append(p.happened, what)
	}
}

func findConversation(u *unit, id string) (triggerRecord, error) {
	c, err := u.tx.Conversations().Conversation(u.ctx, conversation.ID(id))
	return &pulledConversation{u: u, before: c, now: c, happened: []string{eventTime}}, err
}

func (p *pulledConversation) event() (string, []string) {
	for _, h := range happenings {
		if slices.Contains(p.happened, h) {
			return h, p.happened
		}
	}
	return "", nil
}

func (p *pulledConversation) schedule() *hours.Schedule {
	var queue routing.QueueID
	if it, err := p.work(); err == nil {
		queue = it.Queue
	}
	acct := p.u.s.accounts[p.now.Account]
	acct.Desk = cmp.Or(p.now.Desk, acct.Desk)
	return p.u.s.hoursOf(acct, queue)
}

// work is the conversation's item; the zero one when it has none.
func (p *pulledConversation) work() (routing.Item, error) {
	if p.item == nil {
		it, err := p.u.tx.Work().Item(p.u.ctx, routing.ItemID(p.now.ID))
		if err != nil && !errors.Is(err, ErrNotFound) {
			return it, err
		}
		p.item = &it
	}
	return *p.item, nil
}

// Fact implements condition.Facts.
func (p *pulledConversation) Fact(name string) (condition.Fact, bool) {
	switch name {
	case "message":
		return given(condition.Text(p.message))
	case "answer":
		return given(condition.Text(p.answer))
	case "time":
		return condition.Time(p.u.tx.Now()), true
	case "queue", "priority":
		it, err := p.work()
		if err != nil || it.ID == "" {
			return condition.Fact{}, false
		}
		p.u.rests(driver.GuardItem, string(it.ID), it.Version)
		if name == "queue" {
			return given(condition.Text(it.Queue))
		}
		return condition.Number(float64(it.Priority)), true
	}
	if fact, known := conversationFact(&p.now, name); known {
		return given(fact)
	}
	return p.hostFact(name)
}

// hostFact is a fact of the host's own, told once.
func (p *pulledConversation) hostFact(name string) (condition.Fact, bool) {
	if p.host == nil {
		p.host = condition.Map{}
		if err := p.u.e.hostFacts(p.host, p.now); err != nil {
			p.u.e.log.Warn("the host's facts for triggers failed", "error", err)
		}
	}
	return p.host.Fact(name)
}

func given(f condition.Fact) (condition.Fact, bool) { return f, !f.Equal(condition.Fact{}) }

// Before implements condition.Changes. What is no part of the conversation's
// record has no past here.
func (p *pulledConversation) Before(name string) (condition.Fact, bool) {
	if fact, known := conversationFact(&p.before, name); known {
		if p.before.ID == "" {
			return condition.Fact{}, false
		}
		return given(fact)
	}
	return p.Fact(name)
}

// conversationFact is a fact of the record alone.
func conversationFact(c *conversation.Conversation, name string) (condition.Fact, bool) {
	if text, ok := conversationText(c, name); ok {
		return condition.Text(text), true
	}
	if at, ok := conversationTime(c, name); ok {
		return condition.Time(at), true
	}
	switch name {
	case "unread":
		return condition.Number(float64(c.Unread)), true
	case "rating":
		if c.Rating == nil {
			return condition.Fact{}, true
		}
		return condition.Number(float64(c.Rating.Score)), true
	case "tags":
		return condition.Set(c.Tags), true
	case "live":
		return condition.Bool(c.Live), true
	case "handled":
		return condition.Bool(c.Handled), true
	}
	if key, is := strings.CutPrefix(name, attributeField); is {
		return condition.Text(c.Attributes[key]), true
	}
	return condition.Fact{}, false
}

func conversationText(c *conversation.Conversation, name string) (string, bool) {
	switch name {
	case "state":
		return string(c.State), true
	case "control":
		return string(c.Control), true
	case "agent":
		return string(c.Agent), true
	case "last_agent":
		return string(c.LastAgent), true
	case "desk":
		return string(c.Desk), true
	case "work_stream":
		return string(c.WorkStream), true
	case "account":
		return string(c.Account), true
	case "channel":
		return string(c.Channel), true
	case "contact":
		return string(c.Contact), true
	case "language":
		return c.Language, true
	case "bot":
		return c.Bot, true
	case "bot.outcome":
		return string(c.BotOutcome), true
	case "category":
		return c.Category, true
	case "ended_by":
		return c.EndedBy, true
	case "end_reason":
		return c.EndReason, true
	case "memo":
		return c.Memo, true
	}
	return "", false
}

func conversationTime(c *conversation.Conversation, name string) (time.Time, bool) {
	switch name {
	case "opened":
		return c.OpenedAt, true
	case "queued":
		return c.QueuedAt, true
	case "assigned":
		return c.AssignedAt, true
	case "customer_at":
		return c.LastCustomerAt, true
	case "agent_at":
		return c.LastAgentAt, true
	case "message_at":
		return c.LastMessageAt, true
	case "updated":
		return c.UpdatedAt, true
	case "ended":
		return c.ClosedAt, true
	}
	return time.Time{}, false
}
