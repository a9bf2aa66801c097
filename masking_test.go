package sangdam_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/ticket"
)

// maskCalls adds the commands and queries of masking to those that strangers try.
func maskCalls(w *world, m conversation.MessageID, calls, queries map[string]func(sangdam.Principal) error) {
	all := []privacy.Span{{Start: 0, End: 1}}
	calls["MaskMessage"] = func(p sangdam.Principal) error {
		return errOf(w.eng.MaskMessage(w.ctx, p, sangdam.MaskMessage{Message: m, Version: 1, Spans: all}))
	}
	calls["Reveal"] = func(p sangdam.Principal) error {
		return errOf(w.eng.Reveal(w.ctx, p, sangdam.Reveal{Place: sangdam.MaskedPlace{Message: m, Mask: "x"}, Reason: "I want to know"}))
	}
	calls["Unmask"] = func(p sangdam.Principal) error {
		return errOf(w.eng.Unmask(w.ctx, p, sangdam.Unmask{Place: sangdam.MaskedPlace{Message: m, Mask: "x"}, Reason: "y", Confirm: true}))
	}
	made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Masked", Desk: "support"})
	require.NoError(w.t, err)
	calls["MaskTicket"] = func(p sangdam.Principal) error {
		return errOf(w.eng.MaskTicket(w.ctx, p, sangdam.MaskTicket{Ticket: made.Ticket, Part: ticket.TitlePart,
			Version: made.Version, Spans: all}))
	}
	c := w.detail(w.conversations()[0].ID).Contact
	calls["EraseContact"] = func(p sangdam.Principal) error {
		return errOf(w.eng.EraseContact(w.ctx, p, sangdam.EraseContact{Contact: c.ID, Version: c.Version, Reason: "x"}))
	}
	queries["PlanErasure"] = func(p sangdam.Principal) error { return errOf(w.eng.PlanErasure(w.ctx, p, c.ID)) }
	queries["Erasure"] = func(p sangdam.Principal) error { return errOf(w.eng.Erasure(w.ctx, p, c.ID)) }
	queries["MaskProposals"] = func(p sangdam.Principal) error {
		return errOf(w.eng.MaskProposals(w.ctx, p, w.conversations()[0].ID))
	}
	queries["TicketProposals"] = func(p sangdam.Principal) error { return errOf(w.eng.TicketProposals(w.ctx, p, made.Ticket)) }
}

// saying finds the message of the only conversation that holds the words.
func (w *world) saying(words string) conversation.Message {
	w.t.Helper()
	for _, m := range w.only().Messages {
		if strings.Contains(m.Content.Text, words) {
			return m
		}
	}
	require.Failf(w.t, "no message", "none says %q among %q", words, texts(w.only()))
	return conversation.Message{}
}

// mask masks the words wherever the message says them first.
func (w *world) mask(p sangdam.Principal, words string) (conversation.Message, error) {
	w.t.Helper()
	m := w.saying(words)
	err := w.maskNow(p, words)
	w.settle()
	return w.message(m), err
}

func (w *world) maskNow(p sangdam.Principal, words string) error {
	w.t.Helper()
	m := w.saying(words)
	at := strings.Index(m.Content.Text, words)
	return errOf(w.eng.MaskMessage(w.ctx, p, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
		Spans: []privacy.Span{{Start: at, End: at + len(words)}}}))
}

func (w *world) message(m conversation.Message) conversation.Message {
	w.t.Helper()
	for _, now := range w.only().Messages {
		if now.ID == m.ID {
			return now
		}
	}
	require.Fail(w.t, "the message is gone")
	return m
}

// finding is what the workspace does with personal data from now on.
func (w *world) finding(policy sangdam.MaskingPolicy, off ...sangdam.Switch) {
	w.t.Helper()
	had, err := w.eng.TicketSetup(w.ctx, w.host)
	require.NoError(w.t, err)
	had.Settings.Masking, had.Settings.Off = policy, off
	require.NoError(w.t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: had.Settings})))
}

// revealing gives an agent the right of its own.
func (w *world) revealing(a routing.AgentID) {
	w.t.Helper()
	w.saveAgent(routing.Agent{ID: a, Name: "Agent " + string(a), Role: "agent", Capacity: map[routing.Profile]int{routing.ProfileUnits: 2},
		Permissions: []routing.Permission{routing.PermitChat, routing.PermitReveal, routing.PermitTicket},
		Assign:      routing.AssignmentSwitches{Chat: true, Ticket: true}})
}

