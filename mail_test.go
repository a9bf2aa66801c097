package sangdam_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/email"
	"github.com/sangdam/sangdam/channel/email/emailtest"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/routing/hours"
	"github.com/sangdam/sangdam/ticket"
	"github.com/sangdam/sangdam/trigger"
	"github.com/sangdam/sangdam/trigger/action"
	"github.com/sangdam/sangdam/trigger/condition"
)

// mailWorld is a desk with a mail account, and the mail of the world around it.
type mailWorld struct {
	*world
	mail *emailtest.Server
	acct channel.Account
}

// inMail runs fn in fake time with an engine that fetches and sends mail.
func inMail(t *testing.T, o emailtest.Options, fn func(w *mailWorld), options ...worldOption) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &mailWorld{world: newWorld(t, options...), mail: emailtest.New(o)}
		w.cfg.Adapters = append(w.cfg.Adapters, email.New(email.Options{Dial: w.mail.Dial}))
		var err error
		w.eng, err = sangdam.New(w.cfg)
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host,
			sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "mail", Name: "Mail",
				ChannelKind: "email", Mode: routing.Push, Cost: 1, ChannelCost: 1, Queue: "q", AutoAccept: true,
				ReopenFor: 7 * 24 * time.Hour,
				Messages: automated.Texts{automated.Greeting: {"": "Your mail has arrived."},
					automated.Away:    {"": "We are away."},
					automated.Welcome: {"": "Welcome!"}}}})))
		w.acct = w.account("help@shop.test", func(*email.Settings) {})
		w.start()
		w.pass(3 * time.Second)
		defer func() {
			w.halt()
			w.mail.Close()
			w.line.Close()
			require.NoError(t, w.db.Close())
			synctest.Wait()
		}()
		fn(w)
	})
}

func (w *mailWorld) account(address string, change func(*email.Settings)) channel.Account {
	s := email.Settings{Address: address, Name: "Shop", AuthServers: []string{"mx.shop.test"},
		Mailboxes: []email.Mailbox{{Host: "imap.shop.test", Encryption: email.Plain, User: "desk"}},
		SMTP:      email.SMTP{Host: "smtp.shop.test", Encryption: email.Plain, User: "desk"}}
	change(&s)
	raw, err := json.Marshal(s)
	require.NoError(w.t, err)
	saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: channel.Account{Kind: "email", Name: address,
		Desk:       "support",
		WorkStream: "mail", Settings: raw, Attachments: true, CustomerAttachments: true, AgentAttachments: true,
		Secrets: map[string]channel.Secret{
			email.SecretThreads: channel.NewSecret("0123456789abcdef0123"), email.SecretIMAP: channel.NewSecret("secret"),
			email.SecretSMTP: channel.NewSecret("secret")}}})
	require.NoError(w.t, err)
	return saved.Account
}

// write has Mina write, and lets everything come to rest.
func (w *mailWorld) write(l emailtest.Letter) string {
	if l.From == "" {
		l.From, l.Name = "mina@example.com", "Mina"
	}
	id := w.mail.Write(l)
	w.pass(3 * time.Second)
	return id
}

// got lists what arrived at an address.
func (w *mailWorld) got(address string) []emailtest.Mail { return w.mail.Received(address) }

func (w *mailWorld) answer(id conversation.ID, text string) sangdam.Posted {
	w.t.Helper()
	posted, err := w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: channel.Text(text)})
	require.NoError(w.t, err)
	w.pass(3 * time.Second)
	return posted
}

