package sangdam_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger/condition"
)

// hiding is a host's policy that hides records one by one and allows everything
// else.
type hiding struct {
	records map[string]bool
	denies  bool // it says so of everything but reading, in words of its own
}

func (h *hiding) Authorize(_ context.Context, w sangdam.Who, a sangdam.Action, r sangdam.Resource) error {
	switch {
	case w.Kind != sangdam.KindAgent || !h.records[r.Kind+":"+r.ID]:
		return nil
	case h.denies && a != sangdam.ActRead:
		return fmt.Errorf("%s is not for you: %w", r.ID, sangdam.ErrPermissionDenied)
	}
	return sangdam.ErrNotFound
}

func (*hiding) Scope(sangdam.Who, string) sangdam.Scope { return sangdam.Scope{} }

// logs tell of what happened in the workspace, by rights of their own, and name
// the record that it happened to.
var logs = []string{"Audit", "Deliveries", "Delivery", "TriggerRuns"}

// aboutNobody are the queries of the set-up.
var aboutNobody = []string{"Accounts", "Agents", "CheckAccount", "CheckAnswer", "Configuration", "ConnectAccount", "ConversationViews",
	"DeskPicture", "Invitations", "Invite", "Invited", "Macros", "MailLayouts", "May", "NoticeToConfirm", "Plan", "QuickReplies",
	"Receivers", "Subscriptions", "Targets", "Templates", "TicketSetup", "TicketViews", "WouldHear"}

// takesKey says whether a method is a command.
func takesKey(m reflect.Method) bool {
	last := m.Type.In(m.Type.NumIn() - 1)
	if last.Kind() != reflect.Struct {
		return false
	}
	_, has := last.FieldByName("Key")
	return has
}

// answered is what a query shows, in one text.
func answered(v any, err error) string {
	raw, wrong := json.Marshal(v)
	if wrong != nil {
		return wrong.Error()
	}
	return fmt.Sprint(string(raw), err)
}

// file is what an attachment shows.
func file(a *sangdam.Attachment, err error) string {
	if err != nil {
		return err.Error()
	}
	defer func() { _ = a.Close() }()
	raw, err := io.ReadAll(a)
	return fmt.Sprint(a.Name, string(raw), err)
}

// Whoever may do everything and see all but one customer is told nothing of that
// customer by any query: no word, and no id but where a log of the workspace
// names whom it was about. The test walks the Engine's methods.
func TestHiddenRecordsAreInNoAnswer(t *testing.T) {
	var o outside
	policy := &hiding{}
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		_, cursor, err := w.eng.Events(w.ctx, w.host, "", 1)
		require.NoError(t, err)
		o.targets(w.world)
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		w.save(rule("words", when("message", condition.Contains, "card"), tag("x")),
			rule("others", when("message", condition.Contains, "nothing of it"), tag("x")))
		require.NoError(t, w.eng.TraceTriggers(w.ctx, w.host, sangdam.TraceTriggers{For: time.Hour}))
		who := w.person(&o)
		w.begun(w.line.User("Jun"), "I may be seen")
		who.user.SendText(marked + " is here again")
		w.pass(2 * time.Second)
		_, err = w.eng.TryTrigger(w.ctx, boss,
			sangdam.TryTrigger{Trigger: rule("words", when("message", condition.Contains, "again"), tag("y"))})
		require.NoError(t, err)
		w.settle()
		now := w.of(who.user)
		require.NotNil(t, now.Offer)
		had := w.detail(who.first)
		asking := queriesAbout(w, who, now, had, cursor)
		words := []string{marked, "canary@example.com", "5555-1234", card}
		ids := []string{string(who.first), string(who.contact), string(who.ticket), string(now.Conversation.ID),
			string(had.Messages[0].ID)}
		shown := 0
		for _, query := range asking {
			text := query(boss)
			if slices.ContainsFunc(append(words, ids...), func(about string) bool { return strings.Contains(text, about) }) {
				shown++
			}
		}
		require.Greater(t, shown, 30, "or this test asks for nothing")
		policy.records = map[string]bool{"conversation:" + ids[0]: true, "contact:" + ids[1]: true, "ticket:" + ids[2]: true,
			"conversation:" + ids[3]: true}
		others, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 200)
		require.NoError(t, err)
		for _, other := range others.Tickets { // what was merged and split has her words, too
			policy.records["ticket:"+string(other.ID)] = true
		}
		for name, query := range asking {
			text := query(boss)
			for _, word := range words {
				require.NotContains(t, text, word, name)
			}
			for _, id := range ids {
				require.True(t, !strings.Contains(text, id) || slices.Contains(logs, name), "%s names %s: %s", name, id, text)
			}
		}
		n, err := w.eng.CountConversations(w.ctx, boss, conversation.Filter{Contact: who.contact}, 0)
		require.NoError(t, err)
		require.Zero(t, n.N)
		n, err = w.eng.CountTickets(w.ctx, boss, sangdam.TicketFilter{Contact: who.contact})
		require.NoError(t, err)
		require.Zero(t, n.N)
		for m := range reflect.TypeFor[*sangdam.Engine]().Methods() {
			_, asked := asking[m.Name]
			asked = asked || !takesPrincipal(m) || takesKey(m) || slices.Contains(aboutNobody, m.Name)
			require.True(t, asked, "%s has no case here", m.Name)
		}
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}

