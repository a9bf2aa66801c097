package sangdam

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"github.com/sangdam/sangdam/channel"
	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/store"
)

// consent is one agreement of a customer: who, by which identity, to which
// version of the text, and when. It is never changed; the audit log has the
// proof beside it.
type consent struct {
	ID          string                  `json:"id"`
	Version     int64                   `json:"-"`
	Contact     conversation.ContactID  `json:"contact"`
	Identity    conversation.IdentityID `json:"identity"`
	Account     channel.AccountID       `json:"account"`
	Channel     channel.Kind            `json:"channel"`
	Purpose     string                  `json:"purpose"`
	TextVersion string                  `json:"text_version"`
	At          time.Time               `json:"at"`
}

var consents = store.Declare(store.Kind[consent]{Name: "consent",
	ID:      func(c *consent) string { return c.ID },
	Version: func(c *consent) *int64 { return &c.Version },
	Indexes: []store.Index[consent]{{Name: "identity", Value: func(c *consent) []byte {
		return store.Tuple(store.Exact(string(c.Identity)), store.Time(c.At))
	}}},
})

// consented keeps a consent, once for each text.
func (u *unit) consented(i conversation.Identity, acct channel.Account, purpose, textVersion string) error {
	sum := sha256.Sum256([]byte(strings.Join([]string{string(acct.ID), purpose, textVersion}, "\x00")))
	c := consent{ID: string(i.ID) + "/" + hex.EncodeToString(sum[:16]), Contact: i.Contact, Identity: i.ID, Account: acct.ID,
		Channel: acct.Kind, Purpose: purpose, TextVersion: textVersion, At: u.tx.Now()}
	_, err := consents.Get(u.ctx, u.tx, c.ID)
	if errors.Is(err, ErrNotFound) {
		return consents.Save(u.ctx, u.tx, &c)
	}
	return err
}

// consentsOf lists what a visitor agreed to at an account, oldest first.
func consentsOf(ctx context.Context, tx store.Tx, i conversation.Identity, acct channel.AccountID) ([]channel.VisitorConsent, error) {
	prefix := store.Tuple(store.Exact(string(i.ID)))
	all, err := consents.All(ctx, tx, store.List[consent]{Index: "identity", From: prefix, To: append(prefix, 0xFF),
		Keep: func(c *consent) bool { return c.Account == acct }}, 1000)
	var out []channel.VisitorConsent
	for _, c := range all {
		out = append(out, channel.VisitorConsent{Purpose: c.Purpose, TextVersion: c.TextVersion, At: c.At})
	}
	return out, err
}
