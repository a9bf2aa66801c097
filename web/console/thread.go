package console

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// eventsShown is how far back in a conversation's record the thread looks.
const eventsShown = 600

// threadView is one conversation.
type threadView struct {
	ID, View       string
	Name, Initial  string
	Tint           int
	Kind, Account  string
	Desk, Stream   string
	State          string
	Agent          string
	Mine           bool
	Bot            bool
	Queue          string
	Waited         string
	Seq            int64
	Contact        string
	Items          []itemView
	Earlier        string // address of earlier messages
	Offer          *offerView
	Asked          *offerView      // whether to take it over
	Consulting     *consultingView // whoever else is asked
	Told           string          // what came of asking
	Warnings       []string        // of a macro that could not do all of it
	Can            abilities
	Masking        maskingView
	Outlook        outlookView
	Agents         []choice
	Queues, Desks  []choice
	Panel          panelView
	Back           string
	EndedBy, Ended string
	EndedHow       string // in words, where nobody chose the reason
	Rating         *conversation.Rating
	Stars          string // of the rating
	Names          string // JSON: who else may be writing, by id
	AsOf           string
}

// abilities are the buttons that make sense now; the Engine decides in the end.
type abilities struct {
	Answer, Note, Take, Transfer, Wait, End, Reopen, Explain, Attach, AskRating bool
}

// itemView is a line of the thread: a day, an event, or a message.
type itemView struct {
	Kind    string // day, event, unread, message
	Key     string // unique in the thread, for morphing
	Text    string
	Time    string
	Full    string
	Message *messageView
}

// outlookView says what an answer would cost now.
type outlookView struct {
	Refused    string
	Metered    bool
	ReplyUntil string
	MaxChars   int
	Note       string
}

// thread reads one conversation with all that stands around it.
func (q *request) thread(id conversation.ID) (*threadView, error) {
	ctx := q.r.Context()
	detail, err := q.engine.Conversation(ctx, q.p, id)
	if err != nil {
		return nil, err
	}
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	c := detail.Conversation
	if q.masks, err = q.engine.MaskProposals(ctx, q.p, id); err != nil {
		return nil, err
	}
	v := q.headOf(d, detail)
	v.View = q.viewOf()
	v.Masking = maskingView{On: q.masks.Mask, Reveal: q.masks.Reveal}
	v.Back, v.Warnings = q.listURL(v.View, "", 0), q.leftWord().Warnings
	events, err := q.record(id, detail)
	if err != nil {
		return nil, err
	}
	v.Items = q.items(d, detail.Messages, events)
	if detail.Earlier {
		v.Earlier = fmt.Sprintf("%s/conversations/%s/earlier?before=%d", q.o.Prefix, id, detail.Messages[0].Seq)
	}
	if o := detail.Offer; o != nil && string(o.Agent) == q.p.ID && o.State == routing.OfferPending {
		if ov, err := q.offerView(d, *o); err == nil {
			v.Offer = &ov
		}
	}
	v.Can = q.abilities(c, d)
	q.consulting(d, c, v)
	if v.Can.Answer {
		v.Outlook = q.outlook(id)
	}
	q.targets(d, c, v)
	v.Panel = q.panel(d, detail)
	return v, nil
}

// headOf is what stands above a thread.
func (q *request) headOf(d *sangdam.Directory, detail sangdam.Detail) *threadView {
	c := detail.Conversation
	name := ""
	if detail.Contact != nil {
		name = detail.Contact.Name
	}
	name = q.customer(c, name)
	v := &threadView{ID: string(c.ID), Name: name, Initial: initial(name), Tint: tintOf(c),
		Kind: string(c.Channel), Account: d.Accounts[c.Account].Name, Desk: d.Desks[c.Desk], Stream: d.WorkStreams[c.WorkStream],
		State: string(c.State), Mine: c.Agent != "" && string(c.Agent) == q.p.ID, Bot: byBot(c),
		Seq: c.EventSeq, Contact: string(c.Contact), Rating: c.Rating, AsOf: q.now.In(q.zone).Format("15:04:05")}
	if c.Rating != nil {
		v.Stars = stars(c.Rating.Score)
	}
	v.Names = q.colleagues(d, c.Desk)
	if c.Agent != "" {
		v.Agent = agentName(d, c.Agent)
	}
	over := c.State.Ended()
	if how := q.lang.of("ended", c.EndReason); how != c.EndReason && over {
		v.EndedHow = how
	}
	if c.State == conversation.StateClosed {
		v.EndedBy, v.Ended = c.EndedBy, q.full(c.ClosedAt)
	}
	if it := detail.Item; it != nil && it.State.Waits() {
		v.Queue, v.Waited = d.Queues[it.Queue], q.since(it.QueuedAt)
	}
	return v
}

// stars shows a score of five.
func stars(score int) string {
	score = min(max(score, 0), 5)
	return strings.Repeat("★", score) + strings.Repeat("☆", 5-score)
}