// queriesAbout are all queries, asked about one customer.
func queriesAbout(w *replayWorld, who leaver, now, had sangdam.Detail, cursor string) map[string]func(p sangdam.Principal) string {
	e, ctx := w.eng, w.ctx
	id, open := who.first, now.Conversation.ID
	var picture conversation.MessageID
	for _, m := range had.Messages {
		if m.Content.Media != nil {
			picture = m.ID
		}
	}
	out := map[string]func(p sangdam.Principal) string{
		"Conversation":       func(p sangdam.Principal) string { return answered(e.Conversation(ctx, p, id)) },
		"Transcript":         func(p sangdam.Principal) string { return answered(e.Transcript(ctx, p, id, 0, 200)) },
		"EarlierMessages":    func(p sangdam.Principal) string { return answered(e.EarlierMessages(ctx, p, id, 0, 200)) },
		"ConversationEvents": func(p sangdam.Principal) string { return answered(e.ConversationEvents(ctx, p, id, 0, 200)) },
		"Conversations": func(p sangdam.Principal) string {
			return answered(e.Conversations(ctx, p, conversation.Filter{}, "", 200))
		},
		"CountConversations": func(p sangdam.Principal) string {
			return answered(e.CountConversations(ctx, p, conversation.Filter{Contact: who.contact}, 0))
		},
		"Search": func(p sangdam.Principal) string { return answered(e.Search(ctx, p, marked, 200)) },
		"Contact": func(p sangdam.Principal) string {
			c, is, err := e.Contact(ctx, p, who.contact)
			return answered([]any{c, is}, err)
		},
		"ContactNames":    func(p sangdam.Principal) string { return answered(e.ContactNames(ctx, p, who.contact)) },
		"FindContacts":    func(p sangdam.Principal) string { return answered(e.FindContacts(ctx, p, marked, 200)) },
		"CustomerSummary": func(p sangdam.Principal) string { return answered(e.CustomerSummary(ctx, p, who.contact)) },
		"Events": func(p sangdam.Principal) string {
			evs, _, err := e.Events(ctx, p, cursor, 1000)
			return answered(shownEvents(evs), err)
		},
		"Stream": func(p sangdam.Principal) string { return answered(shownEvents(w.stream(p, cursor)), nil) },
		"Attachment": func(p sangdam.Principal) string {
			return file(e.Attachment(ctx, p, sangdam.AttachmentRef{Message: picture}))
		},
		"Thumbnail": func(p sangdam.Principal) string {
			return file(e.Thumbnail(ctx, p, sangdam.AttachmentRef{Message: picture}))
		},
		"Explain": func(p sangdam.Principal) string { return answered(e.Explain(ctx, p, open)) },
		"ExplainDecision": func(p sangdam.Principal) string {
			return answered(e.ExplainDecision(ctx, p, routing.ItemID(open), w.now()))
		},
		"Place":         func(p sangdam.Principal) string { return answered(e.Place(ctx, p, open)) },
		"Preview":       func(p sangdam.Principal) string { return answered(e.Preview(ctx, p, open, channel.Text("x"))) },
		"RepliesFor":    func(p sangdam.Principal) string { return answered(e.RepliesFor(ctx, p, open, "")) },
		"MaskProposals": func(p sangdam.Principal) string { return answered(e.MaskProposals(ctx, p, open)) },
		"MacrosFor":     func(p sangdam.Principal) string { return answered(e.MacrosFor(ctx, p, "conversation", string(id))) },
		"ShowTyping":    func(p sangdam.Principal) string { return answered(nil, e.ShowTyping(ctx, p, id, time.Second)) },
		"MarkRead":      func(p sangdam.Principal) string { return answered(nil, e.MarkRead(ctx, p, id)) },
		"Queues":        func(p sangdam.Principal) string { return answered(e.Queues(ctx, p, 200)) },
		"Undelivered":   func(p sangdam.Principal) string { return answered(e.Undelivered(ctx, p)) },
		"Held":          func(p sangdam.Principal) string { return answered(e.Held(ctx, p, "a1")) },
		"Erasure":       func(p sangdam.Principal) string { return answered(e.Erasure(ctx, p, who.contact)) },
		"PlanErasure":   func(p sangdam.Principal) string { return answered(e.PlanErasure(ctx, p, who.contact)) },
	}
	for name, query := range queriesAboutTickets(w, who) {
		out[name] = query
	}
	for name, query := range queriesOfTheWorkspace(w) {
		out[name] = query
	}
	return out
}