// A mail becomes a conversation, is acknowledged once and never welcomed; the
// agent's answer threads back, and so does the customer's next mail, through
// clients that keep the headers or only some.
func TestAMailBecomesAConversationAndAnswersThreadBack(t *testing.T) {
	inMail(t, emailtest.Options{AuthServer: "mx.shop.test"}, func(w *mailWorld) {
		first := w.write(emailtest.Letter{Subject: "주문 1234", Text: "배송이 안 왔어요.\n-- \nMina", Cc: []string{"jun@example.com"},
			HTML:  `<p>배송이 안 왔어요.</p><img src="https://evil.example/p.gif"><script>x</script>`,
			Files: []emailtest.File{{Name: "photo.png", Type: "image/png", Data: []byte("png")}}})
		d := w.only()
		require.Equal(t, channel.ChatThread, d.Conversation.Chat.Kind)
		require.Equal(t, []string{"배송이 안 왔어요.\n-- \nMina", "Your mail has arrived."}, texts(d))
		letter := d.Messages[0].Content.Letter
		require.Equal(t, "주문 1234", letter.Subject)
		require.True(t, letter.Verified)
		require.Equal(t, []string{"jun@example.com"}, letter.Cc)
		require.Equal(t, "signature", d.Messages[0].Content.Spans[0].Kind)
		w.pass(time.Minute)
		files := w.only().Messages[0].Content.Files()
		require.Len(t, files, 2)
		for _, f := range files {
			require.Equal(t, channel.MediaReady, f.State, f.Name)
		}
		ack := w.got("mina@example.com")[0]
		require.Equal(t, "auto-replied", ack.Header("Auto-Submitted"))
		require.NotContains(t, ack.Text, "배송", "no words of a customer stand in an acknowledgement")
		require.Equal(t, []string{first}, ack.InReplyTo)

		w.answer(d.Conversation.ID, "확인해 보겠습니다.")
		mails := w.got("mina@example.com")
		require.Len(t, mails, 2)
		require.Equal(t, "확인해 보겠습니다.", mails[1].Text)
		require.Equal(t, "Re: 주문 1234", mails[1].Subject)
		require.Empty(t, mails[1].Header("Auto-Submitted"), "a person wrote it")
		require.Empty(t, w.got("jun@example.com"), "who was in copy gets nothing by itself")

		whole := emailtest.Answer(mails[1], "감사합니다")
		w.write(whole)
		bare := emailtest.Answer(mails[1], "하나 더요")
		bare.InReplyTo, bare.References, bare.Subject = "unknown@example.com", []string{mails[1].ID}, "전혀 다른 제목"
		w.write(bare)
		d = w.only()
		require.Len(t, d.Messages, 5)
		require.Contains(t, texts(d)[3], "감사합니다")
		require.Equal(t, "quoted", d.Messages[3].Content.Spans[0].Kind)
		require.Len(t, w.got("mina@example.com"), 2, "no second acknowledgement")
	})
}

// What an agent attaches goes out in the mail; what is above the account's bound
// as a link that opens it.
func TestAgentsFilesGoOutByMail(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		s := w.acct
		var settings email.Settings
		require.NoError(t, json.Unmarshal(s.Settings, &settings))
		settings.MaxFileBytes = 100
		var err error
		s.Settings, err = json.Marshal(settings)
		require.NoError(t, err)
		require.NoError(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: s})))
		w.write(emailtest.Letter{Subject: "order", Text: "send me the receipt"})
		id := w.only().Conversation.ID
		small := w.upload(w.host, "receipt.pdf", "%PDF-1.7 small")
		large := w.upload(w.host, "manual.pdf", "%PDF-1.7 "+strings.Repeat("large ", 50))
		require.NoError(t, errOf(w.eng.Answer(w.ctx, w.host, sangdam.Answer{Conversation: id, Content: naming(small, large)})))
		w.pass(3 * time.Second)
		mails := w.got("mina@example.com")
		m := mails[len(mails)-1]
		require.Len(t, m.Files, 1)
		require.Equal(t, []string{"receipt.pdf", "%PDF-1.7 small"}, []string{m.Files[0].Name, string(m.Files[0].Data)})
		require.Contains(t, m.Text, "manual.pdf (0.0 MB). Too large for a mail")
		require.Contains(t, m.Text, "https://desk.test/files/")
		require.NotContains(t, m.Text, "receipt.pdf")
	})
}

