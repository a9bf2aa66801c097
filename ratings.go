package sangdam

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/channel/adapter"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/ticket"
)

// What has ended is rated once. Web chat asks on its own page; elsewhere a
// message with a button for each score asks, or one with a link where there are no
// buttons (ratings_link.go), in the words that account, desk or
// work stream have for it (automated.Rating); without words nobody is
// asked. A button that is pressed never opens the conversation again, whenever
// it is pressed, and what it rates is the ending that it was sent for.

// ratingData begins what a button brings back; conversation, ending and score
// follow.
const ratingData = "sangdam:rating:"

// ratingComment stands in place of the score in the button that announces a
// comment, and commentFor is how long it may take to write it.
const (
	ratingComment = "comment"
	commentFor    = 10 * time.Minute
)

// maxRatingComment is in bytes.
const maxRatingComment = 4000

// AskRating asks the customer to rate a conversation that ended without such a
// question, because no message for it was set at that time or because
// End.Unrated was given.
type AskRating struct {
	Key          Key             `json:"-"`
	Conversation conversation.ID `json:"conversation"`
}

var opAskRating = acts("conversation.ask_rating", "AskRating", kindConversation, ActTake)

// AskRating carries the command out. Whoever may reopen the conversation may
// ask. ErrInvalid while the conversation has not ended, and where the account
// has no text for the question; ErrAlreadyExists when the customer was asked or
// has rated already. ErrUnsupported on a channel that asks by itself, in a
// group chat, and on a channel without buttons when Config.RatingsURL is empty
// or the conversation has reached its bound of automatic messages.
func (e *Engine) AskRating(ctx context.Context, p Principal, c AskRating) (Posted, error) {
	return command(ctx, e, call{opAskRating, p, c.Key, c}, func(u *unit) (Posted, error) {
		d, err := u.draft(c.Conversation, ActTake)
		if err != nil {
			return Posted{}, err
		}
		m, err := u.askRating(d)
		if err != nil {
			return Posted{}, err
		}
		return Posted{Message: m.ID, Conversation: d.C.ID, Seq: m.Seq}, nil
	})
}

// askRating adds the message that asks.
func (u *unit) askRating(d *draft.Draft) (none conversation.Message, err error) {
	if !d.C.State.Ended() {
		return none, errs.New(errs.Invalid, "sangdam: conversation %s has not ended; it is rated afterwards", d.C.ID)
	}
	if d.C.RatedThisEnd() || d.C.RatingAsked.Equal(d.C.Closure()) {
		return none, errs.New(errs.AlreadyExists, "sangdam: the customer was asked for a rating of conversation %s already", d.C.ID)
	}
	acct, ad, err := u.e.account(u.s, d.C.Account)
	if err != nil {
		return none, err
	}
	caps := ad.Capabilities()
	buttons := caps.Choices != adapter.Rejected && caps.Chooses(channel.ChoicePostback)
	if caps.AsksRating || !buttons && u.e.cfg.RatingsURL == "" || !d.C.Chat.OfOne() {
		return none, errs.New(errs.Unsupported, "sangdam: in this chat on %s nobody is asked for a rating by a message", acct.Kind)
	}
	text := u.automatedText(acct, automated.Rating, d.C.Language)
	if text == "" {
		return none, errs.New(errs.Invalid,
			"sangdam: there is no text that asks for a rating; set the message %q of account, desk or work stream", automated.Rating)
	}
	if !buttons {
		return u.askByLink(d, text)
	}
	content := channel.Text(text)
	for score := 5; score >= 1; score-- {
		content.Choices = append(content.Choices, ratingChoice(d.C, fmt.Sprintf("%d ★", score), strconv.Itoa(score)))
	}
	d.C.RatingAsked = d.C.Closure()
	return u.sayOf(d, automated.Rating, content)
}

// askByLink adds the message that asks with a link, which the customer alone gets.
func (u *unit) askByLink(d *draft.Draft, text string) (none conversation.Message, err error) {
	address, err := u.ratingAddress(d.C)
	if err != nil {
		return none, err
	}
	leaves := channel.Text(text + "\n\n" + address)
	m, err := u.sayOn(saying{event: string(ticket.MailSolved), leaves: &leaves}, d, conversation.Message{
		Author: conversation.Author{Kind: conversation.BySystem, Name: automated.Rating}, Content: channel.Text(text),
		Automated: automated.Rating})
	if err != nil {
		return none, err
	}
	if m.ID == "" {
		return none, errs.New(errs.Unsupported,
			"sangdam: so many automatic messages went to this chat that no further one leaves now; ask again later")
	}
	d.C.RatingAsked = d.C.Closure()
	return m, nil
}

