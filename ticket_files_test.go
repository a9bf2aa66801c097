package sangdam_test

import (
	"encoding/base64"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/notify"
	"github.com/sangdam/sangdam/notify/mail/mailtest"
	"github.com/sangdam/sangdam/ticket"
)

// filesOf reads the files of a mail, by their names.
func filesOf(t *testing.T, m mailtest.Mail) map[string]string {
	t.Helper()
	read, err := mail.ReadMessage(strings.NewReader(m.Raw))
	require.NoError(t, err)
	kind, params, err := mime.ParseMediaType(read.Header.Get("Content-Type"))
	require.NoError(t, err)
	require.Equal(t, "multipart/mixed", kind)
	out := map[string]string{}
	for parts := multipart.NewReader(read.Body, params["boundary"]); ; {
		p, err := parts.NextRawPart()
		if err == io.EOF {
			return out
		}
		require.NoError(t, err)
		raw, err := io.ReadAll(p)
		require.NoError(t, err)
		if p.FileName() == "" {
			continue
		}
		data, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(string(raw), "\r\n", ""))
		require.NoError(t, err)
		out[p.FileName()] = string(data)
	}
}

// TestFilesOfAnAnswerGoByMail with the public answer of a ticket that has no
// conversation, once, the same after a try that failed; what cannot go is
// refused before anything is kept.
func TestFilesOfAnAnswerGoByMail(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		d.settings(sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail"}})
		require.NoError(t, errOf(w.eng.SaveBannedWord(w.ctx, w.host, sangdam.SaveBannedWord{Word: ticket.BannedWord{Word: "바보"}})))
		a1 := w.agent("a1")
		id := d.open(sangdam.OpenTicket{Requester: ticket.Requester{Name: "Kim", Email: "kim@example.com"}})
		takes, err := w.eng.CommentFiles(w.ctx, a1, id)
		require.NoError(t, err)
		require.Equal(t, sangdam.CommentFiles{Count: 10, Each: 200 << 20, By: "mail", PublicCount: 10, PublicBytes: 7_000_000}, takes)
		say := func(text string, public bool, ups ...sangdam.Uploaded) error {
			var names []string
			for _, up := range ups {
				names = append(names, up.Media.Blob)
			}
			return d.update(a1, id, sangdam.TicketChange{}, &sangdam.TicketComment{Text: text, Public: public, Files: names})
		}
		shot := string(painted(t, 40, 30))
		picture, list := w.upload(a1, "사진 1.png", shot), w.upload(a1, "list.pdf", "%PDF-1.7 list")
		require.ErrorContains(t, say("바 보", true, picture, list), "바보")
		large := w.upload(a1, "film.bin", strings.Repeat("x", 7_000_001))
		require.ErrorContains(t, say("look", true, large), "a mail takes 7000000")
		require.ErrorContains(t, say("look", true, list, large), "a mail takes 7000000")
		if !w.real {
			o.mails.Fail(mailtest.Fault{Code: 451})
		}
		require.NoError(t, say("look at these", true, picture, list))
		require.NoError(t, say("for us alone", false, large))
		w.settle()
		if !w.real {
			w.hours(1)
		}
		require.Len(t, o.mails.Mails(), 1)
		require.Equal(t, map[string]string{"사진 1.png": shot, "list.pdf": "%PDF-1.7 list"},
			filesOf(t, o.mails.Mails()[0]))

		other := d.open(sangdam.OpenTicket{Requester: ticket.Requester{Email: "lee@example.com"}})
		require.ErrorIs(t, d.update(a1, other, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "x", Public: true,
			Files: []string{list.Media.Blob}}), sangdam.ErrNotFound, "a name is no right to read")
		_, err = w.eng.SendNotice(w.ctx, w.host, sangdam.SendNotice{Target: "mail", Notice: notify.Notice{Event: "x", Text: "x",
			To: notify.Recipient{Address: "kim@example.com"}, Files: []notify.File{{Blob: list.Media.Blob, Name: "a", Size: 13}}}})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.NoError(t, say("once more", true, list))
		w.settle()
		require.Len(t, o.mails.Mails(), 2, "a file of the ticket goes again")
		require.Equal(t, map[string]string{"list.pdf": "%PDF-1.7 list"}, filesOf(t, o.mails.Mails()[1]), "under its name")
		var names []string
		for _, f := range d.read(id).Files {
			names = append(names, f.Name)
			file, err := w.eng.TicketFile(w.ctx, a1, id, f.Blob)
			require.NoError(t, err)
			require.Equal(t, []any{f.Name, f.Size}, []any{file.Name, file.Size})
			require.NoError(t, file.Close())
		}
		require.Equal(t, []string{"사진 1.png", "list.pdf", "film.bin"}, names)
		require.NoError(t, say("", true, w.upload(a1, "bill.pdf", "%PDF-1.7 bill")))
		w.settle()
		require.Len(t, o.mails.Mails(), 3, "and so do files without words")
		require.Equal(t, map[string]string{"bill.pdf": "%PDF-1.7 bill"}, filesOf(t, o.mails.Mails()[2]))
		require.True(t, strings.HasPrefix(o.mails.Mails()[2].Text, "bill.pdf"), "a mail says something") // the emulator joins all parts
	}, withOutside(&o))
}