// The main address of an account that has conversations stays, by every way in;
// another account is made beside it, and one is deleted once it is off.
func TestAMailAddressInUseStays(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		with := func(a channel.Account, address string) sangdam.SaveAccount {
			var s email.Settings
			require.NoError(t, json.Unmarshal(a.Settings, &s))
			s.Address = address
			raw, err := json.Marshal(s)
			require.NoError(t, err)
			a.Settings = raw
			return sangdam.SaveAccount{Account: a}
		}
		saved, err := w.eng.SaveAccount(w.ctx, w.host, with(w.acct, "hello@shop.test"))
		require.NoError(t, err, "a typing error can be mended while nobody has written")
		saved, err = w.eng.SaveAccount(w.ctx, w.host, with(saved.Account, "help@shop.test"))
		require.NoError(t, err)
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		w.only()
		_, err = w.eng.SaveAccount(w.ctx, w.host, with(saved.Account, "other@shop.test"))
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "add a new account for other@shop.test")
		same, err := w.eng.SaveAccount(w.ctx, w.host, with(saved.Account, "HELP@shop.test"))
		require.NoError(t, err, "the same address")

		boxes := func(a channel.Account, change func(*email.Settings)) (channel.Account, error) {
			var s email.Settings
			require.NoError(t, json.Unmarshal(a.Settings, &s))
			change(&s)
			a.Settings, err = json.Marshal(s)
			require.NoError(t, err)
			a.Secrets = map[string]channel.Secret{"imap_password:old": channel.NewSecret("secret")}
			saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})
			return saved.Account, err
		}
		drop := func(s *email.Settings) { s.Mailboxes = s.Mailboxes[:1] }
		two, err := boxes(same.Account, func(s *email.Settings) {
			old := s.Mailboxes[0]
			old.Name = "old"
			s.Mailboxes = append(s.Mailboxes, old)
		})
		require.NoError(t, err)
		_, err = boxes(two, drop)
		require.ErrorIs(t, err, sangdam.ErrInvalid)
		require.ErrorContains(t, err, "switch it off first")
		two, err = boxes(two, func(s *email.Settings) { s.Mailboxes[1].Off = true })
		require.NoError(t, err)
		_, err = boxes(two, drop)
		require.NoError(t, err)

		second := w.account("other@shop.test", func(*email.Settings) {})
		err = w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: second.ID, Version: second.Version})
		require.ErrorIs(t, err, sangdam.ErrConflict)
		require.ErrorContains(t, err, "switch it off first")
		second.Disabled = true
		off, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: second})
		require.NoError(t, err)
		require.NoError(t, w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: second.ID, Version: off.Version}))
		w.write(emailtest.Letter{Subject: "another", Text: "two"})
		require.Len(t, w.conversations(), 2, "account %s goes on", same.ID)
	})
}

