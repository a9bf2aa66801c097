package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// number is a numeric parameter; 0 for none.
func (q *request) number(name string) int64 {
	n, _ := strconv.ParseInt(q.r.FormValue(name), 10, 64) // what is no number is none
	return n
}

// chosen is the conversation of the path.
func (q *request) chosen() conversation.ID { return conversation.ID(q.r.PathValue("id")) }

// shown leads back to the conversation after a command.
func (q *request) shown(id conversation.ID) error {
	if q.asJSON() {
		q.json(http.StatusOK, map[string]string{"conversation": string(id)})
		return nil
	}
	return q.done("/conversations/" + url.PathEscape(string(id)) + "?view=" + q.viewOf())
}

// posted answers the composer.
func (q *request) posted(p sangdam.Posted) error {
	if q.asJSON() {
		q.json(http.StatusOK, p)
		return nil
	}
	return q.shown(p.Conversation)
}

// answer sends what the composer holds. The key is the browser's own, made when
// the button was pressed: whatever is repeated is sent once.
func (q *request) answer() error {
	content, err := q.content()
	if err != nil {
		return err
	}
	p, err := q.engine.Answer(q.r.Context(), q.p, sangdam.Answer{Key: q.key(), Conversation: q.chosen(), Content: content,
		ThenWait: q.r.PostFormValue("then") == "wait", Hold: q.undoFor()})
	if err != nil {
		return err
	}
	return q.posted(p)
}

// undoFor is how long an answer is held, so that it can be taken back: 5 seconds
// unless the agent switched that off.
func (q *request) undoFor() time.Duration {
	if cookie(q.r, cookieUndo, "on") == "off" {
		return 0
	}
	return 5 * time.Second
}

// unsend takes an answer back while it is held.
func (q *request) unsend() error {
	p, err := q.engine.Unsend(q.r.Context(), q.p, sangdam.Unsend{Key: q.key(), Message: conversation.MessageID(q.r.PathValue("id"))})
	if err != nil {
		return err
	}
	return q.posted(p)
}

// askRating asks the customer of an ended conversation for a rating.
func (q *request) askRating() error {
	if _, err := q.engine.AskRating(q.r.Context(), q.p, sangdam.AskRating{Key: q.key(), Conversation: q.chosen()}); err != nil {
		return err
	}
	return q.shown(q.chosen())
}

func (q *request) note() error {
	p, err := q.engine.AddNote(q.r.Context(), q.p, sangdam.AddNote{Key: q.key(), Conversation: q.chosen(), Text: q.r.PostFormValue("text")})
	if err != nil {
		return err
	}
	return q.posted(p)
}

// typing shows the customer that an answer is being written. Channels that
// cannot are no error: nobody asked for it by a button.
func (q *request) typing() error {
	err := q.engine.ShowTyping(q.r.Context(), q.p, q.chosen(), 5*time.Second)
	if err != nil && !errors.Is(err, sangdam.ErrUnsupported) && !errors.Is(err, sangdam.ErrUnavailable) {
		return err
	}
	q.w.WriteHeader(http.StatusNoContent)
	return nil
}

func (q *request) take() error {
	if _, err := q.engine.Pick(q.r.Context(), q.p, sangdam.Pick{Key: q.key(), Conversation: q.chosen()}); err != nil {
		return err
	}
	return q.done("/conversations/" + url.PathEscape(string(q.chosen())) + "?view=mine")
}

// transfer hands a conversation to whom the form names: "agent:…", "queue:…" or
// "desk:…", at once or after asking. A note that goes with it is written first, so
// that whoever receives it finds it.
func (q *request) transfer() error {
	c := sangdam.Transfer{Key: q.key(), Conversation: q.chosen(), Agent: routing.AgentID(q.r.PostFormValue("agent")),
		Queue: routing.QueueID(q.r.PostFormValue("queue")), Desk: routing.DeskID(q.r.PostFormValue("desk"))}
	if c.Agent == "" && c.Queue == "" && c.Desk == "" {
		return errs.New(errs.Invalid, "console: %s", q.lang.t("transfer.nobody"))
	}
	if q.r.PostFormValue("how") == "ask" {
		return q.consult()
	}
	if text := q.r.PostFormValue("note"); text != "" {
		note := sangdam.AddNote{Conversation: c.Conversation, Text: text}
		if c.Key != "" {
			note.Key = c.Key + ":note"
		}
		if _, err := q.engine.AddNote(q.r.Context(), q.p, note); err != nil {
			return err
		}
	}
	if _, err := q.engine.Transfer(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/conversations?view=" + q.viewOf())
}

func (q *request) wait() error {
	if _, err := q.engine.Wait(q.r.Context(), q.p,
		sangdam.Wait{Key: q.key(), Conversation: q.chosen(), Seen: q.number("seen")}); err != nil {
		return err
	}
	return q.shown(q.chosen())
}

func (q *request) end() error {
	c := sangdam.End{Key: q.key(), Conversation: q.chosen(), Reason: q.r.PostFormValue("reason"), Seen: q.number("seen"),
		Unrated: q.checked("asks") && !q.checked("rate")}
	if _, err := q.engine.End(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.shown(q.chosen())
}

func (q *request) reopen() error {
	if _, err := q.engine.Reopen(q.r.Context(), q.p, sangdam.Reopen{Key: q.key(), Conversation: q.chosen()}); err != nil {
		return err
	}
	return q.shown(q.chosen())
}

func (q *request) resend() error {
	p, err := q.engine.Resend(q.r.Context(), q.p, sangdam.Resend{Key: q.key(), Message: conversation.MessageID(q.r.PathValue("id"))})
	if err != nil {
		return err
	}
	return q.shown(p.Conversation)
}

// fetch asks for an attachment again.
func (q *request) fetch() error {
	err := q.engine.FetchMedia(q.r.Context(), q.p, sangdam.FetchMedia{Key: q.key(), Message: conversation.MessageID(q.r.PathValue("id"))})
	if err != nil {
		return err
	}
	return q.shown(conversation.ID(q.r.PostFormValue("conversation")))
}
