package sangdam

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/channel/visitor"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// Who was told what, and who agreed to what, is kept here, on every channel and
// of agents too. Web chat asks on its own page (Visitor.Consent); elsewhere an
// account says in a message that what is written is kept, and may ask for consent
// by two buttons (channel.Notice). Until the yes what the customer writes is kept
// aside, sealed: it is in no conversation, so that no list, search, export, event
// or rule can show it.

// Purposes of consents.
const (
	purposeChat   = "chat"   // that what is written is read and kept
	purposeNotice = "notice" // was told so, and not asked
	purposeAgent  = "agent"  // an agent was told so
)

// consent is one agreement, or refusal: who, by which identity, to which version
// of the text, and when. It is never changed; the audit log has the proof beside
// it, but of what was only told.
type consent struct {
	ID          string                  `json:"id"`
	Version     int64                   `json:"-"`
	Contact     conversation.ContactID  `json:"contact"`
	Identity    conversation.IdentityID `json:"identity"`
	Account     channel.AccountID       `json:"account"`
	Channel     channel.Kind            `json:"channel"`
	Purpose     string                  `json:"purpose"`
	TextVersion string                  `json:"text_version"`
	// Words is the digest of the text as it was shown, where we showed it.
	Words   string    `json:"words,omitempty"`
	Refused bool      `json:"refused,omitempty"`
	Agent   string    `json:"agent,omitempty"` // in place of contact and identity
	At      time.Time `json:"at"`
}

var consents = declare(store.Kind[consent]{Name: "consent",
	ID:      func(c *consent) string { return c.ID },
	Version: func(c *consent) *int64 { return &c.Version },
	Indexes: []store.Index[consent]{{Name: "identity", Value: func(c *consent) []byte {
		return store.Tuple(store.Exact(string(c.Identity)), store.Time(c.At))
	}}},
})

// consentID is where a consent stands: once for whoever gives it and each text.
func consentID(who string, acct channel.AccountID, purpose, textVersion string) string {
	return who + "/" + digest(string(acct), purpose, textVersion)
}

// consented keeps an answer of a customer, with its audit row: a yes once for
// each text, every no.
func (u *unit) consented(c consent) error {
	c.ID, c.At = consentID(string(c.Identity), c.Account, c.Purpose, c.TextVersion), u.tx.Now()
	if c.Refused {
		c.ID += "/" + newID()
	}
	u.resource = Resource{Kind: kindContact, ID: string(c.Contact)}
	u.detail("purpose", c.Purpose)
	u.detail("text_version", c.TextVersion)
	_, err := consents.Get(u.ctx, u.tx, c.ID)
	if errors.Is(err, ErrNotFound) {
		err = consents.Save(u.ctx, u.tx, &c)
	}
	if err != nil {
		return err
	}
	who, err := u.tx.Contacts().Contact(u.ctx, c.Contact)
	if err != nil {
		return err
	}
	return u.tell(driver.Event{Aggregate: kindContact, ID: string(who.ID), Kind: "consent", Contact: who.ID, Desks: who.Desks})
}

// consentsOf lists what a visitor agreed to at an account, oldest first.
func consentsOf(ctx context.Context, tx store.Tx, i conversation.Identity, acct channel.AccountID) ([]visitor.Consent, error) {
	prefix := store.Tuple(store.Exact(string(i.ID)))
	all, err := consents.All(ctx, tx, store.List[consent]{Index: "identity", From: prefix, To: append(prefix, 0xFF),
		Keep: func(c *consent) bool { return c.Account == acct && !c.Refused && c.Purpose != purposeNotice }}, 1000)
	var out []visitor.Consent
	for _, c := range all {
		out = append(out, visitor.Consent{Purpose: c.Purpose, TextVersion: c.TextVersion, At: c.At})
	}
	return out, err
}