// Mails of the mail channel stand in the layout of what they tell and of the
// customer's language: the acknowledgement, a ticket's answers on hold, handled
// and solved, the last words. A layout without #{content} is refused by every way
// in, and what a trigger says has none.
func TestLayoutsOfTheMailChannel(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		layouts := func(all ...email.Layout) error {
			var s email.Settings
			require.NoError(t, json.Unmarshal(w.acct.Settings, &s))
			s.Layouts = all
			raw, err := json.Marshal(s)
			require.NoError(t, err)
			a := w.acct
			a.Settings = raw
			saved, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})
			if err == nil {
				w.acct = saved.Account
			}
			return err
		}
		require.ErrorContains(t, layouts(email.Layout{Event: "solved", HTML: "<h1>Shop</h1>"}), "#{content}")
		require.ErrorContains(t, layouts(email.Layout{Event: "solved", Text: "Shop"}), "#{content}")
		require.NoError(t, layouts(email.Layout{Event: "received", HTML: "<b>received</b>: #{content}"}, email.Layout{Event: "on_hold",
			HTML: "on hold: #{content}"}, email.Layout{Event: "handled", HTML: "handled: #{content}"}, email.Layout{Event: "solved",
			HTML: "solved: #{content}"}, email.Layout{HTML: "any: #{content}"}))
		stream := w.configuration().WorkStreams["mail"]
		stream.Tickets = true
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		w.save(rule("echo", when("happened", condition.Has, "opened"), trigger.Do(action.Message,
			action.TextParams{Text: action.Texts{"": "A rule says so."}})))
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		id, version := page.Tickets[0].ID, page.Tickets[0].Version
		say := func(text string, state ticket.State) {
			got, err := w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: id, Version: version,
				Change: sangdam.TicketChange{State: &state}, Comment: &sangdam.TicketComment{Text: text, Public: true}})
			require.NoError(t, err)
			version = got.Version
			w.pass(3 * time.Second)
		}
		say("Which one?", ticket.OnHold)
		say("We look.", ticket.InProgress)
		say("Done.", ticket.Solved)
		got := map[string]string{}
		for _, m := range w.got("mina@example.com") {
			got[strings.TrimSpace(m.Text)] = strings.TrimSpace(m.HTML)
		}
		require.Equal(t, map[string]string{"A rule says so.": "", "on hold: Which one?": "on hold: Which one?",
			"received: Your mail has arrived.": "<b>received</b>: Your mail has arrived.",
			"handled: We look.":                "handled: We look.", "solved: Done.": "solved: Done."}, got)
	})
}

// Without a token the exact id joins, for those who took part; a subject, an id
// that is alike, or a stranger who knows the id never do.
func TestWhatJoinsAThreadAndWhatDoesNot(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		first := w.write(emailtest.Letter{Subject: "order", Text: "one", Cc: []string{"jun@example.com"}})
		w.write(emailtest.Letter{Subject: "Re: order", Text: "two", InReplyTo: first})
		w.write(emailtest.Letter{From: "jun@example.com", Name: "Jun", Subject: "Re: order", Text: "three", References: []string{first}})
		d := w.only()
		require.Len(t, d.Messages, 4)
		require.NotEqual(t, d.Messages[0].Author.Identity, d.Messages[3].Author.Identity, "who was in copy joins by name")
		before := len(w.got("mina@example.com"))
		w.answer(d.Conversation.ID, "for the customer")
		require.Len(t, w.got("mina@example.com"), before+1, "and the answers stay the customer's")
		require.Empty(t, w.got("jun@example.com"))
		for _, l := range []emailtest.Letter{
			{Subject: "Re: order", Text: "the same subject"},
			{Subject: "Re: order", Text: "alike", InReplyTo: "x" + first},
			{Subject: "Re: order", Text: "cut", InReplyTo: first[:len(first)-1]},
			{From: "eve@evil.example", Subject: "Re: order", Text: "a stranger", InReplyTo: first, References: []string{first}},
		} {
			before := len(w.conversations())
			w.write(l)
			require.Len(t, w.conversations(), before+1, l.Text)
		}
		require.Len(t, w.detail(d.Conversation.ID).Messages, 5)
	})
}

// A mail under a customer's name for which his domain does not vouch is kept and
// flagged, and is not his: no merge, no rights, no thread of his. One that
// claims to come from an agent is a customer's like any other.
func TestASpoofedSenderIsNobody(t *testing.T) {
	inMail(t, emailtest.Options{AuthServer: "mx.shop.test"}, func(w *mailWorld) {
		first := w.write(emailtest.Letter{Subject: "order", Text: "it is me"})
		d := w.only()
		w.write(emailtest.Letter{Subject: "Re: order", Text: "send it elsewhere", InReplyTo: first, Spoofed: true})
		require.Len(t, w.conversations(), 2)
		require.Len(t, w.detail(d.Conversation.ID).Messages, 2)
		for _, c := range w.conversations() {
			if c.ID == d.Conversation.ID {
				continue
			}
			spoofed := w.detail(c.ID)
			require.False(t, spoofed.Messages[0].Content.Letter.Verified)
			require.NotEqual(t, d.Conversation.Contact, c.Contact, "no merge")
		}
		w.write(emailtest.Letter{From: "a1@shop.test", Name: "Agent a1", Subject: "Re: order", Text: "close it", Spoofed: true})
		for _, c := range w.conversations() {
			require.NotEqual(t, conversation.StateClosed, c.State)
			for _, m := range w.detail(c.ID).Messages {
				require.NotEqual(t, conversation.ByAgent, m.Author.Kind)
			}
		}
	})
}

