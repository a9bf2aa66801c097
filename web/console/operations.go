package console

import (
	"cmp"
	"net/http"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// operationsView is what went wrong and what can be done about it.
type operationsView struct {
	Quarantine  []quarantineView
	Jobs        []jobView
	Undelivered []undeliveredView
}

type quarantineView struct {
	ID, Account, Reason, When, Came string
	Size                            string
}

type jobView struct {
	ID, Kind, Reason, Created string
	Attempts                  int
}

type undeliveredView struct {
	Row    rowView
	Text   string
	Status string
	Reason string
	When   string
	ID     string
}

// operations is the page of what went wrong. Raw events are not shown: they
// hold what customers wrote.
func (q *request) operations() error {
	ctx := q.r.Context()
	d, err := q.directory()
	if err != nil {
		return err
	}
	trouble, err := q.engine.Trouble(ctx, q.p, 100)
	if err != nil {
		return err
	}
	v := q.troubleView(d, trouble)
	lost, err := q.engine.Undelivered(ctx, q.p)
	if err != nil {
		return err
	}
	for _, l := range lost {
		rows, err := q.rowViews(d, []conversation.Conversation{l.Conversation}, "all", "")
		if err != nil {
			return err
		}
		v.Undelivered = append(v.Undelivered, undeliveredView{Row: rows[0], Text: conversation.Preview(l.Message.Content),
			ID: string(l.Message.ID), Status: string(l.Message.Status), Reason: q.lang.of("reason", string(l.Message.Reason)),
			When: q.full(l.Message.At)})
	}
	q.page(http.StatusOK, "operations", q.lang.t("nav.operations"), "operations", v)
	return nil
}

// troubleView shows events that were set aside and jobs that were given up.
func (q *request) troubleView(d *sangdam.Directory, trouble sangdam.Trouble) (v operationsView) {
	for _, b := range trouble.Quarantined {
		account := cmp.Or(d.Accounts[b.Envelope.Account].Name, string(b.Envelope.Account))
		v.Quarantine = append(v.Quarantine, quarantineView{ID: string(b.Envelope.ID), Account: account,
			Reason: b.Reason, When: q.full(b.At), Came: q.full(b.Envelope.ReceivedAt), Size: q.size(int64(len(b.Envelope.Raw)))})
	}
	for _, j := range trouble.Dead {
		v.Jobs = append(v.Jobs, jobView{ID: j.ID, Kind: q.lang.of("job", j.Kind), Reason: j.Reason, Created: q.full(j.CreatedAt),
			Attempts: j.Attempts})
	}
	return v
}

// requeue tries a quarantined event again.
func (q *request) requeue() error {
	c := sangdam.Requeue{Key: q.key(), Envelope: channel.EnvelopeID(q.r.PathValue("id"))}
	if err := q.engine.Requeue(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/operations")
}

// retryJob has work that was given up done again.
func (q *request) retryJob() error {
	c := sangdam.RetryJob{Key: q.key(), Job: q.r.PathValue("id")}
	if err := q.engine.RetryJob(q.r.Context(), q.p, c); err != nil {
		return err
	}
	return q.done("/operations")
}