// checkNotice refuses an account that asks for consent and cannot.
func checkNotice(a channel.Account, caps adapter.Capabilities) error {
	if len(a.Notice.Version) > 100 {
		return errs.New(errs.Invalid, "sangdam: account %q: the version of the notice has more than 100 bytes", a.Name)
	}
	if !a.Notice.Consent {
		return nil
	}
	switch {
	case caps.AsksConsent:
		return errs.New(errs.Unsupported,
			"sangdam: account %q: %s asks for consent on its own page; set it among the channel's settings", a.Name, a.Kind)
	case caps.Choices == adapter.Rejected || !caps.Chooses(channel.ChoicePostback):
		return errs.New(errs.Unsupported, "sangdam: account %q: %s has no buttons, so that nobody can be asked for consent there; "+
			"customers can be told by the message %q", a.Name, a.Kind, automated.Notice)
	}
	for _, name := range []string{automated.Notice, automated.ConsentYes, automated.ConsentNo,
		automated.Refused} {
		if automated.Text(name, a.Language, a.Messages) == "" {
			return errs.New(errs.Invalid,
				"sangdam: account %q asks for consent and has no message %q of its own; write it in the account's language", a.Name, name)
		}
	}
	return nil
}

func noticeVersion(a channel.Account) string { return cmp.Or(a.Notice.Version, "1") }

// knows says that somebody was told by the present text, or has agreed to it.
func (u *unit) knows(who string, acct channel.Account) (told, agreed bool, err error) {
	yes := consentID(who, acct.ID, purposeChat, noticeVersion(acct))
	list, err := consents.GetAll(u.ctx, u.tx, yes, consentID(who, acct.ID, purposeNotice, noticeVersion(acct)))
	for _, c := range list {
		told, agreed = true, agreed || c.ID == yes
	}
	return told, agreed, err
}

// tellNotice says in a conversation that begins that it is kept, once for each
// customer, or group, and text.
func (u *unit) tellNotice(acct channel.Account, d *draft.Draft) error {
	who := cmp.Or(string(d.C.Identity), "chat/"+chatID(acct.ID, d.C.Chat))
	text := u.automatedText(acct, automated.Notice, d.C.Language)
	if text == "" {
		return nil
	}
	if told, _, err := u.knows(who, acct); told || err != nil {
		return err
	}
	sent, err := u.sayAutomated(acct, d, automated.Notice)
	if err != nil || !sent {
		return err
	}
	return u.told(who, conversation.Identity{ID: d.C.Identity, Contact: d.C.Contact}, acct, text)
}

func (u *unit) told(who string, i conversation.Identity, acct channel.Account, text string) error {
	return consents.Save(u.ctx, u.tx, &consent{ID: consentID(who, acct.ID, purposeNotice, noticeVersion(acct)), Contact: i.Contact,
		Identity: i.ID, Account: acct.ID, Channel: acct.Kind, Purpose: purposeNotice, TextVersion: noticeVersion(acct), Words: digest(text),
		At: u.tx.Now()})
}

// noticeFirst says it before a welcome, and returns the right to answer that is
// left. Who will be asked for consent is told here too, and asked with the first
// message: buttons that are not under the last message cannot be seen.
func (u *unit) noticeFirst(acct channel.Account, in adapter.Inbound, i conversation.Identity) (*channel.ReplyHandle, error) {
	text := u.automatedText(acct, automated.Notice, "")
	told, _, err := u.knows(string(i.ID), acct)
	if text == "" || told || err != nil || i.ID == "" {
		return in.Reply, err
	}
	if err := u.sayAlone(acct, in, channel.Text(text)); err != nil || acct.Notice.Consent {
		return nil, err
	}
	return nil, u.told(string(i.ID), i, acct, text)
}

// unagreed is what a customer wrote before agreeing.
type unagreed struct {
	ID      string        `json:"id"`
	Version int64         `json:"-"`
	AskedAt time.Time     `json:"asked_at,omitzero"`
	At      time.Time     `json:"at"` // of the last message
	Held    []heldInbound `json:"held"`
}

type heldInbound struct {
	Message  channel.ProviderMessageID `json:"message"`
	Envelope channel.EnvelopeID        `json:"envelope"`
	Sealed   []byte                    `json:"sealed"`
}

var unagreeds = declare(store.Kind[unagreed]{Name: "unagreed",
	ID:      func(w *unagreed) string { return w.ID },
	Version: func(w *unagreed) *int64 { return &w.Version },
	Indexes: []store.Index[unagreed]{{Name: "at", Value: func(w *unagreed) []byte { return store.Time(w.At) }}},
})

