package sangdam_test

import (
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/routing"
	"github.com/sangdam/sangdam/store/driver"
	"github.com/sangdam/sangdam/store/seal"
)

// active brings a conversation to agent a1.
func active(w *world) sangdam.Owned {
	w.online("a1")
	w.line.User("Mina").SendText("hi")
	w.settle()
	return w.accept()
}

func TestACommandWithTheSameKeyHasOneEffect(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		cmd := sangdam.Answer{Key: "k1", Conversation: c.Conversation, Content: channel.Text("once")}
		first, err := w.eng.Answer(w.ctx, w.agent("a1"), cmd)
		require.NoError(t, err)
		again, err := w.eng.Answer(w.ctx, w.agent("a1"), cmd)
		require.NoError(t, err)
		require.Equal(t, first, again)
		w.settle()
		require.Equal(t, []string{"Hello!", "once"}, w.line.User("Mina").Texts())

		cmd.Content = channel.Text("something else")
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), cmd)
		require.ErrorIs(t, err, sangdam.ErrConflict, "the same key with another body")

		w.restart()
		cmd.Content = channel.Text("once")
		again, err = w.eng.Answer(w.ctx, w.agent("a1"), cmd)
		require.NoError(t, err)
		require.Equal(t, first, again, "also after a restart")
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Key: sangdam.Key(strings.Repeat("k", 201)), Conversation: c.Conversation,
			Content: channel.Text("x")})
		require.ErrorIs(t, err, sangdam.ErrInvalid)
	})
}

// Keys are each person's own: two agents whose consoles count from 1 do not
// meet.
func TestTwoAgentsMayUseOneKey(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		for _, who := range []routing.AgentID{"a1", "a2"} {
			_, err := w.eng.AddNote(w.ctx, w.agent(who), sangdam.AddNote{Key: "1", Conversation: c.Conversation, Text: "by " + string(who)})
			require.NoError(t, err)
		}
		require.Subset(t, texts(w.only()), []string{"by a1", "by a2"})
	})
}

func TestAnswersAreRefusedWithAReason(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		cases := []struct {
			name    string
			content channel.Content
			want    error
		}{
			{"no text", channel.Text("  \n"), sangdam.ErrInvalid},
			{"too long", channel.Text(strings.Repeat("가", 400_000)), sangdam.ErrInvalid},
			{"no kind", channel.Content{Text: "x"}, sangdam.ErrUnsupported},
			{"unknown kind", channel.Content{Kind: "hologram"}, sangdam.ErrUnsupported},
		}
		for _, tc := range cases {
			_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: tc.content})
			require.ErrorIs(t, err, tc.want, tc.name)
		}
		acct := w.acct
		acct.Secrets, acct.AgentAttachments = nil, false
		_, err := w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: acct})
		require.NoError(t, err)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c, Content: channel.Content{Kind: channel.KindImage,
			Media: &channel.Media{URL: "https://example.com/a.png", Preview: "https://example.com/a.png"}}})
		require.ErrorIs(t, err, sangdam.ErrUnsupported, "switched off")
		require.ErrorContains(t, err, "switched off")
		w.settle()
		require.Equal(t, []string{"Hello!"}, w.line.User("Mina").Texts(), "nothing of it was sent")
	})
}

// lastAudited is the number of the newest row of the audit log.
func (w *world) lastAudited() int64 {
	w.t.Helper()
	rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
	require.NoError(w.t, err)
	return rows[len(rows)-1].Seq
}

// strangerBeside makes an agent of no desk, and an offer to somebody else.
func (w *world) strangerBeside() (offer routing.OfferID) {
	w.t.Helper()
	require.NoError(w.t, errOf(w.eng.SaveAgent(w.ctx, w.host, sangdam.SaveAgent{Agent: routing.Agent{ID: "stranger",
		Name: "S", Role: "agent", Permissions: []routing.Permission{routing.PermitChat},
		Capacity: map[routing.Profile]int{routing.ProfileUnits: 1}, Assign: routing.AssignmentSwitches{Chat: true}}})))
	w.line.User("Other").SendText("hi")
	w.settle()
	for _, cv := range w.conversations() {
		if o := w.detail(cv.ID).Offer; o != nil {
			offer = o.ID
		}
	}
	require.NotEmpty(w.t, offer)
	return offer
}

