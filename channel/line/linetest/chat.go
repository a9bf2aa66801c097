package linetest

import (
	"slices"
)

// Chat is a one-to-one chat, a group or a room with the account in it.
type Chat struct {
	srv  *Server
	kind string // user, group, room
	id   string

	// guarded by srv.mu
	name    string
	members []*User
	standby bool
	mute    bool
	left    bool
}

// Group makes a group of the users that the account has joined; the account
// hears of it.
func (s *Server) Group(name string, members ...*User) *Chat {
	return s.newChat("group", "C", name, members)
}

// Room makes a multi-person chat of the older kind.
func (s *Server) Room(members ...*User) *Chat { return s.newChat("room", "R", "", members) }

func (s *Server) newChat(kind, prefix, name string, members []*User) *Chat {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := &Chat{srv: s, kind: kind, id: prefix + s.hex(32), name: name, members: slices.Clone(members)}
	s.chats[c.id] = c
	s.emit(event{kind: "join", chat: c, replyable: true})
	return c
}

// ChatID returns the id that messages are sent to.
func (c *Chat) ChatID() string { return c.id }

// Kind returns user, group or room.
func (c *Chat) Kind() string { return c.kind }

// SetStandby gives the chat to another module, or back: in standby events come
// without reply tokens and the account must be silent.
func (c *Chat) SetStandby(standby bool) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.standby = standby
}

// SetMute leaves the reply tokens out of events, as LINE does of some kinds, or
// brings them back.
func (c *Chat) SetMute(mute bool) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.mute = mute
}

// Rename gives the group another name. LINE tells nobody.
func (c *Chat) Rename(name string) {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.name = name
}

// Add lets users enter the group or room.
func (c *Chat) Add(users ...*User) Posted {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.members = append(c.members, users...)
	return c.srv.emit(event{kind: "memberJoined", chat: c, replyable: true,
		fields: fields{{"joined", memberList(users)}}})
}

// Remove lets users leave it.
func (c *Chat) Remove(users ...*User) Posted {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.members = slices.DeleteFunc(c.members, func(u *User) bool { return slices.Contains(users, u) })
	return c.srv.emit(event{kind: "memberLeft", chat: c, fields: fields{{"left", memberList(users)}}})
}

// Dismiss removes the account from the group or room.
func (c *Chat) Dismiss() Posted {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.left = true
	return c.srv.emit(event{kind: "leave", chat: c})
}

func memberList(users []*User) map[string]any {
	list := []any{}
	for _, u := range users {
		list = append(list, map[string]string{"type": "user", "userId": u.id})
	}
	return map[string]any{"members": list}
}

// source is the source object of an event in this chat by a user, who may be
// nobody.
func (c *Chat) source(by *User) fields {
	f := fields{{"type", c.kind}}
	switch c.kind {
	case "group":
		f = append(f, field{"groupId", c.id})
	case "room":
		f = append(f, field{"roomId", c.id})
	}
	if by != nil && (c.kind == "user" || !by.anonymous) {
		f = append(f, field{"userId", by.id})
	}
	return f
}

// only returns the member when there is just one, which is the case in a
// one-to-one chat.
func (c *Chat) only() *User {
	if c.kind == "user" {
		return c.members[0]
	}
	return nil
}
