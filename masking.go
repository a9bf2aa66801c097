package sangdam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// Masking (CV8, CV9): a range of what a customer or an agent wrote becomes
// asterisks wherever it is shown or stored; the original is sealed, and shown
// again only to who has the right, with a reason, which the audit log keeps.

// SwitchSecurity is the security service: masks, and finding personal data in
// texts.
const SwitchSecurity Switch = "security"

// Actions on masks. Under DefaultPolicy every agent of a desk may mask its
// texts; administrators, supervisors and agents with routing.PermitReveal may
// see what a mask hides.
const (
	ActMask   Action = "text.mask"
	ActReveal Action = "text.reveal" // see what a mask hides
	ActUnmask Action = "text.unmask" // take a mask away
)

// OnFound says what is done with personal data that is found in texts.
type OnFound string

// What is done with personal data.
const (
	FoundStays    OnFound = ""        // nothing is looked for
	FoundProposed OnFound = "propose" // agents see it marked and mask it with one click
	FoundMasked   OnFound = "mask"    // it is masked before anything else sees the text
)

// MaskingPolicy is how a workspace treats personal data that is found in texts
// (CV9). With FoundMasked, in what agents write to customers only the numbers
// of identity documents and cards are masked: a company's own telephone number,
// for instance, is not personal.
type MaskingPolicy struct {
	Found OnFound `json:"found,omitempty"`
	// Types are the kinds of personal data that are looked for; empty means
	// privacy.Types().
	Types []privacy.Type `json:"types,omitempty"`
	// KeepLast leaves the last letters or digits of each finding readable, 0 to 4.
	KeepLast int `json:"keep_last,omitempty"`
	// KeepPictureData keeps the data that cameras write into pictures: where,
	// when and with what each was taken. Without it that data is removed before
	// a picture is stored, whether somebody uploads it or it comes from a
	// provider or in a mail.
	KeepPictureData bool `json:"keep_picture_data,omitempty"`
}

func (m MaskingPolicy) validate() error {
	if !slices.Contains([]OnFound{FoundStays, FoundProposed, FoundMasked}, m.Found) {
		return errs.New(errs.Invalid,
			"sangdam: workspace settings: personal data that is found is masked (mask), proposed (propose) or left (empty), not %q",
			m.Found)
	}
	if m.KeepLast < 0 || m.KeepLast > 4 {
		return errs.New(errs.Invalid, "sangdam: workspace settings: masking keeps the last 0 to 4 characters, not %d", m.KeepLast)
	}
	known := append(privacy.Types(), privacy.Email, privacy.IP)
	for _, t := range m.Types {
		if !slices.Contains(known, t) {
			return errs.New(errs.Invalid, "sangdam: workspace settings: there is no type of personal data %q; use some of %v", t, known)
		}
	}
	return nil
}

func (m MaskingPolicy) types() []privacy.Type {
	if len(m.Types) == 0 {
		return privacy.Types()
	}
	return m.Types
}

// ofIdentity are the types that are masked also in what leaves to customers.
var ofIdentity = []privacy.Type{privacy.RRN, privacy.FRN, privacy.MyNumber, privacy.Card, privacy.Passport, privacy.DriverLicence}

// outgoing is the policy for what is written to customers.
func (m MaskingPolicy) outgoing() MaskingPolicy {
	m.Types = slices.DeleteFunc(slices.Clone(m.types()), func(t privacy.Type) bool { return !slices.Contains(ofIdentity, t) })
	if len(m.Types) == 0 {
		m.Found = FoundStays
	}
	return m
}

// masking is the workspace's policy; one of which nothing is found while the
// security service is off.
func (u *unit) masking() (MaskingPolicy, error) {
	s, err := u.ticketSetup()
	if err != nil || slices.Contains(s.Settings.Off, SwitchSecurity) {
		return MaskingPolicy{}, err
	}
	return s.Settings.Masking, nil
}

// found are the ranges that the policy masks.
func (m MaskingPolicy) found(text string, findings []privacy.Finding) []privacy.Span {
	return privacy.KeepLast(text, privacy.SpansOf(findings, privacy.Medium), m.KeepLast)
}

