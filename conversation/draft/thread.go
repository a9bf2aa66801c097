package draft

import (
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
)

// ThreadKey is the key under which at most one conversation is open, active or
// waiting: the contact within a work stream, across channels, or within an
// account when perAccount; the chat for groups, rooms and chats of an unknown
// kind; the thread for mail. The contact is ignored where the chat decides.
func ThreadKey(chat channel.Chat, account channel.AccountID, contact conversation.ContactID, stream conversation.WorkStreamID,
	perAccount bool) string {
	switch chat.Kind {
	case channel.ChatGroup, channel.ChatRoom, channel.ChatOther:
		return "chat:" + string(account) + "/" + string(chat.Kind) + ":" + chat.ID
	case channel.ChatThread:
		return "mail:" + string(account) + "/" + chat.ID
	}
	if perAccount {
		return "contact:" + string(contact) + "/account:" + string(account)
	}
	return "contact:" + string(contact) + "/stream:" + string(stream)
}

// Continuation says how a message joins what is there.
type Continuation string

const (
	Join   Continuation = "join"   // the open conversation takes it
	Reopen Continuation = "reopen" // the closed one opens again
	Begin  Continuation = "begin"  // a new one, linked to the last if there is one
)

// Continue decides by design.md section 6.11: an open, active or waiting
// conversation takes the message; a live one that is closed is final; a
// persistent one closed no longer than reopenFor ago opens again; wrap-up never
// does.
func Continue(open, last *conversation.Conversation, reopenFor time.Duration, now time.Time) Continuation {
	switch {
	case open != nil:
		return Join
	case last != nil && !last.Live && last.State == conversation.StateClosed && last.MergedInto == "" && now.Sub(last.ClosedAt) < reopenFor:
		return Reopen
	}
	return Begin
}