// A bounce marks the message that it is about, whether an agent wrote it or
// nobody, begins nothing, and is answered by nothing.
func TestABounceMarksItsMessage(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		d := w.only()
		w.mail.Deliver("INBOX", w.mail.Bounce(w.got("")[0], "5.2.2"))
		w.pass(3 * time.Second)
		ack := w.only().Messages[1]
		require.Equal(t, conversation.StatusFailed, ack.Status, "an acknowledgement that bounces")
		require.Contains(t, ack.Detail, "full")
		posted := w.answer(d.Conversation.ID, "here you are")
		w.mail.Deliver("INBOX", w.mail.Bounce(w.got("")[1], "5.1.1"))
		w.pass(3 * time.Second)
		for _, m := range w.only().Messages {
			if m.ID == posted.Message {
				require.Equal(t, conversation.StatusFailed, m.Status)
				require.Equal(t, channel.ReasonUnreachable, m.Reason)
			}
		}
		require.Len(t, w.only().Messages, 3, "a bounce is no message")
		require.Len(t, w.got(""), 2, "and is not answered")
		forged := w.got("")[1]
		forged.ID = "aaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaa@shop.test"
		w.mail.Deliver("INBOX", w.mail.Bounce(forged, "5.1.1"))
		w.pass(3 * time.Second)
		require.Len(t, w.conversations(), 1)
	})
}

// Whatever answers by itself, the desk sends three automatic mails a thread and
// day and then falls silent, and a real customer is told as ever.
func TestMachinesDoNotMakeStorms(t *testing.T) {
	for name, rule := range map[string]func(w *mailWorld) emailtest.Rule{
		"a desk that answers everything, without a mark": func(w *mailWorld) emailtest.Rule {
			return func(m emailtest.Mail) []byte {
				l := emailtest.Answer(m, "We have got your mail.")
				raw, _ := w.mail.Compose(l)
				return raw
			}
		},
		"a desk that begins a thread each time": func(w *mailWorld) emailtest.Rule {
			return func(m emailtest.Mail) []byte {
				raw, _ := w.mail.Compose(emailtest.Letter{From: m.To, Subject: fmt.Sprint("Case ", m.ID), Text: "We have got your mail."})
				return raw
			}
		},
		"an auto-reply with a mark": func(w *mailWorld) emailtest.Rule {
			return func(m emailtest.Mail) []byte {
				l := emailtest.Answer(m, "I am away.")
				l.Header = []string{"Auto-Submitted: auto-replied"}
				raw, _ := w.mail.Compose(l)
				return raw
			}
		},
		"a mailbox that is full": func(w *mailWorld) emailtest.Rule {
			return func(m emailtest.Mail) []byte { return w.mail.Bounce(m, "5.2.2") }
		},
		"a list that sends it back": func(*mailWorld) emailtest.Rule {
			return func(m emailtest.Mail) []byte { return append([]byte("List-Id: <l.example.com>\r\n"), m.Raw...) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			inMail(t, emailtest.Options{}, func(w *mailWorld) {
				w.mail.Always(func(m emailtest.Mail) []byte {
					if strings.HasPrefix(m.To, "robot@") {
						return rule(w)(m)
					}
					return nil
				})
				w.write(emailtest.Letter{From: "robot@example.net", Subject: "x", Text: "hello"})
				w.pass(10 * time.Minute)
				perThread := map[string]int{}
				for _, m := range w.got("robot@example.net") {
					thread, _, _ := strings.Cut(m.ID, ".")
					perThread[thread]++
				}
				for thread, n := range perThread {
					require.LessOrEqual(t, n, 3, thread)
				}
				require.LessOrEqual(t, len(w.got("robot@example.net")), 10)
				w.write(emailtest.Letter{Subject: "order", Text: "I am real"})
				require.Len(t, w.got("mina@example.com"), 1, "a real customer is told")
			})
		})
	}
}