// shownEvents are those that do not only say that something is not to be seen.
func shownEvents(evs []store.Event) (out []store.Event) {
	for _, ev := range evs {
		if ev.Kind != sangdam.KindGone {
			out = append(out, ev)
		}
	}
	return out
}

func queriesAboutTickets(w *replayWorld, who leaver) map[string]func(p sangdam.Principal) string {
	e, ctx, id := w.eng, w.ctx, who.ticket
	var blob string
	seen, err := e.Ticket(ctx, w.host, id)
	require.NoError(w.t, err)
	for _, f := range seen.Files {
		blob = f.Blob
	}
	list, err := e.Bulks(ctx, w.host, 10)
	require.NoError(w.t, err)
	return map[string]func(p sangdam.Principal) string{
		"Ticket":        func(p sangdam.Principal) string { return answered(e.Ticket(ctx, p, id)) },
		"TicketHistory": func(p sangdam.Principal) string { return answered(e.TicketHistory(ctx, p, id, 0, 200)) },
		"TicketChat":    func(p sangdam.Principal) string { return answered(e.TicketChat(ctx, p, id, 0, 200)) },
		"TicketFile":    func(p sangdam.Principal) string { return file(e.TicketFile(ctx, p, id, blob)) },
		"CommentFiles":  func(p sangdam.Principal) string { return answered(e.CommentFiles(ctx, p, id)) },
		"TicketNames":   func(p sangdam.Principal) string { return answered(e.TicketNames(ctx, p, id)) },
		"Tickets": func(p sangdam.Principal) string {
			return answered(e.Tickets(ctx, p, sangdam.TicketFilter{}, "", 200))
		},
		"CountTickets": func(p sangdam.Principal) string {
			return answered(e.CountTickets(ctx, p, sangdam.TicketFilter{Contact: who.contact}))
		},
		"SearchTickets":   func(p sangdam.Principal) string { return answered(e.SearchTickets(ctx, p, marked, "", 200)) },
		"TicketProposals": func(p sangdam.Principal) string { return answered(e.TicketProposals(ctx, p, id)) },
		"RevealTicketField": func(p sangdam.Principal) string {
			return answered(e.RevealTicketField(ctx, p, id, "card"))
		},
		"Bulks":        func(p sangdam.Principal) string { return answered(e.Bulks(ctx, p, 200)) },
		"BulkProgress": func(p sangdam.Principal) string { return answered(e.BulkProgress(ctx, p, list[0].ID)) },
	}
}

// queriesOfTheWorkspace are about no record, or about all.
func queriesOfTheWorkspace(w *replayWorld) map[string]func(p sangdam.Principal) string {
	e, ctx := w.eng, w.ctx
	backup := func(p sangdam.Principal) string {
		if err := errOf(e.BackUp(ctx, p, sangdam.BackUp{})); err != nil {
			return err.Error()
		}
		made := w.backup(p)
		var to bytes.Buffer
		err := e.WriteBackup(ctx, p, made.ID, &to)
		return fmt.Sprint(to.String(), err)
	}
	return map[string]func(p sangdam.Principal) string{
		"Backups":     func(p sangdam.Principal) string { return answered(e.Backups(ctx, p)) },
		"WriteBackup": backup,
		"Deliveries": func(p sangdam.Principal) string {
			return answered(e.Deliveries(ctx, p, sangdam.DeliveryFilter{Target: "hook"}, "", 200))
		},
		"Delivery": func(p sangdam.Principal) string { return answered(e.Delivery(ctx, p, w.deliveries("hook")[0].ID)) },
		"Triggers": func(p sangdam.Principal) string { return answered(e.Triggers(ctx, p, "conversation")) },
		"TriggerRuns": func(p sangdam.Principal) string {
			return answered(e.TriggerRuns(ctx, p, sangdam.TriggerRunFilter{Trigger: "words"}, "", 200))
		},
		"Trials": func(p sangdam.Principal) string { return answered(e.Trials(ctx, p, "words")) },
		"Trial": func(p sangdam.Principal) string {
			list, err := e.Trials(ctx, p, "words")
			require.NoError(w.t, err)
			return answered(e.Trial(ctx, p, list[0].ID))
		},
		"Trouble":     func(p sangdam.Principal) string { return answered(e.Trouble(ctx, p, 200)) },
		"Jobs":        func(p sangdam.Principal) string { return answered(e.Jobs(ctx, p, 200)) },
		"Quarantined": func(p sangdam.Principal) string { return answered(e.Quarantined(ctx, p, 200)) },
		"Load":        func(p sangdam.Principal) string { return answered(e.Load(ctx, p)) },
		"Audit":       func(p sangdam.Principal) string { return answered(e.Audit(ctx, p, 0, 1000)) },
		"Directory":   func(p sangdam.Principal) string { return answered(e.Directory(ctx, p)) },
	}
}

