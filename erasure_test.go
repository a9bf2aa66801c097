package sangdam_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store"
	"github.com/sangdam/sangdam/ticket"
)

// marked is in everything that a person of these tests is or says.
const marked = "Canary"

// leaver is a person who has left words in every place that there is, all of whose
// work has ended.
type leaver struct {
	user    *linetest.User
	contact conversation.ContactID
	first   conversation.ID
	ticket  ticket.ID
	// merged is another person's ticket that one of this person was merged into, and
	// split was split off there, from what this person said.
	merged, split ticket.ID
	// unagreed is under which what was written before an agreement is kept.
	unagreed string
}

// person has somebody write, be answered, masked, rated, noted and ticketed.
func (w *replayWorld) person(o *outside) (p leaver) {
	w.t.Helper()
	d := newTicketDesk(w.t, w)
	w.online("a1")
	w.revealing("a1")
	p.user = w.line.User(marked + " Mina")
	owned := w.begun(p.user, marked+"-text and my card "+card)
	p.first = owned.Conversation
	p.contact = w.of(p.user).Contact.ID
	picture := linetest.Image("image/png", painted(w.t, 40, 30))
	p.user.Send(picture)
	w.settle()
	for _, m := range w.detail(p.first).Messages {
		if m.Content.Media != nil {
			thumb, err := w.eng.Thumbnail(w.ctx, w.host, sangdam.AttachmentRef{Message: m.ID})
			require.NoError(w.t, err)
			require.NoError(w.t, thumb.Close())
		}
	}
	require.NoError(w.t, w.maskNow(w.host, card))
	w.answer("a1", p.first, marked+"-answer")
	file := w.upload(w.agent("a1"), marked+"-sent.txt", marked+"-sent")
	require.NoError(w.t, errOf(w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: p.first, Content: naming(file)})))
	require.NoError(w.t, errOf(w.eng.AddNote(w.ctx, w.agent("a1"), sangdam.AddNote{Conversation: p.first, Text: marked + "-note"})))
	now := w.detail(p.first)
	require.NoError(w.t, errOf(w.eng.SavePanel(w.ctx, w.agent("a1"),
		sangdam.SavePanel{Conversation: p.first, Version: now.Conversation.PanelVersion, Memo: marked + "-memo"})))
	contact := *w.of(p.user).Contact
	version := contact.Version
	contact.Email, contact.Phone, contact.Memo = "canary@example.com", "010-5555-1234", marked+"-memo of the contact"
	contact.Attributes = map[string]string{"grade": marked + "-grade"}
	require.NoError(w.t, errOf(w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: contact, Version: version})))
	w.notice("hook", notify.Notice{Subject: "conversation:" + string(p.first), Title: "New", Text: marked + "-notice",
		Data: json.RawMessage(`{"text":"` + marked + `-hook"}`)})
	w.ticketsOf(d, &p)
	w.mergedOf(d, &p)
	require.NoError(w.t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: p.first})))
	w.settle()
	for _, label := range []string{"4 ★", "Add a comment"} {
		require.NoError(w.t, errOf(p.user.Press(label, linetest.Answer{})))
		w.settle()
	}
	p.user.SendText(marked + "-comment")
	w.settle()
	require.Equal(w.t, marked+"-comment", w.detail(p.first).Conversation.Rating.Comment)
	require.NotEmpty(w.t, o.hooks.Requests())
	w.leftBehind(&p)
	return p
}

// leftBehind has the person leave what is in no conversation: a file that no
// message names, and what is said before there is a consent.
func (w *replayWorld) leftBehind(p *leaver) {
	w.t.Helper()
	v := w.visitor(marked + " Mina")
	require.NoError(w.t, errOf(v.port().Upload(w.ctx, v.ref, marked+"-left.txt", strings.NewReader(marked+"-left behind"), 100)))
	w.tells("1", true)
	p.user.SendText(marked + "-before the yes")
	w.settle()
	w.tells("1", false)
	p.unagreed = string(w.of(p.user).Conversation.Identity) + "/" + string(w.acct.ID)
}