const (
	// keepUnagreed is how long what nobody agreed to is kept, and maxUnagreed how
	// many messages of it: what comes after them is not.
	keepUnagreed = 30 * 24 * time.Hour
	maxUnagreed  = 30
	// askAgain is how soon a customer who goes on writing is asked once more: what
	// is written hides the buttons on a phone, but one burst is asked once.
	askAgain = 2 * time.Second
	// consentData begins what a button brings back; the text that it belongs to
	// and the answer follow.
	consentData = "sangdam:consent:"
)

func init() { registerPurge(purgeUnagreed) }

func purgeUnagreed(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, unagreeds, "at", keepUnagreed)
}

// beforeConsent takes what comes from a customer who has not agreed to the
// present text, and the answer itself. It reports whether the event is done with.
// A talk that the customer began before goes on.
func (u *unit) beforeConsent(acct channel.Account, in adapter.Inbound) (bool, error) {
	button, pressed := "", false
	if in.Content.Postback != nil {
		button, pressed = strings.CutPrefix(in.Content.Postback.Data, consentData)
	}
	if !in.Chat.OfOne() || in.Author.User == "" || !pressed && (!acct.Notice.Consent || in.Chat.ID == "") {
		return false, nil
	}
	i, _, err := u.identityOn(acct, in.Author, "") // no desk sees the contact either
	if err != nil {
		return true, err
	}
	if _, agreed, err := u.knows(string(i.ID), acct); agreed || err != nil {
		return pressed, err
	}
	if !pressed {
		if goesOn, err := u.talksAlready(acct, in, i); goesOn || err != nil {
			return false, err
		}
	}
	w, err := unagreeds.Get(u.ctx, u.tx, string(i.ID)+"/"+string(acct.ID))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return true, err
	}
	w.ID = string(i.ID) + "/" + string(acct.ID)
	switch u.consentAnswer(acct, in, w, button) {
	case "yes":
		return true, u.agrees(acct, in, i, w)
	case "no":
		return true, u.refuses(acct, in, i, w)
	}
	if !pressed {
		if err := u.hold(&w, in); err != nil {
			return true, err
		}
	}
	return true, u.askConsent(acct, in, w)
}

// talksAlready says that the customer is in the middle of a conversation.
func (u *unit) talksAlready(acct channel.Account, in adapter.Inbound, i conversation.Identity) (bool, error) {
	open, _, err := u.tx.Conversations().ByThread(u.ctx, u.s.thread(in.Chat, acct.ID, acct.WorkStream, i.Contact))
	return open != nil && !open.LastCustomerAt.IsZero(), err
}

// consentAnswer is "yes", "no", or empty for none: a button of the present text,
// or its label typed by who sees no buttons.
func (u *unit) consentAnswer(acct channel.Account, in adapter.Inbound, w unagreed, button string) string {
	if version, answer, is := strings.Cut(button, ":"); is {
		if version == digest(string(acct.ID), noticeVersion(acct)) {
			return answer
		}
		return ""
	}
	for name, answer := range map[string]string{automated.ConsentYes: "yes", automated.ConsentNo: "no"} {
		label := strings.TrimSpace(u.automatedText(acct, name, ""))
		if !w.AskedAt.IsZero() && label != "" && strings.EqualFold(strings.TrimSpace(in.Content.Text), label) {
			return answer
		}
	}
	return ""
}

func unagreedPlace(ws WorkspaceID, w unagreed, m channel.ProviderMessageID) seal.AD {
	return seal.AD{Workspace: string(ws), Table: "unagreed", Row: w.ID + "/" + string(m), Column: "event"}
}

// hold keeps a message aside, once.
func (u *unit) hold(w *unagreed, in adapter.Inbound) error {
	for _, h := range w.Held {
		if h.Message == in.MessageID && in.MessageID != "" {
			u.absorbed = true
			return nil
		}
	}
	if len(w.Held) >= maxUnagreed {
		return nil
	}
	if err := u.sealing(); err != nil {
		return err
	}
	plain, err := json.Marshal(in)
	if err != nil {
		return err
	}
	h := heldInbound{Message: in.MessageID, Envelope: u.envelope}
	if h.Sealed, err = u.rest.Seal(unagreedPlace(u.tx.Workspace(), *w, in.MessageID), plain); err != nil {
		return err
	}
	w.Held, w.At = append(w.Held, h), u.tx.Now()
	return nil
}

