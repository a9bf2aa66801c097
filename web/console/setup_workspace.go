package console

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// workspaceForm is what a workspace sets once for all desks.
type workspaceForm struct {
	Settings  sangdam.WorkspaceSettings
	Languages string
	Editors   []choice
	Switches  []choice // those that are on
	Complete  string   // days; empty: the usual
	Never     bool     // a solved ticket is never completed by itself
	Hours     hoursForm
	Found     []choice
	Types     []choice
	Keep      []choice
	Forbidden []choice
	Queues    []choice
	AnswerBy  []choice
	MailOn    []choice
	OfferFor  string
}

func (q *request) workspaceForm(s sangdam.WorkspaceSettings, h hoursForm) (workspaceForm, error) {
	d, err := q.directory()
	if err != nil {
		return workspaceForm{}, err
	}
	f := workspaceForm{Settings: s, Languages: strings.Join(s.Languages, ", "), Hours: h, Never: s.CompleteAfter < 0,
		Editors: q.named("editor", is(string(cmp.Or(s.Editor, sangdam.EditorHTML))), string(sangdam.EditorHTML),
			string(sangdam.EditorText)),
		Found: q.named("found", is(string(s.Masking.Found)), "", string(sangdam.FoundProposed), string(sangdam.FoundMasked))}
	for _, w := range sangdam.Switches() {
		f.Switches = append(f.Switches, choice{string(w), q.lang.of("feature", string(w)), !slices.Contains(s.Off, w)})
	}
	looked := s.Masking.Types
	if len(looked) == 0 {
		looked = privacy.Types()
	}
	for _, t := range append(privacy.Types(), privacy.Email, privacy.IP) {
		f.Types = append(f.Types, choice{string(t), q.lang.of("personal", string(t)), slices.Contains(looked, t)})
	}
	for n := range 5 {
		f.Keep = append(f.Keep, choice{strconv.Itoa(n), strconv.Itoa(n), n == s.Masking.KeepLast})
	}
	kinds := slices.Clone(d.Kinds)
	for _, k := range s.Channels.Forbidden {
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	for _, k := range kinds {
		f.Forbidden = append(f.Forbidden, choice{string(k), q.lang.of("channel", string(k)), slices.Contains(s.Channels.Forbidden, k)})
	}
	f.Queues = q.queueChoices(d, func(id routing.QueueID) bool { return id == s.Tickets.Queue })
	for _, e := range ticket.MailEvents() {
		if e != ticket.MailHandled { // an answer always leaves
			f.MailOn = append(f.MailOn, choice{string(e), q.lang.of("mail_event", string(e)), slices.Contains(s.Tickets.MailOn, e)})
		}
	}
	if s.CompleteAfter > 0 {
		f.Complete = strconv.Itoa(int(s.CompleteAfter / (24 * time.Hour)))
	}
	if s.Tickets.OfferFor > 0 {
		f.OfferFor = strconv.Itoa(int(s.Tickets.OfferFor / time.Second))
	}
	f.AnswerBy, err = q.targetChoices("mail", s.Tickets.AnswerBy)
	return f, err
}

// targetChoices lists the targets of a kind, or of every kind for "".
func (q *request) targetChoices(kind notify.Kind, chosen notify.TargetID) (out []choice, err error) {
	all, err := q.engine.Targets(q.r.Context(), q.p)
	for _, t := range all {
		if kind == "" || t.Kind == kind {
			out = append(out, choice{string(t.ID), cmp.Or(t.Name, string(t.ID)), t.ID == chosen})
		}
	}
	return out, err
}

// workspaceSettings are the stored ones.
func (q *request) workspaceSettings() (sangdam.WorkspaceSettings, error) {
	set, err := q.engine.TicketSetup(q.r.Context(), q.p)
	return set.Settings, err
}

func (q *request) workspace() error {
	s, err := q.workspaceSettings()
	if err != nil {
		return err
	}
	f, err := q.workspaceForm(s, q.hoursForm(s.Hours))
	if err != nil {
		return err
	}
	return q.edit("workspace", q.lang.t("workspace.title"), "workspace", f, nil)
}

func (q *request) saveWorkspace() error {
	s, err := q.workspaceSettings()
	if err != nil {
		return err
	}
	typed := q.typedHours()
	if err = q.readWorkspace(&s, typed); err == nil {
		var saved sangdam.Saved
		c := sangdam.SaveWorkspaceSettings{Key: q.key(), Settings: s}
		if saved, err = q.engine.SaveWorkspaceSettings(q.r.Context(), q.p, c); err == nil {
			return q.saved("/setup/", "workspace", saved.Warnings)
		}
	}
	f, again := q.workspaceForm(s, typed.withRoom(q.now))
	if again != nil {
		return again
	}
	return q.edit("workspace", q.lang.t("workspace.title"), "workspace", f, err)
}

func (q *request) readWorkspace(s *sangdam.WorkspaceSettings, typed hoursForm) (err error) {
	s.Version, s.Editor = q.number("version"), sangdam.Editor(q.value("editor"))
	s.Languages = strings.FieldsFunc(q.value("languages"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' })
	s.Off = nil
	for _, w := range sangdam.Switches() {
		if !slices.Contains(q.r.PostForm["feature"], string(w)) {
			s.Off = append(s.Off, w)
		}
	}
	s.Masking = sangdam.MaskingPolicy{Found: sangdam.OnFound(q.value("found")), Types: named[privacy.Type](q.r.PostForm["personal"]),
		KeepPictureData: q.checked("picture_data")}
	if slices.Equal(s.Masking.Types, privacy.Types()) {
		s.Masking.Types = nil // the usual ones, also when a later version knows more
	}
	s.Channels = sangdam.ChannelPolicy{Forbidden: named[channel.Kind](q.r.PostForm["forbidden"]), Confirm: q.checked("confirm")}
	t := &s.Tickets
	t.Queue, t.AutoAccept, t.AnswerBy = routing.QueueID(q.value("queue")), q.checked("auto_accept"), notify.TargetID(q.value("answer_by"))
	t.MailOn = named[ticket.MailEvent](q.r.PostForm["mail_on"])
	days, err := q.span("complete", 24*time.Hour)
	if s.CompleteAfter = days; q.checked("never") {
		s.CompleteAfter = -1
	}
	keep, wrong := q.whole("keep")
	s.Masking.KeepLast, err = keep, cmp.Or(err, wrong)
	t.Cost, wrong = q.whole("cost")
	err = cmp.Or(err, wrong)
	t.OfferFor, wrong = q.span("offer_for", time.Second)
	err = cmp.Or(err, wrong)
	s.Hours, wrong = q.calendar(typed)
	return cmp.Or(err, wrong)
}

// named are the values of a form as values of a kind; nil for none.
func named[T ~string](values []string) (out []T) {
	for _, v := range values {
		out = append(out, T(v))
	}
	return out
}