// colleagues are the others of a desk by id: the event of somebody's writing
// names no names.
func (q *request) colleagues(d *sangdam.Directory, desk routing.DeskID) string {
	names := map[string]string{}
	for _, id := range d.Members[desk] {
		if string(id) != q.p.ID {
			names[string(id)] = agentName(d, id)
		}
	}
	raw, err := json.Marshal(names)
	if err != nil {
		return "{}"
	}
	return string(raw)
}

// leads says that the principal acts by its role on what others own.
func (q *request) leads() bool {
	return slices.Contains(q.p.Roles, sangdam.RoleSupervisor) || slices.Contains(q.p.Roles, sangdam.RoleAdministrator)
}

func (q *request) abilities(c conversation.Conversation, d *sangdam.Directory) abilities {
	mine := c.Agent != "" && string(c.Agent) == q.p.ID
	may := mine || q.leads()
	open := c.State.HoldsThread()
	if !c.ErasedAt.IsZero() {
		return abilities{Explain: !c.AssignedAt.IsZero()}
	}
	return abilities{
		Answer:   mine && c.State != conversation.StateClosed,
		Note:     true,
		Take:     !mine && open && c.Agent == "",
		Transfer: may && open,
		Wait:     mine && c.State == conversation.StateActive,
		End:      may && c.State != conversation.StateClosed,
		Reopen:   c.State == conversation.StateClosed && !c.Live && c.MergedInto == "",
		Explain:  c.State != conversation.StateClosed || !c.AssignedAt.IsZero(),
		Attach:   d.Accounts[c.Account].AgentAttachments,
		AskRating: c.State == conversation.StateClosed && c.Handled && c.Channel != "webchat" && !c.RatedThisEnd() &&
			!c.RatingAsked.Equal(c.Closure()),
	}
}

// outlook asks what would become of a text; trouble in asking is no trouble for
// the thread.
func (q *request) outlook(id conversation.ID) outlookView {
	out, err := q.engine.Preview(q.r.Context(), q.p, id, channel.Text("?"))
	if err != nil {
		return outlookView{}
	}
	v := outlookView{Refused: plainWordsOf(out.Refused), Metered: out.Metered, Note: out.Note}
	if !out.ReplyUntil.IsZero() {
		v.ReplyUntil = out.ReplyUntil.UTC().Format(time.RFC3339)
	}
	return v
}

func plainWordsOf(s string) string { return strings.TrimPrefix(s, "sangdam: ") }

// targets are whom a conversation can be handed to.
func (q *request) targets(d *sangdam.Directory, c conversation.Conversation, v *threadView) {
	if !v.Can.Transfer {
		return
	}
	for _, a := range d.Agents {
		if a.Disabled || a.ID == c.Agent || !slices.Contains(d.Members[c.Desk], a.ID) {
			continue
		}
		v.Agents = append(v.Agents,
			choice{Value: string(a.ID), Label: agentName(d, a.ID) + " · " + q.lang.of("presence", string(a.Presence))})
	}
	v.Queues = q.queueChoices(d, none)
	v.Desks = slices.DeleteFunc(usable(q, d.Desks, d.RetiredDesks, none), func(o choice) bool { return o.Value == string(c.Desk) })
}

