package line

import (
	"context"
	"net/http"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/internal/errs"
)

// ShowTyping shows the loading animation, in one-to-one chats only
// (ErrUnsupported elsewhere). LINE takes 5 to 60 seconds in steps of 5: d is
// rounded up to such a step, and what is longer is 60 seconds. It ends with the
// next message.
func (a *Adapter) ShowTyping(ctx context.Context, acct channel.Account, chat channel.Chat, d time.Duration) error {
	if chat.Kind != channel.ChatUser {
		return errs.New(errs.Unsupported, "line: the loading animation exists in one-to-one chats only")
	}
	if !validChat(chat) {
		return errs.New(errs.Invalid, "line: loading animation: the user id does not have the form of a LINE id")
	}
	const step = 5 * time.Second
	steps := min(max((d+step-1)/step, 1), 12)
	in := struct {
		ChatID  string `json:"chatId"`
		Seconds int    `json:"loadingSeconds"`
	}{chat.ID, int(steps) * 5}
	return a.callJSON(ctx, acct, "loading animation", http.MethodPost, "/v2/bot/chat/loading/start", in, nil)
}

// MarkRead marks the message that gave the handle, and every earlier one of
// the chat, as read. It shows only when Chat is switched on in LINE Official
// Account Manager.
func (a *Adapter) MarkRead(ctx context.Context, acct channel.Account, handle string) error {
	if handle == "" || len(handle) > 1000 {
		return errs.New(errs.Invalid, "line: mark as read: the handle is empty or too long")
	}
	in := struct {
		Token string `json:"markAsReadToken"`
	}{handle}
	return a.callJSON(ctx, acct, "mark as read", http.MethodPost, "/v2/bot/chat/markAsRead", in, nil)
}