// Every command and query, called by somebody who may not. A method of Engine
// that takes a Principal and has no case here fails the test.
func TestStrangersAreRefusedAndTheRefusalIsAudited(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		offer := w.strangerBeside()
		before := w.lastAudited()
		stranger, id := w.agent("stranger"), c.Conversation
		m := w.detail(id).Messages[1].ID
		contact, identity := w.detail(id).Contact.ID, w.detail(id).Identities[0].ID
		calls := map[string]func(p sangdam.Principal) error{
			"Answer": func(p sangdam.Principal) error {
				_, err := w.eng.Answer(w.ctx, p, sangdam.Answer{Conversation: id, Content: channel.Text("x")})
				return err
			},
			"AddNote": func(p sangdam.Principal) error {
				_, err := w.eng.AddNote(w.ctx, p, sangdam.AddNote{Conversation: id, Text: "x"})
				return err
			},
			"Resend": func(p sangdam.Principal) error {
				_, err := w.eng.Resend(w.ctx, p, sangdam.Resend{Message: m})
				return err
			},
			"Upload": func(p sangdam.Principal) error {
				_, err := w.eng.Upload(w.ctx, p, sangdam.Upload{Conversation: id, Name: "a.txt", Body: strings.NewReader("x")})
				return err
			},
			"FetchMedia": func(p sangdam.Principal) error {
				return w.eng.FetchMedia(w.ctx, p, sangdam.FetchMedia{Message: m})
			},
			"End": func(p sangdam.Principal) error {
				_, err := w.eng.End(w.ctx, p, sangdam.End{Conversation: id})
				return err
			},
			"Wait": func(p sangdam.Principal) error {
				_, err := w.eng.Wait(w.ctx, p, sangdam.Wait{Conversation: id})
				return err
			},
			"Reopen": func(p sangdam.Principal) error {
				_, err := w.eng.Reopen(w.ctx, p, sangdam.Reopen{Conversation: id})
				return err
			},
			"Pick": func(p sangdam.Principal) error {
				_, err := w.eng.Pick(w.ctx, p, sangdam.Pick{Conversation: id})
				return err
			},
			"Assign": func(p sangdam.Principal) error {
				_, err := w.eng.Assign(w.ctx, p, sangdam.Assign{Conversation: id, Agent: "stranger"})
				return err
			},
			"Assign by force": func(p sangdam.Principal) error {
				_, err := w.eng.Assign(w.ctx, p, sangdam.Assign{Conversation: id, Agent: "stranger", Force: true})
				return err
			},
			"Consult": func(p sangdam.Principal) error {
				_, err := w.eng.Consult(w.ctx, p, sangdam.Consult{Conversation: id, Agent: "stranger"})
				return err
			},
			"AcceptConsultation": func(p sangdam.Principal) error {
				_, err := w.eng.AcceptConsultation(w.ctx, p, sangdam.AcceptConsultation{Consultation: "x"})
				return err
			},
			"DeclineConsultation": func(p sangdam.Principal) error {
				return w.eng.DeclineConsultation(w.ctx, p, sangdam.DeclineConsultation{Consultation: "x"})
			},
			"WithdrawConsultation": func(p sangdam.Principal) error {
				return w.eng.WithdrawConsultation(w.ctx, p, sangdam.WithdrawConsultation{Consultation: "x"})
			},
			"Transfer": func(p sangdam.Principal) error {
				_, err := w.eng.Transfer(w.ctx, p, sangdam.Transfer{Conversation: id, Agent: "stranger"})
				return err
			},
			"Accept": func(p sangdam.Principal) error {
				_, err := w.eng.Accept(w.ctx, p, sangdam.Accept{Offer: offer})
				return err
			},
			"Decline": func(p sangdam.Principal) error { return w.eng.Decline(w.ctx, p, sangdam.Decline{Offer: offer}) },
			"SaveContact": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveContact(w.ctx, p, sangdam.SaveContact{Contact: conversation.Contact{ID: contact, Name: "x"}}))
			},
			"LinkIdentity": func(p sangdam.Principal) error {
				return errOf(w.eng.LinkIdentity(w.ctx, p, sangdam.LinkIdentity{Identity: identity, Contact: contact}))
			},
			"LinkUser": func(p sangdam.Principal) error {
				return errOf(w.eng.LinkUser(w.ctx, p, sangdam.LinkUser{Account: w.acct.ID, User: "U1", Contact: contact}))
			},
			"BeginLink": func(p sangdam.Principal) error {
				return errOf(w.eng.BeginLink(w.ctx, p, sangdam.BeginLink{Contact: contact}))
			},
			"SetPresence of another": func(p sangdam.Principal) error {
				return w.eng.SetPresence(w.ctx, p, sangdam.SetPresence{Agent: "a2", Presence: routing.Online})
			},
			"SaveAgent": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveAgent(w.ctx, p, sangdam.SaveAgent{Agent: routing.Agent{ID: "x", Name: "x"}}))
			},
			"SetSwitches of another": func(p sangdam.Principal) error {
				return errOf(w.eng.SetSwitches(w.ctx, p, sangdam.SetSwitches{Agent: "a2"}))
			},
			"SaveDesk": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveDesk(w.ctx, p, sangdam.SaveDesk{Desk: routing.Desk{ID: "d", Name: "D"}}))
			},
			"SaveDeskPicture": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveDeskPicture(w.ctx, p, sangdam.SaveDeskPicture{Desk: "support"}))
			},
			"AddToDesk": func(p sangdam.Principal) error {
				return w.eng.AddToDesk(w.ctx, p, sangdam.AddToDesk{Desk: "support", Agent: "stranger"})
			},
			"RemoveFromDesk": func(p sangdam.Principal) error {
				return w.eng.RemoveFromDesk(w.ctx, p, sangdam.RemoveFromDesk{Desk: "support", Agent: "a2"})
			},
			"SaveQueue": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveQueue(w.ctx, p, sangdam.SaveQueue{Queue: routing.Queue{ID: "x", Name: "X"}}))
			},
			"SaveWorkStream": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveWorkStream(w.ctx, p, sangdam.SaveWorkStream{WorkStream: routing.WorkStream{ID: "x"}}))
			},
			"RetryJob": func(p sangdam.Principal) error { return w.eng.RetryJob(w.ctx, p, sangdam.RetryJob{Job: "x"}) },
			"Apply": func(p sangdam.Principal) error {
				return errOf(w.eng.Apply(w.ctx, p, sangdam.Apply{Setup: sangdam.Setup{Agents: []routing.Agent{{ID: "x", Name: "X"}}}}))
			},
			"Plan": func(p sangdam.Principal) error {
				return errOf(w.eng.Plan(w.ctx, p, sangdam.Setup{Agents: []routing.Agent{{ID: "x", Name: "X"}}}))
			},
			"SaveAccount": func(p sangdam.Principal) error {
				_, err := w.eng.SaveAccount(w.ctx, p, sangdam.SaveAccount{Account: w.acct})
				return err
			},
			"DeleteAccount": func(p sangdam.Principal) error {
				return w.eng.DeleteAccount(w.ctx, p, sangdam.DeleteAccount{Account: w.acct.ID})
			},
			"SaveMacro":   func(p sangdam.Principal) error { return errOf(w.eng.SaveMacro(w.ctx, p, sangdam.SaveMacro{})) },
			"DeleteMacro": func(p sangdam.Principal) error { return w.eng.DeleteMacro(w.ctx, p, sangdam.DeleteMacro{Macro: "x"}) },
			"RunMacro": func(p sangdam.Principal) error {
				return errOf(w.eng.RunMacro(w.ctx, p, sangdam.RunMacro{Macro: "x", Record: string(id)}))
			},
			"SaveTrigger": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveTrigger(w.ctx, p, sangdam.SaveTrigger{Trigger: rule("x", nil, tag("x"))}))
			},
			"SwitchTrigger": func(p sangdam.Principal) error {
				return errOf(w.eng.SwitchTrigger(w.ctx, p, sangdam.SwitchTrigger{Trigger: "x"}))
			},
			"DeleteTrigger": func(p sangdam.Principal) error {
				return w.eng.DeleteTrigger(w.ctx, p, sangdam.DeleteTrigger{Trigger: "x"})
			},
			"OrderTriggers": func(p sangdam.Principal) error { return errOf(w.eng.OrderTriggers(w.ctx, p, sangdam.OrderTriggers{})) },
			"TraceTriggers": func(p sangdam.Principal) error { return w.eng.TraceTriggers(w.ctx, p, sangdam.TraceTriggers{}) },
			"InviteAgent": func(p sangdam.Principal) error {
				return errOf(w.eng.InviteAgent(w.ctx, p, sangdam.InviteAgent{Agent: "a1"}))
			},
			"UninviteAgent": func(p sangdam.Principal) error {
				return w.eng.UninviteAgent(w.ctx, p, sangdam.UninviteAgent{Agent: "a1"})
			},
			"JoinAgent": func(p sangdam.Principal) error {
				return errOf(w.eng.JoinAgent(w.ctx, p, sangdam.JoinAgent{Token: "x"}))
			},
			"SaveConversationView": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveConversationView(w.ctx, p, sangdam.SaveConversationView{}))
			},
			"DeleteConversationView": func(p sangdam.Principal) error {
				return w.eng.DeleteConversationView(w.ctx, p, sangdam.DeleteConversationView{View: "x"})
			},
			"SaveQuickReply": func(p sangdam.Principal) error {
				return errOf(w.eng.SaveQuickReply(w.ctx, p, sangdam.SaveQuickReply{}))
			},
			"DeleteQuickReply": func(p sangdam.Principal) error {
				return w.eng.DeleteQuickReply(w.ctx, p, sangdam.DeleteQuickReply{Reply: "x"})
			},
			"BackUp": func(p sangdam.Principal) error { return errOf(w.eng.BackUp(w.ctx, p, sangdam.BackUp{})) },
			"ConfirmNotice of another": func(p sangdam.Principal) error {
				return errOf(w.eng.ConfirmNotice(w.ctx, p, sangdam.ConfirmNotice{Agent: "a2", TextVersion: "1"}))
			},
			"AskRating": func(p sangdam.Principal) error {
				return errOf(w.eng.AskRating(w.ctx, p, sangdam.AskRating{Conversation: id}))
			},
			"Enqueue": func(p sangdam.Principal) error {
				return errOf(w.eng.Enqueue(w.ctx, p, sangdam.Enqueue{Subject: order("1"), Queue: "q", Desk: "support"}))
			},
			"Finish": func(p sangdam.Principal) error {
				return w.eng.Finish(w.ctx, p, sangdam.Finish{Subject: order("17")})
			},
			"Notify": func(p sangdam.Principal) error {
				return errOf(w.eng.Notify(w.ctx, p, sangdam.Notify{Conversation: id, Content: channel.Text("x")}))
			},
			"Begin": func(p sangdam.Principal) error {
				return errOf(w.eng.Begin(w.ctx, p, sangdam.Begin{Account: w.acct.ID, User: "U1", Content: channel.Text("x")}))
			},
			"Unsend":     func(p sangdam.Principal) error { return errOf(w.eng.Unsend(w.ctx, p, sangdam.Unsend{Message: m})) },
			"SaveTarget": func(p sangdam.Principal) error { return errOf(w.eng.SaveTarget(w.ctx, p, sangdam.SaveTarget{})) },
			"DeleteTarget": func(p sangdam.Principal) error {
				return w.eng.DeleteTarget(w.ctx, p, sangdam.DeleteTarget{Target: "x"})
			},
			"SendNotice": func(p sangdam.Principal) error {
				return errOf(w.eng.SendNotice(w.ctx, p, sangdam.SendNotice{Target: "x"}))
			},
			"Redeliver": func(p sangdam.Principal) error {
				return errOf(w.eng.Redeliver(w.ctx, p, sangdam.Redeliver{Delivery: "x"}))
			},
			"ReplayDeliveries": func(p sangdam.Principal) error {
				return w.eng.ReplayDeliveries(w.ctx, p, sangdam.ReplayDeliveries{Target: "x"})
			},
			"TryTrigger": func(p sangdam.Principal) error { return errOf(w.eng.TryTrigger(w.ctx, p, sangdam.TryTrigger{})) },
			"StopTrial":  func(p sangdam.Principal) error { return w.eng.StopTrial(w.ctx, p, sangdam.StopTrial{Trial: "x"}) },
			"Requeue":    func(p sangdam.Principal) error { return w.eng.Requeue(w.ctx, p, sangdam.Requeue{Envelope: "x"}) },
		}
		queries := map[string]func(p sangdam.Principal) error{
			"Trials":   func(p sangdam.Principal) error { return errOf(w.eng.Trials(w.ctx, p, "x")) },
			"Trial":    func(p sangdam.Principal) error { return errOf(w.eng.Trial(w.ctx, p, "x")) },
			"Triggers": func(p sangdam.Principal) error { return errOf(w.eng.Triggers(w.ctx, p, "conversation")) },
			"TriggerRuns": func(p sangdam.Principal) error {
				return errOf(w.eng.TriggerRuns(w.ctx, p, sangdam.TriggerRunFilter{Trigger: "x"}, "", 1))
			},
			"RepliesFor":  func(p sangdam.Principal) error { return errOf(w.eng.RepliesFor(w.ctx, p, id, "")) },
			"Backups":     func(p sangdam.Principal) error { return errOf(w.eng.Backups(w.ctx, p)) },
			"WriteBackup": func(p sangdam.Principal) error { return w.eng.WriteBackup(w.ctx, p, "x", io.Discard) },
			"Invited":     func(p sangdam.Principal) error { return errOf(w.eng.Invited(w.ctx, p, "x")) },
			"Invitations": func(p sangdam.Principal) error { return errOf(w.eng.Invitations(w.ctx, p)) },
			"Targets":     func(p sangdam.Principal) error { return errOf(w.eng.Targets(w.ctx, p)) },
			"Deliveries": func(p sangdam.Principal) error {
				return errOf(w.eng.Deliveries(w.ctx, p, sangdam.DeliveryFilter{Target: "x"}, "", 10))
			},
			"Delivery": func(p sangdam.Principal) error { return errOf(w.eng.Delivery(w.ctx, p, "x")) },
			"Attachment": func(p sangdam.Principal) error {
				_, err := w.eng.Attachment(w.ctx, p, sangdam.AttachmentRef{Message: m})
				return err
			},
			"Thumbnail": func(p sangdam.Principal) error {
				_, err := w.eng.Thumbnail(w.ctx, p, sangdam.AttachmentRef{Message: m})
				return err
			},
			"Conversation": func(p sangdam.Principal) error { _, err := w.eng.Conversation(w.ctx, p, id); return err },
			"Transcript":   func(p sangdam.Principal) error { _, err := w.eng.Transcript(w.ctx, p, id, 0, 10); return err },
			"ConversationEvents": func(p sangdam.Principal) error {
				_, err := w.eng.ConversationEvents(w.ctx, p, id, 0, 10)
				return err
			},
			"Contact":         func(p sangdam.Principal) error { _, _, err := w.eng.Contact(w.ctx, p, contact); return err },
			"CustomerSummary": func(p sangdam.Principal) error { return errOf(w.eng.CustomerSummary(w.ctx, p, contact)) },
			"ConnectAccount": func(p sangdam.Principal) error {
				return w.eng.ConnectAccount(w.ctx, p, w.acct.ID, "https://desk.test/hook")
			},
			"Invite": func(p sangdam.Principal) error { return errOf(w.eng.Invite(w.ctx, p, w.acct.ID, 300)) },
			"WouldHear": func(p sangdam.Principal) error {
				return errOf(w.eng.WouldHear(w.ctx, p, w.acct.ID, "ko", time.Now()))
			},
			"CheckAccount": func(p sangdam.Principal) error { return errOf(w.eng.CheckAccount(w.ctx, p, w.acct.ID, "")) },
			"Preview":      func(p sangdam.Principal) error { return errOf(w.eng.Preview(w.ctx, p, id, channel.Text("x"))) },
			"ShowTyping":   func(p sangdam.Principal) error { return w.eng.ShowTyping(w.ctx, p, id, time.Second) },
			"MarkRead":     func(p sangdam.Principal) error { return w.eng.MarkRead(w.ctx, p, id) },
			"Explain":      func(p sangdam.Principal) error { return errOf(w.eng.Explain(w.ctx, p, id)) },
			"ExplainDecision": func(p sangdam.Principal) error {
				return errOf(w.eng.ExplainDecision(w.ctx, p, routing.ItemID(id), time.Now()))
			},
			"Place":           func(p sangdam.Principal) error { return errOf(w.eng.Place(w.ctx, p, id)) },
			"Held":            func(p sangdam.Principal) error { _, err := w.eng.Held(w.ctx, p, "a1"); return err },
			"Audit":           func(p sangdam.Principal) error { _, err := w.eng.Audit(w.ctx, p, 0, 10); return err },
			"Jobs":            func(p sangdam.Principal) error { return errOf(w.eng.Jobs(w.ctx, p, 10)) },
			"Trouble":         func(p sangdam.Principal) error { return errOf(w.eng.Trouble(w.ctx, p, 10)) },
			"Load":            func(p sangdam.Principal) error { return errOf(w.eng.Load(w.ctx, p)) },
			"Quarantined":     func(p sangdam.Principal) error { _, err := w.eng.Quarantined(w.ctx, p, 10); return err },
			"May":             func(p sangdam.Principal) error { return w.eng.May(w.ctx, p, sangdam.ActConfigure) },
			"EarlierMessages": func(p sangdam.Principal) error { return errOf(w.eng.EarlierMessages(w.ctx, p, id, 0, 10)) },
			"Accounts":        func(p sangdam.Principal) error { _, err := w.eng.Accounts(w.ctx, p); return err },
			"Configuration":   func(p sangdam.Principal) error { _, err := w.eng.Configuration(w.ctx, p); return err },
		}
		ticketCalls(w, calls, queries)
		maskCalls(w, m, calls, queries)
		covered := map[string]bool{}
		for name := range calls {
			covered[strings.Fields(name)[0]] = true
		}
		for _, op := range commands() {
			require.True(t, covered[op.Method], "%s has no case here: add one that is refused", op.Method)
		}
		for name := range queries {
			covered[name] = true
		}
		// What a principal may not see is left out of these; see rights_test.go.
		for _, name := range append(ticketLists, "Agents", "Directory", "Queues", "Conversations", "CountConversations", "Search",
			"FindContacts", "ContactNames", "Events", "Stream", "Undelivered", "Macros", "ConversationViews",
			"NoticeToConfirm", "QuickReplies",
			"DeskPicture") {
			covered[name] = true
		}
		for m := range reflect.TypeFor[*sangdam.Engine]().Methods() {
			require.True(t, covered[m.Name] || !takesPrincipal(m), "%s acts for a principal and has no case here", m.Name)
		}
		for name, call := range calls {
			for _, p := range []sangdam.Principal{stranger, {Workspace: ws}, {Workspace: ws, Kind: sangdam.KindVisitor, ID: "v"}} {
				seq := w.lastAudited()
				err := call(p)
				require.Error(t, err, name)
				require.Truef(t, isRefusal(err), "%s: %v", name, err)
				rows, err := w.eng.Audit(w.ctx, w.host, seq, 10)
				require.NoError(t, err)
				require.Len(t, rows, 1, "%s leaves one audit row", name)
				require.Equal(t, "denied", rows[0].Outcome, name)
			}
		}
		for name, call := range queries {
			for _, p := range []sangdam.Principal{stranger, {Workspace: ws}, {Workspace: ws, Kind: sangdam.KindVisitor, ID: "v"}} {
				require.Truef(t, isRefusal(call(p)), name)
			}
		}
		page, err := w.eng.Conversations(w.ctx, stranger, conversation.Filter{}, "", 50)
		require.NoError(t, err)
		require.Empty(t, page.Conversations, "lists leak nothing that the record denies")
		found, err := w.eng.Search(w.ctx, stranger, "hi", 50)
		require.NoError(t, err)
		require.Empty(t, found)
		require.Equal(t, "a1", string(w.detail(id).Conversation.Agent), "nothing has changed")

		rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
		require.NoError(t, err)
		bad, err := driver.VerifyChain("", rows)
		require.NoError(t, err)
		require.Zero(t, bad)
		require.Greater(t, w.lastAudited(), before)
		for _, r := range rows {
			require.NotContains(t, fmt.Sprint(r), w.line.ChannelSecret(), "no secret in the audit log")
		}
	})
}

