package sangdam_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation/privacy"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/ticket"
)

// maskPart masks words in a part of a ticket, wherever it says them first.
func (w *world) maskPart(p sangdam.Principal, id ticket.ID, part ticket.Part, words string) (sangdam.TicketState, error) {
	w.t.Helper()
	detail, err := w.eng.Ticket(w.ctx, p, id)
	require.NoError(w.t, err)
	text, _, _ := detail.Ticket.Text(part)
	if seq, is := part.Comment(); is {
		text = detail.Entries[seq-1].Text
	}
	at := strings.Index(text, words)
	require.GreaterOrEqual(w.t, at, 0, "%q does not say %q", text, words)
	return w.eng.MaskTicket(w.ctx, p, sangdam.MaskTicket{Ticket: id, Part: part, Version: detail.Ticket.Version,
		Spans: []privacy.Span{{Start: at, End: at + len(words)}}})
}

// audited is what the last row of the audit log is about.
func audited(w *replayWorld) []string {
	last := w.lastAudit()
	return []string{last.Action, last.Resource}
}

// What is masked in a ticket is masked in the chat that it came from and in the
// other tickets of that, where whoever masks may mask there; each place is shown
// again by itself.
func TestAMaskOfATicketReachesItsChat(t *testing.T) {
	const home = "서울시 강남구 역삼동"
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.revealing("a1")
		w.online("a1")
		a1 := w.agent("a1")
		owned := w.begun(w.line.User("Mina"), "저는 "+home+" 살아요, "+card)
		w.answer("a1", owned.Conversation, home+" 맞나요?")
		require.NoError(t, errOf(w.eng.AddNote(w.ctx, a1, sangdam.AddNote{Conversation: owned.Conversation, Text: "note " + home})))
		open := func(title string) ticket.ID {
			made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: owned.Conversation, Title: title,
				Body: "집은 " + home + " 입니다"})
			require.NoError(t, err)
			return made.Ticket
		}
		id, other := open(home+", 주소 "+home), open("other")
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: id,
			Comment: &sangdam.TicketComment{Text: "댁은 " + home}})))
		read := func(id ticket.ID) sangdam.TicketDetail {
			d, err := w.eng.Ticket(w.ctx, w.host, id)
			require.NoError(t, err)
			return d
		}
		done, err := w.maskPart(a1, id, ticket.BodyPart, home)
		require.NoError(t, err)
		w.settle()
		require.Empty(t, done.Warnings)
		stars := strings.Repeat("*", len([]rune(home)))
		require.Equal(t, []string{"text.mask", "ticket:" + string(id)}, audited(w))
		got := read(id)
		require.Equal(t, done.Version, got.Ticket.Version)
		require.Equal(t, []string{"집은 " + stars + " 입니다", stars + ", 주소 " + stars, "댁은 " + stars},
			[]string{got.Ticket.Body, got.Ticket.Title, got.Entries[1].Text})
		require.Equal(t, "집은 "+stars+" 입니다", read(other).Ticket.Body)
		for _, told := range []any{got, read(other), w.only()} {
			require.NotContains(t, stringOf(t, told), "강남구")
		}
		m := w.saying(card)
		require.Equal(t, "저는 "+stars+" 살아요, "+card, m.Content.Text, "other words stay")
		found, err := w.eng.Search(w.ctx, w.host, "강남구", 10)
		require.NoError(t, err)
		require.Empty(t, found)

		unmask := func(at sangdam.MaskedPlace, version int64) error {
			return errOf(w.eng.Unmask(w.ctx, a1, sangdam.Unmask{Place: at, Version: version, Reason: "x", Confirm: true}))
		}
		hides := got.Ticket.Masks[ticket.BodyPart][0].ID
		require.NoError(t, unmask(sangdam.MaskedPlace{Ticket: id, Part: ticket.BodyPart, Mask: hides}, got.Ticket.Version))
		require.Equal(t, "집은 "+home+" 입니다", read(id).Ticket.Body)
		require.NotContains(t, stringOf(t, w.only()), "강남구", "the chat's masks are its own")
		require.NoError(t, unmask(sangdam.MaskedPlace{Message: m.ID, Mask: m.Masks[0].ID}, m.Version))
		require.Equal(t, "저는 "+home+" 살아요, "+card, w.world.message(m).Content.Text)

		short, err := w.maskPart(a1, other, ticket.TitlePart, "oth")
		require.NoError(t, err)
		require.Len(t, short.Warnings, 1)
		require.Contains(t, short.Warnings[0].Text, "too short")
	})
}

// Who may not mask in the chat masks the ticket alone, and is told so.
func TestAMaskOfATicketStaysWhereTheRightEnds(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		owned := w.begun(w.line.User("Mina"), "card "+card)
		out := routing.AgentID("outsider")
		w.saveAgent(routing.Agent{ID: out, Name: "Out", Role: "agent", Assign: routing.AssignmentSwitches{Ticket: true},
			Permissions: []routing.Permission{routing.PermitTicket}, Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}})
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: owned.Conversation, Title: "T", Body: "hers: " + card,
			Agent: out})
		require.NoError(t, err)
		w.settle()
		done, err := w.maskPart(w.agent(out), made.Ticket, ticket.BodyPart, card)
		require.NoError(t, err)
		require.Len(t, done.Warnings, 1)
		require.Contains(t, done.Warnings[0].Text, string(owned.Conversation))
		require.NotContains(t, done.Warnings[0].Text, "1111")
		detail, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.Equal(t, "hers: "+strings.Repeat("*", len(card)), detail.Ticket.Body)
		require.Equal(t, "card "+card, w.saying(card).Content.Text)
		require.Equal(t, []string{"text.mask", "ticket:" + string(made.Ticket)}, audited(w))
	})
}

// A mask of a ticket's title reaches the mail whose subject it was, also where the
// mail's text does not say it.
func TestAMaskOfATicketReachesItsMail(t *testing.T) {
	const phone = "010-1234-5678"
	for _, text := range []string{"Call me: " + phone, "Call me"} {
		inMail(t, emailtest.Options{}, func(w *mailWorld) {
			stream := w.configuration().WorkStreams["mail"]
			stream.Tickets = true
			require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
			w.settle()
			w.write(emailtest.Letter{Subject: "Call " + phone, Text: text, HTML: "<p>" + text + "</p>"})
			w.settle()
			page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
			require.NoError(t, err)
			done, err := w.maskPart(w.host, page.Tickets[0].ID, ticket.TitlePart, phone)
			require.NoError(t, err)
			require.Empty(t, done.Warnings)
			m := w.only().Messages[0]
			require.Equal(t, "Call *************", m.Content.Letter.Subject)
			require.Equal(t, strings.ReplaceAll(text, phone, "*************"), m.Content.Text)
			detail, err := w.eng.Ticket(w.ctx, w.host, page.Tickets[0].ID)
			require.NoError(t, err)
			require.NotContains(t, stringOf(t, detail), phone)
		})
	}
}
