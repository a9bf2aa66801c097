package console

import (
	"cmp"
	"strconv"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/routing"
)

// streamForm is a work stream as the page shows it.
type streamForm struct {
	Stream routing.WorkStream
	Kinds  []choice
	Modes  []choice
	Match  []choice
	Queues []choice
	Spans  []spanForm
	Rules  rulesForm
	Hours  hoursForm
	Texts  []textsForm
	Retire retireForm
}

// spanForm is a length of time in a form.
type spanForm struct{ Field, Label, Hint, Value string }

// spans are the lengths of time of a work stream: field, unit and place.
func spans(w *routing.WorkStream) []struct {
	field string
	unit  time.Duration
	into  *time.Duration
} {
	return []struct {
		field string
		unit  time.Duration
		into  *time.Duration
	}{
		{"offer_for", time.Second, &w.OfferFor}, {"ask_again", time.Second, &w.AskAgain}, {"keep_agent", time.Minute, &w.KeepAgentFor},
		{"recent_agent", time.Minute, &w.RecentAgentWithin}, {"reopen", time.Minute, &w.ReopenFor}, {"wrap_up", time.Second, &w.WrapUp},
		{"auto_close", time.Minute, &w.AutoClose}, {"relax_after", time.Second, &w.RelaxAfter},
	}
}

func (q *request) streamForm(w routing.WorkStream, rules rulesForm, h hoursForm) (streamForm, error) {
	d, err := q.directory()
	if err != nil {
		return streamForm{}, err
	}
	f := streamForm{Stream: w, Rules: rules, Hours: h, Texts: q.textsForm(w.Messages),
		Retire: retireForm{"/setup/streams/", string(w.ID), w.Version, w.Retired},
		Modes:  q.named("mode", is(cmp.Or(string(w.Mode), "push")), "push", "pick"),
		Match:  q.named("skill_match", is(string(w.SkillMatch)), "", "exact", "closest", "relaxed")}
	for _, k := range d.Kinds {
		f.Kinds = append(f.Kinds, choice{string(k), q.lang.of("channel", string(k)), string(k) == w.ChannelKind})
	}
	f.Queues = q.queueChoices(d, func(id routing.QueueID) bool { return id == w.Queue })
	for _, s := range spans(&w) {
		sf := spanForm{Field: s.field, Label: q.lang.t("span." + s.field), Hint: q.lang.t("span_hint." + s.field)}
		if *s.into > 0 {
			sf.Value = strconv.FormatInt(int64(*s.into/s.unit), 10)
		}
		f.Spans = append(f.Spans, sf)
	}
	return f, nil
}

func (q *request) findStream(id string) (routing.WorkStream, error) {
	if id == "new" {
		return routing.WorkStream{ChannelKind: q.r.FormValue("kind"), Mode: routing.Push, Cost: 1, ReopenFor: 24 * time.Hour,
			KeepAgentFor: 10 * time.Minute, OfferFor: 30 * time.Second}, nil
	}
	cfg, err := q.engine.Configuration(q.r.Context(), q.p)
	if err != nil {
		return routing.WorkStream{}, err
	}
	w, ok := cfg.WorkStreams[routing.WorkStreamID(id)]
	if !ok {
		return w, errNoPage
	}
	return w, nil
}

func (q *request) workStream() error {
	id := q.r.PathValue("id")
	w, err := q.findStream(id)
	if err != nil {
		return err
	}
	rules, err := q.rulesForm(w.Rules)
	if err != nil {
		return err
	}
	f, err := q.streamForm(w, rules, q.hoursForm(w.Hours))
	if err != nil {
		return err
	}
	return q.edit("stream", cmp.Or(w.Name, q.lang.t("setup.new.streams")), id, f, nil)
}

func (q *request) saveStream() error {
	id := q.r.PathValue("id")
	w, err := q.findStream(id)
	if err != nil {
		return err
	}
	if q.value("retire") != "" {
		return q.retireStream(w)
	}
	typed := q.typedHours()
	if err = q.readStream(&w, typed); err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveWorkStream(q.r.Context(), q.p, sangdam.SaveWorkStream{Key: q.key(), WorkStream: w}); err == nil {
			return q.saved("/setup/streams/", escaped(saved.ID), saved.Warnings)
		}
	}
	rules, again := q.typedRules(w.Rules)
	if again != nil {
		return again
	}
	f, again := q.streamForm(w, rules, typed.withRoom(q.now))
	if again != nil {
		return again
	}
	return q.edit("stream", cmp.Or(w.Name, q.lang.t("setup.new.streams")), id, f, err)
}

// retireStream takes a work stream out of use, or brings it back.
func (q *request) retireStream(w routing.WorkStream) error {
	next := w
	err := q.retires(&next.Version, &next.Retired)
	if err == nil {
		if _, err = q.engine.SaveWorkStream(q.r.Context(), q.p, sangdam.SaveWorkStream{Key: q.key(), WorkStream: next}); err == nil {
			return q.saved("/setup/streams/", escaped(string(w.ID)), nil)
		}
	}
	rules, again := q.rulesForm(w.Rules)
	if again != nil {
		return again
	}
	f, again := q.streamForm(w, rules, q.hoursForm(w.Hours))
	if again != nil {
		return again
	}
	return q.edit("stream", w.Name, string(w.ID), f, err)
}

func (q *request) readStream(w *routing.WorkStream, typed hoursForm) (err error) {
	w.ID, w.Version, w.Name = routing.WorkStreamID(q.idOf()), q.number("version"), q.value("name")
	w.ChannelKind, w.Mode, w.Queue = q.value("kind"), routing.Mode(q.value("mode")), routing.QueueID(q.value("queue"))
	w.Live, w.AutoAccept, w.HoldWhileWaiting = q.checked("live"), q.checked("auto_accept"), q.checked("hold")
	w.Tickets = q.checked("tickets")
	w.ThreadPerAccount, w.Bot, w.SkillMatch = q.checked("per_account"), q.value("bot"), routing.SkillMatch(q.value("skill_match"))
	w.Messages = q.texts()
	if w.Rules, err = q.readRules(w.Rules); err != nil {
		return err
	}
	if w.Cost, err = q.whole("cost"); err != nil {
		return err
	}
	for _, s := range spans(w) {
		if *s.into, err = q.span(s.field, s.unit); err != nil {
			return err
		}
	}
	w.Hours, err = q.calendar(typed)
	return err
}
