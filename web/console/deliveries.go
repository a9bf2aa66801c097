package console

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
)

// deliveriesShown are the deliveries on one page.
const deliveriesShown = 50

// deliveriesView is the log of what went to a target, newest first.
type deliveriesView struct {
	Target, State string
	Targets       []choice
	States        []choice
	Rows          []deliveryRow
	Next          string
	Asked         bool   // a replay was asked for
	From, To      string // of a replay
	Trouble       *trouble
}

type deliveryRow struct {
	ID, Event, Record, State, Word, Reason, Queued, Next string
	Tries                                                int
}

// deliveryStates are those that the list may be limited to. One that is being sent
// is still queued in the log.
var deliveryStates = []channel.OutboxState{channel.OutboxQueued, channel.OutboxSent, channel.OutboxFailed, channel.OutboxUnknown}

func deliveriesOf(t notify.TargetID) string {
	return "/operations/deliveries?target=" + escaped(string(t))
}

func (q *request) deliveries() error { return q.showDeliveries(nil) }

// showDeliveries is the page; wrong is what was wrong with a replay that somebody
// asked for.
func (q *request) showDeliveries(wrong error) error {
	v := deliveriesView{Target: q.r.FormValue("target"), State: q.r.FormValue("state"), Asked: q.r.FormValue("asked") != ""}
	var err error
	if v.Targets, err = q.targetChoices("", notify.TargetID(v.Target)); err != nil {
		return err
	}
	if v.Target == "" && len(v.Targets) > 0 {
		v.Target, v.Targets[0].Chosen = v.Targets[0].Value, true
	}
	for _, s := range deliveryStates {
		v.States = append(v.States, choice{string(s), q.lang.of("delivery", string(s)), string(s) == v.State})
	}
	if v.From, v.To = q.lastHour(); wrong != nil {
		v.From, v.To = q.value("from"), q.value("to")
	}
	if v.Target != "" {
		if err := q.deliveryRows(&v); err != nil {
			return err
		}
	}
	var status int
	if v.Trouble, status, err = q.mistake(wrong); err != nil {
		return err
	}
	q.page(status, "deliveries", q.lang.t("deliveries.title"), "operations", v)
	return nil
}

func (q *request) deliveryRows(v *deliveriesView) error {
	f := sangdam.DeliveryFilter{Target: notify.TargetID(v.Target), State: channel.OutboxState(v.State), Newest: true}
	page, err := q.engine.Deliveries(q.r.Context(), q.p, f, q.r.FormValue("page"), deliveriesShown)
	if err != nil {
		return err
	}
	for _, d := range page.Deliveries {
		v.Rows = append(v.Rows, q.deliveryRow(d))
	}
	if page.Next != "" {
		v.Next = "/operations/deliveries?" + url.Values{"target": {v.Target}, "state": {v.State}, "page": {page.Next}}.Encode()
	}
	return nil
}

func (q *request) deliveryRow(d sangdam.Delivery) deliveryRow {
	r := deliveryRow{ID: d.ID, Event: d.Notice.Event, Record: d.Notice.Subject, State: string(d.State), Tries: d.Tries,
		Word: q.lang.of("delivery", string(d.State)), Reason: q.why(d.Reason, d.Detail), Queued: q.full(d.QueuedAt)}
	if !d.NextAt.IsZero() {
		r.Next = q.full(d.NextAt)
	}
	return r
}

// why is what became of a try, as the reader says it, with the carrier's own words.
func (q *request) why(reason channel.Reason, detail string) string {
	if reason == "" {
		return detail
	}
	said := q.lang.of("why", string(reason))
	if detail != "" {
		said += ": " + detail
	}
	return said
}

// deliveryView is one delivery with all that is known of it.
type deliveryView struct {
	Row       deliveryRow
	Target    string
	TargetURL string
	RecordURL string
	Notice    string // its id, by which the receiver knows a repeat
	Cause     string
	CauseURL  string
	Replayed  string
	Ended     string
	Attempts  []attemptRow
	Earlier   int // tries that are not kept any more
	Hidden    bool
	To        string
	Title     string
	Body      string
}

type attemptRow struct{ When, State, Word, Reason string }

