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
	mailKind = notify.Kind("mail")

	hookSecret     = "secret"
	hookSecretNext = "secret_next"
	keyOfAgent     = "key:" // before an agent's id, the name of that agent's own key
)

// targetPart is a member of a target's settings, or one of its secrets.
type targetPart struct {
	name, label string
	as          partAs
	must        bool
	hint, like  string // the text below it; what stands in it while it is empty
	of          string // a secret's user: where that is gone the secret is forgotten
	listed      bool   // the list of targets shows it
}

// partAs is how a part is typed: the type of its input, or one of these.
type partAs string

const (
	partSecret partAs = "password"
	partNumber partAs = "number"
	partList   partAs = "list" // parted by commas
	partChoice partAs = "encryption"
	partJSON   partAs = "json" // all settings together
)

// targetParts are what targets are made of, as the library's own carriers read
// them, in the order of the page. A host may bring another carrier that reads the
// same; members that the page does not know stay as they are.
var targetParts = map[notify.Kind][]targetPart{
	hookKind: {{name: "url", label: "hooks.url", as: "url", must: true, hint: "hooks.url_hint", like: "https://", listed: true}},
	mailKind: {
		{name: "from", label: "targets.from", as: "email", must: true, hint: "targets.from_hint", like: "help@shop.example", listed: true},
		{name: "name", label: "targets.sender", as: "text", hint: "targets.sender_hint"},
		{name: "reply_to", label: "targets.reply_to", as: "email", hint: "targets.reply_to_hint"},
		{name: "host", label: "mail.host", as: "text", must: true, like: "smtp.shop.example"},
		{name: "port", label: "mail.port", as: partNumber, hint: "targets.port_hint"},
		{name: "encryption", label: "mail.encryption", as: partChoice},
		{name: "user", label: "mail.user", as: "text", hint: "targets.user_hint"},
		{name: "password", label: "mail.password", as: partSecret, of: "user"}},
	"dooray": {{name: "url", label: "targets.room", as: partSecret, must: true, hint: "targets.room_hint"},
		{name: "bot_name", label: "targets.bot_name", as: "text", like: "Sangdam", hint: "targets.bot_hint"},
		{name: "bot_icon", label: "targets.bot_icon", as: "url", like: "https://"}},
	taskKind: {{name: "project", label: "targets.project", as: "text", must: true, hint: "targets.project_hint", listed: true},
		{name: "key", label: "targets.key", as: partSecret, must: true, hint: "targets.key_hint"},
		{name: "to", label: "targets.members", as: partList, hint: "targets.members_hint"},
		{name: "host", label: "targets.host", as: "text", like: "api.dooray.com"}},
	notify.KindSMS: {{name: "from", label: "targets.number", as: "tel", must: true, hint: "targets.number_hint", listed: true}},
}

// otherParts are those of a kind that a host brought: a carrier says of its
// settings no more than whether they are right.
var otherParts = []targetPart{{label: "account.settings", as: partJSON}}

func partsOf(k notify.Kind) []targetPart {
	if parts, known := targetParts[k]; known {
		return parts
	}
	return otherParts
}

// field is the name that a part has in the form.
func (p targetPart) field() string {
	switch p.as {
	case partJSON:
		return "settings"
	case partSecret:
		return "secret." + p.name
	}
	return "set." + p.name
}

// path is where the part stands in a target, as refusals name it.
func (p targetPart) path() string {
	if p.as == partSecret {
		return "secrets." + p.name
	}
	return "settings." + p.name
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
	var v targetsView
	for _, t := range all {
		v.Rows = append(v.Rows, targetRow{ID: string(t.ID), Name: cmp.Or(t.Name, string(t.ID)), Kind: q.lang.of("target", string(t.Kind)),
			Address: addressOf(t), Off: t.Disabled, Why: q.whyOff(t)})
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
		out = append(out, choice{string(k), q.lang.of("target", string(k)), k == chosen})
	}
	return out, nil
}