func isRefusal(err error) bool {
	return err != nil && (strings.Contains(err.Error(), "permission") || kind(err) == "permission denied" || kind(err) == "not found")
}

func TestForceGoesBeyondCapacityAndTheAuditShowsIt(t *testing.T) {
	inWorld(t, func(w *world) {
		w.online("a1")
		supervisor := sangdam.AgentPrincipal(ws, "boss", sangdam.RoleSupervisor)
		for _, name := range []string{"one", "two", "three"} {
			w.line.User(name).SendText("hi")
			w.settle()
			for _, c := range w.conversations() {
				if o := w.detail(c.ID).Offer; o != nil {
					_, err := w.eng.Accept(w.ctx, w.agent("a1"), sangdam.Accept{Offer: o.ID})
					require.NoError(t, err)
				}
			}
		}
		var waiting conversation.ID
		for _, c := range w.conversations() {
			if c.Agent == "" {
				waiting = c.ID
			}
		}
		_, err := w.eng.Assign(w.ctx, supervisor, sangdam.Assign{Conversation: waiting, Agent: "a1"})
		require.ErrorIs(t, err, sangdam.ErrStale, "no room")
		_, err = w.eng.Assign(w.ctx, supervisor, sangdam.Assign{Conversation: waiting, Agent: "a1", Force: true})
		require.NoError(t, err)
		require.True(t, w.detail(waiting).Assignment.Forced)
		rows, err := w.eng.Audit(w.ctx, w.host, 0, 1000)
		require.NoError(t, err)
		require.Equal(t, "true", rows[len(rows)-1].Details["forced"])
	})
}