func (q *request) delivery() error {
	d, err := q.engine.Delivery(q.r.Context(), q.p, q.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := deliveryView{Row: q.deliveryRow(d), Target: string(d.Target), TargetURL: deliveriesOf(d.Target), Notice: d.Notice.ID,
		RecordURL: recordURL(d.Notice.Subject), Replayed: d.ReplayOf, Earlier: max(0, d.Tries-len(d.Attempts)), Hidden: d.Hidden,
		To: strings.TrimSpace(d.Notice.To.Name + " " + d.Notice.To.Address), Title: d.Notice.Title,
		Body: cmp.Or(indentedJSON(d.Notice.Data), d.Notice.Text)}
	targets, err := q.targetChoices("", d.Target)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if t.Chosen {
			v.Target = t.Label
		}
	}
	if v.Cause, v.CauseURL, err = q.causeOf(d.Cause); err != nil {
		return err
	}
	if !d.EndedAt.IsZero() {
		v.Ended = q.full(d.EndedAt)
	}
	if v.Attempts = q.attemptRows(d.Attempts); q.swaps() {
		q.part(http.StatusOK, "delivery-state", v)
		return nil
	}
	q.page(http.StatusOK, "delivery", d.Notice.Event, "operations", v)
	return nil
}

// attemptRows shows the tries of a delivery.
func (q *request) attemptRows(all []notify.Attempt) (out []attemptRow) {
	for _, a := range all {
		word := q.lang.of("delivery", string(a.State))
		if a.State == channel.OutboxQueued {
			word = q.lang.t("deliveries.repeated")
		}
		out = append(out, attemptRow{q.full(a.At), string(a.State), word, q.why(a.Reason, a.Detail)})
	}
	return out
}

// indentedJSON is JSON that people can read.
func indentedJSON(raw json.RawMessage) string {
	var out bytes.Buffer
	if len(raw) == 0 || json.Indent(&out, raw, "", "  ") != nil {
		return ""
	}
	return out.String()
}

// recordURL is the page of what a notice is about, if it has one.
func recordURL(subject string) string {
	kind, id, _ := strings.Cut(subject, ":")
	switch kind {
	case "ticket":
		return "/tickets/" + url.PathEscape(id)
	case "conversation":
		return "/conversations/" + url.PathEscape(id)
	}
	return ""
}

// causeOf is what sent something, in words, with its page if it has one.
func (q *request) causeOf(cause string) (name, page string, err error) {
	kind, id, _ := strings.Cut(cause, ":")
	switch kind {
	case "subscription":
		s, err := q.findHook(id)
		if errors.Is(err, sangdam.ErrNotFound) {
			return q.lang.t("deliveries.by_hook", id), "", nil
		}
		return q.lang.t("deliveries.by_hook", cmp.Or(s.Name, id)), "/setup/hooks/" + url.PathEscape(id), err
	case "trigger":
		t, err := q.findTrigger(id)
		if errors.Is(err, sangdam.ErrNotFound) {
			return q.lang.t("deliveries.by_trigger", id), "", nil
		}
		return q.lang.t("deliveries.by_trigger", cmp.Or(t.Title, id)), "/triggers/" + url.PathEscape(id), err
	case "agent":
		d, err := q.directory()
		if err != nil {
			return "", "", err
		}
		return agentName(d, routing.AgentID(id)), "", nil
	}
	return cause, "", nil
}

// redeliver sends a delivery again and leads to the new one.
func (q *request) redeliver() error {
	saved, err := q.engine.Redeliver(q.r.Context(), q.p, sangdam.Redeliver{Key: q.key(), Delivery: q.r.PathValue("id")})
	if err != nil {
		return err
	}
	return q.done("/operations/deliveries/" + url.PathEscape(saved.ID))
}

// replayDeliveries sends again what was queued for a target in a stretch of time.
func (q *request) replayDeliveries() (err error) {
	c := sangdam.ReplayDeliveries{Key: q.key(), Target: notify.TargetID(q.value("target")), Dead: q.checked("dead")}
	if c.Since, c.Until, err = q.stretch(); err == nil {
		if err = q.engine.ReplayDeliveries(q.r.Context(), q.p, c); err == nil {
			return q.done(deliveriesOf(c.Target) + "&asked=1")
		}
	}
	return q.showDeliveries(err)
}

// minute reads a time of a form in the reader's zone.
func (q *request) minute(name string) (time.Time, error) {
	at, err := time.ParseInLocation(minuteForm, q.value(name), q.zone)
	if err != nil {
		return at, errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_time", q.value(name)))
	}
	return at, nil
}