const card = "4111 1111 1111 1111"

func TestAMaskIsShownEverywhere(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		v := w.visitor("Mina")
		v.says("my card is " + card)
		w.settle()
		c := w.accept()
		m, err := w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		hidden := "my card is " + strings.Repeat("*", len(card))
		require.Equal(t, hidden, m.Content.Text)
		require.Equal(t, privacy.Card, m.Masks[0].Type)
		require.Equal(t, "agent:a1", m.Masks[0].By)

		seen := v.since(0)
		require.Equal(t, hidden, seen[len(seen)-1].Content.Text, "the customer's own page is told of the change")
		require.NotContains(t, strings.Join(shown(seen), "\n"), card)
		for _, words := range []string{"4111", "1111 1111"} {
			found, err := w.eng.Search(w.ctx, w.host, words, 10)
			require.NoError(t, err)
			require.Empty(t, found)
		}
		found, err := w.eng.Search(w.ctx, w.host, "my card", 10)
		require.NoError(t, err)
		require.Len(t, found, 1, "the rest is found")
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: c.Conversation})
		require.NoError(t, err)
		detail, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.NotContains(t, detail.Ticket.Title+detail.Ticket.Body, "4111")
		log, err := w.eng.TicketChat(w.ctx, w.host, made.Ticket, 0, 200)
		require.NoError(t, err)
		for _, m := range log {
			require.NotContains(t, m.Content.Text, "4111")
		}
	})
}

// The preview of a list is that of the masked text.
func TestTheListsPreviewIsMasked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w)
		w.line.User("Mina").SendText(card)
		w.settle()
		require.Equal(t, card, w.detail(c.Conversation).Conversation.Preview)
		_, err := w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		require.Equal(t, strings.Repeat("*", len(card)), w.detail(c.Conversation).Conversation.Preview)
	})
}

// What a mask hides is shown to who has the right and a reason alone, and
// every look is a row, refused and failed ones too.
func TestRevealNeedsARightAndAReason(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w)
		w.line.User("Mina").SendText("card " + card)
		w.settle()
		m, err := w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		at := sangdam.MaskedPlace{Message: m.ID, Mask: m.Masks[0].ID}
		_, err = w.eng.Reveal(w.ctx, w.agent("a1"), sangdam.Reveal{Place: at, Reason: "to compare"})
		require.ErrorIs(t, err, sangdam.ErrPermissionDenied, "who masks does not see it again for that")
		require.Equal(t, "denied", w.lastAudit().Outcome)
		w.revealing("a1")
		w.settle()
		_, err = w.eng.Reveal(w.ctx, w.agent("a1"), sangdam.Reveal{Place: at, Reason: "  "})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "without a reason")
		require.Equal(t, "failed", w.lastAudit().Outcome, "a look that failed is audited too")
		for range 2 { // a repeat is another look
			before := w.lastAudit().Seq
			original, err := w.eng.Reveal(w.ctx, w.agent("a1"), sangdam.Reveal{Key: "k", Place: at, Reason: "the bank asks for " + card})
			require.NoError(t, err)
			require.Equal(t, card, original)
			row := w.lastAudit()
			require.Greater(t, row.Seq, before)
			require.Equal(t, []string{string(sangdam.ActReveal), "ok", "conversation:" + string(c.Conversation)},
				[]string{row.Action, row.Outcome, row.Resource})
			require.Equal(t, "the bank asks for "+strings.Repeat("*", len(card)), row.Details["reason"], "the log has no card in it")
		}
		require.NotContains(t, strings.Join(texts(w.only()), " "), card, "the mask stays")

		yes := sangdam.Unmask{Place: at, Version: m.Version, Reason: "the customer asks"}
		_, err = w.eng.Unmask(w.ctx, w.agent("a1"), yes)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "nobody confirmed it")
		yes.Confirm, yes.Version = true, m.Version-1
		_, err = w.eng.Unmask(w.ctx, w.agent("a1"), yes)
		require.ErrorIs(t, err, sangdam.ErrStale)
		yes.Version = m.Version
		_, err = w.eng.Unmask(w.ctx, w.agent("a1"), yes)
		require.NoError(t, err)
		w.settle()
		require.Equal(t, "card "+card, w.message(m).Content.Text)
		require.Empty(t, w.message(m).Masks)
		found, err := w.eng.Search(w.ctx, w.host, "4111 1111", 10)
		require.NoError(t, err)
		require.Len(t, found, 1, "and is found again")
		_, err = w.eng.Reveal(w.ctx, w.agent("a1"), sangdam.Reveal{Place: at, Reason: "x"})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "the mask is gone")
	})
}

