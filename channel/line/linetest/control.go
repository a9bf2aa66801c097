package linetest

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/sangdam/sangdam/channel/emukit"
)

//go:embed page
var pageFiles embed.FS

// controlRoutes serves the page that plays the customer's phone at / and the
// control interface under /_emulator/. Answers are JSON; requests that change
// something must say Content-Type: application/json, so that no foreign web
// page can send them from a visitor's browser. The header Emulator-Start tells
// one start of the emulator, which remembers nothing, from another. Who blocked
// the account cannot write or press a choice here.
//
//	GET    /_emulator/state                     credentials, webhook address, counts
//	GET    /_emulator/users                     all users
//	POST   /_emulator/users                     {"name","standing"?} -> user
//	POST   /_emulator/users/{name}/messages     {"type":"text","text"} and other types, see ControlMessage
//	POST   /_emulator/users/{name}/actions      {"action":"follow"|"unfollow"|"unsend"|"postback", "message_id"?, "data"?}
//	POST   /_emulator/users/{name}/press        {"message_id","choice":N,"picked"?,"sends"?} the N-th choice of a message
//	GET    /_emulator/users/{name}/choices      what the phone shows to press
//	GET    /_emulator/users/{name}/phone        ?since=LAST&state=STATE&wait=SECONDS -> what the phone shows, and what changes
//	GET    /_emulator/users/{name}/sent         what the user wrote, as far as it is kept
//	GET    /_emulator/users/{name}/sent/{id}/content   a picture of those
//	GET    /_emulator/users/{name}/received     ?after=N&wait=SECONDS -> messages from the N-th on,
//	                                            as far as they are kept; "number" counts from 0
//	POST   /_emulator/groups                    {"name","members":[names]} -> {"id"}
//	POST   /_emulator/groups/{id}/messages      as for users, with "by"
//	POST   /_emulator/events                    a raw event, sent as it is
//	POST   /_emulator/webhook                   {"url"}
//	POST   /_emulator/secret                    a new channel secret -> {"channel_secret"}
//	GET    /_emulator/webhooks                  what was sent and how it was answered
//	GET    /_emulator/calls                     ?endpoint=push -> calls of the Messaging API
//	POST   /_emulator/faults                    a Fault
//	DELETE /_emulator/faults
//	POST   /_emulator/chaos                     a Chaos
func (s *Server) controlRoutes() {
	c := emukit.NewControl(s.mux)
	emukit.Show(c, "GET /_emulator/state", s.controlState)
	emukit.Show(c, "GET /_emulator/users", s.controlUsers)
	emukit.Take(c, "POST /_emulator/users", s.controlUser)
	takeOf(s, c, "POST /_emulator/users/{name}/messages", (*User).controlMessage)
	takeOf(s, c, "POST /_emulator/users/{name}/actions", (*User).controlAction)
	takeOf(s, c, "POST /_emulator/users/{name}/press", (*User).controlPress)
	c.Handle("GET /_emulator/users/{name}/choices", s.ofUser(func(_ *http.Request, u *User) (any, error) {
		return append([]Choice{}, u.Choices()...), nil
	}))
	c.Handle("GET /_emulator/users/{name}/phone", s.ofUser(s.controlPhone))
	c.Handle("GET /_emulator/users/{name}/sent", s.ofUser(s.controlSent))
	s.mux.HandleFunc("GET /_emulator/users/{name}/sent/{id}/content", s.controlPicture)
	c.Handle("GET /_emulator/users/{name}/received", s.ofUser(s.controlReceived))
	emukit.Take(c, "POST /_emulator/groups", s.controlGroup)
	emukit.Take(c, "POST /_emulator/groups/{id}/messages", s.controlGroupMessage)
	emukit.Take(c, "POST /_emulator/events", func(_ *http.Request, raw json.RawMessage) (any, error) {
		s.SendRaw(raw)
		return struct{}{}, nil
	})
	emukit.Take(c, "POST /_emulator/webhook", func(_ *http.Request, in struct{ URL string }) (any, error) {
		s.SetWebhook(in.URL)
		return struct{}{}, nil
	})
	c.Handle("POST /_emulator/secret", func(*http.Request) (any, error) {
		return map[string]string{"channel_secret": s.RotateSecret()}, nil
	})
	emukit.Show(c, "GET /_emulator/webhooks", s.Webhooks)
	c.Handle("GET /_emulator/calls", func(r *http.Request) (any, error) { return s.Calls(r.URL.Query().Get("endpoint")), nil })
	emukit.Take(c, "POST /_emulator/faults", func(_ *http.Request, f Fault) (any, error) {
		if err := f.Valid(); err != nil {
			return nil, err
		}
		s.AddFault(f)
		return struct{}{}, nil
	})
	c.Handle("DELETE /_emulator/faults", func(*http.Request) (any, error) {
		s.ClearFaults()
		return struct{}{}, nil
	})
	emukit.Take(c, "POST /_emulator/chaos", func(_ *http.Request, chaos Chaos) (any, error) {
		s.SetChaos(chaos)
		return struct{}{}, nil
	})
	s.pageRoutes()
}