func TestRemovingAnAgentHandsItsConversationsOn(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		require.NoError(t, w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a1"}))
		w.settle()
		require.Equal(t, conversation.StateOpen, w.detail(c.Conversation).Conversation.State)
		err := w.eng.RemoveFromDesk(w.ctx, w.host, sangdam.RemoveFromDesk{Desk: "support", Agent: "a2"})
		require.ErrorIs(t, err, sangdam.ErrInvalid, "a desk keeps one agent")
		_, err = w.eng.Conversation(w.ctx, w.agent("a1"), c.Conversation)
		require.ErrorIs(t, err, sangdam.ErrNotFound, "and sees nothing of it any more")
	})
}

func TestDeletedAccountStopsTrafficAndKeepsHistory(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w)
		require.NoError(t, w.eng.DeleteAccount(w.ctx, w.host, sangdam.DeleteAccount{Account: w.acct.ID, Version: w.acct.Version}))
		w.line.User("Mina").SendText("still there?")
		w.pass(3 * time.Second)
		hooks := w.line.Webhooks()
		require.Equal(t, 404, hooks[len(hooks)-1].Status)
		d := w.detail(c.Conversation)
		require.Equal(t, []string{"hi", "Hello!"}, texts(d), "history stays readable")
		_, err := w.eng.Answer(w.ctx, w.agent("a1"), sangdam.Answer{Conversation: c.Conversation, Content: channel.Text("x")})
		require.ErrorIs(t, err, sangdam.ErrNotFound)
	})
}