func ratingChoice(c conversation.Conversation, label, answer string) channel.Choice {
	return channel.Choice{Kind: channel.ChoicePostback, Label: label,
		Data: fmt.Sprintf("%s%s:%d:%s", ratingData, c.ID, c.Closure().UnixMilli(), answer)}
}

// sayOf adds an automated message of any content.
func (u *unit) sayOf(d *draft.Draft, name string, content channel.Content) (conversation.Message, error) {
	return u.say(d, conversation.Message{Author: conversation.Author{Kind: conversation.BySystem, Name: name}, Content: content,
		Automated: name})
}

// askAtEnd asks at an ending, where there is something to rate and it can be
// asked for: an agent has answered, and the customer did not leave by itself.
func (u *unit) askAtEnd(d *draft.Draft) error {
	if !d.C.Handled {
		return nil
	}
	_, err := u.askRating(d)
	if errors.Is(err, ErrInvalid) || errors.Is(err, ErrUnsupported) || errors.Is(err, ErrAlreadyExists) {
		return nil
	}
	return err
}

// ratingPressed takes the answer of a button. It reports whether the event was
// one; then it is nothing else, whatever became of it.
func (u *unit) ratingPressed(acct channel.Account, in adapter.Inbound) (bool, error) {
	if in.Content.Postback == nil {
		return false, nil
	}
	rest, ours := strings.CutPrefix(in.Content.Postback.Data, ratingData)
	parts := strings.Split(rest, ":")
	if !ours || len(parts) != 3 {
		return false, nil
	}
	cv, err := u.tx.Conversations().Conversation(u.ctx, conversation.ID(parts[0]))
	if err != nil && !errors.Is(err, ErrNotFound) {
		return true, err
	}
	if err != nil || cv.Account != acct.ID || cv.Chat != in.Chat || strconv.FormatInt(cv.Closure().UnixMilli(), 10) != parts[1] {
		return true, u.event(kindAccount, string(acct.ID), 0, "rating:late") // it went on since, or was another's
	}
	d := u.conversationOf(cv)
	if parts[2] == ratingComment {
		d.AwaitComment(u.tx.Now().Add(commentFor))
		return true, nil
	}
	return true, u.scorePressed(acct, d, parts[2], in.Reply)
}

// scorePressed keeps the score of a button and thanks for it.
func (u *unit) scorePressed(acct channel.Account, d *draft.Draft, score string, reply *channel.ReplyHandle) error {
	n, err := strconv.Atoi(score)
	if err != nil || n < 1 || n > 5 {
		return u.event(kindAccount, string(acct.ID), 0, "rating:unknown")
	}
	err = d.Rate(n, "")
	if errors.Is(err, ErrAlreadyExists) || errors.Is(err, ErrInvalid) {
		return u.event(kindAccount, string(acct.ID), 0, "rating:again")
	}
	if err != nil {
		return err
	}
	return u.thankForRating(acct, d, reply)
}

// thankForRating says thanks, with a button for a comment where that has a
// label. The right to answer is spent on it, since nothing else follows.
func (u *unit) thankForRating(acct channel.Account, d *draft.Draft, reply *channel.ReplyHandle) error {
	text := u.automatedText(acct, automated.Rated, d.C.Language)
	if text == "" {
		return nil
	}
	content := channel.Text(text)
	if label := u.automatedText(acct, automated.RatingComment, d.C.Language); label != "" {
		content.Choices = []channel.Choice{ratingChoice(d.C, label, ratingComment)}
	}
	d.C.Reply = reply
	_, err := u.sayOf(d, automated.Rated, content)
	return err
}

// commented keeps a message as the comment on a rating; see continueThread.
// It takes no right to answer along: nobody answers it.
func commented(d *draft.Draft, m conversation.Message) {
	text := m.Content.Text
	if len(text) > maxRatingComment {
		text = strings.ToValidUTF8(text[:maxRatingComment], "")
	}
	d.CommentRating(text)
	d.C.Reply = nil
}
