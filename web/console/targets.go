package console

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
)

// The kinds of target that the pages know more of than their parts.
const (
	hookKind = notify.Kind("webhook")
	taskKind = notify.Kind("dooray_task")

	hookSecret     = "secret"
	hookSecretNext = "secret_next"
	keyOfAgent     = "key:" // before an agent's id, the name of that agent's own key
)

// partJSON is how all settings together are typed, of a kind that does not describe
// them.
const partJSON = notify.PartType("json")

// formOf is what targets of a kind are made of; nil where their carrier does not
// describe it.
func (q *request) formOf(k notify.Kind) (*notify.Form, error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	if f, described := d.TargetForms[k]; described {
		return &f, nil
	}
	return nil, nil //nolint:nilnil // there is none
}

// kindName is what people call a kind of target.
func (q *request) kindName(d *sangdam.Directory, k notify.Kind) string {
	return cmp.Or(d.TargetForms[k].Name.In(q.lang.tag), q.lang.of("target", string(k)))
}

// fieldOf is the name that a part has in the form.
func fieldOf(p notify.Part) string {
	if p.Type == notify.PartSecret {
		return "secret." + p.Name
	}
	return "set." + p.Name
}

// targetRow is a target in the list.
type targetRow struct {
	ID, Name, Kind, Address, Why string
	Off                          bool
}

type targetsView struct {
	Rows  []targetRow
	Kinds []choice // that can be made
}

// targetsPage is the page of the places that notices go to.
func (q *request) targetsPage() error {
	all, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	var v targetsView
	for _, t := range all {
		v.Rows = append(v.Rows, targetRow{ID: string(t.ID), Name: cmp.Or(t.Name, string(t.ID)), Kind: q.kindName(d, t.Kind),
			Address: addressOf(t, d.TargetForms[t.Kind]), Off: t.Disabled, Why: q.whyOff(t)})
	}
	if v.Kinds, err = q.targetKinds(""); err != nil {
		return err
	}
	q.page(http.StatusOK, "targets", q.lang.t("hooks.targets"), "setup", v)
	return nil
}

// targetKinds are those that the program has a carrier for.
func (q *request) targetKinds(chosen notify.Kind) (out []choice, err error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	for _, k := range d.TargetKinds {
		out = append(out, choice{string(k), q.kindName(d, k), k == chosen})
	}
	return out, nil
}

// addressOf is where a target leads, if that is no secret.
func addressOf(t notify.Target, form notify.Form) string {
	settings := settingsOf(t)
	for _, p := range form.Parts {
		if p.Leads && p.Type != notify.PartSecret {
			return shownSetting(settings[p.Name])
		}
	}
	return ""
}

// settingsOf are the members of a target's settings.
func settingsOf(t notify.Target) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	_ = json.Unmarshal(t.Settings, &out) // a carrier takes no others
	return out
}

// shownSetting is a member as a field shows it.
func shownSetting(raw json.RawMessage) string {
	var text string
	var list []string
	switch {
	case len(raw) == 0:
		return ""
	case json.Unmarshal(raw, &text) == nil:
		return text
	case json.Unmarshal(raw, &list) == nil:
		return strings.Join(list, ", ")
	}
	return string(raw)
}

// whyOff says why something other than an administrator switched the target off.
func (q *request) whyOff(t notify.Target) string {
	if !t.Disabled || t.Why == "" {
		return ""
	}
	return q.lang.t("hooks.off_by", q.lang.of("why", string(t.Why)))
}

// targetForm is a target as its page shows it. Secrets go in and never come out,
// but for one that is made here, in the answer to the request that made it.
type targetForm struct {
	Target notify.Target
	Kind   string
	Kinds  []choice // of a new one
	Name   targetField
	Fields []targetField
	Keys   *keysForm
	Why    string
	Hook   bool   // a subscription can lead here
	Makes  string // the group of texts about the secret that is made here; empty: none is
	Made   string // one that was just made
	Two    bool   // the old secret still signs beside the new one
	Tests  bool   // a test message can be sent
	To     *targetField
}

// targetField is a field of the form.
type targetField struct {
	Field, Label, Hint, Like, Value string
	As                              notify.PartType
	Must                            bool
	Options                         []choice
	Wrong                           string // what is wrong with it
}

// keysForm are secrets of names that the page does not know before: of a project,
// the keys of agents; of a kind that a host brought, all.
type keysForm struct {
	Title, Text string
	Rows        []keyRow
	Agents      []choice // whose keys can be added; nil: a name is typed
	Name, Value string   // what was typed for the name of another; what its value is called
}