// newMask makes masks of an owner's text; what was found names their type.
func (u *unit) newMask(owner, by string, findings []privacy.Finding) func(privacy.Span) privacy.MaskedSpan {
	return func(s privacy.Span) privacy.MaskedSpan {
		m := privacy.MaskedSpan{ID: newID(), Owner: owner, By: by, At: u.tx.Now()}
		for _, f := range findings {
			if f.Start < s.End && s.Start < f.End {
				m.Type = f.Type
			}
		}
		return m
	}
}

// lookBack is how many messages of the same author, and of what age, are read
// with a new one, so that a number in two messages is found.
const (
	lookBack    = 3
	lookBackFor = 10 * time.Minute
)

// hideArriving masks by policy what a customer wrote, before anything sees it.
func (u *unit) hideArriving(d *draft.Draft, m *conversation.Message) error {
	policy, err := u.masking()
	if err != nil || policy.Found != FoundMasked {
		return err
	}
	policy.hideNames(m)
	before, err := u.justBefore(d, *m)
	if err != nil {
		return err
	}
	parts := make([]string, 0, len(before)+1)
	for _, b := range before {
		parts = append(parts, b.Content.Text)
	}
	found := privacy.DetectAcross(append(parts, m.Content.Text), policy.types()...)
	for i, b := range before { // what only the new message shows to be a number
		if err := u.hideStored(d, b, policy.found(b.Content.Text, found[i]), found[i], "system"); err != nil {
			return err
		}
	}
	return u.hideNew(d.C, m, policy, found[len(before)])
}

// hideNames takes what is found out of names of files and the subject, which are
// the sender's and not kept.
func (p MaskingPolicy) hideNames(m *conversation.Message) {
	for n, media := range m.Content.Files() {
		if spans := p.found(media.Name, privacy.Detect(media.Name, p.types()...)); len(spans) > 0 {
			media.Name = privacy.SafeName(privacy.Mask(media.Name, spans)) // the name is the sender's, and is not kept
			m.Content = m.Content.WithFile(n, media)
		}
	}
	if l := m.Content.Letter; l != nil {
		if spans := p.found(l.Subject, privacy.Detect(l.Subject, p.types()...)); len(spans) > 0 {
			safe := *l
			safe.Subject = privacy.Mask(l.Subject, spans) // as names of files
			m.Content.Letter = &safe
		}
	}
}

// justBefore are the author's last messages, as long as nobody else spoke.
func (u *unit) justBefore(d *draft.Draft, m conversation.Message) ([]conversation.Message, error) {
	if d.C.Version == 0 {
		return nil, nil
	}
	last, err := u.tx.Conversations().Latest(u.ctx, d.C.ID, 0, lookBack)
	if err != nil {
		return nil, err
	}
	from := 0
	for i, b := range last {
		if b.Direction != conversation.Inbound || b.Author.Identity != m.Author.Identity || u.tx.Now().Sub(b.At) > lookBackFor {
			from = i + 1
		}
	}
	return last[from:], nil
}

// hideNew masks ranges of a message that is not stored yet.
func (u *unit) hideNew(cv conversation.Conversation, m *conversation.Message, policy MaskingPolicy, findings []privacy.Finding) error {
	spans := policy.found(m.Content.Text, findings)
	if len(spans) == 0 {
		return nil
	}
	owner, err := u.maskOwner(cv, *m)
	if err != nil {
		return err
	}
	if err := u.dropForms(m); err != nil {
		return err
	}
	var originals map[string]string
	*m, originals = draft.Hide(*m, spans, u.newMask(owner, "system", findings))
	if err := u.keepOriginals(owner, originals); err != nil {
		return err
	}
	return u.forgetSources(*m)
}

// hideSaid masks by policy what is written to a customer, or in a note.
func (u *unit) hideSaid(cv conversation.Conversation, m *conversation.Message) error {
	policy, err := u.masking()
	if err != nil {
		return err
	}
	if m.Direction != conversation.Internal {
		policy = policy.outgoing()
	}
	if policy.Found != FoundMasked || m.Content.Text == "" {
		return nil
	}
	return u.hideNew(cv, m, policy, privacy.Detect(m.Content.Text, policy.types()...))
}