// mergedOf merges a ticket of the person's into somebody else's, where the person
// goes on to speak, and splits what was said there off.
func (w *replayWorld) mergedOf(d *ticketDesk, p *leaver) {
	w.t.Helper()
	from := d.open(sangdam.OpenTicket{Contact: p.contact, Title: marked + "-merged title", Requester: ticket.Requester{Name: marked}})
	p.merged = d.open(sangdam.OpenTicket{Title: "Kim's lamp", Requester: ticket.Requester{Name: "Kim"}})
	file := w.upload(w.host, marked+"-before.txt", marked+"-before the merge").Media.Blob
	require.NoError(w.t, d.update(w.host, from, sangdam.TicketChange{}, &sangdam.TicketComment{Text: marked + "-kept",
		Files: []string{file}}))
	require.NoError(w.t, errOf(w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: from, Into: p.merged})))
	require.NoError(w.t, d.update(w.host, p.merged, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "Kim has called"}))
	file = w.upload(w.host, marked+"-after.txt", marked+"-after the merge").Media.Blob
	require.NoError(w.t, errOf(w.eng.ReplyTicket(w.ctx, w.host,
		sangdam.ReplyTicket{Ticket: from, Text: marked + "-after the merge", Files: []string{file}})))
	history := d.read(p.merged).Entries
	made, err := w.eng.SplitTicket(w.ctx, w.host, sangdam.SplitTicket{Ticket: p.merged, Entry: history[len(history)-1].Seq, Title: "Apart"})
	require.NoError(w.t, err)
	p.split = made.Ticket
	w.notice("hook", notify.Notice{Subject: "ticket:" + string(p.merged), Title: "New", Text: "said: " + marked + "-after the merge"})
	w.settle()
}

// ticketsOf makes tickets of the conversation and solves them.
func (w *replayWorld) ticketsOf(d *ticketDesk, p *leaver) {
	w.t.Helper()
	files := w.upload(w.host, marked+"-ticket.txt", marked+"-ticket file")
	made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: p.first, Title: marked + "-title",
		Body: marked + "-body of the ticket", Requester: ticket.Requester{Name: marked + " Kim"}})
	require.NoError(w.t, err)
	p.ticket = made.Ticket
	require.NoError(w.t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: p.ticket,
		Comment: &sangdam.TicketComment{Text: marked + "-comment on the ticket", Files: []string{files.Media.Blob}}})))
	require.NoError(w.t, errOf(w.maskPart(w.host, p.ticket, ticket.BodyPart, "body of the ticket")))
	title := marked + "-another title"
	seen, err := w.eng.Ticket(w.ctx, w.host, p.ticket)
	require.NoError(w.t, err)
	require.NoError(w.t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: p.ticket, Version: seen.Ticket.Version,
		Change: sangdam.TicketChange{Title: &title, Priority: new(ticket.High)}})))
	bulk, err := w.eng.BulkTickets(w.ctx, w.host, sangdam.BulkTickets{Tickets: []ticket.ID{p.ticket},
		Change: sangdam.TicketChange{Title: new(marked + "-bulk title")}})
	require.NoError(w.t, err)
	w.settle()
	report, err := w.eng.BulkProgress(w.ctx, w.host, bulk.ID)
	require.NoError(w.t, err)
	require.Equal(w.t, 1, report.Bulk.Done)
	seen, err = w.eng.Ticket(w.ctx, w.host, p.ticket)
	require.NoError(w.t, err)
	require.NoError(w.t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: p.ticket, Version: seen.Ticket.Version,
		Change: sangdam.TicketChange{State: new(ticket.Solved)}})))
	w.settle()
}

// erase erases the contact and waits for the end.
func (w *replayWorld) erase(id conversation.ContactID, why string) sangdam.Erasure {
	w.t.Helper()
	plan, err := w.eng.PlanErasure(w.ctx, w.host, id)
	require.NoError(w.t, err)
	require.Empty(w.t, plan.OpenConversations)
	require.Empty(w.t, plan.OpenTickets)
	require.NoError(w.t, errOf(w.eng.EraseContact(w.ctx, w.host,
		sangdam.EraseContact{Contact: id, Version: plan.Version, Reason: why})))
	var done sangdam.Erasure
	for range 100 { // each step is a transaction
		w.settle()
		done, err = w.eng.Erasure(w.ctx, w.host, id)
		require.NoError(w.t, err)
		if done.State != sangdam.ErrandRunning {
			break
		}
	}
	require.Equal(w.t, sangdam.ErrandDone, done.State, "%+v", done)
	return done
}

