package console

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/notify"
)

// What a target of a web hook is made of, as the carrier notify/webhook reads it:
// a host may bring another that reads the same.
const (
	hookKind = notify.Kind("webhook")

	hookSecret     = "secret"
	hookSecretNext = "secret_next"
)

type hookSettings struct {
	URL string `json:"url"`
}

// newHookSecret makes a signing secret in the form of Standard Webhooks.
func newHookSecret() channel.Secret {
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return channel.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(raw[:]))
}

// hooksView is the page of what goes out by web hooks: who is told what, and where.
type hooksView struct {
	Subscriptions []setupRow
	Targets       []hookTargetRow
}

type hookTargetRow struct {
	ID, Name, Kind, Address, Why string
	Off, Edits                   bool
}

func (q *request) hooks() error {
	subs, err := q.engine.Subscriptions(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	targets, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	var v hooksView
	names := map[notify.TargetID]string{}
	for _, t := range targets {
		names[t.ID] = cmp.Or(t.Name, string(t.ID))
		v.Targets = append(v.Targets, hookTargetRow{ID: string(t.ID), Name: names[t.ID], Kind: q.lang.of("target", string(t.Kind)),
			Address: addressOf(t), Off: t.Disabled, Why: q.whyOff(t), Edits: t.Kind == hookKind})
	}
	for _, s := range subs {
		v.Subscriptions = append(v.Subscriptions, setupRow{s.ID, s.Name,
			cmp.Or(names[s.Target], string(s.Target)) + " · " + strings.Join(s.Events, ", "), s.Disabled})
	}
	q.page(http.StatusOK, "hooks", q.lang.t("hooks.title"), "setup", v)
	return nil
}

// addressOf is where a web hook leads; other kinds of target keep theirs among
// their secrets or have none.
func addressOf(t notify.Target) string {
	if t.Kind != hookKind {
		return ""
	}
	s, err := notify.Settings[hookSettings](t)
	if err != nil {
		return ""
	}
	return s.URL
}

// whyOff says why something other than an administrator switched the target off.
func (q *request) whyOff(t notify.Target) string {
	if !t.Disabled || t.Why == "" {
		return ""
	}
	return q.lang.t("hooks.off_by", q.lang.of("why", string(t.Why)))
}

// hookForm is a subscription as its page shows it.
type hookForm struct {
	Subscription sangdam.Subscription
	Targets      []choice
	Groups       []eventGroup
	From, To     string // of a replay
}

// eventGroup are the events of one kind of record.
type eventGroup struct {
	Title string
	Used  bool
	All   choice
	Kinds []choice
}

func (q *request) hookForm(s sangdam.Subscription) (hookForm, error) {
	targets, err := q.targetChoices("", s.Target)
	f := hookForm{Subscription: s, Targets: targets}
	f.From, f.To = q.lastHour()
	events := sangdam.SubscribedEvents()
	for _, e := range s.Events { // one that a program named stays
		if !slices.Contains(events, e) {
			events = append(events, e)
		}
	}
	for _, code := range events {
		aggregate, kind, one := strings.Cut(code, ".")
		is := slices.Contains(s.Events, code)
		if !one {
			f.Groups = append(f.Groups, eventGroup{Title: q.lang.of("aggregate", code), All: choice{code, q.lang.t("hooks.all_of"), is},
				Used: is})
			continue
		}
		i := slices.IndexFunc(f.Groups, func(g eventGroup) bool { return g.All.Value == aggregate })
		if i < 0 {
			continue // what is sent back to be mended may be anything
		}
		f.Groups[i].Used = f.Groups[i].Used || is
		f.Groups[i].Kinds = append(f.Groups[i].Kinds, choice{code, q.lang.of("happens."+aggregate, kind), is})
	}
	return f, err
}

// findHook is a stored subscription, or a new one to the target that is named.
func (q *request) findHook(id string) (sangdam.Subscription, error) {
	if id == "new" {
		return sangdam.Subscription{Target: notify.TargetID(q.r.FormValue("target"))}, nil
	}
	all, err := q.engine.Subscriptions(q.r.Context(), q.p)
	if err != nil {
		return sangdam.Subscription{}, err
	}
	i := slices.IndexFunc(all, func(s sangdam.Subscription) bool { return s.ID == id })
	if i < 0 {
		return sangdam.Subscription{}, errNoPage
	}
	return all[i], nil
}

func (q *request) hook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	return q.editHook(id, s, nil)
}

func (q *request) editHook(id string, s sangdam.Subscription, wrong error) error {
	f, err := q.hookForm(s)
	if err != nil {
		return err
	}
	return q.edit("hook", cmp.Or(s.Name, q.lang.t("hooks.new")), id, f, wrong)
}