func TestEndingIsRefusedWhenTheCustomerHasJustWritten(t *testing.T) {
	inWorld(t, func(w *world) {
		c := active(w).Conversation
		seen := w.detail(c).Conversation.EventSeq
		w.line.User("Mina").SendText("one more thing")
		w.settle()
		_, err := w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c, Seen: seen})
		require.ErrorIs(t, err, sangdam.ErrStale)
		_, err = w.eng.Wait(w.ctx, w.agent("a1"), sangdam.Wait{Conversation: c, Seen: seen})
		require.ErrorIs(t, err, sangdam.ErrStale)
		_, err = w.eng.Answer(w.ctx, w.agent("a1"),
			sangdam.Answer{Conversation: c, Content: channel.Text("bye"), ThenWait: true, Seen: seen})
		require.ErrorIs(t, err, sangdam.ErrStale)
		require.Equal(t, conversation.StateActive, w.detail(c).Conversation.State, "nothing was done by half")
		_, err = w.eng.End(w.ctx, w.agent("a1"), sangdam.End{Conversation: c, Seen: w.detail(c).Conversation.EventSeq})
		require.NoError(t, err)
	})
}

func TestCredentialsAreNotSealedUnderOtherKeys(t *testing.T) {
	inWorld(t, func(w *world) {
		other, err := seal.Ephemeral()
		require.NoError(t, err)
		cfg := w.cfg
		cfg.Sealer = other
		eng, err := sangdam.New(cfg)
		require.NoError(t, err)
		_, err = eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: w.acct})
		require.Error(t, err)
		require.Error(t, eng.Run(w.ctx), "it does not even start")
	})
}