func (s *Server) pageRoutes() {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		panic(err) // the directory is embedded above
	}
	for _, pattern := range []string{"GET /{$}", "GET /phone.js", "GET /phone.css"} {
		s.mux.Handle(pattern, secured(http.FileServerFS(files)))
	}
	s.mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
}

func secured(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy",
			"default-src 'self'; img-src 'self' http: https:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		h.ServeHTTP(w, r)
	})
}

var errBlocked = errors.New("the user has blocked the account: follow it first")

// ofUser is a call about the user whom the path names.
func (s *Server) ofUser(do func(*http.Request, *User) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		u, err := s.byName(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return do(r, u)
	}
}

// takeOf is a call with a body about the user whom the path names.
func takeOf[T any](s *Server, c *emukit.Control, pattern string, do func(*User, T) (any, error)) {
	emukit.Take(c, pattern, func(r *http.Request, in T) (any, error) {
		u, err := s.byName(r.PathValue("name"))
		if err != nil {
			return nil, err
		}
		return do(u, in)
	})
}

func (s *Server) controlState() map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return map[string]any{
		"channel_id": s.opt.ChannelID, "channel_secret": s.secret, "channel_token": s.opt.ChannelToken,
		"bot_user_id": s.botID, "basic_id": s.opt.BasicID, "webhook": s.webhookURL,
		"waiting_events": s.sender.Waiting(), "webhooks_sent": len(s.sender.Sent()), "calls": maps.Clone(s.counts), "consumption": s.used,
	}
}

type controlUser struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Standing Standing `json:"standing"`
	Received int      `json:"received"`
	Loading  bool     `json:"loading"`
}

func (u *User) describe() controlUser {
	return controlUser{u.id, u.Name(), u.Standing(), u.phone.Count(), u.Loading()}
}

func (s *Server) controlUsers() []controlUser {
	all := []controlUser{}
	for _, u := range s.Users() {
		all = append(all, u.describe())
	}
	return all
}

func (s *Server) controlUser(_ *http.Request, in controlUser) (any, error) {
	if in.Name == "" {
		return nil, emukit.ErrBad
	}
	u := s.User(in.Name)
	switch in.Standing {
	case "":
	case Friend, Stranger, Blocked, Deleted:
		u.SetStanding(in.Standing)
	default:
		return nil, errors.New("standing must be friend, stranger, blocked or deleted")
	}
	return u.describe(), nil
}

// byName finds a user by name or id.
func (s *Server) byName(name string) (*User, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.names[name]; u != nil {
		return u, nil
	}
	if u := s.users[name]; u != nil {
		return u, nil
	}
	return nil, emukit.ErrMissing
}

// ControlMessage is a message in the control interface.
type ControlMessage struct {
	Type      string  `json:"type"` // text, image, video, audio, file, location, sticker, or anything: a type unknown to the account
	Text      string  `json:"text"`
	MediaType string  `json:"media_type"`
	Name      string  `json:"name"`
	Data      []byte  `json:"data"` // base64
	Duration  int64   `json:"duration_ms"`
	Unready   int     `json:"unready"`
	Title     string  `json:"title"`
	Address   string  `json:"address"`
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
	Package   string  `json:"package"`
	Sticker   string  `json:"sticker"`
	Quote     string  `json:"quote"`
	By        string  `json:"by"` // member of a group
}

func (c ControlMessage) message() (Message, error) {
	length := time.Duration(c.Duration) * time.Millisecond
	var m Message
	switch c.Type {
	case "":
		return m, emukit.ErrBad
	case "text":
		m = Text(c.Text)
	case "image":
		m = Image(cmp.Or(c.MediaType, "image/jpeg"), c.Data)
	case "video":
		m = Video(cmp.Or(c.MediaType, "video/mp4"), c.Data, length, c.Unready)
	case "audio":
		m = Audio(cmp.Or(c.MediaType, "audio/x-m4a"), c.Data, length)
	case "file":
		m = File(cmp.Or(c.Name, "file.bin"), cmp.Or(c.MediaType, "application/octet-stream"), c.Data)
	case "location":
		m = Location(c.Title, c.Address, c.Latitude, c.Longitude)
	case "sticker":
		m = Sticker(cmp.Or(c.Package, "446"), cmp.Or(c.Sticker, "1988"))
	default:
		m = Unknown(c.Type)
	}
	if c.Quote != "" {
		m = m.Quoting(c.Quote)
	}
	return m, nil
}