func (w *world) lastAudit() store.AuditEntry {
	w.t.Helper()
	rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
	require.NoError(w.t, err)
	return rows[len(rows)-1]
}

func TestBadMasksAreRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		active(w)
		w.line.User("Mina").SendText("가 " + card)
		w.settle()
		m, a1 := w.saying(card), w.agent("a1")
		for name, c := range map[string]struct {
			spans   []privacy.Span
			version int64
			want    error
		}{
			"no range":        {nil, m.Version, sangdam.ErrInvalid},
			"half characters": {[]privacy.Span{{Start: 1, End: 4}}, m.Version, sangdam.ErrInvalid},
			"beyond the text": {[]privacy.Span{{Start: 0, End: 1000}}, m.Version, sangdam.ErrInvalid},
			"reversed":        {[]privacy.Span{{Start: 4, End: 3}}, m.Version, sangdam.ErrInvalid},
			"too many":        {make([]privacy.Span, 51), m.Version, sangdam.ErrInvalid},
			"an older text":   {[]privacy.Span{{Start: 0, End: 3}}, m.Version - 1, sangdam.ErrStale},
		} {
			_, err := w.eng.MaskMessage(w.ctx, a1, sangdam.MaskMessage{Message: m.ID, Version: c.version, Spans: c.spans})
			require.ErrorIs(t, err, c.want, name)
		}
		_, err := w.eng.MaskMessage(w.ctx, a1, sangdam.MaskMessage{Message: "none", Spans: []privacy.Span{{Start: 0, End: 1}}})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		_, err = w.eng.Reveal(w.ctx, w.host, sangdam.Reveal{Place: sangdam.MaskedPlace{Mask: "x"}, Reason: "x"})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "no text is named")
		require.Equal(t, m.Content.Text, w.message(m).Content.Text, "nothing of it happened")

		_, err = w.mask(a1, card)
		require.NoError(t, err)
		again := w.message(m)
		done, err := w.eng.MaskMessage(w.ctx, a1, sangdam.MaskMessage{Message: m.ID, Version: again.Version,
			Spans: []privacy.Span{again.Masks[0].Span}})
		require.NoError(t, err)
		require.Equal(t, again.Version, done.Version, "what is masked already stays as it is")

		w.finding(sangdam.MaskingPolicy{}, sangdam.SwitchSecurity)
		_, err = w.eng.MaskMessage(w.ctx, a1, sangdam.MaskMessage{Message: m.ID, Version: again.Version,
			Spans: []privacy.Span{{Start: 0, End: 3}}})
		require.ErrorIs(t, err, sangdam.ErrUnsupported, "the security service is off")
		require.ErrorContains(t, err, "security")
		_, err = w.eng.Reveal(w.ctx, w.host,
			sangdam.Reveal{Place: sangdam.MaskedPlace{Message: m.ID, Mask: again.Masks[0].ID}, Reason: "x"})
		require.ErrorIs(t, err, sangdam.ErrUnsupported)
		for _, bad := range []sangdam.MaskingPolicy{{Found: "burn"}, {KeepLast: 5}, {Types: []privacy.Type{"shoe"}}} {
			had, err := w.eng.TicketSetup(w.ctx, w.host)
			require.NoError(t, err)
			had.Settings.Masking = bad
			_, err = w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: had.Settings})
			require.ErrorIs(t, err, sangdam.ErrInvalid, "%+v", bad)
		}
	})
}

