package sangdam

import (
	"context"
	"encoding/json"
	"errors"
	"html"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// Masking in tickets: the inquiry (title and text), answers and comments.

// MaskTicket masks ranges of a text of a ticket.
type MaskTicket struct {
	Key    Key       `json:"-"`
	Ticket ticket.ID `json:"ticket"`
	// Part is ticket.TitlePart, ticket.BodyPart, or ticket.CommentPart of an
	// entry of the history.
	Part ticket.Part `json:"part"`
	// Version of the ticket that the caller saw.
	Version int64 `json:"version"`
	// Spans are the 1 to 50 ranges of the text to mask, in bytes.
	Spans []privacy.Span `json:"spans"`
}

var opMaskTicket = acts("ticket.mask", "MaskTicket", kindTicket, ActMask).also(kindConversation).versioned()

// MaskTicket carries the command out. The ticket's history shows the masked
// text as well. Where the ticket's conversation, or another ticket made from
// it, holds the same words, of four characters or more, these are masked too;
// the newest 200 messages and the 200 before the ticket was made are looked at.
// Each place gets a mask of its own, which Unmask takes away by itself. When
// the principal may not mask the conversation, only the ticket is masked, and
// TicketState.Warnings say so. Errors are those of MaskMessage.
func (e *Engine) MaskTicket(ctx context.Context, p Principal, c MaskTicket) (TicketState, error) {
	return command(ctx, e, call{opMaskTicket, p, c.Key, c}, func(u *unit) (TicketState, error) {
		w, err := u.maskableTicket(c.Ticket, ActMask)
		if err != nil {
			return TicketState{}, err
		}
		if c.Version != w.stored.Version {
			return TicketState{}, errs.New(errs.Stale,
				"sangdam: ticket %s was changed by somebody else; read it again and choose the range in its present text", c.Ticket)
		}
		text, err := u.partOf(w, c.Part)
		if err != nil {
			return TicketState{}, err
		}
		if err := checkRanges(text.text, c.Spans); err != nil {
			return TicketState{}, err
		}
		u.detail("part", string(c.Part))
		originals, err := u.hidePart(w, text, c.Spans, u.actor())
		if err != nil {
			return TicketState{}, err
		}
		warnings, err := u.hideInChat(w.now, originals)
		if err != nil {
			return TicketState{}, err
		}
		state, err := u.ticketStateOf(w)
		state.Warnings = warnings
		return state, err
	})
}

// ticketStateOf is the state of a ticket that the unit has in hand.
func (u *unit) ticketStateOf(w *ticketWork) (TicketState, error) {
	d, err := u.draftTicket(w.now.ID, ticket.EditText)
	if err != nil {
		return TicketState{}, err
	}
	return ticketState(d), nil
}

// maskableTicket is a ticket, for who has the right.
func (u *unit) maskableTicket(id ticket.ID, a Action) (*ticketWork, error) {
	w, err := u.onTicket(id, a)
	if err != nil {
		return nil, err
	}
	return w, u.off(SwitchSecurity)
}

// ticketPart is a text of a ticket.
type ticketPart struct {
	part  ticket.Part
	text  string
	masks []privacy.MaskedSpan
	entry *ticket.Entry // of a comment
}

func (u *unit) partOf(w *ticketWork, p ticket.Part) (ticketPart, error) {
	if seq, is := p.Comment(); is {
		e, err := u.entry(w.now.ID, seq)
		if err == nil && e.Message != "" {
			err = errs.New(errs.Invalid, "sangdam: entry %d stands for message %s of the chat; mask that", seq, e.Message)
		}
		return ticketPart{part: p, text: e.Text, masks: e.Masks, entry: &e}, err
	}
	text, masks, err := w.now.Text(p)
	return ticketPart{part: p, text: text, masks: masks}, err
}

// ticketMasks are the masks of a text of a ticket, for who has the right.
func (u *unit) ticketMasks(at MaskedPlace, a Action) ([]privacy.MaskedSpan, error) {
	w, err := u.maskableTicket(at.Ticket, a)
	if err != nil {
		return nil, err
	}
	text, err := u.partOf(w, at.Part)
	u.detail("part", string(at.Part))
	return text.masks, err
}

// hidePart masks ranges of a stored text of a ticket and returns what the new
// masks hide, by their ids.
func (u *unit) hidePart(w *ticketWork, at ticketPart, spans []privacy.Span, by string) (originals map[string]string, err error) {
	owner := ticketOwner(w.now)
	findings := privacy.Detect(at.text, append(privacy.Types(), privacy.Email, privacy.IP)...)
	d, err := u.draftTicket(w.now.ID, ticket.EditText)
	if err != nil {
		return nil, err
	}
	if at.entry != nil {
		var e ticket.Entry
		if e, originals = at.entry.Hide(spans, u.newMask(owner, by, findings)); len(originals) > 0 {
			err = u.rewriteEntry(w.now, e)
			d.Note(ticket.Masked, at.part)
		}
	} else if originals, err = d.Hide(at.part, spans, u.newMask(owner, by, findings)); err == nil && len(originals) > 0 {
		err = u.rewriteInquiry(w, d, at, originals)
	}
	if err != nil || len(originals) == 0 {
		return nil, err
	}
	if err := u.keepOriginals(owner, originals); err != nil {
		return nil, err
	}
	if err := u.concealCopies(kindTicket+":"+string(w.now.ID), originals); err != nil {
		return nil, err
	}
	return originals, u.scrubSoon()
}

// rewriteInquiry makes the history, the search index and the unit forget how a
// part of the inquiry was.
func (u *unit) rewriteInquiry(w *ticketWork, d *ticket.Draft, at ticketPart, originals map[string]string) error {
	is, _, err := d.T.Text(at.part)
	if err != nil {
		return err
	}
	if err := u.rewriteHistory(w.now, at.part, at.text, is, originals); err != nil {
		return err
	}
	for _, t := range []*ticket.Ticket{&w.before, &w.now} { // what triggers compare with
		if was, _, err := t.Text(at.part); err == nil && was == at.text {
			t.Title, t.Body = masked(at.part, t.Title, is, ticket.TitlePart), masked(at.part, t.Body, is, ticket.BodyPart)
		}
	}
	return u.indexText(d.T, 0, d.T.CreatedAt, ticketText(d.T))
}

// rewriteHistory makes the history tell of a part of the inquiry as it is now where
// it told of it as it was.
func (u *unit) rewriteHistory(t ticket.Ticket, p ticket.Part, was, is string, originals map[string]string) error {
	for after, more := int64(0), true; more; {
		entries, err := entriesOf(u.ctx, u.tx, t.ID, after, maxPage)
		if err != nil {
			return err
		}
		more = len(entries) == maxPage
		for _, e := range entries {
			after = e.Seq
			e, changed := e.Rewritten(p, was, is, originals)
			if !changed {
				continue
			}
			if err := u.rewriteEntry(t, e); err != nil {
				return err
			}
		}
	}
	return nil
}

// masked is the new text for the part that was masked, else the present one.
func masked(p ticket.Part, text, is string, own ticket.Part) string {
	if p == own {
		return is
	}
	return text
}

// rewriteEntry stores an entry in its masked form.
func (u *unit) rewriteEntry(t ticket.Ticket, e ticket.Entry) error {
	stored, err := ticketEntries.Get(u.ctx, u.tx, entryID(t.ID, e.Seq))
	if err != nil {
		return err
	}
	stored.Entry = e
	if err := ticketEntries.Save(u.ctx, u.tx, &stored); err != nil {
		return err
	}
	return u.indexText(t, e.Seq, e.At, e.Text)
}

// unmaskTicket takes a mask of a ticket's text away.
func (u *unit) unmaskTicket(c Unmask) (Masked, error) {
	w, err := u.maskableTicket(c.Place.Ticket, ActUnmask)
	if err != nil {
		return Masked{}, err
	}
	if err := c.confirmed(w.stored.Version); err != nil {
		return Masked{}, err
	}
	at, err := u.partOf(w, c.Place.Part)
	if err != nil {
		return Masked{}, err
	}
	u.detail("part", string(c.Place.Part))
	original, err := u.openMask(at.masks, c.Place, c.Reason)
	if err != nil {
		return Masked{}, err
	}
	d, err := u.draftTicket(w.now.ID, ticket.EditText)
	if err != nil {
		return Masked{}, err
	}
	// The original stays sealed: a ticket that was split off has the same mask.
	if at.entry == nil {
		_, err = d.Show(at.part, c.Place.Mask, original)
	} else if e, ok := at.entry.Show(c.Place.Mask, original); ok {
		d.Note(ticket.Unmasked, at.part)
		err = u.rewriteEntry(w.now, e)
	}
	return Masked{Version: ticketState(d).Version}, err
}

// hideNewTicket masks by policy what a new ticket says.
func (u *unit) hideNewTicket(d *ticket.Draft) error {
	policy, err := u.masking()
	if err != nil || policy.Found != FoundMasked {
		return err
	}
	owner := ticketOwner(d.T)
	for _, p := range []ticket.Part{ticket.TitlePart, ticket.BodyPart} {
		text, _, err := d.T.Text(p)
		if err != nil {
			return err
		}
		findings := privacy.Detect(text, policy.types()...)
		originals, err := d.Hide(p, policy.found(text, findings), u.newMask(owner, "system", findings))
		if err != nil {
			return err
		}
		if err := u.keepOriginals(owner, originals); err != nil {
			return err
		}
	}
	return nil
}

// hideComment masks by policy what the draft's entry says.
func (u *unit) hideComment(d *ticket.Draft, text string, outgoing bool) error {
	policy, err := u.masking()
	if outgoing {
		policy = policy.outgoing()
	}
	if err != nil || policy.Found != FoundMasked {
		return err
	}
	owner, findings := ticketOwner(d.T), privacy.Detect(text, policy.types()...)
	return u.keepOriginals(owner, d.HideSaid(policy.found(text, findings), u.newMask(owner, "system", findings)))
}

// ticketsOfChat bounds the tickets of one conversation that are masked with it.
const ticketsOfChat = 50

// hideInTickets masks what was masked in a conversation in the tickets that were
// made from it, from one that was merged with it or from the one that goes on.
func (u *unit) hideInTickets(c conversation.Conversation, originals map[string]string, by string) error {
	for hops := 0; c.MergedInto != "" && hops < maxMerged; hops++ {
		var err error
		if c, err = u.tx.Conversations().Conversation(u.ctx, c.MergedInto); err != nil {
			return err
		}
	}
	for _, id := range append([]conversation.ID{c.ID}, c.Merged...) {
		if err := u.hideInTicketsOf(id, originals, by); err != nil {
			return err
		}
	}
	return nil
}

func (u *unit) hideInTicketsOf(c conversation.ID, originals map[string]string, by string) error {
	page, err := tickets.List(u.ctx, u.tx, store.List[storedTicket]{Tag: withChat, Value: store.Exact(string(c)), Limit: ticketsOfChat})
	if err != nil {
		return err
	}
	for _, t := range page.Items {
		w, err := u.ticketWork(t.ID)
		if err != nil {
			return err
		}
		if err := u.hideInTicket(w, t, originals, by); err != nil {
			return err
		}
	}
	return nil
}

// hideInTicket masks the words in a ticket's title, text and latest comments.
func (u *unit) hideInTicket(w *ticketWork, t storedTicket, originals map[string]string, by string) error {
	parts := []ticket.Part{ticket.TitlePart, ticket.BodyPart}
	entries, err := entriesOf(u.ctx, u.tx, t.ID, max(0, t.Entries-maxPage), maxPage)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Text != "" {
			parts = append(parts, ticket.CommentPart(e.Seq))
		}
	}
	for _, p := range parts {
		at, err := u.partOf(w, p)
		if err != nil {
			return err
		}
		if spans := privacy.Occurrences(at.text, originals); len(spans) > 0 {
			if _, err := u.hidePart(w, at, spans, by); err != nil {
				return err
			}
		}
	}
	return nil
}