// CV17: of a person who was erased no word, name, number or file is in any file of
// the database, any table, any blob and any line of the log; what counts is there.
func TestOfAnErasedPersonNothingIsLeft(t *testing.T) {
	onDisk(t)
	var o outside
	var e everything
	e.root = t.TempDir()
	replay(t, []string{onSQLite, onPG}, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		p := w.person(&o)
		stays := w.line.User("Jun")
		w.begun(stays, "I stay")
		dirs := []string{e.dir}
		if w.dsn == "" {
			dirs = append(dirs, w.dir)
		}
		words := []string{marked, "canary@example.com", "5555-1234", card, p.unagreed}
		require.NotEmpty(t, e.holds(t, w, dirs, marked), "or this test sees nothing")
		require.NotEmpty(t, e.holds(t, w, dirs, p.unagreed), "nothing is kept until the person agrees")
		had := w.detail(p.first)

		done := w.erase(p.contact, marked+" Mina asked for it by marked@example.com")
		require.Equal(t, 1, done.Conversations)
		require.Equal(t, 2, done.Tickets)
		require.Equal(t, 1, done.Identities)
		require.GreaterOrEqual(t, done.Messages, len(had.Messages))
		require.GreaterOrEqual(t, done.Files, 3)
		require.Positive(t, done.Notices)
		if w.dsn == "" {
			w.pass(16 * time.Minute) // the files are rewritten once in a quarter of an hour
		}
		require.Empty(t, e.holds(t, w, dirs, words...))
		w.countsAreLeft(p, had)
		w.othersAreLeft(p)
		w.nothingGoesOn(p)
	}, withOutside(&o), e.keep(), withStream(asking))
}

// countsAreLeft looks at what reports are made of.
func (w *replayWorld) countsAreLeft(p leaver, had sangdam.Detail) {
	w.t.Helper()
	now := w.detail(p.first)
	require.Len(w.t, now.Messages, len(had.Messages))
	for i, m := range now.Messages {
		require.True(w.t, m.Erased(), "%+v", m)
		require.Equal(w.t, had.Messages[i].At, m.At)
		require.Equal(w.t, had.Messages[i].Direction, m.Direction)
	}
	c := now.Conversation
	require.False(w.t, c.ErasedAt.IsZero())
	require.Equal(w.t, 4, c.Rating.Score)
	require.Equal(w.t, had.Conversation.UpdatedAt, c.UpdatedAt, "it keeps its place in lists")
	require.Equal(w.t, had.Conversation.FirstAnswerAt, c.FirstAnswerAt)
	detail, err := w.eng.Ticket(w.ctx, w.host, p.ticket)
	require.NoError(w.t, err)
	require.Equal(w.t, ticket.ErasedText, detail.Ticket.Title)
	require.Equal(w.t, ticket.Solved, detail.Ticket.State)
	require.Equal(w.t, ticket.High, detail.Ticket.Priority)
	again, err := ticket.Replay(detail.Entries)
	require.NoError(w.t, err)
	again.Version = detail.Ticket.Version
	require.Equal(w.t, detail.Ticket, again, "the history still makes the ticket")
	for _, words := range []string{marked + "-text", "answer", "title"} {
		found, err := w.eng.Search(w.ctx, w.host, words, 10)
		require.NoError(w.t, err)
		require.Empty(w.t, found, words)
	}
	people, err := w.eng.FindContacts(w.ctx, w.host, marked, 10)
	require.NoError(w.t, err)
	require.Empty(w.t, people)
}

// othersAreLeft looks at the ticket of somebody else.
func (w *replayWorld) othersAreLeft(p leaver) {
	w.t.Helper()
	for _, id := range []ticket.ID{p.merged, p.split} {
		detail, err := w.eng.Ticket(w.ctx, w.host, id)
		require.NoError(w.t, err)
		require.Equal(w.t, "Kim", detail.Ticket.Requester.Name)
		again, err := ticket.Replay(detail.Entries)
		require.NoError(w.t, err)
		again.Version = detail.Ticket.Version
		require.Equal(w.t, detail.Ticket, again, "the history still makes the ticket")
	}
	detail, err := w.eng.Ticket(w.ctx, w.host, p.merged)
	require.NoError(w.t, err)
	require.Equal(w.t, "Kim's lamp", detail.Ticket.Title)
	require.True(w.t, slices.ContainsFunc(detail.Entries, func(e ticket.Entry) bool { return e.Text == "Kim has called" }))
	require.Empty(w.t, detail.Files)
}