// TestFilesOfAnAnswerGoByChat where the ticket came from one: in the message, or
// as what its channel has for files.
func TestFilesOfAnAnswerGoByChat(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		mina := w.line.User("Mina")
		mina.SendText("my lamp is broken")
		w.settle()
		a1 := w.agent("a1")
		opened, err := w.eng.OpenTicket(w.ctx, a1, sangdam.OpenTicket{Conversation: w.conversations()[0].ID})
		require.NoError(t, err)
		takes, err := w.eng.CommentFiles(w.ctx, a1, opened.Ticket)
		require.NoError(t, err)
		require.Equal(t, sangdam.CommentFiles{Count: 10, Each: 200 << 20, By: "chat", PublicCount: 5}, takes)
		say := func(names ...string) error {
			return d.update(a1, opened.Ticket, sangdam.TicketChange{},
				&sangdam.TicketComment{Text: "here is the manual", Public: true, Files: names})
		}
		manual := w.upload(a1, "manual.pdf", "%PDF-1.7 manual")
		var many []string
		for range 6 {
			many = append(many, w.upload(a1, "p.txt", "page").Media.Blob)
		}
		require.ErrorContains(t, say(many...), "carries 5 files at most")
		require.NoError(t, say(manual.Media.Blob))
		w.settle()
		named := strings.Count(strings.Join(mina.Texts(), "\n"), "manual.pdf")
		texts := strings.Join(mina.Texts(), "\n")
		require.Contains(t, texts, "here is the manual")
		require.Contains(t, texts, "manual.pdf")
		_, link, found := strings.Cut(texts, "https://")
		require.True(t, found)
		u, err := url.Parse("https://" + strings.Fields(link)[0])
		require.NoError(t, err)
		served := httptest.NewRecorder()
		sangdam.AttachmentLinks(w.eng).ServeHTTP(served, httptest.NewRequest(http.MethodGet, u.RequestURI(), nil))
		require.Equal(t, "%PDF-1.7 manual", served.Body.String())
		require.NoError(t, say(manual.Media.Blob))
		w.settle()
		require.Equal(t, 2*named, strings.Count(strings.Join(mina.Texts(), "\n"), "manual.pdf"), "the same file again, under its name")

		_, err = w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: w.conversations()[0].ID, Content: naming(manual)})
		require.ErrorIs(t, err, sangdam.ErrNotFound, "the ticket's file belongs to nobody's message")
		acct := w.acct
		acct.Secrets, acct.AgentAttachments = nil, false
		require.NoError(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})))
		require.ErrorContains(t, say(manual.Media.Blob), "attachments from agents are switched off")
		takes, err = w.eng.CommentFiles(w.ctx, a1, opened.Ticket)
		require.NoError(t, err)
		require.Zero(t, takes.PublicCount)
		d.replays(opened.Ticket)
	})
}