// Personal data is masked before anything sees it: the store, the list, the
// agent, a bot. The customer gets what an agent wrote as it was written.
func TestPersonalDataIsMaskedOnArrival(t *testing.T) {
	inWorld(t, func(w *world) {
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundMasked})
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("주민번호 900101-1234568 입니다")
		w.settle()
		require.Equal(t, "주민번호 ************** 입니다", w.only().Messages[0].Content.Text)
		require.Equal(t, "system", w.only().Messages[0].Masks[0].By)
		c := w.accept()

		for _, part := range []string{"my card is 4111 1111", "1111 1111"} {
			mina.SendText(part)
			w.settle()
		}
		said := strings.Join(texts(w.only()), "\n")
		require.Contains(t, said, "my card is *********")
		require.NotContains(t, said, "1111", "a number in two messages is found")

		w.answer1(c.Conversation, "You wrote "+card+"; call us at 02-123-4567")
		got := mina.Texts()
		require.Equal(t, "You wrote "+card+"; call us at 02-123-4567", got[len(got)-1])
		require.Equal(t, "You wrote "+strings.Repeat("*", len(card))+"; call us at 02-123-4567", w.saying("You wrote").Content.Text)
		_, err := w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: c.Conversation, Text: "call back 010-2345-6789"})
		require.NoError(t, err)
		require.Equal(t, "call back *************", w.saying("call back").Content.Text)
		_, err = w.eng.Resend(w.ctx, w.host, sangdam.Resend{Message: w.saying("You wrote").ID})
		require.ErrorIs(t, err, sangdam.ErrInvalid)

		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Title: "Card " + card, Body: "of 010-2345-6789", Desk: "support"})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: made.Ticket,
			Comment: &sangdam.TicketComment{Text: "again " + card}})))
		detail, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.Equal(t, "Card "+strings.Repeat("*", len(card)), detail.Ticket.Title)
		require.Equal(t, "of *************", detail.Ticket.Body)
		require.Equal(t, "again "+strings.Repeat("*", len(card)), detail.Entries[1].Text)
	})
}

// answer1 sends a text as agent a1 and lets it leave.
func (w *world) answer1(c conversation.ID, text string) {
	w.t.Helper()
	_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Text(text)})
	require.NoError(w.t, err)
	w.settle()
}

func TestFoundDataIsProposed(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w).Conversation
		mina := w.line.User("Mina")
		mina.SendText("전화 010-2345-6789")
		w.settle()
		none, err := w.eng.MaskProposals(w.ctx, w.agent("a1"), c)
		require.NoError(t, err)
		require.Empty(t, none.Messages, "nothing is looked for")
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundProposed})
		m := w.saying("010")
		require.Equal(t, "전화 010-2345-6789", m.Content.Text)
		found, err := w.eng.MaskProposals(w.ctx, w.agent("a1"), c)
		require.NoError(t, err)
		require.Len(t, found.Messages[m.ID], 1)
		require.Equal(t, privacy.Phone, found.Messages[m.ID][0].Type)
		_, err = w.eng.MaskMessage(w.ctx, w.agent("a1"), sangdam.MaskMessage{Message: m.ID, Version: m.Version,
			Spans: []privacy.Span{found.Messages[m.ID][0].Span}})
		require.NoError(t, err)
		found, err = w.eng.MaskProposals(w.ctx, w.agent("a1"), c)
		require.NoError(t, err)
		require.Empty(t, found.Messages)
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundProposed}, sangdam.SwitchSecurity)
		mina.SendText("전화 010-9999-8888")
		w.settle()
		found, err = w.eng.MaskProposals(w.ctx, w.agent("a1"), c)
		require.NoError(t, err)
		require.Empty(t, found.Messages)
	})
}

// Whoever drops what the vault has of a contact makes every original of that
// contact unreadable.
func TestErasingAKeyLosesTheOriginals(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		active(w)
		w.line.User("Mina").SendText("card " + card)
		w.settle()
		m, err := w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		require.Equal(t, "contact:"+string(w.only().Contact.ID), m.Masks[0].Owner)
		reveal := sangdam.Reveal{Place: sangdam.MaskedPlace{Message: m.ID, Mask: m.Masks[0].ID}, Reason: "x"}
		original, err := w.eng.Reveal(w.ctx, w.host, reveal)
		require.NoError(t, err)
		require.Equal(t, card, original)
		n, err := w.eng.RotateKeys(w.ctx, ws)
		require.NoError(t, err)
		require.Zero(t, n, "everything stands under the present key")
		w.inStore(func(tx store.Tx) error { return tx.Vault().DropOwner(w.ctx, m.Masks[0].Owner) })
		_, err = w.eng.Reveal(w.ctx, w.host, reveal)
		require.ErrorIs(t, err, sangdam.ErrNotFound)
		require.ErrorContains(t, err, "erased")
		require.Equal(t, "card "+strings.Repeat("*", len(card)), w.message(m).Content.Text)
	})
}