// nothingGoesOn: the person is somebody new, and what was erased stays so.
func (w *replayWorld) nothingGoesOn(p leaver) {
	w.t.Helper()
	for name, err := range map[string]error{
		"note": errOf(w.eng.AddNote(w.ctx, w.host, sangdam.AddNote{Conversation: p.first, Text: "x"})),
		"open": errOf(w.eng.Reopen(w.ctx, w.host, sangdam.Reopen{Conversation: p.first})),
		"link": errOf(w.eng.LinkIdentity(w.ctx, w.host, sangdam.LinkIdentity{Contact: p.contact,
			Identity: w.of(w.line.User("Jun")).Identities[0].ID})),
	} {
		require.ErrorIs(w.t, err, sangdam.ErrUnsupported, name)
	}
	c, is, err := w.eng.Contact(w.ctx, w.host, p.contact)
	require.NoError(w.t, err)
	require.Empty(w.t, c.Name+c.Email+c.Phone+c.Memo)
	require.Len(w.t, is, 1)
	require.True(w.t, is[0].Erased())
	c.Name = "again"
	require.ErrorIs(w.t, errOf(w.eng.SaveContact(w.ctx, w.host, sangdam.SaveContact{Contact: c, Version: c.Version})),
		sangdam.ErrUnsupported)
	p.user.SendText("hello again")
	w.settle()
	fresh := w.of(p.user)
	require.NotEqual(w.t, p.contact, fresh.Contact.ID, "a later message makes a new contact")
	require.NotEqual(w.t, p.first, fresh.Conversation.ID)
	require.Empty(w.t, fresh.Conversation.Previous)
	rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
	require.NoError(w.t, err)
	at := slices.IndexFunc(rows, func(r store.AuditEntry) bool { return r.Action == string(sangdam.ActErase) && r.Outcome == "ok" })
	require.GreaterOrEqual(w.t, at, 0)
	require.Equal(w.t, "contact:"+string(p.contact), rows[at].Resource)
	require.Contains(w.t, rows[at].Details["reason"], "asked for it")
	require.NotContains(w.t, fmt.Sprint(rows), marked)
}

// What is not over is ended by a person first, and the refusal names it.
func TestNobodyIsErasedInTheMiddleOfATalk(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		c := active(w)
		contact := w.only().Contact
		erase := sangdam.EraseContact{Contact: contact.ID, Version: contact.Version, Reason: "asked for it"}
		_, err := w.eng.EraseContact(w.ctx, w.host, erase)
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.ErrorContains(t, err, string(c.Conversation))
		plan, err := w.eng.PlanErasure(w.ctx, w.host, contact.ID)
		require.NoError(t, err)
		require.Equal(t, []conversation.ID{c.Conversation}, plan.OpenConversations)
		require.Nil(t, plan.Erasure)
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: c.Conversation, Title: "T"})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: c.Conversation, Final: true})))
		w.settle()
		_, err = w.eng.EraseContact(w.ctx, w.host, erase)
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.ErrorContains(t, err, string(made.Ticket))
		seen, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: made.Ticket, Version: seen.Ticket.Version,
			Change: sangdam.TicketChange{State: new(ticket.Solved)}})))
		erase.Version++
		_, err = w.eng.EraseContact(w.ctx, w.host, erase)
		require.ErrorIs(t, err, sangdam.ErrStale, "a version that nobody saw")
		erase.Version, erase.Reason = erase.Version-1, " "
		_, err = w.eng.EraseContact(w.ctx, w.host, erase)
		require.ErrorIs(t, err, sangdam.ErrInvalid, "without a reason")
		for _, p := range []sangdam.Principal{w.agent("a1"), sangdam.AgentPrincipal(ws, "a1", sangdam.RoleSupervisor)} {
			erase.Reason = "not mine to do"
			_, err = w.eng.EraseContact(w.ctx, p, erase)
			require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
			_, err = w.eng.PlanErasure(w.ctx, p, contact.ID)
			require.ErrorIs(t, err, sangdam.ErrPermissionDenied)
		}
		_, err = w.eng.EraseContact(w.ctx, sangdam.AgentPrincipal(ws, "a1", sangdam.RoleAdministrator), erase)
		require.NoError(t, err)
		w.settle()
		done, err := w.eng.Erasure(w.ctx, w.host, contact.ID)
		require.NoError(t, err)
		require.Equal(t, sangdam.ErrandDone, done.State)
		require.Equal(t, "agent:a1", done.By)
		w.invariants()
	})
}