// concealCopies takes what was masked out of the log of notices about a record.
// A notice that waits leaves as it is then; one that is being sent is sealed.
func (u *unit) concealCopies(subject string, originals map[string]string) error {
	of := store.Exact(subject)
	about := store.List[Delivery]{Index: deliveriesBySubject, From: store.Tuple(of), To: store.Next(store.Tuple(of))}
	all, err := deliveries.All(u.ctx, u.tx, about, 1000)
	if err != nil {
		return err
	}
	marked, encoded := map[string]string{}, map[string]string{}
	for id, o := range originals {
		raw, _ := json.Marshal(o) // a string can always be encoded
		marked[id], encoded[id] = html.EscapeString(o), strings.Trim(string(raw), `"`)
	}
	for _, d := range all {
		n := d.Notice
		n.Title, n.Text = privacy.Conceal(n.Title, originals), privacy.Conceal(n.Text, originals)
		n.HTML = privacy.Conceal(privacy.Conceal(n.HTML, marked), originals)
		n.Data = json.RawMessage(privacy.Conceal(string(n.Data), encoded))
		if n.Title == d.Notice.Title && n.Text == d.Notice.Text && n.HTML == d.Notice.HTML && string(n.Data) == string(d.Notice.Data) {
			continue
		}
		if d.Notice = n; len(n.Data) == 0 {
			d.Notice.Data = nil
		}
		if err := deliveries.Save(u.ctx, u.tx, &d); err != nil {
			return err
		}
	}
	return nil
}