type keyRow struct{ Name, Label string }

// madeHere is the secret of a kind that nobody types: the group of its texts and
// its name.
func madeHere(k notify.Kind) (texts, name string) {
	switch k {
	case hookKind:
		return "hooks", hookSecret
	case taskKind:
		return "tasks", notify.SecretHook
	}
	return "", ""
}

// newSecret makes the secret of a kind; for web hooks in the form of Standard
// Webhooks.
func newSecret(k notify.Kind) channel.Secret {
	if k != hookKind {
		return channel.NewSecret(rand.Text() + rand.Text())
	}
	var raw [32]byte
	_, _ = rand.Read(raw[:]) // never fails
	return channel.NewSecret("whsec_" + base64.StdEncoding.EncodeToString(raw[:]))
}

func (q *request) findTarget(id string) (notify.Target, error) {
	if id == "new" {
		return notify.Target{Kind: notify.Kind(cmp.Or(q.r.FormValue("kind"), string(hookKind)))}, nil
	}
	all, err := q.engine.Targets(q.r.Context(), q.p)
	if err != nil {
		return notify.Target{}, err
	}
	i := slices.IndexFunc(all, func(t notify.Target) bool { return string(t.ID) == id })
	if i < 0 {
		return notify.Target{}, errNoPage
	}
	return all[i], nil
}

func (q *request) target() error {
	id := q.r.PathValue("id")
	t, err := q.findTarget(id)
	if err != nil {
		return err
	}
	return q.editTarget(id, t, channel.Secret{}, "", nil)
}

// editTarget shows the page of a target; wrong is what is not right, with the
// name of the field that it is about, if it is about one.
func (q *request) editTarget(id string, t notify.Target, made channel.Secret, field string, wrong error) error {
	f, err := q.targetForm(t, made)
	if err != nil {
		return err
	}
	if field != "" {
		for _, one := range f.everyField() {
			if one.Field == field {
				one.Wrong = strings.ReplaceAll(q.lang.words(wrong), "settings.", "") // it stands beside the field
			}
		}
	}
	return q.edit("target", cmp.Or(t.Name, q.lang.t("targets.new")), id, f, wrong)
}

func (f *targetForm) everyField() []*targetField {
	out := []*targetField{&f.Name}
	for i := range f.Fields {
		out = append(out, &f.Fields[i])
	}
	if f.To != nil {
		out = append(out, f.To)
	}
	return out
}

func (q *request) targetForm(t notify.Target, made channel.Secret) (*targetForm, error) {
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	form, err := q.formOf(t.Kind)
	if err != nil {
		return nil, err
	}
	f := &targetForm{Target: t, Kind: q.kindName(d, t.Kind), Fields: q.targetFields(t, form), To: q.recipientField(form), Why: q.whyOff(t),
		Hook: t.Kind == hookKind, Two: slices.Contains(t.SecretNames, hookSecretNext), Tests: t.Kind != taskKind,
		Name: targetField{Field: "name", Label: q.lang.t("hooks.name"), Value: t.Name, As: "text", Must: true}}
	f.Makes, _ = madeHere(t.Kind)
	if f.Made = made.Reveal(); t.Kind == taskKind && !made.Empty() {
		f.Made = q.reportAddress(t, made)
	}
	if f.Keys, err = q.keysForm(t, form); err == nil && t.Version == 0 {
		f.Kinds, err = q.targetKinds(t.Kind)
	}
	return f, err
}

// recipientField is for whom a test message is; nil: notices of the kind are for
// nobody by name. Of a kind without a description nobody knows.
func (q *request) recipientField(form *notify.Form) *targetField {
	to := targetField{Field: "to", Label: q.lang.t("targets.test_to"), Value: q.value("to"), As: notify.PartText}
	switch {
	case form == nil:
	case form.To == "":
		return nil
	default:
		to.As, to.Must = form.To, true
	}
	return &to
}

// reportAddress is where a project's tasks are reported to.
func (q *request) reportAddress(t notify.Target, secret channel.Secret) string {
	return strings.TrimRight(cmp.Or(q.o.ReportURL, "…"), "/") + "/" + escaped(string(q.p.Workspace)) + "/" + escaped(string(t.ID)) + "/" +
		secret.Reveal()
}

