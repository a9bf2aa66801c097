package console

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/trial"
)

// trialView is what a trigger would have done in the past, or how far that is.
type trialView struct {
	trigger                    trigger.Trigger
	Part, Stop                 string // addresses
	Running, Looking           bool
	Percent, Done, Total       int
	State, Period              string
	Records, Events            int
	Matched, MatchedIn, Others int
	Was, WasIn                 int
	Actions, Notes             []string
	Gained, Lost               trialSide
}

// trialSide is where the rule fires in one of its forms only.
type trialSide struct {
	Records, Events, More int
	Samples               []sampleView
}

type sampleView struct {
	URL, Record, When, Event string
	Now, Was                 []string
}

// triedDays are how far back a trial may look; 0 is everything.
var triedDays = []int{7, 30, 90, 365, 0}

// pastTrials are the earlier trials of a trigger, as links.
func (q *request) pastTrials(id trigger.ID) (out []choice, err error) {
	list, err := q.engine.Trials(q.r.Context(), q.p, id)
	for _, t := range list {
		out = append(out, choice{Value: "/triggers/" + escaped(string(id)) + "?trial=" + escaped(t.ID) + "#live",
			Label: q.full(t.At) + " · " + q.lang.t("trial.state."+string(t.State)), Chosen: q.r.FormValue("trial") == t.ID})
	}
	return out, err
}

// periods are the choices for it.
func (q *request) periods() (out []choice) {
	for _, days := range triedDays {
		c := choice{Value: strconv.Itoa(days), Label: q.lang.t("triggers.days", days), Chosen: days == 30}
		if days == 0 {
			c.Label = q.lang.t("triggers.ever")
		}
		out = append(out, c)
	}
	return out
}

// tryTrigger has the trigger tried, and leads to the editor with what was typed,
// which tells how far it is.
func (q *request) tryTrigger(id string, t trigger.Trigger) error {
	c := sangdam.TryTrigger{Key: q.key(), Trigger: t}
	if days := q.number("trial.days"); days > 0 {
		c.Since = q.now.AddDate(0, 0, -int(days))
	}
	saved, err := q.engine.TryTrigger(q.r.Context(), q.p, c)
	if err != nil {
		return q.triggerAgain(id, t, err)
	}
	return q.done("/triggers/" + escaped(id) + "?trial=" + escaped(saved.ID) + "#live")
}

// trialOf is the trial that the address names; nil for none.
func (q *request) trialOf(id string) (*trialView, error) {
	trial := q.r.FormValue("trial")
	if trial == "" {
		return nil, nil
	}
	t, err := q.engine.Trial(q.r.Context(), q.p, trial)
	if err != nil {
		return nil, err
	}
	return q.trialView(id, t), nil
}

// trial is the result alone, for the page's script.
func (q *request) trial() error {
	t, err := q.engine.Trial(q.r.Context(), q.p, q.r.PathValue("trial"))
	if err != nil {
		return err
	}
	q.part(http.StatusOK, "trial", q.trialView(q.r.PathValue("id"), t))
	return nil
}

// stopTrial ends a trial before it is done.
func (q *request) stopTrial() error {
	trial := q.r.PathValue("trial")
	if err := q.engine.StopTrial(q.r.Context(), q.p, sangdam.StopTrial{Key: q.key(), Trial: trial}); err != nil {
		return err
	}
	return q.done("/triggers/" + escaped(q.r.PathValue("id")) + "?trial=" + escaped(trial) + "#live")
}

func (q *request) trialView(id string, t sangdam.TriggerTrial) *trialView {
	at := "/triggers/" + escaped(id) + "/trials/" + escaped(t.ID)
	r := t.Result
	v := &trialView{trigger: t.Trigger, Part: at, Stop: at + "/stop", Running: t.State == sangdam.ErrandRunning, Looking: t.Parts == 0,
		Percent: 100 * t.Made / max(t.Parts, 1), Done: t.Done + t.LeftOut, Total: t.Total,
		State: q.lang.t("trial.state." + string(t.State)), Records: r.Records, Events: r.Events,
		Matched: r.Now.Events, MatchedIn: r.Now.Records, Was: r.Was.Events, WasIn: r.Was.Records, Others: r.Others,
		Gained: q.trialSide(r.Gained), Lost: q.trialSide(r.Lost)}
	since := q.lang.t("triggers.ever")
	if !t.Since.IsZero() {
		since = q.full(t.Since)
	}
	v.Period = q.lang.t("trial.period", since, q.full(t.At), q.full(t.Until))
	for _, kind := range sortedKeys(r.Now.Actions) {
		a := r.Now.Actions[kind]
		v.Actions = append(v.Actions, q.lang.t("trial.action", kind, a.Done, a.Passed, a.Sent))
	}
	note := func(is bool, key string, args ...any) {
		if is {
			v.Notes = append(v.Notes, q.lang.t(key, args...))
		}
	}
	note(t.Cut == sangdam.BoundRecords, "trial.cut_records", t.Total)
	note(t.Cut == sangdam.BoundEvents, "trial.cut_events", r.Events)
	note(len(t.Assumed) > 0, "trial.assumed", strings.Join(t.Assumed, ", "))
	note(t.Gone > 0, "trial.gone", t.Gone)
	note(t.LeftOut > 0, "trial.left_out", t.LeftOut)
	note(t.Mixed, "trial.mixed")
	note(t.State == sangdam.ErrandFailed, "trial.failed", cmp.Or(t.Reason, "?"))
	return v
}

func (q *request) trialSide(d trial.Difference) trialSide {
	s := trialSide{Records: d.Records, Events: d.Events, More: d.Events - len(d.Samples)}
	for _, of := range d.Samples {
		kind, id, _ := strings.Cut(of.Record, ":")
		v := sampleView{URL: "/" + kind + "s/" + escaped(id), Record: of.Record, When: q.full(of.Event.At), Event: of.Event.Kind}
		for _, why := range of.Now {
			v.Now = append(v.Now, why.String())
		}
		for _, why := range of.Was {
			v.Was = append(v.Was, why.String())
		}
		s.Samples = append(s.Samples, v)
	}
	return s
}