// A machine's mail joins what is there, also what has ended, and opens nothing
// again.
func TestAnAutoReplyOpensNothingAgain(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		d := w.only()
		w.answer(d.Conversation.ID, "done")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: d.Conversation.ID})))
		w.pass(3 * time.Second)
		require.Equal(t, conversation.StateClosed, w.only().Conversation.State)
		away := emailtest.Answer(w.got("mina@example.com")[1], "I am away")
		away.Header = []string{"Auto-Submitted: auto-replied"}
		w.write(away)
		d = w.only()
		require.Equal(t, conversation.StateClosed, d.Conversation.State)
		require.NotEmpty(t, d.Messages[len(d.Messages)-1].Content.Letter.Automatic)
		w.write(emailtest.Answer(w.got("mina@example.com")[1], "one more thing"))
		require.NotEqual(t, conversation.StateClosed, w.only().Conversation.State, "a person opens it again")
	})
}

// By the work stream's setting a mail is a ticket: its subject the title, what is
// said its text, and what the customer writes later a reply. Answers of the
// ticket leave as mail in the thread.
func TestAMailBecomesATicket(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		stream := w.configuration().WorkStreams["mail"]
		stream.Tickets = true
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "주문 1234", Text: "배송이 안 왔어요.\n-- \nMina"})
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 1)
		tk := page.Tickets[0]
		require.Equal(t, []string{"email", "주문 1234", "배송이 안 왔어요.", "mina@example.com", "Mina"},
			[]string{tk.Channel, tk.Title, tk.Body, tk.Requester.Email, tk.Requester.Name})
		require.Nil(t, w.only().Offer, "no chat is offered")
		require.NoError(t, errOf(w.eng.UpdateTicket(w.ctx, w.host, sangdam.UpdateTicket{Ticket: tk.ID,
			Comment: &sangdam.TicketComment{Text: "확인해 보겠습니다.", Public: true}})))
		w.pass(3 * time.Second)
		mails := w.got("mina@example.com")
		require.Len(t, mails, 2, "the acknowledgement and the answer")
		require.Equal(t, "확인해 보겠습니다.", mails[1].Text)
		w.write(emailtest.Answer(mails[1], "감사합니다"))
		require.Len(t, w.conversations(), 1)
		history, err := w.eng.TicketHistory(w.ctx, w.host, tk.ID, 0, 50)
		require.NoError(t, err)
		var kinds []ticket.EntryKind
		for _, e := range history {
			kinds = append(kinds, e.Kind)
		}
		require.Contains(t, kinds, ticket.Answered)
		require.Contains(t, kinds, ticket.Replied)
		page, err = w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 1, "no second ticket")
	})
}

// Outside of hours a thread is told once in a closed stretch that we are away,
// and never welcomed.
func TestAThreadIsToldOnceThatWeAreAway(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		first := w.write(emailtest.Letter{Subject: "order", Text: "one"})
		for range 3 {
			w.write(emailtest.Letter{Subject: "Re: order", Text: "still there?", InReplyTo: first})
		}
		var said []string
		for _, m := range w.got("mina@example.com") {
			said = append(said, m.Text)
		}
		require.Equal(t, []string{"We are away."}, said)
	}, withDesk(func(d *routing.Desk) { d.Hours = &weekdays }))
}

