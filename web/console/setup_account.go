package console

import (
	"cmp"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/routing"
)

// accountForm is an account on a channel as the page shows it. Secrets go in
// and never come out.
type accountForm struct {
	Account   channel.Account
	IsLINE    bool
	ChannelID string
	Settings  string // JSON, for other kinds
	Kinds     []choice
	Desks     []choice
	Streams   []choice
	Texts     []textsForm
	Webhook   string // where the provider is to send events; empty: unknown
	Heard     heardForm
	Chat      *chatForm // of web chat
}

// Secrets of a LINE account, and the member of its settings that the form has a
// field for.
const (
	kindLINE       = channel.Kind("line")
	secretChannel  = "channel_secret"
	secretToken    = "channel_token"
	settingChannel = "channel_id"
)

func (q *request) accountForm(a channel.Account) (accountForm, error) {
	d, err := q.directory()
	if err != nil {
		return accountForm{}, err
	}
	f := accountForm{Account: a, IsLINE: a.Kind == kindLINE, Settings: string(a.Settings), Texts: q.textsForm(a.Messages)}
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
	for _, id := range sortedKeys(d.WorkStreams) {
		f.Streams = append(f.Streams, choice{string(id), d.WorkStreams[id], id == a.WorkStream})
	}
	if q.o.PublicURL != "" && a.Token != "" {
		f.Webhook = strings.TrimRight(q.o.PublicURL, "/") + "/" + a.Token
	}
	f.Heard = q.heardForm([]channel.Account{a})
	if a.Kind == kindWebChat {
		f.Chat = q.chatForm(a)
	}
	return f, nil
}

// findAccount is the stored account; a new one is of the kind asked for.
func (q *request) findAccount(id string) (channel.Account, error) {
	if id == "new" {
		return channel.Account{Kind: channel.Kind(cmp.Or(q.r.FormValue("kind"), string(kindLINE))), Attachments: true, CustomerAttachments: true,
			AgentAttachments: true}, nil
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
	f, err := q.accountForm(a)
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
	if err = q.readAccount(&a); err == nil {
		var saved sangdam.AccountSaved
		if saved, err = q.engine.SaveAccount(q.r.Context(), q.p, sangdam.SaveAccount{Key: q.key(), Account: a}); err == nil {
			return q.saved("/setup/accounts/", escaped(string(saved.ID)), saved.Warnings)
		}
	}
	f, again := q.accountForm(a)
	if again != nil {
		return again
	}
	return q.edit("account", cmp.Or(a.Name, q.lang.t("setup.new.accounts")), id, f, err)
}

func (q *request) readAccount(a *channel.Account) error {
	a.Version, a.Name, a.Language = q.number("version"), q.value("name"), q.value("language")
	a.Desk, a.WorkStream = routing.DeskID(q.value("desk")), routing.WorkStreamID(q.value("stream"))
	a.Attachments, a.CustomerAttachments, a.AgentAttachments = q.checked("attachments"), q.checked("from_customers"), q.checked("from_agents")
	a.Disabled, a.Messages = q.checked("disabled"), q.texts()
	if a.Kind == kindWebChat {
		return q.readChat(a)
	}
	if a.Kind != kindLINE {
		a.Settings = json.RawMessage(q.value("settings"))
		if len(a.Settings) > 0 && !json.Valid(a.Settings) {
			return errs.New(errs.Invalid, "console: %s", q.lang.t("account.settings_wrong"))
		}
		return nil
	}
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
	Findings []channel.Finding
	Webhook  string
	Settable bool
}

// checkAccount asks the provider, for a page that shows it when it comes.
func (q *request) checkAccount() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := q.accountForm(a)
	if err != nil {
		return err
	}
	v := checkView{ID: string(a.ID), Webhook: f.Webhook, Settable: f.Webhook != ""}
	if v.Findings, err = q.engine.CheckAccount(q.r.Context(), q.p, a.ID, cmp.Or(f.Webhook, q.lang.t("account.no_url"))); err != nil {
		return err
	}
	q.part(http.StatusOK, "account", "check", v)
	return nil
}

// connectAccount has the provider send its events here.
func (q *request) connectAccount() error {
	a, err := q.findAccount(q.r.PathValue("id"))
	if err != nil {
		return err
	}
	f, err := q.accountForm(a)
	if err != nil {
		return err
	}
	if f.Webhook == "" {
		return errs.New(errs.Invalid, "console: %s", q.lang.t("account.no_url"))
	}
	if err := q.engine.ConnectAccount(q.r.Context(), q.p, a.ID, f.Webhook); err != nil {
		return err
	}
	return q.done("/setup/accounts/" + escaped(string(a.ID)) + "?saved=1")
}

// firstView says whether anything has come from the account.
type firstView struct {
	ID   string
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
	v := firstView{ID: string(a.ID)}
	if len(rows) > 0 {
		v.Last = &rows[0]
	}
	q.part(http.StatusOK, "account", "first", v)
	return nil
}