func (u *User) controlMessage(in ControlMessage) (any, error) {
	m, err := in.message()
	switch {
	case err != nil:
		return nil, err
	case !u.canWrite():
		return nil, errBlocked
	}
	return u.Send(m), nil
}

// canWrite says whether the user's phone has a chat with the account.
func (u *User) canWrite() bool {
	st := u.Standing()
	return st == Friend || st == Stranger
}

// controlSentMessage is what a user wrote.
type controlSentMessage struct {
	At     time.Time `json:"at"`
	Order  int64     `json:"order"` // place among all that phones sent and received
	ID     string    `json:"id"`    // empty for what was pressed
	Kind   string    `json:"kind"`  // of the message, postback for a pressed choice, note for what the emulator notes
	Text   string    `json:"text"`  // what one reads: the text or [kind]
	Unsent bool      `json:"unsent"`
	// Message is what the account was sent; null for what was pressed.
	Message fields `json:"message,omitempty"`
	changed int64  // place at which it was taken back
}

func (s *Server) controlSent(_ *http.Request, u *User) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]controlSentMessage{}, u.sent...), nil
}

// controlPicture serves a picture that the user sent, to be shown beside what
// came back. Only kinds that browsers draw and never run are served.
func (s *Server) controlPicture(w http.ResponseWriter, r *http.Request) {
	u, err := s.byName(r.PathValue("name"))
	if err != nil {
		notFound().Write(w)
		return
	}
	s.mu.Lock()
	p, _ := s.messages.Get(r.PathValue("id"))
	out := notFound()
	if p != nil && p.by == u && p.content != nil && !p.content.gone && drawn(p.content.mediaType) {
		out = reply{Status: http.StatusOK, Body: p.content.data, Header: http.Header{"Content-Type": {p.content.mediaType}}}
	}
	s.mu.Unlock()
	out = out.With("X-Content-Type-Options", "nosniff").With("Content-Security-Policy", "default-src 'none'; sandbox")
	out.Write(w)
}

func drawn(mediaType string) bool {
	switch mediaType {
	case "image/png", "image/jpeg", "image/gif", "image/webp":
		return true
	}
	return false
}

type controlGroup struct {
	Name    string   `json:"name"`
	Members []string `json:"members"`
}

func (s *Server) controlGroup(_ *http.Request, in controlGroup) (any, error) {
	if in.Name == "" {
		return nil, emukit.ErrBad
	}
	var members []*User
	for _, name := range in.Members {
		members = append(members, s.User(name))
	}
	return map[string]string{"id": s.Group(in.Name, members...).ChatID()}, nil
}

func (s *Server) controlGroupMessage(r *http.Request, in ControlMessage) (any, error) {
	s.mu.Lock()
	c := s.chats[r.PathValue("id")]
	s.mu.Unlock()
	if c == nil || c.kind == "user" {
		return nil, emukit.ErrMissing
	}
	by, err := s.byName(in.By)
	if err != nil {
		return nil, err
	}
	m, err := in.message()
	if err != nil {
		return nil, err
	}
	return c.Send(by, m), nil
}

type controlAction struct {
	Action    string `json:"action"`
	MessageID string `json:"message_id"`
	Data      string `json:"data"`
}

func (u *User) controlAction(in controlAction) (any, error) {
	switch in.Action {
	case "follow":
		return u.Follow(), nil
	case "unfollow":
		return u.Unfollow(), nil
	case "unsend":
		return u.Unsend(in.MessageID)
	case "postback":
		if !u.canWrite() {
			return nil, errBlocked
		}
		return u.PressPostback(in.Data, nil), nil
	}
	return nil, errors.New("action must be follow, unfollow, unsend or postback")
}

func (s *Server) controlReceived(r *http.Request, u *User) (any, error) {
	after, errAfter := strconv.Atoi(cmp.Or(r.URL.Query().Get("after"), "0"))
	wait, errWait := emukit.Seconds(r, "wait")
	if errAfter != nil || errWait != nil || after < 0 {
		return nil, errors.New("after must be a number from 0, wait a number of seconds up to 60")
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	_ = s.WaitDelivered(ctx, u, after+1) // too long: the list is empty
	return u.phone.From(after), nil
}