func (q *request) targetFields(t notify.Target, form *notify.Form) (out []targetField) {
	if form == nil {
		return []targetField{{Field: "settings", Label: q.lang.t("account.settings"), As: partJSON, Value: string(t.Settings)}}
	}
	settings, in := settingsOf(t), q.lang.tag
	for _, p := range form.Parts {
		f := targetField{Field: fieldOf(p), Label: p.Label.In(in), Hint: p.Hint.In(in), Like: p.Like, As: p.Type, Must: p.Required}
		switch p.Type {
		case notify.PartSecret:
			if slices.Contains(t.SecretNames, p.Name) {
				f.Like, f.Must = q.lang.t("account.kept"), false
			}
		case notify.PartChoice:
			chosen := cmp.Or(shownSetting(settings[p.Name]), p.Choices[0].Value)
			for _, c := range p.Choices {
				f.Options = append(f.Options, choice{c.Value, c.Label.In(in), c.Value == chosen})
			}
		default:
			f.Value = shownSetting(settings[p.Name])
		}
		out = append(out, f)
	}
	return out
}

// keysForm lists the secrets that have no field of their own, by their names.
func (q *request) keysForm(t notify.Target, form *notify.Form) (*keysForm, error) {
	if form != nil && t.Kind != taskKind {
		return nil, nil //nolint:nilnil // every secret has its field
	}
	f := &keysForm{Title: q.lang.t("targets.secrets"), Text: q.lang.t("targets.secrets_text"), Name: q.value("key.new.name"),
		Value: q.lang.t("targets.secret_value")}
	if form == nil {
		for _, n := range t.SecretNames {
			f.Rows = append(f.Rows, keyRow{n, n})
		}
		return f, nil
	}
	d, err := q.directory()
	if err != nil {
		return nil, err
	}
	f.Title, f.Text, f.Value = q.lang.t("targets.keys"), q.lang.t("targets.keys_text"), q.lang.t("targets.key_value")
	f.Agents = []choice{{"", "–", false}}
	for _, n := range t.SecretNames {
		if agent, is := strings.CutPrefix(n, keyOfAgent); is {
			f.Rows = append(f.Rows, keyRow{n, agentName(d, routing.AgentID(agent))})
		}
	}
	for _, a := range d.Agents {
		if name := keyOfAgent + string(a.ID); !slices.Contains(t.SecretNames, name) && !a.Disabled {
			f.Agents = append(f.Agents, choice{name, cmp.Or(a.Name, string(a.ID)), name == f.Name})
		}
	}
	return f, nil
}

// saveTarget saves a target, or deletes it.
func (q *request) saveTarget() error {
	id := q.r.PathValue("id")
	t, err := q.findTarget(id)
	if err != nil {
		return err
	}
	t.Version = q.number("version")
	if q.checked("delete") {
		c := sangdam.DeleteTarget{Key: q.key(), Target: t.ID, Version: t.Version}
		if err = q.engine.DeleteTarget(q.r.Context(), q.p, c); err == nil {
			return q.done("/setup/targets")
		}
		return q.editTarget(id, t, channel.Secret{}, "", err)
	}
	form, err := q.formOf(t.Kind)
	if err != nil {
		return err
	}
	c := sangdam.SaveTarget{Key: q.key()}
	made, field, err := q.readTarget(&t, form, &c)
	if c.Target = t; err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveTarget(q.r.Context(), q.p, c); err == nil {
			return q.targetSaved(saved, made)
		}
		field = fieldIn(form, err)
	}
	return q.editTarget(id, t, channel.Secret{}, field, err)
}

// targetSaved answers a save: with the secret that was made, if one was, in this
// one answer.
func (q *request) targetSaved(saved sangdam.Saved, made channel.Secret) error {
	if made.Empty() {
		return q.saved("/setup/targets/", escaped(saved.ID), saved.Warnings)
	}
	t, err := q.findTarget(saved.ID)
	if err != nil {
		return err
	}
	return q.editTarget(saved.ID, t, made, "", nil)
}