// hideNotice masks by policy what the log keeps of a notice that has left: an
// answer to a customer's mail address left as it was written.
func (u *unit) hideNotice(n *notify.Notice) error {
	policy, err := u.masking()
	if err != nil || policy.Found != FoundMasked {
		return err
	}
	for _, text := range []*string{&n.Title, &n.Text} {
		*text = privacy.Mask(*text, policy.found(*text, privacy.Detect(*text, policy.types()...)))
	}
	return nil
}

var qTicketProposals = asks("ticket.mask_proposals", "TicketProposals", kindTicket, ActRead)

// TicketProposals looks for personal data in a ticket's title, inquiry and the
// newest 200 entries of its history, for whoever may read it. When it proposes
// nothing is as in MaskProposals.
func (e *Engine) TicketProposals(ctx context.Context, p Principal, id ticket.ID) (out MaskProposals, err error) {
	err = e.readTicket(ctx, p, qTicketProposals, id, func(ctx context.Context, tx store.Tx, _ Who, t ticket.Ticket) error {
		policy, err := e.proposing(ctx, tx, p, ticketResource(t), &out)
		if err != nil || policy.Found != FoundProposed {
			return err
		}
		out.Parts = map[ticket.Part][]privacy.Finding{}
		look := func(p ticket.Part, text string, policy MaskingPolicy) {
			found := slices.DeleteFunc(privacy.Detect(text, policy.types()...), unsure)
			if len(found) > 0 && policy.Found == FoundProposed {
				out.Parts[p] = found
			}
		}
		look(ticket.TitlePart, t.Title, policy)
		look(ticket.BodyPart, t.Body, policy)
		entries, err := entriesOf(ctx, tx, id, max(0, t.Entries-maxPage), maxPage)
		for _, e := range entries {
			own := policy
			if e.Kind == ticket.Answered {
				own = policy.outgoing()
			}
			look(ticket.CommentPart(e.Seq), e.Text, own)
		}
		return err
	})
	return out, err
}