// A mail account has its own language and hours, beside those of its desk and work
// stream: a holiday's words instead of the usual ones, once a thread and closed
// stretch, and never a welcome.
func TestAMailAccountHasLanguageAndHours(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		acct := w.acct // the desk is always open
		own := weekdays
		own.Exceptions = []hours.Exception{{From: hours.Date{Year: 2000, Month: 1, Day: 5}, To: hours.Date{Year: 2000, Month: 1, Day: 6},
			Name: "closed", Holiday: true}}
		acct.Hours, acct.Language = &own, "ko"
		acct.Messages = map[string]map[string]string{automated.Away: {"": "We are away.", "ko": "지금은 쉬고 있습니다."},
			automated.Holiday: {"": "It is a holiday.", "ko": "오늘은 휴일입니다."}, automated.Welcome: {"ko": "환영합니다!"}}
		require.NoError(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})))
		w.pass(3 * time.Second)
		said := func() (out []string) {
			for _, m := range w.got("mina@example.com") {
				out = append(out, m.Text)
			}
			return out
		}
		first := w.write(emailtest.Letter{Subject: "order", Text: "one"}) // Saturday
		more := func() { w.write(emailtest.Letter{Subject: "Re: order", Text: "still there?", InReplyTo: first}) }
		more()
		w.jump(24 * time.Hour) // Sunday: the same stretch
		more()
		require.Equal(t, []string{"지금은 쉬고 있습니다."}, said())
		w.jump(3*24*time.Hour + 12*time.Hour) // Wednesday noon, a holiday
		more()
		w.jump(24 * time.Hour)
		more()
		require.Equal(t, []string{"지금은 쉬고 있습니다.", "오늘은 휴일입니다."}, said(), "once for each stretch")
		require.Equal(t, "ko", w.only().Conversation.Language, "the customer's is the account's until it is known")
	})
}

// A mail needs no customer field: it becomes a ticket without a category. Once an
// agent has chosen one, what that one requires holds the ticket until it is there;
// a mail without a category is held by nothing.
func TestAMailsCategoryHoldsItsCompletion(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		stream := w.configuration().WorkStreams["mail"]
		stream.Tickets = true
		require.NoError(t, errOf(w.eng.SaveWorkStream(w.ctx, w.host, sangdam.SaveWorkStream{WorkStream: stream})))
		require.NoError(t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: routing.Agent{ID: "t1", Name: "Tia", Role: "agent",
			Assign: routing.AssignmentSwitches{Ticket: true}, Permissions: []routing.Permission{routing.PermitTicket},
			Capacity: map[routing.Profile]int{routing.ProfileUnits: 5}}})))
		require.NoError(t, w.eng.AddToDesk(w.ctx, w.host, sangdam.AddToDesk{Desk: "support", Agent: "t1"}))
		field := ticket.Field{Code: "order", Kind: ticket.CustomerField, Type: ticket.Text, Required: true,
			Names: map[string]string{"en": "Order"}}
		require.NoError(t, errOf(w.eng.SaveField(w.ctx, w.host, sangdam.SaveField{Field: field})))
		made, err := w.eng.SaveCategory(w.ctx, w.host, sangdam.SaveCategory{Tree: ticket.Intake,
			Category: ticket.Category{Names: map[string]string{"en": "Refund"}, Offered: true}})
		require.NoError(t, err)
		refund := ticket.CategoryID(made.ID)
		require.NoError(t, errOf(w.eng.SaveForm(w.ctx, w.host, sangdam.SaveForm{Form: ticket.Form{Category: refund,
			Fields: []string{"order"}}})))
		w.pass(3 * time.Second)
		w.write(emailtest.Letter{Subject: "order", Text: "money back"})
		w.write(emailtest.Letter{From: "jun@example.com", Name: "Jun", Subject: "hello", Text: "nothing of note"})
		page, err := w.eng.Tickets(w.ctx, w.host, sangdam.TicketFilter{}, "", 10)
		require.NoError(t, err)
		require.Len(t, page.Tickets, 2)
		change := func(id ticket.ID, c sangdam.TicketChange) error {
			got, err := w.eng.Ticket(w.ctx, w.agent("t1"), id)
			require.NoError(t, err)
			return errOf(w.eng.UpdateTicket(w.ctx, w.agent("t1"), sangdam.UpdateTicket{Ticket: id, Version: got.Ticket.Version, Change: c}))
		}
		for _, tk := range page.Tickets {
			require.Empty(t, tk.Category)
			require.Empty(t, tk.Fields)
			if tk.Title == "hello" {
				require.NoError(t, change(tk.ID, sangdam.TicketChange{State: ptr(ticket.Solved)}), "nobody chose a category")
				continue
			}
			require.NoError(t, change(tk.ID, sangdam.TicketChange{Category: &refund}))
			require.NoError(t, change(tk.ID, sangdam.TicketChange{State: ptr(ticket.OnHold)}), "it may wait without")
			var missing *ticket.MissingFields
			require.ErrorAs(t, change(tk.ID, sangdam.TicketChange{State: ptr(ticket.Solved)}), &missing)
			require.Equal(t, []string{"order"}, missing.Codes)
			require.NoError(t, change(tk.ID, sangdam.TicketChange{State: ptr(ticket.Solved),
				Fields: map[string]ticket.Value{"order": {Text: "1234"}}}))
		}
	})
}

