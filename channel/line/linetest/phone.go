package linetest

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

// The page's view of one customer: everything that the phone shows, in order,
// and what changes about it.

// phoneEntry is one thing in the chat; one of Mine and Theirs is set. What
// changes later, such as a message that is taken back, comes again.
type phoneEntry struct {
	Order  int64               `json:"order"`
	Mine   *controlSentMessage `json:"mine,omitempty"`
	Theirs *Delivered          `json:"theirs,omitempty"`
}

// phoneView is what the page polls for.
type phoneView struct {
	User phoneUser `json:"user"`
	// State tells this user's state from another; give it back to wait for one.
	State   string       `json:"state"`
	Last    int64        `json:"last"` // give it back as since
	Entries []phoneEntry `json:"entries"`
}

type phoneUser struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Standing Standing `json:"standing"`
	// ReadUpTo is the time of the last message that the account marked as read.
	ReadUpTo time.Time `json:"read_up_to,omitzero"`
	// LoadingUntil is until when the account shows that it is writing.
	LoadingUntil time.Time `json:"loading_until,omitzero"`
	Account      string    `json:"account"`
}

// view is what came, or changed, after since. The lock is held.
func (u *User) view(since int64) phoneView {
	v := phoneView{Last: since, Entries: []phoneEntry{}, User: phoneUser{ID: u.id, Name: u.name, Standing: u.standing,
		ReadUpTo: u.readUpTo, LoadingUntil: u.loadingUntil, Account: u.srv.opt.BotName}}
	v.State = fmt.Sprint(u.standing, u.readUpTo.UnixNano(), u.loadingUntil.UnixNano())
	add := func(e phoneEntry, changed int64) {
		if at := max(e.Order, changed); at > since {
			v.Entries = append(v.Entries, e)
			v.Last = max(v.Last, at)
		}
	}
	for i := range u.sent {
		add(phoneEntry{Order: u.sent[i].Order, Mine: &u.sent[i]}, u.sent[i].changed)
	}
	for _, d := range u.phone.All() {
		add(phoneEntry{Order: d.Order, Theirs: &d}, 0)
	}
	slices.SortFunc(v.Entries, func(a, b phoneEntry) int { return int(a.Order - b.Order) })
	return v
}

// controlPhone answers at once when there is news after ?since, or the state is
// not the ?state given, and else waits ?wait seconds for it.
func (s *Server) controlPhone(r *http.Request, u *User) (any, error) {
	since, errSince := strconv.ParseInt(cmp.Or(r.URL.Query().Get("since"), "0"), 10, 64)
	wait, errWait := emukit.Seconds(r, "wait")
	if errSince != nil || errWait != nil {
		return nil, errors.New("since must be a number, wait a number of seconds up to 60")
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	var raw json.RawMessage
	var err error
	_ = s.Wait(ctx, func() bool { // too long: the view is as it was
		s.mu.Lock()
		defer s.mu.Unlock()
		v := u.view(since)
		raw, err = json.Marshal(v) // under the lock: it points into the phone
		return err != nil || len(v.Entries) > 0 || r.URL.Query().Get("state") != v.State
	})
	return raw, err
}
