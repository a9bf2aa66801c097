package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// accountForm is an account on a channel as the page shows it. Secrets go in
// and never come out.
type accountForm struct {
	Account   channel.Account
	IsLINE    bool
	Checks    bool   // the provider can be asked about it
	Before    string // what must be there first, by the kind
	ChannelID string
	Settings  string // JSON, for other kinds
	Kinds     []choice
	Desks     []choice
	Streams   []choice
	Texts     []textsForm
	Heard     heardForm
	Chat      *chatForm // of web chat
	Mail      *mailForm
	Hours     hoursForm
	Invite    choice     // the account itself, for the part that shows its address
	Next      []nextStep // what comes after it is saved
	// Leaves asks for a yes to what is written leaving the organisation, which
	// is told when the account is switched on; Agreed is who said it last.
	Leaves    bool
	Confirmed bool
	Agreed    string
}

// Secrets of a LINE account, and the member of its settings that the form has a
// field for.
const (
	kindLINE       = channel.Kind("line")
	secretChannel  = "channel_secret"
	secretToken    = "channel_token"
	settingChannel = "channel_id"
)

func (q *request) accountForm(a, stored channel.Account, h hoursForm) (accountForm, error) {
	d, err := q.directory()
	if err != nil {
		return accountForm{}, err
	}
	f := accountForm{Account: a, IsLINE: a.Kind == kindLINE, Checks: a.Kind == kindLINE || a.Kind == kindMail, Before: beforeOf(a.Kind),
		Settings: string(a.Settings), Texts: q.textsForm(a.Messages), Hours: h}
	settings := map[string]any{}
	if json.Unmarshal(a.Settings, &settings) == nil {
		f.ChannelID, _ = settings[settingChannel].(string)
	}
	for _, k := range d.Kinds {
		f.Kinds = append(f.Kinds, choice{string(k), q.lang.of("channel", string(k)), k == a.Kind})
	}
	if f.Desks, err = q.deskChoices(func(id routing.DeskID) bool { return id == a.Desk }); err != nil {
		return f, err
	}
	if f.Streams, err = q.streamChoices(a.Kind, a.WorkStream); err != nil {
		return f, err
	}
	if stored.Version > 0 {
		if f.Next, err = q.nextSteps(a); err != nil {
			return f, err
		}
	}
	f.Invite = choice{Value: string(a.ID)}
	f.Heard = q.heardForm([]channel.Account{a})
	f.Leaves, f.Confirmed = a.Kind != kindWebChat && (stored.Version == 0 || stored.Disabled), q.checked("confirmed")
	if c := stored.Confirmed; c != nil {
		f.Agreed = q.lang.t("account.agreed", agentName(d, routing.AgentID(strings.TrimPrefix(c.By, "agent:"))), q.full(c.At))
	}
	switch a.Kind {
	case kindWebChat:
		f.Chat = q.chatForm(a)
	case kindMail:
		f.Mail, err = q.mailForm(a, storedMail(stored))
	}
	return f, err
}

// webhookOf is where the provider is to send events; empty: unknown.
func (q *request) webhookOf(a channel.Account) string {
	if q.o.PublicURL == "" || a.Token == "" {
		return ""
	}
	return strings.TrimRight(q.o.PublicURL, "/") + "/" + a.Token
}

// findAccount is the stored account; a new one is of the kind asked for.
func (q *request) findAccount(id string) (channel.Account, error) {
	if id == "new" {
		return channel.Account{Kind: channel.Kind(cmp.Or(q.r.FormValue("kind"), string(kindLINE))), Attachments: true,
			CustomerAttachments: true, AgentAttachments: true}, nil
	}
	all, err := q.engine.Accounts(q.r.Context(), q.p)
	if err != nil {
		return channel.Account{}, err
	}
	for _, a := range all {
		if string(a.ID) == id && !a.Deleted {
			return a, nil
		}
	}
	return channel.Account{}, errNoPage
}

func (q *request) account() error {
	id := q.r.PathValue("id")
	a, err := q.findAccount(id)
	if err != nil {
		return err
	}
	f, err := q.accountForm(a, a, q.hoursForm(a.Hours))
	if err != nil {
		return err
	}
	return q.edit("account", cmp.Or(a.Name, q.lang.t("setup.new.accounts")), id, f, nil)
}

func (q *request) saveAccount() error {
	id := q.r.PathValue("id")
	a, err := q.findAccount(id)
	if err != nil {
		return err
	}
	if q.checked("delete") {
		return q.deleteAccount(a)
	}
	stored, typed := a, q.typedHours()
	if err = q.readAccount(&a, typed); err == nil && q.value("convert") == "" { // else the form is shown with a layout in another form
		var saved sangdam.AccountSaved
		if saved, err = q.engine.SaveAccount(q.r.Context(), q.p, sangdam.SaveAccount{Key: q.key(), Account: a,
			Confirmed: q.checked("confirmed")}); err == nil {
			return q.saved("/setup/accounts/", escaped(string(saved.ID)), saved.Warnings)
		}
	}
	f, again := q.accountForm(a, stored, typed.withRoom(q.now))
	if again != nil {
		return again
	}
	return q.edit("account", cmp.Or(a.Name, q.lang.t("setup.new.accounts")), id, f, err)
}