func (q *request) saveHook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		c := sangdam.DeleteSubscription{Key: q.key(), Subscription: s.ID, Version: q.number("version")}
		if err = q.engine.DeleteSubscription(q.r.Context(), q.p, c); err == nil {
			return q.done("/setup/hooks")
		}
		return q.editHook(id, s, err)
	}
	s.Version, s.Name, s.Target = q.number("version"), q.value("name"), notify.TargetID(q.value("target"))
	s.Disabled, s.Events = q.checked("disabled"), nil
	for _, e := range q.r.PostForm["event"] {
		if aggregate, _, one := strings.Cut(e, "."); !one || !slices.Contains(q.r.PostForm["event"], aggregate) {
			s.Events = append(s.Events, e) // all of a kind of record hold each of it
		}
	}
	saved, err := q.engine.SaveSubscription(q.r.Context(), q.p, sangdam.SaveSubscription{Key: q.key(), Subscription: s})
	if err != nil {
		return q.editHook(id, s, err)
	}
	return q.saved("/setup/hooks/", escaped(saved.ID), saved.Warnings)
}

// replayHook sends the events of a stretch of time to a subscription's target.
func (q *request) replayHook() error {
	id := q.r.PathValue("id")
	s, err := q.findHook(id)
	if err != nil {
		return err
	}
	c := sangdam.ReplayEvents{Key: q.key(), Subscription: s.ID}
	if c.Since, c.Until, err = q.stretch(); err == nil {
		if err = q.engine.ReplayEvents(q.r.Context(), q.p, c); err == nil {
			return q.done(deliveriesOf(s.Target) + "&asked=1")
		}
	}
	return q.editHook(id, s, err)
}

const minuteForm = "2006-01-02T15:04"

// lastHour is the stretch of time that a form proposes.
func (q *request) lastHour() (from, to string) {
	now := q.now.In(q.zone)
	return now.Add(-time.Hour).Format(minuteForm), now.Format(minuteForm)
}

// stretch reads the times of a replay, in the reader's zone. An end that is given
// is meant with its minute.
func (q *request) stretch() (from, to time.Time, err error) {
	if from, err = q.minute("from"); err != nil {
		return from, to, err
	}
	if q.value("to") == "" {
		return from, to, nil
	}
	to, err = q.minute("to")
	return from, to.Add(time.Minute), err
}

// targetForm is a web hook's target as its page shows it.
type targetForm struct {
	Target  notify.Target
	Address string
	Why     string
	Secret  string // one that was just made: it is shown this once
	Two     bool   // the old secret still signs beside the new one
}

func (q *request) findTarget(id string) (notify.Target, error) {
	if id == "new" {
		return notify.Target{Kind: hookKind}, nil
	}
	all, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return notify.Target{}, err
	}
	i := slices.IndexFunc(all, func(t notify.Target) bool { return string(t.ID) == id && t.Kind == hookKind })
	if i < 0 {
		return notify.Target{}, errNoPage
	}
	return all[i], nil
}

func (q *request) hookTarget() error {
	id := q.r.PathValue("id")
	t, err := q.findTarget(id)
	if err != nil {
		return err
	}
	return q.editTarget(id, t, addressOf(t), channel.Secret{}, nil)
}

func (q *request) editTarget(id string, t notify.Target, address string, made channel.Secret, wrong error) error {
	f := targetForm{Target: t, Address: address, Why: q.whyOff(t), Secret: made.Reveal(),
		Two: slices.Contains(t.SecretNames, hookSecretNext)}
	return q.edit("hook-target", cmp.Or(t.Name, q.lang.t("hooks.new_target")), id, f, wrong)
}

// saveHookTarget saves a target. A secret is made here alone, and is in the answer
// to the request that made it and nowhere else.
func (q *request) saveHookTarget() error {
	id := q.r.PathValue("id")
	t, err := q.findTarget(id)
	if err != nil {
		return err
	}
	t.Version = q.number("version")
	c := sangdam.SaveTarget{Key: q.key()}
	address := addressOf(t)
	var made channel.Secret
	switch {
	case q.checked("delete"):
		c := sangdam.DeleteTarget{Key: q.key(), Target: t.ID, Version: t.Version}
		if err := q.engine.DeleteTarget(q.r.Context(), q.p, c); err != nil {
			return q.editTarget(id, t, address, made, err)
		}
		return q.done("/setup/hooks")
	case q.checked("rotate"):
		made = newHookSecret()
		c.Renamed = map[string]string{hookSecret: hookSecretNext}
		t.Secrets = map[string]channel.Secret{hookSecret: made}
	case q.checked("retire"):
		t.Secrets = map[string]channel.Secret{hookSecretNext: {}}
	default:
		address = q.value("url")
		if t.Settings, err = json.Marshal(hookSettings{URL: address}); err != nil {
			return err
		}
		if t.Name, t.Disabled = q.value("name"), q.checked("disabled"); id == "new" {
			made = newHookSecret()
			t.Secrets = map[string]channel.Secret{hookSecret: made}
		}
	}
	c.Target = t
	saved, err := q.engine.SaveTarget(q.r.Context(), q.p, c)
	if err != nil {
		return q.editTarget(id, t, address, channel.Secret{}, err)
	}
	if made.Empty() {
		return q.saved("/setup/targets/", escaped(saved.ID), saved.Warnings)
	}
	if t, err = q.findTarget(saved.ID); err != nil {
		return err
	}
	return q.editTarget(saved.ID, t, addressOf(t), made, nil)
}