// Of a person whose contacts were merged all parts are erased, and what a link
// still moves when the erasure is over is erased after it. What the person said in
// a group is gone, what others said there stays.
func TestAllPartsOfAPersonAreErased(t *testing.T) {
	replay(t, []string{onMemory}, func(t *testing.T, w *replayWorld) {
		w.online("a1")
		home, work := w.line.User(marked+" at home"), w.line.User(marked+" at work")
		for _, u := range []*linetest.User{home, work} {
			c := w.begun(u, marked+" of one")
			require.NoError(t, errOf(w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c.Conversation, Final: true})))
			w.settle()
		}
		merged := w.of(work).Contact.ID
		w.link(work, w.known(home))
		w.settle()
		group := w.line.Group("Family")
		group.Send(home, linetest.Text(marked+" in the group"))
		group.Send(w.line.User("Jun"), linetest.Text("and I am Jun"))
		w.settle()
		contact := w.of(home).Contact.ID
		done := w.erase(contact, "asked for it")
		require.Equal(t, 2, done.Conversations)
		require.Equal(t, 2, done.Identities)
		gone, _, err := w.eng.Contact(w.ctx, w.host, merged)
		require.NoError(t, err)
		require.Equal(t, contact, gone.ID)
		w.inStore(func(tx store.Tx) error {
			part, err := tx.Contacts().Contact(w.ctx, merged)
			require.Empty(t, part.Name)
			require.False(t, part.ErasedAt.IsZero())
			return err
		})
		said := 0
		for _, c := range w.conversations() {
			for _, m := range w.detail(c.ID).Messages {
				require.NotContains(t, fmt.Sprintf("%+v", m), marked)
				if m.Content.Text == "and I am Jun" {
					said++
				}
			}
			require.NotContains(t, fmt.Sprintf("%+v", c), marked)
		}
		require.Equal(t, 1, said)
	}, quiet)
}

// Of a person who wrote mails nothing is left, in threads of their own and in those
// of others, whose words stay and who are answered in their thread as before.
func TestOfAnErasedWriterOfMailsNothingIsLeft(t *testing.T) {
	onDisk(t)
	var e everything
	e.root = t.TempDir()
	dir := t.TempDir()
	const address = "canary.mina@example.com"
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		mina := func(l emailtest.Letter) string {
			l.From, l.Name = address, marked+" Mina"
			return w.write(l)
		}
		w.finding(sangdam.MaskingPolicy{Found: sangdam.FoundProposed})
		mina(emailtest.Letter{Subject: marked + "-subject", Text: marked + "-text", HTML: "<p>" + marked + "-text</p>",
			Files: []emailtest.File{{Name: marked + ".txt", Type: "text/plain", Data: bytes.Repeat([]byte(marked+"-large "), 150_000)}}})
		w.pass(time.Minute)
		own := w.only().Conversation
		w.answer(own.ID, marked+"-answer")
		mina(emailtest.Answer(w.got(address)[len(w.got(address))-1], marked+"-thanks"))
		jun := emailtest.Letter{From: "jun@example.com", Name: "Jun", Subject: "Our lamp", Text: "Jun's lamp", Cc: []string{address}}
		theirs := w.write(jun)
		mina(emailtest.Letter{Subject: "Re: Our lamp", Text: marked + "-in Jun's thread", InReplyTo: theirs})
		jun.Text, jun.InReplyTo, jun.Cc = "Jun again", theirs, nil
		again := w.write(jun)
		shared := conversation.Conversation{}
		for _, c := range w.conversations() {
			if c.ID != own.ID {
				shared = c
			}
		}
		require.Len(t, w.conversations(), 2)
		made, err := w.eng.OpenTicket(w.ctx, w.host, sangdam.OpenTicket{Conversation: shared.ID, Title: "Lamp",
			Body: "They say: " + marked + "-in Jun's thread"})
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: own.ID, Final: true})))
		w.pass(time.Minute)
		r := &replayWorld{world: w.world, t: t}
		words, dirs := []string{marked, address}, []string{dir, e.dir}
		require.NotEmpty(t, e.holds(t, r, dirs, words...), "or this test sees nothing")
		r.erase(own.Contact, "asked for it")
		w.pass(16 * time.Minute) // the files are rewritten once in a quarter of an hour

		require.Empty(t, e.holds(t, r, dirs, words...))
		require.Contains(t, texts(w.detail(shared.ID)), "Jun again")
		detail, err := w.eng.Ticket(w.ctx, w.host, made.Ticket)
		require.NoError(t, err)
		require.Equal(t, "Lamp", detail.Ticket.Title)
		require.Contains(t, detail.Ticket.Body, "They say: ***")
		w.answer(shared.ID, "It is on its way.")
		got := w.got("jun@example.com")
		require.Equal(t, "It is on its way.", got[len(got)-1].Text)
		require.Equal(t, "Re: Our lamp", got[len(got)-1].Subject)
		require.Contains(t, got[len(got)-1].References, again, "in Jun's thread")
	}, func(w *world, s *routing.WorkStream, q *routing.Queue, d *routing.Desk) {
		withSQLite(w.t, dir)(w, s, q, d)
	}, e.keep())
}
