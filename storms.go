package sangdam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/draft"
	"github.com/sangdam/sangdam/conversation/storm"
	"github.com/sangdam/sangdam/store"
)

// automaticSent counts what was sent without a person: in a thread, to a person,
// to a domain.
type automaticSent struct {
	ID      string `json:"id"`
	Version int64  `json:"-"`
	storm.Counter
	Until time.Time `json:"until"` // when it can be forgotten
}

var automaticSents = declare(store.Kind[automaticSent]{Name: "automatic_sent",
	ID:      func(a *automaticSent) string { return a.ID },
	Version: func(a *automaticSent) *int64 { return &a.Version },
	Indexes: []store.Index[automaticSent]{{Name: "until", Value: func(a *automaticSent) []byte { return store.Time(a.Until) }}},
})

func init() { registerPurge(purgeAutomaticSents) }

func purgeAutomaticSents(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, automaticSents, "until", 0)
}

// automatic says that no person is behind a message.
func automatic(m conversation.Message) bool {
	return m.Automated != "" || m.Author.Kind == conversation.ByBot || m.Author.Kind == conversation.ByTrigger
}

// heldBack says why an automatic message must not leave, and counts one that may.
// It is empty on channels where nothing answers by itself. None leaves while the
// provider's own bot has the word.
func (u *unit) heldBack(d *draft.Draft, m conversation.Message) (storm.Verdict, error) {
	if d.C.Control == conversation.ControlProvider {
		return storm.Provider, nil
	}
	_, adapter, err := u.e.account(u.s, d.C.Account)
	if err != nil || !automatic(m) || adapter.caps.Automatic.PerThread == 0 {
		return storm.Send, ignored(err)
	}
	if u.silent {
		return storm.Machine, nil
	}
	limits := adapter.caps.Automatic
	var who conversation.Identity
	if d.C.Identity != "" {
		if who, err = u.tx.Contacts().IdentityByID(u.ctx, d.C.Identity); err != nil {
			return storm.Send, err
		}
	}
	state, err := u.chatState(d.C.Account, d.C.Chat)
	if err != nil {
		return storm.Send, err
	}
	user := strings.ToLower(string(who.User))
	keys := []string{"thread/" + chatID(d.C.Account, d.C.Chat), personSent(d.C.Account, who.User), ""}
	if _, domain, is := strings.Cut(user, "@"); is {
		keys[2] = "domain/" + digest(string(d.C.Account), domain)
	}
	counted := make([]*automaticSent, len(keys))
	for i, key := range keys {
		if key == "" {
			continue
		}
		c, err := automaticSents.Get(u.ctx, u.tx, key)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return storm.Send, err
		}
		c.ID = key
		counted[i] = &c
	}
	ask := storm.Ask{Thread: &counted[0].Counter, Person: &counted[1].Counter, Vouched: state.Vouched}
	if counted[2] != nil {
		ask.Domain = &counted[2].Counter
	}
	verdict := storm.Decide(limits, ask, u.tx.Now())
	if verdict != storm.Send {
		return verdict, nil
	}
	for _, c := range slices.DeleteFunc(counted, func(c *automaticSent) bool { return c == nil }) {
		c.Until = u.tx.Now().Add(limits.Within)
		if err := automaticSents.Save(u.ctx, u.tx, c); err != nil {
			return storm.Send, err
		}
	}
	return storm.Send, nil
}

// ignored lets an account that is gone be refused by whoever sends.
func ignored(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrUnsupported) {
		return nil
	}
	return err
}

// personSent names the count of a person at an account.
func personSent(acct channel.AccountID, user channel.ProviderUserID) string {
	return "person/" + digest(string(acct), strings.ToLower(string(user)))
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// chatID names a chat of an account.
func chatID(acct channel.AccountID, chat channel.Chat) string {
	return digest(string(acct), string(chat.Kind), chat.ID)
}