func sortedKeys[K ~string, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// record reads the conversation's events since the first message that is shown.
func (q *request) record(id conversation.ID, detail sangdam.Detail) ([]conversation.Event, error) {
	after := max(detail.Conversation.EventSeq-eventsShown, 0)
	if detail.Earlier && len(detail.Messages) > 0 {
		after = max(after, detail.Messages[0].Seq-1)
	}
	var out []conversation.Event
	for {
		some, err := q.engine.ConversationEvents(q.r.Context(), q.p, id, after, 200)
		if err != nil || len(some) == 0 {
			return out, err
		}
		out, after = append(out, some...), some[len(some)-1].Seq
		if len(some) < 200 {
			return out, nil
		}
	}
}

// items weaves messages, events and days into one thread.
func (q *request) items(d *sangdam.Directory, messages []conversation.Message, events []conversation.Event) []itemView {
	type line struct {
		seq  int64
		at   time.Time
		item itemView
	}
	var lines []line
	unread := firstUnread(messages)
	for i := range messages {
		m := &messages[i]
		if i == unread {
			lines = append(lines, line{m.Seq - 1, m.At, itemView{Kind: "unread", Key: "unread", Text: q.lang.t("thread.unread")}})
		}
		lines = append(lines,
			line{m.Seq, m.At, itemView{Kind: "message", Key: "m-" + string(m.ID), Message: q.messageView(d, m, messages)}})
	}
	for _, e := range events {
		if text := q.eventText(d, e); text != "" {
			lines = append(lines, line{e.Seq, e.At, itemView{Kind: "event", Key: fmt.Sprintf("e-%d", e.Seq), Text: text,
				Time: q.clock(e.At), Full: q.full(e.At)}})
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int { return cmp.Compare(a.seq, b.seq) })
	var out []itemView
	last := ""
	for _, l := range lines {
		if day := l.at.In(q.zone).Format(time.DateOnly); day != last && !l.at.IsZero() {
			last = day
			out = append(out, itemView{Kind: "day", Key: "d-" + day, Text: q.day(l.at)})
		}
		out = append(out, l.item)
	}
	return out
}

// firstUnread is the place of the customer's first message since the last
// answer; -1 where nothing waits, or nothing was answered yet.
func firstUnread(messages []conversation.Message) int {
	answered := -1
	for i, m := range messages {
		if m.Direction == conversation.Outbound && m.Author.Kind == conversation.ByAgent {
			answered = i
		}
	}
	if answered < 0 {
		return -1
	}
	for i := answered + 1; i < len(messages); i++ {
		if messages[i].Direction == conversation.Inbound {
			return i
		}
	}
	return -1
}

// eventText puts an event into words; "" for those that are not shown.
func (q *request) eventText(d *sangdam.Directory, e conversation.Event) string {
	who := q.actor(d, e.Actor)
	to, from := strings.TrimPrefix(e.To, "agent:"), strings.TrimPrefix(e.From, "agent:")
	switch e.Kind {
	case conversation.EvReopened, conversation.EvMask, conversation.EvUnmask:
		return q.lang.t("event."+string(e.Kind), who)
	case conversation.EvRated:
		if score, err := strconv.Atoi(e.To); err == nil {
			return q.lang.t("event.rated_score", stars(score))
		}
		return q.lang.t("event.rated_comment")
	case conversation.EvOpened, conversation.EvMerged, conversation.EvLinked, conversation.EvLeft, conversation.EvBack:
		return q.lang.t("event." + string(e.Kind))
	case conversation.EvQueued:
		return q.lang.t("event.queued", cmp.Or(d.Queues[routing.QueueID(e.To)], e.To))
	case conversation.EvOffered:
		return q.lang.t("event.offered", agentName(d, routing.AgentID(to)))
	case conversation.EvOffer:
		return q.lang.t("event.offer_ended", agentName(d, routing.AgentID(from)), q.lang.of("offer", e.To))
	case conversation.EvAssigned:
		return q.lang.t("event.assigned", agentName(d, routing.AgentID(to)))
	case conversation.EvConsult:
		if queue, is := strings.CutPrefix(e.To, "queue:"); is {
			return q.lang.t("event.consult_queue", agentName(d, routing.AgentID(from)), cmp.Or(d.Queues[routing.QueueID(queue)], queue))
		}
		return q.lang.t("event.consult", agentName(d, routing.AgentID(from)), agentName(d, routing.AgentID(to)))
	case conversation.EvConsultEnded:
		if queue, is := strings.CutPrefix(e.From, "queue:"); is {
			return q.lang.t("event.consult_ended", cmp.Or(d.Queues[routing.QueueID(queue)], queue), q.lang.of("consult", e.To))
		}
		return q.lang.t("event.consult_ended", agentName(d, routing.AgentID(from)), q.lang.of("consult", e.To))
	case conversation.EvReleased:
		return q.lang.t("event.released", agentName(d, routing.AgentID(from)))
	case conversation.EvDesk:
		desk := routing.DeskID(strings.TrimPrefix(e.To, "desk:"))
		return q.lang.t("event.desk", cmp.Or(d.Desks[desk], string(desk)))
	case conversation.EvState:
		if conversation.State(e.To) == conversation.StateActive || conversation.State(e.To) == conversation.StateOpen {
			return "" // the line about the agent or the queue says it
		}
		return q.lang.t("event.state", who, q.lang.of("state", e.To))
	case conversation.EvControl:
		switch {
		case e.To == string(conversation.ControlBot):
			return q.lang.t("event.bot")
		case e.To == string(conversation.ControlProvider):
			return q.lang.t("event.provider")
		case e.From == string(conversation.ControlProvider):
			return q.lang.t("event.provider_back")
		}
	}
	return ""
}

// byBot says that a bot has the word, ours or the provider's.
func byBot(c conversation.Conversation) bool {
	return c.Control == conversation.ControlBot || c.Control == conversation.ControlProvider
}

// actor is who did something, in words.
func (q *request) actor(d *sangdam.Directory, actor string) string {
	kind, id, _ := strings.Cut(actor, ":")
	switch kind {
	case "agent":
		return agentName(d, routing.AgentID(id))
	case "bot":
		return q.lang.t("actor.bot")
	case "customer", "system", "trigger", "host":
		return q.lang.t("actor." + kind)
	}
	return actor
}

// earlier is the part of a thread before what was shown.
func (q *request) earlier() error {
	id := conversation.ID(q.r.PathValue("id"))
	before := q.number("before")
	masks, err := q.engine.MaskProposals(q.r.Context(), q.p, id)
	if err != nil {
		return err
	}
	q.masks = masks
	messages, err := q.engine.EarlierMessages(q.r.Context(), q.p, id, before, 100)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	v := threadView{ID: string(id), Items: q.items(d, messages, nil)}
	if len(messages) == 100 {
		v.Earlier = fmt.Sprintf("%s/conversations/%s/earlier?before=%d", q.o.Prefix, id, messages[0].Seq)
	}
	q.part(http.StatusOK, "earlier", v)
	return nil
}