// Whatever is tried on a record that is hidden, by whichever command, the refusal
// is the one for a record that is not there. The test walks the table.
func TestCommandsOnHiddenRecordsSayThatThereIsNone(t *testing.T) {
	var o outside
	policy := &hiding{}
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		who := w.person(&o)
		who.user.SendText(marked + " is here again")
		w.settle()
		now := w.of(who.user)
		policy.records = map[string]bool{"conversation:" + string(who.first): true, "contact:" + string(who.contact): true,
			"ticket:" + string(who.ticket): true, "conversation:" + string(now.Conversation.ID): true}
		hidden := map[reflect.Type]string{
			reflect.TypeFor[conversation.ID]():         string(now.Conversation.ID),
			reflect.TypeFor[conversation.ContactID]():  string(who.contact),
			reflect.TypeFor[conversation.MessageID]():  string(now.Messages[0].ID),
			reflect.TypeFor[conversation.IdentityID](): string(now.Identities[0].ID),
			reflect.TypeFor[ticket.ID]():               string(who.ticket),
			reflect.TypeFor[routing.OfferID]():         string(now.Offer.ID),
		}
		boss := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleAdministrator)
		for _, policy.denies = range []bool{false, true} {
			tried := 0
			for _, op := range sangdam.Operations() {
				if there, about := commandAbout(op, hidden); about {
					none, _ := commandAbout(op, nil)
					err := w.give(op, boss, there)
					require.Error(t, err, op.Method)
					require.Equal(t, w.give(op, boss, none).Error(), err.Error(), op.Method)
					tried++
				}
			}
			require.Greater(t, tried, 30)
		}
	}, withOutside(&o), withStream(asking), withConfig(func(c *sangdam.Config) { c.Policy = policy }))
}

// commandAbout is the command of an operation about the records, or about such as are
// not there, with something plausible in its other fields. about says whether
// it is about any.
func commandAbout(op sangdam.Operation, records map[reflect.Type]string) (body reflect.Value, about bool) {
	m, _ := reflect.TypeFor[*sangdam.Engine]().MethodByName(op.Method)
	body = reflect.New(m.Type.In(3)).Elem()
	title := "x"
	plausible := map[string]any{"Text": "x", "Content": channel.Text("x"), "Agent": routing.AgentID("a1"), "Reason": "asked",
		"Version": int64(1), "Title": "x", "Spans": []privacy.Span{{Start: 0, End: 1}}, "Confirm": true, "Name": "x", "Entry": int64(1),
		"Change": sangdam.TicketChange{Title: &title}, "Comment": &sangdam.TicketComment{Text: "x"}, "Final": true, "Macro": "x",
		"Part": ticket.TitlePart, "Mask": "x", "Account": channel.AccountID("x"), "User": channel.ProviderUserID("u"), "Memo": "x"}
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		for i := range v.NumField() {
			f, name := v.Field(i), v.Type().Field(i).Name
			is, record := records[f.Type()], false
			switch f.Type() {
			case reflect.TypeFor[conversation.ID](), reflect.TypeFor[conversation.ContactID](), reflect.TypeFor[conversation.MessageID](),
				reflect.TypeFor[conversation.IdentityID](), reflect.TypeFor[ticket.ID](), reflect.TypeFor[routing.OfferID]():
				record = true
			}
			switch value, has := plausible[name]; {
			case record:
				about = true
				if is == "" {
					is = "none"
				}
				f.SetString(is)
			case has && reflect.TypeOf(value) == f.Type():
				f.Set(reflect.ValueOf(value))
			case f.Kind() == reflect.Struct && name == "Contact":
				fill(f)
			}
		}
	}
	fill(body)
	if op.Method == "Upload" {
		body.FieldByName("Body").Set(reflect.ValueOf(strings.NewReader("x")))
	}
	return body, about
}

// give gives the command to the Engine.
func (w *world) give(op sangdam.Operation, p sangdam.Principal, body reflect.Value) error {
	out := reflect.ValueOf(w.eng).MethodByName(op.Method).Call([]reflect.Value{reflect.ValueOf(w.ctx), reflect.ValueOf(p), body})
	err, _ := out[len(out)-1].Interface().(error)
	return err
}