// TestFilesOfAMergedTicket are the target's: read there by whoever may read it,
// sent again under their names, through every merge since, and of no other ticket.
func TestFilesOfAMergedTicket(t *testing.T) {
	var o outside
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		o.targets(w.world)
		d := newTicketDesk(t, w)
		d.settings(sangdam.WorkspaceSettings{Tickets: sangdam.TicketRouting{AnswerBy: "mail"}})
		d.field(ticket.Field{Code: "proof", Kind: ticket.AgentField, Type: ticket.File, Names: named("Proof")})
		d.field(ticket.Field{Code: "memo", Kind: ticket.AgentField, Type: ticket.File, Names: named("Memo"), AdminsOnly: true})
		a1, kim := w.agent("a1"), ticket.Requester{Name: "Kim", Email: "kim@example.com"}
		first, second := d.open(sangdam.OpenTicket{Requester: kim}), d.open(sangdam.OpenTicket{Requester: kim})
		into, other := d.open(sangdam.OpenTicket{Requester: kim}), d.open(sangdam.OpenTicket{Requester: kim})
		up := func(name string) string { return w.upload(w.host, name, "%PDF-1.7 "+name).Media.Blob }
		list, proof, memo := up("list.pdf"), up("proof.pdf"), up("memo.pdf")
		fields := map[string]ticket.Value{"proof": {Files: []string{proof}}, "memo": {Files: []string{memo}}}
		require.NoError(t, d.update(w.host, first, sangdam.TicketChange{Fields: fields},
			&sangdam.TicketComment{Text: "see", Files: []string{list}}))
		merge := func(from, into ticket.ID) {
			require.NoError(t, errOf(w.eng.MergeTickets(w.ctx, a1, sangdam.MergeTickets{From: from, Into: into})))
		}
		again := func(at ticket.ID) error {
			return d.update(w.host, at, sangdam.TicketChange{}, &sangdam.TicketComment{Text: "again", Public: true, Files: []string{list}})
		}
		require.ErrorIs(t, again(into), sangdam.ErrNotFound, "another ticket's before the merge")
		merge(first, second)
		merge(second, into)
		late := up("late.pdf")
		require.NoError(t, errOf(w.eng.ReplyTicket(w.ctx, w.host,
			sangdam.ReplyTicket{Ticket: first, Text: "and this", Files: []string{late}})))

		named := func(p sangdam.Principal, at ticket.ID) (names []string) {
			detail, err := w.eng.Ticket(w.ctx, p, at)
			require.NoError(t, err)
			for _, f := range detail.Files {
				names = append(names, f.Name)
				file, err := w.eng.TicketFile(w.ctx, p, at, f.Blob)
				require.NoError(t, err)
				require.Equal(t, f.Name, file.Name)
				require.NoError(t, file.Close())
			}
			return names
		}
		require.ElementsMatch(t, []string{"late.pdf", "list.pdf", "proof.pdf"}, named(a1, into), "without what is for administrators")
		require.ElementsMatch(t, []string{"late.pdf", "list.pdf", "proof.pdf", "memo.pdf"}, named(w.host, into))
		require.ElementsMatch(t, []string{"list.pdf", "proof.pdf"}, named(a1, first), "it keeps its own")
		require.Empty(t, named(a1, other))
		for _, no := range []struct {
			at   ticket.ID
			file string
		}{{other, list}, {first, late}} {
			_, err := w.eng.TicketFile(w.ctx, a1, no.at, no.file)
			require.ErrorIs(t, err, sangdam.ErrNotFound)
		}
		require.NoError(t, again(into))
		w.settle()
		require.Len(t, o.mails.Mails(), 1)
		require.Equal(t, map[string]string{"list.pdf": "%PDF-1.7 list.pdf"}, filesOf(t, o.mails.Mails()[0]), "under its name")
		require.ErrorIs(t, again(other), sangdam.ErrNotFound)
		d.replays(into)
	}, withOutside(&o))
}

// TestAFileOfAMergedTicketGoesByChat where its target came from one.
func TestAFileOfAMergedTicketGoesByChat(t *testing.T) {
	replay(t, everywhere, func(t *testing.T, w *replayWorld) {
		d := newTicketDesk(t, w)
		mina := w.line.User("Mina")
		mina.SendText("my lamp is broken")
		w.settle()
		from := d.open(sangdam.OpenTicket{})
		into := d.open(sangdam.OpenTicket{Conversation: w.conversations()[0].ID})
		manual := w.upload(w.host, "manual.pdf", "%PDF-1.7 manual").Media.Blob
		say := func(at ticket.ID, public bool) error {
			return d.update(w.host, at, sangdam.TicketChange{},
				&sangdam.TicketComment{Text: "see", Public: public, Files: []string{manual}})
		}
		require.NoError(t, say(from, false))
		require.NoError(t, errOf(w.eng.MergeTickets(w.ctx, w.host, sangdam.MergeTickets{From: from, Into: into})))
		require.NoError(t, say(into, true))
		w.settle()
		require.Contains(t, strings.Join(mina.Texts(), "\n"), "manual.pdf")
	})
}