func TestATicketIsMasked(t *testing.T) {
	inWorld(t, func(w *world) {
		w.revealing("a1")
		open := sangdam.OpenTicket{Title: "Refund", Body: "to card " + card, Desk: "support"}
		made, err := w.eng.OpenTicket(w.ctx, w.host, open)
		require.NoError(t, err)
		a1 := w.agent("a1")
		commented, err := w.eng.UpdateTicket(w.ctx, a1, sangdam.UpdateTicket{Ticket: made.Ticket,
			Comment: &sangdam.TicketComment{Text: "no " + card}})
		require.NoError(t, err)
		span := func(text string) []privacy.Span {
			at := strings.Index(text, card)
			return []privacy.Span{{Start: at, End: at + len(card)}}
		}
		_, err = w.eng.MaskTicket(w.ctx, a1, sangdam.MaskTicket{Ticket: made.Ticket, Part: ticket.BodyPart, Version: made.Version,
			Spans: span(open.Body)})
		require.ErrorIs(t, err, sangdam.ErrStale)
		done, err := w.eng.MaskTicket(w.ctx, a1, sangdam.MaskTicket{Ticket: made.Ticket, Part: ticket.BodyPart, Version: commented.Version,
			Spans: span(open.Body)})
		require.NoError(t, err)
		done, err = w.eng.MaskTicket(w.ctx, a1, sangdam.MaskTicket{Ticket: made.Ticket, Part: ticket.CommentPart(2), Version: done.Version,
			Spans: span("no " + card)})
		require.NoError(t, err)
		_, err = w.eng.MaskTicket(w.ctx, a1,
			sangdam.MaskTicket{Ticket: made.Ticket, Part: "memo", Version: done.Version, Spans: span(open.Body)})
		require.ErrorIs(t, err, sangdam.ErrInvalid)

		detail, err := w.eng.Ticket(w.ctx, a1, made.Ticket)
		require.NoError(t, err)
		require.Equal(t, "to card "+strings.Repeat("*", len(card)), detail.Ticket.Body)
		require.Equal(t, "no "+strings.Repeat("*", len(card)), detail.Entries[1].Text)
		replayed, err := ticket.Replay(detail.Entries)
		require.NoError(t, err)
		require.Equal(t, detail.Ticket.Body, replayed.Body)
		require.NotContains(t, stringOf(t, detail), "1111 1111")
		found, err := w.eng.SearchTickets(w.ctx, a1, "4111", "", 10)
		require.NoError(t, err)
		require.Empty(t, found.Tickets)

		place := sangdam.MaskedPlace{Ticket: made.Ticket, Part: ticket.CommentPart(2), Mask: detail.Entries[1].Masks[0].ID}
		original, err := w.eng.Reveal(w.ctx, a1, sangdam.Reveal{Place: place, Reason: "to compare"})
		require.NoError(t, err)
		require.Equal(t, card, original)
		place = sangdam.MaskedPlace{Ticket: made.Ticket, Part: ticket.BodyPart, Mask: detail.Ticket.Masks[ticket.BodyPart][0].ID}
		_, err = w.eng.Unmask(w.ctx, a1, sangdam.Unmask{Place: place, Version: detail.Ticket.Version, Reason: "wrong one", Confirm: true})
		require.NoError(t, err)
		detail, err = w.eng.Ticket(w.ctx, a1, made.Ticket)
		require.NoError(t, err)
		require.Equal(t, open.Body, detail.Ticket.Body)
		require.Equal(t, ticket.Unmasked, detail.Entries[len(detail.Entries)-1].Kind)
	})
}

// What is masked in a chat is masked in the tickets that were made from it.
func TestAMaskReachesTheTicketsOfTheChat(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w).Conversation
		w.line.User("Mina").SendText("card " + card)
		w.settle()
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: c, Body: "She wrote " + card})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: made.Ticket,
			Comment: &sangdam.TicketComment{Text: card + " is hers"}})))
		before, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.Contains(t, before.Ticket.Title, card, "the chat's last words")
		_, err = w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		after, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.NotContains(t, stringOf(t, after), "1111 1111")
		require.Equal(t, "She wrote "+strings.Repeat("*", len(card)), after.Ticket.Body)
	})
}