// readTarget reads what was asked for into t and c. A secret that is made is
// returned too, and the field that what is wrong is about.
func (q *request) readTarget(t *notify.Target, form *notify.Form, c *sangdam.SaveTarget) (
	made channel.Secret, field string, err error,
) {
	_, secret := madeHere(t.Kind)
	t.Secrets = map[string]channel.Secret{}
	switch {
	case q.checked("retire"):
		t.Secrets[hookSecretNext] = channel.Secret{}
		return made, "", nil
	case q.checked("rotate") && secret != "":
		made = newSecret(t.Kind)
		if t.Secrets[secret] = made; t.Kind == hookKind {
			c.Renamed = map[string]string{hookSecret: hookSecretNext}
		}
		return made, "", nil
	}
	if secret != "" && t.Version == 0 {
		made = newSecret(t.Kind)
		t.Secrets[secret] = made
	}
	t.Name, t.Disabled = q.value("name"), q.checked("disabled")
	q.readKeys(t, form)
	if form == nil {
		if t.Settings = json.RawMessage(q.value("settings")); len(t.Settings) > 0 && !json.Valid(t.Settings) {
			return made, "settings", errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
		return made, "", nil
	}
	field, err = q.readParts(t, form)
	return made, field, err
}

// readParts reads the fields. What was typed is in t also where it is wrong.
func (q *request) readParts(t *notify.Target, form *notify.Form) (field string, err error) {
	settings := settingsOf(*t)
	for _, p := range form.Parts {
		if p.Type == notify.PartSecret {
			q.readSecret(t, p)
			continue
		}
		var value any = q.value(fieldOf(p))
		switch text := q.value(fieldOf(p)); {
		case text == "":
			delete(settings, p.Name)
			continue
		case p.Type == notify.PartList:
			value = words(text)
		case p.Type == notify.PartNumber:
			n, wrong := strconv.Atoi(text)
			if value = n; wrong != nil {
				value, field, err = text, fieldOf(p), errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", text))
			}
		}
		raw, wrong := json.Marshal(value)
		if wrong != nil {
			return "", wrong
		}
		settings[p.Name] = raw
	}
	raw, wrong := json.Marshal(settings)
	t.Settings = raw
	return field, cmp.Or(err, wrong)
}

// readSecret reads a secret; an empty field keeps what is stored.
func (q *request) readSecret(t *notify.Target, p notify.Part) {
	switch typed := q.r.PostFormValue(fieldOf(p)); {
	case typed != "":
		t.Secrets[p.Name] = channel.NewSecret(strings.TrimSpace(typed))
	case p.Of != "" && q.value("set."+p.Of) == "":
		t.Secrets[p.Name] = channel.Secret{}
	}
}

// readKeys reads the secrets that have no field of their own.
func (q *request) readKeys(t *notify.Target, form *notify.Form) {
	own := func(name string) bool {
		return form == nil || t.Kind == taskKind && strings.HasPrefix(name, keyOfAgent)
	}
	for _, name := range t.SecretNames {
		switch typed := q.value("key." + name); {
		case !own(name):
		case q.checked("drop." + name):
			t.Secrets[name] = channel.Secret{}
		case typed != "":
			t.Secrets[name] = channel.NewSecret(typed)
		}
	}
	if name, typed := q.value("key.new.name"), q.value("key.new"); name != "" && typed != "" && own(name) {
		t.Secrets[name] = channel.NewSecret(typed)
	}
}

// fieldIn is the field of the form that a refusal is about; empty: none of them.
// Whoever refuses names the part (see notify.Wrong).
func fieldIn(form *notify.Form, err error) string {
	part := errs.PartOf(err)
	if part == "name" {
		return "name"
	}
	if form == nil {
		if part == "settings" || strings.HasPrefix(part, "settings.") {
			return "settings"
		}
		return ""
	}
	for _, p := range form.Parts {
		if p.Path() == part {
			return fieldOf(p)
		}
	}
	return ""
}

// testTarget sends a message that says so, and leads to what became of it.
func (q *request) testTarget() error {
	id := q.r.PathValue("id")
	t, err := q.findTarget(id)
	if err != nil {
		return err
	}
	if t.Version == 0 || t.Kind == taskKind { // what goes to a project becomes a task
		return errNoPage
	}
	form, err := q.formOf(t.Kind)
	if err != nil {
		return err
	}
	to, field := q.value("to"), ""
	if form != nil && form.To != "" && to == "" {
		field, err = "to", errs.New(errs.Invalid, "console: %s", q.lang.t("targets.test_nobody"))
		return q.editTarget(id, t, channel.Secret{}, field, err)
	}
	n := notify.Notice{Event: "target.test", Subject: "target:" + id, To: notify.Recipient{Address: to},
		Title: q.lang.t("targets.test_title", q.o.Brand.Name), Text: q.lang.t("targets.test_says", q.o.Brand.Name, t.Name)}
	saved, err := q.engine.SendNotice(q.r.Context(), q.p, sangdam.SendNotice{Key: q.key(), Target: t.ID, Notice: n})
	if err != nil {
		return q.editTarget(id, t, channel.Secret{}, field, err)
	}
	return q.done("/operations/deliveries/" + escaped(saved.ID))
}