// addressOf is where a target leads, if that is no secret.
func addressOf(t notify.Target) string {
	settings := settingsOf(t)
	for _, p := range targetParts[t.Kind] {
		if p.listed {
			return shownSetting(settings[p.name])
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
	As                              partAs
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

// hasRecipient says that a kind's notices are each to somebody, who is named with
// the notice. Of a kind that a host brought nobody knows.
func hasRecipient(k notify.Kind) (yes, maybe bool) {
	_, known := targetParts[k]
	return k == mailKind || k == notify.KindSMS, !known
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
	f := &targetForm{Target: t, Kind: q.lang.of("target", string(t.Kind)), Fields: q.targetFields(t), Why: q.whyOff(t),
		Hook: t.Kind == hookKind, Two: slices.Contains(t.SecretNames, hookSecretNext), Tests: t.Kind != taskKind,
		Name: targetField{Field: "name", Label: q.lang.t("hooks.name"), Value: t.Name, As: "text", Must: true}}
	f.Makes, _ = madeHere(t.Kind)
	if f.Made = made.Reveal(); t.Kind == taskKind && !made.Empty() {
		f.Made = q.reportAddress(t, made)
	}
	if must, may := hasRecipient(t.Kind); must || may {
		f.To = &targetField{Field: "to", Label: q.lang.t("targets.test_to"), Value: q.value("to"), As: "text", Must: must}
		if t.Kind == mailKind {
			f.To.As = "email"
		}
	}
	var err error
	if f.Keys, err = q.keysForm(t); err == nil && t.Version == 0 {
		f.Kinds, err = q.targetKinds(t.Kind)
	}
	return f, err
}

// reportAddress is where a project's tasks are reported to.
func (q *request) reportAddress(t notify.Target, secret channel.Secret) string {
	return strings.TrimRight(cmp.Or(q.o.ReportURL, "…"), "/") + "/" + escaped(string(q.p.Workspace)) + "/" + escaped(string(t.ID)) + "/" +
		secret.Reveal()
}

func (q *request) targetFields(t notify.Target) (out []targetField) {
	settings := settingsOf(t)
	for _, p := range partsOf(t.Kind) {
		f := targetField{Field: p.field(), Label: q.lang.t(p.label), Like: p.like, As: p.as, Must: p.must}
		if p.hint != "" {
			f.Hint = q.lang.t(p.hint)
		}
		switch p.as {
		case partJSON:
			f.Value = string(t.Settings)
		case partSecret:
			if slices.Contains(t.SecretNames, p.name) {
				f.Like, f.Must = q.lang.t("account.kept"), false
			}
		case partChoice:
			f.Options = q.named("encryption", is(cmp.Or(shownSetting(settings[p.name]), "starttls")), "starttls", "tls", "none")
		default:
			f.Value = shownSetting(settings[p.name])
		}
		out = append(out, f)
	}
	return out
}

// keysForm lists the secrets that have no field of their own, by their names.
func (q *request) keysForm(t notify.Target) (*keysForm, error) {
	_, known := targetParts[t.Kind]
	if known && t.Kind != taskKind {
		return nil, nil //nolint:nilnil // every secret has its field
	}
	f := &keysForm{Title: q.lang.t("targets.secrets"), Text: q.lang.t("targets.secrets_text"), Name: q.value("key.new.name"),
		Value: q.lang.t("targets.secret_value")}
	if !known {
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
	c := sangdam.SaveTarget{Key: q.key()}
	made, field, err := q.readTarget(&t, &c)
	if c.Target = t; err == nil {
		var saved sangdam.Saved
		if saved, err = q.engine.SaveTarget(q.r.Context(), q.p, c); err == nil {
			return q.targetSaved(saved, made)
		}
		field = fieldIn(t.Kind, err)
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
func (q *request) readTarget(t *notify.Target, c *sangdam.SaveTarget) (made channel.Secret, field string, err error) {
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
	q.readKeys(t)
	if partsOf(t.Kind)[0].as == partJSON {
		if t.Settings = json.RawMessage(q.value("settings")); len(t.Settings) > 0 && !json.Valid(t.Settings) {
			return made, "settings", errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
		return made, "", nil
	}
	field, err = q.readParts(t)
	return made, field, err
}

// readParts reads the fields. What was typed is in t also where it is wrong.
func (q *request) readParts(t *notify.Target) (field string, err error) {
	settings := settingsOf(*t)
	for _, p := range partsOf(t.Kind) {
		if p.as == partSecret {
			q.readSecret(t, p)
			continue
		}
		var value any = q.value(p.field())
		switch text := q.value(p.field()); {
		case text == "":
			delete(settings, p.name)
			continue
		case p.as == partList:
			value = words(text)
		case p.as == partNumber:
			n, wrong := strconv.Atoi(text)
			if value = n; wrong != nil {
				value, field, err = text, p.field(), errs.New(errs.Invalid, "console: %s", q.lang.t("form.not_a_number", text))
			}
		}
		raw, wrong := json.Marshal(value)
		if wrong != nil {
			return "", wrong
		}
		settings[p.name] = raw
	}
	raw, wrong := json.Marshal(settings)
	t.Settings = raw
	return field, cmp.Or(err, wrong)
}

// readSecret reads a secret; an empty field keeps what is stored.
func (q *request) readSecret(t *notify.Target, p targetPart) {
	switch typed := q.r.PostFormValue(p.field()); {
	case typed != "":
		t.Secrets[p.name] = channel.NewSecret(strings.TrimSpace(typed))
	case p.of != "" && q.value("set."+p.of) == "":
		t.Secrets[p.name] = channel.Secret{}
	}
}

// readKeys reads the secrets that have no field of their own.
func (q *request) readKeys(t *notify.Target) {
	_, known := targetParts[t.Kind]
	own := func(name string) bool { return !known || t.Kind == taskKind && strings.HasPrefix(name, keyOfAgent) }
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
func fieldIn(k notify.Kind, err error) string {
	part := errs.PartOf(err)
	if part == "name" {
		return "name"
	}
	for _, p := range partsOf(k) {
		if p.as == partJSON && (part == "settings" || strings.HasPrefix(part, "settings.")) || p.as != partJSON && p.path() == part {
			return p.field()
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
	to, field := q.value("to"), ""
	if must, _ := hasRecipient(t.Kind); must && to == "" {
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
