package sangdam_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sangdam/sangdam"
	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/line/linetest"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/store"
)

// tells sets the account's words about what is kept, and whether it asks.
func (w *replayWorld) tells(version string, asks bool) {
	w.t.Helper()
	accounts, err := w.eng.Accounts(w.ctx, w.host)
	require.NoError(w.t, err)
	a := accounts[0]
	a.Notice = channel.Notice{Version: version, Consent: asks}
	a.Messages = automated.Texts{automated.Notice: {"": "What you write is kept.", "ko": "대화는 기록됩니다."},
		automated.ConsentYes: {"": "I agree"}, automated.ConsentNo: {"": "No"},
		automated.Refused: {"": "That is fine. Call us at 1588-0000."}}
	require.NoError(w.t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})))
	w.settle()
}

func (w *replayWorld) pressed(u *linetest.User, label string) {
	w.t.Helper()
	_, err := u.Press(label, linetest.Answer{})
	require.NoError(w.t, err)
	w.settle()
}

// audited lists what the audit log has of an action.
func (w *replayWorld) audited(action string) (out []store.AuditEntry) {
	w.t.Helper()
	rows, err := w.eng.Audit(w.ctx, w.host, 0, 500)
	require.NoError(w.t, err)
	for _, r := range rows {
		if r.Action == action {
			out = append(out, r)
		}
	}
	return out
}

// A customer is told before anything else is said, once for each version of the
// words.
func TestACustomerIsToldThatItIsKept(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.tells("", false)
		w.online("a1")
		mina := w.line.User("Mina")
		w.begun(mina, "hello")
		require.Equal(t, []string{"What you write is kept.", "Hello!"}, mina.Texts())
		id := w.of(mina).Conversation.ID
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: id, Final: true})))
		w.settle()
		mina.SendText("once more")
		w.settle()
		require.NotContains(t, mina.Texts()[3:], "What you write is kept.", "once is enough")
		w.tells("2", false)
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: w.of(mina).Conversation.ID, Final: true})))
		mina.SendText("and again")
		w.settle()
		require.Contains(t, mina.Texts()[3:], "What you write is kept.", "the words changed")

		jun := w.line.User("Jun")
		jun.Follow()
		w.settle()
		require.Equal(t, []string{"What you write is kept.", "Thanks for adding us."}, jun.Texts())
		jun.SendText("hi")
		w.settle()
		require.Equal(t, []string{"What you write is kept.", "Thanks for adding us.", "Hello!"}, jun.Texts())
	})
}

// Where an account asks, nobody of the desk is shown anything before the yes;
// then everything is there, in its order.
func TestNothingIsShownBeforeTheYes(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.tells("2026-01", true)
		w.online("a1")
		mina := w.line.User("Mina")
		mina.SendText("my secret order")
		mina.SendText("please help")
		w.settle()
		require.Empty(t, w.conversations())
		require.Equal(t, []string{"What you write is kept."}, mina.Texts(), "asked once in a burst, and nothing else is said")
		found, err := w.eng.Search(w.ctx, w.host, "secret order", 10)
		require.NoError(t, err)
		require.Empty(t, found)
		contacts, err := w.eng.FindContacts(w.ctx, w.agent("a1"), "Mina", 10)
		require.NoError(t, err)
		require.Empty(t, contacts)
		events, _, err := w.eng.Events(w.ctx, w.agent("a1"), "", 500)
		require.NoError(t, err)
		for _, e := range events {
			require.NotContains(t, []string{"conversation", "contact", "identity"}, e.Aggregate)
		}

		w.pressed(mina, "I agree")
		d := w.of(mina)
		require.Equal(t, []string{"my secret order", "Hello!", "please help"}, texts(d))
		require.NotNil(t, d.Offer)
		require.Equal(t, 2, d.Conversation.Unread)
		rows := w.audited("visitor.consent")
		require.Len(t, rows, 1)
		require.Equal(t, "customer", rows[0].Actor)
		require.Equal(t, map[string]string{"purpose": "chat", "text_version": "2026-01"}, rows[0].Details)

		mina.SendText("one more") // no question any more
		w.settle()
		require.Contains(t, texts(w.of(mina)), "one more")
		require.NoError(t, errOf(w.eng.End(w.ctx, w.host, sangdam.End{Conversation: d.Conversation.ID, Final: true})))
		mina.SendText("another day")
		w.settle()
		require.Contains(t, texts(w.of(mina)), "another day")
		require.Len(t, w.audited("visitor.consent"), 1)
		if !w.real { // there a decision of the router may be some milliseconds older than what it stands behind
			w.invariants()
		}
	})
}