// A code that a machine sends to the desk is for the desk: nobody is told of it,
// neither who is in copy nor whoever the mail names.
func TestAVerificationMailReachesNobodyElse(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		first := w.write(emailtest.Letter{From: "eve@evil.example", Subject: "hi", Text: "a thread of mine"})
		w.write(emailtest.Letter{From: "no-reply@bank.example", To: "help@shop.test", Cc: []string{"eve@evil.example"},
			Subject: "Your code",
			Text:    "Your code is 123456", References: []string{first}, Header: []string{"Reply-To: eve@evil.example"}})
		for _, m := range w.mail.Received("") {
			require.NotContains(t, m.Text, "123456")
		}
		require.Len(t, w.got("eve@evil.example"), 1, "the acknowledgement of her own mail alone")
		require.Empty(t, w.got("no-reply@bank.example"))
		all := w.conversations()
		require.Len(t, all, 2, "a stranger's mail does not join her thread")
		for _, c := range all {
			d := w.detail(c.ID)
			if d.Messages[0].Content.Letter.Subject == "Your code" {
				require.NotEmpty(t, d.Messages[0].Content.Letter.Automatic, "it is flagged for the agents")
			}
		}
	})
}

// Two of our own desks that write to each other are told apart, and the storm
// between them ends by itself.
func TestTwoDesksOfOneHouseDoNotStorm(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.mail.Always(func(m emailtest.Mail) []byte { // the other desk is like ours: it acknowledges, marked as ours are
			if m.To != "sales@shop.test" {
				return nil
			}
			l := emailtest.Answer(m, "Your mail has arrived.")
			l.Header = []string{"X-Sangdam-Loop: 0123456789abcdef"}
			raw, _ := w.mail.Compose(l)
			return raw
		})
		w.write(emailtest.Letter{From: "sales@shop.test", Subject: "stock?", Text: "how many are left?"})
		w.pass(time.Hour)
		require.LessOrEqual(t, len(w.got("sales@shop.test")), 3)
		require.NotEmpty(t, w.conversations(), "it is read by people")
	})
}

// Not even a trigger answers a machine.
func TestATriggerDoesNotAnswerAMachine(t *testing.T) {
	inMail(t, emailtest.Options{}, func(w *mailWorld) {
		w.save(rule("echo", when("happened", condition.Has, "opened"), trigger.Do(action.Message,
			action.TextParams{Text: action.Texts{"": "We will look at it."}})))
		w.write(emailtest.Letter{Subject: "order", Text: "one"})
		require.Len(t, w.got("mina@example.com"), 2, "the acknowledgement, and the trigger's")
		w.write(emailtest.Letter{From: "robot@example.net", Subject: "x", Text: "hello",
			Header: []string{"Auto-Submitted: auto-generated"}})
		require.Empty(t, w.got("robot@example.net"))
	})
}