// deleteAccount ends an account for good, once it is switched off.
func (q *request) deleteAccount(a channel.Account) error {
	err := errs.New(errs.Invalid, "console: %s", q.lang.t("account.delete_on"))
	if a.Disabled && a.Version > 0 {
		c := sangdam.DeleteAccount{Key: q.key(), Account: a.ID, Version: q.number("version")}
		if err = q.engine.DeleteAccount(q.r.Context(), q.p, c); err == nil {
			return q.done("/setup/channels?saved=1")
		}
	}
	f, again := q.accountForm(a, a, q.hoursForm(a.Hours))
	if again != nil {
		return again
	}
	return q.edit("account", a.Name, string(a.ID), f, err)
}

func (q *request) readAccount(a *channel.Account, typed hoursForm) (err error) {
	a.Version, a.Name, a.Language = q.number("version"), q.value("name"), q.value("language")
	a.Desk, a.WorkStream = routing.DeskID(q.value("desk")), routing.WorkStreamID(q.value("stream"))
	a.Attachments, a.CustomerAttachments, a.AgentAttachments = q.checked("attachments"), q.checked("from_customers"),
		q.checked("from_agents")
	a.Disabled, a.Messages = q.checked("disabled"), q.texts()
	if a.Notice.Version = q.value("notice_version"); a.Kind == kindLINE { // only there are buttons to ask with
		a.Notice.Consent = q.checked("ask_consent")
	}
	switch a.Kind {
	case kindWebChat:
		err = q.readChat(a)
	case kindMail:
		err = q.readMail(a)
	case kindLINE:
		err = q.readLINE(a)
	default:
		if a.Settings = json.RawMessage(q.value("settings")); len(a.Settings) > 0 && !json.Valid(a.Settings) {
			err = errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
	}
	if err == nil {
		a.Hours, err = q.calendar(typed)
	}
	return err
}

func (q *request) readLINE(a *channel.Account) error {
	settings := map[string]any{}
	if len(a.Settings) > 0 {
		if err := json.Unmarshal(a.Settings, &settings); err != nil {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
	}
	settings[settingChannel] = q.value("channel_id")
	raw, err := json.Marshal(settings)
	if err != nil {
		return err
	}
	a.Settings, a.Secrets = raw, map[string]channel.Secret{}
	for field, name := range map[string]string{"secret": secretChannel, "token": secretToken} {
		if v := q.value(field); v != "" { // an empty one keeps what is stored
			a.Secrets[name] = channel.NewSecret(v)
		}
	}
	return nil
}

// checkView is what the provider says of an account.
type checkView struct {
	ID       string
	Findings []adapter.Finding
	Webhook  string
	Replaces string // the address at the provider that ours would take the place of
	Fetches  bool   // there is no web hook to set
}

// checkAccount asks the provider, for a page that shows it when it comes.
func (q *request) checkAccount() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	v := checkView{ID: string(a.ID), Fetches: a.Kind == kindMail, Webhook: q.webhookOf(a)}
	if v.Findings, err = q.engine.CheckAccount(q.r.Context(), q.p, a.ID, v.Webhook); err != nil {
		return err
	}
	v.Replaces, v.Findings = replaced(v.Findings), q.lang.foundIn(v.Findings)
	q.part(http.StatusOK, "check", v)
	return nil
}

// replaced is the address that SetEndpoint would replace.
func replaced(list []adapter.Finding) string {
	for _, f := range list {
		if f.Replaces != "" {
			return f.Replaces
		}
	}
	return ""
}

// connectAccount has the provider send its events here. An address that is there
// already may be another tool's: it is replaced once somebody has seen it.
func (q *request) connectAccount() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	webhook := q.webhookOf(a)
	if webhook == "" {
		return errs.New(errs.Invalid, "console: %s", q.lang.t("account.no_url"))
	}
	findings, err := q.engine.CheckAccount(q.r.Context(), q.p, a.ID, webhook)
	if err != nil {
		return err
	}
	if there := replaced(findings); there != "" && q.value("replace") != there {
		return errs.New(errs.Invalid, "console: %s", q.lang.t("account.replace_first", there))
	}
	if err := q.engine.ConnectAccount(q.r.Context(), q.p, a.ID, webhook); err != nil {
		return err
	}
	return q.done("/setup/accounts/" + escaped(string(a.ID)) + "?saved=1")
}

// firstView says whether anything has come from the account.
type firstView struct {
	ID   string
	Mail bool
	Last *rowView
}

// firstMessage waits, together with the event stream, for the first message.
func (q *request) firstMessage() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	page, err := q.engine.Conversations(q.r.Context(), q.p, conversation.Filter{Account: a.ID}, "", 1)
	if err != nil {
		return err
	}
	d, err := q.directory()
	if err != nil {
		return err
	}
	rows, err := q.rowViews(d, page.Conversations, "all", "")
	if err != nil {
		return err
	}
	v := firstView{ID: string(a.ID), Mail: a.Kind == kindMail}
	if len(rows) > 0 {
		v.Last = &rows[0]
	}
	q.part(http.StatusOK, "first", v)
	return nil
}