// hideStored masks ranges of a stored message and takes the original away
// wherever the store has it.
func (u *unit) hideStored(d *draft.Draft, m conversation.Message, spans []privacy.Span, findings []privacy.Finding,
	by string) error {
	if len(spans) == 0 {
		return nil
	}
	owner, err := u.maskOwner(d.C, m)
	if err != nil {
		return err
	}
	if err := u.dropForms(&m); err != nil {
		return err
	}
	m, originals := d.Mask(m, spans, by, u.newMask(owner, by, findings))
	if len(originals) == 0 {
		return nil
	}
	if err := u.keepOriginals(owner, originals); err != nil {
		return err
	}
	return u.forgetHidden(d, m, originals, by)
}

// forgetHidden takes what a message says no longer away wherever else it stands.
func (u *unit) forgetHidden(d *draft.Draft, m conversation.Message, originals map[string]string, by string) error {
	if err := u.forgetSources(m); err != nil {
		return err
	}
	if err := u.tx.Outbox().Forget(u.ctx, channel.OutboxID(m.ID)); err != nil { // one that waits is forgotten when it has left
		return err
	}
	if err := u.tx.Search().Delete(u.ctx, m.ID); err != nil { // the indexer puts the masked text
		return err
	}
	if err := u.hideInThread(d, m.ID, originals, by); err != nil {
		return err
	}
	if err := u.concealCopies(kindConversation+":"+string(d.C.ID), originals); err != nil {
		return err
	}
	if err := u.hideInTickets(d.C, originals, by); err != nil {
		return err
	}
	return u.scrubSoon()
}

// dropForms takes away what else holds the text of a message that is masked.
func (u *unit) dropForms(m *conversation.Message) error {
	for n, f := range m.Content.Files() {
		if !f.Form {
			continue
		}
		if f.Blob != "" {
			if err := u.tx.Blobs().Release(u.ctx, f.Blob); err != nil && !errors.Is(err, ErrNotFound) {
				return err
			}
		}
		f.Blob, f.Provider, f.Size, f.State, f.Reason = "", "", 0, channel.MediaGone, channel.ReasonMasked
		m.Content = m.Content.WithFile(n, f)
	}
	return nil
}

// forgetSources drops the stored events that a message came from. The one that
// is being processed goes at its end.
func (u *unit) forgetSources(m conversation.Message) error {
	for _, source := range m.Sources {
		if packedIn(m, source) {
			continue // sealed, and kept until its files are taken out or its time is over
		}
		if source == u.envelope {
			u.forget = true
			continue
		}
		if err := u.forgetEnvelope(source); err != nil {
			return err
		}
	}
	return nil
}

