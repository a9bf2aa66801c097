package console

import (
	"cmp"
	"net/url"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
)

// A warm transfer, as the two who take part in it see it: whoever asks has a line
// above the composer, whoever is asked a card like that of an offer.

// consultReasons are the words for a no, in the order of the choice.
var consultReasons = []string{"busy", "not_mine", "leaving"}

// consultingView is an open question to somebody else.
type consultingView struct {
	ID    string
	Who   string // who is asked; empty while nobody of the queue can be
	Queue string
	Since string // RFC 3339
	Until string
}

// askedView is the card of a question to the agent.
func (q *request) askedView(d *sangdam.Directory, c conversation.Consultation) (offerView, error) {
	detail, err := q.engine.Conversation(q.r.Context(), q.p, c.Conversation)
	if err != nil {
		return offerView{}, err
	}
	v := q.cardOf(d, detail)
	v.stands(c.AgentAt, c.Until)
	v.ID, v.Path, v.AskedBy = c.ID, "/consultations/"+c.ID, agentName(d, c.By)
	v.Queue, v.Waited = d.Queues[c.Queue], q.since(c.At)
	v.Read = q.o.Prefix + "/conversations/" + url.PathEscape(string(c.Conversation))
	for _, m := range detail.Messages {
		if m.ID == c.Note {
			v.Note = m.Content.Text
		}
	}
	return v, nil
}

// consulting puts an open question, or how the last one ended, into the thread.
func (q *request) consulting(d *sangdam.Directory, c conversation.Conversation, v *threadView) {
	asked := c.Consultation
	if asked == nil {
		return
	}
	switch {
	case asked.State == conversation.ConsultationOpen && string(asked.Agent) == q.p.ID:
		if card, err := q.askedView(d, *asked); err == nil {
			v.Asked = &card
		}
	case asked.State == conversation.ConsultationOpen:
		v.Consulting = &consultingView{ID: asked.ID, Queue: d.Queues[asked.Queue], Since: asked.At.UTC().Format(time.RFC3339Nano),
			Until: asked.Until.UTC().Format(time.RFC3339Nano)}
		if asked.Agent != "" {
			v.Consulting.Who = agentName(d, asked.Agent)
		}
	case v.Mine && string(asked.By) == q.p.ID && c.LastAgentAt.Before(asked.EndedAt):
		v.Told = q.told(d, *asked)
	}
}

// told is what came of a question, for whoever asked and has not answered since;
// "" where that is no news.
func (q *request) told(d *sangdam.Directory, c conversation.Consultation) string {
	switch c.State {
	case conversation.ConsultationDeclined, conversation.ConsultationExpired, conversation.ConsultationGone:
	default:
		return ""
	}
	who := cmp.Or(d.Queues[c.Queue], string(c.Queue))
	if c.Queue == "" {
		who = agentName(d, c.Agent)
	}
	if c.State == conversation.ConsultationDeclined && c.Reason != "" {
		return q.lang.t("consult.told_why", who, q.lang.of("consult.reason", c.Reason))
	}
	return q.lang.t("consult.told."+string(c.State), who)
}

// consult asks before the conversation is handed over.
func (q *request) consult() error {
	c := sangdam.Consult{Key: q.key(), Conversation: q.chosen(), Agent: routing.AgentID(q.r.PostFormValue("agent")),
		Queue: routing.QueueID(q.r.PostFormValue("queue")), Desk: routing.DeskID(q.r.PostFormValue("desk")),
		Note: q.r.PostFormValue("note")}
	if _, err := q.engine.Consult(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/conversations/" + url.PathEscape(string(c.Conversation)) + "?view=" + q.viewOf())
}

func (q *request) acceptConsultation() error {
	owned, err := q.engine.AcceptConsultation(q.r.Context(), q.p,
		sangdam.AcceptConsultation{Key: q.key(), Consultation: q.r.PathValue("id")})
	if err != nil {
		return err
	}
	return q.done("/conversations/" + string(owned.Conversation) + "?view=mine")
}

func (q *request) declineConsultation() error {
	err := q.engine.DeclineConsultation(q.r.Context(), q.p, sangdam.DeclineConsultation{Key: q.key(),
		Consultation: q.r.PathValue("id"), Reason: q.r.PostFormValue("reason")})
	if err != nil {
		return err
	}
	if q.swaps() {
		return q.bar()
	}
	return q.done("/conversations")
}

func (q *request) withdrawConsultation() error {
	err := q.engine.WithdrawConsultation(q.r.Context(), q.p, sangdam.WithdrawConsultation{Key: q.key(),
		Consultation: q.r.PathValue("id")})
	if err != nil {
		return err
	}
	if id := q.r.PostFormValue("conversation"); id != "" && q.swaps() {
		return q.shown(conversation.ID(id))
	}
	return q.done(q.back("/conversations"))
}