// scrubber is a store that can rewrite what deleted things left in its files.
type scrubber interface {
	Scrub(ctx context.Context) error
}

const (
	jobScrub = "scrub"
	// scrubEvery is how long what was masked may still stand in the free parts of
	// the database's files: what is masked meanwhile is taken along.
	scrubEvery = 15 * time.Minute
)

func init() {
	registerJob(jobKind{name: jobScrub, workers: 1, bound: always(10 * time.Minute), tries: jobTries}, (*Engine).scrub, nil)
}

// scrubSoon has the files rewritten, once for everything that is masked in a
// quarter of an hour.
func (u *unit) scrubSoon() error {
	if _, can := u.e.db.Backend().(scrubber); !can {
		return nil
	}
	due := u.tx.Now().Truncate(scrubEvery).Add(scrubEvery)
	return u.tx.Jobs().Enqueue(u.ctx, driver.Job{ID: newID(), Kind: jobScrub, Key: due.UTC().Format(time.RFC3339), Payload: []byte("{}"),
		Due: due, CreatedAt: u.tx.Now()})
}

func (e *Engine) scrub(ctx context.Context, j *runningJob, _ struct{}) error {
	s, can := e.db.Backend().(scrubber)
	if !can {
		return nil
	}
	err := s.Scrub(ctx)
	if errors.Is(err, ErrUnavailable) {
		e.log.Info("what was masked is still in the log of the database; it is tried again", "job", j.ID)
	}
	return err
}