// askConsent says what is asked for, and keeps what is held.
func (u *unit) askConsent(acct channel.Account, in adapter.Inbound, w unagreed) error {
	if now := u.tx.Now(); acct.Notice.Consent && !in.Silent && now.Sub(w.AskedAt) >= askAgain {
		content := channel.Text(u.automatedText(acct, automated.Notice, ""))
		for _, b := range [][2]string{{automated.ConsentYes, "yes"}, {automated.ConsentNo, "no"}} {
			content.Choices = append(content.Choices, channel.Choice{Kind: channel.ChoicePostback, Label: u.automatedText(acct, b[0], ""),
				Data: consentData + digest(string(acct.ID), noticeVersion(acct)) + ":" + b[1]})
		}
		if w.AskedAt = now; w.At.IsZero() {
			w.At = now
		}
		if err := u.sayAlone(acct, in, content); err != nil {
			return err
		}
	}
	if w.At.IsZero() {
		return nil
	}
	return unagreeds.Save(u.ctx, u.tx, &w)
}

// answered keeps the answer in the customer's name, with its audit row.
func (u *unit) answered(acct channel.Account, i conversation.Identity, refused bool) error {
	p, of, details := u.p, u.resource, u.details
	u.p = visitorPrincipal(visitor.Ref{Workspace: string(p.Workspace), Account: acct.ID, User: i.User})
	defer func() { u.p, u.resource, u.details = p, of, details }()
	err := u.consented(consent{Contact: i.Contact, Identity: i.ID, Account: acct.ID, Channel: acct.Kind, Purpose: purposeChat,
		TextVersion: noticeVersion(acct), Words: digest(u.automatedText(acct, automated.Notice, "")), Refused: refused})
	if err != nil {
		return err
	}
	outcome := "ok"
	if refused {
		outcome = "refused"
	}
	return u.audit(actVisitorConsent, outcome)
}

// agrees keeps the yes, and lets what was held arrive in its order. The right to
// answer is that of the button, which is the newest.
func (u *unit) agrees(acct channel.Account, in adapter.Inbound, i conversation.Identity, w unagreed) error {
	if err := u.answered(acct, i, false); err != nil {
		return err
	}
	if w.Version > 0 {
		if err := unagreeds.Delete(u.ctx, u.tx, &w); err != nil {
			return err
		}
	}
	if len(w.Held) > 0 {
		if err := u.sealing(); err != nil {
			return err
		}
	}
	now := u.envelope
	defer func() { u.envelope = now }()
	for n, h := range w.Held {
		if err := u.sayHeld(acct, in, w, n, h); err != nil {
			return err
		}
	}
	return nil
}

// sayHeld takes what was written before the yes; the last of it may be answered
// by the right to reply that came with the yes.
func (u *unit) sayHeld(acct channel.Account, in adapter.Inbound, w unagreed, n int, h heldInbound) error {
	plain, err := u.rest.Open(unagreedPlace(u.tx.Workspace(), w, h.Message), h.Sealed)
	if err != nil {
		return err
	}
	var wrote adapter.Inbound
	if err := json.Unmarshal(plain, &wrote); err != nil {
		return err
	}
	if wrote.Reply = nil; n == len(w.Held)-1 {
		wrote.Reply = in.Reply
	}
	u.envelope = h.Envelope
	if err := u.customerMessage(acct, wrote); err != nil {
		return err
	}
	if !u.forget {
		return nil
	}
	u.forget = false
	return u.forgetEnvelope(h.Envelope)
}

// refuses keeps the no, forgets what was held, and says goodbye.
func (u *unit) refuses(acct channel.Account, in adapter.Inbound, i conversation.Identity, w unagreed) error {
	if err := u.answered(acct, i, true); err != nil {
		return err
	}
	for _, h := range w.Held {
		if err := u.forgetEnvelope(h.Envelope); err != nil {
			return err
		}
	}
	if w.Version > 0 {
		if err := unagreeds.Delete(u.ctx, u.tx, &w); err != nil {
			return err
		}
	}
	if in.Silent {
		return nil
	}
	return u.sayAlone(acct, in, channel.Text(u.automatedText(acct, automated.Refused, "")))
}
