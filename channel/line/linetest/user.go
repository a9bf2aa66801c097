package linetest

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

// Standing is how a user stands to the account.
type Standing string

// The standings. A Stranger who wrote in the last seven days can be pushed to.
const (
	Friend   Standing = "friend"
	Stranger Standing = "stranger"
	Blocked  Standing = "blocked"
	Deleted  Standing = "deleted"
)

// pushWindow is how long a stranger can be pushed to after writing.
const pushWindow = 7 * 24 * time.Hour

// User is a LINE user with a phone. All methods may be called at once; the
// embedded Chat is the one-to-one chat with the account.
type User struct {
	*Chat
	id    string
	phone emukit.Record[Delivered]

	// guarded by srv.mu
	name, picture, language, status string
	standing                        Standing
	anonymous                       bool
	wrote                           time.Time // last message in the one-to-one chat
	sent                            []controlSentMessage
	readUpTo                        time.Time
	loadingUntil                    time.Time
	menu                            string
	clipboard                       string
}

// Delivered is one message that a phone received. The same request delivered
// twice shows as two entries with different message ids.
type Delivered struct {
	Number    int             `json:"number"` // how many the phone had received before
	Order     int64           `json:"order"`  // place among all that phones sent and received
	At        time.Time       `json:"at"`
	ChatID    string          `json:"chat"`
	MessageID string          `json:"id"`
	Route     string          `json:"route"` // reply, push, multicast, broadcast
	RequestID string          `json:"request_id"`
	RetryKey  string          `json:"retry_key,omitempty"`
	Text      string          `json:"text"` // what one reads: text, altText, or [kind]
	Message   json.RawMessage `json:"message"`
}

// User returns the user of that name, making a friend of the account at first
// mention. Names are unique in the emulator.
func (s *Server) User(name string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.names[name]; u != nil {
		return u
	}
	u := &User{id: "U" + s.hex(32), name: name, language: "ko", standing: Friend, phone: emukit.Record[Delivered]{Keep: s.opt.KeepReceived}}
	u.Chat = &Chat{srv: s, kind: "user", id: u.id, members: []*User{u}}
	s.users[u.id], s.chats[u.id] = u, u.Chat
	s.names[name] = u
	s.order = append(s.order, u)
	s.changes.Touch()
	return u
}

// Users returns all users in the order in which they came.
func (s *Server) Users() []*User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// UserByID finds a user by LINE id.
func (s *Server) UserByID(id string) (*User, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ok := s.users[id]
	return u, ok
}

// ID returns the LINE user id.
func (u *User) ID() string { return u.id }

// Name returns the display name.
func (u *User) Name() string {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.name
}

// Standing returns how the user stands to the account.
func (u *User) Standing() Standing {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.standing
}

// SetStanding changes it without an event; Follow and Unfollow tell the
// account.
func (u *User) SetStanding(st Standing) *User {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.standing = st
	return u
}

// SetProfile changes what the profile call tells. Empty values stay as they
// are.
func (u *User) SetProfile(picture, language, status string) *User {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.picture = cmp.Or(picture, u.picture)
	u.language = cmp.Or(language, u.language)
	u.status = cmp.Or(status, u.status)
	return u
}

// SetAnonymous makes the user one who never consented to be identified: events
// from groups and rooms come without a userId.
func (u *User) SetAnonymous(anonymous bool) *User {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.anonymous = anonymous
	return u
}

// Received returns everything that the phone received, oldest first, as far as
// Options.KeepReceived lets it be kept.
func (u *User) Received() []Delivered { return u.phone.All() }

// receive puts a message on the phone. The lock is held.
func (u *User) receive(d Delivered) {
	u.srv.entries++
	d.Number, d.Order = u.phone.Count(), u.srv.entries
	u.phone.Add(d)
}

// Texts returns the Text of everything received.
func (u *User) Texts() []string {
	var all []string
	for _, d := range u.Received() {
		all = append(all, d.Text)
	}
	return all
}

// Repeated returns the entries whose message, in the same chat, had been
// received before: what a customer perceives as said twice.
func (u *User) Repeated() []Delivered {
	var again []Delivered
	seen := map[string]bool{}
	for _, d := range u.Received() {
		key := d.ChatID + "\x00" + string(d.Message)
		if seen[key] {
			again = append(again, d)
		}
		seen[key] = true
	}
	return again
}

// ReadUpTo returns the time of the last message of the user's that the account
// marked as read; zero when none.
func (u *User) ReadUpTo() time.Time {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.readUpTo
}

// Loading reports whether the phone shows the loading animation.
func (u *User) Loading() bool {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.srv.now().Before(u.loadingUntil)
}

// Follow adds or unblocks the account.
func (u *User) Follow() Posted {
	s := u.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	unblocked := u.standing == Blocked
	u.standing = Friend
	return s.emit(event{kind: "follow", chat: u.Chat, by: u, replyable: true,
		fields: fields{{"follow", map[string]bool{"isUnblocked": unblocked}}}})
}

// Unfollow blocks the account.
func (u *User) Unfollow() Posted {
	s := u.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	u.standing = Blocked
	return s.emit(event{kind: "unfollow", chat: u.Chat, by: u})
}

// reachable says whether a message reaches the phone. The lock is held.
func (u *User) reachable(inGroup bool) bool {
	switch u.standing {
	case Deleted:
		return false
	case Blocked:
		return inGroup
	case Stranger:
		return inGroup || u.srv.now().Sub(u.wrote) < pushWindow
	}
	return true
}
