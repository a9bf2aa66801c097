package sangdam

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/sangdam/sangdam/conversation"
	"github.com/sangdam/sangdam/conversation/automated"
	"github.com/sangdam/sangdam/internal/errs"
	"github.com/sangdam/sangdam/store"
)

// Where a channel has no buttons, such as mail, a rating is asked for by a link to
// a page of the host's (Config.RatingsURL). Its address holds 160 random bits, of
// which the store keeps the hash; it stands for one ending, is good for a month,
// and ends when the conversation goes on. Agents never see it: the message as it
// is kept is without it.

const ratingLinkFor = 30 * 24 * time.Hour

// ratingLink is the record of an address.
type ratingLink struct {
	ID           string          `json:"id"` // hash of the token
	Version      int64           `json:"-"`
	Conversation conversation.ID `json:"conversation"`
	Closure      time.Time       `json:"closure"`
	Until        time.Time       `json:"until"`
}

var ratingLinks = declare(store.Kind[ratingLink]{Name: "rating_link",
	ID:      func(l *ratingLink) string { return l.ID },
	Version: func(l *ratingLink) *int64 { return &l.Version },
	Indexes: []store.Index[ratingLink]{{Name: "until", Value: func(l *ratingLink) []byte { return store.Time(l.Until) }}},
})

func ratingLinkID(token string) string {
	sum := sha256.Sum256([]byte("rating\x00" + token))
	return hex.EncodeToString(sum[:])
}

// ratingAddress makes the address at which this ending can be rated.
func (u *unit) ratingAddress(c conversation.Conversation) (string, error) {
	var random [20]byte
	_, _ = rand.Read(random[:]) // never fails: crypto/rand stops the program instead
	token := hex.EncodeToString(random[:])
	l := ratingLink{ID: ratingLinkID(token), Conversation: c.ID, Closure: c.Closure(), Until: u.tx.Now().Add(ratingLinkFor)}
	if err := ratingLinks.Save(u.ctx, u.tx, &l); err != nil {
		return "", err
	}
	return strings.TrimSuffix(u.e.cfg.RatingsURL, "/") + "/" + url.PathEscape(string(u.p.Workspace)) + "/" + token, nil
}

// RatingPage is what the page of a rating link shows.
type RatingPage struct {
	// Language of the conversation, a BCP 47 tag; empty where it is not known.
	Language string
	// Question is the workspace's own text of the question.
	Question string
	// Rated says that the customer has rated this end of the conversation
	// already.
	Rated bool
}

// RatingPage returns what the page of a rating link shows. It changes nothing,
// because programs that scan mails open links too. ErrNotFound, whatever is
// wrong with the token.
func (e *Engine) RatingPage(ctx context.Context, ws WorkspaceID, token string) (page RatingPage, err error) {
	err = e.db.View(ctx, ws, func(ctx context.Context, tx store.Tx) error {
		s, err := e.fresh(ctx, tx)
		if err != nil {
			return err
		}
		u := &unit{e: e, ctx: ctx, tx: tx, s: s, p: system(ws)}
		cv, err := u.linkedEnding(token)
		if err != nil {
			return err
		}
		page = RatingPage{Language: cv.Language, Rated: cv.RatedThisEnd()}
		if acct, is := s.accounts[cv.Account]; is {
			page.Question = u.automatedText(acct, automated.Rating, cv.Language)
			if page.Language == "" {
				page.Language = acct.Language
			}
		}
		return nil
	})
	return page, notThere(err)
}

// RateByLink stores the customer's rating for the link that token comes from: a
// score of 1 to 5 and a comment of at most 4000 bytes. It does not reopen the
// conversation. ErrNotFound for a token that never existed, whose time is over,
// or whose conversation was reopened since; ErrAlreadyExists for a second
// rating.
func (e *Engine) RateByLink(ctx context.Context, ws WorkspaceID, token string, score int, comment string) error {
	if score < 1 || score > 5 || len(comment) > maxRatingComment {
		return errs.New(errs.Invalid, "sangdam: a rating is 1 to 5 with at most %d bytes of comment", maxRatingComment)
	}
	return notThere(e.unit(ctx, system(ws), func(u *unit) error {
		cv, err := u.linkedEnding(token)
		if err != nil {
			return err
		}
		return u.conversationOf(cv).Rate(score, strings.TrimSpace(comment))
	}))
}

// linkedEnding is the conversation whose last ending the link stands for.
func (u *unit) linkedEnding(token string) (none conversation.Conversation, err error) {
	l, err := ratingLinks.Get(u.ctx, u.tx, ratingLinkID(token))
	if err != nil {
		return none, err
	}
	cv, err := u.tx.Conversations().Conversation(u.ctx, l.Conversation)
	if err != nil {
		return none, err
	}
	if !cv.State.Ended() || !cv.ErasedAt.IsZero() || !cv.Closure().Equal(l.Closure) || !u.tx.Now().Before(l.Until) {
		return none, noSuch("rating link")
	}
	return cv, nil
}

// notThere says nothing more of a link than that there is none.
func notThere(err error) error {
	if errors.Is(err, ErrNotFound) || errors.Is(err, ErrInvalid) && !errors.Is(err, ErrAlreadyExists) {
		return noSuch("rating link")
	}
	return err
}

func init() { registerPurge(purgeRatingLinks) }

func purgeRatingLinks(_ *Engine, ctx context.Context, tx store.Tx) (int, error) {
	return purgeOld(ctx, tx, ratingLinks, "until", 0)
}