// A conversation goes on in the one that it is merged into: what is masked in either
// is masked in the tickets that were made from the other.
func TestAMaskReachesTheTicketsOfAMergedChat(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		mina, work, shop := w.line.User("Mina"), w.line.User("Mina at work"), w.line.User("Mina's shop")
		ticketOf := func(u *linetest.User, text string) ticket.ID {
			u.SendText(text)
			w.settle()
			made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: w.of(u).Conversation.ID, Body: "of " + card})
			require.NoError(t, err)
			return made.Ticket
		}
		all := []ticket.ID{ticketOf(mina, "from home"), ticketOf(work, "from work"), ticketOf(shop, "card "+card)}
		moved, to := w.of(shop).Conversation.Identity, []conversation.ContactID{w.known(work), w.known(mina)}
		for _, c := range to { // the second time with what work wrote
			require.NoError(t, errOf(w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Identity: moved, Contact: c})))
			w.settle()
		}
		d := w.of(shop)
		require.Len(t, d.Messages, 3, "of all three")
		m := d.Messages[2]
		require.Equal(t, "card "+card, m.Content.Text)
		require.NoError(t, errOf(w.eng.MaskMessage(w.ctx, w.host, sangdam.MaskMessage{Message: m.ID, Version: m.Version,
			Spans: []privacy.Span{{Start: len("card "), End: len(m.Content.Text)}}})))
		for n, id := range all {
			after, err := w.eng.Ticket(w.ctx, w.host, id)
			require.NoError(t, err)
			require.Equal(t, "of "+strings.Repeat("*", len(card)), after.Ticket.Body, n)
		}
	}, withStream(func(s *routing.WorkStream) { s.Messages = nil }))
}

// The stored event of a masked message is gone, and so is what was on its way.
func TestWhatProvidersSentIsForgottenWithTheMask(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w).Conversation
		w.line.User("Mina").SendText("card " + card)
		w.settle()
		w.answer1(c, "really "+card+"?")
		raw := func(m conversation.Message) (n int) {
			w.inStore(func(tx store.Tx) error {
				for _, id := range m.Sources {
					env, err := tx.Inbox().Envelope(w.ctx, id)
					if err != nil {
						return err
					}
					require.NotContains(t, string(env.Raw), card, "sealed when it was stored")
					n += len(env.Raw)
				}
				return nil
			})
			return n
		}
		row := func(m conversation.Message) (row driver.OutboxRow) {
			w.inStore(func(tx store.Tx) (err error) {
				row, err = tx.Outbox().Row(w.ctx, channel.OutboxID(m.ID))
				return err
			})
			return row
		}
		in, out := w.saying("card "), w.saying("really")
		require.NotZero(t, raw(in))
		require.Empty(t, row(out).Content.Text)
		require.NotEmpty(t, row(out).Sealed)
		for range 2 {
			_, err := w.mask(w.agent("a1"), card)
			require.NoError(t, err)
		}
		require.Zero(t, raw(in))
		require.Empty(t, row(out).Sealed)

		_, err := w.eng.Answer(w.ctx, w.agent("a1"),
			sangdam.Answer{Conversation: c, Content: channel.Text("held " + card), Hold: time.Minute})
		require.NoError(t, err)
		held, err := w.mask(w.agent("a1"), card)
		require.NoError(t, err)
		require.NotEmpty(t, row(held).Sealed, "it is still to leave")
		w.pass(2 * time.Minute)
		got := w.line.User("Mina").Texts()
		require.Equal(t, "held "+card, got[len(got)-1], "as it was written")
		require.Empty(t, row(held).Sealed, "and then it is forgotten")
	})
}

func (w *world) inStore(fn func(tx store.Tx) error) {
	w.t.Helper()
	require.NoError(w.t, w.db.Update(w.ctx, ws, storeTx(fn)))
}

func storeTx(fn func(store.Tx) error) func(context.Context, store.Tx) error {
	return func(_ context.Context, tx store.Tx) error { return fn(tx) }
}

func stringOf(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	require.NoError(t, err)
	return string(raw)
}