// forgetEnvelope drops what a provider sent, wherever it lies.
func (u *unit) forgetEnvelope(id channel.EnvelopeID) error {
	env, err := u.tx.Inbox().Envelope(u.ctx, id)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if isLarge(env.Raw) {
		l, err := largeEnvelopes.Get(u.ctx, u.tx, strings.TrimPrefix(string(env.Raw), largeMark))
		if err == nil {
			err = forgetLarge(u.ctx, u.tx, l)
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return u.tx.Inbox().Forget(u.ctx, id)
}

// packedIn says that files of the message are still to be taken out of the event.
func packedIn(m conversation.Message, source channel.EnvelopeID) bool {
	return slices.ContainsFunc(m.Content.Files(), func(f channel.Media) bool {
		waits := f.Blob == "" && (f.State == "" || f.State == channel.MediaPending)
		return waits && strings.HasPrefix(f.Provider, string(source)+"/")
	})
}

// source adds the event that is being processed to those of a message.
func (u *unit) source(m *conversation.Message) {
	if u.envelope != "" && !slices.Contains(m.Sources, u.envelope) {
		m.Sources = append(slices.Clone(m.Sources), u.envelope)
	}
}

// maxMasked is how many ranges one command masks.
const maxMasked = 50

// MaskMessage masks ranges of a message's text.
type MaskMessage struct {
	Key     Key                    `json:"-"`
	Message conversation.MessageID `json:"message"`
	// Version of the message that the caller saw, to whose text Spans refer.
	Version int64 `json:"version"`
	// Spans are the 1 to 50 ranges of Content.Text to mask, in bytes.
	Spans []privacy.Span `json:"spans"`
}

// Masked is the result of a command that masks or unmasks.
type Masked struct {
	// Version of the message or ticket after the command.
	Version int64 `json:"version"`
}

// MaskMessage carries the command out. From then on everybody gets asterisks in
// these places: lists, history, search, exports, transcripts, triggers, web
// hooks, bots and the customer's own page. What was sent before cannot be
// called back. Where tickets made from the conversation hold the same words, of
// four characters or more, those are masked too. The same words in the subjects
// of a mail's thread are replaced for good: Unmask brings back the text only.
// ErrStale for a message that changed since Version, ErrInvalid for ranges
// outside of the text or in the middle of a character, ErrUnsupported while the
// security service is off.
func (e *Engine) MaskMessage(ctx context.Context, p Principal, c MaskMessage) (Masked, error) {
	return command(ctx, e, call{opMaskMessage, p, c.Key, c}, func(u *unit) (Masked, error) {
		d, m, err := u.maskable(c.Message, ActMask)
		if err != nil {
			return Masked{}, err
		}
		if m.Version != c.Version {
			return Masked{}, errs.New(errs.Stale, "sangdam: message %s has changed; read it again and choose the range in its present text",
				m.ID)
		}
		if err := checkRanges(m.Content.Text, c.Spans); err != nil {
			return Masked{}, err
		}
		u.detail("message", string(m.ID))
		findings := privacy.Detect(m.Content.Text, append(privacy.Types(), privacy.Email, privacy.IP)...)
		if err := u.hideStored(d, m, c.Spans, findings, u.actor()); err != nil {
			return Masked{}, err
		}
		if len(d.Messages) == 0 { // it was masked already
			return Masked{Version: m.Version}, nil
		}
		return Masked{Version: m.Version + 1}, nil
	})
}

// checkRanges refuses what is no range of a text.
func checkRanges(text string, spans []privacy.Span) error {
	if len(spans) == 0 || len(spans) > maxMasked {
		return errs.New(errs.Invalid, "sangdam: %d ranges are to be masked; give 1 to %d", len(spans), maxMasked)
	}
	return privacy.Check(text, spans)
}

// maskable is a message with its conversation, for who has the right.
func (u *unit) maskable(id conversation.MessageID, a Action) (*draft.Draft, conversation.Message, error) {
	d, m, err := u.onMessage(id, a)
	if err != nil {
		return nil, m, err
	}
	return d, m, u.off(SwitchSecurity)
}

// MaskedPlace names one mask of a text: that of a Message, or that of a Part of
// a Ticket.
type MaskedPlace struct {
	Message conversation.MessageID `json:"message,omitempty"`
	Ticket  ticket.ID              `json:"ticket,omitempty"`
	Part    ticket.Part            `json:"part,omitempty"`
	// Mask is the id of one of the text's masks.
	Mask string `json:"mask"`
}

// maxReason is how long a reason may be, in characters.
const maxReason = 500

// checkedReason is a reason as the audit log keeps it: without the personal data
// that somebody may write into it.
func checkedReason(reason string) (string, error) {
	reason = strings.TrimSpace(reason)
	if n := utf8.RuneCountInString(reason); n == 0 || n > maxReason {
		return "", errs.New(errs.Invalid, "sangdam: say why, in 1 to %d characters; the audit log keeps it", maxReason)
	}
	return privacy.Mask(reason, privacy.SpansOf(privacy.Detect(reason, append(privacy.Types(), privacy.Email)...), privacy.Medium)), nil
}

// Reveal shows one person what a mask hides. The mask stays.
type Reveal struct {
	Key   Key         `json:"-"`
	Place MaskedPlace `json:"place"`
	// Reason is kept in the audit log, 1 to 500 characters.
	Reason string `json:"reason"`
}

// Reveal carries the command out and returns the masked words. Every call is in
// the audit log with its reason, repeated and refused ones included.
// ErrNotFound when there is no such mask, or when its original was erased.
func (e *Engine) Reveal(ctx context.Context, p Principal, c Reveal) (string, error) {
	var original string
	look := func(u *unit) (none struct{}, err error) {
		original, err = u.revealed(c)
		return none, err
	}
	_, repeated, err := once(ctx, e, call{opReveal, p, c.Key, c}, look)
	if err == nil && repeated {
		_, err = command(ctx, e, call{opReveal, p, "", c}, look)
	}
	if err != nil {
		e.auditFailure(ctx, p, ActReveal, c.Place, err)
		return "", err
	}
	return original, nil
}

// auditFailure records a look that failed for another reason than a right, which
// every command records.
func (e *Engine) auditFailure(ctx context.Context, p Principal, a Action, at MaskedPlace, err error) {
	if errors.Is(err, ErrPermissionDenied) || errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnavailable) {
		return
	}
	e.auditOutcome(ctx, p, a, at.resource(), "failed")
}

func (c MaskedPlace) resource() Resource {
	if c.Ticket != "" {
		return Resource{Kind: kindTicket, ID: string(c.Ticket)}
	}
	return Resource{Kind: kindMessage, ID: string(c.Message)}
}

func (u *unit) revealed(c Reveal) (string, error) {
	masks, err := u.masksAt(c.Place, ActReveal)
	if err != nil {
		return "", err
	}
	return u.openMask(masks, c.Place, c.Reason)
}

// masksAt are the masks of a text, for who has the right.
func (u *unit) masksAt(at MaskedPlace, a Action) ([]privacy.MaskedSpan, error) {
	if (at.Ticket == "") == (at.Message == "") {
		return nil, errs.New(errs.Invalid, "sangdam: name the message, or the ticket and its part, whose mask it is")
	}
	if at.Ticket != "" {
		return u.ticketMasks(at, a)
	}
	_, m, err := u.maskable(at.Message, a)
	return m.Masks, err
}

// openMask opens what one of the masks hides and notes why.
func (u *unit) openMask(masks []privacy.MaskedSpan, at MaskedPlace, why string) (string, error) {
	why, err := checkedReason(why)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(masks, func(m privacy.MaskedSpan) bool { return m.ID == at.Mask })
	if i < 0 {
		return "", noSuch("mask")
	}
	u.detail("mask", at.Mask)
	u.detail("reason", why)
	if at.Message != "" {
		u.detail("message", string(at.Message))
	}
	return u.e.original(u.ctx, u.tx, masks[i])
}

// Unmask takes a mask away: everybody sees the text again.
type Unmask struct {
	Key   Key         `json:"-"`
	Place MaskedPlace `json:"place"`
	// Version of the message or ticket that the caller saw.
	Version int64 `json:"version"`
	// Reason is kept in the audit log, 1 to 500 characters.
	Reason string `json:"reason"`
	// Confirm says that the person was asked whether to unmask and said yes.
	Confirm bool `json:"confirm"`
}

// Unmask carries the command out. Errors are those of Reveal, ErrStale for a
// text that changed since Version, and ErrInvalid without Confirm.
func (e *Engine) Unmask(ctx context.Context, p Principal, c Unmask) (Masked, error) {
	done, err := command(ctx, e, call{opUnmask, p, c.Key, c}, func(u *unit) (Masked, error) {
		if c.Place.Ticket != "" {
			return u.unmaskTicket(c)
		}
		if c.Place.Message == "" {
			return Masked{}, errs.New(errs.Invalid, "sangdam: name the message, or the ticket and its part, whose mask it is")
		}
		d, m, err := u.maskable(c.Place.Message, ActUnmask)
		if err != nil {
			return Masked{}, err
		}
		if err := c.confirmed(m.Version); err != nil {
			return Masked{}, err
		}
		if err := u.takeMaskAway(d, m, c); err != nil {
			return Masked{}, err
		}
		return Masked{Version: m.Version + 1}, nil
	})
	if err != nil {
		e.auditFailure(ctx, p, ActUnmask, c.Place, err)
	}
	return done, err
}

// takeMaskAway puts the original back where a mask of the message is.
func (u *unit) takeMaskAway(d *draft.Draft, m conversation.Message, c Unmask) error {
	original, err := u.openMask(m.Masks, c.Place, c.Reason)
	if err != nil {
		return err
	}
	gone := m.Masks[slices.IndexFunc(m.Masks, func(k privacy.MaskedSpan) bool { return k.ID == c.Place.Mask })]
	if _, ok := d.Unmask(m, c.Place.Mask, original, u.actor()); !ok {
		return noSuch("mask")
	}
	return u.dropOriginals([]privacy.MaskedSpan{gone})
}

// confirmed refuses what nobody said yes to, and what was seen in an older form.
func (c Unmask) confirmed(version int64) error {
	if !c.Confirm {
		return errs.New(errs.Invalid,
			"sangdam: taking a mask away shows the text to everybody again; ask for a confirmation and set Confirm")
	}
	if c.Version != version {
		return errs.New(errs.Stale, "sangdam: the text has changed; read it again and repeat")
	}
	return nil
}

var (
	opMaskMessage = acts("message.mask", "MaskMessage", kindConversation, ActMask).versioned()
	opReveal      = acts("text.reveal", "Reveal", kindConversation, ActReveal).also(kindTicket)
	opUnmask      = acts("text.unmask", "Unmask", kindConversation, ActUnmask).also(kindTicket).versioned()
)

// MaskProposals is the personal data that was found in the texts of a
// conversation or a ticket and that the reader may mask: by message, or by the
// part of the ticket. It is empty unless the workspace's policy is
// FoundProposed.
type MaskProposals struct {
	// Mask says that the reader may mask texts of the record, Reveal that it
	// may see what masks hide. Both are false while SwitchSecurity is off.
	Mask     bool                                         `json:"mask"`
	Reveal   bool                                         `json:"reveal"`
	Messages map[conversation.MessageID][]privacy.Finding `json:"messages,omitempty"`
	Parts    map[ticket.Part][]privacy.Finding            `json:"parts,omitempty"`
}

var qMaskProposals = asks("conversation.mask_proposals", "MaskProposals", kindConversation, ActRead)

// MaskProposals looks for personal data in the newest 200 messages of a
// conversation, for whoever may read it. It finds a number even when its author
// wrote it in two messages. It proposes nothing unless the workspace's policy
// is FoundProposed, nor while SwitchSecurity is off.
func (e *Engine) MaskProposals(ctx context.Context, p Principal, id conversation.ID) (out MaskProposals, err error) {
	err = e.read(ctx, p, qMaskProposals, id, func(ctx context.Context, tx store.Tx, cv conversation.Conversation) error {
		policy, err := e.proposing(ctx, tx, p, conversationResource(cv), &out)
		if err != nil || policy.Found != FoundProposed {
			return err
		}
		messages, err := tx.Conversations().Latest(ctx, id, 0, maxPage)
		out.Messages = proposals(messages, policy)
		return err
	})
	return out, err
}

// proposing is the policy for who reads, and what the reader may do of a record.
func (e *Engine) proposing(ctx context.Context, tx store.Tx, p Principal, r Resource, may *MaskProposals) (MaskingPolicy, error) {
	s, err := e.currentTicketSetup(ctx, tx)
	if err != nil || slices.Contains(s.Settings.Off, SwitchSecurity) {
		return MaskingPolicy{}, err
	}
	w, err := e.reader(ctx, tx, p)
	if err != nil {
		return MaskingPolicy{}, err
	}
	may.Mask = e.permit(ctx, w, ActMask, r) == nil
	may.Reveal = e.permit(ctx, w, ActReveal, r) == nil
	if !may.Mask {
		return MaskingPolicy{}, nil // nothing to propose to who cannot
	}
	return s.Settings.Masking, nil
}

// unsure says that something else is more likely.
func unsure(f privacy.Finding) bool { return f.Confidence < privacy.Medium }

// proposals looks through runs of messages that one author wrote.
func proposals(messages []conversation.Message, policy MaskingPolicy) map[conversation.MessageID][]privacy.Finding {
	out := map[conversation.MessageID][]privacy.Finding{}
	for len(messages) > 0 {
		n := 1
		for n < len(messages) && messages[n].Author == messages[0].Author && messages[n].At.Sub(messages[n-1].At) <= lookBackFor {
			n++
		}
		own := policy
		if messages[0].Direction == conversation.Outbound {
			own = policy.outgoing()
		}
		texts := make([]string, n)
		for i := range texts {
			texts[i] = messages[i].Content.Text
		}
		for i, found := range privacy.DetectAcross(texts, own.types()...) {
			found = slices.DeleteFunc(found, unsure)
			if len(found) > 0 && own.Found == FoundProposed {
				out[messages[i].ID] = found
			}
		}
		messages = messages[n:]
	}
	return out
}