// A no is kept, ends politely, and what was written is gone; who writes again is
// asked again.
func TestANoIsKeptAndEndsPolitely(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		w.tells("", true)
		mina := w.line.User("Mina")
		mina.SendText("forget this")
		w.settle()
		w.pressed(mina, "No")
		require.Empty(t, w.conversations())
		require.Equal(t, []string{"What you write is kept.", "That is fine. Call us at 1588-0000."}, mina.Texts())
		rows := w.audited("visitor.consent")
		require.Len(t, rows, 1)
		require.Equal(t, "refused", rows[0].Outcome)

		mina.SendText("well then")
		w.settle()
		require.Empty(t, w.conversations())
		mina.SendText("i agree ") // typed: a computer shows no quick replies
		w.settle()
		require.Equal(t, []string{"well then", "Hello!"}, texts(w.of(mina)))
		require.Len(t, w.audited("visitor.consent"), 2)
	})
}

// A new version asks again, but nobody in the middle of a talk; an old button,
// another's and a second press count for nothing.
func TestConsentIsToTheWordsThatWereShown(t *testing.T) {
	replay(t, []string{onMemory, onSQLite}, func(t *testing.T, w *replayWorld) {
		w.tells("1", true)
		mina, jun := w.line.User("Mina"), w.line.User("Jun")
		mina.SendText("hi")
		w.settle()
		old := mina.Choices()
		require.Len(t, old, 2)
		w.pressed(mina, "I agree")
		mina.PressPostback("sangdam:consent:0000:no", nil)
		w.settle()
		w.tells("2", true)
		mina.SendText("still talking")
		w.settle()
		require.Contains(t, texts(w.of(mina)), "still talking")

		jun.SendText("hello")
		w.settle()
		jun.PressPostback("sangdam:consent:0000:yes", nil)
		w.settle()
		require.Len(t, w.conversations(), 1, "that was no button of this text")
		w.pass(3 * time.Second)
		_, err := jun.Unsend(jun.SendText("oops").MessageID)
		require.NoError(t, err)
		w.settle()
		w.pressed(jun, "I agree")
		require.Equal(t, []string{"hello", "Hello!", ""}, texts(w.of(jun)), "what was taken back stays so")
	})
}

// What cannot ask is refused where it is set up.
func TestAnAccountThatCannotAskIsRefused(t *testing.T) {
	inWorld(t, func(w *world) {
		accounts, err := w.eng.Accounts(w.ctx, w.host)
		require.NoError(t, err)
		a := accounts[0]
		a.Notice.Consent = true
		require.ErrorIs(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})), sangdam.ErrInvalid, "no words")
		a.Messages = automated.Texts{automated.ConsentYes: {"": strings.Repeat("x", 21)}}
		require.ErrorIs(t, errOf(w.eng.SaveAccount(w.ctx, w.host, sangdam.SaveAccount{Account: a})), sangdam.ErrInvalid,
			"a label that is too long")
	})
}

// Agents confirm the words of the workspace, each version once.
func TestAgentsConfirmTheirNotice(t *testing.T) {
	replay(t, everyStore, func(t *testing.T, w *replayWorld) {
		a1 := w.agent("a1")
		none, err := w.eng.NoticeToConfirm(w.ctx, a1, "ko")
		require.NoError(t, err)
		require.Empty(t, none)
		set := func(version string) {
			old, err := w.eng.TicketSetup(w.ctx, w.host)
			require.NoError(t, err)
			old.Settings.AgentNotice = sangdam.AgentNotice{Version: version, Texts: map[string]string{"": "It is kept.", "ko": "기록됩니다."}}
			require.NoError(t, errOf(w.eng.SaveWorkspaceSettings(w.ctx, w.host, sangdam.SaveWorkspaceSettings{Settings: old.Settings})))
		}
		set("")
		asked, err := w.eng.NoticeToConfirm(w.ctx, a1, "ko-KR")
		require.NoError(t, err)
		require.Equal(t, sangdam.NoticeToConfirm{Version: "1", Text: "기록됩니다."}, asked)
		require.ErrorIs(t, errOf(w.eng.ConfirmNotice(w.ctx, a1, sangdam.ConfirmNotice{Agent: "a1", TextVersion: "0"})), sangdam.ErrStale)
		require.ErrorIs(t, errOf(w.eng.ConfirmNotice(w.ctx, w.host, sangdam.ConfirmNotice{Agent: "a1", TextVersion: "1"})),
			sangdam.ErrInvalid)
		require.NoError(t, errOf(w.eng.ConfirmNotice(w.ctx, a1, sangdam.ConfirmNotice{Agent: "a1", TextVersion: "1"})))
		asked, err = w.eng.NoticeToConfirm(w.ctx, a1, "")
		require.NoError(t, err)
		require.Empty(t, asked)
		asked, err = w.eng.NoticeToConfirm(w.ctx, w.agent("a2"), "")
		require.NoError(t, err)
		require.Equal(t, "It is kept.", asked.Text)
		set("2")
		w.settle()
		asked, err = w.eng.NoticeToConfirm(w.ctx, a1, "")
		require.NoError(t, err)
		require.Equal(t, "2", asked.Version)
		rows := w.audited("agent.presence")
		require.Equal(t, map[string]string{"purpose": "agent_notice", "text_version": "1"}, rows[len(rows)-1].Details)
	})
}
